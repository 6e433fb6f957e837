"""Diffused redundancy: how many neurons can be dropped before a measure falls below a share of the
whole layer's.

DR(delta) = 1 - k*/d, with k* the smallest k at which the mean over selections of T(S_k) / T(full)
reaches delta (the paper's definition 1). T is CKA or accuracy. A curve that holds every k gives k*
exact to one neuron; on a coarser grid k* is the smallest size on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, check_number
from .bootstrap import percentile_interval, resampling_weights

if TYPE_CHECKING:
    from .curves import Curve


@dataclass(frozen=True)
class Redundancy:
    """DR(delta) of one layer, measure and selection, with an interval over the seeds of the
    selection.

    Attributes
    ----------
    delta : float
        The share of the whole layer's value that must be kept.
    value : float
        1 - k/d; NaN where no k reaches delta.
    k : int or None
        The smallest sufficient number of neurons.
    d : int
        Neurons of the layer.
    low, high : float
        Bootstrap percentile interval of ``value`` over seeds; NaN with a single seed or where
        ``value`` is.
    confidence : float
        Of the interval.
    seeds : int
        How many curves it rests on.
    full : float
        T of the whole layer.

    Examples
    --------
    >>> from diffused_redundancy.measures.curves import Curve
    >>> curve = Curve("cka", "first", [0], [1, 2, 3, 4], [[0.5, 0.8, 0.95, 1]], d=4, full=1)
    >>> redundancy = curve.redundancy(0.9)
    >>> redundancy.value, redundancy.k, redundancy.has_interval
    (0.25, 3, False)
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

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval: several seeds, and delta reached."""
        return self.low == self.low


def smallest_sufficient(values: np.ndarray, threshold: float, sizes: np.ndarray) -> np.ndarray:
    """The first size at which each row of values (rows, s) reaches the threshold, or NaN."""
    reached = values >= threshold - 1e-12 * abs(threshold)  # so does a tie to within rounding
    first = sizes[reached.argmax(1)].astype(float)
    first[~reached.any(1)] = np.nan
    return first


def diffused_redundancy(
    curve: Curve,
    delta: float = 0.9,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Redundancy:
    """DR(delta) of a curve: definition 1 of the paper.

    Parameters
    ----------
    curve : Curve
    delta : float in (0, 1]
    confidence : float
        Of the interval.
    resamples : int
        Bootstrap resamples of the seeds.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Redundancy

    Raises
    ------
    InputError
        If ``curve`` is an array, delta is out of range, or the whole layer's value is not above 0.

    Notes
    -----
    The interval is the percentile bootstrap over seeds: it says how much k* would have moved had
    other random subsets been drawn. It holds the images and the network fixed. With few seeds it is
    too narrow.

    Examples
    --------
    >>> from diffused_redundancy.measures.curves import Curve
    >>> values = [[0.2, 0.7, 0.9, 0.9], [0.3, 0.8, 0.9, 0.9]]
    >>> curve = Curve("ridge_accuracy", "random", (1, 2), [1, 2, 3, 4], values, d=4, full=0.9)
    >>> redundancy = diffused_redundancy(curve, delta=0.9)
    >>> redundancy.k, redundancy.value
    (3, 0.25)
    >>> redundancy.low, redundancy.high
    (0.25, 0.25)
    """
    if not hasattr(curve, "sizes"):
        raise InputError(
            f"curve is {type(curve).__name__}: DR is of a Curve, as the measures give it; make one "
            "of other values by Curve(measure, selection, seeds, sizes, values, d, full)"
        )
    delta = check_number(delta, "delta", 0, 1, open_low=True)
    if not curve.values.size or np.isnan(curve.values).any():
        raise InputError(f"the curve of {curve.measure} is empty or holds NaN: it has no DR")
    if not curve.full > 0:
        raise InputError(
            f"the full layer's value is {curve.full:g}: a share of it means nothing unless it is "
            "above 0"
        )
    d, threshold = curve.d, delta * curve.full
    k = float(smallest_sufficient(curve.mean[None], threshold, curve.sizes)[0])
    low = high = np.nan
    if len(curve.seeds) > 1 and not np.isnan(k):
        weights = resampling_weights(len(curve.seeds), resamples=resamples, seed=seed)
        resampled = smallest_sufficient(weights @ curve.values, threshold, curve.sizes)
        resampled = np.where(np.isnan(resampled), d, resampled)  # nothing can be dropped
        most, least = percentile_interval(resampled, confidence, method="inverted_cdf")[::-1]
        low, high = 1 - most / d, 1 - least / d
    smallest = None if np.isnan(k) else int(k)
    seeds = len(curve.seeds)
    return Redundancy(delta, 1 - k / d, smallest, d, low, high, confidence, seeds, curve.full)
