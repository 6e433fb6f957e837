"""The command ``measure``: anyone's embeddings in, ``summary.json``, ``curves.csv`` and
``report.html`` out. A thin layer over :func:`diffused_redundancy.measure`.
"""

from __future__ import annotations

import argparse
import base64
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..api import Options, Result
from ..api import measure as measured
from ..errors import MOST, InputError, check_number
from ..measures.curves import MEASURES, Curve
from ..measures.features import Features
from ..measures.redundancy import Redundancy
from ..report.display import png, with_palette
from ..report.html import page, rendered
from ..store import atomic_path, make_folder, provenance
from ..store.featurefile import ALONE, READERS, Stored, contents, read_features

USUAL_FEATURES = ("x_train", "features", "embeddings", "x", "feats", "embedding", "arr_0")
USUAL_LABELS = ("y_train", "labels", "y", "targets", "label", "target", "arr_1")
NAMES = ("X_train", "y_train", "X_test", "y_test")
FILES = ("curves.csv", "summary.json", "report.html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument(
        "path",
        type=Path,
        metavar="FEATURES",
        help=f"{', '.join(READERS)} file with X_train, y_train and optionally X_test, y_test; or a "
        "folder of .npy files",
    )
    parser.add_argument(
        "--features",
        metavar="NAME",
        help="array that holds the features (default: X_train); the test part's name has test in "
        "place of train",
    )
    parser.add_argument(
        "--labels",
        metavar="NAME",
        help="array that holds the labels (default: y_train), or a separate file",
    )
    parser.add_argument(
        "--pool",
        metavar="NAME",
        help="reduce maps and tokens to one row per image: mean, max or cls, the first token",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for summary.json, curves.csv and report.html",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=5,
        metavar="N",
        help="random selections, seeds 1 to N (default: 5)",
    )
    parser.add_argument(
        "--delta",
        type=float,
        action="append",
        default=[],
        metavar="D",
        help="share of the full layer's value to keep; may be repeated (default: 0.8, 0.9, 0.95)",
    )
    parser.add_argument(
        "--selection",
        action="append",
        default=[],
        metavar="NAME",
        help="way of choosing neurons or directions; may be repeated (default: random)",
    )
    parser.add_argument(
        "--probe",
        default="ridge",
        metavar="NAME",
        help="ridge, logistic, both or none (default: ridge)",
    )
    parser.add_argument(
        "--penalty",
        type=float,
        metavar="A",
        help="penalty of the ridge probe (default: chosen by cross-validation on the train set)",
    )
    parser.add_argument(
        "--standardize",
        action="store_true",
        help="scale neurons to unit variance before the ridge probe",
    )
    parser.add_argument(
        "--constant",
        default="error",
        metavar="RULE",
        help="constant neurons: error, keep (count them as neurons) or drop (default: error)",
    )
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)"
    )


def run(options: argparse.Namespace) -> int:
    """Measure, write the files and print what they say."""
    names = [one.name for one in fields(Request)]
    print(measure(Request(**{name: getattr(options, name) for name in names})))
    return 0


@dataclass(frozen=True)
class Request:
    """What was typed; every value is checked when it is made."""

    path: Path
    out: Path
    features: str | None = None
    labels: str | None = None
    pool: str | None = None
    seeds: int = 5
    delta: Sequence[float] = ()
    selection: Sequence[str] = ()
    probe: str = "ridge"
    penalty: float | None = None
    standardize: bool = False
    constant: str = "error"
    device: str = "auto"

    def __post_init__(self) -> None:
        deltas = {check_number(delta, "--delta", 0, 1, open_low=True) for delta in self.delta}
        object.__setattr__(self, "delta", tuple(sorted(deltas)) or (0.8, 0.9, 0.95))
        _ = self.options

    @property
    def options(self) -> Options:
        """How to measure."""
        return Options(
            self.probe,
            tuple(self.selection) or ("random",),
            self.seeds,
            self.standardize,
            self.constant,
            self.penalty,
            self.device,
        )


def measure(request: Request) -> str:
    """Measure, write the three files, and return a short table with sentences.

    Raises
    ------
    InputError
        Before any work, with one line that says what was given and what is allowed.
    """
    new = not request.out.exists()
    make_folder(request.out)
    try:
        for name in FILES:
            if (request.out / name).is_dir():
                raise InputError(
                    f"cannot write {request.out / name}: a folder of that name is in the way; "
                    "choose another folder"
                )
        features, notes = _read(request)
        result = measured(features, pool=request.pool, **vars(request.options))
        result = replace(result, notes=(*notes, *result.notes))
        redundancies = _redundancies(result, request.delta)
        main = 0.9 if 0.9 in request.delta else request.delta[0]
        sentences = [result.describe(main, name) for name in result.measures]
        _write(request, result, redundancies, sentences)
    except BaseException:
        if new and not any(request.out.iterdir()):
            request.out.rmdir()
        raise
    table = _shown(redundancies).to_string(index=False)
    report = f"Report: {request.out / FILES[-1]}"
    return "\n".join([table, "", *sentences, *result.notes, report])


def _read(request: Request) -> tuple[Features, list[str]]:
    """The arrays of a file, unchecked, and sentences on which were taken."""
    path = request.path.expanduser()
    stored = contents(path)
    shards = path.is_dir() and ALONE in stored
    if ALONE in stored:
        if request.features is not None:
            raise InputError(f"{path} holds one array, without a name: leave out --features")
        stored = {NAMES[0]: stored[ALONE]}
    X = request.features or NAMES[0]
    if X not in stored:
        raise InputError(f"{path} has no array {X!r}{_proposal(X, stored, request.labels)}")
    y = request.labels or NAMES[1]
    elsewhere = request.labels is not None and y not in stored
    if elsewhere and not Path(y).expanduser().exists():
        known = [name for name in stored if stored[name].labels(stored[X].shape[0])] or stored
        near = min(known, key=lambda name: _likeness(name, y, USUAL_LABELS))
        raise InputError(
            f"{path} has no array {y!r} for --labels, and there is no such file: it holds "
            f"{', '.join(stored)} (nearest: {near})"
        )
    wanted = (X, y, _of_test(X), _of_test(y))
    names = tuple(name for name in wanted if name in stored)
    arrays = read_features(path, names)
    parts = [arrays.get(name) for name in wanted]
    notes = []
    if shards:
        notes.append(f"{path.name} was read as shards of one array, in the order of their names.")
    if names and any(name not in NAMES for name in names):
        notes.append(
            "Arrays: "
            + ", ".join(
                f"{name} as {known}"
                for name, known in zip(wanted, NAMES, strict=True)
                if name in stored
            )
            + "."
        )
    if elsewhere:
        parts[1] = _labels_of(Path(y))
        notes.append(f"Labels are of {Path(y).name}.")
    if parts[1] is None:
        others = [name for name in stored if stored[name].labels(stored[X].shape[0])]
        if others:
            notes.append(f"{path.name} also holds {', '.join(others)}: --labels NAME takes them.")
    return Features(parts[0], parts[1], parts[2], parts[3]), notes


def _of_test(name: str) -> str:
    """What the array of the test part is called; empty where none can be."""
    for train, test in (("train", "test"), ("Train", "Test"), ("TRAIN", "TEST")):
        if train in name:
            return name.replace(train, test)
    return ""


def _labels_of(path: Path) -> Any:
    """The labels of a file of their own."""
    stored = contents(path)
    name = NAMES[1] if NAMES[1] in stored else next(iter(stored), "")
    if len(stored) > 1 and name != NAMES[1]:
        raise InputError(
            f"{path} holds {', '.join(stored)}: a file of labels holds y_train, or one array"
        )
    return next(iter(read_features(path, (name,)).values()), None)


def _proposal(wanted: str, stored: Mapping[str, Stored], labels: str | None) -> str:
    """What a file holds, and what to say to have it measured."""
    if not stored:
        return ": it holds none"
    listed = [f"{name} {about}" for name, about in stored.items()]
    more = f", and {len(listed) - MOST} more" if len(listed) > MOST else ""
    held = f": it holds {', '.join(listed[:MOST])}{more}"
    features = [name for name, about in stored.items() if about.floating]
    if not features:
        return f"{held}; none of them can be features"
    X = min(features, key=lambda name: _likeness(name, wanted, USUAL_FEATURES))
    fitting = [name for name in stored if stored[name].labels(stored[X].shape[0])]
    y = min(fitting, key=lambda name: _likeness(name, "", USUAL_LABELS), default=None)
    said = f" --labels {labels or y}" if labels or y else ""
    return f"{held}; say --features {X}{said}"


def _likeness(name: str, wanted: str, usual: Sequence[str]) -> tuple[float, int]:
    """A key that sorts the name that was meant to the front."""
    plain = name.rpartition("/")[2].lower()
    near = SequenceMatcher(None, name.lower(), wanted.lower()).ratio()
    return (-near if near > 0.6 else 0.0), usual.index(plain) if plain in usual else len(usual)


def _redundancies(result: Result, deltas: Sequence[float]) -> list[tuple[Curve, Redundancy]]:
    """DR of every curve at every delta; a probe that is always wrong has none."""
    return [
        (curve, curve.redundancy(delta))
        for curve in result.curves.values()
        if curve.full > 0
        for delta in deltas
    ]


def _write(
    request: Request,
    result: Result,
    redundancies: Sequence[tuple[Curve, Redundancy]],
    sentences: Sequence[str],
) -> None:
    made_by = provenance()
    summary = _summary(request, result, redundancies, made_by)
    contents = {
        "curves.csv": result.to_frame().to_csv(index=False, float_format="%.8g"),
        "summary.json": json.dumps(summary, indent=2, ensure_ascii=False) + "\n",
        "report.html": _report(request.path.name, result, redundancies, sentences, made_by),
    }
    with ExitStack() as together:  # all take their places at the end: none is of another run
        for name, content in contents.items():
            temporary = together.enter_context(atomic_path(request.out / name))
            temporary.write_text(content, encoding="utf-8")


def _summary(
    request: Request,
    result: Result,
    redundancies: Sequence[tuple[Curve, Redundancy]],
    made_by: dict[str, str],
) -> dict[str, Any]:
    """The content of ``summary.json``."""
    about = {**result.about}
    return {
        "features": request.path.name,
        **{name: about[name] for name in ("n_train", "n_test", "d", "classes")},
        "constant_neurons": about["constant"],
        "diagonal_share": about["diagonal_share"],
        "seeds": list(range(1, request.seeds + 1)),
        "penalties": dict(result.penalties),
        "standardize": request.standardize,
        "notes": list(result.notes),
        "DR": [
            {
                "measure": curve.measure,
                "selection": curve.selection,
                "delta": redundancy.delta,
                "DR": _json_number(redundancy.value),
                "k": redundancy.k,
                "low": _json_number(redundancy.low),
                "high": _json_number(redundancy.high),
                "confidence": redundancy.confidence,
                "full": redundancy.full,
                **_above_chance(curve, redundancy.delta),
                "exact": curve.measure != "logistic_accuracy",
            }
            for curve, redundancy in redundancies
        ],
        "provenance": made_by,
    }


def _above_chance(curve: Curve, delta: float) -> dict[str, Any]:
    """DR of what the whole layer's accuracy has above guessing, where that is clearly there."""
    corrected = curve.above_chance(delta)
    if corrected is None:
        return {}
    return {"DR_above_chance": _json_number(corrected.value), "chance": corrected.chance}


def _json_number(value: float) -> float | None:
    return None if np.isnan(value) else value


def _shown(redundancies: Sequence[tuple[Curve, Redundancy]]) -> pd.DataFrame:
    """DR for reading."""
    rows = []
    for curve, redundancy in redundancies:
        interval, corrected = "–", curve.above_chance(redundancy.delta)
        if redundancy.has_interval:
            interval = f"{redundancy.low:.3f} to {redundancy.high:.3f}"
        rows.append(
            {
                "measure": curve.name,
                "selection": curve.selection,
                "delta": f"{redundancy.delta:g}",
                "DR": "not reached" if redundancy.k is None else f"{redundancy.value:.3f}",
                "95% interval": interval,
                "DR above chance": "–" if corrected is None else f"{corrected.value:.3f}",
                "k": "-" if redundancy.k is None else str(redundancy.k),
                "d": str(redundancy.d),
                "full": f"{redundancy.full:.3f}",
            }
        )
    return pd.DataFrame(rows)


def _report(
    name: str,
    result: Result,
    redundancies: Sequence[tuple[Curve, Redundancy]],
    sentences: Sequence[str],
    made_by: dict[str, str],
) -> str:
    """The page: what was measured, figures, a table, and what made it."""
    figures = []
    for measure_name in result.measures:
        image = with_palette(png(result.plot(measure_name, title=name)))
        words = MEASURES[measure_name].name
        figures.append(
            {
                "heading": words[0].upper() + words[1:],
                "alt": f"{words} against the number of neurons or directions kept, for {name}",
                "png": base64.b64encode(image).decode(),
            }
        )
    table = _shown(redundancies)
    body = rendered(
        "measure.html.j2",
        name=name,
        sentences=sentences,
        about=result.about,
        notes=result.notes,
        figures=figures,
        columns=list(table.columns),
        rows=table.to_numpy().tolist(),
        penalties=result.penalties,
    )
    footer = "; ".join(f"{key} {value}" for key, value in made_by.items())
    return page(f"Diffused redundancy of {name}", body, footer=footer)
