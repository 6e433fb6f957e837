"""Features of a task's pictures at a layer of a net: one pass, kept in the cache."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..devices import resolve_device
from ..errors import InputError, unknown
from ..progress import progress
from ..store import Cache, code_digest, paths, versions
from ..tasks import Split, Task
from .networks import PENULTIMATE, Net, Preprocessing

CODE = (
    *(f"nets.{name}" for name in ("extraction", "networks", "registry", "weightfiles", "published", "architectures", "upstream")),
    "tasks",
)
"""The code that features depend on."""

PACKAGES = ("torch", "timm", "numpy", "pillow", "matplotlib", "scikit-learn")
"""The packages they depend on: fonts and digits come with the last two."""


@dataclass(frozen=True)
class Features:
    """The features of a task's two splits.

    Attributes
    ----------
    X_train, X_test : ndarray (n, d) and (m, d), float32
    y_train, y_test : ndarray (n,) and (m,), int64
    classes : tuple of str
    """

    X_train: np.ndarray = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    X_test: np.ndarray = field(repr=False)
    y_test: np.ndarray = field(repr=False)
    classes: tuple[str, ...]


def prepare(pictures: list[np.ndarray], how: Preprocessing, device: torch.device) -> Tensor:
    """Pictures, each uint8 (height, width, 3), as one float32 batch (n, 3, size, size) on a device."""
    if len({picture.shape for picture in pictures}) == 1:
        groups = [torch.from_numpy(np.stack(pictures))]
    else:
        groups = [torch.from_numpy(np.ascontiguousarray(picture))[None] for picture in pictures]
    batch = torch.cat([_resized(group.to(device), how) for group in groups])
    mean = torch.tensor(how.mean, device=device).view(1, 3, 1, 1)
    std = torch.tensor(how.std, device=device).view(1, 3, 1, 1)
    return batch.div_(255).sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)


def _resized(pictures: Tensor, how: Preprocessing) -> Tensor:
    """uint8 (n, height, width, 3) to float32 (n, 3, size, size): shorter side resized, centre crop."""
    batch = pictures.permute(0, 3, 1, 2).float()
    height, width = batch.shape[-2:]
    size, side = how.size, how.resize or how.size
    if min(height, width) != side:
        scale = side / min(height, width)
        shape = (side, max(side, round(width * scale))) if height <= width else (max(side, round(height * scale)), side)
        # Rounded after each direction, as image libraries do: the authors resized 8-bit images, and exact ones
        # give other figures (up to a point of accuracy).
        for target in ((height, shape[1]), shape):
            batch = interpolate(batch, target, mode=how.interpolation, antialias=True, align_corners=False).round_().clamp_(0, 255)
        height, width = shape
    top, left = (height - size) // 2, (width - size) // 2
    return batch[..., top : top + size, left : left + size].clone()


def forward(module: nn.Module, batch: Tensor, layers: Sequence[str] = (PENULTIMATE,)) -> dict[str, Tensor]:
    """The features of one batch at some layers, each (n, d), from one forward pass.

    Parameters
    ----------
    module : nn.Module
        A timm model.
    batch : Tensor (n, 3, height, width)
    layers : sequence of str
        ``penultimate`` (what the head sees: pooled, or a ViT's normalised class token), or names of
        submodules, whose maps are averaged over positions.
    """
    modules = dict(module.named_modules())
    caught: dict[str, Tensor] = {}

    def catch(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: caught.__setitem__(name, output)

    for layer in layers:
        if layer != PENULTIMATE and layer not in modules:
            raise unknown("layer", layer, [PENULTIMATE, *(name for name in modules if name)])
    hooks = [modules[layer].register_forward_hook(catch(layer)) for layer in layers if layer != PENULTIMATE]
    timm: Any = module
    try:
        penultimate = timm.forward_head(timm.forward_features(batch), pre_logits=True)
        if len(caught) < len(hooks):  # a layer of the head
            module(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {layer: penultimate.flatten(1) if layer == PENULTIMATE else _pooled(caught[layer]) for layer in layers}


def _pooled(output: Tensor) -> Tensor:
    """Maps (n, d, height, width) or tokens (n, tokens, d) averaged over positions."""
    if output.ndim == 4:
        return output.mean((2, 3))
    return output.mean(1) if output.ndim == 3 else output.flatten(1)


@torch.inference_mode()
def extract(
    network: Net, split: Split, *, layers: Sequence[str] = (PENULTIMATE,), device: str = "auto", batch: int = 128, title: str = ""
) -> dict[str, np.ndarray]:
    """Features of every picture of a split, float32 (n, d), by layer."""
    chip = resolve_device(device)
    module = network.module.to(chip).to(memory_format=torch.channels_last)
    parts: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    for start in progress(range(0, len(split), batch), title=title or f"features of {network.name}"):
        pictures = prepare(split.images.batch(start, min(start + batch, len(split))), network.preprocessing, chip)
        for layer, found in forward(module, pictures, layers).items():
            parts[layer].append(found.float().cpu())
    features = {layer: torch.cat(found).numpy() for layer, found in parts.items()}
    for layer, values in features.items():
        if not np.isfinite(values).all():
            raise InputError(f"{network.name} gives features that are not finite at layer {layer!r}: its weights are damaged")
    return features


def wanted_layers(network: Net, layer: str) -> list[str]:
    """The layers to take from one pass: the one asked for, and those the rest of the run will ask for."""
    others = json.loads(os.environ.get(paths.LAYERS_VARIABLE, "{}")).get(network.name, [])
    return list(dict.fromkeys([layer, *(name for other in others for name in network.layers(other))]))


def features(network: Net, task: Task, *, layer: str = PENULTIMATE, device: str = "auto", cache: Cache | None = None) -> Features:
    """Features of a task at a layer of a net, from the cache or by one pass over its pictures (protocol ``clean``).

    A pass also fills the cache with the other layers that the notebooks of one run want, so no run passes the same
    pictures through the same net twice.

    Parameters
    ----------
    network : Net
    task : Task
    layer : str
        See :func:`forward`.
    device : str
    cache : Cache, optional
        By default the user's.
    """
    cache = cache or Cache()
    chip = resolve_device(device).type
    common = {
        "kind": "features",
        "code": code_digest(*CODE),
        "versions": versions(*PACKAGES),
        "net": network.fingerprint,
        "task": task.fingerprint,
        "protocol": "clean",
        "preprocessing": asdict(network.preprocessing) | {"mean": list(network.preprocessing.mean), "std": list(network.preprocessing.std)},
        "device": chip,
    }

    def compute(missing: list[str]) -> dict[str, dict[str, np.ndarray]]:
        arrays: dict[str, dict[str, np.ndarray]] = {name: {} for name in missing}
        for part, split in task.splits.items():
            found = extract(network, split, layers=missing, device=chip, title=f"{network.name} on {task.title}, {part}")
            for name, values in found.items():
                arrays[name] |= {f"X_{part}": values, f"y_{part}": split.labels}
        return arrays

    key = {**common, "layer": layer}
    found = cache.peek(key)
    if found is None:
        keys = {name: {**common, "layer": name} for name in wanted_layers(network, layer)}
        found = cache.get_or_compute_all(keys, compute, lock=common)[layer]
    return Features(**found, classes=task.classes)
