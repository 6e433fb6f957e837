"""What the similarity of random parts of a layer is made of: dimensions, scale, the sampling of
neurons, the basis. Measured for networks on tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..measures.cka import closed_form
from ..measures.closed_form_error import mean_error
from ..measures.curves import Curve, size_of
from ..measures.neighbours import NEIGHBOURS, chance, chance_within_classes, neighbour_overlap
from ..measures.neuron_sampling import closed_form_disjoint, disjoint_cka_curve
from ..measures.redundancy import smallest_sufficient
from ..measures.selections import SELECTIONS, ordering, orders
from ..measures.spectrum import Spectrum
from ..measures.statistics import SufficientStatistics
from ..measures.validation import check_features, rows_of
from ..nets.names import short_labels
from ..uncertainty.bootstrap import RESAMPLES, interval_of_mean, percentile_interval
from .measurements import NetTaskLayer
from .probed_layer import ProbedLayer
from .traits import other_seed

NEURONS, ROTATED = "random", "gaussian_projection"
"""The two bases: the neurons, and orthonormal directions drawn at random, as selections."""

BASES = {NEURONS: "neurons", ROTATED: "random directions"}

SCALED = {False: "as it is", True: "standardized"}
"""A layer, by whether its neurons are scaled to unit variance."""

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Of the layer: sizes at which neighbours are looked for."""

NEIGHBOUR_SEEDS = 5
"""Random orders whose neighbours are looked for."""


CKA, CORRECTED, OVERLAP = "CKA", "corrected CKA", "share of nearest neighbours"
"""What parts are compared by."""

WITH_PARTS = 2
"""Of how many networks, from the first, parts are measured."""

TAIL = 10
"""Resamples beyond each end of an interval, at least."""


def redundancy_gap(
    ours: Curve, theirs: Curve, delta: float, *, confidence: float = 0.95
) -> tuple[float, float, float]:
    """The difference of DR of two mean curves, and the ends of its interval over draws of both and
    the images they share; NaN without one, as where there is a single draw of several.
    """
    return mean_redundancy_gap([(ours, theirs)], delta, confidence=confidence)


def mean_redundancy_gap(
    pairs: Sequence[tuple[Curve, Curve]], delta: float, *, confidence: float = 0.95
) -> tuple[float, float, float]:
    """The mean of :func:`redundancy_gap` over pairs of curves, which share draws and images as far
    as they are the same, with its interval.
    """
    gaps = [one.redundancy(delta).value - other.redundancy(delta).value for one, other in pairs]
    mean, resamples = float(np.mean(gaps)), max(RESAMPLES, round(2 * TAIL / (1 - confidence)))
    total = np.zeros(resamples)
    for pair in pairs:
        one, other = (
            None
            if len(curve.seeds) == 1 and SELECTIONS[curve.selection].seeded
            else curve.redundancy_draws(delta, confidence=confidence, resamples=resamples)
            for curve in pair
        )
        if one is None or other is None or mean != mean:
            return mean, float("nan"), float("nan")
        total += one - other
    return mean, *percentile_interval(total / len(pairs), confidence)


def value_gap(ours: Curve, k: int, theirs: Curve, size: int) -> tuple[float, float, float]:
    """The mean of a curve at k less that of another at its own size, with the ends of the interval
    over draws of both and the images they share; NaN without one.
    """
    gap = float(ours.at(k).mean() - theirs.at(size).mean())
    drawn = ours.resampled(), theirs.resampled()
    if drawn[0] is None or drawn[1] is None:
        return gap, float("nan"), float("nan")
    one, other = drawn[0].values[:, ours.column(k)], drawn[1].values[:, theirs.column(size)]
    return gap, *percentile_interval(one - other)


@dataclass(frozen=True)
class OtherSeed:
    """The whole layer of a network beside that of another seed of its pre-training.

    Attributes
    ----------
    net : str
        The other network, as figures name it.
    curves : mapping from str to Curve
        By :data:`CKA` and :data:`OVERLAP`, each at the single size d.
    """

    net: str
    curves: Mapping[str, Curve] = field(repr=False)

    def value(self, kind: str) -> tuple[float, float, float]:
        """What the two layers have in common, and the ends of its interval over images."""
        curve = self.curves[kind]
        return curve.kept(int(curve.sizes[-1]))


@dataclass(frozen=True)
class Parts:
    """Random parts of a layer against the whole and against each other.

    Attributes
    ----------
    corrected : Curve
        CKA with the whole, corrected for the sampling of neurons.
    disjoint, corrected_disjoint : Curve
        CKA of two disjoint parts, and the same corrected.
    neighbours, disjoint_neighbours : Curve
        Nearest neighbours shared with the whole, and by two disjoint parts, at :data:`SHARES`.
    within_classes : float
        See :func:`.chance_within_classes`; NaN without labels.
    other : OtherSeed, optional
        A yardstick: another network as a whole.
    """

    corrected: Curve
    disjoint: Curve
    corrected_disjoint: Curve
    neighbours: Curve
    disjoint_neighbours: Curve
    within_classes: float = float("nan")
    other: OtherSeed | None = None

    @property
    def chance(self) -> float:
        """The share of neighbours that two unrelated layers would share."""
        images = self.neighbours.images or 2
        return chance(images, min(NEIGHBOURS, images - 1))


@dataclass(frozen=True)
class Structure:
    """One network on one task.

    Attributes
    ----------
    net, task : str
        As figures name them.
    spectrum, standardized : Spectrum
        Of the layer as it is, and of its neurons scaled to unit variance.
    cka : mapping from (selection, bool) to Curve
        Of :data:`NEURONS` and :data:`ROTATED`, as the layer is, and (True) standardised.
    of_variances : Curve
        CKA of random neurons, if they differed in their variances alone.
    parts : Parts, optional
    """

    net: str
    task: str
    spectrum: Spectrum
    standardized: Spectrum
    cka: Mapping[tuple[str, bool], Curve] = field(repr=False)
    of_variances: Curve = field(repr=False)
    parts: Parts | None = field(default=None, repr=False)

    @property
    def d(self) -> int:
        """Neurons of the layer."""
        return self.spectrum.d

    @property
    def case(self) -> str:
        """How sentences name it."""
        return f"{self.net} on {self.task}"

    def predicted(self, *, standardize: bool = False) -> np.ndarray:
        """The closed form of CKA, (d,)."""
        of = self.standardized if standardize else self.spectrum
        return closed_form(of.diagonal_share, self.d)

    @property
    def pairs(self) -> dict[str, tuple[Curve, Curve]]:
        """Curves of a part against the whole and of two disjoint parts, by what is compared; none
        where parts were not measured.
        """
        parts = self.parts
        if parts is None:
            return {}
        return {
            CKA: (self.cka[NEURONS, False], parts.disjoint),
            CORRECTED: (parts.corrected, parts.corrected_disjoint),
            OVERLAP: (parts.neighbours, parts.disjoint_neighbours),
        }

    def pair_at(self, kind: str, fraction: float) -> list[tuple[float, float, float]]:
        """The mean of both curves of a pair at a fraction of the layer, with the ends of its
        interval over subsets and images; none where it was not measured.
        """
        k = size_of(fraction, self.d)
        pair = self.pairs.get(kind, ())
        return (
            [one.kept(k) for one in pair] if all(one.column(k) is not None for one in pair) else []
        )

    def parts_at(self, kind: str, fraction: float) -> dict[str, Any]:
        """A part and the whole, two disjoint parts, and the whole layers of two seeds, by CKA or by
        neighbours: each with its interval, and the second less the third; empty where parts of that
        size were not measured.
        """
        pair = self.pair_at(kind, fraction)
        if not pair or self.parts is None:
            return {}
        seeds = gap = (float("nan"),) * 3
        other, k = self.parts.other, size_of(fraction, self.d)
        if other is not None:
            seeds = other.value(kind)
            theirs = other.curves[kind]
            gap = value_gap(self.pairs[kind][1], k, theirs, int(theirs.sizes[-1]))
        named = {"whole": pair[0], "disjoint": pair[1], "seeds": seeds, "disjoint_less_seeds": gap}
        return {
            "measure": kind,
            "net": self.net,
            "task": self.task,
            "k": k,
            **{
                name + end: value
                for name, values in named.items()
                for end, value in zip(("", "_low", "_high"), values, strict=True)
            },
            "other": "" if other is None else other.net,
            "chance": self.parts.chance if kind == OVERLAP else float("nan"),
            "within_classes": self.parts.within_classes if kind == OVERLAP else float("nan"),
        }

    def spectra(self, delta: float) -> list[dict[str, Any]]:
        """Dimensions, scale and DR of CKA of random neurons, by measure and by the closed form: a
        row for the layer as it is, and one for standardised neurons.
        """
        rows = []
        for scaled, name in SCALED.items():
            of = self.standardized if scaled else self.spectrum
            (_, *space), (_, *scale) = of.intervals()
            predicted, sizes = self.predicted(standardize=scaled), np.arange(1, self.d + 1)
            redundancy = self.cka[NEURONS, scaled].redundancy(delta)
            rows.append(
                {
                    **self._named(name),
                    "d": self.d,
                    "PR": of.participation,
                    "PR_low": space[0] * self.d,
                    "PR_high": space[1] * self.d,
                    "CV2": of.variation,
                    "CV2_low": scale[0] - 1,
                    "CV2_high": scale[1] - 1,
                    "effective_rank": of.effective_rank,
                    "r": of.diagonal_share,
                    "delta": delta,
                    "DR": redundancy.value,
                    "low": redundancy.low,
                    "high": redundancy.high,
                    "DR_closed_form": 1
                    - smallest_sufficient(predicted[None], delta, sizes)[0] / self.d,
                }
            )
        return rows

    def _named(self, layer: str) -> dict[str, Any]:
        return {"net": self.net, "task": self.task, "layer": layer}

    def errors(self) -> list[dict[str, Any]]:
        """The error of the closed form, its mean as by :func:`.mean_error` and where it is largest,
        with intervals over subsets: a row for the layer as it is, and for neurons that differ in
        one thing alone.
        """
        rows = []
        for name, curve, predicted in (
            ("as it is", self.cka[NEURONS, False], self.predicted()),
            ("variances alone", self.of_variances, self.predicted()),
            ("correlations alone", self.cka[NEURONS, True], self.predicted(standardize=True)),
        ):
            mean, low, high = mean_error(curve, predicted)
            error = predicted - curve.mean
            at = int(np.abs(error).argmax())
            ends = interval_of_mean(predicted[at] - curve.values[:, at])
            rows.append(
                {
                    **self._named(name),
                    "mean_error": mean,
                    "low": low,
                    "high": high,
                    "largest_error": float(error[at]),
                    "largest_error_low": ends[0],
                    "largest_error_high": ends[1],
                    "at_k": int(curve.sizes[at]),
                    "error_at_10%": float(error[size_of(0.1, self.d) - 1]),
                }
            )
        return rows

    def bases(self, delta: float, cases: int = 1) -> list[dict[str, Any]]:
        """DR of random neurons and of random directions, and r in both bases: a row for the layer
        as it is, and one standardised. Intervals of the difference are of so many cases at once
        (Bonferroni).
        """
        rows = []
        for scaled, name in SCALED.items():
            of = self.standardized if scaled else self.spectrum
            neurons, rotated = (self.cka[basis, scaled] for basis in (NEURONS, ROTATED))
            gap = redundancy_gap(rotated, neurons, delta, confidence=1 - 0.05 / cases)
            rows.append(
                {
                    **self._named(name),
                    "DR_neurons": neurons.redundancy(delta).value,
                    "DR_directions": rotated.redundancy(delta).value,
                    **dict(zip(("difference", "low", "high"), gap, strict=True)),
                    "r_neurons": of.diagonal_share,
                    "r_directions": of.rotated_share,
                    "CV2_neurons": of.variation,
                    "CV2_directions": of.rotated_share / of.dimensions - 1,
                }
            )
        return rows

    def predicted_disjoint(self) -> np.ndarray:
        """The closed form of CKA of disjoint parts, (d // 2,)."""
        return closed_form_disjoint(self.spectrum.diagonal_share, self.d)


def measured_parts(
    layer: ProbedLayer, drawn: Sequence[int], other: OtherSeed | None = None
) -> Parts:
    """Parts made by random orders of some seeds; neighbours by the first few of them."""
    return Parts(
        layer.corrected_cka(drawn),
        layer.disjoint_cka(drawn),
        layer.disjoint_cka(drawn, corrected=True),
        *layer.neighbour_overlap(drawn[:NEIGHBOUR_SEEDS], SHARES),
        _within_classes(layer),
        other,
    )


def _images(layer: ProbedLayer) -> torch.Tensor:
    """Features of the train images, one view of each."""
    features = check_features(layer.features.X_train)
    return rows_of(features, slice(0, len(features) // layer.features.views))


def _within_classes(layer: ProbedLayer) -> float:
    def compute() -> dict[str, np.ndarray]:
        X, labels = _images(layer), layer.features.y_train
        value = float("nan")
        if labels is not None:
            count = min(NEIGHBOURS, len(X) - 1)
            value = chance_within_classes(X, np.asarray(labels)[: len(X)], count)
        return {"value": np.array([value])}

    what = {"measure": "neighbours within classes"}
    return float(layer.measured_once(what, compute, module="structure")["value"][0])


def whole_layers(one: ProbedLayer, other: ProbedLayer) -> dict[str, Curve]:
    """CKA of two layers of equally many neurons on the same images, and the share of nearest
    neighbours that they have in common: curves of the single size d, by images.
    """

    def compute() -> dict[str, np.ndarray]:
        # The two are disjoint halves of a layer of all their neurons.
        both = torch.cat([_images(layer) for layer in (one, other)], 1)
        statistics = SufficientStatistics.from_features(both, device=one.device)
        order, d = ordering("first", statistics), both.shape[1] // 2
        count = min(NEIGHBOURS, len(both) - 1)
        found = {
            CKA: disjoint_cka_curve(statistics, order, both).only([d]),
            OVERLAP: neighbour_overlap(both, [order], [d], count=count)[1],
        }
        return {
            f"{name} {kind}": np.asarray(getattr(curve, name))
            for kind, curve in found.items()
            for name in ("sizes", "values", "by_images")
        }

    what = {"measure": "whole layers", "other": other.key or id(other)}
    kept = one.measured_once(what, compute, module="structure")
    return {
        kind: Curve(
            measure,
            "first",
            (0,),
            kept[f"sizes {kind}"],
            kept[f"values {kind}"],
            2 * one.d,
            1.0,
            by_images=kept[f"by_images {kind}"],
        )
        for kind, measure in ((CKA, "disjoint_cka"), (OVERLAP, "disjoint_neighbour_overlap"))
    }


def measured_structures(
    layers: Iterable[NetTaskLayer], seeds: Sequence[int], count: int = 0
) -> list[Structure]:
    """The structure of every layer: its parts too, where it is one of the first networks.

    Of the networks after these, other seeds of them are only what they are compared with.

    Parameters
    ----------
    layers : iterable of (Net, Task, ProbedLayer)
    seeds : sequence of int
        Of the random directions.
    count : int
        Random orders of neurons, at least; see :func:`.orders`.

    Examples
    --------
    ``measured_structures(session.layers(), seeds=[1, 2, 3], count=100)``
    """
    layers, drawn = list(layers), orders(seeds, count)
    nets = {net.name: net for net, _, _ in layers}
    names = dict(zip(nets, short_labels(list(nets)), strict=True))
    first, later = list(nets.values())[:WITH_PARTS], list(nets.values())[WITH_PARTS:]
    yardsticks = {net.name for net in later if other_seed(net, first)}
    by_place = {(net.name, task.name): layer for net, task, layer in layers}
    found = []
    for net, task, layer in layers:
        if net.name in yardsticks:
            continue
        parts = None
        if any(net.name == one.name for one in first):
            twin, other = other_seed(net, list(nets.values())), None
            if twin is not None:
                beside = by_place[twin.name, task.name]
                other = OtherSeed(names[twin.name], whole_layers(layer, beside))
                beside.release()
            parts = measured_parts(layer, drawn, other)
        found.append(
            Structure(
                names[net.name],
                task.title,
                layer.spectrum(),
                layer.spectrum(standardize=True),
                {
                    (basis, scaled): layer.cka(basis, some, standardize=scaled)
                    for basis, some in ((NEURONS, drawn), (ROTATED, seeds))
                    for scaled in (False, True)
                },
                layer.cka_of_variances(drawn),
                parts,
            )
        )
        layer.release()
    return found
