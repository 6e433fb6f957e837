"""Curves of several cases as tables and panels, and the one place that makes rows of DR.

A *case* is a network on a task, named as figures name it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..measures.curves import MEASURES, Curve, size_of
from ..measures.redundancy import Redundancy
from ..uncertainty.bootstrap import percentile_interval
from ..uncertainty.interval import WithInterval
from .figure_data import Line, Panel, Series, point
from .phrases import listed, place, with_interval

Curves = Mapping[str, Mapping[str, Curve]]
"""Curves of one measure by case and selection."""


def redundancy_columns(redundancy: Redundancy) -> dict[str, Any]:
    """DR, the ends of its interval, and k, as columns of a table."""
    return {
        "DR": redundancy.value,
        "low": redundancy.low,
        "high": redundancy.high,
        "k": redundancy.k,
    }


def of_selection(curves: Curves, selection: str = "random") -> dict[str, Curve]:
    """The curves of one selection by case; cases without it are left out."""
    return {case: kinds[selection] for case, kinds in curves.items() if selection in kinds}


def curve_table(curves: Curves, seeds: Sequence[int]) -> pd.DataFrame:
    """The values of every curve at some seeds (deterministic selections have the seed 0): columns
    measure, case, selection, seed, k, value.
    """
    frames = [
        curve.to_frame(measure=curve.measure, case=case, selection=selection)
        for case, kinds in curves.items()
        for selection, curve in kinds.items()
    ]
    table = pd.concat(frames, ignore_index=True)
    return table[table["seed"].isin([0, *seeds])].reset_index(drop=True)


def mean_table(curves: Curves) -> pd.DataFrame:
    """Every curve over all its seeds: mean, standard deviation, least and largest value at each
    k.
    """
    frames = [
        pd.DataFrame(
            {
                "measure": curve.measure,
                "case": case,
                "selection": selection,
                "k": curve.sizes,
                "mean": curve.mean,
                "sd": curve.values.std(0, ddof=1) if len(curve.seeds) > 1 else np.nan,
                "least": curve.values.min(0),
                "largest": curve.values.max(0),
                "seeds": len(curve.seeds),
            }
        )
        for case, kinds in curves.items()
        for selection, curve in kinds.items()
    ]
    return pd.concat(frames, ignore_index=True)


def mean_at(curve: Curve, fraction: float) -> WithInterval:
    """The mean at a fraction of the layer with its 95% interval."""
    k, draws = size_of(fraction, curve.d), curve.resampled()
    mean = float(curve.at(k).mean())
    if draws is None:
        return WithInterval(mean)
    ends = np.clip(percentile_interval(draws.values[:, curve.column(k)]), 0, 1)
    return WithInterval(mean, *ends)


def mean_in_words(curve: Curve, fraction: float) -> str:
    """The mean at a fraction of the layer, in percent of accuracies, with its 95% interval."""
    mean, spec = mean_at(curve, fraction), ".1%" if MEASURES[curve.measure].percent else ".3f"
    return with_interval(mean, mean.low, mean.high, spec)


def curve_panels(
    curves: Curves,
    *,
    threshold: float | None = None,
    predicted: Mapping[str, np.ndarray] | None = None,
) -> list[Panel]:
    """One panel a case.

    Parameters
    ----------
    curves : mapping
    threshold : float, optional
        A share of the full layer's value, to be marked.
    predicted : mapping from a case to ndarray (d,), optional
        What is predicted of random neurons; drawn where these were measured.
    """
    panels = []
    for case, kinds in curves.items():
        some = next(iter(kinds.values()))
        panels.append(
            Panel(
                case,
                some.d,
                [Line.of(curve) for curve in kinds.values() if len(curve.sizes)],
                full=some.full,
                predicted=predicted[case] if predicted and "random" in kinds else None,
                threshold=None if threshold is None else threshold * some.full,
                threshold_label=f"{threshold or 0:.0%} of the full layer",
                axis=MEASURES[some.measure].axis,
                percent=MEASURES[some.measure].percent,
            )
        )
    return panels


@dataclass(frozen=True)
class RedundancyTable:
    """DR of one measure by case, selection and delta.

    Attributes
    ----------
    measure : str
        In words.
    deltas : tuple of float
    entries : mapping from (case, selection, delta) to Redundancy
    guessed : tuple of str
        The cases whose full layer is not clearly better than guessing: their DR means nothing.
    corrected : mapping
        Chance-corrected, of accuracies above guessing.
    near_bar : tuple of (case, selection, delta)
        Where another size would do within the solver's error; see :meth:`Curve.near_bar`.
    """

    measure: str
    deltas: tuple[float, ...]
    entries: Mapping[tuple[str, str, float], Redundancy] = field(repr=False)
    guessed: tuple[str, ...] = ()
    corrected: Mapping[tuple[str, str, float], Redundancy] = field(default_factory=dict, repr=False)
    near_bar: tuple[tuple[str, str, float], ...] = ()

    @property
    def delta(self) -> float:
        """The delta that sentences speak of: 0.9 if it is among them, else the first."""
        return 0.9 if 0.9 in self.deltas else self.deltas[0]

    def of(self, selection: str, delta: float) -> dict[str, Redundancy]:
        """DR of a selection at one delta, by case."""
        return {
            case: redundancy
            for (case, name, at), redundancy in self.entries.items()
            if (name, at) == (selection, delta)
        }

    @property
    def tidy(self) -> pd.DataFrame:
        """One row per case, selection and delta, as numbers."""
        return pd.DataFrame(
            {
                "case": case,
                "selection": selection,
                "measure": self.measure,
                "delta": delta,
                **redundancy_columns(redundancy),
                "d": redundancy.d,
                "full": redundancy.full,
                "seeds": redundancy.seeds,
                **corrected_columns(self.corrected.get((case, selection, delta))),
            }
            for (case, selection, delta), redundancy in self.entries.items()
        )

    def shown(self, selection: str = "random") -> pd.DataFrame:
        """For reading: one selection, the interval in one column."""
        rows = [
            {
                "case": case,
                "measure": self.measure,
                "δ": delta,
                "DR(δ)": one.value,
                "95% interval": _interval(one),
                **self._shown_corrected(case, name, delta),
                "k*": "not reached" if one.k is None else str(one.k),
                "d": one.d,
                "full layer": one.full,
            }
            for (case, name, delta), one in self.entries.items()
            if name == selection
        ]
        return pd.DataFrame(rows or [{"note": f"{selection} was not asked for"}])

    def describe_near_bar(self) -> str:
        """One sentence: where DR of random neurons depends on the solver."""
        near = [
            f"{place(case)} at δ = {delta:g}"
            for case, name, delta in self.near_bar
            if name == "random"
        ]
        if not near:
            return "The error of the solver changes no k*."
        return (
            f"Within the error of the solver k* could be another size for {listed(near)}: the mean "
            "accuracy there is that close to the threshold."
        )

    def _shown_corrected(self, case: str, selection: str, delta: float) -> dict[str, str]:
        """The column of chance-corrected DR, where there is any."""
        if not self.corrected:
            return {}
        one = self.corrected.get((case, selection, delta))
        if one is None:
            return {"DR above chance": "–"}
        return {"DR above chance": f"{one.value:.3f} ({_interval(one)})"}

    def series(self, selection: str = "random") -> tuple[list[str], list[Series]]:
        """What :func:`figures.points_figure` draws: cases, and DR of each, one series a delta."""
        series = []
        for look, delta in enumerate(self.deltas):
            points = [point(redundancy) for redundancy in self.of(selection, delta).values()]
            series.append(Series(f"δ = {delta:g}", range(len(points)), points, look))
        return list(self.of(selection, self.delta)), series

    def results(self, selection: str = "random") -> dict[str, float]:
        """Key numbers: DR by case and delta."""
        return {
            f"DR({delta:g}) of {self.measure}, {case}": WithInterval(
                redundancy.value, redundancy.low, redundancy.high
            )
            for (case, name, delta), redundancy in self.entries.items()
            if name == selection
        }


def _interval(one: Redundancy) -> str:
    if one.has_interval:
        return f"{one.low:.3f} to {one.high:.3f}"
    return "one seed" if one.seeds == 1 else "–"


def corrected_columns(redundancy: Redundancy | None) -> dict[str, Any]:
    """Chance-corrected DR, the ends of its interval, and chance, as columns of a table."""
    if redundancy is None:
        return {}
    return {
        "DR_above_chance": redundancy.value,
        "low_above_chance": redundancy.low,
        "high_above_chance": redundancy.high,
        "chance": redundancy.chance,
    }


def redundancy_table(curves: Curves, deltas: Sequence[float]) -> RedundancyTable:
    """DR of curves of one measure, at every delta; curves without a size are left out."""
    entries, corrected, near, measure, guessed = {}, {}, [], "", {}
    for case, kinds in curves.items():
        for selection, curve in kinds.items():
            measure = curve.measure.replace("_", " ")
            if len(curve.sizes):
                for delta in deltas:
                    key = case, selection, delta
                    entries[key] = curve.redundancy(delta)
                    if curve.near_bar(delta):
                        near.append(key)
                    if (one := curve.above_chance(delta)) is not None:
                        corrected[key] = one
                guessed[case] = not curve.above_guessing
    return RedundancyTable(
        measure,
        tuple(deltas),
        entries,
        tuple(case for case, so in guessed.items() if so),
        corrected,
        tuple(near),
    )
