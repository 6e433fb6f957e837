"""What notebook 02 says follows from its curves."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import make_layer
from curves import made_curve
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.findings import probing, tables, verdicts
from diffused_redundancy.measures.features import Features

RIDGE = made_curve(np.linspace(0.1, 1, 10), full=0.95)
LOGISTIC = made_curve(
    [[0.2, 0.3, 0.7]], measure="logistic_accuracy", sizes=[1, 2, 10], d=10, full=0.75
)


def test_curves_are_those_of_the_layers():
    X, y = make_layer(n=200)
    layer = ProbedLayer(lambda: Features(X[:100], y[:100], X[100:], y[100:]))
    ridge = probing.probe_curves({"a": layer}, "ridge", ["random", "pca"], [1])
    assert np.array_equal(ridge["a"]["pca"].values, layer.ridge("pca", [1]).values)
    logistic = probing.probe_curves({"a": layer}, "logistic", ["random"], [1], [0.1, 1.0])
    assert logistic["a"]["random"].sizes.tolist() == [6, 60]


def test_sizes_that_lack_a_fifth_or_exist_not():
    lacking = {"a case": {"random": made_curve(np.full((2, 1), 0.5), sizes=[6], d=60, full=0.9)}}
    assert verdicts.a_fifth_within(tables.of_selection(lacking), 0.05).word == "undecided"
    assert "not among the sizes" in probing.describe_probes(lacking)
    assert verdicts.a_fifth_within({}, 0.05).word == "undecided"
    X, y = make_layer(n=30)
    few = ProbedLayer(lambda: Features(X[:20], y[:20], X[20:], y[20:]))
    empty = few.logistic("pca", [1], [40, 60], penalty=0.1)
    assert empty.values.shape == (1, 0)
    assert tables.redundancy_table({"c": {"pca": empty}}, [0.9]).tidy.empty


def test_sentences_state_the_numbers():
    curves = {"a": {"random": LOGISTIC}}
    assert "- a: 30.0% against 75.0%." in probing.describe_probes(curves)
    assert probing.results_of({"a": {"random": RIDGE}}, curves) == pytest.approx(
        {"share at 20%, a": 0.4, "full layer, ridge, a": 0.95, "full layer, logistic, a": 0.75}
    )


def test_a_layer_without_accuracy_keeps_no_share_of_it():
    none = made_curve(np.zeros((1, 10)), full=0.0)
    assert verdicts.a_fifth_within({"a": none}, 0.05).word == "undecided"


def test_claim_1_is_about_a_resnet50_on_cifar10():
    def case(net, task):
        return SimpleNamespace(name=net), SimpleNamespace(name=task)

    cases = {
        "a": case("resnet50.a1_in1k", "cifar10"),
        "b": case("resnet50.a1_in1k", "digits"),
        "c": case("miniature_resnet.standard_s1", "cifar10"),
        "d": case("resnet50.pqf_large", "cifar10:/my/images"),
        "e": case("resnet50.pqf_large", "folder:/my/cifar10"),
    }
    claimed, others = probing.as_claimed(dict.fromkeys(cases, RIDGE), cases)
    assert (list(claimed), list(others)) == (["a"], ["b", "c", "d", "e"])


def test_convergence_is_counted():
    fitted = made_curve(np.ones((2, 3)), converged=np.array([[1, 1, 0], [1, 0, 1]], bool))
    sentence = probing.describe_convergence({"a": {"random": fitted}, "b": {"random": fitted}})
    assert sentence == "12 probes were fitted; 4 did not reach the tolerance."


def test_agreement_of_the_probes():
    table = probing.agreement({"a": {"random": RIDGE}}, {"a": {"random": LOGISTIC}})
    assert table.iloc[0].to_dict() == {
        "case": "a",
        "ridge, full layer": 0.95,
        "logistic, full layer": 0.75,
        "largest gap": pytest.approx(30),
        "at k": 10,
        "gap at a fifth": pytest.approx(-10),
        "low": pytest.approx(np.nan, nan_ok=True),
        "high": pytest.approx(np.nan, nan_ok=True),
    }
    text = probing.describe_agreement(table)
    assert "up to 30 points at some size, and by up to 10.0 points at a fifth" in text
    assert "the logistic probe is the paper's" in text
    turned = probing.describe_agreement(table.assign(**{"largest gap": -30.0}))
    assert "on a at k = 10, the ridge probe is the lower one" in turned


def test_redundancy_by_network_and_task():
    def case(net, task):
        return SimpleNamespace(name=net), SimpleNamespace(title=task, name=task)

    curves = {f"{task}, {net}": {"random": RIDGE} for net in "mn" for task in "tu"}
    cases = {f"{task}, {net}": case(net, task) for net in "mn" for task in "tu"}
    found = probing.curves_by_net(curves, cases)
    assert {net: list(tasks) for net, tasks in found.items()} == {"m": ["t", "u"], "n": ["t", "u"]}
    assert found["m"]["t"] is RIDGE


def test_sentences_on_redundancy():
    table = tables.redundancy_table({"a": {"random": RIDGE}}, [0.8, 0.9])
    assert (
        "while 90% of ridge accuracy is kept, with 95% intervals:\n\n- a: 10%."
        in probing.describe_redundancy(table)
    )
    low = tables.redundancy_table({"a": {"random": made_curve([0.1, 0.2])}}, [0.8])
    assert "No size measured keeps 80%" in probing.describe_redundancy(low)


def test_a_case_no_better_than_guessing_is_said_and_left_out_of_verdicts():
    at_chance = made_curve(np.full((2, 10), 0.5), full=0.52, guessing=0.5, images=100)
    case = {"chance": {"random": at_chance}}
    both = {**case, "a": {"random": RIDGE}}
    text = probing.describe_probes(both)
    assert "guessing the largest class" in text and "on chance (52.0% against 50.0%)" in text
    assert "chance" not in verdicts.a_fifth_within(tables.of_selection(both), 0.05).because
    table = tables.redundancy_table(both, [0.9])
    assert table.guessed == ("chance",) and set(table.tidy["case"]) == {"a", "chance"}
    assert "chance" not in probing.describe_redundancy(table)
    alone = tables.redundancy_table(case, [0.9])
    assert "not clearly better than guessing" in probing.describe_redundancy(alone)
    cases = {c: (SimpleNamespace(name="m"), SimpleNamespace(title=c, name=c)) for c in both}
    assert list(probing.curves_by_net(both, cases)["m"]) == ["chance", "a"]
    assert "chance" not in verdicts.every_subset_keeps(tables.of_selection(both), 0.9).because
    assert verdicts.every_subset_keeps(tables.of_selection(case), 0.9).word == "undecided"


def test_lines_of_what_is_kept_are_shares_named_with_a_fifths():
    values = [[0.2, 0.4, 0.8], [0.4, 0.6, 0.8]]
    curve = made_curve(values, sizes=[2, 4, 10], d=10, full=0.8)
    none = made_curve(np.zeros((1, 10)), full=0.0)
    lines = probing.kept_lines({"a case": {"random": curve}, "none": {"random": none}})
    assert [line.name for line in lines] == ["a case: 37.5%"]  # of 0.25 and 0.5
    assert lines[0].sizes.tolist() == [0.2, 0.4, 1.0]
    assert np.allclose(lines[0].values, np.array(values) / 0.8)
    (few,) = probing.kept_lines({"b": {"random": made_curve([[0.5]], sizes=[6], d=60, full=0.9)}})
    assert few.name == "b"
