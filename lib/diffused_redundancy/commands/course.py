"""The command ``course``: everything for teaching, from the sources in ``course/``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ..errors import InputError


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
    parser.add_argument(
        "--published",
        metavar="ADDRESS",
        help="a repository on GitHub that is to hold the folder student: its notebooks get badges",
    )
    parser.add_argument(
        "--kit",
        type=Path,
        metavar="STICK",
        help="a second folder: all that laptops without a network need, packages included",
    )
    parser.add_argument(
        "--platform",
        metavar="NAME",
        help="of the laptops, for --kit: win_amd64, macosx_11_0_arm64, manylinux_2_28_x86_64 ...",
    )
    parser.add_argument(
        "--python",
        default="3.12",
        metavar="VERSION",
        help="of the laptops, for --kit (default: 3.12)",
    )


def run(options: argparse.Namespace) -> int:
    """Build the course and say where it begins."""
    from ..course import kit
    from ..course.build import build
    from ..course.hosted import on_github

    if options.kit:
        if options.platform is None:
            raise InputError(f"--kit needs --platform: one of {', '.join(kit.PLATFORMS)}")
        kit.check_platform(options.platform, options.python)
    published = on_github(options.published) if options.published else None
    started = time.perf_counter()
    sources = build(options.out, pyodide=options.pyodide, published=published)
    exercises = sum(len(source.exercises) for source in sources)
    seconds = time.perf_counter() - started
    print(f"{len(sources)} notebooks with {exercises} exercises, built in {seconds:.0f} s")
    print((options.out / "index.html").resolve())
    if options.kit:
        readme = kit.write_kit(
            options.kit, options.platform, built=options.out, python=options.python
        )
        print(f"{readme.resolve()}: a kit of {kit.size(options.kit) / 1e6:.0f} MB")
    return 0
