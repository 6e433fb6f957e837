"""Chosen orders against random ones: what is measured, and what the notebook says of it."""

from __future__ import annotations

from dataclasses import replace

import diffused_redundancy as dr
import numpy as np
import pandas as pd
import pytest
from conftest import make_layer
from curves import made_curve
from diffused_redundancy.experiment import chosen_orders as measured
from diffused_redundancy.experiment.chosen_orders import OrderGain
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.explanations import chosen_orders
from diffused_redundancy.findings import probing, similarity, tables
from diffused_redundancy.measures.features import Features
from diffused_redundancy.measures.gains import Gain
from diffused_redundancy.measures.image_groups import halves_of
from diffused_redundancy.uncertainty.comparison import holm
from scipy.stats import ttest_1samp

SELECTIONS = ["random", "variance", "norm_least", "pivoted_qr", "lda"]


@pytest.fixture(scope="module")
def layers() -> dict[str, ProbedLayer]:
    """Two tasks of one network, whose neurons differ in scale."""
    scale = np.random.default_rng(7).uniform(0.05, 3, 60)
    made = {}
    for seed, title in enumerate(("one", "other")):
        X, y = make_layer(n=700, seed=seed)
        X = X * scale
        part = Features(X[:400], y[:400], X[400:], y[400:])
        made[title] = ProbedLayer(lambda part=part: part)
    return made


@pytest.fixture(scope="module")
def curves(layers):
    cka = similarity.cka_curves(layers, SELECTIONS, [1, 2], count=30, held_out=True)
    accuracy = probing.probe_curves(layers, "ridge", SELECTIONS, [1, 2], count=12)
    return cka, accuracy


def test_own_gains_are_those_of_the_curves(curves):
    cka, accuracy = curves
    gains = measured.own_gains(cka) + measured.own_gains(accuracy)
    table = measured.gains_table(gains)
    assert set(table["k"]) == {3, 6, 12, 4}  # 4: all of the discriminant directions
    for row in table.itertuples():
        kinds = (cka if row.measure == "cka" else accuracy)[row.used_on]
        random = kinds["random"].at(row.k)
        value = kinds[row.selection].at(row.k)[0]
        assert row.value == value and row.gain == pytest.approx(value - random.mean())
        assert row.beaten == (random < value).sum() and row.orders == len(random)
        assert row.chosen_on == row.used_on and row.low <= row.gain <= row.high
    for _, rows in table.groupby("measure"):
        assert rows["p_holm"].to_numpy() == pytest.approx(holm(rows["p"]))
    assert np.isnan(table[table["k"] == 4]["fraction"]).all()


def test_transfer_holds_every_pair_and_agrees_with_own_gains(layers, curves):
    cka, accuracy = curves
    random = {"cka": tables.of_selection(cka), "ridge_accuracy": tables.of_selection(accuracy)}
    transferred = measured.transferred_gains(layers, random, SELECTIONS)
    assert len(transferred) == 2 * 2 * 2 * 3 * 3  # pairs, measures, selections of neurons, sizes
    own = measured.gains_table(measured.own_gains(cka) + measured.own_gains(accuracy))
    keys = ["measure", "selection", "chosen_on", "used_on", "k"]
    both = own.merge(measured.gains_table(transferred), on=keys, suffixes=("", "_again"))
    assert len(both) == 2 * 2 * 3 * 3
    assert both["gain_again"].to_numpy() == pytest.approx(both["gain"].to_numpy())
    one, other = layers["one"], layers["other"]
    order = dr.ordering("pivoted_qr", other.statistics)
    held_out = dr.SufficientStatistics.from_features(one.features.X_test)
    (found,) = (
        gain
        for gain in transferred
        if (gain.measure, gain.selection, gain.chosen_on, gain.used_on, gain.fraction)
        == ("cka", "pivoted_qr", "other", "one", 0.1)
    )
    assert found.gain.value == pytest.approx(dr.cka_curve(held_out, order).at(6)[0])


def test_gains_of_a_further_network_are_those_of_few_orders(layers):
    gains = measured.gains_of_layer("one", layers["one"], SELECTIONS, [1, 2])
    accuracy = probing.probe_curves({"one": layers["one"]}, "ridge", SELECTIONS, [1, 2], count=20)
    expected = measured.own_gains(accuracy)
    ours = [one for one in gains if one.measure == "ridge_accuracy"]
    assert [one.gain.k for one in ours] == [one.gain.k for one in expected]
    assert [one.gain.gain for one in ours] == pytest.approx([one.gain.gain for one in expected])
    assert {one.gain.orders for one in gains} == {20}


def test_the_luckiest_by_accuracy_is_judged_on_the_other_half(layers):
    layer, seeds = layers["one"], list(range(1, 16))
    luck = {one.k: one for one in measured.luck_of_accuracy("one", layer, seeds)}
    features = layer.features
    probe = dr.RidgeProbe(features, penalty=layer.ridge_penalty.penalty)
    orders = dr.orderings("random", probe.statistics, seeds)
    bits = probe.evaluate(orders, [6], hits=True)["hits"][:, 0]
    right = np.unpackbits(bits, axis=1, count=300).astype(float)
    first, second = halves_of(np.asarray(features.y_test))
    seen, left = [], []
    for half, other in ((first, second), (second, first)):
        best = right[:, half].mean(1).argmax()
        seen.append(right[best, half].mean() - right[:, half].mean())
        left.append((right[best, other].mean() - right[:, other].mean()) * other.mean())
    assert luck[6].seen == pytest.approx(np.mean(seen)) and luck[6].left == pytest.approx(sum(left))
    assert luck[6].left_low < luck[6].left < luck[6].left_high
    curve = probe.curve(orders, [6])
    assert luck[6].best == curve.values.max() and luck[6].mean == pytest.approx(curve.values.mean())


def test_the_luckiest_by_cka_is_found_on_train_images(layers):
    layer, seeds = layers["one"], list(range(1, 31))
    on_train, held_out = (layer.cka("random", seeds, held_out=held) for held in (False, True))
    for one in measured.luck_of_cka("one", layer, on_train, held_out):
        best = on_train.at(one.k).argmax()
        assert one.seen == pytest.approx(on_train.at(one.k)[best] - on_train.at(one.k).mean())
        assert one.left == pytest.approx(held_out.at(one.k)[best] - held_out.at(one.k).mean())
        assert one.low == pytest.approx(np.quantile(on_train.at(one.k), 0.01))


def test_sizes_outside_the_band():
    random = made_curve([[0.2, 0.4, 0.8, 1], [0.3, 0.5, 0.9, 1]])
    kinds = {"random": random, "variance": made_curve([0.4, 0.6, 0.1, 1], "variance")}
    (row,) = measured.outside_table({"t": kinds}).to_dict("records")
    assert (row["above"], row["above_from"], row["above_to"]) == (2, 1, 2)
    assert (row["below"], row["below_from"], row["sizes"]) == (1, 3, 3)
    shown = chosen_orders.shown_outside(measured.outside_table({"t": kinds}))
    assert shown.to_dict("records") == [{"selection": "variance", "t": "2 (1 to 2)"}]


def gain_of(gain: float, *, p: float = 1e-9, beaten: int = 10, **given: object) -> OrderGain:
    what = {"measure": "ridge_accuracy", "selection": "variance", "fraction": 0.1}
    what |= {"chosen_on": "A", "used_on": "A", **given}
    draws = gain + 0.01 * np.linspace(-1, 1, 101) / 0.95  # 95% of them within a hundredth
    return OrderGain(
        **what, gain=Gain(6, 0.5 + gain, gain, gain - 0.01, gain + 0.01, p, beaten, 10), draws=draws
    )


def test_what_is_said_of_gains_follows_from_them():
    table = measured.gains_table([gain_of(0.05), gain_of(-0.03, used_on="B", beaten=2)])
    said = chosen_orders.describe_gains(table, table)
    assert "of 2 gains in ridge accuracy, 1 are clearly above and 1 clearly below" in said
    assert "1 are beyond the best of 10 random orders, where chance would put 0.2" in said
    assert "The largest is +5.0 points (+4.0 to +6.0), of variance on A with 6 neurons" in said
    assert "differs by +0.000 to +0.000" in said
    unsure = measured.gains_table([gain_of(0.05, p=0.2), gain_of(-0.03, p=0.03, beaten=0)])
    said = chosen_orders.describe_gains(unsure, unsure)
    assert "0 are clearly above and 0 clearly below" in said  # 0.03 twice is above 5%
    assert "No way" in chosen_orders.describe_gains(measured.gains_table([]), table)
    train = table.assign(gain=table["gain"] + 0.02)
    assert "by +0.020 to +0.020" in chosen_orders.describe_gains(table, train)


def test_what_is_said_of_transfer_follows_from_it():
    own = [gain_of(0.05), gain_of(0.03, chosen_on="B", used_on="B")]
    other = [gain_of(0.01, used_on="B"), gain_of(-0.03, chosen_on="B")]
    said = chosen_orders.describe_transfer(own + other, 0.1)
    assert "of variance together" in said
    assert "+4.0 points (+3.0 to +5.0) where they were chosen on the task itself" in said
    assert "-1.0 points (-2.0 to +0.0) where on another, a difference of +5.0 points" in said
    assert "two tasks" in chosen_orders.describe_transfer(own, 0.1)
    table = measured.gains_table(own + other)
    ((title, names, values),) = chosen_orders.transfer_panels(table, 0.1)
    assert names == ["A", "B"] and "variance" in title and "accuracy" in title
    assert np.asarray(values) == pytest.approx(np.array([[5, 1], [-3, 3]]))


def test_networks_are_the_unit():
    rng = np.random.default_rng(0)
    nets = {
        f"n{i}": [gain_of(0.05 + rng.normal(0, 0.002)), gain_of(rng.normal(0, 0.05), used_on="B")]
        for i in range(5)
    }
    table = measured.networks_table(nets)
    first = table[table["used_on"] == "A"].iloc[0]
    values = [some[0].gain.gain for some in nets.values()]
    half = 2.776 * np.std(values, ddof=1) / np.sqrt(5)
    assert first["gain"] == pytest.approx(np.mean(values))
    assert first["high"] - first["gain"] == pytest.approx(half, rel=1e-3)
    assert (first["networks"], first["above_0"]) == (5, 5)
    assert table["p"].to_numpy() == pytest.approx(
        [ttest_1samp([some[i].gain.gain for some in nets.values()], 0).pvalue for i in (0, 1)]
    )
    said = chosen_orders.describe_networks(table)
    assert "over 5 networks" in said and "Holm's correction for 2" in said
    assert "with 10% of the neurons 1 of 2 are clearly above 0 and 0 clearly below" in said
    (row,) = chosen_orders.shown_networks(table, "ridge_accuracy").to_dict("records")
    assert row["A"].endswith("*") and not row["B"].endswith("*") and row["kept"] == "10%"
    alone = measured.networks_table({"n0": nets["n0"]})
    assert "two networks" in chosen_orders.describe_networks(alone)
    assert "two networks" in chosen_orders.describe_networks(measured.networks_table({"n0": []}))


def test_all_directions_of_networks_are_compared_whatever_their_width():
    lda = [gain_of(0.2, selection="lda", fraction=float("nan"))]
    table = measured.networks_table({"narrow": lda, "wide": lda})
    assert table["networks"].tolist() == [2]
    assert chosen_orders.shown_networks(table, "ridge_accuracy")["kept"].tolist() == [
        "all there are"
    ]


def test_what_is_said_of_luck_follows_from_it():
    values = 0.5, 0.4, 0.42, 0.58, 0.6, 0.1, 0.02, 0.01, 0.03
    luck = measured.Luck("ridge_accuracy", "A", 6, 100, *values)
    table = measured.luck_table([luck, replace(luck, task="B", left=0.0, left_low=-0.01)])
    gains = measured.gains_table([gain_of(0.05), gain_of(-0.03, used_on="B")])
    said = chosen_orders.describe_luck(table, gains)
    assert "the best of 100 random orders gains in ridge accuracy +10.0 to +10.0 points" in said
    assert "+0.0 to +2.0 points on others, with an interval above 0 in 1 of 2 cases" in said
    assert "(of 2 gains of chosen neurons 1 are larger)" in said
    assert chosen_orders.shown_luck(table)["worst to best"].tolist() == ["0.400 to 0.600"] * 2


def test_what_is_said_of_penalties_follows_from_them():
    frames = [
        measured.gains_table([gain_of(0.05), gain_of(0.01, used_on="B")]).assign(times=t, moved=m)
        for t, m in ((1.0, 0.0), (0.1, -0.01), (10.0, [0.03, 0.01]))
    ]
    said = chosen_orders.describe_penalties(pd.concat(frames))
    assert "move by 1.0 points at most (1.0 on average) and 3.0 points at most (2.0" in said
    assert "No gain" in chosen_orders.describe_penalties(frames[0])


def test_penalties_are_those_asked_for(layers):
    table = measured.penalties_table({"one": layers["one"]}, SELECTIONS, [1])
    layer = layers["one"]
    alpha = 10 * layer.ridge_penalty.penalty
    chosen = layer.ridge("variance", [0], penalty=alpha).at(6)[0]
    random = layer.ridge("random", range(1, 21), penalty=alpha).at(6).mean()
    row = table[(table["times"] == 10) & (table["selection"] == "variance") & (table["k"] == 6)]
    assert row["gain"].item() == pytest.approx(chosen - random)
    assert set(table["selection"]) == {"variance", "norm_least", "pivoted_qr"}


def test_discriminants_against_the_whole_layer():
    curve = made_curve([0.5, 0.6, 0.7, 0.8], "lda", full=0.7, sizes=[1, 2, 3, 4], d=60)
    said = chosen_orders.describe_discriminants({"A": {"lda": curve}})
    assert "+10.0 with 4 and -10.0 with 2 on A" in said
    assert "No discriminant" in chosen_orders.describe_discriminants({"A": {}})


def test_panels_are_differences_and_leave_out_the_least(curves):
    panels = chosen_orders.gain_panels(*curves)
    assert [panel.title for panel in panels] == [
        "one, CKA",
        "one, accuracy",
        "other, CKA",
        "other, accuracy",
    ]
    first = panels[0]
    assert [line.selection for line in first.curves] == ["random", "variance", "pivoted_qr", "lda"]
    assert first.curves[0].values.mean(0) == pytest.approx(np.zeros(60), abs=1e-12)
    cka = curves[0]["one"]
    assert first.curves[1].values == pytest.approx(cka["variance"].values - cka["random"].mean)
    accuracy, of_accuracy = panels[1].curves[1], curves[1]["one"]
    gained = of_accuracy["variance"].values - of_accuracy["random"].mean
    assert accuracy.values == pytest.approx(100 * gained) and panels[1].axis == "points gained"
    assert first.limits[0] < first.curves[0].values.min() and first.limits[1] > 0
    many = made_curve(np.random.default_rng(0).random((300, 5)))
    (panel,) = chosen_orders.gain_panels({"t": {"random": many}})
    inner, outer = panel.curves
    assert len(inner.values) == 294 and len(outer.values) == 300
    assert np.ptp(inner.values, 0).max() < np.ptp(outer.values, 0).max()


def test_results_are_key_numbers():
    table = measured.gains_table([gain_of(0.05), gain_of(0.01, fraction=0.2)])
    assert chosen_orders.results_of(table) == {
        "gain of variance in ridge_accuracy, A": pytest.approx(0.05)
    }


def test_debiased_cka_is_not_of_held_out_images():
    layer = ProbedLayer(lambda: Features(X := np.random.default_rng(0).random((9, 3)), None, X))
    with pytest.raises(dr.InputError, match="leave out held_out"):
        layer.cka("random", [1], debiased=True, held_out=True)
