"""How much memory the processes take that a process starts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

try:
    import resource
except ModuleNotFoundError:  # on Windows
    resource = None  # type: ignore[assignment]

INTERVAL = 0.5
"""Seconds between two looks at the processes, where the system does not keep count."""


@contextmanager
def peak_memory() -> Iterator[Callable[[], float]]:
    """Gives a function that says how large the largest child has been so far, in GiB."""
    if resource is not None:
        yield _counted
        return
    sizes, over = [0], Event()
    watch = Thread(target=_watch, args=(sizes, over), daemon=True)
    watch.start()
    try:
        yield lambda: sizes[0] / 2**30
    finally:
        over.set()
        watch.join()


def _counted() -> float:
    """The largest resident set of the children that have ended, as the system knows it."""
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return largest / 2**30 if sys.platform == "darwin" else largest / 2**20


def _watch(sizes: list[int], over: Event) -> None:
    """Look at the children now and then. Windows tells the peak of one that runs."""
    import psutil

    while not over.wait(INTERVAL):
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):  # it has just ended
                told = child.memory_info()
                sizes[0] = max(sizes[0], getattr(told, "peak_wset", told.rss))
