"""The architectures of the miniature zoo, made of timm's building blocks.

All take 32 x 32 images and have the interface of timm's models (``forward_features``,
``forward_head(pre_logits=True)``, ``get_classifier``, ``feature_info``), so what works on them
works on any timm network.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, unknown

IMAGE_SIZE = 32


def _small_stem(net: Any) -> None:
    """Replace the 7 x 7 stem and its max-pool by one 3 x 3 convolution of stride 2.

    Every stage then works at twice the resolution that timm noted for it.
    """
    net.conv1 = nn.Conv2d(3, net.conv1.out_channels, kernel_size=3, stride=2, padding=1, bias=False)
    nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    net.maxpool = nn.Identity()
    net.feature_info = [
        {**stage, "reduction": max(2, stage["reduction"] // 2)} for stage in net.feature_info
    ]


def miniature_resnet(num_classes: int, *, features: int = 512) -> nn.Module:
    """A bottleneck ResNet with two blocks a stage.

    Only the representation's width depends on ``features``: all networks of this family share the
    first three stages and the 96 inner channels of the last one, so that width is compared with
    nothing else changed. (timm's own ResNet widens every stage at once; at 2,048 features that is
    14 M parameters.)

    Parameters
    ----------
    num_classes : int
        Outputs of the head.
    features : int
        Width of the penultimate layer, 32 to 6,144. With 512 the network has 0.75 M parameters.
    """
    from timm.models.resnet import Bottleneck, ResNet, downsample_conv

    before, inner = 256, 96
    planes = features // Bottleneck.expansion
    if not 32 <= features <= 64 * inner or features % Bottleneck.expansion or (64 * inner) % planes:
        allowed = [4 * n for n in range(8, 64 * inner + 1) if 64 * inner % n == 0 and n <= 1536]
        nearest = min(allowed, key=lambda width: abs(width - features))
        raise InputError(
            f"miniature_resnet takes {', '.join(map(str, allowed))} features, not {features} "
            f"(nearest: {nearest})"
        )
    net = ResNet(Bottleneck, (2, 2, 2, 2), num_classes=num_classes, channels=(16, 32, 64, 128))  # type: ignore[arg-type]
    _small_stem(net)
    width = 64 * inner // planes  # timm's measure of the inner channels: planes * width / 64
    shortcut = downsample_conv(before, features, 1, stride=2)
    last = [
        Bottleneck(before, planes, 2, shortcut, base_width=width),
        Bottleneck(features, planes, base_width=width),
    ]
    net.layer4 = nn.Sequential(*last)
    for module in net.layer4.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    for block in last:
        block.zero_init_last()
    net.feature_info[-1]["num_chs"] = net.num_features = net.head_hidden_size = features
    net.fc = nn.Linear(features, num_classes)
    return net


def miniature_plain_resnet(num_classes: int, *, features: int = 256) -> nn.Module:
    """A ResNet of basic blocks (two 3 x 3 convolutions), one a stage: the family of ResNet18.

    ``features``, a multiple of 32, is the width of the last stage; each stage before has half the
    width.
    """
    from timm.models.resnet import BasicBlock, ResNet

    if features < 32 or features % 32:
        raise InputError(
            f"miniature_plain_resnet takes a multiple of 32 features, not {features} (nearest: "
            f"{max(32, round(features / 32) * 32)})"
        )
    widths = tuple(features // 2**i for i in (3, 2, 1, 0))
    net = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=num_classes, channels=widths)  # type: ignore[arg-type]
    _small_stem(net)
    return net


class MiniatureVGG(nn.Module):
    """Stages of 3 x 3 convolutions and max-pooling, then VGG's two-layer head as convolutions.

    There are no shortcuts, and as in VGG the penultimate layer is a rectified fully connected one.
    """

    def __init__(self, num_classes: int, widths: tuple[int, ...], features: int) -> None:
        super().__init__()
        from timm.layers import ClassifierHead, ConvNormAct
        from timm.models.vgg import ConvMlp

        stages: list[nn.Module] = []
        before = 3
        self.feature_info: list[dict[str, Any]] = []
        for i, width in enumerate(widths):
            count = 1 if i == 0 else 2  # the first stage works at full size and is kept cheap
            convolutions = [
                ConvNormAct(before if j == 0 else width, width, 3) for j in range(count)
            ]
            stages.append(nn.Sequential(*convolutions, nn.MaxPool2d(2)))
            self.feature_info.append(
                {"num_chs": width, "reduction": 2 ** (i + 1), "module": f"stages.{i}"}
            )
            before = width
        self.stages = nn.Sequential(*stages)
        self.pre_logits = ConvMlp(
            before, features, kernel_size=IMAGE_SIZE // 2 ** len(widths), drop_rate=0.0
        )
        self.head = ClassifierHead(features, num_classes)
        self.num_features = before
        self.head_hidden_size = features

    def forward_features(self, x: Tensor) -> Tensor:
        """The last map, (n, channels, 2, 2)."""
        maps: Tensor = self.stages(x)
        return maps

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Penultimate features (n, features) or logits (n, classes) of the last map."""
        seen: Tensor = self.head(self.pre_logits(x), pre_logits=pre_logits)
        return seen

    def get_classifier(self) -> nn.Module:
        """The linear head."""
        linear: nn.Module = self.head.fc
        return linear

    def forward(self, x: Tensor) -> Tensor:
        """Logits, (n, classes)."""
        return self.forward_head(self.forward_features(x))


def miniature_vgg(num_classes: int, *, features: int = 256) -> nn.Module:
    """A VGG-like network with batch norm: four stages of 32 to 192 channels, no shortcuts; see
    :class:`MiniatureVGG`.
    """
    if features < 1:
        raise InputError(f"miniature_vgg takes at least 1 feature, not {features} (nearest: 1)")
    return MiniatureVGG(num_classes, (32, 64, 128, 192), features)


def miniature_vit(num_classes: int, *, features: int = 128) -> nn.Module:
    """A vision transformer: patches of 4 x 4, 64 tokens and a class token, four blocks.

    Features are its class token. Patches are embedded by three convolutions instead of one (Xiao et
    al., "Early convolutions help transformers see better", NeurIPS 2021), whose receptive fields
    overlap. With the usual linear embedding the network was still at chance after six epochs. (Ink
    is as often darker as lighter than its background, so nothing linear in a patch tells letters
    apart.)

    ``features``, a multiple of 32, is the width of every token (heads of 32 dimensions).
    """
    from timm.models.vision_transformer import VisionTransformer
    from timm.models.vision_transformer_hybrid import ConvStem, HybridEmbed

    if features < 32 or features % 32:
        raise InputError(
            f"miniature_vit takes a multiple of 32 features, not {features} (nearest: "
            f"{max(32, round(features / 32) * 32)})"
        )
    stem = ConvStem(channels=(features // 4, features // 2, features), stride=(2, 2, 1))
    return VisionTransformer(
        img_size=IMAGE_SIZE,
        patch_size=1,  # of the stem's maps
        embed_layer=partial(HybridEmbed, backbone=stem, proj=False),
        num_classes=num_classes,
        embed_dim=features,
        depth=4,
        num_heads=features // 32,
        mlp_ratio=2.0,
    )


ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "miniature_resnet": miniature_resnet,
    "miniature_plain_resnet": miniature_plain_resnet,
    "miniature_vgg": miniature_vgg,
    "miniature_vit": miniature_vit,
}
"""Architectures by name; each takes ``num_classes`` and ``features``."""


def build(architecture: str, num_classes: int, features: int, *, seed: int) -> nn.Module:
    """A freshly initialised network, the same for the same seed.

    torch's global generator is left as it was.
    """
    if architecture not in ARCHITECTURES:
        raise unknown("architecture", architecture, ARCHITECTURES)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ARCHITECTURES[architecture](num_classes, features=features)
