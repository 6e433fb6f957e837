"""The choice of the ridge probe's penalty by leave-one-out cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..measures.accumulation import on_device
from ..measures.statistics import SufficientStatistics
from ..measures.validation import as_features, check_features, count_classes, rows_of
from .cross_validation import HeldOut, PenaltyChoice, choose, rows_left_out

LEFT_OUT_AT_ONCE = 1 << 19
"""Numbers held at a time for rows that are left out: images times neurons."""

AS_GOOD = 1.001
"""Times the least held-out loss up to which a stronger penalty is as good: far more than rounding.
"""


def leave_one_out(
    X: Any,
    labels: Tensor,
    statistics: SufficientStatistics,
    grid: tuple[float, ...],
    alpha: Callable[[float], float],
    *,
    extend: bool = False,
    scale: Tensor | None = None,
    groups: Any = None,
) -> PenaltyChoice:
    """Choose the penalty of the whole layer.

    Parameters
    ----------
    X : array (n, d)
    labels : Tensor (n,), int64
    statistics : SufficientStatistics
        Of the scaled features, with labels.
    grid : tuple of float
        Penalties to try.
    alpha : callable
        From a penalty to what it adds to the diagonal of the Gram matrix.
    extend : bool
        Go beyond the grid while its end is best; see :func:`.cross_validation.choose`.
    scale : Tensor (d,), optional
        What each neuron is multiplied by.
    groups : array (n,), optional
        Of rows that are left out together, such as views of one image.

    Notes
    -----
    With the hat matrix H = 1/n + Xc (G + lambda I)^-1 Xc', the probe trained without some rows g
    errs on them by (I - H_gg)^-1 (Y_g - fitted_g), exactly (Cook and Weisberg 1982, section 2.2):
    one eigendecomposition of the Gram matrix serves all rows and penalties. lambda is that of the
    whole train set.
    """
    # of lazy features only rows that follow one another can be read
    features = check_features(X) if groups is None else as_features(X)
    num_classes = count_classes(labels)
    together = rows_left_out(labels, groups)
    scale = torch.ones_like(statistics.mean) if scale is None else scale
    mean = statistics.mean
    cross, prior = (part[..., :num_classes].contiguous() for part in statistics.right_hand_side())
    values, vectors = torch.linalg.eigh(statistics.gram)
    images = sum(map(len, together))

    def losses(penalties: tuple[float, ...]) -> HeldOut:
        added = torch.tensor(list(map(alpha, penalties)), dtype=torch.float64).to(values)
        inverses = 1 / (values.clamp_min(0)[:, None] + added)  # (d, penalties)
        weights = (inverses[:, :, None] * (vectors.T @ cross)[:, None]).flatten(1)
        right = np.zeros(len(penalties))
        terms: list[list[np.ndarray]] = [[], [], []]  # of each image: y's, ys and s's
        for rows_of_groups in together:
            size = rows_of_groups.shape[1]
            held = size * max(statistics.d, len(penalties) * num_classes, size)
            for rows in rows_of_groups.split(max(1, LEFT_OUT_AT_ONCE // held)):
                some = rows.flatten()
                if isinstance(features, Tensor):
                    block = features[some]
                else:
                    block = rows_of(features, slice(int(some[0]), int(some[-1]) + 1))
                projected = (on_device(block, mean.device).double() * scale - mean) @ vectors
                truth = labels[rows].to(mean.device)
                # (groups, rows, C)
                own = torch.nn.functional.one_hot(truth, num_classes).double() - prior
                fitted = (projected @ weights).view(*rows.shape, len(penalties), num_classes)
                errors = own[:, :, None] - fitted
                if size == 1:
                    errors /= (
                        1 - 1 / statistics.n - (projected.square() @ inverses)[:, None, :, None]
                    )
                else:
                    apart = projected.view(*rows.shape, -1)
                    for number in range(len(penalties)):
                        hat = (apart * inverses[:, number]) @ apart.mT + 1 / statistics.n
                        errors[:, :, number] = torch.linalg.solve(
                            torch.eye(size).to(hat) - hat, errors[:, :, number]
                        )
                scores = own[:, :, None] - errors
                hits = (scores + prior).argmax(3) == truth[:, :, None]
                right += hits.double().mean(1).sum(0).cpu().numpy()
                products = (scores * own[:, :, None]).sum(3).mean(1)
                squares = scores.square().sum(3).mean(1)
                spread = own.square().sum(2).mean(1)[:, None]
                for kept, term in zip(terms, (spread, products, squares), strict=True):
                    kept.append(term.cpu().numpy())
        spreads, products, squares = (np.concatenate(kept) for kept in terms)
        explained = np.maximum(products.sum(0), 0)  # the factor is at least 0
        with np.errstate(invalid="ignore", divide="ignore"):
            factor = explained / squares.sum(0)
        # the squared error with the best factor; rounding may lead below 0
        loss = np.maximum(0, spreads.sum() - factor * explained) / images
        by_image = spreads - 2 * factor * products + factor**2 * squares
        return HeldOut(loss, right / images, by_image)

    return choose(losses, grid, images, within=AS_GOOD, extend=extend)
