"""The architectures of the miniature zoo, put together from timm's building blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..errors import InputError, unknown


def miniature_resnet(num_classes: int, *, features: int = 512) -> nn.Module:
    """A bottleneck ResNet for 32 x 32 pictures, with two blocks a stage.

    A stem of one 3 x 3 convolution with stride 2 and no max-pool keeps a 16 x 16 map for the first stage.

    Parameters
    ----------
    num_classes : int
        Outputs of the head.
    features : int
        Width of the penultimate layer, a multiple of 32. With 512 the net has 0.9 M parameters.
    """
    from timm.models.resnet import Bottleneck, ResNet

    if features < 32 or features % 32:
        raise InputError(f"miniature_resnet takes a multiple of 32 features, not {features}")
    widths = tuple(features // Bottleneck.expansion // 2**i for i in (3, 2, 1, 0))
    net: Any = ResNet(Bottleneck, (2, 2, 2, 2), num_classes=num_classes, channels=widths)  # type: ignore[arg-type]
    net.conv1 = nn.Conv2d(3, net.conv1.out_channels, kernel_size=3, stride=2, padding=1, bias=False)
    nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    net.maxpool = nn.Identity()
    return net


ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {"miniature_resnet": miniature_resnet}
"""Architectures by name; each takes ``num_classes`` and ``features``."""


def build(architecture: str, num_classes: int, features: int, *, seed: int) -> nn.Module:
    """A freshly initialised net, the same for the same seed; torch's global generator is left as it was."""
    if architecture not in ARCHITECTURES:
        raise unknown("architecture", architecture, ARCHITECTURES)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ARCHITECTURES[architecture](num_classes, features=features)
