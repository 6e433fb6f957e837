"""Networks compared with one another: by pre-training loss, upstream set, width and family."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..experiment.measurements import COMPARED, Measurement, Measurements
from ..experiment.penalty_bands import GroupBands
from ..measures.curves import Curve
from ..measures.redundancy import Redundancy, smallest_sufficient
from ..nets.networks import Net
from ..nets.zoo import is_from_scratch
from ..tasks import Task
from ..uncertainty.trend import Trend, assignments
from .claims import Verdict
from .comparisons import (
    Difference,
    differences,
    redundancies,
    trend_in_words,
    trends,
    verdict_on,
    verdict_on_trends,
    within_groups,
)
from .figure_data import Point, Series, point
from .grouping import Grouping, points
from .phrases import first_listed, lines

Row = list[tuple[str, list[Series]]]
"""A row of :func:`figures.series_figure`: plots of a title and lines."""


Bands = Mapping[str, GroupBands]
"""Bands of the groups on each task, by its name."""

GOVERN = (
    'The claim also says that loss and data set "largely govern" redundancy. No test here covers '
    "that."
)
"""What the verdicts on claim 4 leave out."""


def loss_differences(
    measurements: Measurements, by_loss: Grouping, delta: float, bands: Bands | None = None
) -> list[Difference]:
    """Every other loss against the reference."""
    pairs = [(label, by_loss.reference) for label in by_loss.others]
    return differences(measurements, by_loss, pairs, delta, bands)


def upstream_differences(
    measurements: Measurements, by_upstream: Grouping, delta: float, bands: Bands | None = None
) -> list[Difference]:
    """Every upstream set against the next smaller one; sets of unknown size are left out, and the
    train parts of downstream tasks, which are no larger or smaller ones of a kind.
    """
    images = {
        label: nets[0].origin.images
        for label, nets in by_upstream.groups.items()
        if not is_from_scratch(nets[0].name)
    }
    labels = sorted(
        (label for label, count in images.items() if count is not None),
        key=lambda label: images[label] or 0,
    )
    return differences(measurements, by_upstream, _steps(labels), delta, bands)


def _steps(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Every label with the one before it."""
    return list(zip(labels[1:], labels[:-1], strict=True))


def width_trends(
    measurements: Measurements, by_width: Grouping, delta: float, bands: Bands | None = None
) -> dict[str, dict[str, Trend]]:
    """The trend of DR over doublings of the width, by measure and task.

    ``bands``, of *all* networks of the groups, say how their DR of accuracy moves with the penalty.
    """
    labels = sorted(by_width.groups, key=int)
    groups = [by_width.groups[label] for label in labels]
    doublings = [math.log2(int(label)) for label in labels]
    shifts = {
        name: [of_task.shifts(label) for label in labels] for name, of_task in (bands or {}).items()
    }
    return {
        measure: trends(
            measurements, groups, doublings, measure, delta, shifts if measure == "accuracy" else {}
        )
        for measure in COMPARED
    }


def verdict_on_width(
    trends: Mapping[str, Mapping[str, Trend]], measure: str, delta: float
) -> Verdict:
    """Claim 9: whether DR of one measure rises with width, task by task."""
    title = f"DR({delta:g}) of {COMPARED[measure]} over networks that differ in width and seed only"
    return verdict_on_trends(trends[measure], "higher", title)


def verdict_on_loss(
    differences: Sequence[Difference],
    by_loss: Grouping,
    loss: str,
    expected: str,
    measure: str,
    delta: float,
    note: str = "",
) -> Verdict:
    """Whether DR of the losses whose labels start with ``loss`` is as expected, ``higher`` or
    ``lower`` than that of the reference loss, task by task; ``note`` as for :func:`verdict_on`.
    """
    these = [one for one in differences if one.group.startswith(loss)]
    what = f"{loss[0].upper()}{loss[1:]} against {by_loss.reference} training"
    return verdict_on(these, expected, what, measure, delta, note=note)


def _mean_redundancy(
    measurements: Measurements,
    nets: Sequence[Net],
    tasks: Sequence[Task],
    measure: str,
    delta: float,
) -> float:
    """DR averaged over tasks and networks."""
    values = [
        one.value for task in tasks for one in points(measurements, nets, task, measure, delta)
    ]
    return float(np.mean(values))


TRAIT_WORDS = {"upstream": "upstream set"}
"""What networks differ in, in a sentence, where its name is not enough."""


def describe_groups(
    measurements: Measurements, grouping: Grouping, measure: str, delta: float
) -> str:
    """A sentence on a figure of groups, with a line a task: where the mean DR is lowest and
    highest, with the range over the networks of the group, and the SD between seeds of one group.
    Groups of one network, which may be so by chance, are left out where two have more.
    """
    trait = TRAIT_WORDS.get(grouping.trait, grouping.trait)
    if len(grouping.groups) < 2:
        return (
            f"NETS holds no two networks that differ in {trait} only: there is nothing to compare."
        )
    several = {label for label, nets in grouping.groups.items() if len(nets) > 1}
    told = several if len(several) > 1 else set(grouping.groups)
    rows, spreads = [], 0
    for task in measurements.tasks:
        values = {
            label: redundancies(measurements, nets, task, measure, delta)
            for label, nets in grouping.groups.items()
        }
        means = {label: float(some.mean()) for label, some in values.items() if label in told}
        means = {label: value for label, value in means.items() if value == value}
        if len(means) < 2:
            continue
        top, bottom = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
        sd = within_groups(list(values.values()))
        spreads += sd == sd
        rows.append(
            f"{task.title}: from {_mean_and_range(values[bottom], bottom)} to "
            f"{_mean_and_range(values[top], top)}"
            + (f"; SD between seeds {sd:.3f}" if sd == sd else "")
        )
    if not rows:
        return (
            f"Too few networks reach {delta:.0%} of the full layer's {COMPARED[measure]} to "
            "compare."
        )
    lead = (
        f"**What to see:** the lowest and the highest mean DR({delta:g}) of {COMPARED[measure]} by "
        f"{trait}"
    )
    end = ["The table of differences says which means differ clearly."] if spreads else []
    if told == several:
        lead += " (in brackets: the range over networks that differ in their seed only)"
        single = [label for label in grouping.groups if label not in several]
        if single:
            end.insert(0, f"Groups of one network are left out: {first_listed(single)}.")
    return "\n\n".join([lines(lead, rows), " ".join(end)]).strip()


def _mean_and_range(values: np.ndarray, label: str) -> str:
    """The mean of a group and its name, with the range over its networks if it has several."""
    ends = f"; {values.min():.2f} to {values.max():.2f}" if len(values) > 1 else ""
    return f"{values.mean():.2f} ({label}{ends})"


def describe_levels(measurements: Measurements, grouping: Grouping) -> str:
    """A sentence with a line a task: how far the whole layers' accuracies are apart, as DR says
    what share of its *own* accuracy a network keeps.
    """
    levels = []
    for task in measurements.tasks:
        full = {
            label: float(np.mean([measurements.of(net, task).full for net in nets]))
            for label, nets in grouping.groups.items()
        }
        low, high = min(full, key=full.__getitem__), max(full, key=full.__getitem__)
        levels.append(
            f"{task.title}: from {full[low]:.1%} ({low}) to {full[high]:.1%} ({high})"
            f"{_by_chance(measurements, grouping.nets[0], task)}"
        )
    return (
        f"{lines('Each network is compared with its own accuracy, and these differ', levels)}\n\n"
        "Near chance a few neurons keep most of an accuracy that is mostly chance: the table of "
        "redundancy has DR above chance beside it."
    )


def _by_chance(measurements: Measurements, net: Net, task: Task) -> str:
    """The share of the largest class of the test images, where it is known."""
    guessing = measurements.of(net, task).curve("accuracy").guessing
    return "" if guessing is None else f"; guessing gives {guessing:.1%}"


STRENGTHS = {"dropout": "dropout rate", "DeCov": "weight of the DeCov penalty"}
"""Losses that come in strengths, by the start of their labels, and what their strength is called.
"""


@dataclass(frozen=True)
class StrengthFigure:
    """DR against the strength of a loss: what :func:`figures.series_figure` draws, and what is said
    of it.
    """

    name: str
    rows: list[Row]
    xlabel: str
    ylabels: list[str]
    ticks: list[tuple[float, str]]
    alt: str
    table: pd.DataFrame
    sentence: str


def strength_figures(
    measurements: Measurements, by_loss: Grouping, delta: float
) -> list[StrengthFigure]:
    """A figure for each loss of :data:`STRENGTHS` that some network was trained with."""
    figures = []
    for loss, words in STRENGTHS.items():
        labels = _by_strength(by_loss, loss)
        if not labels:
            continue
        table = strengths_table(measurements, by_loss, loss, delta)
        places = enumerate([by_loss.reference, *(label.split()[-1] for label in labels)])
        figures.append(
            StrengthFigure(
                loss.lower(),
                [
                    strength_series(measurements, by_loss, loss, measure, delta)
                    for measure in COMPARED
                ],
                words,
                [f"DR({delta:g}) of {name}" for name in COMPARED.values()],
                [(float(place), label) for place, label in places],
                f"Diffused redundancy of accuracy and of CKA against the {words}, one column per "
                "task, with the reference networks at the left.",
                table,
                describe_strengths(table),
            )
        )
    return figures


def _by_strength(by_loss: Grouping, loss: str) -> list[str]:
    """Labels of a loss that comes in strengths, from the weakest to the strongest."""
    labels = [label for label in by_loss.groups if label.startswith(loss)]
    return sorted(labels, key=lambda label: by_loss.groups[label][0].origin.strength or 0.0)


def strength_series(
    measurements: Measurements, by_loss: Grouping, loss: str, measure: str, delta: float
) -> Row:
    """DR against the strength of a loss, with the reference group at the left."""
    labels = [by_loss.reference, *_by_strength(by_loss, loss)]
    look = list(COMPARED).index(measure)
    row = []
    for task in measurements.tasks:
        x, values = [], []
        for place, label in enumerate(labels):
            some = points(measurements, by_loss.groups[label], task, measure, delta)
            for i, value in enumerate(some):  # side by side, not on top of one another
                x.append(place + 0.12 * (i - (len(some) - 1) / 2))
                values.append(value)
        joined = len(x) == len(labels)
        row.append((task.title, [Series(COMPARED[measure], x, values, look=look, joined=joined)]))
    return row


def strengths_table(
    measurements: Measurements, by_loss: Grouping, loss: str, delta: float
) -> pd.DataFrame:
    """For reading, a loss that comes in strengths: mean DR without it and at its strongest, and the
    trend over all strengths, by measure and task.
    """
    labels = [by_loss.reference, *_by_strength(by_loss, loss)]
    rows = []
    for measure, name in COMPARED.items():
        groups = [by_loss.groups[label] for label in labels]
        by_task = trends(measurements, groups, range(len(labels)), measure, delta)
        for task in measurements.tasks:
            ends = {
                label: _mean_redundancy(measurements, by_loss.groups[label], [task], measure, delta)
                for label in (labels[0], labels[-1])
            }
            told = {label: f"{one:.2f}" if one == one else "–" for label, one in ends.items()}
            trend = {"over all strengths it": trend_in_words(by_task[task.title])}
            rows.append({f"DR({delta:g}) of": name, "task": task.title, **told, **trend})
    return pd.DataFrame(rows)


def describe_strengths(table: pd.DataFrame) -> str:
    """One sentence on the table of strengths: how many trends are clear."""
    *_, strongest, words = table.columns
    counts = {word: int(table[words].str.startswith(word).sum()) for word in ("rises", "falls")}
    return (
        f"**What to see:** up to {strongest}, DR clearly rises in {counts['rises']} and clearly "
        f"falls in {counts['falls']} of {len(table)} rows. These trends are for information: their "
        "p values are corrected for the tasks only, and the verdict counts the comparisons with "
        "the reference, in the table above."
    )


def spaced_ticks(widths: Sequence[int]) -> list[tuple[float, str]]:
    """Ticks for some widths on a log axis; of two closer than a factor of 1.3 the first only."""
    kept: list[int] = []
    for width in sorted(widths):
        if not kept or width >= 1.3 * kept[-1]:
            kept.append(width)
    return [(float(width), str(width)) for width in kept]


def width_ticks(by_family: Grouping) -> list[tuple[float, str]]:
    """Ticks for the widths of all networks; see :func:`spaced_ticks`."""
    return spaced_ticks([net.d for net in by_family.nets])


def common_accuracy(
    measurements: Measurements, grouping: Grouping, task: Task, delta: float
) -> float:
    """An accuracy that all networks of a grouping reach: the share delta of the least whole
    layer's.
    """
    return delta * min(measurements.of(net, task).full for net in grouping.nets)


def neurons_for(curve: Curve, accuracy: float) -> Point:
    """The number of neurons from which on the mean accuracy is at least ``accuracy``, with the
    range over seeds; NaN where it is never reached.
    """
    every = smallest_sufficient(np.vstack([curve.mean, curve.values]), accuracy, curve.sizes)
    return Point(float(every[0]), float(np.min(every[1:])), float(np.max(every[1:])))


def neurons_needed(redundancy: Redundancy) -> Point:
    """The number of neurons that keeps a share of the full layer's value, with its interval."""
    ends = (redundancy.value, redundancy.high, redundancy.low)
    return Point(*((1 - end) * redundancy.d for end in ends))


def width_series(
    measurements: Measurements, grouping: Grouping, value: Callable[[Measurement], Point]
) -> Row:
    """A value against width, one line a family, for each task; networks of one family and width are
    averaged.
    """
    row = []
    for task in measurements.tasks:
        lines = []
        for look, (family, nets) in enumerate(grouping.groups.items()):
            by_width: dict[int, list[Point]] = {}
            for net in sorted(nets, key=lambda net: net.d):
                by_width.setdefault(net.d, []).append(value(measurements.of(net, task)))
            widths = [float(width) for width in by_width]
            means = [_mean_point(some) for some in by_width.values()]
            lines.append(Series(family.replace("_", " "), widths, means, look=look))
        row.append((task.title, lines))
    return row


def _mean_point(points: Sequence[Point]) -> Point:
    ends = ("value", "low", "high")
    return Point(*(float(np.mean([getattr(one, end) for one in points])) for end in ends))


def width_rows(measurements: Measurements, by_family: Grouping, delta: float) -> list[Row]:
    """Against width, one line a family: DR of each measure, and the neurons needed for the accuracy
    that all these networks reach.
    """

    def redundancy(measure: str) -> Callable[[Measurement], Point]:
        return lambda one: point(one.redundancy(measure, delta))

    def needed(measurement: Measurement) -> Point:
        accuracy = common_accuracy(measurements, by_family, measurement.task, delta)
        return neurons_for(measurement.accuracy["random"], accuracy)

    values = [*(redundancy(measure) for measure in COMPARED), needed]
    return [width_series(measurements, by_family, value) for value in values]


def describe_widths(
    measurements: Measurements,
    by_width: Grouping,
    delta: float,
    families: Grouping | None = None,
) -> str:
    """A sentence on width, with a line a task: DR, and the neurons needed for one and the same
    accuracy, at the narrowest and the widest layer.

    ``families`` are the networks that the accuracy is common to, by default those of ``by_width``.
    """
    labels = sorted(by_width.groups, key=int)
    if len(labels) < 2:
        return "NETS holds no two networks that differ in width only."
    sentences = []
    for task in measurements.tasks:
        accuracy = common_accuracy(measurements, families or by_width, task, delta)
        ends = []
        for label in (labels[0], labels[-1]):
            some = [measurements.of(net, task) for net in by_width.groups[label]]
            redundancy = np.mean([one.redundancy("accuracy", delta).value for one in some])
            needed = [neurons_for(one.accuracy["random"], accuracy).value for one in some]
            ends.append((redundancy, float(np.mean(needed))))
        (before, fewer), (after, more) = ends
        if np.isnan([before, after]).any():
            continue  # not reached, or no better than guessing
        sentences.append(
            f"{task.title}: from {before:.2f} to {after:.2f}, while the neurons needed for an "
            f"accuracy of {accuracy:.1%} go from {fewer:.0f} to {more:.0f}"
        )
    if not sentences:
        return f"DR({delta:g}) of accuracy cannot be stated at both widths on any task."
    few, many = (len(by_width.groups[labels[place]]) for place in (0, -1))
    over = (
        "one network of each of these two"
        if few == many == 1
        else f"means over {few} and {many} networks"
    )
    lead = f"**What to see:** DR({delta:g}) of accuracy from {labels[0]} to {labels[-1]} neurons"
    return f"{lines(f'{lead} ({over})', sentences)}\n\nWhether the trend is clear is tested below."


def describe_orders(trends: Mapping[str, Mapping[str, Trend]]) -> str:
    """One sentence: in how many ways the networks can be assigned to the widths, and the smallest p
    that this allows; empty where there are no two widths.
    """
    known = [one for by_task in trends.values() for one in by_task.values() if one.pairs]
    if not known:
        return ""
    most = max(known, key=lambda one: sum(one.networks))
    return (
        f"Here {' + '.join(map(str, most.networks))} networks can be assigned to "
        f"{len(most.networks)} widths in {assignments(most.networks):,} ways. A DR that rises from "
        f"each width to the next, or falls, has p = {most.smallest_p:.2g} before the correction: "
        "no p can be smaller."
    )


def describe_families(measurements: Measurements, by_family: Grouping, delta: float) -> str:
    """A sentence with a line a width that several families have: DR of every measure by family,
    averaged over networks and tasks.
    """
    by_width: dict[int, dict[str, list[Net]]] = {}
    for family, nets in by_family.groups.items():
        for net in nets:
            by_width.setdefault(net.d, {}).setdefault(family, []).append(net)
    sentences = []
    for width, families in sorted(by_width.items()):
        if len(families) < 2:
            continue
        parts = []
        for family, nets in families.items():
            means = [
                f"{_mean_redundancy(measurements, nets, measurements.tasks, measure, delta):.2f}"
                for measure in COMPARED
            ]
            count = f"{len(nets)} network{'s' * (len(nets) > 1)}"
            parts.append(f"{family.replace('_', ' ')} {' / '.join(means)} ({count})")
        sentences.append(f"{width} neurons: {'; '.join(parts)}")
    if not sentences:
        return (
            "No two families among NETS have layers of one width, so they cannot be compared here."
        )
    lead = f"In this run, DR({delta:g}) of {' / of '.join(COMPARED.values())}, averaged over tasks"
    return (
        f"{lines(lead, sentences)}\n\nFamilies with one network say nothing about what another "
        "seed would give."
    )


def variance_shares(measurements: Measurements, nets: Sequence[Net], delta: float) -> pd.DataFrame:
    """What share of the variance of DR the network explains, what the task, and what is left.

    Two-way sums of squares, over all tasks and without the one where the whole layers do worst.
    Networks whose DR cannot be stated on every task are left out.

    Parameters
    ----------
    measurements : Measurements
    nets : sequence of Net
        Of equal width, as DR is a share of it.
    delta : float

    Returns
    -------
    DataFrame
        Columns ``DR of``, ``tasks``, ``networks``, shares ``network``, ``task`` and ``rest``;
        ``network, by chance``, what its share would be in the mean if no network had an effect; and
        ``least`` and ``most``, the range of the share of the network if any one is left out: how
        much one network does, not an interval.

    Notes
    -----
    Without an effect of the network, the values of a task could as well belong to its networks in
    any other order. Over all orders, networks explain on average 1 / T of what the T tasks do not.
    """
    tasks = measurements.tasks
    hardest = min(tasks, key=lambda one: np.mean([measurements.of(net, one).full for net in nets]))
    rows = []
    for measure, name in COMPARED.items():
        for left_out in (None, hardest):
            some = [task for task in tasks if task is not left_out]
            values = np.array(
                [redundancies(measurements, nets, task, measure, delta) for task in some]
            ).T
            values = values[~np.isnan(values).any(1)] if len(some) else np.zeros((0, 0))
            if min(values.shape) < 2:
                continue
            shares = two_way_shares(values)
            others = [
                two_way_shares(np.delete(values, i, axis=0))[0]
                for i in range(len(values))
                if len(values) > 2
            ]
            rows.append(
                {
                    "DR of": name,
                    "tasks": "all" if left_out is None else f"without {left_out.title}",
                    "networks": len(values),
                    **dict(zip(("network", "task", "rest"), shares, strict=True)),
                    "network, by chance": (1 - shares[1]) / len(some),
                    "least": min(others, default=float("nan")),
                    "most": max(others, default=float("nan")),
                }
            )
    note = (
        "it takes two networks that differ in loss and seed only, and have a DR on the same two "
        "tasks, to share out variance"
    )
    return pd.DataFrame(rows or {"note": [note]})


def two_way_shares(values: np.ndarray) -> tuple[float, float, float]:
    """The shares of the sum of squares that rows explain, that columns explain, and the rest.

    >>> two_way_shares(np.array([[0.0, 2.0], [1.0, 3.0]]))
    (0.2, 0.8, 0.0)
    """
    rows, columns = values.shape
    centred = values - values.mean()
    total = float((centred**2).sum())
    if not total > 0:
        return float("nan"), float("nan"), float("nan")
    of_rows = columns * float((centred.mean(1) ** 2).sum()) / total
    of_columns = rows * float((centred.mean(0) ** 2).sum()) / total
    return of_rows, of_columns, max(0.0, 1 - of_rows - of_columns)


def describe_variance(table: pd.DataFrame, d: int, delta: float) -> str:
    """A sentence with a line a measure: how much of DR is up to the network, and how much to the
    task.
    """
    if "task" not in table:
        note = str(table["note"].iloc[0])
        return f"{note[:1].upper()}{note[1:]}."
    sentences = []
    for measure, rows in table.groupby("DR of", sort=False):
        parts = [
            f"{'over all tasks' if row['tasks'] == 'all' else row['tasks']} the task explains "
            f"{row['task']:.1%} and the network {row['network']:.1%} (by chance "
            f"{row['network, by chance']:.1%})"
            for _, row in rows.iterrows()
        ]
        sentences.append(f"{measure}: {'; '.join(parts)}")
    lead = (
        f"**What to see:** the variance of DR({delta:g}) among {table['networks'].max()} networks "
        f"of {d} neurons that differ in their loss and seed only, by measure"
    )
    if table["least"].isna().all():
        return lines(lead, sentences)
    return (
        f"{lines(lead, sentences)}\n\n*Least* and *most* are the share of the network if any one "
        "network is left out. They show whether a single one makes the share, and are no interval."
    )
