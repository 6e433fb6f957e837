"""How time grows with images and neurons: the pass over the features, CKA and ridge probes at every
size.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from statistics import median

import diffused_redundancy as dr
import synthetic
from table import Row
from timing import interleaved

NAME = "growth"


def _seconds(call: Callable[[], object], times: int = 3) -> float:
    call()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return median(taken)


def growth(quick: bool) -> list[Row]:
    """Ten times the images at d = 512; twice the neurons from 256 to 8,192 (to 1,024 with
    ``quick``) at n = 4,000.
    """
    few, many = (1_000, 10_000) if quick else (40_000, 400_000)  # both more than the caches hold
    X, y = synthetic.layer(many, 512)

    # as long as the whole, on the same data: what else the machine does falls on both alike
    def tenths() -> None:
        for start in range(0, many, few):
            dr.SufficientStatistics.from_features(
                X[start : start + few], y[start : start + few], device="cpu"
            )

    timed = interleaved(
        {
            "many": lambda: dr.SufficientStatistics.from_features(X, y, device="cpu"),
            "tenths": tenths,
        },
        7,
    )
    detail = f"against ten passes over a tenth each: {timed.summary('many', 'tenths')}"
    what = f"the pass at n = {many:,} over n = {few:,} (d = 512)"
    rows = [
        Row(
            NAME,
            what,
            10 * timed.ratio("many", "tenths"),
            "times",
            10.5,
            judged=not quick,
            detail=detail,
        )
    ]
    del X, y, timed
    before: dict[str, float] = {}
    d = 256
    while d <= (1_024 if quick else 8_192):
        X, y = synthetic.layer(5_000, d)
        statistics = dr.SufficientStatistics.from_features(X[:4_000], y[:4_000], device="cpu")
        orders = dr.orderings("random", statistics, range(1, 6))
        calls = {
            "the pass": lambda X=X, y=y: dr.SufficientStatistics.from_features(
                X[:4_000], y[:4_000], device="cpu"
            ),
            "CKA at every k of 5 orders": lambda s=statistics, orders=orders: dr.cka_curve(
                s, orders
            ),
            "ridge probes at every k of one order": lambda s=statistics, o=orders[0], X=X, y=y: (
                dr.RidgeProbe(
                    dr.Features(X[:4_000], y[:4_000], X[4_000:], y[4_000:]),
                    penalty=0.01,
                    statistics=s,
                ).evaluate(o)
            ),
        }
        for what, call in calls.items():
            taken = _seconds(call)
            rows.append(
                Row(NAME, f"{what}: d = {d:,}", taken, "s", detail="n = 4,000, median of 3", at=d)
            )
            if what in before:
                limit = 8.0 if judged(quick, d) else None
                power = f"d to the power of {math.log2(taken / before[what]):.1f}"
                rows.append(
                    Row(
                        NAME,
                        f"{what}: d = {d:,} over {d // 2:,}",
                        taken / before[what],
                        "times",
                        limit,
                        detail=power,
                    )
                )
            before[what] = taken
        d *= 2
    return rows


def judged(quick: bool, d: int) -> bool:
    """Whether doubling d may at most take eight times as long (d^3): not at sizes that are over in
    milliseconds.
    """
    return not quick and d >= 2_048
