"""DR(delta): exact to one neuron, with honest intervals."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from curves import made_curve


def test_exact_to_one_neuron():
    redundancy = made_curve(np.linspace(0.01, 1, 100)).redundancy(0.9)
    assert (redundancy.k, redundancy.d, redundancy.full) == (90, 100, 1.0)
    assert redundancy.value == pytest.approx(0.1)
    assert np.isnan(redundancy.low) and redundancy.seeds == 1 and not redundancy.has_interval


def test_the_first_size_counts_even_if_the_curve_falls_again():
    assert made_curve([0.1, 0.95, 0.5, 1.0]).redundancy(0.9).k == 2


def test_the_mean_over_seeds_decides():
    curve = made_curve([[0.0, 1.0, 1.0], [0.0, 0.5, 1.0]])
    assert curve.redundancy(0.75).k == 2
    assert curve.redundancy(0.76).k == 3


def test_the_papers_grid_gives_the_smallest_size_on_it():
    curve = made_curve([0.2, 0.8, 1.0], sizes=[1, 51, 512], full=0.8, d=512)
    redundancy = curve.redundancy(0.9)
    assert redundancy.k == 51 and redundancy.value == pytest.approx(1 - 51 / 512)


@pytest.mark.parametrize("values", [[[0.1, 0.2]], [[0.1, 0.2], [0.1, 0.3]]])
def test_not_reached(values):
    redundancy = made_curve(values, d=10).redundancy(0.9)
    assert redundancy.k is None
    assert np.isnan([redundancy.value, redundancy.low, redundancy.high]).all()


def test_interval_holds_the_value_and_shrinks_with_seeds():
    rng = np.random.default_rng(0)
    values = 1 - np.exp(-np.arange(1, 201) / rng.uniform(15, 45, (400, 1)))
    few, many = (made_curve(part).redundancy(0.9) for part in (values[:8], values))
    for one in (few, many):
        assert one.low <= one.value <= one.high
    assert many.high - many.low < few.high - few.low


def test_interval_covers_the_truth():
    """Of 60 experiments with 20 seeds each, most intervals hold the k of very many seeds."""
    rng = np.random.default_rng(1)

    def redundancy(seeds: int, resamples: int) -> dr.Redundancy:
        values = 1 - np.exp(-np.arange(1, 201) / rng.uniform(15, 45, (seeds, 1)))
        return made_curve(values).redundancy(0.9, resamples=resamples)

    truth = redundancy(20_000, 1).value
    covered = [
        one.low - 0.005 <= truth <= one.high + 0.005
        for one in (redundancy(20, 400) for _ in range(60))
    ]
    assert np.mean(covered) > 0.8


def test_same_curves_same_interval():
    values = np.random.default_rng(2).random((5, 30)).cumsum(1)
    curve = made_curve(values, full=values[:, -1].mean())
    assert curve.redundancy(0.8) == curve.redundancy(0.8)


@pytest.mark.parametrize("delta", [0, -1, 1.1, float("nan"), "a", True])
def test_delta_out_of_range(delta):
    with pytest.raises(
        dr.InputError, match="delta is .*: it must be (a number )?above 0 and at most 1"
    ):
        made_curve([0.5, 1.0]).redundancy(delta)


def test_what_has_no_redundancy():
    with pytest.raises(dr.InputError, match="full layer's value is 0"):
        made_curve([0.0, 0.0], full=0.0).redundancy()
    with pytest.raises(dr.InputError, match="is empty or holds NaN"):
        made_curve([0.5, np.nan], measure="debiased_cka").redundancy()
    with pytest.raises(dr.InputError, match="curve is ndarray: DR is of a Curve"):
        dr.diffused_redundancy(np.ones((1, 3)), 0.9)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"values": [0.5, np.nan]}, "holds NaN"),
        ({"values": [0.5, 1.0], "sizes": [2, 1]}, "must ascend"),
        ({"values": [0.5, 1.0], "sizes": [1, 3], "d": 2}, "within 1 to d = 2"),
        ({"values": [0.5, 1.0], "seeds": [1, 2]}, r"values have shape \(1, 2\)"),
    ],
)
def test_what_is_no_curve(given, words):
    with pytest.raises(dr.InputError, match=words):
        made_curve(**given)
