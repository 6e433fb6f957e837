"""Gains of a chosen order over random ones: against plain computations and by simulation."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from curves import made_curve
from diffused_redundancy.measures.gains import gain_at, gap_at, gap_draws, outside
from scipy.stats import norm


def of_images(values: np.ndarray, effect: np.ndarray, **given: object) -> dr.Curve:
    """A curve whose values on groups of images deviate by ``effect`` (groups,)."""
    mean = np.atleast_2d(values).mean(0)
    return made_curve(values, by_images=mean + effect[:, None] * np.ones(len(mean)), **given)


def test_a_gain_is_what_it_says():
    random = made_curve([[0.2, 0.4], [0.4, 0.5], [0.6, 0.6]])
    chosen = made_curve([0.7, 0.55], "pca", seeds=[0])
    gain = gain_at(chosen, random, 2)
    assert (gain.k, gain.value, gain.beaten, gain.orders) == (2, 0.55, 2, 3)
    assert gain.gain == pytest.approx(0.05)
    assert np.isnan([gain.low, gain.high, gain.p]).all()  # of one order, without images
    with pytest.raises(dr.InputError, match="k = 3 was not measured"):
        gain_at(chosen, random, 3)


def test_the_interval_and_p_are_over_orders_and_shared_images():
    rng = np.random.default_rng(0)
    shared, own = rng.normal(0, 0.05, (2, 100))
    orders = rng.normal(0.5, 0.1, (40, 1))
    random = of_images(orders, shared)
    chosen = of_images(np.array([0.53]), shared + own / 5, selection="pca", seeds=[0])
    gain = gain_at(chosen, random, 1)
    error = np.sqrt(orders.var(ddof=1) / 40 + (own / 5).var(ddof=1) / 100)
    assert gain.high - gain.low == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert gain.p == pytest.approx(2 * norm.sf(abs(gain.gain) / error), rel=0.3)
    draws = gap_draws(chosen, [0], random, [0], confidence=None)
    assert draws.std() == pytest.approx(error, rel=0.1)
    ours, theirs = (one.resampled(confidence=None).values[:, 0] for one in (chosen, random))
    sd = np.sqrt(((ours - theirs - (ours - theirs).mean()) ** 2).sum() / (len(ours) - 1))
    assert gain.p == pytest.approx(2 * norm.sf(abs(gain.gain) / sd), rel=1e-9)


def test_an_equal_order_is_not_beaten():
    random = made_curve([[0.2], [0.5], [0.5], [0.7]])
    assert gain_at(made_curve([0.5], "pca", seeds=[0]), random, 1).beaten == 1


def test_p_is_small_as_often_as_it_says():
    """Where a chosen order is one like the others' mean, but measured on other images."""
    rng = np.random.default_rng(1)
    p = []
    for _ in range(300):
        random = of_images(rng.normal(0.5, 0.1, (50, 1)), np.zeros(60))
        noise = rng.normal(0, 0.2, 60)
        chosen = of_images(np.array([0.5 + noise.mean()]), noise - noise.mean(), selection="pca")
        p.append(gain_at(chosen, random, 1).p)
    assert np.mean(np.array(p) <= 0.05) < 0.1
    assert 0.2 < np.mean(np.array(p) <= 0.5) < 0.8


def test_equal_curves_have_no_gain():
    effect = np.linspace(-0.1, 0.1, 10)
    one = of_images(np.array([0.5]), effect, selection="pca", seeds=[0])
    gain = gain_at(one, of_images(np.array([0.5]), effect), 1)
    assert (gain.gain, gain.low, gain.high, gain.p) == (0, 0, 0, 1)


def test_gaps_of_several_places_are_averaged():
    a = made_curve(np.random.default_rng(0).random((20, 6)))
    b = made_curve(np.random.default_rng(1).random((20, 6)))
    gap, low, high = gap_at(a, [1, 4], b, [0, 5])
    assert gap == pytest.approx(a.mean[[1, 4]].mean() - b.mean[[0, 5]].mean())
    whole = a.resampled().values[:, [1, 4]].mean(1) - b.resampled().values[:, [0, 5]].mean(1)
    assert (low, high) == pytest.approx(np.quantile(whole, [0.025, 0.975]))
    narrow = gap_at(a, [1, 4], b, [0, 5], confidence=0.5)
    first, second = (one.resampled(confidence=0.5).values for one in (a, b))
    whole = first[:, [1, 4]].mean(1) - second[:, [0, 5]].mean(1)
    assert narrow == pytest.approx((gap, *np.quantile(whole, [0.25, 0.75])))


def test_where_a_curve_leaves_those_of_random_orders():
    random = made_curve([[0.2, 0.4, 0.8, 1], [0.3, 0.5, 0.9, 1]])
    assert outside(made_curve([0.1, 0.45, 0.95, 1], "pca"), random).tolist() == [-1, 0, 1, 0]
    ties = made_curve([0.2, 0.5 + 1e-14, 0.8 - 1e-14, 1], "pca")
    assert outside(ties, random).tolist() == [0, 0, 0, 0]
    few = made_curve([0.95], "pca", sizes=[3], d=4)
    assert outside(few, random).tolist() == [1]
    with pytest.raises(dr.InputError, match="at sizes that the random ones were not"):
        outside(random, few)
