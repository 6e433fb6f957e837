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
from pathlib import Path
from threading import Event

from ..store import make_folder, paths, write_json
from ..store.cache import REFRESH_VARIABLE
from ..store.paths import LAYERS_VARIABLE
from . import freshness
from .index import write_index
from .jobs import Job, Outcome, length, wanted_layers

NOISE = ("Kernel is running over TCP without encryption", "IProgress not found", "notebook_tqdm")


HEARTBEAT = 30.0
"""Seconds between two lines that say that work goes on."""


def default_workers(count: int) -> int:
    """How many notebooks to run at a time: a core each, at most four (each holds about 1 GiB); one where they would share a GPU."""
    return 1 if Path("/dev/nvidiactl").exists() else max(1, min(count, os.cpu_count() or 1, 4))


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
        write_json(job.folder / "run.json", {"preset": job.preset, "typed": job.typed})
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
        inputs = freshness.inputs(job)  # before it starts: what changes meanwhile makes it stale
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
        if outcome.ok:
            freshness.record(job, inputs)
        if stopping.is_set():
            return outcome
        took = f"{outcome.seconds:.0f} s, {outcome.memory:.1f} GiB"
        say(f"{job.notebook}: done in {took}" if outcome.ok else f"{job.notebook}: FAILED after {took}: {outcome.error}")
        return outcome

    outcomes: dict[str, Outcome] = {}
    for job in [] if force else jobs:
        made = freshness.current(job, freshness.inputs(job))
        if made is not None:
            outcomes[job.notebook] = made
            say(f"{job.notebook}: up to date (--force makes it anew)")
    if len(outcomes) == len(jobs):
        write_index(out)
    pool = ThreadPoolExecutor(max_workers=workers)
    try:
        stale = [job for job in sorted(jobs, key=length, reverse=True) if job.notebook not in outcomes]  # longest first: no core idles at the end
        waiting = {pool.submit(one, job): job.notebook for job in stale}
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
