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
    text = depth.describe_similarity([stages], 0.9)
    assert (
        "on T it grows, from 0.40 to 0.80 as the layers are, goes from 0.50 to 0.50 (intervals "
        "overlap) at 100 neurons each, and goes from 0.50 to 0.50 (intervals overlap) if these are "
        "standardized" in text
    )
    assert "from 60 [59 to 62] of 100 to 20 [19 to 22] of 100" in depth.describe_use([stages], 0.9)
    assert "only one layer" in depth.describe_similarity([stages[:1]], 0.9)


def test_equal_width_is_averaged_over_draws(stages):
    point = depth.equal_redundancy(stages[0], "cka", 0.9)
    values = [draw.redundancy("cka", 0.9).value for draw in stages[0].equal]
    ends = stats.t.interval(0.95, len(values) - 1, 0.5, stats.sem(values))
    assert (point.value, point.low, point.high) == pytest.approx((0.5, *ends))
    single = Stage("x", 0, stages[0].whole, [stages[0].whole])
    own = stages[0].whole.redundancy("cka", 0.9)
    assert depth.equal_redundancy(single, "cka", 0.9) == Point(own.value, own.low, own.high)


def test_trends_follow_from_intervals():
    assert depth.trend([Point(0.5, 0.4, 0.6), Point(0.2, 0.1, 0.3)]) == "falls, from 0.50 to 0.20"
    assert depth.trend([Point(0.2, 0.1, 0.3), Point(0.5, 0.4, 0.6)]) == "grows, from 0.20 to 0.50"
    assert depth.trend([Point(0.5), Point(0.2)]) == "goes from 0.50 to 0.20"
    assert depth.trend([Point(0.5), Point(float("nan"))]) == "is not reached everywhere"


def test_tables_and_rows_hold_every_layer(stages):
    table = depth.redundancy_table([stages], [0.9])
    assert " ".join(table.columns) == (
        "net task layer place width d selection measure delta DR low high k full_accuracy r"
    )
    assert len(table) == 3 * (1 + 3) * 3 and len(depth.shown_layers([stages], 0.9)) == 3
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
