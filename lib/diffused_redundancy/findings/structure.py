"""What the similarity of random parts is made of: dimensions and scale, the sampling of neurons,
the basis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from ..experiment.structure import (
    NEURONS,
    ROTATED,
    SHARES,
    Structure,
    redundancy_gap,
)
from ..measures.closed_form_error import mean_error
from ..measures.curves import Curve, size_of
from ..measures.redundancy import smallest_sufficient
from .figure_data import Line, Panel, Point, Series, point
from .phrases import listed
from .tables import redundancy_columns

Rows = list[tuple[str, list[Point]]]
"""Points of each network, by its name."""

SCALED = {False: "as it is", True: "standardized neurons"}
"""A layer, by whether its neurons are scaled to unit variance."""

BASES = {NEURONS: "neurons", ROTATED: "random directions"}

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
    rest = (1 - delta**2) / delta**2
    found = {level: rest * (1 - level) / level for level in (0.95, 0.9, 0.8, 0.6, 0.4, 0.2)}
    return [(r, f"{level:g}") for level, r in found.items() if r <= 1]


def spectrum_table(structures: Sequence[Structure], delta: float) -> pd.DataFrame:
    """Dimensions, scale and DR of CKA of every layer, as it is and standardised: one row each."""
    rows = []
    for one in structures:
        for scaled, name in SCALED.items():
            of = one.standardized if scaled else one.spectrum
            (_, *space), (_, *scale) = of.intervals()
            form = one.predicted(standardize=scaled)
            k = smallest_sufficient(form[None], delta, np.arange(1, one.d + 1))[0]
            rows.append(
                {
                    "net": one.net,
                    "task": one.task,
                    "neurons": name,
                    "d": one.d,
                    "PR": of.participation,
                    "PR_low": space[0] * one.d,
                    "PR_high": space[1] * one.d,
                    "CV2": of.variation,
                    "CV2_low": scale[0] - 1,
                    "CV2_high": scale[1] - 1,
                    "effective_rank": of.effective_rank,
                    "r": of.diagonal_share,
                    "delta": delta,
                    **redundancy_columns(one.cka[NEURONS, scaled].redundancy(delta)),
                    "DR_closed_form": 1 - k / one.d,
                }
            )
    return pd.DataFrame(rows)


def shown_spectrum(table: pd.DataFrame) -> pd.DataFrame:
    """For reading: the table of :func:`spectrum_table` with fewer columns."""
    wanted = ["net", "task", "neurons", "PR", "CV2", "effective_rank", "r", "DR"]
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
            f"{' and '.join(f'{end.value:.3f}' for end in redundancies(delta)(one))} on {one.task}"
            for one in structures
        ]
        return (
            f"**What to see:** DR({delta:g}) of CKA of the layer as it is, and with standardized "
            f"neurons, is {listed(told)}."
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
    """The mean error of the closed form, by cause."""
    return [Point(*mean_error(*compared)) for compared in one.errors().values()]


def closed_form_table(structures: Sequence[Structure]) -> pd.DataFrame:
    """The error of the closed form: one row a layer and cause."""
    rows = []
    for one in structures:
        for name, (curve, predicted) in one.errors().items():
            mean, low, high = mean_error(curve, predicted)
            error = predicted - curve.mean
            rows.append(
                {
                    "net": one.net,
                    "task": one.task,
                    "neurons": name,
                    "mean_error": mean,
                    "low": low,
                    "high": high,
                    "largest_error": float(np.abs(error).max()),
                    "at_k": int(np.abs(error).argmax()) + 1,
                    "error_at_10%": float(error[size_of(TENTH, one.d) - 1]),
                }
            )
    return pd.DataFrame(rows)


def describe_closed_form(table: pd.DataFrame) -> str:
    """Where the closed form errs most, and what of it is left where neurons differ in one thing
    alone, from the table of :func:`closed_form_table`.
    """
    size = table["mean_error"].abs()
    worst = table.loc[size[table["neurons"] == "as it is"].idxmax()]
    here = table[(table["net"] == worst["net"]) & (table["task"] == worst["task"])]
    whole, variances, correlations = (
        _shown(row.mean_error, row.low, row.high, "+.3f") for row in here.itertuples()
    )
    most = size.groupby(table["neurons"]).max()
    return (
        f"**What to see:** the closed form errs most for {worst['net']} on {worst['task']}: by "
        f"{whole} on average over sizes, each doubling alike (95% intervals over subsets). If "
        f"neurons differed in their variances alone, it would err by {variances}; in their "
        f"correlations alone, by {correlations}. Over all {len(table) // 3} layers the largest "
        f"such error is {most['as it is']:.3f}, {most['variances alone']:.3f} and "
        f"{most['correlations alone']:.3f}."
    )


# Parts


def _pairs(
    structures: Sequence[Structure],
) -> list[tuple[Structure, dict[str, tuple[Curve, Curve]]]]:
    """The layers whose parts were measured, with the curves of part and whole, and of two parts."""
    return [
        (one, one.parts.curves(one.cka[NEURONS, False]))
        for one in structures
        if one.parts is not None
    ]


def corrected_panels(structures: Sequence[Structure]) -> list[Panel]:
    """CKA of random neurons with the whole, plain and corrected for the sampling of neurons: one
    plot a task.
    """
    panels = []
    for some in _tasks(one for one, _ in _pairs(structures)):
        lines = [
            Line(NEURONS, curve.sizes, curve.mean[None], name=f"{one.net}, {name}", look=2 * i + j)
            for i, (one, pairs) in enumerate(_pairs(some))
            for j, (name, key) in enumerate((("plain", "CKA"), ("corrected", "corrected CKA")))
            for curve in pairs[key][:1]
        ]
        axis = "CKA with the whole layer"
        panels.append(Panel(some[0].task, some[0].d, lines, full=1.0, axis=axis, top=2.0))
    return panels


def parts_series(structures: Sequence[Structure]) -> list[list[tuple[str, list[Series]]]]:
    """What :func:`figures.series_figure` draws: CKA above, shared neighbours below, one column a
    task, against the share of the layer.
    """
    tasks = _tasks(one for one, _ in _pairs(structures))
    names = ("part and whole", "two disjoint parts")
    return [
        [
            (
                some[0].task,
                [
                    _series(f"{one.net}: {name}", pairs[kind][j], 2 * i + j)
                    for i, (one, pairs) in enumerate(_pairs(some))
                    for j, name in enumerate(names)
                ],
            )
            for some in tasks
        ]
        for kind in ("CKA", "shared nearest neighbours")
    ]


def _series(label: str, curve: Curve, look: int) -> Series:
    wanted = dict.fromkeys(size_of(share, curve.d) for share in SHARES)
    sizes = [k for k in wanted if curve.column(k) is not None]
    return Series(label, [k / curve.d for k in sizes], [Point(*curve.kept(k)) for k in sizes], look)


def parts_table(structures: Sequence[Structure]) -> pd.DataFrame:
    """Similarity with the whole and of two disjoint parts: the mean at every k measured with its
    interval over subsets and images, its standard deviation over orders, and the closed form.
    """
    frames = []
    for one, pairs in _pairs(structures):
        forms = {"cka": one.predicted(), "disjoint_cka": one.predicted_disjoint()}
        for curve in (curve for pair in pairs.values() for curve in pair):
            drawn = curve.resampled()
            ends = np.full((2, len(curve.sizes)), np.nan)
            if drawn is not None:
                ends = np.quantile(drawn.values, [0.025, 0.975], axis=0)
            frames.append(
                pd.DataFrame(
                    {
                        "net": one.net,
                        "task": one.task,
                        "measure": curve.measure,
                        "k": curve.sizes,
                        "mean": curve.mean,
                        "low": ends[0],
                        "high": ends[1],
                        "sd": curve.values.std(0, ddof=1) if len(curve.seeds) > 1 else np.nan,
                        "closed_form": forms.get(curve.measure, np.nan),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def _tenths(
    structures: Sequence[Structure], kind: str
) -> list[tuple[Structure, list[str], list[float]]]:
    """A tenth against the whole and two disjoint tenths: in words, and as numbers."""
    found = []
    for one, pairs in _pairs(structures):
        k = size_of(TENTH, one.d)
        kept = [curve.kept(k) for curve in pairs[kind] if curve.column(k) is not None]
        if len(kept) == 2:
            found.append((one, [_shown(*ends) for ends in kept], [value for value, *_ in kept]))
    return found


def describe_corrected(structures: Sequence[Structure]) -> str:
    """CKA of a tenth of the neurons with the whole, plain and corrected."""
    plain, corrected = (_tenths(structures, kind) for kind in ("CKA", "corrected CKA"))
    told = [
        f"from {before[0]} to {after[0]} for {one.net}"
        for (one, before, _), (_, after, _) in zip(plain, corrected, strict=False)
        if one.task == structures[0].task
    ]
    if not told:
        return "The layer has too few neurons for a tenth of them to be corrected."
    values = [numbers[0] for *_, numbers in corrected]
    return (
        "**What to see:** for a tenth of the neurons, the correction for their sampling takes CKA "
        f"with the whole on {structures[0].task} {listed(told)} (95% intervals over subsets and "
        f"images). Over all {len(values)} layers here, corrected values are {min(values):.3f} to "
        f"{max(values):.3f}."
    )


def describe_disjoint(structures: Sequence[Structure]) -> str:
    """What two disjoint tenths of the neurons share, beside what a tenth shares with the whole."""
    sentences = []
    for kind, unit in (
        ("CKA", "CKA"),
        ("shared nearest neighbours", "share of nearest neighbours"),
    ):
        found = _tenths(structures, kind)
        told = [
            f"{words[1]} where a tenth and the whole have {words[0]} ({one.net})"
            for one, words, _ in found
            if one.task == structures[0].task
        ]
        if told:
            gaps = [whole - disjoint for *_, (whole, disjoint) in found]
            sentences.append(
                f"two disjoint random tenths have a {unit} of {listed(told)}, and over all "
                f"{len(gaps)} layers here the difference is {min(gaps):.3f} to {max(gaps):.3f}"
            )
    if not sentences:
        return "The layer has too few neurons for two parts of a tenth each."
    chances = [one.parts.chance for one in structures if one.parts is not None]
    return (
        f"**What to see:** on {structures[0].task} {'; '.join(sentences)} (95% intervals over "
        f"subsets and images). By chance, {max(chances):.3f} of the neighbours would be shared."
    )


# The basis


def basis_points(delta: float) -> Callable[[Structure], list[Point]]:
    """DR of neurons and of random directions: as the layer is, and standardised."""
    return lambda one: [
        point(one.cka[basis, scaled].redundancy(delta)) for scaled in SCALED for basis in BASES
    ]


BASIS_NAMES = [
    f"{basis}, {name}" for name in ("as it is", "standardized") for basis in BASES.values()
]
"""Of the points of :func:`basis_points`."""


def basis_table(structures: Sequence[Structure], delta: float) -> pd.DataFrame:
    """DR in both bases, their difference, and what r is in both: one row a layer, as it is and
    standardised. Intervals of differences are for all rows at once.
    """
    rows = []
    for one in structures:
        for scaled, name in SCALED.items():
            of = one.standardized if scaled else one.spectrum
            gap = one.basis_gap(delta, standardize=scaled, cases=2 * len(structures))
            dr = {basis: one.cka[basis, scaled].redundancy(delta).value for basis in BASES}
            rows.append(
                {
                    "net": one.net,
                    "task": one.task,
                    "layer": name,
                    "DR_neurons": dr[NEURONS],
                    "DR_directions": dr[ROTATED],
                    **dict(zip(("difference", "low", "high"), gap, strict=True)),
                    "r_neurons": of.diagonal_share,
                    "r_directions": of.rotated_share,
                    "CV2_neurons": of.variation,
                    "CV2_directions": of.rotated_share / of.dimensions - 1,
                }
            )
    return pd.DataFrame(rows)


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
    """Key numbers: DR as the layers are and with standardised neurons, PR and CV^2."""
    return {
        f"{name}, {one.net}, {one.task}": value
        for one in structures
        for name, value in (
            (f"DR({delta:g}) of CKA", one.cka[NEURONS, False].redundancy(delta).value),
            (f"DR({delta:g}) of standardized CKA", one.cka[NEURONS, True].redundancy(delta).value),
            ("PR", one.spectrum.participation),
            ("CV2", one.spectrum.variation),
        )
    }
