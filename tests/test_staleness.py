"""Whether a report is up to date: only if nothing it depends on, and nothing of it, has changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from diffused_redundancy.pipeline import runner, staleness
from diffused_redundancy.pipeline.plan import Job, Outcome


def digest_of_a_new_run(job):
    """The digest of a job's inputs as a run that begins now finds them."""
    staleness.code_and_packages.cache_clear()
    return staleness.digest_of_inputs(job)


@pytest.fixture
def job(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "images.npz",
        X_train=rng.integers(0, 255, (8, 4, 4), dtype=np.uint8),
        y_train=np.arange(8) % 2,
    )
    return Job(
        "01_cka",
        {"TASKS": ["digits", f"npz:{tmp_path / 'images.npz'}"], "SEEDS": [1]},
        tmp_path / "smoke",
        "smoke",
    )


@pytest.fixture
def made(job):
    """A report as a run leaves it, recorded."""
    for name in (
        "01_cka.html",
        "01_cka.ipynb",
        "results/01_cka.json",
        "figures/01_cka-curves.png",
        "tables/01_cka-curves.csv",
    ):
        (job.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (job.folder / name).write_text("{}" if name.endswith(".json") else name)
    outcome = Outcome("01_cka", "A title", True, 1.5, 0.5)
    (job.folder / "results" / "01_cka.outcome.json").write_text(json.dumps(outcome.__dict__))
    staleness.record_report(job, digest_of_a_new_run(job))
    return outcome


def test_an_untouched_report_is_up_to_date(job, made):
    assert staleness.up_to_date_outcome(job, digest_of_a_new_run(job)) == made


def test_what_a_report_depends_on(job, tmp_path, monkeypatch):
    before = digest_of_a_new_run(job)
    assert digest_of_a_new_run(job) == before
    other = Job(job.notebook, {**job.values, "SEEDS": [2]}, job.folder, job.preset)
    assert digest_of_a_new_run(other) != before
    images = tmp_path / "images.npz"
    about = images.stat()
    os.utime(images, ns=(about.st_atime_ns, about.st_mtime_ns + 1000))
    touched = digest_of_a_new_run(job)
    assert touched != before
    monkeypatch.setattr(staleness.metadata, "distributions", lambda: [])
    assert digest_of_a_new_run(job) != touched


def test_code_and_weights_count(job, tmp_path, monkeypatch):
    (tmp_path / "package" / "pipeline").mkdir(parents=True)
    code = tmp_path / "package" / "pipeline" / "one.py"
    code.write_text("a = 1")
    monkeypatch.setattr(staleness, "__file__", str(code))
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"one")
    own = Job(
        "01_cka",
        {"NETS": [f"resnet18.tv_in1k@{weights}"], "TASKS": ["digits"]},
        job.folder,
        job.preset,
    )
    before = digest_of_a_new_run(own)
    code.write_text("a = 2")
    changed = digest_of_a_new_run(own)
    assert changed != before
    weights.write_bytes(b"longer")
    assert digest_of_a_new_run(own) != changed


def test_networks_that_were_trained_on_a_task_count(job, monkeypatch):
    before = digest_of_a_new_run(job)
    original = staleness.weights_stamp
    monkeypatch.setattr(
        staleness,
        "weights_stamp",
        lambda net: "other" if "from_scratch_digits" in net else original(net),
    )
    assert digest_of_a_new_run(job) != before


@pytest.mark.parametrize(
    "name",
    ["01_cka.html", "figures/01_cka-curves.png", "results/01_cka.json", "results/01_cka.made.json"],
)
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_report_that_was_touched_is_not(job, made, name, how):
    if how == "gone":
        (job.folder / name).unlink()
    else:
        (job.folder / name).write_text("other")
    assert staleness.up_to_date_outcome(job, digest_of_a_new_run(job)) is None


def test_a_run_leaves_alone_what_is_up_to_date(job, made, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        runner.subprocess, "Popen", lambda *_, **__: pytest.fail("a notebook was started")
    )
    assert runner.run([job], out=tmp_path) == [made]
    assert "01_cka: up to date" in capsys.readouterr().err and (tmp_path / "index.html").exists()


def test_looking_at_a_data_set_does_not_make_reports_stale(tmp_path, monkeypatch):
    """Opening a data set touches its lock."""
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_ASSETS", str(tmp_path))
    folder = tmp_path / "datasets" / "cifar10"
    folder.mkdir(parents=True)
    (folder / "archive").write_bytes(b"1")
    own = Job("01_cka", {"TASKS": ["cifar10"]}, tmp_path / "smoke", "smoke")
    before = digest_of_a_new_run(own)
    (folder / ".unpacking.lock").touch()
    assert digest_of_a_new_run(own) == before
    (folder / "archive").write_bytes(b"22")
    assert digest_of_a_new_run(own) != before


def test_a_run_that_has_nothing_to_do_imports_no_torch():
    code = "import sys, diffused_redundancy.pipeline.runner; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
