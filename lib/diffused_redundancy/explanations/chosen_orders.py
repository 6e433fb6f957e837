"""Whether neurons that are chosen by looking at the train images beat random ones, and how lucky
random ones can be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..experiment.chosen_orders import FRACTIONS, OrderGain, less_random, looking
from ..findings.figure_data import Line, Panel
from ..findings.tables import Curves
from ..measures.curves import MEASURES
from ..measures.selections import SELECTIONS
from ..uncertainty.comparison import at_most, mean_with_interval
from ..uncertainty.interval import WithInterval

LEAST = ("norm_least",)
"""Selections that take the least first: nobody expects them to gain."""

LOOKS = (0, 3, 2, 4, 1, 11, 10, 5, 12, 13)
"""Looks of lines that stand out from the grey of random orders, in turn."""

GREY = 8
"""The look of random orders, where they are the ground that others are seen on."""


def label_of(selection: str) -> str:
    """What a way of choosing is called in tables and sentences.

    >>> label_of("pivoted_qr"), label_of("variance"), label_of("lda")
    ('pivoted QR', 'largest variance', 'discriminant directions')
    """
    label = SELECTIONS[selection].label.partition(" (")[0]
    return label.removeprefix("neurons ").removeprefix("of ").removeprefix("by ")


def told(measure: str, value: float, low: float = float("nan"), high: float = float("nan")) -> str:
    """A gain with its interval, in points of accuracy or in CKA."""
    factor, spec, unit = (100, "+.1f", " points") if MEASURES[measure].percent else (1, "+.3f", "")
    ends = f" ({factor * low:{spec}} to {factor * high:{spec}})" if low == low else ""
    return f"{factor * value:{spec}}{unit}{ends}"


def cell(measure: str, value: float, low: float = float("nan"), high: float = float("nan")) -> str:
    """The same for a table whose head names the unit."""
    return told(measure, value, low, high).replace(" points", "")


def by_measure(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each measure."""
    return [(str(measure), rows) for measure, rows in table.groupby("measure", sort=False)]


def name_of(measure: str) -> str:
    """What a measure is called in a sentence: CKA, or accuracy."""
    return MEASURES[measure].name.split()[-1]


def _chosen(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of neurons that are chosen to gain."""
    return table[table["selection"].isin([name for name in looking() if name not in LEAST])]


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
            luck = less.pop("random")
            lines = [_of_luck(random.sizes, luck, ("worst to best of them", 0.35))]
            cut = len(luck) // 100
            if cut > 1:  # of fewer orders the best and the worst do as well
                inner = np.sort(luck, 0)[cut:-cut]
                lines.append(_of_luck(random.sizes, inner, ("middle 98% of them", 0.6)))
            shown = [name for name in less if name not in LEAST]
            lines += [
                Line(name, curves[task][name].sizes, less[name], look=LOOKS[place % len(LOOKS)])
                for place, name in enumerate(shown)
            ]
            ends = [luck, *(less[name] for name in shown)]
            low, high = min(one.min() for one in ends), max(one.max() for one in ends[1:] or ends)
            panels.append(
                Panel(
                    f"{task}, {name_of(random.measure)}",
                    random.d,
                    lines,
                    axis="points gained" if measure.percent else "CKA gained",
                    limits=(1.1 * float(low), 1.1 * float(high)) if low < high else None,
                )
            )
    return panels


def _of_luck(sizes: np.ndarray, values: np.ndarray, band: tuple[str, float]) -> Line:
    name = "mean of random orders"
    return Line("random", sizes, values, name=name, look=GREY, band=band)


def shown_outside(table: pd.DataFrame) -> pd.DataFrame:
    """For reading: at how many sizes a selection beats all random orders, from which to which."""
    ends = zip(table["above"], table["above_from"], table["above_to"], strict=True)
    cells = [f"{n} ({first:.0f} to {last:.0f})" if n else "0" for n, first, last in ends]
    named = table.assign(cells=cells, selection=table["selection"].map(label_of))
    wide = named.pivot(index="selection", columns="task", values="cells")
    return wide.loc[named["selection"].unique(), table["task"].unique()].reset_index()


def describe_gains(table: pd.DataFrame) -> str:
    """Where choosing neurons pays: a paragraph a measure."""
    paragraphs = []
    for measure, rows in by_measure(_chosen(table)):
        clear = rows[rows["p_holm"].map(at_most)]["gain"]
        orders, beyond = int(rows["orders"].max()), int((rows["beaten"] == rows["orders"]).sum())
        extremes = f"The largest gain is {_where(rows.loc[rows['gain'].idxmax()])}"
        if (clear < 0).any():
            extremes += f"; the largest clear loss is {_where(rows.loc[clear.idxmin()])}"
        paragraphs.append(
            f"**What to see, {name_of(measure)}:** {(clear > 0).sum()} of {len(rows)} choices are "
            f"clearly better than random neurons, {(clear < 0).sum()} clearly worse. "
            f"{beyond} of them {'beats' if beyond == 1 else 'beat'} the best of {orders:,} random "
            f"orders; by chance {len(rows) / (orders + 1):.2g} would. {extremes}."
        )
    if not paragraphs:
        return "No way of choosing neurons that looks at the train images was asked for."
    return "\n\n".join(paragraphs)


def _where(row: pd.Series) -> str:
    """A gain in words: how large, of what, where."""
    gain = told(row["measure"], row["gain"], row["low"], row["high"])
    return f"{gain}, of {label_of(row['selection'])} on {row['task']} with {row['k']} neurons"


def describe_flattery(table: pd.DataFrame, on_train: pd.DataFrame) -> str:
    """How far gains in CKA differ on the images that neurons were chosen on."""
    same = _chosen(table).merge(
        on_train, on=["measure", "selection", "task", "k"], suffixes=("", "_train")
    )
    if same.empty:
        return ""
    apart = same["gain_train"] - same["gain"]
    return (
        "On the train images, on which neurons were chosen, these gains in CKA differ by "
        f"{told('cka', apart.min())} to {told('cka', apart.max())}."
    )


def discriminants_table(accuracy: Curves) -> pd.DataFrame:
    """What discriminant directions keep: one row per task and number of them, all and half, with
    their accuracy less the whole layer's.
    """
    rows = []
    for task, kinds in accuracy.items():
        if "lda" in kinds:
            last = int(kinds["lda"].sizes[-1])
            for part, k in (("all", last), ("half", max(1, last // 2))):
                lost, low, high = kinds["lda"].lost(k)
                gained = {"difference": 0 - lost, "low": 0 - high, "high": 0 - low}
                rows.append({"task": task, "part": part, "k": k, **gained})
    return pd.DataFrame(rows, columns=["task", "part", "k", "difference", "low", "high"])


def shown_discriminants(table: pd.DataFrame) -> pd.DataFrame:
    """For reading: one row per task, in points of accuracy."""
    rows: dict[str, dict[str, str]] = {}
    for row in table.itertuples():
        points = cell("ridge_accuracy", float(row.difference), float(row.low), float(row.high))
        rows.setdefault(str(row.task), {})[f"{row.part}, points"] = f"{points} with {row.k}"
    return pd.DataFrame([{"task": task, **cells} for task, cells in rows.items()])


def describe_discriminants(table: pd.DataFrame) -> str:
    """The range over tasks of what all directions, and half of them, keep."""
    if table.empty:
        return "No discriminant directions were asked for."
    ends = []
    for part in ("all", "half"):
        rows = table[table["part"] == part].sort_values("difference")
        low, high = rows.iloc[0], rows.iloc[-1]
        least, most = (cell("ridge_accuracy", one["difference"]) for one in (low, high))
        ends.append(
            f"{least} ({low['task']}) to {most} points ({high['task']})"
            if len(rows) > 1
            else told("ridge_accuracy", high["difference"], high["low"], high["high"])
        )
    return (
        "**What to see:** with all discriminant directions, accuracy differs from the whole "
        f"layer's by {ends[0]}. With half of them, by {ends[1]}."
    )


def shown_luck(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """For reading: one row per task and size, of one measure; accuracies in percent."""
    rows = table[table["measure"] == measure]
    percent = MEASURES[measure].percent
    unit = ", points" if percent else ""

    def span(low: float, high: float) -> str:
        return f"{low:.1%} to {high:.1%}" if percent else f"{low:.3f} to {high:.3f}"

    return pd.DataFrame(
        {
            "task": row.task,
            "k": row.k,
            "value, worst to best": span(row.worst, row.best),
            "value, 1% to 99%": span(row.low, row.high),
            f"gain of the best{unit}": cell(measure, float(row.seen)),
            f"on other images{unit}": cell(measure, row.left, row.left_low, row.left_high),
        }
        for row in rows.itertuples()
    )


def describe_luck(table: pd.DataFrame, gains: pd.DataFrame) -> str:
    """What is left of the best of many random orders on other images, beside chosen neurons."""
    sentences, counts = [], []
    for measure, rows in by_measure(table):
        beside = _chosen(gains[gains["measure"] == measure]).merge(
            rows, on=["task", "k"], suffixes=("", "_luck")
        )
        larger = int((beside["gain"] > beside["left"]).sum())
        if len(beside):
            counts.append(f"{larger} of {len(beside)} cases for {name_of(measure)}")
        above = int((rows["left_low"] > 0).sum())
        sentences.append(
            f"the best of {_orders(rows)} random orders clearly gains {name_of(measure)} in "
            f"{above} of {len(rows)} cases"
        )
    compared = (
        f" Neurons chosen by rule gain more than that in {' and in '.join(counts)}; these counts "
        "compare estimates, whatever their intervals."
        if counts
        else ""
    )
    first, *others = sentences
    return (
        f"**What to see:** on images that were not used to find it, {first} (tasks and sizes)."
        + "".join(f" {one[:1].upper()}{one[1:]}." for one in others)
        + compared
    )


def _orders(rows: pd.DataFrame) -> str:
    """How many orders there were; where the numbers differ, which task had more."""
    counts = rows.groupby("task", sort=False)["orders"].first()
    usual = counts.iloc[-1]
    more = [f"{n:,} on {task}" for task, n in counts.items() if n != usual]
    return f"{usual:,}{f' ({more[0]})' if more else ''}"


def mean_gains(gains: Mapping[str, Sequence[OrderGain]]) -> pd.DataFrame:
    """The mean over tasks and ways of choosing neurons, at each size: its mean over networks with
    Student's t interval, one row per measure and size. ``gains`` are by network.
    """
    rows = [
        {
            "net": net,
            "measure": one.measure,
            "selection": one.selection,
            "fraction": one.fraction,
            "gain": one.gain.gain,
        }
        for net, some in gains.items()
        for one in some
    ]
    every = _chosen(pd.DataFrame(rows, columns=["net", "measure", "selection", "fraction", "gain"]))
    found = []
    for (measure, fraction), some in every.groupby(["measure", "fraction"], sort=False):
        values = some.groupby("net")["gain"].mean()
        mean, low, high = mean_with_interval(values)
        row = {"measure": measure, "fraction": fraction, "gain": mean, "low": low, "high": high}
        found.append({**row, "networks": len(values), "above_0": int((values > 0).sum())})
    columns = ["measure", "fraction", "gain", "low", "high", "networks", "above_0"]
    return pd.DataFrame(found, columns=columns)


def shown_means(means: pd.DataFrame) -> pd.DataFrame:
    """For reading: one row per size."""
    rows: dict[float, dict[str, str]] = {}
    for row in means.itertuples():
        measure = str(row.measure)
        unit = ", points" if MEASURES[measure].percent else ""
        cells = rows.setdefault(float(row.fraction), {"kept": f"{row.fraction:.0%}"})
        gain = cell(measure, float(row.gain), float(row.low), float(row.high))
        cells[f"mean gain in {name_of(measure)}{unit}"] = gain
        cells[f"networks above 0, {name_of(measure)}"] = f"{row.above_0} of {row.networks}"
    return pd.DataFrame(list(rows.values()))


def shown_networks(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """For reading: the gains of a measure over networks; a star marks those that are clear."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for row in table[table["measure"] == measure].itertuples():
        share = f"{row.fraction:.0%}" if row.fraction in FRACTIONS else "all there are"
        cells = rows.setdefault((label_of(str(row.selection)), share), {})
        gain = cell(measure, float(row.gain), float(row.low), float(row.high))
        cells[str(row.task)] = gain + "*" * at_most(float(row.p_holm))
    shown = [{"selection": name, "kept": share, **cells} for (name, share), cells in rows.items()]
    return pd.DataFrame(shown).fillna("–")


def describe_networks(table: pd.DataFrame, means: pd.DataFrame) -> str:
    """Where choosing pays for networks of this kind, not for one of them alone."""
    networks = int(table["networks"].max()) if len(table) else 0
    if networks < 2 or means.empty:
        return (
            "It takes two networks in NETS, and a way of choosing neurons, to say whether that "
            "pays for others of their kind."
        )
    counts, sizes = [], []
    for measure, rows in by_measure(_chosen(table)):
        clear = rows[rows["p_holm"].map(at_most)]["gain"]
        counts.append(
            f"{(clear > 0).sum()} of {len(rows)} gains in {name_of(measure)} are clearly above 0 "
            f"and {(clear < 0).sum()} below"
        )
        if not MEASURES[measure].percent:  # where each gain is clear, their mean says no more
            continue
        of_size = means[means["measure"] == measure].sort_values("fraction")
        few, many = of_size.iloc[0], of_size.iloc[-1]
        sizes.append(
            f" The mean gain in {name_of(measure)} is {told(measure, few['gain'])} with "
            f"{few['fraction']:.0%} of the neurons, and "
            f"{cell(measure, many['gain'], many['low'], many['high'])} with {many['fraction']:.0%}."
        )
    return f"**What to see:** over {networks} networks, {'; '.join(counts)}.{''.join(sizes)}"


def describe_penalties(table: pd.DataFrame) -> str:
    """How far gains depend on the penalty, from :func:`.penalties_table`."""
    rows = table[~table["selection"].isin(LEAST)]
    weaker, stronger = (100 * rows[rows["times"] == times]["moved"].abs() for times in (0.1, 10.0))
    if weaker.empty or stronger.empty:
        return "No gain was measured at other penalties."
    return (
        f"A penalty ten times weaker moves these gains in accuracy by {weaker.mean():.1f} points "
        f"on average, {weaker.max():.1f} at most. One ten times stronger moves them by "
        f"{stronger.mean():.1f} and {stronger.max():.1f}."
    )


def results_of(table: pd.DataFrame) -> dict[str, float]:
    """Key numbers: the gains of chosen neurons at a tenth of the layer."""
    rows = table[table["selection"].isin(looking()) & (table["fraction"] == 0.1)]
    names = "gain of " + rows["selection"] + " in " + rows["measure"] + ", " + rows["task"]
    values = map(WithInterval, rows["gain"], rows["low"], rows["high"])
    return dict(zip(names, values, strict=True))
