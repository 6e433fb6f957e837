"""The browser lab: one page that runs plain Python, with nothing to install.

Python itself is Pyodide, whose files the repository does not hold: they are packed beside the page
from a folder. Without them the page shows what was computed when it was made, and says what is
missing.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..errors import InputError
from ..report.html import embedded, markdown, page
from ..store import make_folder, paths, write_text
from .editions import blank

if TYPE_CHECKING:
    from ..measures.curves import Curve

TITLE = "Throw neurons away: a lab in the browser"
PACKED = "pyodide-files.js"
"""Python, beside the page."""

PYODIDE = (
    *("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm"),
    *("python_stdlib.zip", "pyodide-lock.json"),
)
"""What the page takes of Pyodide's files."""

HOW_TO_GET_PYODIDE = "npm pack pyodide, unpack it, and name its folder package as --pyodide FOLDER"

LAYERS = {
    "ResNet, handwritten digits": ("miniature_resnet_128.standard_s1", "digits"),
    "ResNet, Georgian letters": ("miniature_resnet_128.standard_s1", "georgian"),
    "Vision transformer, handwritten digits": ("miniature_vit.standard_s1", "digits"),
    "Vision transformer, Georgian letters": ("miniature_vit.standard_s1", "georgian"),
}
"""Networks whose whole layer is narrow, so that plain Python measures it in seconds."""

IMAGES = 330
"""Of each part of a task, at most."""

SEEDS = range(1, 6)


def write_lab(folder: Path, *, pyodide: Path | None = None, explorer: Path | None = None) -> Path:
    """Write the page, and beside it what it needs.

    Parameters
    ----------
    folder : path
        Where ``index.html`` goes.
    pyodide : path, optional
        Pyodide's files, as ``npm pack pyodide`` or its full distribution has them.
    explorer : path, optional
        The explorer of a run, ``reports/PRESET/explorer.html``, which is copied beside the page.

    Returns
    -------
    path
        Of the page. It opens from a file as well as from a server.

    Raises
    ------
    InputError
        If a file of ``pyodide`` is missing.
    """
    packed = _packed(pyodide) if pyodide else ""
    folder = make_folder(folder)
    if packed:
        write_text(folder / PACKED, packed)
    else:
        (folder / PACKED).unlink(missing_ok=True)  # of an earlier page
    if explorer:
        write_text(folder / "explorer.html", explorer.read_text(encoding="utf-8"))
    write_text(folder / "index.html", _page(len(packed), explorer is not None))
    return folder / "index.html"


def check_pyodide(folder: Path) -> None:
    """Raise an InputError unless a folder holds Pyodide's files."""
    missing = [name for name in PYODIDE if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"{folder} has no {', '.join(missing)}: it is not Pyodide's folder. To get it: "
            f"{HOW_TO_GET_PYODIDE}"
        )


def source() -> Path:
    """The folder of the page's sources."""
    return paths.repository() / "course" / "browser"


def _packed(pyodide: Path) -> str:
    """Pyodide's files as one script, compressed: a page that is opened from a file may load a
    script, but fetch nothing.
    """
    check_pyodide(pyodide)
    files = {
        name: base64.b64encode(gzip.compress((pyodide / name).read_bytes(), mtime=0)).decode()
        for name in PYODIDE
    }
    return f"self.pyodideFiles = {json.dumps(files)};\n"


def _page(python: int, explorer: bool) -> str:
    """The HTML of the page; ``python`` is the size of the packed Python, in bytes."""
    layers = {name: shipped_layer(*one) for name, one in LAYERS.items()}
    curves = {name: measured(one) for name, one in layers.items()}
    cells = lab_cells((source() / "lab.py").read_text(encoding="utf-8"))
    modules = {
        name: (source() / name).read_text(encoding="utf-8")
        for name in ("measures.py", "checks.py", "console.py")
    }
    environment = Environment(
        loader=FileSystemLoader(source()), autoescape=True, undefined=StrictUndefined
    )
    shipped = embedded(layers)
    body = environment.get_template("lab.html.j2").render(
        title=TITLE,
        style=Markup((source() / "lab.css").read_text(encoding="utf-8")),
        script=Markup((source() / "lab.js").read_text(encoding="utf-8")),
        worker=Markup((source() / "worker.js").read_text(encoding="utf-8")),
        explorer="explorer.html" if explorer else "",
        missing=HOW_TO_GET_PYODIDE + ".",
        layers=list(layers),
        d=next(iter(layers.values()))["d"],
        rows=table_rows(curves),
        cells=cells,
        last=sum(cell["kind"] == "code" for cell in cells),
        measures=modules["measures.py"],
        lines=len(modules["measures.py"].splitlines()),
        size=f"The page has {len(shipped) / 1e6:.1f} MB of features"
        + (f", and Python beside it {python / 1e6:.1f} MB." if python else "."),
        sources=embedded(modules),
        shipped=shipped,
        curves=embedded(curves),
        python=bool(python),
    )
    return page(TITLE, body, contents=False, allowed="", footer="Texts: CC BY 4.0. Code: MIT.")


def shipped_layer(net: str, task: str) -> dict[str, Any]:
    """Features of a network on images of a task, as the page holds them: rounded to float16."""
    from ..measures.selections import orderings
    from ..measures.statistics import SufficientStatistics
    from ..nets.extraction import features
    from ..probes.ridge import RidgeProbe
    from ..tasks import registry

    found = features(net, registry.task(task, images=IMAGES))
    orders = orderings("random", SufficientStatistics.from_features(found.X_train), SEEDS)
    return {
        "d": found.X_train.shape[1],
        "penalty": RidgeProbe(found).penalty,
        "orders": [ordering.order.tolist() for ordering in orders if ordering.order is not None],
        "y_train": found.y_train.tolist(),
        "y_test": found.y_test.tolist(),
        **{
            part: base64.b64encode(np.asarray(X, "<f2").tobytes()).decode()
            for part, X in (("X_train", found.X_train), ("X_test", found.X_test))
        },
    }


def measured(layer: Mapping[str, Any]) -> dict[str, Any]:
    """What the library says of a shipped layer: what the page shows before Python runs in it."""
    import torch

    from ..measures.cka import cka_curve
    from ..measures.features import Features
    from ..measures.selections import Ordering
    from ..measures.statistics import SufficientStatistics
    from ..probes.ridge import RidgeProbe

    X_train, X_test = (
        np.frombuffer(base64.b64decode(layer[part]), "<f2").reshape(-1, layer["d"]).astype("f8")
        for part in ("X_train", "X_test")
    )
    orders = [
        Ordering("random", seed, layer["d"], order=torch.tensor(order))
        for seed, order in zip(SEEDS, layer["orders"], strict=True)
    ]
    labels = np.array(layer["y_train"]), np.array(layer["y_test"])
    features = Features(X_train, labels[0], X_test, labels[1])
    statistics = SufficientStatistics.from_features(X_train)
    return {
        "cka": _told(cka_curve(statistics, orders)),
        "accuracy": _told(RidgeProbe(features, penalty=layer["penalty"]).curve(orders)),
    }


def _told(curve: Curve) -> dict[str, Any]:
    """Mean, least and greatest at each k, rounded, and k*."""
    return {
        "mean": curve.mean.round(5).tolist(),
        "low": curve.values.min(0).round(5).tolist(),
        "high": curve.values.max(0).round(5).tolist(),
        "k_star": curve.redundancy(0.9).k,
    }


def table_rows(curves: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """The numbers of the drawing at a few sizes."""
    rows = []
    for name, one in curves.items():
        d = len(one["cka"]["mean"])
        for k in (d // 10, d // 5, d // 2, d):
            accuracy = one["accuracy"]["mean"][k - 1]
            rows.append(
                {
                    "network and images": name,
                    "neurons kept": f"{k} of {d}",
                    "test accuracy": f"{accuracy:.1%}",
                    "CKA": f"{one['cka']['mean'][k - 1]:.3f}",
                }
            )
    return rows


def lab_cells(text: str) -> Sequence[dict[str, Any]]:
    """The cells of the page: text as HTML, code, and exercises, which are blanks with their check.

    Parameters
    ----------
    text : str
        The source, in jupytext's percent format.
    """
    import jupytext

    cells: list[dict[str, Any]] = []
    for cell in jupytext.reads(text, fmt="py:percent").cells:
        if cell.cell_type == "markdown":
            html = markdown(cell.source, html=True).replace("<summary>Hint<", "<summary>Show hint<")
            cells.append({"kind": "text", "html": Markup(html)})
        elif cell.metadata.get("part") == "check":
            cells[-1]["check"] = cell.source
        else:
            exercise = cell.metadata.get("exercise")
            code = blank(cell.source)
            kind = "exercise" if exercise else "code"
            place = f"{kind} {1 + sum(one['kind'] == kind for one in cells)}"
            cells.append(
                {
                    "kind": kind,
                    "html": "",
                    "check": "",
                    "place": place.replace("code", "cell"),
                    "code": code,
                    "rows": 1 + len(code.splitlines()),
                }
            )
    return cells
