"""How much CKA at every subset size would differ, had other images been taken.

The influence of an image on CKA (its derivative as the image's weight grows) is exact and cheap:
with G the covariance of the neurons, and a change of it dG = x x' - G for a centred image x,

    d ||G[S, :]||^2 = 2 (sum over i in S of x_i (G x)_i - ||G[S, :]||^2),
    d ||G[S, S]||^2 = 2 (x_S' G[S, S] x_S - ||G[S, S]||^2),

both again running sums over nested subsets. Where neurons are divided by their standard deviations,
an image moves these as well: with C the correlations and z the standardized image,

    dC_ij = z_i z_j - C_ij (z_i^2 + z_j^2) / 2.

The variance of mean influences is the infinitesimal
jackknife's (Jaeckel 1972; Efron 1982, chapter 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .image_groups import group_matrix
from .selections import Ordering
from .statistics import SufficientStatistics
from .validation import check_features, rows_of

ORDERINGS = 20
"""Orderings that influences are averaged over, at most: with three, deviations of the mean over 100
are overestimated by a half, with ten by a quarter, with thirty by a twentieth.
"""

IMAGES = 512
"""Images whose influences are computed, at most: their spread tells that of all."""

READ_AT_ONCE = 16
"""Rows that follow one another, where features are read from a file in slices."""


def cka_by_images(
    statistics: SufficientStatistics,
    orderings: Sequence[Ordering],
    X: Any,
    mean: np.ndarray,
    *,
    standardize: bool = False,
) -> np.ndarray:
    """Values of the mean CKA curve by group of images, (groups, r), to first order.

    Parameters
    ----------
    statistics : SufficientStatistics
        Of ``X``.
    orderings : sequence of Ordering
        The first few are used.
    X : array (n, d), or ``Rows`` read in slices
        The features. Of many, blocks of images from all over are used, and deviations are those of
        as many images as there are.
    mean : ndarray (r,)
        The mean curve.
    standardize : bool
        Whether it is of standardized neurons.

    Examples
    --------
    >>> from diffused_redundancy.measures.cka import cka_curve
    >>> from diffused_redundancy.measures.selections import orderings
    >>> X = np.random.default_rng(0).standard_normal((300, 20)) @ np.diag(np.linspace(1, 3, 20))
    >>> statistics = SufficientStatistics.from_features(X, device="cpu")
    >>> some = orderings("random", statistics, [1, 2])
    >>> curve = cka_curve(statistics, some)
    >>> by_images = cka_by_images(statistics, some, X, curve.mean)
    >>> by_images.shape, bool(np.allclose(by_images.mean(0), curve.mean))
    ((100, 20), True)
    """
    features = check_features(X)
    some = _spread(features).to(statistics.mean).double() - statistics.mean
    if standardize:
        some, statistics = some * statistics.unit_scale(), statistics.standardized()
    unit = (statistics.mean_variance) ** 0.5
    centred = (some / unit).float()
    gram = statistics.relative_gram(centred)
    crossed = centred @ gram
    groups = group_matrix(len(centred), centred)
    squares = groups @ (some**2).float() if standardize else None
    of_whole = (groups @ (centred * crossed).sum(1)).double()
    if squares is not None:
        of_whole -= (squares @ (gram**2).sum(1)).double()
    total = torch.zeros(len(groups), len(mean), dtype=torch.float64, device=centred.device)
    chosen = orderings[:ORDERINGS]
    for one in chosen:
        total += _influence(one, gram, centred, crossed, groups, of_whole, squares)
    deviations = (total / len(chosen)).cpu().numpy()
    deviations -= deviations.mean(0)  # their mean is 0 over all images, not over some
    return mean + deviations * np.sqrt(len(centred) / len(features))


def _spread(features: Any) -> Tensor:
    """At most ``IMAGES`` rows from all over the features."""
    n = len(features)
    if n <= IMAGES:
        return rows_of(features, slice(0, n))
    if isinstance(features, Tensor):
        return features[torch.linspace(0, n - 1, IMAGES).long().to(features.device)]
    starts = np.linspace(0, n - READ_AT_ONCE, IMAGES // READ_AT_ONCE).astype(int).tolist()
    return torch.cat([rows_of(features, slice(at, at + READ_AT_ONCE)) for at in starts])


def _influence(
    ordering: Ordering,
    gram: Tensor,
    centred: Tensor,
    crossed: Tensor,
    groups: Tensor,
    of_whole: Tensor,
    squares: Tensor | None,
) -> Tensor:
    """The mean influence of each group of images on CKA at every k, (groups, r).

    ``squares`` (groups, d) are those of standardized images.
    """
    own, others = ordering.columns(centred), ordering.columns(crossed)
    block = ordering.gram(gram)
    numerator = (ordering.rows(gram) ** 2).sum(1).double().cumsum(0)
    before, alone = block.tril(-1), block.diagonal()
    within = (2 * (before**2).sum(1) + alone**2).double().cumsum(0)
    whole = (gram**2).sum().double()
    of_numerator = (groups @ (own * others)).double().cumsum(1)
    of_within = (groups @ (own * (2 * (own @ before.T) + own * alone))).double().cumsum(1)
    if squares is not None:
        by_scale = _of_scale(ordering, gram, before, alone, squares)
        of_numerator -= by_scale[0].double().cumsum(1)
        of_within -= by_scale[1].double().cumsum(1)
    cka = numerator / (within * whole).sqrt()
    relative = 2 * of_numerator / numerator - of_within / within - of_whole[:, None] / whole
    return torch.nan_to_num(cka * relative)


def _of_scale(
    ordering: Ordering, gram: Tensor, before: Tensor, alone: Tensor, squares: Tensor
) -> tuple[Tensor, Tensor]:
    """What images do to the numerator and the square of the block through the standard deviations
    alone: of each group, what each k adds, (groups, r).
    """
    if ordering.order is not None:
        own, squared = ordering.columns(squares), gram**2
        of_numerator = own * ordering.columns(squared.sum(0)[None]) + squares @ ordering.columns(
            squared
        )
        of_within = own * ((before**2).sum(1) + alone**2) + own @ (before**2).T
        return of_numerator / 2, of_within
    crossed = ordering.columns(gram)
    directions = ordering.columns(torch.eye(len(gram)).to(gram))
    of_numerator = squares @ (crossed**2 + (gram @ crossed) * directions)
    of_within = squares @ (
        crossed * (directions @ before.T)
        + directions * (crossed @ before.T)
        + alone * crossed * directions
    )
    return of_numerator / 2, of_within
