"""What the similarity of random parts is made of: dimensions and scale, the sampling of neurons,
the basis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..experiment.structure import (
    BASES,
    CKA,
    CORRECTED,
    NEURONS,
    OVERLAP,
    ROTATED,
    SCALED,
    SHARES,
    Structure,
    mean_redundancy_gap,
    redundancy_gap,
)
from ..findings.figure_data import Line, Panel, Point, Series, point
from ..findings.phrases import span
from ..measures.cka import share_of
from ..measures.curves import size_of

Rows = list[tuple[str, list[Point]]]
"""Points of each network, by its name."""

TENTH = 0.1
"""Of the layer: the parts that sentences speak of."""


def by_task(
    structures: Sequence[Structure], points: Callable[[Structure], list[Point]]
) -> list[tuple[str, Rows]]:
    """What :func:`figures.dumbbell_figure` draws: points of every network, one panel a task."""
    return [(some[0].task, [(one.net, points(one)) for one in some]) for some in _tasks(structures)]


def _tasks(structures: Iterable[Structure]) -> list[list[Structure]]:
    groups: dict[str, list[Structure]] = {}
    for one in structures:
        groups.setdefault(one.task, []).append(one)
    return list(groups.values())


def _shown(value: float, low: float, high: float, spec: str = ".3f", about: str = "") -> str:
    """A value with its interval, and what it is about, in brackets."""
    ends = "" if low != low else f"{low:{spec}} to {high:{spec}}"
    brackets = "; ".join(part for part in (ends, about) if part)
    return f"{value:{spec}} ({brackets})" if brackets else format(value, spec)


def _ends(row: Any, name: str) -> tuple[float, float, float]:
    """A value of a table's row and its interval, which stands in the columns beside it."""
    return row[name], row[f"{name}_low"], row[f"{name}_high"]


def _of(row: Any, name: str, spec: str = ".3f", about: str = "") -> str:
    """A value of a table's row with its interval, in words."""
    return _shown(*_ends(row, name), spec, about)


def _apart(value: float, low: float, high: float, about: str = "") -> str:
    """A difference in words, with its interval as a size."""
    if value > 0:
        return f"higher by {_shown(value, low, high, about=about)}"
    return f"lower by {_shown(-value, -high, -low, about=about)}"


def _one_sign(values: pd.Series) -> bool:
    """Whether all differences point the same way."""
    return bool((values > 0).all() or (values < 0).all())


def _columns(**values: Sequence[float]) -> dict[str, float]:
    """A value and the ends of its interval, by name, as columns of a table."""
    return {
        name + end: value
        for name, some in values.items()
        for end, value in zip(("", "_low", "_high"), some, strict=True)
    }


# Dimensions and scale


def redundancies(delta: float) -> Callable[[Structure], list[Point]]:
    """DR of CKA of random neurons, as the layer is and with standardised neurons."""
    return lambda one: [point(one.cka[NEURONS, scaled].redundancy(delta)) for scaled in SCALED]


def scale_points(one: Structure) -> list[Point]:
    """What :func:`figures.scale_figure` draws."""
    return [Point(*ends) for of in (one.spectrum, one.standardized) for ends in of.intervals()]


def lines_of_redundancy(delta: float) -> list[tuple[float, str]]:
    """Values of r of which the closed form makes some DR(delta) in a wide layer, and these DR."""
    found = {level: share_of(level, delta) for level in (0.95, 0.9, 0.8, 0.6, 0.4, 0.2)}
    return [(r, f"{level:g}") for level, r in found.items() if r <= 1]


def spectrum_table(structures: Sequence[Structure], delta: float) -> pd.DataFrame:
    """Dimensions, scale and DR of CKA of every layer, as it is and standardised: one row each."""
    return pd.DataFrame(row for one in structures for row in one.spectra(delta))


def shown_spectrum(table: pd.DataFrame) -> pd.DataFrame:
    """For reading: the table of :func:`spectrum_table`, one row per layer, with what becomes of it
    when neurons are standardized.
    """
    name, scaled = SCALED.values()
    index = ["net", "task"]
    plain, standard = (table[table["layer"] == one].set_index(index) for one in (name, scaled))
    digits = {"PR": ".1f", "effective_rank": ".1f", "r": ".3f", "DR": ".3f"}
    columns = {
        column: [
            f"{one:{spec}} → {other:{spec}}"
            for one, other in zip(plain[column], standard.loc[plain.index, column], strict=True)
        ]
        for column, spec in digits.items()
    }
    shown = pd.DataFrame({"CV²": plain["CV2"], **columns}).reset_index()
    wanted = [*index, "CV²", "PR", "effective_rank", "r", "DR"]
    return shown[wanted].rename(columns={"effective_rank": "effective rank"})


def scale_table(structures: Sequence[Structure], delta: float) -> pd.DataFrame:
    """How every network differs from the first one: in DR of CKA, as the layers are and with
    standardized neurons, and by what factors of scale (1 + CV^2) and dimensions (PR/d), PR/d also
    with standardized neurons. One row per network and task, with intervals.
    """
    rows = []
    for first, *others in _tasks(structures):
        for one in others:
            plain, standard = (
                redundancy_gap(one.cka[NEURONS, scaled], first.cka[NEURONS, scaled], delta)
                for scaled in SCALED
            )
            _, space, scale = one.spectrum.factors(first.spectrum)
            _, evened, _ = one.standardized.factors(first.standardized)
            values = _columns(
                DR=plain, DR_standardized=standard, scale=scale, PR=space, PR_standardized=evened
            )
            rows.append({"net": one.net, "than": first.net, "task": one.task, **values})
    return pd.DataFrame(rows)


def _farthest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the network that differs most from the first one."""
    size = table["DR"].abs().groupby(table["net"]).sum()
    return table[table["net"] == size.idxmax()]


def shown_scale(table: pd.DataFrame, delta: float) -> pd.DataFrame:
    """For reading: the rows of the table of :func:`scale_table` that sentences speak of."""
    if table.empty:
        return pd.DataFrame({"note": ["NETS holds one network: there is nothing to compare"]})
    rows = [
        {
            "task": row["task"],
            f"DR({delta:g})": _of(row, "DR", "+.3f"),
            f"DR({delta:g}), standardized": _of(row, "DR_standardized", "+.3f"),
            "factor of 1 + CV²": _of(row, "scale", ".2f"),
            "factor of PR/d": _of(row, "PR", ".2f"),
            "factor of PR/d, standardized": _of(row, "PR_standardized", ".2f"),
        }
        for _, row in _farthest(table).iterrows()
    ]
    return pd.DataFrame(rows)


def describe_scale(structures: Sequence[Structure], table: pd.DataFrame, delta: float) -> str:
    """How far the network that differs most from the first one does so: in DR as the layers are, in
    DR with standardised neurons, in dimensions and in scale, from the table of
    :func:`scale_table`.
    """
    if table.empty:
        one = structures[0]
        plain, standard = (_shown(of.value, of.low, of.high) for of in redundancies(delta)(one))
        return (
            f"**What to see:** on {one.task}, DR({delta:g}) of CKA of {one.net} is {plain}. With "
            f"standardized neurons it is {standard}."
        )
    rows = _farthest(table)
    net, first = rows[["net", "than"]].iloc[0]
    least, by_task = rows.loc[rows["DR"].abs().idxmin()], ", by task" * (len(rows) > 1)
    _, low, high = _ends(least, "DR")
    if _one_sign(rows["DR"]) and low * high > 0:
        how = f"its DR({delta:g}) of CKA is {_apart(*_ends(least, 'DR'))} on {least['task']}"
        if len(rows) > 1:
            how += ", and by more on other tasks"
    else:
        how = f"the difference in DR({delta:g}) of CKA is {span(rows['DR'], '+.3f')}, by task"
    most = rows.loc[rows["DR_standardized"].abs().idxmax()]
    return (
        f"**What to see:** {net} differs most from {first}: {how}. With standardized neurons the "
        f"largest difference is {_of(most, 'DR_standardized', '+.3f', most['task'])}.\n\n"
        f"Compared with {first}, the scale of its neurons multiplies r by "
        f"{span(rows['scale'], '.2f')}{by_task}. As the layers are, its PR/d is "
        f"{span(rows['PR'], '.2f')} times that of {first}; with standardized neurons it is "
        f"{span(rows['PR_standardized'], '.2f')} times that."
    )


# The error of the closed form


def closed_form_points(one: Structure) -> list[Point]:
    """The mean error of the closed form, by cause: see :meth:`Structure.errors`."""
    return [Point(row["mean_error"], row["low"], row["high"]) for row in one.errors()]


def closed_form_table(structures: Sequence[Structure]) -> pd.DataFrame:
    """The error of the closed form: one row per layer and cause."""
    return pd.DataFrame(row for one in structures for row in one.errors())


def describe_closed_form(table: pd.DataFrame) -> str:
    """Where the closed form errs most, how far it errs for the first network, and what is left
    where neurons differ in one thing alone, from the table of :func:`closed_form_table`.
    """

    def largest(rows: pd.DataFrame) -> pd.Series:
        return rows.loc[rows["largest_error"].abs().idxmax()]

    whole = table[table["layer"] == "as it is"]
    worst, first = largest(whole), largest(whole[whole["net"] == whole["net"].iloc[0]])
    beside = ""
    if first["net"] != worst["net"]:
        about = f"{first['task']}, k = {first['at_k']}"
        beside = (
            f" For {first['net']} its largest error is "
            f"{_of(first, 'largest_error', '+.3f', about)}."
        )
    at_worst = _of(worst, "largest_error", "+.3f", f"k = {worst['at_k']}")
    mean, low, high = worst[["mean_error", "low", "high"]]
    clear = (table["low"] > 0) | (table["high"] < 0)

    def alone(layer: str) -> str:
        rows = table["layer"] == layer
        return (
            f"{table['mean_error'][rows].abs().max():.3f} at most, with an interval that leaves "
            f"out 0 in {clear[rows].sum()} of {rows.sum()} cases"
        )

    return (
        f"**What to see:** the closed form errs most for {worst['net']} on {worst['task']}: by "
        f"{at_worst}, and by {_shown(mean, low, high, '+.3f')} on average over sizes.{beside}\n\n"
        "If neurons differed in their variances alone, the average error would be "
        f"{alone('variances alone')}. If they differed in their correlations alone, it would be "
        f"{alone('correlations alone')}."
    )


# Parts


def corrected_panels(structures: Sequence[Structure]) -> list[Panel]:
    """CKA of random neurons with the whole, plain and corrected for the sampling of neurons: one
    plot a task.
    """
    panels = []
    for some in _tasks(one for one in structures if one.pairs):
        lines = [
            Line(NEURONS, curve.sizes, curve.mean[None], name=f"{one.net}, {name}", look=2 * i + j)
            for i, one in enumerate(some)
            for j, (name, kind) in enumerate((("plain", CKA), ("corrected", CORRECTED)))
            for curve in one.pairs[kind][:1]
        ]
        axis = "CKA with the whole layer"
        panels.append(Panel(some[0].task, some[0].d, lines, full=1.0, axis=axis, limits=(0.0, 2.0)))
    return panels


def parts_series(structures: Sequence[Structure]) -> list[list[tuple[str, list[Series]]]]:
    """What :func:`figures.series_figure` draws: CKA above, shared neighbours below, one column a
    task, against the share of the layer.
    """
    tasks = _tasks(one for one in structures if one.pairs)
    return [[(some[0].task, _lines(some, kind)) for some in tasks] for kind in (CKA, OVERLAP)]


def _lines(structures: Sequence[Structure], kind: str) -> list[Series]:
    lines: list[Series] = []
    for one in structures:
        wanted = {size_of(share, one.d) for share in SHARES}
        for curve, name in zip(
            one.pairs[kind], ("part and whole", "two disjoint parts"), strict=True
        ):
            sizes = [k for k in curve.sizes if k in wanted]
            points = [Point(*curve.kept(k)) for k in sizes]
            shares = [k / one.d for k in sizes]
            lines.append(Series(f"{one.net}: {name}", shares, points, len(lines)))
    return lines


def parts_table(structures: Sequence[Structure]) -> pd.DataFrame:
    """Similarity with the whole and of two disjoint parts, at every k measured, and the closed
    form; see :meth:`Curve.summary`.
    """
    frames = []
    for one in structures:
        forms = {"cka": one.predicted(), "disjoint_cka": one.predicted_disjoint()}
        for curve in (curve for pair in one.pairs.values() for curve in pair):
            frame = curve.summary(net=one.net, task=one.task, measure=curve.measure)
            frames.append(frame.assign(closed_form=forms.get(curve.measure, np.nan)))
    return pd.concat(frames, ignore_index=True)


def corrected_table(structures: Sequence[Structure]) -> pd.DataFrame:
    """CKA of a tenth of the neurons with the whole layer and of two disjoint tenths, plain and
    corrected, with CV^2: one row per layer.
    """
    rows = []
    for one in structures:
        plain, corrected = (one.pair_at(kind, TENTH) for kind in (CKA, CORRECTED))
        if plain and corrected:
            values = _columns(
                whole=plain[0],
                whole_corrected=corrected[0],
                disjoint=plain[1],
                disjoint_corrected=corrected[1],
            )
            rows.append({"net": one.net, "task": one.task, "CV2": one.spectrum.variation, **values})
    return pd.DataFrame(rows)


def shown_corrected(table: pd.DataFrame) -> pd.DataFrame:
    """For reading: the table of :func:`corrected_table`."""
    if table.empty:
        return pd.DataFrame({"note": [_TOO_FEW]})
    return pd.DataFrame(
        {
            "net": row["net"],
            "task": row["task"],
            "CV²": f"{row['CV2']:.1f}",
            "with the whole": row["whole"],
            "with the whole, corrected": _of(row, "whole_corrected"),
            "two disjoint": row["disjoint"],
            "two disjoint, corrected": _of(row, "disjoint_corrected"),
        }
        for _, row in table.iterrows()
    )


_TOO_FEW = "The layer has too few neurons for two parts of a tenth each."


def describe_corrected(table: pd.DataFrame) -> str:
    """What the corrections make of CKA of a tenth with the whole and of two tenths, and where they
    overshoot, from the table of :func:`corrected_table`.
    """
    if table.empty:
        return _TOO_FEW
    one, count = table.iloc[0], len(table)
    told = [
        f"**What to see:** a tenth of {one['net']} on {one['task']} has a CKA of "
        f"{one['whole']:.3f} with the whole; corrected, it is {_of(one, 'whole_corrected')}."
    ]
    for name, what in (
        ("whole_corrected", "Corrected CKA with the whole"),
        ("disjoint_corrected", "CKA of two disjoint tenths, by the published correction,"),
    ):
        most = table.loc[table[name].idxmax()]
        about = f"{most['net']}, {most['task']}"
        above, below = (table[f"{name}_low"] > 1).sum(), (table[f"{name}_high"] < 1).sum()
        told.append(
            f"{what} is clearly above 1 in {above} of {count} cases (networks and tasks), and "
            f"clearly below in {below}; the largest is {_of(most, name, about=about)}."
        )
    return " ".join(told)


def disjoint_table(structures: Sequence[Structure]) -> pd.DataFrame:
    """What a tenth and the whole, two disjoint tenths, and the whole layers of two seeds have in
    common, by CKA and by neighbours: one row per measure and layer; see :meth:`Structure.parts_at`.
    """
    rows = [one.parts_at(kind, TENTH) for kind in (CKA, OVERLAP) for one in structures]
    return pd.DataFrame([row for row in rows if row])


def shown_disjoint(table: pd.DataFrame) -> pd.DataFrame:
    """For reading: the table of :func:`disjoint_table`, neighbours in percent."""
    if table.empty:
        return pd.DataFrame({"note": [_TOO_FEW]})

    def cell(row: pd.Series, name: str) -> str:
        return "–" if row[name] != row[name] else format(row[name], _SPECS[row["measure"]])

    return pd.DataFrame(
        {
            "measure": row["measure"],
            "net": row["net"],
            "task": row["task"],
            "a tenth and the whole": cell(row, "whole"),
            "two disjoint tenths": cell(row, "disjoint"),
            "whole layers of two seeds": cell(row, "seeds"),
            "by chance within classes": cell(row, "within_classes"),
        }
        for _, row in table.iterrows()
    )


_SPECS = {CKA: ".3f", OVERLAP: ".1%"}
"""How what parts have in common is written."""


def describe_disjoint(table: pd.DataFrame) -> str:
    """What two disjoint tenths of the neurons have in common, beside a tenth and the whole, and
    beside the whole layers of two seeds, from the table of :func:`disjoint_table`.
    """
    if table.empty:
        return _TOO_FEW
    told = []
    for kind, rows in table.groupby("measure", sort=False):
        spec, one = _SPECS[str(kind)], rows.iloc[0]
        if kind == CKA:
            start, have = f"**What to see:** on {one['task']}, two disjoint tenths", "have a CKA of"
        else:
            start, have = "Of the nearest neighbours, two disjoint tenths", "share"
        text = (
            f"{start} of {one['net']} {have} {_of(one, 'disjoint', spec)}, a tenth and the whole "
            f"{_of(one, 'whole', spec)}."
        )
        if one["seeds"] == one["seeds"]:
            pair = f"The whole layers of {one['net']} and {one['other']}"
            text += f" {pair} {have} {_of(one, 'seeds', spec)}."
        if one["within_classes"] == one["within_classes"]:
            text += f" By chance within the classes it would be {one['within_classes']:{spec}}."
        told.append(text)
    return "\n\n".join([*told, *_beside_seeds(table)])


def _beside_seeds(table: pd.DataFrame) -> list[str]:
    """In how many cases two tenths of one network have less in common than two networks."""
    told: list[str] = []
    for kind, rows in table.dropna(subset="seeds").groupby("measure", sort=False):
        less = int((rows["disjoint_less_seeds_high"] < 0).sum())
        more = int((rows["disjoint_less_seeds_low"] > 0).sum())
        what = f"{less} of {len(rows)} cases, clearly more in {more}."
        told.append(
            f"By neighbours, they are in {what}"
            if told
            else f"By {'CKA' if kind == CKA else 'neighbours'}, two tenths of one network are "
            f"clearly less alike than the whole layers of two seeds in {what}"
        )
    return [" ".join(told)] if told else []


# The basis


def basis_rows(structures: Sequence[Structure], delta: float) -> list[tuple[str, Rows]]:
    """What :func:`figures.dumbbell_figure` draws: DR of neurons and of random directions, in two
    rows a network: as the layer is, and standardised.
    """
    return [
        (
            some[0].task,
            [
                (
                    f"{one.net}, {name}" if not scaled else name,
                    [point(one.cka[basis, scaled].redundancy(delta)) for basis in BASES],
                )
                for one in some
                for scaled, name in SCALED.items()
            ],
        )
        for some in _tasks(structures)
    ]


def basis_table(structures: Sequence[Structure], delta: float) -> pd.DataFrame:
    """DR in both bases, their difference, and r: one row per layer, as it is and standardised.
    Intervals of differences hold for all rows at once.
    """
    cases = len(SCALED) * len(structures)
    return pd.DataFrame(row for one in structures for row in one.bases(delta, cases))


def mean_of_bases(
    structures: Sequence[Structure], delta: float
) -> dict[str, tuple[float, float, float]]:
    """DR of random directions less that of random neurons, on average over layers, as they are and
    standardised; with its interval.
    """
    return {
        name: mean_redundancy_gap(
            [(one.cka[ROTATED, scaled], one.cka[NEURONS, scaled]) for one in structures], delta
        )
        for scaled, name in SCALED.items()
    }


def describe_basis(
    table: pd.DataFrame, means: Mapping[str, tuple[float, float, float]], delta: float
) -> str:
    """Which basis is more diffuse, and by how much, from the table of :func:`basis_table` and
    :func:`mean_of_bases`.
    """
    told = []
    for name, rows in table.groupby("layer", sort=False):
        start = f"{_START[str(name)]}, random directions"
        known = rows.dropna(subset="difference")
        if known.empty:
            told.append(f"{start} do not reach DR({delta:g}).")
            continue
        more, less = int((known["low"] > 0).sum()), int((known["high"] < 0).sum())
        gaps = known["difference"]
        text = (
            f"{start} have a clearly higher DR({delta:g}) than random neurons in {more} of "
            f"{len(rows)} cases, a clearly lower one in {less}."
        )
        if len(known) > 1:
            mean = _shown(*means[str(name)], "+.3f")
            text += f" The differences are {span(gaps, '+.3f')}, on average {mean}."
        else:
            alone = known.iloc[0]
            gap = _shown(alone["difference"], alone["low"], alone["high"], "+.3f")
            text += f" The difference is {gap}."
        told.append(text)
    return "**What to see:** " + "\n\n".join(told)


_START = dict(zip(SCALED.values(), ("as the layers are", "With standardized neurons"), strict=True))


def results_of(structures: Sequence[Structure], delta: float) -> dict[str, float]:
    """Key numbers of each layer, as it is and standardised."""
    return {
        f"{name}, {row['net']}, {row['task']}, {row['layer']}": row[name]
        for one in structures
        for row in one.spectra(delta)
        for name in ("DR", "PR", "CV2")
    }
