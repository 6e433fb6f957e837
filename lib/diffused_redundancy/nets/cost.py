"""What a network costs: operations for one image, and the widths of its layers, found without its
weights.
"""

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
    """What a network costs: operations for one image, and the widths of its layers."""

    flops: float
    widths: dict[str, int]


@cache
def shape_of(name: str, layer: str) -> Shape:
    """The cost of a network, found without its weights.

    Parameters
    ----------
    name : str
    layer : str
        As the parameters LAYER and LAYERS name it.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        if name in ZOO:
            module, size = build(ZOO[name].architecture, 10, ZOO[name].features, seed=0), 32
        else:
            tag = registry.architecture(name)
            module, size = registry.skeleton(tag), registry.preprocessing_of(tag, own=False).size
        module.eval()
        plain = Net(
            name,
            0,
            Preprocessing(size, (0, 0, 0), (1, 1, 1)),
            "",
            "",
            "",
            Origin(""),
            lambda: module,
        )
        layers = plain.layers(layer)
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            found = extraction.forward(
                module, torch.zeros(1, 3, size, size), list(dict.fromkeys([PENULTIMATE, *layers]))
            )
    return Shape(float(counter.get_total_flops()), {one: found[one].shape[1] for one in layers})
