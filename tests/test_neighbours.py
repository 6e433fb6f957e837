"""Shared nearest neighbours: against scikit-learn, and where the answer is known."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from conftest import make_layer
from diffused_redundancy.measures import neighbours
from diffused_redundancy.measures.neighbours import (
    chance,
    chance_within_classes,
    nearest,
    neighbour_overlap,
    shared,
)
from scipy.stats import ortho_group
from sklearn.neighbors import NearestNeighbors


def theirs(X: np.ndarray, count: int) -> np.ndarray:
    """scikit-learn's neighbours, without the images themselves."""
    return NearestNeighbors(n_neighbors=count).fit(X).kneighbors(return_distance=False)


def orders_of(X: np.ndarray, seeds=(1, 2, 3)) -> list[dr.Ordering]:
    statistics = dr.SufficientStatistics.from_features(X, device="cpu")
    return dr.orderings("random", statistics, seeds)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_neighbours_are_those_of_scikit_learn(dtype):
    X = make_layer(n=300, d=20, dtype=dtype)[0] + 100
    assert np.array_equal(np.sort(nearest(X, 7).numpy(), 1), np.sort(theirs(X, 7), 1))
    assert np.sort(nearest(X[:3], 2).numpy(), 1).tolist() == [[1, 2], [0, 2], [0, 1]]


def test_overlap_is_that_of_sets():
    X = make_layer(n=120, d=12)[0]
    X += 0.1 * np.random.default_rng(0).standard_normal(X.shape)  # no two distances are equal
    some = orders_of(X)
    with_whole, disjoint = neighbour_overlap(X, some, [2, 6], count=5)
    whole = [set(row) for row in theirs(X, 5)]
    for i, one in enumerate(some):
        order = one.order.tolist()
        for j, k in enumerate((2, 6)):
            first, last = (
                [set(row) for row in theirs(X[:, part], 5)] for part in (order[:k], order[-k:])
            )
            both = [len(a & b) / 5 for a, b in zip(first, last, strict=True)]
            assert disjoint.values[i, j] == pytest.approx(np.mean(both), rel=1e-12)
            each = [
                np.mean([len(a & b) / 5 for a, b in zip(part, whole, strict=True)])
                for part in (first, last)
            ]
            assert with_whole.values[i, j] == pytest.approx(np.mean(each), rel=1e-12)
    assert (with_whole.measure, disjoint.measure) == (
        "neighbour_overlap",
        "disjoint_neighbour_overlap",
    )
    for curve in (with_whole, disjoint):
        assert (curve.selection, curve.d, curve.full) == ("random", 12, 1)
        assert curve.images == 120 and curve.by_images.shape == (100, 2)
        assert curve.by_images.mean(0) == pytest.approx(curve.mean)
        assert curve.kept(6)[1] < curve.kept(6)[0] < curve.kept(6)[2]


def test_copies_share_all_and_noise_shares_by_chance():
    X = np.random.default_rng(0).standard_normal((400, 1)) * np.ones(6)
    for curve in neighbour_overlap(X, orders_of(X), [1, 3]):
        assert (curve.values == 1).all()
    noise = np.random.default_rng(0).standard_normal((500, 40))
    _, disjoint = neighbour_overlap(noise, orders_of(noise, range(10)), [20])
    assert disjoint.mean[0] == pytest.approx(chance(500), abs=0.003)
    assert chance(500) == 10 / 499


def test_neither_shift_nor_rotation_matters():
    X, _ = make_layer(n=200, d=15)
    turned = X @ ortho_group.rvs(15, random_state=0) * 3 - 1e7 * np.arange(15)
    assert shared(nearest(X), nearest(turned)).mean() == 1


def test_of_many_images_some_are_used(monkeypatch):
    monkeypatch.setattr(neighbours, "IMAGES", 50)
    X, _ = make_layer(n=200, d=8)
    whole, _ = neighbour_overlap(X, orders_of(X), [4])
    rows = np.linspace(0, 199, 50).astype(int)
    less, _ = neighbour_overlap(X[rows], orders_of(X), [4])
    assert whole.images == 50 and np.array_equal(whole.values, less.values)


def test_what_cannot_be_is_refused():
    X, _ = make_layer(n=30, d=8)
    with pytest.raises(dr.InputError, match="neighbours"):
        nearest(X, 30)
    with pytest.raises(dr.InputError, match=r"^k is 5: .*nearest: 4\)"):
        neighbour_overlap(X, orders_of(X), [5])
    statistics = dr.SufficientStatistics.from_features(X, device="cpu")
    with pytest.raises(dr.InputError, match="orders of all neurons"):
        neighbour_overlap(X, [dr.ordering("pca", statistics)], [2])


def test_shared_is_symmetric():
    a, b = (torch.from_numpy(theirs(make_layer(n=60, seed=i)[0], 5)) for i in (0, 1))
    assert torch.equal(shared(a, b), shared(b, a))


def test_chance_within_classes_is_that_of_neighbours_drawn_anew():
    rng = np.random.default_rng(0)
    y = rng.integers(4, size=200)
    X = rng.standard_normal((200, 8)) + 2 * np.eye(8)[y]
    found, total = nearest(X, 6).numpy(), 0.0
    for i, mine in enumerate(found):
        for kind in range(4):
            there = np.setdiff1d(np.flatnonzero(y == kind), [i])
            wanted = (y[mine] == kind).sum()
            # two draws of so many of these share so many in the mean
            total += wanted**2 / len(there)
    assert chance_within_classes(X, y, 6) == pytest.approx(total / 200 / 6)
    drawn = [
        torch.from_numpy(
            np.stack(
                [
                    np.concatenate(
                        [
                            rng.choice(
                                np.setdiff1d(np.flatnonzero(y == kind), [i]),
                                (y[mine] == kind).sum(),
                                replace=False,
                            )
                            for kind in range(4)
                        ]
                    )
                    for i, mine in enumerate(found)
                ]
            )
        )
        for _ in range(2)
    ]
    met = float(shared(*drawn).mean())
    assert chance_within_classes(X, y, 6) == pytest.approx(met, abs=0.02)
    assert chance_within_classes(X, np.zeros(200, dtype=int), 6) == pytest.approx(chance(200, 6))
    assert chance_within_classes(np.array([[0.0], [1.0], [5.0], [6.0]]), [0, 0, 1, 1], 1) == 1
