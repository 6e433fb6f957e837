"""Where the panels of a figure lie, so that a narrow screen shows them one below the other.

A panel of a grid may lack what its neighbours say for it: labels of ticks on the left or below, and
names of axes. Its *view* is put together from strips of the same drawing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

WIDE = 400.0
"""Points; figures that are wider than this and have several panels get views."""

MOST = 16
"""Panels; a figure of more is a sheet of pictures, which nobody reads one by one."""

WIDER = 0.1
"""What a browser's text may be wider than matplotlib's, as a share of it."""

PAD = 2.0
"""Points around a legend's entry, and around labels that stand away from their panel."""


@dataclass(frozen=True)
class Strip:
    """A part of a drawing, and where it goes in a view; in points, from the top left corner.

    Attributes
    ----------
    x, y : float
        In the view.
    box : (float, float, float, float)
        Left, top, width and height in the drawing.
    """

    x: float
    y: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class View:
    """What a narrow screen shows of a figure at once: a panel with its labels, or an entry of the
    legend.

    Attributes
    ----------
    kind : str
        ``panel`` or ``entry``.
    width, height : float
    strips : sequence of Strip
    """

    kind: str
    width: float
    height: float
    strips: Sequence[Strip]


def save_svg(figure: Figure, path: Path) -> None:
    """Write a figure that has been drawn as an SVG, whose description holds its views."""
    views = [
        {**asdict(view), "strips": [astuple(strip) for strip in view.strips]}
        for view in views_of(figure)
    ]
    told = {"Date": None} | ({"Description": json.dumps({"views": views})} if views else {})
    figure.savefig(path, format="svg", metadata=told)


def views_in(description: str) -> list[View]:
    """The views that :func:`save_svg` kept; none of another description."""
    if not description.startswith('{"views": '):
        return []
    return [
        _view(view["kind"], view["width"], view["height"], [tuple(one) for one in view["strips"]])
        for view in json.loads(description)["views"]
    ]


def _view(kind: str, width: float, height: float, strips: Sequence[tuple[Any, ...]]) -> View:
    """A view of strips (x, y, box), in hundredths of points."""

    def rounded(number: float) -> float:
        return round(float(number), 2)

    made = []
    for x, y, (left, top, across, down) in strips:
        box = rounded(left), rounded(top), rounded(across), rounded(down)
        made.append(Strip(rounded(x), rounded(y), box))
    return View(kind, rounded(width), rounded(height), made)


def views_of(figure: Figure) -> list[View]:
    """The views of a figure that has been drawn; none where it is narrow, or has one panel.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> figure = Figure(figsize=(10, 3))
    >>> _ = figure.subplots(1, 2, sharey=True)
    >>> figure.draw_without_rendering()
    >>> [view.kind for view in views_of(figure)]
    ['panel', 'panel']
    """
    panels = [part for part in figure.axes if part.axison]
    wide = 72 * figure.get_figwidth() > WIDE
    if not wide or not 2 <= len(panels) <= MOST or len(panels) < len(figure.axes):
        return []
    scale, top = 72 / figure.dpi, 72 * figure.get_figheight()

    def box(pixels: Bbox) -> Bbox:
        """In points, from the top left corner."""
        x0, y0, x1, y1 = (scale * edge for edge in pixels.extents)
        return Bbox.from_extents(x0, top - y1, x1, top - y0)

    own = getattr(figure, "_supxlabel", None)
    shared = [own] if own is not None else [legend.get_title() for legend in figure.legends]
    shared_label = next((text for text in shared if text.get_text()), None)
    views = [_panel(part, panels, shared_label, box) for part in panels]
    for legend in figure.legends:
        before = legend.handlelength + legend.handletextpad  # in sizes of the font
        for text in legend.get_texts():
            name = box(text.get_window_extent())
            height = name.height + 2 * PAD
            start = name.x0 - before * float(text.get_fontsize()) - PAD
            end = name.x1 + PAD + WIDER * name.width
            views.append(
                _view(
                    "entry",
                    end - start,
                    height,
                    [(0, 0, (start, name.y0 - PAD, end - start, height))],
                )
            )
    return views


def _panel(part: Axes, panels: Sequence[Axes], shared_label: Text | None, box: Any) -> View:
    """The view of one panel."""
    whole, inner = box(part.get_tightbbox()), box(part.get_window_extent())
    left, below = [], []
    row = [other for other in panels if _same(other, part, 1)]
    column = [other for other in panels if _same(other, part, 0)]
    if not _said(part.get_yticklabels()):
        # the neighbour's strip ends where its plot begins, and so does this panel
        known = next((other for other in row if _said(other.get_yticklabels())), None)
        if known is not None:
            strip = box(known.get_tightbbox())
            left.append((strip.x0, box(known.get_window_extent()).x0))
            whole = Bbox.from_extents(inner.x0, whole.y0, whole.x1, whole.y1)
    elif not part.get_ylabel():
        known = next((other for other in row if other.get_ylabel()), None)
        if known is not None:
            strip = box(known.yaxis.label.get_window_extent())
            left.append((strip.x0, strip.x1 + PAD))
    if not _said(part.get_xticklabels()):
        known = next((other for other in column if _said(other.get_xticklabels())), None)
        if known is not None:
            strip = box(known.get_tightbbox())
            below.append((whole.x0, box(known.get_window_extent()).y1, whole.width, strip.y1))
            whole = Bbox.from_extents(whole.x0, whole.y0, whole.x1, inner.y1)
    elif not part.get_xlabel():
        labels = [other.xaxis.label for other in (*row, *column) if other.get_xlabel()]
        labels += [shared_label] if shared_label is not None else []
        if labels:
            strip = box(labels[0].get_window_extent())
            below.append((strip.x0, strip.y0 - PAD, strip.width, strip.y1))
    strips: list[Any] = []
    x = y = 0.0
    title = part.title if part.get_title() else _title_of(column)
    if title is not None and title is not part.title:
        above = box(title.get_window_extent())
        at = max(0.0, sum(end - start for start, end in left) + (whole.width - above.width) / 2)
        strips.append((at, 0, (above.x0, above.y0, above.width, above.height + PAD)))
        y = above.height + PAD
    for start, end in left:
        strips.append((x, y, (start, whole.y0, end - start, whole.height)))
        x += end - start
    strips.append((x, y, whole.bounds))
    width, height = x + whole.width, y + whole.height
    for start, first, across, last in below:
        at = x + max(0.0, (whole.width - across) / 2)
        strips.append((at, height, (start, first, across, last - first)))
        width, height = max(width, at + across), height + last - first
    return _view("panel", width, height, strips)


def _same(one: Axes, other: Axes, axis: int) -> bool:
    """Whether two panels lie in one row (``axis`` 1), or in one column (0)."""
    ours, theirs = (part.get_window_extent().get_points()[:, axis] for part in (one, other))
    return bool(abs(ours - theirs).max() < 1)


def _title_of(column: Sequence[Axes]) -> Text | None:
    """The title that stands for a whole column of panels: that of its first."""
    return next((other.title for other in column if other.get_title()), None)


def _said(labels: Sequence[Text]) -> bool:
    return any(label.get_visible() and label.get_text() for label in labels)
