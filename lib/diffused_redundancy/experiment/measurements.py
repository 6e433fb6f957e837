"""Networks on tasks, measured: what every comparison of networks is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..measure.curves import Curve
from ..measure.redundancy import Redundancy
from ..nets.names import labels
from ..nets.networks import Net
from ..tasks import Task
from .probed_layer import ProbedLayer

COMPARED = {"accuracy": "accuracy", "cka": "CKA"}
"""The two curves of a measurement by name, and what sentences call them."""


@dataclass(frozen=True)
class Measurement:
    """One network on one task, measured.

    Attributes
    ----------
    accuracy, cka : mapping from a selection to its Curve
    about : mapping
        See :attr:`ProbedLayer.about`.
    """

    net: Net
    task: Task
    accuracy: Mapping[str, Curve] = field(repr=False)
    cka: Mapping[str, Curve] = field(repr=False)
    about: Mapping[str, Any] = field(repr=False)

    @property
    def d(self) -> int:
        """Neurons of the layer."""
        return int(self.about["d"])

    @property
    def full(self) -> float:
        """The whole layer's accuracy."""
        return next(iter(self.accuracy.values())).full

    def curve(self, measure: str, selection: str = "random") -> Curve:
        """The curve of ``accuracy`` or ``cka``."""
        return (self.cka if measure == "cka" else self.accuracy)[selection]

    def redundancy(self, measure: str, delta: float, selection: str = "random") -> Redundancy:
        """DR at a share of the whole layer's ``accuracy`` or ``cka``."""
        return self.curve(measure, selection).redundancy(delta)


@dataclass(frozen=True)
class Measurements:
    """Measurements by network and task."""

    all: Sequence[Measurement]

    @cached_property
    def _index(self) -> dict[tuple[str, str], Measurement]:
        return {(one.net.name, one.task.name): one for one in self.all}

    def of(self, net: Net, task: Task) -> Measurement:
        """That of a network on a task."""
        return self._index[net.name, task.name]

    @cached_property
    def tasks(self) -> list[Task]:
        """The tasks, in order."""
        return list({one.task.name: one.task for one in self.all}.values())

    @cached_property
    def nets(self) -> list[Net]:
        """The networks, in order."""
        return list({one.net.name: one.net for one in self.all}.values())

    @cached_property
    def labels(self) -> dict[str, str]:
        """What figures and tables call each network: its name without the architecture where these
        differ, else :func:`names.labels`.
        """
        names = [net.name for net in self.nets]
        short = [
            name.partition("@")[0].partition(".")[2] or name.partition("@")[0] for name in names
        ]
        distinct = len(set(short)) == len(short)
        return dict(zip(names, short if distinct else labels(names), strict=True))

    def label(self, net: Net) -> str:
        """What figures and tables call a network; see :attr:`labels`."""
        return self.labels[net.name]


def measured(
    net: Net,
    task: Task,
    layer: ProbedLayer,
    *,
    probe: str,
    selections: Sequence[str],
    seeds: Sequence[int],
    fractions: Sequence[float],
) -> Measurement:
    """Measure one network on one task, and let go of its features.

    Parameters
    ----------
    probe : str
        ``ridge``, at every size, or ``logistic``, at ``fractions`` of the layer.
    selections : sequence of str
    seeds : sequence of int
        Of the selections.
    """
    accuracy = {name: layer.probe(probe, name, seeds, fractions) for name in selections}
    cka = {name: layer.cka(name, seeds) for name in selections}
    about = layer.about
    layer.release()
    return Measurement(net, task, accuracy, cka, about)


def measured_all(layers: Iterable[tuple[Net, Task, ProbedLayer]], **how: Any) -> Measurements:
    """Every layer measured; see :func:`measured` for how."""
    return Measurements([measured(*one, **how) for one in layers])
