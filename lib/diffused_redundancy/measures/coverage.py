"""How often an interval of DR holds the truth: simulated on a measured curve.

The draws and the groups of images that were measured are taken for a whole population, whose DR is
known. Experiments are drawn from it, each with an interval of its own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import InputError
from .curves import Curve

RESAMPLES = 300
"""Of each experiment's interval."""


def simulated_coverage(
    curve: Curve,
    seeds: int | None = None,
    delta: float = 0.9,
    *,
    confidence: float = 0.95,
    experiments: int = 200,
    seed: int = 0,
) -> float:
    """The share of experiments whose interval of DR(delta) holds DR of the population.

    Parameters
    ----------
    curve : Curve
        Of several draws, and by images.
    seeds : int, optional
        Draws of each experiment; by default as many as the curve has.
    delta, confidence
        As for :func:`diffused_redundancy`.
    experiments, seed : int
        The standard error of a coverage of 95% is 1.5 points with 200 experiments.

    Raises
    ------
    InputError
        If the curve has one draw, or is not known by images.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> values = 1 - np.exp(-np.arange(1, 101) / rng.uniform(8, 16, (50, 1)))
    >>> by_images = values.mean(0) + rng.normal(0, 0.02, (60, 1))
    >>> curve = Curve(
    ...     "cka", "random", range(50), range(1, 101), values, 100, 1.0, by_images=by_images
    ... )
    >>> 0.9 < simulated_coverage(curve, seeds=5) <= 1
    True
    """
    if len(curve.seeds) < 2 or curve.by_images is None:
        raise InputError("coverage is simulated from several draws, and values by images")
    rng = np.random.default_rng(seed)
    values, by_images, of_full = curve.values, curve.by_images, curve.full_by_images
    groups, centred = len(by_images), by_images - by_images.mean(0)
    truth = curve.redundancy(delta, resamples=1).value
    held = 0
    for _ in range(experiments):
        drawn = values[rng.integers(len(values), size=seeds or len(values))]
        some = rng.integers(groups, size=groups)
        images = centred[some]
        experiment = replace(
            curve,
            seeds=tuple(range(len(drawn))),
            values=drawn + images.mean(0),
            by_images=images + drawn.mean(0),
            full=curve.full if of_full is None else float(of_full[some].mean()),
            full_by_images=None if of_full is None else of_full[some],
            per_class=None,
            objective=None,
            converged=None,
        )
        found = experiment.redundancy(delta, confidence=confidence, resamples=RESAMPLES)
        held += found.low <= truth <= found.high
    return held / experiments
