"""``reports/index.html``: the answer and the figures that show it, what became of the paper's
claims, every report, and on what machine they were made.
"""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from .. import presets
from ..findings.claims import CLAIMS
from ..report.display import MARK
from ..report.html import markdown, page, rendered
from ..report.notebook_page import ICONS, lead_first, verdict_row
from ..store import paths, write_text

SOURCES = {"P": "said in the paper", "S": "said in a summary of the paper", "C": "our question"}

ORDER = {"miniature": 0, "smoke": 9}
"""Places of presets in the index; the others stand between."""

HEADLINE = "02_probes"
"""The notebook whose answer and figure the index begins with."""

THUMBNAIL = 300
"""Width of the small figures of the cards, in pixels."""

ALL_TO_SAY = {"holds": "holds", "not": "does not hold", "undecided": "undecided", "part": "in part"}
"""The verdict on a claim where those on all its parts are of one kind."""


@dataclass(frozen=True)
class PresetReports:
    """The reports of one folder, as the index shows them.

    Attributes
    ----------
    name, about : str
    reports : list of dict
        The outcome of each notebook, with its ``answer`` and the ``thumbnail`` of its figure.
    claims : list of dict
        What :func:`claim_row` makes of the verdicts on each claim.
    machine : str
        What made them.
    figure : str
        The PNG of the headline's figure in base64; empty without one.
    answer : str
        That of the headline.
    """

    name: str
    about: str
    reports: list[dict[str, Any]]
    claims: list[dict[str, Any]]
    machine: str
    figure: str
    answer: str


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
    results = {
        report["notebook"]: _load(folder / "results" / f"{report['notebook']}.json")
        for report in reports
        if report["ok"]
    }
    by_claim: dict[int, list[dict[str, Any]]] = {}
    for result in results.values():
        for place, verdict in enumerate(result.get("verdicts", []), 1):
            by_claim.setdefault(verdict["claim"], []).append({**verdict, "place": place})
    for report in reports:
        result = results.get(report["notebook"], {})
        report["answer"] = result.get("answer", "")
        figure = _figure(folder, report["notebook"], result)
        report["thumbnail"] = _encoded(figure, THUMBNAIL, 32) if figure else ""
    provenances = [result["provenance"] for result in results.values() if result.get("provenance")]
    headline = results.get(HEADLINE, {})
    figure = _figure(folder, HEADLINE, headline)
    return PresetReports(
        folder.name,
        _about(folder),
        reports,
        [claim_row(claim, verdicts) for claim, verdicts in sorted(by_claim.items())],
        "; ".join(f"{name} {value}" for made in provenances[:1] for name, value in made.items()),
        _encoded(figure, 1000, 128) if figure else "",
        headline.get("answer", ""),
    )


def _figure(folder: Path, notebook: str, result: dict[str, Any]) -> Path | None:
    """The file of a notebook's hero figure, if it has one."""
    path = folder / "figures" / f"{notebook}-{result.get('hero') or None}.png"
    return path if path.is_file() else None


def _encoded(path: Path, width: int, colours: int) -> str:
    """A picture of at most so many pixels in width, as a PNG in base64."""
    from PIL import Image

    packed = io.BytesIO()
    image = Image.open(path).convert("RGB")
    if image.width > width:
        image = image.resize(
            (width, round(image.height * width / image.width)), Image.Resampling.LANCZOS
        )
    image.quantize(colours).save(packed, format="PNG", optimize=True)
    return base64.b64encode(packed.getvalue()).decode()


def claim_row(claim: int, verdicts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the verdicts on all parts of a claim come to, in a line: their own word if there is one,
    that of all if they are of one kind, and else *mixed*, with how many there are of each.
    """
    parts = [verdict_row(one) for one in verdicts]
    kinds = Counter(one["kind"] for one in parts)
    kind = next(iter(kinds)) if len(kinds) == 1 else "part"
    words = {"holds": "yes", "part": "in part", "not": "no", "undecided": "open"}
    counts = [f"{kinds[one]} {word}" for one, word in words.items() if kinds[one]]
    word = ALL_TO_SAY[kind] if len(kinds) == 1 else "mixed"
    return {
        "claim": claim,
        "text": CLAIMS[claim].text,
        "short": CLAIMS[claim].short,
        "source": SOURCES[CLAIMS[claim].source],
        "analogue": all(one["analogue"] for one in parts),
        "kind": kind,
        "icon": ICONS[kind],
        "verdict": parts[0]["verdict"] if len(parts) == 1 else word,
        "note": f"{len(parts)} parts: {', '.join(counts)}" if len(parts) > 1 else parts[0]["note"],
        "parts": parts,
    }


@dataclass(frozen=True)
class KeptReal:
    """What is kept executed of real networks: the PNG of the figure of logistic probes in base64,
    what it shows, the sentence below it, the answer, and values beside the paper's.
    """

    png: str
    alt: str
    said: str
    answer: str
    beside: list[list[str]]


def kept_real() -> KeptReal | None:
    """What is kept of real networks; None where no figure is."""
    path = paths.notebooks() / presets.KEPT["real"] / f"{HEADLINE}.ipynb"
    if not path.is_file():
        return None
    outputs = [output for cell in _load(path)["cells"] for output in cell.get("outputs", [])]
    png = alt = said = answer = ""
    beside: list[list[str]] = []
    for place, output in enumerate(outputs):
        shown = output.get("metadata", {}).get("image/png", {}).get("alt", "")
        role = output.get("metadata", {}).get(MARK, {}).get("role", "")
        text = "".join(output.get("data", {}).get("text/markdown", ""))
        if role == "answer":
            answer = text.removeprefix("**Answer.** ")
        elif shown.startswith("Test accuracy of logistic probes"):
            png = "".join(output["data"]["image/png"]).replace("\n", "")
            alt = shown
            following = outputs[place + 1]["data"] if place + 1 < len(outputs) else {}
            said = "".join(following.get("text/markdown", "")).removeprefix("**What to see:** ")
        elif text.startswith("| value | paper |"):
            rows = [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]
            beside += [[*row[:3], row[4]] for row in rows]
    return KeptReal(png, alt, said[:1].upper() + said[1:], answer, beside) if png else None


def beside_paper(folder: Path) -> list[list[str]]:
    """The paper's printed values that a preset measured: what, the paper's, ours with its interval,
    and where the paper's lies.
    """
    rows: dict[str, list[str]] = {}
    for path in sorted((folder / "tables").glob("*-paper.csv")):
        table = pd.read_csv(path, comment="#")
        for row in table[table["ours"].notna()].itertuples():
            what = f"{row.quantity}, {row.task}, {row.network}"
            ours = f"{row.ours:.3f}"
            if row.low == row.low:
                ours += f" ({row.low:.3f} to {row.high:.3f})"
            rows.setdefault(what, [what, f"{row.paper:.2f}", ours, str(row.outcome)])
    return list(rows.values())


def write_index(out: Path) -> Path:
    """Write the index of all reports under a folder."""
    folders = sorted(
        (path.parent for path in out.glob("*/results")),
        key=lambda folder: (ORDER.get(folder.name, 5), folder.name),
    )
    shown = [preset for preset in map(_preset_reports, folders) if preset.reports]
    headline = next((preset for preset in shown if preset.answer), None)
    real = kept_real()
    beside = [row for folder in folders for row in beside_paper(folder)]
    body = rendered(
        "index.html.j2",
        presets=shown,
        headline=headline,
        answer=markdown(lead_first(headline.answer)) if headline else "",
        real=real,
        beside=beside + (real.beside if real else []),
    )
    path = out / "index.html"
    write_text(
        path,
        page(
            "Diffused redundancy: what the numbers say",
            body,
            contents=False,
            footer="Made by run_all.sh.",
        ),
    )
    return path
