"""How features are extracted: which views of an image, in what precision. torch is not imported."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import InputError

COMPUTE = ("float32", "bf16", "float32+compile", "bf16+compile")
"""How a network is run: in float32 (TF32 off), or in mixed precision with bfloat16; ``+compile`` by
torch.compile, for long GPU runs at the penultimate layer (inner layers are caught by hooks, which
break a compiled graph).
"""

VIEWS = 4
"""Views of each train image, where the augmented protocol is named without a number."""


@dataclass(frozen=True)
class Protocol:
    """How many views of an image a probe is trained on.

    ``clean``: one, as at test time. ``augmented:N``: N random ones by the paper's recipe
    (``RandomResizedCrop``, flip, ``ColorJitter(.25, .25, .25)``, ``RandomRotation(2)``); the paper
    draws new ones in each epoch. Test images are always clean.
    """

    name: str
    views: int

    def __str__(self) -> str:
        if self.name == "clean":
            return "`clean`: one view of each image, features cached"
        return (
            f"`{self.name}`: {self.views} random views of each train image "
            "(crop, flip, colour, rotation), one clean view of each test image"
        )


def protocol(name: str) -> Protocol:
    """The protocol of a name: ``clean``, ``augmented`` or ``augmented:N``; else InputError."""
    match = re.fullmatch(r"clean|augmented(?::([1-9]\d{0,2}))?", name)
    if not match:
        raise InputError(
            f"unknown protocol {name!r}: allowed are clean, augmented (that is "
            f"augmented:{VIEWS}) and augmented:N with N from 1 to 999"
        )
    if name == "clean":
        return Protocol("clean", 1)
    views = int(match[1] or VIEWS)
    return Protocol(f"augmented:{views}", views)
