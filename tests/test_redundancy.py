"""DR(delta): exact to one neuron, with honest intervals."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from curves import made_curve
from diffused_redundancy.measures.redundancy import smallest_sufficient
from diffused_redundancy.uncertainty.bootstrap import resampled


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


def of_images(chance: float = 0.0, **given: object) -> dr.Curve:
    """Six seeds, known by 40 groups of images, all values less ``chance``."""
    rng = np.random.default_rng(3)
    values = np.linspace(0.3, 0.8, 30) ** 0.5 + rng.normal(0, 0.02, (6, 30))
    effect = rng.normal(0, 0.05, (40, 1))
    by_images = values.mean(0) + effect - effect.mean()
    whole = 0.9 + 0.2 * (effect - effect.mean())[:, 0]
    parts = {"by_images": by_images - chance, "full_by_images": whole - chance}
    return made_curve(values - chance, full=0.9 - chance, **{**parts, **given})


def test_above_chance_is_as_if_chance_were_taken_off_all_values():
    corrected = of_images(guessing=0.4).redundancy(0.8, chance_corrected=True)
    plain = of_images(0.4).redundancy(0.8)
    for field in ("value", "k", "d", "low", "high", "seeds", "delta", "confidence"):
        assert getattr(corrected, field) == getattr(plain, field)
    assert (corrected.chance, corrected.full, plain.chance) == (0.4, 0.9, 0.0)
    assert plain.low < plain.value < plain.high
    assert of_images(guessing=0.4).redundancy(0.8).value != plain.value


@pytest.mark.parametrize(
    ("delta", "options"),
    [(0.8, {}), (0.95, {"confidence": 0.5, "resamples": 7, "seed": 7}), (1.0, {})],
)
def test_the_interval_is_that_of_a_loop_over_resamples(delta, options):
    """Ends are of sizes that were measured; a resample that does not reach delta drops nothing."""
    curve = of_images()
    found = curve.redundancy(delta, **options)
    draws = resampled(curve.values, 0.9, curve.by_images, curve.full_by_images, **options)
    sizes = sorted(
        next((k for k, v in enumerate(row, 1) if v >= delta * full), 30)
        for row, full in zip(draws.values, draws.full, strict=True)
    )
    confidence = options.get("confidence", 0.95)
    fewest, most = (
        sizes[int(np.ceil(len(sizes) * tail - 1e-9)) - 1]
        for tail in ((1 - confidence) / 2, (1 + confidence) / 2)
    )
    reached = (curve.mean >= delta * 0.9).any()
    ends = (1 - most / 30, 1 - fewest / 30) if reached else (np.nan, np.nan)
    assert (found.low, found.high) == pytest.approx(ends, nan_ok=True)
    assert (found.delta, found.confidence, found.seeds, found.d) == (delta, confidence, 6, 30)


@pytest.mark.parametrize("images", [False, True])
def test_what_an_interval_is_over(images):
    none = {} if images else {"by_images": None, "full_by_images": None}
    found = of_images(**none).redundancy(0.9)
    assert found.over_images is images and found.has_interval
    assert found.interval_over == ("6 seeds and images" if images else "6 seeds")


def test_what_is_withheld_is_k_and_value():
    found = of_images(guessing=0.1).redundancy(0.9, chance_corrected=True, confidence=0.8)
    withheld = found.withheld()
    assert withheld.k is None and not withheld.has_interval
    assert np.isnan([withheld.value, withheld.low, withheld.high]).all()
    for field in ("delta", "d", "confidence", "seeds", "full", "chance", "over_images"):
        assert getattr(withheld, field) == getattr(found, field)


def test_a_tie_to_within_rounding_reaches_the_bar_and_no_more():
    sizes = np.array([1, 3, 8])
    values = np.array([[1e-6 * (1 - 1e-9), 1e-6 * (1 - 1e-14), 1], [0, 0, 1e-7]])
    assert smallest_sufficient(values, 1e-6, sizes)[0] == 3
    assert np.isnan(smallest_sufficient(values, 1e-6, sizes)[1])
    assert smallest_sufficient(values, np.array([1, 1e-7]), sizes).tolist() == [8, 8]
    assert smallest_sufficient(np.array([[0.0, -1.0]]), 0.0, sizes).tolist() == [1]


@pytest.mark.parametrize(("chance", "above"), [(None, "above 0"), (0.9, "above chance, 0.9")])
def test_a_layer_at_chance_has_no_redundancy(chance, above):
    curve = made_curve([0.5, 0.9], full=chance or 0.0, guessing=chance)
    with pytest.raises(dr.InputError, match=f"means nothing unless it is {above}$"):
        curve.redundancy(0.9, chance_corrected=True)
