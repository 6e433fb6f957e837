"""What tells DR of accuracy without a probe, and what does not: tables, sentences, figures."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ..experiment.measurements import COMPARED, Measurements
from ..experiment.predictors import (
    ACCURACY,
    POOLED,
    PREDICTORS,
    REFERENCE,
    Ceiling,
    Told,
    kind,
)
from ..findings.figure_data import Point, Series
from ..findings.phrases import first_listed, span, with_interval
from ..nets.networks import Net
from ..uncertainty.association import Association

SETS = {False: "all groups", True: "groups of equal width"}
"""What figures and tables call the two sets of networks."""


def told_table(found: Sequence[Told]) -> pd.DataFrame:
    """Every number, one row per predictor, task and set of networks."""
    rows = []
    for one in found:
        row = {
            "predictor": PREDICTORS[one.predictor].words,
            "needs": PREDICTORS[one.predictor].needs or "train images",
            "task": one.task,
            "networks": one.networks,
            "groups": one.gain.units,
            "equal_width": one.equal_width,
            "rank_correlation_over_networks": one.over_networks,
            **dict(
                zip(
                    ("gain_of_networks", "gain_of_networks_low", "gain_of_networks_high"),
                    one.network_gain,
                    strict=True,
                )
            ),
            "rank_correlation_with_DR_above_chance": one.above_chance,
        }
        for of, found_one in (("rank_correlation", one.correlation), ("gain", one.gain)):
            row |= {
                of: found_one.value,
                f"{of}_low": found_one.low,
                f"{of}_high": found_one.high,
                f"{of}_by_chance": found_one.expected,
                f"{of}_p": found_one.p,
                f"{of}_p_holm": found_one.corrected_p,
                f"{of}_least_without_a_kind": found_one.least,
                f"{of}_largest_without_a_kind": found_one.largest,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def shown_told(found: Sequence[Told]) -> pd.DataFrame:
    """For reading: one row per predictor and set of networks; by task the rank correlation over
    groups with its interval, of all tasks together also what it is by chance and with a kind of
    network left out, and the squared error saved. Clear ones are marked; what nothing is known of
    is left out.
    """
    pooled = any(one.task == POOLED for one in found)
    known = {
        (one.equal_width, one.predictor)
        for one in found
        if one.correlation.value == one.correlation.value
    }
    rows: dict[tuple[bool, str], dict[str, str]] = {}
    for one in found:
        if (one.equal_width, one.predictor) not in known:
            continue
        words = PREDICTORS[one.predictor].words
        row = rows.setdefault(
            (one.equal_width, one.predictor),
            {"predictor": words, "networks": "equal width" if one.equal_width else "all"},
        )
        row[f"{one.task}: rank correlation"] = _shown(one.correlation, ".2f")
        if one.task == POOLED or not pooled:
            row["by chance"] = _number(one.correlation.expected, ".2f")
            row["one kind left out"] = _range(one.correlation, ".2f")
            row[f"squared error saved, {one.task}"] = _shown(one.gain, ".0%")
            row["saved with single networks left out"] = with_interval(*one.network_gain, ".0%")
    return pd.DataFrame(rows.values())


def _number(value: float, spec: str) -> str:
    return "–" if value != value else f"{value:z{spec}}"


def _shown(one: Association, spec: str) -> str:
    return _with_interval(one, spec) + " *" * one.clear


def _range(one: Association, spec: str) -> str:
    return "–" if one.least != one.least else f"{one.least:{spec}} to {one.largest:{spec}}"


def ceilings_table(found: Sequence[Ceiling]) -> pd.DataFrame:
    """For reading: one row per task, and by set of networks how well it can be told at all."""
    rows: dict[str, dict[str, str]] = {}
    for one in found:
        row = rows.setdefault(one.task, {"task": one.task})
        name = SETS[one.equal_width]
        row[f"{name} ({one.groups})"] = _number(one.value, ".0%")
        row[f"{name}, least without one"] = _number(one.least, ".0%")
    return pd.DataFrame(rows.values())


def describe_ceilings(found: Sequence[Ceiling]) -> str:
    """Where seeds matter most: how much of what sets groups apart on that task is theirs, and
    whether anything else can be told there.
    """
    sentences: list[str] = []
    for equal_width in _sets(found):
        some = [one for one in found if one.equal_width == equal_width and one.least == one.least]
        if not some:
            continue
        worst = min(some, key=lambda one: one.least)
        low = [one.task for one in some if one.too_low]
        sentences.append(
            f"{'Among' if sentences else 'among'} {_count(worst.groups, equal_width)} seeds matter "
            f"most on {worst.task}: with one group left out, {min(1.0, 1 - worst.least):.0%} of "
            "the variance between groups is that of seeds"
        )
        if low:
            sentences.append(f"So nothing can be said about {first_listed(low)}")
    if not sentences:
        return "There are too few groups, or seeds, to say how much seeds move them."
    return f"**What to see:** {'. '.join(sentences)}."


def _count(groups: int, equal_width: bool) -> str:
    return f"the {groups} groups of equal width" if equal_width else f"all {groups} groups"


def similarity_panels(
    measurements: Measurements, measure: str, delta: float
) -> list[tuple[str, list[Series]]]:
    """What :func:`figures.series_figure` draws: DR of accuracy against that of a similarity, one
    plot a task, a point for each network, by what sets it apart from the first one.
    """
    kinds: dict[str, list[Net]] = {}
    for net in measurements.nets:
        kinds.setdefault(kind(net, measurements.nets[0]), []).append(net)
    row = []
    for task in measurements.tasks:
        lines = []
        for look, (name, nets) in enumerate(kinds.items()):
            some = [measurements.of(net, task) for net in nets]
            x = [one.redundancy(measure, delta).value for one in some]
            y = [Point(one.redundancy(ACCURACY, delta).value) for one in some]
            lines.append(Series(name, x, y, look, joined=False))
        row.append((task.title, lines))
    return row


def correlation_panels(
    found: Sequence[Told],
) -> list[tuple[str, list[tuple[str, list[Point]]]]]:
    """What :func:`figures.dumbbell_figure` draws: the rank correlation of every predictor with DR
    of accuracy, one plot a task; among each of :func:`sets`.
    """
    panels = []
    for task in dict.fromkeys(one.task for one in found if one.task != POOLED):
        groups = []
        for name, predictor in PREDICTORS.items():
            some = {
                one.equal_width: Point(
                    one.correlation.value, one.correlation.low, one.correlation.high
                )
                for one in found
                if (one.predictor, one.task) == (name, task)
            }
            nothing = Point(float("nan"))
            points = [some.get(equal_width, nothing) for equal_width in _sets(found)]
            groups.append((predictor.words, points))
        panels.append((task, groups))
    return panels


def _sets(found: Sequence[Told] | Sequence[Ceiling]) -> list[bool]:
    return list(dict.fromkeys(one.equal_width for one in found))


def sets(found: Sequence[Told]) -> list[str]:
    """The sets of networks that were looked at, for the legend of a figure."""
    return [SETS[equal_width] for equal_width in _sets(found)]


def describe_similarity(found: Sequence[Told], delta: float) -> str:
    """Sentences: how far DR of CKA goes with DR of accuracy over groups, all tasks together, and
    what single tasks give.
    """
    sentences: list[str] = []
    for equal_width in _sets(found):
        some = [
            one
            for one in found
            if (one.equal_width, one.predictor) == (equal_width, "cka")
            and one.correlation.value == one.correlation.value
        ]
        if not some:
            continue
        one = next((each for each in some if each.task == POOLED), some[0])
        over = f", the mean over {len(some) - 1} tasks" if one.task == POOLED else ""
        among = _count(one.correlation.units, equal_width)
        value = _with_interval(one.correlation, ".2f")
        if sentences:
            sentences.append(f"Among {among} it is {value}: {_judged(one.correlation)}")
        else:
            sentences.append(
                f"over {among}, the rank correlation of DR({delta:g}) of CKA with DR of accuracy"
                f"{over}, is {value}: {_judged(one.correlation)}"
            )
    if not sentences:
        return "There are too few groups of networks to say whether similarity predicts accuracy."
    return f"**What to see:** {'. '.join([*sentences, *_single_tasks(found)])}."


def _single_tasks(found: Sequence[Told]) -> list[str]:
    """Between what the correlations of all kinds of CKA reach on single tasks, in the last set."""
    some = [
        one
        for one in found
        if one.equal_width == found[-1].equal_width
        and one.predictor in COMPARED
        and one.task != POOLED
        and one.correlation.value == one.correlation.value
    ]
    if len(some) < 2:
        return []
    values, corrected = [one.correlation.value for one in some], [one.above_chance for one in some]
    text = (
        f"There, single tasks, with neurons as they are or standardized, give {span(values, '.2f')}"
    )
    known = [value for value in corrected if value == value]
    if known:
        text += f" ({span(known, '.2f')} with DR above chance)"
    return [text]


def _with_interval(one: Association, spec: str) -> str:
    return with_interval(one.value, one.low, one.high, spec)


def _judged(one: Association) -> str:
    """Whether a correlation says anything, beside what chance gives."""
    if abs(one.expected) < 0.05:  # but for the draws of the permutations, 0
        return "clear" if one.clear else "not settled"
    side = "above" if one.value > one.expected else "below"
    return f"{'clearly' if one.clear else 'not clearly'} {side} the {one.expected:.2f} of chance"


def _of_networks(one: Told) -> str:
    """What a predictor saves with single networks left out, after what it saves with groups."""
    gain = with_interval(*one.network_gain, ".0%")
    known = one.network_gain[0] == one.network_gain[0]
    return f" With single networks left out instead of groups, it saves {gain}." if known else ""


def describe_gains(found: Sequence[Told]) -> str:
    """Sentences: which predictors tell DR of accuracy of a group that was left out better than the
    mean of the others does, clearly; with several tasks, over all of them together. Then what the
    whole layer's accuracy gives.
    """
    pooled = any(one.task == POOLED for one in found)
    sentences: list[str] = []
    reference = ""
    for equal_width in _sets(found):
        some = [
            one
            for one in found
            if one.equal_width == equal_width
            and one.gain.value == one.gain.value
            and (one.task == POOLED or not pooled)
        ]
        tried = [one for one in some if one.predictor != REFERENCE]
        if not tried:
            continue
        clear = [one for one in tried if one.gain.clear]
        best = max(clear or tried, key=lambda one: one.gain.value)
        by_chance = ""
        if best.gain.expected > 0:
            by_chance = f"; by chance it would save {best.gain.expected:.0%}"
        sentences.append(
            f"{'Among' if sentences else 'among'} {_count(best.gain.units, equal_width)}, "
            f"{len(clear) or 'none'} of {len(tried)} predictors clearly "
            f"{'beat' if len(clear) > 1 else 'beats'} the mean of the other groups. The best is "
            f"{PREDICTORS[best.predictor].words}: it saves {_with_interval(best.gain, '.0%')} of "
            f"the squared error{by_chance}.{_of_networks(best)}"
        )
        for one in some:
            if one.predictor == REFERENCE and one.correlation.value == one.correlation.value:
                among = _count(one.correlation.units, equal_width)
                reference = (
                    f"The {PREDICTORS[REFERENCE].words} takes labels and a probe. Among {among} "
                    f"its rank correlation with DR of accuracy is "
                    f"{_with_interval(one.correlation, '.2f')}: {_judged(one.correlation)}."
                )
    if not sentences:
        return "There are too few groups of networks to predict one from the others."
    return "**What to see:** " + "\n\n".join([*sentences, *([reference] if reference else [])])
