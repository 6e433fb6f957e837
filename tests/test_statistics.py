"""Sufficient statistics: right, streaming, mergeable, and hard to upset by scale, shift or
precision.
"""

from __future__ import annotations

import itertools

import diffused_redundancy as dr
import numpy as np
import plain
import pytest
import torch
from conftest import make_layer
from diffused_redundancy.measures import accumulation as sums
from diffused_redundancy.measures import statistics, tiles
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info


def relative(a: torch.Tensor, b: np.ndarray) -> float:
    return float(np.abs(a.cpu().numpy() - b).max() / np.abs(b).max())


def test_against_plain_products(layer):
    X, y = layer
    s = dr.SufficientStatistics.from_features(X, y, debiased=True)
    Xc, Y = plain.centred(X), np.eye(5)[y]
    assert s.n == len(X)
    assert relative(s.mean, X.mean(0)) < 1e-14
    assert relative(s.gram, Xc.T @ Xc) < 1e-13
    assert relative(s.class_sums, Xc.T @ Y) < 1e-12
    assert np.array_equal(s.class_counts.numpy(), Y.sum(0))
    assert relative(s.fourth, (Xc**2).T @ Xc**2) < 1e-13


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 399), max_size=5, unique=True), debiased=st.booleans())
def test_shards_of_any_size_merge_to_the_whole(cuts, debiased):
    X, y = make_layer()
    X = X + np.arange(len(X))[:, None] / 50  # shards with different means
    whole = dr.SufficientStatistics.from_features(X, y, debiased=debiased)
    edges = [0, *sorted(cuts), len(X)]
    merged = dr.SufficientStatistics(60, 5, debiased=debiased)
    streamed = dr.SufficientStatistics(60, 5, debiased=debiased)
    for start, stop in itertools.pairwise(edges):
        part = dr.SufficientStatistics.from_features(
            X[start:stop], y[start:stop], num_classes=5, debiased=debiased
        )
        merged = merged + part
        streamed.update(X[start:stop], y[start:stop])
    for other in (merged, streamed):
        assert other.n == whole.n
        assert relative(other.gram, whole.gram.numpy()) < 1e-12
        assert relative(other.class_sums, whole.class_sums.numpy()) < 1e-11
        if debiased:
            assert relative(other.fourth, whole.fourth.numpy()) < 1e-11


def test_blocks_within_one_update(layer, monkeypatch):
    X, y = layer
    whole = dr.SufficientStatistics.from_features(X, y)
    monkeypatch.setattr(sums, "BLOCK_ROWS", 7)
    pieces = dr.SufficientStatistics.from_features(X, y)
    assert relative(pieces.gram, whole.gram.numpy()) < 1e-13


@pytest.mark.parametrize("d", [1, 300, 513])
@pytest.mark.parametrize("scale", [1.0, 1e-30])
def test_layers_of_all_widths_and_scales(d, scale):
    X, y = make_layer(n=120, d=d)
    s = dr.SufficientStatistics.from_features(scale * X, y, debiased=True)
    Xc = scale * plain.centred(X)
    assert relative(s.gram, Xc.T @ Xc) < 1e-13
    assert relative(s.fourth, (Xc**2).T @ Xc**2) < 1e-13
    assert relative(s.class_sums, Xc.T @ np.eye(5)[y]) < 1e-12


def test_parts_of_several_types_keep_the_digits_of_each():
    whole = np.random.default_rng(0).integers(-8, 8, (50, 6)).astype(float)  # exact in float32
    rest = np.random.default_rng(1).standard_normal((20, 6))
    s = dr.SufficientStatistics(6, centre=torch.zeros(6, dtype=torch.float64))
    s.update(whole.astype("float32")).update(rest)
    s.update(np.concatenate([whole, whole]).astype("float32"))  # more rows than before
    Xc = plain.centred(np.concatenate([whole, rest, whole, whole]))
    assert relative(s.gram, Xc.T @ Xc) < 1e-12


@pytest.mark.parametrize("debiased", [False, True])
@pytest.mark.parametrize("change", ["scaled", "columns", "among_classes"])
def test_what_is_made_of_statistics_is_that_of_the_features(change, debiased):
    X, y = make_layer(d=20)
    X = X + np.arange(len(X))[:, None] / 50  # parts with different means
    scale, kept, places = np.geomspace(0.5, 4, 20), [7, 2, 11], np.array([4, 0, 6, 1, 2])
    how = {"scaled": torch.from_numpy(scale), "columns": kept, "among_classes": places}
    more = (7,) if change == "among_classes" else ()
    parts = [
        getattr(
            dr.SufficientStatistics.from_features(
                X[rows], y[rows], num_classes=5, debiased=debiased
            ),
            change,
        )(how[change], *more)
        for rows in (slice(0, 150), slice(150, 400))
    ]
    found = parts[0] + parts[1]
    expected = {"scaled": X * scale, "columns": X[:, kept], "among_classes": X}[change]
    Y = np.eye(7)[places[y]] if more else np.eye(5)[y]
    Xc = plain.centred(expected)
    assert (found.n, found.d, found.num_classes) == (400, Xc.shape[1], Y.shape[1])
    assert relative(found.mean, expected.mean(0)) < 1e-13
    assert relative(found.gram, Xc.T @ Xc) < 1e-12
    assert relative(found.class_sums, Xc.T @ Y) < 1e-11
    assert found.class_counts.tolist() == Y.sum(0).tolist()
    assert relative(found.right_hand_side()[1], Y.mean(0)) < 1e-14
    if debiased:
        assert relative(found.fourth, (Xc**2).T @ Xc**2) < 1e-11


@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e25])
def test_variances_and_their_units(layer, scale):
    X = layer[0].copy()
    X[:, 3] = 2.0
    s = dr.SufficientStatistics.from_features(scale * X)
    C = np.cov(X.T, bias=True)
    assert s.mean_variance == pytest.approx(scale**2 * np.trace(C) / 60)
    found = s.relative_gram(torch.ones(1, dtype=torch.float32))
    assert found.dtype == torch.float32 and relative(found, C * 60 / np.trace(C)) < 1e-6
    deviation = np.where(np.arange(60) == 3, 1, scale * X.std(0))
    assert (s.unit_scale() * deviation).numpy() == pytest.approx(1)
    correlations = C / np.outer(deviation, deviation) * scale**2
    assert s.standardized().gram.numpy() / 400 == pytest.approx(correlations, abs=1e-12)


@pytest.mark.parametrize("below, share", [(-1, 0), (0.05, 0.1), (0.5, 1), (5, 10), (50, 100)])
def test_what_rounding_made_indefinite_has_a_factor(below, share):
    """Of a matrix whose least eigenvalues are so many times the rounding of float32 below 0: as
    little is added as lets it have one.
    """
    A = torch.from_numpy(np.random.default_rng(0).standard_normal((30, 10)))
    matrix = A @ A.T
    rounding = torch.finfo(torch.float32).eps * torch.linalg.norm(matrix)
    matrix = matrix - below * rounding * torch.eye(30)
    factor = statistics.cholesky(matrix)
    assert torch.equal(factor, factor.tril())
    added = (factor @ factor.T - matrix) / rounding
    assert added.numpy() == pytest.approx(share * np.eye(30), rel=1e-3, abs=1e-4)


def test_what_is_indefinite_has_no_factor():
    with pytest.raises(torch.linalg.LinAlgError):
        statistics.cholesky(torch.diag(torch.tensor([1.0, -1e-3]).double()))


def test_lazy_rows_are_read_in_slices(layer):
    X, y = layer

    class Rows:
        shape, dtype = X.shape, X.dtype

        def __len__(self):
            return len(X)

        def __getitem__(self, rows):
            assert isinstance(rows, slice)
            return X[rows]

    assert torch.equal(
        dr.SufficientStatistics.from_features(Rows(), y).gram,
        dr.SufficientStatistics.from_features(X, y).gram,
    )


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e3, 1e15])
@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_scale_and_shift_change_no_curve(scale, shift):
    X, _ = make_layer(dtype="float32")
    reference = dr.SufficientStatistics.from_features(X)
    moved = dr.SufficientStatistics.from_features(
        (X * np.float32(scale)) + np.float32(shift * scale)
    )
    order = dr.ordering("random", reference, 1)
    curves = [dr.cka_curve(one, order).values for one in (reference, moved)]
    assert np.abs(curves[0] - curves[1]).max() < 1e-6


@pytest.mark.parametrize("scale", [1e-55, 1e55])
def test_extreme_scales_of_float64(layer, scale):
    X, _ = layer
    curves = []
    for x in (X, X * scale):
        s = dr.SufficientStatistics.from_features(x, debiased=True)
        curves.append(
            [
                dr.cka_curve(s, dr.ordering("random", s, 1), debiased=debiased).values
                for debiased in (False, True)
            ]
        )
    assert np.allclose(*curves, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-70, 1e70, 1e160, 1e300])
def test_scales_that_leave_float64_are_refused(layer, scale):
    with pytest.raises(dr.InputError, match="features vary by about 2\\^"):
        dr.SufficientStatistics.from_features(layer[0] * scale)


def test_differences_that_leave_float32_are_refused():
    X = np.array([[3e38], [-3e38], [-3e38]], dtype="float32")
    with pytest.raises(dr.InputError, match="vary by more than their type can hold: scale"):
        dr.SufficientStatistics.from_features(X)


def test_a_large_mean_costs_no_digits():
    X, _ = make_layer(dtype="float32")
    exact = np.round(X * 64) / 64  # so that adding the mean rounds nothing away
    shifted = (exact + 4096).astype(np.float32)
    a, b = (dr.SufficientStatistics.from_features(x) for x in (exact, shifted))
    assert relative(b.gram, a.gram.numpy()) < 5e-6
    assert relative(b.mean, shifted.astype(float).mean(0)) < 1e-10


@pytest.mark.parametrize(
    "dtype, tolerance",
    [("float16", 2e-6), ("bfloat16", 2e-6), ("float32", 2e-6), ("float64", 1e-13)],
)
def test_every_float_type(dtype, tolerance):
    X, _ = make_layer()
    tensor = torch.from_numpy(X).to(getattr(torch, dtype))
    exact = plain.centred(tensor.double().numpy())
    assert relative(dr.SufficientStatistics.from_features(tensor).gram, exact.T @ exact) < tolerance


def test_a_chip_without_float64_gives_the_same(layer, monkeypatch):
    """What MPS does: products and column sums in float32, sums of blocks in float64 on the CPU."""
    X, y = layer
    for module in (statistics, sums):
        monkeypatch.setattr(module, "on_device", lambda block, device: block.float())
    monkeypatch.setattr(sums, "column_sums", lambda block, home: block.float().sum(0).double())
    rough = dr.SufficientStatistics.from_features(X, y)
    Xc = plain.centred(X)
    assert relative(rough.gram, Xc.T @ Xc) < 3e-6
    assert relative(rough.class_sums, Xc.T @ np.eye(5)[y]) < 1e-5


def test_memory_order_and_views_do_not_matter(layer):
    X, _ = layer
    expected = dr.SufficientStatistics.from_features(X[::-1].copy()).gram
    read_only = X[::-1].copy()
    read_only.setflags(write=False)
    for view in (X[::-1], np.asfortranarray(X[::-1]), read_only):
        assert relative(dr.SufficientStatistics.from_features(view).gram, expected.numpy()) < 1e-13


def test_constant_neurons_are_found(layer):
    X, _ = layer
    X = X.copy()
    X[:, [3, 17]] = [0.1, 1234.5678]
    assert dr.SufficientStatistics.from_features(X).constant.tolist() == [3, 17]
    assert dr.SufficientStatistics.from_features(X.astype("float32")).constant.tolist() == [3, 17]


@pytest.mark.parametrize(
    "X, y, words",
    [
        (np.ones((4, 3), dtype=int), None, "X holds int64: features must be float16"),
        (np.array([["a"]]), None, "features must be"),
        (np.ones(4), None, "two-dimensional"),
        (np.ones((0, 3)), None, "at least one image"),
        (np.array([[1.0, np.nan]]), None, r"X\[0, 1\] is nan"),
        (np.array([[1.0, 2.0], [np.inf, 2.0]]), None, r"X\[1, 0\] is inf"),
        (np.ones((4, 3)), np.array([0, 1, 0]), "one label for each of the 4 images"),
        (np.ones((4, 3)), np.array([0, 1, 0, -1]), "y holds -1"),
        (np.ones((4, 3)), np.array([0.0, 1, 0, 1]), "whole numbers"),
    ],
)
def test_bad_features_and_labels(X, y, words):
    with pytest.raises(dr.InputError, match=words):
        dr.SufficientStatistics.from_features(X, y)


@pytest.mark.parametrize("rows", [4000, 90])
def test_a_bad_block_adds_nothing(layer, rows, monkeypatch):
    for module in (statistics, sums):
        monkeypatch.setattr(module, "BLOCK_ROWS", rows)
    X, y = layer
    s = dr.SufficientStatistics.from_features(X, y)
    before = dr.SufficientStatistics.from_features(X, y).gram
    bad = X.copy()
    bad[200, 3] = np.nan
    with pytest.raises(dr.InputError, match=r"X\[600, 3\] is nan"):
        s.update(bad, y)
    assert s.n == 400 and torch.equal(s.gram, before)
    assert s.class_counts.sum() == 400
    with pytest.raises(dr.InputError, match="holds 5: with 5 classes"):
        s.update(X[:1], np.array([5]))
    with pytest.raises(dr.InputError, match="X has 10 neurons: these statistics are of 60"):
        s.update(X[:, :10], y)
    with pytest.raises(dr.InputError, match="y is missing"):
        s.update(X)
    with pytest.raises(dr.InputError, match="made without num_classes"):
        dr.SufficientStatistics(60).update(X, y)
    with pytest.raises(dr.InputError, match="the ridge probe needs labels"):
        dr.SufficientStatistics(60).right_hand_side()


@pytest.mark.parametrize("last, classes", [(1049, 1050), (1050, None)])
def test_labels_far_beyond_the_images_are_no_indices(last, classes):
    X, y = make_layer(n=5)[0], np.array([0, 1, 2, 3, last])
    if classes:
        assert dr.SufficientStatistics.from_features(X, y).num_classes == classes
        return
    with pytest.raises(dr.InputError, match="5 images go up to 1050: number the classes from 0"):
        dr.SufficientStatistics.from_features(X, y)


def test_labels_that_int64_cannot_hold(layer):
    X, y = layer
    assert dr.SufficientStatistics.from_features(X, y.astype("uint64")).num_classes == 5
    with pytest.raises(dr.InputError, match="y holds 9223372036854775808: labels must fit"):
        dr.SufficientStatistics.from_features(X[:2], np.array([0, 2**63], dtype="uint64"))


@pytest.mark.parametrize(
    "other", [{"d": 4}, {"d": 3, "num_classes": 2}, {"d": 3, "debiased": True}]
)
def test_only_like_statistics_merge(other):
    with pytest.raises(dr.InputError, match="cannot join ones of 3, None, debiased=False"):
        dr.SufficientStatistics(3) + dr.SufficientStatistics(**other)


def test_merging_with_none_changes_nothing_and_neither_is_changed(layer):
    X, y = layer
    one, none = dr.SufficientStatistics.from_features(X, y), dr.SufficientStatistics(60, 5)
    before = one.gram.clone()
    for both in (one + none, none + one, none + none + one):
        assert both.n == 400 and torch.equal(both.gram, before)
        assert torch.equal(both.class_counts, one.class_counts)
    twice = one + one
    assert (twice.n, one.n, none.n) == (800, 400, 0) and torch.equal(one.gram, before)


def test_unknown_device():
    with pytest.raises(dr.InputError, match="did you mean 'cuda'"):
        dr.SufficientStatistics(3, device="cude")


def test_the_diagonal_of_float32_features_is_summed_in_float64():
    """Variances of 4,000 images: their errors would otherwise show in CKA of few neurons."""
    X = np.maximum(np.random.default_rng(0).standard_normal((4_000, 300)), 0).astype(np.float32)
    s = dr.SufficientStatistics.from_features(X, device="cpu")
    exact = (plain.centred(X) ** 2).sum(0)
    assert float(np.abs(s.gram.diagonal().numpy() / exact - 1).max()) < 3e-7


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize(("n", "d"), [(1, 1), (37, 5), (1100, 130), (1500, 1100)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tiles_are_those_of_the_whole_product(n, d, dtype, threads):
    """Whatever part of rows and columns each thread has, nothing is left out or counted twice."""
    X = np.random.default_rng(0).normal(3, 1, (n, d)).astype(dtype)
    about = np.full(d, 3, dtype)
    exact = X.astype(float) - 3
    work = torch.empty(n, d, dtype=getattr(torch, dtype))
    total, squared = tiles.centre(torch.from_numpy(X), torch.from_numpy(about), work)
    limit = 1e-13 if dtype == "float64" else 3e-7
    assert np.abs(work.numpy() - exact).max() < 10 * limit
    assert np.allclose(total, exact.sum(0), rtol=0, atol=limit * n) and np.allclose(
        squared, (exact**2).sum(0), rtol=limit
    )
    found = torch.ones(d, d, dtype=torch.float64)
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    tiles.add_upper(found, work, 4.0)
    above = np.triu_indices(d)
    assert np.abs((found.numpy() - 1 - 4 * exact.T @ exact)[above]).max() < 20 * limit * n
    assert [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"] == blas


def test_wide_layers_whose_squares_leave_their_type():
    """Without a warning, which is an error in tests."""
    X, _ = make_layer(n=60, d=1100, dtype="float32")
    s = dr.SufficientStatistics.from_features(X * np.float32(1e25))
    assert relative(s.gram / 1e50, plain.centred(X).T @ plain.centred(X)) < 3e-6
    X[1] = [np.inf, -np.inf] * 550
    with pytest.raises(dr.InputError, match=r"X\[1, 0\] is inf"):
        dr.SufficientStatistics.from_features(X)


def test_tiles_do_not_depend_on_the_threads():
    X, _ = make_layer(n=3000, d=1200, dtype="float32")
    grams = []
    for count in (1, 2, 5):
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            grams.append(dr.SufficientStatistics.from_features(X).gram)
        finally:
            torch.set_num_threads(before)
    assert torch.equal(grams[1], grams[0]) and torch.equal(grams[2], grams[0])
