"""The offline kit: what is on the stick, and that it installs the course without a network."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from diffused_redundancy.commands import course
from diffused_redundancy.course import kit
from diffused_redundancy.errors import InputError
from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = {
    ("Linux", "x86_64"): "manylinux_2_28_x86_64",
    ("Darwin", "arm64"): "macosx_11_0_arm64",
}.get((platform.system(), platform.machine()))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A course that is built, as far as a kit looks at it, with one requirement."""
    folder = tmp_path_factory.mktemp("built")
    for part in (*kit.PARTS, "slides", "solutions", "instructor"):
        (folder / part).mkdir()
        (folder / part / "page.html").write_text("<p>", encoding="utf-8")
    package = ROOT / "course" / "redundancy_lab"
    shutil.copytree(package, folder / "student" / package.name)
    (folder / "student" / "requirements.txt").write_text("numpy>=1.24\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def stick(built, tmp_path_factory):
    """A kit for this machine."""
    if HERE is None:
        pytest.skip("no kit for this platform")
    folder = tmp_path_factory.mktemp("stick with spaces")
    try:
        kit.write_kit(folder, HERE, built=built, python=PYTHON)
    except InputError as error:
        pytest.skip(f"no registry of packages: {error}")
    return folder


@pytest.fixture
def told(monkeypatch):
    """The commands of a kit whose packages are pretended to be had."""
    commands = []

    def pretended(module, words, **environment):
        commands.append([module, *words])
        if module == "pip":
            wheels = Path(words[words.index("--dest") + 1])
            wheels.mkdir()
            (wheels / "numpy.whl").touch()
        return "numpy==2.0\n"

    monkeypatch.setattr(kit, "_run", pretended)
    return commands


def offline(command, **options):
    """Run a command where no network can be reached: without any, or else with proxies that
    refuse.
    """
    alone = ["unshare", "--net", "--map-root-user"]
    if (
        shutil.which("unshare")
        and not subprocess.run([*alone, "true"], capture_output=True).returncode
    ):
        command = [*alone, *command]
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        environment[name] = environment[name.upper()] = "http://127.0.0.1:9"
    environment |= options.pop("env")
    return subprocess.run(command, env=environment, capture_output=True, text=True, **options)


@pytest.mark.slow
def test_the_course_is_installed_without_network(stick, tmp_path):
    done = offline(["bash", str(stick / "install.sh")], env={"HOME": str(tmp_path)}, cwd="/")
    assert done.returncode == 0, done.stderr
    place = tmp_path / "redundancy-course"
    script = "import numpy, redundancy_lab as lab; print(numpy.__file__); lab.check('cka', len)"
    python = place / "python" / "bin" / "python"
    done = offline([str(python), "-c", script], env={}, cwd=place / "student")
    assert done.stdout.startswith(str(place / "python"))
    assert "Wrong" in done.stderr.splitlines()[-1]  # a check runs: len solves nothing

    (place / "student" / "page.html").write_text("a student's work", encoding="utf-8")
    again = offline(["bash", str(stick / "install.sh")], env={"HOME": str(tmp_path)}, cwd="/")
    assert again.returncode == 0, again.stderr
    assert (place / "student" / "page.html").read_text(encoding="utf-8") == "a student's work"
    assert not (place / "student" / "student").exists()


def test_offline_is_offline():
    script = "import urllib.request; urllib.request.urlopen('https://example.org', timeout=5)"
    done = offline([sys.executable, "-c", script], env={})
    assert done.returncode and "URLError" in done.stderr


def test_what_is_on_the_stick(stick):
    assert {path.name for path in stick.iterdir()} == {
        *kit.PARTS,
        *("README.txt", "install.sh", "requirements.txt", "start.sh", "wheels"),
    }
    (wheel,) = (stick / "wheels").iterdir()
    assert parse_wheel_filename(wheel.name)[3] & {*sys_tags()}
    readme = (stick / "README.txt").read_text(encoding="utf-8")
    assert f"Python {PYTHON}" in readme and "(1 packages)" in readme
    assert (stick / "requirements.txt").read_text(encoding="utf-8").startswith("numpy==")


def test_a_kit_for_windows(built, told, tmp_path):
    kit.write_kit(tmp_path, "win_amd64", built=built, python="3.13")
    (resolve, download) = told
    assert resolve[resolve.index("--python-platform") + 1] == "x86_64-pc-windows-msvc"
    assert download[download.index("--platform") + 1] == "win_amd64"
    assert "cp313" in download and "--no-deps" in download
    readme = (tmp_path / "README.txt").read_text(encoding="utf-8")
    assert "its cells do not run" in readme and "runs Python" not in readme
    (built / "browser" / "pyodide-files.js").write_text("", encoding="utf-8")
    kit.write_kit(tmp_path, "win_amd64", built=built, python="3.13")
    assert "It runs Python" in (tmp_path / "README.txt").read_text(encoding="utf-8")
    install = (tmp_path / "install.cmd").read_bytes()
    assert b"py -3.13 -m venv" in install and install.count(b"\r\n") == install.count(b"\n")
    labels = {line[1:] for line in install.split(b"\r\n") if line.startswith(b":")}
    assert labels == {line.split()[-1] for line in install.split(b"\r\n") if b"goto" in line}
    assert not (tmp_path / "install.sh").exists() and not (tmp_path / "solutions").exists()


def test_a_second_kit_leaves_nothing_of_the_first(built, told, tmp_path):
    for number in range(2):
        (tmp_path / "wheels").mkdir(exist_ok=True)
        (tmp_path / "wheels" / f"old-{number}.whl").touch()
        kit.write_kit(tmp_path, "manylinux2014_x86_64", built=built)
        assert [path.name for path in (tmp_path / "wheels").iterdir()] == ["numpy.whl"]
    assert "manylinux_2_17_x86_64" in told[1] and "manylinux_2_28_x86_64" not in told[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--kit", "k"], r"--kit needs --platform: one of win_amd64, "),
        (["--kit", "k", "--platform", "win_amd"], r"did you mean 'win_amd64'\?"),
        (["--kit", "k", "--platform", "win_amd64", "--python", "3.8"], "3.8.*Allowed: 3.11"),
    ],
)
def test_mistakes_are_told_before_anything_is_built(words, says, tmp_path, monkeypatch):
    import argparse

    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    course.add_arguments(parser)
    with pytest.raises(InputError, match=says):
        course.run(parser.parse_args(["--out", "built", *words]))
    assert not list(tmp_path.iterdir())


def test_a_course_that_is_not_built(tmp_path):
    with pytest.raises(InputError, match="holds no course"):
        kit.write_kit(tmp_path / "kit", "win_amd64", built=tmp_path)
    assert not (tmp_path / "kit").exists()


def test_packages_that_cannot_be_had(tmp_path):
    wanted = tmp_path / "student" / "requirements.txt"
    wanted.parent.mkdir()
    wanted.write_text("no such package!\n", encoding="utf-8")
    with pytest.raises(InputError, match="the packages of the kit cannot be had: uv says: "):
        kit.write_kit(tmp_path / "kit", "win_amd64", built=tmp_path)


def test_environments_ask_for_the_same_packages():
    text = (ROOT / "course" / "requirements.txt").read_text(encoding="utf-8")
    listed = {Requirement(line) for line in text.splitlines() if line and line[0] != "#"}
    made = yaml.safe_load((ROOT / "course" / "environment.yml").read_text(encoding="utf-8"))
    conda = {one.replace("matplotlib-base", "matplotlib") for one in made["dependencies"]}
    assert {Requirement(one) for one in conda if not one.startswith("python=")} == listed
    assert not any("torch" in str(one) for one in listed)


def test_hosted_services_install_the_lock():
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    made = json.loads(text)
    assert made["postCreateCommand"] == "python3 lib/bootstrap.py"
    assert made["containerEnv"] == {"DIFFUSED_REDUNDANCY_TORCH": "cpu"}
    assert made["image"].removeprefix("python:") in kit.PYTHONS
    runtime = (ROOT / ".binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    assert runtime.removeprefix("python-") in kit.PYTHONS


def test_binder_gives_notebooks_the_environment(tmp_path):
    """With a Python that only writes down what it is asked."""
    script = f'#!/bin/sh\necho "$DIFFUSED_REDUNDANCY_TORCH $*" >> {tmp_path}/asked\necho "$0"\n'
    (tmp_path / "python3").write_text(script, encoding="utf-8")
    (tmp_path / "python3").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    environment["NB_PYTHON_PREFIX"] = "/srv/conda"
    subprocess.run([ROOT / ".binder" / "postBuild"], cwd=ROOT, env=environment, check=True)
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    assert asked[0] == "cpu lib/bootstrap.py"
    assert asked[1].startswith("cpu -m ipykernel install --prefix /srv/conda --name python3")


def test_each_platform_has_a_folder_of_its_own(tmp_path):
    """A second kit would take the wheels of the first away."""
    (tmp_path / "built" / "student").mkdir(parents=True)
    (tmp_path / "built" / "student" / "requirements.txt").write_text("numpy\n")
    stick = tmp_path / "stick"
    (stick / "wheels").mkdir(parents=True)
    (stick / "wheels" / "numpy.whl").write_text("of Windows")
    (stick / "README.txt").write_text(f"A kit for {kit.PLATFORMS['win_amd64'].title}\n")
    linux = next(name for name in kit.PLATFORMS if "linux" in name)  # by its title
    with pytest.raises(InputError, match="holds a kit of another platform"):
        kit.write_kit(stick, linux, built=tmp_path / "built")
    assert (stick / "wheels" / "numpy.whl").read_text() == "of Windows"
