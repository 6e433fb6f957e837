"""Every command that a Markdown page shows: it is run here, or as far as a test can go (a run up to
its notebooks; options of what takes minutes), or by the test that is named here.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import diffused_redundancy as dr
import numpy as np
import pytest
import yaml
from conftest import ROOT, make_layer
from diffused_redundancy.__main__ import main
from diffused_redundancy.cluster import dask
from diffused_redundancy.commands import course, run
from diffused_redundancy.nets.names import expanded
from diffused_redundancy.pipeline import requirements, runner
from PIL import Image
from safetensors.numpy import save_file
from test_documents import PAGES

PROGRAMS = re.compile(r"^(nbgrader|otter) ")
"""What a block of another language than bash may hold that is typed."""


def typed(page: Path) -> list[str]:
    """The commands that a page shows, without comments, variables and the middle of scripts."""
    found = []
    blocks = re.findall(r"^```(bash|bat|text)\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    for language, block in blocks:
        for line in block.replace("\\\n", " ").splitlines():
            for command in re.sub(r"(^|\s)#.*", "", line).split(" && "):
                words = re.sub(r"^(\w+=\S+ )+", "", command.strip())
                if words and (language != "text" or PROGRAMS.match(words)):
                    found.append(
                        re.sub(r"\s+", " ", words.replace(".venv\\Scripts\\", ".venv/bin/"))
                    )
    return found


COMMANDS = sorted({command for page in PAGES for command in typed(page)})
"""Each once, however many pages show it."""


# How they are run: in a folder of their own, with files where they name files


@dataclass
class Place:
    """A folder with what the pages assume: embeddings, photographs, weights, sums in shards."""

    folder: Path
    patch: pytest.MonkeyPatch
    printed: pytest.CaptureFixture[str]


@pytest.fixture
def place(tmp_path, monkeypatch, capsys):
    X, y = make_layer(n=200, d=12)
    halves = {"X_train": X[:150], "y_train": y[:150], "X_test": X[150:], "y_test": y[150:]}
    np.savez(tmp_path / "features.npz", **halves)
    for name, whole in halves.items():
        (tmp_path / "features" / name).mkdir(parents=True)
        for part, rows in enumerate(np.array_split(whole, 3)):
            np.save(tmp_path / "features" / name / f"{part:03}.npy", rows)
    for label in "ab":
        (tmp_path / "images" / label).mkdir(parents=True)
        for i in range(10):
            picture = Image.new("RGB", (40, 40), (20 * i, 90, 90))
            picture.save(tmp_path / "images" / label / f"{i}.png")
    for name in ("cifar10", "flower_photos"):
        (tmp_path / name).symlink_to(tmp_path / "images")
    save_file({"fc.bias": np.zeros(2, "float32")}, tmp_path / "weights.safetensors")
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path, monkeypatch, capsys)


def of_run(words: list[str], place: Place) -> None:
    """The command ``run`` up to the notebooks: parameters, networks and what is missing."""
    if "--help" in words:
        with pytest.raises(SystemExit) as ended:
            main(["run", *words])
        assert ended.value.code == 0
        return
    planned = []

    def noted(jobs, **how):
        planned.extend(jobs)
        return [SimpleNamespace(ok=True) for job in jobs]

    place.patch.setattr(run, "_do_units", lambda options, jobs: planned.extend(jobs) or 0)
    place.patch.setattr(dask, "run_on_dask", lambda units, **how: [])
    place.patch.setattr(requirements, "fetch_missing", lambda jobs, **how: (jobs, {}))
    place.patch.setattr(runner, "run", noted)
    words = [
        word.replace("/my/", f"{place.folder}/").replace("FOLDER", str(place.folder))
        for word in words
    ]
    if "my.yaml" in words:
        Path("my.yaml").write_text("common:\n  TASKS: [digits]\n", encoding="utf-8")
    if "text" in words and find_spec("sentence_transformers") is None:
        assert main(["run", *words]) == 2 and "extra 'text'" in place.printed.readouterr().err
        return
    told = {"--list", "--plan", "--dry-run"} & {*words}
    assert main(["run", *words]) == (told == {"--dry-run"})  # which says that assets are missing
    assert planned or told
    for job in planned:
        nets, tasks = (job.parameters.get(name, []) for name in ("NETS", "TASKS"))
        assert not nets or expanded(nets)
        for task in tasks:
            if task.startswith("folder:"):
                assert len(dr.task(task).classes) == 2


def of_measure(words: list[str], place: Place) -> None:
    """``measure`` and ``merge``, from beginning to end, on a small layer."""
    shards = [word for word in words if "SLURM_ARRAY_TASK_ID" in word]
    words = [word.replace("s3://bucket/", "") for word in words]
    for i in range(1, 9) if shards else (1,):
        assert main([word.replace("$SLURM_ARRAY_TASK_ID", str(i)) for word in words]) == 0
    assert {*place.folder.glob("result/*")}


def merged(words: list[str], place: Place) -> None:
    of_measure(["measure", "features", "--shard", "1/1", "--out", "result"], place)
    assert main(words) == 0 and Path("result/summary.json").is_file()


def of_course(words: list[str], place: Place) -> None:
    """Understood; that it builds is in tests of the course."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    course.add_arguments(parser)
    assert parser.parse_args(words).out


def of_pytest(words: list[str], place: Place) -> None:
    """They choose some tests of a file; the command without any is CI's."""
    if words:
        collect = [
            sys.executable,
            "-m",
            "pytest",
            "--collect-only",
            str(ROOT / "tests/test_cka.py"),
        ]
        found = subprocess.run([*collect, *words], cwd=ROOT, capture_output=True, text=True)
        assert found.returncode == 0 and "test_cka.py" in found.stdout, found.stdout + found.stderr


def fuzzed(words: list[str], place: Place) -> None:
    words[words.index("--count") + 1] = "40"
    place.patch.delenv("PYTHONSAFEPATH", raising=False)  # tests/run.sh sets it
    done = subprocess.run([sys.executable, ROOT / "tests/fuzz.py", *words], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def benchmarked(words: list[str], place: Place) -> None:
    """Understood, and its names are benchmarks; seconds are measured by hand."""
    place.patch.syspath_prepend(ROOT / "benchmarks")
    assert importlib.import_module("run")._options(words).only


def drawn(words: list[str], place: Place) -> None:
    """The figures, of made-up rows."""
    place.patch.syspath_prepend(ROOT / "benchmarks")
    rows = [
        {"benchmark": "ridge_all_sizes", "bar": "a loop", "value": 9.0, "quantity": "", "at": 0},
        *(
            {"benchmark": "cost", "bar": "", "value": error, "quantity": of, "at": seconds}
            for of, error, seconds in (("CKA: ours", 0.0, 1.0), ("CKA: loop, 2 sizes", 0.1, 2.0))
        ),
        *(
            {"benchmark": "growth", "bar": "", "value": d**2, "quantity": "CKA: d", "at": d}
            for d in (512.0, 1024.0)
        ),
    ]
    Path(words[0]).write_text(json.dumps({"rows": rows}), encoding="utf-8")
    words = [word.replace("benchmarks/", "") for word in words]
    importlib.import_module("plot").main(words)
    assert len([*place.folder.glob("*.png")]) == 3


def installed(words: list[str], place: Place) -> None:
    """The files and extras that it names are there; installing is in test_setup and test_wheel."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for word in words:
        for name in re.findall(r"\[([\w,]+)\]", word):
            assert {*name.split(",")} <= {*extras["optional-dependencies"]}
        if word.endswith((".lock", ".txt", ".yml", ".toml", ".py")):
            assert (ROOT / word.replace("\\", "/")).is_file(), word


def hooked(words: list[str], place: Place) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert {"ruff-check", "ruff-format"} <= {
        hook["id"] for repository in hooks["repos"] for hook in repository["hooks"]
    }


def of_dask(words: list[str], place: Place) -> None:
    """Options that Dask knows; test_dask starts both."""
    module = importlib.import_module(f"distributed.cli.dask_{words[0]}")
    module.main.make_context(words[0], words[1:])


def formatted(words: list[str], place: Place) -> None:
    ruff = [sys.executable, "-m", "ruff", *words, "--check", __file__]
    assert subprocess.run(ruff, capture_output=True).returncode == 0


def by(name: str) -> Callable[[list[str], Place], None]:
    """Run by another test: ``FILE::TEST``."""

    def handle(words: list[str], place: Place) -> None:
        file, _, test = name.partition("::")
        assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")

    return handle


HANDLERS: dict[str, Callable[..., None]] = {
    r"\./run_all\.sh": of_run,
    r"(\.venv/bin/)?python -m diffused_redundancy run": of_run,
    r"(\./)?tests/run\.sh": of_pytest,
    r"(\.venv/bin/python -m )?pytest": of_pytest,
    r"\.venv/bin/diffused-redundancy (?=measure )": of_measure,
    r"\.venv/bin/diffused-redundancy (?=merge )": merged,
    r"\.venv/bin/python -m diffused_redundancy course": of_course,
    r"\.venv/bin/python -m diffused_redundancy (?=assets )": lambda words, place: main(words),
    r"python tests/fuzz\.py": fuzzed,
    r"(\.venv/bin/)?python benchmarks/run\.py": benchmarked,
    r"\.venv/bin/python benchmarks/plot\.py": drawn,
    r"\.venv/bin/python docs/make_badges\.py": by(
        "test_badges.py::test_badges_are_of_the_origin_and_change_nothing_else"
    ),
    r"(python3|py -3\.12) lib.bootstrap\.py": by("test_setup.py::test_interrupted_set_up_goes_on"),
    r"py -3\.12 -m venv": by("test_setup.py::test_interrupted_set_up_goes_on"),
    r"(\S*python -m )?(uv )?pip install|\.venv/bin/pip install|\.venv/bin/python -m uv": installed,
    r"conda (env create|activate)": installed,
    r"\.venv/bin/ruff": formatted,
    r"pipx run pre-commit": hooked,
    r"npm pack pyodide@314\.0\.7$|tar xzf pyodide-314\.0\.7\.tgz": by(
        "test_course_browser.py::test_the_lab_in_a_browser"
    ),
    r"dask (?=scheduler|worker)": of_dask,
    r"nbgrader": by("test_course_graders.py::test_nbgrader_releases_grades_and_gives_feedback"),
    r"otter": by("test_course_graders.py::test_otter_grades_the_course"),
}
"""By what a command begins with; the words after it, or from a lookahead on, are given."""


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_a_page_works(command, place):
    found = [(re.match(one, command), handle) for one, handle in HANDLERS.items()]
    ((begun, handle),) = [(match, handle) for match, handle in found if match]
    words = shlex.split(command[begun.end() :].strip())
    handle(words, place)


def test_no_command_is_overlooked():
    """The pages show what they are known to show, and no handler waits for nothing."""
    assert len(COMMANDS) > 50
    assert all(any(re.match(one, command) for command in COMMANDS) for one in HANDLERS)
    for command in ("./run_all.sh", "./tests/run.sh", "dask scheduler"):
        assert command in COMMANDS


def python_of(name: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / name).read_text("utf-8"), re.M | re.S)


def test_the_example_for_submitit_runs(monkeypatch):
    """With a made-up executor in the place of submitit's."""
    (code,) = python_of("docs/scale.md")
    asked = []
    executor = SimpleNamespace(update_parameters=lambda **limits: asked.append(limits))
    monkeypatch.setitem(
        sys.modules, "submitit", SimpleNamespace(AutoExecutor=lambda folder: executor)
    )
    monkeypatch.setattr(dr, "run_on", lambda *given, **how: asked.append((given, how)))
    exec(code, {})
    assert asked[1] == ((executor, "paper"), {"only": ["02_probes"]})
