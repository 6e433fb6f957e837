"""Units of work handed to an executor: any with the interface of ``concurrent.futures``."""

from __future__ import annotations

import functools
import json
import os
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from concurrent.futures import BrokenExecutor, CancelledError, ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from typing import Any, Protocol

from filelock import FileLock

from ..devices import cores
from ..errors import InputError
from ..nets.extraction import PACKAGES
from ..pipeline import plan, requirements
from ..pipeline.runner import HEARTBEAT, THREADS, default_out, say
from ..pipeline.staleness import code_and_packages
from ..store import make_folder, paths, sha256_of, versions, write_text
from .perform import perform
from .units import STEPS, Unit, of_step, units

POLL = 0.1
"""Seconds between two looks at what is done. (Futures of some executors can only be asked.)"""

TRIES = 3
"""How often a unit is tried whose worker was lost, or that failed for want of memory or of a file:
what may go well elsewhere, or later.
"""

IN_FLIGHT = 20_000
"""Units that an executor holds at a time, at most: schedulers keep them in memory."""

LARGE = 1_000
"""Bytes of a unit's settings beyond which they go by the cache, and only their name is sent."""


class ExecutorLost(Exception):
    """An executor broke, with all that it held."""


class Future(Protocol):
    """What an executor gives at once for what it is still to do."""

    def done(self) -> bool:
        """Whether it has ended."""

    def result(self) -> Any:
        """What came of it."""


class Executor(Protocol):
    """What hands work to workers."""

    def submit(self, function: Callable[..., Any], given: Any, /) -> Future:
        """Have a function called."""


class Alone:
    """An executor that does everything in this process, at once."""

    def submit(self, function: Callable[..., Any], *given: Any) -> Future:
        """What the function gives, as a future that is done."""
        future: futures.Future[Any] = futures.Future()
        future.set_result(function(*given))
        return future


def processes(count: int) -> ProcessPoolExecutor:
    """So many processes of this machine, which share its cores."""
    threads = str(max(1, cores() // count))
    os.environ.update(dict.fromkeys(THREADS, threads))  # this process computes nothing itself
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"))


def run_on(
    executor: Executor,
    preset: str = "miniature",
    *,
    only: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
) -> list[str]:
    """Do the computations of a run on workers of your own, for the cache.

    ``./run_all.sh`` with the same preset and parameters then finds them there, and writes the
    reports.

    Parameters
    ----------
    executor
        With ``submit(function, argument)``, which gives something with ``done()`` and ``result()``:
        one of ``concurrent.futures``, of Dask (``Client.get_executor(pure=False)``), loky, Parsl,
        or submitit. Its workers need this library, the same cache's folder
        (``$DIFFUSED_REDUNDANCY_CACHE``), and the files of networks and images.
    preset : str
        Its name, or the path of a YAML file.
    only : sequence of str
        Notebooks, such as ``02_probes``; by default all of the preset.
    parameters : mapping, optional
        Values by name, for every notebook that has them.

    Returns
    -------
    list of str
        What went wrong, a line each. All else is done, and is left alone by the next run.

    Raises
    ------
    InputError
        Before any work, if the executor, a name or a value is wrong, or weights or images are
        missing.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import diffused_redundancy as dr
    >>> with ThreadPoolExecutor(1) as executor:
    ...     dr.run_on(
    ...         executor, "smoke", only=["01_cka"], parameters={"TASKS": ["digits"], "IMAGES": 20}
    ...     )
    []
    """
    if not callable(getattr(executor, "submit", None)):
        raise InputError(
            f"the executor is {executor!r}: it needs a method submit, such as "
            "concurrent.futures.ThreadPoolExecutor(2)"
        )
    if isinstance(only, str):
        raise InputError(f"only is {only!r}: give a list of notebooks, such as [{only!r}]")
    typed = [(name, json.dumps(value)) for name, value in (parameters or {}).items()]
    jobs = plan.plan(preset, only, typed, default_out())
    plan.check_layers(jobs)
    jobs, _ = requirements.fetch_missing(jobs, datasets=False, skip=False)
    return run_units(units(jobs), executor)


def run_units(every: Sequence[Unit], executor: Executor) -> list[str]:
    """Do units, step by step, with a line of progress for each.

    Parameters
    ----------
    every : sequence of Unit
        See :func:`.units.units`. What is done already is left alone.
    executor
        See :func:`run_on`.

    Returns
    -------
    list of str
        What went wrong, a line for each unit. Others are done all the same, unless the executor
        itself broke.
    """
    try:
        return attempt(every, executor)
    except ExecutorLost as error:
        left = sum(not unit.done for unit in every)
        return [
            f"{left} units are left: workers were lost ({error}). Start the same again: what is "
            "done is left alone"
        ]


def attempt(every: Sequence[Unit], executor: Executor) -> list[str]:
    """As :func:`run_units`, but ExecutorLost is raised where the executor itself broke."""
    return [error for step in STEPS for error in _one_step(of_step(every, step), executor)]


def _one_step(every: Sequence[Unit], executor: Executor) -> list[str]:
    waiting = deque((unit, 1) for unit in every if not unit.done)
    count, ended, said = len(waiting), 0, time.monotonic()
    if count < len(every):
        say(f"{every[0].step}: {len(every) - count} of {len(every)} units were done before")
    errors: list[str] = []
    running: list[tuple[Unit, int, Future]] = []
    while waiting or running:
        while waiting and len(running) < IN_FLIGHT:
            unit, tried = waiting.popleft()
            running.append((unit, tried, _submitted(executor, unit)))
        ready = [one[2].done() for one in running]  # each asked once: it may end meanwhile
        done = [one for one, is_ready in zip(running, ready, strict=True) if is_ready]
        running = [one for one, is_ready in zip(running, ready, strict=True) if not is_ready]
        for unit, tried, future in done:
            took = _result(future)
            if took["error"] and took["again"] and tried < TRIES:
                say(f"{unit.name}: {took['error']}: tried again")
                waiting.append((unit, tried + 1))
                continue
            ended += 1
            what = f"{took['seconds']:.1f} s, {took['host']}" if not took["error"] else "FAILED"
            say(f"[{ended}/{count}] {unit.name}: {what}")
            if took["error"]:
                errors.append(f"{unit.name}: {took['error']}")
        if done:
            said = time.monotonic()
        elif running:
            if time.monotonic() - said > HEARTBEAT:
                said = time.monotonic()
                say(f"{count - ended} of {count} units wait or run, such as {running[0][0].name}")
            time.sleep(POLL)
    return errors


def _submitted(executor: Executor, unit: Unit) -> Future:
    sent = message(unit)
    try:
        return executor.submit(perform_sent, sent)
    except (BrokenExecutor, RuntimeError) as error:  # the latter: it was shut down
        raise ExecutorLost(_said(error)) from error


def _result(future: Future) -> dict[str, Any]:
    """What a future holds; where its worker was lost, that."""
    try:
        found: dict[str, Any] = future.result()
        return found
    except (BrokenExecutor, CancelledError) as error:
        raise ExecutorLost(_said(error)) from error
    except Exception as error:  # each executor has its own
        if type(error).__name__ == "KilledWorker":  # Dask's, which has tried it often enough
            return _failed(
                "the workers that began it ended, one after the other: was their memory too small?"
            )
        return _failed(f"its worker was lost ({_said(error)})", again=True)


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])


def _failed(why: str, *, again: bool = False) -> dict[str, Any]:
    return {"error": why, "again": again}


def message(unit: Unit) -> dict[str, Any]:
    """What is sent of a unit: names and paths, at most a few kB, and by what a worker knows that it
    has the same code and cache.
    """
    about = asdict(unit)
    needs = json.dumps(about["needs"], sort_keys=True)
    if len(needs) > LARGE:
        about["needs"] = f"{sha256_of(needs)[:32]}.needs.json"
        path = paths.cache() / "units" / about["needs"]
        if not path.exists():
            write_text(path, needs)
    return {"unit": about, "code": code(), "cache": named_cache()}


def perform_sent(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Do the unit of a :func:`message`, as :func:`perform` does; refused by a worker of other code
    or another cache.
    """
    why = refusal(sent)
    if why:
        return _failed(f"refused: {why}")
    about = dict(sent["unit"])
    if isinstance(about["needs"], str):
        path = paths.cache() / "units" / about["needs"]
        about["needs"] = json.loads(path.read_text(encoding="utf-8"))
    return perform(Unit(**about))


def refusal(sent: Mapping[str, str]) -> str:
    """Why a worker, which calls this, cannot serve who sent ``code`` and ``cache``; empty if it
    can.
    """
    if sent["code"] != code():
        return (
            "a worker has other code of this library, or other versions of packages "
            f"({', '.join(PACKAGES)}): install the same everywhere, and start workers again"
        )
    if sent["cache"] != _cache_name():
        return (
            f"a worker has another cache, at {paths.cache()}: all must share one folder; set "
            f"{paths.CACHE_VARIABLE} where workers are started"
        )
    return ""


@functools.cache
def code() -> str:
    """A digest of what the entries of the cache are keyed by, of code and packages: a worker that
    differs would fill it with entries that nobody finds.
    """
    return sha256_of(code_and_packages()["code"], json.dumps(versions(*PACKAGES)))


def named_cache() -> str:
    """The name of the cache, which it gets when it is first asked for: the same by whatever path a
    machine reaches it.
    """
    path = paths.cache() / "units" / "name"
    if not path.exists():
        make_folder(path.parent)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                write_text(path, uuid.uuid4().hex)
    return _cache_name()


def _cache_name() -> str:
    path = paths.cache() / "units" / "name"
    return path.read_text(encoding="utf-8") if path.exists() else ""
