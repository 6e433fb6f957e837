"""How much CKA at every subset size would differ, had other images been taken.

The influence of an image on CKA (its derivative as the image's weight grows) is exact and cheap:
with G the covariance of the neurons, and a change of it dG = x x' - G for a centred image x,

    d ||G[S, :]||^2 = 2 (sum over i in S of x_i (G x)_i - ||G[S, :]||^2),
    d ||G[S, S]||^2 = 2 (x_S' G[S, S] x_S - ||G[S, S]||^2),

both again running sums over nested subsets. Where neurons are divided by their standard deviations,
an image moves these as well: with C the correlations and z the standardized image,

    dC_ij = z_i z_j - C_ij (z_i^2 + z_j^2) / 2.

The variance of mean influences is the infinitesimal jackknife's (Jaeckel 1972; Efron 1982, chapter
6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class SomeImages:
    """Images from all over the features, centred, and in groups.

    Attributes
    ----------
    centred : Tensor (m, d), float32
        Over the root of the neurons' mean variance.
    gram : Tensor (d, d), float32
        Of all images, in the same unit, over their number.
    groups : Tensor (groups, m)
        What values of images are multiplied by.
    share : float
        Of all images that these are.
    squares : Tensor (groups, d), optional
        The squares of standardized images by group, where neurons are standardized.
    """

    centred: Tensor = field(repr=False)
    gram: Tensor = field(repr=False)
    groups: Tensor = field(repr=False)
    share: float
    squares: Tensor | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, statistics: SufficientStatistics, X: Any, *, standardize: bool = False
    ) -> SomeImages:
        """Those of features (n, d), or of ``Rows`` read in slices; of many, blocks of images."""
        features = check_features(X)
        some = spread(features).to(statistics.mean).double() - statistics.mean
        if standardize:
            some, statistics = some * statistics.unit_scale(), statistics.standardized()
        centred = (some / statistics.mean_variance**0.5).float()
        groups = group_matrix(len(centred), centred)
        return cls(
            centred,
            statistics.relative_gram(centred),
            groups,
            len(centred) / len(features),
            groups @ (some**2).float() if standardize else None,
        )

    def around(self, mean: np.ndarray, influences: Tensor) -> np.ndarray:
        """A mean (r,) and its influences by group (groups, r): values by group, (groups, r).
        Deviations are those of as many images as there are.
        """
        deviations = influences.cpu().numpy()
        deviations = deviations - deviations.mean(0)  # 0 over all images, not over some
        values: np.ndarray = mean + deviations * np.sqrt(self.share)
        return values


@dataclass(frozen=True)
class Sum:
    """A sum of squared entries of the Gram matrix at every k, (r,), and what the groups of images
    add to it, (groups, r).
    """

    value: Tensor
    of_images: Tensor

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.value + other.value, self.of_images + other.of_images)

    def __sub__(self, other: Sum) -> Sum:
        return self + other.times(-1.0)

    def times(self, factor: Tensor | float) -> Sum:
        """Multiplied at every k, by (r,)."""
        return Sum(self.value * factor, self.of_images * factor)

    def at(self, places: slice) -> Sum:
        """At some of the sizes."""
        return Sum(self.value[places], self.of_images[:, places])


def cka_influence(cross: Sum, one: Sum, other: Sum) -> Tensor:
    """The influence of each group of images on cross / sqrt(one other), (groups, r)."""
    cka = cross.value / (one.value * other.value).sqrt()
    relative = (
        2 * cross.of_images / cross.value
        - one.of_images / one.value
        - other.of_images / other.value
    )
    return torch.nan_to_num(cka * relative)


def sums_within(ordering: Ordering, images: SomeImages) -> tuple[Sum, Sum]:
    """||G[S, S]||^2 for the first k of an ordering, at every k: its diagonal, and the rest."""
    own, block = ordering.columns(images.centred), ordering.gram(images.gram)
    before, alone = block.tril(-1), block.diagonal()
    squared = before**2
    of_diagonal = images.groups @ (own * own * alone)
    of_rest = 2 * (images.groups @ (own * (own @ before.T)))
    squares, gram = images.squares, images.gram
    if squares is not None and ordering.order is not None:
        by_scale = ordering.columns(squares)
        of_diagonal -= by_scale * alone**2
        of_rest -= by_scale * squared.sum(1) + by_scale @ squared.T
    elif squares is not None:
        crossed, directions = ordering.columns(gram), _directions(ordering, gram)
        of_diagonal -= squares @ (alone * crossed * directions)
        of_rest -= squares @ (crossed * (directions @ before.T) + directions * (crossed @ before.T))
    return (
        Sum((alone**2).double().cumsum(0), of_diagonal.double().cumsum(1)),
        Sum(2 * squared.sum(1).double().cumsum(0), of_rest.double().cumsum(1)),
    )


def sum_with_whole(ordering: Ordering, images: SomeImages, crossed: Tensor) -> Sum:
    """||G[S, :]||^2 for the first k of an ordering, at every k; ``crossed`` is ``centred @ gram``,
    (m, d).
    """
    own, others = ordering.columns(images.centred), ordering.columns(crossed)
    of_images = images.groups @ (own * others)
    squares, gram = images.squares, images.gram
    if squares is not None and ordering.order is not None:
        squared = gram**2
        by_scale = ordering.columns(squares) * ordering.columns(squared.sum(0)[None])
        of_images -= (by_scale + squares @ ordering.columns(squared)) / 2
    elif squares is not None:
        turned = ordering.columns(gram)
        of_images -= squares @ (turned**2 + (gram @ turned) * _directions(ordering, gram)) / 2
    return Sum((ordering.rows(gram) ** 2).sum(1).double().cumsum(0), of_images.double().cumsum(1))


def _directions(ordering: Ordering, like: Tensor) -> Tensor:
    """The columns of Q, (d, r)."""
    return ordering.columns(torch.eye(len(like)).to(like))


def whole_sum(images: SomeImages, crossed: Tensor) -> Sum:
    """||G||^2, for every k alike; ``crossed`` as for :func:`sum_with_whole`."""
    squared = images.gram**2
    of_images = (images.groups @ (images.centred * crossed).sum(1)).double()
    if images.squares is not None:
        of_images -= (images.squares @ squared.sum(1)).double()
    return Sum(squared.sum().double(), of_images[:, None])


def mean_influence(
    orderings: Sequence[Ordering], influence: Callable[[Ordering], Tensor]
) -> Tensor:
    """The mean over the first few orderings, (groups, r)."""
    chosen = orderings[:ORDERINGS]
    return torch.stack([influence(one) for one in chosen]).mean(0)


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
    images = SomeImages.of(statistics, X, standardize=standardize)
    crossed = images.centred @ images.gram
    whole = whole_sum(images, crossed)

    def influence(one: Ordering) -> Tensor:
        diagonal, rest = sums_within(one, images)
        return cka_influence(sum_with_whole(one, images, crossed), diagonal + rest, whole)

    return images.around(mean, mean_influence(orderings, influence))


def spread(features: Any) -> Tensor:
    """At most ``IMAGES`` rows from all over the features."""
    n = len(features)
    if n <= IMAGES:
        return rows_of(features, slice(0, n))
    if isinstance(features, Tensor):
        return features[torch.linspace(0, n - 1, IMAGES).long().to(features.device)]
    return torch.cat([rows_of(features, rows) for rows in spread_rows(n)])


def spread_rows(n: int) -> list[slice]:
    """The rows of n that :func:`spread` reads of features that are read in slices."""
    if n <= IMAGES:
        return [slice(0, n)]
    starts = np.linspace(0, n - READ_AT_ONCE, IMAGES // READ_AT_ONCE).astype(int).tolist()
    return [slice(at, at + READ_AT_ONCE) for at in starts]
