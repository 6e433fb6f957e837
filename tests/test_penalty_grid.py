"""Grids of penalties go on where their end is best, as where one neuron varies the most by far."""

from __future__ import annotations

import dataclasses

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import make_layer
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.probes.cross_validation import (
    LOGISTIC_GRID,
    RIDGE_GRID,
    HeldOut,
    choose,
)
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV


@pytest.fixture(scope="module")
def mixed():
    """Correlated features of five classes, and labels; 400 train images."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 1000)
    X = rng.standard_normal((1000, 40)) @ rng.standard_normal((40, 40))
    return X + 2 * np.eye(5)[y] @ rng.standard_normal((5, 40)), y


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")  # of scikit-learn
@pytest.mark.parametrize("times", [1, 300, 1000, 1e5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_large_neuron_hides_nothing(mixed, times, dtype):
    X, y = mixed
    X = (X * np.where(np.arange(40) == 0, times, 1)).astype(dtype)
    parts = X[:400], y[:400], X[400:], y[400:]
    features, (Z, labels, Z_test, truth) = dr.Features(*parts), parts
    Z, Z_test = Z.astype(float), Z_test.astype(float)
    alphas = len(Z) * Z.var(0).mean() * 10.0 ** np.arange(-13, 3, 0.5)
    ridge = RidgeClassifierCV(alphas=alphas).fit(Z, labels).score(Z_test, truth)
    assert dr.RidgeProbe(features).full >= ridge - 0.01
    logistic = max(
        LogisticRegression(C=C, max_iter=1000, solver="newton-cholesky")
        .fit(Z, labels)
        .score(Z_test, truth)
        for C in (1e-2, 1, 100)
    )
    assert dr.LogisticProbe(features).full >= logistic - 0.01


def test_usual_layers_are_tried_at_the_usual_penalties():
    X, y = make_layer()
    features = dr.Features(X[:300], y[:300], X[300:], y[300:])
    assert dr.RidgeProbe(features).choice.grid == RIDGE_GRID
    assert dr.LogisticProbe(features).choice.grid == LOGISTIC_GRID
    few = dr.LogisticProbe(features).choose_penalty((1e-3, 1e-2))
    assert few.grid == (1e-3, 1e-2)  # as asked for, no more


def choice_for(best, grid, **options):
    """Losses that are least at a penalty, and a tenth higher each decade from it."""

    def losses(penalties):
        tried.append(penalties)
        apart = np.abs(np.log10(penalties) - np.log10(best))
        loss = 1 + apart / 10
        return HeldOut(loss, np.ones(len(penalties)), np.stack([loss, loss]))

    tried: list[tuple[float, ...]] = []
    found = choose(losses, grid, 3, within=1.001, **options)
    assert sum(map(len, tried)) == len(set(sum(tried, ()))) == len(found.grid)
    return found


@pytest.mark.parametrize("grid", [RIDGE_GRID, LOGISTIC_GRID])
@pytest.mark.parametrize("best", [1e-9, 1e-6, 1e-3, 100.0, 1e4])
def test_grids_end_a_decade_beyond_the_best(grid, best):
    found = choice_for(best, grid, extend=True)
    assert found.penalty == best and not found.at_edge
    assert found.grid == tuple(sorted(found.grid))
    assert found.grid[0] == pytest.approx(min(best / 10, grid[0]))
    assert found.grid[-1] == pytest.approx(max(10 * best, grid[-1]))
    assert choice_for(best, grid, extend=False).grid == grid


@pytest.mark.parametrize(("best", "end"), [(1e-20, 1e-12), (1e20, 1e6)])
def test_grids_have_limits(best, end):
    found = choice_for(best, LOGISTIC_GRID, extend=True)
    assert found.at_edge and found.penalty == pytest.approx(end)


def test_a_cached_choice_knows_what_was_tried(mixed, tmp_path):
    X, y = mixed
    X = X * np.where(np.arange(40) == 0, 300, 1)
    features = dr.Features(X[:400], y[:400], X[400:], y[400:])
    from diffused_redundancy.store import Cache

    for _ in range(2):
        layer = ProbedLayer(lambda: features, key={"a": 1}, cache=Cache(tmp_path))
        for probe, first in (("ridge", RIDGE_GRID), ("logistic", LOGISTIC_GRID)):
            choice = layer.penalty(probe)
            assert choice.grid[0] < first[0] and len(choice.grid) == len(choice.loss)
            assert choice.grid[choice.at] == choice.penalty


def test_a_penalty_at_the_end_is_noted(monkeypatch, mixed):
    X, y = mixed
    given = X[:400], y[:400], X[400:], y[400:]
    assert dr.measure(*given, probe="both", seeds=1).notes == ()
    for place, end in ((0, "weakest"), (-1, "strongest")):
        for probe in ("ridge", "logistic"):
            original = ProbedLayer.__dict__[f"{probe}_penalty"].func

            def at_end(self, original=original, place=place):
                found = original(self)
                return dataclasses.replace(found, penalty=found.grid[place])

            with monkeypatch.context() as patch:
                patch.setattr(ProbedLayer, f"{probe}_penalty", property(at_end))
                notes = dr.measure(*given, probe="both", seeds=1).notes
                assert any(
                    f"penalty of the {probe} probe" in n and f"the {end}" in n for n in notes
                )
                if probe == "ridge":  # nothing to note of one's own
                    own = dr.measure(*given, penalty=0.1, seeds=1).notes
                    assert own == ()
