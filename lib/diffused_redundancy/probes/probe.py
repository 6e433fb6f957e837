"""What the ridge and the logistic probe share: one interface, from features to a curve."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..devices import resolve_device
from ..errors import InputError, check_whole
from ..measures.curves import Curve
from ..measures.features import Features
from ..measures.image_groups import group_means
from ..measures.redundancy import Redundancy
from ..measures.selections import Ordering, check_orderings
from ..measures.statistics import SufficientStatistics, check_statistics
from ..measures.validation import as_features, as_labels, check_finite
from .cross_validation import PenaltyChoice, check_classes, check_penalty

Arrays = dict[str, np.ndarray]


class LinearProbe(ABC):
    """A linear classifier on the first k neurons of a layer, for many k.

    Attributes
    ----------
    measure : str
        The name of its accuracy in :data:`MEASURES`.
    features : Features
    labels : Tensor (n,), int64
        Of the train set, on the CPU.
    device : torch.device
    """

    measure: ClassVar[str]

    def __init__(
        self,
        features: Features,
        *,
        penalty: float | None = None,
        statistics: SufficientStatistics | None = None,
        device: str = "auto",
        of_more: bool = False,
    ) -> None:
        if not isinstance(features, Features):
            raise InputError(
                f"features is {type(features).__name__}: give "
                "Features(X_train, y_train, X_test, y_test)"
            )
        if features.y_train is None:
            raise InputError("a probe needs labels: give y_train")
        shape = tuple(features.X_train.shape)
        if statistics is not None:
            check_statistics(statistics)
            n = shape[0] if of_more and statistics.n >= shape[0] else statistics.n
            if (n, statistics.d) != shape:
                raise InputError(
                    f"the statistics are of {statistics.n} images and {statistics.d} neurons: "
                    f"X_train has shape {shape}"
                )
        self.features = features
        classes = None if statistics is None else statistics.num_classes
        self.labels = as_labels(features.y_train, shape[0], "y_train", classes=classes)
        check_classes(self.labels)
        self._penalty = None if penalty is None else check_penalty(penalty)
        self._given = statistics
        self.device = resolve_device(device) if statistics is None else statistics.device

    @cached_property
    def _raw_statistics(self) -> SufficientStatistics:
        """Of the train features as they are."""
        return self._given or SufficientStatistics.from_features(
            self.features.X_train,
            self.labels,
            num_classes=self.features.num_classes,
            device=self.device.type,
        )

    @property
    def statistics(self) -> SufficientStatistics:
        """Of the train set, as the probe sees it: what orderings are made from."""
        return self._raw_statistics

    @cached_property
    def num_classes(self) -> int:
        """Classes that the probe knows."""
        return self._raw_statistics.num_classes or self.features.num_classes or 0

    @cached_property
    def _test_set(self) -> tuple[Tensor, Tensor]:
        """Checked test features (m, d), where they are, and labels (m,), on the CPU."""
        X = as_features(self.features.check_labelled().X_test, "X_test")
        if X.shape[1] != self.features.d:
            raise InputError(
                f"X_test has {X.shape[1]} neurons: the train features have {self.features.d}"
            )
        y = as_labels(self.features.y_test, len(X), "y_test", classes=self.num_classes)
        check_finite(X, "X_test")
        return X, y

    @abstractmethod
    def choose_penalty(
        self, grid: tuple[float, ...] | None = None, *, extend: bool | None = None
    ) -> PenaltyChoice:
        """Choose the penalty of the whole layer by cross-validation on the train set."""

    @cached_property
    def choice(self) -> PenaltyChoice:
        """The choice of a penalty by default; see :meth:`choose_penalty`."""
        return self.choose_penalty()

    @property
    def penalty(self) -> float:
        """The penalty in force, given or chosen; see :mod:`.cross_validation` for its unit."""
        return self.choice.penalty if self._penalty is None else self._penalty

    @property
    @abstractmethod
    def full_right(self) -> Tensor:
        """Which test images the probe on the whole layer guesses right: bool (m,)."""

    @cached_property
    def full(self) -> float:
        """Test accuracy of the whole layer, in [0, 1]."""
        return int(self.full_right.sum()) / len(self.full_right)

    @abstractmethod
    def evaluate(
        self, orderings: Ordering | Sequence[Ordering], sizes: Sequence[int] | None = None
    ) -> Arrays:
        """What :meth:`curve` measures, as arrays."""

    @staticmethod
    def of_curve(arrays: Arrays) -> Arrays:
        """What :meth:`evaluate` returns under the names of :class:`Curve`."""
        return arrays

    def curve(
        self, orderings: Ordering | Sequence[Ordering], sizes: Sequence[int] | None = None
    ) -> Curve:
        """Test accuracy on the first k neurons (or directions), overall and by class.

        Parameters
        ----------
        orderings : Ordering or sequence of Ordering
            The seeds of one selection.
        sizes : sequence of int, optional
            The k, ascending. By default all that the class measures.

        Returns
        -------
        Curve

        Raises
        ------
        InputError
            If a size is out of range, or the features, labels or orderings do not fit together.
        """
        return self._curve(check_orderings(orderings, self.features.d), sizes)

    def _curve(
        self, ordered: Sequence[Ordering], sizes: Sequence[int] | None = None, **how: Any
    ) -> Curve:
        """The curve of checked orderings; ``how`` they are evaluated."""
        return Curve(
            self.measure,
            ordered[0].selection,
            tuple(one.seed for one in ordered),
            d=self.features.d,
            full=self.full,
            guessing=float(self._test_set[1].bincount().max()) / len(self._test_set[1]),
            images=len(self._test_set[1]),
            full_by_images=group_means(self.full_right).cpu().numpy(),
            **self.of_curve(self.evaluate(ordered, sizes, **how)),
        )

    def redundancy(
        self, orderings: Ordering | Sequence[Ordering], delta: float = 0.9, **options: Any
    ) -> Redundancy:
        """DR(delta) of the test accuracy.

        Parameters
        ----------
        orderings : Ordering or sequence of Ordering
            The seeds of one selection.
        delta, **options
            As for :func:`diffused_redundancy`.
        """
        return self.curve(orderings).redundancy(delta, **options)


def check_sizes(sizes: Sequence[int], most: int) -> list[int]:
    """Sizes of 1 to ``most``, ascending without repeats, or InputError."""
    checked = [check_whole(k, "k", 1, most) for k in sizes]
    if checked != sorted(set(checked)) or not checked:
        raise InputError(f"sizes {list(sizes)} must be ascending, without repeats")
    return checked


def accuracy_by_class(right: Tensor, y: Tensor, num_classes: int) -> np.ndarray:
    """The share of right guesses (..., n), 0 or 1, by class: (..., C); NaN for classes not in y."""
    one_hot = torch.nn.functional.one_hot(y, num_classes).to(right.device, torch.float32)
    counts = one_hot.sum(0)
    return (right.float() @ one_hot / counts).cpu().double().numpy()
