"""What made a number: versions, commit, machine, threads. Printed in every report."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib import metadata

from ..errors import InputError
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

FORGES = ("github.com", "gitlab.com")
"""Where ``ADDRESS/blob/COMMIT/PATH`` shows a file."""


def _git(*words: str) -> str:
    """What git says of the checkout; empty where there is none, or no git."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(paths.repository()), *words],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError, InputError):  # installed without a checkout
        return ""
    return answer.stdout.strip()


def commit() -> str:
    """The git commit, with ``+changes`` if files differ from it, or ``not a git checkout``."""
    revision = _git("rev-parse", "--short=12", "HEAD")
    if not revision:
        return "not a git checkout"
    changed = _git("status", "--porcelain", "--", "lib", "data", "notebooks/*.py")
    return revision + ("+changes" if changed else "")


def source_address(path: str) -> str:
    """The address of a file of the repository at this commit, where ``origin`` is a public forge;
    else, and where files differ from the commit, empty.
    """
    revision = commit()
    if not revision.isalnum():
        return ""
    address = forge_address(origin())
    return f"{address}/blob/{revision}/{path}" if address else ""


def origin() -> str:
    """Git's remote ``origin``, as it is written there; empty if there is none."""
    return _git("remote", "get-url", "origin")


def forge_address(remote: str) -> str:
    """The page of a repository on a public forge, without what a remote says besides.

    >>> forge_address("git@github.com:someone/redundancy.git")
    'https://github.com/someone/redundancy'
    >>> forge_address("https://name:token@gitlab.com/a/b/c")
    'https://gitlab.com/a/b/c'
    >>> forge_address("/home/me/redundancy")
    ''
    """
    hosts = "|".join(re.escape(host) for host in FORGES)
    found = re.fullmatch(
        rf"(?:https://(?:[^@/]*@)?|ssh://git@|git@)({hosts})[:/]([\w./-]+?)(?:\.git)?/?", remote
    )
    return f"https://{found[1]}/{found[2]}" if found else ""


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


def provenance() -> dict[str, str]:
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
