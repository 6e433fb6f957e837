"""What exercises may use and need not write: a penalty, a probe, and the t distribution."""

from __future__ import annotations

from functools import cache

import numpy as np

from .data import Data
from .examples import ridge_by_images

PENALTY = 0.01
"""Of the probes of the course, as a share of the mean size of the neurons; leave-one-out
cross-validation on all train images of the digits chooses it.
"""


def strength(X_train: np.ndarray, penalty: float = PENALTY) -> float:
    """What a ridge probe adds to the diagonal of the Gram matrix of the centred neurons.

    It is ``penalty`` times the mean of that diagonal, so that it means the same for any layer.
    """
    centred = X_train - X_train.mean(0)
    return float(penalty * (centred**2).sum() / centred.shape[1])


def guesses(data: Data, kept: np.ndarray) -> np.ndarray:
    """What a ridge probe on some neurons guesses for the test images.

    Parameters
    ----------
    data : Data
    kept : ndarray of int (k,)
        The neurons that it may use.

    Returns
    -------
    ndarray of int (images,)
        Classes.
    """
    parts = data.X_train[:, kept], data.y_train, data.X_test[:, kept]
    return ridge_by_images(*parts, strength(data.X_train))


@cache
def student(df: float, confidence: float = 0.95) -> float:
    """How many standard errors an interval reaches to each side, by Student's t.

    >>> round(student(8), 3), round(student(1e6), 2)
    (2.306, 1.96)
    """
    # With t = sqrt(df) tan(a), the density is proportional to cos(a) ** (df - 1). Angles are closer
    # to one another near the right one, where the tangent grows without bound.
    most = min(np.pi / 2, 12 / np.sqrt(df))
    angles = most * (1 - np.linspace(1, 0, 10_001) ** 2)
    density = np.cos(angles) ** (df - 1)
    pieces = (density[1:] + density[:-1]) * np.diff(angles)
    share = np.concatenate([[0], np.cumsum(pieces)])
    return float(np.sqrt(df) * np.tan(np.interp(confidence, share / share[-1], angles)))


def welch(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """The ends of a 95% interval of the mean of ``one`` less that of ``other`` (Welch's t).

    Parameters
    ----------
    one, other : array (seeds,)
        A value for each of several networks; two at least.
    """
    one, other = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    parts = np.array([group.var(ddof=1) / len(group) for group in (one, other)])
    difference = float(one.mean() - other.mean())
    if not parts.sum():
        return difference, difference
    df = parts.sum() ** 2 / (parts**2 / [len(one) - 1, len(other) - 1]).sum()
    half = student(float(df)) * float(np.sqrt(parts.sum()))
    return difference - half, difference + half
