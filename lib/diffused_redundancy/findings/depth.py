"""The same measures after each stage of a net: where in depth redundancy grows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..experiment.measurements import Cell, measure_cell, point
from ..experiment.probed_layer import Layer
from ..measure.selections import random_order
from ..nets.names import labels
from ..nets.networks import Net
from ..tasks import Task
from .claims import interval_of_mean
from .figure_data import Point, Series
from .pretraining import neurons_needed
from .probing import listed

if TYPE_CHECKING:
    from ..session import Session


@dataclass(frozen=True)
class Stage:
    """One layer of a net on a task.

    Attributes
    ----------
    name : str
        The layer.
    place : int
        Its position in depth, from 0.
    whole : Cell
        All of its neurons.
    equal : sequence of Cell
        As many of its neurons as the narrowest layer has, drawn at random several times, each draw
        taken for the whole; the layer itself if it is no wider.
    """

    name: str
    place: int
    whole: Cell
    equal: Sequence[Cell]

    def equal_redundancy(self, measure: str, delta: float) -> Point:
        """DR at equal width, averaged over the draws, with the interval of that mean over draws:
        which neurons were drawn matters most.
        """
        if len(self.equal) == 1:
            return point(self.equal[0].redundancy(measure, delta))
        values = np.array([cell.redundancy(measure, delta).value for cell in self.equal])
        return Point(float(values.mean()), *interval_of_mean(values))


def narrowed(layer: Layer, width: int, seed: int) -> Layer:
    """A layer made of some random neurons of another one."""
    kept = np.sort(random_order(layer.d, seed)[:width].numpy())

    def arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        X_train, y_train, X_test, y_test = layer.arrays
        return (
            np.ascontiguousarray(X_train[:, kept]),
            y_train,
            np.ascontiguousarray(X_test[:, kept]),
            y_test,
        )

    key = None if layer.key is None else {**layer.key, "narrowed": [width, seed]}
    return Layer(
        arrays,
        key=key,
        cache=layer.cache,
        device=layer.device,
        standardize=layer.standardize,
        views=layer.views,
    )


DRAWS = range(1000, 1010)
"""Seeds of the neurons kept to make layers equally wide: not the usual seeds of selections, so that
nothing is drawn twice.
"""


def measure_stages(
    study: Session,
    network: Net,
    task: Task,
    layers: Iterable[str],
    *,
    probe: str,
    selections: Sequence[str],
    seeds: Sequence[int],
    fractions: Sequence[float],
) -> list[Stage]:
    """Every layer of one net on one task, as it is and at the width of the narrowest."""
    names = list(dict.fromkeys(name for wanted in layers for name in network.layers(wanted)))
    found = {name: study.layer(network, task, name) for name in names}
    narrowest = min(layer.d for layer in found.values())
    stages = []
    for place, (name, layer) in enumerate(found.items()):
        draws = (
            [layer]
            if layer.d <= narrowest
            else [narrowed(layer, narrowest, seed) for seed in DRAWS]
        )
        whole, *equal = (
            measure_cell(
                network,
                task,
                one,
                probe=probe,
                selections=selections,
                seeds=seeds,
                fractions=fractions,
            )
            for one in (layer, *draws)
        )
        layer.release()
        stages.append(Stage(name, place, whole, equal))
    return stages


Depths = Sequence[Sequence[Stage]]
"""The stages of every net on every task."""


def table(depths: Depths, deltas: Sequence[float]) -> pd.DataFrame:
    """One row a layer, selection, measure and delta, as it is and at equal width."""
    rows = []
    for stages in depths:
        for stage in stages:
            for width, cell in (
                ("own", stage.whole),
                *((f"equal, draw {i}", one) for i, one in enumerate(stage.equal, 1)),
            ):
                for selection in cell.accuracy:
                    for measure in ("accuracy", "cka"):
                        for delta in deltas:
                            found = cell.redundancy(measure, delta, selection)
                            rows.append(
                                {
                                    "net": cell.net.name,
                                    "task": cell.task.title,
                                    "layer": stage.name,
                                    "place": stage.place,
                                    "width": width,
                                    "d": cell.d,
                                    "selection": selection,
                                    "measure": measure,
                                    "delta": delta,
                                    "DR": found.value,
                                    "low": found.low,
                                    "high": found.high,
                                    "k": found.k,
                                    "full_accuracy": cell.full,
                                    "r": cell.about["diagonal_share"],
                                }
                            )
    return pd.DataFrame(rows)


def shown(depths: Depths, delta: float) -> pd.DataFrame:
    """For reading: accuracy, DR and neurons needed by layer, of the first net."""
    rows = []
    for stages in depths:
        if stages[0].whole.net.name != depths[0][0].whole.net.name:
            continue
        for stage in stages:
            whole, equal = stage.whole, stage.equal
            accuracy, cka = whole.redundancy("accuracy", delta), whole.redundancy("cka", delta)
            row = {
                "task": whole.task.title,
                "layer": stage.name,
                "d": whole.d,
                "full layer": whole.full,
            }
            row |= {
                f"DR({delta:g}), accuracy": accuracy.value,
                "k*": "–" if accuracy.k is None else str(accuracy.k),
            }
            row |= {
                f"DR({delta:g}), CKA": cka.value,
                f"the same, {equal[0].d} neurons": stage.equal_redundancy("cka", delta).value,
            }
            rows.append(row)
    return pd.DataFrame(rows)


def rows_of(depths: Depths, value: str, delta: float) -> list[tuple[str, list[Series]]]:
    """What a figure draws: a value against depth, one plot a task, one line a net.

    ``value`` is ``full``, ``accuracy``, ``cka``, ``needed``, ``equal accuracy`` or ``equal cka``.
    """
    titles = list(dict.fromkeys(stages[0].whole.task.title for stages in depths))
    nets = list(dict.fromkeys(stages[0].whole.net.name for stages in depths))
    named = dict(zip(nets, labels(nets), strict=True))

    def of(stage: Stage) -> Point:
        if value == "full":
            return Point(stage.whole.full)
        if value == "needed":
            return neurons_needed(delta)(stage.whole)
        if value.startswith("equal"):
            return stage.equal_redundancy(value.split()[-1], delta)
        return point(stage.whole.redundancy(value, delta))

    def line(stages: Sequence[Stage]) -> Series:
        name = stages[0].whole.net.name
        return Series(
            named[name],
            [float(stage.place) for stage in stages],
            [of(stage) for stage in stages],
            look=nets.index(name),
        )

    return [
        (title, [line(stages) for stages in depths if stages[0].whole.task.title == title])
        for title in titles
    ]


def ticks(depths: Depths) -> list[tuple[float, str]]:
    """The names of layers, if all nets have the same, else their places."""
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
    moved = f"goes from {first.value:.2f} to {last.value:.2f}"
    if np.isnan([first.low, last.low]).any():
        return moved
    if last.low > first.high:
        return f"grows, from {first.value:.2f} to {last.value:.2f}"
    if last.high < first.low:
        return f"falls, from {first.value:.2f} to {last.value:.2f}"
    return f"{moved} (intervals overlap)"


def read(depths: Depths, delta: float) -> str:
    """One sentence: whether DR of CKA grows from the first layer to the last, as they are and at
    equal width, for the first net.
    """
    told = []
    first = depths[0][0].whole.net.name
    for stages in depths:
        if stages[0].whole.net.name != first or len(stages) < 2:
            continue
        own = trend([point(stage.whole.redundancy("cka", delta)) for stage in stages])
        same = trend([stage.equal_redundancy("cka", delta) for stage in stages])
        told.append(
            f"on {stages[0].whole.task.title} it {own} as the layers are, and {same} at "
            f"{stages[0].equal[0].d} neurons each"
        )
    if not told:
        return "There is only one layer: nothing to compare in depth."
    return (
        f"**What to see:** DR({delta:g}) of CKA from the first layer to the last "
        f"({depths[0][0].whole.net.title}): "
        f"{'; '.join(told)}."
    )


def describe_use(depths: Depths, delta: float) -> str:
    """One sentence: accuracy and neurons needed at the first and the last layer, for the
    first net.
    """
    told = []
    for stages in depths:
        if stages[0].whole.net.name != depths[0][0].whole.net.name:
            continue
        first, last = stages[0].whole, stages[-1].whole
        needed = [cell.redundancy("accuracy", delta).k for cell in (first, last)]
        told.append(
            f"on {first.task.title} the whole layer's accuracy goes from {first.full:.1%} to "
            f"{last.full:.1%}, and the neurons needed from "
            f"{needed[0]} of {first.d} to {needed[1]} of {last.d}"
        )
    return f"**What to see:** {listed(told)}."
