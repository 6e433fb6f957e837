"""The tests behind the verdicts. Each takes numbers and returns a verdict that states them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import norm

from ..measures.curves import Curve, size_of
from ..measures.redundancy import Redundancy
from ..measures.selections import SELECTIONS
from ..uncertainty.bootstrap import percentile_interval
from .claims import Outcome, Verdict, judge
from .tables import Curves

FEW = 0.1
"""Share of a layer up to which sizes are called few."""


def every_subset_keeps(random: Mapping[str, Curve], share: float, what: str = "") -> Verdict:
    """Claim 2: whether every random subset of half the layer keeps a share of the full layer's
    value.

    Parameters
    ----------
    random : mapping from a case to Curve
        Of random neurons. Those whose full layer is not clearly better than guessing are left out.
    share : float
        What counts as keeping it.
    what : str
        The measure in words; by default its name.
    """
    random = {case: curve for case, curve in random.items() if curve.above_guessing}
    if not random:
        return Verdict("undecided", "No full layer is clearly better than guessing.")
    outcomes, sentences = [], []
    for case, curve in random.items():
        reached = (curve.values >= share * curve.full - 1e-12).all(0)  # by the worst of the subsets
        below = np.flatnonzero(~reached)
        later = [*curve.sizes.tolist(), curve.d + 1]  # after the last size below it is never below
        k = later[below[-1] + 1] if len(below) else later[0]
        outcomes.append(Outcome(case, k <= curve.d / 2))
        sentences.append(f"{case}: from k = {k} of {curve.d} ({k / curve.d:.0%})")
    what = what or next(iter(random.values())).name
    seeds = min(len(curve.seeds) for curve in random.values())
    return judge(
        outcomes,
        f"Sizes from which each of the {seeds} subsets tried keeps {share:.0%} of the full layer's "
        f"{what}: {'; '.join(sentences)}. "
        "A case counts where that is at most half the layer (our criterion).",
    )


def a_fifth_within(curves: Mapping[str, Curve], loss: float) -> Verdict:
    """Claim 1: whether a random fifth keeps all but ``loss`` of the accuracy, as a share of it; the
    same in points is told.

    Parameters
    ----------
    curves : mapping from a case to Curve
        Of random neurons. Those without that size, or whose full layer is not clearly better than
        guessing, are left out.
    loss : float
        What may be lost.
    """
    outcomes, sentences, in_points = [], [], 0
    for case, curve in curves.items():
        k = size_of(0.2, curve.d)
        if curve.column(k) is None or not curve.above_guessing or not curve.full > 0:
            continue
        share, low, high = curve.kept(k)
        points = 100 * (1 - share) * curve.full
        passed = bool(low >= 1 - loss) if low >= 1 - loss or high < 1 - loss else None
        outcomes.append(Outcome(case, passed))
        ends = f"{low:.1%} to {high:.1%}" if low == low else "one seed, no interval"
        in_points += points <= 100 * loss
        sentences.append(f"{case}: {share:.1%} ({ends}), {points:.1f} points less")
    if not outcomes:
        return Verdict("undecided", "A fifth of the neurons is not among the sizes measured.")
    return judge(
        outcomes,
        f"Accuracy of {next(iter(curves.values())).name.split()[0]} probes on a random fifth as a "
        f"share of the full layer's, with 95% intervals over subsets and test images: "
        f"{'; '.join(sentences)}. A case counts by its share; in points, {in_points} of "
        f"{len(outcomes)} lose at most {100 * loss:g}.",
    )


def confidence_for_pairs(tasks: int, level: float = 0.05) -> float:
    """The confidence of intervals of so many values, of which some two fail to overlap by chance,
    were all equal, with probability ``level`` at most.

    >>> [round(confidence_for_pairs(n), 3) for n in (2, 4, 6)]
    [0.834, 0.938, 0.962]
    """
    pairs = max(1, tasks * (tasks - 1) // 2)
    return float(2 * norm.cdf(norm.ppf(1 - level / pairs / 2) / np.sqrt(2)) - 1)


def tasks_differ(
    redundancies: Mapping[str, Mapping[str, Redundancy]], measure: str, most_told: int = 2
) -> Verdict:
    """Claim 3: whether, for each network, DR of some two tasks have intervals that do not overlap.

    Parameters
    ----------
    redundancies : mapping from a network to a mapping from a task to Redundancy
        With intervals of a confidence that allows for choosing the two tasks that differ most; see
        :func:`confidence_for_pairs`.
    measure : str
        In words.
    most_told : int
        How many networks are told in full.
    """
    outcomes, sentences, delta, confidence = [], [], 0.0, 0.0
    for network, by_task in redundancies.items():
        tasks = {title: one for title, one in by_task.items() if one.has_interval}
        if len(tasks) < 2:
            continue
        least = min(tasks, key=lambda title: tasks[title].value)
        most = max(tasks, key=lambda title: tasks[title].value)
        low, high = tasks[least], tasks[most]
        delta, confidence = low.delta, low.confidence
        outcomes.append(Outcome(network, True if low.high < high.low else None))
        sentences.append(
            f"{network}: from {low.value:.3f} ({low.low:.3f} to {low.high:.3f}) on {least} "
            f"to {high.value:.3f} ({high.low:.3f} to {high.high:.3f}) on {most}"
        )
    if not sentences:
        return Verdict(
            "undecided", "It takes two tasks, with intervals over several seeds, to compare."
        )
    because = (
        f"DR({delta:g}) of {measure} by task, with {confidence:.1%} intervals, which allow for "
        f"comparing all tasks: {'; '.join(sentences[:most_told])}."
    )
    if len(sentences) > most_told:
        told = sum(bool(one.passed) for one in outcomes)
        because += (
            f" Of all {len(sentences)} networks, {told} have two tasks whose intervals do not "
            "overlap. (They share their images, so these are not independent.)"
        )
    return judge(outcomes, because, "networks")


def components_first(curves: Curves) -> Verdict:
    """Claim 5: top components above random neurons, and bottom ones below both, at every size from
    1% to 10% of the layer.

    A case counts if the 95% intervals of both differences lie above 0 at all these sizes, and
    against if some lies below.

    Parameters
    ----------
    curves : Curves
        With ``random``, ``pca`` and ``pca_least`` at the same sizes; there may be fewer components
        than sizes.
    """
    outcomes, sentences = [], []
    for case, kinds in curves.items():
        random, top, bottom = (kinds[name] for name in ("random", "pca", "pca_least"))
        n = min(len(curve.sizes) for curve in (random, top, bottom))
        few = [
            i for i in range(n) if int(0.01 * random.d) <= random.sizes[i] <= size_of(FEW, random.d)
        ]
        if not few:
            continue
        told = []
        for above, below in ((top, random), (random, bottom)):
            ends = np.array([gap_at(above, [i], below, [i]) for i in few])
            told.append(int((ends[:, 1] > 0).all()) - int((ends[:, 2] < 0).any()))
            widest = few[int(np.abs(ends[:, 0]).argmax())]
            gap, low, high = gap_at(above, [widest], below, [widest])
            sentences.append(
                f"{case}, {_short(above)} less {_short(below)}: up to {100 * gap:+.1f} points "
                f"({100 * low:+.1f} to {100 * high:+.1f}) at k = {random.sizes[widest]}"
            )
        passed = True if min(told) > 0 else False if min(told) < 0 else None
        outcomes.append(Outcome(case, passed))
    if not outcomes:
        return Verdict("undecided", "No size between 1% and 10% of the layer was measured.")
    return judge(
        outcomes,
        "Accuracy of probes at 1% to 10% of the layer, with 95% intervals over subsets and test "
        f"images. {'; '.join(sentences)}. A case counts where both differences are clearly above 0 "
        "at every size measured there.",
    )


def as_good_as_projections(
    curves: Curves, projection: str, *, few: bool, margin: float = 0.01
) -> Verdict:
    """Claim 6: whether random neurons are no worse than random projections by more than a margin,
    in the mean over the sizes of a range.

    Parameters
    ----------
    curves : Curves
        Accuracies, with ``random`` and the projection at the same sizes; the projection may have
        fewer.
    projection : str
        The selection.
    few : bool
        Sizes up to a tenth of the layer, or those above.
    margin : float
    """
    outcomes, sentences = [], []
    for case, kinds in curves.items():
        random, projected = kinds["random"], kinds[projection]
        n = min(len(random.sizes), len(projected.sizes))
        places = [i for i in range(n) if (random.sizes[i] <= size_of(FEW, random.d)) == few]
        if not places:
            continue
        gap, low, high = gap_at(random, places, projected, places)
        passed = True if low >= -margin else False if high < -margin else None
        outcomes.append(Outcome(case, passed))
        ends = f"{100 * low:+.1f} to {100 * high:+.1f}" if low == low else "one seed, no interval"
        sentences.append(f"{case}: {100 * gap:+.1f} ({ends})")
    sizes = f"{'up to' if few else 'above'} a tenth of the layer"
    if not outcomes:
        return Verdict("undecided", f"No size {sizes} was measured.")
    return judge(
        outcomes,
        f"Sizes {sizes}: random neurons less {SELECTIONS[projection].label}, in points of accuracy "
        f"averaged over the sizes measured, with 95% intervals over draws and test images: "
        f"{'; '.join(sentences)}. A case counts where the interval lies above -{100 * margin:g}.",
    )


def _short(curve: Curve) -> str:
    return SELECTIONS[curve.selection].label.partition(" (")[0]


def gap_at(
    ours: Curve, at: Sequence[int], theirs: Curve, their_at: Sequence[int]
) -> tuple[float, float, float]:
    """The difference of two mean curves averaged over some places of each, and the ends of its
    interval over draws of both and the images they share; NaN without one.
    """
    places, their_places = list(at), list(their_at)
    gap = float((ours.mean[places] - theirs.mean[their_places]).mean())
    first, second = ours.resampled(), theirs.resampled()
    if first is None or second is None:
        return gap, float("nan"), float("nan")
    gaps = (first.values[:, places] - second.values[:, their_places]).mean(1)
    return gap, *percentile_interval(gaps)
