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
from ..findings.figure_data import Line, Panel
from ..findings.grouping import alike
from ..findings.phrases import listed
from ..findings.tables import corrected_columns, redundancy_columns
from ..measures.curves import size_of
from ..nets.networks import Net
from ..nets.registry import net as named_net
from ..nets.zoo import trained_on
from ..tasks import Task

FROM_SCRATCH, PRETRAINED = "trained on the task", "pre-trained"
"""What figures and tables call the two."""

NONE = (
    "No network of the zoo was trained from scratch on one of these tasks with the architecture "
    "and the loss of the first network: there is nothing to set beside it."
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


def beside_pretrained(
    measurements: Measurements,
    own: Measurements,
    reference: Sequence[Net],
    delta: float,
    bands: Mapping[str, GroupBands],
) -> pd.DataFrame:
    """One row a network and task. ``penalty_band`` is how far DR less that of the first pre-trained
    networks moves over the penalties that cross-validation cannot tell apart.
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
                if what == FROM_SCRATCH and each.task.name in bands:
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
        panels.append(
            Panel(
                one.task.title,
                one.d,
                lines,
                threshold=delta,
                threshold_label=f"{delta:.0%}",
                axis="share of accuracy kept",
                percent=True,
            )
        )
    return panels


def describe_from_scratch(
    measurements: Measurements,
    own: Measurements,
    reference: Sequence[Net],
    delta: float,
    bands: Mapping[str, GroupBands],
) -> str:
    """What is kept in networks that were trained on the task, and in pre-trained ones."""
    if not own.all:
        return NONE
    sentences = []
    for one, others in _of_both(measurements, own, reference):
        curve = one.curve("accuracy")
        chance = "" if curve.guessing is None else f", {curve.guessing:.1%} by chance"
        text = (
            f"On {one.task.title} its whole layer reaches {one.full:.1%}, theirs "
            f"{_range([each.full for each in others], '.1%')}{chance}"
        )
        if not curve.above_guessing:
            sentences.append(f"{text}: not clearly better than guessing")
            continue
        share = _fifth(one)
        if share[0] == share[0]:
            ends = f" ({share[1]:.0%} to {share[2]:.0%})" if share[1] == share[1] else ""
            text += (
                f"; a fifth of it keeps {share[0]:.0%}{ends}, of theirs "
                f"{_range([_fifth(each)[0] for each in others], '.0%')}"
            )
        sentences.append(f"{text}; {_redundancies(one, others, delta)}")
    count = f"{len(reference)} pre-trained ones" if len(reference) > 1 else "one pre-trained one"
    moved = [band.of_difference(FROM_SCRATCH, PRETRAINED) for band in bands.values()]
    moved = [value for value in moved if value == value]
    penalty = (
        f" The choice of the penalty moves the difference of DR by up to {max(moved):.2f}."
        if moved
        else ""
    )
    return (
        f"**What to see:** the network that was trained on the task itself, beside {count}. "
        f"{'. '.join(sentences)}. (Intervals are 95%, over subsets and test images; of several "
        f"networks the range is given.){penalty} There is one network from scratch for a task, so "
        "nothing can be said of other seeds: no power."
    )


def _redundancies(one: Measurement, others: Sequence[Measurement], delta: float) -> str:
    """DR of both, as the paper has it and above chance."""
    ours = one.redundancy("accuracy", delta)
    mine = "not reached" if ours.k is None else f"{ours.value:.2f}"
    if ours.has_interval:
        mine += f" ({ours.low:.2f} to {ours.high:.2f})"
    theirs = _range([each.redundancy("accuracy", delta).value for each in others], ".2f")
    corrected = [each.curve("accuracy").above_chance(delta) for each in (one, *others)]
    text = f"DR({delta:g}) is {mine}, theirs {theirs}"
    values = [value.value for value in corrected if value is not None]
    if len(values) == len(corrected) and corrected:
        text += f"; above chance {values[0]:.2f}, theirs {_range(values[1:], '.2f')}"
    return text


def _range(values: Sequence[float], spec: str) -> str:
    """The least and the largest of some values, or the only one."""
    stated = [value for value in values if value == value]
    if not stated:
        return "cannot be stated"
    ends = dict.fromkeys(format(end, spec) for end in (min(stated), max(stated)))
    return " to ".join(ends)


def describe_tasks(own: Mapping[str, Net], tasks: Sequence[Task]) -> str:
    """Which tasks have a network of their own, and what it reaches there with its own head."""
    parts = [
        f"{task.title} ({own[task.name].origin.upstream}, top-1 {own[task.name].origin.top1:.1%})"
        for task in tasks
        if task.name in own
    ]
    return f"Trained on the task: {listed(parts)}." if parts else NONE
