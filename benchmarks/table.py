"""Measured values, each with its target, as a Markdown table and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import diffused_redundancy as dr
import torch
from threadpoolctl import threadpool_info


@dataclass(frozen=True)
class Row:
    """One measured value.

    Attributes
    ----------
    benchmark : str
        Which benchmark measured it.
    quantity : str
        What it is, with the sizes it was measured at.
    value : float
    unit : str
        ``times``, ``MB``, ``s``, ``images``; empty for a plain number.
    limit : float, optional
        The target; without one the value is information.
    at_least : bool
        Whether the target is a lower bound rather than an upper one.
    judged : bool
        Whether the target applies: a target for full size means nothing at ``--quick`` sizes.
    detail : str
        What the value rests on.
    bar : str
        What took ``value`` times our time, for the plot; empty for other rows.
    at : float
        The number of neurons, for the plot of growth; seconds, for that of cost; 0 for other rows.
    """

    benchmark: str
    quantity: str
    value: float
    unit: str = ""
    limit: float | None = None
    at_least: bool = False
    judged: bool = True
    detail: str = ""
    bar: str = ""
    at: float = 0.0

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none or it does not apply."""
        if self.limit is None or not self.judged:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def number(value: float) -> str:
    """Three digits, without an exponent for numbers of ordinary size."""
    return f"{value:,.0f}" if 100 <= abs(value) < 1e9 else f"{value:.3g}"


def _cells(row: Row) -> list[str]:
    target = (
        ""
        if row.limit is None
        else f"{'at least' if row.at_least else 'at most'} {number(row.limit)}"
    )
    verdict = {None: "not judged" if target else "", True: "yes", False: "**no**"}[row.met]
    return [
        row.benchmark,
        row.quantity,
        f"{number(row.value)} {row.unit}".strip(),
        target,
        verdict,
        row.detail,
    ]


def markdown(rows: Iterable[Row]) -> str:
    """A Markdown table, one line a row."""
    head = ["benchmark", "quantity", "measured", "target", "met", "detail"]
    lines = [head, ["---"] * len(head), *(_cells(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def as_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows as dictionaries of JSON values, each with ``met``."""
    return [{**asdict(row), "met": row.met} for row in rows]


def machine() -> dict[str, str]:
    """Commit, date, machine and versions, and the threads of every library that multiplies matrices
    here.
    """
    import sklearn.linear_model  # noqa: F401  (loads scipy's BLAS, so that it is listed)

    pools = {
        f"{pool['internal_api']} ({pool['prefix']})": f"{pool['num_threads']} threads"
        for pool in threadpool_info()
    }
    about = {name: str(value) for name, value in dr.provenance().items()}
    return {**about, "torch": f"{about['torch']}, {torch.get_num_threads()} threads", **pools}
