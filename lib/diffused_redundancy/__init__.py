"""Exact measures of diffused redundancy in pre-trained representations.

The measures are at the top: ``dr.SufficientStatistics``, ``dr.bases``, ``dr.cka_curves``, ``dr.ridge_curve``,
``dr.LogisticProbes``, ``dr.diffused_redundancy``. ``dr.net``, ``dr.task`` and ``dr.features`` give features of the
miniature world; ``dr.begin`` starts a notebook. Everything is imported when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "measure": (
        "LOGISTIC_GRID PAPER_FRACTIONS RIDGE_GRID SELECTIONS Basis LogisticCurve LogisticProbes PenaltyChoice Redundancy RidgeCurve "
        "SufficientStatistics bases basis choose_logistic_penalty choose_ridge_penalty cka_curve cka_curves closed_form "
        "diagonal_share diffused_redundancy ridge_curve sizes_of"
    ),
    "nets": "ZOO Features Net features net pretrain",
    "tasks": "TASKS Task task",
    "store": "Cache provenance",
    "study": "begin",
    "errors": "InputError",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted([*_HOME, "measure", "nets", "store", "study", "tasks"])


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    if name in ("measure", "nets", "store", "study", "tasks"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
