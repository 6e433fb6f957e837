"""Arrays in a safetensors file, written and read without a second copy in memory.

The safetensors package serialises a file as one string of bytes first. The format is simple (a
length, a JSON header, the bytes), so it is written here array by array; the package reads it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import safe_open

TYPES = {
    "F64": "<f8",
    "I64": "<i8",
    "U64": "<u8",
    "F32": "<f4",
    "I32": "<i4",
    "F16": "<f2",
    "I8": "|i1",
    "U8": "|u1",
    "BOOL": "|b1",
}
"""Types in the format, by size: arrays are stored in this order, so that they are aligned."""

MAPPED = 1 << 30
"""Bytes beyond which a file's arrays are mapped into memory instead of read."""


def write(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Write arrays, in C order, with metadata.

    Raises
    ------
    TypeError
        If the type of an array is none of :data:`TYPES`.
    """
    kinds = {np.dtype(kind): name for name, kind in TYPES.items()}
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    at = 0
    for name in order:
        array = arrays[name]
        if array.dtype not in kinds:
            raise TypeError(
                f"{name} is of type {array.dtype}: stored are {', '.join(map(str, kinds))}"
            )
        header[name] = {
            "dtype": kinds[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        at += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            if arrays[name].size:
                stream.write(np.ascontiguousarray(arrays[name]).data.cast("B"))


def read(path: Path, *, mapped: int = MAPPED) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and metadata of a file; if it has more than ``mapped`` bytes, as copy-on-write maps.

    Raises
    ------
    SafetensorError
        If the file is not whole.
    """
    with safe_open(path, framework="numpy") as stored:  # checks the header against the file's size
        metadata = stored.metadata() or {}
        if path.stat().st_size <= mapped:
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            return arrays, metadata
    with open(path, "rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    maps = {}
    for name, about in header.items():
        dtype, shape = TYPES[about["dtype"]], tuple(about["shape"])
        start = 8 + length + about["data_offsets"][0]
        maps[name] = (
            np.memmap(path, dtype, "c", start, shape) if np.prod(shape) else np.zeros(shape, dtype)
        )
    return maps, metadata
