"""Verdicts follow from numbers, whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from curves import made_curve
from diffused_redundancy.findings import verdicts
from diffused_redundancy.findings.claims import Outcome, judge

RISING = made_curve(np.linspace(0.01, 1, 100)[None].repeat(3, 0) ** 0.1)
LATE = made_curve(np.concatenate([np.zeros((3, 80)), np.ones((3, 20))], 1))


@pytest.mark.parametrize(
    "curves, word",
    [
        ({"a": RISING}, "holds"),
        ({"a": RISING, "b": LATE}, "holds on 1 of 2 tasks, does not on 1"),
        ({"b": LATE}, "does not hold"),
    ],
)
def test_claim_2(curves, word):
    verdict = verdicts.every_subset_keeps(curves, 0.9)
    assert verdict.word == word and "3 subsets" in verdict.because
    assert "of the full layer's ridge accuracy, with" in verdict.because
    if "b" in curves:
        assert "\n- b: from 81 of 100 neurons on, 81% of the layer." in verdict.because


def test_claim_2_is_judged_by_the_worst_subset_and_by_every_size_above():
    values = np.ones((3, 100))
    values[1, 69] = 0.5  # one subset falls back at k = 70
    assert verdicts.every_subset_keeps({"a": made_curve(values)}, 0.9).word == "does not hold"


def test_claim_2_is_judged_against_the_full_layer_and_at_the_sizes_measured():
    values = np.tile([0.2, 0.5, 0.5], (3, 1))
    curve = made_curve(values, sizes=[1, 40, 100], d=100, full=0.5)
    verdict = verdicts.every_subset_keeps({"a": curve}, 0.9)
    assert "a: from 40 of 100 neurons on, 40% of the layer." in verdict.because
    never = made_curve(values[:, :2], sizes=[1, 40], d=100, full=0.7)
    assert "a: at no size measured." in verdicts.every_subset_keeps({"a": never}, 0.9).because


def fifth(values, **given):
    """A curve measured at a fifth of its layer."""
    made = {"sizes": [20], "d": 100, "full": 1.0, **given}
    return made_curve(np.array(values)[:, None], measure="logistic_accuracy", **made)


@pytest.mark.parametrize(
    "curves, word",
    [
        ({"a": [0.98, 0.99, 0.97]}, "holds"),
        ({"a": [0.90, 0.91, 0.92]}, "does not hold"),
        ({"a": [0.90, 0.99, 1.0]}, "undecided"),
        ({"a": [0.98, 0.99, 0.97], "b": [0.5] * 3}, "holds on 1 of 2 tasks, does not on 1"),
        ({"a": [0.5, 0.5, 0.5], "b": [0.90, 0.99, 1.0]}, "does not hold on 1 of 2 tasks"),
        ({"a": [0.98, 0.99, 0.97], "b": [0.90, 0.99, 1.0]}, "holds on 1 of 2 tasks"),
        ({"a": [0.98]}, "undecided"),
        ({}, "undecided"),
    ],
)
def test_claim_1(curves, word):
    curves = {case: fifth(values) for case, values in curves.items()}
    assert verdicts.a_fifth_within(curves, 0.05).word == word


def test_claim_1_is_told_as_a_share_and_in_points():
    verdict = verdicts.a_fifth_within({"a": fifth([0.36, 0.37, 0.38], full=0.4)}, 0.05)
    assert "a: 92.5% (" in verdict.because and "3.0 (0.3 to 5.7) points less" in verdict.because
    assert verdict.word == "undecided"  # 5% of 0.4 are two points
    assert "is at most 5 by its whole interval on 0 of 1 tasks." in verdict.because
    assert "at or above 95%" in verdict.because


def test_claim_1_allows_for_other_test_images():
    """What is sure of these images is not of others."""
    values = np.array([0.96, 0.961, 0.959])
    by_images = np.linspace(0.7, 1.22, 50)[:, None]
    few = fifth(values, by_images=by_images, full_by_images=np.ones(50))
    assert verdicts.a_fifth_within({"a": fifth(values)}, 0.05).word == "holds"
    assert verdicts.a_fifth_within({"a": few}, 0.05).word == "undecided"
    paired = fifth(values, by_images=by_images, full_by_images=by_images[:, 0] / 0.96)
    assert verdicts.a_fifth_within({"a": paired}, 0.05).word == "holds"


def reaching(k, seeds=8, jitter=1, d=100, **given):
    """A curve that reaches 90% of the full layer's accuracy at about k."""
    step = np.arange(1, d + 1)
    at = k + jitter * np.linspace(-1, 1, seeds)[:, None]
    return made_curve(np.minimum(1.0, 0.9 * step / at), **given)


def test_claim_3_is_judged_by_intervals_of_differences():
    apart = {"a": reaching(50), "b": reaching(20)}
    near = {"a": reaching(50, jitter=20), "b": reaching(46, jitter=20)}
    verdict = verdicts.tasks_differ({"net": apart}, 0.9, "accuracy")
    assert verdict.word == "holds" and "from 0.500 on a to 0.800 on b, +0.300 (" in verdict.because
    assert "The 95.0% intervals of the difference are over subsets and images.\n" in verdict.because
    assert verdicts.tasks_differ({"net": near}, 0.9, "accuracy").word == "undecided"
    one_task = {name: {"a": apart["a"]} for name in ("net", "other")}
    assert verdicts.tasks_differ(one_task, 0.9, "accuracy").kind == "not asked"
    guess = made_curve([[0.1, 0.1], [0.1, 0.1]], full=0.1, guessing=0.1, images=50)
    guessing = {"net": {"a": apart["a"], "b": guess}}
    assert verdicts.tasks_differ(guessing, 0.9, "accuracy").kind == "undecided"
    alone = {"a": reaching(50, seeds=1), "b": reaching(20, seeds=1)}
    assert verdicts.tasks_differ({"net": alone}, 0.9, "accuracy").word == "undecided"


def test_claim_3_is_open_where_the_penalty_moves_as_much():
    apart = {"net": {"a": reaching(50), "b": reaching(20)}}
    wide, narrow = {"a": 0.35}, {"a": 0.1, "b": 0.1}
    assert verdicts.tasks_differ(apart, 0.9, "accuracy", bands=wide).word == "undecided"
    assert verdicts.tasks_differ(apart, 0.9, "accuracy", bands=narrow).word == "holds"


def test_claim_3_tells_some_networks_and_counts_all():
    apart = {"a": reaching(50), "b": reaching(20)}
    near = {"a": reaching(50, jitter=20), "b": reaching(46, jitter=20)}
    verdict = verdicts.tasks_differ({"1": apart, "2": near, "3": apart}, 0.9, "CKA")
    assert verdict.word == "holds on 2 of 3 networks" and "Undecided: 2." in verdict.because
    assert "1: from 0.500 on a" in verdict.because and "3: from" not in verdict.because
    assert "2 of 3 networks have two tasks that differ; the first 2 are told." in verdict.because


def test_claim_3_says_which_intervals_it_rests_on():
    """Those of the networks that it tells of, which may know different numbers of tasks."""
    three = {"a": reaching(80), "b": reaching(50), "c": reaching(20)}
    guess = made_curve([[0.1, 0.1], [0.1, 0.1]], full=0.1, guessing=0.1, images=50)
    left_out = three | {"b": guess, "c": guess}
    told = verdicts.tasks_differ({"1": three, "2": left_out}, 0.9, "CKA").because
    assert "The 98.3% intervals" in told and "allow for all 3 pairs of tasks" in told
    told = verdicts.tasks_differ({"1": three, "2": three | {"c": guess}}, 0.9, "CKA").because
    assert "The 95.0% to 98.3% intervals" in told and "all 1 to 3 pairs of tasks" in told


def test_claim_3_says_what_rests_on_a_control():
    tasks = {"a": reaching(80), "b": reaching(50), "c": reaching(20)}
    verdict = verdicts.tasks_differ({"net": tasks}, 0.9, "accuracy", controls=["a", "z"])
    assert "The 98.3% intervals of the" in verdict.because
    assert "subsets and images, and allow for all 3 pairs of tasks together." in verdict.because
    ignored = "One of the two is a, which these networks were trained to ignore"
    assert f"{ignored}. Without it, two tasks still differ." in verdict.because
    assert "net: from 0.200 on a to 0.800 on c, +0.600 (" in verdict.because
    assert "Without a from 0.500 on b to 0.800 on c, +0.300 (" in verdict.because
    alike = {**tasks, "b": reaching(21, jitter=5), "c": reaching(20, jitter=5)}
    verdict = verdicts.tasks_differ({"net": alike}, 0.9, "accuracy", controls=["a"])
    assert verdict.word == "holds" and "Without it, no two tasks differ" in verdict.because
    both = {"1": tasks, "2": alike}
    both = verdicts.tasks_differ(both, 0.9, "accuracy", controls=["a"]).because
    assert f"{ignored}, in 2 of 2 networks. Without it, 1 of 2 still have two" in both
    between = verdicts.tasks_differ({"net": tasks}, 0.9, "accuracy", controls=["b"])
    assert "trained to ignore" not in between.because
    two = {task: tasks[task] for task in "ab"}
    assert "Without" not in verdicts.tasks_differ({"n": two}, 0.9, "x", controls=["a"]).because


def test_claim_3_allows_for_all_pairs_and_for_unequal_spread():
    """Of three equal tasks, one ten times as uncertain, some two seem to differ in at most 5%."""
    rng, found = np.random.default_rng(0), 0
    for _ in range(150):
        tasks = {}
        for name, spread in (("a", 0.3), ("b", 0.03), ("c", 0.03)):
            speed = 40 * np.exp(spread * rng.normal(size=(30, 1)))
            tasks[name] = made_curve(1 - np.exp(-np.arange(1, 301) / speed))
        found += verdicts.tasks_differ({"net": tasks}, 0.9, "accuracy").word == "holds"
    assert found / 150 <= 0.08  # 5%, and its error


def test_cases_of_a_task_and_a_network_are_told_apart():
    """Their names have a comma: lists of them do not."""
    cases = {"Photos, a": None, "Photos, b": None, "Digits, a": True}
    outcomes = [Outcome(case, passed) for case, passed in cases.items()]
    told = judge(outcomes, "Because.").because
    assert told == "Because. Undecided: Photos with a and Photos with b."
    beside = [Outcome(f"Style, {name}", False, counted=False) for name in "abc"]
    verdict = judge([*outcomes, *beside], "")
    assert "ignore it: Style with a (no), Style with b (no) and Style with c (no)." in (
        verdict.because
    )
    assert verdict.tally == "1 of 3 tasks; not on Style with a, Style with b and Style with c"


def test_a_control_is_told_but_not_counted():
    verdict = verdicts.every_subset_keeps({"a": RISING, "b": LATE}, 0.9, controls=["b"])
    assert verdict.word == "holds" and "trained to ignore it: b (no)." in verdict.because
    alone = verdicts.every_subset_keeps({"b": LATE}, 0.9, controls=["b"])
    assert alone.word == "does not hold"


def test_claim_2_has_an_interval_over_images():
    values = np.minimum(1.0, 0.9 * np.arange(1, 101) / 50)[None].repeat(3, 0)
    images = values[0] * (1 + np.linspace(-0.5, 0.5, 60)[:, None])
    sure = made_curve(values * 1.3, full=1.0)
    open_ = made_curve(values, by_images=images, full_by_images=np.ones(60))
    assert verdicts.every_subset_keeps({"a": sure}, 0.9).word == "holds"
    verdict = verdicts.every_subset_keeps({"a": open_}, 0.9)
    assert verdict.word == "undecided" and "a: from 50 of 100 neurons on (4" in verdict.because
    assert "at least 37% of all" in verdict.because  # of three subsets


def test_cases_that_hang_on_the_penalty_are_open():
    verdict = verdicts.every_subset_keeps({"a": RISING}, 0.9, elsewhere={"a": [LATE]})
    assert verdict.word == "undecided"
    assert "of the layer; from 81 to 81 on at equally good penalties." in verdict.because
    kept = fifth([0.98, 0.99, 0.97])
    moved = verdicts.a_fifth_within({"a": kept}, 0.05, elsewhere={"a": [0.9]})
    assert moved.word == "undecided" and "90.0% to 90.0% at equally good penalties" in moved.because
    assert verdicts.a_fifth_within({"a": kept}, 0.05, elsewhere={"a": [0.97]}).word == "holds"


RISING_AT = np.array([0.2, 0.5, 0.7, 0.9])


def first_components(top, bottom, random=RISING_AT, spread=0.001):
    draws = np.array([-1.0, 0.0, 1.0])[:, None] * spread
    kinds = {"random": random + draws, "pca": top, "pca_least": bottom}
    curves = {
        name: made_curve(
            values,
            name,
            sizes=[1, 5, 10, 100][: np.atleast_2d(values).shape[1]],
            d=100,
            by_images=np.atleast_2d(values).mean(0) + np.linspace(-0.05, 0.05, 40)[:, None],
        )
        for name, values in kinds.items()
    }
    return verdicts.components_first({"a": curves})


def test_claim_5():
    flat = np.array([0.1, 0.1, 0.1, 0.9])
    holds = first_components(RISING_AT + 0.05, flat)
    assert holds.word == "holds"
    assert "a, top principal components less random neurons: least +5.0 points" in holds.because
    assert first_components(RISING_AT[:2] + 0.05, flat[:2]).word == "holds"
    assert first_components(RISING_AT - 0.05, flat).word == "does not hold"
    assert first_components(RISING_AT + 0.05, flat, spread=0.2).word == "undecided"


def of_projections(random, projected, few, **given):
    how = {"sizes": [5, 10, 50], "d": 100, **given}
    kinds = {"random": random, "gaussian_projection": projected}
    curves = {name: made_curve(values, name, **how) for name, values in kinds.items()}
    return verdicts.as_good_as_projections({"a": curves}, "gaussian_projection", few=few)


def test_claim_6_is_judged_by_ranges_of_size():
    ours = np.array([[0.5, 0.8, 0.9]]) + np.array([[0.0], [0.001], [-0.001]])
    assert of_projections(ours, ours + 0.005, True).word == "holds"
    worse = ours + np.array([0.2, 0.0, 0.0])
    few, many = of_projections(ours, worse, True), of_projections(ours, worse, False)
    assert few.word == "does not hold" and many.word == "holds"
    assert few.because.startswith("Sizes up to a tenth of the layer: random neurons less random")
    assert "a: -10.0 (" in few.because and "a: +0.0 (" in many.because
    unsure = ours + np.array([[0.2], [0.0], [-0.2]])
    assert of_projections(unsure, ours + 0.005, True).word == "undecided"
    assert of_projections(ours[:1], ours[:1], True).word == "undecided"


@pytest.mark.parametrize(
    "passed, power, word, kind",
    [
        ([True, True], True, "holds", "holds"),
        ([False, False], True, "does not hold", "not"),
        ([True, False, None], True, "holds on 1 of 3 tasks, does not on 1", "part"),
        ([False, None], True, "does not hold on 1 of 2 tasks", "not"),
        ([None, None], True, "undecided", "undecided"),
        ([None, None], False, "no power", "undecided"),
        ([], True, "undecided", "undecided"),
    ],
)
def test_one_rule_for_all_verdicts(passed, power, word, kind):
    outcomes = [Outcome(f"t{i}", one, power) for i, one in enumerate(passed)]
    verdict = judge(outcomes, "Because.", rows=["t0: 1", "t1: 2"])
    assert (verdict.word, verdict.kind) == (word, kind)
    assert verdict.because.startswith("Because.")
    assert verdict.because.endswith("\n\n- t0: 1.\n- t1: 2.")
    assert ("Undecided: " in verdict.because) == (None in passed and {*passed} != {None})


def test_cases_of_several_networks_are_not_called_tasks():
    random = np.array([[0.5, 0.8, 0.9]]) + np.array([[0.0], [0.001], [-0.001]])
    kinds = {
        case: {
            name: made_curve(values, name, sizes=[5, 10, 50], d=100)
            for name, values in (("random", random), ("gaussian_projection", random + off))
        }
        for case, off in (("t, a", 0.005), ("t, b", 0.2))
    }
    told = verdicts.as_good_as_projections(
        kinds, "gaussian_projection", few=True, unit="networks on tasks"
    )
    assert told.word == "holds on 1 of 2 networks on tasks, does not on 1"
