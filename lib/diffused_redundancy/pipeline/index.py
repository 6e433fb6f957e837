"""``reports/index.html``: every report, what became of the paper's claims, and on what machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import presets
from ..findings.claims import CLAIMS
from ..report.html import markdown, page, rendered
from ..store import paths, write_text

SOURCES = {"P": "said in the paper", "S": "said in a summary of the paper", "C": "our question"}

ORDER = {"miniature": 0, "smoke": 9}
"""Places of presets in the index; the others stand between."""


@dataclass(frozen=True)
class PresetReports:
    """The reports of one folder, as the index shows them.

    Attributes
    ----------
    name, about : str
    reports : list of dict
        The outcome of each notebook.
    verdicts : dict
        By the number of the claim.
    machine : str
        What made them.
    """

    name: str
    about: str
    reports: list[dict[str, Any]]
    verdicts: dict[int, list[dict[str, Any]]]
    machine: str


def _load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _about(folder: Path) -> str:
    """What a run is: the description of its preset, or what was typed besides."""
    if folder.name in presets.presets():
        return presets.preset(folder.name).description
    typed = _load(folder / "run.json").get("typed", {})
    values = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in typed.items()]
    return f"With {', '.join(values)}." if values else "A custom preset."


def _preset_reports(folder: Path) -> PresetReports:
    """The notebooks of one preset that have run, with their outcomes and results."""
    reports = [_load(path) for path in sorted((folder / "results").glob("*.outcome.json"))]
    results = [
        _load(folder / "results" / f"{report['notebook']}.json")
        for report in reports
        if report["ok"]
    ]
    verdicts: dict[int, list[dict[str, Any]]] = {}
    for verdict in (verdict for result in results for verdict in result.get("verdicts", [])):
        verdicts.setdefault(verdict["claim"], []).append(verdict)
    provenances = [result["provenance"] for result in results if result.get("provenance")]
    machine = "; ".join(
        f"{name} {value}" for made in provenances[:1] for name, value in made.items()
    )
    return PresetReports(
        folder.name, _about(folder), reports, dict(sorted(verdicts.items())), machine
    )


def kept_real() -> dict[str, str] | None:
    """The figure of logistic probes on real networks, as kept executed: the PNG in base64, what it
    shows, and the sentence below it. None where it is not kept.
    """
    path = paths.notebooks() / presets.KEPT["real"] / "02_probes.ipynb"
    if not path.is_file():
        return None
    outputs = [output for cell in _load(path)["cells"] for output in cell.get("outputs", [])]
    for place, output in enumerate(outputs[:-1]):
        alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
        if alt.startswith("Test accuracy of logistic probes"):
            said = "".join(outputs[place + 1]["data"]["text/markdown"])
            return {
                "png": "".join(output["data"]["image/png"]).replace("\n", ""),
                "alt": alt,
                "said": markdown(said),
            }
    return None


def write_index(out: Path) -> Path:
    """Write the index of all reports under a folder."""
    folders = sorted(
        (path.parent for path in out.glob("*/results")),
        key=lambda folder: (ORDER.get(folder.name, 5), folder.name),
    )
    body = rendered(
        "index.html.j2",
        presets=[preset for preset in map(_preset_reports, folders) if preset.reports],
        claims=CLAIMS,
        sources=SOURCES,
        real=kept_real(),
    )
    path = out / "index.html"
    write_text(
        path,
        page("Diffused redundancy: reports", body, contents=False, footer="Made by run_all.sh."),
    )
    return path
