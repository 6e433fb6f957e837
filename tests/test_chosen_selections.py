"""Orders and directions chosen by looking at the train images: against plain computations, SciPy
and scikit-learn, and in cases whose answer is known.
"""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import plain
import pytest
import torch
from conftest import make_layer
from diffused_redundancy.measures.chosen_selections import discriminant_directions, squared_norms
from scipy.linalg import eigh, qr, subspace_angles
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis


def order_of(name: str, X: np.ndarray, y: np.ndarray | None = None) -> list[int]:
    return dr.ordering(name, dr.SufficientStatistics.from_features(X, y)).order.tolist()


def test_variance_and_norm(layer):
    X, _ = layer
    X = X + np.linspace(9, 0, 60)  # the largest norm is not that of the largest variance
    assert order_of("variance", X) == np.argsort(-X.var(0), kind="stable").tolist()
    norms = np.linalg.norm(X, axis=0)
    assert order_of("norm", X) == np.argsort(-norms).tolist() != order_of("variance", X)
    assert order_of("norm_least", X) == np.argsort(norms).tolist()
    squared = squared_norms(dr.SufficientStatistics.from_features(X))
    assert squared.sqrt().numpy() == pytest.approx(norms, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_pivoted_qr_against_scipy(seed):
    X, _ = make_layer(seed=seed)
    _, _, pivots = qr(plain.centred(X), pivoting=True, mode="economic")
    assert order_of("pivoted_qr", X) == pivots.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_pivoted_qr_of_fewer_images_than_neurons(seed):
    """There are n - 1 pivots; the neurons they explain come after them, by their variance."""
    X = np.random.default_rng(seed).standard_normal((9, 20))
    _, _, pivots = qr(plain.centred(X), pivoting=True, mode="economic")
    order = order_of("pivoted_qr", X.astype(np.float32))
    assert order[:8] == pivots[:8].tolist() and sorted(order) == list(range(20))
    assert (np.diff(X.var(0)[order[8:]]) < 0).all()


@pytest.mark.parametrize("left, order", [(1e-3, [0, 2, 1]), (1e-5, [0, 1, 2])])
def test_pivoted_qr_takes_a_ten_billionth_of_the_variance_for_rounding(left, order):
    """Neuron 0 explains all of the others but "left", of neuron 2 twice as much; by their variance
    neuron 1 is before it.
    """
    a, b, c = np.linalg.qr(plain.centred(np.random.default_rng(0).standard_normal((50, 3))))[0].T
    assert order_of("pivoted_qr", np.stack([3 * a, 2 * a + left * b, a + 2 * left * c], 1)) == order


@pytest.mark.parametrize("seed", range(3))
def test_greedy_cka_against_trying_every_neuron(seed):
    X, _ = make_layer(n=80, d=14, seed=seed)
    chosen: list[int] = []
    while len(chosen) < 14:
        left = [i for i in range(14) if i not in chosen]
        chosen.append(max(left, key=lambda i: plain.cka(X[:, [*chosen, i]], X)))
    assert order_of("greedy_cka", X) == chosen
    assert order_of("greedy_cka", 1e50 * X) == chosen


@pytest.mark.parametrize("name", ["variance", "norm", "norm_least", "pivoted_qr", "greedy_cka"])
def test_orders_hold_every_neuron_once_whatever_its_scale_and_place(layer, name):
    X = layer[0].copy()
    X[:, [3, 50]] = 0
    order = order_of(name, X)
    assert sorted(order) == list(range(60))
    assert order_of(name, 1000 * X) == order
    shuffled = np.random.default_rng(1).permutation(60)
    moved = shuffled[order_of(name, X[:, shuffled])]
    varies = [i for i in order if i not in (3, 50)]  # equal ones come as they stand
    assert [i for i in moved if i not in (3, 50)] == varies
    if name != "norm_least":
        assert order[-2:] == [3, 50]


def test_layers_of_constant_neurons_have_an_order():
    for name in ("pivoted_qr", "greedy_cka"):
        assert order_of(name, np.ones((5, 3))) == [0, 1, 2]


def test_discriminant_directions_solve_the_eigenproblem(layer):
    X, y = layer
    s = dr.SufficientStatistics.from_features(X, y)
    Q = dr.ordering("lda", s).directions.numpy()
    assert Q.shape == (60, 4) and np.allclose(Q.T @ Q, np.eye(4), atol=1e-12)
    Xc = plain.centred(X)
    means = np.stack([Xc[y == c].mean(0) for c in range(5)])
    between = means.T @ (np.bincount(y)[:, None] * means)
    total = Xc.T @ Xc
    _, vectors = eigh(between, total + 0.01 * np.trace(total) / 60 * np.eye(60))
    for k in range(1, 5):
        assert subspace_angles(Q[:, :k], vectors[:, ::-1][:, :k]).max() < 1e-8


def test_discriminant_directions_against_scikit_learn(layer):
    """Without shrinkage, relative to the scatter within classes as to the total one."""
    X, y = layer
    Q = discriminant_directions(dr.SufficientStatistics.from_features(X, y), shrinkage=1e-14)
    theirs = LinearDiscriminantAnalysis(solver="eigen").fit(X, y).scalings_
    for k in range(1, 5):
        assert subspace_angles(Q[:, :k].numpy(), theirs[:, :k]).max() < 1e-6


def of_classes(X: np.ndarray, y: np.ndarray, images: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """So many images of each of the first classes."""
    kept = np.concatenate([np.flatnonzero(y == c)[:n] for c, n in enumerate(images)])
    return X[kept], y[kept]


@pytest.mark.parametrize("images", [[400] * 5, [60, 60], [60, 60, 1]])
def test_all_discriminant_directions_span_what_the_ridge_probe_uses(layer, images):
    X, y = of_classes(*layer, images)
    s = dr.SufficientStatistics.from_features(X, y)
    Q = dr.ordering("lda", s).directions.numpy()
    Xc, Y = plain.centred(X), np.eye(len(images))[y]
    weights = np.linalg.solve(Xc.T @ Xc + 0.01 * np.trace(Xc.T @ Xc) / 60 * np.eye(60), Xc.T @ Y)
    assert Q.shape == (60, len(images) - 1)
    assert subspace_angles(Q, weights[:, :-1]).max() < 1e-8
    assert np.linalg.norm(weights - Q @ (Q.T @ weights)) < 1e-10 * np.linalg.norm(weights)


def test_means_on_a_line_have_one_discriminant_direction(layer):
    noise, y = layer[0][:120] - layer[0][120:240], np.repeat([0, 1, 2], 80)
    X = np.concatenate([noise, -noise])[np.argsort(np.arange(240) % 120, kind="stable")]
    X += np.outer(y, layer[0][300])  # each noise is there as it is and negative: means stay
    assert dr.ordering("lda", dr.SufficientStatistics.from_features(X, y)).size == 1


def test_discriminant_directions_ignore_which_class_is_which_and_classes_without_images(layer):
    X, y = layer
    one = dr.ordering("lda", dr.SufficientStatistics.from_features(X, y)).directions
    other = dr.SufficientStatistics.from_features(X, np.array([7, 3, 0, 1, 4])[y])
    again = dr.ordering("lda", other).directions
    assert again.shape == (60, 4) and torch.allclose(one, again, atol=1e-9)


def test_what_lda_cannot_do_without(layer):
    X, y = layer
    for statistics, because in (
        (dr.SufficientStatistics.from_features(X), "'lda' is chosen with labels: give y, or"),
        (dr.SufficientStatistics.from_features(X, y * 0), "images of at least two classes"),
        (dr.SufficientStatistics.from_features(X * 0, y), "every neuron is constant"),
    ):
        with pytest.raises(dr.InputError, match=because):
            dr.ordering("lda", statistics)
    with pytest.raises(dr.InputError, match="chosen with labels"):
        dr.measure(X, selections=["random", "lda"])
