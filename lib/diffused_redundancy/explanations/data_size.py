"""What a random part of a layer keeps as train images grow: what more of them do, and what may be
expected of still more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..experiment.subsamples import Sampled, data_curve
from ..findings.figure_data import Point, Series
from ..findings.phrases import listed
from ..uncertainty.extrapolation import LAWS
from ..uncertainty.growth import (
    CUTS,
    FEWEST,
    Change,
    Check,
    Forecast,
    Growth,
    change,
    checks,
    forecast,
)

QUANTITIES = {
    "share": "share of the full layer's accuracy that a random fifth keeps",
    "loss": "accuracy that a random fifth loses",
    "DR": "diffused redundancy (DR) of accuracy",
}
"""What is followed as train images grow."""

SHORT = {"share": "share kept", "loss": "accuracy lost", "DR": "DR of accuracy"}
"""The same for axes and tables."""

EFFECT_FROM = 4
"""What more train images do is told from all of them over this, to all."""

BAR = 0.95
"""The share of claim 1."""

Key = tuple[str, str, str]
"""A case, a probe in words, and a quantity."""

Samples = Mapping[tuple[str, str], Sequence[Sampled]]
"""Subsamples by case and probe."""


def data_curves(samples: Samples, delta: float, confidence: float = 0.95) -> dict[Key, Growth]:
    """Every quantity of every case and probe; those that cannot be stated are left out."""
    found = {}
    for (case, probe), some in samples.items():
        for quantity in QUANTITIES:
            curve = data_curve(some, quantity, delta, confidence=confidence)
            if curve is not None:
                found[case, probe, quantity] = curve
    return found


def _points(curve: Growth) -> list[Point]:
    ends = zip(curve.values.tolist(), curve.intervals(), strict=True)
    return [Point(value, *interval) for value, interval in ends]


def _key_columns(key: Key) -> dict[str, str]:
    return dict(zip(("case", "probe", "quantity"), key, strict=True))


def data_table(samples: Samples, curves: Mapping[Key, Growth]) -> pd.DataFrame:
    """Every quantity at every number of train images, one row each, with its 95% interval over
    draws (of neurons and train images), test images and all train images.
    """
    rows = []
    for key, curve in curves.items():
        by_images = {one.images: one for one in samples[key[:2]]}
        for images, point in zip(curve.images.tolist(), _points(curve), strict=True):
            sample = by_images[images]
            rows.append(
                {
                    **_key_columns(key),
                    "train_images": images,
                    "value": point.value,
                    "low": point.low,
                    "high": point.high,
                    "full_accuracy": sample.curve.full,
                    "weakest_penalty": min(sample.penalties),
                    "strongest_penalty": max(sample.penalties),
                    "draws": len(sample.penalties),
                }
            )
    return pd.DataFrame(rows)


def data_rows(curves: Mapping[Key, Growth]) -> list[list[tuple[str, list[Series]]]]:
    """What :func:`figures.series_figure` draws: a row for each quantity, a column for each case, a
    line for each probe; the loss is in points.
    """
    cases, probes = ([*dict.fromkeys(key[at] for key in curves)] for at in (0, 1))
    rows = []
    for quantity in QUANTITIES:
        row = []
        for case in cases:
            lines = []
            for look, probe in enumerate(probes):
                curve = curves.get((case, probe, quantity))
                if curve is not None:
                    beside = 1.03 ** (look - 1)  # side by side, not on top of one another
                    x, points = (curve.images * beside).tolist(), _points(curve)
                    if quantity == "loss":
                        points = [
                            Point(*(100 * end for end in (one.value, one.low, one.high)))
                            for one in points
                        ]
                    lines.append(Series(probe, x, points, look))
            row.append((case, lines))
        rows.append(row)
    return rows


def image_ticks(curves: Mapping[Key, Growth]) -> list[tuple[float, str]]:
    """Ticks for numbers of train images on a log axis: 1 and 3 times powers of ten."""
    every = np.concatenate([curve.images for curve in curves.values()])
    steps = [step * 10**power for power in range(9) for step in (1, 3)]
    return [(float(n), f"{n:,}") for n in steps if 0.8 * every.min() <= n <= 1.2 * every.max()]


def effects(samples: Samples, delta: float) -> dict[Key, Change]:
    """What four times as many train images do, by case, probe and quantity. Intervals hold all
    cases of one probe and quantity together (Bonferroni).
    """
    confidence = 1 - 0.05 / max(1, len({case for case, _ in samples}))
    found = {
        key: change(curve, EFFECT_FROM, confidence)
        for key, curve in data_curves(samples, delta, confidence).items()
    }
    return {key: one for key, one in found.items() if one is not None}


def effects_table(effects: Mapping[Key, Change]) -> pd.DataFrame:
    """One row a case, probe and quantity."""
    return pd.DataFrame(
        {
            **_key_columns(key),
            "from_images": one.few,
            "to_images": one.images,
            "before": one.before,
            "after": one.after,
            "change": one.size,
            "low": one.low,
            "high": one.high,
            "outcome": one.outcome,
        }
        for key, one in effects.items()
    )


def _by_probe(found: Mapping[Key, Any], quantity: str) -> dict[str, dict[str, Any]]:
    """What there is of one quantity, by probe and case."""
    grouped: dict[str, dict[str, Any]] = {}
    for (case, probe, name), one in found.items():
        if name == quantity:
            grouped.setdefault(probe, {})[case] = one
    return grouped


def describe_effects(effects: Mapping[Key, Change], quantity: str) -> str:
    """Sentences on what more train images do to a quantity, by probe, and where fewer make the
    layer look less redundant.
    """
    by_probe = _by_probe(effects, quantity)
    if not by_probe:
        return f"The {QUANTITIES[quantity]} is not known with a quarter of the train images."
    less = "lower" if quantity == "loss" else "higher"  # with more images
    told, judged = [], []
    for probe, some in by_probe.items():
        parts = [
            f"{100 * one.size:+.1f} ({100 * one.low:+.1f} to {100 * one.high:+.1f}) on {case}"
            for case, one in some.items()
        ]
        told.append(f"{probe}: {listed(parts)}")
        clear = [(one.outcome == less, case) for case, one in some.items() if one.outcome != _OPEN]
        parts = [
            f"{words} redundant on {listed(on)}"
            for words, so in (("less", True), ("more", False))
            if (on := [case for is_less, case in clear if is_less == so])
        ]
        judged.append(f"{probe}: {' and '.join(parts) if parts else 'neither, clearly'}")
    cases = max(map(len, by_probe.values()))
    together = f" for the {cases} cases of a probe together" if cases > 1 else ""
    return (
        f"**What to see:** from a quarter of the train images to all of them, the "
        f"{QUANTITIES[quantity]} changes, in points (95% intervals{together}, over draws of "
        f"neurons and train images, and over test images), by {'; '.join(told)}. With a quarter of "
        f"the images the layer looks, {'; '.join(judged)}."
    )


_OPEN = "not clear"


def all_checks(curves: Mapping[Key, Growth]) -> dict[Key, list[Check]]:
    """Every curve with all train images predicted from parts of them; see :func:`.checks`."""
    return {key: checks(curve) for key, curve in curves.items()}


def checks_table(checks: Mapping[Key, Sequence[Check]]) -> pd.DataFrame:
    """One row a case, probe, quantity, part of the train images and law."""
    return pd.DataFrame(
        {
            **_key_columns(key),
            "law": LAWS[one.law],
            "from_up_to_images": one.up_to,
            "to_images": one.images,
            "predicted": one.predicted,
            "low": one.low,
            "high": one.high,
            "measured": one.measured,
            "miss": one.miss,
            "miss_low": one.miss_low,
            "miss_high": one.miss_high,
            "held": one.held,
        }
        for key, some in checks.items()
        for one in some
    )


def describe_checks(checks: Mapping[Key, Sequence[Check]]) -> str:
    """Sentences: how often the interval of each law held what was measured, and whether that is as
    often as it says.
    """
    by_law: dict[str, list[tuple[Key, Check]]] = {law: [] for law in LAWS}
    for key, some in checks.items():
        for one in some:
            by_law[one.law].append((key, one))
    by_law = {law: some for law, some in by_law.items() if some}
    if not by_law:
        return "There are too few train images to predict what all of them give from a part."
    told, narrow = [], []
    for law, named in by_law.items():
        held = sum(one.held for _, one in named)
        (case, probe, quantity), worst = max(named, key=lambda pair: abs(pair[1].miss))
        told.append(
            f"the {LAWS[law]} in {held} of {len(named)} (farthest off by "
            f"{100 * worst.miss:+.1f} points: {SHORT[quantity]} on {case}, {probe}, from up to "
            f"{worst.up_to:,} images)"
        )
        if held < 0.95 * len(named):
            narrow.append(LAWS[law])
    judged = (
        f"That is less than 95% for the {listed(narrow)}: where a law is wrong, its interval is "
        "too narrow"
        if narrow
        else "That is no less than the 95% they say"
    )
    return (
        "**What to see:** predicted from up to a quarter and up to half of the train images, what "
        f"was measured with all of them lies in the 95% interval of {listed(told)}. {judged}. "
        "(The checks share draws and test images, so they are fewer than they look.)"
    )


def forecasts(curves: Mapping[Key, Growth], target: int) -> dict[Key, Forecast]:
    """Every curve extrapolated to as many train images."""
    found = {key: forecast(curve, target) for key, curve in curves.items()}
    return {key: one for key, one in found.items() if one is not None}


def forecasts_table(forecasts: Mapping[Key, Forecast]) -> pd.DataFrame:
    """One row a case, probe, quantity and law."""
    return pd.DataFrame(
        {
            **_key_columns(key),
            "measured_to_images": int(one.curve.images[-1]),
            "measured": float(one.curve.values[-1]),
            "to_images": one.target,
            "law": LAWS[law.law],
            "predicted": law.value,
            "low": law.low,
            "high": law.high,
            "failed_a_check": law.law in one.failed,
            "range_low": one.low,
            "range_high": one.high,
        }
        for key, one in forecasts.items()
        for law in one.laws
    )


def forecast_panels(
    forecasts: Mapping[Key, Forecast], quantity: str = "share"
) -> list[tuple[str, list[tuple[str, list[Point]]]]]:
    """What :func:`figures.groups_figure` draws: for each case, what was measured with all train
    images and what each law says of more, by probe; laws that failed have no point.
    """
    by_probe = _by_probe(forecasts, quantity)
    cases = list(dict.fromkeys(case for some in by_probe.values() for case in some))
    panels = []
    for case in cases:
        groups: list[tuple[str, list[Point]]] = []
        for probe, some in by_probe.items():
            one = some.get(case)
            groups.append((f"{probe}, measured", [_points(one.curve)[-1]] if one else []))
            laws = one.left if one else []
            for law, words in LAWS.items():
                points = [Point(two.value, two.low, two.high) for two in laws if two.law == law]
                groups.append((words if len(by_probe) == 1 else f"{probe}, {words}", points))
        panels.append((case, groups))
    return panels


def describe_forecasts(forecasts: Mapping[Key, Forecast], quantity: str = "share") -> str:
    """Sentences: a quantity with all train images and what may be expected of more."""
    by_probe = _by_probe(forecasts, quantity)
    if not by_probe:
        return f"Nothing is extrapolated from fewer than {FEWEST} numbers of train images."
    told, factors = [], []
    for probe, some in by_probe.items():
        parts = []
        for case, one in some.items():
            measured = _points(one.curve)[-1]
            factors.append(one.target / one.curve.pool)
            parts.append(
                f"{one.low:.1%} to {one.high:.1%} on {case} (measured with "
                f"{one.curve.images[-1]:,}: {measured.value:.1%}, {measured.low:.1%} to "
                f"{measured.high:.1%})"
            )
        told.append(f"{probe}: {listed(parts)}")
    target = next(iter(forecasts.values())).target
    return (
        f"**What to see:** with {target:,} train images the {QUANTITIES[quantity]} may be, by the "
        f"range over laws, {'; '.join(told)}. That is {_times(factors)} the images at hand, and no "
        f"check here went further than {max(CUTS)} times: the ranges hold if the laws do."
    )


def _times(factors: Sequence[float]) -> str:
    least, most = min(factors), max(factors)
    return (
        f"{least:.0f} times" if round(least) == round(most) else f"{least:.0f} to {most:.0f} times"
    )


def describe_claim(
    effects: Mapping[Key, Change],
    curves: Mapping[Key, Growth],
    forecasts: Mapping[Key, Forecast],
    probe: str,
) -> str:
    """What the number of train images means for claim 1, with one probe: where it moves the share,
    and on which side of 95% the share is with all train images and, as far as can be told, more.
    """
    these = _by_probe(curves, "share").get(probe, {})
    if not any(curve.complete for curve in these.values()):
        return f"Shares with {probe} were not measured."
    sides: dict[str, list[str]] = {}
    for case, curve in these.items():
        if not curve.complete:  # no better than guessing
            continue
        measured = _points(curve)[-1]
        words = f"{_side(measured.low, measured.high)} with all train images"
        one = forecasts.get((case, probe, "share"))
        if one is not None:
            words += f" and {_side(one.low, one.high)} with {one.target:,}"
        sides.setdefault(words, []).append(case)
    changes = _by_probe(effects, "share").get(probe, {})
    clear = [
        f"{one.outcome} by {100 * abs(one.size):.1f} points on {case}"
        for case, one in changes.items()
        if one.outcome != _OPEN
    ]
    moved = (
        f"with all train images the share is {listed(clear)} than with a quarter"
        if clear
        else "no share is clearly another with all train images than with a quarter"
        if changes
        else "no share is known with a quarter of the train images"
    )
    return (
        f"**What it means for claim 1** ({BAR:.0%} of the full layer's accuracy, with 45,000 train "
        f"images). With {probe}, {moved}. The share is "
        f"{'; '.join(f'{words} on {listed(on)}' for words, on in sides.items())}."
    )


def _side(low: float, high: float) -> str:
    """Where an interval is against the bar."""
    if low >= BAR:
        return "above the bar"
    return "below the bar" if high < BAR else "on both sides of the bar"


def results_of(curves: Mapping[Key, Growth]) -> dict[str, float]:
    """Key numbers: every quantity with a quarter of the train images and with all."""
    return {
        f"{SHORT[quantity]}, {probe}, {case}, {n} train images": float(value)
        for (case, probe, quantity), curve in curves.items()
        for n, value in zip(curve.images.tolist(), curve.values, strict=True)
        if n in (curve.pool, round(curve.pool / EFFECT_FROM))
    }
