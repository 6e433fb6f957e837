"""Neurons chosen on one task and used on another: what is measured, and what is said of it."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pandas as pd
import pytest
from conftest import make_layer
from diffused_redundancy.experiment.chosen_orders import gains_of_layer
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.experiment.transfer import transfer_table
from diffused_redundancy.explanations import transfer
from diffused_redundancy.measures.features import Features
from scipy.stats import ttest_1samp

SELECTIONS = ["random", "variance", "pivoted_qr", "pca"]


@pytest.fixture(scope="module")
def layers() -> dict[str, dict[str, ProbedLayer]]:
    """Two tasks of two networks, whose neurons differ in scale."""
    made: dict[str, dict[str, ProbedLayer]] = {"n1": {}, "n2": {}}
    for net, of_net in made.items():
        for seed, title in enumerate(("one", "other")):
            X, y = make_layer(n=500, seed=seed)
            X = X * np.random.default_rng(7 + len(net) + seed).uniform(0.05, 3, 60)
            part = Features(X[:300], y[:300], X[300:], y[300:])
            of_net[title] = ProbedLayer(lambda part=part: part)
    return made


def test_gains_are_those_of_orders_of_the_other_task(layers):
    own = {
        net: [g for task, one in of.items() for g in gains_of_layer(task, one, SELECTIONS, [1, 2])]
        for net, of in layers.items()
    }
    table = transfer_table(layers, own, SELECTIONS)
    assert len(table) == 2 * 2 * 2 * 2 * 2 * 3  # networks, measures, choices, pairs, sizes
    measured = {(g.measure, g.selection, g.task, g.gain.k): g.gain for g in own["n1"]}
    for row in table[(table["net"] == "n1")].itertuples():
        here, there = layers["n1"][row.used_on], layers["n1"][row.chosen_on]
        order = dr.ordering(row.selection, there.statistics)
        if row.measure == "cka":
            held_out = dr.SufficientStatistics.from_features(here.features.X_test)
            value = dr.cka_curve(held_out, order).at(row.k)[0]
        else:
            probe = dr.RidgeProbe(here.features, penalty=here.ridge_penalty.penalty)
            value = probe.curve(order, [row.k]).values[0, 0]
        assert row.value == pytest.approx(value, abs=1e-9)
        one = measured[row.measure, row.selection, row.used_on, row.k]
        assert row.value - row.gain == pytest.approx(one.value - one.gain)
        if row.chosen_on == row.used_on:
            assert row.gain == pytest.approx(one.gain, abs=1e-9)
    assert transfer_table(layers, own, ["random", "pca"]).empty


def made_table(own: np.ndarray, other: np.ndarray) -> pd.DataFrame:
    """Gains of networks (n, 2 tasks), of two ways of choosing that differ by a factor of two."""
    rows = []
    for measure, unit in (("cka", 1.0), ("ridge_accuracy", 0.1)):
        for i in range(len(own)):
            for place, used_on in enumerate("AB"):
                for chosen_on in "AB":
                    gain = (own if chosen_on == used_on else other)[i, place]
                    for name, times in (("variance", 1), ("greedy_cka", 2)):
                        key = (f"n{i}", measure, name, chosen_on, used_on, 0.1, 6)
                        rows.append((*key, 0.5 + unit * times * gain, unit * times * gain))
    columns = ["net", "measure", "selection", "chosen_on", "used_on", "fraction", "k"]
    return pd.DataFrame(rows, columns=[*columns, "value", "gain"])


OWN = np.array([[0.5, 0.3], [0.6, 0.4], [0.55, 0.35], [0.5, 0.4]])
OTHER = np.array([[0.1, 0.3], [0.2, 0.4], [0.15, 0.35], [0.1, 0.4]])


def test_what_is_kept_is_a_ratio_over_networks():
    kept = transfer.kept_table(made_table(OWN, OTHER), 0.1)
    rows = kept[kept["measure"] == "ridge_accuracy"].set_index("name")
    assert list(rows.index) == [transfer.EVERY, "variance", "greedy_cka", "A", "B"]
    whole = rows.loc[transfer.EVERY]
    means = 0.15 * OWN.mean(1)
    assert whole["own"] == pytest.approx(means.mean())
    interval = ttest_1samp(means, 0).confidence_interval(0.95)
    assert (whole["own_low"], whole["own_high"]) == pytest.approx(tuple(interval))
    assert whole["kept"] == pytest.approx(OTHER.mean() / OWN.mean())
    assert whole["kept_low"] < whole["kept"] < whole["kept_high"]
    assert rows.loc["B", "kept"] == pytest.approx(1) and rows.loc["A", "kept"] < 0.3
    assert rows.loc["variance", "kept"] == pytest.approx(rows.loc["greedy_cka", "kept"])
    assert transfer.kept_table(made_table(OWN, OTHER).query("used_on == chosen_on"), 0.1).empty


def test_what_is_said_follows_from_it():
    kept = transfer.kept_table(made_table(OWN, OTHER), 0.1)
    said = transfer.describe_transfer(kept, 0.1)
    whole = kept.iloc[0]
    share = f"{whole['kept']:.0%} ({whole['kept_low']:.0%} to {whole['kept_high']:.0%})"
    assert f"with 10% of the neurons, a choice made on another task keeps {share} of its" in said
    assert f"; in accuracy it is {share}." in said
    assert "by the task that neurons are used on 26% (A) to 100% (B). The table" in said
    shown = transfer.shown_kept(kept, "ridge_accuracy")
    assert shown["neurons"].tolist()[1:] == [
        "largest variance",
        "greedy CKA",
        "used on A",
        "used on B",
    ]
    assert shown["kept"][0] == share and "points" in shown.columns[1]
    noise = np.random.default_rng(0).normal(0, 1, (4, 2))
    unclear = transfer.kept_table(made_table(noise, OTHER), 0.1)
    assert "an unclear share of its gain in CKA" in transfer.describe_transfer(unclear, 0.1)
    one = transfer.kept_table(made_table(OWN[:1], OTHER[:1]), 0.1)
    assert "two networks" in transfer.describe_transfer(one, 0.1)
    assert "two tasks" in transfer.describe_transfer(kept[:0], 0.1)


def test_matrices_and_values_are_those_of_the_table():
    table = made_table(OWN, OTHER)
    panels = transfer.transfer_panels(table, 0.1)
    assert [title for title, _, _ in panels] == ["largest variance", "greedy CKA"] * 2
    _, names, values = panels[0]
    expected = 100 * np.array(
        [[OWN[:, 0].mean(), OTHER[:, 1].mean()], [OTHER[:, 0].mean(), OWN[:, 1].mean()]]
    )
    assert names == ["A", "B"] and values == pytest.approx(expected)
    shown = transfer.shown_values(table, "n0", "A", 0.1)
    assert shown["chosen on"].tolist() == ["A", "B", "mean of random neurons"]
    assert shown["largest variance"].tolist() == [55.0, 51.0, 50.0]
    assert transfer.shown_values(table, "n0", "C", 0.1).empty
