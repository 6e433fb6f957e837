"""How similar (CKA) parts of a layer are to the whole, and how well one number predicts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..experiment.probed_layer import ProbedLayer
from ..measures.curves import MEASURES, Curve, size_of
from ..measures.selections import orders
from ..uncertainty.bootstrap import percentile_interval
from .figure_data import Band, Line, Panel
from .phrases import listed, place, span
from .tables import Curves, mean_at, mean_in_words, of_selection

WITHIN = 0.02
"""An error of the closed form that the eye does not see."""


def layers_table(layers: Mapping[str, ProbedLayer]) -> pd.DataFrame:
    """What each layer is: images, neurons, classes, constant neurons, and r of the closed form."""
    table = pd.DataFrame({"case": case, **layer.about} for case, layer in layers.items())
    return table.rename(columns={"diagonal_share": "r", "constant": "constant neurons"})


def cka_curves(
    layers: Mapping[str, ProbedLayer],
    selections: Sequence[str],
    seeds: Sequence[int],
    *,
    count: int = 0,
    debiased: bool = False,
    standardize: bool = False,
    held_out: bool = False,
) -> Curves:
    """CKA with the whole layer at every k, by case and selection; of random neurons at least
    ``count`` orders; on the train images, or on held-out ones.
    """
    seeds_of = {name: orders(seeds, count) if name == "random" else seeds for name in selections}
    return {
        case: {
            name: layer.cka(
                name,
                seeds_of[name],
                debiased=debiased,
                standardize=standardize,
                held_out=held_out,
            )
            for name in selections
        }
        for case, layer in layers.items()
    }


def closed_forms(layers: Mapping[str, ProbedLayer]) -> dict[str, np.ndarray]:
    """The predicted mean CKA of random neurons at every k, (d,), by case."""
    return {case: layer.closed_form() for case, layer in layers.items()}


def describe_cka(curves: Curves) -> str:
    """One sentence on what the figure of CKA shows."""
    sentences = [
        f"{mean_in_words(curve, 0.1)} on {place(case)}"
        for case, curve in of_selection(curves).items()
    ]
    if not sentences:
        return "No random neurons were asked for."
    return (
        "**What to see:** with a tenth of the neurons, chosen at random, the mean CKA with the "
        f"whole layer (95% intervals over subsets and images) is {listed(sentences)}; it can be at "
        "most 1."
    )


def closed_form_curves(
    random: Mapping[str, Curve], predicted: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """The closed form beside the mean of random curves and that mean's standard error over seeds,
    one row per case and k; the error is NaN with a single seed.
    """
    frames = []
    for case, curve in random.items():
        seeds = len(curve.seeds)
        spread = curve.values.std(0, ddof=1) / np.sqrt(seeds) if seeds > 1 else np.nan
        frames.append(
            pd.DataFrame(
                {
                    "case": case,
                    "k": curve.sizes,
                    "closed_form": predicted[case],
                    "mean": curve.mean,
                    "standard_error": spread,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def closed_form_bands(curves: pd.DataFrame) -> list[Band]:
    """The closed form less the mean at every k, within twice the standard error, from
    :func:`closed_form_curves`.
    """
    return [
        Band(str(case), _error(rows), 2 * np.nan_to_num(rows["standard_error"].to_numpy()))
        for case, rows in curves.groupby("case", sort=False)
    ]


def closed_form_errors(curves: pd.DataFrame, layers: Mapping[str, ProbedLayer]) -> pd.DataFrame:
    """The largest errors of the closed form by case, from :func:`closed_form_curves`."""
    rows = []
    for case, frame in curves.groupby("case", sort=False):
        error = np.abs(_error(frame))
        far = np.flatnonzero(error > WITHIN)
        rows.append(
            {
                "case": case,
                "r": layers[str(case)].about["diagonal_share"],
                "largest error, all k": float(error.max()),
                "at k": int(error.argmax()) + 1,
                "largest error, k ≥ 10%": float(error[size_of(0.1, len(error)) - 1 :].max()),
                f"within {WITHIN} from k": int(far[-1]) + 2 if len(far) else 1,
            }
        )
    return pd.DataFrame(rows)


def _error(rows: pd.DataFrame) -> np.ndarray:
    error: np.ndarray = (rows["closed_form"] - rows["mean"]).to_numpy()
    return error


def describe_closed_form(errors: pd.DataFrame) -> str:
    """One sentence on the table of :func:`closed_form_errors`."""
    worst = errors.loc[errors["largest error, all k"].idxmax()]
    return (
        "**What to see:** from a tenth of the neurons on, the prediction is within "
        f"{errors['largest error, k ≥ 10%'].max():.3f} of the measured mean in every case; over "
        f"all sizes the largest error is {worst['largest error, all k']:.3f} (at k = "
        f"{worst['at k']})."
    )


def scale_panels(
    random: Mapping[str, Curve], standardized: Mapping[str, Curve], threshold: float
) -> list[Panel]:
    """CKA of random neurons as they are and standardized, one panel a case."""
    return [
        Panel(
            case,
            curve.d,
            [
                Line.of(curve, name="neurons as they are"),
                Line.of(standardized[case], name="standardized neurons", look=1),
            ],
            threshold=threshold,
            axis=MEASURES[curve.measure].axis,
        )
        for case, curve in random.items()
    ]


def scale_table(
    random: Mapping[str, Curve], standardized: Mapping[str, Curve], delta: float
) -> pd.DataFrame:
    """DR of CKA of neurons as they are and standardized, and their difference with its 95% interval
    over the same subsets and images, one row per case.
    """
    rows = []
    for case, curve in random.items():
        found = [one.redundancy(delta).value for one in (curve, standardized[case])]
        draws = [one.redundancy_draws(delta) for one in (curve, standardized[case])]
        low = high = float("nan")
        if draws[0] is not None and draws[1] is not None:
            low, high = percentile_interval(draws[1] - draws[0])
        rows.append(
            {
                "case": case,
                f"DR({delta:g}) of CKA": found[0],
                "standardized": found[1],
                "difference": found[1] - found[0],
                "low": low,
                "high": high,
            }
        )
    return pd.DataFrame(rows)


def describe_scale(table: pd.DataFrame) -> str:
    """What standardizing the neurons does to DR of CKA, from :func:`scale_table`."""
    higher, lower = (table["low"] > 0).sum(), (table["high"] < 0).sum()
    ordered = [row for _, row in table.sort_values("difference", kind="stable").iterrows()]
    parts = [_difference(row) for row in (ordered[0], ordered[-1])][: len(ordered)]
    return (
        "**What to see:** DR of CKA of standardized neurons, less that of neurons as they are, is "
        f"{' to '.join(parts)}. It is clearly higher in {higher} of {len(table)} cases and clearly "
        f"lower in {lower}. Each interval is of one network on one task: another seed of the "
        "pre-training may differ."
    )


def _difference(row: pd.Series) -> str:
    """With its interval and case."""
    ends = "" if row["low"] != row["low"] else f", {row['low']:+.3f} to {row['high']:+.3f}"
    return f"{row['difference']:+.3f} ({row['case']}{ends})"


def debiased_table(plain: Mapping[str, Curve], debiased: Mapping[str, Curve]) -> pd.DataFrame:
    """Plain and debiased CKA of the same random neurons, and their largest difference (of the mean
    over seeds), by case; the debiased ones may be of fewer seeds.
    """
    rows = []
    for case, curve in plain.items():
        theirs = debiased[case]
        same = curve.values[[curve.seeds.index(seed) for seed in theirs.seeds]]
        gap, tenth = np.abs((same - theirs.values).mean(0)), size_of(0.1, curve.d) - 1
        rows.append(
            {
                "case": case,
                "plain at 10%": float(same[:, tenth].mean()),
                "debiased at 10%": float(theirs.values[:, tenth].mean()),
                "largest difference": float(np.nanmax(gap)),
                "at k": int(curve.sizes[np.nanargmax(gap)]),
            }
        )
    return pd.DataFrame(rows)


def describe_debiased(
    table: pd.DataFrame, plain: Mapping[str, Curve], debiased: Mapping[str, Curve]
) -> str:
    """The difference of plain and debiased CKA, from the table of :func:`debiased_table`, and how
    far the few orders it rests on move the plain one.
    """
    worst = table["largest difference"].max()
    judged = "small" if worst < 0.01 else "large enough to see"
    return (
        f"**What to see:** the two differ by at most {worst:.4f} at any size: the bias of few "
        f"images is {judged} here.{_of_fewer_orders(table, plain, debiased)}"
    )


def _of_fewer_orders(
    table: pd.DataFrame, plain: Mapping[str, Curve], debiased: Mapping[str, Curve]
) -> str:
    """Why plain CKA is another number in that table than elsewhere; empty where it is not."""
    found = dict(zip(table["case"], table["plain at 10%"], strict=True))
    every = {case: float(plain[case].at_fraction(0.1).mean()) for case in found}
    most = max(found, key=lambda case: abs(found[case] - every[case]))
    here, elsewhere = f"{found[most]:.3f}", f"{every[most]:.3f}"
    if here == elsewhere:
        return ""
    return (
        f" Both are over the same {len(debiased[most].seeds)} orders of the neurons. Elsewhere CKA "
        f"of random neurons is over {len(plain[most].seeds)}, with other means: of a tenth of the "
        f"neurons {elsewhere} instead of {here} on {place(most)}."
    )


def results_of(curves: Curves) -> dict[str, float]:
    """Key numbers: mean CKA of a random fifth, by case."""
    return {
        f"cka at 20%, {case}": mean_at(curve, 0.2) for case, curve in of_selection(curves).items()
    }


def dimensions_table(
    layers: Mapping[str, ProbedLayer], seeds: Sequence[int], delta: float
) -> pd.DataFrame:
    """What DR of CKA of each layer depends on: its participation ratio PR, the coefficient of
    variation CV of its neurons' variances, and r = (PR / d)(1 + CV^2), beside k* and DR.
    """
    rows = []
    for case, layer in layers.items():
        found, redundancy = layer.geometry(), layer.cka("random", seeds).redundancy(delta)
        rows.append(
            {
                "case": case,
                "d": layer.d,
                "PR": found["participation"],
                "PR / d": found["participation"] / layer.d,
                "1 + CV²": 1 + found["variation"],
                "r": found["diagonal_share"],
                "k*": redundancy.k,
                f"DR({delta:g}) of CKA": redundancy.value,
            }
        )
    return pd.DataFrame(rows)


def describe_dimensions(
    table: pd.DataFrame, ours: Sequence[str], theirs: Sequence[str], delta: float
) -> str:
    """Two sentences on two kinds of layers, ``ours`` and ``theirs``, in that table: names of a
    kind, each with its cases.
    """
    (name, *cases), (other, *others) = ours, theirs
    first, second = (table[table["case"].isin(some)] for some in (cases, others))

    def of(some: pd.DataFrame) -> str:
        return (
            f"{span(some['PR'], '.0f')} of {span(some['d'], '.0f')} dimensions (r is "
            f"{span(some['r'], '.3f')}): a CKA of {delta:g} takes {span(some['k*'], '.0f')} neurons"
        )

    return (
        f"**What to see:** {name} fill {of(first)}. {other[:1].upper()}{other[1:]} fill "
        f"{of(second)}."
    )
