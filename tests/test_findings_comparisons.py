"""Groups of networks compared, and verdicts that count tasks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from diffused_redundancy.experiment.measurements import COMPARED, Measurements
from diffused_redundancy.experiment.penalty_bands import GroupBands
from diffused_redundancy.findings import comparisons
from diffused_redundancy.findings.grouping import grouped
from diffused_redundancy.uncertainty.comparison import compare, difference_found, holm, pooled_sd
from made_up import measurement, net, task
from scipy import stats


def measured(groups: dict[str, list[int]], tasks: int = 1, **how) -> Measurements:
    """One network for each k*, by loss; the same on every task."""
    return Measurements(
        [
            measurement(net(f"{loss}{i}", loss=loss, seed=i), task(f"t{j}"), k, **how)
            for j in range(tasks)
            for loss, every in groups.items()
            for i, k in enumerate(every)
        ]
    )


STANDARD, LOWER = [38, 40, 42, 39, 41], [18, 20, 22, 19, 21]


def compared(groups, *, tasks=1, bands=None, **how):
    measurements = measured(groups, tasks, **how)
    by_loss = grouped(measurements.nets, "loss")
    pairs = [(label, by_loss.reference) for label in by_loss.others]
    return comparisons.differences(measurements, by_loss, pairs, 0.9, bands)


def band(standard, other, label="MRL") -> dict[str, GroupBands]:
    """DR of two groups at three penalties, on the first task."""
    values = {"standard": (tuple(standard),), label: (tuple(other),)}
    return {"t0": GroupBands(0.9, (0.1, 1.0, 10.0), values, 1.0, seeds=3)}


def test_the_unit_is_a_network():
    """Many selections of two networks each do not make a difference clear."""
    one, *_ = compared({"standard": [40, 41], "MRL": [20, 21]}, seeds=25)
    assert one.outcome == "no power" and one.comparison.networks == (2, 2)
    assert one.words.startswith("no power (4 seeds would decide): +0.1")
    assert one.comparison.p < 0.01


def test_differences_are_those_of_plain_values():
    found = compared({"standard": STANDARD, "MRL": LOWER, "x": [38, 30, 41, 33, 36]}, tasks=2)
    assert [one.measure for one in found] == ["accuracy"] * 4 + ["cka"] * 4 + [
        "standardized_cka"
    ] * 4
    ours, theirs = 1 - np.array(LOWER) / 100, 1 - np.array(STANDARD) / 100
    first = found[0].comparison
    scipys = stats.ttest_ind(ours, theirs, equal_var=False)
    assert first.difference == pytest.approx(0.2) and first.p == pytest.approx(scipys.pvalue)
    family = [one.comparison.p for one in found[:4]]
    assert [one.comparison.corrected_p for one in found[:4]] == pytest.approx(holm(family))
    assert first.family == 4 and first.margin == comparisons.MARGIN
    numbers = comparisons.differences_numbers(found)
    assert len(numbers) == 12 and numbers["p_exact"][0] == pytest.approx(2 / 252)
    assert numbers["outcome"][0] == "higher" and numbers["networks"][0] == 5
    table = comparisons.differences_table(found)
    assert list(table["networks"]) == ["5 against 5"] * 6
    assert table["T0"][0].startswith("higher: +0.200 (+0.1") and "T1" in table


def test_a_difference_is_held_against_how_far_it_moves_and_not_its_groups():
    groups = {"standard": STANDARD, "MRL": [k - 6 for k in STANDARD]}  # higher by 0.06
    together = band([0.55, 0.6, 0.64], [0.62, 0.66, 0.70])  # each by 0.08 or more, the gap by 0.01
    one, cka, standardized = compared(groups, bands=together)
    assert one.comparison.clear and one.band == pytest.approx(0.01) and one.outcome == "higher"
    assert cka.band == standardized.band == 0 and cka.outcome == "higher"
    apart = band([0.55, 0.6, 0.64], [0.65, 0.66, 0.66])  # MRL moves by 0.01, the gap by 0.08
    one, cka, _ = compared(groups, bands=apart)
    assert one.band == pytest.approx(0.08) and one.outcome == "not resolvable"
    assert one.words.startswith("not resolvable (the penalty moves it by 0.080): +0.060")
    assert cka.outcome == "higher"
    numbers = comparisons.differences_numbers([one, cka])
    assert list(numbers["outcome"]) == ["not resolvable", "higher"]
    assert numbers["penalty_band"].iloc[0] == pytest.approx(0.08)
    nowhere, *_ = compared(groups, bands=band([0.55, 0.6, np.nan], [0.62, 0.66, 0.7]))
    assert nowhere.outcome == "not resolvable" and "(DR not stated): +0.060" in nowhere.words


def test_no_difference_has_to_hold_at_every_penalty():
    groups = {"standard": [4000, 4001, 4002, 4003, 4004], "MRL": [4010, 4011, 4012, 4013, 4014]}

    def outcome(bands):
        measurements = Measurements(
            [
                measurement(net(f"{loss}{k}", d=10_000, loss=loss, seed=k), task("t0"), k)
                for loss, every in groups.items()
                for k in every
            ]
        )
        by_loss = grouped(measurements.nets, "loss")
        pairs = [("MRL", "standard")]
        return comparisons.differences(measurements, by_loss, pairs, 0.9, bands)[0].outcome

    assert outcome(None) == "alike"
    assert outcome(band([0.5, 0.6, 0.7], [0.51, 0.6, 0.7])) == "alike"  # 0.001 + 0.01
    assert outcome(band([0.5, 0.6, 0.7], [0.52, 0.6, 0.7])) == "not resolvable"


def test_a_network_whose_dr_is_withheld_is_left_out():
    one, *_ = compared({"standard": [*STANDARD, 500], "MRL": LOWER})
    assert one.comparison.networks == (5, 5) and one.comparison.left_out == 1
    nothing, *_ = compared({"standard": [500], "MRL": LOWER})
    assert nothing.words == "cannot be stated"
    verdict = comparisons.verdict_on([nothing], "higher", "x", "accuracy", 0.9)
    assert (
        verdict.word == "undecided"
        and "\n- T0, not stated: 1 of 1 comparisons not stated." in verdict.because
    )


def test_a_lone_network_has_the_spread_of_the_other_groups():
    found = compared({"standard": [40], "MRL": [20], "x": STANDARD})
    sd = pooled_sd([np.array(STANDARD) / 100])
    assert found[0].comparison.sd == pytest.approx(sd)
    assert found[0].words == "no power (4 seeds would decide): +0.200"


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        (["higher", "undecided"], "higher"),
        (["higher", "no power", "alike"], "higher"),
        (["lower", "higher"], "mixed"),
        (["alike", "alike", "no power"], "alike"),
        (["alike", "undecided"], "undecided"),
        (["no power", "unknown"], "no power"),
        ([], "unknown"),
    ],
)
def test_the_outcome_of_a_task(outcomes, word):
    assert comparisons.outcome_of(outcomes) == word


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        (["lower", "lower"], "lower"),
        (["lower", "undecided"], "undecided"),
        (["lower", "no power"], "undecided"),
        (["lower", "not resolvable"], "undecided"),
        (["lower", "unknown"], "undecided"),
        (["lower", "alike"], "mixed"),
        (["lower", "higher"], "mixed"),
        (["alike", "higher"], "higher"),
        (["alike", "higher", "lower"], "mixed"),
        (["alike", "undecided"], "alike"),
        (["higher", "undecided"], "higher"),
        (["undecided"], "undecided"),
        (["no power", "unknown"], "no power"),
        (["unknown"], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_outcome_of_a_task_where_each_has_to_be_so(outcomes, word):
    assert comparisons.outcome_of_all(outcomes, "lower") == word
    turned = [comparisons.OPPOSITE.get(one, one) for one in outcomes]
    word = comparisons.OPPOSITE.get(word, word)
    assert comparisons.outcome_of_all(turned, "higher") == word


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        (["higher", "higher"], "holds"),
        (["higher", "undecided", "no power"], "holds on 1 of 3 tasks"),
        (["higher", "lower", "undecided"], "holds on 1 of 3 tasks, does not on 1"),
        (["lower", "alike"], "does not hold"),
        (["mixed", "undecided"], "does not hold on 1 of 2 tasks"),
        (["no power", "no power"], "no power"),
        (["no power", "undecided"], "undecided"),
        (["unknown", "no power"], "no power"),
        (["higher", "unknown"], "holds on 1 of 2 tasks"),
        (["unknown"], "undecided"),
        ([], "undecided"),
    ],
)
def test_the_word_of_a_verdict_counts_tasks(outcomes, word):
    by_task = {f"t{i}": outcome for i, outcome in enumerate(outcomes)}
    assert comparisons.judged(by_task, "higher", "").word == word
    turned = {task: comparisons.OPPOSITE.get(one, one) for task, one in by_task.items()}
    assert comparisons.judged(turned, "lower", "").word == word


def test_many_networks_on_one_task_are_one_task():
    groups = {"standard": STANDARD, "adversarial 1": LOWER, "adversarial 2": STANDARD}
    verdict = comparisons.verdict_on(compared(groups), "higher", "Adversarial", "cka", 0.9)
    assert verdict.word == "holds" and "DR(0.9) of CKA" in verdict.because
    assert "adversarial 2 no difference larger than 0.02" not in verdict.because  # not that sure
    assert "; adversarial 2 +0.000 (" in verdict.because and "), undecided (" in verdict.because
    assert "\n- T0, higher: adversarial 1 +0.200 (+0.1" in verdict.because
    turned = {"standard": LOWER, "adversarial 1": STANDARD}
    assert comparisons.verdict_on(compared(turned), "higher", "x", "cka", 0.9).word == (
        "does not hold"
    )
    noted = comparisons.verdict_on(compared(turned), "higher", "x", "cka", 0.9, note="And more.")
    assert "A task counts if some" in noted.because
    assert "none is clearly the opposite. And more.\n\n- T0, lower: " in noted.because


def test_what_as_many_seeds_can_find_is_said():
    measurements = measured({"standard": STANDARD, "MRL": LOWER})
    by_loss = grouped(measurements.nets, "loss")
    text = comparisons.describe_power(measurements, by_loss, 0.9)
    sd = np.std(STANDARD, ddof=1) / 100
    assert f"- accuracy: {sd:.3f} on T0 (found from {difference_found(5, sd):.3f} on)." in text
    assert "5 networks against 5" in text
    two = measured({"standard": [40, 42], "MRL": LOWER})
    text = comparisons.describe_power(two, grouped(two.nets, "loss"), 0.9)
    assert "between two groups of 2: an exact test takes at least 4" in text
    assert "found from" not in text
    alone = measured({"standard": [40], "MRL": [20]})
    text = comparisons.describe_power(alone, grouped(alone.nets, "loss"), 0.9)
    assert "no two networks that differ in their seed only" in text


def test_a_false_difference_is_rare_at_the_level_of_networks():
    """Networks of all losses are alike, and differ in their seed; by the old rule, of intervals
    over selections, most tables held a false difference.
    """
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(40):
        values = rng.normal(0.6, 0.03, (4, 5))
        family = comparisons.corrected([compare(some, values[0]) for some in values[1:]])
        wrong += any(one.clear for one in family)
    assert wrong <= 6


def test_a_verdict_on_accuracy_says_where_dr_above_chance_comes_out_otherwise():
    """Near chance a few neurons keep 90% of the accuracy, and nothing of what is above."""
    nets = [net(f"a{i}", seed=i) for i in range(5)]
    nets += [net(f"b{i}", seed=i, loss="MRL") for i in range(5)]
    where, sizes = task("t0"), np.arange(1, 101)
    rows = []
    for place, one in enumerate(nets):
        made = measurement(one, where, 40)
        full, k = (0.8, 40 + place) if place < 5 else (0.3, 5 + place)
        values = 0.28 + (full - 0.28) * np.minimum(1, sizes / (2.2 * k if place < 5 else 90))
        plain = replace(
            made.accuracy["random"],
            values=np.tile(values, (5, 1)),
            full=full,
            guessing=0.28,
            images=100_000,
        )
        rows.append(replace(made, accuracy={"random": plain}))
    measurements = Measurements(rows)
    by_loss = grouped(measurements.nets, "loss")
    found = comparisons.differences(measurements, by_loss, [("MRL", "standard")], 0.9)
    verdict = comparisons.verdict_on(found, "higher", "MRL", "accuracy", 0.9)
    assert verdict.word == "holds"
    assert "DR above chance comes out differently: " in verdict.because
    cka = comparisons.verdict_on(found, "higher", "MRL", "cka", 0.9)
    assert "above chance" not in cka.because
    assert set(comparisons.differences_table(found)["DR of"]) == set(COMPARED.values())
