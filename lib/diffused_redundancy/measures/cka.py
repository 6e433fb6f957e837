"""Linear CKA between a subset of neurons and the whole layer, exactly, at every subset size.

With G the Gram matrix of the centred neurons (section 3 of the paper; Kornblith et al. 2019),

    CKA(S) = ||G[S, :]||_F^2 / (||G[S, S]||_F ||G||_F),

and for nested subsets both norms are running sums, so all d sizes cost one pass over a d x d
matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .accumulation import blocks
from .curves import Curve
from .prefix_sums import leading_blocks, prefix_blocks
from .selections import Ordering, check_orderings
from .statistics import SufficientStatistics, check_statistics
from .validation import check_features, rows_of


def cka_of(cross: Tensor, one: Tensor, other: Tensor) -> np.ndarray:
    """cross / sqrt(one other), of squared norms, and 0 where either does not vary at all."""
    scale = one.clamp_min(0).sqrt() * other.clamp_min(0).sqrt()
    return torch.where(scale > 0, cross / scale, torch.zeros_like(scale)).cpu().numpy()


def cka_curve(
    statistics: SufficientStatistics,
    orderings: Ordering | Sequence[Ordering],
    *,
    debiased: bool = False,
    standardize: bool = False,
    features: Any = None,
) -> Curve:
    """CKA between the first k neurons (or directions) and the whole layer, for k = 1, 2, ...

    Parameters
    ----------
    statistics : SufficientStatistics
        Of the features; with ``debiased``, made with ``debiased=True``.
    orderings : Ordering or sequence of Ordering
        The seeds of one selection.
    debiased : bool
        Use the unbiased estimator HSIC_1 (Song et al. 2012) in place of the biased one. It can be
        slightly negative, needs n > 3, and is NaN where the estimate of a subset's own HSIC is not
        positive.
    standardize : bool
        Divide every neuron by its standard deviation first, so that none counts for more than
        another because its activations are larger; constant neurons stay as they are. Directions
        are taken to be of the space of such neurons.
    features : array (n, d), optional
        The features themselves: only debiased CKA of directions (not neurons) needs them.

    Returns
    -------
    Curve
        Of every size. A subset of constant neurons has CKA 0.

    Raises
    ------
    InputError
        If every neuron is constant, what debiased CKA needs is missing, or both ``debiased`` and
        ``standardize`` are asked for.

    Notes
    -----
    Section 3 of the paper; equation 3 of Kornblith et al. (2019). CKA weighs neurons by their
    variance, so the few largest of a layer decide it; the paper does not standardize.

    Examples
    --------
    >>> import numpy as np
    >>> from diffused_redundancy.measures.selections import orderings
    >>> X = np.random.default_rng(0).standard_normal((100, 4)) @ np.ones((4, 3))
    >>> X += 0.1 * np.random.default_rng(1).standard_normal((100, 3))
    >>> statistics = SufficientStatistics.from_features(X, device="cpu")
    >>> curve = cka_curve(statistics, orderings("random", statistics, [1, 2]))
    >>> curve.values.shape
    (2, 3)
    >>> curve.mean.round(2)
    array([1., 1., 1.])
    """
    check_statistics(statistics)
    ordered = check_orderings(orderings, statistics.d)
    if not bool((statistics.gram.diagonal() > 0).any()):
        raise InputError("CKA is undefined: every neuron is constant")
    if debiased and standardize:
        raise InputError("debiased CKA takes neurons as they are: leave out standardize")
    if standardize:
        statistics = statistics.standardized()
    if debiased:
        values = np.stack([_debiased_values(statistics, one, features) for one in ordered])
    else:
        values = _values(statistics.gram, ordered)
    return Curve(
        "debiased_cka" if debiased else "standardized_cka" if standardize else "cka",
        ordered[0].selection,
        tuple(one.seed for one in ordered),
        np.arange(1, ordered[0].size + 1),
        values,
        statistics.d,
        1.0,
    )


def _values(gram: Tensor, orderings: Sequence[Ordering]) -> np.ndarray:
    """CKA at every k, (orderings, r)."""
    squared = gram * gram
    rows, whole = squared.sum(1), squared.sum()
    if all(ordering.order is not None for ordering in orderings):
        orders = torch.stack(
            [ordering.order for ordering in orderings if ordering.order is not None]
        ).to(gram.device)
        return cka_of(rows[orders].cumsum(1), prefix_blocks(squared, orders), whole)
    rows_of_values = []
    for ordering in orderings:
        crossed = ordering.rows(gram)
        block = ordering.rows(crossed.T)
        cross = (crossed * crossed).sum(1).cumsum(0)
        rows_of_values.append(cka_of(cross, leading_blocks(block * block), whole))
    return np.stack(rows_of_values)


def _debiased_values(
    statistics: SufficientStatistics, ordering: Ordering, features: Any
) -> np.ndarray:
    """Debiased CKA at every k, (r,).

    For centred features with squared norms a_i (of the subset) and b_i (of the whole),
    n (n - 3) HSIC_1 = ||cross||^2 - n / (n - 2) sum a_i b_i + sum a_i sum b_i / ((n - 1)(n - 2)).
    """
    n, gram = statistics.n, statistics.gram
    if n < 4:
        raise InputError(f"debiased CKA needs at least 4 images, not {n}")
    if ordering.order is not None:
        fourth = statistics.fourth
        order = ordering.order.to(gram.device)
        crossed_squares = (gram * gram).sum(1)[order].cumsum(0)
        own_squares, with_self = (
            prefix_blocks(matrix, order[None])[0] for matrix in (gram * gram, fourth)
        )
        variance = gram.diagonal()[order].cumsum(0)
        with_whole = fourth.sum(1)[order].cumsum(0)
        fourth_whole = fourth.sum()
    else:
        if features is None:
            raise InputError(
                f"debiased CKA of {ordering.selection!r} needs the features: pass features=X"
            )
        crossed = ordering.rows(gram)
        block = ordering.rows(crossed.T)
        crossed_squares = (crossed * crossed).sum(1).cumsum(0)
        own_squares = leading_blocks(block * block)
        variance = block.diagonal().cumsum(0)
        with_whole, with_self = _direction_moments(statistics, ordering, features)
        with_self = leading_blocks(with_self)
        fourth_whole = _whole_fourth(statistics, features)
    trace = gram.diagonal().sum()

    def hsic(squares: Tensor, product: Tensor, own: Tensor, other: Tensor) -> Tensor:
        return squares - n / (n - 2) * product + own * other / ((n - 1) * (n - 2))

    whole = hsic((gram * gram).sum(), fourth_whole, trace, trace)
    own = hsic(own_squares, with_self, variance, variance)
    cross = hsic(crossed_squares, with_whole, variance, trace)
    ratio = cross / (own.clamp_min(0).sqrt() * whole.clamp_min(0).sqrt())
    return torch.where(own > 0, ratio, torch.full_like(cross, torch.nan)).cpu().numpy()


def _centred_blocks(statistics: SufficientStatistics, features: Any) -> Iterator[Tensor]:
    checked = check_features(features, "features")
    shape, expected = tuple(checked.shape), (statistics.n, statistics.d)
    if shape != expected:
        raise InputError(f"features have shape {shape}: the statistics are of {expected}")
    for rows in blocks(len(checked)):
        yield rows_of(checked, rows).to(statistics.gram.device).double() - statistics.mean


def _direction_moments(
    statistics: SufficientStatistics, ordering: Ordering, features: Any
) -> tuple[Tensor, Tensor]:
    """For directions q: running sums over k of sum_i (x_i q_k)^2 ||x_i||^2, (r,), and sums of
    (x_i q_j)^2 (x_i q_k)^2, (r, r).
    """
    r = ordering.size
    with_whole = torch.zeros(r, dtype=torch.float64, device=statistics.gram.device)
    with_self = torch.zeros(r, r, dtype=torch.float64, device=statistics.gram.device)
    for block in _centred_blocks(statistics, features):
        squares = ordering.columns(block) ** 2
        with_whole += squares.T @ (block * block).sum(1)
        with_self += squares.T @ squares
    return with_whole.cumsum(0), with_self


def _whole_fourth(statistics: SufficientStatistics, features: Any) -> Tensor:
    """sum_i ||x_i||^4 over centred features."""
    return sum(
        (((block * block).sum(1) ** 2).sum() for block in _centred_blocks(statistics, features)),
        torch.zeros(()),
    )


def diagonal_share(statistics: SufficientStatistics) -> float:
    """r = sum_i G_ii^2 / ||G||_F^2: the share of the squared Gram matrix on its diagonal.

    In (0, 1]: 1 if all neurons are uncorrelated, 1/d if they are copies of one another.

    Examples
    --------
    >>> import numpy as np
    >>> copies = np.arange(6.0)[:, None] * np.ones(4)
    >>> diagonal_share(SufficientStatistics.from_features(copies, device="cpu"))
    0.25
    """
    gram = check_statistics(statistics).gram
    return float((gram.diagonal() ** 2).sum() / (gram * gram).sum())


def closed_form(r: float, d: int) -> np.ndarray:
    """The expected CKA curve of random neurons, from one number of the layer.

    Parameters
    ----------
    r : float
        :func:`diagonal_share`.
    d : int
        Neurons of the layer.

    Returns
    -------
    ndarray (d,)
        For k = 1 ... d.

    Notes
    -----
    Numerator and squared denominator of CKA are replaced by their means over random subsets:

        CKA(k) = sqrt(k / d) / sqrt(r + (1 - r) (k - 1) / (d - 1)).

    Examples
    --------
    >>> closed_form(1.0, 4)
    array([0.5       , 0.70710678, 0.8660254 , 1.        ])
    """
    k = np.arange(1, d + 1)
    return np.sqrt(k / d) / np.sqrt(r + (1 - r) * (k - 1) / max(d - 1, 1))


def share_of(redundancy: float, delta: float = 0.9) -> float:
    """The r of which :func:`closed_form` makes some DR(delta), in a layer of many neurons.

    Parameters
    ----------
    redundancy : float in (0, 1)
    delta : float in (0, 1)

    Returns
    -------
    float
        Above 1 where no layer has so low a DR.

    Examples
    --------
    >>> curve = closed_form(share_of(0.8), 10_000)
    >>> round(1 - int((curve < 0.9).sum()) / 10_000, 3)
    0.8
    """
    return (1 - delta**2) / delta**2 * (1 - redundancy) / redundancy
