"""What the similarity of random parts is made of: dimensions and scale, the sampling of neurons,
the basis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from ..experiment.structure import (
    BASES,
    CKA,
    CORRECTED,
    NEURONS,
    OVERLAP,
    SCALED,
    SHARES,
    Structure,
    redundancy_gap,
)
from ..findings.figure_data import Line, Panel, Point, Series, point
from ..findings.phrases import listed
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


def _shown(value: float, low: float, high: float, spec: str = ".3f") -> str:
    if low != low:
        return format(value, spec)
    return f"{value:{spec}} ({low:{spec}} to {high:{spec}})"


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
    """For reading: the table of :func:`spectrum_table` with fewer columns."""
    wanted = ["net", "task", "layer", "PR", "CV2", "effective_rank", "r", "DR"]
    return table[wanted].rename(columns={"CV2": "CV²", "effective_rank": "effective rank"})


def describe_scale(structures: Sequence[Structure], delta: float) -> str:
    """How far the network that differs most from the first one does so: in DR as the layers are, in
    DR with standardised neurons, in dimensions and in scale.
    """
    nets = list(dict.fromkeys(one.net for one in structures))
    gaps: dict[str, list[tuple[Structure, Structure, list[str]]]] = {net: [] for net in nets[1:]}
    size = dict.fromkeys(gaps, 0.0)
    for first, *others in _tasks(structures):
        for one in others:
            found = [
                redundancy_gap(one.cka[NEURONS, scaled], first.cka[NEURONS, scaled], delta)
                for scaled in SCALED
            ]
            gaps[one.net].append((one, first, [_shown(*gap, "+.3f") for gap in found]))
            size[one.net] += abs(found[0][0])
    if not gaps:
        told = [
            " and ".join(_shown(of.value, of.low, of.high) for of in redundancies(delta)(one))
            + f" on {one.task}"
            for one in structures
        ]
        return (
            f"**What to see:** DR({delta:g}) of CKA of neurons as they are, and of standardized "
            f"ones, is {listed(told)} (95% intervals over subsets and images)."
        )
    far = max(gaps, key=lambda net: size[net])
    raw, scaled, parts = (
        listed([f"{text(one)} on {one[0].task}" for one in gaps[far]])
        for text in (lambda one: one[2][0], lambda one: one[2][1], _factors_in_words)
    )
    return (
        f"**What to see:** of these networks {far} differs most from {nets[0]} in DR({delta:g}) of "
        f"CKA: by {raw}. With standardized neurons it differs by {scaled} (95% intervals over "
        "subsets and images). The larger r, the lower is DR: its r is that of "
        f"{nets[0]} times a factor of dimensions and one of scale, {parts} (over images)."
    )


def _factors_in_words(pair: tuple[Structure, Structure, list[str]]) -> str:
    _, space, scale = pair[0].spectrum.factors(pair[1].spectrum)
    return f"{_shown(*space, '.2f')} times {_shown(*scale, '.2f')}"


# The error of the closed form


def closed_form_points(one: Structure) -> list[Point]:
    """The mean error of the closed form, by cause: see :meth:`Structure.errors`."""
    return [Point(row["mean_error"], row["low"], row["high"]) for row in one.errors()]


def closed_form_table(structures: Sequence[Structure]) -> pd.DataFrame:
    """The error of the closed form: one row a layer and cause."""
    return pd.DataFrame(row for one in structures for row in one.errors())


def describe_closed_form(table: pd.DataFrame) -> str:
    """Where the closed form errs most, and what of it is left where neurons differ in one thing
    alone, from the table of :func:`closed_form_table`.
    """
    size = table["mean_error"].abs()
    worst = table.loc[size[table["layer"] == "as it is"].idxmax()]
    here = table[(table["net"] == worst["net"]) & (table["task"] == worst["task"])]
    whole, variances, correlations = (
        _shown(row.mean_error, row.low, row.high, "+.3f") for row in here.itertuples()
    )
    most = size.groupby(table["layer"]).max()
    return (
        f"**What to see:** the closed form errs most for {worst['net']} on {worst['task']}: by "
        f"{whole} on average over sizes, each doubling alike (95% intervals over subsets). If "
        f"neurons differed in their variances alone, it would err by {variances}; in their "
        f"correlations alone, by {correlations}. Of the layers here ({len(table) // 3}) the "
        f"largest such error is {most['as it is']:.3f} as they are, {most['variances alone']:.3f} "
        f"with variances alone and {most['correlations alone']:.3f} with correlations alone."
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


def describe_corrected(structures: Sequence[Structure]) -> str:
    """CKA of a tenth of the neurons with the whole, plain and corrected."""
    first = structures[0].task
    found = [(one, pair[0]) for one in structures if (pair := one.pair_at(CORRECTED, TENTH))]
    told = [
        f"from {_shown(*one.pair_at(CKA, TENTH)[0])} to {_shown(*corrected)} for {one.net}"
        for one, corrected in found
        if one.task == first
    ]
    if not told:
        return "The layer has too few neurons for a tenth of them to be corrected."
    values = [value for _, (value, *_) in found]
    return (
        "**What to see:** for a tenth of the neurons, the correction for their sampling takes CKA "
        f"with the whole on {first} {listed(told)} (95% intervals over subsets and images). Of "
        f"the layers here ({len(values)}), corrected values are {min(values):.3f} to "
        f"{max(values):.3f}."
    )


def describe_disjoint(structures: Sequence[Structure]) -> str:
    """What two disjoint tenths of the neurons share, beside what a tenth shares with the whole."""
    first, sentences = structures[0].task, []
    for kind in (CKA, OVERLAP):
        found = [(one, pair) for one in structures if (pair := one.pair_at(kind, TENTH))]
        told = [
            f"{_shown(*disjoint)} where a tenth and the whole have {_shown(*whole)} ({one.net})"
            for one, (whole, disjoint) in found
            if one.task == first
        ]
        if told:
            gaps = [whole[0] - disjoint[0] for _, (whole, disjoint) in found]
            sentences.append(
                f"two disjoint random tenths have a {kind} of {listed(told)}, and of the "
                f"layers here ({len(gaps)}) the difference is {min(gaps):.3f} to {max(gaps):.3f}"
            )
    if not sentences:
        return "The layer has too few neurons for two parts of a tenth each."
    chance = max(one.parts.chance for one in structures if one.parts is not None)
    return (
        f"**What to see:** on {first} {'; '.join(sentences)} (95% intervals over subsets and "
        f"images). By chance, {chance:.3f} of the neighbours would be shared."
    )


# The basis


def basis_points(delta: float) -> Callable[[Structure], list[Point]]:
    """DR of neurons and of random directions: as the layer is, and standardised."""
    return lambda one: [
        point(one.cka[basis, scaled].redundancy(delta)) for scaled in SCALED for basis in BASES
    ]


BASIS_NAMES = [f"{basis}, {name}" for name in SCALED.values() for basis in BASES.values()]
"""Of the points of :func:`basis_points`."""


def basis_table(structures: Sequence[Structure], delta: float) -> pd.DataFrame:
    """DR in both bases, their difference, and r: one row a layer, as it is and standardised.
    Intervals of differences hold for all rows at once.
    """
    cases = len(SCALED) * len(structures)
    return pd.DataFrame(row for one in structures for row in one.bases(delta, cases))


def describe_basis(table: pd.DataFrame, delta: float) -> str:
    """Which basis is more diffuse, and by how much, from the table of :func:`basis_table`."""
    told = []
    for name, rows in table.groupby("layer", sort=False):
        ranked = rows.sort_values("difference").dropna(subset="difference")
        more, less = int((rows["low"] > 0).sum()), int((rows["high"] < 0).sum())
        ends = [
            f"{_shown(row.difference, row.low, row.high, '+.3f')} ({row.net} on {row.task})"
            for row in (ranked.iloc[[0, -1]] if len(ranked) > 1 else ranked).itertuples()
        ]
        told.append(
            f"{str(name).capitalize()}: {' to '.join(ends) or 'not reached'}, clearly above 0 for "
            f"{more} and below for {less} of {len(rows)}"
        )
    return (
        f"**What to see:** DR({delta:g}) of random directions less that of random neurons. "
        f"{'; '.join(told)}. (Intervals over draws and images that hold for all "
        f"{len(table)} comparisons at once, at 95%.)"
    )


def results_of(structures: Sequence[Structure], delta: float) -> dict[str, float]:
    """Key numbers of each layer, as it is and standardised."""
    return {
        f"{name}, {row['net']}, {row['task']}, {row['layer']}": row[name]
        for one in structures
        for row in one.spectra(delta)
        for name in ("DR", "PR", "CV2")
    }
