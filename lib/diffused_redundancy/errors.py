"""The error for invalid input, and checks that raise it with the nearest valid value."""

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

    Examples
    --------
    >>> import diffused_redundancy as dr
    >>> try:
    ...     dr.task("digits", images=3)
    ... except dr.InputError as error:
    ...     print(error)
    3 images of digits leave some of its 10 classes without one (nearest: 10)
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(str(message).split()))


MOST = 20
"""Most names that an error lists."""


def unknown(kind: str, given: object, allowed: Iterable[str]) -> InputError:
    """The error for a name that is not registered, with the nearest one that is.

    >>> str(unknown("task", "digit", ["digits", "georgian"]))
    "unknown task 'digit': did you mean 'digits'? Allowed: digits, georgian."
    """
    names, text = list(allowed), str(given)

    def order(name: str) -> tuple[float, int]:
        return -difflib.SequenceMatcher(None, name, text).ratio(), names.index(name)

    near = difflib.get_close_matches(text, names, n=5, cutoff=0.5)  # ties in reverse order
    best = min(near, key=order, default=None)
    hint = f" did you mean {best!r}?" if best is not None else ""
    more = f", and {len(names) - MOST} more" if len(names) > MOST else ""
    return InputError(f"unknown {kind} {given!r}:{hint} Allowed: {', '.join(names[:MOST])}{more}.")


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
    """A number in an interval, or InputError saying the interval and the nearest valid value."""
    allowed = f"above {low:g}" if open_low else f"at least {low:g}"
    if high != float("inf"):
        allowed += f" and {'below' if open_high else 'at most'} {high:g}"
    if isinstance(value, bool) or not isinstance(value, Real) or value != value:
        raise InputError(f"{name} is {value!r}: it must be a number {allowed}")

    def fits(number: float) -> bool:
        above = low < number if open_low else low <= number
        below = number < high if open_high else number <= high
        return above and below and number != float("inf")

    number = float(value)
    if not fits(number):
        nearest = min(max(number, low), high)
        hint = f" (nearest: {nearest:g})" if fits(nearest) else ""
        raise InputError(f"{name} is {number:g}: it must be {allowed}{hint}")
    return number
