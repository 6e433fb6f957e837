"""Tasks from a user's own files: a folder of images by class, or arrays in an .npz file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..store import sha256_of
from ..store.featurefile import read_features
from .splits import HELD_OUT, Split, Task, split_at, stratified

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".tif", ".tiff", ".webp")
TEST_NAMES = ("test", "val", "valid", "validation")


@dataclass(frozen=True)
class FileImages:
    """Images in files, decoded when asked for."""

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def batch(self, start: int, stop: int) -> list[np.ndarray]:
        """Images start to stop."""
        return [_decoded(path) for path in self.paths[start:stop]]

    def take(self, chosen: Sequence[int]) -> FileImages:
        """Some of the images."""
        return FileImages(tuple(self.paths[i] for i in chosen))


def _decoded(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return as_rgb(image, str(path))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} cannot be read as an image: {error}") from error


def as_rgb(image: Any, name: str) -> np.ndarray:
    """A PIL image as uint8 (height, width, 3).

    As by torchvision's loader, transparency is dropped and EXIF orientation is ignored. Grey of 16
    bits is scaled to 8; Pillow would clip it.
    """
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65_535:
            raise InputError(
                f"{name} holds values from {values.min()} to {values.max()}: save it with 8 or "
                "16 bits for each pixel and colour"
            )
        return np.repeat((values >> 8).astype(np.uint8)[..., None], 3, 2)
    if image.mode == "F":
        raise InputError(
            f"{name} holds floating-point numbers: save it with 8 or 16 bits for each pixel "
            "and colour"
        )
    return np.asarray(image.convert("RGB"))


def _image_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def _class_folders(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def _labelled_files(folder: Path, classes: tuple[str, ...]) -> tuple[list[Path], np.ndarray]:
    """Image files and their labels."""
    files = [_image_files(folder / name) for name in classes]
    labels = np.repeat(np.arange(len(classes)), [len(of_class) for of_class in files])
    return [path for of_class in files for path in of_class], labels


def stamp(paths: Iterable[Path]) -> str:
    """A digest of names, sizes and times of change: fast for a million files."""

    def line(path: Path) -> str:
        about = path.stat()
        return f"{path}|{about.st_size}|{about.st_mtime_ns}\n"

    return sha256_of(*map(line, paths))[:32]


def image_folder(where: str) -> Task:
    """A task from ``train/CLASS/*`` and ``test/CLASS/*`` (or val) of a folder, or from ``CLASS/*``.

    Without a test part a fifth of each class is held out, by split seed 0.

    Raises
    ------
    InputError
        If there is no such folder, it has fewer than two classes, or the parts have different ones.
    """
    root = Path(where).expanduser().resolve()
    if not root.is_dir():
        raise InputError(
            f"no folder {root}: an image folder holds train/CLASS/*.png and test/CLASS/*.png, "
            "or CLASS/*.png"
        )
    parts_by_name = {path.name.lower(): path for path in _class_folders(root)}
    test_folder = next((parts_by_name[name] for name in TEST_NAMES if name in parts_by_name), None)
    split = "train" in parts_by_name and test_folder is not None
    train_folder = parts_by_name["train"] if split else root
    classes = tuple(path.name for path in _class_folders(train_folder))
    if len(classes) < 2:
        raise InputError(
            f"{train_folder} has {len(classes)} folders of images: a task needs one for each "
            "of at least two classes"
        )
    paths, labels = _labelled_files(train_folder, classes)
    empty = [name for label, name in enumerate(classes) if label not in labels]
    if empty:
        raise InputError(
            f"{train_folder / empty[0]} holds no image: allowed are {', '.join(SUFFIXES)}"
        )
    if split and test_folder is not None:
        others = {path.name for path in _class_folders(test_folder)}
        if others != set(classes):
            raise InputError(
                f"{test_folder} and {train_folder} have different classes: "
                f"{sorted(others ^ set(classes))}"
            )
        test_paths, test_labels = _labelled_files(test_folder, classes)
        if not test_paths:
            raise InputError(f"{test_folder} holds no image: allowed are {', '.join(SUFFIXES)}")
        parts = [(paths, labels), (test_paths, test_labels)]
    else:
        if min(np.bincount(labels)) < 2:
            raise InputError(f"{root}: each class needs at least two images to hold one out")
        parts = [
            ([paths[i] for i in index], labels[index]) for index in stratified(labels, HELD_OUT)
        ]

    def load() -> tuple[Split, Split]:
        train, test = (Split(FileImages(tuple(files)), target) for files, target in parts)
        return train, test

    mark = stamp([path for files, _ in parts for path in files])
    return Task(
        f"folder:{root}", root.name, classes, f"folder:{mark}", str(root), "the user's", load
    )


def npz_images(where: str) -> Task:
    """A task from an .npz file with ``X_train``, ``y_train`` and optionally ``X_test``, ``y_test``,
    ``classes``.

    Images are uint8, (n, height, width, 3) or, in grey, (n, height, width). Without a test part a
    fifth of each class is held out, by split seed 0.

    Raises
    ------
    InputError
        If the file cannot be read, lacks an array, or holds arrays of other types or shapes.
    """
    path = Path(where).expanduser().resolve()
    names = ("X_train", "y_train", "X_test", "y_test", "classes")
    arrays = read_features(path, names, whole_below=sys.maxsize)
    stored = {name: np.asarray(array) for name, array in arrays.items()}
    for name in names[:2]:
        if name not in stored:
            raise InputError(
                f"{path} has no array {name!r}: it needs X_train and y_train, and may have "
                "X_test, y_test, classes"
            )
    if ("X_test" in stored) != ("y_test" in stored):
        raise InputError(f"{path} has only one of X_test and y_test")

    def part(name: str) -> np.ndarray:
        array = stored[name]
        if (
            array.dtype != np.uint8
            or array.ndim not in (3, 4)
            or (array.ndim == 4 and array.shape[3] != 3)
        ):
            raise InputError(
                f"{name} of {path} is {array.dtype} {array.shape}: images are uint8 (n, "
                "height, width, 3) or (n, height, width)"
            )
        return array if array.ndim == 4 else np.repeat(array[..., None], 3, axis=3)

    def labels(name: str, n: int) -> np.ndarray:
        array = stored[name]
        if (
            array.ndim != 1
            or len(array) != n
            or array.dtype.kind not in "iu"
            or (n and array.min() < 0)
        ):
            raise InputError(
                f"{name} of {path} is {array.dtype} {array.shape}: there must be one whole "
                f"number from 0 for each of the {n} images"
            )
        return array.astype(np.int64)

    images = part("X_train")
    target = labels("y_train", len(images))
    if "X_test" in stored:
        test_images = part("X_test")
        test_target = labels("y_test", len(test_images))
        cut = len(images)
        images = np.concatenate([images, test_images])
        target = np.concatenate([target, test_target])
        parts = (np.arange(cut), np.arange(cut, len(images)))
    else:
        if len(target) < 2 or min(np.bincount(target)[np.unique(target)]) < 2:
            raise InputError(f"{path}: each class needs at least two images to hold one out")
        parts = stratified(target, HELD_OUT)
    if len(np.unique(target[parts[0]])) < 2:
        raise InputError(f"y_train of {path} holds one class: a task needs at least two")
    count = int(target.max()) + 1
    if count > 10 * len(target) + 1000:
        raise InputError(
            f"the labels of {path} go up to {count - 1} for {len(target)} images: number the "
            "classes from 0 without gaps"
        )
    classes = tuple(str(name) for name in stored.get("classes", np.arange(count)))
    if len(classes) < count:
        raise InputError(
            f"classes of {path} names {len(classes)} classes: the labels go up to {count - 1}"
        )
    return Task(
        f"npz:{path}",
        path.stem,
        classes,
        f"npz:{sha256_of(images.tobytes(), target.tobytes())[:32]}",
        str(path),
        "the user's",
        lambda: split_at(images, target, parts),
    )
