"""What similarity is made of: measured through a layer and its cache, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import diffused_redundancy as dr
import made_up
import numpy as np
import pandas as pd
import pytest
from conftest import make_layer
from curves import made_curve
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.experiment.structure import (
    CKA,
    CORRECTED,
    NEURONS,
    OVERLAP,
    ROTATED,
    Structure,
    mean_redundancy_gap,
    measured_structures,
    redundancy_gap,
    value_gap,
)
from diffused_redundancy.explanations import structure
from diffused_redundancy.measures.closed_form_error import mean_error
from diffused_redundancy.measures.features import Features
from diffused_redundancy.measures.neighbours import chance_within_classes, nearest, shared
from diffused_redundancy.measures.neuron_sampling import corrected_cka_curve, disjoint_cka_curve
from diffused_redundancy.measures.spectrum import Spectrum, spectrum

D = 40
NETS = [
    made_up.net("zoo.even", d=D),
    made_up.net("zoo.uneven", d=D, loss="another"),
    made_up.net("zoo.third", d=D, loss="a third"),
    made_up.net("zoo.again", d=D, seed=2),  # of the first
]
TASKS = [made_up.task("t"), made_up.task("u")]


def features(net: int, task: int) -> np.ndarray:
    scale = np.geomspace(1, (1, 8, 2, 1)[net], D)
    noise = (0, 0.3, 0, 0.2)[net] * np.random.default_rng(7).standard_normal((150, D))
    return (make_layer(n=150, d=D, seed=task)[0] + noise) * scale


LABELS = np.arange(150) % 3


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> list[Structure]:
    cache = dr.Cache(tmp_path_factory.mktemp("cache"))

    def layers():
        for i, net in enumerate(NETS):
            for j, task in enumerate(TASKS):
                load = lambda i=i, j=j: Features(features(i, j), LABELS)  # noqa: E731
                yield net, task, ProbedLayer(load, key={"of": [i, j]}, cache=cache, device="cpu")

    first = measured_structures(layers(), [1, 2, 3], 12)
    again = measured_structures(
        ((net, task, nothing(one.key, cache)) for net, task, one in layers()), [1, 2, 3], 12
    )
    for one, other in zip(first, again, strict=True):
        if one.parts is not None and one.parts.other is not None:
            kept = other.parts.other.curves[OVERLAP].by_images
            assert np.array_equal(one.parts.other.curves[OVERLAP].by_images, kept)
        assert np.array_equal(one.spectrum.by_images, other.spectrum.by_images)
        for pair, same in zip(one.pairs.values(), other.pairs.values(), strict=True):
            for ours, theirs in zip(pair, same, strict=True):
                assert np.array_equal(ours.values, theirs.values)
                assert ours.images == theirs.images
    return first


def nothing(key, cache) -> ProbedLayer:
    """The same layer, which cannot be loaded: all is in the cache."""

    def load() -> Features:
        raise AssertionError("it was measured before")

    return ProbedLayer(load, key=key, cache=cache, device="cpu")


def test_measured_are_the_measures(measured):
    assert [(one.net, one.task) for one in measured[:3]] == [
        ("even", "T"),
        ("even", "U"),
        ("uneven", "T"),
    ]
    X = features(1, 0)
    s = dr.SufficientStatistics.from_features(X, device="cpu")
    one = measured[2]
    assert one.spectrum.values == pytest.approx(spectrum(s).values)
    assert one.standardized.variation == pytest.approx(0, abs=1e-9)
    assert one.predicted() == pytest.approx(dr.closed_form(dr.diagonal_share(s), D))
    some = dr.orderings("random", s, range(1, 13))
    assert one.cka[NEURONS, False].values == pytest.approx(dr.cka_curve(s, some).values)
    assert one.pairs[CORRECTED][0].values == pytest.approx(corrected_cka_curve(s, some).values)
    assert one.pairs[CKA][1].values == pytest.approx(disjoint_cka_curve(s, some).values)
    assert one.pairs[OVERLAP][0].seeds == (1, 2, 3, 4, 5)
    assert one.cka[ROTATED, True].seeds == (1, 2, 3)
    assert one.parts.chance == 10 / 149
    assert [bool(other.pairs) for other in measured] == [True] * 4 + [False] * 2
    assert one.parts.within_classes == chance_within_classes(X, LABELS)


def test_another_seed_is_a_yardstick_as_a_whole(measured):
    assert [one.net for one in measured[::2]] == ["even", "uneven", "third"]
    assert [one.parts.other is None for one in measured[:4]] == [False, False, True, True]
    X, Z = features(0, 1), features(3, 1)
    A, B = X - X.mean(0), Z - Z.mean(0)
    expected = ((A.T @ B) ** 2).sum() / np.linalg.norm(A.T @ A) / np.linalg.norm(B.T @ B)
    other = measured[1].parts.other
    value, low, high = other.value(CKA)
    assert value == pytest.approx(expected) and low < value < high and other.net == "again"
    value, low, high = other.value(OVERLAP)
    assert value == pytest.approx(float(shared(nearest(X), nearest(Z)).mean()))
    assert low < value < high

    # the spread over images is that of the same measure on images drawn anew
    rng, drawn = np.random.default_rng(0), []
    for _ in range(300):
        some = rng.integers(150, size=150)
        one, two = (part[some] - part[some].mean(0) for part in (X, Z))
        norms = np.linalg.norm(one.T @ one) * np.linalg.norm(two.T @ two)
        drawn.append(((one.T @ two) ** 2).sum() / norms)
    assert other.value(CKA)[2] - other.value(CKA)[1] == pytest.approx(3.92 * np.std(drawn), rel=0.4)

    row = measured[1].parts_at(CKA, 0.1)
    gap = value_gap(measured[1].pairs[CKA][1], 4, other.curves[CKA], D)
    assert row["disjoint_less_seeds"] == gap[0] == pytest.approx(row["disjoint"] - expected)
    assert row["disjoint_less_seeds_low"] == gap[1] < gap[0] < gap[2]
    assert np.isnan(measured[2].parts_at(CKA, 0.1)["seeds"]) and not measured[4].parts_at(CKA, 0.1)


def test_few_images_have_fewer_neighbours():
    layer = ProbedLayer(lambda: Features(features(0, 0)[:6]), device="cpu")
    whole, _ = layer.neighbour_overlap([1], [0.1, 0.5])
    assert whole.images == 6 and (whole.values == 1).all()  # all five others are neighbours


def test_views_of_an_image_are_not_other_images():
    X = np.concatenate([features(0, 0), features(0, 0) + 0.1])
    layer = ProbedLayer(lambda: Features(X, views=2), device="cpu")
    assert layer.neighbour_overlap([1], [0.5])[0].images == 150
    assert layer.spectrum().by_images is not None


def test_a_gap_has_the_draws_of_both():
    rng = np.random.default_rng(0)
    low, high = (
        made_curve(np.sort(rng.uniform(0, top, (8, 50)), 1), measure="cka") for top in (1, 1.3)
    )
    gap, least, most = redundancy_gap(high, low, 0.8)
    assert gap == high.redundancy(0.8).value - low.redundancy(0.8).value
    assert least < gap < most
    wider = redundancy_gap(high, low, 0.8, confidence=0.999)
    assert wider[0] == gap and wider[1] <= least and wider[2] >= most
    pairs = [(high, low), (low, low), (low, high)]
    gaps = [one.redundancy(0.8).value - two.redundancy(0.8).value for one, two in pairs]
    mean, *ends = mean_redundancy_gap(pairs, 0.8)
    assert mean == pytest.approx(np.mean(gaps)) == 0 and ends == [0, 0]  # all draws are shared
    assert mean_redundancy_gap([(high, low)] * 2, 0.8) == pytest.approx((gap, least, most))
    single = replace(low, seeds=(1,), values=low.values[:1])
    assert np.isnan(redundancy_gap(single, low, 0.8)[1:]).all()
    by_images = single.values + 0.01 * rng.standard_normal((100, 50))
    seen = replace(single, by_images=by_images)  # images alone do not tell how draws differ
    assert np.isnan(redundancy_gap(seen, low, 0.8)[1:]).all()
    only_one = replace(seen, selection="first", seeds=(0,))
    assert not np.isnan(redundancy_gap(only_one, low, 0.8)[1:]).any()


def test_tables_hold_what_was_measured(measured):
    table = structure.spectrum_table(measured, 0.9)
    assert len(table) == 12 and set(table["layer"]) == {"as it is", "standardized"}
    assert table["r"].to_numpy() == pytest.approx(table["PR"] / D * (1 + table["CV2"]))
    row = table.iloc[4]
    assert (row["net"], row["task"], row["layer"]) == ("uneven", "T", "as it is")
    assert row["DR"] == measured[2].cka[NEURONS, False].redundancy(0.9).value
    k = int((measured[2].predicted() < 0.9).sum()) + 1
    assert row["DR_closed_form"] == pytest.approx(1 - k / D)
    assert (table["PR_low"] < table["PR"]).all() and (table["PR"] < table["PR_high"]).all()
    shown = structure.shown_spectrum(table)
    assert len(shown) == 6 and list(shown["net"][::2]) == ["even", "uneven", "third"]
    scaled = table.iloc[5]
    assert shown["DR"][2] == f"{row['DR']:.3f} → {scaled['DR']:.3f}"
    assert shown["PR"][2] == f"{row['PR']:.1f} → {scaled['PR']:.1f}"

    parts = structure.parts_table(measured).set_index(["net", "task", "measure", "k"])
    curve = measured[2].pairs[CKA][1]
    assert parts.loc[("uneven", "T", "disjoint_cka", 4), "mean"] == curve.at(4).mean()
    assert parts.loc[("uneven", "T", "disjoint_cka", 4), "closed_form"] == pytest.approx(
        measured[2].predicted_disjoint()[3]
    )
    low, high = (parts.loc[("uneven", "T", "disjoint_cka", 4), end] for end in ("low", "high"))
    assert (low, high) == pytest.approx(curve.kept(4)[1:], abs=1e-9)
    assert parts["closed_form"].isna().any()

    errors = structure.closed_form_table(measured)
    assert len(errors) == 18
    mine = errors.iloc[6]
    assert (
        mine["mean_error"]
        == mean_error(measured[2].cka[NEURONS, False], measured[2].predicted())[0]
    )

    curve, predicted = measured[2].cka[NEURONS, False], measured[2].predicted()
    off = predicted - curve.mean
    k = int(np.abs(off).argmax())
    assert (mine["at_k"], mine["largest_error"]) == (k + 1, off[k])
    half = 2.2009852 * curve.values[:, k].std(ddof=1) / np.sqrt(12)  # Student's t, 11 degrees
    assert mine["largest_error_high"] - off[k] == pytest.approx(half, rel=1e-6)
    assert off[k] - mine["largest_error_low"] == pytest.approx(half, rel=1e-6)

    bases = structure.basis_table(measured, 0.9)
    assert len(bases) == 12
    assert bases["difference"].to_numpy() == pytest.approx(
        bases["DR_directions"] - bases["DR_neurons"]
    )
    ours, theirs = (measured[0].cka[basis, False] for basis in (ROTATED, NEURONS))
    gap = redundancy_gap(ours, theirs, 0.9, confidence=1 - 0.05 / 12)  # all rows at once
    assert tuple(bases.loc[0, ["difference", "low", "high"]]) == pytest.approx(gap)
    assert gap != pytest.approx(redundancy_gap(ours, theirs, 0.9))
    assert bases["r_directions"].to_numpy() == pytest.approx(
        (1 + bases["CV2_directions"]) * bases["r_neurons"] / (1 + bases["CV2_neurons"])
    )
    assert structure.results_of(measured, 0.9)["DR, uneven, T, as it is"] == row["DR"]


def test_the_uneven_layer_is_the_one_that_differs_by_scale(measured):
    table = structure.scale_table(measured, 0.9)
    said = structure.describe_scale(measured, table, 0.9)
    gaps = [
        redundancy_gap(measured[2 + i].cka[NEURONS, False], measured[i].cka[NEURONS, False], 0.9)
        for i in (0, 1)
    ]
    least = min((0, 1), key=lambda i: abs(gaps[i][0]))
    gap, low, high = gaps[least]
    assert gap < 0 and said.startswith(
        "**What to see:** uneven differs most from even: its DR(0.9) of CKA is lower by "
        f"{-gap:.3f} ({-high:.3f} to {-low:.3f}) on {'TU'[least]}, and by more on other tasks."
    )
    factors = [measured[2 + i].spectrum.factors(measured[i].spectrum) for i in (0, 1)]
    scales, spaces = (sorted(one[j][0] for one in factors) for j in (2, 1))
    assert f"multiplies r by {scales[0]:.2f} to {scales[1]:.2f}, by task. As the la" in said
    assert f"its PR/d is {spaces[0]:.2f} to {spaces[1]:.2f} times that of even; with" in said
    evened = [
        measured[2 + i].standardized.participation / measured[i].standardized.participation
        for i in (0, 1)
    ]
    assert table["PR_standardized"][::2].to_numpy() == pytest.approx(evened)
    assert max(abs(np.log(evened))) > 0.01
    shown = structure.shown_scale(table, 0.9)
    assert list(shown["task"]) == ["T", "U"]
    assert shown["DR(0.9)"][0].startswith(f"{gaps[0][0]:+.3f} ({gaps[0][1]:+.3f} to")

    turned = [*measured[2:4], *measured[:2], *measured[4:]]
    other = structure.scale_table(turned, 0.9)
    assert "even differs most from uneven: its DR(0.9) of CKA is higher by" in (
        structure.describe_scale(turned, other, 0.9)
    )
    mixed = table.assign(DR=[-0.4, 0.1, 0.3, 0.1])
    assert "the difference in DR(0.9) of CKA is -0.400 to +0.300, by task." in (
        structure.describe_scale(measured, mixed, 0.9)
    )
    unclear = table.assign(DR=[-0.4, -0.1, -0.3, -0.1], DR_low=-0.5, DR_high=0.1)
    assert "the difference in DR(0.9) of CKA is -0.400 to -0.300, by task." in (
        structure.describe_scale(measured, unclear, 0.9)
    )
    alone = structure.scale_table(measured[:1], 0.9)
    first = measured[0].cka[NEURONS, False].redundancy(0.9)
    assert f"DR(0.9) of CKA of even is {first.value:.3f} ({first.low:.3f} to" in (
        structure.describe_scale(measured[:1], alone, 0.9)
    )
    assert "one network" in structure.shown_scale(alone, 0.9)["note"][0]


def test_the_closed_form_is_said_to_err_where_it_does(measured):
    table = structure.closed_form_table(measured)
    said = structure.describe_closed_form(table)
    plain = table[table["layer"] == "as it is"]
    worst = plain.sort_values("largest_error", key=abs).iloc[-1]
    assert (
        f"errs most for {worst['net']} on {worst['task']}: by {worst['largest_error']:+.3f} ("
        in said
    )
    assert f"k = {worst['at_k']}), and by {worst['mean_error']:+.3f} (" in said
    most = plain[plain["net"] == "even"].sort_values("largest_error", key=abs).iloc[-1]
    assert f"For even its largest error is {most['largest_error']:+.3f} (" in said
    upside = table.assign(largest_error=np.where(table["net"] == "third", 0.5, 0.0))
    assert "errs most for third on T: by +0.500" in structure.describe_closed_form(upside)
    first = table.assign(largest_error=np.where(table["net"] == "even", -0.5, 0.0))
    assert "largest error" not in structure.describe_closed_form(first)
    means = table.assign(mean_error=np.where(table["layer"] == "variances alone", -0.7, 0.1))
    assert "average error would be 0.700 at most, with an" in structure.describe_closed_form(means)
    ends = {  # of a cause alone an interval may leave out 0 on either side, begin at it, or hold it
        "variances alone": ([-0.2, 0.1], [-0.1, 0.2]),
        "correlations alone": ([0.0, -0.1], [0.1, 0.1]),
    }
    few = table.groupby("layer", sort=False).head(2).copy()
    for layer, (low, high) in ends.items():
        few.loc[few["layer"] == layer, ["low", "high"]] = np.transpose([low, high])
    said = structure.describe_closed_form(few)
    assert "leaves out 0 in 2 of 2 cases. If they differed in their correlations" in said
    assert said.endswith("leaves out 0 in 0 of 2 cases.")


def test_corrections_are_said_to_overshoot_where_they_do(measured):
    table = structure.corrected_table(measured)
    assert list(table["net"]) == ["even", "even", "uneven", "uneven"]
    assert table["CV2"][2] == measured[2].spectrum.variation
    assert table["disjoint_corrected"][3] == measured[3].pair_at(CORRECTED, 0.1)[1][0]
    said = structure.describe_corrected(table)
    one = measured[0].pair_at(CORRECTED, 0.1)[0]
    assert (
        f"has a CKA of {table['whole'][0]:.3f} with the whole; corrected, it is {one[0]:.3f} "
        f"({one[1]:.3f} to {one[2]:.3f})." in said
    )
    made = table.assign(
        whole_corrected_low=[0.9, 1.01, 1.02, 0.9],
        whole_corrected_high=[0.99, 1.1, 1.2, 1.1],
        disjoint_corrected=[1.3, 1.1, 1.2, 1.0],
        disjoint_corrected_low=[1.2, 1.05, 1.1, 1.001],
    )
    said = structure.describe_corrected(made)
    assert "the whole is clearly above 1 in 2 of 4 cases (networks and tasks), and clearly" in said
    assert "published correction, is clearly above 1 in 4 of 4 cases (networks and" in said
    assert "the largest is 1.300 (1.200 to" in said and "; even, T)" in said
    nothing = structure.corrected_table(measured[4:])
    assert "too few neurons" in structure.describe_corrected(nothing)
    assert "too few neurons" in structure.shown_corrected(nothing)["note"][0]
    assert len(structure.shown_corrected(table)) == 4


def test_parts_are_said_beside_their_yardsticks(measured):
    table = structure.disjoint_table(measured)
    assert list(table["measure"]) == [CKA] * 4 + [OVERLAP] * 4
    said = structure.describe_disjoint(table)
    (whole, disjoint), other = measured[0].pair_at(CKA, 0.1), measured[0].parts.other.value(CKA)
    assert (
        f"on T, two disjoint tenths of even have a CKA of {disjoint[0]:.3f} ({disjoint[1]:.3f} to "
        f"{disjoint[2]:.3f}), a tenth and the whole {whole[0]:.3f} (" in said
    )
    assert f"The whole layers of even and again have a CKA of {other[0]:.3f} (" in said
    share, within = measured[0].pair_at(OVERLAP, 0.1)[1][0], measured[0].parts.within_classes
    assert f"two disjoint tenths of even share {share:.1%} (" in said
    assert f"By chance within the classes it would be {within:.1%}." in said
    made = table.assign(
        disjoint_less_seeds_low=[-0.2, 0.1] * 4, disjoint_less_seeds_high=[-0.1, 0.2] * 4
    )
    counted = structure.describe_disjoint(made)
    assert "than the whole layers of two seeds in 1 of 2 cases, clearly more in 1." in counted
    assert counted.endswith("By neighbours, they are in 1 of 2 cases, clearly more in 1.")
    far = made[made["measure"] == OVERLAP]
    assert "By neighbours, two tenths of one network are clearly less" in (
        structure.describe_disjoint(far)
    )
    shown = structure.shown_disjoint(table)
    assert shown["two disjoint tenths"][4] == f"{share:.1%}"
    assert list(shown["whole layers of two seeds"][2:4]) == ["–", "–"]

    bare = structure.disjoint_table(measured[2:4])  # without another seed
    assert "seeds" not in structure.describe_disjoint(bare)
    unlabelled = bare.assign(within_classes=np.nan)
    assert "By chance" not in structure.describe_disjoint(unlabelled)
    nothing = structure.disjoint_table(measured[4:])
    assert "too few neurons" in structure.describe_disjoint(nothing)
    assert "too few neurons" in structure.shown_disjoint(nothing)["note"][0]


def test_what_figures_show(measured):
    panels = structure.by_task(measured, structure.redundancies(0.9))
    assert [title for title, _ in panels] == ["T", "U"]
    assert [label for label, _ in panels[0][1]] == ["even", "uneven", "third"]
    assert panels[0][1][1][1][0].value == measured[2].cka[NEURONS, False].redundancy(0.9).value
    rows = structure.basis_rows(measured, 0.9)[0][1]
    assert [label for label, _ in rows][:3] == [
        "even, as it is",
        "standardized",
        "uneven, as it is",
    ]
    drawn = measured[2].cka[ROTATED, True].redundancy(0.9)
    assert rows[3][1][1].value == drawn.value and rows[3][1][1].low == drawn.low
    space, scale, _, one = structure.scale_points(measured[2])
    assert space.value * scale.value == pytest.approx(measured[2].spectrum.diagonal_share)
    assert one.value == pytest.approx(1)
    series = structure.parts_series(measured)
    assert [len(row) for row in series] == [2, 2] and len(series[0][0][1]) == 4
    line = series[1][0][1][1]
    assert line.label == "even: two disjoint parts" and line.x[-1] == 0.5
    assert line.points[-1].value == measured[0].pairs[OVERLAP][1].at(20).mean()
    panel = structure.corrected_panels(measured)[0]
    assert [one.label for one in panel.curves][:2] == ["even, plain", "even, corrected"]
    assert structure.lines_of_redundancy(0.9)[1][0] == pytest.approx(0.0260631, abs=1e-6)
    assert [name for _, name in structure.lines_of_redundancy(0.9)] == [
        "0.95",
        "0.9",
        "0.8",
        "0.6",
        "0.4",
        "0.2",
    ]


def rows(differences, half: float) -> pd.DataFrame:
    made = [
        {
            "net": f"n{i}",
            "task": "T",
            "layer": layer,
            "difference": gap,
            "low": gap - half,
            "high": gap + half,
        }
        for layer, gaps in differences.items()
        for i, gap in enumerate(gaps)
    ]
    return pd.DataFrame(made)


def test_either_basis_can_be_more_diffuse():
    table = rows({"as it is": [0.1, -0.2, 0.01], "standardized": [-0.1, -0.3, -0.2]}, 0.05)
    means = {"as it is": (-0.03, -0.1, 0.04), "standardized": (-0.2, -0.21, -0.19)}
    said = structure.describe_basis(table, means, 0.9)
    assert (
        "as the layers are, random directions have a clearly higher DR(0.9) than random neurons in "
        "1 of 3 cases, a clearly lower one in 1." in said
    )
    assert "are -0.200 to +0.100, on average -0.030 (-0.100 to +0.040)." in said
    assert "neurons in 0 of 3 cases, a clearly lower one in 3." in said
    missing = rows({"as it is": [float("nan")]}, 0.05)
    assert "do not reach DR(0.9)" in structure.describe_basis(missing, means, 0.9)
    alone = structure.describe_basis(rows({"as it is": [0.1]}, float("nan")), means, 0.9)
    assert "in 0 of 1 cases, a clearly lower one in 0. The difference is +0.100." in alone


def test_the_mean_over_layers_is_of_the_differences(measured):
    means, table = structure.mean_of_bases(measured, 0.9), structure.basis_table(measured, 0.9)
    for name, some in table.groupby("layer"):
        value, low, high = means[name]
        assert value == pytest.approx(some["difference"].mean()) and low < value < high
        assert high - low < (some["high"] - some["low"]).max()


def test_one_seed_and_no_images_make_no_intervals():
    one = Spectrum(D, 4.0, 1.0, 6.0)
    curve = made_curve(np.linspace(0.1, 1, D), measure="cka")
    curves = {(basis, scaled): curve for basis in (NEURONS, ROTATED) for scaled in (False, True)}
    bare = Structure("n", "T", one, replace(one, variation=0.0), curves, curve)
    said = structure.describe_scale([bare], structure.scale_table([bare], 0.9), 0.9)
    assert f"of n is {curve.redundancy(0.9).value:.3f}. With" in said
    assert structure.basis_table([bare], 0.9)["low"].isna().all()
    assert "(nan" not in structure.describe_closed_form(structure.closed_form_table([bare]))
