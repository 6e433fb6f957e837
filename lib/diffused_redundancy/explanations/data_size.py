"""What a random part of a layer keeps as train images grow: what more of them do, and what may be
expected of still more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from ..experiment import subsamples
from ..experiment.subsamples import ABOVE_CHANCE, Sampled, clear_of_guessing
from ..findings.figure_data import Point, Series
from ..findings.phrases import first_listed, listed, place, span
from ..uncertainty.comparison import LEVEL
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
    difference,
    forecast,
)
from ..uncertainty.interval import WithInterval

NEAR_CHANCE = 0.2
"""Where guessing alone has more than this share of the full layer's accuracy, shares and DR are
taken above chance.
"""

EFFECT_FROM = 4
"""What more train images do is told from all of them over this, to all."""

BAR = 0.95
"""The share of claim 1."""

MANY_CURVES = 40
"""With fewer, a law that fails twice as many as it may goes unnoticed more often than not."""

MEASURED = "measured, all images"
"""The group of the figure of forecasts that they are compared with."""

CHOSEN, FIXED = "logistic probes", "logistic probes of one penalty"

PENALTY = "logistic probes: chosen penalty less one penalty"
"""How the row is called that compares the two."""

Key = tuple[str, str, str]
"""A case, a probe in words, and a quantity."""

Samples = Mapping[tuple[str, str], Sequence[Sampled]]
"""Subsamples by case and probe."""


def data_curves(samples: Samples, delta: float, confidence: float = 0.95) -> dict[Key, Growth]:
    """Every quantity of every case and probe; those that cannot be stated are left out."""
    return {
        (case, probe, quantity): curve
        for (case, probe), some in samples.items()
        for quantity, curve in subsamples.data_curves(some, delta, confidence=confidence).items()
    }


def near_chance(samples: Samples) -> set[str]:
    """The cases where a probe at some number of images is near chance, see :data:`NEAR_CHANCE`."""
    return {
        case
        for (case, _), some in samples.items()
        for one in some
        if clear_of_guessing(one)
        and one.curve.guessing is not None
        and one.curve.guessing > NEAR_CHANCE * one.curve.full
    }


def judged(samples: Samples, curves: Mapping[Key, Growth]) -> dict[Key, Growth]:
    """What sentences and figures are about: ``share`` and ``DR``, above chance in cases near it,
    which are then named so.
    """
    near = near_chance(samples)
    return {
        (f"{case} (above chance)" if case in near else case, probe, quantity): curves[
            case, probe, quantity + (ABOVE_CHANCE if case in near else "")
        ]
        for case, probe, quantity in curves
        if quantity in ("share", "DR")
    }


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
                    "chance": sample.curve.guessing,
                    "penalty": sample.penalty,
                    "draws": len(sample.full),
                }
            )
    return pd.DataFrame(rows)


def data_rows(curves: Mapping[Key, Growth]) -> list[list[tuple[str, list[Series]]]]:
    """What :func:`figures.series_figure` draws of :func:`judged` curves: a row for the share and
    one for DR, a column for each case, a line for each probe.
    """
    cases, probes = ([*dict.fromkeys(key[at] for key in curves)] for at in (0, 1))
    rows = []
    for quantity in ("share", "DR"):
        row = []
        for case in cases:
            lines = []
            for look, probe in enumerate(probes):
                curve = curves.get((case, probe, quantity))
                if curve is not None:
                    beside = 1.03 ** (look - 1)  # side by side, not on top of one another
                    x = (curve.images * beside).tolist()
                    lines.append(Series(probe, x, _points(curve), look))
            row.append((case, lines))
        rows.append(row)
    return rows


def image_ticks(curves: Mapping[Key, Growth]) -> list[tuple[float, str]]:
    """Ticks for numbers of train images on a log axis: 1 and 3 times powers of ten."""
    every = np.concatenate([curve.images for curve in curves.values()])
    steps = [step * 10**power for power in range(9) for step in (1, 3)]
    return [(float(n), f"{n:,}") for n in steps if 0.8 * every.min() <= n <= 1.2 * every.max()]


def effects(samples: Samples, delta: float) -> dict[Key, Change]:
    """What four times as many train images do to the :func:`judged` quantities, by case, probe and
    quantity; and, as the probe :data:`PENALTY`, what the choice of a penalty does to the share with
    a quarter of them. Intervals hold all cases of one probe and quantity together (Bonferroni).
    """
    confidence = 1 - 0.05 / max(1, len({case for case, _ in samples}))
    curves = judged(samples, data_curves(samples, delta, confidence))
    found = {key: change(curve, EFFECT_FROM, confidence) for key, curve in curves.items()}
    for (case, probe, quantity), curve in curves.items():
        fixed = curves.get((case, FIXED, quantity))
        if probe == CHOSEN and fixed is not None:
            few = round(curve.pool / EFFECT_FROM)
            found[case, PENALTY, quantity] = difference(fixed, curve, few, confidence)
    return {key: one for key, one in found.items() if one is not None}


def effects_table(effects: Mapping[Key, Change]) -> pd.DataFrame:
    """One row per case, probe and quantity."""
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


def _cases(found: Mapping[Key, Any]) -> list[str]:
    return list(dict.fromkeys(case for case, _, _ in found))


def shown_effects(effects: Mapping[Key, Change]) -> pd.DataFrame:
    """For reading: how the share changes with images, in points; one row a probe, one column a
    case.
    """
    return pd.DataFrame(
        {"probe": probe, **{case: _in_a_cell(some.get(case)) for case in _cases(effects)}}
        for probe, some in _by_probe(effects, "share").items()
        if probe != PENALTY
    )


def shown_penalty(effects: Mapping[Key, Change]) -> pd.DataFrame:
    """For reading: what the choice of a penalty does to the share, in points; one row."""
    some = _by_probe(effects, "share").get(PENALTY, {})
    return pd.DataFrame([{case: _in_a_cell(one, 2) for case, one in some.items()}] if some else [])


def _in_a_cell(one: Change | None, digits: int = 1) -> str:
    if one is None:
        return "–"
    ends = [f"{100 * value:+z.{digits}f}" for value in (one.size, one.low, one.high)]
    star = "" if one.outcome == _OPEN else " *"
    return f"{ends[0]} ({ends[1]} to {ends[2]}){star}"


_OPEN = "not clear"


def describe_effects(effects: Mapping[Key, Change]) -> str:
    """A sentence a probe: where its share is clearly another with all train images."""
    return _by_probes(
        effects, "share", "does a random fifth keep a different share", ("more", "less"), _in_points
    )


def describe_redundancy(effects: Mapping[Key, Change]) -> str:
    """The same of DR."""
    return _by_probes(effects, "DR", "is DR of accuracy different", ("higher", "lower"), _as_it_is)


def _by_probes(
    effects: Mapping[Key, Change],
    quantity: str,
    question: str,
    words: tuple[str, str],
    interval: Callable[[Change], str],
) -> str:
    by_probe = _by_probe(effects, quantity)
    by_probe.pop(PENALTY, None)
    if not by_probe:
        return f"No {quantity} is known with a quarter of the train images."
    told = [
        f"*{probe.capitalize()}*: {_told(some, words, interval)}."
        for probe, some in by_probe.items()
    ]
    return (
        f"**What to see:** {question} with all train images than with a quarter? {' '.join(told)}"
    )


def describe_penalty(effects: Mapping[Key, Change]) -> str:
    """A sentence: what the choice of a penalty does to the share of logistic probes."""
    some = _by_probe(effects, "share").get(PENALTY)
    if not some:
        return "What the choice of a penalty does to a share is not known."
    return (
        "**What to see:** does the choice of the penalty move the share of logistic probes? With a "
        "quarter of the images, and the penalty chosen for them instead of that of all, a fifth "
        f"keeps: {_told(some, ('more', 'less'), _in_points)}."
    )


def _in_points(one: Change) -> str:
    return f"{100 * one.low:+z.1f} to {100 * one.high:+z.1f} points"


def _as_it_is(one: Change) -> str:
    return f"{one.low:+z.2f} to {one.high:+z.2f}"


def _told(
    some: Mapping[str, Change], words: tuple[str, str], interval: Callable[[Change], str]
) -> str:
    """Where changes are clear, and how far those that are not may be: the widest of their
    intervals.
    """
    parts = [
        f"clearly {word} on {first_listed([place(case) for case in on])}"
        for word, outcome in zip(words, ("higher", "lower"), strict=True)
        if (on := [case for case, one in some.items() if one.outcome == outcome])
    ]
    unclear = {case: one for case, one in some.items() if one.outcome == _OPEN}
    if unclear:
        case, widest = max(unclear.items(), key=lambda pair: pair[1].high - pair[1].low)
        if len(unclear) == 1:
            parts.append(f"not clearly different on {place(case)}, {interval(widest)}")
        else:
            which = "elsewhere, where" if parts else "on any task;"
            parts.append(
                f"not clearly different {which} the widest interval is {interval(widest)}, "
                f"on {place(case)}"
            )
    return "; ".join(parts)


def all_checks(curves: Mapping[Key, Growth]) -> dict[Key, list[Check]]:
    """Every curve with all train images predicted from parts of them; see :func:`.checks`."""
    found = {key: checks(curve) for key, curve in curves.items()}
    return {key: some for key, some in found.items() if some}


def checks_table(checks: Mapping[Key, Sequence[Check]]) -> pd.DataFrame:
    """One row per case, probe, quantity, part of the train images and law."""
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


def laws_checked(checks: Mapping[Key, Sequence[Check]]) -> pd.DataFrame:
    """For reading: how each law fared, one row per law.

    The unit is a curve, which holds if all its checks do: those of one curve are hardly more than
    one. Were each check missed 5% of the time, a curve of two would fail at most 10% of the time;
    a law is too narrow where the exact binomial test at 5% rejects that.
    """
    rows = []
    for law, words in LAWS.items():
        named = {key: [one for one in some if one.law == law] for key, some in checks.items()}
        named = {key: some for key, some in named.items() if some}
        if not named:
            continue
        failed = sum(not all(one.held for one in some) for some in named.values())
        rate = LEVEL * max(map(len, named.values()))
        every = [one for some in named.values() for one in some]
        widths = {
            quantity: [
                one.miss_high - one.miss_low
                for key, some in named.items()
                for one in some
                if key[2] == quantity
            ]
            for quantity in ("share", "DR")
        }
        rows.append(
            {
                "law": words,
                "curves that held": f"{len(named) - failed} of {len(named)}",
                "checks that held": f"{sum(one.held for one in every)} of {len(every)}",
                "median width, share (points)": _median(widths["share"], 100, ".1f"),
                "median width, DR": _median(widths["DR"], 1, ".2f"),
                "too narrow": "yes"
                if binom.sf(failed - 1, len(named), rate) < LEVEL
                else "not clearly",
            }
        )
    return pd.DataFrame(rows)


def _median(widths: Sequence[float], times: float, spec: str) -> str:
    return format(times * float(np.median(widths)), spec) if widths else "–"


def describe_checks(checks: Mapping[Key, Sequence[Check]]) -> str:
    """Sentences: how often the first law held, which laws are too narrow, and the worst
    prediction of a share.
    """
    table = laws_checked(checks)
    if table.empty:
        return "There are too few train images to predict what all of them give from a part."
    first = table.iloc[0]
    narrow = table["law"][table["too narrow"] == "yes"].tolist()
    judgement = (
        f"Clearly too narrow {'is' if len(narrow) == 1 else 'are'} the {listed(narrow)}"
        if narrow
        else "No law is clearly too narrow, which so few curves could hardly show"
        if len(checks) < MANY_CURVES
        else "No law is clearly too narrow"
    )
    text = (
        "**What to see:** predicted from a part of the images, the measured value lay in the "
        f"95% interval of the {first['law']} on {first['curves that held']} curves. "
        f"{judgement}."
    )
    shares = [(key, one) for key, some in checks.items() for one in some if key[2] == "share"]
    if shares:
        (case, _, _), worst = max(shares, key=lambda pair: abs(pair[1].miss))
        allowed = "which its interval allows" if worst.held else "more than its interval allows"
        text += (
            f" The worst prediction of a share is off by {100 * worst.miss:+.1f} points, {allowed} "
            f"(the {LAWS[worst.law]} on {place(case)}, from up to {worst.up_to:,} images)."
        )
    return text


def forecasts(curves: Mapping[Key, Growth], target: int) -> dict[Key, Forecast]:
    """Every curve extrapolated to as many train images."""
    found = {key: forecast(curve, target) for key, curve in curves.items()}
    return {key: one for key, one in found.items() if one is not None}


def forecasts_table(forecasts: Mapping[Key, Forecast]) -> pd.DataFrame:
    """One row per case, probe, quantity and law."""
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
    forecasts: Mapping[Key, Forecast],
) -> list[tuple[str, list[tuple[str, list[Point]]]]]:
    """What :func:`figures.groups_figure` draws: for each case, the share measured with all train
    images and what each law says of more; laws that failed have no point.
    """
    panels = []
    for case, one in _forecast_shares(forecasts).items():
        groups = [(MEASURED, [_points(one.curve)[-1]])]
        for law, words in LAWS.items():
            left = [Point(two.value, two.low, two.high) for two in one.left if two.law == law]
            groups.append((words, left))
        panels.append((case, groups))
    return panels


def _forecast_shares(forecasts: Mapping[Key, Forecast]) -> dict[str, Forecast]:
    """Those of the share, by case, and probe where there are several."""
    shares = {key: one for key, one in forecasts.items() if key[2] == "share"}
    several = len({probe for _, probe, _ in shares}) > 1
    return {
        f"{case} by {probe}" if several else case: one for (case, probe, _), one in shares.items()
    }


def describe_forecasts(forecasts: Mapping[Key, Forecast]) -> str:
    """Sentences: what a random fifth may keep with many more train images, where the range over
    laws is narrowest and where it is widest, and where there is one law alone.
    """
    shares = list(_forecast_shares(forecasts).items())
    if not shares:
        return f"Nothing is extrapolated from fewer than {FEWEST} numbers of train images."
    ranged = [one for one in shares if len(one[1].left) > 1] or shares
    ranged.sort(key=lambda one: one[1].high - one[1].low)
    ends = [f"{one.low:.1%} to {one.high:.1%} on {place(case)}" for case, one in ranged]
    told = f"may keep {ends[0]}"
    if len(ends) > 1:
        told += f", where the range is narrowest, and {ends[-1]}, where it is widest"
    factors = [one.target / one.curve.pool for _, one in shares]
    alone = [
        f"the {LAWS[one.left[0].law]} on {place(case)}"
        for case, one in shares
        if len(one.left) == 1
    ]
    only = f" Only one law is left: {first_listed(alone)}." if alone else ""
    return (
        f"**What to see:** with {shares[0][1].target:,} train images a random fifth {told}. "
        "Ranges are over the intervals of the laws that are left, and hold only if the laws do. "
        f"The number of images is {span(factors, '.0f')} times that at hand; the checks above "
        f"went no farther than {max(CUTS)} times.{only}"
    )


def _measured_shares(curves: Mapping[Key, Growth]) -> list[tuple[str, str, Growth]]:
    """Probe, case and curve of the shares that are known with all train images."""
    return [
        (probe, case, curve)
        for probe, some in _by_probe(curves, "share").items()
        for case, curve in some.items()
        if curve.complete and (probe != FIXED or (case, CHOSEN, "share") not in curves)
    ]


def claim_table(
    effects: Mapping[Key, Change],
    curves: Mapping[Key, Growth],
    forecasts: Mapping[Key, Forecast],
) -> pd.DataFrame:
    """For reading: what the number of train images means for claim 1, one row per probe and case.

    With all images logistic probes of one penalty are the logistic probes.
    """
    rows = []
    target = "with more" if not forecasts else f"with {_target(forecasts):,}"
    for probe, case, curve in _measured_shares(curves):
        measured = _points(curve)[-1]
        moved = effects.get((case, probe, "share"))
        one = forecasts.get((case, probe, "share"))
        rows.append(
            {
                "probe": probe,
                "task": case,
                "change from a quarter (points)": "–"
                if moved is None
                else f"{100 * moved.size:+z.1f}",
                "with all images": f"{measured.value:.1%} ({measured.low:.1%} to "
                f"{measured.high:.1%})",
                f"against {BAR:.0%}": _side(measured.low, measured.high),
                target: "–" if one is None else f"{one.low:.1%} to {one.high:.1%}",
                f"{target}, against {BAR:.0%}": "–" if one is None else _side_of(one),
            }
        )
    return pd.DataFrame(rows or [{"note": "no share is known with all train images"}])


def _target(forecasts: Mapping[Key, Forecast]) -> int:
    return next(iter(forecasts.values())).target


def _side(low: float, high: float) -> str:
    """Where an interval is against the bar: open if it holds it."""
    if low >= BAR:
        return "above"
    return "below" if high < BAR else "open"


def _side_of(one: Forecast) -> str:
    """The same of the range over laws, which needs more than one."""
    return _side(one.low, one.high) if len(one.left) > 1 else "only one law"


def describe_claim(curves: Mapping[Key, Growth], forecasts: Mapping[Key, Forecast]) -> str:
    """A sentence a probe: on which side of 95% its shares are with all train images and, as far as
    can be told, with many more.
    """
    told, known = [], _measured_shares(curves)
    for probe in dict.fromkeys(probe for probe, _, _ in known):
        cases = {case: _points(curve)[-1] for name, case, curve in known if name == probe}
        sides = _sides({case: _side(one.low, one.high) for case, one in cases.items()})
        more = {
            case: _side_of(forecasts[case, probe, "share"])
            for case in cases
            if (case, probe, "share") in forecasts
        }
        told.append(f"*{probe.capitalize()}*, with all images: {sides}.")
        if more:
            told.append(f"With {_target(forecasts):,}: {_sides(more)}.")
    return (
        f"**What it means for claim 1** (a fifth keeps {BAR:.0%} of the accuracy, with 45,000 "
        f"train images). {' '.join(told) or 'No share is known with all train images.'}"
    )


def _sides(sides: Mapping[str, str]) -> str:
    by_side: dict[str, list[str]] = {}
    for case, side in sides.items():
        by_side.setdefault(side, []).append(case)
    return "; ".join(
        f"{side} on {first_listed([place(case) for case in on])}" for side, on in by_side.items()
    )


def results_of(curves: Mapping[Key, Growth]) -> dict[str, float]:
    """Key numbers: every quantity with a quarter of the train images and with all."""
    words = {"share": "share kept", "DR": "DR of accuracy"}

    def named(quantity: str) -> str:
        plain = quantity.removesuffix(ABOVE_CHANCE)
        return words[plain] + quantity[len(plain) :]

    return {
        f"{named(quantity)}, {probe}, {case}, {n} train images": WithInterval(value, *ends)
        for (case, probe, quantity), curve in curves.items()
        for n, value, ends in zip(
            curve.images.tolist(), curve.values, curve.intervals(), strict=True
        )
        if n in (curve.pool, round(curve.pool / EFFECT_FROM))
    }
