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
    counts, most, rises, ranks = [], [], [], []
    for case, one in found.items():
        counts.append(
            f"{int(one.loss.above.sum())} help and {int(one.loss.below.sum())} harm on {case} (by "
            f"chance {one.loss_by_chance.above.mean():.2f} and "
            f"{one.loss_by_chance.below.mean():.2f})"
        )
        most.append(f"{_points(one.most_accuracy)} on {case}")
        share = float((one.accuracy.mean < 0).mean())
        rises.append(f"{share:.0%} on {case}, {one.accuracy_by_chance.raised:.0%} by chance")
        ranks.append(f"{_rho(one.ranks['variance'])} on {case}")
    clear = sum(int((one.accuracy.above | one.accuracy.below).sum()) for one in found.values())
    return (
        f"**What to see:** of {next(iter(found.values())).d} neurons, {listed(counts)}: clearly, "
        "that is with a false discovery rate of 5% over the neurons of a task, in the squared loss "
        f"on test images. In accuracy {clear or 'none'} of all of them "
        f"{'are' if clear > 1 else 'is'} clear; the neuron that matters most to the loss is worth, "
        f"in points, {listed(most)}. Counted without a test, accuracy rises without a neuron for "
        f"{listed(rises)}. The rank correlation of what is lost with a neuron's variance is "
        f"{listed(ranks)}."
    )


def describe_counts(table: pd.DataFrame) -> str:
    """How many neurons help and harm in several networks."""
    if table["net"].nunique() < 2:
        return "NETS holds one network: how many neurons harm others cannot be said."
    parts = [
        f"{rows['help'].min()} to {rows['help'].max()} help and {rows['harm'].min()} to "
        f"{rows['harm'].max()} harm on {case}"
        for case, rows in table.groupby("case", sort=False)
    ]
    return f"Over the {table['net'].nunique()} networks, {listed(parts)}."


def shown_removals(found: Found) -> pd.DataFrame:
    """For reading: the table of :func:`.removal_table`, in percent of the loss and in points."""
    return pd.DataFrame(
        {
            "case": case,
            "neurons that": removal.rule,
            "removed": "{} and {}".format(*removal.neurons),
            "lost, loss in %": _points(removal.loss),
            "lost, accuracy in points": _points(removal.accuracy),
            "as many at random": f"{100 * removal.random_loss:+.2f}; "
            f"{100 * removal.random_accuracy:+.2f}",
        }
        for case, one in found.items()
        for removal in one.removals
    )


def describe_removals(found: Found) -> str:
    """Whether removing what seems to harm helps, on images that did not choose it."""
    removals = [(case, one) for case, each in found.items() for one in each.removals]
    done = [(case, one) for case, one in removals if sum(one.neurons)]
    if not done:
        return "**What to see:** no neuron seemed to harm on any half of the test images."
    sentences = []
    for name, unit in (("loss", "% of the loss"), ("accuracy", " points of accuracy")):
        gained = [(case, one) for case, one in done if getattr(one, name)[2] < 0]
        lost = [one for _, one in done if getattr(one, name)[1] > 0]
        best, least = min(done, key=lambda pair: getattr(pair[1], name)[0])
        told = [f"{one.rule} on {case}" for case, one in gained]
        sentences.append(
            f"in {name} it clearly helps in {len(gained)} of {len(done)} cases"
            f"{f' ({listed(told)})' if told else ''} and clearly costs in {len(lost)}; at best it "
            f"loses {_points(getattr(least, name))}{unit} (neurons that {least.rule}, {best})"
        )
    return (
        "**What to see:** without all neurons that seem to harm on one half of the test images, "
        f"judged on the other half: {'; '.join(sentences)}. Each 95% interval is over test images, "
        "one at a time; where something was lost, a minus sign would mean that it helped."
    )


def results_of(found: Found) -> dict[str, float]:
    """Key numbers: how many neurons clearly help and harm."""
    return {
        f"neurons that {what}, {case}": int(mask.sum())
        for case, one in found.items()
        for what, mask in (("help", one.loss.above), ("harm", one.loss.below))
    }
