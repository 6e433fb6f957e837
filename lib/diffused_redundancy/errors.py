"""One kind of error for everything a user can get wrong, and the search for the nearest valid
name.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any


class InputError(ValueError):
    """Something the caller gave cannot be used.

    The message is one line: what was given, what is allowed, and the nearest valid value where
    there is one. The command line prints it after ``error:`` and exits with status 2; in a notebook
    it is the last line of the traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(str(message).split()))


MOST = 20
"""Names that an error lists, at most."""


def unknown(kind: str, given: object, allowed: Iterable[str]) -> InputError:
    """The error for a name that is not registered, with the nearest one that is.

    >>> str(unknown("task", "digit", ["digits", "georgian"]))
    "unknown task 'digit': did you mean 'digits'? Allowed: digits, georgian."
    """
    names = list(allowed)
    near = difflib.get_close_matches(
        str(given), names, n=5, cutoff=0.5
    )  # equally near ones come in reverse order
    best = min(
        near, key=lambda name: (-_likeness(str(given), name), names.index(name)), default=None
    )
    hint = f" did you mean {best!r}?" if best is not None else ""
    shown = ", ".join(names[:MOST]) + (
        f", and {len(names) - MOST} more" if len(names) > MOST else ""
    )
    return InputError(f"unknown {kind} {given!r}:{hint} Allowed: {shown}.")


def check_whole(value: Any, name: str, least: int, most: int | None = None) -> int:
    """A whole number in a range, or InputError saying the range and the nearest valid value."""
    allowed = f"at least {least}" if most is None else f"{least} to {most}"
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(f"{name} is {value!r}: it must be a whole number, {allowed}")
    number = int(value)
    if number < least or (most is not None and number > most):
        nearest = least if number < least else most
        raise InputError(f"{name} is {number}: it must be {allowed} (nearest: {nearest})")
    return number


def check_number(
    value: Any,
    name: str,
    low: float,
    high: float = float("inf"),
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """A number in a range, each end of it open or not, or InputError saying the range and the
    nearest valid value.
    """
    above = f"above {low:g}" if open_low else f"at least {low:g}"
    allowed = (
        above
        if high == float("inf")
        else f"{above} and {'below' if open_high else 'at most'} {high:g}"
    )
    if isinstance(value, bool) or not isinstance(value, Real) or value != value:
        raise InputError(f"{name} is {value!r}: it must be a number {allowed}")
    number = float(value)
    fits = (low < number if open_low else low <= number) and (
        number < high if open_high else number <= high
    )
    if not fits or number == float("inf"):
        nearest = min(max(number, low), high)
        reachable = (
            nearest != float("inf")
            and not (open_low and nearest == low)
            and not (open_high and nearest == high)
        )
        raise InputError(
            f"{name} is {number:g}: it must be {allowed}"
            + (f" (nearest: {nearest:g})" if reachable else "")
        )
    return number


def _likeness(given: str, name: str) -> float:
    return difflib.SequenceMatcher(None, name, given).ratio()
