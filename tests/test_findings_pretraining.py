"""Networks compared by loss, upstream set, width and family, on curves whose answer is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from diffused_redundancy.experiment.measurements import COMPARED, Measurements
from diffused_redundancy.experiment.penalty_bands import GroupBands
from diffused_redundancy.findings import comparisons, pretraining
from diffused_redundancy.findings.claims import CLAIMS
from diffused_redundancy.findings.grouping import grouped
from diffused_redundancy.nets.zoo import trained_on
from made_up import D, curve, measurement, net, rising, task

ADVERSARIAL = "adversarial L2 0.5"


@pytest.fixture
def losses() -> Measurements:
    """Five standard networks (k* of 38 to 42), five adversarial ones (18 to 22), one with dropout
    (42): one task, another task the other way round.
    """
    nets = [net(f"a{i}", seed=i) for i in range(5)]
    nets += [net(f"b{i}", seed=i, loss=ADVERSARIAL) for i in range(5)]
    nets.append(net("c1", loss="dropout 0.5", strength=0.5))
    high, low = [38, 39, 40, 41, 42], [18, 19, 20, 21, 22]
    one, two = task("one"), task("two")
    sizes = {one: [*high, *low, 42], two: [*low, *high, 22]}
    return Measurements(
        [
            measurement(n, where, k)
            for where, every in sizes.items()
            for n, k in zip(nets, every, strict=True)
        ]
    )


def test_sets_are_compared_with_the_next_smaller_one():
    nets = [net("m", images=40), net("s", upstream="few", images=4), net("l", upstream="many")]
    nets.append(net("x", upstream="most", images=120))
    nets.append(net(*trained_on("digits"), upstream="1,297 handwritten digits", images=60))
    measurements = Measurements(
        [measurement(n, task(), k) for n, k in zip(nets, (40, 60, 30, 20, 10), strict=True)]
    )
    differences = pretraining.upstream_differences(measurements, grouped(nets, "upstream"), 0.9)
    pairs = [(one.group, one.against) for one in differences if one.measure == "cka"]
    # that of unknown size is left out, and so is the train part of a task
    assert pairs == [("letters", "few"), ("most", "letters")]
    assert {one.outcome for one in differences} == {"no power"}
    assert [one.comparison.difference for one in differences[:2]] == pytest.approx([0.2, 0.2])


def test_verdicts_on_one_loss_look_at_its_groups_and_one_measure_only(losses):
    by_loss = grouped(losses.nets, "loss")
    differences = pretraining.loss_differences(losses, by_loss, 0.9)

    def verdict(loss, expected="higher", some=differences):
        return pretraining.verdict_on_loss(some, by_loss, loss, expected, "accuracy", 0.9)

    both = verdict("adversarial")
    assert both.word == "holds on 1 of 2 tasks, does not on 1"
    assert both.because.startswith("Adversarial against standard training, DR(0.9) of accuracy")
    assert "\n- ONE, higher: adversarial L2 0.5 +0.200 (+0.1" in both.because
    assert "\n- TWO, lower: adversarial L2 0.5 -0.200" in both.because
    assert "CKA" not in both.because
    on_one = [one for one in differences if one.task == "ONE"]
    assert verdict("adversarial", some=on_one).word == "holds"
    assert verdict("adversarial", "lower", on_one).word == "does not hold"
    weak = verdict("dropout")
    assert weak.word == "no power" and "1 of 1 comparisons without power, " in weak.because
    noted = pretraining.verdict_on_loss(
        differences, by_loss, "adversarial", "higher", "cka", 0.9, pretraining.GOVERN
    )
    assert f" {pretraining.GOVERN}\n\n- " in noted.because and "largely govern" in noted.because
    missing = verdict("DeCov")
    assert missing.word == "not asked"
    assert missing.because.startswith("DeCov against standard training") and "no such" in (
        missing.because
    )


def widths(sizes: dict[int, list[int]], other: dict[int, list[int]]) -> Measurements:
    """Networks of some widths, with k* on one task and on another."""
    one, two = task("one"), task("two")
    found = []
    for d in sizes:
        for seed, (k, k_other) in enumerate(zip(sizes[d], other[d], strict=True)):
            network = net(f"w{d}_s{seed}", d=d, seed=seed)
            found += [measurement(network, one, k, cka=k), measurement(network, two, k_other)]
    return Measurements(found)


def test_widths_get_a_trend_over_all_of_them():
    rising = {50: [30], 100: [50], 200: [80, 81, 79, 80, 82], 400: [140], 800: [200]}
    flat = {50: [25], 100: [49], 200: [104, 98, 101, 100, 99], 400: [202], 800: [399]}
    measurements = widths(rising, flat)
    by_width = grouped(measurements.nets, "width")
    trends = pretraining.width_trends(measurements, by_width, 0.9)
    up, level = trends["accuracy"]["ONE"], trends["accuracy"]["TWO"]
    assert up.p == pytest.approx(2 / 3024) and up.corrected_p == pytest.approx(4 / 3024)
    assert up.networks == (1, 1, 5, 1, 1) and up.words == "rises" and up.low > 0
    assert level.words == "undecided"
    verdict = pretraining.verdict_on_width(trends, "accuracy", 0.9)
    assert verdict.word == "holds on 1 of 2 tasks"
    assert "- ONE: rises (100% of the pairs rise, corrected p = 0.00132)." in verdict.because
    table = comparisons.trends_table(trends, "doubling")
    assert list(table["networks"]) == ["1 + 1 + 5 + 1 + 1"] * 6
    assert table["slope per doubling"].iloc[0] == pytest.approx(up.slope)
    assert (
        "1 + 1 + 5 + 1 + 1 networks can be assigned to 5 widths in 3,024 ways"
        in pretraining.describe_orders(trends)
    )
    assert "has p = 0.00066 before the correction" in pretraining.describe_orders(trends)
    falling = {50: [5], 100: [30], 200: [80] * 5, 400: [240], 800: [600]}
    fallen = pretraining.width_trends(widths(falling, falling), by_width, 0.9)
    assert pretraining.verdict_on_width(fallen, "cka", 0.9).word == "does not hold"


def test_a_trend_has_to_be_there_at_every_penalty():
    """As where a stronger penalty lowers DR of the wide layers alone."""
    sizes = {50: [30], 100: [50], 200: [80, 81, 79, 80, 82], 400: [140], 800: [200]}
    measurements = widths(sizes, sizes)
    by_width = grouped(measurements.nets, "width")

    def outcomes(*strongest, weakest=0.0):
        """With DR of each width moved so far at the ends of the band on the first task."""
        values = {
            str(d): tuple((0.5 + weakest, 0.5, 0.5 + moved) for _ in sizes[d])
            for d, moved in zip(sizes, strongest, strict=True)
        }
        bands = {"one": GroupBands(0.9, (0.1, 1.0, 10.0), values, 1.0, seeds=3)}
        found = pretraining.width_trends(measurements, by_width, 0.9, bands)
        return found, [one.outcome for by_task in found.values() for one in by_task.values()]

    _, together = outcomes(-0.2, -0.2, -0.2, -0.2, -0.2, weakest=0.1)
    assert together == ["higher"] * 6
    found, apart = outcomes(0, 0, -0.2, -0.3, -0.35)
    assert apart == ["not resolvable", *["higher"] * 5]
    before = pretraining.width_trends(measurements, by_width, 0.9)
    for measure, by_task in before.items():
        for title, one in by_task.items():
            assert found[measure][title].p == one.p  # what is stated is at the penalty in force
    verdict = pretraining.verdict_on_width(found, "accuracy", 0.9)
    assert verdict.word == "holds on 1 of 2 tasks"
    assert "- ONE: has a trend, but not at each penalty" in verdict.because
    table = comparisons.trends_table(found, "doubling")
    assert list(table["trend"]) == ["not resolvable", *["rises"] * 5]


def test_few_networks_of_one_width_each_have_no_power():
    rising = {50: [30], 100: [50], 200: [80], 400: [140]}
    measurements = widths(rising, rising)
    by_width = grouped(measurements.nets, "width")
    trends = pretraining.width_trends(measurements, by_width, 0.9)
    verdict = pretraining.verdict_on_width(trends, "accuracy", 0.9)
    assert verdict.word == "no power" and "no order of 4 networks" in verdict.because
    alone = grouped(measurements.nets[:1], "width")
    trends = pretraining.width_trends(measurements, alone, 0.9)
    assert pretraining.verdict_on_width(trends, "accuracy", 0.9).word == "not asked"
    assert pretraining.describe_orders(trends) == ""


def plain_shares(values: np.ndarray) -> list[float]:
    """By regression on dummy variables."""
    n, t = values.shape
    rows, columns = np.repeat(np.eye(n), t, 0), np.tile(np.eye(t), (n, 1))
    flat = values.ravel()

    def explained(X):
        fitted = X @ np.linalg.lstsq(X, flat, rcond=None)[0]
        return ((fitted - flat.mean()) ** 2).sum() / ((flat - flat.mean()) ** 2).sum()

    one, two = explained(rows), explained(columns)
    return [one, two, 1 - explained(np.hstack([rows, columns]))]


def test_the_variance_is_shared_out():
    nets = [net(f"n{i}", loss=f"l{i}") for i in range(4)]
    tasks = [task(name) for name in ("easy", "middle", "hard")]
    sizes = {"easy": [5, 7, 6, 9], "middle": [12, 15, 13, 21], "hard": [60, 50, 70, 80]}
    made = [
        measurement(n, t, k, cka=10 * i + j + 3, top=0.3 if t.name == "hard" else 0.9)
        for j, t in enumerate(tasks)
        for i, (n, k) in enumerate(zip(nets, sizes[t.name], strict=True))
    ]
    measurements = Measurements(made)
    table = pretraining.variance_shares(measurements, nets, 0.9)
    assert list(table["tasks"]) == ["all", "without HARD"] * 3
    values = np.array(
        [[measurements.of(n, t).redundancy("accuracy", 0.9).value for t in tasks] for n in nets]
    )
    shares = table[["network", "task", "rest"]].to_numpy()
    assert shares[0] == pytest.approx(plain_shares(values))
    assert shares[1] == pytest.approx(plain_shares(values[:, :2]))
    assert shares.sum(1) == pytest.approx(np.ones(6))
    assert list(table["network, by chance"]) == pytest.approx(
        [(1 - one) / tasks for one, tasks in zip(shares[:, 1], (3, 2) * 3, strict=True)]
    )
    left_out = [plain_shares(np.delete(values, i, 0))[0] for i in range(4)]
    assert (table["least"][0], table["most"][0]) == pytest.approx((min(left_out), max(left_out)))
    text = pretraining.describe_variance(table, D, 0.9)
    assert (
        f"- accuracy: over all tasks the task explains {shares[0, 1]:.1%} and the network "
        f"{shares[0, 0]:.1%} (by chance {(1 - shares[0, 1]) / 3:.1%}); "
        f"without HARD the task explains {shares[1, 1]:.1%} and the network {shares[1, 0]:.1%} ("
    ) in text
    assert "are no interval" in text
    assert f"- CKA: over all tasks the task explains {shares[2, 1]:.1%} and" in text
    assert shares[0, 0] < 0.1 < 0.9 < shares[2, 0]


def test_what_networks_explain_by_chance():
    """Over every order of the values of each task."""
    values = np.array([[0.1, 0.5, 0.9], [0.2, 0.4, 0.3], [0.7, 0.6, 0.2]])
    every = [
        pretraining.two_way_shares(np.array(columns).T)
        for columns in itertools.product(*(itertools.permutations(one) for one in values.T))
    ]
    of_task = every[0][1]
    assert [shares[1] for shares in every] == pytest.approx([of_task] * len(every))
    assert np.mean([shares[0] for shares in every]) == pytest.approx((1 - of_task) / 3)


def test_variance_of_too_little_is_said():
    one = Measurements([measurement(net("a"), task(), 9), measurement(net("b"), task(), 8)])
    table = pretraining.variance_shares(one, one.nets, 0.9)
    assert pretraining.describe_variance(table, D, 0.9) == (
        "It takes two networks that differ in loss and seed only, and have a DR on the same two "
        "tasks, to share out variance."
    )
    nets, two = [net("a"), net("b"), net("c")], [task("one"), task("two")]
    never = Measurements(
        [
            measurement(n, t, 500 if n.name == "c" else 9 + i)
            for t in two
            for i, n in enumerate(nets)
        ]
    )
    table = pretraining.variance_shares(never, nets, 0.9)
    assert list(table["networks"]) == [2, 2, 2] and set(table["tasks"]) == {"all"}
    assert np.isnan(table["least"]).all()
    assert "no interval" not in pretraining.describe_variance(table, D, 0.9)


def test_sentences_on_groups_state_the_yardstick(losses):
    by_loss = grouped(losses.nets, "loss")
    text = pretraining.describe_groups(losses, by_loss, "accuracy", 0.9)
    assert (
        "- ONE: from 0.60 (standard; 0.58 to 0.62) to 0.80 (adversarial L2 0.5; 0.78 to 0.82); SD "
        "between seeds 0.016.\n- TWO: from 0.60 (adversarial L2 0.5; 0.58 to 0.62) to" in text
    )
    assert "Groups of one network are left out: dropout 0.5." in text
    without = pretraining.describe_groups(losses, grouped(losses.nets[:10], "loss"), "cka", 0.9)
    assert "left out" not in without and "range over networks" in without
    levels = pretraining.describe_levels(losses, by_loss)
    assert "- ONE: from 80.0% (standard) to 80.0%" in levels and "guessing" not in levels
    single = grouped([losses.nets[place] for place in (0, 5, 10)], "loss")
    text = pretraining.describe_groups(losses, single, "accuracy", 0.9)
    assert "- ONE: from 0.58 (dropout 0.5) to 0.82 (adversarial L2 0.5)." in text
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
    assert figure.ylabels == [f"DR(0.9) of {name}" for name in COMPARED.values()]
    assert len(figure.rows) == 3
    first = figure.table.iloc[0].to_dict()
    assert first.pop("over all strengths it").startswith("has no clear trend (")
    assert first == {
        "DR(0.9) of": "accuracy",
        "task": "T",
        "standard": "0.59",
        "dropout 0.8": "0.54",
    }
    assert "clearly rises in 0 and clearly falls in 0 of 3 rows" in figure.sentence
    assert "falls in 2 of 3" in pretraining.describe_strengths(
        figure.table.assign(**{"over all strengths it": ["falls (", "rises (", "falls ("]})
    )
    assert "the verdict counts the comparisons with the reference" in figure.sentence
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
    assert "from 100 to 400 neurons (one network of each of these two)" in text
    assert "- T: from 0.50 to 0.85, while the neurons needed for" in text
    assert "an accuracy of 72.0% go from 50 to 60." in text
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
    assert ends == [*[pytest.approx([0.5, 0.85])] * 3, [50, 48]]
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


def test_families_are_compared_at_equal_width():
    nets = [net("a"), net("b", d=50), net("v", d=50, family="vit_x")]
    measurements = Measurements(
        [
            measurement(nets[0], task(), 10),
            measurement(nets[1], task(), 20, cka=30, standardized=15),
            measurement(nets[2], task(), 25, cka=40),
        ]
    )
    by_family = grouped(nets, "family", free=["width"])
    text = pretraining.describe_families(measurements, by_family, 0.9)
    assert "- 50 neurons: resnet 0.60 / 0.40 / 0.70 (1 network); vit x" in text
    assert "100" not in text
    alone = grouped(nets[:2], "family", free=["width"])
    assert "No two families" in pretraining.describe_families(measurements, alone, 0.9)


def test_every_claim_has_words():
    assert sorted(CLAIMS) == list(range(1, 11))
    assert all(isinstance(claim.text, str) for claim in CLAIMS.values())
