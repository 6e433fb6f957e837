"""Everything of the course, from its sources, in one folder."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from ..errors import InputError
from ..pipeline.notebook_format import nbformat
from ..report.html import markdown, page, rendered
from ..report.notebook_page import notebook_body
from ..store import make_folder, write_text
from ..store.paths import repository
from .browser import check_pyodide, write_lab
from .editions import edition, finished, write_notebook
from .execution import executed
from .graders import graded, write_nbgrader, write_otter
from .slides import reveal, slides_page
from .source import LEVELS, Source, read_sources
from .student import write_student, write_zip

PACKAGE = "redundancy_lab"
PARTS = (
    *("student", "solutions", "instructor", "slides", "nbgrader", "otter", "browser"),
    *("index.html", "student.zip"),
)
TITLE = "The course: diffused redundancy in pre-trained layers"


def build(
    folder: Path,
    course: Path | None = None,
    *,
    pyodide: Path | None = None,
    published: str | None = None,
) -> list[Source]:
    """Write all that lecturers and students get.

    Parameters
    ----------
    folder : path
        New, or one that holds an earlier build: its files are written again, and what graders
        added stays.
    course : path, optional
        The folder of the sources; the checkout's by default.
    pyodide : path, optional
        Pyodide's files, for the browser lab.
    published : str, optional
        ``OWNER/REPOSITORY`` on GitHub that is to hold the folder ``student``.

    Returns
    -------
    list of Source

    Raises
    ------
    InputError
        For a fault in a source, before anything is written; for a folder with other things.
    """
    course = repository() / "course" if course is None else Path(course)
    folder = Path(folder)
    sources = read_sources(course)
    package = course / PACKAGE
    if not (package / "__init__.py").is_file():
        raise InputError(f"{package} is missing: students' notebooks import it")
    reveal()
    if pyodide is not None:
        check_pyodide(pyodide)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in PARTS and not path.name.startswith("."):
            raise InputError(f"{folder} holds {path.name}, no part of a course: give a new folder")
    make_folder(folder)
    runs = executed(sources, package)

    write_student(sources, folder / "student", package, repository(), published)
    write_zip(folder / "student", folder / "student.zip")
    write_nbgrader(sources, folder / "nbgrader", package)
    write_otter(sources, folder / "otter", package)
    slides = []
    for source, done in zip(sources, runs, strict=True):
        for reader, place in (("solution", "solutions"), ("instructor", "instructor")):
            notebook = finished(edition(source, reader, done))
            write_notebook(notebook, folder / place / f"{source.name}.ipynb")
            write_text(folder / place / f"{source.name}.html", _page(source, notebook))
        deck = slides_page(source, done)
        if deck is not None:
            write_text(folder / "slides" / f"{source.name}.html", deck)
            slides.append(source.name)
    explorer = repository() / "reports" / "miniature" / "explorer.html"
    write_lab(
        folder / "browser",
        pyodide=pyodide,
        explorer=explorer if explorer.is_file() else None,
    )
    write_text(folder / "index.html", _index(sources, slides))
    return sources


def _page(source: Source, notebook: nbformat.NotebookNode) -> str:
    """An executed notebook as a page, with its code open."""
    body = notebook_body(notebook, html=True).replace(
        '<details class="code">', '<details class="code" open>'
    )
    top = '<p><a href="../index.html">All of the course</a></p>'
    return page(source.title, top + body, notebook=f"{source.name}.ipynb")


def _index(sources: list[Source], slides: list[str]) -> str:
    """The page that tells a lecturer what is where."""
    exercises = [exercise for source in sources for exercise in source.exercises.values()]
    body = rendered(
        "course.html.j2",
        title=TITLE,
        sources=sources,
        graded=graded(sources),
        example=(graded(sources) or sources)[0].name,
        slides=slides,
        levels=LEVELS,
        package=PACKAGE,
        exercises=len(exercises),
        minutes=sum(exercise.minutes for exercise in exercises),
        points=sum(exercise.points for exercise in exercises),
        inline=_inline,
    )
    return page(TITLE, body, contents=False)


def _inline(text: str) -> Markup:
    """A line of Markdown, without the paragraph around it."""
    return Markup(markdown(text, html=True).strip().removeprefix("<p>").removesuffix("</p>"))
