"""Accuracy over classes, plainly: the Gini index by its definition, what to expect if all classes
lost alike, and resampling outright. What ``audit.py`` holds the tables of fairness against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm, spearmanr, t

Mean = Callable[[np.ndarray], np.ndarray]

NULLS = ("same share of accuracy", "same shift of logits", "same shift of margins")


def gini(a: np.ndarray) -> np.ndarray:
    """Half the mean difference between two classes, as a share of the mean; (..., C)."""
    mean = a.mean(-1)
    apart = np.abs(a[..., :, None] - a[..., None, :]).mean((-1, -2))
    return np.where(mean > 0, apart / np.where(mean > 0, 2 * mean, 1), 0.0)


def by_class(right: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Means of (..., m) over the images of each class that has any, (..., C)."""
    return np.stack([right[..., labels == c].mean(-1) for c in np.unique(labels)], -1)


def worst(a: np.ndarray, share: float = 0.0) -> np.ndarray:
    """The mean of the worst share of the classes, one at least."""
    return np.sort(a, -1)[..., : max(1, int(share * a.shape[-1] + 1e-9))].mean(-1)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's corrected p-values; NaN is no comparison."""
    known = [i for i in np.argsort(p, kind="stable") if p[i] == p[i]]
    corrected, running = np.full(len(p), np.nan), 0.0
    for rank, i in enumerate(known):
        running = max(running, p[i] * (len(known) - rank))
        corrected[i] = min(running, 1)
    return corrected


def widened(rows: int, confidence: float = 0.95) -> float:
    """What deviations over few rows are multiplied by: sqrt(n / (n - 1)) and Student's t."""
    end = (1 + confidence) / 2
    return float(np.sqrt(rows / (rows - 1)) * t.ppf(end, rows - 1) / norm.ppf(end))


def halves(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every second image of a class, and the others."""
    turn, seen = np.empty(len(labels), dtype=int), dict.fromkeys(labels.tolist(), 0)
    for i, label in enumerate(labels.tolist()):
        turn[i] = seen[label] % 2
        seen[label] += 1
    return turn == 0, turn == 1


def agreement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Mean Spearman correlation of each row of one with each other row of the other."""
    found = [
        spearmanr(ours[i], theirs[j]).statistic
        for i in range(len(ours))
        for j in range(len(theirs))
        if i != j and np.ptp(ours[i]) > 0 and np.ptp(theirs[j]) > 0
    ]
    return float(np.mean(found)) if found else float("nan")


def _shift(mean_at: Callable[[float], float], target: float, reach: float) -> float:
    """Where a falling function reaches a target; an end where it does not."""
    if mean_at(-reach) <= target:
        return -reach
    if mean_at(reach) >= target:
        return reach
    return brentq(lambda s: mean_at(s) - target, -reach, reach, xtol=1e-12)


def _scatter(margins: np.ndarray, right: np.ndarray) -> float:
    """The scatter of margins at which subsets (seeds, m) disagree on images as often as they do."""
    mean, unit, seeds = right.mean(), margins.std() or 1.0, len(right)
    if seeds < 2:
        return unit / 1000
    share = right.mean(0)
    wanted = (share * (1 - share)).mean() * seeds / (seeds - 1)

    def short(log: float) -> float:
        p = _chances(margins, mean, unit * np.exp(log))
        return -(p * (1 - p)).mean()

    return unit * float(np.exp(_shift(short, -wanted, np.log(1000.0))))


def _chances(margins: np.ndarray, mean: float, scatter: float) -> np.ndarray:
    reach = np.abs(margins).max() + 8 * scatter
    s = _shift(lambda s: norm.cdf((margins - s) / scatter).mean(), mean, reach)
    return norm.cdf((margins - s) / scatter)


def margin_chances(margins: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Chances of images, (m,), to be guessed right after one shift of all margins, each of which
    scatters alike.
    """
    return _chances(margins, right.mean(), _scatter(margins, right))


def posterior_logits(
    right: np.ndarray, counts: np.ndarray, rng: np.random.Generator, steps: int = 400
) -> np.ndarray:
    """One draw of the logits of classes for each row of right guesses, (rows, C), in the model that
    they are normal, with a flat prior of their centre on (-3, 8) and a half-Cauchy one of their
    spread on (0.05, 4): the end of a Metropolis chain for each row.
    """
    rows, C = right.shape
    logit = np.log((right + 0.5) / (counts - right + 0.5))
    centre, spread = logit.mean(1).clip(-2.9, 7.9), logit.std(1).clip(0.1, 3.9)
    step = 2.4 / np.sqrt(counts * expit(logit) * expit(-logit) + 0.1)

    def log_density(x: np.ndarray) -> np.ndarray:
        likelihood = -right * np.logaddexp(0, -x) - (counts - right) * np.logaddexp(0, x)
        return likelihood - (x - centre[:, None]) ** 2 / (2 * spread[:, None] ** 2)

    def of_spread(s: np.ndarray, squares: np.ndarray) -> np.ndarray:
        return -(C - 1) * np.log(s) - squares / (2 * s**2) - np.log1p(s**2)

    for _ in range(steps):
        new = logit + step * rng.standard_normal((rows, C))
        taken = np.log(rng.random((rows, C))) < log_density(new) - log_density(logit)
        logit = np.where(taken, new, logit)
        drawn = rng.normal(logit.mean(1), spread / np.sqrt(C))
        centre = np.where((drawn > -3) & (drawn < 8), drawn, centre)
        squares = ((logit - centre[:, None]) ** 2).sum(1)
        other = spread * np.exp(0.5 * rng.standard_normal(rows))
        gain = of_spread(other, squares) - of_spread(spread, squares)
        better = (np.log(rng.random(rows)) < gain) & (other > 0.05) & (other < 4)
        spread = np.where(better, other, spread)
    return logit


def _bisected(mean_at: Mean, target: np.ndarray, reach: float) -> np.ndarray:
    """Where each of some falling functions reaches its target, (rows,)."""
    low, high = np.full(len(target), -reach), np.full(len(target), reach)
    for _ in range(50):
        middle = (low + high) / 2
        above = mean_at(middle) > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2


@dataclass(frozen=True)
class Cell:
    """Guesses of one network on one task at one size: of the whole layer, ``full`` and ``margins``
    (m,), and of subsets, ``right`` (seeds, m).
    """

    full: np.ndarray
    margins: np.ndarray
    right: np.ndarray
    labels: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        return np.unique(self.labels, return_counts=True)[1]

    def expected(self, draws: int = 1000, seed: int = 1) -> dict[tuple[str, str], float]:
        """Mean Gini index and worst class by null, of guesses drawn image by image."""
        rng, counts = np.random.default_rng(seed), self.counts
        mean, whole = self.right.mean(), self.full.mean()
        right = np.rint(by_class(self.full.astype(float), self.labels) * counts)
        logits = posterior_logits(np.tile(right, (draws, 1)), counts, rng)
        weight = counts / counts.sum()
        shift = _bisected(lambda s: expit(logits - s[:, None]) @ weight, np.full(draws, mean), 30.0)
        rates = np.tile(right / counts * min(mean / max(whole, 1e-12), 1), (draws, 1))
        chances = margin_chances(self.margins, self.right)
        sampled = (
            rng.binomial(counts, rates) / counts,
            rng.binomial(counts, expit(logits - shift[:, None])) / counts,
            by_class(rng.random((draws, len(chances))) < chances, self.labels),
        )
        return {
            (null, name): float(index(one).mean())
            for null, one in zip(NULLS, sampled, strict=True)
            for name, index in (("Gini", gini), ("worst class", worst))
        }

    def deviation(self, resamples: int = 150, seed: int = 2) -> dict[tuple[str, str], float]:
        """Standard deviation of each excess over subsets (one less than there are) and over images
        of each class, both drawn with replacement: the variances over either alone, less what
        drawing both adds to their sum.
        """
        rng, (seeds, m) = np.random.default_rng(seed), self.right.shape
        if seeds < 2:
            return {(null, name): np.nan for null in NULLS for name in ("Gini", "worst class")}
        drawn = rng.integers(seeds, size=(resamples, seeds - 1))
        subsets = (drawn[:, :, None] == np.arange(seeds)).mean(1)
        images = np.zeros((resamples, m))
        for c in np.unique(self.labels):
            places = np.flatnonzero(self.labels == c)
            for row in range(resamples):
                np.add.at(images[row], rng.choice(places, len(places)), 1)
        all_seeds, all_images = np.full(subsets.shape, 1 / seeds), np.ones(images.shape)
        noise = rng.standard_normal((25, len(self.counts)))
        by_images = self._excess(images, all_seeds, noise, seed)
        by_subsets = self._excess(all_images, subsets, noise, seed)
        by_both = self._excess(images, subsets, noise, seed)
        found = {}
        for key in by_both:
            a, b = by_images[key].var(ddof=1), by_subsets[key].var(ddof=1)
            rest = (by_both[key] - by_images[key] - by_subsets[key]).var(ddof=1)
            found[key] = float(np.sqrt(max(a + b - rest, a, b)))
        return found

    def _excess(
        self, images: np.ndarray, subsets: np.ndarray, noise: np.ndarray, seed: int
    ) -> dict[tuple[str, str], np.ndarray]:
        """Observed less expected index, (rows,), with weights of images and of subsets."""
        counts, labels, rows, few = self.counts, self.labels, len(images), len(noise)
        total = counts.sum()
        each = np.stack([by_class(images * right, labels) for right in self.right], 1)
        mean = (images * (subsets @ self.right)).sum(1) / total
        full = np.rint(by_class(images * self.full, labels) * counts)
        rng = np.random.default_rng(seed)
        logits = posterior_logits(np.repeat(full, few, 0), counts, rng, 200)
        weight, target = counts / total, np.repeat(mean, few)
        shift = _bisected(lambda s: expit(logits - s[:, None]) @ weight, target, 30.0)
        shifted = expit(logits - shift[:, None]).reshape(rows, few, -1)
        kept = full / counts * np.minimum(mean / (full.sum(1) / total), 1)[:, None]
        scatter = _scatter(self.margins, self.right)
        reach = np.abs(self.margins).max() + 8 * scatter
        share = images / total
        s = _bisected(
            lambda s: (norm.cdf((self.margins - s[:, None]) / scatter) * share).sum(1), mean, reach
        )
        chances = norm.cdf((self.margins - s[:, None]) / scatter)
        of_margins = by_class(images * chances, labels)[:, None]
        spread = by_class(images**2 * chances * (1 - chances), labels)[:, None] / counts
        found = {}
        for null, rate, variance in (
            (NULLS[0], kept[:, None], kept[:, None] * (1 - kept[:, None]) / counts),
            (NULLS[1], shifted, shifted * (1 - shifted) / counts),
            (NULLS[2], of_margins, spread),
        ):
            sampled = np.maximum(rate + np.sqrt(variance) * noise, 0)
            for name, index in (("Gini", gini), ("worst class", worst)):
                observed = (index(each) * subsets).sum(1)
                found[null, name] = observed - index(sampled).mean(1)
        return found


def equally_hard(mean: float, counts: np.ndarray, draws: int = 2000, seed: int = 1) -> float:
    """The mean Gini index if all classes were equally hard."""
    counts = counts[counts > 0]
    return float(
        gini(
            np.random.default_rng(seed).binomial(counts, mean, (draws, len(counts))) / counts
        ).mean()
    )


def crossed_deviation(blocks: Sequence[np.ndarray]) -> float:
    """Standard deviation of a mean over blocks (seeds, n) of images with the same seeds: from the
    mean squares of seeds, of images, and of what is left.
    """
    seeds = len(blocks[0])
    if seeds < 2 or min(block.shape[1] for block in blocks) < 2:
        return float("nan")
    parts = len(blocks)
    of_seeds = np.var(np.mean([block.mean(1) for block in blocks], 0), ddof=1) / seeds
    of_images = of_rest = 0.0
    for block in blocks:
        n = block.shape[1]
        rows, columns, mean = block.mean(1), block.mean(0), block.mean()
        of_images += np.var(columns, ddof=1) / n / parts**2
        rest = block - rows[:, None] - columns[None, :] + mean
        of_rest += (rest**2).sum() / ((seeds - 1) * (n - 1)) / (n * seeds) / parts**2
    return float(np.sqrt(max(of_images + of_seeds - of_rest, of_images, of_seeds)))
