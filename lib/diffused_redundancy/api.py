"""``dr.measure``: features of any layer in, curves and diffused redundancy out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from torch import Tensor

from .devices import resolve_device
from .errors import InputError, check_whole, unknown
from .experiment.probed_layer import ProbedLayer
from .measures.cka import closed_form
from .measures.curves import MEASURES, Curve
from .measures.features import Features
from .measures.guessing import LEVEL
from .measures.labels import class_indices, dense
from .measures.pooling import pooled
from .measures.redundancy import Redundancy
from .measures.selections import PAPER_FRACTIONS, SELECTIONS, sizes_of
from .measures.statistics import SufficientStatistics
from .measures.validation import Rows, as_features, check_features, check_finite, is_lazy
from .probes.cross_validation import check_penalty
from .tasks.splits import HELD_OUT, stratified

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROBES: dict[str, tuple[str, ...]] = {
    "ridge": ("ridge",),
    "logistic": ("logistic",),
    "both": ("ridge", "logistic"),
    "none": (),
}
"""What ``probe`` may be, and the probes it stands for."""

CONSTANT = ("error", "keep", "drop")
"""What may be done about constant neurons."""

MOST_SEEDS = 100_000


@dataclass(frozen=True)
class Options:
    """How to measure; see :func:`measure`. Every value is checked when it is made."""

    probe: str = "ridge"
    selections: Sequence[str] | str = ("random",)
    seeds: int | Sequence[int] = 5
    standardize: bool = False
    constant: str = "error"
    penalty: float | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.probe not in PROBES:
            raise unknown("probe", self.probe, PROBES)
        if self.constant not in CONSTANT:
            raise unknown("rule for constant neurons", self.constant, CONSTANT)
        if self.penalty is not None:
            check_penalty(self.penalty)
        if "ridge" not in PROBES[self.probe] and (self.penalty is not None or self.standardize):
            given = "penalty" if self.penalty is not None else "standardize"
            raise InputError(
                f"{given} applies to the ridge probe only: the probe is {self.probe!r}; leave it "
                "out, or use ridge or both"
            )
        resolve_device(self.device)
        _selections(self.selections)
        _seeds(self.seeds)


def _selections(given: Sequence[str] | str) -> tuple[str, ...]:
    if not isinstance(given, (str, Iterable)):
        raise InputError(f"selections is {given!r}: give names, of {', '.join(SELECTIONS)}")
    names = tuple(dict.fromkeys([given] if isinstance(given, str) else given))
    if not names:
        raise InputError(f"selections is empty: give at least one of {', '.join(SELECTIONS)}")
    for name in names:
        if name not in SELECTIONS:
            raise unknown("selection", name, SELECTIONS)
    return names


def _seeds(given: int | Sequence[int]) -> tuple[int, ...]:
    if np.ndim(given) == 0:
        return tuple(range(1, check_whole(given, "seeds", 1, MOST_SEEDS) + 1))
    seeds = tuple(check_whole(seed, "a seed", 0) for seed in given)  # type: ignore[union-attr]
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds is {list(seeds)}: there must be at least one, and none twice")
    return seeds


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """What :func:`measure` found: curves against the number of neurons kept, and what follows.

    Printed, it is one sentence: how many neurons keep 90% of the whole layer's accuracy (of its
    first probe; without labels, how many keep a CKA of 0.9).

    Attributes
    ----------
    curves : mapping from (measure, selection) to Curve
        CKA first, then accuracy. A measure is a name in :data:`MEASURES`.
    about : mapping
        ``n_train`` and ``n_test`` images, ``d`` neurons, ``classes``, ``constant`` neurons, and
        ``diagonal_share`` (r of the closed form).
    classes : tuple of str
        Names of the classes, in the order of accuracy by class; empty without labels.
    penalties : mapping
        The penalty of each probe, chosen by cross-validation on the train set unless given.
    notes : tuple of str
        Sentences on what was done to the features, such as a test part held out.

    Examples
    --------
    >>> import numpy as np
    >>> import diffused_redundancy as dr
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((300, 4)) @ rng.standard_normal((4, 40))
    >>> result = dr.measure(X, seeds=3)
    >>> result.redundancy(0.9).k
    9
    >>> result.curves[("cka", "random")].values.shape  # seeds, sizes
    (3, 40)
    >>> result.to_frame().columns.tolist()
    ['measure', 'selection', 'seed', 'k', 'value']
    """

    curves: Mapping[tuple[str, str], Curve]
    about: Mapping[str, Any]
    classes: tuple[str, ...] = ()
    penalties: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def measures(self) -> tuple[str, ...]:
        """What was measured: names in :data:`MEASURES`."""
        return tuple(dict.fromkeys(measure for measure, _ in self.curves))

    def curve(self, measure: str | None = None, selection: str | None = None) -> Curve:
        """One curve: by default the accuracy of the first probe (CKA without labels), with the
        first selection.

        Raises
        ------
        InputError
            If that was not measured, with the nearest name that was.
        """
        if measure is None:
            measure = next((name for name in self.measures if MEASURES[name].percent), "cka")
        if measure not in self.measures:
            raise unknown("measure", measure, self.measures)
        names = [name for of, name in self.curves if of == measure]
        if selection is not None and selection not in names:
            raise unknown(f"selection of {measure}", selection, names)
        return self.curves[measure, selection or names[0]]

    @property
    def cka(self) -> Curve:
        """CKA with the whole layer, for the first selection."""
        return self.curve("cka")

    @property
    def accuracy(self) -> Curve:
        """Test accuracy of the first probe, for the first selection; InputError without one."""
        if not any(MEASURES[name].percent for name in self.measures):
            raise InputError("there is no accuracy: give labels, y, and a probe")
        return self.curve()

    @property
    def per_class(self) -> np.ndarray:
        """The same by class, (seeds, sizes, C), in the order of ``classes``; NaN for classes
        without test images.
        """
        by_class = self.accuracy.per_class
        assert by_class is not None  # every probe gives it
        return by_class

    def closed_form(self) -> np.ndarray:
        """CKA of random neurons as predicted from ``diagonal_share`` alone, (d,)."""
        return closed_form(self.about["diagonal_share"], self.about["d"])

    def redundancy(
        self, delta: float = 0.9, measure: str | None = None, selection: str | None = None
    ) -> Redundancy:
        """DR(delta) with its interval; the curve is chosen as by :meth:`curve`."""
        return self.curve(measure, selection).redundancy(delta)

    def describe(
        self, delta: float = 0.9, measure: str | None = None, selection: str | None = None
    ) -> str:
        """One sentence: how many neurons or directions are enough, and how many can be dropped; or
        that the probe on the whole layer is not clearly better than guessing the largest class (by
        :attr:`Curve.above_guessing`), so that its accuracy says nothing of that.
        """
        curve = self.curve(measure, selection)
        if not curve.above_guessing:
            return (
                f"The whole layer's {curve.name}, {curve.full:.1%}, is not clearly better than "
                "guessing the largest class of the test part each time, "
                f"{curve.guessing:.1%}: it does not say how many neurons can be dropped."
            )
        if not curve.full > 0:
            return f"The whole layer's {curve.name} is {curve.full:g}: no share of it can be kept."
        redundancy = curve.redundancy(delta)
        k, d = redundancy.k, redundancy.d
        label = SELECTIONS[curve.selection].label.partition(" (")[0]
        if MEASURES[curve.measure].percent:
            kept = f"{100 * delta:g}% of the whole layer's {curve.name}"
        else:
            kept = f"a {curve.name} of {delta:g} with the whole layer"
        if k is None:
            return f"No number of {label} that was measured keeps {kept}."
        if curve.selection == "random":
            some = f"{k} of {d} neurons, chosen at random,"
        else:
            some = f"{k} of {d} dimensions ({label})"
        if MEASURES[curve.measure].percent:
            kept += f", {curve.at(k).mean():.1%} instead of {curve.full:.1%}"
        interval = ""
        if redundancy.has_interval:
            interval = (
                f" ({redundancy.confidence:.0%} interval over {redundancy.interval_over}: "
                f"{redundancy.low:.0%} to {redundancy.high:.0%})"
            )
        verb = "keeps" if k == 1 else "keep"
        return f"{some} {verb} {kept}: {redundancy.value:.0%} can be dropped{interval}."

    def to_frame(self) -> pd.DataFrame:
        """Every value of every curve: columns measure, selection, seed, k, value."""
        frames = [
            curve.to_frame(measure=curve.measure, selection=curve.selection)
            for curve in self.curves.values()
        ]
        return pd.concat(frames, ignore_index=True)

    def plot(self, measure: str | None = None, *, title: str = "") -> Figure:
        """One measure against the number of neurons kept, a line for each selection.

        Lines are means over seeds; bands reach from the smallest to the largest value. CKA of
        random neurons comes with its closed form, accuracy with that of the whole layer.
        """
        from .findings.figure_data import Line, Panel
        from .report.display import show_figures
        from .report.figures import curves_figure

        measure = self.curve(measure).measure
        curves = [curve for (name, _), curve in self.curves.items() if name == measure]
        lines = [
            Line(curve.selection, curve.sizes, curve.values, marked=not curve.exact)
            for curve in curves
        ]
        show_figures()
        predicted = measure == "cka" and any(curve.selection == "random" for curve in curves)
        panel = Panel(
            title,
            self.about["d"],
            lines,
            curves[0].full if MEASURES[measure].percent else None,
            self.closed_form() if predicted else None,
        )
        return curves_figure([panel], MEASURES[measure].axis, percent=MEASURES[measure].percent)

    def __repr__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        from .report.html import rendered

        return rendered("result.html.j2", sentence=self.describe(), notes=self.notes)


def measure(
    X: Any,
    y: Any = None,
    X_test: Any = None,
    y_test: Any = None,
    *,
    probe: str = "ridge",
    selections: Sequence[str] | str = ("random",),
    seeds: int | Sequence[int] = 5,
    standardize: bool = False,
    constant: str = "error",
    penalty: float | None = None,
    pool: str | None = None,
    device: str = "auto",
) -> Result:
    """Measure how redundant the neurons of a layer are.

    For each selection and seed, CKA between the first k neurons (or directions) and the whole layer
    is computed at every k, of the neurons as they are and standardized; with labels, so is the test
    accuracy of a linear probe on them (of the ridge probe at every k, of the logistic one at the
    paper's fractions of the layer).

    Parameters
    ----------
    X : array (n, d) of floating-point numbers, or Features
        Features of n train images at d neurons: a NumPy array, a torch tensor of any device, a
        pandas frame, or rows that are read in slices. Features hold the other three as well.
    y : array (n,), optional
        Labels: whole numbers or words, or one-hot, (n, C). Without them only CKA is measured.
    X_test, y_test : arrays (m, d) and (m,), optional
        The test part. Without it a fifth of the images is held out, classes in proportion, and a
        note says so.
    probe : str
        ``ridge``, ``logistic``, ``both`` or ``none``.
    selections : sequence of str
        Ways of choosing neurons or directions: names in :data:`SELECTIONS`.
    seeds : int or sequence of int
        Seeds of the random selections; a number N stands for 1 to N.
    standardize : bool
        Scale each neuron to unit variance over the train set before the ridge probe.
    constant : str
        Constant neurons: ``error``, ``keep`` (count them as neurons that carry nothing) or
        ``drop``.
    penalty : float, optional
        Of the ridge probe, relative to the mean variance of a neuron. By default it is chosen by
        cross-validation on the train set; the logistic probe's always is.
    pool : str, optional
        For maps (n, c, h, w) and tokens (n, tokens, d): their ``mean`` or ``max`` over positions,
        or ``cls``, the first token. A note says which axes were reduced.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        Before any probe is fitted, with one line that says what was given and what is allowed.

    Notes
    -----
    Diffused redundancy is definition 1 of the paper; top principal components are the baseline of
    its section 3, random projections of its appendix.

    Examples
    --------
    >>> import numpy as np
    >>> import diffused_redundancy as dr
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(3, size=600)
    >>> hidden = rng.standard_normal((600, 8)) + 2 * np.eye(8)[y]
    >>> X = hidden @ rng.standard_normal((8, 64)) + rng.standard_normal((600, 64))
    >>> result = dr.measure(X, y, seeds=3)
    >>> result  # doctest: +NORMALIZE_WHITESPACE
    9 of 64 neurons, chosen at random, keep 90% of the whole layer's ridge accuracy, 80.6% instead
    of 89.2%: 86% can be dropped (95% interval over 3 seeds and images: 77% to 95%).
    >>> result.redundancy(0.9, measure="cka").k
    21
    >>> result.notes
    ('There was no test part: 120 of 600 images were held out (stratified, split seed 0).',)
    """
    options = Options(probe, selections, seeds, standardize, constant, penalty, device)
    features, notes = _prepared(X, y, X_test, y_test, pool)
    if not features.labelled and probe in ("logistic", "both"):
        raise InputError(f"probe {probe!r} needs labels: give them, or use the probe 'none'")

    def layer_of(some: Features) -> ProbedLayer:
        return ProbedLayer(lambda: some, device=device, standardize=standardize)

    return measure_layer(
        layer_of(features),
        options,
        features.classes,
        notes,
        narrowed=lambda kept: layer_of(_narrowed(features, kept)),
    )


def measure_layer(
    layer: ProbedLayer,
    options: Options,
    classes: tuple[str, ...],
    notes: Sequence[str],
    *,
    narrowed: Callable[[np.ndarray], ProbedLayer],
) -> Result:
    """Measure a layer whose features have been checked.

    Parameters
    ----------
    layer : ProbedLayer
    options : Options
    classes : tuple of str
        Names.
    notes : sequence of str
        On what was done to the features.
    narrowed : callable
        The layer with some neurons only, by their indices.
    """
    dropped, said = _constant(layer.statistics, options.constant)
    if len(dropped):
        layer = narrowed(np.setdiff1d(np.arange(layer.statistics.d), dropped))
    curves, penalties = _curves(layer, options)
    n, d = layer.about["n_train"], layer.about["d"]
    few = [
        f"Only {len(curve.sizes)} directions of {curve.selection} exist ({n} images, {d} neurons)."
        for curve in curves
        if curve.measure == "cka" and len(curve.sizes) < d
    ]
    return Result(
        {(curve.measure, curve.selection): curve for curve in curves},
        layer.about,
        classes,
        penalties,
        (*notes, *said, *few, *_edges(layer, options, penalties), *_guesses(curves)),
    )


def _edges(layer: ProbedLayer, options: Options, penalties: Mapping[str, float]) -> list[str]:
    """Notes on penalties chosen at an end of what was tried."""
    notes = []
    for probe in penalties:
        if probe == "ridge" and options.penalty is not None:
            continue
        choice = layer.penalty(probe)
        if choice.at_edge:
            end, other = ("weakest", "weaker") if choice.at == 0 else ("strongest", "stronger")
            notes.append(
                f"The penalty of the {probe} probe, {choice.penalty:g}, is the {end} of those "
                f"tried ({choice.grid[0]:g} to {choice.grid[-1]:g}): a {other} one may do as well "
                "or better."
            )
    return notes


def _guesses(curves: Sequence[Curve]) -> list[str]:
    """Notes on probes that are not clearly better than guessing."""
    return [
        f"With {one.guessing:.1%} of the {one.images} test images in the largest class, "
        f"{one.full:.1%} is not clearly better than guessing it (one-sided binomial test at "
        f"{LEVEL:.0%}): DR of {one.name} means nothing."
        for one in {curve.measure: curve for curve in curves}.values()
        if not one.above_guessing
    ]


def _curves(layer: ProbedLayer, options: Options) -> tuple[list[Curve], dict[str, float]]:
    """The curves that exist, measure by measure, and the penalties of the probes."""
    probes = PROBES[options.probe] if layer.features.labelled else ()
    selections, seeds = _selections(options.selections), _seeds(options.seeds)
    penalties = {}
    curves = [
        layer.cka(name, seeds, standardize=standardize)
        for standardize in (False, True)
        for name in selections
    ]
    if "ridge" in probes:
        penalty = layer.ridge_penalty.penalty if options.penalty is None else options.penalty
        curves += [layer.ridge(name, seeds, penalty=penalty, by_class=True) for name in selections]
        penalties["ridge"] = penalty
    if "logistic" in probes:
        sizes = sizes_of(PAPER_FRACTIONS, layer.d)
        curves += [layer.logistic(name, seeds, sizes) for name in selections]
        penalties["logistic"] = layer.logistic_penalty.penalty
    return [curve for curve in curves if len(curve.sizes)], penalties


def _prepared(
    X: Any, y: Any, X_test: Any, y_test: Any, pool: str | None
) -> tuple[Features, tuple[str, ...]]:
    """What was given as checked features, with labels that index the sorted classes; and notes."""
    if not isinstance(X, Features):
        given, names = Features(X, y, X_test, y_test), ("X", "y")
    elif y is None and X_test is None and y_test is None:
        given, names = X, ("X_train", "y_train")
    else:
        raise InputError("X is Features, which hold labels and a test part: give nothing else")
    X_train, note = pooled(_plain(given.X_train, names[0]), pool, names[0])
    X_train = check_features(X_train, names[0])
    if not is_lazy(X_train):  # what is read in slices is checked as it is read
        check_finite(X_train, names[0])
    if len(X_train) < 2:
        raise InputError(f"{names[0]} holds one image: at least two are needed")
    notes = [note] if note else []
    test = {"X_test": given.X_test, "y_test": given.y_test}
    present = [name for name, values in test.items() if values is not None]
    if given.y_train is None:
        if present:
            raise InputError(
                f"there is {present[0]} but no {names[1]}: a test part is useful only with train "
                "labels"
            )
        notes.append("There are no labels, so only CKA is measured.")
        return Features(X_train), tuple(notes)
    if len(present) == 1:
        raise InputError(f"there is {present[0]} alone: X_test and y_test go together")
    y_train, classes = class_indices(given.y_train, len(X_train), names[1], notes=notes)
    if len(classes) < 2:
        raise InputError(
            f"{names[1]} holds one class ({classes[0]}): a probe needs at least two; leave labels "
            "out to measure CKA only"
        )
    words = _words(classes, given.classes)
    if not present:
        features, note = _held_out(X_train, y_train, words, given.views, names)
        return features, (*notes, note)
    X_test, _ = pooled(_plain(given.X_test, "X_test"), pool, "X_test")
    X_test = as_features(X_test, "X_test")
    check_finite(X_test, "X_test")
    if X_test.shape[1] != X_train.shape[1]:
        raise InputError(f"X_test has {X_test.shape[1]} neurons: {names[0]} has {X_train.shape[1]}")
    y_test, _ = class_indices(
        given.y_test, len(X_test), "y_test", classes, of=names[1], notes=notes
    )
    return Features(X_train, y_train, X_test, y_test, words, given.views), tuple(notes)


def _held_out(
    X: Any, y: np.ndarray, classes: tuple[str, ...], views: int, names: tuple[str, str]
) -> tuple[Features, str]:
    """Features whose test part is a share of the train images, and a note."""
    if views > 1:
        raise InputError(f"{names[0]} holds {views} views of each image: give X_test and y_test")
    if min(np.bincount(y)) < 2:
        raise InputError(
            f"class {classes[int(np.bincount(y).argmin())]} has one image: give X_test and y_test, "
            "or at least two images per class to hold one out"
        )
    whole = as_features(X, names[0])
    train, test = stratified(y, HELD_OUT)
    note = (
        f"There was no test part: {len(test)} of {len(y)} images were held out (stratified, split "
        "seed 0)."
    )
    return Features(whole[train], y[train], whole[test], y[test], classes), note


def _plain(values: Any, name: str) -> Any:
    """Tensors on the CPU and without gradients, tables and lists as arrays, the rest as it is."""
    values = dense(values, name)
    if isinstance(values, (str, PathLike)):
        raise InputError(
            f"{name} is the path {values}: give the array that it holds, or measure the file with "
            "the command 'measure'"
        )
    if isinstance(values, Tensor):
        return values.detach().cpu()
    if hasattr(values, "to_numpy"):
        return values.to_numpy()
    if isinstance(values, (list, tuple)):
        try:
            return np.asarray(values)
        except ValueError as error:
            raise InputError(f"{name} is a list whose rows differ in length") from error
    return values if hasattr(values, "shape") else np.asarray(values)


def _words(classes: np.ndarray, names: tuple[str, ...]) -> tuple[str, ...]:
    """The classes by name: of those given, if labels count through them."""
    if not names:
        return tuple(str(label) for label in classes)
    if classes.dtype.kind not in "iu" or classes[0] < 0 or classes[-1] >= len(names):
        raise InputError(
            f"labels reach from {classes[0]} to {classes[-1]}: with {len(names)} named classes "
            f"they are 0 to {len(names) - 1}"
        )
    return tuple(names[label] for label in classes)


def _constant(statistics: SufficientStatistics, rule: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The constant neurons that the rule drops, and a note on all of them."""
    constant, d = statistics.constant.cpu().numpy(), statistics.d
    if not len(constant):
        return constant, ()
    if len(constant) == d:
        raise InputError(f"all {d} neurons are constant: there is nothing to measure")
    some = ", ".join(map(str, constant[:5])) + (", ..." if len(constant) > 5 else "")
    count = (
        f"{len(constant)} of {d} neurons {'is' if len(constant) == 1 else 'are'} constant "
        f"(index {some})"
    )
    if rule == "error":
        raise InputError(
            f"{count}: choose constant 'keep', to count them as neurons that carry nothing, or "
            "'drop', to leave them out"
        )
    note = f"{count}; they were {'kept' if rule == 'keep' else 'dropped'}."
    return constant if rule == "drop" else constant[:0], (note,)


class _Columns:
    """Some columns of features that are read in slices of rows."""

    def __init__(self, rows: Rows, kept: np.ndarray) -> None:
        self.rows, self.kept = rows, kept
        self.shape, self.dtype = (len(rows), len(kept)), rows.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Any:
        return self.rows[rows][:, self.kept]


def _narrowed(features: Features, kept: np.ndarray) -> Features:
    """The same images with some neurons only; what is read in slices still is."""
    lazy = is_lazy(features.X_train)
    return replace(
        features,
        X_train=_Columns(features.X_train, kept) if lazy else features.X_train[:, kept],
        X_test=None if features.X_test is None else features.X_test[:, kept],
    )
