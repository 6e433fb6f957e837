"""The test of a trend: against brute force, known distributions, and how often it is right."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from diffused_redundancy.errors import InputError
from diffused_redundancy.uncertainty.trend import corrected_trends, trend
from scipy import stats

NAN = float("nan")


def split(values, sizes):
    return np.split(np.asarray(values, dtype=float), np.cumsum(sizes)[:-1])


def statistic(groups):
    """Jonckheere and Terpstra's, pair by pair."""
    return sum(
        (a < b) + 0.5 * (a == b)
        for i, first in enumerate(groups)
        for second in groups[i + 1 :]
        for a in first
        for b in second
    )


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1, 1), (1, 3, 1, 2), (2, 2, 2), (3, 4)])
@pytest.mark.parametrize("ties", [False, True])
def test_the_exact_p_is_that_of_every_permutation(sizes, ties):
    rng = np.random.default_rng(sum(sizes))
    values = rng.standard_normal(sum(sizes)) + 0.4 * np.arange(sum(sizes))
    values = np.round(values) if ties else values
    mine = trend(range(len(sizes)), split(values, sizes))
    every = np.array([statistic(split(some, sizes)) for some in permutations(values)])
    middle = mine.pairs / 2
    assert mine.statistic == statistic(split(values, sizes))
    assert mine.p == pytest.approx(np.mean(abs(every - middle) >= abs(mine.statistic - middle)))


def test_two_groups_are_the_mann_whitney_test():
    rng = np.random.default_rng(0)
    ours, theirs = rng.standard_normal(5), rng.standard_normal(6) + 1
    scipys = stats.mannwhitneyu(theirs, ours, method="exact")
    mine = trend([0, 1], [ours, theirs])
    assert mine.statistic == scipys.statistic and mine.p == pytest.approx(scipys.pvalue)


def test_one_value_each_is_kendalls_tau():
    values = [0.3, 0.1, 0.5, 0.4, 0.9, 0.8]
    scipys = stats.kendalltau(range(6), values, method="exact")
    mine = trend(range(6), [[value] for value in values])
    assert mine.p == pytest.approx(scipys.pvalue)
    assert 2 * mine.share - 1 == pytest.approx(scipys.statistic)


def test_the_smallest_p():
    perfect = trend(range(5), [[i] for i in range(5)])
    assert perfect.p == perfect.smallest_p == pytest.approx(2 / 120)
    assert perfect.outcome == "higher" and perfect.words == "rises"
    assert trend(range(5), [[-i] for i in range(5)]).words == "falls"
    nine = trend(range(5), [[0], [1], [2, 2.1, 2.2, 2.3, 2.4], [3], [4]])
    assert nine.p == nine.smallest_p == pytest.approx(2 / 3024)
    four = trend(range(4), [[i] for i in range(4)])
    assert four.p == pytest.approx(2 / 24) and four.words == "no power"
    assert trend(range(5), [[0], [2], [1], [4], [3]]).words == "undecided"
    assert trend(range(5), [[1.0]] * 5).p == 1


def test_many_values_are_relabelled_at_random():
    rng = np.random.default_rng(0)
    groups = [rng.standard_normal(5) + 0.3 * i for i in range(5)]
    mine = trend(range(5), groups)
    ways = np.ones(1)  # the distribution without ties, by generating functions
    for n, before in zip((5, 5, 5, 5), (5, 10, 15, 20), strict=True):
        counts = np.zeros(n * before + 1)
        counts[0] = 1
        for i in range(1, n + 1):  # the Gaussian binomial coefficient
            counts = np.convolve(counts, np.r_[1, np.zeros(before + i - 1), -1])
            counts = counts[: n * before + 1]
            for k in range(i, n * before + 1):
                counts[k] += counts[k - i]
        ways = np.convolve(ways, counts)
    far = abs(np.arange(len(ways)) - mine.pairs / 2) >= abs(mine.statistic - mine.pairs / 2)
    exact = ways[far].sum() / ways.sum()
    assert len(ways) == mine.pairs + 1
    assert mine.p == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))
    assert mine.smallest_p == 1 / 20_001 and mine.p == trend(range(5), groups).p


def test_the_slope_is_that_of_all_networks():
    rng = np.random.default_rng(0)
    sizes = (1, 1, 5, 1, 1)
    values = rng.standard_normal(9)
    mine = trend([7, 8, 9, 10, 11], split(values, sizes))
    x = np.repeat([7, 8, 9, 10, 11], sizes)
    line = stats.linregress(x, values)
    half = stats.t.ppf(0.975, 7) * line.stderr
    assert (mine.slope, mine.low, mine.high) == pytest.approx(
        (line.slope, line.slope - half, line.slope + half)
    )
    assert mine.networks == sizes
    assert np.isnan(trend([1, 2], [[1], [2]]).slope)


def test_order_nan_and_missing_groups():
    groups = {7: [0.1], 8: [0.2], 9: [0.3, NAN], 10: [NAN], 11: [0.5]}
    one = trend(list(groups), list(groups.values()))
    other = trend([11, 9, 7, 8], [groups[i] for i in (11, 9, 7, 8)])
    assert (one.p, one.slope) == pytest.approx((other.p, other.slope))
    assert one.networks == (1, 1, 1, 1) and one.left_out == 2
    for nothing in (trend([1, 2], [[NAN], [1.0]]), trend([], [])):
        assert nothing.outcome == "unknown" and nothing.words == "cannot be stated"


def test_bad_input():
    for x, values in (([1, 1], [[1], [2]]), ([1], [[1], [2]]), ([1, NAN], [[1], [2]])):
        with pytest.raises(InputError):
            trend(x, values)
    with pytest.raises(InputError, match="finite"):
        trend([1, 2], [[np.inf], [1]])


def test_a_family_of_trends():
    rising = trend(range(5), [[i] for i in range(5)])
    weak = trend(range(3), [[i] for i in range(3)])
    three = corrected_trends({"a": rising, "b": rising, "c": rising, "d": weak})
    assert three["a"].corrected_p == pytest.approx(0.05) and three["a"].words == "rises"
    assert three["d"].words == "no power"
    four = corrected_trends({name: rising for name in "abcd"})
    assert four["a"].words == "undecided"


def test_a_trend_that_is_not_steady_is_not_resolvable():
    for values, word in ((range(5), "higher"), (range(0, -5, -1), "lower")):
        one = trend(range(5), [[i] for i in values])
        assert one.outcome == word
        other = replace(one, steady=False)
        assert other.outcome == other.words == "not resolvable"
    flat = replace(trend(range(5), [[0], [2], [1], [4], [3]]), steady=False)
    assert flat.outcome == "undecided"


def test_size_and_power():
    """One network at every width but one, which has five."""
    rng = np.random.default_rng(0)
    sizes = (1, 1, 5, 1, 1)
    at = np.repeat(np.arange(5), sizes)

    def found(slope):
        values = rng.standard_normal((120, 9)) + slope * at
        return np.mean([trend(range(5), split(some, sizes)).p <= 0.05 for some in values])

    assert found(0) <= 0.05 + 2.33 * np.sqrt(0.05 * 0.95 / 120)
    assert found(1.5) >= 0.8
