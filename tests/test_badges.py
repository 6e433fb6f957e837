"""Badges: written into a copy of a made-up origin, twice; refused where nothing is published."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys

import jupytext
import nbformat
import pytest
import test_notebook_pairs
from conftest import ROOT
from diffused_redundancy import presets
from diffused_redundancy.course.hosted import ARTIFACT_ON_COLAB, on_github
from diffused_redundancy.course.source import read_sources
from diffused_redundancy.course.student import write_student
from diffused_redundancy.errors import InputError
from diffused_redundancy.report.notebook_page import HOSTED, notebook_page
from diffused_redundancy.store import paths

COLAB = "https://colab.research.google.com/github"
BINDER = "https://mybinder.org/v2/gh"


@pytest.fixture(scope="module")
def badges():
    """The script docs/make_badges.py."""
    spec = importlib.util.spec_from_file_location("make_badges", ROOT / "docs" / "make_badges.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of what is written into, as a git repository; and a function that sets its origin."""
    for name in ("README.md", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(
        ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns("images", ".*")
    )
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.setattr(paths, "repository", lambda: tmp_path)

    def set_origin(address):
        subprocess.run(["git", "remote", "add", "origin", address], cwd=tmp_path, check=True)

    return tmp_path, set_origin


def contents(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}


def test_badges_are_of_the_origin_and_change_nothing_else(badges, copy, monkeypatch, capsys):
    folder, set_origin = copy
    set_origin("git@github.com:some.one/dr.git")
    before = contents(folder)
    badges.main([])
    after = contents(folder)
    badges.main([])
    assert contents(folder) == after and after.keys() == before.keys()
    many = len([name for name in before if name.endswith((".py", ".ipynb"))]) + 2
    assert capsys.readouterr().out.splitlines() == [
        f"{many} of {many} files changed",
        f"0 of {many} files changed",
    ]

    readme = after["README.md"]
    for link in (
        f"{COLAB}/some.one/dr/blob/HEAD/notebooks/00_getting_started.ipynb",
        f"{BINDER}/some.one/dr/HEAD?labpath=notebooks/00_getting_started.ipynb",
        "https://codespaces.new/some.one/dr",
    ):
        assert (
            len(
                re.findall(
                    rf"^\[!\[\w+\]\(https://\S+\.svg\)\]\({re.escape(link)}\)$", readme, re.M
                )
            )
            == 1
        )
    own = {line for line in before["README.md"].splitlines() if not line.startswith("[![")}
    assert own <= set(readme.splitlines())
    assert 'repository-code: "https://github.com/some.one/dr"\n' in after["CITATION.cff"]

    monkeypatch.setattr(test_notebook_pairs, "ROOT", folder)
    for preset, name in test_notebook_pairs.KEPT:
        test_notebook_pairs.test_pairs_agree_and_outputs_are_of_this_source(preset, name)
        path = f"notebooks/{name}.ipynb"
        pair = (folder / "notebooks" / presets.KEPT[preset] / f"{name}.ipynb").relative_to(folder)
        old, new = (nbformat.reads(one[pair.as_posix()], as_version=4) for one in (before, after))
        nbformat.validate(new)
        shown, code = new.cells[1:3]
        assert re.findall(r"\]\((https://[^)]+)\)$", shown.source, re.M) == [
            f"{COLAB}/some.one/dr/blob/HEAD/{path}",
            f"{BINDER}/some.one/dr/HEAD?labpath={path}",
        ]
        assert '"https://github.com/some.one/dr"' in code.source and not code.outputs
        assert all(cell.metadata.tags == [HOSTED] for cell in (shown, code))
        kept = [one for one in old.cells if HOSTED not in one.metadata.get("tags", [])]
        assert [new.cells[0], *new.cells[3:]] == kept
    page = notebook_page(new, name)
    assert "colab" not in page.lower() and "mybinder" not in page

    badges.main(["https://github.com/other/copy"])
    assert "some.one/dr" not in "".join(contents(folder).values())


def test_an_outdated_notebook_is_refused(badges, copy):
    folder, set_origin = copy
    set_origin("https://github.com/some/dr")
    script = folder / "notebooks" / "04_mrl.py"
    script.write_text(script.read_text("utf-8") + "\n# %%\n1 + 1\n", encoding="utf-8")
    before = contents(folder)
    with pytest.raises(InputError, match=r"04_mrl\.ipynb was not made from .*--save"):
        badges.main([])
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("origin", "says"),
    [
        (None, "this is no repository on GitHub"),
        ("/home/me/dr", "this is no repository on GitHub"),
        ("https://me:secret@gitlab.com/some/dr", "a repository on gitlab.com is no repository on"),
        (
            "https://github.com/some/dr/tree/main",
            "this is no repository|is no repository on GitHub",
        ),
    ],
)
def test_what_is_no_public_repository_is_refused(badges, copy, origin, says):
    folder, set_origin = copy
    if origin:
        set_origin(origin)
    before = contents(folder)
    with pytest.raises(InputError, match=says) as caught:
        badges.main([])
    assert "https://github.com/OWNER/REPOSITORY" in str(caught.value)
    assert "secret" not in str(caught.value) and contents(folder) == before


def test_the_cell_for_colab_installs_there_and_nowhere_else(tmp_path, monkeypatch):
    code = compile(ARTIFACT_ON_COLAB.format(address="https://github.com/some/dr"), "cell", "exec")
    ran = []
    monkeypatch.setattr(subprocess, "run", lambda words, check: ran.append(words) or check)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert not ran
    monkeypatch.setitem(sys.modules, "google.colab", object())
    exec(code, {})
    (tmp_path / "artifact").mkdir()  # as if it had been cloned
    exec(code, {})
    clone = ["git", "clone", "--quiet", "--depth", "1", "https://github.com/some/dr", "artifact"]
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--editable", "artifact"]
    assert ran == [clone, install, install]
    assert sys.path[0] == str(tmp_path.resolve() / "artifact" / "lib")


def test_students_get_badges_of_the_repository_that_holds_their_folder(tmp_path):
    sources = read_sources(ROOT / "course")
    repository = on_github("https://github.com/some/lab")
    write_student(sources, tmp_path, ROOT / "course" / "redundancy_lab", ROOT, repository)
    for source in sources:
        notebook = nbformat.read(tmp_path / f"{source.name}.ipynb", as_version=4)
        shown, code = notebook.cells[1:3]
        assert f"({COLAB}/some/lab/blob/HEAD/{source.name}.ipynb)" in shown.source
        assert f"({BINDER}/some/lab/HEAD?labpath={source.name}.ipynb)" in shown.source
        assert '"https://github.com/some/lab"' in code.source
        assert '"fetched/redundancy_lab", "redundancy_lab"' in code.source
    assert (tmp_path / "requirements.txt").is_file()  # what Binder looks for
    assert jupytext.writes(notebook, fmt="py:percent").count("google.colab") == 1
