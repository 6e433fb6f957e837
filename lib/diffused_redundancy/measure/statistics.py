"""Sufficient statistics of a layer: everything CKA and the ridge probe need to know of the train set.

One pass over the features in any number of pieces gives the mean, the Gram matrix of the centred neurons and
the class sums. They add up over shards, so n is unlimited and memory is that of d x d matrices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..devices import resolve_device
from ..errors import InputError, check_whole
from . import tiles
from .arrays import as_labels, check_features, check_finite, count_classes, rows_of
from .moments import Moments

BLOCK_ROWS = 4000
"""Rows multiplied at once: long enough for full speed, short enough that float32 sums within stay accurate (and that 2,048 neurons stay under
the 32 MiB up to which memory is kept for the next block, see :func:`..devices.keep_memory`)."""


_CACHED_ROWS = 256
"""Rows that a CPU centres and sums at once, so that they come from memory once."""


_STRIP = 256
"""Neurons whose products with one another are taken at once: smaller products are slow."""


LARGEST_EXPONENT = 200
"""Features that vary by more than 2^200 or less than 2^-200 (1e60 and 1e-60) are refused: their fourth powers leave float64."""


SAFE_EXPONENT = 24
"""Up to here fourth powers of float32 features, and their sums over a block, stay well within float32."""


@contextmanager
def _full_float32() -> Iterator[None]:
    """Products in true float32 (no TF32), whatever the caller's setting, which is put back afterwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def blocks(length: int, rows: int | None = None) -> Iterator[slice]:
    """Slices of so many rows; by default of as many as are multiplied at once."""
    step = rows or BLOCK_ROWS
    return (slice(start, start + step) for start in range(0, length, step))


class _Sums:
    """Sums in progress, about a fixed centre near the mean (that of the first block), added to in place.

    The centre is representable in the features' precision, so subtracting it loses nothing that centring by the
    exact mean would keep. Blocks are scaled by a power of two, which is exact, so that squares of very large or
    very small features neither overflow nor vanish.
    """

    def __init__(self, centre: Tensor, num_classes: int | None, debiased: bool, device: torch.device, home: torch.device) -> None:
        d = len(centre)
        self.centre, self.num_classes, self.device, self.home = centre, num_classes, device, home
        self.n = 0
        self.total = torch.zeros(d, dtype=torch.float64, device=home)
        self.second = torch.zeros(d, d, dtype=torch.float64, device=home)
        self.third = torch.zeros_like(self.second) if debiased else None
        self.fourth = torch.zeros_like(self.second) if debiased else None
        self.counts = None if num_classes is None else torch.zeros(num_classes, dtype=torch.float64, device=home)
        self.class_sums = None if num_classes is None else torch.zeros(d, num_classes, dtype=torch.float64, device=home)
        self.work: Tensor | None = None

    def add(self, block: Tensor, labels: Tensor | None, offset: int) -> None:
        """Add a block whose first row is number ``offset``; nothing is added if it holds what is not finite."""
        given = on_device(block, self.device)
        if self.work is None or self.work.dtype != given.dtype or len(self.work) < len(given):
            self.work = torch.empty_like(given, memory_format=torch.contiguous_format)
        work = self.work[: len(given)]
        total, squared = self._centred(given, work)
        unit = _unit(work, float(squared.max()))
        if unit is None:
            check_finite(block.sum(0), block, "X", offset)
            raise InputError("features vary by more than their type can hold: scale them down")
        if unit != 1.0:  # in float64, since float32 cannot hold every such factor
            work = (work.double() / unit).to(work.dtype) if self.device.type != "mps" else (work.cpu().double() / unit).to(work.dtype).to(self.device)
            total, squared = column_sums(work, self.home), column_sums(work * work, self.home)
        self.n += len(work)
        self.total.add_(total, alpha=unit)
        with _full_float32():
            _add_product(self.second, work, squared, unit**2)
            if self.third is not None and self.fourth is not None:
                squares = work * work
                self.third.add_((squares.T @ work).to(self.home), alpha=unit**3)
                _add_product(self.fourth, squares, column_sums(squares * squares, self.home), unit**4)
            if labels is not None and self.class_sums is not None and self.counts is not None:
                self.class_sums.add_(_sums_by_class(work, labels.to(self.device), len(self.counts)).T.to(self.home), alpha=unit)
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
        """What was summed, about its own mean, and that mean less the centre (d,); nothing may be added any more."""
        shift = self.total / self.n
        if self.third is None or self.fourth is None:
            _mirror(self.second, self.total, shift)
            return Moments(self.n, torch.zeros_like(self.total), self.second), shift
        _mirror(self.second)
        _mirror(self.fourth)
        return Moments(self.n, self.total, self.second, self.third, self.fourth).recentred(shift), shift


def _tiled(block: Tensor) -> bool:
    return block.device.type == "cpu" and block.shape[1] >= tiles.LEAST_COLUMNS


def _unit(work: Tensor, largest: float) -> float | None:
    """The power of two to divide centred features by, 1 for all usual ones; None if they are not finite.

    ``largest`` is the largest sum of squares of a column: where it tells that no feature is out of bounds, they need not be read again.
    """
    if len(work) * 4.0**-SAFE_EXPONENT <= largest < 4.0**SAFE_EXPONENT:
        return 1.0
    low, high = (float(end) for end in torch.aminmax(work))  # NaN and infinities come through
    if not math.isfinite(high - low):
        return None
    exponent = math.frexp(max(high, -low))[1]
    if abs(exponent) > LARGEST_EXPONENT:
        raise InputError(f"features vary by about 2^{exponent}: scale them so that they vary by 2^-{LARGEST_EXPONENT} to 2^{LARGEST_EXPONENT}")
    return 1.0 if abs(exponent) <= SAFE_EXPONENT else 2.0**exponent


def _add_product(total: Tensor, block: Tensor, squared: Tensor, factor: float) -> None:
    """Add ``factor * block.T @ block`` to ``total``, on and above the diagonal only (and in some squares along it).

    The diagonal, whose errors CKA of a few neurons shows most, comes from ``squared``, the sums of squares of the columns in float64:
    that makes CKA eight times as exact.
    """
    exact = torch.add(total.diagonal(), squared, alpha=factor)
    _add_upper(total, block, factor)
    total.diagonal().copy_(exact)


def _add_upper(total: Tensor, block: Tensor, factor: float) -> None:
    """Add the products of columns with those to their right: of the left half with the right, then the same within each half.

    With 512 neurons that is 3/4 of the operations of the whole product, with 2,048 it is 9/16, in squares, which multiply faster than strips.
    For wide layers on CPUs there is a way with half of them.
    """
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
    """Copy what is above the diagonal to below it, in strips; first take away the outer product of two vectors (d,), if given."""
    for start in range(0, len(square), _STRIP):
        stop = start + _STRIP
        if left is not None and right is not None:
            square[start:stop, start:].addr_(left[start:stop], right[start:], alpha=-1)
        square[stop:, start:stop] = square[start:stop, stop:].T
        corner = square[start:stop, start:stop]
        corner.copy_(corner.triu() + corner.triu(1).T)


def _sums_by_class(work: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The sum of the rows of each class, (C, d). On GPUs by a product, since their indexed sums depend on the order of threads."""
    if work.device.type == "cpu":
        return torch.zeros(classes, work.shape[1], dtype=work.dtype).index_add_(0, labels, work)
    return torch.nn.functional.one_hot(labels, classes).to(work.dtype).T @ work


def cholesky(matrix: Tensor) -> Tensor:
    """The Cholesky factor of a Gram matrix plus a penalty.

    Fewer images than neurons make a singular Gram matrix, and products in float32 can make that indefinite by their rounding, more than
    a small penalty makes up for. Then as little is added to the diagonal, between 0.1 and 100 of that rounding, as lets it succeed.
    """
    factor, failed = torch.linalg.cholesky_ex(matrix)
    rounding = torch.finfo(torch.float32).eps * torch.linalg.norm(matrix)
    for share in (0.1, 1.0, 10.0, 100.0):
        if not int(failed):
            return factor
        raised = matrix.clone()
        raised.diagonal().add_(share * rounding)
        factor, failed = torch.linalg.cholesky_ex(raised)
    return torch.linalg.cholesky(matrix) if int(failed) else factor


def on_device(block: Tensor, device: torch.device) -> Tensor:
    """Features where they are multiplied: half precision up-cast, and on MPS, which has no float64, as float32."""
    kind = torch.float32 if device.type == "mps" else torch.promote_types(block.dtype, torch.float32)
    return block.to(kind).to(device) if device.type == "mps" else block.to(device).to(kind)


def column_sums(block: Tensor, home: torch.device) -> Tensor:
    """The sum of each column in float64, taken in the type of the block over at most 256 rows."""
    whole = len(block) // 256 * 256
    parts = [block[:whole].view(-1, 256, block.shape[1]).sum(1)] if whole else []
    parts += [block[whole:].sum(0, keepdim=True)] if whole < len(block) else []
    return torch.cat(parts).to(home).double().sum(0)


class SufficientStatistics:
    """Mean, centred Gram matrix and class sums of features, streamed and mergeable.

    Products are taken in the precision of the features (half precision is up-cast to float32); every sum over
    blocks is float64. Blocks are centred near the mean and scaled by a power of two first, so that large means or
    scales cost no digits; shards are joined by the exact parallel formulas (Chan, Golub and LeVeque 1983).

    Parameters
    ----------
    d : int
        Number of neurons.
    num_classes : int, optional
        Number of classes; without it no class sums are kept, and only CKA can be computed.
    debiased : bool
        Also keep what debiased CKA needs: two more d x d sums, three products instead of one. (With the mean
        known beforehand one more would do; the third moment is what lets shards with different means merge.)
    device : str
        Where products are taken: ``auto``, ``cpu``, ``cuda`` or ``mps``. Sums live there too, except for MPS,
        which has no float64: there they live on the CPU.
    """

    def __init__(self, d: int, num_classes: int | None = None, *, debiased: bool = False, device: str = "auto") -> None:
        self.d = check_whole(d, "d", 1)
        self.num_classes = None if num_classes is None else check_whole(num_classes, "num_classes", 1)
        self.debiased = debiased
        self.device = resolve_device(device)
        self._home = torch.device("cpu") if self.device.type == "mps" else self.device
        square = self._zeros(1).expand(d, d)  # takes no memory
        self._moments = Moments(0, self._zeros(d), square, square if debiased else None, square if debiased else None)
        self._mean = self._zeros(d)
        self._class_counts = None if num_classes is None else self._zeros(num_classes)
        self._class_sums = None if num_classes is None else self._zeros(d, num_classes)
        self._open: _Sums | None = None

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(*shape, dtype=torch.float64, device=self._home)

    def _settled(self) -> SufficientStatistics:
        """Self, once the sums in progress are joined to the finished ones."""
        if self._open is not None:
            sums, self._open = self._open, None
            moments, shift = sums.moments()
            class_sums = None if sums.class_sums is None or sums.counts is None else sums.class_sums - torch.outer(shift, sums.counts)
            self._join(moments, sums.centre + shift, class_sums, sums.counts)
        return self

    @property
    def n(self) -> int:
        """Images seen."""
        return self._moments.n + (0 if self._open is None else self._open.n)

    @property
    def mean(self) -> Tensor:
        """Of each neuron: float64 (d,)."""
        return self._settled()._mean

    @property
    def gram(self) -> Tensor:
        """G = Xc' Xc: float64 (d, d)."""
        return self._settled()._moments.second

    @property
    def class_counts(self) -> Tensor | None:
        """Images of each class: float64 (C,), or None without labels."""
        return self._settled()._class_counts

    @property
    def class_sums(self) -> Tensor | None:
        """R = Xc' Y: float64 (d, C), or None without labels."""
        return self._settled()._class_sums

    @property
    def fourth(self) -> Tensor:
        """(Xc o Xc)' (Xc o Xc), float64 (d, d); InputError unless made with ``debiased=True``."""
        fourth = self._settled()._moments.fourth
        if fourth is None:
            raise InputError("debiased CKA needs statistics made with debiased=True")
        return fourth

    @property
    def mean_variance(self) -> float:
        """The mean over neurons of their variance: the unit in which penalties are given."""
        return float(self.gram.diagonal().sum()) / (max(self.n, 1) * self.d)

    @property
    def constant(self) -> Tensor:
        """Indices of the neurons whose variance is zero to within rounding."""
        diagonal = self.gram.diagonal()
        rounding = (1e-14 * self.mean) ** 2 * self.n
        return (diagonal <= torch.maximum(rounding, 1e-24 * diagonal.max())).nonzero().flatten()

    @classmethod
    def from_features(
        cls, X: Any, y: Any = None, *, num_classes: int | None = None, debiased: bool = False, device: str = "auto"
    ) -> SufficientStatistics:
        """The statistics of features held in memory.

        Parameters
        ----------
        X : array (n, d) of float16, bfloat16, float32 or float64, or ``Rows`` that are read in slices
        y : array (n,) of int, optional
        num_classes : int, optional
            By default the largest label plus one.
        debiased, device
            As for the class.
        """
        features = check_features(X)
        if y is not None and num_classes is None:
            num_classes = count_classes(as_labels(y, len(features)))
        return cls(features.shape[1], num_classes, debiased=debiased, device=device).update(features, y)

    @classmethod
    def from_blocks(
        cls, pairs: Iterable[tuple[Any, Any]], d: int, num_classes: int | None = None, *, debiased: bool = False, device: str = "auto"
    ) -> SufficientStatistics:
        """The statistics of features that arrive as pairs (X, y) of consecutive rows; y is None without labels."""
        statistics = cls(d, num_classes, debiased=debiased, device=device)
        for X, y in pairs:
            statistics.update(X, y)
        return statistics

    def update(self, X: Any, y: Any = None) -> SufficientStatistics:
        """Add images; returns self.

        Raises
        ------
        InputError
            If the features have another width or type, are not finite, or labels are missing or do not match.
            Nothing is added then.
        """
        features = check_features(X)
        if features.shape[1] != self.d:
            raise InputError(f"X has {features.shape[1]} neurons: these statistics are of {self.d}")
        if (y is None) != (self.num_classes is None):
            raise InputError("y is missing" if y is None else "y was given, but these statistics were made without num_classes")
        labels = None if y is None else as_labels(y, len(features), classes=self.num_classes)
        if len(features) > BLOCK_ROWS:
            self._settled()  # read once, and added to sums of their own, which are dropped if a block is bad
        before = self._open
        try:
            for rows in blocks(len(features)):
                block = rows_of(features, rows)
                if self._open is None:
                    some = block[:: -(-len(block) // 256)].to(self._home)  # near the mean is near enough
                    centre = some.double().mean(0).to(on_device(some[:1], self.device).dtype).double()
                    self._open = _Sums(centre, self.num_classes, self.debiased, self.device, self._home)
                self._open.add(block, None if labels is None else labels[rows], self.n)
        except BaseException:
            self._open = before
            raise
        return self

    def _join(self, moments: Moments, mean: Tensor, class_sums: Tensor | None, counts: Tensor | None) -> None:
        """Take in moments and class sums about the mean of what they are of."""
        n = self._moments.n + moments.n
        joint = self._mean + (mean - self._mean) * (moments.n / n)
        if class_sums is not None and counts is not None and self._class_sums is not None and self._class_counts is not None:
            ours, theirs = torch.outer(self._mean - joint, self._class_counts), torch.outer(mean - joint, counts)
            self._class_sums = self._class_sums + ours + class_sums + theirs
            self._class_counts = self._class_counts + counts
        if self._moments.n:
            moments = self._moments.recentred(joint - self._mean) + moments.recentred(joint - mean)
        self._moments, self._mean = moments, joint

    def _copy(self) -> SufficientStatistics:
        copy = SufficientStatistics.__new__(SufficientStatistics)
        copy.__dict__.update(self._settled().__dict__)
        return copy

    def merge(self, other: SufficientStatistics) -> SufficientStatistics:
        """The statistics of both sets of images together; neither is changed."""
        if (self.d, self.num_classes, self.debiased) != (other.d, other.num_classes, other.debiased):
            raise InputError(
                f"statistics of {other.d} neurons, {other.num_classes} classes, debiased={other.debiased} "
                f"cannot join ones of {self.d}, {self.num_classes}, debiased={self.debiased}"
            )
        both = self._copy()
        if other.n:
            m = other._settled()._moments
            here = [None if t is None else t.to(self._home) for t in (m.total, m.second, m.third, m.fourth)]
            sums, counts = (None if t is None else t.to(self._home) for t in (other._class_sums, other._class_counts))
            both._join(Moments(m.n, *here), other._mean.to(self._home), sums, counts)  # type: ignore[arg-type]
        return both

    __add__ = merge

    def scaled(self, scale: Tensor) -> SufficientStatistics:
        """The statistics of the features multiplied by ``scale``, (d,), neuron by neuron."""
        s = scale.to(self._home, torch.float64)
        result = self._copy()
        m = result._moments
        outer = torch.outer(s, s)
        third = None if m.third is None else m.third * torch.outer(s**2, s)
        fourth = None if m.fourth is None else m.fourth * outer**2
        result._moments = Moments(m.n, m.total * s, m.second * outer, third, fourth)
        result._mean = result._mean * s
        result._class_sums = None if result._class_sums is None else result._class_sums * s[:, None]
        return result

    def unit_scale(self) -> Tensor:
        """What to multiply each neuron by so that its variance is 1 (constant ones by 1): (d,), float64."""
        deviation = (self.gram.diagonal() / self.n).clamp_min(0).sqrt()
        deviation[self.constant] = 1
        return 1 / deviation
