"""L-BFGS for many convex problems of one shape at once, with a preconditioner.

Every round evaluates the objective once for all problems that are not done yet, so that small
products become large ones. Each problem has its own line search, history and end. The direction
comes from the compact form of the inverse Hessian (Byrd, Nocedal and Schnabel 1994, equation 3.1),
in which all work on long vectors is four products with the history.

Far from the minimum a rough objective may do, if it costs less: every problem descends on it first,
and then on the exact one, with what was learned of the curvature. The minimum is that of the exact
one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from torch import Tensor

HISTORY = 8
"""Steps that a problem remembers."""

ENOUGH_HISTORY = 3
"""Steps before the quadratic model is believed."""

TOLERANCE = 2e-5
"""The share of the objective left to gain at which a problem ends."""

MAX_ITERATIONS = 2000

STALLED = 60
"""Steps without a new least share left to gain after which rounding is all that is left."""

LONGEST_SEARCH = 20
"""Trials of one line search."""

ROUGH_TOLERANCE = 2e-4
"""The share of the objective left to gain at which a problem leaves a rough objective."""

ROUGH_NOISE = 1e-4
"""Differences of a rough objective, as a share of it, that mean nothing."""


@dataclass(frozen=True)
class Minima:
    """Where the problems ended.

    Attributes
    ----------
    weights : Tensor (p, k, C)
    objective : ndarray (p,)
    step : Tensor (p, k, C)
        From the weights to the minimum of the quadratic model.
    left : ndarray (p,)
        The share of the objective that the quadratic model says is left to gain.
    iterations, evaluations : ndarray of int (p,)
        Steps taken, and evaluations of the objective.
    converged : ndarray of bool (p,)
        Whether ``left`` is within tolerance.
    """

    weights: Tensor = field(repr=False)
    step: Tensor = field(repr=False)
    objective: np.ndarray
    left: np.ndarray
    iterations: np.ndarray
    evaluations: np.ndarray
    converged: np.ndarray

    def rows(self) -> list[Minima]:
        """Each problem by itself."""
        return [
            Minima(*(getattr(self, one.name)[i : i + 1] for one in fields(self)))
            for i in range(len(self.weights))
        ]

    @classmethod
    def of_rows(cls, rows: Sequence[Minima]) -> Minima:
        """The opposite of :meth:`rows`."""
        parts = {one.name: [getattr(row, one.name) for row in rows] for one in fields(cls)}
        return cls(
            torch.cat(parts.pop("weights")),
            torch.cat(parts.pop("step")),
            *(np.concatenate(part) for part in parts.values()),
        )


class _History:
    """The last steps s and changes of gradient y of some problems, as what the compact form needs:
    S, Z = P Y, S'Y and Y'Z.

    Products of S and Z with the gradient are kept: S'y is the difference of two of them, and needs
    no pass over S of its own.
    """

    def __init__(self, like: Tensor, size: int) -> None:
        p, length = len(like), like[0].numel()
        self.steps = torch.zeros(p, size, length, dtype=like.dtype, device=like.device)
        self.changes = torch.zeros_like(self.steps)
        self.step_change = np.zeros((p, size, size))
        self.change_change = np.zeros((p, size, size))
        self.along_steps, self.along_changes = np.zeros((p, size)), np.zeros((p, size))
        self.slots: list[list[int]] = [[] for _ in range(p)]  # oldest first

    @property
    def used(self) -> int:
        """How many places hold anything."""
        return max(map(len, self.slots), default=0)

    def keep(self, some: list[int]) -> None:
        """Keep some of the problems only."""
        self.steps, self.changes = self.steps[some], self.changes[some]
        self.step_change, self.change_change = self.step_change[some], self.change_change[some]
        self.along_steps, self.along_changes = self.along_steps[some], self.along_changes[some]
        self.slots = [self.slots[i] for i in some]

    def look(self, gradient: Tensor) -> None:
        """Take the products with the gradient (p, length) at the current weights."""
        self.along_steps[:, : self.used] = _host(_times(self.steps[:, : self.used], gradient))
        self.along_changes[:, : self.used] = _host(_times(self.changes[:, : self.used], gradient))

    def add(
        self,
        some: list[int],
        step: Tensor,
        turned: Tensor,
        gradient: Tensor,
        curvature: np.ndarray,
        whitened: np.ndarray,
    ) -> None:
        """Add a step (p, length) and the preconditioned change of gradient to the history of some
        problems.

        ``gradient`` is the new one; ``curvature`` (p,) and ``whitened`` (p,) are the products of
        the change with both.
        """
        before = self.along_steps.copy(), self.along_changes.copy()
        size = self.steps.shape[1]
        places = [slots.pop(0) if len(slots := self.slots[i]) == size else len(slots) for i in some]
        self.steps[some, places], self.changes[some, places] = step[some], turned[some]
        for i, place in zip(some, places, strict=True):
            self.slots[i].append(place)
        self.look(gradient)
        with_steps, with_changes = self.along_steps - before[0], self.along_changes - before[1]
        for i, place in zip(some, places, strict=True):
            with_steps[i, place], with_changes[i, place] = curvature[i], whitened[i]
            self.step_change[i, :, place] = with_steps[i]
            self.change_change[i, :, place] = self.change_change[i, place, :] = with_changes[i]

    def descent(self, preconditioned: Tensor, some: Iterable[int]) -> Tensor:
        """-H g, (p, length), for some problems, from P g; of the others -P g."""
        used = self.used
        factors = np.ones(len(preconditioned))
        of_steps, of_changes = np.zeros((2, len(preconditioned), used))
        for i in some:
            slots = self.slots[i]
            if not slots:
                continue
            last = slots[-1]
            factor = self.step_change[i, last, last] / self.change_change[i, last, last]
            factors[i] = factor
            square = np.ix_(slots, slots)
            upper = np.triu(self.step_change[i][square])
            inner = np.linalg.solve(upper, self.along_steps[i, slots])
            middle = np.diagonal(upper) * inner + factor * (
                self.change_change[i][square] @ inner - self.along_changes[i, slots]
            )
            of_steps[i, slots] = np.linalg.solve(upper.T, middle)
            of_changes[i, slots] = -factor * inner

        def device(values: np.ndarray) -> Tensor:
            return torch.from_numpy(values).to(preconditioned)

        direction = preconditioned * device(factors)[:, None]
        if used:
            direction += (device(of_steps)[:, None] @ self.steps[:, :used])[:, 0]
            direction += (device(of_changes)[:, None] @ self.changes[:, :used])[:, 0]
        return direction.neg_()

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

    def accepts(
        self, value: float, trial_value: float, slope: float, trial_slope: float, noise: float
    ) -> bool:
        """Whether a trial meets Wolfe's conditions (or no tries are left); if not, the length has
        changed. Values that differ by less than ``noise`` are equal: there the slope decides.
        """
        self.tries += 1
        if self.tries >= LONGEST_SEARCH:
            return True
        if trial_value > value + 1e-4 * self.length * slope + noise or trial_slope > 0.9 * abs(
            slope
        ):
            self.high = self.length
        elif trial_slope < 0.9 * slope:
            self.low = self.length
        else:
            return True
        self.length = 2 * self.length if self.high == float("inf") else (self.low + self.high) / 2
        return False


Evaluate = Callable[[Tensor, list[int], bool], tuple[np.ndarray, Tensor]]
Precondition = Callable[[Tensor, list[int], bool], Tensor]


def minimise(
    evaluate: Evaluate,
    precondition: Precondition,
    start: Tensor,
    *,
    tolerance: float = TOLERANCE,
    max_iterations: int = MAX_ITERATIONS,
    rough: bool = False,
) -> Minima:
    """Minimise convex objectives.

    Parameters
    ----------
    evaluate : callable
        From weights (p, k, C) of the problems with some numbers, and whether a rough answer will
        do, to their values, float64 (p,), and gradients (p, k, C).
    precondition : callable
        From gradients to approximate inverse Hessians times gradients, of the problems with some
        numbers, likewise.
    start : Tensor (P, k, C)
    tolerance : float
        A problem ends when the quadratic model says that less than this share of its objective is
        left to gain.
    max_iterations : int
        A problem stops here in any case, with ``converged=False``; so does one that rounding keeps
        from a new least share for ``STALLED`` steps.
    rough : bool
        Begin with rough answers.

    Notes
    -----
    A bound on the gradient would not do: with a small penalty and separable classes the gradient is
    tiny long before the minimum, and the result would depend on the start.
    """
    run = _Run(evaluate, precondition, start, max_iterations)
    if rough:
        run.descend(max(tolerance, ROUGH_TOLERANCE), rough=True)
    run.descend(tolerance, rough=False)
    return Minima(
        run.end,
        run.step,
        run.objective,
        run.left,
        run.iterations,
        run.evaluations,
        run.left <= tolerance,
    )


class _Run:
    """One run of :func:`minimise`: where all problems are. Row i of its tensors is of problem
    ``held[i]``.
    """

    def __init__(
        self, evaluate: Evaluate, precondition: Precondition, start: Tensor, max_iterations: int
    ) -> None:
        self.evaluate, self.precondition = evaluate, precondition
        self.max_iterations = max_iterations
        count, self.shape = len(start), start.shape[1:]
        self.held = list(range(count))
        self.weights = start.flatten(1)
        self.direction, self.slope = torch.zeros_like(self.weights), np.zeros(count)
        self.history = _History(self.weights, HISTORY)
        self.end, self.objective, self.left = start.clone(), np.zeros(count), np.full(count, np.inf)
        self.step = torch.zeros_like(start)
        self.least, self.since = np.full(count, np.inf), np.zeros(count, dtype=int)
        self.iterations, self.evaluations = np.zeros(count, dtype=int), np.zeros(count, dtype=int)

    def descend(self, tolerance: float, *, rough: bool) -> None:
        """Descend with all problems until each has less than ``tolerance`` to gain."""
        active = list(range(len(self.held)))
        self.value, self.gradient, self.preconditioned = self._evaluated(
            self.weights, active, rough
        )
        self.history.look(self.gradient)
        searches = [_Search() for _ in active]
        fresh, still = active, set[int]()
        while True:
            self._turn(fresh)
            finished = {i for i in fresh if i in still or self._ends(i, tolerance)}
            for i in finished:
                self._note(i)
            active = [i for i in active if i not in finished]
            if not active:
                return
            if not rough and 2 * len(active) <= len(self.held):
                self._keep(active)
                searches, active = [searches[i] for i in active], list(range(len(active)))

            lengths = self.weights.new_zeros(len(self.held), 1)
            lengths[active, 0] = torch.tensor([searches[i].length for i in active]).to(lengths)
            trial = torch.addcmul(self.weights, self.direction, lengths)
            value, gradient, preconditioned = self._evaluated(trial, active, rough)
            slope = _dots(self.direction, gradient)
            noise = ROUGH_NOISE if rough else 1e-6  # float32 cannot tell less apart
            fresh = [
                i
                for i in active
                if searches[i].accepts(
                    self.value[i], value[i], self.slope[i], slope[i], noise * abs(self.value[i])
                )
            ]
            if not fresh:
                continue
            if rough:  # a step that gained as little as this was led by rounding
                still = {i for i in fresh if self.value[i] - value[i] <= tolerance * self.value[i]}
            step, change = trial - self.weights, gradient - self.gradient
            turned = preconditioned - self.preconditioned
            curvature, size = _dots(step, change), _dots(change, change)
            whitened = _dots(change, turned)
            if len(fresh) == len(self.held):
                self.weights, self.value = trial, value
                self.gradient, self.preconditioned = gradient, preconditioned
            else:
                self.weights[fresh], self.value[fresh] = trial[fresh], value[fresh]
                self.gradient[fresh] = gradient[fresh]
                self.preconditioned[fresh] = preconditioned[fresh]
            useful = [i for i in fresh if curvature[i] > 1e-12 * size[i] and whitened[i] > 0]
            self.history.add(useful, step, turned, self.gradient, curvature, whitened)
            for i in fresh:
                searches[i] = _Search()
                self.iterations[self.held[i]] += 1

    def _evaluated(
        self, weights: Tensor, active: list[int], rough: bool
    ) -> tuple[np.ndarray, Tensor, Tensor]:
        """Values, gradients and preconditioned gradients: new for the active rows, else as kept."""
        every = len(active) == len(self.held)
        numbers = [self.held[i] for i in active]
        self.evaluations[numbers] += 1
        some = weights if every else weights[active]
        value, gradient = self.evaluate(some.view(-1, *self.shape), numbers, rough)
        preconditioned = self.precondition(gradient, numbers, rough).flatten(1)
        gradient = gradient.flatten(1)
        if every:
            return value, gradient, preconditioned
        values, gradients = self.value.copy(), self.gradient.clone()
        all_preconditioned = self.preconditioned.clone()
        values[active], gradients[active] = value, gradient
        all_preconditioned[active] = preconditioned
        return values, gradients, all_preconditioned

    def _turn(self, fresh: list[int]) -> None:
        """The next directions of rows whose last search is over."""
        direction = self.history.descent(self.preconditioned, fresh)
        slopes = _dots(direction, self.gradient)
        for i in fresh:
            if slopes[i] >= 0:  # lost to rounding: restart from the preconditioner
                self.history.forget(i)
                direction[i] = -self.preconditioned[i]
                slopes[i] = float(_dots(direction[i : i + 1], self.gradient[i : i + 1])[0])
        if len(fresh) == len(self.held):
            self.direction, self.slope = direction, slopes
        else:
            self.direction[fresh], self.slope[fresh] = direction[fresh], slopes[fresh]

    def _share(self, i: int) -> float:
        """What the quadratic model says is left to gain, as a share of the objective."""
        return float(-self.slope[i] / 2 / max(self.value[i], 1e-12))

    def _ends(self, i: int, tolerance: float) -> bool:
        share, number = self._share(i), self.held[i]
        known = len(self.history.slots[i]) >= ENOUGH_HISTORY or share <= tolerance * 1e-3
        if share < self.least[number]:
            self.least[number], self.since[number] = share, self.iterations[number]
        steps = self.iterations[number]
        stopped = steps >= self.max_iterations or steps - self.since[number] >= STALLED
        return (share <= tolerance and known) or bool(stopped)

    def _note(self, i: int) -> None:
        number = self.held[i]
        self.end[number] = self.weights[i].view(self.shape)
        self.step[number] = self.direction[i].view(self.shape)
        self.objective[number], self.left[number] = self.value[i], self._share(i)

    def _keep(self, some: list[int]) -> None:
        """Keep some rows only: the others are done."""
        self.held = [self.held[i] for i in some]
        self.weights, self.gradient = self.weights[some], self.gradient[some]
        self.preconditioned, self.direction = self.preconditioned[some], self.direction[some]
        self.value, self.slope = self.value[some], self.slope[some]
        self.history.keep(some)
