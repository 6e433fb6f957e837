"""Figures: lines that differ by more than colour, and every kind of figure drawn."""

from __future__ import annotations

import io

import diffused_redundancy as dr
import matplotlib
import numpy as np
import pytest
from curves import made_curve
from diffused_redundancy.findings.figure_data import Band, Line, Panel, Point, Series, Trade
from diffused_redundancy.report import display, figures

RISING = np.linspace(0.01, 1, 100)[None].repeat(3, 0)
NOT_REACHED = Point(float("nan"))
TRADES = [Trade("a", RISING[0], RISING[0], 1), Trade("b", RISING[0], RISING[0])]
POINTS = [Point(0.5, 0.4, 0.7), Point(0.6), NOT_REACHED]


def panel(**given):
    lines = [Line(name, np.arange(1, 101), RISING) for name in dr.SELECTIONS]
    given = {"title": "t", "full": 1.0, "predicted": RISING[0], "threshold": 0.9, **given}
    return Panel(d=100, curves=lines, **given)


def styles_differ(lines):
    for style in (
        lambda line: line.get_marker(),
        lambda line: line.get_color(),
        lambda line: str(line._unscaled_dash_pattern),
    ):
        assert len({style(line) for line in lines}) == len(lines)


def marked(figure):
    return [one for one in figure.axes[0].get_lines() if one.get_marker() not in ("None", "")]


def test_lines_differ_by_more_than_colour():
    figure = figures.curves_figure([panel()] * 3, "y")
    assert len(marked(figure)) == len(dr.SELECTIONS)
    styles_differ(marked(figure))
    assert len(display.with_palette(display.png(figure))) < 100_000


def test_every_look_differs():
    lines = [Line("random", np.arange(1, 101), RISING, look=i) for i in range(len(figures.LOOKS))]
    styles_differ(marked(figures.curves_figure([Panel("t", 100, lines)], "y")))


@pytest.mark.parametrize("selection", dr.SELECTIONS)
def test_every_selection_has_a_look_and_a_name_of_its_own(selection):
    lines = [Line(name, np.array([1]), np.ones((1, 1))) for name in dr.SELECTIONS]
    mine = Line.of(made_curve([0.5], selection))
    assert [figures.look_of(line) for line in lines].count(figures.look_of(mine)) == 1
    assert [line.label for line in lines].count(mine.label) == 1


def test_a_compact_figure_labels_its_edges_and_keeps_to_limits():
    drawn = figures.curves_figure([panel(limits=(0.2, 0.5))] * 4, "y", compact=True)
    assert [bool(part.get_xlabel()) for part in drawn.axes] == [False, False, True, True]
    assert [bool(part.get_ylabel()) for part in drawn.axes] == [True, False, True, False]
    assert all(part.get_ylim() == (0.2, 0.5) for part in drawn.axes)


def test_y_axes_in_a_row_are_labelled_once():
    names = ["a", "a", "b"]
    drawn = figures.curves_figure([panel(axis=name) for name in names])
    assert [part.get_ylabel() for part in drawn.axes] == ["a", "", "b"]
    four = figures.curves_figure([panel(axis="a")] * 4)
    assert [part.get_ylabel() for part in four.axes] == ["a", "", "a", ""]


def test_directions_are_named_on_the_axis_where_there_are_any():
    neurons = Line("random", np.arange(1, 101), RISING)
    for lines, what in (
        ([neurons], "neurons kept, k (of 100)"),
        (
            [neurons, Line("pca", np.arange(1, 101), RISING)],
            "neurons or directions kept, k (of 100)",
        ),
    ):
        (part,) = figures.curves_figure([Panel("t", 100, lines)], "y").axes
        assert part.get_xlabel() == what


@pytest.mark.parametrize("selection", dr.SELECTIONS)
def test_selections_of_directions_are_known(selection):
    X = np.random.default_rng(0).standard_normal((30, 6))
    s = dr.SufficientStatistics.from_features(X, np.arange(30) % 3, device="cpu")
    made = dr.orderings(selection, s, [1])[0]
    assert dr.SELECTIONS[selection].directions == (made.directions is not None)


def test_four_entries_of_a_legend_keep_their_pairs():
    def columns(count):
        lines = [
            Line("random", np.arange(1, 101), RISING, name=f"l{i}", look=i) for i in range(count)
        ]
        return figures.curves_figure([Panel("t", 100, lines)] * 3, "y").legends[0]._ncols

    assert [columns(count) for count in (3, 4, 5)] == [3, 2, 3]


def test_a_compact_figure_hides_a_y_label_only_where_it_repeats():
    panels = [panel(axis=axis) for axis in ("CKA", "points", "CKA", "CKA")]
    drawn = figures.curves_figure(panels, compact=True)
    assert [part.get_ylabel() for part in drawn.axes] == ["CKA", "points", "CKA", ""]


def test_a_band_is_in_the_legend_if_it_has_a_name():
    line = Line.of(made_curve([[0.5, 0.6], [0.7, 0.8]]), band=("worst to best", 0.6))
    drawn = figures.curves_figure([Panel("t", 2, [line])])
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == [
        "random neurons",
        "worst to best",
    ]
    assert drawn.axes[0].collections[0].get_alpha() == 0.6


def test_numbers_in_matrices_are_black_but_on_the_darkest_cells():
    values = np.array([[10.0, 10.1], [-9.9, -11.0]])
    how = {"rows": 1, "row_labels": ["CKA"], "axes_labels": ("used on", "chosen on")}
    (part,) = figures.matrix_figure([("t", ["a", "b"], values)], -15, 15, decimals=1, **how).axes
    assert [text.get_color() for text in part.texts] == ["black", "white", "black", "white"]
    assert part.get_ylabel() == "CKA\nchosen on"


def test_a_line_is_named_and_looks_as_said():
    line = Line.of(made_curve([0.5, 0.6], sizes=[1, 9], d=9), name="mine", look=3)
    assert line.label == "mine" and line.marked and figures.look_of(line) == figures.LOOKS[3]


def test_axes_are_those_of_the_panel_unless_said():
    said = figures.curves_figure([panel(axis="accuracy", percent=True)])
    assert said.axes[0].get_ylabel() == "accuracy"
    assert said.axes[0].yaxis.get_major_formatter()(0.5) == "50%"
    other = figures.curves_figure([panel(axis="accuracy")], "points")
    assert other.axes[0].get_ylabel() == "points"
    assert figures.curves_figure([Panel("t", 9, [], full=1.0)]).axes[0].get_ylim()[0] == 0


EVERY_FIGURE = [
    (lambda: figures.curves_figure([panel()] * 5), 5),
    (lambda: figures.errors_figure([Band("a", RISING[0], RISING[0] / 9)] * 2, "y", 0.02), 1),
    (lambda: figures.points_figure("abc", [Series("s", range(3), POINTS)] * 2, "y"), 1),
    (
        lambda: figures.groups_figure([("t", [("a", POINTS), ("b", [])])] * 2, "x", reference="a"),
        2,
    ),
    (
        lambda: figures.dumbbell_figure(
            [("t", [("a", POINTS), ("b", [NOT_REACHED] * 3)])] * 3, "xyz", "x", reference=0.0
        ),
        3,
    ),
    (
        lambda: figures.scale_figure(
            [("t", [("a", [Point(0.01), Point(9, 8, 11), Point(0.03), Point(1)])])] * 3,
            [(0.02, "0.9"), (0.9, "0.2"), (1e-4, "1")],
            "lines",
        ),
        3,
    ),
    (
        lambda: figures.series_figure(
            [[("t", [Series("s", [1, 2, 4], POINTS)])] * 3] * 2,
            "x",
            ["y", "z"],
            ticks=[(1, "one")],
            log=True,
            percent=[True],
            references=[0.2],
        ),
        6,
    ),
    (
        lambda: figures.trade_figure([("t", TRADES, RISING[0], RISING[0])] * 3, "x", "y"),
        3,
    ),
    (lambda: figures.matrix_figure([("t", ["a", "b"], np.eye(2))] * 2), 2),
    (
        lambda: figures.matrix_figure(
            [("t", ["a", "b"], np.eye(2))] * 5, rows=2, axes_labels=("x", "y")
        ),
        5,
    ),
    (
        lambda: figures.ranked_figure(
            [("t", Band("a", RISING[0], RISING[0] / 9), RISING[0])] * 2, "x", "y"
        ),
        2,
    ),
]


@pytest.mark.parametrize("figure, plots", EVERY_FIGURE)
def test_every_figure_is_drawn(figure, plots):
    drawn = figure()
    assert len(drawn.axes) == plots
    assert display.png(drawn).startswith(b"\x89PNG")


def test_dumbbells_share_their_axis():
    near, far = [("a", [Point(0.1), Point(0.2)])], [("a", [Point(0.1), Point(0.9)])]
    drawn = figures.dumbbell_figure([("t", near), ("u", far)], "xy", "x")
    assert drawn.axes[0].get_xlim() == drawn.axes[1].get_xlim()
    assert drawn.axes[0].get_xlim()[1] > 0.9


def test_a_dumbbell_joins_the_points_of_a_row():
    drawn = figures.dumbbell_figure([("t", [("a", POINTS[:2]), ("b", POINTS[:2])])], "xy", "x")
    joins = [line for line in drawn.axes[0].get_lines() if line.get_linewidth() == 2.5]
    assert [line.get_xdata().tolist() for line in joins] == [[0.5, 0.6]] * 2
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["x", "y"]


def test_layers_on_one_line_have_the_same_r():
    rows = [("a", [Point(0.01), Point(2), Point(0.02), Point(1)])]
    drawn = figures.scale_figure([("t", rows)], [(0.02, "0.9")], "equal r")
    (line,) = [one for one in drawn.axes[0].get_lines() if one.get_label() == "equal r"]
    assert (line.get_xdata() * line.get_ydata()).tolist() == pytest.approx([0.02, 0.02])


def test_a_panel_may_end_lower():
    assert figures.curves_figure([panel(limits=(0.0, 0.5))]).axes[0].get_ylim()[1] == 0.5


def test_a_band_marks_the_reach_of_the_reference():
    drawn = figures.groups_figure([("t", [("a", POINTS), ("b", POINTS)])], "x", reference="b")
    (band,) = drawn.axes[0].patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.4, 0.7))


def luminance(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("page", ["#ffffff", "#1a1e25"])
@pytest.mark.parametrize("colour", figures.PALETTE)
def test_colours_can_be_seen_on_light_and_dark_pages(colour, page):
    dark, light = sorted([luminance(colour), luminance(page)])
    assert (light + 0.05) / (dark + 0.05) >= 3


def test_plots_of_the_same_quantity_share_their_axis():
    low = Line("random", np.arange(1, 101), 0.3 * RISING)
    panels = [panel(axis="a"), Panel("t", 100, [low], axis="a"), Panel("t", 100, [low], axis="b")]
    first, second, other = [part.get_ylim() for part in figures.curves_figure(panels).axes]
    assert first == second and first[1] > 0.9 > 0.4 > other[1]


def test_equal_distances_are_equal_differences_in_a_row():
    near = [("a", [Point(0.9, 0.89, 0.91)]), ("b", [Point(0.94)])]
    far = [("a", [Point(0.3, 0.2, 0.4)]), ("b", [Point(0.6)])]
    groups = figures.groups_figure([("t", near), ("u", far)], "x")
    series = (
        [Series("s", [1, 2], [Point(0.9), Point(0.94)])],
        [Series("s", [1, 2], [Point(0.3), Point(0.6)])],
    )
    lines = figures.series_figure([[("t", series[0]), ("u", series[1])]], "x", ["y"])
    for ends, low, high in (
        ([part.get_xlim() for part in groups.axes], (0.89, 0.2), (0.94, 0.6)),
        ([part.get_ylim() for part in lines.axes], (0.9, 0.3), (0.94, 0.6)),
    ):
        lengths = [end - start for start, end in ends]
        assert lengths[0] == pytest.approx(lengths[1]) and lengths[1] < 0.5
        assert all(start < one for (start, _), one in zip(ends, low, strict=True))
        assert all(end > one for (_, end), one in zip(ends, high, strict=True))
        assert max(end for _, end in ends) <= 1


def test_counts_of_one_scale_do_not_go_below_zero():
    few, many = (
        [Series("s", [1, 2], [Point(a), Point(b)])] for a, b in ((15.0, 40.0), (50.0, 350.0))
    )
    drawn = figures.series_figure([[("t", few), ("u", many)]], "x", ["y"])
    ends = [part.get_ylim() for part in drawn.axes]
    assert min(low for low, _ in ends) >= 0 and ends[0][1] > 300


def test_ticks_print_what_they_are():
    (part,) = figures.curves_figure([panel(percent=True)]).axes
    printed = part.yaxis.get_major_formatter()
    assert [printed(value) for value in (0.225, 0.2, 0.1 + 0.2, 1, 0.0005)] == [
        "22.5%",
        "20%",
        "30%",
        "100%",
        "0.05%",
    ]


def test_lines_are_thinned_to_what_a_log_axis_shows():
    values = np.random.default_rng(0).uniform(size=(2, 2048))
    line = Line("random", np.arange(1, 2049), values)
    (drawn,) = marked(figures.curves_figure([Panel("t", 2048, [line])]))
    sizes = drawn.get_xdata()
    assert sizes[:50].tolist() == list(range(1, 51)) and sizes[-1] == 2048 and len(sizes) < 350
    assert np.diff(np.log(sizes)).max() < 0.7 and np.diff(np.log(sizes))[60:].max() < 0.031
    np.testing.assert_array_equal(drawn.get_ydata(), values.mean(0)[sizes - 1])


def test_a_front_is_drawn_against_what_remains():
    gain, kept = np.array([0.0, 0.9, 0.99, 1.0]), np.array([0.8, 0.7, 0.5, 0.1])
    drawn = figures.trade_figure([("t", [Trade("a", gain, kept, 1)], gain, kept)], "x", "y")
    for line in drawn.axes[0].get_lines():
        np.testing.assert_allclose(line.get_xdata(), [1, 0.1, 0.01])
        np.testing.assert_allclose(line.get_ydata(), [0.8, 0.7, 0.5])
    assert drawn.axes[0].get_xscale() == "log"


def test_many_groups_lie_so_that_their_labels_have_room():
    names = [f"accuracy, task {i}" for i in range(9)]
    points = [Point(0.1 * i, 0.1 * i - 0.05, 0.1 * i + 0.05) for i in range(9)]
    (part,) = figures.points_figure(names, [Series("s", range(9), points)], "y").axes
    assert [text.get_text() for text in part.get_yticklabels()] == names
    assert part.get_xlabel() == "y"


def test_many_points_of_a_group_are_drawn_without_intervals():
    def bars(count):
        drawn = figures.groups_figure([("t", [("a", [Point(0.5, 0.4, 0.6)] * count)])], "x")
        return len(drawn.axes[0].collections)

    assert bars(5) == 1 and bars(60) == 0


def test_many_panels_stand_in_rows_of_four():
    panels = [(f"task {i}", [("a", POINTS[:2]), ("b", [])]) for i in range(7)]
    drawn = figures.groups_figure(panels, "x", empty="nothing")
    places = [part.get_subplotspec() for part in drawn.axes]
    assert [place.is_first_col() for place in places] == [i % 4 == 0 for i in range(7)]
    assert [bool(part.get_yticklabels()[0].get_text()) for part in drawn.axes] == [
        i % 4 == 0 for i in range(7)
    ]


def test_the_axis_of_sizes_begins_where_the_lines_do():
    late = Line("random", np.arange(10, 101), RISING[:, 9:])
    (part,) = figures.curves_figure([Panel("t", 100, [late])]).axes
    assert 9 < part.get_xlim()[0] < 10


def test_long_titles_and_labels_fold():
    drawn = figures.curves_figure([panel(title="Armenian letters: not comparable", axis="a")] * 3)
    with_label = figures.curves_figure([panel(axis="test accuracy of the logistic probe")])
    assert "\n" in drawn.axes[0].get_title() and "\n" in with_label.axes[0].get_ylabel()


SITE_STYLE = {
    "text.usetex": True,
    "lines.linewidth": 9,
    "axes.grid": False,
    "xtick.labelsize": 30,
    "savefig.dpi": 30,
    "savefig.bbox": "tight",
    "figure.facecolor": "red",
    "svg.hashsalt": None,
}


@pytest.mark.parametrize("figure, plots", EVERY_FIGURE)
def test_a_figure_is_the_same_whatever_matplotlib_is_told_elsewhere(figure, plots):
    def saved():
        drawn = figure()
        vector = io.BytesIO()
        drawn.savefig(vector, format="svg", metadata={"Date": None})
        return vector.getvalue(), display.png(drawn)

    before = dict(matplotlib.rcParams)
    plain = saved()
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context(SITE_STYLE):
        assert saved() == plain


def test_names_of_users_are_no_formulas():
    """Two dollar signs would be one to matplotlib, a first underscore a line without a name."""
    names = ["run_$SLURM_JOB_ID_$SEED", "_$x$", "$\\frac$"]
    series = [Series(name, range(3), POINTS, look=i) for i, name in enumerate(names)]
    title, size = names[0], np.arange(1, 101)
    lines = [Line("random", size, RISING, name=name, look=i) for i, name in enumerate(names)]
    trades = [Trade(name, RISING[0], RISING[0], i) for i, name in enumerate(names)]
    with_legend = [
        figures.curves_figure([Panel(title, 100, lines)], title),
        figures.errors_figure([Band(name, RISING[0], RISING[0]) for name in names], title, 0.1),
        figures.points_figure(names, series, title),
        figures.series_figure([[(title, series)]], title, names, ticks=[(1, title)], log=True),
        figures.trade_figure([(title, trades, RISING[0], RISING[0])], title, title),
    ]
    for drawn in with_legend:
        assert display.png(drawn).startswith(b"\x89PNG")
        shown = [text.get_text().strip() for text in drawn.legends[0].get_texts()]
        assert set(names) <= set(shown)
    for drawn in (
        figures.groups_figure([(title, [(name, POINTS) for name in names])], title),
        figures.matrix_figure([(title, names, np.eye(3))]),
    ):
        assert display.png(drawn).startswith(b"\x89PNG")


@pytest.mark.parametrize("count", [2, 3, 4, 6])
@pytest.mark.parametrize(
    "draw",
    [
        lambda panels: figures.groups_figure(panels, "a label"),
        lambda panels: figures.dumbbell_figure(panels, ["1st", "2nd"], "a label"),
    ],
)
def test_a_row_of_plots_has_one_label_of_the_x_axis_that_nothing_covers(draw, count):
    drawn = draw([(name, [("a", POINTS[:2])]) for name in "uvwxyz"[:count]])
    display.png(drawn)
    named = [part.xaxis.label for part in drawn.axes]
    titles = [legend.get_title() for legend in drawn.legends]
    labels = [one for one in (*named, *titles) if one.get_text()]
    labels += [drawn._supxlabel] if drawn.get_supxlabel() else []
    assert [one.get_text() for one in labels] == ["a label"]
    here = labels[0].get_window_extent()
    entries = [text for legend in drawn.legends for text in legend.get_texts()]
    others = [text for part in drawn.axes for text in part.get_xticklabels()] + entries
    assert not any(here.overlaps(one.get_window_extent()) for one in others if one.get_text())
