"""``results.json``: it fits its schema, holds what the notebooks kept, and its commands make the
same runs again.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from conftest import ROOT
from diffused_redundancy import presets
from diffused_redundancy.__main__ import _options
from diffused_redundancy.findings.claims import CLAIMS
from diffused_redundancy.pipeline.plan import plan
from diffused_redundancy.pipeline.results import command, write_results
from diffused_redundancy.store import write_json
from diffused_redundancy.uncertainty.interval import WithInterval

SCHEMA = json.loads((ROOT / "data" / "results.schema.json").read_text(encoding="utf-8"))


def check(results: dict) -> None:
    """Whether results fit the schema."""
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(results)


def kept(folder: Path, notebook: str, *, ok: bool = True, **results: object) -> None:
    """What a notebook and its execution leave in a folder of reports."""
    outcome = {
        "notebook": notebook,
        "title": "A question?",
        "ok": ok,
        "error": "" if ok else "E: x",
    }
    write_json(
        folder / "results" / f"{notebook}.outcome.json", {**outcome, "seconds": 2.5, "memory": 0.7}
    )
    write_json(folder / "results" / f"{notebook}.json", {"notebook": notebook, **results})


@pytest.fixture
def reports(tmp_path) -> Path:
    folder = tmp_path / "miniature-custom-1"
    write_json(folder / "run.json", {"preset": "miniature", "typed": {"SEEDS": [1, 2, 3]}})
    verdict = {"claim": 2, "verdict": "holds on 1 of 2 tasks", "kind": "part", "part": "CKA"}
    kept(
        folder,
        "01_cka",
        parameters={"SEEDS": [1, 2, 3]},
        results={"DR": 0.9, "none": float("nan"), "images": 7},
        intervals={"DR": [0.85, 0.93]},
        verdicts=[{**verdict, "analogue": True, "because": "As.", "notebook": "01_cka"}],
        provenance={"commit": "abc", "torch": "2"},
    )
    kept(folder, "02_probes", ok=False, results={"of an earlier run": 1})
    kept(folder, "99_gone", results={})
    return tmp_path


def test_results_fit_their_schema_and_hold_what_was_kept(reports):
    path = write_results(reports)
    results = json.loads(path.read_text(), parse_constant=pytest.fail)  # NaN is no JSON
    check(results)
    (preset,) = results["presets"]
    assert (preset["folder"], preset["typed"]) == ("miniature-custom-1", {"SEEDS": [1, 2, 3]})
    done, failed = preset["notebooks"]
    assert done["command"] == "./run_all.sh --preset miniature --only 01_cka -p SEEDS '[1, 2, 3]'"
    assert done["estimates"] == [
        {"name": "DR", "value": 0.9, "low": 0.85, "high": 0.93},
        {"name": "none", "value": None, "low": None, "high": None},
        {"name": "images", "value": 7, "low": None, "high": None},
    ]
    (verdict,) = done["verdicts"]
    assert verdict["text"] == CLAIMS[2].text and verdict["source"] == "paper"
    assert (verdict["part"], verdict["kind"], verdict["analogue"]) == ("CKA", "part", True)
    assert not failed["ok"] and failed["error"] == "E: x" and failed["estimates"] == []
    assert failed["command"].startswith("./run_all.sh --preset miniature --only 02_probes")


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema_version": "2.0"},
        {"presets": [{"folder": "a"}]},
        {"more": 1},
    ],
)
def test_the_schema_refuses_what_is_wrong(reports, wrong):
    jsonschema = pytest.importorskip("jsonschema")
    results = json.loads(write_results(reports).read_text())
    with pytest.raises(jsonschema.ValidationError):
        check(results | wrong)


def planned(line: str, tmp_path: Path) -> dict:
    """All values of the one notebook that a command runs."""
    words = shlex.split(line)
    assert words[0] == "./run_all.sh"
    options = _options(["run", *words[1:]])
    folder = Path(options.assets) if options.assets else None
    (job,) = plan(options.preset, options.only, options.overrides, tmp_path, folder)
    return job.parameters


@pytest.mark.parametrize("preset", ["miniature", "smoke", "cifar", "real", "paper"])
def test_a_command_makes_the_same_run(preset, tmp_path):
    folder = tmp_path / "a folder"
    for name in ("cifar10", "flower_photos"):
        (folder / name).mkdir(parents=True)
    for notebook in presets.preset(preset).notebooks:
        (job,) = plan(preset, [notebook], [("DEVICE", "cpu")], tmp_path, folder)
        line = command(notebook, preset, job.typed, job.parameters)
        assert planned(line, tmp_path) == job.parameters
        assert ("--fetch" in line) == ("cifar10" in job.parameters.get("TASKS", [])), line


def test_the_command_of_a_preset_in_a_file_says_every_value(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("notebooks: [01_cka]\neverywhere:\n  SEEDS: [4, 5]\n  IMAGES: 300\n")
    (job,) = plan(str(mine), [], [("IMAGES", "200")], tmp_path)
    line = command("01_cka", job.preset, job.typed, job.parameters)
    assert "--preset" not in line and planned(line, tmp_path) == job.parameters


def test_a_number_with_an_interval_is_a_number():
    one = WithInterval(0.5, 0.4, 0.6)
    assert one == 0.5 and json.dumps({"a": one}) == '{"a": 0.5}' and one.has_interval
    assert not WithInterval(0.5, 0.4).has_interval
