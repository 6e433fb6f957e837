"""Checkpoints of the zoo: float16 safetensors beside a manifest that says what they are and how they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ..errors import InputError
from ..store import atomic_path, paths, sha256_of, write_json


def folder() -> Path:
    """Where the shipped checkpoints live."""
    return paths.data() / "checkpoints"


def half(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict with its floating-point tensors as float16, contiguous on the CPU."""
    return {name: (value.half() if value.is_floating_point() else value).detach().cpu().contiguous() for name, value in state.items()}


def save(net: nn.Module, name: str, manifest: dict[str, Any], where: Path) -> Path:
    """Write ``name.safetensors``, then ``name.json`` with the file's sha256 and size added."""
    weights = Path(where) / f"{name}.safetensors"
    with atomic_path(weights) as temporary:
        save_file(half(net.state_dict()), temporary)
    about = {"name": name, "file": weights.name, "sha256": sha256_of(weights), "bytes": weights.stat().st_size}
    write_json(weights.with_suffix(".json"), {**about, **manifest})
    return weights


def manifest(name: str, where: Path | None = None) -> dict[str, Any]:
    """The manifest of a shipped checkpoint.

    Raises
    ------
    InputError
        If there is none, with the command that makes it.
    """
    path = (where or folder()) / f"{name}.json"
    if not path.is_file():
        raise InputError(f"no checkpoint {name!r} in {path.parent}: make it with 'python -m diffused_redundancy pretrain {name}'")
    return json.loads(path.read_text(encoding="utf-8"))


def load_weights(path: Path, sha256: str | None = None) -> dict[str, torch.Tensor]:
    """The tensors of a weight file, as float32. Code is never unpickled.

    Parameters
    ----------
    path : path
        A ``.safetensors`` file, or a ``.pt`` or ``.pth`` file that holds nothing but tensors.
    sha256 : str, optional
        What the file's bytes must hash to.

    Raises
    ------
    InputError
        If the file is missing, unreadable, truncated, of another kind, or of another hash.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no weight file {path}")
    if sha256 is not None and (found := sha256_of(path)) != sha256:
        raise InputError(f"{path} is damaged: its sha256 is {found}, its manifest says {sha256}")
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        elif path.suffix in (".pt", ".pth"):
            state = torch.load(path, map_location="cpu", weights_only=True)
        else:
            raise InputError(f"{path}: weights are read from .safetensors, .pt or .pth files, not {path.suffix!r}")
    except (SafetensorError, RuntimeError, EOFError, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(f"{path} is not a state dict: it must map names to tensors and hold nothing else")
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def load_into(net: nn.Module, state: dict[str, torch.Tensor], source: str) -> nn.Module:
    """Load a state dict whose keys and shapes match exactly.

    Raises
    ------
    InputError
        Listing missing and unexpected keys, or tensors of another shape, instead of loading half a net.
    """
    wanted = net.state_dict()
    missing = [key for key in wanted if key not in state]
    unexpected = [key for key in state if key not in wanted]
    shapes = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    problems = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    told = [f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})" for what, keys in problems.items() if keys]
    if told:
        raise InputError(f"{source} does not fit {type(net).__name__}: keys {'; '.join(told)}")
    net.load_state_dict(state, strict=True)
    return net
