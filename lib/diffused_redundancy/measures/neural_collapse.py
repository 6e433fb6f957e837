"""How far the features of a class vary against how far classes are apart, and how evenly classes
are spread.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from ..errors import InputError
from .statistics import SufficientStatistics, check_statistics

RELATIVE_RANK = 1e-9
"""Variances between classes up to this share of the largest are none."""


def within_over_between(statistics: SufficientStatistics) -> float:
    """NC1, tr(S_W S_B^+) / C: the scatter of images about the mean of their class, in units of that
    of the means, over the directions in which these differ (Papyan, Han and Donoho, "Prevalence of
    neural collapse during the terminal phase of deep learning training", PNAS 117, 2020).

    It uses the labels of the images that the statistics are of. Classes weigh by their images, so
    that the two scatters add up to the covariance; for classes of equal size this is the authors'.

    Parameters
    ----------
    statistics : SufficientStatistics
        With labels.

    Returns
    -------
    float
        0 where every class has collapsed to its mean; NaN where all means are one.

    Raises
    ------
    InputError
        If the statistics are without labels.

    Examples
    --------
    >>> X = torch.tensor([[0.0], [2.0], [1.0], [3.0]])  # means 1 and 2, a variance of 1 in each
    >>> statistics = SufficientStatistics.from_features(X, [0, 0, 1, 1], device="cpu")
    >>> round(within_over_between(statistics), 9)
    2.0
    """
    one = check_statistics(statistics)
    means, counts = _class_means(one, "scatter within classes")
    # columns whose products add up to the scatter of the means, S_B
    means = means * (counts / one.n).sqrt()
    directions, lengths, _ = torch.linalg.svd(means, full_matrices=False)
    between = lengths**2
    kept = between > RELATIVE_RANK * between[0]
    if not between[0] > 0:
        return float("nan")
    axes = directions[:, kept]
    total = (axes * (one.gram @ axes)).sum(0) / one.n
    within = (total - between[kept]).clamp_min(0)
    return float((within / between[kept]).sum()) / len(counts)


class SimplexDeviation(NamedTuple):
    """How far class means are from the corners of a regular simplex; 0 if they are there.

    Attributes
    ----------
    norms : float
        The standard deviation of their distances from their common mean, as a share of the mean
        distance.
    angles : float
        The mean over pairs of classes of | cos + 1 / (C - 1) |, cos being that of the angle at
        which the pair is seen from the common mean.
    """

    norms: float
    angles: float


def simplex_deviation(statistics: SufficientStatistics) -> SimplexDeviation:
    """NC2: how unequal the norms and the angles of class means are (Papyan, Han and Donoho, 2020,
    figures 2 and 4). In collapse both come to 0.

    It uses the labels of the images that the statistics are of. All classes weigh alike.

    Parameters
    ----------
    statistics : SufficientStatistics
        With labels.

    Returns
    -------
    SimplexDeviation
        NaN with fewer than three classes, which are always at such corners, or where the mean of a
        class is that of all.

    Raises
    ------
    InputError
        If the statistics are without labels.

    Examples
    --------
    >>> X = torch.tensor([[3.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> statistics = SufficientStatistics.from_features(X, [0, 1, 2], device="cpu")
    >>> norms, angles = simplex_deviation(statistics)
    >>> round(norms, 3), round(angles, 3)
    (0.236, 0.46)
    """
    means, counts = _class_means(check_statistics(statistics), "the spread of classes")
    apart = means - means.mean(1, keepdim=True)
    norms = apart.norm(dim=0)
    classes = len(counts)
    if classes < 3 or not norms.min() > RELATIVE_RANK * norms.max():
        return SimplexDeviation(float("nan"), float("nan"))
    corners = apart / norms
    pairs = torch.triu_indices(classes, classes, 1, device=corners.device)
    cosines = (corners.T @ corners)[pairs[0], pairs[1]]
    return SimplexDeviation(
        float(norms.std(correction=0) / norms.mean()),
        float((cosines + 1 / (classes - 1)).abs().mean()),
    )


def _class_means(statistics: SufficientStatistics, what: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The means (d, C) of the classes that have images, less that of all images, and how many each
    has, (C,).
    """
    sums, counts = statistics.class_sums, statistics.class_counts
    if sums is None or counts is None:
        raise InputError(f"{what} needs labels: give y to the statistics")
    present = counts > 0
    return sums[:, present] / counts[present], counts[present]
