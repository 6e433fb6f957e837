"""What dropping neurons does to single classes: spread, the classes lost first, and safer choices
of k.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..experiment.measurements import Cell, Cells
from ..experiment.probed_layer import Layer
from ..measure.fairness import (
    coefficient_of_variation,
    expected_gini,
    gini,
    mean_agreement,
    rank_correlation,
    worst,
)
from ..nets.networks import Net
from ..tasks import Task
from .claims import Verdict, interval_of_mean, judge_with_doubt
from .figure_data import LOOKS, STYLES, Line, Panel

if TYPE_CHECKING:
    from ..session import Session


def critical(cell: Cell, delta: float, selection: str = "random") -> int | None:
    """The column of the smallest size at which the mean accuracy keeps a share of the full layer's;
    None if none does.
    """
    found = cell.redundancy("accuracy", delta, selection)
    return None if found.k is None else int(np.flatnonzero(cell.sizes == found.k)[0])


def critical_cells(cells: Cells, net: Net, delta: float) -> Iterator[tuple[Task, Cell, int]]:
    """The tasks on which some size keeps a share of the mean accuracy, with the cell and the column
    of the smallest such size.
    """
    for task in cells.tasks:
        cell = cells.of(net, task)
        column = critical(cell, delta)
        if column is not None:
            yield task, cell, column


def full_by_class(cell: Cell, selection: str = "random") -> np.ndarray:
    """Accuracy by class of the whole layer, (C,): all selections of neurons end there."""
    return cell.per_class[selection][:, -1].mean(0)


def losses(cell: Cell, column: int, selection: str = "random") -> np.ndarray:
    """What each class loses against the whole layer at one size: (seeds, C), in accuracy."""
    return full_by_class(cell) - cell.per_class[selection][:, column]


def alike(cell: Cell, counts: np.ndarray, column: int) -> float:
    """The Gini index to expect at a size were every class to keep the same share of its own
    accuracy: the fall of the mean and the chance of few test images are in it. As the full layer's
    accuracies are themselves measured on few images, it is rather too high.
    """
    share = float(cell.accuracy["random"][:, column].mean()) / max(cell.full, 1e-12)
    return expected_gini(
        np.clip(np.nan_to_num(full_by_class(cell)) * min(share, 1.0), 0, 1), counts
    )


def spread_panels(
    cells: Cells, counts: Mapping[str, np.ndarray], selections: Sequence[str], least: int = 10
) -> list[Panel]:
    """The Gini index against k from ``least`` on, one plot a task: each selection for the first
    net, random neurons for the others, and what to expect of the first net if all classes lost
    alike.
    """
    drawn = []
    for task in cells.tasks:
        curves = []
        for i, net in enumerate(cells.nets):
            cell = cells.of(net, task)
            for selection in selections if i == 0 else ["random"]:
                values = gini(cell.per_class[selection])
                sizes = cell.sizes[: values.shape[1]]
                shown = sizes >= min(least, sizes[-1])
                plain = selection == "random"
                name = f"{cells.label(net)}, random" if plain and len(cells.nets) > 1 else ""
                look = LOOKS[(i + 4) % len(LOOKS)] if i else STYLES[selection]
                curves.append(
                    Line(
                        selection,
                        sizes[shown],
                        values[:, shown],
                        marked=len(cell.sizes) < 40,
                        name=name,
                        look=look,
                    )
                )
        cell = cells.of(cells.nets[0], task)
        wanted = np.unique(np.geomspace(min(least, cell.d), cell.d, 12).astype(int))
        columns = [int(np.flatnonzero(cell.sizes == k)[0]) for k in wanted if k in cell.sizes]
        expected = np.array([[alike(cell, counts[task.name], column) for column in columns]])
        curves.append(
            Line(
                "random",
                cell.sizes[columns],
                expected,
                False,
                "expected if all classes lost alike",
                (7, (0, (1, 1)), ""),
            )
        )
        drawn.append(Panel(task.title, max(cells.of(net, task).d for net in cells.nets), curves))
    return drawn


def worst_panels(cells: Cells, net: Net, share: float, delta: float) -> list[Panel]:
    """Accuracy of all classes, of the worst share of them (if that is more than one), and of the
    worst one, against k, for one net.
    """
    drawn = []
    for task in cells.tasks:
        cell = cells.of(net, task)
        by_class = cell.per_class["random"]
        marked = len(cell.sizes) < 40
        lines = [
            Line(
                "random",
                cell.sizes,
                np.nanmean(by_class, -1),
                marked,
                "mean over classes",
                LOOKS[0],
            ),
            Line("random", cell.sizes, worst(by_class), marked, "worst class", LOOKS[3]),
        ]
        if share * by_class.shape[-1] >= 2:
            lines.insert(
                1,
                Line(
                    "random",
                    cell.sizes,
                    worst(by_class, share),
                    marked,
                    f"worst {share:.0%} of classes",
                    LOOKS[1],
                ),
            )
        drawn.append(
            Panel(
                task.title,
                cell.d,
                lines,
                threshold=delta * cell.full,
                threshold_label=f"{delta:.0%} of the full layer",
            )
        )
    return drawn


def spread_table(cells: Cells, counts: Mapping[str, np.ndarray], delta: float) -> pd.DataFrame:
    """Spread at the full layer, where the mean has lost one point, and where it keeps a share: by
    task and net.

    ``counts`` holds the test images of each class (C,) by task; they say what spread chance alone
    would give.
    """
    rows = []
    for task in cells.tasks:
        for net in cells.nets:
            cell = cells.of(net, task)
            mean = cell.accuracy["random"].mean(0)
            visible = np.flatnonzero(mean >= cell.full - 0.01)
            for words, column in (
                ("all", len(cell.sizes) - 1),
                ("mean less one point", int(visible[0]) if len(visible) else None),
                (f"{delta:.0%} of the mean", critical(cell, delta)),
            ):
                if column is None:
                    continue
                by_class = cell.per_class["random"][:, column]
                found = gini(by_class)
                low, high = interval_of_mean(found)
                rows.append(
                    {
                        "task": task.title,
                        "net": cells.label(net),
                        "neurons": words,
                        "k": int(cell.sizes[column]),
                        "mean": float(mean[column]),
                        "worst class": float(worst(by_class).mean()),
                        "Gini": float(found.mean()),
                        "low": low,
                        "high": high,
                        "if all lost alike": alike(cell, counts[task.name], column),
                        "by chance": expected_gini(
                            float(np.clip(mean[column], 0, 1)), counts[task.name]
                        ),
                        "variation": float(coefficient_of_variation(by_class).mean()),
                    }
                )
    return pd.DataFrame(rows)


def shown_spread(table: pd.DataFrame) -> pd.DataFrame:
    """The table of spread for reading: the first net, the interval in one column."""
    table = table[table["net"] == table["net"].iloc[0]]
    ends = zip(table["low"], table["high"], table["neurons"], strict=True)
    interval = [
        "–" if low != low or neurons == "all" else f"{low:.3f} to {high:.3f}"
        for low, high, neurons in ends
    ]
    shown = table.drop(columns=["net", "low", "high"])
    shown.insert(list(shown.columns).index("Gini") + 1, "95% interval", interval)
    return shown


def describe_spread(table: pd.DataFrame) -> str:
    """One sentence on the spread where the mean has hardly fallen."""
    told = []
    for (task, net), rows in table.groupby(["task", "net"], sort=False):
        by = rows.set_index("neurons")
        if net != table["net"].iloc[0] or "mean less one point" not in by.index:
            continue
        full, early = by.loc["all"], by.loc["mean less one point"]
        told.append(
            f"on {task} (k = {early['k']}) the Gini index is {early['Gini']:.3f}, and "
            f"{early['if all lost alike']:.3f} would be expected if all "
            f"classes lost alike; the worst class goes from {full['worst class']:.0%} to "
            f"{early['worst class']:.0%}"
        )
    if not told:
        return "The mean is within a point of the full layer's at no size measured."
    return (
        "**What to see:** where the mean over classes has lost at most one point: "
        f"{'; '.join(told)} "
        f"({table['net'].iloc[0]})."
    )


def describe_worst(cells: Cells, net: Net, delta: float) -> str:
    """One sentence on the worst classes where the mean keeps a share of its value."""
    told = []
    for task, cell, column in critical_cells(cells, net, delta):
        full, here = full_by_class(cell), cell.per_class["random"][:, column]
        ends = [
            (np.nanmean(full), np.nanmean(here)),
            (worst(full, 0.1), worst(here, 0.1)),
            (worst(full), worst(here)),
        ]
        mean, tenth, one = (
            f"{float(before):.0%} to {float(np.mean(after)):.0%}" for before, after in ends
        )
        many = f"the worst tenth of the classes from {tenth}, " if len(full) >= 20 else ""
        told.append(
            f"on {task.title} (k = {cell.sizes[column]}) the mean goes from {mean}, {many}the "
            f"worst class from {one}"
        )
    if not told:
        return f"No size measured keeps {delta:.0%} of the full layer's accuracy."
    return (
        f"**What to see:** with just enough neurons for {delta:.0%} of the full layer's "
        f"accuracy, {'; '.join(told)} "
        f"({cells.label(net)})."
    )


def lost_first(cells: Cells, net: Net, delta: float, most: int = 5) -> pd.DataFrame:
    """The classes that lose most where the mean keeps a share of its value: by task, with their
    accuracy before and after.
    """
    rows = []
    for task, cell, column in critical_cells(cells, net, delta):
        lost = losses(cell, column)
        mean, least = lost.mean(0), lost.min(0)
        for place in np.argsort(-np.nan_to_num(mean, nan=-1), kind="stable")[:most]:
            rows.append(
                {
                    "task": task.title,
                    "k": int(cell.sizes[column]),
                    "class": task.classes[place],
                    "full layer": float(full_by_class(cell)[place]),
                    "left": float(full_by_class(cell)[place] - mean[place]),
                    "loss, points": 100 * float(mean[place]),
                    "least over seeds": 100 * float(least[place]),
                    "mean loss of a class": 100 * float(np.nanmean(lost)),
                }
            )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Agreement:
    """Whether the same classes suffer: mean rank correlations of class losses for one task.

    Attributes
    ----------
    across_seeds : float
        Over pairs of seeds of the selection, averaged over nets. The two losses of a pair are
        measured on disjoint halves of the test images: on shared images a class that happens to
        have easy ones would agree with itself.
    shared : float
        The same where both are measured on all test images.
    chance : float
        The 95% point of ``across_seeds`` if classes were shuffled in every seed.
    names : list of str
        What the matrix is between: nets, then other selections of the first net.
    matrix : ndarray (m, m)
        Rank correlations of losses, averaged over seeds.
    """

    task: Task
    across_seeds: float
    shared: float
    chance: float
    names: list[str] = field(repr=False)
    matrix: np.ndarray = field(repr=False)


Halves = Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]]
"""By net and task: accuracy by class on two disjoint halves of the test images, (seeds, d, C) each.
"""


def measured_halves(study: Session, seeds: Sequence[int]) -> Halves:
    """The halves of every net and task, of random neurons. First of all, as the probes of the other
    measures come with them.
    """
    found = {}
    for net, task, layer in study.layers():
        found[net.name, task.name] = layer.ridge_halves("random", seeds)
        layer.release()
    return found


def agreements(
    cells: Cells, halves: Halves, delta: float, selections: Sequence[str], *, shuffles: int = 500
) -> list[Agreement]:
    """Rank correlations of class losses across seeds, nets and selections, each where its mean
    keeps a share of its value.
    """
    found = []
    for task in cells.tasks:
        within, shared, chance, names, rows = [], [], [], [], []
        rng = np.random.default_rng(0)
        for i, net in enumerate(cells.nets):
            cell = cells.of(net, task)
            for selection in [
                "random",
                *(name for name in selections if name != "random" and i == 0),
            ]:
                column = critical(cell, delta, selection)
                if column is None:
                    continue
                lost = losses(cell, column, selection)
                lost = lost[:, ~np.isnan(lost).any(0)]
                names.append(
                    cells.label(net)
                    if selection == "random"
                    else f"{cells.label(net)}, {selection}"
                )
                rows.append(lost.mean(0))
                if selection == "random" and len(lost) > 1:
                    ours, theirs = (
                        half[:, -1:].mean(0) - half[:, column]
                        for half in halves[net.name, task.name]
                    )
                    both = ~(np.isnan(ours).any(0) | np.isnan(theirs).any(0))
                    ours, theirs = ours[:, both], theirs[:, both]
                    within.append(mean_agreement(ours, theirs))
                    shared.append(mean_agreement(lost))
                    chance.append(
                        [
                            mean_agreement(rng.permuted(ours, axis=1), rng.permuted(theirs, axis=1))
                            for _ in range(shuffles)
                        ]
                    )
        if not rows:
            continue
        limit = float(np.quantile(np.mean(chance, 0), 0.95)) if chance else float("nan")
        means = [float(np.mean(one)) if one else float("nan") for one in (within, shared)]
        found.append(
            Agreement(task, means[0], means[1], limit, names, rank_correlation(np.stack(rows)))
        )
    return found


def describe_agreements(found: Sequence[Agreement]) -> str:
    """One sentence on whether the same classes suffer across seeds and nets."""
    told = []
    for one in found:
        off = one.matrix[np.triu_indices(len(one.names), 1)]
        across = (
            f", between the rows of the matrix {np.nanmean(off):.2f} on average" if off.size else ""
        )
        told.append(
            f"{one.task.title}: between seeds {one.across_seeds:.2f} on different images "
            f"(chance: below {one.chance:.2f}; on the "
            f"same images {one.shared:.2f}){across}"
        )
    return (
        f"**What to see:** rank correlation of the classes' losses. {'; '.join(told)}. 1 "
        "means the same order of "
        "classes every "
        "time."
    )


RULES = {
    "images": "mean over images",
    "classes": "mean over classes",
    "tenth": "worst tenth of classes",
}
"""What a rule for choosing k looks at."""


def rule_values(by_class: np.ndarray, counts: np.ndarray, rule: str) -> np.ndarray:
    """What a rule looks at, from accuracy by class (..., C) and the images of each class (C,)."""
    if rule == "tenth":
        return worst(by_class, 0.1)
    if rule == "classes":
        return np.nanmean(by_class, -1)
    return np.nansum(by_class * counts, -1) / counts.sum()


def choices(
    cells: Cells,
    net: Net,
    validation: Mapping[str, tuple[np.ndarray, np.ndarray]],
    counts: Mapping[str, np.ndarray],
    delta: float,
) -> pd.DataFrame:
    """Rules for choosing k on held-out train images, and what each choice gives on test images.

    ``validation`` holds, by task, accuracy by class (seeds, d, C) by cross-validation on train
    images, and the train images of each class. A rule takes the smallest k at which what it looks
    at keeps a share of its full value.
    """
    rows = []
    for task in cells.tasks:
        cell = cells.of(net, task)
        by_class, images = validation[task.name]
        for rule, words in RULES.items():
            values = rule_values(by_class, images, rule).mean(0)
            enough = np.flatnonzero(values >= delta * values[-1] - 1e-12)
            column = int(enough[0])
            test = cell.per_class["random"][:, column]
            full = full_by_class(cell)
            tests = counts[task.name]
            kept = {
                name: rule_values(test, tests, name).mean()
                / max(rule_values(full, tests, name), 1e-12)
                for name in ("images", "tenth")
            }
            rows.append(
                {
                    "task": task.title,
                    "rule": words,
                    "k": column + 1,
                    "share dropped": 1 - (column + 1) / cell.d,
                    "mean kept on test": f"{kept['images']:.1%}",
                    "worst tenth kept on test": f"{kept['tenth']:.1%}",
                    "worst class on "
                    "test": f"{worst(test).mean():.1%} (full layer: {worst(full):.1%})",
                }
            )
    return pd.DataFrame(rows)


def describe_choices(table: pd.DataFrame) -> str:
    """One sentence on what a rule that looks at the worst classes costs and gives."""
    told = []
    for task, rows in table.groupby("task", sort=False):
        by = rows.set_index("rule")
        plain, careful = by.loc[RULES["images"]], by.loc[RULES["tenth"]]
        told.append(
            f"on {task} the worst tenth keeps {careful['worst tenth kept on test']} instead of "
            f"{plain['worst tenth kept on test']}, "
            f"for {careful['k']} neurons instead of {plain['k']}"
        )
    return f"**What to see:** choosing k by the worst tenth of classes, {'; '.join(told)}."


def validated(layer: Layer, seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy by class on train images held out in turn, (seeds, d, C), and the train images of
    each class (C,).
    """
    by_class = layer.ridge_validation(seeds)
    return by_class["per_class"], by_class["counts"]


def classes_differ(
    cells: Cells, found: Sequence[Agreement], counts: Mapping[str, np.ndarray], delta: float
) -> Verdict:
    """Claim 10: accuracy is more uneven than if all classes had lost alike, and the classes that
    lose are the same whichever neurons go.
    """
    passed, undecided, told = [], 0, []
    for task in cells.tasks:
        grown = []
        for net in cells.nets:
            cell = cells.of(net, task)
            column = critical(cell, delta)
            if column is None:
                undecided += 1
                continue
            low, _ = interval_of_mean(gini(cell.per_class["random"][:, column]))
            if low != low:
                undecided += 1
                continue
            grown.append(
                low > max(float(gini(full_by_class(cell))), alike(cell, counts[task.name], column))
            )
        agreement = next((one for one in found if one.task.name == task.name), None)
        same = agreement is not None and agreement.across_seeds > agreement.chance
        if grown and agreement is not None and agreement.chance == agreement.chance:
            passed.append(all(grown) and same)
            told.append(
                f"{task.title}: the Gini index is above that of all classes losing alike in "
                f"{sum(grown)} of {len(grown)} nets; the order of the "
                "classes' losses agrees between seeds, on different images, by "
                f"{agreement.across_seeds:.2f} (chance: below {agreement.chance:.2f})"
            )
    if not told:
        return Verdict(
            "undecided", "It takes several seeds, and a size that keeps the share asked for."
        )
    return judge_with_doubt(
        passed, undecided, f"Where {delta:.0%} of the mean accuracy is kept. {'; '.join(told)}."
    )
