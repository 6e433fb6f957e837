"""Logistic probes to the last digits: one solution for the whole layer, guesses that do not hang on
the start, and how many might.
"""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from conftest import features_of, make_layer
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.probes import class_curvature, lbfgs, logistic, logistic_problems
from sklearn.linear_model import LogisticRegression

PENALTY = 1e-3


@pytest.fixture(scope="module")
def font_style() -> dr.Features:
    """Real features on which every tenth image lies near a boundary between classes."""
    return dr.features("miniature_resnet.standard_s1", "font_style", device="cpu")


@pytest.fixture
def parts():
    X, y = make_layer(n=1400, dtype="float32")
    return X[:600], y[:600], X[600:], y[600:]


def rightly_guessed(probe: dr.LogisticProbe, order: dr.Ordering, k: int) -> np.ndarray:
    """Which test images scikit-learn's solution in float64 guesses right."""
    train, test = (
        order.columns(part[:-1].T.double(), k).numpy() for part in (probe.train.exact, probe.test)
    )
    y, truth = np.asarray(probe.labels), np.asarray(probe.features.y_test)
    model = LogisticRegression(C=1 / (probe.penalty * len(y)), tol=1e-10, max_iter=20_000)
    return model.fit(train, y).predict(test) == truth


# One whole layer


@pytest.mark.slow
def test_the_whole_layer_has_one_accuracy_on_font_style(font_style):
    """Two starts gave 36.5% and 36.25% where solvers in float64 agree on another, and the first of
    them set the bar.
    """
    layer = ProbedLayer(lambda: font_style, device="cpu")
    sizes = [51, layer.d]
    curves = [
        layer.logistic(selection, [1, 2], sizes, penalty=PENALTY)
        for selection in ("random", "first", "pca")
    ]
    full = layer.full("logistic", penalty=PENALTY)
    assert [curve.sizes[-1] for curve in curves] == [layer.d] * 3
    for curve in curves:
        assert (curve.at(layer.d) == full).all() and curve.full == full
        assert np.unique(curve.objective[:, -1]) == curves[0].objective[0, -1]
    probe = dr.LogisticProbe(font_style, penalty=PENALTY, device="cpu")
    assert probe.full == full
    exact = rightly_guessed(probe, dr.ordering("first", probe.statistics), layer.d)
    assert (probe.full_right.numpy() != exact).sum() <= max(1, probe.whole.undecided)


@pytest.mark.parametrize("selection", ["random", "pca", "first"])
def test_a_rotated_layer_is_the_same_problem(parts, selection):
    probe = dr.LogisticProbe(features_of(parts), penalty=PENALTY)
    orders = dr.orderings(selection, probe.statistics, [1, 2])
    assert all(map(logistic.is_rotation, orders))
    curve = probe.curve(orders, [60])
    assert (curve.objective == probe.whole.objective).all() and (curve.values == probe.full).all()
    for row, order in enumerate(orders):
        assert curve.values[row, 0] == rightly_guessed(probe, order, 60).mean()


def test_a_layer_of_unit_columns_is_another_problem(parts):
    probe = dr.LogisticProbe(features_of(parts), penalty=PENALTY)
    order = dr.ordering("random_projection", probe.statistics, 1)
    assert not logistic.is_rotation(order)
    assert probe.curve(order, [60]).objective[0, 0] != probe.whole.objective
    assert not logistic.is_rotation(dr.ordering("random", probe.statistics, 1).first(59))


def test_the_whole_layer_comes_back_from_the_cache(parts, tmp_path):
    def layer() -> ProbedLayer:
        cache = dr.Cache(tmp_path)
        return ProbedLayer(lambda: features_of(parts), key={"name": "x"}, cache=cache)

    first, second = (layer().logistic_whole(PENALTY) for _ in range(2))
    for name, value in first.arrays().items():
        assert np.array_equal(value, second.arrays()[name])
    assert layer().full("logistic", penalty=PENALTY) == first.right.mean()


# Where it begins does not matter


def random_start(problems: logistic_problems.Problems) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(problems._zero().shape, generator=generator)


@pytest.mark.slow
def test_accuracy_does_not_hang_on_the_start(font_style, monkeypatch):
    sizes, hits = [102, 256, 512], []
    for start in (
        logistic_problems.Problems.from_ridge,
        logistic_problems.Problems._zero,
        random_start,
    ):
        for name in ("from_ridge", "from_smaller", "from_whole"):
            monkeypatch.setattr(
                logistic_problems.Problems, name, lambda self, *_, start=start: start(self)
            )
        probe = dr.LogisticProbe(font_style, penalty=PENALTY, device="cpu")
        found = probe.evaluate(dr.ordering("random", probe.statistics, 1), sizes)
        assert found["converged"].all()
        hits.append(found["hits"])
        monkeypatch.undo()
    assert max((a != b).sum(1).max() for a in hits for b in hits) <= 1


@pytest.mark.parametrize("selection", ["random", "gaussian_projection"])
def test_the_curvature_of_classes_is_for_speed_only(parts, monkeypatch, selection):
    probe = dr.LogisticProbe(features_of(parts), penalty=1e-4)
    orders, results = dr.orderings(selection, probe.statistics, [1, 2]), []
    for bytes_at_once, bad in ((1 << 29, False), (1, False), (1 << 15, False), (1 << 29, True)):
        monkeypatch.setattr(class_curvature, "BLOCKS_AT_ONCE", bytes_at_once)
        monkeypatch.setattr(class_curvature, "ill_conditioned", lambda *_, bad=bad: bad)
        results.append(probe.evaluate(orders, [5, 30, 59]))
    for one in results[1:]:
        assert one["converged"].all()
        assert np.allclose(one["objective"], results[0]["objective"], rtol=1e-4)
        assert (np.abs(one["hits"] - results[0]["hits"]).sum(1) <= 2).all()


def test_rounding_ends_what_it_keeps_from_the_tolerance():
    """In float32 the gradient of this quadratic never falls far enough."""
    scale = torch.logspace(0, 4, 30)[None, :, None]

    def evaluate(weights, active, rough):
        gradient = scale * (weights - 1000 / 3)
        return (1 + (gradient * (weights - 1000 / 3)).sum((1, 2)) / 2).double().numpy(), gradient

    found = lbfgs.minimise(
        evaluate,
        lambda gradient, active, rough: gradient.clone(),
        torch.zeros(1, 30, 1),
        tolerance=1e-30,
        max_iterations=10_000,
    )
    assert not found.converged[0] and found.iterations[0] < 1_000


# How many guesses are undecided


@pytest.mark.slow
def test_images_that_change_their_guess_are_counted(font_style):
    """Against scikit-learn's solution in float64, at the tolerance and far from it."""
    orders = dr.orderings("random", dr.SufficientStatistics.from_features(font_style.X_train), [1])
    sizes = [25, 102, 256]
    for tolerance, most in ((logistic.TOLERANCE, 8), (1e-5, 300)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(logistic, "TOLERANCE", tolerance)
            probe = dr.LogisticProbe(font_style, penalty=PENALTY, device="cpu")
            found = probe.evaluate(orders, sizes)
        for column, k in enumerate(sizes):
            exact = rightly_guessed(probe, orders[0], k)
            changed = (found["hits"][column] != exact).sum()
            assert changed <= found["undecided"][0, column] <= most


def test_undecided_images_lie_nearer_than_the_step():
    scores = torch.tensor([[2.0, 0.0, 0.0], [1.0, 0.9, 0.0], [0.0, 0.5, 0.49], [3.0, 0.0, 2.9]])
    still = torch.zeros_like(scores)
    assert logistic.count_undecided(scores, still) == 0
    assert logistic.count_undecided(scores, still + 5) == 0  # all classes alike: no guess changes
    step = still.clone()
    step[:, 0] = torch.tensor([0.0, -0.05, 0.0, 0.0])
    assert logistic.count_undecided(scores, step) == 2  # that image, and one that is nearer yet
    assert logistic.count_undecided(scores, 100 * step) == 4


def test_hits_are_those_of_the_accuracy(parts):
    probe = dr.LogisticProbe(features_of(parts), penalty=PENALTY)
    orders = dr.orderings("random", probe.statistics, [1, 2, 3])
    found = probe.evaluate(orders, [5, 30, 60])
    hits, m = found["hits"], len(parts[3])
    assert hits.shape == (3, m) and np.issubdtype(hits.dtype, np.integer)
    assert hits.min() >= 0 and hits.max() <= 3
    assert np.allclose(hits.sum(1) / (m * 3), found["values"].mean(0), atol=1e-12)
    for label in range(5):
        of_class = hits[:, parts[3] == label].mean(1) / 3
        assert np.allclose(of_class, found["per_class"].mean(0)[:, label], atol=1e-6)
    assert found["undecided"].shape == (3, 3) and np.issubdtype(
        found["undecided"].dtype, np.integer
    )
    curve = probe.curve(orders, [5, 30, 60])
    assert np.array_equal(curve.solver_error, found["undecided"] / m)
    layer = ProbedLayer(lambda: features_of(parts))
    assert np.array_equal(
        layer._logistic_arrays("random", [1, 2, 3], [5, 30], PENALTY)["hits"], hits[:2]
    )


def test_hits_and_rows_of_orderings_solved_in_turn(parts, monkeypatch):
    probe = dr.LogisticProbe(features_of(parts), penalty=PENALTY)
    orders = dr.orderings("random", probe.statistics, [1, 2, 3])
    together = probe.evaluate(orders, [5, 30])
    monkeypatch.setattr(logistic, "GATHERED_AT_ONCE", 1)
    apart = probe.evaluate(orders, [5, 30])
    assert np.abs(together["hits"] - apart["hits"]).sum(1).max() <= 2
    assert apart["values"].shape == apart["undecided"].shape == (3, 2)


def curve_of(values, error, full=0.8, sizes=(1, 2, 4)):
    return dr.Curve(
        "logistic_accuracy",
        "random",
        tuple(range(len(values))),
        np.array(sizes),
        values,
        d=4,
        full=full,
        solver_error=error,
    )


def test_a_bar_within_the_error_is_said():
    values, bar = np.array([[0.5, 0.7195, 0.8], [0.5, 0.7197, 0.8]]), 0.9
    for error, near in ((0.001, True), (0.0001, False), (0.0, False)):
        assert curve_of(values, np.array([[0, error, 0]] * 2)).near_bar(bar) == near
    # the whole layer's own error moves the bar
    assert curve_of(values, np.array([[0, 0, 0.001]] * 2)).near_bar(bar)
    assert not curve_of(values, None).near_bar(bar)
    assert not curve_of(values[:, :2], np.zeros((2, 2)), sizes=(1, 2)).near_bar(bar)
    assert curve_of(values[:, :2], np.full((2, 2), 0.001), sizes=(1, 2)).near_bar(bar)
    with pytest.raises(dr.InputError, match="delta"):
        curve_of(values, None).near_bar(2)
