"""The whole default run of the artifact, from an empty cache and from the cache it left, in
seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from diffused_redundancy import parameters
from diffused_redundancy.store.paths import CACHE_VARIABLE
from table import Row


def whole(quick: bool) -> list[Row]:
    """Seconds of the run of all notebooks (of the first only, with ``quick``), three times; all
    must succeed.
    """
    names = parameters.available()
    names = names[:1] if quick else names
    rows = []
    with tempfile.TemporaryDirectory(prefix="diffused-redundancy-") as folder:
        states = (
            ("an empty cache", "reports", 300),
            ("the same again, nothing changed", "reports", 15),
            ("new reports from the cache", "others", None),
        )
        for state, out, limit in states:
            seconds = _seconds(names, Path(folder) / "cache", Path(folder) / out)
            quantity = f"run of {len(names)} notebook{'s' if len(names) > 1 else ''}: {state}"
            rows.append(
                Row(
                    "whole_run",
                    quantity,
                    seconds,
                    "s",
                    limit,
                    judged=not quick,
                    detail="one whole process each",
                )
            )
    return rows


def _seconds(names: list[str], cache: Path, out: Path) -> float:
    words = [sys.executable, "-m", "diffused_redundancy", "run", "--out", str(out)]
    words += [word for name in names for word in ("--only", name)]
    started = time.perf_counter()
    answer = subprocess.run(
        words, env={**os.environ, CACHE_VARIABLE: str(cache)}, capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    if answer.returncode:
        raise RuntimeError(f"the run failed: {answer.stderr.strip()}")
    return seconds
