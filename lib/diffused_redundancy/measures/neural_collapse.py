"""How far the features of a class vary against how far classes are apart."""

from __future__ import annotations

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
    if one.class_sums is None or one.class_counts is None:
        raise InputError("scatter within classes needs labels: give y to the statistics")
    present = one.class_counts > 0
    counts = one.class_counts[present]
    # columns whose products add up to the scatter of the means, S_B
    means = one.class_sums[:, present] / counts * (counts / one.n).sqrt()
    directions, lengths, _ = torch.linalg.svd(means, full_matrices=False)
    between = lengths**2
    kept = between > RELATIVE_RANK * between[0]
    if not between[0] > 0:
        return float("nan")
    axes = directions[:, kept]
    total = (axes * (one.gram @ axes)).sum(0) / one.n
    within = (total - between[kept]).clamp_min(0)
    return float((within / between[kept]).sum()) / len(counts)
