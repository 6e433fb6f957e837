"""Setting up: the scripts say what is wrong, the lock is universal, and the set-up is safe to
repeat.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement

sys.path.insert(0, str(ROOT / "lib"))
import bootstrap


def shell(
    script: str | Path, *words: str, path: str | None = None, **extra: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("VIRTUAL_ENV", "CONDA_PREFIX")
    }
    environment |= extra
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(
        ["/bin/bash", str(ROOT / script), *words],
        capture_output=True,
        text=True,
        env=environment,
        cwd="/",
    )


def fake_python(folder: Path, version: str) -> None:
    """An interpreter that only knows its version."""
    script = f"#!/bin/sh\necho {version}\n"
    for name in ("python3", "python"):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)


@pytest.mark.parametrize("script", ["run_all.sh", "tests/run.sh"])
def test_an_old_python_is_named(tmp_path, script):
    fake_python(tmp_path, "3.10")
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    done = shell(script, path=str(tmp_path))
    assert done.returncode == 3
    assert "Python 3.11 or newer is needed" in done.stderr and "python3 is 3.10" in done.stderr


def test_help_from_any_directory():
    done = shell("run_all.sh", "--help", PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert done.returncode == 0
    for option in ("--preset", "--only", "-p NAME VALUE", "--force", "--jobs", "--out"):
        assert option in done.stdout


@pytest.mark.parametrize("script", ["run_all.sh", "tests/run.sh"])
def test_scripts_follow_links_to_them(tmp_path, script):
    (tmp_path / "bin").mkdir()
    (tmp_path / "first").symlink_to(ROOT / script)
    (tmp_path / "bin" / "second").symlink_to("../first")
    fake_python(tmp_path, "3.10")
    for name in ("dirname", "readlink"):
        (tmp_path / name).symlink_to(shutil.which(name))
    done = shell(tmp_path / "bin" / "second", path=str(tmp_path))
    assert done.returncode == 3 and "Python 3.11 or newer is needed" in done.stderr


def test_the_root_is_found_with_cdpath_and_the_working_folder_is_no_place_of_modules():
    script = f'cd "{ROOT.parent}" >&2; source "{ROOT.name}/lib/python.sh"; python3 -c "$1"'
    code = (
        "import json, os, sys\n"
        "path = sys.path\n"
        "print(json.dumps([os.environ['PYTHONPATH'], sys.flags.utf8_mode, path]))\n"
    )
    done = subprocess.run(
        ["bash", "-c", script, "-", code],
        env={**os.environ, "CDPATH": ".", "PYTHONPATH": ":/one:::/two:"},
        capture_output=True,
        text=True,
        check=True,
    )
    places, utf8, path = json.loads(done.stdout)
    assert places == f"{ROOT}/lib:/one:/two" and utf8
    assert not {"", ".", str(ROOT.parent)} & set(path)


def test_every_requirement_is_pinned_and_named_once_for_each_system():
    requirements = [Requirement(line) for line in bootstrap.lines()]
    assert all(
        len(one.specifier) == 1 and str(one.specifier).startswith("==") for one in requirements
    )
    for system, machine in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")):
        for python in ("3.11", "3.12", "3.13"):
            here = {
                "sys_platform": system,
                "platform_machine": machine,
                "platform_system": system.capitalize(),
                "python_version": python,
                "python_full_version": f"{python}.1",
                "implementation_name": "cpython",
                "platform_python_implementation": "CPython",
                "os_name": "posix",
            }
            names = [
                one.name for one in requirements if one.marker is None or one.marker.evaluate(here)
            ]
            assert len(names) == len(set(names))
            assert {
                "torch",
                "timm",
                "papermill",
                "jupyterlab",
                "seaborn",
                "jupytext",
                "scikit-learn",
                "numpy",
                "pytest",
            } <= set(names)


def test_the_lock_satisfies_the_package():
    text = (ROOT / "pyproject.toml").read_text()
    pinned = {one.name: str(one.specifier)[2:] for one in map(Requirement, bootstrap.lines())}
    import tomllib

    project = tomllib.loads(text)["project"]
    for line in [*project["dependencies"], *project["optional-dependencies"]["test"]]:
        one = Requirement(line)
        assert one.specifier.contains(pinned[one.name]), line
    assert not re.search(r"index-url|https?://", (ROOT / "requirements.lock").read_text())


def test_the_cpu_choice_leaves_cuda_out():
    dropped = {
        Requirement(line).name for line in set(bootstrap.lines()) - set(bootstrap.lines(cuda=False))
    }
    assert dropped and all(
        name.startswith(("nvidia-", "cuda-")) or name == "triton" for name in dropped
    )
    assert "torch" in {Requirement(line).name for line in bootstrap.lines(cuda=False)}


def test_conda_users_get_the_same_lock():
    text = (ROOT / "environment.yml").read_text()
    content = yaml.safe_load(text)
    assert content["dependencies"] == ["python=3.12", "pip"]
    commands = "pip install --no-deps -r requirements.lock && pip install --no-deps -e ."
    assert commands in text and commands in (ROOT / "docs" / "running.md").read_text()


def test_every_package_has_hashes():
    for cuda in (True, False):
        without = {
            line.partition("==")[0]
            for line in bootstrap.hashed_lines(cuda=cuda)
            if not re.fullmatch(r"[^#]+?( --hash=sha256:[0-9a-f]{64})+", line)
        }
        assert without == (set() if cuda else {"torch", "torchvision"})


def test_the_installer_refuses_a_file_that_is_not_the_locks(tmp_path, monkeypatch):
    """A wheel of our own, in a lock of our own: as it is, and changed afterwards."""
    wheel = tmp_path / "tiny_thing-1.0-py3-none-any.whl"

    def build(body: str) -> str:
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("tiny_thing.py", body)
            about = "tiny_thing-1.0.dist-info/"
            archive.writestr(
                about + "METADATA", "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n"
            )
            archive.writestr(
                about + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(about + "RECORD", "")
        return hashlib.sha256(wheel.read_bytes()).hexdigest()

    lock = tmp_path / "requirements.lock"
    lock.write_text(
        f"tiny-thing==1.0 ; os_name != 'never' \\\n    --hash=sha256:{build('a = 1')}\n"
    )
    monkeypatch.setattr(bootstrap, "LOCK", lock)
    assert bootstrap.lines() == ["tiny-thing==1.0 ; os_name != 'never'"]
    chosen = tmp_path / "requirements.txt"
    chosen.write_text("\n".join(bootstrap.hashed_lines()))

    def install(target: str) -> subprocess.CompletedProcess[str]:
        words = [
            "--no-index",
            "--find-links",
            tmp_path,
            "--target",
            tmp_path / target,
            "--no-cache",
        ]
        command = [sys.executable, "-m", "uv", "pip", "install", *words, "-r", chosen]
        return subprocess.run(command, capture_output=True, text=True)

    assert install("good").returncode == 0
    build("a = 2")
    refused = install("changed")
    assert refused.returncode != 0 and "Hash mismatch" in refused.stderr


def test_an_environment_is_held_to_the_lock(monkeypatch, tmp_path):
    assert bootstrap.satisfied()
    other = tmp_path / "requirements.lock"
    other.write_text(bootstrap.LOCK.read_text().replace("numpy==", "numpy==99."))
    monkeypatch.setattr(bootstrap, "LOCK", other)
    assert not bootstrap.satisfied()


def test_an_active_environment_is_used_if_it_satisfies_the_lock():
    done = subprocess.run(
        [sys.executable, str(ROOT / "lib" / "bootstrap.py")],
        env={**os.environ, "VIRTUAL_ENV": sys.prefix},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == sys.executable


def test_two_at_once_wait_for_each_other(tmp_path, monkeypatch):
    import fcntl

    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    with (
        bootstrap.alone(),
        open(tmp_path / ".venv.lock", "w") as second,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_interrupted_set_up_goes_on(tmp_path, monkeypatch):
    """The stamp is written last: without it the steps are run again, with it none are."""
    steps = []
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "works", lambda python: True)
    (tmp_path / ".venv").mkdir()

    def interrupted(command, what):
        steps.append(what)
        if len(steps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(bootstrap, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bootstrap.make(Path("python"))
    monkeypatch.setattr(bootstrap, "run", lambda command, what: steps.append(what))
    bootstrap.make(Path("python"))
    assert len(steps) == 5
    bootstrap.make(Path("python"))
    assert len(steps) == 5


def test_no_file_names_a_registry_or_this_machine():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, tracked.stdout.split("\0")):
        content = (ROOT / name).read_bytes()
        for secret in (str(ROOT).encode() + b"/", b"/root/", b"index" + b"-url"):
            if name != "tests/test_setup.py":
                assert secret not in content, f"{name} holds {secret!r}"


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings")
def test_freed_memory_is_kept_for_what_comes_next():
    """Large results of one size after another cause page faults only once."""
    code = (
        "import resource, torch\n"
        "def faults():\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "    for _ in range(50): torch.ones(1 << 20)\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before\n"
        "faults(); print(faults())\n"
    )
    script = f'source "{ROOT}/lib/python.sh"; exec "$1" -c "$2"'
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    command = ["bash", "-c", script, "-", sys.executable, code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 10_000, done.stdout  # 50 arrays of 1,024 pages


@pytest.mark.slow
def test_the_ten_lines_of_the_readme_run():
    (code,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cka, ridge = (float(value) for value in re.findall(r"value=([\d.]+)", done.stdout))
    assert 0.5 < cka < 1 and 0.5 < ridge < 1
