"""Arrays of files of many kinds; large ones are read in slices of rows."""

from __future__ import annotations

import pickle
import re
import shlex
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from ..errors import InputError
from .places import LocalPlace, Place, place_of
from .rows import (
    Hdf5Rows,
    NpyRows,
    NpzRows,
    ParquetRows,
    SafetensorsRows,
    ShardRows,
    objects_refused,
    open_hdf5,
    parquet_file,
    safetensors_header,
)

ALONE = ""
"""The name of an array that has none."""

WHOLE_BELOW = 512 * 2**20
"""Arrays below this many bytes are read whole."""

_AT_ONCE = 16
"""Headers of shards that are read at once: behind a URL each takes a while."""

Openers = dict[str, Callable[[], Any]]
"""What makes the rows of each array, by name."""


def _npz(place: Place) -> Openers:
    path = place.path
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]

    def opened(name: str) -> Any:
        rows = NpzRows(path, name)
        if rows.dtype.hasobject:
            raise objects_refused(name, path)
        if rows.fortran or not rows.shape:
            _check_fits(f"{name} of {path}", rows.nbytes)
            with np.load(path, allow_pickle=False) as whole:
                return whole[name]
        return rows

    return {name: partial(opened, name) for name in names}


def _check_fits(called: str, size: int) -> None:
    """InputError if an array does not fit into memory: a small archive may hold a large one."""
    free = psutil.virtual_memory().available
    if size > free:
        raise InputError(f"{called} takes {size:,} bytes of memory, of which {free:,} are free")


def _safetensors(place: Place) -> Openers:
    header, start = safetensors_header(place)
    return {
        name: partial(SafetensorsRows, place, name, about, start) for name, about in header.items()
    }


def _npy(place: Place) -> Openers:
    return {ALONE: partial(NpyRows, place)}


def _folder(place: Place) -> Openers:
    """The arrays of a folder: by the names of its files, or each in shards; or those of the folders
    in it.
    """
    inside = [one for one in place.children if not one.name.startswith(".")]
    files = [one for one in inside if one.suffix in IN_RANGES and one.kind == "file"]
    suffixes = sorted({file.suffix for file in files})
    if len(suffixes) > 1:
        raise InputError(
            f"{place} holds {' and '.join(suffixes)} files: put each kind in a folder of its own"
        )
    if not files:
        return _folders(place, [one for one in inside if one.kind == "folder"])
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        if suffixes == [".npy"]:
            return _npy_files(place, files, list(pool.map(NpyRows, files)))
        # of Parquet files the first shows what is in all, and later ones are opened when needed
        found = list(pool.map(IN_RANGES[suffixes[0]], files))
    names = dict.fromkeys(name for arrays in found for name in arrays)
    return {
        name: partial(
            _in_shards,
            name,
            place,
            [file for file, arrays in zip(files, found, strict=True) if name in arrays],
            [arrays[name] for arrays in found if name in arrays],
        )
        for name in names
    }


def _folders(place: Place, folders: Sequence[Place]) -> Openers:
    """The arrays of folders of shards: NAME where a folder holds one array, else NAME/ARRAY."""
    if not folders:
        raise InputError(
            f"{place} holds no {', '.join(IN_RANGES)} file: a folder holds shards of arrays, or "
            "arrays"
        )
    found: Openers = {}
    for folder in folders:
        arrays = _folder(folder)
        for name, opened in arrays.items():
            found[folder.name if len(arrays) == 1 else f"{folder.name}/{name}"] = opened
    return found


def _npy_files(place: Place, files: Sequence[Place], shards: Sequence[NpyRows]) -> Openers:
    if len({(shard.dtype, shard.shape[1:], len(shard.shape)) for shard in shards}) > 1 or any(
        file.stem.lower() in ("x_train", "x_test") for file in files
    ):
        return {file.stem: partial(NpyRows, file) for file in files}
    _check_order(place, files)
    return {ALONE: lambda: ShardRows(shards)}


def _in_shards(
    name: str, place: Place, files: Sequence[Place], openers: Sequence[Callable[..., Any]]
) -> Any:
    """One array of the files that hold a part of it."""
    if len(files) == 1:
        return openers[0]()
    _check_order(place, files)
    first = openers[0]()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        like = {"like": first} if isinstance(first, ParquetRows) else {}
        shards = [first, *pool.map(lambda opened: opened(**like), openers[1:])]
    for file, shard in zip(files, shards, strict=True):
        if (shard.shape[1:], shard.dtype) != (first.shape[1:], first.dtype):
            raise InputError(
                f"{name} has shape {shard.shape} and type {shard.dtype} in {file}, "
                f"{first.shape} and {first.dtype} in {files[0]}: shards differ in their rows only"
            )
    return ShardRows(shards)


def _check_order(place: Place, files: Sequence[Place]) -> None:
    """InputError unless shards have one order, and are all of one part of the data."""
    for one, other in pairwise(files):
        if _by_number(one) > _by_number(other):
            raise InputError(
                f"the order of the shards in {place} is not clear: by name {one.name} comes before "
                f"{other.name}, by number after it; write numbers with leading zeros"
            )
    parts = {file.name: re.findall("train|test|val", file.stem.lower()) for file in files}
    for before, after in pairwise(parts):
        if parts[before] != parts[after]:
            raise InputError(
                f"{place} holds shards of the train and of the test part under one name, such as "
                f"{before} and {after}: put them in folders train and test"
            )


def _by_number(place: Place) -> list[str | int]:
    """A key that sorts by the numbers in a name."""
    parts = re.split(r"(\d+)", place.stem)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def _torch(place: Place) -> Openers:
    import torch

    path = place.path

    try:
        with warnings.catch_warnings():  # sparse tensors are refused by who uses them
            warnings.filterwarnings("ignore", "Validating sparse tensor")
            held: Any = torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is not a torch file of tensors alone: to read it, code would have to run, so "
            "it is refused. Where you trust the file, read it with torch.load(..., "
            "weights_only=False) and save torch.save({'features': X, 'labels': y}, PATH), with "
            "tensors"
        ) from error
    if isinstance(held, torch.Tensor):
        return {ALONE: lambda: held.detach()}
    if isinstance(held, (list, tuple)):
        held = dict(enumerate(held))
    if not isinstance(held, Mapping):
        raise InputError(f"{path} holds {type(held).__name__}: it must hold tensors")
    found: Openers = {}
    for name, values in held.items():
        if isinstance(values, torch.Tensor) and values.ndim:
            found[str(name)] = values.detach
        elif isinstance(values, (list, tuple)) and values and not np.ndim(values[0]):
            found[str(name)] = partial(np.asarray, values)
    return found


def _parquet(place: Place) -> Openers:
    names = parquet_file(place).schema_arrow.names
    return {name: partial(ParquetRows, place, name) for name in names}


def _hdf5_sets(place: Place) -> Openers:
    import h5py

    path = place.path
    names: list[str] = []

    def visit(name: str | bytes, node: Any) -> None:
        if isinstance(node, h5py.Dataset):  # bytes: a name that is not in UTF-8
            names.append(name if isinstance(name, str) else name.decode(errors="replace"))

    with open_hdf5(path) as stored:
        stored.visititems(visit)
    return {name: partial(Hdf5Rows, path, name) for name in names}


IN_RANGES: dict[str, Callable[[Place], Openers]] = {
    ".npy": _npy,
    ".safetensors": _safetensors,
    ".parquet": _parquet,
}
"""Of files that are read from any row on, by suffix: in shards too, and behind a URL."""

READERS: dict[str, Callable[[Place], Openers]] = {
    ".npz": _npz,
    **IN_RANGES,
    ".pt": _torch,
    ".pth": _torch,
    ".h5": _hdf5_sets,
    ".hdf5": _hdf5_sets,
}
"""Of files of arrays, by suffix; whatever its case."""

EXTRAS = {"pyarrow": "parquet", "h5py": "hdf5"}
"""Packages that only some files need, and the extra that installs them."""

LFS = b"version https://git-lfs"
PICKLES = (".pkl", ".pickle", ".joblib")


@contextmanager
def _explained(path: Place) -> Iterator[None]:
    """What goes wrong with a file as an InputError."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        raise InputError(
            f"{path}: {path.suffix} files need the package {error.name!r}: pip install "
            f"'diffused-redundancy[{EXTRAS[error.name]}]'"
        ) from error
    except InputError:
        raise
    except Exception as error:  # readers of damaged files raise all sorts of errors
        raise InputError(
            f"{path} cannot be read (truncated, or not a {path.suffix} file): {error}"
        ) from error


def _openers(place: Place) -> Openers:
    if place.kind == "folder":
        return _folder(place)
    if place.kind != "file":
        raise InputError(f"no file {place}")
    suffix = place.suffix
    if suffix in PICKLES:
        remedy = (
            f"import numpy, pickle; numpy.savez({f'{place.stem}.npz'!r}, "
            f"**pickle.load(open({place.name!r}, 'rb')))"
        )
        raise InputError(
            f"{place} is a pickle, which runs code when it is read: refused. Where you trust it: "
            f"python -c {shlex.quote(remedy)} makes a file of a dictionary of arrays"
        )
    if suffix not in READERS:
        raise InputError(
            f"{place}: arrays are read from {', '.join(READERS)} files, not "
            f"{suffix or 'a file without suffix'!r}"
        )
    if suffix not in IN_RANGES and not isinstance(place, LocalPlace):
        raise InputError(
            f"{place}: through a URL {', '.join(IN_RANGES)} files are read, not {suffix}; copy it "
            "to this machine first"
        )
    if not place.size:
        raise InputError(f"{place} is empty")
    if place.read(0, min(len(LFS), place.size)).tobytes() == LFS:
        raise InputError(f"{place} is a pointer of Git LFS, not the file: run git lfs pull")
    return READERS[suffix](place)


@dataclass(frozen=True)
class Stored:
    """What is known of an array before it is read."""

    shape: tuple[int, ...] = ()
    kind: str = "unreadable"

    def __str__(self) -> str:
        return f"{self.shape} {self.kind}"

    @property
    def floating(self) -> bool:
        """Whether it may hold features."""
        return self.kind.startswith(("float", "bfloat", "void16")) and len(self.shape) > 1

    def labels(self, n: int) -> bool:
        """Whether it may hold the labels of n images."""
        return (
            self.kind.startswith(("int", "uint", "str", "object", "bool"))
            and self.shape[:1] == (n,)
            and self.shape[1:] in ((), (1,))
        )


def contents(path: Place | Path | str) -> dict[str, Stored]:
    """The arrays of a file or folder by name; one that has no name has the name :data:`ALONE`.

    Raises
    ------
    InputError
        As for :func:`read_features`.
    """
    place = place_of(path)
    found = {}
    with _explained(place):
        for name, opened in _openers(place).items():
            try:
                rows = opened()
                kind = getattr(rows.dtype, "name", None) or str(rows.dtype).removeprefix("torch.")
                found[name] = Stored(tuple(rows.shape), re.sub(r"^str\d+$", "str", kind))
            except Exception:  # as above; whoever wants this one is told why
                found[name] = Stored()
    return found


def read_features(
    path: Place | Path | str, names: tuple[str, ...], *, whole_below: int = WHOLE_BELOW
) -> dict[str, Any]:
    """Some arrays of a file, by name; those that are absent are left out.

    Parameters
    ----------
    path : path or URL
        A file of one of :data:`READERS`, or a folder of files of one of :data:`IN_RANGES`: arrays
        by name, or arrays in shards, in the order of the files' names. Python objects are never
        unpickled.
    names : tuple of str
        Which arrays. One that has no name (``.npy``, a tensor) is the first of them.
    whole_below : int
        Arrays of as many bytes or more become objects that are read in slices of rows.

    Raises
    ------
    InputError
        If the file is missing, of another kind, truncated or otherwise unreadable, or needs a
        package that is not installed.
    """
    place = place_of(path)
    arrays = {}
    with _explained(place):
        found = _openers(place)
        if ALONE in found:
            found = {names[0]: found[ALONE]}
        for name in names:
            if name in found:
                rows = found[name]()
                ready = isinstance(rows, np.ndarray) or hasattr(rows, "detach")  # in memory
                keep = ready or rows.nbytes >= whole_below or not rows.shape
                if not keep:
                    _check_fits(f"{name} of {place}", rows.nbytes)
                arrays[name] = rows if keep else rows[0 : len(rows)]
    return arrays
