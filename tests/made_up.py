"""Networks, tasks and measurements made up, with curves whose answers are known."""

from __future__ import annotations

import numpy as np
from diffused_redundancy.experiment.measurements import Measurement
from diffused_redundancy.measures.curves import Curve
from diffused_redundancy.nets.networks import Net, Origin, Preprocessing
from diffused_redundancy.tasks import Task

D = 100

MEASURED = ("ridge_accuracy", "cka", "standardized_cka")


def net(name: str, *, d: int = D, **origin) -> Net:
    how = {"family": "resnet", "loss": "standard", "upstream": "letters", "seed": 1, **origin}
    preprocessing = Preprocessing(32, (0.5,) * 3, (0.25,) * 3)
    return Net(name, d, preprocessing, name, "here", "MIT", Origin(**how), lambda: None)  # type: ignore[arg-type, return-value]


def task(name: str = "t", labels: str = "abcd") -> Task:
    return Task(name, name.upper(), tuple(labels), name, "here", "MIT", lambda: None)  # type: ignore[arg-type, return-value]


def curve(
    values: np.ndarray,
    *,
    measure: str = "ridge_accuracy",
    selection: str = "random",
    full: float | None = None,
    per_class: np.ndarray | None = None,
    sizes: list[int] | None = None,
    d: int | None = None,
) -> Curve:
    """A curve of values (seeds, s), by default at every size."""
    seeds, s = values.shape
    steps = np.arange(1, s + 1) if sizes is None else np.array(sizes)
    whole = float(values[0, -1]) if full is None else full
    return Curve(
        measure, selection, tuple(range(1, seeds + 1)), steps, values, d or s, whole, per_class
    )


def rising(
    k_star: int, d: int = D, seeds: int = 5, top: float = 0.8, jitter: int = 1
) -> np.ndarray:
    """Curves (seeds, d) that reach 90% of ``top`` at about ``k_star``, one neuron apart from seed
    to seed.
    """
    k = np.arange(1, d + 1)
    return np.stack(
        [
            top * np.minimum(1.0, 0.9 * k / (k_star + jitter * (i - seeds // 2)))
            for i in range(seeds)
        ]
    )


def measurement(
    network: Net,
    where: Task,
    k_star: int,
    *,
    first: int | None = None,
    top: float = 0.8,
    cka: int | None = None,
    standardized: int | None = None,
    seeds: int = 5,
) -> Measurement:
    """DR(0.9) of accuracy at ``k_star``, of CKA there or at ``cka``, of standardized neurons there
    or at ``standardized``, of the prefix at ``first``.
    """
    similar = cka or k_star
    chosen = {"random": (k_star, similar, standardized or similar, seeds)}
    if first is not None:
        chosen["first"] = (first, first, first, 1)
    curves: tuple[dict[str, Curve], ...] = ({}, {}, {})
    for selection, (*sizes, rows) in chosen.items():
        for found, measure, k in zip(curves, MEASURED, sizes, strict=True):
            whole = top if measure == "ridge_accuracy" else 1.0
            values = rising(k, network.d, rows, whole)
            found[selection] = curve(values, measure=measure, selection=selection, full=whole)
    return Measurement(network, where, *curves, {"d": network.d, "diagonal_share": 0.1})
