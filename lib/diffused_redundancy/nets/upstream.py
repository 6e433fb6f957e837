"""The images the miniature zoo is pre-trained on: letters; and, for networks that are trained on a
downstream task itself, its train part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, unknown
from ..tasks import task
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

TASKS = ("digits", "armenian", "georgian", "font_style")
"""Downstream tasks that are upstream sets, too: their train part is trained on, their test part is
held out.
"""


def classes(world: str = "letters") -> list[str]:
    """The classes of an upstream set: of letters, look-alikes merged, one string of them each."""
    if world in TASKS:
        return list(task(world).classes)
    if world not in WORLDS:
        raise unknown("upstream set", world, [*WORLDS, *TASKS])
    return WORLDS[world]


def upstream(
    n: int, *, world: str = "letters", held_out: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Upstream images, uint8 (n, 32, 32, 3), and labels, int64 (n,).

    Held-out ones are never trained on. Of a task's images those are taken that
    ``task(world, images=n)`` has.

    Raises
    ------
    InputError
        If there is no such set, or the task has fewer images.
    """
    if world in TASKS:
        part = task(world, images=n).splits["test" if held_out else "train"]
        if n > len(part):
            kind = "test" if held_out else "train"
            raise InputError(f"{world} has {len(part):,} {kind} images, not {n:,}")
        return np.stack(part.images.batch(0, n)), part.labels
    letters = render(classes(world), n, seed=UPSTREAM_SEED, stream=1 if held_out else 0)
    return letters.images, letters.classes


def to_batch(images: np.ndarray, device: torch.device) -> torch.Tensor:
    """Images, uint8 (n, height, width, 3), as a normalised float32 batch (n, 3, height, width)."""
    import torch

    batch = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div_(255)
    mean = torch.tensor(MEAN, device=device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=device).view(1, 3, 1, 1)
    return batch.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)
