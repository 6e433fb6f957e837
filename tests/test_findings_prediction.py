"""What tells DR of accuracy, on networks whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from diffused_redundancy.experiment import predictors
from diffused_redundancy.experiment.measurements import Measurements
from diffused_redundancy.experiment.predictors import POOLED, PREDICTORS
from diffused_redundancy.explanations import prediction
from diffused_redundancy.uncertainty import association
from made_up import D, measurement, net, task
from scipy.stats import spearmanr


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(association, "RESAMPLES", 200)
    monkeypatch.setattr(association, "PERMUTATIONS", 999)


LOSSES = [f"loss-{letter}" for letter in "abcdefghijkl"]


def made(k_of, cka_of, geometry_of=lambda i, k: {}, losses=LOSSES, seeds=2, tasks=("one", "two")):
    """Networks of some losses and seeds; k* by the place of the loss, seed and task."""
    found = []
    for name in tasks:
        for i, loss in enumerate(losses):
            for seed in range(seeds):
                network = net(f"{loss}_s{seed}", loss=loss, seed=seed)
                k = k_of(i, seed, name)
                one = measurement(network, task(name), k, cka=cka_of(i, seed, name))
                found.append(replace(one, geometry=geometry_of(i, k)))
    return Measurements(found)


def test_groups_differ_in_more_than_the_seed():
    nets = [net("a1"), net("a2", seed=2), net("b", loss="other"), net("c", d=50)]
    nets += [net("d", upstream="more"), net("e", family="vit")]
    assert [len(group) for group in predictors.seed_groups(nets)] == [2, 1, 1, 1, 1]


def told_of(measurements, **asked):
    found = predictors.told(measurements, 0.9)
    return [one for one in found if all(getattr(one, key) == asked[key] for key in asked)]


def test_correlations_are_over_groups_and_those_over_networks_beside_them():
    rng = np.random.default_rng(0)
    k = rng.permutation(np.arange(20, 80, 5))
    noise = rng.integers(-6, 7, size=(12, 2))
    measurements = made(
        lambda i, seed, name: int(k[i] + noise[i, seed]), lambda i, seed, name: int(k[i])
    )
    (one,) = told_of(measurements, predictor="cka", task="ONE")
    accuracy = 1 - (k[:, None] + noise) / D
    cka = 1 - np.stack([k, k], 1) / D
    assert one.networks == 24 and one.correlation.units == 12
    assert one.over_networks == pytest.approx(
        spearmanr(accuracy.ravel(), cka.ravel()).statistic, abs=0.01
    )
    over_groups = spearmanr(accuracy.mean(1), cka.mean(1)).statistic
    assert one.correlation.value == pytest.approx(over_groups, abs=0.01)
    assert one.correlation.clear and one.gain.clear
    x, y = cka.ravel(), accuracy.ravel()
    others = [np.arange(24) != left_out for left_out in range(24)]
    fits = [np.polyval(np.polyfit(x[kept], y[kept], 1), x[~kept]) - y[~kept] for kept in others]
    means = [y[kept].mean() - y[~kept] for kept in others]
    saved = 1 - np.square(fits).sum() / np.square(means).sum()
    assert one.network_gain[0] == pytest.approx(saved, abs=0.01)
    assert one.network_gain[1] < saved < one.network_gain[2]
    found = predictors.told(measurements, 0.9)
    said = prediction.describe_similarity(found, 0.9)
    (pooled,) = (each for each in found if (each.predictor, each.task) == ("cka", POOLED))
    assert pooled.correlation.value == pytest.approx(over_groups, abs=0.01)
    value = f"{pooled.correlation.value:.2f} ({pooled.correlation.low:.2f} to "
    assert "over all 12 groups, the rank correlation of DR(0.9) of CKA with DR of" in said
    assert f"the mean over 2 tasks, is {value}" in said and "): clear. " in said
    assert "of equal width" not in said  # all are


def test_what_tells_nothing_is_not_clear():
    rng = np.random.default_rng(1)
    k, other = rng.permutation(np.arange(20, 80, 5)), rng.permutation(np.arange(20, 80, 5))
    measurements = made(lambda i, seed, name: int(k[i]), lambda i, seed, name: int(other[i]))
    (one,) = told_of(measurements, predictor="cka", task="ONE")
    assert not one.correlation.clear and not one.gain.clear and one.gain.value < 0.2
    found = predictors.told(measurements, 0.9)
    assert "): not settled. " in prediction.describe_similarity(found, 0.9)
    said = prediction.describe_gains(found)
    assert "none of 3 predictors clearly beats the mean" in said and " The best is " in said
    assert ". With single networks left out instead of groups, it saves " in said


def geometry(i: int, k: int) -> dict[str, float]:
    names = ("effective_rank", "diagonal_share", "dimension", "collapse", "norms", "angles")
    noise = np.random.default_rng(i).uniform(1, 50, len(names))
    return {"participation": 1000.0 / k, **dict(zip(names, noise.tolist(), strict=True))}


def test_a_good_predictor_is_found_among_others():
    rng = np.random.default_rng(2)
    k = rng.permutation(np.arange(20, 80, 5))
    measurements = made(
        lambda i, seed, name: int(k[i]),
        lambda i, seed, name: 50 + (i * 7) % 12,
        geometry,
    )
    found = predictors.told(measurements, 0.9)
    best = max((one for one in found if one.task == POOLED), key=lambda one: one.gain.value)
    assert best.predictor in ("participation", "participation/d") and best.gain.clear
    assert best.correlation.value == pytest.approx(1) and best.gain.units == 12
    said = prediction.describe_gains(found)
    assert (
        "among all 12 groups, 2 of 11 predictors clearly beat the mean of the other groups" in said
    )
    assert (
        f"The best is {PREDICTORS[best.predictor].words}: it saves {best.gain.value:.0%} (" in said
    )
    table = prediction.told_table(found)
    assert len(table) == 3 * len(PREDICTORS)
    row = table[(table["predictor"] == "participation ratio PR") & (table["task"] == "ONE")].iloc[0]
    assert row["rank_correlation"] == pytest.approx(1, abs=0.01) and row["gain_p_holm"] <= 0.05
    assert np.isnan(row["rank_correlation_least_without_a_kind"])  # all are of one kind
    assert set(table[table["needs"].str.contains("labels")]["predictor"]) == {
        "NC1 (uses labels)",
        "NC2, norms (uses labels)",
        "NC2, angles (uses labels)",
        "accuracy of the whole layer",
    }
    shown = prediction.shown_told(found)
    assert shown["ONE: rank correlation"].str.endswith(" *").sum() >= 2
    assert "width d" not in set(shown["predictor"])  # all are equal
    assert shown[f"squared error saved, {POOLED}"].str.contains("%").sum() >= 7


def test_networks_of_equal_width_are_looked_at_apart():
    losses = LOSSES[:8]
    same = made(lambda i, seed, name: 20 + 5 * i, lambda i, seed, name: 60 - 5 * i, losses=losses)
    wide = [
        measurement(net(f"w{d}", d=d), task(name), k, cka=k)
        for name in ("one", "two")
        for d, k in ((50, 30), (150, 20), (200, 10))
    ]
    found = predictors.told(Measurements([*same.all, *wide]), 0.9)
    equal = [one for one in found if one.equal_width]
    assert {one.networks for one in equal} == {16}
    assert {one.networks for one in found if not one.equal_width} == {19}
    assert not {one.predictor for one in equal} & {"width", "participation/d"}
    (one,) = (o for o in equal if (o.predictor, o.task) == ("cka", "ONE"))
    assert one.correlation.value == pytest.approx(-1) and one.correlation.clear
    panels = prediction.correlation_panels(found)
    assert [task for task, _ in panels] == ["ONE", "TWO"]
    assert [label for label, _ in panels[0][1]] == [p.words for p in PREDICTORS.values()]
    points = dict(panels[0][1])
    assert prediction.sets(found) == ["all groups", "groups of equal width"]
    assert [len(some) for some in points.values()] == [2] * len(PREDICTORS)
    assert np.isnan(points["width d"][1].value) and not np.isnan(points["width d"][0].value)
    assert points["DR of CKA"][1].value == one.correlation.value


def test_few_networks_say_nothing():
    few = made(
        lambda i, seed, name: 30, lambda i, seed, name: 30, losses=LOSSES[:3], tasks=("one",)
    )
    found = predictors.told(few, 0.9)
    assert not any(one.task == POOLED for one in found)
    assert prediction.describe_similarity(found, 0.9).startswith("There are too few groups")
    assert prediction.describe_gains(found).startswith("There are too few groups")
    assert prediction.shown_told(found).empty


def test_points_are_coloured_by_what_sets_networks_apart():
    nets = [net("a"), net("b", loss="adversarial L2 0.5"), net("c", loss="adversarial Linf 4")]
    nets += [net("d", d=50), net("e", family="vit"), net("f", upstream="more")]
    measurements = Measurements([measurement(one, task(), 30, cka=20) for one in nets])
    ((title, lines),) = prediction.similarity_panels(measurements, "cka", 0.9)
    assert title == "T"
    assert [line.label for line in lines] == [
        "standard",
        "adversarial",
        "another width",
        "another family",
        "other upstream images",
    ]
    assert len(lines[1].points) == 2 and not lines[0].joined
    assert lines[0].x == [pytest.approx(0.8)] and lines[0].points[0].value == pytest.approx(0.7)


WIDTHS = [50, 50, 100, 100, 200, 200, 400, 400, 800, 800, 1600, 1600]


def test_a_shared_width_alone_makes_nothing_clear():
    """k* of accuracy and of CKA have nothing to do with one another; their DR go together."""
    rng = np.random.default_rng(4)
    counts = rng.integers(8, 30, size=(12, 2))
    found = [
        measurement(net(f"n{i}", d=d, loss=f"loss-{i}"), task(), int(k), cka=int(other))
        for i, (d, (k, other)) in enumerate(zip(WIDTHS, counts, strict=True))
    ]
    told = predictors.told(Measurements(found), 0.9)
    (one,) = (each for each in told if each.predictor == "cka" and not each.equal_width)
    assert one.correlation.value > 0.7 < one.correlation.expected and one.correlation.low > 0
    assert not one.correlation.clear and not one.gain.clear
    said = prediction.describe_similarity(told, 0.9)
    assert f"the {one.correlation.expected:.2f} of chance" in said and "not clearly" in said
    assert " of the squared error; by chance it would save " in prediction.describe_gains(told)


def test_kinds_are_left_out_together():
    losses = [*LOSSES[:9], "other 1", "other 2", "other 3"]
    place = [3, 1, 4, 2, 6, 5, 7, 9, 8, 20, 21, 22]
    other = [2, 5, 1, 3, 4, 9, 8, 6, 7, 20, 21, 22]
    measurements = made(
        lambda i, seed, name: 20 + 2 * place[i],
        lambda i, seed, name: 20 + 2 * other[i],
        losses=losses,
        tasks=("one",),
    )
    kinds = [
        predictors.kind(some[0], measurements.nets[0])
        for some in predictors.seed_groups(measurements.nets)
    ]
    assert kinds == [*["loss"] * 9, *["other"] * 3]
    (one,) = told_of(measurements, predictor="cka", task="ONE")
    assert one.correlation.least == pytest.approx(spearmanr(place[:9], other[:9]).statistic)


def test_the_accuracy_of_the_whole_layer_is_told_apart_from_predictors():
    def of(top):
        found = [
            measurement(
                net(f"{loss}_s{seed}", loss=loss, seed=seed), task(), 20 + 3 * i, cka=30, top=top(i)
            )
            for i, loss in enumerate(LOSSES)
            for seed in (1, 2)
        ]
        return predictors.told(Measurements(found), 0.9)

    said = prediction.describe_gains(of(lambda i: 0.9 - 0.02 * i))
    assert "none of 3 predictors clearly beats" in said  # all others are equal
    assert "Among all 12 groups its rank correlation with DR of accuracy is 1.00 (1" in said
    assert said.endswith(" (1.00 to 1.00): clear.")
    shuffled = np.random.default_rng(0).permutation(12)
    assert said != (other := prediction.describe_gains(of(lambda i: 0.9 - 0.02 * shuffled[i])))
    assert other.endswith("not settled.")


def test_where_seeds_are_all_nothing_can_be_told():
    rng = np.random.default_rng(5)
    k = 20 + 4 * np.arange(12)
    noise = rng.integers(-15, 16, size=(12, 2))

    def k_of(i, seed, name):
        return int(k[i]) if name == "one" else 45 + int(noise[i, seed])

    measurements = made(k_of, lambda i, seed, name: 40)
    one, two = predictors.ceilings(measurements, 0.9)
    assert (one.task, one.networks, one.groups, one.equal_width) == ("ONE", 24, 12, False)
    assert one.value == pytest.approx(1) and not one.too_low
    spread = 1 - (45 + noise) / D
    plain = 1 - spread.var(1, ddof=1).mean() / 2 / spread.mean(1).var(ddof=1)
    assert two.value == pytest.approx(plain, abs=0.02) and two.too_low
    said = prediction.describe_ceilings([one, two])
    assert "among all 12 groups seeds matter most on TWO" in said
    assert said.endswith("So nothing can be said about TWO.")
    assert "nothing can be told" not in prediction.describe_ceilings([one])
    table = prediction.ceilings_table([one, two]).set_index("task")
    assert table.loc["ONE", "all groups (12)"] == "100%"
    few = predictors.ceilings(made(k_of, k_of, losses=LOSSES[:2]), 0.9)
    assert prediction.describe_ceilings(few).startswith("There are too few groups")
