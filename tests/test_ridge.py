"""The ridge probe at every k: against the normal equations and scikit-learn's RidgeClassifier."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import plain
import pytest
import torch
from conftest import make_layer
from diffused_redundancy.measure.validation import check_finite
from diffused_redundancy.probes import ridge as module
from diffused_redundancy.probes.cross_validation import fold_of
from diffused_redundancy.probes.ridge import ridge_accuracy, strength
from sklearn.linear_model import RidgeClassifier, RidgeCV


@pytest.fixture
def parts():
    X, y = make_layer(n=700)
    return X[:400], y[:400], X[400:], y[400:]


@pytest.mark.parametrize("selection", dr.SELECTIONS)
@pytest.mark.parametrize("penalty", [1e-4, 0.3])
def test_every_selection_at_every_size(parts, selection, penalty):
    X, y, X_test, y_test = parts
    s = dr.SufficientStatistics.from_features(X, y)
    order = dr.ordering(selection, s, 2)
    curve = dr.ridge_curve(s, order, X_test, y_test, penalty=penalty)
    for k in range(1, order.size + 1):
        train, test = (order.columns(torch.from_numpy(x), k).numpy() for x in (X, X_test))
        guesses = plain.ridge_scores(train, y, test, strength(s, penalty), 5).argmax(1)
        assert curve.accuracy[k - 1] == pytest.approx((guesses == y_test).mean(), abs=1e-12)
        by_class = [(guesses == y_test)[y_test == c].mean() for c in range(5)]
        assert np.allclose(curve.per_class[k - 1], by_class, atol=1e-6)


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
    s = dr.SufficientStatistics.from_features(X[:40], y[:40])
    exact = dr.SufficientStatistics.from_features(X[:40].astype(np.float64), y[:40])
    gram = s.gram + strength(s, 1e-9) * torch.eye(300, dtype=torch.float64)
    assert int(torch.linalg.cholesky_ex(gram).info)  # what this is about
    for given in (s, exact):
        curve = dr.ridge_curve(
            given, dr.ordering(selection, given, 1), X[40:], y[40:], penalty=1e-9
        )
        assert curve.accuracy[-1] >= 0.9
    assert ridge_accuracy(s, X[40:], y[40:], penalty=1e-9) >= 0.9
    probes = dr.LogisticProbes(X[:40], y[:40], X[40:], y[40:], s)
    assert probes.curve(dr.ordering("random", s, 1), [50, 300], penalty=1e-9).accuracy[-1] >= 0.8


@pytest.mark.parametrize("penalty", [1e-4, 0.3])
def test_all_neurons_in_one_fit(parts, penalty):
    X, y, X_test, y_test = parts
    s = dr.SufficientStatistics.from_features(X, y)
    found = ridge_accuracy(s, X_test, y_test, penalty=penalty)
    assert (
        found
        == (plain.ridge_scores(X, y, X_test, strength(s, penalty), 5).argmax(1) == y_test).mean()
    )
    assert (
        found
        == dr.ridge_curve(s, dr.ordering("random", s, 1), X_test, y_test, penalty=penalty).accuracy[
            -1
        ]
    )


def test_against_scikit_learn(parts):
    X, y, X_test, y_test = parts
    s = dr.SufficientStatistics.from_features(X, y)
    order = dr.ordering("random", s, 1)
    curve = dr.ridge_curve(s, order, X_test, y_test, penalty=0.01)
    for k in (1, 5, 30, 60):
        chosen = order.order[:k].numpy()
        theirs = RidgeClassifier(alpha=strength(s, 0.01)).fit(X[:, chosen], y)
        assert curve.accuracy[k - 1] == theirs.score(X_test[:, chosen], y_test)


def test_two_classes_as_scikit_learn(parts):
    X, y, X_test, y_test = parts
    X, y, X_test, y_test = X[y < 2], y[y < 2], X_test[y_test < 2], y_test[y_test < 2]
    s = dr.SufficientStatistics.from_features(X, y)
    curve = dr.ridge_curve(s, dr.ordering("first", s), X_test, y_test, penalty=0.1)
    theirs = RidgeClassifier(alpha=strength(s, 0.1)).fit(X, y)
    assert curve.accuracy[-1] == theirs.score(X_test, y_test)


def test_order_of_neurons_does_not_matter_in_the_end(parts):
    X, y, X_test, y_test = parts
    s = dr.SufficientStatistics.from_features(X, y)
    ends = [
        dr.ridge_curve(s, order, X_test, y_test, penalty=0.01).accuracy[-1]
        for order in dr.orderings("random", s, range(5))
    ]
    ends.append(dr.ridge_curve(s, dr.ordering("pca", s), X_test, y_test, penalty=0.01).accuracy[-1])
    assert len(set(ends)) == 1


def test_penalty_does_not_depend_on_scale(parts):
    X, y, X_test, y_test = parts
    a = dr.SufficientStatistics.from_features(X, y)
    b = dr.SufficientStatistics.from_features(X * 1000, y)
    order = dr.ordering("first", a)
    one = dr.ridge_curve(a, order, X_test, y_test, penalty=0.1).accuracy
    assert np.array_equal(
        one, dr.ridge_curve(b, order, X_test * 1000, y_test, penalty=0.1).accuracy
    )


def test_equal_scores_count_once(parts):
    """With a constant first neuron and balanced classes all scores are equal: the first class wins,
    as argmax has it.
    """
    X, y, X_test, y_test = parts
    keep = np.concatenate([np.flatnonzero(y == c)[:20] for c in range(5)])
    X, y = np.concatenate([np.ones((len(X), 1)), X], 1)[keep], y[keep]
    s = dr.SufficientStatistics.from_features(X, y)
    curve = dr.ridge_curve(
        s,
        dr.ordering("first", s),
        np.concatenate([np.ones((len(X_test), 1)), X_test], 1),
        y_test,
        penalty=0.1,
    )
    assert curve.accuracy[0] == pytest.approx((y_test == 0).mean())


@pytest.mark.parametrize(("n", "standardize"), [(150, False), (150, True), (40, False)])
def test_leaving_one_out_against_scikit_learn(n, standardize):
    """Against RidgeCV's own leave-one-out, which gives its predictions; with more neurons than
    images as well.
    """
    X, y = make_layer(n=n, d=60, classes=4)
    grid = (1e-4, 1e-2, 1.0)
    choice = dr.choose_ridge_penalty(X, y, grid=grid, standardize=standardize)
    scaled = X / X.std(0) if standardize else X
    s = dr.SufficientStatistics.from_features(scaled, y)
    right, losses = [], []
    for penalty in grid:
        theirs = RidgeCV(
            alphas=[strength(s, penalty)], store_cv_results=True, scoring="neg_mean_squared_error"
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
    choice = dr.choose_ridge_penalty(X, y, grid=grid, groups=groups)
    names = np.unique(groups)
    for penalty, loss, accuracy in zip(grid, choice.loss, choice.accuracy, strict=True):
        shares, every, rows, weight = [], [], [], []
        for name in names:
            out = groups == name
            scores = plain.ridge_scores(X[~out], y[~out], X[out], strength(s, penalty), 3)
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


def test_folds_hold_every_class_evenly():
    y = torch.from_numpy(np.repeat([0, 1, 2], [50, 25, 10]))
    fold = fold_of(y, 5)
    for c, count in enumerate((10, 5, 2)):
        assert torch.bincount(fold[y == c], minlength=5).tolist() == [count] * 5


@pytest.mark.parametrize("penalty", [0, -1, float("inf"), "cv", True])
def test_bad_penalty(parts, penalty):
    X, y, X_test, y_test = parts
    s = dr.SufficientStatistics.from_features(X, y)
    with pytest.raises(dr.InputError, match="penalty is"):
        dr.ridge_curve(s, dr.ordering("first", s), X_test, y_test, penalty=penalty)


def test_errors(parts):
    X, y, X_test, y_test = parts
    s = dr.SufficientStatistics.from_features(X, y)
    first = dr.ordering("first", s)
    with pytest.raises(dr.InputError, match="all train labels are one class"):
        one = dr.SufficientStatistics.from_features(X, np.zeros_like(y))
        dr.ridge_curve(one, first, X_test, np.zeros_like(y_test), penalty=1.0)
    with pytest.raises(dr.InputError, match="needs labels"):
        dr.ridge_curve(dr.SufficientStatistics.from_features(X), first, X_test, y_test, penalty=1.0)
    with pytest.raises(dr.InputError, match="X_test has 3 neurons"):
        dr.ridge_curve(s, first, X_test[:, :3], y_test, penalty=1.0)
    with pytest.raises(dr.InputError, match="y_test holds 9"):
        dr.ridge_curve(s, first, X_test, np.full_like(y_test, 9), penalty=1.0)
    with pytest.raises(dr.InputError, match=r"X_test\[0, 0\] is nan"):
        dr.ridge_curve(s, first, np.full_like(X_test, np.nan), y_test, penalty=1.0)
    with pytest.raises(dr.InputError, match="all 400 train labels are 0"):
        dr.choose_ridge_penalty(X, np.zeros_like(y))
    with pytest.raises(dr.InputError, match="groups has 3 entries for 400 rows"):
        dr.choose_ridge_penalty(X, y, groups=[1, 2, 3])
    with pytest.raises(dr.InputError, match="number the classes from 0 without gaps"):
        dr.SufficientStatistics.from_features(X, np.where(y == 0, 10**9, y))


def test_cross_validated_curves_are_those_of_each_fold(layer):
    from diffused_redundancy.measure.selections import random_order
    from diffused_redundancy.probes.cross_validation import fold_of
    from diffused_redundancy.probes.ridge import cross_validated_ridge

    X, y = layer
    by_class, counts = cross_validated_ridge(X, y, "random", [1, 2], penalty=0.1, folds=4, seed=3)
    assert by_class.shape == (2, 60, 5) and np.array_equal(counts, np.bincount(y))
    fold = fold_of(torch.as_tensor(y), 4, 3).numpy()
    for row, seed in enumerate((1, 2)):
        for k in (1, 7, 60):
            columns, right = random_order(60, seed).numpy()[:k], np.zeros(len(y))
            for f in range(4):
                train, held = fold != f, fold == f
                strength = 0.1 * train.sum() * plain.centred(X[train]).var(0).mean()
                scores = plain.ridge_scores(
                    X[train][:, columns], y[train], X[held][:, columns], strength, 5
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
    at_mean = np.tile(s.mean.cpu().numpy(), (8, 1))
    curve = dr.ridge_curve(s, dr.ordering("first", s), at_mean, np.arange(8) % 4, penalty=0.1)
    assert np.array_equal(curve.accuracy, np.full(6, 0.25)) and np.array_equal(
        curve.per_class, np.tile([1.0, 0, 0, 0], (6, 1))
    )


def test_parts_of_the_test_images_are_judged_in_one_pass(parts):
    """Accuracy by class of each part, as of a test set that is this part alone."""
    X, y, X_test, y_test = parts
    statistics = dr.SufficientStatistics.from_features(X, y)
    order = dr.ordering("random", statistics, 1)
    turn = np.arange(len(y_test)) % 3
    found = dr.ridge_curve(statistics, order, X_test, y_test, penalty=1e-2, parts=turn)
    whole = dr.ridge_curve(statistics, order, X_test, y_test, penalty=1e-2)
    assert np.array_equal(found.per_class, whole.per_class, equal_nan=True)
    assert found.by_part.shape == (3, *found.per_class.shape) and whole.by_part.shape == (
        0,
        *found.per_class.shape,
    )
    for number in range(3):
        alone = dr.ridge_curve(
            statistics, order, X_test[turn == number], y_test[turn == number], penalty=1e-2
        )
        assert np.array_equal(found.by_part[number], alone.per_class, equal_nan=True)


@pytest.mark.parametrize("selection", ["random", "pca", "gaussian_projection"])
@pytest.mark.parametrize("delta", [0.5, 0.9, 1.0])
@pytest.mark.parametrize("seeds", [1, 7])
def test_redundancy_of_curves_computed_as_far_as_needed(selection, delta, seeds, monkeypatch):
    X, y = make_layer(n=900, d=200)
    s = dr.SufficientStatistics.from_features(X[:600], y[:600])
    orders = dr.orderings(selection, s, range(1, seeds + 1))
    whole = [dr.ridge_curve(s, order, X[600:], y[600:], penalty=0.01).accuracy for order in orders]
    exact = dr.diffused_redundancy(
        whole, delta, d=200, full=ridge_accuracy(s, X[600:], y[600:], penalty=0.01)
    )
    sizes = []
    monkeypatch.setattr(
        module,
        "_curve",
        lambda s, ordering, *rest, own=module._curve: (
            sizes.append(ordering.size),
            own(s, ordering, *rest),
        )[1],
    )
    found = dr.ridge_redundancy(s, orders, X[600:], y[600:], penalty=0.01, delta=delta)
    assert found.k == exact.k and found.full == exact.full
    assert np.allclose(
        [found.value, found.low, found.high], [exact.value, exact.low, exact.high], equal_nan=True
    )
    assert delta > 0.5 or max(sizes) < 100  # otherwise nothing was saved


def test_redundancy_refuses_what_it_cannot_use(parts):
    X, y, X_test, y_test = parts
    s = dr.SufficientStatistics.from_features(X, y)
    with pytest.raises(dr.InputError, match="no orderings"):
        dr.ridge_redundancy(s, [], X_test, y_test, penalty=0.1)
    with pytest.raises(dr.InputError, match="delta"):
        dr.ridge_redundancy(
            s, dr.orderings("random", s, [1]), X_test, y_test, penalty=0.1, delta=1.5
        )


@pytest.mark.parametrize("where", [(0, 0), (255, 3), (256, 1), (299, 24)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_is_not_finite_is_found_wherever_it_is(where, value, dtype):
    X, y = make_layer(n=300, d=25, classes=3)
    s = dr.SufficientStatistics.from_features(X, y)
    bad = X.astype(dtype)
    bad[where] = value
    with pytest.raises(dr.InputError, match=rf"X_test\[{where[0]}, {where[1]}\] is {value}"):
        dr.ridge_curve(s, dr.ordering("first", s), bad, y, penalty=0.1)


def test_a_choice_where_every_image_left_out_is_guessed_without_error():
    """Squared errors of 0 may come out a little below it."""
    y = np.arange(60) % 3
    for scale in (1.0, 0.1, 3.0, 7.7):
        choice = dr.choose_ridge_penalty(scale * np.eye(3)[y], y)
        assert choice.accuracy[choice.at] == 1 and 0 <= choice.loss[choice.at] < 1e-6


def test_large_finite_features_are_no_error():
    """Sums of these leave their type; the features themselves do not."""
    large = torch.full((600, 2), 3e38)
    check_finite(large, "X")
    check_finite(torch.full((600, 2), 6e4, dtype=torch.float16), "X")
