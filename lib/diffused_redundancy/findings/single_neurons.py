"""Which single neurons matter to a task, and whether some harm it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..experiment.single_neurons import Interval, SingleNeurons
from .figure_data import Band
from .phrases import listed

Found = Mapping[str, SingleNeurons]
"""By case."""


def _points(interval: Interval, spec: str = "+.2f") -> str:
    """A share with its interval, in hundredths."""
    value, low, high = (100 * one for one in interval)
    return f"{value:{spec}} ({low:{spec}} to {high:{spec}})"


def summary_table(found: Found) -> pd.DataFrame:
    """One row a case: how many neurons help and harm, how much one matters, and what tells."""
    return pd.DataFrame(
        {
            "case": case,
            "neurons": one.d,
            "help": int(one.loss.above.sum()),
            "help, by chance": float(one.loss_by_chance.above.mean()),
            "harm": int(one.loss.below.sum()),
            "harm, by chance": float(one.loss_by_chance.below.mean()),
            "wrong signs": one.wrong_signs,
            "most, loss in %": _points(one.most_loss),
            "most, accuracy in points": _points(one.most_accuracy),
            "accuracy rises without": float((one.accuracy.mean < 0).mean()),
            "by chance": one.accuracy_by_chance.raised,
            "clear in accuracy": int((one.accuracy.above | one.accuracy.below).sum()),
            **{f"rank correlation, {name}": _rho(rho) for name, rho in one.ranks.items()},
            "same on other images": one.again,
            "same, other train images too": one.again_trained,
        }
        for case, one in found.items()
    )


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


def describe_neurons(found: Found) -> str:
    """How many neurons help and harm, how much the most important one does, and what tells."""
    parts = []
    for case, one in found.items():
        share = float((one.accuracy.mean < 0).mean())
        parts.append(
            f"on {case} {one.loss.above.sum()} clearly help and {one.loss.below.sum()} clearly "
            f"harm the loss; the one that matters most is worth {_points(one.most_loss)}% of it "
            f"and {_points(one.most_accuracy)} points of accuracy; without a test, accuracy rises "
            f"without {share:.0%} of them (by chance {one.accuracy_by_chance.raised:.0%}); the "
            "rank correlation of the loss with a neuron's variance is "
            f"{_rho(one.ranks['variance'])}"
        )
    clear = sum(int((one.accuracy.above | one.accuracy.below).sum()) for one in found.values())
    chance = max(float(one.loss_by_chance.below.mean()) for one in found.values())
    return (
        f"**What to see:** of {next(iter(found.values())).d} neurons, {'; '.join(parts)}. "
        "*Clearly*: with a false discovery rate of 5% over the neurons of a task (by chance "
        f"alone, {chance:.2f} at most would harm). In accuracy {clear or 'none'} "
        f"{'are' if clear > 1 else 'is'} clear. Intervals are of 95%, over test images."
    )


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
    for name, verb in (("loss", "the loss falls"), ("accuracy", "accuracy rises")):
        better = [f"{one.rule} on {case}" for case, one in done if getattr(one, name)[2] < 0]
        worse = sum(getattr(one, name)[1] > 0 for _, one in done)
        case, best = min(done, key=lambda pair: getattr(pair[1], name)[0])
        value, low, high = getattr(best, name)
        unit = "% of the loss" if name == "loss" else " points"
        sentences.append(
            f"{verb} in {len(better)} of {len(done)} cases"
            f"{f' (neurons that {listed(better)})' if better else ''} and the contrary holds in "
            f"{worse}, by intervals that leave out 0; the best result is a gain of "
            f"{_points((-value, -high, -low))}{unit}, of neurons that {best.rule}, on {case}"
        )
    return (
        "**What to see:** without all neurons that seem to harm on one half of the test images, "
        f"judged on the other half, {'; '.join(sentences)}. Intervals are of 95%, over test "
        "images, one at a time."
    )


def results_of(found: Found) -> dict[str, float]:
    """Key numbers: how many neurons clearly help and harm."""
    return {
        f"neurons that {what}, {case}": int(mask.sum())
        for case, one in found.items()
        for what, mask in (("help", one.loss.above), ("harm", one.loss.below))
    }
