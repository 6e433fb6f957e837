"""Whether neurons that were chosen on one task are better than random ones on another."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..measures.curves import MEASURES
from ..uncertainty.comparison import mean_with_interval, ratio_with_interval
from .chosen_orders import by_measure, cell, label_of, name_of

EVERY = "all together"
"""The row of all selections and tasks."""


def _at(table: pd.DataFrame, fraction: float) -> pd.DataFrame:
    return table[np.isclose(table["fraction"], fraction)]


def transfer_panels(
    table: pd.DataFrame, fraction: float
) -> list[tuple[str, list[str], np.ndarray]]:
    """What :func:`figures.matrix_figure` draws: for each measure and way of choosing neurons, mean
    gains over networks in hundredths, a row for each task they were chosen on, a column for each
    they were used on.
    """
    tasks = list(dict.fromkeys(table["used_on"]))
    return [
        (
            label_of(str(name)),
            tasks,
            100
            * some.pivot_table(index="chosen_on", columns="used_on", values="gain")
            .loc[tasks, tasks]
            .to_numpy(),
        )
        for _, rows in by_measure(_at(table, fraction))
        for name, some in rows.groupby("selection", sort=False)
    ]


def kept_table(table: pd.DataFrame, fraction: float) -> pd.DataFrame:
    """What is left of a gain on another task, from :func:`.transfer_table`: one row per measure and
    a part of the table (everything, each selection, each task that neurons were used on).

    ``own`` and ``other`` are mean gains of neurons chosen on the task itself and on another one,
    ``kept`` is their ratio; means and 95% intervals are over networks.
    """
    rows = []
    for measure, every in by_measure(_at(table, fraction)):
        for what, name, part in _parts(every):
            same = part["chosen_on"] == part["used_on"]
            if same.all():  # there is one task
                continue
            own, other = (part[rows].groupby("net")["gain"].mean() for rows in (same, ~same))
            row = {"measure": measure, "part": what, "name": name, "networks": len(own)}
            for column, interval in (
                ("own", mean_with_interval(own)),
                ("other", mean_with_interval(other)),
                ("kept", ratio_with_interval(other, own)),
            ):
                ends = (column, f"{column}_low", f"{column}_high")
                row |= dict(zip(ends, interval, strict=True))
            rows.append(row)
    return pd.DataFrame(rows)


def _parts(table: pd.DataFrame) -> Iterable[tuple[str, str, pd.DataFrame]]:
    yield "all", EVERY, table
    for part in ("selection", "used_on"):
        for name, some in table.groupby(part, sort=False):
            yield part, str(name), some


def _title(row: pd.Series) -> str:
    """What a row of :func:`kept_table` is of."""
    if row["part"] == "selection":
        return label_of(row["name"])
    return f"used on {row['name']}" if row["part"] == "used_on" else str(row["name"])


def shown_kept(kept: pd.DataFrame, measure: str) -> pd.DataFrame:
    """For reading: the rows of one measure."""
    rows, unit = [], ", points" if MEASURES[measure].percent else ""
    for _, row in kept[kept["measure"] == measure].iterrows():
        cells = {"neurons": _title(row)}
        for column, name in (("own", "chosen on the task itself"), ("other", "on another task")):
            gain = (row[f"{column}{end}"] for end in ("", "_low", "_high"))
            cells[f"{name}{unit}"] = cell(measure, *gain)
        cells["kept"] = _share(row)
        rows.append(cells)
    return pd.DataFrame(rows)


def _share(row: pd.Series) -> str:
    """The share that is kept; what lies far outside of 0 to 1 is not written out."""
    low, high = row["kept_low"], row["kept_high"]
    if low != low:
        return "an unclear share"
    least = f"{low:.0%}" if low >= -1 else "under -100%"
    most = f"{high:.0%}" if high <= 2 else "over 200%"
    return f"{row['kept']:.0%} ({least} to {most})"


def describe_transfer(kept: pd.DataFrame, fraction: float) -> str:
    """How much of a gain is left on another task, and where least and most."""
    if kept.empty:
        return "It takes two tasks, and a choice of neurons, to say whether it transfers."
    if kept["networks"].max() < 2:
        return "It takes two networks in NETS to say how much of a gain transfers."
    told: list[str] = []
    for measure, rows in by_measure(kept):
        name = name_of(measure)
        share = _share(rows[rows["part"] == "all"].iloc[0])
        told.append(f"in {name} it is {share}" if told else f"{share} of its gain in {name}")
    first, *others = told
    of_accuracy = kept[(kept["measure"] == "ridge_accuracy") & kept["kept"].notna()]
    ranges = [
        f"{by} {_range(of_accuracy[of_accuracy['part'] == part])}"
        for part, by in (
            ("selection", "by way of choosing"),
            ("used_on", "by the task that neurons are used on"),
        )
        if (of_accuracy["part"] == part).any()
    ]
    return (
        f"**What to see:** with {fraction:.0%} of the neurons, a choice made on another task keeps "
        f"{first}{''.join(f'; {one}' for one in others)}."
        + (
            f" The estimates for accuracy are {'; '.join(ranges)}. The table has their intervals."
            if ranges
            else ""
        )
    )


def _range(rows: pd.DataFrame) -> str:
    """The least and the largest share of some rows."""
    ends = (rows.loc[rows["kept"].idxmin()], rows.loc[rows["kept"].idxmax()])
    return " to ".join(
        f"{end['kept']:.0%} ({_title(end).removeprefix('used on ')})" for end in ends
    )


def shown_values(table: pd.DataFrame, net: str, used_on: str, fraction: float) -> pd.DataFrame:
    """For reading: the accuracy on one task, in percent, of neurons chosen on each; of one network,
    beside random neurons.
    """
    rows = _at(table, fraction)
    rows = rows[
        (rows["net"] == net) & (rows["used_on"] == used_on) & (rows["measure"] == "ridge_accuracy")
    ]
    if rows.empty:
        return pd.DataFrame()
    named = rows.assign(by=rows["selection"].map(label_of), percent=100 * rows["value"])
    wide = named.pivot(index="chosen_on", columns="by", values="percent").round(1)
    wide = wide.loc[named["chosen_on"].unique(), named["by"].unique()]
    random = 100 * float((rows["value"] - rows["gain"]).iloc[0])
    wide.loc["mean of random neurons"] = round(random, 1)
    return wide.rename_axis(index="chosen on", columns=None).reset_index()
