"""Write ``licences.md``: the licence of each package in ``requirements.lock``, by its metadata.

Run it in the environment of the lock, after the lock has changed:
``.venv/bin/python docs/make_licences.py``. A package of another system or Python is listed in
:data:`ELSEWHERE`; one that is in neither place stops the script.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "lib"))
import bootstrap  # noqa: E402

ELSEWHERE = {
    "aiohappyeyeballs": "PSF-2.0",
    "aiohttp": "Apache-2.0 AND MIT",
    "aiosignal": "Apache 2.0",
    "appnope": "BSD-2-Clause",
    "colorama": "BSD License",
    "frozenlist": "Apache-2.0",
    "greenlet": "MIT AND PSF-2.0",
    "httpx2-jsfetch": "BSD-3-Clause",
    "multidict": "Apache-2.0",
    "playwright": "Apache-2.0",
    "propcache": "Apache-2.0",
    "pywinpty": "MIT License",
    "yarl": "Apache-2.0",
}
"""Licences of packages that only some systems or Pythons need, read from their wheels."""

UNSAID = {"cuda-toolkit": "NVIDIA Proprietary Software"}
"""Packages whose metadata has no licence, and what their publisher says."""

HEAD = """# Licences of the packages

What `requirements.lock` installs, and the licence that each package's own metadata names; made by
`docs/make_licences.py`. The code of this repository is under the [MIT licence](../LICENSE); images,
weights and teaching material have [their own](../data/README.md).

**Not free software:** CUDA and cuDNN, which torch brings on Linux, are proprietary and free of
charge; [without them](running.md#without-the-cuda-libraries) nothing proprietary is installed.
**Copyleft:** `enum-tools` (LGPL), which the slides of the course are built with, and parts of
`docutils` (GPL). Nothing of either is copied or shipped.

| package | licence |
|:---|:---|
"""


def licence(name: str) -> str:
    """The licence of an installed package, or of one in the two lists."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ELSEWHERE[name]
    if about.get("License-Expression"):
        return about["License-Expression"]
    kinds = [
        one.split(" :: ")[-1] for one in about.get_all("Classifier") or [] if "License ::" in one
    ]
    kinds = [kind for kind in kinds if kind != "OSI Approved"]
    first = (about.get("License") or "").strip().partition("\n")[0]
    return " / ".join(kinds) or first or UNSAID[name]


def names() -> list[str]:
    """The packages of the lock, each once."""
    return sorted({Requirement(line).name for line in bootstrap.lines()})


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"| {name} | {licence(name)} |\n" for name in names())


if __name__ == "__main__":
    (ROOT / "docs" / "licences.md").write_text(page(), encoding="utf-8")
