"""A value that was measured with few images, extrapolated to many.

What a probe reaches with n train images often follows a power law to an asymptote,

    y(n) = a + b n^-c,

and so may the difference or the ratio of two probes. But no law is known to hold far beyond the
images at hand, and the parameters of this one are hardly told apart by a short curve. So three laws
are fitted, each with an interval from refits to resampled curves, and the range over the three is
given beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import nnls

from ..errors import InputError, check_number, unknown
from .bootstrap import percentile_interval

LAWS = {
    "asymptote": "power law to an asymptote",
    "limit": "power law to a fixed limit",
    "logarithm": "straight line in log n",
}
"""Laws by name, and what sentences call them: y = a + b n^-c with c above 0; the same with a given,
and c of either sign; y = a + b log n.
"""

EXPONENTS = np.geomspace(0.1, 2, 61)
"""The c that are tried for a power law to an asymptote. The slowest is hardly told apart from a
straight line in log n. Errors of a parametric model fall with c = 1, those of networks more slowly.
"""

BOUNDS = (0.0, 1.0)
"""Of every value: shares, which an asymptote and a prediction are as well."""

FIXED_LIMIT_EXPONENTS = np.linspace(-1, 2, 121)
"""The c that are tried where the limit is fixed: below 0 the value moves away from it."""


@dataclass(frozen=True)
class Fitted:
    """A law fitted to one curve or to many.

    Attributes
    ----------
    law : str
        A name in :data:`LAWS`.
    a, b, c : ndarray (...)
        Its parameters, one of each for every curve; c is 0 for the logarithm.
    misfit : ndarray (...)
        The weighted sum of squared residuals.
    """

    law: str
    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    misfit: np.ndarray

    def at(self, n: float) -> np.ndarray:
        """The value at n, (...), within :data:`BOUNDS`."""
        shape = np.log(n) if self.law == "logarithm" else n ** (-self.c)
        value: np.ndarray = np.clip(self.a + self.b * shape, *BOUNDS)
        return value


def fit(law: str, n: Any, values: Any, weights: Any = None, *, limit: float = 0.0) -> Fitted:
    """Fit a law by weighted least squares.

    Given c, the other parameters have a closed form, also where ``a`` is at one of its bounds. So
    the least sum of squares is found over a grid of c, for any number of curves at once: there is
    no start to choose and no local minimum to end in.

    Parameters
    ----------
    law : str
        A name in :data:`LAWS`.
    n : array (m,)
        Numbers of images, distinct, above 0; at least 3 for the asymptote, 2 for the others.
    values : array (..., m)
        One curve or several.
    weights : array (m,), optional
        Inverse variances, by default equal.
    limit : float
        The asymptote of the law ``limit``.

    Raises
    ------
    InputError
        If there is no such law, or the numbers do not fit together.

    Examples
    --------
    >>> n = np.array([100, 200, 400, 800])
    >>> one = fit("asymptote", n, 0.05 + 2 * n**-0.6)
    >>> [round(float(x), 2) for x in (one.a, one.c, one.at(45_000))]
    [0.05, 0.6, 0.05]
    """
    places, curves, w = _checked(law, n, values, weights)
    if law == "logarithm":
        a, b, misfit = _line(np.log(places), curves, w)
        return Fitted(law, a, b, np.zeros_like(a), misfit)
    exponents = EXPONENTS if law == "asymptote" else FIXED_LIMIT_EXPONENTS
    scale = places.max()  # n^-c of thousands of images is as small as 1e-7
    bounds = BOUNDS if law == "asymptote" else (limit, limit)
    a = b = c = np.zeros(curves.shape[:-1])
    misfit = np.full(curves.shape[:-1], np.inf)
    for exponent in exponents:
        at, slope, squares = _line((places / scale) ** -exponent, curves, w, bounds)
        better = squares < misfit
        a, c = np.where(better, at, a), np.where(better, exponent, c)
        b = np.where(better, slope * scale**exponent, b)
        misfit = np.where(better, squares, misfit)
    return Fitted(law, a, b, c, misfit)


def _checked(law: str, n: Any, values: Any, weights: Any) -> tuple[np.ndarray, ...]:
    places, curves = np.asarray(n, dtype=float), np.asarray(values, dtype=float)
    w = np.ones(len(places)) if weights is None else np.asarray(weights, dtype=float)
    if law not in LAWS:
        raise unknown("law", law, LAWS)
    needed = 3 if law == "asymptote" else 2
    if places.ndim != 1 or len(np.unique(places)) != len(places) or len(places) < needed:
        raise InputError(
            f"a {LAWS[law]} needs at least {needed} distinct numbers of images, not "
            f"{places.tolist()}"
        )
    if curves.shape[-1:] != places.shape or w.shape != places.shape:
        raise InputError(
            f"values of shape {curves.shape} and {w.size} weights do not fit {len(places)} numbers "
            "of images"
        )
    if not (places > 0).all() or not (w > 0).all() or not np.isfinite(w).all():
        raise InputError("numbers of images and weights must be above 0")
    if not np.isfinite(curves).all():
        raise InputError("the values hold NaN or an infinite number")
    return places, curves, w / w.sum()


def _line(
    x: np.ndarray,
    curves: np.ndarray,
    w: np.ndarray,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted least squares of curves (..., m) on a + b x, with ``a`` in bounds: a, b and the sum
    of squares, each (...).
    """
    middle, means = w @ x, curves @ w
    spread = w @ (x - middle) ** 2
    b = (curves - means[..., None]) @ (w * (x - middle)) / spread if spread > 0 else 0 * means
    a = np.clip(means - b * middle, *bounds)
    # the sum of squares is convex: where a is beyond a bound, the least is at that bound
    b = (curves - a[..., None]) @ (w * x) / (w @ x**2)
    misfit = (curves - a[..., None] - b[..., None] * x) ** 2 @ w
    return a, b, misfit


@dataclass(frozen=True)
class Noise:
    """How far the mean over draws of subsamples is from what all draws there could be would give.

    Attributes
    ----------
    own : float
        The variance of one draw that does not fall with n: of its neurons.
    images : float
        Times 1 / n, the variance over fresh train images.
    pool : int
        All train images there are.
    draws : int
    """

    own: float
    images: float
    pool: int
    draws: int

    def of_mean(self, n: Any) -> np.ndarray:
        """The variance of the mean over draws, (m,), had there been others from the same pool."""
        left = np.maximum(1 / np.asarray(n, dtype=float) - 1 / self.pool, 0)
        return (self.own + self.images * left) / self.draws

    @property
    def of_pool(self) -> float:
        """The variance over pools: all subsamples are of one, and err together."""
        return self.images / self.pool


def noise(n: Any, rows: Any, pool: int) -> Noise:
    """The noise of draws of subsamples, from how far draws are apart at all n together.

    A mean over n images drawn from a pool of N without replacement varies between draws by
    s^2 (1 / n - 1 / N), and with the pool by s^2 / N more. What is measured here is no mean over
    train images, but to first order it varies as one. So the variance between draws is taken for
    ``own + images (1 / n - 1 / N)``, neither below 0 (least squares, relative to the size of each
    variance).

    Parameters
    ----------
    n : array (m,)
    rows : array (draws, m)
        The value of each draw at each n.
    pool : int
        N, at least the largest n.

    Raises
    ------
    InputError
        If there are fewer than two draws, or more images in a subsample than in the pool.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> n = np.array([100, 200, 400, 800])
    >>> found = noise(n, rng.normal(0, (1 / n - 1 / 800) ** 0.5, (500, 4)), 800)
    >>> round(found.own, 4), round(found.images, 1)
    (0.0, 1.0)
    """
    places, values = np.asarray(n, dtype=float), np.asarray(rows, dtype=float)
    if values.ndim != 2 or values.shape[1:] != places.shape or len(values) < 2:
        raise InputError(f"rows have shape {values.shape}: give two draws at least, at each n")
    if places.max() > pool:
        raise InputError(f"a subsample has {places.max():g} images: the pool has {pool}")
    variances = values.var(0, ddof=1)
    design = np.stack([np.ones_like(places), 1 / places - 1 / pool], 1)
    scale = design.max(0)
    scale[scale == 0] = 1
    size = variances.mean() or 1.0
    # a variance from few draws has an error in proportion to itself: twice fitted, first equally
    weight = np.ones_like(places)
    for _ in range(2):
        found, _ = nnls(design / scale * weight[:, None], variances / size * weight)
        expected = design / scale @ found
        weight = 1 / np.maximum(expected, 0.05 * max(expected.max(), 1e-12))
    own, images = (found * size / scale).tolist()
    return Noise(own, images, int(pool), len(values))


@dataclass(frozen=True)
class Prediction:
    """A value at some n by one law, with its interval.

    Attributes
    ----------
    law : str
    value, low, high : float
    draws : ndarray (resamples,)
        The same of each resampled curve.
    """

    law: str
    value: float
    low: float
    high: float
    draws: np.ndarray = field(repr=False, compare=False)


def predictions(
    n: Any,
    values: Any,
    resamples: Any,
    target: float,
    weights: Any = None,
    *,
    limit: float | None = None,
) -> list[Prediction]:
    """What each law says of a value at ``target`` images.

    Parameters
    ----------
    n : array (m,)
        Numbers of images; with fewer than four no asymptote is fitted: three points lie on a power
        law whatever they are.
    values : array (m,)
        Measured.
    resamples : array (resamples, m)
        What might have been measured instead: every source of variance that the interval is to
        hold, with the same resample for all n.
    target : float
    weights
        As for :func:`fit`.
    limit : float, optional
        The asymptote of the law ``limit``, which is left out by default.

    Raises
    ------
    InputError
        As for :func:`fit`, or if the target is not above 0.

    Examples
    --------
    >>> n, rng = np.array([100, 200, 400, 800]), np.random.default_rng(0)
    >>> curve = 0.05 + 2 * n**-0.6
    >>> some = predictions(n, curve, curve + rng.normal(0, 0.001, (200, 4)), 1600, limit=0)
    >>> [one.law for one in some], some[0].low < 0.05 + 2 * 1600**-0.6 < some[0].high
    (['asymptote', 'limit', 'logarithm'], True)
    """
    target = check_number(target, "target", 0, open_low=True)
    laws = [
        law
        for law in LAWS
        if (law != "limit" or limit is not None) and (law != "asymptote" or len(n) > 3)
    ]
    found = []
    for law in laws:
        draws = fit(law, n, resamples, weights, limit=limit or 0.0).at(target)
        value = float(fit(law, n, values, weights, limit=limit or 0.0).at(target))
        found.append(Prediction(law, value, *percentile_interval(draws), draws))
    return found


def range_over(predictions: Sequence[Prediction]) -> tuple[float, float]:
    """From the least lower end of the intervals of several laws to the largest upper one."""
    return min(one.low for one in predictions), max(one.high for one in predictions)
