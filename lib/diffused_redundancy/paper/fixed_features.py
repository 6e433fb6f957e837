"""Random subsets *of* layers that were trained to be small: of the m features that a fixed-feature
(FF) network's head sees, which are taken for the whole layer; beside as many first features of a
nested and of a plain network.

There is one network of each size, and one of each to compare with: intervals are over random
subsets and test images, and say nothing of other pre-training seeds.

A few features do not reach far above chance, and what is left of an accuracy that is mostly chance
is easily kept. So what is compared is DR above chance, where the accuracy is at least twice chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from ..experiment.measurements import Measurement, Measurements
from ..experiment.traits import alike
from ..findings.figure_data import Point, Series, point
from ..findings.matryoshka import fixed_size, is_fixed, is_nested, is_plain
from ..findings.phrases import with_interval
from ..findings.tables import corrected_columns, redundancy_columns
from ..measures.equal_features import equal_features_redundancy
from ..measures.redundancy import Redundancy
from ..nets.networks import Net
from ..tasks import Task
from ..uncertainty.bootstrap import percentile_interval
from ..uncertainty.comparison import at_most, holm

Found = Mapping[int, Measurements]
"""By m: the first m features of some networks, measured as whole layers."""

NOTE = "There is no fixed-feature network among NETS."

INDEPENDENT = "independent features"
"""What tables call features that are independent of one another and equally useful."""

TIMES_CHANCE = 2.0
"""The least accuracy of all m features for them to count, in multiples of chance."""


def compared(nets: Sequence[Net]) -> dict[int, list[Net]]:
    """The networks whose first m features are measured, by m, ascending: those trained on so many,
    then the first nested and the first plain network of the same kind.
    """
    fixed: dict[int, list[Net]] = {}
    for net in nets:
        if is_fixed(net) and fixed_size(net) <= net.d:
            fixed.setdefault(fixed_size(net), []).append(net)
    found = {}
    for m, some in sorted(fixed.items()):
        like = [net for net in nets if alike(net, some[0], but=["loss"])]
        others = (next((net for net in like if is_kind(net)), None) for is_kind in _OTHERS)
        found[m] = [*some, *(net for net in others if net is not None)]
    return found


_OTHERS = (is_nested, is_plain)


def kind(net: Net) -> str:
    """What figures and tables call the first features of a network."""
    if is_fixed(net):
        return "FF, trained to be these"
    return f"{net.origin.loss}, {'nested prefix' if is_nested(net) else 'first of many'}"


def _rows(found: Found) -> list[tuple[int, Measurement]]:
    """Every measurement with its m, task by task."""
    tasks = next(iter(found.values())).tasks if found else []
    return [
        (m, measurements.of(net, task))
        for task in tasks
        for m, measurements in found.items()
        for net in measurements.nets
    ]


def counts(one: Measurement) -> bool:
    """Whether all m features reach so much that what part of it is kept says something."""
    curve = one.curve("accuracy")
    return curve.above_guessing and curve.full >= TIMES_CHANCE * (curve.guessing or 0.0)


def _above_chance(one: Measurement, delta: float) -> Redundancy:
    """DR above chance; as it is where chance is not known."""
    return one.curve("accuracy").redundancy(delta, chance_corrected=True)


def _if_independent(one: Measurement, delta: float, full: np.ndarray | None = None) -> np.ndarray:
    """DR above chance of as many independent features that reach as much, or ``full``, together."""
    curve = one.curve("accuracy")
    reached = curve.full if full is None else full
    classes = len(one.task.classes)
    return equal_features_redundancy(reached, delta, curve.d, classes, curve.guessing or 0.0)


def within_table(found: Found, delta: float) -> pd.DataFrame:
    """DR within the first m features, and what half of them keep: one row per network, m
    and task.
    """
    rows: list[dict[str, Any]] = []
    for m, one in _rows(found):
        curve, half = one.curve("accuracy"), max(1, m // 2)
        ends = (np.nan,) * 3
        if curve.column(half) is not None and curve.full > 0:
            ends = curve.kept(half)
        rows.append(
            {
                "task": one.task.title,
                "m": m,
                "features": kind(one.net),
                "net": one.net.name,
                "accuracy of all m": curve.full,
                "delta": delta,
                **redundancy_columns(one.redundancy("accuracy", delta)),
                **corrected_columns(curve.above_chance(delta)),
                f"DR of {INDEPENDENT}": float(_if_independent(one, delta)),
                "counts": counts(one),
                "kept by half": ends[0],
                "kept by half, low": ends[1],
                "kept by half, high": ends[2],
                "DR of CKA": one.redundancy("cka", delta).value,
                "subsets": len(curve.seeds),
                "penalty": one.penalty,
            }
        )
    return pd.DataFrame(rows or {"note": [NOTE]})


def within_curves(found: Found) -> pd.DataFrame:
    """The share of the accuracy of all m features that k of them keep, at every size measured: the
    mean over subsets, and the ends of its interval over subsets and test images.
    """
    frames = []
    for m, one in _rows(found):
        curve = one.curve("accuracy")
        draws = curve.resampled()
        ends = np.full((2, len(curve.sizes)), np.nan)
        if draws is not None:
            ends = np.quantile(draws.values / draws.full[:, None], [0.025, 0.975], axis=0)
        columns = {
            "task": one.task.title,
            "m": m,
            "features": kind(one.net),
            "net": one.net.name,
            "k": curve.sizes,
            "kept": curve.mean / curve.full,
            "low": ends[0],
            "high": ends[1],
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame({"note": [NOTE]})


def within_series(found: Found, delta: float) -> list[list[tuple[str, list[Series]]]]:
    """What :func:`figures.series_figure` draws: DR against m, as the paper has it and above chance,
    one column a task, one line a kind of features, and above chance the yardstick: independent
    features that reach as much as the networks trained on so many.
    """
    looks = {
        name: i for i, name in enumerate(dict.fromkeys(kind(one.net) for _, one in _rows(found)))
    }

    def yardstick(task: Task) -> Series:
        some = [
            (float(m), Point(float(_if_independent(one, delta))))
            for m, one in _rows(found)
            if one.task.name == task.name and is_fixed(one.net) and _chance_known(one, delta)
        ]
        x, points = [at for at, _ in some], [value for _, value in some]
        return Series(INDEPENDENT, x, points, len(looks), joined=len(set(x)) == len(x))

    def row(
        of: Callable[[Measurement], Point], *more: Callable[[Task], Series]
    ) -> list[tuple[str, list[Series]]]:
        plots = []
        for task in next(iter(found.values())).tasks:
            lines = []
            for name, look in looks.items():
                some = [
                    (m * 1.06 ** (look - 1), of(one))  # side by side, not on top of one another
                    for m, one in _rows(found)
                    if kind(one.net) == name and one.task.name == task.name
                ]
                x, points = [at for at, _ in some], [value for _, value in some]
                lines.append(Series(name, x, points, look, joined=len(set(x)) == len(x)))
            plots.append((task.title, [*lines, *(draw(task) for draw in more)]))
        return plots

    def above_chance(one: Measurement) -> Point:
        redundancy = one.curve("accuracy").above_chance(delta)
        return Point(float("nan")) if redundancy is None else point(redundancy)

    return [
        row(lambda one: point(one.redundancy("accuracy", delta))),
        row(above_chance, yardstick),
    ]


def _chance_known(one: Measurement, delta: float) -> bool:
    """Whether DR above chance can be stated, as the yardstick beside it."""
    redundancy = one.curve("accuracy").above_chance(delta)
    return redundancy is not None and redundancy.k is not None


def within_ticks(found: Found) -> list[tuple[float, str]]:
    """Ticks for every m."""
    return [(float(m), str(m)) for m in found]


@dataclass(frozen=True)
class Gap:
    """DR above chance within the m features that a network was trained on, less that of something
    else, with a 95% interval over subsets and images, paired by image.

    Attributes
    ----------
    m : int
    task, against : str
    difference, low, high : float
    p : float
        Two-sided, of no difference; NaN where there is nothing to resample.
    corrected_p : float
        The same, corrected (Holm) for all gaps that are looked at together.
    """

    m: int
    task: str
    against: str
    difference: float
    low: float
    high: float
    p: float
    corrected_p: float = float("nan")

    @property
    def outcome(self) -> str:
        """``higher`` or ``lower`` if the corrected p is at most 5% and the interval leaves out 0,
        else ``not clear``.
        """
        if not at_most(self.corrected_p):
            return "not clear"
        return "higher" if self.low > 0 else "lower" if self.high < 0 else "not clear"


def gaps(found: Found, delta: float) -> list[Gap]:
    """Those of every m and task: from independent features, and from the first m features of the
    other networks. Cases whose accuracy does not count are left out.
    """
    out = []
    for m, measurements in found.items():
        for task in measurements.tasks:
            some = [measurements.of(net, task) for net in measurements.nets]
            stated = [
                one for one in some if counts(one) and _above_chance(one, delta).k is not None
            ]
            for ours in (one for one in stated if is_fixed(one.net)):
                others = [one for one in stated if not is_fixed(one.net)]
                out += [_gap(m, ours, theirs, delta) for theirs in (None, *others)]
    corrected = holm([gap.p for gap in out])
    return [replace(gap, corrected_p=float(p)) for gap, p in zip(out, corrected, strict=True)]


def _gap(m: int, ours: Measurement, theirs: Measurement | None, delta: float) -> Gap:
    """From another network, or from independent features.

    The SD that p is from has that of rounding to steps of 1 / m added, once for each of the two: of
    few features all resamples may have the same DR.
    """
    draws = [_draws(ours, theirs, delta, confidence) for confidence in (0.95, None)]
    if theirs is None:
        value = float(_if_independent(ours, delta))
    else:
        value = _above_chance(theirs, delta).value
    difference = _above_chance(ours, delta).value - value
    low = high = p = float("nan")
    if draws[0] is not None and draws[1] is not None:
        low, high = percentile_interval(draws[0], method="inverted_cdf")
        error = np.sqrt(draws[1].var(ddof=1) + 2 / (12 * m**2))
        p = float(2 * norm.sf(abs(difference) / error))
    against = INDEPENDENT if theirs is None else kind(theirs.net)
    return Gap(m, ours.task.title, against, difference, low, high, p)


def _draws(
    ours: Measurement, theirs: Measurement | None, delta: float, confidence: float | None
) -> np.ndarray | None:
    """Resamples of a difference."""
    first, second = (
        None
        if one is None
        else one.curve("accuracy").redundancy_draws(
            delta, chance_corrected=True, confidence=confidence
        )
        for one in (ours, theirs)
    )
    if theirs is None:
        whole = ours.curve("accuracy").resampled(confidence=confidence)
        second = None if whole is None else _if_independent(ours, delta, whole.full)
    return None if first is None or second is None else first - second


def gaps_table(found: Sequence[Gap]) -> pd.DataFrame:
    """One row per gap."""
    rows = [
        {
            "task": gap.task,
            "m": gap.m,
            "against": gap.against,
            "difference of DR above chance": gap.difference,
            "low": gap.low,
            "high": gap.high,
            "p": gap.p,
            "p_holm": gap.corrected_p,
            "outcome": gap.outcome,
        }
        for gap in found
    ]
    return pd.DataFrame(rows or {"note": ["there is nothing to compare"]})


def shown_within(found: Found, delta: float) -> pd.DataFrame:
    """For reading: the networks of the smallest and the largest m that are better than guessing, by
    task.
    """
    stated = [
        (m, one)
        for m, one in _rows(found)
        if is_fixed(one.net) and one.redundancy("accuracy", delta).k is not None
    ]
    rows = []
    for title in dict.fromkeys(one.task.title for _, one in stated):
        some = [(m, one) for m, one in stated if one.task.title == title]
        for m, one in some[:1] + some[-1:][: len(some) - 1]:
            rows.append(
                {
                    "task": title,
                    "m": str(m),
                    "accuracy": f"{one.full:.1%}",
                    f"DR({delta:g})": _in_words(one.redundancy("accuracy", delta)),
                    "above chance": _in_words(_above_chance(one, delta)),
                    INDEPENDENT: f"{float(_if_independent(one, delta)):.2f}",
                    "counts": "yes" if counts(one) else "no",
                }
            )
    return pd.DataFrame(rows or {"note": [_nothing(found, delta)]})


def _in_words(value: Redundancy) -> str:
    return with_interval(value.value, value.low, value.high, ".2f")


def _nothing(found: Found, delta: float) -> str:
    if not any(is_fixed(one.net) for _, one in _rows(found)):
        return NOTE
    return (
        f"No features count: their accuracy is not {TIMES_CHANCE:g} times chance, or no size "
        f"measured keeps {delta:.0%} of it."
    )


def describe_within(found: Found, delta: float) -> str:
    """Whether more can be dropped within layers that were trained to be small than of independent
    features, and of as many features that were not trained to be few.
    """
    pairs = gaps(found, delta)
    by_kind: dict[str, list[str]] = {}
    for gap in pairs:
        by_kind.setdefault(gap.against, []).append(gap.outcome)
    alone = by_kind.pop(INDEPENDENT, [])
    if not alone:
        return _nothing(found, delta)
    trained = sum(is_fixed(one.net) for _, one in _rows(found))
    left = trained - len(alone)
    sentences = [
        f"of features that a network was trained to use alone, DR({delta:g}) above chance is "
        f"clearly higher than of {INDEPENDENT} in {alone.count('higher')} of {len(alone)} cases "
        f"(sizes and tasks), and clearly lower in {alone.count('lower')}"
    ]
    sentences += [
        f"Compared with as many features of one other network ({against}) it is clearly higher in "
        f"{outcomes.count('higher')} of {len(outcomes)}, and clearly lower in "
        f"{outcomes.count('lower')}"
        for against, outcomes in by_kind.items()
    ]
    if left:
        sentences.append(f"{left} more are too near to chance to count")
    sentences.append("There is one network of each kind and size: another seed may differ")
    return f"**What to see:** {'. '.join(sentences)}."
