"""Arrays in files, of known shape and type, that are read in slices of rows."""

from __future__ import annotations

import io
import json
import math
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import InputError
from .places import Place, RangeFile

_FIRST = 4096
"""Bytes of a file that are read for its header, which most often is in them."""


class _StoredRows:
    """An array in a file, of known shape and type, that is read in slices of rows."""

    shape: tuple[int, ...]
    dtype: Any

    def __len__(self) -> int:
        return int(self.shape[0])

    @property
    def _row_bytes(self) -> int:
        itemsize: int = self.dtype.itemsize
        return int(np.prod(self.shape[1:], dtype=np.int64)) * itemsize

    @property
    def nbytes(self) -> int:
        """Size of the whole array in memory."""
        return len(self) * self._row_bytes if self.shape else self.dtype.itemsize


class NpzRows(_StoredRows):
    """One array of an .npz file, read in slices of rows without mapping or loading the whole."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self._archive = zipfile.ZipFile(path)
        self._stream: Any = None
        self._open()
        self.shape, self.fortran, self.dtype = self._header

        held = self._archive.getinfo(f"{name}.npy").file_size - self._start
        if not self.dtype.hasobject and self.nbytes > held:
            raise InputError(
                f"{path} is truncated: {name} {self.shape} takes {self.nbytes:,} bytes, {held:,} "
                "are there"
            )

    def _open(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = self._archive.open(f"{self.name}.npy")
        self._header = npy_header(self._stream)
        self._start = self._stream.tell()
        self._next = 0

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        if start < self._next:
            self._open()
        with _damage_explained(self.path):
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


class NpyRows(_StoredRows):
    """The array of an .npy file, read in slices of rows."""

    dtype: np.dtype

    def __init__(self, place: Place) -> None:
        self.place = place
        with RangeFile(place) as stream:
            first = io.BytesIO(stream.read(_FIRST))
            try:
                self.shape, self._fortran, self.dtype = npy_header(first)
            except ValueError:  # the header is longer
                stream.seek(0)
                first = io.BytesIO(stream.read(16 * _FIRST))
                self.shape, self._fortran, self.dtype = npy_header(first)
        self._start = first.tell()
        if self.dtype.hasobject:
            raise objects_refused("the array", place)
        if self._start + self.nbytes > place.size:
            raise InputError(f"{place} cannot be read (truncated): {self.shape} needs more bytes")

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        stop = max(start, stop)
        if not self._fortran or len(self.shape) < 2:
            raw = self._bytes(start * self._row_bytes, stop * self._row_bytes)
            return raw.view(self.dtype).reshape(stop - start, *self.shape[1:])
        item = self.dtype.itemsize  # column by column
        columns = [
            self._bytes((column + start) * item, (column + stop) * item)
            for column in range(0, int(np.prod(self.shape)), len(self))
        ]
        turned = np.concatenate(columns).view(self.dtype)
        return turned.reshape(*self.shape[:0:-1], stop - start).T

    def _bytes(self, start: int, stop: int) -> np.ndarray:
        return self.place.read(self._start + start, self._start + stop)


class SafetensorsRows(_StoredRows):
    """One tensor of a .safetensors file, read in slices of rows."""

    def __init__(self, place: Place, name: str, about: Mapping[str, Any], start: int) -> None:
        import torch

        self.place, self.name = place, name
        try:
            self.dtype = getattr(torch, _TORCH_TYPES[about["dtype"]])
            self.shape = checked_shape(about["shape"], self.dtype.itemsize)
            first, last = checked_shape(about["data_offsets"], 1)
        except (TypeError, ValueError, LookupError) as error:
            raise InputError(f"{place} cannot be read: {name} is not described: {error}") from error
        self._start = start + first
        if last - first != self.nbytes or start + last > place.size:
            raise InputError(f"{place} cannot be read (truncated): {name} needs more bytes")

    def __getitem__(self, rows: slice) -> Any:
        import torch

        start, stop, _ = rows.indices(len(self))
        ends = (self._start + row * self._row_bytes for row in (start, max(start, stop)))
        raw = torch.from_numpy(self.place.read(*ends))
        return raw.view(self.dtype).view(max(start, stop) - start, *self.shape[1:])


_TORCH_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}
"""torch's names of the types of the format."""


def safetensors_header(place: Place) -> tuple[dict[str, Any], int]:
    """What a .safetensors file says of its tensors by name, and where their bytes begin.

    Raises
    ------
    InputError
        If the file is not whole.
    """
    first = place.read(0, min(_FIRST, place.size))
    length = int(first[:8].view("<u8")[0]) if len(first) > 8 else place.size
    if 8 + length > place.size:
        raise InputError(f"{place} cannot be read (truncated, or not a .safetensors file)")
    text = first[8 : 8 + length] if 8 + length <= len(first) else place.read(8, 8 + length)
    try:
        header = json.loads(text.tobytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place} cannot be read: its header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise InputError(f"{place} cannot be read: its header names no tensors")
    header.pop("__metadata__", None)
    return header, 8 + length


class ShardRows:
    """Arrays of the same width one after the other, read in slices of rows."""

    def __init__(self, shards: Sequence[Any]) -> None:
        self.shards = shards
        self.starts = np.cumsum([0, *map(len, shards)])
        self.shape: tuple[int, ...] = (int(self.starts[-1]), *shards[0].shape[1:])
        self.dtype = shards[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Size of the whole array in memory."""
        return sum(shard.nbytes for shard in self.shards)

    def __getitem__(self, rows: slice) -> Any:
        import torch

        start, stop, _ = rows.indices(len(self))
        parts = [
            shard[max(start - first, 0) : stop - first]
            for first, shard in zip(self.starts.tolist(), self.shards, strict=False)
            if first < stop and start < first + len(shard)
        ] or [self.shards[0][0:0]]
        if len(parts) == 1:
            return parts[0]
        return torch.cat(parts) if isinstance(parts[0], torch.Tensor) else np.concatenate(parts)


class ParquetRows(_StoredRows):
    """One column of a Parquet file, read in slices of rows, a group of rows at a time."""

    def __init__(self, place: Place, name: str, like: ParquetRows | None = None) -> None:
        self.place, self.name = place, name
        self._file = parquet_file(place)
        about = self._file.metadata
        groups = [about.row_group(i).num_rows for i in range(about.num_row_groups)]
        self._starts = np.cumsum([0, *groups])
        self._held: tuple[int, np.ndarray] = (-1, np.empty(0))
        if like is None:
            known = _KNOWN[place]
            sample = known[name] if name in known else known.setdefault(name, self._sample())
            width, self.dtype = sample.shape[1:], sample.dtype
        else:  # of the same kind, which is seen when it is read
            width, self.dtype = like.shape[1:], like.dtype
        self.shape = (int(about.num_rows), *width)

    def _sample(self) -> np.ndarray:
        """The first row; a buffer makes pyarrow read the first pages, not the whole group."""
        buffered = parquet_file(self.place, buffer_size=1 << 16, pre_buffer=False)
        groups = range(min(1, buffered.num_row_groups))
        first = next(buffered.iter_batches(1, row_groups=groups, columns=[self.name]), None)
        return np.empty(0) if first is None else self._values(first.column(0), 0)

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
            values: np.ndarray = column.to_numpy(zero_copy_only=False)
            return values
        if column.null_count:
            empty = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
            raise InputError(f"column {self.name!r} of {self.place} is null at row {row + empty}")
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
            f"column {self.name!r} of {self.place} holds lists that differ in length (from row "
            f"{row} on): every image needs as many numbers"
        )


_KNOWN: WeakKeyDictionary[Place, dict[str, Any]] = WeakKeyDictionary()
"""Of Parquet files: the footer, 64 KiB or more, and the first row of columns."""


def parquet_file(place: Place, **how: Any) -> Any:
    """A Parquet file, whose footer is read once."""
    from pyarrow import parquet

    known = _KNOWN.setdefault(place, {})
    opened = parquet.ParquetFile(RangeFile(place), metadata=known.get(""), **how)
    known[""] = opened.metadata
    return opened


class Hdf5Rows(_StoredRows):
    """One data set of an HDF5 file, read in slices of rows."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        with open_hdf5(path) as stored:
            about = stored[name]
            self.shape, self.dtype = tuple(about.shape), about.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        with open_hdf5(self.path) as stored:
            values: np.ndarray = stored[self.name][rows]
            return values


def open_hdf5(path: Path) -> Any:
    """An HDF5 file, to read."""
    import h5py

    return h5py.File(path, "r")


_PARSING = threading.Lock()
"""NumPy parses headers as Python, which Python 3.11 cannot do in two threads at once: now and then
it raises SystemError, "AST constructor recursion depth mismatch".
"""


def npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether in Fortran's order, and type, of an array in NumPy's format; ValueError if it
    is none.
    """
    version = np.lib.format.read_magic(stream)
    try:
        with _PARSING:
            if version == (1, 0):
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            else:
                shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    except (TokenError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f"its header cannot be read: {error}") from error
    return checked_shape(shape, dtype.itemsize), fortran, dtype


def checked_shape(given: Any, itemsize: int) -> tuple[int, ...]:
    """A shape that a header names; ValueError if no array can have it."""
    shape = tuple(given) if isinstance(given, (list, tuple)) else (given,)
    whole = all(isinstance(size, int) and not isinstance(size, bool) for size in shape)
    if not whole or min(shape, default=0) < 0 or math.prod(shape) * itemsize > _MOST:
        raise ValueError(f"no array has the shape {shape}")
    if shape and max(shape) > _MOST:  # beside a 0
        raise ValueError(f"no array has the shape {shape}")
    return shape


_MOST = 2**62
"""Bytes that no file has."""


@contextmanager
def _damage_explained(path: Path) -> Iterator[None]:
    """Damage that is found when rows are read as an InputError."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise InputError(f"{path} cannot be read (truncated, or damaged): {error}") from error


def objects_refused(name: str, path: Path | Place) -> InputError:
    """The error for arrays of Python objects."""
    return InputError(
        f"{name} of {path} holds Python objects, which would have to run code to be read: refused. "
        "Where you trust the file, read it with np.load(..., allow_pickle=True) and save words as "
        "array.astype(str), numbers as np.stack(array).astype('float32')"
    )
