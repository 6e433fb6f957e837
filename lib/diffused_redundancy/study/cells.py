"""Nets on tasks, measured and grouped by what they differ in.

A *cell* is one net on one task. Nets that differ in their seed only form a *group*, which shows how much chance
there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..measure.redundancy import Redundancy, diffused_redundancy
from ..measure.selections import sizes_of
from ..nets.names import labels, titles
from ..nets.networks import Net
from ..tasks import Task
from .figures import Point
from .layer import Layer

if TYPE_CHECKING:
    from .session import Session

MEASURES = {"accuracy": "accuracy", "cka": "CKA"}
"""What DR is taken of, and how figures name it."""


@dataclass(frozen=True)
class Cell:
    """One net on one task, measured.

    Attributes
    ----------
    sizes : ndarray of int (s,)
        Of the probes.
    accuracy, per_class : mapping from a selection to ndarray (seeds, s) or (seeds, s, C)
    cka : mapping from a selection to ndarray (seeds, d)
    full : float
        The full layer's accuracy.
    about : mapping
        See :meth:`Layer.about`.
    """

    net: Net
    task: Task
    sizes: np.ndarray = field(repr=False)
    accuracy: Mapping[str, np.ndarray] = field(repr=False)
    per_class: Mapping[str, np.ndarray] = field(repr=False)
    cka: Mapping[str, np.ndarray] = field(repr=False)
    full: float
    about: Mapping[str, float]

    @property
    def d(self) -> int:
        """Neurons of the layer."""
        return int(self.about["d"])

    def redundancy(self, measure: str, delta: float, selection: str = "random") -> Redundancy:
        """DR at a share of the full layer's ``accuracy`` or ``cka``."""
        if measure == "cka":
            return diffused_redundancy(self.cka[selection], delta, full=1.0, d=self.d)
        values = self.accuracy[selection]
        return diffused_redundancy(values, delta, full=self.full, d=self.d, sizes=self.sizes[: values.shape[1]])


def point(found: Redundancy) -> Point:
    """DR with its interval, for a figure."""
    return Point(found.value, found.low, found.high)


def measure_cell(
    network: Net, job: Task, layer: Layer, *, probe: str, selections: Sequence[str], seeds: Sequence[int], fractions: Sequence[float]
) -> Cell:
    """Measure one net on one task, and let go of its features."""
    found = {name: layer.probe(probe, name, seeds, fractions) for name in selections}
    cell = Cell(
        network,
        job,
        sizes=np.asarray(sizes_of(fractions, layer.d)) if probe == "logistic" else np.arange(1, layer.d + 1),
        accuracy={name: one["accuracy"] for name, one in found.items()},
        per_class={name: one["per_class"] for name, one in found.items() if "per_class" in one},
        cka={name: layer.cka(name, seeds) for name in selections},
        full=layer.full(probe),
        about=layer.about(),
    )
    layer.release()
    return cell


def measure_cells(study: Session, *, probe: str, selections: Sequence[str], seeds: Sequence[int], fractions: Sequence[float]) -> list[Cell]:
    """Every net of a notebook on every task."""
    return [
        measure_cell(network, job, layer, probe=probe, selections=selections, seeds=seeds, fractions=fractions)
        for network, job, layer in study.layers()
    ]


def nets_table(nets: Sequence[Net]) -> pd.DataFrame:
    """What is known of each net's pre-training."""
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
        row |= {f"under {threat.replace('_', ' ')}": origin.robust_top1.get(threat, float("nan")) for threat in threats}
        rows.append({**row, "images/s": "–" if origin.speed is None else f"{origin.speed:.0f}"})
    return pd.DataFrame(rows)


def cells_table(cells: Sequence[Cell], deltas: Sequence[float]) -> pd.DataFrame:
    """DR of every cell, selection, measure and delta, with what is known of the net: one row each."""
    rows = []
    for cell in cells:
        origin = cell.net.origin
        for selection in cell.accuracy:
            for measure in MEASURES:
                for delta in deltas:
                    found = cell.redundancy(measure, delta, selection)
                    rows.append(
                        {
                            "net": cell.net.name, "task": cell.task.title, "loss": origin.loss, "upstream": origin.upstream,
                            "family": origin.family, "pretraining_seed": origin.seed, "d": cell.d, "selection": selection, "measure": measure,
                            "delta": delta, "DR": found.value, "low": found.low, "high": found.high, "k": found.k, "seeds": found.seeds,
                            "full_accuracy": cell.full, "r": cell.about["diagonal_share"],
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows)


def results_of(cells: Cells, delta: float) -> dict[str, float]:
    """Key numbers: DR by measure, net and task."""
    return {
        f"DR({delta:g}) of {measure}, {cell.net.name}, {cell.task.name}": cell.redundancy(measure, delta).value
        for cell in cells.all
        for measure in MEASURES
    }


def shown_cells(cells: Sequence[Cell], delta: float) -> pd.DataFrame:
    """For reading: one row a net, and by task the full layer's accuracy, DR of accuracy and DR of CKA of random neurons."""
    rows: dict[str, dict[str, Any]] = {}
    for cell in cells:
        row = rows.setdefault(cell.net.name, {"net": cell.net.name, "d": cell.d})
        row[f"{cell.task.title}: accuracy"] = f"{cell.full:.1%}"
        for measure, words in (("accuracy", "its DR"), ("cka", "DR of CKA")):
            found = cell.redundancy(measure, delta)
            row[f"{cell.task.title}: {words}"] = "not reached" if found.k is None else f"{found.value:.3f}"
    for row, name in zip(rows.values(), titles(list(rows)), strict=True):
        row["net"] = name
    return pd.DataFrame(rows.values())


@dataclass(frozen=True)
class Grouping:
    """Nets that differ in one trait (and seeds), by the trait's value; the first group is the reference.

    Attributes
    ----------
    trait : str
    groups : mapping from a label to nets
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


TRAITS: dict[str, Callable[[Net], Any]] = {
    "loss": lambda net: net.origin.loss if net.origin.loss != "unknown" else net.name,
    "upstream": lambda net: net.origin.upstream,
    "width": lambda net: net.d,
    "family": lambda net: net.origin.family,
}
"""What nets are compared by."""


def grouped(nets: Sequence[Net], trait: str, *, free: Sequence[str] = ()) -> Grouping:
    """The nets that share all other traits with the first one, by the value of a trait.

    Parameters
    ----------
    nets : sequence of Net
        The first is the reference.
    trait : str
        A name in :data:`TRAITS`.
    free : sequence of str
        Further traits that may differ.
    """
    if trait not in TRAITS or not set(free) <= set(TRAITS):
        raise InputError(f"traits are {', '.join(TRAITS)}, not {trait!r} and {list(free)!r}")
    fixed = [one for one in TRAITS if one != trait and one not in free]
    groups: dict[str, list[Net]] = {}
    for net in nets:
        if all(TRAITS[one](net) == TRAITS[one](nets[0]) for one in fixed):
            groups.setdefault(str(TRAITS[trait](net)), []).append(net)
    return Grouping(trait, dict(zip(titles(list(groups)), groups.values(), strict=True)))


@dataclass(frozen=True)
class Cells:
    """Cells by net and task."""

    all: Sequence[Cell]

    @cached_property
    def _index(self) -> dict[tuple[str, str], Cell]:
        return {(cell.net.name, cell.task.name): cell for cell in self.all}

    def of(self, net: Net, task: Task) -> Cell:
        """The cell of a net on a task."""
        return self._index[net.name, task.name]

    @cached_property
    def tasks(self) -> list[Task]:
        """The tasks, in order."""
        return list({cell.task.name: cell.task for cell in self.all}.values())

    @cached_property
    def nets(self) -> list[Net]:
        """The nets, in order."""
        return list({cell.net.name: cell.net for cell in self.all}.values())

    @cached_property
    def labels(self) -> dict[str, str]:
        """What figures and tables call each net: its name without the architecture where these differ, else :func:`names.labels`."""
        names = [net.name for net in self.nets]
        short = [name.partition("@")[0].partition(".")[2] or name.partition("@")[0] for name in names]
        return dict(zip(names, short if len(set(short)) == len(short) else labels(names), strict=True))

    def label(self, net: Net) -> str:
        """What figures and tables call a net; see :attr:`labels`."""
        return self.labels[net.name]

    def points(self, nets: Sequence[Net], task: Task, measure: str, delta: float) -> list[Point]:
        """DR of some nets on a task, with intervals."""
        return [point(self.of(net, task).redundancy(measure, delta)) for net in nets]

    def panels(self, grouping: Grouping, measure: str, delta: float) -> list[tuple[str, list[tuple[str, list[Point]]]]]:
        """What :func:`figures.groups_figure` draws."""
        return [(task.title, [(label, self.points(nets, task, measure, delta)) for label, nets in grouping.groups.items()]) for task in self.tasks]
