"""Whether neurons that are chosen by looking at the train images beat random ones, on their own
task and on others, and how lucky random ones can be.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..experiment.chosen_orders import FRACTIONS, OrderGain, less_random, looking
from ..findings.figure_data import Line, Panel
from ..findings.phrases import listed
from ..findings.tables import Curves
from ..measures.curves import MEASURES
from ..measures.selections import SELECTIONS
from ..uncertainty.bootstrap import percentile_interval
from ..uncertainty.comparison import LEVEL, at_most

LEAST = ("norm_least",)
"""Selections that take the least first: nobody expects them to gain."""


def _told(measure: str, value: float, low: float = float("nan"), high: float = float("nan")) -> str:
    """A gain with its interval, in points of accuracy or in CKA."""
    factor, spec, unit = (100, "+.1f", " points") if MEASURES[measure].percent else (1, "+.3f", "")
    ends = f" ({factor * low:{spec}} to {factor * high:{spec}})" if low == low else ""
    return f"{factor * value:{spec}}{unit}{ends}"


def _range(measure: str, values: pd.Series) -> str:
    """From the least gain to the largest."""
    return (
        f"{_told(measure, values.min()).removesuffix(' points')} to {_told(measure, values.max())}"
    )


def gain_panels(*measured: Curves) -> list[Panel]:
    """What :func:`figures.curves_figure` draws: a panel for each task and measure of every
    selection (but of those that take the least first) less the mean of random orders, whose band
    reaches from the worst to the best, and of very many in a darker tone over the middle 98%.
    Accuracies are in points.
    """
    panels = []
    for task in measured[0]:
        for curves in measured:
            random, measure = curves[task]["random"], MEASURES[curves[task]["random"].measure]
            unit = 100 if measure.percent else 1
            less = {name: unit * values for name, values in less_random(curves[task]).items()}
            shown = [name for name in less if name not in LEAST]
            lines = [Line(name, curves[task][name].sizes, less[name]) for name in shown]
            cut = len(random.values) // 100
            if cut > 1:  # of fewer orders the best and the worst do as well
                inner = np.sort(less["random"], 0)[cut:-cut]
                lines.insert(0, Line("random", random.sizes, inner))
            low, high = less["random"].min(), max(less[name].max() for name in shown)
            panels.append(
                Panel(
                    f"{task}, {measure.name.split()[-1]}",
                    random.d,
                    lines,
                    axis="points gained" if measure.percent else "CKA gained",
                    limits=(1.3 * float(low), 1.1 * float(high)) if low < high else None,
                )
            )
    return panels


def shown_outside(table: pd.DataFrame) -> pd.DataFrame:
    """For reading: at how many sizes a selection beats all random orders, from which to which."""
    ends = zip(table["above"], table["above_from"], table["above_to"], strict=True)
    cells = [f"{n} ({first:.0f} to {last:.0f})" if n else "0" for n, first, last in ends]
    wide = table.assign(cells=cells).pivot(index="selection", columns="task", values="cells")
    return wide.loc[table["selection"].unique(), table["task"].unique()].reset_index()


def _of_neurons(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["selection"].isin(looking())]


def _by_measure(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(measure), rows) for measure, rows in table.groupby("measure", sort=False)]


def describe_gains(table: pd.DataFrame, on_train: pd.DataFrame) -> str:
    """Where choosing neurons pays; ``on_train``: CKA on the images that they were chosen on."""
    if _of_neurons(table).empty:
        return "No way of choosing neurons that looks at the train images was asked for."
    sentences = []
    for measure, rows in _by_measure(_of_neurons(table)):
        clear = rows[rows["p_holm"].map(at_most)]["gain"]
        best, orders = rows.loc[rows["gain"].idxmax()], int(rows["orders"].max())
        sentences.append(
            f"of {len(rows)} gains in {MEASURES[measure].name}, {(clear > 0).sum()} are clearly "
            f"above and {(clear < 0).sum()} clearly below the mean of random neurons; "
            f"{(rows['beaten'] == rows['orders']).sum()} are beyond the best of "
            f"{orders:,} random orders, where chance would put {len(rows) / (orders + 1):.1f}. The "
            f"largest is {_told(measure, best['gain'], best['low'], best['high'])}, of "
            f"{best['selection']} on {best['used_on']} with {best['k']} neurons"
        )
    same = _of_neurons(table[~table["selection"].isin(LEAST)]).merge(
        on_train, on=["measure", "selection", "used_on", "k"], suffixes=("", "_train")
    )
    flattery = same["gain_train"] - same["gain"]
    family = [f"{len(rows)} in {MEASURES[measure].name}" for measure, rows in _by_measure(table)]
    return (
        f"**What to see:** {'. And '.join(sentences)}. *Clearly*: at {LEVEL:.0%} after Holm's "
        f"correction for all comparisons made ({listed(family)}); intervals are of 95%, over "
        "random orders and test images."
    ) + (
        " On the images that neurons were chosen on, their gain in CKA (without the neurons of "
        f"smallest norm) differs by {_range('cka', flattery)}."
        if len(flattery)
        else ""
    )


def describe_discriminants(accuracy: Curves) -> str:
    """What discriminant directions keep of the whole layer's accuracy: all of them, and half."""
    parts = []
    for task, kinds in accuracy.items():
        if "lda" in kinds:
            curve, last = kinds["lda"], int(kinds["lda"].sizes[-1])
            told = []
            for k in dict.fromkeys((last, max(1, last // 2))):
                lost, low, high = curve.lost(k)
                gained = _told(curve.measure, 0 - lost, 0 - high, 0 - low).replace(" points", "")
                told.append(f"{gained} with {k}")
            parts.append(f"{listed(told)} on {task}")
    if not parts:
        return "No discriminant directions were asked for."
    return (
        "Discriminant directions (of labels, and of all neurons) less the whole layer, in points "
        "of accuracy with 95% intervals over test images, with all there are and with half of "
        f"them: {'; '.join(parts)}."
    )


def shown_luck(table: pd.DataFrame) -> pd.DataFrame:
    """For reading: one row a measure, task and size."""
    return pd.DataFrame(
        {
            "measure": MEASURES[str(row.measure)].name,
            "task": row.task,
            "k": row.k,
            "orders": row.orders,
            "worst to best": f"{row.worst:.3f} to {row.best:.3f}",
            "1% to 99%": f"{row.low:.3f} to {row.high:.3f}",
            "gain of the best": _told(str(row.measure), float(row.seen)),
            "on other images": _told(str(row.measure), row.left, row.left_low, row.left_high),
        }
        for row in table.itertuples()
    )


def describe_luck(table: pd.DataFrame, gains: pd.DataFrame) -> str:
    """What the best of many random orders gains, there and on other images, and chosen neurons."""
    sentences = []
    rivals = _of_neurons(gains[~gains["selection"].isin(LEAST)])
    for measure, rows in _by_measure(table):
        beside = rivals[rivals["measure"] == measure].merge(
            rows, left_on=["used_on", "k"], right_on=["task", "k"], suffixes=("", "_luck")
        )
        sentences.append(
            f"the best of {int(rows['orders'].iloc[0]):,} random orders gains in "
            f"{MEASURES[measure].name} {_range(measure, rows['seen'])} on the images by which it "
            f"was found, and {_range(measure, rows['left'])} on others, with an interval above 0 "
            f"in {(rows['left_low'] > 0).sum()} of {len(rows)} cases (of {len(beside)} gains of "
            f"chosen neurons {(beside['gain'] > beside['left']).sum()} are larger)"
        )
    return (
        f"**What to see:** {'; '.join(sentences)}. (The best order is another one at each size; "
        "intervals are over images, one at a time.)"
    )


def transfer_panels(
    table: pd.DataFrame, fraction: float
) -> list[tuple[str, list[str], np.ndarray]]:
    """What :func:`figures.matrix_figure` draws: for each measure and way of choosing neurons, gains
    in hundredths, a row for each task they were chosen on, a column for each they were used on.
    """
    at = table[np.isclose(table["fraction"], fraction) & ~table["selection"].isin(LEAST)]
    tasks = list(dict.fromkeys(table["used_on"]))
    return [
        (
            f"{SELECTIONS[str(name)].label}\n{MEASURES[measure].name.split()[-1]}",
            tasks,
            100 * some.pivot(index="chosen_on", columns="used_on", values="gain").loc[tasks, tasks],
        )
        for measure, rows in _by_measure(at)
        for name, some in rows.groupby("selection", sort=False)
    ]


def describe_transfer(gains: Sequence[OrderGain], fraction: float) -> str:
    """The mean gain of neurons chosen on the task itself, and on another one."""
    sentences = []
    some = [
        one
        for one in gains
        if one.fraction == fraction and one.selection not in LEAST and one.draws is not None
    ]
    for measure in dict.fromkeys(one.measure for one in some):
        told, means, draws = [], [], []
        for same in (True, False):
            part = [
                one
                for one in some
                if one.measure == measure and (one.chosen_on == one.used_on) is same
            ]
            if not part:
                return "It takes two tasks to say whether a choice transfers."
            means.append(float(np.mean([one.gain.gain for one in part])))
            draws.append(np.mean([np.asarray(one.draws) for one in part], 0))
            told.append(_told(measure, means[-1], *percentile_interval(draws[-1])))
        gap = _told(measure, means[0] - means[1], *percentile_interval(draws[0] - draws[1]))
        sentences.append(
            f"in {MEASURES[measure].name} {told[0]} where they were chosen on the task itself and "
            f"{told[1]} where on another, a difference of {gap}"
        )
    if not sentences:
        return "It takes a choice of neurons, and several random orders, to say what it gains."
    kinds = list(dict.fromkeys(one.selection for one in some))
    return (
        f"**What to see:** with {fraction:.0%} of the neurons, the mean gain over tasks, of "
        f"{listed(kinds)} together, is {'; '.join(sentences)}. Intervals are of 95%, over random "
        "orders and test images of these tasks."
    )


def shown_networks(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """For reading: the gains of a measure over networks; a star marks those that are clear."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for row in table[table["measure"] == measure].itertuples():
        share = f"{row.fraction:.0%}" if row.fraction in FRACTIONS else "all there are"
        told = _told(measure, row.gain, row.low, row.high).replace(" points", "")
        cells = rows.setdefault((str(row.selection), share), {})
        cells[str(row.used_on)] = told + "*" * at_most(row.p_holm)
    shown = [{"selection": name, "kept": share, **cells} for (name, share), cells in rows.items()]
    return pd.DataFrame(shown).fillna("–")


def describe_networks(table: pd.DataFrame) -> str:
    """Where choosing pays for networks of this kind, not for one of them alone."""
    networks = int(table["networks"].max()) if len(table) else 0
    if networks < 2:
        return (
            "It takes two networks in NETS, and a way of choosing, to say whether that pays "
            "for others of their kind."
        )
    sentences = []
    for measure, every in _by_measure(table):
        parts = []
        rows = _of_neurons(every[~every["selection"].isin(LEAST)])
        for fraction, some in rows.groupby("fraction"):
            clear = some[some["p_holm"].map(at_most)]["gain"]
            parts.append(
                f"with {fraction:.0%} of the neurons {(clear > 0).sum()} of {len(some)} are "
                f"clearly above 0 and {(clear < 0).sum()} clearly below (means: "
                f"{_range(measure, some['gain'])})"
            )
        family = int(every["p"].notna().sum())
        sentences.append(
            f"gains in {MEASURES[measure].name}, after Holm's correction for {family}: "
            f"{listed(parts or ['none'])}"
        )
    return (
        f"**What to see:** over {networks} networks, {'; '.join(sentences)}. (Without the neurons "
        "of smallest norm.) The unit is the network, with its own neurons, chosen anew; the images "
        "are the same for all."
    )


def describe_penalties(table: pd.DataFrame) -> str:
    """How far gains hang on the penalty, from :func:`.penalties_table`."""
    rows = table[~table["selection"].isin(LEAST) & (table["times"] != 1)]
    moved = [100 * part.abs() for _, part in rows.groupby("times")["moved"]]
    told = [f"{part.max():.1f} points at most ({part.mean():.1f} on average)" for part in moved]
    if not told:
        return "No gain was measured at other penalties."
    return (
        "With a penalty ten times weaker, and ten times stronger, these gains in accuracy move by "
        f"{listed(told)}."
    )


def results_of(table: pd.DataFrame) -> dict[str, float]:
    """Key numbers: the gains of chosen neurons at a tenth of the layer."""
    rows = _of_neurons(table[table["fraction"] == 0.1])
    names = "gain of " + rows["selection"] + " in " + rows["measure"] + ", " + rows["used_on"]
    return dict(zip(names, rows["gain"].tolist(), strict=True))
