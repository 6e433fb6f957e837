"""Folds of cross-validation, and the choice of a penalty by it.

A penalty is dimensionless and means the same for every probe: the objective is

    mean loss + penalty * v / 2 * ||W||_F^2,

with v the mean variance of the neurons over the train set, and no penalty on the intercept. So it
does not change with the scale of the features or the number of images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..measures.statistics import SufficientStatistics

RIDGE_GRID = tuple(float(f"{10 ** (e / 2):.3g}") for e in range(-12, 5))
"""Penalties tried at first for the ridge probe: 1e-6 to 100, two a decade."""

LOGISTIC_GRID = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""Penalties tried at first for the logistic probe."""

WEAKEST, STRONGEST = 1e-12, 1e6
"""How far a grid is extended where the best penalty may lie beyond it, as where one neuron varies
far more than the others: the mean variance is then that of this neuron.
"""


@dataclass(frozen=True)
class PenaltyChoice:
    """A penalty chosen by cross-validation on the train set.

    Attributes
    ----------
    penalty : float
        The strongest whose loss is as good as the least: within 2% of it for the logistic probe,
        whose fits leave losses uncertain by up to half a percent, and within 0.1% for the ridge
        probe.
    grid : tuple of float
        All penalties tried.
    loss : tuple of float
        The mean loss of each on held-out images: what the probe minimises, cross-entropy in nats or
        squared error to one-hot labels, once all scores are multiplied by the factor that makes it
        least.
    accuracy : tuple of float
        The accuracy of each on held-out images.
    folds : int
        As many as images for leave-one-out.

    Notes
    -----
    Guesses do not depend on the factor; losses do, and without it lead to probes that guess at
    chance where few images are noisy. Accuracy decides nothing: it is nearly equal over decades of
    penalties, and the best one changed with the folds, and with features changed by a millionth.

    Examples
    --------
    >>> choice = PenaltyChoice(0.1, (0.01, 0.1), (0.9, 0.9), (0.7, 0.7), folds=3)
    >>> choice.at
    1
    """

    penalty: float
    grid: tuple[float, ...]
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    folds: int

    @property
    def at(self) -> int:
        """The place of the penalty in the grid."""
        return self.grid.index(self.penalty)

    @property
    def at_edge(self) -> bool:
        """Whether no weaker or no stronger penalty was tried."""
        return self.penalty in (min(self.grid), max(self.grid))


def check_penalty(penalty: float) -> float:
    """A penalty above 0, or InputError saying so."""
    if (
        isinstance(penalty, bool)
        or not isinstance(penalty, (int, float, np.floating, np.integer))
        or not 0 < penalty < np.inf
    ):
        raise InputError(f"penalty is {penalty!r}: it must be a number above 0")
    return float(penalty)


def check_classes(y: Tensor) -> None:
    """InputError unless two classes at least are present."""
    present = y.unique()
    if len(present) < 2:
        raise InputError(
            f"all {len(y)} train labels are {int(present[0])}: a probe needs at least two classes"
        )


def stratified_folds(y: Tensor, folds: int, seed: int = 0) -> Tensor:
    """The fold of each image, (n,) int64: each class is spread evenly over the folds, at random."""
    if folds < 2 or folds > len(y):
        raise InputError(f"folds is {folds}: it must be 2 to the number of images, {len(y)}")
    shuffled = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    by_class = shuffled[torch.sort(y[shuffled], stable=True).indices]
    fold = torch.empty_like(y)
    fold[by_class] = torch.arange(len(y)) % folds
    return fold


def folds_of(labels: Tensor, folds: int, seed: int, groups: Any = None) -> Tensor:
    """The fold of each row, (n,) int64; fewer folds where images are fewer.

    Rows of one group, such as the views of one image, share a fold.
    """
    if groups is not None:
        first, group = _groups(labels, groups)
        return folds_of(labels[first], folds, seed)[group]
    return stratified_folds(labels, min(folds, len(labels)) if folds > 1 else folds, seed)


def _groups(labels: Tensor, groups: Any) -> tuple[Tensor, Tensor]:
    """The first row of each group, and the group of each row."""
    names = np.asarray(groups)
    _, first, group = np.unique(names, return_index=True, return_inverse=True)
    if len(names) != len(labels) or not np.array_equal(
        labels.numpy()[first][group], labels.numpy()
    ):
        raise InputError(
            f"groups has {len(names)} entries for {len(labels)} rows: it must name the group "
            "of each row, and the rows of a group share a label"
        )
    return torch.from_numpy(first), torch.from_numpy(group)


def rows_left_out(labels: Tensor, groups: Any = None) -> list[Tensor]:
    """The rows that are left out together, (groups, rows of a group): a tensor for each size of
    group; each row alone by default.
    """
    if groups is None:
        return [torch.arange(len(labels))[:, None]]
    _, group = _groups(labels, groups)
    counts = torch.bincount(group)
    rows = torch.sort(group, stable=True).indices
    return [rows[counts[group[rows]] == size].view(-1, int(size)) for size in counts.unique()]


def grid_for(grid: tuple[float, ...], statistics: SufficientStatistics) -> tuple[float, ...]:
    """An ascending grid, begun lower where the mean variance of the neurons is that of a few.

    A thousand times the median is one decade lower, and so on: penalties that suit the others are
    so much weaker, and in between nothing may show that they are there.
    """
    varying = torch.ones(statistics.d, dtype=torch.bool)
    varying[statistics.constant.cpu()] = False
    if not varying.any():
        return grid
    median = float(statistics.gram.diagonal().cpu()[varying].median()) / statistics.n
    for _ in range(math.floor(math.log10(statistics.mean_variance / median)) - 2):
        grid = (*_weaker(grid), *grid)
    return grid


def choose(
    losses: Callable[[tuple[float, ...]], tuple[np.ndarray, np.ndarray]],
    grid: tuple[float, ...],
    folds: int,
    *,
    within: float,
    extend: bool,
) -> PenaltyChoice:
    """The strongest penalty whose held-out loss is at most ``within`` times the least.

    Parameters
    ----------
    losses : callable
        From penalties to the loss and the accuracy of each on held-out images.
    grid : tuple of float (g,)
        Penalties to try.
    folds : int
    within : float
    extend : bool
        Also try a decade beyond an end of the grid for as long as that end is the best, its loss
        less than its neighbour's by more than ``within``.

    Raises
    ------
    InputError
        If no loss is finite.
    """
    loss, accuracy = losses(grid)
    while extend and (further := _beyond(grid, loss, within)):
        more = losses(further)
        grid = (*grid, *further)
        order = np.argsort(grid)
        grid = tuple(grid[i] for i in order)
        loss, accuracy = (
            np.concatenate(both)[order] for both in ((loss, more[0]), (accuracy, more[1]))
        )
    return strongest_penalty(grid, loss, accuracy, folds, within=within)


def _beyond(grid: tuple[float, ...], loss: np.ndarray, within: float) -> tuple[float, ...]:
    """The decade of penalties beyond the end of an ascending grid that is best; none if neither is,
    or the grid has reached its limit.
    """
    least = loss[np.isfinite(loss)].min(initial=math.inf)
    if loss[0] == least and loss[0] * within < loss[1]:
        return _weaker(grid)
    if loss[-1] == least and loss[-1] * within < loss[-2] and grid[-1] < STRONGEST / 1.1:
        return tuple(float(f"{10 * penalty:.3g}") for penalty in grid if penalty > grid[-1] / 9)
    return ()


def _weaker(grid: tuple[float, ...]) -> tuple[float, ...]:
    """The decade below an ascending grid, none at its limit."""
    if grid[0] < 1.1 * WEAKEST:
        return ()
    return tuple(float(f"{penalty / 10:.3g}") for penalty in grid if penalty < 9 * grid[0])


def strongest_penalty(
    grid: tuple[float, ...], loss: np.ndarray, accuracy: np.ndarray, folds: int, *, within: float
) -> PenaltyChoice:
    """The strongest penalty whose held-out loss is at most ``within`` times the least.

    Parameters
    ----------
    grid : tuple of float (g,)
    loss, accuracy : ndarray (g,)
        On held-out images.
    folds : int
    within : float

    Raises
    ------
    InputError
        If no loss is finite.
    """
    finite = np.isfinite(loss)
    good = finite & (loss <= within * loss[finite].min(initial=np.inf))
    if not good.any():
        raise InputError("no penalty gives finite scores: are all neurons constant?")
    penalty = max(np.asarray(grid)[good].tolist())
    return PenaltyChoice(
        penalty, tuple(grid), tuple(loss.tolist()), tuple(accuracy.tolist()), folds
    )
