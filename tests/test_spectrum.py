"""Dimensions and scale of a layer: against plain eigenvalues, by their identity and limits, and the
influence of images by finite differences.
"""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import make_layer
from diffused_redundancy.measures.image_groups import image_groups
from diffused_redundancy.measures.spectrum import Spectrum, spectrum
from scipy.stats import entropy, ortho_group


def statistics_of(X: np.ndarray) -> dr.SufficientStatistics:
    return dr.SufficientStatistics.from_features(X, device="cpu")


def plain(X: np.ndarray, weight: np.ndarray | None = None, *, standardize: bool = False):
    """Participation ratio, squared variation of variances and effective rank, in NumPy."""
    weight = np.ones(len(X)) if weight is None else weight
    centred = X - weight @ X / weight.sum()
    gram = (centred * weight[:, None]).T @ centred
    if standardize:
        deviation = np.sqrt(gram.diagonal())
        deviation[deviation < 1e-9] = 1
        gram = gram / np.outer(deviation, deviation)
    eigenvalues = np.linalg.eigvalsh(gram).clip(0)
    variances = gram.diagonal()
    return np.array(
        [
            eigenvalues.sum() ** 2 / (eigenvalues**2).sum(),
            variances.var() / variances.mean() ** 2,
            np.exp(entropy(eigenvalues)),
        ]
    )


def uneven(n: int = 300) -> np.ndarray:
    X = make_layer(n=n, d=20)[0] * np.geomspace(1, 4, 20) + 2
    X[:, 5] = 7.0  # constant
    return X


@pytest.mark.parametrize("standardize", [False, True])
def test_against_plain_eigenvalues(standardize):
    X = uneven()
    found = spectrum(statistics_of(X), standardize=standardize)
    assert found.values == pytest.approx(plain(X, standardize=standardize), abs=1e-9)
    assert found.by_images is None and found.resampled() is None
    assert found.intervals()[0][0] == found.participation / 20


@pytest.mark.parametrize("standardize", [False, True])
def test_r_is_dimensions_times_scale(standardize):
    s = statistics_of(uneven())
    found = spectrum(s, standardize=standardize)
    r = dr.diagonal_share(s.standardized() if standardize else s)
    assert found.diagonal_share == pytest.approx(r, abs=1e-12)


def test_limits():
    copies = spectrum(statistics_of(np.arange(9.0)[:, None] * np.ones(5)))
    assert copies.values == pytest.approx([1, 0, 1], abs=1e-9)
    alike = spectrum(statistics_of(np.concatenate([np.eye(4), -np.eye(4)])))
    assert alike.values == pytest.approx([4, 0, 4], abs=1e-9)
    assert alike.diagonal_share == pytest.approx(1)
    one = np.concatenate([np.eye(4), -np.eye(4)]) * [1000, 1, 1, 1]
    assert spectrum(statistics_of(one)).values == pytest.approx([1, 3, 1], abs=1e-3)
    with pytest.raises(dr.InputError, match="all constant"):
        spectrum(statistics_of(np.ones((5, 3))))


def test_a_rotation_keeps_dimensions_and_has_the_expected_r():
    X = uneven()
    before = spectrum(statistics_of(X))
    shares = []
    for seed in range(300):
        turned = spectrum(statistics_of(X @ ortho_group.rvs(20, random_state=seed)))
        shares.append(turned.diagonal_share)
        if seed < 3:
            assert turned.participation == pytest.approx(before.participation)
            assert turned.effective_rank == pytest.approx(before.effective_rank)
    error = np.std(shares) / np.sqrt(len(shares))
    assert abs(np.mean(shares) - before.rotated_share) < 4 * error < 0.01


@pytest.mark.parametrize("standardize", [False, True])
def test_influence_of_images_is_the_derivative(standardize):
    X = uneven(250)
    found = spectrum(statistics_of(X), X, standardize=standardize)
    assert found.by_images.shape == (100, 3)
    assert found.by_images.mean(0) == pytest.approx(found.values)
    groups, step = image_groups(250), 1e-5
    derivatives = []
    for group in range(100):
        weight = np.where(groups == group, 1 + step, 1.0)
        changed = plain(X, weight, standardize=standardize)
        derivatives.append((changed - plain(X, standardize=standardize)) / step)
    expected = np.array(derivatives) * 100  # a group is a hundredth of the images
    expected -= expected.mean(0)
    assert found.by_images - found.values == pytest.approx(
        expected, abs=2e-4 * np.abs(expected).max()
    )


def test_intervals_hold_what_other_images_give():
    """The standard deviation over resamples is that over new images, roughly."""
    whole = uneven(6000)
    parts = [whole[i::20] for i in range(20)]
    others = np.array([spectrum(statistics_of(part)).dimensions for part in parts])
    drawn = [spectrum(statistics_of(part), part).resampled()[0].std() for part in parts[:5]]
    assert np.mean(drawn) == pytest.approx(others.std(ddof=1), rel=0.5)


def test_factors_multiply():
    X = uneven()
    ours, theirs = (spectrum(statistics_of(part), part) for part in (X, X[:, :9]))
    times, space, scale = ours.factors(theirs)
    assert times[0] == pytest.approx(ours.diagonal_share / theirs.diagonal_share)
    assert times[0] == pytest.approx(space[0] * scale[0])
    for value, low, high in (times, space, scale, *ours.intervals()):
        assert low < value < high
    assert ours.factors(ours)[0] == pytest.approx((1, 1, 1))
    unknown = Spectrum(4, 2.0, 1.0, 3.0)
    assert np.isnan(unknown.factors(ours)[1][1:]).all()
