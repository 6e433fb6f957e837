"""The ridge probe at every k: against the normal equations and scikit-learn's RidgeClassifier."""

from __future__ import annotations

from functools import partial

import diffused_redundancy as dr
import numpy as np
import plain
import pytest
import torch
from conftest import features_of, make_layer
from diffused_redundancy.measures.selections import random_order
from diffused_redundancy.measures.validation import check_finite
from diffused_redundancy.probes.cross_validation import RIDGE_GRID, folds_of, stratified_folds
from diffused_redundancy.probes.ridge import ridge_alpha
from diffused_redundancy.probes.ridge_penalty import leave_one_out
from sklearn.linear_model import RidgeClassifier, RidgeCV


@pytest.fixture
def parts():
    X, y = make_layer(n=700)
    return X[:400], y[:400], X[400:], y[400:]


def probe_of(parts, penalty=None, **kind):
    return dr.RidgeProbe(features_of(parts), penalty=penalty, **kind)


def chosen_by_ridge(X, y, grid=RIDGE_GRID, groups=None):
    """The choice for train features whose groups are not views."""
    s = dr.SufficientStatistics.from_features(X, y)
    return leave_one_out(X, torch.from_numpy(y), s, grid, partial(ridge_alpha, s), groups=groups)


@pytest.mark.parametrize("selection", dr.SELECTIONS)
@pytest.mark.parametrize("penalty", [1e-4, 0.3])
def test_every_selection_at_every_size(parts, selection, penalty):
    X, y, X_test, y_test = parts
    probe = probe_of(parts, penalty)
    order = dr.ordering(selection, probe.statistics, 2)
    curve = probe.curve(order)
    alpha = ridge_alpha(probe.statistics, penalty)
    for k in range(1, order.size + 1):
        train, test = (order.columns(torch.from_numpy(x), k).numpy() for x in (X, X_test))
        guesses = plain.ridge_scores(train, y, test, alpha, 5).argmax(1)
        assert curve.values[0, k - 1] == pytest.approx((guesses == y_test).mean(), abs=1e-12)
        by_class = [(guesses == y_test)[y_test == c].mean() for c in range(5)]
        assert np.allclose(curve.per_class[0, k - 1], by_class, atol=1e-6)


def test_the_curve_says_what_it_is_of(parts):
    probe = probe_of(parts, 0.1)
    curve = probe.curve(dr.orderings("random", probe.statistics, [4, 2]))
    assert (curve.measure, curve.selection, curve.seeds) == ("ridge_accuracy", "random", (4, 2))
    assert curve.exact and curve.d == 60 and curve.full == probe.full
    some = probe.curve(dr.orderings("random", probe.statistics, [4, 2]), sizes=[3, 20])
    assert some.sizes.tolist() == [3, 20] and np.array_equal(some.values, curve.values[:, [2, 19]])
    assert np.array_equal(some.per_class, curve.per_class[:, [2, 19]])
    assert np.array_equal(some.by_images, curve.by_images[:, [2, 19]])
    every = probe.evaluate(dr.ordering("pca", probe.statistics), hits=True)
    for sizes in ([1, 2, 3], [4, 5, 60], [60], range(2, 61)):
        part = probe.evaluate(dr.ordering("pca", probe.statistics), sizes, hits=True)
        columns = np.array(sizes) - 1
        assert np.array_equal(part["hits"], every["hits"][:, columns])
        assert np.array_equal(part["values"], every["values"][:, columns])


def test_standardised_features_are_scaled_by_the_train_set(parts):
    X, y, X_test, y_test = parts
    probe = probe_of(parts, 0.01, standardize=True)
    scaled = X / X.std(0), y, X_test / X.std(0), y_test
    other = probe_of(scaled, 0.01)
    for selection in ("random", "pca"):
        curves = [
            one.curve(dr.ordering(selection, one.statistics, 1)).values for one in (probe, other)
        ]
        assert np.array_equal(*curves)
    assert probe.full == other.full
    by_class, _ = probe.cross_validated("random", [1], folds=3)
    assert by_class.shape == (1, 60, 5)


def test_the_penalty_in_force_is_given_or_chosen(parts):
    assert probe_of(parts, 0.3).penalty == 0.3
    probe = probe_of(parts)
    assert probe.penalty == probe.choice.penalty and probe.choice == probe.choose_penalty()
    X, y, *_ = parts
    without_test = dr.RidgeProbe(dr.Features(X, y))
    assert without_test.choice == probe.choice
    with pytest.raises(dr.InputError, match="a probe needs labels and a test part"):
        _ = without_test.full


@pytest.mark.parametrize("selection", ["random", "pca"])
def test_fewer_images_than_neurons_and_a_penalty_below_the_rounding(selection):
    """The Gram matrix of float32 products is then indefinite: probes are those of a slightly larger
    penalty, instead of none.
    """
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    means = rng.standard_normal((3, 300))
    X = (
        means[y]
        + rng.standard_normal((60, 300))
        + 1e3 * rng.standard_normal((60, 1)) @ rng.standard_normal((1, 300))
    )
    X = X.astype(np.float32)
    features = features_of((X[:40], y[:40], X[40:], y[40:]))
    s = dr.SufficientStatistics.from_features(X[:40], y[:40])
    exact = dr.SufficientStatistics.from_features(X[:40].astype(np.float64), y[:40])
    gram = s.gram + ridge_alpha(s, 1e-9) * torch.eye(300, dtype=torch.float64)
    assert int(torch.linalg.cholesky_ex(gram).info)  # what this is about
    for given in (s, exact):
        probe = dr.RidgeProbe(features, penalty=1e-9, statistics=given)
        assert probe.curve(dr.ordering(selection, given, 1)).values[0, -1] >= 0.9
        assert probe.full >= 0.9
    probe = dr.LogisticProbe(features, penalty=1e-9, statistics=s)
    assert probe.curve(dr.ordering("random", s, 1), [50, 300]).values[0, -1] >= 0.8


@pytest.mark.parametrize("penalty", [1e-4, 0.3])
def test_all_neurons_in_one_fit(parts, penalty):
    X, y, X_test, y_test = parts
    probe = probe_of(parts, penalty)
    alpha = ridge_alpha(probe.statistics, penalty)
    assert probe.full == (plain.ridge_scores(X, y, X_test, alpha, 5).argmax(1) == y_test).mean()
    assert probe.full == probe.curve(dr.ordering("random", probe.statistics, 1)).values[0, -1]


def test_against_scikit_learn(parts):
    X, y, X_test, y_test = parts
    probe = probe_of(parts, 0.01)
    order = dr.ordering("random", probe.statistics, 1)
    curve = probe.curve(order)
    for k in (1, 5, 30, 60):
        chosen = order.order[:k].numpy()
        theirs = RidgeClassifier(alpha=ridge_alpha(probe.statistics, 0.01)).fit(X[:, chosen], y)
        assert curve.at(k) == theirs.score(X_test[:, chosen], y_test)


def test_two_classes_as_scikit_learn(parts):
    X, y, X_test, y_test = parts
    X, y, X_test, y_test = X[y < 2], y[y < 2], X_test[y_test < 2], y_test[y_test < 2]
    probe = probe_of((X, y, X_test, y_test), 0.1)
    theirs = RidgeClassifier(alpha=ridge_alpha(probe.statistics, 0.1)).fit(X, y)
    curve = probe.curve(dr.ordering("first", probe.statistics))
    assert curve.at(60) == theirs.score(X_test, y_test)


def test_order_of_neurons_does_not_matter_in_the_end(parts):
    probe = probe_of(parts, 0.01)
    ends = [
        probe.curve(dr.orderings(selection, probe.statistics, range(5))).at(60)
        for selection in ("random", "pca")
    ]
    assert len(set(np.concatenate(ends))) == 1


def test_penalty_does_not_depend_on_scale(parts):
    X, y, X_test, y_test = parts
    one, other = probe_of(parts, 0.1), probe_of((X * 1000, y, X_test * 1000, y_test), 0.1)
    order = dr.ordering("first", one.statistics)
    assert np.array_equal(one.curve(order).values, other.curve(order).values)


def test_equal_scores_count_once(parts):
    """With a constant first neuron and balanced classes all scores are equal: the first class wins,
    as argmax has it.
    """
    X, y, X_test, y_test = parts
    keep = np.concatenate([np.flatnonzero(y == c)[:20] for c in range(5)])
    X, X_test = (np.concatenate([np.ones((len(one), 1)), one], 1) for one in (X, X_test))
    probe = probe_of((X[keep], y[keep], X_test, y_test), 0.1)
    curve = probe.curve(dr.ordering("first", probe.statistics))
    assert curve.at(1) == pytest.approx((y_test == 0).mean())


@pytest.mark.parametrize(("n", "standardize"), [(150, False), (150, True), (40, False)])
def test_leaving_one_out_against_scikit_learn(n, standardize):
    """Against RidgeCV's own leave-one-out, which gives its predictions; with more neurons than
    images as well.
    """
    X, y = make_layer(n=n, d=60, classes=4)
    grid = (1e-4, 1e-2, 1.0)
    choice = dr.RidgeProbe(dr.Features(X, y), standardize=standardize).choose_penalty(grid)
    scaled = X / X.std(0) if standardize else X
    s = dr.SufficientStatistics.from_features(scaled, y)
    right, losses = [], []
    for penalty in grid:
        theirs = RidgeCV(
            alphas=[ridge_alpha(s, penalty)],
            store_cv_results=True,
            scoring="neg_mean_squared_error",
        )
        theirs.fit(scaled.astype(np.float64), np.eye(4)[y])
        predictions = theirs.cv_results_[..., 0]
        right.append(predictions.argmax(1) == y)
        losses.append(error_with_best_factor(predictions, y))
    assert choice.accuracy == pytest.approx(np.mean(right, 1), abs=1e-12)
    assert choice.loss == pytest.approx(losses, rel=1e-6)
    assert (
        choice.penalty
        == max(p for p, loss in zip(grid, losses, strict=True) if loss <= 1.001 * min(losses))
        and choice.folds == n
    )


def error_with_best_factor(
    scores: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """The mean squared error to one-hot labels of scores, both less the labels' means, with the
    factor that least squares gives.
    """
    labels = np.eye(scores.shape[1])[y]
    own, apart = labels - labels.mean(0), scores - labels.mean(0)
    root = np.sqrt(np.full(len(y), 1 / len(y)) if weight is None else weight)[:, None]
    _, error, *_ = np.linalg.lstsq((root * apart).reshape(-1, 1), (root * own).ravel(), rcond=None)
    return float(error[0])


def test_groups_are_left_out_together():
    """Against probes fitted without each group in turn, with groups of one, two and three rows."""
    X, y = make_layer(n=90, d=25, classes=3)
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    groups = np.concatenate([[number] * size for number, size in enumerate([1, 2, 3] * 15)])
    groups = np.array(
        [f"{label}-{group}" for label, group in zip(y, groups, strict=True)]
    )  # a group is of one class
    shuffled = np.random.default_rng(0).permutation(90)
    X, y, groups = X[shuffled], y[shuffled], groups[shuffled]
    s = dr.SufficientStatistics.from_features(X, y)
    grid = (1e-3, 0.1)
    choice = chosen_by_ridge(X, y, grid, groups)
    names = np.unique(groups)
    for penalty, loss, accuracy in zip(grid, choice.loss, choice.accuracy, strict=True):
        shares, every, rows, weight = [], [], [], []
        for name in names:
            out = groups == name
            scores = plain.ridge_scores(X[~out], y[~out], X[out], ridge_alpha(s, penalty), 3)
            shares.append((scores.argmax(1) == y[out]).mean())
            every.append(scores)
            rows.append(np.flatnonzero(out))
            weight.append(np.full(out.sum(), 1 / out.sum() / len(names)))
        assert accuracy == pytest.approx(np.mean(shares), abs=1e-12)
        placed = np.concatenate(rows)
        back = np.argsort(placed)
        assert loss == pytest.approx(
            error_with_best_factor(np.concatenate(every)[back], y, np.concatenate(weight)[back]),
            rel=1e-6,
        )
    assert choice.folds == len(names)


def test_the_views_of_an_image_are_left_out_together(parts):
    X, y, *_ = parts
    X, y = np.concatenate([X[:100], X[:100] + 0.1]), np.tile(y[:100], 2)
    choice = dr.RidgeProbe(dr.Features(X, y, views=2)).choice
    assert choice == chosen_by_ridge(X, y, groups=np.tile(np.arange(100), 2))
    assert choice.folds == 100


def test_folds_hold_every_class_evenly():
    y = torch.from_numpy(np.repeat([0, 1, 2], [50, 25, 10]))
    fold = stratified_folds(y, 5)
    for c, count in enumerate((10, 5, 2)):
        assert torch.bincount(fold[y == c], minlength=5).tolist() == [count] * 5


def test_views_of_an_image_share_a_fold():
    y, groups = np.random.default_rng(0).integers(0, 3, 50), np.tile(np.arange(50), 4)
    labels = torch.from_numpy(np.tile(y, 4))
    fold = folds_of(labels, 5, 0, groups)
    assert all(len(set(fold[groups == i].tolist())) == 1 for i in range(50))
    assert torch.equal(fold[:50], stratified_folds(torch.from_numpy(y), 5, 0))
    assert int(folds_of(labels[:3], 5, 0).max()) == 2  # fewer images than folds
    for given, words in (
        ([0, 1, 2], "groups has 3 entries for 200 rows"),
        (np.zeros(200, int), "share a label"),
    ):
        with pytest.raises(dr.InputError, match=words):
            folds_of(labels, 5, 0, given)


@pytest.mark.parametrize("kind", [dr.RidgeProbe, dr.LogisticProbe])
@pytest.mark.parametrize("penalty", [0, -1, float("inf"), "cv", True])
def test_bad_penalty(parts, kind, penalty):
    with pytest.raises(dr.InputError, match="penalty is"):
        kind(features_of(parts), penalty=penalty)


@pytest.mark.parametrize("kind", [dr.RidgeProbe, dr.LogisticProbe])
def test_what_no_probe_can_use(parts, kind):
    X, y, X_test, y_test = parts
    for given, words in (
        (X, r"features is ndarray: give Features\(X_train, y_train, X_test, y_test\)"),
        (dr.Features(X), "a probe needs labels: give y_train"),
        (dr.Features(X, np.zeros_like(y)), "all 400 train labels are 0"),
        (dr.Features(X, y[:-1]), "y_train has shape"),
    ):
        with pytest.raises(dr.InputError, match=words):
            kind(given)
    s = dr.SufficientStatistics.from_features(X, y)
    for given, words in (
        (X, "statistics is ndarray: make them with SufficientStatistics"),
        (dr.SufficientStatistics.from_features(X[:9]), "the statistics are of 9 images and 60"),
        (dr.SufficientStatistics.from_features(X, y // 2), "y_train holds 4: with 3 classes"),
    ):
        with pytest.raises(dr.InputError, match=words):
            kind(features_of(parts), statistics=given)
    for test, labels, words in (
        (None, None, "a probe needs labels and a test part"),
        (X_test[:, :3], y_test, "X_test has 3 neurons"),
        (X_test, np.full_like(y_test, 9), "y_test holds 9"),
        (np.full_like(X_test, np.nan), y_test, r"X_test\[0, 0\] is nan"),
    ):
        probe = kind(dr.Features(X, y, test, labels), penalty=1.0, statistics=s)
        for measure in (
            lambda probe=probe: probe.full,
            lambda probe=probe: probe.curve(dr.ordering("first", s)),
        ):
            with pytest.raises(dr.InputError, match=words):
                measure()
    probe = kind(features_of(parts), penalty=1.0, statistics=s)
    for sizes, words in (([5, 61], "k is 61"), ([5, 5], "ascending"), ([], "ascending")):
        with pytest.raises(dr.InputError, match=words):
            probe.curve(dr.ordering("first", s), sizes)
    with pytest.raises(dr.InputError, match="orderings is str"):
        probe.curve("first")


def test_errors(parts):
    X, y, *_ = parts
    unlabelled = dr.SufficientStatistics.from_features(X)
    with pytest.raises(dr.InputError, match="needs labels: make the statistics with y"):
        _ = probe_of(parts, 1.0, statistics=unlabelled).full
    with pytest.raises(dr.InputError, match="groups has 3 entries for 400 rows"):
        chosen_by_ridge(X, y, groups=[1, 2, 3])
    with pytest.raises(dr.InputError, match="number the classes from 0 without gaps"):
        _ = dr.RidgeProbe(dr.Features(X, np.where(y == 0, 10**9, y))).choice
    with pytest.raises(dr.InputError, match="number the classes from 0 without gaps"):
        dr.SufficientStatistics.from_features(X, np.where(y == 0, 10**9, y))


def test_cross_validated_curves_are_those_of_each_fold(layer):
    X, y = layer
    probe = dr.RidgeProbe(dr.Features(X, y), penalty=0.1)
    by_class, counts = probe.cross_validated("random", [1, 2], folds=4, seed=3)
    assert by_class.shape == (2, 60, 5) and np.array_equal(counts, np.bincount(y))
    fold = stratified_folds(torch.as_tensor(y), 4, 3).numpy()
    for row, seed in enumerate((1, 2)):
        for k in (1, 7, 60):
            columns, right = random_order(60, seed).numpy()[:k], np.zeros(len(y))
            for f in range(4):
                train, held = fold != f, fold == f
                alpha = 0.1 * train.sum() * plain.centred(X[train]).var(0).mean()
                scores = plain.ridge_scores(
                    X[train][:, columns], y[train], X[held][:, columns], alpha, 5
                )
                right[held] = scores.argmax(1) == y[held]
            assert np.allclose(by_class[row, k - 1], [right[y == c].mean() for c in range(5)])


def test_of_equal_scores_the_first_class_counts():
    """Images at the mean of the train features score every class alike, whatever k, if classes are
    of one size.
    """
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 6)), np.arange(40) % 4
    X -= X.mean(0)
    s = dr.SufficientStatistics.from_features(X, y)
    at_mean = np.tile(s.mean.numpy(), (8, 1))
    curve = probe_of((X, y, at_mean, np.arange(8) % 4), 0.1).curve(dr.ordering("first", s))
    assert np.array_equal(curve.values, np.full((1, 6), 0.25))
    assert np.array_equal(curve.per_class[0], np.tile([1.0, 0, 0, 0], (6, 1)))


def test_hits_are_kept_image_by_image(parts):
    """Those of scikit-learn's predictions, and what accuracy is made from."""
    X, y, X_test, y_test = parts
    probe = probe_of(parts, 1e-2)
    order = dr.ordering("random", probe.statistics, 1)
    kept, without = probe.evaluate(order, hits=True), probe.evaluate(order)
    assert kept["hits"].shape == (1, 60, -(-len(y_test) // 8)) and "hits" not in without
    right = np.unpackbits(kept["hits"], axis=2, count=len(y_test))
    assert np.allclose(right.mean(2), without["values"], atol=1e-12)
    for k in (3, 30):
        columns = order.order.numpy()[:k]
        theirs = RidgeClassifier(alpha=ridge_alpha(probe.statistics, 1e-2))
        guesses = theirs.fit(X[:, columns], y).predict(X_test[:, columns])
        assert np.array_equal(right[0, k - 1], guesses == y_test)
    some = probe.evaluate(order, [2, 30], hits=True)["hits"]
    assert np.array_equal(some, kept["hits"][:, [1, 29]])


def test_margins_are_those_of_scikit_learn(parts):
    X, y, X_test, y_test = parts
    probe = probe_of(parts, 1e-2)
    theirs = RidgeClassifier(alpha=ridge_alpha(probe.statistics, 1e-2)).fit(X, y)
    scores = (theirs.decision_function(X_test) + 1) / 2  # its targets are -1 and 1
    plain = [
        row[label] - max(other for c, other in enumerate(row) if c != label)
        for row, label in zip(scores, y_test, strict=True)
    ]
    assert probe.margins() == pytest.approx(np.array(plain), abs=1e-6)
    assert (probe.margins() > 0).mean() == pytest.approx(probe.full)


@pytest.mark.parametrize("selection", ["random", "pca", "gaussian_projection"])
@pytest.mark.parametrize("delta", [0.5, 0.9, 1.0])
@pytest.mark.parametrize("seeds", [1, 7])
def test_redundancy_of_curves_computed_as_far_as_needed(selection, delta, seeds, monkeypatch):
    X, y = make_layer(n=900, d=200)
    probe = probe_of((X[:600], y[:600], X[600:], y[600:]), 0.01)
    orders = dr.orderings(selection, probe.statistics, range(1, seeds + 1))
    exact = probe.curve(orders).redundancy(delta)
    sizes = []

    def noted(self, ordering, *rest, own=dr.RidgeProbe._nested):
        sizes.append(ordering.size)
        return own(self, ordering, *rest)

    monkeypatch.setattr(dr.RidgeProbe, "_nested", noted)
    redundancy = probe.redundancy(orders, delta)
    assert redundancy.k == exact.k and redundancy.full == exact.full
    assert np.allclose(
        [redundancy.value, redundancy.low, redundancy.high],
        [exact.value, exact.low, exact.high],
        equal_nan=True,
    )
    assert delta > 0.5 or max(sizes) < 100  # otherwise nothing was saved


def test_redundancy_refuses_what_it_cannot_use(parts):
    probe = probe_of(parts, 0.1)
    with pytest.raises(dr.InputError, match="no orderings"):
        probe.redundancy([])
    with pytest.raises(dr.InputError, match="delta"):
        probe.redundancy(dr.orderings("random", probe.statistics, [1]), delta=1.5)


@pytest.mark.parametrize("where", [(0, 0), (255, 3), (256, 1), (299, 24)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_is_not_finite_is_found_wherever_it_is(where, value, dtype):
    X, y = make_layer(n=300, d=25, classes=3)
    bad = X.astype(dtype)
    bad[where] = value
    with pytest.raises(dr.InputError, match=rf"X_test\[{where[0]}, {where[1]}\] is {value}"):
        _ = probe_of((X, y, bad, y), 0.1).full


def test_a_choice_where_every_held_out_image_is_guessed_without_error():
    """Squared errors of 0 may come out a little below it."""
    y = np.arange(60) % 3
    for scale in (1.0, 0.1, 3.0, 7.7):
        choice = dr.RidgeProbe(dr.Features(scale * np.eye(3)[y], y)).choice
        assert choice.accuracy[choice.at] == 1 and 0 <= choice.loss[choice.at] < 1e-6


def test_large_finite_features_are_no_error():
    """Sums of these leave their type; the features themselves do not."""
    large = torch.full((600, 2), 3e38)
    check_finite(large, "X")
    check_finite(torch.full((600, 2), 6e4, dtype=torch.float16), "X")
