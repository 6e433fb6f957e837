"""The figures of the notebooks: curves against subset size, small multiples by task, made for colour-blind eyes.

Every function returns a matplotlib figure and knows nothing of files. Lines differ in colour, in dashes and in
marker. Bands are stated by the caller, who knows what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from ..measure.selections import SELECTIONS

STYLES: dict[str, tuple[int, Any, str]] = {
    "random": (0, "-", "o"),
    "pca": (1, (0, (5, 1)), "s"),
    "random_projection": (2, (0, (3, 1, 1, 1)), "D"),
    "pca_least": (3, (0, (1, 1)), "v"),
    "gaussian_projection": (4, (0, (5, 1, 1, 1, 1, 1)), "^"),
    "first": (8, (0, (2, 2)), "P"),
}
"""Of each selection: index in seaborn's colour-blind palette, dashes, marker."""


def colour(selection: str) -> tuple[float, float, float]:
    """The colour of a selection in every figure."""
    import seaborn

    return seaborn.color_palette("colorblind")[STYLES[selection][0]]


@dataclass(frozen=True)
class Curve:
    """One line: ``values`` is (seeds, sizes), drawn as its mean with a band from its smallest to its largest."""

    selection: str
    sizes: np.ndarray
    values: np.ndarray
    marked: bool = False

    @property
    def label(self) -> str:
        """How the legend names it."""
        if self.selection in ("gaussian_projection", "random_projection"):
            return f"random projection, {'Gaussian' if self.selection == 'gaussian_projection' else 'uniform'}"
        return SELECTIONS[self.selection].label.partition(" (")[0]


@dataclass(frozen=True)
class Panel:
    """One plot of small multiples: curves, an optional prediction (d,), and the full layer's value."""

    title: str
    d: int
    curves: Sequence[Curve]
    full: float | None = None
    predicted: np.ndarray | None = None
    threshold: float | None = None
    threshold_label: str = "threshold"


def _grid(count: int, height: float = 2.75) -> tuple[Figure, list[Axes]]:
    import seaborn

    seaborn.set_theme(style="whitegrid", context="notebook", font_scale=0.85)
    matplotlib.rcParams.update({"svg.hashsalt": "diffused-redundancy", "axes.titleweight": "bold"})
    columns = 1 if count == 1 else 2
    rows = -(-count // columns)
    figure = Figure(figsize=(5.0 * columns if count > 1 else 6.4, height * rows + 0.7), layout="constrained")
    axes = [figure.add_subplot(rows, columns, i + 1) for i in range(count)]
    return figure, axes


def _size_axis(axes: Axes, d: int) -> None:
    axes.set_xscale("log")
    ticks = [k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if k < 0.75 * d] + [d]
    axes.set_xticks(ticks, [f"{k}" for k in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(0.93, d * 1.07)
    axes.set_xlabel(f"neurons or directions kept, k (of {d}, log scale)")


def _legend(figure: Figure, axes: Sequence[Axes]) -> None:
    handles: dict[str, Any] = {}
    for part in axes:
        for handle, label in zip(*part.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=min(3, len(handles)), frameon=False)


def curves_figure(panels: Sequence[Panel], ylabel: str, *, percent: bool = False) -> Figure:
    """Curves against k, one plot a panel.

    Parameters
    ----------
    panels : sequence of Panel
    ylabel : str
    percent : bool
        Whether values in [0, 1] are shown as percentages.
    """
    figure, axes = _grid(len(panels))
    for part, panel in zip(axes, panels, strict=True):
        if panel.full is not None:
            part.axhline(panel.full, color="0.35", lw=1, label="full layer")
        if panel.threshold is not None:
            part.axhline(panel.threshold, color="0.35", lw=1, ls=(0, (1, 3)), label=panel.threshold_label)
        for curve in panel.curves:
            _, dashes, marker = STYLES[curve.selection]
            shade = colour(curve.selection)
            mean = curve.values.mean(0)
            every = dict(marker=marker, ms=4) if curve.marked else dict(marker=marker, ms=4.5, markevery=_marks(curve.sizes))
            part.plot(curve.sizes, mean, color=shade, ls=dashes, lw=1.7, label=curve.label, **every)  # type: ignore[arg-type]
            if len(curve.values) > 1:
                part.fill_between(curve.sizes, curve.values.min(0), curve.values.max(0), color=shade, alpha=0.25, lw=0)
        if panel.predicted is not None:
            part.plot(np.arange(1, panel.d + 1), panel.predicted, color="k", ls=(0, (6, 3)), lw=1.1, label="closed form, from one number")
        _size_axis(part, panel.d)
        part.set_ylim(bottom=min(0.0, *(float(np.nanmin(curve.values)) for curve in panel.curves)))
        part.set_ylabel(ylabel)
        part.set_title(panel.title)
        if percent:
            part.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _legend(figure, axes)
    return figure


def _marks(sizes: np.ndarray) -> list[int]:
    """Where to put markers so that they are evenly spaced on a log axis."""
    wanted = np.unique(np.round(np.geomspace(1, sizes[-1], 9)).astype(int))
    return [int(np.abs(sizes - k).argmin()) for k in wanted]


def errors_figure(panels: Sequence[tuple[str, int, np.ndarray, np.ndarray]], ylabel: str, limit: float) -> Figure:
    """What a prediction misses: lines of (title, d, mean error (d,), half-width (d,)) on one plot, with a band of +-limit."""
    import seaborn

    figure, (axes,) = _grid(1, height=3.4)
    axes.axhspan(-limit, limit, color="0.9", label=f"within ±{limit:g}")
    shades = seaborn.color_palette("colorblind", len(panels))
    dashes = ["-", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)), (0, (5, 1, 1, 1, 1, 1))]
    for i, (title, d, error, half) in enumerate(panels):
        k = np.arange(1, d + 1)
        axes.plot(k, error, color=shades[i], ls=dashes[i % len(dashes)], lw=1.6, label=title)
        axes.fill_between(k, error - half, error + half, color=shades[i], alpha=0.15, lw=0)
    _size_axis(axes, max(panel[1] for panel in panels))
    axes.set_ylabel(ylabel)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+.2f}"))
    _legend(figure, [axes])
    return figure


def bars_figure(groups: Sequence[str], series: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]], ylabel: str) -> Figure:
    """Points with intervals: for each group (x) one point per series of (label, value, low, high), each (groups,)."""
    import seaborn

    figure, (axes,) = _grid(1, height=3.2)
    shades = seaborn.color_palette("colorblind", len(series))
    markers = "osDv^P"
    width = 0.6 / max(len(series), 1)
    for i, (label, value, low, high) in enumerate(series):
        x = np.arange(len(groups)) + (i - (len(series) - 1) / 2) * width
        spread = np.nan_to_num(np.stack([value - low, high - value]))
        axes.errorbar(x, value, yerr=np.clip(spread, 0, None), fmt=markers[i % 6], color=shades[i], capsize=3, ms=6, label=label)
    axes.set_xticks(np.arange(len(groups)), groups)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.set_ylim(0, 1)
    axes.set_ylabel(ylabel)
    axes.grid(axis="x", visible=False)
    _legend(figure, [axes])
    return figure
