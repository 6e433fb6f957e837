"""The logistic probe: against scikit-learn's LogisticRegression on the same objective."""

from __future__ import annotations

import itertools

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from conftest import make_layer
from diffused_redundancy import devices
from diffused_redundancy.probes import lbfgs, logistic, problems
from diffused_redundancy.probes.cross_validation import fold_of, folded
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
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
    order = dr.ordering(selection, statistics, 1)
    sizes = [k for k in (1, 5, 30, 60) if k <= order.size]
    curve = probes.curve(order, sizes, penalty=penalty)
    assert curve.converged.all()
    scale = statistics.mean_variance**0.5
    for k, accuracy, objective in zip(sizes, curve.accuracy, curve.objective, strict=True):
        train, test = (
            order.columns(part[:-1].T.double(), k).numpy()
            for part in (probes.train.exact, probes.test)
        )
        model, least = theirs(train, parts[1], penalty)
        assert objective <= least * 1.001 + 1e-6
        assert objective >= least * 0.999 - 1e-6
        assert accuracy == pytest.approx(model.score(test, parts[3]), abs=0.006)
    assert scale > 0


def test_where_it_starts_does_not_matter(parts):
    """Warm starts along nested sizes are for speed: the result is that of a cold start."""
    statistics, probes = probes_of(parts)
    order = dr.ordering("random", statistics, 2)
    warm = probes.curve(order, [2, 10, 30, 60], penalty=1e-4)
    cold = probes.curve(order, [60], penalty=1e-4)
    assert warm.objective[-1] == pytest.approx(cold.objective[0], rel=1e-3)
    assert warm.accuracy[-1] == pytest.approx(cold.accuracy[0], abs=0.006)


def test_the_order_of_neurons_does_not_matter_in_the_end(parts):
    statistics, probes = probes_of(parts)
    ends = [
        probes.curve(order, [10, 60], penalty=1e-4)
        for order in dr.orderings("random", statistics, range(4))
    ]
    assert np.ptp([end.accuracy[-1] for end in ends]) <= 0.005
    assert np.ptp([end.objective[-1] for end in ends]) <= 1e-3 * ends[0].objective[-1]


def test_shift_and_scale_do_not_matter(parts):
    X, y, X_test, y_test = parts
    one = probes_of(parts)
    two = probes_of((X * 100 + 7, y, X_test * 100 + 7, y_test))
    curves = [
        probes.curve(dr.ordering("random", s, 1), [10, 60], penalty=1e-3)
        for s, probes in (one, two)
    ]
    assert np.allclose(curves[0].objective, curves[1].objective, rtol=1e-3)
    assert np.allclose(curves[0].accuracy, curves[1].accuracy, atol=0.004)


def test_per_class_accuracy_averages_to_the_whole(parts):
    statistics, probes = probes_of(parts)
    curve = probes.curve(dr.ordering("random", statistics, 1), [5, 60], penalty=1e-3)
    shares = np.bincount(parts[3], minlength=5) / len(parts[3])
    assert np.allclose((curve.per_class * shares).sum(1), curve.accuracy, atol=1e-6)


def test_stopping_early_is_said(parts, monkeypatch):
    statistics, probes = probes_of(parts)
    monkeypatch.setattr(lbfgs.minimise, "__kwdefaults__", {"tolerance": 1e-4, "max_iterations": 2})
    assert not probes.curve(
        dr.ordering("random", statistics, 1), [60], penalty=1e-4
    ).converged.any()


@pytest.fixture
def noisy(parts):
    """A train set on which some penalty in the middle of the grid is best."""
    noise = np.random.default_rng(1).standard_normal(parts[0].shape).astype(np.float32)
    return parts[0] + 1.5 * parts[0].std() * noise, parts[1]


def test_penalty_is_chosen_on_the_train_set(noisy):
    """Against scikit-learn's probes of the same folds: cross-entropy of the images left out, with
    the best factor.
    """
    X, y = noisy[0].astype(np.float64), noisy[1]
    choice = dr.choose_logistic_penalty(noisy[0], y, grid=(1e-3, 1e-2, 1e-1, 10.0))
    fold = fold_of(torch.from_numpy(y), 3).numpy()
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
    found = logistic.scaled_entropy(
        torch.from_numpy(factor * scores).float(), torch.from_numpy(y), weight
    )
    assert found == pytest.approx(entropy_with_best_factor(scores, y), rel=1e-5)


def test_scores_that_mislead_or_that_never_err():
    y, weight = torch.arange(3), torch.full((3,), 1 / 3)
    assert logistic.scaled_entropy(-torch.eye(3), y, weight) == pytest.approx(np.log(3))
    assert logistic.scaled_entropy(torch.eye(3), y, weight) == pytest.approx(0, abs=1e-6)


def test_weak_signal_behind_strong_noise_is_found():
    """Held-out losses rise far above chance before a penalty weak enough lets the probe see the
    neuron that knows.
    """
    noise = np.random.default_rng(0)
    y = np.arange(300) % 2
    knows = 0.03 * (2 * y - 1) + 0.003 * noise.standard_normal(300)
    X = np.concatenate([noise.standard_normal((300, 60)), knows[:, None]], 1).astype(np.float32)
    choice = dr.choose_logistic_penalty(X, y)
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
    for choice in (dr.choose_logistic_penalty(X, y), dr.choose_ridge_penalty(X, y)):
        assert choice.accuracy[choice.at] > max(choice.accuracy) - 0.05 > 0.3


def test_the_views_of_an_image_count_as_one(noisy):
    """Images with one, two and four equal views: what the views' mean by image gives, not the mean
    over rows.
    """
    X, y = noisy
    times = np.array([1, 2, 4])[np.arange(len(y)) % 3]
    names = np.repeat(np.arange(len(y)), times)
    grid = (1e-2, 1e-1)
    choice = dr.choose_logistic_penalty(X[names], y[names], grid=grid, groups=names)
    _, _, fold = folded(y[names], len(names), 3, 0, names)
    for penalty, loss in zip(grid, choice.loss, strict=True):
        scores = np.empty((len(names), 5))
        for held in (fold.numpy() == f for f in range(3)):
            kept = X[names][~held].astype(np.float64)
            scale = kept.var(0).mean() ** 0.5
            model, _ = theirs((kept - kept.mean(0)) / scale, y[names][~held], penalty)
            scores[held] = model.decision_function((X[names][held] - kept.mean(0)) / scale)
        first = np.flatnonzero(np.r_[True, np.diff(names) > 0])
        assert loss == pytest.approx(entropy_with_best_factor(scores[first], y), rel=0.01)


@pytest.mark.parametrize("choose", [dr.choose_logistic_penalty, dr.choose_ridge_penalty])
def test_rounding_does_not_move_the_choice(noisy, choose):
    X, y = noisy
    noise = np.random.default_rng(0)
    found = [choose(X, y)] + [
        choose(X * (1 + 1e-6 * noise.standard_normal(X.shape)).astype(np.float32), y)
        for _ in range(4)
    ]
    assert len({choice.penalty for choice in found}) == 1
    losses = np.array([choice.loss for choice in found])
    assert (np.ptp(losses, 0) / losses.min(0)).max() < 0.005  # less than the fiftieth that decides


@pytest.mark.parametrize("choose", [dr.choose_logistic_penalty, dr.choose_ridge_penalty])
def test_neurons_that_are_all_constant_are_named(choose):
    with pytest.raises(dr.InputError, match="constant"):
        choose(np.ones((12, 3), dtype=np.float32), np.arange(12) % 2)


def test_errors(parts):
    statistics, probes = probes_of(parts)
    order = dr.ordering("random", statistics, 1)
    with pytest.raises(dr.InputError, match="k is 61"):
        probes.curve(order, [5, 61], penalty=1e-3)
    with pytest.raises(dr.InputError, match="ascending"):
        probes.curve(order, [5, 5], penalty=1e-3)
    with pytest.raises(dr.InputError, match="penalty is 0"):
        probes.curve(order, [5], penalty=0)
    with pytest.raises(dr.InputError, match="at least two classes"):
        dr.choose_logistic_penalty(parts[0], np.zeros_like(parts[1]))


# Solved side by side


def test_side_by_side_is_as_one_by_one(parts):
    statistics, probes = probes_of(parts)
    for selection in ("random", "gaussian_projection"):
        orders = dr.orderings(selection, statistics, range(1, 5))
        together = probes.curves(orders, [3, 20, 59, 60], penalty=1e-3)
        for order, curve in zip(orders, together, strict=True):
            alone = probes.curve(order, [3, 20, 59, 60], penalty=1e-3)
            assert curve.converged.all() and np.allclose(
                curve.objective, alone.objective, rtol=1e-3
            )
            assert np.allclose(curve.accuracy, alone.accuracy, atol=0.005)


@pytest.mark.parametrize("selection", ["random", "random_projection", "pca"])
def test_how_probes_are_grouped_does_not_matter(parts, monkeypatch, selection):
    """One by one from the size before, or many at once, as the whole layer with zeros or as the
    largest of them.
    """
    statistics, probes = probes_of(parts)
    orders = dr.orderings(selection, statistics, [1, 2])
    sizes = [2, 7, 25, 40, orders[0].size]
    found = []
    for whole in (False, True):
        for together in (False, True):

            def grouped(sizes, *_, whole=whole, together=together):
                return (
                    [logistic.Group(tuple(sizes), whole)]
                    if together
                    else [logistic.Group((k,), whole) for k in sizes]
                )

            monkeypatch.setattr(logistic, "grouped", grouped)
            found.append(probes.curves(orders, sizes, penalty=1e-3))
    monkeypatch.setattr(logistic, "NEAR", 0.0)  # all from the whole layer's solution
    found.append(probes.curves(orders, sizes, penalty=1e-3))
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            assert two.converged.all() and np.allclose(one.objective, two.objective, rtol=1e-3)
            assert np.allclose(one.accuracy, two.accuracy, atol=0.005)


@pytest.mark.parametrize("selection", ["random", "random_projection"])
def test_rough_early_iterations_do_not_matter(parts, monkeypatch, selection):
    """With products in bfloat16 at first, as on processors that are fast at them, and without: the
    same minima.
    """
    found = []
    for fast in (False, True):
        monkeypatch.setattr(problems, "fast_bfloat16", lambda device, fast=fast: fast)
        statistics, probes = probes_of(parts)
        assert (probes.train.rough.dtype == torch.bfloat16) == fast
        found.append(
            probes.curves(
                dr.orderings(selection, statistics, [1, 2, 3]), [1, 2, 7, 25, 40, 60], penalty=1e-3
            )
        )
    for one, two in zip(*found, strict=True):
        assert one.converged.all() and two.converged.all()
        assert np.allclose(one.objective, two.objective, rtol=5e-4)
        assert np.allclose(one.accuracy, two.accuracy, atol=0.006)


def test_rough_objectives_are_near_exact_ones(parts, monkeypatch):
    monkeypatch.setattr(problems, "fast_bfloat16", lambda device: True)
    statistics, probes = probes_of(parts)
    order = dr.ordering("random", statistics, 1)
    inverse = problems.inverse_factor(
        order.gram((statistics.gram / (statistics.n * statistics.mean_variance)).float()), 5, 1e-3
    )
    for whole in (False, True):
        some = problems.Problems(
            probes.train,
            probes.labels,
            5,
            [order],
            problems.Group((20, 60), whole),
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
                problems.ROUND
                + min(
                    count * problems._cost(n, some[-1], columns),
                    problems._cost(n, d, count * columns),
                )
            )
        return total

    least = float("inf")
    for cuts in itertools.product([False, True], repeat=len(sizes) - 1):
        edges = [0, *[i + 1 for i, cut in enumerate(cuts) if cut], len(sizes)]
        least = min(least, cost([sizes[a:b] for a, b in itertools.pairwise(edges)]))
    found = logistic.grouped(sizes, count, n, d, classes)
    assert [k for one in found for k in one.sizes] == sizes
    assert cost([one.sizes for one in found]) == pytest.approx(least)


def test_few_problems_at_a_time_give_the_same(parts, monkeypatch):
    statistics, probes = probes_of(parts)
    orders = dr.orderings("random", statistics, range(5))
    whole = probes.curves(orders, [10, 60], penalty=1e-3)
    monkeypatch.setattr(logistic, "GATHERED_AT_ONCE", 1)
    monkeypatch.setattr(problems, "SCORES_AT_ONCE", 1)
    for one, other in zip(whole, probes.curves(orders, [10, 60], penalty=1e-3), strict=True):
        assert np.allclose(one.objective, other.objective, rtol=1e-3)


def test_folds_side_by_side_are_folds_apart(parts):
    """Cross-validation with masked rows, against scikit-learn's probes fitted to each training
    part.
    """
    X, y, *_ = parts
    grid = (1e-4, 1e-1)
    choice = dr.choose_logistic_penalty(X, y, grid=grid)
    fold = fold_of(torch.from_numpy(y.astype(np.int64)), 3).numpy()
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
        entropy = problems.residuals(scores, labels)
        assert torch.allclose(entropy.double(), -(expected * one_hot).sum(1), rtol=1e-5, atol=1e-6)
        assert torch.allclose(scores.double(), expected.exp() - one_hot, atol=1e-6)


@pytest.mark.parametrize("size", [1, 200, 257, 1000])
def test_inverse_of_a_triangle(size):
    matrix = torch.randn(size, size, dtype=torch.float64)
    factor = torch.linalg.cholesky(matrix @ matrix.T + size * torch.eye(size, dtype=torch.float64))
    found = problems._inverse(factor)
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
