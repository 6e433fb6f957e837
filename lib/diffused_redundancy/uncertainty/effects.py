"""Many effects measured on the same images, such as those of removing each neuron: which are clear,
how many would seem so by chance, and how they are ranked.

Each effect is the mean over images of a paired difference. Images are the unit; what is measured on
them, such as a trained probe, is held fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import false_discovery_control, rankdata, t

from ..errors import InputError
from .comparison import LEVEL

FLIPS = 200
"""Random signs of the images that chance is told from."""

EXPERIMENTS = 200
"""Sets of images drawn anew to see how often an effect is named with the wrong sign."""


@dataclass(frozen=True)
class Effects:
    """Effects with 95% intervals and p values, (d,) each.

    Attributes
    ----------
    images : int
    mean, low, high : ndarray
        The ends by Student's t over images, for one effect at a time.
    p : ndarray
        Two-sided, of no effect; 1 where all differences are 0.
    q : ndarray
        p corrected for the false discovery rate (Benjamini and Hochberg 1995) over the d effects.
    """

    images: int
    mean: np.ndarray
    low: np.ndarray = field(repr=False)
    high: np.ndarray = field(repr=False)
    p: np.ndarray = field(repr=False)
    q: np.ndarray = field(repr=False)

    @property
    def above(self) -> np.ndarray:
        """Which are clearly above 0: bool (d,)."""
        return (self.q <= LEVEL) & (self.mean > 0)

    @property
    def below(self) -> np.ndarray:
        """Which are clearly below 0: bool (d,)."""
        return (self.q <= LEVEL) & (self.mean < 0)

    def bound(self, family: int) -> np.ndarray:
        """What each effect is no less than, one-sided, at 95% for ``family`` effects at once
        (Bonferroni): (d,).

        >>> effects_of(np.array([[1.0], [2.0], [3.0]])).bound(1).round(2)
        array([0.31])
        """
        df = self.images - 1
        wider = t.isf(LEVEL / family, df) / t.isf(LEVEL / 2, df)
        bound: np.ndarray = self.mean - wider * (self.mean - self.low)
        return bound


def effects_of(differences: np.ndarray) -> Effects:
    """The effects of paired differences.

    Parameters
    ----------
    differences : ndarray (m, d)
        Of m images, at least two; InputError otherwise.

    Examples
    --------
    >>> differences = np.random.default_rng(0).normal([0.0, 1.0, -1.0], 1, (100, 3))
    >>> effects = effects_of(differences)
    >>> effects.above, effects.below
    (array([False,  True, False]), array([False, False,  True]))
    """
    values = _checked(differences)
    m = len(values)
    mean = values.mean(0, dtype=float)
    squares = np.einsum("ij,ij->j", values, values, dtype=float) / m
    return _effects(mean, squares, m)


def below_at_once(families: Sequence[Effects]) -> list[np.ndarray]:
    """Which effects are clearly below 0 among those of several families, bool (d,) of each: at a
    false discovery rate of 5% over all of them together.

    Notes
    -----
    One-sided: corrected with the effects above 0, of which there may be thousands, those below
    would pass by a threshold that is none for them.

    Examples
    --------
    >>> differences = np.random.default_rng(0).normal([0.0, 1.0, -1.0], 1, (100, 3))
    >>> below_at_once([effects_of(differences[:, :2]), effects_of(differences[:, 2:])])
    [array([False, False]), array([ True])]
    """
    p = np.concatenate([np.where(one.mean < 0, one.p / 2, 1 - one.p / 2) for one in families])
    named = false_discovery_control(p) <= LEVEL
    return np.split(named, np.cumsum([len(one.mean) for one in families])[:-1])


def _checked(differences: np.ndarray) -> np.ndarray:
    values = np.asarray(differences)
    if values.ndim != 2 or len(values) < 2:
        raise InputError(
            f"differences have shape {values.shape}: they must be (images, effects), of two images "
            "at least"
        )
    return values


def _effects(mean: np.ndarray, squares: np.ndarray, m: int) -> Effects:
    """From the means of differences and of their squares over m images, (..., d)."""
    variance = squares - mean**2
    # rounding may leave something where all differences are equal
    variance = np.where(variance > 1e-12 * squares, variance, 0.0)
    error = np.sqrt(variance / (m - 1))
    statistic = np.divide(np.abs(mean), error, out=np.full(mean.shape, np.inf), where=error > 0)
    p = np.where(mean == 0, 1.0, 2 * t.sf(statistic, m - 1))
    half = t.isf(LEVEL / 2, m - 1) * error
    return Effects(m, mean, mean - half, mean + half, p, false_discovery_control(p, axis=-1))


@dataclass(frozen=True)
class ByChance:
    """What effects would look like if there were none: with the sign of each image's differences
    drawn at random, the same for all effects, so that these depend on one another as they do.

    Attributes
    ----------
    above, below : ndarray (flips,)
        How many would be clearly above, and below, 0.
    ranked : ndarray (d,)
        The mean of the effects sorted, ascending.
    raised : float
        The mean share of effects below 0, whether clearly or not.
    """

    above: np.ndarray = field(repr=False)
    below: np.ndarray = field(repr=False)
    ranked: np.ndarray = field(repr=False)
    raised: float


def by_chance(differences: np.ndarray, *, seed: int = 0) -> ByChance:
    """What these differences would give without any effect.

    Parameters
    ----------
    differences : ndarray (m, d)
    seed : int
        Of the random signs.

    Examples
    --------
    >>> chance = by_chance(np.random.default_rng(0).normal(1, 1, (100, 20)))
    >>> float(chance.above.mean()), bool(np.abs(chance.ranked).max() < 0.3)
    (0.035, True)
    """
    values = _checked(differences)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (FLIPS, len(values)))
    squares = np.einsum("ij,ij->j", values, values, dtype=float) / len(values)
    means = (signs.astype(values.dtype) @ values).astype(float) / len(values)
    found = _effects(means, squares, len(values))
    return ByChance(
        found.above.sum(1),
        found.below.sum(1),
        np.sort(means, 1).mean(0),
        float((means < 0).mean()),
    )


def wrong_signs(differences: np.ndarray, *, experiments: int = EXPERIMENTS, seed: int = 0) -> float:
    """The share of clear effects that have the wrong sign, the mean over experiments: the images
    are taken for a population, whose effects are known, and drawn from it anew, as many as there
    are.

    Examples
    --------
    >>> wrong_signs(np.random.default_rng(0).normal(0.1, 1, (100, 20))) < 0.05
    True
    """
    values = _checked(differences)
    truth = values.mean(0, dtype=float)
    found = _effects(*_redrawn(values, experiments, seed), len(values))
    named = found.above | found.below
    wrong = named & (np.sign(found.mean) != np.sign(truth))
    return float((wrong.sum(1) / np.maximum(1, named.sum(1))).mean())


def _redrawn(values: np.ndarray, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of differences, and of their squares, over images drawn with replacement: (draws, d)
    each.
    """
    m, rng = len(values), np.random.default_rng(seed)
    weights = rng.multinomial(m, np.full(m, 1 / m), size=draws).astype(values.dtype) / m
    return (weights @ values).astype(float), (weights @ values**2).astype(float)


def rank_correlation(
    by_group: np.ndarray, other: np.ndarray, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Spearman's correlation of effects with something else, and the ends of its interval over
    images, with what the effects are of held fixed.

    Parameters
    ----------
    by_group : ndarray (groups, d)
        The effects on disjoint groups of images, equally large.
    other : ndarray (d,)
    confidence : float

    Returns
    -------
    tuple of float
        NaN where effects or the other values are all equal.

    Notes
    -----
    By the jackknife over groups. (Resampled effects are noisier than those at hand, so that a
    bootstrap's correlations would all be too near 0.)

    Examples
    --------
    >>> effects = np.arange(30.0) + np.random.default_rng(0).normal(0, 20, (50, 30))
    >>> rho, low, high = rank_correlation(effects, np.arange(30.0))
    >>> low < rho < high, rho > 0.8
    (True, True)
    """
    groups = len(by_group)
    mean = by_group.mean(0)
    ranks = rankdata(other)
    without = (groups * mean - by_group) / (groups - 1)
    rho = _spearman(mean[None], ranks)[0]
    values = _spearman(without, ranks)
    error = np.sqrt((groups - 1) / groups * ((values - values.mean()) ** 2).sum())
    half = t.isf((1 - confidence) / 2, groups - 1) * error
    return float(rho), float(max(-1.0, rho - half)), float(min(1.0, rho + half))


def _spearman(rows: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Of each row (rows, d) with ranks (d,)."""
    mine = rankdata(rows, axis=1)
    mine -= mine.mean(1, keepdims=True)
    theirs = ranks - ranks.mean()
    scale = np.sqrt((mine**2).sum(1) * (theirs**2).sum())
    rho = np.full(len(rows), np.nan)
    np.divide(mine @ theirs, scale, out=rho, where=scale > 0)
    return rho
