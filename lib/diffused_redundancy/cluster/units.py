"""The units of work of a run: small, independent within a step, each found by its name.

A unit fills the cache, from which the notebooks then read. Its outputs are addressed by content and
written whole or not at all: done twice, or at two places at once, it does no harm. What is done is
noted beside the cache's entries, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import functools
import json
import re
import time
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import parameters
from ..errors import unknown
from ..measures.selections import SELECTIONS, sizes_of
from ..nets.names import expanded
from ..pipeline import prefetch
from ..pipeline.plan import Job, probes_logistic
from ..pipeline.staleness import code_and_packages, images_stamp, weights_stamp
from ..store import paths, sha256_of

STEPS = {
    "extract": "features of a network on a task (of a block of its images, where there are many)",
    "penalties": "what cross-validation says of the penalties of probes",
    "probes": "a batch of logistic probes of one notebook, of a network on a task, where there are "
    "several",
    "measure": "the measures of one notebook, of a network on a task",
}
"""Steps of a run in order, and what a unit of each computes. A unit needs those of the steps before
it; what it lacks it computes itself.
"""

MEASURES = '"measures"'
"""The tag of the cells of a notebook that a unit of the last step runs."""


FRESH = 60.0
"""Seconds that a stamp of a task's images serves. What changes meanwhile is found by the report, at
the latest: entries of the cache are keyed by the images themselves.
"""


@dataclass(frozen=True)
class Unit:
    """One unit of work.

    Attributes
    ----------
    step : str
        One of :data:`STEPS`.
    net, task : str
    needs : mapping
        All else that determines it, as JSON has it.
    part : str
        The notebook, or which block of the images, or which batch of its probes.
    """

    step: str
    net: str
    task: str
    needs: Mapping[str, Any]
    part: str = ""

    @property
    def name(self) -> str:
        """Its name, which no other unit of a run has."""
        return "/".join(filter(None, (self.step, self.part, self.net, self.task)))

    @property
    def mark(self) -> Path:
        """The file in the cache that says that it was done, with this code and these inputs."""
        inputs = {
            **code_and_packages(),
            **asdict(self),
            "weights": weights_stamp(self.net),
            "images": _images_stamp(self.task, paths.assets(), time.monotonic() // FRESH),
        }
        digest = sha256_of(json.dumps(inputs, sort_keys=True))[:32]
        return paths.cache() / "units" / f"{digest}.json"

    @property
    def done(self) -> bool:
        """Whether it was done."""
        return self.mark.exists()


@functools.lru_cache(maxsize=1_000)
def _images_stamp(task: str, assets: Path, when: float) -> str | None:
    """A stamp of the files of a task's images, which may be a million, looked at once for all units
    of some time.
    """
    return images_stamp(task)


def units(jobs: Sequence[Job]) -> list[Unit]:
    """The units of some jobs, step by step.

    Notebooks without cells that are tagged for it have none of the last step: what they measure
    they measure themselves.
    """
    return [*_extract(jobs), *_penalties(jobs), *_probes(jobs), *_measure(jobs)]


def _extract(jobs: Sequence[Job]) -> list[Unit]:
    found = []
    passes = prefetch.extractions(jobs)
    hows = [(one.images, one.protocol, one.device, one.compute) for one in passes]
    names = _names_of_settings(hows)
    for one, how in zip(passes, hows, strict=True):
        count = _blocks(one)
        needs = {
            "images": one.images,
            "protocol": one.protocol,
            "device": one.device,
            "compute": one.compute,
            "layers": list(one.layers),
            "blocks": count,
        }
        found += [
            Unit(
                "extract",
                one.net,
                one.task,
                {**needs, "block": place},
                "/".join(
                    filter(None, (names[how], f"{place + 1}-of-{count}" if count > 1 else ""))
                ),
            )
            for place in range(count)
        ]
    return found


def _names_of_settings(hows: Sequence[Hashable]) -> dict[Hashable, str]:
    """What tells units of one network and task apart where notebooks differ in settings."""
    several = list(dict.fromkeys(hows))
    return {
        how: f"settings-{place + 1}" if len(several) > 1 else ""
        for place, how in enumerate(several)
    }


def _blocks(one: prefetch.Extraction) -> int:
    """How many units the pass over a task's images is: one, unless a part has several blocks."""
    from ..nets.extraction import BLOCK
    from ..nets.protocols import protocol
    from ..pipeline.estimate import images_of

    train, test, _ = images_of(one.task, one.images)
    blocks = protocol(one.protocol).views * -(-train // BLOCK) + -(-test // BLOCK)
    return blocks if blocks > 2 else 1


def _penalties(jobs: Sequence[Job]) -> list[Unit]:
    from ..pipeline.estimate import CKA_ALONE

    needs: dict[tuple[str, str, str], dict[str, Any]] = {}
    for job in jobs:
        values = job.parameters
        if job.notebook in CKA_ALONE or "NETS" not in values:
            continue
        probes = ["ridge", *(["logistic"] if probes_logistic(values) else [])]
        how = {name: values[name] for name in _HOW if name in values}
        for task in values["TASKS"]:
            for net in expanded(values["NETS"]):
                own = needs.setdefault((net, task, json.dumps(how)), {**how, "layers": {}})
                for layer in parameters.layers(values):
                    known = own["layers"].setdefault(layer, [])
                    known += [probe for probe in probes if probe not in known]
    names = _names_of_settings([how for *_, how in needs])
    return [
        Unit("penalties", net, task, own, names[how]) for (net, task, how), own in needs.items()
    ]


_HOW = ("IMAGES", "PROTOCOL", "DEVICE", "COMPUTE")


def _probes(jobs: Sequence[Job]) -> list[Unit]:
    """Batches of the logistic probes of one layer, of notebooks with the parameters :data:`_AT`."""
    found = []
    for job in jobs:
        values = job.parameters
        if not {"NETS", *_AT} <= values.keys() or not probes_logistic(values):
            continue
        if not _tagged(parameters.source(job.notebook)):
            continue
        needs = {name: values[name] for name in (*_HOW, *_AT) if name in values}
        # where networks are compared, they have one penalty in common
        peers = {"NETS": values["NETS"]} if "PROBE" in values else {}
        for task in values["TASKS"]:
            for net in expanded(values["NETS"]):
                for selection in values["SELECTIONS"]:
                    count = _batches(values, net, task, selection)
                    for place in range(count if count > 1 else 0):
                        which = {"selection": selection, "batch": place, "batches": count}
                        part = f"{job.notebook}/{selection}/{place + 1}-of-{count}"
                        found.append(Unit("probes", net, task, {**needs, **peers, **which}, part))
    return found


_AT = ("LAYER", "SELECTIONS", "SEEDS", "FRACTIONS")
"""Parameters that say which logistic probes there are."""


def _batches(values: Mapping[str, Any], net: str, task: str, selection: str) -> int:
    """How many batches the logistic probes of a selection are; one, if LAYER stands for several
    layers, which the notebook will refuse.
    """
    from ..nets.cost import shape_of
    from ..nets.protocols import protocol
    from ..pipeline.estimate import images_of
    from ..probes.logistic import orderings_at_once

    widths = [*shape_of(net, values["LAYER"]).widths.values()]
    if len(widths) > 1:
        return 1
    d = widths[0]
    n, _, classes = images_of(task, values.get("IMAGES", 0))
    orders = len(values["SEEDS"]) if SELECTIONS[selection].seeded else 1
    sizes = sizes_of(values["FRACTIONS"], d) if values["FRACTIONS"] else range(1, d + 1)
    rows = n * protocol(values.get("PROTOCOL", "clean")).views
    return -(-orders // orderings_at_once(orders, sizes, rows, d, classes))


def _measure(jobs: Sequence[Job]) -> list[Unit]:
    found = []
    for job in jobs:
        values = job.parameters
        script = parameters.source(job.notebook)
        if "NETS" not in values or not _tagged(script):
            continue
        needs = {"values": values, "notebook": sha256_of(script)}
        found += [
            Unit("measure", net, task, needs, job.notebook)
            for task in values["TASKS"]
            for net in expanded(values["NETS"])
        ]
    return found


def _tagged(script: Path) -> bool:
    heads = re.findall(r"^# %%(.*)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    return any(MEASURES in head for head in heads)


@dataclass(frozen=True)
class Cost:
    """What units take, as estimated by :mod:`~..pipeline.estimate`.

    Attributes
    ----------
    seconds : mapping from the name of a unit to float
        Of this machine.
    memory : float
        Bytes of one process, at most.
    """

    seconds: Mapping[str, float]
    memory: float


def cost(every: Sequence[Unit], jobs: Sequence[Job]) -> Cost:
    """What the units of some jobs take."""
    from ..pipeline.estimate import PROCESS, estimate, penalty_seconds

    estimated = estimate(jobs)
    passes = {(one.net, one.task): one for one in estimated.passes}
    measuring: dict[tuple[str, str, str], float] = defaultdict(float)
    probing: dict[tuple[str, str, str, str], float] = defaultdict(float)
    for work in estimated.work:
        measuring[work.notebook, work.net, work.task] += work.seconds
        probing[work.notebook, work.net, work.task, work.selection] += work.probes
    seconds = {}
    for unit in every:
        pair = (unit.net, unit.task)
        if unit.step == "extract":
            seconds[unit.name] = passes[pair].seconds / unit.needs["blocks"]
        elif unit.step == "penalties":
            seconds[unit.name] = penalty_seconds(passes[pair], estimated.speed)
        elif unit.step == "probes":
            notebook, selection, _ = unit.part.split("/")
            taken = probing[notebook, *pair, selection] / unit.needs["batches"]
            seconds[unit.name] = taken
            measuring[notebook, *pair] -= taken
        else:
            seconds[unit.name] = measuring[unit.part, *pair]
    return Cost(seconds, estimated.memory + PROCESS)


def of_step(every: Sequence[Unit], step: str) -> list[Unit]:
    """The units of one of :data:`STEPS`."""
    return [unit for unit in every if unit.step == step]


def named(every: Sequence[Unit], name: str) -> Unit:
    """The unit of a name; InputError names the nearest one."""
    by_name = {unit.name: unit for unit in every}
    if name not in by_name:
        raise unknown("unit of this run", name, by_name)
    return by_name[name]


def of_shard(every: Sequence[Unit], i: int, n: int) -> list[Unit]:
    """The units of a shard: every n-th of them, so that shards are alike in size. There may be more
    shards than units; the last ones have none.
    """
    return list(every[i - 1 :: n])
