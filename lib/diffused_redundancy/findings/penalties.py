"""The penalties of the probes: what cross-validation chose, and what another choice would have
changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..experiment.probed_layer import Layer

FACTOR = 10.0
"""Times weaker and stronger than the penalty chosen, to see what hangs on it."""

WEAKER, CHOSEN, STRONGER = "ten times weaker", "as chosen", "ten times stronger"


def penalty_table(layers: Mapping[str, Layer]) -> pd.DataFrame:
    """The penalties that cross-validation chose, and whether they lie at an edge of the grid."""
    rows = []
    for case, layer in layers.items():
        for name, choice in (("ridge", layer.ridge_penalty), ("logistic", layer.logistic_penalty)):
            edge = choice.penalty in (choice.grid[0], choice.grid[-1])
            rows.append(
                {
                    "case": case,
                    "probe": name,
                    "penalty": f"{choice.penalty:g}",
                    "validation loss": choice.loss[choice.at],
                    "validation accuracy": choice.accuracy[choice.at],
                    "parts left out in turn": choice.folds,
                    "grid": f"{choice.grid[0]:g} to {choice.grid[-1]:g}"
                    + (" (at its edge)" if edge else ""),
                }
            )
    return pd.DataFrame(rows)


def penalty_effects(
    layers: Mapping[str, Layer], seeds: Sequence[int], sizes: Mapping[str, Sequence[int]]
) -> pd.DataFrame:
    """What a random fifth of each layer keeps of the full layer's test accuracy, in percent, with
    the chosen penalties and others.

    Columns: case, probe, and a share for a penalty ten times weaker, as chosen, and ten times
    stronger, each of the full layer's accuracy with that penalty. Nothing is chosen by them. The
    logistic probes as chosen are those at ``sizes`` (by case), if a fifth is among them.
    """
    rows = []
    for case, layer in layers.items():
        for name, choice in (("ridge", layer.ridge_penalty), ("logistic", layer.logistic_penalty)):
            tried = zip(
                (WEAKER, CHOSEN, STRONGER),
                (choice.penalty / FACTOR, None, choice.penalty * FACTOR),
                strict=True,
            )
            rows.append(
                {"case": case, "probe": name}
                | {
                    words: 100 * _kept(layer, name, seeds, penalty, sizes[case])
                    for words, penalty in tried
                }
            )
    return pd.DataFrame(rows)


def _kept(
    layer: Layer, probe: str, seeds: Sequence[int], penalty: float | None, sizes: Sequence[int]
) -> float:
    """Mean accuracy of a random fifth as a share of the whole layer's, with the chosen penalty or
    another; NaN where that is 0.
    """
    k = layer.at(0.2) + 1
    if probe == "ridge":
        curves = layer.ridge("random", seeds, penalty=penalty)["accuracy"]
        part, full = (
            curves[:, k - 1],
            layer.full("ridge") if penalty is None else float(curves[:, -1].mean()),
        )
    else:
        steps = list(sizes) if penalty is None and k in sizes else [k]
        part = layer.logistic("random", seeds, steps, penalty=penalty)["accuracy"][
            :, steps.index(k)
        ]
        full = float(layer.logistic("first", [0], [layer.d], penalty=penalty)["accuracy"][0, -1])
    return float(np.mean(part)) / full if full > 0 else float("nan")


def describe_penalty_effects(table: pd.DataFrame) -> str:
    """One sentence for each probe on the table of effects."""
    told = []
    for probe, rows in table.groupby("probe", sort=False):
        moved = (rows[[WEAKER, STRONGER]].to_numpy() - rows[[CHOSEN]].to_numpy()).astype(float)
        if not np.isfinite(moved).any():
            continue
        worst = np.nanargmax(np.abs(moved))
        row, column = divmod(int(worst), 2)
        told.append(
            f"of the {probe} probe by at most {abs(moved[row, column]):.1f} points (on "
            f"{rows.iloc[row]['case']}, "
            f"{(WEAKER, STRONGER)[column]}: {rows.iloc[row][CHOSEN]:.1f}% become "
            f"{rows.iloc[row][(WEAKER, STRONGER)[column]]:.1f}%)"
        )
    if not told:
        return "Every accuracy of a full layer is 0: there is nothing to compare."
    return (
        "**What to see:** a penalty ten times weaker or stronger moves what a fifth keeps "
        + ", and ".join(told)
        + ". "
        "Where two results for a task differ by less than its row moves, that may be the "
        "penalty's doing."
    )
