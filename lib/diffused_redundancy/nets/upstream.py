"""The images the miniature zoo is pre-trained on: letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import unknown
from ..tasks.alphabets import EXTENDED_CLASSES, UPSTREAM_CLASSES
from ..tasks.letters import render

if TYPE_CHECKING:
    import torch

UPSTREAM_SEED = 20230601
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)
"""How every network of the zoo normalises images in [0, 1]."""

WORLDS: dict[str, list[str]] = {"letters": UPSTREAM_CLASSES, "extended": EXTENDED_CLASSES}
"""Classes of each upstream set: Latin, Greek and Cyrillic letters; and with accented and phonetic
ones.
"""


def classes(world: str = "letters") -> list[str]:
    """The classes of an upstream set, look-alikes merged: one string of letters each."""
    if world not in WORLDS:
        raise unknown("upstream set", world, WORLDS)
    return WORLDS[world]


def upstream(
    n: int, *, world: str = "letters", held_out: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Upstream images, uint8 (n, 32, 32, 3), and labels, int64 (n,).

    Held-out ones are never trained on.
    """
    letters = render(classes(world), n, seed=UPSTREAM_SEED, stream=1 if held_out else 0)
    return letters.images, letters.classes


def to_batch(images: np.ndarray, device: torch.device) -> torch.Tensor:
    """Images, uint8 (n, height, width, 3), as a normalised float32 batch (n, 3, height, width)."""
    import torch

    batch = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div_(255)
    mean = torch.tensor(MEAN, device=device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=device).view(1, 3, 1, 1)
    return batch.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)
