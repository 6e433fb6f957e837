"""The same comparisons on features of a real network, and the redundancy measured there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import diffused_redundancy as dr
import numpy as np
from cases_cka import SEEDS, compare_subsets
from cases_ridge import compare_ridge
from table import Row

VARIABLE = "DIFFUSED_REDUNDANCY_REAL"
"""Names a folder with ``resnet18_imagenet1k.safetensors`` and
``cifar10_subset/{train,test}/CLASS/*.png``.
"""

NAME = "real_features"


def real(quick: bool) -> list[Row]:
    """Ratios and redundancy on penultimate features of a ResNet18, extracted once and kept in the
    cache.

    The features are small enough that ``quick`` only saves rounds. Without the folder there is
    nothing to measure.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        print(f"{NAME} skipped: {VARIABLE} names no folder")
        return []
    network = dr.net(f"resnet18.tv_in1k@{Path(folder) / 'resnet18_imagenet1k.safetensors'}")
    given = dr.features(network, dr.task(f"folder:{Path(folder) / 'cifar10_subset'}"))
    statistics = dr.SufficientStatistics.from_features(given.X_train, device="cpu")
    # Standardised, with the penalty from cross-validation on the train set: the ratios of
    # accuracies hang on it.
    scale = statistics.unit_scale().numpy().astype(np.float32)
    penalty = dr.RidgeProbe(given, standardize=True, device="cpu").penalty
    X, X_test = given.X_train * scale, given.X_test * scale
    rounds = 3 if quick else 7
    return [
        *compare_subsets(NAME, given.X_train, rounds=rounds),
        *compare_ridge(
            NAME, X, given.y_train, X_test, given.y_test, penalty=penalty, rounds=rounds
        ),
        *_similarity(statistics),
        *_accuracy(dr.Features(X, given.y_train, X_test, given.y_test), penalty),
    ]


def _rows(curve: dr.Curve, what: str, fractions: Sequence[float], detail: str) -> list[Row]:
    """A curve at some fractions of the layer, and its DR(0.9)."""
    rows = [
        Row(
            NAME,
            f"{what} of {fraction:.0%} of the neurons",
            float(curve.at_fraction(fraction).mean()),
            detail=detail,
        )
        for fraction in fractions
    ]
    redundancy = curve.redundancy(0.9)
    interval = (
        f"k = {redundancy.k} of {redundancy.d}; {redundancy.confidence:.0%} interval over "
        f"{redundancy.seeds} seeds {redundancy.low:.3f} to {redundancy.high:.3f}"
    )
    return [*rows, Row(NAME, f"DR(0.9) of {what}", redundancy.value, detail=interval)]


def _similarity(statistics: dr.SufficientStatistics) -> list[Row]:
    """CKA at some fractions, and its DR(0.9), of the raw features."""
    curve = dr.cka_curve(statistics, dr.orderings("random", statistics, SEEDS))
    detail = f"mean of {len(curve.seeds)} seeds"
    return _rows(curve, "CKA", (0.2, 0.1, 0.05, 0.01), detail)


def _accuracy(features: dr.Features, penalty: float) -> list[Row]:
    """Accuracy of the ridge probe at some fractions, and its DR(0.9), of the standardised
    features.
    """
    probe = dr.RidgeProbe(features, penalty=penalty, device="cpu")
    curve = probe.curve(dr.orderings("random", probe.statistics, SEEDS))
    seeds = f"mean of {len(curve.seeds)} seeds"
    detail = f"standardised, penalty {penalty:g} by cross-validation, {seeds}"
    return _rows(curve, "ridge accuracy", (1.0, 0.2, 0.1, 0.05), detail)
