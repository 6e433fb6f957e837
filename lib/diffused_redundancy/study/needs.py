"""What a run needs that is not here: found, and fetched, before any notebook starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..errors import InputError
from ..nets.names import expanded
from ..nets.zoo import ZOO
from ..store import assets
from ..store.assets import Asset
from ..tasks.datasets import DATASETS, is_unpacked
from .jobs import Job


def pairs(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every net with every task."""
    for net in expanded(values.get("NETS", [])):
        for name in values.get("TASKS", []):
            yield net, name


def absent(net: str, name: str) -> Iterator[Asset]:
    """What a net and a task lack here."""
    if net not in ZOO and "@" not in net:
        from ..nets import registry  # brings torch

        one = registry.weights_of(net)
        if one is not None and assets.missing(one):
            yield one
    if name in DATASETS:
        data = assets.asset(name)
        if assets.missing(data) and not is_unpacked(name):
            yield data


def lacking(jobs: Sequence[Job]) -> dict[str, Asset]:
    """All that some jobs lack here, by name."""
    found: dict[str, Asset] = {}
    for job in jobs:
        for net, name in pairs(job.parameters):
            found |= {one.name: one for one in absent(net, name)}
    return found


def _stuck(one: Asset, data: bool) -> bool:
    """Whether a run may not or cannot fetch an asset."""
    return not any(file.urls for file in one.files) or (one.kind == "datasets" and not data)


def fetch_missing(jobs: Sequence[Job], *, data: bool) -> None:
    """Fetch the weights that a run lacks, and with ``data`` the data sets too.

    Raises
    ------
    InputError
        If something cannot be had, or a data set is missing and not to be fetched: all of it in one message.
    """
    found = lacking(jobs)
    stuck = [one for one in found.values() if _stuck(one, data)]
    if stuck:
        told = "; ".join(f"{assets.KINDS[one.kind]} {one.name}: {assets.how_to_get(one)}" for one in stuck)
        linked = any(file.urls for one in stuck for file in one.files)
        more = ". With --fetch the run downloads what has links" if linked else ""
        raise InputError(f"{len(stuck)} of the assets of this run are not here. {told}{more}. With --skip-missing it leaves them out")
    for one in found.values():
        assets.fetch(one)


def without_missing(jobs: Sequence[Job], *, data: bool) -> tuple[list[Job], list[str]]:
    """Jobs without the nets and tasks that are not here and not to be fetched, and their names; a job that has none left is left out."""
    gone = [name for name, one in lacking(jobs).items() if _stuck(one, data)]
    kept = []
    for job in jobs:
        values = job.parameters
        left: dict[str, Any] = {key: [one for one in expanded(values.get(key, [])) if one not in gone] for key in ("NETS", "TASKS") if key in values}
        if all(left.values()):
            changed = {key: one for key, one in left.items() if one != values[key]}
            kept.append(replace(job, values={**job.values, **changed}))
    if not kept:
        raise InputError(f"nothing is left to run without {', '.join(gone)}")
    return kept, gone
