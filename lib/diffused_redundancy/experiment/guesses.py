"""What ridge probes guess of single test images, from the whole layer and from random parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ..measures.curves import size_of
from ..measures.selections import orderings
from ..probes.probe import Arrays
from ..probes.ridge import ridge_alpha
from .probed_layer import ProbedLayer

FIFTH = 0.2
"""Share of the neurons in a part."""


@dataclass(frozen=True)
class Guesses:
    """Guesses of m test images.

    Attributes
    ----------
    labels : ndarray of int (m,)
    whole : ndarray of int (m,)
        The classes that the probe on the whole layer guesses.
    parts : ndarray of int (seeds, m)
        Those of probes on random parts of k neurons.
    k, d : int
        Neurons of a part and of the layer.
    """

    labels: np.ndarray = field(repr=False)
    whole: np.ndarray = field(repr=False)
    parts: np.ndarray = field(repr=False)
    k: int
    d: int


@dataclass(frozen=True)
class OneImage:
    """One test image on its way through a layer, a random part of it, and probes.

    Attributes
    ----------
    place : int
        Of the image in the test part.
    label : int
    features : ndarray (d,)
    chosen : ndarray of int (k,)
        The neurons of the part.
    part, whole : ndarray (C,)
        Scores of the classes by the probes on the part and on the whole layer.
    """

    place: int
    label: int
    features: np.ndarray = field(repr=False)
    chosen: np.ndarray = field(repr=False)
    part: np.ndarray = field(repr=False)
    whole: np.ndarray = field(repr=False)


def ridge_scores(
    layer: ProbedLayer, neurons: torch.Tensor, penalty: float, images: slice = slice(None)
) -> np.ndarray:
    """Scores of the classes, (images, C), of test images by the ridge probe on some neurons."""
    statistics = layer.statistics
    cross, prior = statistics.right_hand_side()
    neurons = neurons.to(cross.device)
    gram = statistics.gram[neurons][:, neurons]
    gram.diagonal().add_(ridge_alpha(statistics, penalty))
    weights: torch.Tensor = torch.linalg.solve(gram, cross[neurons])
    X = torch.as_tensor(np.asarray(layer.features.check_labelled().X_test[images]))
    rows = X.to(cross.device)[:, neurons].double() - statistics.mean[neurons]
    return (rows @ weights + prior).cpu().numpy()


def _random_parts(layer: ProbedLayer, seeds: Sequence[int], k: int) -> list[torch.Tensor]:
    """The first k neurons of the random order of each seed."""
    made = orderings("random", layer.statistics, seeds)
    return [one.order[:k] for one in made if one.order is not None]


def guesses_of_fifths(layer: ProbedLayer, seeds: Sequence[int], penalty: float) -> Guesses:
    """What probes on random fifths guess, beside the whole layer's, for each seed."""
    k = size_of(FIFTH, layer.d)

    def compute() -> Arrays:
        whole = ridge_scores(layer, torch.arange(layer.d), penalty).argmax(1)
        parts = [
            ridge_scores(layer, neurons, penalty).argmax(1)
            for neurons in _random_parts(layer, seeds, k)
        ]
        return {
            "labels": np.asarray(layer.features.y_test, dtype=np.int64),
            "whole": whole,
            "parts": np.stack(parts).astype(np.int32),
        }

    what = {"measure": "guesses", "seeds": list(seeds), "k": k, "penalty": penalty}
    return Guesses(**layer.measured_once(what, compute, module="guesses"), k=k, d=layer.d)


def one_image(layer: ProbedLayer, seed: int, penalty: float, place: int = 0) -> OneImage:
    """A test image, by default the first, with a random fifth of the neurons."""
    k = size_of(FIFTH, layer.d)

    def compute() -> Arrays:
        (chosen,) = _random_parts(layer, [seed], k)
        one = slice(place, place + 1)
        return {
            "label": np.asarray(layer.features.y_test)[one].astype(np.int64),
            "features": np.asarray(layer.features.X_test[place], dtype=float),
            "chosen": chosen.cpu().numpy(),
            "part": ridge_scores(layer, chosen, penalty, one)[0],
            "whole": ridge_scores(layer, torch.arange(layer.d), penalty, one)[0],
        }

    what = {"measure": "one image", "seed": seed, "k": k, "penalty": penalty, "place": place}
    kept = dict(layer.measured_once(what, compute, module="guesses"))
    return OneImage(place, int(kept.pop("label")[0]), **kept)
