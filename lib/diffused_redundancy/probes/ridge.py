"""The ridge classifier on the first k neurons, exactly, at every k, for one factorisation.

With L the Cholesky factor of Q'GQ + lambda I, the leading k x k block of L belongs to the problem
of the first k neurons, and triangular solves are causal: row i of Z = L^-1 Q'R and of V = L^-1
Q'Xtest_c' depends on the first i neurons only. So the scores of the k-neuron probe are a running
sum,

    scores_k = sum over i <= k of outer(V[i], Z[i]) + mean(Y),

and one pass gives the predictions of all nested probes. They are those of scikit-learn's
RidgeClassifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError, check_number
from ..measure.accumulation import blocks, on_device
from ..measure.redundancy import Redundancy, diffused_redundancy
from ..measure.selections import Ordering, orderings
from ..measure.statistics import SufficientStatistics, cholesky
from ..measure.validation import (
    as_features,
    as_labels,
    check_features,
    check_finite,
    count_classes,
    rows_of,
)
from .cross_validation import (
    RIDGE_GRID,
    PenaltyChoice,
    check_classes,
    check_penalty,
    choose,
    folded,
    per_class,
    together,
)

_FLUSH = 64
_PILOT = 64
"""Neurons that the first curve is computed to at first, where only DR is wanted."""

LEFT_OUT_AT_ONCE = 1 << 22
"""Numbers held at a time for rows that are left out: images times neurons."""

_TIE = 1e-13
"""Between the scores of two classes that are next to one another, so that no two are equal: beyond
rounding, and far below any real difference.
"""


AS_GOOD = 1.001
"""Times the least loss of images left out up to which a stronger penalty is as good: far more than
rounding.
"""


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
    by_part : ndarray (parts, r, C)
        The same as ``per_class`` for each part of the test images, if parts were asked for.
    """

    accuracy: np.ndarray = field(repr=False)
    per_class: np.ndarray = field(repr=False)
    penalty: float
    by_part: np.ndarray = field(repr=False)


def _right_hand_side(statistics: SufficientStatistics) -> tuple[Tensor, Tensor]:
    """R = Xc'Y, (d, C), and the shares of the classes, (C,)."""
    if statistics.class_sums is None or statistics.class_counts is None:
        raise InputError("the ridge probe needs labels: make the statistics with y and num_classes")
    if int((statistics.class_counts > 0).sum()) < 2:
        raise InputError("all train labels are one class: a probe needs at least two")
    return statistics.class_sums, statistics.class_counts / statistics.n


def strength(statistics: SufficientStatistics, penalty: float) -> float:
    """lambda, what is added to the diagonal of G: penalty * n * mean variance (scikit-learn's
    ``alpha``).
    """
    return check_penalty(penalty) * statistics.n * statistics.mean_variance


def ridge_curve(
    statistics: SufficientStatistics,
    ordering: Ordering,
    X_test: Any,
    y_test: Any,
    *,
    penalty: float,
    parts: np.ndarray | None = None,
) -> RidgeCurve:
    """Test accuracy at every k, overall and by class.

    Parameters
    ----------
    statistics : SufficientStatistics
        Of the train set, with labels.
    ordering : Ordering
        The order in which neurons or directions come in.
    X_test : array (m, d)
    y_test : array of int (m,)
    penalty : float
        The same at every k. In units of :mod:`diffused_redundancy.measure.probes`.
    parts : ndarray of int (m,), optional
        The part of the test images, from 0 on, that each belongs to.

    Returns
    -------
    RidgeCurve
    """
    prior = _right_hand_side(statistics)[1]
    features, y = _test_set(statistics, X_test, y_test, len(prior))
    return _curve(statistics, ordering, features, y, penalty, parts)


def _curve(
    statistics: SufficientStatistics,
    ordering: Ordering,
    features: Tensor,
    y: Tensor,
    penalty: float,
    parts: np.ndarray | None = None,
) -> RidgeCurve:
    """:func:`ridge_curve` of checked test features and labels."""
    cross, prior = _right_hand_side(statistics)
    gram = ordering.gram(statistics.gram)
    gram.diagonal().add_(strength(statistics, penalty))
    factor = cholesky(gram)
    right_hand = torch.empty(
        len(prior) + len(y), ordering.size, dtype=cross.dtype, device=cross.device
    )  # transposed, as the solver wants it
    right_hand[: len(prior)] = ordering.rows(cross).T
    given = on_device(features, cross.device)
    if ordering.order is not None:  # fewer numbers to convert
        right_hand[len(prior) :] = ordering.columns(given).double() - ordering.columns(
            statistics.mean[None]
        )
    else:
        right_hand[len(prior) :] = ordering.columns(given.double() - statistics.mean)
    solved = torch.linalg.solve_triangular(factor, right_hand.T, upper=False, out=right_hand.T)

    # (C, m): classes first, so that the maximum runs along rows. A guess is right if the score of
    # its class is the maximum, which is cheaper to find than its place; of equal scores (as of
    # images whose neurons are all 0) the first class counts.
    scores = (
        (prior - _TIE * torch.arange(len(prior), device=prior.device))[:, None]
        .expand(-1, len(y))
        .clone()
    )
    best, own = torch.empty_like(scores[0]), torch.empty_like(scores[:1])
    accuracy = np.empty(ordering.size)
    by_class = np.empty((ordering.size, len(prior)))
    members = (
        []
        if parts is None
        else [
            torch.from_numpy(np.flatnonzero(parts == number)).to(y.device)
            for number in range(parts.max() + 1)
        ]
    )
    by_part = np.empty((len(members), *by_class.shape))
    right = torch.empty((_FLUSH, len(y)), dtype=torch.bool, device=y.device)
    for start in range(0, ordering.size, _FLUSH):
        stop = min(start + _FLUSH, ordering.size)
        block = solved[
            start:stop
        ].contiguous()  # the solver leaves columns together, rows are needed
        for row, hit in zip(block, right, strict=False):
            scores.addr_(row[: len(prior)], row[len(prior) :])
            torch.amax(scores, 0, out=best)
            torch.gather(scores, 0, y[None], out=own)
            torch.eq(own[0], best, out=hit)
        part = right[: stop - start]
        accuracy[start:stop] = part.sum(1).cpu().numpy() / len(y)
        by_class[start:stop] = per_class(part, y, len(prior))
        for number, some in enumerate(members):
            by_part[number, start:stop] = per_class(part[:, some], y[some], len(prior))
    return RidgeCurve(accuracy, by_class, penalty, by_part)


def ridge_redundancy(
    statistics: SufficientStatistics,
    orders: Sequence[Ordering],
    X_test: Any,
    y_test: Any,
    *,
    penalty: float,
    delta: float = 0.9,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Redundancy:
    """DR(delta) of ridge accuracy from many seeds: what :func:`diffused_redundancy` says of their
    whole curves, for a part of the time.

    The full layer's accuracy is :func:`ridge_accuracy`'s.

    Curves are computed only as far as DR and its interval need them: that of the first seed to
    twice as many neurons each time, until it reaches delta times the full layer's accuracy; then
    those of all seeds a little further than there, or to twice as many neurons each time, until
    their mean and as many of its resamples as the interval rests on have reached it.

    Parameters
    ----------
    statistics, X_test, y_test, penalty
        As for :func:`ridge_curve`.
    orders : sequence of Ordering
        Of one size, such as the seeds of one selection.
    delta, confidence, resamples, seed
        As for :func:`diffused_redundancy`.
    """
    if not orders:
        raise InputError("no orderings were given: DR needs one at least")
    check_number(delta, "delta", 0, 1, open_low=True)  # before any work
    prior = _right_hand_side(statistics)[1]
    features, y = _test_set(statistics, X_test, y_test, len(prior))
    full = ridge_accuracy(statistics, features, y, penalty=penalty)
    largest = min(order.size for order in orders)

    def reached(some: Sequence[Ordering], k: int) -> tuple[Redundancy, int]:
        while True:
            k = k if 2 * k <= largest else largest
            curves = [
                _curve(statistics, order.first(k), features, y, penalty).accuracy for order in some
            ]
            found = diffused_redundancy(
                curves,
                delta,
                full=full,
                d=statistics.d,
                confidence=confidence,
                resamples=resamples,
                seed=seed,
            )
            if k == largest or (
                found.k is not None and found.low != 0
            ):  # 0: too many resamples are not there yet
                return found, k if found.k is None else found.k
            k *= 2

    near = reached(orders[:1], _PILOT)[1] if len(orders) > 1 else _PILOT
    return reached(orders, near * 5 // 4 + 1)[0]


def ridge_accuracy(
    statistics: SufficientStatistics, X_test: Any, y_test: Any, *, penalty: float
) -> float:
    """Test accuracy of the ridge classifier on all neurons: the last value of every
    :func:`ridge_curve`, for a fraction of its cost.
    """
    cross, prior = _right_hand_side(statistics)
    features, y = _test_set(statistics, X_test, y_test, len(prior))
    gram = statistics.gram.clone()
    gram.diagonal().add_(strength(statistics, penalty))
    weights = torch.cholesky_solve(cross, cholesky(gram))
    right = 0
    for rows in blocks(len(features)):
        centred = on_device(features[rows], cross.device).double() - statistics.mean
        right += int(((centred @ weights + prior).argmax(1) == y[rows]).sum())
    return right / len(y)


def _test_set(
    statistics: SufficientStatistics, X_test: Any, y_test: Any, num_classes: int
) -> tuple[Tensor, Tensor]:
    """Checked test features, where they are, and labels, beside the statistics."""
    features = as_features(X_test, "X_test")
    if features.shape[1] != statistics.d:
        raise InputError(
            f"X_test has {features.shape[1]} neurons: the train features have {statistics.d}"
        )
    y = as_labels(y_test, len(features), "y_test", classes=num_classes).to(statistics.mean.device)
    check_finite(features, "X_test")
    return features, y


def cross_validated_ridge(
    X: Any,
    y: Any,
    selection: str,
    seeds: Sequence[int],
    *,
    penalty: float,
    folds: int = 5,
    seed: int = 0,
    groups: Any = None,
    device: str = "auto",
) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy by class at every k on train images, each held out once.

    For choices that must not look at test images, such as how many neurons to keep.

    Parameters
    ----------
    X : array (n, d)
    y : array of int (n,)
    selection : str
        Directions that depend on data are computed from the training part of each fold.
    seeds : sequence of int
        Of the selection.
    penalty : float
        The same in each fold.
    folds, seed : int
        Number of folds, and seed of the assignment.
    groups : array (n,), optional
        Of rows that must share a fold, such as views of one image.

    Returns
    -------
    per_class : ndarray (seeds, r, C)
        NaN for classes without images.
    counts : ndarray of int (C,)
        Images of each class.
    """
    features = as_features(X)
    labels, num_classes, fold = folded(y, len(features), folds, seed, groups)
    counts = np.bincount(labels.numpy(), minlength=num_classes)
    total: np.ndarray | None = None
    for f in range(int(fold.max()) + 1):
        held = fold == f
        train = SufficientStatistics.from_features(
            features[~held], labels[~held], num_classes=num_classes, device=device
        )
        part_counts = np.bincount(labels[held].numpy(), minlength=num_classes)
        orders = orderings(selection, train, seeds)
        curves = [
            ridge_curve(train, order, features[held], labels[held], penalty=penalty).per_class
            for order in orders
        ]
        rank = min(len(curve) for curve in curves)
        right = np.nan_to_num(np.stack([curve[:rank] for curve in curves])) * part_counts
        total = right if total is None else total[:, : right.shape[1]] + right[:, : total.shape[1]]
    assert total is not None
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / counts, counts


def choose_ridge_penalty(
    X: Any,
    y: Any,
    *,
    grid: tuple[float, ...] = RIDGE_GRID,
    groups: Any = None,
    standardize: bool = False,
    device: str = "auto",
) -> PenaltyChoice:
    """Choose the penalty of the full layer by leave-one-out cross-validation on the train set.

    With the hat matrix H = 1/n + Xc (G + lambda I)^-1 Xc', the probe trained without some rows g
    errs on them by (I - H_gg)^-1 (Y_g - fitted_g), exactly (Cook and Weisberg 1982, section 2.2):
    one eigendecomposition of the Gram matrix serves all rows and the whole grid. lambda is that of
    the whole train set.

    Parameters
    ----------
    X : array (n, d)
    y : array of int (n,)
    grid : tuple of float
        Penalties to try.
    groups : array (n,), optional
        Of rows that are left out together, such as views of one image.
    standardize : bool
        Scale neurons to unit variance over the train set first.
    device : str
        As for the statistics.
    """
    features = (
        check_features(X) if groups is None else as_features(X)
    )  # of lazy ones only rows that follow one another can be read
    labels = as_labels(y, len(features))
    check_classes(labels)
    num_classes = count_classes(labels)
    groupings = together(labels, groups)
    train = SufficientStatistics.from_features(
        features, labels, num_classes=num_classes, device=device
    )
    scale = train.unit_scale() if standardize else torch.ones_like(train.mean)
    train = train.scaled(scale)
    cross, prior = _right_hand_side(train)
    values, vectors = torch.linalg.eigh(train.gram)
    inverses = 1 / (
        values.clamp_min(0)[:, None]
        + torch.tensor([strength(train, penalty) for penalty in grid]).to(values)
    )  # (d, penalties)
    weights = (inverses[:, :, None] * (vectors.T @ cross)[:, None]).flatten(1)
    products, squares, right = np.zeros((3, len(grid)))
    spread = 0.0
    for grouping in groupings:
        size = grouping.shape[1]
        length = max(1, LEFT_OUT_AT_ONCE // (size * max(train.d, len(grid) * num_classes, size)))
        for rows in grouping.split(length):
            some = rows.flatten()
            block = (
                features[some]
                if isinstance(features, Tensor)
                else rows_of(features, slice(int(some[0]), int(some[-1]) + 1))
            )
            block = on_device(block, train.mean.device).double() * scale - train.mean
            projected = block @ vectors
            truth = labels[rows].to(train.mean.device)
            own = torch.nn.functional.one_hot(truth, num_classes).double() - prior  # (g, rows, C)
            errors = own[:, :, None] - (projected @ weights).view(
                *rows.shape, len(grid), num_classes
            )
            if size == 1:
                errors /= 1 - 1 / train.n - (projected.square() @ inverses)[:, None, :, None]
            else:
                apart = projected.view(*rows.shape, -1)
                for number in range(len(grid)):
                    hat = (apart * inverses[:, number]) @ apart.mT + 1 / train.n
                    errors[:, :, number] = torch.linalg.solve(
                        torch.eye(size).to(hat) - hat, errors[:, :, number]
                    )
            scores = own[:, :, None] - errors
            hits = (scores + prior).argmax(3) == truth[:, :, None]
            right += hits.double().mean(1).sum(0).cpu().numpy()
            products += (scores * own[:, :, None]).sum(3).mean(1).sum(0).cpu().numpy()
            squares += scores.square().sum(3).mean(1).sum(0).cpu().numpy()
            spread += float(own.square().sum(2).mean(1).sum())
    images = sum(len(grouping) for grouping in groupings)
    with np.errstate(
        invalid="ignore", divide="ignore"
    ):  # the squared error with the best factor, if that is above 0
        loss = (
            np.maximum(0, spread - np.where(products > 0, products, 0) ** 2 / squares) / images
        )  # rounding may lead below 0
    return choose(grid, loss, right / images, images, near=AS_GOOD)
