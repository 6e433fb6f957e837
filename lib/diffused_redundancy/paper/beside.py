"""The paper's printed values beside those of a run, one by one, where network and task match.

DR is compared on the paper's own sizes. Both are then read off one grid, and the printed value lies
in an interval of ours or it does not. The paper prints no interval, so how far *its* value could
have fallen elsewhere is not known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..experiment.measurements import Measurement
from ..findings.phrases import listed, with_interval
from ..measures.curves import Curve, size_of
from ..measures.selections import PAPER_FRACTIONS, sizes_of
from ..nets.networks import Net
from ..nets.protocols import Protocol
from ..tasks import Task
from ..tasks.datasets import DATASETS
from .printed import KEPT, REDUNDANCY, Printed, printed

Ours = tuple[Net, Task, Curve, Mapping[str, Any]]
"""What a run measured: a network on a task, the accuracy of random neurons, and ``n_train`` and
``n_test`` (:attr:`.ProbedLayer.about`).
"""

READ = 0.05
"""The least fraction whose size must have been measured: no printed value is of a smaller one."""

SEEDS = 5
"""Random subsets that the paper's values are means over."""

MOST = 6
"""Values that the sentence names, at most."""


@dataclass(frozen=True)
class Cell:
    """A printed value, and ours.

    Attributes
    ----------
    printed : Printed
    reason : str
        Why nothing can be compared; empty if something can.
    value, low, high : float
        Ours with its 95% interval over subsets and test images: of DR on the paper's sizes, or the
        share kept. NaN if nothing can be compared, the ends also where there is no interval.
    every, every_low, every_high : float
        DR of all sizes that were measured, as for ``value``.
    differs : tuple of str
        What else is not the same.
    """

    printed: Printed
    reason: str = ""
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    every: float = float("nan")
    every_low: float = float("nan")
    every_high: float = float("nan")
    differs: tuple[str, ...] = ()

    @property
    def ours(self) -> str:
        """Our value with its interval."""
        return with_interval(self.value, self.low, self.high, ".3f")

    @property
    def outcome(self) -> str:
        """Where the printed value lies: ``inside`` our interval, ``above`` or ``below`` it; of a
        share that is said to be *at least* something: ``agrees``, ``disagrees`` or ``open``.
        ``no interval``; ``not comparable``.
        """
        if self.reason:
            return "not comparable"
        if self.low != self.low:
            return "no interval"
        value = self.printed.value
        if self.printed.quantity == KEPT:
            return "agrees" if self.low >= value else "disagrees" if self.high < value else "open"
        # DR of the size that a printed fraction stands for: 38 of 384 neurons are 0.901, not 0.9
        d, rounding = self.printed.d, 1e-9
        exact = 1 - size_of(_fraction(value), d) / d
        if exact > self.high + rounding:
            return "above"
        return "below" if exact < self.low - rounding else "inside"


def _fraction(redundancy: float) -> float:
    """The fraction of the paper's grid that a printed DR stands for."""
    return min(PAPER_FRACTIONS, key=lambda one: abs(1 - redundancy - one))


def compared(ours: Iterable[Ours], protocol: Protocol) -> list[Cell]:
    """Every printed value with ours, or with the reason why there is none.

    Parameters
    ----------
    ours : iterable of (Net, Task, Curve, mapping)
        A network with weights from a file (``TAG@PATH``) stands for the one of its tag, a
        compressed copy for its original where that is not measured, and images in a folder for
        their data set.
    protocol : Protocol
        Of the train images.
    """
    copies_first = sorted(ours, key=lambda one: not one[0].origin.copy_of)
    measured = {(_stands_for(one[0]), _set_of(one[1])): one for one in copies_first}
    nets = {net for net, _ in measured}
    cells = []
    for value in printed():
        found = measured.get((value.net, value.task))
        if found is None:
            cells.append(Cell(value, _missing(value, nets)))
        else:
            cells.append(_cell(value, found, protocol))
    return cells


def _missing(value: Printed, nets: Collection[str]) -> str:
    """Why a printed value stands alone."""
    if value.net in nets:
        return "task not measured here"
    architectures = {net.partition(".")[0] for net in nets}
    if value.net.partition(".")[0] in architectures:
        return "measured here with other weights only"
    return "network not measured here"


def compared_measurements(measured: Iterable[Measurement], protocol: Protocol) -> list[Cell]:
    """As :func:`compared`, of measurements."""
    ours = ((one.net, one.task, one.curve("accuracy"), one.about) for one in measured)
    return compared(ours, protocol)


def not_comparable(reason: str) -> list[Cell]:
    """Every printed value, where none can be compared for one reason."""
    return [Cell(value, reason) for value in printed()]


def _stands_for(net: Net) -> str:
    return net.origin.copy_of or net.name.partition("@")[0]


def _set_of(task: Task) -> str:
    return task.name.partition(":")[0]


def _cell(value: Printed, ours: Ours, protocol: Protocol) -> Cell:
    net, task, curve, about = ours
    if curve.d != value.d:
        return Cell(value, f"another layer: of {curve.d} neurons, not {value.d}")
    if not curve.above_guessing:
        return Cell(value, "the whole layer is not clearly better than guessing")
    differs = tuple(_differences(value, net, task, curve, about, protocol))
    if value.quantity == KEPT:
        fifth = size_of(value.fraction or 0, curve.d)
        if curve.column(fifth) is None:
            return Cell(value, f"k = {fifth} was not measured")
        return Cell(value, "", *curve.kept(fifth), differs=differs)
    grid = sizes_of(PAPER_FRACTIONS, curve.d)
    lacking = [k for k in grid if k >= READ * curve.d - 1 and curve.column(k) is None]
    if lacking:
        sizes = listed([str(k) for k in lacking])
        return Cell(value, f"sizes of the paper's grid not measured: k = {sizes}")
    delta = value.delta or 0
    on_grid = curve.only([k for k in grid if curve.column(k) is not None])
    read, every = on_grid.redundancy(delta), curve.redundancy(delta)
    if read.k is None:
        return Cell(value, f"no size keeps {delta:.0%} of the whole layer's accuracy")
    if on_grid.near_bar(delta):
        differs += ("within the solver's error k* could be another size",)
    return Cell(
        value, "", read.value, read.low, read.high, every.value, every.low, every.high, differs
    )


def _differences(
    value: Printed,
    net: Net,
    task: Task,
    curve: Curve,
    about: Mapping[str, Any],
    protocol: Protocol,
) -> Iterable[str]:
    """What is not as in the paper, beside the neurons that were drawn."""
    train, test = int(about["n_train"]) // protocol.views, int(about["n_test"])
    of_set = DATASETS.get(_set_of(task))
    whole = of_set.images if of_set else (train, test)
    if not (train == whole[0] and value.images.startswith("the official")):
        yield f"{train:,} of {whole[0]:,} train images (paper: {value.images})"
    if test != whole[1]:
        yield f"{test:,} of {whole[1]:,} test images (paper: all)"
    views = "one view" if protocol.name == "clean" else f"{protocol.views} random views"
    yield f"{views} of each (paper: {value.views})"
    if curve.measure.startswith("ridge"):
        yield f"ridge probe (paper: {value.probe})"
    else:
        yield f"probe solved to convergence (paper: {value.probe})"
    if len(curve.seeds) != SEEDS:
        yield f"{len(curve.seeds)} random subsets (paper: {SEEDS})"
    if net.origin.copy_of:
        yield "compressed and restored weights"
    if "@" in net.name:
        yield "weights of a file"
    elif value.top1 and net.origin.top1 and abs(value.top1 - net.origin.top1) > 5e-4:
        yield f"weights of top-1 {net.origin.top1:.1%} (paper: {value.top1:.1%})"


def beside_table(cells: Sequence[Cell]) -> pd.DataFrame:
    """One row per printed value, as numbers."""
    return pd.DataFrame(
        {
            "source": f"{cell.printed.source}, {cell.printed.where}",
            "network": cell.printed.network,
            "net": cell.printed.net,
            "d": cell.printed.d,
            "top1": np.nan if cell.printed.top1 is None else cell.printed.top1,
            "task": cell.printed.task,
            "quantity": cell.printed.quantity,
            "delta": np.nan if cell.printed.delta is None else cell.printed.delta,
            "fraction": np.nan if cell.printed.fraction is None else cell.printed.fraction,
            "paper": cell.printed.value,
            "paper_below": np.nan if cell.printed.below is None else cell.printed.below,
            "ours": cell.value,
            "low": cell.low,
            "high": cell.high,
            "ours_all_sizes": cell.every,
            "low_all_sizes": cell.every_low,
            "high_all_sizes": cell.every_high,
            "outcome": cell.outcome,
            "reason": cell.reason,
            "differs": "; ".join(cell.differs),
        }
        for cell in cells
    )


_OUTCOMES = {
    "inside": "inside our interval",
    "above": "above our interval",
    "below": "below our interval",
    "agrees": "reached by our interval",
    "disagrees": "not reached by our interval",
    "open": "left open by our interval",
}


def shown_beside(cells: Sequence[Cell]) -> pd.DataFrame:
    """For reading: the values that can be compared; without rows if there are none."""
    return pd.DataFrame(
        {
            "value": cell.printed.title,
            "paper": cell.printed.said,
            "ours, on the paper's sizes": cell.ours,
            "ours, all sizes": with_interval(cell.every, cell.every_low, cell.every_high, ".3f"),
            "the paper's is": _OUTCOMES.get(cell.outcome, cell.outcome),
            "what differs": "; ".join(cell.differs),
        }
        for cell in cells
        if not cell.reason
    )


def by_network(cells: Sequence[Cell]) -> pd.DataFrame:
    """For reading, in short: one row per network of the paper, one column a task; what is printed,
    with ours beside it where it can be compared, and why it cannot.
    """
    tasks = list(dict.fromkeys(cell.printed.task_name for cell in cells))
    by_name: dict[str, list[Cell]] = {}
    for cell in cells:
        by_name.setdefault(cell.printed.network, []).append(cell)
    rows = []
    for network, some in by_name.items():
        reasons = dict.fromkeys(cell.reason for cell in some if cell.reason)
        row: dict[str, str] = {"network of the paper": network, **dict.fromkeys(tasks, "–")}
        for cell in some:
            said = f"{cell.printed.measure}: {cell.printed.bare}"
            if not cell.reason:
                said += f"; ours {cell.ours}"
            row[cell.printed.task_name] = said
        row["not comparable"] = listed(list(reasons)) if reasons else ""
        rows.append(row)
    return pd.DataFrame(rows)


def describe_beside(cells: Sequence[Cell]) -> str:
    """What can be compared, and where the printed values lie."""
    there = [cell for cell in cells if not cell.reason]
    if not there:
        reasons = dict.fromkeys(cell.reason for cell in cells)
        return (
            "None of the paper's printed values is comparable with this run: "
            f"{listed(list(reasons))}."
        )
    parts = [
        f"{cell.printed.title}: {cell.ours}, where the paper says {cell.printed.said}, which is "
        f"{_OUTCOMES.get(cell.outcome, cell.outcome)}"
        for cell in there[:MOST]
    ]
    more = f"; and {len(there) - MOST} more in the table" if len(there) > MOST else ""
    of_grid = [cell for cell in there if cell.printed.quantity == REDUNDANCY]
    inside = sum(cell.outcome == "inside" for cell in of_grid)
    counted = (
        f" {inside} of {len(of_grid)} printed DR lie inside our interval."
        if len(of_grid) > 1
        else ""
    )
    left = len(cells) - len(there)
    rest = f" Of the printed values {left} cannot be compared here." if left else ""
    return (
        "**What to see:** ours with 95% intervals over subsets and test images, DR on the paper's "
        f"sizes. {'; '.join(parts)}{more}.{counted}{rest} The paper prints no interval, and what "
        "differs is in the table: inside does not mean equal, and outside need not mean that one "
        "of the two is wrong."
    )
