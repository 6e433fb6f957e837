"""Measure anyone's embeddings: ``python -m diffused_redundancy measure FEATURES.npz --out DIR``."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..devices import keep_memory, resolve_device
from ..errors import InputError, check_number, check_whole, unknown
from ..experiment.probed_layer import Layer
from ..findings.figure_data import Line, Panel
from ..findings.tables import tidy
from ..measure.redundancy import Redundancy, diffused_redundancy
from ..measure.selections import PAPER_FRACTIONS, SELECTIONS, sizes_of
from ..measure.validation import Rows, as_features, check_features, check_finite, is_lazy
from ..probes.cross_validation import check_penalty
from ..report.display import markdown_table, png, with_palette
from ..report.figures import curves_figure
from ..report.html import markdown, page
from ..store import atomic_path, make_folder, provenance
from ..store.featurefile import read_features
from ..tasks.splits import HELD_OUT, stratified

PROBES = ("ridge", "logistic", "both", "none")
CONSTANT = ("error", "keep", "drop")
NAMES = ("X_train", "y_train", "X_test", "y_test")
MEASURES = {
    "cka": "CKA",
    "ridge_accuracy": "accuracy, ridge probe",
    "logistic_accuracy": "accuracy, logistic probe",
}


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line; every value is checked when it is made."""

    features: Path
    out: Path
    seeds: int = 5
    delta: Sequence[float] = ()
    selection: Sequence[str] = ()
    probe: str = "ridge"
    penalty: float | None = None
    standardize: bool = False
    constant: str = "error"
    device: str = "auto"

    def __post_init__(self) -> None:
        check_whole(self.seeds, "--seeds", 1, 100_000)
        deltas = sorted(
            {check_number(delta, "--delta", 0, 1, open_low=True) for delta in self.delta}
        ) or [0.8, 0.9, 0.95]
        selections = list(dict.fromkeys(self.selection)) or ["random"]
        for name in selections:
            if name not in SELECTIONS:
                raise unknown("selection", name, SELECTIONS)
        if self.probe not in PROBES:
            raise unknown("probe", self.probe, PROBES)
        if self.constant not in CONSTANT:
            raise unknown("rule for constant neurons", self.constant, CONSTANT)
        if self.penalty is not None:
            check_penalty(self.penalty)
        if self.probe not in ("ridge", "both") and (self.penalty is not None or self.standardize):
            given = "--penalty" if self.penalty is not None else "--standardize"
            raise InputError(
                f"{given} is of the ridge probe: the probe is {self.probe!r}; leave it out, or "
                "use ridge or both"
            )
        resolve_device(self.device)
        object.__setattr__(self, "delta", tuple(deltas))
        object.__setattr__(self, "selection", tuple(selections))


class Columns:
    """Some columns of features that are read in slices of rows."""

    def __init__(self, rows: Rows, keep: np.ndarray) -> None:
        self.rows, self.keep = rows, keep
        self.shape, self.dtype = (len(rows), len(keep)), rows.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Any:
        return self.rows[rows][:, self.keep]


@dataclass
class Data:
    """Checked features and labels; labels are class indices, ``classes`` their names."""

    X_train: Any
    y_train: np.ndarray | None
    X_test: Any
    y_test: np.ndarray | None
    classes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def arrays(self) -> tuple[Any, Any, Any, Any]:
        """X_train, y_train, X_test, y_test."""
        return self.X_train, self.y_train, self.X_test, self.y_test


def load(path: Path) -> Data:
    """Read and check a file of embeddings.

    Raises
    ------
    InputError
        If X_train is missing, shapes or labels do not match, there is one class, or the file cannot
        be read.
    """
    stored = read_features(path, NAMES)
    if "X_train" not in stored:
        raise InputError(
            f"{path} has no array 'X_train': it needs X_train, and may have y_train, X_test "
            "and y_test"
        )
    X_train = check_features(stored["X_train"], "X_train")
    if not is_lazy(X_train):  # a larger one is checked as it is read
        check_finite(X_train, "X_train")
    if "y_train" not in stored:
        extra = [name for name in ("X_test", "y_test") if name in stored]
        if extra:
            raise InputError(
                f"{path} has {extra[0]} but no y_train: a test part is of use only with train "
                "labels"
            )
        return Data(
            X_train, None, None, None, notes=["There are no labels, so only CKA is measured."]
        )
    if ("X_test" in stored) != ("y_test" in stored):
        present = "X_test" if "X_test" in stored else "y_test"
        raise InputError(f"{path} has {present} alone: X_test and y_test go together")
    y_train, classes = _labels(stored["y_train"], len(X_train), "y_train")
    if len(classes) < 2:
        raise InputError(
            f"y_train holds one class ({classes[0]}): a probe needs at least two; leave labels "
            "out to measure CKA only"
        )
    if "X_test" in stored:
        X_test = as_features(stored["X_test"], "X_test")
        if X_test.shape[1] != X_train.shape[1]:
            raise InputError(
                f"X_test has {X_test.shape[1]} neurons: X_train has {X_train.shape[1]}"
            )
        y_test, _ = _labels(stored["y_test"], len(X_test), "y_test", classes)
        return Data(X_train, y_train, X_test, y_test, [str(name) for name in classes])
    if min(np.bincount(y_train)) < 2:
        rare = classes[int(np.bincount(y_train).argmin())]
        raise InputError(
            f"class {rare} has one image: give X_test and y_test, or at least two images a "
            "class to hold one out"
        )
    features = as_features(X_train, "X_train")
    train, test = stratified(y_train, HELD_OUT)
    note = (
        f"There was no test part: {len(test)} of {len(y_train)} images were held out "
        "(stratified, split seed "
        "0)."
    )
    return Data(
        features[train],
        y_train[train],
        features[test],
        y_train[test],
        [str(name) for name in classes],
        [note],
    )


def _labels(
    values: Any, n: int, name: str, classes: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Labels of any whole numbers or words as indices into sorted classes."""
    array = np.asarray(values[0 : len(values)] if is_lazy(values) else values)
    if array.ndim != 1 or len(array) != n:
        raise InputError(
            f"{name} has shape {array.shape}: there must be one label for each of the {n} images"
        )
    if array.dtype.kind not in "iubUS":
        raise InputError(f"{name} holds {array.dtype}: labels must be whole numbers or words")
    if classes is None:
        found, index = np.unique(array, return_inverse=True)
        return index.astype(np.int64), found
    strange = np.setdiff1d(array, classes)
    if len(strange):
        raise InputError(
            f"{name} holds {strange[0]}, which is not among the {len(classes)} classes of y_train"
        )
    return np.searchsorted(classes, array).astype(np.int64), classes


def _without_constant(data: Data, layer: Layer, rule: str) -> tuple[Data, bool]:
    """Apply the rule for constant neurons; also whether the data changed."""
    constant = layer.statistics.constant.cpu().numpy()
    d = layer.statistics.d
    if not len(constant):
        return data, False
    if len(constant) == d:
        raise InputError(f"all {d} neurons are constant: there is nothing to measure")
    named = ", ".join(map(str, constant[:5])) + (", ..." if len(constant) > 5 else "")
    count = (
        f"{len(constant)} of {d} neurons {'is' if len(constant) == 1 else 'are'} constant "
        f"(index {named})"
    )
    if rule == "error":
        raise InputError(
            f"{count}: choose --constant keep, to count them as neurons that carry nothing, or "
            "--constant drop, to leave them out"
        )
    data.notes.append(
        f"{count[0].upper()}{count[1:]}; they were {'kept' if rule == 'keep' else 'dropped'}."
    )
    if rule == "keep":
        return data, False
    keep = np.setdiff1d(np.arange(d), constant)
    data.X_train = (
        Columns(data.X_train, keep) if is_lazy(data.X_train) else as_features(data.X_train)[:, keep]
    )
    data.X_test = None if data.X_test is None else as_features(data.X_test)[:, keep]
    return data, True


@dataclass(frozen=True)
class Found:
    """One measure with one selection: curves (seeds, sizes), the sizes, and the full layer's
    value.
    """

    measure: str
    selection: str
    seeds: list[int]
    sizes: list[int]
    curves: np.ndarray
    full: float


def _measured(layer: Layer, request: Request, labelled: bool) -> list[Found]:
    seeds = range(1, request.seeds + 1)
    found = []
    for name in request.selection:
        cka = layer.cka(name, seeds)
        found.append(
            Found("cka", name, layer.seeds(name, seeds), list(range(1, cka.shape[1] + 1)), cka, 1.0)
        )
    if not labelled or request.probe == "none":
        return found
    if request.probe in ("ridge", "both"):
        full = float(layer.ridge("first", [0], penalty=request.penalty)["accuracy"][0, -1])
        for name in request.selection:
            curves = layer.ridge(name, seeds, penalty=request.penalty)["accuracy"]
            found.append(
                Found(
                    "ridge_accuracy",
                    name,
                    layer.seeds(name, seeds),
                    list(range(1, curves.shape[1] + 1)),
                    curves,
                    full,
                )
            )
    if request.probe in ("logistic", "both"):
        steps = sizes_of(PAPER_FRACTIONS, layer.d)
        full = float(layer.logistic("first", [0], [layer.d])["accuracy"][0, -1])
        for name in request.selection:
            fits = layer.logistic(name, seeds, steps)
            found.append(
                Found(
                    "logistic_accuracy",
                    name,
                    layer.seeds(name, seeds),
                    fits["sizes"].tolist(),
                    fits["accuracy"],
                    full,
                )
            )
    return found


def _redundancies(
    found: Sequence[Found], deltas: Sequence[float], d: int
) -> list[tuple[Found, Redundancy]]:
    pairs = []
    for one in found:
        if one.full <= 0:
            continue
        for delta in deltas:
            pairs.append(
                (one, diffused_redundancy(one.curves, delta, full=one.full, d=d, sizes=one.sizes))
            )
    return pairs


def measure(request: Request) -> str:
    """Measure, write ``summary.json``, ``curves.csv`` and ``report.html``, and return a short table
    with a sentence.

    Raises
    ------
    InputError
        Before any work, with one line that says what was given and what is allowed.
    """
    keep_memory()
    new = not request.out.exists()
    make_folder(request.out)
    try:
        return _measure(request)
    except BaseException:
        if new and not any(request.out.iterdir()):
            request.out.rmdir()
        raise


def _measure(request: Request) -> str:
    files = {name: request.out / name for name in ("curves.csv", "summary.json", "report.html")}
    for path in files.values():
        if path.is_dir():
            raise InputError(
                f"cannot write {path}: a folder of that name is in the way; choose another folder"
            )
    data = load(request.features)
    if data.y_train is None and request.probe not in ("none", "ridge"):
        raise InputError(f"--probe {request.probe} needs labels: {request.features} has no y_train")

    def made(part: Data) -> Layer:
        return Layer(lambda: part.arrays, device=request.device, standardize=request.standardize)

    layer = made(data)
    data, changed = _without_constant(data, layer, request.constant)
    layer = made(data) if changed else layer
    labelled = data.y_train is not None
    found = _measured(layer, request, labelled)
    found = [one for one in found if one.sizes]
    for one in found:
        if one.measure == "cka" and len(one.sizes) < layer.d:
            data.notes.append(
                f"Only {len(one.sizes)} components of {one.selection} exist "
                f"({layer.statistics.n} images, {layer.d} neurons)."
            )
    pairs = _redundancies(found, request.delta, layer.d)
    about = layer.about()

    curves = pd.concat(
        [
            tidy(one.curves, one.sizes, one.seeds, measure=one.measure, selection=one.selection)
            for one in found
        ]
    )
    summary = {
        "features": str(request.features.name),
        "n_train": about["n_train"],
        "n_test": about["n_test"],
        "d": about["d"],
        "classes": about["classes"],
        "constant_neurons": about["constant"],
        "diagonal_share": about["diagonal_share"],
        "seeds": list(range(1, request.seeds + 1)),
        "penalties": _penalties(layer, request, labelled),
        "standardize": request.standardize,
        "notes": data.notes,
        "DR": [
            {
                "measure": one.measure,
                "selection": one.selection,
                "delta": dr.delta,
                "DR": _json_number(dr.value),
                "k": dr.k,
                "low": _json_number(dr.low),
                "high": _json_number(dr.high),
                "confidence": dr.confidence,
                "full": dr.full,
                "exact": one.measure != "logistic_accuracy",
            }
            for one, dr in pairs
        ],
        "provenance": provenance(),
    }
    text = _table(pairs)
    sentences = [
        sentence(one, dr)
        for one, dr in pairs
        if dr.delta == _main_delta(request.delta) and one.selection == request.selection[0]
    ]
    contents = {
        "curves.csv": curves.to_csv(index=False, float_format="%.8g"),
        "summary.json": json.dumps(summary, indent=2, ensure_ascii=False) + "\n",
        "report.html": _report(request, summary, found, layer, sentences),
    }
    with (
        ExitStack() as together
    ):  # all three take their places at the end, so that none is of another run
        for name, path in files.items():
            together.enter_context(atomic_path(path)).write_text(contents[name], encoding="utf-8")
    return "\n".join([text, "", *sentences, *data.notes, f"Report: {request.out / 'report.html'}"])


def _json_number(value: float) -> float | None:
    return None if value != value else value


def _penalties(layer: Layer, request: Request, labelled: bool) -> dict[str, float]:
    if not labelled or request.probe == "none":
        return {}
    chosen = {}
    if request.probe in ("ridge", "both"):
        chosen["ridge"] = (
            layer.ridge_penalty.penalty if request.penalty is None else request.penalty
        )
    if request.probe in ("logistic", "both"):
        chosen["logistic"] = layer.logistic_penalty.penalty
    return chosen


def _main_delta(deltas: Sequence[float]) -> float:
    return 0.9 if 0.9 in deltas else deltas[0]


def sentence(one: Found, dr: Redundancy) -> str:
    """What a practitioner wants to know: how many dimensions can be dropped, at what loss."""
    how = SELECTIONS[one.selection].label.partition(" (")[0]
    if dr.k is None:
        return (
            f"No number of {how} measured keeps {dr.delta:.0%} of the full layer's "
            f"{MEASURES[one.measure]}."
        )
    dropped = dr.d - dr.k
    spread = (
        ""
        if dr.low != dr.low
        else f" (95% interval over {dr.seeds} seeds: {dr.low:.0%} to {dr.high:.0%})"
    )
    if one.measure == "cka":
        loss = f"a CKA of {dr.delta:g} with the whole layer is kept"
    else:
        at = float(one.curves[:, one.sizes.index(dr.k)].mean())
        loss = (
            f"{dr.delta:.0%} of the full layer's accuracy is kept: {at:.1%} instead of "
            f"{dr.full:.1%} "
            f"({MEASURES[one.measure].partition(', ')[2]})"
        )
    return (
        f"Keeping {dr.k} {how}, {dropped} of {dr.d} dimensions ({dropped / dr.d:.0%}) can "
        f"be dropped{spread}; "
        f"{loss}."
    )


def _frame(pairs: Sequence[tuple[Found, Redundancy]]) -> pd.DataFrame:
    rows = []
    for one, dr in pairs:
        drawn = "one seed" if SELECTIONS[one.selection].seeded else "nothing drawn"
        interval = drawn if dr.low != dr.low else f"{dr.low:.3f} to {dr.high:.3f}"
        rows.append(
            {
                "measure": MEASURES[one.measure],
                "selection": one.selection,
                "delta": f"{dr.delta:g}",
                "DR": "not reached" if dr.k is None else f"{dr.value:.3f}",
                "95% interval": interval,
                "k": "-" if dr.k is None else str(dr.k),
                "d": str(dr.d),
                "full": f"{dr.full:.3f}",
            }
        )
    return pd.DataFrame(rows)


def _table(pairs: Sequence[tuple[Found, Redundancy]]) -> str:
    """The table for a terminal."""
    return _frame(pairs).to_string(index=False)


def _report(
    request: Request,
    summary: dict[str, Any],
    found: Sequence[Found],
    layer: Layer,
    sentences: Sequence[str],
) -> str:
    """The page: what was measured, figures, a table, and what made it."""
    name = request.features.name
    parts = [
        markdown(
            f"# Diffused redundancy of {html.escape(name)}\n\n"
            + "\n\n".join(f"**{line}**" for line in sentences)
        )
    ]
    facts = (
        f"{summary['n_train']} train and {summary['n_test']} test images, {summary['d']} "
        f"neurons, {summary['classes'] or 'no'} classes."
    )
    facts += (
        f" The number r of the closed form is {summary['diagonal_share']:.4f} (1 for "
        "uncorrelated neurons of equal "
        "variance)."
    )
    parts.append(markdown("\n\n".join([facts, *summary["notes"]])))
    for measure_name, label in MEASURES.items():
        these = [one for one in found if one.measure == measure_name]
        if not these:
            continue
        lines = [
            Line(
                one.selection,
                np.array(one.sizes),
                one.curves,
                marked=measure_name == "logistic_accuracy",
            )
            for one in these
        ]
        form = (
            layer.closed_form() if measure_name == "cka" and "random" in request.selection else None
        )
        full = None if measure_name == "cka" else these[0].full
        figure = curves_figure(
            [Panel(name, layer.d, lines, full, form)], label, percent=measure_name != "cka"
        )
        parts.append(
            markdown(f"## {label[0].upper()}{label[1:]}")
            + _figure(
                figure, f"{label} against the number of neurons or directions kept, for {name}"
            )
        )
    parts.append(
        markdown(
            "## Diffused redundancy\n\n"
            + markdown_table(_frame(_redundancies(found, request.delta, layer.d)))
        )
    )
    parts.append(
        markdown(
            "DR(δ) = 1 − k/d, with k the smallest number of neurons at which the mean over "
            "selections reaches δ times the full layer's value. "
            "CKA and the ridge probe are measured at every k; the logistic probe at the "
            "paper's fractions, so its k is the smallest on that "
            "grid. Bands reach from the smallest to the largest value over seeds; intervals "
            "are bootstrap percentiles over seeds. Penalties "
            "were chosen by cross-validation on the train set unless given: "
            + (
                ", ".join(f"{name} {value:g}" for name, value in summary["penalties"].items())
                or "no probe"
            )
            + "."
        )
    )
    footer = "; ".join(f"{key} {value}" for key, value in summary["provenance"].items())
    return page(f"Diffused redundancy of {name}", "".join(parts), footer=footer)


def _figure(figure: Figure, alt: str) -> str:
    image = base64.b64encode(with_palette(png(figure))).decode()
    return f'<figure><img alt="{html.escape(alt)}" src="data:image/png;base64,{image}"></figure>'
