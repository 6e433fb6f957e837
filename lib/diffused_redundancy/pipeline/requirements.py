"""What a run needs that is not here: found, and fetched, before any notebook starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..nets.names import expanded
from ..nets.zoo import ZOO
from ..store import assets
from ..store.assets import Asset
from ..store.imports import import_folder
from ..tasks.datasets import DATASETS, is_unpacked
from .plan import Job


def nets_with_tasks(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every network of a notebook's parameters with every task."""
    for net in expanded(values.get("NETS", [])):
        for task in values.get("TASKS", []):
            yield net, task


def missing_weights(net: str) -> Asset | None:
    """The weights of a network, if they are not here."""
    if net in ZOO or "@" in net:
        return None
    from ..nets import registry  # brings torch

    weights = registry.weights_of(net)
    return weights if weights is not None and assets.missing(weights) else None


def missing_dataset(task: str) -> Asset | None:
    """The data set of a task, if it is not here."""
    if task not in DATASETS:
        return None
    dataset = assets.asset(task)
    return dataset if assets.missing(dataset) and not is_unpacked(task) else None


def missing_assets(jobs: Sequence[Job]) -> dict[str, Asset]:
    """All that some jobs need and is not here, by the network or the task that needs it."""
    pairs = [pair for job in jobs for pair in nets_with_tasks(job.parameters)]
    needed = {net: missing_weights(net) for net in dict.fromkeys(net for net, _ in pairs)}
    needed |= {task: missing_dataset(task) for task in dict.fromkeys(task for _, task in pairs)}
    return {name: asset for name, asset in needed.items() if asset is not None}


def take_from(folder: Path, jobs: Sequence[Job]) -> list[str]:
    """Take what some jobs need and is not here from a folder, where it is there.

    Returns
    -------
    list of str
        A line for each file taken.

    Raises
    ------
    InputError
        If there is no such folder, or a file in it is not what its name says.
    """
    needed = missing_assets(jobs)
    if not needed:
        return []
    taken, errors = import_folder(folder, needed.values())
    left = missing_assets(jobs).values()
    wrong = [error for error in errors if any(f" of {one.name}:" in error for one in left)]
    if wrong:
        raise InputError("; ".join(wrong))
    return [f"Taken from {folder}: {file.name}, {asset.name}" for asset, file in taken]


def _why_not_fetched(asset: Asset, datasets: bool) -> str:
    """Why a run may not or cannot fetch an asset; empty if it may."""
    if not any(file.urls for file in asset.files):
        return "it must be fetched by hand"
    unwanted = asset.kind == "datasets" and not datasets
    return "a data set, which --fetch downloads" if unwanted else ""


def _fetch(needed: Iterable[tuple[str, Asset]]) -> dict[str, str]:
    """Fetch assets; returns what went wrong, by the network or the task."""
    errors = {}
    for name, asset in needed:
        try:
            assets.fetch(asset)
        except InputError as error:
            errors[name] = str(error)
    return errors


def _counted(names: Mapping[str, str]) -> str:
    return "1 asset" if len(names) == 1 else f"{len(names)} assets"


def fetch_missing(
    jobs: Sequence[Job], *, datasets: bool, skip: bool
) -> tuple[list[Job], dict[str, str]]:
    """Fetch what some jobs need and is not here.

    Parameters
    ----------
    jobs : sequence of Job
    datasets : bool
        Whether to fetch data sets too.
    skip : bool
        Whether to leave out the networks and tasks for which something is unavailable.

    Returns
    -------
    (list of Job, dict)
        The jobs that can run, and why networks and tasks were left out of them, by name.

    Raises
    ------
    InputError
        If something is unavailable and is not to be left out, or if nothing else is left: all of it
        in one message, and before anything is fetched where that can be known.
    """
    missing = missing_assets(jobs)
    unavailable = {
        name: why for name, asset in missing.items() if (why := _why_not_fetched(asset, datasets))
    }
    if unavailable and not skip:
        remedies = "; ".join(
            f"{assets.KINDS[missing[name].kind]} {name}: {assets.how_to_get(missing[name])}"
            for name in unavailable
        )
        linked = any(file.urls for name in unavailable for file in missing[name].files)
        more = ". With --fetch the run downloads what has links" if linked else ""
        raise InputError(
            f"this run lacks {_counted(unavailable)} that it may not or cannot download. "
            f"{remedies}{more}. With --skip-missing it runs without them"
        )
    left = leave_out(jobs, unavailable)
    failed = _fetch(missing_assets(left).items())
    if failed and not skip:
        raise InputError(
            f"this run lacks {_counted(failed)} that could not be downloaded. "
            f"{'; '.join(failed.values())}. With --skip-missing it runs without them"
        )
    return leave_out(left, failed), unavailable | failed


def leave_out(jobs: Sequence[Job], unavailable: Mapping[str, str]) -> list[Job]:
    """Jobs without some networks and tasks, given with the reasons; a job that has none left is
    left out.

    Raises
    ------
    InputError
        If no job is left.
    """
    if not unavailable:
        return list(jobs)
    kept = []
    for job in jobs:
        values = job.parameters
        available: dict[str, Any] = {
            key: [name for name in expanded(values.get(key, [])) if name not in unavailable]
            for key in ("NETS", "TASKS")
            if key in values
        }
        if all(available.values()):
            changed = {key: names for key, names in available.items() if names != values[key]}
            kept.append(replace(job, values={**job.values, **changed}))
    if not kept:
        reasons = "; ".join(f"{name} ({why})" for name, why in unavailable.items())
        raise InputError(f"nothing is left to run without {reasons}")
    return kept
