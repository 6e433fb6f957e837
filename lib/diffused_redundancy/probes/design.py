"""Features as the logistic solver takes them: a design matrix, transposed, in two precisions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..devices import fast_bfloat16
from ..errors import InputError
from ..measures.accumulation import blocks, on_device
from ..measures.selections import Ordering
from ..measures.statistics import SufficientStatistics

ROUGH_AT_MOST = 1 << 30
"""Bytes that features in bfloat16 may take, besides those in float32."""


@dataclass(frozen=True)
class DesignMatrix:
    """Features of images, centred and scaled, with a row of ones: (k + 1, n).

    Attributes
    ----------
    exact : Tensor, float32
    rough : Tensor
        The same in bfloat16 where the processor multiplies that two to four times as fast, for
        early iterations; else ``exact`` itself.
    """

    exact: Tensor
    rough: Tensor

    @classmethod
    def of(cls, exact: Tensor) -> DesignMatrix:
        """In both precisions."""
        return cls(exact, rounded(exact))

    def gathered(self, ordering: Ordering, k: int) -> DesignMatrix:
        """The first directions of an ordering and the row of ones, (k + 1, n)."""
        if ordering.selection == "first" and k == ordering.d:
            return self
        exact = gathered_rows(self.exact, ordering, k)
        if ordering.order is None:
            return DesignMatrix.of(exact)
        same = self.rough is self.exact
        return DesignMatrix(exact, exact if same else gathered_rows(self.rough, ordering, k))


def gathered_rows(features: Tensor, ordering: Ordering, k: int) -> Tensor:
    """The first directions of an ordering and the row of ones, (k + 1, n), of features (d + 1,
    n).
    """
    if ordering.order is None:
        directions = ordering.directions[:, :k].to(features)  # type: ignore[index]
        return torch.cat([directions.T @ features[:-1], features[-1:]])
    rows = torch.cat([ordering.order[:k], torch.tensor([ordering.d])]).to(features.device)
    return features[rows]


def rounded(exact: Tensor) -> Tensor:
    """In bfloat16 where that is fast and not too large; else the tensor itself."""
    fast = fast_bfloat16(exact.device) and 2 * exact.numel() <= ROUGH_AT_MOST
    return exact.bfloat16() if fast else exact


def centred_and_scaled(
    features: Tensor,
    statistics: SufficientStatistics,
    device: torch.device,
    order: Tensor | None = None,
) -> Tensor:
    """Features (n, d) in float32, centred, over the root of their mean variance, and a row of ones:
    (d + 1, n); in an order of images if given.
    """
    if not statistics.mean_variance > 0:
        raise InputError("every neuron is constant: there is nothing to probe")
    ready = torch.empty(statistics.d + 1, len(features), dtype=torch.float32, device=device)
    for rows in blocks(len(features), 256):  # the transposed copy of a few rows stays in the caches
        work = on_device(features[rows if order is None else order[rows]], device)
        ready[:-1, rows] = (
            (work - statistics.mean.to(device, work.dtype)) / statistics.mean_variance**0.5
        ).T
    ready[-1] = 1
    return ready
