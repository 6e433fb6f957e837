"""Diffused redundancy: how many neurons can be dropped before a measure falls below a share of the full layer's.

DR(delta) = 1 - k*/d, with k* the smallest k at which the mean over selections of T(S_k) / T(full) reaches delta
(the paper's definition 1). T is CKA or accuracy. Curves hold every k, so k* is exact to one neuron.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, check_number, check_whole


@dataclass(frozen=True)
class Redundancy:
    """DR(delta) of one layer, measure and selection, with an interval over the seeds of the selection.

    Attributes
    ----------
    delta : float
        The share of the full layer's value that must be kept.
    value : float
        1 - k/d; NaN where no k reaches delta.
    k : int or None
        The smallest sufficient number of neurons.
    d : int
        Neurons of the layer.
    low, high : float
        Bootstrap percentile interval of ``value`` over seeds; NaN with a single seed or where ``value`` is.
    confidence : float
        Of the interval.
    seeds : int
        How many curves it rests on.
    full : float
        T of the full layer.
    """

    delta: float
    value: float
    k: int | None
    d: int
    low: float
    high: float
    confidence: float
    seeds: int
    full: float


def smallest_sufficient(curves: np.ndarray, threshold: float, sizes: np.ndarray) -> np.ndarray:
    """The first size at which each curve (rows) reaches the threshold, as float; NaN where none does."""
    reached = curves >= threshold - 1e-12 * abs(threshold)  # a tie to within rounding counts as reached
    first = sizes[reached.argmax(1)].astype(float)
    first[~reached.any(1)] = np.nan
    return first


def diffused_redundancy(
    curves: Any,
    delta: float = 0.9,
    *,
    full: float | None = None,
    d: int | None = None,
    sizes: Any = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Redundancy:
    """DR(delta) from the curves of several selections.

    Parameters
    ----------
    curves : array (seeds, sizes)
        T(S_k), one row per seed.
    delta : float in (0, 1]
    full : float, optional
        T of the full layer; by default the mean of the last column.
    d : int, optional
        Neurons of the layer; by default the largest size.
    sizes : array of int, optional
        The k of each column, ascending; by default 1, 2, 3, ... Given a coarse grid, k is the smallest size on it.
    confidence : float
        Of the interval.
    resamples : int
        Bootstrap resamples of the seeds.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Redundancy

    Notes
    -----
    The interval is the percentile bootstrap over seeds: it says how much k* would move had other random subsets
    been drawn. It holds the images and the network fixed. With few seeds it is too narrow.
    """
    values = np.atleast_2d(np.asarray(curves, dtype=float))
    if values.ndim != 2 or 0 in values.shape or np.isnan(values).any():
        raise InputError(f"curves of shape {np.shape(curves)} cannot be used: they must be (seeds, sizes), without NaN")
    delta = check_number(delta, "delta", 0, 1, open_low=True)
    steps = np.arange(1, values.shape[1] + 1) if sizes is None else np.asarray(sizes)
    if len(steps) != values.shape[1] or (np.diff(steps) <= 0).any():
        raise InputError(f"sizes must be {values.shape[1]} ascending whole numbers, one for each column of the curves")
    d = int(steps[-1]) if d is None else check_whole(d, "d", int(steps[-1]))
    full = float(values[:, -1].mean()) if full is None else float(full)
    if not full > 0:
        raise InputError(f"the full layer's value is {full:g}: a share of it means nothing unless it is above 0")
    k = float(smallest_sufficient(values.mean(0, keepdims=True), delta * full, steps)[0])
    low = high = np.nan
    if len(values) > 1 and not np.isnan(k):
        draws = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
        weights = np.stack([(draws == row).mean(1) for row in range(len(values))], 1)
        resampled = smallest_sufficient(weights @ values, delta * full, steps)
        resampled = np.where(np.isnan(resampled), d, resampled)  # not reached: nothing can be dropped
        tail = (1 - confidence) / 2
        low, high = 1 - np.quantile(resampled, [1 - tail, tail], method="inverted_cdf") / d
    return Redundancy(delta, 1 - k / d, None if np.isnan(k) else int(k), d, float(low), float(high), confidence, len(values), full)


def pareto_front(gains: Any, values: Any) -> np.ndarray:
    """Which points no other one beats: none has more of both, or more of one and as much of the other.

    Parameters
    ----------
    gains, values : array (n,)
        Two things one wants much of, such as the share of neurons dropped and the accuracy kept.

    Returns
    -------
    ndarray of int
        Positions of the points on the front, by rising ``gains``; of equal points the first.

    Notes
    -----
    Sort by falling gain and keep each point whose value exceeds all before it: O(n log n).
    """
    x, y = np.asarray(gains, dtype=float), np.asarray(values, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or not len(x) or np.isnan(x).any() or np.isnan(y).any():
        raise InputError(f"points of shapes {x.shape} and {y.shape} cannot be used: give two arrays of equal length, without NaN")
    order = np.lexsort((np.arange(len(x)), -y, -x))
    best = np.maximum.accumulate(y[order])
    on = np.concatenate([[True], best[1:] > best[:-1]])
    return order[on][::-1]
