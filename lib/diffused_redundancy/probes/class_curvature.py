"""The last digits of logistic probes: L-BFGS with the curvature of each class.

Near the minimum most images are decided, and few of them bend the objective of a class: its block
of the Hessian is X' diag(p_c (1 - p_c)) X / n + penalty. Preconditioned with the inverses of these
blocks, descent takes 10 to 30 evaluations from a rough solution to the last digits, where one
approximate Hessian for all classes takes 20 to 400. But the blocks of many neurons cost as much as
hundreds of evaluations. So descent goes on without them for as many evaluations as they cost, and
often ends before: it takes at most twice as long as with the better choice.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .lbfgs import MAX_ITERATIONS, Minima, minimise
from .logistic_problems import Problems, without_mean
from .size_groups import filled_width

CERTAIN = 4e-3
"""Images whose p (1 - p) is below this share of a class's largest count in its block by their mean
only.
"""

BLOCKS_AT_ONCE = 1 << 29
"""Bytes of the blocks of a problem; larger ones are not made."""


def ill_conditioned(trace: float, penalty: float, dtype: torch.dtype) -> bool:
    """Whether the inverse of a matrix with this trace and this least eigenvalue is rounding."""
    return trace * torch.finfo(dtype).eps > penalty


def refined(
    problems: Problems, start: Tensor, spent: np.ndarray, gram: Tensor, tolerance: float
) -> Minima:
    """The minima of problems of one size, begun near them.

    Parameters
    ----------
    problems : Problems
        Each with features of its own (not ``group.whole``), on all images.
    start : Tensor (p, k + 1, C)
    spent : ndarray (p,)
        Evaluations that it took to get there.
    gram : Tensor (d, d)
        X'X/n of the scaled features.
    tolerance : float
        As for :func:`minimise`.
    """
    costs = [_cost(problems, weights, i) for i, weights in enumerate(start)]
    patience = max(costs) - spent.mean()
    every = list(range(len(start)))
    if patience <= 1:
        return _with_blocks(problems, start, every, gram, tolerance)
    minima = minimise(
        problems.evaluate,
        problems.precondition,
        start,
        tolerance=tolerance,
        max_iterations=int(min(MAX_ITERATIONS, patience)),
    )
    left = [] if patience >= MAX_ITERATIONS else np.flatnonzero(~minima.converged).tolist()
    if not left:
        return minima
    rows = minima.rows()
    last = _with_blocks(problems, minima.weights[left], left, gram, tolerance).rows()
    for i, row in zip(left, last, strict=True):
        rows[i] = row
    return Minima.of_rows(rows)


def _with_blocks(
    problems: Problems, start: Tensor, some: list[int], gram: Tensor, tolerance: float
) -> Minima:
    """The minima of some problems, from weights (len(some), k + 1, C), with their blocks where they
    can be made.
    """
    size = 4 * start[0].numel() * start.shape[1]
    at_once = max(1, int(BLOCKS_AT_ONCE // size))
    if len(some) > at_once:
        parts = [slice(first, first + at_once) for first in range(0, len(some), at_once)]
        return Minima.of_rows(
            [_with_blocks(problems, start[one], some[one], gram, tolerance) for one in parts]
        )
    inverses = [
        _inverses(problems, weights, i, gram) for i, weights in zip(some, start, strict=True)
    ]

    def evaluate(weights: Tensor, active: list[int], rough: bool) -> tuple[np.ndarray, Tensor]:
        return problems.evaluate(weights, [some[number] for number in active], rough)

    def precondition(gradient: Tensor, active: list[int], rough: bool) -> Tensor:
        # a row times a symmetric matrix is seven times as fast as the matrix times a column
        step = torch.stack(
            [
                problems.precondition(one[None], [some[number]], rough)[0]
                if (blocks := inverses[number]) is None
                else (one.T[:, None] @ blocks)[:, 0].T
                for number, one in zip(active, without_mean(gradient), strict=True)
            ]
        )
        return without_mean(step)

    return minimise(evaluate, precondition, start, tolerance=tolerance)


def _curvature(problems: Problems, weights: Tensor, i: int) -> Tensor:
    """p (1 - p) of the images and classes, (n, C), at weights (k + 1, C) of a problem."""
    probability = (problems.gathered[i].exact.T @ weights).softmax(1)
    return probability * (1 - probability)


def _cost(problems: Problems, weights: Tensor, i: int) -> float:
    """How many evaluations cost as much as the blocks of a problem; infinite if they are too large
    to make.
    """
    rows, classes = weights.shape
    if 4 * classes * rows**2 > BLOCKS_AT_ONCE:
        return float("inf")
    curvature = _curvature(problems, weights, i)
    used = float((curvature > CERTAIN * curvature.amax(0)).sum())
    # Factor and inverse take as long as 2.5 k^3 operations of a product with the features.
    operations = 2 * used * rows + 2.5 * classes * rows**2
    return operations / (4 * len(curvature) * filled_width(classes))


def _inverses(problems: Problems, weights: Tensor, i: int, gram: Tensor) -> Tensor | None:
    """The inverse blocks of a problem, (C, k + 1, k + 1); None if one is too badly conditioned."""
    X, curvature = problems.gathered[i].exact, _curvature(problems, weights, i)
    (rows, n), penalty = X.shape, float(problems.penalties[i])
    within = problems.orderings[i].first(rows - 1).gram(gram)
    inverses = X.new_empty(weights.shape[1], rows, rows)
    for c, one in enumerate(curvature.T):
        kept = torch.nonzero(one > CERTAIN * one.max())[:, 0]
        others = (one.sum() - one[kept].sum()) / n
        bent = X[:, kept] * one[kept].sqrt()
        block = bent @ bent.T / n
        block[:-1, :-1] += others * within
        block.diagonal()[:-1].add_(penalty)
        block[-1, -1] += others
        factor, failed = torch.linalg.cholesky_ex(block)
        if int(failed) or ill_conditioned(float(block.trace()), penalty, X.dtype):
            return None
        inverses[c] = torch.cholesky_inverse(factor)
    return inverses
