"""Sums over rows of wide layers on a CPU: columns centred, and multiplied with one another, by
threads that each have parts of their own.

The product of a matrix with itself is symmetric, and half of its operations do. torch has no such
product; NumPy sees that both sides are one matrix and calls BLAS's ``syrk``, once for each square
of the result along its diagonal. Threads here are Python's, each with a BLAS of one thread: those
of BLAS, once called, wait for more in a busy loop, which slows what torch does next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import TypeVar

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

Item = TypeVar("Item")
Result = TypeVar("Result")

LEAST_COLUMNS = 1024
"""Of fewer columns this gains nothing on torch's own operations. Measured, medians of seven: 0.98
times as fast at 512 columns, 1.09 at 1,024, 1.17 at 2,048, 1.21 at 4,096. From 1,024 on torch's
digits also depend on the number of threads; these do not.
"""

_TILE = 416
"""Columns of a tile at most: as much of the result as stays in a core's cache while some rows at a
time are added to it. Measured: 256 and 512 are slower.
"""

_SUMMED = 16
"""Rows summed in the type of the features; sums of these are float64."""

_CACHED = 128
"""Rows that are centred and summed at once, so that they come from memory once."""

_ROWS = 8 * _CACHED
"""Rows that a thread centres before it takes others."""

_MULTIPLIED = 1000
"""Rows that BLAS multiplies at once: it loses digits where it sums more, measured. Products of
several such parts of a block are summed in float32, which costs nearly none.
"""

_lock = Lock()
"""BLAS's number of threads is one for the whole process: two limits at a time could leave the wrong
one behind.
"""


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def _each(call: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The results for all items, in their order, by as many threads as torch has."""
    threads = torch.get_num_threads()
    if threads == 1:
        return [call(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, items))


def centre(given: Tensor, about: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
    """Put rows less ``about`` into ``out``; the sums of its columns and of their squares.

    Parameters
    ----------
    given, out : Tensor (n, d), of one type, on the CPU
    about : Tensor (d,), of that type

    Returns
    -------
    total, squared : Tensor (d,), float64
        Not finite where the features are not, or where squares leave their type.
    """
    source, middle, centred = given.numpy(), about.numpy(), out.numpy()

    def part(first: int) -> tuple[np.ndarray, np.ndarray]:
        total, squared = np.zeros(len(middle)), np.zeros(len(middle))
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(first, min(first + _ROWS, len(source)), _CACHED):
                rows = np.subtract(
                    source[start : start + _CACHED], middle, out=centred[start : start + _CACHED]
                )
                whole = len(rows) // _SUMMED * _SUMMED
                for some in (rows[:whole].reshape(-1, _SUMMED, len(middle)), rows[None, whole:]):
                    total += some.sum(1).sum(0, dtype=np.float64)
                    squared += np.einsum("aij,aij->aj", some, some).sum(0, dtype=np.float64)
        return total, squared

    parts = _each(part, range(0, len(source), _ROWS))
    total, squared = (np.sum(some, 0) for some in zip(*parts, strict=True))
    return torch.from_numpy(total), torch.from_numpy(squared)


def add_upper(total: Tensor, block: Tensor, factor: float) -> None:
    """Add ``factor * block.T @ block`` to ``total`` on and above its diagonal; what is below may be
    anything.

    Parameters
    ----------
    total : Tensor (d, d), float64, on the CPU
    block : Tensor (n, d), float32 or float64, on the CPU
    """
    sums, columns = total.numpy(), block.numpy()
    d, threads = columns.shape[1], torch.get_num_threads()
    rows = _MULTIPLIED if columns.itemsize == 4 else len(columns)
    width = min(_TILE, -(-d // 4))  # whatever the threads, so that they change no digit
    starts = range(0, d, width)
    places = [(row, column) for row in starts for column in starts if column > row] + [
        (start, start) for start in starts
    ]  # long ones first
    spare = [np.empty((2, width**2), columns.dtype) for _ in range(threads)]

    def tile(place: tuple[int, int]) -> None:
        row, column = place
        here = sums[row : row + width, column : column + width]
        mine = spare.pop()
        added, product = (room[: here.size].reshape(here.shape) for room in mine)
        for start in range(0, len(columns), rows):
            some = columns[start : start + rows]
            left = some[:, row : row + width]
            np.matmul(
                left.T,
                left if row == column else some[:, column : column + width],
                out=product if start else added,
            )
            if start:
                added += product
        here += added if factor == 1 else added.astype(np.float64) * factor
        spare.append(mine)

    with _lock, _libraries().limit(limits=1, user_api="blas"):
        _each(tile, places)
