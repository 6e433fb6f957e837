"""The figures of the notebooks: curves against subset size, small multiples by task, made for
colour-blind eyes.

Every function returns a matplotlib figure and knows nothing of files. Lines differ in colour, in
dashes and in marker. Bands are stated by the caller, who knows what they are.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from ..findings.figure_data import LOOKS, Look, Panel, Point, Series, Trade


def colour(look: Look) -> tuple[float, float, float]:
    """The colour of a look."""
    import seaborn

    return seaborn.color_palette("colorblind")[look[0]]


def _grid(count: int, height: float = 2.75) -> tuple[Figure, list[Axes]]:
    import seaborn

    seaborn.set_theme(style="whitegrid", context="notebook", font_scale=0.85)
    matplotlib.rcParams.update({"svg.hashsalt": "diffused-redundancy", "axes.titleweight": "bold"})
    columns = count if count in (1, 3) else 2
    rows = -(-count // columns)
    figure = Figure(
        figsize=((4.2 if count == 3 else 5.0) * columns if count > 1 else 6.4, height * rows + 0.7),
        layout="constrained",
    )
    axes = [figure.add_subplot(rows, columns, i + 1) for i in range(count)]
    return figure, axes


def _size_axis(axes: Axes, d: int) -> None:
    axes.set_xscale("log")
    ticks = [
        k
        for k in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
        if k < (0.75 if d < 1000 else 0.45) * d
    ] + [d]
    axes.set_xticks(ticks, [f"{k}" for k in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(0.93, d * 1.07)
    axes.set_xlabel(f"neurons or directions kept, k (of {d}, log scale)")


def _legend(figure: Figure, axes: Sequence[Axes]) -> None:
    handles: dict[str, Any] = {}
    for part in axes:
        for handle, label in zip(*part.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    columns = int(
        figure.get_figwidth() / (0.5 + 0.085 * max(len(label) for label in handles))
    )  # as many as fit beside one another
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower center",
        ncols=max(1, min(3, columns, len(handles))),
        frameon=False,
    )


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
            part.axhline(
                panel.threshold, color="0.35", lw=1, ls=(0, (1, 3)), label=panel.threshold_label
            )
        for curve in panel.curves:
            _, dashes, marker = curve.style
            shade = colour(curve.style)
            mean = curve.values.mean(0)
            every = (
                dict(marker=marker, ms=4)
                if curve.marked
                else dict(marker=marker, ms=4.5, markevery=_marks(curve.sizes))
            )
            part.plot(
                curve.sizes,
                mean,
                color=shade,
                ls=dashes if curve.joined else "",
                lw=1.7,
                label=curve.label,
                **every,
            )  # type: ignore[arg-type]
            if len(curve.values) > 1 and curve.joined:
                part.fill_between(
                    curve.sizes,
                    curve.values.min(0),
                    curve.values.max(0),
                    color=shade,
                    alpha=0.25,
                    lw=0,
                )
        if panel.predicted is not None:
            part.plot(
                np.arange(1, panel.d + 1),
                panel.predicted,
                color="k",
                ls=(0, (6, 3)),
                lw=1.1,
                label="closed form, from one number",
            )
        _size_axis(part, panel.d)
        part.set_ylim(
            bottom=1.05
            * min(
                0.0,
                *(float(np.nanmin(curve.values)) for curve in panel.curves if curve.values.size),
            )
        )
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


def errors_figure(
    panels: Sequence[tuple[str, int, np.ndarray, np.ndarray]], ylabel: str, limit: float
) -> Figure:
    """What a prediction misses: lines of (title, d, mean error (d,), half-width (d,)) on one plot,
    with a band of +-limit.
    """
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


def bars_figure(
    groups: Sequence[str],
    series: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]],
    ylabel: str,
) -> Figure:
    """Points with intervals: for each group (x) one point per series of (label, value, low, high),
    each (groups,).
    """
    import seaborn

    figure, (axes,) = _grid(1, height=3.2)
    shades = seaborn.color_palette("colorblind", len(series))
    markers = "osDv^P"
    width = 0.6 / max(len(series), 1)
    for i, (label, value, low, high) in enumerate(series):
        x = np.arange(len(groups)) + (i - (len(series) - 1) / 2) * width
        spread = np.nan_to_num(np.stack([value - low, high - value]))
        axes.errorbar(
            x,
            value,
            yerr=np.clip(spread, 0, None),
            fmt=markers[i % 6],
            color=shades[i],
            capsize=3,
            ms=6,
            label=label,
        )
    width = max(
        12, 84 // max(1, len(groups))
    )  # of a label, in characters, before it touches the next
    axes.set_xticks(
        np.arange(len(groups)), ["\n".join(textwrap.wrap(group, width)) for group in groups]
    )
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.set_ylim(0, 1)
    axes.set_ylabel(ylabel)
    axes.grid(axis="x", visible=False)
    _legend(figure, [axes])
    return figure


def groups_figure(
    panels: Sequence[tuple[str, Sequence[tuple[str, Sequence[Point]]]]],
    xlabel: str,
    *,
    reference: str = "",
) -> Figure:
    """Groups of nets against a value, side by side: one plot a panel of (title, groups of (label,
    points)).

    A group's points share a line, each with its interval; a band marks where the reference group's
    intervals reach. All panels must have the same groups.
    """
    labels = [label for label, _ in panels[0][1]]
    figure, axes = _row(
        len(panels), height=0.34 * len(labels) + 1.5, left=max(map(len, labels)) * 0.075
    )
    for part, (title, groups) in zip(axes, panels, strict=True):
        for row, (label, points) in enumerate(groups):
            look = LOOKS[1] if label == reference else LOOKS[0]
            for i, point in enumerate(points):
                y = row + (i - (len(points) - 1) / 2) * min(0.25, 0.7 / len(points))
                ends = np.nan_to_num([[point.value - point.low], [point.high - point.value]])
                part.errorbar(
                    point.value,
                    y,
                    xerr=np.clip(ends, 0, None),
                    fmt="s" if label == reference else "o",
                    color=colour(look),
                    capsize=2,
                    ms=5,
                    lw=1.3,
                )
            if label == reference and points:
                reach = [
                    value
                    for point in points
                    for value in (point.value, point.low, point.high)
                    if value == value
                ]
                if reach:
                    part.axvspan(min(reach), max(reach), color=colour(look), alpha=0.15, lw=0)
        part.set_yticks(range(len(labels)), labels if part is axes[0] else [""] * len(labels))
        part.set_ylim(len(labels) - 0.5, -0.5)
        part.set_xlabel(xlabel)
        part.set_title(title)
    return figure


def _row(count: int, height: float, left: float = 0.0) -> tuple[Figure, list[Axes]]:
    """Plots side by side, with room on the left for labels (inches)."""
    import seaborn

    seaborn.set_theme(style="whitegrid", context="notebook", font_scale=0.85)
    matplotlib.rcParams.update({"svg.hashsalt": "diffused-redundancy", "axes.titleweight": "bold"})
    width = min(10.0, 1.2 + left + 2.7 * count)
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, [figure.add_subplot(1, count, i + 1) for i in range(count)]


def series_figure(
    rows: Sequence[Sequence[tuple[str, Sequence[Series]]]],
    xlabel: str,
    ylabels: Sequence[str],
    *,
    ticks: Sequence[tuple[float, str]] = (),
    log: bool = False,
    percent: Sequence[bool] = (),
    references: Sequence[float | None] = (),
) -> Figure:
    """Lines of points with intervals, a grid of plots: rows of (title, series), each row with its
    own y axis.
    """
    import seaborn

    seaborn.set_theme(style="whitegrid", context="notebook", font_scale=0.85)
    matplotlib.rcParams.update({"svg.hashsalt": "diffused-redundancy", "axes.titleweight": "bold"})
    columns = max(len(row) for row in rows)
    figure = Figure(
        figsize=(min(10.0, 1.2 + 2.9 * columns) if columns > 1 else 6.4, 2.5 * len(rows) + 0.9),
        layout="constrained",
    )
    axes = []
    for i, row in enumerate(rows):
        for j, (title, lines) in enumerate(row):
            part = figure.add_subplot(len(rows), columns, i * columns + j + 1)
            axes.append(part)
            level = references[i] if i < len(references) else None
            if level is not None:
                part.axhline(
                    level, color="0.35", lw=1, ls=(0, (1, 3)), label="uncorrelated neurons"
                )
            for line in lines:
                look = LOOKS[line.look % len(LOOKS)]
                dashes = look[1] if line.joined else ""
                value, low, high = (
                    np.array([getattr(point, name) for point in line.points])
                    for name in ("value", "low", "high")
                )
                ends = np.clip(np.nan_to_num(np.stack([value - low, high - value])), 0, None)
                part.errorbar(
                    line.x,
                    value,
                    yerr=ends,
                    color=colour(look),
                    ls=dashes,
                    marker=look[2],
                    ms=5,
                    lw=1.5,
                    capsize=2,
                    label=line.label,
                )
            if log:
                part.set_xscale("log")
                part.set_xticks([], minor=True)
            if ticks:
                part.set_xticks([x for x, _ in ticks], [label for _, label in ticks])
            if i == 0:
                part.set_title(title)
            if i == len(rows) - 1:
                part.set_xlabel(xlabel)
            if j == 0:
                part.set_ylabel(ylabels[i])
            if i < len(percent) and percent[i]:
                part.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _legend(figure, axes)
    return figure


def trade_figure(
    panels: Sequence[tuple[str, Sequence[Trade], np.ndarray, np.ndarray]], xlabel: str, ylabel: str
) -> Figure:
    """Trade-offs with their common front: panels of (title, lines, gain of the front, what it
    keeps).
    """
    figure, axes = _grid(len(panels), height=2.9)
    for part, (title, lines, gain, kept) in zip(axes, panels, strict=True):
        for line in lines:
            if line.look is None:
                part.plot(line.gain, line.kept, color="0.75", lw=0.9, zorder=1, label="other nets")
            else:
                look = LOOKS[line.look % len(LOOKS)]
                part.plot(
                    line.gain, line.kept, color=colour(look), ls=look[1], lw=1.4, label=line.label
                )
        part.plot(
            gain,
            kept,
            color="k",
            ls=(0, (1, 1.2)),
            lw=2.4,
            zorder=3,
            label="Pareto front of all nets",
        )
        part.set_xlim(0, 1)
        part.set_ylim(bottom=0)
        part.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        part.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        part.set_xlabel(xlabel)
        part.set_ylabel(ylabel)
        part.set_title(title)
    _legend(figure, axes)
    return figure


def matrix_figure(
    panels: Sequence[tuple[str, Sequence[str], np.ndarray]], low: float = -1.0, high: float = 1.0
) -> Figure:
    """Square matrices of correlations with their numbers written in, side by side: panels of
    (title, names, values).
    """
    import seaborn

    count = max(len(names) for _, names, _ in panels)
    figure, axes = _row(len(panels), height=0.5 * count + 2.0, left=0.6)
    for part, (title, names, values) in zip(axes, panels, strict=True):
        first = part is axes[0]
        seaborn.heatmap(
            values,
            vmin=low,
            vmax=high,
            cmap="vlag",
            annot=True,
            fmt=".2f",
            annot_kws={"size": 7},
            cbar=False,
            square=True,
            ax=part,
            xticklabels=list(names),
            yticklabels=list(names) if first else False,
        )
        part.tick_params(axis="x", rotation=60)
        part.tick_params(axis="y", rotation=0)
        part.set_title(title)
    return figure
