"""Curves: what is read off them, against plain computations on their rows and resamples."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pandas as pd
import pytest
from curves import made_curve
from diffused_redundancy.measures.curves import size_of
from diffused_redundancy.uncertainty.bootstrap import resampled

SIZES = [1, 2, 4, 7]


def of_images(**given: object) -> dr.Curve:
    """Five seeds at four sizes of ten neurons, known by 30 groups of images."""
    rng = np.random.default_rng(0)
    values = np.array([0.3, 0.5, 0.7, 0.75]) + rng.normal(0, 0.04, (5, 4))
    effect = rng.normal(0, 0.05, (30, 1))
    parts = {
        "values": values,
        "by_images": values.mean(0) + effect - effect.mean() + rng.normal(0, 0.02, (30, 4)),
        "full_by_images": 0.8 + effect[:, 0] - effect.mean(),
    }
    how = {"sizes": SIZES, "d": 10, "full": 0.8, "guessing": 0.1, "images": 300}
    return made_curve(parts.pop("values"), **{**parts, **how, **given})


def plain_draws(curve: dr.Curve, **options: object) -> tuple[np.ndarray, np.ndarray]:
    draws = resampled(curve.values, 0.8, curve.by_images, curve.full_by_images, **options)
    return draws.values, draws.full


@pytest.mark.parametrize("given", [(), (0.5,)])
def test_what_is_kept_and_lost_at_a_size(given):
    curve = of_images()
    confidence = given[0] if given else 0.95
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    values, full = plain_draws(curve, confidence=confidence)
    for k, column in ((2, 1), (7, 3)):
        mean = sum(curve.values[:, column]) / 5
        kept, lost = curve.kept(k, *given), curve.lost(k, *given)
        assert kept == pytest.approx((mean / 0.8, *np.quantile(values[:, column] / full, tails)))
        assert lost == pytest.approx((0.8 - mean, *np.quantile(full - values[:, column], tails)))


def test_of_one_seed_without_images_there_is_no_interval():
    curve = made_curve([[0.3, 0.6]], full=0.8)
    for found, value in ((curve.kept(2), 0.75), (curve.lost(2), 0.2)):
        assert found[0] == pytest.approx(value) and np.isnan(found[1:]).all()
    assert curve.redundancy_draws(0.9) is None
    table = curve.summary(case="a")
    assert table[["low", "high", "sd"]].isna().all(axis=None) and table["mean"].tolist() == [
        0.3,
        0.6,
    ]


def test_the_summary_has_a_row_for_each_size():
    curve = of_images()
    table = curve.summary(case="a", d=10)
    assert table.columns.tolist() == ["case", "d", "k", "mean", "low", "high", "sd"]
    assert table["k"].tolist() == SIZES and (table["case"] == "a").all()
    assert table.index.tolist() == [0, 1, 2, 3]
    for column in range(4):
        row, values = table.loc[column], curve.values[:, column].tolist()
        mean = sum(values) / 5
        sd = (sum((value - mean) ** 2 for value in values) / 4) ** 0.5
        ends = np.quantile(plain_draws(curve)[0][:, column], [0.025, 0.975])
        assert row[["mean", "low", "high", "sd"]].tolist() == pytest.approx([mean, *ends, sd])


def test_two_seeds_have_a_deviation():
    assert made_curve([[0.2], [0.4]]).summary()["sd"].item() == pytest.approx(0.02**0.5)


@pytest.mark.parametrize(
    ("value", "error", "sizes", "near"),
    [
        (0.7205, (0, 0.0003, 0.0004), (1, 2, 4), True),  # both errors together pass the bar, 0.72
        (0.7205, (0, 0.0003, 0.0001), (1, 2, 4), False),
        (0.7205, (0, 0.0003, 0), (1, 2, 4), False),
        (0.7195, (0, 0.0003, 0), (1, 2, 4), False),
        (0.7205, (0, 0, 0.001), (1, 2, 3), False),  # the last size is not the whole layer
    ],
)
def test_where_the_solver_may_move_the_bar(value, error, sizes, near):
    curve = made_curve([0.5, value, 0.8], full=0.8, sizes=sizes, d=4, solver_error=[error])
    assert curve.near_bar() is near is curve.near_bar(0.9)
    with pytest.raises(dr.InputError, match="^delta is 0"):
        curve.near_bar(0)


def test_the_frame_has_a_row_for_each_seed_and_size():
    curve = made_curve([[0.1, 0.2, 0.4], [0.3, 0.5, 0.6]], seeds=[7, 3], sizes=[1, 3, 4], d=4)
    rows = [(7, 1, 0.1), (7, 3, 0.2), (7, 4, 0.4), (3, 1, 0.3), (3, 3, 0.5), (3, 4, 0.6)]
    expected = pd.DataFrame([("x", *row) for row in rows], columns=["net", "seed", "k", "value"])
    pd.testing.assert_frame_equal(curve.to_frame(net="x"), expected)
    assert curve.to_frame().columns.tolist() == ["seed", "k", "value"]


@pytest.mark.parametrize("corrected", [False, True])
def test_draws_of_redundancy_are_those_of_a_loop(corrected):
    curve = of_images()
    found = curve.redundancy_draws(0.92, chance_corrected=corrected, resamples=200, seed=3)
    chance, expected = 0.1 if corrected else 0, []
    for values, full in zip(*plain_draws(curve, resamples=200, seed=3), strict=True):
        bar = chance + 0.92 * (full - chance)
        enough = [k for k, value in zip(SIZES, values, strict=True) if value >= bar]
        expected.append(1 - min(enough, default=10) / 10)
    assert found.tolist() == pytest.approx(expected) and len(set(expected)) > 2
    assert 0 in expected  # not reached
    assert not np.array_equal(found, curve.redundancy_draws(resamples=200, seed=3))
    assert np.array_equal(curve.redundancy_draws(), curve.redundancy_draws(0.9))


def test_above_chance_is_of_accuracies_that_beat_guessing():
    curve = of_images()
    above = curve.above_chance(0.8, confidence=0.5)
    assert above == curve.redundancy(0.8, chance_corrected=True, confidence=0.5)
    assert above.chance == 0.1 and above.k == 4 and curve.redundancy(0.8).chance == 0
    assert curve.above_chance() == curve.redundancy(0.9, chance_corrected=True)
    assert of_images(guessing=0.78).above_chance(0.8) is None
    assert of_images(guessing=None).above_chance(0.8) is None
    for unknown in ({"guessing": None}, {"guessing": 0.9, "images": None}):
        assert of_images(**unknown).above_guessing
    assert of_images(guessing=None).redundancy(0.8, chance_corrected=True).chance == 0


def test_a_part_of_the_sizes_keeps_all_that_is_known_of_them():
    parts = {
        name: np.random.default_rng(i).random((5, 4, *rest))
        for i, (name, rest) in enumerate(
            {"per_class": (3,), "objective": (), "converged": (), "solver_error": ()}.items()
        )
    }
    curve = of_images(**parts)
    some = curve.only([7, 2])
    assert some.sizes.tolist() == [2, 7] and some.full == 0.8 and some.seeds == curve.seeds
    for name in ("values", "by_images", *parts):
        assert np.array_equal(getattr(some, name), getattr(curve, name)[:, [1, 3]])
    assert np.array_equal(some.full_by_images, curve.full_by_images)
    with pytest.raises(dr.InputError, match=r"k = 6 was not measured \(nearest: 7\)"):
        curve.only([2, 6])


def test_places_of_sizes():
    curve = of_images()
    assert [curve.column(k) for k in (0, 1, 2, 3, 7, 8)] == [None, 0, 1, None, 3, None]
    assert np.array_equal(curve.at_fraction(0.45), curve.values[:, 2])  # 4 of 10 neurons
    assert (size_of(0.05, 10), size_of(0.2, 768), size_of(0.999, 10)) == (1, 153, 9)
    none = dr.Curve("cka", "random", [1], [], np.zeros((1, 0)), d=10, full=1)
    with pytest.raises(dr.InputError, match=r"k = 2 was not measured \(nearest: none\)"):
        none.at(2)
    whole = made_curve([[0, 1], [1, 1]], seeds=np.array([7, 3]), sizes=[1.0, 2.0])
    assert whole.seeds == (7, 3) and all(type(seed) is int for seed in whole.seeds)
    assert (whole.values.dtype.kind, whole.sizes.dtype.kind) == ("f", "i")
    assert none.exact and not curve.exact and made_curve([[0.5, 0.6]], d=9).exact


def test_the_name_is_that_of_the_measure():
    assert of_images().name == "ridge accuracy"
    assert made_curve([0.5], measure="my own").name == "my own"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"values": [0.5, 0.6], "sizes": [0, 1]}, "must ascend within 1 to d = 2"),
        ({"values": [0.5, 0.6], "sizes": [1, 1]}, "must ascend within 1 to d = 2"),
        ({"values": np.zeros((0, 2)), "seeds": []}, r"\(seeds, sizes\), here \(0, 2\)"),
        ({"values": [0.5, 0.6], "sizes": [1, 2, 3], "d": 3}, r"here \(1, 3\)"),
    ],
)
def test_what_is_no_curve(given, words):
    with pytest.raises(dr.InputError, match=words):
        made_curve(**given)


def test_options_of_redundancy_are_handed_on():
    curve = of_images()
    found = dr.diffused_redundancy(
        curve, 0.85, chance_corrected=True, confidence=0.6, resamples=7, seed=6
    )
    same = {"chance_corrected": True, "confidence": 0.6, "resamples": 7, "seed": 6}
    assert found == curve.redundancy(0.85, **same)
    assert (
        found.low
        == 1
        - np.quantile(10 * (1 - curve.redundancy_draws(0.85, **same)), 0.8, method="inverted_cdf")
        / 10
    )
    assert dr.diffused_redundancy(curve) == curve.redundancy(0.9)
