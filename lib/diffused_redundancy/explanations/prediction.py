"""What tells DR of accuracy without a probe, and what does not: tables, sentences, figures."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ..experiment.measurements import COMPARED, Measurements
from ..experiment.predictors import ACCURACY, POOLED, PREDICTORS, Told
from ..findings.figure_data import Point, Series
from ..findings.grouping import TRAITS
from ..findings.phrases import listed
from ..nets.networks import Net
from ..uncertainty.association import Association


def told_table(found: Sequence[Told]) -> pd.DataFrame:
    """Every number, one row a predictor, task and set of networks."""
    rows = []
    for one in found:
        row = {
            "predictor": PREDICTORS[one.predictor].words,
            "needs": PREDICTORS[one.predictor].needs or "train images",
            "task": one.task,
            "networks": one.networks,
            "groups": one.gain.units,
            "equal_width": one.equal_width,
            "rank_correlation_over_networks": one.over_networks,
        }
        for kind, of in (("rank_correlation", one.correlation), ("gain", one.gain)):
            for name, number in ("", "value"), ("_low", "low"), ("_high", "high"), ("_p", "p"):
                row[kind + name] = float("nan") if of is None else getattr(of, number)
            row[f"{kind}_p_holm"] = float("nan") if of is None else of.corrected_p
        rows.append(row)
    return pd.DataFrame(rows)


def shown_told(found: Sequence[Told]) -> pd.DataFrame:
    """For reading: one row a predictor and set of networks; by task the rank correlation over
    groups with its interval, and the gain on all tasks together. Clear ones are marked.
    """
    rows: dict[tuple[bool, str], dict[str, str]] = {}
    for one in found:
        networks = "equal width" if one.equal_width else "all"
        words = PREDICTORS[one.predictor].words
        row = rows.setdefault(
            (one.equal_width, one.predictor), {"predictor": words, "networks": networks}
        )
        if one.correlation is not None:
            row[f"{one.task}: rank correlation"] = _shown(one.correlation)
        else:
            row["gain, all tasks"] = _shown(one.gain)
    return pd.DataFrame(rows.values())


def _shown(one: Association) -> str:
    if one.value != one.value:
        return "–"
    return f"{one.value:.2f} ({one.low:.2f} to {one.high:.2f}){' *' if one.clear else ''}"


def similarity_panels(
    measurements: Measurements, measure: str, delta: float
) -> list[tuple[str, list[Series]]]:
    """What :func:`figures.series_figure` draws: DR of accuracy against that of a similarity, one
    plot a task, a point for each network, by what sets it apart from the first one.
    """
    kinds: dict[str, list[Net]] = {}
    for net in measurements.nets:
        kinds.setdefault(_kind(net, measurements.nets[0]), []).append(net)
    row = []
    for task in measurements.tasks:
        lines = []
        for look, (kind, nets) in enumerate(kinds.items()):
            some = [measurements.of(net, task) for net in nets]
            x = [one.redundancy(measure, delta).value for one in some]
            y = [Point(one.redundancy(ACCURACY, delta).value) for one in some]
            lines.append(Series(kind, x, y, look, joined=False))
        row.append((task.title, lines))
    return row


def _kind(net: Net, reference: Net) -> str:
    """What sets a network apart from the reference: its loss in a word, or another trait."""
    for trait, words in (
        ("family", "another family"),
        ("width", "another width"),
        ("upstream", "other upstream images"),
    ):
        if TRAITS[trait](net) != TRAITS[trait](reference):
            return words
    return str(TRAITS["loss"](net)).split()[0].partition("-")[0]


def correlation_panels(
    found: Sequence[Told],
) -> list[tuple[str, list[tuple[str, list[Point]]]]]:
    """What :func:`figures.groups_figure` draws: the rank correlation of every predictor with DR of
    accuracy, one plot a task; first among all networks, then among those of equal width.
    """
    panels = []
    for task in dict.fromkeys(one.task for one in found if one.correlation is not None):
        groups = []
        for name, predictor in PREDICTORS.items():
            some = [one for one in found if (one.predictor, one.task) == (name, task)]
            points = [
                Point(one.correlation.value, one.correlation.low, one.correlation.high)
                for one in some
                if one.correlation is not None
            ]
            groups.append((predictor.words, points))
        panels.append((task, groups))
    return panels


def describe_similarity(found: Sequence[Told], delta: float) -> str:
    """Sentences: how far DR of the similarities goes with DR of accuracy, over groups."""
    sentences = []
    for equal_width in (False, True):
        for name in PREDICTORS:
            some = [
                one
                for one in found
                if (one.predictor, one.equal_width) == (name, equal_width)
                and one.correlation is not None
                and one.correlation.value == one.correlation.value
            ]
            if name not in COMPARED or not some:
                continue
            parts = [
                f"{one.correlation.value:.2f} ({one.correlation.low:.2f} to "
                f"{one.correlation.high:.2f}) on {one.task}"
                for one in some
                if one.correlation
            ]
            clear = [one.task for one in some if one.correlation and one.correlation.clear]
            among = "of equal width" if equal_width else "of all networks"
            sentences.append(
                f"{PREDICTORS[name].words}, {some[0].gain.units} groups {among}: {listed(parts)}, "
                f"clear on {listed(clear) if clear else 'no task'}; over the {some[0].networks} "
                f"networks, as if they were independent, "
                f"{listed([f'{one.over_networks:.2f}' for one in some])}"
            )
    if not sentences:
        return "There are too few groups of networks to say whether similarity tells accuracy."
    return (
        f"**What to see:** Spearman's rank correlation with DR({delta:g}) of accuracy, over groups "
        "of networks that differ in their seed only, with 95% intervals over groups. "
        f"{'. '.join(sentences)}. (Clear: the interval leaves out 0, and p of a permutation test, "
        "corrected for all predictors and tasks of these networks, is at most 0.05.)"
    )


def describe_gains(found: Sequence[Told]) -> str:
    """Sentences: which predictors tell DR of accuracy of a group that was left out better than the
    mean of the others does, clearly.
    """
    sentences = []
    for equal_width in (False, True):
        some = [
            one
            for one in found
            if one.equal_width == equal_width and one.gain.value == one.gain.value
        ]
        if not some:
            continue
        by_task: dict[str, list[Told]] = {}
        for one in some:
            by_task.setdefault(one.task, []).append(one)
        parts = []
        for task, of_task in by_task.items():
            clear = sorted(
                (one for one in of_task if one.gain.clear), key=lambda one: -one.gain.value
            )
            if clear:
                told_clear = [
                    f"{PREDICTORS[one.predictor].words} {one.gain.value:.0%} "
                    f"({one.gain.low:.0%} to {one.gain.high:.0%})"
                    for one in clear
                ]
                parts.append(f"on {task} {listed(told_clear)}")
            else:
                best = max(of_task, key=lambda one: one.gain.value)
                parts.append(
                    f"on {task} none (the best, {PREDICTORS[best.predictor].words}, "
                    f"{best.gain.value:.0%}, {best.gain.low:.0%} to {best.gain.high:.0%})"
                )
        among = "networks of equal width" if equal_width else "all networks"
        sentences.append(f"Among {among}: {'; '.join(parts)}")
    if not sentences:
        return "There are too few groups of networks to predict one from the others."
    pooled = (
        f" With {POOLED}, each has an intercept of its own, and the slope is common."
        if any(one.task == POOLED for one in found)
        else ""
    )
    return (
        "**What to see:** predictors that clearly tell DR of accuracy of a group that was left out "
        "better than the mean of the other groups does, with the share of the squared error that "
        f"they save. {'. '.join(sentences)}.{pooled}"
    )
