"""Folds of cross-validation, and the choice of a penalty by it.

A penalty is dimensionless and means the same for every probe: the objective is

    mean loss + penalty * v / 2 * ||W||_F^2,

with v the mean variance of the neurons over the train set, and no penalty on the intercept. So it
does not change with the scale of the features or the number of images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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

NO_LOSS = 1e-9
"""Losses up to here are equal: rounding would choose between penalties."""


@dataclass(frozen=True)
class PenaltyChoice:
    """A penalty chosen by cross-validation on the train set.

    Attributes
    ----------
    penalty : float
        The strongest whose loss is nearly the least: within 2% of it for the logistic probe,
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
    within : float
        Times the least loss up to which a stronger penalty is chosen.
    standard_errors : ndarray (g, g)
        Of the difference of the losses of every two penalties, paired by image (views of one image
        are one unit); None where it is not known.

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
    >>> choice.alike
    (0.01, 0.1)
    """

    penalty: float
    grid: tuple[float, ...]
    loss: tuple[float, ...]
    accuracy: tuple[float, ...]
    folds: int
    within: float = 1.0
    standard_errors: np.ndarray | None = field(default=None, repr=False, compare=False)

    @property
    def at(self) -> int:
        """The place of the penalty in the grid."""
        return self.grid.index(self.penalty)

    @property
    def at_edge(self) -> bool:
        """Whether no weaker or no stronger penalty was tried."""
        return self.penalty in (min(self.grid), max(self.grid))

    @property
    def alike(self) -> tuple[float, ...]:
        """The penalties that cross-validation cannot tell apart from the one of least loss,
        ascending: their loss is within one standard error of the least, or within what the choice
        itself takes for as good.

        Notes
        -----
        This is the one-standard-error rule (Breiman and others 1984, section 3.4.3) with the
        standard error of the *difference*, paired by image. The rule's own is that of the least
        loss alone: how much it would be with other images. But an image that is hard is hard at
        every penalty, so that most of this tells nothing of penalties, and too many look alike.
        In 90 draws of 700 train images of digits, Georgian letters and font style (ridge probes,
        the miniature's standard network) the penalty that is best on the images not drawn was
        within one paired standard error 89 times, of 1.1 out of 11 penalties on average; within the
        rule's own it was 90 times, of 2.1.
        """
        loss = np.asarray(self.loss, dtype=float)
        best = int(np.nanargmin(loss))
        allowed = (self.within - 1) * loss[best]
        if self.standard_errors is not None:
            allowed = np.fmax(allowed, self.standard_errors[best])
        near = loss - loss[best] <= allowed
        return tuple(penalty for penalty, so in zip(self.grid, near, strict=True) if so)


@dataclass(frozen=True)
class HeldOut:
    """What penalties come to on held-out images.

    Attributes
    ----------
    loss, accuracy : ndarray (g,)
        Means over images.
    by_image : ndarray (units, g)
        What each image adds to the loss, times their number; views of one image are one unit.

    Notes
    -----
    The loss is the least over factors of the scores. At the best factor its slope is 0, so that a
    change of the factor from one sample of images to another is of second order: the spread of the
    mean of ``by_image``, with this factor held, is that of the loss.
    """

    loss: np.ndarray
    accuracy: np.ndarray
    by_image: np.ndarray = field(repr=False)

    def joined(self, more: HeldOut, order: np.ndarray) -> HeldOut:
        """This and more penalties, in an order."""
        return HeldOut(
            np.concatenate([self.loss, more.loss])[order],
            np.concatenate([self.accuracy, more.accuracy])[order],
            np.concatenate([self.by_image, more.by_image], 1)[:, order],
        )


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
    losses: Callable[[tuple[float, ...]], HeldOut],
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
        From penalties to what they come to on held-out images.
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
    found = losses(grid)
    while extend and (further := _beyond(grid, found.loss, within)):
        grid = (*grid, *further)
        order = np.argsort(grid)
        grid = tuple(grid[i] for i in order)
        found = found.joined(losses(further), order)
    return _strongest(
        grid, found.loss, found.accuracy, folds, within, paired_errors(found.by_image)
    )


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


def paired_errors(by_image: np.ndarray) -> np.ndarray:
    """The standard error of the difference between the means of every two columns, (g, g).

    Parameters
    ----------
    by_image : ndarray (units, g)
        A loss of each image at each penalty.

    Examples
    --------
    >>> paired_errors(np.array([[5.0, 6.0], [1.0, 2.0], [3.0, 4.0]]))[0]  # always one apart
    array([0., 0.])
    """
    units, columns = by_image.shape
    if units < 2:
        return np.full((columns, columns), np.nan)
    # one column at a time: a difference of variances would lose small ones to rounding
    with np.errstate(invalid="ignore"):
        return np.stack([(by_image - column[:, None]).std(0, ddof=1) for column in by_image.T]) / (
            math.sqrt(units)
        )


def common_choice(choices: Sequence[PenaltyChoice]) -> PenaltyChoice:
    """One penalty for several networks on a task, chosen as for one: by the mean over networks of
    the held-out loss, each relative to the network's least.

    So networks are compared at one penalty, and not at penalties that chance chose for each.

    Parameters
    ----------
    choices : sequence of PenaltyChoice
        Of one task and one probe, a network each. Only penalties that all have tried are
        considered; :func:`united_grid` says which those are that some lack.

    Returns
    -------
    PenaltyChoice
        ``loss`` is the mean relative loss; a single network's own choice as it is. A penalty is
        relative to the mean variance of the neurons, and in this unit it is common.
        ``standard_errors`` are the means of the networks' relative ones: never too small, however
        much networks err alike on the images that they share.

    Raises
    ------
    InputError
        If there is no choice, or no penalty that all have tried with a finite loss.

    Examples
    --------
    >>> one = PenaltyChoice(0.01, (0.01, 0.1, 1.0), (0.50, 0.55, 0.70), (0.9, 0.9, 0.8), folds=3)
    >>> other = PenaltyChoice(1.0, (0.01, 0.1, 1.0), (0.90, 0.82, 0.80), (0.5, 0.6, 0.6), folds=3)
    >>> common_choice([one, other]).penalty
    0.1
    """
    if not choices:
        raise InputError("there is no choice of a penalty: a common one needs at least one")
    if len(choices) == 1:
        return choices[0]
    shared = set.intersection(*(set(one.grid) for one in choices))
    grid = tuple(penalty for penalty in sorted(shared))
    if not grid:
        raise InputError(
            "no penalty was tried by all: the grids are "
            + "; ".join(f"{min(one.grid):g} to {max(one.grid):g}" for one in choices)
        )
    losses, accuracies, errors = [], [], []
    for one in choices:
        at = [one.grid.index(penalty) for penalty in grid]
        loss = np.asarray(one.loss)[at]
        least = np.maximum(np.nanmin(loss, initial=np.inf), NO_LOSS)
        losses.append(np.maximum(loss, NO_LOSS) / least)
        accuracies.append(np.asarray(one.accuracy)[at])
        known = one.standard_errors
        errors.append(np.full((len(at),) * 2, np.nan) if known is None else known[at][:, at])
        errors[-1] = errors[-1] / least
    return _strongest(
        grid,
        np.mean(losses, 0),
        np.mean(accuracies, 0),
        choices[0].folds,
        max(one.within for one in choices),
        np.mean(errors, 0),
    )


def common_penalty(choices: Sequence[PenaltyChoice]) -> float:
    """The penalty of :func:`common_choice`."""
    return common_choice(choices).penalty


def united_grid(choices: Sequence[PenaltyChoice]) -> tuple[float, ...]:
    """All penalties that any has tried, ascending."""
    return tuple(sorted({penalty for one in choices for penalty in one.grid}))


def _strongest(
    grid: tuple[float, ...],
    loss: np.ndarray,
    accuracy: np.ndarray,
    folds: int,
    within: float,
    standard_errors: np.ndarray,
) -> PenaltyChoice:
    """The strongest penalty whose loss is at most ``within`` times the least."""
    finite = np.isfinite(loss)
    good = finite & (loss <= within * loss[finite].min(initial=np.inf))
    if not good.any():
        raise InputError("no penalty gives finite scores: are all neurons constant?")
    penalty = max(np.asarray(grid)[good].tolist())
    return PenaltyChoice(
        penalty,
        tuple(grid),
        tuple(loss.tolist()),
        tuple(accuracy.tolist()),
        folds,
        within,
        standard_errors,
    )
