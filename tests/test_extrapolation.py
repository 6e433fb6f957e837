"""Laws fitted to curves: against SciPy's optimiser, on curves with known parameters, and intervals
against the truth they should hold.
"""

from __future__ import annotations

from dataclasses import replace

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.uncertainty.bootstrap import resampled
from diffused_redundancy.uncertainty.extrapolation import (
    EXPONENTS,
    fit,
    noise,
    predictions,
    range_over,
)
from diffused_redundancy.uncertainty.growth import (
    Growth,
    change,
    checks,
    difference,
    forecast,
    growth,
)
from scipy.optimize import least_squares

POOL = 3000
N = np.array([round(POOL / 2 ** (j / 2)) for j in range(10)][::-1])


@pytest.mark.parametrize(
    ("a", "b", "c"), [(0.05, 0.8, 0.5), (0.2, -1.5, 0.7), (0.0, 2.0, 1.1), (0.3, 0.0, 1.0)]
)
def test_known_parameters_come_back(a, b, c):
    found = fit("asymptote", N, a + b * N**-c)
    assert found.at(45_000) == pytest.approx(a + b * 45_000**-c, abs=2e-3)
    assert found.misfit < 1e-6
    if b:
        assert (found.a, found.c) == (pytest.approx(a, abs=0.01), pytest.approx(c, rel=0.05))


def test_fits_are_scipys():
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 2, len(N))
    curves = 0.05 + 0.8 * N**-0.5 + rng.normal(0, 0.003, (5, len(N)))
    found = fit("asymptote", N, curves, weights)
    for row, curve in enumerate(curves):

        def residuals(p, curve=curve):
            return np.sqrt(weights / weights.sum()) * (p[0] + p[1] * (N / POOL) ** -p[2] - curve)

        best = min(
            (
                least_squares(residuals, (start, 0.02, c), bounds=([0, -9, 0.1], [1, 9, 2]))
                for start in (0.01, 0.06)
                for c in (0.3, 1.0)
            ),
            key=lambda one: one.cost,
        )
        assert found.misfit[row] == pytest.approx(2 * best.cost, rel=0.01)  # c is on a grid
        a, b, c = best.x
        assert found.at(6000)[row] == pytest.approx(a + b * 2**-c, abs=5e-4)


def test_a_bound_holds_and_the_rest_is_refitted():
    curve = 0.99 + 0.2 * np.log10(N / POOL)  # heads above 1
    found = fit("asymptote", N, curve)
    assert found.a <= 1 and 0 <= found.at(1e9) <= 1
    shape = N ** -float(found.c)
    b = ((curve - 1) * shape).sum() / (shape**2).sum()
    assert found.a == 1 and found.b == pytest.approx(b)
    limited = fit("limit", N, 1 - 3 * N**-0.4, limit=1.0)
    assert (limited.a, limited.c) == (1, pytest.approx(0.4, abs=0.03))
    line = fit("logarithm", N, 0.1 + 0.02 * np.log(N))
    assert (line.a, line.b) == (pytest.approx(0.1), pytest.approx(0.02))
    assert fit("logarithm", N, 0.1 + 0.2 * np.log(N)).at(1e6) == 1  # no share is above it


def test_many_curves_are_fitted_as_one_at_a_time():
    curves = np.random.default_rng(1).random((3, 4, len(N)))
    together = fit("asymptote", N, curves).at(9000)
    assert together.shape == (3, 4)
    assert together[2, 1] == pytest.approx(float(fit("asymptote", N, curves[2, 1]).at(9000)))


def test_bad_input():
    for given, message in (
        (("power", N, N / POOL), "unknown law 'power': .*Allowed: asymptote"),
        (("asymptote", N[:2], N[:2] / POOL), "at least 3 distinct"),
        (("logarithm", [100, 100], [0.1, 0.2]), "at least 2 distinct"),
        (("logarithm", [100, 200], [0.1]), "do not fit 2 numbers"),
        (("logarithm", [0, 200], [0.1, 0.2]), "above 0"),
        (("logarithm", [100, 200], [0.1, np.nan]), "NaN"),
    ):
        with pytest.raises(dr.InputError, match=message):
            fit(*given)
    with pytest.raises(dr.InputError, match="two draws"):
        noise(N, np.ones((1, len(N))), POOL)
    with pytest.raises(dr.InputError, match="the pool has 10"):
        noise(N, np.ones((2, len(N))), 10)
    with pytest.raises(dr.InputError, match="target"):
        predictions(N, N / POOL, np.stack([N / POOL] * 2), 0)


def draws_of(rng, truth, draws=5, own=0.005, images=0.3):
    """What draws of subsamples of one pool give, (draws, m), and values by groups of test images:
    every image of the pool moves the value by the mean over those that are in.
    """
    moves = rng.normal(0, images, POOL)
    orders = [rng.permutation(POOL) for _ in range(draws)]
    rows = np.array([[moves[order[:n]].mean() for n in N] for order in orders])
    rows += truth(N) + rng.normal(0, own, (draws, 1))
    test = rng.normal(0, 0.1, (100, 1)) + rng.normal(0, 0.02, (100, len(N)))
    rows += test.mean(0)
    return rows, test - test.mean(0) + rows.mean(0)


def test_noise_is_that_of_the_draws():
    rng = np.random.default_rng(0)
    rows, _ = draws_of(rng, lambda n: 0 * n, draws=400)
    found = noise(N, rows, POOL)
    assert found.own == pytest.approx(0.005**2, rel=0.2)
    assert found.images == pytest.approx(0.3**2, rel=0.2)
    assert found.of_pool == found.images / POOL
    assert found.of_mean([POOL]) == pytest.approx(found.own / 400)
    assert noise(N, np.ones((3, len(N))), POOL).of_mean(N).tolist() == [0] * len(N)


def made_growth(rng, truth, resamples=200, **how) -> Growth:
    rows, by_images = draws_of(rng, truth, **how)
    draws = resampled(rows, 1.0, by_images, resamples=resamples)
    alone = resampled(rows.mean(0)[None], 1.0, by_images, confidence=None, resamples=resamples)
    return growth(N, POOL, rows.mean(0), rows, draws.values, alone.values, limit=0.0)


@pytest.mark.parametrize(
    ("a", "b", "c"),
    [
        (0.05, 0.8, 0.5),
        pytest.param(0.1, 0.3, 0.3, marks=pytest.mark.slow),
        pytest.param(0.05, 0.0, 1.0, marks=pytest.mark.slow),
    ],
)
def test_intervals_hold_the_truth_if_the_law_does(a, b, c):
    def truth(n):
        return a + b * np.asarray(n, dtype=float) ** -c

    rng, held, ranges = np.random.default_rng(0), [], []
    for _ in range(40):
        one = forecast(made_growth(rng, truth), 45_000)
        law = one.laws[0]
        assert law.law == "asymptote"
        held.append(law.low <= truth(45_000) <= law.high)
        ranges.append(one.low <= truth(45_000) <= one.high)
    assert np.mean(held) > 0.85 and np.mean(ranges) > 0.85  # 95% and more; the SD is 3.5%


def test_a_wrong_law_fails_its_check_and_is_left_out():
    rng = np.random.default_rng(0)
    curve = made_growth(rng, lambda n: 0.3 - 6 * n**-0.9, images=0.02, own=0.0005)
    failed = {one.law for one in checks(curve) if not one.held}
    assert {"limit", "logarithm"} <= failed and "asymptote" not in failed
    one = forecast(curve, 45_000)
    assert set(one.failed) == failed
    assert (one.low, one.high) == (one.laws[0].low, one.laws[0].high)
    assert one.low < 0.3 - 6 * 45_000**-0.9 < one.high
    everything = range_over(one.laws)
    assert everything[1] > one.high


def test_checks_predict_from_parts():
    curve = made_growth(np.random.default_rng(0), lambda n: 0.05 + 0.8 * n**-0.5)
    found = checks(curve)
    assert {one.up_to for one in found} == {750, 1500}
    one = next(one for one in found if one.up_to == 750 and one.law == "asymptote")
    part = N <= 750
    expected = fit("asymptote", N[part], curve.values[part], curve.weights[part]).at(POOL)
    assert one.predicted == pytest.approx(float(expected)) and one.measured == curve.values[-1]
    draws = fit("asymptote", N[part], curve.draws[:, part], curve.weights[part]).at(POOL)
    miss = np.quantile(draws - curve.draws[:, -1], [0.025, 0.975])
    assert (one.miss_low, one.miss_high) == pytest.approx(tuple(miss))
    assert not checks(curve.until(2000))  # nothing to compare with
    assert not curve.until(2000).complete and forecast(curve.until(250), 9000) is None
    assert not checks(curve.until(250))


def test_a_change_is_paired():
    rng = np.random.default_rng(0)
    rises = change(made_growth(rng, lambda n: 0.3 - 2 * n**-0.5, images=0.05), 4)
    assert rises.outcome == "higher" and rises.few == 750 and rises.low < rises.size < rises.high
    falls = change(made_growth(rng, lambda n: 0.3 + 2 * n**-0.5, images=0.05), 4)
    assert falls.outcome == "lower" and falls.size == falls.after - falls.before
    same = change(made_growth(rng, lambda n: 0.3 + 0 * n), 4)
    assert same.outcome == "not clear"
    assert change(made_growth(rng, lambda n: n / n).until(2000), 4) is None
    # test images move all numbers of images alike
    curve = made_growth(rng, lambda n: 0.3 + 0 * n, images=0.0, own=0.0)
    assert np.ptp(curve.draws[:, -1]) > 2 * np.ptp(curve.draws[:, -1] - curve.draws[:, 0])


def test_a_change_holds_other_train_images():
    """Not moved by draws, it is as wide as two independent moves by the train images."""
    curve = made_growth(np.random.default_rng(1), lambda n: 0.3 + 0 * n, resamples=4000)
    still = replace(curve, draws=np.tile(curve.values, (4000, 1)))
    one = change(still, 4)
    sd = (2 * curve.noise.of_pool) ** 0.5
    assert sd > 0 and one.high - one.low == pytest.approx(2 * 1.96 * sd, rel=0.05)
    fixed = change(replace(still, noise=None), 4)
    assert fixed.low == fixed.high == pytest.approx(one.size)


def test_a_difference_is_of_the_same_draws_and_images():
    rng = np.random.default_rng(0)
    curve = made_growth(rng, lambda n: 0.3 + 0 * n, resamples=2000)
    higher = replace(
        curve, values=curve.values + 0.01, draws=curve.draws + 0.01, rows=curve.rows + 0.01
    )
    one = difference(curve, higher, 750)
    # what is shared cancels, all of it
    assert (one.low, one.high) == (pytest.approx(0.01), pytest.approx(0.01))
    assert one.size == pytest.approx(0.01) and one.outcome == "higher" and one.few == 750
    noisy = made_growth(rng, lambda n: 0.3 + 0 * n, resamples=2000)
    other = difference(curve, noisy, 750)
    assert other.outcome == "not clear"
    at = N.tolist().index(750)
    paired = np.quantile(noisy.draws[:, at] - curve.draws[:, at], [0.025, 0.975])
    assert other.high - other.low > np.ptp(paired)  # other train images are added
    assert difference(curve, noisy.until(400), 750) is None
    assert difference(curve.until(800), noisy, 750).size == pytest.approx(other.size)


def test_other_pools_add_their_variance():
    curve = made_growth(np.random.default_rng(2), lambda n: 0.3 + 0 * n, resamples=4000)
    more = curve.of_other_pools - curve.draws
    assert np.allclose(more, more[:, :1])  # all numbers of images move together
    assert more.std() == pytest.approx(curve.noise.of_pool**0.5, rel=0.05)
    low, high = curve.intervals()[0]
    assert low < curve.values[0] < high


def test_exponents_are_those_said():
    assert (EXPONENTS.min(), EXPONENTS.max()) == (pytest.approx(0.1), pytest.approx(2))
