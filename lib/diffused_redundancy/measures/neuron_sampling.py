"""What the sampling of neurons does to CKA: parts against the whole and against each other, as they
are and corrected.

With P = G o G, the entries of the Gram matrix squared, CKA is made of sums of P over pairs of
neurons. In ``||G[S, S]||^2`` each neuron of the part also meets itself, and the fewer neurons there
are the larger is the share of such pairs: of k, 1 in k, but of the whole layer's, 1 in d. So the
norm of a part is too large, and its CKA too low, however alike the part and the whole may be.

Chun and others ("Estimating Neural Representation Alignment from Sparsely Sampled Inputs and
Features", arXiv 2502.15104) correct CKA between two systems, of each of which some neurons were
recorded, by leaving such pairs out: the neurons are a sample of infinitely many. (They correct for
the sampling of images, too, which is not done here: see ``cka_curve(debiased=True)``.) Two disjoint
parts of one layer are such a case. Against the whole layer, which is finite, pairs of a neuron with
itself are weighted instead so that the mean over random parts is the norm of the whole; that is
ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .cka import cka_of
from .cka_images import (
    SomeImages,
    Sum,
    cka_influence,
    mean_influence,
    sum_with_whole,
    sums_within,
    whole_sum,
)
from .curves import Curve
from .prefix_sums import prefix_blocks
from .selections import Ordering, check_orderings
from .statistics import SufficientStatistics, check_statistics


def corrected_cka_curve(
    statistics: SufficientStatistics, orderings: Ordering | Sequence[Ordering], X: Any = None
) -> Curve:
    """CKA between the first k neurons and the whole layer, corrected for the sampling of neurons.

    Parameters
    ----------
    statistics : SufficientStatistics
    orderings : Ordering or sequence of Ordering
        Permutations of all neurons.
    X : array (n, d), or ``Rows`` read in slices; optional
        The features: with them, the curve is known by images.

    Returns
    -------
    Curve
        Of the sizes 2 to d. Values can be above 1. For a random part, numerator and squared norm
        have the whole layer's ``||G||^2`` as their mean at every k, so that values are about 1.

    Raises
    ------
    InputError
        If orderings are of directions or of some neurons, or there are fewer than 2 neurons.

    Examples
    --------
    >>> from diffused_redundancy.measures.selections import orderings
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 40))
    >>> statistics = SufficientStatistics.from_features(X, device="cpu")
    >>> curve = corrected_cka_curve(statistics, orderings("random", statistics, range(100)))
    >>> round(float(curve.at_fraction(0.5).mean()), 2)
    1.0
    """
    orders, ordered = _permutations(statistics, orderings)
    d = statistics.d
    squared = statistics.gram * statistics.gram
    k = torch.arange(1, d + 1, device=squared.device, dtype=torch.float64)
    diagonal = squared.diagonal()[orders].cumsum(1)
    rest = prefix_blocks(squared, orders) - diagonal
    weights = d / k, d * (d - 1) / (k * (k - 1)).clamp_min(1)
    own = diagonal * weights[0] + rest * weights[1]
    cross = squared.sum(1)[orders].cumsum(1) * (d / k)
    values = cka_of(cross, own, squared.sum())[:, 1:]
    by_images = None
    if X is not None:
        images = SomeImages.of(statistics, X)
        crossed = images.centred @ images.gram
        whole = whole_sum(images, crossed)

        def influence(one: Ordering) -> Tensor:
            alone, others = sums_within(one, images)
            part = alone.times(weights[0]) + others.times(weights[1])
            with_whole = sum_with_whole(one, images, crossed).times(d / k)
            return cka_influence(with_whole, part, whole)[:, 1:]

        by_images = images.around(values.mean(0), mean_influence(ordered, influence))
    return _curve("corrected_cka", ordered, np.arange(2, d + 1), values, d, by_images)


def disjoint_cka_curve(
    statistics: SufficientStatistics,
    orderings: Ordering | Sequence[Ordering],
    X: Any = None,
    *,
    corrected: bool = False,
) -> Curve:
    """CKA between the first k and the last k neurons of an order, for k up to half of the layer.

    Parameters
    ----------
    statistics, orderings, X
        As for :func:`corrected_cka_curve`.
    corrected : bool
        Leave out the pairs of a neuron with itself (Chun and others): then values are about 1 for
        random parts, and there is none of a single neuron.

    Returns
    -------
    Curve
        Of the sizes 1 (corrected: 2) to d // 2. A part of constant neurons has CKA 0.

    Raises
    ------
    InputError
        As for :func:`corrected_cka_curve`, or if there are too few neurons for two parts.

    Notes
    -----
    The sum over pairs between the parts is half of the sum over their union less those within: all
    three are running sums, the union's along the order first, last, second, last but one, ...

    Examples
    --------
    >>> from diffused_redundancy.measures.selections import orderings
    >>> X = np.random.default_rng(0).standard_normal((200, 1)) @ np.ones((1, 6))
    >>> statistics = SufficientStatistics.from_features(X, device="cpu")
    >>> disjoint_cka_curve(statistics, orderings("random", statistics, [1])).values.round(6)
    array([[1., 1., 1.]])
    """
    orders, ordered = _permutations(statistics, orderings)
    first, d = int(corrected), statistics.d
    half = d // 2
    if half <= first:
        raise InputError(f"{d} neurons make no two parts of {first + 1}: at least {2 * first + 2}")
    squared = statistics.gram * statistics.gram
    front, back, both = halves(orders)
    one, other = (prefix_blocks(squared, some) for some in (front, back))
    cross = (prefix_blocks(squared, both)[:, 1::2] - one - other) / 2
    k = torch.arange(1, half + 1, device=squared.device, dtype=torch.float64)
    pairs = k / (k - 1).clamp_min(1)
    if corrected:
        alone = squared.diagonal()
        one = (one - alone[front].cumsum(1)) * pairs
        other = (other - alone[back].cumsum(1)) * pairs
    values = cka_of(cross, one, other)[:, first:]
    by_images = None
    if X is not None:
        images = SomeImages.of(statistics, X)

        def influence(order: Ordering) -> Tensor:
            assert order.order is not None
            parts = [
                sums_within(Ordering(order.selection, order.seed, d, order=some[0]), images)
                for some in halves(order.order[None])
            ]
            whole = [diagonal + rest for diagonal, rest in parts]
            between = (whole[2].at(slice(1, None, 2)) - whole[0] - whole[1]).times(0.5)
            own: list[Sum] = [rest.times(pairs) for _, rest in parts[:2]] if corrected else whole
            return cka_influence(between, own[0], own[1])[:, first:]

        by_images = images.around(values.mean(0), mean_influence(ordered, influence))
    sizes = np.arange(first + 1, half + 1)
    measure = "corrected_disjoint_cka" if corrected else "disjoint_cka"
    return _curve(measure, ordered, sizes, values, d, by_images)


def closed_form_disjoint(r: float, d: int) -> np.ndarray:
    """The expected CKA of two disjoint random parts, from one number of the layer.

    Parameters
    ----------
    r : float
        :func:`.diagonal_share`.
    d : int
        Neurons of the layer.

    Returns
    -------
    ndarray (d // 2,)
        For k = 1 ... d // 2.

    Notes
    -----
    As in :func:`.closed_form`, sums are replaced by their means over random parts. Each part is the
    whole and what its own sampling adds, so two parts agree about as much as the *square* of what
    either has in common with the whole: (1 - r) d / (d - 1) times that square.

    Examples
    --------
    >>> closed_form_disjoint(0.05, 100)[[9, 49]].round(3)
    array([0.704, 0.922])
    """
    k = np.arange(1, d // 2 + 1)
    return (1 - r) * k / (r * (d - 1) + (1 - r) * (k - 1))


def halves(orders: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of orders (s, d): the first half, the second half from its end, and the two in turn."""
    half = orders.shape[1] // 2
    front, back = orders[:, :half], orders.flip(1)[:, :half]
    return front, back, torch.stack([front, back], 2).flatten(1)


def _permutations(
    statistics: SufficientStatistics, orderings: Ordering | Sequence[Ordering]
) -> tuple[Tensor, list[Ordering]]:
    """Orders of all neurons, (s, d), and the orderings; InputError of any others."""
    check_statistics(statistics)
    ordered = check_orderings(orderings, statistics.d)
    orders = [one.order for one in ordered if one.order is not None]
    if len(orders) < len(ordered) or ordered[0].size < statistics.d or statistics.d < 2:
        raise InputError(
            f"{ordered[0].selection!r} with {ordered[0].size} of {statistics.d}: parts are made of "
            "orders of all neurons, of which there must be 2 at least"
        )
    return torch.stack(orders).to(statistics.gram.device), ordered


def _curve(
    measure: str,
    ordered: Sequence[Ordering],
    sizes: np.ndarray,
    values: np.ndarray,
    d: int,
    by_images: np.ndarray | None,
) -> Curve:
    seeds = tuple(one.seed for one in ordered)
    selection = ordered[0].selection
    return Curve(measure, selection, seeds, sizes, values, d, 1.0, by_images=by_images)
