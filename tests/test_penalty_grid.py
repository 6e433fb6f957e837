"""Grids of penalties go on where their end is best, as where one neuron varies the most by far;
which penalties cannot be told apart, and one penalty for several networks.
"""

from __future__ import annotations

import dataclasses

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from conftest import make_layer
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.probes.cross_validation import (
    LOGISTIC_GRID,
    RIDGE_GRID,
    HeldOut,
    PenaltyChoice,
    choose,
    common_choice,
    common_penalty,
    folds_of,
    united_grid,
)
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV


@pytest.fixture(scope="module")
def mixed():
    """Correlated features of five classes, and labels; 400 train images."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 1000)
    X = rng.standard_normal((1000, 40)) @ rng.standard_normal((40, 40))
    return X + 2 * np.eye(5)[y] @ rng.standard_normal((5, 40)), y


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")  # of scikit-learn
@pytest.mark.parametrize("times", [1, 300, 1000, 1e5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_large_neuron_hides_nothing(mixed, times, dtype):
    X, y = mixed
    X = (X * np.where(np.arange(40) == 0, times, 1)).astype(dtype)
    parts = X[:400], y[:400], X[400:], y[400:]
    features, (Z, labels, Z_test, truth) = dr.Features(*parts), parts
    Z, Z_test = Z.astype(float), Z_test.astype(float)
    alphas = len(Z) * Z.var(0).mean() * 10.0 ** np.arange(-13, 3, 0.5)
    ridge = RidgeClassifierCV(alphas=alphas).fit(Z, labels).score(Z_test, truth)
    assert dr.RidgeProbe(features).full >= ridge - 0.01
    logistic = max(
        LogisticRegression(C=C, max_iter=1000, solver="newton-cholesky")
        .fit(Z, labels)
        .score(Z_test, truth)
        for C in (1e-2, 1, 100)
    )
    assert dr.LogisticProbe(features).full >= logistic - 0.01


def test_usual_layers_are_tried_at_the_usual_penalties():
    X, y = make_layer()
    features = dr.Features(X[:300], y[:300], X[300:], y[300:])
    assert dr.RidgeProbe(features).choice.grid == RIDGE_GRID
    assert dr.LogisticProbe(features).choice.grid == LOGISTIC_GRID
    few = dr.LogisticProbe(features).choose_penalty((1e-3, 1e-2))
    assert few.grid == (1e-3, 1e-2)  # as asked for, no more


def choice_for(best, grid, **options):
    """Losses that are least at a penalty, and a tenth higher each decade from it."""

    def losses(penalties):
        tried.append(penalties)
        apart = np.abs(np.log10(penalties) - np.log10(best))
        loss = 1 + apart / 10
        return HeldOut(loss, np.ones(len(penalties)), np.stack([loss, loss]))

    tried: list[tuple[float, ...]] = []
    found = choose(losses, grid, 3, within=1.001, **options)
    assert sum(map(len, tried)) == len(set(sum(tried, ()))) == len(found.grid)
    return found


@pytest.mark.parametrize("grid", [RIDGE_GRID, LOGISTIC_GRID])
@pytest.mark.parametrize("best", [1e-9, 1e-6, 1e-3, 100.0, 1e4])
def test_grids_end_a_decade_beyond_the_best(grid, best):
    found = choice_for(best, grid, extend=True)
    assert found.penalty == best and not found.at_edge
    assert found.grid == tuple(sorted(found.grid))
    assert found.grid[0] == pytest.approx(min(best / 10, grid[0]))
    assert found.grid[-1] == pytest.approx(max(10 * best, grid[-1]))
    assert choice_for(best, grid, extend=False).grid == grid


@pytest.mark.parametrize(("best", "end"), [(1e-20, 1e-12), (1e20, 1e6)])
def test_grids_have_limits(best, end):
    found = choice_for(best, LOGISTIC_GRID, extend=True)
    assert found.at_edge and found.penalty == pytest.approx(end)


def test_a_cached_choice_knows_what_was_tried(mixed, tmp_path):
    X, y = mixed
    X = X * np.where(np.arange(40) == 0, 300, 1)
    features = dr.Features(X[:400], y[:400], X[400:], y[400:])
    from diffused_redundancy.store import Cache

    for _ in range(2):
        layer = ProbedLayer(lambda: features, key={"a": 1}, cache=Cache(tmp_path))
        for probe, first in (("ridge", RIDGE_GRID), ("logistic", LOGISTIC_GRID)):
            choice = layer.penalty(probe)
            assert choice.grid[0] < first[0] and len(choice.grid) == len(choice.loss)
            assert choice.grid[choice.at] == choice.penalty and choice.penalty in choice.alike
            assert choice.standard_errors.shape == (len(choice.grid),) * 2
            shorter = layer.choice_on(probe, choice.grid[:4])
            assert shorter.grid == choice.grid[:4]
            assert layer.penalty(probe).alike == choice.alike


def test_a_penalty_at_the_end_is_noted(monkeypatch, mixed):
    X, y = mixed
    given = X[:400], y[:400], X[400:], y[400:]
    assert dr.measure(*given, probe="both", seeds=1).notes == ()
    for place, end in ((0, "weakest"), (-1, "strongest")):
        for probe in ("ridge", "logistic"):
            original = ProbedLayer.__dict__[f"{probe}_penalty"].func

            def at_end(self, original=original, place=place):
                found = original(self)
                return dataclasses.replace(found, penalty=found.grid[place])

            with monkeypatch.context() as patch:
                patch.setattr(ProbedLayer, f"{probe}_penalty", property(at_end))
                notes = dr.measure(*given, probe="both", seeds=1).notes
                assert any(
                    f"penalty of the {probe} probe" in n and f"the {end}" in n for n in notes
                )
                if probe == "ridge":  # nothing to note of one's own
                    own = dr.measure(*given, penalty=0.1, seeds=1).notes
                    assert own == ()


FEW = tuple(10.0**e for e in np.arange(-3, 1, 0.5))


@pytest.fixture(scope="module")
def small():
    """Images enough for few penalties to be told apart."""
    return make_layer(n=80, d=12, classes=3, seed=1)


def left_out_in_turn(X, y, penalty):
    """What the ridge probes trained without each image in turn predict for it, less the mean of the
    one-hot labels: one fit an image; and what they should.
    """
    Y, alpha = np.eye(y.max() + 1)[y], penalty * len(X) * X.var(0).mean()
    predicted = np.empty_like(Y)
    for i in range(len(X)):
        others = np.arange(len(X)) != i
        mean, prior = X[others].mean(0), Y[others].mean(0)
        Z = X[others] - mean
        W = np.linalg.solve(Z.T @ Z + alpha * np.eye(X.shape[1]), Z.T @ (Y[others] - prior))
        predicted[i] = (X[i] - mean) @ W + prior
    return predicted - Y.mean(0), Y - Y.mean(0)


def squared_errors(predicted, truth):
    """By image, with the best factor of at least 0."""
    factor = max((predicted * truth).sum(), 0) / (predicted**2).sum()
    return ((truth - factor * predicted) ** 2).sum(1)


def alike_by_rule(by_image, grid, within):
    """From losses by image (n, g): paired standard errors, and the penalties they cannot tell."""
    loss = by_image.mean(0)
    best = loss.argmin()
    errors = (by_image - by_image[:, [best]]).std(0, ddof=1) / np.sqrt(len(by_image))
    kept = loss - loss[best] <= np.maximum(errors, (within - 1) * loss[best])
    return errors, tuple(np.array(grid)[kept].tolist())


def test_ridge_penalties_that_cannot_be_told_apart(small):
    X, y = small
    pairs = [left_out_in_turn(X, y, penalty) for penalty in FEW]
    by_image = np.stack([squared_errors(*pair) for pair in pairs], 1)
    choice = dr.RidgeProbe(dr.Features(X, y)).choose_penalty(FEW)
    assert np.allclose(choice.loss, by_image.mean(0), rtol=1e-10)
    best = int(np.argmin(choice.loss))
    errors, alike = alike_by_rule(by_image, FEW, choice.within)
    assert np.allclose(choice.standard_errors[best], errors, rtol=1e-8, atol=1e-14)
    assert choice.alike == alike and 1 < len(alike) < len(FEW) and choice.penalty in alike
    # with other images the best factor is another one, which matters little
    rng, differences = np.random.default_rng(0), []
    for _ in range(2000):
        drawn = rng.integers(len(y), size=len(y))
        means = [squared_errors(s[drawn], t[drawn]).mean() for s, t in pairs]
        differences.append(np.array(means) - means[best])
    resampled = np.std(differences, 0)
    others = np.arange(len(FEW)) != best
    assert np.allclose(resampled[others], errors[others], rtol=0.15)


def test_logistic_penalties_that_cannot_be_told_apart(small):
    X, y = small
    grid = (1e-3, 1e-2, 1e-1, 1.0)
    choice = dr.LogisticProbe(dr.Features(X, y)).choose_penalty(grid)
    fold, by_image = folds_of(torch.from_numpy(y), 3, 0).numpy(), np.empty((len(y), len(grid)))
    for column, penalty in enumerate(grid):
        scores = np.empty((len(y), 3))
        for f in range(3):
            Z, labels = X[fold != f], y[fold != f]
            C = 1 / (len(Z) * penalty * Z.var(0).mean())
            model = LogisticRegression(C=C, max_iter=1000, tol=1e-8).fit(Z, labels)
            scores[fold == f] = model.decision_function(X[fold == f])

        def entropies(factor, scores=scores):
            return logsumexp(factor * scores, 1) - factor * scores[np.arange(len(y)), y]

        best = minimize_scalar(lambda factor, of=entropies: of(factor).mean(), bounds=(0, 100)).x
        by_image[:, column] = entropies(best)
    errors, alike = alike_by_rule(by_image, grid, choice.within)
    assert np.allclose(choice.loss, by_image.mean(0), rtol=5e-3)
    found = choice.standard_errors[int(by_image.mean(0).argmin())]
    assert np.allclose(found, errors, rtol=0.05, atol=1e-4)
    assert choice.alike == alike and len(alike) < len(grid)


@pytest.mark.parametrize("kind", [dr.RidgeProbe, dr.LogisticProbe])
def test_views_of_an_image_are_one_unit(small, kind):
    X, y = small
    alone = kind(dr.Features(X, y)).choose_penalty((1e-3, 1e-1))
    twice = kind(dr.Features(np.tile(X, (2, 1)), np.tile(y, 2), views=2)).choose_penalty(
        (1e-3, 1e-1)
    )
    tolerance = 1e-8 if kind is dr.RidgeProbe else 0.05  # the solver's
    assert np.allclose(alone.standard_errors, twice.standard_errors, rtol=tolerance, atol=1e-10)


def test_errors_that_all_images_share_are_no_doubt():
    """A penalty that is worse by the same on every image is told apart, however much images
    differ.
    """
    hard = np.arange(10.0)

    def losses(penalties):
        by_image = np.stack([hard + 1e-3 * i for i in range(len(penalties))], 1)
        return HeldOut(by_image.mean(0), np.ones(len(penalties)), by_image)

    found = choose(losses, (0.1, 1.0), 10, within=1.0, extend=False)
    assert found.alike == (0.1,)
    noisy = dataclasses.replace(found, standard_errors=np.full((2, 2), 2e-3))
    assert noisy.alike == (0.1, 1.0)
    assert dataclasses.replace(found, standard_errors=None, within=1.001).alike == (0.1, 1.0)


def made_choice(best, grid, size=1.0):
    """Losses of a size that rise by a hundredth a step from the best."""
    steps = np.abs(np.log10(grid) - np.log10(best))
    loss = size * (1 + steps / 100)
    errors = np.full((len(grid),) * 2, 0.005 * size)
    return PenaltyChoice(best, tuple(grid), tuple(loss), (0.5,) * len(grid), 3, 1.0, errors)


def test_networks_have_one_penalty_in_common():
    grid = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
    one, two, three = (made_choice(best, grid) for best in (1e-3, 1e-2, 1.0))
    found = common_choice([one, two, three])
    mean = np.mean([np.array(c.loss) / min(c.loss) for c in (one, two, three)], 0)
    assert np.allclose(found.loss, mean) and found.penalty == grid[int(mean.argmin())] == 1e-2
    assert np.allclose(found.standard_errors, 0.005)
    # neither the order nor the size of a loss counts
    large = made_choice(1.0, grid, size=50.0)
    assert common_penalty([large, two, one]) == 1e-2
    assert common_choice([three, large]).penalty == 1.0
    assert common_choice([two]) is two


def test_the_errors_of_the_common_choice_are_never_too_small():
    """However much networks err alike on the images they share."""
    rng = np.random.default_rng(0)
    shared, own = rng.random((50, 4)), rng.random((3, 50, 4))
    for mix in (0.0, 0.5, 1.0):
        by_image = mix * shared + (1 - mix) * own
        choices = [
            choose(
                lambda _, one=one: HeldOut(one.mean(0), np.ones(4), one),
                FEW[:4],
                50,
                within=1.0,
                extend=False,
            )
            for one in by_image
        ]
        relative = np.mean([one / one.mean(0).min() for one in by_image], 0)
        exact = (relative[:, :, None] - relative[:, None]).std(0, ddof=1) / np.sqrt(50)
        found = common_choice(choices).standard_errors
        assert (found >= exact - 1e-12).all()
        if mix == 1:
            assert np.allclose(found, exact)


def test_only_penalties_that_all_have_tried_are_common():
    low, high = made_choice(1e-4, (1e-4, 1e-3, 1e-2)), made_choice(1.0, (1e-3, 1e-2, 1e-1, 1.0))
    found = common_choice([low, high])
    assert found.grid == (1e-3, 1e-2) and found.penalty in found.grid
    assert united_grid([low, high]) == (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    with pytest.raises(dr.InputError, match="no penalty was tried by all: the grids are 0.0001 to"):
        common_choice([low, made_choice(1.0, (0.1, 1.0))])
    with pytest.raises(dr.InputError, match="at least one"):
        common_choice([])
    broken = dataclasses.replace(low, loss=(np.nan, 1.0, np.nan))
    assert common_choice([broken, low]).penalty == 1e-3
    perfect = dataclasses.replace(low, loss=(0.0, 1e-15, 1e-3))
    assert np.isfinite(common_choice([perfect, low]).loss).all()
