"""docs/licences.md lists every package of the lock, with what its metadata says."""

from __future__ import annotations

import re
import sys

from conftest import ROOT

sys.path.insert(0, str(ROOT / "docs"))
import make_licences

TEXT = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
LISTED = dict(re.findall(r"^\| (\S+) \| (.+) \|$", TEXT, re.MULTILINE)[1:])


def test_every_package_is_listed():
    assert sorted(LISTED) == make_licences.names() and len(LISTED) > 200


def test_licences_are_those_of_the_metadata():
    assert {name: make_licences.licence(name) for name in LISTED} == LISTED


def test_what_is_not_free_or_copyleft_is_named():
    """Above the table, by name or as CUDA."""
    above = TEXT.partition("| package |")[0]
    kinds = {name for name, kind in LISTED.items() if "GPL" in kind or "Proprietary" in kind}
    others = {name for name in kinds if not name.startswith(("nvidia-", "cuda-"))}
    assert others == {"docutils", "enum-tools"} and all(f"`{name}`" in above for name in others)
    assert kinds - others and "proprietary" in above
