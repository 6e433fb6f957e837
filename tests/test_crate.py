"""The RO-Crate of a run: what the specification says it must have, and what its validator says."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from diffused_redundancy.pipeline.crate import NAME, write_crate
from diffused_redundancy.pipeline.results import write_results
from diffused_redundancy.store import write_json
from diffused_redundancy.store.provenance import provenance

TERMS = (
    *("CreateAction", "CreativeWork", "Dataset", "Person", "PropertyValue", "ScholarlyArticle"),
    *("SoftwareApplication", "about", "actionStatus", "agent", "author", "citation", "contentSize"),
    *("datePublished", "description", "encodingFormat", "endTime", "error", "hasPart"),
    *("instrument", "license", "mentions", "name", "object", "operatingSystem", "result"),
    *("softwareRequirements", "startTime", "url", "value", "version"),
)
CONTEXT = {
    **{term: f"http://schema.org/{term}" for term in TERMS},
    "File": "http://schema.org/MediaObject",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
}
"""The part of RO-Crate's JSON-LD context that crates of runs use: without a network it cannot be
looked up.
"""


@pytest.fixture
def crate(tmp_path) -> Path:
    """The crate of a run in which one notebook went well and one failed."""
    folder = tmp_path / "miniature custom"
    write_json(folder / "run.json", {"preset": "miniature", "typed": {}})
    for notebook, ok in (("01_cka", True), ("02_probes", False)):
        outcome = {
            "notebook": notebook,
            "title": "A question?",
            "ok": ok,
            "error": "" if ok else "E",
        }
        times = {"seconds": 61.0, "memory": 0.7, "ended": "2026-01-02T03:04:05+00:00"}
        write_json(folder / "results" / f"{notebook}.outcome.json", {**outcome, **times})
        for name in (f"{notebook}.html", f"{notebook}.ipynb", f"figures/{notebook}-a.svg"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text("made")
    parameters = {"SEEDS": [1, 2], "PROBE": "ridge"}
    kept = {"parameters": parameters, "provenance": provenance()}
    write_json(folder / "results" / "01_cka.json", kept)
    (folder / "tables").mkdir()
    (folder / "tables" / "01_cka-a b.csv").write_text("k\n1\n")
    (folder / "explorer.html").write_text("explorer")
    (tmp_path / "index.html").write_text("index")
    write_results(tmp_path)
    assert write_crate(tmp_path) == tmp_path / NAME
    return tmp_path


def entities(crate: Path) -> dict[str, dict]:
    graph = json.loads((crate / NAME).read_text())["@graph"]
    found = {one["@id"]: one for one in graph}
    assert len(found) == len(graph)
    return found


def referred(value: object) -> list[str]:
    """The identifiers that an entity refers to."""
    if isinstance(value, list):
        return [one for each in value for one in referred(each)]
    if isinstance(value, dict):
        own = [value["@id"]] if set(value) == {"@id"} else []
        return own or [one for each in value.values() for one in referred(each)]
    return []


def test_what_the_specification_says_it_must_have(crate):
    found = entities(crate)
    assert json.loads((crate / NAME).read_text())["@context"].startswith(
        "https://w3id.org/ro/crate/1.1"
    )
    descriptor, root = found[NAME], found["./"]
    assert descriptor["about"] == {"@id": "./"} and descriptor["@type"] == "CreativeWork"
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["@type"] == "Dataset"
    assert all(root[key] for key in ("name", "description", "datePublished", "license"))
    for one in found.values():
        assert isinstance(one["@type"], str) and set(one) <= {"@id", "@type", *CONTEXT}
        assert set(referred(one)) <= {*found, "https://w3id.org/ro/crate/1.1"}
    files = [one["@id"] for one in found.values() if one["@type"] == "File"]
    assert files == [one["@id"] for one in root["hasPart"]]


def test_every_file_is_described(crate):
    described = {unquote(one) for one, about in entities(crate).items() if about["@type"] == "File"}
    there = {path.relative_to(crate).as_posix() for path in crate.rglob("*") if path.is_file()}
    of_the_runner = {name for name in there if name.endswith(("outcome.json", "run.json", NAME))}
    assert described == there - of_the_runner


def test_actions_say_what_ran_when_and_how(crate):
    found = entities(crate)
    done, failed = (one for one in found.values() if one["@type"] == "CreateAction")
    assert (done["startTime"], done["endTime"]) == (
        "2026-01-02T03:03:04+00:00",
        "2026-01-02T03:04:05+00:00",
    )
    assert "./run_all.sh --preset miniature --only 01_cka" in done["description"]
    software = found[done["instrument"]["@id"]]
    needs = {found[one["@id"]]["name"] for one in software["softwareRequirements"]}
    assert software["version"] and {"torch", "numpy", "scikit-learn"} <= needs
    values = {found[one["@id"]]["name"]: found[one["@id"]]["value"] for one in done["object"]}
    assert values == {"SEEDS": "[1, 2]", "PROBE": '"ridge"'}
    assert {"@id": "miniature%20custom/tables/01_cka-a%20b.csv"} in done["result"]
    assert done["actionStatus"].endswith("CompletedActionStatus")
    assert failed["actionStatus"].endswith("FailedActionStatus") and failed["error"] == "E"
    assert not failed["object"]


def problems(crate: Path, monkeypatch) -> list[str]:
    """What the validator finds against the requirements of Process Run Crate and RO-Crate."""
    pytest.importorskip("rocrate_validator", reason="roc-validator is not installed")
    from rocrate_validator import models, services
    from rocrate_validator.utils.http import HttpRequester

    class Answer:
        status_code, headers = 200, {"Content-Type": "application/ld+json"}
        text = json.dumps({"@context": CONTEXT})

        def json(self) -> dict:
            return json.loads(self.text)

    def get(self, url: str, **options: object) -> Answer:
        assert url == "https://w3id.org/ro/crate/1.1/context"
        return Answer()

    monkeypatch.setattr(HttpRequester, "get", get, raising=False)
    settings = services.ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier="process-run-crate-0.5",
        requirement_severity=models.Severity.REQUIRED,
        offline=True,
        cache_path=crate.parent / "validator",
    )
    result = services.validate(settings)
    assert result.passed() == (not result.get_issues())
    return [f"{issue.check.identifier}: {issue.message}" for issue in result.get_issues()]


@pytest.mark.slow
def test_the_validator_accepts_the_crate(crate, monkeypatch):
    assert not problems(crate, monkeypatch)


@pytest.mark.slow
def test_the_validator_finds_what_is_wrong(crate, monkeypatch):
    written = json.loads((crate / NAME).read_text())
    for one in written["@graph"]:
        if one["@type"] == "CreateAction":
            del one["instrument"]
        if one["@id"] == "./":
            del one["datePublished"]
    write_json(crate / NAME, written)
    found = "; ".join(problems(crate, monkeypatch))
    assert "instrument" in found and "datePublished" in found
