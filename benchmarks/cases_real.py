"""The same comparisons on features of a real network, and the redundancy measured there."""

from __future__ import annotations

import os
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
    choice = dr.choose_ridge_penalty(given.X_train, given.y_train, standardize=True, device="cpu")
    X, X_test = given.X_train * scale, given.X_test * scale
    rounds = 3 if quick else 7
    return [
        *compare_subsets(NAME, given.X_train, rounds=rounds),
        *compare_ridge(
            NAME, X, given.y_train, X_test, given.y_test, penalty=choice.penalty, rounds=rounds
        ),
        *_similarity(statistics),
        *_accuracy(X, given.y_train, X_test, given.y_test, choice.penalty),
    ]


def _at(curves: np.ndarray, fraction: float) -> np.ndarray:
    """The column of curves (seeds, d) at a fraction of the layer."""
    return curves[:, max(1, int(fraction * curves.shape[1])) - 1]


def _redundancy(curves: np.ndarray, measure: str) -> Row:
    found = dr.diffused_redundancy(curves, 0.9)
    detail = (
        f"k = {found.k} of {found.d}; {found.confidence:.0%} interval over {found.seeds} "
        f"seeds {found.low:.3f} to "
        f"{found.high:.3f}"
    )
    return Row(NAME, f"DR(0.9) of {measure}", found.value, detail=detail)


def _similarity(statistics: dr.SufficientStatistics) -> list[Row]:
    """CKA at some fractions, and its DR(0.9), of the raw features."""
    curves = dr.cka_curves(statistics, dr.orderings("random", statistics, SEEDS))
    rows = [
        Row(
            NAME,
            f"CKA of {fraction:.0%} of the neurons",
            float(_at(curves, fraction).mean()),
            detail=f"mean of {len(curves)} seeds",
        )
        for fraction in (0.2, 0.1, 0.05, 0.01)
    ]
    return [*rows, _redundancy(curves, "CKA")]


def _accuracy(
    X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray, penalty: float
) -> list[Row]:
    """Accuracy of the ridge probe at some fractions, and its DR(0.9), of the standardised
    features.
    """
    statistics = dr.SufficientStatistics.from_features(X, y, device="cpu")
    orderings = dr.orderings("random", statistics, SEEDS)
    curves = np.stack(
        [
            dr.ridge_curve(statistics, ordering, X_test, y_test, penalty=penalty).accuracy
            for ordering in orderings
        ]
    )
    detail = f"standardised, penalty {penalty:g} by cross-validation, mean of {len(curves)} seeds"
    rows = [
        Row(
            NAME,
            f"ridge accuracy of {fraction:.0%} of the neurons",
            float(_at(curves, fraction).mean()),
            detail=detail,
        )
        for fraction in (1.0, 0.2, 0.1, 0.05)
    ]
    return [*rows, _redundancy(curves, "ridge accuracy")]
