"""Where in depth redundancy grows: what is said of the stages of networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from ..experiment.measurements import COMPARED
from ..experiment.stages import Stage
from ..measures.redundancy import Redundancy
from ..nets.names import labels, short_labels
from ..uncertainty.bootstrap import interval_of_mean
from .figure_data import Point, Series, point
from .phrases import lines
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
    net = short_labels(list(dict.fromkeys(stages[0].whole.net.name for stages in depths)))[0]
    for stage in (stage for stages in _of_first_net(depths) for stage in stages):
        whole = stage.whole
        accuracy, cka, standardized = (whole.redundancy(one, delta) for one in COMPARED)
        rows.append(
            {
                "net": net,
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
    """k* of all neurons, with its interval."""
    if redundancy.k is None:
        return f"an unknown number of {redundancy.d}"
    ends = neurons_needed(redundancy)
    interval = f" ({ends.low:.0f} to {ends.high:.0f})" if redundancy.has_interval else ""
    return f"{redundancy.k} of {redundancy.d}{interval}"


def ticks(depths: Depths) -> list[tuple[float, str]]:
    """The names of layers, if all networks have the same, else their places."""
    names = {tuple(stage.name for stage in stages) for stages in depths}
    longest = max(depths, key=len)
    return [
        (float(stage.place), stage.name if len(names) == 1 else str(stage.place + 1))
        for stage in longest
    ]


GROWS, FALLS, OPEN, UNKNOWN = "grows", "falls", "not clear", "not reached everywhere"
"""How DR at one layer differs from that at an earlier one: by intervals that do not overlap."""


def direction(first: Point, last: Point) -> str:
    """How DR at one layer differs from that at an earlier one."""
    if np.isnan([first.value, last.value]).any():
        return UNKNOWN
    if last.low > first.high:
        return GROWS
    return FALLS if last.high < first.low else OPEN


KINDS = {
    "own": "as the layers are",
    "equal": "at equal width",
    "standardized": "at equal width, standardized",
}
"""How DR is taken in depth; see :func:`kinds_of_redundancy`."""


def kinds_of_redundancy(stages: Sequence[Stage], delta: float) -> dict[str, list[Point]]:
    """DR of CKA of each stage: as it is (``own``), at ``equal`` width, and at equal width
    ``standardized``.
    """
    return {
        "own": [point(stage.whole.redundancy("cka", delta)) for stage in stages],
        "equal": [equal_redundancy(stage, "cka", delta) for stage in stages],
        "standardized": [equal_redundancy(stage, "standardized_cka", delta) for stage in stages],
    }


def changes_table(depths: Depths, delta: float) -> pd.DataFrame:
    """For reading: how DR of CKA differs from the first layer to the last, by network and task, and
    how many neurons of each layer there are at equal width.
    """
    rows = []
    nets = [*dict.fromkeys(stages[0].whole.net.name for stages in depths)]
    names = dict(zip(nets, short_labels(nets), strict=True))
    for stages in depths:
        found = kinds_of_redundancy(stages, delta)
        row: dict[str, str | int] = {
            "task": stages[0].whole.task.title,
            "net": names[stages[0].whole.net.name],
            "equal width": stages[0].equal[0].d,
        }
        for kind, points in found.items():
            word = direction(points[0], points[-1])
            ends = f": {points[0].value:.2f} to {points[-1].value:.2f}" if word != UNKNOWN else ""
            row[KINDS[kind]] = word + ends
        rows.append(row)
    return pd.DataFrame(rows)


def counted(depths: Depths, delta: float, kind: str) -> tuple[int, int, int]:
    """In how many cases, each a network on a task, DR of CKA of a kind grows and falls from the
    first layer to the last; and how many cases have several layers.
    """
    every = [kinds_of_redundancy(stages, delta)[kind] for stages in depths if len(stages) > 1]
    found = [direction(points[0], points[-1]) for points in every]
    return found.count(GROWS), found.count(FALLS), len(found)


def equal_widths(depths: Depths) -> str:
    """How many neurons layers have at equal width: as many as the narrowest of their network has,
    so that it may differ between networks.
    """
    widths = sorted({stages[0].equal[0].d for stages in depths if len(stages) > 1})
    return " or ".join(map(str, widths))


def describe_similarity(depths: Depths, delta: float) -> str:
    """In how many cases DR of CKA grows, and falls, from the first layer to the last: as they are,
    at equal width, and with standardized neurons.
    """
    parts = []
    for kind, words in KINDS.items():
        up, down, cases = counted(depths, delta, kind)
        if not cases:
            return "There is only one layer: nothing to compare in depth."
        if kind == "equal":
            words += f" ({equal_widths(depths)} neurons of each)"
        parts.append(f"{words}, it grows in {up} and falls in {down}")
    return lines(
        f"**What to see:** DR({delta:g}) of CKA from the first layer to the last, in {cases} cases "
        "(each a network on a task; a change counts where intervals do not overlap)",
        parts,
    )


def describe_use(depths: Depths, delta: float) -> str:
    """A sentence with a line a task: accuracy and neurons needed at the first and the last layer,
    for the first network.
    """
    rows = []
    for stages in _of_first_net(depths):
        first, last = stages[0].whole, stages[-1].whole
        needed = [one.redundancy("accuracy", delta) for one in (first, last)]
        rows.append(
            f"{first.task.title}: the whole layer's accuracy goes from {first.full:.1%} to "
            f"{last.full:.1%}, and the neurons needed from {_needed(needed[0])} to "
            f"{_needed(needed[1])}"
        )
    network = depths[0][0].whole.net.title
    return lines(f"**What to see:** from the first layer to the last ({network})", rows)
