"""Units of a run on executors: Dask's and others, with what goes wrong before any work."""

from __future__ import annotations

import json
import pickle
import shutil
import socket
import subprocess
import sys
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from types import SimpleNamespace

import diffused_redundancy as dr
import pytest
from clusters import NET, Processes, free_port, jobs, tables, units_of
from conftest import ROOT
from diffused_redundancy.cluster import dask, executors, perform
from diffused_redundancy.cluster.units import Unit
from diffused_redundancy.devices import cores
from diffused_redundancy.errors import InputError
from diffused_redundancy.store import paths

IMAGES = 120
NETS = (NET, "miniature_resnet.standard_s1")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "lib"))  # of processes, wherever they start


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The tables of a run of this process alone."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFUSED_REDUNDANCY_CACHE", str(folder / "cache"))
        every = units_of(folder, IMAGES, nets=NETS)
        assert executors.run_units(every, executors.Alone()) == []
        (job,) = jobs(folder, IMAGES, nets=NETS)
        return tables(job, folder / "report", patch)


def same_tables(tmp_path, monkeypatch, undisturbed):
    (job,) = jobs(tmp_path, IMAGES, nets=NETS)
    return tables(job, tmp_path / "report", monkeypatch) == undisturbed


class Submitit:
    """An executor of submitit's shape: a job is a process, which finds its work in a file."""

    def __init__(self, folder):
        self.folder = folder

    def submit(self, function, *given):
        path = self.folder / f"job-{len(list(self.folder.glob('job-*')))}.pkl"
        path.write_bytes(pickle.dumps((function, given)))
        return Job(path)


class Job:
    PROGRAM = """
import pickle, sys
function, given = pickle.load(open(sys.argv[1], "rb"))
pickle.dump(function(*given), open(sys.argv[1] + ".done", "wb"))
"""

    def __init__(self, path):
        self.path = path
        self.process = subprocess.Popen([sys.executable, "-c", self.PROGRAM, str(path)])

    def done(self):
        return self.process.poll() is not None

    def result(self):
        return pickle.loads(self.path.with_name(f"{self.path.name}.done").read_bytes())


def loky(_):
    return pytest.importorskip("joblib.externals.loky").get_reusable_executor(1)


@pytest.mark.slow
@pytest.mark.parametrize("made", [Submitit, loky])
def test_executors_of_other_shapes(made, tmp_path):
    unit = units_of(tmp_path, IMAGES)[0]
    assert executors.run_units([unit], made(tmp_path)) == []
    assert unit.done


@pytest.mark.slow
@pytest.mark.parametrize(
    "made",
    [
        lambda: ThreadPoolExecutor(2),
        pytest.param(
            lambda: ProcessPoolExecutor(1, mp_context=get_context("spawn")), marks=pytest.mark.slow
        ),
    ],
    ids=["threads", "processes"],
)
def test_any_executor_gives_what_one_process_does(made, tmp_path, monkeypatch, undisturbed, capsys):
    values = {"NETS": list(NETS), "TASKS": ["digits"], "IMAGES": IMAGES}
    for said in ("[2/2] measure/01_cka/", "2 of 2 units were done before"):  # then once more
        errors = dr.run_on(made(), "smoke", only=["01_cka"], parameters=values)
        assert errors == []
        assert said in capsys.readouterr().err
    assert same_tables(tmp_path, monkeypatch, undisturbed)


@pytest.mark.slow
def test_a_cluster_of_this_machine(tmp_path, monkeypatch, undisturbed, capsys):
    every = units_of(tmp_path, IMAGES, nets=NETS)
    assert dask.run_on_dask(every, workers=1) == []
    said = capsys.readouterr().err
    assert "Dask: 1 worker; dashboard: http://127.0.0.1:" in said
    for unit in every:
        assert f"/2] {unit.name}: " in said
    assert same_tables(tmp_path, monkeypatch, undisturbed)


@pytest.mark.slow
def test_a_cluster_that_runs_elsewhere(tmp_path, monkeypatch, undisturbed):
    from distributed import Client

    every = units_of(tmp_path, IMAGES, nets=NETS)
    with Processes(tmp_path) as cluster:
        cluster.start_scheduler()
        monkeypatch.setattr(dask, "WAIT", 0.5)
        with pytest.raises(InputError, match="has no workers, after 0 s: start some, such as dask"):
            dask.run_on_dask(every, scheduler=cluster.address)
        monkeypatch.setattr(dask, "WAIT", 60.0)
        cluster.start_workers()
        assert dask.run_on_dask(every, scheduler=cluster.address) == []
        with Client(cluster.address, set_as_default=False) as client:
            (threads,) = client.run(blas_threads).values()
            assert threads and set(threads) == {1}
        cluster.start_workers(DIFFUSED_REDUNDANCY_CACHE=str(tmp_path / "other"))
        with Client(cluster.address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=300)
        with pytest.raises(InputError, match=r"the worker tcp://.*has another cache, at .*/other"):
            dask.run_on_dask(every, scheduler=cluster.address)
    assert same_tables(tmp_path, monkeypatch, undisturbed)


def blas_threads():
    import torch
    from threadpoolctl import threadpool_info

    return [torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())]


@pytest.mark.slow
def test_workers_of_other_code_are_refused(tmp_path, monkeypatch):
    other = tmp_path / "lib" / "diffused_redundancy"
    shutil.copytree(ROOT / "lib" / "diffused_redundancy", other)
    (other / "progress.py").open("a").write("# changed\n")
    with Processes(tmp_path) as cluster:
        cluster.start_scheduler()
        cluster.start_workers(PYTHONPATH=str(other.parent))
        monkeypatch.setattr(dask, "WAIT", 60.0)
        with pytest.raises(InputError, match=r"the worker tcp://.*has other code of this library"):
            dask.run_on_dask(units_of(tmp_path, IMAGES), scheduler=cluster.address)


def test_a_worker_refuses_what_it_cannot_serve(tmp_path, monkeypatch):
    unit = units_of(tmp_path, IMAGES)[0]
    sent = executors.message(unit)
    assert "other code" in executors.perform_sent({**sent, "code": "another"})["error"]
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_CACHE", str(tmp_path / "elsewhere"))
    took = executors.perform_sent(sent)
    assert "another cache, at" in took["error"] and not took["again"]
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "cache")
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_CACHE", str(link))  # another path to the same
    assert executors.refusal(sent) == ""


def test_a_scheduler_gets_names_and_paths(tmp_path):
    """At most two kB of a unit, also where a run has a thousand networks."""
    for count in (1, 1_000):
        nets = [f"resnet18.a_tag_as_long_as_those_of_timm_{i:04}" for i in range(count)]
        needs = {"values": {"NETS": nets, "TASKS": ["digits"], "SEEDS": [1, 2, 3]}, "notebook": "0"}
        unit = Unit("measure", nets[0], "digits", needs, "01_cka")
        sent = executors.message(unit)
        assert len(pickle.dumps((executors.perform_sent, sent))) < 2_000
        seen = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(executors, "perform", lambda about, seen=seen: seen.append(about))
            executors.perform_sent(json.loads(json.dumps(sent)))
        assert seen == [unit]
    kept = list((paths.cache() / "units").glob("*.needs.json"))
    assert len(kept) == 1 and kept[0].stat().st_size > 40_000


class Scripted:
    """An executor whose answers are given; an exception is raised where the result is asked for."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def submit(self, function, sent):
        answer = self.answers.pop(0)
        if callable(answer):
            return answer(function, sent)
        lost = Future()
        lost.set_exception(answer)
        return lost


def do(function, sent):
    return executors.Alone().submit(function, sent)


class KilledWorker(Exception):
    """Named as Dask's."""


def test_what_may_go_well_another_time_is_tried_again(tmp_path, monkeypatch, capsys):
    every = units_of(tmp_path, IMAGES)[:1]
    lost = ConnectionError("gone")
    assert executors.run_units(every, Scripted(lost, lost, do)) == []
    assert capsys.readouterr().err.count("tried again") == 2
    every = units_of(tmp_path, IMAGES + 1)[:1]
    (error,) = executors.run_units(every, Scripted(lost, lost, lost))
    assert error == f"{every[0].name}: its worker was lost (ConnectionError: gone)"
    (error,) = executors.run_units(every, Scripted(KilledWorker("four times")))
    assert "was their memory too small?" in error
    capsys.readouterr()

    def failing(error):
        monkeypatch.setitem(perform._DO, "extract", lambda _: (_ for _ in ()).throw(error))
        return executors.run_units(every, Scripted(do, do, do))

    assert failing(MemoryError("no room")) == [f"{every[0].name}: MemoryError: no room"]
    assert capsys.readouterr().err.count("tried again") == 2
    assert failing(InputError("a wrong name")) == [f"{every[0].name}: a wrong name"]
    assert capsys.readouterr().err.count("tried again") == 0


def test_where_an_executor_broke_the_rest_is_left(tmp_path):
    from concurrent.futures.process import BrokenProcessPool

    every = units_of(tmp_path, IMAGES)
    (said,) = executors.run_units(every, Scripted(BrokenProcessPool("a process died")))
    assert said.startswith(f"{len(every)} units are left: workers were lost (BrokenProcessPool: a")
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    (said,) = executors.run_units(every, pool)
    assert "cannot schedule new futures after shutdown" in said


def test_an_executor_never_holds_more_than_so_many_units(tmp_path, monkeypatch):
    most = 0

    class Counting:
        held = 0

        def submit(self, function, sent):
            nonlocal most
            Counting.held += 1
            most = max(most, Counting.held)
            return Answer()

    class Answer(Future):
        def __init__(self):
            super().__init__()
            self.set_result({"error": "", "seconds": 0.0, "host": "", "again": False})

        def result(self, timeout=None):
            Counting.held -= 1
            return super().result(timeout)

    monkeypatch.setattr(executors, "IN_FLIGHT", 3)
    every = [Unit("extract", NET, "digits", {"block": i}, str(i)) for i in range(10)]
    assert executors.run_units(every, Counting()) == []
    assert most == 3 and Counting.held == 0


def test_a_worker_for_each_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert dask.gpus() == ["0", "1"]

    def seen(workers):
        made = dask.specification(workers, dask.gpus())["workers"]
        for one in made.values():
            assert one["options"]["nthreads"] == 1
            for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
                assert one["options"]["env"][name] == "1"
        return [one["options"]["env"].get("CUDA_VISIBLE_DEVICES") for one in made.values()]

    assert seen(None) == ["0", "1"]
    assert seen(1) == ["0"]
    assert seen(4) == ["0", "1", "0", "1"]
    for nothing in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", nothing)
        assert seen(None) == [None] * cores()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert dask.gpus() == []  # torch is asked, which sees none in a test


def test_a_scheduler_that_does_not_answer(tmp_path, monkeypatch):
    every = units_of(tmp_path, IMAGES)
    monkeypatch.setattr(dask, "WAIT", 1.0)
    nobody = f"tcp://127.0.0.1:{free_port()}"
    for address in (nobody, "tcp://no-such-host.invalid:8786"):
        with pytest.raises(InputError, match=r"did not answer within 1 s .*is it running"):
            dask.run_on_dask(every, scheduler=address)
    with socket.socket() as silent:  # takes a connection, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(InputError, match=r"did not answer within 1 s"):
            dask.run_on_dask(every, scheduler=f"tcp://127.0.0.1:{silent.getsockname()[1]}")
    with pytest.raises(InputError, match="such as tcp://host:8786"):
        dask.run_on_dask(every, scheduler="nonsense://")


def test_without_dask(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'diffused-redundancy\[cluster\]'"):
        dask.run_on_dask(units_of(tmp_path, IMAGES))


def test_wrong_values_are_found_before_an_executor_is_asked():
    executor = SimpleNamespace(submit=print)
    with pytest.raises(InputError, match="IMAGES"):
        dr.run_on(executor, "smoke", only=["01_cka"], parameters={"IMAGES": "many"})
    with pytest.raises(InputError, match="did you mean"):
        dr.run_on(executor, "smok")
