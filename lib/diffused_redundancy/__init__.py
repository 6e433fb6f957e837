"""Exact measures of diffused redundancy in pre-trained representations.

``dr.measure`` measures any matrix of features; its parts are here too: ``dr.SufficientStatistics``,
``dr.orderings``, ``dr.cka_curve``, ``dr.RidgeProbe``, ``dr.LogisticProbe``,
``dr.diffused_redundancy``. ``dr.net``, ``dr.task`` and ``dr.features`` give features of networks on
tasks; ``dr.begin`` starts a notebook. The stub beside this file lists all names; each is imported
when first used.
"""

import os
import sys


def _leave_out_working_folder() -> None:
    """Take the working folder, where a ``queue.py`` may lie, from the places of modules, unless it
    is the one of this package or of others.
    """
    try:
        here = os.path.realpath(os.getcwd())
    except FileNotFoundError:  # it has been removed
        return
    own = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    if here != own and os.path.basename(here) not in ("site-packages", "dist-packages"):
        sys.path[:] = [place for place in sys.path if os.path.realpath(place) != here]


if sys.argv[:1] == ["-m"]:  # so it is while `python -m diffused_redundancy` starts
    _leave_out_working_folder()

try:
    import lazy_loader
except ModuleNotFoundError:  # run_all.sh --help works before the environment is there
    lazy_loader = None

__version__ = "1.0.0"

if lazy_loader is not None:
    __getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
