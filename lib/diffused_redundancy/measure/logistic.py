"""The multinomial logistic probe: what the paper reports, solved to its optimum instead of by a tuned SGD.

The objective is convex (cross-entropy with a ridge penalty, see ``probes``), so its minimum is a property of the
features alone: no learning rate, schedule, order of data or initialisation. It is minimised by L-BFGS until
the quadratic model says that less than 2e-5 of it is left to gain. Nested subsets are solved in order of size, each
started from the solution of the one before.

L-BFGS starts each direction from the inverse of an approximate Hessian, c X'X/n + penalty, with c = 0.1/C. At equal
class probabilities the curvature is 1/C exactly; a tenth of it suits probes that have learned something, and its
overall scale does not matter. On bases whose directions are nearly parallel (the authors' random projections) or of
very different variance (principal components) this takes a third to a seventh of the iterations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..devices import resolve_device
from ..errors import InputError, check_whole
from .arrays import as_features, as_labels, check_finite, count_classes
from .probes import LOGISTIC_GRID, PenaltyChoice, check_classes, check_penalty, choose, folded, per_class
from .selections import Basis
from .statistics import SufficientStatistics, on_device

CURVATURE = 0.1
HISTORY = 20
ENOUGH_HISTORY = 3
TOLERANCE = 2e-5
MAX_ITERATIONS = 500


@dataclass(frozen=True)
class LogisticFit:
    """A fitted probe, in units of features that are centred and divided by the root of their mean variance.

    Attributes
    ----------
    weights : Tensor (k + 1, C)
        The last row is the intercept.
    objective : float
        Mean cross-entropy (nats) plus penalty.
    left : float
        The share of the objective that the quadratic model says is left to gain.
    iterations : int
    converged : bool
        Whether ``left`` is within tolerance.
    """

    weights: Tensor = field(repr=False)
    objective: float
    left: float
    iterations: int
    converged: bool


@dataclass(frozen=True)
class LogisticCurve:
    """Test accuracy of logistic probes on the first k neurons for some k.

    Attributes
    ----------
    sizes : ndarray (s,)
    accuracy : ndarray (s,)
        In [0, 1].
    per_class : ndarray (s, C)
        NaN for classes with no test images.
    objective : ndarray (s,)
        The minimum reached on the train set, in nats.
    converged : ndarray (s,) of bool
    penalty : float
    """

    sizes: np.ndarray
    accuracy: np.ndarray = field(repr=False)
    per_class: np.ndarray = field(repr=False)
    objective: np.ndarray = field(repr=False)
    converged: np.ndarray = field(repr=False)
    penalty: float


class _Objective:
    """Penalised mean cross-entropy of features (n, k) with a column of ones appended, and its gradient."""

    def __init__(self, features: Tensor, labels: Tensor, num_classes: int, penalty: float) -> None:
        ones = torch.ones(len(features), 1, dtype=features.dtype, device=features.device)
        self.features = torch.cat([features, ones], 1)
        self.labels = labels
        self.shape = (self.features.shape[1], num_classes)
        self.penalty = torch.full((self.shape[0], 1), penalty, dtype=features.dtype, device=features.device)
        self.penalty[-1] = 0

    def inverse_hessian(self) -> Tensor:
        """The inverse of the approximate Hessian that all classes share, (k + 1, k + 1)."""
        gram = (self.features.T @ self.features).cpu().double() * (CURVATURE / self.shape[1] / len(self.features))
        gram.diagonal().add_(self.penalty[:, 0].cpu().double())
        return torch.cholesky_inverse(torch.linalg.cholesky(gram)).to(self.features)

    def __call__(self, weights: Tensor) -> tuple[float, Tensor]:
        n = len(self.features)
        log_probability = torch.log_softmax(self.features @ weights, 1)
        loss = -log_probability.gather(1, self.labels[:, None]).sum(dtype=accumulator(weights))
        shrink = (self.penalty * weights * weights).sum(dtype=accumulator(weights))
        residual = log_probability.exp_()
        residual.scatter_add_(1, self.labels[:, None], torch.full_like(residual[:, :1], -1))
        gradient = self.features.T @ residual / n + self.penalty * weights
        return float(loss) / n + 0.5 * float(shrink), gradient


def accumulator(tensor: Tensor) -> torch.dtype:
    """The type sums are taken in: float64, except on MPS, which has none."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def _direction(gradient: Tensor, history: list[tuple[Tensor, Tensor, float]], inverse: Tensor) -> Tensor:
    """The L-BFGS direction -H g by the two-loop recursion (Nocedal and Wright, algorithm 7.4), from ``inverse``."""
    direction = -gradient
    coefficients = []
    for step, change, curvature in reversed(history):
        coefficient = _dot(step, direction) / curvature
        direction = direction - coefficient * change
        coefficients.append(coefficient)
    direction = inverse @ direction
    if history:
        step, change, curvature = history[-1]
        direction = direction * (curvature / _dot(change, inverse @ change))
    for (step, change, curvature), coefficient in zip(history, reversed(coefficients), strict=True):
        direction = direction + (coefficient - _dot(change, direction) / curvature) * step
    return direction


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a.flatten(), b.flatten())


def minimise(objective: _Objective, start: Tensor, *, tolerance: float = TOLERANCE, max_iterations: int = MAX_ITERATIONS) -> LogisticFit:
    """Minimise a convex objective by L-BFGS with a backtracking, widening line search.

    Parameters
    ----------
    objective : callable
        From weights to the value (float) and the gradient; it also gives an approximate inverse Hessian.
    start : Tensor
        Where to begin.
    tolerance : float
        Stop when the quadratic model says that less than this share of the objective is left to gain. (A bound
        on the gradient would not do: with a small penalty and separable classes the gradient is tiny long
        before the minimum, and the result would depend on where one began.)
    max_iterations : int
        Stop here in any case; the fit then says ``converged=False``.
    """
    weights = start
    value, gradient = objective(weights)
    inverse = objective.inverse_hessian()
    history: list[tuple[Tensor, Tensor, float]] = []
    left, iteration = float("inf"), 0
    while iteration < max_iterations:
        direction = _direction(gradient, history, inverse)
        slope = float(_dot(direction, gradient))
        if slope >= 0:  # lost to rounding: begin again from the approximate Hessian
            history.clear()
            direction = -(inverse @ gradient)
            slope = float(_dot(direction, gradient))
        left = -slope / 2 / max(value, 1e-12)
        if left <= tolerance and (len(history) >= ENOUGH_HISTORY or left <= tolerance * 1e-3):
            break
        length, low, high = 1.0, 0.0, float("inf")
        noise = 1e-6 * abs(value)  # what float32 cannot tell apart; within it the slope decides
        for _ in range(20):
            trial = weights + length * direction
            trial_value, trial_gradient = objective(trial)
            trial_slope = float(_dot(direction, trial_gradient))
            if trial_value > value + 1e-4 * length * slope + noise or trial_slope > 0.9 * abs(slope):
                high = length
                length = (low + high) / 2
            elif trial_slope < 0.9 * slope:
                low = length
                length = 2 * length if high == float("inf") else (low + high) / 2
            else:
                break
        step, change = trial - weights, trial_gradient - gradient
        curvature = float(_dot(step, change))
        if curvature > 1e-12 * float(_dot(change, change)):
            history.append((step, change, curvature))
            del history[:-HISTORY]
        weights, value, gradient = trial, trial_value, trial_gradient
        iteration += 1
    return LogisticFit(weights, value, left, iteration, left <= tolerance)


def fit_logistic(features: Tensor, labels: Tensor, num_classes: int, penalty: float, *, start: Tensor | None = None) -> LogisticFit:
    """Fit one probe on features already centred and scaled.

    Parameters
    ----------
    features : Tensor (n, k), float32 or float64
    labels : Tensor (n,), int64, on the same device
    num_classes : int
    penalty : float
        Half of it times the squared weights is added to the mean cross-entropy.
    start : Tensor (j + 1, C), optional
        The weights of a probe on the first j <= k of the features, to begin from.
    """
    objective = _Objective(features, labels, num_classes, penalty)
    weights = torch.zeros(objective.shape, dtype=features.dtype, device=features.device)
    if start is not None:
        weights[: len(start) - 1] = start[:-1]
        weights[-1] = start[-1]
    return minimise(objective, weights)


class LogisticProbes:
    """The train and test features of one layer, ready to be probed in any basis.

    Parameters
    ----------
    X, y : arrays (n, d) and (n,)
        The train set.
    X_test, y_test : arrays (m, d) and (m,)
        The test set; its labels must occur in the train set's range.
    statistics : SufficientStatistics
        Of the train set: their mean and mean variance centre and scale the features.
    device : str
        As for the statistics.
    """

    def __init__(self, X: Any, y: Any, X_test: Any, y_test: Any, statistics: SufficientStatistics, *, device: str = "auto") -> None:
        train, test = as_features(X), as_features(X_test, "X_test")
        self.num_classes = statistics.num_classes or count_classes(as_labels(y, len(train)))
        self.labels = as_labels(y, len(train), classes=self.num_classes)
        check_classes(self.labels)
        self.test_labels = as_labels(y_test, len(test), "y_test", classes=self.num_classes)
        for name, features in (("X", train), ("X_test", test)):
            if features.shape[1] != statistics.d:
                raise InputError(f"{name} has {features.shape[1]} neurons: the statistics are of {statistics.d}")
            check_finite(features.sum(0, dtype=torch.float64), features, name)
        self.device = resolve_device(device)
        if not statistics.mean_variance > 0:
            raise InputError("every neuron is constant: there is nothing to probe")
        self._train = self._prepared(train, statistics)
        self._test = self._prepared(test, statistics)

    def _prepared(self, features: Tensor, statistics: SufficientStatistics) -> Tensor:
        work = on_device(features, self.device)
        return ((work - statistics.mean.to(self.device, work.dtype)) / statistics.mean_variance**0.5).float()

    def curve(self, basis: Basis, sizes: Sequence[int], *, penalty: float) -> LogisticCurve:
        """Test accuracy of the probes on the first k directions of a basis, for each k in ``sizes`` (ascending)."""
        check_penalty(penalty)
        steps = [check_whole(k, "k", 1, basis.size) for k in sizes]
        if steps != sorted(set(steps)) or not steps:
            raise InputError(f"sizes {list(sizes)} must be ascending, without repeats")
        train, test = basis.columns(self._train, steps[-1]), basis.columns(self._test, steps[-1])
        labels, truth = self.labels.to(self.device), self.test_labels.to(self.device)
        start: Tensor | None = None
        fits, right = [], []
        for k in steps:
            fit = fit_logistic(train[:, :k], labels, self.num_classes, penalty, start=start)
            start = fit.weights
            guesses = (test[:, :k] @ start[:-1] + start[-1]).argmax(1)
            fits.append(fit)
            right.append(guesses == truth)
        hits = torch.stack(right)
        return LogisticCurve(
            np.array(steps),
            hits.double().mean(1).cpu().numpy() if self.device.type != "mps" else hits.float().mean(1).cpu().double().numpy(),
            per_class(hits, truth, self.num_classes),
            np.array([fit.objective for fit in fits]),
            np.array([fit.converged for fit in fits]),
            penalty,
        )


def choose_logistic_penalty(
    X: Any, y: Any, *, grid: tuple[float, ...] = LOGISTIC_GRID, folds: int = 3, seed: int = 0, groups: Any = None, device: str = "auto"
) -> PenaltyChoice:
    """Choose the penalty of the full layer by cross-validation on the train set.

    Each fold walks the grid from strong to weak, starting from the solution before.

    Parameters
    ----------
    X : array (n, d)
    y : array of int (n,)
    grid : tuple of float
        Penalties to try.
    folds, seed : int
        Number of folds, and seed of the assignment.
    groups : array (n,), optional
        Of rows that must share a fold, such as views of one image.
    device : str
        As for the statistics.
    """
    features = as_features(X)
    labels, num_classes, fold = folded(y, len(features), folds, seed, groups)
    folds = int(fold.max()) + 1
    accuracy = np.empty((folds, len(grid)))
    for f in range(folds):
        inside, outside = fold != f, fold == f
        statistics = SufficientStatistics.from_features(features[inside], labels[inside], num_classes=num_classes, device=device)
        probes = LogisticProbes(features[inside], labels[inside], features[outside], labels[outside], statistics, device=device)
        y_in, y_out = probes.labels.to(probes.device), probes.test_labels.to(probes.device)
        start: Tensor | None = None
        for i in sorted(range(len(grid)), key=lambda i: -grid[i]):
            start = fit_logistic(probes._train, y_in, num_classes, check_penalty(grid[i]), start=start).weights
            guesses = (probes._test @ start[:-1] + start[-1]).argmax(1)
            accuracy[f, i] = float((guesses == y_out).float().mean())
    return choose(grid, accuracy)
