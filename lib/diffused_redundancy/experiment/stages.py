"""The same measures after each stage of a network, as it is and at equal width."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..measures.selections import random_order
from ..nets.networks import Net
from ..tasks import Task
from .measurements import Measurement, measured
from .probed_layer import ProbedLayer

DRAWS = range(1000, 1010)
"""Seeds of the neurons kept to make layers equally wide: not the usual seeds of selections, so that
nothing is drawn twice.
"""


@dataclass(frozen=True)
class Stage:
    """One layer of a network on a task.

    Attributes
    ----------
    name : str
        The layer.
    place : int
        Its position in depth, from 0.
    whole : Measurement
        All of its neurons.
    equal : sequence of Measurement
        As many of its neurons as the narrowest layer has, drawn at random several times, each draw
        taken for the whole; the layer itself if it is no wider.
    """

    name: str
    place: int
    whole: Measurement
    equal: Sequence[Measurement]


def narrowed(layer: ProbedLayer, width: int, seed: int) -> ProbedLayer:
    """A layer made of ``width`` random neurons of another one."""
    kept = np.sort(random_order(layer.d, seed)[:width].numpy())
    return layer.narrowed(kept, [width, seed])


def measured_stages(
    net: Net, task: Task, layers: Mapping[str, ProbedLayer], **how: Any
) -> list[Stage]:
    """Every layer of one network on one task, as it is and at the width of the narrowest.

    Parameters
    ----------
    net, task
    layers : mapping from a name to ProbedLayer
        In order of depth.
    **how
        As for :func:`~.measurements.measured`.
    """
    narrowest = min(layer.d for layer in layers.values())
    stages = []
    for place, (name, layer) in enumerate(layers.items()):
        wider = layer.d > narrowest
        draws = [narrowed(layer, narrowest, seed) for seed in DRAWS] if wider else [layer]
        whole, *equal = (measured(net, task, part, **how) for part in (layer, *draws))
        layer.release()
        stages.append(Stage(name, place, whole, equal))
    return stages


def measured_depths(
    nets: Iterable[Net],
    tasks: Sequence[Task],
    wanted: Sequence[str],
    layer: Callable[[Net, Task, str], ProbedLayer],
    **how: Any,
) -> list[list[Stage]]:
    """The stages of every network on every task.

    Parameters
    ----------
    nets, tasks
    wanted : sequence of str
        ``stages``, ``penultimate`` or names of submodules, in order of depth; see
        :meth:`Net.layers`.
    layer : callable
        Gives a layer of a network on a task by its name, such as ``session.layer``.
    **how
        As for :func:`~.measurements.measured`.
    """
    depths = []
    for net in nets:
        names = list(dict.fromkeys(name for entry in wanted for name in net.layers(entry)))
        for task in tasks:
            layers = {name: layer(net, task, name) for name in names}
            depths.append(measured_stages(net, task, layers, **how))
    return depths
