"""Sums of a symmetric matrix over the first k of an order, for every k: what makes all sizes of a
measure cost about as much as one.
"""

from __future__ import annotations

import torch
from torch import Tensor

_AT_ONCE = 1 << 27
"""Bytes of intermediate sums of one batch of orders."""

_IN_CACHE = 1 << 21
"""Bytes of squares gathered at a time on a CPU."""


def _block(d: int) -> int:
    """Places that are summed together: the fastest of the powers of 2, measured."""
    return 128 if d < 4096 else 256


def prefix_blocks(matrix: Tensor, orders: Tensor) -> Tensor:
    """Sums of ``matrix[S, S]`` over the first k of each order (s, r), for every k, for a symmetric
    matrix (d, d): (s, r).
    """
    # Size k adds to size k - 1 a diagonal entry and twice the entries of the new row before it.
    # Places are cut into blocks: one product of the matrix with indicators of "before this block"
    # gives what every neuron adds with all earlier blocks, for all orders at once; what is left are
    # small squares within the blocks.
    d = matrix.shape[0]
    block = _block(d)
    batch = max(1, _AT_ONCE // (8 * d * (-(-d // block) + block)))
    return torch.cat([_prefix_batch(matrix, part, block) for part in orders.split(batch)])


def _prefix_batch(matrix: Tensor, orders: Tensor, block: int) -> Tensor:
    d, (s, size) = len(matrix), orders.shape
    count = -(-size // block)
    place = torch.arange(size, device=orders.device)
    rank = orders.new_full((s, d), d).scatter_(1, orders, place.expand(s, size))
    starts = torch.arange(0, size, block, device=orders.device)
    before = (rank.T[:, :, None] < starts).to(matrix.dtype).reshape(d, s * count)
    sums = (matrix @ before).view(d, s, count)
    added = 2 * sums[orders, torch.arange(s, device=orders.device)[:, None], place // block]
    flat = matrix.reshape(-1)
    few = max(1, _IN_CACHE // (8 * block**2)) if matrix.device.type == "cpu" else s
    for start in range(0, size, block):
        for first in range(0, s, few):
            chosen = orders[first : first + few, start : start + block]
            place_in_flat = chosen[:, :, None] * d + chosen[:, None, :]
            corner = flat.index_select(0, place_in_flat.view(-1)).view(place_in_flat.shape)
            added[first : first + few, start : start + block] += 2 * corner.tril(-1).sum(
                2
            ) + corner.diagonal(dim1=1, dim2=2)
    return added.cumsum(1)


def leading_blocks(matrix: Tensor) -> Tensor:
    """Sums of ``matrix[:k, :k]`` for every k, for a symmetric matrix (r, r): (r,)."""
    return (2 * matrix.tril(-1).sum(1) + matrix.diagonal()).cumsum(0)
