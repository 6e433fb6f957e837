"""What a curve over all sizes costs, and how exact it is: measured at some sizes and interpolated,
or computed at every one.
"""

from __future__ import annotations

from collections.abc import Callable

import diffused_redundancy as dr
import numpy as np
import plain
import synthetic
import torch
from cases_cka import curves as cka_curves
from diffused_redundancy.probes.ridge import ridge_alpha
from sklearn.linear_model import RidgeClassifier
from table import Row
from timing import interleaved

NAME = "cost"
PENALTY = 0.01
COUNTS = (2, 3, 5, 9, 17, 33)
"""Of how many sizes curves are made; fewer of the last, where small ones coincide."""


def curves(quick: bool) -> list[Row]:
    """CKA in feature space and scikit-learn's ridge classifier at some sizes, evenly spaced in log
    k, against ours at all of them.
    """
    n, m, d = (1_500, 500, 256) if quick else (10_000, 4_000, 2_048)
    X, y = synthetic.layer(n + m, d)
    train, labels, test, truth = X[:n], y[:n], X[n:], y[n:]
    order = plain.order(d, 1)
    sizes = np.unique(np.rint(np.geomspace(1, d, COUNTS[-1])).astype(int))
    alpha = ridge_alpha(dr.SufficientStatistics.from_features(train, labels, device="cpu"), PENALTY)
    Xc = plain.centred(train, torch.float32)
    norm = torch.linalg.norm(Xc.T @ Xc)  # known beforehand, in the loop's favour

    def similarity(k: int) -> float:
        Xs = Xc[:, order[:k]]
        return float(torch.linalg.norm(Xs.T @ Xc) ** 2 / (torch.linalg.norm(Xs.T @ Xs) * norm))

    def accuracy(k: int) -> float:
        some = order[:k].numpy()
        return float(
            RidgeClassifier(alpha=alpha).fit(train[:, some], labels).score(test[:, some], truth)
        )

    def our_similarity() -> np.ndarray:
        statistics = dr.SufficientStatistics.from_features(train, device="cpu")
        return cka_curves(statistics, [1])[0]

    def our_accuracy() -> np.ndarray:
        features = dr.Features(train, labels, test, truth)
        probe = dr.RidgeProbe(features, penalty=PENALTY, device="cpu")
        return probe.evaluate(dr.ordering("random", probe.statistics, 1))["values"][0]

    exact_cka = plain.cka(plain.centred(train, torch.float64), [order[:k] for k in sizes])
    chosen = [order[:k].numpy() for k in sizes]
    hits = [
        plain.ridge_hits(
            train[:, some], labels, test[:, some], truth, alpha=alpha, classes=10
        ).sum()
        for some in chosen
    ]
    return [
        *_rows("CKA", "feature space", similarity, our_similarity, exact_cka, sizes, d),
        *_rows(
            "ridge accuracy", "scikit-learn", accuracy, our_accuracy, np.array(hits) / m, sizes, d
        ),
    ]


def _rows(
    what: str,
    peer: str,
    at: Callable[[int], float],
    ours: Callable[[], np.ndarray],
    exact: np.ndarray,
    sizes: np.ndarray,
    d: int,
) -> list[Row]:
    """Largest errors, with the seconds they cost: of ours at the sizes whose exact values are
    known, of curves through some sizes at all.
    """
    timed = interleaved(
        {"ours": ours, **{str(k): (lambda k=int(k): at(k)) for k in sizes}}, rounds=1
    )
    curve = timed.results["ours"]
    values = np.array([timed.results[str(k)] for k in sizes])
    seconds = np.array([timed.seconds[str(k)][0] for k in sizes])
    mine = timed.seconds["ours"][0]
    rows = [
        Row(
            NAME,
            f"{what}: this library, every size",
            float(np.abs(curve[sizes - 1] - exact).max()),
            detail=f"{mine:.3g} s",
            at=mine,
        )
    ]
    every = np.log(np.arange(1, d + 1))
    for count in COUNTS:
        some = np.unique(np.rint(np.linspace(0, len(sizes) - 1, count)).astype(int))
        error = float(np.abs(np.interp(every, np.log(sizes[some]), values[some]) - curve).max())
        taken = float(seconds[some].sum())
        rows.append(
            Row(
                NAME, f"{what}: {peer}, {len(some)} sizes", error, detail=f"{taken:.3g} s", at=taken
            )
        )
    return rows
