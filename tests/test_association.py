"""Rank correlations and predictions of units left out: against SciPy and scikit-learn, and how
often they err.
"""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.uncertainty import association
from diffused_redundancy.uncertainty.association import (
    corrected_associations,
    gain_over_members,
    predictive_gain,
    rank_correlation,
    reliability,
)
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneOut, cross_val_predict


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(association, "RESAMPLES", 300)
    monkeypatch.setattr(association, "PERMUTATIONS", 999)


def test_rank_correlation_is_scipys():
    rng = np.random.default_rng(0)
    x = rng.integers(6, size=20).astype(float)  # ties
    y = x + rng.normal(0, 2, 20)
    x[3] = y[7] = np.nan
    known = ~np.isnan(x + y)
    theirs = stats.spearmanr(x[known], y[known])
    ours = rank_correlation(x, y)
    assert ours.value == pytest.approx(theirs.statistic) and ours.units == 18
    assert ours.p == pytest.approx(theirs.pvalue, abs=0.03)
    assert ours.low < ours.value < ours.high
    assert rank_correlation(-x, y).value == pytest.approx(-ours.value)


def plain_gain(x, y):
    left_out = LeaveOneOut()
    with_x = cross_val_predict(LinearRegression(), x[:, None], y, cv=left_out)
    without = (y.sum() - y) / (len(y) - 1)
    return 1 - ((y - with_x) ** 2).sum() / ((y - without) ** 2).sum()


def test_gain_is_scikit_learns():
    rng = np.random.default_rng(1)
    x, noise = rng.normal(3, 2, 15), rng.normal(size=15)
    for y in (x + noise, noise, 100 - 5 * x + noise):
        assert predictive_gain(x, y).value == pytest.approx(plain_gain(x, y))
    assert predictive_gain(1000 * x + 7, x + noise).value == pytest.approx(
        predictive_gain(x, x + noise).value
    )


def test_tasks_share_a_slope_and_have_their_own_means():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(12, 2))
    y = 2 * x + [0, 50]
    one = predictive_gain(x, y)
    scaled = np.array([y[:, task] / y[:, task].std() for task in range(2)]).T
    assert predictive_gain(x / x.std(0), scaled).value == pytest.approx(one.value)
    assert one.value > 0.99 and one.p == pytest.approx(1 / 1000)
    opposite = predictive_gain(x, y * [1, -1])  # no common slope
    assert opposite.value < 0.2
    # plainly, for one unit left out at a time
    a, b = (
        (values - values.mean(0)) / values.std(0) for values in (x, y + rng.normal(size=y.shape))
    )
    saved = whole = 0.0
    for unit in range(12):
        others = np.arange(12) != unit
        dx, dy = a[others] - a[others].mean(0), b[others] - b[others].mean(0)
        slope = (dx * dy).sum() / (dx**2).sum()
        from_mean = b[unit] - b[others].mean(0)
        saved += ((from_mean - slope * (a[unit] - a[others].mean(0))) ** 2).sum()
        whole += (from_mean**2).sum()
    assert predictive_gain(a, b).value == pytest.approx(1 - saved / whole)


def test_members_are_left_out_singly_and_drawn_with_their_unit():
    rng = np.random.default_rng(4)
    units = np.repeat(np.arange(12), 4)
    of_unit = rng.normal(size=12)
    x = of_unit[units] + rng.normal(0, 0.1, 48)
    y = of_unit[units] + rng.normal(0, 0.1, 48)
    value, low, high = gain_over_members(x, y, units)
    assert value == pytest.approx(plain_gain(x, y)) and low < value < high
    # four copies of each unit say no more of units than one does
    told = (of_unit + rng.normal(size=12))[units]
    copied = gain_over_members(of_unit[units], told, units)
    other = gain_over_members(of_unit[units], told, np.arange(48))
    assert copied[2] - copied[1] > 1.5 * (other[2] - other[1])
    assert np.isnan(gain_over_members(x, y, units % 4)[0])  # four units
    with pytest.raises(dr.InputError, match="give one for each"):
        gain_over_members(x, y, units[:-1])


def test_missing_values_leave_units_and_tasks_out():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(12, 3))
    y = x + rng.normal(size=(12, 3))
    y[:, 2] = np.nan
    x[4] = np.nan
    kept = np.arange(12) != 4
    assert predictive_gain(x, y).value == pytest.approx(
        predictive_gain(x[kept][:, :2], y[kept][:, :2]).value
    )
    assert predictive_gain(x, y).units == 11
    few = predictive_gain(x[:4, 0], y[:4, 0])
    assert np.isnan(few.value) and np.isnan(few.p) and not few.clear
    assert np.isnan(rank_correlation([1, 2, 3], [1, 2, 3]).value)


def test_a_constant_predictor_gains_nothing():
    y = np.random.default_rng(0).normal(size=10)
    one = predictive_gain(np.ones(10), y)
    assert one.value == 0 and one.p == 1
    constant = rank_correlation(np.ones(10), y)
    assert np.isnan(constant.value) and not constant.clear
    assert np.isnan(predictive_gain(y, np.ones(10)).value)


def test_bad_input():
    with pytest.raises(dr.InputError, match="must be alike"):
        rank_correlation([1, 2], [1, 2, 3])
    for wrong in ({"whole": np.ones(4)}, {"clusters": ["a"] * 6}):
        for of in (rank_correlation, predictive_gain):
            with pytest.raises(dr.InputError, match="5 units.*one for each"):
                of(np.ones(5), np.ones(5), **wrong)
    with pytest.raises(dr.InputError, match="must be alike"):
        predictive_gain(np.ones((5, 2)), np.ones(5))


def test_of_many_that_tell_nothing_few_are_clear(monkeypatch):
    monkeypatch.setattr(association, "RESAMPLES", 2)
    monkeypatch.setattr(association, "PERMUTATIONS", 399)
    rng, ps, tables = np.random.default_rng(4), [], []
    for _ in range(40):
        y = rng.normal(size=15)
        some = [
            of(rng.normal(size=15), y) for of in (rank_correlation, predictive_gain) for _ in "123"
        ]
        ps += [one.p for one in some]
        tables.append(any(one.clear for one in corrected_associations(some)))
    assert 0.02 < np.mean(np.array(ps) <= 0.05) < 0.09
    assert np.mean(tables) < 0.15


def test_the_interval_of_a_gain_holds_the_expected_one():
    rng, rho, held = np.random.default_rng(5), 0.8, []
    expected = 0.6  # of 16 units, from many samples
    for seed in range(60):
        x = rng.normal(size=16)
        y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=16)
        one = predictive_gain(x, y, seed=seed)
        held.append(one.low <= expected <= one.high)
    assert np.mean(held) > 0.85


def test_over_several_tasks_the_correlation_is_the_mean_and_units_are_shuffled_alike():
    rng = np.random.default_rng(6)
    x, noise = rng.normal(size=(14, 3)), rng.normal(size=(14, 3))
    y = x + noise
    one = rank_correlation(x, y)
    by_task = [stats.spearmanr(x[:, task], y[:, task]).statistic for task in range(3)]
    assert one.value == pytest.approx(np.mean(by_task)) and one.p == pytest.approx(2 / 1000)
    # three copies of a task say no more than one of them
    alone = rank_correlation(x[:, 0], y[:, 0], seed=3)
    copies = rank_correlation(x[:, [0, 0, 0]], y[:, [0, 0, 0]], seed=3)
    assert (copies.p, copies.low, copies.high) == pytest.approx((alone.p, alone.low, alone.high))
    y[2, 1] = np.nan  # a unit that lacks a task is left out of all
    kept = np.arange(14) != 2
    assert rank_correlation(x, y).value == pytest.approx(rank_correlation(x[kept], y[kept]).value)
    y[:, 1] = np.nan  # a task that all units lack is left out
    assert rank_correlation(x, y).value == pytest.approx(np.mean([by_task[0], by_task[2]]))
    assert np.isnan(rank_correlation(x, np.full_like(x, np.nan)).value)


def test_what_x_and_y_share_by_their_whole_is_part_of_chance():
    """Counts that have nothing to do with one another, of wholes that differ."""
    rng = np.random.default_rng(7)
    whole = np.repeat([100.0, 200, 400, 800], 5)
    plain, fair = [], []
    for _ in range(60):
        x, y = (1 - rng.uniform(10, 60, 20) / whole for _ in "12")
        plain.append(rank_correlation(x, y).p)
        one = rank_correlation(x, y, whole=whole)
        fair.append(one.p)
        assert one.expected > 0.5
    assert np.mean(np.array(plain) <= 0.05) > 0.9
    assert np.mean(np.array(fair) <= 0.05) < 0.15
    # plainly: counts shuffled, each unit keeps its whole
    counts = (1 - y) * whole
    by_chance = [
        stats.spearmanr(x, 1 - rng.permutation(counts) / whole).statistic for _ in range(400)
    ]
    assert one.expected == pytest.approx(np.mean(by_chance), abs=0.02)
    assert not one.clear  # however far from 0
    same = rank_correlation(x, y, whole=np.full(20, 300.0))
    assert same.p == pytest.approx(rank_correlation(x, y).p)  # shared by all: as without
    gain = predictive_gain(x, y, whole=whole)
    assert gain.expected > predictive_gain(x, y).expected and gain.p > predictive_gain(x, y).p


def test_one_cluster_is_left_out_at_a_time():
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(2, 15))
    x[:3] = y[:3] = [10, 11, 12]  # three that are alike make the correlation
    clusters = ["alike"] * 3 + list("abcdefghijkl")
    one = rank_correlation(x, y, clusters=clusters)
    others = [stats.spearmanr(x[3:], y[3:]).statistic]
    others += [stats.spearmanr(np.delete(x, i), np.delete(y, i)).statistic for i in range(3, 15)]
    assert (one.least, one.largest) == pytest.approx((min(others), max(others)))
    assert one.least == pytest.approx(others[0]) and one.value > one.least + 0.2
    gain = predictive_gain(x, y, clusters=clusters)
    assert gain.value > 0.5 > 0.2 > gain.least == pytest.approx(plain_gain(x[3:], y[3:]))


def test_reliability_is_the_share_of_variance_between_groups_that_is_theirs():
    rng = np.random.default_rng(9)
    sizes = rng.integers(1, 5, 200)
    some = [rng.normal(rng.normal(0, 2), 1, n) for n in sizes]
    noise = np.mean(1 / sizes)
    value, least = reliability(some)
    assert value == pytest.approx(4 / (4 + noise), abs=0.05) and least < value
    nothing = [rng.normal(0, 1, 5) for _ in range(30)]
    one_apart = reliability([*nothing, np.array([50.0, 51.0])])
    assert one_apart[0] > 0.9 and one_apart[1] == pytest.approx(reliability(nothing)[0])
    assert one_apart[1] < 0.5
    plain = 1 - np.mean([one.var(ddof=1) for one in nothing]) / 5 / np.var(
        [one.mean() for one in nothing], ddof=1
    )
    assert reliability(nothing)[0] == pytest.approx(plain)
    gaps = [np.append(one, np.nan) for one in nothing] + [np.array([np.nan])]
    assert reliability(gaps)[0] == pytest.approx(plain)
    assert np.isnan(reliability([[1.0], [2.0], [3.0]])[0])  # nothing is known of the noise
    assert np.isnan(reliability([[1.0, 1.0], [1.0], [1.0]])[0])
