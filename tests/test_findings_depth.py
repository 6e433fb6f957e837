"""What is said of the stages of networks, on curves whose answer is known."""

from __future__ import annotations

import pytest
from diffused_redundancy.experiment.stages import Stage
from diffused_redundancy.findings import depth
from diffused_redundancy.findings.figure_data import Point
from made_up import measurement, net, task
from scipy import stats


@pytest.fixture
def stages() -> list[Stage]:
    where, one = task(), net("a")
    return [
        Stage(
            f"layer{i}",
            i,
            measurement(one, where, k),
            [measurement(one, where, 50 + draw) for draw in (-4, 0, 4)],
        )
        for i, k in enumerate((60, 50, 20))
    ]


def test_depth_says_what_changes(stages):
    text = depth.describe_similarity([stages, stages[::-1]], 0.9)
    assert "in 2 cases (each a network on a task" in text
    assert "- as the layers are, it grows in 1 and falls in 1." in text
    assert "- at equal width (100 neurons of each), it grows in 0 and falls in 0." in text
    row = depth.changes_table([stages], 0.9).iloc[0].to_dict()
    assert row == {
        "task": "T",
        "net": "a",
        "equal width": 100,
        "as the layers are": "grows: 0.40 to 0.80",
        "at equal width": "not clear: 0.50 to 0.50",
        "at equal width, standardized": "not clear: 0.50 to 0.50",
    }
    used = depth.describe_use([stages], 0.9)
    assert "- T: the whole" in used and "from 60 of 100 (59 to 62) to 20 of 100 (19 to 22)." in used
    assert "only one layer" in depth.describe_similarity([stages[:1]], 0.9)


def test_networks_may_have_different_equal_widths(stages):
    narrow = net("b", d=50)
    same = measurement(narrow, task(), 30)
    others = [Stage(f"layer{i}", i, same, [same]) for i in (0, 1)]
    depths = [stages, others]
    assert "at equal width (50 or 100 neurons of each), it" in depth.describe_similarity(
        depths, 0.9
    )
    table = depth.changes_table(depths, 0.9)
    assert list(table["equal width"]) == [100, 50]
    assert table.notna().all(axis=None)  # every width in one column


def test_changes_are_counted(stages):
    assert depth.counted([stages], 0.9, "own") == (1, 0, 1)
    assert depth.counted([stages, stages[:2]], 0.9, "own") == (2, 0, 2)
    assert depth.counted([stages[::-1]], 0.9, "own") == (0, 1, 1)
    assert depth.counted([stages], 0.9, "equal") == (0, 0, 1)
    assert depth.counted([stages[:1]], 0.9, "own") == (0, 0, 0)


def test_equal_width_is_averaged_over_draws(stages):
    point = depth.equal_redundancy(stages[0], "cka", 0.9)
    values = [draw.redundancy("cka", 0.9).value for draw in stages[0].equal]
    ends = stats.t.interval(0.95, len(values) - 1, 0.5, stats.sem(values))
    assert (point.value, point.low, point.high) == pytest.approx((0.5, *ends))
    single = Stage("x", 0, stages[0].whole, [stages[0].whole])
    own = stages[0].whole.redundancy("cka", 0.9)
    assert depth.equal_redundancy(single, "cka", 0.9) == Point(own.value, own.low, own.high)


def test_directions_follow_from_intervals():
    half, fifth = Point(0.5, 0.4, 0.6), Point(0.2, 0.1, 0.3)
    assert depth.direction(half, fifth) == depth.FALLS
    assert depth.direction(fifth, half) == depth.GROWS
    assert depth.direction(half, Point(0.3, 0.1, 0.5)) == depth.OPEN
    assert depth.direction(Point(0.5), Point(0.2)) == depth.OPEN
    assert depth.direction(Point(0.5), Point(float("nan"))) == depth.UNKNOWN


def test_tables_and_rows_hold_every_layer(stages):
    table = depth.redundancy_table([stages], [0.9])
    assert " ".join(table.columns) == (
        "net task layer place width d selection measure delta DR low high k full_accuracy r"
    )
    assert len(table) == 3 * (1 + 3) * 3 and len(depth.shown_layers([stages], 0.9)) == 3
    assert set(depth.shown_layers([stages], 0.9)["net"]) == {
        depth.changes_table([stages], 0.9)["net"].item()
    }
    assert set(table["width"]) == {"own", "equal, draw 1", "equal, draw 2", "equal, draw 3"}

    def values(row):
        ((title, (series,)),) = row
        assert title == "T" and series.x == [0.0, 1.0, 2.0]
        return [round(point.value, 2) for point in series.points]

    own, equal, standardized = depth.similarity_rows([stages], 0.9)
    assert values(own) == [0.4, 0.5, 0.8]
    assert values(equal) == values(standardized) == [0.5] * 3
    full, accuracy, needed = depth.use_rows([stages], 0.9)
    assert values(full) == [0.8] * 3 and values(accuracy) == [0.4, 0.5, 0.8]
    assert values(needed) == [60, 50, 20]


def test_ticks_are_places_where_layers_have_other_names(stages):
    names = [(0.0, "layer0"), (1.0, "layer1"), (2.0, "layer2")]
    assert depth.ticks([stages]) == depth.ticks([stages, stages]) == names
    other = [Stage("block", 0, stages[0].whole, stages[0].equal)]
    assert depth.ticks([stages, other]) == [(0.0, "1"), (1.0, "2"), (2.0, "3")]
