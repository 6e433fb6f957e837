"""Where the closed form errs: layers of given variances and one correlation, drawn and computed."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import make_layer
from curves import made_curve
from diffused_redundancy.measures.cka import share_of
from diffused_redundancy.measures.closed_form_error import cka_of_variances, mean_error


def layer_of(variances: np.ndarray, correlation: float) -> dr.SufficientStatistics:
    """A layer whose pairs of neurons all have one correlation."""
    d = len(variances)
    gram = np.full((d, d), correlation) + (1 - correlation) * np.eye(d)
    gram *= np.sqrt(np.outer(variances, variances))
    root = np.linalg.cholesky(gram).T
    return dr.SufficientStatistics.from_features(np.concatenate([root, -root]), device="cpu")


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.95])
def test_a_layer_with_one_correlation_is_its_own_counterfactual(correlation):
    s = layer_of(np.geomspace(1, 50, 15), correlation)
    some = dr.orderings("random", s, range(5))
    ours, measured = cka_of_variances(s, some), dr.cka_curve(s, some)
    assert ours.values == pytest.approx(measured.values)
    for name in ("measure", "selection", "seeds", "d", "full"):
        assert getattr(ours, name) == getattr(measured, name)
    small = layer_of(1e-12 * np.geomspace(1, 50, 15), correlation)
    assert cka_of_variances(small, some).values == pytest.approx(measured.values)


def test_equal_variances_and_correlations_make_the_closed_form_exact():
    s = layer_of(np.ones(12), 0.4)
    some = dr.orderings("random", s, range(5))
    form = dr.closed_form(dr.diagonal_share(s), 12)
    for curve in (cka_of_variances(s, some), dr.cka_curve(s, some)):
        assert curve.values == pytest.approx(np.broadcast_to(form, (5, 12)))
        assert mean_error(curve, form) == pytest.approx((0, 0, 0), abs=1e-9)


def test_r_is_kept():
    """So the closed form is the same; the whole layer has CKA 1."""
    X = make_layer(n=300, d=20)[0] * np.geomspace(1, 5, 20)
    X[:, 3] = 1.0
    s = dr.SufficientStatistics.from_features(X, device="cpu")
    curve = cka_of_variances(s, dr.orderings("random", s, range(400)))
    assert curve.values[:, -1] == pytest.approx(1)
    first = (curve.values[:, 0] > 0).sum() / 400
    assert first == pytest.approx(19 / 20, abs=0.05)  # one neuron is constant
    variances = s.gram.diagonal().numpy()
    r = dr.diagonal_share(s)
    common = (variances**2).sum() * (1 / r - 1) / (variances.sum() ** 2 - (variances**2).sum())
    P = np.outer(variances, variances) * (common + (1 - common) * np.eye(20))
    assert np.trace(P) / P.sum() == pytest.approx(r)


def test_directions_and_single_neurons():
    s = layer_of(np.ones(5), 0.4)
    with pytest.raises(dr.InputError, match="variances are of neurons"):
        cka_of_variances(s, dr.ordering("pca", s))
    one = dr.SufficientStatistics.from_features(np.arange(4.0)[:, None], device="cpu")
    assert cka_of_variances(one, dr.ordering("random", one, 1)).values.tolist() == [[1.0]]


def test_mean_error_weighs_doublings_alike():
    k = np.arange(1, 201)
    for low, high in ((1, 2), (10, 20), (100, 200)):
        inside = ((k >= low) & (k < high)).astype(float)
        curve = made_curve(np.zeros((3, 200)), measure="cka")
        error, *ends = mean_error(curve, inside)
        assert error == pytest.approx(np.log(2) / np.log(401), rel=0.6 if low == 1 else 0.06)
        assert ends == pytest.approx([error, error])
    curve = made_curve(np.array([[0.1] * 9, [0.3] * 9, [0.2] * 9]), measure="cka")
    error, low, high = mean_error(curve, np.full(9, 0.25))
    assert error == pytest.approx(0.05)
    assert (low, high) == pytest.approx(
        (0.05 - 4.3027 * 0.1 / 3**0.5, 0.05 + 4.3027 * 0.1 / 3**0.5), abs=1e-4
    )


@pytest.mark.parametrize("delta", [0.8, 0.9])
@pytest.mark.parametrize("redundancy", [0.95, 0.7, 0.3])
def test_share_of_inverts_the_closed_form(redundancy, delta):
    r = share_of(redundancy, delta)
    if r <= 1:
        d = 50_000
        k = int((dr.closed_form(r, d) < delta).sum()) + 1
        assert 1 - k / d == pytest.approx(redundancy, abs=1e-3)
