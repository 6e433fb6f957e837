"""Architectures of published networks that timm does not have, with timm's interface."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class BlurPoolConv2d(nn.Module):
    """A strided convolution after a blur with the 3 x 3 binomial filter (Zhang, ICML 2019).

    Parameters are named as in the FFCV training scripts, whose checkpoints MRL published.
    """

    blur_filter: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.conv = conv
        self.register_buffer(
            "blur_filter", torch.outer(taps, taps).expand(conv.in_channels, 1, 3, 3).clone()
        )

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of the blurred maps (n, channels, height, width)."""
        blurred = conv2d(x, self.blur_filter, padding=1, groups=self.conv.in_channels)
        maps: Tensor = self.conv(blurred)
        return maps


def with_blurpool(net: nn.Module) -> nn.Module:
    """A network with a blur before every strided convolution of at least 16 input channels.

    This is the rule of MRL's training script.
    """
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d) and max(child.stride) > 1 and child.in_channels >= 16:
                setattr(module, name, BlurPoolConv2d(child))
    return net


def resnet50_blurpool(num_classes: int = 1000) -> nn.Module:
    """ResNet50 as MRL trains it: torchvision's, with :class:`BlurPoolConv2d`."""
    import timm

    return with_blurpool(timm.create_model("resnet50", num_classes=num_classes))


def wide_resnet50_4(num_classes: int = 1000) -> nn.Module:
    """ResNet50 with four times as many inner channels in each bottleneck; it has 2,048 features."""
    from timm.models.resnet import Bottleneck, ResNet

    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes=num_classes, base_width=256)  # type: ignore[arg-type]


PUBLISHED: dict[str, Callable[..., nn.Module]] = {
    "resnet50_blurpool": resnet50_blurpool,
    "wide_resnet50_4": wide_resnet50_4,
}
"""By name; each takes ``num_classes``."""
