"""The figures of the notebooks: curves against subset size, small multiples by task, made for
colour-blind eyes.

Every function returns a matplotlib figure and knows nothing of files. Lines differ in colour, in
dashes and in marker. Bands are stated by the caller, who knows what they are.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from ..findings.figure_data import Band, Line, Panel, Point, Series, Trade
from ..measures.selections import SELECTIONS
from .line_labels import label_lines
from .style import StyledFigure, style

Look = tuple[int, Any, str]
"""Index in the palette, dashes, marker."""

PALETTE = (
    "#0173b2",
    "#c77700",
    "#028a64",
    "#c44000",
    "#b85fa8",
    "#9a6437",
    "#e0529c",
    "#7f7f7f",
    "#8a8500",
    "#2a93c9",
    "#6a6ee0",
    "#00868f",
    "#b5495b",
    "#5f8a1f",
    "#9270b8",
)
"""Seaborn's ten colours for colour-blind eyes, those darkened that are faint on white, and five
more: each has a contrast of at least 3 to white and to the dark page.
"""

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
    (6, (0, (8, 1, 1, 1)), "*"),
    (10, (0, (3, 3)), "p"),
    (11, (0, (6, 1, 2, 1)), "h"),
    (12, (0, (2, 1, 1, 1, 1, 1)), "d"),
    (13, (0, (9, 3)), "H"),
    (14, (0, (1, 4)), "8"),
)
"""Looks of lines, in turn."""

_FIRST = ("random", "pca", "random_projection", "pca_least", "gaussian_projection", "first")
"""Selections by the place of their look in LOOKS; those registered later come after them."""


_BLACK = (0.1, 0.1, 0.1)

_MANY = 15
"""Points of a group beyond which their intervals would hide them."""

_TWOS = [digit * 10.0**power for power in range(-5, 1) for digit in (1, 2, 5)]
"""Ticks of a log axis below 1."""


def look_of(line: Line) -> Look:
    """Colour, dashes and marker of a line."""
    if line.look is not None:
        return _look(line.look)
    return _look(list(dict.fromkeys((*_FIRST, *SELECTIONS))).index(line.selection))


def _look(place: int) -> Look:
    return LOOKS[place % len(LOOKS)]


def _colour(look: Look) -> str:
    return PALETTE[look[0]]


def _plots(count: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """A figure of a size in inches, with so many plots, row by row."""
    figure, rows = StyledFigure(figsize=size, layout="constrained"), -(-count // columns)
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(count)]


def _multiples(count: int, height: float = 2.75) -> tuple[Figure, list[Axes]]:
    """Small multiples: three in a row, or rows of two."""
    columns = count if count in (1, 3) else 2
    rows = -(-count // columns)
    width = 5.25 if count == 1 else 10.0  # a phone shows one alone whole
    return _plots(count, columns, (width, height * rows + 0.7))


def _row(count: int, height: float, left: float = 0.0) -> tuple[Figure, list[Axes]]:
    """Plots side by side, four in a row at most, with room on the left for labels; in inches."""
    columns = count if count < 5 else 4
    rows = -(-count // columns)
    return _plots(count, columns, (min(10.0, 1.2 + left + 2.7 * columns), height * rows))


def _leads(axes: Axes) -> bool:
    """Whether plots begin their row."""
    place = axes.get_subplotspec()
    return place is None or place.is_first_col()


def _size_axis(axes: Axes, d: int, lines: Sequence[Line] = ()) -> None:
    axes.set_xscale("log")
    place = axes.get_subplotspec()
    narrow = place is not None and place.get_gridspec().ncols > 2
    steps: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
    if narrow:
        steps = (1, 5, 20, 100, 500, 2000)
    ticks = [k for k in steps if k < (0.75 if d < 1000 else 0.45) * d] + [d]
    axes.set_xticks(ticks, [f"{k}" for k in ticks])
    axes.set_xticks([], minor=True)
    known = [line.sizes[np.isfinite(line.values).any(0)] for line in lines]
    first = min((sizes[0] for sizes in known if len(sizes)), default=1)
    axes.set_xlim(0.93 * first, d * 1.07)
    directions = any(SELECTIONS[line.selection].directions for line in lines)
    axes.set_xlabel(f"neurons {'or directions ' if directions else ''}kept, k (of {d})")


def _title(axes: Axes, title: str) -> None:
    """A title that is folded before it touches the next one."""
    place = axes.get_subplotspec()
    columns = place.get_gridspec().ncols if place is not None else 1
    axes.set_title(
        "\n".join(textwrap.wrap(title, int(90 / (columns + 0.5)), break_long_words=False))
    )


def _ylabel(axes: Axes, label: str) -> None:
    """A label of a y axis that is folded where it is longer than the axis."""
    lines = (textwrap.wrap(line, 26, break_long_words=False) for line in label.split("\n"))
    axes.set_ylabel("\n".join(part for some in lines for part in some))


def _same_scale(axes: Sequence[Axes], axis: str) -> None:
    """Give plots axes of equal length in their own places, so that equal distances are equal
    differences. No axis goes below 0, or beyond 1, that no value takes it to.
    """
    ends = [getattr(part, f"get_{axis}lim")() for part in axes]
    span = max(high - low for low, high in ends)
    shares, counts = max(high for _, high in ends) <= 1.05, min(low for low, _ in ends) >= 0
    for part, (low, high) in zip(axes, ends, strict=True):
        top = (low + high + span) / 2
        top = min(top, max(high, 1.0)) if shares else top
        top = max(top, span) if counts else top
        getattr(part, f"set_{axis}lim")(top - span, top)


def _once_in_a_row(axes: Sequence[Axes]) -> None:
    """Leave out labels of y axes that say again what the plot on the left says."""
    labels = [part.get_ylabel() for part in axes]
    for left, part in zip(labels, axes[1:], strict=False):
        place = part.get_subplotspec()
        if place is not None and not place.is_first_col() and part.get_ylabel() == left:
            part.set_ylabel("")


def _dotted(axes: Axes, level: float, label: str) -> None:
    axes.axhline(level, color="0.35", lw=1, ls=(0, (1, 3)), label=label)


def _in_percent(axis: Axis) -> None:
    """Shares as percentages, with the digits that a tick has: 22.5% is not 22%."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(100 * value, 6):g}%"))


def _share_y(axes: Sequence[Axes], alike: Sequence[object]) -> None:
    """Give plots that show the same quantity the same y axis, so that heights can be compared."""
    for one in dict.fromkeys(alike):
        group = [part for part, other in zip(axes, alike, strict=True) if other == one]
        low, high = zip(*(part.get_ylim() for part in group), strict=True)
        for part in group:
            part.set_ylim(min(low), max(high))


def _label_once(figure: Figure, axes: Sequence[Axes], xlabel: str) -> None:
    """A label of the x axis, one for all plots of a row: several of them would overlap. A legend
    has been drawn before.
    """
    size = axes[0].xaxis.label.get_fontsize()
    if len(axes) % 2 and len(axes) < 5:
        axes[len(axes) // 2].set_xlabel(xlabel)
    elif figure.legends:  # matplotlib would put a label of the figure on top of its legend
        figure.legends[0].set_title(xlabel)
        figure.legends[0].get_title().set_fontsize(size)
    else:
        figure.supxlabel(xlabel, fontsize=size)


def _legend(figure: Figure, axes: Sequence[Axes]) -> None:
    handles: dict[str, Any] = {}
    for part in axes:
        for handle, label in zip(*part.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    longest = max(len(label) for label in handles)
    columns = int(figure.get_figwidth() / (0.5 + 0.085 * longest))  # as many as fit
    most = 2 if len(handles) == 4 else 3  # four in three columns would tear pairs apart
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower center",
        ncols=max(1, min(most, columns, len(handles))),
        frameon=False,
        borderaxespad=0.2,
    )


def _shown(label: str) -> str:
    """A label for a legend, which leaves out those that begin with an underscore."""
    return f" {label}" if label.startswith("_") else label


def _intervals(points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
    """Values (n,) and the lengths of their error bars below and above, (2, n)."""
    value, low, high = np.array([(one.value, one.low, one.high) for one in points]).reshape(-1, 3).T
    return value, np.clip(np.nan_to_num(np.stack([value - low, high - value])), 0, None)


@style()
def curves_figure(
    panels: Sequence[Panel], ylabel: str = "", *, percent: bool = False, compact: bool = False
) -> Figure:
    """Curves against k, one plot a panel.

    Parameters
    ----------
    panels : sequence of Panel
    ylabel : str
        By default that of each panel.
    percent : bool
        Whether values in [0, 1] are shown as percentages, as a panel may say as well.
    compact : bool
        For many panels: lower ones, with labels of axes at the edges only (of a y axis, where it
        says what the first of its row says).
    """
    figure, axes = _multiples(len(panels), 2.3 if compact else 2.75)
    if compact:
        figure.set_layout_engine("constrained", h_pad=0.1)  # titles from ticks above
    for number, (part, panel) in enumerate(zip(axes, panels, strict=True)):
        if panel.full is not None:
            part.axhline(panel.full, color="0.35", lw=1.5, label="full layer")
        if panel.threshold is not None:
            _dotted(part, panel.threshold, panel.threshold_label)
        for line in panel.curves:
            _draw(part, line)
        if panel.predicted is not None:
            k = 1 + _seen(np.arange(1, panel.d + 1))
            label = "closed form, from one number"
            part.plot(k, panel.predicted[k - 1], color=_BLACK, ls=(0, (6, 3)), lw=1.1, label=label)
        _size_axis(part, panel.d, panel.curves)
        least = [float(np.nanmin(line.values)) for line in panel.curves if line.values.size]
        part.set_ylim(*(panel.limits or (1.05 * min([0.0, *least]), None)))
        _ylabel(part, ylabel or panel.axis)
        _title(part, panel.title)
        if percent or panel.percent:
            _in_percent(part.yaxis)
        place = part.get_subplotspec()
        if compact and place is not None and not place.is_last_row():
            part.set_xlabel("")
        first = number - number % place.get_gridspec().ncols if place is not None else number
        if compact and number > first and panel.axis == panels[first].axis:
            part.set_ylabel("")
    _share_y(axes, [(panel.axis, panel.limits) for panel in panels])
    _once_in_a_row(axes)
    if not label_lines(figure, axes):
        _legend(figure, axes)
    return figure


@style()
def kept_figure(lines: Sequence[Line], ylabel: str, mark: float, enough: float) -> Figure:
    """What parts of a layer keep of the whole, as shares, against their share of the layer: one
    line a case, of which ``sizes`` are shares. Dotted lines mark a share of the layer, and what is
    ``enough`` of the whole.
    """
    figure, (axes,) = _plots(1, 1, (5.2, 4.0))  # a phone shows it whole
    axes.axhline(1, color="0.35", lw=1)
    axes.axvline(mark, color="0.35", lw=1, ls=(0, (1, 3)))
    axes.axhline(enough, color="0.35", lw=1, ls=(0, (1, 3)))
    for line in lines:
        _draw(axes, line)
    axes.set_xlim(0, 1.01)
    axes.set_ylim(0, 1.04)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(np.linspace(0, 1, 6))
        _in_percent(axis)
    axes.set_xlabel("random neurons kept, as a share of the layer")
    _ylabel(axes, ylabel)
    if lines:
        axes.legend(loc="lower right", title=f"with {mark:.0%} of the neurons", alignment="left")
    return figure


def _draw(part: Axes, line: Line) -> None:
    """A line's mean, and its band from least to largest."""
    _, dashes, marker = look = look_of(line)
    shade = _colour(look)
    seen = _seen(line.sizes)
    sizes, values = line.sizes[seen], line.values[:, seen]
    part.plot(
        sizes,
        values.mean(0),
        color=shade,
        ls=dashes if line.joined else "",
        lw=1.7,
        marker=marker,
        ms=4 if line.marked else 4.5,
        markevery=None if line.marked else _marks(sizes),
        label=_shown(line.label),
    )
    if len(line.values) > 1 and line.joined:
        ends = values.min(0), values.max(0)
        name, density = line.band
        label = _shown(name) if name else None
        part.fill_between(sizes, *ends, color=shade, alpha=density, lw=0, label=label)


def _seen(sizes: np.ndarray) -> np.ndarray:
    """Places of the sizes, (s,), that can be told apart on a log axis: all but those closer than
    1.5% to the one before. The last one stays.
    """
    steps = np.floor(np.log(sizes) / np.log(1.015)).astype(int)
    return np.union1d(np.unique(steps, return_index=True)[1], [len(sizes) - 1])


def _marks(sizes: np.ndarray) -> list[int]:
    """Where to put markers so that they are evenly spaced on a log axis."""
    wanted = np.unique(np.round(np.geomspace(1, sizes[-1], 9)).astype(int))
    return [int(np.abs(sizes - k).argmin()) for k in wanted]


@style()
def errors_figure(bands: Sequence[Band], ylabel: str, limit: float) -> Figure:
    """What predictions miss at every k, with a band of +-limit."""
    figure, (axes,) = _multiples(1, height=3.4)
    axes.axhspan(-limit, limit, color="0.9", label=f"within ±{limit:g}")
    for place, band in enumerate(bands):
        k, look = 1 + _seen(np.arange(1, len(band.center) + 1)), _look(place)
        shade, center, half = _colour(look), band.center[k - 1], band.half[k - 1]
        axes.plot(k, center, color=shade, ls=look[1], lw=1.6, label=_shown(band.label))
        ends = center - half, center + half
        axes.fill_between(k, *ends, color=shade, alpha=0.15, lw=0)
    widths = {len(band.center) for band in bands}
    _size_axis(axes, max(widths))
    if len(widths) > 1:
        axes.set_xlabel("neurons kept, k")
    axes.set_ylabel(ylabel)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+.2f}"))
    _legend(figure, [axes])
    return figure


@style()
def points_figure(
    groups: Sequence[str], series: Sequence[Series], ylabel: str, *, top: float | None = 1
) -> Figure:
    """Points with intervals from 0 to ``top`` (by default 1; None: as the values are): one of each
    series a group.
    """
    lying = len(groups) > 5  # more labels than fit side by side
    size = (10.0, 0.4 * len(groups) + 1.5) if lying else (6.4, 3.9)
    figure, (axes,) = _plots(1, 1, size)
    for place, one in enumerate(series):
        shift = (place - (len(series) - 1) / 2) * 0.6 / len(series)
        value, ends = _intervals(one.points)
        if np.isnan(value).all():  # nothing to draw, nor to name
            continue
        look, where = _look(one.look), np.asarray(one.x) + shift
        axes.errorbar(
            value if lying else where,
            where if lying else value,
            xerr=ends if lying else None,
            yerr=None if lying else ends,
            fmt=look[2],
            color=_colour(look),
            capsize=3,
            ms=6,
            label=_shown(one.label),
            clip_on=False,
        )
    if lying:
        axes.set_yticks(range(len(groups)), groups)
        axes.set_ylim(len(groups) - 0.4, -0.6)
        axes.set_xlim(0, top)
        axes.set_xlabel(ylabel.replace("\n", " "))
    else:
        width = max(11, 76 // max(1, len(groups)) - 3)  # of a label, before it touches the next
        axes.set_xticks(
            range(len(groups)),
            ["\n".join(textwrap.wrap(group, width, break_long_words=False)) for group in groups],
        )
        axes.set_xlim(-0.6, len(groups) - 0.4)
        axes.set_ylim(0, top)
        axes.set_ylabel(ylabel)
    axes.grid(axis="y" if lying else "x", visible=False)
    _legend(figure, [axes])
    return figure


@style()
def groups_figure(
    panels: Sequence[tuple[str, Sequence[tuple[str, Sequence[Point]]]]],
    xlabel: str,
    *,
    reference: str = "",
    percent: bool = False,
    empty: str = "",
) -> Figure:
    """Groups of networks against a value, side by side: one plot a panel of (title, groups of
    (label, points)).

    A group's points share a line, each with its interval unless they are many; a band marks where
    the reference group's intervals reach. All panels must have the same groups; ``empty`` is
    written where one has no point. ``percent``: values in [0, 1] are shown as percentages. Panels
    have one scale: equal distances are equal differences.
    """
    labels = [label for label, _ in panels[0][1]]
    left = max(map(len, labels)) * 0.075
    figure, axes = _row(len(panels), height=0.34 * len(labels) + 1.5, left=left)
    for part, (title, groups) in zip(axes, panels, strict=True):
        for row, (label, points) in enumerate(groups):
            look = LOOKS[1] if label == reference else LOOKS[0]
            shade = _colour(look)
            value, ends = _intervals(points)
            apart = np.arange(len(points)) - (len(points) - 1) / 2
            many = len(points) > _MANY
            part.errorbar(
                value,
                row + apart * min(0.25, 0.7 / max(1, len(points))),
                xerr=None if many else ends,
                fmt=look[2],
                color=shade,
                alpha=0.6 if many else 1,
                capsize=2,
                ms=5,
                lw=1.3,
            )
            if label == reference and np.isfinite(value).any():
                reach = np.nanmin(value - ends[0]), np.nanmax(value + ends[1])
                part.axvspan(*reach, color=shade, alpha=0.15, lw=0)
            if empty and not points:
                across = part.get_yaxis_transform()
                part.text(0.5, row, empty, transform=across, ha="center", va="center", color="0.4")
        part.set_yticks(range(len(labels)), labels if _leads(part) else [""] * len(labels))
        part.set_ylim(len(labels) - 0.5, -0.5)
        _title(part, title)
        if percent:
            part.locator_params(axis="x", nbins=4)
            _in_percent(part.xaxis)
    _same_scale(axes, "x")
    _label_once(figure, axes, xlabel)
    return figure


@style()
def dumbbell_figure(
    panels: Sequence[tuple[str, Sequence[tuple[str, Sequence[Point]]]]],
    names: Sequence[str],
    xlabel: str,
    *,
    reference: float | None = None,
) -> Figure:
    """Several values of each network side by side, one plot a panel of (title, rows of (label,
    points)): the points of a row, named ``names``, are joined, each with its interval.

    Panels share the x axis. ``reference`` is a value to be marked.
    """
    labels = [label for label, _ in panels[0][1]]
    left = max(map(len, labels)) * 0.075
    figure, axes = _row(len(panels), height=0.42 * len(labels) + 1.7, left=left)
    for part, (title, rows) in zip(axes, panels, strict=True):
        if reference is not None:
            part.axvline(reference, color="0.35", lw=1, ls=(0, (1, 3)))
        places = np.arange(len(rows))
        for row, (_, points) in enumerate(rows):
            value, _ = _intervals(points)
            if np.isfinite(value).any():
                reach = [np.nanmin(value), np.nanmax(value)]
                part.plot(reach, [row, row], color="0.8", lw=2.5, zorder=1)
        for i, name in enumerate(names):
            value, ends = _intervals([points[i] for _, points in rows])
            look, shift = _look(i), (i - (len(names) - 1) / 2) * 0.36 / len(names)
            part.errorbar(
                value,
                places + shift,
                xerr=ends,
                fmt=look[2],
                color=_colour(look),
                capsize=2,
                ms=6,
                lw=1.3,
                label=_shown(name),
            )
        part.set_yticks(places, labels if _leads(part) else [""] * len(labels))
        part.set_ylim(len(labels) - 0.5, -0.5)
        part.locator_params(axis="x", nbins=5)
        _title(part, title)
    least, largest = zip(*(part.get_xlim() for part in axes), strict=True)
    for part in axes:
        part.set_xlim(min(least), max(largest))
    _legend(figure, axes)
    _label_once(figure, axes, xlabel)
    return figure


@style()
def scale_figure(
    panels: Sequence[tuple[str, Sequence[tuple[str, Sequence[Point]]]]],
    lines: Sequence[tuple[float, str]],
    lines_label: str,
) -> Figure:
    """Dimensions against scale, both on log axes, one plot a panel of (title, networks of (label,
    points)).

    Parameters
    ----------
    panels : sequence
        Four points a network: PR / d and 1 + CV^2 of the layer as it is (filled), and of
        standardised neurons (hollow).
    lines : sequence of (float, str)
        Values of their product r, and what the lines of equal r are called.
    lines_label : str
        What the lines are, for the legend.
    """
    figure, axes = _multiples(len(panels), height=3.4)
    known = np.array([one.value for _, rows in panels for _, points in rows for one in points])
    across, up = known[::2], known[1::2]
    low, high, top = across.min() / 1.35, across.max() * 1.7, up.max() * 1.5
    for part, (title, rows) in zip(axes, panels, strict=True):
        ends = np.array([low, high])
        for r, name in lines:
            part.plot(ends, r / ends, color="0.72", lw=0.9, zorder=1, label=lines_label)
            how: dict[str, Any] = {
                "fontsize": 10,
                "color": "0.35",
                "bbox": {"fc": "white", "ec": "none", "pad": 1},
            }
            if 1 < r / high < top:  # it leaves the plot on the right, or else through the floor
                part.annotate(name, (high / 1.04, r / high), ha="right", va="center", **how)
            elif low < r / 0.8 < high / 1.2:
                part.annotate(name, (r / 0.8, 0.8), **how)
        for place, (label, points) in enumerate(rows):
            look = _look(place)
            mark: dict[str, Any] = {"fmt": look[2], "color": _colour(look), "ms": 6, "lw": 1.2}
            (x, x_ends), (y, y_ends) = _intervals(points[::2]), _intervals(points[1::2])
            part.plot(x, y, color=_colour(look), lw=1, ls=(0, (2, 2)), zorder=2)
            for i, fill in enumerate((_colour(look), "white")):
                part.errorbar(
                    x[i : i + 1],
                    y[i : i + 1],
                    xerr=x_ends[:, i : i + 1],
                    yerr=y_ends[:, i : i + 1],
                    mfc=fill,
                    label=_shown(label) if i == 0 else None,
                    **mark,
                )
        part.set_xscale("log")
        part.set_yscale("log")
        part.set_xlim(low, high)
        part.set_ylim(0.75, top)
        part.set_xticks([t for t in _TWOS if low < t < high])
        part.set_yticks([t for t in (1, 2, 5, 10, 20, 50, 100) if t < top])
        for axis in (part.xaxis, part.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_locator(NullLocator())
        part.set_xlabel("dimensions: PR / d")
        part.set_ylabel("scale: 1 + CV²")
        _title(part, title)
    _once_in_a_row(axes)
    _legend(figure, axes)
    return figure


@style()
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
    """Lines of points with intervals, a grid of plots: rows of equally many (title, series), each
    row with its own y axis.
    """
    columns = len(rows[0])
    width = min(10.0, 1.2 + 2.9 * columns) if columns > 1 else 6.4
    most = max(len(lines) for row in rows for _, lines in row)
    height = 3.6 if most > 5 and len(rows) == 1 else 2.5  # many series need room
    figure, axes = _plots(len(rows) * columns, columns, (width, height * len(rows) + 0.9))
    for i, row in enumerate(rows):
        for j, (title, lines) in enumerate(row):
            part = axes[i * columns + j]
            level = references[i] if i < len(references) else None
            if level is not None:
                _dotted(part, level, "uncorrelated neurons")
            for line in lines:
                value, ends = _intervals(line.points)
                look = _look(line.look)
                part.errorbar(
                    line.x,
                    value,
                    yerr=ends,
                    color=_colour(look),
                    ls=look[1] if line.joined else "",
                    marker=look[2],
                    ms=5,
                    lw=1.5,
                    capsize=2,
                    label=_shown(line.label),
                )
            if log:
                part.set_xscale("log")
                part.set_xticks([], minor=True)
            if ticks:
                part.set_xticks([x for x, _ in ticks], [label for _, label in ticks])
            if i == 0:
                _title(part, title)
            if i == len(rows) - 1:
                part.set_xlabel(xlabel)
            if j == 0:
                _ylabel(part, ylabels[i])
            if i < len(percent) and percent[i]:
                _in_percent(part.yaxis)
        _same_scale(axes[i * columns : (i + 1) * columns], "y")
    if any(len(lines) > 1 for row in rows for _, lines in row):  # else axes and titles say it
        _legend(figure, axes)
    return figure


@style()
def trade_figure(
    panels: Sequence[tuple[str, Sequence[Trade], np.ndarray, np.ndarray]], xlabel: str, ylabel: str
) -> Figure:
    """Trade-offs with their common front: panels of (title, lines, gain of the front, what it
    keeps).

    The gain is a share that is given up, and the axis is of what remains of it, 1 less the gain, on
    a log scale: what there is to see happens where little remains.
    """
    figure, axes = _multiples(len(panels), height=2.9)
    least = min(_remaining(one.gain).min() for _, lines, _, _ in panels for one in lines)
    for part, (title, lines, gain, kept) in zip(axes, panels, strict=True):
        for line in lines:
            left = _remaining(line.gain)
            seen = _seen(left)
            if line.look is None:
                how: dict[str, Any] = {"color": "0.75", "lw": 0.9, "zorder": 1}
                how["label"] = "other networks"
            else:
                look = _look(line.look)
                how = {"color": _colour(look), "ls": look[1], "lw": 1.4}
                how["label"] = _shown(line.label)
            part.plot(left[seen], line.kept[line.gain < 1][seen], **how)
        left = _remaining(gain)
        label = "Pareto front of all networks"
        front: dict[str, Any] = {"color": _BLACK, "ls": (0, (1, 1.2)), "lw": 2.4, "zorder": 3}
        part.plot(left, kept[gain < 1], label=label, **front)
        part.set_xscale("log")
        part.set_xticks([tick for tick in (0.001, 0.01, 0.1, 1) if least <= tick])
        part.xaxis.set_minor_locator(NullLocator())
        part.set_xlim(0.9 * least, 1.1)
        part.set_ylim(bottom=0)
        _in_percent(part.xaxis)
        _in_percent(part.yaxis)
        part.set_xlabel(xlabel)
        part.set_ylabel(ylabel)
        _title(part, title)
    _share_y(axes, [ylabel] * len(axes))
    _once_in_a_row(axes)
    _legend(figure, axes)
    return figure


def _remaining(gain: np.ndarray) -> np.ndarray:
    """What remains of a share that is given up, without those that give up all."""
    return 1 - gain[gain < 1]


@style()
def matrix_figure(
    panels: Sequence[tuple[str, Sequence[str], np.ndarray]],
    low: float = -1.0,
    high: float = 1.0,
    *,
    rows: int = 1,
    decimals: int = 2,
    axes_labels: tuple[str, str] = ("", ""),
    row_labels: Sequence[str] = (),
) -> Figure:
    """Square matrices with their numbers written in, side by side and in so many rows: panels of
    (title, names, values). ``axes_labels`` say what columns and rows of a matrix are,
    ``row_labels`` what each row of matrices holds.
    """
    import seaborn

    count, columns = max(len(names) for _, names, _ in panels), -(-len(panels) // rows)
    width = min(10.0, 1.8 + 2.7 * columns)
    size = width, (0.5 * count + 2.0) * (0.55 + 0.45 * rows)
    figure, axes = _plots(len(panels), columns, size)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 0.985))  # titles from the edge
    for place, (part, (title, names, values)) in enumerate(zip(axes, panels, strict=True)):
        last, first = place + columns >= len(panels), place % columns == 0
        seaborn.heatmap(
            values,
            vmin=low,
            vmax=high,
            cmap="vlag",
            annot=True,
            fmt=f".{decimals}f",
            annot_kws={"size": 10},
            cbar=False,
            square=True,
            ax=part,
            xticklabels=list(names) if last else False,
            yticklabels=list(names) if first else False,
        )
        for text in part.texts:  # white is for the darkest colours alone
            text.set_color("black" if abs(float(text.get_text())) <= 2 / 3 * high else "white")
        part.tick_params(axis="x", rotation=60)
        part.tick_params(axis="y", rotation=0)
        _title(part, title)
        part.set_xlabel(axes_labels[0] if last else "")
        labels = [*row_labels[place // columns : place // columns + 1], axes_labels[1]]
        part.set_ylabel("\n".join(filter(None, labels)) if first else "")
    return figure


@style()
def ranked_figure(
    panels: Sequence[tuple[str, Band, np.ndarray]], xlabel: str, ylabel: str
) -> Figure:
    """Effects sorted by size with their intervals, and what they would be by chance (dashed):
    panels of (title, effects as percentages, chance).
    """
    figure, axes = _multiples(len(panels))
    for part, (title, band, chance) in zip(axes, panels, strict=True):
        rank, shade = np.arange(1, len(band.center) + 1), _colour(LOOKS[0])
        ends = band.center - band.half, band.center + band.half
        part.fill_between(rank, *ends, color=shade, alpha=0.25, lw=0)
        part.plot(rank, band.center, color=shade, lw=1.7, label=_shown(band.label))
        label = "if no neuron had any effect"
        part.plot(rank, chance, color=_BLACK, ls=(0, (5, 2)), lw=1.3, label=label)
        part.axhline(0, color="0.35", lw=1)
        _title(part, title)
        part.set_xlabel(xlabel)
        part.set_ylabel(ylabel)
        _in_percent(part.yaxis)
    _once_in_a_row(axes)
    _legend(figure, axes)
    return figure
