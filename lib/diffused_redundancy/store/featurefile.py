"""Arrays of an .npz or .safetensors file; large ones are read in slices of rows."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError

SUFFIXES = (".npz", ".safetensors")
WHOLE_BELOW = 512 * 2**20
"""Arrays below this many bytes are read whole."""


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
        version = np.lib.format.read_magic(self._stream)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        self._header = read(self._stream)
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


class SafetensorsRows:
    """One tensor of a .safetensors file, read in slices of rows."""

    def __init__(self, path: Path, name: str) -> None:
        from safetensors import safe_open

        self.path, self.name = path, name
        with safe_open(path, framework="pt") as stored:
            about = stored.get_slice(name)
            self.shape = tuple(about.get_shape())
            self.dtype = about[:0].dtype if self.shape else stored.get_tensor(name).dtype

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Size of the whole array in memory."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __getitem__(self, rows: slice) -> Any:
        from safetensors import safe_open

        # Opened anew for each slice: a mapping kept open would hold every page it has read.
        with safe_open(self.path, framework="pt") as stored:
            return stored.get_slice(self.name)[rows].clone()


def read_features(
    path: Path, names: tuple[str, ...], *, whole_below: int = WHOLE_BELOW
) -> dict[str, Any]:
    """Some arrays of a file, by name; those that are absent are left out.

    Parameters
    ----------
    path : path
        An ``.npz`` or ``.safetensors`` file. Python objects are never unpickled.
    names : tuple of str
        Which arrays.
    whole_below : int
        Arrays of as many bytes or more become objects that are read in slices of rows.

    Raises
    ------
    InputError
        If the file is missing, of another kind, truncated or otherwise unreadable.
    """
    from safetensors import SafetensorError

    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"no file {path}")
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"{path}: arrays are read from {' or '.join(SUFFIXES)} files, not "
            f"{path.suffix or 'a file without suffix'!r}"
        )
    try:
        return dict(_arrays(path, names, whole_below))
    except (zipfile.BadZipFile, SafetensorError, ValueError, OSError, EOFError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} cannot be read (truncated, or not a {path.suffix} file): {error}"
        ) from error


def _arrays(path: Path, names: tuple[str, ...], whole_below: int) -> Any:
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            present = {name.removesuffix(".npy") for name in archive.namelist()}
    else:
        from safetensors import safe_open

        with safe_open(path, framework="pt") as stored:
            present = set(stored.keys())
    for name in names:
        if name not in present:
            continue
        rows = NpzRows(path, name) if path.suffix == ".npz" else SafetensorsRows(path, name)
        if isinstance(rows, NpzRows) and rows.dtype.hasobject:
            raise InputError(f"{name} of {path} holds Python objects: it must hold numbers")
        if isinstance(rows, NpzRows) and (rows.fortran or not rows.shape):
            with np.load(path, allow_pickle=False) as whole:
                yield name, whole[name]
        else:
            yield name, (rows[0 : len(rows)] if rows.nbytes < whole_below else rows)
