"""Sums over rows in a fixed tree, so that their bits do not depend on how rows are cut into shards.

Rows are cut into leaves of a fixed number of rows. A node of the tree is a pair of a level and an
index: node (l, i) is the sum of leaves i 2^l to (i + 1) 2^l - 1, as far as there are leaves, and is
always made from nodes (l - 1, 2 i) and (l - 1, 2 i + 1). A shard is a range of leaves. It keeps the
largest nodes that it holds all leaves of, and those of all shards make the root.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .accumulation import BLOCK_ROWS
from .labels import UNLABELLED, class_indices
from .statistics import SufficientStatistics
from .validation import rows_of

LEAF_ROWS = 4 * BLOCK_ROWS
"""Rows of a leaf: whole blocks, so that products are of the rows that one pass multiplies."""

_UNITS = 8
"""A shard is this many equal subtrees or more, where there are so many: shards differ by an eighth
at most, and each keeps few nodes.
"""

Node = tuple[int, int]
"""Level and index."""


@dataclass(frozen=True)
class Part:
    """The sums of some rows.

    Attributes
    ----------
    statistics : SufficientStatistics
    classes : ndarray (C,), optional
        The labels that occur in these rows, sorted: words or whole numbers.
    """

    statistics: SufficientStatistics
    classes: np.ndarray | None = None

    def __add__(self, other: Part) -> Part:
        if self.classes is None or other.classes is None:
            return Part(self.statistics + other.statistics)
        if (self.classes.dtype.kind == "U") != (other.classes.dtype.kind == "U"):
            raise InputError(
                f"some train labels are words, others numbers, such as {self.classes[0]} and "
                f"{other.classes[0]}: give all alike"
            )
        both = np.union1d(self.classes, other.classes)
        ours, theirs = (
            statistics.among_classes(np.searchsorted(both, classes), len(both))
            for statistics, classes in (
                (self.statistics, self.classes),
                (other.statistics, other.classes),
            )
        )
        return Part(ours + theirs, both)


def leaves_of(n: int) -> int:
    """How many leaves n rows have."""
    return -(-n // LEAF_ROWS)


def shard_leaves(n: int, shard: int, shards: int) -> range:
    """The leaves of shard 1 to ``shards``; there may be none.

    >>> [list(shard_leaves(5 * LEAF_ROWS, i, 2)) for i in (1, 2)]
    [[0, 1], [2, 3, 4]]
    """
    leaves = leaves_of(n)
    unit = 1
    while 2 * unit * _UNITS * shards <= leaves:
        unit *= 2
    units = -(-leaves // unit)
    ends = (min(units * i // shards * unit, leaves) for i in (shard - 1, shard))
    return range(*ends)


def sum_leaf(
    X: Any,
    y: Any,
    leaf: int,
    *,
    centre: Any,
    device: str,
    keep: Callable[[int, Any, Any], None],
) -> Part:
    """The sums of one leaf.

    Parameters
    ----------
    X : Rows (n, d)
    y : Rows (n,), optional
    leaf : int
    centre : Tensor (d,)
        The same for all leaves.
    device : str
    keep : callable
        Is given each block of rows once: the number of its first row, the block, and its labels, as
        they are.
    """
    n, d = X.shape
    start, stop = leaf * LEAF_ROWS, min((leaf + 1) * LEAF_ROWS, n)
    labels = classes = None
    if y is not None:
        labels, classes = _classes(y[start:stop], start, stop)
    statistics = SufficientStatistics(
        d, None if classes is None else len(classes), device=device, centre=centre
    )
    for first in range(start, stop, BLOCK_ROWS):
        last = min(first + BLOCK_ROWS, stop)
        block = rows_of(X, slice(first, last))
        some = None if labels is None else labels[first - start : last - start]
        try:
            statistics.update(block, some)
        except InputError as error:
            raise InputError(f"in rows {start} to {stop - 1}, from 0 there: {error}") from error
        keep(first, block, None if some is None or classes is None else classes[some])
    return Part(statistics, classes)


def _classes(labels: Any, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """The labels of some rows as indices into those that occur, and these."""
    name = f"y_train[{start}:{stop}]"
    # -1 marks images without a label, unless the other class is 1, which other rows may hold
    two = np.array([-1, 1])
    plain = np.asarray(labels)
    known = two if plain.dtype.kind == "i" and np.isin(plain, two).all() else None
    index, classes = class_indices(labels, stop - start, name, known)
    occurring, index = np.unique(index, return_inverse=True)
    return index.reshape(-1), classes[occurring]


def check_marks(classes: np.ndarray) -> None:
    """InputError if one of the labels of all rows marks images without a label."""
    found = [mark for mark in UNLABELLED if mark in classes.tolist()]
    if found and classes.tolist() != [-1, 1]:
        raise InputError(
            f"y_train holds {found[0]}, the mark of images without a label: leave these rows out "
            "of features and labels"
        )


def sum_leaves(leaves: Iterable[int], sum_of: Callable[[int], Any]) -> Iterator[tuple[Node, Any]]:
    """The largest nodes that can be made of successive leaves; only those in progress are held."""
    open_: list[tuple[Node, Any]] = []
    for leaf in leaves:
        node, value = (0, leaf), sum_of(leaf)
        while open_ and open_[-1][0] == (node[0], node[1] - 1) and node[1] % 2:
            value, node = open_.pop()[1] + value, (node[0] + 1, node[1] // 2)
        if open_ and node[1] % 2:  # its sibling is not here: those before it are complete, too
            yield from open_
            open_ = []
        open_.append((node, value))
    yield from open_


def root(n: int, nodes: Iterable[Node], sum_of: Callable[[Node], Any]) -> Any:
    """The sum of all leaves of n rows from nodes that cover them, which are asked for in order."""
    leaves, held = leaves_of(n), set(nodes)

    def value(level: int, index: int) -> Any:
        if (level, index) in held:
            return sum_of((level, index))
        left = value(level - 1, 2 * index)
        if (2 * index + 1) << (level - 1) >= leaves:
            return left
        return left + value(level - 1, 2 * index + 1)

    return value((leaves - 1).bit_length(), 0)
