"""One layer of one network on one task, and every measure of it, each computed once and kept in the
cache.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..measures.cka import cka_curve, closed_form, diagonal_share
from ..measures.cka_images import cka_by_images
from ..measures.closed_form_error import cka_of_variances
from ..measures.curves import Curve
from ..measures.features import Features
from ..measures.guessing import beats_guessing
from ..measures.hits import Hits
from ..measures.image_groups import group_means
from ..measures.intrinsic_dimension import intrinsic_dimension
from ..measures.neighbours import NEIGHBOURS, neighbour_overlap
from ..measures.neural_collapse import simplex_deviation, within_over_between
from ..measures.neuron_sampling import corrected_cka_curve, disjoint_cka_curve
from ..measures.selections import SELECTIONS, Ordering, orderings, sizes_of
from ..measures.spectrum import Spectrum, spectrum
from ..measures.statistics import SufficientStatistics
from ..probes.cross_validation import PenaltyChoice
from ..probes.logistic import LogisticProbe, WholeLayer
from ..probes.probe import Arrays, check_sizes
from ..probes.ridge import RidgeProbe
from ..progress import progress
from ..store import Cache, code_digest, versions

_NUMBERS = itertools.count()

GEOMETRY = (
    "participation",
    "variation",
    "effective_rank",
    "diagonal_share",
    "dimension",
    "collapse",
    "norms",
    "angles",
)
"""What :meth:`ProbedLayer.geometry` gives."""


class ProbedLayer:
    """Features of a layer, and the measures of the paper on them.

    Parameters
    ----------
    load : callable
        Returns the features; called when they are first needed.
    key : dict, optional
        What determines the features; without it results are kept in memory only.
    cache : Cache, optional
    device : str
    standardize : bool
        Scale each neuron to unit variance over the train set before the ridge probe.

    Examples
    --------
    >>> X, y = np.random.default_rng(0).standard_normal((60, 5)), np.arange(60) % 2
    >>> layer = ProbedLayer(lambda: Features(X[:40], y[:40], X[40:], y[40:]), device="cpu")
    >>> layer.cka("random", [1, 2]).values.shape
    (2, 5)
    """

    def __init__(
        self,
        load: Callable[[], Features],
        *,
        key: dict[str, Any] | None = None,
        cache: Cache | None = None,
        device: str = "auto",
        standardize: bool = False,
    ) -> None:
        self._load = load
        self.key, self.cache, self.device, self.standardize = key, cache, device, standardize
        self._in_memory: dict[str, Arrays] = {}
        self._number = next(_NUMBERS)

    @cached_property
    def features(self) -> Features:
        """The features, with labels."""
        return self._load()

    @cached_property
    def statistics(self) -> SufficientStatistics:
        """Of the train set, with labels if there are any."""
        one = self.features
        return SufficientStatistics.from_features(
            one.X_train, one.y_train, num_classes=one.num_classes, device=self.device
        )

    @cached_property
    def debiased_statistics(self) -> SufficientStatistics:
        """Of the train set, with what debiased CKA needs."""
        return SufficientStatistics.from_features(
            self.features.X_train, debiased=True, device=self.device
        )

    @cached_property
    def test_statistics(self) -> SufficientStatistics:
        """Of the test images, for CKA on images that no order was chosen on; InputError without a
        test part.
        """
        if self.features.X_test is None:
            raise InputError("CKA on held-out images needs a test part: give X_test")
        return SufficientStatistics.from_features(self.features.X_test, device=self.device)

    def release(self) -> None:
        """Free features and statistics; they come back when needed. What was measured stays in the
        cache.
        """
        for name in ("features", "statistics", "debiased_statistics", "test_statistics"):
            self.__dict__.pop(name, None)

    def narrowed(self, kept: np.ndarray, mark: Any, *, alone: bool = False) -> ProbedLayer:
        """A layer made of some neurons of this one.

        Parameters
        ----------
        kept : ndarray of int
        mark : JSON value
            Says which, in its key.
        alone : bool
            Let go of the features of this layer once those of the other are taken.
        """

        def load() -> Features:
            some = self.features.columns(kept)
            if alone:
                self.release()
            return some

        return self._made_of(load, {"narrowed": mark})

    def with_images(self, kept: np.ndarray, mark: Any) -> ProbedLayer:
        """This layer on some of its train images; ``mark`` says which, in its key."""
        return self._made_of(lambda: self.features.images(kept), {"train images": mark})

    def _made_of(self, load: Callable[[], Features], mark: dict[str, Any]) -> ProbedLayer:
        return ProbedLayer(
            load,
            key=None if self.key is None else {**self.key, **mark},
            cache=self.cache,
            device=self.device,
            standardize=self.standardize,
        )

    def _cached(self, what: dict[str, Any], compute: Callable[[], Arrays]) -> Arrays:
        if self.cache is None or self.key is None:
            name = json.dumps(what, sort_keys=True)
            if name not in self._in_memory:
                self._in_memory[name] = compute()
            return self._in_memory[name]
        key = {
            "kind": "curves",
            "code": code_digest("measures", "probes", "experiment.probed_layer"),
            "versions": versions("torch", "numpy"),
            **what,
            "layer": self.key,
        }
        return self.cache.get_or_compute(key, compute)

    def measured_once(
        self, what: dict[str, Any], compute: Callable[[], Arrays], *, module: str
    ) -> Arrays:
        """What another module of this room measures of the layer, kept as its own measures are."""
        return self._cached({**what, "module": code_digest(f"experiment.{module}")}, compute)

    @cached_property
    def about(self) -> dict[str, Any]:
        """n_train, n_test, d, classes, constant (neurons), and diagonal_share (r)."""

        def compute() -> Arrays:
            one, s = self.features, self.statistics
            numbers = [
                s.n,
                0 if one.X_test is None else len(one.X_test),
                s.d,
                0 if one.y_train is None else len(np.unique(np.asarray(one.y_train))),
                len(s.constant),
                diagonal_share(s),
            ]
            return {"numbers": np.array(numbers, dtype=float)}

        numbers = self._cached({"measure": "about"}, compute)["numbers"].tolist()
        names = ("n_train", "n_test", "d", "classes", "constant")
        return {**dict(zip(names, map(int, numbers), strict=False)), "diagonal_share": numbers[-1]}

    @property
    def d(self) -> int:
        """Neurons of the layer."""
        return int(self.about["d"])

    def closed_form(self) -> np.ndarray:
        """The predicted mean CKA curve of random neurons, (d,)."""
        return closed_form(self.about["diagonal_share"], self.d)

    def _curve(
        self, measure: str, selection: str, seeds: Sequence[int], arrays: Arrays, full: float
    ) -> Curve:
        """The curve of cached arrays, under the names of :class:`Curve`."""
        rest: dict[str, Any] = dict(arrays)
        drawn = tuple(_seeds(selection, seeds))
        return Curve(measure, selection, drawn, d=self.d, full=full, **rest)

    def _accuracy_curve(
        self, probe: str, selection: str, seeds: Sequence[int], arrays: Arrays, penalty: float
    ) -> Curve:
        counts, whole = self.test_counts(), self._whole(probe, penalty)
        about = {
            "guessing": counts.max() / counts.sum(),
            "images": int(counts.sum()),
            "full_by_images": whole["by_images"],
        }
        full = float(whole["full"][0])
        return self._curve(f"{probe}_accuracy", selection, seeds, {**arrays, **about}, full)

    def _chosen(
        self,
        selection: str,
        seeds: Sequence[int],
        chosen_on: ProbedLayer | None,
        *,
        standardize: bool,
    ) -> list[Ordering]:
        """Orderings made from the train images of this layer, or of another one; directions are of
        the space of the neurons that are measured, standardized or as they are.
        """
        statistics = (chosen_on or self).statistics
        return orderings(selection, statistics.standardized() if standardize else statistics, seeds)

    def cka(
        self,
        selection: str,
        seeds: Sequence[int],
        *,
        debiased: bool = False,
        standardize: bool = False,
        held_out: bool = False,
        chosen_on: ProbedLayer | None = None,
    ) -> Curve:
        """CKA with the whole layer at every k.

        Parameters
        ----------
        selection, seeds
            As for :func:`.orderings`.
        debiased : bool
        standardize : bool
            Give all neurons variance 1 first, whatever the layer's probes do.
        held_out : bool
            On the test images. (Neurons are chosen on train images in any case.)
        chosen_on : ProbedLayer, optional
            Another layer of as many neurons, on whose train images they are chosen.

        Raises
        ------
        InputError
            If debiased CKA is asked for on held-out images, or of standardized neurons.
        """
        if debiased and held_out:
            raise InputError("debiased CKA is of train images: leave out held_out")

        def compute() -> Arrays:
            if debiased:
                statistics = self.debiased_statistics
            else:
                statistics = self.test_statistics if held_out else self.statistics
            chosen = self._chosen(selection, seeds, chosen_on, standardize=standardize)
            X = self.features.X_train if debiased else None
            how = {"debiased": debiased, "standardize": standardize}
            curve = cka_curve(statistics, chosen, features=X, **how)
            arrays = {"sizes": curve.sizes, "values": curve.values}
            images = self.features.X_test if held_out else self._images()
            if not debiased and images is not None and len(images) > 1:
                arrays["by_images"] = cka_by_images(
                    statistics, chosen, images, curve.mean, standardize=standardize
                )
            return arrays

        kind = "debiased_cka" if debiased else "standardized_cka" if standardize else "cka"
        what = {
            "measure": kind,
            "selection": selection,
            "seeds": _seeds(selection, seeds),
            **({"held out": True} if held_out else {}),
            **_origin(chosen_on),
        }
        return self._curve(kind, selection, seeds, self._cached(what, compute), 1.0)

    def spectrum(self, *, standardize: bool = False) -> Spectrum:
        """Dimensions and scale of the layer, by images; with ``standardize``, of neurons scaled to
        unit variance.
        """

        def compute() -> Arrays:
            found = spectrum(self.statistics, self._images(), standardize=standardize)
            by_images = {} if found.by_images is None else {"by_images": found.by_images}
            return {"values": found.values, **by_images}

        kept = self._cached({"measure": "spectrum", "standardize": standardize}, compute)
        participation, variation, rank = kept["values"].tolist()
        return Spectrum(self.d, participation, variation, rank, kept.get("by_images"))

    def geometry(self) -> dict[str, float]:
        """What may tell how redundant a layer is without measuring it: ``participation`` ratio,
        squared ``variation`` of the neurons' variances, ``effective_rank``, ``diagonal_share`` (r),
        intrinsic ``dimension``; and, of the labels of the train images, ``collapse`` (NC1),
        unequal ``norms`` and ``angles`` of class means (NC2). NaN where it cannot be stated.
        """

        def compute() -> Arrays:
            found, labels = spectrum(self.statistics), [np.nan] * 3
            if self.features.y_train is not None:
                labels = [within_over_between(self.statistics), *simplex_deviation(self.statistics)]
            numbers = [
                *found.values,
                found.diagonal_share,
                intrinsic_dimension(self.features.X_train),
                *labels,
            ]
            return {"numbers": np.array(numbers)}

        numbers = self._cached({"measure": "geometry"}, compute)["numbers"].tolist()
        return dict(zip(GEOMETRY, numbers, strict=True))

    def _images(self) -> Any:
        """The train images' features, one view of each; None of a single image."""
        one, images = self.features, self.statistics.n // self.features.views
        if images < 2:
            return None
        # a slice of all rows would read a file into memory
        return one.X_train if one.views == 1 else one.X_train[:images]

    def _neuron_curves(
        self,
        measure: str,
        seeds: Sequence[int],
        compute: Callable[[list[Ordering]], Sequence[Curve]],
        **what: Any,
    ) -> list[Curve]:
        """Curves of random neurons."""

        def arrays() -> Arrays:
            kept: Arrays = {}
            for i, curve in enumerate(compute(orderings("random", self.statistics, seeds))):
                kept |= {f"sizes{i}": curve.sizes, f"values{i}": curve.values}
                if curve.by_images is not None:
                    kept[f"by_images{i}"] = curve.by_images
                if curve.images is not None:
                    kept[f"images{i}"] = np.array(curve.images)
            return kept

        kept = self._cached({"measure": measure, "seeds": list(seeds), **what}, arrays)
        curves = []
        for i, one in enumerate(measure.split(" and ")):
            rest: dict[str, Any] = {
                name: kept[f"{name}{i}"]
                for name in ("sizes", "values", "by_images")
                if f"{name}{i}" in kept
            }
            if f"images{i}" in kept:
                rest["images"] = kept[f"images{i}"].item()
            curves.append(self._curve(one, "random", seeds, rest, 1.0))
        return curves

    def corrected_cka(self, seeds: Sequence[int]) -> Curve:
        """CKA of random neurons with the whole layer, corrected for the sampling of neurons, at
        every k from 2.
        """
        (curve,) = self._neuron_curves(
            "corrected_cka",
            seeds,
            lambda chosen: [corrected_cka_curve(self.statistics, chosen, self._images())],
        )
        return curve

    def disjoint_cka(self, seeds: Sequence[int], *, corrected: bool = False) -> Curve:
        """CKA of two disjoint sets of random neurons, at every k up to half of the layer."""
        (curve,) = self._neuron_curves(
            "corrected_disjoint_cka" if corrected else "disjoint_cka",
            seeds,
            lambda chosen: [
                disjoint_cka_curve(self.statistics, chosen, self._images(), corrected=corrected)
            ],
        )
        return curve

    def neighbour_overlap(
        self, seeds: Sequence[int], fractions: Sequence[float]
    ) -> tuple[Curve, Curve]:
        """The share of nearest neighbours that random neurons have in common with the whole layer,
        and with as many others, at fractions of the layer up to a half.
        """
        sizes = sizes_of(fractions, self.d, self.d // 2)
        with_whole, disjoint = self._neuron_curves(
            "neighbour_overlap and disjoint_neighbour_overlap",
            seeds,
            lambda chosen: neighbour_overlap(
                X := self._images(), chosen, sizes, count=min(NEIGHBOURS, len(X) - 1)
            ),
            sizes=sizes,
        )
        return with_whole, disjoint

    def cka_of_variances(self, seeds: Sequence[int]) -> Curve:
        """CKA of random neurons with the whole layer, if neurons differed in their variances
        alone.
        """
        (curve,) = self._neuron_curves(
            "cka",
            seeds,
            lambda chosen: [cka_of_variances(self.statistics, chosen)],
            variances_alone=True,
        )
        return curve

    def _choice(
        self, kind: str, compute: Callable[[], PenaltyChoice], grid: Sequence[float] = ()
    ) -> PenaltyChoice:
        def arrays() -> Arrays:
            return {name: np.array(value) for name, value in asdict(compute()).items()}

        what = {"measure": f"{kind} penalty", "standardize": self.standardize}
        kept = self._cached(what | ({"grid": list(grid)} if grid else {}), arrays)
        return PenaltyChoice(
            kept["penalty"].item(),  # the cache gives a number back as an array (1,)
            tuple(kept["grid"].tolist()),
            tuple(kept["loss"].tolist()),
            tuple(kept["accuracy"].tolist()),
            kept["folds"].item(),
            kept["within"].item(),
            kept["standard_errors"],
        )

    @cached_property
    def ridge_penalty(self) -> PenaltyChoice:
        """Chosen for the whole layer by cross-validation on the train set."""

        return self._choice("ridge", lambda: self._ridge_probe().choice)

    @cached_property
    def logistic_penalty(self) -> PenaltyChoice:
        """Chosen for the whole layer by cross-validation on the train set."""

        return self._choice("logistic", lambda: self._logistic_probe().choice)

    def penalty(self, probe: str) -> PenaltyChoice:
        """That of the ``ridge`` or the ``logistic`` probe."""
        return self.ridge_penalty if probe == "ridge" else self.logistic_penalty

    def choice_on(
        self, probe: str, grid: Sequence[float], *, extend: bool = False
    ) -> PenaltyChoice:
        """The choice among some penalties and no others, such as those of other networks; with
        ``extend``, also beyond an end of the grid while that is best.
        """

        def compute() -> PenaltyChoice:
            one = self._ridge_probe() if probe == "ridge" else self._logistic_probe()
            return one.choose_penalty(tuple(grid), extend=extend)

        return self._choice(f"{probe}, extended" if extend else probe, compute, grid)

    def ridge_redundancy(
        self, selection: str, seeds: Sequence[int], delta: float, penalty: float
    ) -> float:
        """DR(delta) of the ridge probe's test accuracy at a penalty, without the whole curve; NaN
        where the whole layer is no better than guessing the largest class.
        """

        def compute() -> Arrays:
            probe = self._ridge_probe(penalty)
            found = probe.redundancy(orderings(selection, probe.statistics, seeds), delta)
            return {"numbers": np.array([found.value, found.full])}

        key = {**self._ridge_key("ridge redundancy", selection, seeds, penalty), "delta": delta}
        value, full = self._cached(key, compute)["numbers"].tolist()
        counts = self.test_counts()
        guessing, images = float(counts.max() / counts.sum()), int(counts.sum())
        return value if beats_guessing(full, guessing, images) else float("nan")

    def _ridge_probe(self, penalty: float | None = None) -> RidgeProbe:
        return RidgeProbe(
            self.features.check_labelled(),
            penalty=penalty,
            statistics=self.statistics,
            standardize=self.standardize,
        )

    def ridge_probe_on(self, features: Features, penalty: float) -> RidgeProbe:
        """The probe on other train images of the layer, with as many classes."""
        statistics = SufficientStatistics.from_features(
            features.X_train,
            features.y_train,
            num_classes=self.features.num_classes,
            device=self.device,
        )
        return RidgeProbe(
            features, penalty=penalty, statistics=statistics, standardize=self.standardize
        )

    def _logistic_probe(self, penalty: float | None = None) -> LogisticProbe:
        features = self.features.check_labelled()
        return LogisticProbe(features, penalty=penalty, statistics=self.statistics)

    def _ridge_arrays(
        self,
        selection: str,
        seeds: Sequence[int],
        penalty: float,
        *,
        by_class: bool = False,
        hits: bool = False,
        sizes: Sequence[int] | None = None,
        chosen_on: ProbedLayer | None = None,
    ) -> Arrays:
        probe = self._ridge_probe(penalty)
        chosen = self._chosen(selection, seeds, chosen_on, standardize=self.standardize)
        if sizes is not None:  # there may be fewer directions
            sizes = [k for k in sizes if k <= chosen[0].size] or [chosen[0].size]
        rows = [
            probe.evaluate(one, sizes, by_class=by_class, hits=hits)
            for one in progress(chosen, title=f"ridge probes, {selection}")
        ]
        arrays = {name: np.concatenate([one[name] for one in rows]) for name in rows[0]}
        return {
            **arrays,
            "sizes": rows[0]["sizes"],
            "by_images": np.mean([one["by_images"] for one in rows], 0),
        }

    def _ridge_key(
        self, measure: str, selection: str, seeds: Sequence[int], penalty: float
    ) -> dict[str, Any]:
        return {
            "measure": measure,
            "selection": selection,
            "seeds": _seeds(selection, seeds),
            "penalty": penalty,
            "standardize": self.standardize,
        }

    def ridge(
        self,
        selection: str,
        seeds: Sequence[int],
        *,
        penalty: float | None = None,
        by_class: bool = False,
        sizes: Sequence[int] | None = None,
        chosen_on: ProbedLayer | None = None,
    ) -> Curve:
        """Test accuracy of the ridge probe at every k, and by class if wanted (large).

        Parameters
        ----------
        selection, seeds
            As for :func:`.orderings`.
        penalty : float, optional
            By default the layer's own choice.
        by_class : bool
        sizes : sequence of int, optional
            Some k only, ascending, for a part of the time. Those beyond the directions that there
            are are left out; if all are, it is the largest k there is.
        chosen_on : ProbedLayer, optional
            As for :meth:`cka`.
        """
        alpha = self.ridge_penalty.penalty if penalty is None else penalty
        key = self._ridge_key("ridge by class" if by_class else "ridge", selection, seeds, alpha)
        arrays = self._cached(
            {**key, **({} if sizes is None else {"sizes": list(sizes)}), **_origin(chosen_on)},
            lambda: self._ridge_arrays(
                selection, seeds, alpha, by_class=by_class, sizes=sizes, chosen_on=chosen_on
            ),
        )
        return self._accuracy_curve("ridge", selection, seeds, arrays, alpha)

    def ridge_validation(
        self, seeds: Sequence[int], selection: str = "random", *, penalty: float | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Accuracy by class of the ridge probe on train images held out in turn, (seeds, r, C), and
        the train images of each class, (C,).
        """
        alpha = self.ridge_penalty.penalty if penalty is None else penalty

        def compute() -> Arrays:
            per_class, counts = self._ridge_probe(alpha).cross_validated(selection, seeds)
            return {"per_class": per_class, "counts": counts}

        what = {
            "measure": "ridge validation",
            "selection": selection,
            "seeds": _seeds(selection, seeds),
            "penalty": alpha,
            "standardize": self.standardize,
        }
        kept = self._cached(what, compute)
        return kept["per_class"], kept["counts"]

    def ridge_refits(
        self, seeds: Sequence[int], draws: int, *, penalty: float | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The ridge probe fitted to train images drawn anew, with replacement: its mean accuracy
        curve of random neurons, (draws, d), and that of the whole layer, (draws,).
        """
        alpha = self.ridge_penalty.penalty if penalty is None else penalty

        def compute() -> Arrays:
            one, rng = self.features.check_labelled(), np.random.default_rng(0)
            X, y = np.asarray(one.X_train), np.asarray(one.y_train)
            images = len(y) // one.views
            curves, full = [], []
            for _ in progress(range(draws), title="ridge probes on other train images"):
                drawn = rng.integers(images, size=images)
                rows = (np.arange(one.views)[:, None] * images + drawn).ravel()
                again = replace(one, X_train=X[rows], y_train=y[rows])
                probe = self.ridge_probe_on(again, alpha)
                chosen = orderings("random", probe.statistics, seeds)
                curves.append(probe.evaluate(chosen, by_class=False)["values"].mean(0))
                full.append(probe.full)
            return {"curves": np.array(curves), "full": np.array(full)}

        key = self._ridge_key("ridge refits", "random", seeds, alpha)
        kept = self._cached({**key, "draws": draws}, compute)
        return kept["curves"], kept["full"]

    def ridge_hits(
        self, selection: str, seeds: Sequence[int], *, penalty: float | None = None
    ) -> Hits:
        """Which test images the ridge probe guesses right at every k, and the whole layer's margin
        of each.

        The same pass gives :meth:`ridge`, which costs nothing if it is asked for afterwards.
        """
        alpha = self.ridge_penalty.penalty if penalty is None else penalty

        def compute() -> Arrays:
            arrays = self._ridge_arrays(selection, seeds, alpha, hits=True)
            bits = arrays.pop("hits")
            self._cached(self._ridge_key("ridge", selection, seeds, alpha), lambda: arrays)
            return {
                "bits": bits,
                "margins": self._ridge_probe(alpha).margins(),
                "labels": np.asarray(self.features.check_labelled().y_test, dtype=np.int64),
            }

        kept = self._cached(self._ridge_key("ridge hits", selection, seeds, alpha), compute)
        return Hits(**kept, num_classes=len(self.test_counts()))

    def test_counts(self) -> np.ndarray:
        """Test images of each class, (C,), of as many classes as a probe tells apart."""

        def compute() -> Arrays:
            one = self.features.check_labelled()
            return {"counts": np.bincount(np.asarray(one.y_test), minlength=one.num_classes or 0)}

        return self._cached({"measure": "test counts"}, compute)["counts"]

    def _logistic_arrays(
        self, selection: str, seeds: Sequence[int], sizes: Sequence[int], penalty: float
    ) -> Arrays:
        def compute() -> Arrays:
            batches = self._logistic_batches(selection, seeds, sizes, penalty)
            if not batches:  # fewer components than the smallest size asked for
                nothing = np.zeros((len(_seeds(selection, seeds)), 0))
                arrays = dict.fromkeys(("values", "objective", "undecided"), nothing)
                hits = np.zeros((0, sum(self.test_counts())), dtype=np.int32)
                return {
                    "sizes": np.array([], dtype=int),
                    **arrays,
                    "converged": nothing > 0,
                    "hits": hits,
                }
            return LogisticProbe.joined([solve() for solve in batches])

        return self._cached(_logistic_key(selection, seeds, sizes, penalty), compute)

    def _logistic_batches(
        self, selection: str, seeds: Sequence[int], sizes: Sequence[int], penalty: float
    ) -> list[Callable[[], Arrays]]:
        """The probes in batches, each of the orders that are solved side by side; what comes out of
        each is kept where there are several, so that each may be solved by another process.
        """
        chosen = orderings(selection, self.statistics, seeds)
        steps = [k for k in sizes if k <= chosen[0].size]
        if not steps:
            return []
        check_sizes(steps, chosen[0].size)
        probe = self._logistic_probe(penalty)
        batches = probe.batches(chosen, steps)

        def solved(some: Sequence[Ordering]) -> Arrays:
            if steps[-1] == self.d:
                probe.whole = self.logistic_whole(penalty)
            return probe.solved(some, steps)

        def kept(some: Sequence[Ordering], first: int) -> Arrays:
            drawn = _seeds(selection, seeds)[first : first + len(some)]
            key = {**_logistic_key(selection, drawn, steps, penalty), "measure": "logistic batch"}
            return self._cached(key, lambda: solved(some))

        if len(batches) == 1:
            return [functools.partial(solved, chosen)]
        firsts = itertools.accumulate([0, *map(len, batches[:-1])])
        return [
            functools.partial(kept, some, first)
            for some, first in zip(batches, firsts, strict=True)
        ]

    def solve_logistic_batches(
        self,
        selection: str,
        seeds: Sequence[int],
        sizes: Sequence[int],
        part: slice,
        *,
        penalty: float | None = None,
    ) -> None:
        """Solve some batches of the probes of :meth:`logistic`, which then finds them in the cache.

        A batch is as many orders as memory holds side by side; ``part`` says which batches. Where
        one batch holds all, there is nothing to do: :meth:`logistic` solves it.
        """
        alpha = self.logistic_penalty.penalty if penalty is None else penalty
        batches = self._logistic_batches(selection, seeds, sizes, alpha)
        if len(batches) > 1:
            for solve in batches[part]:
                solve()

    def logistic_whole(self, penalty: float) -> WholeLayer:
        """The logistic probe on the whole layer, which every curve shares."""
        arrays = self._cached(
            {"measure": "logistic whole", "penalty": penalty},
            lambda: self._logistic_probe(penalty).whole.arrays(),
        )
        return WholeLayer.from_arrays(arrays)

    def logistic(
        self,
        selection: str,
        seeds: Sequence[int],
        sizes: Sequence[int],
        *,
        penalty: float | None = None,
    ) -> Curve:
        """Test accuracy of logistic probes at some sizes (ascending), overall and by class.

        Sizes beyond the directions a selection has are left out.
        """
        alpha = self.logistic_penalty.penalty if penalty is None else penalty
        arrays = LogisticProbe.of_curve(self._logistic_arrays(selection, seeds, sizes, alpha))
        return self._accuracy_curve("logistic", selection, seeds, arrays, alpha)

    def _whole(self, probe: str, penalty: float) -> Arrays:
        """Of the probe on the whole layer: test accuracy, ``full`` (1,), and ``by_images``."""
        if probe == "logistic":
            right = torch.from_numpy(self.logistic_whole(penalty).right)
            return _accuracy_of(right)
        return self._cached(
            self._ridge_key("ridge full", "first", [0], penalty),
            lambda: _accuracy_of(self._ridge_probe(penalty).full_right),
        )

    def full(self, probe: str, *, penalty: float | None = None) -> float:
        """The whole layer's test accuracy with the ``ridge`` or the ``logistic`` probe."""
        alpha = self.penalty(probe).penalty if penalty is None else penalty
        return float(self._whole(probe, alpha)["full"][0])

    def probe(
        self,
        kind: str,
        selection: str,
        seeds: Sequence[int],
        fractions: Sequence[float],
        *,
        penalty: float | None = None,
    ) -> Curve:
        """A probe's accuracy: the ``ridge`` probe's at every size, the ``logistic`` one's at
        fractions of the layer (none given: at every size).
        """
        if kind == "logistic":
            return self.logistic(selection, seeds, self.sizes(fractions), penalty=penalty)
        return self.ridge(selection, seeds, penalty=penalty)

    def sizes(self, fractions: Sequence[float]) -> list[int]:
        """The sizes that fractions of the layer have; every one if there are none."""
        return sizes_of(fractions, self.d) if fractions else list(range(1, self.d + 1))


def _logistic_key(
    selection: str, seeds: Sequence[int], sizes: Sequence[int], penalty: float
) -> dict[str, Any]:
    return {
        "measure": "logistic",
        "selection": selection,
        "seeds": _seeds(selection, seeds),
        "sizes": list(sizes),
        "penalty": penalty,
    }


def _origin(chosen_on: ProbedLayer | None) -> dict[str, Any]:
    """What a key says of the layer whose train images an order was chosen on, if it is another."""
    return {} if chosen_on is None else {"chosen on": chosen_on.key or chosen_on._number}


def _accuracy_of(right: Tensor) -> Arrays:
    """The share of right guesses, ``full`` (1,), and ``by_images`` (groups,), from bool (m,)."""
    return {
        "full": np.array([int(right.sum()) / len(right)]),
        "by_images": group_means(right).cpu().numpy(),
    }


def _seeds(selection: str, seeds: Sequence[int]) -> list[int]:
    """The seeds a selection makes use of; 0 alone for a deterministic one."""
    return list(seeds) if SELECTIONS[selection].seeded else [0]
