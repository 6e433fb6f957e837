"""Single neurons removed: what is measured, and what the notebook says of it."""

from __future__ import annotations

from dataclasses import replace

import diffused_redundancy as dr
import numpy as np
import pandas as pd
import plain
import pytest
from conftest import make_layer
from diffused_redundancy.experiment import single_neurons as removed
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.explanations import single_neurons
from diffused_redundancy.measures.features import Features
from diffused_redundancy.measures.image_groups import halves_of
from diffused_redundancy.probes.neuron_removal import without_each, without_some
from diffused_redundancy.uncertainty.effects import below_at_once, effects_of
from scipy.stats import spearmanr


@pytest.fixture(scope="module")
def layer() -> ProbedLayer:
    """Some neurons tell classes apart, some are noise, with few train images."""
    rng = np.random.default_rng(0)
    y = np.arange(600) % 4
    X = rng.standard_normal((600, 30))
    X[:, :10] += rng.standard_normal((4, 10))[y]
    part = Features(X[:150], y[:150], X[150:], y[150:])
    return ProbedLayer(lambda: part)


@pytest.fixture(scope="module")
def found(layer):
    return removed.single_neurons(layer)


def probe_of(layer: ProbedLayer, times: float = 1.0) -> dr.RidgeProbe:
    return dr.RidgeProbe(layer.features, penalty=times * layer.ridge_penalty.penalty)


def test_effects_are_those_of_the_probe(layer, found):
    without = without_each(probe_of(layer))
    loss = without["full_loss"].mean()
    assert found.full_loss == pytest.approx(loss) and found.full_accuracy == probe_of(layer).full
    assert found.loss.mean == pytest.approx(without["loss"].mean(0) / loss, rel=1e-4, abs=1e-8)
    assert found.accuracy.mean == pytest.approx(-without["right"].mean(0), abs=1e-6)
    assert found.loss.above[:10].sum() >= 5 and not found.loss.above[10:].any()
    X = layer.features.X_train
    assert found.norm == pytest.approx(np.sqrt((X**2).mean(0)))
    assert found.variance == pytest.approx(X.var(0))
    assert found.ranks["variance"][0] == pytest.approx(
        spearmanr(found.loss.mean, X.var(0)).statistic, abs=0.01
    )
    lost = [1 - plain.cka(np.delete(X, i, 1), X) for i in range(30)]
    assert found.cka.mean == pytest.approx(lost, abs=1e-9) and found.d == 30
    assert (found.cka.low < found.cka.mean).all() and found.cka.above.sum() > 20


def test_what_is_most_important_is_found_on_other_images(layer, found):
    without = without_each(probe_of(layer))
    first, second = halves_of(np.asarray(layer.features.y_test))
    loss = without["loss"] / without["full_loss"].mean()
    most = [loss[half].mean(0).argmax() for half in (first, second)]
    each = np.concatenate([loss[second, most[0]], loss[first, most[1]]])
    assert found.most_loss[0] == pytest.approx(each.mean(), rel=1e-4)
    assert found.most_loss[0] <= found.loss.mean.max() + 1e-6
    half = 1.965 * each.std(ddof=1) / np.sqrt(len(each))
    assert found.most_loss[2] - found.most_loss[0] == pytest.approx(half, rel=0.01)
    assert found.again == pytest.approx(
        spearmanr(loss[first].mean(0), loss[second].mean(0)).statistic, abs=0.01
    )
    assert found.again_trained < found.again


@pytest.mark.parametrize("place", range(3))
def test_removals_are_chosen_on_one_half_and_judged_on_the_other(layer, found, place):
    one, probe = found.removals[place], probe_of(layer)
    without = without_each(probe)
    halves = halves_of(np.asarray(layer.features.y_test))
    lost, fell, counts = np.zeros(450), np.zeros(450), []
    for side, half in enumerate(halves):
        if one.rule == "seem to harm accuracy":
            harmful = without["right"][half].mean(0) > 0
        else:
            harmful = without["loss"][half].mean(0) < 0
        if one.rule == "clearly harm the loss":
            harmful &= dr_effects(without["loss"][half])
        counts.append(harmful.sum())
        loss, right = without_some(probe, harmful)
        other = halves[1 - side]
        lost[other] = (loss - without["full_loss"])[other] / without["full_loss"].mean()
        fell[other] = without["full_right"][other].astype(float) - right[other]
    assert one.neurons == tuple(counts)
    assert one.loss[0] == pytest.approx(lost.mean(), abs=1e-9)
    assert one.accuracy[0] == pytest.approx(fell.mean(), abs=1e-12)
    assert one.saved_loss[0] == pytest.approx(one.loss[0] - one.random_loss, abs=1e-9)
    if sum(counts) == 0:
        assert one.loss == (0, 0, 0) == one.accuracy


def dr_effects(differences: np.ndarray) -> np.ndarray:
    from scipy.stats import false_discovery_control, ttest_1samp

    return false_discovery_control(ttest_1samp(differences.astype(np.float32), 0).pvalue) <= 0.05


def test_removing_noise_pays_where_the_penalty_is_too_weak(layer):
    """Neurons of noise harm a probe that fits it, and more so the weaker the penalty."""
    rng = np.random.default_rng(1)
    y = np.arange(900) % 3
    X = rng.standard_normal((900, 60))
    X[:, :6] += 1.5 * rng.standard_normal((3, 6))[y]
    part = Features(X[:100], y[:100], X[100:], y[100:])
    table = removed.penalties_table({"noise": ProbedLayer(lambda: part)})
    weak, strong = table.itertuples()
    assert (weak.times, strong.times) == (0.1, 10)
    assert weak.loss_high < 0 and weak.loss < strong.loss and weak.loss < weak.random_loss
    assert weak.harm > strong.harm
    said = single_neurons.describe_penalties(table)
    fall = f"{100 * weak.loss:+.2f} ({100 * weak.loss_low:+.2f} to {100 * weak.loss_high:+.2f})%"
    assert said.startswith("With a penalty 10 times weaker, removing all that seem to harm")
    assert f"lowers it on 1 of 1 tasks (noise: {fall})" in said
    assert "With one 10 times stronger, on none." in single_neurons.describe_penalties(
        table.assign(loss_high=[weak.loss_high, 0.1])
    )


def test_counts_over_networks(layer, found):
    other = ProbedLayer(lambda: layer.features.images(np.arange(75)))
    table = removed.counts_table({"n1": {"A": layer}, "n2": {"A": other}})
    each = [removed.without_each_neuron(one) for one in (layer, other)]
    effects = [effects_of(one["loss"] / one["full_loss"].mean()) for one in each]
    assert table["help"].tolist() == [one.above.sum() for one in effects]
    assert table["at_once"].tolist() == [one.sum() for one in below_at_once(effects)]
    assert table["excluded"].tolist() == pytest.approx(
        [max(0, -one.bound(60).min()) for one in effects], rel=1e-3
    )
    assert table["largest"][0] == pytest.approx(found.loss.mean.max(), rel=1e-4)


def counts(**given: list) -> pd.DataFrame:
    """Two networks and tasks."""
    rest = {"help": [0, 5, 2, 9], "harm": [0, 3, 0, 0], "at_once": [0, 2, 0, 0]}
    rest |= {"excluded": [0.01, 0.002, 0.008, 0.001], "largest": [0.005, 0.004, 0.006, 0.003]}
    nets = {"net": ["n1", "n1", "n2", "n2"], "case": ["A", "B"] * 2, "neurons": [30] * 4}
    return pd.DataFrame({**nets, **rest, **given})


def test_what_is_said_of_counts_follows_from_them():
    said = single_neurons.describe_counts(counts())
    assert "in 2 networks, 0 to 9 neurons clearly help a task and 0 to 3 clearly harm" in said
    assert "over all 120 pairs of a neuron and a task at once, 2 clearly harm (B)" in said
    assert "Harm above 0.20% (B) to 1.00% (A) of the loss is excluded; on A that is more" in said
    first, second = single_neurons.shown_counts(counts()).to_dict("records")
    assert first["clearly help"] == "0 to 2" and second["clearly harm, all at once"] == "2 of 60"
    assert (first["harm excluded above, % of loss"], second["largest help, % of loss"]) == (
        "1.00",
        "0.40",
    )
    strong = single_neurons.describe_counts(
        counts(largest=[0.1] * 4, harm=[0] * 4, at_once=[0] * 4)
    )
    assert "more than the largest help" not in strong and "0 clearly harm it" in strong
    assert "at once, none clearly harms." in strong
    assert "in 1 network, 0 to 5 neurons" in single_neurons.describe_counts(counts()[:2])


def test_tables_hold_every_neuron_and_rule(found):
    table = removed.neurons_table({"A": found, "B": found})
    assert len(table) == 60 and (table["loss_low"] <= table["loss_high"]).all()
    assert table["loss_mean"][:30].to_numpy() == pytest.approx(found.loss.mean)
    removals = removed.removal_table({"A": found})
    assert removals["rule"].tolist() == list(removed.RULES)
    (row,) = removed.summary_table({"A": found}).to_dict("records")
    assert row["loss_help"] == found.loss.above.sum() and row["most_loss"] == found.most_loss[0]
    assert row["accuracy_below_0_by_chance"] == found.accuracy_by_chance.raised
    assert single_neurons.results_of({"A": found})["neurons that help, A"] == row["loss_help"]


def test_ranked_panels_are_sorted(found):
    ((title, band, chance),) = single_neurons.ranked_panels({"A": found})
    assert title == "A" and (np.diff(band.center) >= 0).all() and (np.diff(chance) >= 0).all()
    worst = found.loss.mean.argmin()
    assert band.half[0] == pytest.approx(found.loss.high[worst] - found.loss.mean[worst])
    assert np.abs(chance).max() < np.abs(band.center).max()


def test_what_is_said_follows_from_the_numbers(found):
    helpful, harmful = int(found.loss.above.sum()), int(found.loss.below.sum())
    said = single_neurons.describe_neurons({"A": found})
    assert f"by the loss, {helpful} of 30 neurons clearly help (it is" in said
    assert (f"; {harmful} clearly harm." if harmful else "; none clearly harms.") in said
    clear = int((found.accuracy.above | found.accuracy.below).sum())
    assert f"By accuracy, {clear or 'none'} {'are' if clear > 1 else 'is'} clear" in said
    raised, chance = (found.accuracy.mean < 0).mean(), found.accuracy_by_chance.raised
    assert f"For {raised:.0%} of the neurons, accuracy on these test images happens" in said
    assert said.endswith(f"would make it so for {chance:.0%}.") and "at most" not in said
    turned = replace(found, loss=effects_of(-np.random.default_rng(0).normal(1, 1, (50, 30))))
    said = single_neurons.describe_neurons({"A": found, "B": turned})
    assert f"0 (B) to {helpful} (A) of 30 neurons" in said and "to 30 (B) clearly harm" in said
    most = replace(found, most_accuracy=(0.5, 0.4, 0.6))
    said = single_neurons.describe_neurons({"A": found, "B": most})
    assert "the best neuron adds is +50.00 (+40.00 to +60.00) points at most (B)" in said
    (shown,) = single_neurons.shown_summary({"A": found}).to_dict("records")
    assert shown["clearly help"] == helpful
    assert shown["CKA falls by, at most"].startswith(f"{found.cka.mean.max():.5f} (")
    checks = single_neurons.describe_clear({"A": replace(found, wrong_signs=0.04)})
    assert (
        f"without any one of {found.cka.above.sum()} neurons" in checks and "at most 4.0%" in checks
    )


def removal(
    rule: str, loss: float, accuracy: float, *, saved: float = 0.0, neurons: int = 5
) -> removed.Removal:
    one, other, less = ((value, value - 0.01, value + 0.01) for value in (loss, accuracy, saved))
    return removed.Removal(rule, (neurons, neurons), one, other, 0.1, 0.1, less, less)


def test_what_is_said_of_removals_follows_from_them(found):
    helps = removal("seem to harm the loss", -0.05, 0.02, saved=-0.03)
    costs = removal("seem to harm accuracy", 0.03, 0.0, saved=0.02)
    none = removal("clearly harm the loss", 0.0, 0.0, neurons=0)
    case = {
        "A": replace(found, removals=(helps, costs, none)),
        "B": replace(found, removals=(helps,)),
    }
    said = single_neurons.describe_removals(case)
    assert "lowers the loss in 2 of 3 cases and raises it in 1." in said
    assert "Accuracy rises in 0 and falls in 2." in said
    assert "Against as many random neurons, the loss is lower in 2 and higher in 1." in said
    nothing = {"A": replace(found, removals=(none,))}
    assert "no neuron seemed to harm" in single_neurons.describe_removals(nothing)
    assert single_neurons.shown_removals(nothing).empty
    shown = single_neurons.shown_removals(case)
    assert shown["task"].tolist() == ["A", "A", "B"] and set(shown["removed"]) == {"5 and 5"}
    assert shown["less that of random ones, %"].tolist()[1] == "+2.00 (+1.00 to +3.00)"


def test_views_of_an_image_are_on_one_side_of_a_split():
    X, y = make_layer(n=120, d=10)
    twice = Features(np.concatenate([X, X + 0.01]), np.tile(y, 2), X, y, views=2)
    layer = ProbedLayer(lambda: twice)
    half = removed.without_each_neuron(layer, of_train=0)
    rows = halves_of(y)[0]
    alone = Features(np.concatenate([X[rows], X[rows] + 0.01]), np.tile(y[rows], 2), X, y, views=2)
    probe = dr.RidgeProbe(alone, penalty=layer.ridge_penalty.penalty)
    assert half["loss"] == pytest.approx(without_each(probe)["loss"], abs=1e-6)


def test_everything_is_measured_once(tmp_path, layer):
    features = layer.features
    first = ProbedLayer(lambda: features, key={"name": "x"}, cache=dr.Cache(tmp_path))
    one = removed.single_neurons(first)
    again = ProbedLayer(lambda: 1 / 0, key={"name": "x"}, cache=dr.Cache(tmp_path))
    other = removed.single_neurons(again)
    assert np.array_equal(one.loss.mean, other.loss.mean) and one.removals == other.removals
    assert isinstance(removed.counts_table({"n": {"A": again}}), pd.DataFrame)
