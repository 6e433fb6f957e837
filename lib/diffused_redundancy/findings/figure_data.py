"""What a figure shows, before it is drawn: points with intervals, lines, panels. Findings make
them, the report draws them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..measure.redundancy import Redundancy
from ..measure.selections import SELECTIONS

Look = tuple[int, Any, str]
"""Index in seaborn's colour-blind palette, dashes, marker."""

STYLES: dict[str, Look] = {
    "random": (0, "-", "o"),
    "pca": (1, (0, (5, 1)), "s"),
    "random_projection": (2, (0, (3, 1, 1, 1)), "D"),
    "pca_least": (3, (0, (1, 1)), "v"),
    "gaussian_projection": (4, (0, (5, 1, 1, 1, 1, 1)), "^"),
    "first": (8, (0, (2, 2)), "P"),
}
"""The look of each selection in every figure."""

LOOKS: tuple[Look, ...] = (
    (0, "-", "o"),
    (1, (0, (5, 1)), "s"),
    (2, (0, (3, 1, 1, 1)), "D"),
    (3, (0, (1, 1)), "v"),
    (4, (0, (5, 1, 1, 1, 1, 1)), "^"),
    (5, (0, (2, 2)), "P"),
    (8, (0, (7, 2)), "X"),
    (9, (0, (4, 1, 1, 1)), "<"),
    (7, (0, (1, 2)), ">"),
)
"""Looks for lines of other kinds, in turn."""


@dataclass(frozen=True)
class Line:
    """One line: ``values`` is (seeds, sizes), drawn as its mean with a band from its smallest to
    its largest.

    It is named and drawn as its selection is, unless ``name`` and ``look`` say otherwise.
    """

    selection: str
    sizes: np.ndarray
    values: np.ndarray
    marked: bool = False
    name: str = ""
    look: Look | None = None
    joined: bool = True

    @property
    def style(self) -> Look:
        """Colour, dashes and marker."""
        return self.look or STYLES[self.selection]

    @property
    def label(self) -> str:
        """How the legend names it."""
        if self.name:
            return self.name
        if self.selection in ("gaussian_projection", "random_projection"):
            return (
                "random projection, "
                f"{'Gaussian' if self.selection == 'gaussian_projection' else 'uniform'}"
            )
        return SELECTIONS[self.selection].label.partition(" (")[0]


@dataclass(frozen=True)
class Panel:
    """One plot of small multiples: curves, an optional prediction (d,), and the full layer's
    value.
    """

    title: str
    d: int
    curves: Sequence[Line]
    full: float | None = None
    predicted: np.ndarray | None = None
    threshold: float | None = None
    threshold_label: str = "threshold"


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


def point(found: Redundancy) -> Point:
    """DR with its interval."""
    return Point(found.value, found.low, found.high)
