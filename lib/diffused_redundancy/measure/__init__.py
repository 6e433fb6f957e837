"""The measures: pure mathematics on arrays. No files, no plots, no data sets."""

from .cka import cka_curve, cka_curves, closed_form, diagonal_share
from .logistic import LogisticCurve, LogisticProbes, choose_logistic_penalty
from .probes import LOGISTIC_GRID, RIDGE_GRID, PenaltyChoice
from .redundancy import Redundancy, diffused_redundancy
from .ridge import RidgeCurve, choose_ridge_penalty, ridge_curve
from .selections import PAPER_FRACTIONS, SELECTIONS, Basis, bases, basis, sizes_of
from .statistics import SufficientStatistics

__all__ = [
    "LOGISTIC_GRID",
    "PAPER_FRACTIONS",
    "RIDGE_GRID",
    "SELECTIONS",
    "Basis",
    "LogisticCurve",
    "LogisticProbes",
    "PenaltyChoice",
    "Redundancy",
    "RidgeCurve",
    "SufficientStatistics",
    "bases",
    "basis",
    "choose_logistic_penalty",
    "choose_ridge_penalty",
    "cka_curve",
    "cka_curves",
    "closed_form",
    "diagonal_share",
    "diffused_redundancy",
    "ridge_curve",
    "sizes_of",
]
