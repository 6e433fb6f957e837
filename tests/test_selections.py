"""Selections: the authors' subsets, nested, and whatever is registered obeys the same rules."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from diffused_redundancy.measures import selections


def test_the_authors_subsets(layer):
    X, _ = layer
    s = dr.SufficientStatistics.from_features(X)
    torch.manual_seed(4)
    assert torch.equal(dr.ordering("random", s, 4).order, torch.randperm(60))


def test_the_seed_is_0_unless_given_and_of_what_draws_nothing(layer):
    s = dr.SufficientStatistics.from_features(layer[0])
    assert torch.equal(dr.ordering("random", s).order, dr.ordering("random", s, 0).order)
    assert dr.ordering("first", s, 5).seed == 0


def test_the_authors_projection(layer):
    s = dr.SufficientStatistics.from_features(layer[0])
    torch.manual_seed(4)
    expected = torch.nn.functional.normalize(torch.rand(60, 60), dim=0)
    assert torch.allclose(dr.ordering("random_projection", s, 4).directions.float(), expected)


def test_drawing_leaves_the_global_generator_alone(layer):
    s = dr.SufficientStatistics.from_features(*layer)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    for name in dr.SELECTIONS:
        dr.ordering(name, s, 9)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("selection", dr.SELECTIONS)
def test_what_every_selection_obeys(layer, selection):
    X = torch.from_numpy(layer[0])
    s = dr.SufficientStatistics.from_features(*layer)
    one, again = dr.ordering(selection, s, 2), dr.ordering(selection, s, 2)
    columns = one.columns(X)
    assert torch.equal(columns, again.columns(X))  # the same for the same seed
    assert columns.shape == (len(X), one.size)
    few = min(4, one.size)
    assert torch.equal(one.columns(X, few), columns[:, :few]) or torch.allclose(
        one.columns(X, few), columns[:, :few], atol=1e-12
    )  # nested
    centred = X - X.mean(0)
    expected = one.columns(centred).T @ one.columns(centred)
    assert torch.allclose(one.gram(s.gram), expected, atol=1e-8 * float(expected.abs().max()))
    if dr.SELECTIONS[selection].seeded:
        assert not torch.equal(columns, dr.ordering(selection, s, 3).columns(X))
    if one.directions is not None:
        assert torch.allclose(one.directions.norm(dim=0), torch.ones(one.size, dtype=torch.float64))


def test_components_are_ordered_by_variance(layer):
    X = torch.from_numpy(layer[0])
    s = dr.SufficientStatistics.from_features(X)
    assert (np.diff(dr.ordering("pca", s).columns(X).var(0).numpy()) < 1e-9).all()
    assert (np.diff(dr.ordering("pca_least", s).columns(X).var(0).numpy()) > -1e-9).all()


@pytest.mark.parametrize("share, size", [(1e-6, 3), (1e-9, 2)])
def test_components_of_little_variance_are_rounding(share, size):
    """Of variances 1, 0.001 and a share: below 2e-8 of the largest there is no direction."""
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.standard_normal((100, 20)) - 1)[0]
    U = np.linalg.qr(U - U.mean(0))[0][:, :3] * np.sqrt([1, 1e-3, share])
    X = 1000 * U @ np.linalg.qr(rng.standard_normal((20, 20)))[0][:3]
    assert dr.ordering("pca", dr.SufficientStatistics.from_features(X)).size == size


def test_components_of_few_images_and_none():
    X = np.random.default_rng(0).standard_normal((9, 20)).astype("float32")
    assert dr.ordering("pca", dr.SufficientStatistics.from_features(X)).size == 8
    assert dr.ordering("pca", dr.SufficientStatistics.from_features(X[:2])).size == 1
    with pytest.raises(dr.InputError, match="no principal components: every neuron is constant"):
        dr.ordering("pca", dr.SufficientStatistics.from_features(np.ones((5, 3))))


@pytest.mark.parametrize("selection", ["random", "pca"])
def test_matrices_keep_their_type_and_are_permuted_in_parts(layer, selection, monkeypatch):
    X = torch.from_numpy(layer[0])
    s = dr.SufficientStatistics.from_features(X)
    one = dr.ordering(selection, s, 2)
    Q = torch.eye(60).double()[:, one.order] if one.directions is None else one.directions
    monkeypatch.setattr(selections, "_ROWS", 7)
    assert torch.allclose(one.gram(s.gram), Q.T @ s.gram @ Q, rtol=1e-9)
    assert torch.allclose(one.rows(X.T.float()), (Q.T @ X.T).float(), atol=1e-4)
    assert torch.allclose(one.columns(X.float()), (X @ Q).float(), atol=1e-4)


def test_components_against_torch(layer):
    X = torch.from_numpy(layer[0])
    s = dr.SufficientStatistics.from_features(X)
    _, _, V = torch.pca_lowrank(X, q=60, center=True)
    overlap = (dr.ordering("pca", s).directions[:, :5] * V[:, :5]).sum(0).abs()
    assert torch.allclose(overlap, torch.ones(5, dtype=torch.float64), atol=1e-8)


def test_sizes_are_the_authors():
    assert dr.sizes_of(dr.PAPER_FRACTIONS, 512) == [1, 2, 5, 25, 51, 102, 153, 256, 409, 460, 512]
    assert dr.sizes_of([0.5, 0.1], 10, most=4) == [1]
    assert dr.sizes_of([0.5, 0.1], 10, most=5) == [1, 5]


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, float("nan"), "a", True])
def test_fraction_out_of_range(fraction):
    with pytest.raises(dr.InputError, match="^fraction is.* above 0 and at most 1"):
        dr.sizes_of([0.5, fraction], 100)


def test_errors(layer):
    s = dr.SufficientStatistics.from_features(layer[0])
    with pytest.raises(dr.InputError, match="unknown selection 'radnom': did you mean 'random'"):
        dr.ordering("radnom", s)
    with pytest.raises(dr.InputError, match="seed is -1"):
        dr.ordering("random", s, -1)
    with pytest.raises(dr.InputError, match=r"k is 61: it must be 1 to 60 \(nearest: 60\)"):
        dr.ordering("first", s).columns(torch.ones(2, 60), 61)


@pytest.mark.parametrize("selection", dr.SELECTIONS)
def test_the_first_of_an_ordering(layer, selection):
    """What is measured with an ordering that ends early is the beginning of what is measured with
    all of it.
    """
    X, y = layer
    s = dr.SufficientStatistics.from_features(X, y)
    orders = dr.orderings(selection, s, [1, 2])
    few = min(17, orders[0].size)
    short = [order.first(few) for order in orders]
    assert short[0].size == few
    whole, part = (dr.cka_curve(s, some).values for some in (orders, short))
    assert np.allclose(part, whole[:, :few], atol=1e-12)
    probe = dr.RidgeProbe(dr.Features(X, y, X, y), penalty=0.1, statistics=s)
    whole, part = (probe.curve(some).values for some in (orders, short))
    assert np.array_equal(part, whole[:, :few])
    assert short[0].first(1).size == 1
    with pytest.raises(dr.InputError, match=f"k is {few + 1}: it must be 1 to {few}"):
        short[0].first(few + 1)
