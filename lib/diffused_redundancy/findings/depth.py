"""Where in depth redundancy grows: what is said of the stages of networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from ..experiment.measurements import COMPARED
from ..experiment.stages import Stage
from ..measures.redundancy import Redundancy
from ..nets.names import labels
from ..uncertainty.bootstrap import interval_of_mean
from .figure_data import Point, Series, point
from .phrases import listed
from .pretraining import Row, neurons_needed
from .tables import redundancy_columns

Depths = Sequence[Sequence[Stage]]
"""The stages of every network on every task."""


def equal_redundancy(stage: Stage, measure: str, delta: float) -> Point:
    """DR at equal width, averaged over the draws, with the interval of that mean over draws: which
    neurons were drawn matters most.
    """
    if len(stage.equal) == 1:
        return point(stage.equal[0].redundancy(measure, delta))
    values = np.array([draw.redundancy(measure, delta).value for draw in stage.equal])
    return Point(float(values.mean()), *interval_of_mean(values))


def _of_first_net(depths: Depths) -> list[Sequence[Stage]]:
    """The stages of the first network, by task."""
    first = depths[0][0].whole.net.name
    return [stages for stages in depths if stages[0].whole.net.name == first]


def redundancy_table(depths: Depths, deltas: Sequence[float]) -> pd.DataFrame:
    """One row per layer, selection, measure and delta, as it is and at equal width."""
    rows = []
    for stage in (stage for stages in depths for stage in stages):
        draws = {f"equal, draw {i}": draw for i, draw in enumerate(stage.equal, 1)}
        for width, measurement in {"own": stage.whole, **draws}.items():
            for selection in measurement.accuracy:
                for measure in COMPARED:
                    for delta in deltas:
                        redundancy = measurement.curve(measure, selection).redundancy(delta)
                        rows.append(
                            {
                                "net": measurement.net.name,
                                "task": measurement.task.title,
                                "layer": stage.name,
                                "place": stage.place,
                                "width": width,
                                "d": measurement.d,
                                "selection": selection,
                                "measure": measure,
                                "delta": delta,
                                **redundancy_columns(redundancy),
                                "full_accuracy": measurement.full,
                                "r": measurement.about["diagonal_share"],
                            }
                        )
    return pd.DataFrame(rows)


def shown_layers(depths: Depths, delta: float) -> pd.DataFrame:
    """For reading: accuracy, DR and neurons needed by layer, of the first network."""
    rows = []
    for stage in (stage for stages in _of_first_net(depths) for stage in stages):
        whole = stage.whole
        accuracy, cka, standardized = (whole.redundancy(one, delta) for one in COMPARED)
        rows.append(
            {
                "task": whole.task.title,
                "layer": stage.name,
                "d": whole.d,
                "full layer": whole.full,
                f"DR({delta:g}), accuracy": accuracy.value,
                "k*": "–" if accuracy.k is None else str(accuracy.k),
                f"DR({delta:g}), CKA": cka.value,
                f"the same, {stage.equal[0].d} neurons": equal_redundancy(
                    stage, "cka", delta
                ).value,
                "standardized": standardized.value,
                f"the same, {stage.equal[0].d} neurons, standardized": equal_redundancy(
                    stage, "standardized_cka", delta
                ).value,
            }
        )
    return pd.DataFrame(rows)


def series(depths: Depths, value: Callable[[Stage], Point]) -> Row:
    """A value against depth, one plot a task, one line a network."""
    titles = list(dict.fromkeys(stages[0].whole.task.title for stages in depths))
    nets = list(dict.fromkeys(stages[0].whole.net.name for stages in depths))
    names = labels(nets)

    def line(stages: Sequence[Stage]) -> Series:
        look = nets.index(stages[0].whole.net.name)
        places = [float(stage.place) for stage in stages]
        return Series(names[look], places, [value(stage) for stage in stages], look=look)

    return [
        (title, [line(stages) for stages in depths if stages[0].whole.task.title == title])
        for title in titles
    ]


def similarity_rows(depths: Depths, delta: float) -> list[Row]:
    """Against depth: DR of CKA of the stages as they are, at equal width, and at equal width with
    standardized neurons.
    """
    return [
        series(depths, lambda stage: point(stage.whole.redundancy("cka", delta))),
        series(depths, lambda stage: equal_redundancy(stage, "cka", delta)),
        series(depths, lambda stage: equal_redundancy(stage, "standardized_cka", delta)),
    ]


def use_rows(depths: Depths, delta: float) -> list[Row]:
    """Against depth: accuracy of the whole layer, its DR, and the neurons needed."""
    return [
        series(depths, lambda stage: Point(stage.whole.full)),
        series(depths, lambda stage: point(stage.whole.redundancy("accuracy", delta))),
        series(depths, lambda stage: neurons_needed(stage.whole.redundancy("accuracy", delta))),
    ]


def _needed(redundancy: Redundancy) -> str:
    """k*, with its interval."""
    if redundancy.k is None:
        return "an unknown number"
    ends = neurons_needed(redundancy)
    interval = f" [{ends.low:.0f} to {ends.high:.0f}]" if redundancy.has_interval else ""
    return f"{redundancy.k}{interval}"


def ticks(depths: Depths) -> list[tuple[float, str]]:
    """The names of layers, if all networks have the same, else their places."""
    names = {tuple(stage.name for stage in stages) for stages in depths}
    longest = max(depths, key=len)
    return [
        (float(stage.place), stage.name if len(names) == 1 else str(stage.place + 1))
        for stage in longest
    ]


def trend(points: Sequence[Point]) -> str:
    """In words, how DR at the last layer differs from that at the first: by intervals, where there
    are any.
    """
    first, last = points[0], points[-1]
    if np.isnan([first.value, last.value]).any():
        return "is not reached everywhere"
    ends = f"from {first.value:.2f} to {last.value:.2f}"
    if np.isnan([first.low, last.low]).any():
        return f"goes {ends}"
    if last.low > first.high:
        return f"grows, {ends}"
    if last.high < first.low:
        return f"falls, {ends}"
    return f"goes {ends} (intervals overlap)"


def trends_of_first_net(depths: Depths, delta: float) -> list[dict[str, str]]:
    """How DR of CKA differs from the first layer to the last of the first network, by task: of the
    layers as they are (``own``), at ``equal`` width, and ``standardized`` at equal width.
    """
    found = []
    for stages in _of_first_net(depths):
        if len(stages) < 2:
            continue
        equal, standardized = (
            trend([equal_redundancy(stage, measure, delta) for stage in stages])
            for measure in ("cka", "standardized_cka")
        )
        found.append(
            {
                "task": stages[0].whole.task.title,
                "width": str(stages[0].equal[0].d),
                "own": trend([point(stage.whole.redundancy("cka", delta)) for stage in stages]),
                "equal": equal,
                "standardized": standardized,
            }
        )
    return found


def describe_similarity(depths: Depths, delta: float) -> str:
    """One sentence: whether DR of CKA grows from the first layer to the last, as they are, at
    equal width, and with standardized neurons, for the first network.
    """
    sentences = [
        f"on {found['task']} it {found['own']} as the layers are, {found['equal']} at "
        f"{found['width']} neurons each, and {found['standardized']} if these are standardized"
        for found in trends_of_first_net(depths, delta)
    ]
    if not sentences:
        return "There is only one layer: nothing to compare in depth."
    return (
        f"**What to see:** DR({delta:g}) of CKA from the first layer to the last "
        f"({depths[0][0].whole.net.title}): {'; '.join(sentences)}."
    )


def describe_use(depths: Depths, delta: float) -> str:
    """One sentence: accuracy and neurons needed at the first and the last layer, for the
    first network.
    """
    sentences = []
    for stages in _of_first_net(depths):
        first, last = stages[0].whole, stages[-1].whole
        needed = [_needed(one.redundancy("accuracy", delta)) for one in (first, last)]
        sentences.append(
            f"on {first.task.title} the whole layer's accuracy goes from {first.full:.1%} to "
            f"{last.full:.1%}, and the neurons needed from {needed[0]} of {first.d} to "
            f"{needed[1]} of {last.d}"
        )
    return f"**What to see:** {listed(sentences)}."
