"""The penalties of the probes: what cross-validation chose, and what another choice would have
changed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..experiment.probed_layer import ProbedLayer
from ..measures.curves import Curve, size_of
from .tables import Curves

PROBES = ("ridge", "logistic")
FACTOR = 10.0
"""Times weaker and stronger than the penalty chosen, to see what hangs on it."""

WEAKER, CHOSEN, STRONGER = "ten times weaker", "as chosen", "ten times stronger"


def penalty_table(layers: Mapping[str, ProbedLayer]) -> pd.DataFrame:
    """The penalties that cross-validation chose, and whether they lie at an edge of the grid."""
    rows = []
    for case, layer in layers.items():
        for probe in PROBES:
            choice = layer.penalty(probe)
            least, largest = choice.grid[0], choice.grid[-1]
            edge = " (at its edge)" if choice.at_edge else ""
            rows.append(
                {
                    "case": case,
                    "probe": probe,
                    "penalty": f"{choice.penalty:g}",
                    "validation loss": choice.loss[choice.at],
                    "validation accuracy": choice.accuracy[choice.at],
                    "parts left out in turn": choice.folds,
                    "grid": f"{least:g} to {largest:g}{edge}",
                }
            )
    return pd.DataFrame(rows)


def penalty_effects(
    layers: Mapping[str, ProbedLayer], ridge: Curves, logistic: Curves
) -> pd.DataFrame:
    """What a random fifth of each layer keeps of the full layer's test accuracy, in percent, with
    the chosen penalties and others. Nothing is chosen by them.

    Parameters
    ----------
    layers : mapping from a case to ProbedLayer
    ridge, logistic : Curves
        With the penalties chosen; random neurons among them.

    Returns
    -------
    DataFrame
        Columns case, probe, and a share for a penalty ten times weaker, as chosen, and ten times
        stronger, each of the full layer's accuracy with that penalty; NaN where that is 0.
    """
    rows = []
    for case, layer in layers.items():
        for probe, curve in (
            ("ridge", ridge[case]["random"]),
            ("logistic", logistic[case]["random"]),
        ):
            chosen = layer.penalty(probe).penalty
            if curve.column(size_of(0.2, layer.d)) is None:
                curve = _random_fifth(layer, probe, curve.seeds, chosen)
            rows.append(
                {
                    "case": case,
                    "probe": probe,
                    WEAKER: _kept(_random_fifth(layer, probe, curve.seeds, chosen / FACTOR)),
                    CHOSEN: _kept(curve),
                    STRONGER: _kept(_random_fifth(layer, probe, curve.seeds, chosen * FACTOR)),
                }
            )
    return pd.DataFrame(rows)


def _random_fifth(layer: ProbedLayer, probe: str, seeds: tuple[int, ...], penalty: float) -> Curve:
    """A curve that has a fifth of the neurons among its sizes."""
    if probe == "ridge":
        return layer.ridge("random", seeds, penalty=penalty)
    return layer.logistic("random", seeds, [size_of(0.2, layer.d)], penalty=penalty)


def _kept(curve: Curve) -> float:
    """Mean accuracy of a fifth of the layer, in percent of the whole layer's."""
    if not curve.full > 0:
        return float("nan")
    return 100 * float(curve.at_fraction(0.2).mean()) / curve.full


def describe_penalty_effects(table: pd.DataFrame) -> str:
    """One sentence for each probe on the table of effects."""
    sentences = []
    for probe, rows in table.groupby("probe", sort=False):
        moved = (rows[[WEAKER, STRONGER]].to_numpy() - rows[[CHOSEN]].to_numpy()).astype(float)
        if not np.isfinite(moved).any():
            continue
        row, column = divmod(int(np.nanargmax(np.abs(moved))), 2)
        other = (WEAKER, STRONGER)[column]
        most = rows.iloc[row]
        sentences.append(
            f"of the {probe} probe by at most {abs(moved[row, column]):.1f} points (on "
            f"{most['case']}, {other}: {most[CHOSEN]:.1f}% become {most[other]:.1f}%)"
        )
    if not sentences:
        return "Every accuracy of a full layer is 0: there is nothing to compare."
    return (
        "**What to see:** a penalty ten times weaker or stronger moves what a fifth keeps "
        f"{', and '.join(sentences)}. Where two results for a task differ by less than its row "
        "moves, that may be the penalty's doing."
    )
