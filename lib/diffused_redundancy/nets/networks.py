"""What a network is here: a module with its preprocessing, its weights' fingerprint, and what is
known of its pre-training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import InputError, unknown
from .names import title

if TYPE_CHECKING:
    from torch import nn

PENULTIMATE = "penultimate"
"""What the head sees."""

STAGES = "stages"
"""In place of a layer: the end of every stage of a network."""


@dataclass(frozen=True)
class Preprocessing:
    """How images become input: resized, centre cropped, scaled to [0, 1], normalised.

    With ``resize`` 0 this is the paper's test-time recipe: the shorter side becomes the net's own
    size, bilinear, and the normalisation is that of the net's source data set.

    Attributes
    ----------
    size : int
        Of the square a network sees, in pixels.
    mean, std : tuple of float
    resize : int
        What the shorter side becomes before the crop; 0 for ``size``.
    interpolation : str
        ``bilinear`` or ``bicubic``, antialiased.
    squash : bool
        Whether both sides become ``resize``, whatever the image's proportions.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: int = 0
    interpolation: str = "bilinear"
    squash: bool = False

    def __str__(self) -> str:
        def numbers(values: Iterable[float]) -> str:
            return ", ".join(f"{value:g}" for value in values)

        crop = (
            f"centre crop of {self.size} px" if self.resize not in (0, self.size) else "centre crop"
        )
        what = "both sides" if self.squash else "shorter side"
        return (
            f"{what} to {self.resize or self.size} px ({self.interpolation}), {crop}, mean "
            f"({numbers(self.mean)}), std "
            f"({numbers(self.std)})"
        )


@dataclass(frozen=True)
class Origin:
    """How a network was pre-trained, as far as is known; by this networks are compared.

    Attributes
    ----------
    family : str
        Of the architecture, whatever its width.
    loss, upstream : str
        Pre-training loss with its strength, and upstream set, in words; "unknown" for weights in a
        local file.
    seed : int or None
        Of the pre-training: networks that differ in it only show how much chance there is.
    strength : float or None
        Of a loss that comes in strengths (dropout rate, DeCov weight, adversarial radius).
    top1 : float or None
        Share in [0, 1] that the net's own head gets right of held-out upstream images.
    robust_top1 : mapping
        The same under attack, by threat (such as ``l2_0.25``).
    top1_by_prefix : mapping
        Of heads on leading features, by their number, for losses that train such heads.
    images : int or None
        Upstream images it was trained on.
    speed : float or None
        Images a second of penultimate features on one core, as its manifest notes.
    """

    family: str
    loss: str = "unknown"
    upstream: str = "unknown"
    seed: int | None = None
    strength: float | None = None
    top1: float | None = None
    robust_top1: Mapping[str, float] = field(default_factory=dict)
    top1_by_prefix: Mapping[int, float] = field(default_factory=dict)
    images: int | None = None
    speed: float | None = None


@dataclass(frozen=True)
class Net:
    """A pre-trained network, its weights loaded when first used.

    Attributes
    ----------
    name : str
        How parameters name it.
    d : int
        Neurons of the penultimate layer.
    preprocessing : Preprocessing
    fingerprint : str
        The sha256 of its weights and its architecture; part of every cache key.
    source, license : str
        Where the weights come from, and on what terms.
    origin : Origin
        How it was pre-trained.
    load : callable
        Builds the module, in evaluation mode.
    """

    name: str
    d: int
    preprocessing: Preprocessing
    fingerprint: str
    source: str
    license: str
    origin: Origin
    load: Callable[[], nn.Module] = field(repr=False)

    @property
    def title(self) -> str:
        """Its name for reading; see :func:`names.title`."""
        return title(self.name)

    @cached_property
    def module(self) -> nn.Module:
        """The network itself, in evaluation mode, its weights fixed."""
        return self.load().eval().requires_grad_(False)

    def layers(self, wanted: str) -> list[str]:
        """The layers a name stands for: ``stages`` for the end of each stage, in order of depth;
        else itself.

        Raises
        ------
        InputError
            If the network has no such layer, with the nearest name.
        """
        if wanted == PENULTIMATE:
            return [wanted]
        if wanted != STAGES:
            known = sorted(
                (name for name, _ in self.module.named_modules() if name),
                key=lambda name: name.count("."),
            )
            if wanted not in known:
                raise unknown(f"layer of {self.name}", wanted, [PENULTIMATE, STAGES, *known])
            return [wanted]
        modules = dict(self.module.named_modules())
        stages = [
            str(one.get("module", "")) for one in getattr(self.module, "feature_info", None) or []
        ]
        stages = [name for name in stages if not name.startswith("act")]
        if not stages or any(not name or name not in modules for name in stages):
            raise InputError(
                f"timm does not say where the stages of {self.name} end: name layers one by "
                f"one, such as {', '.join([*modules][1:4])}"
            )
        return stages
