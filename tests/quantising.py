"""Networks with product-quantised weights, written in the two published layouts, and decoded one
block at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

PQF, BITS = "permute, quantize, and fine-tune", "and the bit goes down"
"""The two layouts."""

ROWS = 40
"""Of a codebook."""


def quantised(
    net: nn.Module, layout: str, seed: int = 0, *, rows: int = ROWS
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A file's content of random codes and codebooks, and the plain state dict that it means.

    As the authors do, the first convolution is left as it is, batch norm has a weight and a bias
    only, codebooks are float16, and codes uint8 or, of many rows, int16.
    """
    rng = np.random.default_rng(seed)
    wanted = net.state_dict()
    norms = [name for name, one in net.named_modules() if isinstance(one, nn.BatchNorm2d)]
    layers = {
        name: one for name, one in net.named_modules() if isinstance(one, (nn.Conv2d, nn.Linear))
    }
    first = next(iter(layers))
    content: dict[str, Any] = {}
    plain: dict[str, Tensor] = {}

    def put(layer: str, entry: str, value: Tensor) -> None:
        """A plain entry."""
        plain[f"{layer}.{entry}"] = value
        if layout == PQF:
            content[f"{layer}.{entry}"] = value
        elif entry == "bias" and isinstance(layers.get(layer), nn.Linear):
            content[f"{layer}_bias"] = {"bias": nn.Parameter(value)}
        else:
            content.setdefault(layer, {})[entry] = value

    for name, layer in layers.items():
        if layer.bias is not None:
            put(name, "bias", _numbers(rng, layer.bias.shape, 0.1))
        if name == first:
            put(name, "weight", _numbers(rng, layer.weight.shape, 0.1))
            continue
        shape = tuple(layer.weight.shape)
        channels, inputs = shape[0], int(np.prod(shape[1:]))
        size = {9: 9, 1: 4}[int(np.prod(shape[2:]))]
        blocks = inputs // size
        book = _numbers(rng, (rows, size), (2 / inputs) ** 0.5).half()
        codes = rng.integers(0, rows, (channels, blocks))
        plain[f"{name}.weight"] = decoded_plainly(codes, book).reshape(shape)
        stored = torch.from_numpy(codes.astype(np.uint8 if rows <= 256 else np.int16))
        if layout == PQF:
            content |= {f"{name}.codes_matrix": stored, f"{name}.codebook": book}
        else:
            content[name] = {
                "centroids": book,
                "assignments": torch.cat([stored[:, block] for block in range(blocks)]),
                "n_blocks": blocks,
                "is_conv": len(shape) == 4,
                "k": shape[2] if len(shape) == 4 else 1,
            }
    for name in norms:
        put(name, "weight", _numbers(rng, wanted[f"{name}.weight"].shape, 0.1) + 0.8)
        put(name, "bias", _numbers(rng, wanted[f"{name}.bias"].shape, 0.1))
        plain[f"{name}.running_mean"] = torch.zeros_like(wanted[f"{name}.running_mean"])
        plain[f"{name}.running_var"] = torch.ones_like(wanted[f"{name}.running_var"])
    return content, plain


def _numbers(rng: np.random.Generator, shape: tuple[int, ...], spread: float) -> Tensor:
    return torch.from_numpy(rng.normal(0, spread, tuple(shape)).astype(np.float32))


def decoded_plainly(codes: np.ndarray, book: Tensor) -> Tensor:
    """The matrix of codes (output channels, blocks) and a codebook, one block at a time."""
    rows = book.float().numpy()
    return torch.from_numpy(np.concatenate([rows[column] for column in codes.T], axis=1))
