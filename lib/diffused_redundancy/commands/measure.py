"""The command ``measure``: anyone's embeddings in, ``summary.json``, ``curves.csv`` and
``report.html`` out. A thin layer over :func:`diffused_redundancy.measure`.
"""

from __future__ import annotations

import argparse
import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..api import Options, Result
from ..api import measure as measured
from ..cluster.summed_shards import Shard
from ..errors import InputError, check_number
from ..measures.curves import MEASURES, Curve
from ..measures.redundancy import Redundancy
from ..report.display import png, with_palette
from ..report.html import page, rendered
from ..store import atomic_path, make_folder, provenance
from ..store.csvfile import csv_text
from ..store.featurefile import IN_RANGES, READERS
from ..store.places import Place, place_of
from .arrays import read_arrays
from .shard_option import check_shard
from .shards import Asked, summed_shard

FILES = ("curves.csv", "summary.json", "report.html")
MEASURING = ("seeds", "delta", "selection", "penalty", "standardize", "constant")
"""Options that say how to measure, and do not matter before."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument(
        "path",
        metavar="FEATURES",
        help=f"{', '.join(READERS)} file with X_train, y_train and optionally X_test, y_test; or a "
        f"folder of shards, {', '.join(IN_RANGES)}; or a URL of one of these (s3://, gs://, "
        "https://)",
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
        help="array that holds the labels (default: y_train), or a file or folder of them",
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
        "--shard",
        metavar="I/N",
        help="only sum up the I-th of N parts of the train images (slurm: the task of a job array "
        "that this is); the command merge measures when all are there",
    )
    add_measuring(parser)


def add_measuring(parser: argparse.ArgumentParser) -> None:
    """Say how it may be asked to measure."""
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
    request = Request(**{name: getattr(options, name) for name in names})
    print(measure(request) if options.shard is None else sum_shard(request, options.shard))
    return 0


@dataclass(frozen=True)
class Request:
    """What was typed; every value is checked when it is made."""

    path: Place
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
        object.__setattr__(self, "path", place_of(self.path))
        object.__setattr__(self, "selection", tuple(self.selection) or ("random",))
        deltas = {check_number(delta, "--delta", 0, 1, open_low=True) for delta in self.delta}
        object.__setattr__(self, "delta", tuple(sorted(deltas)) or (0.8, 0.9, 0.95))
        _ = self.options

    @property
    def options(self) -> Options:
        """How to measure."""
        return Options(
            self.probe,
            self.selection,
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
    with results_folder(request.out):
        features, notes = read_arrays(request.path, request.features, request.labels)
        result = measured(features, pool=request.pool, **vars(request.options))
        result = replace(result, notes=(*notes, *result.notes))
        metered = request.path.kind == "folder" or request.path.suffix in IN_RANGES
        return written(request, result, {"bytes_read": request.path.meter.bytes} if metered else {})


@contextmanager
def results_folder(out: Path) -> Iterator[None]:
    """A folder that the three files can be written to; one that stays empty is removed again."""
    new = not out.exists()
    make_folder(out)
    try:
        for name in FILES:
            if (out / name).is_dir():
                raise InputError(
                    f"cannot write {out / name}: a folder of that name is in the way; choose "
                    "another folder"
                )
        yield
    except BaseException:
        if new and not any(out.iterdir()):
            out.rmdir()
        raise


def written(request: Request, result: Result, cost: Mapping[str, Any]) -> str:
    """Write the three files; ``cost`` of reading goes into the summary. Returns what to print."""
    redundancies = _redundancies(result, request.delta)
    main = 0.9 if 0.9 in request.delta else request.delta[0]
    sentences = [result.describe(main, name) for name in result.measures]
    _write(request, result, redundancies, sentences, cost)
    table = _shown(redundancies).to_string(index=False)
    report = f"Report: {request.out / FILES[-1]}"
    return "\n".join([table, "", *sentences, *result.notes, report])


def sum_shard(request: Request, shard: str) -> str:
    """Sum up a part of the train images; returns what to print."""
    for name in MEASURING:
        if getattr(request, name) != getattr(Request(request.path, request.out), name):
            raise InputError(
                f"--{name} with --shard: sums do not depend on it; give it to the command merge"
            )
    if request.probe not in ("ridge", "none"):
        raise InputError(
            f"--probe {request.probe} with --shard: it needs all images at once; allowed: ridge, "
            "none"
        )
    return summed_shard(
        Shard(*check_shard(shard)),
        Asked(
            request.path, request.features, request.labels, request.pool, request.probe == "ridge"
        ),
        request.out,
        request.device,
    )


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
    cost: Mapping[str, Any],
) -> None:
    made_by = provenance()
    summary = _summary(request, result, redundancies, {**cost, "provenance": made_by})
    contents = {
        "curves.csv": csv_text(result.to_frame(), "%.8g"),
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
    rest: Mapping[str, Any],
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
        **rest,
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
