"""What a figure shows, before it is drawn. Findings make it, :mod:`report.figures` draws it.

A ``look`` is a place among the looks of lines in :mod:`report.figures`: colour, dashes and marker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..measures.curves import Curve
from ..measures.redundancy import Redundancy
from ..measures.selections import SELECTIONS

_NAMES = {
    "random_projection": "random projection, uniform",
    "gaussian_projection": "random projection, Gaussian",
}


@dataclass(frozen=True)
class Line:
    """A line against k: the mean of ``values`` (seeds, s) with a band from least to largest.

    It is named and looks as its selection does, unless ``name`` and ``look`` say otherwise.

    Attributes
    ----------
    selection : str
    sizes : ndarray (s,)
    values : ndarray (seeds, s)
    marked : bool
        Whether each point has a marker.
    name : str
    look : int, optional
    joined : bool
        Whether points are joined.
    band : tuple of str and float
        What the legend calls the band, if anything, and how dense it is.
    """

    selection: str
    sizes: np.ndarray
    values: np.ndarray
    marked: bool = False
    name: str = ""
    look: int | None = None
    joined: bool = True
    band: tuple[str, float] = ("", 0.25)

    @classmethod
    def of(cls, curve: Curve, **how: Any) -> Line:
        """The line of a curve; its points are marked unless every size was measured."""
        return cls(curve.selection, curve.sizes, curve.values, **{"marked": not curve.exact, **how})

    @property
    def label(self) -> str:
        """How the legend names it."""
        short = _NAMES.get(self.selection) or SELECTIONS[self.selection].label.partition(" (")[0]
        return self.name or short


@dataclass(frozen=True)
class Panel:
    """One plot against k.

    Attributes
    ----------
    title : str
    d : int
        Where the axis of k ends.
    curves : sequence of Line
    full : float, optional
        The full layer's value.
    predicted : ndarray (d,), optional
    threshold : float, optional
    threshold_label : str
    axis : str
        Label of the y axis.
    percent : bool
        Whether values in [0, 1] are shown as percentages.
    limits : tuple of float, optional
        Of the y axis, beyond which lines are cut; by default all is shown.
    """

    title: str
    d: int
    curves: Sequence[Line]
    full: float | None = None
    predicted: np.ndarray | None = None
    threshold: float | None = None
    threshold_label: str = "threshold"
    axis: str = ""
    percent: bool = False
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Band:
    """A value at every k, (d,), plus or minus a half-width, (d,)."""

    label: str
    center: np.ndarray
    half: np.ndarray


@dataclass(frozen=True)
class Point:
    """A value with its interval; the ends are NaN where there is none."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Series:
    """Points against a number or a position: ``points`` has one for each of ``x``."""

    label: str
    x: Sequence[float]
    points: Sequence[Point]
    look: int = 0
    joined: bool = True


@dataclass(frozen=True)
class Trade:
    """One line of a trade-off: what is gained against what is kept, both (points,)."""

    label: str
    gain: np.ndarray
    kept: np.ndarray
    look: int | None = None


def point(redundancy: Redundancy) -> Point:
    """DR with its interval."""
    return Point(redundancy.value, redundancy.low, redundancy.high)
