"""Networks that were trained on a downstream task itself, from scratch, beside pre-trained ones on
the same task.

There is one of them for each task: what another seed would give is not known, and nothing here is a
comparison of groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..experiment.measurements import Measurement, Measurements
from ..experiment.penalty_bands import GroupBands
from ..experiment.traits import alike
from ..findings.figure_data import Line, Panel
from ..findings.phrases import first_listed, listed, span, with_interval
from ..findings.tables import corrected_columns, redundancy_columns
from ..measures.curves import size_of
from ..nets.networks import Net
from ..nets.registry import net as named_net
from ..nets.zoo import trained_on
from ..tasks import Task

FROM_SCRATCH, PRETRAINED = "trained on the task", "pre-trained"
"""What figures and tables call the two."""

HALF = 0.5
"""The least share of what pre-trained networks reach above chance that counts as having learned a
task: of a network that hardly does better than guessing nearly all neurons can go.
"""

NOT_COMPARABLE = "not comparable"

NONE = (
    "No network of the zoo was trained from scratch on one of these tasks with the architecture "
    "and the loss of the first network: there is nothing to compare it with."
)


def networks(nets: Sequence[Net], tasks: Sequence[Task]) -> dict[str, Net]:
    """The network that was trained on each task itself, by the name of the task; those that differ
    from the first of ``nets`` in more than what they saw are left out.
    """
    found: dict[str, Net] = {}
    for task in tasks:
        for name in trained_on(task.name):
            net = named_net(name)
            if alike(net, nets[0], but=["upstream"]):
                found.setdefault(task.name, net)
    return found


def _of_both(
    measurements: Measurements, own: Measurements, reference: Sequence[Net]
) -> list[tuple[Measurement, list[Measurement]]]:
    """By task: the network trained on it, and the pre-trained ones."""
    return [(one, [measurements.of(net, one.task) for net in reference]) for one in own.all]


def comparable(one: Measurement, others: Sequence[Measurement]) -> bool:
    """Whether a network learned its task: whether its whole layer has at least half of the accuracy
    above chance that the pre-trained ones have in the mean.
    """
    curve = one.curve("accuracy")
    chance = curve.guessing or 0.0
    theirs = float(np.mean([each.full for each in others]))
    return curve.above_guessing and one.full - chance >= HALF * (theirs - chance)


def beside_pretrained(
    measurements: Measurements,
    own: Measurements,
    reference: Sequence[Net],
    delta: float,
    bands: Mapping[str, GroupBands],
) -> pd.DataFrame:
    """One row per network and task. ``comparable`` is whether the network learned the task, and
    ``penalty_band`` how far DR less that of the first pre-trained networks moves over the penalties
    that cross-validation cannot tell apart.
    """
    rows: list[dict[str, Any]] = []
    for one, others in _of_both(measurements, own, reference):
        for what, some in ((FROM_SCRATCH, [one]), (PRETRAINED, others)):
            for each in some:
                share = _fifth(each)
                row = {
                    "task": each.task.title,
                    "network": what,
                    "net": each.net.name,
                    "trained on": each.net.origin.upstream,
                    "own top-1": each.net.origin.top1,
                    "accuracy": each.full,
                    "delta": delta,
                    **redundancy_columns(each.redundancy("accuracy", delta)),
                    **corrected_columns(each.curve("accuracy").above_chance(delta)),
                    "kept by a fifth": share[0],
                    "kept by a fifth, low": share[1],
                    "kept by a fifth, high": share[2],
                    "DR of CKA": each.redundancy("cka", delta).value,
                    "penalty": each.penalty,
                }
                if what == FROM_SCRATCH:
                    row["comparable"] = comparable(one, others)
                    if each.task.name in bands:
                        band = bands[each.task.name].of_difference(FROM_SCRATCH, PRETRAINED)
                        row["penalty_band"] = band
                rows.append(row)
    return pd.DataFrame(rows or {"note": [NONE]})


def _fifth(one: Measurement) -> tuple[float, float, float]:
    """What a random fifth keeps, with its interval; NaN where it was not measured, or the whole
    layer guesses.
    """
    curve = one.curve("accuracy")
    fifth = size_of(0.2, curve.d)
    if curve.column(fifth) is None or not curve.above_guessing:
        return (float("nan"),) * 3
    return curve.kept(fifth)


def kept_panels(
    measurements: Measurements, own: Measurements, reference: Sequence[Net], delta: float
) -> list[Panel]:
    """The share of the whole layer's accuracy that k random neurons keep, one plot a task; the
    band of the pre-trained networks is over networks and subsets.
    """
    panels = []
    for one, others in _of_both(measurements, own, reference):
        lines = []
        for look, (name, some) in enumerate(((FROM_SCRATCH, [one]), (PRETRAINED, others))):
            curves = [each.curve("accuracy") for each in some]
            kept = np.concatenate([curve.values / curve.full for curve in curves])
            marked = not curves[0].exact
            lines.append(Line("random", curves[0].sizes, kept, marked, name, look))
        apart = "" if comparable(one, others) else f": {NOT_COMPARABLE}"
        panels.append(
            Panel(
                one.task.title + apart,
                one.d,
                lines,
                threshold=delta,
                threshold_label=f"{delta:.0%}",
                axis="share of accuracy kept",
                percent=True,
            )
        )
    return panels


def shown_beside(
    measurements: Measurements, own: Measurements, reference: Sequence[Net], delta: float
) -> pd.DataFrame:
    """For reading: one row per task, what the network that was trained on it reaches, and the range
    of the pre-trained ones.
    """
    rows = []
    for one, others in _of_both(measurements, own, reference):
        curve, ours = one.curve("accuracy"), one.redundancy("accuracy", delta)
        guessing, corrected = curve.guessing, curve.above_chance(delta)
        mine = {
            "kept by a fifth": with_interval(*_fifth(one), ".0%"),
            f"DR({delta:g})": with_interval(ours.value, ours.low, ours.high, ".2f"),
            "DR above chance": "–"
            if corrected is None
            else with_interval(corrected.value, corrected.low, corrected.high, ".2f"),
        }
        above = [each.curve("accuracy").above_chance(delta) for each in others]
        theirs = {
            "kept by a fifth": _range([_fifth(each)[0] for each in others], ".0%"),
            f"DR({delta:g})": _range(
                [each.redundancy("accuracy", delta).value for each in others], ".2f"
            ),
            "DR above chance": _range([each.value for each in above if each is not None], ".2f"),
        }
        row = {
            "task": one.task.title,
            f"accuracy: {FROM_SCRATCH}": f"{one.full:.1%}",
            PRETRAINED: _range([each.full for each in others], ".1%"),
            "chance": "–" if guessing is None else f"{guessing:.1%}",
        }
        learned = comparable(one, others)
        for name, value in mine.items():
            row[f"{name}: {FROM_SCRATCH}"] = value if learned else NOT_COMPARABLE
            row[f"{name}: {PRETRAINED}"] = theirs[name]
        rows.append(row)
    return pd.DataFrame(rows or {"note": [NONE]})


def _range(values: Sequence[float], spec: str) -> str:
    """From the least to the largest of the values that can be stated; a dash without any."""
    stated = [value for value in values if value == value]
    return span(stated, spec) if stated else "–"


def _outcome(one: Measurement, others: Sequence[Measurement], delta: float) -> str:
    """Where the interval of its DR lies: clearly ``above`` or ``below`` all of the others', or
    ``not clearly apart``.
    """
    ours = one.redundancy("accuracy", delta)
    theirs = [each.redundancy("accuracy", delta).value for each in others]
    if any(value != value for value in (ours.low, *theirs)):
        return "not clearly apart"
    if ours.low > max(theirs):
        return "above"
    return "below" if ours.high < min(theirs) else "not clearly apart"


def describe_from_scratch(
    measurements: Measurements,
    own: Measurements,
    reference: Sequence[Net],
    delta: float,
    bands: Mapping[str, GroupBands],
) -> str:
    """On which tasks the network that was trained on them is comparable with pre-trained ones, and
    on which of these its DR is clearly higher or lower.
    """
    if not own.all:
        return NONE
    outcomes: dict[str, list[str]] = {}
    moved: list[float] = []
    for one, others in _of_both(measurements, own, reference):
        learned = comparable(one, others)
        outcome = _outcome(one, others, delta) if learned else NOT_COMPARABLE
        outcomes.setdefault(outcome, []).append(one.task.title)
        if learned and one.task.name in bands:
            band = bands[one.task.name].of_difference(FROM_SCRATCH, PRETRAINED)
            moved += [band] if band == band else []
    count = (
        f"the {len(reference)} pre-trained ones" if len(reference) > 1 else "the pre-trained one"
    )
    sentences = []
    if NOT_COMPARABLE in outcomes:
        sentences.append(
            f"on {first_listed(outcomes[NOT_COMPARABLE])} the network that was trained on the task "
            "did not learn it: it is not comparable"
        )
    parts = [
        f"{words} on {first_listed(outcomes[outcome])}"
        for outcome, words in (
            ("above", "clearly above"),
            ("below", "clearly below"),
            ("not clearly apart", "not clearly apart from"),
        )
        if outcome in outcomes
    ]
    if parts:
        where = parts[0].replace(" on ", f" {count} on ", 1)
        dr, found = f"DR({delta:g})", listed([where, *parts[1:]])
        sentences.append(
            f"Where it learned its task, its {dr} is {found}"
            if sentences
            else f"{dr} of the network that was trained on the task is {found}"
        )
    if moved:
        most = f"by up to {max(moved):.2f}" if max(moved) >= 0.01 else "by less than 0.01"
        sentences.append(f"The choice of the penalty moves the difference {most}")
    sentences.append("There is one such network per task, so nothing is known of other seeds")
    return f"**What to see:** {'. '.join(sentences)}."


def describe_tasks(own: Mapping[str, Net], tasks: Sequence[Task]) -> str:
    """Which tasks have a network of their own, and what it reaches there with its own head."""
    parts = [
        f"{own[task.name].origin.top1:.1%} on {task.title}" for task in tasks if task.name in own
    ]
    if not parts:
        return NONE
    return f"Trained from scratch, their own heads reach {first_listed(parts)}."
