"""The offline kit: a folder for a stick, from which the course is installed without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, unknown
from ..store import make_folder, paths
from .browser import PACKED


@dataclass(frozen=True)
class Platform:
    """A platform of Python wheels.

    Attributes
    ----------
    title : str
    resolver : str
        What uv calls it.
    tags : tuple of str
        Of the wheels that run on it, the best ones first.
    """

    title: str
    resolver: str
    tags: tuple[str, ...]


def _manylinux(newest: int) -> tuple[str, ...]:
    """The tags of Linux with that minor version of glibc 2, or an earlier one."""
    old = ("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64")
    return (*(f"manylinux_2_{minor}_x86_64" for minor in range(newest, 4, -1)), *old)


PLATFORMS = {
    "win_amd64": Platform("Windows, 64 bits", "x86_64-pc-windows-msvc", ("win_amd64",)),
    "macosx_11_0_arm64": Platform(
        "macOS 11 or later, Apple silicon", "aarch64-apple-darwin", ("macosx_11_0_arm64",)
    ),
    "manylinux2014_x86_64": Platform(
        "Linux, x86-64, glibc 2.17 or later", "x86_64-manylinux2014", _manylinux(17)
    ),
    "manylinux_2_28_x86_64": Platform(
        "Linux, x86-64, glibc 2.28 or later", "x86_64-manylinux_2_28", _manylinux(28)
    ),
}

PYTHONS = ("3.11", "3.12", "3.13")

PARTS = ("student", "browser")
"""What goes on the stick of a course that is built: no solutions, and no slides, which show what
the exercises find."""

WRITTEN_FOR = "3.12"
"""The version of Python that stands in the scripts of ``course/kit``."""

README = """Diffused redundancy: the course on a stick
==========================================

For: {title}, with Python {python} (python.org). No network is needed.

With nothing installed
    Open browser/index.html. {page}

Notebooks
    1. {install}
       It makes the folder redundancy-course in your home folder, with an environment of its
       own ({wheels} packages) and the notebooks. Nothing else on the computer is changed.
    2. {start}
       It opens JupyterLab. Begin with 00_tour.ipynb.
    A second installation leaves notebooks that are there as they are.
    To remove everything, delete the folder redundancy-course.

By hand, in this folder, in an environment of Python {python}
    python -m pip install --no-index --find-links wheels -r requirements.txt
    and open the notebooks of the folder student.

Texts: CC BY 4.0. Code: MIT.
"""


PAGE = {
    True: "It runs Python in the browser, with exercises.",
    False: "It shows stored numbers: its cells do not run, as it was made without Python.",
}
"""What the page of the browser lab does, by whether Python is beside it."""


def write_kit(folder: Path, platform: str, *, built: Path, python: str = "3.12") -> Path:
    """Write a kit for one platform: wheels, the students' folder, pages, and how to install.

    Parameters
    ----------
    folder : path
        On the stick, or to be copied there.
    platform : str
        One of PLATFORMS, as wheels are named.
    built : path
        What ``course --out`` wrote; solutions are left out.
    python : str
        The version of Python that the laptops have.

    Returns
    -------
    path
        Of the kit's ``README.txt``.

    Raises
    ------
    InputError
        For a platform or version that is not known, a course that is not built, and where packages
        cannot be had.
    """
    check_platform(platform, python)
    wanted = built / "student" / "requirements.txt"
    if not wanted.is_file():
        raise InputError(f"{built} holds no course: build it with course --out {built}")
    about = folder / "README.txt"
    if about.is_file() and PLATFORMS[platform].title not in about.read_text(encoding="utf-8"):
        raise InputError(f"{folder} holds a kit of another platform: give each a folder of its own")
    folder = make_folder(folder)
    wheels = folder / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    pinned = _resolved(wanted, PLATFORMS[platform], python)
    _download(pinned, PLATFORMS[platform], python, wheels)
    for part in PARTS:
        if (built / part).is_dir():
            shutil.rmtree(folder / part, ignore_errors=True)
            shutil.copytree(built / part, folder / part)
    windows = platform.startswith("win")
    runs = (built / "browser" / PACKED).is_file()
    readme = README.format(
        page=PAGE[runs],
        title=PLATFORMS[platform].title,
        python=python,
        wheels=len(list(wheels.iterdir())),
        install="Double-click install.cmd." if windows else "In a terminal: bash install.sh",
        start="Double-click start.cmd." if windows else "bash start.sh",
    )
    texts = {"README.txt": readme, "requirements.txt": pinned}
    for script in (paths.repository() / "course" / "kit").glob("*.cmd" if windows else "*.sh"):
        texts[script.name] = script.read_text(encoding="utf-8").replace(WRITTEN_FOR, python)
    for name, text in texts.items():
        end = "\r\n" if windows else "\n"
        (folder / name).write_text(text, encoding="utf-8", newline=end)
    return folder / "README.txt"


def check_platform(platform: str, python: str) -> None:
    """Raise an InputError, with the nearest allowed name, unless there can be a kit for it."""
    if platform not in PLATFORMS:
        raise unknown("platform", platform, PLATFORMS)
    if python not in PYTHONS:
        raise unknown("version of Python", python, PYTHONS)


def size(folder: Path) -> int:
    """Bytes of all files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _resolved(requirements: Path, platform: Platform, python: str) -> str:
    """The packages with their versions, also those that only that platform needs: pip itself asks
    what the machine it runs on needs.
    """
    options = ["--no-header", "--no-annotate", "--only-binary", ":all:", "--python-version", python]
    return _run(
        "uv",
        ["pip", "compile", *options, "--python-platform", platform.resolver, str(requirements)],
        MACOSX_DEPLOYMENT_TARGET="11.0",
    )


def _download(pinned: str, platform: Platform, python: str, wheels: Path) -> None:
    """The wheels of these packages."""
    number = python.replace(".", "")
    options = ["--only-binary", ":all:", "--no-deps", "--python-version", python]
    options += ["--implementation", "cp", "--dest", str(wheels), "--disable-pip-version-check"]
    for abi in (f"cp{number}", "abi3", "none"):
        options += ["--abi", abi]
    for tag in platform.tags:
        options += ["--platform", tag]
    with tempfile.TemporaryDirectory() as scratch:
        listed = Path(scratch) / "requirements.txt"
        listed.write_text(pinned, encoding="utf-8")
        _run("pip", ["download", "--quiet", *options, "--requirement", str(listed)])


def _run(module: str, words: Sequence[str], **environment: str) -> str:
    """What a command of the environment prints."""
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **environment},
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        errors = [line for line in lines if "error" in line.lower()] or lines
        raise InputError(
            f"the packages of the kit cannot be had: {module} says: {errors[-1].strip()}"
        )
    return done.stdout
