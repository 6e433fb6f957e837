"""The answers of notebooks 07 to 09 to their questions; see :mod:`..findings.answers`."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..uncertainty.growth import Change
from .chosen_orders import told
from .data_size import CHOSEN, FIXED, PENALTY, Key


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
    more = f", and by {gain(many)}" if len(rows) > 1 else ""
    return (
        f"{lead}. Averaged over {few['networks']} networks, tasks and ways of choosing, chosen "
        f"neurons beat random ones by {gain(few)} of the layer{more}."
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
    lead = (
        f"Clearly so in {up} of {len(shares)} cases (tasks, with ridge and logistic probes)"
        if up
        else f"Not clearly in any of {len(shares)} cases (tasks, with ridge and logistic probes)"
    )
    if down:
        lead += f"; the contrary in {down}"
    fixed = changes.get((case, FIXED, "share")) if probe == CHOSEN else None
    held = f"; at one penalty for both by {_points(fixed)}" if fixed is not None else ""
    return (
        f"{lead}. From a quarter of the train images to all of them, the share of the accuracy "
        f"that a random fifth keeps changes most on {case}, with {probe}: by {_points(most)}{held}."
    )


def _points(change: Change) -> str:
    low, high = 100 * change.low, 100 * change.high
    return f"{100 * change.size:+.1f} points ({low:+.1f} to {high:+.1f})"
