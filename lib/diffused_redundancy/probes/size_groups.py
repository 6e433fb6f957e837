"""Which sizes of nested probes are solved together: the cheapest partition.

A product with the scores of 10 classes runs at a third of a processor's speed, one with those of 10
probes at nine tenths: probes of large subsets are taken as the whole layer with weights of zero,
and those of small ones may share the largest of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 8
"""Columns of a product are filled up to a multiple of this, and to two of it: matrix products of
other widths can be four times as slow.
"""

ROUND = 5e7
"""What a round of a group's solver costs besides products, in the units of ``cost``: about 1 ms on
two CPU cores.
"""

FROM_FURTHER = 1.15
"""How much longer sizes solved together take, as they start from further away."""


def filled_width(columns: int) -> int:
    """The number of columns that so many are filled up to."""
    return max(2 * WIDTH, columns + -columns % WIDTH)


def cost(n: int, rows: int, columns: int) -> float:
    """The time of a product of features (rows, n) with so many columns of scores, in units that
    cancel.
    """
    # On two CPU cores 16 columns run at 0.5 of the speed of a square product, 32 at 0.65, 64 at
    # 0.8, 128 at 0.95.
    return float(n) * rows * (filled_width(columns) + 16)


@dataclass(frozen=True)
class Group:
    """Sizes whose probes share a product: as the whole layer with weights of zero, or as the
    largest of these sizes.
    """

    sizes: tuple[int, ...]
    whole: bool


def cheapest_groups(
    sizes: Sequence[int], count: int, n: int, d: int, num_classes: int
) -> list[Group]:
    """The cheapest partition of ascending sizes into groups of neighbours, for probes of ``count``
    orderings on n images and d neurons.
    """
    best: list[tuple[float, list[Group]]] = [(0.0, [])]
    for stop in range(1, len(sizes) + 1):
        ways = []
        for start in range(stop):
            some, columns = tuple(sizes[start:stop]), (stop - start) * num_classes
            before, groups = best[start]
            gathered = ROUND + count * cost(n, some[-1], columns)
            whole = ROUND + cost(n, d, count * columns)
            for needed, as_whole in ((gathered, False), (whole, True)):
                taken = before + (FROM_FURTHER if len(some) > 1 else 1.0) * needed
                ways.append((taken, [*groups, Group(some, as_whole)]))
        best.append(min(ways, key=lambda way: way[0]))
    return best[-1][1]
