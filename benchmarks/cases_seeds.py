"""Diffused redundancy with its interval from 100 seeds, against the same from 5."""

from __future__ import annotations

import diffused_redundancy as dr
import synthetic
from table import Row
from timing import interleaved

NAME = "seeds"


def seeds(quick: bool) -> list[Row]:
    """DR(0.9) of CKA and of ridge accuracy, the pass over the features and the bootstrap
    included.
    """
    n, d, few, many = (1_000, 128, 5, 20) if quick else (10_000, 2_048, 5, 100)
    X, y = synthetic.layer(n + n // 5, d)
    train, labels, test, truth = X[:n], y[:n], X[n:], y[n:]

    def similarity(count: int) -> dr.Redundancy:
        statistics = dr.SufficientStatistics.from_features(train, device="cpu")
        return dr.diffused_redundancy(
            dr.cka_curves(statistics, dr.orderings("random", statistics, range(1, count + 1))),
            0.9,
            full=1.0,
        )

    def accuracy(count: int) -> dr.Redundancy:
        statistics = dr.SufficientStatistics.from_features(train, labels, device="cpu")
        orders = dr.orderings("random", statistics, range(1, count + 1))
        return dr.ridge_redundancy(statistics, orders, test, truth, penalty=0.01)

    rows = []
    for what, measure, rounds in (("CKA", similarity, 5), ("ridge accuracy", accuracy, 3)):
        timed = interleaved(
            {"many": lambda call=measure: call(many), "few": lambda call=measure: call(few)}, rounds
        )
        told = "; ".join(
            f"{count} seeds: {found.value:.4f} ({found.low:.4f} to {found.high:.4f})"
            for count, found in ((many, timed.results["many"]), (few, timed.results["few"]))
        )
        quantity = f"DR(0.9) of {what}, {many} seeds / {few} seeds (n = {n:,}, d = {d:,})"
        rows.append(
            Row(
                NAME,
                quantity,
                timed.ratio("many", "few"),
                "times",
                5.0,
                judged=not quick,
                detail=f"{timed.told('many', 'few')}; {told}",
            )
        )
    return rows
