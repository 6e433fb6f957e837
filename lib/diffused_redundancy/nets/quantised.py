"""Product-quantised weights as a plain state dict.

A layer's weight is cut into blocks of a few numbers, and each block is a row of a small codebook.
Two published layouts are read. In both, entries that are not quantised are plain, and the
statistics of batch norm are folded into its weight and bias, so that files hold none.

- *Permute, quantize, and fine-tune* (Martinez and others, CVPR 2021): ``LAYER.codes_matrix``, one
  row for each output channel, and ``LAYER.codebook``.
- *And the bit goes down* (Stock and others, ICLR 2020): a dictionary for each layer, with
  ``assignments`` (all output channels of the first block, then of the second, ...), ``centroids``
  and ``n_blocks``; the bias of the classifier is that of a layer ``fc_bias``.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError

State = dict[str, Tensor]

CODEBOOKS = {"codes_matrix": "codebook", "assignments": "centroids"}
"""What the two layouts call the codes of a layer, and its codebook."""

BLOCKS = "n_blocks"
"""What the second layout calls the number of blocks of an output channel."""

PARTS = (*CODEBOOKS, *CODEBOOKS.values(), BLOCKS)
"""Entries of a quantised layer."""


def flattened(held: Any, source: str) -> Any:
    """A file of one dictionary for each layer as one state dict; anything else as it is.

    Raises
    ------
    InputError
        If a layer holds what it cannot, naming the layer.

    Examples
    --------
    >>> held = {"fc": {"assignments": torch.tensor([0]), "n_blocks": 1}, "bn1": {}}
    >>> flattened(held, "w.pth")
    {'fc.assignments': tensor([0]), 'fc.n_blocks': tensor(1)}
    """
    layers = held.values() if isinstance(held, Mapping) else ()
    if not any(isinstance(one, Mapping) and _is_second(one) for one in layers):
        return held
    state: State = {}
    for layer, entries in held.items():
        if not isinstance(entries, Mapping):
            raise _refused(source, layer, f"it is a {type(entries).__name__}, not a dictionary")
        for name, value in entries.items():
            if name == BLOCKS and isinstance(value, Integral):
                value = torch.tensor(int(value))
            if isinstance(value, Tensor):  # the kind and the size of a convolution are known
                key = f"{str(layer).removesuffix('_bias')}.{name}"
                if key in state:
                    raise _refused(source, layer, f"{key} is there twice")
                state[key] = value.detach()
    return state


def _is_second(entries: Mapping[Any, Any]) -> bool:
    return "assignments" in entries or "centroids" in entries


def decoded(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str) -> State:
    """A state dict whose quantised layers are plain weights, and whose batch norms are whole.

    Parameters
    ----------
    state : mapping
        Of either layout, :func:`flattened`, or a plain one, which is left as it is.
    wanted : mapping
        The architecture's own state dict: the shapes of weights.
    source : str
        What errors call the file.

    Raises
    ------
    InputError
        If codes or a codebook are missing, a code is out of range, or shapes do not fit: one line
        that names the layer.

    Examples
    --------
    >>> codes, book = torch.tensor([[1, 0]], dtype=torch.uint8), torch.tensor([[1.0, 2], [3, 4]])
    >>> quantised = {"fc.codes_matrix": codes, "fc.codebook": book}
    >>> decoded(quantised, {"fc.weight": torch.zeros(1, 4)}, "w.pth")
    {'fc.weight': tensor([[3., 4., 1., 2.]])}
    """
    plain: State = {}
    parts: dict[str, State] = {}
    for name, value in state.items():
        layer, _, part = name.rpartition(".")
        if part in PARTS and name not in wanted:
            parts.setdefault(layer, {})[part] = value
        else:
            plain[name] = value
    if not parts:
        return plain
    for layer, entries in parts.items():
        key = f"{layer}.weight"
        if key not in wanted:
            raise _refused(source, layer, "the architecture has no such layer")
        if key in plain:
            raise _refused(source, layer, "its weight is there twice, plain and quantised")
        try:
            plain[key] = _weight(entries, wanted[key].shape[1:])
        except InputError as error:
            raise _refused(source, layer, str(error)) from None
    if not any(".running_" in name for name in plain):
        plain |= _unit_statistics(wanted)
    return plain


def _refused(source: str, layer: Any, why: str) -> InputError:
    return InputError(f"{source} cannot be decoded: layer {layer}: {why}")


def _weight(entries: Mapping[str, Tensor], shape: torch.Size) -> Tensor:
    """The weight of a layer, (output channels, *shape), from its codes and its codebook."""
    kinds = [(codes, book) for codes, book in CODEBOOKS.items() if {codes, book} & set(entries)]
    if len(kinds) != 1:
        raise InputError(f"it holds {', '.join(entries)}: codes and a codebook of one layout")
    for name in kinds[0]:
        if name not in entries:
            raise InputError(f"it has no {name}")
    codes, book = _whole(entries[kinds[0][0]]), entries[kinds[0][1]]
    if book.ndim != 2 or not book.is_floating_point():
        kind = str(book.dtype).removeprefix("torch.")
        raise InputError(
            f"its codebook is {kind} of shape {tuple(book.shape)}, not rows of floating-point "
            "numbers"
        )
    blocks, codes = _arranged(codes, entries)
    rows, size = book.shape
    if blocks * size != shape.numel():
        raise InputError(
            f"{blocks} blocks of {size} numbers for each output channel do not make the "
            f"{shape.numel():,} that {tuple(shape)} needs"
        )
    if len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < rows:
        wrong = int(codes.min() if codes.min() < 0 else codes.max())
        raise InputError(f"code {wrong} is out of range: its codebook has {rows} rows")
    return book[codes].reshape(len(codes), *shape)


def _whole(codes: Tensor) -> Tensor:
    """Codes as 64-bit integers; those of 16 bits are stored with a sign, and wrap at 32,768."""
    if codes.is_floating_point() or codes.is_complex() or codes.dtype == torch.bool:
        raise InputError(f"its codes are {codes.dtype}, not whole numbers")
    whole = codes.long()
    return whole & 0xFFFF if codes.dtype == torch.int16 else whole


def _arranged(codes: Tensor, entries: Mapping[str, Tensor]) -> tuple[int, Tensor]:
    """Blocks of an output channel, and codes with one row for each output channel."""
    if "codes_matrix" in entries:
        if codes.ndim != 2:
            raise InputError(f"its codes have the shape {tuple(codes.shape)}, not a matrix's")
        return codes.shape[1], codes
    if BLOCKS not in entries:
        raise InputError(f"it has no {BLOCKS}")
    given = entries[BLOCKS]
    blocks = int(given) if given.numel() == 1 and not given.is_floating_point() else 0
    if codes.ndim != 1 or blocks < 1 or len(codes) % blocks:
        raise InputError(
            f"its codes have the shape {tuple(codes.shape)}, which {blocks} blocks cannot share"
        )
    return blocks, codes.reshape(blocks, -1).T


def _unit_statistics(wanted: Mapping[str, Tensor]) -> State:
    """Statistics of batch norm that change nothing: mean 0, variance 1."""
    values = {"running_mean": 0.0, "running_var": 1.0}
    return {
        name: torch.full(value.shape, values[kind])
        for name, value in wanted.items()
        if (kind := name.rpartition(".")[2]) in values
    }
