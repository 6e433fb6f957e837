"""The multinomial logistic probe: what the paper reports, solved to its optimum instead of by a tuned SGD.

The objective is convex (cross-entropy with a ridge penalty, see ``probes``), so its minimum is a property of the
features alone: no learning rate, schedule, order of data or initialisation. It is minimised by L-BFGS until
the quadratic model says that less than 2e-5 of it is left to gain. Nested subsets are solved in order of size, each
started from the solution of the one before.

L-BFGS starts each direction from the inverse of an approximate Hessian, c X'X/n + penalty, with c = 0.1/C. At equal
class probabilities the curvature is 1/C exactly; a tenth of it suits probes that have learned something, and its
overall scale does not matter. It takes a third to a half of the evaluations that no preconditioner takes, and costs little: it is
a block of the Gram matrix that is there already, and one Cholesky factor serves all nested sizes.

The probes of several seeds are solved side by side. A product with the scores of 10 classes runs at a tenth of a processor's speed, one
with those of 5 probes at two thirds: large subsets are taken as the whole layer with weights of zero, small ones are gathered.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..devices import resolve_device
from ..errors import InputError, check_whole
from .arrays import as_features, as_labels, check_finite, count_classes
from .lbfgs import TOLERANCE, Minima, minimise
from .probes import LOGISTIC_GRID, PenaltyChoice, check_classes, check_penalty, choose, folded, per_class
from .selections import Basis, basis
from .statistics import SufficientStatistics, blocks, on_device

CURVATURE = 0.1

WIDTH = 16
"""Columns of a product are filled up to a multiple of this: matrix products of other widths can be four times as slow."""

SCORES_AT_ONCE = 1 << 20
"""Scores (images x probes x classes) held at a time."""

GATHERED_AT_ONCE = 1 << 30
"""Bytes of gathered features and preconditioners held at a time."""


CHOICE_TOLERANCE = 10 * TOLERANCE
"""Where probes are fitted to choose a penalty. It takes half the time; accuracies near the best move by half a standard error at most."""


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


def _filled(matrix: Tensor) -> Tensor:
    """A matrix (..., m) with columns of zeros up to a multiple of WIDTH."""
    return torch.nn.functional.pad(matrix, (0, -matrix.shape[-1] % WIDTH)) if matrix.shape[-1] % WIDTH else matrix


def _speed(columns: int) -> float:
    """About what share of a wide product's speed one with so many columns reaches."""
    return columns / (columns + 10)


class _Probes:
    """The probes of some bases on their first k directions: objectives, gradients, preconditioners.

    Parameters
    ----------
    features : Tensor (d + 1, n), float32
        Centred and scaled; the last row is 1.
    labels : Tensor (n,), int64
    num_classes : int
    chosen : sequence of Basis
        One a problem.
    k : int
    penalties : Tensor (p,)
    inverses : Tensor (p, at least k, at least k)
        Inverse Cholesky factors of the approximate Hessians.
    spans : sequence of sequences of slice, optional
        The images that each problem is trained on; all by default.
    """

    def __init__(
        self,
        features: Tensor,
        labels: Tensor,
        num_classes: int,
        chosen: Sequence[Basis],
        k: int,
        penalties: Tensor,
        inverses: Tensor,
        spans: Sequence[Sequence[slice]] | None = None,
    ) -> None:
        self.features, self.labels, self.num_classes, self.chosen, self.k = features, labels, num_classes, list(chosen), k
        self.penalties, self.inverses = penalties, inverses[:, :k, :k]
        self.spans = [[slice(0, len(labels))]] * len(self.chosen) if spans is None else spans
        self.counts = np.array([sum(one.stop - one.start for one in some) for some in self.spans])
        self.together = spans is None and wide(k, len(self.chosen), len(features) - 1, num_classes)
        whole = k == len(features) - 1
        self.gathered = [] if self.together else [features if whole and one.selection == "first" else self._gathered(one) for one in self.chosen]

    def _gathered(self, one: Basis) -> Tensor:
        """The first k directions of a basis and the row of ones, (k + 1, n)."""
        if one.order is not None:
            last = torch.tensor([len(self.features) - 1])
            return self.features[torch.cat([one.order[: self.k], last]).to(self.features.device)]
        directions = one.directions[:, : self.k].to(self.features)  # type: ignore[index]
        return torch.cat([directions.T @ self.features[:-1], self.features[-1:]])

    def evaluate(self, weights: Tensor, active: list[int]) -> tuple[np.ndarray, Tensor]:
        """Penalised mean cross-entropy, float64 (p,), and gradients (p, k + 1, C), of the active problems at weights (p, k + 1, C)."""
        if self.together:
            entropy, gradient = self._entropy(self.features, self.in_neurons(weights, active), self.spans[0])
            gradient = self.in_basis(gradient, active)
        else:
            parts = [self._entropy(self.gathered[i], one[:, None], self.spans[i]) for i, one in zip(active, weights, strict=True)]
            entropy, gradient = np.concatenate([value for value, _ in parts]), torch.stack([found[:, 0] for _, found in parts])
        counts, penalties = self.counts[active], self.penalties[active].view(-1, 1, 1)
        gradient /= torch.from_numpy(counts).to(gradient).view(-1, 1, 1)
        inner = weights[:, :-1]
        gradient[:, :-1] += penalties * inner
        shrink = (penalties * inner * inner).sum((1, 2), dtype=accumulator(inner)).cpu().double().numpy()
        return entropy / counts + shrink / 2, gradient

    def _entropy(self, features: Tensor, weights: Tensor, spans: Sequence[slice]) -> tuple[np.ndarray, Tensor]:
        """The sum of the cross-entropies of some images, float64 (p,), and its gradient, at weights (rows of features, p, C)."""
        p, classes = weights.shape[1:]
        columns = p * classes
        spread = _filled(weights.flatten(1))
        gradient = torch.zeros_like(spread)
        loss = torch.zeros(p, dtype=accumulator(spread), device=spread.device)
        length = max(256, SCORES_AT_ONCE // columns)
        for rows in (slice(start, min(start + length, one.stop)) for one in spans for start in range(one.start, one.stop, length)):
            index = self.labels[rows][:, None, None].expand(-1, p, 1)
            scores = features[:, rows].T @ spread
            own = scores[:, :columns].unflatten(1, (p, classes))
            loss += _residuals(own, index).sum(0, dtype=loss.dtype)
            gradient.addmm_(features[:, rows], scores)
        return loss.cpu().double().numpy(), gradient[:, :columns].unflatten(1, (p, classes))

    def precondition(self, gradient: Tensor, active: list[int]) -> Tensor:
        """Inverse approximate Hessians times gradients (p, k + 1, C)."""
        inverses = self.inverses if len(active) == len(self.chosen) else self.inverses[active]
        inner = _filled(gradient[:, :-1])
        inner = inverses.mT @ (inverses @ inner)
        return torch.cat([inner[..., : self.num_classes], gradient[:, -1:] * (self.num_classes / CURVATURE)], 1)

    def in_neurons(self, weights: Tensor, active: list[int]) -> Tensor:
        """Weights (p, k + 1, C) as weights of all neurons and the intercept, (d + 1, p, C)."""
        spread = torch.zeros(len(self.features), len(active), self.num_classes, dtype=weights.dtype, device=weights.device)
        for place, number in enumerate(active):
            one = self.chosen[number]
            if one.order is not None:
                spread[one.order[: self.k].to(weights.device), place] = weights[place, :-1]
            else:
                spread[:-1, place] = one.directions[:, : self.k].to(weights) @ weights[place, :-1]  # type: ignore[index]
        spread[-1] = weights[:, -1]
        return spread

    def in_basis(self, gradient: Tensor, active: list[int]) -> Tensor:
        """Gradients with respect to all neurons, (d + 1, p, C), as ones with respect to the weights, (p, k + 1, C)."""
        found = [torch.cat([self.chosen[number].rows(gradient[:-1, place])[: self.k], gradient[-1:, place]]) for place, number in enumerate(active)]
        return torch.stack(found)

    def guesses(self, features: Tensor, weights: Tensor) -> Tensor:
        """The likeliest classes, (m, p), of all features (d + 1, m) at the weights of all problems."""
        spread = self.in_neurons(weights, list(range(len(self.chosen))))
        return (features.T @ spread.flatten(1)).unflatten(1, spread.shape[1:]).argmax(2)

    def fit(self, start: Tensor | None, *, tolerance: float = TOLERANCE) -> Minima:
        """The minima, begun from the weights (p, j + 1, C) of the first j directions, or from zero."""
        weights = torch.zeros(len(self.chosen), self.k + 1, self.num_classes, dtype=self.features.dtype, device=self.features.device)
        if start is not None:
            weights[:, : start.shape[1] - 1] = start[:, :-1]
            weights[:, -1] = start[:, -1]
        return minimise(self.evaluate, self.precondition, weights, tolerance=tolerance)


def _residuals(scores: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of each row of scores (..., C), whose labels are (..., 1); scores become probabilities less one for the label.

    On a CPU a softmax over a few classes takes as long as a product with hundreds of neurons. Less the score of the label the sum of
    exponentials needs no maximum, as long as no label is less likely than e^-80, and the logarithm loses no digits where it is near 0.
    """
    right = scores.gather(-1, labels)
    if scores.device.type == "cpu":
        shifted = scores - right
        if float(shifted.max()) < 80:
            total = shifted.exp_() @ shifted.new_ones(shifted.shape[-1], 1)
            scores.copy_(shifted.div_(total)).scatter_(-1, labels, 1 / total - 1)
            return total.log_()[..., 0]
    log_probability = torch.log_softmax(scores, -1)
    entropy = -log_probability.gather(-1, labels)[..., 0]
    scores.copy_(log_probability.exp_()).scatter_add_(-1, labels, torch.full_like(right, -1))
    return entropy


def wide(k: int, count: int, d: int, num_classes: int) -> bool:
    """Whether ``count`` subsets of k neurons are better taken as the whole layer with weights of zero than gathered."""
    together, alone = count * num_classes, num_classes + -num_classes % WIDTH
    return d * (together + -together % WIDTH) / _speed(together) < count * k * alone / _speed(alone)


def accumulator(tensor: Tensor) -> torch.dtype:
    """The type sums are taken in: float64, except on MPS, which has none."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def inverse_factor(gram: Tensor, num_classes: int, penalty: float, like: Tensor) -> Tensor:
    """L^-1 with LL' = c gram + penalty, (k, k): its leading blocks belong to the leading blocks of the Gram matrix.

    ``gram`` is X'X/n of the scaled features, float64.
    """
    hessian = gram * (CURVATURE / num_classes)
    hessian.diagonal().add_(penalty)
    return _inverse(torch.linalg.cholesky(hessian).to(like))


def _inverse(factor: Tensor) -> Tensor:
    """The inverse of a lower triangular matrix, by halves: a third of the operations of solving for the identity."""
    if len(factor) <= 256:
        return torch.linalg.solve_triangular(factor, torch.eye(len(factor), dtype=factor.dtype, device=factor.device), upper=False)
    half = len(factor) // 2
    first, last = _inverse(factor[:half, :half]), _inverse(factor[half:, half:])
    found = torch.zeros_like(factor)
    found[:half, :half], found[half:, half:] = first, last
    found[half:, :half] = (last @ (factor[half:, :half] @ first)).neg_()
    return found


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
        labels = as_labels(y, len(train), classes=self.num_classes)
        check_classes(labels)
        truth = as_labels(y_test, len(test), "y_test", classes=self.num_classes)
        for name, features in (("X", train), ("X_test", test)):
            if features.shape[1] != statistics.d:
                raise InputError(f"{name} has {features.shape[1]} neurons: the statistics are of {statistics.d}")
            check_finite(features.sum(0, dtype=torch.float64), features, name)
        self.device = resolve_device(device)
        self.statistics = statistics
        self.labels, self.truth = labels.to(self.device), truth.to(self.device)
        self.train, self.test = (prepared(features, statistics, self.device) for features in (train, test))

    def curve(self, basis: Basis, sizes: Sequence[int], *, penalty: float) -> LogisticCurve:
        """Test accuracy of the probes on the first k directions of a basis, for each k in ``sizes`` (ascending)."""
        return self.curves([basis], sizes, penalty=penalty)[0]

    def curves(self, bases: Sequence[Basis], sizes: Sequence[int], *, penalty: float) -> list[LogisticCurve]:
        """The same of several bases, such as the seeds of one selection, solved side by side."""
        check_penalty(penalty)
        steps = [check_whole(k, "k", 1, min(one.size for one in bases)) for k in sizes]
        if steps != sorted(set(steps)) or not steps:
            raise InputError(f"sizes {list(sizes)} must be ascending, without repeats")
        d = self.statistics.d
        gathered = max([k for k in steps if not wide(k, len(bases), d, self.num_classes)], default=0)
        batch = max(1, GATHERED_AT_ONCE // (4 * (len(self.labels) * gathered + steps[-1] ** 2)))
        found: list[LogisticCurve] = []
        for first in range(0, len(bases), batch):
            found += self._batch(bases[first : first + batch], steps, penalty)
        return found

    def _batch(self, chosen: Sequence[Basis], steps: list[int], penalty: float) -> list[LogisticCurve]:
        gram = self.statistics.gram / (self.statistics.n * self.statistics.mean_variance)
        kinds = [inverse_factor(one.gram(gram)[: steps[-1], : steps[-1]], self.num_classes, penalty, self.train) for one in chosen]
        inverses = torch.stack(kinds)
        start: Tensor | None = None
        objective, converged, right = [], [], []
        for k in steps:
            # The whole layer is one problem in whatever order its neurons come.
            same = k == self.statistics.d and all(one.order is not None for one in chosen)
            some = chosen[:1] if same else chosen
            penalties = torch.full((len(some),), penalty, dtype=self.train.dtype, device=self.device)
            probes = _Probes(self.train, self.labels, self.num_classes, some, k, penalties, inverses[: len(some)])
            minima = probes.fit(None if start is None else start[: len(some)])
            start = minima.weights
            guesses = probes.guesses(self.test, start)
            hits = (guesses == self.truth[:, None]).T
            repeat = len(chosen) // len(some)
            objective.append(minima.objective.repeat(repeat))
            converged.append(minima.converged.repeat(repeat))
            right.append(hits.expand(len(chosen), -1))
        every = torch.stack(right)  # (sizes, bases, test images)
        by_class = per_class(every, self.truth, self.num_classes)
        accuracy = every.sum(2).cpu().numpy() / len(self.truth)
        return [
            LogisticCurve(np.array(steps), accuracy[:, i], by_class[:, i], np.stack(objective)[:, i], np.stack(converged)[:, i], penalty)
            for i in range(len(chosen))
        ]


def prepared(features: Tensor, statistics: SufficientStatistics, device: torch.device, order: Tensor | None = None) -> Tensor:
    """Features as float32, centred, divided by the root of their mean variance, with a row of ones: (d + 1, n); in an order of images if given."""
    if not statistics.mean_variance > 0:
        raise InputError("every neuron is constant: there is nothing to probe")
    ready = torch.empty(statistics.d + 1, len(features), dtype=torch.float32, device=device)
    for rows in blocks(len(features)):
        work = on_device(features[rows if order is None else order[rows]], device)
        ready[:-1, rows] = ((work - statistics.mean.to(device, work.dtype)) / statistics.mean_variance**0.5).T
    ready[-1] = 1
    return ready


def choose_logistic_penalty(
    X: Any, y: Any, *, grid: tuple[float, ...] = LOGISTIC_GRID, folds: int = 3, seed: int = 0, groups: Any = None, device: str = "auto"
) -> PenaltyChoice:
    """Choose the penalty of the full layer by cross-validation on the train set.

    The folds are solved side by side, and walk the grid from strong to weak, each penalty starting from the solution before.

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
    parts = [SufficientStatistics.from_features(features[fold == f], labels[fold == f], num_classes=num_classes, device=device) for f in range(folds)]
    whole = reduce(SufficientStatistics.merge, parts)
    chip = resolve_device(device)
    order = torch.sort(fold, stable=True).indices  # each fold together, so that the others are two spans
    ready, truth = prepared(features, whole, chip, order), labels[order].to(chip)
    edges = [0, *torch.bincount(fold, minlength=folds).cumsum(0).tolist()]
    for f in range(folds):
        check_classes(labels[fold != f])
    held = [slice(*edge) for edge in itertools.pairwise(edges)]
    spans = [[one for one in (slice(0, part.start), slice(part.stop, edges[-1])) if one.stop > one.start] for part in held]
    trained = [reduce(SufficientStatistics.merge, [part for g, part in enumerate(parts) if g != f]) for f in range(folds)]
    relative = torch.tensor([one.mean_variance / whole.mean_variance for one in trained]).to(ready)
    every = [basis("first", whole, 0)] * folds
    gram = whole.gram / (whole.n * whole.mean_variance)
    accuracy = np.empty((folds, len(grid)))
    start: Tensor | None = None
    for i in sorted(range(len(grid)), key=lambda i: -grid[i]):
        inverse = inverse_factor(gram, num_classes, check_penalty(grid[i]), ready).expand(folds, -1, -1)
        probes = _Probes(ready, truth, num_classes, every, whole.d, relative * grid[i], inverse, spans)
        start = probes.fit(start, tolerance=CHOICE_TOLERANCE).weights
        for f, rows in enumerate(held):
            guesses = (ready[:, rows].T @ start[f]).argmax(1)
            accuracy[f, i] = float((guesses == truth[rows]).sum()) / len(guesses)
    return choose(grid, accuracy)
