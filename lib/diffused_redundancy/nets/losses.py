"""Pre-training losses: small interchangeable objects that the one training loop calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class Loss(Protocol):
    """What the training loop asks of a loss."""

    def __call__(self, net: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The scalar to minimise and the logits (n, classes) of one batch.

        ``images`` is (n, 3, height, width), normalised; ``labels`` is int64 (n,).
        """
        ...


@dataclass(frozen=True)
class CrossEntropy:
    """The standard loss: mean cross-entropy of the head's logits."""

    def __call__(self, net: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The loss and the logits of one batch; see :class:`Loss`."""
        logits = net(images)
        return cross_entropy(logits, labels), logits


LOSSES: dict[str, type[Loss]] = {"standard": CrossEntropy}
"""Losses by the name a recipe gives them."""
