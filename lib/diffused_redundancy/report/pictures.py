"""Pictures of the thing itself: images of a task, one image on its way through a layer, classes
beside what they are mistaken for, correlations of neurons.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from ..experiment.guesses import OneImage
from ..findings.pictures import Mistaken, Picture
from .figures import PALETTE
from .style import StyledFigure, style

THUMBNAIL = 64
"""Pixels of the longer side of an image, at most."""

_WIDTH = 10.0
_INK, _SOFT = "0.15", "0.35"


def thumbnail(image: np.ndarray) -> np.ndarray:
    """An image, uint8 (height, width, 3), no larger than is shown."""
    from PIL import Image

    small = Image.fromarray(image).convert("RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return np.asarray(small)


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of a size in inches, and axes that measure it in inches from its upper left."""
    figure = StyledFigure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    axes.set_autoscale_on(False)
    return figure, axes


def _put(axes: Axes, image: np.ndarray, left: float, top: float, size: float) -> None:
    """Draw an image into a square, in its own proportions."""
    height, width = image.shape[:2]
    across, down = size * width / max(height, width), size * height / max(height, width)
    x, y = left + (size - across) / 2, top + (size - down) / 2
    axes.imshow(
        image, extent=(x, x + across, y + down, y), interpolation="none", aspect="auto", zorder=2
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


@style()
def samples_figure(rows: Mapping[str, Sequence[Picture]]) -> Figure:
    """A strip of images for each task, by its title, with the classes under them."""
    left, size, step = 1.75, 0.72, 1.02
    captions = {one.caption: _folded(one.caption, 11) for some in rows.values() for one in some}
    tall = 1.12 if all("\n" not in caption for caption in captions.values()) else 1.3
    figure, axes = _canvas(_WIDTH, tall * len(rows) + 0.1)
    for row, (title, pictures) in enumerate(rows.items()):
        top = 0.1 + tall * row
        axes.text(0.08, top + size / 2, _folded(title, 18), va="center", color=_INK, weight="bold")
        for place, picture in enumerate(pictures):
            x = left + step * place
            _put(axes, thumbnail(picture.image), x + (step - size) / 2, top, size)
            axes.text(
                x + step / 2,
                top + size + 0.06,
                captions[picture.caption],
                ha="center",
                va="top",
                color=_INK,
            )
    return figure


@style()
def one_image_figure(one: OneImage, image: np.ndarray, classes: Sequence[str]) -> Figure:
    """An image, the features of its neurons, the random part of them, and the probes' scores."""
    figure, axes = _canvas(_WIDTH, 3.1)
    top, size = 0.75, 1.7
    d, k, shade = len(one.features), len(one.chosen), PALETTE[0]
    titles = ("one image", f"{d} neurons", f"a random {k}", "scores of two probes")
    lefts, widths = (0.15, 2.3, 5.05, 7.75), (size, 2.3, 2.3, 2.2)
    for title, x, width in zip(titles, lefts, widths, strict=True):
        axes.text(x + width / 2, 0.4, title, ha="center", color=_INK, weight="bold")
    for x, width in zip(lefts[:3], (size, 2.3, 2.3), strict=True):
        axes.annotate(
            "",
            (x + width + 0.32, top + size / 2),
            (x + width + 0.06, top + size / 2),
            arrowprops={"arrowstyle": "-|>", "color": _SOFT, "lw": 1.4},
        )
    _put(axes, thumbnail(image), lefts[0], top, size)
    lit = np.zeros(d, dtype=bool)
    lit[one.chosen] = True
    for x, shown in zip(lefts[1:3], (np.ones(d, dtype=bool), lit), strict=True):
        axes.imshow(
            lights(one.features, shown, shade),
            extent=(x, x + 2.3, top + size, top),
            interpolation="none",
            aspect="auto",
            zorder=2,
        )
    under = top + size + 0.28
    axes.text(
        lefts[0] + size / 2,
        under,
        f"class: {_cut(classes[one.label], 16)}",
        ha="center",
        color=_INK,
    )
    axes.text(lefts[1] + 1.15, under, "bluer: more active", ha="center", color=_INK)
    axes.text(lefts[2] + 1.15, under, "the others are left out", ha="center", color=_INK)
    _scores(axes, one, classes, lefts[3], top, size)
    return figure


def _scores(
    axes: Axes, one: OneImage, classes: Sequence[str], left: float, top: float, height: float
) -> None:
    """Bars of the five best classes: of the part, and of the whole layer (a line)."""
    best = np.argsort(-np.maximum(one.part, one.whole), kind="stable")[:5]
    step, reach = height / len(best), max(1.0, one.part.max(), one.whole.max())
    start, room = left + 0.75, 1.35
    for row, label in enumerate(best.tolist()):
        y = top + step * (row + 0.5)
        chosen = label == int(one.part.argmax())
        axes.text(
            start - 0.08,
            y,
            _cut(classes[label], 9),
            ha="right",
            va="center",
            color=_INK,
            weight="bold" if chosen else "normal",
        )
        for value, shade, y0 in (
            (one.part, PALETTE[0], y - 0.065),
            (one.whole, PALETTE[7], y + 0.065),
        ):
            width = room * max(0.0, float(value[label])) / reach
            axes.barh(y0, width, height=0.13, left=start, color=shade, zorder=2, lw=0)
    axes.text(left + 0.75, top + height + 0.28, f"■ {len(one.chosen)} neurons", color=PALETTE[0])
    axes.text(left + 0.75, top + height + 0.5, "■ all neurons", color=PALETTE[7])


def lights(features: np.ndarray, lit: np.ndarray, colour: str) -> np.ndarray:
    """Neurons as a grid of squares, RGBA: the more active, the more opaque; those that are not lit
    are faint.
    """
    d = len(features)
    columns = int(np.ceil(np.sqrt(1.35 * d)))
    grid = np.zeros((-(-d // columns) * columns, 4))
    low, high = features.min(), features.max()
    strength = (features - low) / (high - low) if high > low else np.ones(d)
    grid[:d, :3] = np.where(lit[:, None], to_rgba(colour)[:3], 0.5)
    grid[:d, 3] = np.where(lit, 0.15 + 0.85 * strength, 0.12)
    return grid.reshape(-1, columns, 4)


@style()
def mistaken_figure(rows: Sequence[Mistaken]) -> Figure:
    """Images of classes that are lost, beside images of those they are mistaken for."""
    size, step, tall, head = 0.72, 0.82, 1.2, 0.35
    figure, axes = _canvas(_WIDTH, tall * len(rows) + head + 0.1)
    first, second = 0.15, 5.3
    axes.text(
        first, 0.25, "lost with a random fifth (whole layer → fifth)", color=_INK, weight="bold"
    )
    axes.text(second, 0.25, "mistaken for", color=_INK, weight="bold")
    for row, one in enumerate(rows):
        top = head + tall * row
        axes.text(first, top + 0.25, _cut(one.title, 52), color=_INK)
        axes.text(
            second,
            top + 0.25,
            _cut(one.taken_for[0].caption, 40) if one.taken_for else "",
            color=_INK,
        )
        for pictures, left in ((one.lost, first), (one.taken_for, second)):
            for place, picture in enumerate(pictures):
                _put(axes, thumbnail(picture.image), left + step * place, top + 0.36, size)
        axes.annotate(
            "",
            (second - 0.25, top + 0.36 + size / 2),
            (second - 1.0, top + 0.36 + size / 2),
            arrowprops={"arrowstyle": "-|>", "color": _SOFT, "lw": 1.4},
        )
    return figure


@style()
def correlations_figure(matrices: Mapping[str, np.ndarray]) -> Figure:
    """Correlation matrices side by side, on one scale of colours, by the names of networks."""
    side = 8.4 / max(3, len(matrices))  # inches of a matrix
    width = min(_WIDTH, 1.6 + side * len(matrices))  # no wider than they need: squares leave gaps
    figure = StyledFigure(figsize=(width, 0.6 + side), layout="constrained")
    parts = [figure.add_subplot(1, len(matrices), i + 1) for i in range(len(matrices))]
    colours = colormaps["RdBu_r"].resampled(64)  # as a picture with a palette: few bytes
    for part, (name, matrix) in zip(parts, matrices.items(), strict=True):
        shown = part.imshow(matrix, vmin=-1, vmax=1, cmap=colours, interpolation="none")
        part.set_title(name)
        part.set_xticks([])
        part.set_yticks([])
        part.grid(visible=False)
        part.set_xlabel("neurons")
    parts[0].set_ylabel("neurons")
    bar = figure.colorbar(shown, ax=parts, ticks=[-1, -0.5, 0, 0.5, 1], shrink=0.8, pad=0.01)
    bar.set_label("correlation")
    return figure


def _folded(text: str, width: int) -> str:
    """A text in two lines at most."""
    lines = textwrap.wrap(text, width)
    return "\n".join([*lines[:1], *([_cut(" ".join(lines[1:]), width)] if lines[1:] else [])])
