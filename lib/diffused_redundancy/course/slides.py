"""Slides: the marked cells of an executed source as one page with reveal.js inside."""

from __future__ import annotations

import copy
import math
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from markupsafe import Markup
from traitlets.config import Config

from ..errors import InputError
from ..pipeline.notebook_format import nbformat
from ..report.html import TEMPLATES, markdown, rendered, with_focus
from .editions import blank
from .source import Source

LINES = 17
"""What fits on a slide, in lines of text."""


@cache
def reveal() -> dict[str, Markup]:
    """The style and scripts of reveal.js, from the package that carries it."""
    found = find_spec("sphinx_revealjs")
    if found is None or not found.submodule_search_locations:
        raise InputError("slides need reveal.js: pip install sphinx-revealjs (the extra 'course')")
    folder = Path(found.submodule_search_locations[0]) / "_static" / "revealjs"
    files = {
        "style": "dist/reveal.css",
        "script": "dist/reveal.js",
        "notes": "plugin/notes/notes.js",
    }
    return {
        # "</script" within a script would end it
        name: Markup((folder / part).read_text("utf-8").replace("</script", "<\\/script"))
        for name, part in files.items()
    }


def on_slides(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The cells that are marked for slides, as nbconvert marks them.

    Regions are blanks, as students see slides before they have written anything. Code that only
    shows something is folded. A fragment that would not fit below what its slide holds is a slide
    of its own.
    """
    made = copy.deepcopy(notebook)
    made.cells = [cell for cell in made.cells if "slide" in cell.metadata]
    filled = 0.0
    for cell in made.cells:
        if cell.metadata.get("part") == "write":
            cell.source = blank(cell.source)
        kind, folded, lines = cell.metadata["slide"], _is_folded(cell), 0.0
        if kind != "notes":
            lines = 0 if folded else _lines(cell)
            if kind == "fragment" and filled + lines > LINES:
                kind = "subslide"
            filled = lines if kind != "fragment" else filled + lines
        about = {"slideshow": {"slide_type": kind}, "folded": folded}
        cell.metadata = nbformat.from_dict(about)
    return made


def _is_folded(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell draws, or shows something and defines nothing."""
    outputs = cell.get("outputs", [])
    if any("image/png" in output.get("data", {}) for output in outputs):
        return True
    defines = any(line.startswith(("def ", "class ")) for line in cell.source.splitlines())
    return bool(outputs) and not defines


def _lines(cell: nbformat.NotebookNode) -> float:
    """The height of a cell on a slide, roughly, in lines of text."""
    lines = cell.source.splitlines()
    if cell.cell_type == "code":  # in smaller letters
        return 0.7 * len(lines)
    shown = re.sub(r"<details>.*?</details>", "", cell.source, flags=re.DOTALL)
    return sum(math.ceil(len(part) / 85) + 0.5 for part in re.split(r"\n\s*\n", shown) if part)


def slides_page(source: Source, notebook: nbformat.NotebookNode) -> str | None:
    """The slides of an executed source; None if no cell is marked for them."""
    from nbconvert import SlidesExporter

    shown = on_slides(notebook)
    if not shown.cells:
        return None
    config = Config()
    config.SlidesExporter.template_name = "slides"
    config.SlidesExporter.extra_template_basedirs = [str(TEMPLATES)]
    config.SlidesExporter.extra_template_paths = [str(TEMPLATES)]  # it extends another there
    config.SlidesExporter.exclude_input_prompt = True
    config.SlidesExporter.exclude_output_prompt = True
    exporter = SlidesExporter(config=config)
    exporter.register_filter("markdown2html", markdown)
    body, _ = exporter.from_notebook_node(shown)
    return rendered(
        "slides.html.j2",
        title=source.title,
        body=Markup(with_focus(body)),
        reveal=reveal(),
        style=Markup((TEMPLATES / "slides.css").read_text(encoding="utf-8")),
        script=Markup((TEMPLATES / "slides.js").read_text(encoding="utf-8")),
    )
