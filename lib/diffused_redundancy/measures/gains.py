"""How far one mean curve lies from another, and a chosen order from random ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from ..errors import InputError
from ..uncertainty.bootstrap import percentile_interval
from .curves import Curve


def gap_draws(
    ours: Curve, at: Sequence[int], theirs: Curve, their_at: Sequence[int], **options: Any
) -> np.ndarray | None:
    """Resamples of the difference of two mean curves averaged over some places of each, over draws
    of both and the images they share: (resamples,); None where there is nothing to resample.
    Options as for :meth:`Curve.resampled`.
    """
    first, second = (
        one.only([int(one.sizes[at]) for at in places]).resampled(**options)
        for one, places in ((ours, at), (theirs, their_at))
    )
    if first is None or second is None:
        return None
    gaps: np.ndarray = first.values.mean(1) - second.values.mean(1)
    return gaps


def gap_at(
    ours: Curve,
    at: Sequence[int],
    theirs: Curve,
    their_at: Sequence[int],
    confidence: float = 0.95,
) -> tuple[float, float, float]:
    """The difference of two mean curves averaged over some places of each, and the ends of its
    interval over draws of both and the images they share; NaN without one.
    """
    gap = float((ours.mean[list(at)] - theirs.mean[list(their_at)]).mean())
    draws = gap_draws(ours, at, theirs, their_at, confidence=confidence)
    if draws is None:
        return gap, float("nan"), float("nan")
    return gap, *percentile_interval(draws, confidence)


@dataclass(frozen=True)
class Gain:
    """A chosen order against random ones at one size.

    Attributes
    ----------
    k : int
    value : float
        Of the chosen order.
    gain : float
        That less the mean of the random orders.
    low, high : float
        Its 95% interval over random orders and images; the chosen neurons, and the probe, are held
        fixed. NaN where there is nothing to resample.
    p : float
        Two-sided, of no difference: the gain over its standard error is held against the normal
        distribution. NaN as the interval.
    beaten : int
        Random orders that are worse at this size.
    orders : int
        Random orders.
    """

    k: int
    value: float
    gain: float
    low: float
    high: float
    p: float
    beaten: int
    orders: int


def gain_at(chosen: Curve, random: Curve, k: int) -> Gain:
    """How far a chosen order lies from random ones at a size.

    Parameters
    ----------
    chosen : Curve
        Of one order (of several, their mean is compared).
    random : Curve
        The same measure of random orders, on the same images.
    k : int
        A size that both have; InputError otherwise.

    Examples
    --------
    >>> values = [[0.3, 0.6], [0.4, 0.6], [0.5, 0.9]]
    >>> random = Curve("cka", "random", (1, 2, 3), [1, 2], values, 2, 1)
    >>> one = gain_at(Curve("cka", "pca", (0,), [1, 2], [[0.7, 0.8]], 2, 1), random, 2)
    >>> round(one.gain, 2), one.beaten, one.orders
    (0.1, 2, 3)
    """
    values, theirs = chosen.at(k), random.at(k)
    at, their_at = chosen.column(k), random.column(k)
    assert at is not None and their_at is not None  # or there were no values
    gap, low, high = gap_at(chosen, [at], random, [their_at])
    draws = gap_draws(chosen, [at], random, [their_at], confidence=None)
    value, p = float(values.mean()), float("nan")
    if draws is not None:
        error = float(draws.std(ddof=1))
        p = float(2 * norm.sf(abs(gap) / error)) if error > 0 else float(gap == 0)
    return Gain(k, value, gap, low, high, p, int((theirs < value).sum()), len(theirs))


def outside(chosen: Curve, random: Curve) -> np.ndarray:
    """Where a chosen order lies among random ones at each of its sizes: 1 above all of them, -1
    below all, 0 between: int (s,).

    Another random order would be above all n of them, at one size, with a probability of 1 / (n +
    1), and neighbouring sizes go together.

    Examples
    --------
    >>> random = Curve("cka", "random", (1, 2), [1, 2, 3], [[0.3, 0.6, 1], [0.4, 0.7, 1]], 3, 1)
    >>> outside(Curve("cka", "pca", (0,), [1, 2], [[0.5, 0.5]], 3, 1), random)
    array([ 1, -1])
    """
    if not np.isin(chosen.sizes, random.sizes).all():
        raise InputError("the chosen order was measured at sizes that the random ones were not")
    values = chosen.mean
    theirs = random.values[:, np.searchsorted(random.sizes, chosen.sizes)]
    least, largest = theirs.min(0), theirs.max(0)
    above, below = values > largest + 1e-12, values < least - 1e-12
    side: np.ndarray = above.astype(int) - below.astype(int)
    return side
