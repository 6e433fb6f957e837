"""What features and labels may look like, checked before any work."""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError

FLOATS = ("float16", "bfloat16", "float32", "float64")

_KNOWN_TO_TORCH = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1"}


class Rows(Protocol):
    """Features that are read in slices of rows, such as a file larger than memory.

    A slice gives an array or a tensor (rows, d).
    """

    shape: tuple[int, ...]
    dtype: Any

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice) -> Any: ...


def is_lazy(features: Any) -> bool:
    """Whether features are read in slices instead of held in memory."""
    return not isinstance(features, (Tensor, np.ndarray)) and all(
        hasattr(features, name) for name in ("shape", "dtype", "__getitem__")
    )


def check_features(features: Any, name: str = "X") -> Any:
    """Features as a tensor (n, d) that shares memory with what was given, or as they are if they
    are lazy.

    Raises
    ------
    InputError
        If they are not two-dimensional, are empty, or do not hold floating-point numbers.
    """
    checked = (
        features
        if is_lazy(features) or isinstance(features, Tensor)
        else _from_numpy(features, name)
    )
    # by name NumPy's types are the same in either order of bytes, which slices are turned from
    kind = str(getattr(checked.dtype, "name", checked.dtype)).removeprefix("torch.")
    if kind not in FLOATS:
        raise InputError(
            f"{name} holds {kind}: features must be {', '.join(FLOATS)}; convert them, for "
            "example to float32"
        )
    shape = tuple(checked.shape)
    if len(shape) != 2:
        raise InputError(
            f"{name} has shape {shape}: features must be two-dimensional (images, neurons)"
        )
    if 0 in shape:
        raise InputError(
            f"{name} has shape {shape}: there must be at least one image and one neuron"
        )
    return checked


def rows_of(features: Any, rows: slice, name: str = "X") -> Tensor:
    """Some rows of checked features as a tensor."""
    part = features[rows]
    return part if isinstance(part, Tensor) else _from_numpy(part, name)


def as_features(features: Any, name: str = "X") -> Tensor:
    """Features as a floating-point tensor (n, d), read whole if they are lazy; errors as for
    :func:`check_features`.
    """
    checked = check_features(features, name)
    return (
        checked if isinstance(checked, Tensor) else rows_of(checked, slice(0, len(checked)), name)
    )


def _from_numpy(values: Any, name: str) -> Tensor:
    array = np.asarray(values)
    if array.dtype.str[1:] not in _KNOWN_TO_TORCH:
        raise InputError(f"{name} holds {array.dtype}: features must be {', '.join(FLOATS)}")
    if any(stride < 0 for stride in array.strides) or not array.dtype.isnative:
        # torch takes neither
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    with warnings.catch_warnings():  # features are only read, so a read-only array will do
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def as_labels(labels: Any, n: int, name: str = "y", classes: int | None = None) -> Tensor:
    """Labels as an int64 tensor (n,) on the CPU.

    Parameters
    ----------
    labels : array of integers (n,)
        Class indices, from 0.
    n : int
        How many images there are.
    name : str
        What to call the labels in an error.
    classes : int, optional
        How many classes there are; every label must be below.

    Raises
    ------
    InputError
        If the labels are not whole numbers, of another length, negative, or not below ``classes``.
    """
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.ndim != 1 or len(array) != n:
        raise InputError(
            f"{name} has shape {tuple(array.shape)}: there must be one label for each of the "
            f"{n} images"
        )
    if array.dtype.kind not in "iub":
        raise InputError(f"{name} holds {array.dtype}: labels must be whole numbers from 0")
    if array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise InputError(f"{name} holds {int(array.max())}: labels must fit in int64")
    array = array.astype(np.int64)
    if n and array.min() < 0:
        raise InputError(f"{name} holds {array.min()}: labels must be whole numbers from 0")
    if classes is not None and n and array.max() >= classes:
        raise InputError(
            f"{name} holds {array.max()}: with {classes} classes labels are 0 to {classes - 1}"
        )
    return torch.from_numpy(array)


def count_classes(labels: Tensor) -> int:
    """The largest label plus one; labels far beyond the number of images raise InputError."""
    count = int(labels.max()) + 1
    if count > 10 * len(labels) + 1000:
        raise InputError(
            f"the labels of {len(labels)} images go up to {count - 1}: number the classes from "
            "0 without gaps"
        )
    return count


def check_finite(block: Tensor, name: str, offset: int = 0) -> None:
    """Raise InputError naming the first NaN or infinite entry of some rows, the first of which is
    number ``offset``.
    """
    # Finite sums of columns show that there is none. Over 256 rows in float32 they take a small
    # part of the time of float64 sums over all.
    whole = len(block) // 256 * 256
    kind = torch.promote_types(block.dtype, torch.float32)
    parts = (
        block[:whole].unflatten(0, (-1, 256)).sum(1, dtype=kind),
        block[whole:].sum(0, dtype=kind),
    )
    if all(bool(torch.isfinite(part).all()) for part in parts):
        return
    bad = (~torch.isfinite(block)).nonzero()
    if not len(bad):  # the sums were too large for their type
        return
    row, column = (int(v) for v in bad[0])
    value = float(block[row, column])
    raise InputError(
        f"{name}[{row + offset}, {column}] is {value}: features must be finite ({len(bad)} "
        "such values in these rows)"
    )
