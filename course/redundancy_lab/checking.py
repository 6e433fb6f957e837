"""The checks by name, and what a notebook calls: ``check``, ``ready`` and ``names``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import checks_conclusions, checks_probes, checks_similarity
from .asking import Blank, Wrong

CHECKS: dict[str, Callable[[Callable[..., Any], np.random.Generator], None]] = {
    **checks_similarity.CHECKS,
    **checks_probes.CHECKS,
    **checks_conclusions.CHECKS,
}
"""Each takes the student's function and a source of random data, and raises Wrong."""

NOTES: dict[str, Callable[[Callable[..., Any]], str]] = {
    **checks_similarity.NOTES,
    **checks_probes.NOTES,
}
"""What a student is told of a function that is right; empty if there is nothing to say."""

_RIGHT: dict[str, Callable[..., Any]] = {}
"""The functions that were right, by the name of their exercise."""

_HIDDEN_SEEDS = (11, 12)
"""Of the data that only graders see."""


def names() -> list[str]:
    """The exercises, in order."""
    return list(CHECKS)


def check(name: str, function: Callable[..., Any], *, hidden: bool = False) -> None:
    """Say whether the function of an exercise is right, or what is wrong with it.

    Parameters
    ----------
    name : str
        Of the exercise; see :func:`names`.
    function : callable
        What you wrote.
    hidden : bool
        For graders: try other data as well, and raise for a blank.

    Raises
    ------
    Wrong
        If it is not right. (A blank is only told, unless ``hidden``: so all cells of a notebook
        run before anything is written.)
    """
    if name not in CHECKS:
        raise ValueError(f"there is no exercise {name!r}: choose one of {', '.join(CHECKS)}")
    if not callable(function):
        raise Wrong(f"{name}: give the function itself, not what it returns.")
    _RIGHT.pop(name, None)
    try:
        for seed in (0, *(_HIDDEN_SEEDS if hidden else ())):
            CHECKS[name](function, np.random.default_rng(seed))
    except Blank as blank:
        if hidden:
            raise
        print(f"{name}: {blank}")
        return
    except Wrong as wrong:
        raise Wrong(f"{name}: {wrong}") from wrong.__cause__
    _RIGHT[name] = function
    print(f"{name}: right.")
    note = "" if hidden or name not in NOTES else NOTES[name](function)
    if note:
        print(f"{name}: a note, which costs no points: {note}")


def ready(*functions: Callable[..., Any]) -> bool:
    """Whether functions were found right by their checks; a line says which were not.

    A figure is drawn from a student's functions only once they are.
    """
    missing = list(_missing(functions))
    if missing:
        print(f"This cell waits until the check says that these are right: {', '.join(missing)}.")
    return not missing


def _missing(functions: tuple[Callable[..., Any], ...]) -> Iterator[str]:
    for function in functions:
        if function not in _RIGHT.values():
            yield getattr(function, "__name__", "a function")
