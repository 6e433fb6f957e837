"""What networks differ in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..nets.networks import Net

TRAITS: dict[str, Callable[[Net], Any]] = {
    "loss": lambda net: net.origin.loss if net.origin.loss != "unknown" else net.name,
    "upstream": lambda net: net.origin.upstream,
    "width": lambda net: net.d,
    "family": lambda net: net.origin.family,
}
"""What networks are compared by."""


def alike(one: Net, other: Net, *, but: Sequence[str] = ()) -> bool:
    """Whether two networks share all traits, ``but`` for some that may differ."""
    return all(of(one) == of(other) for trait, of in TRAITS.items() if trait not in but)


def other_seed(one: Net, nets: Sequence[Net]) -> Net | None:
    """The first of some networks that differs from one in the seed of its pre-training only."""
    for net in nets:
        if alike(net, one) and net.origin.seed != one.origin.seed:
            return net
    return None
