"""Structured and diffused redundancy side by side: nested (MRL) layers, their prefixes, and random
neurons.

Nets are told apart by their pre-training loss: MRL and MRL-E nets are measured on their nested
prefix and on random neurons, fixed-feature (FF) nets on the features their head was trained on, all
others on random neurons and, as a control, on an arbitrary prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..experiment.measurements import MEASURES, TRAITS, Cells
from ..nets.networks import Net
from ..tasks import Task
from .claims import Verdict, judge_with_doubt
from .figure_data import LOOKS, Line, Look, Panel
from .pretraining import Difference
from .probing import listed

if TYPE_CHECKING:
    from ..session import Session


FIXED = "FF (a net for each k)"


def is_nested(net: Net) -> bool:
    """Whether a net was trained for nested representations."""
    return net.origin.loss.startswith("MRL")


def is_fixed(net: Net) -> bool:
    """Whether a net's head was trained on its first features only."""
    return net.origin.loss.startswith("FF ")


def fixed_size(net: Net) -> int:
    """The number of features a fixed-feature net was trained on."""
    return int(net.origin.loss.removeprefix("FF "))


@dataclass(frozen=True)
class Variant:
    """One way of keeping k neurons of one kind of net.

    Attributes
    ----------
    label : str
    nets : sequence of Net
        Nets that differ in their seed only; values are pooled over them and the seeds of the
        selection.
    selection : str
    sizes : tuple of int
        Where to read it; empty for every size.
    """

    label: str
    nets: Sequence[Net] = field(repr=False)
    selection: str
    sizes: tuple[int, ...] = ()


def lines(nets: Sequence[Net]) -> list[Variant]:
    """What to draw for some nets: prefixes and random neurons by loss, and one line of
    fixed-feature points.
    """
    by_loss: dict[str, list[Net]] = {}
    for net in nets:
        alike = (net.origin.family, net.d) == (nets[0].origin.family, nets[0].d)
        other = "" if alike else f" ({net.origin.family.replace('_', ' ')}, {net.d})"
        by_loss.setdefault(TRAITS["loss"](net) + other, []).append(net)
    drawn = [
        Variant(f"{loss}, nested prefix", some, "first")
        for loss, some in by_loss.items()
        if is_nested(some[0])
    ]
    drawn += [
        Variant(f"{loss}, random", some, "random")
        for loss, some in by_loss.items()
        if not is_fixed(some[0])
    ]
    plain = next(
        (
            loss
            for loss, some in by_loss.items()
            if not is_nested(some[0]) and not is_fixed(some[0])
        ),
        None,
    )
    if plain is not None:
        drawn.append(Variant(f"{plain}, first k", by_loss[plain], "first"))
    return drawn


def plain_line(known: Sequence[Variant]) -> Variant | None:
    """Random neurons of the first loss that is neither nested nor fixed."""
    return next(
        (line for line in known if line.selection == "random" and not is_nested(line.nets[0])), None
    )


def _mean(cells: Cells, line: Variant, task: Task) -> tuple[np.ndarray, np.ndarray]:
    steps, found = values(cells, line, task, "accuracy")
    return steps, found.mean(0)


def values(cells: Cells, line: Variant, task: Task, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Sizes (s,) and values (nets x seeds, s) of a line; nets of one line must have equal
    widths.
    """
    parts = []
    for net in line.nets:
        cell = cells.of(net, task)
        parts.append(
            cell.cka[line.selection] if measure == "cka" else cell.accuracy[line.selection]
        )
    steps = (
        np.arange(1, parts[0].shape[1] + 1)
        if measure == "cka"
        else cells.of(line.nets[0], task).sizes
    )
    return steps[: parts[0].shape[1]], np.concatenate(parts)


def fixed_points(cells: Cells, task: Task, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Of each fixed-feature net the value at its own size: sizes (m,) and values (1, m)."""
    found = []
    for net in cells.nets:
        if is_fixed(net):
            cell = cells.of(net, task)
            curve = cell.cka["first"] if measure == "cka" else cell.accuracy["first"]
            steps = np.arange(1, curve.shape[1] + 1) if measure == "cka" else cell.sizes
            at = np.flatnonzero(steps == fixed_size(net))
            if len(at):
                found.append((fixed_size(net), float(curve[:, at[0]].mean())))
    found.sort()
    return np.array([k for k, _ in found], dtype=int), np.array([[value for _, value in found]])


def panels(cells: Cells, measure: str) -> list[Panel]:
    """One plot a task: every line, and the fixed-feature points.

    Accuracies are drawn in points above or below the mean of random neurons of the first net that
    is neither nested nor fixed, where there is one: the curves themselves nearly coincide.
    """
    known = lines(cells.nets)
    plain = plain_line(known) if measure == "accuracy" else None
    drawn = []
    for task in cells.tasks:
        curves = []
        base = (
            None
            if plain is None
            else dict(zip(*(part.tolist() for part in _mean(cells, plain, task)), strict=True))
        )

        def relative(
            steps: np.ndarray, found: np.ndarray, base: dict[int, float] | None = base
        ) -> tuple[np.ndarray, np.ndarray]:
            if base is None:
                return steps, found
            common = np.array([k in base for k in steps], dtype=bool)
            steps, found = steps[common], found[:, common]
            return steps, 100 * (found - np.array([base[k] for k in steps.tolist()]))

        for i, line in enumerate(known):
            if base is not None and line.selection == "first" and not is_nested(line.nets[0]):
                continue  # an arbitrary prefix is as good as random neurons: the table has it
            steps, found = relative(*values(cells, line, task, measure))
            look: Look = LOOKS[i % len(LOOKS)]
            curves.append(
                Line(
                    line.selection, steps, found, marked=len(steps) < 40, name=line.label, look=look
                )
            )
        steps, found = relative(*fixed_points(cells, task, measure))
        if (
            len(steps) and measure != "cka"
        ):  # the full layer of such a net is not what it was trained for
            curves.append(
                Line(
                    "first",
                    steps,
                    found,
                    marked=True,
                    name="FF, trained at each size",
                    look=(7, "", "X"),
                    joined=False,
                )
            )
        drawn.append(
            Panel(
                task.title, max(cell.d for cell in cells.all if cell.task.name == task.name), curves
            )
        )
    return drawn


def curves_table(cells: Cells) -> pd.DataFrame:
    """Every line at every size: the mean, least and largest value over nets and seeds."""
    rows = []
    for measure in MEASURES:
        for task in cells.tasks:
            for line in lines(cells.nets):
                steps, found = values(cells, line, task, measure)
                frame = pd.DataFrame(
                    {
                        "k": steps,
                        "mean": found.mean(0),
                        "least": found.min(0),
                        "largest": found.max(0),
                    }
                )
                rows.append(frame.assign(task=task.title, line=line.label, measure=measure))
            steps, found = fixed_points(cells, task, measure)
            frame = pd.DataFrame(
                {"k": steps, "mean": found[0], "least": found[0], "largest": found[0]}
            )
            rows.append(frame.assign(task=task.title, line="FF", measure=measure))
    return pd.concat(rows, ignore_index=True)[
        ["measure", "task", "line", "k", "mean", "least", "largest"]
    ]


def prefix_table(nets: Sequence[Net]) -> pd.DataFrame:
    """Upstream top-1 of heads on the first k features, by k: nested nets, and the fixed-feature net
    of each size.
    """
    columns: dict[str, dict[int, list[float]]] = {}
    for net in nets:
        name, known = (FIXED if is_fixed(net) else net.origin.loss), net.origin.top1_by_prefix
        if is_fixed(net) and not known and net.origin.top1 is not None:
            known = {fixed_size(net): net.origin.top1}
        for k, value in known.items():
            columns.setdefault(name, {}).setdefault(k, []).append(value)
    first = next((net for net in nets if is_fixed(net)), None)
    for net in nets:  # of all features, the standard net of their kind is the baseline
        if (
            FIXED not in columns
            or first is None
            or net.origin.loss != "standard"
            or net.origin.top1 is None
        ):
            continue
        if all(trait(net) == trait(first) for name, trait in TRAITS.items() if name != "loss"):
            columns[FIXED].setdefault(net.d, []).append(net.origin.top1)
    sizes = sorted({k for found in columns.values() for k in found})
    if not sizes:
        return pd.DataFrame({"note": ["no net among NETS has heads on prefixes"]})
    rows = [
        {
            "k": k,
            **{
                name: float(np.mean(found[k])) if k in found else float("nan")
                for name, found in columns.items()
            },
        }
        for k in sizes
    ]
    return pd.DataFrame(rows)


def leading_variance(study: Session, k: int) -> pd.DataFrame:
    """The share of a layer's variance that its first k features hold, on train images of the first
    task: nested nets and the first other.
    """
    rows = []
    plain = next((net for net in study.nets if not is_nested(net) and not is_fixed(net)), None)
    for name, net in study.titles().items():
        if is_nested(net) or net is plain:
            layer = study.layer(net, study.tasks[0])
            variances = layer.arrays[0].var(0)
            share = float(variances[:k].sum() / variances.sum())
            rows.append(
                {
                    "net": name,
                    f"share of the first {k}": f"{share:.1%}",
                    "if all were alike": f"{k / net.d:.1%}",
                }
            )
            layer.release()
    return pd.DataFrame(rows) if rows else pd.DataFrame({"note": ["no nested net among NETS"]})


def prefix_gain(cells: Cells, sizes: Sequence[int]) -> pd.DataFrame:
    """Probe accuracy on nested prefixes, less that on the arbitrary prefix of the first other net,
    in points, by task and k.
    """
    known = {line.label: line for line in lines(cells.nets)}
    plain = next((line for label, line in known.items() if label.endswith("first k")), None)
    rows = []
    for task in cells.tasks:
        for label, line in known.items():
            if plain is None or not label.endswith("nested prefix"):
                continue
            steps, ours = values(cells, line, task, "accuracy")
            their_steps, theirs = values(cells, plain, task, "accuracy")
            gains = {}
            for k in sizes:
                a, b = np.flatnonzero(steps == k), np.flatnonzero(their_steps == k)
                if len(a) and len(b):
                    gains[f"k = {k}"] = 100 * float(ours[:, a[0]].mean() - theirs[:, b[0]].mean())
            rows.append({"task": task.title, "prefix of": label.partition(",")[0], **gains})
    return (
        pd.DataFrame(rows)
        if rows
        else pd.DataFrame({"note": ["it takes a nested net and another one to compare prefixes"]})
    )


def describe_prefix_gain(table: pd.DataFrame) -> str:
    """One sentence on what nested training does for the prefix."""
    columns = [name for name in table.columns if name.startswith("k = ")]
    if not columns:
        return "There is nothing to compare."
    small = table[columns[0]]
    least, most = float(table[columns].to_numpy().min()), float(table[columns].to_numpy().max())
    ahead = (
        "is ahead in every case"
        if (small > 0).all()
        else "is behind in every case"
        if (small < 0).all()
        else "is ahead in some cases only"
    )
    return (
        f"**What to see:** at {columns[0]} the nested prefix {ahead}, by {small.min():+.1f} to "
        f"{small.max():+.1f} points; "
        f"over all sizes above, the gain is {least:+.1f} to {most:+.1f} points."
    )


def in_points(table: pd.DataFrame) -> pd.DataFrame:
    """A table with its gains written as signed points."""
    shown = table.copy()
    for name in [name for name in table.columns if name.startswith(("k = ", "largest gap"))]:
        shown[name] = [f"{value:+.1f}" for value in table[name]]
    return shown


def describe_similarity(cells: Cells, delta: float) -> str:
    """One sentence: how many neurons each way needs for a CKA of delta, averaged over tasks' nets
    and seeds.
    """
    told = []
    for task in cells.tasks:
        parts = []
        for line in lines(cells.nets):
            if line.selection == "first" and not is_nested(line.nets[0]):
                continue
            steps, found = values(cells, line, task, "cka")
            enough = np.flatnonzero(found.mean(0) >= delta)
            parts.append(f"{steps[enough[0]]} ({line.label})")
        told.append(f"on {task.title} {listed(parts)}")
    return (
        f"**What to see:** the neurons it takes for a CKA of {delta:g} with the whole "
        f"layer: {'; '.join(told)}."
    )


def approach(cells: Cells, margin: float = 0.01) -> pd.DataFrame:
    """From which k on random neurons of a nested layer are within a margin of its own prefix, by
    task.
    """
    rows = []
    for task in cells.tasks:
        for line in lines(cells.nets):
            if line.selection != "first" or not is_nested(line.nets[0]):
                continue
            steps, prefix = values(cells, line, task, "accuracy")
            _, random = values(cells, Variant("", line.nets, "random"), task, "accuracy")
            gap = prefix.mean(0)[: random.shape[1]] - random.mean(0)[: prefix.shape[1]]
            apart = np.flatnonzero(np.abs(gap) > margin)
            within = (
                len(gap)
                if len(apart) and apart[-1] + 1 >= len(gap)
                else int(apart[-1]) + 1
                if len(apart)
                else 0
            )
            rows.append(
                {
                    "task": task.title,
                    "net": line.label.partition(",")[0],
                    "largest gap, points": 100 * float(gap[np.abs(gap).argmax()]),
                    "at k": int(steps[np.abs(gap).argmax()]),
                    f"within {100 * margin:g} point from k": str(int(steps[within]))
                    if within < len(gap)
                    else "never",
                    "d": cells.of(line.nets[0], task).d,
                }
            )
    return pd.DataFrame(rows) if rows else pd.DataFrame({"note": ["no nested net among NETS"]})


def describe_approach(table: pd.DataFrame) -> str:
    """One sentence on how random neurons of a nested layer approach its prefix."""
    if "task" not in table:
        return "No nested net was measured."
    column = next(name for name in table.columns if name.startswith("within"))
    told = [
        f"on {row['task']} ({row['net']}) {row['largest gap, points']:+.1f} points at k = "
        f"{row['at k']}, "
        + (
            f"within a point from k = {row[column]} on"
            if row[column] != "never"
            else "never within a point for good"
        )
        for _, row in table.iterrows()
    ]
    return (
        "**What to see:** accuracy on the nested prefix less that on random neurons of the "
        "same layer, where they differ "
        f"most: {'; '.join(told)}."
    )


def still_redundant(cells: Cells, found: Sequence[Difference], delta: float) -> Verdict:
    """Claim 7: random neurons of nested layers keep more than independent neurons would, but less
    than those of other losses.

    Independent neurons of equal variance have DR(delta) = 1 - delta^2 of CKA; what is above is
    redundancy.
    """
    nested = [cell for cell in cells.all if is_nested(cell.net)]
    if not nested:
        return Verdict("undecided", "No net among NETS was trained for nested representations.")
    floor = 1 - delta**2
    redundant, told, undecided = [], [], 0
    for cell in nested:
        one = cell.redundancy("cka", delta)
        if one.low != one.low:
            undecided += 1
        else:
            redundant.append(bool(one.low > floor))
        told.append(one.value)
    words = (
        f"DR({delta:g}) of CKA of random neurons in nested layers is {min(told):.2f} to "
        f"{max(told):.2f}, where independent neurons of equal variance "
        f"would have {floor:.2f}: "
        f"{'' if redundant and all(redundant) else 'not '}above it in every case."
    )
    lower = [one.outcome == "below" for one in found if one.outcome in ("above", "below")]
    open_ = sum(one.outcome in ("overlap", "unknown") for one in found)
    for measure, name in MEASURES.items():
        some = [one.outcome for one in found if one.measure == measure]
        if some:
            below, above = some.count("below"), some.count("above")
            words += (
                f" DR of {name} against other losses: of {len(some)} comparisons {below} "
                f"clearly lower, {above} "
                "clearly higher, "
            )
            words += f"{len(some) - below - above} open (intervals overlap)."
    return judge_with_doubt([*redundant, *lower], undecided + open_, words)
