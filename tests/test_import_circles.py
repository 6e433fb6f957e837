"""No module of the library imports, while it is imported itself, one that imports it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from conftest import ROOT

LIBRARY = ROOT / "lib"


def module_name(path: Path) -> str:
    parts = path.relative_to(LIBRARY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def at_import(nodes: list[ast.stmt]) -> Iterator[ast.ImportFrom]:
    """The imports among statements that run when a module is imported: neither in functions nor for
    type checkers.
    """
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from at_import(node.orelse)
        elif isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef):
            yield from at_import(node.body)
            yield from at_import(getattr(node, "orelse", []))


def imported(path: Path, modules: set[str]) -> set[str]:
    """The modules of the library that a module imports when it is imported."""
    package = module_name(path).split(".")
    if path.stem != "__init__":
        package = package[:-1]
    found = set()
    for node in at_import(ast.parse(path.read_text(encoding="utf-8")).body):
        base = package[: len(package) - node.level + 1] if node.level else []
        origin = ".".join([*base, *(node.module.split(".") if node.module else [])])
        names = {f"{origin}.{alias.name}" for alias in node.names}
        found |= names & modules  # from package import module
        if not names <= modules:
            found |= {origin} & modules
    return found - {module_name(path)}


def graph(folder: Path) -> dict[str, set[str]]:
    paths = sorted(folder.rglob("*.py"))
    modules = {module_name(path) for path in paths}
    return {module_name(path): imported(path, modules) for path in paths}


def test_no_circle_of_imports():
    imports = graph(LIBRARY / "diffused_redundancy")
    assert "diffused_redundancy.pipeline.plan" in imports["diffused_redundancy.pipeline.estimate"]
    assert sum(map(len, imports.values())) > 200
    TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle


def test_a_circle_is_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "LIBRARY", tmp_path)
    for name, text in (
        ("__init__", ""),
        ("a", "from . import b"),
        ("b", "from .c import x"),
        ("c", "x = 1\nif x:\n    from .a import y"),
        ("d", "def late():\n    from .e import z"),
        ("e", "from .d import late"),
    ):
        (tmp_path / "package").mkdir(exist_ok=True)
        (tmp_path / "package" / f"{name}.py").write_text(text)
    with pytest.raises(CycleError) as caught:
        TopologicalSorter(graph(tmp_path / "package")).prepare()
    assert set(caught.value.args[1]) == {f"package.{name}" for name in "abc"}
