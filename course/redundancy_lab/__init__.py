"""The students' package: data and checks of the course. It needs NumPy and nothing else.

>>> import redundancy_lab as lab
>>> digits = lab.load("digits")
>>> digits.X_train.shape
(600, 512)

``lab.check(name, function)`` prints ``NAME: right.`` or raises ``lab.Wrong``, an AssertionError
whose message says what is wrong. A blank (``NotImplementedError``) is told in a line and does not
raise, so that all cells of a notebook run before anything is written. With ``hidden=True``, for
graders, other data are tried as well, and a blank raises ``lab.Blank``, a kind of ``Wrong``.
``lab.ready(function)`` says whether a function was right, so that a figure is only drawn from one
that is.
"""

from .asking import Blank, Wrong
from .checking import check, names, ready
from .data import Data, load, networks, orders
from .given import guesses, strength, student, welch

__all__ = [
    "Blank",
    "Data",
    "Wrong",
    "check",
    "guesses",
    "load",
    "names",
    "networks",
    "orders",
    "ready",
    "strength",
    "student",
    "welch",
]
