"""Whether neurons that are chosen by looking at the train images beat random ones, on their own
task and on others, and how lucky random ones can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ..experiment.chosen_orders import OrderGain, looking
from ..measures.curves import MEASURES
from ..measures.selections import SELECTIONS
from ..uncertainty.bootstrap import percentile_interval
from ..uncertainty.comparison import LEVEL, at_most
from .figure_data import Line, Panel
from .phrases import first_listed, listed
from .tables import Curves

LEAST = ("norm_least",)
"""Selections that take the least first: nobody expects them to gain."""


def _unit(measure: str) -> tuple[float, str]:
    """What gains of a measure are multiplied by in sentences, and the unit's name."""
    return (100, " points") if MEASURES[measure].percent else (1, "")


def _told(measure: str, value: float, low: float, high: float) -> str:
    """A gain with its interval."""
    factor, unit = _unit(measure)
    spec = "+.1f" if factor > 1 else "+.3f"
    ends = f" ({factor * low:{spec}} to {factor * high:{spec}})" if low == low else ""
    return f"{factor * value:{spec}}{unit}{ends}"


def gain_panels(*measured: Curves) -> list[Panel]:
    """What :func:`figures.curves_figure` draws: a panel for each task and measure of every
    selection less the mean of random orders, whose band reaches from the worst to the best, and in
    a darker tone over the middle 98% of them.
    """
    panels = []
    for task in measured[0]:
        for curves in measured:
            random = curves[task]["random"]
            less = {
                name: curve.values - random.mean[np.searchsorted(random.sizes, curve.sizes)]
                for name, curve in curves[task].items()
            }
            lines = [Line(name, curves[task][name].sizes, less[name]) for name in less]
            cut = len(random.values) // 100
            if cut:
                lines.insert(0, replace(lines[0], values=np.sort(less["random"], 0)[cut:-cut]))
            low, high = less["random"].min(), max(values.max() for values in less.values())
            measure = MEASURES[random.measure]
            panels.append(
                Panel(
                    f"{task}, {measure.name.split()[-1]}",
                    random.d,
                    lines,
                    axis="less the mean of random orders",
                    percent=measure.percent,
                    limits=(1.3 * float(low), 1.1 * float(high)),
                )
            )
    return panels


def _of_neurons(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["selection"].isin(looking())]


def describe_gains(table: pd.DataFrame, on_train: pd.DataFrame) -> str:
    """Where choosing neurons pays on the first network; ``on_train`` are the gains in CKA on the
    images that the orders were chosen on.
    """
    sentences = []
    for measure, every in table.groupby("measure", sort=False):
        rows = _of_neurons(every)
        if rows.empty:
            return "No selection of neurons that looks at the train images was asked for."
        clear = rows["p_holm"].map(at_most)
        beyond = (rows["beaten"] == rows["orders"]).sum()
        best, orders = rows.loc[rows["gain"].idxmax()], int(rows["orders"].max())
        sentences.append(
            f"of {len(rows)} gains in {MEASURES[str(measure)].name} (neurons by look, task and "
            f"size), {int((clear & (rows['gain'] > 0)).sum())} are clearly above and "
            f"{int((clear & (rows['gain'] < 0)).sum())} clearly below the mean of random orders; "
            f"{beyond} lie beyond the best of {orders} random orders (by chance about "
            f"{len(rows) / (orders + 1):.1f}). The largest is "
            f"{_told(str(measure), best['gain'], best['low'], best['high'])}, by {_name(best)} on "
            f"{best['used_on']} with {best['k']} neurons"
        )
    same = table[table["measure"] == "cka"].merge(
        on_train, on=["selection", "used_on", "k"], suffixes=("", "_train")
    )
    flattery = (same["gain_train"] - same["gain"])[same["selection"].isin(looking())]
    family = listed(
        [
            f"{len(rows)} of {MEASURES[str(measure)].name}"
            for measure, rows in table.groupby("measure", sort=False)
        ]
    )
    return (
        f"**What to see:** {'; '.join(sentences)}. *Clearly*: at {LEVEL:.0%} after Holm's "
        f"correction for all comparisons made ({family}); intervals are of 95%, over random orders "
        "and test images. On the images that neurons were chosen on, their gain in CKA is larger "
        f"by {flattery.max():.3f} at most, and by {flattery.mean():.3f} on average."
    )


def _name(row: pd.Series) -> str:
    return SELECTIONS[row["selection"]].label.partition(" (")[0]


def describe_luck(table: pd.DataFrame, gains: pd.DataFrame) -> str:
    """What the luckiest of many random orders gains, what is left of it on other images, and
    whether chosen neurons do better.
    """
    sentences = []
    for measure, rows in table.groupby("measure", sort=False):
        name, told = str(measure), []
        middle = sorted(set(rows["k"]))[len(set(rows["k"])) // 2]
        for row in rows[rows["k"] == middle].itertuples():
            theirs = _of_neurons(gains)
            theirs = theirs[(theirs["measure"] == measure) & (theirs["used_on"] == row.task)]
            beaten = int((theirs[theirs["k"] == middle]["gain"] > row.left).sum())
            told.append(
                f"{_told(name, row.seen, np.nan, np.nan)}, and on others "
                f"{_told(name, row.left, row.left_low, row.left_high)}, on {row.task} ({beaten} of "
                f"{len(theirs[theirs['k'] == middle])} ways of choosing neurons gain more)"
            )
        sentences.append(
            f"the best of {int(rows['orders'].iloc[0]):,} random orders gains in "
            f"{MEASURES[name].name} at k = {middle}, on the images by which it was found, "
            f"{listed(told)}"
        )
    return f"**What to see:** {'; '.join(sentences)}. (The best order is another one at each size.)"


def transfer_panels(
    table: pd.DataFrame, fraction: float
) -> list[tuple[str, list[str], np.ndarray]]:
    """What :func:`figures.matrix_figure` draws: for each measure and way of choosing neurons, gains
    in hundredths, a row for each task they were chosen on, a column for each they were used on.
    """
    at = table[np.isclose(table["fraction"], fraction)]
    tasks = list(dict.fromkeys(table["used_on"]))
    return [
        (
            f"{SELECTIONS[str(selection)].label.removeprefix('neurons ')}\n"
            f"{MEASURES[str(measure)].name.split()[-1]}",
            tasks,
            100
            * rows.pivot(index="chosen_on", columns="used_on", values="gain")
            .loc[tasks, tasks]
            .to_numpy(),
        )
        for (measure, selection), rows in at.groupby(["measure", "selection"], sort=False)
    ]


def describe_transfer(gains: Sequence[OrderGain], fraction: float) -> str:
    """The mean gain of neurons chosen on the task itself, and on another one."""
    sentences = []
    for measure in dict.fromkeys(one.measure for one in gains):
        some = [
            one
            for one in gains
            if one.measure == measure
            and one.fraction == fraction
            and one.selection not in LEAST
            and one.draws is not None
        ]
        own, other = (
            [one for one in some if (one.chosen_on == one.used_on) is same]
            for same in (True, False)
        )
        if not own or not other:
            return (
                "It takes two tasks, and several random orders or images, to say whether a choice "
                "transfers."
            )
        means = [np.mean([one.gain.gain for one in part]) for part in (own, other)]
        draws = [np.mean([np.asarray(one.draws) for one in part], 0) for part in (own, other)]
        told = [
            _told(measure, float(mean), *percentile_interval(drawn))
            for mean, drawn in zip(means, draws, strict=True)
        ]
        gap = _told(measure, float(means[0] - means[1]), *percentile_interval(draws[0] - draws[1]))
        sentences.append(
            f"in {MEASURES[measure].name} {told[0]} where chosen on the task itself and {told[1]} "
            f"where chosen on another, a difference of {gap}"
        )
    kinds = dict.fromkeys(one.selection for one in gains if one.selection not in LEAST)
    return (
        f"**What to see:** with {fraction:.0%} of the neurons, the mean gain over tasks of "
        f"{listed(list(kinds))} is {'; '.join(sentences)}. Intervals are of 95%, over random "
        "orders and test images of these tasks."
    )


def shown_networks(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """For reading: the gains of a measure over networks, one column a task; a star marks those that
    are clear.
    """
    rows: dict[tuple[str, float], dict[str, str]] = {}
    for row in table[table["measure"] == measure].itertuples():
        star = "*" if at_most(row.p_holm) else ""
        cells = rows.setdefault((str(row.selection), float(row.fraction)), {})
        cells[str(row.used_on)] = f"{_told(measure, row.gain, row.low, row.high)}{star}"
    shown = [
        {"selection": name, "of the layer": f"{share:.1%}", **cells}
        for (name, share), cells in rows.items()
    ]
    return pd.DataFrame(shown).fillna("–").replace(" points", "", regex=True)


def describe_networks(table: pd.DataFrame) -> str:
    """Where choosing pays for networks of this kind, not for one of them alone."""
    networks = int(table["networks"].max())
    if networks < 2:
        return (
            "NETS holds one network: whether a way of choosing neurons pays for others of its kind "
            "cannot be said."
        )
    sentences = []
    for measure, every in table.groupby("measure", sort=False):
        rows, parts = _of_neurons(every), []
        for fraction, some in rows[~rows["selection"].isin(LEAST)].groupby("fraction"):
            clear = some[some["p_holm"].map(at_most)]
            up = [f"{row.selection} on {row.used_on}" for row in clear.itertuples() if row.gain > 0]
            down = int((clear["gain"] < 0).sum())
            factor, unit = _unit(str(measure))
            spec = "+.1f" if factor > 1 else "+.3f"
            parts.append(
                f"with {fraction:.0%} of the neurons {len(up)} of {len(some)} are clearly above 0"
                f"{f' ({first_listed(up)})' if up else ''}, {down} clearly below; means go from "
                f"{factor * some['gain'].min():{spec}} to {factor * some['gain'].max():{spec}}"
                f"{unit}"
            )
        family = int(every["p"].notna().sum())
        sentences.append(
            f"gains in {MEASURES[str(measure)].name} (Holm's correction for {family}): "
            f"{'; '.join(parts)}"
        )
    return (
        f"**What to see:** over {networks} networks, {'. '.join(sentences)}. The unit is the "
        "network, with its own neurons, chosen anew; the images are the same for all."
    )


def results_of(table: pd.DataFrame) -> dict[str, float]:
    """Key numbers: the gains of chosen neurons at a tenth of the layer."""
    rows = _of_neurons(table)
    return {
        f"gain of {row.selection} in {row.measure} at 10%, {row.used_on}": float(row.gain)
        for row in rows[np.isclose(rows["fraction"], 0.1)].itertuples()
    }
