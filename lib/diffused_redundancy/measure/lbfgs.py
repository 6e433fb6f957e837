"""L-BFGS for many convex problems of one shape at once, with a preconditioner.

Every round evaluates the objective once for all problems that are not done yet, so that small products become large ones. Each
problem has its own line search, history and end. The direction comes from the compact form of the inverse Hessian (Byrd, Nocedal
and Schnabel 1994, equation 3.1), in which all work on long vectors is four products with the history.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.linalg import solve_triangular
from torch import Tensor

HISTORY = 8
ENOUGH_HISTORY = 3
TOLERANCE = 2e-5
MAX_ITERATIONS = 500
LONGEST_SEARCH = 20


@dataclass(frozen=True)
class Minima:
    """Where the problems ended.

    Attributes
    ----------
    weights : Tensor (p, k, C)
    objective : ndarray (p,)
    left : ndarray (p,)
        The share of the objective that the quadratic model says is left to gain.
    iterations, evaluations : ndarray of int (p,)
        Steps taken, and evaluations of the objective.
    converged : ndarray of bool (p,)
        Whether ``left`` is within tolerance.
    """

    weights: Tensor = field(repr=False)
    objective: np.ndarray
    left: np.ndarray
    iterations: np.ndarray
    evaluations: np.ndarray
    converged: np.ndarray


class _History:
    """The last steps s and changes of gradient y of some problems, as what the compact form needs: S, Z = P Y, S'Y and Y'Z."""

    def __init__(self, like: Tensor, size: int) -> None:
        p, length = len(like), like[0].numel()
        self.steps = torch.zeros(p, size, length, dtype=like.dtype, device=like.device)
        self.changes = torch.zeros_like(self.steps)
        self.step_change = np.zeros((p, size, size))
        self.change_change = np.zeros((p, size, size))
        self.slots: list[list[int]] = [[] for _ in range(p)]  # oldest first

    def keep(self, some: list[int]) -> None:
        """Go on with some of the problems only."""
        self.steps, self.changes = self.steps[some], self.changes[some]
        self.step_change, self.change_change = self.step_change[some], self.change_change[some]
        self.slots = [self.slots[i] for i in some]

    def add(self, some: list[int], step: Tensor, change: Tensor, preconditioned: Tensor) -> None:
        """Add a pair to the history of some problems; the tensors (p, length) are of all of them."""
        size = self.steps.shape[1]
        places = [slots.pop(0) if len(slots := self.slots[i]) == size else len(slots) for i in some]
        self.steps[some, places], self.changes[some, places] = step[some], preconditioned[some]
        with_steps, with_changes = _host(_times(self.steps, change)), _host(_times(self.changes, change))
        for i, place in zip(some, places, strict=True):
            self.slots[i].append(place)
            self.step_change[i, :, place] = with_steps[i]
            self.change_change[i, :, place] = self.change_change[i, place, :] = with_changes[i]

    def descent(self, gradient: Tensor, preconditioned: Tensor) -> Tensor:
        """-H g for every problem, (p, length)."""
        along_steps, along_changes = _host(_times(self.steps, gradient)), _host(_times(self.changes, gradient))
        factors = np.ones(len(gradient))
        of_steps, of_changes = np.zeros_like(along_steps), np.zeros_like(along_steps)
        for i, slots in enumerate(self.slots):
            if not slots:
                continue
            last = slots[-1]
            factor = factors[i] = self.step_change[i, last, last] / self.change_change[i, last, last]
            square = np.ix_(slots, slots)
            upper = np.triu(self.step_change[i][square])
            inner = solve_triangular(upper, along_steps[i, slots], check_finite=False)
            middle = np.diagonal(upper) * inner + factor * (self.change_change[i][square] @ inner - along_changes[i, slots])
            of_steps[i, slots] = solve_triangular(upper, middle, trans=1, check_finite=False)
            of_changes[i, slots] = -factor * inner

        def device(values: np.ndarray) -> Tensor:
            return torch.from_numpy(values).to(gradient)

        found = preconditioned * device(factors)[:, None]
        found += (device(of_steps)[:, None] @ self.steps)[:, 0] + (device(of_changes)[:, None] @ self.changes)[:, 0]
        return found.neg_()

    def forget(self, i: int) -> None:
        """Drop the history of one problem."""
        self.slots[i] = []


def _times(rows: Tensor, vectors: Tensor) -> Tensor:
    """Products of rows (p, m, length) with one vector (p, length) each: (p, m)."""
    return (rows @ vectors[:, :, None])[:, :, 0]


def _host(values: Tensor) -> np.ndarray:
    return values.cpu().double().numpy()


def _dots(a: Tensor, b: Tensor) -> np.ndarray:
    """Inner products of the rows of (p, length), float64."""
    return _host((a * b).sum(1))


class _Search:
    """The line search of one problem: how far to go along its direction."""

    def __init__(self) -> None:
        self.length, self.low, self.high, self.tries = 1.0, 0.0, float("inf"), 0

    def accepts(self, value: float, trial_value: float, slope: float, trial_slope: float) -> bool:
        """Whether a trial is good enough (Wolfe's conditions, or no tries left); otherwise the length has changed."""
        noise = 1e-6 * abs(value)  # what float32 cannot tell apart; within it the slope decides
        self.tries += 1
        if self.tries >= LONGEST_SEARCH:
            return True
        if trial_value > value + 1e-4 * self.length * slope + noise or trial_slope > 0.9 * abs(slope):
            self.high = self.length
        elif trial_slope < 0.9 * slope:
            self.low = self.length
        else:
            return True
        self.length = 2 * self.length if self.high == float("inf") else (self.low + self.high) / 2
        return False


def minimise(
    evaluate: Callable[[Tensor, list[int]], tuple[np.ndarray, Tensor]],
    precondition: Callable[[Tensor, list[int]], Tensor],
    start: Tensor,
    *,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
) -> Minima:
    """Minimise convex objectives.

    Parameters
    ----------
    evaluate : callable
        From weights (p, k, C) of the problems with some numbers to their values, float64 (p,), and gradients (p, k, C).
    precondition : callable
        From gradients to approximate inverse Hessians times gradients, of the problems with some numbers.
    start : Tensor (P, k, C)
    tolerance : float
        A problem ends when the quadratic model says that less than this share of its objective is left to gain. (A bound on the
        gradient would not do: with a small penalty and separable classes the gradient is tiny long before the minimum, and the
        result would depend on where one began.)
    max_iterations : int
        A problem stops here in any case; it then says ``converged=False``.
    """
    count = len(start)
    end, objective, left = start.clone(), np.zeros(count), np.full(count, np.inf)
    iterations, evaluations = np.zeros(count, dtype=int), np.ones(count, dtype=int)
    active = list(range(count))
    shape = start.shape[1:]

    def evaluated(weights: Tensor) -> tuple[np.ndarray, Tensor, Tensor]:
        values, gradient = evaluate(weights.view(-1, *shape), active)
        return values, gradient.flatten(1), precondition(gradient, active).flatten(1)

    weights = start.flatten(1)
    value, gradient, preconditioned = evaluated(weights)
    history = _History(weights, HISTORY)
    direction, slope = torch.zeros_like(weights), np.zeros(count)
    searches = [_Search() for _ in range(count)]
    fresh = [True] * count
    while active:
        if any(fresh):
            found = history.descent(gradient, preconditioned)
            slopes = _dots(found, gradient)
            for i in np.flatnonzero(slopes >= 0).tolist():  # lost to rounding: begin again from the preconditioner
                if fresh[i]:
                    history.forget(i)
                    found[i] = -preconditioned[i]
                    slopes[i] = float(_dots(found[i : i + 1], gradient[i : i + 1])[0])
            if all(fresh):
                direction, slope = found, slopes
            else:
                new = [i for i, is_new in enumerate(fresh) if is_new]
                direction[new], slope[new] = found[new], slopes[new]
        share = -slope / 2 / np.maximum(value, 1e-12)
        done = [
            is_new
            and (
                (share[i] <= tolerance and (len(history.slots[i]) >= ENOUGH_HISTORY or share[i] <= tolerance * 1e-3))
                or iterations[active[i]] >= max_iterations
            )
            for i, is_new in enumerate(fresh)
        ]
        for place, number in enumerate(active):
            if done[place]:
                end[number], objective[number], left[number] = weights[place].view(shape), value[place], share[place]
        if any(done):
            some = [i for i, is_done in enumerate(done) if not is_done]
            active = [active[i] for i in some]
            if not active:
                break
            weights, gradient, preconditioned, direction = weights[some], gradient[some], preconditioned[some], direction[some]
            value, slope = value[some], slope[some]
            searches, fresh = [searches[i] for i in some], [fresh[i] for i in some]
            history.keep(some)

        lengths = torch.tensor([search.length for search in searches], dtype=weights.dtype, device=weights.device)
        trial = torch.addcmul(weights, direction, lengths[:, None])
        trial_value, trial_gradient, trial_preconditioned = evaluated(trial)
        evaluations[active] += 1
        trial_slope = _dots(direction, trial_gradient)
        fresh = [search.accepts(value[i], trial_value[i], slope[i], trial_slope[i]) for i, search in enumerate(searches)]
        if not any(fresh):
            continue
        step, change = trial - weights, trial_gradient - gradient
        curvature, size = _dots(step, change), _dots(change, change)
        useful = [i for i, is_new in enumerate(fresh) if is_new and curvature[i] > 1e-12 * size[i]]
        if useful:
            history.add(useful, step, change, trial_preconditioned - preconditioned)
        if all(fresh):
            weights, value, gradient, preconditioned = trial, trial_value, trial_gradient, trial_preconditioned
        else:
            new = [i for i, is_new in enumerate(fresh) if is_new]
            weights, gradient, preconditioned = weights.clone(), gradient.clone(), preconditioned.clone()
            weights[new], gradient[new], preconditioned[new] = trial[new], trial_gradient[new], trial_preconditioned[new]
            value[new] = trial_value[new]
        for i, is_new in enumerate(fresh):
            if is_new:
                searches[i] = _Search()
                iterations[active[i]] += 1
    return Minima(end, objective, left, iterations, evaluations, left <= tolerance)
