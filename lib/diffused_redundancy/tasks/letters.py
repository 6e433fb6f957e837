"""The renderer of the miniature world: 32 x 32 colour images of letters, deterministic from a seed.

Each image is one letter in one of twelve faces under a random affine map, in random colours of
sufficient contrast on a background with a gradient, with noise. Images are made in chunks of fixed
size, each from its own random stream, so the result does not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from ..devices import cores
from .alphabets import FACES, glyph

IMAGE_SIZE = 32

_CHUNK = 1024
_SUPERSAMPLING = 2
_LUMINANCE = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Rendering:
    """How much a letter varies. Every range is uniform unless said otherwise.

    Attributes
    ----------
    rotation : float
        Largest angle, in degrees.
    scale : float
        Largest relative change of size; less than between capitals and small letters (see
        ``alphabets``).
    aspect, shear : float
        Largest relative change of width against height, and of horizontal shear.
    shift : float
        Largest displacement, in pixels of the finished image.
    contrast : float
        Least difference in luminance between ink and background, in [0, 1].
    gradient : float
        Largest change of the background across the image, in [0, 1].
    noise : float
        Largest standard deviation of the Gaussian noise, in [0, 1].
    """

    rotation: float = 12.0
    scale: float = 0.12
    aspect: float = 0.08
    shear: float = 0.12
    shift: float = 2.5
    contrast: float = 0.25
    gradient: float = 0.3
    noise: float = 0.1


@dataclass(frozen=True)
class Letters:
    """Rendered images with their labels.

    Attributes
    ----------
    images : uint8 (n, 32, 32, 3)
    classes : int64 (n,)
        Index of the class (group of look-alikes).
    faces : int64 (n,)
        Index of the face, in the order of :data:`FACES`.
    """

    images: np.ndarray = field(repr=False)
    classes: np.ndarray = field(repr=False)
    faces: np.ndarray = field(repr=False)


def render(
    classes: Sequence[str], n: int, *, seed: int, stream: int = 0, how: Rendering | None = None
) -> Letters:
    """Render ``n`` images with balanced classes and faces drawn at random.

    Parameters
    ----------
    classes : sequence of str
        One string per class; each image shows one of its letters, drawn at random.
    n : int
        How many images.
    seed, stream : int
        The same seed and stream give the same images, to the byte. Different streams (train, test)
        of one seed are independent.
    how : Rendering, optional
        The amount of variation.

    Returns
    -------
    Letters
    """
    how = how or Rendering()
    letters = sorted(set("".join(classes)))
    index = {letter: i for i, letter in enumerate(letters)}
    atlas = np.stack([np.stack([glyph(letter, face) for face in FACES]) for letter in letters])
    members = [np.array([index[letter] for letter in group]) for group in classes]

    labels = np.arange(n, dtype=np.int64) % len(classes)
    np.random.default_rng([seed, stream, 0]).shuffle(labels)
    starts = range(0, n, _CHUNK)

    def work(number: int) -> tuple[np.ndarray, np.ndarray]:
        part = labels[starts[number] : starts[number] + _CHUNK]
        return _render_chunk(
            atlas, members, part, how, np.random.default_rng([seed, stream, 1, number])
        )

    with ThreadPoolExecutor(max_workers=min(4, cores())) as pool:
        parts = list(pool.map(work, range(len(starts))))
    if not parts:
        return Letters(np.zeros((0, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8), labels, labels.copy())
    return Letters(
        np.concatenate([p[0] for p in parts]), labels, np.concatenate([p[1] for p in parts])
    )


def _render_chunk(
    atlas: np.ndarray,
    members: list[np.ndarray],
    labels: np.ndarray,
    how: Rendering,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Images and faces of one chunk. ``atlas`` is (letters, faces, size, size) uint8."""
    import torch
    from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

    n = len(labels)
    faces = rng.integers(len(FACES), size=n)
    draws = rng.random(n)
    letters = np.array(
        [members[c][int(u * len(members[c]))] for c, u in zip(labels, draws, strict=True)],
        dtype=np.int64,
    )

    grid = affine_grid(
        torch.from_numpy(_affine_maps(n, how, rng)),
        [n, 1, _SUPERSAMPLING * IMAGE_SIZE, _SUPERSAMPLING * IMAGE_SIZE],
        align_corners=False,
    )
    masks = torch.from_numpy(atlas[letters, faces]).float().div_(255).unsqueeze(1)
    ink = (
        avg_pool2d(grid_sample(masks, grid, align_corners=False), _SUPERSAMPLING).squeeze(1).numpy()
    )

    foreground, background = _colours(n, how, rng)
    ramp = np.linspace(-0.5, 0.5, IMAGE_SIZE, dtype=np.float32)
    angle = rng.uniform(0, 2 * np.pi, n).astype(np.float32)
    slope = rng.uniform(0, how.gradient, n).astype(np.float32)
    shade = slope[:, None, None] * (
        np.cos(angle)[:, None, None] * ramp[:, None] + np.sin(angle)[:, None, None] * ramp
    )

    canvas = background[:, None, None, :] + shade[..., None]
    canvas += ink[..., None] * (foreground[:, None, None, :] - canvas)
    deviation = rng.uniform(0, how.noise, n).astype(np.float32)
    canvas += deviation[:, None, None, None] * rng.standard_normal(canvas.shape, dtype=np.float32)
    return np.clip(canvas * 255 + 0.5, 0, 255).astype(np.uint8), faces.astype(np.int64)


def _affine_maps(n: int, how: Rendering, rng: np.random.Generator) -> np.ndarray:
    """Random maps from image to glyph coordinates, both in [-1, 1]: float32 (n, 2, 3)."""
    angle = np.deg2rad(rng.uniform(-how.rotation, how.rotation, n))
    scale = 1 + rng.uniform(-how.scale, how.scale, n)
    aspect = 1 + rng.uniform(-how.aspect, how.aspect, n)
    shear = rng.uniform(-how.shear, how.shear, n)
    rotation = np.stack(
        [np.stack([np.cos(angle), -np.sin(angle)], 1), np.stack([np.sin(angle), np.cos(angle)], 1)],
        1,
    )
    stretch = np.zeros((n, 2, 2))
    stretch[:, 0, 0] = scale * np.sqrt(aspect)
    stretch[:, 1, 1] = scale / np.sqrt(aspect)
    stretch[:, 0, 1] = shear
    inverse = np.linalg.inv(rotation @ stretch)
    shift = rng.uniform(-how.shift, how.shift, (n, 2, 1)) * 2 / IMAGE_SIZE
    return np.concatenate([inverse, -inverse @ shift], axis=2).astype(np.float32)


def _colours(
    n: int, how: Rendering, rng: np.random.Generator, tries: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Ink and background colours, each float32 (n, 3) in [0, 1], of enough contrast if found."""
    background = rng.random((n, 3))
    candidates = rng.random((n, tries, 3))
    contrast = np.abs(candidates @ _LUMINANCE - (background @ _LUMINANCE)[:, None])
    enough = contrast >= how.contrast
    chosen = np.where(enough.any(1), enough.argmax(1), contrast.argmax(1))
    return candidates[np.arange(n), chosen].astype(np.float32), background.astype(np.float32)
