"""Random subsets *of* layers that were trained to be small: of the m features that a fixed-feature
(FF) network's head sees, which are taken for the whole layer; beside as many first features of a
nested and of a plain network.

There is one network of each size, and one of each to compare with: intervals are over random
subsets and test images, and say nothing of other pre-training seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..experiment.measurements import Measurement, Measurements
from ..findings.figure_data import Point, Series, point
from ..findings.grouping import alike
from ..findings.matryoshka import fixed_size, is_fixed, is_nested, is_plain
from ..findings.phrases import listed
from ..findings.tables import corrected_columns, redundancy_columns
from ..nets.networks import Net
from ..tasks import Task
from ..uncertainty.bootstrap import percentile_interval

Found = Mapping[int, Measurements]
"""By m: the first m features of some networks, measured as whole layers."""

NOTE = "There is no fixed-feature network among NETS."


def compared(nets: Sequence[Net]) -> dict[int, list[Net]]:
    """The networks whose first m features are measured, by m, ascending: those trained on so many,
    then the first nested and the first plain network of the same kind.
    """
    fixed: dict[int, list[Net]] = {}
    for net in nets:
        if is_fixed(net) and fixed_size(net) <= net.d:
            fixed.setdefault(fixed_size(net), []).append(net)
    found = {}
    for m, some in sorted(fixed.items()):
        like = [net for net in nets if alike(net, some[0], but=["loss"])]
        others = (next((net for net in like if is_kind(net)), None) for is_kind in _OTHERS)
        found[m] = [*some, *(net for net in others if net is not None)]
    return found


_OTHERS = (is_nested, is_plain)


def kind(net: Net) -> str:
    """What figures and tables call the first features of a network."""
    if is_fixed(net):
        return "FF, trained to be these"
    return f"{net.origin.loss}, {'nested prefix' if is_nested(net) else 'first of many'}"


def _rows(found: Found) -> list[tuple[int, Measurement]]:
    """Every measurement with its m, task by task."""
    tasks = next(iter(found.values())).tasks if found else []
    return [
        (m, measurements.of(net, task))
        for task in tasks
        for m, measurements in found.items()
        for net in measurements.nets
    ]


def within_table(found: Found, delta: float) -> pd.DataFrame:
    """DR within the first m features, and what half of them keep: one row a network, m and task."""
    rows: list[dict[str, Any]] = []
    for m, one in _rows(found):
        curve, half = one.curve("accuracy"), max(1, m // 2)
        ends = (np.nan,) * 3
        if curve.column(half) is not None and curve.full > 0:
            ends = curve.kept(half)
        rows.append(
            {
                "task": one.task.title,
                "m": m,
                "features": kind(one.net),
                "net": one.net.name,
                "accuracy of all m": curve.full,
                "delta": delta,
                **redundancy_columns(one.redundancy("accuracy", delta)),
                **corrected_columns(curve.above_chance(delta)),
                "kept by half": ends[0],
                "kept by half, low": ends[1],
                "kept by half, high": ends[2],
                "DR of CKA": one.redundancy("cka", delta).value,
                "subsets": len(curve.seeds),
                "penalty": one.penalty,
            }
        )
    return pd.DataFrame(rows or {"note": [NOTE]})


def within_curves(found: Found) -> pd.DataFrame:
    """The share of the accuracy of all m features that k of them keep, at every size measured: the
    mean over subsets, and the ends of its interval over subsets and test images.
    """
    frames = []
    for m, one in _rows(found):
        curve = one.curve("accuracy")
        draws = curve.resampled()
        ends = np.full((2, len(curve.sizes)), np.nan)
        if draws is not None:
            ends = np.quantile(draws.values / draws.full[:, None], [0.025, 0.975], axis=0)
        columns = {
            "task": one.task.title,
            "m": m,
            "features": kind(one.net),
            "net": one.net.name,
            "k": curve.sizes,
            "kept": curve.mean / curve.full,
            "low": ends[0],
            "high": ends[1],
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"note": [NOTE]})


def within_series(found: Found, delta: float) -> list[list[tuple[str, list[Series]]]]:
    """What :func:`figures.series_figure` draws: DR against m, as the paper has it and above chance,
    one column a task, one line a kind of features.
    """
    looks = {
        name: i for i, name in enumerate(dict.fromkeys(kind(one.net) for _, one in _rows(found)))
    }

    def row(of: Any) -> list[tuple[str, list[Series]]]:
        plots = []
        for task in next(iter(found.values())).tasks:
            lines = []
            for name, look in looks.items():
                some = [
                    (m * 1.06 ** (look - 1), of(one))  # side by side, not on top of one another
                    for m, one in _rows(found)
                    if kind(one.net) == name and one.task.name == task.name
                ]
                x, points = [at for at, _ in some], [value for _, value in some]
                lines.append(Series(name, x, points, look, joined=len(set(x)) == len(x)))
            plots.append((task.title, lines))
        return plots

    def above_chance(one: Measurement) -> Point:
        redundancy = one.curve("accuracy").above_chance(delta)
        return Point(float("nan")) if redundancy is None else point(redundancy)

    return [row(lambda one: point(one.redundancy("accuracy", delta))), row(above_chance)]


def within_ticks(found: Found) -> list[tuple[float, str]]:
    """Ticks for every m."""
    return [(float(m), str(m)) for m in found]


@dataclass(frozen=True)
class Gap:
    """DR within the m features that a network was trained on, less that within as many first
    features of another one, with a 95% interval that is paired by image.
    """

    m: int
    task: str
    against: str
    difference: float
    low: float
    high: float

    @property
    def outcome(self) -> str:
        """``higher``, ``lower`` or ``not clear``."""
        return "higher" if self.low > 0 else "lower" if self.high < 0 else "not clear"


def gaps(found: Found, delta: float) -> list[Gap]:
    """Those of every m, task and network to compare with; cases as good as guessing left out."""
    out = []
    for m, measurements in found.items():
        for task in measurements.tasks:
            some = [measurements.of(net, task) for net in measurements.nets]
            for ours in (one for one in some if is_fixed(one.net)):
                for theirs in (one for one in some if not is_fixed(one.net)):
                    gap = _gap(m, task, ours, theirs, delta)
                    if gap.difference == gap.difference:
                        out.append(gap)
    return out


def _gap(m: int, task: Task, ours: Measurement, theirs: Measurement, delta: float) -> Gap:
    values = [one.redundancy("accuracy", delta).value for one in (ours, theirs)]
    draws = [one.curve("accuracy").redundancy_draws(delta) for one in (ours, theirs)]
    low = high = float("nan")
    if draws[0] is not None and draws[1] is not None:
        low, high = percentile_interval(draws[0] - draws[1], method="inverted_cdf")
    return Gap(m, task.title, kind(theirs.net), values[0] - values[1], low, high)


def gaps_table(found: Sequence[Gap]) -> pd.DataFrame:
    """One row a gap."""
    rows = [
        {
            "task": gap.task,
            "m": gap.m,
            "against": gap.against,
            "difference of DR": gap.difference,
            "low": gap.low,
            "high": gap.high,
            "outcome": gap.outcome,
        }
        for gap in found
    ]
    return pd.DataFrame(rows or {"note": ["there is nothing to compare"]})


def describe_within(found: Found, delta: float) -> str:
    """What can be dropped within layers that were trained to be small, and how that compares."""
    trained = [(m, one) for m, one in _rows(found) if is_fixed(one.net)]
    stated = [(m, one, one.redundancy("accuracy", delta)) for m, one in trained]
    stated = [(m, one, value) for m, one, value in stated if value.k is not None]
    if not stated:
        return (
            NOTE
            if not trained
            else (
                "Their features are not clearly better than guessing, or no size measured keeps "
                f"{delta:.0%} of their accuracy."
            )
        )
    sentences = []
    for title in dict.fromkeys(one.task.title for _, one, _ in stated):
        some = [(m, one) for m, one, _ in stated if one.task.title == title]
        ends = some[:1] + some[-1:][: len(some) - 1]
        sentences.append(f"On {title} {' and '.join(_in_words(*end, delta) for end in ends)}")
    clear = sum(value.low > 0 for *_, value in stated)
    text = (
        "**What to see:** how many of the m features that a network was trained to make do with "
        f"can be dropped at random with {delta:.0%} of their accuracy kept, for the smallest and "
        "the largest m, with 95% intervals over subsets and test images. "
        f"{'. '.join(sentences)}. "
        f"The interval lies above 0 in {clear} of {len(stated)} cases (sizes and tasks)."
    )
    pairs = gaps(found, delta)
    for against in dict.fromkeys(gap.against for gap in pairs):
        outcomes = [gap.outcome for gap in pairs if gap.against == against]
        counts = [f"{word} in {outcomes.count(word)}" for word in ("higher", "lower", "not clear")]
        text += (
            f" Beside as many features of one other network ({against}) DR is {listed(counts)} of "
            f"{len(outcomes)}."
        )
    return (
        f"{text} Each of these intervals errs in one case of twenty, and there is one network of "
        "each kind and size: another seed may differ."
    )


def _in_words(m: int, one: Measurement, delta: float) -> str:
    value, corrected = one.redundancy("accuracy", delta), one.curve("accuracy").above_chance(delta)
    parts = [f"{value.low:.0%} to {value.high:.0%}"] if value.has_interval else []
    if corrected is not None and corrected.k is not None:
        parts.append(f"above chance {corrected.value:.0%}")
    return f"{value.value:.0%}" + (f" ({'; '.join(parts)})" if parts else "") + f" of {m}"
