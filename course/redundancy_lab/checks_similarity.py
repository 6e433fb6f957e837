"""Checks of the exercises in 01_similarity: properties, and other ways to the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .asking import Wrong, agree, array, number

Function = Callable[..., Any]
Random = np.random.Generator


def made_up(rng: Random, n: int = 40, d: int = 12) -> np.ndarray:
    """Features of a few dimensions plus noise, with means and scales that differ."""
    mixed = rng.standard_normal((n, 4)) @ rng.standard_normal((4, d))
    return (mixed + 0.5 * rng.standard_normal((n, d))) * rng.uniform(0.5, 2, d) + rng.uniform(
        1, 3, d
    )


def centre(function: Function, rng: Random) -> None:
    """Each neuron less its mean over the images."""
    X = made_up(rng)
    centred = array(function, X.shape, X)
    if agree(centred.mean(1), 0) and not agree(centred.mean(0), 0):
        raise Wrong(
            "you centred the rows, which are images: subtract from each neuron (a column) its mean "
            "over the images."
        )
    if agree(centred + X.mean(), X):
        raise Wrong("you subtracted one mean of the whole matrix: each neuron has its own.")
    if not agree(centred.mean(0), 0):
        raise Wrong("the mean of a neuron over the images is not 0 afterwards.")
    if not agree(centred - centred[0], X - X[0]):
        raise Wrong(
            "differences between two images have changed: only subtract, do not scale the neurons."
        )


def cka(function: Function, rng: Random) -> None:
    """CKA of two layers."""
    X, Y = made_up(rng), made_up(rng, d=7)
    value = number(function, X, Y)
    own = number(function, X, X)
    if not agree(number(function, X, 3 * Y), value):
        raise Wrong("your CKA changes when Y is scaled: did you divide by both norms?")
    if not agree(number(function, 3 * X, Y), value):
        raise Wrong("your CKA changes when X is scaled: did you divide by both norms?")
    if not agree(number(function, X + 5, Y), value) or not agree(number(function, X, Y - 5), value):
        raise Wrong(
            "your CKA changes when 5 is added to every feature: centre each neuron (subtract its "
            "mean over images) first, in both layers."
        )
    if not agree(own, 1):
        raise Wrong(f"the CKA of a layer with itself must be 1, and yours is {own:.4g}.")
    if not agree(number(function, X, Y[:, ::-1]), value):
        raise Wrong("your CKA changes with the order of Y's neurons: compare all with all.")
    K, L = (one @ one.T for one in (X - X.mean(0), Y - Y.mean(0)))
    expected = (K * L).sum() / np.sqrt((K * K).sum() * (L * L).sum())
    if agree(value, np.sqrt(expected)):
        raise Wrong("you return the square root of CKA: the numerator is a squared norm.")
    if agree(value, expected**2):
        raise Wrong("you return the square of CKA: the norms below the line are not squared.")
    if not agree(value, expected):
        raise Wrong(
            f"your CKA is {value:.4f} where another way to compute it (from similarities of "
            f"images) gives {expected:.4f}."
        )


CHECKS: dict[str, Callable[[Function, Random], None]] = {"centre": centre, "cka": cka}
