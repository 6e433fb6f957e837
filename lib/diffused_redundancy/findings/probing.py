"""What the notebooks do between measuring and showing: tables, panels, and sentences that follow
from numbers.

Throughout, a *case* is a net on a task, named as figures name it; ``curves[case][selection]`` is an
array (seeds, sizes) and ``layers[case]`` the layer measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..experiment.probed_layer import Layer
from ..measure.redundancy import Redundancy, diffused_redundancy
from ..report.figures import bars_figure
from .figure_data import Line, Panel
from .tables import redundancy_rows, shown_redundancy, tidy

if TYPE_CHECKING:
    from ..session import Session

Curves = Mapping[str, Mapping[str, np.ndarray]]
Layers = Mapping[str, Layer]


def curve_table(
    curves: Curves,
    layers: Layers,
    seeds: Sequence[int],
    *,
    measure: str,
    sizes: Mapping[str, Sequence[int]] | None = None,
) -> pd.DataFrame:
    """Every value of every curve: columns measure, case, selection, seed, k, value."""
    frames = []
    for case, found in curves.items():
        for selection, values in found.items():
            steps = (
                np.arange(1, values.shape[1] + 1)
                if sizes is None
                else np.asarray(sizes[case])[: values.shape[1]]
            )
            frames.append(
                tidy(
                    values,
                    steps,
                    layers[case].seeds(selection, seeds),
                    measure=measure,
                    case=case,
                    selection=selection,
                )
            )
    return pd.concat(frames, ignore_index=True)


def panels(
    curves: Curves,
    layers: Layers,
    *,
    sizes: Mapping[str, Sequence[int]] | None = None,
    full: Mapping[str, float] | None = None,
    predicted: bool = False,
    threshold: float | None = None,
) -> list[Panel]:
    """One plot a case. ``threshold`` is relative to the full layer where that is given."""
    drawn = []
    for case, found in curves.items():
        d = layers[case].d
        lines = []
        for selection, values in found.items():
            if not values.shape[1]:
                continue
            steps = (
                np.arange(1, values.shape[1] + 1)
                if sizes is None
                else np.asarray(sizes[case])[: values.shape[1]]
            )
            lines.append(Line(selection, steps, values, marked=sizes is not None))
        whole = None if full is None else full[case]
        level = None if threshold is None else threshold * (1.0 if whole is None else whole)
        form = layers[case].closed_form() if predicted and "random" in found else None
        label = (
            ""
            if threshold is None
            else f"{threshold:g}"
            if whole is None
            else f"{threshold:.0%} of the full layer"
        )
        drawn.append(Panel(case, d, lines, whole, form, level, label))
    return drawn


def listed(parts: Sequence[str]) -> str:
    """Parts as a phrase: a; a and b; a, b and c."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def describe_cka(curves: Curves, layers: Layers) -> str:
    """One sentence on what the CKA figure shows."""
    told = []
    for case, found in curves.items():
        if "random" not in found:
            continue
        k = layers[case].at(0.1) + 1
        values = found["random"][:, k - 1]
        told.append(f"{values.mean():.2f} on {case} ({values.min():.2f} to {values.max():.2f})")
    if not told:
        return "No random neurons were asked for."
    return (
        "**What to see:** with a tenth of the neurons, chosen at random, CKA with the "
        "whole layer is "
        f"{listed(told)}; it can be at "
        "most 1."
    )


@dataclass(frozen=True)
class ClosedFormErrors:
    """How far the closed form is from measured means: lines for a figure and their data, a table,
    and a sentence.
    """

    lines: list[tuple[str, int, np.ndarray, np.ndarray]]
    table: pd.DataFrame
    sentence: str
    curves: pd.DataFrame


def closed_form_errors(random: Mapping[str, np.ndarray], layers: Layers) -> ClosedFormErrors:
    """Compare the closed form with the mean of random curves (seeds, d)."""
    lines, rows, curves = [], [], []
    for case, values in random.items():
        predicted = layers[case].closed_form()
        error = predicted - values.mean(0)
        spread = (
            values.std(0, ddof=1) / np.sqrt(len(values))
            if len(values) > 1
            else np.full(values.shape[1], np.nan)
        )
        lines.append((case, values.shape[1], error, 2 * np.nan_to_num(spread)))
        k = np.arange(1, values.shape[1] + 1)
        curves.append(
            pd.DataFrame(
                {
                    "case": case,
                    "k": k,
                    "closed_form": predicted,
                    "mean": values.mean(0),
                    "standard_error": spread,
                }
            )
        )
        late = layers[case].at(0.1)
        far = np.flatnonzero(np.abs(error) > 0.02)
        rows.append(
            {
                "case": case,
                "r": layers[case].about()["diagonal_share"],
                "largest error, all k": float(np.abs(error).max()),
                "at k": int(np.abs(error).argmax()) + 1,
                "largest error, k ≥ 10%": float(np.abs(error[late:]).max()),
                "within 0.02 from k": int(far[-1]) + 2 if len(far) else 1,
            }
        )
    table = pd.DataFrame(rows)
    worst, late_worst = table["largest error, all k"].max(), table["largest error, k ≥ 10%"].max()
    sentence = (
        "**What to see:** from a tenth of the neurons on, the prediction is within "
        f"{late_worst:.3f} of the measured mean in every case; "
        f"over all sizes the largest error is {worst:.3f} (at k = "
        f"{int(table.loc[table['largest error, all k'].idxmax(), 'at k'])})."
    )
    return ClosedFormErrors(lines, table, sentence, pd.concat(curves, ignore_index=True))


def debiased_rows(
    plain: Mapping[str, np.ndarray], debiased: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """The mean difference of plain and debiased CKA over seeds, by case."""
    rows = []
    for case, values in plain.items():
        gap = (values - debiased[case]).mean(0)
        d = len(gap)
        at = max(int(0.1 * d), 1) - 1
        rows.append(
            {
                "case": case,
                "plain at 10%": float(values[:, at].mean()),
                "debiased at 10%": float(debiased[case][:, at].mean()),
                "largest difference": float(np.nanmax(np.abs(gap))),
                "at k": int(np.nanargmax(np.abs(gap))) + 1,
            }
        )
    return pd.DataFrame(rows)


def describe_debiased(rows: pd.DataFrame) -> str:
    """One sentence on the difference of plain and debiased CKA."""
    worst = rows["largest difference"].max()
    verdict = (
        "the number of images is large enough"
        if worst < 0.01
        else "with these few images plain CKA is visibly biased"
    )
    return f"**What to see:** the two differ by at most {worst:.4f} at any size: {verdict}."


@dataclass(frozen=True)
class RedundancyTable:
    """DR of one measure, for every case, selection and delta."""

    measure: str
    rows: list[dict[str, Any]]
    found: dict[tuple[str, str, float], Redundancy]

    @property
    def tidy(self) -> pd.DataFrame:
        """Every row, as numbers."""
        return pd.DataFrame(self.rows)

    def shown(self, selection: str) -> pd.DataFrame:
        """For reading: one selection."""
        rows = [
            {name: value for name, value in row.items() if name != "selection"}
            for row in self.rows
            if row["selection"] == selection
        ]
        return (
            shown_redundancy(rows)
            if rows
            else pd.DataFrame({"note": [f"{selection} was not asked for"]})
        )

    def results(self, selection: str = "random") -> dict[str, float]:
        """Key numbers: DR by case and delta."""
        return {
            f"DR({delta:g}) of {self.measure}, {case}": found.value
            for (case, name, delta), found in self.found.items()
            if name == selection
        }


def redundancy_table(
    curves: Curves,
    layers: Layers,
    deltas: Sequence[float],
    *,
    measure: str,
    full: Mapping[str, float] | None = None,
    sizes: Mapping[str, Sequence[int]] | None = None,
) -> RedundancyTable:
    """DR by case, selection and delta; without ``full`` the full layer's value is 1, as for CKA."""
    rows, found = [], {}
    for case, kinds in curves.items():
        d = layers[case].d
        whole = 1.0 if full is None else full[case]
        for selection, values in kinds.items():
            if not values.shape[1]:
                continue
            steps = None if sizes is None else np.asarray(sizes[case])[: values.shape[1]]
            rows += redundancy_rows(
                values,
                deltas,
                full=whole,
                d=d,
                sizes=steps,
                case=case,
                selection=selection,
                measure=measure,
            )
            for delta in deltas:
                found[case, selection, delta] = diffused_redundancy(
                    values, delta, full=whole, d=d, sizes=steps
                )
    return RedundancyTable(measure, rows, found)


def probe_fulls(layers: Layers, probe: str) -> dict[str, float]:
    """The full layer's accuracy of each case with the ``ridge`` or the ``logistic`` probe."""
    return {case: layer.full(probe) for case, layer in layers.items()}


def describe_probes(
    curves: Curves, layers: Layers, full: Mapping[str, float], sizes: Mapping[str, Sequence[int]]
) -> str:
    """One sentence on what the figure of probes shows."""
    told = []
    for case, found in curves.items():
        k = layers[case].at(0.2) + 1
        if k in list(sizes[case]):
            values = found["random"][:, list(sizes[case]).index(k)].mean()
            told.append(f"{values:.1%} against {full[case]:.1%} on {case}")
    if not told:
        return "A fifth of the neurons is not among the sizes measured."
    return (
        "**What to see:** with a fifth of the neurons, chosen at random, the probe's "
        "accuracy, against the full "
        "layer's, is "
        f"{listed(told)}."
    )


def shares_of_a_fifth(
    curves: Curves, layers: Layers, full: Mapping[str, float], sizes: Mapping[str, Sequence[int]]
) -> dict[str, np.ndarray]:
    """Accuracy of a random fifth as a share of the full layer's, (seeds,) by case; cases without
    that size are left out.
    """
    shares = {}
    for case, found in curves.items():
        k = layers[case].at(0.2) + 1
        if k in list(sizes[case]) and full[case] > 0:
            shares[case] = found["random"][:, list(sizes[case]).index(k)] / full[case]
    return shares


def agreement(
    ridge: Curves, logistic: Curves, layers: Layers, sizes: Mapping[str, Sequence[int]]
) -> pd.DataFrame:
    """How far the two probes are apart, over the sizes both have, for random neurons."""
    rows = []
    for case, found in logistic.items():
        steps = np.asarray(sizes[case])
        gap = ridge[case]["random"][:, steps - 1].mean(0) - found["random"].mean(0)
        widest = int(np.abs(gap).argmax())
        rows.append(
            {
                "case": case,
                "ridge, full layer": layers[case].full("ridge"),
                "logistic, full layer": layers[case].full("logistic"),
                "largest gap": 100 * float(gap[widest]),
                "at k": int(steps[widest]),
                "gap at a fifth": 100 * float(gap[list(steps).index(layers[case].at(0.2) + 1)])
                if layers[case].at(0.2) + 1 in steps
                else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def describe_agreement(table: pd.DataFrame) -> str:
    """What the table of the two probes means for reading the rest."""
    worst, fifth = table["largest gap"].abs().max(), table["gap at a fifth"].abs().max()
    text = f"**What to see:** the two probes differ by up to {worst:.0f} points at some size"
    text += (
        f", and by up to {fifth:.1f} points at a fifth of the layer. " if fifth == fifth else ". "
    )
    widest = table.loc[table["largest gap"].abs().idxmax()]
    if widest["largest gap"] < -2:
        return text + (
            f"Where they differ most, on {widest['case']} at k = {widest['at k']}, the ridge "
            "probe is the lower one. "
            "So read the shape of its exact curves, and take the levels from the logistic "
            "probe, which is the paper's."
        )
    return text + "Where they differ, the logistic probe is the paper's."


def redundancy_figure(
    table: RedundancyTable, deltas: Sequence[float], selection: str = "random"
) -> Figure:
    """DR with its interval by case, one mark per delta."""
    cases = list(dict.fromkeys(case for case, name, _ in table.found if name == selection))
    series = []
    for delta in deltas:
        found = [table.found[case, selection, delta] for case in cases]
        value, low, high = (
            np.array([getattr(one, name) for one in found]) for name in ("value", "low", "high")
        )
        series.append((f"δ = {delta:g}", value, low, high))
    return bars_figure(
        cases, series, f"DR(δ) of {table.measure}:\nshare of the layer that can be dropped"
    )


def describe_redundancy(
    table: RedundancyTable, deltas: Sequence[float], selection: str = "random"
) -> str:
    """One sentence on the figure of DR."""
    delta = 0.9 if 0.9 in deltas else deltas[0]
    found = {
        case: one
        for (case, name, at), one in table.found.items()
        if name == selection and at == delta
    }
    told = [f"{one.value:.0%} on {case}" for case, one in found.items() if one.k is not None]
    if not told:
        return f"No size measured keeps {delta:.0%} of the full layer's {table.measure}."
    return (
        f"**What to see:** the share of neurons that can be dropped while {delta:.0%} of "
        f"{table.measure} is kept: "
        f"{listed(told)}."
    )


def redundancy_by_net(
    table: RedundancyTable, study: Session, delta: float, selection: str = "random"
) -> dict[str, dict[str, Redundancy]]:
    """DR at one delta by net and task title."""
    return {
        name: {
            task.title: table.found[study.title(one, task), selection, delta]
            for task in study.tasks
        }
        for name, one in study.titles().items()
    }


PAPER_DR = (
    ("ViT S-16", 384, 0.6482, 0.70, 0.50, 0.50, 0.80),
    ("ViT S-32", 384, 0.5573, 0.70, 0.50, 0.50, 0.70),
    ("ResNet18", 512, 0.6923, 0.80, 0.50, 0.50, 0.90),
)
"""Table 1 of the ICLR version: net, d, ImageNet top-1, DR(0.9) on CIFAR10, CIFAR100, Flowers, Pets.
"""


def paper_table() -> pd.DataFrame:
    """The printed values to compare with."""
    columns = [
        "net",
        "d",
        "ImageNet top-1",
        "DR, CIFAR10",
        "DR, CIFAR100",
        "DR, Flowers",
        "DR, Pets",
    ]
    return pd.DataFrame(PAPER_DR, columns=columns)


def beside_paper(table: RedundancyTable, selection: str = "random", delta: float = 0.9) -> str:
    """One sentence that sets this run's DR beside the printed range."""
    ours = [
        one.value
        for (_, name, at), one in table.found.items()
        if name == selection and at == delta and one.k is not None
    ]
    if not ours:
        return f"This run did not measure DR({delta:g})."
    printed = [value for row in PAPER_DR for value in row[3:]]
    return (
        f"In the paper DR({delta:g}) of these nets goes from {min(printed):.2f} to "
        f"{max(printed):.2f} over four tasks; in this run, for "
        f"logistic probes at the fractions above, from {min(ours):.2f} to {max(ours):.2f} over "
        f"{len(ours)} case{'s' if len(ours) > 1 else ''}."
    )
