"""What dropping neurons does to single classes: spread, the classes lost first, and safer choices
of k.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..errors import InputError
from ..experiment.measurements import Halves, Measurement, Measurements
from ..measures.curves import Curve
from ..measures.fairness import (
    coefficient_of_variation,
    expected_gini,
    gini,
    mean_agreement,
    rank_correlation,
    worst,
)
from ..nets.networks import Net
from ..tasks import Task
from ..uncertainty.bootstrap import interval_of_mean
from .claims import Verdict, judge_with_doubt
from .figure_data import Line, Panel

Counts = Mapping[str, np.ndarray]
"""By the name of a task: images of each class, (C,)."""


def by_class(curve: Curve, k: int | None = None) -> np.ndarray:
    """Accuracy by class of a curve, (seeds, s, C); at one size (seeds, C).

    Raises
    ------
    InputError
        If the curve does not hold it, or not at that size.
    """
    if curve.per_class is None:
        raise InputError(f"the curve of {curve.name} holds no accuracy by class")
    if k is None:
        return curve.per_class
    curve.at(k)  # raises where k was not measured
    return curve.per_class[:, curve.column(k)]


def full_by_class(measurement: Measurement) -> np.ndarray:
    """Accuracy by class of the whole layer, (C,): all selections of neurons end there."""
    return by_class(measurement.accuracy["random"])[:, -1].mean(0)


def losses(measurement: Measurement, k: int, selection: str = "random") -> np.ndarray:
    """What each class loses against the whole layer at one size: (seeds, C), in accuracy."""
    return full_by_class(measurement) - by_class(measurement.accuracy[selection], k)


def sufficient_size(
    measurement: Measurement, delta: float, selection: str = "random"
) -> int | None:
    """The smallest size at which the mean accuracy keeps a share of the full layer's; None if none
    does.
    """
    return measurement.redundancy("accuracy", delta, selection).k


def _where_sufficient(
    measurements: Measurements, net: Net, delta: float
) -> Iterator[tuple[Measurement, int]]:
    """The measurements of a network in which some size keeps a share of the mean accuracy, with the
    smallest such size.
    """
    for task in measurements.tasks:
        measurement = measurements.of(net, task)
        k = sufficient_size(measurement, delta)
        if k is not None:
            yield measurement, k


def gini_if_alike(measurement: Measurement, counts: np.ndarray, k: int) -> float:
    """The Gini index to expect at a size were every class to keep the same share of its own
    accuracy: the fall of the mean and the chance of few test images are in it. As the full layer's
    accuracies are themselves measured on few images, it is rather too high.
    """
    left = float(measurement.accuracy["random"].at(k).mean())
    share = min(left / max(measurement.full, 1e-12), 1.0)
    expected = np.nan_to_num(full_by_class(measurement)) * share
    return expected_gini(np.clip(expected, 0, 1), counts)


def spread_panels(
    measurements: Measurements, counts: Counts, selections: Sequence[str], least: int = 10
) -> list[Panel]:
    """The Gini index against k from ``least`` on, one plot a task: each selection for the first
    network, random neurons for the others, and what to expect of the first network if all classes
    lost alike.
    """
    drawn = []
    for task in measurements.tasks:
        lines = []
        for i, net in enumerate(measurements.nets):
            for selection in selections if i == 0 else ["random"]:
                curve = measurements.of(net, task).accuracy[selection]
                shown = curve.sizes >= min(least, curve.sizes[-1])
                named = selection == "random" and len(measurements.nets) > 1
                lines.append(
                    Line(
                        selection,
                        curve.sizes[shown],
                        gini(by_class(curve))[:, shown],
                        marked=not curve.exact,
                        name=f"{measurements.label(net)}, random" if named else "",
                        look=i + 4 if i else None,
                    )
                )
        first = measurements.of(measurements.nets[0], task)
        wanted = np.unique(np.geomspace(min(least, first.d), first.d, 12).astype(int))
        sizes = wanted[np.isin(wanted, first.accuracy["random"].sizes)]
        expected = np.array([[gini_if_alike(first, counts[task.name], k) for k in sizes]])
        name = "expected if all classes lost alike"
        lines.append(Line("random", sizes, expected, name=name, look=8))
        d = max(measurements.of(net, task).d for net in measurements.nets)
        drawn.append(Panel(task.title, d, lines, axis="Gini index over classes"))
    return drawn


def worst_panels(measurements: Measurements, net: Net, share: float, delta: float) -> list[Panel]:
    """Accuracy of all classes, of the worst share of them (if that is more than one), and of the
    worst one, against k, for one network.
    """
    drawn = []
    for task in measurements.tasks:
        measurement = measurements.of(net, task)
        curve = measurement.accuracy["random"]
        each = by_class(curve)
        shown = {"mean over classes": (np.nanmean(each, -1), 0)}
        if share * each.shape[-1] >= 2:
            shown[f"worst {share:.0%} of classes"] = (worst(each, share), 1)
        shown["worst class"] = (worst(each), 3)
        lines = [
            Line("random", curve.sizes, values, not curve.exact, name, look)
            for name, (values, look) in shown.items()
        ]
        drawn.append(
            Panel(
                task.title,
                measurement.d,
                lines,
                threshold=delta * measurement.full,
                threshold_label=f"{delta:.0%} of the full layer",
                axis="test accuracy",
                percent=True,
            )
        )
    return drawn


def spread_table(measurements: Measurements, counts: Counts, delta: float) -> pd.DataFrame:
    """Spread at the full layer, where the mean has lost one point, and where it keeps a share: by
    task and network.

    ``counts`` are test images; they say what spread chance alone would give.
    """
    rows = []
    for task in measurements.tasks:
        for net in measurements.nets:
            measurement = measurements.of(net, task)
            curve = measurement.accuracy["random"]
            visible = curve.sizes[curve.mean >= measurement.full - 0.01]
            for words, k in (
                ("all", int(curve.sizes[-1])),
                ("mean less one point", int(visible[0]) if len(visible) else None),
                (f"{delta:.0%} of the mean", sufficient_size(measurement, delta)),
            ):
                if k is None:
                    continue
                each, mean = by_class(curve, k), float(curve.mean[curve.column(k)])
                index = gini(each)
                low, high = interval_of_mean(index)
                rows.append(
                    {
                        "task": task.title,
                        "net": measurements.label(net),
                        "neurons": words,
                        "k": k,
                        "mean": mean,
                        "worst class": float(worst(each).mean()),
                        "Gini": float(index.mean()),
                        "low": low,
                        "high": high,
                        "if all lost alike": gini_if_alike(measurement, counts[task.name], k),
                        "by chance": expected_gini(float(np.clip(mean, 0, 1)), counts[task.name]),
                        "variation": float(coefficient_of_variation(each).mean()),
                    }
                )
    return pd.DataFrame(rows)


def shown_spread(table: pd.DataFrame) -> pd.DataFrame:
    """The table of spread for reading: the first network, the interval in one column."""
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
    sentences = []
    for (task, net), rows in table.groupby(["task", "net"], sort=False):
        by = rows.set_index("neurons")
        if net != table["net"].iloc[0] or "mean less one point" not in by.index:
            continue
        full, early = by.loc["all"], by.loc["mean less one point"]
        sentences.append(
            f"on {task} (k = {early['k']}) the Gini index is {early['Gini']:.3f}, and "
            f"{early['if all lost alike']:.3f} would be expected if all classes lost alike; the "
            f"worst class goes from {full['worst class']:.0%} to {early['worst class']:.0%}"
        )
    if not sentences:
        return "The mean is within a point of the full layer's at no size measured."
    return (
        "**What to see:** where the mean over classes has lost at most one point: "
        f"{'; '.join(sentences)} ({table['net'].iloc[0]})."
    )


def describe_worst(measurements: Measurements, net: Net, delta: float) -> str:
    """One sentence on the worst classes where the mean keeps a share of its value."""
    sentences = []
    for measurement, k in _where_sufficient(measurements, net, delta):
        full, left = full_by_class(measurement), by_class(measurement.accuracy["random"], k)
        ends = [
            (np.nanmean(full), np.nanmean(left)),
            (worst(full, 0.1), worst(left, 0.1)),
            (worst(full), worst(left)),
        ]
        mean, tenth, one = (
            f"{float(before):.0%} to {float(np.mean(after)):.0%}" for before, after in ends
        )
        many = f"the worst tenth of the classes from {tenth}, " if len(full) >= 20 else ""
        sentences.append(
            f"on {measurement.task.title} (k = {k}) the mean goes from {mean}, {many}the worst "
            f"class from {one}"
        )
    if not sentences:
        return f"No size measured keeps {delta:.0%} of the full layer's accuracy."
    return (
        f"**What to see:** with just enough neurons for {delta:.0%} of the full layer's accuracy, "
        f"{'; '.join(sentences)} ({measurements.label(net)})."
    )


def lost_first(measurements: Measurements, net: Net, delta: float, most: int = 5) -> pd.DataFrame:
    """The classes that lose most where the mean keeps a share of its value: by task, with their
    accuracy before and after.
    """
    rows = []
    for measurement, k in _where_sufficient(measurements, net, delta):
        full, lost = full_by_class(measurement), losses(measurement, k)
        mean, least = lost.mean(0), lost.min(0)
        for place in np.argsort(-np.nan_to_num(mean, nan=-1), kind="stable")[:most]:
            rows.append(
                {
                    "task": measurement.task.title,
                    "k": k,
                    "class": measurement.task.classes[place],
                    "full layer": float(full[place]),
                    "left": float(full[place] - mean[place]),
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
    task : Task
    across_seeds : float
        Over pairs of seeds of the selection, averaged over networks. The two losses of a pair are
        measured on disjoint halves of the test images: on shared images a class that happens to
        have easy ones would agree with itself.
    shared : float
        The same where both are measured on all test images.
    chance : float
        The 95% point of ``across_seeds`` if classes were shuffled in every seed.
    names : list of str
        What the matrix is between: networks, then other selections of the first network.
    matrix : ndarray (m, m)
        Rank correlations of losses, averaged over seeds.
    """

    task: Task
    across_seeds: float
    shared: float
    chance: float
    names: list[str] = field(repr=False)
    matrix: np.ndarray = field(repr=False)


def agreements(
    measurements: Measurements,
    halves: Halves,
    delta: float,
    selections: Sequence[str],
    *,
    shuffles: int = 500,
) -> list[Agreement]:
    """Rank correlations of class losses across seeds, networks and selections, each where its mean
    keeps a share of its value.
    """
    others = [name for name in selections if name != "random"]
    agreements = []
    for task in measurements.tasks:
        within, shared, chance, names, rows = [], [], [], [], []
        rng = np.random.default_rng(0)
        for i, net in enumerate(measurements.nets):
            measurement, label = measurements.of(net, task), measurements.label(net)
            for selection in ["random", *(others if i == 0 else [])]:
                k = sufficient_size(measurement, delta, selection)
                if k is None:
                    continue
                lost = losses(measurement, k, selection)
                lost = lost[:, ~np.isnan(lost).any(0)]
                names.append(label if selection == "random" else f"{label}, {selection}")
                rows.append(lost.mean(0))
                if selection == "random" and len(lost) > 1:
                    column = measurement.accuracy["random"].column(k)
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
        means = [float(np.mean(part)) if part else float("nan") for part in (within, shared)]
        matrix = rank_correlation(np.stack(rows))
        agreements.append(Agreement(task, means[0], means[1], limit, names, matrix))
    return agreements


def agreement_panels(
    agreements: Sequence[Agreement],
) -> list[tuple[str, list[str], np.ndarray]]:
    """What :func:`figures.matrix_figure` draws; nothing if each matrix has one row."""
    if not agreements or len(agreements[0].names) == 1:
        return []
    return [(one.task.title, one.names, one.matrix) for one in agreements]


def describe_agreements(agreements: Sequence[Agreement]) -> str:
    """One sentence on whether the same classes suffer across seeds and networks."""
    sentences = []
    for one in agreements:
        off = one.matrix[np.triu_indices(len(one.names), 1)]
        across = (
            f", between the rows of the matrix {np.nanmean(off):.2f} on average" if off.size else ""
        )
        sentences.append(
            f"{one.task.title}: between seeds {one.across_seeds:.2f} on different images "
            f"(chance: below {one.chance:.2f}; on the same images {one.shared:.2f}){across}"
        )
    return (
        f"**What to see:** rank correlation of the classes' losses. {'; '.join(sentences)}. 1 "
        "means the same order of classes every time."
    )


RULES = {
    "images": "mean over images",
    "classes": "mean over classes",
    "tenth": "worst tenth of classes",
}
"""What a rule for choosing k looks at."""


def rule_values(accuracy: np.ndarray, counts: np.ndarray, rule: str) -> np.ndarray:
    """What a rule looks at, from accuracy by class (..., C) and the images of each class (C,)."""
    if rule == "tenth":
        return worst(accuracy, 0.1)
    if rule == "classes":
        return np.nanmean(accuracy, -1)
    return np.nansum(accuracy * counts, -1) / counts.sum()


def choices(
    measurements: Measurements,
    net: Net,
    validation: Mapping[str, tuple[np.ndarray, np.ndarray]],
    counts: Counts,
    delta: float,
) -> pd.DataFrame:
    """Rules for choosing k on held-out train images, and what each choice gives on test images.

    A rule takes the smallest k at which what it looks at keeps a share of its full value.

    Parameters
    ----------
    measurements : Measurements
        Of ridge probes, at every size.
    net : Net
    validation : mapping from the name of a task
        To accuracy by class (seeds, d, C) by cross-validation on train images, and the train images
        of each class (C,); see :meth:`ProbedLayer.ridge_validation`.
    counts : mapping from the name of a task
        To the test images of each class (C,).
    delta : float
    """
    rows = []
    for task in measurements.tasks:
        measurement = measurements.of(net, task)
        full, tests = full_by_class(measurement), counts[task.name]
        held_out, images = validation[task.name]
        for rule, words in RULES.items():
            values = rule_values(held_out, images, rule).mean(0)
            k = int(np.flatnonzero(values >= delta * values[-1] - 1e-12)[0]) + 1
            test = by_class(measurement.accuracy["random"], k)
            kept = {
                name: rule_values(test, tests, name).mean()
                / max(rule_values(full, tests, name), 1e-12)
                for name in ("images", "tenth")
            }
            rows.append(
                {
                    "task": task.title,
                    "rule": words,
                    "k": k,
                    "share dropped": 1 - k / measurement.d,
                    "mean kept on test": f"{kept['images']:.1%}",
                    "worst tenth kept on test": f"{kept['tenth']:.1%}",
                    "worst class on test": (
                        f"{worst(test).mean():.1%} (full layer: {worst(full):.1%})"
                    ),
                }
            )
    return pd.DataFrame(rows)


def describe_choices(table: pd.DataFrame) -> str:
    """One sentence on what a rule that looks at the worst classes costs and gives."""
    sentences = []
    for task, rows in table.groupby("task", sort=False):
        by = rows.set_index("rule")
        plain, careful = by.loc[RULES["images"]], by.loc[RULES["tenth"]]
        sentences.append(
            f"on {task} the worst tenth keeps {careful['worst tenth kept on test']} instead of "
            f"{plain['worst tenth kept on test']}, for {careful['k']} neurons instead of "
            f"{plain['k']}"
        )
    return f"**What to see:** choosing k by the worst tenth of classes, {'; '.join(sentences)}."


def classes_differ(
    measurements: Measurements, agreements: Sequence[Agreement], counts: Counts, delta: float
) -> Verdict:
    """Claim 10: accuracy is more uneven than if all classes had lost alike, and the classes that
    lose are the same whichever neurons go.
    """
    by_task = {one.task.name: one for one in agreements}
    passed, undecided, sentences = [], 0, []
    for task in measurements.tasks:
        grown = []
        for net in measurements.nets:
            measurement = measurements.of(net, task)
            k = sufficient_size(measurement, delta)
            if k is None:
                undecided += 1
                continue
            low, _ = interval_of_mean(gini(by_class(measurement.accuracy["random"], k)))
            if low != low:
                undecided += 1
                continue
            full = float(gini(full_by_class(measurement)))
            grown.append(low > max(full, gini_if_alike(measurement, counts[task.name], k)))
        agreement = by_task.get(task.name)
        if grown and agreement is not None and agreement.chance == agreement.chance:
            passed.append(all(grown) and agreement.across_seeds > agreement.chance)
            sentences.append(
                f"{task.title}: the Gini index is above that of all classes losing alike in "
                f"{sum(grown)} of {len(grown)} networks; the order of the classes' losses agrees "
                f"between seeds, on different images, by {agreement.across_seeds:.2f} (chance: "
                f"below {agreement.chance:.2f})"
            )
    if not sentences:
        return Verdict(
            "undecided", "It takes several seeds, and a size that keeps the share asked for."
        )
    because = f"Where {delta:.0%} of the mean accuracy is kept. {'; '.join(sentences)}."
    return judge_with_doubt(passed, undecided, because)


def results_of(spread: pd.DataFrame, agreements: Sequence[Agreement]) -> dict[str, float]:
    """Key numbers: Gini indices of the table of spread, and agreement between seeds."""
    ginis = {
        f"Gini, {row['task']}, {row['net']}, {row['neurons']}": row["Gini"]
        for _, row in spread.iterrows()
    }
    across = {f"agreement between seeds, {one.task.title}": one.across_seeds for one in agreements}
    return ginis | across
