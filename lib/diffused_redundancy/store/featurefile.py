"""Arrays of files of many kinds; large ones are read in slices of rows."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError

ALONE = ""
"""The name of an array that has none."""

WHOLE_BELOW = 512 * 2**20
"""Arrays below this many bytes are read whole."""


class _StoredRows:
    """An array in a file, of known shape and type, that is read in slices of rows."""

    shape: tuple[int, ...]
    dtype: np.dtype

    def __len__(self) -> int:
        return int(self.shape[0])

    @property
    def nbytes(self) -> int:
        """Size of the whole array in memory."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class NpzRows:
    """One array of an .npz file, read in slices of rows without mapping or loading the whole."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self._archive = zipfile.ZipFile(path)
        self._stream: Any = None
        self._open()
        self.shape, self.fortran, self.dtype = self._header
        self._row_bytes = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    def _open(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = self._archive.open(f"{self.name}.npy")
        self._header = _header(self._stream)
        self._next = 0

    def __len__(self) -> int:
        return int(self.shape[0])

    @property
    def nbytes(self) -> int:
        """Size of the whole array in memory."""
        return len(self) * self._row_bytes if self.shape else 0

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        if start < self._next:
            self._open()
        self._skip((start - self._next) * self._row_bytes)
        raw = self._stream.read((stop - start) * self._row_bytes)
        if len(raw) != (stop - start) * self._row_bytes:
            raise InputError(
                f"{self.path} is truncated: {self.name} ends before row {stop} of {len(self)}"
            )
        self._next = stop
        return np.frombuffer(raw, self.dtype).reshape(stop - start, *self.shape[1:])

    def _skip(self, count: int) -> None:
        while count > 0:
            count -= len(self._stream.read(min(count, 2**24))) or count


class SafetensorsRows(_StoredRows):
    """One tensor of a .safetensors file, read in slices of rows."""

    def __init__(self, path: Path, name: str) -> None:
        from safetensors import safe_open

        self.path, self.name = path, name
        with safe_open(path, framework="pt") as stored:
            about = stored.get_slice(name)
            self.shape = tuple(about.get_shape())
            self.dtype = about[:0].dtype if self.shape else stored.get_tensor(name).dtype

    def __getitem__(self, rows: slice) -> Any:
        from safetensors import safe_open

        # Opened anew for each slice: a mapping kept open would hold every page it has read.
        with safe_open(self.path, framework="pt") as stored:
            return stored.get_slice(self.name)[rows].clone()


class NpyRows(_StoredRows):
    """The array of an .npy file, read in slices of rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with open(path, "rb") as stream:
            self.shape, _, self.dtype = _header(stream)
        if self.dtype.hasobject:
            raise _objects("the array", path)

    def __getitem__(self, rows: slice) -> np.ndarray:
        # Mapped anew for each slice: a mapping kept open would hold every page it has read.
        return np.array(np.load(self.path, mmap_mode="r", allow_pickle=False)[rows])


class ShardRows:
    """Arrays of the same width one after the other, read in slices of rows."""

    def __init__(self, shards: Sequence[NpyRows]) -> None:
        self.shards = shards
        self.starts = np.cumsum([0, *map(len, shards)])
        self.shape = (int(self.starts[-1]), *shards[0].shape[1:])
        self.dtype = shards[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Size of the whole array in memory."""
        return sum(shard.nbytes for shard in self.shards)

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        parts = [
            shard[max(start - first, 0) : stop - first]
            for first, shard in zip(self.starts, self.shards, strict=False)
            if first < stop and start < first + len(shard)
        ]
        return np.concatenate(parts) if parts else self.shards[0][0:0]


class ParquetRows(_StoredRows):
    """One column of a Parquet file, read in slices of rows, a group of rows at a time."""

    def __init__(self, path: Path, name: str) -> None:
        from pyarrow import parquet

        self.path, self.name = path, name
        self._file = parquet.ParquetFile(path)
        about = self._file.metadata
        groups = [about.row_group(i).num_rows for i in range(about.num_row_groups)]
        self._starts = np.cumsum([0, *groups])
        self._held: tuple[int, np.ndarray] = (-1, np.empty(0))
        first = next(self._file.iter_batches(1, columns=[name]), None)
        sample = np.empty(0) if first is None else self._values(first.column(0), 0)
        self.shape, self.dtype = (int(about.num_rows), *sample.shape[1:]), sample.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        parts = [np.empty((0, *self.shape[1:]), self.dtype)] if stop <= start else []
        for i, first in enumerate(self._starts[:-1]):
            if first < stop and start < self._starts[i + 1]:
                parts.append(self._group(i)[max(start - first, 0) : stop - first])
        return np.concatenate(parts)

    def _group(self, i: int) -> np.ndarray:
        if self._held[0] != i:
            column = self._file.read_row_group(i, columns=[self.name]).column(0)
            values = self._values(column.combine_chunks(), int(self._starts[i]))
            if values.shape[1:] != self.shape[1:]:
                raise self._uneven(int(self._starts[i]))
            self._held = (i, values)
        return self._held[1]

    def _values(self, column: Any, row: int) -> np.ndarray:
        """A column of plain values or of lists, the first of which is number ``row``."""
        import pyarrow

        while isinstance(column, (pyarrow.ExtensionArray, pyarrow.DictionaryArray)):
            extended = isinstance(column, pyarrow.ExtensionArray)
            column = column.storage if extended else column.dictionary_decode()
        if isinstance(column, pyarrow.ChunkedArray):
            column = pyarrow.concat_arrays(column.chunks)
        if not hasattr(column, "value_lengths") and not hasattr(column.type, "list_size"):
            return column.to_numpy(zero_copy_only=False)
        if column.null_count:
            empty = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
            raise InputError(f"column {self.name!r} of {self.path} is null at row {row + empty}")
        if hasattr(column.type, "list_size"):
            size = column.type.list_size
        else:
            sizes = np.unique(column.value_lengths().to_numpy(zero_copy_only=False))
            if len(sizes) > 1:
                raise self._uneven(row)
            size = int(sizes[0]) if len(sizes) else 0
        inner = self._values(column.flatten(), row)
        return inner.reshape(len(column), size, *inner.shape[1:])

    def _uneven(self, row: int) -> InputError:
        return InputError(
            f"column {self.name!r} of {self.path} holds lists that differ in length (from row "
            f"{row} on): every image needs as many numbers"
        )


class Hdf5Rows(_StoredRows):
    """One data set of an HDF5 file, read in slices of rows."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        with _hdf5(path) as stored:
            about = stored[name]
            self.shape, self.dtype = tuple(about.shape), about.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        with _hdf5(self.path) as stored:
            return stored[self.name][rows]


def _hdf5(path: Path) -> Any:
    import h5py

    return h5py.File(path, "r")


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran's order, and type, of an array in NumPy's format."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)


def _objects(name: str, path: Path) -> InputError:
    return InputError(
        f"{name} of {path} holds Python objects, which would have to run code to be read: refused. "
        "Where you trust the file, read it with np.load(..., allow_pickle=True) and save words as "
        "array.astype(str), numbers as np.stack(array).astype('float32')"
    )


Openers = dict[str, Callable[[], Any]]
"""What makes the rows of each array, by name."""


def _npz(path: Path) -> Openers:
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]

    def opened(name: str) -> Any:
        rows = NpzRows(path, name)
        if rows.dtype.hasobject:
            raise _objects(name, path)
        if rows.fortran or not rows.shape:
            with np.load(path, allow_pickle=False) as whole:
                return whole[name]
        return rows

    return {name: partial(opened, name) for name in names}


def _safetensors(path: Path) -> Openers:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as stored:
        return {name: partial(SafetensorsRows, path, name) for name in stored.keys()}  # noqa: SIM118


def _npy(path: Path) -> Openers:
    return {ALONE: partial(NpyRows, path)}


def _folder(path: Path) -> Openers:
    """The arrays of a folder by the names of their files, or one array in shards."""
    files = [file for file in path.iterdir() if file.suffix.lower() == ".npy"]
    files = sorted(file for file in files if not file.name.startswith("."))
    if not files:
        raise InputError(f"{path} holds no .npy file: a folder holds shards of an array, or arrays")
    shards = [NpyRows(file) for file in files]
    if len({(shard.dtype, shard.shape[1:], len(shard.shape)) for shard in shards}) > 1 or any(
        file.stem.lower() in ("x_train", "x_test") for file in files
    ):
        return {file.stem: partial(NpyRows, file) for file in files}
    for one, other in pairwise(files):
        if _by_number(one) > _by_number(other):
            raise InputError(
                f"the order of the shards in {path} is not clear: by name {one.name} comes before "
                f"{other.name}, by number after it; write numbers with leading zeros"
            )
    return {ALONE: lambda: ShardRows(shards)}


def _by_number(path: Path) -> list[str | int]:
    """A key that sorts by the numbers in a name."""
    parts = re.split(r"(\d+)", path.stem)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def _torch(path: Path) -> Openers:
    import torch

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


def _parquet(path: Path) -> Openers:
    from pyarrow import parquet

    names = parquet.read_schema(path).names
    return {name: partial(ParquetRows, path, name) for name in names}


def _hdf5_sets(path: Path) -> Openers:
    import h5py

    names: list[str] = []
    with _hdf5(path) as stored:
        stored.visititems(
            lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None
        )
    return {name: partial(Hdf5Rows, path, name) for name in names}


READERS: dict[str, Callable[[Path], Openers]] = {
    ".npz": _npz,
    ".npy": _npy,
    ".safetensors": _safetensors,
    ".pt": _torch,
    ".pth": _torch,
    ".parquet": _parquet,
    ".h5": _hdf5_sets,
    ".hdf5": _hdf5_sets,
}
"""Of files of arrays, by suffix; whatever its case."""

EXTRAS = {"pyarrow": "parquet", "h5py": "hdf5"}
"""Packages that only some files need, and the extra that installs them."""

LFS = b"version https://git-lfs"
PICKLES = (".pkl", ".pickle", ".joblib")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What goes wrong with a file as an InputError."""
    from safetensors import SafetensorError

    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        raise InputError(
            f"{path}: {path.suffix} files need the package {error.name!r}: pip install "
            f"'diffused-redundancy[{EXTRAS[error.name]}]'"
        ) from error
    except (
        zipfile.BadZipFile,
        SafetensorError,
        RuntimeError,
        ValueError,
        OSError,
        EOFError,
        LookupError,
    ) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} cannot be read (truncated, or not a {path.suffix} file): {error}"
        ) from error


def _openers(path: Path) -> Openers:
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise InputError(f"no file {path}")
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise InputError(
            f"{path} is a pickle, which runs code when it is read: refused. Where you trust it: "
            f"python -c \"import numpy, pickle; numpy.savez('{path.stem}.npz', "
            f"**pickle.load(open('{path.name}', 'rb')))\" makes a file of a dictionary of arrays"
        )
    if suffix not in READERS:
        raise InputError(
            f"{path}: arrays are read from {', '.join(READERS)} files, not "
            f"{path.suffix or 'a file without suffix'!r}"
        )
    with open(path, "rb") as stream:
        start = stream.read(len(LFS))
    if not start:
        raise InputError(f"{path} is empty")
    if start == LFS:
        raise InputError(f"{path} is a pointer of Git LFS, not the file: run git lfs pull")
    return READERS[suffix](path)


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


def contents(path: Path) -> dict[str, Stored]:
    """The arrays of a file or folder by name; one that has no name has the name :data:`ALONE`.

    Raises
    ------
    InputError
        As for :func:`read_features`.
    """
    path = Path(path).expanduser()
    found = {}
    with _explained(path):
        for name, opened in _openers(path).items():
            try:
                rows = opened()
                kind = getattr(rows.dtype, "name", None) or str(rows.dtype).removeprefix("torch.")
                found[name] = Stored(tuple(rows.shape), re.sub(r"^str\d+$", "str", kind))
            except (ValueError, LookupError, OSError):
                found[name] = Stored()
    return found


def read_features(
    path: Path, names: tuple[str, ...], *, whole_below: int = WHOLE_BELOW
) -> dict[str, Any]:
    """Some arrays of a file, by name; those that are absent are left out.

    Parameters
    ----------
    path : path
        A file of one of :data:`READERS`, or a folder of ``.npy`` files: arrays by name, or shards
        of one array in the order of their names. Python objects are never unpickled.
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
    path = Path(path).expanduser()
    arrays = {}
    with _explained(path):
        found = _openers(path)
        if ALONE in found:
            found = {names[0]: found[ALONE]}
        for name in names:
            if name in found:
                rows = found[name]()
                ready = isinstance(rows, np.ndarray) or hasattr(rows, "detach")  # in memory
                keep = ready or rows.nbytes >= whole_below or not rows.shape
                arrays[name] = rows if keep else rows[0 : len(rows)]
    return arrays
