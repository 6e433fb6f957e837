"""Two groups compared, and many such comparisons in one table.

The unit is the thing that was drawn anew: of networks, a pre-training seed. Values of one network,
such as those of several selections of neurons, are averaged first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from ..errors import InputError, check_number
from .bootstrap import interval_of_mean

LEVEL = 0.05
"""Of every test; intervals have a confidence of one minus it."""
POWER = 0.8
"""With which a number of seeds would decide."""
MOST_RELABELLINGS = 200_000
"""Up to here every relabelling of two groups is tried, above as many random ones as :data:`DRAWN`.
"""
DRAWN = 20_000
MOST_SEEDS = 1000
"""Above it, no number of seeds is given."""


@dataclass(frozen=True)
class Comparison:
    """The mean of one group less that of another, and what can be said of it.

    Attributes
    ----------
    difference : float
        NaN where a group has no value.
    low, high : float
        95% interval by Welch's t; NaN where a group has fewer than two values.
    p : float
        Of Welch's test, two-sided; NaN as the interval.
    exact_p : float
        Of the permutation test, two-sided; see :func:`permutation_p`.
    smallest_p : float
        The smallest that the permutation test could give, whatever the values.
    networks : tuple of int
        How many values each group has.
    left_out : int
        How many were NaN.
    sd : float
        Pooled within groups; NaN if unknown.
    margin : float
        Differences up to it do not matter.
    corrected_p : float
        ``p``, corrected for the family; see :func:`corrected`.
    family : int
        How many comparisons with power are made together; without power, how many there would be
        if all had it.

    Examples
    --------
    >>> one = compare([0.8, 0.81, 0.79, 0.8, 0.82], [0.7, 0.72, 0.71, 0.7, 0.69], margin=0.02)
    >>> round(one.difference, 3), round(one.exact_p, 4), one.outcome
    (0.1, 0.0079, 'higher')
    """

    difference: float
    low: float
    high: float
    p: float
    exact_p: float
    smallest_p: float
    networks: tuple[int, int]
    left_out: int
    sd: float
    margin: float
    corrected_p: float
    family: int = 1

    @property
    def stated(self) -> bool:
        """Whether both groups have a value."""
        return self.difference == self.difference

    @property
    def has_power(self) -> bool:
        """Whether any values could have made the permutation test significant."""
        return self.stated and at_most(self.smallest_p)

    @property
    def clear(self) -> bool:
        """Whether the corrected p of Welch's test and the permutation test's own p are at most
        5%.
        """
        return self.has_power and at_most(self.corrected_p) and at_most(self.exact_p)

    @property
    def within_margin(self) -> bool:
        """Whether the interval shows that the difference does not matter; False without one."""
        return -self.margin <= self.low and self.high <= self.margin

    @property
    def outcome(self) -> str:
        """``alike`` if the interval lies within the margin, be the difference clear or not; else
        ``higher`` or ``lower`` if it is clear; ``no power``; ``unknown`` without values; or
        ``undecided``.
        """
        if not self.stated:
            return "unknown"
        if not self.has_power:
            return "no power"
        if self.within_margin:
            return "alike"
        if self.clear:
            return "higher" if self.difference > 0 else "lower"
        return "undecided"

    @property
    def seeds_needed(self) -> int | None:
        """How many values per group would decide with a power of 80%, were the difference and the
        SD as observed: find the difference, at 5% over the family, or show that it is within the
        margin. None without an SD, or above 1,000.
        """
        gap = abs(self.difference)
        either = [
            seeds_needed(gap, self.sd, level=LEVEL / self.family),
            seeds_needed(self.margin - gap, self.sd),
        ]
        return min((n for n in either if n is not None), default=None)

    @property
    def words(self) -> str:
        """The outcome for a table.

        >>> compare([0.8], [0.7, 0.72], margin=0.02).words
        'no power (4 seeds would decide)'
        """
        outcome = self.outcome
        if outcome == "alike":
            if not self.clear:
                return f"no difference larger than {self.margin:g}"
            sign = "higher" if self.difference > 0 else "lower"
            return f"{sign}, but by less than {self.margin:g}"
        if outcome == "unknown":
            return "cannot be stated"
        if outcome not in ("no power", "undecided"):
            return outcome
        if self.sd != self.sd:
            return f"{outcome} (at least {least_seeds()} seeds are needed)"
        needed = self.seeds_needed
        count = f"over {MOST_SEEDS:,}" if needed is None else f"{needed}"
        return f"{outcome} ({count} seeds would decide)"


def compare(
    ours: ArrayLike, theirs: ArrayLike, *, margin: float = 0.0, sd: float = float("nan")
) -> Comparison:
    """Compare the means of two groups.

    Parameters
    ----------
    ours, theirs : array (n,), (m,)
        One value per pre-training seed; NaN where it cannot be stated, which leaves it out.
    margin : float
        The largest difference that does not matter, in the unit of the values.
    sd : float
        Within groups, for the number of seeds needed, where neither group has two values.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If a group is not one-dimensional or holds an infinite value, or the margin is negative.

    Notes
    -----
    The interval and ``p`` are Welch's (Biometrika 34, 1947), for groups of unequal spread. They
    lean on the normal distribution, more so the fewer the values; the permutation test does not.

    Examples
    --------
    >>> compare([0.5, 0.6, 0.4, 0.5, 0.55], [0.5, 0.7, 0.6, 0.4, 0.45], margin=0.02).outcome
    'undecided'
    """
    margin = check_number(margin, "margin", 0)
    groups = [_numbers(values, name) for values, name in ((ours, "ours"), (theirs, "theirs"))]
    kept = [values[~np.isnan(values)] for values in groups]
    sizes = (len(kept[0]), len(kept[1]))
    left_out = sum(map(len, groups)) - sum(sizes)
    difference = low = high = p = exact = smallest = float("nan")
    if all(sizes):
        difference = _difference(*kept)
        exact, smallest = permutation_p(*kept), smallest_permutation_p(*sizes)
    if min(sizes) > 1:
        low, high, p = _welch(difference, *kept)
    if max(sizes) > 1:
        sd = pooled_sd(kept)
    return Comparison(
        difference, low, high, p, exact, smallest, sizes, left_out, sd, margin, corrected_p=p
    )


def corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons of one table, with Holm's correction for making that many.

    Comparisons without power take no part in the correction, as they can never be clear (Tarone,
    Biometrics 46, 1990).

    Notes
    -----
    A permutation test of 5 against 5 values gives no p below 2 / 252, so that with Holm's
    correction of it nothing could be clear among more than 6 comparisons. Therefore ``clear`` asks
    that the *corrected* p of Welch's test is at most 5%, and so is the permutation test's *own*
    p. The first keeps the error over the family, the second guards it where groups are too small
    for a t. Simulated with 18 comparisons of 5 against 5 (six groups against one reference on
    three tasks, independent or correlated), the chance of any false one is 3 to 4% for normal
    values, also where SDs differ by a factor of 9, and 1% for log-normal ones. Where groups are
    both log-normal and that unequal in spread it is 15 to 16%. Of true differences of 2, 3 and 4
    SDs it finds 21%, 65% and 93%. A step-down permutation test over tasks (Westfall and Young) with
    Holm's over groups finds 26%, 69% and 95%, but errs in 8% of tables of normal values of unequal
    spread, and in up to 32% of log-normal ones.

    Examples
    --------
    >>> values = [0.8, 0.81, 0.79, 0.8, 0.82], [0.7, 0.72, 0.71, 0.7, 0.69]
    >>> [one.family for one in corrected([compare(*values), compare([1.0], [2.0])])]
    [1, 2]
    """
    ps = holm([one.p if one.has_power else float("nan") for one in comparisons])
    powered = sum(one.has_power for one in comparisons)
    stated = sum(one.stated for one in comparisons)
    return [
        replace(one, corrected_p=float(p), family=max(1, powered if one.has_power else stated))
        for one, p in zip(comparisons, ps, strict=True)
    ]


def at_most(p: float) -> bool:
    """Whether a p value is no larger than 5%, but for rounding: the one rule of every test.

    >>> at_most(3 * (2 / 120)), at_most(0.0501)
    (True, False)
    """
    return p <= LEVEL * (1 + 1e-9)


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's step-down correction (Scandinavian Journal of Statistics 6, 1979).

    Parameters
    ----------
    p_values : array (n,)
        NaN where there was no test; these do not count and stay NaN.

    Returns
    -------
    ndarray (n,)
        To be held against the level of the whole family.

    Raises
    ------
    InputError
        If a value lies outside of 0 to 1.

    Examples
    --------
    >>> holm([0.01, 0.04, float("nan"), 0.03])
    array([0.03, 0.06,  nan, 0.06])
    """
    p = _numbers(p_values, "p values")
    tested = np.flatnonzero(~np.isnan(p))
    if ((p[tested] < 0) | (p[tested] > 1)).any():
        raise InputError("p values must be between 0 and 1")
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    out = np.full(len(p), np.nan)
    out[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return out


def permutation_p(ours: ArrayLike, theirs: ArrayLike) -> float:
    """Two-sided p of the permutation test of two groups.

    The statistic is the absolute Welch t: where groups differ in size *and* spread, tests by the
    difference of means reject too often, and those by Welch's t do so less (Janssen, Statistics &
    Probability Letters 36, 1997). For groups of equal size both give the same p. For a group of
    one, which has no t, it is the absolute difference.

    Parameters
    ----------
    ours, theirs : array (n,), (m,)

    Returns
    -------
    float
        The share of the C(n + m, n) relabellings with a statistic at least as large; above
        200,000 of them, of 20,000 drawn at random and the one observed.

    Raises
    ------
    InputError
        If a group is empty, not one-dimensional, or holds NaN or an infinite value.

    Examples
    --------
    >>> round(permutation_p([1, 2, 3, 4], [5, 6, 7, 8]), 4)  # 2 of 70
    0.0286
    """
    groups = [_numbers(values, name) for values, name in ((ours, "ours"), (theirs, "theirs"))]
    n, m = map(len, groups)
    if not n or not m or np.isnan(np.concatenate(groups)).any():
        raise InputError(f"groups of {n} and {m} values: give each at least one, and none is NaN")
    values = np.concatenate(groups) - np.mean(np.concatenate(groups))
    values /= np.abs(values).max() or 1
    chosen = _relabellings(n + m, n)
    if n == m or min(n, m) == 1:
        statistic = np.abs(values[chosen].sum(1))  # the mean is 0, so one sum says it all
    else:
        statistic = _welch_t(values, chosen)
    return float(np.mean(statistic >= statistic[0] * (1 - 1e-9) - 1e-12))


def smallest_permutation_p(n: int, m: int) -> float:
    """The smallest p that :func:`permutation_p` can give groups of ``n`` and ``m`` values.

    Groups of equal size can be swapped without changing the statistic, which counts twice.

    >>> [round(smallest_permutation_p(*sizes), 3) for sizes in ((2, 2), (1, 5), (4, 4), (5, 5))]
    [0.333, 0.167, 0.029, 0.008]
    """
    count = math.comb(n + m, n)
    return 1 / (DRAWN + 1) if count > MOST_RELABELLINGS else min(1, (1 + (n == m)) / count)


def least_seeds() -> int:
    """How many values in each of two groups let a permutation test reach 5%.

    >>> least_seeds()
    4
    """
    return next(n for n in range(1, MOST_SEEDS) if smallest_permutation_p(n, n) <= LEVEL)


def seeds_needed(effect: float, sd: float, *, level: float = LEVEL) -> int | None:
    """How many values in each of two groups find a difference of means by a two-sided t test, with
    a power of 80%.

    At least so many that the permutation test can reach 5% as well, which is 4.

    Parameters
    ----------
    effect : float
        The true difference.
    sd : float
        Of both groups.
    level : float

    Returns
    -------
    int or None
        None if the effect is not above 0, the SD is NaN, or it takes more than 1,000.

    Examples
    --------
    >>> seeds_needed(1.0, 1.0)
    17
    """
    if not effect > 0 or sd != sd:
        return None

    def enough(n: int) -> bool:
        df, shift = 2 * n - 2, effect / sd * math.sqrt(n / 2) if sd > 0 else math.inf
        bar = stats.t.isf(level / 2, df)
        if shift > bar + 40:  # far beyond where SciPy's distribution is computed well
            return True
        return bool(stats.nct.sf(bar, df, shift) >= POWER)

    low, high = least_seeds(), MOST_SEEDS
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def difference_found(n: int, sd: float, *, level: float = LEVEL) -> float:
    """The true difference of means that two groups of ``n`` values find with a power of 80%; the
    inverse of :func:`seeds_needed`. NaN where a permutation test of them could not reach 5%.

    >>> round(difference_found(17, 1.0), 2), difference_found(3, 1.0)
    (0.99, nan)
    """
    if not sd >= 0 or smallest_permutation_p(n, n) > LEVEL:
        return float("nan")
    df = 2 * n - 2
    bar = stats.t.isf(level / 2, df)
    shift = optimize.brentq(lambda by: stats.nct.sf(bar, df, by) - POWER, 0, bar + 40)
    return float(shift) * sd * math.sqrt(2 / n)


def mean_with_interval(values: ArrayLike) -> tuple[float, float, float]:
    """The mean of a group with its 95% interval by Student's t; NaN ends with fewer than two
    values. NaN among the values are left out.

    >>> [round(end, 2) for end in mean_with_interval([1, 2, 3])]
    [2.0, -0.48, 4.48]
    """
    numbers = _numbers(values, "values")
    numbers = numbers[~np.isnan(numbers)]
    mean = float(numbers.mean()) if len(numbers) else float("nan")
    return mean, *interval_of_mean(numbers, 1 - LEVEL)


def ratio_with_interval(ours: ArrayLike, theirs: ArrayLike) -> tuple[float, float, float]:
    """The mean of a group over that of another, value by value of the same networks, with its 95%
    interval by Fieller's theorem; NaN ends where their mean is not clearly apart from 0, or with
    fewer than two values.

    >>> [round(end, 2) for end in ratio_with_interval([1.0, 1.1, 0.9], [2.0, 2.3, 1.9])]
    [0.48, 0.45, 0.52]
    """
    pair = np.stack([_numbers(ours, "ours"), _numbers(theirs, "theirs")])
    n = pair.shape[1]
    over, under = pair.mean(1)
    ratio = float(over / under) if under else float("nan")
    if n < 2:
        return ratio, float("nan"), float("nan")
    (own, both), (_, square) = stats.t.isf(LEVEL / 2, n - 1) ** 2 / n * np.cov(pair)
    # those r for which 0 is in the interval of the mean of ours - r theirs: a r^2 - 2 b r + c <= 0
    a, b, c = under**2 - square, over * under - both, over**2 - own
    if a <= 0:
        return ratio, float("nan"), float("nan")
    half = math.sqrt(max(0.0, b * b - a * c))
    return ratio, float((b - half) / a), float((b + half) / a)


def pooled_sd(groups: Sequence[np.ndarray]) -> float:
    """The SD within groups of equal variance; NaN if no group has two values.

    >>> round(pooled_sd([np.array([1.0, 3.0]), np.array([5.0])]), 3)
    1.414
    """
    several = [np.asarray(values, dtype=float) for values in groups if len(values) > 1]
    if not several:
        return float("nan")
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in several)
    return math.sqrt(squares / sum(len(values) - 1 for values in several))


def _numbers(values: ArrayLike, name: str) -> np.ndarray:
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim != 1 or np.isinf(numbers).any():
        raise InputError(
            f"{name}, of shape {numbers.shape}, cannot be used: give finite numbers in one "
            "dimension, NaN where there is none"
        )
    return numbers


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Of means; 0 within rounding."""
    difference = float(ours.mean() - theirs.mean())
    return 0.0 if abs(difference) <= 1e-14 * np.abs([*ours, *theirs]).max() else difference


def _welch(difference: float, ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """Ends of the interval, and p."""
    parts = [values.var(ddof=1) / len(values) for values in (ours, theirs)]
    error = math.sqrt(sum(parts))
    if error <= 1e-14 * np.abs([*ours, *theirs]).max():  # all of a group are equal
        return difference, difference, float(difference == 0)
    df = error**4 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (ours, theirs), strict=True)
    )
    half = float(stats.t.isf(LEVEL / 2, df)) * error
    p = float(2 * stats.t.sf(abs(difference) / error, df))
    return difference - half, difference + half, p


def _relabellings(total: int, n: int) -> np.ndarray:
    """Which values are in the first group, (relabellings, n): first those that are."""
    if math.comb(total, n) <= MOST_RELABELLINGS:
        return np.array(list(combinations(range(total), n)))
    drawn = np.random.default_rng(0).permuted(np.tile(np.arange(total), (DRAWN, 1)), axis=1)
    return np.concatenate([np.arange(n)[None], drawn[:, :n]])


def _welch_t(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Absolute Welch t of every relabelling, for values (n + m,) of mean 0 and size up to 1."""
    n, m = chosen.shape[1], len(values) - chosen.shape[1]
    first, squares = values[chosen].sum(1), (values**2)[chosen].sum(1)
    total = float((values**2).sum())
    variance = (squares - first**2 / n) / (n * (n - 1))
    variance += (total - squares - first**2 / m) / (m * (m - 1))
    gap = np.abs(first) * (1 / n + 1 / m)
    statistics: np.ndarray = gap / np.sqrt(np.maximum(variance, 1e-14))
    return statistics  # 0 within rounding if a group's are equal
