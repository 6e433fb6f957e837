"""How unevenly accuracy is spread over classes, and whether the same classes suffer.

Section 5 of the paper: dropping neurons costs some classes more than others. All functions take
accuracy by class (..., C) in [0, 1], with NaN for classes that have no test images, and reduce the
last axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata

from ..errors import InputError, check_number, check_whole


def _checked(values: Any) -> np.ndarray:
    by_class = np.asarray(values, dtype=float)
    if by_class.ndim < 1 or by_class.shape[-1] < 2 or not by_class.size:
        raise InputError(
            f"accuracy by class of shape {by_class.shape} cannot be used: its last axis must "
            "hold at least two classes"
        )
    present = ~np.isnan(by_class)
    if (present != present.reshape(-1, by_class.shape[-1])[0]).any():
        raise InputError("the classes without test images (NaN) must be the same in every row")
    kept = by_class[..., present.reshape(-1, by_class.shape[-1])[0]]
    if kept.shape[-1] < 2:
        raise InputError("fewer than two classes have test images: there is nothing to compare")
    if (kept < 0).any():
        raise InputError(f"accuracy by class must not be negative: the least is {kept.min():g}")
    if np.isinf(kept).any():
        raise InputError("accuracy by class must be finite")
    return kept


def gini(by_class: Any) -> np.ndarray:
    """The Gini index over classes, from 0 (all equal) to 1 - 1/C (one class has everything).

    Half the mean absolute difference between two classes (with replacement), as a share of the
    mean; 0 where all values are 0.

    Parameters
    ----------
    by_class : array (..., C)

    Returns
    -------
    ndarray (...)

    Examples
    --------
    >>> gini([[0.5, 0.5], [0.0, 1.0]])
    array([0. , 0.5])
    """
    values = np.sort(_checked(by_class), axis=-1)
    count = values.shape[-1]
    total = values.sum(-1)
    weights = 2 * np.arange(1, count + 1) - count - 1
    index: np.ndarray = np.divide(
        (values * weights).sum(-1), count * total, out=np.zeros_like(total), where=total > 0
    )
    return index


def coefficient_of_variation(by_class: Any) -> np.ndarray:
    """The standard deviation over classes (of the population) as a share of their mean.

    Parameters
    ----------
    by_class : array (..., C)

    Returns
    -------
    ndarray (...)
        0 where all values are 0.

    Examples
    --------
    >>> coefficient_of_variation([[0.5, 0.5], [0.0, 1.0]])
    array([0., 1.])
    """
    values = _checked(by_class)
    mean = values.mean(-1)
    share: np.ndarray = np.divide(values.std(-1), mean, out=np.zeros_like(mean), where=mean > 0)
    return share


def worst(by_class: Any, share: float = 0.0) -> np.ndarray:
    """The mean accuracy of the worst classes: of the single worst one by default.

    Parameters
    ----------
    by_class : array (..., C)
    share : float in [0, 1]
        Of the classes, rounded down to whole ones, at least one.

    Returns
    -------
    ndarray (...)

    Examples
    --------
    >>> float(worst([0.5, 0.25, 0.75, 1.0])), float(worst([0.5, 0.25, 0.75, 1.0], 0.5))
    (0.25, 0.375)
    """
    values = np.sort(_checked(by_class), axis=-1)
    share = check_number(share, "share", 0, 1)
    mean: np.ndarray = values[..., : max(1, int(share * values.shape[-1] + 1e-9))].mean(-1)
    return mean


def rank_correlation(rows: Any, others: Any = None) -> np.ndarray:
    """Spearman's rank correlations of each row with each other one, or with each of some others.

    Parameters
    ----------
    rows : array (m, C)
    others : array (l, C), optional

    Returns
    -------
    ndarray (m, m) or (m, l)
        Ties share their mean rank. A constant row has no order: its correlations are NaN.

    Examples
    --------
    >>> rank_correlation([[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]]).round(2)
    array([[ 1., -1.],
           [-1.,  1.]])
    """

    def ranks(values: Any) -> np.ndarray:
        matrix = np.atleast_2d(np.asarray(values, dtype=float))
        if matrix.ndim != 2 or matrix.shape[1] < 2 or np.isnan(matrix).any():
            raise InputError(
                f"rows of shape {matrix.shape} cannot be ranked: they must be (rows, classes), "
                "two classes or more, without NaN"
            )
        centred = rankdata(matrix, axis=1) - (matrix.shape[1] + 1) / 2
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        scaled: np.ndarray = np.divide(
            centred, norms, out=np.full_like(centred, np.nan), where=norms > 0
        )
        return scaled

    ours = ranks(rows)
    theirs = ours if others is None else ranks(others)
    if ours.shape[1] != theirs.shape[1]:
        raise InputError(
            f"rows of {ours.shape[1]} and of {theirs.shape[1]} classes cannot be compared"
        )
    correlations: np.ndarray = np.clip(ours @ theirs.T, -1, 1)
    return correlations


def mean_agreement(rows: Any, others: Any = None) -> float:
    """The mean rank correlation over pairs of different rows.

    Parameters
    ----------
    rows : array (m, C)
    others : array (m, C), optional
        The same values measured on other images, say. Then pairs are of row i with other row j, for
        i and j that differ: what comes from sharing the images is left out.

    Returns
    -------
    float
        NaN with fewer than two rows that have an order.

    Examples
    --------
    >>> round(mean_agreement([[0.1, 0.2, 0.3], [0.2, 0.4, 0.6], [0.1, 0.3, 0.2]]), 3)
    0.667
    """
    correlations = rank_correlation(rows, others)
    if others is None:
        pairs = correlations[np.triu_indices(len(correlations), 1)]
    else:
        pairs = correlations[np.not_equal(*np.indices(correlations.shape))]
    return float(np.nanmean(pairs)) if pairs.size and not np.isnan(pairs).all() else float("nan")


def expected_gini(accuracy: Any, counts: Any, *, draws: int = 200, seed: int = 0) -> float:
    """The mean Gini index of binomial counts of right guesses: what chance alone gives.

    Parameters
    ----------
    accuracy : float or array (C,)
        Of every class, were all equally hard, or of each; in [0, 1].
    counts : array of int (C,)
        Test images of each class; classes without any are left out.
    draws, seed : int
        Of the simulation; draws are at least 1.

    Examples
    --------
    >>> few, many = expected_gini(0.8, [10, 10, 10]), expected_gini(0.8, [1000, 1000, 1000])
    >>> round(few, 2), round(many, 3)
    (0.06, 0.006)
    """
    tests, draws = np.asarray(counts, dtype=int), check_whole(draws, "draws", 1)
    if np.ndim(accuracy) == 0:
        accuracy = np.full(len(tests), check_number(accuracy, "accuracy", 0, 1))
    rates, tests = np.asarray(accuracy, dtype=float)[tests > 0], tests[tests > 0]
    for rate in rates:
        check_number(rate, "accuracy", 0, 1)
    right = np.random.default_rng(seed).binomial(tests, rates, size=(draws, len(tests)))
    return float(gini(right / tests).mean())
