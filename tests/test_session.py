"""What a notebook talks to: files of earlier runs, the least for a verdict, what
made a page, names of cases."""

from __future__ import annotations

import json

import diffused_redundancy as dr
import numpy as np
import pandas as pd
import pytest
from diffused_redundancy import parameters
from diffused_redundancy.findings.claims import NOT_ASKED, Verdict
from diffused_redundancy.report import provenance
from diffused_redundancy.report.display import MARK
from diffused_redundancy.session import Session
from diffused_redundancy.store import paths
from diffused_redundancy.uncertainty.interval import WithInterval
from matplotlib.figure import Figure

NET = "miniature_resnet_128.standard_s1"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.REPORT_VARIABLE, str(tmp_path / "report"))
    return tmp_path / "report"


def begin(notebook="01_cka", **values):
    defaults = {name: one.default for name, one in parameters.declared(notebook).items()}
    small = {"NETS": [NET], "TASKS": ["digits"], "IMAGES": 200, "SEEDS": [1, 2, 3], "DEVICE": "cpu"}
    return dr.begin(notebook, {**defaults, **small, **values})


def test_figures_and_tables_of_an_earlier_run_stay_until_the_end(folder):
    earlier = [
        folder / kind / name
        for kind, name in (
            ("figures", "01_cka-old.png"),
            ("figures", "01_cka-curves.png"),
            ("tables", "01_cka-old.csv"),
            ("results", "01_cka.json"),
            ("figures", "02_probes-ridge.png"),
            ("tables", "02_probes-ridge.csv"),
            ("results", "02_probes.json"),
        )
    ]
    for path in earlier:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    session = begin()
    figure = Figure()
    figure.subplots().plot([1, 2])
    session.figure(figure, "curves", alt="A line.")
    session.table(pd.DataFrame({"k": [1], "value": [0.5]}), "curves")
    assert all(path.exists() for path in earlier)
    session.finish()
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert left == {
        "figures/01_cka-curves.png",
        "figures/01_cka-curves.svg",
        "tables/01_cka-curves.csv",
        "results/01_cka.json",
        "figures/02_probes-ridge.png",
        "tables/02_probes-ridge.csv",
        "results/02_probes.json",
    }
    assert json.loads((folder / "results/01_cka.json").read_text())["notebook"] == "01_cka"


@pytest.mark.parametrize(
    "values, word, because",
    [
        ({}, "holds", "k = 3"),
        (
            {"SEEDS": [1, 2]},
            "undecided",
            "of the selection, and there are 2. The numbers so far say: holds. k = 3",
        ),
        ({"SEEDS": [7]}, "undecided", "and there is one. The numbers so far say: holds"),
        (
            {"IMAGES": 50},
            "undecided",
            "at least 100 test images, and Handwritten digits has 50. The numbers so far say: ",
        ),
    ],
    ids=["enough", "two seeds", "one seed", "few images"],
)
def test_no_verdict_from_too_little(folder, values, word, because):
    session = begin(**values)
    session.verdict(2, Verdict("holds", "k = 3.", "holds"))
    session.verdict(2, Verdict("undecided", "It takes two."))
    session.finish()
    first, second = json.loads((folder / "results/01_cka.json").read_text())["verdicts"]
    assert first["verdict"] == word and because in first["because"]
    rest = {"verdict": "undecided", "kind": "undecided", "because": "It takes two."}
    assert second == {**first, **rest}
    with pytest.raises(dr.InputError, match="there is no claim 99"):
        session.verdict(99, Verdict("holds", ""))
    with pytest.raises(dr.InputError, match="unknown source of a claim 'X'.*P, S, PS, C"):
        session.verdict(2, Verdict("holds", ""), source="X")


@pytest.mark.parametrize(
    "values, start",
    [({}, "Yes."), ({"SEEDS": [1, 2]}, "No answer yet. A verdict needs at least 3")],
)
def test_the_answer_and_its_figure_are_marked_and_kept(folder, monkeypatch, values, start):
    shown = []
    monkeypatch.setattr("diffused_redundancy.session.display", lambda *one: shown.append(one[1]))
    session = begin(**values)
    session.table(pd.DataFrame({"k": [1]}), "curves", show=False)
    figure = Figure()
    figure.subplots()
    session.figure(figure, "one", alt="A line.")
    session.figure(figure, "curves", alt="A line.", hero=True)
    session.say("no table")
    session.table(pd.DataFrame({"k": [1]}), "sizes")
    session.answer("Yes.")
    session.finish()
    marks = [metadata[MARK] for metadata in shown if MARK in metadata]
    assert [one["role"] for one in marks] == ["figure", "hero", "table", "answer"]
    files = ["figures/01_cka-one.svg", "figures/01_cka-one.png", "tables/01_cka-curves.csv"]
    assert marks[0]["files"] == files  # the table was kept for the first figure alone
    assert marks[2]["files"] == ["tables/01_cka-sizes.csv"]
    assert all((folder / name).is_file() for one in marks[:3] for name in one["files"])
    kept = json.loads((folder / "results/01_cka.json").read_text())
    assert kept["answer"].startswith(start) and kept["hero"] == "curves"


def test_intervals_of_key_numbers_are_kept(folder):
    session = begin()
    session.result(plain=1, sure=WithInterval(0.9, 0.8, 1), unsure=WithInterval(0.5))
    session.finish()
    kept = json.loads((folder / "results/01_cka.json").read_text())
    assert kept["results"] == {"plain": 1, "sure": 0.9, "unsure": 0.5}
    assert kept["intervals"] == {"sure": [0.8, 1]}


def test_sentences_are_about_what_is_embedded(folder, capsys):
    values = {"TEXTS": ["kind"]}
    session = dr.begin("10_text", values, items="texts")
    session.say("Over subsets and images, of one image; `IMAGES` and imagery stay.")
    session.verdict(1, Verdict("holds", "95% of test images.", "holds"), analogue=True)
    session.finish()
    (verdict,) = json.loads((folder / "results/10_text.json").read_text())["verdicts"]
    assert verdict["because"] == "95% of test texts."
    said = capsys.readouterr().out
    assert "Over subsets and texts, of one text; `IMAGES` and imagery stay." in said
    assert "images" not in said


def test_what_was_not_asked_is_said_once_and_is_no_verdict(folder, capsys):
    session = begin()
    nothing = Verdict(NOT_ASKED, "there are no such networks among NETS.", NOT_ASKED)
    session.verdict(8, nothing, part="dropout")
    session.verdict(8, nothing, part="DeCov")
    session.verdict(9, nothing)
    session.say_not_asked()
    session.finish()
    assert not json.loads((folder / "results/01_cka.json").read_text())["verdicts"]
    said = capsys.readouterr().out
    assert (
        "`NETS` and `TASKS` leave nothing to compare for it: claim 8 (dropout; DeCov); claim 9."
        in said
    )
    assert said.count("'text/markdown': '**Not asked**") == 1
    assert "Claim 8" not in said and "undecided" not in said


def test_an_entry_a_notebook_cannot_do_without(folder):
    with pytest.raises(dr.InputError, match="01_cka needs 'random' among them"):
        begin(SELECTIONS=["pca"]).need("SELECTIONS", "random")


def test_what_made_a_page_is_said(folder, capsys):
    begin().show_provenance()
    nets = [dr.net(NET)] * 6
    few = provenance.describe_inputs(nets[:1], [dr.task("digits")], begin().protocol, "float32")
    assert few[0].startswith(f"Network `{NET}`: 128 neurons; ") and "licence" in few[0]
    assert few[1].startswith("Task `digits`: 10 classes; ")
    assert few[2].endswith("features cached. Features computed in float32.")
    many = provenance.describe_inputs(nets, [], begin().protocol, "bf16")
    assert many[0].startswith(f"6 networks: `{NET}`, ") and len(many) == 2
    assert "| `SEEDS` | `[1, 2]` | Seeds |" in provenance.describe_parameters(
        {"SEEDS": [1, 2]}, {"SEEDS": "Seeds"}
    )
    assert provenance.describe_machine({"python": "3", "GPU": "none"}) == (
        "Made by python 3; GPU none."
    )


def test_tasks_of_one_name_stay_apart(tmp_path, folder):
    names = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        np.savez(
            tmp_path / name / "mine.npz",
            X_train=np.zeros((8, 4, 4), np.uint8),
            y_train=[0, 1] * 4,
        )
        names.append(f"npz:{tmp_path / name / 'mine.npz'}")
    values = {"NETS": ["miniature_resnet.standard_s1"], "TASKS": [*names, "digits"]}
    session = Session("01_cka", values)
    assert [session.title(session.nets[0], task) for task in session.tasks] == [
        "mine (1)",
        "mine (2)",
        "Handwritten digits",
    ]
    assert list(session.task_titles()) == ["mine (1)", "mine (2)", "Handwritten digits"]
    assert list(session.task_titles().values()) == session.tasks


def test_tables_on_disk_keep_no_rounding_errors(tmp_path, folder, capsys):
    """The order of a sum is not the same in each run: its last bits must not make tables of equal
    results differ.
    """
    values = {"NETS": ["miniature_resnet.standard_s1"], "TASKS": ["digits"]}
    session = Session("01_cka", values)
    written = []
    for wrong in (0.0, 1.1e-16, -9.7e-17):
        columns = {
            "name": ["a"],
            "spread": [wrong],
            "mean": [1 / 3 + wrong],
            "small": [1.25e-9],
            "none": [float("nan")],
        }
        session.table(pd.DataFrame(columns), "t")
        written.append(next(tmp_path.rglob("*-t.csv")).read_text().partition("\n")[2])
    assert set(written) == {"name,spread,mean,small,none\na,0,0.333333,1.25e-09,\n"}
    capsys.readouterr()
