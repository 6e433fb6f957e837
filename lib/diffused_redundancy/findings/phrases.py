"""Lists, cases and ranges in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


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


def place(case: str) -> str:
    """A case after *on*, or in a list, where the comma of its name would part it in two.

    >>> place("CIFAR10, resnet50")
    'CIFAR10 with resnet50'
    """
    task, _, network = case.rpartition(", ")
    return f"{task} with {network}" if task else network


def with_interval(value: float, low: float, high: float, spec: str) -> str:
    """A value, with the ends of its interval in brackets if it has any; a dash where it is NaN.

    >>> nan = float("nan")
    >>> with_interval(0.5, 0.4, 0.6, ".1f"), with_interval(0.5, nan, nan, ".0%")
    ('0.5 (0.4 to 0.6)', '50%')
    """
    if value != value:
        return "–"
    return f"{value:{spec}}" + ("" if low != low else f" ({low:{spec}} to {high:{spec}})")


def span(values: Iterable[float], spec: str) -> str:
    """From the least to the largest of some numbers; one number where both are written alike.

    >>> span([0.98, 0.95], ".0%"), span([0.957, 0.962], ".0%")
    ('95% to 98%', '96%')
    """
    least, most = (format(end(values), spec) for end in (min, max))
    return least if least == most else f"{least} to {most}"
