"""The tests behind the verdicts. Each takes numbers and returns a verdict that states them."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from ..measures.curves import Curve, size_of
from ..measures.gains import gap_at
from ..measures.selections import SELECTIONS
from ..uncertainty.bootstrap import percentile_interval, resampled
from ..uncertainty.comparison import LEVEL
from .claims import NOT_ASKED, Outcome, Verdict, judge
from .phrases import listed, span
from .tables import Curves

FEW = 0.1
"""Share of a layer up to which sizes are called few."""

AS_GOOD = 0.01
"""What accuracy on random neurons may be below that on projections without being worse."""

MOST_TOLD = 2
"""Networks of which it is told how far tasks are apart."""

PAIRED_RESAMPLES = 2000
"""Resamples of intervals that allow for many comparisons, which rest on their far ends."""


def every_subset_keeps(
    random: Mapping[str, Curve],
    share: float,
    what: str = "",
    *,
    controls: Collection[str] = (),
    elsewhere: Mapping[str, Sequence[Curve]] | None = None,
    unit: str = "tasks",
) -> Verdict:
    """Claim 2: whether every random subset of half the layer keeps a share of the full layer's
    value.

    A case counts where the size from which each of the subsets tried does lies, with its 95%
    interval over images, at half the layer or below, and against where it lies above.

    Parameters
    ----------
    random : mapping from a case to Curve
        Of random neurons. Those whose full layer is not clearly better than guessing are left out.
    share : float
        What counts as keeping it.
    what : str
        The measure in words; by default its name.
    controls : collection of str
        Cases that are told but not counted.
    elsewhere : mapping from a case to Curves, optional
        At other penalties that cannot be told apart: a case that comes out otherwise there is open.
    unit : str
        What the cases are; see :func:`.judge`.
    """
    random = {case: curve for case, curve in random.items() if curve.above_guessing}
    if not random:
        return Verdict("undecided", "No full layer is clearly better than guessing.")
    outcomes, rows = [], []
    for case, curve in random.items():
        k, low, high = _from_which_all_keep(curve, share)
        half = curve.d / 2
        passed = True if high <= half else False if low > half else None
        others = [_from_which_all_keep(one, share)[0] for one in (elsewhere or {}).get(case, ())]
        row = f"{case}: at no size measured"
        if k <= curve.d:
            ends = f" ({low} to {high})" if low < high else ""
            row = f"{case}: from {k} of {curve.d} neurons on{ends}, {k / curve.d:.0%} of the layer"
        if any((other <= half) != (k <= half) for other in others):
            passed = None
            row += f"; from {min(others)} to {max(others)} on at equally good penalties"
        outcomes.append(Outcome(case, passed, counted=case not in controls))
        rows.append(row)
    what = what or next(iter(random.values())).name
    seeds = min(len(curve.seeds) for curve in random.values())
    return judge(
        outcomes,
        f"From how many neurons on each of the {seeds} subsets tried keeps {share:.0%} of the full "
        f"layer's {what}, with 95% intervals over images. A case counts where that is at most half "
        f"the layer (our criterion). As each of {seeds} does, at least "
        f"{0.05 ** (1 / seeds):.0%} of all subsets do, with 95% confidence.",
        unit,
        rows,
    )


def _from_which_all_keep(curve: Curve, share: float) -> tuple[int, int, int]:
    """The size from which on every subset keeps a share of the whole layer's value, and the ends of
    its interval over images.
    """

    def sizes(least: np.ndarray, bar: np.ndarray) -> np.ndarray:
        below = least < (bar - 1e-12)[:, None]
        last = len(curve.sizes) - below[:, ::-1].argmax(1)  # one after the last that is below
        return np.array([*curve.sizes, curve.d + 1])[np.where(below.any(1), last, 0)]

    least = curve.values.min(0)
    k = int(sizes(least[None], np.array([share * curve.full]))[0])
    if curve.by_images is None:
        return k, k, k
    of_least = curve.by_images - curve.mean + least
    draws = resampled(least[None], curve.full, of_least, curve.full_by_images)
    assert draws is not None
    found = sizes(draws.values, share * draws.full)
    low, high = percentile_interval(found, method="inverted_cdf")
    return k, int(low), int(high)


def a_fifth_within(
    curves: Mapping[str, Curve],
    loss: float,
    *,
    controls: Collection[str] = (),
    elsewhere: Mapping[str, Sequence[float]] | None = None,
    unit: str = "tasks",
) -> Verdict:
    """Claim 1: whether a random fifth keeps all but ``loss`` of the accuracy, as a share of it; the
    same in points is told.

    Parameters
    ----------
    curves : mapping from a case to Curve
        Of random neurons. Those without that size, or whose full layer is not clearly better than
        guessing, are left out.
    loss : float
        What may be lost.
    controls : collection of str
        Cases that are told but not counted.
    elsewhere : mapping from a case to shares, optional
        At other penalties that cannot be told apart: a case that comes out otherwise there is open.
    unit : str
        What the cases are; see :func:`.judge`.
    """
    outcomes, rows, in_points = [], [], 0
    for case, curve in curves.items():
        k = size_of(0.2, curve.d)
        if curve.column(k) is None or not curve.above_guessing or not curve.full > 0:
            continue
        share, low, high = curve.kept(k)
        points, fewest, most = curve.lost(k)
        passed = bool(low >= 1 - loss) if low >= 1 - loss or high < 1 - loss else None
        others = [*(elsewhere or {}).get(case, ())]
        beside = ""
        if any((other >= 1 - loss) != (share >= 1 - loss) for other in others):
            passed = None
            beside = f"; {min(others):.1%} to {max(others):.1%} at equally good penalties"
        counted = case not in controls
        outcomes.append(Outcome(case, passed, counted=counted))
        in_points += int(counted and most <= loss)
        ends = f"{low:.1%} to {high:.1%}" if low == low else "one seed, no interval"
        lost = f" ({100 * fewest:.1f} to {100 * most:.1f})" if most == most else ""
        rows.append(f"{case}: {share:.1%} ({ends}{beside}), {100 * points:.1f}{lost} points less")
    if not outcomes:
        return Verdict("undecided", "A fifth of the neurons is not among the sizes measured.")
    count = sum(one.counted for one in outcomes)
    return judge(
        outcomes,
        f"Accuracy of {next(iter(curves.values())).name.split()[0]} probes on a random fifth, as a "
        "share of the full layer's and in points less, with 95% intervals over subsets and test "
        f"images. A case counts where the interval of the share lies at or above {1 - loss:.0%}. "
        f"In points, the loss is at most {100 * loss:g} by its whole interval on {in_points} of "
        f"{count} {unit}.",
        unit,
        rows,
    )


def tasks_differ(
    curves: Mapping[str, Mapping[str, Curve]],
    delta: float,
    measure: str,
    *,
    bands: Mapping[str, float] | None = None,
    controls: Collection[str] = (),
) -> Verdict:
    """Claim 3: whether, for each network, DR of some two tasks differ: the interval of their
    difference, corrected for all pairs of tasks (Bonferroni), leaves out 0.

    Parameters
    ----------
    curves : mapping from a network to a mapping from a task to Curve
        Of random neurons; full layers that are no better than guessing are left out.
    delta : float
    measure : str
        In words.
    bands : mapping from a task to float, optional
        How far DR moves over penalties that cannot be told apart: a difference must be larger than
        that of both tasks together.
    controls : collection of str
        Tasks without which it is told whether some two still differ.
    """
    if len({task for by_task in curves.values() for task in by_task}) < 2:
        return Verdict(NOT_ASKED, "There are no two tasks among TASKS to compare.", NOT_ASKED)
    outcomes, rows, pairs = [], [], []
    without: list[tuple[bool, bool]] = []
    for network, by_task in curves.items():
        known = {task: one for task, one in by_task.items() if one.above_guessing}
        values = {task: one.redundancy(delta, resamples=1).value for task, one in known.items()}
        known = {task: one for task, one in known.items() if values[task] == values[task]}
        count = max(1, len(known) * (len(known) - 1) // 2)
        confidence = 1 - LEVEL / count
        draws = {
            task: one.redundancy_draws(
                delta, confidence=confidence, resamples=PAIRED_RESAMPLES, seed=seed
            )
            for seed, (task, one) in enumerate(known.items())  # images of two tasks are others
        }
        drawn = {task: some for task, some in draws.items() if some is not None}
        if len(drawn) < 2:
            continue
        pairs.append(count)
        ranked = sorted(drawn, key=values.__getitem__)
        told: dict[tuple[str, str], str] = {}
        differing = set()
        for less, more in itertools.combinations(ranked, 2):
            low, high = percentile_interval(drawn[more] - drawn[less], confidence)
            gap = values[more] - values[less]
            if low > 0 and gap > (bands or {}).get(less, 0) + (bands or {}).get(more, 0):
                differing.add((less, more))
            told[less, more] = (
                f"from {values[less]:.3f} on {less} to {values[more]:.3f} on {more}, {gap:+.3f} "
                f"({low:+.3f} to {high:+.3f})"
            )
        outcomes.append(Outcome(network, True if differing else None))
        row = f"{network}: {told[ranked[0], ranked[-1]]}"
        others = [task for task in ranked if task not in controls]
        if 2 <= len(others) < len(ranked):
            beside = {ranked[0], ranked[-1]} - set(others)
            without.append((bool(beside), any({*pair} <= {*others} for pair in differing)))
            row += f". Without {_known(controls, ranked)} {told[others[0], others[-1]]}"
        rows.append(row)
    if not rows:
        return Verdict(
            "undecided",
            "It takes two tasks whose full layers are clearly better than guessing, and several "
            "seeds or images.",
        )
    several = max(pairs) > 1
    allowed = f", and allow for all {span(pairs, 'd')} pairs of tasks together" if several else ""
    because = (
        f"DR({delta:g}) of {measure} on the two tasks where it differs most. The "
        f"{span([1 - LEVEL / count for count in pairs], '.1%')} intervals of the difference are "
        f"over subsets and images{allowed}."
    )
    if len(rows) > MOST_TOLD:
        because += (
            f" {sum(bool(one.passed) for one in outcomes)} of {len(rows)} networks have two tasks "
            f"that differ; the first {MOST_TOLD} are told. (They share their images, so these are "
            "not independent.)"
        )
    if any(beside for beside, _ in without):
        ignored = _known(controls, {task for one in curves.values() for task in one})
        few, left = (sum(column) for column in zip(*without, strict=True))
        because += f" One of the two is {ignored}, which these networks were trained to ignore"
        if len(without) == 1:
            because += f". Without it, {'two tasks still' if left else 'no two tasks'} differ."
        else:
            because += (
                f", in {few} of {len(without)} networks. Without it, {left} of {len(without)} "
                "still have two tasks that differ."
            )
    return judge(outcomes, because, "networks", rows[:MOST_TOLD])


def _known(controls: Collection[str], tasks: Collection[str]) -> str:
    """Those controls that are among the tasks, in words."""
    return listed([one for one in controls if one in tasks])


def components_first(curves: Curves, *, unit: str = "tasks") -> Verdict:
    """Claim 5: top components above random neurons, and bottom ones below both, at every size from
    1% to 10% of the layer.

    A case counts if the 95% intervals of both differences lie above 0 at all these sizes, and
    against if some lies below.

    Parameters
    ----------
    curves : Curves
        With ``random``, ``pca`` and ``pca_least``; those of their sizes count that all have.
    unit : str
        What the cases are; see :func:`.judge`.
    """
    outcomes, rows = [], []
    for case, kinds in curves.items():
        random, top, bottom = _at_common_sizes(
            *(kinds[name] for name in ("random", "pca", "pca_least"))
        )
        least_size, most = int(0.01 * random.d), size_of(FEW, random.d)
        few = [i for i, k in enumerate(random.sizes) if least_size <= k <= most]
        if not few:
            continue
        told = []
        for above, below in ((top, random), (random, bottom)):
            gaps = {i: gap_at(above, [i], below, [i]) for i in few}
            surely = [gap_at(above, [i], below, [i], confidence=1 - 0.05 / len(few)) for i in few]
            told.append(
                int(all(low > 0 for _, low, _ in gaps.values()))
                - int(any(high < 0 for *_, high in surely))
            )
            least = min(few, key=lambda i: gaps[i][1])
            gap, low, high = (100 * one for one in gaps[least])
            rows.append(
                f"{case}, {_short(above)} less {_short(below)}: least {gap:+.1f} points "
                f"({low:+.1f} to {high:+.1f}) at k = {random.sizes[least]}"
            )
        passed = True if min(told) > 0 else False if min(told) < 0 else None
        outcomes.append(Outcome(case, passed))
    if not outcomes:
        return Verdict("undecided", "No size between 1% and 10% of the layer was measured.")
    return judge(
        outcomes,
        "Differences of the accuracy of probes at 1% to 10% of the layer, with 95% intervals over "
        "subsets and test images. Each is told at the size where its interval begins lowest. A "
        "case counts for the claim where both are clearly above 0 at every size measured there. It "
        "counts against where one is clearly below 0 at some size (corrected for their number).",
        unit,
        rows,
    )


def as_good_as_projections(
    curves: Curves,
    projection: str,
    *,
    few: bool,
    unit: str = "tasks",
) -> Verdict:
    """Claim 6: whether random neurons are no worse than random projections by more than
    :data:`AS_GOOD`, in the mean over the sizes of a range. (With all of the layer, nothing is
    dropped, and with nearly all, little is: the upper range ends at half.)

    Parameters
    ----------
    curves : Curves
        Accuracies, with ``random`` and the projection; the sizes count that both have.
    projection : str
        The selection.
    few : bool
        Sizes up to a tenth of the layer, or those from there to half of it.
    unit : str
        What the cases are; see :func:`.judge`.
    """
    outcomes, rows = [], []
    for case, kinds in curves.items():
        random, projected = _at_common_sizes(kinds["random"], kinds[projection])
        tenth, half = size_of(FEW, random.d), size_of(0.5, random.d)
        places = [i for i, k in enumerate(random.sizes) if (k <= tenth) == few and k <= half]
        if not places:
            continue
        gap, low, high = gap_at(random, places, projected, places)
        passed = True if low >= -AS_GOOD else False if high < -AS_GOOD else None
        outcomes.append(Outcome(case, passed))
        ends = f"{100 * low:+.1f} to {100 * high:+.1f}" if low == low else "one seed, no interval"
        rows.append(f"{case}: {100 * gap:+.1f} ({ends})")
    sizes = "up to a tenth of the layer" if few else "above a tenth, up to half of the layer"
    if not outcomes:
        return Verdict("undecided", f"No size {sizes} was measured.")
    return judge(
        outcomes,
        f"Sizes {sizes}: random neurons less {SELECTIONS[projection].label}, in points of "
        "accuracy. These are means over the sizes measured, with 95% intervals over draws and test "
        f"images. A case counts where the interval lies above -{100 * AS_GOOD:g} (our margin), and "
        "against where it lies below.",
        unit,
        rows,
    )


def _at_common_sizes(*curves: Curve) -> list[Curve]:
    """The curves at the sizes that all of them have."""
    common = set.intersection(*(set(curve.sizes.tolist()) for curve in curves))
    return [curve.only(sorted(common)) for curve in curves]


def _short(curve: Curve) -> str:
    return SELECTIONS[curve.selection].label.partition(" (")[0]
