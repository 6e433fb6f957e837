"""Sentences and tables on growing numbers of train images, whatever the numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from diffused_redundancy.experiment.subsamples import Sampled
from diffused_redundancy.explanations import data_size
from diffused_redundancy.measures.curves import Curve

N = [100, 141, 200, 283, 400, 566, 800]
RIDGE, LOGISTIC = "ridge probes", "logistic probes"


def sample(images: int, kept: float, full: float, rng, *, spread=0.001, d=10) -> Sampled:
    """Four draws whose fifth (two neurons of ten) has an accuracy of ``kept`` times ``full``."""
    k = np.arange(1, d + 1)
    mean = full * np.minimum(1, kept * (k / 2) ** (np.log(1 / kept) / np.log(5)))
    values = mean + spread * rng.normal(size=(4, 1))
    by_images = values.mean(0) + 0.002 * rng.normal(size=(50, 1))
    curve = Curve(
        "ridge_accuracy",
        "random",
        range(4),
        k,
        values,
        d,
        full,
        guessing=0.1,
        images=1000,
        by_images=by_images - by_images.mean(0) + values.mean(0),
        full_by_images=full + (by_images - by_images.mean(0))[:, -1],
    )
    return Sampled(images, curve, np.full(4, full), (0.1, 0.1, 1.0, 0.1))


def made(kept, images=N, seed=0) -> list[Sampled]:
    """A share kept as a function of n."""
    rng = np.random.default_rng(seed)
    return [sample(n, kept(n), 0.9 - 3 / n, rng) for n in images]


def rising(n):
    return 0.97 - 3 * n**-0.7


def falling(n):
    return 0.7 + 3 * n**-0.7


@pytest.fixture(scope="module")
def samples():
    return {
        ("Digits", RIDGE): made(rising),
        ("Digits", LOGISTIC): made(lambda n: 0.97),
        ("Letters", RIDGE): made(falling, seed=1),
        ("Letters", LOGISTIC): made(rising, seed=2),
    }


@pytest.fixture(scope="module")
def curves(samples):
    return data_size.data_curves(samples, 0.9)


def test_tables_hold_what_was_measured(samples, curves):
    table = data_size.data_table(samples, curves)
    assert len(table) == 4 * 3 * len(N)
    row = table[
        (table["case"] == "Digits")
        & (table["probe"] == RIDGE)
        & (table["quantity"] == "share")
        & (table["train_images"] == 800)
    ].iloc[0]
    assert row["value"] == pytest.approx(rising(800), abs=0.003)
    assert row["low"] < row["value"] < row["high"] and row["draws"] == 4
    assert (row["weakest_penalty"], row["strongest_penalty"]) == (0.1, 1.0)
    rows = data_size.data_rows(curves)
    assert [title for title, _ in rows[0]] == ["Digits", "Letters"] and len(rows) == 3
    assert [line.label for line in rows[0][0][1]] == [RIDGE, LOGISTIC]
    assert len(rows[0][0][1][0].points) == len(N)
    lost = table[(table["quantity"] == "loss") & (table["train_images"] == 800)].iloc[0]
    assert rows[1][0][1][0].points[-1].value == pytest.approx(100 * lost["value"])
    assert data_size.image_ticks(curves) == [(100, "100"), (300, "300")]


def test_effects_say_where_few_images_make_a_layer_look_less_redundant(samples):
    effects = data_size.effects(samples, 0.9)
    one = effects["Digits", RIDGE, "share"]
    assert one.size == pytest.approx(rising(800) - rising(200), abs=0.004)
    assert (one.few, one.images, one.outcome) == (200, 800, "higher")
    said = data_size.describe_effects(effects, "share")
    assert "ridge probes: +" in said and "for the 2 cases of a probe together" in said
    assert "ridge probes: less redundant on Digits and more redundant on Letters" in said
    assert "logistic probes: less redundant on Letters" in said
    less = data_size.describe_effects(effects, "loss")  # the other way round
    assert "ridge probes: less redundant on Digits and more redundant on Letters" in less
    table = data_size.effects_table(effects)
    assert set(table["outcome"]) >= {"higher", "lower"} and len(table) == 12
    flat = data_size.effects({("Digits", RIDGE): made(lambda n: 0.97)}, 0.9)
    said = data_size.describe_effects(flat, "share")
    assert said.endswith("ridge probes: neither, clearly.") and "together" not in said
    alone = data_size.effects({("Digits", RIDGE): made(rising, [800])}, 0.9)
    assert data_size.describe_effects(alone, "share").endswith(
        "is not known with a quarter of the train images."
    )


def test_intervals_are_wider_for_more_cases(samples):
    one = {key: value for key, value in samples.items() if key[0] == "Digits"}
    key = ("Digits", RIDGE, "share")
    alone, together = data_size.effects(one, 0.9)[key], data_size.effects(samples, 0.9)[key]
    assert together.high - together.low > 1.1 * (alone.high - alone.low)


def test_checks_are_counted(curves):
    found = data_size.all_checks(curves)
    said = data_size.describe_checks(found)
    table = data_size.checks_table(found)
    for law, rows in table.groupby("law"):
        assert f"the {law} in {rows['held'].sum()} of {len(rows)} (farthest off by" in said
    narrow = [law for law, rows in table.groupby("law", sort=False) if rows["held"].mean() < 0.95]
    assert ("That is less than 95% for the" in said) == bool(narrow)
    assert all(law in said.partition("less than 95% for the")[2] for law in narrow)
    assert data_size.describe_checks({}) == (
        "There are too few train images to predict what all of them give from a part."
    )


def test_forecasts(curves):
    found = data_size.forecasts(curves, 45_000)
    table = data_size.forecasts_table(found)
    assert {"range_low", "range_high", "failed_a_check"} <= set(table)
    one = found["Digits", RIDGE, "share"]
    assert one.low <= 0.97 <= one.high
    said = data_size.describe_forecasts(found)
    assert f"{one.low:.1%} to {one.high:.1%} on Digits (measured with 800: " in said
    assert "That is 56 times the images at hand" in said
    panels = data_size.forecast_panels(found)
    assert [title for title, _ in panels] == ["Digits", "Letters"]
    labels = [label for label, _ in panels[0][1]]
    assert labels == [label for label, _ in panels[1][1]]  # as the figure asks
    assert labels[:2] == ["ridge probes, measured", "ridge probes, power law to an asymptote"]
    drawn = dict(panels[0][1])
    assert len(drawn["ridge probes, power law to an asymptote"]) == 1
    for law in one.failed:
        assert len(drawn[f"ridge probes, {data_size.LAWS[law]}"]) == (law == "asymptote")
    alone = data_size.data_curves({("Digits", RIDGE): made(rising, [800])}, 0.9)
    nothing = data_size.forecasts(alone, 45_000)
    assert not nothing and data_size.describe_forecasts(nothing).startswith(
        "Nothing is extrapolated"
    )
    assert data_size.forecasts_table(nothing).empty


def test_what_it_means_for_the_claim(samples, curves):
    effects, found = data_size.effects(samples, 0.9), data_size.forecasts(curves, 45_000)
    ridge = data_size.describe_claim(effects, curves, found, RIDGE)
    assert "the share is higher by" in ridge and "on Digits and lower by" in ridge
    assert "below the bar with all train images and below the bar with 45,000 on Letters" in ridge
    flat = data_size.describe_claim(effects, curves, found, "logistic probes")
    assert "above the bar with all train images and" in flat
    only = {("Digits", LOGISTIC): made(lambda n: 0.97)}
    flat_curves = data_size.data_curves(only, 0.9)
    said = data_size.describe_claim(data_size.effects(only, 0.9), flat_curves, {}, LOGISTIC)
    assert "no share is clearly another with all train images than with a quarter" in said
    assert said.endswith("The share is above the bar with all train images on Digits.")
    assert "no share is known with a quarter" in data_size.describe_claim(
        {}, flat_curves, {}, LOGISTIC
    )
    assert data_size.describe_claim({}, {}, {}, RIDGE).endswith("were not measured.")


def test_key_numbers(curves):
    results = data_size.results_of(curves)
    assert results["share kept, ridge probes, Digits, 800 train images"] == pytest.approx(
        rising(800), abs=0.003
    )
    assert "DR of accuracy, ridge probes, Letters, 200 train images" in results
