"""Diffused redundancy: how many neurons can be dropped before a measure falls below a share of the
whole layer's.

DR(delta) = 1 - k*/d, with k* the smallest k at which the mean over selections of T(S_k) / T(full)
reaches delta (the paper's definition 1). T is CKA or accuracy. A curve that holds every k gives k*
exact to one neuron; on a coarser grid k* is the smallest size on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError, check_number
from .bootstrap import percentile_interval, resampling_weights


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

    def withheld(self) -> Redundancy:
        """The same without k and value: nothing can be stated."""
        return replace(self, value=np.nan, k=None, low=np.nan, high=np.nan)

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


def redundancy_of(
    values: np.ndarray,
    sizes: np.ndarray,
    delta: float,
    *,
    d: int,
    full: float,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Redundancy:
    """DR(delta) of values (rows, s) at sizes (s,); see :func:`.curves.diffused_redundancy`."""
    delta = check_number(delta, "delta", 0, 1, open_low=True)
    if not values.size or np.isnan(values).any():
        raise InputError("the curve is empty or holds NaN: it has no DR")
    if not full > 0:
        raise InputError(
            f"the full layer's value is {full:g}: a share of it means nothing unless it is above 0"
        )
    threshold, rows = delta * full, len(values)
    k = float(smallest_sufficient(values.mean(0, keepdims=True), threshold, sizes)[0])
    low = high = np.nan
    if rows > 1 and not np.isnan(k):
        weights = resampling_weights(rows, resamples=resamples, seed=seed)
        resampled = smallest_sufficient(weights @ values, threshold, sizes)
        resampled = np.where(np.isnan(resampled), d, resampled)  # nothing can be dropped
        least, most = percentile_interval(resampled, confidence, method="inverted_cdf")
        low, high = 1 - most / d, 1 - least / d
    sufficient = None if np.isnan(k) else int(k)
    return Redundancy(delta, 1 - k / d, sufficient, d, low, high, confidence, rows, full)
