"""Running the sources, with their solutions, once each."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..devices import cores
from ..errors import InputError
from ..pipeline.execute import one_line
from ..pipeline.kernel import isolated_kernel
from ..pipeline.notebook_format import nbformat
from .source import Source

AT_ONCE = 2
"""Most notebooks that run at the same time."""
SECONDS = 120
"""Most that a cell may take."""


def executed(sources: Sequence[Source], package: Path) -> list[nbformat.NotebookNode]:
    """All cells of each source, with outputs and the builder's metadata.

    Raises
    ------
    InputError
        If a cell fails, with its source and exercise.
    """
    with ThreadPoolExecutor(min(AT_ONCE, cores())) as pool:
        return list(pool.map(lambda source: _run(source, package), sources))


def _run(source: Source, package: Path) -> nbformat.NotebookNode:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = copy.deepcopy(source.notebook)
    begun: list[nbformat.NotebookNode] = []
    path = os.pathsep.join(
        part for part in (str(package.parent.resolve()), os.environ.get("PYTHONPATH")) if part
    )
    with tempfile.TemporaryDirectory(prefix="course-") as scratch:
        client = NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": scratch}},
            kernel_manager_class=isolated_kernel(Path(scratch) / "ipython", PYTHONPATH=path),
            on_cell_execute=lambda cell, cell_index: begun.append(cell),
        )
        try:
            client.execute()
        except CellExecutionError as error:
            raise _fault(source, begun[-1], error.ename, error.evalue) from error
        except (CellTimeoutError, DeadKernelError) as error:
            raise _fault(source, begun[-1], type(error).__name__, str(error)) from error
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                alt = cell.metadata.get("alt", "What the code above draws.")
                output.metadata.setdefault("image/png", {}).setdefault("alt", alt)
    return notebook


def _fault(source: Source, cell: nbformat.NotebookNode, kind: str, message: str) -> InputError:
    """What stopped a source, in the cell that ran."""
    name = cell.metadata.get("exercise")
    place = f"exercise {name!r}" if name else f"the cell {cell.source.splitlines()[0]!r}"
    return InputError(f"{source.name}.py, {place} does not run: {one_line(kind, message)}")
