"""Timing side by side: calls take turns in one process, so that whatever else the machine does slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Timed:
    """What some calls took and gave.

    Attributes
    ----------
    seconds : dict of str to list of float
        Wall-clock seconds by call, one entry a round.
    results : dict of str to object
        What each call returned in the untimed round before the first, for the checks.
    """

    seconds: dict[str, list[float]]
    results: dict[str, Any]

    def ratio(self, over: str, under: str) -> float:
        """The median time of one call over that of another."""
        return median(self.seconds[over]) / median(self.seconds[under])

    def told(self, over: str, under: str) -> str:
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
        Timed rounds.
    """
    results = {name: call() for name, call in calls.items()}  # also starts thread pools and fills caches, once for all
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - started)
    return Timed(seconds, results)
