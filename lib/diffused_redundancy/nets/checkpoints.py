"""Checkpoints of the zoo: float16 safetensors, each beside a manifest of how it was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from ..errors import InputError
from ..store import atomic_path, paths, sha256_of, write_json


def folder() -> Path:
    """Where the shipped checkpoints live."""
    return paths.data() / "checkpoints"


def half(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict with its floating-point tensors as float16, contiguous on the CPU."""
    return {
        name: (value.half() if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in state.items()
    }


def save(net: nn.Module, name: str, manifest: dict[str, Any], where: Path) -> Path:
    """Write ``name.safetensors``, then ``name.json`` with the file's sha256 and size added."""
    weights = Path(where) / f"{name}.safetensors"
    with atomic_path(weights) as temporary:
        save_file(half(net.state_dict()), temporary)
    about = {
        "name": name,
        "file": weights.name,
        "sha256": sha256_of(weights),
        "bytes": weights.stat().st_size,
    }
    write_json(weights.with_suffix(".json"), {**about, **manifest})
    return weights


def manifest(name: str) -> dict[str, Any]:
    """The manifest of a shipped checkpoint.

    Raises
    ------
    InputError
        If there is none, with the command that makes it.
    """
    path = folder() / f"{name}.json"
    if not path.is_file():
        raise InputError(
            f"no checkpoint {name!r} in {path.parent}: make it with 'python -m "
            f"diffused_redundancy pretrain {name}'"
        )
    about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return about
