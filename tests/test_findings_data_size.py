"""Sentences and tables on growing numbers of train images, whatever the numbers say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from diffused_redundancy.experiment.subsamples import Sampled
from diffused_redundancy.explanations import data_size
from diffused_redundancy.measures.curves import Curve
from diffused_redundancy.report import figures
from diffused_redundancy.uncertainty.growth import Check

N = [100, 141, 200, 283, 400, 566, 800]
RIDGE, LOGISTIC, FIXED = "ridge probes", data_size.CHOSEN, data_size.FIXED


def sample(
    images: int, kept: float, full: float, rng, *, spread=0.001, d=10, chance=0.1
) -> Sampled:
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
        guessing=chance,
        images=1000,
        by_images=by_images - by_images.mean(0) + values.mean(0),
        full_by_images=full + (by_images - by_images.mean(0))[:, -1],
    )
    return Sampled(images, curve, np.full(4, full), 0.1)


def made(kept, images=N, seed=0, full=lambda n: 0.9 - 3 / n, **how) -> list[Sampled]:
    """A share kept as a function of n."""
    rng = np.random.default_rng(seed)
    return [sample(n, kept(n), full(n), rng, **how) for n in images]


def rising(n):
    return 0.97 - 3 * n**-0.7


def falling(n):
    return 0.7 + 3 * n**-0.7


def flat(n):
    return 0.97


def weak(n):
    """A full layer that only begins to be better than guessing, which has 0.1."""
    return 0.36 - 0.11 * np.log2(800 / n) / 2


def weak_share(n):
    """A share that falls, while six tenths above chance are kept at every n."""
    return (0.1 + 0.6 * (weak(n) - 0.1)) / weak(n)


@pytest.fixture(scope="module")
def samples():
    return {
        ("Digits", RIDGE): made(rising),
        ("Digits", LOGISTIC): made(flat),
        ("Letters", RIDGE): made(falling, seed=1),
        ("Letters", LOGISTIC): made(rising, seed=2),
    }


@pytest.fixture(scope="module")
def every(samples):
    return data_size.data_curves(samples, 0.9)


@pytest.fixture(scope="module")
def curves(samples, every):
    return data_size.judged(samples, every)


@pytest.fixture(scope="module")
def faces():
    """Font faces, near chance."""
    return {("Faces", RIDGE): made(weak_share, full=weak)}


def test_tables_hold_what_was_measured(samples, every, curves):
    table = data_size.data_table(samples, every)
    assert len(table) == 4 * 4 * len(N)
    last = table[
        (table["case"] == "Digits") & (table["probe"] == RIDGE) & (table["train_images"] == 800)
    ].set_index("quantity")
    row = last.loc["share"]
    assert row["value"] == pytest.approx(rising(800), abs=0.003)
    assert row["low"] < row["value"] < row["high"] and row["draws"] == 4
    assert (row["penalty"], row["chance"]) == (0.1, 0.1)
    full = row["full_accuracy"]
    corrected = (row["value"] * full - 0.1) / (full - 0.1)
    assert last.loc["share above chance", "value"] == pytest.approx(corrected)
    rows = data_size.data_rows(curves)
    assert [title for title, _ in rows[0]] == ["Digits", "Letters"] and len(rows) == 2
    assert [line.label for line in rows[0][0][1]] == [RIDGE, LOGISTIC]
    assert [one.value for one in rows[0][0][1][0].points] == pytest.approx(
        every["Digits", RIDGE, "share"].values
    )
    assert data_size.image_ticks(curves) == [(100, "100"), (300, "300")]


def test_near_chance_shares_are_above_it(samples, faces):
    together = {**samples, **faces}
    assert data_size.near_chance(together) == {"Faces"}
    every = data_size.data_curves(together, 0.9)
    curves = data_size.judged(together, every)
    assert ("Faces (above chance)", RIDGE, "DR") in curves and ("Digits", RIDGE, "DR") in curves
    assert not any(case == "Faces" for case, _, _ in curves)
    above = curves["Faces (above chance)", RIDGE, "share"]
    assert above.values == pytest.approx(0.6, abs=0.01)
    # the plain share says that many images make the layer less redundant; above chance none do
    plain = every["Faces", RIDGE, "share"]
    assert plain.values[0] > plain.values[-1] + 0.05
    change = data_size.effects(faces, 0.9)["Faces (above chance)", RIDGE, "share"]
    assert change.outcome == "not clear"
    kept = {("Faces", RIDGE): made(lambda n: weak_share(n), full=lambda n: 0.9 * weak(n), chance=0)}
    assert data_size.near_chance(kept) == set()


def test_effects_say_where_few_images_make_a_layer_look_less_redundant(samples):
    effects = data_size.effects(samples, 0.9)
    one = effects["Digits", RIDGE, "share"]
    assert one.size == pytest.approx(rising(800) - rising(200), abs=0.004)
    assert (one.few, one.images, one.outcome) == (200, 800, "higher")
    said = data_size.describe_effects(effects)
    assert "*Ridge probes*: clearly more on Digits; clearly less on Letters." in said
    assert "*Logistic probes*: clearly more on Letters; not clearly different on Digits, " in said
    table = data_size.effects_table(effects)
    assert set(table["outcome"]) >= {"higher", "lower"} and len(table) == 8
    shown = data_size.shown_effects(effects).set_index("probe")
    cell = f"{100 * one.size:+z.1f} ({100 * one.low:+z.1f} to {100 * one.high:+z.1f}) *"
    assert shown.loc[RIDGE, "Digits"] == cell
    assert not shown.loc[LOGISTIC, "Digits"].endswith("*")
    still = data_size.effects({("Digits", RIDGE): made(flat)}, 0.9)
    said = data_size.describe_effects(still)
    change = still["Digits", RIDGE, "share"]
    assert said.endswith(
        "not clearly different on Digits, "
        f"{100 * change.low:+z.1f} to {100 * change.high:+z.1f} points."
    )
    alone = data_size.effects({("Digits", RIDGE): made(rising, [800])}, 0.9)
    assert data_size.describe_effects(alone).startswith("No share is known")
    assert data_size.describe_redundancy(alone).startswith("No DR is known")


def test_where_nothing_is_clear_the_widest_interval_is_told():
    wide = made(flat, seed=1, spread=0.01)
    found = data_size.effects({("Digits", RIDGE): made(flat), ("Letters", RIDGE): wide}, 0.9)
    one = found["Letters", RIDGE, "share"]
    assert data_size.describe_effects(found).endswith(
        "not clearly different on any task; the widest interval is "
        f"{100 * one.low:+z.1f} to {100 * one.high:+z.1f} points, on Letters."
    )


def test_the_widest_interval_is_that_of_the_changes_that_are_not_clear():
    """Beside a clear one whose interval is wider."""
    change = data_size.effects({("Digits", RIDGE): made(flat)}, 0.9)["Digits", RIDGE, "share"]

    def of(low, high):
        return replace(change, low=low, high=high)

    effects = {
        ("Photos, a", RIDGE, "share"): of(-0.25, -0.04),
        ("Photos, b", RIDGE, "share"): of(-0.2, -0.1),
        ("Digits, a", RIDGE, "share"): of(-0.01, 0.01),
        ("Digits, b", RIDGE, "share"): of(-0.028, 0.004),
    }
    assert data_size.describe_effects(effects).endswith(
        "clearly less on Photos with a and Photos with b; not clearly different elsewhere, where "
        "the widest interval is -2.8 to +0.4 points, on Digits with b."
    )


def test_redundancy_is_told_as_it_is():
    steep = made(lambda n: 0.6 + 8 * n**-0.7, seed=1)
    effects = data_size.effects({("Digits", RIDGE): made(flat), ("Letters", RIDGE): steep}, 0.9)
    one = effects["Digits", RIDGE, "DR"]
    assert data_size.describe_redundancy(effects).endswith(
        "*Ridge probes*: clearly lower on Letters; not clearly different on Digits, "
        f"{one.low:+z.2f} to {one.high:+z.2f}."
    )


def test_what_the_choice_of_a_penalty_does():
    both = {
        ("Digits", LOGISTIC): made(rising, [200, 800]),
        ("Digits", FIXED): made(lambda n: rising(800), [200, 800]),
    }
    effects = data_size.effects(both, 0.9)
    one = effects["Digits", data_size.PENALTY, "share"]
    assert one.size == pytest.approx(rising(200) - rising(800), abs=0.004)
    assert one.outcome == "lower" and one.few == one.images == 200
    assert data_size.describe_penalty(effects).endswith("a fifth keeps: clearly less on Digits.")
    assert "less" not in data_size.describe_effects(effects)  # that is of images
    assert data_size.describe_penalty({}).endswith("is not known.")
    assert data_size.PENALTY not in set(data_size.shown_effects(effects)["probe"])
    ends = [f"{100 * value:+z.2f}" for value in (one.size, one.low, one.high)]
    shown = data_size.shown_penalty(effects)
    assert shown.to_dict("records") == [{"Digits": f"{ends[0]} ({ends[1]} to {ends[2]}) *"}]
    assert data_size.shown_penalty({}).empty


def test_intervals_are_wider_for_more_cases(samples):
    one = {key: value for key, value in samples.items() if key[0] == "Digits"}
    key = ("Digits", RIDGE, "share")
    alone, together = data_size.effects(one, 0.9)[key], data_size.effects(samples, 0.9)[key]
    assert together.high - together.low > 1.1 * (alone.high - alone.low)


def test_checks_are_counted_by_curve(curves):
    found = data_size.all_checks(curves)
    said, shown = data_size.describe_checks(found), data_size.laws_checked(found)
    table = data_size.checks_table(found)
    for law, rows in table.groupby("law"):
        by_curve = rows.groupby(["case", "probe", "quantity"])["held"].all()
        row = shown.set_index("law").loc[law]
        assert row["curves that held"] == f"{by_curve.sum()} of {len(by_curve)}"
        assert row["checks that held"] == f"{rows['held'].sum()} of {len(rows)}"
        width = 100 * (rows["miss_high"] - rows["miss_low"])[rows["quantity"] == "share"].median()
        assert row["median width, share (points)"] == f"{width:.1f}"
    assert f"asymptote on {shown['curves that held'][0]} curves" in said
    assert data_size.describe_checks({}) == (
        "There are too few train images to predict what all of them give from a part."
    )


def check(held: bool, miss: float = 0.0) -> Check:
    ends = (-1.0, 1.0) if held else (0.01, 1.0)
    return Check("logarithm", 200, 800, 0.9 + miss, 0.8, 1.0, 0.9, *ends)


def test_a_law_is_too_narrow_only_where_a_binomial_test_rejects():
    """Of eight curves of two checks each, at most a tenth of which should fail: two that fail may
    be chance (p = 0.19), three are not (p = 0.04); twice the same curve is one.
    """
    for failed, words in ((2, "No law is clearly too narrow"), (3, "Clearly too narrow is the")):
        found = {
            (f"task {i}", RIDGE, "share"): [check(i >= failed), check(i >= failed, miss=0.01 * i)]
            for i in range(8)
        }
        shown = data_size.laws_checked(found).iloc[0]
        assert shown["curves that held"] == f"{8 - failed} of 8"
        said = data_size.describe_checks(found)
        assert words in said
        assert (
            "The worst prediction of a share is off by +7.0 points, which its interval allows (the "
            "straight line in log n on task 7," in said
        )
    said = data_size.describe_checks({next(iter(found)): [check(False, miss=-0.2)]})
    assert "is off by -20.0 points, more than its interval allows (" in said


def test_forecasts(curves):
    found = data_size.forecasts(curves, 45_000)
    table = data_size.forecasts_table(found)
    assert {"range_low", "range_high", "failed_a_check"} <= set(table)
    one = found["Digits", RIDGE, "share"]
    assert one.low <= 0.97 <= one.high
    said = data_size.describe_forecasts(found)
    shares = {f"{case} by {probe}" for case, probe, quantity in found if quantity == "share"}
    several = {key: replace(one, failed=()) for key, one in found.items() if key[2] == "share"}
    narrow, wide = (
        choose(several.values(), key=lambda one: one.high - one.low) for choose in (min, max)
    )
    ranged = data_size.describe_forecasts(several)
    assert f"a random fifth may keep {narrow.low:.1%} to {narrow.high:.1%} on " in ranged
    assert f"is narrowest, and {wide.low:.1%} to {wide.high:.1%} on Letters by ridge" in ranged
    assert "56 times that at hand; the checks above went no farther than 4 times." in said
    single = [one for key, one in found.items() if key[2] == "share" and len(one.left) == 1]
    assert ("Only one law is left" in said) == bool(single)
    panels = data_size.forecast_panels(found)
    assert {title for title, _ in panels} == shares
    for _, groups in panels:
        assert [label for label, _ in groups] == [data_size.MEASURED, *data_size.LAWS.values()]
    drawn = dict(panels[0][1])
    for law in data_size.LAWS:
        assert len(drawn[data_size.LAWS[law]]) == (law == "asymptote" or law not in one.failed)
    alone = data_size.data_curves({("Digits", RIDGE): made(rising, [800])}, 0.9)
    nothing = data_size.forecasts(alone, 45_000)
    assert not nothing and data_size.describe_forecasts(nothing).startswith(
        "Nothing is extrapolated"
    )
    assert data_size.forecasts_table(nothing).empty


def test_one_law_gives_no_verdict(curves):
    found = data_size.forecasts(curves, 45_000)
    key = ("Letters", RIDGE, "share")
    alone = {key: replace(found[key], failed=("limit", "logarithm"))}
    several = {key: replace(found[key], failed=())}
    for some, words in ((alone, "only one law on Letters"), (several, "below on Letters")):
        said = data_size.describe_claim({key: curves[key]}, some)
        assert said.endswith(f"with all images: below on Letters. With 45,000: {words}.")
    assert data_size.describe_forecasts(alone).endswith(
        "Only one law is left: the power law to an asymptote on Letters."
    )
    several_said = data_size.describe_forecasts(several)
    assert "One law" not in several_said
    one = several[key]
    assert f"may keep {one.low:.1%} to {one.high:.1%} on Letters. Ranges" in several_said


def test_what_it_means_for_the_claim(samples, curves):
    effects, found = data_size.effects(samples, 0.9), data_size.forecasts(curves, 45_000)
    said = data_size.describe_claim(curves, found)
    assert "*Ridge probes*, with all images: " in said and "below on Letters. With 45,000:" in said
    table = data_size.claim_table(effects, curves, found).set_index(["probe", "task"])
    row = table.loc[RIDGE, "Letters"]
    measured = curves["Letters", RIDGE, "share"]
    low, high = measured.intervals()[-1]
    assert row["with all images"] == f"{measured.values[-1]:.1%} ({low:.1%} to {high:.1%})"
    assert row["against 95%"] == "below" and row["change from a quarter (points)"].startswith("-")
    one = found["Letters", RIDGE, "share"]
    assert row["with 45,000"] == f"{one.low:.1%} to {one.high:.1%}"
    assert len(table) == 4
    both = {("Digits", kind): made(flat) for kind in (LOGISTIC, FIXED)}
    same = data_size.judged(both, data_size.data_curves(both, 0.9))
    assert data_size.claim_table({}, same, {})["probe"].tolist() == [LOGISTIC]  # the same probes
    only = {("Digits", LOGISTIC): made(flat)}
    curves = data_size.judged(only, data_size.data_curves(only, 0.9))
    assert data_size.describe_claim(curves, {}).endswith(
        "*Logistic probes*, with all images: above on Digits."
    )
    opened = {("Digits", LOGISTIC): made(lambda n: 0.95)}
    curves = data_size.judged(opened, data_size.data_curves(opened, 0.9))
    assert data_size.describe_claim(curves, {}).endswith("with all images: open on Digits.")
    table = data_size.claim_table({}, curves, {})
    assert table["with more"].tolist() == table["change from a quarter (points)"].tolist() == ["–"]
    assert data_size.describe_claim({}, {}).endswith("No share is known with all train images.")
    assert data_size.claim_table({}, {}, {})["note"].item().startswith("no share is known")


def test_a_law_that_missed_is_named_so_in_the_figure(curves):
    found = data_size.forecasts(curves, 45_000)
    key = ("Letters", RIDGE, "share")
    some = {key: replace(found[key], failed=("limit",))}
    drawn = figures.groups_figure(
        data_size.forecast_panels(some), "share kept", empty="missed a check", percent=True
    )
    (axes,) = drawn.axes
    assert [text.get_text() for text in axes.texts] == ["missed a check"]
    assert axes.texts[0].get_position()[1] == 2  # the row of the fixed limit
    assert axes.xaxis.get_major_formatter()(0.9).startswith("90")


def test_key_numbers(every):
    results = data_size.results_of(every)
    assert results["share kept, ridge probes, Digits, 800 train images"] == pytest.approx(
        rising(800), abs=0.003
    )
    assert "DR of accuracy, ridge probes, Letters, 200 train images" in results
    assert "share kept above chance, ridge probes, Letters, 200 train images" in results
