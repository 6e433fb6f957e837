"""The notebooks as committed: executed, from the scripts beside them, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import jupytext
import nbformat
import pytest
from conftest import ROOT
from diffused_redundancy import presets
from diffused_redundancy.report.notebook_page import HOSTED
from diffused_redundancy.store import sha256_of

KEPT = [(name, notebook) for name in presets.KEPT for notebook in presets.preset(name).notebooks]


@pytest.mark.parametrize(("preset", "notebook"), KEPT)
def test_a_table_without_rows_repeats_no_sentence(preset, notebook):
    """A table that has nothing to show holds a note: what the page says beside it is shown once."""
    pair = nbformat.read(ROOT / "notebooks" / presets.KEPT[preset] / f"{notebook}.ipynb", 4)
    shown = [
        output.data.get("text/markdown", "")
        for cell in pair.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]
    notes = [text.splitlines()[2].strip("| ") for text in shown if text.startswith("| note |")]
    sentences = "\n".join(text for text in shown if not text.startswith("|")).lower()
    assert not [note for note in notes if note.strip(".").lower() in sentences]


@pytest.mark.parametrize(("preset", "notebook"), KEPT)
def test_pairs_agree_and_outputs_are_of_this_source(preset, notebook):
    script = ROOT / "notebooks" / f"{notebook}.py"
    path = script.parent / presets.KEPT[preset] / f"{notebook}.ipynb"
    pair = nbformat.read(path, as_version=4)
    ours = jupytext.read(script)
    of_preset = [
        cell for cell in pair.cells if "injected-parameters" in cell.metadata.get("tags", [])
    ]
    assert len(of_preset) == bool(presets.preset(preset).of(notebook))
    assert [(cell.cell_type, cell.source) for cell in pair.cells if cell not in of_preset] == [
        (cell.cell_type, cell.source) for cell in ours.cells
    ]
    for name, value in presets.preset(preset).of(notebook).items():
        assert f"{name} = {json.dumps(value)}" in of_preset[0].source
    assert pair.metadata["diffused_redundancy"]["source_sha256"] == sha256_of(script), (
        f"run ./run_all.sh --save --preset {preset}"
    )
    assert "papermill" not in pair.metadata and pair.metadata["kernelspec"]["name"] == "python3"
    assert path.stat().st_size < 2**20
    for cell in pair.cells:
        if cell.cell_type != "code":
            continue
        # docs/make_badges.py adds cells for hosted services, which nothing else has to run
        assert cell.execution_count is not None or HOSTED in cell.metadata.get("tags", [])
        for output in cell.outputs:
            assert output.output_type == "display_data", output
            assert set(output.data) <= {"image/png", "text/plain", "text/markdown"}
            assert len(output.data.get("image/png", "")) * 3 / 4 <= 100_000
            assert str(ROOT) not in json.dumps(output) and str(Path.home()) + "/" not in json.dumps(
                output
            )
