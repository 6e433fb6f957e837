"""Tables as a notebook shows them."""

from __future__ import annotations

import pandas as pd
from diffused_redundancy.report.display import markdown_table


def test_markdown_tables():
    text = markdown_table(
        pd.DataFrame({"name": ["a|b"], "x": [0.12345], "n": [3], "none": [float("nan")]})
    )
    assert text.splitlines() == [
        "| name | x | n | none |",
        "|:---|---:|---:|---:|",
        r"| a\|b | 0.123 | 3 | – |",
    ]
    columns = {
        "share": [0.5, 12.34],
        "size": [12.0, 60000.0],
        "penalty": [0.01, 100.0],
        "gap": [-1e-9, 2.0],
    }
    rows = [line.split(" | ") for line in markdown_table(pd.DataFrame(columns)).splitlines()[2:]]
    assert rows == [["| 0.5", "12", "0.01", "0.000 |"], ["| 12.3", "60000", "100", "2.000 |"]]
