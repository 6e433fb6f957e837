"""Running one notebook: its page, what a failure leaves, and the pair that is committed."""

from __future__ import annotations

import json
import sys

import nbformat
import pytest
from diffused_redundancy import parameters
from diffused_redundancy.pipeline import execute as executing
from diffused_redundancy.pipeline.execute import execute, failure, save_pair
from diffused_redundancy.pipeline.plan import Outcome
from diffused_redundancy.store import sha256_of

HEAD = """# %% [markdown]
# # A small notebook

# %% tags=["parameters"]
SEEDS: list[int] = [1]  # Seeds

# %%
"""


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """A folder that takes the place of ``notebooks/``."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(parameters.paths, "notebooks", lambda: folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "code, words",
    [
        ("1 / 0\n", ["code cell 2", "ZeroDivisionError: division by zero"]),
        (
            "import os\nos.kill(os.getpid(), 9)\n\n# %%\nprint(1)\n",
            ["code cell 2", "The process died without a message", "memory ran out"],
        ),
        (
            'import diffused_redundancy as dr\ndr.task("digit")\n',
            ["did you mean &#39;digits&#39;", "A parameter or a file cannot be used"],
        ),
        (
            'raise ValueError("\\n-----\\na_$b$\\n  ^")\n',
            ["<code>ValueError: a_$b$</code>"],
        ),
        ("assert False\n", ["<code>AssertionError, without a message</code>"]),
    ],
    ids=["error", "killed", "wrong name", "first line empty", "no message"],
)
def test_a_failure_leaves_a_readable_page(tmp_path, notebooks, code, words):
    (notebooks / "09_fails.py").write_text(HEAD + code)
    outcome = execute("09_fails", {}, tmp_path / "out", preset="miniature")
    assert not outcome.ok and "\n" not in outcome.error
    page = (tmp_path / "out" / "09_fails.html").read_text()
    assert "This notebook did not finish" in page and "GiB" in page
    assert "--preset smoke --only 09_fails" in page
    assert all(word in page for word in words)
    assert not list((tmp_path / "out").glob(".*"))


def test_nothing_of_an_error_becomes_html():
    cell = nbformat.v4.new_code_cell("<b>")
    cell.outputs = [nbformat.v4.new_output("error", ename="E", evalue="<i>", traceback=[])]
    outcome = Outcome("09_fails", "Fails", False, 1.2, 0.25, "E: <i>")
    text = failure((1, cell), outcome, "E: <i>", "smoke")
    assert "<pre>&lt;b&gt;</pre>" in text and "<code>E: &lt;i&gt;</code>" in text
    assert "in code cell 1, after 1 s, with a peak memory of 0.2 GiB" in text
    assert "To try a smaller run" not in text  # there is none smaller than smoke
    empty = failure((0, None), outcome, "No space left", "paper")
    assert "before the first cell" in empty and "The disk is full." in empty
    assert "--preset cifar --only 09_fails" in empty and "<pre>" not in empty


@pytest.mark.slow
def test_a_notebook_its_page_and_its_pair(tmp_path, notebooks, monkeypatch):
    code = (
        "from IPython.display import Markdown, display\n"
        "from pathlib import Path\n"
        "from PIL import Image\n"
        "Path('figures').mkdir()\n"
        "Image.new('RGB', (4, 4)).save('figures/09_works-curves.png')\n"
        "display(Markdown(f'| seeds |\\n|---:|\\n| {SEEDS} |\\n\\n$x^2$'))\n"
    )
    script = notebooks / "09_works.py"
    script.write_text(HEAD + code)
    outcome = execute("09_works", {"SEEDS": [4, 5]}, tmp_path / "miniature", preset="miniature")
    assert outcome.ok and outcome.title == "A small notebook" and outcome.memory > 0
    kept = json.loads((tmp_path / "miniature" / "results" / "09_works.outcome.json").read_text())
    assert Outcome(**kept) == outcome
    page = (tmp_path / "miniature" / "09_works.html").read_text()
    assert '<div class="table" tabindex="0"' in page and "[4, 5]" in page and "<math" in page
    assert 'href="../index.html"' in page and "Preset miniature; " in page
    monkeypatch.setitem(executing.README_FIGURE, ("miniature", "09_works"), "curves")
    pair = nbformat.read(save_pair("09_works", tmp_path / "miniature"), as_version=4)
    assert pair.metadata["diffused_redundancy"]["source_sha256"] == sha256_of(script)
    assert [cell["id"] for cell in pair.cells][:2] == ["09-000", "09-001"]
    assert "papermill" not in pair.metadata
    assert (notebooks / "images" / "miniature.png").is_file()


def test_kept_notebooks_name_no_folder_of_yours(tmp_path, notebooks):
    script, folder, assets = notebooks / "09_real.py", tmp_path / "real", tmp_path / "my assets"
    script.write_text(HEAD)
    folder.mkdir()
    new = nbformat.v4
    output = new.new_output("display_data", {"text/markdown": f"folder:{assets}/flowers"})
    cell = new.new_code_cell(f'TASKS = ["cifar10:{assets}/cifar10"]', outputs=[output])
    nbformat.write(new.new_notebook(cells=[cell]), folder / "09_real.ipynb")
    pair = save_pair("09_real", folder, assets)
    assert pair == notebooks / "real" / "09_real.ipynb"
    kept = nbformat.read(pair, as_version=4)
    assert kept.cells[0].source == 'TASKS = ["cifar10:{assets}/cifar10"]'
    assert kept.cells[0].outputs[0].data["text/markdown"] == "folder:{assets}/flowers"


@pytest.mark.slow
def test_a_kernel_knows_nothing_of_the_user_s_settings(tmp_path, notebooks, monkeypatch):
    """Other kernels, start-up files, backends and modules of the folder do not reach it; a $ in
    the folder's name stays one.
    """
    site, profile = tmp_path / "site", tmp_path / "ipython" / "profile_default" / "startup"
    (site / "kernels" / "python3").mkdir(parents=True)
    profile.mkdir(parents=True)
    spec = {"argv": ["/nonexistent/python"], "display_name": "Site", "language": "python"}
    (site / "kernels" / "python3" / "kernel.json").write_text(json.dumps(spec))
    for startup in (profile / "00.py", tmp_path / "startup.py"):
        startup.write_text("raise SystemExit\n")
    folder = tmp_path / "out_$HOME"
    folder.mkdir()
    (folder / "statistics.py").write_text("raise ImportError\n")
    monkeypatch.setenv("JUPYTER_PATH", str(site))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "startup.py"))
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    code = (
        "import sys, statistics, matplotlib, pathlib\n"
        "from IPython.paths import get_ipython_dir\n"
        "assert sys.flags.safe_path and sys.flags.utf8_mode\n"
        "assert pathlib.Path(get_ipython_dir()).parent.parent == pathlib.Path.cwd()\n"
        "pathlib.Path('python').write_text(sys.executable)\n"
    )
    (notebooks / "09_works.py").write_text(HEAD + code)
    outcome = execute("09_works", {}, folder, preset="miniature")
    assert outcome.ok, outcome.error
    assert (folder / "python").read_text() == sys.executable
    assert not list(folder.glob(".*"))
