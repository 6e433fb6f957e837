"""What every linear probe shares: the folds of cross-validation, the choice of a penalty, accuracy
by class.

A penalty ``alpha`` is dimensionless and means the same for every probe: the objective is

    mean loss + alpha * v / 2 * ||W||_F^2,

with v the mean variance of the neurons over the train set, and no penalty on the intercept. So it
does not change with the scale of the features or the number of images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..measure.validation import as_labels, count_classes

RIDGE_GRID = tuple(float(f"{10 ** (e / 2):.3g}") for e in range(-12, 5))
"""Penalties tried for the ridge probe: 1e-6 to 100, two a decade."""

LOGISTIC_GRID = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""Penalties tried for the logistic probe."""


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
        The mean loss of each on images left out: what the probe minimises, cross-entropy in nats or
        squared error to one-hot labels, once all scores are multiplied by the factor that makes it
        least. Guesses do not depend on that factor; the losses do, and would lead to probes that
        guess at chance where few images are noisy. Numbers of right guesses, on the other hand, are
        nearly equal over decades of penalties: the one with the most changed with the folds, and
        with features changed by a millionth.
    accuracy : tuple of float
        The share of images left out that each guesses.
    folds : int
        Parts left out in turn: as many as images where each is left out alone.
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
    """At least two classes must be present, or there is nothing to probe."""
    present = y.unique()
    if len(present) < 2:
        raise InputError(
            f"all {len(y)} train labels are {int(present[0])}: a probe needs at least two classes"
        )


def fold_of(y: Tensor, folds: int, seed: int = 0) -> Tensor:
    """The fold of each image, (n,) int64: classes spread evenly over the folds, at random within a
    class.
    """
    if folds < 2 or folds > len(y):
        raise InputError(f"folds is {folds}: it must be 2 to the number of images, {len(y)}")
    shuffled = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    by_class = shuffled[torch.sort(y[shuffled], stable=True).indices]
    fold = torch.empty_like(y)
    fold[by_class] = torch.arange(len(y)) % folds
    return fold


def folded(y: Any, n: int, folds: int, seed: int, groups: Any = None) -> tuple[Tensor, int, Tensor]:
    """Checked labels (n,), the number of classes, and the fold of each row; fewer folds where
    images are fewer.

    Rows of one group, such as the views of one image, share a fold: none is judged by a probe that
    saw another.
    """
    labels = as_labels(y, n)
    check_classes(labels)
    if groups is None:
        return (
            labels,
            count_classes(labels),
            fold_of(labels, min(folds, n) if folds > 1 else folds, seed),
        )
    first, home = _homes(labels, groups)
    fold = fold_of(labels[first], min(folds, len(first)) if folds > 1 else folds, seed)
    return labels, count_classes(labels), fold[home]


def _homes(labels: Tensor, groups: Any) -> tuple[Tensor, Tensor]:
    """The first row of each group, and the group of each row."""
    names = np.asarray(groups)
    _, first, home = np.unique(names, return_index=True, return_inverse=True)
    if len(names) != len(labels) or not np.array_equal(labels.numpy()[first][home], labels.numpy()):
        raise InputError(
            f"groups has {len(names)} entries for {len(labels)} rows: it must name the group "
            "of each row, and the rows of a group share a label"
        )
    return torch.from_numpy(first), torch.from_numpy(home)


def together(labels: Tensor, groups: Any = None) -> list[Tensor]:
    """The rows left out at a time, (groups, rows of a group): a tensor for each number of rows that
    groups have; each row alone by default.
    """
    if groups is None:
        return [torch.arange(len(labels))[:, None]]
    _, home = _homes(labels, groups)
    counts = torch.bincount(home)
    rows = torch.sort(home, stable=True).indices
    return [rows[counts[home[rows]] == size].view(-1, int(size)) for size in counts.unique()]


def choose(
    grid: tuple[float, ...], loss: np.ndarray, accuracy: np.ndarray, folds: int, *, near: float
) -> PenaltyChoice:
    """The choice from the losses and accuracies (penalties) on images left out: the strongest up to
    ``near`` times the least loss.

    Raises
    ------
    InputError
        If no loss is finite.
    """
    least = min((value for value in loss if np.isfinite(value)), default=np.inf)
    good = [
        penalty
        for penalty, value in zip(grid, loss, strict=True)
        if value <= near * least and np.isfinite(value)
    ]
    if not good:
        raise InputError("no penalty gives finite scores: are all neurons constant?")
    return PenaltyChoice(
        max(good), tuple(grid), tuple(loss.tolist()), tuple(accuracy.tolist()), folds
    )


def per_class(right: Tensor, y: Tensor, num_classes: int) -> np.ndarray:
    """The share of right guesses by class, (..., C), from right (..., n) of 0 and 1; NaN for
    classes not in y.
    """
    one_hot = torch.nn.functional.one_hot(y, num_classes).to(right.device, torch.float32)
    counts = one_hot.sum(0)
    return (right.float() @ one_hot / counts).cpu().double().numpy()
