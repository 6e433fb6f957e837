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
    measured_structures,
    redundancy_gap,
)
from diffused_redundancy.explanations import structure
from diffused_redundancy.measures.closed_form_error import mean_error
from diffused_redundancy.measures.features import Features
from diffused_redundancy.measures.neuron_sampling import corrected_cka_curve, disjoint_cka_curve
from diffused_redundancy.measures.spectrum import Spectrum, spectrum

D = 40
NETS = [made_up.net(name, d=D) for name in ("zoo.even", "zoo.uneven", "zoo.third")]
TASKS = [made_up.task("t"), made_up.task("u")]


def features(net: int, task: int) -> np.ndarray:
    scale = np.geomspace(1, (1, 8, 2)[net], D)
    return make_layer(n=150, d=D, seed=task)[0] * scale


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> list[Structure]:
    cache = dr.Cache(tmp_path_factory.mktemp("cache"))

    def layers():
        for i, net in enumerate(NETS):
            for j, task in enumerate(TASKS):
                load = lambda i=i, j=j: Features(features(i, j))  # noqa: E731
                yield net, task, ProbedLayer(load, key={"of": [i, j]}, cache=cache, device="cpu")

    first = measured_structures(layers(), [1, 2, 3], 12)
    again = measured_structures(
        ((net, task, nothing(one.key, cache)) for net, task, one in layers()), [1, 2, 3], 12
    )
    for one, other in zip(first, again, strict=True):
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
    single = replace(low, seeds=(1,), values=low.values[:1])
    assert np.isnan(redundancy_gap(single, low, 0.8)[1:]).all()


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
    assert list(structure.shown_spectrum(table))[3:6] == ["PR", "CV²", "effective rank"]

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
    said = structure.describe_scale(measured, 0.9)
    assert said.startswith("**What to see:** of these networks uneven differs most from even in")
    gap = redundancy_gap(measured[2].cka[NEURONS, False], measured[0].cka[NEURONS, False], 0.9)
    assert f"by {gap[0]:+.3f} ({gap[1]:+.3f} to {gap[2]:+.3f}) on T and" in said
    _, space, scale = measured[2].spectrum.factors(measured[0].spectrum)
    assert f"{space[0]:.2f} ({space[1]:.2f} to {space[2]:.2f}) times {scale[0]:.2f} (" in said
    assert scale[0] > 1.5 and gap[0] < 0
    turned = [*measured[2:4], *measured[:2], *measured[4:]]
    assert "even differs most from uneven" in structure.describe_scale(turned, 0.9)
    alone = structure.describe_scale(measured[:1], 0.9)
    first = measured[0].cka[NEURONS, False].redundancy(0.9)
    assert f"is {first.value:.3f} ({first.low:.3f} to {first.high:.3f}) and" in alone


def test_the_closed_form_is_said_to_err_where_it_does(measured):
    table = structure.closed_form_table(measured)
    said = structure.describe_closed_form(table)
    worst = table[table["layer"] == "as it is"].sort_values("mean_error", key=abs).iloc[-1]
    assert (
        f"errs most for {worst['net']} on {worst['task']}: by {worst['mean_error']:+.3f} (" in said
    )
    assert "Of the layers here (6)" in said
    upside = table.assign(mean_error=np.where(table["net"] == "third", 0.5, 0.0))
    assert "errs most for third on T: by +0.500" in structure.describe_closed_form(upside)


def test_parts_are_said_with_their_numbers(measured):
    corrected, disjoint = (
        structure.describe_corrected(measured),
        structure.describe_disjoint(measured),
    )
    for one in (measured[0], measured[2]):
        plain, after = one.pair_at(CKA, 0.1)[0][0], one.pair_at(CORRECTED, 0.1)[0][0]
        assert f"from {plain:.3f} (" in corrected and f"to {after:.3f} (" in corrected
        assert f"{one.pair_at(CKA, 0.1)[1][0]:.3f} (" in disjoint
        assert f"{one.pair_at(OVERLAP, 0.1)[1][0]:.3f} (" in disjoint
    values = [one.pair_at(CORRECTED, 0.1)[0][0] for one in measured[:4]]
    assert f"Of the layers here (4), corrected values are {min(values):.3f} to" in corrected
    assert "chance, 0.067 of" in disjoint
    for nobody in (structure.describe_corrected, structure.describe_disjoint):
        assert "too few neurons" in nobody(measured[4:])


def test_what_figures_show(measured):
    panels = structure.by_task(measured, structure.redundancies(0.9))
    assert [title for title, _ in panels] == ["T", "U"]
    assert [label for label, _ in panels[0][1]] == ["even", "uneven", "third"]
    assert panels[0][1][1][1][0].value == measured[2].cka[NEURONS, False].redundancy(0.9).value
    assert len(structure.by_task(measured, structure.basis_points(0.9))[0][1][0][1]) == 4
    assert len(structure.BASIS_NAMES) == 4
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
    said = structure.describe_basis(table, 0.9)
    assert (
        "As it is: -0.200 (-0.250 to -0.150) (n1 on T) to +0.100 (+0.050 to +0.150) (n0 on T)"
        in said
    )
    assert "clearly above 0 for 1 and below for 1 of 3; Standardized" in said
    assert "clearly above 0 for 0 and below for 3 of 3" in said and "all 6 comparisons" in said
    missing = rows({"as it is": [float("nan")]}, 0.05)
    assert "As it is: not reached" in structure.describe_basis(missing, 0.9)
    alone = structure.describe_basis(rows({"as it is": [0.1]}, float("nan")), 0.9)
    assert "As it is: +0.100 (n0 on T), clearly above 0 for 0 and below for 0 of 1" in alone


def test_one_seed_and_no_images_make_no_intervals():
    one = Spectrum(D, 4.0, 1.0, 6.0)
    curve = made_curve(np.linspace(0.1, 1, D), measure="cka")
    curves = {(basis, scaled): curve for basis in (NEURONS, ROTATED) for scaled in (False, True)}
    bare = Structure("n", "T", one, replace(one, variation=0.0), curves, curve)
    said = structure.describe_scale([bare], 0.9)
    assert f"is {curve.redundancy(0.9).value:.3f} and" in said
    assert structure.basis_table([bare], 0.9)["low"].isna().all()
    assert "(nan" not in structure.describe_closed_form(structure.closed_form_table([bare]))
