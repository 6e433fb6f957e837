"""DR(delta): exact to one neuron, with honest intervals."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest


def test_exact_to_one_neuron():
    curve = np.linspace(0.01, 1, 100)[None]
    found = dr.diffused_redundancy(curve, 0.9)
    assert (found.k, found.d, found.value, found.full) == (90, 100, pytest.approx(0.1), 1.0)
    assert np.isnan(found.low) and found.seeds == 1


def test_the_first_size_counts_even_if_the_curve_falls_again():
    assert dr.diffused_redundancy([[0.1, 0.95, 0.5, 1.0]], 0.9).k == 2


def test_the_mean_over_seeds_decides():
    curves = np.array([[0.0, 1.0, 1.0], [0.0, 0.5, 1.0]])
    assert dr.diffused_redundancy(curves, 0.75).k == 2
    assert dr.diffused_redundancy(curves, 0.76).k == 3


def test_the_papers_grid_gives_the_smallest_size_on_it():
    found = dr.diffused_redundancy([[0.2, 0.8, 1.0]], 0.9, sizes=[1, 51, 512], full=0.8, d=512)
    assert found.k == 51 and found.value == pytest.approx(1 - 51 / 512)


def test_not_reached():
    found = dr.diffused_redundancy([[0.1, 0.2]], 0.9, full=1.0, d=10)
    assert found.k is None and np.isnan(found.value)
    found = dr.diffused_redundancy([[0.1, 0.2], [0.1, 0.3]], 0.9, full=1.0, d=10)
    assert found.k is None and np.isnan([found.low, found.high]).all()


def test_interval_holds_the_value_and_shrinks_with_seeds():
    rng = np.random.default_rng(0)
    k = np.arange(1, 201)
    curves = 1 - np.exp(-k / rng.uniform(15, 45, (400, 1)))
    few, many = dr.diffused_redundancy(curves[:8], 0.9), dr.diffused_redundancy(curves, 0.9)
    for found in (few, many):
        assert found.low <= found.value <= found.high
    assert many.high - many.low < few.high - few.low


def test_interval_covers_the_truth():
    """Of 60 experiments with 20 seeds each, most intervals hold the k of very many seeds."""
    rng = np.random.default_rng(1)
    k = np.arange(1, 201)

    def draw(seeds: int) -> np.ndarray:
        return 1 - np.exp(-k / rng.uniform(15, 45, (seeds, 1)))

    truth = dr.diffused_redundancy(draw(20_000), 0.9, resamples=1).value
    found = [dr.diffused_redundancy(draw(20), 0.9, resamples=400) for _ in range(60)]
    covered = np.mean([one.low - 0.005 <= truth <= one.high + 0.005 for one in found])
    assert covered > 0.8


def test_same_curves_same_interval():
    curves = np.random.default_rng(2).random((5, 30)).cumsum(1)
    assert dr.diffused_redundancy(curves, 0.8) == dr.diffused_redundancy(curves, 0.8)


@pytest.mark.parametrize("delta", [0, -1, 1.1, float("nan"), "a", True])
def test_delta_out_of_range(delta):
    with pytest.raises(
        dr.InputError, match="delta is .*: it must be (a number )?above 0 and at most 1"
    ):
        dr.diffused_redundancy([[0.5, 1.0]], delta)


def test_bad_curves():
    with pytest.raises(dr.InputError, match="without NaN"):
        dr.diffused_redundancy([[0.5, np.nan]], 0.9)
    with pytest.raises(dr.InputError, match="ascending"):
        dr.diffused_redundancy([[0.5, 1.0]], 0.9, sizes=[2, 1])
    with pytest.raises(dr.InputError, match="full layer's value is 0"):
        dr.diffused_redundancy([[0.0, 0.0]], 0.9)
