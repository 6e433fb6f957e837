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
from typing import TYPE_CHECKING, Any

from .. import parameters
from ..nets.names import expanded
from ..store import paths, sha256_of
from .plan import Job
from .staleness import code_and_packages, images_stamp, weights_stamp

if TYPE_CHECKING:
    from ..tasks import Task


@dataclass(frozen=True)
class Extraction:
    """One network on one task: all layers that the run wants of it come from one pass."""

    net: str
    task: str
    images: int
    protocol: str
    device: str
    compute: str
    layers: tuple[str, ...]


def extractions(jobs: Sequence[Job]) -> list[Extraction]:
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
    every = [Extraction(*key, layers=tuple(dict.fromkeys(names))) for key, names in layers.items()]
    tasks = list(dict.fromkeys(one.task for one in every))
    return sorted(every, key=lambda one: tasks.index(one.task))


def completion_mark(wanted: Sequence[Extraction]) -> Path:
    """A file in the cache that says that all wanted features have been there, with this code
    and these inputs.
    """
    inputs = {
        **code_and_packages(),
        "units": [asdict(one) for one in wanted],
        "nets": {name: weights_stamp(name) for name in sorted({one.net for one in wanted})},
        "tasks": {name: images_stamp(name) for name in sorted({one.task for one in wanted})},
    }
    digest = sha256_of(json.dumps(inputs, sort_keys=True))[:32]
    return paths.cache() / "features" / f"{digest}.complete"


def extract(wanted: Extraction, task: Task, block: int | None = None) -> None:
    """Bring features into the cache, or one block of them, by its number; the task is given, with
    its images.
    """
    from ..nets import features, net
    from ..nets.extraction import blocks_of, extract_block

    network = net(wanted.net)
    layers = [layer for name in wanted.layers for layer in network.layers(name)]
    how: dict[str, Any] = {
        "device": wanted.device,
        "protocol_name": wanted.protocol,
        "compute": wanted.compute,
    }
    if block is not None:
        extract_block(network, task, blocks_of(task, wanted.protocol)[block], layers, **how)
        return
    for layer in layers:  # the first that is missing brings all that are
        features(network, task, layer=layer, also=layers, **how)


def serve(lines: Iterable[str]) -> Iterator[str]:
    """What one of the processes does: makes the extraction of each line that comes, and answers
    with what went wrong, or nothing.
    """
    from ..tasks import task

    known = functools.lru_cache(maxsize=1)(task)  # its images serve all networks
    for line in lines:
        one = Extraction(**json.loads(line))
        try:
            extract(one, known(one.task, images=one.images))
        except Exception as error:  # its notebook meets it again, and says so on its page
            yield f"{type(error).__name__}: {error}"
        else:
            yield ""
