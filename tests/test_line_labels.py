"""Names of lines beside the lines: they hide nothing; a legend stands where there is no room."""

from __future__ import annotations

import io

import numpy as np
import pytest
from diffused_redundancy.findings.figure_data import Line, Panel
from diffused_redundancy.report import figures
from PIL import Image

K = np.arange(1, 513)


def rising(scale, name, look):
    mean = 1 - np.exp(-K / scale)
    return Line("random", K, np.stack([0.95 * mean, mean]), name=name, look=look)


def figure_of(scales, panels=2, **how):
    lines = [rising(scale, f"line of {scale}", i) for i, scale in enumerate(scales)]
    return figures.curves_figure([Panel(f"{i}", 512, lines, **how) for i in range(panels)], "CKA")


def pixels(figure):
    """The figure as (height, width, 3)."""
    saved = io.BytesIO()
    figure.savefig(saved, format="png", dpi=100)
    return np.asarray(Image.open(saved).convert("RGB")).astype(int)


def names(axes):
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("panels", [1, 2, 4])
def test_few_lines_are_named_where_they_are_and_nothing_is_hidden(panels):
    figure = figure_of([8, 60], panels, threshold=0.9, threshold_label="90%")
    assert not figure.legends
    for axes in figure.axes:
        assert sorted(names(axes)) == ["90%", "line of 60", "line of 8"]
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for axes in figure.axes for text in axes.texts]
    for axes in figure.axes:
        for text in axes.texts:
            text.set_visible(False)
    bare = pixels(figure)
    for box in boxes:
        x0, y0, x1, y1 = np.round(box.extents).astype(int)
        under = bare[bare.shape[0] - y1 : bare.shape[0] - y0, x0:x1]
        assert under.size and (np.ptp(under, axis=2) < 12).all()  # the grid is grey, lines are not
        assert under.min() > 150  # nor is the dark line of a share


def test_names_have_the_colours_of_their_lines():
    figure = figure_of([8, 60])
    (axes, _) = figure.axes
    lines = {line.get_label(): line.get_color() for line in axes.get_lines()}
    for text in axes.texts:
        assert text.get_color() == lines[text.get_text()]


def test_many_lines_and_lines_without_room_have_a_legend():
    for scales in ([8, 20, 60, 150, 400], [8, 8.5, 9]):
        figure = figure_of(scales)
        assert len(figure.legends[0].get_texts()) == len(scales)
        assert not any(names(axes) for axes in figure.axes)


def test_plots_of_different_lines_have_a_legend():
    panels = [Panel(f"{i}", 512, [rising(9, f"line {i}", i)]) for i in range(2)]
    figure = figures.curves_figure(panels, "CKA")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["line 0", "line 1"]


@pytest.mark.parametrize("sizes", [[1], [1, 4, 9], K])
def test_lines_at_one_height_and_of_one_point_are_drawn(sizes):
    sizes = np.array(sizes)
    flat = Line("random", sizes, np.full((1, len(sizes)), 0.5), name="flat")
    figure = figures.curves_figure([Panel("a", 512, [flat], full=0.9)], "accuracy")
    assert pixels(figure).size
    known = [text.get_text() for part in (*figure.legends, *figure.axes) for text in part.texts]
    assert {"flat", "full layer"} <= set(known)
