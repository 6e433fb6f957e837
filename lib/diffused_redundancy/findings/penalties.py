"""The penalties of the probes: what cross-validation chose, and what another choice would have
changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import InputError
from ..experiment.measurements import Measurements
from ..experiment.probed_layer import ProbedLayer
from ..measures.curves import Curve, size_of
from ..measures.redundancy import Redundancy
from ..nets.networks import Net
from ..probes.cross_validation import common_choice
from ..tasks import Task
from .figure_data import Point, Series, point
from .grouping import Grouping
from .phrases import listed
from .tables import Curves

PROBES = ("ridge", "logistic")
FACTOR = 10.0
"""Times weaker and stronger than the penalty chosen, to see what hangs on it."""

ORDERS = 5
"""Orders of the neurons that a band rests on, at most: it shows what hangs on the penalty, and at
every penalty the orders are the same.
"""

MOST = 5
"""Penalties at which a band is computed, at most."""

STEPS = 8
"""Penalties a decade among which a band looks for those that cannot be told apart. The first grid
has two, and where one step moves DR by a tenth, too few of them are alike.
"""

WEAKER, CHOSEN, STRONGER = "ten times weaker", "as chosen", "ten times stronger"


def penalty_table(layers: Mapping[str, ProbedLayer]) -> pd.DataFrame:
    """The penalties that cross-validation chose, and whether they lie at an edge of the grid."""
    rows = []
    for case, layer in layers.items():
        for probe in PROBES:
            choice = layer.penalty(probe)
            least, largest = choice.grid[0], choice.grid[-1]
            edge = " (at its edge)" if choice.at_edge else ""
            rows.append(
                {
                    "case": case,
                    "probe": probe,
                    "penalty": f"{choice.penalty:g}",
                    "validation loss": choice.loss[choice.at],
                    "validation accuracy": choice.accuracy[choice.at],
                    "parts left out in turn": choice.folds,
                    "grid": f"{least:g} to {largest:g}{edge}",
                }
            )
    return pd.DataFrame(rows)


def penalty_effects(
    layers: Mapping[str, ProbedLayer], ridge: Curves, logistic: Curves
) -> pd.DataFrame:
    """What a random fifth of each layer keeps of the full layer's test accuracy, in percent, with
    the chosen penalties and others. Nothing is chosen by them.

    Parameters
    ----------
    layers : mapping from a case to ProbedLayer
    ridge, logistic : Curves
        With the penalties chosen; random neurons among them.

    Returns
    -------
    DataFrame
        Columns case, probe, and a share for a penalty ten times weaker, as chosen, and ten times
        stronger, each of the full layer's accuracy with that penalty; NaN where that is 0.
    """
    rows = []
    for case, layer in layers.items():
        for probe, curve in (
            ("ridge", ridge[case]["random"]),
            ("logistic", logistic[case]["random"]),
        ):
            chosen = layer.penalty(probe).penalty
            if curve.column(size_of(0.2, layer.d)) is None:
                curve = _random_fifth(layer, probe, curve.seeds, chosen)
            rows.append(
                {
                    "case": case,
                    "probe": probe,
                    WEAKER: _kept(_random_fifth(layer, probe, curve.seeds, chosen / FACTOR)),
                    CHOSEN: _kept(curve),
                    STRONGER: _kept(_random_fifth(layer, probe, curve.seeds, chosen * FACTOR)),
                }
            )
    return pd.DataFrame(rows)


def _random_fifth(layer: ProbedLayer, probe: str, seeds: tuple[int, ...], penalty: float) -> Curve:
    """A curve that has a fifth of the neurons among its sizes."""
    if probe == "ridge":
        return layer.ridge("random", seeds, penalty=penalty)
    return layer.logistic("random", seeds, [size_of(0.2, layer.d)], penalty=penalty)


def _kept(curve: Curve) -> float:
    """Mean accuracy of a fifth of the layer, in percent of the whole layer's."""
    if not curve.full > 0:
        return float("nan")
    return 100 * float(curve.at_fraction(0.2).mean()) / curve.full


def describe_penalty_effects(table: pd.DataFrame) -> str:
    """One sentence for each probe on the table of effects."""
    sentences = []
    for probe, rows in table.groupby("probe", sort=False):
        moved = (rows[[WEAKER, STRONGER]].to_numpy() - rows[[CHOSEN]].to_numpy()).astype(float)
        if not np.isfinite(moved).any():
            continue
        row, column = divmod(int(np.nanargmax(np.abs(moved))), 2)
        other = (WEAKER, STRONGER)[column]
        most = rows.iloc[row]
        sentences.append(
            f"of the {probe} probe by at most {abs(moved[row, column]):.1f} points (on "
            f"{most['case']}, {other}: {most[CHOSEN]:.1f}% become {most[other]:.1f}%)"
        )
    if not sentences:
        return "Every accuracy of a full layer is 0: there is nothing to compare."
    return (
        "**What to see:** a penalty ten times weaker or stronger moves what a fifth keeps "
        f"{', and '.join(sentences)}. Where two results for a task differ by less than its row "
        "moves, that may be the penalty's doing."
    )


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
    coarse = common_choice([layer.ridge_penalty for layer in layers])
    grid, choices = _finer(coarse.alike), []
    for layer in layers:
        choices.append(layer.choice_on("ridge", grid))
        layer.release()
    fine = common_choice(choices)
    alpha = coarse.penalty if penalty is None else penalty
    some = list(seeds)[:ORDERS]
    tried = _some_of(fine.alike, alpha)
    values = []
    for layer in layers:
        values.append([layer.ridge_redundancy("random", some, delta, one) for one in tried])
        layer.release()
    means = tuple(np.mean(values, 0).tolist())
    return PenaltyBand(delta, tried, means, alpha, len(some))


def _finer(alike: Sequence[float]) -> tuple[float, ...]:
    """Penalties from half a decade below some to half a decade above them, ascending."""
    first, last = (round(STEPS * np.log10(end)) for end in (min(alike), max(alike)))
    steps = range(first - STEPS // 2, last + STEPS // 2 + 1)
    return tuple(float(f"{10 ** (step / STEPS):.3g}") for step in steps)


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


def group_bands(
    measurements: Measurements,
    grouping: Grouping,
    layer: Callable[[Net, Task], ProbedLayer],
    delta: float,
    seeds: Sequence[int],
    most: int = 2,
) -> dict[tuple[str, str], PenaltyBand]:
    """The band of every group of several networks on every task, by label and name, at the
    penalties of the measurements.

    Parameters
    ----------
    measurements : Measurements
        Of ridge probes.
    grouping : Grouping
    layer : callable
        Gives the layer of a network on a task, such as ``session.layer``.
    delta, seeds
        As for :func:`penalty_band`.
    most : int
        Networks of a group that its band is of.
    """
    return {
        (label, task.name): penalty_band(
            [layer(net, task) for net in nets[:most]],
            delta,
            seeds,
            penalty=measurements.of(nets[0], task).penalty,
        )
        for label, nets in grouping.groups.items()
        if len(nets) > 1
        for task in measurements.tasks
    }


def group_bands_table(
    bands: Mapping[tuple[str, str], PenaltyBand], tasks: Sequence[Task]
) -> pd.DataFrame:
    """For reading: one row a group, the width of its band on each task."""
    rows: dict[str, dict[str, str]] = {}
    for (label, name), band in bands.items():
        title = next(task.title for task in tasks if task.name == name)
        rows.setdefault(label, {"group": label})[title] = (
            f"{band.width:.3f} ({band.low:.3f} to {band.high:.3f})"
        )
    return pd.DataFrame(rows.values())


def resolvable(effect: float, band_width: float) -> bool:
    """Whether an effect on DR is larger than what hangs on the choice of a penalty.

    What is not is no ground for a verdict: it may be the penalty's doing.

    Parameters
    ----------
    effect : float
        A difference of DR.
    band_width : float
        See :attr:`PenaltyBand.width`; NaN where there is no DR.

    Examples
    --------
    >>> resolvable(-0.1, 0.08), resolvable(0.05, 0.08), resolvable(0.05, float("nan"))
    (True, False, False)
    """
    return abs(effect) > band_width


def bands_table(bands: Mapping[str, PenaltyBand]) -> pd.DataFrame:
    """One row a case: the penalty in force, the span of the band's, and DR over them."""
    return pd.DataFrame(
        {
            "case": case,
            "penalty": f"{band.penalty:g}",
            "penalties of the band": _span(band.penalties),
            "δ": band.delta,
            "DR(δ)": band.chosen,
            "least": band.low,
            "most": band.high,
            "width": band.width,
            "orders": band.seeds,
        }
        for case, band in bands.items()
    )


def _span(penalties: Sequence[float]) -> str:
    """From the weakest to the strongest."""
    least, most = min(penalties), max(penalties)
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


def band_series(bands: Mapping[str, PenaltyBand], ridge: Curves) -> tuple[list[str], list[Series]]:
    """What :func:`figures.points_figure` draws: DR of random neurons of each case with its interval
    over selections, and beside it with its band over penalties.
    """
    places = range(len(bands))
    return list(bands), [
        Series(
            "interval over subsets and images",
            places,
            [point(_with_interval(ridge[case]["random"], band)) for case, band in bands.items()],
            look=0,
        ),
        Series(
            "band over penalties",
            places,
            [Point(band.chosen, band.low, band.high) for band in bands.values()],
            look=1,
        ),
    ]


def _with_interval(curve: Curve, band: PenaltyBand) -> Redundancy:
    """DR at the band's delta with its interval, withheld where the full layer guesses."""
    redundancy = curve.redundancy(band.delta)
    return redundancy if curve.above_guessing else redundancy.withheld()


def describe_bands(bands: Mapping[str, PenaltyBand], ridge: Curves) -> str:
    """How wide the widest band is, and where one is wider than the interval beside it."""
    known = {case: band for case, band in bands.items() if np.isfinite(band.width)}
    if not known:
        return "No full layer is clearly better than guessing: there is no DR to look at."
    widest = max(known, key=lambda case: known[case].width)
    band = known[widest]
    if band.width == 0:
        return (
            f"**What to see:** no DR({band.delta:g}) depends on which of the penalties that cannot "
            "be told apart is taken."
        )
    text = (
        f"**What to see:** the widest band is that of {widest}: penalties from "
        f"{band.penalties[0]:g} to {band.penalties[-1]:g} give a DR({band.delta:g}) of "
        f"{band.low:.3f} to {band.high:.3f}."
    )
    intervals = {case: _with_interval(ridge[case]["random"], band) for case in known}
    wider = [
        case
        for case, one in intervals.items()
        if one.has_interval and known[case].width > one.high - one.low
    ]
    if not any(one.has_interval for one in intervals.values()):
        return text
    if not wider:
        return f"{text} Nowhere is a band wider than the interval over subsets and images."
    return (
        f"{text} On {listed(wider)} the band is wider than the interval over subsets and images, "
        "which then says too little of how uncertain DR is."
    )
