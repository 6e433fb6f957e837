"""The audit of reports: that it is independent, and that it notices."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import plain_fairness as plain
import pytest
import torch
from audit_tools import Audit, Spread, rounding
from conftest import ROOT
from plain_layer import PlainLayer, band_of, first_reaching, folds_of, orders, permutation, sizes_of

PARTS = sorted((ROOT / "tests").glob("audit*.py")) + sorted((ROOT / "tests").glob("plain_*.py"))


def test_it_imports_names_images_and_features_only():
    imported = set()
    for part in PARTS:
        text = part.read_text()
        imported |= set(re.findall(r"^\s*(?:from|import) (diffused_redundancy[\w.]*)", text, re.M))
        assert not re.search(r"(?:from|import) (?:conftest|made_up|curves)\b", text)
        assert "importlib" not in text and "__import__" not in text
    assert imported == {
        "diffused_redundancy.nets.extraction",
        "diffused_redundancy.nets.names",
        "diffused_redundancy.tasks",
    }


@pytest.mark.parametrize("value", [0.123456, 12.3456, 1e-5, 0.0])
def test_printed_digits_and_no_more_are_allowed(value):
    for units, failed in ((0.4, 0), (0.9, int(value > 0))):
        one, last = Audit(), 10 ** (np.floor(np.log10(value or 1)) - 5)
        one.numbers("t", "x", value, value + units * last * (value > 0))
        (line,) = one.lines.values()
        assert line.failed == failed
    assert rounding(np.array([0.5]))[0] == pytest.approx(5e-7, rel=1e-3)


def test_nan_must_be_nan_and_words_must_agree(capsys):
    one = Audit()
    one.numbers("t", "both", np.nan, np.nan)
    assert one.report() == 0
    one.numbers("t", "one", np.nan, 0.5)
    one.words("t", "words", "a", "b", "there")
    assert one.report() == 1
    said = capsys.readouterr().out
    assert "printed nan, recomputed 0.5" in said and "printed a, recomputed b" in said


def layer(seed: int = 0, n: int = 80, d: int = 12) -> PlainLayer:
    rng = np.random.default_rng(seed)
    y, z = np.arange(n) % 3, np.arange(60) % 3
    centres = rng.standard_normal((3, d))
    X, T = (rng.standard_normal((len(one), d)) + centres[one] for one in (y, z))
    return PlainLayer(X, y, T, z)


def test_draws_are_the_authors_whatever_other_threads_draw():
    """With a generator that all threads share, some orders would be another seed's."""
    seeds = list(range(200))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda seed: permutation(512, seed), seeds))
        projections = pool.map(lambda seed: layer().directions("gaussian_projection", seed), [1, 1])
    for seed, order in zip(seeds, found, strict=True):
        torch.manual_seed(seed)
        assert np.array_equal(order, torch.randperm(512).numpy())
    assert np.array_equal(*projections)


def test_leave_one_out_is_what_it_says():
    one = layer()
    choice = one.ridge_choice([0.1])
    right = []
    for i in range(one.n):
        kept = np.arange(one.n) != i
        X, Y = one.X[kept], one.Y[kept]
        Xc, Yc = X - X.mean(0), Y - Y.mean(0)
        W = np.linalg.solve(Xc.T @ Xc + one.alpha(0.1) * np.eye(one.d), Xc.T @ Yc)
        right.append(((one.X[i] - X.mean(0)) @ W + Y.mean(0)).argmax() == one.y[i])
    assert choice.accuracy[0] == pytest.approx(np.mean(right))


def test_slices_solves_and_kernels_agree_with_feature_space():
    import plain as of_features

    one, sizes = layer(), [1, 5, 12]
    for k, biased, unbiased in zip(
        sizes, one.cka("random", 1, sizes), one.debiased(1, sizes), strict=True
    ):
        A = one.kept(one.X, "random", 1, k)
        assert biased == pytest.approx(of_features.cka(A, one.X))
        assert unbiased == pytest.approx(of_features.debiased_cka(A, one.X))
    for selection in ("random", "pca", "gaussian_projection"):
        for k, right in zip(sizes, one.right(0.1, selection, 1, sizes), strict=True):
            assert (right == one.sklearn_right(0.1, selection, 1, k)).all()


def test_folds_orders_and_bands():
    y = np.arange(31) % 3
    fold = folds_of(y, 5)
    assert set(fold) == set(range(5)) and np.ptp(np.bincount(fold)) <= 1
    assert (folds_of(np.tile(y, 2), 5, views=2).reshape(2, -1) == fold).all()
    assert orders([7, 2], 4) == [7, 2, 1, 3] and sizes_of([0.001, 0.2, 1], 512) == [1, 102, 512]
    assert band_of([1.0, 2, 3, 4, 5, 6, 7], 2.0)[0] == 1 and 2.0 in band_of([1.0, 2, 3, 4, 5, 6], 2)
    assert first_reaching(np.array([0.1, 0.5]), 0.5, [3, 9]) == 9
    assert first_reaching(np.array([0.1, 0.5]), 0.6, [3, 9]) is None


def test_the_gini_index_and_the_deviation_of_a_mean():
    assert plain.gini(np.array([[0.0, 1.0], [0.5, 0.5]])).tolist() == [0.5, 0.0]
    rng = np.random.default_rng(0)
    means = []
    for _ in range(300):
        block = rng.normal(size=(6, 1)) + rng.normal(size=(1, 9)) + rng.normal(size=(6, 9))
        means.append((block.mean(), plain.crossed_deviation([block]) ** 2))
    of_means, estimates = np.array(means).T
    assert np.mean(estimates) == pytest.approx(of_means.var(ddof=1), rel=0.25)


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    values = 1 - np.exp(-np.arange(1, 101) / rng.uniform(8, 16, (50, 1)))
    by_image = rng.normal(0, 0.2, (60, 1)) * np.ones(100)
    one = Spread(values, by_image, 1.0, None, np.arange(1, 101), 100)
    assert 0.88 < one.coverage(0.9, 10, rng, 100) <= 1


def test_ties_of_the_whole_layer_are_told():
    one = layer()
    scores = np.full((one.m, one.classes), -1.0)
    scores[:, 0] = 1.0
    scores[:7, 1] = 1.0 - 1e-6
    one.whole_scores = lambda penalty: scores
    assert one.whole_ties(0.1) == 7 / one.m


def test_components_end_where_the_rank_does():
    one = layer(n=8, d=12)
    assert one.most("random") == 12 and one.most("pca") == one.most("pca_least") == 7
