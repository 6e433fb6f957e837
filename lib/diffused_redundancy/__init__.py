"""Exact measures of diffused redundancy in pre-trained representations.

The measures are at the top: ``dr.SufficientStatistics``, ``dr.orderings``, ``dr.cka_curve``,
``dr.RidgeProbe``, ``dr.LogisticProbe``, ``dr.diffused_redundancy``. ``dr.net``, ``dr.task`` and
``dr.features`` give features of the miniature world; ``dr.begin`` starts a notebook. Everything is
imported when first used.
"""

from ._lazy import exports

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        ".measure.cka": "cka_curve closed_form diagonal_share",
        ".measure.curves": "Curve",
        ".measure.fairness": "coefficient_of_variation expected_gini gini mean_agreement "
        "rank_correlation worst",
        ".measure.features": "Features",
        ".measure.redundancy": "Redundancy diffused_redundancy",
        ".measure.selections": "PAPER_FRACTIONS SELECTIONS Ordering orderings ordering sizes_of",
        ".measure.statistics": "SufficientStatistics",
        ".probes.cross_validation": "LOGISTIC_GRID RIDGE_GRID PenaltyChoice",
        ".probes.logistic": "LogisticProbe",
        ".probes.ridge": "RidgeProbe",
        ".nets.zoo": "ZOO",
        ".nets.networks": "Net",
        ".nets.registry": "net",
        ".nets.architectures": "build",
        ".nets.extraction": "features forward",
        ".nets.training": "pretrain",
        ".tasks": "TASKS Task task",
        ".store.cache": "Cache",
        ".store.provenance": "provenance",
        ".session": "begin",
        ".devices": "keep_memory",
        ".errors": "InputError",
        ".findings": "",
        ".report": "",
        ".experiment": "",
    },
)
