"""``reports/index.html``: every report, what became of the paper's claims, and on what machine."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

from ..findings.claims import CLAIMS
from ..presets import preset, presets
from ..report.html import page
from ..store import write_text

WORD_CLASS = {
    "holds": "holds",
    "holds in part": "part",
    "mixed": "part",
    "does not hold": "not",
    "undecided": "undecided",
}
SOURCES = {"P": "said in the paper", "S": "said in a summary of the paper", "C": "our question"}


def _load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _reports(folder: Path) -> list[dict[str, Any]]:
    """The notebooks of one preset that have run, with their outcomes and results."""
    found = []
    for path in sorted((folder / "results").glob("*.outcome.json")):
        outcome = _load(path)
        results = _load(folder / "results" / f"{outcome['notebook']}.json") if outcome["ok"] else {}
        found.append({**outcome, "preset": folder.name, "results": results})
    return found


def write_index(out: Path) -> Path:
    """Write the index of all reports under a folder."""
    sections = []
    order = {"miniature": 0, "smoke": 9}
    folders = sorted(
        (path.parent for path in out.glob("*/results")),
        key=lambda path: (order.get(path.name, 5), path.name),
    )
    for folder in folders:
        reports = _reports(folder)
        if not reports:
            continue
        sections.append(_section(folder, reports, _about(folder, presets())))
    body = (
        "<h1>Diffused redundancy in pre-trained representations</h1>"
        "<p>Is any random subset of a pre-trained layer's neurons, above a critical size, "
        "nearly as similar to the whole layer and nearly as "
        "useful for downstream tasks as the whole layer? These pages test that statement of "
        "the paper. Unless a number is said to be the "
        "paper's, it was computed by the run the page belongs to. Times are of the last run, "
        "from the cache where it held the results.</p>" + "".join(sections)
    )
    path = out / "index.html"
    write_text(
        path,
        page("Diffused redundancy: reports", body, contents=False, footer="Made by run_all.sh."),
    )
    return path


def _about(folder: Path, presets: list[str]) -> str:
    """What a run is: the description of its preset, or what was typed besides."""
    if folder.name in presets:
        return preset(folder.name).description
    typed = _load(folder / "run.json").get("typed", {})
    told = ", ".join(
        f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in typed.items()
    )
    return f"With {told}." if told else "A preset of one's own."


def _claim(claim: int, verdicts: list[dict[str, Any]], folder: str) -> str:
    """Rows of the table: a claim, and beside it each verdict on it."""
    known, span = CLAIMS[claim], f' rowspan="{len(verdicts)}"' if len(verdicts) > 1 else ""
    cells = [
        '<td><span class="badge '
        f'verdict-{WORD_CLASS[one["verdict"]]}">{html.escape(one["verdict"])}</span></td><td>{html.escape(one["because"])} '
        f'<a href="{folder}/{one["notebook"]}.html#what-the-numbers-say">{one["notebook"]}</a></td>'
        for one in verdicts
    ]
    text = (
        f"<td{span}>{claim}</td><td{span}>{html.escape(known.text)}<br><span "
        f"class='note'>{SOURCES[known.source]}</span></td>"
    )
    return f"<tr>{text}{'</tr><tr>'.join(cells)}</tr>"


def _section(folder: Path, reports: list[dict[str, Any]], about: str) -> str:
    cards = []
    for report in reports:
        link = f"{folder.name}/{report['notebook']}.html"
        state = (
            f"{report['seconds']:.0f} s, {report['memory']:.1f} GiB"
            if report["ok"]
            else f"failed: {html.escape(report['error'])}"
        )
        kind = "note" if report["ok"] else "verdict-not"
        cards.append(
            f'<li><h3><a href="{link}">{html.escape(report["title"])}</a></h3>'
            f'<p class="note">{report["notebook"]}</p><p class="{kind}">{state}</p></li>'
        )
    verdicts = [verdict for report in reports for verdict in report["results"].get("verdicts", [])]
    of_claim = {
        claim: [one for one in verdicts if one["claim"] == claim]
        for claim in sorted({one["claim"] for one in verdicts})
    }
    rows = "".join(_claim(claim, some, folder.name) for claim, some in of_claim.items())
    table = (
        '<h3>What the numbers say of the claims</h3><div class="table '
        'claims"><table><thead><tr><th>claim</th><th>text</th><th>verdict</th>'
        f"<th>because</th></tr></thead><tbody>{rows}</tbody></table></div>"
        if rows
        else ""
    )
    made: dict[str, Any] = next(
        (
            report["results"]["provenance"]
            for report in reports
            if report["results"].get("provenance")
        ),
        {},
    )
    machine = "; ".join(f"{name} {value}" for name, value in made.items())
    return (
        f"<h2>Preset {html.escape(folder.name)}</h2><p>{html.escape(about)}</p><ul "
        f"class='cards'>{''.join(cards)}</ul>{table}"
        f'<p class="note">{html.escape(machine)}</p>'
    )
