"""What hangs on the penalties of the probes."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import replace

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import make_layer
from diffused_redundancy.experiment import penalty_bands
from diffused_redundancy.experiment.measurements import (
    common_choices,
    measured,
    measured_all,
    measured_hits,
)
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.findings import penalties, probing
from diffused_redundancy.findings.grouping import Grouping
from diffused_redundancy.measures.features import Features
from diffused_redundancy.measures.selections import random_order
from diffused_redundancy.probes.cross_validation import common_choice
from made_up import net, task
from sklearn.linear_model import RidgeClassifier

HOW = {"selections": ["random"], "seeds": [1, 2], "fractions": [0.5, 1.0]}


@pytest.fixture
def layers():
    X, y = make_layer(n=500)
    return {"a case": ProbedLayer(lambda: Features(X[:300], y[:300], X[300:], y[300:]))}


@pytest.mark.parametrize("fractions", [[0.2, 1.0], [0.5, 1.0]])
def test_effects_of_penalties_are_those_of_the_probes(layers, fractions):
    layer = layers["a case"]
    ridge = probing.probe_curves(layers, "ridge", ["random"], [1, 2])
    logistic = probing.probe_curves(layers, "logistic", ["random"], [1, 2], fractions)
    table = penalties.penalty_effects(layers, ridge, logistic).set_index("probe")
    k, orders, one = 12, dr.orderings("random", layer.statistics, [1, 2]), layer.features
    for words, times in ((penalties.WEAKER, 0.1), (penalties.CHOSEN, 1), (penalties.STRONGER, 10)):
        curve = dr.RidgeProbe(one, penalty=times * layer.ridge_penalty.penalty).curve(orders)
        assert table.loc["ridge", words] == pytest.approx(100 * curve.at(k).mean() / curve.full)
        probe = dr.LogisticProbe(one, penalty=times * layer.logistic_penalty.penalty)
        curve = probe.curve(orders, [k, 60])
        assert table.loc["logistic", words] == pytest.approx(
            100 * np.mean(curve.at(k) / curve.at(60)), abs=0.6
        )
    text = penalties.describe_penalty_effects(table.reset_index())
    others = table[[penalties.WEAKER, penalties.STRONGER]]
    moved = others.sub(table[penalties.CHOSEN], axis=0).abs().max(axis=1)
    assert f"ridge probe by at most {moved['ridge']:.1f} points" in text
    assert f"logistic probe by at most {moved['logistic']:.1f} points" in text


def test_penalties_at_the_edge_of_the_grid_are_marked(layers, monkeypatch):
    layer = layers["a case"]
    choice = layer.ridge_penalty
    edge = dataclasses.replace(choice, penalty=choice.grid[0])
    monkeypatch.setitem(layer.__dict__, "ridge_penalty", edge)
    row = penalties.penalty_table(layers).iloc[0]
    assert row["grid"].endswith("(at its edge)")
    assert row["validation loss"] == choice.loss[0]
    assert row["validation accuracy"] == choice.accuracy[0]


def layer_of(X, y):
    half = len(y) // 2
    return ProbedLayer(lambda: Features(X[:half], y[:half], X[half:], y[half:]), device="cpu")


def noisy(seed=0):
    """A layer on which a step of the grid moves DR."""
    X, y = make_layer(n=500, d=40, seed=seed)
    rng = np.random.default_rng(seed)
    return layer_of(X + 6 * rng.standard_normal(X.shape), y)


def with_choice(layer, penalty):
    """The same layer where chance chose another penalty."""
    choice = layer.ridge_penalty
    loss = np.array(choice.loss)
    loss[choice.grid.index(penalty)] = loss.min() * (1 - 1e-4)
    other = dataclasses.replace(choice, penalty=penalty, loss=tuple(loss))
    same = ProbedLayer(lambda: layer.features, device="cpu")
    same.__dict__["ridge_penalty"] = other
    return same


def plain_redundancy(layer, penalty, seeds, delta=0.9):
    """DR from its definition and scikit-learn's ridge classifier."""
    one = layer.features
    alpha = penalty * len(one.X_train) * one.X_train.var(0).mean()

    def accuracy(columns):
        probe = RidgeClassifier(alpha=alpha).fit(one.X_train[:, columns], one.y_train)
        return probe.score(one.X_test[:, columns], one.y_test)

    orders = [random_order(layer.d, seed).numpy() for seed in seeds]
    full = accuracy(np.arange(layer.d))
    for k in range(1, layer.d + 1):
        if np.mean([accuracy(order[:k]) for order in orders]) >= delta * full - 1e-12:
            return 1 - k / layer.d


def test_two_networks_that_differ_in_penalty_alone_have_equal_redundancy():
    """Chance chooses 0.1 for one and 3.16 for the other: compared at their own penalties they
    differ, at a common one they do not.
    """
    layer = noisy(1)
    pair = [
        (net(name), task(), with_choice(layer, penalty))
        for name, penalty in (("a", 0.1), ("b", 3.16))
    ]
    found = {
        which: [
            (one.penalty, one.redundancy("accuracy", 0.9).value)
            for one in measured_all(pair, probe="ridge", penalties=which, **HOW).all
        ]
        for which in ("own", "common")
    }
    assert [penalty for penalty, _ in found["own"]] == [0.1, 3.16]
    assert found["own"][0][1] != found["own"][1][1]
    assert found["common"][0] == found["common"][1]
    assert found["common"] == [
        (one.penalty, one.redundancy("accuracy", 0.9).value)
        for one in measured_all(pair, probe="ridge", **HOW).all
    ]


@pytest.mark.parametrize("probe", ["ridge", "logistic"])
def test_networks_are_measured_at_the_common_penalty_of_their_task(probe):
    X, y = make_layer(n=200, d=10)
    large = X * np.where(np.arange(10) == 0, 1000, 1)  # its grid begins lower
    cases = [
        (net(name), task(where), layer_of(features, labels))
        for name, features in (("a", X), ("b", large))
        for where, labels in (("s", y), ("t", y % 2))
    ]
    measurements = measured_all(iter(cases), probe=probe, **HOW)
    assert not any("features" in vars(layer) for _, _, layer in cases)
    for where in ("s", "t"):
        here = [(one, of, layer) for one, of, layer in cases if of.name == where]
        grids = [layer.penalty(probe).grid for _, _, layer in here]
        assert grids[0] != grids[1]
        union = tuple(sorted({*grids[0], *grids[1]}))
        expected = common_choice([layer.choice_on(probe, union) for _, _, layer in here]).penalty
        for one, of, layer in here:
            found = measurements.of(one, of)
            assert found.penalty == expected
            again = measured(one, of, layer, probe=probe, penalty=expected, **HOW)
            assert np.array_equal(found.curve("accuracy").values, again.curve("accuracy").values)
    alone = measured_all(cases[:1], probe=probe, **HOW).all[0]
    assert alone.penalty == cases[0][2].penalty(probe).penalty


def test_hits_are_those_at_the_same_penalty():
    cases = [(net("a"), task(), noisy()), (net("b"), task(), noisy(1))]
    hits = measured_hits(cases, ["random"], [1, 2], of_first=["first"])
    assert ("a", "t", "first") in hits and ("b", "t", "first") not in hits
    penalty = common_choices(cases, "ridge")["t"].penalty
    for one, of, layer in cases:
        found = hits[one.name, of.name, "random"]
        whole = layer.ridge("random", [1, 2], penalty=penalty, by_class=True).per_class
        assert np.allclose(found.by_class, whole, equal_nan=True)


def test_there_are_two_kinds_of_penalties():
    def fail():
        raise AssertionError("work before the check")

    case = net("a"), task(), ProbedLayer(fail)
    for measure in (
        lambda: measured_all([case], probe="ridge", penalties="comon", **HOW),
        lambda: measured_hits([case], ["random"], [1], penalties="comon"),
    ):
        with pytest.raises(dr.InputError, match="did you mean 'common'"):
            measure()


@pytest.mark.parametrize("networks", [1, 2])
def test_bands_are_of_the_definition(networks):
    some, seeds = [noisy(seed) for seed in range(networks)], [1, 2, 3]
    band = penalty_bands.penalty_band(some, 0.9, seeds)
    assert not any("features" in vars(layer) for layer in some)
    chosen = common_choice([layer.ridge_penalty for layer in some])
    assert band.penalty == chosen.penalty and band.seeds == 3
    assert 2 < len(band.penalties) <= penalty_bands.MOST
    expected = [
        np.mean([plain_redundancy(layer, penalty, seeds) for layer in some])
        for penalty in band.penalties
    ]
    assert np.allclose(band.values, expected)
    assert (band.low, band.high) == (min(band.values), max(band.values))
    assert band.chosen == band.values[band.penalties.index(band.penalty)]
    # from the weakest to the strongest penalty that cannot be told apart
    grid = 10.0 ** np.arange(-4, 4, 0.125)
    near = (grid > min(chosen.alike) / 3.2) & (grid < max(chosen.alike) * 3.2)
    grid = tuple(float(f"{penalty:.3g}") for penalty in grid[near])
    assert set(chosen.alike) < set(grid)
    alike = common_choice([layer.choice_on("ridge", grid) for layer in some]).alike
    assert band.penalties[0] == min(*alike, band.penalty)
    assert band.penalties[-1] == max(*alike, band.penalty)


@pytest.mark.parametrize("count", range(1, 12))
@pytest.mark.parametrize("place", [-0.5, 0.0, 2.5, 3.0, 10.5])
def test_bands_have_few_penalties_the_ends_and_the_one_in_force_among_them(count, place):
    alike = [float(i) for i in range(count)]
    kept = penalty_bands._some_of(alike, place)
    assert list(kept) == sorted(set(kept)) and set(kept) <= {*alike, place}
    assert {min(*alike, place), max(*alike, place), place} <= set(kept)
    assert len(kept) == min(penalty_bands.MOST, len({*alike, place}))


def test_bands_of_groups_are_those_of_their_first_networks():
    nets = {name: net(name) for name in "abcd"}
    tasks = {name: task(name) for name in "st"}
    layers = {pair: noisy(seed) for seed, pair in enumerate(itertools.product("abcd", "st"))}
    cases = [(nets[n], tasks[t], layer) for (n, t), layer in layers.items()]
    measured = measured_all(
        cases, probe="ridge", selections=["random"], seeds=[1, 2], fractions=[1.0]
    )
    groups = Grouping("loss", {"x": [nets[n] for n in "abc"], "alone": [nets["d"]]})
    found = penalty_bands.group_bands(
        measured, groups.groups, lambda n, t: layers[n.name, t.name], 0.8, [1, 2]
    )
    assert list(found) == ["s", "t"]
    for where, bands in found.items():
        at = measured.of(nets["a"], tasks[where]).penalty
        some = [layers[n, where] for n in "abd"]
        alone = penalty_bands.penalty_band(some, 0.8, [1, 2], penalty=at)
        ends = (alone.penalties[0], alone.penalties[-1])
        assert bands.penalties == tuple(sorted({*ends, at})) and bands.penalty == at
        expected = {
            "x": [
                [plain_redundancy(layers[n, where], p, [1, 2], 0.8) for p in bands.penalties]
                for n in "ab"
            ],
            "alone": [
                [plain_redundancy(layers["d", where], p, [1, 2], 0.8) for p in bands.penalties]
            ],
        }
        for label, values in expected.items():
            assert np.allclose(bands.values[label], values)
            assert np.allclose(bands.group(label).values, np.mean(values, 0))
        gap = np.mean(expected["x"], 0) - expected["alone"][0]
        assert bands.of_difference("x", "alone") == pytest.approx(max(gap) - min(gap))
        assert bands.of_difference("alone", "x") == bands.of_difference("x", "alone")
        place = bands.penalties.index(at)
        moved = np.array(expected["x"]) - np.array(expected["x"])[:, [place]]
        assert np.allclose(bands.shifts("x"), moved)
    every = penalty_bands.group_bands(
        measured, groups.groups, lambda n, t: layers[n.name, t.name], 0.8, [1, 2], most=None
    )
    assert [len(every["s"].values[label]) for label in ("x", "alone")] == [3, 1]
    table = penalties.group_bands_table(found, list(tasks.values()))
    assert table["group"].tolist() == ["penalties", "x", "alone"]
    assert f"{found['s'].group('x').width:.3f} (" in table["S"][1]
    assert "note" in penalties.group_bands_table({}, [])
    for seeds, some in (([], groups), ([1], Grouping("loss", {}))):
        with pytest.raises(dr.InputError, match="at least one group and one seed"):
            penalty_bands.group_bands(measured, some.groups, pytest.fail, 0.8, seeds)
    with pytest.raises(dr.InputError, match=r"seeds \[7\] are not among those measured: \[1, 2\]"):
        penalty_bands.group_bands(measured, groups.groups, pytest.fail, 0.8, [1, 7])


def test_how_far_groups_move_is_told_by_task():
    def bands(**values):
        every = {label: ((low, high),) for label, (low, high) in values.items()}
        return penalty_bands.GroupBands(0.9, (0.1, 1.0), every, 0.1, seeds=3)

    nan = float("nan")
    found = {
        "s": bands(x=(0.9, 0.9), y=(0.5, 0.502), z=(0.7, 0.7)),
        "t": bands(x=(0.4, 0.481), y=(0.2, 0.207), z=(nan, nan)),
    }
    tasks = [task("s"), task("t")]
    assert penalties.describe_widths(found, tasks) == (
        "**What to see:** how far DR(0.9) moves over these penalties, in the group where it moves "
        "least and in the one where it moves most:\n\n"
        "- S: 0.000 (x) to 0.002 (y).\n- T: 0.007 (y) to 0.081 (x)."
    )
    alone = penalties.describe_widths({"t": bands(x=(0.4, 0.481))}, tasks)
    assert alone.endswith("moves over these penalties:\n\n- T: 0.081 (x).")
    assert "no DR" in penalties.describe_widths({"t": bands(x=(nan, nan))}, tasks)


def test_bands_of_layers_whose_grids_do_not_meet():
    """One whose first neuron varies far more, so that its grid begins lower."""
    X, y = make_layer(n=200, d=10)
    large = X * np.where(np.arange(10) == 0, 1000, 1)
    some = [layer_of(X, y), layer_of(large, y)]
    grids = [set(layer.ridge_penalty.grid) for layer in some]
    assert grids[0] != grids[1]
    common = common_choices([(net(str(i)), task(), one) for i, one in enumerate(some)], "ridge")
    assert penalty_bands.penalty_band(some, 0.9, [1]).penalty == common["t"].penalty


def test_a_band_rests_on_few_orders():
    layers = [noisy(0)]
    more = penalty_bands.penalty_band(layers, 0.9, range(1, 9))
    assert more == penalty_bands.penalty_band(layers, 0.9, range(1, penalty_bands.ORDERS + 1))
    with pytest.raises(dr.InputError, match="at least one layer and one seed"):
        penalty_bands.penalty_band([], 0.9, [1])


def test_effects_within_the_band_are_not_resolvable():
    assert penalty_bands.resolvable(0.09, 0.08) and penalty_bands.resolvable(-0.09, 0.08)
    assert not penalty_bands.resolvable(0.08, 0.08) and not penalty_bands.resolvable(-0.01, 0.08)
    assert penalty_bands.resolvable(0.01, 0.0) and not penalty_bands.resolvable(0.0, 0.0)
    assert not penalty_bands.resolvable(0.5, float("nan"))


def test_no_band_where_the_layer_guesses():
    X, y = make_layer(n=200, d=10)
    layer = layer_of(X, np.random.default_rng(0).permutation(y))
    cases = {"noise": layer}
    bands = penalty_bands.penalty_bands(cases, 0.9, [1, 2])
    assert np.isnan(bands["noise"].width) and np.isnan(bands["noise"].low)
    ridge = probing.probe_curves(cases, "ridge", ["random"], [1, 2])
    assert "No full layer" in penalties.describe_bands(bands, ridge)
    _, (by_seed, by_penalty) = penalties.band_series(bands, ridge)
    assert np.isnan(by_seed.points[0].value) and np.isnan(by_penalty.points[0].low)


def test_bands_are_shown_beside_intervals():
    cases = {"one": noisy(), "other": noisy(1)}
    bands = penalty_bands.penalty_bands(cases, 0.9, [1, 2, 3])
    ridge = probing.probe_curves(cases, "ridge", ["random"], [1, 2, 3])
    table = penalties.bands_table(bands).set_index("case")
    names, (by_seed, by_penalty) = penalties.band_series(bands, ridge)
    assert names == list(cases)
    for place, (case, band) in enumerate(bands.items()):
        redundancy = ridge[case]["random"].redundancy(0.9)
        assert by_seed.points[place].value == redundancy.value == band.chosen
        assert (by_seed.points[place].low, by_seed.points[place].high) == (
            redundancy.low,
            redundancy.high,
        )
        assert (by_penalty.points[place].low, by_penalty.points[place].high) == (
            band.low,
            band.high,
        )
        assert table.loc[case, "width"] == pytest.approx(band.high - band.low)
        assert table.loc[case, "penalties of the band"] == (
            f"{band.penalties[0]:g} to {band.penalties[-1]:g}"
        )


def band(width, case=0.9):
    return penalty_bands.PenaltyBand(case, (0.1, 1.0), (0.5, 0.5 - width), 0.1, seeds=3)


def test_the_sentence_says_where_a_band_is_wide():
    cases = {"one": noisy(), "other": noisy(1)}
    ridge = {
        case: {"random": replace(kinds["random"], by_images=None, full_by_images=None)}
        for case, kinds in probing.probe_curves(cases, "ridge", ["random"], range(1, 21)).items()
    }
    text = penalties.describe_bands({"one": band(0.4), "other": band(0.0)}, ridge)
    assert "band is that of one: penalties from 0.1 to 1 give a DR(0.9) of 0.100 to 0.500" in text
    assert "On one the band is wider" in text
    text = penalties.describe_bands({"one": band(0.0), "other": band(1e-6)}, ridge)
    assert "that of other" in text and "Nowhere is a band wider" in text
    text = penalties.describe_bands({"one": band(0.0), "other": band(0.0)}, ridge)
    assert "no DR(0.9) depends" in text


@pytest.mark.slow
def test_the_sentence_says_that_a_band_of_fewer_orders_may_leave_out_the_redundancy_beside_it():
    """Also where no band has a width; and not where both rest on the same orders."""
    cases = {"Photos (part), a": noisy(), "Photos (part), b": noisy(1)}
    bands = penalty_bands.penalty_bands(cases, 0.9, range(1, 21))

    def said(orders, bands=bands):
        ridge = probing.probe_curves(cases, "ridge", ["random"], range(1, orders + 1))
        return penalties.describe_bands(bands, ridge)

    few, every = (
        [plain_redundancy(layer, layer.ridge_penalty.penalty, range(1, n)) for n in (6, 21)]
        for layer in cases.values()
    )
    gaps = [abs(few[0] - few[1]), abs(every[0] - every[1])]
    name, pair = ("a", few) if gaps[0] >= gaps[1] else ("b", every)
    assert max(gaps) > 0
    assert (
        "Bands rest on 5 orders of the neurons, other values of DR on 20. That alone moves DR, "
        f"most on Photos (part) with {name}: at one penalty from {pair[1]:.3f} to {pair[0]:.3f}. "
        "So a band may leave out the DR beside it"
    ) in said(20)
    narrow = {case: replace(one, values=(one.chosen,) * 5) for case, one in bands.items()}
    assert said(20, narrow).startswith("**What to see:** no DR(0.9) depends")
    assert "Bands rest on 5" in said(20, narrow)
    assert "Bands rest" not in said(5)


def test_bands_of_groups_say_what_their_few_orders_move():
    nets = {name: net(name) for name in "abc"}
    layers = {name: noisy(seed) for seed, name in enumerate("abc")}
    cases = [(nets[name], task(), layer) for name, layer in layers.items()]
    measured = measured_all(
        cases, probe="ridge", selections=["random"], seeds=range(1, 11), fractions=[1.0]
    )
    groups = {"x": [nets[name] for name in "abc"]}

    def said(seeds):
        found = penalty_bands.group_bands(
            measured, groups, lambda n, t: layers[n.name], 0.9, list(seeds)
        )
        return penalties.describe_group_bands(found, groups, measured)

    at = measured.all[0].penalty
    few, every = (
        np.mean([plain_redundancy(layers[name], at, range(1, n)) for name in "ab"]) for n in (4, 11)
    )
    assert few != every
    assert f"most on T for x: at one penalty from {every:.3f} to {few:.3f}." in said(range(1, 4))
    assert said(range(1, 11)) == "" == penalties.describe_group_bands({}, groups, measured)


def test_the_band_of_a_task_is_the_widest_of_its_networks():
    def band(low, high):
        return penalty_bands.PenaltyBand(0.9, (0.1, 1.0), (low, high), 0.1, seeds=2)

    cases = {f"{i}": (net(f"a{i}"), task("t" if i < 2 else "u")) for i in range(3)}
    bands = {"0": band(0.5, 0.7), "1": band(0.5, 0.6), "2": band(0.5, 0.55)}
    assert penalties.widest(bands, cases) == pytest.approx({"T": 0.2, "U": 0.05})
