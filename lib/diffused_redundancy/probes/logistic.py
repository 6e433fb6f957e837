"""The multinomial logistic probe: what the paper reports, solved to its optimum instead of by a
tuned SGD.

The objective is convex (cross-entropy with a ridge penalty, see :mod:`.cross_validation`), so its
minimum is a property of the features alone: no learning rate, schedule, order of data or
initialisation. It is minimised by L-BFGS until the quadratic model says that less than 2e-5 of it
is left to gain.

The probes of several orderings are solved side by side (see :mod:`.logistic_problems`), in groups
of sizes that share a product. A group of one size begins from the solution of the size before;
small sizes together begin from the multiple of the ridge solution with the least objective, and
large ones from the scores nearest to those of the whole layer that they can give: 20 evaluations,
from zero 30 to 70.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..measures.image_groups import group_means
from ..measures.selections import PAPER_FRACTIONS, Ordering, check_orderings, ordering, sizes_of
from ..measures.validation import as_features, check_finite
from .cross_validation import LOGISTIC_GRID, PenaltyChoice, grid_for
from .design import DesignMatrix, centred_and_scaled
from .lbfgs import HISTORY
from .logistic_penalty import cross_validate
from .logistic_problems import CURVATURE, Problems, inverse_factor
from .probe import Arrays, LinearProbe, accuracy_by_class, check_sizes
from .size_groups import Group, cheapest_groups

GATHERED_AT_ONCE = 1 << 30
"""Bytes of gathered features, preconditioners and the solver's vectors held at a time."""

HELD = 2 * HISTORY + 12
"""Vectors as long as the weights that the solver holds for a problem."""

NEAR = 0.15
"""Sizes solved together that are at least this share of a layer start from the whole layer's
solution, others from the ridge solution.
"""


class LogisticProbe(LinearProbe):
    """The multinomial logistic classifier, solved to convergence at some numbers of neurons.

    Parameters
    ----------
    features : Features
        With labels; only the choice of a penalty does without a test part.
    penalty : float, optional
        The same at every size, above 0; see :mod:`.cross_validation` for its unit. By default
        chosen by cross-validation on the train set.
    statistics : SufficientStatistics, optional
        Of the train features, if they are there already: their mean and mean variance centre and
        scale the features.
    device : str
        Where to compute; with ``statistics``, it is theirs.

    Raises
    ------
    InputError
        If labels are missing, or the train labels are all one class.

    Examples
    --------
    >>> import numpy as np
    >>> from diffused_redundancy.measures import Features, orderings
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(300) % 3
    >>> X = rng.standard_normal((300, 10)) + 2 * rng.standard_normal((3, 10))[y]
    >>> features = Features(X[:200], y[:200], X[200:], y[200:])
    >>> probe = LogisticProbe(features, penalty=0.01, device="cpu")
    >>> probe.full
    1.0
    >>> curve = probe.curve(orderings("random", probe.statistics, [1, 2]), sizes=[2, 10])
    >>> curve.at(10).tolist()
    [1.0, 1.0]
    >>> bool(curve.converged.all())
    True
    """

    measure = "logistic_accuracy"

    @cached_property
    def train(self) -> DesignMatrix:
        """The train features as the solver takes them, (d + 1, n)."""
        X = as_features(self.features.X_train)
        check_finite(X, "X")
        return DesignMatrix.of(centred_and_scaled(X, self.statistics, self.device))

    @cached_property
    def test(self) -> Tensor:
        """The test features, centred and scaled as the train features are, (d + 1, m)."""
        return centred_and_scaled(self._test_set[0], self.statistics, self.device)

    def choose_penalty(
        self, grid: tuple[float, ...] | None = None, *, folds: int = 3, seed: int = 0
    ) -> PenaltyChoice:
        """Choose the penalty of the whole layer by cross-validation on the train set.

        Parameters
        ----------
        grid : tuple of float, optional
            Penalties to try. By default 1e-5 to 100, and beyond an end while that is best.
        folds, seed : int
            Number of folds, and seed of the assignment.

        Returns
        -------
        PenaltyChoice
            All views of an image share a fold.
        """
        return cross_validate(
            self.features.X_train,
            self.labels,
            grid_for(LOGISTIC_GRID, self.statistics) if grid is None else grid,
            extend=grid is None,
            folds=folds,
            seed=seed,
            groups=self.features.groups,
            device=self.device,
        )

    @cached_property
    def full_right(self) -> Tensor:
        """Which test images the probe on the whole layer guesses right: bool (m,)."""
        fits = _NestedFits(self, [ordering("first", self.statistics)], [self.statistics.d])
        fits.run()
        return fits.right[0, -1]

    def evaluate(
        self, orderings: Ordering | Sequence[Ordering], sizes: Sequence[int] | None = None
    ) -> Arrays:
        """What :meth:`curve` measures, as arrays.

        Parameters
        ----------
        orderings, sizes
            As for :meth:`curve`; by default the sizes of the paper that the orderings have.

        Returns
        -------
        dict of ndarray
            ``sizes`` (s,), ``values``, ``objective`` and ``converged`` (orderings, s), and
            ``per_class`` (orderings, s, C).
        """
        ordered = check_orderings(orderings, self.statistics.d)
        n, d, most = len(self.labels), self.statistics.d, ordered[0].size
        steps = sizes_of(PAPER_FRACTIONS, d, most) if sizes is None else check_sizes(sizes, most)
        groups = cheapest_groups(steps, len(ordered), n, d, self.num_classes)
        gathered = sum(one.sizes[-1] for one in groups if not one.whole)
        solver = 4 * HELD * self.num_classes * sum(steps)
        batch = max(1, GATHERED_AT_ONCE // (6 * (n * gathered + steps[-1] ** 2) + solver))
        solved = [
            self._solved(ordered[first : first + batch], steps)
            for first in range(0, len(ordered), batch)
        ]
        rows = {name: np.concatenate([part[name] for part in solved]) for name in solved[0]}
        return {**rows, "sizes": np.array(steps), "by_images": rows["by_images"].mean(0)}

    def _solved(self, orderings: Sequence[Ordering], steps: list[int]) -> Arrays:
        """What came out of some orderings solved side by side."""
        fits = _NestedFits(self, orderings, steps)
        fits.run()
        return {
            "values": fits.right.sum(2).cpu().numpy() / fits.right.shape[2],
            "by_images": group_means(fits.right).permute(0, 2, 1).cpu().numpy(),
            "per_class": accuracy_by_class(fits.right, fits.truth, self.num_classes),
            "objective": fits.objective,
            "converged": fits.converged,
        }


class _NestedFits:
    """The probes of some orderings at ascending sizes: where each begins, and what came out.

    Attributes
    ----------
    objective, converged : ndarray (orderings, sizes)
    right : Tensor of bool (orderings, sizes, test images)
    truth : Tensor (test images,)
    """

    def __init__(
        self, probe: LogisticProbe, orderings: Sequence[Ordering], steps: list[int]
    ) -> None:
        self.probe, self.orderings, self.steps = probe, orderings, steps
        self.penalty, self.num_classes = probe.penalty, probe.num_classes
        self.labels, self.truth = (
            labels.to(probe.device) for labels in (probe.labels, probe._test_set[1])
        )
        statistics, count = probe.statistics, len(orderings)
        self.d = statistics.d
        self.gram = statistics.relative_gram(probe.test)
        # The whole layer is one problem in whatever order its neurons come.
        self.ends = steps[-1] == self.d and all(one.order is not None for one in orderings)
        self.parts = steps[:-1] if self.ends else steps
        most = self.parts[-1] if self.parts else 0
        largest = [self.d if self.ends and b == 0 else most for b in range(count)]
        self.inverses = [
            inverse_factor(one.gram(self.gram)[:k, :k], self.num_classes, self.penalty)
            for one, k in zip(orderings, largest, strict=True)
            if k
        ]
        shape = count, len(steps)
        self.objective, self.converged = np.empty(shape), np.empty(shape, dtype=bool)
        self.right = torch.empty(*shape, len(self.truth), dtype=torch.bool, device=probe.device)

    def run(self) -> None:
        """Solve all probes."""
        last = whole = None
        for group in cheapest_groups(
            self.parts, len(self.orderings), len(self.labels), self.d, self.num_classes
        ):
            problems = self._problems(group, self.orderings)
            if len(group.sizes) == 1:
                start = problems.from_smaller(last)
            elif self.ends and group.sizes[0] >= NEAR * self.d:
                whole = self._whole(last) if whole is None else whole
                start = problems.from_whole(*whole)
            else:
                start = problems.from_ridge()
            last = self._solved(problems, start)
        if self.ends and whole is None:
            self._whole(last)

    def _problems(self, group: Group, orderings: Sequence[Ordering]) -> Problems:
        exact = self.probe.train.exact
        penalties = exact.new_full((len(orderings),), self.penalty)
        return Problems(
            self.probe.train,
            self.labels,
            self.num_classes,
            orderings,
            group,
            penalties,
            self.inverses,
        )

    def _solved(self, problems: Problems, start: Tensor) -> Tensor:
        """The weights (b, K + 1, C) of the largest size of a group, after the results of all its
        probes are noted.
        """
        minima = problems.fit(start)
        hits = (problems.guesses(self.probe.test, minima.weights) == self.truth[:, None]).T
        every = len(problems.orderings) < len(self.orderings)  # one solution for all orderings
        for i, (b, k) in enumerate(problems.problems):
            place = slice(None) if every else b, self.steps.index(k)
            self.objective[place] = minima.objective[i]
            self.converged[place] = minima.converged[i]
            self.right[place] = hits[i]
        return minima.weights[len(problems.group.sizes) - 1 :: len(problems.group.sizes)]

    def _whole(self, last: Tensor | None) -> tuple[Tensor, Tensor]:
        """Solve the whole layer, once for all orderings: the approximate Hessian times its weights
        (d, C), and its intercepts (C,).
        """
        problems = self._problems(Group((self.d,), True), self.orderings[:1])
        solution = self._solved(problems, problems.from_smaller(None if last is None else last[:1]))
        weights = problems.in_neurons(solution, [0])[:-1, 0]
        return (self.gram @ weights) * (CURVATURE / self.num_classes), solution[0, -1]
