"""Tables as CSV that a spreadsheet shows, and does not run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_BEGINS = ("=", "+", "-", "@", "\t")
"""What a spreadsheet takes for a formula begins with one of these."""

_NUMBER = r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?%?"
_NUMBERS = re.compile(rf"{_NUMBER}(?: \({_NUMBER} to {_NUMBER}\))?")


def harmless(cell: Any) -> Any:
    """A cell of text that begins as formulas do, with an apostrophe before it; others as they are.

    >>> harmless("=1+1"), harmless("-0.5"), harmless("+0.5 (-0.1 to +1.1)"), harmless(-2)
    ("'=1+1", '-0.5', '+0.5 (-0.1 to +1.1)', -2)
    """
    if not isinstance(cell, str):
        return cell
    cell = cell.replace("\r", " ")  # which would begin another line
    if not cell.lstrip(" \n").startswith(_BEGINS):
        return cell
    return cell if _NUMBERS.fullmatch(cell) else f"'{cell}"


def csv_text(table: pd.DataFrame, float_format: str) -> str:
    """A table as CSV, without its index. Names of networks, tasks and classes are a user's: those
    that begin as formulas do get an apostrophe (:func:`harmless`); numbers stay numbers.
    """
    texts = table.select_dtypes(exclude="number").columns
    shown = table.assign(**{name: table[name].map(harmless) for name in texts if len(table)})
    text: str = shown.rename(columns=harmless).to_csv(index=False, float_format=float_format)
    return text


def harmless_json(text: str) -> str:
    """JSON in a line of a CSV file, where a comma within a text would begin a cell: it is escaped
    before what may begin a formula. (Those between values have a space after them.)

    >>> harmless_json('["a,=1"]')
    '["a\\\\u002c=1"]'
    """
    return re.sub(r"[,;](?=[=+\-@])", lambda found: f"\\u{ord(found[0]):04x}", text)
