"""What the paper claims, and the one rule by which numbers of a run become a verdict. Words follow
from numbers, never the other way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .phrases import listed, place, spoken


@dataclass(frozen=True)
class Claim:
    """A claim, the same in a few words, and its source: P, said in the paper; S, said in a summary
    of it; PS, one half in each; C, a question its code asks.
    """

    text: str
    short: str
    source: str


CLAIMS: dict[int, Claim] = {
    1: Claim(
        "20% of ResNet50's penultimate neurons, chosen at random, are within 5% of the full "
        "layer's accuracy on CIFAR10.",
        "A random fifth of the neurons loses at most 5% of the accuracy",
        "P",
    ),
    2: Claim(
        "Any random subset above a threshold size shares a large degree of similarity (CKA) with "
        "the whole layer and performs similarly on many tasks.",
        "A random part above some size is similar to the layer, and performs similarly",
        "P",
    ),
    3: Claim(
        "The critical mass of neurons depends on the downstream task.",
        "How many neurons are needed depends on the task",
        "P",
    ),
    4: Claim(
        "The loss and the data set of pre-training largely govern the degree of redundancy: "
        "adversarial training and larger data sets raise it.",
        "Adversarial training and larger data sets raise redundancy",
        "PS",
    ),
    5: Claim(
        "With the same few dimensions, the top principal components beat random neurons, and the "
        "bottom ones are worst.",
        "Few top principal components beat random neurons, bottom ones are worst",
        "C",
    ),
    6: Claim(
        "Random neurons do as well as random projections of the same size.",
        "Random neurons do as well as random projections",
        "C",
    ),
    7: Claim(
        "A layer trained for nested (MRL) redundancy still shows a significant amount of diffused "
        "redundancy, though much less than with the standard and adversarial losses.",
        "Nested (MRL) layers keep some diffused redundancy, but less of it",
        "P",
    ),
    8: Claim(
        "Dropout before the head raises redundancy, and DeCov, which penalises correlated "
        "neurons, lowers it.",
        "Dropout raises redundancy, DeCov lowers it",
        "C",
    ),
    9: Claim("Wider layers are more redundant.", "Wider layers are more redundant", "S"),
    10: Claim(
        "Dropping neurons affects some classes more than others.",
        "Some classes lose more than others",
        "P",
    ),
}
"""The claims tested so far, by their number in the documentation."""

SOURCES = {
    "P": "said in the paper",
    "S": "said in a summary of the paper",
    "PS": "its first half said in the paper, its second in a summary of it",
    "C": "our question",
}
"""Where a claim comes from, in words."""

CONTROLS = ("font_style",)
"""Tasks that the networks of the miniature zoo were trained to ignore: nobody claims that a random
part of a layer serves them.
"""

KINDS = ("holds", "part", "not", "undecided")
"""What a verdict amounts to: it holds everywhere, on some cases, nowhere, or cannot be told."""

NOT_ASKED = "not asked"
"""The kind where there are no networks or tasks that the claim could be asked of: no verdict."""


@dataclass(frozen=True)
class Outcome:
    """What one case says: ``passed`` is None where its interval leaves it open, or where ``power``
    is missing: no result could have decided it. A control is told, but not ``counted``.
    """

    case: str
    passed: bool | None
    power: bool = True
    counted: bool = True


@dataclass(frozen=True)
class Verdict:
    """A verdict in a few words, the numbers it follows from (in Markdown: sentences, and a list of
    cases), its kind, of :data:`KINDS` or :data:`NOT_ASKED`, and the outcomes of its cases where it
    was judged by them, with what one of them is called, in the plural.
    """

    word: str
    because: str
    kind: str = "undecided"
    outcomes: tuple[Outcome, ...] = ()
    unit: str = ""

    @property
    def everywhere(self) -> bool:
        """Whether all cases that count say the same."""
        return len({one.passed for one in self.outcomes if one.counted}) <= 1

    @property
    def tally(self) -> str:
        """On how many cases it holds, where there are several, and what the controls say.

        >>> one, two = Outcome("digits", True), Outcome("letters", True)
        >>> judge([one, two, Outcome("style", False, counted=False)], "").tally
        '2 of 2 tasks; not on style'
        """
        counted = [one for one in self.outcomes if one.counted] or list(self.outcomes)
        beside = [
            place(one.case) for one in self.outcomes if one not in counted and one.passed is False
        ]
        held = sum(bool(one.passed) for one in counted)
        told = [f"{held} of {len(counted)} {self.unit}"] if len(counted) > 1 else []
        return "; ".join([*told, *([f"not on {listed(beside)}"] if beside else [])])


def judge(
    outcomes: Sequence[Outcome], because: str, unit: str = "tasks", rows: Sequence[str] = ()
) -> Verdict:
    """The one rule: a claim holds where every case says so, does not hold where every case says the
    contrary, and otherwise holds on so many cases of so many.

    Parameters
    ----------
    outcomes : sequence of Outcome
        One for each case.
    because : str
        What was measured and what counts, in sentences.
    unit : str
        What the cases are.
    rows : sequence of str
        The numbers, without full stops: a line a case.

    Examples
    --------
    >>> judge([Outcome("digits", True), Outcome("letters", None)], "").word
    'holds on 1 of 2 tasks'
    >>> judge([Outcome("digits", None, power=False)], "").word
    'no power'
    """
    cases = tuple(outcomes)
    beside = [one for one in outcomes if not one.counted]
    if beside and len(beside) < len(outcomes):
        words = {True: "yes", False: "no", None: "undecided"}
        told_beside = listed([f"{place(one.case)} ({words[one.passed]})" for one in beside])
        because += f" Not counted, as these networks were trained to ignore it: {told_beside}."
        outcomes = [one for one in outcomes if one.counted]
    told = [one.passed for one in outcomes]
    undecided = [place(one.case) for one in outcomes if one.passed is None]
    if undecided and len(undecided) < len(told):
        because += f" Undecided: {listed(undecided)}."
    if rows:
        because = "\n- ".join([f"{because}\n", *(f"{row}." for row in rows)])
    if not any(one is not None for one in told):
        powerless = bool(outcomes) and not any(one.power for one in outcomes)
        return Verdict("no power" if powerless else "undecided", because, outcomes=cases, unit=unit)
    if all(told):
        return Verdict("holds", because, "holds", cases, unit)
    if all(one is False for one in told):
        return Verdict("does not hold", because, "not", cases, unit)
    held, failed = told.count(True), told.count(False)
    if not held:
        return Verdict(
            f"does not hold on {failed} of {len(told)} {unit}", because, "not", cases, unit
        )
    word = f"holds on {held} of {len(told)} {unit}"
    if failed:
        word += f", does not on {failed}"
    return Verdict(word, because, "part", cases, unit)


def yes_or_no(outcomes: Sequence[Outcome], unit: str = "tasks") -> str:
    """For which cases the answer is yes, no, or open, without a full stop; by their number where
    they are more than four.

    >>> yes_or_no([Outcome("digits", True), Outcome("letters", None), Outcome("style", False)])
    'Yes for digits; no for style; open for letters'
    """
    words = {True: "yes", False: "no", None: "open"}
    answers = {one.passed for one in outcomes}
    if len(outcomes) > 1 and len(answers) == 1:
        whole = {True: "Yes, for all", False: "No, for none of", None: "Open, for all"}
        return f"{whole[answers.pop()]} {len(outcomes)} {unit}"
    parts = []
    for passed, word in words.items():
        cases = [
            spoken(one.case) + " (which these networks were trained to ignore)" * (not one.counted)
            for one in outcomes
            if one.passed is passed
        ]
        if cases and len(outcomes) > 4:
            parts.append(f"{word} for {len(cases)} of {len(outcomes)} {unit}")
        elif cases:
            parts.append(f"{word} for {listed(cases)}")
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]
