"""The measures: pure mathematics on arrays. No files, no plots, no data sets."""

from .._lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        ".cka": "cka_curve cka_curves closed_form diagonal_share",
        ".logistic": "LogisticCurve LogisticProbes choose_logistic_penalty",
        ".probes": "LOGISTIC_GRID RIDGE_GRID PenaltyChoice",
        ".redundancy": "Redundancy diffused_redundancy",
        ".ridge": "RidgeCurve choose_ridge_penalty cross_validated_ridge ridge_accuracy ridge_curve ridge_redundancy",
        ".selections": "PAPER_FRACTIONS SELECTIONS Basis bases basis sizes_of",
        ".statistics": "SufficientStatistics",
    },
)
