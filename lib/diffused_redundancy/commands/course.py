"""The command ``course``: everything for teaching, from the sources in ``course/``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of all that is built"
    )
    parser.add_argument(
        "--pyodide",
        type=Path,
        metavar="DIR",
        help="Pyodide's files, for the browser lab; without them its page shows stored numbers",
    )


def run(options: argparse.Namespace) -> int:
    """Build the course and say where it begins."""
    from ..course.build import build

    started = time.perf_counter()
    sources = build(options.out, pyodide=options.pyodide)
    exercises = sum(len(source.exercises) for source in sources)
    seconds = time.perf_counter() - started
    print(f"{len(sources)} notebooks with {exercises} exercises, built in {seconds:.0f} s")
    print((options.out / "index.html").resolve())
    return 0
