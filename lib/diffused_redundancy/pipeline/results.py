"""``reports/results.json``: every verdict, estimate and command of all reports, for other programs.

``data/results.schema.json`` says what it holds.
"""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import Any

from .. import parameters, presets
from ..findings.claims import CLAIMS
from ..store import write_json
from ..tasks.datasets import DATASETS

SCHEMA_VERSION = "1.0"

SOURCES = {
    "P": "paper",
    "S": "summary of the paper",
    "PS": "paper, and a summary of it",
    "C": "our question",
}


def write_results(out: Path) -> Path:
    """Write the results of all reports under a folder."""
    folders = sorted(path.parent for path in out.glob("*/results"))
    path = out / "results.json"
    write_json(
        path,
        {
            "schema_version": SCHEMA_VERSION,
            "presets": [one for one in map(_of_folder, folders) if one["notebooks"]],
        },
    )
    return path


def load(path: Path) -> dict[str, Any]:
    """A JSON file, or nothing where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _of_folder(folder: Path) -> dict[str, Any]:
    """The notebooks of one folder of reports."""
    run = load(folder / "run.json")
    preset, typed = run.get("preset", folder.name), run.get("typed", {})
    outcomes = [load(path) for path in sorted((folder / "results").glob("*.outcome.json"))]
    known = parameters.available()  # a report of an earlier version may be of another notebook
    return {
        "folder": folder.name,
        "preset": preset,
        "typed": typed,
        "notebooks": [
            _of_notebook(folder, preset, typed, one) for one in outcomes if one["notebook"] in known
        ],
    }


def _of_notebook(
    folder: Path, preset: str, typed: dict[str, Any], outcome: dict[str, Any]
) -> dict[str, Any]:
    """What is known of one notebook; of one that failed, no more than how."""
    name = outcome["notebook"]
    kept = load(folder / "results" / f"{name}.json") if outcome["ok"] else {}
    intervals = kept.get("intervals", {})
    return {
        "notebook": name,
        "title": outcome["title"],
        "ok": outcome["ok"],
        "error": outcome["error"],
        "command": command(name, preset, typed, kept.get("parameters", {})),
        "ended": outcome.get("ended") or None,
        "seconds": outcome["seconds"],
        "peak_memory_gib": outcome["memory"],
        "page": f"{folder.name}/{name}.html",
        "executed": f"{folder.name}/{name}.ipynb",
        "parameters": kept.get("parameters", {}),
        "provenance": kept.get("provenance", {}),
        "answer": kept.get("answer") or None,
        "verdicts": [_verdict(one) for one in kept.get("verdicts", [])],
        "estimates": [
            {"name": key, **_estimate(value, *intervals.get(key, (None, None)))}
            for key, value in kept.get("results", {}).items()
        ],
    }


def _verdict(kept: dict[str, Any]) -> dict[str, Any]:
    claim = CLAIMS[kept["claim"]]
    return {
        "claim": kept["claim"],
        "text": claim.text,
        "source": SOURCES[kept.get("source", claim.source)],
        **{key: kept[key] for key in ("part", "analogue", "verdict", "kind", "because")},
    }


def _estimate(value: float, low: float | None, high: float | None) -> dict[str, Any]:
    """A number with the ends of its 95% interval; null where there is none."""
    known = {"value": value, "low": low, "high": high}
    return {key: None if one is None or math.isnan(one) else one for key, one in known.items()}


def command(
    notebook: str, preset: str, typed: dict[str, Any], values: dict[str, Any] | None = None
) -> str:
    """The command that makes a report again.

    Parameters
    ----------
    notebook, preset : str
    typed : dict
        What was typed besides, for the whole run.
    values : dict, optional
        All parameters of the notebook as they were, where they are known: needed of a preset in a
        file of the user's, and to name the folder of ``--assets``.

    Examples
    --------
    >>> command("01_cka", "miniature", {"SEEDS": [1, 2], "PROBE": "ridge"})
    "./run_all.sh --preset miniature --only 01_cka -p SEEDS '[1, 2]'"
    """
    values, declared = values or {}, parameters.declared(notebook)
    named = preset in presets.presets()
    if not named:
        typed = {name: one for name, one in values.items() if one != declared[name].default}
    words = ["./run_all.sh", *(["--preset", preset] if named else []), "--only", notebook]
    given = presets.preset(preset).of(notebook) if named else {}
    in_folder = [name for name, one in given.items() if presets.needs_folder(one)]
    if in_folder:
        words += ["--assets", _folder_of(given[in_folder[0]], values.get(in_folder[0], []))]
    if not DATASETS.keys().isdisjoint({**given, **values}.get("TASKS", [])):
        words.append("--fetch")
    for name, value in typed.items():
        if name in declared:  # paths as typed are of the folder it was typed in
            one = values.get(name, value)
            words += ["-p", name, one if isinstance(one, str) else json.dumps(one)]
    return shlex.join(words)


def _folder_of(given: list[str], values: list[str]) -> str:
    """What stands for ``{assets}`` in the entries of a preset, from their values in a run."""
    for entry, value in zip(given, values, strict=False):
        before, mark, after = entry.partition(presets.ASSETS)
        if mark and value.startswith(before) and value.endswith(after):
            return value[len(before) : len(value) - len(after)]
    return "FOLDER"
