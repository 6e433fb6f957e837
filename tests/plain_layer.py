"""One layer's numbers from its features, in float64 and the plainest way: slices of Gram matrices,
one solve a probe, hat matrices, scikit-learn's logistic regression. What ``audit.py`` holds tables
against. Nothing of the library is imported; torch draws the numbers that define random selections.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import torch
from scipy import linalg
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression, RidgeClassifier

SEEDED = ("random", "random_projection", "gaussian_projection")
"""Selections that a seed determines; the others have the seed 0."""

RIDGE_WITHIN, LOGISTIC_WITHIN = 1.001, 1.02
"""Times the least held-out loss up to which a stronger penalty is as good: the rule as stated."""

TIE = 1e-5
"""Scores of two classes, 0 to 1, that float32 features do not tell apart."""

TIE_OF_BOTTOM = 2e-4
"""The same of bottom components: those of little variance are mixed by rounding. A Gram matrix that
is off by 1e-8, as products of float32 features are, moves scores of the bottom 149 by 1.6e-4.
"""


def size_of(fraction: float, d: int) -> int:
    """The authors' rounding."""
    return max(1, int(fraction * d))


def sizes_of(fractions: Iterable[float], d: int) -> list[int]:
    return sorted({size_of(fraction, d) for fraction in fractions}) or list(range(1, d + 1))


def orders(seeds: Sequence[int], count: int) -> list[int]:
    """Seeds of random orders: those given, then 1, 2, 3, ... up to ``count``."""
    listed = list(seeds)
    for seed in range(1, count + 1):
        if len(listed) < count and seed not in listed:
            listed.append(seed)
    return listed


def permutation(count: int, seed: int) -> np.ndarray:
    """``torch.manual_seed(seed); torch.randperm(count)``, whatever else draws meanwhile."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed)).numpy()


def folds_of(y: np.ndarray, folds: int, views: int = 1) -> np.ndarray:
    """The fold of each row: images are shuffled (seed 0), sorted by class and dealt in turn. Views
    of an image share its fold.
    """
    images = len(y) // views
    shuffled = permutation(images, 0)
    dealt = shuffled[np.argsort(y[:images][shuffled], kind="stable")]
    fold = np.empty(images, dtype=int)
    fold[dealt] = np.arange(images) % min(folds, images)
    return np.tile(fold, views)


def first_reaching(values: np.ndarray, bar: float, sizes: Sequence[int]) -> int | None:
    """The first size whose value reaches a bar, to within rounding."""
    for size, value in zip(sizes, values, strict=True):
        if value >= bar - 1e-12 * abs(bar):
            return int(size)
    return None


@dataclass(frozen=True)
class Choice:
    """Held-out loss and accuracy of some penalties, and the loss of each image, (units, g)."""

    grid: np.ndarray
    loss: np.ndarray
    accuracy: np.ndarray
    by_image: np.ndarray
    within: float

    @property
    def penalty(self) -> float:
        """The strongest whose loss is as good as the least."""
        return float(self.grid[self.loss <= self.within * self.loss.min()].max())

    @property
    def errors(self) -> np.ndarray:
        """Of the difference of the losses of every two penalties, paired by image, (g, g)."""
        g, units = len(self.grid), len(self.by_image)
        errors = np.empty((g, g))
        for i in range(g):
            for j in range(g):
                errors[i, j] = np.std(self.by_image[:, j] - self.by_image[:, i], ddof=1)
        return errors / np.sqrt(units)

    @property
    def alike(self) -> list[float]:
        """Penalties within one paired standard error of the best, or as good by the rule."""
        best = int(self.loss.argmin())
        allowed = np.maximum(self.errors[best], (self.within - 1) * self.loss[best])
        return self.grid[self.loss - self.loss[best] <= allowed].tolist()


def common(choices: Sequence[Choice]) -> float:
    """One penalty for several networks: by the mean of their losses, relative to each least."""
    if len(choices) == 1:
        return choices[0].penalty
    loss = np.mean([one.loss / one.loss.min() for one in choices], 0)
    return float(choices[0].grid[loss <= choices[0].within * loss.min()].max())


def half_decades(least: float, most: float) -> np.ndarray:
    """Two penalties a decade between two ends, to three digits."""
    first, last = (round(2 * np.log10(end)) for end in (least, most))
    return np.array([float(f"{10 ** (e / 2):.3g}") for e in range(first, last + 1)])


def eighths(alike: Sequence[float]) -> np.ndarray:
    """Eight penalties a decade from half a decade below some to half a decade above."""
    first, last = (round(8 * np.log10(end)) for end in (min(alike), max(alike)))
    return np.array([float(f"{10 ** (e / 8):.3g}") for e in range(first - 4, last + 5)])


def band_of(alike: Sequence[float], penalty: float, most: int = 5) -> list[float]:
    """The penalties that a band is computed at: the ends, the one in force, and some between."""
    every = sorted({*alike, penalty})
    places = np.linspace(0, len(every) - 1, min(most, len(every))).round().astype(int)
    kept = sorted({every[place] for place in places})
    if penalty not in kept:
        nearest = min(kept[1:-1], key=lambda one: abs(every.index(one) - every.index(penalty)))
        kept = sorted({penalty, *kept} - {nearest})
    return kept


def _equal(scores: np.ndarray, tie: float) -> int:
    """How many images of (m, C) have two largest scores that are nearer than that."""
    return int((np.diff(np.partition(scores, -2, axis=1)[:, -2:]) < tie).sum())


class PlainLayer:
    """Features of one network on one task, and what follows from them.

    ``X`` (n, d) and ``T`` (m, d) are train and test features in float64, centred by the train mean;
    ``y`` and ``z`` their labels.
    """

    def __init__(
        self,
        X: np.ndarray,
        y: np.ndarray,
        T: np.ndarray,
        z: np.ndarray,
        *,
        views: int = 1,
    ) -> None:
        X, T = np.asarray(X, dtype=float), np.asarray(T, dtype=float)
        self.y, self.z, self.views = np.asarray(y), np.asarray(z), views
        self.mean = X.mean(0)
        self.X, self.T = X - self.mean, T - self.mean
        (self.n, self.d), self.m = X.shape, len(T)
        self.classes = int(max(self.y.max(), self.z.max())) + 1
        self.Y = np.eye(self.classes)[self.y]
        self.prior = self.Y.mean(0)
        self.counts = np.bincount(self.z, minlength=self.classes)
        self.guessing = self.counts.max() / self.m
        self._right: dict[tuple[float, str, int], dict[int, np.ndarray]] = {}
        self.ties: dict[tuple[float, str, int, int], int] = {}
        self._logistic: dict[tuple[float, str, int, int], np.ndarray] = {}

    def standardized(self) -> PlainLayer:
        """The layer with every neuron divided by its standard deviation; constant ones stay."""
        deviation = self.X.std(0)
        deviation[deviation <= 1e-12 * deviation.max()] = 1
        return PlainLayer(self.X / deviation, self.y, self.T / deviation, self.z, views=self.views)

    @cached_property
    def gram(self) -> np.ndarray:
        return self.X.T @ self.X

    @cached_property
    def variance(self) -> float:
        """Mean over neurons of their variance: the unit of penalties."""
        return float(self.X.var(0).mean())

    @cached_property
    def r(self) -> float:
        return float((np.diag(self.gram) ** 2).sum() / (self.gram**2).sum())

    @cached_property
    def constant(self) -> int:
        return int((self.X.std(0) <= 1e-12 * self.X.std(0).max()).sum())

    def alpha(self, penalty: float) -> float:
        """What scikit-learn's ridge calls alpha."""
        return penalty * self.n * self.variance

    # Selections

    @cached_property
    def components(self) -> np.ndarray:
        """Principal components by descending variance, as many as have any beyond float32."""
        _, singular, rows = linalg.svd(self.X, full_matrices=False)
        noise = self.d * np.finfo(np.float32).eps / 100 * singular[0] ** 2
        rank = min(self.n - 1, self.d - self.constant, int((singular**2 > noise).sum()))
        return rows[:rank].T

    @cache  # noqa: B019 - one audit, few layers
    def directions(self, selection: str, seed: int) -> np.ndarray:
        """The matrix Q (d, r) whose first k columns are kept."""
        if selection in ("random", "first"):
            order = permutation(self.d, seed) if selection == "random" else np.arange(self.d)
            return np.eye(self.d)[:, order]
        if selection in ("pca", "pca_least"):
            return self.components if selection == "pca" else self.components[:, ::-1]
        generator = torch.Generator().manual_seed(seed)
        if selection == "random_projection":
            drawn = torch.rand(self.d, self.d, generator=generator).double().numpy()
            return drawn / np.linalg.norm(drawn, axis=0)
        if selection == "gaussian_projection":
            drawn = torch.randn(self.d, self.d, generator=generator).double().numpy()
            return np.linalg.qr(drawn)[0]
        raise ValueError(f"no definition of {selection!r} here")

    def kept(self, X: np.ndarray, selection: str, seed: int, k: int | None = None) -> np.ndarray:
        """The first k neurons or directions of centred features."""
        if selection == "random":
            return X[:, permutation(self.d, seed)[:k]]
        return X @ self.directions(selection, seed)[:, :k]

    def most(self, selection: str) -> int:
        """The largest k there is."""
        return self.components.shape[1] if selection.startswith("pca") else self.d

    # CKA

    @cache  # noqa: B019
    def _crossed(self, selection: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Squares of A'X by row, and of A'A, for A the features in the order of a selection."""
        if selection == "random":
            order = permutation(self.d, seed)
            return (self.gram[order] ** 2).sum(1), self.gram[np.ix_(order, order)] ** 2
        A = self.kept(self.X, selection, seed)
        return ((A.T @ self.X) ** 2).sum(1), (A.T @ A) ** 2

    def cka(self, selection: str, seed: int, sizes: Sequence[int]) -> np.ndarray:
        """CKA with the whole layer, each size by itself from slices."""
        rows, block = self._crossed(selection, seed)
        whole = np.sqrt((self.gram**2).sum())
        values = [rows[:k].sum() / (np.sqrt(block[:k, :k].sum()) * whole) for k in sizes]
        self._crossed.cache_clear()
        return np.array(values)

    def debiased(self, seed: int, sizes: Sequence[int]) -> np.ndarray:
        """Debiased CKA of random neurons: HSIC_1 (Song and others 2012) of n x n kernels, which
        grow by one neuron at a time.
        """
        A, n = self.kept(self.X, "random", seed), self.n
        L = self.X @ self.X.T
        np.fill_diagonal(L, 0)
        L_rows, L_sum = L.sum(1), L.sum()

        def hsic(product: float, own: np.ndarray, other: np.ndarray) -> float:
            total = product + own.sum() * other.sum() / ((n - 1) * (n - 2))
            return (total - 2 / (n - 2) * (own @ other)) / (n * (n - 3))

        whole = hsic(float(np.vdot(L, L)), L_rows, L_rows)
        assert np.isclose(L_sum, L_rows.sum())
        K, done, values = np.zeros((n, n)), 0, []
        for k in sizes:
            part = A[:, done:k]
            K += part @ part.T
            np.fill_diagonal(K, 0)
            done, rows = k, K.sum(1)
            own = hsic(float(np.vdot(K, K)), rows, rows)
            cross = hsic(float(np.vdot(K, L)), rows, L_rows)
            values.append(cross / np.sqrt(own * whole) if own > 0 else np.nan)
        return np.array(values)

    def closed_form(self) -> np.ndarray:
        k = np.arange(1, self.d + 1)
        return np.sqrt(k / self.d) / np.sqrt(self.r + (1 - self.r) * (k - 1) / max(self.d - 1, 1))

    # Ridge probes

    def _ridge_scores(self, A: np.ndarray, B: np.ndarray, penalty: float) -> np.ndarray:
        """Scores of rows of B of the probe trained on A, from its normal equations."""
        gram = A.T @ A
        return self._scores_of(gram, A.T @ (self.Y - self.prior), B, penalty)

    def _scores_of(
        self, gram: np.ndarray, right_hand: np.ndarray, B: np.ndarray, penalty: float
    ) -> np.ndarray:
        matrix = gram.copy()
        matrix[np.diag_indices(len(matrix))] += self.alpha(penalty)
        return B @ linalg.solve(matrix, right_hand, assume_a="pos") + self.prior

    def right(self, penalty: float, selection: str, seed: int, sizes: Sequence[int]) -> np.ndarray:
        """Which test images ridge probes guess right, (sizes, m): one solve for each size."""
        known = self._right.setdefault((penalty, selection, seed), {})
        wanted = [k for k in sizes if k not in known]
        if wanted:
            last = max(wanted)
            if selection == "random":
                order = permutation(self.d, seed)[:last]
                gram, B = self.gram[np.ix_(order, order)], self.T[:, order]
                right_hand = self.cross[order]
            else:
                A = self.kept(self.X, selection, seed, last)
                gram, B = A.T @ A, self.kept(self.T, selection, seed, last)
                right_hand = A.T @ (self.Y - self.prior)
            for k in wanted:
                scores = self._scores_of(gram[:k, :k], right_hand[:k], B[:, :k], penalty)
                known[k] = np.packbits(scores.argmax(1) == self.z)
                tie = TIE_OF_BOTTOM if selection == "pca_least" else TIE
                self.ties[penalty, selection, seed, k] = _equal(scores, tie)
        return np.unpackbits(np.stack([known[k] for k in sizes]), axis=1, count=self.m).astype(bool)

    @cached_property
    def cross(self) -> np.ndarray:
        """X'Y of the centred features."""
        return self.X.T @ (self.Y - self.prior)

    def sklearn_right(self, penalty: float, selection: str, seed: int, k: int) -> np.ndarray:
        """The same by scikit-learn, at one size."""
        A, B = (self.kept(part, selection, seed, k) for part in (self.X, self.T))
        probe = RidgeClassifier(alpha=self.alpha(penalty)).fit(A, self.y)
        return probe.predict(B) == self.z

    @cache  # noqa: B019
    def whole_scores(self, penalty: float) -> np.ndarray:
        return self._scores_of(self.gram, self.cross, self.T, penalty)

    def whole_right(self, penalty: float) -> np.ndarray:
        return self.whole_scores(penalty).argmax(1) == self.z

    def whole_ties(self, penalty: float) -> float:
        """The share of test images whose guess rests on less than float32 features can tell."""
        return _equal(self.whole_scores(penalty), TIE) / self.m

    def margins(self, penalty: float) -> np.ndarray:
        """The score of an image's own class less the best other one."""
        scores = self.whole_scores(penalty)
        own = scores[np.arange(self.m), self.z]
        others = np.where(np.arange(self.classes) == self.z[:, None], -np.inf, scores)
        return own - others.max(1)

    def above_guessing(self, full: float) -> bool:
        """The exact binomial test that a probe is better than guessing the largest class."""
        return bool(binom.sf(round(full * self.m) - 1, self.m, self.guessing) < 0.05)

    @cached_property
    def _kernel_basis(self) -> tuple[np.ndarray, np.ndarray]:
        return linalg.eigh(self.gram)

    def ridge_choice(self, grid: Sequence[float]) -> Choice:
        """Leave-one-out by explicit hat matrices; views of an image are left out together."""
        own = self.Y - self.prior
        values, vectors = self._kernel_basis
        projected = self.X @ vectors
        images = self.n // self.views
        losses, accuracies, each = [], [], []
        for penalty in grid:
            half = projected / np.sqrt(values + self.alpha(penalty))
            errors = own - half @ (half.T @ own)
            for image in range(images):
                rows = image + images * np.arange(self.views)
                left = np.eye(self.views) - half[rows] @ half[rows].T - 1 / self.n
                errors[rows] = np.linalg.solve(left, errors[rows])
            scores = own - errors

            def by_image(rows: np.ndarray) -> np.ndarray:
                return rows.reshape(self.views, images).mean(0)

            spread, product, square = (
                by_image((a * b).sum(1)) for a, b in ((own, own), (own, scores), (scores, scores))
            )
            factor = max(product.sum(), 0) / square.sum()
            one = spread - 2 * factor * product + factor**2 * square
            losses.append(one.mean())
            each.append(one)
            accuracies.append(by_image((scores + self.prior).argmax(1) == self.y).mean())
        return Choice(
            np.asarray(grid),
            np.array(losses),
            np.array(accuracies),
            np.stack(each, 1),
            RIDGE_WITHIN,
        )

    # Logistic probes

    def _fit(self, A: np.ndarray, y: np.ndarray, penalty: float) -> LogisticRegression:
        """The multinomial logistic probe on features in units of the root mean variance."""
        C = 1 / (len(A) * penalty) * (2 if len(np.unique(y)) == 2 else 1)
        return LogisticRegression(C=C, tol=1e-7, max_iter=20000).fit(A, y)

    def _scores(self, probe: LogisticRegression, B: np.ndarray) -> np.ndarray:
        found = probe.decision_function(B)
        if found.ndim == 1:
            found = np.stack([-found / 2, found / 2], 1)
        scores = np.full((len(B), self.classes), -np.inf)
        scores[:, probe.classes_] = found
        return scores

    def logistic_scores(self, penalty: float, selection: str, seed: int, k: int) -> np.ndarray:
        """Scores of test images, (m, C). The whole layer is one problem in whatever order."""
        if selection == "random" and k == self.d:
            seed = 0
        key = penalty, selection, seed, k
        if key not in self._logistic:
            unit = np.sqrt(self.variance)
            if selection == "random" and k == self.d:
                A, B = self.X, self.T
            else:
                A, B = (self.kept(part, selection, seed, k) for part in (self.X, self.T))
            probe = self._fit(A / unit, self.y, penalty)
            self._logistic[key] = self._scores(probe, B / unit)
        return self._logistic[key]

    def logistic_choice(self, grid: Sequence[float]) -> Choice:
        """Three-fold cross-validation, the scores times the best common factor."""
        fold = folds_of(self.y, 3, self.views)
        images = self.n // self.views
        losses, accuracies, each = [], [], []
        for penalty in grid:
            scores = np.empty((self.n, self.classes))
            for f in range(fold.max() + 1):
                train, held = fold != f, fold == f
                mean = self.X[train].mean(0)
                unit = np.sqrt(self.X[train].var(0).mean())
                probe = self._fit((self.X[train] - mean) / unit, self.y[train], penalty)
                scores[held] = self._scores(probe, (self.X[held] - mean) / unit)

            def entropy(log_factor: float, scores: np.ndarray = scores) -> np.ndarray:
                return -log_softmax(np.exp(log_factor) * scores, 1)[np.arange(self.n), self.y]

            best = minimize_scalar(
                lambda log, entropy=entropy: entropy(log).mean(),
                bounds=(-12, 6),
                method="bounded",
                options={"xatol": 1e-8},
            )
            one = entropy(best.x).reshape(self.views, images).mean(0)
            losses.append(one.mean())
            each.append(one)
            accuracies.append((scores.argmax(1) == self.y).mean())
        return Choice(
            np.asarray(grid),
            np.array(losses),
            np.array(accuracies),
            np.stack(each, 1),
            LOGISTIC_WITHIN,
        )

    # Choosing k on train images

    def validated(
        self, penalty: float, seed: int, sizes: Sequence[int], folds: int = 5
    ) -> np.ndarray:
        """Accuracy by class of random neurons on train images held out in turn, (sizes, C)."""
        fold = folds_of(self.y, folds, self.views)
        right = np.zeros((len(sizes), self.n), dtype=bool)
        for f in range(fold.max() + 1):
            train, held = fold != f, fold == f
            part = self._folds.setdefault(
                f, PlainLayer(self.X[train], self.y[train], self.X[held], self.y[held])
            )
            right[:, held] = part.right(penalty, "random", seed, sizes)
        return np.stack([right[:, self.y == c].mean(1) for c in np.unique(self.y)], 1)

    @cached_property
    def _folds(self) -> dict[int, PlainLayer]:
        return {}
