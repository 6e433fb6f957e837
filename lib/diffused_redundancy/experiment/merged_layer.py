"""A layer whose train images were summed elsewhere, and of which a few are here."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..measures.features import Features
from ..measures.statistics import SufficientStatistics
from ..probes.ridge import RidgeProbe
from .probed_layer import ProbedLayer


class SomeRows:
    """Some rows of features, read in slices by the numbers that they have among all.

    Parameters
    ----------
    n : int
        All rows.
    places : ndarray of int (m,)
        The numbers of those that are here, ascending.
    X : Tensor (m, d)

    Examples
    --------
    >>> rows = SomeRows(9, np.array([0, 4, 5]), torch.arange(6.0).view(3, 2))
    >>> rows.shape, rows[4:6].tolist()
    ((9, 2), [[2.0, 3.0], [4.0, 5.0]])
    """

    def __init__(self, n: int, places: np.ndarray, X: Tensor) -> None:
        self.places, self.X = places, X
        self.shape, self.dtype = (n, X.shape[1]), X.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Tensor:
        start, stop, _ = rows.indices(len(self))
        first, last = np.searchsorted(self.places, [start, stop]).tolist()
        if last - first != stop - start:
            raise LookupError(f"rows {start} to {stop} are not all here")
        return self.X[first:last]


class MergedLayer(ProbedLayer):
    """A layer known by the statistics of its train images and some of these.

    Parameters
    ----------
    features : Features
        Some train images, with labels if there are any, and the test part.
    places : ndarray of int (m,)
        The numbers of these train images among all.
    probed : ndarray of int
        Which of them, by their index here, the penalty is chosen on.
    statistics : SufficientStatistics
        Of all train images.
    standardize : bool
        As for :class:`.ProbedLayer`.
    """

    def __init__(
        self,
        features: Features,
        places: np.ndarray,
        probed: np.ndarray,
        statistics: SufficientStatistics,
        *,
        standardize: bool = False,
    ) -> None:
        super().__init__(lambda: features, device=statistics.device.type, standardize=standardize)
        self._places, self._probed, self._all = places, probed, statistics

    @cached_property
    def statistics(self) -> SufficientStatistics:
        """Of all train images."""
        return self._all

    @cached_property
    def about(self) -> dict[str, Any]:
        """As of :class:`.ProbedLayer`; classes are those of all train images."""
        counts = self.statistics.class_counts
        return {**super().about, "classes": 0 if counts is None else int((counts > 0).sum())}

    def with_neurons(self, kept: np.ndarray) -> MergedLayer:
        """The layer with some neurons only."""
        return MergedLayer(
            self.features.columns(kept),
            self._places,
            self._probed,
            self.statistics.columns(kept),
            standardize=self.standardize,
        )

    def _images(self) -> Any:
        if self.statistics.n < 2:
            return None
        return SomeRows(self.statistics.n, self._places, torch.as_tensor(self.features.X_train))

    def _ridge_probe(self, penalty: float | None = None) -> RidgeProbe:
        one = self.features.check_labelled()
        some = Features(
            torch.as_tensor(one.X_train)[torch.from_numpy(self._probed)],
            np.asarray(one.y_train)[self._probed],
            one.X_test,
            one.y_test,
            one.classes,
        )
        return RidgeProbe(
            some,
            penalty=penalty,
            statistics=self.statistics,
            standardize=self.standardize,
            of_more=True,
        )
