"""Networks compared by loss, upstream set, width and family, on curves whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from diffused_redundancy.experiment.measurements import Measurements
from diffused_redundancy.findings import pretraining
from diffused_redundancy.findings.claims import CLAIMS
from diffused_redundancy.findings.grouping import grouped
from made_up import curve, measurement, net, rising, task

ADVERSARIAL = "adversarial L2 0.5"


@pytest.fixture
def losses() -> Measurements:
    """Two standard networks (k* of 40 and 44), two adversarial ones (20, 24), one with dropout
    (42): one task, another task the other way round.
    """
    nets = [
        net("a1"),
        net("a2", seed=2),
        net("b1", loss=ADVERSARIAL),
        net("b2", loss=ADVERSARIAL, seed=2),
        net("c1", loss="dropout 0.5", strength=0.5),
    ]
    one, two = task("one"), task("two")
    sizes = {one: (40, 44, 20, 24, 42), two: (20, 24, 40, 44, 22)}
    return Measurements(
        [
            measurement(n, where, k)
            for where, every in ((one, sizes[one]), (two, sizes[two]))
            for n, k in zip(nets, every, strict=True)
        ]
    )


def test_a_difference_is_clear_only_if_all_nets_agree(losses):
    by_loss = grouped(losses.nets, "loss")
    one, two = losses.tasks

    def against_standard(group, where):
        return pretraining.difference(losses, by_loss, group, "standard", where, "accuracy", 0.9)

    clear = against_standard(ADVERSARIAL, one)
    assert clear.outcome == "above" and clear.gap == pytest.approx(0.2)
    assert against_standard(ADVERSARIAL, two).outcome == "below"
    assert against_standard("dropout 0.5", one).outcome == "overlap"


def test_without_intervals_nothing_is_clear():
    nets = [net("a"), net("b", loss="MRL")]
    measurements = Measurements(
        [measurement(nets[0], task(), 50, seeds=1), measurement(nets[1], task(), 10, seeds=1)]
    )
    differences = pretraining.loss_differences(measurements, grouped(nets, "loss"), 0.9)
    assert [one.outcome for one in differences] == ["unknown", "unknown"]


def test_verdicts_count_what_came_out_as_said(losses):
    by_loss = grouped(losses.nets, "loss")
    everything = pretraining.loss_differences(losses, by_loss, 0.9)
    assert len(everything) == 8
    differences = [one for one in everything if one.group == ADVERSARIAL]
    on_one = [one for one in differences if one.task == "ONE"]
    open_ = [one for one in everything if one.group == "dropout 0.5"]

    def word(some, expected="above"):
        return pretraining.verdict_on(some, expected, "x", 0.9).word

    verdict = pretraining.verdict_on(differences, "above", "Adversarial", 0.9)
    assert verdict.word == "mixed"
    assert (
        "of accuracy: 1 clearly higher, 1 clearly lower, 0 open (of 2); of CKA: 1 clearly"
        in verdict.because
    )
    assert word([*differences, on_one[0]]) == "holds in part"
    assert word(on_one) == "holds" and word(on_one, "below") == "does not hold"
    assert word(open_) == word([]) == "undecided"
    verdict = pretraining.verdict_on([on_one[0], *open_, *open_], "above", "x", 0.9)
    assert verdict.word == "undecided"
    assert "of accuracy: 1 clearly higher, 0 clearly lower, 4 open (of 5)" in verdict.because
    table = pretraining.differences_table(differences)
    assert list(table["ONE"]) == ["higher (+0.200)"] * 2
    assert list(table["TWO"]) == ["lower (-0.200)"] * 2


def test_verdicts_on_one_loss_look_at_its_groups_only(losses):
    by_loss = grouped(losses.nets, "loss")
    differences = pretraining.loss_differences(losses, by_loss, 0.9)

    def verdict(loss):
        return pretraining.verdict_on_loss(differences, by_loss, loss, "above", 0.9)

    assert verdict("adversarial").word == "mixed"
    assert verdict("adversarial").because.startswith("Adversarial against standard training, DR")
    assert verdict("dropout").word == "undecided" and "0 clearly" in verdict("dropout").because
    assert verdict("DeCov").because.startswith("DeCov against standard training: there are no such")


def test_sets_and_widths_are_compared_with_the_next_smaller_one():
    nets = [net("m", images=40), net("s", upstream="few", images=4), net("l", upstream="many")]
    nets.append(net("x", upstream="most", images=120))
    measurements = Measurements(
        [measurement(n, task(), k) for n, k in zip(nets, (40, 60, 30, 20), strict=True)]
    )
    differences = pretraining.upstream_differences(measurements, grouped(nets, "upstream"), 0.9)
    pairs = [(one.group, one.against) for one in differences if one.measure == "cka"]
    assert pairs == [("letters", "few"), ("most", "letters")]  # that of unknown size is left out
    assert {one.outcome for one in differences} == {"above"}

    nets = [net("a", d=100), net("b", d=400), net("c", d=50)]
    measurements = Measurements([measurement(n, task(), 20) for n in nets])
    differences = pretraining.width_differences(measurements, grouped(nets, "width"), 0.9)
    pairs = [(one.group, one.against) for one in differences if one.measure == "cka"]
    assert pairs == [("100", "50"), ("400", "100")]
    assert pretraining.width_differences(measurements, grouped(nets[:1], "width"), 0.9) == []


def test_sentences_on_groups_state_the_yardstick(losses):
    by_loss = grouped(losses.nets, "loss")
    text = pretraining.describe_groups(losses, by_loss, "accuracy", 0.9)
    assert "on ONE from 0.58 (standard) to 0.78 (adversarial L2 0.5)" in text
    assert (
        "differ in their seed only, are apart by 0.040 on ONE and 0.040 on TWO on average" in text
    )
    levels = pretraining.describe_levels(losses, by_loss)
    assert "on ONE from 80.0% (standard) to 80.0%" in levels and "25.0% by chance" in levels
    alone = grouped(losses.nets[:2], "loss")
    assert "nothing to compare" in pretraining.describe_groups(losses, alone, "accuracy", 0.9)


def test_losses_in_strengths_have_a_figure_each():
    nets = [net("a1"), net("a2", seed=2), net("n", loss="MRL")]
    nets += [net(f"d{s}", loss=f"dropout {s}", strength=s) for s in (0.8, 0.2, 0.5)]
    measurements = Measurements([measurement(n, task(), 40 + 2 * i) for i, n in enumerate(nets)])
    by_loss = grouped(nets, "loss")
    (figure,) = pretraining.strength_figures(measurements, by_loss, 0.9)
    assert figure.name == "dropout" and figure.xlabel == "dropout rate"
    assert figure.ticks == [(0.0, "standard"), (1.0, "0.2"), (2.0, "0.5"), (3.0, "0.8")]
    assert figure.ylabels == ["DR(0.9) of accuracy", "DR(0.9) of CKA"] and len(figure.rows) == 2
    assert "from standard training to dropout 0.8" in figure.sentence
    assert "from 0.59 to 0.54 on T" in figure.sentence
    ((title, (series,)),) = figure.rows[1]
    assert title == "T" and series.look == 1 and not series.joined
    assert series.x == pytest.approx([-0.06, 0.06, 1, 2, 3])
    assert [point.value for point in series.points] == pytest.approx([0.6, 0.58, 0.52, 0.5, 0.54])
    assert pretraining.strength_figures(measurements, grouped(nets[:3], "loss"), 0.9) == []


def test_width_counts_the_neurons_needed():
    nets = [net("a"), net("b", d=400)]
    measurements = Measurements(
        [measurement(nets[0], task(), 50), measurement(nets[1], task(), 60)]
    )
    text = pretraining.describe_widths(measurements, grouped(nets, "width"), 0.9)
    assert "from 100 to 400 neurons" in text and "from 0.50 to 0.85" in text
    assert "neurons needed for 72.0% go from 50 to 60" in text
    by_family = grouped(nets, "family", free=["width"])
    ((title, (series,)),) = pretraining.width_series(
        measurements,
        by_family,
        lambda one: pretraining.neurons_needed(one.redundancy("accuracy", 0.9)),
    )
    assert title == "T" and series.x == [100.0, 400.0]
    assert [round(one.value) for one in series.points] == [50, 60]
    assert all(one.low <= one.value <= one.high for one in series.points)
    better = Measurements(
        [measurement(nets[0], task(), 50), measurement(nets[1], task(), 60, top=1.0)]
    )  # the wider layer is held to the narrow one's accuracy
    accuracy = pretraining.common_accuracy(better, by_family, better.tasks[0], 0.9)
    assert accuracy == pytest.approx(0.72)
    rows = pretraining.width_rows(better, by_family, 0.9)
    ends = [[point.value for point in row[0][1][0].points] for row in rows]
    assert ends == [pytest.approx([0.5, 0.85]), pytest.approx([0.5, 0.85]), [50, 48]]
    assert pretraining.width_ticks(by_family) == [(100.0, "100"), (400.0, "400")]
    assert pretraining.spaced_ticks([128, 192, 200, 256]) == [
        (128.0, "128"),
        (192.0, "192"),
        (256.0, "256"),
    ]


def test_neurons_for_an_accuracy_have_the_range_over_seeds():
    wide = curve(rising(60, 400, top=1.0))
    point = pretraining.neurons_for(wide, 0.72)
    assert (point.value, point.low, point.high) == (48, np.ceil(0.8 * 58), np.ceil(0.8 * 62))
    assert np.isnan(pretraining.neurons_for(curve(rising(50)), 0.9).value)
    coarse = curve(np.array([[0.2, 0.7, 0.9], [0.4, 0.9, 0.9]]), sizes=[1, 10, 50], d=50)
    point = pretraining.neurons_for(coarse, 0.75)
    assert (point.value, point.low, point.high) == (10, 10, 50)


def test_the_seed_of_pretraining_as_a_yardstick():
    nets = [net("a"), net("b", seed=2), net("c", loss="MRL")]
    apart = Measurements(
        [
            measurement(nets[0], task(), 20),
            measurement(nets[1], task(), 60, cka=20),
            measurement(nets[2], task(), 40),
        ]
    )
    assert pretraining.seed_pairs(apart, 0.9) == (1, 2)
    assert "come out different in 1 of 2 cases" in pretraining.describe_seed_pairs(apart, 0.9)
    fewer = Measurements(apart.all[1:])
    assert "no two networks" in pretraining.describe_seed_pairs(fewer, 0.9)


def test_families_are_compared_at_equal_width():
    nets = [net("a"), net("b", d=50), net("v", d=50, family="vit_x")]
    measurements = Measurements(
        [
            measurement(nets[0], task(), 10),
            measurement(nets[1], task(), 20, cka=30),
            measurement(nets[2], task(), 25, cka=40),
        ]
    )
    by_family = grouped(nets, "family", free=["width"])
    text = pretraining.describe_families(measurements, by_family, 0.9)
    assert "at 50 neurons resnet 0.60 and 0.40 and vit x 0.50 and 0.20" in text
    assert "100" not in text
    alone = grouped(nets[:2], "family", free=["width"])
    assert "No two families" in pretraining.describe_families(measurements, alone, 0.9)


def test_every_claim_has_words():
    assert sorted(CLAIMS) == list(range(1, 11))
    assert all(isinstance(claim.text, str) for claim in CLAIMS.values())
