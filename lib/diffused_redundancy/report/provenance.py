"""What made a page, in words: parameters, networks, tasks, machine and versions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ..nets.networks import Net
from ..nets.protocols import Protocol
from ..store.paths import without_home
from ..tasks import Task
from .display import markdown_table

MANY = 5
"""More networks than this are listed by name only; their notebook has a table of them."""

NUMBERED = re.compile(r"_s(\d+)$")
"""The seed at the end of a network's name."""


def describe_parameters(parameters: Mapping[str, Any], helps: Mapping[str, str]) -> str:
    """The parameters in force and what they are for, as a Markdown table."""
    rows = [
        (f"`{name}`", f"`{json.dumps(value, ensure_ascii=False)}`", helps.get(name, ""))
        for name, value in parameters.items()
    ]
    return markdown_table(pd.DataFrame(rows, columns=["parameter", "value", "what it is"]))


def describe_inputs(
    nets: Sequence[Net], tasks: Sequence[Task], protocol: Protocol, compute: str
) -> list[str]:
    """Networks, tasks and how features were extracted, with sources and licences."""
    if len(nets) > MANY:
        names = ", ".join(in_runs([net.name for net in nets]))
        kinds = dict.fromkeys(f"{net.preprocessing}; licence: {net.license}" for net in nets)
        sentences = [f"{len(nets)} networks: {names}. {'; or '.join(kinds)}."]
    else:
        sentences = [
            f"Network `{net.name}`: {net.d} neurons; {net.preprocessing}; {net.source}; "
            f"licence: {net.license}."
            for net in nets
        ]
    sentences += [
        f"Task `{task.name}`: {len(task.classes)} classes; {task.source}; licence: {task.license}."
        for task in tasks
    ]
    if nets:
        sentences.append(f"Protocol {protocol}. Features computed in {compute}.")
    return [without_home(sentence) for sentence in sentences]


def in_runs(names: Sequence[str]) -> list[str]:
    """Names as code; of those that follow one another and differ in the seed, the first and last.

    >>> in_runs(["a.b_s1", "a.b_s2", "a.b_s3", "a.c_s1", "d"])
    ['`a.b_s1` to `_s3`', '`a.c_s1`', '`d`']
    """
    found: list[list[str]] = []
    for name in names:
        seed = NUMBERED.search(name)
        before = seed and f"{name[: seed.start()]}_s{int(seed[1]) - 1}"
        if found and found[-1][-1] == before:
            found[-1].append(name)
        else:
            found.append([name])
    return [
        f"`{some[0]}`" if len(some) == 1 else f"`{some[0]}` to `_s{NUMBERED.split(some[-1])[1]}`"
        for some in found
    ]


def describe_machine(provenance: Mapping[str, str]) -> str:
    """What :func:`..store.provenance` says, in one sentence."""
    return f"Made by {'; '.join(f'{name} {value}' for name, value in provenance.items())}."
