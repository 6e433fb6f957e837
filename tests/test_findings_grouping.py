"""Networks grouped by a trait, their tables and names; findings need neither session nor
notebook.
"""

from __future__ import annotations

import subprocess
import sys

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import ROOT
from diffused_redundancy.experiment.measurements import COMPARED, Measurements
from diffused_redundancy.findings import grouping
from diffused_redundancy.nets import names
from made_up import D, measurement, net, task


def test_groups_hold_nets_that_differ_in_seed_only():
    nets = [
        net("a"),
        net("b", seed=2),
        net("c", loss="MRL"),
        net("d", d=50),
        net("e", family="vit"),
        net("f", upstream="more"),
    ]
    by_loss = grouping.grouped(nets, "loss")
    assert {label: [n.name for n in some] for label, some in by_loss.groups.items()} == {
        "standard": ["a", "b"],
        "MRL": ["c"],
    }
    assert [n.name for n in by_loss.nets] == ["a", "b", "c"]
    assert list(grouping.grouped(nets, "width").groups) == ["100", "50"]
    assert list(grouping.grouped(nets, "upstream").groups) == ["letters", "more"]
    by_family = grouping.grouped(nets, "family", free=["width"])
    assert {label: len(some) for label, some in by_family.groups.items()} == {"resnet": 3, "vit": 1}
    assert by_family.reference == "resnet" and by_family.others == ["vit"]
    with pytest.raises(dr.InputError, match="unknown trait 'colour': .*Allowed: loss, upstream"):
        grouping.grouped(nets, "colour")


def test_nets_of_unknown_training_are_groups_of_their_own():
    nets = [net("x@1", loss="unknown"), net("y@2", loss="unknown")]
    assert list(grouping.grouped(nets, "loss").groups) == ["x@1", "y@2"]


def test_nets_are_called_so_that_no_two_are_alike():
    nets = [
        net("resnet_128.standard_s1", d=50),
        net("vit.standard_s1", family="vit"),
        net("vit.mrl_s1", loss="MRL"),
    ]
    measurements = Measurements([measurement(one, task(), 10) for one in nets])
    assert [measurements.label(one) for one in nets] == [one.name for one in nets]
    fewer = Measurements(measurements.all[1:])
    assert [fewer.label(one) for one in nets[1:]] == ["standard_s1", "mrl_s1"]
    for files, wanted in (
        ("x y", ["a (x)", "a (y)"]),
        ("A/1 B/1 A/2", ["a (1, net 1)", "a (1, net 2)", "a (2)"]),
        ("x", ["a"]),
    ):
        labels = Measurements(
            [measurement(net(f"a@/{file}.pth"), task(), 10) for file in files.split()]
        ).labels
        assert list(labels.values()) == wanted


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
    assert list(grouping.grouped([far, other], "loss").groups.values()) == [[far], [other]]
    third = net("b@/home/me/y.pth", loss="unknown")
    assert list(grouping.grouped([far, third], "loss").groups) == ["a@x.pth", "b@y.pth"]


def test_tables_hold_every_net_and_measure():
    nets = [net("a1"), net("b1", loss="MRL"), net("c1", loss="dropout 0.5")]
    one, two = task("one"), task("two")
    measurements = Measurements(
        [measurement(n, t, k) for t in (one, two) for n, k in zip(nets, (40, 20, 42), strict=True)]
    )
    table = grouping.redundancy_table(measurements.all, [0.9, 0.5])
    assert " ".join(table.columns) == (
        "net task loss upstream family pretraining_seed d selection measure delta DR low high k "
        "seeds penalty full_accuracy r"
    )
    assert len(table) == 3 * 2 * 2 * 3 and set(table["measure"]) == set(COMPARED)
    (row,) = table.query(
        "net == 'a1' and task == 'ONE' and measure == 'accuracy' and delta == 0.9"
    ).itertuples()
    assert row.k == measurements.of(nets[0], one).redundancy("accuracy", 0.9).k == 40
    assert pytest.approx(1 - row.k / D) == row.DR and row.low <= row.DR <= row.high
    shown = grouping.shown_redundancy(measurements.all, 0.9)
    assert len(shown) == 3 and list(shown["ONE: DR / above chance"]) == ["0.600", "0.800", "0.580"]
    assert list(grouping.nets_table(nets)["loss"]) == [one.origin.loss for one in nets]
    assert grouping.results_of(measurements, 0.9)["DR(0.9) of cka, b1, two"] == 0.8
    by_task = grouping.curves_by_net(measurements, "accuracy")
    assert list(by_task) == ["a1", "b1", "c1"] and by_task["c1"]["TWO"].redundancy(0.9).k == 42
    ((title, groups),) = grouping.task_panel(measurements, "accuracy", 0.9)
    assert title == "all networks" and [label for label, _ in groups] == ["ONE", "TWO"]
    assert [point.value for point in groups[0][1]] == pytest.approx([0.6, 0.8, 0.58])


def test_a_full_layer_that_is_not_reached_is_said():
    low = measurement(net("a"), task(), 500)
    assert grouping.shown_redundancy([low], 0.9)["T: DR / above chance"].iloc[0] == "not reached"


def test_cka_is_shown_as_it_is_and_of_standardized_neurons():
    one = measurement(net("a"), task(), 20, cka=60, standardized=15)
    shown = grouping.shown_redundancy([one], 0.9)
    assert shown["T: DR of CKA / standardized"].iloc[0] == "0.400 / 0.850"


FINDINGS_ALONE = """
import sys
sys.path.insert(0, ".")
import numpy as np
from diffused_redundancy.experiment.measurements import COMPARED, Measurements
from diffused_redundancy.findings import comparisons, depth, fairness, grouping, matryoshka
from diffused_redundancy.findings import pareto, pretraining
from made_up import measurement, net, task

standard, nested = net("a"), net("b", loss="MRL")
measurements = Measurements([measurement(standard, task(), 40), measurement(nested, task(), 20)])
by_loss = grouping.grouped(measurements.nets, "loss")
differences = pretraining.loss_differences(measurements, by_loss, 0.9)
print(comparisons.verdict_on(differences, "higher", "Nested", "accuracy", 0.9).word)
print(pareto.all_fronts(measurements)[0].leader)
heavy = {"session", "report", "pipeline", "commands", "findings.figures"}
print(sorted(
    name for name in sys.modules
    if name.removeprefix("diffused_redundancy.").split(".")[0] in heavy
    or name in ("matplotlib", "IPython", "papermill")
))
"""


@pytest.mark.slow
def test_findings_need_neither_session_nor_notebook():
    """They are computed from plain curves, and nothing of a notebook or a figure is imported."""
    done = subprocess.run(
        [sys.executable, "-c", FINDINGS_ALONE], cwd=ROOT / "tests", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == ["no power", "b", "[]"]


def test_constant_spread_has_an_interval_of_one_point():
    one = measurement(net("a"), task(), 40).redundancy("accuracy", 0.9)
    assert np.isfinite([one.low, one.high]).all() and one.low <= one.value <= one.high
