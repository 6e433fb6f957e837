"""What DR of accuracy would be of features without any redundancy: independent of one another, and
all equally useful.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.stats import norm

_FARTHEST = 14.0
"""Standard deviations by which classes are apart, at most: nothing is confused then."""


def equal_features_redundancy(
    full: Any, delta: float, m: int, classes: int, chance: float = 0.0
) -> np.ndarray:
    """DR(delta) above chance of m independent and equally useful features, of which all together
    reach an accuracy: the counterpart of 1 - delta^2 of CKA.

    Parameters
    ----------
    full : float or array
        Accuracy of all m features; of those no better than guessing no feature can be dropped.
    delta : float
        The share to be kept, of what ``full`` is above ``chance``.
    m, classes : int
    chance : float
        What accuracies are taken above.

    Returns
    -------
    ndarray
        In steps of 1 / m, of the shape of ``full``.

    Notes
    -----
    Classes are equally likely and equally far apart, features normally distributed. Then the score
    of the right class exceeds the others by a distance that grows with the root of the number of
    features, in standard deviations of a score, and it is the largest of C scores with the
    probability of a C-alternative forced choice (Green and Swets, 1966).

    Examples
    --------
    >>> equal_features_redundancy([0.5, 0.95], 0.9, 100, classes=10)
    array([0.18, 0.36])
    """
    reached = np.asarray(full, dtype=float)
    ends = [_distance(one, classes) for one in (chance + delta * (reached - chance), reached)]
    share = np.divide(ends[0], ends[1], out=np.ones(reached.shape), where=ends[1] > 0) ** 2
    redundancy: np.ndarray = 1 - np.ceil(np.clip(share, 1 / m, 1) * m - 1e-9) / m
    return redundancy


def _distance(accuracy: np.ndarray, classes: int) -> np.ndarray:
    """How far classes are apart for an accuracy, in standard deviations of a score."""
    distances, accuracies = _forced_choice(classes)
    distance: np.ndarray = np.interp(accuracy, accuracies, distances)
    return distance


@lru_cache(maxsize=8)
def _forced_choice(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances, and the accuracies that they give."""
    z, distances = np.linspace(-8, 8, 321), np.linspace(0, _FARTHEST, 561)
    right = norm.logcdf(z + distances[:, None]) * (classes - 1) + norm.logpdf(z)
    accuracies = np.exp(right).sum(1) * (z[1] - z[0])
    accuracies[0] = 1 / classes  # without the error of the sum
    return distances, accuracies
