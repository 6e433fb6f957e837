"""A run written for Slurm, Snakemake and GNU parallel, run by Snakemake and by stand-ins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import diffused_redundancy as dr
import pytest
from conftest import ROOT
from diffused_redundancy.__main__ import main
from diffused_redundancy.cluster.emit import emitted
from diffused_redundancy.cluster.units import Cost, Unit

UNITS = [
    *(Unit("extract", f"n{i}", "digits", {}) for i in range(5)),
    *(Unit("penalties", f"n{i}", "digits", {}) for i in range(5)),
    *(Unit("measure", f"n{i}", "digits", {}, "01_cka") for i in range(5)),
]
COST = Cost({unit.name: 3600.0 for unit in UNITS}, 1.2e9)
RECORDER = """
import json, os, sys
from pathlib import Path
log, out, *words = sys.argv[1:]
with open(log, "a") as stream:
    known = {name: os.environ.get(name) for name in ("SLURM_ARRAY_TASK_ID", "OMP_NUM_THREADS")}
    known["cwd"] = os.getcwd()
    stream.write(json.dumps([words, known]) + "\\n")
if words == ["--dry-run"]:
    print("one ordering\\nmissing: a network\\n  all of these: fetch it")
if os.environ.get("FAIL") and os.environ["FAIL"] in " ".join(words):
    sys.exit(1)
if "--step" not in words:
    Path(out).mkdir(exist_ok=True)
    (Path(out) / "index.html").write_text("report")
"""


@pytest.fixture
def recorded(tmp_path):
    """A command that notes how it is called, in a folder whose name has to be quoted."""
    folder = tmp_path / "it's a folder of $HOME"
    folder.mkdir()
    script = folder / "recorder.py"
    script.write_text(RECORDER)
    log, out = folder / "calls", folder / "reports"
    command = [sys.executable, "-S", str(script), str(log), str(out)]

    def calls() -> list[list[str]]:
        every = [json.loads(line)[0] for line in log.read_text().splitlines()]
        # without those that the test of Snakemake adds
        return [words[3:] if words[:1] == ["-p"] else words for words in every]

    return command, out, calls


def bin_folder(tmp_path: Path, name: str, source: str) -> str:
    """A PATH with a program of that name at its front."""
    place = tmp_path / "bin"
    place.mkdir(exist_ok=True)
    program = place / name
    program.write_text(source)
    program.chmod(0o755)
    return f"{place}{os.pathsep}{os.environ['PATH']}"


def run_script(text: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "run.sh"
    script.write_text(text)
    return subprocess.run(
        ["bash", str(script)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=900,
    )


def slurm(tmp_path: Path) -> dict[str, str]:
    source = f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "tests" / "sbatch.py"}" "$@"\n'
    return {"PATH": bin_folder(tmp_path, "sbatch", source), "SBATCH_LOG": str(tmp_path / "log")}


def of_slurm(tmp_path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


STEPS = ("extract", "penalties", "measure")
REPORT = ["--jobs", "1"]


def test_slurm_runs_arrays_that_wait_for_one_another(recorded, tmp_path):
    command, out, calls = recorded
    text = emitted("sbatch", command, UNITS, COST, out, 3)
    assert run_script(text, tmp_path, **slurm(tmp_path)).returncode == 0
    assert calls() == [
        ["--dry-run"],
        *(["--step", step, "--shard", f"{i}/3"] for step in STEPS for i in (1, 2, 3)),
        REPORT,
    ]
    jobs = of_slurm(tmp_path)
    assert [(one["job"], one["task"]) for one in jobs] == [
        *((job, task) for job in (1, 2, 3) for task in (1, 2, 3)),
        (4, 0),
    ]
    assert (out / "index.html").exists()
    # two of five units an hour each, four times that
    assert "--time 480" in text and "--mem 2G" in text


def test_slurm_does_nothing_after_a_failure_and_goes_on_when_started_again(recorded, tmp_path):
    command, out, calls = recorded
    text = emitted("sbatch", command, UNITS, COST, out, 2)
    assert run_script(text, tmp_path, FAIL="penalties", **slurm(tmp_path)).returncode == 0
    assert [one["status"] for one in of_slurm(tmp_path)] == [0, 0, 1, 1, None, None, None]
    assert REPORT not in calls()
    assert run_script(text, tmp_path, **slurm(tmp_path)).returncode == 0
    assert (out / "index.html").exists() and calls()[-1] == REPORT


def test_slurm_submits_nothing_where_something_is_missing(recorded, tmp_path):
    command, out, _ = recorded
    text = emitted("sbatch", command, UNITS, COST, out)
    ended = run_script(text, tmp_path, FAIL="--dry-run", **slurm(tmp_path))
    assert ended.returncode == 1 and not (tmp_path / "log").exists()
    assert ended.stderr == "missing: a network\n  all of these: fetch it\n"


def test_jobs_begin_where_the_run_was_typed(recorded, tmp_path, monkeypatch):
    """Paths may have been typed from there."""
    command, out, _ = recorded
    monkeypatch.chdir(out.parent)
    text = emitted("sbatch", command, UNITS[:1], COST, out)
    monkeypatch.chdir(tmp_path)
    assert run_script(text, tmp_path, **slurm(tmp_path)).returncode == 0
    lines = (out.parent / "calls").read_text().splitlines()
    assert [Path(json.loads(line)[1]["cwd"]) for line in lines] == [out.parent] * 3


def test_options_of_all_jobs_may_be_given(recorded, tmp_path):
    command, out, _ = recorded
    text = emitted("sbatch", command, UNITS[:1], COST, out)
    assert "options=()" in text
    text = text.replace("options=()", "options=(--partition gpu)")
    assert run_script(text, tmp_path, **slurm(tmp_path)).returncode == 0


PARALLEL = """#!/bin/bash
# a stand-in for GNU parallel: one command after the other
while [ $# -gt 1 ]; do shift; done
while read -r line; do bash -c "${1//\\{\\}/$line}" || exit 1; done
"""


def test_parallel_runs_the_shards_of_each_step(recorded, tmp_path):
    command, out, calls = recorded
    command = [*command, "-p", "TASKS", '["folder:{} {#}"]']  # what parallel replaces in its own
    text = emitted("parallel", command, UNITS, COST, out, 2)
    path = os.environ["PATH"]
    if shutil.which("parallel") is None:
        path = bin_folder(tmp_path, "parallel", PARALLEL)
    assert run_script(text, tmp_path, PATH=path).returncode == 0
    made = calls()
    assert made[-1] == [] and len(made) == 7
    for place, step in enumerate(STEPS):
        shards = [["--step", step, "--shard", f"{i}/2"] for i in (1, 2)]
        assert sorted(made[2 * place : 2 * place + 2]) == shards
    assert '"folder:{} {#}"' in (out.parent / "calls").read_text().replace("\\", "")
    failed = run_script(text, tmp_path, PATH=path, FAIL="measure")
    assert failed.returncode != 0 and calls()[-1] != []


@pytest.fixture(scope="module")
def snakemake():
    """The command of Snakemake: one that is there, or one that uv brings for this test alone."""
    there = shutil.which("snakemake")
    if there:
        return [there]
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    command = [uv, "tool", "run", "--quiet", "--from", "snakemake>=9", "snakemake"]
    try:
        subprocess.run([*command, "--version"], check=True, capture_output=True, timeout=900)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("Snakemake is not here, and cannot be had")
    return command


@pytest.mark.slow
def test_snakemake_runs_what_is_emitted(recorded, tmp_path, snakemake):
    command, out, calls = recorded
    command = [*command, "-p", "TASKS", '["folder:{a} {i}"]']
    (tmp_path / "Snakefile").write_text(emitted("snakemake", command, UNITS, COST, out, 2))

    def run(**environment):
        return subprocess.run(
            [*snakemake, "--cores", "2", "--resources", "mem_mb=100000"],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=900,
        )

    failed = run(FAIL="penalties --shard 2")
    assert failed.returncode != 0
    made = calls()
    assert ["--step", "measure", "--shard", "1/2"] not in made
    shown = run()
    assert shown.returncode == 0, shown.stderr
    again = calls()[len(made) :]
    assert ["--step", "extract", "--shard", "1/2"] not in again  # it was done
    assert ["--step", "penalties", "--shard", "2/2"] in again[:-3] and again[-1] == REPORT
    assert sorted(again[-3:-1]) == [["--step", "measure", "--shard", f"{i}/2"] for i in (1, 2)]
    assert (out / "index.html").read_text() == "report"
    before = len(calls())
    assert run().returncode == 0 and len(calls()) == before
    for mark in out.glob("units/*/report"):
        mark.unlink()
    assert run(FAIL="--jobs").returncode != 0
    assert (out / "index.html").exists()  # the page that says what failed


@pytest.mark.slow
def test_a_run_on_slurm_makes_the_report(tmp_path, monkeypatch, capsys):
    """The real command, from the plan to the page: the notebook finds its measures done."""
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_CACHE", str(tmp_path / "the cache"))
    out = tmp_path / "the reports"
    typed = [
        ("NETS", '["miniature_resnet_128.standard_s1", "miniature_resnet.standard_s1"]'),
        ("TASKS", "[digits]"),
        ("IMAGES", "120"),
    ]
    words = ["run", "--preset", "smoke", "--only", "06_layers", "--out", str(out)]
    words += [word for name, value in typed for word in ("-p", name, value)]
    assert main([*words, "--emit", "sbatch", "--jobs", "1"]) == 0
    done = run_script(capsys.readouterr().out, tmp_path, **slurm(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [one["status"] for one in of_slurm(tmp_path)] == [0] * 4, done.stderr
    assert "[2/2] measure/06_layers/miniature_resnet.standard_s1/digits" in done.stderr
    assert (out / "index.html").exists() and list(out.glob("*/06_layers.html"))


def test_paths_that_snakemake_cannot_hold_are_refused(tmp_path):
    with pytest.raises(dr.InputError, match=r"without \{ and \}"):
        emitted("snakemake", ["run"], UNITS, COST, tmp_path / "{a}")
