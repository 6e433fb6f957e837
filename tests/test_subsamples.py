"""Subsamples of train images, and probes on them, against scikit-learn on the same images."""

from __future__ import annotations

from dataclasses import replace

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import make_layer
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.experiment.subsamples import (
    KINDS,
    Sampled,
    all_sampled,
    clear_of_guessing,
    data_curves,
    sampled,
    stratified_order,
    subsample_sizes,
)
from diffused_redundancy.measures.features import Features
from diffused_redundancy.measures.selections import random_order
from diffused_redundancy.probes.ridge import ridge_alpha
from sklearn.linear_model import LogisticRegression, RidgeClassifier


@pytest.fixture(scope="module")
def features() -> Features:
    X, y = make_layer(n=650, d=40)
    return Features(X[:400], y[:400], X[400:], y[400:])


def test_beginnings_have_the_classes_in_proportion():
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [300, 90, 10]))
    order = stratified_order(labels, 1)
    assert sorted(order.tolist()) == list(range(400))
    assert set(labels[order[:3]].tolist()) == {0, 1, 2}
    for n in (40, 133, 250):
        counts = np.bincount(labels[order[:n]])
        assert np.abs(counts - n * np.array([300, 90, 10]) / 400).max() <= 1.5
    assert np.array_equal(order, stratified_order(labels, 1))
    assert not np.array_equal(order, stratified_order(labels, 2))


def test_no_image_of_a_class_comes_first_more_often():
    labels = np.repeat([0, 1], 10)
    firsts = [stratified_order(labels, seed)[:2] for seed in range(2000)]
    counts = np.bincount(np.concatenate(firsts), minlength=20)
    assert counts.min() > 140 and counts.max() < 260  # 200 each, SD 14


def test_numbers_of_images():
    assert subsample_sizes(3000, 75)[0] == 188 and subsample_sizes(3000, 75)[-1] == 3000
    assert subsample_sizes(1297, 10, steps=0.5) == [324, 1297]
    assert {750, 1500} <= set(subsample_sizes(3000, 10))
    with pytest.raises(dr.InputError, match="images is 0"):
        subsample_sizes(0, 10)


def test_some_images_of_features(features):
    two = Features(
        np.concatenate([features.X_train, features.X_train + 1]),
        np.tile(features.y_train, 2),
        features.X_test,
        features.y_test,
        views=2,
    )
    some = two.images(np.array([7, 3]))
    assert np.array_equal(some.X_train, two.X_train[[7, 3, 407, 403]]) and some.views == 2
    assert np.array_equal(some.y_train, two.y_train[[7, 3, 407, 403]])
    assert some.X_test is two.X_test
    assert Features(features.X_train).images(np.array([3])).y_train is None
    for places in ([3, 3], [400], [-1]):
        with pytest.raises(dr.InputError, match="distinct, 0 to 399"):
            two.images(np.array(places))


def test_some_neurons_of_features():
    X, X_test = np.arange(12.0).reshape(4, 3), -np.arange(6.0).reshape(2, 3)
    one = Features(X, [0, 1, 0, 1], X_test, [2, 0], classes=("a", "b", "c"), views=2)
    some = one.columns(np.array([True, False, True]))
    assert some.X_train.tolist() == X[:, [0, 2]].tolist() and some.d == 2
    assert some.X_test.tolist() == X_test[:, [0, 2]].tolist() and some.X_train.flags.c_contiguous
    assert (some.y_train, some.y_test) == (one.y_train, one.y_test)
    assert (some.classes, some.views) == (("a", "b", "c"), 2)
    assert Features(X).columns(np.array([2])).X_test is None


def test_what_features_are_known_by():
    X, y = np.zeros((6, 2)), [0, 1, 0, 0, 1, 0]
    two = Features(X, y, X, [0, 1, 2, 0, 0, 3], views=3)
    assert (two.num_classes, Features(X, y).num_classes, Features(X).num_classes) == (4, 2, None)
    assert two.groups.tolist() == [0, 1, 0, 1, 0, 1] and Features(X, y).groups is None
    assert two.check_labelled() is two
    for parts in ((X,), (X, y), (X, y, X), (X, None, X, y)):
        assert not Features(*parts).labelled
        with pytest.raises(dr.InputError, match="^a probe needs labels and a test part: give y_t"):
            Features(*parts).check_labelled()
    for name, parts in (("y_train", ([0.5], X, y)), ("y_test", (y, X, [0.5]))):
        with pytest.raises(dr.InputError, match=f"^{name} "):
            _ = Features(X, *parts).num_classes


def test_ridge_probes_are_scikit_learns(features):
    layer = ProbedLayer(lambda: features, device="cpu")
    (small, *_, whole) = sampled(layer, "ridge", [1, 2])
    assert (small.images, whole.images) == (100, 400)
    penalty = whole.penalty
    for row, seed in enumerate((1, 2)):  # all images: draws differ in the neurons
        alone = layer.ridge("random", [seed], penalty=penalty)
        assert whole.curve.values[row] == pytest.approx(alone.values[0])
    assert penalty == layer.ridge_penalty.penalty
    for row, seed in enumerate((1, 2)):
        chosen = stratified_order(np.asarray(features.y_train), seed)[:100]
        X, y = features.X_train[chosen], features.y_train[chosen]
        statistics = dr.SufficientStatistics.from_features(X, y, device="cpu")
        alpha = ridge_alpha(statistics, small.penalty)
        if row == 0:  # it chooses, among all half decades
            own = dr.RidgeProbe(features.images(chosen)).choice
            assert own.loss[own.grid.index(small.penalty)] <= 1.001 * min(own.loss)
        order = random_order(40, seed).numpy()
        for k in (8, 40):
            theirs = RidgeClassifier(alpha=alpha).fit(X[:, order[:k]], y)
            expected = theirs.score(features.X_test[:, order[:k]], features.y_test)
            assert small.curve.values[row, k - 1] == pytest.approx(expected, abs=0.005)
        assert small.full[row] == small.curve.values[row, -1]


def test_logistic_probes_are_scikit_learns(features):
    layer = ProbedLayer(lambda: features, device="cpu")
    found = sampled(layer, "logistic", [1], fractions=[0.2], steps=0.5, penalty=0.03)
    assert [one.images for one in found] == [100, 400]
    chosen = stratified_order(np.asarray(features.y_train), 1)[:100]
    X, y = features.X_train[chosen], features.y_train[chosen]
    order = random_order(40, 1).numpy()[:8]
    # the penalty is per image, in units of the mean variance of the neurons
    strength = 0.03 * X.var(0).mean() * len(X)
    theirs = LogisticRegression(C=1 / strength, tol=1e-8, max_iter=5000)
    theirs.fit(X[:, order] - X[:, order].mean(0), y)
    expected = theirs.score(features.X_test[:, order] - X[:, order].mean(0), features.y_test)
    assert found[0].curve.at(8)[0] == pytest.approx(expected, abs=0.005)
    assert found[0].penalty == 0.03


def test_penalties_are_of_half_decades_and_grow_from_the_larger_subsample(features):
    layer = ProbedLayer(lambda: features, device="cpu")
    small, whole = sampled(layer, "logistic", [1, 2], fractions=[0.2], steps=0.5)
    halves = [float(f"{10 ** (step / 2):.3g}") for step in range(-24, 13)]
    assert small.penalty in halves and whole.penalty in halves
    ratio = whole.penalty / layer.logistic_penalty.penalty
    assert ratio == pytest.approx(1) or ratio == pytest.approx(10**0.5, rel=0.01)
    alone = sampled(layer, "logistic", [1], fractions=[0.2], steps=0.5)[
        0
    ]  # the first draw chooses for all
    assert alone.penalty == small.penalty
    assert np.array_equal(alone.curve.values[0], small.curve.values[0])


def test_the_largest_numbers_of_images_may_do(features):
    layer = ProbedLayer(lambda: features, device="cpu")
    every = sampled(layer, "ridge", [1], penalty=0.03)
    some = sampled(layer, "ridge", [1], most=2, penalty=0.03)
    assert [one.images for one in some] == [one.images for one in every][-2:]
    assert np.array_equal(some[0].curve.values, every[-2].curve.values)


def test_a_grid_is_extended_only_if_asked(features):
    for kind in (dr.RidgeProbe, dr.LogisticProbe):
        probe = kind(features, device="cpu")
        best = probe.choice.penalty
        far = tuple(float(f"{best * factor:.3g}") for factor in (1e3, 1e4))
        assert probe.choose_penalty(far).grid == far
        extended = probe.choose_penalty(far, extend=True)
        assert min(extended.grid) < min(far) and extended.penalty < min(far)
        assert kind(features, device="cpu").choose_penalty(extend=False).grid == probe.choice.grid


def test_each_subsample_is_cached_once(features, tmp_path):
    loads = []

    def load():
        loads.append(1)
        return features

    def run():
        cache = dr.Cache(tmp_path)
        layer = ProbedLayer(load, key={"name": "x"}, cache=cache, device="cpu")
        return sampled(layer, "ridge", [1, 2]), cache

    first, cache = run()
    again, cached = run()
    assert cache.misses > 10 and cached.misses == 0
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.curve.values, other.curve.values)


def test_without_fractions_logistic_probes_have_every_size(features):
    layer = ProbedLayer(lambda: features, device="cpu")
    small, whole = sampled(layer, "logistic", [1, 2], steps=0.5, most=2, penalty=0.03)
    for one in (small, whole):
        assert one.curve.sizes.tolist() == list(range(1, 41))
    some = sampled(layer, "logistic", [1, 2], fractions=[0.1, 0.5], steps=0.5, penalty=0.03)
    for k in (4, 8, 20):
        for every, few in zip((small, whole), some, strict=True):
            assert np.allclose(every.curve.at(k), few.curve.at(k), atol=1e-9)
    ks = whole.curve.sizes
    first = ks[(whole.curve.values.mean(0) >= 0.9 * whole.curve.full).argmax()]
    assert data_curves([small, whole], 0.9)["DR"].values[-1] == pytest.approx(1 - first / 40)


@pytest.mark.slow
def test_all_kinds_of_probes(features):
    found = all_sampled({"a": ProbedLayer(lambda: features, device="cpu")}, [1, 2])
    assert [kind for _, kind in found] == list(KINDS)
    ridge, logistic, fixed = found.values()
    assert len(ridge) == 5 and len(logistic) == 3 and len(fixed) == 2
    assert [one.images for one in logistic] == [100, 200, 400]
    assert len({one.penalty for one in fixed}) == 1
    assert [len(one.full) for one in ridge] == [2] * 5
    assert np.array_equal(fixed[-1].curve.values, logistic[-1].curve.values)


def test_bad_input(features):
    layer = ProbedLayer(lambda: features, device="cpu")
    with pytest.raises(dr.InputError, match="at least one seed"):
        sampled(layer, "ridge", [])
    with pytest.raises(dr.InputError, match="unknown probe 'rigde': did you mean 'ridge'"):
        sampled(layer, "rigde", [1])
    with pytest.raises(dr.InputError, match="needs labels"):
        sampled(ProbedLayer(lambda: Features(np.ones((5, 3)))), "ridge", [1])


def made(images: int, values: np.ndarray, full: np.ndarray, guessing: float = 0.1) -> Sampled:
    """Draws of accuracies (draws, 10) at every size of ten neurons."""
    by_images = values.mean(0) + np.linspace(-0.01, 0.01, 50)[:, None]
    curve = dr.Curve(
        "ridge_accuracy",
        "random",
        tuple(range(len(values))),
        range(1, 11),
        values,
        10,
        float(full.mean()),
        guessing=guessing,
        images=500,
        by_images=by_images,
        full_by_images=full.mean() + np.linspace(-0.01, 0.01, 50),
    )
    return Sampled(images, curve, full, 0.1)


def test_quantities_are_those_of_the_curves():
    rng = np.random.default_rng(0)
    samples = []
    for n in (100, 200, 400):
        values = np.sort(rng.uniform(0.3, 0.8, (4, 10)), axis=1)
        samples.append(made(n, values, values.mean(0)[-1] + np.array([0, 0.01, 0.02, 0.03])))
    fifths = np.array([one.curve.values[:, 1].mean() for one in samples])
    full = np.array([one.full.mean() for one in samples])
    found = data_curves(samples, 0.8)
    assert found["share"].values == pytest.approx(fifths / full)
    assert found["share above chance"].values == pytest.approx((fifths - 0.1) / (full - 0.1))
    redundancy = [one.curve.redundancy(0.8).value for one in samples]
    assert found["DR"].values == pytest.approx(redundancy)
    above = [one.curve.redundancy(0.8, chance_corrected=True).value for one in samples]
    assert found["DR above chance"].values == pytest.approx(above)
    one = found["share above chance"]
    assert one.limit == 1 and one.pool == 400 and one.complete and found["DR"].limit is None
    assert one.draws.mean(0) == pytest.approx(one.values, abs=0.02)
    rows = [(one.curve.values[:, 1] - 0.1) / (one.full - 0.1) for one in samples]
    assert one.rows == pytest.approx(np.array(rows).T)
    # all weight of a resample on the draws, and the same draws at all n; widened for four
    spread = np.array(rows).std(1, ddof=0) / 2
    assert one.draws.std(0) == pytest.approx(spread * 1.9, rel=0.3)
    assert np.isfinite(one.weights).all()


def test_full_and_fifth_are_resampled_together():
    """Test images that move both alike, in proportion above chance, leave the share alone."""
    values = np.tile(np.linspace(0.3, 0.6, 10), (3, 1))
    sample = made(400, values, np.full(3, 0.7))
    moves = 1 + np.linspace(-0.05, 0.05, 50)[:, None]
    by_images = 0.1 + (np.column_stack([values.mean(0)[None], [[0.7]]]) - 0.1) * moves
    moved = replace(
        sample,
        curve=replace(sample.curve, by_images=by_images[:, :-1], full_by_images=by_images[:, -1]),
    )
    found = data_curves([moved])
    assert np.ptp(found["share above chance"].draws) < 1e-9 < np.ptp(found["share"].draws)


@pytest.mark.parametrize(("spread", "told"), [(0.001, True), (0.02, False)])
def test_where_a_full_layer_may_be_guessing_nothing_is_shown(spread, told):
    """0.05 above a chance of 0.1, of which a quarter is 0.0125."""
    full = 0.15 + spread * np.array([-1, 0, 1])
    sample = made(100, np.full((3, 10), 0.14), full)
    sample = replace(sample, curve=replace(sample.curve, full_by_images=np.full(50, 0.15)))
    half = 4.303 / np.sqrt(3) * spread  # of Student's interval
    assert clear_of_guessing(sample) == told == (half < 0.0125)
    assert bool(data_curves([sample])) == told


def test_numbers_of_images_that_only_guess_are_left_out():
    values = np.full((3, 10), 0.5)
    guess = made(100, values, np.full(3, 0.5), guessing=0.5)
    good = [made(n, values, np.full(3, 0.6)) for n in (200, 400)]
    assert data_curves([guess, *good])["share"].images.tolist() == [200, 400]
    assert data_curves([guess]) == {}
    few = made(400, values, np.full(3, 0.6))
    coarse = Sampled(
        400,
        dr.Curve(
            "logistic_accuracy",
            "random",
            (0, 1, 2),
            [2],
            values[:, :1],
            10,
            0.6,
            by_images=few.curve.by_images[:, :1],
            full_by_images=few.curve.full_by_images,
        ),
        few.full,
        few.penalty,
    )
    assert set(data_curves([coarse])) == {"share"}


def test_logistic_probes_have_redundancy_at_the_sizes_asked_for(features):
    layer = ProbedLayer(lambda: features, device="cpu")
    fractions = [0.05, 0.1, 0.3, 0.5, 1.0]
    small, whole = sampled(layer, "logistic", [1, 2], fractions=fractions, steps=0.5)
    assert list(whole.curve.sizes) == [2, 4, 8, 12, 20, 40]
    (fifth,) = sampled(layer, "logistic", [1, 2], fractions=[0.2], steps=0.5, most=1)
    assert np.array_equal(fifth.curve.values[:, 0], whole.curve.at(8))
    found = data_curves([small, whole], 0.9)
    expected = layer.logistic("random", [1, 2], whole.curve.sizes.tolist(), penalty=whole.penalty)
    assert found["DR"].values[-1] == expected.redundancy(0.9).value
    assert "DR" not in data_curves([fifth], 0.9) and "share" in data_curves([fifth], 0.9)
