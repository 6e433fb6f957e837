"""Figures and tables as a notebook shows and keeps them."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

MARK = "diffused_redundancy"
"""Where the metadata of an output say what it is: its ``role`` (answer, hero, figure, table,
verdict or parameters), and the ``files`` that hold it. Pages are arranged by these.
"""


def png(figure: Figure) -> bytes:
    """A figure as a PNG."""
    full = io.BytesIO()
    figure.savefig(full, format="png", dpi=100)
    return full.getvalue()


def with_palette(image: bytes) -> bytes:
    """A PNG with a palette: a third of the size, and no difference to see."""
    from PIL import Image

    packed = io.BytesIO()
    Image.open(io.BytesIO(image)).convert("RGB").quantize(192, dither=Image.Dither.NONE).save(
        packed, format="PNG", optimize=True
    )
    return packed.getvalue()


def smallest(image: bytes) -> bytes:
    """The same PNG in fewer bytes: with a palette if it has no more than 256 colours."""
    from PIL import Image

    picture: Image.Image = Image.open(io.BytesIO(image))
    packed = io.BytesIO()
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (255, 255):
        picture = picture.convert("RGB")
    if picture.mode == "RGB" and picture.getcolors(256):
        picture = picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
    picture.save(packed, format="PNG", optimize=True)
    return min(image, packed.getvalue(), key=len)


def markdown_table(table: pd.DataFrame) -> str:
    """A table in Markdown: numbers of a column with the same, sensible digits, aligned right."""

    def cell(value: Any, decimals: int | None) -> str:
        if isinstance(value, float) and value == value:
            return (
                f"{value:z.{decimals}f}"
                if decimals is not None
                else np.format_float_positional(value, 4, fractional=False, trim="-")
            )
        return "–" if value is None or value != value else str(value).replace("|", "\\|")

    right = [pd.api.types.is_numeric_dtype(table[name]) for name in table.columns]
    decimals = [_decimals(table.iloc[:, place]) for place in range(len(right))]
    lines = [
        "| " + " | ".join(map(str, table.columns)) + " |",
        "|" + "|".join("---:" if numeric else ":---" for numeric in right) + "|",
        *(
            "| " + " | ".join(map(cell, row, decimals)) + " |"
            for row in table.itertuples(index=False, name=None)
        ),
    ]
    return "\n".join(lines)


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its numbers rounded to 12 decimals, and no negative zero."""
    return table.assign(
        **{name: table[name].round(12) + 0.0 for name in table.select_dtypes("floating").columns}
    )


def _decimals(column: pd.Series) -> int | None:
    """How many decimals the numbers of a column get: three, or one where they are large; None, for
    four digits, where they span decades.
    """
    sizes = [
        abs(value)
        for value in column
        if isinstance(value, float) and value == value and abs(value) > 1e-6
    ]
    if not sizes or max(sizes) < 10:
        return 3
    return 1 if max(sizes) < 1e4 and min(sizes) >= 0.05 else None


def display(data: dict[str, str], metadata: dict[str, Any] | None = None) -> None:
    """Show data by MIME type as the output of the running cell."""
    from IPython.display import display as show

    show(data, metadata=metadata or {}, raw=True)


def show_figures() -> None:
    """Let a notebook show a figure that ends a cell, as it does for figures of pyplot."""
    if "IPython" not in sys.modules:
        return
    shell = sys.modules["IPython"].get_ipython()
    if shell is not None:
        shell.display_formatter.formatters["image/png"].for_type(Figure, png)
