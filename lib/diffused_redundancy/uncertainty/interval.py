"""A number together with the ends of its interval."""

from __future__ import annotations

import math


class WithInterval(float):
    """A number that carries the ends of its 95% interval and is like any number otherwise.

    Attributes
    ----------
    low, high : float
        NaN where there is no interval.

    Examples
    --------
    >>> one = WithInterval(0.9, 0.85, 0.93)
    >>> one == 0.9, one.low, one.has_interval, WithInterval(0.9).has_interval
    (True, 0.85, True, False)
    """

    low: float
    high: float

    def __new__(  # noqa: D102
        cls, value: float, low: float = math.nan, high: float = math.nan
    ) -> WithInterval:
        one = super().__new__(cls, value)
        one.low, one.high = float(low), float(high)
        return one

    @property
    def has_interval(self) -> bool:
        """Whether both ends are known."""
        return math.isfinite(self.low) and math.isfinite(self.high)
