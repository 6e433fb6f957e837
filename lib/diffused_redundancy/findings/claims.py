"""What the paper claims, and what the numbers of a run say of it. Words follow from numbers, never
the other way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """A claim with its source: P, said in the paper; S, said in a summary of it; C, a question its
    code asks.
    """

    text: str
    source: str


CLAIMS: dict[int, Claim] = {
    1: Claim(
        "A fifth of the penultimate neurons, chosen at random, are within 5% of the full "
        "layer's accuracy.",
        "P",
    ),
    2: Claim(
        "Any random subset above a threshold size is similar (CKA) to the whole layer and "
        "performs similarly on many tasks.",
        "P",
    ),
    3: Claim("The critical number of neurons depends on the downstream task.", "P"),
    4: Claim(
        "The loss and the data set of pre-training govern redundancy: adversarial training and "
        "larger data sets raise it.",
        "S",
    ),
    5: Claim(
        "With few neurons the top principal components beat random neurons; the bottom ones "
        "are worst.",
        "C",
    ),
    6: Claim("Random neurons do as well as random projections of the same size.", "C"),
    7: Claim(
        "A layer trained for nested (MRL) redundancy still has diffused redundancy, but less "
        "than with standard or adversarial losses.",
        "P",
    ),
    8: Claim(
        "Dropout before the head raises redundancy, and DeCov, which penalises correlated "
        "neurons, lowers it.",
        "C",
    ),
    9: Claim("Wider layers are more redundant.", "S"),
    10: Claim("Dropping neurons affects some classes more than others.", "P"),
}
"""The claims tested so far, by their number in the documentation."""


@dataclass(frozen=True)
class Verdict:
    """``holds``, ``does not hold``, ``holds in part``, ``mixed`` or ``undecided``, and the numbers
    it follows from.
    """

    word: str
    because: str


def judge(passed: Sequence[bool], because: str) -> Verdict:
    """The verdict from one outcome per case: all, none, or some of them."""
    if not len(passed):
        return Verdict("undecided", because)
    word = "holds" if all(passed) else "holds in part" if any(passed) else "does not hold"
    return Verdict(word, because)


def judge_with_doubt(passed: Sequence[bool], undecided: int, because: str) -> Verdict:
    """The verdict from decided cases and a number of undecided ones: a failure refutes, doubt keeps
    from holding.
    """
    if not undecided:
        return judge(passed, because)
    if not any(passed):
        return Verdict("does not hold" if len(passed) else "undecided", because)
    return Verdict("holds in part", because)
