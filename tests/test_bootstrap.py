"""The bootstrap against the normal interval, and against resamples drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest
from diffused_redundancy.measures.bootstrap import (
    interval_of_mean,
    percentile_interval,
    resampling_weights,
)


def test_interval_of_a_mean_against_the_normal_one():
    values = np.random.default_rng(0).normal(0.5, 0.1, 200)
    low, high = interval_of_mean(values)
    half = 1.96 * values.std() / np.sqrt(200)
    assert low == pytest.approx(values.mean() - half, abs=0.003)
    assert high == pytest.approx(values.mean() + half, abs=0.003)
    assert np.isnan(interval_of_mean(values[:1])).all()


def test_weights_are_those_of_the_resamples():
    values = np.random.default_rng(1).random((5, 3))
    draws = np.random.default_rng(7).integers(5, size=(40, 5))
    weights = resampling_weights(5, resamples=40, seed=7)
    assert weights @ values == pytest.approx(values[draws].mean(1))


def test_a_generator_goes_on_from_where_it_is():
    rng = np.random.default_rng(0)
    first, second = (resampling_weights(4, resamples=50, seed=rng) for _ in range(2))
    assert np.array_equal(first, resampling_weights(4, resamples=50, seed=0))
    assert not np.array_equal(first, second)


def test_percentiles():
    low, high = percentile_interval(np.arange(1001.0), 0.9)
    assert (low, high) == pytest.approx((50, 950))
