"""The page of an executed notebook, in the order in which it is read.

A notebook is in the order in which it runs: its answer is known at its end. A page begins with the
question, the answer, the figure that shows it and the verdicts, which the metadata of outputs mark
(:data:`.display.MARK`); how it was measured follows in the notebook's order, and the parameters, of
which the notebook shows cells and a table, stand once, folded, before what made the page.
"""

from __future__ import annotations

import copy
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from traitlets.config import Config

from .display import MARK
from .html import TEMPLATES, markdown, page, rendered, title_of
from .verdict_strip import verdict_strip

if TYPE_CHECKING:
    import nbformat

HOSTED = "hosted"
"""The tag of cells that are for hosted services alone, such as Colab; pages leave them out."""


def notebook_page(
    notebook: nbformat.NotebookNode,
    name: str,
    *,
    before: str = "",
    footer: str = "",
    source: str = "",
    **links: Any,
) -> str:
    """The whole page of an executed notebook.

    Parameters
    ----------
    notebook : NotebookNode
    name : str
        Of its file, beside the page.
    before : str
        HTML that stands above everything: what failed.
    footer, source : str
        What stands at the end, and the address of the notebook's source, if it has one.
    **links
        To other pages; see :func:`.html.page`.
    """
    body = before + notebook_body(arranged(notebook, source))
    title = title_of(notebook, name)
    return page(title, body, footer=footer, notebook=f"{name}.ipynb", **links)


def notebook_body(notebook: nbformat.NotebookNode, *, html: bool = False) -> str:
    """The cells of a notebook as HTML; ``html`` as for :func:`.html.markdown`."""
    from nbconvert import HTMLExporter

    config = Config()
    config.HTMLExporter.template_name = "diffused"
    config.HTMLExporter.extra_template_basedirs = [str(TEMPLATES)]
    config.HTMLExporter.exclude_input_prompt = True
    config.HTMLExporter.exclude_output_prompt = True
    exporter = HTMLExporter(config=config)
    exporter.register_filter("markdown2html", partial(markdown, html=html))
    exporter.register_filter("lead_first", lead_first)
    body, _ = exporter.from_notebook_node(notebook)
    return body


def lead_first(answer: str) -> str:
    """An answer as a notebook shows it, in Markdown, with its first sentence in bold.

    >>> lead_first("**Answer.** Yes. By 0.5.")
    '**Yes.** By 0.5.'
    """
    first, stop, rest = answer.removeprefix("**Answer.** ").partition(". ")
    return f"**{first}.** {rest}" if stop else f"**{first}**"


def arranged(notebook: nbformat.NotebookNode, source: str = "") -> nbformat.NotebookNode:
    """A notebook with its cells and outputs in the order of the page; ``source`` is the address of
    its source.

    Without an answer, as where it failed, everything but the marked figure and the verdicts that
    there are stays in its place.
    """
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

    notebook = copy.deepcopy(notebook)
    notebook.cells = [one for one in notebook.cells if HOSTED not in one.metadata.get("tags", [])]
    _number(notebook, source)
    answers, heroes = _taken(notebook, "answer"), _taken(notebook, "hero")
    verdicts = [
        {**output.metadata[MARK]["verdict"], "href": f"#verdict-{place}"}
        for place, output in enumerate(_marked(notebook, "verdict"), 1)
    ]
    if not (answers or heroes or verdicts):
        return _with_parameters_once(notebook)
    first = notebook.cells[0]
    title, _, rest = first.source.partition("\n")
    top = [new_markdown_cell(title)]
    if answers or heroes:
        shown = new_code_cell("", outputs=[*answers, *heroes])
        shown.metadata["tags"] = ["lifted"]
        top.append(shown)
    if verdicts:
        strip = verdict_strip(verdicts)
        top.append(new_raw_cell(strip, metadata={"raw_mimetype": "text/html"}))
    top.append(new_markdown_cell(f"## How it was measured\n\n{rest.strip()}"))
    notebook.cells = [*top, *notebook.cells[1:]]
    return _with_parameters_once(notebook)


def _outputs(notebook: nbformat.NotebookNode) -> list[tuple[Any, Any]]:
    """Every marked output, with the cell that it is of."""
    return [
        (cell, output)
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if MARK in output.get("metadata", {})
    ]


def _marked(notebook: nbformat.NotebookNode, role: str) -> list[Any]:
    return [one for _, one in _outputs(notebook) if one.metadata[MARK]["role"] == role]


def _number(notebook: nbformat.NotebookNode, source: str) -> None:
    """Let each marked output know the number of its cell and the source, and each verdict its
    place.
    """
    for cell, output in _outputs(notebook):
        output.metadata[MARK].update(cell=cell.execution_count, source=source)
    for place, output in enumerate(_marked(notebook, "verdict"), 1):
        output.metadata[MARK]["place"] = place


def _taken(notebook: nbformat.NotebookNode, role: str) -> list[Any]:
    """The outputs of a role, taken out of their cells; a cell that showed nothing else goes."""
    taken = [(cell, one) for cell, one in _outputs(notebook) if one.metadata[MARK]["role"] == role]
    for cell, output in taken:
        cell.outputs = [one for one in cell.outputs if one is not output]
    return [output for _, output in taken]


def _with_parameters_once(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with its parameters as one folded table; as it is if it ended before the
    table.
    """
    tables = _taken(notebook, "parameters")
    if not tables:
        return notebook
    from nbformat.v4 import new_raw_cell

    about, kept = "", []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "parameters" in tags or "injected-parameters" in tags:
            continue
        if cell.cell_type == "markdown" and re.match(r"## Parameters\s", cell.source):
            about = cell.source.partition("\n")[2].strip()
            continue
        kept.append(cell)
    table = markdown("".join(tables[0].data["text/markdown"]))
    fold = rendered("parameters.html.j2", about=markdown(about), table=table)
    folded = new_raw_cell(fold, metadata={"raw_mimetype": "text/html"})
    notebook.cells = [*kept[:-1], folded, kept[-1]] if kept else [folded]
    return notebook
