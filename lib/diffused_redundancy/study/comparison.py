"""Nets compared with one another: by pre-training loss, upstream set, width and family.

A *cell* is one net on one task. Nets that differ in their seed only form a *group*, which shows how much chance
there is. A difference between two groups counts as clear only if the intervals of all nets of one lie above those of
all nets of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..measure.redundancy import Redundancy, diffused_redundancy, pareto_front
from ..measure.selections import sizes_of
from ..nets.networks import Net
from ..tasks import Task
from .analysis import listed
from .claims import Verdict, judge_with_doubt
from .figures import Point, Series, Trade
from .layer import Layer

if TYPE_CHECKING:
    from .session import Session

MEASURES = {"accuracy": "accuracy", "cka": "CKA"}
"""What DR is taken of, and how figures name it."""


@dataclass(frozen=True)
class Cell:
    """One net on one task, measured.

    Attributes
    ----------
    sizes : ndarray of int (s,)
        Of the probes.
    accuracy, per_class : mapping from a selection to ndarray (seeds, s) or (seeds, s, C)
    cka : mapping from a selection to ndarray (seeds, d)
    full : float
        The full layer's accuracy.
    about : mapping
        See :meth:`Layer.about`.
    """

    net: Net
    task: Task
    sizes: np.ndarray = field(repr=False)
    accuracy: Mapping[str, np.ndarray] = field(repr=False)
    per_class: Mapping[str, np.ndarray] = field(repr=False)
    cka: Mapping[str, np.ndarray] = field(repr=False)
    full: float
    about: Mapping[str, float]

    @property
    def d(self) -> int:
        """Neurons of the layer."""
        return int(self.about["d"])

    def redundancy(self, measure: str, delta: float, selection: str = "random") -> Redundancy:
        """DR at a share of the full layer's ``accuracy`` or ``cka``."""
        if measure == "cka":
            return diffused_redundancy(self.cka[selection], delta, full=1.0, d=self.d)
        values = self.accuracy[selection]
        return diffused_redundancy(values, delta, full=self.full, d=self.d, sizes=self.sizes[: values.shape[1]])


def point(found: Redundancy) -> Point:
    """DR with its interval, for a figure."""
    return Point(found.value, found.low, found.high)


def measure_cell(
    network: Net, job: Task, layer: Layer, *, probe: str, selections: Sequence[str], seeds: Sequence[int], fractions: Sequence[float]
) -> Cell:
    """Measure one net on one task, and let go of its features."""
    found = {name: layer.probe(probe, name, seeds, fractions) for name in selections}
    cell = Cell(
        network,
        job,
        sizes=np.asarray(sizes_of(fractions, layer.d)) if probe == "logistic" else np.arange(1, layer.d + 1),
        accuracy={name: one["accuracy"] for name, one in found.items()},
        per_class={name: one["per_class"] for name, one in found.items() if "per_class" in one},
        cka={name: layer.cka(name, seeds) for name in selections},
        full=layer.full(probe),
        about=layer.about(),
    )
    layer.release()
    return cell


def measure_cells(study: Session, *, probe: str, selections: Sequence[str], seeds: Sequence[int], fractions: Sequence[float]) -> list[Cell]:
    """Every net of a notebook on every task."""
    return [
        measure_cell(network, job, layer, probe=probe, selections=selections, seeds=seeds, fractions=fractions)
        for network, job, layer in study.layers()
    ]


def nets_table(nets: Sequence[Net]) -> pd.DataFrame:
    """What is known of each net's pre-training."""
    rows = []
    threats = list(dict.fromkeys(threat for net in nets for threat in net.origin.robust_top1))
    for net in nets:
        origin = net.origin
        row: dict[str, Any] = {
            "net": net.name,
            "loss": origin.loss,
            "upstream": origin.upstream,
            "d": net.d,
            "top-1": origin.top1 if origin.top1 is not None else float("nan"),
        }
        row |= {f"under {threat.replace('_', ' ')}": origin.robust_top1.get(threat, float("nan")) for threat in threats}
        rows.append({**row, "images/s": "–" if origin.speed is None else f"{origin.speed:.0f}"})
    return pd.DataFrame(rows)


def cells_table(cells: Sequence[Cell], deltas: Sequence[float]) -> pd.DataFrame:
    """DR of every cell, selection, measure and delta, with what is known of the net: one row each."""
    rows = []
    for cell in cells:
        origin = cell.net.origin
        for selection in cell.accuracy:
            for measure in MEASURES:
                for delta in deltas:
                    found = cell.redundancy(measure, delta, selection)
                    rows.append(
                        {
                            "net": cell.net.name, "task": cell.task.title, "loss": origin.loss, "upstream": origin.upstream,
                            "family": origin.family, "pretraining_seed": origin.seed, "d": cell.d, "selection": selection, "measure": measure,
                            "delta": delta, "DR": found.value, "low": found.low, "high": found.high, "k": found.k, "seeds": found.seeds,
                            "full_accuracy": cell.full, "r": cell.about["diagonal_share"],
                        }
                    )  # fmt: skip
    return pd.DataFrame(rows)


def results_of(cells: Cells, delta: float) -> dict[str, float]:
    """Key numbers: DR by measure, net and task."""
    return {
        f"DR({delta:g}) of {measure}, {cell.net.name}, {cell.task.name}": cell.redundancy(measure, delta).value
        for cell in cells.all
        for measure in MEASURES
    }


def shown_cells(cells: Sequence[Cell], delta: float) -> pd.DataFrame:
    """For reading: one row a net, and by task the full layer's accuracy, DR of accuracy and DR of CKA of random neurons."""
    rows: dict[str, dict[str, Any]] = {}
    for cell in cells:
        found = [cell.redundancy(measure, delta) for measure in MEASURES]
        told = ["not reached" if one.k is None else f"{one.value:.3f}" for one in found]
        row = rows.setdefault(cell.net.name, {"net": cell.net.name, "d": cell.d})
        row[f"{cell.task.title}: full"] = f"{cell.full:.1%}"
        row["DR of accuracy, CKA" + " " * sum(name.startswith("DR") for name in row)] = " ".join(told)
    return pd.DataFrame(rows.values())


@dataclass(frozen=True)
class Grouping:
    """Nets that differ in one trait (and seeds), by the trait's value; the first group is the reference.

    Attributes
    ----------
    trait : str
    groups : mapping from a label to nets
    """

    trait: str
    groups: Mapping[str, Sequence[Net]]

    @property
    def reference(self) -> str:
        """The label of the reference group."""
        return next(iter(self.groups))

    @property
    def others(self) -> list[str]:
        """The other labels."""
        return list(self.groups)[1:]


TRAITS: dict[str, Callable[[Net], Any]] = {
    "loss": lambda net: net.origin.loss if net.origin.loss != "unknown" else net.name,
    "upstream": lambda net: net.origin.upstream,
    "width": lambda net: net.d,
    "family": lambda net: net.origin.family,
}
"""What nets are compared by."""


def grouped(nets: Sequence[Net], trait: str, *, free: Sequence[str] = ()) -> Grouping:
    """The nets that share all other traits with the first one, by the value of a trait.

    Parameters
    ----------
    nets : sequence of Net
        The first is the reference.
    trait : str
        A name in :data:`TRAITS`.
    free : sequence of str
        Further traits that may differ.
    """
    if trait not in TRAITS or not set(free) <= set(TRAITS):
        raise InputError(f"traits are {', '.join(TRAITS)}, not {trait!r} and {list(free)!r}")
    fixed = [one for one in TRAITS if one != trait and one not in free]
    groups: dict[str, list[Net]] = {}
    for net in nets:
        if all(TRAITS[one](net) == TRAITS[one](nets[0]) for one in fixed):
            groups.setdefault(str(TRAITS[trait](net)), []).append(net)
    return Grouping(trait, groups)


@dataclass(frozen=True)
class Cells:
    """Cells by net and task."""

    all: Sequence[Cell]

    @cached_property
    def _index(self) -> dict[tuple[str, str], Cell]:
        return {(cell.net.name, cell.task.name): cell for cell in self.all}

    def of(self, net: Net, task: Task) -> Cell:
        """The cell of a net on a task."""
        return self._index[net.name, task.name]

    @cached_property
    def tasks(self) -> list[Task]:
        """The tasks, in order."""
        return list({cell.task.name: cell.task for cell in self.all}.values())

    @cached_property
    def nets(self) -> list[Net]:
        """The nets, in order."""
        return list({cell.net.name: cell.net for cell in self.all}.values())

    def points(self, nets: Sequence[Net], task: Task, measure: str, delta: float) -> list[Point]:
        """DR of some nets on a task, with intervals."""
        return [point(self.of(net, task).redundancy(measure, delta)) for net in nets]

    def panels(self, grouping: Grouping, measure: str, delta: float) -> list[tuple[str, list[tuple[str, list[Point]]]]]:
        """What :func:`figures.groups_figure` draws."""
        return [(task.title, [(label, self.points(nets, task, measure, delta)) for label, nets in grouping.groups.items()]) for task in self.tasks]


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


def difference(cells: Cells, grouping: Grouping, group: str, against: str, task: Task, measure: str, delta: float) -> Difference:
    """Compare two groups: clear only if the intervals of all nets of one lie above those of all of the other."""
    ours, theirs = (cells.points(grouping.groups[name], task, measure, delta) for name in (group, against))
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


def differences(cells: Cells, grouping: Grouping, pairs: Sequence[tuple[str, str]], delta: float, measures: Sequence[str] = ()) -> list[Difference]:
    """Pairs of groups compared on every task, for every measure."""
    return [
        difference(cells, grouping, group, against, task, measure, delta)
        for group, against in pairs
        for measure in (measures or MEASURES)
        for task in cells.tasks
    ]


def differences_table(found: Sequence[Difference]) -> pd.DataFrame:
    """For reading: one row a pair and measure, one column a task."""
    words = {"above": "higher", "below": "lower", "overlap": "no clear difference", "unknown": "no interval"}
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for one in found:
        row = rows.setdefault((f"{one.group} against {one.against}", MEASURES[one.measure]), {})
        row[one.task] = f"{words[one.outcome]} ({one.gap:+.3f})"
    return pd.DataFrame([{"groups": pair, "DR of": measure, **row} for (pair, measure), row in rows.items()])


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
        return [f"{one.group} on {one.task} ({MEASURES[one.measure]}, {one.gap:+.3f})" for one in found if one.outcome == outcome]

    as_said, against, open_ = where(expected), where(opposite), where("overlap") + where("unknown")
    told = [f"{what}: of {len(found)} comparisons of DR({delta:g}), {len(as_said)} are clearly {words[expected]}"]
    told.append(f"{len(against)} clearly {words[opposite]}" + (f": {_some(against)}" if against else ""))
    told.append(f"{len(open_)} open, intervals overlapping" + (f": {_some(open_)}" if open_ else ""))
    passed = [True] * len(as_said) + [False] * len(against)
    return judge_with_doubt(passed, len(open_), "; ".join(told) + ".")


def _some(parts: Sequence[str], most: int = 4) -> str:
    return listed(parts) if len(parts) <= most else ", ".join(parts[:most]) + f" and {len(parts) - most} more (see the table)"


def read_groups(cells: Cells, grouping: Grouping, measure: str, delta: float) -> str:
    """One sentence on a figure of groups: where DR is highest and lowest, and how far seeds of one group are apart."""
    if len(grouping.groups) < 2:
        return f"NETS holds no two nets that differ in {grouping.trait} only: there is nothing to compare."
    told, spreads, spans = [], [], []
    for task in cells.tasks:
        means = {label: float(np.mean([one.value for one in cells.points(nets, task, measure, delta)])) for label, nets in grouping.groups.items()}
        means = {label: value for label, value in means.items() if value == value}
        if len(means) < 2:
            continue
        top, bottom = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
        spans.append(means[top] - means[bottom])
        told.append(f"on {task.title} from {means[bottom]:.2f} ({bottom}) to {means[top]:.2f} ({top})")
        for nets in grouping.groups.values():
            values = [one.value for one in cells.points(nets, task, measure, delta)]
            if len(values) > 1 and not np.isnan(values).any():
                spreads.append(max(values) - min(values))
    if not told:
        return f"Too few nets reach {delta:.0%} of the full layer's {MEASURES[measure]} to compare."
    text = f"**What to see:** DR({delta:g}) of {MEASURES[measure]} by {grouping.trait} goes {listed(told)}"
    if spreads:
        text += f". Nets that differ in their seed only are {np.mean(spreads):.3f} apart on average ({max(spreads):.3f} at most)"
        ratio = np.mean(spans) / np.mean(spreads) if np.mean(spreads) > 0 else float("inf")
        text += f", so the range over groups is {'about as large as' if ratio < 1.5 else f'{ratio:.1f} times'} what chance does to two nets"
    return text + "."


def strength_series(cells: Cells, grouping: Grouping, prefix: str, measure: str, delta: float) -> list[tuple[str, list[Series]]]:
    """DR against the strength of a loss that comes in several, with the reference group at the left."""
    labels = [label for label in grouping.groups if label.startswith(prefix)]
    labels.sort(key=lambda label: grouping.groups[label][0].origin.strength or 0.0)
    rows = []
    for task in cells.tasks:
        x, points = [], []
        for place, label in enumerate([grouping.reference, *labels]):
            for one in cells.points(grouping.groups[label], task, measure, delta):
                x.append(float(place))
                points.append(one)
        rows.append((task.title, [Series(MEASURES[measure], x, points, look=list(MEASURES).index(measure))]))
    return rows


def read_strengths(cells: Cells, grouping: Grouping, prefix: str, delta: float) -> str:
    """One sentence on a loss that comes in strengths: DR without it and at its strongest, by task."""
    labels = [label for label in grouping.groups if label.startswith(prefix)]
    strongest = max(labels, key=lambda label: grouping.groups[label][0].origin.strength or 0.0)
    told = []
    for measure, words in MEASURES.items():
        moves = []
        for task in cells.tasks:
            before, after = (
                float(np.mean([one.value for one in cells.points(grouping.groups[label], task, measure, delta)]))
                for label in (grouping.reference, strongest)
            )
            moves.append(f"from {before:.2f} to {after:.2f} on {task.title}")
        told.append(f"DR({delta:g}) of {words} goes {listed(moves)}")
    return f"**What to see:** from {grouping.reference} training to {strongest}, {'; '.join(told)}."


def by_size(grouping: Grouping) -> list[str]:
    """Labels of upstream sets, from the fewest pictures to the most; sets of unknown size are left out."""
    sizes = {label: nets[0].origin.images for label, nets in grouping.groups.items()}
    return sorted((label for label, size in sizes.items() if size is not None), key=lambda label: sizes[label] or 0)


def spaced_ticks(widths: Sequence[int], factor: float = 1.3) -> list[tuple[float, str]]:
    """Ticks for some widths on a log axis; of two closer than a factor the first only."""
    kept: list[int] = []
    for width in sorted(widths):
        if not kept or width >= factor * kept[-1]:
            kept.append(width)
    return [(float(width), str(width)) for width in kept]


def read_widths(cells: Cells, grouping: Grouping, delta: float) -> str:
    """One sentence on width: DR and the neurons needed at the narrowest and the widest layer."""
    labels = sorted(grouping.groups, key=int)
    if len(labels) < 2:
        return "NETS holds no two nets that differ in width only."
    told = []
    for task in cells.tasks:
        ends = []
        for label in (labels[0], labels[-1]):
            found = [cells.of(net, task).redundancy("accuracy", delta) for net in grouping.groups[label]]
            needed = [one.k for one in found if one.k is not None]
            ends.append((np.mean([one.value for one in found]), np.mean(needed) if needed else float("nan")))
        (before, fewer), (after, more) = ends
        told.append(f"on {task.title} from {before:.2f} to {after:.2f}, while the neurons needed go from {fewer:.0f} to {more:.0f}")
    return f"**What to see:** from {labels[0]} to {labels[-1]} neurons, DR({delta:g}) of accuracy goes {'; '.join(told)}."


def width_series(cells: Cells, grouping: Grouping, value: Callable[[Cell], Point]) -> list[tuple[str, list[Series]]]:
    """A value against width, one line a family, for each task; nets of one family and width are averaged."""
    rows = []
    for task in cells.tasks:
        lines = []
        for look, (family, nets) in enumerate(grouping.groups.items()):
            found: dict[int, list[Point]] = {}
            for net in sorted(nets, key=lambda one: one.d):
                found.setdefault(net.d, []).append(value(cells.of(net, task)))
            points = [Point(*(float(np.mean([getattr(one, name) for one in some])) for name in ("value", "low", "high"))) for some in found.values()]
            lines.append(Series(family.replace("_", " "), [float(d) for d in found], points, look=look))
        rows.append((task.title, lines))
    return rows


def neurons_needed(delta: float) -> Callable[[Cell], Point]:
    """The number of random neurons that keeps a share of the full layer's accuracy, with its interval."""

    def value(cell: Cell) -> Point:
        found = cell.redundancy("accuracy", delta)
        return Point(*((1 - end) * found.d for end in (found.value, found.high, found.low)))

    return value


@dataclass(frozen=True)
class Front:
    """The Pareto front of a task: how much of the layer can go, and what accuracy is left, over all nets and sizes.

    Attributes
    ----------
    task : Task
    dropped, accuracy : ndarray (m,)
        Of the points on the front, by rising share dropped.
    nets : list of str
        Whose point each is.
    """

    task: Task
    dropped: np.ndarray
    accuracy: np.ndarray
    nets: list[str]


def front(cells: Cells, task: Task, selection: str = "random") -> Front:
    """The front of mean accuracy against the share of neurons dropped, over all nets and sizes."""
    dropped, accuracy, names = [], [], []
    for net in cells.nets:
        cell = cells.of(net, task)
        values = cell.accuracy[selection].mean(0)
        dropped.append(1 - cell.sizes[: len(values)] / cell.d)
        accuracy.append(values)
        names += [net.name] * len(values)
    gain, kept = np.concatenate(dropped), np.concatenate(accuracy)
    on = pareto_front(gain, kept)
    return Front(task, gain[on], kept[on], [names[i] for i in on])


def fronts_figure_data(cells: Cells, fronts: Sequence[Front], named: Mapping[str, str]) -> list[tuple[str, list[Trade], np.ndarray, np.ndarray]]:
    """What :func:`figures.trade_figure` draws; ``named`` gives nets to be drawn in colour a label."""
    labels = list(dict.fromkeys(named.values()))
    panels = []
    for one in fronts:
        lines = []
        for net in cells.nets:
            cell = cells.of(net, one.task)
            values = cell.accuracy["random"].mean(0)
            label = named.get(net.name)
            lines.append(Trade(label or "", 1 - cell.sizes[: len(values)] / cell.d, values, None if label is None else labels.index(label)))
        panels.append((one.task.title, lines, one.dropped, one.accuracy))
    return panels


def fronts_table(fronts: Sequence[Front]) -> pd.DataFrame:
    """Every point of every front."""
    frames = [pd.DataFrame({"task": one.task.title, "share_dropped": one.dropped, "accuracy": one.accuracy, "net": one.nets}) for one in fronts]
    return pd.concat(frames, ignore_index=True)


def read_fronts(fronts: Sequence[Front]) -> str:
    """What the fronts cost: the accuracy that is left when half and nine tenths of a layer go, by task."""
    told = []
    for one in fronts:
        best = float(one.accuracy.max())
        left = {}
        for share in (0.5, 0.9):
            beyond = one.dropped >= share
            left[share] = float(one.accuracy[beyond].max()) if beyond.any() else float("nan")
        ends = f"{left[0.5]:.1%} with half dropped, {left[0.9]:.1%} with nine tenths dropped"
        told.append(f"{one.task.title}: {best:.1%} with any number of neurons, {ends}")
    return "**What to see:** the best any of these nets does. " + "; ".join(told) + "."
