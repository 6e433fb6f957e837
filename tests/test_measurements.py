"""Layers measured: what findings are given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import make_layer
from diffused_redundancy.experiment import stages
from diffused_redundancy.experiment.measurements import (
    measured_all,
    measured_beside,
    measured_first_features,
    measured_hits,
    neuron_variances,
)
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.measures.features import Features
from made_up import net, task

HOW = {"selections": ["random", "first"], "seeds": [1, 2], "fractions": [0.1, 0.5, 1.0]}


def made(d: int = 12, **how) -> ProbedLayer:
    X, y = make_layer(300, d)
    return ProbedLayer(lambda: Features(X[:200], y[:200], X[200:], y[200:], **how))


@pytest.mark.parametrize("probe, sizes", [("ridge", range(1, 13)), ("logistic", (1, 6, 12))])
def test_every_layer_is_measured_and_let_go(probe, sizes):
    layer = made()
    measurements = measured_all([(net("a"), task(), layer)], probe=probe, **HOW)
    assert "features" not in vars(layer)
    (one,) = measurements.all
    assert one is measurements.of(one.net, one.task) and one.d == 12
    assert set(one.accuracy) == set(one.cka) == {"random", "first"}
    random = one.curve("accuracy")
    assert random.sizes.tolist() == list(sizes) and random.seeds == (1, 2)
    assert one.full == random.full == pytest.approx(random.at(12).mean())
    assert one.curve("cka", "first").values.shape == (1, 12)
    assert one.redundancy("cka", 0.9).k == one.cka["random"].redundancy(0.9).k


def test_hits_give_the_accuracies_of_the_curve():
    layer = made()
    found = measured_hits([(net("a"), task(), layer)], ["random", "first"], [1, 2])
    assert set(found) == {("a", "t", "random"), ("a", "t", "first")}
    hits, curve = found["a", "t", "random"], layer.ridge("random", [1, 2])
    assert np.array_equal(hits.counts, layer.test_counts())
    mean = np.nansum(hits.by_class * hits.counts, -1) / hits.counts.sum()
    assert np.allclose(mean, curve.values, atol=1e-12)
    assert hits.full.mean() == pytest.approx(curve.full)
    assert np.allclose(hits.by_class[:, -1], hits.full_by_class, atol=1e-12)


def test_further_networks_are_measured_at_the_penalties_there_are():
    first, other, layer = net("a"), net("b"), made(9)
    how = {name: HOW[name] for name in ("selections", "seeds", "fractions")} | {"probe": "ridge"}
    tasks = [task("t"), task("u")]
    measurements = measured_all(
        [(first, where, made(n)) for where, n in zip(tasks, (12, 8), strict=True)], **how
    )
    more = measured_beside(measurements, [(other, tasks[1], layer)], **how)
    penalty = measurements.of(first, tasks[1]).penalty
    (one,) = more.all
    assert (one.net, one.task, one.penalty) == (other, tasks[1], penalty)
    expected = layer.ridge("random", [1, 2], penalty=penalty)
    assert np.array_equal(one.curve("accuracy").values, expected.values)


@pytest.mark.parametrize("probe", ["ridge", "logistic"])
def test_random_subsets_of_the_first_features_are_those_of_a_layer_that_has_no_others(probe):
    """Against probes of scikit-learn on the columns themselves."""
    from sklearn.linear_model import LogisticRegression, RidgeClassifier

    layers = {("a", "t"): made(), ("b", "t"): made()}
    asked = []

    def layer(network, where):
        asked.append((network.name, where.name))
        return layers[network.name, where.name]

    nets, where = [net("a"), net("b")], task("t")
    found = measured_first_features(
        {2: nets[:1], 5: nets}, [where], layer, probe=probe, seeds=[1, 2, 3], fractions=[0.4, 1.0]
    )
    assert list(found) == [2, 5] and asked == [("a", "t"), ("a", "t"), ("b", "t")]
    assert all("features" not in vars(one) for one in layers.values())
    five = found[5].of(nets[1], where)
    assert (
        five.d == 5
        and set(five.accuracy) == {"random"}
        and five.curve("accuracy").seeds == (1, 2, 3)
    )
    assert found[5].of(nets[0], where).penalty == five.penalty
    X, y = make_layer(300, 12)
    X = X[:, :5] - X[:200, :5].mean(0)
    unit = X[:200].var(0).mean()
    for seed in (1, 2, 3):
        columns = torch.randperm(5, generator=torch.Generator().manual_seed(seed))[:2].numpy()
        train, test = X[:200, columns], X[200:, columns]
        if probe == "ridge":
            theirs = RidgeClassifier(alpha=five.penalty * 200 * unit)
        else:
            theirs = LogisticRegression(C=1 / (200 * five.penalty), tol=1e-8, max_iter=10_000)
            train, test = train / np.sqrt(unit), test / np.sqrt(unit)
        score = theirs.fit(train, y[:200]).score(test, y[200:])
        accuracy = five.curve("accuracy")
        assert accuracy.values[seed - 1, accuracy.column(2)] == pytest.approx(score, abs=1e-9)


def test_variances_are_of_train_images():
    layer = made()
    variances = neuron_variances([(net("a"), task(), layer)])
    assert np.array_equal(variances["a"], layer.features.X_train.var(0))


def test_layers_are_compared_at_equal_width():
    layer = made(10)
    X = layer.features.X_train
    narrow = stages.narrowed(layer, 4, seed=7).features
    assert narrow.X_train.shape == (200, 4) and narrow.X_test.shape == (100, 4)
    assert all(any(np.array_equal(column, other) for other in X.T) for column in narrow.X_train.T)
    assert np.array_equal(narrow.X_train, stages.narrowed(layer, 4, seed=7).features.X_train)
    # or views of an image land in different folds
    assert stages.narrowed(made(10, views=2), 4, seed=7).features.views == 2


def test_stages_are_measured_as_they_are_and_at_equal_width():
    widths = {"layer1": 6, "layer2": 12}
    asked = []

    def layer(network, where, name):
        asked.append((network.name, where.name, name))
        return made(widths[name])

    one = net("a")
    object.__setattr__(one, "layers", lambda wanted: list(widths))
    depths = stages.measured_depths(
        [one], [task("t"), task("u")], ["stages", "stages"], layer, probe="ridge", **HOW
    )
    assert asked == [("a", where, name) for where in "tu" for name in widths]
    first, second = depths[0]
    assert (first.name, first.place, first.whole.d) == ("layer1", 0, 6)
    assert [draw.d for draw in first.equal] == [6]
    assert second.whole.d == 12 and [draw.d for draw in second.equal] == [6] * 10
    curves = [draw.cka["random"].values for draw in second.equal]
    assert not np.array_equal(curves[0], curves[1])
