"""Nets compared: groups, clear differences, fronts, prefixes, classes and depth, on made-up curves
whose answer is known.
"""

from __future__ import annotations

from dataclasses import replace

import diffused_redundancy as dr
import numpy as np
import pandas as pd
import pytest
from diffused_redundancy.experiment import measurements as grid
from diffused_redundancy.findings import depth
from diffused_redundancy.findings import fairness as classes
from diffused_redundancy.findings import matryoshka as nested
from diffused_redundancy.findings import pareto as fronts
from diffused_redundancy.findings import pretraining as comparison
from diffused_redundancy.findings.claims import CLAIMS
from diffused_redundancy.measure.fairness import gini
from diffused_redundancy.nets import names
from diffused_redundancy.nets.networks import Net, Origin, Preprocessing
from diffused_redundancy.tasks import Task

D = 100


def net(name: str, *, d: int = D, **origin) -> Net:
    how = {"family": "resnet", "loss": "standard", "upstream": "letters", "seed": 1, **origin}
    return Net(
        name,
        d,
        Preprocessing(32, (0.5,) * 3, (0.25,) * 3),
        name,
        "here",
        "MIT",
        Origin(**how),
        lambda: None,
    )  # type: ignore[arg-type, return-value]


def task(name: str = "t", labels: str = "abcd") -> Task:
    return Task(name, name.upper(), tuple(labels), name, "here", "MIT", lambda: None)  # type: ignore[arg-type, return-value]


def rising(
    k_star: int, d: int = D, seeds: int = 5, top: float = 0.8, jitter: int = 1
) -> np.ndarray:
    """Curves (seeds, d) that reach 90% of ``top`` at about ``k_star``, one neuron apart from seed
    to seed.
    """
    k = np.arange(1, d + 1)
    return np.stack(
        [
            top * np.minimum(1.0, 0.9 * k / (k_star + jitter * (i - seeds // 2)))
            for i in range(seeds)
        ]
    )


def cell(
    one: Net,
    where: Task,
    k_star: int,
    *,
    first: int | None = None,
    top: float = 0.8,
    cka: int | None = None,
    seeds: int = 5,
) -> grid.Cell:
    accuracy = {"random": rising(k_star, one.d, seeds, top)}
    similarity = {"random": rising(cka or k_star, one.d, seeds, 1.0)}
    if first is not None:
        accuracy["first"] = rising(first, one.d, 1, top)
        similarity["first"] = rising(first, one.d, 1, 1.0)
    return grid.Cell(
        one,
        where,
        np.arange(1, one.d + 1),
        accuracy,
        {},
        similarity,
        top,
        {"d": one.d, "diagonal_share": 0.1},
    )


@pytest.fixture
def losses() -> grid.Cells:
    """Two standard nets (k* of 40 and 44), two adversarial ones (20, 24), one with dropout (42):
    one task, another task the other way round.
    """
    nets = [
        net("a1"),
        net("a2", seed=2),
        net("b1", loss="adversarial L2 0.5"),
        net("b2", loss="adversarial L2 0.5", seed=2),
    ]
    nets.append(net("c1", loss="dropout 0.5", strength=0.5))
    one, two = task("one"), task("two")
    sizes = {one.name: (40, 44, 20, 24, 42), two.name: (20, 24, 40, 44, 22)}
    return grid.Cells(
        [cell(n, t, k) for t in (one, two) for n, k in zip(nets, sizes[t.name], strict=True)]
    )


def test_groups_hold_nets_that_differ_in_seed_only():
    nets = [
        net("a"),
        net("b", seed=2),
        net("c", loss="MRL"),
        net("d", d=50),
        net("e", family="vit"),
        net("f", upstream="more"),
    ]
    assert {
        label: [n.name for n in some] for label, some in grid.grouped(nets, "loss").groups.items()
    } == {
        "standard": ["a", "b"],
        "MRL": ["c"],
    }
    assert list(grid.grouped(nets, "width").groups) == ["100", "50"]
    assert list(grid.grouped(nets, "upstream").groups) == ["letters", "more"]
    by_family = grid.grouped(nets, "family", free=["width"])
    assert {label: len(some) for label, some in by_family.groups.items()} == {"resnet": 3, "vit": 1}
    assert by_family.reference == "resnet" and by_family.others == ["vit"]
    with pytest.raises(dr.InputError, match="traits are"):
        grid.grouped(nets, "colour")


def test_nets_of_unknown_training_are_groups_of_their_own():
    nets = [net("x@1", loss="unknown"), net("y@2", loss="unknown")]
    assert list(grid.grouped(nets, "loss").groups) == ["x@1", "y@2"]


def test_a_difference_is_clear_only_if_all_nets_agree(losses):
    grouping = grid.grouped(losses.nets, "loss")
    one, two = losses.tasks
    found = comparison.difference(
        losses, grouping, "adversarial L2 0.5", "standard", one, "accuracy", 0.9
    )
    assert found.outcome == "above" and found.gap == pytest.approx(0.2)
    assert (
        comparison.difference(
            losses, grouping, "adversarial L2 0.5", "standard", two, "accuracy", 0.9
        ).outcome
        == "below"
    )
    assert (
        comparison.difference(
            losses, grouping, "dropout 0.5", "standard", one, "accuracy", 0.9
        ).outcome
        == "overlap"
    )


def test_without_intervals_nothing_is_clear():
    nets = [net("a"), net("b", loss="MRL")]
    cells = grid.Cells([cell(nets[0], task(), 50, seeds=1), cell(nets[1], task(), 10, seeds=1)])
    assert (
        comparison.difference(
            cells, grid.grouped(nets, "loss"), "MRL", "standard", cells.tasks[0], "accuracy", 0.9
        ).outcome
        == "unknown"
    )


def on(found, title: str) -> list[comparison.Difference]:
    return [one for one in found if one.task == title]


def test_verdicts_count_what_came_out_as_said(losses):
    grouping = grid.grouped(losses.nets, "loss")
    found = comparison.differences(losses, grouping, [("adversarial L2 0.5", "standard")], 0.9)
    assert len(found) == 4
    verdict = comparison.verdict_on(found, "above", "Adversarial", 0.9)
    assert (
        verdict.word == "mixed"
        and "of accuracy: 1 clearly higher, 1 clearly lower, 0 open (of 2); of CKA: 1 clearly"
        in verdict.because
    )
    assert (
        comparison.verdict_on([*found, on(found, "ONE")[0]], "above", "x", 0.9).word
        == "holds in part"
    )
    on_one = on(found, "ONE")
    assert comparison.verdict_on(on_one, "above", "x", 0.9).word == "holds"
    assert comparison.verdict_on(on_one, "below", "x", 0.9).word == "does not hold"
    open_ = comparison.differences(losses, grouping, [("dropout 0.5", "standard")], 0.9)
    assert comparison.verdict_on(open_, "above", "x", 0.9).word == "undecided"
    assert comparison.verdict_on([], "above", "x", 0.9).word == "undecided"
    mostly_open = [on_one[0], *open_, *open_]
    verdict = comparison.verdict_on(mostly_open, "above", "x", 0.9)
    assert (
        verdict.word == "undecided"
        and "of accuracy: 1 clearly higher, 0 clearly lower, 4 open (of 5)" in verdict.because
    )
    table = comparison.differences_table(found)
    assert (
        list(table["ONE"]) == ["higher (+0.200)"] * 2
        and list(table["TWO"]) == ["lower (-0.200)"] * 2
    )


def test_sentences_on_groups_state_the_yardstick(losses):
    text = comparison.describe_groups(losses, grid.grouped(losses.nets, "loss"), "accuracy", 0.9)
    assert "on ONE from 0.58 (standard) to 0.78 (adversarial L2 0.5)" in text
    assert (
        "differ in their seed only, are apart by 0.040 on ONE and 0.040 on TWO on average" in text
    )
    levels = comparison.describe_levels(losses, grid.grouped(losses.nets, "loss"))
    assert "on ONE from 80.0% (standard) to 80.0%" in levels and "25.0% by chance" in levels
    assert "nothing to compare" in comparison.describe_groups(
        losses, grid.grouped(losses.nets[:2], "loss"), "accuracy", 0.9
    )
    strengths = comparison.describe_strengths(
        losses, grid.grouped(losses.nets, "loss"), "dropout", 0.9
    )
    assert (
        "from standard training to dropout 0.5" in strengths
        and "from 0.58 to 0.58 on ONE" in strengths
    )


def test_width_counts_the_neurons_needed():
    nets = [net("a"), net("b", d=400)]
    cells = grid.Cells([cell(nets[0], task(), 50), cell(nets[1], task(), 60)])
    text = comparison.describe_widths(cells, grid.grouped(nets, "width"), 0.9)
    assert (
        "from 100 to 400 neurons" in text
        and "from 0.50 to 0.85" in text
        and "neurons needed for 72.0% go from 50 to 60" in text
    )
    by_family = grid.grouped(nets, "family", free=["width"])
    ((title, (series,)),) = comparison.width_series(
        cells, by_family, lambda one, where: comparison.neurons_needed(0.9)(one)
    )
    assert (
        title == "T"
        and series.x == [100.0, 400.0]
        and [round(one.value) for one in series.points] == [50, 60]
    )
    assert all(one.low <= one.value <= one.high for one in series.points)
    better = grid.Cells(
        [cell(nets[0], task(), 50), cell(nets[1], task(), 60, top=1.0)]
    )  # the wider layer is held to the narrow one's accuracy
    assert comparison.common_bar(better, by_family, better.tasks[0], 0.9) == pytest.approx(0.72)
    found = comparison.neurons_for(0.72)(better.all[1])
    assert found.value == 48 and found.low == np.ceil(0.8 * 58) and found.high == np.ceil(0.8 * 62)
    assert np.isnan(comparison.neurons_for(0.9)(better.all[0]).value)
    assert comparison.spaced_ticks([128, 192, 200, 256]) == [
        (128.0, "128"),
        (192.0, "192"),
        (256.0, "256"),
    ]


def test_the_seed_of_pretraining_as_a_yardstick():
    nets = [net("a"), net("b", seed=2), net("c", loss="MRL")]
    apart = grid.Cells(
        [cell(nets[0], task(), 20), cell(nets[1], task(), 60, cka=20), cell(nets[2], task(), 40)]
    )
    assert comparison.seed_pairs(apart, 0.9) == (1, 2)
    assert "come out different in 1 of 2 cases" in comparison.describe_seed_pairs(apart, 0.9)
    assert "no two nets" in comparison.describe_seed_pairs(grid.Cells(apart.all[1:]), 0.9)


def test_families_are_compared_at_equal_width():
    nets = [net("a"), net("b", d=50), net("v", d=50, family="vit_x")]
    cells = grid.Cells(
        [
            cell(nets[0], task(), 10),
            cell(nets[1], task(), 20, cka=30),
            cell(nets[2], task(), 25, cka=40),
        ]
    )
    text = comparison.describe_families(cells, grid.grouped(nets, "family", free=["width"]), 0.9)
    assert (
        "at 50 neurons resnet 0.60 and 0.40 and vit x 0.50 and 0.20" in text and "100" not in text
    )
    assert "No two families" in comparison.describe_families(
        cells, grid.grouped(nets[:2], "family", free=["width"]), 0.9
    )


def test_nets_are_called_so_that_no_two_are_alike():
    nets = [
        net("resnet_128.standard_s1", d=50),
        net("vit.standard_s1", family="vit"),
        net("vit.mrl_s1", loss="MRL"),
    ]
    cells = grid.Cells([cell(one, task(), 10) for one in nets])
    assert [cells.label(one) for one in nets] == [one.name for one in nets]
    assert [grid.Cells(cells.all[1:]).label(one) for one in nets[1:]] == ["standard_s1", "mrl_s1"]
    for files, wanted in (
        ("x y", ["a (x)", "a (y)"]),
        ("A/1 B/1 A/2", ["a (1, net 1)", "a (1, net 2)", "a (2)"]),
        ("x", ["a"]),
    ):
        found = grid.Cells([cell(net(f"a@/{file}.pth"), task(), 10) for file in files.split()])
        assert list(found.labels.values()) == wanted


def test_nets_from_files_are_read_without_their_folders_but_never_taken_for_each_other():
    far = net("a@/home/me/x.pth", loss="unknown")
    assert far.title == "a@x.pth" and net("resnet.standard_s1").title == "resnet.standard_s1"
    assert names.titles(["a@/1/x.pth", "a@/2/x.pth", "a@/2/y.pth", "b"]) == [
        "a@/1/x.pth",
        "a@/2/x.pth",
        "a@y.pth",
        "b",
    ]
    other = net("a@/home/you/x.pth", loss="unknown")
    assert list(grid.grouped([far, other], "loss").groups.values()) == [[far], [other]]
    assert list(grid.grouped([far, net("b@/home/me/y.pth", loss="unknown")], "loss").groups) == [
        "a@x.pth",
        "b@y.pth",
    ]


def test_the_front_of_one_width_and_who_leads_it(losses):
    wide = cell(net("w.wide", d=200), losses.tasks[0], 10)
    cells = grid.Cells([*[one for one in losses.all if one.task.name == "one"], wide])
    assert set(fronts.front(cells, cells.tasks[0]).nets) == {"w.wide"}
    narrow = fronts.front(cells, cells.tasks[0], width=D)
    assert set(narrow.nets) == {"b1"}
    text = fronts.describe_leading([narrow], cells)
    assert (
        text == f"Most of the front is b1 on ONE ({len(narrow.nets)} of {len(narrow.nets)} points)"
    )


def test_the_front_is_what_no_net_gets_past(losses):
    found = fronts.front(losses, losses.tasks[0])
    assert (
        found.accuracy[0] == pytest.approx(0.8)
        and (np.diff(found.dropped) > 0).all()
        and (np.diff(found.accuracy) < 0).all()
    )
    for one in losses.nets:
        values = losses.of(one, losses.tasks[0]).accuracy["random"].mean(0)
        shares = 1 - np.arange(1, D + 1) / D
        for share, value in zip(shares, values, strict=True):
            assert value <= found.accuracy[found.dropped >= share - 1e-12].max() + 1e-12
    assert set(found.nets) == {
        "b1"
    }  # the quickest everywhere; flat stretches are beaten by dropping more
    assert "80.0% with any number of neurons" in fronts.describe_fronts([found])


def test_tables_hold_every_net_and_measure(losses):
    table = grid.cells_table(losses.all, [0.9, 0.5])
    assert len(table) == 5 * 2 * 2 * 2 and set(table["measure"]) == {"accuracy", "cka"}
    row = table[
        (table["net"] == "a1")
        & (table["task"] == "ONE")
        & (table["measure"] == "accuracy")
        & (table["delta"] == 0.9)
    ].iloc[0]
    assert (
        row["k"] == losses.of(losses.nets[0], losses.tasks[0]).redundancy("accuracy", 0.9).k
        and row["DR"] == 1 - row["k"] / D
    )
    assert len(grid.shown_cells(losses.all, 0.9)) == 5
    assert list(grid.nets_table(losses.nets)["loss"]) == [one.origin.loss for one in losses.nets]


@pytest.fixture
def nesting() -> grid.Cells:
    nets = [
        net("m1", loss="MRL", top1_by_prefix={8: 0.5, 100: 0.9}),
        net("s1", top1=0.8),
        net("f8", loss="FF 8", top1_by_prefix={8: 0.6}),
    ]
    where = task()
    return grid.Cells(
        [
            cell(nets[0], where, 60, first=10),
            cell(nets[1], where, 40, first=40, cka=30),
            replace(cell(nets[2], where, 90, first=9), full=0.8),
        ]
    )


def test_lines_of_nested_nets(nesting):
    labels = [line.label for line in nested.lines(nesting.nets)]
    assert labels == ["MRL, nested prefix", "MRL, random", "standard, random", "standard, first k"]
    steps, values = nested.fixed_points(nesting, nesting.tasks[0], "accuracy")
    assert steps.tolist() == [8] and values[0, 0] == pytest.approx(0.8 * 0.9 * 8 / 9)
    drawn = nested.panels(nesting, "accuracy")[0].curves
    assert [curve.label for curve in drawn] == [
        "MRL, nested prefix",
        "MRL, random",
        "standard, random",
        "FF, trained at each size",
    ]
    assert drawn[2].values.mean(0) == pytest.approx(
        np.zeros(D), abs=1e-9
    )  # in points above the standard net
    assert drawn[0].values[0, 9] == pytest.approx(100 * (0.72 - rising(40)[:, 9].mean()))
    assert len(nested.panels(nesting, "cka")[0].curves) == 4


def test_nets_of_other_widths_are_lines_of_their_own(nesting):
    where = nesting.tasks[0]
    cells = grid.Cells([*nesting.all, cell(net("s2", d=50), where, 20, first=20)])
    labels = [line.label for line in nested.lines(cells.nets)]
    assert "standard, random" in labels and "standard (resnet, 50), random" in labels
    assert nested.panels(cells, "cka")[0].d == D and len(nested.curves_table(cells)) > 0


def test_prefixes_against_random_neurons(nesting):
    row = nested.approach(nesting).iloc[0]
    gap = rising(10, seeds=1)[0] - rising(60).mean(0)
    within = int(np.flatnonzero(np.abs(gap) > 0.01)[-1]) + 2
    assert row["largest gap, points"] == pytest.approx(100 * gap.max()) and row[
        "within 1 point from k"
    ] == str(within)
    gains = nested.prefix_gain(nesting, [8, 16])
    assert gains["k = 8"].iloc[0] == pytest.approx(100 * 0.8 * 0.9 * (8 / 10 - 8 / 40))
    assert "is ahead in every case" in nested.describe_prefix_gain(gains)
    assert nested.in_points(gains)["k = 8"].iloc[0] == f"{gains['k = 8'].iloc[0]:+.1f}"
    table = nested.prefix_table(nesting.nets).set_index("k")
    assert (
        table.loc[8, "MRL"] == 0.5
        and table.loc[8, "FF (a net for each k)"] == 0.6
        and table.loc[100, "FF (a net for each k)"] == 0.8
    )
    assert "10 (MRL, nested prefix)" in nested.describe_similarity(nesting, 0.9)


def test_the_baseline_of_all_features_is_a_standard_net_of_their_kind(nesting):
    others = [
        net("v1", family="vit", top1=0.3),
        net("s2", d=50, top1=0.4),
        net("u1", upstream="more", top1=0.2),
    ]
    for nets in ([*nesting.nets, *others], [*others, *reversed(nesting.nets)]):
        table = nested.prefix_table(nets).set_index("k")
        assert table.loc[100, "FF (a net for each k)"] == 0.8 and 50 not in table.index
    assert "FF (a net for each k)" not in nested.prefix_table([nesting.nets[0], *others])


def test_published_nets_of_fixed_features_have_one_accuracy_or_none(nesting):
    published = [net("f16", loss="FF 16", top1=0.7), net("f32", loss="FF 32")]
    table = nested.prefix_table([*nesting.nets[:2], *published]).set_index("k")
    assert (
        table.loc[16, nested.FIXED] == 0.7
        and table.loc[100, nested.FIXED] == 0.8
        and 32 not in table.index
    )
    assert nested.FIXED not in nested.prefix_table([*nesting.nets[:2], published[1]])


def test_claim_on_nested_layers(nesting):
    grouping = grid.grouped(nesting.nets[:2], "loss")
    found = comparison.differences(nesting, grouping, [("MRL", "standard")], 0.9)
    verdict = nested.still_redundant(nesting, found, 0.9)
    assert (
        verdict.word == "holds"
        and "of CKA against other losses: of 1 comparisons 1 clearly lower" in verdict.because
    )
    low = grid.Cells([cell(nesting.nets[0], nesting.tasks[0], 95, first=10)])
    assert nested.still_redundant(low, [], 0.9).word == "does not hold"
    assert (
        nested.still_redundant(grid.Cells([cell(net("s"), task(), 9)]), [], 0.9).word == "undecided"
    )


def by_class_cell(
    one: Net, where: Task, hard: int, *, shuffled: bool = False, seeds: int = 5
) -> grid.Cell:
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
    accuracy = {"random": by_class.mean(-1)}
    return grid.Cell(
        one,
        where,
        k,
        accuracy,
        {"random": by_class},
        {"random": accuracy["random"] / 0.8},
        0.8,
        {"d": D, "diagonal_share": 0.1},
    )


def halves_of(cells: grid.Cells) -> dict:
    """As if both halves of the test images gave the same accuracies."""
    return {
        (one.net.name, one.task.name): (one.per_class["random"], one.per_class["random"])
        for one in cells.all
    }


COUNTS = {"t": np.array([50, 50, 50, 50])}


def test_the_same_class_loses_each_time():
    where = task()
    cells = grid.Cells(
        [by_class_cell(net("a"), where, 2), by_class_cell(net("b", seed=2), where, 2)]
    )
    (found,) = classes.agreements(cells, halves_of(cells), 0.9, ["random"], shuffles=200)
    assert (
        found.across_seeds > found.chance
        and found.names == ["a", "b"]
        and found.matrix.shape == (2, 2)
    )
    lost = classes.lost_first(cells, cells.nets[0], 0.9)
    assert lost["class"].iloc[0] == "c" and lost["least over seeds"].iloc[0] > 10
    assert classes.classes_differ(cells, [found], COUNTS, 0.9).word == "holds"


def test_other_classes_lose_each_time():
    where = task()
    cells = grid.Cells([by_class_cell(net("a"), where, 0, shuffled=True, seeds=4)])
    found = classes.agreements(cells, halves_of(cells), 0.9, ["random"], shuffles=200)
    assert found[0].across_seeds < found[0].chance
    assert classes.classes_differ(cells, found, COUNTS, 0.9).word == "does not hold"


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
    cells = grid.Cells(
        [
            grid.Cell(
                net("a"),
                where,
                k,
                {"random": both.mean(-1)},
                {"random": both},
                {"random": both.mean(-1)},
                0.8,
                {"d": D},
            )
        ]
    )
    (found,) = classes.agreements(cells, {("a", "t"): tuple(halves)}, 0.9, ["random"], shuffles=200)
    assert found.shared > 0.9 and abs(found.across_seeds) < 0.5


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
    accuracy = by_class.mean(-1)
    one = grid.Cell(
        net("a"),
        where,
        k,
        {"random": accuracy},
        {"random": by_class},
        {"random": accuracy},
        float(accuracy[0, -1]),
        {"d": D},
    )
    cells = grid.Cells([one])
    column = classes.critical(one, 0.9)
    found = gini(by_class[:, column]).mean()
    assert found > 1.3 * gini(by_class[0, -1]) and classes.alike(
        one, tests, column
    ) == pytest.approx(found, rel=0.3)
    halves = {("a", "t"): (by_class, by_class)}
    assert (
        classes.classes_differ(
            cells, classes.agreements(cells, halves, 0.9, ["random"]), {"t": tests}, 0.9
        ).word
        == "does not hold"
    )


def test_spread_is_that_of_the_measure():
    where = task()
    cells = grid.Cells([by_class_cell(net("a"), where, 1)])
    table = classes.spread_table(cells, COUNTS, 0.9)
    one = cells.all[0]
    row = table[table["neurons"] == "90% of the mean"].iloc[0]
    assert row["k"] == one.redundancy("accuracy", 0.9).k
    assert row["Gini"] == pytest.approx(gini(one.per_class["random"][:, row["k"] - 1]).mean())
    assert (
        row["low"] <= row["Gini"] <= row["high"]
        and row["by chance"] > 0
        and row["if all lost alike"] > 0
    )
    assert table["Gini"].iloc[0] == pytest.approx(0, abs=1e-12)
    assert "low" not in classes.shown_spread(table)
    assert "would be expected if all classes lost alike" in classes.describe_spread(table)
    panel = classes.spread_panels(cells, COUNTS, ["random"])[0]
    assert (
        panel.curves[0].sizes[0] == 10
        and panel.curves[-1].label == "expected if all classes lost alike"
    )
    assert "the worst class from 80% to" in classes.describe_worst(cells, cells.nets[0], 0.9)


def test_a_careful_rule_keeps_more_of_the_worst():
    where = task()
    cells = grid.Cells([by_class_cell(net("a"), where, 3)])
    counts = np.array([10, 10, 10, 10])
    validation = {"t": (cells.all[0].per_class["random"], counts)}
    table = classes.choices(cells, cells.nets[0], validation, {"t": counts}, 0.9).set_index("rule")
    assert (
        table.loc["worst tenth of classes", "k"]
        > table.loc["mean over images", "k"]
        == table.loc["mean over classes", "k"]
    )
    assert float(table.loc["worst tenth of classes", "worst tenth kept on test"].rstrip("%")) >= 90
    skewed = classes.rule_values(np.array([1.0, 0.0]), np.array([30, 10]), "images")
    assert skewed == pytest.approx(0.75) and classes.rule_values(
        np.array([1.0, 0.0]), np.array([30, 10]), "classes"
    ) == pytest.approx(0.5)


def test_layers_are_compared_at_equal_width():
    from diffused_redundancy.experiment.probed_layer import Layer

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 10)).astype(np.float32), rng.integers(3, size=60)
    layer = Layer(lambda: (X, y, X, y))
    narrow = depth.narrowed(layer, 4, seed=7)
    assert narrow.arrays[0].shape == (60, 4) and all(
        any(np.array_equal(column, other) for other in X.T) for column in narrow.arrays[0].T
    )
    assert np.array_equal(narrow.arrays[0], depth.narrowed(layer, 4, seed=7).arrays[0])
    assert (
        depth.narrowed(Layer(lambda: (X, y, X, y), views=3), 4, seed=7).views == 3
    )  # or views of an image land in different folds


def test_halves_of_the_test_images_make_up_the_whole():
    from conftest import make_layer
    from diffused_redundancy.experiment.probed_layer import Layer

    X, y = make_layer(300, 12)
    layer = Layer(lambda: (X[:200], y[:200], X[200:], y[200:]))
    whole = layer.ridge("random", [1, 2])["per_class"]
    counts = np.bincount(y[200:], minlength=5)
    sizes = [(counts + 1) // 2, counts // 2]
    parts = layer.ridge_halves("random", [1, 2])
    assert np.allclose(
        sum(size * part for size, part in zip(sizes, parts, strict=True)) / counts,
        whole,
        atol=1e-12,
    )
    assert not np.allclose(parts[0], parts[1])


def test_depth_says_what_changes():
    where, one = task(), net("a")
    stages = [
        depth.Stage(
            f"layer{i}",
            i,
            cell(one, where, k),
            [cell(one, where, 50 + draw) for draw in (-4, 0, 4)],
        )
        for i, k in enumerate((60, 50, 20))
    ]
    text = depth.read([stages], 0.9)
    assert (
        "on T it grows, from 0.40 to 0.80 as the layers are, and goes from 0.50 to 0.50 "
        "(intervals overlap) at 100 neurons each" in text
    )
    found = stages[0].equal_redundancy("cka", 0.9)
    assert (
        found.value == pytest.approx(0.5)
        and found.low == pytest.approx(0.46)
        and found.high == pytest.approx(0.54)
    )
    assert (
        depth.trend([depth.Point(0.5, 0.4, 0.6), depth.Point(0.2, 0.1, 0.3)])
        == "falls, from 0.50 to 0.20"
    )
    assert depth.trend([depth.Point(0.5), depth.Point(float("nan"))]) == "is not reached everywhere"
    assert depth.ticks([stages]) == [(0.0, "layer0"), (1.0, "layer1"), (2.0, "layer2")]
    assert (
        len(depth.table([stages], [0.9])) == 3 * (1 + 3) * 2
        and len(depth.shown([stages], 0.9)) == 3
    )
    ((_, (series,)),) = depth.rows_of([stages], "cka", 0.9)
    assert [round(point.value, 2) for point in series.points] == [0.4, 0.5, 0.8]
    assert "from 60 of 100 to 20 of 100" in depth.describe_use([stages], 0.9)


def test_every_claim_has_words():
    assert sorted(CLAIMS) == list(range(1, 11)) and all(
        isinstance(claim.text, str) for claim in CLAIMS.values()
    )


def test_tables_are_frames(losses):
    assert isinstance(
        fronts.fronts_table([fronts.front(losses, t) for t in losses.tasks]), pd.DataFrame
    )
