"""Linear probes of nested subsets: ridge and logistic, with one interface."""

from .._lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        ".cross_validation": "LOGISTIC_GRID RIDGE_GRID PenaltyChoice",
        ".logistic": "LogisticProbe",
        ".ridge": "RidgeProbe",
    },
)
