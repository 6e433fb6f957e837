"""The choice of the logistic probe's penalty by cross-validation."""

from __future__ import annotations

import itertools
import math
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..measures.accumulation import blocks
from ..measures.selections import ordering
from ..measures.statistics import SufficientStatistics
from ..measures.validation import as_features, count_classes
from .cross_validation import (
    NO_LOSS,
    HeldOut,
    PenaltyChoice,
    check_classes,
    check_penalty,
    choose,
    folds_of,
    rows_left_out,
)
from .design import DesignMatrix, centred_and_scaled
from .logistic_problems import Problems, accumulator, inverse_factor
from .size_groups import Group

AS_GOOD = 1.02
"""Times the least held-out loss up to which a stronger penalty is as good. Weak penalties leave the
probes' losses uncertain by up to half a percent, measured; a step of the grid towards stronger ones
makes 3% to 30%.
"""


def cross_validate(
    X: Any,
    labels: Tensor,
    grid: tuple[float, ...],
    *,
    extend: bool = False,
    folds: int = 3,
    seed: int = 0,
    groups: Any = None,
    device: torch.device,
) -> PenaltyChoice:
    """Choose the penalty of the whole layer.

    The folds are solved side by side, and walk the grid from strong to weak, each penalty starting
    from the solution before.

    Parameters
    ----------
    X : array (n, d)
    labels : Tensor (n,), int64
    grid : tuple of float
        Penalties to try.
    extend : bool
        Go beyond the grid while its end is best; see :func:`.cross_validation.choose`.
    folds, seed : int
        Number of folds, and seed of the assignment.
    groups : array (n,), optional
        Of rows that must share a fold, such as views of one image.
    device : torch.device
    """
    features, num_classes = as_features(X), count_classes(labels)
    fold = folds_of(labels, folds, seed, groups)
    folds = int(fold.max()) + 1
    for f in range(folds):
        check_classes(labels[fold != f])
    parts = [
        SufficientStatistics.from_features(
            features[fold == f], labels[fold == f], num_classes=num_classes, device=device.type
        )
        for f in range(folds)
    ]
    whole = reduce(SufficientStatistics.merge, parts)
    # each fold together, so that the others are two spans
    order = torch.sort(fold, stable=True).indices
    design = DesignMatrix.of(centred_and_scaled(features, whole, device, order))
    truth = labels[order].to(device)
    edges = [0, *torch.bincount(fold, minlength=folds).cumsum(0).tolist()]
    held = [slice(*edge) for edge in itertools.pairwise(edges)]
    spans = [
        [one for one in (slice(0, part.start), slice(part.stop, edges[-1])) if one.stop > one.start]
        for part in held
    ]
    trained = [
        reduce(SufficientStatistics.merge, [part for g, part in enumerate(parts) if g != f])
        for f in range(folds)
    ]
    relative = torch.tensor([one.mean_variance / whole.mean_variance for one in trained])
    relative = relative.to(design.exact)
    every, group = [ordering("first", whole, 0)] * folds, Group((whole.d,), False)
    gram = whole.relative_gram(design.exact)
    together = rows_left_out(labels, groups)
    # of a row: its image's, over that image's views
    weight = torch.empty(len(features), dtype=design.exact.dtype)
    image, images = torch.empty(len(features), dtype=torch.int64), 0
    for rows in together:
        weight[rows] = 1 / rows.shape[1] / sum(map(len, together))
        image[rows] = torch.arange(images, images + len(rows))[:, None]
        images += len(rows)
    weight, image = weight[order].to(device), image[order]
    ends: dict[float, Tensor] = {}  # the solutions of the weakest and the strongest so far

    def losses(penalties: tuple[float, ...]) -> HeldOut:
        loss, accuracy = np.empty((2, len(penalties)))
        by_image = np.empty((images, len(penalties)))
        upwards = bool(ends) and min(penalties) > min(ends)
        for i in sorted(range(len(penalties)), key=penalties.__getitem__, reverse=not upwards):
            penalty = check_penalty(penalties[i])
            inverse = inverse_factor(gram, num_classes, penalty)
            problems = Problems(
                design,
                truth,
                num_classes,
                every,
                group,
                relative * penalty,
                [inverse] * folds,
                spans,
            )
            near = None if not ends else ends[max(ends) if upwards else min(ends)]
            found = problems.fit(problems.from_smaller(near)).weights
            scores = torch.cat([design.exact[:, rows].T @ found[f] for f, rows in enumerate(held)])
            loss[i], factor = scaled_entropy(scores, truth, weight)
            added = (entropies(scores, truth, factor) * weight).cpu().double() * images
            by_image[:, i] = added.new_zeros(images).index_add_(0, image, added).numpy()
            accuracy[i] = float(weight[scores.argmax(1) == truth].sum())
            ends[penalty] = found
            for between in sorted(ends)[1:-1]:
                del ends[between]
        return HeldOut(loss, accuracy, by_image)

    return choose(losses, grid, folds, within=AS_GOOD, extend=extend)


def entropies(scores: Tensor, labels: Tensor, factor: float) -> Tensor:
    """The cross-entropy of each row of scores (n, C) times a factor, (n,), in nats."""
    return torch.cat(
        [
            torch.nn.functional.cross_entropy(factor * scores[rows], labels[rows], reduction="none")
            for rows in blocks(len(scores))
        ]
    )


def scaled_entropy(scores: Tensor, labels: Tensor, weight: Tensor) -> tuple[float, float]:
    """The least weighted cross-entropy of scores (n, C) times a factor of at least 0, and this
    factor.

    ``weight`` (n,) sums to 1.
    """
    # Newton's method: less the score of the label, the entropy is the logarithm of a sum of
    # exponentials, convex in the factor.
    factor, best = 0.0, (math.inf, 0.0)
    for _ in range(50):
        value = slope = bend = 0.0
        for rows in blocks(len(scores)):
            apart = scores[rows] - scores[rows].gather(1, labels[rows, None])
            probability = (factor * apart).softmax(1)
            mean = (probability * apart).sum(1)
            spread = (probability * apart * apart).sum(1) - mean * mean
            terms = (factor * apart).logsumexp(1), mean, spread
            more = [float((weight[rows] * term).sum(dtype=accumulator(apart))) for term in terms]
            value, slope, bend = value + more[0], slope + more[1], bend + more[2]
        best = min(best, (value, factor))
        if factor == 0 and (slope >= 0 or not bend > 0):  # the scores mislead, or are all alike
            break
        step = factor - slope / bend if bend > 0 else math.inf
        step = min(max(step, factor / 4), factor * 4) if factor else step
        if abs(step - factor) <= 1e-4 * step or best[0] < NO_LOSS:
            break
        factor = step
    return max(best[0], NO_LOSS), best[1]
