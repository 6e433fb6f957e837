"""Logistic probes solved side by side: problems of one shape, with their objectives, gradients and
preconditioners.

L-BFGS starts each direction from the inverse of an approximate Hessian, c X'X/n + penalty, with c =
0.1/C. At equal class probabilities the curvature is 1/C exactly; a tenth of it suits probes that
have learned something, and its overall scale does not matter. It takes a third to a half of the
evaluations that no preconditioner takes, and costs little: it is a block of the Gram matrix that is
there already, and one Cholesky factor serves all nested sizes.

Early iterations take products in bfloat16, with sums in float32, on processors with instructions
for that; the last ones are in float32.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..measures.accumulation import blocks
from ..measures.selections import Ordering
from ..measures.statistics import cholesky
from .design import DesignMatrix, rounded
from .lbfgs import TOLERANCE, Minima, minimise
from .size_groups import Group, filled_width

CURVATURE = 0.1
"""Of the approximate Hessian, times the number of classes."""

SCORES_AT_ONCE = 1 << 20
"""Scores (images x probes x classes) held at a time."""


def _filled(matrix: Tensor) -> Tensor:
    """A matrix (..., m) with columns of zeros up to a width that is multiplied fast."""
    missing = filled_width(matrix.shape[-1]) - matrix.shape[-1]
    return torch.nn.functional.pad(matrix, (0, missing)) if missing else matrix


class Problems:
    """The probes of some orderings on some numbers of their first directions: objectives,
    gradients, preconditioners.

    A problem is one ordering and one size. Its weights are those of the directions of its ordering,
    (K + 1, C) with K the largest size, with zeros beyond its own size and the intercept last.

    Parameters
    ----------
    features : DesignMatrix (d + 1, n)
    labels : Tensor (n,), int64
    num_classes : int
    orderings : sequence of Ordering
    group : Group
    penalties : Tensor (b,)
        One for each ordering.
    inverses : sequence of Tensor, (at least K, at least K)
        Inverse Cholesky factors of the approximate Hessians, one for each ordering.
    spans : sequence of sequences of slice, optional
        The images that the problems of each ordering are trained on; all by default. Not with
        ``group.whole``.
    """

    def __init__(
        self,
        features: DesignMatrix,
        labels: Tensor,
        num_classes: int,
        orderings: Sequence[Ordering],
        group: Group,
        penalties: Tensor,
        inverses: Sequence[Tensor],
        spans: Sequence[Sequence[slice]] | None = None,
    ) -> None:
        self.features, self.labels, self.num_classes = features, labels, num_classes
        self.orderings, self.group = list(orderings), group
        self.largest = k = group.sizes[-1]
        self.problems = [(b, size) for b in range(len(orderings)) for size in group.sizes]
        self.inverses = [one[:k, :k] for one in inverses]
        self.spans = [[slice(0, len(labels))]] * len(orderings) if spans is None else spans
        self.counts = np.array(
            [sum(one.stop - one.start for one in self.spans[b]) for b, _ in self.problems]
        )
        self.penalties = penalties[[b for b, _ in self.problems]]
        self.inside = (
            torch.arange(k)[None] < torch.tensor([size for _, size in self.problems])[:, None]
        ).to(features.exact)[..., None]
        self.nested = len(group.sizes) > 1
        self.gathered = (
            [features] if group.whole else [features.gathered(one, k) for one in self.orderings]
        )
        self.rough_inverses = [rounded(one) for one in self.inverses]

    def _places(self, active: Sequence[int]) -> list[tuple[int, slice]]:
        """The orderings of some problems, in order, each with the places of its problems among
        them.
        """
        places, start = [], 0
        for b, some in itertools.groupby(active, lambda number: self.problems[number][0]):
            stop = start + len(list(some))
            places.append((b, slice(start, stop)))
            start = stop
        return places

    def evaluate(
        self, weights: Tensor, active: list[int], rough: bool = False
    ) -> tuple[np.ndarray, Tensor]:
        """Penalised mean cross-entropy, float64 (p,), and gradients (p, K + 1, C), of the active
        problems at weights (p, K + 1, C).
        """
        features = [one.rough if rough else one.exact for one in self.gathered]
        if self.group.whole:
            entropy, gradient = self._entropy(
                features[0], self.in_neurons(weights, active), self.spans[0]
            )
            gradient = self.in_orderings(gradient, active)
        else:
            entropy, gradient = np.empty(len(active)), torch.empty_like(weights)
            for b, places in self._places(active):
                entropy[places], slope = self._entropy(
                    features[b], weights[places].transpose(0, 1), self.spans[b]
                )
                gradient[places] = slope.transpose(0, 1)
        counts, penalties = self.counts[active], self.penalties[active].view(-1, 1, 1)
        gradient /= torch.from_numpy(counts).to(gradient).view(-1, 1, 1)
        inner = weights[:, :-1]
        gradient[:, :-1] += penalties * inner
        if self.nested:
            gradient[:, :-1] *= self.inside[active]
        shrink = (
            (penalties * inner * inner).sum((1, 2), dtype=accumulator(inner)).cpu().double().numpy()
        )
        return entropy / counts + shrink / 2, gradient

    def _entropy(
        self, features: Tensor, weights: Tensor, spans: Sequence[slice]
    ) -> tuple[np.ndarray, Tensor]:
        """The sum of the cross-entropies of some images, float64 (p,), and its gradient, at weights
        (rows of features, p, C).

        Products are taken in the precision of the features.
        """
        p, classes = weights.shape[1:]
        columns = p * classes
        spread = _filled(weights.flatten(1))
        narrow = spread.to(features.dtype)
        gradient = torch.zeros_like(spread)
        loss = torch.zeros(p, dtype=accumulator(spread), device=spread.device)
        length = max(256, SCORES_AT_ONCE // columns)
        for rows in (
            slice(start, min(start + length, one.stop))
            for one in spans
            for start in range(one.start, one.stop, length)
        ):
            some = features[:, rows]
            # (columns, images): what follows runs along images. Of float32 the other product is
            # faster, even with the copy.
            scores = (
                (some.T @ narrow).T.contiguous()
                if narrow is spread
                else (narrow.T @ some).to(spread)
            )
            loss += residuals(scores[:columns].unflatten(0, (p, classes)), self.labels[rows]).sum(
                1, dtype=loss.dtype
            )
            if narrow is spread:
                gradient.addmm_(some, scores.T)
            else:
                gradient += some @ scores.to(narrow).T
        return loss.cpu().double().numpy(), gradient[:, :columns].unflatten(1, (p, classes))

    def precondition(self, gradient: Tensor, active: list[int], rough: bool = False) -> Tensor:
        """Inverse approximate Hessians times gradients (p, K + 1, C)."""
        inverses = self.rough_inverses if rough else self.inverses
        intercept = gradient[:, -1:] * (self.num_classes / CURVATURE)
        if not self.nested:
            kinds = [inverses[self.problems[number][0]] for number in active]
            inner = torch.stack(
                [
                    _upper(one, _lower(one, each.to(one)))
                    for one, each in zip(kinds, _filled(gradient[:, :-1]), strict=True)
                ]
            )
            return torch.cat([inner[..., : self.num_classes].to(gradient), intercept], 1)
        parts = []
        # the inverse factors of all sizes are blocks of one: its product serves them all
        for b, places in self._places(active):
            some = gradient[places, :-1].transpose(0, 1)
            half = _lower(inverses[b], _filled(some.flatten(1)).to(inverses[b]))[
                :, : some[0].numel()
            ].unflatten(1, some.shape[1:])
            half = half * self.inside[active[places]].transpose(0, 1).to(half)
            whole = _upper(inverses[b], _filled(half.flatten(1)))[:, : some[0].numel()]
            parts.append(whole.unflatten(1, some.shape[1:]).transpose(0, 1).to(gradient))
        return torch.cat([torch.cat(parts), intercept], 1)

    def in_neurons(self, weights: Tensor, active: Sequence[int]) -> Tensor:
        """Weights (p, K + 1, C) as weights of all neurons and the intercept, (d + 1, p, C)."""
        spread = torch.zeros(
            len(self.features.exact),
            len(active),
            self.num_classes,
            dtype=weights.dtype,
            device=weights.device,
        )
        for b, places in self._places(active):
            one, inner = self.orderings[b], weights[places, :-1].transpose(0, 1)
            if one.order is not None:
                spread[:, places].index_copy_(
                    0, one.order[: self.largest].to(weights.device), inner
                )
            else:
                directions = one.directions[:, : self.largest].to(weights)  # type: ignore[index]
                spread[:-1, places] = (directions @ inner.flatten(1)).unflatten(1, inner.shape[1:])
        spread[-1] = weights[:, -1]
        return spread

    def in_orderings(self, gradient: Tensor, active: Sequence[int]) -> Tensor:
        """Gradients with respect to all neurons, (d + 1, p, C), as ones with respect to the
        weights, (p, K + 1, C).
        """
        turned = gradient.new_empty(len(active), self.largest + 1, self.num_classes)
        for b, places in self._places(active):
            inner = gradient[:-1, places]
            turned[places, :-1] = (
                self.orderings[b]
                .rows(inner.flatten(1))[: self.largest]
                .unflatten(1, inner.shape[1:])
                .transpose(0, 1)
            )
        turned[:, -1] = gradient[-1]
        return turned

    def from_ridge(self) -> Tensor:
        """A start from nothing: the multiple of a ridge solution that is best on some images."""
        start = self._zero()
        every = list(range(len(start)))
        for i, (b, _) in enumerate(self.problems):
            counts = sum(
                torch.bincount(self.labels[span], minlength=self.num_classes)
                for span in self.spans[b]
            )
            start[i, -1] = (counts + 1).to(start).log()  # type: ignore[union-attr]
        start[:, -1] -= start[:, -1].mean(1, keepdim=True)
        direction = self.precondition(self.evaluate(start, every, rough=True)[1], every).neg_()
        direction[:, -1] = 0
        lengths = torch.logspace(-3, 0.5, 29).to(start)
        some = slice(None, None, max(1, len(self.labels) // 500))
        spread = self.in_neurons(direction, every)
        scores = (spread.flatten(1).T @ self.features.exact[:, some]).unflatten(0, spread.shape[1:])
        shrink = self.penalties / 2 * (direction * direction).sum((1, 2))
        values = [
            residuals(scores * length + start[:, -1, :, None], self.labels[some]).mean(1)
            + shrink * length**2
            for length in lengths
        ]
        return start + direction * lengths[torch.stack(values).argmin(0)][:, None, None]

    def from_whole(self, pulled: Tensor, intercept: Tensor) -> Tensor:
        """A start from the solution of the whole layer: the scores nearest to its own.

        ``pulled`` (d, C) is the approximate Hessian, without its penalty, times the weights.
        """
        start = self._zero()
        for i, (b, _) in enumerate(self.problems):
            start[i, :-1] = self.orderings[b].rows(pulled)[: self.largest]
        start[:, :-1] *= self.inside
        start = self.precondition(start, list(range(len(start))))
        start[:, -1] = intercept
        return start

    def from_smaller(self, weights: Tensor | None) -> Tensor:
        """A start from the solutions (b, j + 1, C) of fewer directions; zero without."""
        start = self._zero()
        if weights is not None:
            for i, (b, _) in enumerate(self.problems):
                start[i, : weights.shape[1] - 1], start[i, -1] = weights[b, :-1], weights[b, -1]
        return start

    def _zero(self) -> Tensor:
        like = self.features.exact
        return torch.zeros(
            len(self.problems),
            self.largest + 1,
            self.num_classes,
            dtype=like.dtype,
            device=like.device,
        )

    def fit(self, start: Tensor, *, tolerance: float = TOLERANCE) -> Minima:
        """The minima, begun from weights (p, K + 1, C)."""
        return minimise(
            self.evaluate,
            self.precondition,
            start,
            tolerance=tolerance,
            rough=self.features.rough is not self.features.exact,
        )


def without_mean(weights: Tensor) -> Tensor:
    """Weights (..., C) less their mean over classes: it changes no probability, and is zero at the
    minimum. Approximate Hessians take it for far stiffer than it is.
    """
    return weights - weights.mean(-1, keepdim=True)


def residuals(scores: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropies (p, n) of scores (p, C, n) with labels (n,); scores become probabilities
    less one for the label.
    """
    # On a CPU a softmax over a few classes takes as long as a product with hundreds of neurons.
    # Less the score of the label the sum of exponentials needs no maximum, as long as no label is
    # less likely than e^-80, and the logarithm loses no digits where it is near 0.
    index = labels.expand(len(scores), 1, -1)
    right = scores.gather(1, index)
    if scores.device.type == "cpu":
        shifted = scores - right
        if float(shifted.max()) < 80:
            total = shifted.exp_().sum(1, keepdim=True)
            torch.div(shifted, total, out=scores).scatter_(1, index, 1 / total - 1)
            return total.log_()[:, 0]
    log_probability = torch.log_softmax(scores, 1)
    entropy = -log_probability.gather(1, index)[:, 0]
    scores.copy_(log_probability.exp_()).scatter_add_(1, index, torch.full_like(right, -1))
    return entropy


def accumulator(tensor: Tensor) -> torch.dtype:
    """The type sums are taken in: float64, except on MPS, which has none."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def inverse_factor(gram: Tensor, num_classes: int, penalty: float) -> Tensor:
    """L^-1 with LL' = c gram + penalty, (k, k): its leading blocks belong to the leading blocks of
    the Gram matrix.

    ``gram`` is X'X/n of the scaled features, in the precision of the result: a preconditioner needs
    no more.
    """
    hessian = gram * (CURVATURE / num_classes)
    hessian.diagonal().add_(penalty)
    return _inverse(cholesky(hessian))


def _lower(matrix: Tensor, vectors: Tensor) -> Tensor:
    """The product of a lower triangular matrix (k, k) with vectors (k, m), without most of its
    zeros.
    """
    return torch.cat(
        [matrix[strip, : strip.stop] @ vectors[: strip.stop] for strip in blocks(len(matrix), 512)]
    )


def _upper(matrix: Tensor, vectors: Tensor) -> Tensor:
    """The same of its transpose."""
    return torch.cat(
        [
            matrix[strip.start :, strip].mT @ vectors[strip.start :]
            for strip in blocks(len(matrix), 512)
        ]
    )


def _inverse(factor: Tensor) -> Tensor:
    """The inverse of a lower triangular matrix, by halves: a third of the operations of solving for
    the identity.
    """
    if len(factor) <= 256:
        inverse: Tensor = torch.linalg.solve_triangular(
            factor, torch.eye(len(factor), dtype=factor.dtype, device=factor.device), upper=False
        )
        return inverse
    half = len(factor) // 2
    first, last = _inverse(factor[:half, :half]), _inverse(factor[half:, half:])
    inverse = torch.zeros_like(factor)
    inverse[:half, :half], inverse[half:, half:] = first, last
    inverse[half:, :half] = (last @ (factor[half:, :half] @ first)).neg_()
    return inverse
