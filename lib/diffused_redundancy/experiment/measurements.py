"""Networks on tasks, measured: what every comparison of networks is made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import unknown
from ..measures.curves import Curve
from ..measures.hits import Hits
from ..measures.redundancy import Redundancy
from ..nets.names import short_labels
from ..nets.networks import Net
from ..probes.cross_validation import PenaltyChoice, common_choice, united_grid
from ..tasks import Task
from .probed_layer import ProbedLayer

NetTaskLayer = tuple[Net, Task, ProbedLayer]
"""What is measured: one layer of a network on a task."""

AllHits = Mapping[tuple[str, str, str], Hits]
"""By names of network, task and selection: which test images the probes guess right."""

PENALTIES = ("common", "own")
"""What penalties networks may be measured at: one for all on a task, or each network's own."""

COMPARED = {
    "accuracy": "accuracy",
    "cka": "CKA",
    "standardized_cka": "CKA of standardized neurons",
}
"""The curves of a measurement by name, and what sentences call them."""


@dataclass(frozen=True)
class Measurement:
    """One network on one task, measured.

    Attributes
    ----------
    accuracy, cka, standardized_cka : mapping from a selection to its Curve
    about : mapping
        See :attr:`ProbedLayer.about`.
    penalty : float
        Of the probes.
    geometry : mapping from a name to float
        See :meth:`ProbedLayer.geometry`; empty unless asked for.
    """

    net: Net
    task: Task
    accuracy: Mapping[str, Curve] = field(repr=False)
    cka: Mapping[str, Curve] = field(repr=False)
    standardized_cka: Mapping[str, Curve] = field(repr=False)
    about: Mapping[str, Any] = field(repr=False)
    penalty: float = float("nan")
    geometry: Mapping[str, float] = field(default_factory=dict, repr=False)

    @property
    def d(self) -> int:
        """Neurons of the layer."""
        return int(self.about["d"])

    @property
    def full(self) -> float:
        """The whole layer's accuracy."""
        return next(iter(self.accuracy.values())).full

    def curve(self, measure: str, selection: str = "random") -> Curve:
        """The curve of a measure in :data:`COMPARED`."""
        by_selection: Mapping[str, Curve] = getattr(self, measure)
        return by_selection[selection]

    def redundancy(
        self, measure: str, delta: float, selection: str = "random", **options: Any
    ) -> Redundancy:
        """DR of a measure in :data:`COMPARED`, for statements: withheld where the whole layer is
        no better than guessing the largest class. (Tables have it from the curve.)
        """
        curve = self.curve(measure, selection)
        redundancy = curve.redundancy(delta, **options)
        return redundancy if curve.above_guessing else redundancy.withheld()


@dataclass(frozen=True)
class Measurements:
    """Measurements by network and task."""

    all: Sequence[Measurement]

    @cached_property
    def _index(self) -> dict[tuple[str, str], Measurement]:
        return {(item.net.name, item.task.name): item for item in self.all}

    def of(self, net: Net, task: Task) -> Measurement:
        """That of a network on a task."""
        return self._index[net.name, task.name]

    @cached_property
    def tasks(self) -> list[Task]:
        """The tasks, in order."""
        return list({item.task.name: item.task for item in self.all}.values())

    @cached_property
    def nets(self) -> list[Net]:
        """The networks, in order."""
        return list({item.net.name: item.net for item in self.all}.values())

    @cached_property
    def labels(self) -> dict[str, str]:
        """What figures and tables call each network; see :func:`.short_labels`."""
        names = [net.name for net in self.nets]
        return dict(zip(names, short_labels(names), strict=True))

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
    penalty: float | None = None,
    geometry: bool = False,
) -> Measurement:
    """Measure one network on one task, and release its features.

    Parameters
    ----------
    net, task
    layer : ProbedLayer
        Of the network on the task.
    probe : str
        ``ridge``, at every size, or ``logistic``, at ``fractions`` of the layer.
    selections : sequence of str
    seeds : sequence of int
        Of the selections.
    fractions : sequence of float
        In (0, 1]; the ridge probe ignores them.
    penalty : float, optional
        Of the probes; by default the layer's own choice.
    geometry : bool
        Whether to measure :meth:`ProbedLayer.geometry` as well.
    """
    alpha = layer.penalty(probe).penalty if penalty is None else penalty
    accuracy = {
        name: layer.probe(probe, name, seeds, fractions, penalty=alpha) for name in selections
    }
    cka, standardized = (
        {name: layer.cka(name, seeds, standardize=standardize) for name in selections}
        for standardize in (False, True)
    )
    about, found = layer.about, layer.geometry() if geometry else {}
    layer.release()
    return Measurement(net, task, accuracy, cka, standardized, about, alpha, found)


def common_choices(layers: Iterable[NetTaskLayer], probe: str) -> dict[str, PenaltyChoice]:
    """The choice of one penalty for all networks on a task, by the name of the task; see
    :func:`.common_choice`.

    A network whose grid lacks penalties that another one has tried tries them too. Features are let
    go layer by layer: what is chosen stays in the cache.
    """
    by_task: dict[str, list[ProbedLayer]] = {}
    for _, task, layer in layers:
        layer.penalty(probe)
        layer.release()
        by_task.setdefault(task.name, []).append(layer)
    chosen = {}
    for name, some in by_task.items():
        grid = united_grid([layer.penalty(probe) for layer in some])
        choices = []
        for layer in some:
            own = layer.penalty(probe)
            choices.append(own if own.grid == grid else layer.choice_on(probe, grid))
            layer.release()
        chosen[name] = common_choice(choices)
    return chosen


def _penalties(layers: Sequence[NetTaskLayer], probe: str, which: str) -> dict[str, float]:
    """The penalty of each task by its name; none where each network has its own."""
    if which not in PENALTIES:
        raise unknown("kind of penalties", which, PENALTIES)
    if which == "own":
        return {}
    return {name: choice.penalty for name, choice in common_choices(layers, probe).items()}


def measured_all(
    layers: Iterable[NetTaskLayer],
    *,
    probe: str,
    penalties: str = "common",
    peers: Iterable[NetTaskLayer] | None = None,
    **how: Any,
) -> Measurements:
    """Every layer measured.

    Parameters
    ----------
    layers : iterable of (Net, Task, ProbedLayer)
    probe : str
        ``ridge`` or ``logistic``.
    peers : iterable of (Net, Task, ProbedLayer)
        All that have a penalty in common, where ``layers`` are some of them.
    penalties : str
        ``common``: all networks of a task have the penalty of :func:`common_choices`, so that no
        difference between them is one of penalties. It is a network's own where it is the only
        one. ``own``: each has its own choice.
    **how
        As for :func:`measured`.

    Raises
    ------
    InputError
        If there are no such penalties.

    Examples
    --------
    ``measured_all(session.layers(), probe="ridge", selections=["random"], seeds=[1, 2, 3],
    fractions=[1.0])``
    """
    layers = list(layers)
    at = _penalties(layers if peers is None else list(peers), probe, penalties)
    return Measurements(
        [
            measured(net, task, layer, probe=probe, penalty=at.get(task.name), **how)
            for net, task, layer in layers
        ]
    )


def measured_beside(
    measurements: Measurements, layers: Iterable[NetTaskLayer], **how: Any
) -> Measurements:
    """Further layers, at the penalties that some measurements have on each task.

    Parameters
    ----------
    measurements : Measurements
        Of networks with common penalties, on all these tasks.
    layers : iterable of (Net, Task, ProbedLayer)
        Any network on any of the tasks, not necessarily each on all of them.
    **how
        As for :func:`measured`, but the penalty.
    """
    penalties = {one.task.name: one.penalty for one in measurements.all}
    return Measurements(
        [
            measured(net, task, layer, penalty=penalties[task.name], **how)
            for net, task, layer in layers
        ]
    )


def measured_first_features(
    nets: Mapping[int, Sequence[Net]],
    tasks: Sequence[Task],
    layer: Callable[[Net, Task], ProbedLayer],
    **how: Any,
) -> dict[int, Measurements]:
    """Random subsets *of the first m features* of networks, which are taken for the whole layer.

    Parameters
    ----------
    nets : mapping from m to networks
        At least m features wide.
    tasks : sequence of Task
    layer : callable
        Gives the layer of a network on a task, such as ``session.layer``.
    **how
        As for :func:`measured`; the penalty is common to the networks of one m on a task.

    Returns
    -------
    dict from m to Measurements
    """
    found = {}
    for m, some in nets.items():
        parts = [
            (net, task, layer(net, task).narrowed(np.arange(m), ["first", m], alone=True))
            for net in some
            for task in tasks
        ]
        found[m] = measured_all(parts, selections=["random"], **how)
    return found


def measured_hits(
    layers: Iterable[NetTaskLayer],
    selections: Sequence[str],
    seeds: Sequence[int],
    *,
    of_first: Sequence[str] = (),
    penalties: str = "common",
    peers: Iterable[NetTaskLayer] | None = None,
) -> AllHits:
    """Which test images ridge probes guess right, at every size.

    Measure these first: the probes of :func:`measured_all` come with them at no cost.

    Parameters
    ----------
    layers : iterable of (Net, Task, ProbedLayer)
    selections : sequence of str
    seeds : sequence of int
        Of the selections.
    of_first : sequence of str
        Further selections, of the first network (of the peers, if these are given) only.
    penalties, peers
        As for :func:`measured_all`.
    """
    layers = list(layers)
    peers = layers if peers is None else list(peers)
    at = _penalties(peers, "ridge", penalties)
    hits = {}
    for net, task, layer in layers:
        first = net.name == peers[0][0].name
        for selection in [*selections, *(of_first if first else ())]:
            hits[net.name, task.name, selection] = layer.ridge_hits(
                selection, seeds, penalty=at.get(task.name)
            )
        layer.release()
    return hits


def neuron_variances(layers: Iterable[NetTaskLayer]) -> dict[str, np.ndarray]:
    """The variance of each neuron over the train images, (d,), by the name of the network."""
    variances = {}
    for net, _, layer in layers:
        variances[net.name] = layer.features.X_train.var(0)
        layer.release()
    return variances
