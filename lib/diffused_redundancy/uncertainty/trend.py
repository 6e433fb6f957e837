"""Whether values rise or fall with a number, such as the width of a layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ..errors import InputError
from .comparison import DRAWN, LEVEL, MOST_RELABELLINGS, at_most, holm


@dataclass(frozen=True)
class Trend:
    """How values change with x.

    Attributes
    ----------
    statistic : float
        Jonckheere and Terpstra's: of all pairs of values at different x, the number in which the
        one at the larger x is larger, ties counted half.
    pairs : int
        All such pairs.
    p : float
        Exact, two-sided; see :func:`trend`.
    smallest_p : float
        The smallest it could be, whatever the values.
    slope, low, high : float
        Of the least-squares line, per unit of x, with its 95% interval; NaN without at least three
        values.
    networks : tuple of int
        How many values there are at each x.
    left_out : int
        How many were NaN.
    corrected_p : float
        ``p``, corrected for the family; see :func:`corrected_trends`.
    steady : bool
        False where a choice that the data leave open would change the outcome.
    """

    statistic: float
    pairs: int
    p: float
    smallest_p: float
    slope: float
    low: float
    high: float
    networks: tuple[int, ...]
    left_out: int
    corrected_p: float
    steady: bool = True

    @property
    def share(self) -> float:
        """The share of pairs in which the value at the larger x is larger: 1 if it always rises."""
        return self.statistic / self.pairs if self.pairs else float("nan")

    @property
    def has_power(self) -> bool:
        """Whether any values could have made the test significant."""
        return at_most(self.smallest_p)

    @property
    def outcome(self) -> str:
        """``higher`` (rises with x) or ``lower`` (falls) where the corrected p is at most 5%, or
        ``not resolvable`` where it is but the trend is not steady; ``no power``, ``undecided``, or
        ``unknown`` with values at fewer than two x.
        """
        if not self.pairs:
            return "unknown"
        if not self.has_power:
            return "no power"
        if at_most(self.corrected_p) and self.share != 0.5:
            if not self.steady:
                return "not resolvable"
            return "higher" if self.share > 0.5 else "lower"
        return "undecided"

    @property
    def words(self) -> str:
        """The outcome for a table."""
        words = {"higher": "rises", "lower": "falls", "unknown": "cannot be stated"}
        return words.get(self.outcome, self.outcome)


def trend(x: Sequence[float], values: Sequence[ArrayLike]) -> Trend:
    """Test whether values rise or fall with x, in whatever shape.

    Parameters
    ----------
    x : sequence of float (groups,)
        Distinct, such as logarithms of widths.
    values : sequence of arrays (n,)
        Of each x: one value per pre-training seed, or a single one; NaN where it cannot be stated,
        which leaves it out.

    Returns
    -------
    Trend

    Raises
    ------
    InputError
        If there are not as many groups as x, x repeats or holds NaN, or a value is infinite.

    Notes
    -----
    If x does not matter, every assignment of the values to the groups is equally likely. ``p`` is
    the share of assignments whose statistic is at least as far from its mean: over all of them,
    or, above 200,000, over 20,000 drawn at random and the one observed. Jonckheere, Biometrika 41
    (1954); Terpstra, Indagationes Mathematicae 14 (1952). Five x with one value each have 120
    assignments, so that a perfect order has p = 2 / 120. The interval of the slope takes values to
    be independent and their scatter about the line to be normal.

    Examples
    --------
    >>> rising = trend([7, 8, 9, 10, 11], [[0.1], [0.2], [0.4], [0.5], [0.9]])
    >>> round(rising.p, 4), rising.share, rising.outcome, round(rising.slope, 2)
    (0.0167, 1.0, 'higher', 0.19)
    """
    places = np.asarray(x, dtype=float)
    groups = [np.asarray(some, dtype=float) for some in values]
    if places.ndim != 1 or len(places) != len(groups) or len(np.unique(places)) != len(places):
        raise InputError(
            f"{len(groups)} groups of values cannot be put at x = {places.tolist()}: give one "
            "distinct x for each"
        )
    if np.isnan(places).any() or any(g.ndim != 1 or np.isinf(g).any() for g in groups):
        raise InputError("x must be numbers, and each group finite numbers in one dimension")
    order = np.argsort(places)
    kept = [groups[i][~np.isnan(groups[i])] for i in order]
    left_out = sum(map(len, groups)) - sum(map(len, kept))
    some = [i for i, group in enumerate(kept) if len(group)]
    sizes = tuple(len(kept[i]) for i in some)
    flat = np.concatenate([kept[i] for i in some]) if some else np.zeros(0)
    at = np.repeat(places[order][some], sizes)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    pairs = (sum(sizes) ** 2 - sum(n**2 for n in sizes)) // 2
    statistic = p = smallest = float("nan")
    if pairs:
        signs = _signs(flat)
        every = np.concatenate([_statistics(signs, some) for some in _labellings(labels)])
        statistic = float(every[0])
        far = np.abs(every - pairs / 2)
        p = float(np.mean(far >= far[0] - 1e-9))
        smallest = _smallest_p(sizes)
    return Trend(statistic, pairs, p, smallest, *_slope(at, flat), sizes, left_out, corrected_p=p)


def corrected_trends(trends: Mapping[str, Trend]) -> dict[str, Trend]:
    """Trends that are read together, with Holm's correction; those without power take no part.

    >>> rising = trend([1, 2, 3, 4, 5], [[1], [2], [3], [4], [5]])
    >>> two = corrected_trends({"digits": rising, "letters": rising})
    >>> round(two["digits"].corrected_p, 4)
    0.0333
    """
    ps = holm([one.p if one.has_power else float("nan") for one in trends.values()])
    return {
        name: replace(one, corrected_p=float(p))
        for (name, one), p in zip(trends.items(), ps, strict=True)
    }


def _signs(values: np.ndarray) -> np.ndarray:
    """(n, n): 1 where the value of the column is larger than that of the row, 1/2 where equal."""
    signs: np.ndarray = (values[:, None] < values) + 0.5 * (values[:, None] == values)
    return signs


def _statistics(signs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The statistic of each labelling (m, n)."""
    later = labels[:, :, None] < labels[:, None, :]
    statistics: np.ndarray = (later * signs).sum((1, 2))
    return statistics


def _labellings(labels: np.ndarray) -> Iterator[np.ndarray]:
    """Blocks of labellings (m, n), the observed one first."""
    block = 2000
    sizes = tuple(np.bincount(labels).tolist())
    if assignments(sizes) <= MOST_RELABELLINGS:
        every = _every_labelling(sizes)
        yield from (every[i : i + block] for i in range(0, len(every), block))
        return
    yield labels[None]
    rng = np.random.default_rng(0)
    for _ in range(0, DRAWN, block):
        yield rng.permuted(np.tile(labels, (block, 1)), axis=1)


@lru_cache(maxsize=4)
def _every_labelling(sizes: tuple[int, ...]) -> np.ndarray:
    """(m, n), the sorted one first: each group is put in all ways among those before it."""
    every = np.zeros((1, 0), dtype=np.int8)
    for label, size in enumerate(sizes):
        before = every.shape[1]
        places = np.array(list(combinations(range(before + size), before)), dtype=int)
        merged = np.full((len(places), len(every), before + size), label, dtype=np.int8)
        np.put_along_axis(merged, places[:, None], every[None], 2)
        every = merged.reshape(-1, before + size)
    return every


def assignments(sizes: Sequence[int]) -> int:
    """How many ways there are to assign values to groups of some sizes.

    >>> assignments([2, 2])
    6
    """
    return math.factorial(sum(sizes)) // math.prod(map(math.factorial, sizes))


def _smallest_p(sizes: Sequence[int]) -> float:
    """In perfect order, or its reverse."""
    count = assignments(sizes)
    return 1 / (DRAWN + 1) if count > MOST_RELABELLINGS else 2 / count


def _slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """The least-squares slope and its interval."""
    if len(x) < 3 or len(np.unique(x)) < 2:
        return float("nan"), float("nan"), float("nan")
    line = stats.linregress(x, y)
    half = float(stats.t.isf(LEVEL / 2, len(x) - 2)) * float(line.stderr)
    return float(line.slope), float(line.slope) - half, float(line.slope) + half
