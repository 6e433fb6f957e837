"""Which images are nearest to which: the neighbours that two sets of features of the same images
share.

Huh and others ("The Platonic Representation Hypothesis", ICML 2024) ask, for each image, what share
of its nearest neighbours in one representation are its nearest in the other. It looks at small
distances only, where CKA is made of the large ones. They compare images by the cosine of their
features; here it is the Euclidean distance, which, as CKA, does not depend on where the origin is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError, check_whole
from .curves import Curve
from .image_groups import group_means
from .neuron_sampling import halves
from .selections import Ordering
from .validation import as_labels, check_features, rows_of

NEIGHBOURS = 10
"""Of each image."""

IMAGES = 1000
"""Images, at most: which are near depends on how many there are, and time grows with their
square.
"""


def nearest(X: Any, count: int = NEIGHBOURS) -> Tensor:
    """The nearest other images of each, (n, count), by Euclidean distance: indices in no order. Of
    images at equal distance, any are taken.

    Parameters
    ----------
    X : array (n, d)
    count : int
        Below n.

    Raises
    ------
    InputError
        If there are no that many other images.

    Examples
    --------
    >>> nearest(np.array([[0.0], [1.0], [3.0]]), 1).tolist()
    [[1], [0], [1]]
    """
    features = check_features(X)
    n = len(features)
    count = check_whole(count, "neighbours", 1, n - 1)
    rows = rows_of(features, slice(0, n)).double()
    rows = rows - rows.mean(0)
    norms = (rows * rows).sum(1)
    distances = torch.addmm(norms[None, :].expand(n, n), rows, rows.T, alpha=-2)
    distances.fill_diagonal_(torch.inf)  # the image itself; its own norm is the same for all others
    return distances.topk(count, largest=False, sorted=False).indices


def shared(one: Tensor, other: Tensor) -> Tensor:
    """The share of neighbours (n, count) that each image has in both, (n,).

    Examples
    --------
    >>> shared(torch.tensor([[1, 2], [0, 3]]), torch.tensor([[2, 3], [3, 0]])).tolist()
    [0.5, 1.0]
    """
    return (one[:, :, None] == other[:, None, :]).any(2).double().mean(1)


def chance(images: int, count: int = NEIGHBOURS) -> float:
    """The expected share if neighbours had nothing to do with one another.

    >>> chance(1001)
    0.01
    """
    return count / (images - 1)


def chance_within_classes(X: Any, labels: Any, count: int = NEIGHBOURS) -> float:
    """The expected share that two sets of features would have in common if each image's neighbours
    were as many of every class as they are, but drawn at random within these: what knowing the
    classes alone is worth.

    Parameters
    ----------
    X : array (n, d), or ``Rows`` read in slices
        As for :func:`neighbour_overlap`.
    labels : array of int (n,)
    count : int
        Neighbours of each image.

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [2.0], [8.0], [9.0], [11.0]])
    >>> [round(chance_within_classes(X, y, 1), 9) for y in ([0, 0, 0, 1, 1, 1], [0] * 6)]
    [0.5, 0.2]
    """
    rows, places = _some_images(X)
    classes = as_labels(labels, len(X))[places].to(rows.device)
    kinds = torch.nn.functional.one_hot(classes)
    found = kinds[nearest(rows, count)].sum(1).double()  # neighbours of each class, (m, C)
    others = (kinds.sum(0) - kinds).clamp_min(1)  # images of each class but the image itself
    return float((found**2 / others).sum(1).mean() / count)


def _some_images(X: Any) -> tuple[Tensor, np.ndarray]:
    """At most :data:`IMAGES` rows of features from all over, float64, and their places."""
    features = check_features(X)
    n = len(features)
    places = np.linspace(0, n - 1, min(n, IMAGES)).astype(int)
    return rows_of(features, slice(0, n))[places].double(), places


def neighbour_overlap(
    X: Any,
    orderings: Sequence[Ordering],
    sizes: Sequence[int],
    *,
    count: int = NEIGHBOURS,
) -> tuple[Curve, Curve]:
    """The share of nearest neighbours that parts of a layer have in common with the whole, and with
    each other.

    Parameters
    ----------
    X : array (n, d), or ``Rows`` read in slices
        Of more than :data:`IMAGES` images, so many are used, from all over.
    orderings : sequence of Ordering
        Permutations of all neurons. The parts are the first k and the last k.
    sizes : sequence of int
        k, ascending, up to half of the layer.
    count : int
        Neighbours of each image.

    Returns
    -------
    with_whole, disjoint : Curve
        Of the sizes asked for; with the whole, the mean of the two parts. They are known by images:
        by those whose neighbours are asked for, which are looked for among all.

    Raises
    ------
    InputError
        If a size is out of range, or there are too few images.

    Examples
    --------
    >>> from diffused_redundancy.measures.selections import orderings
    >>> from diffused_redundancy.measures.statistics import SufficientStatistics
    >>> X = np.random.default_rng(0).standard_normal((50, 1)) @ np.ones((1, 6))
    >>> statistics = SufficientStatistics.from_features(X, device="cpu")
    >>> whole, disjoint = neighbour_overlap(X, orderings("random", statistics, [1]), [1, 3])
    >>> whole.values.tolist(), disjoint.values.tolist()
    ([[1.0, 1.0]], [[1.0, 1.0]])
    """
    rows, _ = _some_images(X)
    d = rows.shape[1]
    checked = [check_whole(k, "k", 1, d // 2) for k in sizes]
    whole = nearest(rows, count)
    found = torch.empty(2, len(orderings), len(checked), len(rows), dtype=torch.float64)
    for i, ordering in enumerate(orderings):
        if ordering.order is None or ordering.size < d:
            raise InputError(f"{ordering.selection!r}: parts are made of orders of all neurons")
        front, back, _ = halves(ordering.order[None].to(rows.device))
        for j, k in enumerate(checked):
            one, other = (nearest(rows[:, part[0, :k]], count) for part in (front, back))
            found[0, i, j] = (shared(one, whole) + shared(other, whole)) / 2
            found[1, i, j] = shared(one, other)
    seeds = tuple(one.seed for one in orderings)
    with_whole, disjoint = (
        Curve(
            measure,
            orderings[0].selection,
            seeds,
            np.array(checked),
            some.mean(2).numpy(),
            d,
            1.0,
            images=len(rows),
            by_images=group_means(some.mean(0)).numpy().T,
        )
        for measure, some in zip(
            ("neighbour_overlap", "disjoint_neighbour_overlap"), found, strict=True
        )
    )
    return with_whole, disjoint
