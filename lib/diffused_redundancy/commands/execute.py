"""The command ``execute``: what the runner starts for each notebook."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument("request", help="what pipeline.execute takes, as JSON")


def run(options: argparse.Namespace) -> int:
    """Execute one notebook, and print how it went as the last line, in JSON."""
    from ..pipeline.execute import execute

    # The kernel is then shut down, and nothing is left lying about.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    request = json.loads(options.request)
    outcome = execute(
        request["notebook"],
        request["parameters"],
        Path(request["folder"]),
        preset=request["preset"],
        beside=request["beside"],
    )
    print(json.dumps(asdict(outcome)))
    return 0 if outcome.ok else 1
