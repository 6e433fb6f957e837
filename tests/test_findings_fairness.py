"""What dropping neurons does to single classes, on hits whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from diffused_redundancy.experiment.measurements import Measurement, Measurements
from diffused_redundancy.findings import answers, fairness, lost_classes
from diffused_redundancy.measures.fairness import gini, mean_agreement, worst
from diffused_redundancy.measures.hits import Hits
from diffused_redundancy.measures.shifts import NULLS, Comparison, holm, margin_chances
from diffused_redundancy.nets.networks import Net
from diffused_redundancy.tasks import Task
from made_up import D, curve, net, task

LETTERS = "abcdefghijkl"
IMAGES = 60


def measured(
    network: Net,
    where: Task,
    *,
    loser: int | None = None,
    moving: bool = False,
    even: bool = False,
    seeds: int = 6,
    images: int = IMAGES,
    seed: int = 0,
) -> tuple[Measurement, Hits]:
    """Margins that fall alike as neurons go, with some scatter; class ``loser`` loses further
    (another one with each seed if ``moving``).

    Classes are equally hard if ``even``.
    """
    rng = np.random.default_rng(seed)
    classes = len(where.classes)
    labels = np.repeat(np.arange(classes), images)
    centres = np.full(classes, 2.5) if even else np.linspace(1.5, 4, classes)
    margins = centres[labels] + rng.standard_normal(len(labels))
    gone = 1 - np.arange(1, D + 1) / D
    right = np.empty((seeds, D, len(labels)), dtype=bool)
    for s in range(seeds):
        further = np.zeros(classes)
        if loser is not None:
            further[(loser + s) % classes if moving else loser] = 6
        shift = gone[:, None] * (2 + further[labels])
        scatter = 0.5 * gone[:, None] * rng.standard_normal(len(labels))
        right[s] = margins - shift + scatter > 0
    hits = Hits(np.packbits(right, axis=2), margins, labels, classes)
    accuracy = curve(right.mean(2), full=float((margins > 0).mean()))
    cka = curve(accuracy.values / accuracy.full, measure="cka", full=1.0)
    about = {"d": D, "diagonal_share": 0.1}
    curves = ({"random": one} for one in (accuracy, cka, replace(cka, measure="standardized_cka")))
    return Measurement(network, where, *curves, about), hits


def all_of(*pairs: tuple[Measurement, Hits]) -> tuple[Measurements, dict]:
    return Measurements([one for one, _ in pairs]), {
        (one.net.name, one.task.name, "random"): hits for one, hits in pairs
    }


def one_task(**how) -> tuple[Measurements, dict]:
    where = task(labels=LETTERS)
    return all_of(*(measured(net(name), where, seed=i, **how) for i, name in enumerate("ab")))


@pytest.fixture(scope="module")
def alike():
    """Twelve classes of different difficulty under one shift of margins."""
    return one_task()


@pytest.fixture(scope="module")
def apart():
    """The same, with class g, one of average difficulty, losing for real."""
    return one_task(loser=6)


def verdict_of(measurements, hits):
    cells = fairness.cells(measurements, hits, 0.9)
    agreements = lost_classes.agreements(measurements, hits, 0.9, ["random"], shuffles=100)
    verdicts = (
        fairness.classes_differ(cells, agreements, 0.9),
        fairness.beyond_a_shift(cells, 0.9),
    )
    return verdicts, cells, agreements


def test_hard_classes_alone_make_the_claim_but_go_not_beyond_a_shift(alike):
    (literal, beyond), cells, _ = verdict_of(*alike)
    assert literal.word == "holds" and "share of theirs in 2 of 2 cells (" in literal.because
    assert beyond.word in ("does not hold", "undecided")
    assert fairness.above(cells, "proportional").all() and not fairness.above(cells).any()
    assert "It is clearly above it in 0 of 2 cells" in beyond.because


def test_a_class_that_loses_for_real_makes_the_claim(apart):
    verdicts, cells, _ = verdict_of(*apart)
    assert fairness.above(cells).all() and [one.word for one in verdicts] == ["holds", "holds"]
    assert "It is clearly above it in 2 of 2 cells" in verdicts[1].because


def _with_p(found, p: float, excess: float = 0.05, half: float = 0.02):
    return {
        key: Comparison(one.expected + excess, one.expected, excess - half, excess + half, p)
        for key, one in found.items()
    }


@pytest.mark.parametrize(
    "changed, word",
    [
        ([(1e-4, 0.05), (1e-4, 0.05)], "holds"),
        ([(1e-4, 0.05), (0.5, -0.05)], "undecided"),  # two networks on one task
        ([(0.9, -0.05), (0.9, -0.05)], "does not hold"),
        ([(0.04, 0.05), (0.04, 0.05)], "undecided"),  # neither is below 5% after correction
    ],
)
def test_the_verdict_follows_from_the_cells(alike, changed, word):
    measurements, hits = alike
    cells = [
        replace(cell, found=_with_p(cell.found, p, excess))
        for cell, (p, excess) in zip(fairness.cells(measurements, hits, 0.9), changed, strict=True)
    ]
    verdict = fairness.beyond_a_shift(cells, 0.9)
    assert verdict.word == word
    times = sum(p < 0.025 for p, _ in changed)
    assert f"clearly above it in {times} of 2 cells" in verdict.because
    assert f"\n- Beyond the same shift of logits: in {times} of 2 cells." in verdict.because
    told = fairness.describe_cells(cells, 0.9)
    assert f"- if all classes have the same share of accuracy: in {times} of 2 cells." in told
    assert f"in {times} of 2 cells if the logits" in fairness.take_away(cells, [], [])


def test_one_seed_gives_no_verdict():
    measurements, hits = one_task(seeds=1)
    verdicts, cells, agreements = verdict_of(measurements, hits)
    assert {one.word for one in verdicts} == {"undecided"} and not fairness.above(cells).any()
    assert "several seeds" in fairness.describe_cells(cells, 0.9)
    assert "several seeds" in lost_classes.describe_agreements(agreements)
    assert fairness.take_away(cells, agreements, []) == ""
    assert "–" in set(fairness.shown_cells(cells)["95% interval"])
    assert fairness.classes_differ([], [], 0.9).word == "undecided"
    assert fairness.beyond_a_shift([], 0.9).word == "undecided"


def test_the_strictest_null_is_the_one_least_clearly_exceeded(apart):
    cells = fairness.cells(*apart, 0.9)
    for cell in cells:
        p = {null: cell.found[null, "Gini"].p for null in NULLS[1:]}
        assert cell.excess.p == max(p.values()) and p[cell.strictest] == cell.excess.p
    table = fairness.cell_table(cells)
    rows = table[(table["index"] == "Gini") & (table["null"] == "same shift of margins")]
    assert rows["p, corrected"].to_numpy() == pytest.approx(holm(rows["p"].to_numpy()))
    assert len(table) == 2 * 2 * 3
    assert np.allclose(table["excess"], table["observed"] - table["expected"])
    assert (table["low"] < table["excess"]).all() and (table["excess"] < table["high"]).all()


def test_the_share_that_is_explained(alike):
    cells = fairness.cells(*alike, 0.9)
    found = fairness.explained(cells, "margin shift")
    for cell, share in zip(cells, found, strict=True):
        plain, one = (cell.found[null, "Gini"] for null in ("proportional", "margin shift"))
        assert share == pytest.approx(
            (one.expected - plain.expected) / (one.observed - plain.expected)
        )
    assert found.min() > 0.7 and found.max() < 1.3
    told = fairness.describe_cells(cells, 0.9)
    assert "have the same shift of margins: in 0 of 2 cells; this explains " in told


def test_losses_by_class_are_plain_means(apart):
    measurements, hits = apart
    one = measurements.all[0]
    table = lost_classes.loss_table(measurements, hits, one.net, 0.9)
    found, k = hits["a", "t", "random"], one.redundancy("accuracy", 0.9).k
    chances = margin_chances(found, k)
    for c, row in enumerate(table.itertuples()):
        own = found.labels == c
        assert row.k == k and table["class"][c] == LETTERS[c]
        left = found.at(k)[:, own].mean()
        assert table["loss, points"][c] == pytest.approx(100 * (found.full[own].mean() - left))
        assert table["beyond, points"][c] == pytest.approx(100 * (chances[own].mean() - left))
        unit = found.margins.std()
        assert table["margin"][c] == pytest.approx(found.margins[own].mean() / unit)
    assert table["beyond, points"].idxmax() == 6 and table["p"][6] < 1e-4
    assert table["low"][6] > 0
    words = lost_classes.describe_losses(
        table, lost_classes.associations(measurements, hits, one.net, 0.9)
    )
    assert "1 of 12 classes lose more" in words and "in points: g (" in words
    ((title, (ours, predicted)),) = lost_classes.loss_panels(table)
    assert title == "T" and len(ours.points) == len(predicted.points) == 12
    assert list(ours.x) == sorted(table["margin"])


def test_no_class_is_named_where_all_lose_alike(alike):
    measurements, hits = alike
    first = measurements.nets[0]
    table = lost_classes.loss_table(measurements, hits, first, 0.9)
    correlated = lost_classes.associations(measurements, hits, first, 0.9)
    words = lost_classes.describe_losses(table, correlated)
    assert "0 of 12 classes lose more than a common shift of margins predicts" in words
    assert "in points" not in words
    assert correlated["T"][0].high < -0.5  # the hard ones lose most


def test_lists_chosen_on_other_images_are_not_biased():
    """Classes that are equally hard: those that seem to lose most, lose what all lose."""
    where, same, crossed, means = task(labels=LETTERS), [], [], []
    for seed in range(12):
        measurements, hits = all_of(measured(net("a"), where, even=True, images=30, seed=seed))
        (one,), _ = lost_classes.lost_most(measurements, hits, measurements.nets[0], 0.9)
        same.append(one.same_images)
        crossed.append(one.loss)
        means.append(one.mean)
    error = np.std(np.subtract(crossed, means), ddof=1) / np.sqrt(12)
    assert abs(np.mean(crossed) - np.mean(means)) < 3 * error
    assert np.mean(same) > np.mean(means) + 6 * error


def test_lists_are_those_of_plain_loops(apart):
    measurements, hits = apart
    (one,), table = lost_classes.lost_most(measurements, hits, measurements.nets[0], 0.9, most=3)
    found = hits["a", "t", "random"]
    lost = []
    for half in found.halves:
        lost.append(
            [
                found.full[half & (found.labels == c)].mean()
                - found.at(one.k)[:, half & (found.labels == c)].mean()
                for c in range(12)
            ]
        )
    lists = [np.argsort(-np.array(values))[:3] for values in lost]
    plain = np.mean([np.array(lost[1 - i])[lists[i]].mean() for i in (0, 1)])
    assert one.loss == pytest.approx(plain) and one.low < one.loss < one.high
    assert set(table["class"]) == {LETTERS[c] for some in lists for c in some}
    both = set(lists[0]) & set(lists[1])
    assert (table["chosen on"] == "both halves").sum() == len(both) and 6 in both
    assert "the 3 classes that lose most lose" in lost_classes.describe_lost([one])
    assert "95% interval" in lost_classes.shown_lost(table)


def test_classes_of_one_image_cannot_be_halved():
    measurements, hits = all_of(measured(net("a"), task(labels=LETTERS), images=1))
    chosen, table = lost_classes.lost_most(measurements, hits, measurements.nets[0], 0.5)
    assert chosen == [] and table.empty
    assert "too few classes, or images" in lost_classes.describe_lost(chosen)
    assert lost_classes.shown_lost(table).empty


def test_agreement_that_difficulty_explains(alike):
    measurements, hits = alike
    (one,) = lost_classes.agreements(measurements, hits, 0.9, ["random"], shuffles=100)
    assert one.across_seeds > 0.5 > 3 * abs(one.left)
    assert one.names == ["a", "b"] and one.matrix.shape == (2, 2)
    ((title, names, matrix),) = lost_classes.agreement_panels([one])
    assert (title, names) == ("T", ["a", "b"]) and matrix is one.matrix
    words = lost_classes.describe_agreements([one])
    assert f"- T: between seeds {one.across_seeds:.2f} (chance: below" in words
    assert f"margins: {one.left:.2f} (chance: below" in words


def test_agreement_beyond_difficulty():
    where = task(labels=LETTERS)
    measurements, hits = all_of(measured(net("a"), where, loser=6, images=200))
    (one,) = lost_classes.agreements(measurements, hits, 0.9, ["random"], shuffles=100)
    assert one.left > one.chance_left
    found = hits["a", "t", "random"]
    k = lost_classes.sufficient_size(measurements.all[0], 0.9)
    halves = [lost_classes.beyond(found, k, half) for half in found.halves]
    assert one.left == pytest.approx(mean_agreement(*halves))
    assert lost_classes.agreement_panels([one]) == lost_classes.agreement_panels([]) == []


def test_other_classes_lose_each_time():
    where = task(labels=LETTERS)
    pair = measured(net("a"), where, loser=0, moving=True, even=True, images=200)
    (one,) = lost_classes.agreements(*all_of(pair), 0.9, ["random"], shuffles=100)
    assert one.across_seeds < one.chance


def test_spread_is_that_of_the_measure(apart):
    measurements, hits = apart
    table = fairness.spread_table(measurements, hits, 0.9)
    row = table[table["neurons"] == "90% of the mean"].iloc[0]
    found = hits["a", "t", "random"]
    assert row["k"] == measurements.all[0].redundancy("accuracy", 0.9).k
    assert row["Gini"] == pytest.approx(gini(found.by_class[:, row["k"] - 1]).mean())
    assert row["by chance"] < row["same share of accuracy"] < row["same shift of margins"]
    assert set(fairness.shown_spread(table)["k"]) <= set(table["k"])
    assert "net" not in fairness.shown_spread(table)
    assert "under a common shift" in fairness.describe_spread(table)
    cells = fairness.cells(measurements, hits, 0.9)
    for null, words in fairness.ALIKE.items():  # simulated alike for both tables
        assert row[words] == cells[0].found[null, "Gini"].expected
    (panel,) = fairness.spread_panels(measurements, hits, ["random"])
    assert panel.curves[0].sizes[0] == 10
    assert [line.label for line in panel.curves[-3:]] == [
        "expected, same share of accuracy",
        "expected, same shift of logits",
        "expected, same shift of margins",
    ]
    words = fairness.describe_worst(measurements, hits, measurements.nets[0], 0.9)
    assert f"the worst class from {worst(found.full_by_class):.0%} to" in words
    results = fairness.results_of(table, [], fairness.cells(measurements, hits, 0.9))
    assert results["cells"] == 2 and results["cells above, same share of accuracy"] == 2


def test_the_worst_tenth_is_drawn_where_it_is_more_than_one_class(alike):
    measurements, hits = alike
    first = measurements.nets[0]
    (panel,) = fairness.worst_panels(measurements, hits, first, 0.1, 0.9)
    assert [line.label for line in panel.curves] == ["mean over classes", "worst class"]
    caption = fairness.worst_caption([panel])
    assert "per task: mean over classes and worst class." in caption and "tenth" not in caption
    assert panel.threshold == pytest.approx(0.9 * measurements.all[0].full) and panel.percent
    (panel,) = fairness.worst_panels(measurements, hits, first, 0.2, 0.9)
    mean, fifth, least = panel.curves
    assert "classes, worst 20% of classes and worst class." in fairness.worst_caption([panel])
    assert fifth.label == "worst 20% of classes"
    assert (least.values <= fifth.values).all() and (fifth.values <= mean.values).all()


def test_a_careful_rule_keeps_more_of_the_worst(apart):
    measurements, hits = apart
    found = hits["a", "t", "random"]
    validation = {"t": (found.by_class, found.counts)}
    choices = fairness.choices(measurements, measurements.nets[0], validation, hits, 0.9)
    table = choices.set_index("rule")
    careful = table.loc["worst tenth of classes"]
    assert careful["k"] > table.loc["mean over images", "k"] == table.loc["mean over classes", "k"]
    assert float(careful["worst tenth kept on test"].rstrip("%")) >= 90
    assert f"for {careful['k']} neurons instead of" in fairness.describe_choices(choices)
    accuracy, images = np.array([1.0, 0.0]), np.array([30, 10])
    assert fairness.rule_values(accuracy, images, "images") == pytest.approx(0.75)
    assert fairness.rule_values(accuracy, images, "classes") == pytest.approx(0.5)


def test_what_to_take_away_follows_from_the_numbers(alike, apart):
    told = []
    for measurements, hits in (alike, apart):
        cells = fairness.cells(measurements, hits, 0.9)
        agreements = lost_classes.agreements(measurements, hits, 0.9, ["random"], shuffles=50)
        chosen, _ = lost_classes.lost_most(measurements, hits, measurements.nets[0], 0.9)
        told.append(fairness.take_away(cells, agreements, chosen))
        one = chosen[0]
        lost = f"{one.task}, {one.most} classes: {100 * one.loss:.0f} ({100 * one.low:.0f} to"
        assert lost in told[-1]
        where = "the one task" if one.low > one.mean else "no task, of one"
        assert f"than the mean on {where}. In points" in told[-1]
        margins = fairness.above(cells, "margin shift").sum()
        assert f"in {margins} of 2 if the margins" in told[-1]
        assert f"from {agreements[0].across_seeds:.2f} to {agreements[0].left:.2f}" in told[-1]
    assert told[0] != told[1]
    assert "in 0 of 2 if the margins" in told[0] and "in 2 of 2 if the margins" in told[1]
    assert fairness.take_away([], [], []) == ""


def test_nothing_is_said_where_no_size_suffices(alike):
    measurements, hits = alike
    low = [
        replace(one, accuracy={"random": replace(one.accuracy["random"], full=2.0)})
        for one in measurements.all
    ]
    none, first = Measurements(low), measurements.nets[0]
    cells = fairness.cells(none, hits, 0.9)
    assert cells == [] and fairness.cell_table(cells).empty
    assert fairness.shown_cells(cells).empty
    assert "No size measured keeps 90%" in fairness.describe_cells(cells, 0.9)
    assert "No size measured keeps 90%" in fairness.describe_worst(none, hits, first, 0.9)
    table = lost_classes.loss_table(none, hits, first, 0.9)
    assert isinstance(table, pd.DataFrame) and lost_classes.loss_panels(table) == []
    assert "No size measured" in lost_classes.describe_losses(table, {})
    assert "No size measured" in lost_classes.describe_agreements(
        lost_classes.agreements(none, hits, 0.9, ["random"])
    )


def test_few_classes_are_neither_ranked_nor_picked():
    """Of five classes, the five that lose most are all of them, and their ranks are chance."""
    where = task(labels="abcde")
    pairs = (measured(net(name), where, seed=i) for i, name in enumerate("xy"))
    measurements, hits = all_of(*pairs)
    first = measurements.nets[0]
    assert lost_classes.lost_most(measurements, hits, first, 0.5)[0] == []
    assert lost_classes.associations(measurements, hits, first, 0.5) == {}
    assert lost_classes.agreements(measurements, hits, 0.5, ["random"]) == []
    assert lost_classes.unranked(measurements, hits, first) == ["T"]
    assert answers.who_pays([], 0.5, ["T"]).startswith(
        "This run cannot say: it takes a task of 8 classes or more"
    )
    twelve, twelve_hits = one_task()
    assert lost_classes.unranked(twelve, twelve_hits, twelve.nets[0]) == []
    (one,), _ = lost_classes.lost_most(twelve, twelve_hits, twelve.nets[0], 0.5)
    assert one.most == 4  # a third of twelve


def test_every_list_says_which_task_has_too_few_classes_for_it(apart):
    """Beside a task of twelve classes one of five, as CIFAR10 beside five kinds of flowers."""
    small = replace(task(labels="abcde"), name="five", title="Five")
    pairs = [(one, apart[1][one.net.name, "t", "random"]) for one in apart[0].all]
    pairs += [measured(net(name), small, seed=i) for i, name in enumerate("ab")]
    measurements, hits = all_of(*pairs)
    first = measurements.nets[0]
    few = lost_classes.unranked(measurements, hits, first)
    assert few == ["Five"]
    cells = fairness.cells(measurements, hits, 0.9)
    agreements = lost_classes.agreements(measurements, hits, 0.9, ["random"], shuffles=50)
    chosen, _ = lost_classes.lost_most(measurements, hits, first, 0.9)
    table = lost_classes.loss_table(measurements, hits, first, 0.9)
    correlated = lost_classes.associations(measurements, hits, first, 0.9)
    line = "Five: left out, with fewer than 8 classes."
    for told in (
        lost_classes.describe_losses(table, correlated, few),
        lost_classes.describe_lost(chosen, few),
        lost_classes.describe_agreements(agreements, few),
    ):
        assert told.endswith(f"\n- {line}") and told.count("left out") == 1
    judged = fairness.classes_differ(cells, agreements, 0.9, few).because
    assert judged.endswith("\n- Five: not ranked, with fewer than 8 classes.")  # and counted
    answer = answers.who_pays(chosen, 0.9, few)
    assert "clearly so on the one task of 8 classes or more. " in answer
    assert answer.endswith(f" in the mean. ({line})")
    assert "on the one task of 8 classes or more. " in fairness.take_away([], [], chosen, few)
    taken = fairness.take_away([], agreements, [], few)
    assert "beyond chance on the one task of 8 classes or more. " in taken
