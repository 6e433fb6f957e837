"""A scheduler with many workers, and the sum of many shards, as simulated discrete events.

Assumed: the process that hands out units does nothing else, one unit after the other; the scheduler
likewise; workers are alike, and lose no time between units but by waiting for these two; no unit
waits for those of the step before. Units differ in length by a factor of four, as recorded units of
one step do.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from itertools import pairwise

LEAF_ROWS = 16_000
UNITS_OF_SHARD = 8
"""As in the library's tree of sums."""


@dataclass(frozen=True)
class Costs:
    """Seconds of one unit: of the process that hands it out, and of the scheduler."""

    hand: float
    scheduler: float


def makespan(costs: Costs, *, workers: int, units: int, seconds: float) -> float:
    """Seconds until all units are done, of ``seconds`` each on average."""
    rng = random.Random(1)
    free = [0.0] * workers
    handed = scheduled = last = 0.0
    for _ in range(units):
        handed += costs.hand
        scheduled = max(scheduled, handed, free[0]) + costs.scheduler
        end = scheduled + seconds * rng.uniform(0.4, 1.6)
        heapq.heapreplace(free, end)
        last = max(last, end)
    return last


def nodes(images: int, shards: int) -> int:
    """How many sums all shards hold together, each as few as its leaves can be summed up to."""
    leaves, unit = -(-images // LEAF_ROWS), 1
    while 2 * unit * UNITS_OF_SHARD * shards <= leaves:
        unit *= 2
    count = -(-leaves // unit)
    ends = [min(count * i // shards * unit, leaves) for i in range(shards + 1)]
    return sum(_cover(start, stop) for start, stop in pairwise(ends))


def _cover(start: int, stop: int) -> int:
    """The least number of whole subtrees that leaves ``start`` to ``stop`` are."""
    found = 0
    while start < stop:
        size = start & -start or 1 << stop.bit_length()
        while start + size > stop:
            size //= 2
        start, found = start + size, found + 1
    return found


def merge_seconds(held: int, d: int, read: float, add: float = 8e9) -> float:
    """Seconds of one process that reads so many d x d sums of doubles, at ``read`` bytes a second,
    and adds them up, at ``add``.
    """
    whole = held * d * d * 8
    return whole / read + whole / add
