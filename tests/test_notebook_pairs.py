"""The notebooks as committed: executed, from the scripts beside them, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import jupytext
import nbformat
import pytest
from conftest import ROOT
from diffused_redundancy import parameters
from diffused_redundancy.store import sha256_of


@pytest.mark.parametrize("notebook", parameters.available())
def test_pairs_agree_and_outputs_are_of_this_source(notebook):
    script = ROOT / "notebooks" / f"{notebook}.py"
    pair = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    ours = jupytext.read(script)
    assert [(cell.cell_type, cell.source) for cell in pair.cells] == [
        (cell.cell_type, cell.source) for cell in ours.cells
    ]
    assert pair.metadata["diffused_redundancy"]["source_sha256"] == sha256_of(script), (
        "run ./run_all.sh --save"
    )
    assert "papermill" not in pair.metadata and pair.metadata["kernelspec"]["name"] == "python3"
    assert script.with_suffix(".ipynb").stat().st_size < 2**20
    for cell in pair.cells:
        if cell.cell_type != "code":
            continue
        assert cell.execution_count is not None
        for output in cell.outputs:
            assert output.output_type == "display_data", output
            assert set(output.data) <= {"image/png", "text/plain", "text/markdown"}
            assert len(output.data.get("image/png", "")) * 3 / 4 <= 100_000
            assert str(ROOT) not in json.dumps(output) and str(Path.home()) + "/" not in json.dumps(
                output
            )
