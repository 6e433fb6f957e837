"""Verdicts follow from numbers, whatever the numbers."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from curves import made_curve
from diffused_redundancy.findings import verdicts

RISING = made_curve(np.linspace(0.01, 1, 100)[None].repeat(3, 0) ** 0.1)
LATE = made_curve(np.concatenate([np.zeros((3, 80)), np.ones((3, 20))], 1))


@pytest.mark.parametrize(
    "curves, word",
    [
        ({"a": RISING}, "holds"),
        ({"a": RISING, "b": LATE}, "holds in part"),
        ({"b": LATE}, "does not hold"),
    ],
)
def test_claim_2(curves, word):
    verdict = verdicts.every_subset_keeps(curves, 0.9)
    assert verdict.word == word and "3 subsets" in verdict.because
    assert "of the full layer's ridge accuracy: " in verdict.because
    if "b" in curves:
        assert "from k = 81 of 100 (81%)" in verdict.because


def test_claim_2_is_judged_by_the_worst_subset_and_by_every_size_above():
    values = np.ones((3, 100))
    values[1, 69] = 0.5  # one subset falls back at k = 70
    assert verdicts.every_subset_keeps({"a": made_curve(values)}, 0.9).word == "does not hold"


def test_claim_2_is_judged_against_the_full_layer_and_at_the_sizes_measured():
    values = np.tile([0.2, 0.5, 0.5], (3, 1))
    curve = made_curve(values, sizes=[1, 40, 100], d=100, full=0.5)
    assert "from k = 40 of 100 (40%)" in verdicts.every_subset_keeps({"a": curve}, 0.9).because


@pytest.mark.parametrize(
    "ratios, word",
    [
        ({"a": [0.98, 0.99, 0.97]}, "holds"),
        ({"a": [0.90, 0.91, 0.92]}, "does not hold"),
        ({"a": [0.90, 0.99, 1.0]}, "undecided"),
        ({"a": [0.98, 0.99, 0.97], "b": [0.5, 0.5, 0.5]}, "holds in part"),
        ({"a": [0.5, 0.5, 0.5], "b": [0.90, 0.99, 1.0]}, "does not hold"),
        ({"a": [0.98, 0.99, 0.97], "b": [0.90, 0.99, 1.0]}, "holds in part"),
        ({"a": [0.98]}, "undecided"),
        ({}, "undecided"),
    ],
)
def test_claim_1(ratios, word):
    shares = {case: np.array(values) for case, values in ratios.items()}
    assert verdicts.a_fifth_within(shares, 0.05).word == word


def redundancy(value, low, high):
    return dr.Redundancy(0.9, value, round(100 * (1 - value)), 100, low, high, 0.95, 5, 1.0)


APART = {"a": redundancy(0.5, 0.45, 0.55), "b": redundancy(0.8, 0.75, 0.85)}
NEAR = {"a": redundancy(0.5, 0.45, 0.55), "b": redundancy(0.56, 0.5, 0.6)}


def test_claim_3():
    assert verdicts.tasks_differ({"net": APART}, "accuracy").word == "holds"
    assert verdicts.tasks_differ({"net": NEAR}, "accuracy").word == "does not hold"
    assert verdicts.tasks_differ({"net": {"a": APART["a"]}}, "accuracy").word == "undecided"
    one_seed = redundancy(0.5, float("nan"), float("nan"))
    alone = {"net": {"a": one_seed, "b": one_seed}}
    assert verdicts.tasks_differ(alone, "accuracy").word == "undecided"


def test_claim_3_tells_some_networks_and_counts_all():
    verdict = verdicts.tasks_differ({"1": APART, "2": NEAR, "3": APART}, "CKA")
    assert verdict.word == "holds in part"
    assert verdict.because.startswith("DR(0.9) of CKA by task: 1: from 0.500 (0.450 to 0.550) on a")
    assert "3: from" not in verdict.because
    assert "Of all 3 networks compared, 2 have two tasks" in verdict.because


def test_claim_5():
    sizes, rising = [1, 5, 10, 100], np.array([0.2, 0.5, 0.7, 0.9])
    flat = np.array([0.1, 0.1, 0.1, 0.9])

    def verdict(top, bottom, sizes=sizes, random=rising):
        how = {"sizes": sizes, "d": 100}
        kinds = {"random": random, "pca": top, "pca_least": bottom}
        fewer = {name: {**how, "sizes": sizes[: len(values)]} for name, values in kinds.items()}
        curves = {name: made_curve(kinds[name], name, **fewer[name]) for name in kinds}
        return verdicts.components_first({"a": curves})

    holds = verdict(rising + 0.05, flat)
    assert holds.word == "holds" and "at k = 1, 5, 10 top components are above" in holds.because
    assert "ahead by more than a point at k = 1, 5, 10, 100" in holds.because
    assert verdict(rising[:2] + 0.05, flat[:2]).word == "holds"
    assert verdict(rising - 0.05, flat).word == "does not hold"
    assert verdict(rising[-1:], flat[-1:], [100], rising[-1:]).word == "undecided"


def test_claim_6():
    def verdict(random, projected):
        how = {"sizes": [5, 10], "d": 100}
        kinds = {"random": random, "gaussian_projection": projected}
        curves = {name: made_curve(values, name, **how) for name, values in kinds.items()}
        return verdicts.as_good_as_projections({"a": curves}, "gaussian_projection")

    ours = np.array([[0.50, 0.80], [0.501, 0.801], [0.499, 0.799]])
    same = verdict(ours, ours + 0.005)
    assert same.word == "holds"
    assert same.because.startswith("Random neurons less random projection (Gaussian), in points")
    worse = verdict(ours, ours + np.array([0.2, 0.0]))
    assert worse.word == "does not hold"
    assert "worse at k = 5 (largest gap -20.0 at k = 5)" in worse.because
    better = verdict(ours, ours - 0.1)
    assert better.word == "holds" and "better at k = 5, 10 (largest gap +10.0" in better.because
    unsure = ours + np.array([[0.02], [0.0], [-0.02]])
    assert verdict(unsure, ours + 0.005).word == "undecided"
    assert verdict(ours[:1], ours[:1]).word == "undecided"


def test_difference_of_means_against_resamples_drawn_by_hand():
    rng = np.random.default_rng(0)
    ours, theirs = np.array([0.4, 0.5, 0.7]), np.array([0.1, 0.3, 0.2, 0.6])
    means = [
        rows[rng.integers(len(rows), size=(2000, len(rows)))].mean(1) for rows in (ours, theirs)
    ]
    expected = np.quantile(means[0] - means[1], [0.025, 0.975])
    assert verdicts._difference(ours, theirs) == pytest.approx(tuple(expected), abs=1e-12)
