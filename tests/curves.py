"""Made-up curves, for tests of what follows from curves."""

from __future__ import annotations

from typing import Any

import numpy as np
from diffused_redundancy.measures.curves import Curve


def made_curve(
    values: Any, selection: str = "random", *, measure: str = "ridge_accuracy", **given: Any
) -> Curve:
    """A curve of values (seeds, s), at every size of a layer of s neurons, unless said otherwise;
    the full layer's value is 1.
    """
    values = np.atleast_2d(values)
    rows, s = values.shape
    rest = {"seeds": range(1, rows + 1), "sizes": np.arange(1, s + 1), "d": s, "full": 1.0, **given}
    return Curve(measure, selection, values=values, **rest)
