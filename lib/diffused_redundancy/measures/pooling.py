"""Maps and tokens reduced to one row per image."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..errors import InputError, unknown
from .validation import as_tensor, check_kind, is_lazy

POOLS = ("mean", "max", "cls")
"""Over positions; or the first token, a transformer's class token."""


class PooledRows:
    """Maps or tokens that are read, and pooled, in slices of rows."""

    shape: tuple[int, ...]

    def __init__(self, features: Any, pool: str, axes: tuple[int, ...], name: str) -> None:
        self.features, self.pool, self.axes, self.name = features, pool, axes, name
        empty = self[0:0]
        self.shape, self.dtype = (int(features.shape[0]), *empty.shape[1:]), empty.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Tensor:
        part = as_tensor(self.features[rows], self.name)
        if self.pool == "cls":
            return part[:, 0]
        if self.pool == "max":
            return part.amax(self.axes)
        kind = torch.promote_types(part.dtype, torch.float32)  # sums of half precision are rough
        return part.mean(self.axes, dtype=kind)


def pooled(features: Any, pool: str | None, name: str = "X") -> tuple[Any, str]:
    """Features (n, d) from maps or tokens, read in slices if they are, and a sentence on what was
    done; two-dimensional ones as they are, without any.

    Parameters
    ----------
    features : array (n, c, h, w), (n, h, w, c) or (n, tokens, d)
        Which axis of a map holds the channels is seen from the two that are alike; else it is the
        first.
    pool : str or None
        One of :data:`POOLS`.
    name : str
        What to call the features in an error.

    Raises
    ------
    InputError
        If features are not two-dimensional and ``pool`` is None, or the other way round.
    """
    if pool is not None and pool not in POOLS:
        raise unknown("pool", pool, POOLS)
    shape = tuple(features.shape)
    if pool is None and len(shape) not in (3, 4):
        return features, ""
    if pool is None:
        raise InputError(
            f"{name} has shape {shape}: features must be two-dimensional (images, neurons); pool "
            "'mean' or 'max' reduces maps (n, c, h, w) and tokens (n, tokens, d) over positions, "
            "'cls' takes the first token"
        )
    if len(shape) not in (3, 4) or 0 in shape:
        raise InputError(
            f"{name} has shape {shape}: pool {pool!r} is for maps (n, c, h, w) and tokens "
            "(n, tokens, d); leave it out"
        )
    if pool == "cls" and len(shape) == 4:
        raise InputError(
            f"{name} has shape {shape}: pool 'cls' is for tokens (n, tokens, d); reduce maps "
            "with 'mean' or 'max'"
        )
    check_kind(features, name)
    last = len(shape) == 4 and shape[1] == shape[2] != shape[3]
    axes = (1,) if len(shape) == 3 else (1, 2) if last else (2, 3)
    rows = PooledRows(features, pool, axes, name)
    if pool == "cls":
        what = f"the first of {shape[1]} tokens was taken"
    else:
        what = f"the {pool} over {'axis 1' if len(axes) == 1 else 'axes {} and {}'.format(*axes)}"
        what += " was taken"
    note = f"{name} has shape {shape}: {what}, {rows.shape[1]} neurons."
    return (rows if is_lazy(features) else rows[0 : len(rows)]), note
