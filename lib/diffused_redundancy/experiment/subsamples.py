"""A layer measured with fewer train images: probes fitted to nested subsamples of them, and what a
random part of the layer keeps as the images grow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..errors import InputError, check_whole, unknown
from ..measures.curves import Curve, size_of
from ..measures.redundancy import smallest_sufficient
from ..uncertainty.bootstrap import percentile_interval, resampled
from ..uncertainty.growth import Growth, growth
from .probed_layer import ProbedLayer

FEWEST = 100
"""Train images of the smallest subsample, if there are at least two of each class."""

FIFTH = 0.2
"""The share of the neurons whose accuracy is held against that of the whole layer."""

ABOVE_CHANCE = " above chance"
"""Ends the name of a quantity whose accuracies are taken above guessing the largest class."""

LIMITS = {
    "share": 1.0,
    "share" + ABOVE_CHANCE: 1.0,
    "DR": None,
    "DR" + ABOVE_CHANCE: None,
}
"""What is followed as train images grow, and what it would come to, were nothing lost in the limit
(None: there is no such limit). The share of the whole layer's accuracy that a random fifth keeps,
and diffused redundancy of accuracy; both also above chance.
"""

KNOWN_WITHIN = 0.25
"""The whole layer's accuracy above guessing must be known to within this share of itself (95%
interval): shares of less mean nothing.
"""

HALF_DECADES = (0, 1, 2)
"""Penalties that a subsample tries first, in half decades above the one chosen for the next larger
subsample: with fewer images the best one is seldom weaker.
"""


KINDS = {
    "ridge probes": "ridge",
    "logistic probes": "logistic",
    "logistic probes of one penalty": "logistic",
}
"""Probes in words: the last have the penalty that is chosen on all train images."""

FEWER_DRAWS = 4
"""Draws that logistic probes have at most."""

FEWER_SIZES = 4
"""Numbers of train images that logistic probes have at most, each twice the one before: as many as
an extrapolation takes.
"""


@dataclass(frozen=True)
class Sampled:
    """Probes fitted to several subsamples of equally many train images.

    Attributes
    ----------
    images : int
        In each subsample.
    curve : Curve
        Test accuracy of random neurons, a row for each subsample. ``full`` is the mean over
        subsamples.
    full : ndarray (rows,)
        The whole layer's accuracy with each subsample.
    penalty : float
    """

    images: int
    curve: Curve
    full: np.ndarray
    penalty: float


def stratified_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """The places of images, (n,), in a random order of which every beginning has the classes in
    proportion: the first images are one of each class.

    >>> labels = np.array([0] * 6 + [1] * 3)
    >>> np.bincount(labels[stratified_order(labels, seed=1)[:6]]).tolist()
    [4, 2]
    """
    labels = np.asarray(labels)
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    ordered = labels[by_class]
    first = np.searchsorted(ordered, ordered)
    count = np.searchsorted(ordered, ordered, side="right") - first
    share = np.empty(len(labels))
    share[by_class] = (np.arange(len(labels)) - first) / count
    # images of equal share come in the order of the shuffle
    return shuffled[np.argsort(share[shuffled], kind="stable")]


def subsample_sizes(images: int, classes: int, steps: float = 2) -> list[int]:
    """Numbers of train images, ascending to all of them: ``steps`` in a doubling, so each larger by
    2^(1 / steps), the least at least 100 and two of each class; all of them alone where these are
    fewer.

    >>> subsample_sizes(400, 10), subsample_sizes(400, 10, steps=1), subsample_sizes(50, 10)
    ([100, 141, 200, 283, 400], [100, 200, 400], [50])
    """
    check_whole(images, "images", 1)
    fewest, sizes = max(FEWEST, 2 * classes), [images]
    while (smaller := round(images / 2 ** (len(sizes) / steps))) >= fewest:
        sizes.append(smaller)
    return sizes[::-1]


def sampled(
    layer: ProbedLayer,
    probe: str,
    seeds: Sequence[int],
    *,
    fractions: Sequence[float] = (),
    steps: float = 2,
    most: int | None = None,
    penalty: float | None = None,
) -> list[Sampled]:
    """A layer's accuracy with fewer train images.

    A draw is a random order of the train images and one of the neurons, both of its seed; its
    subsamples are the beginnings of the first. For each number of images the penalty is chosen
    anew, for the whole layer, by cross-validation on the first draw's subsample: on others it is
    hardly ever another. Test images are the same for all.

    Parameters
    ----------
    layer : ProbedLayer
        Its features are let go in the end; what is measured stays in its cache.
    probe : str
        ``ridge``, at every number of neurons, or ``logistic``, at a fifth of them and at
        ``fractions``; both on the whole layer as well.
    seeds : sequence of int
        Of the draws.
    fractions : sequence of float
        Of the layer, in (0, 1]; none: every number of neurons.
    steps : float
        Numbers of train images in a doubling; see :func:`subsample_sizes`.
    most : int, optional
        Numbers of train images at most: the largest of them.
    penalty : float, optional
        One for all subsamples, instead of a choice.

    Returns
    -------
    list of Sampled
        From few train images to all. With all of them draws differ in the neurons only.

    Raises
    ------
    InputError
        If there is no seed, no label, or no such probe.
    """
    if probe not in ("ridge", "logistic"):
        raise unknown("probe", probe, ("ridge", "logistic"))
    if not len(seeds):
        raise InputError("subsamples need at least one seed")
    labels = np.asarray(layer.features.check_labelled().y_train)
    images = len(labels) // layer.features.views
    labels = labels[:images]
    sizes = subsample_sizes(images, len(np.unique(labels)), steps)
    sizes = sizes[-most:] if most else sizes
    orders = [stratified_order(labels, seed) for seed in seeds]
    found: list[Sampled] = []
    larger: float | None = None  # the penalty of the next larger subsamples
    for n in reversed(sizes):
        if n == images:  # draws differ in the neurons alone
            parts = [(layer, list(seeds))]
        else:
            parts = [
                (layer.with_images(order[:n], [seed, n]), [seed])
                for seed, order in zip(seeds, orders, strict=True)
            ]
        chosen = _chosen(parts[0][0], probe, larger) if penalty is None else penalty
        larger, curves = chosen, []
        for some, own in parts:
            if probe == "ridge":
                curves.append(some.ridge("random", own, penalty=chosen))
            else:
                subsets = layer.sizes([FIFTH, *fractions] if fractions else [])
                curves.append(some.logistic("random", own, subsets, penalty=chosen))
            if some is not layer:
                some.release()
        found.append(_joined(n, seeds, curves, chosen))
    layer.release()
    return found[::-1]


def all_sampled(
    layers: Mapping[str, ProbedLayer], seeds: Sequence[int], fractions: Sequence[float] = ()
) -> dict[tuple[str, str], list[Sampled]]:
    """Every layer with fewer train images, by case and :data:`KINDS` of probes.

    Ridge probes have two numbers of train images in a doubling and all draws. Logistic probes take
    longer: they have the first few draws, and all images, a half, a quarter and an eighth of them;
    those of one penalty all and a quarter.

    Parameters
    ----------
    layers : mapping from a case to ProbedLayer
    seeds : sequence of int
        Of the draws.
    fractions : sequence of float
        Of the layer, that logistic probes are fitted to beside a fifth and all of it; none: every
        number of neurons.
    """
    found = {}
    for case, layer in layers.items():
        ridge, logistic, fixed = ((case, kind) for kind in KINDS)
        found[ridge] = sampled(layer, "ridge", seeds)
        some = partial(sampled, layer, "logistic", list(seeds)[:FEWER_DRAWS], fractions=fractions)
        found[logistic] = some(steps=1, most=FEWER_SIZES)
        found[fixed] = some(steps=0.5, most=2, penalty=found[logistic][-1].penalty)
    return found


def _chosen(layer: ProbedLayer, probe: str, larger: float | None) -> float:
    """The penalty chosen on a layer's train images, among half decades, beginning at ``larger``:
    that of the next larger subsample.
    """
    if larger is not None:
        grid = [_half_decades(larger, up) for up in HALF_DECADES]
        return layer.choice_on(probe, grid, extend=True).penalty
    own = layer.penalty(probe).penalty
    if probe == "ridge":
        return own
    # of whole decades no stronger one is as good, but half a decade more may be
    return layer.choice_on("logistic", [own, _half_decades(own, 1)]).penalty


def _half_decades(penalty: float, up: int) -> float:
    """The penalty so many half decades above one, all of them powers of the root of 10."""
    return float(f"{10 ** ((round(2 * np.log10(penalty)) + up) / 2):.3g}")


def _joined(images: int, seeds: Sequence[int], curves: Sequence[Curve], penalty: float) -> Sampled:
    """The draws of one number of train images."""
    joined = replace(
        curves[0],
        seeds=tuple(seeds),
        values=np.concatenate([curve.values for curve in curves]),
        full=float(np.mean([curve.full for curve in curves])),
        by_images=np.mean([np.asarray(curve.by_images) for curve in curves], 0),
        full_by_images=np.mean([np.asarray(curve.full_by_images) for curve in curves], 0),
        per_class=None,
        objective=None,
        converged=None,
        solver_error=None,
    )
    full = np.concatenate([np.full(len(curve.values), curve.full) for curve in curves])
    return Sampled(images, joined, full, penalty)


def data_curves(
    samples: Sequence[Sampled], delta: float = 0.9, *, confidence: float = 0.95
) -> dict[str, Growth]:
    """Every quantity of :data:`LIMITS` at growing numbers of train images.

    Parameters
    ----------
    samples : sequence of Sampled
        Of one probe, from few train images to all.
    delta : float
        Of DR.
    confidence : float
        Of the intervals that resamples are for; see :func:`.bootstrap.resampled`.

    Returns
    -------
    dict from a quantity to Growth
        Numbers of images at which the whole layer is not clearly above guessing the largest class,
        see :data:`KNOWN_WITHIN`, are left out. So is DR, which is that of the sizes measured, where
        these are one or two, and what is above chance where that is not known.
    """
    usable = [one for one in samples if clear_of_guessing(one)]
    if not usable:
        return {}
    tables = [np.column_stack([one.curve.values, one.full]) for one in usable]
    kinds = [
        [table.mean(0, keepdims=True) for table in tables],
        tables,
        [_resamples(one, table, confidence) for one, table in zip(usable, tables, strict=True)],
        [
            _resamples(one, table.mean(0, keepdims=True), None)
            for one, table in zip(usable, tables, strict=True)
        ],
    ]
    images = np.array([one.images for one in usable])
    first, found = usable[0].curve, {}
    for quantity, limit in LIMITS.items():
        unknown_chance = quantity.endswith(ABOVE_CHANCE) and first.guessing is None
        if unknown_chance or (quantity.startswith("DR") and len(first.sizes) <= 2):
            continue
        values, rows, draws, of_images = (
            np.stack(
                [
                    _quantity(table, one.curve, quantity, delta)
                    for table, one in zip(kind, usable, strict=True)
                ],
                -1,
            )
            for kind in kinds
        )
        pool = samples[-1].images
        found[quantity] = growth(images, pool, values[0], rows, draws, of_images, limit)
    return found


def clear_of_guessing(sample: Sampled) -> bool:
    """Whether the whole layer's accuracy above guessing is known well enough to take shares of."""
    chance, by_images = sample.curve.guessing, sample.curve.full_by_images
    if chance is None:
        return True
    assert by_images is not None  # there are test images
    found = resampled(sample.full[:, None], 1.0, np.asarray(by_images)[:, None])
    assert found is not None
    low, _ = percentile_interval(found.values[:, 0])
    return low - chance >= (1 - KNOWN_WITHIN) * (sample.curve.full - chance) > 0


def _resamples(sample: Sampled, table: np.ndarray, confidence: float | None) -> np.ndarray:
    """Resamples of the mean over draws of accuracies (draws, s + 1), the last column being that of
    the whole layer: (resamples, s + 1), the same draws and test images for all samples.
    """
    parts = sample.curve.by_images, sample.curve.full_by_images
    by_images = np.column_stack([np.asarray(part) for part in parts])
    found = resampled(table, 1.0, by_images, confidence=confidence)
    assert found is not None  # there are test images
    return found.values


def _quantity(table: np.ndarray, curve: Curve, quantity: str, delta: float) -> np.ndarray:
    """A quantity of each row of accuracies (rows, s + 1): (rows,)."""
    full, chance = table[:, -1], 0.0
    if quantity.endswith(ABOVE_CHANCE):
        assert curve.guessing is not None
        chance = curve.guessing
    if quantity.startswith("DR"):
        bars = chance + delta * (full - chance)
        sufficient = smallest_sufficient(table[:, :-1], bars, curve.sizes)
        return 1 - np.where(np.isnan(sufficient), curve.d, sufficient) / curve.d
    kept = table[:, curve.column(size_of(FIFTH, curve.d))]
    return (kept - chance) / (full - chance)
