"""The folder that students get: notebooks with blanks, the package, and what to read first."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import yaml

from ..pipeline.notebook_format import nbformat
from ..store import write_text
from .editions import copy_package, edition, write_notebook
from .glossary import glossary_page
from .graders import with_grades
from .hosted import notebook_badges
from .source import Source

README = """Diffused redundancy: notebooks for students
============================================

You need Python 3.11 or newer with NumPy and matplotlib, and something that opens
notebooks (JupyterLab, VS Code, Anaconda); ipywidgets for sliders, if you like.
Nothing is downloaded. If something is missing:

    python -m pip install -r requirements.txt
    python -m jupyter lab

Keep the folder redundancy_lab beside the notebooks. Begin with:

{notebooks}

In an exercise, write the function in place of the line that raises
NotImplementedError, run the cell, and run the check below it. The check says what
is wrong. Leave the cells of the checks as they are: graders look for them. Hints are
folded: click on them. glossary.html explains the terms. "The paper" is Diffused
Redundancy in Pre-trained Representations (Nanda and others, NeurIPS 2023).

To see whether all is well, run the first two cells of code of {first}. The
first is for Google Colab and prints nothing; the second says how many images and
neurons there are.

On Google Colab, open a notebook and run its first cell: it says what it needs.
"""

ONLY_ON_COLAB = """\
# Only Google Colab needs this cell; it does nothing elsewhere.
import sys
from pathlib import Path

if "google.colab" in sys.modules and not Path("{package}").is_dir():
{how}
"""
FETCH = """\
    import shutil
    import subprocess

    subprocess.run(["git", "clone", "--quiet", "--depth", "1", "{address}", "fetched"], check=True)
    shutil.copytree("fetched/{place}", "{package}")"""
UPLOAD = """\
    from google.colab import files

    print("Choose {package}.zip, which you got with this notebook.")
    for name in files.upload():
        import zipfile

        zipfile.ZipFile(name).extractall()"""


def write_student(
    sources: list[Source], folder: Path, package: Path, root: Path, published: str | None = None
) -> None:
    """Write the students' folder.

    Parameters
    ----------
    sources : list of Source
    folder : path
        What is written.
    package : path
        The students' package.
    root : path
        Of the repository, whose ``CITATION.cff`` may tell where it is published.
    published : str, optional
        ``OWNER/REPOSITORY`` on GitHub that is to hold this folder: notebooks get badges of it.
    """
    if published:
        place = package.name
        colab = colab_cell(place, f"https://github.com/{published}", place)
    else:
        colab = colab_cell(package.name, address(root), f"course/{package.name}")
    for source in sources:
        first = [nbformat.v4.new_code_cell(colab, id="colab")]
        if published:
            badges = notebook_badges(published, f"{source.name}.ipynb")
            first.insert(0, nbformat.v4.new_markdown_cell(badges, id="badges"))
        notebook = with_grades(source, edition(source, "student"))
        notebook.cells = [notebook.cells[0], *first, *notebook.cells[1:]]
        write_notebook(notebook, folder / f"{source.name}.ipynb")
    copy_package(package, folder / package.name)
    write_zip(folder / package.name, folder / f"{package.name}.zip")
    width = max(len(source.name) for source in sources)
    listed = "\n".join(f"    {source.name:{width}}  {source.title}" for source in sources)
    write_text(folder / "glossary.html", glossary_page(root))
    write_text(folder / "README.txt", README.format(notebooks=listed, first=sources[0].name))
    wanted = (root / "course" / "requirements.txt").read_text("utf-8")
    write_text(folder / "requirements.txt", wanted)


def address(root: Path) -> str | None:
    """Where the repository is published, if ``CITATION.cff`` says so."""
    cited: dict[str, Any] = yaml.safe_load((root / "CITATION.cff").read_text("utf-8"))
    return cited.get("repository-code")


def colab_cell(package: str, address: str | None, place: str) -> str:
    """A cell that gets the students' package on Colab: from a place in a repository, or from the
    student.
    """
    how = (FETCH if address else UPLOAD).format(package=package, address=address, place=place)
    return ONLY_ON_COLAB.format(package=package, how=how).rstrip()


def write_zip(folder: Path, target: Path) -> None:
    """A folder in one file, to be handed out, or for Colab, which takes no folders; the same bytes
    each time.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(folder.parent).as_posix()
                packed.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), path.read_bytes())
