"""The ridge classifier at every size of one selection, against scikit-learn's on the whole
layer.
"""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import plain
import synthetic
from diffused_redundancy.probes.ridge import ridge_alpha
from sklearn.linear_model import RidgeClassifier
from table import Row
from timing import interleaved

PENALTY = 0.01
REFITS = 8
"""Sizes at which scikit-learn is fitted anew, to stand for all."""


def all_sizes(quick: bool) -> list[Row]:
    """Accuracy at every k of one selection of a made-up layer with 10 classes."""
    n, m, d = (2_000, 800, 512) if quick else (10_000, 4_000, 2_048)
    X, y = synthetic.layer(n + m, d)
    return compare_ridge(
        "ridge_all_sizes",
        X[:n],
        y[:n],
        X[n:],
        y[n:],
        penalty=PENALTY,
        rounds=5,
        limit=10,
        faster=200,
        judged=not quick,
    )


def compare_ridge(
    name: str,
    X: np.ndarray,
    y: np.ndarray,
    X_test: np.ndarray,
    y_test: np.ndarray,
    *,
    penalty: float,
    rounds: int,
    limit: float | None = None,
    faster: float | None = None,
    judged: bool = True,
) -> list[Row]:
    """Time the curve in fits of the whole layer, and count test images on which the two differ.

    Parameters
    ----------
    name : str
        Of the benchmark.
    X, X_test : ndarray (n, d) and (m, d), float32
    y, y_test : ndarray of int (n,) and (m,)
    penalty : float
        In the library's units; scikit-learn gets the equal ``alpha``.
    rounds : int
        Timed rounds.
    limit : float, optional
        How many fits the curve may take.
    faster : float, optional
        How many times faster than a fit at every k it should be.
    judged : bool
        Whether the target applies to features of this size.
    """
    (n, d), m = X.shape, len(X_test)
    classes = int(max(y.max(), y_test.max())) + 1

    def statistics() -> dr.SufficientStatistics:
        return dr.SufficientStatistics.from_features(X, y, num_classes=classes, device="cpu")

    given = statistics()
    ordering = dr.ordering("random", given, 1)
    alpha = ridge_alpha(given, penalty)
    features = dr.Features(X, y, X_test, y_test)

    def curve(of: dr.SufficientStatistics) -> dict[str, np.ndarray]:
        return dr.RidgeProbe(features, penalty=penalty, statistics=of).evaluate(ordering)

    some = [
        (np.ascontiguousarray(X[:, :k]), np.ascontiguousarray(X_test[:, :k]))
        for k in (int((i + 0.5) * d / REFITS) for i in range(REFITS))
    ]
    timed = interleaved(
        {
            "with pass": lambda: curve(statistics()),
            "curve": lambda: curve(given),
            "fit": lambda: RidgeClassifier(alpha=alpha).fit(X, y),
            "refits": lambda: [
                RidgeClassifier(alpha=alpha).fit(part, y).score(part_test, y_test)
                for part, part_test in some
            ],
        },
        rounds,
    )
    values, per_class = (timed.results["with pass"][name][0] for name in ("values", "per_class"))
    there = np.bincount(y_test, minlength=classes)
    sizes = sorted({1, min(64, d), d // 2, d})
    differing = 0
    for k in sizes:
        neurons = plain.order(d, 1)[:k].numpy()
        theirs = plain.ridge_hits(
            X[:, neurons], y, X_test[:, neurons], y_test, alpha=alpha, classes=classes
        )
        ours = np.rint(np.nan_to_num(per_class[k - 1]) * there).astype(int)
        differing = max(
            differing,
            int(np.abs(ours - theirs).sum()),
            abs(round(values[k - 1] * m) - int(theirs.sum())),
        )
    at = f"n = {n:,}, d = {d:,}, {classes} classes, {m:,} test images"

    def fits(what: str, ours: str) -> Row:
        return Row(
            name,
            f"every k, {what} ({at})",
            timed.ratio(ours, "fit"),
            "fits",
            limit,
            judged=judged,
            detail=timed.summary(ours, "fit"),
        )

    accuracies = ", ".join(f"{values[k - 1]:.3f} at k = {k}" for k in sizes)
    return [
        fits("pass over the features included", "with pass"),
        fits("given the statistics", "curve"),
        Row(
            name,
            f"scikit-learn fitted anew at every k / every k, pass included ({at})",
            timed.ratio("refits", "with pass") * d / REFITS,
            "times our time",
            faster,
            at_least=True,
            judged=judged,
            detail=f"{REFITS} sizes, evenly spaced, taken times {d / REFITS:g}; their "
            f"{timed.summary('refits', 'with pass')}",
            bar="scikit-learn, fitted anew at every size",
        ),
        Row(
            name,
            "right guesses by class, difference from scikit-learn in float64",
            differing,
            "images",
            limit=0,
            detail=f"accuracy {accuracies}",
        ),
    ]
