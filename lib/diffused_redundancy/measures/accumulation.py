"""Sums of features over rows and of their products, a block at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..errors import InputError
from . import tiles
from .moments import Moments
from .validation import check_finite

BLOCK_ROWS = 4000
"""Rows of a block: long enough for full speed, short enough that float32 sums within stay accurate,
and 2,048 neurons within the 32 MiB that ``run_all.sh`` lets a process keep for the next block.
"""

_CACHED_ROWS = 256
"""Rows that a CPU centres and sums at once, so that they come from memory once."""

_STRIP = 256
"""Neurons whose products with one another are taken at once: smaller products are slow."""

LARGEST_EXPONENT = 200
"""Features that vary by more than 2^200 or less than 2^-200 (1e60 and 1e-60) are refused: their
fourth powers leave float64.
"""

SAFE_EXPONENT = 24
"""Up to here fourth powers of float32 features, and their sums over a block, stay well within
float32.
"""


@contextmanager
def _full_float32() -> Iterator[None]:
    """Products in true float32 (no TF32), whatever the caller's setting."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def blocks(length: int, rows: int | None = None) -> Iterator[slice]:
    """Slices of so many rows; by default of a block's."""
    step = rows or BLOCK_ROWS
    return (slice(start, start + step) for start in range(0, length, step))


class Sums:
    """Sums in progress, about a fixed centre near the mean, added to in place.

    The centre is representable in the features' precision, so subtracting it loses nothing that
    centring by the exact mean would keep. Blocks are scaled by a power of two, which is exact, so
    that squares of very large or very small features neither overflow nor vanish.
    """

    def __init__(
        self,
        centre: Tensor,
        num_classes: int | None,
        debiased: bool,
        device: torch.device,
        home: torch.device,
    ) -> None:
        d = len(centre)
        self.centre, self.num_classes, self.device, self.home = centre, num_classes, device, home
        self.n = 0
        self.total = torch.zeros(d, dtype=torch.float64, device=home)
        self.second = torch.zeros(d, d, dtype=torch.float64, device=home)
        self.third = torch.zeros_like(self.second) if debiased else None
        self.fourth = torch.zeros_like(self.second) if debiased else None
        self.counts = (
            None
            if num_classes is None
            else torch.zeros(num_classes, dtype=torch.float64, device=home)
        )
        self.class_sums = (
            None
            if num_classes is None
            else torch.zeros(d, num_classes, dtype=torch.float64, device=home)
        )
        self.work: Tensor | None = None

    def add(self, block: Tensor, labels: Tensor | None, offset: int) -> None:
        """Add a block whose first row is number ``offset``, unless it is not all finite."""
        given = on_device(block, self.device)
        if self.work is None or self.work.dtype != given.dtype or len(self.work) < len(given):
            self.work = torch.empty_like(given, memory_format=torch.contiguous_format)
        work = self.work[: len(given)]
        total, squared = self._centred(given, work)
        unit = _unit(work, float(squared.max()))
        if unit is None:
            check_finite(block, "X", offset)
            raise InputError("features vary by more than their type can hold: scale them down")
        if unit != 1.0:  # in float64, since float32 cannot hold every such factor
            work = (
                (work.double() / unit).to(work.dtype)
                if self.device.type != "mps"
                else (work.cpu().double() / unit).to(work.dtype).to(self.device)
            )
            total, squared = column_sums(work, self.home), column_sums(work * work, self.home)
        self.n += len(work)
        self.total.add_(total, alpha=unit)
        with _full_float32():
            _add_product(self.second, work, squared, unit**2)
            if self.third is not None and self.fourth is not None:
                squares = work * work
                self.third.add_((squares.T @ work).to(self.home), alpha=unit**3)
                _add_product(
                    self.fourth, squares, column_sums(squares * squares, self.home), unit**4
                )
            if labels is not None and self.class_sums is not None and self.counts is not None:
                self.class_sums.add_(
                    _sums_by_class(work, labels.to(self.device), len(self.counts)).T.to(self.home),
                    alpha=unit,
                )
                self.counts.add_(torch.bincount(labels, minlength=len(self.counts)).to(self.home))

    def _centred(self, given: Tensor, work: Tensor) -> tuple[Tensor, Tensor]:
        """Put rows less the centre into ``work``; the sums of its columns and of their squares."""
        centre = self.centre.to(self.device, given.dtype)
        if _tiled(work):
            return tiles.centre(given, centre, work)
        total, squared = torch.zeros_like(self.total), torch.zeros_like(self.total)
        for rows in blocks(len(given), _CACHED_ROWS if self.device.type == "cpu" else len(given)):
            part = torch.sub(given[rows], centre, out=work[rows])
            total += column_sums(part, self.home)
            squared += column_sums(part * part, self.home)
        return total, squared

    def moments(self) -> tuple[Moments, Tensor]:
        """The moments about the mean, and the mean less the centre (d,). Ends the sums."""
        shift = self.total / self.n
        if self.third is None or self.fourth is None:
            _mirror(self.second, self.total, shift)
            return Moments(self.n, torch.zeros_like(self.total), self.second), shift
        _mirror(self.second)
        _mirror(self.fourth)
        return Moments(self.n, self.total, self.second, self.third, self.fourth).recentred(
            shift
        ), shift


def _tiled(block: Tensor) -> bool:
    return block.device.type == "cpu" and block.shape[1] >= tiles.LEAST_COLUMNS


def _unit(work: Tensor, largest: float) -> float | None:
    """The power of two to divide centred features by: 1 for usual ones, None for any not finite."""
    # The largest sum of squares of a column often shows that no feature is out of bounds.
    if len(work) * 4.0**-SAFE_EXPONENT <= largest < 4.0**SAFE_EXPONENT:
        return 1.0
    low, high = (float(end) for end in torch.aminmax(work))  # NaN and infinities come through
    if not math.isfinite(high - low):
        return None
    exponent = math.frexp(max(high, -low))[1]
    if abs(exponent) > LARGEST_EXPONENT:
        raise InputError(
            f"features vary by about 2^{exponent}: scale them so that they vary by "
            f"2^-{LARGEST_EXPONENT} to 2^{LARGEST_EXPONENT}"
        )
    return 1.0 if abs(exponent) <= SAFE_EXPONENT else 2.0**exponent


def _add_product(total: Tensor, block: Tensor, squared: Tensor, factor: float) -> None:
    """Add ``factor * block.T @ block`` to ``total``, on and above the diagonal only."""
    # Errors on the diagonal show most in CKA of few neurons: it comes from the float64 sums of
    # squares of the columns, which makes CKA eight times as exact.
    exact = torch.add(total.diagonal(), squared, alpha=factor)
    _add_upper(total, block, factor)
    total.diagonal().copy_(exact)


def _add_upper(total: Tensor, block: Tensor, factor: float) -> None:
    """Add the products of columns with those to their right: of the left half with the right, then
    the same within each half.
    """
    # 3/4 of the operations of the whole product with 512 neurons, 9/16 with 2,048, and in squares,
    # which multiply faster than strips.
    if _tiled(block):
        tiles.add_upper(total, block, factor)
        return
    d = block.shape[1]
    half = d // 2 if d > _STRIP else 0
    if not half:
        total.add_((block.T @ block).to(total.device), alpha=factor)
        return
    left, right = block[:, :half], block[:, half:]
    total[:half, half:].add_((left.T @ right).to(total.device), alpha=factor)
    _add_upper(total[:half, :half], left, factor)
    _add_upper(total[half:, half:], right, factor)


def _mirror(square: Tensor, left: Tensor | None = None, right: Tensor | None = None) -> None:
    """Subtract the outer product of two vectors (d,), if given, above the diagonal, and copy what
    is there to below it, in strips.
    """
    for start in range(0, len(square), _STRIP):
        stop = start + _STRIP
        if left is not None and right is not None:
            square[start:stop, start:].addr_(left[start:stop], right[start:], alpha=-1)
        square[stop:, start:stop] = square[start:stop, stop:].T
        corner = square[start:stop, start:stop]
        corner.copy_(corner.triu() + corner.triu(1).T)


def _sums_by_class(work: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The sum of the rows of each class, (C, d)."""
    if work.device.type == "cpu":
        return torch.zeros(classes, work.shape[1], dtype=work.dtype).index_add_(0, labels, work)
    # a product: on GPUs indexed sums depend on the order of threads
    return torch.nn.functional.one_hot(labels, classes).to(work.dtype).T @ work


def on_device(block: Tensor, device: torch.device) -> Tensor:
    """Features where they are multiplied: half precision up-cast, and on MPS, which has no float64,
    as float32.
    """
    if device.type == "mps":
        return block.to(torch.float32).to(device)
    return block.to(device).to(torch.promote_types(block.dtype, torch.float32))


def column_sums(block: Tensor, home: torch.device) -> Tensor:
    """The sum of each column in float64, taken in the type of the block over at most 256 rows."""
    whole = len(block) // 256 * 256
    parts = [block[:whole].view(-1, 256, block.shape[1]).sum(1)] if whole else []
    parts += [block[whole:].sum(0, keepdim=True)] if whole < len(block) else []
    return torch.cat(parts).to(home).double().sum(0)
