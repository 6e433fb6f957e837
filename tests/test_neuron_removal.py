"""Removing neurons one at a time: against refitting without them, in plain NumPy."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import plain
import pytest
from conftest import features_of, make_layer
from diffused_redundancy.measures import cka_images
from diffused_redundancy.measures.cka_removal import cka_without_each, removal_by_images
from diffused_redundancy.measures.image_groups import group_means
from diffused_redundancy.probes import neuron_removal
from diffused_redundancy.probes.neuron_removal import without_each, without_some
from diffused_redundancy.probes.ridge import ridge_alpha


@pytest.fixture
def parts():
    X, y = make_layer(n=300, d=24)
    X[:, 5] = 2  # a constant neuron
    return X[:200], y[:200], X[200:], y[200:]


def refitted(parts, alpha: float, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Squared errors and right guesses of the test images, and the objective on the train ones."""
    X, y, X_test, y_test = parts
    X, X_test = X[:, kept], X_test[:, kept]
    scores = plain.ridge_scores(X, y, X_test, alpha, 5)
    fitted = plain.ridge_scores(X, y, X, alpha, 5)
    Xc, Y = plain.centred(X), np.eye(5)[y]
    W = np.linalg.solve(Xc.T @ Xc + alpha * np.eye(Xc.shape[1]), Xc.T @ (Y - Y.mean(0)))
    objective = ((fitted - Y) ** 2).sum() + alpha * (W**2).sum()
    loss = ((scores - np.eye(5)[y_test]) ** 2).sum(1)
    return loss, scores.argmax(1) == y_test, objective


@pytest.mark.parametrize("penalty", [1e-3, 0.3])
@pytest.mark.parametrize("at_once", [1 << 22, 35])  # in one block, and seven images at a time
def test_each_neuron_against_refitting_without_it(parts, penalty, at_once, monkeypatch):
    monkeypatch.setattr(neuron_removal, "_NUMBERS_AT_ONCE", at_once)
    probe = dr.RidgeProbe(features_of(parts), penalty=penalty)
    without = without_each(probe)
    alpha = ridge_alpha(probe.statistics, penalty)
    loss, right, objective = refitted(parts, alpha, np.arange(24))
    assert without["full_loss"] == pytest.approx(loss, abs=1e-9)
    assert (without["full_right"] == right).all() and right.mean() == probe.full
    changes = 0
    for neuron in range(24):
        kept = np.delete(np.arange(24), neuron)
        other_loss, other_right, other_objective = refitted(parts, alpha, kept)
        assert without["loss"][:, neuron] == pytest.approx(other_loss - loss, abs=1e-9)
        assert (without["right"][:, neuron] == other_right.astype(int) - right).all()
        assert without["objective"][neuron] == pytest.approx(other_objective / objective - 1)
        changes += int((other_right != right).sum())
    assert changes > 5  # of guesses
    assert (without["objective"] >= 0).all()
    assert (without["loss"][:, 5] == 0).all()


def test_standardised_and_float32(parts):
    X, y, X_test, y_test = parts
    scaled = np.where(X.std(0) > 0, X.std(0), 1)
    one = without_each(dr.RidgeProbe(features_of(parts), penalty=0.1, standardize=True))
    same = (X / scaled, y, X_test / scaled, y_test)
    other = without_each(dr.RidgeProbe(features_of(same), penalty=0.1))
    assert one["loss"] == pytest.approx(other["loss"], abs=1e-9)
    half = (X.astype(np.float32), y, X_test.astype(np.float32), y_test)
    third = without_each(dr.RidgeProbe(features_of(half), penalty=0.1))
    exact = without_each(dr.RidgeProbe(features_of(parts), penalty=0.1))
    assert third["loss"] == pytest.approx(exact["loss"], abs=1e-5)


def test_some_neurons_against_refitting_without_them(parts):
    probe = dr.RidgeProbe(features_of(parts), penalty=0.1)
    alpha = ridge_alpha(probe.statistics, 0.1)
    dropped = np.zeros(24, dtype=bool)
    for some in ([], [3], [0, 2, 5, 9, 23]):
        dropped[:] = False
        dropped[some] = True
        loss, right, _ = refitted(parts, alpha, np.flatnonzero(~dropped))
        ours = without_some(probe, dropped)
        assert ours[0] == pytest.approx(loss, abs=1e-9) and (ours[1] == right).all()
    with pytest.raises(dr.InputError, match="one at least False"):
        without_some(probe, np.ones(24, dtype=bool))
    with pytest.raises(dr.InputError, match=r"truth values \(24,\)"):
        without_some(probe, np.arange(24))


def test_copies_can_be_removed_at_little_cost(parts):
    """Without a penalty worth the name, a neuron that has a copy does not matter."""
    X, y, X_test, y_test = parts
    twice = (np.hstack([X, X[:, :1]]), y, np.hstack([X_test, X_test[:, :1]]), y_test)
    without = without_each(dr.RidgeProbe(features_of(twice), penalty=1e-7))
    assert np.abs(without["loss"][:, [0, 24]]).max() < 1e-4
    assert np.abs(without["loss"][:, 1:24]).max() > 1e-2


def test_cka_without_each_neuron(parts):
    X = parts[0]
    lost = cka_without_each(dr.SufficientStatistics.from_features(X))
    for neuron in range(24):
        assert lost[neuron] == pytest.approx(1 - plain.cka(np.delete(X, neuron, 1), X), abs=1e-13)
    assert lost[5] == 0 and (lost >= 0).all()
    small = cka_without_each(dr.SufficientStatistics.from_features(1e-6 * X))
    assert small == pytest.approx(lost, abs=1e-13)
    alone = np.arange(6.0)[:, None] * [1, 0]
    assert cka_without_each(dr.SufficientStatistics.from_features(alone)).tolist() == [1, 0]
    with pytest.raises(dr.InputError, match="every neuron is constant"):
        cka_without_each(dr.SufficientStatistics.from_features(alone * 0))


@pytest.mark.parametrize("first", [1, 50])  # how many times the scale of the other neurons
def test_influence_of_images_on_cka_without_each_neuron(parts, first):
    """Against the infinitesimal jackknife by differences: each image with a little more weight."""
    X = parts[0][:60] * np.where(np.arange(24) == 0, first, 1)
    s = dr.SufficientStatistics.from_features(X)
    by_images = removal_by_images(s, X)
    value, step = cka_without_each(s), 1e-5
    derivatives = []
    for image in range(60):
        weights = np.ones(60)
        weights[image] += step * 60
        weights /= weights.sum()
        C = (X - weights @ X).T @ (weights[:, None] * (X - weights @ X))
        P = C * C
        T, a, p = P.sum(), P.sum(1), np.diag(P)
        moved = 1 - (T - a) / np.sqrt(np.where(a > 0, T - 2 * a + p, T) * T)
        derivatives.append((moved - value) / step)
    import torch

    expected = group_means(torch.from_numpy(np.array(derivatives).T)).numpy().T
    assert by_images - value == pytest.approx(expected, rel=2e-3, abs=5e-6)


def test_many_images_are_told_from_some(parts, monkeypatch):
    X, _ = make_layer(n=2000, d=24)
    s = dr.SufficientStatistics.from_features(X)
    monkeypatch.setattr(cka_images, "IMAGES", 2000)
    every = removal_by_images(s, X).std(0)
    monkeypatch.setattr(cka_images, "IMAGES", 500)
    some = removal_by_images(s, X)
    assert np.median(some.std(0) / every) == pytest.approx(1, abs=0.3)
    assert some.mean(0) == pytest.approx(cka_without_each(s), abs=1e-12)
