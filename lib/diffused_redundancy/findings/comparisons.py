"""Groups of networks compared, and what the comparisons say of a claim.

The unit is a pre-trained network: its value is the DR of its mean curve over the selections. Test
images and the seeds of the selections are the same for all networks and held fixed; which neurons a
seed selects has no meaning across networks. The measures are never pooled, and a verdict counts
tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..experiment.measurements import COMPARED, Measurements
from ..experiment.penalty_bands import GroupBands, resolvable
from ..nets.networks import Net
from ..tasks import Task
from ..uncertainty.comparison import (
    LEVEL,
    Comparison,
    compare,
    corrected,
    difference_found,
    least_seeds,
    pooled_sd,
)
from ..uncertainty.trend import Trend, corrected_trends, trend
from .claims import NOT_ASKED, Outcome, Verdict, judge
from .grouping import Grouping, points
from .phrases import lines, listed, span

MARGIN = 0.02
"""The largest difference of DR that does not matter: 2% of the layer."""

ABOVE_CHANCE = "above_chance"
"""DR of accuracy above chance, as a measure beside those of :data:`COMPARED`."""

OPPOSITE = {"higher": "lower", "lower": "higher"}


@dataclass(frozen=True)
class Difference:
    """DR of one group of networks against that of another on a task.

    Attributes
    ----------
    group, against : str
        Labels of the groups.
    task : str
        Its title.
    measure : str
        A name in :data:`COMPARED`.
    comparison : Comparison
        Corrected for all of one table and measure.
    band : float
        How far the difference moves over the penalties that cross-validation cannot tell apart; 0
        where no penalty matters, or none is known to. NaN where it cannot be stated at one of them.
    """

    group: str
    against: str
    task: str
    measure: str
    comparison: Comparison
    band: float = 0.0

    @property
    def outcome(self) -> str:
        """See :attr:`Comparison.outcome`; ``not resolvable`` where a clear difference is no larger
        than the band, or where an interval within the margin, moved by the band, would leave it.
        """
        one = self.comparison
        if one.outcome in OPPOSITE and not resolvable(one.difference, self.band):
            return "not resolvable"
        if one.outcome == "alike":
            farthest = max(abs(one.low), abs(one.high)) + self.band
            return "alike" if self.band == 0 or farthest <= one.margin else "not resolvable"
        return one.outcome

    @property
    def outcome_words(self) -> str:
        """The outcome for a sentence or a table."""
        one = self.comparison
        if self.outcome != "not resolvable":
            return one.words
        moved = f"the penalty moves it by {self.band:.3f}"
        if one.outcome == "alike":
            moved += f", which decides whether it exceeds {one.margin:g}"
        return f"not resolvable ({moved if self.band == self.band else 'DR not stated'})"

    @property
    def size(self) -> str:
        """The difference of the means and its interval; empty where it cannot be stated."""
        one = self.comparison
        interval = f" ({one.low:+.3f} to {one.high:+.3f})" if one.low < one.high else ""
        return f"{one.difference:+.3f}{interval}" if one.stated else ""

    @property
    def words(self) -> str:
        """The outcome and the size."""
        return ": ".join(filter(None, [self.outcome_words, self.size]))


def redundancies(
    measurements: Measurements, nets: Sequence[Net], task: Task, measure: str, delta: float
) -> np.ndarray:
    """DR of each network, (nets,): one value per pre-training seed; NaN where it is withheld."""
    if measure == ABOVE_CHANCE:
        found = [measurements.of(net, task).curve("accuracy").above_chance(delta) for net in nets]
        return np.array([np.nan if one is None else one.value for one in found])
    return np.array([one.value for one in points(measurements, nets, task, measure, delta)])


def differences(
    measurements: Measurements,
    grouping: Grouping,
    pairs: Sequence[tuple[str, str]],
    delta: float,
    bands: Mapping[str, GroupBands] | None = None,
) -> list[Difference]:
    """Pairs of groups compared on every task, for every measure; p values are corrected for all
    comparisons of a measure.

    ``bands`` are those of the groups, by the name of the task, where DR of accuracy depends on the
    choice of a penalty.
    """
    found = []
    for measure in (*COMPARED, *([ABOVE_CHANCE] if _knows_chance(measurements) else [])):
        known = (bands or {}) if measure in ("accuracy", ABOVE_CHANCE) else {}
        family = []
        for task in measurements.tasks:
            values = {
                label: redundancies(measurements, nets, task, measure, delta)
                for label, nets in grouping.groups.items()
            }
            sd = within_groups(list(values.values()))
            family += [
                Difference(
                    group,
                    against,
                    task.title,
                    measure,
                    compare(values[group], values[against], margin=MARGIN, sd=sd),
                    known[task.name].of_difference(group, against) if task.name in known else 0.0,
                )
                for group, against in pairs
            ]
        comparisons = corrected([one.comparison for one in family])
        found += [
            replace(one, comparison=comparison)
            for one, comparison in zip(family, comparisons, strict=True)
        ]
    return found


def _knows_chance(measurements: Measurements) -> bool:
    return any(one.curve("accuracy").guessing is not None for one in measurements.all)


def within_groups(values: Sequence[np.ndarray]) -> float:
    """The SD between networks that differ in their pre-training seed only, pooled over groups."""
    return pooled_sd([some[~np.isnan(some)] for some in values])


def differences_table(differences: Sequence[Difference]) -> pd.DataFrame:
    """For reading: one row per pair and measure, one column a task."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for one in (one for one in differences if one.measure in COMPARED):
        sizes = "{} against {}".format(*one.comparison.networks)
        row = rows.setdefault(
            (f"{one.group} against {one.against}", COMPARED[one.measure]), {"networks": sizes}
        )
        row[one.task] = one.words
    return pd.DataFrame(
        [{"groups": pair, "DR of": measure, **row} for (pair, measure), row in rows.items()]
    )


def differences_numbers(differences: Sequence[Difference]) -> pd.DataFrame:
    """Every number of every comparison: one row each."""
    rows = []
    for one in differences:
        comparison = one.comparison
        rows.append(
            {
                "group": one.group,
                "against": one.against,
                "task": one.task,
                "measure": one.measure,
                "networks": comparison.networks[0],
                "networks_against": comparison.networks[1],
                "left_out": comparison.left_out,
                "difference": comparison.difference,
                "low": comparison.low,
                "high": comparison.high,
                "sd_within": comparison.sd,
                "p_welch": comparison.p,
                "p_holm": comparison.corrected_p,
                "p_exact": comparison.exact_p,
                "p_exact_smallest": comparison.smallest_p,
                "compared": comparison.family,
                "penalty_band": one.band,
                "outcome": one.outcome,
                "seeds_needed": comparison.seeds_needed,
            }
        )
    return pd.DataFrame(rows)


def describe_power(measurements: Measurements, grouping: Grouping, delta: float) -> str:
    """How far networks of one group are apart, and what differences as many as the reference has
    can find.
    """
    n, rows = len(grouping.groups[grouping.reference]), []
    for measure, name in COMPARED.items():
        parts = []
        for task in measurements.tasks:
            values = [
                redundancies(measurements, nets, task, measure, delta)
                for nets in grouping.groups.values()
            ]
            sd = within_groups(values)
            if sd == sd:
                found = difference_found(n, sd)
                beyond = f" (found from {found:.3f} on)" if found == found else ""
                parts.append(f"{sd:.3f} on {task.title}{beyond}")
        if parts:
            rows.append(f"{name}: {listed(parts)}")
    if not rows:
        return (
            "NETS holds no two networks that differ in their seed only, so nothing is known here "
            "of what the seed of the pre-training does."
        )
    seeds = "networks that differ in the seed of their pre-training only"
    text = lines(f"The SD of DR({delta:g}) between {seeds}", rows) + "\n\n"
    if difference_found(n, 1.0) == difference_found(n, 1.0):
        return (
            f"{text}*Found from* is the true difference that {n} networks against {n} find with "
            "a power of 80% if it is the only comparison; a table of many asks for more."
        )
    return (
        f"{text}No difference can be found between two groups of {n}: an exact test takes at "
        f"least {least_seeds()} against {least_seeds()} to reach {LEVEL:.0%}."
    )


def outcome_of(outcomes: Sequence[str]) -> str:
    """What several comparisons on one task come to: ``higher`` or ``lower`` if some are, and none
    is the opposite; ``mixed`` if it is; else ``alike`` if all that have power are; else
    ``undecided``, ``no power`` or ``unknown``.
    """
    clear = [word for word in OPPOSITE if word in outcomes]
    if clear:
        return clear[0] if len(clear) == 1 else "mixed"
    powered = {word for word in outcomes if word in ("alike", "undecided", "not resolvable")}
    if powered:
        return "alike" if powered == {"alike"} else "undecided"
    return "no power" if "no power" in outcomes else "unknown"


def outcome_of_all(outcomes: Sequence[str], expected: str) -> str:
    """What several comparisons on one task come to where a claim says the same of *each* of them:
    ``expected``, ``higher`` or ``lower``, only if all are; else what contradicts it, ``mixed`` if
    that is not one and the same; else ``undecided``, ``no power`` or ``unknown``.

    >>> outcome_of_all(["lower", "lower"], "lower"), outcome_of_all(["lower", "no power"], "lower")
    ('lower', 'undecided')
    """
    if not set(outcomes) - {"no power", "unknown"}:
        return "no power" if "no power" in outcomes else "unknown"
    contrary = {"alike", "mixed", OPPOSITE[expected]} & set(outcomes)
    if "mixed" in contrary or (contrary and expected in outcomes):
        return "mixed"
    if contrary:
        return OPPOSITE[expected] if OPPOSITE[expected] in contrary else "alike"
    return expected if set(outcomes) == {expected} else "undecided"


def judged(
    outcomes: Mapping[str, str], expected: str, because: str, rows: Sequence[str] = ()
) -> Verdict:
    """The verdict from the outcome of each task: what a claim expects is ``higher`` or ``lower``,
    and no difference speaks against it; ``rows`` as for :func:`judge`.
    """
    passed = {expected: True, OPPOSITE[expected]: False, "mixed": False, "alike": False}
    powerless = {"no power", "unknown"} if "no power" in outcomes.values() else set()
    return judge(
        [Outcome(task, passed.get(one), one not in powerless) for task, one in outcomes.items()],
        because,
        rows=rows,
    )


SOME_RULE = "a task counts if some comparison is clear and none is clearly the opposite"
"""That of :func:`outcome_of`, in words."""


def verdict_on(
    differences: Sequence[Difference],
    expected: str,
    what: str,
    measure: str,
    delta: float,
    *,
    rule: Callable[[Sequence[Difference]], str] | None = None,
    rule_words: str = SOME_RULE,
    note: str = "",
) -> Verdict:
    """Whether DR of one measure differs as expected, task by task.

    Parameters
    ----------
    differences : sequence of Difference
        Those of other measures are ignored.
    expected : str
        ``higher`` or ``lower``.
    what : str
        The comparisons in words.
    measure : str
    delta : float
    rule : callable, optional
        The outcome of a task from its differences; by default :func:`outcome_of` of theirs.
    rule_words : str
        The rule in words.
    note : str
        A sentence on what the verdict does not say.
    """
    these = [one for one in differences if one.measure == measure]
    title = f"{what}, DR({delta:g}) of {COMPARED[measure]}"
    if not these:
        return Verdict(NOT_ASKED, f"{title}: there are no such networks among NETS.", NOT_ASKED)
    by_task = _by_task(these)
    come_to = rule or (lambda some: outcome_of([one.outcome for one in some]))
    outcomes = {task: come_to(some) for task, some in by_task.items()}
    if measure == "accuracy":
        note += _above_chance(differences, outcomes, come_to)
    return judged(
        outcomes,
        expected,
        f"{title}: differences of means over pre-trained networks, with 95% intervals. What counts "
        f"are Holm-corrected p values. Expected: {expected}. {rule_words[:1].upper()}"
        f"{rule_words[1:]}.{note and ' ' + note.strip()}",
        [
            f"{task}, {word}: {_counted(some, word)}"
            for task, some in by_task.items()
            for word in [TASK_WORDS[outcomes[task]]]
        ],
    )


def _by_task(differences: Sequence[Difference]) -> dict[str, list[Difference]]:
    by_task: dict[str, list[Difference]] = {}
    for one in differences:
        by_task.setdefault(one.task, []).append(one)
    return by_task


def _above_chance(
    differences: Sequence[Difference],
    outcomes: Mapping[str, str],
    come_to: Callable[[Sequence[Difference]], str],
) -> str:
    """On which tasks DR above chance comes out differently than DR, as a sentence; empty where it
    is not known.
    """
    corrected = [one for one in differences if one.measure == ABOVE_CHANCE]
    found = {task: come_to(some) for task, some in _by_task(corrected).items()}
    known = {task: one for task, one in found.items() if one != "unknown"}
    if not known:
        return ""
    other = [
        f"{TASK_WORDS[one]} on {task}" for task, one in known.items() if one != outcomes.get(task)
    ]
    if not other:
        return " DR above chance comes out the same."
    return f" DR above chance comes out differently: {listed(other)}."


TASK_WORDS = {
    "higher": "higher",
    "lower": "lower",
    "mixed": "mixed",
    "alike": f"no difference larger than {MARGIN:g}",
    "undecided": "undecided",
    "no power": "no power",
    "unknown": "not stated",
}
"""What an outcome of a task is called in a sentence."""


def _counted(differences: Sequence[Difference], known: str) -> str:
    """Every comparison with power, with its outcome unless that is ``known``, and how many have
    none.
    """
    weak = [one for one in differences if one.outcome == "no power"]
    unknown = [one for one in differences if one.outcome == "unknown"]
    several = len({one.against for one in differences}) > 1
    parts = [
        f"{one.group}{f' against {one.against}' if several else ''} {one.size}"
        f"{f', {one.outcome_words}' if one.outcome_words != known else ''}"
        for one in differences
        if one.outcome not in ("no power", "unknown")
    ]
    if weak:
        needed = [n for one in weak if (n := one.comparison.seeds_needed) is not None]
        seeds = (
            f"{span(needed, 'd')} seeds would decide"
            if len(needed) == len(weak)
            else f"at least {least_seeds()} seeds are needed"
        )
        parts.append(f"{len(weak)} of {len(differences)} comparisons without power, {seeds}")
    if unknown:
        parts.append(f"{len(unknown)} of {len(differences)} comparisons not stated")
    return "; ".join(parts)


def trends(
    measurements: Measurements,
    groups: Sequence[Sequence[Net]],
    x: Sequence[float],
    measure: str,
    delta: float,
    shifts: Mapping[str, Sequence[np.ndarray]] | None = None,
) -> dict[str, Trend]:
    """Whether DR rises or falls over groups of networks at some ``x``, by title of the task; p
    values are corrected for the tasks.

    ``shifts`` are, by the name of the task, how DR of each network of each group, (networks, p),
    moves with the penalty: a trend is steady if its outcome is the same with all networks at the
    weakest penalty, and at the strongest.
    """
    shifts = shifts or {}

    def at(place: int | None) -> dict[str, Trend]:
        found = {}
        for task in measurements.tasks:
            values = [redundancies(measurements, nets, task, measure, delta) for nets in groups]
            if place is not None and task.name in shifts:
                moved = zip(values, shifts[task.name], strict=True)
                values = [some + shift[:, place] for some, shift in moved]
            found[task.title] = trend(x, values)
        return corrected_trends(found)

    found = at(None)
    for other in (at(place) for place in ((0, -1) if shifts else ())):
        found = {
            title: replace(one, steady=one.steady and other[title].outcome == one.outcome)
            for title, one in found.items()
        }
    return found


def trends_table(trends: Mapping[str, Mapping[str, Trend]], unit: str) -> pd.DataFrame:
    """One row per measure and task: the trend with its p, and the slope per ``unit``."""
    return pd.DataFrame(
        {
            "DR of": COMPARED[measure],
            "task": task,
            "networks": " + ".join(map(str, one.networks)),
            "trend": one.words,
            "pairs that rise": one.share,
            "p, exact": one.p,
            "p, corrected": one.corrected_p,
            "smallest p": one.smallest_p,
            f"slope per {unit}": one.slope,
            "low": one.low,
            "high": one.high,
        }
        for measure, by_task in trends.items()
        for task, one in by_task.items()
    )


TREND_WORDS = {
    "undecided": "has no clear trend",
    "not resolvable": "has a trend, but not at each penalty that cross-validation allows",
}
"""What outcomes of a trend are called in a sentence."""


def trend_in_words(one: Trend) -> str:
    """What DR does over groups, for a sentence: a trend with its p."""
    if one.outcome == "unknown":
        return one.words
    if one.outcome == "no power":
        networks = sum(one.networks)
        return f"cannot be tested: no order of {networks} networks has p of at most {LEVEL:g}"
    verb = TREND_WORDS.get(one.outcome, one.words)
    return f"{verb} ({one.share:.0%} of the pairs rise, corrected p = {one.corrected_p:.3g})"


def verdict_on_trends(trends: Mapping[str, Trend], expected: str, title: str) -> Verdict:
    """Whether DR has the expected trend, ``higher`` for rising, task by task."""
    if all(one.outcome == "unknown" for one in trends.values()):
        return Verdict(NOT_ASKED, f"{title}: there are no such networks among NETS.", NOT_ASKED)
    return judged(
        {task: one.outcome for task, one in trends.items()},
        expected,
        f"{title}. p values are of the exact Jonckheere-Terpstra test, corrected for the tasks "
        "(Holm).",
        [f"{task}: {trend_in_words(one)}" for task, one in trends.items()],
    )
