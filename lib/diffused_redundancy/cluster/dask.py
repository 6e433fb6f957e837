"""A run on Dask: a cluster of this machine's processes, or one that runs elsewhere.

Names and paths pass through its scheduler, never features: these go by the cache, a folder that all
workers share.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..devices import cores
from ..errors import InputError
from ..pipeline.runner import THREADS, say
from .executors import POLL, ExecutorLost, attempt, code, named_cache, refusal
from .units import Unit

WAIT = 30.0
"""Seconds that a scheduler, and then the first of its workers, has to answer."""

WAIT_AGAIN = 300.0
"""Seconds that it, and a worker, has after it was lost, to be started again at its address. (Dask's
workers end with their scheduler.)
"""

TRY = 10.0
"""Seconds of one try, of several: Dask pauses longer and longer within one."""

ATTEMPTS = 3
"""How often a scheduler may be lost, and one more."""


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
        If Dask is missing, the scheduler does not answer or has no workers, or a worker has other
        code or another cache.
    """
    try:
        import distributed  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(
            "--executor dask needs the package 'distributed': pip install "
            "'diffused-redundancy[cluster]'"
        ) from error
    lost = ""
    for _ in range(ATTEMPTS):
        with _connected(scheduler, workers, WAIT_AGAIN if lost else WAIT) as client:
            try:
                return attempt(every, client.get_executor(pure=False))
            except ExecutorLost as error:
                lost = str(error)
        say(f"The scheduler was lost ({lost}): what is left is tried again")
    raise InputError(
        f"the scheduler was lost {ATTEMPTS} times (at last: {lost}): see why it ended, and start "
        "the same again; what is done is left alone"
    )


@contextmanager
def _connected(scheduler: str | None, workers: int | None, wait: float) -> Iterator[Any]:
    from distributed import Client, SpecCluster

    if scheduler is None:
        with (
            SpecCluster(**specification(workers, gpus())) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            _greet(client, "the cluster of this machine", wait)
            yield client
        return
    with _client(scheduler, wait) as client:
        _greet(client, scheduler, wait)
        yield client


def _client(scheduler: str, wait: float) -> Any:
    from distributed import Client

    end = time.monotonic() + wait
    while True:
        once = min(TRY, max(0.1, end - time.monotonic()))
        try:
            asyncio.run(_greeted(scheduler, once))
            return Client(scheduler, timeout=once, set_as_default=False)
        except ValueError as error:
            raise InputError(f"{error}: write an address such as tcp://host:8786") from None
        except (OSError, TimeoutError) as error:
            if time.monotonic() < end - POLL:
                time.sleep(POLL)
                continue
            raise InputError(
                f"the scheduler at {scheduler} did not answer within {wait:.0f} s "
                f"({str(error) or 'nothing was heard'}): is it running (dask scheduler), is the "
                "port the one it printed, and can this machine reach it?"
            ) from None


async def _greeted(scheduler: str, seconds: float) -> None:
    """Connect, and have it say its name: a Client would wait for that for ever."""
    from distributed import Security
    from distributed.comm import connect

    how = Security().get_connection_args("client")  # certificates, where Dask's settings have them
    comm = await asyncio.wait_for(connect(scheduler, timeout=seconds, **how), seconds)
    await comm.close()


def specification(workers: int | None, gpus: Sequence[str]) -> dict[str, Any]:
    """What a ``SpecCluster`` of this machine is made from: processes of one thread each, each of
    which sees one GPU, where there are any.
    """
    import psutil
    from distributed import Nanny, Scheduler

    count = workers or len(gpus) or cores()
    options = {
        "nthreads": 1,
        "memory_limit": psutil.virtual_memory().total // count,
        "silence_logs": "ERROR",
    }
    threads = dict.fromkeys(THREADS, "1")
    return {
        "scheduler": {
            "cls": Scheduler,
            "options": {"host": "127.0.0.1", "dashboard_address": ":0"},
        },
        "workers": {
            place: {"cls": Nanny, "options": {**options, "env": {**threads, **_sees(place, gpus)}}}
            for place in range(count)
        },
        "silence_logs": "ERROR",
    }


def _sees(place: int, gpus: Sequence[str]) -> dict[str, str]:
    return {"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} if gpus else {}


def gpus() -> list[str]:
    """The GPUs that this process sees, by what ``CUDA_VISIBLE_DEVICES`` calls them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        names = [name.strip() for name in given.split(",")]
        return [name for name in names if name not in ("", "-1")]
    import torch

    return [str(place) for place in range(torch.cuda.device_count())]


def _greet(client: Any, where: str, wait: float) -> None:
    """Wait for workers, refuse those that cannot serve, and say how many there are."""
    try:
        client.wait_for_workers(1, timeout=wait)
    except TimeoutError:
        raise InputError(
            f"{where} has no workers, after {wait:.0f} s: start some, such as dask worker "
            f"{client.scheduler.address} --nthreads 1"
        ) from None
    sent = {"code": code(), "cache": named_cache()}
    answers: Mapping[str, Any] = client.run(refusal, sent, on_error="return")
    for worker, answer in answers.items():
        if isinstance(answer, Exception):
            answer = f"it cannot load this library ({type(answer).__name__}: {answer})"
        if answer:
            raise InputError(f"the worker {worker} cannot serve: {answer}")
    workers = "worker" if len(answers) == 1 else "workers"
    say(f"Dask: {len(answers)} {workers}; dashboard: {client.dashboard_link}")
