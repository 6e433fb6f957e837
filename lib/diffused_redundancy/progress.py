"""Progress of long work: a bar in a terminal and in JupyterLab, plain lines elsewhere, nothing in a
report.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

QUIET_VARIABLE = "DIFFUSED_REDUNDANCY_QUIET"
"""Set to show nothing at all."""


def progress(
    items: Iterable[Item], *, total: int | None = None, title: str = "", every: float = 15.0
) -> Iterator[Item]:
    """Yield the items, showing how far it is.

    Parameters
    ----------
    items : iterable
        The work.
    total : int, optional
        How many there are; taken from ``items`` where it has a length.
    title : str
        What the work is.
    every : float
        Seconds between two plain lines, where no bar can be drawn.
    """
    if os.environ.get(QUIET_VARIABLE) or (
        "ipykernel" in sys.modules and not os.environ.get("JPY_SESSION_NAME")
    ):
        yield from items  # a kernel that papermill drives: its page would keep every line
        return
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    if sys.stderr.isatty() or os.environ.get(
        "JPY_SESSION_NAME"
    ):  # the latter: a kernel that JupyterLab started
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=title, leave=False, file=sys.stderr)
        return
    started = shown = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - shown >= every:
            shown = now
            print(
                f"{title}: {done} of {total if total is not None else '?'}, {now - started:.0f} s",
                file=sys.stderr,
                flush=True,
            )
