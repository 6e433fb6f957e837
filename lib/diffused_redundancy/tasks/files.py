"""Tasks from a user's own files: a folder of images by class, or arrays in an .npz file."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..devices import cores
from ..errors import InputError
from ..progress import progress
from ..store import Cache, code_digest, sha256_of, versions
from ..store.featurefile import read_features
from . import parts, tree
from .splits import ArrayImages, Split, Task

SEARCH_SECONDS = 60
"""How long to look for more images that cannot be read, once there is one."""


@dataclass(frozen=True)
class FileImages:
    """Images in files, decoded when asked for.

    Attributes
    ----------
    paths : tuple of Path
    beside : tuple of Path
        All images of the task: if one cannot be read, the error names all such.
    """

    paths: tuple[Path, ...]
    beside: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def batch(self, start: int, stop: int) -> list[np.ndarray]:
        """Images start to stop.

        Raises
        ------
        InputError
            If one cannot be read: with all that cannot, of which it looks for
            :data:`SEARCH_SECONDS`.
        """
        try:
            return [_decoded(path) for path in self.paths[start:stop]]
        except InputError as error:
            raise _all_unreadable(error, self.beside or self.paths) from error

    def take(self, chosen: Sequence[int]) -> FileImages:
        """Some of the images."""
        return FileImages(tuple(self.paths[i] for i in chosen), self.beside)


def _decoded(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return as_rgb(image, str(path))
    except (InputError, MemoryError):
        raise
    except Exception as error:  # Pillow's readers of damaged files raise all sorts of errors
        raise InputError(f"{path} cannot be read as an image: {_why(path, error)}") from error


def _why(path: Path, error: Exception) -> str:
    """Why a file is no image, in words."""
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(32)
        if not start:
            return "it is empty"
        if start.startswith(b"version https://git-lfs"):
            return "it is a pointer of Git LFS (git lfs pull fetches the image)"
    return str(error) or type(error).__name__


def _is_readable(path: Path) -> bool:
    try:
        _decoded(path)
    except InputError:
        return False
    return True


def _all_unreadable(first: InputError, paths: Sequence[Path]) -> InputError:
    """The error for an image that cannot be read, with all others that cannot."""
    until = time.monotonic() + SEARCH_SECONDS

    def looked(path: Path) -> bool | None:
        return None if time.monotonic() > until else _is_readable(path)

    with ThreadPoolExecutor(cores()) as pool:
        results = list(pool.map(looked, paths))
    bad = [path for path, readable in zip(paths, results, strict=True) if readable is False]
    way = "the task folder-lenient:PATH leaves such images out"
    if len(bad) < 2:
        return InputError(f"{first}; {way}")
    seen = sum(result is not None for result in results)
    return InputError(
        f"{first}; {len(bad):,} of {seen:,} images cannot be read: {tree.listed(bad)}; {way}"
    )


def as_rgb(image: Any, name: str) -> np.ndarray:
    """A PIL image as uint8 (height, width, 3).

    As by torchvision's loader, transparency is dropped and EXIF orientation is ignored. Grey of 16
    bits is scaled to 8; Pillow would clip it.
    """
    from PIL import Image

    most = Image.MAX_IMAGE_PIXELS
    if most is not None and image.width * image.height > most:  # Pillow only warns up to twice that
        raise InputError(
            f"{name} has {image.width:,} x {image.height:,} pixels: at most {most:,} are read"
        )
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


def stamp(paths: Iterable[Path]) -> str:
    """A digest of names, sizes and times of change: fast for a million files."""

    def line(path: Path) -> str:
        about = path.stat()
        return f"{path}|{about.st_size}|{about.st_mtime_ns}\n"

    return sha256_of(*map(line, paths))[:32]


def _class_names(folder: Path) -> tuple[str, ...]:
    return tuple(path.name for path in tree.sub_folders(folder))


def _parts(root: Path, readable: frozenset[str]) -> tuple[Path, Path | None, str]:
    """The folders of the train and of the test part (None: there is none), and what to say of them.

    A folder is a part by its name, and by holding folders, not images.
    """
    names = _class_names(root)
    train, test = parts.part_names(names)
    layers = {name: tree.layers_in(root / name, readable) for name in (*train, *test)}
    if train and test:
        chosen = next((name for name in test if tree.sub_folders(root / name)), None)
        left = [name for name in names if name not in (train[0], chosen)]
        folder = root / chosen if chosen else None
        return root / train[0], folder, parts.parts_note(train[0], chosen, left)
    if train and layers[train[0]]:
        inside = {layers.get(name) or tree.layers_in(root / name, readable) for name in names}
        if len(names) == 1 or len(inside) > 1 or len(layers[train[0]]) > 1:
            left = [name for name in names if name != train[0]]
            return root / train[0], None, parts.parts_note(train[0], None, left)
    if test and len(layers[test[0]]) > 1:
        raise InputError(
            f"{root / test[0]} holds folders of images, as a test part does, but no folder of "
            f"{root} is called train: there are {tree.listed(names)}"
        )
    return root, None, parts.HELD_OUT_NOTE


def _check_no_parts(folder: Path, classes: Sequence[str], readable: frozenset[str]) -> None:
    """InputError if what should be classes are parts by another name: they hold no images, but all
    the same folders.
    """
    inside = set()
    for name in classes:
        inside.add(tree.layers_in(folder / name, readable))
        if len(inside) > 1 or len(min(inside)) < 2:
            return
    train, test = parts.part_names(min(inside))
    remedy = (
        f"parts come first, as in {train[0]}/{classes[0]}"
        if train and test
        else "if they are parts, call them train and test (or val, ...); if they are classes, put "
        "the images of each directly into it"
    )
    raise InputError(
        f"the folders {tree.listed(classes)} of {folder} hold no images but the same folders, "
        f"{tree.listed(min(inside))}: {remedy}"
    )


Labelled = tuple[list[Path], np.ndarray]
"""Image files and their labels."""

ALLOWED = "what Pillow reads, such as .png, .jpg, .tif or .webp"


def _by_class(folder: Path, classes: Sequence[str], readable: frozenset[str]) -> list[tree.Found]:
    return [tree.files_in(folder / name, readable) for name in classes]


def _labelled(by_class: Sequence[list[Path]]) -> Labelled:
    labels = np.repeat(np.arange(len(by_class)), [len(paths) for paths in by_class])
    return [path for paths in by_class for path in paths], labels


def _left_out(inside: tree.Found, folders: Sequence[Path], readable: frozenset[str]) -> str:
    """What is left out of class folders, and what lies beside them, in words."""
    beside = tree.Found.of(tree.files_in(folder, readable, deep=False) for folder in folders)
    loose = Counter(path.suffix.lower() for path in beside.images + beside.broken)
    return tree.Found(others=inside.others + beside.others + loose).left_out


def _check_classes(
    folder: Path, classes: Sequence[str], labels: np.ndarray, readable: frozenset[str]
) -> None:
    """InputError if a class has no image to train on."""
    empty = np.setdiff1d(np.arange(len(classes)), labels)
    if len(empty):
        place = folder / classes[empty[0]]
        left_out = tree.files_in(place, readable).left_out
        raise InputError(
            f"{place} holds no image: allowed is {ALLOWED}{left_out and f' ({left_out})'}"
        )


def image_folder(where: str, *, lenient: bool = False) -> Task:
    """A task from ``train/CLASS/*`` and ``test/CLASS/*`` of a folder, or from ``CLASS/*``.

    Parts may have other usual names (val, Testing, seg_train, ...). Without a test part a fifth of
    each class is held out, by split seed 0. The task's source says which parts were used, and how
    many files of which suffix were left out.

    Parameters
    ----------
    where : str
    lenient : bool
        Whether to leave out images that cannot be read. All are decoded to find them, once.

    Raises
    ------
    InputError
        If there is no such folder, it has fewer than two classes, the parts have different ones, or
        files are links to nothing.
    """
    root = tree.located(where)
    if not root.is_dir():
        raise InputError(
            f"no folder {root}: an image folder holds train/CLASS/*.png and test/CLASS/*.png, "
            "or CLASS/*.png"
        )
    readable = tree.suffixes()
    train_folder, test_folder, note = _parts(root, readable)
    classes = _class_names(train_folder)
    if len(classes) < 2:
        raise InputError(
            f"{train_folder} has {len(classes)} folders of images: a task needs one for each "
            "of at least two classes"
        )
    _check_no_parts(train_folder, classes, readable)
    others = classes if test_folder is None else _class_names(test_folder)
    alike = set(others) == set(classes)
    folders = [train_folder, test_folder] if test_folder is not None and alike else [train_folder]
    found = [_by_class(folder, classes, readable) for folder in folders]
    everything = tree.Found.of(each for part in found for each in part)
    tree.check_links(everything.broken)
    listing = [_labelled([each.images for each in part]) for part in found]
    _check_classes(train_folder, classes, listing[0][1], readable)
    if not alike:
        raise InputError(
            f"{test_folder} and {train_folder} have different classes: "
            f"{sorted(set(others) ^ set(classes))}"
        )
    notes = [note, _left_out(everything, folders, readable)]
    if lenient:
        listing, left_out = _without_unreadable(root, listing)
        notes.append(left_out)
        _check_classes(train_folder, classes, listing[0][1], readable)
    if not listing[-1][0]:
        raise InputError(f"{test_folder} holds no image: allowed is {ALLOWED}")
    if test_folder is None:
        paths, labels = listing[0]
        listing = [
            ([paths[i] for i in index], labels[index])
            for index in parts.hold_out(labels, classes, root)
        ]
    files = tuple(path for paths, _ in listing for path in paths)

    def load() -> tuple[Split, Split]:
        train, test = (Split(FileImages(tuple(paths), files), labels) for paths, labels in listing)
        return train, test

    return Task(
        f"folder{'-lenient' if lenient else ''}:{root}",
        root.name.replace("_", " "),
        classes,
        f"folder:{stamp(files)}",
        parts.with_notes(str(root), *notes),
        "the user's",
        load,
    )


def _readable(paths: list[Path]) -> np.ndarray:
    """Which images can be read, (n,) bool, from the cache if their files have not changed."""

    def looked() -> dict[str, np.ndarray]:
        with ThreadPoolExecutor(cores()) as pool:
            results = progress(
                pool.map(_is_readable, paths), total=len(paths), title="images that can be read"
            )
            return {"readable": np.array(list(results), dtype=bool)}

    key = {
        "kind": "readable",
        "code": code_digest("tasks"),
        "versions": versions("pillow"),
        "images": stamp(paths),
    }
    return Cache().get_or_compute(key, looked)["readable"]


def _without_unreadable(root: Path, listing: Sequence[Labelled]) -> tuple[list[Labelled], str]:
    """Images that can be read, and what to say of the others."""
    every = [path for paths, _ in listing for path in paths]
    good = _readable(every)
    bad = [path.relative_to(root) for path, kept in zip(every, good, strict=True) if not kept]
    kept, start = [], 0
    for paths, labels in listing:
        index = np.flatnonzero(good[start : start + len(paths)])
        kept.append(([paths[i] for i in index], labels[index]))
        start += len(paths)
    count = f"{len(bad):,} of {len(every):,} images cannot be read and are left out"
    return kept, f"{count}: {tree.listed(bad)}" if bad else ""


def npz_images(where: str) -> Task:
    """A task from an .npz file with ``X_train``, ``y_train`` and optionally ``X_test``, ``y_test``,
    ``classes``.

    Images are uint8, (n, height, width, 3) or, in grey, (n, height, width); the two parts may
    differ in size. Labels are whole numbers from 0 or words; the classes are those that occur in
    ``y_train``. Without a test part a fifth of each class is held out, by split seed 0.

    Raises
    ------
    InputError
        If the file cannot be read, lacks an array, holds arrays of other types or shapes, or test
        images of a class without train images.
    """
    path = tree.located(where)
    names = ("X_train", "y_train", "X_test", "y_test", "classes")
    stored = read_features(path, names, whole_below=sys.maxsize)
    for name in names[:2]:
        if name not in stored:
            raise InputError(
                f"{path} has no array {name!r}: it needs X_train and y_train, and may have "
                "X_test, y_test, classes"
            )
    if ("X_test" in stored) != ("y_test" in stored):
        raise InputError(f"{path} has only one of X_test and y_test")

    def images_of(name: str) -> np.ndarray:
        array = np.asarray(stored[name])
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

    X_train = images_of("X_train")
    y_train, *notes = parts.read_labels(stored["y_train"], len(X_train), f"y_train of {path}")
    X_test = y_test = None
    if "X_test" in stored:
        X_test = images_of("X_test")
        y_test, more = parts.read_labels(stored["y_test"], len(X_test), f"y_test of {path}")
        notes.append(more)
        if not len(X_test):
            raise InputError(f"X_test of {path} holds no image")
    called = (f"y_train of {path}", f"y_test of {path}")
    named = np.asarray(stored.get("classes", ())).ravel().tolist()
    y_train, y_test, classes = parts.numbered(y_train, y_test, called, named)
    if X_test is None or y_test is None:
        train, test = parts.hold_out(y_train, classes, path)
        notes.append(parts.HELD_OUT_NOTE)
        X_train, X_test = X_train[train], X_train[test]
        y_train, y_test = y_train[train], y_train[test]
    split = (Split(ArrayImages(X_train), y_train), Split(ArrayImages(X_test), y_test))
    shapes = f"{X_train.shape} {X_test.shape}"
    data = (array.tobytes() for array in (X_train, y_train, X_test, y_test))
    return Task(
        f"npz:{path}",
        path.stem,
        classes,
        f"npz:{sha256_of(shapes, *data)[:32]}",
        parts.with_notes(str(path), *notes),
        "the user's",
        lambda: split,
    )
