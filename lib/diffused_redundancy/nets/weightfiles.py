"""Weight files as plain state dicts: safetensors, PyTorch, Lightning, JAX's .npz.

Code is never unpickled.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import MOST, InputError
from ..store import sha256_of
from .quantised import State, flattened

PICKLED = (".pt", ".pth", ".ckpt", ".bin", ".tar")
SUFFIXES = (".safetensors", *PICKLED, ".npz")
"""Of files that weights are read from."""

EMA = ("state_dict_ema", "model_ema")
"""Keys of weights averaged over training steps, which ``timm.models.load_checkpoint`` prefers."""

TIMMS = (*EMA, "state_dict", "model")
"""Keys under which timm looks for the state dict of a training checkpoint, in its order."""

INNER = (*TIMMS, "model_state_dict", "net", "weights")
"""Keys under which a training script may keep the state dict, beside optimizer and epoch."""

EXTRAS = re.compile(r"(^|\.)((attacker|normalizer|normalize)\.|n_averaged$)")
"""Entries that are not the network's: adversarial training's copy of it for the attacker, and
input statistics; the number of averaged models.
"""

NO_WEIGHTS = {
    b"version https://git-lfs": (
        "is a Git LFS pointer, not the weights: fetch them with 'git lfs pull' in its repository"
    ),
    b"<!doctype html": "is a web page, not the weights: download the file itself",
    b"<html": "is a web page, not the weights: download the file itself",
}
"""How files begin, in lower case, that stand where weights should be; and what to do."""


def read(path: Path, sha256: str | None = None) -> State:
    """The tensors of a weight file, floating-point ones as float32.

    A state dict inside a training checkpoint is found, averaged weights first, as timm does (see
    :func:`entry`); what else is there is not read. Quantised weights stay codes and codebooks,
    which take an architecture to decode (:func:`.quantised.decoded`).

    Parameters
    ----------
    path : path
        A file of one of :data:`SUFFIXES`.
    sha256 : str, optional
        What the file's bytes must hash to.

    Raises
    ------
    InputError
        If the file is missing, empty, unreadable, truncated, of another kind or of another hash,
        holds several networks, or would run code.
    """
    state, _ = _opened(Path(path), sha256)
    return {
        name: value.float() if value.is_floating_point() else value for name, value in state.items()
    }


def entry(path: Path) -> str:
    """Which of a training checkpoint's networks :func:`read` takes, in words for reports.

    Empty where the file holds one network only, under a usual key or none.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "w.pth"
    ...     state = {"fc.weight": torch.ones(1)}
    ...     torch.save({"state_dict": state, "state_dict_ema": state, "epoch": 3}, path)
    ...     entry(path)
    "its entry 'state_dict_ema', the first that timm takes; not taken: 'state_dict'"
    """
    if Path(path).suffix.lower() not in PICKLED:
        _check_file(Path(path), None)
        return ""
    return _opened(Path(path))[1]


def _check_file(path: Path, sha256: str | None) -> None:
    if not path.is_file():
        raise InputError(f"no weight file {path}")
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"{path}: weights are read from {', '.join(SUFFIXES)} files, not {path.suffix!r}"
        )
    if sha256 is not None and (actual := sha256_of(path)) != sha256:
        raise InputError(f"{path} is damaged: its sha256 is {actual}, its manifest says {sha256}")
    with path.open("rb") as file:
        head = file.read(64).lower()
    if not head:
        raise InputError(f"{path} is empty: copy or download it again")
    for beginning, words in NO_WEIGHTS.items():
        if head.startswith(beginning):
            raise InputError(f"{path} {words}")


def _opened(path: Path, sha256: str | None = None) -> tuple[State, str]:
    """The state dict of a weight file as it is stored, and the words of :func:`entry`."""
    _check_file(path, sha256)
    suffix, words = path.suffix.lower(), ""
    held: Any = None
    try:
        if suffix == ".safetensors":
            state: Any = load_file(path)
        elif suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                state = augreg({name: stored[name] for name in stored.files})
        else:
            held = flattened(_unpickled(path), str(path))
            state, words = _inner(held, path)
    except InputError:
        raise
    except Exception as error:  # readers of damaged files raise all sorts of errors
        why = str(error) or type(error).__name__
        raise InputError(f"{path} cannot be read: {why}") from error
    if not _is_state(state):
        there = f"; it holds {_listed(held)}" if isinstance(held, Mapping) and held else ""
        raise InputError(
            f"{path} is not a state dict: it must map names to tensors and hold nothing else, "
            f"or hold one under {', '.join(INNER)}{there}"
        )
    return state, words


def _is_state(held: Any) -> bool:
    return (
        isinstance(held, Mapping)
        and len(held) > 0
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in held.items())
    )


def _listed(names: Iterable[Any]) -> str:
    listed = [repr(name) for name in names]
    return ", ".join(listed[:MOST]) + (", ..." if len(listed) > MOST else "")


def _unpickled(path: Path) -> Any:
    """What a PyTorch file holds, if it is tensors, numbers and text only."""
    scalar: Any = np._core.multiarray.scalar  # type: ignore[attr-defined]
    numbers = [
        scalar,
        np.dtype,
        type(np.dtype(np.float64)),
        type(np.dtype(np.float32)),
        type(np.dtype(np.int64)),
    ]
    try:
        # an accuracy or a learning rate may be noted as a NumPy number
        with torch.serialization.safe_globals(numbers):
            # optimizers and networks that are not taken stay on disk
            mapped = zipfile.is_zipfile(path)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named is None:
            raise InputError(
                f"{path} cannot be read: it is not a PyTorch file, or is damaged"
            ) from error
        raise InputError(
            f"{path} holds an object of {named[1]}, which would have to run code to be read: "
            "refused. Where you trust the file, save its state dict with "
            "safetensors.torch.save_file"
        ) from error


def _inner(held: Any, path: Path) -> tuple[Any, str]:
    """The state dict in what a training script saved, and the words of :func:`entry`.

    The first of timm's keys is taken; without one, the only network, or that under a usual key
    unless another entry is a copy of it.
    """
    entries = held if isinstance(held, Mapping) else {}
    networks = {name: inner for name, inner in entries.items() if _is_state(inner)}
    if not networks:
        return held, ""
    most = max(map(len, networks.values()))
    whole = [name for name, inner in networks.items() if 2 * len(inner) >= most]  # no loss's
    name = next((key for key in INNER if key in networks), whole[0])
    rivals = [] if name in TIMMS else [other for other in whole if other != name]
    if name in INNER:
        rivals = [other for other in rivals if _alike(networks[other], networks[name])]
    if rivals:
        raise InputError(
            f"{path} holds several networks, under {_listed([name, *rivals])} (its entries: "
            f"{_listed(entries)}): save the one you mean by itself, such as torch.save(torch.load("
            f"{str(path)!r}, 'cpu')[{name!r}], {f'{path.stem}_{name}.pth'!r})"
        )
    left = [
        other
        for other, inner in entries.items()
        if other != name
        and (other in networks or (inner and re.search(r"(^|_)ema(_model)?$", str(other))))
    ]
    if name in INNER and name not in EMA and not left:
        return networks[name], ""
    first = ", the first that timm takes" if name in TIMMS else ""
    rest = f"; not taken: {_listed(left)}" if left else ""
    return networks[name], f"its entry {name!r}{first}{rest}"


def _alike(one: State, other: State) -> bool:
    """Whether most tensors of a state dict have the shapes of another's."""
    shapes, known = (Counter(value.shape for value in state.values()) for state in (one, other))
    return 2 * (shapes & known).total() >= len(other)


def augreg(arrays: Mapping[str, np.ndarray]) -> State:
    """A vision transformer of the AugReg release (JAX) in timm's names and layout.

    Steiner et al., "How to train your ViT?" (TMLR 2022); its names are such as
    ``Transformer/encoderblock_0``. Other arrays become tensors under their own names.
    """
    if "embedding/kernel" not in arrays:
        return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
    state: dict[str, np.ndarray] = {}
    width = arrays["embedding/kernel"].shape[-1]
    plain = {
        "cls": "cls_token",
        "Transformer/posembed_input/pos_embedding": "pos_embed",
        "Transformer/encoder_norm/scale": "norm.weight",
        "Transformer/encoder_norm/bias": "norm.bias",
        "embedding/bias": "patch_embed.proj.bias",
        "head/bias": "head.bias",
    }
    norms = {"LayerNorm_0": "norm1", "LayerNorm_2": "norm2"}
    dense = {"MlpBlock_3/Dense_0": "mlp.fc1", "MlpBlock_3/Dense_1": "mlp.fc2"}
    parts: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        block = re.fullmatch(r"Transformer/encoderblock_(\d+)/(.+)/(kernel|bias|scale)", name)
        if name in plain:
            state[plain[name]] = array
        elif name == "embedding/kernel":
            state["patch_embed.proj.weight"] = array.transpose(3, 2, 0, 1)  # height, width, in, out
        elif name == "head/kernel":
            state["head.weight"] = array.T
        elif block is None:
            state[name] = array  # keys that do not fit are found when they are loaded
        else:
            home, part, kind = f"blocks.{block[1]}", block[2], block[3]
            attention = re.fullmatch(r"MultiHeadDotProductAttention_1/(query|key|value|out)", part)
            if part in norms:
                state[f"{home}.{norms[part]}.{'weight' if kind == 'scale' else 'bias'}"] = array
            elif part in dense:
                state[f"{home}.{dense[part]}.{'weight' if kind == 'kernel' else 'bias'}"] = array.T
            elif attention is None:
                state[name] = array
            elif attention[1] == "out":
                state[f"{home}.attn.proj.{'weight' if kind == 'kernel' else 'bias'}"] = (
                    array.reshape(-1, width).T if kind == "kernel" else array
                )
            else:
                parts.setdefault(f"{home}.attn.qkv.{'weight' if kind == 'kernel' else 'bias'}", {})[
                    attention[1]
                ] = array.reshape(width, -1).T if kind == "kernel" else array.reshape(-1)
    for name, three in parts.items():
        if set(three) == {"query", "key", "value"}:
            state[name] = np.concatenate([three[which] for which in ("query", "key", "value")])
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in state.items()}


def unwrapped(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> State:
    """A state dict without the prefix that wrappers (data parallel, attackers, Lightning) add.

    The prefix is the one under which most of the wanted names are found. What adversarial training
    adds besides (:data:`EXTRAS`) is left out.
    """
    state = {name: value for name, value in state.items() if not EXTRAS.search(name)}
    counts: dict[str, int] = {"": 0}
    for name in state:
        pieces = name.split(".")
        for i in range(len(pieces)):
            if ".".join(pieces[i:]) in wanted:
                prefix = "".join(f"{piece}." for piece in pieces[:i])
                counts[prefix] = counts.get(prefix, 0) + 1
                break
    prefix = max(counts, key=lambda candidate: (counts[candidate], -len(candidate)))
    several = [other for other in counts if 2 * counts[other] > counts[prefix] > 0]
    if len(several) > 1:
        raise InputError(
            f"the weights hold several networks, with the prefixes {_listed(several)}: save the "
            "entries of the one you mean by themselves"
        )
    plain: State = {}
    for name, value in state.items():
        short = name.removeprefix(prefix)
        if short in plain:
            raise InputError(
                f"the weights hold {short!r} twice, with the prefix {prefix!r} and without: "
                "it is not clear which of them is meant"
            )
        plain[short] = value
    return plain


def vgg_layout(state: Mapping[str, Tensor]) -> State:
    """torchvision's VGG in timm's names, its fully connected layers as convolutions."""
    renamed: State = {}
    for name, value in state.items():
        for theirs, ours, side in (
            ("classifier.0", "pre_logits.fc1", 7),
            ("classifier.3", "pre_logits.fc2", 1),
            ("classifier.6", "head.fc", 0),
        ):
            if (at := name.rfind(theirs + ".")) >= 0:
                name = name[:at] + ours + name[at + len(theirs) :]
                if name.endswith("weight") and side:
                    value = value.reshape(value.shape[0], -1, side, side)
        renamed[name] = value
    return renamed


def nested_head(state: Mapping[str, Tensor]) -> State:
    """An MRL network (``fc.nesting_classifier_6.weight``) with the head of its whole layer alone.

    The smaller heads are left out: what is measured are the features.
    """
    pattern = re.compile(r"fc\.nesting_classifier_(\d+)\.(weight|bias)$")
    matches = {name: pattern.search(name) for name in state}
    largest = max((int(match[1]) for match in matches.values() if match), default=None)
    renamed: State = {}
    for name, match in matches.items():
        if match is None:
            renamed[name] = state[name]
        elif int(match[1]) == largest:
            renamed[f"{name[: match.start()]}fc.{match[2]}"] = state[name]
    return renamed


def load_into(net: nn.Module, state: Mapping[str, Tensor], source: str) -> nn.Module:
    """Load a state dict whose keys and shapes match exactly.

    Only batch norm's counters of batches, which files from before 2018 lack, may be missing: they
    are not weights, and nothing reads them.

    Raises
    ------
    InputError
        Listing missing and unexpected keys, and tensors of another shape.
    """
    wanted = net.state_dict()
    shapes = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    missing = [key for key in wanted if key not in state]
    unexpected = [key for key in state if key not in wanted]
    _check_keys(source, net, missing, unexpected, shapes)
    net.load_state_dict({key: state.get(key, value) for key, value in wanted.items()}, strict=True)
    return net


def _check_keys(
    source: str, net: nn.Module, missing: list[str], unexpected: list[str], shapes: list[str]
) -> None:
    missing = [key for key in missing if not key.endswith("num_batches_tracked")]
    by_kind = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    problems = [
        f"{len(keys)} {kind} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for kind, keys in by_kind.items()
        if keys
    ]
    if problems:
        raise InputError(f"{source} does not fit {type(net).__name__}: keys {'; '.join(problems)}")


@contextmanager
def exactly(source: str) -> Iterator[None]:
    """While timm loads weights itself, require that every key fits.

    timm loads some families with ``strict=False``; what does not fit is then only noted in its log.
    """
    plain = nn.Module.load_state_dict

    def strict(net: nn.Module, state: Mapping[str, Any], *_: Any, **__: Any) -> Any:
        try:
            keys = plain(net, state, strict=False)
        except RuntimeError as error:
            raise InputError(f"{source} does not fit {type(net).__name__}: {error}") from error
        _check_keys(source, net, list(keys.missing_keys), list(keys.unexpected_keys), [])
        return keys

    with mock.patch.object(nn.Module, "load_state_dict", strict):
        yield
