"""Redundancy against performance: what accuracy is left when a share of the layer goes, over all
nets and sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..experiment.measurements import Cells
from ..tasks import Task
from .figure_data import Trade
from .probing import listed


def pareto_front(gains: Any, values: Any) -> np.ndarray:
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

    Notes
    -----
    Sort by falling gain and keep each point whose value exceeds all before it: O(n log n).
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
    return order[on][::-1]


@dataclass(frozen=True)
class Front:
    """The Pareto front of a task: how much of the layer can go, and what accuracy is left, over all
    nets and sizes.

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


def front(
    cells: Cells, task: Task, selection: str = "random", *, width: int | None = None
) -> Front:
    """The front of mean accuracy against the share of neurons dropped, over all nets (of one width)
    and sizes.
    """
    dropped, accuracy, names = [], [], []
    for net in cells.nets:
        if width is not None and net.d != width:
            continue
        cell = cells.of(net, task)
        values = cell.accuracy[selection].mean(0)
        dropped.append(1 - cell.sizes[: len(values)] / cell.d)
        accuracy.append(values)
        names += [net.name] * len(values)
    gain, kept = np.concatenate(dropped), np.concatenate(accuracy)
    on = pareto_front(gain, kept)
    return Front(task, gain[on], kept[on], [names[i] for i in on])


def fronts_figure_data(
    cells: Cells, fronts: Sequence[Front], named: Mapping[str, str]
) -> list[tuple[str, list[Trade], np.ndarray, np.ndarray]]:
    """What :func:`figures.trade_figure` draws; ``named`` gives nets to be drawn in colour a
    label.
    """
    labels = list(dict.fromkeys(named.values()))
    panels = []
    for one in fronts:
        lines = []
        for net in cells.nets:
            cell = cells.of(net, one.task)
            values = cell.accuracy["random"].mean(0)
            label = named.get(net.name)
            lines.append(
                Trade(
                    label or "",
                    1 - cell.sizes[: len(values)] / cell.d,
                    values,
                    None if label is None else labels.index(label),
                )
            )
        panels.append((one.task.title, lines, one.dropped, one.accuracy))
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


def leading(fronts: Sequence[Front], cells: Cells) -> dict[str, str]:
    """The net with most points on each front, and what figures call it."""
    names = [max(dict.fromkeys(one.nets), key=one.nets.count) for one in fronts]
    return {name: cells.labels[name] for name in dict.fromkeys(names)}


def describe_leading(fronts: Sequence[Front], cells: Cells) -> str:
    """One sentence: whose points the fronts are made of."""
    told = []
    for one in fronts:
        name = max(dict.fromkeys(one.nets), key=one.nets.count)
        told.append(
            f"{cells.labels[name]} on {one.task.title} ({one.nets.count(name)} of "
            f"{len(one.nets)} points)"
        )
    return f"Most of the front is {listed(told)}"


def describe_fronts(fronts: Sequence[Front]) -> str:
    """What the fronts cost: the accuracy that is left when half and nine tenths of a layer go, by
    task.
    """
    told = []
    for one in fronts:
        best = float(one.accuracy.max())
        left = {}
        for share in (0.5, 0.9):
            beyond = one.dropped >= share
            left[share] = float(one.accuracy[beyond].max()) if beyond.any() else float("nan")
        ends = f"{left[0.5]:.1%} with half dropped, {left[0.9]:.1%} with nine tenths dropped"
        told.append(f"{one.task.title}: {best:.1%} with any number of neurons, {ends}")
    return "**What to see:** the best any of these nets does. " + "; ".join(told) + "."
