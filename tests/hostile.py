"""Surroundings that have nothing to do with this package, and used to reach it."""

from __future__ import annotations

import json
import os
from pathlib import Path

NAME = "gäbe_$HOME"
"""A name that is neither ASCII nor to be filled in."""


def hostile(folder: Path) -> dict[str, str]:
    """Fill a folder, to be worked in, with modules, settings and kernels that fail; returns the
    environment that points to them.
    """
    for name in ("ast", "inspect", "locale", "queue", "statistics", "torch"):
        (folder / f"{name}.py").write_text("raise ImportError('of the working folder')\n")
    (folder / "matplotlibrc").write_text("text.usetex: True\n")
    startup = folder / "ipython" / "profile_default" / "startup"
    kernel = folder / "jupyter" / "kernels" / "python3"
    for place in (startup, kernel):
        place.mkdir(parents=True)
    (startup / "00-first.py").write_text("import os\nos._exit(1)\n")
    spec = {"argv": ["/nonexistent/python"], "display_name": "Site", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"},
        "PYTHONPATH": f"{os.pathsep}{os.environ.get('PYTHONPATH', '')}{os.pathsep}",
        "PYTHONSTARTUP": str(startup / "00-first.py"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_PATH": str(folder / "jupyter"),
        "MPLBACKEND": "nonsense",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }
