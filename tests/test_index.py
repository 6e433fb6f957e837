"""The index of all reports: answers, verdicts in a line, thumbnails, and what the paper prints."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from diffused_redundancy.pipeline import index
from diffused_redundancy.pipeline.index import Beside, beside_paper, write_index
from PIL import Image

kept_real = index.kept_real  # which most tests take away


def verdict(claim=5, kind="holds", word="", part="", notebook="02_probes"):
    return {
        "claim": claim,
        "kind": kind,
        "verdict": word or kind,
        "part": part,
        "analogue": True,
        "because": f"because {part}",
        "tally": "3 of 3 tasks",
        "notebook": notebook,
    }


@pytest.fixture
def out(tmp_path, monkeypatch):
    """Two reports of one preset, of which the second failed."""
    monkeypatch.setattr(index, "kept_real", lambda: None)
    folder = tmp_path / "miniature"
    for name in ("results", "figures", "tables"):
        (folder / name).mkdir(parents=True)
    for name, ok in (("02_probes", True), ("03_pretraining", False)):
        outcome = {"notebook": name, "title": f"Is {name} so?", "ok": ok, "seconds": 1}
        outcome |= {"memory": 1, "error": "" if ok else "ValueError: <no>"}
        (folder / "results" / f"{name}.outcome.json").write_text(json.dumps(outcome))
    result = {"notebook": "02_probes", "answer": "Yes: 98%.", "hero": "kept"}
    result |= {"verdicts": [verdict(1), verdict(6, part="few"), verdict(6, "not", part="more")]}
    result |= {"provenance": {"python": "3.11"}}
    (folder / "results" / "02_probes.json").write_text(json.dumps(result))
    Image.effect_noise((1200, 600), 50).save(folder / "figures" / "02_probes-kept.png")
    return tmp_path


def test_index(out):
    page = write_index(out).read_text()
    assert "explorer.html" not in page
    (next(out.glob("*/results")).parent / "explorer.html").write_text("")
    assert '/explorer.html">Explore</a>' in write_index(out).read_text()
    assert page.index("Yes: 98%.") < page.index('class="pair"') < page.index('class="strip"')
    assert page.index('class="strip"') < page.index('class="cards"') < page.index("python 3.11")
    assert 'href="miniature/02_probes.html#verdict-3"' in page
    assert "failed: ValueError: &lt;no&gt;" in page
    assert page.count("data:image/png") == 2 and "few: holds; more: not" in page
    thumbnail = re.search(r'<li><img alt="" src="data:image/png;base64,([^"]+)"', page)
    assert thumbnail and len(thumbnail[1]) < 40_000


def test_the_first_figure_is_a_drawing_where_there_is_one(out):
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><text>98% kept</text></svg>'
    )
    (out / "miniature" / "figures" / "02_probes-kept.svg").write_text(drawing)
    page = write_index(out).read_text()
    assert page.count("data:image/png") == 1 and "<text>98% kept</text>" in page
    assert 'aria-label="Share of the whole layer&#39;s accuracy' in page.replace("'", "&#39;")


def test_without_an_answer_or_any_report(out):
    path = out / "miniature" / "results" / "02_probes.json"
    path.write_text(json.dumps({"notebook": "02_probes", "verdicts": []}))
    page = write_index(out).read_text()
    assert "Is 02_probes so?" in page and 'class="answer"' not in page and "<img" not in page
    assert "at random" in write_index(out / "figures").read_text()


def test_beside_the_paper(tmp_path):
    (tmp_path / "tables").mkdir()
    head = "quantity,task,network,paper,ours,low,high,outcome,differs"
    one = "DR,CIFAR10,ResNet18,0.8,0.701,0.6,0.801,inside"
    rows = [f"{one},compressed weights", "DR,Pets,ResNet18,0.9,,,,none,"]
    text = "\n".join(["# 02_probes", head, *rows])
    for name in ("02_probes-paper.csv", "03_pretraining-paper.csv"):
        (tmp_path / "tables" / name).write_text(text)
    (row,) = beside_paper(tmp_path)
    assert row == Beside(
        "DR, CIFAR10, ResNet18",
        "0.80",
        "0.701 (0.600 to 0.801)",
        "inside",
        f"preset {tmp_path.name}",
        "compressed weights",
    )
    text = "\n".join([head, f"{one},"])
    for path in (tmp_path / "tables").iterdir():
        path.write_text(text)
    assert beside_paper(tmp_path)[0].differs == ""


def test_what_is_kept_of_real_networks():
    real = index.kept_real()
    assert real and real.png and (real.said or real.answer)
    assert real.beside
    for row in real.beside:
        assert row.run == "an earlier run"
        assert "compressed and restored weights" in row.differs


def test_what_differs_stands_beside_a_value_of_the_paper(out, monkeypatch):
    monkeypatch.setattr(index, "kept_real", kept_real)
    page = write_index(out).read_text()
    assert "<td>an earlier run</td>" in page
    assert page.count("compressed and restored weights;") == 1
    differ = {"a": "weights", "b": "", "c": "weights"}
    rows = [Beside(what, "", "", "", "a run", words) for what, words in differ.items()]
    several = replace(kept_real(), beside=rows)
    monkeypatch.setattr(index, "kept_real", lambda: several)
    page = write_index(out).read_text()
    assert "What differs in ours, of a; c: weights.</p>" in page
    assert page.count("What differs") == 1


def test_a_row_in_markdown_may_have_an_empty_cell():
    assert index._cells("| DR | 0.8 |  | 0.7 (0.6 to 0.8) | |") == [
        "DR",
        "0.8",
        "",
        "0.7 (0.6 to 0.8)",
        "",
    ]
