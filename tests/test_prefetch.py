"""Features extracted before the notebooks: each once, whatever happens to one of them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

import diffused_redundancy as dr
import pytest
from diffused_redundancy.nets import extraction
from diffused_redundancy.pipeline import plan as jobs
from diffused_redundancy.pipeline import prefetch, runner

NET = "miniature_resnet_128.standard_s1"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_CACHE", str(tmp_path / "cache"))


def job(tmp_path, notebook="01_cka", **values):
    return jobs.Job(
        notebook,
        {"NETS": [NET], "TASKS": ["digits"], "IMAGES": 60, **values},
        tmp_path / "smoke",
        "smoke",
    )


def test_each_net_on_each_task_once_and_tasks_together(tmp_path):
    other = "miniature_resnet.standard_s1"
    found = prefetch.units(
        [
            job(tmp_path, NETS=[NET, other], TASKS=["digits", "armenian"]),
            job(tmp_path, "06_layers", NETS=[other], TASKS=["digits"]),
            job(tmp_path, "02_probes", NETS=[other], TASKS=["digits"], IMAGES=70),
        ]
    )
    assert [(one.task, one.net, one.images) for one in found] == [
        ("digits", NET, 60),
        ("digits", other, 60),
        ("digits", other, 70),
        ("armenian", NET, 60),
        ("armenian", other, 60),
    ]


def test_one_that_cannot_be_had_does_not_stop_the_others(tmp_path, capsys, monkeypatch):
    (good,) = prefetch.units([job(tmp_path)])
    bad = {**asdict(good), "net": "no_such_net"}
    prefetch.serve([json.dumps(bad), json.dumps(asdict(good))])
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert "no_such_net" in first and second == ""
    monkeypatch.setattr(
        extraction,
        "extract",
        lambda *_, **__: pytest.fail("what was extracted is not in the cache"),
    )
    found = dr.features(dr.net(NET), dr.task("digits", images=60))
    assert found.X_train.shape == (60, 128)


def played(processes, monkeypatch, program):
    """A run whose processes for features are a few lines of Python."""

    popen = subprocess.Popen
    monkeypatch.setattr(
        runner.subprocess,
        "Popen",
        lambda _, **streams: popen([sys.executable, "-c", program], **streams),
    )


def test_what_was_extracted_is_not_looked_at_again(tmp_path, monkeypatch):
    wanted = [job(tmp_path, NETS=[NET, "miniature_resnet.standard_s1"])]
    processes = runner._Processes(wanted, 2, force=False)
    played(processes, monkeypatch, "import sys\nfor line in sys.stdin: print('\"\"', flush=True)")
    processes.extract(wanted)
    assert prefetch.mark(prefetch.units(wanted)).exists()
    monkeypatch.setattr(
        processes, "_child", lambda *_, **__: pytest.fail("a process was started for what is there")
    )
    processes.extract(wanted)
    other = [job(tmp_path, IMAGES=50)]
    assert not prefetch.mark(prefetch.units(other)).exists()


THREADS = """
import json, os, sys, time
for line in sys.stdin:
    print("a warning that is none of this", file=sys.stderr)
    print("net on task, train, batches: 3 of 8, 15 s", file=sys.stderr, flush=True)
    time.sleep(0.5)
    print(json.dumps("threads " + os.environ.get("OMP_NUM_THREADS", "all")), flush=True)
"""


@pytest.mark.parametrize(("count", "threads"), [(1, "all"), (2, "4"), (3, "2")])
def test_processes_share_the_cores_and_tell_how_far_they_are(
    count, threads, tmp_path, monkeypatch, capsys
):
    """One pair of a net and a task has all cores, however many notebooks will run at a time."""
    monkeypatch.setattr(runner.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(runner, "HEARTBEAT", 0.1)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    wanted = [
        job(
            tmp_path,
            NETS=[NET, "miniature_resnet.standard_s1", "miniature_resnet.standard_s2"][:count],
        )
    ]
    processes = runner._Processes(wanted, 4, force=False)
    played(processes, monkeypatch, THREADS)
    answers = []
    monkeypatch.setattr(
        runner.json, "loads", lambda text, own=json.loads: answers.append(own(text)) or answers[-1]
    )
    processes.extract(wanted)
    assert answers == [f"threads {threads}"] * count
    told = capsys.readouterr().err
    assert (
        f"0 of {count}, net on task, train, batches: 3 of 8, 15 s" in told and "warning" not in told
    )


DIES = "import sys; sys.exit(1)"
FAILS = "import sys\nfor line in sys.stdin: print('\"InputError\"', flush=True)"


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.exit(1)",
        "import sys\nfor line in sys.stdin: print('\"InputError\"', flush=True)",
    ],
    ids=["dies", "fails"],
)
def test_a_failure_is_left_to_the_notebook(tmp_path, monkeypatch, program):
    wanted = [job(tmp_path, NETS=[NET, "miniature_resnet.standard_s1"])]
    processes = runner._Processes(wanted, 2, force=False)
    played(processes, monkeypatch, program)
    processes.extract(wanted)
    assert not prefetch.mark(prefetch.units(wanted)).exists()
