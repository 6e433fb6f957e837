"""Intrinsic dimension on data whose dimension is known and against a plain computation; neural
collapse against the authors' formula.
"""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from conftest import make_layer
from diffused_redundancy.experiment.probed_layer import GEOMETRY, ProbedLayer
from diffused_redundancy.measures.features import Features
from diffused_redundancy.measures.intrinsic_dimension import intrinsic_dimension
from diffused_redundancy.measures.neural_collapse import simplex_deviation, within_over_between
from diffused_redundancy.measures.spectrum import spectrum
from scipy.spatial.distance import cdist


def plain_dimension(X: np.ndarray) -> float:
    """Facco and others, the five steps of their algorithm."""
    distances = np.sort(cdist(X, X), axis=1)[:, 1:3]
    mu = np.sort(distances[:, 1] / distances[:, 0])
    kept = int(0.9 * len(mu))
    x, y = np.log(mu[:kept]), -np.log(1 - np.arange(1, kept + 1) / len(mu))
    return float(np.linalg.lstsq(x[:, None], y, rcond=None)[0][0])


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_known_dimensions(dimension):
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.normal(size=(40, dimension)))[0]
    flat = rng.normal(size=(1000, dimension)) @ turned.T
    assert intrinsic_dimension(flat) == pytest.approx(dimension, rel=0.1)
    # the same in other units, elsewhere, in another basis; and bent
    other = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    moved = intrinsic_dimension(1000 * flat @ other + 5)
    assert moved == pytest.approx(intrinsic_dimension(flat), rel=1e-6)
    bent = np.concatenate([np.sin(flat / 3), np.cos(flat / 3)], 1)
    assert intrinsic_dimension(bent) == pytest.approx(dimension, rel=0.15)


def test_dimension_is_that_of_plain_distances():
    X, _ = make_layer(n=300)
    assert intrinsic_dimension(X) == pytest.approx(plain_dimension(X), rel=1e-9)
    apart = X + 1e5 * np.linspace(-1, 1, 60)  # neurons of very different means
    assert intrinsic_dimension(apart) == pytest.approx(plain_dimension(apart), rel=1e-6)
    assert intrinsic_dimension(1e30 * X) == pytest.approx(plain_dimension(X), rel=1e-9)
    # float32 features far from 0, where products lose digits
    far = (X + 1000).astype("float32")
    assert intrinsic_dimension(far) == pytest.approx(plain_dimension(far.astype(float)), rel=1e-3)


def test_dimension_of_some_images_copies_and_nothing():
    X, _ = make_layer(n=500)
    for seed, most in ((3, 200), (0, 200), (0, 3)):
        some = np.sort(np.random.default_rng(seed).permutation(500)[:most])
        found = intrinsic_dimension(X, most=most, **({"seed": seed} if seed else {}))
        assert found == pytest.approx(plain_dimension(X[some]))
    assert intrinsic_dimension(np.repeat(X[:300], 2, axis=0)) == pytest.approx(
        plain_dimension(X[:300])
    )
    assert np.isnan(intrinsic_dimension(np.ones((50, 4))))
    assert np.isnan(intrinsic_dimension(np.eye(5)))  # all are equally far

    class Read:  # in slices
        shape, dtype = X.shape, X.dtype

        def __len__(self):
            return len(X)

        def __getitem__(self, rows):
            return X[rows]

    assert intrinsic_dimension(Read()) == intrinsic_dimension(X)
    with pytest.raises(dr.InputError, match=r"X\[1, 0\] is nan"):
        intrinsic_dimension(np.array([[0.0], [np.nan], [2.0], [3.0]]))
    with pytest.raises(dr.InputError, match="most is 2"):
        intrinsic_dimension(X, most=2)


def plain_collapse(X: np.ndarray, y: np.ndarray) -> float:
    """Papyan, Han and Donoho: tr(S_W S_B^+) / C, classes weighted by their images."""
    means = np.stack([X[y == c].mean(0) for c in np.unique(y)])
    weights = np.array([np.mean(y == c) for c in np.unique(y)])
    apart = means - X.mean(0)
    between = (apart.T * weights) @ apart
    rest = X - means[np.searchsorted(np.unique(y), y)]
    within = rest.T @ rest / len(X)
    return float(np.trace(within @ np.linalg.pinv(between, rcond=1e-9)) / len(means))


def statistics_of(X, y, **how):
    return dr.SufficientStatistics.from_features(X, y, device="cpu", **how)


def test_collapse_is_the_authors_formula():
    X, y = make_layer(n=300, d=20)
    found = within_over_between(statistics_of(X, y))
    assert found == pytest.approx(plain_collapse(X, y))
    assert within_over_between(statistics_of(1e-6 * X, y)) == pytest.approx(found)
    for kept in (y < 2, (y < 2) | (np.arange(300) == np.argmax(y == 2))):  # a single image of 2
        assert within_over_between(statistics_of(X[kept], y[kept])) == pytest.approx(
            plain_collapse(X[kept], y[kept])
        )
    # in any units, basis and place; a class without images does not count
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 20)))[0]
    assert within_over_between(statistics_of(50 * X @ turn - 3, y)) == pytest.approx(found)
    assert within_over_between(statistics_of(X, y, num_classes=9)) == pytest.approx(found)


def test_collapse_at_its_limits():
    X, y = make_layer(n=300, d=20)
    means = np.stack([X[y == c].mean(0) for c in range(5)])
    assert within_over_between(statistics_of(means[y], y)) == pytest.approx(0, abs=1e-9)
    nearer = means[y] + 0.1 * (X - means[y])  # a tenth as far: a hundredth of the variance
    assert within_over_between(statistics_of(nearer, y)) == pytest.approx(
        within_over_between(statistics_of(X, y)) / 100
    )
    same = np.tile(np.random.default_rng(0).normal(size=(10, 3)), (2, 1))
    assert within_over_between(statistics_of(same, np.repeat([0, 1], 10))) > 1e6 or np.isnan(
        within_over_between(statistics_of(same, np.repeat([0, 1], 10)))
    )
    equal = statistics_of(np.array([[0.0], [2.0], [0.0], [2.0]]), [0, 0, 1, 1])
    assert np.isnan(within_over_between(equal))
    with pytest.raises(dr.InputError, match="scatter within classes needs labels"):
        within_over_between(dr.SufficientStatistics.from_features(X, device="cpu"))


def plain_simplex(X: np.ndarray, y: np.ndarray) -> list[float]:
    """Papyan, Han and Donoho: the coefficient of variation of norms, and how far cosines are from
    those of a simplex.
    """
    means = np.stack([X[y == c].mean(0) for c in np.unique(y)])
    means = means - means.mean(0)
    norms = np.linalg.norm(means, axis=1)
    far = [
        abs(means[a] @ means[b] / norms[a] / norms[b] + 1 / (len(means) - 1))
        for a in range(len(means))
        for b in range(len(means))
        if a != b
    ]
    return [float(norms.std() / norms.mean()), float(np.mean(far))]


def test_spread_of_class_means_is_the_authors_formula():
    X, y = make_layer(n=300, d=20)
    found = simplex_deviation(statistics_of(X, y))
    assert list(found) == pytest.approx(plain_simplex(X, y)) and min(found) > 0.01
    assert list(simplex_deviation(statistics_of(1e-6 * X, y))) == pytest.approx(found)
    few = (y < 2) | (np.arange(300) == np.argmax(y == 2))  # a single image of the third class
    assert list(simplex_deviation(statistics_of(X[few], y[few]))) == pytest.approx(
        plain_simplex(X[few], y[few])
    )
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 20)))[0]
    assert list(simplex_deviation(statistics_of(50 * X @ turn - 3, y))) == pytest.approx(found)
    assert list(simplex_deviation(statistics_of(X, y, num_classes=9))) == pytest.approx(found)
    # unequal classes weigh alike
    kept = (y > 0) | (np.arange(len(y)) % 3 == 0)
    assert list(simplex_deviation(statistics_of(X[kept], y[kept]))) == pytest.approx(
        plain_simplex(X[kept], y[kept])
    )


def test_corners_of_a_simplex_deviate_by_nothing():
    y = np.arange(60) % 6
    corners = np.eye(6)[y] @ np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    assert list(simplex_deviation(statistics_of(3 * corners + 1, y))) == pytest.approx(
        [0, 0], abs=1e-9
    )
    assert np.isnan(simplex_deviation(statistics_of(corners[:20], y[:20] % 2))).all()  # two classes
    line = np.array([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])[np.arange(60) % 3]
    assert np.isnan(simplex_deviation(statistics_of(line, np.arange(60) % 3))).all()  # one at 0
    with pytest.raises(dr.InputError, match="the spread of classes needs labels"):
        simplex_deviation(dr.SufficientStatistics.from_features(corners, device="cpu"))


def test_geometry_of_a_layer_is_that_of_its_measures(tmp_path):
    X, y = make_layer(n=300)
    one = Features(X[:200], y[:200], X[200:], y[200:])
    calls = []

    def load():
        calls.append(1)
        return one

    for _ in range(2):
        layer = ProbedLayer(load, key={"name": "x"}, cache=dr.Cache(tmp_path), device="cpu")
        found = layer.geometry()
    assert len(calls) == 1 and tuple(found) == GEOMETRY
    statistics = statistics_of(X[:200], y[:200])
    known = spectrum(statistics)
    assert found["participation"] == pytest.approx(known.participation)
    assert found["effective_rank"] == pytest.approx(known.effective_rank)
    assert found["diagonal_share"] == pytest.approx(layer.about["diagonal_share"])
    assert found["dimension"] == pytest.approx(plain_dimension(X[:200]))
    assert found["collapse"] == pytest.approx(plain_collapse(X[:200], y[:200]))
    unlabelled = ProbedLayer(lambda: Features(torch.from_numpy(X)), device="cpu").geometry()
    assert [found["norms"], found["angles"]] == pytest.approx(plain_simplex(X[:200], y[:200]))
    assert np.isnan([unlabelled[name] for name in ("collapse", "norms", "angles")]).all()
    assert unlabelled["participation"] > 1
