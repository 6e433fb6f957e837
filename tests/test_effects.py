"""Many effects on the same images: against SciPy, and in simulations whose answer is known."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.probes.neuron_removal import without_each
from diffused_redundancy.uncertainty.effects import (
    below_at_once,
    by_chance,
    effects_of,
    rank_correlation,
    wrong_signs,
)
from scipy.stats import false_discovery_control, spearmanr, ttest_1samp


def made(m: int = 150, d: int = 40, seed: int = 0, size: float = 0.3) -> np.ndarray:
    """Differences that depend on one another, of which every second effect is 0."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((m, d)) + rng.standard_normal((m, 1))
    return mixed + size * np.tile([1.0, 0.0, -1.0, 0.0], d // 4)


def test_effects_against_scipy():
    differences = made()
    effects = effects_of(differences)
    theirs = ttest_1samp(differences, 0)
    interval = theirs.confidence_interval(0.95)
    assert effects.mean == pytest.approx(differences.mean(0))
    assert effects.p == pytest.approx(theirs.pvalue)
    assert effects.low == pytest.approx(interval.low) and effects.high == pytest.approx(
        interval.high
    )


def test_the_correction_is_that_of_benjamini_and_hochberg():
    effects = effects_of(made())
    order = np.argsort(effects.p)
    steps = effects.p[order] * 40 / np.arange(1, 41)
    expected = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1)
    assert effects.q[order] == pytest.approx(expected)
    assert (effects.above | effects.below).sum() == (expected <= 0.05).sum() > 0
    assert (effects.mean[effects.above] > 0).all() and (effects.mean[effects.below] < 0).all()


def test_equal_differences_and_none():
    effects = effects_of(np.array([[0.0, 0.1, -0.1, 1], [0.0, 0.1, -0.1, -1]]))
    assert effects.p.tolist() == [1, 0, 0, 1]
    assert effects.above.tolist() == [False, True, False, False]
    assert effects.below.tolist() == [False, False, True, False]
    for wrong in (np.zeros((1, 3)), np.zeros(3)):
        with pytest.raises(dr.InputError, match="of two images"):
            effects_of(wrong)


def test_chance_names_next_to_nothing():
    """Without any effect something is named in 5% of the cases at most, and far from it is where
    there is one.
    """
    chance = by_chance(made())
    assert np.mean(chance.above + chance.below > 0) < 0.1
    effects = effects_of(made())
    assert (effects.above | effects.below).sum() > 5
    assert 0.4 < chance.raised < 0.6
    assert (np.diff(chance.ranked) >= 0).all()
    nothing = np.sort([made(size=0, seed=seed).mean(0) for seed in range(200)], 1).mean(0)
    assert by_chance(made(size=0)).ranked == pytest.approx(nothing, abs=0.03)
    again = by_chance(made())
    assert np.array_equal(again.above, chance.above) and again.raised == chance.raised


def test_harm_is_tested_for_alone_over_all_families():
    families = [made(seed=seed)[:, some] for seed, some in ((1, slice(4)), (2, slice(4, 40)))]
    p = np.concatenate([ttest_1samp(one, 0, alternative="less").pvalue for one in families])
    expected = false_discovery_control(p) <= 0.05
    named = below_at_once([effects_of(one) for one in families])
    assert [len(one) for one in named] == [4, 36]
    assert np.concatenate(named).tolist() == expected.tolist() and 0 < expected.sum() < 20


def test_many_that_help_do_not_make_others_harm():
    """Corrected together with what helps, noise would be named as harm."""
    rng = np.random.default_rng(3)
    helps, noise = rng.standard_normal((200, 2000)) + 1, rng.standard_normal((200, 2000))
    together = effects_of(np.hstack([helps, noise]))
    assert together.below.sum() > 10
    harm = below_at_once([effects_of(helps), effects_of(noise)])
    assert sum(one.sum() for one in harm) == 0


def test_bounds_hold_at_once():
    truth, held = np.tile([0.2, -0.1], 20), 0
    for seed in range(300):
        values = np.random.default_rng(seed).standard_normal((60, 40)) + truth
        held += (effects_of(values).bound(40) <= truth).all()
    assert 0.92 < held / 300 < 0.98
    one = effects_of(made())
    scipys = ttest_1samp(made(), 0, alternative="greater").confidence_interval(1 - 0.05 / 7)
    assert one.bound(7) == pytest.approx(scipys.low)


def test_wrong_signs_are_counted():
    """Of effects that are all 0, half of those named have the wrong sign; of large ones none."""
    assert wrong_signs(made(size=3.0)[:, ::2]) == 0
    rng = np.random.default_rng(0)
    heavy = rng.standard_normal((40, 4))
    heavy -= heavy.mean(0) - 1e-6  # effects of nearly nothing, all above 0
    below = [effects_of(heavy[rng.integers(40, size=40)]).below.any() for _ in range(500)]
    assert wrong_signs(heavy, experiments=500) == pytest.approx(np.mean(below), abs=0.03)


def test_false_discoveries_where_neurons_are_noise():
    """A ridge probe on 8 neurons that tell classes apart and 32 of pure noise, for given train
    images. Removing most of the noise truly helps, by a little; what is named after correction has
    the sign it has over all images there could be, in 95% of the cases or more.
    """
    rng = np.random.default_rng(0)
    n, population = 300, 20_000
    y = np.arange(n + population) % 4
    X = rng.standard_normal((len(y), 40))
    X[:, :8] += 0.5 * rng.standard_normal((4, 8))[y]
    probe = dr.RidgeProbe(dr.Features(X[:n], y[:n], X[n:], y[n:]), penalty=0.01)
    without = without_each(probe)
    truth = without["loss"].mean(0)
    assert (truth[:8] > 0).mean() > 0.7 and (truth[8:] < 0).mean() > 0.7
    assert np.abs(truth[8:]).max() < truth[:8].max() / 5
    wrong, named, helpful = [], 0, 0
    for _ in range(100):
        effects = effects_of(without["loss"][rng.integers(population, size=400)])
        clear = effects.above | effects.below
        wrong.append(
            (clear & (np.sign(effects.mean) != np.sign(truth))).sum() / max(1, clear.sum())
        )
        named += int(effects.below.sum())
        helpful += int(effects.above[:8].sum())
    assert np.mean(wrong) < 0.05
    assert named > 100 and helpful > 300  # the test has power, for real harm of noise as well


def test_rank_correlation_against_scipy_and_its_interval():
    rng = np.random.default_rng(0)
    other = rng.standard_normal(60)
    held, widths = [], []
    effects = other + rng.standard_normal(60)
    truth = spearmanr(effects, other).statistic
    for _ in range(60):
        by_group = effects + rng.normal(0, 3, (80, 60))
        rho, low, high = rank_correlation(by_group, other)
        assert rho == pytest.approx(spearmanr(by_group.mean(0), other).statistic)
        held.append(low - 0.02 <= truth <= high + 0.02)
        widths.append(high - low)
    assert np.mean(held) > 0.85 and 0 < np.mean(widths) < 0.3
    assert np.isnan(rank_correlation(by_group, np.ones(60))[0])
