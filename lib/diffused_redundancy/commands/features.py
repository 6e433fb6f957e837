"""The command ``features``: what the runner starts before the notebooks, for what they need."""

from __future__ import annotations

import argparse
import json
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing is typed: units of work come by standard input."""


def run(options: argparse.Namespace) -> int:
    """Extract the unit of each line, and print what went wrong with it, or nothing, in JSON."""
    from ..pipeline.prefetch import serve

    for error in serve(sys.stdin):
        print(json.dumps(error), flush=True)
    return 0
