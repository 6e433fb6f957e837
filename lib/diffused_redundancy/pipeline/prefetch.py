"""The features that a run needs, extracted before its notebooks start, by as many processes as
notebooks run at a time.

A notebook would extract what it needs itself. But two that need the same wait for one another, and
one with many nets keeps one core busy long after the others are done; small units of work keep
every core busy, and only these processes need timm's slow import.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import parameters
from ..devices import keep_memory
from ..nets.names import expanded
from ..store import paths, write_json
from . import staleness as freshness
from .plan import Job


@dataclass(frozen=True)
class Unit:
    """One net on one task: all layers that the run wants of it come from one pass."""

    net: str
    task: str
    images: int
    protocol: str
    layer: str
    device: str
    compute: str


def units(jobs: Sequence[Job]) -> list[Unit]:
    """What some jobs need, each once; the nets of one task together."""
    found: dict[tuple[Any, ...], Unit] = {}
    for job in jobs:
        values = job.parameters
        layer = parameters.layers(values)[0]
        how = (
            values.get("IMAGES", 0),
            values.get("PROTOCOL", "clean"),
            values.get("DEVICE", "auto"),
            values.get("COMPUTE", "float32"),
        )
        for task in values.get("TASKS", []):
            for net in expanded(values.get("NETS", [])):
                found.setdefault(
                    (task, net, *how), Unit(net, task, how[0], how[1], layer, how[2], how[3])
                )
    tasks = list(dict.fromkeys(one.task for one in found.values()))
    return sorted(found.values(), key=lambda one: tasks.index(one.task))


def mark(some: Sequence[Unit]) -> Path:
    """A file in the cache that says that all features of some units have been there, with this code
    and these inputs.
    """
    told = {
        **freshness.installed(),
        "units": [asdict(one) for one in some],
        "nets": {name: freshness.net_stamp(name) for name in sorted({one.net for one in some})},
        "tasks": {name: freshness.task_stamp(name) for name in sorted({one.task for one in some})},
    }
    return (
        paths.cache()
        / "features"
        / f"{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]}.complete"
    )


def keep(place: Path) -> None:
    """Leave the mark."""
    write_json(place, {"written": time.time()})


def serve(lines: Iterable[str]) -> None:
    """What one of the processes does: extracts the unit on each line that comes, and answers with a
    line, what went wrong or nothing.
    """
    from ..nets import features, net
    from ..tasks import task

    keep_memory()
    known = functools.lru_cache(maxsize=1)(task)  # its images serve all nets
    for line in lines:
        unit = Unit(**json.loads(line))
        error = ""
        try:
            network = net(unit.net)
            layer = network.layers(unit.layer)[0]
            features(
                network,
                known(unit.task, images=unit.images),
                layer=layer,
                device=unit.device,
                protocol_name=unit.protocol,
                compute=unit.compute,
            )
        except (
            Exception
        ) as caught:  # the notebook that needs it meets it again, and says so on its page
            error = f"{type(caught).__name__}: {caught}"
        print(json.dumps(error), flush=True)
