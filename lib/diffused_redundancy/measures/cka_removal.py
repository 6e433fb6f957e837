"""CKA of a layer without one of its neurons with the whole, for every neuron at once.

With P the Gram matrix squared entry by entry, T its sum, a its row sums and p its diagonal, the
two squared norms of CKA lose a_i and 2 a_i - p_i when neuron i goes, so that

    CKA = (T - a_i) / sqrt((T - 2 a_i + p_i) T).

It is at most 1: no neuron can harm it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..errors import InputError
from .cka_images import spread
from .image_groups import group_matrix
from .statistics import SufficientStatistics, check_statistics
from .validation import check_features


def cka_without_each(statistics: SufficientStatistics) -> np.ndarray:
    """1 - CKA of the layer without each neuron with the whole layer, (d,).

    Raises
    ------
    InputError
        If every neuron is constant.

    Examples
    --------
    >>> X = torch.tensor([[1.0, 1.0, 2.0], [-1.0, 1.0, 0.0], [0.0, -2.0, 1.0]])
    >>> cka_without_each(SufficientStatistics.from_features(X, device="cpu")).round(3)
    array([0.035, 0.445, 0.035])
    """
    gram = check_statistics(statistics).gram
    squares = gram * gram
    rows, whole, own = squares.sum(1), squares.sum(), squares.diagonal()
    if not float(whole) > 0:
        raise InputError("CKA is undefined: every neuron is constant")
    # 1 - CKA^2 first: 1 - CKA itself would lose the digits of what is small
    within = (whole - 2 * rows + own).clamp_min(0)
    lost = (own * whole - rows**2) / (within * whole)
    lost = torch.where(within > 0, lost.clamp(0, 1), torch.ones_like(lost))
    return (lost / (1 + (1 - lost).sqrt())).cpu().numpy()


def removal_by_images(statistics: SufficientStatistics, X: Any) -> np.ndarray:
    """The same by group of images, to first order: (groups, d).

    Parameters
    ----------
    statistics : SufficientStatistics
        Of ``X``.
    X : array (n, d), or ``Rows`` read in slices
        The features; see :func:`.cka_by_images`.

    Examples
    --------
    >>> X = torch.from_numpy(np.random.default_rng(0).standard_normal((300, 5)))
    >>> statistics = SufficientStatistics.from_features(X, device="cpu")
    >>> removal_by_images(statistics, X).mean(0) - cka_without_each(statistics) < 1e-12
    array([ True,  True,  True,  True,  True])
    """
    value = cka_without_each(statistics)
    features = check_features(X)
    some = spread(features).to(statistics.mean).double() - statistics.mean
    centred = some / statistics.mean_variance**0.5
    gram = statistics.relative_gram(centred)
    crossed = centred @ gram
    squares = gram * gram
    rows, whole, own = squares.sum(1), squares.sum(), squares.diagonal()
    # twice these, less twice what they are of, are the derivatives of T, a and p
    products = centred * crossed
    of_own = centred.square() * gram.diagonal()
    of_whole = products.sum(1, keepdim=True)
    relative = 2 * (of_whole - products) / (whole - rows)
    relative -= (of_whole - 2 * products + of_own) / (whole - 2 * rows + own).clamp_min(1e-300)
    relative -= of_whole / whole
    deviations = -torch.from_numpy(1 - value).to(relative) * (
        group_matrix(len(centred), centred) @ torch.nan_to_num(relative)
    )
    deviations -= deviations.mean(0)  # their mean is 0 over all images, not over some
    values: np.ndarray = value + deviations.cpu().numpy() * np.sqrt(len(centred) / len(features))
    return values
