"""What goes wrong on a cluster, for real: processes that are killed, too little memory, a scheduler
that is started again, a host that is cut off, damaged files, two runs at once. Afterwards the
tables are those of a run without faults, and nothing is computed twice that was done.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import psutil
import pytest
from clusters import NET, Processes, jobs, tables, texts, units_of, until
from conftest import ROOT
from diffused_redundancy.cluster import dask, executors
from diffused_redundancy.nets import extraction
from diffused_redundancy.store import paths, sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to be killed by"),
]

BLOCK = 256
"""Images of a block: two batches."""

OTHER = "miniature_resnet.standard_s1"


class Cluster(Processes):
    """A scheduler and workers that can be given faults."""

    def __init__(self, folder, **more):
        self.faults = folder / "faults"
        self.faults.mkdir()
        super().__init__(
            folder,
            FAULTS=str(self.faults),
            FAULTS_BLOCK=str(BLOCK),
            DIFFUSED_REDUNDANCY_CACHE=str(folder / "cache"),
            DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP="11s",  # a cut connection is believed: least
            **more,
        )

    def begin(self):
        self.start_scheduler()
        self.workers = self.start_workers(2, "--preload", "faults", "--memory-limit", "2GB")

    def wants(self, *names):
        for name in names:
            (self.faults / name).touch()

    def happened(self, name):
        return not (self.faults / name).exists()

    def log(self, kind):
        """What workers noted, and how often."""
        path = self.faults / f"{kind}.log"
        return Counter(path.read_text().split("\n")[:-1] if path.exists() else [])

    def forget(self):
        for path in self.faults.glob("*.log"):
            path.unlink()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as made:
        made.begin()
        yield made


@pytest.fixture(autouse=True)
def with_cache_of_cluster(cluster, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_CACHE", str(cluster.folder / "cache"))
    monkeypatch.setattr(extraction, "BLOCK", BLOCK)
    monkeypatch.setattr(dask, "WAIT", 60.0)
    cluster.forget()


def undisturbed(tmp_path, images, **more):
    """The tables of a run of this process alone, without blocks, in a cache of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFUSED_REDUNDANCY_CACHE", str(tmp_path / "undisturbed"))
        patch.setattr(extraction, "BLOCK", 1 << 14)
        assert executors.run_units(units_of(tmp_path, images, **more), executors.Alone()) == []
        (job,) = jobs(tmp_path, images, **more)
        return tables(job, tmp_path / "undisturbed-report", patch)


def check(cluster, tmp_path, monkeypatch, images, *, twice=0, **more):
    """The tables are those of an undisturbed run; no entry of the cache was written twice, but for
    so many, whose writer was killed; a run that follows has nothing to do; and nothing is left.
    """
    (job,) = jobs(tmp_path, images, **more)
    assert tables(job, tmp_path / "report", monkeypatch) == undisturbed(tmp_path, images, **more)
    assert sum(count - 1 for count in cluster.log("put").values()) <= twice
    every = units_of(tmp_path, images, **more)
    assert all(unit.done for unit in every)
    assert executors.run_units(every, None) == []  # which nobody is asked to do
    assert not list(paths.cache().rglob(".*.part"))


def test_workers_killed_in_extraction(cluster, tmp_path, monkeypatch):
    """In the middle of a block of the images, and while a file is being written."""
    cluster.wants("in-a-block", "in-a-file")
    every = units_of(tmp_path, 600)
    assert sum(unit.step == "extract" for unit in every) == 5
    assert dask.run_on_dask(every, scheduler=cluster.address) == []
    assert cluster.happened("in-a-block") and cluster.happened("in-a-file")
    (left,) = paths.cache().rglob(".*.part")
    sweep(paths.cache())  # as the run that makes the report does
    assert not left.exists()
    check(cluster, tmp_path, monkeypatch, 600)


def test_a_worker_killed_in_a_measure(cluster, tmp_path, monkeypatch):
    """Curves that it had written are not computed again."""
    cluster.wants("in-a-measure")
    assert dask.run_on_dask(units_of(tmp_path, 200), scheduler=cluster.address) == []
    assert cluster.happened("in-a-measure")
    (unit,) = cluster.log("measure")
    assert cluster.log("measure")[unit] == 2
    check(cluster, tmp_path, monkeypatch, 200)


def test_workers_out_of_memory(cluster, tmp_path, monkeypatch, capsys):
    """One is ended by its nanny; in another an array cannot be had."""
    cluster.wants("memory")
    assert dask.run_on_dask(units_of(tmp_path, 201), scheduler=cluster.address) == []
    assert cluster.happened("memory")
    assert sum(cluster.log("measure").values()) == 2
    check(cluster, tmp_path, monkeypatch, 201)
    capsys.readouterr()
    cluster.wants("limit")
    assert dask.run_on_dask(units_of(tmp_path, 202), scheduler=cluster.address) == []
    assert cluster.happened("limit")
    assert "tried again" in capsys.readouterr().err
    check(cluster, tmp_path, monkeypatch, 202)


def test_two_runs_on_one_cache_at_once(cluster, tmp_path, monkeypatch):
    """Each unit that both ask for at one time is done by one, which the other waits for."""
    found = []

    def run():
        every = units_of(tmp_path, 203, nets=(NET, OTHER))
        found.append(dask.run_on_dask(every, scheduler=cluster.address))

    both = [threading.Thread(target=run) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(240)
    assert found == [[], []]
    check(cluster, tmp_path, monkeypatch, 203, nets=(NET, OTHER))


def test_damaged_files_are_made_again(cluster, tmp_path, monkeypatch):
    """A curve with a wrong byte, features cut short, and a mark that says nothing: a mark is only
    looked for, never read.
    """
    every = units_of(tmp_path, 204)
    assert dask.run_on_dask(every, scheduler=cluster.address) == []
    curve = next(path for path in (paths.cache() / "curves").iterdir() if wrote(cluster, path))
    whole = bytearray(curve.read_bytes())
    whole[-1] ^= 1
    curve.write_bytes(whole)
    features = next(path for path in (paths.cache() / "features").iterdir() if wrote(cluster, path))
    features.write_bytes(features.read_bytes()[:-100])
    every[0].mark.write_text("")
    every[1].mark.unlink()
    cluster.forget()
    assert dask.run_on_dask(every, scheduler=cluster.address) == []
    assert set(cluster.log("put")) == {curve.name, features.name}
    check(cluster, tmp_path, monkeypatch, 204)


def wrote(cluster, path):
    return path.name in cluster.log("put")


def test_a_scheduler_killed_and_started_again(cluster, tmp_path, monkeypatch, capsys):
    """Workers end with it, and are started again, too. Units that were done are not done again."""
    cluster.wants("wait")
    every = units_of(tmp_path, 205)
    done = []
    run = threading.Thread(
        target=lambda: done.append(dask.run_on_dask(every, scheduler=cluster.address))
    )
    run.start()
    until(lambda: cluster.log("measure"))
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    cluster.begin()
    (cluster.faults / "wait").unlink()
    run.join(240)
    assert done == [[]]
    said = capsys.readouterr().err
    assert "The scheduler was lost" in said and "extract: 1 of 1 units were done before" in said
    check(cluster, tmp_path, monkeypatch, 205)


def test_a_scheduler_that_does_not_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(dask, "WAIT_AGAIN", 1.0)
    (tmp_path / "own").mkdir()
    every = units_of(tmp_path, 206)[:1]
    with Processes(tmp_path / "own") as own:
        own.start_scheduler()
        monkeypatch.setattr(dask, "_greet", lambda *_: None)

        def submitted(*_):
            own.scheduler.kill()
            raise executors.ExecutorLost("gone")

        monkeypatch.setattr(dask, "attempt", submitted)
        with pytest.raises(dask.InputError, match="did not answer within 1 s"):
            dask.run_on_dask(every, scheduler=own.address)


def test_a_notebook_killed(tmp_path):
    """Its kernel is killed; the run says so, and the next one makes its report."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "lib"),
        "DIFFUSED_REDUNDANCY_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    words = ["run", "--preset", "smoke", "--only", "01_cka", "-p", "IMAGES", "200"]
    words += ["-p", "TASKS", '["digits"]', "-p", "NETS", json.dumps([NET])]
    words += ["--out", str(tmp_path / "reports")]

    def start():
        return subprocess.Popen(
            [sys.executable, "-m", "diffused_redundancy", *words],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def kernels():
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(first.pid).children(recursive=True)
            return [one for one in children if "ipykernel" in " ".join(one.cmdline())]
        return []

    first = start()
    until(lambda: list((tmp_path / "cache" / "curves").glob("*.safetensors")), 120)
    kernels()[0].send_signal(signal.SIGKILL)
    assert "FAILED" in first.communicate(timeout=300)[1]
    assert first.returncode == 1
    before = {path.name: path.stat().st_mtime_ns for path in entries(tmp_path / "cache")}
    again = start()
    assert again.communicate(timeout=300) and again.returncode == 0
    after = {path.name: path.stat().st_mtime_ns for path in entries(tmp_path / "cache")}
    assert before.items() <= after.items() and len(before) < len(after)
    (folder,) = {path.parents[1] for path in (tmp_path / "reports").rglob("tables/*.csv")}
    assert texts(folder) == undisturbed(tmp_path, 200)
    assert not list(tmp_path.rglob(".*.part"))


def entries(folder: Path):
    return folder.rglob("*.safetensors")


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def other_host():
    """A namespace of the network, as another host, and its end of the cable to this one."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("namespaces of the network take ip and root")
    name, here, there = (f"{kind}{os.getpid()}" for kind in ("host", "here", "there"))
    try:
        ip("netns", "add", name)
        ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        ip("addr", "add", "10.213.7.1/24", "dev", here)
        ip("link", "set", here, "up")
        ip("-n", name, "addr", "add", "10.213.7.2/24", "dev", there)
        for end in ("lo", there):
            ip("-n", name, "link", "set", end, "up")
        yield name, there
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no namespaces of the network here: {error.stderr.decode()}")
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True)


def test_a_host_cut_off(other_host, tmp_path, monkeypatch):
    """What it had is given to another; it may well finish it, as it has the same folder."""
    name, end = other_host
    every = units_of(tmp_path, 207)
    with Cluster(tmp_path, host="10.213.7.1") as own:
        monkeypatch.setenv("DIFFUSED_REDUNDANCY_CACHE", str(tmp_path / "cache"))
        own.start_scheduler()
        own.start_workers(1, "--preload", "faults", before=["ip", "netns", "exec", name])
        own.wants("wait")
        done = []
        run = threading.Thread(
            target=lambda: done.append(dask.run_on_dask(every, scheduler=own.address))
        )
        run.start()
        until(lambda: own.log("measure"))
        ip("-n", name, "link", "set", end, "down")
        own.start_workers(1, "--preload", "faults")
        until(lambda: own.log("measure").total() == 2)
        (own.faults / "wait").unlink()
        run.join(240)
        assert done == [[]]
        check(own, tmp_path, monkeypatch, 207)
