"""Processes of Dask, and the tables of a notebook from a cache, for tests of runs on a cluster."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jupytext
from conftest import ROOT
from diffused_redundancy import parameters
from diffused_redundancy.cluster import units
from diffused_redundancy.pipeline import plan

NET = "miniature_resnet_128.standard_s1"


def jobs(tmp_path, images, *, nets=(NET,), only="01_cka", tasks='["digits"]'):
    """One notebook of the preset smoke, on few images."""
    listed = "[" + ", ".join(f'"{name}"' for name in nets) + "]"
    typed = [("NETS", listed), ("TASKS", tasks), ("IMAGES", str(images))]
    return plan.plan("smoke", [only], typed, tmp_path / "reports")


def units_of(tmp_path, images, **more):
    """Its units."""
    return units.units(jobs(tmp_path, images, **more))


def tables(job, folder, monkeypatch):
    """The tables of a notebook, by file, run here without a kernel; everything it asks the cache
    for must be there.
    """
    import matplotlib.pyplot as plt

    monkeypatch.setenv("DIFFUSED_REDUNDANCY_REPORT", str(folder))
    namespace = {"__name__": "__main__"}
    for cell in jupytext.read(parameters.source(job.notebook)).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, job.notebook, "exec"), namespace)
            if "parameters" in cell.metadata.get("tags", []):
                namespace |= job.values
    plt.close("all")
    assert namespace["session"].cache.misses == 0
    return texts(folder)


def texts(folder):
    """The tables of a folder of reports, by file."""
    found = {path.name: path.read_text() for path in (folder / "tables").glob("*.csv")}
    assert found
    return found


def free_port():
    """A port that nobody listens at."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def listens(host, port):
    """Whether somebody listens there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


class Processes:
    """A scheduler and workers of Dask, as one starts them by hand; all end with the block."""

    def __init__(self, folder: Path, host="127.0.0.1", **environment):
        self.folder, self.host, self.port = folder, host, free_port()
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "lib"), str(ROOT / "tests")]),
            "OMP_NUM_THREADS": "1",
            "DASK_TEMPORARY_DIRECTORY": str(folder / "scratch"),
            **environment,
        }
        self.started = []
        self.scheduler = None

    @property
    def address(self):
        return f"tcp://{self.host}:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def start(self, *words, before=(), **environment):
        """A process of ``dask``, a leader of its group; what it says goes to a file."""
        with open(self.folder / f"dask-{len(self.started)}.log", "w") as log:
            process = subprocess.Popen(
                [*before, sys.executable, "-m", "distributed.cli.dask_" + words[0], *words[1:]],
                env={**self.environment, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.folder,
            )
        self.started.append(process)
        return process

    def start_scheduler(self, before=()):
        """The scheduler; a second one listens where the first did."""
        self.scheduler = self.start(
            *("scheduler", "--host", self.host, "--port", str(self.port), "--no-dashboard"),
            before=before,
        )
        if not before:
            until(lambda: listens(self.host, self.port))

    def start_workers(self, count=1, *options, before=(), **environment):
        """So many worker processes, of one thread each."""
        return self.start(
            *("worker", self.address, "--nworkers", str(count), "--nthreads", "1"),
            *("--no-dashboard", *options),
            before=before,
            **environment,
        )


def until(condition, seconds=300.0):
    """Wait until something holds; it fails where that takes too long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)
