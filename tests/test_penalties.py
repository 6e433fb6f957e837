"""What hangs on the penalties of the probes."""

from __future__ import annotations

import dataclasses

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import make_layer
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.findings import penalties, probing
from diffused_redundancy.measures.features import Features


@pytest.fixture
def layers():
    X, y = make_layer(n=500)
    return {"a case": ProbedLayer(lambda: Features(X[:300], y[:300], X[300:], y[300:]))}


@pytest.mark.parametrize("fractions", [[0.2, 1.0], [0.5, 1.0]])
def test_effects_of_penalties_are_those_of_the_probes(layers, fractions):
    layer = layers["a case"]
    ridge = probing.probe_curves(layers, "ridge", ["random"], [1, 2])
    logistic = probing.probe_curves(layers, "logistic", ["random"], [1, 2], fractions)
    table = penalties.penalty_effects(layers, ridge, logistic).set_index("probe")
    k, orders, one = 12, dr.orderings("random", layer.statistics, [1, 2]), layer.features
    for words, times in ((penalties.WEAKER, 0.1), (penalties.CHOSEN, 1), (penalties.STRONGER, 10)):
        curve = dr.RidgeProbe(one, penalty=times * layer.ridge_penalty.penalty).curve(orders)
        assert table.loc["ridge", words] == pytest.approx(100 * curve.at(k).mean() / curve.full)
        probe = dr.LogisticProbe(one, penalty=times * layer.logistic_penalty.penalty)
        curve = probe.curve(orders, [k, 60])
        assert table.loc["logistic", words] == pytest.approx(
            100 * np.mean(curve.at(k) / curve.at(60)), abs=0.6
        )
    text = penalties.describe_penalty_effects(table.reset_index())
    others = table[[penalties.WEAKER, penalties.STRONGER]]
    moved = others.sub(table[penalties.CHOSEN], axis=0).abs().max(axis=1)
    assert f"ridge probe by at most {moved['ridge']:.1f} points" in text
    assert f"logistic probe by at most {moved['logistic']:.1f} points" in text


def test_penalties_at_the_edge_of_the_grid_are_marked(layers, monkeypatch):
    layer = layers["a case"]
    choice = layer.ridge_penalty
    edge = dataclasses.replace(choice, penalty=choice.grid[0])
    monkeypatch.setitem(layer.__dict__, "ridge_penalty", edge)
    row = penalties.penalty_table(layers).iloc[0]
    assert row["grid"].endswith("(at its edge)")
    assert row["validation loss"] == choice.loss[0]
    assert row["validation accuracy"] == choice.accuracy[0]
