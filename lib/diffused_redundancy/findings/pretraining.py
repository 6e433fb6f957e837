"""Nets compared with one another: by pre-training loss, upstream set, width and family.

A difference between two groups of nets counts as clear only if the intervals of all nets of one lie
above those of all nets of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..experiment.measurements import MEASURES, TRAITS, Cell, Cells, Grouping
from ..nets.networks import Net
from ..tasks import Task
from .claims import Verdict, judge_with_doubt
from .figure_data import Point, Series
from .probing import listed


@dataclass(frozen=True)
class Difference:
    """DR of one group against another on a task.

    Attributes
    ----------
    outcome : str
        ``above``, ``below``, ``overlap``, or ``unknown`` where there is no interval.
    gap : float
        The difference of the groups' means.
    """

    group: str
    against: str
    task: str
    measure: str
    outcome: str
    gap: float


def difference(
    cells: Cells,
    grouping: Grouping,
    group: str,
    against: str,
    task: Task,
    measure: str,
    delta: float,
) -> Difference:
    """Compare two groups: clear only if the intervals of all nets of one lie above those of all of
    the other.
    """
    ours, theirs = (
        cells.points(grouping.groups[name], task, measure, delta) for name in (group, against)
    )
    numbers = np.array([[one.value, one.low, one.high] for one in (*ours, *theirs)])
    gap = float(np.mean([one.value for one in ours]) - np.mean([one.value for one in theirs]))
    if np.isnan(numbers).any():
        outcome = "unknown"
    elif min(one.low for one in ours) > max(one.high for one in theirs):
        outcome = "above"
    elif max(one.high for one in ours) < min(one.low for one in theirs):
        outcome = "below"
    else:
        outcome = "overlap"
    return Difference(group, against, task.title, measure, outcome, gap)


def differences(
    cells: Cells,
    grouping: Grouping,
    pairs: Sequence[tuple[str, str]],
    delta: float,
    measures: Sequence[str] = (),
) -> list[Difference]:
    """Pairs of groups compared on every task, for every measure."""
    return [
        difference(cells, grouping, group, against, task, measure, delta)
        for group, against in pairs
        for measure in (measures or MEASURES)
        for task in cells.tasks
    ]


def differences_table(found: Sequence[Difference]) -> pd.DataFrame:
    """For reading: one row a pair and measure, one column a task."""
    words = {"above": "higher", "below": "lower", "overlap": "open", "unknown": "no interval"}
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for one in found:
        row = rows.setdefault((f"{one.group} against {one.against}", MEASURES[one.measure]), {})
        row[one.task] = f"{words[one.outcome]} ({one.gap:+.3f})"
    return pd.DataFrame(
        [{"groups": pair, "DR of": measure, **row} for (pair, measure), row in rows.items()]
    )


def verdict_on(found: Sequence[Difference], expected: str, what: str, delta: float) -> Verdict:
    """Whether all comparisons came out as expected: ``above`` or ``below``.

    Parameters
    ----------
    found : sequence of Difference
    expected : str
    what : str
        The comparisons in words.
    delta : float
    """
    if not found:
        return Verdict("undecided", f"{what}: there are no such nets among NETS.")
    opposite = {"above": "below", "below": "above"}[expected]
    words = {"above": "higher", "below": "lower"}

    def where(outcome: str) -> list[str]:
        return [
            f"{one.group} on {one.task} ({MEASURES[one.measure]}, {one.gap:+.3f})"
            for one in found
            if one.outcome == outcome
        ]

    as_said, against, open_ = where(expected), where(opposite), where("overlap") + where("unknown")
    counts = []
    for measure, name in MEASURES.items():
        some = [one.outcome for one in found if one.measure == measure]
        if some:
            decided = (
                f"{some.count(expected)} clearly {words[expected]}, "
                f"{some.count(opposite)} "
                f"clearly {words[opposite]}"
            )
            counts.append(
                f"{name}: {decided}, {len(some) - some.count(expected) - some.count(opposite)} "
                f"open (of {len(some)})"
            )
    because = f"{what}, DR({delta:g}) of {'; of '.join(counts)}"
    because += f". Clearly {words[opposite]}: {_some(against)}" if against else ""
    passed = [True] * len(as_said) + [False] * len(against)
    if len(passed) < len(open_):  # a few clear ones among many may be chance
        return Verdict("undecided", because + ". Undecided, as most comparisons are open.")
    if 0 < len(as_said) <= len(against):
        return Verdict("mixed", because + ".")
    return judge_with_doubt(passed, len(open_), because + ".")


def seed_pairs(cells: Cells, delta: float) -> tuple[int, int]:
    """How many pairs of nets that differ in their seed only come out clearly different by the same
    rule, and of how many.
    """
    apart = total = 0
    for i, one in enumerate(cells.nets):
        for other in cells.nets[i + 1 :]:
            if all(trait(one) == trait(other) for trait in TRAITS.values()):
                for measure in MEASURES:
                    for task in cells.tasks:
                        (a,), (b,) = (
                            cells.points([net], task, measure, delta) for net in (one, other)
                        )
                        total += 1
                        apart += a.low > b.high or b.low > a.high
    return apart, total


def describe_seed_pairs(cells: Cells, delta: float) -> str:
    """One sentence on how often the seed of the pre-training alone looks like a clear
    difference.
    """
    apart, total = seed_pairs(cells, delta)
    if not total:
        return (
            "NETS holds no two nets that differ in their seed only, so nothing is known "
            "here of what the seed of the "
            "pre-training "
            "does."
        )
    return (
        "By this rule, nets that differ in the seed of their pre-training only come out "
        f"different in {apart} of {total} cases. "
        "Where a group has one net, its seed may explain as much."
    )


def _some(parts: Sequence[str], most: int = 4) -> str:
    return (
        listed(parts)
        if len(parts) <= most
        else ", ".join(parts[:most]) + f" and {len(parts) - most} more"
    )


def describe_groups(cells: Cells, grouping: Grouping, measure: str, delta: float) -> str:
    """One sentence on a figure of groups: where DR is highest and lowest, and how far seeds of one
    group are apart.
    """
    if len(grouping.groups) < 2:
        return (
            f"NETS holds no two nets that differ in {grouping.trait} only: there is "
            "nothing "
            "to compare."
        )
    told, yards = [], []
    for task in cells.tasks:
        means = {
            label: float(np.mean([one.value for one in cells.points(nets, task, measure, delta)]))
            for label, nets in grouping.groups.items()
        }
        means = {label: value for label, value in means.items() if value == value}
        if len(means) < 2:
            continue
        top, bottom = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
        told.append(
            f"on {task.title} from {means[bottom]:.2f} ({bottom}) to {means[top]:.2f} ({top})"
        )
        spreads = []
        for nets in grouping.groups.values():
            values = [one.value for one in cells.points(nets, task, measure, delta)]
            if len(values) > 1 and not np.isnan(values).any():
                spreads.append(max(values) - min(values))
        if spreads:
            yards.append(f"{np.mean(spreads):.3f} on {task.title}")
    if not told:
        return f"Too few nets reach {delta:.0%} of the full layer's {MEASURES[measure]} to compare."
    text = (
        f"**What to see:** DR({delta:g}) of {MEASURES[measure]} by {grouping.trait} goes "
        f"{listed(told)}"
    )
    return text + (
        f". Nets of one group, which differ in their seed only, are apart by {listed(yards)} "
        "on average."
        if yards
        else "."
    )


def describe_levels(cells: Cells, grouping: Grouping) -> str:
    """One sentence: how far the whole layers' accuracies are apart, as DR says what share of its
    *own* accuracy a net keeps.
    """
    told = []
    for task in cells.tasks:
        full = {
            label: float(np.mean([cells.of(net, task).full for net in nets]))
            for label, nets in grouping.groups.items()
        }
        low, high = min(full, key=full.__getitem__), max(full, key=full.__getitem__)
        chance = 1 / len(task.classes)
        told.append(
            f"on {task.title} from {full[low]:.1%} ({low}) to {full[high]:.1%} ({high}), with "
            f"{chance:.1%} by chance"
        )
    return (
        f"Each net is held to its own accuracy, and these differ: {'; '.join(told)}. A layer "
        "that does badly needs few neurons to do as badly, "
        "so the DR of a net near chance means little."
    )


def strength_series(
    cells: Cells, grouping: Grouping, prefix: str, measure: str, delta: float
) -> list[tuple[str, list[Series]]]:
    """DR against the strength of a loss that comes in several, with the reference group at the
    left.
    """
    labels = [label for label in grouping.groups if label.startswith(prefix)]
    labels.sort(key=lambda label: grouping.groups[label][0].origin.strength or 0.0)
    rows = []
    for task in cells.tasks:
        x, points = [], []
        for place, label in enumerate([grouping.reference, *labels]):
            some = cells.points(grouping.groups[label], task, measure, delta)
            for i, one in enumerate(some):  # side by side, not on top of one another
                x.append(place + 0.12 * (i - (len(some) - 1) / 2))
                points.append(one)
        rows.append(
            (
                task.title,
                [
                    Series(
                        MEASURES[measure],
                        x,
                        points,
                        look=list(MEASURES).index(measure),
                        joined=len(x) == 1 + len(labels),
                    )
                ],
            )
        )
    return rows


def describe_strengths(cells: Cells, grouping: Grouping, prefix: str, delta: float) -> str:
    """One sentence on a loss that comes in strengths: DR without it and at its strongest, by
    task.
    """
    labels = [label for label in grouping.groups if label.startswith(prefix)]
    strongest = max(labels, key=lambda label: grouping.groups[label][0].origin.strength or 0.0)
    told = []
    for measure, words in MEASURES.items():
        moves = []
        for task in cells.tasks:
            before, after = (
                float(
                    np.mean(
                        [
                            one.value
                            for one in cells.points(grouping.groups[label], task, measure, delta)
                        ]
                    )
                )
                for label in (grouping.reference, strongest)
            )
            moves.append(f"from {before:.2f} to {after:.2f} on {task.title}")
        told.append(f"DR({delta:g}) of {words} goes {listed(moves)}")
    return f"**What to see:** from {grouping.reference} training to {strongest}, {'; '.join(told)}."


def by_size(grouping: Grouping) -> list[str]:
    """Labels of upstream sets, from the fewest images to the most; sets of unknown size are left
    out.
    """
    sizes = {label: nets[0].origin.images for label, nets in grouping.groups.items()}
    return sorted(
        (label for label, size in sizes.items() if size is not None),
        key=lambda label: sizes[label] or 0,
    )


def spaced_ticks(widths: Sequence[int], factor: float = 1.3) -> list[tuple[float, str]]:
    """Ticks for some widths on a log axis; of two closer than a factor the first only."""
    kept: list[int] = []
    for width in sorted(widths):
        if not kept or width >= factor * kept[-1]:
            kept.append(width)
    return [(float(width), str(width)) for width in kept]


def common_bar(cells: Cells, grouping: Grouping, task: Task, delta: float) -> float:
    """An accuracy that all nets of a grouping reach: the share delta of the least whole layer's."""
    return delta * min(
        cells.of(net, task).full for nets in grouping.groups.values() for net in nets
    )


def neurons_for(bar: float) -> Callable[[Cell], Point]:
    """The number of random neurons from which on the mean accuracy is at least ``bar``, with the
    range over seeds.
    """

    def least(curve: np.ndarray, sizes: np.ndarray) -> float:
        enough = np.flatnonzero(curve >= bar - 1e-12)
        return float(sizes[enough[0]]) if len(enough) else float("nan")

    def value(cell: Cell) -> Point:
        curves = cell.accuracy["random"]
        sizes = cell.sizes[: curves.shape[1]]
        each = [least(curve, sizes) for curve in curves]
        return Point(least(curves.mean(0), sizes), float(np.min(each)), float(np.max(each)))

    return value


def describe_widths(
    cells: Cells, grouping: Grouping, delta: float, families: Grouping | None = None
) -> str:
    """One sentence on width: DR, and the neurons needed for one and the same accuracy, at the
    narrowest and the widest layer.

    ``families`` are the nets that the accuracy is common to, by default those of ``grouping``.
    """
    labels = sorted(grouping.groups, key=int)
    if len(labels) < 2:
        return "NETS holds no two nets that differ in width only."
    told = []
    for task in cells.tasks:
        bar = common_bar(cells, families or grouping, task, delta)
        ends = []
        for label in (labels[0], labels[-1]):
            some = [cells.of(net, task) for net in grouping.groups[label]]
            needed = float(np.mean([neurons_for(bar)(cell).value for cell in some]))
            ends.append(
                (np.mean([cell.redundancy("accuracy", delta).value for cell in some]), needed)
            )
        (before, fewer), (after, more) = ends
        told.append(
            f"on {task.title} from {before:.2f} to {after:.2f}, while the neurons needed for "
            f"{bar:.1%} go from {fewer:.0f} to {more:.0f}"
        )
    return (
        f"**What to see:** from {labels[0]} to {labels[-1]} neurons, DR({delta:g}) of "
        "accuracy goes "
        f"{'; '.join(told)}."
    )


def describe_families(cells: Cells, grouping: Grouping, delta: float) -> str:
    """One sentence: DR of both measures by family, at each width that several families have,
    averaged over nets and tasks.
    """
    by_width: dict[int, dict[str, list[Net]]] = {}
    for family, nets in grouping.groups.items():
        for net in nets:
            by_width.setdefault(net.d, {}).setdefault(family, []).append(net)
    told = []
    for width, families in sorted(by_width.items()):
        if len(families) < 2:
            continue
        parts = []
        for family, nets in families.items():
            means = [
                np.mean(
                    [
                        one.value
                        for task in cells.tasks
                        for one in cells.points(nets, task, measure, delta)
                    ]
                )
                for measure in MEASURES
            ]
            parts.append(f"{family.replace('_', ' ')} {means[0]:.2f} and {means[1]:.2f}")
        told.append(f"at {width} neurons {listed(parts)}")
    if not told:
        return (
            "No two families among NETS have layers of one width, so they cannot be compared here."
        )
    return (
        f"In this run, DR({delta:g}) of accuracy and of CKA, averaged over tasks: "
        f"{'; '.join(told)}."
    )


def width_series(
    cells: Cells, grouping: Grouping, value: Callable[[Cell, Task], Point]
) -> list[tuple[str, list[Series]]]:
    """A value against width, one line a family, for each task; nets of one family and width are
    averaged.
    """
    rows = []
    for task in cells.tasks:
        lines = []
        for look, (family, nets) in enumerate(grouping.groups.items()):
            found: dict[int, list[Point]] = {}
            for net in sorted(nets, key=lambda one: one.d):
                found.setdefault(net.d, []).append(value(cells.of(net, task), task))
            points = [
                Point(
                    *(
                        float(np.mean([getattr(one, name) for one in some]))
                        for name in ("value", "low", "high")
                    )
                )
                for some in found.values()
            ]
            lines.append(
                Series(family.replace("_", " "), [float(d) for d in found], points, look=look)
            )
        rows.append((task.title, lines))
    return rows


def neurons_needed(delta: float) -> Callable[[Cell], Point]:
    """The number of random neurons that keeps a share of the full layer's accuracy, with its
    interval.
    """

    def value(cell: Cell) -> Point:
        found = cell.redundancy("accuracy", delta)
        return Point(*((1 - end) * found.d for end in (found.value, found.high, found.low)))

    return value
