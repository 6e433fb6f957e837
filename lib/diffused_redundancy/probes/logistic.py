"""The multinomial logistic probe: what the paper reports, solved to its optimum instead of by a
tuned SGD.

The objective is convex (cross-entropy with a ridge penalty, see ``probes``), so its minimum is a
property of the features alone: no learning rate, schedule, order of data or initialisation. It is
minimised by L-BFGS until the quadratic model says that less than 2e-5 of it is left to gain.

The probes of several orderings are solved side by side (see ``problems``), in groups of sizes that
share a product. A group of one size begins from the solution of the size before; small sizes
together begin from the multiple of the ridge solution with the least objective, and large ones from
the scores nearest to those of the whole layer that they can give: 20 evaluations, from zero 30 to
70.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..devices import resolve_device
from ..errors import InputError, check_whole
from ..measure.accumulation import blocks, on_device
from ..measure.selections import Ordering, ordering
from ..measure.statistics import SufficientStatistics
from ..measure.validation import as_features, as_labels, check_finite, count_classes
from .cross_validation import (
    LOGISTIC_GRID,
    PenaltyChoice,
    check_classes,
    check_penalty,
    choose,
    folded,
    per_class,
    together,
)
from .lbfgs import HISTORY
from .problems import CURVATURE, Features, Group, Problems, accumulator, grouped, inverse_factor

GATHERED_AT_ONCE = 1 << 30
"""Bytes of gathered features, preconditioners and the solver's vectors held at a time."""

HELD = 2 * HISTORY + 12
"""Vectors as long as the weights that the solver holds for a problem."""

NEAR = 0.15
"""Sizes solved together that are at least this share of a layer start from the whole layer's
solution, others from the ridge solution.
"""

AS_GOOD = 1.02
"""Times the least loss of images left out up to which a stronger penalty is as good. Weak penalties
leave the probes' losses uncertain by up to half a percent, measured; a step of the grid towards
stronger ones makes 3% to 30%.
"""


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


class LogisticProbes:
    """The train and test features of one layer, ready to be probed in any ordering.

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

    def __init__(
        self,
        X: Any,
        y: Any,
        X_test: Any,
        y_test: Any,
        statistics: SufficientStatistics,
        *,
        device: str = "auto",
    ) -> None:
        train, test = as_features(X), as_features(X_test, "X_test")
        self.num_classes = statistics.num_classes or count_classes(as_labels(y, len(train)))
        labels = as_labels(y, len(train), classes=self.num_classes)
        check_classes(labels)
        truth = as_labels(y_test, len(test), "y_test", classes=self.num_classes)
        for name, features in (("X", train), ("X_test", test)):
            if features.shape[1] != statistics.d:
                raise InputError(
                    f"{name} has {features.shape[1]} neurons: the statistics are of {statistics.d}"
                )
            check_finite(features, name)
        self.device = resolve_device(device)
        self.statistics = statistics
        self.labels, self.truth = labels.to(self.device), truth.to(self.device)
        self.train = Features.of(prepared(train, statistics, self.device))
        self.test = prepared(test, statistics, self.device)

    def curve(self, ordering: Ordering, sizes: Sequence[int], *, penalty: float) -> LogisticCurve:
        """Test accuracy of the probes on the first k directions of a ordering, for each k in
        ``sizes`` (ascending).
        """
        return self.curves([ordering], sizes, penalty=penalty)[0]

    def curves(
        self, orderings: Sequence[Ordering], sizes: Sequence[int], *, penalty: float
    ) -> list[LogisticCurve]:
        """The same of several orderings, such as the seeds of one selection, solved side by
        side.
        """
        check_penalty(penalty)
        steps = [check_whole(k, "k", 1, min(one.size for one in orderings)) for k in sizes]
        if steps != sorted(set(steps)) or not steps:
            raise InputError(f"sizes {list(sizes)} must be ascending, without repeats")
        groups = grouped(
            steps, len(orderings), len(self.labels), self.statistics.d, self.num_classes
        )
        gathered = sum(one.sizes[-1] for one in groups if not one.whole)
        bytes_each = 6 * (
            len(self.labels) * gathered + steps[-1] ** 2
        ) + 4 * HELD * self.num_classes * sum(steps)
        batch = max(1, GATHERED_AT_ONCE // bytes_each)
        found: list[LogisticCurve] = []
        for first in range(0, len(orderings), batch):
            found += self._batch(orderings[first : first + batch], steps, penalty)
        return found

    def _batch(
        self, orderings: Sequence[Ordering], steps: list[int], penalty: float
    ) -> list[LogisticCurve]:
        walk = _Walk(self, orderings, steps, penalty)
        walk.run()
        by_class = per_class(walk.right, self.truth, self.num_classes)
        accuracy = walk.right.sum(2).cpu().numpy() / len(self.truth)
        return [
            LogisticCurve(
                np.array(steps),
                accuracy[b],
                by_class[b],
                walk.objective[b],
                walk.converged[b],
                penalty,
            )
            for b in range(len(orderings))
        ]


class _Walk:
    """The probes of some orderings at ascending sizes: where each begins, and what came out.

    Attributes
    ----------
    objective, converged : ndarray (orderings, sizes)
    right : Tensor of bool (orderings, sizes, test images)
    """

    def __init__(
        self, of: LogisticProbes, orderings: Sequence[Ordering], steps: list[int], penalty: float
    ) -> None:
        self.of, self.orderings, self.steps, self.penalty = of, orderings, steps, penalty
        self.d, count = of.statistics.d, len(orderings)
        self.gram = of.statistics.gram.to(of.test) / (
            of.statistics.n * of.statistics.mean_variance
        )  # X'X/n of the scaled features
        # The whole layer is one problem in whatever order its neurons come.
        self.ends = steps[-1] == self.d and all(one.order is not None for one in orderings)
        self.parts = steps[:-1] if self.ends else steps
        most = self.parts[-1] if self.parts else 0
        largest = [self.d if self.ends and b == 0 else most for b in range(count)]
        self.inverses = [
            inverse_factor(one.gram(self.gram)[:k, :k], of.num_classes, penalty)
            for one, k in zip(orderings, largest, strict=True)
            if k
        ]
        self.objective, self.converged = (
            np.empty((count, len(steps))),
            np.empty((count, len(steps)), dtype=bool),
        )
        self.right = torch.empty(
            count, len(steps), len(of.truth), dtype=torch.bool, device=of.device
        )

    def run(self) -> None:
        """Solve all probes."""
        last = whole = None
        for group in grouped(
            self.parts, len(self.orderings), len(self.of.labels), self.d, self.of.num_classes
        ):
            probes = self._problems(group, self.orderings)
            if len(group.sizes) == 1:
                start = probes.from_smaller(last)
            elif self.ends and group.sizes[0] >= NEAR * self.d:
                whole = self._whole(last) if whole is None else whole
                start = probes.from_whole(*whole)
            else:
                start = probes.from_ridge()
            last = self._solved(probes, start)
        if self.ends and whole is None:
            self._whole(last)

    def _problems(self, group: Group, orderings: Sequence[Ordering]) -> Problems:
        of = self.of
        penalties = torch.full(
            (len(orderings),), self.penalty, dtype=of.test.dtype, device=of.device
        )
        return Problems(
            of.train, of.labels, of.num_classes, orderings, group, penalties, self.inverses
        )

    def _solved(self, probes: Problems, start: Tensor) -> Tensor:
        """The weights (b, K + 1, C) of the largest size of a group, after the results of all its
        probes are noted.
        """
        minima = probes.fit(start)
        hits = (probes.guesses(self.of.test, minima.weights) == self.of.truth[:, None]).T
        for i, (b, k) in enumerate(probes.problems):
            place = (
                b if len(probes.orderings) == len(self.orderings) else slice(None),
                self.steps.index(k),
            )
            self.objective[place], self.converged[place], self.right[place] = (
                minima.objective[i],
                minima.converged[i],
                hits[i],
            )
        return minima.weights[len(probes.group.sizes) - 1 :: len(probes.group.sizes)]

    def _whole(self, last: Tensor | None) -> tuple[Tensor, Tensor]:
        """Solve the whole layer, once for all orderings: the approximate Hessian times its weights
        (d, C), and its intercepts (C,).
        """
        probes = self._problems(Group((self.d,), True), self.orderings[:1])
        found = self._solved(probes, probes.from_smaller(None if last is None else last[:1]))
        weights = probes.in_neurons(found, [0])[:-1, 0]
        return (self.gram @ weights) * (CURVATURE / self.of.num_classes), found[0, -1]


def prepared(
    features: Tensor,
    statistics: SufficientStatistics,
    device: torch.device,
    order: Tensor | None = None,
) -> Tensor:
    """Features as float32, centred, divided by the root of their mean variance, with a row of ones:
    (d + 1, n); in an order of images if given.
    """
    if not statistics.mean_variance > 0:
        raise InputError("every neuron is constant: there is nothing to probe")
    ready = torch.empty(statistics.d + 1, len(features), dtype=torch.float32, device=device)
    for rows in blocks(len(features), 256):  # the transposed copy of a few rows stays in the caches
        work = on_device(features[rows if order is None else order[rows]], device)
        ready[:-1, rows] = (
            (work - statistics.mean.to(device, work.dtype)) / statistics.mean_variance**0.5
        ).T
    ready[-1] = 1
    return ready


def choose_logistic_penalty(
    X: Any,
    y: Any,
    *,
    grid: tuple[float, ...] = LOGISTIC_GRID,
    folds: int = 3,
    seed: int = 0,
    groups: Any = None,
    device: str = "auto",
) -> PenaltyChoice:
    """Choose the penalty of the full layer by cross-validation on the train set.

    The folds are solved side by side, and walk the grid from strong to weak, each penalty starting
    from the solution before.

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
    parts = [
        SufficientStatistics.from_features(
            features[fold == f], labels[fold == f], num_classes=num_classes, device=device
        )
        for f in range(folds)
    ]
    whole = reduce(SufficientStatistics.merge, parts)
    chip = resolve_device(device)
    order = torch.sort(
        fold, stable=True
    ).indices  # each fold together, so that the others are two spans
    ready, truth = Features.of(prepared(features, whole, chip, order)), labels[order].to(chip)
    edges = [0, *torch.bincount(fold, minlength=folds).cumsum(0).tolist()]
    for f in range(folds):
        check_classes(labels[fold != f])
    held = [slice(*edge) for edge in itertools.pairwise(edges)]
    spans = [
        [one for one in (slice(0, part.start), slice(part.stop, edges[-1])) if one.stop > one.start]
        for part in held
    ]
    trained = [
        reduce(SufficientStatistics.merge, [part for g, part in enumerate(parts) if g != f])
        for f in range(folds)
    ]
    relative = torch.tensor([one.mean_variance / whole.mean_variance for one in trained]).to(
        ready.exact
    )
    every, group = [ordering("first", whole, 0)] * folds, Group((whole.d,), False)
    gram = whole.gram.to(ready.exact) / (whole.n * whole.mean_variance)
    groupings = together(labels, groups)
    weight = torch.empty(
        len(features), dtype=ready.exact.dtype
    )  # of a row: its image's, over that image's views
    for rows in groupings:
        weight[rows] = 1 / rows.shape[1] / sum(map(len, groupings))
    weight = weight[order].to(chip)
    loss, accuracy = np.empty((2, len(grid)))
    start: Tensor | None = None
    for i in sorted(range(len(grid)), key=lambda i: -grid[i]):
        inverse = inverse_factor(gram, num_classes, check_penalty(grid[i]))
        probes = Problems(
            ready, truth, num_classes, every, group, relative * grid[i], [inverse] * folds, spans
        )
        start = probes.fit(probes.from_smaller(start)).weights
        scores = torch.cat([ready.exact[:, rows].T @ start[f] for f, rows in enumerate(held)])
        loss[i] = scaled_entropy(scores, truth, weight)
        accuracy[i] = float(weight[scores.argmax(1) == truth].sum())
    return choose(grid, loss, accuracy, folds, near=AS_GOOD)


def scaled_entropy(scores: Tensor, labels: Tensor, weight: Tensor) -> float:
    """The least weighted cross-entropy of scores (n, C) that are all multiplied by one factor of at
    least 0, by Newton's method.

    ``weight`` (n,) sums to 1. Less the score of the label, the entropy is the logarithm of a sum of
    exponentials: convex in the factor.
    """
    factor, best = 0.0, math.inf
    for _ in range(50):
        value = slope = bend = 0.0
        for rows in blocks(len(scores)):
            apart = scores[rows] - scores[rows].gather(1, labels[rows, None])
            probability = (factor * apart).softmax(1)
            mean = (probability * apart).sum(1)
            spread = (probability * apart * apart).sum(1) - mean * mean
            terms = (factor * apart).logsumexp(1), mean, spread
            more = [float((weight[rows] * term).sum(dtype=accumulator(apart))) for term in terms]
            value, slope, bend = value + more[0], slope + more[1], bend + more[2]
        best = min(best, value)
        if factor == 0 and (slope >= 0 or not bend > 0):  # the scores mislead, or are all alike
            break
        step = factor - slope / bend if bend > 0 else math.inf
        step = min(max(step, factor / 4), factor * 4) if factor else step
        if abs(step - factor) <= 1e-4 * step or best < 1e-9:
            break
        factor = step
    return best
