"""Features extracted before the notebooks: each once, whatever happens to one of them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace

import diffused_redundancy as dr
import pytest
from diffused_redundancy.nets import extraction
from diffused_redundancy.pipeline import prefetch, runner
from diffused_redundancy.pipeline.plan import Job
from diffused_redundancy.progress import JSON_VARIABLE, Progress, progress

NET = "miniature_resnet_128.standard_s1"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_CACHE", str(tmp_path / "cache"))


def job(tmp_path, notebook="01_cka", **values):
    defaults = {"NETS": [NET], "TASKS": ["digits"], "IMAGES": 60}
    return Job(notebook, {**defaults, **values}, tmp_path / "smoke", "smoke")


def test_each_net_on_each_task_once_and_tasks_together(tmp_path):
    other = "miniature_resnet.standard_s1"
    units = prefetch.extractions(
        [
            job(tmp_path, NETS=[NET, other], TASKS=["digits", "armenian"]),
            job(tmp_path, "06_layers", NETS=[other], TASKS=["digits"]),
            job(tmp_path, "02_probes", NETS=[other], TASKS=["digits"], IMAGES=70),
        ]
    )
    assert [(unit.task, unit.net, unit.images, unit.layers) for unit in units] == [
        ("digits", NET, 60, ("penultimate",)),
        ("digits", other, 60, ("penultimate", "stages")),
        ("digits", other, 70, ("penultimate",)),
        ("armenian", NET, 60, ("penultimate",)),
        ("armenian", other, 60, ("penultimate",)),
    ]


def served(units):
    return list(prefetch.serve(json.dumps(asdict(unit)) for unit in units))


def no_extraction(monkeypatch):
    monkeypatch.setattr(
        extraction,
        "extract",
        lambda *_, **__: pytest.fail("what was extracted is not in the cache"),
    )


def test_one_that_cannot_be_had_does_not_stop_the_others(tmp_path, monkeypatch):
    (good,) = prefetch.extractions([job(tmp_path)])
    first, second = served([replace(good, net="no_such_net"), good])
    assert "no_such_net" in first and second == ""
    no_extraction(monkeypatch)
    features = dr.features(dr.net(NET), dr.task("digits", images=60))
    assert features.X_train.shape == (60, 128)


def test_all_layers_of_a_unit_are_there_afterwards_whichever_were_before(tmp_path, monkeypatch):
    assert served(prefetch.extractions([job(tmp_path)])) == [""]
    assert served(prefetch.extractions([job(tmp_path), job(tmp_path, "06_layers")])) == [""]
    no_extraction(monkeypatch)
    for layer, width in (("penultimate", 128), ("layer1", 64), ("layer4", 128)):
        features = dr.features(NET, dr.task("digits", images=60), layer=layer)
        assert features.X_train.shape == (60, width)


def played(processes, monkeypatch, program):
    """A run whose processes for features are a few lines of Python."""

    popen = subprocess.Popen
    monkeypatch.setattr(
        runner.subprocess,
        "Popen",
        lambda _, **streams: popen([sys.executable, "-c", program], **streams),
    )


def test_a_process_that_died_before_it_was_asked_is_left_to_the_notebook(tmp_path, monkeypatch):
    wanted = [job(tmp_path, NETS=[NET, "miniature_resnet.standard_s1"])]
    processes = runner._Processes(2, force=False)
    popen = subprocess.Popen

    def ended(_, **streams):
        child = popen([sys.executable, "-c", ""], **streams)
        child.wait()
        return child

    monkeypatch.setattr(runner.subprocess, "Popen", ended)
    processes.extract(wanted)
    assert not prefetch.completion_mark(prefetch.extractions(wanted)).exists()


def test_what_was_extracted_is_not_looked_at_again(tmp_path, monkeypatch):
    wanted = [job(tmp_path, NETS=[NET, "miniature_resnet.standard_s1"])]
    processes = runner._Processes(2, force=False)
    played(processes, monkeypatch, "import sys\nfor line in sys.stdin: print('\"\"', flush=True)")
    processes.extract(wanted)
    assert prefetch.completion_mark(prefetch.extractions(wanted)).exists()
    monkeypatch.setattr(
        processes, "_child", lambda *_, **__: pytest.fail("a process was started for what is there")
    )
    processes.extract(wanted)
    other = [job(tmp_path, IMAGES=50)]
    assert not prefetch.completion_mark(prefetch.extractions(other)).exists()


THREADS = """
import json, os, sys, time
for line in sys.stdin:
    print("a warning that is none of this", file=sys.stderr)
    done = {"title": "net on task, train, batches", "done": 3, "total": 8, "seconds": 15}
    print(json.dumps(done), file=sys.stderr, flush=True)
    time.sleep(0.5)
    print(json.dumps("threads " + os.environ.get("OMP_NUM_THREADS", "all")), flush=True)
"""


@pytest.mark.parametrize(("count", "threads"), [(1, "all"), (2, "4"), (3, "2")])
def test_processes_share_the_cores_and_tell_how_far_they_are(
    count, threads, tmp_path, monkeypatch, capsys
):
    """One pair of a net and a task has all cores, however many notebooks will run at a time."""
    monkeypatch.setattr(runner, "cores", lambda: 8)
    monkeypatch.setattr(runner, "HEARTBEAT", 0.1)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    wanted = [
        job(
            tmp_path,
            NETS=[NET, "miniature_resnet.standard_s1", "miniature_resnet.standard_s2"][:count],
        )
    ]
    processes = runner._Processes(4, force=False)
    played(processes, monkeypatch, THREADS)
    parsed = []
    monkeypatch.setattr(
        runner.json, "loads", lambda text, own=json.loads: parsed.append(own(text)) or parsed[-1]
    )
    processes.extract(wanted)
    answers = [answer for answer in parsed if isinstance(answer, str)]
    assert answers == [f"threads {threads}"] * count
    said = capsys.readouterr().err
    assert f"0 of {count}, net on task, train, batches: 3 of 8, 0.2 per second, 25 s left" in said
    assert "warning" not in said and "{" not in said


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
    processes = runner._Processes(2, force=False)
    played(processes, monkeypatch, program)
    processes.extract(wanted)
    assert not prefetch.completion_mark(prefetch.extractions(wanted)).exists()


def test_a_process_that_is_told_so_writes_json(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert list(progress("ab", title="letters", every=0)) == ["a", "b"]
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["letters: 1 of 2", "letters: 2 of 2"]
    monkeypatch.setenv(JSON_VARIABLE, "1")
    list(progress(iter("ab"), title="letters", every=0))
    steps = [Progress.from_json(line) for line in capsys.readouterr().err.splitlines()]
    assert [(step.title, step.done, step.total) for step in steps] == [
        ("letters", 1, None),
        ("letters", 2, None),
    ]
    assert str(steps[1]).startswith("letters: 2") and "left" not in str(steps[1])


@pytest.mark.parametrize("line", ["", "a warning", "3", "null", '{"title": "a"}', "[1, 2, 3, 4]"])
def test_other_lines_are_no_progress(line):
    assert Progress.from_json(line) is None
