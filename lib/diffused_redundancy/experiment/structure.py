"""What the similarity of random parts of a layer is made of: dimensions, scale, the sampling of
neurons, the basis. Measured for networks on tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..measures.cka import closed_form
from ..measures.curves import Curve
from ..measures.neighbours import NEIGHBOURS, chance
from ..measures.neuron_sampling import closed_form_disjoint
from ..measures.selections import orders
from ..measures.spectrum import Spectrum
from ..nets.names import short_labels
from ..uncertainty.bootstrap import percentile_interval
from .measurements import NetTaskLayer
from .probed_layer import ProbedLayer

NEURONS, ROTATED = "random", "gaussian_projection"
"""The two bases: the neurons, and orthonormal directions drawn at random, as selections."""

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Of the layer: sizes at which neighbours are looked for."""

NEIGHBOUR_SEEDS = 5
"""Random orders whose neighbours are looked for."""


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

    def curves(self, cka: Curve) -> dict[str, tuple[Curve, Curve]]:
        """Pairs of a part against the whole and two disjoint parts, given CKA with the whole."""
        return {
            "CKA": (cka, self.disjoint),
            "corrected CKA": (self.corrected, self.corrected_disjoint),
            "shared nearest neighbours": (self.neighbours, self.disjoint_neighbours),
        }

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

    def errors(self) -> dict[str, tuple[Curve, np.ndarray]]:
        """What the closed form is held against by cause, and what it says there: the layer as it
        is, and neurons that differ in one thing alone.
        """
        return {
            "as it is": (self.cka[NEURONS, False], self.predicted()),
            "variances alone": (self.of_variances, self.predicted()),
            "correlations alone": (self.cka[NEURONS, True], self.predicted(standardize=True)),
        }

    def basis_gap(
        self, delta: float, *, standardize: bool = False, cases: int = 1
    ) -> tuple[float, float, float]:
        """DR of random directions less that of random neurons, and the ends of its 95% interval
        over draws of both and the images they share; of so many cases at once (Bonferroni).
        """
        ours, theirs = (self.cka[basis, standardize] for basis in (ROTATED, NEURONS))
        return redundancy_gap(ours, theirs, delta, confidence=1 - 0.05 / cases)

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
