"""The penalties of the probes: what cross-validation chose, and what another choice would have
changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..experiment.measurements import Measurements
from ..experiment.penalty_bands import GroupBands, PenaltyBand
from ..experiment.probed_layer import ProbedLayer
from ..measures.curves import Curve, size_of
from ..measures.redundancy import Redundancy
from ..nets.networks import Net
from ..tasks import Task
from .figure_data import Point, Series, point
from .phrases import lines, listed, place, span
from .tables import Curves

PROBES = ("ridge", "logistic")
FACTOR = 10.0
"""Times weaker and stronger than the penalty chosen, to see what depends on it."""

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
                    "folds": choice.folds,
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
        few = logistic[case]["random"].seeds  # the same for both probes
        for probe, curve in (
            ("ridge", ridge[case]["random"]),
            ("logistic", logistic[case]["random"]),
        ):
            chosen = layer.penalty(probe).penalty
            if curve.column(size_of(0.2, layer.d)) is None or curve.seeds != few:
                curve = _random_fifth(layer, probe, few, chosen)
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
            f"{place(most['case'])}, {other}: {most[CHOSEN]:.1f}% become {most[other]:.1f}%)"
        )
    if not sentences:
        return "Every accuracy of a full layer is 0: there is nothing to compare."
    return (
        "**What to see:** a penalty ten times weaker or stronger moves what a fifth keeps "
        f"{', and '.join(sentences)}. Where two results for a task differ by less than its row "
        "in the table moves, the penalty may be the reason."
    )


def group_bands_table(bands: Mapping[str, GroupBands], tasks: Sequence[Task]) -> pd.DataFrame:
    """For reading: the penalties of each task, and one row per group with the width of its band on
    each.
    """
    if not bands:
        return pd.DataFrame({"note": ["bands over penalties are of ridge probes"]})
    rows: dict[str, dict[str, str]] = {"": {"group": "penalties"}}
    for name, of_task in bands.items():
        title = next(task.title for task in tasks if task.name == name)
        rows[""][title] = span(of_task.penalties, "g")
        for label in of_task.values:
            band = of_task.group(label)
            rows.setdefault(label, {"group": label})[title] = (
                f"{band.width:.3f} ({band.low:.3f} to {band.high:.3f})"
            )
    return pd.DataFrame(rows.values())


def describe_widths(bands: Mapping[str, GroupBands], tasks: Sequence[Task]) -> str:
    """A sentence with a line a task: how far DR moves over the penalties, in the group where it
    moves least and in the one where it moves most.
    """
    rows = []
    for name, of_task in bands.items():
        widths = {label: of_task.group(label).width for label in of_task.values}
        known = {label: width for label, width in widths.items() if np.isfinite(width)}
        if not known:
            continue
        title = next(task.title for task in tasks if task.name == name)
        least, most = (choose(known, key=known.__getitem__) for choose in (min, max))
        ends = [f"{known[label]:.3f} ({label})" for label in dict.fromkeys((least, most))]
        rows.append(f"{title}: {' to '.join(ends)}")
    if not rows:
        return "There is no DR that could move: no full layer is clearly better than guessing."
    delta = next(iter(bands.values())).delta
    lead = f"**What to see:** how far DR({delta:g}) moves over these penalties"
    if any(len(of_task.values) > 1 for of_task in bands.values()):
        lead += ", in the group where it moves least and in the one where it moves most"
    return lines(lead, rows)


def bands_table(bands: Mapping[str, PenaltyBand]) -> pd.DataFrame:
    """One row per case: the penalty in force, the span of the band's, and DR over them."""
    return pd.DataFrame(
        {
            "case": case,
            "penalty": f"{band.penalty:g}",
            "penalties of the band": span(band.penalties, "g"),
            "δ": band.delta,
            "DR(δ)": band.chosen,
            "least": band.low,
            "most": band.high,
            "width": band.width,
            "orders": band.seeds,
        }
        for case, band in bands.items()
    )


def band_series(bands: Mapping[str, PenaltyBand], ridge: Curves) -> tuple[list[str], list[Series]]:
    """What :func:`figures.points_figure` draws: DR of random neurons of each case with its interval
    over selections, and beside it with its band over penalties.
    """
    places = range(len(bands))
    return list(bands), [
        Series(
            "interval over subsets and images",
            places,
            [point(_stated(ridge[case]["random"], band)) for case, band in bands.items()],
            look=0,
        ),
        Series(
            "band over penalties",
            places,
            [Point(band.chosen, band.low, band.high) for band in bands.values()],
            look=1,
        ),
    ]


def _stated(curve: Curve, band: PenaltyBand) -> Redundancy:
    """DR at the band's delta, withheld where the full layer guesses."""
    redundancy = curve.redundancy(band.delta)
    return redundancy if curve.above_guessing else redundancy.withheld()


def describe_bands(bands: Mapping[str, PenaltyBand], ridge: Curves) -> str:
    """How wide the widest band is, where one is wider than the interval beside it, and where it
    leaves out the DR beside it.
    """
    known = {case: band for case, band in bands.items() if np.isfinite(band.width)}
    if not known:
        return "No full layer is clearly better than guessing: there is no DR to look at."
    widest = max(known, key=lambda case: known[case].width)
    band = known[widest]
    intervals = {case: _stated(ridge[case]["random"], band) for case in known}
    if band.width == 0:
        text = (
            f"**What to see:** no DR({band.delta:g}) depends on which of the penalties that cannot "
            "be told apart is taken."
        )
    else:
        text = (
            f"**What to see:** the widest band is that of {place(widest)}: penalties from "
            f"{band.penalties[0]:g} to {band.penalties[-1]:g} give a DR({band.delta:g}) of "
            f"{band.low:.3f} to {band.high:.3f}.{_beside_intervals(known, intervals)}"
        )
    beside = {place(case): (known[case].chosen, one.value) for case, one in intervals.items()}
    return text + _fewer_orders(beside, band.seeds, len(ridge[widest]["random"].seeds))


def _beside_intervals(bands: Mapping[str, PenaltyBand], intervals: Mapping[str, Redundancy]) -> str:
    """Where a band is wider than the interval over subsets and images; empty if there is none."""
    if not any(one.has_interval for one in intervals.values()):
        return ""
    wider = [
        place(case)
        for case, one in intervals.items()
        if one.has_interval and bands[case].width > one.high - one.low
    ]
    if not wider:
        return " Nowhere is a band wider than the interval over subsets and images."
    return (
        f" On {listed(wider)} the band is wider than the interval over subsets and images, "
        "which then says too little of how uncertain DR is."
    )


def _fewer_orders(beside: Mapping[str, tuple[float, float]], few: int, all_orders: int) -> str:
    """How far DR at the penalty in force differs with the few orders of a band from that with all
    orders: a band can leave out the latter. Empty where that cannot be seen.
    """
    moved = {where: abs(of_few - of_all) for where, (of_few, of_all) in beside.items()}
    most = max(moved, key=lambda where: moved[where])
    of_few, of_all = (f"{value:.3f}" for value in beside[most])
    if of_few == of_all:
        return ""
    return (
        f" Bands rest on {few} orders of the neurons, other values of DR on {all_orders}. That "
        f"alone moves DR, most on {most}: at one penalty from {of_all} to {of_few}. So a band may "
        "leave out the DR beside it: read its width."
    )


def describe_group_bands(
    bands: Mapping[str, GroupBands], groups: Mapping[str, Sequence[Net]], measurements: Measurements
) -> str:
    """What the few orders of the bands of groups move, at the penalty in force."""
    beside = {}
    for task in measurements.tasks:
        for label in bands[task.name].values if task.name in bands else ():
            of_few = bands[task.name].group(label)
            same = groups[label][: len(bands[task.name].values[label])]
            every = [
                measurements.of(net, task).redundancy("accuracy", of_few.delta).value
                for net in same
            ]
            if np.isfinite(of_few.chosen):
                beside[f"{task.title} for {label}"] = of_few.chosen, float(np.mean(every))
    if not beside:
        return ""
    some = measurements.all[0].curve("accuracy").seeds
    few = next(iter(bands.values())).seeds
    return _fewer_orders(beside, few, len(some)).lstrip()


def widest(
    bands: Mapping[str, PenaltyBand], cases: Mapping[str, tuple[Net, Task]]
) -> dict[str, float]:
    """The width of the widest band of each task, by its title; ``cases`` says what a case is."""
    widths: dict[str, float] = {}
    for case, band in bands.items():
        title = cases[case][1].title
        widths[title] = max(band.width, widths.get(title, band.width))
    return widths
