"""Which single neurons matter to a task, and whether some harm it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..experiment.single_neurons import Interval, SingleNeurons
from ..findings.figure_data import Band
from ..findings.phrases import listed

Found = Mapping[str, SingleNeurons]
"""By case."""


def _points(interval: Interval, spec: str = "+.2f") -> str:
    """A share with its interval, in hundredths."""
    value, low, high = (100 * one for one in interval)
    return f"{value:{spec}} ({low:{spec}} to {high:{spec}})"


def _rho(interval: Interval) -> str:
    return "{:.2f} ({:.2f} to {:.2f})".format(*interval)


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
    """For reading: one row a case; what one neuron is worth, and what tells it."""
    return pd.DataFrame(
        {
            "case": case,
            "clearly help": one.loss.above.sum(),
            "clearly harm": one.loss.below.sum(),
            "worth most, % of the loss": _points(one.most_loss),
            "points of accuracy": _points(one.most_accuracy),
            "accuracy rises without": f"{(one.accuracy.mean < 0).mean():.0%} "
            f"(by chance {one.accuracy_by_chance.raised:.0%})",
            "rank correlation with variance": _rho(one.ranks["variance"]),
            "on other test images": f"{one.again:.2f}",
            "and other train images": f"{one.again_trained:.2f}",
        }
        for case, one in found.items()
    )


def describe_neurons(found: Found) -> str:
    """How many neurons help and harm, how much the most important one does, and what tells."""
    every = list(found.values())
    rises = [f"{(one.accuracy.mean < 0).mean():.0%}" for one in every]
    chance = [f"{one.accuracy_by_chance.raised:.0%}" for one in every]
    clear = sum(int((one.accuracy.above | one.accuracy.below).sum()) for one in every)
    named = max(float(one.loss_by_chance.below.mean()) for one in every)
    most = max(found, key=lambda case: found[case].most_accuracy[0])
    return (
        f"**What to see:** of {every[0].d} neurons {_each('above', found)} clearly help and "
        f"{_each('below', found)} clearly harm the loss ({listed(list(found))}; by chance alone "
        f"{named:.2f} at most would harm). In accuracy {clear or 'none'} "
        f"{'are' if clear > 1 else 'is'} clear; the neuron that matters most to the loss is worth "
        f"at most {_points(found[most].most_accuracy)} points of it ({most}), and none lowers CKA "
        f"by more than {max(one.cka.max() for one in every):.2g}. Without a test, accuracy rises "
        f"without {listed(rises)} of the neurons, where chance alone would give {listed(chance)}. "
        "The rank correlation of the growth of the loss with a neuron's variance is "
        f"{listed([_rho(one.ranks['variance']) for one in every])}. *Clearly*: with a false "
        "discovery rate of 5% over the neurons of a task; intervals are of 95%, over test images."
    )


def _each(side: str, found: Found) -> str:
    return listed([str(getattr(one.loss, side).sum()) for one in found.values()])


def describe_counts(table: pd.DataFrame) -> str:
    """How many neurons help and harm in several networks."""
    if table["net"].nunique() < 2:
        return "NETS holds one network: how many neurons harm others cannot be said."
    parts = [
        f"{_between(rows['help'])} clearly help and {_between(rows['harm'])} clearly harm on {case}"
        for case, rows in table.groupby("case", sort=False)
    ]
    return f"Over the {table['net'].nunique()} networks, of their neurons {listed(parts)}."


def _between(counts: pd.Series) -> str:
    least, most = counts.min(), counts.max()
    return f"{least}" if least == most else f"{least} to {most}"


def shown_removals(found: Found) -> pd.DataFrame:
    """For reading: the table of :func:`.removal_table`, in percent of the loss and in points."""
    rows = []
    for case, one in found.items():
        for removal in one.removals:
            row = {"case": case, "neurons that": removal.rule}
            row["removed"] = "{} and {}".format(*removal.neurons)
            if sum(removal.neurons):
                row["loss grows by %"] = _points(removal.loss)
                row["as many at random, %"] = f"{100 * removal.random_loss:+.2f}"
                row["accuracy falls by points"] = _points(removal.accuracy)
                row["as many at random, points"] = f"{100 * removal.random_accuracy:+.2f}"
            rows.append(row)
    return pd.DataFrame(rows).fillna("–")


def describe_removals(found: Found) -> str:
    """Whether removing what seems to harm helps, on images that did not choose it."""
    removals = [(case, one) for case, each in found.items() for one in each.removals]
    done = [(case, one) for case, one in removals if sum(one.neurons)]
    if not done:
        return "**What to see:** no neuron seemed to harm on any half of the test images."
    sentences = []
    for name, verb, at_best, unit in (
        ("loss", "the loss falls", "at best it grows by", "%"),
        ("accuracy", "accuracy rises", "at best it falls by", " points"),
    ):
        better = [f"{one.rule} on {case}" for case, one in done if getattr(one, name)[2] < 0]
        worse = sum(getattr(one, name)[1] > 0 for _, one in done)
        case, best = min(done, key=lambda pair: getattr(pair[1], name)[0])
        sentences.append(
            f"{verb} in {len(better)} of {len(done)} cases"
            f"{f' (neurons that {listed(better)})' if better else ''} and the contrary holds in "
            f"{worse}, by intervals that leave out 0; {at_best} "
            f"{_points(getattr(best, name))}{unit} (neurons that {best.rule}, {case})"
        )
    return (
        "**What to see:** without all neurons that seem to harm on one half of the test images, "
        f"judged on the other half, {'; '.join(sentences)}. Intervals are of 95%, over test "
        "images, one at a time."
    )


def describe_penalties(table: pd.DataFrame) -> str:
    """What of all this hangs on the penalty, from :func:`.penalties_table`."""
    parts = []
    for times, rows in table.groupby("times", sort=False):
        falls = [
            f"{_points((row.loss, row.loss_low, row.loss_high))}% on {row.case}"
            for row in rows.itertuples()
            if row.loss_high < 0
        ]
        better = int((rows["accuracy_high"] < 0).sum())
        parts.append(
            f"at {times:g} times the penalty {_between(rows['harm'])} neurons clearly harm the "
            "loss; without all that seem to, the loss falls on "
            f"{f'{len(falls)} of {len(rows)} tasks ({listed(falls)})' if falls else 'no task'} "
            f"and accuracy rises on {better}, by intervals that leave out 0"
        )
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def results_of(found: Found) -> dict[str, float]:
    """Key numbers: how many neurons clearly help and harm."""
    return {
        f"neurons that {what}, {case}": int(mask.sum())
        for case, one in found.items()
        for what, mask in (("help", one.loss.above), ("harm", one.loss.below))
    }
