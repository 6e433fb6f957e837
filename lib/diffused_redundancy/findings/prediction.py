"""Whether DR of accuracy can be told from what is known without a probe: from similarity, from the
geometry of the layer, from its width.

The unit is a group of networks that differ in the seed of their pre-training only: its value is
their mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from ..experiment.measurements import COMPARED, Measurement, Measurements
from ..nets.networks import Net
from ..uncertainty.association import (
    Association,
    corrected_associations,
    predictive_gain,
    rank_correlation,
)
from .figure_data import Point, Series
from .grouping import TRAITS
from .phrases import listed

ACCURACY = "accuracy"

POOLED = "all tasks"
"""In place of a task: all of them, each with an intercept of its own."""


@dataclass(frozen=True)
class Predictor:
    """A number of a network on a task.

    Attributes
    ----------
    words : str
    of : callable
        From a Measurement and delta to the number; NaN where it cannot be stated.
    needs : str
        What it takes, beside train images without labels.
    """

    words: str
    of: Callable[[Measurement, float], float]
    needs: str = ""


def _redundancy(measure: str) -> Callable[[Measurement, float], float]:
    return lambda one, delta: one.redundancy(measure, delta).value


def _log(name: str, *, by_width: bool = False) -> Callable[[Measurement, float], float]:
    """The logarithm of a number of the geometry, of its share of the width if so."""

    def of(one: Measurement, delta: float) -> float:
        value = one.geometry.get(name, float("nan")) / (one.d if by_width else 1)
        return float(np.log(value)) if value > 0 else float("nan")

    return of


PREDICTORS = {
    **{
        measure: Predictor(f"DR of {words}", _redundancy(measure))
        for measure, words in COMPARED.items()
        if measure != ACCURACY
    },
    "width": Predictor("width d", lambda one, delta: float(np.log(one.d)), "nothing"),
    "participation": Predictor("participation ratio PR", _log("participation")),
    "participation/d": Predictor("PR / d", _log("participation", by_width=True)),
    "effective_rank": Predictor("effective rank", _log("effective_rank")),
    "diagonal_share": Predictor("r of the closed form", _log("diagonal_share")),
    "dimension": Predictor("intrinsic dimension", _log("dimension")),
    "collapse": Predictor("NC1 (uses labels)", _log("collapse"), "labels of the train images"),
}
"""What is held against DR of accuracy. All but the redundancies are in logarithms: they are ratios
and counts.
"""


OF_WIDTH = ("width", "participation/d")
"""Predictors that are one and the same, or the same as another, where all widths are equal."""


@dataclass(frozen=True)
class Told:
    """How far a predictor tells DR of accuracy on a task.

    Attributes
    ----------
    predictor : str
        A name in :data:`PREDICTORS`.
    task : str
        Its title, or :data:`POOLED`.
    equal_width : bool
        Whether only networks as wide as the first one are looked at.
    networks : int
    correlation : Association or None
        Of ranks, over groups; None for all tasks together.
    over_networks : float
        The same over networks, as if they were independent; NaN for all tasks together.
    gain : Association
        In predicting a group that was left out; see :func:`.predictive_gain`.
    """

    predictor: str
    task: str
    equal_width: bool
    networks: int
    correlation: Association | None
    over_networks: float
    gain: Association


def seed_groups(nets: Sequence[Net]) -> list[list[Net]]:
    """The networks that differ in the seed of their pre-training only, in order."""
    groups: dict[tuple[str, ...], list[Net]] = {}
    for net in nets:
        groups.setdefault(tuple(str(of(net)) for of in TRAITS.values()), []).append(net)
    return list(groups.values())


def _by_group(
    measurements: Measurements,
    groups: Sequence[Sequence[Net]],
    of: Callable[[Measurement, float], float],
    delta: float,
) -> np.ndarray:
    """The mean number of each group on each task, (groups, tasks); NaN where no network has one."""
    means = np.full((len(groups), len(measurements.tasks)), np.nan)
    for row, nets in enumerate(groups):
        for column, task in enumerate(measurements.tasks):
            values = np.array([of(measurements.of(net, task), delta) for net in nets])
            if not np.isnan(values).all():
                means[row, column] = np.nanmean(values)
    return means


def told(measurements: Measurements, delta: float) -> list[Told]:
    """How far every predictor tells DR of accuracy, on each task and on all together, among all
    networks and among those as wide as the first one.

    Tests are corrected (Holm) for all predictors and tasks of one set of networks, correlations and
    gains apart.
    """
    width = measurements.nets[0].d
    found = []
    for equal_width in (False, True):
        nets = [net for net in measurements.nets if net.d == width or not equal_width]
        if not equal_width or len(nets) < len(measurements.nets):
            found += _corrected(_told(measurements, nets, delta, equal_width=equal_width))
    return found


def _told(
    measurements: Measurements, nets: Sequence[Net], delta: float, *, equal_width: bool
) -> list[Told]:
    groups, alone = seed_groups(nets), [[net] for net in nets]
    target = _redundancy(ACCURACY)
    y, y_alone = (_by_group(measurements, some, target, delta) for some in (groups, alone))
    found = []
    for name, predictor in PREDICTORS.items():
        if equal_width and name in OF_WIDTH:
            continue
        x, x_alone = (
            _by_group(measurements, some, predictor.of, delta) for some in (groups, alone)
        )
        for at, task in enumerate(measurements.tasks):
            known = ~np.isnan(x_alone[:, at] + y_alone[:, at])
            over = float("nan")
            if known.sum() > 2 and np.ptp(x_alone[known, at]) > 0:
                over = float(spearmanr(x_alone[known, at], y_alone[known, at]).statistic)
            found.append(
                Told(
                    name,
                    task.title,
                    equal_width,
                    len(nets),
                    rank_correlation(x[:, at], y[:, at]),
                    over,
                    predictive_gain(x[:, at], y[:, at]),
                )
            )
        if len(measurements.tasks) > 1:
            gain = predictive_gain(x, y)
            found.append(Told(name, POOLED, equal_width, len(nets), None, float("nan"), gain))
    return found


def _corrected(found: Sequence[Told]) -> list[Told]:
    """With Holm's correction over all of them."""
    ranked = [one for one in found if one.correlation is not None]
    correlations = corrected_associations([one.correlation for one in ranked if one.correlation])
    by_place = dict(zip(map(id, ranked), correlations, strict=True))
    gains = corrected_associations([one.gain for one in found])
    return [
        replace(one, correlation=by_place.get(id(one)), gain=gain)
        for one, gain in zip(found, gains, strict=True)
    ]


def told_table(found: Sequence[Told]) -> pd.DataFrame:
    """Every number, one row a predictor, task and set of networks."""
    rows = []
    for one in found:
        row = {
            "predictor": PREDICTORS[one.predictor].words,
            "needs": PREDICTORS[one.predictor].needs or "train images",
            "task": one.task,
            "networks": one.networks,
            "groups": one.gain.units,
            "equal_width": one.equal_width,
            "rank_correlation_over_networks": one.over_networks,
        }
        for kind, of in (("rank_correlation", one.correlation), ("gain", one.gain)):
            for name, number in ("", "value"), ("_low", "low"), ("_high", "high"), ("_p", "p"):
                row[kind + name] = float("nan") if of is None else getattr(of, number)
            row[f"{kind}_p_holm"] = float("nan") if of is None else of.corrected_p
        rows.append(row)
    return pd.DataFrame(rows)


def shown_told(found: Sequence[Told]) -> pd.DataFrame:
    """For reading: one row a predictor and set of networks; by task the rank correlation over
    groups with its interval, and the gain on all tasks together. Clear ones are marked.
    """
    rows: dict[tuple[bool, str], dict[str, str]] = {}
    for one in found:
        networks = "equal width" if one.equal_width else "all"
        words = PREDICTORS[one.predictor].words
        row = rows.setdefault(
            (one.equal_width, one.predictor), {"predictor": words, "networks": networks}
        )
        if one.correlation is not None:
            row[f"{one.task}: rank correlation"] = _shown(one.correlation)
        else:
            row["gain, all tasks"] = _shown(one.gain)
    return pd.DataFrame(rows.values())


def _shown(one: Association) -> str:
    if one.value != one.value:
        return "–"
    return f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f}){' *' if one.clear else ''}"


def similarity_panels(
    measurements: Measurements, measure: str, delta: float
) -> list[tuple[str, list[Series]]]:
    """What :func:`figures.series_figure` draws: DR of accuracy against that of a similarity, one
    plot a task, a point for each network, by what sets it apart from the first one.
    """
    kinds: dict[str, list[Net]] = {}
    for net in measurements.nets:
        kinds.setdefault(_kind(net, measurements.nets[0]), []).append(net)
    row = []
    for task in measurements.tasks:
        lines = []
        for look, (kind, nets) in enumerate(kinds.items()):
            some = [measurements.of(net, task) for net in nets]
            x = [one.redundancy(measure, delta).value for one in some]
            y = [Point(one.redundancy(ACCURACY, delta).value) for one in some]
            lines.append(Series(kind, x, y, look, joined=False))
        row.append((task.title, lines))
    return row


def _kind(net: Net, reference: Net) -> str:
    """What sets a network apart from the reference: its loss in a word, or another trait."""
    for trait, words in (
        ("family", "another family"),
        ("width", "another width"),
        ("upstream", "other upstream images"),
    ):
        if TRAITS[trait](net) != TRAITS[trait](reference):
            return words
    return str(TRAITS["loss"](net)).split()[0].partition("-")[0]


def correlation_panels(
    found: Sequence[Told],
) -> list[tuple[str, list[tuple[str, list[Point]]]]]:
    """What :func:`figures.groups_figure` draws: the rank correlation of every predictor with DR of
    accuracy, one plot a task; first among all networks, then among those of equal width.
    """
    panels = []
    for task in dict.fromkeys(one.task for one in found if one.correlation is not None):
        groups = []
        for name, predictor in PREDICTORS.items():
            some = [one for one in found if (one.predictor, one.task) == (name, task)]
            points = [
                Point(one.correlation.value, one.correlation.low, one.correlation.high)
                for one in some
                if one.correlation is not None
            ]
            groups.append((predictor.words, points))
        panels.append((task, groups))
    return panels


def describe_similarity(found: Sequence[Told], delta: float) -> str:
    """Sentences: how far DR of the similarities goes with DR of accuracy, over groups."""
    sentences = []
    for equal_width in (False, True):
        for name in PREDICTORS:
            some = [
                one
                for one in found
                if (one.predictor, one.equal_width) == (name, equal_width)
                and one.correlation is not None
                and one.correlation.value == one.correlation.value
            ]
            if name not in COMPARED or not some:
                continue
            parts = [
                f"{one.correlation.value:.2f} ({one.correlation.low:.2f} to "
                f"{one.correlation.high:.2f}) on {one.task}"
                for one in some
                if one.correlation
            ]
            clear = [one.task for one in some if one.correlation and one.correlation.clear]
            among = "of equal width" if equal_width else "of all networks"
            sentences.append(
                f"{PREDICTORS[name].words}, {some[0].gain.units} groups {among}: {listed(parts)}, "
                f"clear on {listed(clear) if clear else 'no task'}; over the {some[0].networks} "
                f"networks, as if they were independent, "
                f"{listed([f'{one.over_networks:.2f}' for one in some])}"
            )
    if not sentences:
        return "There are too few groups of networks to say whether similarity tells accuracy."
    return (
        f"**What to see:** Spearman's rank correlation with DR({delta:g}) of accuracy, over groups "
        "of networks that differ in their seed only, with 95% intervals over groups. "
        f"{'. '.join(sentences)}. (Clear: p of a permutation test, corrected for all predictors "
        "and tasks of these networks, is at most 0.05.)"
    )


def describe_gains(found: Sequence[Told]) -> str:
    """Sentences: which predictors tell DR of accuracy of a group that was left out better than the
    mean of the others does, clearly.
    """
    sentences = []
    for equal_width in (False, True):
        some = [
            one
            for one in found
            if one.equal_width == equal_width and one.gain.value == one.gain.value
        ]
        if not some:
            continue
        by_task: dict[str, list[Told]] = {}
        for one in some:
            by_task.setdefault(one.task, []).append(one)
        parts = []
        for task, of_task in by_task.items():
            clear = sorted(
                (one for one in of_task if one.gain.clear), key=lambda one: -one.gain.value
            )
            if clear:
                told_clear = [
                    f"{PREDICTORS[one.predictor].words} {one.gain.value:.0%} "
                    f"({one.gain.low:.0%} to {one.gain.high:.0%})"
                    for one in clear
                ]
                parts.append(f"on {task} {listed(told_clear)}")
            else:
                best = max(of_task, key=lambda one: one.gain.value)
                parts.append(
                    f"on {task} none (the best, {PREDICTORS[best.predictor].words}, "
                    f"{best.gain.value:.0%}, {best.gain.low:.0%} to {best.gain.high:.0%})"
                )
        among = "networks of equal width" if equal_width else "all networks"
        sentences.append(f"Among {among}: {'; '.join(parts)}")
    if not sentences:
        return "There are too few groups of networks to predict one from the others."
    return (
        "**What to see:** predictors that clearly tell DR of accuracy of a group that was left out "
        "better than the mean of the other groups does, with the share of the squared error that "
        f"they save. {'. '.join(sentences)}. With {POOLED}, each has an intercept of its own, and "
        "the slope is common."
    )
