"""Units of work handed to an executor: any with the interface of ``concurrent.futures``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from ..pipeline.runner import HEARTBEAT, say
from .perform import perform
from .units import STEPS, Unit, of_step

POLL = 0.1
"""Seconds between two looks at what is done. (Futures of some executors can only be asked.)"""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Alone:
    """An executor that does everything in this process, at once."""

    def submit(self, function: Callable[..., Any], *given: Any) -> Done:
        """What the function gives, as something that is done."""
        return Done(function(*given))


class Done:
    """A future whose result is there."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def done(self) -> bool:
        """True."""
        return True

    def result(self) -> Any:
        """The result."""
        return self._value


def processes(count: int) -> ProcessPoolExecutor:
    """So many processes of this machine, which share its cores."""
    threads = str(max(1, (os.cpu_count() or 1) // count))
    os.environ.update(dict.fromkeys(THREADS, threads))  # this process computes nothing itself
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"))


def run_units(every: Sequence[Unit], executor: Any) -> list[str]:
    """Do units, step by step, with a line of progress for each.

    Parameters
    ----------
    every : sequence of Unit
        See :func:`.units.units`. What is done already is left alone.
    executor
        With ``submit(function, argument)``, which gives something with ``done()`` and ``result()``:
        one of ``concurrent.futures``, of Dask (``Client.get_executor()``), loky, Parsl, or
        submitit. Its workers need this library, the folder of the cache
        (``$DIFFUSED_REDUNDANCY_CACHE``), and the files of networks and images.

    Returns
    -------
    list of str
        What went wrong, a line for each unit: also where its worker died. Others are done all the
        same.
    """
    errors: list[str] = []
    for step in STEPS:
        units = of_step(every, step)
        left = [unit for unit in units if not unit.done]
        if len(left) < len(units):
            say(f"{step}: {len(units) - len(left)} of {len(units)} units were done before")
        errors += _one_step(left, executor)
    return errors


def _one_step(units: Sequence[Unit], executor: Any) -> list[str]:
    errors: list[str] = []
    waiting = [(unit, executor.submit(perform, unit.as_json())) for unit in units]
    count, ended, said = len(waiting), 0, time.monotonic()
    while waiting:
        done = [pair for pair in waiting if pair[1].done()]
        waiting = [pair for pair in waiting if not pair[1].done() and pair not in done]
        for unit, future in done:
            ended += 1
            took = _result(unit, future)
            what = f"{took['seconds']:.1f} s, {took['host']}" if not took["error"] else "FAILED"
            say(f"[{ended}/{count}] {unit.name}: {what}")
            if took["error"]:
                errors.append(f"{unit.name}: {took['error']}")
        if done:
            said = time.monotonic()
        elif waiting:
            if time.monotonic() - said > HEARTBEAT:
                said = time.monotonic()
                say(f"{len(waiting)} of {count} units wait or run, such as {waiting[0][0].name}")
            time.sleep(POLL)
    return errors


def _result(unit: Unit, future: Any) -> dict[str, Any]:
    """What a future holds; where its worker was lost, that."""
    try:
        return future.result()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        name = type(error).__name__
        return {"error": f"its worker was lost ({name}: {str(error).splitlines()[:1]})"}
