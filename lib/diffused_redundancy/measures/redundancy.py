"""Diffused redundancy: how many neurons can be dropped before a measure falls below a share of the
whole layer's.

DR(delta) = 1 - k*/d, with k* the smallest k at which the mean over selections of T(S_k) / T(full)
reaches delta (the paper's definition 1). T is CKA or accuracy. A curve that holds every k gives k*
exact to one neuron; on a coarser grid k* is the smallest size on it.

A probe that guesses has an accuracy too, and keeps all of it with one neuron. Chance-corrected, DR
asks for a share of what the whole layer has above chance: (T(S_k) - chance) / (T(full) - chance).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError, check_number
from ..uncertainty.bootstrap import RESAMPLES, percentile_interval, resampled


@dataclass(frozen=True)
class Redundancy:
    """DR(delta) of one layer, measure and selection, with an interval over the seeds of the
    selection and over images.

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
        Bootstrap interval of ``value``; NaN where there is nothing to resample, or where ``value``
        is.
    confidence : float
        Of the interval.
    seeds : int
        How many curves it rests on.
    full : float
        T of the whole layer.
    chance : float
        What both values are taken above; 0 unless chance-corrected.
    over_images : bool
        Whether the interval is over images as well as over seeds.

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
    chance: float = 0.0
    over_images: bool = False

    def withheld(self) -> Redundancy:
        """The same without k and value: nothing can be stated."""
        return replace(self, value=np.nan, k=None, low=np.nan, high=np.nan)

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval: something to resample, and delta reached."""
        return self.low == self.low

    @property
    def interval_over(self) -> str:
        """What the interval is over, in words."""
        over = [f"{self.seeds} seeds"] if self.seeds > 1 else []
        return " and ".join([*over, *(["images"] if self.over_images else [])])


def smallest_sufficient(
    values: np.ndarray, threshold: float | np.ndarray, sizes: np.ndarray
) -> np.ndarray:
    """The first size at which each row of values (rows, s) reaches the threshold (of each row,
    (rows,), or of all), or NaN.
    """
    bar = np.broadcast_to(np.asarray(threshold, dtype=float), (len(values),))[:, None]
    reached = values >= bar - 1e-12 * np.abs(bar)  # so does a tie to within rounding
    first: np.ndarray = sizes[reached.argmax(1)].astype(float)
    first[~reached.any(1)] = np.nan
    return first


def redundancy_of(
    values: np.ndarray,
    sizes: np.ndarray,
    delta: float,
    *,
    d: int,
    full: float,
    by_images: np.ndarray | None = None,
    full_by_images: np.ndarray | None = None,
    chance: float = 0.0,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Redundancy:
    """DR(delta) of values (rows, s) at sizes (s,); see :func:`.curves.diffused_redundancy`."""
    delta = check_number(delta, "delta", 0, 1, open_low=True)
    if not values.size or np.isnan(values).any():
        raise InputError("the curve is empty or holds NaN: it has no DR")
    if not full > chance:
        above = f"above chance, {chance:g}" if chance else "above 0"
        raise InputError(
            f"the full layer's value is {full:g}: a share of it means nothing unless it is {above}"
        )
    threshold = chance + delta * (full - chance)
    k = float(smallest_sufficient(values.mean(0, keepdims=True), threshold, sizes)[0])
    low = high = np.nan
    draws = None
    if not np.isnan(k):
        draws = resampled(
            values,
            full,
            by_images,
            full_by_images,
            confidence=confidence,
            resamples=resamples,
            seed=seed,
        )
    if draws is not None:
        bars = chance + delta * (draws.full - chance)
        sufficient = smallest_sufficient(draws.values, bars, sizes)
        sufficient = np.where(np.isnan(sufficient), d, sufficient)  # nothing can be dropped
        least, most = percentile_interval(sufficient, confidence, method="inverted_cdf")
        low, high = 1 - most / d, 1 - least / d
    return Redundancy(
        delta,
        1 - k / d,
        None if np.isnan(k) else int(k),
        d,
        low,
        high,
        confidence,
        len(values),
        full,
        chance,
        by_images is not None,
    )
