"""What may tell how redundant a network is without a probe, held against DR of accuracy:
similarity, the geometry of the layer, its width.

The unit is a group of networks that differ in the seed of their pre-training only: its value is
their mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import spearmanr

from ..nets.networks import Net
from ..uncertainty.association import (
    Association,
    corrected_associations,
    predictive_gain,
    rank_correlation,
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
        one = net.origin
        loss = net.name if one.loss == "unknown" else one.loss
        groups.setdefault((loss, one.upstream, one.family, str(net.d)), []).append(net)
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
