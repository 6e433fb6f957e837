"""The logistic probe: against scikit-learn's LogisticRegression on the same objective."""

from __future__ import annotations

import itertools

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from conftest import features_of, make_layer
from diffused_redundancy import devices
from diffused_redundancy.probes import (
    class_curvature,
    design,
    lbfgs,
    logistic,
    logistic_penalty,
    logistic_problems,
    size_groups,
)
from diffused_redundancy.probes.cross_validation import folds_of, stratified_folds
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression


@pytest.fixture
def parts():
    X, y = make_layer(n=1400, dtype="float32")
    return X[:600], y[:600], X[600:], y[600:]


def probe_of(parts, penalty=1e-3):
    return dr.LogisticProbe(features_of(parts), penalty=penalty)


def theirs(X: np.ndarray, y: np.ndarray, penalty: float) -> tuple[LogisticRegression, float]:
    model = LogisticRegression(C=1 / (penalty * len(X)), tol=1e-8, max_iter=5000).fit(X, y)
    loss = -model.predict_log_proba(X)[np.arange(len(X)), y].mean()
    return model, loss + penalty / 2 * (model.coef_**2).sum()


@pytest.mark.parametrize("selection", dr.SELECTIONS)
@pytest.mark.parametrize("penalty", [1e-4, 1e-2])
def test_same_objective_and_accuracy_as_scikit_learn(parts, selection, penalty):
    probe = probe_of(parts, penalty)
    order = dr.ordering(selection, probe.statistics, 1)
    sizes = [k for k in (1, 5, 30, 60) if k <= order.size]
    curve = probe.curve(order, sizes)
    assert curve.converged.all()
    for k, accuracy, objective in zip(sizes, curve.values[0], curve.objective[0], strict=True):
        train, test = (
            order.columns(part[:-1].T.double(), k).numpy()
            for part in (probe.train.exact, probe.test)
        )
        model, least = theirs(train, parts[1], penalty)
        assert objective <= least * 1.001 + 1e-6
        assert objective >= least * 0.999 - 1e-6
        assert accuracy == pytest.approx(model.score(test, parts[3]), abs=0.006)


def test_the_curve_says_what_it_is_of(parts):
    probe = probe_of(parts)
    orders = dr.orderings("random", probe.statistics, [4, 2])
    curve = probe.curve(orders)
    assert (curve.measure, curve.selection, curve.seeds) == ("logistic_accuracy", "random", (4, 2))
    assert curve.sizes.tolist() == dr.sizes_of(dr.PAPER_FRACTIONS, 60) and curve.d == 60
    for array in (curve.objective, curve.converged):
        assert array.shape == curve.values.shape == (2, len(curve.sizes))
    assert curve.per_class.shape == (2, len(curve.sizes), 5)
    whole = probe.evaluate(dr.ordering("first", probe.statistics), [60])["values"]
    assert curve.full == probe.full == whole[0, 0]
    assert probe.redundancy(orders) == curve.redundancy()


def test_components_that_are_fewer_than_neurons(parts):
    X, y, X_test, y_test = parts
    probe = probe_of((X[:40], y[:40], X_test, y_test))
    curve = probe.curve(dr.ordering("pca", probe.statistics))
    assert curve.sizes[-1] <= 39 and curve.d == 60


def test_where_it_starts_does_not_matter(parts):
    """Warm starts along nested sizes are for speed: the result is that of a cold start."""
    probe = probe_of(parts, 1e-4)
    order = dr.ordering("random", probe.statistics, 2)
    warm, cold = probe.curve(order, [2, 10, 30, 60]), probe.curve(order, [60])
    assert warm.objective[0, -1] == pytest.approx(cold.objective[0, 0], rel=1e-3)
    assert warm.at(60) == pytest.approx(cold.at(60), abs=0.006)


def test_the_order_of_neurons_does_not_matter_in_the_end(parts):
    probe = probe_of(parts, 1e-4)
    ends = [
        probe.curve(order, [10, 60]) for order in dr.orderings("random", probe.statistics, range(4))
    ]
    assert np.ptp([end.at(60) for end in ends]) <= 0.005
    objectives = [end.objective[0, -1] for end in ends]
    assert np.ptp(objectives) <= 1e-3 * objectives[0]


def test_shift_and_scale_do_not_matter(parts):
    X, y, X_test, y_test = parts
    moved = X * 100 + 7, y, X_test * 100 + 7, y_test
    curves = [
        probe.curve(dr.ordering("random", probe.statistics, 1), [10, 60])
        for probe in (probe_of(parts), probe_of(moved))
    ]
    assert np.allclose(curves[0].objective, curves[1].objective, rtol=1e-3)
    assert np.allclose(curves[0].values, curves[1].values, atol=0.004)


def test_per_class_accuracy_averages_to_the_whole(parts):
    probe = probe_of(parts)
    curve = probe.curve(dr.ordering("random", probe.statistics, 1), [5, 60])
    shares = np.bincount(parts[3], minlength=5) / len(parts[3])
    assert np.allclose((curve.per_class * shares).sum(2), curve.values, atol=1e-6)


def test_stopping_early_is_said(parts, monkeypatch):
    probe = probe_of(parts, 1e-4)
    few = {"tolerance": 1e-4, "max_iterations": 2, "rough": False}
    monkeypatch.setattr(lbfgs.minimise, "__kwdefaults__", few)
    monkeypatch.setattr(class_curvature, "MAX_ITERATIONS", 2)
    assert not probe.curve(dr.ordering("random", probe.statistics, 1), [60]).converged.any()


@pytest.fixture
def noisy(parts):
    """A train set on which some penalty in the middle of the grid is best."""
    noise = np.random.default_rng(1).standard_normal(parts[0].shape).astype(np.float32)
    return parts[0] + 1.5 * parts[0].std() * noise, parts[1]


def test_penalty_is_chosen_on_the_train_set(noisy):
    """Against scikit-learn's probes of the same folds: cross-entropy of held-out images, with the
    best factor.
    """
    X, y = noisy[0].astype(np.float64), noisy[1]
    probe = dr.LogisticProbe(dr.Features(noisy[0], y))
    choice = probe.choose_penalty((1e-3, 1e-2, 1e-1, 10.0))
    fold = stratified_folds(torch.from_numpy(y), 3).numpy()
    for penalty, loss, accuracy in zip(choice.grid, choice.loss, choice.accuracy, strict=True):
        scores = np.empty((len(X), 5))
        for held in (fold == f for f in range(3)):
            kept = X[~held]
            scale = kept.var(0).mean() ** 0.5
            model, _ = theirs((kept - kept.mean(0)) / scale, y[~held], penalty)
            scores[held] = model.decision_function((X[held] - kept.mean(0)) / scale)
        assert loss == pytest.approx(entropy_with_best_factor(scores, y), rel=0.01)
        assert accuracy == pytest.approx((scores.argmax(1) == y).mean(), abs=0.01)
    assert choice.folds == 3 and choice.penalty == choice.grid[choice.at]
    assert choice.penalty == max(
        p
        for p, loss in zip(choice.grid, choice.loss, strict=True)
        if loss <= 1.02 * min(choice.loss)
    )
    assert choice.penalty not in (1e-3, 10.0)


def entropy_with_best_factor(scores: np.ndarray, y: np.ndarray) -> float:
    def entropy(log_factor: float) -> float:
        return float(-log_softmax(np.exp(log_factor) * scores, 1)[np.arange(len(y)), y].mean())

    return minimize_scalar(entropy, bounds=(-15, 10), method="bounded").fun


@pytest.mark.parametrize("factor", [1e-3, 0.3, 1, 40])
def test_the_best_factor_is_found_from_anywhere(factor):
    noise = np.random.default_rng(0)
    y = noise.integers(4, size=200)
    scores = noise.standard_normal((200, 4)) + 0.7 * np.eye(4)[y]
    weight = torch.full((200,), 1 / 200)
    given = torch.from_numpy(factor * scores).float(), torch.from_numpy(y)
    found, at = logistic_penalty.scaled_entropy(*given, weight)
    assert found == pytest.approx(entropy_with_best_factor(scores, y), rel=1e-5)
    assert found == pytest.approx(float(logistic_penalty.entropies(*given, at).mean()), rel=1e-5)


def test_scores_that_mislead_or_that_never_err():
    y, weight = torch.arange(3), torch.full((3,), 1 / 3)
    assert logistic_penalty.scaled_entropy(-torch.eye(3), y, weight)[0] == pytest.approx(np.log(3))
    assert logistic_penalty.scaled_entropy(torch.eye(3), y, weight)[0] == pytest.approx(0, abs=1e-6)


def test_weak_signal_behind_strong_noise_is_found():
    """Held-out losses rise far above chance before a penalty weak enough lets the probe see the
    neuron that knows.
    """
    noise = np.random.default_rng(0)
    y = np.arange(300) % 2
    knows = 0.03 * (2 * y - 1) + 0.003 * noise.standard_normal(300)
    X = np.concatenate([noise.standard_normal((300, 60)), knows[:, None]], 1).astype(np.float32)
    choice = dr.LogisticProbe(dr.Features(X, y)).choice
    assert choice.accuracy[choice.at] > 0.95


def test_few_noisy_images_do_not_lead_to_guessing():
    """Unscaled losses are least for a probe that knows nothing, while weaker penalties guess twice
    as often as chance.
    """
    noise = np.random.default_rng(3)
    y = np.arange(240) % 6
    X = (noise.standard_normal((240, 200)) + 0.25 * noise.standard_normal((6, 200))[y]).astype(
        np.float32
    )
    for kind in (dr.LogisticProbe, dr.RidgeProbe):
        choice = kind(dr.Features(X, y)).choice
        assert choice.accuracy[choice.at] > max(choice.accuracy) - 0.05 > 0.3


def test_the_views_of_an_image_count_as_one(noisy):
    """Images with one, two and four equal views: what the views' mean by image gives, not the mean
    over rows.
    """
    X, y = noisy
    times = np.array([1, 2, 4])[np.arange(len(y)) % 3]
    names = np.repeat(np.arange(len(y)), times)
    grid = (1e-2, 1e-1)
    labels = torch.from_numpy(y[names])
    choice = logistic_penalty.cross_validate(
        X[names], labels, grid, groups=names, device=torch.device("cpu")
    )
    fold = folds_of(labels, 3, 0, names)
    for penalty, loss in zip(grid, choice.loss, strict=True):
        scores = np.empty((len(names), 5))
        for held in (fold.numpy() == f for f in range(3)):
            kept = X[names][~held].astype(np.float64)
            scale = kept.var(0).mean() ** 0.5
            model, _ = theirs((kept - kept.mean(0)) / scale, y[names][~held], penalty)
            scores[held] = model.decision_function((X[names][held] - kept.mean(0)) / scale)
        first = np.flatnonzero(np.r_[True, np.diff(names) > 0])
        assert loss == pytest.approx(entropy_with_best_factor(scores[first], y), rel=0.01)


def test_views_of_an_image_share_a_fold(noisy):
    X, y = (np.tile(part, (2,) + (1,) * (part.ndim - 1)) for part in noisy)
    grid, views = (1e-2, 1e-1), np.tile(np.arange(len(y) // 2), 2)
    choice = dr.LogisticProbe(dr.Features(X, y, views=2)).choose_penalty(grid)
    assert choice == logistic_penalty.cross_validate(
        X, torch.from_numpy(y), grid, groups=views, device=torch.device("cpu")
    )


@pytest.mark.parametrize("kind", [dr.LogisticProbe, dr.RidgeProbe])
def test_rounding_does_not_move_the_choice(noisy, kind):
    X, y = noisy
    noise = np.random.default_rng(0)
    choices = [kind(dr.Features(X, y)).choice]
    for _ in range(4):
        moved = (X * (1 + 1e-6 * noise.standard_normal(X.shape))).astype(np.float32)
        choices.append(kind(dr.Features(moved, y)).choice)
    assert len({choice.penalty for choice in choices}) == 1
    losses = np.array([choice.loss for choice in choices])
    assert (np.ptp(losses, 0) / losses.min(0)).max() < 0.005  # less than the fiftieth that decides


@pytest.mark.parametrize("kind", [dr.LogisticProbe, dr.RidgeProbe])
def test_neurons_that_are_all_constant_are_named(kind):
    with pytest.raises(dr.InputError, match="constant"):
        _ = kind(dr.Features(np.ones((12, 3), dtype=np.float32), np.arange(12) % 2)).choice


# Solved side by side


def test_side_by_side_is_as_one_by_one(parts):
    probe = probe_of(parts)
    for selection in ("random", "gaussian_projection"):
        orders = dr.orderings(selection, probe.statistics, range(1, 5))
        together = probe.curve(orders, [3, 20, 59, 60])
        assert together.converged.all()
        for row, order in enumerate(orders):
            alone = probe.curve(order, [3, 20, 59, 60])
            assert np.allclose(together.objective[row], alone.objective[0], rtol=1e-3)
            assert np.allclose(together.values[row], alone.values[0], atol=0.005)


@pytest.mark.parametrize("selection", ["random", "random_projection", "pca"])
def test_how_probes_are_grouped_does_not_matter(parts, monkeypatch, selection):
    """One by one from the size before, or many at once, as the whole layer with zeros or as the
    largest of them.
    """
    probe = probe_of(parts)
    orders = dr.orderings(selection, probe.statistics, [1, 2])
    sizes = [2, 7, 25, 40, orders[0].size]
    curves = []
    for whole in (False, True):
        for together in (False, True):

            def partition(sizes, *_, whole=whole, together=together):
                return (
                    [size_groups.Group(tuple(sizes), whole)]
                    if together
                    else [size_groups.Group((k,), whole) for k in sizes]
                )

            monkeypatch.setattr(logistic, "cheapest_groups", partition)
            curves.append(probe.curve(orders, sizes))
    monkeypatch.setattr(logistic, "NEAR", 0.0)  # all from the whole layer's solution
    curves.append(probe.curve(orders, sizes))
    for other in curves[1:]:
        assert other.converged.all()
        assert np.allclose(curves[0].objective, other.objective, rtol=1e-3)
        assert np.allclose(curves[0].values, other.values, atol=0.005)


@pytest.mark.parametrize("selection", ["random", "random_projection"])
def test_rough_early_iterations_do_not_matter(parts, monkeypatch, selection):
    """With products in bfloat16 at first, as on processors that are fast at them, and without: the
    same minima.
    """
    curves = []
    for fast in (False, True):
        monkeypatch.setattr(design, "fast_bfloat16", lambda device, fast=fast: fast)
        probe = probe_of(parts)
        assert (probe.train.rough.dtype == torch.bfloat16) == fast
        orders = dr.orderings(selection, probe.statistics, [1, 2, 3])
        curves.append(probe.curve(orders, [1, 2, 7, 25, 40, 60]))
    one, two = curves
    assert one.converged.all() and two.converged.all()
    assert np.allclose(one.objective, two.objective, rtol=5e-4)
    assert np.allclose(one.values, two.values, atol=0.006)


def test_rough_objectives_are_near_exact_ones(parts, monkeypatch):
    monkeypatch.setattr(design, "fast_bfloat16", lambda device: True)
    probe = probe_of(parts)
    statistics = probe.statistics
    order = dr.ordering("random", statistics, 1)
    inverse = logistic_problems.inverse_factor(
        order.gram((statistics.gram / (statistics.n * statistics.mean_variance)).float()), 5, 1e-3
    )
    for whole in (False, True):
        some = logistic_problems.Problems(
            probe.train,
            probe.labels,
            5,
            [order],
            size_groups.Group((20, 60), whole),
            torch.tensor([1e-3]),
            [inverse],
        )
        weights = some.from_ridge()
        (value, gradient), (rough_value, rough_gradient) = (
            some.evaluate(weights, [0, 1], rough) for rough in (False, True)
        )
        assert np.allclose(value, rough_value, rtol=3e-3) and not np.array_equal(value, rough_value)
        assert float((gradient - rough_gradient).norm() / gradient.norm()) < 0.03
        exact, rough = (some.precondition(gradient, [0, 1], rough) for rough in (False, True))
        assert float((exact - rough).norm() / exact.norm()) < 0.02


def test_bfloat16_is_for_processors_with_instructions_for_it(monkeypatch):
    for flags, expected in (
        ("fpu avx2 avx512f", False),
        ("fpu avx512_bf16", True),
        ("amx_bf16 amx_tile", True),
    ):
        devices.fast_bfloat16.cache_clear()
        monkeypatch.setattr(
            devices.Path,
            "read_text",
            lambda path, flags=flags, **_: f"processor : 0\nflags : {flags}\n",
        )
        assert devices.fast_bfloat16(torch.device("cpu")) == expected
        assert not devices.fast_bfloat16(torch.device("cuda"))
    devices.fast_bfloat16.cache_clear()


@pytest.mark.parametrize("count", [1, 5, 100])
@pytest.mark.parametrize("classes", [2, 10, 100])
def test_groups_are_the_cheapest_partition(count, classes):
    """Against a search of all partitions."""
    sizes, n, d = [1, 10, 100, 400, 450, 500], 2_000, 512

    def cost(parts):
        total = 0.0
        for some in parts:
            worse = 1.15 if len(some) > 1 else 1.0
            columns = len(some) * classes
            total += worse * (
                size_groups.ROUND
                + min(
                    count * size_groups.cost(n, some[-1], columns),
                    size_groups.cost(n, d, count * columns),
                )
            )
        return total

    least = float("inf")
    for cuts in itertools.product([False, True], repeat=len(sizes) - 1):
        edges = [0, *[i + 1 for i, cut in enumerate(cuts) if cut], len(sizes)]
        least = min(least, cost([sizes[a:b] for a, b in itertools.pairwise(edges)]))
    partition = size_groups.cheapest_groups(sizes, count, n, d, classes)
    assert [k for one in partition for k in one.sizes] == sizes
    assert cost([one.sizes for one in partition]) == pytest.approx(least)


def test_few_problems_at_a_time_give_the_same(parts, monkeypatch):
    probe = probe_of(parts)
    orders = dr.orderings("random", probe.statistics, range(5))
    whole = probe.curve(orders, [10, 60])
    monkeypatch.setattr(logistic, "GATHERED_AT_ONCE", 1)
    monkeypatch.setattr(logistic_problems, "SCORES_AT_ONCE", 1)
    few = probe.curve(orders, [10, 60])
    assert np.allclose(whole.objective, few.objective, rtol=1e-3)


def test_folds_side_by_side_are_folds_apart(parts):
    """Cross-validation with masked rows, against scikit-learn's probes fitted to each training
    part.
    """
    X, y, *_ = parts
    grid = (1e-4, 1e-1)
    choice = dr.LogisticProbe(dr.Features(X, y)).choose_penalty(grid)
    fold = stratified_folds(torch.from_numpy(y), 3).numpy()
    accuracy = np.empty((3, 2))
    for f in range(3):
        inside, held = X[fold != f].astype(np.float64), X[fold == f].astype(np.float64)
        scale = np.sqrt(inside.var(0).mean())
        for i, penalty in enumerate(grid):
            model, _ = theirs((inside - inside.mean(0)) / scale, y[fold != f], penalty)
            accuracy[f, i] = model.score((held - inside.mean(0)) / scale, y[fold == f])
    assert np.allclose(choice.accuracy, accuracy.mean(0), atol=0.006)


def test_residuals_are_those_of_a_softmax():
    generator = torch.Generator().manual_seed(0)
    for spread in (1, 30, 300):  # the last one beyond what can be exponentiated
        scores = spread * torch.randn(3, 7, 50, generator=generator)
        labels = torch.randint(7, (50,), generator=generator)
        one_hot = torch.nn.functional.one_hot(labels, 7).T
        expected = torch.log_softmax(scores.double(), 1)
        entropy = logistic_problems.residuals(scores, labels)
        assert torch.allclose(entropy.double(), -(expected * one_hot).sum(1), rtol=1e-5, atol=1e-6)
        assert torch.allclose(scores.double(), expected.exp() - one_hot, atol=1e-6)


@pytest.mark.parametrize("size", [1, 200, 257, 1000])
def test_inverse_of_a_triangle(size):
    matrix = torch.randn(size, size, dtype=torch.float64)
    factor = torch.linalg.cholesky(matrix @ matrix.T + size * torch.eye(size, dtype=torch.float64))
    found = logistic_problems._inverse(factor)
    assert torch.allclose(
        found @ factor, torch.eye(size, dtype=torch.float64), atol=1e-9
    ) and torch.equal(found, found.tril())


@pytest.mark.parametrize("start", ["exact", "rough"])
def test_lbfgs_finds_the_minima_of_quadratics(start):
    """Problems of different difficulty, each with its own history and end, against the solutions of
    linear systems.
    """
    generator = torch.Generator().manual_seed(0)
    matrices = torch.stack(
        [torch.diag(torch.logspace(0, power, 12, dtype=torch.float64)) for power in (0, 1, 3)]
    )
    turn = torch.linalg.qr(torch.randn(12, 12, generator=generator, dtype=torch.float64)).Q
    matrices = turn @ matrices @ turn.T
    wanted = torch.randn(3, 12, 1, generator=generator, dtype=torch.float64)

    def evaluate(weights, active, rough):
        off = weights - wanted[active] + (0.003 * torch.cos(37 * weights) if rough else 0)
        gradient = matrices[active] @ off
        return ((off * gradient).sum((1, 2)) / 2 + 1).numpy(), gradient

    def same(gradient, active, rough):
        return gradient.clone()

    begin = torch.zeros(3, 12, 1, dtype=torch.float64)
    found = lbfgs.minimise(evaluate, same, begin, tolerance=1e-12, rough=start == "rough")
    assert torch.allclose(found.weights, wanted, atol=1e-4) and found.converged.all()
    assert (
        np.allclose(found.objective, 1)
        and found.iterations[0] < found.iterations[2]
        and (found.evaluations > found.iterations).all()
    )
