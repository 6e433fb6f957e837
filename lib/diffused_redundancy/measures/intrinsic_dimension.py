"""How many dimensions the features of images fill locally, from distances to nearest neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..errors import InputError
from .validation import as_features, check_finite

MOST_IMAGES = 1000
"""Images that the dimension is estimated from, at most: its standard error is about 3% of it."""

DISCARDED = 0.1
"""Share of images with the largest ratios that the fit leaves out, as the authors do."""

_CANDIDATES = 6
"""Neighbours found by float32 products, of which exact distances choose the nearest two."""


def intrinsic_dimension(X: Any, *, most: int = MOST_IMAGES, seed: int = 0) -> float:
    """The dimension of the features by the TwoNN estimator (Facco, d'Errico, Rodriguez and Laio,
    "Estimating the intrinsic dimension of datasets by a minimal neighborhood information",
    Scientific Reports 7, 2017).

    Where images are spread evenly over a space of D dimensions as far as the second neighbour, the
    ratio mu of the distances to the second and the first follows P(mu > x) = x^-D. So D is the
    slope of -log(1 - F) against log mu, F being the share of images with a ratio up to mu; the line
    goes through the origin.

    Parameters
    ----------
    X : array (n, d)
    most : int
        Images used, at most, at least 3: those that a seed draws, the same for all layers of one
        task.
    seed : int

    Returns
    -------
    float
        NaN where fewer than three images differ from one another. Of copies of an image one is
        used.

    Raises
    ------
    InputError
        If X is no matrix of finite numbers, or ``most`` is below 3.

    Examples
    --------
    >>> plane = np.random.default_rng(0).random((1000, 2)) @ np.ones((2, 50)) ** 2
    >>> round(intrinsic_dimension(plane))  # both coordinates are added: a line
    1
    """
    if most < 3:
        raise InputError(f"most is {most}: it must be at least 3 images (nearest: 3)")
    features = as_features(X)
    check_finite(features, "X")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(features))[:most])
    points = features[torch.from_numpy(chosen).to(features.device)].cpu().double().unique(dim=0)
    if len(points) < 3:
        return float("nan")
    points = points - points.mean(0)
    points = points / points.abs().max()
    rough = points.float()
    norms = (rough * rough).sum(1)
    squares = norms[:, None] + norms - 2 * rough @ rough.T
    squares.fill_diagonal_(torch.inf)
    near = squares.topk(min(_CANDIDATES, len(points) - 1), largest=False).indices
    exact = (points[near] - points[:, None]).norm(dim=2).sort(dim=1).values[:, :2].numpy()
    ratios = np.sort(exact[:, 1] / exact[:, 0])
    kept = max(2, int(len(ratios) * (1 - DISCARDED)))
    x = np.log(ratios[:kept])
    y = -np.log1p(-np.arange(1, kept + 1) / len(ratios))
    return float(x @ y / (x @ x)) if x.any() else float("nan")
