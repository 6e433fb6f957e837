"""How far DR depends on the penalty: measured at the penalties that cross-validation cannot tell
apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..measures.redundancy import smallest_sufficient
from ..nets.networks import Net
from ..probes.cross_validation import PenaltyChoice, common_choice, united_grid
from ..tasks import Task
from .measurements import Measurement, Measurements
from .probed_layer import ProbedLayer

ORDERS = 5
"""Orders of the neurons that a band rests on, at most: it shows what depends on the penalty, and at
every penalty the orders are the same.
"""

MOST = 5
"""Penalties at which a band is computed, at most."""

STEPS = 8
"""Penalties a decade among which a band looks for those that cannot be told apart. The first grid
has two, and where one step moves DR by a tenth, too few of them are alike.
"""


@dataclass(frozen=True)
class PenaltyBand:
    """DR of ridge accuracy over the penalties that cross-validation cannot tell apart.

    Attributes
    ----------
    delta : float
    penalties : tuple of float (p,)
        Ascending: the weakest and the strongest that cannot be told apart, the one in force, and
        some between.
    values : tuple of float (p,)
        DR(delta) at each, the mean over networks where there are several; NaN where a whole layer
        is no better than guessing.
    penalty : float
        The one in force.
    seeds : int
        Orders of the neurons that each value rests on.

    Examples
    --------
    >>> band = PenaltyBand(0.9, (0.01, 0.03, 0.1), (0.55, 0.5, 0.45), 0.1, seeds=5)
    >>> band.low, band.high, band.chosen, round(band.width, 3)
    (0.45, 0.55, 0.45, 0.1)
    """

    delta: float
    penalties: tuple[float, ...]
    values: tuple[float, ...]
    penalty: float
    seeds: int

    @property
    def chosen(self) -> float:
        """DR at the penalty in force."""
        return self.values[self.penalties.index(self.penalty)]

    @property
    def low(self) -> float:
        """The least DR; NaN where one is."""
        return float(np.min(self.values))

    @property
    def high(self) -> float:
        """The largest DR; NaN where one is."""
        return float(np.max(self.values))

    @property
    def width(self) -> float:
        """From the least DR to the largest."""
        return self.high - self.low


def penalty_band(
    layers: Sequence[ProbedLayer],
    delta: float,
    seeds: Sequence[int],
    *,
    penalty: float | None = None,
) -> PenaltyBand:
    """DR(delta) of ridge accuracy of random neurons over the penalties that cross-validation cannot
    tell apart: see :attr:`.PenaltyChoice.alike`, here on a grid of eight penalties a decade.

    Parameters
    ----------
    layers : sequence of ProbedLayer
        One, or those of several networks on a task, whose mean is meant. Their features are let go.
    delta : float
    seeds : sequence of int
        Of the random selections; the first five are used.
    penalty : float, optional
        The one in force; by default that of :func:`.common_choice`, a single layer's own.

    Raises
    ------
    InputError
        If there is no layer or no seed.
    """
    if not layers or not len(seeds):
        raise InputError("a band of DR needs at least one layer and one seed")
    alike, alpha = _alike(layers, penalty)
    some, tried = list(seeds)[:ORDERS], _some_of(alike, alpha)
    means = tuple(np.mean(_redundancies(layers, tried, delta, some), 0).tolist())
    return PenaltyBand(delta, tried, means, alpha, len(some))


def _alike(layers: Sequence[ProbedLayer], penalty: float | None) -> tuple[tuple[float, ...], float]:
    """The penalties that cross-validation cannot tell apart for all layers together, and the one in
    force, by default that of their common choice.
    """
    coarse = common_choice(_choices(layers, united_grid(_choices(layers))))
    fine = common_choice(_choices(layers, _finer(coarse.alike)))
    return fine.alike, coarse.penalty if penalty is None else penalty


def _choices(
    layers: Sequence[ProbedLayer], grid: tuple[float, ...] | None = None
) -> list[PenaltyChoice]:
    """The choice of each layer, by default on its own grid."""
    found = []
    for layer in layers:
        own = layer.ridge_penalty
        found.append(own if grid in (None, own.grid) else layer.choice_on("ridge", grid))
        layer.release()
    return found


def _redundancies(
    layers: Sequence[ProbedLayer], tried: Sequence[float], delta: float, seeds: Sequence[int]
) -> list[list[float]]:
    """DR of each layer at each penalty."""
    values = []
    for layer in layers:
        values.append([layer.ridge_redundancy("random", seeds, delta, one) for one in tried])
        layer.release()
    return values


def _finer(alike: Sequence[float]) -> tuple[float, ...]:
    """Penalties from half a decade below some to half a decade above them, ascending."""
    first, last = (round(STEPS * np.log10(end)) for end in (min(alike), max(alike)))
    steps = range(first - STEPS // 2, last + STEPS // 2 + 1)
    return tuple(float(f"{10 ** (step / STEPS):.3g}") for step in steps)


def _ends_of(alike: Sequence[float], penalty: float) -> tuple[float, ...]:
    """The weakest, the strongest and the penalty in force; ascending."""
    every = {*alike, penalty}
    return tuple(sorted({min(every), penalty, max(every)}))


def _some_of(alike: Sequence[float], penalty: float) -> tuple[float, ...]:
    """The ends, the penalty in force, and some of those between, spread evenly; ascending."""
    every = sorted({*alike, penalty})
    at = np.linspace(0, len(every) - 1, min(MOST, len(every))).round().astype(int)
    kept = {every[i] for i in at}
    if penalty not in kept:  # it takes the place of its nearest neighbour that is no end
        inner = sorted(kept)[1:-1]
        kept -= {min(inner, key=lambda one: abs(every.index(one) - every.index(penalty)))}
    return tuple(sorted(kept | {penalty}))


def penalty_bands(
    layers: Mapping[str, ProbedLayer], delta: float, seeds: Sequence[int]
) -> dict[str, PenaltyBand]:
    """The band of every case; see :func:`penalty_band`."""
    return {case: penalty_band([layer], delta, seeds) for case, layer in layers.items()}


@dataclass(frozen=True)
class GroupBands:
    """DR of ridge accuracy of groups of networks on a task, all at the same few penalties: those
    that cross-validation cannot tell apart for all of them together.

    Networks are compared at one penalty. So what a difference depends on is not how far DR of a
    group moves with the penalty, but how far the *difference* does.

    Attributes
    ----------
    delta : float
    penalties : tuple of float (p,)
        Ascending: the weakest and the strongest that cannot be told apart, and the one in force.
    values : mapping from the label of a group to tuples (networks, p)
        DR(delta) of each network at each penalty; NaN where its layer is no better than guessing.
    penalty : float
        The one in force.
    seeds : int
        Orders of the neurons that each value rests on, the same at every penalty.

    Examples
    --------
    >>> bands = GroupBands(0.9, (0.1, 1.0), {"a": ((0.5, 0.6),), "b": ((0.3, 0.38),)}, 0.1, seeds=3)
    >>> round(bands.group("a").width, 2), round(bands.of_difference("a", "b"), 2)
    (0.1, 0.02)
    """

    delta: float
    penalties: tuple[float, ...]
    values: Mapping[str, tuple[tuple[float, ...], ...]]
    penalty: float
    seeds: int

    def means(self, label: str) -> np.ndarray:
        """DR at each penalty, (p,), the mean over the networks of a group."""
        means: np.ndarray = np.mean(self.values[label], 0)
        return means

    def group(self, label: str) -> PenaltyBand:
        """The band of one group."""
        means = tuple(self.means(label).tolist())
        return PenaltyBand(self.delta, self.penalties, means, self.penalty, self.seeds)

    def of_difference(self, group: str, against: str) -> float:
        """How far the difference of the means of two groups moves over the penalties, from the
        least to the largest; NaN where it cannot be stated at one of them.
        """
        differences = self.means(group) - self.means(against)
        return float(np.max(differences) - np.min(differences))

    def shifts(self, label: str) -> np.ndarray:
        """DR of each network of a group less its DR at the penalty in force, (networks, p)."""
        values = np.array(self.values[label])
        shifts: np.ndarray = values - values[:, [self.penalties.index(self.penalty)]]
        return shifts


def group_bands(
    measurements: Measurements,
    groups: Mapping[str, Sequence[Net]],
    layer: Callable[[Net, Task], ProbedLayer],
    delta: float,
    seeds: Sequence[int],
    most: int | None = 2,
) -> dict[str, GroupBands]:
    """The bands of all groups of networks on every task, by the name of the task.

    Parameters
    ----------
    measurements : Measurements
        Of ridge probes; their penalties are those in force, where nothing is measured again.
    groups : mapping from a label to networks
    layer : callable
        Gives the layer of a network on a task, such as ``session.layer``.
    delta : float
    seeds : sequence of int
        Of random selections, some of those measured; all of them are used.
    most : int or None
        Networks of a group that its band is of, the first ones; None: all.

    Raises
    ------
    InputError
        If there is no group or no seed, or a seed was not measured.
    """
    if not groups or not len(seeds):
        raise InputError("bands of DR need at least one group and one seed")
    known = {seed for one in measurements.all for seed in one.curve("accuracy").seeds}
    if not set(seeds) <= known:
        missing = sorted(set(seeds) - known)
        raise InputError(f"seeds {missing} are not among those measured: {sorted(known)}")
    found = {}
    for task in measurements.tasks:
        some = {label: nets[:most] for label, nets in groups.items()}
        layers = [layer(net, task) for nets in some.values() for net in nets]
        penalty = measurements.of(next(iter(some.values()))[0], task).penalty
        tried = _ends_of(*_alike(layers, penalty))
        place = tried.index(penalty)
        others = [one for one in tried if one != penalty]
        values: dict[str, list[tuple[float, ...]]] = {label: [] for label in some}
        for label, nets in some.items():
            for net in nets:
                (row,) = _redundancies([layer(net, task)], others, delta, list(seeds))
                row.insert(place, _measured(measurements.of(net, task), delta, seeds))
                values[label].append(tuple(row))
        rows = {label: tuple(of_group) for label, of_group in values.items()}
        found[task.name] = GroupBands(delta, tried, rows, penalty, len(seeds))
    return found


def bands_beside(
    measurements: Measurements,
    more: Mapping[str, Measurements],
    reference: tuple[str, Sequence[Net]],
    layer: Callable[[Net, Task], ProbedLayer],
    delta: float,
    seeds: Sequence[int],
) -> dict[str, GroupBands]:
    """The bands of further networks, each measured on some task only, beside a group that was
    measured on all; by the name of the task.

    Parameters
    ----------
    measurements : Measurements
        Of the group.
    more : mapping from a label to Measurements
        Of the further ones, at the same penalties.
    reference : (str, sequence of Net)
        The group's label and networks.
    layer, delta, seeds
        As for :func:`group_bands`.
    """
    found: dict[str, GroupBands] = {}
    label, nets = reference
    for task in {one.task.name: one.task for some in more.values() for one in some.all}.values():
        here = {
            name: [one for one in some.all if one.task.name == task.name]
            for name, some in more.items()
        }
        every = [measurements.of(net, task) for net in nets]
        every += [one for some in here.values() for one in some]
        groups = {label: nets} | {name: [one.net for one in some] for name, some in here.items()}
        found |= group_bands(Measurements(every), groups, layer, delta, seeds)
    return found


def _measured(measurement: Measurement, delta: float, seeds: Sequence[int]) -> float:
    """DR of accuracy over some of the seeds that were measured; NaN where the whole layer is no
    better than guessing.
    """
    curve = measurement.curve("accuracy")
    if not curve.above_guessing:
        return float("nan")
    mean = curve.values[[curve.seeds.index(seed) for seed in seeds]].mean(0)
    k = smallest_sufficient(mean[None], delta * curve.full, curve.sizes)[0]
    return 1 - float(k) / curve.d


def resolvable(effect: float, band_width: float) -> bool:
    """Whether an effect on DR is larger than what depends on the choice of a penalty.

    What is not is no ground for a verdict: it may be the penalty's doing.

    Parameters
    ----------
    effect : float
        A difference of DR.
    band_width : float
        How far the effect moves over the penalties; see :meth:`GroupBands.of_difference`. NaN where
        there is no DR.

    Examples
    --------
    >>> resolvable(-0.1, 0.08), resolvable(0.05, 0.08), resolvable(0.05, float("nan"))
    (True, False, False)
    """
    return abs(effect) > band_width
