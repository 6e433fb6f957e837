"""Write what depends on where the repository is published: badges that open it in Colab, Binder and
Codespaces, into README.md and the notebooks; the cell that Colab needs, into the notebooks; and the
address, into CITATION.cff, from which the course's notebooks take it.

.venv/bin/python docs/make_badges.py [https://github.com/OWNER/REPOSITORY]

Without an address it is git's ``origin``. The sources have none of this until then: a badge of
another repository would open other code than the one it stands in, and a cell that is of use on
Colab alone would be the first code of every notebook. A second call changes nothing, and one with
another address replaces the first.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import jupytext
import nbformat
from diffused_redundancy import presets
from diffused_redundancy.course.hosted import (
    ARTIFACT_ON_COLAB,
    notebook_badges,
    on_github,
    repository_badges,
)
from diffused_redundancy.errors import InputError
from diffused_redundancy.report.notebook_page import HOSTED
from diffused_redundancy.store import paths, sha256_of
from diffused_redundancy.store.provenance import origin

FIRST = "notebooks/00_getting_started.ipynb"
BEGIN, END = "<!-- badges: docs/make_badges.py writes them -->", "<!-- end of badges -->"


def readme(text: str, repository: str) -> str:
    """README.md with badges below its title."""
    text = re.sub(rf"{re.escape(BEGIN)}.*?{re.escape(END)}\n\n", "", text, flags=re.S)
    title, _, rest = text.partition("\n\n")
    return f"{title}\n\n{BEGIN}\n{repository_badges(repository, FIRST)}\n{END}\n\n{rest}"


def citation(text: str, repository: str) -> str:
    """CITATION.cff with the address of the repository."""
    text = re.sub(r"^repository-code: .*\n", "", text, flags=re.M)
    line = f'repository-code: "https://github.com/{repository}"\n'
    return re.sub(r"^license: .*\n", lambda license: license[0] + line, text, flags=re.M)


def script(text: str, name: str, repository: str) -> str:
    """A notebook's script with badges and the cell for Colab below its first cell."""
    head, first, *others = re.split(r"^(?=# %%)", text, flags=re.M)
    mark = f'tags=["{HOSTED}"]'
    kept = [cell for cell in others if mark not in cell.partition("\n")[0]]
    badges = notebook_badges(repository, f"notebooks/{name}.ipynb").replace("\n", "\n# ")
    code = ARTIFACT_ON_COLAB.format(address=f"https://github.com/{repository}")
    made = [f"# %% [markdown] {mark}\n# {badges}\n\n", f"# %% {mark}\n{code}\n\n"]
    return "".join([head, first, *made, *kept])


def executed(notebook: nbformat.NotebookNode, source: str) -> nbformat.NotebookNode:
    """An executed notebook with the cells for hosted services as its script has them now. Neither
    has an output, so all others stay; that of Colab counts as not run.
    """

    def hosted(cell: nbformat.NotebookNode) -> bool:
        return HOSTED in cell.metadata.get("tags", [])

    made = [cell for cell in jupytext.reads(source, fmt="py:percent").cells if hosted(cell)]
    for number, cell in enumerate(made, 1):
        cell["id"] = f"{HOSTED}-{number}"  # random ids would differ from run to run
    first, *others = notebook.cells
    notebook.cells = [first, *made, *(cell for cell in others if not hosted(cell))]
    return notebook


def written(root: Path, repository: str) -> dict[Path, str]:
    """What each file is to hold.

    Raises
    ------
    InputError
        If an executed notebook is not of its script: its outputs would be called those of another.
    """
    texts = {}
    for name, change in (("README.md", readme), ("CITATION.cff", citation)):
        texts[root / name] = change((root / name).read_text("utf-8"), repository)
    for path in sorted((root / "notebooks").glob("[0-9]*.py")):
        texts[path] = script(path.read_text("utf-8"), path.stem, repository)
        for folder in presets.KEPT.values():
            pair = path.parent / folder / f"{path.stem}.ipynb"
            if not pair.is_file():
                continue
            notebook = nbformat.read(pair, as_version=4)
            about = notebook.metadata["diffused_redundancy"]
            if about["source_sha256"] != sha256_of(path):
                raise InputError(f"{pair} was not made from {path}: run ./run_all.sh --save first")
            about["source_sha256"] = sha256_of(texts[path])
            texts[pair] = nbformat.writes(executed(notebook, texts[path])) + "\n"
    return texts


def main(given: list[str]) -> None:
    """Write badges of the address that is given, or of git's origin."""
    texts = written(paths.repository(), on_github(given[0] if given else origin()))
    changed = [path for path, text in texts.items() if path.read_text("utf-8") != text]
    for path in changed:
        path.write_text(texts[path], encoding="utf-8", newline="\n")
    print(f"{len(changed)} of {len(texts)} files changed")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        sys.exit(f"error: {error}")
