"""Which classes lose most when neurons go: by their margin in the whole layer, on images that did
not choose them, and with other neurons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import norm

from ..experiment.measurements import AllHits, Measurement, Measurements
from ..measures.fairness import mean_agreement, rank_correlation
from ..measures.hits import Hits, accuracy_by_class
from ..measures.shifts import (
    Association,
    deviation_of_mean,
    holm,
    margin_association,
    margin_chances,
)
from ..nets.networks import Net
from ..tasks import Task
from ..uncertainty.comparison import LEVEL
from .figure_data import Point, Series
from .phrases import first_listed, lines, listed, with_interval

FEWEST_CLASSES = 8
"""Of a task in which classes are ranked, or some of them picked: of five, the five that lose most
are all of them.
"""


def sufficient_size(
    measurement: Measurement, delta: float, selection: str = "random"
) -> int | None:
    """The smallest size at which the mean accuracy keeps a share of the full layer's; None if none
    does.
    """
    return measurement.redundancy("accuracy", delta, selection).k


def hits_of(hits: AllHits, measurement: Measurement, selection: str = "random") -> Hits:
    """Those of a measurement."""
    return hits[measurement.net.name, measurement.task.name, selection]


def where_sufficient(
    measurements: Measurements, hits: AllHits, net: Net, delta: float
) -> Iterator[tuple[Measurement, Hits, int]]:
    """The measurements of a network in which some size keeps a share of the mean accuracy, with
    hits of random neurons and the smallest such size.
    """
    for task in measurements.tasks:
        measurement = measurements.of(net, task)
        k = sufficient_size(measurement, delta)
        if k is not None:
            yield measurement, hits_of(hits, measurement), k


def too_few(hits: Hits) -> bool:
    """Whether so few classes have images that ranks of them say nothing."""
    return bool((hits.counts > 0).sum() < FEWEST_CLASSES)


def unranked(measurements: Measurements, hits: AllHits, net: Net) -> list[str]:
    """Titles of the tasks that have :func:`too_few` classes, which nothing here is said of."""
    found = [measurements.of(net, task) for task in measurements.tasks]
    return [one.task.title for one in found if too_few(hits_of(hits, one))]


def left_out(few: Sequence[str]) -> list[str]:
    """What a list by task says of those that have too few classes: a line, or none.

    >>> left_out(["flowers"])
    ['flowers: left out, with fewer than 8 classes']
    """
    return [f"{listed(few)}: left out, with fewer than {FEWEST_CLASSES} classes"] if few else []


def on_tasks(clear: int, count: int, few: Sequence[str] = ()) -> str:
    """On how many of the tasks that were looked at something is clear, of whichever were not.

    >>> on_tasks(2, 3), on_tasks(1, 1, ["flowers"]), on_tasks(0, 1)
    ('2 of 3 tasks', 'the one task of 8 classes or more', 'no task, of one')
    """
    of = f" of {FEWEST_CLASSES} classes or more" if few else ""
    if count == 1:
        return f"the one task{of}" if clear else f"no task{of}, of one"
    return f"{clear} of {count} tasks{of}"


def losses(hits: Hits, k: int, images: np.ndarray | None = None) -> np.ndarray:
    """What each class loses against the whole layer at one size: (seeds, C), in accuracy; on all
    images or on some, (m,) bool. NaN for classes without images.
    """
    lost = hits.full.astype(float) - hits.at(k)
    return _by_class(hits, lost, images)


def beyond(hits: Hits, k: int, images: np.ndarray | None = None) -> np.ndarray:
    """What each class loses beyond what a common shift of margins predicts, as :func:`losses`."""
    return _by_class(hits, margin_chances(hits, k) - hits.at(k), images)


def _by_class(hits: Hits, values: np.ndarray, images: np.ndarray | None) -> np.ndarray:
    some = np.ones(len(hits.labels), dtype=bool) if images is None else images
    return accuracy_by_class(values[:, some], hits.labels[some], hits.num_classes)


def loss_table(measurements: Measurements, hits: AllHits, net: Net, delta: float) -> pd.DataFrame:
    """Each class with its margin in the whole layer and what it loses where the mean keeps a share
    of its value, for one network.

    Margins are means over test images in standard deviations of all images' margins. Losses are in
    points, with what a common shift of margins predicts, and the difference with its 95% interval
    over subsets and test images and its p-value (two-sided, Holm-corrected within the task).
    """
    frames = []
    for measurement, found, k in where_sufficient(measurements, hits, net, delta):
        chances, right, unit = margin_chances(found, k), found.at(k), found.margins.std() or 1.0
        rows, tests = [], []
        for place in np.flatnonzero(found.counts):
            own = found.labels == place
            rest = chances[own] - right[:, own]
            deviation, mean = deviation_of_mean([rest]), float(rest.mean())
            full, left = float(found.full[own].mean()), float(right[:, own].mean())
            known = deviation > 0
            tests.append(2 * norm.sf(abs(mean) / deviation) if known else float("nan"))
            rows.append(
                {
                    "task": measurement.task.title,
                    "class": measurement.task.classes[place],
                    "k": k,
                    "images": int(own.sum()),
                    "margin": float(found.margins[own].mean() / unit),
                    "full layer": full,
                    "left": left,
                    "loss, points": 100 * (full - left),
                    "predicted loss, points": 100 * (full - float(chances[own].mean())),
                    "beyond, points": 100 * mean,
                    "low": 100 * (mean - 1.96 * deviation),
                    "high": 100 * (mean + 1.96 * deviation),
                }
            )
        frames.append(pd.DataFrame(rows).assign(p=holm(np.array(tests))))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def associations(
    measurements: Measurements, hits: AllHits, net: Net, delta: float
) -> dict[str, tuple[Association, float]]:
    """By the title of a task: the rank correlation of classes' losses and margins, and that between
    disjoint halves of the images; see :func:`.margin_association`.
    """
    return {
        measurement.task.title: margin_association(found, k)
        for measurement, found, k in where_sufficient(measurements, hits, net, delta)
        if not too_few(found)
    }


def loss_panels(table: pd.DataFrame) -> list[tuple[str, list[Series]]]:
    """Loss against margin, one plot a task: what classes lose, and what a common shift of margins
    predicts.
    """
    panels = []
    for task, rows in table.groupby("task", sort=False) if len(table) else []:
        ordered = rows.sort_values("margin")
        series = []
        for look, (label, column) in enumerate(
            (("measured", "loss, points"), ("predicted", "predicted loss, points"))
        ):
            points = [Point(value / 100) for value in ordered[column]]
            name = f"{label}{' by a common shift of margins' if look else ''}"
            series.append(Series(name, list(ordered["margin"]), points, look, joined=False))
        panels.append((str(task), series))
    return panels


def describe_losses(
    table: pd.DataFrame,
    correlated: Mapping[str, tuple[Association, float]],
    few: Sequence[str] = (),
) -> str:
    """A sentence with a line a task: losses by margin, and the classes that lose more than it
    predicts. ``few``: the tasks that are :func:`unranked`.
    """
    sentences = []
    for task, (one, across) in correlated.items():
        rows = table[table["task"] == task]
        more = rows[(rows["p"] < LEVEL) & (rows["beyond, points"] > 0)]
        named = [
            f"{row['class']} ({row['beyond, points']:.0f})"
            for _, row in more.sort_values("beyond, points", ascending=False).iterrows()
        ]
        found = f", in points: {first_listed(named, 5)}" if named else ""
        halves = (
            "" if across != across else f"; {across:.2f} if they are measured on different images"
        )
        sentences.append(
            f"{task}: {with_interval(one.value, one.low, one.high, '.2f')}{halves}. {len(more)} of "
            f"{len(rows)} classes lose more than a common shift of margins predicts{found}"
        )
    if not sentences:
        return (
            f"No size measured keeps the share of accuracy that is asked for on a task of "
            f"{FEWEST_CLASSES} classes or more."
        )
    return lines(
        "**What to see:** the rank correlation of the classes' losses with their margins",
        [*sentences, *left_out(few)],
    )


@dataclass(frozen=True)
class Chosen:
    """The classes that lose most, chosen on one half of the test images and looked at on the other,
    the mean of both ways.

    Attributes
    ----------
    task : str
    k : int
    most : int
        How many classes.
    loss, low, high : float
        Mean loss of these classes on the other half, in accuracy, with its 95% interval over
        subsets and test images.
    same_images : float
        What it would be on the images that chose them.
    predicted : float
        What a common shift of margins predicts for them, on the other half.
    mean : float
        Mean loss of all classes.
    """

    task: str
    k: int
    most: int
    loss: float
    low: float
    high: float
    same_images: float
    predicted: float
    mean: float


def lost_most(
    measurements: Measurements, hits: AllHits, net: Net, delta: float, most: int = 5
) -> tuple[list[Chosen], pd.DataFrame]:
    """The classes that lose most where the mean keeps a share of its value, for one network.

    A class that happens to have hard images is among those chosen; on other images it is not hard.
    So classes are chosen on one half of the images and their loss is that on the other half.

    Returns
    -------
    chosen : list of Chosen
        Of each task whose classes have two images or more.
    table : DataFrame
        Each class chosen on either half, or both, with its loss on the other, in points.
    """
    chosen, rows = [], []
    for measurement, found, k in where_sufficient(measurements, hits, net, delta):
        halves = found.halves
        by_half = [losses(found, k, half).mean(0) for half in halves]
        if too_few(found) or any(np.isnan(values[found.counts > 0]).any() for values in by_half):
            continue
        lists = [
            np.argsort(-np.nan_to_num(values, nan=-9), kind="stable")[
                : min(most, int((found.counts > 0).sum()) // 3)
            ]
            for values in by_half
        ]
        right, chances = found.at(k), margin_chances(found, k)
        groups: dict[int, list[np.ndarray]] = {}
        expected: dict[int, list[float]] = {}
        for ours, other in zip(lists, reversed(halves), strict=True):
            for place in ours.tolist():
                own = other & (found.labels == place)
                groups.setdefault(place, []).append(found.full[own].astype(float) - right[:, own])
                expected.setdefault(place, []).append(
                    float((found.full[own] - chances[own]).mean())
                )
        every = [one for some in groups.values() for one in some]
        loss, deviation = np.mean([one.mean() for one in every]), deviation_of_mean(every)
        same = [values[ours].mean() for values, ours in zip(by_half, lists, strict=True)]
        chosen.append(
            Chosen(
                measurement.task.title,
                k,
                len(lists[0]),
                float(loss),
                float(loss - 1.96 * deviation),
                float(loss + 1.96 * deviation),
                float(np.mean(same)),
                float(np.mean([value for some in expected.values() for value in some])),
                float(np.nanmean(losses(found, k))),
            )
        )
        for place, some in sorted(groups.items(), key=lambda item: -_mean_of(item[1])):
            mean, spread = _mean_of(some), deviation_of_mean(some)
            rows.append(
                {
                    "task": measurement.task.title,
                    "k": k,
                    "class": measurement.task.classes[place],
                    "chosen on": "both halves" if len(some) == 2 else "one half",
                    "loss on the other, points": 100 * mean,
                    "low": 100 * (mean - 1.96 * spread),
                    "high": 100 * (mean + 1.96 * spread),
                    "predicted loss, points": 100 * float(np.mean(expected[place])),
                    "margin": float(found.margins[found.labels == place].mean()),
                }
            )
    return chosen, pd.DataFrame(rows)


def _mean_of(groups: Sequence[np.ndarray]) -> float:
    """Mean over groups of their means; two halves of a class count alike."""
    return float(np.mean([one.mean() for one in groups]))


def shown_lost(table: pd.DataFrame) -> pd.DataFrame:
    """The table of classes that lose most for reading: the interval in one column."""
    shown = table.drop(columns=["low", "high", "margin"], errors="ignore")
    if len(table):
        interval = [
            "–" if low != low else f"{low:.0f} to {high:.0f}"
            for low, high in zip(table["low"], table["high"], strict=True)
        ]
        shown.insert(list(shown.columns).index("predicted loss, points"), "95% interval", interval)
    return shown


def describe_lost(chosen: Sequence[Chosen], few: Sequence[str] = ()) -> str:
    """A sentence with a line a task: what the classes that lose most lose on other images.
    ``few``: the tasks that are :func:`unranked`.
    """
    sentences = []
    for one in chosen:
        interval = "" if one.low != one.low else f" ({100 * one.low:.0f} to {100 * one.high:.0f})"
        sentences.append(
            f"{one.task} (k = {one.k}): the {one.most} classes that lose most lose "
            f"{100 * one.loss:.0f} points{interval}, where a common shift of margins predicts "
            f"{100 * one.predicted:.0f} and the mean over classes is {100 * one.mean:.0f}. On the "
            f"images that chose them it is {100 * one.same_images:.0f}"
        )
    if not sentences:
        return (
            "There are too few classes, or images of a class, to choose on one half of the images."
        )
    return lines(
        "**What to see:** losses on images that were not used to choose them",
        [*sentences, *left_out(few)],
    )


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
    left : float
        As ``across_seeds``, of what each class loses beyond a common shift of margins: what is left
        of the agreement when the difficulty of the classes is taken out.
    chance_left : float
        As ``chance``, of ``left``.
    names : list of str
        What the matrix is between: networks, then other selections of the first network.
    matrix : ndarray (m, m)
        Rank correlations of losses, averaged over seeds.
    """

    task: Task
    across_seeds: float
    shared: float
    chance: float
    left: float
    chance_left: float
    names: list[str] = field(repr=False)
    matrix: np.ndarray = field(repr=False)


def agreements(
    measurements: Measurements,
    hits: AllHits,
    delta: float,
    selections: Sequence[str],
    *,
    shuffles: int = 300,
) -> list[Agreement]:
    """Rank correlations of class losses across seeds, networks and selections, each where its mean
    keeps a share of its value.
    """
    others = [name for name in selections if name != "random"]
    found = []
    for task in measurements.tasks:
        within: dict[str, list[tuple[float, np.ndarray]]] = {"loss": [], "beyond": []}
        shared, names, rows = [], [], []
        rng = np.random.default_rng(0)
        for i, net in enumerate(measurements.nets):
            measurement, label = measurements.of(net, task), measurements.label(net)
            for selection in ["random", *(others if i == 0 else [])]:
                k = sufficient_size(measurement, delta, selection)
                if k is None:
                    continue
                one = hits_of(hits, measurement, selection)
                if too_few(one):
                    continue
                lost = losses(one, k)
                lost = lost[:, ~np.isnan(lost).any(0)]
                names.append(label if selection == "random" else f"{label}, {selection}")
                rows.append(lost.mean(0))
                if selection != "random" or len(lost) < 2:
                    continue
                shared.append(mean_agreement(lost))
                for kind, of in (("loss", losses), ("beyond", beyond)):
                    halves = [of(one, k, half) for half in one.halves]
                    within[kind].append(_across(halves, shuffles, rng))
        if not rows:
            continue
        values, limits = {}, {}
        for kind, some in within.items():
            values[kind] = float(np.mean([mean for mean, _ in some])) if some else float("nan")
            drawn = np.mean([chance for _, chance in some], 0) if some else np.array([np.nan])
            limits[kind] = float(np.quantile(drawn, 0.95))
        found.append(
            Agreement(
                task,
                values["loss"],
                float(np.mean(shared)) if shared else float("nan"),
                limits["loss"],
                values["beyond"],
                limits["beyond"],
                names,
                rank_correlation(np.stack(rows)),
            )
        )
    return found


def _across(
    halves: Sequence[np.ndarray], shuffles: int, rng: np.random.Generator
) -> tuple[float, np.ndarray]:
    """The agreement of pairs of seeds on disjoint halves, and what shuffled classes give."""
    both = ~np.isnan(halves[0]).any(0) & ~np.isnan(halves[1]).any(0)
    ours, theirs = (half[:, both] for half in halves)
    if ours.shape[1] < 2:
        return float("nan"), np.full(shuffles, np.nan)
    chance = [
        mean_agreement(rng.permuted(ours, axis=1), rng.permuted(theirs, axis=1))
        for _ in range(shuffles)
    ]
    return mean_agreement(ours, theirs), np.array(chance)


def agreement_panels(
    agreements: Sequence[Agreement],
) -> list[tuple[str, list[str], np.ndarray]]:
    """What :func:`figures.matrix_figure` draws; nothing if each matrix has one row."""
    if not agreements or len(agreements[0].names) == 1:
        return []
    return [(one.task.title, one.names, one.matrix) for one in agreements]


def describe_agreements(agreements: Sequence[Agreement], few: Sequence[str] = ()) -> str:
    """A sentence with a line a task: whether the same classes suffer across seeds and networks.
    ``few``: the tasks that are :func:`unranked`.
    """
    sentences = []
    for one in agreements:
        if one.across_seeds != one.across_seeds:
            continue
        off = one.matrix[np.triu_indices(len(one.names), 1)]
        across = f". Between the rows of the matrix: {np.nanmean(off):.2f}" if off.size else ""
        sentences.append(
            f"{one.task.title}: between seeds {one.across_seeds:.2f} (chance: below "
            f"{one.chance:.2f}), on the same images {one.shared:.2f}. Beyond a common shift of "
            f"margins: {one.left:.2f} (chance: below {one.chance_left:.2f}){across}"
        )
    if not sentences:
        return (
            "No size measured keeps the share of accuracy that is asked for, with several seeds, "
            f"on a task of {FEWEST_CLASSES} classes or more."
        )
    return lines(
        "**What to see:** mean rank correlations of the classes' losses, on different images "
        "unless others are named (1: the same order of classes every time)",
        [*sentences, *left_out(few)],
    )
