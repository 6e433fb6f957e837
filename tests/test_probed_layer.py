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


def two_layers() -> tuple[ProbedLayer, ProbedLayer, Features]:
    X, y = make_layer(n=500)
    other, z = make_layer(n=300, seed=1)
    one = Features(X[:300], y[:300], X[300:], y[300:])
    return ProbedLayer(lambda: one), ProbedLayer(lambda: Features(other, z, other, z)), one


def test_orders_chosen_on_another_layer():
    layer, source, one = two_layers()
    statistics = dr.SufficientStatistics.from_features(one.X_train, one.y_train)
    theirs = dr.SufficientStatistics.from_features(source.features.X_train)
    order = dr.ordering("pivoted_qr", theirs)
    own = layer.cka("pivoted_qr", [0])
    cka = layer.cka("pivoted_qr", [0], chosen_on=source)
    assert np.array_equal(cka.values, dr.cka_curve(statistics, order).values)
    assert not np.array_equal(cka.values, own.values)
    expected = dr.RidgeProbe(one, penalty=0.1).curve(order)
    ridge = layer.ridge("pivoted_qr", [0], penalty=0.1, chosen_on=source)
    assert np.array_equal(ridge.values, expected.values)
    some = layer.ridge("pivoted_qr", [0], penalty=0.1, chosen_on=source, sizes=[5, 60])
    assert np.array_equal(some.values, expected.values[:, [4, 59]])
    assert not np.array_equal(ridge.values, layer.ridge("pivoted_qr", [0], penalty=0.1).values)


def test_cka_on_held_out_images():
    layer, _, one = two_layers()
    statistics = dr.SufficientStatistics.from_features(one.X_train)
    held_out = dr.SufficientStatistics.from_features(one.X_test)
    for selection in ("random", "pca"):
        curve = layer.cka(selection, [3], held_out=True)
        order = dr.ordering(selection, statistics, 3)  # chosen on the train images
        assert np.array_equal(curve.values, dr.cka_curve(held_out, order).values)
        assert curve.by_images.mean(0) == pytest.approx(curve.mean)
        assert not np.array_equal(curve.values, layer.cka(selection, [3]).values)
    with pytest.raises(dr.InputError, match="needs a test part"):
        ProbedLayer(lambda: Features(one.X_train)).cka("random", [1], held_out=True)


def test_sizes_beyond_the_directions_are_left_out():
    layer, _, _ = two_layers()
    assert layer.ridge("lda", [0], penalty=0.1, sizes=[2, 3, 30]).sizes.tolist() == [2, 3]
    assert layer.ridge("lda", [0], penalty=0.1, sizes=[30]).sizes.tolist() == [4]


def test_where_an_order_was_chosen_is_in_the_key(tmp_path):
    one, other = make_layer(n=200), make_layer(n=200, seed=3)
    layers = [
        ProbedLayer(
            lambda X=X, y=y: Features(X, y, X, y), key={"name": i}, cache=dr.Cache(tmp_path)
        )
        for i, (X, y) in enumerate((one, other))
    ]
    own = layers[0].cka("variance", [0]).values
    theirs = layers[0].cka("variance", [0], chosen_on=layers[1]).values
    held_out = layers[0].cka("variance", [0], held_out=True).values
    assert not np.array_equal(own, theirs)
    assert np.allclose(own, held_out)  # the test images are the train images here
    again = ProbedLayer(lambda: 1 / 0, key={"name": 0}, cache=dr.Cache(tmp_path))
    assert np.array_equal(again.cka("variance", [0], chosen_on=layers[1]).values, theirs)
