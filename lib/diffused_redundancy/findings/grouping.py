"""Networks that differ in one trait, such as the loss or the width, and tables of what is known of
networks and of their DR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ..errors import unknown
from ..experiment.measurements import COMPARED, Measurement, Measurements
from ..experiment.traits import TRAITS, alike
from ..measures.curves import Curve
from ..measures.redundancy import Redundancy
from ..nets.names import titles
from ..nets.networks import Net
from ..tasks import Task
from ..uncertainty.interval import WithInterval
from .figure_data import Point, point
from .tables import corrected_columns, redundancy_columns


@dataclass(frozen=True)
class Grouping:
    """Networks that differ in one trait (and seeds), by the trait's value; the first group is the
    reference.

    Attributes
    ----------
    trait : str
    groups : mapping from a label to networks
    """

    trait: str
    groups: Mapping[str, Sequence[Net]]

    @property
    def reference(self) -> str:
        """The label of the reference group."""
        return next(iter(self.groups))

    @property
    def others(self) -> list[str]:
        """The other labels."""
        return list(self.groups)[1:]

    @property
    def nets(self) -> list[Net]:
        """All networks, group by group."""
        return [net for nets in self.groups.values() for net in nets]


def grouped(nets: Sequence[Net], trait: str, *, free: Sequence[str] = ()) -> Grouping:
    """The networks that share all other traits with the first one, by the value of a trait.

    Parameters
    ----------
    nets : sequence of Net
        The first is the reference.
    trait : str
        A name in :data:`TRAITS`.
    free : sequence of str
        Further traits that may differ.

    Raises
    ------
    InputError
        If there is no such trait.
    """
    for one in (trait, *free):
        if one not in TRAITS:
            raise unknown("trait", one, TRAITS)
    groups: dict[str, list[Net]] = {}
    for net in nets:
        if alike(net, nets[0], but=[trait, *free]):
            groups.setdefault(str(TRAITS[trait](net)), []).append(net)
    return Grouping(trait, dict(zip(titles(list(groups)), groups.values(), strict=True)))


def points(
    measurements: Measurements, nets: Sequence[Net], task: Task, measure: str, delta: float
) -> list[Point]:
    """DR of some networks on a task, with intervals."""
    return [point(measurements.of(net, task).redundancy(measure, delta)) for net in nets]


def group_panels(
    measurements: Measurements, grouping: Grouping, measure: str, delta: float
) -> list[tuple[str, list[tuple[str, list[Point]]]]]:
    """What :func:`figures.groups_figure` draws: DR by group, one plot a task."""
    return [
        (
            task.title,
            [
                (label, points(measurements, nets, task, measure, delta))
                for label, nets in grouping.groups.items()
            ],
        )
        for task in measurements.tasks
    ]


def task_panel(
    measurements: Measurements, measure: str, delta: float
) -> list[tuple[str, list[tuple[str, list[Point]]]]]:
    """What :func:`figures.groups_figure` draws: DR by task, all networks on one plot."""
    by_task = [
        (task.title, points(measurements, measurements.nets, task, measure, delta))
        for task in measurements.tasks
    ]
    return [("all networks", by_task)]


def nets_table(nets: Sequence[Net]) -> pd.DataFrame:
    """What is known of each network's pre-training."""
    rows = []
    threats = list(dict.fromkeys(threat for net in nets for threat in net.origin.robust_top1))
    for name, net in zip(titles([net.name for net in nets]), nets, strict=True):
        origin = net.origin
        row: dict[str, Any] = {
            "net": name,
            "loss": origin.loss,
            "upstream": origin.upstream,
            "d": net.d,
            "top-1": origin.top1 if origin.top1 is not None else float("nan"),
        }
        row |= {
            f"under {threat.replace('_', ' ')}": origin.robust_top1.get(threat, float("nan"))
            for threat in threats
        }
        rows.append({**row, "images/s": "–" if origin.speed is None else f"{origin.speed:.0f}"})
    return pd.DataFrame(rows)


def redundancy_table(measurements: Sequence[Measurement], deltas: Sequence[float]) -> pd.DataFrame:
    """DR of every measurement, selection, measure and delta, with what is known of the network: one
    row each.
    """
    rows = []
    for measurement in measurements:
        origin = measurement.net.origin
        for selection in measurement.accuracy:
            for measure in COMPARED:
                for delta in deltas:
                    curve = measurement.curve(measure, selection)
                    redundancy = curve.redundancy(delta)
                    rows.append(
                        {
                            "net": measurement.net.name,
                            "task": measurement.task.title,
                            "loss": origin.loss,
                            "upstream": origin.upstream,
                            "family": origin.family,
                            "pretraining_seed": origin.seed,
                            "d": measurement.d,
                            "selection": selection,
                            "measure": measure,
                            "delta": delta,
                            **redundancy_columns(redundancy),
                            **corrected_columns(curve.above_chance(delta)),
                            "seeds": redundancy.seeds,
                            "penalty": measurement.penalty if measure == "accuracy" else None,
                            "full_accuracy": measurement.full,
                            "r": measurement.about["diagonal_share"],
                        }
                    )
    return pd.DataFrame(rows)


def results_of(measurements: Measurements, delta: float) -> dict[str, float]:
    """Key numbers: DR by measure, network and task."""
    entries = {
        f"DR({delta:g}) of {measure}, {one.net.name}, {one.task.name}": (
            one.curve(measure).redundancy(delta)
        )
        for one in measurements.all
        for measure in COMPARED
    }
    return {name: WithInterval(one.value, one.low, one.high) for name, one in entries.items()}


def curves_by_net(measurements: Measurements, measure: str) -> dict[str, dict[str, Curve]]:
    """The curves of random neurons of each network on each task, by their titles."""
    names = titles([net.name for net in measurements.nets])
    return {
        name: {task.title: measurements.of(net, task).curve(measure) for task in measurements.tasks}
        for name, net in zip(names, measurements.nets, strict=True)
    }


def shown_redundancy(measurements: Sequence[Measurement], delta: float) -> pd.DataFrame:
    """For reading: one row per network, and by task the full layer's accuracy, DR of accuracy
    (above chance) and of CKA (of standardized neurons) of random neurons.
    """
    rows: dict[str, dict[str, Any]] = {}
    for one in measurements:
        row = rows.setdefault(one.net.name, {"net": one.net.name, "d": one.d})
        row[f"{one.task.title}: accuracy"] = f"{one.full:.1%}"
        curve = one.curve("accuracy")
        shown = _shown(curve.redundancy(delta))
        if (corrected := curve.above_chance(delta)) is not None:
            shown += f" / {corrected.value:.3f}"
        row[f"{one.task.title}: DR / above chance"] = (
            shown if curve.above_guessing else "not clearly above guessing"
        )
        row[f"{one.task.title}: DR of CKA / standardized"] = " / ".join(
            _shown(one.curve(measure).redundancy(delta)) for measure in ("cka", "standardized_cka")
        )
    for row, name in zip(rows.values(), titles(list(rows)), strict=True):
        row["net"] = name
    return pd.DataFrame(rows.values())


def _shown(redundancy: Redundancy) -> str:
    return "not reached" if redundancy.k is None else f"{redundancy.value:.3f}"
