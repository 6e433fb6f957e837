"""Lists in words."""

from __future__ import annotations

from collections.abc import Sequence


def listed(parts: Sequence[str]) -> str:
    """Parts as a phrase: a; a and b; a, b and c."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def first_listed(parts: Sequence[str], most: int = 4) -> str:
    """As :func:`listed`; of more than ``most`` parts the first, and how many more there are."""
    if len(parts) <= most:
        return listed(parts)
    return ", ".join(parts[:most]) + f" and {len(parts) - most} more"
