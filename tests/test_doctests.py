"""The examples of docstrings run, and every exported measure and probe has some."""

from __future__ import annotations

import doctest
import importlib
import inspect
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import diffused_redundancy as dr
import pytest

HOMES = (
    "diffused_redundancy.uncertainty",
    "diffused_redundancy.measures",
    "diffused_redundancy.probes",
)


def modules_with_examples() -> list[str]:
    """By their text: a module that cannot be imported fails its test, not the collection."""
    names = [dr.__name__, *(one.name for one in walk_packages(dr.__path__, f"{dr.__name__}."))]
    specs = [find_spec(name) for name in names]
    return [one.name for one in specs if ">>> " in Path(one.origin).read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_give_what_they_say(name):
    outcome = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert outcome.attempted and not outcome.failed


def exported() -> Iterator[Any]:
    """Functions and classes of measures and probes that are exported at the top, by themselves or
    in a module.
    """
    for value in (getattr(dr, name) for name in dr.__all__):
        module = inspect.isfunction(value) or inspect.isclass(value)
        home = value.__module__ if module else getattr(value, "__name__", "")
        if not home.startswith(HOMES):
            continue
        for name, member in [("", value)] if module else vars(value).items():
            defined = getattr(member, "__module__", "") == home and callable(member)
            if defined and not name.startswith("_"):
                yield member


@pytest.mark.parametrize("member", exported(), ids=lambda member: member.__name__)
def test_what_is_exported_has_examples(member):
    assert "Examples\n" in member.__doc__
