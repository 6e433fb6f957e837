"""How a check asks a student's function, and what it says when an answer cannot be used."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class Wrong(AssertionError):
    """An exercise is not right yet; the message says what is wrong."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of the lines of the check."""
        return [f"Not right yet. {self}"]


class Blank(Wrong):
    """Nothing has been written yet."""


def answer(function: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What a function returns on copies of some inputs, which it must leave as they are."""
    copies = [one.copy() if isinstance(one, np.ndarray) else one for one in given]
    name = getattr(function, "__name__", "the function")
    try:
        with np.errstate(all="ignore"):
            returned = function(*copies, **named)
    except NotImplementedError as error:
        raise _blank(name, error) from None
    except Wrong:
        raise
    except Exception as error:
        shapes = ", ".join(_named(one) for one in given)
        raise Wrong(
            f"{name} stopped with {type(error).__name__}: {error}{_place(function, error)} "
            f"(it was given {shapes})"
        ) from error
    for number, (before, after) in enumerate(zip(given, copies, strict=True), 1):
        if isinstance(before, np.ndarray) and not np.array_equal(before, after, equal_nan=True):
            raise Wrong(
                f"{name} changes its input number {number} in place: work on a copy, or write "
                "`X = X - ...` instead of `X -= ...`."
            )
    if returned is None:
        raise Wrong(f"{name} returns nothing: did you forget `return`?")
    return returned


def _blank(name: str, error: NotImplementedError) -> Wrong:
    """What is blank: the function itself, or one that it calls."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = name if trace is None else trace.tb_frame.f_code.co_name
    if where == name:
        return Blank(
            "still blank. Replace its line `raise NotImplementedError(...)` by your own, wherever "
            "it stands."
        )
    return Wrong(
        f"{name} calls {where}, which is still blank: write that first, or write its lines out "
        f"again in {name}."
    )


def _place(function: Callable[..., Any], error: Exception) -> str:
    """The line of a student's function at which it stopped, if its text is known."""
    code, line = getattr(function, "__code__", None), ""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is code:
            line = linecache.getline(code.co_filename, trace.tb_lineno).strip()
        trace = trace.tb_next
    return f", at the line `{line}`" if line else ""


def _named(one: Any) -> str:
    if isinstance(one, np.ndarray) and one.ndim:
        return f"an array of shape {one.shape}"
    return repr(one)[:40]


def number(function: Callable[..., Any], *given: Any, **named: Any) -> float:
    """The number that a function returns."""
    returned = answer(function, *given, **named)
    name = getattr(function, "__name__", "the function")
    return as_number(returned, f"{name} returns")


def as_number(returned: Any, what: str) -> float:
    """A finite real number, or Wrong."""
    if isinstance(returned, (str, bytes, bool, dict, set)) or np.ndim(returned) != 0:
        raise Wrong(f"{what} {_kind(returned)}: it must be one number.")
    try:
        value = float(returned)
    except (TypeError, ValueError):
        raise Wrong(f"{what} {_kind(returned)}: it must be one real number.") from None
    if value != value:
        raise Wrong(f"{what} NaN (not a number): was something divided by 0?")
    if np.isinf(value):
        raise Wrong(f"{what} infinity: was something divided by 0?")
    return value


def array(
    function: Callable[..., Any], shape: Sequence[int], *given: Any, **named: Any
) -> np.ndarray:
    """The array of finite numbers, of a given shape, that a function returns."""
    returned = answer(function, *given, **named)
    name = getattr(function, "__name__", "the function")
    return as_array(returned, shape, f"{name} returns")


def as_array(returned: Any, shape: Sequence[int], what: str) -> np.ndarray:
    """An array of finite real numbers and of a given shape, or Wrong."""
    if not isinstance(returned, np.ndarray):
        raise Wrong(f"{what} {_kind(returned)}: it must be a NumPy array.")
    if returned.shape != tuple(shape):
        raise Wrong(f"{what} an array of shape {returned.shape}: it must be {tuple(shape)}.")
    if returned.dtype.kind not in "fiub":
        raise Wrong(f"{what} an array of {returned.dtype}: it must hold real numbers.")
    if returned.dtype.kind == "f" and not np.isfinite(returned).all():
        raise Wrong(f"{what} NaN or infinity: was something divided by 0?")
    return returned


def numbers(function: Callable[..., Any], count: int, *given: Any, **named: Any) -> list[float]:
    """The numbers that a function returns, as a tuple."""
    returned = answer(function, *given, **named)
    name = getattr(function, "__name__", "the function")
    if not isinstance(returned, (tuple, list, np.ndarray)) or len(returned) != count:
        raise Wrong(f"{name} returns {_kind(returned)}: it must be a tuple of {count} numbers.")
    return [
        as_number(one, f"number {place} of what {name} returns is")
        for place, one in enumerate(returned, 1)
    ]


def _kind(returned: Any) -> str:
    if isinstance(returned, np.ndarray):
        return f"an array of shape {returned.shape}"
    if isinstance(returned, (tuple, list)):
        return f"a {type(returned).__name__} of {len(returned)}"
    if isinstance(returned, (str, bytes, bool, complex)):
        return repr(returned)[:40]
    return f"a {type(returned).__name__}"


def agree(one: Any, other: Any, within: float = 1e-6) -> bool:
    """Whether numbers are equal to within rounding."""
    return bool(np.allclose(one, other, rtol=within, atol=within))
