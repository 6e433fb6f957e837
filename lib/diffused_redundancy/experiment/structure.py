"""What the similarity of random parts of a layer is made of: dimensions, scale, the sampling of
neurons, the basis. Measured for networks on tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..measures.cka import closed_form
from ..measures.closed_form_error import mean_error
from ..measures.curves import Curve, size_of
from ..measures.neighbours import NEIGHBOURS, chance
from ..measures.neuron_sampling import closed_form_disjoint
from ..measures.redundancy import smallest_sufficient
from ..measures.selections import orders
from ..measures.spectrum import Spectrum
from ..nets.names import short_labels
from ..uncertainty.bootstrap import percentile_interval
from .measurements import NetTaskLayer
from .probed_layer import ProbedLayer

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

RESAMPLES = 4000
"""Of intervals for several cases at once: their tails are thin."""


def redundancy_gap(
    ours: Curve, theirs: Curve, delta: float, *, confidence: float = 0.95
) -> tuple[float, float, float]:
    """The difference of DR of two mean curves, and the ends of its interval over draws of both and
    the images they share; NaN without one.
    """
    gap = ours.redundancy(delta).value - theirs.redundancy(delta).value
    drawn = [
        one.redundancy_draws(delta, confidence=confidence, resamples=RESAMPLES)
        for one in (ours, theirs)
    ]
    if drawn[0] is None or drawn[1] is None or gap != gap:
        return gap, float("nan"), float("nan")
    return gap, *percentile_interval(drawn[0] - drawn[1], confidence)


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
    """

    corrected: Curve
    disjoint: Curve
    corrected_disjoint: Curve
    neighbours: Curve
    disjoint_neighbours: Curve

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
        """The error of the closed form, its mean as by :func:`.mean_error` with the interval over
        subsets: a row for the layer as it is, and for neurons that differ in one thing alone.
        """
        rows = []
        for name, curve, predicted in (
            ("as it is", self.cka[NEURONS, False], self.predicted()),
            ("variances alone", self.of_variances, self.predicted()),
            ("correlations alone", self.cka[NEURONS, True], self.predicted(standardize=True)),
        ):
            mean, low, high = mean_error(curve, predicted)
            error = predicted - curve.mean
            rows.append(
                {
                    **self._named(name),
                    "mean_error": mean,
                    "low": low,
                    "high": high,
                    "largest_error": float(np.abs(error).max()),
                    "at_k": int(np.abs(error).argmax()) + 1,
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


def measured_parts(layer: ProbedLayer, drawn: Sequence[int]) -> Parts:
    """Parts made by random orders of some seeds; neighbours by the first few of them."""
    return Parts(
        layer.corrected_cka(drawn),
        layer.disjoint_cka(drawn),
        layer.disjoint_cka(drawn, corrected=True),
        *layer.neighbour_overlap(drawn[:NEIGHBOUR_SEEDS], SHARES),
    )


def measured_structures(
    layers: Iterable[NetTaskLayer], seeds: Sequence[int], count: int = 0, *, with_parts: int = 2
) -> list[Structure]:
    """The structure of every layer.

    Parameters
    ----------
    layers : iterable of (Net, Task, ProbedLayer)
    seeds : sequence of int
        Of the random directions.
    count : int
        Random orders of neurons, at least; see :func:`.orders`.
    with_parts : int
        Of how many networks, from the first, parts are measured.

    Examples
    --------
    ``measured_structures(session.layers(), seeds=[1, 2, 3], count=100)``
    """
    layers, drawn = list(layers), orders(seeds, count)
    nets = list(dict.fromkeys(net.name for net, _, _ in layers))
    names = dict(zip(nets, short_labels(nets), strict=True))
    found = []
    for net, task, layer in layers:
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
                measured_parts(layer, drawn) if net.name in nets[:with_parts] else None,
            )
        )
        layer.release()
    return found
