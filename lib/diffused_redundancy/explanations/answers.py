"""The answers of notebooks 07 to 09 to their questions; see :mod:`..findings.answers`."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..uncertainty.growth import Change
from .chosen_orders import told
from .data_size import CHOSEN, PENALTY, Key


def made_of(errors: pd.DataFrame) -> str:
    """How far dimensions and scale predict similarity, from the table of
    :func:`.structure.closed_form_table`.
    """
    whole = errors[errors["layer"] == "as it is"]
    first = whole[whole["net"] == whole["net"].iloc[0]]

    def at_most(rows: pd.DataFrame) -> str:
        row = rows.loc[rows["mean_error"].abs().idxmax()]
        ends = f" ({row['low']:+.3f} to {row['high']:+.3f})" if row["low"] == row["low"] else ""
        return f"{row['mean_error']:+.3f}{ends} for {row['net']} on {row['task']}"

    text = (
        "Of dimensions and scale: how many dimensions the layer fills, and how unequal its "
        "neurons' variances are. A closed form of these two predicts CKA at every size; averaged "
        f"over sizes, its largest error is {at_most(first)}"
    )
    if at_most(whole) != at_most(first):
        text += f", and {at_most(whole)}"
    return f"{text}."


def choosing(means: pd.DataFrame) -> str:
    """Whether choosing neurons pays in accuracy where few are kept and where more are, from the
    table of :func:`.chosen_orders.mean_gains`.
    """
    rows = means[means["measure"] == "ridge_accuracy"].sort_values("fraction")
    if rows.empty or rows["low"].isna().all():
        return "This run cannot say: it takes two networks, and a way of choosing neurons."
    few, many = rows.iloc[0], rows.iloc[-1]

    def gain(row: pd.Series) -> str:
        size = told("ridge_accuracy", row["gain"], row["low"], row["high"])
        return f"{size} with {row['fraction']:.0%}"

    lead = "Yes" if few["low"] > 0 else "No" if few["high"] < 0 else "That is open"
    if few["low"] > max(0, many["high"]):
        lead += ", above all where few are kept"
    text = f"{lead}. Over {few['networks']} networks, chosen neurons gain {gain(few)} of the layer"
    return f"{text}, less random ones{f', and {gain(many)}' if len(rows) > 1 else ''}."


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
    lead = (
        f"Clearly so in {up} of {len(shares)} cases (tasks and probes)"
        if up
        else f"Not clearly in any of {len(shares)} cases (tasks and probes)"
    )
    if down:
        lead += f"; the contrary in {down}"
    return (
        f"{lead}. From a quarter of the train images to all of them, the share of the accuracy "
        f"that a random fifth keeps moves most on {case}, with {probe}: by "
        f"{100 * most.size:+.1f} points ({100 * most.low:+.1f} to {100 * most.high:+.1f})."
    )
