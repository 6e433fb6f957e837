"""Structured and diffused redundancy side by side: nested (MRL) layers, their prefixes, and random
neurons.

Networks are told apart by their pre-training loss: MRL and MRL-E networks are measured on their
nested prefix and on random neurons, fixed-feature (FF) networks on the features their head was
trained on, all others on random neurons and, as a control, on an arbitrary prefix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..experiment.measurements import COMPARED, Measurements
from ..experiment.traits import TRAITS, alike
from ..measures.curves import MEASURES, Curve
from ..nets.names import titles
from ..nets.networks import Net
from ..tasks import Task
from ..uncertainty.comparison import Comparison, compare, corrected, mean_with_interval
from .claims import Verdict
from .comparisons import (
    Difference,
    differences,
    judged,
    outcome_of_all,
    redundancies,
    verdict_on,
)
from .figure_data import Line, Panel
from .grouping import Grouping, grouped
from .phrases import listed, with_interval
from .pretraining import Bands

FIXED = "FF (a net for each k)"
"""The column of fixed-feature networks in tables."""

FIXED_LOOK = 8
"""The look of their points in figures."""


def is_nested(net: Net) -> bool:
    """Whether a network was trained for nested representations."""
    return net.origin.loss.startswith("MRL")


def is_fixed(net: Net) -> bool:
    """Whether a network's head was trained on its first features only."""
    return net.origin.loss.startswith("FF ")


def is_plain(net: Net) -> bool:
    """Whether a network's head was trained on the whole layer only."""
    return not is_nested(net) and not is_fixed(net)


def fixed_size(net: Net) -> int:
    """The number of features a fixed-feature network was trained on."""
    return int(net.origin.loss.removeprefix("FF "))


def grouped_by_loss(nets: Sequence[Net]) -> Grouping:
    """The networks by loss, without those of fixed features."""
    return grouped([net for net in nets if not is_fixed(net)], "loss")


@dataclass(frozen=True)
class PooledSelection:
    """Neurons of networks of one loss, chosen in one way.

    Attributes
    ----------
    loss : str
        With family and width, where these are not those of the first network.
    nets : sequence of Net
        Networks of equal width that differ in their seed only; values are pooled over them and the
        seeds of the selection.
    selection : str
        ``random`` or ``first``.
    """

    loss: str
    nets: Sequence[Net] = field(repr=False)
    selection: str

    @property
    def label(self) -> str:
        """What figures and tables call it."""
        if self.selection == "random":
            return f"{self.loss}, random"
        return f"{self.loss}, {'nested prefix' if self.nested_prefix else 'first k'}"

    @property
    def nested_prefix(self) -> bool:
        """Whether these are the neurons that shorter heads were trained on."""
        return self.selection == "first" and is_nested(self.nets[0])

    @property
    def plain(self) -> bool:
        """Whether the networks are neither nested nor of fixed features."""
        return is_plain(self.nets[0])

    def curve(self, measurements: Measurements, task: Task, measure: str) -> Curve:
        """The curves of all networks as one: (networks x seeds, s)."""
        curves = [measurements.of(net, task).curve(measure, self.selection) for net in self.nets]
        return Curve(
            curves[0].measure,
            self.selection,
            tuple(seed for curve in curves for seed in curve.seeds),
            curves[0].sizes,
            np.concatenate([curve.values for curve in curves]),
            curves[0].d,
            float(np.mean([curve.full for curve in curves])),
        )


def pooled_selections(nets: Sequence[Net]) -> list[PooledSelection]:
    """What is compared: the nested prefixes, random neurons of every loss but fixed features, and
    an arbitrary prefix of the first plain loss.
    """
    by_loss: dict[str, list[Net]] = {}
    for net in nets:
        same_kind = (net.origin.family, net.d) == (nets[0].origin.family, nets[0].d)
        kind = "" if same_kind else f" ({net.origin.family.replace('_', ' ')}, {net.d})"
        by_loss.setdefault(TRAITS["loss"](net) + kind, []).append(net)
    nested = {loss: some for loss, some in by_loss.items() if is_nested(some[0])}
    whole = {loss: some for loss, some in by_loss.items() if not is_fixed(some[0])}
    plain = {loss: some for loss, some in by_loss.items() if is_plain(some[0])}
    return [
        *(PooledSelection(loss, some, "first") for loss, some in nested.items()),
        *(PooledSelection(loss, some, "random") for loss, some in whole.items()),
        *(PooledSelection(loss, some, "first") for loss, some in list(plain.items())[:1]),
    ]


def _first_plain(pooled: Sequence[PooledSelection], selection: str) -> PooledSelection | None:
    """A selection of neurons of the first plain loss."""
    return next((one for one in pooled if one.plain and one.selection == selection), None)


def fixed_points(
    measurements: Measurements, task: Task, measure: str
) -> tuple[np.ndarray, np.ndarray]:
    """Of each fixed-feature network the value at its own size: sizes (m,) and values (1, m)."""
    values = []
    for net in measurements.nets:
        if is_fixed(net):
            curve = measurements.of(net, task).curve(measure, "first")
            if curve.column(fixed_size(net)) is not None:
                values.append((fixed_size(net), float(curve.at(fixed_size(net)).mean())))
    values.sort()
    return np.array([k for k, _ in values], dtype=int), np.array([[value for _, value in values]])


def _gained(
    sizes: np.ndarray, values: np.ndarray, base: Curve | None
) -> tuple[np.ndarray, np.ndarray]:
    """Values (rows, s) in points above the mean of ``base``, at the sizes it has; without it as
    they are.
    """
    if base is None:
        return sizes, values
    common = np.isin(sizes, base.sizes)
    level = base.mean[np.searchsorted(base.sizes, sizes[common])]
    return sizes[common], 100 * (values[:, common] - level)


def panels(measurements: Measurements, measure: str) -> list[Panel]:
    """One plot a task: every selection, and the fixed-feature points.

    Accuracies are drawn in points above or below the mean of random neurons of the first plain
    loss, where there is one: the curves themselves nearly coincide. Then its arbitrary prefix,
    which is as good as random neurons, is left to the table.
    """
    pooled = pooled_selections(measurements.nets)
    plain = _first_plain(pooled, "random") if measure == "accuracy" else None
    panels = []
    for task in measurements.tasks:
        base = None if plain is None else plain.curve(measurements, task, measure)
        lines = []
        for i, one in enumerate(pooled):
            if plain is not None and one.plain and one.selection == "first":
                continue
            curve = one.curve(measurements, task, measure)
            axis, percent = MEASURES[curve.measure].axis, MEASURES[curve.measure].percent
            gained = _gained(curve.sizes, curve.values, base)
            lines.append(
                Line(one.selection, *gained, marked=not curve.exact, name=one.label, look=i)
            )
        sizes, values = _gained(*fixed_points(measurements, task, measure), base)
        if len(sizes) and measure == "accuracy":  # their whole layer is not what they learned
            name = "FF, trained at each size"
            lines.append(Line("first", sizes, values, True, name, FIXED_LOOK, joined=False))
        if base is not None:
            axis, percent = "accuracy gained, points", False
        d = max(one.d for one in measurements.all if one.task.name == task.name)
        panels.append(Panel(task.title, d, lines, axis=axis, percent=percent))
    return panels


def curves_table(measurements: Measurements) -> pd.DataFrame:
    """Every selection at every size: the mean, least and largest value over networks and seeds."""
    frames = []
    for measure in COMPARED:
        for task in measurements.tasks:
            curves = {
                one.label: one.curve(measurements, task, measure)
                for one in pooled_selections(measurements.nets)
            }
            rows = [(label, curve.sizes, curve.values) for label, curve in curves.items()]
            rows.append(("FF", *fixed_points(measurements, task, measure)))
            for label, sizes, values in rows:
                columns = {
                    "measure": measure,
                    "task": task.title,
                    "line": label,
                    "k": sizes,
                    "mean": values.mean(0),
                    "least": values.min(0),
                    "largest": values.max(0),
                }
                frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def prefix_table(nets: Sequence[Net]) -> pd.DataFrame:
    """Upstream top-1 of heads on the first k features, by k: nested networks, and the fixed-feature
    network of each size.
    """
    columns: dict[str, dict[int, list[float]]] = {}
    for net in nets:
        name, known = (FIXED if is_fixed(net) else net.origin.loss), net.origin.top1_by_prefix
        if is_fixed(net) and not known and net.origin.top1 is not None:
            known = {fixed_size(net): net.origin.top1}
        for k, value in known.items():
            columns.setdefault(name, {}).setdefault(k, []).append(value)
    fixed = next((net for net in nets if is_fixed(net)), None)
    if fixed is not None and FIXED in columns:
        for net in nets:  # of all features, the standard network of their kind is the baseline
            standard = net.origin.loss == "standard" and alike(net, fixed, but=["loss"])
            if standard and net.origin.top1 is not None:
                columns[FIXED].setdefault(net.d, []).append(net.origin.top1)
    sizes = sorted({k for column in columns.values() for k in column})
    if not sizes:
        return pd.DataFrame({"note": ["no network among NETS has heads on prefixes"]})
    rows = [
        {
            "k": k,
            **{
                name: float(np.mean(column[k])) if k in column else float("nan")
                for name, column in columns.items()
            },
        }
        for k in sizes
    ]
    return pd.DataFrame(rows)


def nested_and_plain(nets: Sequence[Net]) -> list[Net]:
    """The nested networks and the first plain one."""
    plain = next((net for net in nets if is_plain(net)), None)
    return [net for net in nets if is_nested(net) or net is plain]


def leading_variance(variances: Mapping[str, np.ndarray], k: int) -> pd.DataFrame:
    """The share of a layer's variance that its first k features hold.

    Parameters
    ----------
    variances : mapping from the name of a network to an array (d,)
        Of each neuron; see :func:`~..experiment.measurements.neuron_variances`.
    k : int
    """
    if not variances:
        return pd.DataFrame({"note": ["no nested network among NETS"]})
    rows = [
        {
            "net": title,
            f"share of the first {k}": f"{float(values[:k].sum() / values.sum()):.1%}",
            "if all were alike": f"{k / len(values):.1%}",
        }
        for title, values in zip(titles(list(variances)), variances.values(), strict=True)
    ]
    return pd.DataFrame(rows)


def prefix_gain(measurements: Measurements, sizes: Sequence[int]) -> pd.DataFrame:
    """Probe accuracy on nested prefixes, less that on the arbitrary prefix of the first plain loss,
    in points, by task and k.
    """
    pooled = pooled_selections(measurements.nets)
    plain = _first_plain(pooled, "first")
    nested = [one for one in pooled if one.nested_prefix]
    if plain is None or not nested:
        note = "it takes a nested network and another one to compare prefixes"
        return pd.DataFrame({"note": [note]})
    rows = []
    for task in measurements.tasks:
        theirs = plain.curve(measurements, task, "accuracy")
        for prefix in nested:
            ours = prefix.curve(measurements, task, "accuracy")
            gains = {
                f"k = {k}": 100 * float(ours.at(k).mean() - theirs.at(k).mean())
                for k in sizes
                if ours.column(k) is not None and theirs.column(k) is not None
            }
            rows.append({"task": task.title, "prefix of": prefix.loss, **gains})
    return pd.DataFrame(rows)


def prefix_differences(measurements: Measurements, k: int) -> dict[tuple[str, str], Comparison]:
    """Probe accuracy on the first k features of nested networks against those of the networks of
    the first plain loss, in points, by task and nested loss; corrected for all of them.
    """
    pooled = pooled_selections(measurements.nets)
    plain = _first_plain(pooled, "first")
    nested = [one for one in pooled if one.nested_prefix]
    found = {}
    for task in measurements.tasks:
        for prefix in nested if plain is not None else []:
            values = [
                [100 * float(curve.at(k).mean()) for curve in curves if curve.column(k) is not None]
                for curves in (
                    [measurements.of(net, task).curve("accuracy", "first") for net in one.nets]
                    for one in (prefix, plain)
                    if one is not None
                )
            ]
            found[task.title, prefix.loss] = compare(*values, margin=1.0)
    return dict(zip(found, corrected(list(found.values())), strict=True))


def prefix_gain_at(measurements: Measurements, k: int) -> pd.DataFrame:
    """For reading: what nested training does for the first k features, with its 95% interval over
    pre-training seeds, one row per task and nested loss.
    """
    rows = [
        {
            "task": task,
            "prefix of": loss,
            f"gain at k = {k}, points": _points(one.difference),
            "95% interval": f"{_points(one.low)} to {_points(one.high)}"
            if one.low < one.high
            else "–",
            "judged": one.words,
        }
        for (task, loss), one in prefix_differences(measurements, k).items()
        if one.stated
    ]
    return pd.DataFrame(rows or {"note": ["there is nothing to compare"]})


_JUDGED = {
    "higher": "clearly better",
    "lower": "clearly worse",
    "alike": "no more than a point different",
}
"""What is said of a prefix by the outcome of a comparison."""


def describe_prefix_gain(measurements: Measurements, k: int) -> str:
    """One sentence: where nested training makes the first k features better, and where worse."""
    found = {case: one for case, one in prefix_differences(measurements, k).items() if one.stated}
    if not found:
        return "There is nothing to compare."
    by_outcome: dict[str, list[str]] = {word: [] for word in _JUDGED}
    for (task, loss), one in found.items():
        by_outcome.get(one.outcome, []).append(f"{loss} on {task}")
    told = [
        f"{_JUDGED[outcome]} in {len(cases)} ({listed(cases)})"
        for outcome, cases in by_outcome.items()
        if cases
    ]
    open_ = len(found) - sum(map(len, by_outcome.values()))
    told += [f"open in {open_}"] if open_ else []
    return (
        f"**What to see:** at k = {k}, of {len(found)} cases (tasks and nested losses), the nested "
        f"prefix is {'; '.join(told)}."
    )


def in_points(table: pd.DataFrame) -> pd.DataFrame:
    """A table with its gains written as signed points, and a dash where there is none."""
    shown = table.copy()
    for name in [name for name in table.columns if name.startswith(("k = ", "largest gap"))]:
        shown[name] = [_points(value) if value == value else "–" for value in table[name]]
    return shown


def _points(value: float) -> str:
    """Signed points. One of few test images is often half way between two tenths: then the last
    bits, which depend on how a mean was summed, must not decide.
    """
    return f"{round(value, 9):+.1f}"


Needed = dict[str, tuple[float, float, float]]
"""How many neurons it takes: the mean over networks with its 95% interval, by task."""


def _needed(
    measurements: Measurements, measure: str, delta: float
) -> list[tuple[PooledSelection, Needed]]:
    """How many neurons of each selection it takes for ``cka`` or ``standardized_cka`` of delta; not
    of the arbitrary prefix, which is as good as random neurons.
    """
    rows = []
    for one in pooled_selections(measurements.nets):
        if one.selection == "random" or one.nested_prefix:
            needed: Needed = {}
            for task in measurements.tasks:
                found = [
                    measurements.of(net, task).curve(measure, one.selection).redundancy(delta)
                    for net in one.nets
                ]
                of_each = np.array([(1 - each.value) * each.d for each in found])
                needed[task.title] = mean_with_interval(of_each)
            rows.append((one, needed))
    return rows


def neurons_needed(measurements: Measurements, measure: str, delta: float) -> pd.DataFrame:
    """For reading: the neurons it takes for ``cka`` or ``standardized_cka`` of delta, one row per
    selection and one column per task; the mean over networks with its 95% interval, where there are
    several.
    """
    return pd.DataFrame(
        {"neurons": one.label, **{task: _rounded(*ends) for task, ends in needed.items()}}
        for one, needed in _needed(measurements, measure, delta)
    )


def describe_similarity(measurements: Measurements, measure: str, delta: float) -> str:
    """Sentences on the table of :func:`neurons_needed`: what it takes of the first nested loss on
    the task where it takes most random neurons in the mean, on which tasks it does not take clearly
    fewer, and what of the first plain loss there.
    """
    rows = _needed(measurements, measure, delta)
    random = [(one, needed) for one, needed in rows if one.selection == "random"]
    first = next((pair for pair in random if is_nested(pair[0].nets[0])), random[0])
    task = max(first[1], key=lambda title: first[1][title][0])
    others = [
        f"{_rounded(*needed[task])} neurons of their nested prefix"
        for one, needed in rows
        if one.nested_prefix and one.loss == first[0].loss
    ]
    plain = next((pair for pair in random if pair[0].plain and pair[0] is not first[0]), None)
    if plain is not None:
        others.append(f"{_rounded(*plain[1][task])} random ones of {plain[0].loss} layers")
    apart = _apart_from_others(first[1], task)
    text = (
        f"**What to see:** to reach {delta:g} in {COMPARED[measure]} with the whole layer, it "
        f"takes {_rounded(*first[1][task])} random neurons of {first[0].loss} layers on {task}"
        f"{apart}"
    )
    if others:
        text += f". {f'On {task}' if apart else 'There'} it takes {listed(others)}"
    return f"{text}."


def _apart_from_others(needed: Needed, task: str) -> str:
    """Whether more neurons are needed on a task than on others: by intervals without overlap."""
    others = {title: ends for title, ends in needed.items() if title != task}
    if not others:
        return ""
    _, low, _ = needed[task]
    near = [
        f"the {_rounded(*ends)} on {title}" for title, ends in others.items() if not low > ends[2]
    ]
    if low != low:
        return ", the most of any task (one network)"
    return f", not clearly more than {listed(near)}" if near else ", clearly more than on others"


def _rounded(mean: float, low: float, high: float) -> str:
    return with_interval(mean, low, high, ".0f")


WITHIN = "within 1 point from k"
"""The column that says from which k on two accuracies are at most a point apart."""


def approach(measurements: Measurements) -> pd.DataFrame:
    """From which k on random neurons of a nested layer are within a point of its own prefix, by
    task; the largest gap has a 95% t interval over networks, where there are several.
    """
    rows = []
    for task in measurements.tasks:
        for one in pooled_selections(measurements.nets):
            if not one.nested_prefix:
                continue
            prefix = one.curve(measurements, task, "accuracy")
            random = PooledSelection(one.loss, one.nets, "random").curve(
                measurements, task, "accuracy"
            )
            n = min(len(prefix.sizes), len(random.sizes))
            gap = prefix.mean[:n] - random.mean[:n]
            apart = np.flatnonzero(np.abs(gap) > 0.01)
            within = int(apart[-1]) + 1 if len(apart) else 0
            widest = int(np.abs(gap).argmax())
            of_each = [
                measurement.curve("accuracy", "first").mean[widest]
                - measurement.curve("accuracy").mean[widest]
                for measurement in (measurements.of(net, task) for net in one.nets)
            ]
            _, low, high = mean_with_interval(100 * np.array(of_each))
            rows.append(
                {
                    "task": task.title,
                    "net": one.loss,
                    "largest gap, points": 100 * float(gap[widest]),
                    "largest gap, low": low,
                    "largest gap, high": high,
                    "at k": int(prefix.sizes[widest]),
                    WITHIN: str(int(prefix.sizes[within])) if within < n else "never",
                    "d": prefix.d,
                }
            )
    return pd.DataFrame(rows or {"note": ["no nested network among NETS"]})


def describe_approach(table: pd.DataFrame) -> str:
    """Sentences on how random neurons of a nested layer approach its prefix: the least and the
    largest of the largest gaps, and from which sizes on they are near.
    """
    if "task" not in table:
        return "No nested network was measured."
    gaps = table.sort_values("largest gap, points", kind="stable")
    ends = [_gap(row) for _, row in gaps.iloc[[0, -1]].iterrows()][: len(gaps)]
    near = table[table[WITHIN] != "never"].assign(size=lambda rows: rows[WITHIN].astype(int))
    near = near.sort_values("size", kind="stable")
    sizes = [
        f"k = {row['size']} ({_layer(row)})"
        for _, row in near.iloc[[0, -1][: len(near)]].iterrows()
    ]
    text = (
        "**What to see:** accuracy on the nested prefix less that on random neurons of the same "
        f"layer, at the size where they differ most, is {' to '.join(ends)}."
    )
    if sizes:
        text += f" The two are within a point from {' to '.join(sizes)} on."
    far = [_layer(row) for _, row in table[table[WITHIN] == "never"].iterrows()]
    return f"{text} They are never so for good for {listed(far)}." if far else text


def _layer(row: pd.Series) -> str:
    return f"{row['net']} on {row['task']}"


def _gap(row: pd.Series) -> str:
    """The largest gap, with its interval where there is one, and where it is."""
    low, high = row["largest gap, low"], row["largest gap, high"]
    ends = "one network; " if np.isnan(low) else f"95% interval {low:+.1f} to {high:+.1f}; "
    return f"{row['largest gap, points']:+.1f} points ({ends}{_layer(row)}, at k = {row['at k']})"


def nested_differences(
    measurements: Measurements, by_loss: Grouping, delta: float, bands: Bands | None = None
) -> list[Difference]:
    """DR of every nested loss against every plain one."""
    nested = [label for label, nets in by_loss.groups.items() if is_nested(nets[0])]
    plain = [label for label in by_loss.groups if label not in nested]
    pairs = [(ours, theirs) for ours in nested for theirs in plain]
    return differences(measurements, by_loss, pairs, delta, bands)


def still_redundant(measurements: Measurements, measure: str, delta: float) -> Verdict:
    """Claim 7, first half: random neurons of nested layers keep more ``cka`` (or
    ``standardized_cka``) than independent neurons would, task by task.

    Independent neurons of equal variance have DR(delta) = 1 - delta^2 of CKA; what is above is
    redundancy. A task counts where the 95% t interval over pre-training seeds lies above it for
    *every* nested loss with at least two networks; a loss with one network, which has no interval,
    counts for nothing.
    """
    by_loss: dict[str, list[Net]] = {}
    for net in measurements.nets:
        if is_nested(net):
            by_loss.setdefault(net.origin.loss, []).append(net)
    if not by_loss:
        return Verdict("undecided", "No network among NETS was trained for nested representations.")
    floor = 1 - delta**2
    outcomes, sentences = {}, []
    for task in measurements.tasks:
        words, found = [], []
        for loss, nets in by_loss.items():
            values = redundancies(measurements, nets, task, measure, delta)
            mean, low, high = mean_with_interval(values)
            if low == low:
                words.append(f"{mean:.2f} ({loss}, {low:.2f} to {high:.2f})")
                found.append("higher" if low > floor else "lower" if high < floor else "undecided")
            else:
                words.append(f"{mean:.2f} ({loss}, one network)")
        outcomes[task.title] = outcome_of_all(found or ["no power"], "higher")
        sentences.append(f"on {task.title} {listed(words)}")
    return judged(
        outcomes,
        "higher",
        f"DR({delta:g}) of {COMPARED[measure]}, random neurons in nested layers, with 95% t "
        "intervals over pre-training seeds, where independent neurons of equal variance would have "
        f"{floor:.2f}: "
        f"{'; '.join(sentences)}. A task counts if the interval of every nested loss that has one "
        f"lies above {floor:.2f}.",
    )


OTHERS = ("standard", "adversarial")
"""The losses that claim 7 compares nested ones with, by the start of their labels."""


def less_than_others(differences: Sequence[Difference], measure: str, delta: float) -> Verdict:
    """Claim 7, second half: nested layers have less DR of one measure than layers of the standard
    and adversarial losses, task by task.

    A task counts where every nested loss with power is clearly below each of the others; a nested
    loss of which no comparison has power counts for nothing.
    """
    these = [one for one in differences if one.against.startswith(OTHERS)]
    missing = [loss for loss in OTHERS if not any(one.against.startswith(loss) for one in these)]
    note = 'The claim says "much less": whether it is less is judged, and how much is not.'
    if missing and these:
        note += f" There is no network of {listed(missing)} loss among NETS."
    return verdict_on(
        these,
        "lower",
        "Nested against standard and adversarial losses",
        measure,
        delta,
        rule=_below_each,
        rule_words="a task counts if, for each nested loss with power, every comparison is clear",
        note=note,
    )


def _below_each(differences: Sequence[Difference]) -> str:
    """What comparisons on one task come to, over all nested losses with power."""
    by_loss: dict[str, list[str]] = {}
    for one in differences:
        by_loss.setdefault(one.group, []).append(one.outcome)
    found = [outcome_of_all(some, "lower") for some in by_loss.values()]
    powered = [one for one in found if one not in ("no power", "unknown")]
    return outcome_of_all(powered or found, "lower")
