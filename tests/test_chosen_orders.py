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
from diffused_redundancy.findings import probing, similarity
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
        kinds = (cka if row.measure == "cka" else accuracy)[row.task]
        random = kinds["random"].at(row.k)
        value = kinds[row.selection].at(row.k)[0]
        assert row.value == value and row.gain == pytest.approx(value - random.mean())
        assert row.beaten == (random < value).sum() and row.orders == len(random)
        assert row.low <= row.gain <= row.high
    for _, rows in table.groupby("measure"):
        assert rows["p_holm"].to_numpy() == pytest.approx(holm(rows["p"]))
    assert np.isnan(table[table["k"] == 4]["fraction"]).all()


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
    assert shown.to_dict("records") == [{"selection": "largest variance", "t": "2 (1 to 2)"}]


def gain_of(gain: float, *, p: float = 1e-9, beaten: int = 10, **given: object) -> OrderGain:
    what = {"measure": "ridge_accuracy", "selection": "variance", "fraction": 0.1, "task": "A"}
    ends = gain - 0.01, gain + 0.01
    return OrderGain(**{**what, **given}, gain=Gain(6, 0.5 + gain, gain, *ends, p, beaten, 10))


def test_what_is_said_of_gains_follows_from_them():
    lost = gain_of(-0.03, task="B", beaten=2, selection="greedy_cka")
    least = gain_of(-0.5, selection="norm_least", beaten=0)  # nobody expects it to gain
    table = measured.gains_table([gain_of(0.05), lost, least])
    said = chosen_orders.describe_gains(table)
    assert "accuracy:** 1 of 2 choices are clearly better than random neurons, 1 clearly" in said
    assert "1 of them beats the best of 10 random orders; by chance 0.18 would." in said
    assert "gain is +5.0 points (+4.0 to +6.0), of largest variance on A with 6 neurons" in said
    assert "loss is -3.0 points (-4.0 to -2.0), of greedy CKA on B with 6 neurons." in said
    unsure = measured.gains_table([gain_of(0.05, p=0.2), gain_of(-0.03, p=0.03, beaten=0)])
    said = chosen_orders.describe_gains(unsure)
    assert "0 of 2 choices are clearly better" in said and "0 clearly worse" in said  # 0.03 twice
    assert "loss" not in said
    assert "No way" in chosen_orders.describe_gains(measured.gains_table([]))
    both = measured.gains_table([gain_of(0.05), gain_of(0.02, measure="cka")])
    assert chosen_orders.describe_gains(both).count("**What to see,") == 2


def test_how_a_choice_flatters_itself():
    table = measured.gains_table([gain_of(0.05, measure="cka"), gain_of(0.0, task="B")])
    train = table.assign(gain=table["gain"] + [0.02, -0.01])
    said = chosen_orders.describe_flattery(table[:1], train)
    assert "differ by +0.020 to +0.020" in said
    assert chosen_orders.describe_flattery(table[:0], train) == ""


def test_networks_are_the_unit():
    rng = np.random.default_rng(0)
    nets = {
        f"n{i}": [gain_of(0.05 + rng.normal(0, 0.002)), gain_of(rng.normal(0, 0.05), task="B")]
        for i in range(5)
    }
    table = measured.networks_table(nets)
    first = table[table["task"] == "A"].iloc[0]
    values = [some[0].gain.gain for some in nets.values()]
    half = 2.776 * np.std(values, ddof=1) / np.sqrt(5)
    assert first["gain"] == pytest.approx(np.mean(values))
    assert first["high"] - first["gain"] == pytest.approx(half, rel=1e-3)
    assert (first["networks"], first["above_0"]) == (5, 5)
    assert table["p"].to_numpy() == pytest.approx(
        [ttest_1samp([some[i].gain.gain for some in nets.values()], 0).pvalue for i in (0, 1)]
    )
    means = chosen_orders.mean_gains(nets)
    said = chosen_orders.describe_networks(table, means)
    assert "over 5 networks, 1 of 2 gains in accuracy are clearly above 0 and 0 below" in said
    (row,) = chosen_orders.shown_networks(table, "ridge_accuracy").to_dict("records")
    assert row["A"].endswith("*") and not row["B"].endswith("*") and row["kept"] == "10%"
    for few in ({"n0": nets["n0"]}, {"n0": []}):
        said = chosen_orders.describe_networks(
            measured.networks_table(few), chosen_orders.mean_gains(few)
        )
        assert "two networks" in said


def test_mean_gains_are_over_tasks_and_choices_and_vary_over_networks():
    rng = np.random.default_rng(2)
    gains = rng.normal(0.02, 0.01, (5, 2, 2, 2))  # networks, sizes, tasks, selections
    nets = {
        f"n{i}": [
            *(
                gain_of(gains[i, s, t, c], fraction=fraction, task=task, selection=name)
                for s, fraction in enumerate((0.05, 0.2))
                for t, task in enumerate("AB")
                for c, name in enumerate(("variance", "pivoted_qr"))
            ),
            gain_of(-0.5, selection="norm_least", fraction=0.05),
            gain_of(0.9, selection="pca", fraction=0.05),
        ]
        for i in range(5)
    }
    means = chosen_orders.mean_gains(nets)
    assert means["fraction"].tolist() == [0.05, 0.2]
    for row, values in zip(means.itertuples(), gains.mean((2, 3)).T, strict=True):
        interval = ttest_1samp(values, 0).confidence_interval(0.95)
        assert row.gain == pytest.approx(values.mean())
        assert (row.low, row.high) == pytest.approx(tuple(interval))
        assert row.above_0 == (values > 0).sum() and row.networks == 5
    said = chosen_orders.describe_networks(measured.networks_table(nets), means)
    few, many = means.itertuples()
    assert f"accuracy is {100 * few.gain:+.1f} points with 5% of the neurons, and " in said
    ends = f"{100 * many.gain:+.1f} ({100 * many.low:+.1f} to {100 * many.high:+.1f}) with 20%."
    assert ends in said
    first, second = chosen_orders.shown_means(means).to_dict("records")
    assert first["kept"] == "5%" and second["networks above 0, accuracy"] == "5 of 5"
    assert second["mean gain in accuracy, points"] == ends.removesuffix(" with 20%.")


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
    gains = measured.gains_table([gain_of(0.05), gain_of(-0.03, task="B")])
    said = chosen_orders.describe_luck(table, gains)
    assert "best of 100 random orders clearly gains accuracy in 1 of 2 cases (tasks and" in said
    assert "Neurons chosen by rule gain more than that in 1 of 2 cases for accuracy;" in said
    shown = chosen_orders.shown_luck(table, "ridge_accuracy")
    assert shown["value, worst to best"].tolist() == ["40.0% to 60.0%"] * 2
    assert shown["on other images, points"][0] == "+2.0 (+1.0 to +3.0)"
    more = measured.luck_table(
        [replace(luck, measure="cka"), replace(luck, orders=1000), replace(luck, task="B")]
    )
    said = chosen_orders.describe_luck(more, gains)
    assert "the best of 100 random orders clearly gains CKA in 1 of 1 cases" in said
    assert " The best of 100 (1,000 on A) random orders clearly gains accuracy in 2 of 2" in said
    assert chosen_orders.shown_luck(more, "cka")["value, worst to best"][0] == "0.400 to 0.600"
    assert "by rule" not in chosen_orders.describe_luck(more, gains[:0])


def test_what_is_said_of_penalties_follows_from_them():
    frames = [
        measured.gains_table([gain_of(0.05), gain_of(0.01, task="B")]).assign(times=t, moved=m)
        for t, m in ((1.0, 0.0), (0.1, -0.01), (10.0, [0.03, 0.01]))
    ]
    said = chosen_orders.describe_penalties(pd.concat(frames))
    assert "weaker moves these gains in accuracy by 1.0 points on average, 1.0 at most" in said
    assert "stronger moves them by 2.0 and 3.0." in said
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
    other = made_curve([0.7, 0.65], "lda", full=0.7, sizes=[1, 2], d=60)
    table = chosen_orders.discriminants_table({"A": {"lda": curve}, "B": {"lda": other}, "C": {}})
    assert table["k"].tolist() == [4, 2, 2, 1]
    assert table["difference"].to_numpy() == pytest.approx([0.1, -0.1, -0.05, 0])
    said = chosen_orders.describe_discriminants(table)
    assert "differs from the whole layer's by -5.0 (B) to +10.0 points (A)." in said
    assert "With half of them, by -10.0 (A) to +0.0 points (B)." in said
    first, _ = chosen_orders.shown_discriminants(table).to_dict("records")
    assert first == {"task": "A", "all, points": "+10.0 with 4", "half, points": "-10.0 with 2"}
    alone = chosen_orders.describe_discriminants(table[:2].assign(low=-0.5, high=0.5))
    assert "layer's by +10.0 points (-50.0 to +50.0). With half of them, by -10.0" in alone
    none = chosen_orders.discriminants_table({"A": {}})
    assert "No discriminant" in chosen_orders.describe_discriminants(none)


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
    assert len({line.look for line in first.curves}) == 4
    assert first.curves[0].values.mean(0) == pytest.approx(np.zeros(60), abs=1e-12)
    cka = curves[0]["one"]
    assert first.curves[1].values == pytest.approx(cka["variance"].values - cka["random"].mean)
    accuracy, of_accuracy = panels[1].curves[1], curves[1]["one"]
    gained = of_accuracy["variance"].values - of_accuracy["random"].mean
    assert accuracy.values == pytest.approx(100 * gained) and panels[1].axis == "points gained"
    for one in panels:  # all is shown
        shown = [line.values for line in one.curves[1:]]
        assert one.limits[0] < min(one.curves[0].values.min(), *(line.min() for line in shown))
        assert one.limits[1] > max(line.max() for line in shown)
    many = made_curve(np.random.default_rng(0).random((300, 5)))
    (panel,) = chosen_orders.gain_panels({"t": {"random": many}})
    outer, inner = panel.curves
    assert len(inner.values) == 294 and len(outer.values) == 300
    assert inner.band[0] == "middle 98% of them" and inner.band[1] > outer.band[1]
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
