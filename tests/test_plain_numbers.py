"""Awkward numbers: each kind is measured as a plain float64 computation does it, or refused."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import plain
import pytest
from conftest import make_layer

PENALTY = 1e-2


def parts(n=120, d=20, classes=4):
    X, y = make_layer(n + 60, d, classes, seed=1)
    return X[:n], y[:n], X[n:], y[n:]


def ill_conditioned(X):
    return X * 10.0 ** -np.linspace(0, 6, X.shape[1])


def rank_deficient(X):
    return X[:, :3] @ np.random.default_rng(2).standard_normal((3, X.shape[1]))


def duplicate_neurons(X):
    return X[:, np.arange(X.shape[1]) // 4]


KINDS = {
    "usual": lambda X: X,
    "ill-conditioned": ill_conditioned,
    "rank-deficient": rank_deficient,
    "duplicate neurons": duplicate_neurons,
    "1e-30": lambda X: X * 1e-30,
    "1e30": lambda X: X * 1e30,
    "large mean": lambda X: X + 1e4,
    "float32": lambda X: X.astype("f4"),
    "float16": lambda X: X.astype("f2"),
    "float16 of a large mean": lambda X: (X * 16 + 2000).astype("f2"),
}


def measured(X, y, X_test, y_test, **options):
    return dr.measure(
        X, y, X_test, y_test, seeds=1, penalty=PENALTY, device="cpu", constant="keep", **options
    )


def order_of(X):
    statistics = dr.SufficientStatistics.from_features(X, device="cpu")
    return dr.orderings("random", statistics, [1])[0].order.numpy()


def check(X, y, X_test, y_test, sizes):
    """CKA and accuracy of one seed against plain float64, apart from guesses that are ties."""
    result = measured(X, y, X_test, y_test)
    order, exact = order_of(X), X.astype(np.float64)
    unit = np.abs(exact).max()
    A, B = exact / unit, X_test.astype(np.float64) / unit
    alpha = PENALTY * len(A) * (plain.centred(A) ** 2).mean()
    cka, ridge = result.curve("cka"), result.curve("ridge_accuracy")
    for k in sizes:
        some = order[:k]
        assert cka.at(k)[0] == pytest.approx(plain.cka(A[:, some], A), abs=1e-4)
        scores = plain.ridge_scores(A[:, some], y, B[:, some], alpha, int(y.max()) + 1)
        best = np.sort(scores, 1)
        ties = int((best[:, -1] - best[:, -2] < 1e-3).sum())
        right = (scores.argmax(1) == y_test).sum()
        assert abs(round(ridge.at(k)[0] * len(y_test)) - right) <= ties < max(len(y_test) // 4, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_against_plain_float64(kind):
    X, y, X_test, y_test = parts()
    check(KINDS[kind](X), y, KINDS[kind](X_test), y_test, (1, 5, 20))


def test_fewer_images_than_neurons():
    X, y, X_test, y_test = parts(n=15, d=60)
    check(X, y, X_test, y_test, (1, 10, 14, 30, 60))


def test_duplicate_images():
    X, y, X_test, y_test = parts()
    check(np.tile(X, (3, 1)), np.tile(y, 3), X_test, y_test, (1, 7, 20))


def test_one_test_image():
    X, y, X_test, y_test = parts()
    result = measured(X, y, X_test[:1], y_test[:1])
    assert set(np.unique(result.accuracy.values)) <= {0.0, 1.0} and result.about["n_test"] == 1
    assert any("means nothing" in note for note in result.notes)


def test_a_thousand_classes():
    classes = 1000
    rng = np.random.default_rng(3)
    means = rng.standard_normal((classes, 24))
    y, y_test = np.arange(3 * classes) % classes, np.arange(classes)
    X = means[y] + 0.2 * rng.standard_normal((len(y), 24))
    X_test = means[y_test] + 0.2 * rng.standard_normal((classes, 24))
    result = measured(X, y, X_test, y_test)
    order = order_of(X)
    alpha = PENALTY * len(X) * (plain.centred(X) ** 2).mean()
    for k in (6, 24):
        scores = plain.ridge_scores(X[:, order[:k]], y, X_test[:, order[:k]], alpha, classes)
        right = (scores.argmax(1) == y_test).mean()
        assert result.accuracy.at(k)[0] == pytest.approx(right, abs=2e-3)
    assert result.per_class.shape == (1, 24, classes)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda X: X * 1e120, "scale them"),
        (lambda X: X * 1e-120, "scale them"),
        (lambda X: X * 0 + 1, "all 20 neurons are constant"),
        (lambda X: np.where(X.max() - 1e-9 < X, np.nan, X), "must be finite"),
        (lambda X: np.where(X.max() - 1e-9 < X, np.inf, X), "must be finite"),
        (lambda X: X[:1], "one image"),
        (lambda X: X.astype(np.longdouble), "must be float16"),
        (lambda X: X.astype(complex), "must be float16"),
    ],
)
def test_what_cannot_be_measured_is_refused(change, words):
    X, y, X_test, y_test = parts()
    with pytest.raises(dr.InputError, match=words):
        dr.measure(change(X), y[: len(change(X))], X_test, y_test, seeds=1)


def test_neurons_too_small_by_the_side_of_others_are_said_to_be_constant():
    """In one layer squares that float32 cannot hold together are not measured silently."""
    X, y, X_test, y_test = parts()
    scale = np.r_[1e-20, np.ones(19)]
    with pytest.raises(dr.InputError, match="1 of 20 neurons is constant"):
        dr.measure((X * scale).astype("f4"), y, (X_test * scale).astype("f4"), y_test, seeds=1)
