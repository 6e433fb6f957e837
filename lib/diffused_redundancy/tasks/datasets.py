"""The paper's downstream data sets, through torchvision with its official splits and checksums.

Archives live in the folder of assets, as ``datasets/NAME``; torchvision unpacks them there. There
is no validation part: the probes' penalties are chosen by cross-validation on the train split.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from ..errors import InputError
from ..store import assets
from . import parts as user_parts
from .files import as_rgb, image_folder, stamp
from .splits import ArrayImages, Images, Split, Task
from .tree import listed, located


@dataclass(frozen=True)
class DatasetImages:
    """Images of a torchvision (or any indexable) data set, decoded on demand.

    Attributes
    ----------
    source : sequence
        Its items are ``(image, ...)``, the image a PIL image.
    index : tuple of int
        Which of its items these are.
    name : str
        What errors call the data set.
    """

    source: Any
    index: tuple[int, ...]
    name: str

    def __len__(self) -> int:
        return len(self.index)

    def batch(self, start: int, stop: int) -> list[np.ndarray]:
        """Images start to stop; InputError if one cannot be read."""
        return [self._image(i) for i in self.index[start:stop]]

    def _image(self, i: int) -> np.ndarray:
        name = f"image {i} of {self.name}"
        try:
            return as_rgb(self.source[i][0], name)
        except (InputError, MemoryError):
            raise
        except Exception as error:  # readers of damaged images raise all sorts of errors
            why = str(error) or type(error).__name__
            raise InputError(f"{name} cannot be read: {why}") from error

    def take(self, chosen: Sequence[int]) -> DatasetImages:
        """Some of the images."""
        return DatasetImages(self.source, tuple(self.index[i] for i in chosen), self.name)


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
            f"{len(test)} others to test on: it is incomplete"
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


def _images_of(source: Any, name: str) -> Images:
    array = getattr(source, "data", None)
    if isinstance(array, np.ndarray):
        return ArrayImages(array)
    return DatasetImages(source, tuple(range(len(source))), name)


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
        train, test = (Split(_images_of(part, name), _labels(part)) for part in parts)
        return train, test

    return Task(name, known.title, classes, fingerprint, source, asset.license, load)


def in_folder(name: str, where: str) -> Task:
    """The task of images of one of :data:`DATASETS` in a folder, as :func:`.image_folder` reads it.

    Raises
    ------
    InputError
        If the folder cannot be used, or has not as many classes as the data set.
    """
    known, asset, given = DATASETS[name], assets.asset(name), image_folder(where)
    if len(given.classes) != known.classes:
        raise InputError(
            f"{where} has {len(given.classes):,} classes, and {known.title} has {known.classes:,}: "
            f"write folder:{where} for images of your own"
        )
    whole = tuple(len(part) for part in given.load()) == known.images
    return replace(
        given,
        name=f"{name}:{given.name.partition(':')[2]}",
        title=known.title if whole else f"{known.title} (part)",
        source=f"{asset.source}, in {given.source}",
        license=asset.license,
    )


def hugging_face(where: str) -> Task:
    """A task from a Hugging Face image data set on disk, as ``save_to_disk`` writes it.

    It needs a column of images and one of class labels, of which the first is taken. The classes
    are those that occur in the train part. Without a test part a fifth of each class is held out,
    by split seed 0. The task's source says which parts and columns were used.

    Raises
    ------
    InputError
        If the package ``datasets`` is not installed, there is no data set, it has no such columns
        (with the call that makes them), or rows have no label.
    """
    path = located(where)
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
            f"{path} is not a Hugging Face data set saved by save_to_disk: {error}"
        ) from error
    rows = stored if isinstance(stored, dict) else {"train": stored}
    train_names, test_names = user_parts.part_names(rows)
    if not train_names:
        raise InputError(f"{path} has the parts {listed(rows)}: one must be called train")
    used = [train_names[0], *test_names[:1]]
    features = rows[used[0]].features
    images = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    targets = [name for name, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    if not images or not targets:
        raise _lacking(path, features, images)
    image, target = images[0], targets[0]
    for part in used[1:]:
        ours, theirs = (getattr(rows[p].features.get(target), "names", None) for p in used)
        if ours != theirs:
            raise InputError(
                f"the parts of {path} name or order their classes differently: {ours} and {theirs}"
            )
        if not isinstance(rows[part].features.get(image), datasets.Image):
            raise InputError(f"the part {part!r} of {path} has no images in its column {image!r}")
    given = [_column(rows[part][target], f"the part {part!r} of {path}") for part in used]
    y_train, y_test, classes = user_parts.numbered(
        given[0],
        given[1] if len(used) > 1 else None,
        (f"{target!r} of the part {used[0]!r} of {path}", f"that of the part {used[-1]!r}"),
        features[target].names,
    )
    cut = user_parts.hold_out(y_train, classes, path) if y_test is None else ()
    left = [name for name in rows if name not in used]

    def split(part: str, labels: np.ndarray) -> Split:
        index = tuple(range(len(labels)))
        source = _Column(rows[part], image)
        return Split(DatasetImages(source, index, f"the part {part!r} of {path}"), labels)

    def load() -> tuple[Split, Split]:
        train = split(used[0], y_train)
        if y_test is not None:
            return train, split(used[1], y_test)
        kept, held_out = (Split(train.images.take(index.tolist()), y_train[index]) for index in cut)
        return kept, held_out

    fingerprint = stamp(sorted(file for file in path.rglob("*") if file.is_file()))
    return Task(
        f"hf:{path}",
        path.name,
        classes,
        f"hf:{fingerprint}",
        user_parts.with_notes(
            str(path),
            user_parts.parts_note(used[0], used[1] if len(used) > 1 else None, left),
            *(
                f"{kind} are those of the column {names[0]}, not of {', '.join(names[1:])}"
                for kind, names in (("images", images), ("labels", targets))
                if len(names) > 1
            ),
        ),
        "of its source",
        load,
    )


def _column(values: Any, where: str) -> np.ndarray:
    """A column of class labels, (n,)."""
    labels = [-1 if label is None else label for label in values[:]]
    missing = [i for i, label in enumerate(labels) if label < 0]
    if missing:
        more = f" ({len(missing):,} rows without a label)" if len(missing) > 1 else ""
        raise InputError(f"row {missing[0]} of {where} has no label{more}: leave such rows out")
    if not labels:
        raise InputError(f"{where} has no rows: images with a label are needed")
    return np.asarray(labels, dtype=np.int64)


def _lacking(path: Path, features: Any, images: list[str]) -> InputError:
    """The error for a data set without a column of images or of class labels, with the call that
    makes one.
    """
    kinds = {
        name: kind.dtype if type(kind).__name__ == "Value" else type(kind).__name__
        for name, kind in features.items()
    }
    if images:
        of = ("int", "uint", "string", "large_string", "bool")
        usable = [name for name, kind in kinds.items() if kind.rstrip("0123456789") in of]
        lacks, call = "class labels", "class_encode_column({!r})"
        usual = ("label", "labels", "class", "target")
    else:
        usable = [name for name, kind in kinds.items() if kind in ("binary", "dict", "string")]
        lacks, call = "images", "cast_column({!r}, datasets.Image())"
        usual = ("image", "img", "images", "pixels")
    usable.sort(key=lambda name: usual.index(name.lower()) if name.lower() in usual else len(usual))
    held = listed(
        f"{name} ({kind or type(features[name]).__name__})" for name, kind in kinds.items()
    )
    way = f": make one, such as by ds = ds.{call.format(usable[0])}, and save it" if usable else ""
    return InputError(f"{path} has no column of {lacks}, it has {held}{way}")


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
