"""A run on Dask: a cluster of this machine's processes, or one that runs elsewhere.

Names and paths pass through its scheduler, never features: these go by the cache, a folder that all
workers share.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import InputError
from ..pipeline.runner import say
from ..store import paths
from .executors import THREADS, run_units
from .units import Unit

WAIT = 30.0
"""Seconds that a scheduler has to answer."""

ATTEMPTS = 3
"""How often units whose worker or scheduler was lost are tried."""

RETRIES = 2
"""How often Dask itself tries a unit again."""


def run_on_dask(
    every: Sequence[Unit], *, scheduler: str | None = None, workers: int | None = None
) -> list[str]:
    """Do units on Dask; what went wrong, a line for each unit.

    Parameters
    ----------
    every : sequence of Unit
    scheduler : str, optional
        Address of a running one, such as ``tcp://host:8786``; by default a cluster of processes of
        this machine is started: a worker for each GPU, or else for each core.
    workers : int, optional
        Of the cluster that is started.

    Raises
    ------
    InputError
        If Dask is missing, or the scheduler does not answer.
    """
    try:
        import distributed  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            "--executor dask needs the package 'distributed': pip install "
            "'diffused-redundancy[cluster]'"
        ) from error
    errors: list[str] = []
    for attempt in range(ATTEMPTS):
        with _connected(scheduler, workers) as client:
            say(f"Dask: {len(client.scheduler_info()['workers'])} workers; {client.dashboard_link}")
            _check_workers(client)
            errors = run_units(every, client.get_executor(pure=False, retries=RETRIES))
        if not any("worker was lost" in error for error in errors):
            break
        if attempt + 1 < ATTEMPTS:
            say("Some workers were lost: what they had is tried again")
    return errors


@contextmanager
def _connected(scheduler: str | None, workers: int | None) -> Iterator[Any]:
    from distributed import Client

    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=WAIT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(
                f"the scheduler at {scheduler} did not answer within {WAIT:.0f} s ({error}): is it "
                "running (dask scheduler), is the port the one it printed, and can this machine "
                "reach it?"
            ) from None
        with client:
            yield client
        return
    with _cluster(workers) as cluster, Client(cluster, set_as_default=False) as client:
        yield client


def _cluster(workers: int | None) -> Any:
    """Processes of this machine, one thread each; one for each GPU, which sees no other."""
    from distributed import LocalCluster, Nanny, Scheduler, SpecCluster

    gpus = _gpus()
    threads = dict.fromkeys(THREADS, "1")
    if gpus and workers is None:
        spec = {
            place: {
                "cls": Nanny,
                "options": {"nthreads": 1, "env": {**threads, "CUDA_VISIBLE_DEVICES": gpu}},
            }
            for place, gpu in enumerate(gpus)
        }
        return SpecCluster(
            workers=spec, scheduler={"cls": Scheduler, "options": {"dashboard_address": ":0"}}
        )
    return LocalCluster(
        n_workers=workers or os.cpu_count() or 1,
        threads_per_worker=1,
        dashboard_address=":0",
        env=threads,
        silence_logs=logging.ERROR,
    )


def _gpus() -> list[str]:
    """The GPUs that this process sees, by what ``CUDA_VISIBLE_DEVICES`` calls them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name.strip() and name.strip() != "-1"]
    import torch

    return [str(place) for place in range(torch.cuda.device_count())]


def _check_workers(client: Any) -> None:
    """Raise InputError where a worker has another cache, or other code, than this process."""
    from ..pipeline.staleness import code_and_packages

    here = (str(paths.cache()), code_and_packages()["code"])
    for worker, there in client.run(_cache_and_code).items():
        if there[0] != here[0]:
            raise InputError(
                f"the worker {worker} has its cache at {there[0]}, this process at {here[0]}: all "
                "must share one folder; set DIFFUSED_REDUNDANCY_CACHE where workers are started"
            )
        if there[1] != here[1]:
            raise InputError(
                f"the worker {worker} runs other code of this library than this process: install "
                "the same everywhere, and start the workers again"
            )


def _cache_and_code() -> tuple[str, str]:
    from ..pipeline.staleness import code_and_packages

    return str(paths.cache()), code_and_packages()["code"]
