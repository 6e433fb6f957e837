"""The features that a run needs, extracted before its notebooks start, by as many processes as
notebooks run at a time.

A notebook would extract what it needs itself. But two that need the same wait for one another, and
one with many networks keeps one core busy long after the others are done; small units of work keep
every core busy, and only these processes need timm's slow import.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import parameters
from ..nets.names import expanded
from ..store import paths, sha256_of
from .plan import Job
from .staleness import code_and_packages, images_stamp, weights_stamp


@dataclass(frozen=True)
class Unit:
    """One network on one task: all layers that the run wants of it come from one pass."""

    net: str
    task: str
    images: int
    protocol: str
    device: str
    compute: str
    layers: tuple[str, ...]


def units(jobs: Sequence[Job]) -> list[Unit]:
    """What some jobs need, each once; the networks of one task together."""
    layers: dict[tuple[str, str, int, str, str, str], list[str]] = {}
    for job in jobs:
        values = job.parameters
        how = (
            values.get("IMAGES", 0),
            values.get("PROTOCOL", "clean"),
            values.get("DEVICE", "auto"),
            values.get("COMPUTE", "float32"),
        )
        for task in values.get("TASKS", []):
            for net in expanded(values.get("NETS", [])):
                layers.setdefault((net, task, *how), []).extend(parameters.layers(values))
    every = [Unit(*key, layers=tuple(dict.fromkeys(names))) for key, names in layers.items()]
    tasks = list(dict.fromkeys(unit.task for unit in every))
    return sorted(every, key=lambda unit: tasks.index(unit.task))


def completion_mark(units: Sequence[Unit]) -> Path:
    """A file in the cache that says that all features of some units have been there, with this code
    and these inputs.
    """
    inputs = {
        **code_and_packages(),
        "units": [asdict(unit) for unit in units],
        "nets": {name: weights_stamp(name) for name in sorted({unit.net for unit in units})},
        "tasks": {name: images_stamp(name) for name in sorted({unit.task for unit in units})},
    }
    digest = sha256_of(json.dumps(inputs, sort_keys=True))[:32]
    return paths.cache() / "features" / f"{digest}.complete"


def serve(lines: Iterable[str]) -> Iterator[str]:
    """What one of the processes does: extracts the unit on each line that comes, and answers with
    what went wrong, or nothing.
    """
    from ..nets import features, net
    from ..tasks import task

    known = functools.lru_cache(maxsize=1)(task)  # its images serve all networks
    for line in lines:
        unit = Unit(**json.loads(line))
        try:
            network = net(unit.net)
            layers = [layer for name in unit.layers for layer in network.layers(name)]
            for layer in layers:  # the first that is missing brings all that are
                features(
                    network,
                    known(unit.task, images=unit.images),
                    layer=layer,
                    also=layers,
                    device=unit.device,
                    protocol_name=unit.protocol,
                    compute=unit.compute,
                )
        except Exception as error:  # its notebook meets it again, and says so on its page
            yield f"{type(error).__name__}: {error}"
        else:
            yield ""
