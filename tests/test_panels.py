"""Views of figures for narrow screens: whole panels with the labels that their neighbours hold."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from diffused_redundancy.findings.figure_data import Line, Panel, Point, Series
from diffused_redundancy.report import figures
from diffused_redundancy.report.display import png
from diffused_redundancy.report.panels import save_svg, views_in, views_of
from diffused_redundancy.report.vector import vector

PHONE = 383
"""Pixels that a figure has on a phone 390 pixels wide: it reaches the edges."""


def grid(count, names=("random", "pca", "random_projection"), compact=False):
    rising = np.linspace(0.1, 1, 512)[None] * np.array([[0.9], [1.0]])
    lines = [Line(name, np.arange(1, 513), rising) for name in names]
    panels = [Panel(f"task {i}", 512, lines, full=1.0) for i in range(count)]
    return figures.curves_figure(panels, "accuracy", compact=compact)


def drawn(figure):
    png(figure)
    figure.set_layout_engine("none")
    return figure


def points(bbox, figure):
    """Edges of a box of pixels, in points from the top left corner: left, top, right, bottom."""
    x0, y0, x1, y1 = bbox.extents * 72 / figure.dpi
    top = 72 * figure.get_figheight()
    return np.array([x0, top - y1, x1, top - y0])


@pytest.mark.parametrize("compact", [False, True])
def test_a_view_shows_its_panel_and_labels_of_both_axes(compact):
    figure = drawn(grid(4, compact=compact))
    panels = [view for view in views_of(figure) if view.kind == "panel"]
    assert len(panels) == 4
    for view, axes in zip(panels, figure.axes, strict=True):
        boxes = np.array([strip.box for strip in view.strips])
        boxes[:, 2:] += boxes[:, :2]

        def seen(bbox, boxes=boxes):
            inner = points(bbox, figure)
            return any(
                (box[:2] <= inner[:2] + 0.5).all() and (inner[2:] <= box[2:] + 0.5).all()
                for box in boxes
            )

        assert seen(axes.get_window_extent()) and seen(axes.title.get_window_extent())
        row = [part for part in figure.axes if part.get_ylabel() and same(part, axes, "y")]
        assert any(seen(part.yaxis.label.get_window_extent()) for part in row)
        column = [part for part in figure.axes if part.get_xlabel() and same(part, axes, "x")]
        assert any(seen(part.xaxis.label.get_window_extent()) for part in column)
        assert max(strip.x + strip.box[2] for strip in view.strips) <= view.width + 0.02
        assert max(strip.y + strip.box[3] for strip in view.strips) <= view.height + 0.02


def test_a_title_over_a_column_stands_above_each_of_its_panels():
    series = Series("random", [1, 2, 3], [Point(0.5, 0.4, 0.6)] * 3)
    rows = [[(f"task {j}", [series]) for j in range(2)]] * 2
    figure = drawn(figures.series_figure(rows, "k", ["accuracy", "CKA"]))
    assert [axes.get_title() for axes in figure.axes] == ["task 0", "task 1", "", ""]
    for i, view in enumerate(views_of(figure)[:4]):
        title = points(figure.axes[i % 2].title.get_window_extent(), figure)
        plot = points(figure.axes[i].get_window_extent(), figure)
        (above, at), (below, there) = (
            next(
                (strip, strip.y + edges[1] - strip.box[1])
                for strip in view.strips
                if (np.array(strip.box[:2]) <= edges[:2] + 0.5).all()
                and (np.add(strip.box[:2], strip.box[2:]) >= edges[2:] - 0.5).all()
            )
            for edges in (title, plot)
        )
        assert at + title[3] - title[1] <= there + 0.5 and (i < 2) == (above == below)


def same(one, other, axis):
    ends = [getattr(part.get_window_extent(), f"interval{axis}") for part in (one, other)]
    return np.abs(ends[0] - ends[1]).max() < 1


def test_names_of_rows_stand_beside_every_panel():
    points_of = [Point(value) for value in (0.5, 0.6)]
    groups = [("a long name of a network", points_of), ("another", points_of)]
    figure = drawn(figures.groups_figure([(f"t{i}", groups) for i in range(3)], "DR(0.9)"))
    first, *others = [view for view in views_of(figure) if view.kind == "panel"]
    names = points(figure.axes[0].get_tightbbox(), figure)[0]
    for view in others:
        assert view.strips[0].box[0] == pytest.approx(names, abs=0.01)  # its left edge
        assert view.width == pytest.approx(first.width, rel=0.1)


def test_a_label_in_the_legend_stands_below_every_panel():
    rows = [("a network", [Point(0.5), Point(0.6)])]
    figure = drawn(figures.dumbbell_figure([("t", rows), ("u", rows)], "xy", "a label"))
    label = points(figure.legends[0].get_title().get_window_extent(), figure)
    for view in [view for view in views_of(figure) if view.kind == "panel"]:
        left, top, width, height = view.strips[-1].box
        assert left <= label[0] + 0.1 and top <= label[1]
        assert label[2] <= left + width + 0.1 and label[3] <= top + height + 0.1


def test_text_on_a_phone_is_at_least_eleven_pixels():
    for view in views_of(drawn(grid(4))):
        size = 10.56  # points, the smallest of the house's style
        grown = min(PHONE / view.width, 1.45 if view.kind == "panel" else 1.15)
        assert round(grown * size) >= 11


def test_an_entry_of_the_legend_each():
    figure = drawn(grid(2, ("random", "pca", "pca_least", "random_projection")))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    entries = [view for view in views_of(figure) if view.kind == "entry"]
    assert len(entries) == len(labels) >= 4
    for view, text in zip(entries, figure.legends[0].get_texts(), strict=True):
        left, top, right, bottom = points(text.get_window_extent(), figure)
        x, y, width, height = view.strips[0].box
        assert x < left - 15 and y <= top and right <= x + width and bottom <= y + height


def test_narrow_figures_and_single_panels_have_none():
    assert views_of(drawn(grid(1))) == []
    narrow = figures.StyledFigure(figsize=(4, 3))
    narrow.subplots(1, 2)
    assert views_of(drawn(narrow)) == []


def test_views_travel_in_the_svg_and_refer_to_its_drawing(tmp_path):
    figure = drawn(grid(2))
    views = views_of(figure)  # before it is drawn again, in other dots
    save_svg(figure, tmp_path / "one.svg")
    text = (tmp_path / "one.svg").read_text(encoding="utf-8")
    told = ET.fromstring(text).iter("{http://purl.org/dc/elements/1.1/}description")
    assert views_in("".join(part.text for part in told)) == views
    page = ET.fromstring(f"<figure>{vector(text, 'a/b', 'alt')}</figure>")
    ids = [part.attrib["id"] for part in page.iter() if "id" in part.attrib]
    used = {part.attrib["href"] for part in page.iter("use")}
    assert "#a-b-whole" in used and used <= {f"#{one}" for one in ids}
    assert len(ids) == len(set(ids))
    shown = page.find("div")
    assert shown.attrib == {"class": "views", "aria-hidden": "true"}
    assert len(shown) == len(views)


def test_other_descriptions_are_no_views(tmp_path):
    assert views_in("") == views_in("a figure") == []
    figure = drawn(grid(1))
    save_svg(figure, tmp_path / "one.svg")
    assert not re.search("views", vector((tmp_path / "one.svg").read_text("utf-8"), "one", "alt"))
