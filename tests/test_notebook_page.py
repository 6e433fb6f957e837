"""The page of a notebook: answer, figure and verdicts first, each thing once, links to files."""

from __future__ import annotations

import html
import re

import pytest
from diffused_redundancy.report.display import MARK
from diffused_redundancy.report.notebook_page import notebook_page
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

PNG = "iVBORw0KGgo="


def shown(data, number=1, **mark):
    metadata = {MARK: mark} if mark else {}
    return new_code_cell(
        f"code_{number}",
        execution_count=number,
        outputs=[new_output("display_data", data, metadata=metadata)],
    )


def cells():
    parameters = new_code_cell("SEEDS: list[int] = [1]", execution_count=1)
    parameters.metadata["tags"] = ["parameters"]
    verdict = {"claim": 5, "verdict": "holds", "kind": "holds", "part": "", "analogue": False}
    verdict |= {"because": "30 of 30.", "tally": "3 of 3 tasks", "notebook": "02_x"}
    return {
        "title": new_markdown_cell("# Is it so?\n\nThe paper says so."),
        "about": new_markdown_cell("## Parameters\n\nChange them."),
        "parameters": parameters,
        "other figure": shown(
            {"image/png": PNG, "text/plain": "Dots"}, 2, role="figure", files=["figures/02_x-a.svg"]
        ),
        "hero": shown(
            {"image/png": PNG, "text/plain": "A curve"},
            3,
            role="hero",
            files=["figures/02_x-curve.svg", "tables/02_x-curve.csv"],
        ),
        "table": shown(
            {"text/markdown": "| k |\n|---|\n| 7 |"}, 4, role="table", files=["tables/02_x-k.csv"]
        ),
        "answer": shown({"text/markdown": "**Answer.** Yes: 7."}, 5, role="answer"),
        "verdict": shown({"text/markdown": "**Claim 5.**"}, 6, role="verdict", verdict=verdict),
        "made": new_markdown_cell("## What made this page"),
        "values": shown({"text/markdown": "| SEEDS |\n|---|\n| [1] |"}, 7, role="parameters"),
    }


def page_of(some):
    return notebook_page(new_notebook(cells=list(some.values())), "02_x", home="../index.html")


def places(page, *words):
    return [page.index(word) for word in words]


def test_the_order_of_a_page():
    page = page_of(cells())
    page = page[page.index("<main") :]
    found = places(
        page,
        "Is it so?</h1>",
        "Yes: 7.",
        'class="hero"',
        'class="strip"',
        "How it was measured</h2>",
        "The paper says so.",
        "code_2",
        "What made this page</h2>",
        "Parameters of this run",
    )
    assert found == sorted(found)
    assert page.count("Yes: 7.") == page.count(">A curve") == page.count("Parameters") == 1
    assert "Answer." not in page and "SEEDS: list" not in page and "[1]" in page
    assert 'href="#verdict-1"' in page and 'id="verdict-1"' in page
    assert page.count("30 of 30.") == 1 and "3 of 3 tasks" in page


def test_links_to_files():
    page = page_of(cells())
    for path in ("figures/02_x-curve.svg", "tables/02_x-curve.csv", "tables/02_x-k.csv"):
        assert page.count(f'href="{path}"') == 1
    assert "cell 3" in page and 'href="02_x.ipynb"' in page
    assert "https://arxiv.org/abs/2306.00183" in page


def test_every_figure_and_table_links_to_the_source_where_it_has_an_address():
    address = "https://github.com/a/b/blob/12ab/notebooks/02_x.py?a&b"
    page = notebook_page(new_notebook(cells=list(cells().values())), "02_x", source=address)
    links = re.findall('href="([^"]*)">source</a>', page)
    assert [html.unescape(link) for link in links] == [address] * 3  # two figures and a table
    assert ">source</a>" not in page_of(cells())


@pytest.mark.parametrize("missing", ["answer", "hero", "verdict", "values"])
def test_a_page_that_lacks_something(missing):
    some = cells()
    del some[missing]
    page = page_of(some)
    assert page.count("Is it so?</h1>") == 1 and "The paper says so." in page
    assert ("SEEDS: list" in re.sub("<[^>]+>", "", page)) is (missing == "values")


def test_a_notebook_without_marks_stays_as_it_is():
    some = cells()
    page = page_of({name: some[name] for name in ("title", "about", "parameters", "made")})
    assert "How it was measured" not in page
    found = places(page[page.index("<main") :], "The paper says so.", "Change them.", "What made")
    assert found == sorted(found)


def test_neighbours():
    notebook = new_notebook(cells=[new_markdown_cell("# One")])
    around = {"previous": ("01_a", "Is <a> so?"), "next": ("03_b", "Is b so?")}
    page = notebook_page(notebook, "02_x", home="../index.html", **around)
    assert page.count('href="01_a.html" rel="prev">← Is &lt;a&gt; so?</a>') == 2
    assert page.count('href="03_b.html" rel="next"') == 2
