"""Whether one number of a unit tells another: their rank correlation, and how well the one predicts
the other for a unit that was left out.

A unit is what was drawn anew and is independent of others. Where several values belong to one, such
as those of networks that differ in their seed only, they are averaged first: ten seeds of one loss
say nothing of other losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ..errors import InputError
from .bootstrap import percentile_interval
from .comparison import at_most, holm

RESAMPLES = 2000
"""Bootstrap resamples of units."""

PERMUTATIONS = 4999
"""Random ways to share out the one number to the units; with the observed one 5,000."""

FEWEST_UNITS = 5
"""Below it, nothing is stated: five units can be ordered in 120 ways."""


@dataclass(frozen=True)
class Association:
    """How far x tells y.

    Attributes
    ----------
    value : float
        A rank correlation, or a gain; NaN with fewer than five units, or where all are equal.
    low, high : float
        95% bootstrap interval over units.
    p : float
        Of the permutation test.
    units : int
    corrected_p : float
        ``p``, corrected for the family; see :func:`corrected_associations`.
    """

    value: float
    low: float
    high: float
    p: float
    units: int
    corrected_p: float

    @property
    def clear(self) -> bool:
        """Whether the corrected p is at most 5% and the interval leaves out 0: units taken to be
        exchangeable, and units drawn anew.
        """
        return at_most(self.corrected_p) and (self.low > 0 or self.high < 0)


_NAN = float("nan")

NOTHING = Association(_NAN, _NAN, _NAN, _NAN, 0, _NAN)
"""Where nothing can be stated."""


def rank_correlation(x: Any, y: Any, *, seed: int = 0) -> Association:
    """Spearman's rank correlation.

    Parameters
    ----------
    x, y : array (units,)
        NaN where there is no value, which leaves the unit out.
    seed : int
        Of the bootstrap and the permutations.

    Returns
    -------
    Association
        ``p`` is two-sided.

    Raises
    ------
    InputError
        If x and y are not one-dimensional and equally long.

    Examples
    --------
    >>> x = np.arange(12)
    >>> one = rank_correlation(x, x**2)
    >>> one.value, one.units, one.p < 0.001
    (1.0, 12, True)
    """
    ours, theirs = _columns(x, y)
    if ours.shape[1] != 1:
        raise InputError(f"values have shape {np.shape(x)}: give one for each unit")
    kept = ~np.isnan(ours[:, 0] + theirs[:, 0])
    ours, theirs = ours[kept, 0], theirs[kept, 0]
    if len(ours) < FEWEST_UNITS:
        return replace(NOTHING, units=len(ours))
    rng = np.random.default_rng(seed)
    observed = float(_correlations(rankdata(ours)[None], rankdata(theirs)[None])[0])
    if np.isnan(observed):  # all are equal
        return replace(NOTHING, units=len(ours))
    drawn = rng.integers(len(ours), size=(RESAMPLES, len(ours)))
    draws = _correlations(rankdata(ours[drawn], axis=1), rankdata(theirs[drawn], axis=1))
    orders = rng.permuted(np.tile(rankdata(ours), (PERMUTATIONS, 1)), axis=1)
    by_chance = np.abs(_correlations(orders, rankdata(theirs)[None]))
    p = (1 + int((by_chance >= abs(observed) - 1e-12).sum())) / (1 + PERMUTATIONS)
    return Association(observed, *_interval(draws), p, len(ours), p)


def _correlations(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Pearson's, of each row; NaN where a row is constant."""
    a, b = (rows - rows.mean(1, keepdims=True) for rows in (ours, theirs))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))


def _interval(draws: np.ndarray) -> tuple[float, float]:
    known = draws[~np.isnan(draws)]
    return percentile_interval(known) if len(known) else (float("nan"), float("nan"))


def _columns(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    ours, theirs = (np.asarray(values, dtype=float) for values in (x, y))
    if ours.shape != theirs.shape or ours.ndim not in (1, 2):
        raise InputError(f"x has shape {ours.shape} and y {theirs.shape}: they must be alike")
    return ours.reshape(len(ours), -1), theirs.reshape(len(theirs), -1)


def predictive_gain(x: Any, y: Any, *, seed: int = 0) -> Association:
    """How much better y of a unit is predicted from its x than without.

    Each unit is left out in turn. A line is fitted to the others, and its prediction compared with
    theirs without x, the mean of the others. The gain is the share of the sum of squared errors
    that the line saves: 1 if it predicts perfectly, 0 if it is no better than the mean, below 0 if
    it is worse, as it is when x tells nothing.

    Parameters
    ----------
    x, y : array (units,) or (units, tasks)
        With several tasks every one has an intercept of its own, and all share the slope, once x
        and y of a task are divided by their standard deviation. NaN where there is no value.
    seed : int
        Of the bootstrap and the permutations.

    Returns
    -------
    Association
        ``p`` is one-sided: how often x of other units, all tasks together, would gain as much.

    Raises
    ------
    InputError
        If x and y differ in shape.

    Notes
    -----
    The bootstrap leaves out each unit of a resample anew, with all its copies. Simulated with
    normal values of 12 and 20 units and correlations of 0 to 0.9, its interval holds the expected
    gain in 93 to 100% of the cases; one that resamples the errors found once, in 73 to 97%.

    Examples
    --------
    >>> x = np.arange(10.0)
    >>> round(predictive_gain(x, 3 - 2 * x).value, 6), predictive_gain(np.ones(10), x).value
    (1.0, 0.0)
    """
    ours, theirs = _columns(x, y)
    known = ~np.isnan(ours + theirs)
    rows, columns = known.any(1), known.any(0)
    ours, theirs = (
        _scaled(np.where(known, values, np.nan)[rows][:, columns]) for values in (ours, theirs)
    )
    units = len(ours)
    if units < FEWEST_UNITS:
        return replace(NOTHING, units=units)
    rng = np.random.default_rng(seed)
    observed = float(_gains(ours[None], theirs, np.ones((1, units)))[0])
    if np.isnan(observed):
        return replace(NOTHING, units=units)
    weights = rng.multinomial(units, np.full(units, 1 / units), size=RESAMPLES).astype(float)
    draws = _gains(ours[None], theirs, weights)
    orders = np.argsort(rng.random((PERMUTATIONS, units)), axis=1)
    by_chance = _gains(ours[orders], theirs, np.ones((1, units)))
    p = (1 + int((by_chance >= observed - 1e-12).sum())) / (1 + PERMUTATIONS)
    return Association(observed, *_interval(draws), p, units, p)


def _scaled(values: np.ndarray) -> np.ndarray:
    """Each column less its mean, over its standard deviation (if it has one)."""
    centred = values - np.nanmean(values, 0)
    spread = np.nanstd(centred, 0)
    return centred / np.where(spread > 1e-12 * np.abs(values).max(initial=1), spread, 1)


def _gains(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The gain for each of several x (b, units, tasks) or whole weights of the units (b, units);
    either may be one for all.
    """
    known = ~np.isnan(x) & ~np.isnan(y)
    w = weights[:, :, None] * known  # (b, units, tasks)
    ours, theirs = np.where(known, x, 0), np.where(known, y, 0)

    def of_others(values: np.ndarray) -> np.ndarray:
        """The weighted sum over all units but each, (b, units, tasks)."""
        return (w * values).sum(1, keepdims=True) - w * values

    count = of_others(np.ones_like(ours))
    # a unit counts where another one is left to predict it from
    counts = w * (count > 0.5)
    count = np.maximum(count, 1)
    mean_x, mean_y = of_others(ours) / count, of_others(theirs) / count
    squares = (of_others(ours**2) - count * mean_x**2).sum(2, keepdims=True)
    products = (of_others(ours * theirs) - count * mean_x * mean_y).sum(2, keepdims=True)
    slope = np.where(squares > 1e-9, products / np.maximum(squares, 1e-9), 0)
    of_mean = theirs - mean_y
    of_line = of_mean - slope * (ours - mean_x)
    saved, whole = ((counts * errors**2).sum((1, 2)) for errors in (of_line, of_mean))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, 1 - saved / whole, np.nan)


def corrected_associations(associations: Sequence[Association]) -> list[Association]:
    """Associations that are read together, with Holm's correction.

    >>> one = rank_correlation(range(8), range(8))
    >>> two = corrected_associations([one, one])
    >>> two[0].corrected_p == 2 * one.p
    True
    """
    ps = holm([one.p for one in associations])
    return [replace(one, corrected_p=float(p)) for one, p in zip(associations, ps, strict=True)]
