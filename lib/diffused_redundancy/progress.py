"""Progress of long work: a bar in a terminal and in JupyterLab, plain lines elsewhere, JSON for the
process that started this one, nothing in a report.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TypeVar

Item = TypeVar("Item")

JSON_VARIABLE = "DIFFUSED_REDUNDANCY_PROGRESS_JSON"
"""Set by the runner for its children: they write :meth:`Progress.to_json`, one a line."""


@dataclass(frozen=True)
class Progress:
    """How far some work is.

    Attributes
    ----------
    title : str
        What the work is.
    done : int
    total : int or None
        None where it is not known.
    seconds : float
        Since it began.
    """

    title: str
    done: int
    total: int | None
    seconds: float

    def __str__(self) -> str:
        """What is done, how fast, and about how long the rest takes at that rate.

        >>> print(Progress("batches", 3, 8, 15.0))
        batches: 3 of 8, 0.2 per second, 25 s left
        >>> print(Progress("batches", 300, 188_000, 15.0), Progress("letters", 2, None, 0.0))
        batches: 300 of 188000, 20 per second, 2.6 h left letters: 2
        """
        parts = [f"{self.title}: {self.done}" + (f" of {self.total}" if self.total else "")]
        if self.done and self.seconds > 0:
            rate = self.done / self.seconds
            parts.append(f"{rate:.{1 if rate < 10 else 0}f} per second")
            if self.total:
                left = max(0, self.total - self.done) / rate
                size, unit = next(
                    (size, unit)
                    for size, unit in ((3600, "h"), (60, "min"), (1, "s"))
                    if left >= 2 * size or size == 1
                )
                parts.append(f"{left / size:.{1 if size == 3600 else 0}f} {unit} left")
        return ", ".join(parts)

    def to_json(self) -> str:
        """As one line of JSON.

        >>> Progress("batches", 3, 8, 1.5).to_json()
        '{"title": "batches", "done": 3, "total": 8, "seconds": 1.5}'
        """
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Progress | None:
        """What a line of JSON says; None if it is no line of progress.

        >>> Progress.from_json("a warning") is None
        True
        """
        try:
            return cls(**json.loads(line))
        except (ValueError, TypeError):
            return None


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
        Seconds between two lines, where no bar can be drawn.
    """
    in_jupyterlab = bool(os.environ.get("JPY_SESSION_NAME"))  # it starts its kernels with a name
    if "ipykernel" in sys.modules and not in_jupyterlab:
        yield from items  # a kernel that papermill drives: its page would keep every line
        return
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    as_json = bool(os.environ.get(JSON_VARIABLE))
    if not as_json and (sys.stderr.isatty() or in_jupyterlab):
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=title, leave=False, file=sys.stderr)
        return
    started = shown = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - shown >= every:
            shown = now
            step = Progress(title, done, total, now - started)
            print(step.to_json() if as_json else step, file=sys.stderr, flush=True)
