"""What evaluators are told: commands that run, verdicts that the executed notebooks give, and
metadata files that agree.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from diffused_redundancy.findings.claims import CLAIMS
from test_results import planned

VERDICT = re.compile(
    r"\*\*(?:An (analogue) of claim|Claim) (\d+)(?:, (.+?))?\*\* \(.*?\n\n\*\*(.+?)\.\*\* ",
    re.DOTALL,
)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def said(notebook: Path) -> dict[int, list[str]]:
    """The verdicts of an executed notebook, with their parts, by claim."""
    found: dict[int, list[str]] = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            text = "".join(output.get("data", {}).get("text/markdown", ""))
            for analogue, claim, part, word in VERDICT.findall(text):
                about = ", ".join(filter(None, (analogue, part)))
                verdict = word[0].lower() + word[1:] + (f" ({about})" if about else "")
                found.setdefault(int(claim), []).append(verdict)
    return found


def rows() -> list[list[str]]:
    """The cells of the rows of both tables of claims."""
    lines = re.findall(r"^\| (\d+ \|.*) \|$", text_of("ARTIFACT.md"), re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}-{row[1].split()[-1][:-1]}")
def test_what_is_expected_of_a_claim_is_what_the_notebook_says(row, tmp_path):
    claim, command, link, expected, *_ = row
    (path,) = re.findall(r"\((.+)\)$", link)
    for name in ("cifar10", "flower_photos"):
        (tmp_path / name).mkdir()
    line = command.strip("`").replace("FOLDER", str(tmp_path))
    assert planned(line, tmp_path)["SEEDS"] and line.endswith(f"--only {Path(path).stem}")
    assert expected.split("; ") == said(ROOT / path)[int(claim)]


def test_every_verdict_of_the_executed_notebooks_is_there():
    """Those of the default run, and those on real networks."""
    listed = {(int(row[0]), re.findall(r"\((.+)\)$", row[2])[0]) for row in rows()}
    from_notebooks = {
        (claim, path.relative_to(ROOT).as_posix())
        for folder in ("notebooks", "notebooks/real")
        for path in (ROOT / folder).glob("*.ipynb")
        if path.stem != "10_text"
        for claim in said(path)
    }
    assert listed == from_notebooks and {claim for claim, _ in listed} == set(CLAIMS)


def test_claims_are_quoted():
    numbered = re.findall(r"^(\d+)\. (.+)$", text_of("ARTIFACT.md"), re.MULTILINE)
    assert {int(number): text for number, text in numbered} == {
        number: claim.text for number, claim in CLAIMS.items()
    }


def test_metadata_files_agree():
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    codemeta, citation = (
        json.loads(text_of("codemeta.json")),
        yaml.safe_load(text_of("CITATION.cff")),
    )
    assert codemeta["@context"] == "https://w3id.org/codemeta/3.0"
    assert codemeta["identifier"] == project["name"]
    assert codemeta["version"] == citation["version"] == project["version"]
    assert codemeta["license"] == f"https://spdx.org/licenses/{project['license']}"
    assert citation["license"] == project["license"]
    assert codemeta["description"] == project["description"]
    assert codemeta["name"] == citation["title"] and codemeta["dateModified"] == str(
        citation["date-released"]
    )
    least = project["requires-python"].removeprefix(">=")
    assert codemeta["runtimePlatform"] == f"Python {least} or later"
    paper = citation["preferred-citation"]
    assert codemeta["referencePublication"]["name"] == paper["title"]
    (ours,) = citation["authors"]
    assert [one["name"] for one in codemeta["author"]] == [ours["name"]]
    assert ours["name"] in text_of("AUTHORS") and ours["name"] in text_of("LICENSE")
    for author in paper["authors"]:  # of the paper, not of this code
        assert author["family-names"] in text_of("AUTHORS").partition("The paper")[2]
        assert author["family-names"] not in json.dumps(codemeta["author"])


def test_no_repository_is_made_up():
    """Nothing says where it is published, unless docs/make_badges.py wrote it everywhere."""
    named = re.findall(r'^repository-code: "(.*)"$', text_of("CITATION.cff"), re.M)
    assert "codeRepository" not in text_of("codemeta.json")
    assert [f"codespaces.new/{one[19:]})" in text_of("README.md") for one in named] in ([], [True])
    assert named or "codespaces.new" not in text_of("README.md")
