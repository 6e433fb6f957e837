"""What a network costs, found without its weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch

from . import extraction, registry
from .architectures import build
from .networks import PENULTIMATE, Net, Origin, Preprocessing
from .zoo import ZOO


@dataclass(frozen=True)
class Shape:
    """What a network costs.

    Attributes
    ----------
    flops : float
        Floating-point operations for one image.
    widths : dict
        Features of each layer, by its name.
    """

    flops: float
    widths: dict[str, int]


@cache
def shape_of(name: str, layer: str) -> Shape:
    """The cost of a network of a name, up to a layer as the parameters LAYER and LAYERS name it."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        if name in ZOO:
            module, size = build(ZOO[name].architecture, 10, ZOO[name].features, seed=0), 32
        else:
            tag = registry.architecture(name)
            module, size = registry.skeleton(tag), registry.preprocessing_of(tag, own=False).size
        module.eval()
        how = Preprocessing(size, (0, 0, 0), (1, 1, 1))
        layers = Net(name, 0, how, "", "", "", Origin(""), lambda: module).layers(layer)
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            features = extraction.forward(
                module, torch.zeros(1, 3, size, size), list(dict.fromkeys([PENULTIMATE, *layers]))
            )
    widths = {layer: features[layer].shape[1] for layer in layers}
    return Shape(float(counter.get_total_flops()), widths)
