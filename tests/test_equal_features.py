"""Features without redundancy: independent and equally useful, against simulated ones."""

from __future__ import annotations

import numpy as np
import pytest
from diffused_redundancy.measures.equal_features import equal_features_redundancy
from scipy.stats import norm


@pytest.mark.parametrize(("classes", "apart"), [(2, 0.9), (10, 1.5)])
def test_against_simulated_features(classes, apart):
    """Class means that are drawn independently for each feature, and images told by the nearest."""
    rng, m, n = np.random.default_rng(classes), 300, 1000
    labels, curves = np.arange(n) % classes, []
    for _ in range(8):
        means = rng.normal(0, apart * np.sqrt(2 / m), (classes, m))
        images = rng.normal(means[labels], 1)
        scores = np.cumsum(images[:, None] * means - means**2 / 2, axis=2)
        curves.append((scores.argmax(1) == labels[:, None]).mean(0))
    accuracy = np.mean(curves, 0)
    for chance in (0.0, 1 / classes):
        bar = chance + 0.9 * (accuracy[-1] - chance)
        simulated = 1 - (np.flatnonzero(accuracy >= bar)[0] + 1) / m
        found = equal_features_redundancy(accuracy[-1], 0.9, m, classes, chance)
        assert found == pytest.approx(simulated, abs=0.06)


def test_it_moves_in_steps_and_grows_with_the_accuracy():
    full = np.linspace(0.15, 0.999, 30)
    for m in (8, 100):
        found = equal_features_redundancy(full, 0.9, m, 10, 0.1)
        assert found * m == pytest.approx(np.round(found * m))
        assert (np.diff(found[full > 0.5]) >= 0).all() and found[-1] > 2 * found[0]
    assert equal_features_redundancy(0.9, 1.0, 50, 10) == 0
    assert equal_features_redundancy(0.9, 0.8, 50, 10) > equal_features_redundancy(0.9, 0.9, 50, 10)


def test_of_features_that_guess_none_can_go():
    assert equal_features_redundancy(0.1, 0.9, 8, 10) == 0
    assert equal_features_redundancy([0.05, 0.1], 0.9, 8, 10).tolist() == [0, 0]
    assert equal_features_redundancy(1.0, 0.9, 64, 4) > 0.5


@pytest.mark.parametrize("full", [0.51, 0.6, 0.9, 0.99])
def test_of_two_classes_it_is_the_square_of_a_ratio_of_normal_quantiles(full):
    """The right one of two scores is the larger with the probability Phi(distance / sqrt 2)."""
    for chance in (0.0, 0.5):
        bar = chance + 0.95 * (full - chance)
        share = (norm.ppf(max(bar, 0.5)) / norm.ppf(full)) ** 2
        found = equal_features_redundancy(full, 0.95, 1000, 2, chance)
        assert found == pytest.approx(1 - max(share, 0.001), abs=0.0015)


def test_one_feature_stays_and_none_is_added():
    assert equal_features_redundancy(0.105, 0.9, 8, 10) == 1 - 1 / 8  # 0.9 of it is below guessing
    assert equal_features_redundancy(0.3, 0.9, 8, 10, chance=0.5) == 0
