"""One layer of one network on one task, and every measure of it, each computed once and kept in the
cache.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np

from ..measures.cka import cka_curve, closed_form, diagonal_share
from ..measures.curves import Curve
from ..measures.features import Features
from ..measures.selections import SELECTIONS, orderings, sizes_of
from ..measures.statistics import SufficientStatistics
from ..probes.cross_validation import PenaltyChoice
from ..probes.logistic import LogisticProbe, WholeLayer
from ..probes.probe import Arrays
from ..probes.ridge import RidgeProbe
from ..progress import progress
from ..store import Cache, code_digest, versions


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

    def release(self) -> None:
        """Free features and statistics; they come back when needed. What was measured stays in the
        cache.
        """
        for name in ("features", "statistics", "debiased_statistics"):
            self.__dict__.pop(name, None)

    def narrowed(self, kept: np.ndarray, mark: Any) -> ProbedLayer:
        """A layer made of some neurons of this one; ``mark`` says which, in its key."""
        key = None if self.key is None else {**self.key, "narrowed": mark}
        return ProbedLayer(
            lambda: self.features.columns(kept),
            key=key,
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
        if measure not in ("cka", "debiased_cka"):
            counts = self.test_counts()
            rest |= {"guessing": counts.max() / counts.sum(), "images": int(counts.sum())}
        return Curve(
            measure,
            selection,
            tuple(_seeds(selection, seeds)),
            d=self.d,
            full=full,
            **rest,
        )

    def cka(self, selection: str, seeds: Sequence[int], *, debiased: bool = False) -> Curve:
        """CKA with the whole layer at every k."""

        def compute() -> Arrays:
            statistics = self.debiased_statistics if debiased else self.statistics
            chosen = orderings(selection, statistics, seeds)
            X = self.features.X_train if debiased else None
            curve = cka_curve(statistics, chosen, debiased=debiased, features=X)
            return {"sizes": curve.sizes, "values": curve.values}

        what = {
            "measure": "cka",
            "debiased": debiased,
            "selection": selection,
            "seeds": _seeds(selection, seeds),
        }
        measure = "debiased_cka" if debiased else "cka"
        return self._curve(measure, selection, seeds, self._cached(what, compute), 1.0)

    def _choice(self, kind: str, compute: Callable[[], PenaltyChoice]) -> PenaltyChoice:
        def arrays() -> Arrays:
            return {name: np.array(value) for name, value in asdict(compute()).items()}

        what = {"measure": f"{kind} penalty", "standardize": self.standardize}
        kept = self._cached(what, arrays)
        return PenaltyChoice(
            kept["penalty"].item(),  # the cache gives a number back as an array (1,)
            tuple(kept["grid"].tolist()),
            tuple(kept["loss"].tolist()),
            tuple(kept["accuracy"].tolist()),
            kept["folds"].item(),
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

    def _ridge_probe(self, penalty: float | None = None) -> RidgeProbe:
        return RidgeProbe(
            self.features.check_labelled(),
            penalty=penalty,
            statistics=self.statistics,
            standardize=self.standardize,
        )

    def _logistic_probe(self, penalty: float | None = None) -> LogisticProbe:
        features = self.features.check_labelled()
        return LogisticProbe(features, penalty=penalty, statistics=self.statistics)

    def _ridge_arrays(
        self,
        selection: str,
        seeds: Sequence[int],
        penalty: float,
        parts: np.ndarray | None = None,
    ) -> Arrays:
        probe = self._ridge_probe(penalty)
        chosen = orderings(selection, probe.statistics, seeds)
        rows = [
            probe.evaluate(one, parts=parts)
            for one in progress(chosen, title=f"ridge probes, {selection}")
        ]
        sizes = {"sizes": rows[0].pop("sizes")}
        return sizes | {name: np.concatenate([one[name] for one in rows]) for name in rows[0]}

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

    def ridge(self, selection: str, seeds: Sequence[int], *, penalty: float | None = None) -> Curve:
        """Test accuracy of the ridge probe at every k, overall and by class."""
        alpha = self.ridge_penalty.penalty if penalty is None else penalty
        arrays = self._cached(
            self._ridge_key("ridge", selection, seeds, alpha),
            lambda: self._ridge_arrays(selection, seeds, alpha),
        )
        full = self.full("ridge", penalty=alpha)
        return self._curve("ridge_accuracy", selection, seeds, arrays, full)

    def ridge_validation(
        self, seeds: Sequence[int], selection: str = "random"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Accuracy by class of the ridge probe on train images held out in turn, (seeds, r, C), and
        the train images of each class, (C,).
        """
        alpha = self.ridge_penalty.penalty

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

    def ridge_halves(self, selection: str, seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Accuracy by class of the ridge probe on two disjoint halves of the test images, every
        second one of a class: (seeds, r, C) each.

        The same pass gives :meth:`ridge`, which costs nothing if it is asked for afterwards.
        """
        alpha = self.ridge_penalty.penalty

        def compute() -> Arrays:
            labels = np.asarray(self.features.check_labelled().y_test)
            turn = np.empty(len(labels), dtype=int)
            for label in np.unique(labels):
                turn[labels == label] = np.arange((labels == label).sum()) % 2
            arrays = self._ridge_arrays(selection, seeds, alpha, turn)
            by_half = arrays.pop("by_part")
            self._cached(self._ridge_key("ridge", selection, seeds, alpha), lambda: arrays)
            return {f"half_{half}": by_half[:, half] for half in (0, 1)}

        kept = self._cached(self._ridge_key("ridge halves", selection, seeds, alpha), compute)
        return kept["half_0"], kept["half_1"]

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
            chosen = orderings(selection, self.statistics, seeds)
            steps = [k for k in sizes if k <= chosen[0].size]
            if not steps:  # fewer components than the smallest size asked for
                nothing = np.zeros((len(chosen), 0))
                arrays = dict.fromkeys(("values", "objective", "undecided"), nothing)
                hits = np.zeros((0, sum(self.test_counts())), dtype=np.int32)
                return {
                    "sizes": np.array([], dtype=int),
                    **arrays,
                    "converged": nothing > 0,
                    "hits": hits,
                }
            probe = self._logistic_probe(penalty)
            if steps[-1] == self.d:
                probe.whole = self.logistic_whole(penalty)
            return probe.evaluate(chosen, steps)

        what = {
            "measure": "logistic",
            "selection": selection,
            "seeds": _seeds(selection, seeds),
            "sizes": list(sizes),
            "penalty": penalty,
        }
        return self._cached(what, compute)

    def logistic_whole(self, penalty: float) -> WholeLayer:
        """The logistic probe on the whole layer, which every curve shares."""
        arrays = self._cached(
            {"measure": "logistic whole", "penalty": penalty},
            lambda: self._logistic_probe(penalty).whole.arrays(),
        )
        return WholeLayer.from_arrays(arrays)

    def logistic_hits(
        self,
        selection: str,
        seeds: Sequence[int],
        sizes: Sequence[int],
        *,
        penalty: float | None = None,
    ) -> np.ndarray:
        """Of how many seeds the logistic probe guesses each test image right, (s, m), at the sizes
        of :meth:`logistic`.
        """
        alpha = self.logistic_penalty.penalty if penalty is None else penalty
        return self._logistic_arrays(selection, seeds, sizes, alpha)["hits"]

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
        full = self.full("logistic", penalty=alpha)
        return self._curve("logistic_accuracy", selection, seeds, arrays, full)

    def full(self, probe: str, *, penalty: float | None = None) -> float:
        """The whole layer's test accuracy with the ``ridge`` or the ``logistic`` probe."""
        alpha = self.penalty(probe).penalty if penalty is None else penalty
        if probe == "logistic":
            return float(self.logistic_whole(alpha).right.mean())
        key = self._ridge_key("ridge full", "first", [0], alpha)
        arrays = self._cached(key, lambda: {"full": np.array([self._ridge_probe(alpha).full])})
        return float(arrays["full"][0])

    def probe(
        self, kind: str, selection: str, seeds: Sequence[int], fractions: Sequence[float]
    ) -> Curve:
        """A probe's accuracy: the ``ridge`` probe's at every size, the ``logistic`` one's at
        fractions of the layer.
        """
        if kind == "logistic":
            return self.logistic(selection, seeds, sizes_of(fractions, self.d))
        return self.ridge(selection, seeds)


def _seeds(selection: str, seeds: Sequence[int]) -> list[int]:
    """The seeds a selection makes use of; 0 alone for a deterministic one."""
    return list(seeds) if SELECTIONS[selection].seeded else [0]
