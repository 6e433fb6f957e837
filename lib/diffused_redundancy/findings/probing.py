"""How useful parts of a layer are: accuracies of probes, and how far the two probes agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ..experiment.probed_layer import ProbedLayer
from ..experiment.subsamples import FIFTH
from ..measures.curves import Curve, size_of
from ..measures.gains import gap_at
from ..measures.guessing import LEVEL
from ..measures.selections import orders
from ..nets.names import titles
from ..nets.networks import Net
from ..tasks import Task
from ..uncertainty.interval import WithInterval
from .figure_data import Line
from .phrases import lines, listed, place, with_interval
from .tables import Curves, RedundancyTable, mean_in_words, of_selection

CLAIMED = "resnet50.a1_in1k"
"""The network of claim 1; other weights of its architecture show an analogue."""


def probe_curves(
    layers: Mapping[str, ProbedLayer],
    probe: str,
    selections: Sequence[str],
    seeds: Sequence[int],
    fractions: Sequence[float] = (),
    *,
    count: int = 0,
) -> Curves:
    """Test accuracy by case and selection: of the ``ridge`` probe at every k, of the ``logistic``
    one at fractions of the layer; of random neurons at least ``count`` orders.
    """
    seeds_of = {name: orders(seeds, count) if name == "random" else seeds for name in selections}
    return {
        case: {name: layer.probe(probe, name, seeds_of[name], fractions) for name in selections}
        for case, layer in layers.items()
    }


ENOUGH = 0.95
"""The share of the accuracy that a fifth is to keep, in claim 1."""


def kept_lines(logistic: Curves) -> list[Line]:
    """What random neurons keep of the full layer's accuracy, by case, named with what a fifth
    keeps.
    """
    lines = []
    for look, (case, kinds) in enumerate(logistic.items()):
        curve = kinds["random"]
        if not curve.full:  # there is nothing to keep
            continue
        share, fifth = curve.values / curve.full, curve.column(size_of(FIFTH, curve.d))
        name = case if fifth is None else f"{case}: {share[:, fifth].mean():.1%}"
        line = Line("random", curve.sizes / curve.d, share, marked=True, name=name, look=look)
        lines.append(line)
    return lines


def describe_convergence(logistic: Curves) -> str:
    """One sentence on how many logistic probes were fitted, and how many did not converge."""
    converged = np.concatenate(
        [
            curve.converged.ravel()
            for kinds in logistic.values()
            for curve in kinds.values()
            if curve.converged is not None
        ]
    )
    return (
        f"{converged.size} probes were fitted; {int((~converged).sum())} did not reach the "
        "tolerance."
    )


def describe_probes(curves: Curves) -> str:
    """A sentence with a line a case: what the figure of a probe shows."""
    sentences = [
        f"{case}: {mean_in_words(curve, 0.2)} against {curve.full:.1%}"
        for case, curve in of_selection(curves).items()
        if curve.column(size_of(0.2, curve.d)) is not None
    ]
    if not sentences:
        return "A fifth of the neurons is not among the sizes measured."
    text = lines(
        "**What to see:** the probe's mean accuracy with a fifth of the neurons, chosen at random "
        "(95% intervals over subsets and images), against the full layer's",
        sentences,
    )
    guessed = [
        f"{place(case)} ({curve.full:.1%} against {curve.guessing:.1%})"
        for case, curve in of_selection(curves).items()
        if not curve.above_guessing
    ]
    if not guessed:
        return text
    return (
        f"{text}\n\nThe full layer is not clearly better than guessing the largest class of the "
        f"test images (one-sided binomial test at {LEVEL:.0%}) on {listed(guessed)}: what is kept "
        "of that means nothing, and verdicts leave it out."
    )


def as_claimed(
    curves: Mapping[str, Curve], cases: Mapping[str, tuple[Net, Task]]
) -> tuple[dict[str, Curve], dict[str, Curve]]:
    """The curves of what claim 1 is about, the paper's ResNet50 on CIFAR10, and those of other
    networks and tasks; ``cases`` says what each case is.
    """
    claimed: dict[str, Curve] = {}
    others: dict[str, Curve] = {}
    for case, curve in curves.items():
        net, task = cases[case]
        about = net.name == CLAIMED and task.name.partition(":")[0] == "cifar10"
        (claimed if about else others)[case] = curve
    return claimed, others


def at_penalties_as_good(
    layers: Mapping[str, ProbedLayer], seeds: Sequence[int]
) -> tuple[dict[str, list[Curve]], dict[str, list[float]]]:
    """Of random neurons, at the penalties that cross-validation cannot tell apart from those
    chosen: curves of ridge probes, and what logistic probes keep on a fifth of the layer, by case.
    """
    ridge, logistic = {}, {}
    for case, layer in layers.items():
        ridge[case] = [
            layer.ridge("random", seeds, penalty=penalty)
            for penalty in layer.ridge_penalty.alike
            if penalty != layer.ridge_penalty.penalty
        ]
        fifth = size_of(0.2, layer.d)
        logistic[case] = [
            layer.logistic("random", seeds, [fifth], penalty=penalty).kept(fifth)[0]
            for penalty in layer.logistic_penalty.alike
            if penalty != layer.logistic_penalty.penalty
        ]
    return ridge, logistic


def agreement(ridge: Curves, logistic: Curves) -> pd.DataFrame:
    """How far the two probes are apart (ridge less logistic, in points), for the same random
    neurons, over the sizes of the logistic one.
    """
    rows = []
    for case, theirs in of_selection(logistic).items():
        ours = ridge[case]["random"]
        same = [seed in theirs.seeds for seed in ours.seeds]
        mean = ours.values[same].mean(0) if any(same) else ours.mean
        gap = 100 * (mean[np.searchsorted(ours.sizes, theirs.sizes)] - theirs.mean)
        widest = int(np.abs(gap).argmax())
        fifth = theirs.column(size_of(0.2, theirs.d))
        low = high = float("nan")
        if fifth is not None and any(same):
            at = [size_of(0.2, theirs.d) - 1]  # the ridge probe is at every size
            paired = replace(ours, values=ours.values[same], seeds=theirs.seeds, per_class=None)
            _, low, high = gap_at(paired, at, theirs, [fifth])
        rows.append(
            {
                "case": case,
                "ridge, full layer": ours.full,
                "logistic, full layer": theirs.full,
                "largest gap": float(gap[widest]),
                "at k": int(theirs.sizes[widest]),
                "gap at a fifth": float("nan") if fifth is None else float(gap[fifth]),
                "low": 100 * low,
                "high": 100 * high,
            }
        )
    return pd.DataFrame(rows)


def describe_agreement(table: pd.DataFrame) -> str:
    """What the table of the two probes means for reading the rest."""
    worst, fifth = table["largest gap"].abs().max(), table["gap at a fifth"].abs().max()
    text = f"**What to see:** the two probes differ by up to {worst:.0f} points at some size"
    if fifth == fifth:
        most = table.loc[table["gap at a fifth"].abs().idxmax()]
        ends = f" (95% interval {most['low']:+.1f} to {most['high']:+.1f})"
        text += (
            f", and by up to {fifth:.1f} points at a fifth of the layer, on {place(most['case'])}"
            f"{ends if most['low'] == most['low'] else ''}"
        )
    text += ". "
    widest = table.loc[table["largest gap"].abs().idxmax()]
    if widest["largest gap"] >= -2:
        return text + "Where they differ, the logistic probe is the paper's."
    return text + (
        f"Where they differ most, on {place(widest['case'])} at k = {widest['at k']}, the ridge "
        "probe is the lower one. So read the shape of its exact curves, and take the levels from "
        "the logistic probe, which is the paper's."
    )


def describe_redundancy(table: RedundancyTable) -> str:
    """A sentence with a line a case: DR of random neurons."""
    sentences = [
        f"{case}: {with_interval(one.value, one.low, one.high, '.0%')}"
        for case, one in table.of("random", table.delta).items()
        if one.k is not None and case not in table.guessed
    ]
    if not sentences and table.guessed:
        return (
            f"Where a size keeps {table.delta:.0%} of {table.measure}, the full layer is not "
            "clearly better than guessing the largest class: that means nothing."
        )
    if not sentences:
        return f"No size measured keeps {table.delta:.0%} of the full layer's {table.measure}."
    return lines(
        f"**What to see:** the share of neurons that can be dropped while {table.delta:.0%} of "
        f"{table.measure} is kept, with 95% intervals",
        sentences,
    )


def curves_by_net(
    curves: Curves, cases: Mapping[str, tuple[Net, Task]]
) -> dict[str, dict[str, Curve]]:
    """The curves of random neurons by network and title of the task; ``cases`` says what each case
    is.
    """
    nets = list(dict.fromkeys(net.name for net, _ in cases.values()))
    return {
        title: {
            cases[case][1].title: curve
            for case, curve in of_selection(curves).items()
            if cases[case][0].name == name
        }
        for name, title in zip(nets, titles(nets), strict=True)
    }


def results_of(ridge: Curves, logistic: Curves) -> dict[str, float]:
    """Key numbers: what a random fifth keeps, and the full layers' accuracies."""
    return {
        f"share at 20%, {case}": WithInterval(*curve.kept(k))
        for case, curve in of_selection(logistic).items()
        if curve.column(k := size_of(0.2, curve.d)) is not None
        and curve.full > 0
        and curve.above_guessing
    } | {
        f"full layer, {probe}, {case}": curve.full
        for probe, curves in (("ridge", ridge), ("logistic", logistic))
        for case, curve in of_selection(curves).items()
    }
