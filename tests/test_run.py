"""A whole run of a copy of the checkout that has one small notebook: reports, verdicts, the index,
the second run, and a failure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from conftest import ROOT, link
from hostile import NAME, hostile

pytestmark = pytest.mark.slow

NOTEBOOK = """# %% [markdown]
# # A small notebook

# %% tags=["parameters"]
NETS: list[str] = ["miniature_resnet_128.standard_s1"]  # Networks
TASKS: list[str] = ["digits"]  # Tasks
IMAGES: int = 200  # Images of each part
SEEDS: list[int] = [1, 2, 3]  # Seeds
DEVICE: str = "cpu"  # Device
COMPUTE: str = "float32"  # Precision

# %%
import diffused_redundancy as dr
import pandas as pd
from diffused_redundancy.findings.claims import Outcome, judge

study = dr.begin("01_small", globals())

# %%
curves = {task.title: layer.cka("random", SEEDS) for net, task, layer in study.layers()}
half = {title: float(curve.values[:, curve.d // 2 - 1].min()) for title, curve in curves.items()}
study.table(pd.DataFrame(half.items(), columns=["case", "least CKA at half"]), "half")

# %% [markdown]
# ## What the numbers say

# %%
alike, never = ([Outcome(t, v > n) for t, v in half.items()] for n in (0.9, 2))
study.verdict(2, judge(alike, f"Least of <{half}>."))
study.verdict(9, judge(never, "More than 2."))

# %%
study.show_provenance()
study.finish()
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the checkout with a small notebook in place of the others."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(
        ROOT / "lib", root / "lib", ignore=shutil.ignore_patterns("__pycache__", ".*cache")
    )
    link(root / "data", ROOT / "data")
    (root / "pyproject.toml").write_text("")
    (root / "notebooks" / "presets").mkdir(parents=True)
    (root / "notebooks" / "01_small.py").write_text(NOTEBOOK)
    (root / "notebooks" / "presets" / "miniature.yaml").write_text("description: A small run.\n")
    return root


def run(
    checkout: Path, *words: str, around: Mapping[str, str] = os.environ, cwd: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    environment = {
        **around,
        "PYTHONPATH": str(checkout / "lib"),
        "DIFFUSED_REDUNDANCY_CACHE": str(checkout / "cache"),
    }
    return subprocess.run(
        [sys.executable, "-m", "diffused_redundancy", "run", *words],
        env=environment,
        capture_output=True,
        text=True,
        cwd=cwd,
    )


def verdicts(folder: Path) -> list[tuple[str, str]]:
    results = json.loads((folder / "results" / "01_small.json").read_text())
    return [(verdict["verdict"], verdict["because"]) for verdict in results["verdicts"]]


def test_a_run_writes_reports_and_the_next_has_nothing_to_do(checkout):
    first = run(checkout)
    assert first.returncode == 0, first.stderr
    lines = first.stderr.splitlines()
    assert lines[0] == "features of 1 pair of a network and a task: started"
    assert re.fullmatch(r"features: done in \d+ s", lines[1])
    assert re.fullmatch(r"01_small: done in \d+ s, [\d.]+ GiB", lines[3])
    reports = checkout / "reports"
    assert lines[-1] == f"Reports: {reports / 'index.html'}"
    (holds, _), (fails, because) = verdicts(reports / "miniature")
    assert (holds, fails, because) == ("holds", "does not hold", "More than 2.")
    index = (reports / "index.html").read_text()
    assert '<h2 id="reports">Reports</h2>' in index and "Preset miniature. A small run." in index
    assert 'verdict-holds">holds</span>' in index and "Least of &lt;{" in index
    assert 'href="miniature/01_small.html#verdict-1"' in index
    (made,) = json.loads((reports / "results.json").read_text())["presets"][0]["notebooks"]
    assert [one["kind"] for one in made["verdicts"]] == ["holds", "not"]
    assert made["command"] == "./run_all.sh --preset miniature --only 01_small"
    page = (reports / "miniature" / "01_small.html").read_text()
    assert 'id="verdict-1"' in page and "Network <code>" in page
    second = run(checkout).stderr
    assert second.startswith("01_small: up to date (--force runs it again)\nReports: ")
    (reports / "miniature" / "01_small.html").write_text("")
    assert "01_small: done" in run(checkout).stderr


@pytest.mark.parametrize(
    "name, value, because",
    [
        ("SEEDS", "[1, 2]", "A verdict needs at least 3 seeds"),
        ("IMAGES", "50", "A verdict needs at least 100 test images"),
    ],
)
def test_a_run_with_too_little_gives_no_verdict(checkout, name, value, because):
    done = run(checkout, "-p", name, value, "--out", str(checkout / name))
    assert done.returncode == 0, done.stderr
    (folder,) = (checkout / name).glob("miniature-custom-*")
    words, reasons = zip(*verdicts(folder), strict=True)
    assert words == ("undecided", "undecided")
    assert reasons[0].startswith(because) and "The numbers so far say: holds." in reasons[0]
    assert f"With {name} = {value}." in (checkout / name / "index.html").read_text()


def test_a_failed_run_exits_with_one(checkout):
    images = checkout / "broken.npz"
    images.write_bytes(b"no images")
    tasks = json.dumps([f"npz:{images}"])
    done = run(checkout, "-p", "TASKS", tasks, "--out", str(checkout / "failed"))
    assert done.returncode == 1 and "01_small: FAILED after" in done.stderr, done.stderr
    assert "failed: " in (checkout / "failed" / "index.html").read_text()


def test_a_run_is_the_same_in_any_surroundings(checkout, tmp_path):
    """Its modules, kernels, settings and locale are its own, and so is the folder it writes."""
    around = hostile(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    done = run(checkout, "--out", NAME, around=around, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} - before == {NAME}
    assert (tmp_path / NAME / "miniature" / "01_small.html").is_file()
    assert "up to date" in run(checkout, "--out", NAME, around=around, cwd=tmp_path).stderr
