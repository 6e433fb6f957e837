"""The house's style: the same figures whatever matplotlib is told elsewhere, by a ``matplotlibrc``,
another library or a notebook; and nothing of it stays behind.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure


@functools.cache
def _rules() -> Any:
    import seaborn

    return {
        **matplotlib.rcParamsDefault,
        **seaborn.axes_style("whitegrid"),
        **seaborn.plotting_context("notebook", font_scale=0.96),
        "axes.titleweight": "bold",
        "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],  # wide: others fit in
        "svg.fonttype": "none",
        "svg.hashsalt": "diffused-redundancy",
        "text.parse_math": False,  # names of files and classes may hold $: no text is a formula
    }


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib's defaults and the house's style, for as long as the block lasts."""
    with matplotlib.rc_context(_rules()):
        yield


class StyledFigure(Figure):
    """A figure in the house's style wherever it is drawn: some of its parts, such as ticks, are
    made only then.
    """

    def draw(self, renderer: RendererBase) -> None:
        """Draw in the house's style."""
        with style():
            super().draw(renderer)

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Save in the house's style."""
        with style():
            super().savefig(*args, **kwargs)
