"""What dropping neurons does to single classes, on curves by class whose answer is known."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.experiment.measurements import Halves, Measurement, Measurements
from diffused_redundancy.findings import fairness
from diffused_redundancy.measures.fairness import gini
from diffused_redundancy.nets.networks import Net
from diffused_redundancy.tasks import Task
from made_up import D, curve, measurement, net, task

COUNTS = {"t": np.array([50, 50, 50, 50])}


def of_classes(network: Net, where: Task, by_class: np.ndarray, full: float) -> Measurement:
    """Curves of accuracy by class, (seeds, d, C)."""
    mean = by_class.mean(-1)
    accuracy = curve(mean, full=full, per_class=by_class)
    cka = curve(mean / full, measure="cka", full=1.0)
    about = {"d": by_class.shape[1], "diagonal_share": 0.1}
    return Measurement(network, where, {"random": accuracy}, {"random": cka}, about)


def one_hard_class(
    network: Net, where: Task, hard: int, *, shuffled: bool = False, seeds: int = 5
) -> Measurement:
    """Four classes that reach 0.8; class ``hard`` needs five times the neurons (another one in each
    seed if shuffled).
    """
    k = np.arange(1, D + 1)
    curves = []
    for seed in range(seeds):
        slow = (hard + seed) % 4 if shuffled else hard
        needed = [(20 if c != slow else 100) + 2 * ((c + seed) % 4) for c in range(4)]
        curves.append(np.stack([0.8 * np.minimum(1, k / n) for n in needed], 1))
    by_class = np.stack(curves)
    by_class[:, -1] = 0.8
    return of_classes(network, where, by_class, 0.8)


def halves_of(measurements: Measurements) -> Halves:
    """As if both halves of the test images gave the same accuracies."""
    return {
        (one.net.name, one.task.name): (fairness.by_class(one.accuracy["random"]),) * 2
        for one in measurements.all
    }


def test_the_same_class_loses_each_time():
    where = task()
    measurements = Measurements(
        [one_hard_class(net("a"), where, 2), one_hard_class(net("b", seed=2), where, 2)]
    )
    halves = halves_of(measurements)
    (agreement,) = fairness.agreements(measurements, halves, 0.9, ["random"], shuffles=200)
    assert agreement.across_seeds > agreement.chance
    assert agreement.names == ["a", "b"] and agreement.matrix.shape == (2, 2)
    ((title, names, matrix),) = fairness.agreement_panels([agreement])
    assert (title, names) == ("T", ["a", "b"]) and matrix is agreement.matrix
    lost = fairness.lost_first(measurements, measurements.nets[0], 0.9)
    assert lost["class"].iloc[0] == "c" and lost["least over seeds"].iloc[0] > 10
    assert fairness.classes_differ(measurements, [agreement], COUNTS, 0.9).word == "holds"
    spread = fairness.spread_table(measurements, COUNTS, 0.9)
    results = fairness.results_of(spread, [agreement])
    assert results["agreement between seeds, T"] == agreement.across_seeds
    assert results["Gini, T, a, all"] == pytest.approx(0, abs=1e-12) and len(results) == 7


def test_other_classes_lose_each_time():
    measurements = Measurements([one_hard_class(net("a"), task(), 0, shuffled=True, seeds=4)])
    halves = halves_of(measurements)
    agreements = fairness.agreements(measurements, halves, 0.9, ["random"], shuffles=200)
    assert agreements[0].across_seeds < agreements[0].chance
    assert fairness.agreement_panels(agreements) == fairness.agreement_panels([]) == []
    verdict = fairness.classes_differ(measurements, agreements, COUNTS, 0.9)
    assert verdict.word == "does not hold"


def test_a_class_that_is_lucky_with_its_images_does_not_agree_with_itself():
    """Every seed sees the same noise on each half; the halves' noises have nothing to do with each
    other.
    """
    rng = np.random.default_rng(0)
    where = task(labels="abcdefghijklmnopqrst")
    k = np.arange(1, D + 1)
    halves = []
    for _ in range(2):
        noise = rng.normal(0, 0.1, 20)
        by_class = np.stack(
            [np.minimum(1, k / (50 + i))[:, None] * 0.8 * np.ones(20) for i in range(5)]
        )
        by_class[:, :-1] += noise  # the whole layer is even: what is lost looks like the noise
        halves.append(by_class)
    both = (halves[0] + halves[1]) / 2
    measurements = Measurements([of_classes(net("a"), where, both, 0.8)])
    (agreement,) = fairness.agreements(
        measurements, {("a", "t"): tuple(halves)}, 0.9, ["random"], shuffles=200
    )
    assert agreement.shared > 0.9 and abs(agreement.across_seeds) < 0.5


def test_losing_alike_is_no_unevenness():
    """All classes keep the same share of their accuracy: the index grows by chance, and the claim
    does not hold.
    """
    rng = np.random.default_rng(1)
    where, tests = task(labels="abcdefghijklmnopqrst"), np.full(20, 30)
    k = np.arange(1, D + 1)
    share = np.minimum(1, k / 60)
    rates = np.full(20, 0.97)
    by_class = np.stack([rng.binomial(30, np.outer(share, rates)) / 30 for _ in range(6)])
    by_class[:, -1] = by_class[0, -1]
    one = of_classes(net("a"), where, by_class, float(by_class[0, -1].mean()))
    measurements = Measurements([one])
    k_star = fairness.sufficient_size(one, 0.9)
    index = gini(fairness.by_class(one.accuracy["random"], k_star)).mean()
    assert index > 1.3 * gini(by_class[0, -1])
    assert fairness.gini_if_alike(one, tests, k_star) == pytest.approx(index, rel=0.3)
    halves = {("a", "t"): (by_class, by_class)}
    agreements = fairness.agreements(measurements, halves, 0.9, ["random"])
    verdict = fairness.classes_differ(measurements, agreements, {"t": tests}, 0.9)
    assert verdict.word == "does not hold"


def test_spread_is_that_of_the_measure():
    one = one_hard_class(net("a"), task(), 1)
    measurements = Measurements([one])
    table = fairness.spread_table(measurements, COUNTS, 0.9)
    row = table[table["neurons"] == "90% of the mean"].iloc[0]
    assert row["k"] == one.redundancy("accuracy", 0.9).k
    by_class = one.accuracy["random"].per_class
    assert row["Gini"] == pytest.approx(gini(by_class[:, row["k"] - 1]).mean())
    assert row["low"] <= row["Gini"] <= row["high"]
    assert row["by chance"] > 0 and row["if all lost alike"] > 0
    assert table["Gini"].iloc[0] == pytest.approx(0, abs=1e-12)
    assert "low" not in fairness.shown_spread(table)
    assert "would be expected if all classes lost alike" in fairness.describe_spread(table)
    (panel,) = fairness.spread_panels(measurements, COUNTS, ["random"])
    assert panel.curves[0].sizes[0] == 10
    assert panel.curves[-1].label == "expected if all classes lost alike"
    assert "the worst class from 80% to" in fairness.describe_worst(measurements, one.net, 0.9)


def test_the_worst_tenth_is_drawn_where_it_is_more_than_one_class():
    few = Measurements([one_hard_class(net("a"), task(), 1)])
    (panel,) = fairness.worst_panels(few, few.nets[0], 0.1, 0.9)
    assert [line.label for line in panel.curves] == ["mean over classes", "worst class"]
    assert panel.threshold == pytest.approx(0.72) and panel.percent
    rng = np.random.default_rng(0)
    by_class = rng.uniform(0.4, 0.6, (3, D, 20))
    many = Measurements([of_classes(net("a"), task(labels="abcdefghijklmnopqrst"), by_class, 0.5)])
    (panel,) = fairness.worst_panels(many, many.nets[0], 0.1, 0.9)
    mean, tenth, worst = panel.curves
    assert tenth.label == "worst 10% of classes"
    assert (worst.values <= tenth.values).all() and (tenth.values <= mean.values).all()


def test_a_careful_rule_keeps_more_of_the_worst():
    one = one_hard_class(net("a"), task(), 3)
    counts = np.array([10, 10, 10, 10])
    validation = {"t": (fairness.by_class(one.accuracy["random"]), counts)}
    choices = fairness.choices(Measurements([one]), one.net, validation, {"t": counts}, 0.9)
    table = choices.set_index("rule")
    careful = table.loc["worst tenth of classes"]
    assert careful["k"] > table.loc["mean over images", "k"] == table.loc["mean over classes", "k"]
    assert float(careful["worst tenth kept on test"].rstrip("%")) >= 90
    assert f"for {careful['k']} neurons instead of" in fairness.describe_choices(choices)
    accuracy, images = np.array([1.0, 0.0]), np.array([30, 10])
    assert fairness.rule_values(accuracy, images, "images") == pytest.approx(0.75)
    assert fairness.rule_values(accuracy, images, "classes") == pytest.approx(0.5)


def test_a_curve_without_classes_is_refused():
    plain = measurement(net("a"), task(), 40).accuracy["random"]
    with pytest.raises(dr.InputError, match="ridge accuracy holds no accuracy by class"):
        fairness.by_class(plain)
    by_class = one_hard_class(net("a"), task(), 1).accuracy["random"]
    with pytest.raises(dr.InputError, match=r"k = 500 was not measured \(nearest: 100\)"):
        fairness.by_class(by_class, 500)
