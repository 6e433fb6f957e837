"""One method on features from a file, in a process of its own; prints the memory it took as JSON.

Run by ``cases_peaks``: ``python peak_worker.py METHOD FOLDER``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import diffused_redundancy as dr
import numpy as np
import peers
import plain
import torch
from sklearn.linear_model import RidgeClassifier
from stream_worker import resident

SEEDS = range(1, 6)
PENALTY = 1e-3
FIFTH = 0.2
RESET = Path("/proc/self/clear_refs")


def our_cka(X: np.ndarray, y: np.ndarray) -> None:
    """CKA at every size of five orders."""
    of = dr.SufficientStatistics.from_features(X, y, device="cpu")
    dr.cka_curve(of, dr.orderings("random", of, SEEDS))


def our_ridge(X: np.ndarray, y: np.ndarray) -> None:
    """Ridge accuracy at every size of one order, on the train set's first 1,000."""
    features = dr.Features(X, y, X[:1_000], y[:1_000])
    probe = dr.RidgeProbe(features, penalty=PENALTY, device="cpu")
    probe.evaluate(dr.ordering("random", probe.statistics, 1))


def our_logistic(X: np.ndarray, y: np.ndarray) -> None:
    """The authors' 71 logistic probes."""
    features = dr.Features(X, y, X[:1_000], y[:1_000])
    probe = dr.LogisticProbe(features, penalty=PENALTY, device="cpu")
    probe.evaluate(dr.orderings("random", probe.statistics, SEEDS))


def plain_cka(X: np.ndarray, y: np.ndarray) -> None:
    """CKA of one subset in feature space, float32."""
    plain.cka(
        plain.centred(X, torch.float32), [plain.order(X.shape[1], 1)[: int(FIFTH * X.shape[1])]]
    )


def package_cka(package: str) -> Callable[[np.ndarray, np.ndarray], None]:
    """CKA of one subset by a released package."""

    def call(X: np.ndarray, y: np.ndarray) -> None:
        features = torch.from_numpy(X)
        peers.CKA_PACKAGES[package](
            features[:, plain.order(X.shape[1], 1)[: int(FIFTH * X.shape[1])]], features
        )

    return call


def their_ridge(X: np.ndarray, y: np.ndarray) -> None:
    """scikit-learn's ridge classifier on the whole layer."""
    RidgeClassifier(alpha=1.0).fit(X, y)


def their_logistic(recipe: str) -> Callable[[np.ndarray, np.ndarray], None]:
    """One logistic probe of the whole layer, on centred features."""

    def call(X: np.ndarray, y: np.ndarray) -> None:
        peers.LOGISTIC[recipe]((X - X.mean(0)) / X.std(), y, PENALTY)

    return call


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], None]] = {
    "our_cka": our_cka,
    "our_ridge": our_ridge,
    "our_logistic": our_logistic,
    "plain_cka": plain_cka,
    **{package: package_cka(package) for package in peers.CKA_PACKAGES},
    "their_ridge": their_ridge,
    **{recipe: their_logistic(recipe) for recipe in peers.LOGISTIC},
}


def main(method: str, folder: Path) -> None:
    """Load, warm the libraries up on a few images, then run the method and print what it took above
    that.
    """
    X, y = np.load(folder / "X.npy"), np.load(folder / "y.npy")
    few, which = np.ascontiguousarray(X[:200, :32]), np.arange(200) % 5
    METHODS[method](few, which)
    if RESET.exists():
        RESET.write_text("5")  # Linux: the peak so far is forgotten
    before = resident(peak=False)
    METHODS[method](X, y)
    print(json.dumps({"taken": resident(peak=True) - before}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
