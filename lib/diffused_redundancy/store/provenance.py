"""What made a number: versions, commit, machine, threads. Printed in every report."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from . import paths

PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "papermill",
    "nbconvert",
)


def commit() -> str:
    """The git commit, with ``+changes`` if files differ from it, or ``not a git checkout``."""
    root = paths.repository()

    def git(*words: str) -> str:
        answer = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=True
        )
        return answer.stdout.strip()

    try:
        revision = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--", "lib", "data", "notebooks/*.py")
    except (OSError, subprocess.CalledProcessError):
        return "not a git checkout"
    return revision + ("+changes" if changed else "")


def processor() -> str:
    """The processor's name, as the operating system gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def gpu() -> str:
    """The name of the accelerator torch would use, or ``none``."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "Apple MPS" if torch.backends.mps.is_available() else "none"


def provenance() -> dict[str, Any]:
    """Commit, date, machine and versions: what determines a result beside its parameters.

    Returns
    -------
    dict
        Flat, of short strings; it names no path of the machine.

    Examples
    --------
    >>> import diffused_redundancy as dr
    >>> about = dr.provenance()
    >>> about["package"] == dr.__version__, "commit" in about, "torch" in about
    (True, True, True)
    """
    import torch

    from .. import __version__

    return {
        "package": __version__,
        "commit": commit(),
        "date (UTC)": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": f"{processor()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} threads in use",
        "GPU": gpu(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
    }
