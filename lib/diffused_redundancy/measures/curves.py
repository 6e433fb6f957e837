"""One type for what is measured: a value for each draw of a selection, at several sizes.

Every experiment is an ordering of the neurons (or directions) and its prefixes, so every result is
a curve against the size of the prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError, check_number
from ..uncertainty.bootstrap import RESAMPLES, Resampled, percentile_interval, resampled
from .guessing import beats_guessing
from .redundancy import Redundancy, redundancy_of, smallest_sufficient


@dataclass(frozen=True)
class Measure:
    """What a curve holds: its ``name`` in sentences and on axes, and whether in percent."""

    name: str
    axis: str
    percent: bool


MEASURES: dict[str, Measure] = {
    "cka": Measure("CKA", "CKA with the whole layer", False),
    "standardized_cka": Measure(
        "CKA of standardized neurons", "CKA with the whole layer, neurons standardized", False
    ),
    "debiased_cka": Measure("debiased CKA", "debiased CKA with the whole layer", False),
    "corrected_cka": Measure(
        "CKA, corrected for the sampling of neurons", "corrected CKA with the whole layer", False
    ),
    "disjoint_cka": Measure("CKA of disjoint parts", "CKA of two disjoint parts", False),
    "corrected_disjoint_cka": Measure(
        "corrected CKA of disjoint parts", "corrected CKA of two disjoint parts", False
    ),
    "neighbour_overlap": Measure(
        "overlap of nearest neighbours", "nearest neighbours shared with the whole layer", False
    ),
    "disjoint_neighbour_overlap": Measure(
        "overlap of nearest neighbours of disjoint parts",
        "nearest neighbours that two disjoint parts share",
        False,
    ),
    "ridge_accuracy": Measure("ridge accuracy", "test accuracy, ridge probe", True),
    "logistic_accuracy": Measure("logistic accuracy", "test accuracy, logistic probe", True),
}
"""Measures by name."""


@dataclass(frozen=True)
class Curve:
    """A measure of the first k neurons (or directions) of some orderings, at several k.

    Attributes
    ----------
    measure : str
        A name in :data:`MEASURES`.
    selection : str
        How neurons or directions were chosen.
    seeds : tuple of int (rows,)
        Of the draws of the selection; (0,) for a deterministic one.
    sizes : ndarray of int (s,)
        The k that were measured, ascending.
    values : ndarray (rows, s), float64
        CKA, or accuracy in [0, 1].
    d : int
        Neurons of the whole layer.
    full : float
        The whole layer's value; 1 for CKA.
    per_class : ndarray (rows, s, C), optional
        Accuracy by class; NaN for classes without test images.
    objective, converged : ndarray (rows, s), optional
        Of logistic probes: the minimum reached on the train set, in nats, and whether it was.
    solver_error : ndarray (rows, s), optional
        Of logistic probes: the share of test images whose guess may differ from that of the exact
        minimum.
    guessing : float, optional
        Of accuracy: the share of the largest class of the test images.
    images : int, optional
        How many test images there are.
    by_images : ndarray (groups, s), optional
        The mean over seeds on disjoint groups of images; see :mod:`.image_groups`. With it,
        intervals are over images as well as over seeds.
    full_by_images : ndarray (groups,), optional
        The whole layer's value on these; without it, it is the same on all.

    Raises
    ------
    InputError
        If shapes do not match, sizes do not ascend within 1 to d, or a value is NaN (which debiased
        CKA alone may be).

    Examples
    --------
    >>> values = [[0.5, 0.8, 1], [0.3, 0.9, 1]]
    >>> curve = Curve("cka", "random", (1, 2), [1, 2, 4], values, d=4, full=1)
    >>> curve.mean
    array([0.4 , 0.85, 1.  ])
    >>> curve.at(2)
    array([0.8, 0.9])
    >>> curve.redundancy(0.8).k
    2
    """

    measure: str
    selection: str
    seeds: tuple[int, ...]
    sizes: np.ndarray
    values: np.ndarray = field(repr=False)
    d: int
    full: float
    per_class: np.ndarray | None = field(default=None, repr=False)
    objective: np.ndarray | None = field(default=None, repr=False)
    converged: np.ndarray | None = field(default=None, repr=False)
    solver_error: np.ndarray | None = field(default=None, repr=False)
    guessing: float | None = None
    images: int | None = None
    by_images: np.ndarray | None = field(default=None, repr=False)
    full_by_images: np.ndarray | None = field(default=None, repr=False)
    _found: dict[tuple[Any, ...], Redundancy] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=float)
        sizes = np.asarray(self.sizes, dtype=int)
        object.__setattr__(self, "seeds", tuple(int(seed) for seed in self.seeds))
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "sizes", sizes)
        if not len(self.seeds) or values.shape != (len(self.seeds), len(sizes)):
            raise InputError(
                f"values have shape {values.shape}: they must be (seeds, sizes), here "
                f"{(len(self.seeds), len(sizes))}"
            )
        if len(sizes) and ((np.diff(sizes) <= 0).any() or sizes[0] < 1 or sizes[-1] > self.d):
            raise InputError(f"sizes must ascend within 1 to d = {self.d}")
        if self.measure != "debiased_cka" and np.isnan(values).any():
            raise InputError(f"the curve of {self.measure} holds NaN")

    @property
    def name(self) -> str:
        """The measure, for sentences."""
        return MEASURES[self.measure].name if self.measure in MEASURES else self.measure

    @property
    def mean(self) -> np.ndarray:
        """The mean over seeds at each size, (s,)."""
        mean: np.ndarray = self.values.mean(0)
        return mean

    @property
    def above_guessing(self) -> bool:
        """Whether the whole layer is clearly better than guessing the largest class, by
        :func:`.beats_guessing`; True of CKA, and where that is not known.
        """
        if self.guessing is None or self.images is None:
            return True
        return beats_guessing(self.full, self.guessing, self.images)

    @property
    def exact(self) -> bool:
        """Whether every size up to the largest was measured."""
        return len(self.sizes) == (self.sizes[-1] if len(self.sizes) else 0)

    def column(self, k: int) -> int | None:
        """The place of a size among ``sizes``; None if it was not measured."""
        place = int(np.searchsorted(self.sizes, k))
        return place if place < len(self.sizes) and self.sizes[place] == k else None

    def at(self, k: int) -> np.ndarray:
        """The values at a size, (rows,).

        Raises
        ------
        InputError
            If that size was not measured, with the nearest one that was.
        """
        column = self.column(k)
        if column is None:
            near = self.sizes[np.abs(self.sizes - k).argmin()] if len(self.sizes) else "none"
            raise InputError(f"k = {k} was not measured (nearest: {near})")
        return self.values[:, column]

    def at_fraction(self, fraction: float) -> np.ndarray:
        """The values at ``size_of(fraction, d)``, (rows,)."""
        return self.at(size_of(fraction, self.d))

    def only(self, sizes: Sequence[int]) -> Curve:
        """The same curve at some of its sizes, such as those of a coarser grid.

        Raises
        ------
        InputError
            If one of them was not measured, with the nearest one that was.

        Examples
        --------
        >>> curve = Curve("cka", "first", (0,), [1, 2, 3], [[0.5, 0.9, 1]], d=3, full=1)
        >>> curve.redundancy(0.9).k, curve.only([1, 3]).redundancy(0.9).k
        (2, 3)
        """
        for k in sizes:
            self.at(k)
        at = np.isin(self.sizes, list(sizes))
        at_sizes = ("per_class", "objective", "converged", "solver_error", "by_images")
        parts: dict[str, Any] = {name: getattr(self, name) for name in at_sizes}
        kept: dict[str, Any] = {
            name: None if part is None else part[:, at] for name, part in parts.items()
        }
        return replace(self, sizes=self.sizes[at], values=self.values[:, at], **kept)

    def resampled(self, **options: Any) -> Resampled | None:
        """Resamples of the mean curve and of the whole layer's value, over seeds and images; see
        :func:`.bootstrap.resampled`. Those of two curves on the same images can be subtracted.
        """
        return resampled(self.values, self.full, self.by_images, self.full_by_images, **options)

    def redundancy_draws(
        self, delta: float = 0.9, *, chance_corrected: bool = False, **options: Any
    ) -> np.ndarray | None:
        """DR(delta) of each resample, (resamples,), 0 where delta is not reached; None where there
        is nothing to resample. Options as for :meth:`resampled`.
        """
        draws = self.resampled(**options)
        if draws is None:
            return None
        chance = self._chance(chance_corrected)
        bars = chance + delta * (draws.full - chance)
        sufficient = smallest_sufficient(draws.values, bars, self.sizes)
        return 1 - np.where(np.isnan(sufficient), self.d, sufficient) / self.d

    def _chance(self, corrected: bool) -> float:
        """What values are taken above."""
        return self.guessing if corrected and self.guessing is not None else 0.0

    def redundancy(
        self, delta: float = 0.9, *, chance_corrected: bool = False, **options: Any
    ) -> Redundancy:
        """DR(delta); see :func:`diffused_redundancy` for the options. What was asked for before is
        kept.
        """
        asked = (delta, chance_corrected, *sorted(options.items()))
        if asked not in self._found:
            self._found[asked] = self._redundancy(delta, chance_corrected, options)
        return self._found[asked]

    def _redundancy(
        self, delta: float, chance_corrected: bool, options: dict[str, Any]
    ) -> Redundancy:
        return redundancy_of(
            self.values,
            self.sizes,
            delta,
            d=self.d,
            full=self.full,
            by_images=self.by_images,
            full_by_images=self.full_by_images,
            chance=self._chance(chance_corrected),
            **options,
        )

    def above_chance(self, delta: float = 0.9, **options: Any) -> Redundancy | None:
        """Chance-corrected DR of an accuracy that is clearly above guessing; None of others."""
        if self.guessing is None or not self.above_guessing:
            return None
        return self.redundancy(delta, chance_corrected=True, **options)

    def kept(self, k: int, confidence: float = 0.95) -> tuple[float, float, float]:
        """The mean value at a size as a share of the whole layer's, and the ends of its interval
        over seeds and images; these are NaN where there is nothing to resample.
        """
        share = float(self.at(k).mean()) / self.full
        draws = self.resampled(confidence=confidence)
        if draws is None:
            return share, float("nan"), float("nan")
        shares = draws.values[:, self.column(k)] / draws.full
        return share, *percentile_interval(shares, confidence)

    def lost(self, k: int, confidence: float = 0.95) -> tuple[float, float, float]:
        """The whole layer's value less the mean at a size, and the ends of its interval, as for
        :meth:`kept`.
        """
        loss = self.full - float(self.at(k).mean())
        draws = self.resampled(confidence=confidence)
        if draws is None:
            return loss, float("nan"), float("nan")
        return loss, *percentile_interval(draws.full - draws.values[:, self.column(k)], confidence)

    def near_bar(self, delta: float = 0.9) -> bool:
        """Whether k* of DR(delta) could be another of the measured sizes within the solver's error:
        with the means, and the whole layer's value, moved by their shares of undecided images.

        False where no ``solver_error`` is known.

        Raises
        ------
        InputError
            If delta is out of range.

        Examples
        --------
        >>> values, error = [[0.5, 0.719, 0.8]], [[0, 0.002, 0]]
        >>> curve = Curve(
        ...     "logistic_accuracy", "first", (0,), [1, 2, 4], values, d=4, full=0.8,
        ...     solver_error=error,
        ... )
        >>> curve.near_bar(0.9), curve.near_bar(0.8)
        (True, False)
        """
        delta = check_number(delta, "delta", 0, 1, open_low=True)
        if self.solver_error is None or not len(self.sizes):
            return False
        error = np.asarray(self.solver_error, dtype=float).mean(0)
        last = float(error[-1]) if self.sizes[-1] == self.d else 0.0
        ends = [
            smallest_sufficient(
                (self.mean + sign * error)[None], delta * (self.full - sign * last), self.sizes
            )[0]
            for sign in (-1, 1)
        ]
        return not np.array_equal(ends[:1], ends[1:], equal_nan=True)

    def summary(self, **columns: Any) -> pd.DataFrame:
        """One row per size: further columns of constants, then k, the mean, the ends of its 95%
        interval over seeds and images, and the standard deviation over seeds.
        """
        drawn, ends = self.resampled(), np.full((2, len(self.sizes)), np.nan)
        if drawn is not None:
            ends = np.quantile(drawn.values, [0.025, 0.975], axis=0)
        sd = self.values.std(0, ddof=1) if len(self.seeds) > 1 else np.nan
        numbers = {"k": self.sizes, "mean": self.mean, "low": ends[0], "high": ends[1], "sd": sd}
        return pd.DataFrame({**columns, **numbers}, index=range(len(self.sizes)))

    def to_frame(self, **columns: Any) -> pd.DataFrame:
        """One row per seed and size: further columns of constants, then seed, k and value."""
        rows, s = self.values.shape
        return pd.DataFrame(
            {
                **columns,
                "seed": np.repeat(self.seeds, s),
                "k": np.tile(self.sizes, rows),
                "value": self.values.ravel(),
            },
            index=range(rows * s),
        )


def size_of(fraction: float, d: int) -> int:
    """k = int(fraction * d), at least 1: the authors' rounding."""
    return max(1, int(fraction * d))


def diffused_redundancy(
    curve: Curve,
    delta: float = 0.9,
    *,
    chance_corrected: bool = False,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Redundancy:
    """DR(delta) of a curve.

    Parameters
    ----------
    curve : Curve
    delta : float in (0, 1]
    chance_corrected : bool
        Ask for the share delta of what the whole layer's accuracy is above guessing the largest
        class; CKA stays as it is.
    confidence : float
        Of the interval.
    resamples : int
        Bootstrap resamples of seeds and images.
    seed : int
        Of the bootstrap.

    Raises
    ------
    InputError
        If ``curve`` is an array, delta is out of range, or the whole layer's value is not above 0.

    Notes
    -----
    The interval is a percentile bootstrap over seeds, widened for few of them, and over images
    where the curve knows its values on groups of them: it says how much k* would have moved, had
    other random subsets and other images been drawn (test images for accuracy, those that features
    were taken of for CKA). It holds the network, and of accuracy the trained probes, fixed. See
    :mod:`.uncertainty.bootstrap` and, for its coverage, :mod:`.uncertainty.coverage`.

    Examples
    --------
    >>> values = [[0.2, 0.7, 0.9, 0.9], [0.3, 0.8, 0.9, 0.9]]
    >>> curve = Curve("ridge_accuracy", "random", (1, 2), [1, 2, 3, 4], values, d=4, full=0.9)
    >>> redundancy = diffused_redundancy(curve, delta=0.9)
    >>> redundancy.k, redundancy.value
    (3, 0.25)
    """
    if not isinstance(curve, Curve):
        raise InputError(
            f"curve is {type(curve).__name__}: DR is of a Curve, as the measures give it; "
            "of your own values: Curve(measure, selection, seeds, sizes, values, d, full)"
        )
    return curve.redundancy(
        delta,
        chance_corrected=chance_corrected,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
