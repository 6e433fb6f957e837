"""What a run needs that is not here: found, and fetched, before any notebook starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import InputError
from ..nets.names import expanded
from ..nets.zoo import ZOO
from ..store import assets
from ..store.assets import Asset
from ..tasks.datasets import DATASETS, is_unpacked
from .plan import Job


def pairs(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every net with every task."""
    for net in expanded(values.get("NETS", [])):
        for name in values.get("TASKS", []):
            yield net, name


def _of_net(net: str) -> Asset | None:
    """The weights that a net lacks here."""
    if net in ZOO or "@" in net:
        return None
    from ..nets import registry  # brings torch

    one = registry.weights_of(net)
    return one if one is not None and assets.missing(one) else None


def _of_task(name: str) -> Asset | None:
    """The data set that a task lacks here."""
    if name not in DATASETS:
        return None
    one = assets.asset(name)
    return one if assets.missing(one) and not is_unpacked(name) else None


def absent(net: str, name: str) -> Iterator[Asset]:
    """What a net and a task lack here."""
    yield from (one for one in (_of_net(net), _of_task(name)) if one is not None)


def lacking(jobs: Sequence[Job]) -> dict[str, Asset]:
    """All that some jobs lack here, by the net or the task that needs it."""
    every = [pair for job in jobs for pair in pairs(job.parameters)]
    found = {net: _of_net(net) for net in dict.fromkeys(net for net, _ in every)}
    found |= {name: _of_task(name) for name in dict.fromkeys(name for _, name in every)}
    return {name: one for name, one in found.items() if one is not None}


def _stuck(one: Asset, data: bool) -> str:
    """Why a run may not or cannot fetch an asset; empty if it may."""
    if not any(file.urls for file in one.files):
        return "it has to be got by hand"
    return "a data set, which --fetch downloads" if one.kind == "datasets" and not data else ""


def _fetched(some: Iterable[tuple[str, Asset]]) -> dict[str, str]:
    """Fetch assets; returns what went wrong, by the net or the task."""
    failed = {}
    for name, one in some:
        try:
            assets.fetch(one)
        except InputError as error:
            failed[name] = str(error)
    return failed


def _counted(some: Mapping[str, str]) -> str:
    return "1 asset" if len(some) == 1 else f"{len(some)} assets"


def prepared(jobs: Sequence[Job], *, data: bool, skip: bool) -> tuple[list[Job], dict[str, str]]:
    """Jobs with all that they need: what they lack is fetched.

    Parameters
    ----------
    jobs : sequence of Job
    data : bool
        Whether to fetch data sets too.
    skip : bool
        Whether to leave out the nets and tasks for which something cannot be had.

    Returns
    -------
    (list of Job, dict)
        The jobs, and the nets and tasks that were left out, with the reason.

    Raises
    ------
    InputError
        If something cannot be had and is not to be left out, or if nothing else is left: all of it
        in one message, and before anything is fetched where that can be known.
    """
    found = lacking(jobs)
    stuck = {name: why for name, one in found.items() if (why := _stuck(one, data))}
    if stuck and not skip:
        told = "; ".join(
            f"{assets.KINDS[found[name].kind]} {name}: {assets.how_to_get(found[name])}"
            for name in stuck
        )
        linked = any(file.urls for name in stuck for file in found[name].files)
        more = ". With --fetch the run downloads what has links" if linked else ""
        raise InputError(
            f"this run lacks {_counted(stuck)} that it may not or cannot fetch. {told}{more}. "
            "With --skip-missing it goes on without"
        )
    left = without(jobs, stuck)
    failed = _fetched(lacking(left).items())
    if failed and not skip:
        told = "; ".join(failed.values())
        raise InputError(
            f"this run lacks {_counted(failed)} that could not be fetched. {told}. With "
            "--skip-missing it goes on without"
        )
    return without(left, failed), stuck | failed


def without(jobs: Sequence[Job], gone: Mapping[str, str]) -> list[Job]:
    """Jobs without some nets and tasks, given with the reasons; a job that has none left is left
    out.

    Raises
    ------
    InputError
        If no job is left.
    """
    if not gone:
        return list(jobs)
    kept = []
    for job in jobs:
        values = job.parameters
        left: dict[str, Any] = {
            key: [one for one in expanded(values.get(key, [])) if one not in gone]
            for key in ("NETS", "TASKS")
            if key in values
        }
        if all(left.values()):
            changed = {key: one for key, one in left.items() if one != values[key]}
            kept.append(replace(job, values={**job.values, **changed}))
    if not kept:
        raise InputError(
            "nothing is left to run without "
            f"{'; '.join(f'{name} ({why})' for name, why in gone.items())}"
        )
    return kept
