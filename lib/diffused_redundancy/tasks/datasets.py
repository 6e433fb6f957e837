"""The paper's downstream data sets, through torchvision with its official splits and checksums.

Archives live in the folder of assets, as ``datasets/NAME``; torchvision unpacks them there. There
is no validation part: the probes' penalties are chosen by cross-validation on the train split.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from ..errors import InputError
from ..store import assets
from .files import TEST_NAMES, as_rgb, stamp
from .splits import HELD_OUT, ArrayImages, Images, Split, Task, stratified


@dataclass(frozen=True)
class DatasetImages:
    """Images of a torchvision (or any indexable) data set, decoded on demand.

    Attributes
    ----------
    source : sequence
        Its items are ``(image, ...)``, the image a PIL image.
    index : tuple of int
        Which of its items these are.
    """

    source: Any
    index: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.index)

    def batch(self, start: int, stop: int) -> list[np.ndarray]:
        """Images start to stop."""
        return [as_rgb(self.source[i][0], f"image {i}") for i in self.index[start:stop]]

    def take(self, chosen: Sequence[int]) -> DatasetImages:
        """Some of the images."""
        return DatasetImages(self.source, tuple(self.index[i] for i in chosen))


@dataclass(frozen=True)
class Known:
    """How torchvision opens a data set.

    Attributes
    ----------
    title : str
    splits : tuple of two mappings
        Options of its class for the train and the test part.
    opened : callable
        From the class's options to the data set; ``download`` unpacks archives that are there.
    images, classes : tuple of int, and int
        Images of the two parts, and classes, of the real set.
    """

    title: str
    splits: tuple[dict[str, Any], dict[str, Any]]
    opened: Callable[..., Any]
    images: tuple[int, int]
    classes: int


def _torchvision(name: str) -> Callable[..., Any]:
    def opened(**options: Any) -> Any:
        from torchvision import datasets

        return getattr(datasets, name)(**options)

    return opened


def _imagenet(root: str, split: str, download: bool = False) -> Any:
    from torchvision import datasets

    if not download and not (Path(root) / split).is_dir():
        raise RuntimeError("not unpacked")
    return datasets.ImageNet(root, split=split)


def _places(root: str, split: str, download: bool = False) -> Any:
    from torchvision import datasets

    places = datasets.Places365(root, split=split, small=True, download=download)
    if not os.path.isdir(places.images_dir):
        raise RuntimeError("not unpacked")
    return places


DATASETS: dict[str, Known] = {
    "cifar10": Known(
        "CIFAR10",
        ({"train": True}, {"train": False}),
        _torchvision("CIFAR10"),
        (50_000, 10_000),
        10,
    ),
    "cifar100": Known(
        "CIFAR100",
        ({"train": True}, {"train": False}),
        _torchvision("CIFAR100"),
        (50_000, 10_000),
        100,
    ),
    "flowers102": Known(
        "Flowers102",
        ({"split": "train"}, {"split": "test"}),
        _torchvision("Flowers102"),
        (1_020, 6_149),
        102,
    ),
    "oxford_iiit_pet": Known(
        "Oxford-IIIT-Pets",
        ({"split": "trainval"}, {"split": "test"}),
        _torchvision("OxfordIIITPet"),
        (3_680, 3_669),
        37,
    ),
    "places365": Known(
        "Places365",
        ({"split": "train-standard"}, {"split": "val"}),
        _places,
        (1_803_460, 36_500),
        365,
    ),
    "imagenet": Known(
        "ImageNet", ({"split": "train"}, {"split": "val"}), _imagenet, (1_281_167, 50_000), 1_000
    ),
}
"""By name, as torchvision writes it in small letters."""


BEGUN = ".unpacking-begun"
"""A file in a data set's folder while its archives are being unpacked."""

_LOCK = ".unpacking.lock"


def opened(name: str) -> tuple[Any, Any]:
    """The train and the test part, unpacked if need be. One process unpacks, others wait.

    Raises
    ------
    InputError
        If an archive is missing (with how to get it) or damaged, or the two parts have different
        classes.
    """
    asset = assets.asset(name)
    place = asset.place
    parts = None
    if place.is_dir():
        with FileLock(str(place / _LOCK)) if os.access(place, os.W_OK) else nullcontext():
            parts = _if_unpacked(asset)
            if parts is None and not assets.missing(asset):
                parts = _unpacked(asset)
    if parts is None:
        raise InputError(f"data set {name} is not here: {assets.how_to_get(asset)}")
    train, test = (_classes(part) for part in parts)
    if train != test:
        raise InputError(
            f"data set {name} in {place} has {len(train)} classes to train on and "
            f"{len(test)} others to test on: it is not whole"
        )
    return parts


def is_unpacked(name: str) -> bool:
    """Whether torchvision can open a data set without unpacking anything."""
    asset = assets.asset(name)
    return asset.place.is_dir() and _if_unpacked(asset) is not None


def _if_unpacked(asset: assets.Asset) -> tuple[Any, Any] | None:
    """The two parts, if they are all unpacked."""
    if (asset.place / BEGUN).exists():
        return None
    try:
        return _parts(DATASETS[asset.name], str(asset.place), download=False)
    except (RuntimeError, OSError):
        return None


def _unpacked(asset: assets.Asset) -> tuple[Any, Any]:
    """The two parts, unpacked from archives that are all here, after deleting what an interrupted
    unpacking left.
    """
    place = asset.place
    begun = place / BEGUN
    if begun.exists():
        kept = {file.name for file in asset.files} | {BEGUN, _LOCK, ".lock"}
        for path in sorted(place.rglob("*"), reverse=True):  # a folder comes after its contents
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(place).as_posix() not in kept:
                path.unlink()
    begun.touch()
    try:
        parts = _parts(DATASETS[asset.name], str(place), download=True)
    except (RuntimeError, OSError, EOFError, ValueError, IndexError) as error:
        raise InputError(f"data set {asset.name} in {place} cannot be unpacked: {error}") from error
    begun.unlink()
    return parts


def _classes(source: Any) -> list[Any]:
    """The classes of a part: their names, or else the labels that occur."""
    return list(getattr(source, "classes", None) or sorted(set(_labels(source).tolist())))


def _parts(known: Known, root: str, *, download: bool) -> tuple[Any, Any]:
    train, test = (
        known.opened(root=root, download=download, **options) for options in known.splits
    )
    return train, test


def _labels(source: Any) -> np.ndarray:
    """Class indices, (n,), without decoding an image."""
    labels = getattr(source, "targets", None)
    if labels is None:
        labels = getattr(source, "_labels", None)  # of Flowers102 and the pets
    if labels is None:
        labels = [source[i][1] for i in range(len(source))]
    return np.asarray(labels, dtype=np.int64)


def _images_of(source: Any) -> Images:
    array = getattr(source, "data", None)
    if isinstance(array, np.ndarray):
        return ArrayImages(array)
    return DatasetImages(source, tuple(range(len(source))))


def dataset(name: str) -> Task:
    """The task of one of :data:`DATASETS`.

    Raises
    ------
    InputError
        If the data set is not here, with what to fetch, how large it is, and where to put it.
    """
    known, asset = DATASETS[name], assets.asset(name)
    parts = opened(name)
    names = getattr(parts[0], "classes", None) or [str(i) for i in range(known.classes)]
    classes = tuple(each if isinstance(each, str) else ", ".join(each) for each in names)
    files = sorted(
        path
        for path in asset.place.rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".lock"
    )
    fingerprint = f"{name}:{len(files)}:{stamp(files)}"
    counts, whole = tuple(len(part) for part in parts), known.images
    source = asset.source
    if counts != whole:
        source += (
            f" (here {counts[0]:,} train and {counts[1]:,} test images, of {whole[0]:,} "
            f"and {whole[1]:,})"
        )

    def load() -> tuple[Split, Split]:
        train, test = (Split(_images_of(part), _labels(part)) for part in parts)
        return train, test

    return Task(name, known.title, classes, fingerprint, source, asset.license, load)


def hugging_face(where: str) -> Task:
    """A task from a Hugging Face image data set on disk, as ``save_to_disk`` writes it.

    It needs one image and one class label column. Without a test part a fifth of each class is held
    out, by split seed 0.

    Raises
    ------
    InputError
        If the package ``datasets`` is not installed, there is no data set, or it has no such
        columns.
    """
    path = Path(where).expanduser().resolve()
    try:
        import datasets
    except ImportError as error:
        raise InputError(
            "Hugging Face data sets need the package 'datasets': pip install "
            "'diffused-redundancy[datasets]'"
        ) from error
    try:
        stored = datasets.load_from_disk(str(path))
    except (OSError, ValueError, IndexError, KeyError) as error:  # the last two: parts without rows
        raise InputError(
            f"{path} is no Hugging Face data set saved by save_to_disk: {error}"
        ) from error
    parts = stored if isinstance(stored, dict) else {"train": stored}
    if "train" not in parts:
        raise InputError(f"{path} has the parts {', '.join(parts)}: one must be called train")
    test_name = next((name for name in TEST_NAMES if name in parts), None)
    features = parts["train"].features
    image, label = (
        next((name for name, kind in features.items() if isinstance(kind, wanted)), None)
        for wanted in (datasets.Image, datasets.ClassLabel)
    )
    if image is None or label is None:
        raise InputError(
            f"{path} has the columns {', '.join(features)}: one image and one class label are "
            "needed"
        )
    ours, theirs = (
        getattr(parts[part].features.get(label), "names", None)
        for part in ("train", test_name or "train")
    )
    if ours != theirs:
        raise InputError(
            f"the parts of {path} name or order their classes differently: {ours} and {theirs}"
        )

    def part(name: str) -> tuple[Images, np.ndarray]:
        rows = parts[name]
        labels = np.asarray(rows[label], dtype=np.int64)
        if not len(labels) or labels.min() < 0:
            fault = "rows without a label (-1)" if len(labels) else "no rows"
            raise InputError(
                f"the part {name!r} of {path} has {fault}: images with a label are needed"
            )
        return DatasetImages(_Column(rows, image), tuple(range(len(rows)))), labels

    def load() -> tuple[Split, Split]:
        images, labels = part("train")
        if test_name is not None:
            return Split(images, labels), Split(*part(test_name))
        train, test = (
            Split(images.take(index.tolist()), labels[index])
            for index in stratified(labels, HELD_OUT)
        )
        return train, test

    fingerprint = stamp(sorted(file for file in path.rglob("*") if file.is_file()))
    return Task(
        f"hf:{path}",
        path.name,
        tuple(features[label].names),
        f"hf:{fingerprint}",
        str(path),
        "of its source",
        load,
    )


@dataclass(frozen=True)
class _Column:
    """The image column of a Hugging Face data set, as a sequence of ``(image,)``."""

    rows: Any
    name: str

    def __getitem__(self, i: int) -> tuple[Any]:
        image = self.rows[i][self.name]
        if image is None:
            raise InputError(f"row {i} has no image in its column {self.name!r}")
        return (image,)
