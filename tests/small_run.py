"""A small run to do harm to: one notebook in a copy of the checkout, and what it should give."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from conftest import ROOT, link
from test_run import NOTEBOOK

TABLE = "miniature/tables/01_small-half.csv"


class SmallRun:
    """A checkout with one small notebook, the cache and the reports of an undisturbed run of it,
    and how long that took.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.cache, self.out = root, root / "cache", root / "reports"
        copy_checkout(root)
        began = time.monotonic()
        done = self.run(self.out)
        assert done.returncode == 0, done.stderr
        self.seconds = time.monotonic() - began
        self.numbers = numbers(self.out)

    def start(
        self,
        out: Path,
        *words: str,
        cache: Path | None = None,
        around: Mapping[str, str] = os.environ,
        before: Sequence[str] = (),
        **more: object,
    ) -> subprocess.Popen[str]:
        """Start a run, behind the words of a command that changes its surroundings."""
        own = {
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(self.root / "lib"), around.get("PYTHONPATH")])
            ),
            "DIFFUSED_REDUNDANCY_CACHE": str(cache or self.cache),
            "CUDA_VISIBLE_DEVICES": "",
        }
        command = [*before, sys.executable, "-m", "diffused_redundancy", "run", "--out", str(out)]
        return subprocess.Popen(
            [*command, *words],
            env={**around, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd="/",
            **more,
        )

    def run(self, out: Path, *words: str, **more: object) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        process = self.start(out, *words, **more)
        said, complained = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, said, complained)

    def assert_whole(self, out: Path, *folders: Path) -> None:
        """The reports are those of an undisturbed run, and nothing temporary is left anywhere."""
        assert numbers(out) == self.numbers
        assert not leftovers(out, self.cache, *folders)


def copy_checkout(root: Path) -> None:
    """Make a checkout that has the small notebook only."""
    leave = shutil.ignore_patterns("__pycache__", ".*cache")
    shutil.copytree(ROOT / "lib", root / "lib", ignore=leave)
    shutil.copy(ROOT / "run_all.sh", root)
    link(root / "data", ROOT / "data")
    (root / "pyproject.toml").write_text("")
    (root / "notebooks" / "presets").mkdir(parents=True)
    (root / "notebooks" / "01_small.py").write_text(NOTEBOOK)
    (root / "notebooks" / "presets" / "miniature.yaml").write_text("description: A small run.\n")


def numbers(out: Path) -> tuple[str, list[dict[str, object]]]:
    """The table and the verdicts of some reports."""
    results = json.loads((out / "miniature" / "results" / "01_small.json").read_text())
    return (out / TABLE).read_text(), results["verdicts"]


def leftovers(*folders: Path) -> list[Path]:
    """Temporary files and folders."""
    every = [path for folder in folders for path in folder.rglob(".*")]
    return [path for path in every if not path.name.endswith(".lock")]


def eventually(check: Callable[[], object], seconds: float = 120) -> object:
    """What a check gives as soon as that is something."""
    until = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.1)
    return found


def processes_of(out: Path) -> list[psutil.Process]:
    """Living processes whose command names a folder of reports: notebooks, kernels, runs."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = " ".join(process.info["cmdline"] or ())
        if str(out) in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def kernel_of(out: Path) -> psutil.Process | None:
    """The kernel of a run, once there is one."""
    kernels = [one for one in processes_of(out) if "ipykernel_launcher" in one.info["cmdline"]]
    return kernels[0] if kernels else None


def kill_tree(process: subprocess.Popen[str]) -> None:
    """kill -9 of a process and of all that it started."""
    tree = psutil.Process(process.pid)
    while True:
        some = [tree, *tree.children(recursive=True)]
        for one in some:
            with suppress(psutil.NoSuchProcess):
                one.suspend()  # none starts another meanwhile
        if len(some) == 1 + len(tree.children(recursive=True)):
            break
    for one in reversed(some):
        with suppress(psutil.NoSuchProcess):
            one.kill()


def as_root(reason: str) -> None:
    """Skip a test that needs to mount or to change users, with the reason."""
    if sys.platform != "linux" or os.geteuid():
        pytest.skip(f"only root on Linux can {reason}")


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """A file system of its own, in memory; its options can be changed by mounting it again."""
    as_root("mount a file system")
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join(["mode=777", *options]), "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no permission to mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
