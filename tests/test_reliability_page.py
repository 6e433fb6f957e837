"""docs/reliability.md: every promise names tests that exist, and every test of faults is named."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT

NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
ROWS = [row for row in re.findall(r"^\|.*\|$", PAGE, re.M) if not row.startswith(("| fault", "|:"))]


def defined_in(name: str) -> set[str]:
    """The tests that a file defines."""
    path = ROOT / "tests" / name
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return {*re.findall(r"^def (test_\w+)", text, re.M)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_every_promise_names_tests_that_exist(row):
    fault, promise, tests = (cell.strip() for cell in row.strip("|").split("|"))
    named = NAMED.findall(tests)
    assert fault and promise and named
    for file, test in named:
        assert test in defined_in(file), f"{file} has no {test}"


@pytest.mark.parametrize("file", ["stopped", "disk", "surroundings"])
def test_every_test_of_faults_is_named(file):
    name = f"test_faults_{file}.py"
    controls = {"test_the_guard_sees_what_leaves_this_machine"}
    assert defined_in(name) - controls == {test for at, test in NAMED.findall(PAGE) if at == name}
