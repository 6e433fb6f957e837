"""A network: a module with its preprocessing, its weights' fingerprint, and its pre-training."""

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
"""The layer whose features the head sees."""

STAGES = "stages"
"""In place of a layer's name: the end of every stage of a network."""


@dataclass(frozen=True)
class Preprocessing:
    """How images become input: resized, centre cropped, scaled to [0, 1], normalised.

    With ``resize`` 0 this is the paper's test-time recipe: the shorter side becomes the network's
    own size, bilinear, and the normalisation is that of the network's source data set.

    Attributes
    ----------
    size : int
        Side of the square input, in pixels.
    mean, std : tuple of float
        By channel, for pixels in [0, 1].
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
        sides = "both sides" if self.squash else "shorter side"
        return (
            f"{sides} to {self.resize or self.size} px ({self.interpolation}), {crop}, "
            f"mean ({numbers(self.mean)}), std ({numbers(self.std)})"
        )


@dataclass(frozen=True)
class Origin:
    """How a network was pre-trained, as far as is known.

    Attributes
    ----------
    family : str
        Of the architecture, whatever its width.
    loss, upstream : str
        Pre-training loss with its strength, and upstream set, in words; "unknown" for weights in a
        local file.
    seed : int or None
        Of the pre-training.
    strength : float or None
        Dropout rate, DeCov weight or adversarial radius, for losses that have one.
    top1 : float or None
        Accuracy of the network's own head on held-out upstream images, in [0, 1].
    robust_top1 : mapping
        The same under attack, by threat (such as ``l2_0.25``).
    top1_by_prefix : mapping
        The same of heads on leading features, by their number, for losses that train such heads.
    images : int or None
        Upstream images it was trained on.
    speed : float or None
        Throughput of penultimate features in images/s on one core, as its manifest notes.
    copy_of : str
        The network whose weights were compressed, and restored here; empty for all others.
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
    copy_of: str = ""


@dataclass(frozen=True)
class Net:
    """A pre-trained network, its weights loaded when first used.

    Made by name with :func:`net`; make one directly to measure a module of your own, which needs
    the interface of timm's models (``forward_features``, ``forward_head``).

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
        Builds the module.

    Examples
    --------
    >>> import diffused_redundancy as dr
    >>> network = dr.net("miniature_resnet.standard_s1")
    >>> network.d, network.layers("stages")
    (512, ['layer1', 'layer2', 'layer3', 'layer4'])
    >>> print(network.preprocessing)
    shorter side to 32 px (bilinear), centre crop, mean (0.5, 0.5, 0.5), std (0.25, 0.25, 0.25)
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
        """Its name for display; see :func:`names.title`."""
        return title(self.name)

    @cached_property
    def module(self) -> nn.Module:
        """The network itself, in evaluation mode, its weights fixed."""
        return self.load().eval().requires_grad_(False)

    def layers(self, wanted: str) -> list[str]:
        """The layers a name stands for: itself, or for ``stages`` the end of each stage by depth.

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
        noted = getattr(self.module, "feature_info", None) or []
        stages = [str(stage.get("module", "")) for stage in noted]
        stages = [name for name in stages if not name.startswith("act")]
        if not stages or any(not name or name not in modules for name in stages):
            raise InputError(
                f"timm does not say where the stages of {self.name} end: name layers one by "
                f"one, such as {', '.join([*modules][1:4])}"
            )
        return stages
