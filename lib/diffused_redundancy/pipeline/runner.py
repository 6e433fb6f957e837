"""Run notebooks with a preset and write their reports: ``./run_all.sh``, ``python -m
diffused_redundancy run``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from threading import Event, Lock, Thread
from typing import IO, Any

from .. import parameters
from ..devices import cores
from ..progress import JSON_VARIABLE, Progress
from ..store import make_folder, paths, sweep, write_json
from ..store.cache import REFRESH_VARIABLE
from . import prefetch, staleness
from .crate import write_crate
from .index import write_index
from .plan import Job, Outcome, rough_duration
from .results import write_results

NOISE = ("Kernel is running over TCP without encryption", "IProgress not found", "notebook_tqdm")

OTHERS_SETTINGS = (
    "JPY_SESSION_NAME",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_CONFIG_PATH",
    "JUPYTER_PATH",
    "MPLBACKEND",
    "PYTHONINSPECT",
    "PYTHONIOENCODING",
    "PYTHONSTARTUP",
)
"""Variables that do not reach the processes of a run."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables that say how many threads products of matrices take."""

HEARTBEAT = 30.0
"""Seconds between two lines that say that work goes on."""


def default_workers(count: int) -> int:
    """How many notebooks to run at a time: one per core, at most four (each holds about 1 GiB); one
    where they would share a GPU.
    """
    return 1 if Path("/dev/nvidiactl").exists() else max(1, min(count, cores(), 4))


def run(jobs: Sequence[Job], *, out: Path, workers: int = 1, force: bool = False) -> list[Outcome]:
    """Run jobs, each in a process of its own; write the index after each, the results and the crate
    at last.

    Returns
    -------
    list of Outcome
        In the order of the jobs. Ctrl-C stops them all; what they computed stays in the cache.
    """
    for place in (make_folder(out), make_folder(paths.cache())):
        sweep(place)
    for job in jobs:
        sweep(make_folder(job.folder))
        write_json(job.folder / "run.json", {"preset": job.preset, "typed": job.typed})
    outcomes: dict[str, Outcome] = {}
    for job in [] if force else jobs:
        outcome = staleness.up_to_date_outcome(job, staleness.digest_of_inputs(job))
        if outcome is not None:
            outcomes[job.notebook] = outcome
            say(f"{job.notebook}: up to date (--force runs it again)")
    if len(outcomes) == len(jobs):
        write_index(out)
    stale = [job for job in jobs if job.notebook not in outcomes]
    stale.sort(key=rough_duration, reverse=True)  # longest first: no core idles at the end
    workers = min(workers, max(1, len(stale)))  # so that one that is left has all cores
    processes = _Processes(workers, force)
    try:
        if stale:
            processes.extract(stale)
        for outcome in processes.execute(stale):
            outcomes[outcome.notebook] = outcome
            write_index(out)
    except BaseException:
        processes.stop()
        raise
    write_results(out)
    write_crate(out)
    return [outcomes[job.notebook] for job in jobs]


def isolated(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: without what would make it behave otherwise than elsewhere, and
    with this package found wherever it runs.
    """
    kept = {name: value for name, value in environment.items() if name not in OTHERS_SETTINGS}
    given = environment.get("PYTHONPATH", "").split(os.pathsep)
    places = [str(Path(__file__).resolve().parents[2]), *map(os.path.abspath, filter(None, given))]
    if paths.home() is None:  # Jupyter asks for one
        kept["HOME"] = str(paths.cache())
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(places)),
        "PYTHONSAFEPATH": "1",  # no module of the working folder
        "PYTHONUTF8": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        JSON_VARIABLE: "1",
    }


class _Processes:
    """The processes of one run, as many at a time as there are workers."""

    def __init__(self, workers: int, force: bool) -> None:
        self.workers, self.force, self.started = workers, force, time.time()
        self.children: list[subprocess.Popen[str]] = []
        self.pages: dict[Path, list[str]] = {}
        self.stopping, self.starting = Event(), Lock()
        self.pool = ThreadPoolExecutor(max_workers=workers)
        self.environment = isolated(os.environ)
        if force:
            self.environment[REFRESH_VARIABLE] = str(self.started)

    def _child(
        self,
        words: Sequence[str],
        beside: int,
        environment: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> subprocess.Popen[str]:
        """A process of the command line that is one of so many at a time."""
        shared = {**self.environment, **(environment or {})}
        if beside > 1:  # share the cores: more threads than cores would only wait for one another
            threads = str(max(1, cores() // beside))
            shared |= dict.fromkeys(THREADS, threads)
        with self.starting:  # either stop() ends it, or it is not started
            if self.stopping.is_set():
                raise InterruptedError("the run is being stopped")
            child = subprocess.Popen(
                [sys.executable, "-m", "diffused_redundancy", *words],
                env=shared,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
                **extra,
            )
            self.children.append(child)
        return child

    def _as_completed(
        self, names: Mapping[Future[Any], str], progress: Callable[[], str]
    ) -> Iterator[Future[Any]]:
        """Futures as they end, with a line of progress whenever none has for a while."""
        waiting = set(names)
        while waiting:
            done, waiting = wait(waiting, timeout=HEARTBEAT, return_when=FIRST_COMPLETED)
            if not done:
                running = ", ".join(
                    dict.fromkeys(name for future, name in names.items() if future.running())
                )
                say(f"{running}: running{progress()}, {time.time() - self.started:.0f} s")
            yield from done

    def extract(self, jobs: Sequence[Job]) -> None:
        """Fill the cache with the features that jobs need, unless it has been filled with them
        before.
        """
        units = prefetch.extractions(jobs)
        mark = prefetch.completion_mark(units)
        if not units or (mark.exists() and not self.force):
            return
        left = deque(units)
        errors: list[str] = []
        latest: dict[int, Progress] = {}
        workers = min(self.workers, len(units))

        def serve_units() -> None:
            child = self._child(["features"], workers, stdin=subprocess.PIPE)
            assert child.stdin is not None and child.stdout is not None and child.stderr is not None
            follower = Thread(target=_follow, args=(child.stderr, latest, child.pid), daemon=True)
            follower.start()
            # until nothing is left, or the process died, which closing its pipe says once more
            with suppress(IndexError, BrokenPipeError), child.stdin, child.stdout:
                while not self.stopping.is_set():
                    child.stdin.write(json.dumps(asdict(left.popleft())) + "\n")
                    child.stdin.flush()
                    errors.append(json.loads(child.stdout.readline() or '"died"'))
                    latest.pop(child.pid, None)
            child.wait()
            follower.join()

        def so_far() -> str:
            steps = [f"{len(errors)} of {len(units)}", *map(str, list(latest.values()))]
            return "".join(f", {step}" for step in steps)

        pairs = "pair" if len(units) == 1 else "pairs"
        say(f"features of {len(units)} {pairs} of a network and a task: started")
        futures = {self.pool.submit(serve_units): "features" for _ in range(workers)}
        for future in self._as_completed(futures, so_far):
            future.result()
        if len(errors) == len(units) and not any(errors):
            write_json(mark, {"written": time.time()})
        say(f"features: done in {time.time() - self.started:.0f} s")

    def execute(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Run the notebooks of jobs; outcomes as they end."""
        for job in jobs:
            there = [path.stem for path in job.folder.glob("[0-9][0-9]_*.html")]
            names = {*there, *(one.notebook for one in jobs if one.folder == job.folder)}
            self.pages[job.folder] = sorted(names & {*parameters.available()})
        futures = {self.pool.submit(self._notebook, job): job.notebook for job in jobs}
        for future in self._as_completed(futures, lambda: ""):
            yield future.result()

    def _notebook(self, job: Job) -> Outcome:
        digest = staleness.digest_of_inputs(job)  # what changes from here on makes it stale
        request = json.dumps(
            {
                "notebook": job.notebook,
                "parameters": job.values,
                "folder": str(job.folder),
                "preset": job.preset,
                "beside": self.pages.get(job.folder, []),
            }
        )
        say(f"{job.notebook}: started")
        child = self._child(
            ["execute", request], self.workers, {paths.REPORT_VARIABLE: str(job.folder)}
        )
        output, complaints = child.communicate()
        outcome = _outcome(job, output, child.returncode, complaints)
        if outcome.ok:
            staleness.record_report(job, digest)
        if self.stopping.is_set():
            return outcome
        took = f"{outcome.seconds:.0f} s, {outcome.memory:.1f} GiB"
        say(
            f"{job.notebook}: done in {took}"
            if outcome.ok
            else f"{job.notebook}: FAILED after {took}: {outcome.error}"
        )
        return outcome

    def stop(self) -> None:
        """End every process that runs, and start no other."""
        self.stopping.set()
        self.pool.shutdown(wait=False, cancel_futures=True)
        with self.starting:
            children = list(self.children)
        _stop(children)


PATIENCE = 10.0
"""Seconds that processes have to end by themselves when the run is stopped."""


def _stop(children: Sequence[subprocess.Popen[str]]) -> None:
    """End children, which shut their kernels down; a kernel whose parent is gone ends itself.

    A second Ctrl-C kills them at once.
    """
    running = [child for child in children if child.poll() is None]
    if not hasattr(os, "killpg"):  # Windows has no groups of processes
        for child in running:
            child.terminate()
        return
    until = time.monotonic() + PATIENCE
    try:
        for child in running:
            _signal(child, signal.SIGTERM)
        for child in running:
            child.wait(timeout=max(0.0, until - time.monotonic()))
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        for child in running:
            _signal(child, signal.SIGKILL)


def _signal(child: subprocess.Popen[str], number: int) -> None:
    """Send a signal to a child and all that it started in its group."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _follow(lines: IO[str], latest: dict[int, Progress], key: int) -> None:
    """Keep the latest progress of a process; read everything else too, or it would wait."""
    for line in lines:
        step = Progress.from_json(line)
        if step is not None:
            latest[key] = step


def _outcome(job: Job, output: str, status: int, complaints: str) -> Outcome:
    """The outcome a child printed, or one made from how it ended."""
    try:
        return Outcome(**json.loads(output.strip().splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        lines = [
            line
            for line in complaints.strip().splitlines()
            if not any(noise in line for noise in NOISE) and Progress.from_json(line) is None
        ]
        last = lines[-1] if lines else "no message"
        error = f"its process ended with status {status}: {last}"
        return Outcome(job.notebook, job.notebook, False, 0.0, 0.0, error)


def say(text: str) -> None:
    """A line of progress, in one piece: several threads write them."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def default_out() -> Path:
    """``reports`` in the checkout."""
    return paths.repository() / "reports"
