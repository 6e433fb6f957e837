"""Networks by name: the miniature zoo, and any timm architecture with weights in a local file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    load : callable
        Builds the module, in evaluation mode.
    """

    name: str
    d: int
    preprocessing: Preprocessing
    fingerprint: str
    source: str
    license: str
    load: Callable[[], nn.Module] = field(repr=False)

    @cached_property
    def module(self) -> nn.Module:
        """The network itself, in evaluation mode, its weights fixed."""
        return self.load().eval().requires_grad_(False)


def _zoo(name: str) -> Net:
    from . import checkpoints

    about = checkpoints.manifest(name)
    plan = about["recipe"]
    path = checkpoints.folder() / about["file"]

    def load() -> nn.Module:
        from .architectures import build

        module = build(plan["architecture"], about["classes"], plan["features"], seed=plan["seed"])
        return checkpoints.load_into(module, checkpoints.load_weights(path, about["sha256"]), str(path))

    source = f"pre-trained here ({plan['loss']} loss, seed {plan['seed']}, upstream top-1 {about['top1']:.1%})"
    fingerprint = f"{plan['architecture']}:{plan['features']}:{about['sha256']}"
    return Net(name, plan["features"], Preprocessing(32, MEAN, STD), fingerprint, source, about["license"], load)


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
    return Net(f"{tag}@{path}", d, preprocessing, f"timm:{tag}:{sha256_of(path)}", str(path), "of its source", load)


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
