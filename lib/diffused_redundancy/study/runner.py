"""Run notebooks with a preset and write their reports: ``./run_all.sh``, ``python -m diffused_redundancy run``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from ..errors import unknown
from ..nets.names import expanded
from ..store import make_folder, paths
from ..store.cache import REFRESH_VARIABLE
from ..store.paths import LAYERS_VARIABLE
from . import parameters
from .execute import Outcome
from .index import write_index

NOISE = ("Kernel is running over TCP without encryption", "IProgress not found", "notebook_tqdm")


HEARTBEAT = 30.0
"""Seconds between two lines that say that work goes on."""


@dataclass(frozen=True)
class Job:
    """One notebook to run: its name, the values that are not its defaults, and the folder of the report."""

    notebook: str
    values: dict[str, Any]
    folder: Path
    preset: str

    @property
    def parameters(self) -> dict[str, Any]:
        """All its parameters, defaults included."""
        return {name: one.default for name, one in parameters.declared(self.notebook).items()} | self.values


def plan(preset: str, only: Sequence[str], overrides: Sequence[tuple[str, str]], out: Path) -> list[Job]:
    """What to run, with every name and value checked before any work.

    Parameters
    ----------
    preset : str
    only : sequence of str
        Notebooks to run; all if empty.
    overrides : sequence of (name, text)
        Values typed, for every chosen notebook that has the parameter; one of them has to.
    out : path
        The folder of all reports.
    """
    chosen = parameters.preset(preset)
    notebooks = list(only) or list(chosen.notebooks)
    known = {name: parameters.declared(name) for name in notebooks}
    every = {key for one in known.values() for key in one}
    for key, _ in overrides:
        if key not in every:
            raise unknown(f"parameter of {' or '.join(notebooks)}", key, sorted(every))
    jobs = []
    for name in notebooks:
        typed = {key: parameters.parse(key, text) for key, text in overrides if key in known[name]}
        values = parameters.checked_all(name, {**chosen.of(name), **typed})
        defaults = {key: one.default for key, one in known[name].items()}
        changed = {key: value for key, value in values.items() if value != defaults[key]}
        folder = out / (chosen.name if not overrides else f"{chosen.name}-custom")
        jobs.append(Job(name, changed, folder, chosen.name))
    return jobs


def wanted_layers(jobs: Sequence[Job]) -> dict[str, list[str]]:
    """The layers that some notebook of a run measures, by net, so that one pass over the pictures serves them all."""
    wanted: dict[str, list[str]] = {}
    for job in jobs:
        values = job.parameters
        layers = [values["LAYER"]] if "LAYER" in values else values.get("LAYERS", [])
        for net in expanded(values.get("NETS", [])):
            wanted[net] = list(dict.fromkeys([*wanted.get(net, []), *layers]))
    return wanted


def work(job: Job) -> int:
    """A rough measure of a job's length: combinations of the values of its lists."""
    values = job.parameters
    total = len(expanded(values.get("NETS", [])))
    for name in ("TASKS", "SELECTIONS", "SEEDS"):
        total *= max(1, len(values.get(name, [])))
    return total


def default_workers(count: int) -> int:
    """How many notebooks to run at a time: a core each, at most four (each holds about 1 GiB)."""
    return max(1, min(count, os.cpu_count() or 1, 4))


def run(jobs: Sequence[Job], *, out: Path, workers: int = 1, force: bool = False) -> list[Outcome]:
    """Run jobs, each in a process of its own, and write the index after each.

    Returns
    -------
    list of Outcome
        In the order of the jobs. Ctrl-C stops them all; what they computed stays in the cache.
    """
    make_folder(out)
    for job in jobs:
        make_folder(job.folder)
    started = time.time()
    layers = json.dumps(wanted_layers(jobs))
    threads = max(1, (os.cpu_count() or 1) // max(1, workers))
    children: list[subprocess.Popen[str]] = []
    stopping = Event()

    def one(job: Job) -> Outcome:
        environment = {**os.environ, paths.REPORT_VARIABLE: str(job.folder), "JUPYTER_PREFER_ENV_PATH": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        environment.pop("JPY_SESSION_NAME", None)
        if workers > 1:  # share the cores: more threads than cores would only wait for one another
            environment |= {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        environment[LAYERS_VARIABLE] = layers
        if force:
            environment[REFRESH_VARIABLE] = str(started)
        task = json.dumps({"notebook": job.notebook, "parameters": job.values, "folder": str(job.folder), "preset": job.preset})
        say(f"{job.notebook}: started")
        child = subprocess.Popen(
            [sys.executable, "-m", "diffused_redundancy", "execute", task],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        children.append(child)
        output, complaints = child.communicate()
        outcome = _read(job, output, child.returncode, complaints)
        if stopping.is_set():
            return outcome
        took = f"{outcome.seconds:.0f} s, {outcome.memory:.1f} GiB"
        say(f"{job.notebook}: done in {took}" if outcome.ok else f"{job.notebook}: FAILED after {took}: {outcome.error}")
        return outcome

    outcomes: dict[str, Outcome] = {}
    pool = ThreadPoolExecutor(max_workers=workers)
    try:
        waiting = {pool.submit(one, job): job.notebook for job in sorted(jobs, key=work, reverse=True)}  # longest first: no core idles at the end
        while waiting:
            done, _ = wait(waiting, timeout=HEARTBEAT, return_when=FIRST_COMPLETED)
            for future in done:
                outcomes[waiting.pop(future)] = future.result()
                write_index(out)
            if not done:
                running = ", ".join(name for future, name in waiting.items() if future.running())
                say(f"{running}: running, {time.time() - started:.0f} s")
    except BaseException:
        stopping.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for child in children:
            if child.poll() is None:
                _stop(child)
        raise
    pool.shutdown()
    return [outcomes[job.notebook] for job in jobs]


def _stop(child: subprocess.Popen[str]) -> None:
    """End a child, which shuts its kernel down; a kernel whose parent is gone ends itself."""
    try:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(timeout=5)
    except ProcessLookupError:
        return
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)


def _read(job: Job, output: str, status: int, complaints: str) -> Outcome:
    """The outcome a child printed, or one made from how it ended."""
    try:
        return Outcome(**json.loads(output.strip().splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        lines = [line for line in complaints.strip().splitlines() if not any(noise in line for noise in NOISE)]
        last = lines[-1] if lines else "no message"
        return Outcome(job.notebook, job.notebook, False, 0.0, 0.0, f"its process ended with status {status}: {last}")


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def default_out() -> Path:
    """``reports`` in the checkout."""
    return paths.repository() / "reports"
