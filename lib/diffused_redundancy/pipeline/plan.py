"""What there is to run: notebooks with their values, made from a preset and what was typed, and
checked before any work; and how each went.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import parameters, presets
from ..errors import unknown
from ..nets.names import expanded
from ..nets.networks import PENULTIMATE, STAGES
from ..store import sha256_of
from ..texts.extra import check_encoder


@dataclass(frozen=True)
class Job:
    """One notebook to run: its name, the values that are not its defaults, the folder of the
    report, and what was typed for the whole run.
    """

    notebook: str
    values: dict[str, Any]
    folder: Path
    preset: str
    typed: dict[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, Any]:
        """All its parameters, defaults included."""
        return {
            name: one.default for name, one in parameters.declared(self.notebook).items()
        } | self.values


@dataclass(frozen=True)
class Outcome:
    """How one notebook went.

    Attributes
    ----------
    notebook : str
    title : str
    ok : bool
    seconds : float
    memory : float
        Peak memory of the kernel, in GiB.
    error : str
        One line; empty if all went well.
    ended : str
        When, in UTC by ISO 8601.
    """

    notebook: str
    title: str
    ok: bool
    seconds: float
    memory: float
    error: str = ""
    ended: str = ""


def plan(
    preset: str,
    only: Sequence[str],
    overrides: Sequence[tuple[str, str]],
    out: Path,
    folder: Path | None = None,
) -> list[Job]:
    """What to run, with every name and value checked before any work.

    Parameters
    ----------
    preset : str
    only : sequence of str
        Notebooks to run; all if empty.
    overrides : sequence of (name, text)
        Values typed, for every chosen notebook that has the parameter; one of them has to.
    out : path
        The folder of all reports.
    folder : path, optional
        Where a preset reads files of the user's, such as ``real``.
    """
    chosen = presets.preset(preset)
    notebooks = list(only) or list(chosen.notebooks)
    declared = {name: parameters.declared(name) for name in notebooks}
    if not presets.WITH_AN_EXTRA.isdisjoint(notebooks):
        check_encoder()
    known = {key for of_notebook in declared.values() for key in of_notebook}
    for key, _ in overrides:
        if key not in known:
            raise unknown(f"parameter of {' or '.join(notebooks)}", key, sorted(known))
    typed = {key: parameters.parse(key, text) for key, text in overrides}
    reports = out / folder_name(chosen.name, typed)
    jobs = []
    for name in notebooks:
        of_notebook = {key: value for key, value in typed.items() if key in declared[name]}
        given = presets.in_folder({**chosen.of(name), **of_notebook}, folder, chosen.name)
        values = {
            key: parameters.absolute(key, value)
            for key, value in parameters.checked_all(name, given).items()
        }
        changed = {
            key: value for key, value in values.items() if value != declared[name][key].default
        }
        jobs.append(Job(name, changed, reports, chosen.name, typed))
    return jobs


def folder_name(preset: str, typed: Mapping[str, Any]) -> str:
    """The folder of a run's reports: the preset's name, with a mark of what was typed, so that runs
    that differ do not mix.
    """
    if not typed:
        return preset
    return f"{preset}-custom-{sha256_of(json.dumps(sorted(typed.items()), sort_keys=True))[:6]}"


USUAL_STAGES = 5
"""Layers that ``stages`` stands for in most networks."""


def probes_logistic(values: Mapping[str, Any]) -> bool:
    """Whether a notebook with these parameters fits logistic probes at several sizes."""
    return "FRACTIONS" in values and values.get("PROBE", "logistic") == "logistic"


def rough_duration(job: Job) -> float:
    """About how long a job takes beside others, for the order they start in: seconds of one core
    with networks as small as the miniature's.
    """
    values = job.parameters
    pairs = len(expanded(values.get("NETS", []))) * len(values.get("TASKS", []))
    layers = sum(USUAL_STAGES if layer == STAGES else 1 for layer in parameters.layers(values))
    curves = len(values.get("SELECTIONS", [""])) * len(values.get("SEEDS", [0]))
    orders = 0.1 * values.get("ORDERS", 0) if "FRACTIONS" in values else 0  # of the ridge probe
    logistic = 8 + curves if probes_logistic(values) else 0
    return pairs * layers * (0.5 + 0.08 * curves + orders + logistic)


def check_layers(jobs: Sequence[Job]) -> None:
    """Raise InputError if a network has no layer of a name that some job asks for, or none that can
    be measured.
    """
    for job in jobs:
        values = job.parameters
        layers = parameters.layers(values)
        for layer in set(layers) - {PENULTIMATE, STAGES}:
            from ..nets.cost import shape_of  # brings torch: only where it is needed

            for name in expanded(values.get("NETS", [])):
                shape_of(name, layer)
