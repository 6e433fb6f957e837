"""The logistic probe: against scikit-learn's LogisticRegression on the same objective."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import make_layer
from diffused_redundancy.measure import lbfgs
from sklearn.linear_model import LogisticRegression


@pytest.fixture
def parts():
    X, y = make_layer(n=1400, dtype="float32")
    return X[:600], y[:600], X[600:], y[600:]


def probes_of(parts):
    statistics = dr.SufficientStatistics.from_features(parts[0], parts[1])
    return statistics, dr.LogisticProbes(*parts, statistics)


def theirs(X: np.ndarray, y: np.ndarray, penalty: float) -> tuple[LogisticRegression, float]:
    model = LogisticRegression(C=1 / (penalty * len(X)), tol=1e-8, max_iter=5000).fit(X, y)
    loss = -model.predict_log_proba(X)[np.arange(len(X)), y].mean()
    return model, loss + penalty / 2 * (model.coef_**2).sum()


@pytest.mark.parametrize("selection", dr.SELECTIONS)
@pytest.mark.parametrize("penalty", [1e-4, 1e-2])
def test_same_objective_and_accuracy_as_scikit_learn(parts, selection, penalty):
    statistics, probes = probes_of(parts)
    order = dr.basis(selection, statistics, 1)
    sizes = [k for k in (1, 5, 30, 60) if k <= order.size]
    curve = probes.curve(order, sizes, penalty=penalty)
    assert curve.converged.all()
    scale = statistics.mean_variance**0.5
    for k, accuracy, objective in zip(sizes, curve.accuracy, curve.objective, strict=True):
        train, test = (order.columns(part[:-1].T.double(), k).numpy() for part in (probes.train, probes.test))
        model, least = theirs(train, parts[1], penalty)
        assert objective <= least * 1.001 + 1e-6
        assert objective >= least * 0.999 - 1e-6
        assert accuracy == pytest.approx(model.score(test, parts[3]), abs=0.005)
    assert scale > 0


def test_where_it_starts_does_not_matter(parts):
    """Warm starts along nested sizes are for speed: the result is that of a cold start."""
    statistics, probes = probes_of(parts)
    order = dr.basis("random", statistics, 2)
    warm = probes.curve(order, [2, 10, 30, 60], penalty=1e-4)
    cold = probes.curve(order, [60], penalty=1e-4)
    assert warm.objective[-1] == pytest.approx(cold.objective[0], rel=1e-3)
    assert warm.accuracy[-1] == pytest.approx(cold.accuracy[0], abs=0.005)


def test_the_order_of_neurons_does_not_matter_in_the_end(parts):
    statistics, probes = probes_of(parts)
    ends = [probes.curve(order, [10, 60], penalty=1e-4) for order in dr.bases("random", statistics, range(4))]
    assert np.ptp([end.accuracy[-1] for end in ends]) <= 0.005
    assert np.ptp([end.objective[-1] for end in ends]) <= 1e-3 * ends[0].objective[-1]


def test_shift_and_scale_do_not_matter(parts):
    X, y, X_test, y_test = parts
    one = probes_of(parts)
    two = probes_of((X * 100 + 7, y, X_test * 100 + 7, y_test))
    curves = [probes.curve(dr.basis("random", s, 1), [10, 60], penalty=1e-3) for s, probes in (one, two)]
    assert np.allclose(curves[0].objective, curves[1].objective, rtol=1e-3)
    assert np.allclose(curves[0].accuracy, curves[1].accuracy, atol=0.004)


def test_per_class_accuracy_averages_to_the_whole(parts):
    statistics, probes = probes_of(parts)
    curve = probes.curve(dr.basis("random", statistics, 1), [5, 60], penalty=1e-3)
    shares = np.bincount(parts[3], minlength=5) / len(parts[3])
    assert np.allclose((curve.per_class * shares).sum(1), curve.accuracy, atol=1e-6)


def test_stopping_early_is_said(parts, monkeypatch):
    statistics, probes = probes_of(parts)
    monkeypatch.setattr(lbfgs.minimise, "__kwdefaults__", {"tolerance": 1e-4, "max_iterations": 2})
    assert not probes.curve(dr.basis("random", statistics, 1), [60], penalty=1e-4).converged.any()


def test_penalty_is_chosen_on_the_train_set(parts):
    choice = dr.choose_logistic_penalty(parts[0], parts[1], grid=(1e-5, 1e-2, 10.0))
    best = max(choice.accuracy)
    assert choice.penalty == max(p for p, a in zip(choice.grid, choice.accuracy, strict=True) if a >= best - choice.error)
    assert choice.folds == 3
    assert choice.accuracy[2] < choice.accuracy[1]


def test_errors(parts):
    statistics, probes = probes_of(parts)
    order = dr.basis("random", statistics, 1)
    with pytest.raises(dr.InputError, match="k is 61"):
        probes.curve(order, [5, 61], penalty=1e-3)
    with pytest.raises(dr.InputError, match="ascending"):
        probes.curve(order, [5, 5], penalty=1e-3)
    with pytest.raises(dr.InputError, match="penalty is 0"):
        probes.curve(order, [5], penalty=0)
    with pytest.raises(dr.InputError, match="at least two classes"):
        dr.choose_logistic_penalty(parts[0], np.zeros_like(parts[1]))
