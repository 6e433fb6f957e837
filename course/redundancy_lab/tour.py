"""What the tour draws with, so that its cells stay short: figures with a text for those who cannot
see them, sliders where there is somebody to move them, and a drawing of the network.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#999999"
"""Colours that people with any kind of colour vision can tell apart (Okabe and Ito)."""


def _shell() -> Any:
    """The notebook's shell, or None in a plain Python."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def live() -> bool:
    """Whether somebody sits in front of the notebook and can move a slider.

    JupyterLab, Notebook 7 and VS Code send the name of the cell with what they run, and Colab has a
    module of its own; a notebook that is run to make a page has neither.
    """
    if "google.colab" in sys.modules:
        return True
    kernel = getattr(_shell(), "kernel", None)
    return kernel is not None and "cellId" in kernel.get_parent().get("metadata", {})


def show(figure: Figure, alt: str) -> None:
    """Show a figure in the notebook.

    Parameters
    ----------
    figure : Figure
    alt : str
        What is to be seen on it, for those who cannot see it.
    """
    shell = _shell()
    if shell is not None:
        from IPython.core.pylabtools import print_figure
        from IPython.display import Image, display

        drawn = Image(print_figure(figure))  # whatever matplotlib draws with
        display(drawn, metadata={"image/png": {"alt": alt}})
    plt.close(figure)


def play(draw: Callable[..., None], **ranges: tuple[int, int, int]) -> None:
    """Draw, with a slider for each number where sliders work.

    Parameters
    ----------
    draw : callable
        Draws a figure from the numbers.
    ranges : (start, least, most)
        For each argument of ``draw`` the value to start with and the range of the slider.
    """
    if live():
        try:
            import ipywidgets
        except ImportError:
            print("No sliders: ipywidgets is not installed. Change the number in the cell instead.")
        else:
            sliders = {
                name: ipywidgets.IntSlider(
                    value=start, min=least, max=most, continuous_update=False, description=name
                )
                for name, (start, least, most) in ranges.items()
            }
            ipywidgets.interact(draw, **sliders)
            return
    draw(**{name: start for name, (start, _, _) in ranges.items()})


def pictures(images: np.ndarray, titles: list[str], columns: int = 10) -> Figure:
    """Images in rows, each with a title above it."""
    rows = -(-len(images) // columns)
    titles = [textwrap.fill(title, 12) for title in titles]
    high = 1.2 + 0.17 * max(title.count("\n") + 1 for title in titles)
    figure, axes = plt.subplots(rows, columns, figsize=(1.1 * columns, high * rows), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, image, title in zip(axes.flat, images, titles, strict=False):
        ax.imshow(image, cmap="gray")
        ax.set_title(title, fontsize=11 if len(title) < 10 else 8)
    figure.tight_layout(pad=0.3)
    return figure


def network(image: np.ndarray, features: np.ndarray, kept: np.ndarray, answer: str) -> Figure:
    """A drawing of what is done: an image, its features, some of them kept, a probe.

    Parameters
    ----------
    image : ndarray (height, width) or (height, width, 3)
    features : ndarray (d,)
        Of that image.
    kept : ndarray of int (k,)
        The neurons that are kept.
    answer : str
        What the probe says.
    """
    d = len(features)
    rows = next(rows for rows in range(int(d**0.5), 0, -1) if d % rows == 0)
    shown = features.reshape(rows, -1)
    dropped = np.ones(d, dtype=bool)
    dropped[kept] = False
    some = np.ma.masked_array(shown, dropped.reshape(rows, -1))

    figure = plt.figure(figsize=(12, 2.9))
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 12), ylim=(0, 2.9))
    ax.axis("off")
    ax.imshow(image, cmap="gray", extent=(0.2, 1.8, 0.75, 2.35), aspect="auto")
    ax.fill([2.5, 4.2, 4.2, 2.5], [0.5, 1.0, 2.1, 2.6], facecolor="#dddddd", edgecolor="black")
    ax.text(3.35, 1.55, "network,\ntrained on\nletters", ha="center", va="center", fontsize=11)
    ax.fill([7.6, 9.6, 9.6, 7.6], [1.0, 1.0, 2.1, 2.1], facecolor="#eeeeee", zorder=-1)
    ax.imshow(shown, cmap="viridis", extent=(4.9, 6.9, 1.0, 2.1), aspect="auto")
    ax.imshow(some, cmap="viridis", extent=(7.6, 9.6, 1.0, 2.1), aspect="auto")
    ax.fill([10.3, 11.1, 11.1, 10.3], [1.1, 1.1, 2, 2], facecolor="#dddddd", edgecolor="black")
    ax.text(10.7, 1.55, "probe", ha="center", va="center", fontsize=11)
    ax.text(11.75, 1.55, answer, ha="center", va="center", fontsize=20)
    for start, end in ((1.9, 2.4), (4.3, 4.8), (7.0, 7.5), (9.7, 10.2), (11.15, 11.5)):
        ax.annotate("", (end, 1.55), (start, 1.55), arrowprops={"arrowstyle": "->"})
    below = {1.0: "an image", 5.9: f"{d} numbers", 8.6: f"{len(kept)} of them,\nchosen at random"}
    for x, text in below.items():
        ax.text(x, 0.45, text, ha="center", va="center", fontsize=11)
    return figure
