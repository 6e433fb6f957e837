"""The percentile bootstrap over rows, such as the seeds of a selection."""

from __future__ import annotations

import numpy as np


def resampling_weights(
    rows: int, *, resamples: int = 2000, seed: int | np.random.Generator = 0
) -> np.ndarray:
    """How often each row comes in each resample, as a share: (resamples, rows).

    The mean of a resample of ``values`` (rows, ...) is ``weights @ values``.

    >>> resampling_weights(2, resamples=3).sum(1)
    array([1., 1., 1.])
    """
    drawn = np.random.default_rng(seed).integers(rows, size=(resamples, rows))
    return np.stack([(drawn == row).mean(1) for row in range(rows)], 1)


def percentile_interval(
    samples: np.ndarray, confidence: float = 0.95, *, method: str = "linear"
) -> tuple[float, float]:
    """The middle share ``confidence`` of some samples; ``method`` as for ``numpy.quantile``."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(samples, [tail, 1 - tail], method=method)  # type: ignore[call-overload]
    return float(low), float(high)


def interval_of_mean(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the mean of ``values`` (rows,); NaN with a single row."""
    rows = np.asarray(values, dtype=float)
    if len(rows) < 2:
        return float("nan"), float("nan")
    return percentile_interval(resampling_weights(len(rows)) @ rows, confidence)
