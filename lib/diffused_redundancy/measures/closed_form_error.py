"""Where the closed form of CKA errs, and why: unequal variances, or unequal correlations.

The closed form is exact for every subset, not in the mean only, where all neurons have the same
variance and all pairs the same squared correlation: then all subsets of a size are alike. So it can
be off for two reasons. Neurons scaled to unit variance keep their correlations and lose the first;
neurons of the layer's variances, all pairs of which have one squared correlation, lose the second.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..errors import InputError
from ..uncertainty.bootstrap import interval_of_mean
from .cka import cka_of, diagonal_share
from .curves import Curve
from .selections import Ordering, check_orderings
from .statistics import SufficientStatistics


def cka_of_variances(
    statistics: SufficientStatistics, orderings: Ordering | Sequence[Ordering]
) -> Curve:
    """CKA of the first k neurons with the whole, at every k, in a layer of these variances and of
    the same r, where all pairs have the same squared correlation.

    Parameters
    ----------
    statistics : SufficientStatistics
    orderings : Ordering or sequence of Ordering
        Of neurons.

    Raises
    ------
    InputError
        If orderings are of directions.

    Notes
    -----
    With variances v and the squared correlation c, the squared Gram matrix is v_i v_j c beside its
    diagonal v_i^2, so that running sums of v and of v^2 are enough. There is such a layer: one
    common factor, and noise for each neuron.

    Examples
    --------
    >>> from diffused_redundancy.measures.selections import orderings
    >>> X = np.random.default_rng(0).standard_normal((500, 1)) + np.eye(500)[:, :8]
    >>> statistics = SufficientStatistics.from_features(X, device="cpu")
    >>> some = orderings("random", statistics, [1, 2])
    >>> equal = statistics.scaled(statistics.unit_scale())
    >>> bool(np.ptp(cka_of_variances(equal, some).values, 0).max() < 1e-12)
    True
    """
    r = diagonal_share(statistics)
    ordered = check_orderings(orderings, statistics.d)
    orders = [one.order for one in ordered if one.order is not None]
    if len(orders) < len(ordered):
        raise InputError(f"{ordered[0].selection!r} has directions: variances are of neurons")
    variances = statistics.gram.diagonal()
    squares, total = (variances**2).sum(), variances.sum()
    others = total**2 - squares
    common = squares * (1 / r - 1) / others if float(others) > 0 else squares * 0
    chosen = variances[torch.stack(orders).to(variances.device)]
    own = (chosen**2).cumsum(1)
    cross = own * (1 - common) + chosen.cumsum(1) * total * common
    within = own * (1 - common) + chosen.cumsum(1) ** 2 * common
    return Curve(
        "cka",
        ordered[0].selection,
        tuple(one.seed for one in ordered),
        np.arange(1, ordered[0].size + 1),
        cka_of(cross, within, squares / r),
        statistics.d,
        1.0,
    )


def mean_error(curve: Curve, predicted: np.ndarray) -> tuple[float, float, float]:
    """A prediction (s,) less the mean curve, averaged over sizes so that each doubling weighs
    alike, and the ends of its 95% interval over draws; NaN of a single one.

    Examples
    --------
    >>> curve = Curve("cka", "random", (1, 2), [1, 2], [[0.5, 1], [0.7, 1]], d=2, full=1)
    >>> round(mean_error(curve, np.array([0.6, 1.0]))[0], 9)
    0.0
    """
    weights = np.diff(np.log(np.concatenate([[0.5], curve.sizes + 0.5])))
    errors = (predicted - curve.values) @ (weights / weights.sum())
    return float(errors.mean()), *interval_of_mean(errors)
