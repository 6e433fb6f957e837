"""What a reader can look up by network, task, selection and size: the numbers behind a page that is
explored without a kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..experiment.measurements import AllHits, Measurement, Measurements
from ..measures.curves import Curve, size_of
from ..measures.hits import Hits
from ..measures.selections import SELECTIONS, random_order

SIZES = 60
"""Sizes of each curve, evenly spread over the logarithm, at most."""

IN_TABLE = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of the layer in the table for those without scripts."""

BYTES = 4
"""Of one feature of an image, in float32."""


def sizes_shown(d: int) -> list[int]:
    """Sizes from 1 to d, evenly spread over the logarithm, those of :data:`IN_TABLE` among them.

    >>> sizes_shown(512)[-3:], len(sizes_shown(512)) < SIZES
    ([414, 461, 512], True)
    """
    spread = np.unique(np.geomspace(1, d, SIZES).round().astype(int)).tolist()
    return sorted({*spread, *(size_of(share, d) for share in IN_TABLE)})


def explorer_data(measurements: Measurements, hits: AllHits, seed: int) -> dict[str, Any]:
    """Everything that the page needs, as JSON values: means over the seeds of a selection.

    Parameters
    ----------
    measurements : Measurements
    hits : mapping
        Right guesses by network, task and selection, for accuracy by class; where there are none,
        the worst class is not known.
    seed : int
        Of the order of neurons that is shown; numbers are means over all seeds.

    Returns
    -------
    dict
        ``cases``, one a network, task and selection; ``selections``, with their labels; ``orders``,
        the neurons of each width in the order of the seed.
    """
    cases = [
        _case(
            one,
            measurements.label(one.net),
            selection,
            hits.get((one.net.name, one.task.name, selection)),
        )
        for one in measurements.all
        for selection in one.accuracy
    ]
    widths = {case["d"] for case in cases}
    names = dict.fromkeys(case["selection"] for case in cases)
    return {
        "cases": cases,
        "selections": {
            name: {"label": SELECTIONS[name].label, "directions": SELECTIONS[name].directions}
            for name in names
        },
        "orders": {str(d): random_order(d, seed).tolist() for d in sorted(widths)},
        "seed": seed,
    }


def _case(one: Measurement, net: str, selection: str, hits: Hits | None) -> dict[str, Any]:
    accuracy, cka = one.curve("accuracy", selection), one.curve("cka", selection)
    sizes = [k for k in sizes_shown(one.d) if k <= accuracy.sizes[-1]]
    worst, classes = ([], []) if hits is None else _worst(hits, sizes)
    return {
        "net": net,
        "task": one.task.title,
        "selection": selection,
        "d": one.d,
        "seeds": len(accuracy.seeds),
        "full": _rounded([accuracy.full])[0],
        "guessing": None if accuracy.guessing is None else _rounded([accuracy.guessing])[0],
        "sizes": sizes,
        "accuracy": _rounded(_at(accuracy, accuracy.mean, sizes)),
        "cka": _rounded(_at(cka, cka.mean, sizes)),
        "worst": worst,
        "worst_class": [one.task.classes[place] for place in classes] if worst else [],
    }


def _at(curve: Curve, values: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Values of a curve, (s, ...), at sizes that were measured."""
    return values[np.searchsorted(curve.sizes, sizes)]


def _worst(hits: Hits, sizes: Sequence[int]) -> tuple[list[float], list[int]]:
    """The least accuracy of a class at each size, mean over seeds, and the class."""
    by_class = hits.by_class[:, np.asarray(sizes) - 1].mean(0)
    lowest = np.nanargmin(by_class, axis=1)
    return _rounded(by_class[np.arange(len(sizes)), lowest]), lowest.tolist()


def _rounded(values: Sequence[float] | np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]


def explorer_rows(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the table for those without scripts: each case at :data:`IN_TABLE`."""
    rows = []
    for case in data["cases"]:
        for share in IN_TABLE:
            k = size_of(share, case["d"])
            if k not in case["sizes"]:
                continue
            at = case["sizes"].index(k)
            worst = f"{case['worst'][at]:.1%} ({case['worst_class'][at]})" if case["worst"] else "–"
            rows.append(
                {
                    "network": case["net"],
                    "task": case["task"],
                    "selection": data["selections"][case["selection"]]["label"],
                    "k": k,
                    "accuracy": f"{case['accuracy'][at]:.1%}",
                    "CKA": f"{case['cka'][at]:.3f}",
                    "worst class": worst,
                    "bytes an image": BYTES * k,
                }
            )
    return rows
