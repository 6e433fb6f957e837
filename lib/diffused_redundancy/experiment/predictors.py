"""What may tell how redundant a network is without a probe, held against DR of accuracy:
similarity, the geometry of the layer, its width.

The unit is a group of networks that differ in the seed of their pre-training only: its value is
their mean. Groups of one kind, such as the strengths of one loss, are alike: what depends on a kind
is seen by leaving it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from ..nets.networks import Net
from ..uncertainty.association import (
    Association,
    corrected_associations,
    gain_over_members,
    predictive_gain,
    rank_correlation,
    reliability,
)
from .measurements import COMPARED, Measurement, Measurements

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
    **{
        name: Predictor(f"{words} (uses labels)", _log(name), "labels of the train images")
        for name, words in {
            "collapse": "NC1",
            "norms": "NC2, norms",
            "angles": "NC2, angles",
        }.items()
    },
    "full": Predictor(
        "accuracy of the whole layer", lambda one, delta: one.full, "labels, and one probe"
    ),
}
"""What is held against DR of accuracy. All but the redundancies and the accuracy are in logarithms:
they are ratios and counts.
"""

REFERENCE = "full"
"""What is no predictor without a probe, but what the others are to be held against."""

HALF = 0.5
"""The least reliability of groups among which something can be told."""


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
    correlation : Association
        Of ranks, over groups; for all tasks together the mean of theirs.
    over_networks : float
        The same over networks, as if they were independent; NaN for all tasks together.
    network_gain : tuple of float
        The gain in predicting a single network from all others, those of its own group among them,
        and its interval over groups; see :func:`.gain_over_members`.
    above_chance : float
        The same over groups, with DR of accuracy above chance; NaN for all tasks together.
    gain : Association
        In predicting a group that was left out; see :func:`.predictive_gain`.
    """

    predictor: str
    task: str
    equal_width: bool
    networks: int
    correlation: Association
    over_networks: float
    network_gain: tuple[float, float, float]
    above_chance: float
    gain: Association


def seed_groups(nets: Sequence[Net]) -> list[list[Net]]:
    """The networks that differ in the seed of their pre-training only, in order."""
    groups: dict[tuple[str, ...], list[Net]] = {}
    for net in nets:
        one = net.origin
        loss = net.name if one.loss == "unknown" else one.loss
        groups.setdefault((loss, one.upstream, one.family, str(net.d)), []).append(net)
    return list(groups.values())


def kind(net: Net, reference: Net) -> str:
    """What sets a network apart from the reference: its loss in a word, or another trait."""
    ours, theirs = net.origin, reference.origin
    if ours.family != theirs.family:
        return "another family"
    if net.d != reference.d:
        return "another width"
    if ours.upstream != theirs.upstream:
        return "other upstream images"
    return (net.name if ours.loss == "unknown" else ours.loss).split()[0].partition("-")[0]


@dataclass(frozen=True)
class Ceiling:
    """How well DR of accuracy of groups can be told on a task at all; see :func:`.reliability`.

    Attributes
    ----------
    task : str
    equal_width : bool
    networks, groups : int
    value, least : float
        The share of the variance between groups that is not of seeds; the least with one group left
        out.
    """

    task: str
    equal_width: bool
    networks: int
    groups: int
    value: float
    least: float

    @property
    def too_low(self) -> bool:
        """Whether less than half of what sets groups apart is more than seeds, once some group is
        left out.
        """
        return self.least < HALF


def _sets(measurements: Measurements) -> list[tuple[bool, list[Net]]]:
    """All networks, and, if some are not, those as wide as the first one."""
    nets = measurements.nets
    same = [net for net in nets if net.d == nets[0].d]
    return [(False, nets), *([(True, same)] if len(same) < len(nets) else [])]


def ceilings(measurements: Measurements, delta: float) -> list[Ceiling]:
    """How well DR of accuracy can be told on each task, among all networks and among those as wide
    as the first one.
    """
    target, found = _redundancy(ACCURACY), []
    for equal_width, nets in _sets(measurements):
        groups = seed_groups(nets)
        for task in measurements.tasks:
            values = [
                [target(measurements.of(net, task), delta) for net in some] for some in groups
            ]
            ends = reliability(values)
            found.append(Ceiling(task.title, equal_width, len(nets), len(groups), *ends))
    return found


def _above_chance(one: Measurement, delta: float) -> float:
    redundancy = one.curve(ACCURACY).above_chance(delta)
    return float("nan") if redundancy is None else redundancy.value


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

    Chance is what comes of k* shuffled over the groups, each of which keeps its width: DR = 1 -
    k*/d of anything goes with DR of anything else where widths differ. Tests are corrected (Holm)
    for all predictors of one set of networks, those of all tasks together by themselves;
    correlations and gains apart.
    """
    found = []
    for equal_width, nets in _sets(measurements):
        some = _told(measurements, nets, delta, equal_width=equal_width)
        pooled = [one for one in some if one.task == POOLED]
        found += _corrected([one for one in some if one.task != POOLED]) + _corrected(pooled)
    return found


def _told(
    measurements: Measurements, nets: Sequence[Net], delta: float, *, equal_width: bool
) -> list[Told]:
    groups, alone = seed_groups(nets), [[net] for net in nets]
    group_of = [at for net in nets for at, some in enumerate(groups) if net in some]
    target, nan = _redundancy(ACCURACY), float("nan")
    y, y_alone = (_by_group(measurements, some, target, delta) for some in (groups, alone))
    corrected = _by_group(measurements, groups, _above_chance, delta)
    how: dict[str, Any] = {
        "whole": [some[0].d for some in groups],
        "clusters": [kind(some[0], measurements.nets[0]) for some in groups],
    }
    found = []
    for name, predictor in PREDICTORS.items():
        if equal_width and name in OF_WIDTH:
            continue
        x, x_alone = (
            _by_group(measurements, some, predictor.of, delta) for some in (groups, alone)
        )
        columns = [(task.title, [at]) for at, task in enumerate(measurements.tasks)]
        if len(columns) > 1:
            columns.append((POOLED, list(range(len(columns)))))
        for task, at in columns:
            one = len(at) == 1
            found.append(
                Told(
                    name,
                    task,
                    equal_width,
                    len(nets),
                    rank_correlation(x[:, at], y[:, at], **how),
                    _spearman(x_alone[:, at[0]], y_alone[:, at[0]]) if one else nan,
                    gain_over_members(x_alone[:, at], y_alone[:, at], group_of),
                    _spearman(x[:, at[0]], corrected[:, at[0]]) if one else nan,
                    predictive_gain(x[:, at], y[:, at], **how),
                )
            )
    return found


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    known = ~np.isnan(x + y)
    if known.sum() < 3 or not np.ptp(x[known]) > 0 or not np.ptp(y[known]) > 0:
        return float("nan")
    return float(spearmanr(x[known], y[known]).statistic)


def _corrected(found: Sequence[Told]) -> list[Told]:
    """With Holm's correction over all of them."""
    correlations = corrected_associations([one.correlation for one in found])
    gains = corrected_associations([one.gain for one in found])
    return [
        replace(one, correlation=correlation, gain=gain)
        for one, correlation, gain in zip(found, correlations, gains, strict=True)
    ]
