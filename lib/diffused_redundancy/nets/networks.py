"""Networks by name: the miniature zoo, and any timm architecture with weights in a local file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, unknown
from ..store import sha256_of
from .upstream import MEAN, STD
from .zoo import ZOO

if TYPE_CHECKING:
    from torch import nn

PENULTIMATE = "penultimate"
"""What the head sees."""

STAGES = "stages"
"""In place of a layer: the end of every stage of a net."""


@dataclass(frozen=True)
class Preprocessing:
    """How pictures become input: shorter side resized (bilinear), centre cropped, scaled to [0, 1], normalised.

    This is the paper's test-time recipe with the net's own size and its source data set's mean and deviation.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __str__(self) -> str:
        def numbers(values: Iterable[float]) -> str:
            return ", ".join(f"{value:g}" for value in values)

        return f"shorter side to {self.size} px (bilinear), centre crop, mean ({numbers(self.mean)}), std ({numbers(self.std)})"


@dataclass(frozen=True)
class Origin:
    """How a net was pre-trained, as far as is known; by this nets are compared.

    Attributes
    ----------
    family : str
        Of the architecture, whatever its width.
    loss, upstream : str
        Pre-training loss with its strength, and upstream set, in words; "unknown" for weights in a local file.
    seed : int or None
        Of the pre-training: nets that differ in it only show how much chance there is.
    strength : float or None
        Of a loss that comes in strengths (dropout rate, DeCov weight, adversarial radius).
    top1 : float or None
        Of the net's own head on held-out upstream pictures.
    robust_top1 : mapping
        The same under attack, by threat (such as ``l2_0.25``).
    top1_by_prefix : mapping
        Of heads on leading features, by their number, for losses that train such heads.
    images : int or None
        Upstream pictures it was trained on.
    speed : float or None
        Images a second, features extracted by the machine that trained the net.
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

    @cached_property
    def module(self) -> nn.Module:
        """The network itself, in evaluation mode, its weights fixed."""
        return self.load().eval().requires_grad_(False)

    def layers(self, wanted: str) -> list[str]:
        """The layers a name stands for: ``stages`` for the end of each stage, in order of depth; else itself.

        Raises
        ------
        InputError
            If the net has no such layer, with the nearest name.
        """
        if wanted == PENULTIMATE:
            return [wanted]
        if wanted != STAGES:
            known = [name for name, _ in self.module.named_modules() if name]
            if wanted not in known:
                raise unknown(f"layer of {self.name}", wanted, [PENULTIMATE, STAGES, *known])
            return [wanted]
        stages = [one["module"] for one in self.module.feature_info if not str(one["module"]).startswith("act")]  # type: ignore[union-attr]
        return [str(name) for name in stages]


def _zoo(name: str) -> Net:
    from . import checkpoints

    about = checkpoints.manifest(name)
    plan = about["recipe"]
    path = checkpoints.folder() / about["file"]

    def load() -> nn.Module:
        from .architectures import build

        module = build(plan["architecture"], about["classes"], plan["features"], seed=plan["seed"])
        return checkpoints.load_into(module, checkpoints.load_weights(path, about["sha256"]), str(path))

    known = ZOO[name]
    strengths = [value for value in known.loss_options.values() if isinstance(value, float)]
    origin = Origin(
        family=known.architecture,
        loss=known.loss_label,
        upstream=known.upstream_label,
        seed=known.seed,
        strength=strengths[0] if strengths else None,
        top1=about["top1"],
        robust_top1=about.get("robust_top1", {}),
        top1_by_prefix={int(k): value for k, value in about.get("top1_by_prefix", {}).items()},
        images=known.images,
        speed=about["features_per_second"],
    )
    source = f"pre-trained here ({known.loss_label} loss, seed {known.seed}, {known.upstream_label}, upstream top-1 {about['top1']:.1%})"
    fingerprint = f"{plan['architecture']}:{plan['features']}:{about['sha256']}"
    return Net(name, plan["features"], Preprocessing(32, MEAN, STD), fingerprint, source, about["license"], origin, load)


def _local(tag: str, path: Path) -> Net:
    """A timm architecture with the weights of a local file."""
    import timm
    import torch

    from . import checkpoints

    if not path.is_file():
        raise InputError(f"no weight file {path}")
    if not timm.is_model(tag.split(".")[0]):
        raise unknown("timm model", tag, timm.list_models(pretrained=True))

    config = timm.get_pretrained_cfg(tag, allow_unregistered=True)
    if config is None:
        raise InputError(f"timm knows no weights of {tag!r}: give the full tag, such as resnet18.tv_in1k")
    classifier = config.classifier or "fc"

    def load() -> nn.Module:
        state = checkpoints.load_weights(path)
        weight = state.get(f"{classifier}.weight")
        if weight is None:
            raise InputError(f"{path} has no {classifier}.weight: it is not a {tag} with its head")
        return checkpoints.load_into(timm.create_model(tag, pretrained=False, num_classes=len(weight)), state, str(path))

    with torch.device("meta"):
        d = int(timm.create_model(tag, pretrained=False, num_classes=0).head_hidden_size)  # type: ignore[arg-type]
    red, green, blue = (float(value) for value in config.mean)
    spread = tuple(float(value) for value in config.std)
    preprocessing = Preprocessing(config.input_size[-1], (red, green, blue), (spread[0], spread[1], spread[2]))
    return Net(f"{tag}@{path}", d, preprocessing, f"timm:{tag}:{sha256_of(path)}", str(path), "of its source", Origin(tag.split(".")[0]), load)


def net(name: str) -> Net:
    """The network of a name: a net of the miniature zoo, or ``TIMM_TAG@PATH`` for weights in a local file.

    Raises
    ------
    InputError
        If the name is unknown (with the nearest one), the file cannot be used, or its keys do not match.
    """
    tag, at, path = str(name).partition("@")
    if at:
        return _local(tag, Path(path).expanduser().resolve())
    if name not in ZOO:
        raise unknown("net", name, [*ZOO, "TIMM_TAG@PATH"])
    return _zoo(name)
