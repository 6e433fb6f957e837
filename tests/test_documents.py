"""README, docs and all other Markdown: links lead somewhere, numbers are those of the executed
notebooks, and the reference is that of the docstrings.
"""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(path for path in ROOT.glob("[!.]*/**/*.md"))])
PAGES = [page for page in PAGES if page.relative_to(ROOT).parts[0] not in ("shared", "reports")]
PROBED = {"miniature": "notebooks/02_probes.ipynb", "real": "notebooks/real/02_probes.ipynb"}
"""The notebooks whose figures the README shows."""
BLOCK = re.compile(r"^```.*?^```", re.M | re.S)
SCRIPTS = sorted((ROOT / "notebooks").glob("*.py"))


def without_code(text: str) -> str:
    """Markdown without its blocks and spans of code, in which brackets are no links."""
    return re.sub(r"`[^`\n]+`", "code", re.sub(BLOCK, "", text))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings, and those it sets itself."""
    text = page.read_text(encoding="utf-8")
    found: list[str] = []
    for heading in re.findall(
        r"^#{1,6} (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M
    ):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", shown).strip().replace(" ", "-")
        seen = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", one) is not None for one in found)
        found.append(f"{slug}-{seen}" if seen else slug)
    return {*found, *re.findall(r'<a (?:id|name)="([^"]+)"', text)}


def links(text: str) -> list[str]:
    """The targets of a text's links and images, those of other servers aside."""
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)", without_code(text))
    targets += re.findall(r"<(?:img|a)[^>]* (?:src|href)=[\"']([^\"']+)", without_code(text))
    return [unquote(one) for one in targets if not re.match(r"[a-z]+:", one)]


def broken(text: str, page: Path) -> list[str]:
    """Relative links that lead nowhere."""
    lost = []
    for target in links(text):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        inside = file.is_relative_to(ROOT) and file.exists()
        if not inside or (anchor and (file.suffix != ".md" or anchor not in anchors(file))):
            lost.append(target)
    return lost


def test_there_are_pages():
    names = {page.relative_to(ROOT).as_posix() for page in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "data/README.md", "docs/reference.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_to_files_and_headings(page):
    assert not broken(page.read_text(encoding="utf-8"), page)


@pytest.mark.parametrize(
    "script", sorted((ROOT / "notebooks").glob("*.py")), ids=lambda one: one.stem
)
def test_relative_links_of_notebooks_do_too(script):
    prose = "\n".join(re.findall(r"^# ?(.*)$", script.read_text(encoding="utf-8"), re.M))
    assert not broken(prose, script)


def test_broken_links_are_found(tmp_path):
    text = "# One\n\n# One\n\n## A *b*, `c`: d\n"
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    assert anchors(page) == {"one", "one-1", "a-b-c-d"}
    readme = ROOT / "README.md"
    there = "[a](data/README.md) ![b](notebooks/images/real.png) [c](https://x.org/y)"
    assert broken(there, readme) == []
    lost = "[a](data/NONE.md) ![b](none.png) [c](data/README.md#none) [d](#none) [e](../outside.md)"
    assert len(broken(lost, readme)) == 5
    assert broken("```\n[a](none.md)\n```\n`[a](none.md)`", readme) == []


def test_every_page_of_docs_is_linked_from_the_readme():
    linked = links((ROOT / "README.md").read_text(encoding="utf-8"))
    pages = [page.relative_to(ROOT).as_posix() for page in PAGES if page.parent.name == "docs"]
    assert pages and {*pages} <= {one.partition("#")[0] for one in linked}


def test_the_readme_is_short():
    words = re.sub(r"\]\([^)]*\)", "]", without_code((ROOT / "README.md").read_text("utf-8")))
    assert len(re.findall(r"[A-Za-z][\w'-]*", words)) <= 900


def test_the_readme_and_its_figure_speak_of_the_same_probe():
    """Logistic, as in the paper; and its numbers are those of the executed notebooks."""
    from diffused_redundancy.pipeline.execute import README_FIGURE

    assert {*README_FIGURE.values()} == {"kept"}  # of logistic probes
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^]]*\]\(notebooks/images/(\w+)\.png\)\s+\*(.*?)\*\n", readme, re.S)
    assert [name for name, _ in shown] == [*PROBED]
    for name, caption in shown:
        notebook = json.loads((ROOT / PROBED[name]).read_text(encoding="utf-8"))
        outputs = [one for cell in notebook["cells"] for one in cell.get("outputs", [])]
        told = "\n".join("".join(one.get("data", {}).get("text/markdown", "")) for one in outputs)
        told = told[told.index("Accuracy of logistic probes on a random fifth") :]
        values = re.findall(r"([\d.]+)%? \((-?[\d.]+) to ([\d.]+)\)", caption)
        assert len(values) == {"miniature": 4, "real": 2}[name]
        for value, low, high in values:
            same = rf"\b{value}%? \({low}%? to {high}%?\)"
            assert re.search(same.replace(".", r"\."), told), (value, low, high)


def test_the_reference_is_that_of_the_docstrings():
    path = ROOT / "docs" / "make_reference.py"
    spec = importlib.util.spec_from_file_location("make_reference", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    kept = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert kept == made.reference(), "renew it: python docs/make_reference.py"
