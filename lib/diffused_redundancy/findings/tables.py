"""Tidy tables from curves: one observation per row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ..measure.redundancy import Redundancy, diffused_redundancy


def tidy(
    curves: np.ndarray, sizes: Iterable[int], seeds: Iterable[int], **columns: Any
) -> pd.DataFrame:
    """Curves (seeds, sizes) as rows of seed, k and value, with further columns of constants in
    front.
    """
    steps, draws = list(sizes), list(seeds)
    frame = pd.DataFrame(
        {
            "seed": np.repeat(draws, len(steps)),
            "k": np.tile(steps, len(draws)),
            "value": np.asarray(curves, dtype=float).ravel(),
        }
    )
    for position, (name, value) in enumerate(columns.items()):
        frame.insert(position, name, value)
    return frame


def redundancy_rows(
    curves: np.ndarray,
    deltas: Iterable[float],
    *,
    full: float,
    d: int,
    sizes: Any = None,
    **columns: Any,
) -> list[dict[str, Any]]:
    """DR at several deltas, one row each: delta, DR, its interval, k and d."""
    rows = []
    for delta in deltas:
        found = diffused_redundancy(curves, delta, full=full, d=d, sizes=sizes)
        rows.append(
            {
                **columns,
                "delta": delta,
                "DR": found.value,
                "low": found.low,
                "high": found.high,
                "k": found.k,
                "d": d,
                "full": full,
                "seeds": found.seeds,
            }
        )
    return rows


def shown_redundancy(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """DR rows for reading: the interval in one column."""
    frame = pd.DataFrame(rows)
    interval = [
        f"{low:.3f} to {high:.3f}" if low == low else "one seed"
        for low, high in zip(frame["low"], frame["high"], strict=True)
    ]
    frame = frame.rename(columns={"DR": "DR(δ)", "delta": "δ", "k": "k*", "full": "full layer"})
    frame["k*"] = ["not reached" if k is None or k != k else str(int(k)) for k in frame["k*"]]
    frame.insert(frame.columns.get_loc("low"), "95% interval", interval)
    return frame.drop(columns=["low", "high", "seeds"])


def redundancy_columns(redundancy: Redundancy) -> dict[str, Any]:
    """DR, its interval and k, as columns of a table."""
    return {
        "DR": redundancy.value,
        "low": redundancy.low,
        "high": redundancy.high,
        "k": redundancy.k,
    }
