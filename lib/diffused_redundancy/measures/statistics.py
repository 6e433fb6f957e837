"""Sufficient statistics of a layer: all that CKA and the ridge probe need to know of the train set.

One pass over the features gives the mean, the Gram matrix of the centred neurons and the class
sums. They add up over shards, so n is unlimited and memory is that of d x d matrices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..devices import resolve_device
from ..errors import InputError, check_whole
from .accumulation import BLOCK_ROWS, Sums, blocks, on_device
from .moments import Moments
from .validation import as_labels, check_features, count_classes, rows_of


def cholesky(matrix: Tensor) -> Tensor:
    """The Cholesky factor of a Gram matrix plus a penalty."""
    # Fewer images than neurons make a singular Gram matrix, and the rounding of float32 products
    # can make that indefinite, more than a small penalty makes up for. Then as little is added to
    # the diagonal, between 0.1 and 100 of that rounding, as lets it succeed.
    factor: Tensor
    factor, failed = torch.linalg.cholesky_ex(matrix)
    rounding = torch.finfo(torch.float32).eps * torch.linalg.norm(matrix)
    for share in (0.1, 1.0, 10.0, 100.0):
        if not int(failed):
            return factor
        raised = matrix.clone()
        raised.diagonal().add_(share * rounding)
        factor, failed = torch.linalg.cholesky_ex(raised)
    if int(failed):
        factor = torch.linalg.cholesky(matrix)
    return factor


class SufficientStatistics:
    """Mean, centred Gram matrix and class sums of features, streamed and mergeable.

    Parameters
    ----------
    d : int
        Neurons.
    num_classes : int, optional
        Classes; without it no class sums are kept, and only CKA can be computed.
    debiased : bool
        Also keep what debiased CKA needs: two more d x d sums, three products instead of one. (With
        the mean known beforehand one more would do; the third moment is what lets shards with
        different means merge.)
    device : str
        Where products are taken: ``auto``, ``cpu``, ``cuda`` or ``mps``. Sums live there too,
        except for MPS, which has no float64: there they live on the CPU.
    centre : Tensor (d,), optional
        What features are centred near, such as :meth:`centre_of` the first ones. By default each
        :meth:`update` that begins anew finds its own: products then round otherwise.

    Notes
    -----
    Products are taken in the precision of the features (half precision is up-cast to float32);
    every sum over blocks is float64. Blocks are centred near the mean and scaled by a power of two
    first, so that large means or scales cost no digits. Shards are joined by the exact parallel
    formulas of Chan, Golub and LeVeque (1983).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 2.0], [3.0, 2.0], [5.0, 8.0]])
    >>> statistics = SufficientStatistics.from_features(X, [0, 0, 1], device="cpu")
    >>> statistics.n, statistics.d, statistics.num_classes
    (3, 2, 2)
    >>> statistics.gram.numpy()
    array([[ 8., 12.],
           [12., 24.]])
    >>> (statistics + statistics).n
    6
    """

    def __init__(
        self,
        d: int,
        num_classes: int | None = None,
        *,
        debiased: bool = False,
        device: str = "auto",
        centre: Tensor | None = None,
    ) -> None:
        self.d = check_whole(d, "d", 1)
        self.num_classes = (
            None if num_classes is None else check_whole(num_classes, "num_classes", 1)
        )
        self.debiased = debiased
        self.device = resolve_device(device)
        self._home = torch.device("cpu") if self.device.type == "mps" else self.device
        square = self._zeros(1).expand(d, d)  # takes no memory
        self._moments = Moments(
            0, self._zeros(d), square, square if debiased else None, square if debiased else None
        )
        self._mean = self._zeros(d)
        self._class_counts = None if num_classes is None else self._zeros(num_classes)
        self._class_sums = None if num_classes is None else self._zeros(d, num_classes)
        self._open: Sums | None = None
        self._centre = centre

    def _zeros(self, *shape: int) -> Tensor:
        return torch.zeros(*shape, dtype=torch.float64, device=self._home)

    def _settled(self) -> SufficientStatistics:
        """Itself, once the sums in progress are joined to the finished ones."""
        if self._open is not None:
            sums, self._open = self._open, None
            moments, shift = sums.moments()
            class_sums = (
                None
                if sums.class_sums is None or sums.counts is None
                else sums.class_sums - torch.outer(shift, sums.counts)
            )
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

    def right_hand_side(self) -> tuple[Tensor, Tensor]:
        """R, (d, C), and the mean of Y, (C,); InputError without labels."""
        if self.class_sums is None or self.class_counts is None:
            raise InputError(
                "the ridge probe needs labels: make the statistics with y and num_classes"
            )
        return self.class_sums, self.class_counts / self.n

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

    def relative_gram(self, like: Tensor) -> Tensor:
        """X'X/n of the features over the root of their mean variance, (d, d), of the type and at
        the place of ``like``.
        """
        variance = self.n * self.mean_variance
        unit = math.ldexp(1, math.frexp(variance)[1])  # exact; float32 holds what is near 1
        return (self.gram / unit).to(like) / (variance / unit)

    @property
    def constant(self) -> Tensor:
        """Indices of the neurons whose variance is zero to within rounding."""
        diagonal = self.gram.diagonal()
        rounding = (1e-14 * self.mean) ** 2 * self.n
        return (diagonal <= torch.maximum(rounding, 1e-24 * diagonal.max())).nonzero().flatten()

    @classmethod
    def from_features(
        cls,
        X: Any,
        y: Any = None,
        *,
        num_classes: int | None = None,
        debiased: bool = False,
        device: str = "auto",
    ) -> SufficientStatistics:
        """The statistics of features that are all there; see :meth:`update` for others.

        Parameters
        ----------
        X : array (n, d) of float16, bfloat16, float32 or float64, or ``Rows`` read in slices
        y : array of int (n,), optional
            Classes, from 0.
        num_classes : int, optional
            By default the largest label plus one.
        debiased, device
            As for the class.

        Raises
        ------
        InputError
            As for :meth:`update`.
        """
        features = check_features(X)
        if y is not None and num_classes is None:
            num_classes = count_classes(as_labels(y, len(features)))
        return cls(features.shape[1], num_classes, debiased=debiased, device=device).update(
            features, y
        )

    def update(self, X: Any, y: Any = None) -> SufficientStatistics:
        """Add images; returns itself.

        Parameters
        ----------
        X : array (m, d), or ``Rows`` read in slices
        y : array of int (m,)
            If and only if the statistics were made with ``num_classes``.

        Raises
        ------
        InputError
            If the features have another width or type, are not finite, or labels are missing or do
            not match. Nothing is added then.
        """
        features = check_features(X)
        if features.shape[1] != self.d:
            raise InputError(f"X has {features.shape[1]} neurons: these statistics are of {self.d}")
        if (y is None) != (self.num_classes is None):
            raise InputError(
                "y is missing"
                if y is None
                else "y was given, but these statistics were made without num_classes"
            )
        labels = None if y is None else as_labels(y, len(features), classes=self.num_classes)
        if len(features) > BLOCK_ROWS:  # to sums of their own, which are dropped if a block is bad
            self._settled()
        before = self._open
        try:
            for rows in blocks(len(features)):
                block = rows_of(features, rows)
                if self._open is None:
                    centre = self.centre_of(block) if self._centre is None else self._centre
                    self._open = Sums(
                        centre.to(self._home),
                        self.num_classes,
                        self.debiased,
                        self.device,
                        self._home,
                    )
                self._open.add(block, None if labels is None else labels[rows], self.n)
        except BaseException:
            self._open = before
            raise
        return self

    def centre_of(self, block: Tensor) -> Tensor:
        """What sums of rows like these (m, d) are centred near: float64 (d,), but representable in
        the precision that they are multiplied in.
        """
        some = block[:: -(-len(block) // 256)].to(self._home)  # near the mean will do
        kind = on_device(some[:1], self.device).dtype
        return some.double().mean(0).to(kind).double()

    def _join(
        self, moments: Moments, mean: Tensor, class_sums: Tensor | None, counts: Tensor | None
    ) -> None:
        """Take in moments and class sums about the mean of what they are of."""
        n = self._moments.n + moments.n
        joint = self._mean + (mean - self._mean) * (moments.n / n)
        if (
            class_sums is not None
            and counts is not None
            and self._class_sums is not None
            and self._class_counts is not None
        ):
            ours, theirs = (
                torch.outer(self._mean - joint, self._class_counts),
                torch.outer(mean - joint, counts),
            )
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
        """The statistics of both sets of images together; neither is changed.

        Raises
        ------
        InputError
            If they differ in neurons, classes or ``debiased``.
        """
        check_statistics(other, "other")
        if (self.d, self.num_classes, self.debiased) != (
            other.d,
            other.num_classes,
            other.debiased,
        ):
            raise InputError(
                f"statistics of {other.d} neurons, {other.num_classes} classes, "
                f"debiased={other.debiased} "
                f"cannot join ones of {self.d}, {self.num_classes}, debiased={self.debiased}"
            )
        both = self._copy()
        if other.n:
            m = other._settled()._moments
            here = [
                None if t is None else t.to(self._home)
                for t in (m.total, m.second, m.third, m.fourth)
            ]
            sums, counts = (
                None if t is None else t.to(self._home)
                for t in (other._class_sums, other._class_counts)
            )
            both._join(Moments(m.n, *here), other._mean.to(self._home), sums, counts)  # type: ignore[arg-type]
        return both

    __add__ = merge

    def scaled(self, scale: Tensor) -> SufficientStatistics:
        """The statistics of features whose neurons are multiplied by ``scale``, (d,)."""
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

    def columns(self, kept: Any) -> SufficientStatistics:
        """The statistics of some of the neurons, by their indices (r,)."""
        some = torch.as_tensor(kept, device=self._home)
        result, m = self._copy(), self._settled()._moments
        squares = (
            None if t is None else t[some][:, some].contiguous()
            for t in (m.second, m.third, m.fourth)
        )
        result._moments = Moments(m.n, m.total[some], *squares)  # type: ignore[arg-type]
        result.d, result._mean = len(some), self._mean[some]
        result._class_sums = None if self._class_sums is None else self._class_sums[some]
        return result

    def among_classes(self, places: Any, num_classes: int) -> SufficientStatistics:
        """The same with labels among more classes: class i becomes ``places[i]``."""
        sums, counts = self.right_hand_side()[0], self.class_counts
        at = torch.as_tensor(places, device=self._home)
        result = self._copy()
        result.num_classes = num_classes
        result._class_sums = self._zeros(self.d, num_classes).index_copy_(1, at, sums)
        result._class_counts = self._zeros(num_classes).index_copy_(0, at, counts)  # type: ignore[arg-type]
        return result

    def arrays(self) -> dict[str, np.ndarray]:
        """All that they hold, to be stored; those for debiased CKA are left out."""
        m = self._settled()._moments
        held = {"mean": self._mean, "total": m.total, "second": m.second}
        if self._class_sums is not None and self._class_counts is not None:
            held |= {"class_sums": self._class_sums, "class_counts": self._class_counts}
        return {"n": np.array([m.n]), **{name: t.cpu().numpy() for name, t in held.items()}}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], device: str = "auto"
    ) -> SufficientStatistics:
        """Those that :meth:`arrays` gave."""
        held = {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}
        counts = held.get("class_counts")
        made = cls(len(held["mean"]), None if counts is None else len(counts), device=device)
        placed = {name: t.to(made._home) for name, t in held.items()}
        made._moments = Moments(int(held["n"]), placed["total"], placed["second"])
        made._mean = placed["mean"]
        made._class_sums, made._class_counts = placed.get("class_sums"), placed.get("class_counts")
        return made

    def unit_scale(self) -> Tensor:
        """Factors that give each neuron variance 1, and 1 for constant neurons: float64 (d,)."""
        deviation = (self.gram.diagonal() / self.n).clamp_min(0).sqrt()
        deviation[self.constant] = 1
        return 1 / deviation

    def standardized(self) -> SufficientStatistics:
        """The statistics of neurons of variance 1; constant ones stay as they are."""
        return self.scaled(self.unit_scale())


def check_statistics(given: Any, name: str = "statistics") -> SufficientStatistics:
    """What was given, or InputError if it is something else, such as the features."""
    if not isinstance(given, SufficientStatistics):
        raise InputError(
            f"{name} is {type(given).__name__}: make them with "
            "SufficientStatistics.from_features(X)"
        )
    return given
