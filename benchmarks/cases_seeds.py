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
        orders = dr.orderings("random", statistics, range(1, count + 1))
        return dr.cka_curve(statistics, orders).redundancy(0.9)

    def accuracy(count: int) -> dr.Redundancy:
        features = dr.Features(train, labels, test, truth)
        probe = dr.RidgeProbe(features, penalty=0.01, device="cpu")
        return probe.redundancy(dr.orderings("random", probe.statistics, range(1, count + 1)))

    rows = []
    for what, measure, rounds in (("CKA", similarity, 5), ("ridge accuracy", accuracy, 3)):
        timed = interleaved(
            {"many": lambda call=measure: call(many), "few": lambda call=measure: call(few)}, rounds
        )
        results = "; ".join(
            f"{count} seeds: {one.value:.4f} ({one.low:.4f} to {one.high:.4f})"
            for count, one in ((many, timed.results["many"]), (few, timed.results["few"]))
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
                detail=f"{timed.summary('many', 'few')}; {results}",
            )
        )
    return rows
