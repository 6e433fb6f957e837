"""The tests behind the verdicts. Each takes numbers and returns a verdict that states them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..uncertainty.bootstrap import interval_of_mean
from ..measures.curves import Curve
from ..measures.redundancy import Redundancy
from ..measures.selections import SELECTIONS
from .claims import Verdict, judge, judge_with_doubt
from .tables import Curves


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
    sufficient = {}
    for case, curve in random.items():
        reached = (curve.values >= share * curve.full - 1e-12).all(0)  # by the worst of the subsets
        below = np.flatnonzero(~reached)
        later = [*curve.sizes.tolist(), curve.d + 1]  # after the last size below it is never below
        sufficient[case] = later[below[-1] + 1] if len(below) else later[0]
    sizes = "; ".join(
        f"{case}: from k = {k} of {random[case].d} ({k / random[case].d:.0%})"
        for case, k in sufficient.items()
    )
    what = what or next(iter(random.values())).name
    seeds = min(len(curve.seeds) for curve in random.values())
    return judge(
        [k <= random[case].d / 2 for case, k in sufficient.items()],
        f"Sizes from which each of the {seeds} subsets tried keeps {share:.0%} of the full layer's "
        f"{what}: {sizes}. "
        "It counts as held where that is at most half the layer (our criterion).",
    )


def a_fifth_within(shares: Mapping[str, np.ndarray], loss: float) -> Verdict:
    """Claim 1: whether a random fifth keeps all but ``loss`` of the accuracy.

    Parameters
    ----------
    shares : mapping from a case to ndarray (seeds,)
        Accuracy of a random fifth as a share of the full layer's.
    loss : float
        What may be lost.
    """
    passed, undecided, sentences = [], 0, []
    for case, values in shares.items():
        low, high = interval_of_mean(values)
        if np.isnan(low):
            undecided += 1
            sentences.append(f"{case}: {values.mean():.1%} (one seed, no interval)")
            continue
        sentences.append(f"{case}: {values.mean():.1%} ({low:.1%} to {high:.1%})")
        if low >= 1 - loss or high < 1 - loss:
            passed.append(bool(low >= 1 - loss))
        else:
            undecided += 1
    if not sentences:
        return Verdict("undecided", "A fifth of the neurons is not among the sizes measured.")
    because = (
        "Accuracy of logistic probes on a random fifth as a share of the full layer's, with 95% "
        f"intervals over seeds: {'; '.join(sentences)}."
    )
    if undecided:
        because += (
            f" Undecided in {undecided} of {len(shares)} cases: no interval, or one that includes "
            f"{1 - loss:.0%}."
        )
    return judge_with_doubt(passed, undecided, because)


def tasks_differ(
    redundancies: Mapping[str, Mapping[str, Redundancy]], measure: str, most_told: int = 2
) -> Verdict:
    """Claim 3: whether, for each network, DR of some two tasks have intervals that do not overlap.

    Parameters
    ----------
    redundancies : mapping from a network to a mapping from a task to Redundancy
    measure : str
        In words.
    most_told : int
        How many networks are told in full.
    """
    passed, sentences, delta = [], [], 0.0
    for network, by_task in redundancies.items():
        tasks = {title: one for title, one in by_task.items() if one.has_interval}
        if len(tasks) < 2:
            continue
        least = min(tasks, key=lambda title: tasks[title].value)
        most = max(tasks, key=lambda title: tasks[title].value)
        low, high = tasks[least], tasks[most]
        delta = low.delta
        passed.append(bool(low.high < high.low))
        sentences.append(
            f"{network}: from {low.value:.3f} ({low.low:.3f} to {low.high:.3f}) on {least} "
            f"to {high.value:.3f} ({high.low:.3f} to {high.high:.3f}) on {most}"
        )
    if not sentences:
        return Verdict(
            "undecided", "It takes two tasks, with intervals over several seeds, to compare."
        )
    because = f"DR({delta:g}) of {measure} by task: {'; '.join(sentences[:most_told])}."
    if len(sentences) > most_told:
        because += (
            f" Of all {len(sentences)} networks compared, {sum(passed)} have two tasks whose "
            "intervals do not overlap."
        )
    return judge(passed, because)


def components_first(curves: Curves) -> Verdict:
    """Claim 5: top components above random neurons, and bottom ones below both, at 1% to 10% of the
    layer, in mean accuracy.

    Parameters
    ----------
    curves : Curves
        With ``random``, ``pca`` and ``pca_least`` at the same sizes; there may be fewer components
        than sizes.
    """
    passed, sentences = [], []
    for case, kinds in curves.items():
        random, top, bottom = (kinds[name].mean for name in ("random", "pca", "pca_least"))
        sizes, d = kinds["random"].sizes, kinds["random"].d
        n = min(len(top), len(bottom), len(random))
        few = [i for i in range(n) if int(0.01 * d) <= sizes[i] <= 0.1 * d]
        if not few:
            continue
        above = bool((top[few] > random[few]).all())
        below = bool((bottom[few] < random[few]).all())
        passed.append(above and below)
        ahead = sizes[:n][top[:n] > random[:n] + 0.01]
        until = (
            f"ahead by more than a point at k = {_numbers(ahead)}"
            if len(ahead)
            else "nowhere ahead by more than a point"
        )
        sentences.append(
            f"{case}: at k = {_numbers(sizes[few])} top components are "
            f"{'above' if above else 'not always above'} random neurons, bottom ones "
            f"{'worst' if below else 'not always worst'}; the top ones are {until}"
        )
    if not sentences:
        return Verdict("undecided", "No size between 1% and 10% of the layer was measured.")
    return judge(passed, f"Mean accuracy of logistic probes. {'; '.join(sentences)}.")


def as_good_as_projections(curves: Curves, projection: str, margin: float = 0.01) -> Verdict:
    """Claim 6: whether random neurons are nowhere worse than random projections by more than a
    margin.

    A size counts as worse when the 95% interval of the difference of means lies wholly below minus
    the margin; a case is undecided if none is, but some interval reaches below it.

    Parameters
    ----------
    curves : Curves
        Accuracies, with ``random`` and the projection at the same sizes; the projection may have
        fewer.
    projection : str
        The selection.
    margin : float
    """
    passed, undecided, sentences = [], 0, []
    for case, kinds in curves.items():
        random, projected = kinds["random"], kinds[projection]
        n = min(len(random.sizes), len(projected.sizes))
        if len(random.seeds) < 2 or len(projected.seeds) < 2 or not n:
            undecided += 1
            sentences.append(f"{case}: one seed, no interval")
            continue
        sizes, gaps = random.sizes[:n], random.mean[:n] - projected.mean[:n]
        intervals = [_difference(random.values[:, i], projected.values[:, i]) for i in range(n)]
        low, high = np.array(intervals).T
        worse, better = sizes[high < -margin], sizes[low > margin]
        if len(worse) or (low >= -margin).all():
            passed.append(not len(worse))
        else:
            undecided += 1
        words = [
            f"{word} at k = {_numbers(ks)}"
            for word, ks in (("worse", worse), ("better", better))
            if len(ks)
        ]
        widest = int(np.abs(gaps).argmax())
        sentences.append(
            f"{case}: {' and '.join(words) or 'at no size clearly worse or better'} (largest gap "
            f"{100 * gaps[widest]:+.1f} at k = {sizes[widest]})"
        )
    return judge_with_doubt(
        passed,
        undecided,
        f"Random neurons less {SELECTIONS[projection].label}, in points of accuracy. Worse "
        "(better) at a size means that the whole 95% interval over seeds is "
        f"below -{100 * margin:g} (above {100 * margin:g}); sizes are judged one by one. "
        f"{'; '.join(sentences)}.",
    )


def _numbers(sizes: np.ndarray) -> str:
    return ", ".join(map(str, sizes))


