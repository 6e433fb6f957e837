"""Redundancy against performance: what accuracy is left when a share of the layer goes, over all
networks and sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ..errors import InputError
from ..experiment.measurements import Measurement, Measurements
from ..measures.curves import Curve
from ..tasks import Task
from .figure_data import Trade
from .grouping import Grouping
from .phrases import lines, listed


def pareto_front(gains: ArrayLike, values: ArrayLike) -> np.ndarray:
    """Which points no other one beats: none has more of both, or more of one and
    as much of the other.

    Parameters
    ----------
    gains, values : array (n,)
        Two things one wants much of, such as the share of neurons dropped and the accuracy kept.

    Returns
    -------
    ndarray of int
        Positions of the points on the front, by rising ``gains``; of equal points the first.

    Raises
    ------
    InputError
        If the arrays are empty, differ in length, or hold NaN.

    Notes
    -----
    Sort by falling gain and keep each point whose value exceeds all before it: O(n log n).

    Examples
    --------
    >>> pareto_front([0.3, 0.1, 0.2, 0.2], [0.7, 0.9, 0.8, 0.6])
    array([1, 2, 0])
    """
    x, y = np.asarray(gains, dtype=float), np.asarray(values, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or not len(x) or np.isnan(x).any() or np.isnan(y).any():
        raise InputError(
            f"points of shapes {x.shape} and {y.shape} cannot be used: give two arrays of equal "
            "length, without NaN"
        )
    order = np.lexsort((np.arange(len(x)), -y, -x))
    best = np.maximum.accumulate(y[order])
    on = np.concatenate([[True], best[1:] > best[:-1]])
    front: np.ndarray = order[on][::-1]
    return front


@dataclass(frozen=True)
class Front:
    """The Pareto front of a task: how much of the layer can go, and what accuracy is left, over all
    networks and sizes.

    Attributes
    ----------
    task : Task
    dropped, accuracy : ndarray (m,)
        Of the points on the front, by rising share dropped.
    nets : list of str
        Whose point each is.
    """

    task: Task
    dropped: np.ndarray
    accuracy: np.ndarray
    nets: list[str]

    @property
    def leader(self) -> str:
        """The network with most points on the front."""
        return max(dict.fromkeys(self.nets), key=self.nets.count)


def _choices(measurement: Measurement) -> tuple[np.ndarray, np.ndarray]:
    """The share of neurons dropped at random, and the mean accuracy left, at every size."""
    curve = measurement.accuracy["random"]
    return 1 - curve.sizes / curve.d, curve.mean


def front(measurements: Measurements, task: Task, *, width: int | None = None) -> Front:
    """The front of mean accuracy against the share of neurons dropped at random, over all networks
    (of one width) and sizes.
    """
    dropped, accuracy, names = [], [], []
    for net in measurements.nets:
        if width is not None and net.d != width:
            continue
        gain, kept = _choices(measurements.of(net, task))
        dropped.append(gain)
        accuracy.append(kept)
        names += [net.name] * len(kept)
    gain, kept = np.concatenate(dropped), np.concatenate(accuracy)
    on = pareto_front(gain, kept)
    return Front(task, gain[on], kept[on], [names[i] for i in on])


def all_fronts(measurements: Measurements, *, width: int | None = None) -> list[Front]:
    """The front of every task; see :func:`front`."""
    return [front(measurements, task, width=width) for task in measurements.tasks]


def highlighted(
    measurements: Measurements, fronts: Sequence[Front], by_loss: Grouping
) -> dict[str, str]:
    """Labels of the networks that the figure draws in colour: those of the reference loss and of
    adversarial losses, and the leader of each front.
    """
    labels = {
        net.name: label
        for label, nets in by_loss.groups.items()
        if label == by_loss.reference or label.startswith("adversarial")
        for net in nets
    }
    for one in fronts:
        labels.setdefault(one.leader, measurements.labels[one.leader])
    return labels


def trade_panels(
    measurements: Measurements, fronts: Sequence[Front], named: Mapping[str, str]
) -> list[tuple[str, list[Trade], np.ndarray, np.ndarray]]:
    """What :func:`figures.trade_figure` draws; ``named`` labels the networks to be drawn in
    colour.
    """
    labels = list(dict.fromkeys(named.values()))
    panels = []
    for one in fronts:
        trades = []
        for net in measurements.nets:
            label = named.get(net.name)
            look = None if label is None else labels.index(label)
            trades.append(Trade(label or "", *_choices(measurements.of(net, one.task)), look))
        panels.append((one.task.title, trades, one.dropped, one.accuracy))
    return panels


def fronts_table(fronts: Sequence[Front]) -> pd.DataFrame:
    """Every point of every front."""
    frames = [
        pd.DataFrame(
            {
                "task": one.task.title,
                "share_dropped": one.dropped,
                "accuracy": one.accuracy,
                "net": one.nets,
            }
        )
        for one in fronts
    ]
    return pd.concat(frames, ignore_index=True)


def describe_leaders(
    measurements: Measurements, fronts: Sequence[Front], narrow: Sequence[Front], width: int
) -> str:
    """A sentence with a line a task: whose points the fronts are made of, over all networks and,
    where there are several, over those of one ``width`` (``narrow``).
    """

    def leader(one: Front) -> str:
        share = one.nets.count(one.leader) / len(one.nets)
        return f"{measurements.labels[one.leader]} ({share:.0%} of the points)"

    several = sum(net.d == width for net in measurements.nets) > 1
    lead = "The network with most points on a front"
    if several:
        lead += f"; as shares favour wide layers, also among the layers of {width} neurons alone"
    rows = [
        f"{wide.task.title}: {leader(wide)}" + (f"; {leader(alone)}" if several else "")
        for wide, alone in zip(fronts, narrow, strict=True)
    ]
    return lines(lead, rows)


def _parts(curve: Curve) -> list[tuple[np.ndarray, np.ndarray]]:
    """The selections in up to five parts: of each the mean accuracy over the other parts and over
    the part itself, (s,) each. Empty for a single selection. The test images are the same in all:
    parts of these would go here.
    """
    parts = min(5, len(curve.seeds))
    part = np.arange(len(curve.seeds)) % parts
    return [
        (curve.values[part != i].mean(0), curve.values[part == i].mean(0))
        for i in range(parts)
        if parts > 1
    ]


def excess(measurements: Measurements, task: Task) -> float:
    """By how much the accuracy of a front is too high for being a largest value, cross-fitted: a
    front is chosen on all parts of the selections but one, and its accuracy there less that on the
    part left out is averaged over its points and over the parts. NaN with a single selection.
    """
    curves = [measurements.of(net, task).accuracy["random"] for net in measurements.nets]
    dropped = np.concatenate([1 - curve.sizes / curve.d for curve in curves])
    over = []
    for pairs in zip(*map(_parts, curves), strict=True):
        chosen, read = (np.concatenate(some) for some in zip(*pairs, strict=True))
        on = pareto_front(dropped, chosen)
        over.append(np.mean(chosen[on] - read[on]))
    return float(np.mean(over)) if over else float("nan")


def describe_excess(measurements: Measurements) -> str:
    """One sentence: how much of the fronts is luck, as far as the selections tell."""
    found = {task.title: excess(measurements, task) for task in measurements.tasks}
    if any(value != value for value in found.values()):
        return (
            "The largest of many noisy accuracies is too high. By how much is not known here: it "
            "takes two seeds of the selection."
        )
    points = listed([f"{100 * value:+.2f} points on {title}" for title, value in found.items()])
    return (
        "The largest of many noisy accuracies is too high. Fronts that are chosen on some of the "
        f"selections exceed what the same choices reach on the others by {points}, on average over "
        "their points (cross-fitted). The test images and the networks are the same throughout, so "
        "this is only a part of it."
    )


def describe_fronts(fronts: Sequence[Front]) -> str:
    """What the fronts cost, a line a task: the accuracy that is left when half and nine tenths of a
    layer go.
    """
    sentences = []
    for one in fronts:
        best = float(one.accuracy.max())
        left = {}
        for share in (0.5, 0.9):
            beyond = one.dropped >= share
            left[share] = float(one.accuracy[beyond].max()) if beyond.any() else float("nan")
        ends = f"{left[0.5]:.1%} with half dropped, {left[0.9]:.1%} with nine tenths dropped"
        sentences.append(f"{one.task.title}: {best:.1%} with any number of neurons, {ends}")
    return lines("**What to see:** accuracy of the best of these networks and sizes", sentences)
