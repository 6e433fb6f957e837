"""The worked plan of docs/scale.md is what the simulation says, and the simulation is right where
the answer is known.
"""

from __future__ import annotations

import importlib
import itertools

import pytest
from conftest import ROOT


@pytest.fixture
def plan(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("scale_plan")


@pytest.fixture
def simulation(plan):
    return importlib.import_module("cluster_simulation")


def test_the_page_has_the_tables_of_the_plan(plan):
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    for table in plan.tables():
        assert table in page


def test_shards_hold_the_least_number_of_subtrees(simulation):
    def cover(start, stop, first, last):
        """Going down the tree of all leaves."""
        if last <= start or first >= stop:
            return 0
        if start <= first and last <= stop:
            return 1
        middle = (first + last) // 2
        return cover(start, stop, first, middle) + cover(start, stop, middle, last)

    for start, stop in itertools.combinations(range(33), 2):
        assert simulation._cover(start, stop) == cover(start, stop, 0, 64)
    assert simulation.nodes(64 * simulation.LEAF_ROWS, 1) == 1
    assert simulation.nodes(64 * simulation.LEAF_ROWS, 8) == 8
    assert simulation.nodes(5 * simulation.LEAF_ROWS, 100) == 5


def test_a_scheduler_is_idle_or_the_whole_delay(simulation):
    costs = simulation.Costs
    alone = simulation.makespan(costs(0, 0), workers=1, units=1000, seconds=2)
    assert 1900 < alone < 2100
    assert simulation.makespan(costs(0, 0.5), workers=1, units=1000, seconds=2) == (
        pytest.approx(alone + 500)
    )
    for cost in (costs(1, 0), costs(0, 1)):  # it hands out one a second, whatever workers do
        whole = simulation.makespan(cost, workers=1000, units=1000, seconds=0.001)
        assert whole == pytest.approx(1000, abs=0.01)
    both = simulation.makespan(costs(1, 1), workers=1000, units=1000, seconds=0.001)
    assert both == pytest.approx(1001, abs=0.01)  # side by side
