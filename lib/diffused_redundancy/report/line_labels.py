"""Names of lines beside the lines, in place of a legend, where lines are few and there is room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

FEW = 4
"""Lines, those of reference among them, that are named where they are."""

APART = 12
"""Pixels from a name to any other line than its own."""

STEPS = 60
"""Places along a line where its name may stand."""


def label_lines(figure: Figure, axes: Sequence[Axes]) -> bool:
    """Write the names of lines beside them, if all plots have the same few, in every plot that has
    room for all of them.

    Returns
    -------
    bool
        Whether the first plot had room; else no name is written.
    """
    names = [part.get_legend_handles_labels()[1] for part in axes]
    if len(names[0]) > FEW or any(other != names[0] for other in names):
        return False
    figure.draw_without_rendering()  # where things are is known only then
    if not _labelled(axes[0]):
        return False
    for part in axes[1:]:
        _labelled(part)
    return True


def _labelled(axes: Axes) -> bool:
    """Write the names of the lines of a plot, all or none."""
    handles = axes.get_legend_handles_labels()[0]
    lines = [handle for handle in handles if isinstance(handle, Line2D)]
    if len(lines) < len(handles):  # a band has no place of its own
        return False
    drawn = _drawn(axes)
    written: list[Annotation] = []
    for line in sorted(lines, key=_straight):  # curves first: they have less choice
        name = _written_beside(line, axes, drawn, written)
        if name is None:
            for text in written:
                text.remove()
            return False
        written.append(name)
    return True


def _straight(line: Line2D) -> bool:
    """Whether a line is one of reference, at one height."""
    return len(set(np.asarray(line.get_ydata(), float))) == 1


def _drawn(axes: Axes) -> np.ndarray:
    """Points that are drawn on, (n, 2), in pixels: along lines, and along the edges of bands."""
    points = [_pixels(line, axes) for line in axes.get_lines()]
    for band in axes.collections:
        if isinstance(band, PolyCollection):
            points += [_along(axes.transData.transform(path.vertices)) for path in band.get_paths()]
    return np.concatenate(points)


def _pixels(line: Line2D, axes: Axes) -> np.ndarray:
    return _along(axes.transData.transform(_data(line, axes)))


def _data(line: Line2D, axes: Axes) -> np.ndarray:
    """The points of a line, (n, 2), in the units of the axes; one at a single height goes across,
    as lines of reference do.
    """
    x, y = (np.asarray(values, float) for values in line.get_data())
    if _straight(line):
        x, y = np.asarray(axes.get_xlim()), np.repeat(y[:1], 2)
    return np.column_stack([x, y])


def _along(pixels: np.ndarray) -> np.ndarray:
    """Points every three pixels along a broken line."""
    pixels = pixels[np.isfinite(pixels).all(1)]
    gone = np.append(0, np.cumsum(np.hypot(*np.diff(pixels, axis=0).T)))
    places = np.arange(0, gone[-1], 3.0)
    return np.column_stack([np.interp(places, gone, values) for values in pixels.T])


def _written_beside(
    line: Line2D, axes: Axes, drawn: np.ndarray, others: Sequence[Annotation]
) -> Annotation | None:
    """The name of a line at the first place where it hides nothing; None if there is none."""
    inside, taken = axes.get_window_extent(), [text.get_window_extent() for text in others]
    rest = [one for one in axes.get_lines() if one is not line]
    far = np.concatenate([np.empty((0, 2)), *(_pixels(one, axes) for one in rest)])
    for place, how in _places(line, axes):
        text = axes.annotate(
            str(line.get_label()).strip(),
            place,
            textcoords="offset points",
            color=line.get_color(),
            fontsize=11,
            annotation_clip=False,
            **how,
        )
        box = text.get_window_extent().padded(2)
        hides = _holds(box, drawn) or _holds(box.padded(APART - 2), far)
        if _within(box, inside) and not hides and not box.count_overlaps(taken):
            return text
        text.remove()
    return None


def _places(line: Line2D, axes: Axes) -> Iterator[tuple[tuple[float, float], dict[str, Any]]]:
    """Where a name may stand, from the middle of a line to its ends, in data; and how."""
    points = _data(line, axes)
    pixels = axes.transData.transform(points)
    at = np.linspace(pixels[0, 0], pixels[-1, 0], STEPS + 2)[1:-1]
    for x in sorted(at, key=lambda x: abs(x - at.mean())):
        height = np.interp(x, *pixels.T)
        place = tuple(axes.transData.inverted().transform((x, height)))
        for side, away in (("right", -7), ("left", 7)):
            for edge, off in (("bottom", 3), ("top", -3)):
                yield place, {"ha": side, "va": edge, "xytext": (away, off)}


def _within(box: Bbox, outer: Bbox) -> bool:
    return bool(np.all(box.min >= outer.min) and np.all(box.max <= outer.max))


def _holds(box: Bbox, points: np.ndarray) -> bool:
    """Whether any of the points, (n, 2), lies in a box."""
    return bool(np.all((points > box.min) & (points < box.max), axis=1).any())
