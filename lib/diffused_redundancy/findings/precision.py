"""How sure a DR is: where its variance comes from, whether its interval holds the truth as often as
it says, and how many seeds a wanted width takes.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from ..experiment.measurements import COMPARED, Measurements
from ..experiment.probed_layer import ProbedLayer
from ..measures.coverage import simulated_coverage
from ..measures.curves import Curve
from ..measures.redundancy import smallest_sufficient
from ..nets.networks import Net
from .figure_data import Point, Series
from .phrases import lines, listed, place, span

PAPER_SEEDS = 5
"""Random subsets of each size in the paper."""

HALF_WIDTH = 0.01
"""Half of a 95% interval of DR that one may want."""

REFITS = 20
"""Train sets that probes are fitted to anew."""

REFIT_SEEDS = 3
"""Random orders of each refit."""

SUBSETS, IMAGES, TRAIN, PRETRAINING = (
    "subsets",
    "images",
    "train images of the probe",
    "pre-training seed",
)
"""Sources of variance."""


def _draws(curve: Curve, delta: float, *, over_images: bool) -> np.ndarray | None:
    """DR(delta) of resamples over seeds alone, or over images alone: of the same images for all
    curves on one task.
    """
    if over_images:
        alone = replace(curve, seeds=(0,), values=curve.mean[None], converged=None, objective=None)
    else:
        alone = replace(curve, by_images=None, full_by_images=None)
    alone = replace(alone, per_class=None, solver_error=None)
    return alone.redundancy_draws(delta, confidence=None)


def deviation(curve: Curve, delta: float, *, over_images: bool) -> float:
    """The standard deviation of DR(delta) over seeds alone, or over images alone; NaN where there
    is nothing to resample.
    """
    draws = _draws(curve, delta, over_images=over_images)
    return float("nan") if draws is None else float(draws.std(ddof=1))


def own_variance_over_images(curves: Sequence[Curve], delta: float) -> float:
    """The part of the variance over images that networks do not share: half the mean variance of
    the difference of two networks' DR on the same resampled images; NaN with one network.
    """
    draws = [_draws(curve, delta, over_images=True) for curve in curves]
    halves = [
        np.var(one - other, ddof=1) / 2
        for one, other in itertools.combinations(draws, 2)
        if one is not None and other is not None
    ]
    return float(np.mean(halves)) if halves else float("nan")


def seeds_for(half_width: float, of_one: float, of_images: float) -> float:
    """How many seeds make the half-width of a 95% interval at most so large, given the standard
    deviations of DR over one subset and over images; NaN if images alone make it wider.

    >>> seeds_for(0.01, 0.05, 0.0), seeds_for(0.01, 0.05, 0.01)
    (97.0, nan)
    """
    left = (half_width / norm.ppf(0.975)) ** 2 - of_images**2
    return float(np.ceil(of_one**2 / left)) if left > 0 else float("nan")


def precision_table(random: Mapping[str, Curve], delta: float) -> pd.DataFrame:
    """By case: DR of random neurons, its standard deviation over subsets (of as many as there are,
    and of the paper's number) and over images, the simulated coverage of intervals of so many, and
    the seeds that a 95% interval of ±0.01 takes.

    Cases whose full layer is not clearly better than guessing, or without several seeds and images,
    are left out.
    """
    rows = []
    for case, curve in random.items():
        one = curve.redundancy(delta)
        if one.k is None or not curve.above_guessing or curve.by_images is None or one.seeds < 2:
            continue
        subsets, images = (deviation(curve, delta, over_images=over) for over in (False, True))
        rows.append(
            {
                "case": case,
                "DR": one.value,
                "low": one.low,
                "high": one.high,
                "seeds": one.seeds,
                "sd_subsets": subsets,
                "sd_paper_subsets": subsets * np.sqrt(one.seeds / PAPER_SEEDS),
                "sd_images": images,
                "coverage": simulated_coverage(curve, delta=delta),
                "coverage_paper_seeds": simulated_coverage(curve, PAPER_SEEDS, delta),
                "seeds_for_0.01": seeds_for(HALF_WIDTH, subsets * np.sqrt(one.seeds), images),
            }
        )
    return pd.DataFrame(rows)


def shown_precision(table: pd.DataFrame) -> pd.DataFrame:
    """For reading: the table of :func:`precision_table`."""
    if table.empty:
        return pd.DataFrame([{"note": "no case has several seeds and images"}])
    seeds = int(table["seeds"].iloc[0])
    needed = table["seeds_for_0.01"]
    return pd.DataFrame(
        {
            "case": table["case"],
            f"SD, {seeds} subsets": table["sd_subsets"].map("{:.4f}".format),
            f"SD, {PAPER_SEEDS} subsets": table["sd_paper_subsets"].map("{:.4f}".format),
            "SD, images": table["sd_images"].map("{:.4f}".format),
            f"coverage, {seeds} subsets": table["coverage"].map("{:.0%}".format),
            f"coverage, {PAPER_SEEDS} subsets": table["coverage_paper_seeds"].map("{:.0%}".format),
            f"seeds for ±{HALF_WIDTH:g}": [
                "images alone vary more" if np.isnan(one) else f"{one:.0f}" for one in needed
            ],
        }
    )


def describe_precision(table: pd.DataFrame) -> str:
    """How sure DR is: how wide its intervals are, what makes them so, and how often they hold."""
    if table.empty:
        return "It takes several seeds, and values by images, to say how sure DR is."
    held, few = table["coverage"], table["coverage_paper_seeds"]
    widths = (table["high"] - table["low"]) / 2
    narrow, wide = table.loc[widths.idxmin()], table.loc[widths.idxmax()]
    ends = f"±{widths.min():.3f} on {place(narrow['case'])}"
    if len(table) > 1:
        ends += f", and to ±{widths.max():.3f} on {place(wide['case'])}"
    images = table[table["sd_images"] > table["sd_subsets"]]
    many_held, few_held = (span(one, ".0%") for one in (held, few))
    return (
        f"**What to see:** DR is known to {ends} (half of its 95% interval). With "
        f"{int(table['seeds'].iloc[0])} subsets, other images move it more than other subsets do "
        f"in {len(images)} of {len(table)} cases. In 200 experiments drawn from the data at hand, "
        f"such intervals held the DR of that data in {many_held} of the experiments, those of "
        f"{PAPER_SEEDS} subsets in {few_held} (±3%)."
    )


def train_deviation(layer: ProbedLayer, delta: float, penalty: float | None = None) -> float:
    """The standard deviation of DR(delta) of ridge accuracy over train sets, drawn anew from the
    train images with replacement.
    """
    curves, full = layer.ridge_refits(range(1, REFIT_SEEDS + 1), REFITS, penalty=penalty)
    sufficient = smallest_sufficient(curves, delta * full, np.arange(1, curves.shape[1] + 1))
    return float(np.nanstd(sufficient, ddof=1) / layer.d)


def components(
    measurements: Measurements,
    nets: Sequence[Net],
    train: Mapping[str, float],
    delta: float,
) -> pd.DataFrame:
    """The sources of variance of DR(delta) of one loss, by task and measure: standard deviations,
    and shares of the sum of variances.

    Parameters
    ----------
    measurements : Measurements
    nets : sequence of Net
        Those of the loss, which differ in their seed only. Over subsets and images, variances are
        averaged over them. What is left between them, less what their own subsets do and images do
        to one alone, is that of the pre-training, with a chi-square interval. (Other train images
        may move one network more than another: that part of it is not taken off.)
    train : mapping from the name of a task to float
        See :func:`train_deviation`.
    delta : float
    """
    rows = []
    for task in measurements.tasks:
        for measure in COMPARED:
            curves = [measurements.of(net, task).curve(measure) for net in nets]
            if not all(curve.above_guessing for curve in curves):
                continue
            subsets, images = (
                float(np.mean([deviation(curve, delta, over_images=over) ** 2 for curve in curves]))
                for over in (False, True)
            )
            values = [curve.redundancy(delta).value for curve in curves]
            # What a network's own subsets do, and images to it alone, is not of its pre-training.
            own = subsets + np.nan_to_num(own_variance_over_images(curves, delta))
            between = least = most = np.nan
            if len(values) > 1:
                spread, df = float(np.var(values, ddof=1)), len(values) - 1
                between = max(spread - own, 0.0)
                least = max(spread * df / chi2.ppf(0.975, df) - own, 0.0)
                most = max(spread * df / chi2.ppf(0.025, df) - own, 0.0)
            variances = {SUBSETS: subsets, IMAGES: images}
            if measure == "accuracy" and task.name in train:
                variances[TRAIN] = train[task.name] ** 2
            variances[PRETRAINING] = between
            ends = {PRETRAINING: (np.sqrt(least), np.sqrt(most))}
            whole = np.nansum(list(variances.values()))
            rows += [
                {
                    "task": task.title,
                    "measure": COMPARED[measure],
                    "source": source,
                    "sd": float(np.sqrt(variance)),
                    **dict(zip(("low", "high"), ends.get(source, (np.nan, np.nan)), strict=True)),
                    "share": float(variance / whole) if whole > 0 else np.nan,
                    "networks": len(nets),
                    "seeds": len(curves[0].seeds),
                }
                for source, variance in variances.items()
            ]
    return pd.DataFrame(rows)


_ENDS = ("sd", "low", "high")


def component_series(table: pd.DataFrame) -> tuple[list[str], list[Series]]:
    """What :func:`figures.points_figure` draws: measures and tasks, and the deviation of each
    source.
    """
    cases = list(dict.fromkeys(zip(table["measure"], table["task"], strict=True)))
    rows = table.set_index(["source", "measure", "task"])
    return [f"{measure}, {task}" for measure, task in cases], [
        Series(
            source,
            range(len(cases)),
            [
                Point(*(float(rows[end].get((source, *case), np.nan)) for end in _ENDS))
                for case in cases
            ],
            look,
        )
        for look, source in enumerate((SUBSETS, IMAGES, TRAIN, PRETRAINING))
    ]


def describe_components(table: pd.DataFrame, delta: float) -> str:
    """A sentence with a line a measure: by task, the largest source of variance of DR but for the
    pre-training, whose deviation is beside it; and how often the one is clearly the larger.
    """
    if table.empty:
        return "It takes full layers clearly better than guessing."
    sentences, outcomes = [], []
    for measure, of_measure in table.groupby("measure", sort=False):
        parts = []
        for task, rows in of_measure.groupby("task", sort=False):
            trained = rows[rows["source"] == PRETRAINING].iloc[0]
            others = rows[rows["source"] != PRETRAINING]
            most = others.loc[others["sd"].idxmax()]
            beside = ""
            if trained["low"] == trained["low"]:
                ends = f"{trained['low']:.4f} to {trained['high']:.4f}"
                # An upper end of 0 shows that the others are overestimated, not that it is 0.
                beside = f" (pre-training: {ends if trained['high'] > 0 else 'none seen'})"
                outcomes.append(
                    "larger"
                    if trained["low"] > most["sd"]
                    else "smaller"
                    if 0 < trained["high"] < most["sd"]
                    else "open"
                )
            parts.append(f"{most['sd']:.4f} from the {most['source']} on {task}{beside}")
        sentences.append(f"{measure}: {listed(parts)}")
    seeds, nets = int(table["seeds"].iloc[0]), int(table["networks"].iloc[0])
    but = f" but for that of the {PRETRAINING}" if outcomes else ""
    lead = (
        f"**What to see:** the largest of these standard deviations of DR({delta:g}){but} "
        f"(subsets: of the mean over {seeds}), by measure"
    )
    end = "One network cannot show what the seed of the pre-training does."
    if outcomes:
        larger, smaller, unclear = map(outcomes.count, ("larger", "smaller", "open"))
        end = (
            f"In brackets is the 95% interval of that of pre-training, which rests on {nets} "
            "networks and takes the other sources as known. It lies above the other in "
            f"{larger} of {len(outcomes)} cases and below it in {smaller}; in {unclear} it is open "
            "which is larger."
        )
    return f"{lines(lead, sentences)}\n\n{end}"
