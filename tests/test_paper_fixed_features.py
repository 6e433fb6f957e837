"""Random subsets of fixed features, on curves whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from diffused_redundancy.experiment.measurements import Measurement, Measurements
from diffused_redundancy.measures.curves import Curve
from diffused_redundancy.paper import fixed_features
from made_up import curve, net, rising, task

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
    assert fixed_features.within_ticks(found()) == [(8.0, "8"), (16.0, "16")]


def test_gaps_are_paired_and_have_a_sign():
    lower = fixed_features.gaps(found(), 0.9)
    assert [(gap.m, gap.against) for gap in lower] == [
        (8, "MRL, nested prefix"),
        (8, "standard, first of many"),
        (16, "MRL, nested prefix"),
        (16, "standard, first of many"),
    ]
    assert [gap.difference for gap in lower] == [-0.5, -0.5, -0.25, -0.25]
    assert {gap.outcome for gap in lower} == {"lower"}
    higher = fixed_features.gaps(found(ours=(2, 2)), 0.9)
    assert {gap.outcome for gap in higher} == {"higher"}
    same = fixed_features.gaps(found(ours=(4, 4)), 0.9)
    assert {(gap.difference, gap.low, gap.high, gap.outcome) for gap in same} == {
        (0.0, 0.0, 0.0, "not clear")
    }
    table = fixed_features.gaps_table(lower)
    assert list(table["outcome"]) == ["lower"] * 4
    assert list(fixed_features.gaps_table([]).columns) == ["note"]


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
    (gap,) = fixed_features.gaps(some, 0.9)
    draws = ours.redundancy_draws(0.9) - theirs.redundancy_draws(0.9)
    assert (gap.low, gap.high) == tuple(np.quantile(draws, [0.025, 0.975], method="inverted_cdf"))
    alone = ours.redundancy(0.9)
    assert gap.high - gap.low < alone.high - alone.low


def test_the_sentence_follows_from_the_numbers():
    text = fixed_features.describe_within(found(tasks=("t", "u")), 0.9)
    assert "On T 0% (0% to 0%) of 8 and 50% (50% to 50%) of 16. On U 0%" in text
    assert "lies above 0 in 2 of 4 cases" in text
    assert "(MRL, nested prefix) DR is higher in 0, lower in 4 and not clear in 0 of 4" in text
    turned = fixed_features.describe_within(found(ours=(2, 2)), 0.9)
    assert "On T 75% (75% to 75%) of 8" in turned and "above 0 in 2 of 2 cases" in turned
    assert "(standard, first of many) DR is higher in 2, lower in 0" in turned
    assert "another seed may differ" in turned
    one = {8: found()[8]}
    assert "On T 0% (0% to 0%) of 8. The" in fixed_features.describe_within(one, 0.9)


def test_above_chance_stands_beside():
    text = fixed_features.describe_within(found(guessing=0.4, images=1000), 0.9)
    # 90% of what is above 0.4: 0.76 of 0.8, which the made-up curve reaches at 8.44 of 8
    assert "50% (50% to 50%; above chance 44%) of 16" in text


def test_features_that_only_guess_are_left_out():
    guessing = found(guessing=0.8, images=100)
    text = fixed_features.describe_within(guessing, 0.9)
    assert text.startswith("Their features are not clearly better than guessing")
    assert fixed_features.gaps(guessing, 0.9) == []
    assert fixed_features.within_table(guessing, 0.9).query("net == 'f8'")["DR"].isna().all()


def test_without_such_networks_there_is_nothing_to_say():
    assert fixed_features.describe_within({}, 0.9) == fixed_features.NOTE
    assert list(fixed_features.within_table({}, 0.9).columns) == ["note"]
    assert list(fixed_features.within_curves({}).columns) == ["note"]
