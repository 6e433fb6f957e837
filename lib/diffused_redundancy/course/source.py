"""The sources of the course, read and checked before anything is built from them."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError, check_whole, unknown
from ..pipeline.notebook_format import nbformat
from ..report.html import title_of

LEVELS = {1: "first steps", 2: "on your own", 3: "open"}
PARTS = ("write", "check")
AUDIENCES = ("instructor", "solution")
SLIDES = ("slide", "subslide", "fragment", "notes")
KEYS = ("exercise", "level", "minutes", "points", "part", "audience", "slide", "alt")
IMPORTS = ("numpy", "matplotlib", "redundancy_lab", "ipywidgets", "IPython")
"""What students have, beside the standard library; widgets only where they are."""

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


@dataclass(frozen=True)
class Exercise:
    """An exercise, as its text and its cells say.

    ``number`` is that of its heading, which may have none, ``function`` is the name of what is to
    be written, ``solutions`` the cells that write it, with their regions.
    """

    name: str
    number: str
    title: str
    goal: str
    level: int
    minutes: int
    points: int
    function: str
    solutions: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """One script: its name without the ending, its title, its cells and exercises."""

    name: str
    title: str
    notebook: nbformat.NotebookNode
    exercises: dict[str, Exercise] = field(default_factory=dict)


def read_sources(folder: Path) -> list[Source]:
    """The scripts ``NN_name.py`` of a folder, in order.

    Raises
    ------
    InputError
        For the first fault, with its file and exercise.
    """
    paths = sorted(Path(folder).glob("[0-9][0-9]_*.py"))
    if not paths:
        raise InputError(f"no sources of the course in {folder}: they are called NN_name.py")
    found: list[Source] = []
    for path in paths:
        source = read_source(path)
        for earlier in found:
            for name in source.exercises:
                if name in earlier.exercises:
                    raise InputError(
                        f"two exercises {name!r}: in {earlier.name}.py and {source.name}.py"
                    )
        found.append(source)
    return found


def read_source(path: Path) -> Source:
    """One script, checked."""
    import jupytext

    notebook = jupytext.read(path)
    cells_of: dict[str, list[nbformat.NotebookNode]] = {}
    for place, cell in enumerate(notebook.cells):
        metadata = cell.metadata
        metadata.pop("lines_to_next_cell", None)  # a note of jupytext's to itself
        where = f"{path.name}, {_place(cell, place)}"
        for key in metadata:
            if key not in KEYS:
                raise InputError(f"{where}: {unknown('metadata', key, KEYS)}")
        for key, allowed in (("part", PARTS), ("audience", AUDIENCES), ("slide", SLIDES)):
            if key in metadata and metadata[key] not in allowed:
                raise InputError(f"{where}: {unknown(key, metadata[key], allowed)}")
        if "audience" in metadata and metadata.get("slide", "notes") != "notes":
            raise InputError(
                f"{where}: a cell for the {metadata['audience']} cannot stand on a slide, "
                "only in its notes"
            )
        _check_regions(cell, where)
        if cell.cell_type == "code":
            _check_imports(cell.source, where)
        if "exercise" in metadata:
            cells_of.setdefault(metadata["exercise"], []).append(cell)
        cell["id"] = f"{path.stem[:2]}-{place:03d}"  # random ids would differ from build to build
    exercises = {
        name: _exercise(str(name), cells, f"{path.name}, exercise {name!r}")
        for name, cells in cells_of.items()
    }
    return Source(path.stem, title_of(notebook, path.stem), notebook, exercises)


def _place(cell: nbformat.NotebookNode, place: int) -> str:
    """How an error names a cell."""
    if "exercise" in cell.metadata:
        return f"exercise {cell.metadata['exercise']!r}"
    first = cell.source.partition("\n")[0]
    return f"cell {place + 1} ({first!r})"


def _check_regions(cell: nbformat.NotebookNode, where: str) -> None:
    """Regions are closed, not nested, and only in cells that are to be written."""
    is_open = False
    for line in cell.source.splitlines():
        if line.strip() == BEGIN:
            if is_open:
                raise InputError(f"{where}: a region begins inside a region")
            is_open = True
        elif line.strip() == END:
            if not is_open:
                raise InputError(f"{where}: {END!r} without {BEGIN!r}")
            is_open = False
        elif re.search(r"#\s*(BEGIN|END)\s+SOLUTION", line, flags=re.IGNORECASE):
            raise InputError(f"{where}: {line.strip()!r} is no mark: write {BEGIN!r} or {END!r}")
    if is_open:
        raise InputError(f"{where}: a region is not closed by {END!r}")
    if BEGIN in cell.source and cell.metadata.get("part") != "write":
        raise InputError(f'{where}: a region outside a cell with part="write" would be shown')


def _check_imports(text: str, where: str) -> None:
    """Code is Python, and imports nothing that a student lacks."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise InputError(f"{where}: line {error.lineno} of the cell: {error.msg}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "."]
        else:
            continue
        for name in names:
            module = name.partition(".")[0]
            if module not in IMPORTS and module not in sys.stdlib_module_names:
                raise InputError(f"{where}: imports {name}, which students do not have")


def _exercise(name: str, cells: list[nbformat.NotebookNode], where: str) -> Exercise:
    """An exercise from its cells: text, functions to write, and a check."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise InputError(f"{where}: its name needs small letters, digits, _ and - (as in 'cka')")
    texts = [cell for cell in cells if "level" in cell.metadata]
    writes = [cell for cell in cells if cell.metadata.get("part") == "write"]
    checks = [cell for cell in cells if cell.metadata.get("part") == "check"]
    if len(texts) != 1 or texts[0].cell_type != "markdown":
        raise InputError(
            f"{where}: {len(texts)} cells with level=, where one of Markdown is needed"
        )
    if not writes:
        raise InputError(f'{where}: nothing to write (no cell with part="write")')
    if len(checks) != 1:
        raise InputError(f"{where}: {len(checks)} checks, where one is needed")
    for cell in writes:
        if BEGIN not in cell.source:
            raise InputError(f'{where}: a cell with part="write" has no region')
        for _, number in regions(cell.source):
            if not function_around(cell.source, number):
                raise InputError(f"{where}: a region stands outside a function")
    text, about = texts[0].source, texts[0].metadata
    function = _checked(checks[0].source, name)
    if function is None:
        raise InputError(f'{where}: its check cell must be lab.check("{name}", FUNCTION) alone')
    if function not in {made for cell in writes for made in _functions(cell.source)}:
        raise InputError(f"{where}: its check is of {function}, which it does not write")
    heading = re.search(r"^#+ (?:Exercise ([\w.]+): )?(.+)$", text, flags=re.MULTILINE)
    goal = re.search(r"^\*+Goal[:.]\*+:? *(.+?)(?:\n\s*\n|\Z)", text, flags=re.MULTILINE | re.S)
    if not heading or not goal:
        raise InputError(f"{where}: its text needs a heading and a line that begins with *Goal:*")
    for key in ("minutes", "points"):
        check_whole(about.get(key), f"{where}: {key}", 1)
    check_whole(about["level"], f"{where}: level", min(LEVELS), max(LEVELS))
    return Exercise(
        name,
        heading[1] or "",
        heading[2].strip(),
        _sentence(goal[1]),
        about["level"],
        about["minutes"],
        about["points"],
        function,
        tuple(cell.source for cell in writes),
    )


def _sentence(text: str) -> str:
    """A text on one line, with a capital letter."""
    line = " ".join(text.split())
    return line[:1].upper() + line[1:]


def _functions(text: str) -> list[str]:
    """The functions that a cell defines."""
    return [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]


def _checked(text: str, name: str) -> str | None:
    """The function of a cell that is ``lab.check(name, FUNCTION)`` and nothing else: graders put
    their own tests in its place.
    """
    match ast.parse(text).body:
        case [
            ast.Expr(
                ast.Call(
                    func=ast.Attribute(value=ast.Name("lab"), attr="check"),
                    args=[ast.Constant(value), ast.Name(function)],
                    keywords=[],
                )
            )
        ] if value == name:
            return function
    return None


def regions(text: str) -> Iterator[tuple[list[str], int]]:
    """The lines of each region, marks left out, and the number of its first mark, from 1."""
    inside: list[str] | None = None
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() == BEGIN:
            inside, start = [], number
        elif line.strip() == END and inside is not None:
            yield inside, start
            inside = None
        elif inside is not None:
            inside.append(line)


def function_around(text: str, number: int) -> str:
    """The name of the function that a line belongs to; empty if it belongs to none."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.lineno < number <= (node.end_lineno or 0):
            return node.name
    return ""
