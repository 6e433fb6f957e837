"""The paper's printed values: ``data/paper_values.csv``, one row per value.

A printed DR is that of a grid of fractions: 0.80 means that 20% of the neurons suffice and 10%, the
next smaller size on the grid, do not. So what is known of the DR of every size is that it is at
least 0.80 and below 0.90.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import InputError
from ..store import paths

REDUNDANCY, KEPT = "DR of accuracy", "share of accuracy kept"
"""What a value is: DR at a delta, or the least share of the whole layer's accuracy that a random
fraction of its neurons keeps.
"""


@dataclass(frozen=True)
class Printed:
    """One printed value.

    Attributes
    ----------
    source, where : str
        Which version of the paper, and the place in it.
    network, task_name : str
        As printed.
    net, task : str
        Their names here.
    d : int
        Neurons of the penultimate layer.
    top1 : float or None
        The network's own accuracy on ImageNet's validation images, in [0, 1], if it is printed.
    quantity : str
        :data:`REDUNDANCY` or :data:`KEPT`.
    delta, fraction : float or None
        Of DR, and of what is kept.
    value : float
        Of what is kept, the least it is said to be.
    below : float or None
        Of DR, the next value on the grid, which is not reached.
    read : str
        How it was read.
    images, views, probe : str
        What the probe was trained on, and how, as the authors' code does it.

    Examples
    --------
    >>> one = next(one for one in printed() if one.net == "resnet18.tv_in1k")
    >>> one.where, one.task, one.delta, one.value, one.below
    ('table 1', 'cifar10', 0.9, 0.8, 0.9)
    """

    source: str
    where: str
    network: str
    net: str
    d: int
    top1: float | None
    task_name: str
    task: str
    quantity: str
    delta: float | None
    fraction: float | None
    value: float
    below: float | None
    read: str
    images: str
    views: str
    probe: str

    @property
    def title(self) -> str:
        """What it is a value of.

        >>> [one.title for one in printed()][-2:]
        ['DR(0.9), Pets, ResNet18', 'share kept by 20%, CIFAR10, ResNet50']
        """
        return f"{self.measure}, {self.task_name}, {self.network}"

    @property
    def measure(self) -> str:
        """What was measured, in short."""
        if self.quantity == REDUNDANCY:
            return f"DR({self.delta:g})"
        return f"share kept by {self.fraction or 0:.0%}"

    @property
    def bare(self) -> str:
        """The value alone."""
        return f"{'at least ' if self.below is None else ''}{self.value:.2f}"

    @property
    def said(self) -> str:
        """The value in words.

        >>> [one.said for one in printed()][-2:]
        ['0.90 (at least 0.90, below 0.95)', 'at least 0.95']
        """
        if self.below is None:
            return self.bare
        return f"{self.bare} (at least {self.value:.2f}, below {self.below:.2f})"


_NUMBERS = ("d", "top1", "delta", "fraction", "value", "below")


@cache
def printed() -> tuple[Printed, ...]:
    """Every value, in the order of the file."""
    return read_values(paths.data() / "paper_values.csv")


def read_values(path: Path) -> tuple[Printed, ...]:
    """The values of a file; InputError with the line that is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    values = []
    for number, row in enumerate(rows, 1):
        try:
            values.append(Printed(**_read(row)))
        except (KeyError, TypeError, ValueError) as error:  # cells or names lack, or no number
            raise InputError(f"value {number} of {path} cannot be read: {error}") from error
    return tuple(values)


def _read(row: dict[str, str]) -> dict[str, Any]:
    """A row of the file, its numbers as numbers; None where there is none."""
    numbers = {name: float(row[name]) if row[name] else None for name in _NUMBERS}
    return {**row, **numbers, "d": int(row["d"])}


def printed_table() -> pd.DataFrame:
    """The printed DR for reading: one row per network, one column a task."""
    rows: dict[str, dict[str, Any]] = {}
    for one in printed():
        if one.quantity == REDUNDANCY:
            about = {"network": one.network, "d": one.d, "ImageNet top-1": one.top1}
            row = rows.setdefault(one.network, about)
            row[f"DR({one.delta:g}), {one.task_name}"] = f"{one.value:.2f}"
    return pd.DataFrame(rows.values())
