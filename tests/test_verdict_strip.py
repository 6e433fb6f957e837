"""Verdicts in a strip: a line a claim, whatever its parts say."""

from __future__ import annotations

import pytest
from diffused_redundancy.findings.claims import Outcome, judge
from diffused_redundancy.report.verdict_strip import claim_row, verdict_strip


def verdict(kind="holds", word="", part="", tally="3 of 3 tasks"):
    return {
        "claim": 5,
        "kind": kind,
        "verdict": word or kind,
        "part": part,
        "analogue": True,
        "because": f"30 < 40 of {part}",
        "tally": tally,
        "notebook": "02_probes",
        "href": "#verdict-1",
    }


@pytest.mark.parametrize(
    "kinds, kind, word, note",
    [
        (["holds"], "holds", "the word", "3 of 3 tasks"),
        (["undecided"], "undecided", "the word", ""),
        (["holds", "holds"], "holds", "holds", "0: the word; 1: the word"),
        (["not"] * 3, "not", "does not hold", "3 parts: 3 no"),
        (["holds", "not", "undecided", "not"], "part", "mixed", "4 parts: 1 yes, 2 no, 1 open"),
        (["undecided", "undecided"], "undecided", "undecided", "0: the word; 1: the word"),
        (["part"] * 3, "part", "in part", "3 parts: 3 in part"),
    ],
)
def test_a_claim_in_a_line(kinds, kind, word, note):
    parts = [""] if len(kinds) == 1 else [str(place) for place in range(len(kinds))]
    some = [verdict(one, "the word", part) for one, part in zip(kinds, parts, strict=True)]
    row = claim_row(5, some)
    assert (row["kind"], row["verdict"], row["note"]) == (kind, word, note)
    assert len(row["parts"]) == len(kinds)


def test_a_tally_is_not_said_twice():
    assert claim_row(5, [verdict("part", "holds on 2 of 3 tasks")])["note"] == ""


def test_the_strip():
    assert verdict_strip([]) == ""
    text = verdict_strip([verdict(part="few"), verdict("not", part="more")])
    assert text.count("<summary>") == 1 and "30 &lt; 40 of few" in text
    assert text.count('href="#verdict-1"') == 2 and text.index("few: holds") < text.index("30 &lt;")


def test_a_verdict_has_a_line_a_case():
    told = {**verdict(), "because": "Two cases.\n\n- a: 1 < 2.\n- b: 3."}
    text = verdict_strip([told])
    assert "Two cases.<ul><li>a: 1 &lt; 2.</li><li>b: 3.</li></ul>" in text
    assert "<ul></ul>" not in verdict_strip([verdict()])


def test_two_verdicts_are_told_apart_in_words_and_not_by_files():
    one, other = verdict(part=""), verdict("not", part="our question")
    assert claim_row(5, [one, other])["note"] == "as the paper asks: holds; our question: not"
    both = claim_row(5, [verdict(part=""), verdict(part="")])
    assert both["note"] == "2 parts: 2 yes" and both["verdict"] == "holds"


def test_what_fails_in_some_cases_only_is_not_said_to_fail():
    """The others are undecided."""
    some = verdict("not", "does not hold on 2 of 4 cases", "few") | {"everywhere": False}
    whole = verdict("not", "does not hold", "more") | {"everywhere": True}
    assert claim_row(6, [some, some])["verdict"] == "does not hold on some"
    assert claim_row(6, [whole, whole])["verdict"] == "does not hold"
    three = claim_row(6, [some, whole, verdict()])
    assert three["note"] == "3 parts: 1 yes, 1 no, 1 no on some"
    assert judge([Outcome("a", False), Outcome("b", None)], "").everywhere is False
    assert judge([Outcome("a", False), Outcome("b", True, counted=False)], "").everywhere
