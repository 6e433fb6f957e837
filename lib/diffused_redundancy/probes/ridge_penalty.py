"""The choice of the ridge probe's penalty by leave-one-out cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..measures.accumulation import on_device
from ..measures.statistics import SufficientStatistics
from ..measures.validation import as_features, check_features, count_classes, rows_of
from .cross_validation import PenaltyChoice, rows_left_out, strongest_penalty

LEFT_OUT_AT_ONCE = 1 << 22
"""Numbers held at a time for rows that are left out: images times neurons."""

AS_GOOD = 1.001
"""Times the least held-out loss up to which a stronger penalty is as good: far more than rounding.
"""


def leave_one_out(
    X: Any,
    labels: Tensor,
    statistics: SufficientStatistics,
    alphas: Mapping[float, float],
    *,
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
    alphas : mapping
        From the penalties to try to what each adds to the diagonal of the Gram matrix.
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
    num_classes, grid = count_classes(labels), tuple(alphas)
    together = rows_left_out(labels, groups)
    scale = torch.ones_like(statistics.mean) if scale is None else scale
    mean = statistics.mean
    cross, prior = (part[..., :num_classes].contiguous() for part in statistics.right_hand_side())
    values, vectors = torch.linalg.eigh(statistics.gram)
    added = torch.tensor(list(alphas.values()), dtype=torch.float64).to(values)
    inverses = 1 / (values.clamp_min(0)[:, None] + added)  # (d, penalties)
    weights = (inverses[:, :, None] * (vectors.T @ cross)[:, None]).flatten(1)
    products, squares, right = np.zeros((3, len(grid)))
    spread = 0.0
    for rows_of_groups in together:
        size = rows_of_groups.shape[1]
        held = size * max(statistics.d, len(grid) * num_classes, size)
        for rows in rows_of_groups.split(max(1, LEFT_OUT_AT_ONCE // held)):
            some = rows.flatten()
            if isinstance(features, Tensor):
                block = features[some]
            else:
                block = rows_of(features, slice(int(some[0]), int(some[-1]) + 1))
            projected = (on_device(block, mean.device).double() * scale - mean) @ vectors
            truth = labels[rows].to(mean.device)
            own = torch.nn.functional.one_hot(truth, num_classes).double() - prior  # (g, rows, C)
            fitted = (projected @ weights).view(*rows.shape, len(grid), num_classes)
            errors = own[:, :, None] - fitted
            if size == 1:
                errors /= 1 - 1 / statistics.n - (projected.square() @ inverses)[:, None, :, None]
            else:
                apart = projected.view(*rows.shape, -1)
                for number in range(len(grid)):
                    hat = (apart * inverses[:, number]) @ apart.mT + 1 / statistics.n
                    errors[:, :, number] = torch.linalg.solve(
                        torch.eye(size).to(hat) - hat, errors[:, :, number]
                    )
            scores = own[:, :, None] - errors
            hits = (scores + prior).argmax(3) == truth[:, :, None]
            right += hits.double().mean(1).sum(0).cpu().numpy()
            products += (scores * own[:, :, None]).sum(3).mean(1).sum(0).cpu().numpy()
            squares += scores.square().sum(3).mean(1).sum(0).cpu().numpy()
            spread += float(own.square().sum(2).mean(1).sum())
    images = sum(map(len, together))
    with np.errstate(invalid="ignore", divide="ignore"):
        # the squared error with the best factor, if that is above 0; rounding may lead below 0
        explained = np.where(products > 0, products, 0) ** 2 / squares
        loss = np.maximum(0, spread - explained) / images
    return strongest_penalty(grid, loss, right / images, images, within=AS_GOOD)
