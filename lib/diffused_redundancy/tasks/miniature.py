"""The downstream tasks of the miniature world, each with fixed splits.

- ``digits``: scikit-learn's 1,797 real handwritten digits; 1,297 train, 500 test, stratified, split
  seed 0.
- ``armenian``: 75 classes of Armenian letters (a script no network saw upstream); 40 train and 40
  test renderings a class.
- ``georgian``: 33 Georgian letters; 80 train and 80 test renderings a class.
- ``font_style``: which of twelve faces a Latin letter is set in; 2,400 train, 2,400 test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np

from .alphabets import ARMENIAN_CLASSES, FACES, GEORGIAN_CLASSES, LATIN
from .letters import IMAGE_SIZE, Letters, Rendering, render
from .splits import ArrayImages, Split, Task, split_at, stratified

_DEJAVU = "rendered here from the DejaVu fonts that matplotlib ships"


def _rendered(
    name: str,
    title: str,
    letters: Sequence[str],
    labels: Sequence[str],
    n: int,
    seed: int,
    label_of: Callable[[Letters], np.ndarray],
) -> Task:
    """A task of rendered letters: streams 0 and 1 of its seed are train and test, n images each."""

    def load() -> tuple[Split, Split]:
        parts = [render(letters, n, seed=seed, stream=stream) for stream in (0, 1)]
        train, test = (Split(ArrayImages(part.images), label_of(part)) for part in parts)
        return train, test

    key = ["".join(letters), n, seed, asdict(Rendering())]
    return Task(
        name,
        title,
        tuple(labels),
        f"{name}:{json.dumps(key, ensure_ascii=False)}",
        _DEJAVU,
        "DejaVu fonts licence (free)",
        load,
    )


def armenian() -> Task:
    """Letters of a script that upstream lacks, 75 classes."""
    return _rendered(
        "armenian",
        "Armenian letters",
        ARMENIAN_CLASSES,
        ARMENIAN_CLASSES,
        3000,
        11,
        lambda part: part.classes,
    )


def georgian() -> Task:
    """Letters of a script that upstream lacks, 33 classes."""
    return _rendered(
        "georgian",
        "Georgian letters",
        GEORGIAN_CLASSES,
        GEORGIAN_CLASSES,
        2640,
        12,
        lambda part: part.classes,
    )


def font_style() -> Task:
    """Which of twelve faces a Latin letter is set in."""
    return _rendered(
        "font_style", "Font style", list(LATIN), list(FACES), 2400, 13, lambda part: part.faces
    )


def _digit_images(pixels: np.ndarray) -> np.ndarray:
    """Digits (n, 8, 8), values 0 to 16, as images (n, 32, 32, 3): 24 pixels high, like letters."""
    from PIL import Image

    side = 24
    margin = (IMAGE_SIZE - side) // 2
    images = np.zeros((len(pixels), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    for image, digit in zip(images, np.round(pixels * (255 / 16)).astype(np.uint8), strict=True):
        large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
        image[margin:-margin, margin:-margin] = np.asarray(large)[:, :, None]
    return images


def digits() -> Task:
    """Real handwritten digits."""

    def load() -> tuple[Split, Split]:
        from sklearn.datasets import load_digits

        data = load_digits()
        return split_at(_digit_images(data.images), data.target, stratified(data.target, 500))

    return Task(
        "digits",
        "Handwritten digits",
        tuple("0123456789"),
        "digits",
        "scikit-learn's load_digits (Alpaydin and Kaynak 1998, UCI repository)",
        "CC BY 4.0",
        load,
    )
