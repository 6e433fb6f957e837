"""What several tests share: features that look like a layer's, a cache of their own, the CPU for
all but those of GPUs, the real network and images.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from webserver import BODY, Server

ROOT = Path(__file__).resolve().parents[1]
collect_ignore = ["test_setup.py"] if os.name == "nt" else []  # it is of scripts for bash
REAL = Path(os.environ.get("DIFFUSED_REDUNDANCY_REAL", ROOT.parent / "shared" / "real"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """The device "auto" is the CPU in a test, its fixtures and its processes, unless it is marked
    ``gpu``; and what students run finds the package beside it, as on their machines.
    """
    with pytest.MonkeyPatch.context() as patch:
        if item.path.name.startswith("test_course"):
            patch.delenv("PYTHONSAFEPATH", raising=False)  # tests/run.sh sets it
        if item.get_closest_marker("gpu") is None:
            for backend in (torch.cuda, torch.backends.mps):
                # torch._dynamo, when it is imported, wants what torch has here: a cached function
                patch.setattr(backend, "is_available", cache(lambda: False))
            patch.setenv("CUDA_VISIBLE_DEVICES", "")
        return (yield)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's cache; all of them share one."""
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def make_layer(
    n: int = 400, d: int = 60, classes: int = 5, seed: int = 0, dtype: str = "float64"
) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d) of low rank plus noise, rectified, with class means; and labels (n,)."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    y[:classes] = np.arange(classes)
    hidden = rng.standard_normal((n, 12)) + 1.5 * rng.standard_normal((classes, 12))[y]
    X = hidden @ rng.standard_normal((12, d)) + rng.standard_normal((n, d)) + 1
    return np.maximum(X, 0).astype(dtype), y


def link(path: Path, target: Path | str) -> None:
    """Make a link; the test is skipped where one may not (Windows without its developer mode)."""
    try:
        path.symlink_to(target)
    except OSError as error:
        pytest.skip(f"no links here: {error}")


def features_of(parts: tuple[np.ndarray, ...], **kind: object) -> dr.Features:
    """Features of (X, y, X_test, y_test)."""
    X, y, X_test, y_test = parts
    return dr.Features(X, y, X_test, y_test, **kind)


@pytest.fixture
def layer() -> tuple[np.ndarray, np.ndarray]:
    return make_layer()


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of the real net and images."""
    if not (REAL / "resnet18_imagenet1k.safetensors").is_file():
        pytest.skip(
            f"no real net at {REAL}: set DIFFUSED_REDUNDANCY_REAL to a folder that holds it"
        )
    return REAL


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory):
    """A small run, prepared once: see ``small_run.py``."""
    from small_run import SmallRun

    return SmallRun(tmp_path_factory.mktemp("small"))


@pytest.fixture
def server():
    """A local server that has one file."""
    made = Server()
    made.bodies["/file"] = BODY
    yield made
    made.stop()
