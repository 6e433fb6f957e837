"""One layer of one net on one task, and every measure of it, each computed once and kept in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError
from ..measure.arrays import as_features
from ..measure.cka import cka_curves, closed_form, diagonal_share
from ..measure.logistic import LOGISTIC_GRID, LogisticProbes, choose_logistic_penalty
from ..measure.probes import RIDGE_GRID, PenaltyChoice
from ..measure.ridge import RidgeCurve, choose_ridge_penalty, cross_validated_ridge, ridge_accuracy, ridge_curve
from ..measure.selections import SELECTIONS, Basis, bases, sizes_of
from ..measure.statistics import SufficientStatistics
from ..progress import progress
from ..store import Cache, code_digest, versions


class Layer:
    """Features with labels, and the measures of the paper on them.

    Parameters
    ----------
    arrays : callable
        Returns X_train, y_train, X_test, y_test: features (n, d) and labels (n,), called when first needed. The
        last three may be None; then only CKA can be measured.
    key : dict, optional
        What determines the features; without it nothing is cached.
    cache : Cache, optional
    device : str
    standardize : bool
        Scale each neuron to unit variance over the train set before the ridge probe.
    views : int
        How often each train image comes, all images of a view together; views of one image never part in cross-validation.
    """

    def __init__(
        self,
        arrays: Callable[[], tuple[Any, Any, Any, Any]],
        *,
        key: dict[str, Any] | None = None,
        cache: Cache | None = None,
        device: str = "auto",
        standardize: bool = False,
        views: int = 1,
    ) -> None:
        self._arrays = arrays
        self.key, self.cache, self.device, self.standardize, self.views = key, cache, device, standardize, views

    @cached_property
    def arrays(self) -> tuple[Any, Any, Any, Any]:
        """X_train, y_train, X_test, y_test."""
        return self._arrays()

    @cached_property
    def statistics(self) -> SufficientStatistics:
        """Of the train set, with labels if there are any."""
        X, y, _, y_test = self.arrays
        classes = None if y is None else int(max(y.max(), -1 if y_test is None else y_test.max())) + 1
        return SufficientStatistics.from_features(X, y, num_classes=classes, device=self.device)

    @cached_property
    def debiased_statistics(self) -> SufficientStatistics:
        """Of the train set, with what debiased CKA needs."""
        return SufficientStatistics.from_features(self.arrays[0], debiased=True, device=self.device)

    def release(self) -> None:
        """Let go of features and statistics; they come back when needed. What was measured stays in the cache."""
        for name in ("arrays", "statistics", "debiased_statistics"):
            self.__dict__.pop(name, None)

    def _kept(self, what: dict[str, Any], compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        if self.cache is None or self.key is None:
            return compute()
        return self.cache.get_or_compute(
            {"kind": "curves", "code": code_digest("measure", "study.layer"), "versions": versions("torch", "numpy"), **what, "layer": self.key},
            compute,
        )

    def _bases(self, statistics: SufficientStatistics, selection: str, seeds: Sequence[int]) -> list[Basis]:
        return bases(selection, statistics, seeds)

    def seeds(self, selection: str, seeds: Sequence[int]) -> list[int]:
        """The seeds a selection makes use of: itself 0 where it draws nothing."""
        return list(seeds) if SELECTIONS[selection].seeded else [0]

    def about(self) -> dict[str, float]:
        """n_train, n_test, d, classes, constant neurons, and r of the closed form."""

        def compute() -> dict[str, np.ndarray]:
            _, y, X_test, _ = self.arrays
            s = self.statistics
            numbers = [
                s.n,
                0 if X_test is None else len(X_test),
                s.d,
                0 if y is None else len(np.unique(np.asarray(y))),
                len(s.constant),
                diagonal_share(s),
            ]
            return {"numbers": np.array(numbers, dtype=float)}

        numbers = self._kept({"measure": "about"}, compute)["numbers"]
        names = ("n_train", "n_test", "d", "classes", "constant", "diagonal_share")
        return {name: float(v) if name == "diagonal_share" else int(v) for name, v in zip(names, numbers, strict=True)}

    @property
    def d(self) -> int:
        """Neurons of the layer."""
        return int(self.about()["d"])

    def at(self, fraction: float) -> int:
        """The column of a curve at a fraction of the layer: k - 1, with k = int(fraction * d), at least 1."""
        return max(1, int(fraction * self.d)) - 1

    def closed_form(self) -> np.ndarray:
        """The predicted mean CKA curve of random neurons, (d,)."""
        about = self.about()
        return closed_form(about["diagonal_share"], int(about["d"]))

    def cka(self, selection: str, seeds: Sequence[int], *, debiased: bool = False) -> np.ndarray:
        """CKA with the whole layer at every k: (seeds, r)."""

        def compute() -> dict[str, np.ndarray]:
            statistics = self.debiased_statistics if debiased else self.statistics
            features = self.arrays[0] if debiased else None
            orders = self._bases(statistics, selection, seeds)
            return {"curves": cka_curves(statistics, orders, debiased=debiased, features=features)}

        what = {"measure": "cka", "debiased": debiased, "selection": selection, "seeds": self.seeds(selection, seeds)}
        return self._kept(what, compute)["curves"]

    def _labelled(self) -> tuple[Any, Any, Any, Any]:
        if self.arrays[1] is None or self.arrays[3] is None:
            raise InputError("a probe needs labels and a test part: give y_train, X_test and y_test")
        return self.arrays

    def _images(self, y: Any) -> np.ndarray | None:
        """Which image each train row is a view of."""
        return None if self.views == 1 else np.tile(np.arange(len(y) // self.views), self.views)

    def _choice(self, kind: str, compute: Callable[[], PenaltyChoice], grid: tuple[float, ...]) -> PenaltyChoice:
        def arrays() -> dict[str, np.ndarray]:
            choice = compute()
            return {
                "penalty": np.array([choice.penalty]),
                "accuracy": np.array(choice.accuracy),
                "folds": np.array([choice.folds]),
                "loss": np.array(choice.loss),
            }

        found = self._kept({"measure": f"{kind} penalty", "grid": list(grid), "standardize": self.standardize}, arrays)
        loss, accuracy = tuple(found["loss"].tolist()), tuple(found["accuracy"].tolist())
        return PenaltyChoice(float(found["penalty"][0]), grid, loss, accuracy, int(found["folds"][0]))

    @cached_property
    def ridge_penalty(self) -> PenaltyChoice:
        """Chosen for the full layer by cross-validation on the train set."""

        def compute() -> PenaltyChoice:
            X, y, _, _ = self._labelled()
            return choose_ridge_penalty(X, y, groups=self._images(y), standardize=self.standardize, device=self.device)

        return self._choice("ridge", compute, RIDGE_GRID)

    @cached_property
    def logistic_penalty(self) -> PenaltyChoice:
        """Chosen for the full layer by cross-validation on the train set."""

        def compute() -> PenaltyChoice:
            X, y, _, _ = self._labelled()
            return choose_logistic_penalty(X, y, groups=self._images(y), device=self.device)

        return self._choice("logistic", compute, LOGISTIC_GRID)

    def _ridge_part(self) -> tuple[SufficientStatistics, Any, Any]:
        """Statistics of the train set, X_test and y_test, as the ridge probe takes them."""
        _, _, X_test, y_test = self._labelled()
        if not self.standardize:
            return self.statistics, X_test, y_test
        scale = self.statistics.unit_scale()
        return self.statistics.scaled(scale), as_features(X_test, "X_test").double() * scale.cpu(), y_test

    def _ridge_curves(self, selection: str, seeds: Sequence[int], penalty: float, parts: np.ndarray | None = None) -> list[RidgeCurve]:
        statistics, X_test, y_test = self._ridge_part()
        return [
            ridge_curve(statistics, order, X_test, y_test, penalty=penalty, parts=parts)
            for order in progress(self._bases(statistics, selection, seeds), title=f"ridge probes, {selection}")
        ]

    def _ridge_key(self, measure: str, selection: str, seeds: Sequence[int], penalty: float) -> dict[str, Any]:
        return {
            "measure": measure,
            "selection": selection,
            "seeds": self.seeds(selection, seeds),
            "penalty": penalty,
            "standardize": self.standardize,
        }

    def ridge(self, selection: str, seeds: Sequence[int], *, penalty: float | None = None) -> dict[str, np.ndarray]:
        """The ridge probe at every k: ``accuracy`` (seeds, r) and ``per_class`` (seeds, r, C)."""
        chosen = self.ridge_penalty.penalty if penalty is None else penalty
        key = self._ridge_key("ridge", selection, seeds, chosen)
        return self._kept(key, lambda: _stacked(self._ridge_curves(selection, seeds, chosen)))

    def ridge_validation(self, seeds: Sequence[int], selection: str = "random") -> dict[str, np.ndarray]:
        """The ridge probe on train images held out in turn: ``per_class`` (seeds, r, C), and ``counts`` (C,) of images."""
        chosen = self.ridge_penalty.penalty

        def compute() -> dict[str, np.ndarray]:
            X, y, _, _ = self._labelled()
            by_class, counts = cross_validated_ridge(X, y, selection, seeds, penalty=chosen, groups=self._images(y), device=self.device)
            return {"per_class": by_class, "counts": counts}

        return self._kept({"measure": "ridge validation", "selection": selection, "seeds": self.seeds(selection, seeds), "penalty": chosen}, compute)

    def ridge_halves(self, selection: str, seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Accuracy by class of the ridge probe on two disjoint halves of the test images, every second one of a class: (seeds, r, C) each.

        The same pass gives :meth:`ridge`, which costs nothing if it is asked for afterwards.
        """
        chosen = self.ridge_penalty.penalty

        def compute() -> dict[str, np.ndarray]:
            labels = np.asarray(self._labelled()[3])
            turn = np.empty(len(labels), dtype=int)
            for label in np.unique(labels):
                turn[labels == label] = np.arange((labels == label).sum()) % 2
            curves = self._ridge_curves(selection, seeds, chosen, turn)
            self._kept(self._ridge_key("ridge", selection, seeds, chosen), lambda: _stacked(curves))
            return {f"half_{half}": np.stack([curve.by_part[half] for curve in curves]) for half in (0, 1)}

        found = self._kept(self._ridge_key("ridge halves", selection, seeds, chosen), compute)
        return found["half_0"], found["half_1"]

    def test_counts(self) -> np.ndarray:
        """Test images of each class, (C,), of as many classes as a probe tells apart."""

        def compute() -> dict[str, np.ndarray]:
            _, y, _, y_test = self._labelled()
            classes = int(max(np.asarray(y).max(), np.asarray(y_test).max())) + 1
            return {"counts": np.bincount(np.asarray(y_test), minlength=classes)}

        return self._kept({"measure": "test counts"}, compute)["counts"]

    def full(self, probe: str) -> float:
        """The full layer's accuracy with the ``ridge`` or the ``logistic`` probe, fitted on all neurons."""
        if probe == "ridge":
            chosen = self.ridge_penalty.penalty

            def compute() -> dict[str, np.ndarray]:
                statistics, X_test, y_test = self._ridge_part()
                return {"accuracy": np.array([ridge_accuracy(statistics, X_test, y_test, penalty=chosen)])}

            return float(self._kept(self._ridge_key("ridge full", "first", [0], chosen), compute)["accuracy"][0])
        return float(self.logistic("first", [0], [self.d])["accuracy"][0, -1])

    def probe(self, kind: str, selection: str, seeds: Sequence[int], fractions: Sequence[float]) -> dict[str, np.ndarray]:
        """A probe's ``accuracy`` (seeds, s) and ``per_class`` (seeds, s, C) at its ``sizes`` (s,).

        The ``ridge`` probe is exact at every size; the ``logistic`` one is fitted at fractions of the layer.
        """
        if kind == "logistic":
            return self.logistic(selection, seeds, sizes_of(fractions, self.d))
        found = self.ridge(selection, seeds)
        return {"sizes": np.arange(1, found["accuracy"].shape[1] + 1), **found}

    def logistic(self, selection: str, seeds: Sequence[int], sizes: Sequence[int], *, penalty: float | None = None) -> dict[str, np.ndarray]:
        """Logistic probes at some sizes: ``sizes`` (s,), ``accuracy`` (seeds, s), ``per_class``, ``objective``, ``converged``.

        Sizes beyond the directions a selection has are left out.
        """
        chosen = self.logistic_penalty.penalty if penalty is None else penalty

        def compute() -> dict[str, np.ndarray]:
            X, y, X_test, y_test = self._labelled()
            probes = LogisticProbes(X, y, X_test, y_test, self.statistics, device=self.device)
            orders = self._bases(self.statistics, selection, seeds)
            steps = [k for k in sizes if k <= orders[0].size]
            if not steps:  # fewer components than the smallest size asked for
                nothing = np.zeros((len(orders), 0))
                return {"sizes": np.array(steps, dtype=int), **dict.fromkeys(("accuracy", "objective"), nothing), "converged": nothing > 0}
            curves = [asdict(curve) for curve in probes.curves(orders, steps, penalty=chosen)]
            stacked = {name: np.stack([curve[name] for curve in curves]) for name in ("accuracy", "per_class", "objective", "converged")}
            return {"sizes": np.array(steps), **stacked}

        what = {
            "measure": "logistic",
            "selection": selection,
            "seeds": self.seeds(selection, seeds),
            "sizes": list(sizes),
            "penalty": chosen,
        }
        return self._kept(what, compute)


def _stacked(curves: Sequence[RidgeCurve]) -> dict[str, np.ndarray]:
    """Curves of several seeds as arrays."""
    return {"accuracy": np.stack([curve.accuracy for curve in curves]), "per_class": np.stack([curve.per_class for curve in curves])}
