"""What each reader gets of a source: students, who read solutions, and instructors."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from ..pipeline.notebook_format import nbformat
from .source import BEGIN, END, LEVELS, Source, function_around

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

SHOWN = {
    "student": (),
    "grader": (),
    "solution": ("solution",),
    "instructor": ("solution", "instructor"),
}
"""The audiences whose cells stand in each edition, beside those for everybody."""


def edition(
    source: Source, reader: str, notebook: nbformat.NotebookNode | None = None
) -> nbformat.NotebookNode:
    """A notebook for a reader, one of SHOWN. Only students get blanks: graders make their own.

    Parameters
    ----------
    source : Source
    reader : str
    notebook : NotebookNode, optional
        The source as it was executed, for editions with outputs.

    Returns
    -------
    NotebookNode
        Its cells keep the builder's metadata; :func:`finished` takes them off.
    """
    made = copy.deepcopy(source.notebook if notebook is None else notebook)
    made.cells = [cell for cell in made.cells if _is_for(cell, reader)]
    for cell in made.cells:
        if "level" in cell.metadata:
            cell.source = _with_facts(cell.source, cell.metadata)
        if cell.metadata.get("part") == "write" and reader == "student":
            cell.source = blank(cell.source)
        if cell.cell_type == "markdown" and _audience(cell) == "instructor":
            cell.source = _set_apart(cell.source, spoken="slide" in cell.metadata)
    made.metadata = nbformat.from_dict(
        {"kernelspec": dict(KERNEL), "language_info": {"name": "python"}, "title": source.title}
    )
    made.nbformat, made.nbformat_minor = 4, 5
    return made


def _is_for(cell: nbformat.NotebookNode, reader: str) -> bool:
    audience = _audience(cell)
    return audience is None or audience in SHOWN[reader]


def _audience(cell: nbformat.NotebookNode) -> str | None:
    """Whom a cell is for, where it is not for all; a speaker's notes are the instructor's."""
    spoken = "instructor" if cell.metadata.get("slide") == "notes" else None
    audience: str | None = cell.metadata.get("audience", spoken)
    return audience


def _set_apart(text: str, *, spoken: bool) -> str:
    """An instructor's text as a quotation; a speaker's says that it is to be said."""
    lines = [*(["**To say**", ""] if spoken else []), *text.splitlines()]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _with_facts(text: str, about: dict[str, int]) -> str:
    """The text of an exercise, with its level, minutes and points below the heading."""
    facts = (
        f"*Level {about['level']} of {max(LEVELS)} ({LEVELS[about['level']]}), about "
        f"{about['minutes']} minutes, {about['points']} point{'s' * (about['points'] != 1)}.*"
    )
    return re.sub(r"^#.*$", lambda heading: f"{heading[0]}\n\n{facts}", text, count=1, flags=re.M)


def blank(text: str) -> str:
    """A cell with an error in the place of each region.

    >>> print(blank('''def f(x):
    ...     ### BEGIN SOLUTION
    ...     return 2 * x
    ...     ### END SOLUTION'''))
    def f(x):
        raise NotImplementedError("Write f here.")
    """
    return replaced(text, lambda indent, error, _: [indent + error])


def replaced(text: str, change: Callable[[str, str, list[str]], list[str]]) -> str:
    """A cell with other lines in the place of each region.

    ``change`` gets the indent of the region, the error that a student's blank raises, and its
    lines.
    """
    lines: list[str] = []
    inside: list[str] | None = None
    error = indent = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() == BEGIN:
            inside, indent = [], line[: len(line) - len(line.lstrip())]
            function = function_around(text, number)
            error = f'raise NotImplementedError("Write {function} here.")'
        elif line.strip() == END and inside is not None:
            lines += change(indent, error, inside)
            inside = None
        else:
            (lines if inside is None else inside).append(line)
    return "\n".join(lines)


def finished(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A notebook without the builder's metadata."""
    made = copy.deepcopy(notebook)
    for cell in made.cells:
        cell.metadata = nbformat.from_dict({})
    return made


def write_notebook(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook that is valid, in the same bytes each time."""
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def copy_package(package: Path, target: Path) -> None:
    """Copy the students' package without what Python left in it."""
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(package, target, ignore=ignored, dirs_exist_ok=True)
