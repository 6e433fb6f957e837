"""One kind of error for everything a user can get wrong, and the search for the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something the caller gave cannot be used.

    The message is one line: what was given, what is allowed, and the nearest valid value where there is one.
    The command line prints it after ``error:`` and exits with status 2; in a notebook it is the last line of
    the traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(str(message).split()))


def unknown(kind: str, given: object, allowed: Iterable[str]) -> InputError:
    """The error for a name that is not registered, with the nearest one that is.

    >>> str(unknown("task", "digit", ["digits", "georgian"]))
    "unknown task 'digit': did you mean 'digits'? Allowed: digits, georgian."
    """
    names = list(allowed)
    near = difflib.get_close_matches(str(given), names, n=5, cutoff=0.5)  # equally near ones come in reverse order
    best = min(near, key=lambda name: (-_likeness(str(given), name), names.index(name)), default=None)
    hint = f" did you mean {best!r}?" if best is not None else ""
    shown = ", ".join(names[:30]) + (f", and {len(names) - 30} more" if len(names) > 30 else "")
    return InputError(f"unknown {kind} {given!r}:{hint} Allowed: {shown}.")


def _likeness(given: str, name: str) -> float:
    return difflib.SequenceMatcher(None, name, given).ratio()
