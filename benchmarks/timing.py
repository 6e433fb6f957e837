"""Timing side by side: calls take turns in one process, so that whatever else the machine does
slows all of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

BURST = 1.0
"""Seconds for which a short call is repeated before the next one has its turn."""


@dataclass(frozen=True)
class Timed:
    """What some calls took and gave.

    Attributes
    ----------
    seconds : dict of str to list of float
        Wall-clock seconds of one call, by name, one entry a round.
    results : dict of str to object
        What each call returned in the untimed round before the first, for the checks.
    """

    seconds: dict[str, list[float]]
    results: dict[str, Any]

    def ratio(self, over: str, under: str) -> float:
        """The median time of one call over that of another."""
        return median(self.seconds[over]) / median(self.seconds[under])

    def summary(self, over: str, under: str) -> str:
        """Both medians and the range of the ratio within a round: how far to trust it."""
        ratios = [a / b for a, b in zip(self.seconds[over], self.seconds[under], strict=True)]
        medians = f"{median(self.seconds[over]):.3g} s against {median(self.seconds[under]):.3g} s"
        return f"{medians}, {min(ratios):.3g} to {max(ratios):.3g} in {len(ratios)} rounds"


def interleaved(calls: Mapping[str, Callable[[], Any]], rounds: int) -> Timed:
    """Time some calls in turn, A B A B ..., after one untimed round.

    Parameters
    ----------
    calls : mapping of str to callable
        By name; none takes arguments.
    rounds : int
        Timed rounds. In each a short call is repeated, and the median of the repetitions is its
        time.
    """
    # also starts thread pools and fills caches, once for all
    results = {name: call() for name, call in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(median(_burst(call)))
    return Timed(seconds, results)


def _burst(call: Callable[[], Any]) -> list[float]:
    """Seconds of a call, over and over for :data:`BURST` seconds, at least once.

    The first call after another library's may wait for that library's threads to go to sleep (up to
    0.1 s on two cores), which says nothing about either of them.
    """
    taken: list[float] = []
    until = time.perf_counter() + BURST
    while not taken or time.perf_counter() < until:
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return taken
