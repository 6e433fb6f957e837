"""Fairness over classes: against plain loops and SciPy, and by what must not change it."""

from __future__ import annotations

import math
from itertools import pairwise

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.measures.fairness import (
    coefficient_of_variation,
    expected_gini,
    gini,
    mean_agreement,
    rank_correlation,
    worst,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr, variation

NAN = float("nan")
REDUCED = [gini, coefficient_of_variation, worst, lambda values: worst(values, 0.5)]
accuracies = st.lists(st.integers(0, 100).map(lambda n: n / 100), min_size=2, max_size=12)
with_missing = st.lists(
    st.one_of(st.just(NAN), st.integers(0, 100).map(lambda n: n / 100)), min_size=4, max_size=12
).filter(lambda values: sum(not math.isnan(v) for v in values) >= 2)


def plain_gini(values: list[float]) -> float:
    """Half the mean absolute difference over all ordered pairs, as a share of the mean."""
    count, total = len(values), sum(values)
    differences = sum(abs(a - b) for a in values for b in values) / count**2
    return differences / (2 * total / count) if total else 0.0


def plain_spearman(a: list[float], b: list[float]) -> float:
    def ranks(row: list[float]) -> list[float]:
        return [sum(y < x for y in row) + (sum(y == x for y in row) + 1) / 2 for x in row]

    p, q = ranks(a), ranks(b)
    mean = (len(a) + 1) / 2
    product = sum((x - mean) * (y - mean) for x, y in zip(p, q, strict=True))
    return product / math.sqrt(sum((x - mean) ** 2 for x in p) * sum((y - mean) ** 2 for y in q))


@settings(deadline=None)
@given(accuracies)
def test_gini_is_half_the_mean_absolute_difference(values):
    assert gini(values) == pytest.approx(plain_gini(values), abs=1e-12)
    assert -1e-12 <= gini(values) <= 1 - 1 / len(values) + 1e-12


@pytest.mark.parametrize("classes", [2, 3, 10, 131])
def test_gini_of_extremes(classes):
    assert gini(np.eye(classes)[0]) == pytest.approx(1 - 1 / classes)
    assert gini(np.full(classes, 0.3)) == pytest.approx(0, abs=1e-12)
    assert gini(np.arange(1, classes + 1)) == pytest.approx(
        (classes - 1) / (3 * classes)
    )  # 1, 2, ..., C has (C - 1) / (3C)


def test_moving_accuracy_from_poor_to_rich_raises_gini():
    assert gini([0.1, 0.4, 0.6, 0.9]) > gini([0.2, 0.4, 0.6, 0.8]) > gini([0.2, 0.5, 0.5, 0.8])


@settings(deadline=None)
@given(accuracies)
def test_variation_is_that_of_scipy(values):
    expected = variation(values) if any(values) else 0.0
    assert coefficient_of_variation(values) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@example([0.9, 0.1, 0.5], 1)
@given(accuracies, st.integers(0, 12))
def test_worst_is_the_mean_of_the_lowest(values, asked):
    count = min(asked, len(values))
    lowest = sorted(values)[: max(count, 1)]
    share = (
        (count + 0.5) / len(values) if count < len(values) else 1.0
    )  # half a class more is rounded down
    assert worst(values, share) == pytest.approx(sum(lowest) / len(lowest))
    assert worst(values) == min(values)


@settings(deadline=None)
@given(accuracies, st.floats(0.01, 1), st.randoms(use_true_random=False))
def test_only_the_shares_of_classes_matter_not_scale_or_order(values, scale, rng):
    shuffled = rng.sample(values, len(values))
    for measure in (gini, coefficient_of_variation):
        assert measure(np.multiply(values, scale)) == pytest.approx(measure(values), abs=1e-9)
    for measure in REDUCED:
        assert measure(shuffled) == pytest.approx(measure(values), abs=1e-12)


@settings(deadline=None)
@given(with_missing)
def test_classes_without_images_are_as_if_absent(values):
    present = [v for v in values if not math.isnan(v)]
    for measure in REDUCED:
        assert measure(values) == measure(present)


@pytest.mark.parametrize("shape", [(7,), (1, 7), (3, 7), (2, 3, 7)])
def test_the_last_axis_is_reduced(shape):
    values = np.random.default_rng(0).random(shape)
    values[..., 2] = NAN
    for measure in REDUCED:
        reduced = measure(values)
        assert np.shape(reduced) == shape[:-1]
        assert np.array_equal(
            reduced, np.array([measure(row) for row in values.reshape(-1, 7)]).reshape(shape[:-1])
        )


def test_rows_without_any_right_guess_are_even():
    rows = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.6]]
    assert gini(rows) == pytest.approx([0, 2 / 3])
    assert coefficient_of_variation(rows) == pytest.approx([0, math.sqrt(2)])
    assert worst(rows).tolist() == [0, 0] and worst(rows, 1) == pytest.approx([0, 0.2])


@pytest.mark.parametrize("measure", [gini, coefficient_of_variation, worst])
@pytest.mark.parametrize(
    "values, words",
    [
        (0.5, r"shape \(\) cannot be used"),
        ([0.5], r"shape \(1,\) cannot be used: its last axis must hold at least two classes"),
        ([0.5, NAN], "fewer than two classes have test images"),
        ([[0.5, 0.5, NAN], [0.5, NAN, 0.5]], "must be the same in every row"),
        ([0.5, -0.25], "must not be negative: the least is -0.25"),
    ],
)
def test_what_is_no_accuracy_by_class(measure, values, words):
    with pytest.raises(dr.InputError, match=words):
        measure(values)


@pytest.mark.parametrize("share, nearest", [(-0.1, "0"), (1.5, "1")])
def test_a_share_of_classes_out_of_range(share, nearest):
    with pytest.raises(
        dr.InputError,
        match=rf"share is {share:g}: it must be at least 0 and at most 1 \(nearest: {nearest}\)",
    ):
        worst([0.1, 0.2], share)


def test_rank_correlation_with_ties_is_that_of_scipy_and_of_plain_ranks():
    rows = (
        np.random.default_rng(0).integers(0, 4, (5, 9)) / 4
    )  # four values over nine classes: ties in every row
    found = rank_correlation(rows)
    assert found == pytest.approx(spearmanr(rows, axis=1).statistic, abs=1e-12)
    assert found[1, 3] == pytest.approx(
        plain_spearman(rows[1].tolist(), rows[3].tolist()), abs=1e-12
    )
    others = rank_correlation(rows[:2], rows[2:])
    assert others.shape == (2, 3) and others == pytest.approx(found[:2, 2:], abs=1e-12)


def test_rank_correlation_sees_the_order_only():
    rows = np.random.default_rng(1).random((4, 20))
    assert rank_correlation(np.exp(5 * rows)) == pytest.approx(rank_correlation(rows), abs=1e-12)
    assert rank_correlation(rows, -rows).diagonal() == pytest.approx(-1) and rank_correlation(
        rows
    ).diagonal() == pytest.approx(1)
    columns = np.random.default_rng(2).permutation(20)
    assert rank_correlation(rows[:, columns]) == pytest.approx(rank_correlation(rows), abs=1e-12)
    assert rank_correlation(rows[0], rows[1]).shape == (1, 1)


def test_rank_correlation_of_two_classes_and_its_bounds():
    found = rank_correlation([[0.1, 0.2], [0.4, 0.3], [0.5, 0.9]])
    assert found == pytest.approx(np.array([[1, -1, 1], [-1, 1, -1], [1, -1, 1]]))
    assert rank_correlation([["1", "10", "9"]], [[1, 10, 9]]) == pytest.approx(1)  # numbers
    rows = np.random.default_rng(0).random((40, 13))
    rows = np.concatenate([rows, -rows, np.exp(rows)])
    assert np.abs(rank_correlation(rows)).max() <= 1  # also to rounding


def test_constant_rows_have_no_order():
    found = rank_correlation([[0.1, 0.2, 0.3], [0.5, 0.5, 0.5], [0.3, 0.2, 0.1]])
    assert np.isnan(found[1]).all() and np.isnan(found[:, 1]).all()
    assert found[0, 2] == pytest.approx(-1) and found[0, 0] == pytest.approx(1)


@pytest.mark.parametrize(
    "rows, others, words",
    [
        ([[0.1, NAN]], None, r"shape \(1, 2\) cannot be ranked: .* without NaN"),
        ([[0.1], [0.2]], None, "two classes or more"),
        (np.zeros((2, 2, 2)), None, r"shape \(2, 2, 2\) cannot be ranked"),
        ([[0.1, 0.2]], [[0.1, 0.2, 0.3]], "rows of 2 and of 3 classes cannot be compared"),
    ],
)
def test_what_cannot_be_ranked(rows, others, words):
    with pytest.raises(dr.InputError, match=words):
        rank_correlation(rows, others)


def test_mean_agreement_is_the_mean_over_pairs_with_an_order():
    rows = [[0.1, 0.5, 0.9, 0.5], [0.2, 0.2, 0.2, 0.2], [0.9, 0.1, 0.3, 0.2], [0.4, 0.6, 0.8, 0.7]]
    ordered = [rows[0], rows[2], rows[3]]
    pairs = [plain_spearman(a, b) for i, a in enumerate(ordered) for b in ordered[i + 1 :]]
    assert mean_agreement(rows) == pytest.approx(sum(pairs) / 3)
    assert mean_agreement(rows) == pytest.approx(mean_agreement(rows[::-1]))


def test_agreement_needs_two_rows_with_an_order():
    assert math.isnan(mean_agreement([[0.1, 0.2, 0.3]]))
    assert math.isnan(mean_agreement([[0.1, 0.2, 0.3], [0.5, 0.5, 0.5]]))
    assert mean_agreement([[0.1, 0.2, 0.3], [0.2, 0.4, 0.9]]) == pytest.approx(1)


def test_chance_alone_gives_less_gini_with_more_test_images():
    found = [expected_gini(0.7, np.full(10, n)) for n in (5, 50, 500, 5_000, 50_000_000)]
    assert all(a > 2 * b for a, b in pairwise(found))  # it falls as 1 / sqrt(n)
    assert found[-1] < 1e-3
    assert found[1] / found[3] == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize("accuracy, counts", [(0.3, [12] * 6), (0.8, [40, 10, 25, 60])])
def test_expected_gini_is_that_of_another_simulation(accuracy, counts):
    rng = np.random.default_rng(5)
    drawn = [plain_gini([(rng.random(n) < accuracy).mean() for n in counts]) for _ in range(3_000)]
    error = np.std(drawn) * math.sqrt(1 / 3_000 + 1 / 4_000)  # of the difference of two means
    assert expected_gini(accuracy, counts, draws=4_000, seed=1) == pytest.approx(
        np.mean(drawn), abs=4 * error
    )
    assert expected_gini(accuracy, [*counts, 0], seed=2) == expected_gini(
        accuracy, counts, seed=2
    )  # no images, no class
    assert expected_gini(accuracy, counts, seed=2) != expected_gini(accuracy, counts, seed=3)


@pytest.mark.parametrize("accuracy", [0, 1])
def test_certain_guesses_are_even(accuracy):
    assert expected_gini(accuracy, [3, 4, 5]) == pytest.approx(0, abs=1e-12)


def test_what_has_no_expected_gini():
    with pytest.raises(
        dr.InputError, match=r"accuracy is 1.2: it must be at least 0 and at most 1 \(nearest: 1\)"
    ):
        expected_gini(1.2, [5, 5])
    with pytest.raises(dr.InputError, match="at least two classes"):
        expected_gini(0.5, [5, 0])
    with pytest.raises(dr.InputError, match=r"draws is 0: it must be at least 1 \(nearest: 1\)"):
        expected_gini(0.5, [5, 5], draws=0)


def test_a_share_of_the_classes_is_not_lost_to_rounding():
    assert worst(np.arange(100.0), 0.29) == 14.0  # 0.29 * 100 is 28.999... in binary


@pytest.mark.parametrize(
    "values, words", [(np.zeros((0, 5)), r"shape \(0, 5\) cannot"), ([1, np.inf], "must be finite")]
)
def test_empty_and_infinite_accuracies_are_refused(values, words):
    with pytest.raises(dr.InputError, match=words):
        gini(values)


def test_a_class_of_one_image_counts():
    both = (1 - 0.3) * 0.6 + 0.3 * (1 - 0.6)  # one of two single images is right: the index is 1/2
    assert expected_gini([0.3, 0.6], [1, 1], draws=20_000) == pytest.approx(both / 2, abs=0.01)
    assert expected_gini(0.5, [1, 0, 9]) == expected_gini(0.5, [1, 9])


def test_expected_gini_of_unequal_classes_is_that_of_a_plain_simulation():
    rates, counts = np.array([0.9, 0.5, 0.2, 0.7]), np.array([10, 40, 20, 0])
    rng = np.random.default_rng(5)
    plain = np.mean([gini(rng.binomial(counts[:3], rates[:3]) / counts[:3]) for _ in range(4000)])
    assert expected_gini(rates, counts, draws=4000) == pytest.approx(plain, rel=0.02)
    assert expected_gini(np.full(3, 0.4), [9, 9, 9]) == expected_gini(0.4, [9, 9, 9])
    with pytest.raises(dr.InputError, match="accuracy is 1.5"):
        expected_gini(np.array([0.5, 1.5]), [5, 5])


def test_agreement_with_other_images_leaves_out_the_row_itself():
    rng = np.random.default_rng(0)
    a, b = rng.random((4, 12)), rng.random((4, 12))
    plain = np.mean([spearmanr(a[i], b[j])[0] for i in range(4) for j in range(4) if i != j])
    assert mean_agreement(a, b) == pytest.approx(plain)
    assert mean_agreement(a, a) == pytest.approx(mean_agreement(a))
