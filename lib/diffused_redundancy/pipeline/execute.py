"""Execute one notebook and make its page: what each process that the runner starts does.

A failure leaves the executed part of the notebook and a page that says which cell failed, with what
error, how much memory was used, what the likely cause is, and which smaller preset to try.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..parameters import source
from ..presets import ASSETS, KEPT
from ..report.html import rendered, title_of
from ..report.notebook_page import notebook_page
from ..report.vector import with_vectors
from ..store import (
    atomic_path,
    make_folder,
    scratch_folder,
    sha256_of,
    write_json,
    write_text,
)
from ..store.provenance import source_address
from .memory import peak_memory
from .notebook_format import nbformat
from .plan import Outcome

SMALLER = {
    "paper-appendix": "paper",
    "paper": "cifar",
    "paper-seeds": "cifar",
    "paper-pca": "cifar",
    "cifar": "miniature",
    "pocket": "miniature",
    "real": "miniature",
    "real-augmented": "real",
    "text": "miniature",
    "wide": "miniature",
    "miniature": "smoke",
}
"""The next smaller preset, for the page of a failure."""


README_FIGURE = {("miniature", "02_probes"): "kept", ("real", "02_probes"): "kept"}
"""The figures that the README shows, by preset and notebook."""


def likely_cause(error: str) -> str:
    """What probably lies behind an error, in one sentence."""
    known = {
        "DeadKernelError": "The process died without a message, which nearly always means that "
        "memory ran out.",
        "OutOfMemory": "Memory ran out.",
        "MemoryError": "Memory ran out.",
        "InputError": "A parameter or a file cannot be used; the last line says what is allowed.",
        "No space left": "The disk is full.",
        "CellTimeoutError": "A cell took longer than it may.",
    }
    return next(
        (words for name, words in known.items() if name in error),
        "A fault in the code, or an installation that differs from the lock.",
    )


def execute(
    notebook: str,
    parameters: dict[str, Any],
    folder: Path,
    *,
    preset: str,
    beside: Sequence[str] = (),
) -> Outcome:
    """Run a notebook with papermill and write ``NAME.ipynb`` and ``NAME.html`` to a folder.

    Parameters
    ----------
    notebook : str
        Its name; the percent script is what runs.
    parameters : dict
        Values to inject, already checked.
    folder : path
        Of the report; the index is beside it.
    preset : str
        Its name, for the page of a failure.
    beside : sequence of str
        All notebooks that have a page in that folder, in order.
    """
    import jupytext

    make_folder(folder)
    script = jupytext.read(source(notebook))
    title = title_of(script, notebook)
    started = time.perf_counter()
    with peak_memory() as peak:
        done, error = _run(script, parameters, folder)
        memory = peak()
    stop = _last_begun(done)
    done = cleaned(done)
    with atomic_path(folder / f"{notebook}.ipynb") as kept:
        nbformat.write(done, kept)
    seconds = time.perf_counter() - started
    ended, failed = datetime.now(UTC).isoformat(timespec="seconds"), _what_failed(stop[1], error)
    outcome = Outcome(notebook, title, not error, seconds, memory, failed, ended)
    text = notebook_page(
        done,
        notebook,
        before=failure(stop, outcome, error, preset) if error else "",
        footer=f"Preset {preset}; {seconds:.0f} s, peak memory {memory:.1f} GiB.",
        home="../index.html",
        source=source_address(f"notebooks/{notebook}.py"),
        **neighbours(notebook, beside),
    )
    write_text(folder / f"{notebook}.html", with_vectors(text, folder / "figures"))
    write_json(folder / "results" / f"{notebook}.outcome.json", asdict(outcome))
    return outcome


def neighbours(notebook: str, beside: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Name and title of the notebooks before and after one, as ``previous`` and ``next``."""
    if notebook not in beside:
        return {}
    place = beside.index(notebook)
    found = {"previous": beside[:place][-1:], "next": beside[place + 1 :][:1]}
    return {
        side: (name, re.findall(r"^# # (.+)$", source(name).read_text("utf-8"), re.MULTILINE)[0])
        for side, names in found.items()
        for name in names
    }


def _run(
    script: nbformat.NotebookNode, parameters: dict[str, Any], folder: Path
) -> tuple[nbformat.NotebookNode, str]:
    """A notebook as papermill leaves it, and what stopped it, if anything did."""
    import papermill

    from .kernel import isolated_kernel

    script.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    error = ""
    with scratch_folder(folder) as scratch:
        plain, executed = scratch / "source.ipynb", scratch / "executed.ipynb"
        nbformat.write(nbformat.from_dict(script), plain)
        try:
            papermill.execute_notebook(
                str(plain),
                str(executed),
                parameters=parameters,
                kernel_name="python3",
                progress_bar=False,
                log_output=False,
                cwd=str(folder),
                kernel_manager_class=isolated_kernel(scratch / "ipython"),
            )
        except Exception as caught:  # whatever it is, the page says so and the exit status follows
            error = f"{type(caught).__name__}: {caught}"
        done = nbformat.read(executed if executed.exists() else plain, as_version=4)
    return done, error


def cleaned(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """An executed notebook without papermill's notes (times and paths of this machine differ from
    run to run).
    """
    notebook.metadata.pop("papermill", None)
    cells = []
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "papermill-error-cell-tag" in cell.metadata.get("tags", []):
            continue  # papermill's own marks of a failure; the page has better ones
        cells.append(cell)
    notebook.cells = cells
    return notebook


def save_pair(notebook: str, folder: Path, assets: Path | None = None) -> Path:
    """Commit-ready: the executed notebook of a report, marked with its script's digest, in the
    folder of its preset. A folder of assets is named ``{assets}`` in it.
    """
    script, name = source(notebook), folder.name
    kept = script.parent / KEPT[name]
    kept.mkdir(parents=True, exist_ok=True)
    text = (folder / f"{notebook}.ipynb").read_text(encoding="utf-8")
    if assets is not None:
        text = text.replace(str(assets), ASSETS)
    done = nbformat.reads(text, as_version=4)
    done.metadata["diffused_redundancy"] = {"source_sha256": sha256_of(script)}
    for number, cell in enumerate(done.cells):
        cell["id"] = f"{notebook[:2]}-{number:03d}"  # random ids would differ from run to run
    pair = kept / f"{notebook}.ipynb"
    with atomic_path(pair) as temporary:
        nbformat.write(done, temporary)
    figure = README_FIGURE.get((name, notebook))
    if figure is not None:
        from PIL import Image

        image = Image.open(folder / "figures" / f"{notebook}-{figure}.png").convert("RGB")
        with atomic_path(script.parent / "images" / f"{name}.png") as temporary:
            image.quantize(192).save(temporary, format="PNG", optimize=True)
    return pair


Stop = tuple[int, nbformat.NotebookNode | None]
"""The cell in which a run stopped, and its number among the code cells, from 1; 0 before them."""


def _last_begun(notebook: nbformat.NotebookNode) -> Stop:
    """The last cell that began; that of a kernel that died holds no error, nor its own count."""
    code = enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1)
    begun = [one for one in code if one[1].metadata.get("papermill", {}).get("start_time")]
    return begun[-1] if begun else (0, None)


def one_line(kind: str, message: str) -> str:
    """An error as one line: its kind, and the first line of its message that says something.

    >>> one_line("ValueError", "\\n---\\n a_$b$\\n  ^")
    'ValueError: a_$b$'
    >>> one_line("AssertionError", "")
    'AssertionError, without a message'
    """
    lines = (line.strip() for line in message.splitlines())
    said = next((line for line in lines if any(sign.isalnum() for sign in line)), "")
    return f"{kind}: {said}" if said else f"{kind}, without a message"


def _what_failed(cell: nbformat.NotebookNode | None, error: str) -> str:
    """The error of the cell that raised one, or else what stopped the run, as one line."""
    if not error:
        return ""
    for output in cell.outputs if cell is not None else []:
        if output.output_type == "error":
            return one_line(output.ename, output.evalue)
    kind, _, message = error.partition(": ")
    return one_line(kind, message)


def failure(stop: Stop, outcome: Outcome, error: str, preset: str) -> str:
    """The part of a failed page that says what happened and what to try, as HTML."""
    return rendered(
        "failure.html.j2",
        number=stop[0],
        cell=stop[1],
        outcome=outcome,
        cause=likely_cause(error),
        smaller=SMALLER.get(preset),
    )
