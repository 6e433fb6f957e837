"""Imports between the rooms go one way, and no room grows too large."""

from __future__ import annotations

import ast
import re

import pytest
from conftest import ROOT

PACKAGE = ROOT / "lib" / "diffused_redundancy"
COMMON = {"errors", "devices", "progress", "__version__"}
DIRECTION = (
    "store",
    "tasks",
    "nets",
    "zoo",
    "uncertainty",
    "measures",
    "probes",
    "experiment",
    "texts",
    "findings",
    "explanations",
    "paper",
    "report",
    "parameters",
    "presets",
    "session",
    "api",
    "pipeline",
    "cluster",
    "course",
    "commands",
)
"""Rooms and single modules, each of which may import what stands before it."""
ALSO = {"nets": {"measures.features"}, "tasks": {"measures.labels"}}
"""Modules of later rooms that a room may import all the same."""
ALONE = {
    "uncertainty": {"uncertainty"},
    "measures": {"uncertainty", "measures"},
    "probes": {"uncertainty", "measures", "probes"},
}
"""Rooms of mathematics, which know nothing of networks, tasks or files."""


def imported(path):
    """The modules of the package that a file imports, as their paths inside it."""
    here = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*here[: len(here) - node.level + 1], *(node.module or "").split("."))
            base = tuple(part for part in base if part)
            for alias in node.names:
                yield ".".join(base or (alias.name,))


@pytest.mark.parametrize("room", DIRECTION)
def test_imports_go_one_way(room):
    allowed = ALONE.get(room, set(DIRECTION[: DIRECTION.index(room) + 1])) | COMMON
    files = [*(PACKAGE / room).rglob("*.py"), *PACKAGE.glob(f"{room}.py")]
    assert files
    for path in files:
        for module in imported(path):
            assert module.split(".")[0] in allowed or module in ALSO.get(room, set()), (
                f"{path.relative_to(PACKAGE)} imports {module}"
            )


def test_every_room_has_its_place():
    rooms = {path.parent.name for path in PACKAGE.glob("*/*.py")}
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert rooms | modules | {"__version__"} == set(DIRECTION) | COMMON


def test_measure_knows_arrays_only():
    for path in (PACKAGE / "measures").glob("*.py"):
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
