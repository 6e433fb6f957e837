"""Resampling against resamples drawn by hand, and intervals against the truth they should hold."""

from __future__ import annotations

import numpy as np
import pytest
from curves import made_curve
from diffused_redundancy.uncertainty.bootstrap import (
    interval_of_mean,
    percentile_interval,
    resampled,
    resampling_weights,
    widening,
)
from scipy import stats


def test_interval_of_a_mean_is_scipys():
    values = np.random.default_rng(0).normal(0.5, 0.1, 7)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert interval_of_mean(values) == pytest.approx((theirs.low, theirs.high))
    assert np.isnan(interval_of_mean(values[:1])).all()


def test_weights_are_those_of_resamples():
    values = np.random.default_rng(1).random((5, 3))
    times = np.random.default_rng((7,)).multinomial(5, [0.2] * 5, size=40)
    drawn = np.stack([np.repeat(values, row, axis=0).mean(0) for row in times])
    weights = resampling_weights(5, 40, (7,)) / widening(5)
    assert values.mean(0) + weights @ values == pytest.approx(drawn)


def test_percentiles():
    low, high = percentile_interval(np.arange(1001.0), 0.9)
    assert (low, high) == pytest.approx((50, 950))


def test_nothing_to_resample():
    assert resampled(np.ones((1, 3)), 1.0) is None


def test_images_alone_are_resampled():
    by_images = np.random.default_rng(2).random((50, 4))
    draws = resampled(by_images.mean(0)[None], 1.0, by_images, by_images[:, -1])
    assert draws.values.std(0) == pytest.approx(by_images.std(0) / np.sqrt(50), rel=0.1)
    assert draws.full - 1 == pytest.approx(draws.values[:, -1] - by_images[:, -1].mean())


@pytest.mark.parametrize("seeds", [5, 40])
def test_deviations_add_up_over_draws_and_images(seeds):
    """Against a bootstrap of both at once on the whole table of hits."""
    rng = np.random.default_rng(3)
    ease, skill = rng.normal(size=400), rng.normal(0, 0.5, seeds)
    hits = rng.random((seeds, 400)) < 1 / (1 + np.exp(-ease - skill[:, None]))
    both = []
    for _ in range(2000):
        some = hits[rng.integers(seeds, size=seeds)][:, rng.integers(400, size=400)]
        both.append(some.mean())
    draws = resampled(hits.mean(1)[:, None], 1.0, hits.mean(0)[:, None], resamples=2000)
    shares = hits.mean(1).var() / seeds, hits.mean(0).var() / 400
    wide = sum(share * widening(n) ** 2 for share, n in zip(shares, (seeds, 400), strict=True))
    assert draws.values.std() == pytest.approx(np.sqrt(wide), rel=0.05)
    assert np.std(both) == pytest.approx(np.sqrt(sum(shares)), rel=0.12)


def coverage(seeds: int, images: int) -> tuple[float, float]:
    """Of 300 experiments on draws and images of a known population: how often intervals over both,
    and over draws alone, hold DR of the population.
    """
    rng = np.random.default_rng(4)
    sizes = np.arange(1, 301)
    true = (1 - np.exp(-sizes[:, None] / np.linspace(40, 80, 2001))).mean(1)
    truth = 1 - (np.argmax(true >= 0.9 * 0.99) + 1) / 300
    held = np.zeros(2)
    for _ in range(300):
        curves = 1 - np.exp(-sizes / rng.uniform(40, 80, seeds)[:, None])
        ease = [part.mean() for part in np.array_split(rng.normal(0, 0.6, images), 50)]
        by_images = curves.mean(0) * (1 + 0.8 * np.array(ease)[:, None] * (1 - sizes / 300))
        values = curves * (by_images.mean(0) / curves.mean(0))
        for place, known in enumerate((by_images, None)):
            found = made_curve(values, full=0.99, by_images=known).redundancy(0.9, resamples=400)
            held[place] += found.low - 1e-9 <= truth <= found.high + 1e-9
    return tuple(held / 300)


def test_intervals_over_few_draws_hold_the_truth_as_often_as_they_say():
    assert min(coverage(5, 3000)) >= 0.93


def test_images_are_a_source_of_variance_of_their_own():
    both, draws_alone = coverage(100, 300)
    assert both >= 0.93 and draws_alone < 0.8
