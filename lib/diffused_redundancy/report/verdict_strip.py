"""Verdicts in a strip: one line a claim, in signs and words; the numbers are folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..findings.claims import CLAIMS, SOURCES
from .html import rendered

ICONS = {"holds": "✓", "part": "◐", "not": "✗", "undecided": "?"}
"""A sign for each kind of verdict, beside its words."""

ALL_OF_A_KIND = {
    "holds": "holds",
    "part": "in part",
    "not": "does not hold",
    "undecided": "undecided",
}
"""The verdict on a claim where those on all its parts are of one kind."""

SHORT = {
    "holds": "yes",
    "part": "in part",
    "not": "no",
    "not on some": "no on some",
    "undecided": "open",
}
NOT_ON_SOME = "not on some"
"""A verdict that holds nowhere, and fails in some cases only: the others are undecided."""

THE_CLAIM = "as the paper asks"
"""What a verdict is on that has no part of its own, beside one that has."""


def verdict_strip(verdicts: Sequence[dict[str, Any]]) -> str:
    """The strip as HTML; empty without verdicts.

    Parameters
    ----------
    verdicts : sequence of dict
        As :meth:`.Session.verdict` keeps them, each with a link, ``href``, to where it stands in
        full.
    """
    by_claim: dict[int, list[dict[str, Any]]] = {}
    for one in verdicts:
        by_claim.setdefault(one["claim"], []).append(one)
    rows = [claim_row(claim, some) for claim, some in sorted(by_claim.items())]
    return rendered("verdicts.html.j2", rows=rows) if rows else ""


def claim_row(claim: int, verdicts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the verdicts on all parts of a claim come to, in a line: their own word if there is one,
    that of all if they are of one kind, and else *mixed*; with a note of what they are.
    """
    parts = [{**one, "icon": ICONS[one["kind"]], **_in_lines(one["because"])} for one in verdicts]
    kinds = Counter(_finer(one) for one in parts)
    coarse = {one["kind"] for one in parts}
    kind = coarse.pop() if len(coarse) == 1 else "part"
    if len(parts) == 1:
        word, note = parts[0]["verdict"], _tally(parts[0])
    else:
        word = ALL_OF_A_KIND[kind] if kinds.keys() == {kind} else "mixed"
        if NOT_ON_SOME in kinds and kind == "not":
            word = "does not hold on some"
        counts = [f"{kinds[one]} {short}" for one, short in SHORT.items() if kinds[one]]
        note = f"{len(parts)} parts: {', '.join(counts)}"
        if len(parts) == 2 and any(one["part"] for one in parts):
            note = "; ".join(f"{one['part'] or THE_CLAIM}: {one['verdict']}" for one in parts)
    return {
        "claim": claim,
        "text": CLAIMS[claim].text,
        "short": CLAIMS[claim].short,
        "source": SOURCES[CLAIMS[claim].source],
        "ours": CLAIMS[claim].source == "C",
        "analogue": all(one["analogue"] or one.get("source") == "C" for one in parts),
        "kind": kind,
        "icon": ICONS[kind],
        "verdict": word,
        "note": note,
        "parts": parts,
    }


def _finer(verdict: dict[str, Any]) -> str:
    """The kind of a verdict, where *not* is of all its cases only."""
    partly = verdict["kind"] == "not" and not verdict.get("everywhere", True)
    return NOT_ON_SOME if partly else str(verdict["kind"])


def _in_lines(because: str) -> dict[str, Any]:
    """The sentences of a verdict, and the lines of its list, if it has one."""
    sentences, *lines = because.split("\n- ")
    return {"because": sentences.strip(), "lines": lines}


def _tally(verdict: dict[str, Any]) -> str:
    """Which part it is of, and on how many cases it holds, unless its words say that."""
    said = verdict["kind"] == "undecided" or any(sign.isdigit() for sign in verdict["verdict"])
    return "; ".join(filter(None, [verdict["part"], "" if said else verdict.get("tally", "")]))
