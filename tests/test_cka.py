"""CKA at every k: against feature space, against a published package, and by its invariances."""

from __future__ import annotations

import cka as published
import diffused_redundancy as dr
import numpy as np
import plain
import pytest
import torch
from conftest import make_layer
from diffused_redundancy.measures import prefix_sums
from scipy.stats import ortho_group

SIZES = (1, 2, 7, 31, 59, 60)


@pytest.mark.parametrize("selection", dr.SELECTIONS)
def test_every_selection_against_feature_space(layer, selection):
    X, y = layer
    s = dr.SufficientStatistics.from_features(X, y, debiased=True)
    order = dr.ordering(selection, s, 3)
    biased = dr.cka_curve(s, order).values[0]
    debiased = dr.cka_curve(s, order, debiased=True, features=X).values[0]
    assert biased.shape == debiased.shape == (order.size,)
    for k in (k for k in SIZES if k <= order.size):
        part = order.columns(torch.from_numpy(X), k).numpy()
        assert biased[k - 1] == pytest.approx(plain.cka(part, X), abs=1e-12)
        assert debiased[k - 1] == pytest.approx(plain.debiased_cka(part, X), abs=1e-9)


@pytest.mark.parametrize("selection", dr.SELECTIONS)
def test_standardized_neurons_against_feature_space(layer, selection):
    X, y = layer[0] * np.geomspace(0.01, 100, 60) + 5, layer[1]
    X[:, 7] = 3.0  # a constant neuron stays one
    s = dr.SufficientStatistics.from_features(X, y)
    deviation = X.std(0)
    deviation[7] = 1
    Z = (X - X.mean(0)) / deviation
    order = dr.ordering(selection, s.standardized(), 3)
    curve = dr.cka_curve(s, order, standardize=True)
    assert curve.measure == "standardized_cka"
    for k in (k for k in SIZES if k <= order.size):
        part = order.columns(torch.from_numpy(Z), k).numpy()
        assert curve.values[0, k - 1] == pytest.approx(plain.cka(part, Z), abs=1e-10)


def test_the_scale_of_neurons_counts_unless_they_are_standardized(layer):
    X, _ = layer
    scaled = X * np.geomspace(0.1, 10, 60)
    as_they_are, standardized = (
        [
            dr.cka_curve(s, dr.ordering("random", s, 1), standardize=standardize).values
            for s in map(dr.SufficientStatistics.from_features, (X, scaled))
        ]
        for standardize in (False, True)
    )
    assert np.allclose(*standardized, atol=1e-10)
    assert np.abs(as_they_are[0] - as_they_are[1]).max() > 0.1


def test_debiased_cka_is_of_neurons_as_they_are(layer):
    s = dr.SufficientStatistics.from_features(layer[0], debiased=True)
    with pytest.raises(dr.InputError, match="leave out standardize"):
        dr.cka_curve(s, dr.ordering("random", s, 1), debiased=True, standardize=True)


def test_against_a_published_package(layer):
    X, _ = layer
    s = dr.SufficientStatistics.from_features(X, debiased=True)
    order = dr.ordering("random", s, 1)
    curve = dr.cka_curve(s, order, debiased=True).values[0]
    whole = torch.from_numpy(X - X.mean(0))
    for k in SIZES:
        theirs = float(published.cka_from_features(whole[:, order.order[:k]], whole))
        assert curve[k - 1] == pytest.approx(theirs, abs=1e-9)


def test_float32_features_keep_seven_digits():
    X, _ = make_layer(n=9000, dtype="float32")
    s = dr.SufficientStatistics.from_features(X)
    order = dr.ordering("random", s, 1)
    curve = dr.cka_curve(s, order).values[0]
    for k in SIZES:
        assert curve[k - 1] == pytest.approx(plain.cka(X[:, order.order[:k].numpy()], X), abs=1e-7)


def test_whole_layer_is_one_and_all_is_within_bounds(layer):
    X, _ = layer
    s = dr.SufficientStatistics.from_features(X)
    curves = dr.cka_curve(s, dr.orderings("random", s, range(20))).values
    assert curves.shape == (20, 60)
    assert np.allclose(curves[:, -1], 1, atol=1e-13)
    assert (curves >= 0).all() and (curves <= 1 + 1e-12).all()


def test_rotating_the_layer_changes_no_component_curve(layer):
    X, _ = layer
    rotated = X @ ortho_group.rvs(60, random_state=0)
    for selection in ("pca", "pca_least"):
        curves = [
            dr.cka_curve(s, dr.ordering(selection, s)).values
            for s in map(dr.SufficientStatistics.from_features, (X, rotated))
        ]
        assert np.allclose(*curves, atol=1e-9)


def test_permuting_neurons_permutes_nothing_else(layer):
    """The curve of an order on X is the curve of the same neurons on X with its columns
    permuted.
    """
    X, _ = layer
    s = dr.SufficientStatistics.from_features(X)
    order = dr.ordering("random", s, 5)
    moved = dr.SufficientStatistics.from_features(X[:, order.order.numpy()])
    assert np.allclose(
        dr.cka_curve(s, order).values,
        dr.cka_curve(moved, dr.ordering("first", moved)).values,
        atol=1e-13,
    )


def test_permuting_images_changes_nothing(layer):
    X, _ = layer
    shuffled = X[np.random.default_rng(1).permutation(len(X))]
    a, b = (dr.SufficientStatistics.from_features(x) for x in (X, shuffled))
    assert np.allclose(
        dr.cka_curve(a, dr.ordering("random", a, 1)).values,
        dr.cka_curve(b, dr.ordering("random", b, 1)).values,
        atol=1e-13,
    )


def test_closed_form_is_exact_where_it_must_be():
    assert np.allclose(
        dr.closed_form(1.0, 50), np.sqrt(np.arange(1, 51) / 50)
    )  # uncorrelated neurons of equal variance
    assert np.allclose(dr.closed_form(1 / 50, 50), 1)  # copies of one neuron
    X, _ = make_layer()
    s = dr.SufficientStatistics.from_features(X)
    assert dr.closed_form(dr.diagonal_share(s), 60)[-1] == pytest.approx(1)
    assert dr.closed_form(1.0, 1).tolist() == [1]
    # of two neurons: half the numerator, and their variances without their covariance
    assert dr.closed_form(0.7, 2) == pytest.approx([np.sqrt(0.5 / 0.7), 1])


def test_closed_form_predicts_the_mean_of_many_orders():
    X, _ = make_layer(n=3000, d=200)
    s = dr.SufficientStatistics.from_features(X)
    mean = dr.cka_curve(s, dr.orderings("random", s, range(200))).mean
    assert np.abs(dr.closed_form(dr.diagonal_share(s), 200) - mean)[20:].max() < 0.02


def test_diagonal_share_of_uncorrelated_and_copied_neurons():
    X = np.random.default_rng(0).standard_normal((500, 1))
    assert dr.diagonal_share(
        dr.SufficientStatistics.from_features(np.repeat(X, 8, axis=1))
    ) == pytest.approx(1 / 8)
    Q, _ = np.linalg.qr(plain.centred(np.random.default_rng(1).standard_normal((100, 6))))
    assert dr.diagonal_share(dr.SufficientStatistics.from_features(Q)) == pytest.approx(1)


def test_constant_neurons_count_for_nothing(layer):
    X, _ = layer
    with_constant = np.concatenate([np.full((len(X), 1), 7.0), X], axis=1)
    s = dr.SufficientStatistics.from_features(with_constant)
    curve = dr.cka_curve(s, dr.ordering("first", s)).values[0]
    assert curve[0] == 0
    plain_s = dr.SufficientStatistics.from_features(X)
    without = dr.cka_curve(plain_s, dr.ordering("first", plain_s)).values[0]
    assert np.allclose(curve[1:], without, atol=1e-12)


def test_fewer_images_than_neurons():
    X, _ = make_layer(n=30)
    s = dr.SufficientStatistics.from_features(X)
    assert dr.ordering("pca", s).size == 29  # centred images span n - 1 directions
    assert dr.ordering("random", s, 1).size == 60
    assert dr.cka_curve(s, dr.ordering("pca", s)).values[0, -1] == pytest.approx(1)


def test_errors(layer):
    X, _ = layer
    s = dr.SufficientStatistics.from_features(X)
    with pytest.raises(dr.InputError, match="every neuron is constant"):
        constant = dr.SufficientStatistics.from_features(np.ones((5, 3)))
        dr.cka_curve(constant, dr.ordering("first", constant))
    with pytest.raises(dr.InputError, match="debiased=True"):
        dr.cka_curve(s, dr.ordering("random", s, 1), debiased=True)
    with pytest.raises(dr.InputError, match="pass features=X"):
        dr.cka_curve(s, dr.ordering("pca", s), debiased=True)
    with pytest.raises(dr.InputError, match="at least 4 images"):
        few = dr.SufficientStatistics.from_features(X[:3], debiased=True)
        dr.cka_curve(few, dr.ordering("first", few), debiased=True)


def test_the_curve_says_what_it_is_of(layer):
    s = dr.SufficientStatistics.from_features(layer[0], debiased=True)
    orders = dr.orderings("random", s, [3, 1])
    for debiased, measure in ((False, "cka"), (True, "debiased_cka")):
        curve = dr.cka_curve(s, orders, debiased=debiased)
        assert (curve.measure, curve.selection, curve.seeds) == (measure, "random", (3, 1))
        assert (curve.d, curve.full, curve.exact) == (60, 1.0, True)
        assert np.array_equal(curve.sizes, np.arange(1, 61))


def test_features_in_place_of_statistics(layer):
    X, _ = layer
    s = dr.SufficientStatistics.from_features(X)
    words = "make them with SufficientStatistics.from_features"
    for given, kind in ((X, "ndarray"), (dr.Features(X), "Features"), (torch.ones(3, 3), "Tensor")):
        for call in (
            lambda given=given: dr.cka_curve(given, dr.ordering("first", s)),
            lambda given=given: dr.diagonal_share(given),
            lambda given=given: dr.ordering("first", given),
            lambda given=given: dr.orderings("random", given, [1]),
        ):
            with pytest.raises(dr.InputError, match=f"statistics is {kind}: {words}"):
                call()
    with pytest.raises(dr.InputError, match=f"other is ndarray: {words}"):
        s.merge(X)


def test_what_are_no_orderings_of_a_layer(layer):
    X, _ = layer
    s, narrow = (dr.SufficientStatistics.from_features(part) for part in (X, X[:, :20]))
    for given, words in (
        ("random", "orderings is str: make them with orderings"),
        ([1, 2], "orderings is list: make them with orderings"),
        ([], "no orderings were given"),
        (dr.orderings("random", narrow, [1]), "of 20 neurons cannot be used on a layer of 60"),
        ([dr.ordering("random", s, 1), dr.ordering("first", s)], "of several selections or sizes"),
    ):
        with pytest.raises(dr.InputError, match=words):
            dr.cka_curve(s, given)


def test_debiased_cka_of_directions_needs_the_features_of_the_statistics(layer):
    X, _ = layer
    s = dr.SufficientStatistics.from_features(X, debiased=True)
    with pytest.raises(dr.InputError, match=r"features have shape \(10, 60\)"):
        dr.cka_curve(s, dr.ordering("pca", s), debiased=True, features=X[:10])
    with pytest.raises(dr.InputError, match=r"^features (has|have|must) .*\(60,\)"):
        dr.cka_curve(s, dr.ordering("pca", s), debiased=True, features=X[0])


@pytest.mark.parametrize("selection", ["random", "pca"])
@pytest.mark.parametrize("n", [4, 40])
def test_debiased_cka_of_few_images_in_blocks(monkeypatch, selection, n):
    monkeypatch.setattr("diffused_redundancy.measures.accumulation.BLOCK_ROWS", 16)
    X = np.random.default_rng(0).standard_normal((n, 3)) * [1, 2, 3] + 1
    s = dr.SufficientStatistics.from_features(X, debiased=True)
    order = dr.ordering(selection, s, 1)
    found = dr.cka_curve(s, order, debiased=True, features=X).values[0]
    for k in range(1, 4):
        part = order.columns(torch.from_numpy(X), k).numpy()
        with np.errstate(invalid="ignore"):
            expected = plain.debiased_cka(part, X)
        assert found[k - 1] == pytest.approx(expected, abs=1e-11, nan_ok=True)


@pytest.mark.parametrize("caps", [{}, {"_AT_ONCE": 1, "_IN_CACHE": 1}, {"_AT_ONCE": 1_500_000}])
def test_sums_over_beginnings_are_those_of_a_loop(monkeypatch, caps):
    """However the work is cut: by place in an order, by order, and by memory."""
    for name, value in caps.items():
        monkeypatch.setattr(prefix_sums, name, value)
    rng = np.random.default_rng(0)
    matrix = rng.random((300, 300))
    matrix += matrix.T
    orders = np.stack([rng.permutation(300) for _ in range(5)])[:, :290]
    found = prefix_sums.prefix_blocks(torch.from_numpy(matrix), torch.from_numpy(orders))
    sums = np.stack([matrix[np.ix_(order, order)].cumsum(0).cumsum(1) for order in orders])
    assert np.allclose(found, sums.diagonal(axis1=1, axis2=2), rtol=1e-12)
    leading = prefix_sums.leading_blocks(torch.from_numpy(matrix))
    assert np.allclose(leading, matrix.cumsum(0).cumsum(1).diagonal(), rtol=1e-12)
