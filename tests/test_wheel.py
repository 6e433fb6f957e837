"""The package without its checkout: a wheel, which has no notebooks, measures all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel) -> Path:
    """A folder of packages with the wheel's alone; the others are those of this Python."""
    target = wheel.parent / "site"
    words = ["pip", "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    subprocess.run([sys.executable, "-m", "uv", *words], check=True, capture_output=True)
    return target


def run(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_wheel_is_small_and_holds_the_package_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0].partition("-")[0] for name in archive.namelist()}
        assert tops == {"diffused_redundancy"}
        assert not any(name.endswith((".ipynb", ".pyc")) for name in archive.namelist())
        assert "diffused_redundancy/__init__.pyi" in archive.namelist()
    assert wheel.stat().st_size < 2e6


def test_it_measures(site, tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=300)
    X = (rng.standard_normal((300, 8)) + 2 * np.eye(8)[y]) @ rng.standard_normal((8, 40))
    np.savez(tmp_path / "mine.npz", X_train=X.astype("f4"), y_train=y)
    done = run(site, tmp_path, "-m", "diffused_redundancy", "measure", "mine.npz", "--out", "out")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["d"] == 40 and summary["provenance"]["commit"] == "not a git checkout"
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
    code = "import diffused_redundancy as dr; print(dr.__file__); print(dr.task('digits').title)"
    shown = run(site, tmp_path, "-c", code)
    assert shown.stdout.splitlines() == [
        str(site / "diffused_redundancy" / "__init__.py"),
        "Handwritten digits",
    ]


@pytest.mark.parametrize("words", [["run"], ["course", "--out", "c"], ["assets", "ls"]])
def test_what_needs_the_checkout_says_so(site, tmp_path, words):
    done = run(site, tmp_path, "-m", "diffused_redundancy", *words)
    assert done.returncode == 2
    assert "is not a checkout of the artifact: clone it" in done.stderr
    assert "Traceback" not in done.stderr
