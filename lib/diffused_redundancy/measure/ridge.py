"""The ridge classifier on the first k neurons, exactly, at every k, for one factorisation.

With L the Cholesky factor of Q'GQ + lambda I, the leading k x k block of L belongs to the problem of the first k
neurons, and triangular solves are causal: row i of Z = L^-1 Q'R and of V = L^-1 Q'Xtest_c' depends on the first
i neurons only. So the scores of the k-neuron probe are a running sum,

    scores_k = sum over i <= k of outer(V[i], Z[i]) + mean(Y),

and one pass gives the predictions of all nested probes. They are those of scikit-learn's RidgeClassifier.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .arrays import as_features, as_labels, check_finite
from .probes import RIDGE_GRID, PenaltyChoice, check_classes, check_penalty, choose, fold_of, per_class
from .selections import Basis
from .statistics import SufficientStatistics, on_device

_FLUSH = 64


@dataclass(frozen=True)
class RidgeCurve:
    """Test accuracy of the ridge classifier on the first k neurons, for k = 1 ... r.

    Attributes
    ----------
    accuracy : ndarray (r,)
        In [0, 1].
    per_class : ndarray (r, C)
        Accuracy among the test images of each class; NaN for classes with none.
    penalty : float
        See :mod:`diffused_redundancy.measure.probes`.
    """

    accuracy: np.ndarray = field(repr=False)
    per_class: np.ndarray = field(repr=False)
    penalty: float


def _right_hand_side(statistics: SufficientStatistics) -> tuple[Tensor, Tensor]:
    """R = Xc'Y, (d, C), and the shares of the classes, (C,)."""
    if statistics.class_sums is None or statistics.class_counts is None:
        raise InputError("the ridge probe needs labels: make the statistics with y and num_classes")
    if int((statistics.class_counts > 0).sum()) < 2:
        raise InputError("all train labels are one class: a probe needs at least two")
    return statistics.class_sums, statistics.class_counts / statistics.n


def strength(statistics: SufficientStatistics, penalty: float) -> float:
    """lambda, what is added to the diagonal of G: penalty * n * mean variance (scikit-learn's ``alpha``)."""
    return check_penalty(penalty) * statistics.n * statistics.mean_variance


def ridge_curve(statistics: SufficientStatistics, basis: Basis, X_test: Any, y_test: Any, *, penalty: float) -> RidgeCurve:
    """Test accuracy at every k, overall and by class.

    Parameters
    ----------
    statistics : SufficientStatistics
        Of the train set, with labels.
    basis : Basis
        The order in which neurons or directions come in.
    X_test : array (m, d)
    y_test : array of int (m,)
    penalty : float
        The same at every k. In units of :mod:`diffused_redundancy.measure.probes`.

    Returns
    -------
    RidgeCurve
    """
    cross, prior = _right_hand_side(statistics)
    features = as_features(X_test, "X_test")
    if features.shape[1] != statistics.d:
        raise InputError(f"X_test has {features.shape[1]} neurons: the train features have {statistics.d}")
    y = as_labels(y_test, len(features), "y_test", classes=len(prior)).to(cross.device)
    check_finite(features.sum(0, dtype=torch.float64), features, "X_test")

    gram = basis.gram(statistics.gram)
    gram.diagonal().add_(strength(statistics, penalty))
    factor = torch.linalg.cholesky(gram)
    centred = on_device(features, cross.device).double() - statistics.mean
    solved = torch.linalg.solve_triangular(factor, torch.cat([basis.rows(cross), basis.columns(centred).T], 1), upper=False)
    weights, scores_of = solved[:, : len(prior)], solved[:, len(prior) :]

    scores = prior[:, None].expand(-1, len(y)).clone()  # (C, m): classes first, so that the maximum runs along rows
    accuracy = np.empty(basis.size)
    by_class = np.empty((basis.size, len(prior)))
    right = torch.empty((_FLUSH, len(y)), dtype=torch.bool, device=y.device)
    for start in range(0, basis.size, _FLUSH):
        stop = min(start + _FLUSH, basis.size)
        for k in range(start, stop):
            scores.addr_(weights[k], scores_of[k])
            torch.eq(scores.max(0).indices, y, out=right[k - start])
        part = right[: stop - start]
        accuracy[start:stop] = part.sum(1).cpu().numpy() / len(y)
        by_class[start:stop] = per_class(part, y, len(prior))
    return RidgeCurve(accuracy, by_class, penalty)


def choose_ridge_penalty(
    X: Any, y: Any, *, grid: tuple[float, ...] = RIDGE_GRID, folds: int = 5, seed: int = 0, standardize: bool = False, device: str = "auto"
) -> PenaltyChoice:
    """Choose the penalty of the full layer by cross-validation on the train set.

    Fold statistics add up, so each fold costs one eigendecomposition, shared by the whole grid.

    Parameters
    ----------
    X : array (n, d)
    y : array of int (n,)
    grid : tuple of float
        Penalties to try.
    folds, seed : int
        Number of folds, and seed of the assignment.
    standardize : bool
        Scale neurons to unit variance within each training part first.
    """
    features = as_features(X)
    labels = as_labels(y, len(features))
    check_classes(labels)
    num_classes = int(labels.max()) + 1
    fold = fold_of(labels, folds, seed)
    parts = [
        SufficientStatistics.from_features(features[fold == f], labels[fold == f], num_classes=num_classes, device=device)
        for f in range(folds)
    ]
    accuracy = np.empty((folds, len(grid)))
    for f in range(folds):
        train = SufficientStatistics(features.shape[1], num_classes, device=device)
        for other in (part for g, part in enumerate(parts) if g != f):
            train = train.merge(other)
        held = on_device(features[fold == f], train.gram.device).double()
        if standardize:
            scale = train.unit_scale()
            train, held = train.scaled(scale), held * scale
        cross, prior = _right_hand_side(train)
        values, vectors = torch.linalg.eigh(train.gram)
        projected, target = (held - train.mean) @ vectors, vectors.T @ cross
        truth = labels[fold == f].to(cross.device)
        for i, penalty in enumerate(grid):
            guesses = (projected / (values + strength(train, penalty)) @ target + prior).argmax(1)
            accuracy[f, i] = float((guesses == truth).double().mean())
    return choose(grid, accuracy)
