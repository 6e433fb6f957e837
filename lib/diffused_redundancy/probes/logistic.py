"""The multinomial logistic probe: what the paper reports, solved to its optimum instead of by a
tuned SGD.

The objective is convex (cross-entropy with a ridge penalty, see :mod:`.cross_validation`), so its
minimum is a property of the features alone: no learning rate, schedule, order of data or
initialisation. It is minimised by L-BFGS until the quadratic model says that less than 2e-9 of it
is left to gain: then the guesses of at most one or two test images in thousands depend on where the
solver began (see :data:`TOLERANCE`), and of how many is measured. The whole layer is one problem in
whatever order or rotation its neurons come, and is solved once.

The probes of several orderings are solved side by side (see :mod:`.logistic_problems`), in groups
of sizes that share a product. A group of one size begins from the solution of the size before;
small sizes together begin from the multiple of the ridge solution with the least objective, and
large ones from the scores nearest to those of the whole layer that they can give. Rough solutions
are refined size by size (see :mod:`.class_curvature`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..measures.image_groups import group_means
from ..measures.selections import PAPER_FRACTIONS, Ordering, check_orderings, ordering, sizes_of
from ..measures.validation import as_features, check_finite
from .class_curvature import ill_conditioned, refined
from .cross_validation import LOGISTIC_GRID, PenaltyChoice, grid_for
from .design import DesignMatrix, centred_and_scaled, gathered_rows
from .lbfgs import HISTORY
from .logistic_penalty import cross_validate
from .logistic_problems import (
    CURVATURE,
    Problems,
    accumulator,
    inverse_factor,
    without_mean,
)
from .probe import Arrays, LinearProbe, accuracy_by_class, check_sizes
from .size_groups import Group, cheapest_groups

GATHERED_AT_ONCE = 1 << 30
"""Bytes of gathered features, preconditioners and the solver's vectors held at a time."""

HELD = 2 * HISTORY + 12
"""Vectors as long as the weights that the solver holds for a problem."""

NEARLY = 1e-3
"""The share of the objective left to gain at which sizes solved together are refined one by one."""

TOLERANCE = 2e-9
"""The share of the objective left to gain at which a probe is solved.

On features of the miniature networks (font style, 2,400 test images, 5 to 512 neurons) solutions at
2e-5 guess another class than the exact one for 8 to 74 images, at 2e-6 for 3 to 20, at 2e-7 for up
to 10, at 2e-8 for up to 1, at 2e-9 likewise; on Georgian letters (2,640) at 2e-8 for up to 3, at
2e-9 for up to 1.
"""

SAFETY = 3.0
"""Times the step that is left, by the quadratic model, that scores may move to the minimum. """

ORTHONORMAL = 1e-6
"""How far inner products of directions may be from those of an orthonormal basis."""

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
        self,
        grid: tuple[float, ...] | None = None,
        *,
        extend: bool | None = None,
        folds: int = 3,
        seed: int = 0,
    ) -> PenaltyChoice:
        """Choose the penalty of the whole layer by cross-validation on the train set.

        Parameters
        ----------
        grid : tuple of float, optional
            Penalties to try. By default 1e-5 to 100.
        extend : bool, optional
            Go beyond an end of the grid while that is best; by default that of the default grid
            alone.
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
            extend=grid is None if extend is None else extend,
            folds=folds,
            seed=seed,
            groups=self.features.groups,
            device=self.device,
        )

    @cached_property
    def whole(self) -> WholeLayer:
        """The probe on the whole layer: one problem, solved once."""
        return _whole_layer(self)

    @property
    def full_right(self) -> Tensor:
        """Which test images the probe on the whole layer guesses right: bool (m,)."""
        return torch.from_numpy(self.whole.right)

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
            ``sizes`` (s,), ``values``, ``objective`` and ``converged`` (orderings, s),
            ``per_class`` (orderings, s, C), ``undecided`` (orderings, s), the number of test
            images whose guess may differ from that of the exact solution, and ``hits`` (s, m), of
            how many orderings guess each test image right.
        """
        ordered = check_orderings(orderings, self.statistics.d)
        d, most = self.statistics.d, ordered[0].size
        steps = sizes_of(PAPER_FRACTIONS, d, most) if sizes is None else check_sizes(sizes, most)
        return self.joined([self.solved(some, steps) for some in self.batches(ordered, steps)])

    def batches(
        self, orderings: Sequence[Ordering], sizes: Sequence[int]
    ) -> list[Sequence[Ordering]]:
        """The orderings that :meth:`evaluate` solves side by side: all that memory holds."""
        shape = (len(self.labels), self.statistics.d, self.num_classes)
        batch = orderings_at_once(len(orderings), sizes, *shape)
        return [orderings[first : first + batch] for first in range(0, len(orderings), batch)]

    @staticmethod
    def joined(solved: Sequence[Arrays]) -> Arrays:
        """What :meth:`evaluate` returns, from what :meth:`solved` does of each batch."""
        rows = {
            name: np.concatenate([part[name] for part in solved])
            for name in solved[0]
            if name not in ("sizes", "hits")
        }
        hits = np.stack([part["hits"] for part in solved]).sum(0, dtype=np.int32)
        return {"sizes": solved[0]["sizes"], **rows, "hits": np.asarray(hits)}

    @staticmethod
    def of_curve(arrays: Arrays) -> Arrays:
        """What :meth:`evaluate` returns under the names of :class:`Curve`: the undecided images as
        a share of all, and hits by group of images.
        """
        kept = {k: one for k, one in arrays.items() if k not in ("undecided", "hits")}
        hits = torch.from_numpy(arrays["hits"] / len(arrays["values"]))
        return {
            **kept,
            "solver_error": arrays["undecided"] / arrays["hits"].shape[1],
            "by_images": group_means(hits).T.numpy(),
        }

    def solved(self, orderings: Sequence[Ordering], sizes: Sequence[int]) -> Arrays:
        """What :meth:`evaluate` returns, of some orderings solved side by side."""
        fits = _NestedFits(self, orderings, list(sizes))
        fits.run()
        return {
            "sizes": np.array(sizes),
            "values": fits.right.sum(2).cpu().numpy() / fits.right.shape[2],
            "per_class": accuracy_by_class(fits.right, fits.truth, self.num_classes),
            "objective": fits.objective,
            "converged": fits.converged,
            "undecided": fits.undecided,
            "hits": fits.right.sum(0, dtype=torch.int32).cpu().numpy(),
        }


def orderings_at_once(count: int, sizes: Sequence[int], n: int, d: int, num_classes: int) -> int:
    """How many orderings are solved side by side, of ``count`` with probes of ascending sizes, on n
    images and d neurons: as many as memory holds.
    """
    groups = cheapest_groups(sizes, count, n, d, num_classes)
    gathered = max(sizes[-1], sum(one.sizes[-1] for one in groups if not one.whole))
    solver = 4 * HELD * num_classes * sum(sizes)
    return max(1, GATHERED_AT_ONCE // (6 * (n * gathered + sizes[-1] ** 2) + solver))


@dataclass(frozen=True)
class WholeLayer:
    """The probe on all neurons, the same in whatever order or rotation they come.

    Attributes
    ----------
    weights : ndarray (d + 1, C), float32
        Of the centred and scaled neurons, and the intercepts.
    objective, converged
        As in a curve.
    undecided : int
        Test images whose guess may differ from that of the exact solution.
    right : ndarray of bool (m,)
        Which test images it guesses right.
    """

    weights: np.ndarray = field(repr=False)
    objective: float
    converged: bool
    undecided: int
    right: np.ndarray = field(repr=False)

    def arrays(self) -> Arrays:
        """Its fields, as the cache keeps them."""
        return {one.name: np.asarray(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> WholeLayer:
        """The opposite of :meth:`arrays`."""
        return cls(
            arrays["weights"],
            arrays["objective"].item(),
            bool(arrays["converged"].item()),
            int(arrays["undecided"].item()),
            arrays["right"].astype(bool),
        )


@dataclass(frozen=True)
class _Fitted:
    """Probes of one size: weights (p, k + 1, C), right guesses (p, m), and as in a curve (p,)."""

    weights: Tensor
    right: Tensor
    objective: np.ndarray
    converged: np.ndarray
    undecided: np.ndarray


def _problems(
    probe: LogisticProbe,
    group: Group,
    orderings: Sequence[Ordering],
    inverses: Sequence[Tensor],
    train: DesignMatrix | None = None,
) -> Problems:
    train = probe.train if train is None else train
    penalties = train.exact.new_full((len(orderings),), probe.penalty)
    labels = probe.labels.to(probe.device)
    return Problems(train, labels, probe.num_classes, orderings, group, penalties, inverses)


def _fitted(
    probe: LogisticProbe,
    orderings: Sequence[Ordering],
    inverses: Sequence[Tensor],
    gram: Tensor,
    near: Tensor,
    spent: np.ndarray,
) -> _Fitted:
    """Probes of one size solved to the last digits, from weights (p, k + 1, C) near them, to which
    it took so many evaluations (p,).
    """
    train, test = probe.train, probe.test
    kind = accumulator(test)
    if ill_conditioned(float(gram.trace()), probe.penalty, test.dtype):  # a very weak penalty
        exact = train.exact.to(kind)
        train, test = DesignMatrix(exact, exact), test.to(kind)
        near, gram, inverses = near.to(kind), gram.to(kind), [one.to(kind) for one in inverses]
    problems = _problems(probe, Group((near.shape[1] - 1,), False), orderings, inverses, train)
    minima = refined(problems, near, spent, gram, TOLERANCE)
    truth, right, undecided = probe._test_set[1].to(probe.device), [], []
    for one, weights, step in zip(orderings, minima.weights, minima.step, strict=True):
        X = gathered_rows(test, one, len(weights) - 1).T
        scores = X @ weights
        right.append(scores.argmax(1) == truth)
        undecided.append(count_undecided(scores, X @ step))
    return _Fitted(
        minima.weights.to(probe.test),
        torch.stack(right),
        minima.objective,
        minima.converged,
        np.array(undecided),
    )


def count_undecided(scores: Tensor, step: Tensor) -> int:
    """How many images may change their guess on the way to the minimum.

    Parameters
    ----------
    scores : Tensor (m, C)
        Where the solver ended.
    step : Tensor (m, C)
        How the quadratic model of the objective moves them from there to its minimum.

    Notes
    -----
    A class may pass the guessed one if it is nearer than ``SAFETY`` times the larger of two steps:
    that of the two scores towards each other, and the typical one (root mean square over images,
    between guess and runner-up). It is an estimate: for a bound the distance to the minimum would
    have to be known.
    """
    best, runner_up = scores.topk(2, 1).indices.T
    drift = (step - step.gather(1, best[:, None])).abs()
    typical = drift.gather(1, runner_up[:, None]).square().mean().sqrt()
    behind = scores.gather(1, best[:, None]) - scores
    near = behind < SAFETY * drift.clamp_min(float(typical))
    near.scatter_(1, best[:, None], False)
    return int(near.any(1).sum())


def _whole_layer(probe: LogisticProbe) -> WholeLayer:
    gram = probe.statistics.relative_gram(probe.test)
    every = [ordering("first", probe.statistics)]
    inverses = [inverse_factor(gram, probe.num_classes, probe.penalty)]
    problems = _problems(probe, Group((probe.statistics.d,), False), every, inverses)
    near = problems.fit(without_mean(problems.from_ridge()), tolerance=NEARLY)
    fitted = _fitted(probe, every, inverses, gram, near.weights, near.evaluations)
    return WholeLayer(
        fitted.weights[0].cpu().numpy(),
        float(fitted.objective[0]),
        bool(fitted.converged[0]),
        int(fitted.undecided[0]),
        fitted.right[0].cpu().numpy(),
    )


class _NestedFits:
    """The probes of some orderings at ascending sizes: where each begins, and what came out.

    Attributes
    ----------
    objective, converged, undecided : ndarray (orderings, sizes)
    right : Tensor of bool (orderings, sizes, test images)
    truth : Tensor (test images,)
    """

    def __init__(
        self, probe: LogisticProbe, orderings: Sequence[Ordering], steps: list[int]
    ) -> None:
        self.probe, self.orderings, self.steps = probe, orderings, steps
        self.truth = probe._test_set[1].to(probe.device)
        self.d = probe.statistics.d
        self.gram = probe.statistics.relative_gram(probe.test)
        self.ends = steps[-1] == self.d and all(map(is_rotation, orderings))
        self.parts = steps[:-1] if self.ends else steps
        most = self.parts[-1] if self.parts else 0
        self.inverses = [
            inverse_factor(one.first(most).gram(self.gram), probe.num_classes, probe.penalty)
            for one in orderings
            if most
        ]
        shape = len(orderings), len(steps)
        self.objective, self.converged = np.empty(shape), np.empty(shape, dtype=bool)
        self.undecided = np.empty(shape, dtype=int)
        self.right = torch.empty(*shape, len(self.truth), dtype=torch.bool, device=probe.device)

    def run(self) -> None:
        """Solve all probes."""
        last = None
        for group in cheapest_groups(
            self.parts,
            len(self.orderings),
            len(self.probe.labels),
            self.d,
            self.probe.num_classes,
        ):
            problems = _problems(self.probe, group, self.orderings, self.inverses)
            if self.ends and group.sizes[0] >= NEAR * self.d:
                start = problems.from_whole(*self._whole())
            elif len(group.sizes) == 1:
                start = problems.from_smaller(last)
            else:
                start = problems.from_ridge()
            near = problems.fit(without_mean(start), tolerance=NEARLY)
            del problems
            for i, k in enumerate(group.sizes):
                some = slice(i, None, len(group.sizes))
                weights = near.weights[some]
                inside = torch.cat([weights[:, :k], weights[:, -1:]], 1)
                last = self._note(k, inside, near.evaluations[some])
        if self.ends:
            whole = self.probe.whole
            self.objective[:, -1], self.converged[:, -1] = whole.objective, whole.converged
            self.undecided[:, -1] = whole.undecided
            self.right[:, -1] = torch.from_numpy(whole.right).to(self.right.device)

    def _note(self, k: int, near: Tensor, spent: np.ndarray) -> Tensor:
        """The weights (b, k + 1, C) of the probes of one size, after what came out is noted."""
        fitted = _fitted(self.probe, self.orderings, self.inverses, self.gram, near, spent)
        place = self.steps.index(k)
        self.objective[:, place] = fitted.objective
        self.converged[:, place] = fitted.converged
        self.undecided[:, place] = fitted.undecided
        self.right[:, place] = fitted.right
        return fitted.weights

    def _whole(self) -> tuple[Tensor, Tensor]:
        """The approximate Hessian times the whole layer's weights (d, C), and its intercepts."""
        weights = torch.from_numpy(self.probe.whole.weights).to(self.gram)
        return (self.gram @ weights[:-1]) * (CURVATURE / self.probe.num_classes), weights[-1]


def is_rotation(ordering: Ordering) -> bool:
    """Whether an ordering holds the whole space, in whatever order or rotation: then a penalty on
    the squared weights is the same as for the neurons themselves.
    """
    if ordering.size < ordering.d:
        return False
    if ordering.directions is None:
        return True
    inner = ordering.directions.T @ ordering.directions
    return bool((inner - torch.eye(ordering.d).to(inner)).abs().max() < ORTHONORMAL)
