"""Whether a line of a solution stands anywhere in what students get."""

from __future__ import annotations

import html
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from diffused_redundancy.course.editions import edition
from diffused_redundancy.course.source import Source, regions

FEW = 8
"""Lines up to this length are no give-away: ``return x``."""

COMMON = {
    "rng = np.random.default_rng(seed)",
    "smooth = (right + 0.5) / (counts + 1)",  # the exercise gives it as a formula
}
"""Lines that checks hold too, and that give nothing away."""


def secrets(source: Source, *, notes: bool = True) -> set[str]:
    """The lines that students must not see: those in regions and in cells for others, less those
    that the student's notebook has elsewhere.
    """
    lines = set()
    for cell in source.notebook.cells:
        for inside, _ in regions(cell.source):
            lines |= {line.strip() for line in inside}
        if "audience" in cell.metadata or (notes and cell.metadata.get("slide") == "notes"):
            lines |= {line.strip() for line in cell.source.splitlines()}
    shown = "\n".join(cell.source for cell in edition(source, "student").cells)
    return {line for line in lines - COMMON if len(line) > FEW and line not in shown}


def texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file of a folder, also those inside archives: its name and what can be read in it."""
    for path in sorted(folder.rglob("*")):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                for name in packed.namelist():
                    yield f"{path.name}/{name}", readable(name, packed.read(name))
        elif path.is_file():
            yield str(path.relative_to(folder)), readable(path.name, path.read_bytes())


def readable(name: str, content: bytes) -> str:
    text = content.decode("utf-8", errors="replace")
    if name.endswith((".ipynb", ".json")):
        return "\n".join(strings(json.loads(text)))
    if name.endswith(".html"):
        return html.unescape(re.sub(r"<[^>]+>", "", text)) + text
    return text


def strings(value: object) -> Iterator[str]:
    """All texts in a JSON value, keys too; the lines of a list are one text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if all(isinstance(one, str) for one in value):
            yield "".join(value)
        else:
            for one in value:
                yield from strings(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from strings(one)


def leaks(source: Source, folder: Path, *, notes: bool = True) -> list[tuple[str, str]]:
    """The lines of solutions that are in files of a folder, each with the file."""
    hidden = secrets(source, notes=notes)
    assert hidden, "nothing to search for"
    return [(line, name) for name, text in texts(folder) for line in hidden if line in text]
