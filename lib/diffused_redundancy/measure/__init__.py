"""The measures: pure mathematics on arrays. No files, no plots, no data sets."""

from .._lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        ".cka": "cka_curve closed_form diagonal_share",
        ".curves": "MEASURES Curve size_of",
        ".features": "Features",
        ".redundancy": "Redundancy diffused_redundancy",
        ".selections": "PAPER_FRACTIONS SELECTIONS Ordering orderings ordering sizes_of",
        ".statistics": "SufficientStatistics",
    },
)
