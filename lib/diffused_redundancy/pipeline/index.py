"""``reports/index.html``: the answer and the figures that show it, what became of the paper's
claims, every report, and on what machine they were made.
"""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from .. import presets
from ..findings.phrases import with_interval
from ..report.display import MARK
from ..report.html import markdown, page, rendered
from ..report.notebook_page import lead_first
from ..report.vector import with_vectors
from ..report.verdict_strip import verdict_strip
from ..store import paths, write_text
from .results import load

ORDER = {"miniature": 0, "smoke": 9}
"""Places of presets in the index; the others stand between."""

OF_REAL = ("real", "real-augmented")
"""Presets of the networks that are kept executed: not shown beside themselves."""

HEADLINE = "02_probes"
"""The notebook whose answer and figure the index begins with."""

THUMBNAIL = 300
"""Width of the small figures of the cards, in pixels."""


@dataclass(frozen=True)
class PresetReports:
    """The reports of one folder, as the index shows them.

    Attributes
    ----------
    name, about : str
    reports : list of dict
        The outcome of each notebook, with its ``answer`` and the ``thumbnail`` of its figure.
    verdicts : str
        Those on the paper's claims, as HTML.
    machine : str
        What made them.
    figure, figure_name : str
        The PNG of the headline's figure in base64, empty without one, and the figure's name.
    answer : str
        That of the headline.
    explorer : bool
        Whether there is a page to explore; see :meth:`.Session.explorer`.
    """

    name: str
    about: str
    reports: list[dict[str, Any]]
    verdicts: str
    machine: str
    figure: str
    figure_name: str
    answer: str
    explorer: bool


def _about(folder: Path) -> str:
    """What a run is: the description of its preset, or what was typed besides."""
    if folder.name in presets.presets():
        return presets.preset(folder.name).description
    typed = load(folder / "run.json").get("typed", {})
    values = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in typed.items()]
    return f"With {', '.join(values)}." if values else "A custom preset."


def _preset_reports(folder: Path) -> PresetReports:
    """The notebooks of one preset that have run, with their outcomes and results."""
    reports = [load(path) for path in sorted((folder / "results").glob("*.outcome.json"))]
    results = {
        report["notebook"]: load(folder / "results" / f"{report['notebook']}.json")
        for report in reports
        if report["ok"]
    }
    verdicts = [
        {**verdict, "href": f"{folder.name}/{name}.html#verdict-{place}"}
        for name, result in results.items()
        for place, verdict in enumerate(result.get("verdicts", []), 1)
    ]
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
        verdict_strip(verdicts),
        "; ".join(f"{name} {value}" for made in provenances[:1] for name, value in made.items()),
        _encoded(figure, 1000, 128) if figure else "",
        figure.stem if figure else "",
        headline.get("answer", ""),
        (folder / "explorer.html").is_file(),
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


@dataclass(frozen=True)
class Beside:
    """A value that the paper prints beside ours with its interval, in words: where the paper's
    lies, which run ours is of, and what differs between the two.
    """

    what: str
    paper: str
    ours: str
    outcome: str
    run: str
    differs: str


@dataclass(frozen=True)
class KeptReal:
    """What is kept executed of real networks: the PNG of the hero figure in base64, what it shows,
    what is said of logistic probes, as HTML, the answer, and values beside the paper's.
    """

    png: str
    alt: str
    said: str
    answer: str
    beside: list[Beside]


def kept_real() -> KeptReal | None:
    """What is kept of real networks; None where no figure is."""
    path = paths.notebooks() / presets.KEPT["real"] / f"{HEADLINE}.ipynb"
    if not path.is_file():
        return None
    outputs = [output for cell in load(path)["cells"] for output in cell.get("outputs", [])]
    png = alt = said = answer = ""
    beside: list[Beside] = []
    for place, output in enumerate(outputs):
        shown = output.get("metadata", {}).get("image/png", {}).get("alt", "")
        role = output.get("metadata", {}).get(MARK, {}).get("role", "")
        text = "".join(output.get("data", {}).get("text/markdown", ""))
        if role == "answer":
            answer = text.removeprefix("**Answer.** ")
        elif role == "hero":
            png = "".join(output["data"]["image/png"]).replace("\n", "")
            alt = shown
        elif shown.startswith("Test accuracy of logistic probes"):
            following = outputs[place + 1]["data"] if place + 1 < len(outputs) else {}
            said = "".join(following.get("text/markdown", "")).removeprefix("**What to see:** ")
        elif text.startswith("| value | paper |"):
            for line in text.splitlines()[2:]:
                value, theirs, ours, _, outcome, differs = _cells(line)
                beside.append(Beside(value, theirs, ours, outcome, "an earlier run", differs))
    said = markdown(said[:1].upper() + said[1:]) if said else ""
    return KeptReal(png, alt, said, answer, beside) if png else None


def _cells(row: str) -> list[str]:
    """The cells of a row of a table in Markdown."""
    return [cell.strip() for cell in row.strip().removeprefix("|").removesuffix("|").split("|")]


def beside_paper(folder: Path) -> list[Beside]:
    """The paper's printed values that a preset measured."""
    rows: dict[str, Beside] = {}
    for path in sorted((folder / "tables").glob("*-paper.csv")):
        table = pd.read_csv(path, comment="#")
        for row in table[table["ours"].notna()].itertuples():
            what = f"{row.quantity}, {row.task}, {row.network}"
            ours = with_interval(row.ours, row.low, row.high, ".3f")
            differs = row.differs if isinstance(row.differs, str) else ""  # empty cells are NaN
            run = f"preset {folder.name}"
            rows.setdefault(
                what, Beside(what, f"{row.paper:.2f}", ours, str(row.outcome), run, differs)
            )
    return list(rows.values())


def _of_headline(name: str) -> str:
    """What the first answer and figure are of, in words."""
    if name in OF_REAL:
        return "ResNets, trained on ImageNet, this run"
    return "A small network trained here, this run" if name == "miniature" else f"Preset {name}"


def write_index(out: Path) -> Path:
    """Write the index of all reports under a folder."""
    folders = sorted(
        (path.parent for path in out.glob("*/results")),
        key=lambda folder: (ORDER.get(folder.name, 5), folder.name),
    )
    shown = [preset for preset in map(_preset_reports, folders) if preset.reports]
    headline = next((preset for preset in shown if preset.answer), None)
    real = None if headline and headline.name in OF_REAL else kept_real()
    beside = [row for folder in folders for row in beside_paper(folder)]
    body = rendered(
        "index.html.j2",
        presets=shown,
        headline=headline,
        about=_of_headline(headline.name) if headline else "",
        answer=markdown(lead_first(headline.answer)) if headline else "",
        real=real,
        real_answer=markdown(lead_first(real.answer)) if real else "",
        beside=beside + (real.beside if real else []),
    )
    if headline:
        body = with_vectors(body, out / headline.name / "figures")
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
