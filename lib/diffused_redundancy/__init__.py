"""Exact measures of diffused redundancy in pre-trained representations.

The measures are at the top: ``dr.SufficientStatistics``, ``dr.orderings``, ``dr.cka_curves``,
``dr.ridge_curve``, ``dr.LogisticProbes``, ``dr.diffused_redundancy``. ``dr.net``, ``dr.task`` and
``dr.features`` give features of the miniature world; ``dr.begin`` starts a notebook. Everything is
imported when first used.
"""

from ._lazy import exports

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        ".measure.cka": "cka_curve cka_curves closed_form diagonal_share",
        ".measure.fairness": "coefficient_of_variation expected_gini gini mean_agreement "
        "rank_correlation worst",
        ".probes.logistic": "LogisticCurve LogisticProbes choose_logistic_penalty",
        ".probes.cross_validation": "LOGISTIC_GRID RIDGE_GRID PenaltyChoice",
        ".measure.redundancy": "Redundancy diffused_redundancy pareto_front",
        ".probes.ridge": "RidgeCurve choose_ridge_penalty cross_validated_ridge ridge_accuracy "
        "ridge_curve ridge_redundancy",
        ".measure.selections": "PAPER_FRACTIONS SELECTIONS Ordering orderings ordering sizes_of",
        ".measure.statistics": "SufficientStatistics",
        ".nets.zoo": "ZOO",
        ".nets.networks": "Net",
        ".nets.registry": "net",
        ".nets.architectures": "build",
        ".nets.extraction": "Features features forward",
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
