"""Comparisons of groups: against SciPy and brute force, and how often they are right."""

from __future__ import annotations

import dataclasses
from itertools import permutations

import numpy as np
import pytest
from diffused_redundancy.errors import InputError
from diffused_redundancy.uncertainty.comparison import (
    Comparison,
    at_most,
    compare,
    corrected,
    difference_found,
    holm,
    mean_with_interval,
    permutation_p,
    pooled_sd,
    ratio_with_interval,
    seeds_needed,
    smallest_permutation_p,
)
from diffused_redundancy.uncertainty.trend import trend
from scipy import stats

NAN = float("nan")


@pytest.mark.parametrize(("n", "m"), [(2, 2), (2, 5), (3, 4), (5, 5)])
def test_welch_is_scipys(n, m):
    rng = np.random.default_rng(n + m)
    ours, theirs = rng.standard_normal(n) + 1, 3 * rng.standard_normal(m)
    mine, scipys = compare(ours, theirs), stats.ttest_ind(ours, theirs, equal_var=False)
    interval = scipys.confidence_interval(0.95)
    assert mine.difference == pytest.approx(ours.mean() - theirs.mean())
    assert (mine.p, mine.low, mine.high) == pytest.approx((scipys.pvalue, *interval))
    assert mine.corrected_p == mine.p and mine.networks == (n, m)


def welch(ours, theirs):
    return abs(stats.ttest_ind(ours, theirs, equal_var=False).statistic)


@pytest.mark.parametrize(("n", "m"), [(2, 3), (2, 4), (3, 3), (1, 5)])
def test_the_exact_p_is_that_of_every_relabelling(n, m):
    rng = np.random.default_rng(n * m)
    for shift in (0, 1, 5):
        values = rng.standard_normal(n + m)
        values[:n] += shift
        statistic = welch if min(n, m) > 1 else lambda a, b: abs(np.mean(a) - np.mean(b))
        observed = statistic(values[:n], values[n:])
        every = [statistic(some[:n], some[n:]) for some in map(np.array, permutations(values))]
        brute = np.mean(np.array(every) >= observed * (1 - 1e-9))
        assert permutation_p(values[:n], values[n:]) == pytest.approx(brute)


@pytest.mark.parametrize(("n", "m"), [(4, 6), (5, 5)])
def test_the_exact_p_is_scipys(n, m):
    rng = np.random.default_rng(0)
    ours, theirs = rng.standard_normal(n) + 1.2, rng.standard_normal(m)
    scipys = stats.permutation_test(
        (ours, theirs), welch, n_resamples=np.inf, alternative="greater"
    )
    assert permutation_p(ours, theirs) == pytest.approx(scipys.pvalue)


def test_large_groups_are_relabelled_at_random():
    rng = np.random.default_rng(0)
    ours, theirs = rng.standard_normal(30) + 0.6, rng.standard_normal(30)
    p = permutation_p(ours, theirs)
    assert p == permutation_p(ours, theirs)
    assert p == pytest.approx(stats.ttest_ind(ours, theirs).pvalue, rel=0.2)
    assert permutation_p(ours + 9, theirs) == smallest_permutation_p(30, 30) == 1 / 20_001


def test_the_smallest_p_is_reached_by_groups_far_apart():
    for n, m in ((1, 5), (2, 2), (2, 5), (3, 4), (5, 5)):
        ours, theirs = np.arange(n) + 100.0, np.arange(m) ** 1.5
        assert permutation_p(ours, theirs) == pytest.approx(smallest_permutation_p(n, m))
    assert smallest_permutation_p(5, 5) == 2 / 252 and smallest_permutation_p(1, 1) == 1


def test_nothing_changes_with_unit_and_order():
    rng = np.random.default_rng(1)
    ours, theirs = rng.standard_normal(4), rng.standard_normal(6) + 1
    one = compare(ours, theirs)
    other = compare(1e6 * theirs[::-1] + 7, 1e6 * ours + 7)
    assert other.p == pytest.approx(one.p) and other.exact_p == pytest.approx(one.exact_p)
    assert (other.low, other.high) == pytest.approx((-1e6 * one.high, -1e6 * one.low))


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, NAN, 0.9]) == pytest.approx([1, NAN, 1], nan_ok=True)
    assert holm([]).shape == (0,) and np.isnan(holm([NAN])).all()
    rng = np.random.default_rng(0)
    for _ in range(50):  # rejects what the step-down procedure rejects
        p = rng.random(8) ** 3
        rejected = np.zeros(8, dtype=bool)
        for step, i in enumerate(np.argsort(p)):
            if p[i] > 0.05 / (8 - step):
                break
            rejected[i] = True
        assert ((holm(p) <= 0.05) == rejected).all()
        assert (holm(p) <= 8 * p + 1e-15).all() and (holm(p) >= p).all()
    with pytest.raises(InputError, match="between 0 and 1"):
        holm([0.5, 1.2])


def test_the_number_of_seeds_needed():
    known = {0.5: 64, 0.8: 26, 1.0: 17}  # Cohen's tables, 5% two-sided, power 80%
    assert {effect: seeds_needed(effect, 1.0) for effect in known} == known
    assert seeds_needed(10, 0.0) == seeds_needed(1e9, 1) == seeds_needed(50, 1.0) == 4
    assert seeds_needed(1, 1, level=0.05 / 18) > 17
    assert seeds_needed(0.01, 1.0) is seeds_needed(0, 1.0) is seeds_needed(1, NAN) is None
    rng = np.random.default_rng(0)
    n = seeds_needed(1.5, 1.0)
    ours, theirs = rng.standard_normal((4000, n)) + 1.5, rng.standard_normal((4000, n))
    assert (stats.ttest_ind(ours, theirs, axis=1).pvalue < 0.05).mean() == pytest.approx(
        0.8, abs=0.06
    )


def words(ours, theirs, **how):
    return compare(ours, theirs, **how).words


def test_words_follow_the_numbers():
    five = np.array([0.5, 0.51, 0.49, 0.5, 0.505])
    assert words(five + 0.1, five, margin=0.02) == "higher"
    assert words(five - 0.1, five, margin=0.02) == "lower"
    assert words(five + 0.001, five, margin=0.02) == "no difference larger than 0.02"
    wide = 0.5 + 10 * (five - 0.5)
    undecided = compare(wide + 0.05, wide, margin=0.02)
    assert undecided.words == f"undecided ({undecided.seeds_needed} seeds would decide)"
    assert undecided.seeds_needed == seeds_needed(0.05, pooled_sd([wide, wide])) > 5
    nearly = compare(wide + 0.01, wide, margin=0.2)  # by showing that there is none
    assert nearly.seeds_needed == seeds_needed(0.19, nearly.sd) < seeds_needed(0.01, nearly.sd)


@pytest.mark.parametrize("sign", [1, -1])
def test_what_lies_within_the_margin_is_alike_clear_or_not(sign):
    five = np.array([0.5, 0.5002, 0.4998, 0.5001, 0.4999])
    small = compare(five + sign * 0.0041, five, margin=0.02)
    assert small.clear and max(abs(small.low), abs(small.high)) < 0.0047
    assert small.outcome == "alike" == compare(five, five, margin=0.02).outcome
    word = "higher" if sign > 0 else "lower"
    assert small.words == f"{word}, but by less than 0.02"
    assert compare(five + sign * 0.0041, five, margin=0.0042).outcome != "alike"  # it reaches over
    assert compare(five + sign * 0.0041, five).outcome == ("higher" if sign > 0 else "lower")
    assert compare([0.5, 0.5002], [0.5, 0.5001], margin=0.02).outcome == "no power"


def test_a_p_of_exactly_the_level_is_clear_for_every_test():
    five = [0.5, 0.51, 0.49, 0.5, 0.505]
    one = compare(np.array(five) + 0.1, five)
    for p, clear in ((0.05, True), (3 * (0.05 / 3), True), (0.0501, False)):
        assert dataclasses.replace(one, corrected_p=p).clear == clear
        assert dataclasses.replace(one, exact_p=p).clear == clear
        rising = dataclasses.replace(trend(range(5), [[i] for i in range(5)]), corrected_p=p)
        assert (rising.outcome == "higher") == clear
    assert not at_most(NAN)


def test_without_power_nothing_is_clear():
    two = compare([0.9, 0.9001], [0.1, 0.1001], margin=0.02)
    assert two.p < 1e-4 and two.exact_p == pytest.approx(1 / 3)
    assert two.outcome == "no power" and two.words == "no power (4 seeds would decide)"
    assert compare([0.9], [0.1, 0.2, 0.1, 0.2, 0.1]).outcome == "no power"
    alone = compare([0.9], [0.1])
    assert np.isnan([alone.p, alone.low, alone.sd]).all() and alone.words == (
        "no power (at least 4 seeds are needed)"
    )
    assert "seeds would decide" in compare([0.9], [0.1], sd=0.1).words
    assert words([0.50], [0.5, 0.6], margin=1e-9).startswith("no power (")
    hopeless = words([0.5, 0.7], [0.501, 0.7], margin=0)
    assert hopeless == "no power (over 1,000 seeds would decide)"


def test_values_that_cannot_be_stated_are_left_out():
    five = [0.5, 0.52, 0.49, 0.51, 0.5]
    with_nan = compare([*five, NAN], [0.1, NAN, 0.12, 0.11, 0.1, 0.09])
    without = compare(five, [0.1, 0.12, 0.11, 0.1, 0.09])
    assert with_nan.left_out == 2 and with_nan.networks == (5, 5)
    assert (with_nan.p, with_nan.exact_p) == (without.p, without.exact_p)
    nothing = compare([NAN], five)
    assert nothing.outcome == "unknown" and nothing.words == "cannot be stated"
    assert np.isnan([nothing.difference, nothing.exact_p, nothing.low]).all()


def test_groups_of_equal_values():
    same = compare([0.3] * 5, [0.3] * 5, margin=0.01)
    assert (same.p, same.exact_p, same.low, same.high) == (1, 1, 0, 0) and same.outcome == "alike"
    apart = compare([0.1 + 0.2] * 5, [0.7] * 5)
    assert apart.p == 0 and apart.exact_p == 2 / 252 and apart.outcome == "lower"
    assert compare([0.1 + 0.2] * 5, [0.3] * 5).difference == 0
    assert permutation_p([1.0, 1.0], [2.0, 2.0, 2.0]) == pytest.approx(0.1)


@pytest.mark.parametrize("bad", [[[1.0, 2.0]], [np.inf, 1.0]])
def test_bad_values(bad):
    with pytest.raises(InputError, match="one dimension"):
        compare(bad, [1.0])
    with pytest.raises(InputError, match="one dimension"):
        permutation_p([1.0], bad)


def test_bad_margins_and_empty_groups():
    with pytest.raises(InputError, match="margin"):
        compare([1.0], [2.0], margin=-1)
    with pytest.raises(InputError, match="at least one"):
        permutation_p([], [1.0])
    with pytest.raises(InputError, match="none is NaN"):
        permutation_p([NAN], [1.0])


def test_a_family_counts_what_has_power():
    clear = compare([0.9, 0.91, 0.92, 0.9, 0.89], [0.1, 0.2, 0.1, 0.2, 0.1])
    weak = compare([0.9, 0.91], [0.1, 0.2])
    nothing = compare([], [0.1])
    family = corrected([clear, weak, nothing, clear])
    assert [one.corrected_p for one in family] == pytest.approx(
        [2 * clear.p, NAN, NAN, 2 * clear.p], nan_ok=True
    )
    assert [one.family for one in family] == [2, 3, 3, 2] and corrected([]) == []
    borderline = compare([0.0, 1, 2, 3, 4], [4.2, 4, 5, 6, 7])
    assert borderline.clear and not corrected([borderline] * 18)[0].clear
    assert borderline.seeds_needed < corrected([borderline] * 18)[0].seeds_needed


SPREADS = np.array([1, 1 / 3, 0.5, 1, 1.5, 2, 3])


def table(rng, kind, effect=0.0) -> list[Comparison]:
    """Six groups of five against one reference on three tasks that go together."""
    values = np.sqrt(0.5) * (rng.standard_normal((7, 5, 3)) + rng.standard_normal((7, 5, 1)))
    if "skewed" in kind:
        values = (np.exp(values) - np.exp(0.5)) / np.sqrt(np.e * (np.e - 1))
    if "unequal" in kind:
        values *= SPREADS[:, None, None]
    values[1:4] += effect
    pairs = [(values[i, :, t], values[0, :, t]) for i in range(1, 7) for t in range(3)]
    return corrected([compare(*pair) for pair in pairs])


@pytest.mark.parametrize("kind", ["normal", "unequal", "skewed"])
def test_a_table_rarely_holds_a_false_difference(kind):
    rng = np.random.default_rng(3)
    wrong = np.mean([any(one.clear for one in table(rng, kind)) for _ in range(250)])
    assert wrong <= 0.05 + 2.33 * np.sqrt(0.05 * 0.95 / 250)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "expected"), [("normal", 0.033), ("unequal", 0.042), ("skewed unequal", 0.154)]
)
def test_the_errors_that_are_documented(kind, expected):
    rng = np.random.default_rng(4)
    wrong = np.mean([any(one.clear for one in table(rng, kind)) for _ in range(1500)])
    assert wrong == pytest.approx(expected, abs=3.3 * np.sqrt(expected / 1500))


def test_the_power_that_is_documented():
    rng = np.random.default_rng(5)
    for effect, expected in ((2, 0.21), (3, 0.65), (4, 0.93)):
        found = [
            np.mean([one.clear for one in table(rng, "normal", effect)[:9]]) for _ in range(80)
        ]
        assert np.mean(found) == pytest.approx(expected, abs=0.09)


def test_the_seeds_that_a_table_asks_for_decide_it():
    """With the number of seeds that an undecided comparison asks for, it is found four times in
    five.
    """
    rng = np.random.default_rng(6)
    n = seeds_needed(1.5, 1.0, level=0.05 / 18)
    filler = compare([1.0, 2, 3, 4], [1.1, 2.1, 3, 4])
    found = []
    for _ in range(150):
        one = compare(rng.standard_normal(n) + 1.5, rng.standard_normal(n))
        found.append(corrected([one, *[filler] * 17])[0].clear)
    assert np.mean(found) == pytest.approx(0.8, abs=0.1)


def test_the_difference_that_is_found_needs_that_many_seeds():
    for n in (4, 5, 12):
        found = difference_found(n, 0.3, level=0.01)
        assert seeds_needed(found * 1.001, 0.3, level=0.01) == n
        assert seeds_needed(found * 0.999, 0.3, level=0.01) == n + 1
    assert np.isnan(difference_found(3, 1.0)) and np.isnan(difference_found(5, NAN))
    assert difference_found(5, 0.0) == 0


def test_the_interval_of_a_mean_is_scipys():
    values = [0.3, 0.5, 0.4, 0.9]
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_with_interval([*values, NAN]) == pytest.approx((0.525, *interval))
    assert mean_with_interval([0.3]) == pytest.approx((0.3, NAN, NAN), nan_ok=True)
    assert np.isnan(mean_with_interval([])).all()


def test_a_ratio_holds_what_its_interval_is_made_of():
    """r is an end if 0 is an end of the interval of the mean of ours - r theirs; no end without a
    clear denominator.
    """
    rng = np.random.default_rng(0)
    theirs = rng.normal(3, 0.5, 6)
    ours = 0.4 * theirs + rng.normal(0, 0.2, 6)
    ratio, low, high = ratio_with_interval(ours, theirs)
    assert ratio == pytest.approx(ours.mean() / theirs.mean()) and low < ratio < high
    for end, side in ((low, 1), (high, 2)):
        assert mean_with_interval(ours - end * theirs)[side] == pytest.approx(0, abs=1e-12)
    unclear = ratio_with_interval(ours, theirs - theirs.mean() + 0.01)
    assert np.isnan(unclear[1:]).all()
    assert np.isnan(ratio_with_interval([1.0], [2.0])[1:]).all()


def test_the_interval_of_a_ratio_covers():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(1000):
        theirs = rng.normal(3, 1, 5)
        _, low, high = ratio_with_interval(0.5 * theirs + rng.normal(0, 0.5, 5), theirs)
        held += not (low > 0.5 or high < 0.5)  # without ends everything is held
    assert 0.93 < held / 1000 < 0.97
