"""The pictures the miniature zoo is pre-trained on: Latin, Greek and Cyrillic letters."""

from __future__ import annotations

import numpy as np

from ..tasks.alphabets import UPSTREAM_CLASSES
from ..tasks.letters import render

UPSTREAM_SEED = 20230601
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)
"""How every net of the zoo normalises images in [0, 1]."""


def upstream(n: int, *, held_out: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Upstream pictures, uint8 (n, 32, 32, 3), and labels, int64 (n,); held-out ones are never trained on."""
    letters = render(UPSTREAM_CLASSES, n, seed=UPSTREAM_SEED, stream=1 if held_out else 0)
    return letters.images, letters.classes


def num_classes() -> int:
    """How many classes upstream has, look-alikes merged."""
    return len(UPSTREAM_CLASSES)
