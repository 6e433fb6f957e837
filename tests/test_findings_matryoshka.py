"""Nested layers beside others, on curves whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from diffused_redundancy.experiment.measurements import Measurements
from diffused_redundancy.findings import matryoshka
from made_up import D, curve, measurement, net, rising, task


@pytest.fixture
def nesting() -> Measurements:
    nets = [
        net("m1", loss="MRL", top1_by_prefix={8: 0.5, 100: 0.9}),
        net("s1", top1=0.8),
        net("f8", loss="FF 8", top1_by_prefix={8: 0.6}),
    ]
    where = task()
    return Measurements(
        [
            measurement(nets[0], where, 60, first=10),
            measurement(nets[1], where, 40, first=40, cka=30),
            measurement(nets[2], where, 90, first=9),
        ]
    )


def labels(nets) -> list[str]:
    return [one.label for one in matryoshka.pooled_selections(nets)]


def test_what_is_compared(nesting):
    assert labels(nesting.nets) == [
        "MRL, nested prefix",
        "MRL, random",
        "standard, random",
        "standard, first k",
    ]
    sizes, values = matryoshka.fixed_points(nesting, nesting.tasks[0], "accuracy")
    assert sizes.tolist() == [8] and values[0, 0] == pytest.approx(0.8 * 0.9 * 8 / 9)
    (panel,) = matryoshka.panels(nesting, "accuracy")
    assert [line.label for line in panel.curves] == [
        "MRL, nested prefix",
        "MRL, random",
        "standard, random",
        "FF, trained at each size",
    ]
    # in points above the standard network
    assert panel.axis == "accuracy gained, points" and not panel.percent
    assert panel.curves[2].values.mean(0) == pytest.approx(np.zeros(D), abs=1e-9)
    assert panel.curves[0].values[0, 9] == pytest.approx(100 * (0.72 - rising(40)[:, 9].mean()))
    assert len(matryoshka.panels(nesting, "cka")[0].curves) == 4


def test_without_a_plain_network_accuracies_are_drawn_as_they_are(nesting):
    alone = Measurements([one for one in nesting.all if one.net.name == "m1"])
    (panel,) = matryoshka.panels(alone, "accuracy")
    assert panel.percent and panel.curves[0].values[0, 9] == pytest.approx(0.72)


def test_networks_of_one_loss_are_pooled():
    nets = [net("m1", loss="MRL"), net("m2", loss="MRL", seed=2)]
    measurements = Measurements(
        [measurement(n, task(), k, first=10) for n, k in zip(nets, (40, 60), strict=True)]
    )
    prefix, random = matryoshka.pooled_selections(nets)
    pooled = random.curve(measurements, measurements.tasks[0], "accuracy")
    assert np.array_equal(pooled.values, np.concatenate([rising(40), rising(60)]))
    assert prefix.curve(measurements, measurements.tasks[0], "cka").values.shape == (2, D)
    table = matryoshka.curves_table(measurements).set_index(["measure", "line", "k"])
    row = table.loc["accuracy", "MRL, random", 20]
    values = pooled.at(20)
    assert row["mean"] == pytest.approx(values.mean())
    assert (row["least"], row["largest"]) == (values.min(), values.max())


def test_nets_of_other_widths_are_compared_apart(nesting):
    where = nesting.tasks[0]
    measurements = Measurements([*nesting.all, measurement(net("s2", d=50), where, 20, first=20)])
    names = labels(measurements.nets)
    assert "standard, random" in names and "standard (resnet, 50), random" in names
    assert matryoshka.panels(measurements, "cka")[0].d == D
    columns = matryoshka.curves_table(measurements).columns
    assert " ".join(columns) == "measure task line k mean least largest"


def test_prefixes_against_random_neurons(nesting):
    row = matryoshka.approach(nesting).iloc[0]
    gap = rising(10, seeds=1)[0] - rising(60).mean(0)
    within = int(np.flatnonzero(np.abs(gap) > 0.01)[-1]) + 2
    assert row["largest gap, points"] == pytest.approx(100 * gap.max()) and row["net"] == "MRL"
    assert row["within 1 point from k"] == str(within) and row["d"] == D
    text = matryoshka.describe_approach(matryoshka.approach(nesting))
    assert f"differ most, is {100 * gap.max():+.1f} points (one network; MRL on T, at k = " in text
    assert text.endswith(f"The two are within a point from k = {within} (MRL on T) on.")
    several = pd.concat([matryoshka.approach(nesting)] * 3, ignore_index=True)
    several["largest gap, points"] = [2.0, -3.0, 1.0]
    several["within 1 point from k"] = ["90", "never", "7"]
    several.loc[1, ["largest gap, low", "largest gap, high"]] = -4.0, -2.0
    text = matryoshka.describe_approach(several)
    assert "is -3.0 points (95% interval -4.0 to -2.0; MRL on T, at k = " in text
    assert ") to +2.0 points (one network; MRL on T, at" in text
    assert "a point from k = 7 (MRL on T) to k = 90 (MRL on T) on. They are never" in text
    gains = matryoshka.prefix_gain(nesting, [8, 16, 300])
    assert list(gains.columns) == ["task", "prefix of", "k = 8", "k = 16"]
    assert gains["k = 8"].iloc[0] == pytest.approx(100 * 0.8 * 0.9 * (8 / 10 - 8 / 40))
    at_8 = matryoshka.prefix_gain_at(nesting, 8).iloc[0]
    assert at_8["gain at k = 8, points"] == f"{gains['k = 8'].iloc[0]:+.1f}"
    assert at_8["judged"] == "no power (at least 4 seeds are needed)" and at_8["prefix of"] == "MRL"
    assert at_8["95% interval"] == "–"
    assert matryoshka.describe_prefix_gain(nesting, 8).endswith("the nested prefix is open in 1.")
    assert "nothing to compare" in matryoshka.describe_prefix_gain(nesting, 300)
    assert list(matryoshka.prefix_gain_at(nesting, 300).columns) == ["note"]
    assert matryoshka.in_points(gains)["k = 8"].iloc[0] == f"{gains['k = 8'].iloc[0]:+.1f}"
    ties = pd.DataFrame({"k = 8": [-0.05 + 1e-14, -0.05 - 1e-14, np.nan]})
    assert matryoshka.in_points(ties)["k = 8"].tolist() == ["-0.1", "-0.1", "–"]
    table = matryoshka.prefix_table(nesting.nets).set_index("k")
    assert table.loc[8, "MRL"] == 0.5
    assert (table.loc[8, matryoshka.FIXED], table.loc[100, matryoshka.FIXED]) == (0.6, 0.8)
    needed = matryoshka.neurons_needed(nesting, "cka", 0.9).set_index("neurons")["T"]
    assert needed["MRL, nested prefix"] == "10" and "standard, first k" not in needed
    text = matryoshka.describe_similarity(nesting, "cka", 0.9)
    random = needed["MRL, random"]
    assert f"it takes {random} random neurons of MRL layers on T. There it takes 10 neu" in text
    assert text.endswith(f"and {needed['standard, random']} random ones of standard layers.")


def test_where_most_neurons_are_needed_is_judged_by_intervals():
    nets = [net(f"m{i}", loss="MRL", seed=i) for i in range(3)]

    def said(*of_tasks, networks=3):
        every = [
            measurement(one, task(name), at + place, first=10)
            for name, at in zip("tuv", of_tasks, strict=False)
            for place, one in enumerate(nets[:networks])
        ]
        text = matryoshka.describe_similarity(Measurements(every), "cka", 0.9)
        return text.split("random neurons of MRL layers ")[1].split(" On ")[0].split(" There")[0]

    assert said(40, 20, 30) == "on T, clearly more than on others."
    assert said(20, 40, 39) == (
        "on U, not clearly more than the 40 (38 to 42) on V."  # 41 (39 to 43) on U
    )
    assert said(40, 20, 30, networks=1) == "on T, the most of any task (one network)."
    assert said(40) == "on T."


def test_the_gain_of_a_prefix_is_compared_at_the_level_of_networks():
    def said(first: int, plain: int) -> str:
        nets = [net(f"m{i}", loss="MRL", seed=i) for i in range(5)]
        nets += [net(f"s{i}", seed=i) for i in range(5)]
        made = [
            measurement(n, task(), 60, first=(first if i < 5 else plain) + i % 5)
            for i, n in enumerate(nets)
        ]
        some = Measurements(made)
        (row,) = matryoshka.prefix_gain_at(some, 8).to_dict("records")
        return f"{' '.join(row.values())}. {matryoshka.describe_prefix_gain(some, 8)}"

    ours, theirs = (100 * 0.8 * 0.9 * 8 / (at + np.arange(5)) for at in (10, 40))
    gap = ours.mean() - theirs.mean()
    assert f"T MRL {gap:+.1f} +2" in said(10, 40) and " higher. " in said(10, 40)
    assert said(10, 40).endswith("the nested prefix is clearly better in 1 (MRL on T).")
    assert f"T MRL {-gap:+.1f} -4" in said(40, 10) and " lower. " in said(40, 10)
    assert said(40, 10).endswith("the nested prefix is clearly worse in 1 (MRL on T).")
    assert "T MRL +0.0 -0.8 to +0.8 no difference larger than 1. " in said(40, 40)
    assert said(40, 40).endswith("is no more than a point different in 1 (MRL on T).")


def test_prefixes_at_some_sizes_only():
    """As logistic probes give them."""
    sizes = [4, 10, 40, 100]
    measurements = []
    for one, first in ((net("m", loss="MRL"), 10), (net("s"), 40)):
        every = measurement(one, task(), 60, first=first)
        accuracy = {
            name: curve(
                made.values[:, np.array(sizes) - 1], selection=name, sizes=sizes, d=D, full=0.8
            )
            for name, made in every.accuracy.items()
        }
        measurements.append(replace(every, net=one, accuracy=accuracy))
    some = Measurements(measurements)
    row = matryoshka.approach(some).iloc[0]
    assert row["at k"] == 10 and row["within 1 point from k"] == "100"
    assert "k = 8" not in matryoshka.prefix_gain(some, [8, 40])
    (panel,) = matryoshka.panels(some, "accuracy")
    assert panel.curves[0].sizes.tolist() == sizes and panel.curves[0].marked


def test_nothing_nested_is_said():
    alone = Measurements([measurement(net("s"), task(), 9, first=9)])
    for table in (matryoshka.approach(alone), matryoshka.prefix_gain(alone, [8])):
        assert list(table.columns) == ["note"]
    assert list(matryoshka.leading_variance({}, 8).columns) == ["note"]
    assert "No nested network" in matryoshka.describe_approach(matryoshka.approach(alone))


def test_the_variance_of_the_first_features(nesting):
    assert [one.name for one in matryoshka.nested_and_plain(nesting.nets)] == ["m1", "s1"]
    variances = {"m1": np.array([3.0, 3, 1, 1, 1, 1]), "s1": np.ones(6)}
    table = matryoshka.leading_variance(variances, 2)
    assert list(table["share of the first 2"]) == ["60.0%", "33.3%"]
    assert list(table["if all were alike"]) == ["33.3%"] * 2 and list(table["net"]) == ["m1", "s1"]


def test_the_baseline_of_all_features_is_a_standard_net_of_their_kind(nesting):
    others = [
        net("v1", family="vit", top1=0.3),
        net("s2", d=50, top1=0.4),
        net("u1", upstream="more", top1=0.2),
    ]
    for nets in ([*nesting.nets, *others], [*others, *reversed(nesting.nets)]):
        table = matryoshka.prefix_table(nets).set_index("k")
        assert table.loc[100, matryoshka.FIXED] == 0.8 and 50 not in table.index
    assert matryoshka.FIXED not in matryoshka.prefix_table([nesting.nets[0], *others])


def test_published_nets_of_fixed_features_have_one_accuracy_or_none(nesting):
    published = [net("f16", loss="FF 16", top1=0.7), net("f32", loss="FF 32")]
    table = matryoshka.prefix_table([*nesting.nets[:2], *published]).set_index("k")
    assert table.loc[16, matryoshka.FIXED] == 0.7 and table.loc[100, matryoshka.FIXED] == 0.8
    assert 32 not in table.index
    fewer = matryoshka.prefix_table([*nesting.nets[:2], published[1]])
    assert matryoshka.FIXED not in fewer


def claim(nested: list[int], plain: list[int], tasks: int = 1) -> list[str]:
    """The words of claim 7: above the floor, less than others in accuracy and in CKA."""
    nets = [net(f"m{i}", loss="MRL", seed=i) for i in range(len(nested))]
    nets += [net(f"s{i}", seed=i) for i in range(len(plain))]
    measurements = Measurements(
        [
            measurement(n, task(f"t{j}"), k, first=10)
            for j in range(tasks)
            for n, k in zip(nets, [*nested, *plain], strict=True)
        ]
    )
    by_loss = matryoshka.grouped_by_loss(nets)
    differences = matryoshka.nested_differences(measurements, by_loss, 0.9)
    verdicts = [matryoshka.still_redundant(measurements, "cka", 0.9)]
    verdicts += [
        matryoshka.less_than_others(differences, measure, 0.9) for measure in ("accuracy", "cka")
    ]
    return [one.word for one in verdicts]


def test_claim_on_nested_layers(nesting):
    by_loss = matryoshka.grouped_by_loss(nesting.nets)
    assert list(by_loss.groups) == ["MRL", "standard"]
    differences = matryoshka.nested_differences(nesting, by_loss, 0.9)
    assert {(one.group, one.against) for one in differences} == {("MRL", "standard")}
    assert matryoshka.less_than_others(differences, "cka", 0.9).word == "no power"
    verdict = matryoshka.still_redundant(nesting, "cka", 0.9)
    assert verdict.word == "no power" and "0.40 (MRL, one network)" in verdict.because

    middle, few = [58, 59, 60, 61, 62], [38, 39, 40, 41, 42]
    assert claim(middle, few) == ["holds"] * 3
    assert claim(few, middle) == ["holds", "does not hold", "does not hold"]
    assert claim([94, 95, 96, 95, 94], few) == ["does not hold", "holds", "holds"]
    assert claim([70, 79, 85, 83, 77], few)[0] == "undecided"  # the floor is 0.19
    assert claim([60], few) == ["no power"] * 3
    assert claim([], few) == ["undecided", "not asked", "not asked"]


def nested_against(adversarial: list[int] | None, **nested: list[int]):
    """The verdict on nested losses, each below the standard networks by far, and adversarial
    ones.
    """
    losses = {"MRL": nested["mrl"], "MRL-E": nested["mrl_e"], "standard": [38, 39, 40, 41, 42]}
    if adversarial is not None:
        losses["adversarial L2 0.5"] = adversarial
    measurements = Measurements(
        [
            measurement(net(f"{loss}{i}", loss=loss, seed=i), task(), k, first=10)
            for loss, every in losses.items()
            for i, k in enumerate(every)
        ]
    )
    by_loss = matryoshka.grouped_by_loss(measurements.nets)
    differences = matryoshka.nested_differences(measurements, by_loss, 0.9)
    return matryoshka.less_than_others(differences, "cka", 0.9)


def test_nested_layers_have_less_only_if_each_is_below_each_of_the_others():
    low, middle, high = ([at + i for i in range(5)] for at in (78, 58, 38))
    wide = [40, 85, 60, 75, 55]
    assert nested_against(high, mrl=middle, mrl_e=low).word == "holds"
    assert nested_against(wide, mrl=middle, mrl_e=low).word == "undecided"
    assert nested_against(high, mrl=middle, mrl_e=wide).word == "undecided"
    assert nested_against(low, mrl=middle, mrl_e=low).word == "does not hold"
    assert nested_against(high, mrl=middle, mrl_e=[60]).word == "holds"  # one network: no power
    assert nested_against([30], mrl=middle, mrl_e=low).word == "undecided"  # no power, of one
    assert nested_against([30], mrl=[60], mrl_e=[61]).word == "no power"
    because = nested_against(high, mrl=middle, mrl_e=low).because
    assert "MRL against adversarial L2 0.5 -0.200 (-0.2" in because
    assert (
        'The claim says "much less": whether it is less is judged, and how much is not' in because
    )
    assert "no network" not in because
    alone = nested_against(None, mrl=middle, mrl_e=low)
    assert alone.word == "holds" and "There is no network of adversarial loss" in alone.because


def test_only_standard_and_adversarial_losses_are_compared_with():
    nets = [net(f"m{i}", loss="MRL", seed=i) for i in range(5)]
    nets += [net(f"d{i}", loss="dropout 0.5", seed=i) for i in range(5)]
    measurements = Measurements(
        [measurement(n, task(), 40 + 4 * (i < 5) + i % 5, first=10) for i, n in enumerate(nets)]
    )
    by_loss = matryoshka.grouped_by_loss(nets)
    differences = matryoshka.nested_differences(measurements, by_loss, 0.9)
    verdict = matryoshka.less_than_others(differences, "cka", 0.9)
    assert differences and verdict.kind == "not asked" and "no such networks" in verdict.because


def test_redundancy_is_left_only_if_every_nested_loss_that_can_tell_has_some():
    def word(mrl: list[int], mrl_e: list[int]) -> str:
        made = [
            measurement(net(f"{loss}{i}", loss=loss, seed=i), task(), k)
            for loss, every in (("MRL", mrl), ("MRL-E", mrl_e))
            for i, k in enumerate(every)
        ]
        return matryoshka.still_redundant(Measurements(made), "cka", 0.9).word

    above, below, open_ = [58, 59, 60, 61, 62], [94, 95, 96, 95, 94], [70, 79, 85, 83, 77]
    assert word(above, above) == "holds" and word(above, [60]) == "holds"
    assert word(above, open_) == "undecided"
    assert word(above, below) == "does not hold"
    assert word([60], [61]) == "no power"


def test_a_gap_without_an_interval_has_a_dash():
    table = pd.DataFrame({"largest gap, points": [1.26], "largest gap, low": [np.nan]})
    assert matryoshka.in_points(table).iloc[0].tolist() == ["+1.3", "–"]


def test_the_claim_on_nested_layers_states_its_interval():
    from scipy import stats

    sizes = [58, 59, 60, 61, 64]
    measurements = Measurements(
        [measurement(net(f"m{i}", loss="MRL", seed=i), task(), k) for i, k in enumerate(sizes)]
    )
    values = 1 - np.array(sizes) / 100
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    because = matryoshka.still_redundant(measurements, "cka", 0.9).because
    assert f"on T {values.mean():.2f} (MRL, {low:.2f} to {high:.2f})" in because
    assert "would have 0.19" in because
