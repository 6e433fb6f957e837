"""Run the tests with the oldest or the newest packages that ``pyproject.toml`` allows:
``python tests/versions.py oldest|newest [ARGUMENTS OF PYTEST]``, in a new environment that is
deleted afterwards (up to 7 GB). It needs uv, which the extra ``test`` holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESOLUTIONS = {"oldest": "lowest-direct", "newest": "highest"}
OF_THE_LOCK = (
    "tests/test_licences.py::test_licences_are_those_of_the_metadata",
    "tests/test_setup.py::test_an_environment_is_held_to_the_lock",
    "tests/test_setup.py::test_an_active_environment_is_used_if_it_satisfies_the_lock",
)
"""Tests that ask for the versions of requirements.lock."""


def main(words: list[str]) -> int:
    """Make the environment, run the tests in it, and return their exit status."""
    if not words or words[0] not in RESOLUTIONS:
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "Scripts/python.exe" if os.name == "nt" else "bin/python")
        uv = [sys.executable, "-m", "uv"]
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        install = [*uv, "pip", "install", "--quiet", "--python", str(python)]
        resolution = ["--resolution", RESOLUTIONS[words[0]], "-e", ".[test,parquet]"]
        subprocess.run([*install, *resolution], cwd=ROOT, check=True)
        left_out = [word for one in OF_THE_LOCK for word in ("--deselect", one)]
        pytest = [python, "-m", "pytest", "-n", "2", "--dist", "loadfile", *left_out, *words[1:]]
        return subprocess.run(pytest, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
