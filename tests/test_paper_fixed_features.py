"""Random subsets of fixed features, on curves whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from diffused_redundancy.experiment.measurements import Measurement, Measurements
from diffused_redundancy.measures.curves import Curve
from diffused_redundancy.measures.equal_features import equal_features_redundancy
from diffused_redundancy.paper import fixed_features
from diffused_redundancy.uncertainty.comparison import holm
from made_up import curve, net, rising, task
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

FF8, FF16 = net("f8", loss="FF 8"), net("f16", loss="FF 16")
MRL, MRL2 = net("m1", loss="MRL"), net("m2", loss="MRL", seed=2)
STANDARD = net("s1")


def part(network, where, m: int, k_star: int, **about) -> Measurement:
    """The first m features of a network, of which 90% of the accuracy takes ``k_star``."""
    accuracy = curve(rising(k_star, m, jitter=0), full=0.8)
    if about:
        rest = {name: getattr(accuracy, name) for name in ("seeds", "sizes", "values", "d", "full")}
        accuracy = Curve("ridge_accuracy", "random", **{**rest, **about})
    cka = curve(rising(k_star, m, top=1.0, jitter=0), measure="cka", full=1.0)
    curves = (accuracy, cka, replace(cka, measure="standardized_cka"))
    about = {"d": m, "diagonal_share": 0.1}
    return Measurement(network, where, *({"random": one} for one in curves), about, 0.5)


def found(*, tasks=("t",), ours=(8, 8), theirs=(4, 4), **about) -> fixed_features.Found:
    """Of FF 8 and FF 16 with k* of ``ours``, and MRL and standard prefixes with ``theirs``."""
    return {
        m: Measurements(
            [
                part(one, task(where), m, k, **(about if one is not STANDARD else {}))
                for where in tasks
                for one, k in ((fixed, ours[i]), (MRL, theirs[i]), (STANDARD, theirs[i]))
            ]
        )
        for i, (m, fixed) in enumerate(((8, FF8), (16, FF16)))
    }


def test_which_networks_are_compared_with_those_of_fixed_features():
    narrow, other = net("s0", d=50), net("v", family="vit")
    nets = [narrow, other, MRL, MRL2, FF16, STANDARD, FF8, net("s2", seed=2)]
    compared = fixed_features.compared(nets)
    assert {m: [one.name for one in some] for m, some in compared.items()} == {
        8: ["f8", "m1", "s1"],
        16: ["f16", "m1", "s1"],
    }
    two = fixed_features.compared([FF8, net("g8", loss="FF 8", seed=2)])
    assert {m: [one.name for one in some] for m, some in two.items()} == {8: ["f8", "g8"]}
    assert fixed_features.compared([MRL, STANDARD]) == {}
    assert [fixed_features.kind(one) for one in (FF8, MRL, STANDARD)] == [
        "FF, trained to be these",
        "MRL, nested prefix",
        "standard, first of many",
    ]


def test_one_row_for_each_network_size_and_task():
    table = fixed_features.within_table(found(tasks=("t", "u")), 0.9).set_index(
        ["task", "m", "net"]
    )
    assert len(table) == 12
    row = table.loc["T", 16, "f16"]
    assert (row["DR"], row["k"], row["accuracy of all m"]) == (0.5, 8, 0.8)
    assert row["kept by half"] == pytest.approx(0.9) and row["penalty"] == 0.5
    assert table.loc["U", 8, "m1"]["DR"] == 0.5 and table.loc["U", 8, "f8"]["DR"] == 0


def test_curves_are_shares_of_what_all_m_features_reach():
    table = fixed_features.within_curves(found()).set_index(["m", "net", "k"])
    assert len(table) == 3 * (8 + 16)
    assert table.loc[(8, "f8", 4), "kept"] == pytest.approx(0.45)
    assert table.loc[(16, "m1", 2), "kept"] == pytest.approx(0.45)
    assert (table["low"] <= table["kept"] + 1e-12).all()
    assert (table["high"] >= table["kept"] - 1e-12).all()


def test_lines_of_the_figure():
    rows = fixed_features.within_series(found(tasks=("t", "u")), 0.9)
    assert [[title for title, _ in row] for row in rows] == [["T", "U"]] * 2
    ours, nested, plain = rows[0][0][1]
    assert ours.label == "FF, trained to be these" and ours.joined
    assert [point.value for point in ours.points] == [0, 0.5]
    assert [point.value for point in nested.points] == [0.5, 0.75]
    assert np.allclose(nested.x, [8, 16]) and plain.look == 2
    assert all(np.isnan(point.value) for point in rows[1][0][1][0].points)  # chance is not known
    assert not rows[1][0][1][3].points and len(rows[0][0][1]) == 3
    some = found(ours=(4, 8), guessing=0.1)
    table = fixed_features.within_table(some, 0.9).query("features == 'FF, trained to be these'")
    yardstick = fixed_features.within_series(some, 0.9)[1][0][1][3]
    assert yardstick.label == fixed_features.INDEPENDENT and yardstick.x == [8.0, 16.0]
    values = table[f"DR of {fixed_features.INDEPENDENT}"].tolist()
    assert [point.value for point in yardstick.points] == values
    unreached = fixed_features.within_series(found(guessing=0.1), 0.9)[1][0][1]
    assert np.isnan(unreached[0].points[0].value) and unreached[3].x == [16.0]
    assert fixed_features.within_ticks(found()) == [(8.0, "8"), (16.0, "16")]


MRL_FIRST, STANDARD_FIRST = "MRL, nested prefix", "standard, first of many"


def test_gaps_have_a_sign_and_are_corrected_together():
    lower = fixed_features.gaps(found(), 0.9)
    against = [fixed_features.INDEPENDENT, MRL_FIRST, STANDARD_FIRST]
    assert [(gap.m, gap.against) for gap in lower] == [(m, one) for m in (8, 16) for one in against]
    others = [gap for gap in lower if gap.against != fixed_features.INDEPENDENT]
    assert [gap.difference for gap in others] == [-0.5, -0.5, -0.25, -0.25]
    assert {gap.outcome for gap in others} == {"lower"}
    higher = fixed_features.gaps(found(ours=(2, 2)), 0.9)
    assert {gap.outcome for gap in higher} == {"higher"}
    same = fixed_features.gaps(found(ours=(4, 4)), 0.9)
    assert {
        (gap.difference, gap.low, gap.high, gap.p, gap.outcome)
        for gap in same
        if gap.against != fixed_features.INDEPENDENT
    } == {(0.0, 0.0, 0.0, 1.0, "not clear")}
    ps = [gap.p for gap in lower]
    assert [gap.corrected_p for gap in lower] == pytest.approx(holm(ps))
    table = fixed_features.gaps_table(lower)
    assert list(table["outcome"]) == [gap.outcome for gap in lower]
    assert list(fixed_features.gaps_table([]).columns) == ["note"]


def test_a_step_of_few_features_is_not_clear_though_no_resample_differs():
    """One of eight features fewer, in all resamples: half of it may be rounding."""
    one = fixed_features.gaps(found(ours=(5, 16), theirs=(4, 16)), 0.9)[1]
    assert (one.difference, one.low, one.high) == (-0.125, -0.125, -0.125)
    assert one.p == pytest.approx(2 * norm.sf(np.sqrt(6))) and one.outcome == "not clear"


def test_independent_features_are_those_of_the_same_accuracy():
    m, full, classes = 16, 0.8, 4
    one = next(gap for gap in fixed_features.gaps(found(), 0.9) if gap.m == m)

    def reached(distance):
        """The score of the right class is the largest of four."""
        return quad(lambda z: norm.pdf(z) * norm.cdf(z + distance) ** (classes - 1), -9, 9)[0]

    whole, part = (brentq(lambda d, a=a: reached(d) - a, 0, 9) for a in (full, 0.9 * full))
    share = (part / whole) ** 2
    expected = 1 - np.ceil(share * m) / m
    assert one.against == fixed_features.INDEPENDENT
    assert one.difference == pytest.approx(0.5 - expected)
    row = fixed_features.within_table(found(), 0.9).query("net == 'f16'").iloc[0]
    assert row["DR of independent features"] == pytest.approx(expected) and row["counts"]


def test_a_gap_is_that_of_resamples_of_the_same_images():
    """Two networks whose accuracies move together over images differ clearly, though each of their
    intervals holds the other's value.
    """
    rng = np.random.default_rng(0)
    steps = np.arange(1, 17)
    noise = 0.15 * rng.standard_normal((50, 1))

    def moving(network, k_star):
        by_images = 0.8 * np.minimum(1, 0.9 * steps / k_star) + noise
        full = 0.8 + noise[:, 0]
        return part(
            network,
            task(),
            16,
            k_star,
            values=np.tile(by_images.mean(0), (5, 1)),
            full=float(full.mean()),
            by_images=by_images,
            full_by_images=full,
        )

    some = {16: Measurements([moving(FF16, 8), moving(STANDARD, 7)])}
    ours, theirs = (one.curve("accuracy") for one in some[16].all)
    alone, gap = fixed_features.gaps(some, 0.9)
    how = {"chance_corrected": True}
    draws = ours.redundancy_draws(0.9, **how) - theirs.redundancy_draws(0.9, **how)
    assert (gap.low, gap.high) == tuple(np.quantile(draws, [0.025, 0.975], method="inverted_cdf"))
    interval = ours.redundancy(0.9, **how)
    assert gap.high - gap.low < interval.high - interval.low
    # what independent features would have moves with the accuracy that is resampled
    moved = equal_features_redundancy(ours.resampled().full, 0.9, 16, 4)
    assert moved.std() > 0
    ends = np.quantile(
        ours.redundancy_draws(0.9, **how) - moved, [0.025, 0.975], method="inverted_cdf"
    )
    assert (alone.low, alone.high) == tuple(ends)


def test_the_sentence_follows_from_the_numbers():
    text = fixed_features.describe_within(found(tasks=("t", "u")), 0.9)
    independent = [
        gap.outcome
        for gap in fixed_features.gaps(found(tasks=("t", "u")), 0.9)
        if gap.against == fixed_features.INDEPENDENT
    ]
    assert independent.count("higher") == independent.count("lower") == 2
    assert "than of independent features in 2 of 4 cases" in text
    assert "and clearly lower in 2. Compared" in text
    assert f"({MRL_FIRST}) it is clearly higher in 0 of 4, and clearly lower in 4" in text
    turned = fixed_features.describe_within(found(ours=(2, 2)), 0.9)
    assert "in 2 of 2 cases (sizes and tasks), and clearly lower in 0" in turned
    assert f"({STANDARD_FIRST}) it is clearly higher in 2 of 2, and clearly lower in 0" in turned
    assert turned.endswith("another seed may differ.") and "too near" not in turned


def test_the_table_for_reading_has_the_smallest_and_the_largest():
    shown = fixed_features.shown_within(found(tasks=("t", "u")), 0.9)
    assert list(shown["task"]) == ["T", "T", "U", "U"] and list(shown["m"]) == ["8", "16"] * 2
    assert shown["DR(0.9)"].iloc[1] == "0.50 (0.50 to 0.50)" and set(shown["counts"]) == {"yes"}
    one = fixed_features.shown_within({8: found()[8]}, 0.9)
    assert list(one["m"]) == ["8"]


def test_what_is_near_chance_does_not_count():
    near = found(guessing=0.41, images=1000)  # 0.8 is less than twice that
    assert fixed_features.gaps(near, 0.9) == []
    assert set(fixed_features.shown_within(near, 0.9)["counts"]) == {"no"}
    assert "not 2 times chance" in fixed_features.describe_within(near, 0.9)
    near = found(ours=(4, 8), theirs=(2, 4), guessing=0.41, images=1000)
    far = found(ours=(4, 8), theirs=(2, 4), guessing=0.39, images=1000)
    assert len(fixed_features.gaps(far, 0.9)) == 6
    some = {8: near[8], 16: far[16]}
    text = fixed_features.describe_within(some, 0.9)
    assert "of 1 cases" in text and "1 more are too near to chance to count" in text


def test_above_chance_stands_beside():
    shown = fixed_features.shown_within(found(guessing=0.4, images=1000), 0.9)
    # 90% of what is above 0.4: 0.76 of 0.8, which the made-up curve reaches at 8.44 of 8
    assert shown.iloc[1]["above chance"].startswith("0.44 (")
    assert shown.iloc[1]["DR(0.9)"].startswith("0.50 (")


def test_features_that_only_guess_are_left_out():
    guessing = found(guessing=0.8, images=100)
    text = fixed_features.describe_within(guessing, 0.9)
    assert text.startswith("No features count") and fixed_features.gaps(guessing, 0.9) == []
    assert list(fixed_features.shown_within(guessing, 0.9).columns) == ["note"]
    assert fixed_features.within_table(guessing, 0.9).query("net == 'f8'")["DR"].isna().all()


def test_without_such_networks_there_is_nothing_to_say():
    assert fixed_features.describe_within({}, 0.9) == fixed_features.NOTE
    assert fixed_features.shown_within({}, 0.9)["note"].item() == fixed_features.NOTE
    assert list(fixed_features.within_table({}, 0.9).columns) == ["note"]
    assert list(fixed_features.within_curves({}).columns) == ["note"]
