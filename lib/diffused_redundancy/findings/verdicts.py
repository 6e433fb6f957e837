"""The tests behind the verdicts. Each takes numbers and returns a verdict that states them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..measure.redundancy import Redundancy
from .claims import Verdict, interval_of_mean, judge, judge_with_doubt


def every_subset_keeps(
    curves: Mapping[str, np.ndarray], full: Mapping[str, float], share: float, what: str
) -> Verdict:
    """Claim 2: whether every random subset of half the layer keeps a share of the full layer's
    value.

    Parameters
    ----------
    curves : mapping from a case to an array (seeds, d)
        The measure at every k.
    full : mapping from a case to float
        The full layer's value.
    share : float
        What counts as keeping it.
    what : str
        The measure in words.
    """
    sufficient, d = {}, {}
    for case, values in curves.items():
        reached = (values >= share * full[case] - 1e-12).all(0)  # by the worst of the subsets
        below = np.flatnonzero(~reached)
        sufficient[case] = int(below[-1]) + 2 if len(below) else 1  # from here on never below again
        d[case] = values.shape[1]
    told = "; ".join(
        f"{case}: from k = {k} of {d[case]} ({k / d[case]:.0%})" for case, k in sufficient.items()
    )
    passed = [k <= d[case] / 2 for case, k in sufficient.items()]
    seeds = min(len(values) for values in curves.values())
    return judge(
        passed,
        f"Sizes from which each of the {seeds} subsets tried keeps {share:.0%} of the full "
        f"layer's {what}: {told}. "
        "It counts as held where that is at most half the layer (our criterion).",
    )


def a_fifth_within(ratios: Mapping[str, np.ndarray], loss: float) -> Verdict:
    """Claim 1: whether a random fifth keeps all but ``loss`` of the accuracy; ratios (seeds,) to
    the full layer by case.
    """
    passed, undecided, told = [], 0, []
    for case, values in ratios.items():
        low, high = interval_of_mean(values)
        if np.isnan(low):
            undecided += 1
            told.append(f"{case}: {values.mean():.1%} (one seed, no interval)")
            continue
        told.append(f"{case}: {values.mean():.1%} ({low:.1%} to {high:.1%})")
        if low >= 1 - loss or high < 1 - loss:
            passed.append(bool(low >= 1 - loss))
        else:
            undecided += 1
    if not told:
        return Verdict("undecided", "A fifth of the neurons is not among the sizes measured.")
    because = (
        "Accuracy of logistic probes on a random fifth as a share of the full layer's, "
        "with 95% intervals over "
        f"seeds: {'; '.join(told)}."
    )
    if undecided:
        because += (
            f" Undecided in {undecided} of {len(ratios)} cases: no interval, or one "
            "that includes "
            f"{1 - loss:.0%}."
        )
    return judge_with_doubt(passed, undecided, because)


def tasks_differ(
    found: Mapping[str, Mapping[str, Redundancy]], measure: str, most_told: int = 2
) -> Verdict:
    """Claim 3: whether, for each net, DR of some two tasks have intervals that do not overlap; the
    first nets are told in full.
    """
    passed, told = [], []
    for network, every in found.items():
        tasks = {
            title: one for title, one in every.items() if one.low == one.low
        }  # NaN: one seed, or delta never reached
        if len(tasks) < 2:
            continue
        least = min(tasks, key=lambda name: tasks[name].value)
        most = max(tasks, key=lambda name: tasks[name].value)
        low, high = tasks[least], tasks[most]
        passed.append(bool(low.high < high.low))
        told.append(
            f"{network}: from {low.value:.3f} ({low.low:.3f} to {low.high:.3f}) on {least} "
            f"to {high.value:.3f} ({high.low:.3f} to {high.high:.3f}) on {most}"
        )
    if not told:
        return Verdict(
            "undecided", "It takes two tasks, with intervals over several seeds, to compare."
        )
    because = (
        f"DR({next(iter(next(iter(found.values())).values())).delta:g}) of {measure} by "
        f"task: {'; '.join(told[:most_told])}."
    )
    if len(told) > most_told:
        because += (
            f" Of all {len(told)} nets compared, {sum(passed)} have two tasks whose "
            "intervals do not "
            "overlap."
        )
    return judge(passed, because)


def components_first(
    sizes: Mapping[str, Sequence[int]],
    d: Mapping[str, int],
    top: Mapping[str, np.ndarray],
    bottom: Mapping[str, np.ndarray],
    random: Mapping[str, np.ndarray],
) -> Verdict:
    """Claim 5: top components above random neurons, and bottom ones below both, at 1% to 10% of the
    layer.

    Values are mean accuracies by size, (sizes,), by case; there may be fewer components than sizes.
    """
    passed, told = [], []
    for case, ours in random.items():
        steps = np.asarray(sizes[case])
        n = min(len(top[case]), len(bottom[case]), len(ours))
        few = [i for i in range(n) if int(0.01 * d[case]) <= steps[i] <= 0.1 * d[case]]
        if not few:
            continue
        above = bool((top[case][few] > ours[few]).all())
        below = bool((bottom[case][few] < ours[few]).all())
        passed.append(above and below)
        ahead = np.flatnonzero(top[case][:n] > ours[:n] + 0.01)
        until = (
            f"ahead by more than a point at k = {', '.join(str(steps[i]) for i in ahead)}"
            if len(ahead)
            else "nowhere ahead by more than a point"
        )
        asked = ", ".join(str(steps[i]) for i in few)
        order = (
            ("above" if above else "not always above")
            + " random neurons, bottom ones "
            + ("worst" if below else "not always worst")
        )
        told.append(f"{case}: at k = {asked} top components are {order}; the top ones are {until}")
    if not told:
        return Verdict("undecided", "No size between 1% and 10% of the layer was measured.")
    return judge(passed, f"Mean accuracy of logistic probes. {'; '.join(told)}.")


def as_good_as_projections(
    sizes: Mapping[str, Sequence[int]],
    random: Mapping[str, np.ndarray],
    projected: Mapping[str, np.ndarray],
    kind: str,
    margin: float = 0.01,
) -> Verdict:
    """Claim 6: whether random neurons are nowhere worse than random projections by more than a
    margin.

    Values are accuracies (seeds, sizes) by case; ``kind`` names the projection. A size counts as
    worse when the 95% interval of the difference of means lies wholly below minus the margin; a
    case is undecided if none is, but some interval reaches below it.
    """
    passed, undecided, told = [], 0, []
    for case, ours in random.items():
        theirs = projected[case]
        steps = list(sizes[case])[: theirs.shape[1]]
        if len(ours) < 2 or len(theirs) < 2 or not steps:
            undecided += 1
            told.append(f"{case}: one seed, no interval")
            continue
        gaps = ours.mean(0)[: len(steps)] - theirs.mean(0)
        spreads = [_difference(ours[:, i], theirs[:, i]) for i in range(len(steps))]
        worse = [k for k, (_, high) in zip(steps, spreads, strict=True) if high < -margin]
        better = [k for k, (low, _) in zip(steps, spreads, strict=True) if low > margin]
        if worse or all(low >= -margin for low, _ in spreads):
            passed.append(not worse)
        else:
            undecided += 1
        words = [
            f"{word} at k = {', '.join(map(str, ks))}"
            for word, ks in (("worse", worse), ("better", better))
            if ks
        ]
        widest = int(np.abs(gaps).argmax())
        told.append(
            f"{case}: {' and '.join(words) or 'at no size clearly worse or better'} (largest "
            f"gap {100 * gaps[widest]:+.1f} at k = {steps[widest]})"
        )
    return judge_with_doubt(
        passed,
        undecided,
        f"Random neurons less {kind}, in points of accuracy. Worse (better) at a size means "
        "that the whole 95% interval over seeds is "
        f"below -{100 * margin:g} (above {100 * margin:g}); sizes are judged one by one. "
        f"{'; '.join(told)}.",
    )


def _difference(
    ours: np.ndarray, theirs: np.ndarray, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of a difference of means over two sets of seeds."""
    rng = np.random.default_rng(seed)
    a = ours[rng.integers(len(ours), size=(resamples, len(ours)))].mean(1)
    b = theirs[rng.integers(len(theirs), size=(resamples, len(theirs)))].mean(1)
    low, high = np.quantile(a - b, [0.025, 0.975])
    return float(low), float(high)
