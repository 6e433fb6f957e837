"""Pareto fronts: against comparing all pairs, and on networks whose order is known."""

from __future__ import annotations

from dataclasses import replace

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.experiment.measurements import Measurements
from diffused_redundancy.findings import grouping, pareto
from diffused_redundancy.findings.pareto import pareto_front
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import D, curve, measurement, net, task

NAN = float("nan")


def plain_front(points: list[tuple[float, float]]) -> list[int]:
    """Positions that no other point beats, the first of equal ones, by rising gain."""

    def beaten(i: int) -> bool:
        x, y = points[i]
        return any(
            (a >= x and b >= y and (a > x or b > y)) or (j < i and (a, b) == (x, y))
            for j, (a, b) in enumerate(points)
        )

    return sorted((i for i in range(len(points)) if not beaten(i)), key=lambda i: points[i][0])


small = st.integers(0, 4).map(float)  # few values: many ties and duplicates


@settings(deadline=None)
@given(st.lists(st.tuples(small, small), min_size=1, max_size=25))
def test_front_is_what_comparing_all_pairs_gives(points):
    assert pareto_front(*zip(*points, strict=True)).tolist() == plain_front(points)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=25))
def test_front_of_any_points(points):
    gains, values = np.array(points).T
    front = pareto_front(gains, values)
    assert front.tolist() == plain_front(points)
    assert (np.diff(gains[front]) > 0).all() and (np.diff(values[front]) < 0).all()


def test_front_of_points_on_a_trade_off_and_of_one_that_beats_all():
    assert pareto_front([0.3, 0.1, 0.2], [0.7, 0.9, 0.8]).tolist() == [1, 2, 0]
    assert pareto_front([0.3, 0.1, 0.5], [0.7, 0.9, 0.9]).tolist() == [2]
    assert pareto_front([1, 1, 1], [2, 2, 2]).tolist() == [0]


@pytest.mark.parametrize(
    "gains, values",
    [([], []), ([1, 2], [1]), ([1, NAN], [1, 2]), ([1, 2], [NAN, 2]), ([[1, 2]], [[1, 2]])],
)
def test_what_has_no_front(gains, values):
    with pytest.raises(dr.InputError, match="give two arrays of equal length, without NaN"):
        pareto_front(gains, values)


@pytest.fixture
def losses() -> Measurements:
    """Two standard networks (k* of 40 and 44), two adversarial ones (20, 24), one with dropout."""
    nets = [
        net("a1"),
        net("a2", seed=2),
        net("b1", loss="adversarial L2 0.5"),
        net("b2", loss="adversarial L2 0.5", seed=2),
        net("c1", loss="dropout 0.5"),
    ]
    where = task("one")
    return Measurements(
        [measurement(n, where, k) for n, k in zip(nets, (40, 44, 20, 24, 42), strict=True)]
    )


def test_the_front_is_what_no_net_gets_past(losses):
    (front,) = pareto.all_fronts(losses)
    assert front.accuracy[0] == pytest.approx(0.8)
    assert (np.diff(front.dropped) > 0).all() and (np.diff(front.accuracy) < 0).all()
    for one in losses.all:
        curve = one.accuracy["random"]
        for share, value in zip(1 - curve.sizes / D, curve.mean, strict=True):
            assert value <= front.accuracy[front.dropped >= share - 1e-12].max() + 1e-12
    assert set(front.nets) == {"b1"}  # the quickest; flat stretches are beaten by dropping more
    assert "80.0% with any number of neurons" in pareto.describe_fronts([front])
    table = pareto.fronts_table([front])
    assert list(table.columns) == ["task", "share_dropped", "accuracy", "net"]
    assert len(table) == len(front.nets)


def test_the_front_of_one_width_and_who_leads_it(losses):
    wide = measurement(net("w.wide", d=200), losses.tasks[0], 10)
    measurements = Measurements([*losses.all, wide])
    fronts = pareto.all_fronts(measurements)
    narrow = pareto.all_fronts(measurements, width=D)
    assert set(fronts[0].nets) == {"w.wide"} and set(narrow[0].nets) == {"b1"}
    assert pareto.describe_leaders(measurements, fronts, narrow, D) == (
        "The network with most points on a front; as shares favour wide layers, also among the "
        "layers of 100 neurons alone:\n\n- ONE: w (100% of the points); b1 (100% of the points)."
    )


def test_the_reference_adversarial_networks_and_leaders_are_drawn_in_colour(losses):
    wide = measurement(net("w.wide", d=200), losses.tasks[0], 10)
    measurements = Measurements([*losses.all, wide])
    fronts = pareto.all_fronts(measurements)
    by_loss = grouping.grouped(measurements.nets, "loss")
    coloured = pareto.highlighted(measurements, fronts, by_loss)
    assert coloured == {
        "a1": "standard",
        "a2": "standard",
        "b1": "adversarial L2 0.5",
        "b2": "adversarial L2 0.5",
        "w.wide": "w",
    }
    ((title, trades, gain, kept),) = pareto.trade_panels(measurements, fronts, coloured)
    assert title == "ONE" and [trade.look for trade in trades] == [0, 0, 1, 1, None, 2]
    assert np.array_equal(gain, fronts[0].dropped) and np.array_equal(kept, fronts[0].accuracy)
    assert trades[0].gain[0] == 0.99 and len(trades[-1].kept) == 200


def noisy(rng, nets: int, seeds: int, noise: float) -> Measurements:
    """Networks that are all alike, measured with noise of each selection."""
    level = 0.8 * np.minimum(1, np.arange(1, D + 1) / 40)
    made = []
    for i in range(nets):
        one = measurement(net(f"n{i}"), task(), 40, seeds=seeds)
        values = level + rng.normal(0, noise, (seeds, D))
        accuracy = {"random": curve(values, full=0.8)}
        made.append(replace(one, accuracy=accuracy))
    return Measurements(made)


def test_the_best_of_many_noisy_networks_is_too_good():
    rng = np.random.default_rng(0)
    still, restless = (noisy(rng, 20, 2, noise) for noise in (0.0, 0.02))
    assert pareto.excess(still, still.tasks[0]) == 0
    one = pareto.excess(restless, restless.tasks[0])
    largest = rng.normal(0, 0.02, (1000, 20)).max(1).mean()
    assert one == pytest.approx(largest, rel=0.3)
    text = pareto.describe_excess(restless)
    assert f"by {100 * one:+.2f} points on T, on average" in text
    assert "by +0.00 points on T" in pareto.describe_excess(still)
    alone = noisy(rng, 2, 1, 0.02)
    assert np.isnan(pareto.excess(alone, alone.tasks[0]))
    assert "takes two seeds of the selection" in pareto.describe_excess(alone)


def test_the_front_is_that_of_these_networks(losses):
    assert "best of these networks and sizes" in pareto.describe_fronts(pareto.all_fronts(losses))
