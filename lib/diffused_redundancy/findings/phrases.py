"""Lists and answers in words."""

from __future__ import annotations

from collections.abc import Sequence

from .claims import Outcome


def listed(parts: Sequence[str]) -> str:
    """Parts as a phrase: a; a and b; a, b and c."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def first_listed(parts: Sequence[str], most: int = 4) -> str:
    """As :func:`listed`; of more than ``most`` parts the first, and how many more there are."""
    if len(parts) <= most:
        return listed(parts)
    return ", ".join(parts[:most]) + f" and {len(parts) - most} more"


def lines(lead: str, parts: Sequence[str]) -> str:
    """A sentence, and the parts that it introduces as a list in Markdown; neither has its last full
    stop.

    >>> lines("Accuracy by task", ["digits: 99%", "letters: 95%"])
    'Accuracy by task:\\n\\n- digits: 99%.\\n- letters: 95%.'
    """
    return "\n".join([f"{lead}:\n", *(f"- {part}." for part in parts)])


def spoken(case: str) -> str:
    """A case, which figures name by task and network, as it stands in a sentence.

    >>> spoken("CIFAR10, resnet50")
    'resnet50 on CIFAR10'
    """
    task, _, network = case.rpartition(", ")
    return f"{network} on {task}" if task else network


def yes_or_no(outcomes: Sequence[Outcome], unit: str = "tasks", most: int = 4) -> str:
    """For which cases the answer is yes, no, or open, without a full stop; by their number where
    they are more than ``most``.

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
        if cases and len(outcomes) > most:
            parts.append(f"{word} for {len(cases)} of {len(outcomes)} {unit}")
        elif cases:
            parts.append(f"{word} for {listed(cases)}")
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]
