"""The recipes of the miniature zoo: everything that determines a checkpoint, by name."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..errors import unknown


@dataclass(frozen=True)
class Recipe:
    """How one net of the miniature zoo is pre-trained.

    Attributes
    ----------
    architecture : str
        A name in ``architectures.ARCHITECTURES``.
    features : int
        Width of the penultimate layer.
    loss : str
        A name in ``losses.LOSSES``.
    images, held_out : int
        Upstream pictures to train on and to report top-1 on (letters of three scripts, 131 classes).
    epochs, batch : int
        Passes over the training pictures, and pictures a step.
    learning_rate, weight_decay : float
        Peak of the one-cycle schedule, and decoupled weight decay, of AdamW.
    seed : int
        Seed of the initial weights and of the order of the data. Every net sees the same pictures.
    """

    architecture: str = "miniature_resnet"
    features: int = 512
    loss: str = "standard"
    images: int = 40_000
    held_out: int = 10_000
    epochs: int = 8
    batch: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    seed: int = 1

    def as_dict(self) -> dict[str, Any]:
        """The recipe as JSON values."""
        return asdict(self)


ZOO: dict[str, Recipe] = {"miniature_resnet.standard_s1": Recipe()}
"""Recipes by name: architecture, loss, seed."""


def recipe(name: str) -> Recipe:
    """The recipe of a net of the zoo; an unknown name raises InputError with the nearest one."""
    if name not in ZOO:
        raise unknown("net of the miniature zoo", name, ZOO)
    return ZOO[name]
