"""Intervals from resampling: of a mean curve over draws of a selection, and over images.

A mean over the draws of a selection, of something that is itself a mean over images, has two
sources of variance. Draws and images are crossed (every draw meets every image), so each source is
resampled by itself and their deviations are added: the interaction of the two, which falls with the
product of their numbers, is left out of neither margin.

Percentile intervals of few rows are too narrow. So deviations are widened by sqrt(n / (n - 1)) and
by the ratio of the quantiles of Student's t and of the normal distribution, as the expanded
percentile interval does (Hesterberg 2015, "What Teachers Should Know about the Bootstrap").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy.stats import norm, t

RESAMPLES = 1000
"""Resamples that an interval rests on."""


def widening(rows: int, confidence: float | None = 0.95) -> float:
    """What deviations of resampled means of so many rows are multiplied by: for an interval, or, if
    ``confidence`` is None, so that their variance is that of the mean.

    >>> round(widening(5), 2), round(widening(5, None), 2), round(widening(100), 2)
    (1.58, 1.12, 1.02)
    """
    ratio = 1.0
    if confidence is not None:
        quantile = (1 + confidence) / 2
        ratio = t.ppf(quantile, rows - 1) / norm.ppf(quantile)
    return float(np.sqrt(rows / (rows - 1)) * ratio)


@lru_cache(maxsize=16)
def resampling_weights(
    rows: int, resamples: int, seed: tuple[int, ...], confidence: float | None = 0.95
) -> np.ndarray:
    """How much more or less than its share each row weighs in each resample, widened:
    (resamples, rows).

    The deviations of the resampled means of ``values`` (rows, ...) are ``weights @ values``.

    >>> resampling_weights(3, 2, (0,)).sum(1).round(12).tolist()
    [0.0, 0.0]
    """
    drawn = np.random.default_rng(seed).multinomial(rows, np.full(rows, 1 / rows), size=resamples)
    weights = widening(rows, confidence) * (drawn / rows - 1 / rows)
    weights.flags.writeable = False  # kept for the next call
    return weights


@dataclass(frozen=True)
class Resampled:
    """Resamples of a mean curve, (resamples, s), and of the whole's value, (resamples,)."""

    values: np.ndarray = field(repr=False)
    full: np.ndarray = field(repr=False)


def resampled(
    values: np.ndarray,
    full: float,
    by_images: np.ndarray | None = None,
    full_by_images: np.ndarray | None = None,
    *,
    confidence: float | None = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Resampled | None:
    """Resamples of the mean of ``values`` over its rows, and over images.

    Parameters
    ----------
    values : ndarray (rows, s)
        One row for each draw of the selection. A single row is not resampled: it is taken for the
        only one there can be.
    full : float
        The whole's value.
    by_images : ndarray (groups, s), optional
        The mean over draws on disjoint groups of images, equally large.
    full_by_images : ndarray (groups,), optional
        The whole's value on these; without it, it does not depend on images.
    confidence : float or None
        Of the interval they are for: few rows are widened accordingly. None: not for an interval,
        but for a standard deviation.
    resamples, seed : int
        The same groups of images are drawn for all curves of one seed, so that differences between
        curves are paired.

    Returns
    -------
    Resampled or None
        None if there is nothing to resample.

    Examples
    --------
    >>> values = np.array([[0.5, 1.0], [0.7, 1.0], [0.6, 1.0]])
    >>> draws = resampled(values, 1.0)
    >>> draws.values.mean(0).round(2)
    array([0.6, 1. ])
    """
    rows = len(values)
    if rows < 2 and by_images is None:
        return None
    mean = values.mean(0)
    curves = np.broadcast_to(mean, (resamples, len(mean)))
    wholes = np.full(resamples, float(full))
    if rows > 1:
        curves = curves + resampling_weights(rows, resamples, (seed, 0), confidence) @ values
    if by_images is not None:
        weights = resampling_weights(len(by_images), resamples, (seed, 1), confidence)
        curves = curves + weights @ by_images
        if full_by_images is not None:
            wholes = wholes + weights @ full_by_images
    return Resampled(curves, wholes)


def percentile_interval(
    samples: np.ndarray, confidence: float = 0.95, *, method: str = "linear"
) -> tuple[float, float]:
    """The middle share ``confidence`` of some samples; ``method`` as for ``numpy.quantile``."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(samples, [tail, 1 - tail], method=method)  # type: ignore[call-overload]
    return float(low), float(high)


def interval_of_mean(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean of ``values`` (rows,); NaN with a single row.

    >>> [round(end, 3) for end in interval_of_mean(np.array([1.0, 2.0, 3.0]))]
    [-0.484, 4.484]
    """
    rows = np.asarray(values, dtype=float)
    if len(rows) < 2:
        return float("nan"), float("nan")
    half = t.ppf((1 + confidence) / 2, len(rows) - 1) * rows.std(ddof=1) / np.sqrt(len(rows))
    return float(rows.mean() - half), float(rows.mean() + half)
