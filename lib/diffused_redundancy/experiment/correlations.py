"""Correlations between the neurons of a layer, in an order that shows their groups."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from ..probes.probe import Arrays
from .probed_layer import ProbedLayer

SHOWN = 128
"""Neurons of a picture, at most."""


@dataclass(frozen=True)
class Correlations:
    """Of the neurons of a layer that vary, over the train images.

    Attributes
    ----------
    matrix : ndarray (s, s)
        Of s neurons, evenly spaced in the order of a clustering of all: neurons that go up and down
        together, or against each other, are neighbours.
    mean_size, strong : float
        Over all pairs of neurons: the mean absolute correlation, and the share of pairs whose
        absolute correlation is above one half.
    neurons : int
        How many vary.
    """

    matrix: np.ndarray = field(repr=False)
    mean_size: float
    strong: float
    neurons: int


def correlations(layer: ProbedLayer) -> Correlations:
    """The correlations of a layer's neurons."""

    def compute() -> Arrays:
        statistics = layer.statistics
        varying = torch.ones(statistics.d, dtype=torch.bool)
        varying[statistics.constant.cpu()] = False
        gram = statistics.gram.cpu().numpy()[varying.numpy()][:, varying.numpy()]
        scale = np.sqrt(np.diag(gram))
        matrix = np.clip(gram / scale / scale[:, None], -1, 1)
        pairs = np.abs(matrix[np.triu_indices(len(matrix), 1)])
        order = clustered(matrix)
        shown = order[np.unique(np.linspace(0, len(order) - 1, SHOWN).round().astype(int))]
        return {
            "matrix": matrix[np.ix_(shown, shown)].astype(np.float32),
            "numbers": np.array([pairs.mean(), (pairs > 0.5).mean(), len(matrix)]),
        }

    kept = layer.measured_once({"measure": "correlations"}, compute, module="correlations")
    mean_size, strong, neurons = kept["numbers"].tolist()
    return Correlations(kept["matrix"], mean_size, strong, int(neurons))


def clustered(matrix: np.ndarray) -> np.ndarray:
    """The order of the leaves of an average-linkage clustering, in which the distance of two
    neurons is one less their absolute correlation.
    """
    from scipy.cluster.hierarchy import average, leaves_list

    distances = 1 - np.abs(matrix[np.triu_indices(len(matrix), 1)])
    order: np.ndarray = leaves_list(average(np.clip(distances, 0, None)))
    return order
