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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError, check_number
from ..measures.accumulation import blocks, on_device
from ..measures.features import Features
from ..measures.image_groups import group_means
from ..measures.redundancy import Redundancy
from ..measures.selections import Ordering, check_orderings, orderings
from ..measures.statistics import SufficientStatistics, cholesky
from ..measures.validation import as_features, count_classes
from .cross_validation import RIDGE_GRID, PenaltyChoice, check_penalty, folds_of, grid_for
from .probe import Arrays, LinearProbe, accuracy_by_class, check_sizes
from .ridge_penalty import leave_one_out

_ROWS_JUDGED = 64
"""Sizes whose guesses are counted together."""

_PILOT = 64
"""Neurons that the first curve is computed to at first, where only DR is wanted."""

TIE = 1e-13
"""Between the scores of two classes that are next to one another, so that no two are equal: beyond
rounding, and far below any real difference.
"""


def ridge_alpha(statistics: SufficientStatistics, penalty: float) -> float:
    """scikit-learn's ``alpha``, added to the diagonal of G: penalty * n * mean variance."""
    alpha = check_penalty(penalty) * statistics.n * statistics.mean_variance
    if not alpha > 0:
        raise InputError(f"all {statistics.d} neurons are constant: there is nothing to probe")
    return alpha


@dataclass(frozen=True)
class _Tested:
    """Accuracy on the test images of the probes on the first k neurons, at s sizes.

    Attributes
    ----------
    accuracy : ndarray (s,)
    by_images : ndarray (s, groups)
        By group of images; see :mod:`.image_groups`.
    per_class : ndarray (s, C)
    hits : ndarray (s, ceil(m / 8)), uint8
        Which images are guessed right, as bits; empty unless asked for.
    """

    accuracy: np.ndarray = field(repr=False)
    by_images: np.ndarray = field(repr=False)
    per_class: np.ndarray = field(repr=False)
    hits: np.ndarray = field(repr=False)


class RidgeProbe(LinearProbe):
    """The ridge classifier, exact at every number of neurons.

    Parameters
    ----------
    features : Features
        With labels; only the choice of a penalty does without a test part.
    penalty : float, optional
        The same at every size, above 0; see :mod:`.cross_validation` for its unit. By default
        chosen by leave-one-out cross-validation on the train set.
    statistics : SufficientStatistics, optional
        Of the train features as they are, with labels, if they are there already.
    standardize : bool
        Scale each neuron to unit variance over the train set first. (:attr:`statistics` are then of
        the scaled features.)
    device : str
        Where to compute; with ``statistics``, it is theirs.
    of_more : bool
        The statistics are of more images, of which the train features are some: the penalty is
        chosen by leaving these out, each in turn, of all.

    Raises
    ------
    InputError
        If labels are missing, or the train labels are all one class.

    Notes
    -----
    Errors of float32 products do not show in accuracies, unless the penalty is below their
    rounding: then probes are those of a slightly larger one.

    Examples
    --------
    >>> import numpy as np
    >>> from diffused_redundancy.measures import Features, orderings
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(300) % 3
    >>> X = rng.standard_normal((300, 10)) + 2 * rng.standard_normal((3, 10))[y]
    >>> features = Features(X[:200], y[:200], X[200:], y[200:])
    >>> probe = RidgeProbe(features, penalty=0.01, device="cpu")
    >>> probe.full
    1.0
    >>> curve = probe.curve(orderings("random", probe.statistics, [1, 2]))
    >>> curve.at(3).tolist()
    [0.96, 0.99]
    >>> curve.redundancy(0.9).k
    2
    """

    measure = "ridge_accuracy"

    def __init__(
        self,
        features: Features,
        *,
        penalty: float | None = None,
        statistics: SufficientStatistics | None = None,
        standardize: bool = False,
        device: str = "auto",
        of_more: bool = False,
    ) -> None:
        super().__init__(
            features, penalty=penalty, statistics=statistics, device=device, of_more=of_more
        )
        self.standardize = standardize

    @cached_property
    def _scale(self) -> Tensor | None:
        return self._raw_statistics.unit_scale() if self.standardize else None

    @cached_property
    def statistics(self) -> SufficientStatistics:
        """Of the train set, standardised if the probe is: what orderings are made from."""
        raw = self._raw_statistics
        return raw if self._scale is None else raw.scaled(self._scale)

    @cached_property
    def ready_test_set(self) -> tuple[Tensor, Tensor]:
        """Test features (m, d), scaled as the train features are, and labels (m,)."""
        X, y = self._test_set
        if self._scale is not None:
            X = X.double() * self._scale.to(X.device)
        return X, y.to(self.statistics.mean.device)

    @cached_property
    def _test_rows(self) -> Tensor:
        """Test features by neuron, (d, m): a row of them is got faster than a column."""
        X, y = self.ready_test_set
        return on_device(X, y.device).T.contiguous()

    def choose_penalty(
        self, grid: tuple[float, ...] | None = None, *, extend: bool | None = None
    ) -> PenaltyChoice:
        """Choose the penalty of the whole layer by leave-one-out cross-validation.

        Parameters
        ----------
        grid : tuple of float, optional
            Penalties to try. By default 1e-6 to 100.
        extend : bool, optional
            Go beyond an end of the grid while that is best; by default that of the default grid
            alone.

        Returns
        -------
        PenaltyChoice
            All views of an image are left out together.
        """
        extend = grid is None if extend is None else extend
        grid = (
            grid_for(RIDGE_GRID, self.statistics)
            if grid is None
            else tuple(map(check_penalty, grid))
        )
        return leave_one_out(
            self.features.X_train,
            self.labels,
            self.statistics,
            grid,
            partial(ridge_alpha, self.statistics),
            extend=extend,
            scale=self._scale,
            groups=self.features.groups,
        )

    def _full_scores(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Scores (rows, C) of the whole layer for blocks of test images, with their labels."""
        statistics, (features, y) = self.statistics, self.ready_test_set
        cross, prior = statistics.right_hand_side()
        gram = statistics.gram.clone()
        gram.diagonal().add_(ridge_alpha(statistics, self.penalty))
        weights = torch.cholesky_solve(cross, cholesky(gram))
        for rows in blocks(len(features)):
            centred = on_device(features[rows], weights.device).double() - statistics.mean
            yield centred @ weights + prior, y[rows]

    @cached_property
    def full_right(self) -> Tensor:
        """Which test images the probe on the whole layer guesses right: bool (m,)."""
        return torch.cat([scores.argmax(1) == y for scores, y in self._full_scores()])

    def margins(self) -> np.ndarray:
        """The whole layer's score of each test image's own class less the best other one, (m,).

        Positive where the guess is right. Scores aim at 1 for the own class and 0 for others.
        """
        margins = []
        for scores, y in self._full_scores():
            own = scores.gather(1, y[:, None])
            others = scores.scatter(1, y[:, None], -torch.inf).amax(1, keepdim=True)
            margins.append((own - others)[:, 0].cpu().numpy())
        return np.concatenate(margins)

    def evaluate(
        self,
        orderings: Ordering | Sequence[Ordering],
        sizes: Sequence[int] | None = None,
        *,
        by_class: bool = True,
        hits: bool = False,
    ) -> Arrays:
        """What :meth:`curve` measures, as arrays.

        Parameters
        ----------
        orderings, sizes
            As for :meth:`curve`; all sizes by default. A few of them take less time.
        by_class : bool
            Whether accuracy by class is wanted.
        hits : bool
            Whether to keep which test images are guessed right.

        Returns
        -------
        dict of ndarray
            ``sizes`` (s,), ``values`` (orderings, s), ``by_images`` (groups, s), with ``by_class``
            ``per_class`` (orderings, s, C), and with ``hits`` also that, (orderings, s, ceil(m /
            8)), uint8: the bits of the m test images, as ``numpy.packbits`` packs them.
        """
        ordered = check_orderings(orderings, self.statistics.d)
        most = ordered[0].size
        steps = np.array(range(1, most + 1) if sizes is None else check_sizes(sizes, most))
        tested = [self._nested(one.first(int(steps[-1])), steps, by_class, hits) for one in ordered]
        arrays = {
            "sizes": steps,
            "values": np.stack([one.accuracy for one in tested]),
            "by_images": np.mean([one.by_images for one in tested], 0).T,
        }
        if by_class:
            arrays["per_class"] = np.stack([one.per_class for one in tested])
        if hits:
            arrays["hits"] = np.stack([one.hits for one in tested])
        return arrays

    def _nested(self, ordering: Ordering, steps: np.ndarray, by_class: bool, hits: bool) -> _Tested:
        """Accuracy of one ordering at some sizes, ascending to its last one."""
        statistics, (_, y) = self.statistics, self.ready_test_set
        cross, prior = statistics.right_hand_side()
        gram = ordering.gram(statistics.gram)
        gram.diagonal().add_(ridge_alpha(statistics, self.penalty))
        factor = cholesky(gram)
        # (r, C + m): neurons first, as is needed below, so the system is solved transposed
        both = cross.new_empty(ordering.size, cross.shape[1] + len(y))
        by_class_, by_image = both.split([cross.shape[1], len(y)], 1)
        by_class_.copy_(ordering.rows(cross))
        if ordering.order is not None:  # fewer numbers to convert
            by_image.copy_(ordering.rows(self._test_rows))
            by_image -= ordering.rows(statistics.mean[:, None])
        else:
            by_image.copy_(ordering.rows(self._test_rows.double() - statistics.mean[:, None]))
        torch.linalg.solve_triangular(factor.mT, both.mT, upper=True, left=False, out=both.mT)

        # (C, m): classes first, so that the maximum runs along rows. A guess is right if the score
        # of its class is the maximum, which is cheaper to find than its place; of equal scores (as
        # of images whose neurons are all 0) the first class counts.
        offsets = prior - TIE * torch.arange(len(prior), device=prior.device)
        scores = offsets[:, None].expand(-1, len(y)).clone()
        best = scores.new_empty(_ROWS_JUDGED, len(y))
        own = torch.empty_like(best)
        accuracy = np.empty(len(steps))
        by_images = []
        per_class = np.empty((len(steps), len(prior)))
        packed = np.empty((len(steps) if hits else 0, -(-len(y) // 8)), dtype=np.uint8)
        summed = 0
        for start in range(0, len(steps), _ROWS_JUDGED):
            some = steps[start : start + _ROWS_JUDGED].tolist()
            one_by_one = some[-1] - summed == len(some)
            neurons = slice(summed, some[-1] if one_by_one else summed)
            pairs = zip(by_class_[neurons], by_image[neurons], strict=True)
            for k, largest, guess in zip(some, best, own[:, None], strict=False):
                if one_by_one:
                    scores.addr_(*next(pairs))
                else:
                    scores.addmm_(by_class_[summed:k].T, by_image[summed:k])
                summed = k
                torch.amax(scores, 0, out=largest)
                torch.gather(scores, 0, y[None], out=guess)
            judged = own[: len(some)] == best[: len(some)]
            stop = start + len(some)
            accuracy[start:stop] = judged.sum(1).cpu().numpy() / len(y)
            by_images.append(group_means(judged).cpu().numpy())
            if by_class:
                per_class[start:stop] = accuracy_by_class(judged, y, len(prior))
            if hits:
                packed[start:stop] = np.packbits(judged.cpu().numpy(), axis=1)
        return _Tested(accuracy, np.concatenate(by_images), per_class, packed)

    def redundancy(
        self, orderings: Ordering | Sequence[Ordering], delta: float = 0.9, **options: Any
    ) -> Redundancy:
        """DR(delta) of the test accuracy: that of :meth:`curve`, in less time.

        Curves are computed only as far as DR and its interval need them: that of the first seed to
        twice as many neurons each time, until it reaches delta times the whole layer's accuracy;
        then those of all seeds a little further than there, or to twice as many neurons each time,
        until their mean and as many of its resamples as the interval rests on have reached it.

        Parameters
        ----------
        orderings : Ordering or sequence of Ordering
            The seeds of one selection.
        delta, **options
            As for :func:`diffused_redundancy`.
        """
        check_number(delta, "delta", 0, 1, open_low=True)  # before any work
        ordered = check_orderings(orderings, self.statistics.d)
        largest = ordered[0].size

        def reached(some: list[Ordering], k: int) -> tuple[Redundancy, int]:
            while True:
                k = k if 2 * k <= largest else largest
                redundancy = self._curve([one.first(k) for one in some], by_class=False).redundancy(
                    delta, **options
                )
                # low is 0 where too many resamples have not reached it yet
                if k == largest or (redundancy.k is not None and redundancy.low != 0):
                    return redundancy, redundancy.k or k
                k *= 2

        near = reached(ordered[:1], _PILOT)[1] if len(ordered) > 1 else _PILOT
        return reached(ordered, near * 5 // 4 + 1)[0]

    def cross_validated(
        self, selection: str, seeds: Sequence[int], *, folds: int = 5, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Accuracy by class at every k on train images, each held out once.

        For choices that must not look at test images, such as how many neurons to keep.

        Parameters
        ----------
        selection : str
            Directions that depend on data are computed from the training part of each fold.
        seeds : sequence of int
            Of the selection.
        folds, seed : int
            Number of folds, and seed of the assignment.

        Returns
        -------
        per_class : ndarray (seeds, r, C)
            NaN for classes without images.
        counts : ndarray of int (C,)
            Images of each class.
        """
        X, y = as_features(self.features.X_train), self.labels
        num_classes = count_classes(y)
        counts = np.bincount(y.numpy(), minlength=num_classes)
        fold = folds_of(y, folds, seed, self.features.groups)
        total: np.ndarray | None = None
        for number in range(int(fold.max()) + 1):
            held = fold == number
            part = Features(X[~held], y[~held], X[held], y[held])
            statistics = SufficientStatistics.from_features(
                part.X_train, part.y_train, num_classes=num_classes, device=self.device.type
            )
            probe = RidgeProbe(
                part, penalty=self.penalty, statistics=statistics, standardize=self.standardize
            )
            by_class = probe.evaluate(orderings(selection, probe.statistics, seeds))["per_class"]
            right = np.nan_to_num(by_class) * np.bincount(y[held].numpy(), minlength=num_classes)
            if total is not None:  # folds of few images may have fewer components
                right = total[:, : right.shape[1]] + right[:, : total.shape[1]]
            total = right
        with np.errstate(invalid="ignore", divide="ignore"):
            return total / counts, counts  # type: ignore[operator]
