"""A layer's measures are those of the functions behind them, and each is computed once."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import make_layer
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.measures.features import Features


def test_layer_curves_are_those_of_the_measures():
    X, y = make_layer(n=500)
    one = Features(X[:300], y[:300], X[300:], y[300:])
    layer = ProbedLayer(lambda: one)
    statistics = dr.SufficientStatistics.from_features(one.X_train, one.y_train)
    order = dr.ordering("random", statistics, 2)
    cka = layer.cka("random", [2])
    assert np.array_equal(cka.values, dr.cka_curve(statistics, order).values)
    assert cka.seeds == (2,) and cka.full == 1 and cka.sizes.tolist() == list(range(1, 61))
    for kind, probe in (
        ("ridge", dr.RidgeProbe(one, penalty=0.1)),
        ("logistic", dr.LogisticProbe(one, penalty=0.1)),
    ):
        expected = probe.curve(order, [5, 60])
        sizes = {} if kind == "ridge" else {"sizes": [5, 60]}
        more = {"by_class": True} if kind == "ridge" else {}
        curve = getattr(layer, kind)("random", [2], penalty=0.1, **sizes, **more)
        columns = [curve.column(k) for k in (5, 60)]
        assert np.array_equal(curve.values[:, columns], expected.values)
        assert np.array_equal(curve.per_class[:, columns], expected.per_class, equal_nan=True)
        assert np.array_equal(curve.by_images[:, columns], expected.by_images)
        assert np.array_equal(curve.full_by_images, expected.full_by_images)
        assert curve.by_images.mean(0) == pytest.approx(curve.mean)
        assert curve.full == expected.full == layer.full(kind, penalty=0.1)
    pca = layer.cka("pca", [1, 2, 3])
    assert pca.seeds == (0,) and pca.values.shape[0] == 1
    with pytest.raises(dr.InputError, match="needs labels"):
        _ = ProbedLayer(lambda: Features(X)).ridge_penalty


def test_layer_is_cached_by_what_determines_it(tmp_path):
    X, y = make_layer(n=200)
    calls = []

    def load():
        calls.append(1)
        return Features(X, y, X, y)

    for _ in range(2):
        layer = ProbedLayer(load, key={"name": "x"}, cache=dr.Cache(tmp_path))
        layer.cka("random", [1, 2])
        layer.cka("random", [1, 2], debiased=True)
        assert layer.about["n_train"] == 200
    assert len(calls) == 1
    ProbedLayer(load, key={"name": "y"}, cache=dr.Cache(tmp_path)).cka("random", [1, 2])
    assert len(calls) == 2
