"""What dropping neurons does to single classes: how uneven accuracy becomes, how far that is beyond
what hard classes lose under one common shift of the scores, and safer choices of k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..experiment.measurements import AllHits, Measurements
from ..measures.fairness import coefficient_of_variation, expected_gini, gini, worst
from ..measures.shifts import FAIR, INDICES, NULLS, Comparison, compared, holm
from ..nets.networks import Net
from ..uncertainty.comparison import LEVEL
from .claims import Outcome, Verdict, judge
from .figure_data import Line, Panel
from .lost_classes import (
    FEWEST_CLASSES,
    Agreement,
    Chosen,
    hits_of,
    on_tasks,
    sufficient_size,
    where_sufficient,
)
from .phrases import lines, listed, span

ALIKE = {
    "proportional": "same share of accuracy",
    "logit shift": "same shift of logits",
    "margin shift": "same shift of margins",
}
"""What all classes losing alike means, by the null."""

LEAST = 10
"""Neurons from which on the Gini index is drawn."""

NEGLIGIBLE = 0.1
"""An excess that is surely below this share of what is expected counts as none (our criterion)."""


@dataclass(frozen=True)
class Cell:
    """One network on one task, where the mean accuracy keeps a share of the full layer's.

    Attributes
    ----------
    net : str
        Its label.
    task : str
        Its title.
    k : int
    found : mapping from (null, index) to Comparison
        See :func:`.compared`.
    """

    net: str
    task: str
    k: int
    found: Mapping[tuple[str, str], Comparison] = field(repr=False)

    @property
    def strictest(self) -> str:
        """The fair null that the Gini index is least clearly above: that with the largest p-value,
        and without any that which expects most.
        """
        of = {null: self.found[null, "Gini"] for null in FAIR}
        return max(FAIR, key=lambda null: (np.nan_to_num(of[null].p, nan=-1), of[null].expected))

    @property
    def excess(self) -> Comparison:
        """The Gini index beside the strictest fair null."""
        return self.found[self.strictest, "Gini"]


def cells(measurements: Measurements, hits: AllHits, delta: float) -> list[Cell]:
    """Every network on every task in which some size keeps a share of the mean accuracy, compared
    with all classes losing alike.
    """
    return [
        Cell(measurements.label(net), measurement.task.title, k, compared(found, k))
        for net in measurements.nets
        for measurement, found, k in where_sufficient(measurements, hits, net, delta)
    ]


def cell_table(found: Sequence[Cell]) -> pd.DataFrame:
    """Both indices of every cell beside each null: observed, expected, excess with its 95% interval
    over subsets and test images, the p-value, and Holm's over all cells of an index and a null.
    """
    rows = [
        {
            "task": cell.task,
            "net": cell.net,
            "k": cell.k,
            "index": name,
            "null": ALIKE[null],
            "observed": one.observed,
            "expected": one.expected,
            "excess": one.excess,
            "low": one.low,
            "high": one.high,
            "p": one.p,
        }
        for name in INDICES
        for null in NULLS
        for cell in found
        for one in [cell.found[null, name]]
    ]
    table = pd.DataFrame(rows)
    if len(table):
        table["p, corrected"] = table.groupby(["index", "null"])["p"].transform(
            lambda p: holm(p.to_numpy())
        )
    return table


_ONE_SEED = "It takes several seeds of the selection to say what is beyond chance."


def _tested(found: Sequence[Cell]) -> bool:
    """Whether any cell has an interval."""
    return any(cell.excess.low == cell.excess.low for cell in found)


def above(found: Sequence[Cell], null: str = "strictest") -> np.ndarray:
    """Whether the Gini index of each cell is above a null, or the strictest fair one, (cells,),
    Holm-corrected over the cells.
    """
    p = [cell.excess.p if null == "strictest" else cell.found[null, "Gini"].p for cell in found]
    return holm(np.array(p, dtype=float)) < LEVEL


def shown_cells(found: Sequence[Cell]) -> pd.DataFrame:
    """The cells for reading: the Gini index, what is expected, and the excess over the strictest
    fair null.
    """
    corrected = holm(np.array([cell.excess.p for cell in found], dtype=float))
    return pd.DataFrame(
        {
            "task": cell.task,
            "net": cell.net,
            "k": cell.k,
            "Gini": cell.excess.observed,
            **{f"expected, {ALIKE[null]}": cell.found[null, "Gini"].expected for null in NULLS},
            "excess over the stricter shift": cell.excess.excess,
            "95% interval": _ends(cell.excess),
            "p, corrected": corrected[i],
        }
        for i, cell in enumerate(found)
    )


def _ends(one: Comparison) -> str:
    return "–" if one.low != one.low else f"{one.low:+.3f} to {one.high:+.3f}"


def explained(found: Sequence[Cell], null: str) -> np.ndarray:
    """The share of what the Gini index has beyond proportional loss that a null explains, (cells,);
    NaN where there is nothing to explain.
    """
    shares = []
    for cell in found:
        plain, one = cell.found["proportional", "Gini"], cell.found[null, "Gini"]
        known = plain.excess > 0
        shares.append((one.expected - plain.expected) / plain.excess if known else np.nan)
    return np.array(shares, dtype=float)


def describe_cells(found: Sequence[Cell], delta: float) -> str:
    """A sentence with a line a null: how far accuracy is more uneven than if all classes lost
    alike.
    """
    if not found:
        return f"No size measured keeps {delta:.0%} of the full layer's accuracy."
    if not _tested(found):
        return _ONE_SEED
    rows = []
    for null in NULLS:
        count = f"{above(found, null).sum()} of {len(found)} cells"
        row = f"if all classes have the {ALIKE[null]}: in {count}"
        values = explained(found, null)
        known = values[~np.isnan(values)]
        if null in FAIR and len(known):
            row += (
                f"; this explains {span(known, '.0%')} of what the index has beyond the "
                f"{ALIKE['proportional']}"
            )
        rows.append(row)
    return lines(
        f"**What to see:** where {delta:.0%} of the mean accuracy is kept, the Gini index is above "
        f"what is to be expected (one-sided, Holm-corrected, {LEVEL:.0%})",
        rows,
    )


def spread_panels(
    measurements: Measurements, hits: AllHits, selections: Sequence[str]
) -> list[Panel]:
    """The Gini index against k from :data:`LEAST` on, one plot a task: each selection for the first
    network, random neurons for the others, and what to expect of the first network if all classes
    lost alike, under each null.
    """
    drawn = []
    for task in measurements.tasks:
        lines = []
        for i, net in enumerate(measurements.nets):
            measurement = measurements.of(net, task)
            for selection in selections if i == 0 else ["random"]:
                each = hits_of(hits, measurement, selection).by_class
                sizes = np.arange(1, each.shape[1] + 1)
                shown = sizes >= min(LEAST, sizes[-1])
                named = selection == "random" and len(measurements.nets) > 1
                lines.append(
                    Line(
                        selection,
                        sizes[shown],
                        gini(each[:, shown]),
                        name=f"{measurements.label(net)}, random" if named else "",
                        look=i + 4 if i else None,
                    )
                )
        first = hits_of(hits, measurements.of(measurements.nets[0], task))
        sizes = np.unique(np.geomspace(min(LEAST, first.sizes), first.sizes, 8).astype(int))
        expected = [compared(first, int(k), resamples=0, draws=100) for k in sizes]
        for null, look in zip(NULLS, (8, 2, 3), strict=True):
            values = np.array([[one[null, "Gini"].expected for one in expected]])
            name = f"expected, {ALIKE[null]}"
            lines.append(Line("random", sizes, values, name=name, look=look))
        d = max(measurements.of(net, task).d for net in measurements.nets)
        drawn.append(Panel(task.title, d, lines, axis="Gini index over classes"))
    return drawn


def worst_panels(
    measurements: Measurements, hits: AllHits, net: Net, share: float, delta: float
) -> list[Panel]:
    """Accuracy of all classes, of the worst share of them (if that is more than one), and of the
    worst one, against k, for one network.
    """
    drawn = []
    for task in measurements.tasks:
        measurement = measurements.of(net, task)
        each = hits_of(hits, measurement).by_class
        sizes = np.arange(1, each.shape[1] + 1)
        shown = {"mean over classes": (np.nanmean(each, -1), 0)}
        if share * each.shape[-1] >= 2:
            shown[f"worst {share:.0%} of classes"] = (worst(each, share), 1)
        shown["worst class"] = (worst(each), 3)
        lines = [
            Line("random", sizes, values, name=name, look=look)
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


def worst_caption(panels: Sequence[Panel]) -> str:
    """What :func:`worst_panels` shows: the worst share only where it was drawn."""
    curves = listed(list(dict.fromkeys(line.label for one in panels for line in one.curves)))
    return (
        f"Accuracy against the number of random neurons kept, of the first network, one plot per "
        f"task: {curves}."
    )


def spread_table(measurements: Measurements, hits: AllHits, delta: float) -> pd.DataFrame:
    """Spread at the full layer, where the mean has lost one point, and where it keeps a share: by
    task and network, with what is expected under each null, and by chance alone if all classes were
    equally hard.
    """
    rows = []
    for task in measurements.tasks:
        for net in measurements.nets:
            measurement = measurements.of(net, task)
            curve, found = measurement.accuracy["random"], hits_of(hits, measurement)
            visible = curve.sizes[curve.mean >= measurement.full - 0.01]
            for words, k in (
                ("all", int(curve.sizes[-1])),
                ("mean less one point", int(visible[0]) if len(visible) else None),
                (f"{delta:.0%} of the mean", sufficient_size(measurement, delta)),
            ):
                if k is None:
                    continue
                each, mean = found.by_class[:, k - 1], float(found.at(k).mean())
                alike = compared(found, k, resamples=0)
                rows.append(
                    {
                        "task": task.title,
                        "net": measurements.label(net),
                        "neurons": words,
                        "k": k,
                        "mean": mean,
                        "worst class": float(worst(each).mean()),
                        "Gini": float(gini(each).mean()),
                        **{ALIKE[null]: alike[null, "Gini"].expected for null in NULLS},
                        "by chance": expected_gini(mean, found.counts),
                        "variation": float(coefficient_of_variation(each).mean()),
                    }
                )
    return pd.DataFrame(rows)


def shown_spread(table: pd.DataFrame) -> pd.DataFrame:
    """The table of spread for reading: the first network."""
    return table[table["net"] == table["net"].iloc[0]].drop(columns=["net"])


def describe_spread(table: pd.DataFrame) -> str:
    """A sentence with a line a task: the spread where the mean has hardly fallen."""
    sentences = []
    for (task, net), rows in table.groupby(["task", "net"], sort=False):
        by = rows.set_index("neurons")
        if net != table["net"].iloc[0] or "mean less one point" not in by.index:
            continue
        full, early = by.loc["all"], by.loc["mean less one point"]
        low, high = (f"{value:.3f}" for value in sorted(early[ALIKE[null]] for null in FAIR))
        shift = low if low == high else f"{low} to {high}"
        sentences.append(
            f"{task} (k = {early['k']}): the Gini index is {early['Gini']:.3f}, where "
            f"{early[ALIKE['proportional']]:.3f} is expected if all classes keep the same "
            f"share and {shift} under a common shift; the worst class goes "
            f"from {full['worst class']:.0%} to {early['worst class']:.0%}"
        )
    if not sentences:
        return "The mean is within a point of the full layer's at no size measured."
    return lines(
        "**What to see:** where the mean over classes has lost at most one point "
        f"({table['net'].iloc[0]})",
        sentences,
    )


def describe_worst(measurements: Measurements, hits: AllHits, net: Net, delta: float) -> str:
    """A sentence with a line a task: the worst classes where the mean keeps a share of its
    value.
    """
    sentences = []
    for measurement, found, k in where_sufficient(measurements, hits, net, delta):
        full, left = found.full_by_class, found.by_class[:, k - 1]
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
            f"{measurement.task.title} (k = {k}): the mean goes from {mean}, {many}the worst "
            f"class from {one}"
        )
    if not sentences:
        return f"No size measured keeps {delta:.0%} of the full layer's accuracy."
    return lines(
        f"**What to see:** with just enough neurons for {delta:.0%} of the full layer's accuracy "
        f"({measurements.label(net)})",
        sentences,
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
    values: np.ndarray
    if rule == "classes":
        values = np.nanmean(accuracy, -1)
    else:
        values = np.nansum(accuracy * counts, -1) / counts.sum()
    return values


def choices(
    measurements: Measurements,
    net: Net,
    validation: Mapping[str, tuple[np.ndarray, np.ndarray]],
    hits: AllHits,
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
    hits : mapping
        On test images; see :func:`measured_hits`.
    delta : float
    """
    rows = []
    for task in measurements.tasks:
        measurement = measurements.of(net, task)
        found = hits_of(hits, measurement)
        full, tests = found.full_by_class, found.counts
        held_out, images = validation[task.name]
        for rule, words in RULES.items():
            values = rule_values(held_out, images, rule).mean(0)
            k = int(np.flatnonzero(values >= delta * values[-1] - 1e-12)[0]) + 1
            test = found.by_class[:, k - 1]
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
    """A sentence with a line a task: what a rule that looks at the worst classes costs and
    gives.
    """
    sentences = []
    for task, rows in table.groupby("task", sort=False):
        by = rows.set_index("rule")
        plain, careful = by.loc[RULES["images"]], by.loc[RULES["tenth"]]
        sentences.append(
            f"{task}: the worst tenth keeps {careful['worst tenth kept on test']} instead of "
            f"{plain['worst tenth kept on test']}, for {careful['k']} neurons instead of "
            f"{plain['k']}"
        )
    return lines("**What to see:** choosing k by the worst tenth of classes", sentences)


def classes_differ(
    found: Sequence[Cell], agreements: Sequence[Agreement], delta: float, few: Sequence[str] = ()
) -> Verdict:
    """Claim 10: whether some classes lose more of their accuracy than others.

    A task counts if accuracy is more uneven than if all classes had kept the same share of theirs,
    for every network: the Gini index, one-sided, Holm-corrected over all cells. ``few``: the tasks
    whose classes are not ranked.
    """
    if not _tested(found):
        return Verdict(
            "undecided", "It takes several seeds, and a size that keeps the share asked for."
        )
    even = above(found, "proportional")
    because = (
        f"Each network on each task is a cell, looked at where {delta:.0%} of the mean accuracy is "
        "kept. Accuracy is clearly more uneven (Gini index) than if all classes had kept the same "
        f"share of theirs in {even.sum()} of {len(found)} cells (one-sided, Holm-corrected). That "
        "hard classes lose more than easy ones is enough for that."
    )
    same = [
        f"{one.task.title}: rank correlation {one.across_seeds:.2f}; {one.left:.2f} beyond a shift "
        "of margins"
        for one in agreements
        if one.across_seeds == one.across_seeds
    ]
    if same:
        if few:
            same.append(f"{listed(few)}: not ranked, with fewer than {FEWEST_CLASSES} classes")
        because += (
            " The list says whether the same classes lose with other neurons, measured on other "
            "images (1: always in the same order)."
        )
    return judge(_by_task(found, even, np.zeros_like(even)), because, rows=same)


def beyond_a_shift(found: Sequence[Cell], delta: float) -> Verdict:
    """Whether some classes lose more than under one common shift of the scores, which takes more
    from hard classes than from easy ones.

    A task counts if the Gini index is above the stricter of the two shifts for every network,
    Holm-corrected over all cells, and against if for every network the excess is surely below a
    tenth of what is expected.
    """
    if not _tested(found):
        return Verdict(
            "undecided", "It takes several seeds, and a size that keeps the share asked for."
        )
    higher = above(found)
    none = np.array([cell.excess.high < NEGLIGIBLE * cell.excess.expected for cell in found])
    beyond = [
        f"Beyond the {ALIKE[null]}: in {above(found, null).sum()} of {len(found)} cells"
        for null in FAIR
    ]
    excess = [cell.excess.excess / max(cell.excess.expected, 1e-12) for cell in found]
    because = (
        "Hard classes lose more than easy ones when all scores fall alike. Is there more than "
        f"that? Each network on each task is a cell, looked at where {delta:.0%} of the mean "
        "accuracy is kept. There are two ways to fall alike, and the stricter counts: the one that "
        f"the Gini index is less clearly above. It is clearly above it in {higher.sum()} of "
        f"{len(found)} cells (one-sided, Holm-corrected). In {(none & ~higher).sum()} the whole "
        f"interval is less than {NEGLIGIBLE:.0%} above it. The excess is "
        f"{span(excess, '+.0%')} of what is expected."
    )
    return judge(_by_task(found, higher, none & ~higher), because, rows=beyond)


def _by_task(found: Sequence[Cell], above: np.ndarray, below: np.ndarray) -> list[Outcome]:
    """The outcome of each task: what all its cells say."""
    outcomes = []
    for task in dict.fromkeys(cell.task for cell in found):
        own = np.array([cell.task == task for cell in found])
        outcomes.append(
            Outcome(task, True if above[own].all() else False if below[own].all() else None)
        )
    return outcomes


def take_away(
    found: Sequence[Cell],
    agreements: Sequence[Agreement],
    chosen: Sequence[Chosen],
    few: Sequence[str] = (),
) -> str:
    """What the numbers say to somebody who drops neurons, as a list. ``few``: the tasks whose
    classes are not ranked.
    """
    points = []
    if chosen:
        lost = [
            f"{one.task}, {one.most} classes: {100 * one.loss:.0f} ({100 * one.low:.0f} to "
            f"{100 * one.high:.0f}) against {100 * one.mean:.0f}"
            for one in chosen
        ]
        more = sum(one.low > one.mean for one in chosen)
        where = on_tasks(more, len(chosen), few)
        points.append(
            f"{'A mean hides who pays' if more else 'Who pays is not clear here'}: the classes "
            f"that lose most lose clearly more than the mean on {where}. In points, on images that "
            "were not used to choose them, against the mean over all classes: "
            f"{'; '.join(lost)}."
        )
    if _tested(found):
        even = above(found, "proportional").sum()
        logits, margins = (int(above(found, null).sum()) for null in FAIR)
        points.append(
            f"Classes do not all keep the same share of their accuracy (shown in {even} of "
            f"{len(found)} cells): hard classes lose more when all scores fall alike. Accuracy is "
            f"more uneven than that explains in {logits} of {len(found)} cells if the logits of "
            f"the classes fall alike, and in {margins} of {len(found)} if the margins of the "
            "images do."
        )
    same = [one for one in agreements if one.across_seeds == one.across_seeds]
    if same:
        agree = sum(one.across_seeds > one.chance for one in same)
        left = sum(one.left > one.chance_left for one in same)
        points.append(
            f"Whichever random neurons go, the classes that lose are the same beyond chance on "
            f"{on_tasks(agree, len(same), few)}. For what one shift of all margins does not "
            f"explain, that is so on {on_tasks(left, len(same), few)}, and the rank correlation "
            "goes from "
            f"{np.mean([one.across_seeds for one in same]):.2f} to "
            f"{np.mean([one.left for one in same]):.2f} on average."
        )
    return "\n".join(f"- {point}" for point in points)


def results_of(
    spread: pd.DataFrame, agreements: Sequence[Agreement], found: Sequence[Cell]
) -> dict[str, float]:
    """Key numbers: Gini indices of the table of spread, agreement between seeds, and in how many
    cells the index is above each null.
    """
    ginis = {
        f"Gini, {row['task']}, {row['net']}, {row['neurons']}": row["Gini"]
        for _, row in spread.iterrows()
    }
    across = {f"agreement between seeds, {one.task.title}": one.across_seeds for one in agreements}
    left = {f"agreement beyond a shift, {one.task.title}": one.left for one in agreements}
    cells_above = {f"cells above, {ALIKE[null]}": int(above(found, null).sum()) for null in NULLS}
    return ginis | across | left | cells_above | {"cells": len(found)}
