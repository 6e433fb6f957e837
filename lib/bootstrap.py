"""Find or make the Python environment, with nothing but the standard library.

``python bootstrap.py`` prints the path of a Python that satisfies ``requirements.lock``: the one of
the active virtual or conda environment if it does, else that of ``.venv`` in the checkout, which is
made if need be. Two processes may call it at once, and after an interruption it resumes.

Environment variables
---------------------
DIFFUSED_REDUNDANCY_TORCH=cpu
    Install the CPU build of torch, without the CUDA libraries (Linux; see the README). Remembered
    in ``.venv``; any other value goes back to the full build.
DIFFUSED_REDUNDANCY_ENVIRONMENT=active
    Use the active environment as it is, without holding it to the lock.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CUDA_ONLY = re.compile(r"^(nvidia-|cuda-|triton\b)")
"""Packages that only the CUDA build of torch needs."""
OTHER_BUILDS = re.compile(r"^torch(vision)?==")
"""Packages that have a CPU build of their own."""


def say(text: str) -> None:
    """A line for the person waiting; standard output holds nothing but the path."""
    print(text, file=sys.stderr, flush=True)


def lines(*, cuda: bool = True) -> list[str]:
    """The requirements of the lock, one a line, without comments and hashes."""
    return [line.partition(" --hash=")[0].strip() for line in hashed_lines(cuda=cuda)]


def hashed_lines(*, cuda: bool = True) -> list[str]:
    """The same, each with the SHA-256 of the files that it may be; without CUDA none of torch,
    whose CPU builds are files of another server.
    """
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    every = [" ".join(line.partition("#")[0].split()) for line in text.splitlines()]
    if cuda:
        return [line for line in every if line]
    return [
        line.partition(" --hash=")[0] if OTHER_BUILDS.match(line) else line
        for line in every
        if line and not CUDA_ONLY.match(line)
    ]


def satisfied() -> bool:
    """Whether the running Python has every package of the lock in its pinned version."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return False
    for line in lines(cuda=False):
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            present = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            return False
        if not wanted.specifier.contains(present, prereleases=True):
            return False
    return True


def active() -> bool:
    """Whether the running Python is that of an activated environment."""
    prefixes = [os.environ.get(name) for name in ("VIRTUAL_ENV", "CONDA_PREFIX")]
    return any(
        prefix and Path(prefix).resolve() == Path(sys.prefix).resolve() for prefix in prefixes
    )


@contextmanager
def alone():
    """Hold the lock file: a second process waits here until the first has made the environment.
    (Not on Windows, which has other locks.)
    """
    try:
        import fcntl
    except ModuleNotFoundError:
        yield
        return

    with open(ROOT / ".venv.lock", "w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another process is setting up the environment; waiting for it ...")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def works(python: Path) -> bool:
    """Whether an interpreter of a half-made environment runs."""
    return (
        python.exists()
        and subprocess.run([str(python), "-c", "import pip"], capture_output=True).returncode == 0
    )


def run(command: list[str], what: str) -> None:
    """Run a command of the set-up, its output on standard error; a failure ends the set-up."""
    if subprocess.run(command, stdout=sys.stderr.fileno()).returncode:
        raise SystemExit(
            f"error: {what} failed; see the lines above. The same command resumes from here."
        )


def make(python: Path) -> None:
    """Make ``.venv`` and install the lock and this package into it."""
    stamp, choice = VENV / ".lock-sha256", VENV / ".torch"
    remembered = choice.read_text(encoding="utf-8") if choice.exists() else ""
    cpu = os.environ.get("DIFFUSED_REDUNDANCY_TORCH", remembered) == "cpu"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted = hashlib.sha256(LOCK.read_bytes() + f"{cpu}".encode()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted and works(python):
        return
    say(f"Setting up {VENV} with Python {version} (once; a few minutes, most of it downloads) ...")
    if not works(python):
        shutil.rmtree(VENV, ignore_errors=True)
        run(
            [sys.executable, "-m", "venv", str(VENV)],
            "making a virtual environment (on Debian and Ubuntu it needs the package python3-venv)",
        )
    chosen = VENV / "requirements.txt"
    uv = next(line for line in hashed_lines() if line.startswith("uv=="))
    chosen.write_text(uv + "\n", encoding="utf-8")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--no-deps", "-r", str(chosen)], "installing uv")
    chosen.write_text("\n".join(hashed_lines(cuda=not cpu)) + "\n", encoding="utf-8")
    install = [str(python), "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    backend = ["--torch-backend", "cpu"] if cpu else []
    # Compiled now: where Python does not keep compiled modules, every notebook would compile them
    # again (4 s each).
    packages = [*install, "--compile-bytecode", *backend, "-r", str(chosen)]
    run(packages, "installing the packages of requirements.lock")
    run(
        [*install, "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
        "installing the package itself",
    )
    choice.write_text("cpu" if cpu else "", encoding="utf-8")
    stamp.write_text(wanted, encoding="utf-8")


def main() -> None:
    """Print the path of the Python to use."""
    if active():
        if os.environ.get("DIFFUSED_REDUNDANCY_ENVIRONMENT") == "active" or satisfied():
            print(sys.executable)
            return
        say("The active environment does not satisfy requirements.lock; using .venv instead.")
    with alone():
        make(PYTHON)
    print(PYTHON)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(
            "stopped while setting up the environment; the same command resumes from here"
        ) from None
    except OSError as error:
        raise SystemExit(f"error: the environment cannot be set up: {error}") from None
