"""Orders of neurons that are chosen on the train images of one task and used on another, with
networks as the unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from ..measures.cka import cka_curve
from ..measures.curves import size_of
from ..measures.selections import Ordering, ordering
from ..probes.probe import Arrays
from .chosen_orders import FRACTIONS, OrderGain, looking
from .probed_layer import ProbedLayer

Layers = Mapping[str, ProbedLayer]
"""Of one network, by task."""


def transfer_table(
    layers: Mapping[str, Layers],
    own: Mapping[str, Sequence[OrderGain]],
    selections: Sequence[str],
) -> pd.DataFrame:
    """The gains of orders chosen on each task and used on each, itself included: one row per
    network, measure, selection, pair of tasks and size.

    Parameters
    ----------
    layers : mapping from a network to a mapping from a task to ProbedLayer
    own : mapping from a network to a sequence of OrderGain
        Of any orders on these tasks: they say what random neurons reach.
    selections : sequence of str
        Those of neurons that look at the data are used; others do not depend on the task, or are
        directions.
    """
    names = [name for name in selections if name in looking()]
    rows = []
    for net, of_net in layers.items():
        random = {
            (one.measure, one.task, one.gain.k): one.gain.value - one.gain.gain for one in own[net]
        }
        for row in _values(of_net, names) if names else ():
            mean = random.get((row["measure"], row["used_on"], row["k"]))
            if mean is not None:  # there is none for the whole layer
                rows.append({"net": net, **row, "gain": row["value"] - mean})
        for layer in of_net.values():
            layer.release()
    columns = ["measure", "selection", "chosen_on", "used_on", "fraction", "k", "value", "gain"]
    return pd.DataFrame(rows, columns=["net", *columns])


def _values(layers: Layers, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What orders of these selections, chosen on each task, reach on each."""

    @cache
    def chosen() -> list[list[Ordering]]:
        return [[ordering(name, one.statistics) for one in layers.values()] for name in names]

    pairs = [(name, task) for name in names for task in layers]
    origin = {"chosen on": [(task, one.key) for task, one in layers.items()], "by": list(names)}
    for used_on, layer in layers.items():
        sizes = {size_of(fraction, layer.d): fraction for fraction in FRACTIONS}
        for measure, of_orders in _reached(layer, sorted(sizes), origin, chosen).items():
            for (name, chosen_on), values in zip(pairs, of_orders.tolist(), strict=True):
                key = {"measure": measure, "selection": name, "chosen_on": chosen_on}
                for k, value in zip(sorted(sizes), values, strict=True):
                    yield {**key, "used_on": used_on, "fraction": sizes[k], "k": k, "value": value}


def _reached(
    layer: ProbedLayer,
    sizes: list[int],
    origin: dict[str, Any],
    chosen: Callable[[], list[list[Ordering]]],
) -> Arrays:
    """CKA on held-out images, and accuracy, of orders that are chosen if they are not in the cache:
    (orders, s) each.
    """
    alpha = layer.ridge_penalty.penalty

    def compute() -> Arrays:
        probe = layer.ridge_probe_on(layer.features.check_labelled(), alpha)
        cka, accuracy = [], []
        for orders in chosen():  # of one selection
            first = [one.first(sizes[-1]) for one in orders]
            cka.append(cka_curve(layer.test_statistics, first).values[:, np.array(sizes) - 1])
            accuracy.append(probe.evaluate(orders, sizes, by_class=False)["values"])
        return {"cka": np.concatenate(cka), "ridge_accuracy": np.concatenate(accuracy)}

    what = {"measure": "transfer", "sizes": sizes, "penalty": alpha, **origin}
    what["standardize"] = layer.standardize
    return layer.measured_once(what, compute, module="transfer")
