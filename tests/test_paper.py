"""The paper's printed values, and the same numbers of a run beside them."""

from __future__ import annotations

import csv
from dataclasses import replace

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import ROOT
from diffused_redundancy.experiment.measurements import Measurement
from diffused_redundancy.measures.curves import Curve
from diffused_redundancy.measures.selections import PAPER_FRACTIONS
from diffused_redundancy.nets.names import published
from diffused_redundancy.nets.protocols import protocol
from diffused_redundancy.paper import beside
from diffused_redundancy.paper.printed import KEPT, REDUNDANCY, printed, printed_table
from made_up import net, task

RESNET18, D = "resnet18.tv_in1k", 512
CIFAR = {"n_train": 50_000, "n_test": 10_000}
SIZES = sorted({max(1, int(fraction * D)) for fraction in PAPER_FRACTIONS})


# The file


def rows() -> list[dict[str, str]]:
    with (ROOT / "data" / "paper_values.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_file_says_of_every_value_what_it_is_and_where_it_stands():
    for row in rows():
        assert all(row[name] for name in row if name not in ("top1", "delta", "fraction", "below"))
        assert None not in row and None not in row.values()  # as many cells as names
        assert row["net"] in published() and row["task"] in dr.TASKS
        assert row["quantity"] in (REDUNDANCY, KEPT)
        assert bool(row["delta"]) == bool(row["below"]) == (row["quantity"] == REDUNDANCY)
        assert bool(row["fraction"]) == (row["quantity"] == KEPT)
        assert 0 < float(row["value"]) < 1
    keys = [(row["source"], row["network"], row["task"], row["quantity"]) for row in rows()]
    assert len(set(keys)) == len(keys)


def test_what_is_not_reached_is_the_next_value_of_the_grid():
    levels = [round(1 - fraction, 6) for fraction in sorted(PAPER_FRACTIONS, reverse=True)]
    for row in rows():
        if row["below"]:
            assert float(row["below"]) == levels[levels.index(float(row["value"])) + 1]


def test_the_values_are_those_of_the_papers_table():
    """As they stand in the first version of the paper."""
    expected = {
        "ViT S-16": (384, 0.6482, [0.7, 0.5, 0.5, 0.8]),
        "ViT S-32": (384, 0.5573, [0.7, 0.5, 0.5, 0.7]),
        "ResNet18": (512, 0.6923, [0.8, 0.5, 0.5, 0.9]),
    }
    tasks = ["cifar10", "cifar100", "flowers102", "oxford_iiit_pet"]
    for network, (d, top1, values) in expected.items():
        some = [one for one in printed() if one.network == network]
        assert {(one.d, one.top1, one.delta) for one in some} == {(d, top1, 0.9)}
        assert [one.task for one in some] == tasks and [one.value for one in some] == values
    (claim,) = (one for one in printed() if one.quantity == KEPT)
    assert (claim.net, claim.task, claim.fraction, claim.value) == (
        "resnet50.a1_in1k",
        "cifar10",
        0.2,
        0.95,
    )
    assert len(printed()) == 13
    shown = printed_table()
    assert list(shown["network"]) == list(expected) and list(shown["d"]) == [384, 384, 512]
    assert shown.iloc[2]["DR(0.9), Pets"] == "0.90" and shown.shape == (3, 7)


# A run beside it


def curve(
    k_star: int,
    *,
    sizes: list[int] | None = None,
    measure: str = "logistic_accuracy",
    spread: int = 0,
    d: int = D,
    full: float = 0.8,
    **rest,
) -> Curve:
    """Accuracies of five subsets that reach 90% of the whole layer's at ``k_star``, ``spread``
    neurons apart from subset to subset.
    """
    steps = np.array(sizes or range(1, d + 1))
    values = [full * np.minimum(1, 0.9 * steps / (k_star + spread * (i - 2))) for i in range(5)]
    return Curve(measure, "random", range(1, 6), steps, np.array(values), d, full, **rest)


def cells_of(*ours, name: str = "clean") -> dict[str, beside.Cell]:
    """By the title of the value."""
    return {cell.printed.title: cell for cell in beside.compared(ours, protocol(name))}


def resnet18(name: str = RESNET18, top1: float = 0.6976, d: int = D):
    return net(name, d=d, top1=top1)


def on_cifar(one: Curve, network=None, where="cifar10", **about) -> beside.Cell:
    found = cells_of((network or resnet18(), task(where), one, CIFAR | about))
    return found["DR(0.9), CIFAR10, ResNet18"]


def test_dr_is_compared_on_the_sizes_of_the_paper():
    """A k* of 60 is between the grid's sizes 51 and 102: exactly 0.883, on the grid 0.801."""
    cell = on_cifar(curve(60))
    assert cell.every == 1 - 60 / D and cell.value == 1 - 102 / D
    assert cell.outcome == "inside" and cell.low == cell.high == cell.value
    assert on_cifar(curve(60, sizes=SIZES)).value == 1 - 102 / D
    assert on_cifar(curve(102)).outcome == "inside" and on_cifar(curve(52)).outcome == "inside"


def test_a_printed_value_lies_above_or_below_an_interval_of_ours():
    assert on_cifar(curve(103)).outcome == "above"  # 30% are needed
    assert on_cifar(curve(51)).outcome == "below"  # 10% suffice
    wide = on_cifar(curve(103, spread=2))
    assert wide.value == 1 - 153 / D and wide.high == 1 - 102 / D and wide.outcome == "inside"


def test_only_the_same_network_layer_and_task_are_compared():
    def reason(*ours) -> str:
        return cells_of(ours)["DR(0.9), CIFAR10, ResNet18"].reason

    one = curve(60)
    assert reason(resnet18(), task("digits"), one, CIFAR) == "task not measured here"
    assert reason(resnet18("resnet18.a1_in1k"), task("cifar10"), one, CIFAR) == (
        "measured here with other weights only"
    )
    other = resnet18("resnet34.tv_in1k")
    assert reason(other, task("cifar10"), one, CIFAR) == "network not measured here"
    narrow = curve(60, d=256)
    assert reason(resnet18(d=256), task("cifar10"), narrow, CIFAR) == (
        "another layer: of 256 neurons, not 512"
    )
    guesses = curve(60, guessing=0.8, images=1000)
    assert "guessing" in reason(resnet18(), task("cifar10"), guesses, CIFAR)
    few = curve(60, sizes=[5, 25, 51, 153, 256, 409, 460, 512])
    assert reason(resnet18(), task("cifar10"), few, CIFAR) == (
        "sizes of the paper's grid not measured: k = 102"
    )
    never = curve(2000, sizes=SIZES)
    assert reason(resnet18(), task("cifar10"), never, CIFAR) == (
        "no size keeps 90% of the whole layer's accuracy"
    )
    assert on_cifar(one, resnet18(f"{RESNET18}@/my/weights.pth")).outcome == "inside"
    assert on_cifar(one, where="cifar10:/my/images").outcome == "inside"
    assert reason(resnet18(), task("folder:/my/cifar10"), one, CIFAR) == "task not measured here"


def test_a_compressed_copy_stands_for_its_original_where_that_is_not_measured():
    def copy(of: str):
        return net("resnet18.compressed", d=D, top1=0.6581, copy_of=of)

    cell = on_cifar(curve(60), copy(RESNET18))
    assert cell.outcome == "inside" and "compressed and restored weights" in cell.differs
    assert "weights of top-1 65.8% (paper: 69.2%)" in cell.differs
    both = [
        (copy(RESNET18), task("cifar10"), curve(200), CIFAR),
        (resnet18(), task("cifar10"), curve(60), CIFAR),
    ]
    for ours in (both, both[::-1]):
        cell = cells_of(*ours)["DR(0.9), CIFAR10, ResNet18"]
        assert cell.every == 1 - 60 / D and "compressed and restored weights" not in cell.differs
    other = cells_of((copy("resnet34.tv_in1k"), task("cifar10"), curve(60), CIFAR))
    assert other["DR(0.9), CIFAR10, ResNet18"].reason == "network not measured here"


def test_a_part_of_a_data_set_is_counted_against_the_whole():
    part = on_cifar(curve(60), where="cifar10:/my/images", n_train=3_000, n_test=1_000).differs
    assert "3,000 of 50,000 train images (paper: nine tenths of the train part)" in part
    assert "1,000 of 10,000 test images (paper: all)" in part


def test_what_differs_is_said():
    plain = on_cifar(curve(60)).differs
    assert plain == (
        "50,000 of 50,000 train images (paper: nine tenths of the train part)",
        "one view of each (paper: a new random view in each epoch)",
        "probe solved to convergence (paper: logistic, by SGD)",
        "weights of top-1 69.8% (paper: 69.2%)",
    )
    few = {"n_train": 3_000, "n_test": 500}
    ours = resnet18(f"{RESNET18}@/w.pth"), task("cifar10"), curve(60, measure="ridge_accuracy"), few
    words = "; ".join(cells_of(ours, name="augmented:2")["DR(0.9), CIFAR10, ResNet18"].differs)
    for part in (
        "1,500 of 50,000 train images",
        "500 of 10,000 test images (paper: all)",
        "2 random views of each",
        "ridge probe (paper: logistic",
        "weights of a file",
    ):
        assert part in words
    flowers = {"n_train": 1_020, "n_test": 6_149}
    official = cells_of((resnet18(top1=0.6923), task("flowers102"), curve(60), flowers))
    differs = official["DR(0.9), Flowers, ResNet18"].differs
    assert len(differs) == 2 and not any("images" in one or "top-1" in one for one in differs)
    more = replace(curve(60), seeds=range(10), values=np.tile(curve(60).values, (2, 1)))
    assert "10 random subsets (paper: 5)" in on_cifar(more).differs


@pytest.mark.parametrize(
    ("spread", "at_a_fifth", "outcome"),
    [(0, 0.96, "agrees"), (0, 0.94, "disagrees"), (0.05, 0.95, "open")],
)
def test_the_share_that_a_fifth_keeps(spread, at_a_fifth, outcome):
    shares = at_a_fifth + spread * np.array([-2, -1, 0, 1, 2])
    values = 0.9 * np.stack([shares, np.ones(5)], 1)
    one = Curve("logistic_accuracy", "random", range(5), [409, 2048], values, 2048, 0.9)
    network = net("resnet50.a1_in1k", d=2048)
    cell = cells_of((network, task("cifar10"), one, CIFAR))["share kept by 20%, CIFAR10, ResNet50"]
    assert cell.value == pytest.approx(at_a_fifth) and cell.outcome == outcome


def test_an_interval_is_that_of_a_curve_that_has_only_the_sizes_of_the_paper():
    rng = np.random.default_rng(0)
    steps = np.arange(1, D + 1)
    values = np.clip(0.8 * steps / 113, 0, 0.8) + 0.02 * rng.standard_normal((5, D))
    by_images = values.mean(0) + 0.05 * rng.standard_normal((40, 1))
    full = 0.8 + by_images[:, -1] - by_images[:, -1].mean()
    every = Curve(
        *("ridge_accuracy", "random", range(5), steps, values, D, 0.8),
        by_images=by_images,
        full_by_images=full,
    )
    at = np.array(SIZES) - 1
    alone = Curve(
        *("ridge_accuracy", "random", range(5), SIZES, values[:, at], D, 0.8),
        by_images=by_images[:, at],
        full_by_images=full,
    ).redundancy(0.9)
    cell = on_cifar(every)
    assert (cell.value, cell.low, cell.high) == (alone.value, alone.low, alone.high)
    assert cell.low < cell.high and cell.every == every.redundancy(0.9).value


def test_tables_and_sentences():
    cells = list(
        cells_of(
            (resnet18(), task("cifar10"), curve(60), CIFAR),
            (resnet18(), task("cifar100"), curve(60), CIFAR),
        ).values()
    )
    table = beside.beside_table(cells)
    assert len(table) == 13 and (table["outcome"] == "not comparable").sum() == 11
    row = table[(table["net"] == RESNET18) & (table["task"] == "cifar100")].iloc[0]
    assert (row["paper"], row["paper_below"], row["outcome"]) == (0.5, 0.7, "below")
    assert row["source"] == "first version (ICLR 2023 submission), table 1"
    assert (row["ours"], row["ours_all_sizes"]) == (1 - 102 / D, 1 - 60 / D)
    shown = beside.shown_beside(cells)
    assert list(shown["the paper's is"]) == ["inside our interval", "below our interval"]
    assert shown["paper"].iloc[0] == "0.80 (at least 0.80, below 0.90)"
    text = beside.describe_beside(cells)
    assert (
        "DR(0.9), CIFAR10, ResNet18: 0.801 (0.801 to 0.801), where the paper says 0.80 (at least "
        "0.80, below 0.90), which is inside our interval; DR(0.9), CIFAR100, ResNet18: 0.801"
    ) in text
    assert "1 of 2 printed DR lie inside our interval" in text
    assert "Of the printed values 11 cannot be compared here" in text


def test_where_nothing_matches_one_sentence_says_so():
    here = net("miniature_resnet.standard_s1", d=512), task("digits"), curve(60), CIFAR
    cells = list(cells_of(here).values())
    assert beside.shown_beside(cells).empty
    assert beside.describe_beside(cells) == (
        "None of the paper's printed values is comparable with this run: network not measured here."
    )
    mixed = list(cells_of((resnet18(), task("digits"), curve(60), CIFAR)).values())
    assert beside.describe_beside(mixed).endswith(
        "network not measured here and task not measured here."
    )


def test_a_short_table_has_one_row_a_network_of_the_paper():
    short = beside.by_network(
        list(cells_of((resnet18(), task("cifar10"), curve(60), CIFAR)).values())
    )
    assert list(short["network of the paper"]) == ["ViT S-16", "ViT S-32", "ResNet18", "ResNet50"]
    assert list(short.columns[1:-1]) == ["CIFAR10", "CIFAR100", "Flowers", "Pets"]
    row = short.set_index("network of the paper").loc["ResNet18"]
    assert row["CIFAR10"] == "DR(0.9): 0.80; ours 0.801 (0.801 to 0.801)"
    assert (row["Pets"], row["not comparable"]) == ("DR(0.9): 0.90", "task not measured here")
    claim = short.set_index("network of the paper").loc["ResNet50"]
    assert claim["CIFAR10"] == "share kept by 20%: at least 0.95" and claim["Pets"] == "–"
    none = beside.by_network(beside.not_comparable("no accuracy"))
    assert list(none["not comparable"]) == ["no accuracy"] * 4 and len(none.columns) == 6


def test_measurements_are_compared_by_their_accuracy():
    one = curve(60)
    about = {**CIFAR, "d": D}
    measured = Measurement(
        resnet18(), task("cifar10"), *({"random": one} for _ in range(3)), about=about
    )
    cells = beside.compared_measurements([measured], protocol("clean"))
    (found,) = (cell for cell in cells if not cell.reason)
    assert found == on_cifar(one)


def test_a_size_within_the_solvers_error_is_said():
    at = np.array(SIZES)
    error = np.full((5, len(at)), 0.02)
    # 98 of 102: 89.9% at a fifth
    assert on_cifar(curve(102, sizes=SIZES)).outcome == "inside"
    near = on_cifar(curve(103, sizes=SIZES, solver_error=error))
    assert near.differs[-1] == "within the solver's error k* could be another size"


def test_one_subset_without_images_has_no_interval():
    one = curve(60)
    alone = Curve("logistic_accuracy", "random", (1,), one.sizes, one.values[:1], D, one.full)
    cell = on_cifar(alone)
    assert cell.outcome == "no interval" and cell.value == 1 - 102 / D
    shown = beside.shown_beside([cell]).iloc[0]
    assert shown["ours, on the paper's sizes"] == "0.801"
    assert shown["the paper's is"] == "no interval"
