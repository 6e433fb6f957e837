"""Exact measures of diffused redundancy in pre-trained representations.

``dr.measure`` measures any matrix of features; its parts are here too: ``dr.SufficientStatistics``,
``dr.orderings``, ``dr.cka_curve``, ``dr.RidgeProbe``, ``dr.LogisticProbe``,
``dr.diffused_redundancy``. ``dr.net``, ``dr.task`` and ``dr.features`` give features of networks on
tasks; ``dr.begin`` starts a notebook. The stub beside this file lists all names; each is imported
when first used.
"""

try:
    import lazy_loader
except ModuleNotFoundError:  # run_all.sh --help works before the environment is there
    lazy_loader = None

__version__ = "0.1.0"

if lazy_loader is not None:
    __getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
