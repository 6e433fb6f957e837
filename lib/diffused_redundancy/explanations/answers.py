"""The answers of notebooks 07 to 09 to their questions; see :mod:`..findings.answers`."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..uncertainty.growth import Change
from .chosen_orders import told
from .data_size import CHOSEN, FIXED, PENALTY, Key


def made_of(errors: pd.DataFrame) -> str:
    """How far dimensions and scale predict similarity, on average over sizes and at the size where
    they do so worst, from the table of :func:`.structure.closed_form_table`.
    """
    whole = errors[errors["layer"] == "as it is"]
    first = whole[whole["net"] == whole["net"].iloc[0]]

    def largest(rows: pd.DataFrame, column: str, says: str = "") -> str:
        row = rows.loc[rows[column].abs().idxmax()]
        ends = ("low", "high") if column == "mean_error" else (f"{column}_low", f"{column}_high")
        low, high = (row[end] for end in ends)
        interval = f" ({says}{low:+.3f} to {high:+.3f})" if low == low else ""
        return f"{row[column]:+.3f}{interval} for {row['net']} on {row['task']}"

    def at_one_size(rows: pd.DataFrame) -> str:
        at_k = rows.loc[rows["largest_error"].abs().idxmax(), "at_k"]
        return f"{largest(rows, 'largest_error')} (k = {at_k})"

    text = (
        "Of dimensions and scale: how many dimensions the layer fills, and how unequal its "
        "neurons' variances are. A formula of these two predicts CKA for every size, with errors. "
        f"On average over sizes the largest is {largest(first, 'mean_error', _INTERVAL)}, and at a "
        f"single size {at_one_size(first)}."
    )
    of_all = f"{largest(whole, 'mean_error')}, and {at_one_size(whole)}"
    if of_all != f"{largest(first, 'mean_error')}, and {at_one_size(first)}":
        text += f" Over all networks these are {of_all}."
    return text


_INTERVAL = "95% interval "
"""What the first brackets of an answer say that they are."""


def choosing(means: pd.DataFrame) -> str:
    """Whether choosing neurons pays in accuracy where few are kept and where more are, from the
    table of :func:`.chosen_orders.mean_gains`.
    """
    rows = means[means["measure"] == "ridge_accuracy"].sort_values("fraction")
    if rows.empty or rows["low"].isna().all():
        return "This run cannot say: it takes two networks, and a way of choosing neurons."
    few, many = rows.iloc[0], rows.iloc[-1]

    def gain(row: pd.Series, says: str = "") -> str:
        size = told("ridge_accuracy", row["gain"], row["low"], row["high"])
        return f"{size.replace('(', f'({says}')} with {row['fraction']:.0%}"

    lead = "Yes" if few["low"] > 0 else "No" if few["high"] < 0 else "That is open"
    if few["low"] > max(0, many["high"]):
        lead += ", above all where few are kept"
    more = f", and {gain(many)}" if len(rows) > 1 else ""
    return (
        f"{lead}. The accuracy of chosen neurons, less that of random ones, is "
        f"{gain(few, _INTERVAL)} of the layer{more}. These are means over {few['networks']} "
        "networks, the tasks, and the ways of choosing."
    )


def few_images(changes: Mapping[Key, Change]) -> str:
    """Whether a random fifth keeps another share with all train images than with a quarter, over
    tasks and probes, with the largest change.
    """
    shares = {
        (case, probe): one
        for (case, probe, quantity), one in changes.items()
        if quantity == "share" and probe != PENALTY and (probe == CHOSEN or "ridge" in probe)
    }
    if not shares:
        return "This run cannot say: no share is known with a quarter of the train images."
    up, down = (sum(one.outcome == word for one in shares.values()) for word in ("higher", "lower"))
    (case, probe), most = max(shares.items(), key=lambda pair: abs(pair[1].size))
    contrary = f"; the contrary in {down}" if down else ""
    fixed = changes.get((case, FIXED, "share")) if probe == CHOSEN else None
    held = f" With one penalty for both it changes by {_points(fixed)}." if fixed else ""
    return (
        f"{f'Clearly so in {up}' if up else 'Not clearly in any'} of {len(shares)} cases (tasks, "
        f"with ridge and logistic probes){contrary}. From a quarter of the train images to all of "
        "them, the share of the accuracy that a random fifth keeps changes most on "
        f"{case}, with {probe}: by {_points(most, _INTERVAL)}.{held}"
    )


def _points(change: Change, says: str = "") -> str:
    low, high = 100 * change.low, 100 * change.high
    return f"{100 * change.size:+.1f} points ({says}{low:+.1f} to {high:+.1f})"
