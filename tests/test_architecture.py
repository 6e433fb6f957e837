"""The line between the rooms holds, and the code passes the linter and the type checker."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest
from conftest import ROOT

PACKAGE = ROOT / "lib" / "diffused_redundancy"
COMMON = {"errors", "devices", "progress", "_lazy", ""}
DIRECTION = (
    "store",
    "tasks",
    "nets",
    "measure",
    "probes",
    "experiment",
    "findings",
    "report",
    "parameters",
    "presets",
    "session",
    "pipeline",
    "commands",
)
"""Rooms and single modules, each of which may import what stands before it."""
MAY_IMPORT = {room: set(DIRECTION[: place + 1]) for place, room in enumerate(DIRECTION)} | {
    "measure": {"measure"},
    "probes": {"measure", "probes"},
}


def imported_rooms(path):
    depth = len(path.relative_to(PACKAGE).parts) - 1
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            room = (
                path.relative_to(PACKAGE).parts[0]
                if node.level <= depth
                else (node.module or "").split(".")[0]
            )
            yield room


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_go_one_way(room):
    for path in (PACKAGE / room).glob("*.py"):
        for other in imported_rooms(path):
            assert other in MAY_IMPORT[room] | COMMON, f"{path.name} of {room} imports {other}"


def test_measure_knows_arrays_only():
    for path in (PACKAGE / "measure").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"\bnn\.Module\b|matplotlib|\bopen\(|pathlib|torchvision|timm", text
        ), path.name


def test_no_room_holds_more_than_a_fifth_of_the_code():
    lines = {
        room.name: sum(
            len(path.read_text(encoding="utf-8").splitlines()) for path in room.rglob("*.py")
        )
        for room in PACKAGE.iterdir()
        if room.is_dir()
    }
    whole = sum(
        len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")
    )
    assert max(lines.values()) <= whole / 5, lines


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "lib", "tests", "benchmarks", "notebooks"],
        ["ruff", "format", "--check", "."],
        ["mypy"],
    ],
    ids=" ".join,
)
def test_code_is_clean(command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


def test_importing_the_package_is_light():
    code = (
        "import sys, diffused_redundancy as dr; sys.exit('torch' in sys.modules or 'numpy' "
        "in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_every_public_name_can_be_imported():
    import diffused_redundancy as dr

    for name in dr.__all__:
        assert getattr(dr, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        dr.nonsense  # noqa: B018
