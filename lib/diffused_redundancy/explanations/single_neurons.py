"""Which single neurons matter to a task, and whether some harm it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..experiment.single_neurons import Interval, Removal, SingleNeurons
from ..findings.figure_data import Band
from ..findings.phrases import first_listed, span, with_interval
from ..uncertainty.effects import Effects

Found = Mapping[str, SingleNeurons]
"""By task."""


def _points(interval: Interval, spec: str = "+.2f") -> str:
    """A share with its interval, in hundredths."""
    value, low, high = (100 * one for one in interval)
    return with_interval(value, low, high, spec)


def ranked_panels(found: Found) -> list[tuple[str, Band, np.ndarray]]:
    """What :func:`figures.ranked_figure` draws: the loss without each neuron, sorted."""
    panels = []
    for case, one in found.items():
        order = one.loss.mean.argsort()
        half = ((one.loss.high - one.loss.low) / 2)[order]
        band = Band("without a neuron", one.loss.mean[order], half)
        panels.append((case, band, one.loss_by_chance.ranked))
    return panels


def shown_summary(found: Found) -> pd.DataFrame:
    """For reading: one row per task; what one neuron is worth, and what tells it."""
    return pd.DataFrame(
        {
            "task": case,
            "clearly help": one.loss.above.sum(),
            "clearly harm": one.loss.below.sum(),
            "best neuron: % of loss": _points(one.most_loss),
            "best neuron: points": _points(one.most_accuracy),
            "removal raises accuracy": f"{(one.accuracy.mean < 0).mean():.0%} "
            f"(by chance {one.accuracy_by_chance.raised:.0%})",
            "CKA falls by, at most": _largest(one.cka),
            "rank correlation with variance": with_interval(*one.ranks["variance"], ".2f"),
            "same ranking: other test images": f"{one.again:.2f}",
            "same ranking: other train images": f"{one.again_trained:.2f}",
        }
        for case, one in found.items()
    )


def _largest(effects: Effects) -> str:
    """The largest effect with its interval."""
    most = effects.mean.argmax()
    return with_interval(effects.mean[most], effects.low[most], effects.high[most], ".5f")


def describe_neurons(found: Found) -> str:
    """How many neurons help and harm, and what accuracy says of it."""
    every = list(found.values())
    clear = sum(int((one.accuracy.above | one.accuracy.below).sum()) for one in every)
    most = max(found, key=lambda case: found[case].most_accuracy[0])
    help_ = {case: int(one.loss.above.sum()) for case, one in found.items()}
    harm = {case: int(one.loss.below.sum()) for case, one in found.items()}
    harmful = f"{_ends(harm)} clearly harm" if any(harm.values()) else "none clearly harms"
    rises = [(one.accuracy.mean < 0).mean() for one in every]
    chance = [one.accuracy_by_chance.raised for one in every]
    at_most, by_task = (" at most", ", by task") if len(every) > 1 else ("", "")
    return (
        f"**What to see:** by the loss, {_ends(help_)} of {every[0].d} neurons clearly help (it is "
        f"higher without one of them); {harmful}. By accuracy, {clear or 'none'} "
        f"{'are' if clear > 1 else 'is'} clear; what the best neuron adds is "
        f"{_points(found[most].most_accuracy)} points{at_most} ({most}).\n\n"
        f"For {span(rises, '.0%')} of the neurons{by_task}, accuracy on these test images happens "
        "to be higher without the neuron than with it. If no neuron had any effect, chance alone "
        f"would make it so for {span(chance, '.0%')}."
    )


def _ends(counts: Mapping[str, int]) -> str:
    """From the least to the largest count, with the tasks."""
    least, most = min(counts, key=lambda case: counts[case]), max(counts, key=lambda c: counts[c])
    if counts[least] == counts[most]:
        return f"{counts[most]}"
    return f"{counts[least]} ({least}) to {counts[most]} ({most})"


def describe_clear(found: Found) -> str:
    """Without how many neurons CKA falls, and how often a clear neuron has the wrong sign."""
    falls = span([int(one.cka.above.sum()) for one in found.values()], "d")
    most = max(one.wrong_signs for one in found.values())
    return (
        f"CKA clearly falls without any one of {falls} neurons. In experiments drawn from the test "
        f"images at hand, at most {most:.1%} of the neurons that are clear by their loss have the "
        "wrong sign (it should be below 5%)."
    )


def shown_counts(table: pd.DataFrame) -> pd.DataFrame:
    """For reading: one row per task, over networks."""
    return pd.DataFrame(
        {
            "task": case,
            "clearly help": span(rows["help"], "d"),
            "clearly harm": span(rows["harm"], "d"),
            "clearly harm, all at once": f"{rows['at_once'].sum()} of {rows['neurons'].sum():,}",
            "harm excluded above, % of loss": f"{100 * rows['excluded'].max():.2f}",
            "largest help, % of loss": f"{100 * rows['largest'].max():.2f}",
        }
        for case, rows in table.groupby("case", sort=False)
    )


def describe_counts(table: pd.DataFrame) -> str:
    """How many neurons help and harm in several networks, and what harm is excluded."""
    of_case = table.groupby("case", sort=False)
    named, networks = of_case["at_once"].sum(), table["net"].nunique()
    excluded, largest = of_case["excluded"].max(), of_case["largest"].max()
    where = [str(case) for case, count in named.items() if count]
    weak = [str(case) for case in excluded.index if excluded[case] > largest[case]]
    ends = (str(excluded.idxmin()), str(excluded.idxmax()))
    least, most = (f"{100 * excluded[at]:.2f}% ({at})" for at in ends)
    harm = least if least == most else f"{least} to {most}"
    return (
        f"**What to see:** in {networks} network{'s' * (networks > 1)}, "
        f"{span(table['help'], 'd')} neurons clearly help a task and {span(table['harm'], 'd')} "
        f"clearly harm it. Tested for harm over all {table['neurons'].sum():,} pairs of a neuron "
        f"and a task at once, {named.sum() or 'none'} clearly "
        f"{'harm' if named.sum() > 1 else 'harms'}{f' ({first_listed(where)})' if where else ''}. "
        f"Harm above {harm} of the loss is excluded"
        + (f"; on {first_listed(weak)} that is more than the largest help." if weak else ".")
    )


def shown_removals(found: Found) -> pd.DataFrame:
    """For reading: the table of :func:`.removal_table` where neurons were removed, in percent of
    the loss and in points.
    """
    return pd.DataFrame(
        {
            "task": case,
            "neurons that": one.rule,
            "removed": "{} and {}".format(*one.neurons),
            "loss grows by, %": _points(one.loss),
            "less that of random ones, %": _points(one.saved_loss),
            "accuracy falls by, points": _points(one.accuracy),
            "less that of random ones, points": _points(one.saved_accuracy),
        }
        for case, one in _removals(found)
    )


def _removals(found: Found) -> list[tuple[str, Removal]]:
    """Those of at least one neuron, with their tasks."""
    return [
        (case, one) for case, each in found.items() for one in each.removals if sum(one.neurons)
    ]


def describe_removals(found: Found) -> str:
    """Whether removing what seems to harm helps, on images that did not choose it, and whether it
    costs less than random neurons do.
    """
    done = [one for _, one in _removals(found)]
    if not done:
        return "**What to see:** no neuron seemed to harm on any half of the test images."
    loss, saved, accuracy = (
        (
            sum(getattr(one, name)[2] < 0 for one in done),
            sum(getattr(one, name)[1] > 0 for one in done),
        )
        for name in ("loss", "saved_loss", "accuracy")
    )
    return (
        "**What to see:** removing all neurons that seem to harm, judged on images that were not "
        f"used to choose them, lowers the loss in {loss[0]} of {len(done)} cases and raises it in "
        f"{loss[1]}. Accuracy rises in {accuracy[0]} and falls in {accuracy[1]}. Against as many "
        "random neurons, the loss is "
        f"lower in {saved[0]} and higher in {saved[1]}."
    )


def describe_penalties(table: pd.DataFrame) -> str:
    """What of all this depends on the penalty, from :func:`.penalties_table`."""
    parts = []
    for times, rows in table.groupby("times", sort=False):
        falls = [
            f"{row.case}: {_points((row.loss, row.loss_low, row.loss_high))}%"
            for row in rows.itertuples()
            if row.loss_high < 0
        ]
        where = f"{len(falls)} of {len(rows)} tasks ({first_listed(falls, 2)})" if falls else "none"
        parts.append(
            (f"{1 / times:g} times weaker" if times < 1 else f"{times:g} times stronger", where)
        )
    (weaker, first), *others = parts
    return (
        f"With a penalty {weaker}, removing all that seem to harm the loss lowers it on {first}."
        + "".join(f" With one {how}, on {where}." for how, where in others)
    )


def results_of(found: Found) -> dict[str, float]:
    """Key numbers: how many neurons clearly help and harm."""
    return {
        f"neurons that {what}, {case}": int(mask.sum())
        for case, one in found.items()
        for what, mask in (("help", one.loss.above), ("harm", one.loss.below))
    }
