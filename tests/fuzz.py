"""Hostile and random input to every parser and every public measure, counted.

By hand: ``python tests/fuzz.py --count 1000000`` (see docs/fuzzing.md); tests/test_fuzz.py gives a
few hundred inputs to each target. A parser may refuse what it is given, by an InputError of one
line. All else is a finding: another error, more than :data:`SECONDS`, and of the measures a number
that differs from a plain float64 computation without a warning or an error.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import json
import logging
import os
import random
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import diffused_redundancy as dr
import numpy as np
import plain
import torch
from diffused_redundancy import parameters, presets
from diffused_redundancy.cluster.summed_shards import Shard, merged, write_shard
from diffused_redundancy.commands.arrays import read_arrays
from diffused_redundancy.commands.shard_option import check_shard
from diffused_redundancy.measures.curves import Curve
from diffused_redundancy.nets import names, weightfiles
from diffused_redundancy.nets.protocols import protocol
from diffused_redundancy.paper import printed
from diffused_redundancy.store import assets, paths, tensors
from diffused_redundancy.store.cache import Cache, canonical, checksum
from diffused_redundancy.store.featurefile import contents, read_features
from diffused_redundancy.store.files import sha256_of
from diffused_redundancy.store.places import place_of
from diffused_redundancy.tasks.files import FileImages, image_folder, npz_images

SECONDS = 10
"""Longest that one input may take."""


class Wrong(Exception):
    """A number that differs from the plain computation."""


@dataclass(frozen=True)
class Target:
    """Something that takes input.

    Attributes
    ----------
    run : callable
        Takes bytes.
    seeds : callable
        Gives valid inputs, which are mutated.
    share : float
        Of all inputs.
    """

    run: Callable[[bytes], Any]
    seeds: Callable[[], list[bytes]]
    share: float


TARGETS: dict[str, Target] = {}


def target(name: str, seeds: Callable[[], list[bytes]], share: float) -> Callable[..., Any]:
    def register(run: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        TARGETS[name] = Target(run, cache(seeds), share)
        return run

    return register


@cache
def scratch() -> Path:
    """A folder of this process, which is deleted when it ends."""
    import atexit

    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if os.access(shared, os.W_OK) else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def written(data: bytes, name: str) -> Path:
    path = scratch() / name
    path.write_bytes(data)
    return path


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape" if data[:1] == b"\xff" else "replace")


# Mutation

INTERESTING = [0, 1, 2, 7, 127, 128, 255, 256, 2**15, 2**16, 2**31 - 1, 2**31, 2**32, 2**63, 2**64]
TOKENS = [
    *("../", "/", "\\", "\0", "\n", "'", '"', "<", ">", "<<", "&a", "*a", "!!int", "!!binary", "{"),
    *("}", "[", "]", ":", ": ", ",", "-", "--", "=", "@", "#", "%", "$", "~", "|", "?", "*", "e9"),
    *("nan", "inf", "null", "true", "1e999", "9" * 20, "-1", "0x", "010", "1:30", "é", "\u202e"),
    *("[[", "x" * 300, "::", "://", "file://", "..", "F64", "BF16", "data_offsets", "shape"),
]


def mutated(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """An input with a few changes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 12))):
        at = rng.randrange(len(changed) + 1)
        # half of all changes are at the beginning, where headers are
        at = min(at, rng.randrange(1, 200)) if rng.random() < 0.5 else at
        kind = rng.randrange(9)
        if kind == 0 and changed:
            changed[min(at, len(changed) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1 and changed:
            changed[min(at, len(changed) - 1)] = rng.randrange(256)
        elif kind == 2:
            changed[at:at] = rng.choice(TOKENS).encode()
        elif kind == 3:
            del changed[at : at + rng.choice((1, 2, 8, 64))]
        elif kind == 4:
            width = rng.choice((1, 2, 4, 8))
            value = rng.choice(INTERESTING) % 2 ** (8 * width)
            changed[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))
        elif kind == 5:
            start = rng.randrange(len(other) + 1)
            changed[at:at] = other[start : start + rng.choice((2, 8, 32))]
        elif kind == 6:
            changed[at:at] = changed[at : at + rng.choice((1, 4, 16, 64))]
        elif kind == 7:
            del changed[at:]
        else:
            digits = [i for i, byte in enumerate(changed[:400]) if 48 <= byte <= 57]
            if digits:
                place = rng.choice(digits)
                changed[place : place + 1] = str(rng.choice(INTERESTING)).encode()
    return bytes(changed)


# Parameters, presets, names

VALUES = (
    *(
        "[1, 2]",
        "1",
        "digits",
        "[digits, georgian]",
        "1e-3",
        "[0.1, .5]",
        "{a: 1}",
        "0x1F",
        "1_000",
    ),
    *(
        "[stages, penultimate]",
        "'a'",
        "augmented:4",
        "ridge",
        "- 1\n- 2",
        "&a [1, *a]",
        "!!int [1]",
    ),
    *("miniature_resnet.dropout_*", "resnet18.tv_in1k@/no/w.pt", "folder:/no", "hf:../x", "~/x"),
    *("[a, [b]]", "__import__('os').system('true')", "!!python/object/apply:os.system [true]"),
    *("{<<: {a: 1}}", "? [a]\n: b", "cpu", "bf16+compile", "2026-01-01", "on", "~", ""),
)


def _values() -> list[bytes]:
    return [f"{name}\n{value}".encode() for name in parameters.PARAMETERS for value in VALUES]


@target("parameters", _values, 0.17)
def parameter(data: bytes) -> None:
    """What is typed after ``-p``."""
    name, _, text = text_of(data).partition("\n")
    name = name if name in parameters.PARAMETERS else "SEEDS"
    # whether timm knows a network is asked below: it takes long
    if name != "NETS":
        value = parameters.checked(name, parameters.parse(name, text))
        assert parameters.PARAMETERS[name].many == isinstance(value, list)


def _presets() -> list[bytes]:
    folder = paths.notebooks() / "presets"
    return [
        *(path.read_bytes()[:2000] for path in sorted(folder.glob("*.yaml"))),
        b"description: a\neverywhere: {IMAGES: 5}\n02_probes: {SEEDS: [1], LAYERS: [stages]}\n",
        b"everywhere: &a {IMAGES: 5}\n02_probes: {<<: *a}\nnotebooks: [01_cka]\n",
        b"a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\neverywhere: *c\n",
        b"cost: 1\nnotebooks: 01_cka\n",
        b"everywhere:\n  TASKS: ['{assets}/a']\n",
    ]


@target("presets", _presets, 0.015)
def preset(data: bytes) -> None:
    """A preset of the user's own."""
    made = presets.preset(str(written(data, "mine.yaml")))
    for notebook in made.notebooks:
        presets.in_folder(made.of(notebook), scratch(), "mine")


NAMES = (
    *("miniature_resnet.standard_s1", "resnet18.tv_in1k", "convnext_tiny.fb_in22k", "hf_hub:a/b"),
    *(
        "resnet18@/no/such/file.pth",
        "timm/resnet18.a1_in1k",
        "miniature_*",
        "[a-",
        "*?[!]",
        "w.npz",
    ),
    *("https://huggingface.co/timm/resnet18.a1_in1k", "resnet50.pqf_*", "a*" * 12 + "b", "../x.pt"),
)


def _names() -> list[bytes]:
    return [name.encode() for name in NAMES]


@target("patterns and titles of networks", _names, 0.13)
def pattern(data: bytes) -> None:
    """Patterns, titles and labels of networks."""
    given = text_of(data).split("\n")
    names.titles(given)
    names.labels(given)
    names.short_labels(given)
    names.expanded(given)


@target("names of networks", _names, 0.001)
def network(data: bytes) -> None:
    """Whether there is a network; to name the nearest of timm's takes long."""
    names.check(text_of(data))


@target("names of tasks", lambda: [*_names(), b"digits", b"digit", b"folder:x", b"npz:a"], 0.05)
def task(data: bytes) -> None:
    """Tasks, with a scheme and a path or without."""
    dr.task(text_of(data))


WORDS = ("1/8", "augmented:4", "clean", "00001/0003", "augmented:999", "9" * 30 + "/" + "9" * 31)


@target("shards and protocols", lambda: [word.encode() for word in WORDS], 0.15)
def word(data: bytes) -> None:
    """Shards ``I/N``, and protocols."""
    for parse in (check_shard, protocol):
        try:
            parse(text_of(data))
            return
        except dr.InputError as error:
            refused = error
            _one_line(error)
    raise refused


URLS = (
    *(
        "memory://a/b.npy",
        "s3://bucket/x.npy",
        "file:///no/x.npy",
        "https://[::1/x",
        "gs://u:p@h/x",
    ),
    *(
        "local://x",
        "zip://a::memory://b.zip",
        "data://x",
        "nothing://x",
        "http://h:99999/x.parquet",
    ),
)


@target("URLs", lambda: [url.encode() for url in URLS], 0.03)
def url(data: bytes) -> None:
    """Where files are; nothing leaves this machine."""
    place = place_of(text_of(data))
    _ = place.name, place.stem, place.suffix
    contents(place)


# Files of arrays

X = np.arange(24, dtype="f4").reshape(6, 4) ** 2 % 7
Y = np.arange(6) % 2
ARRAYS = {"X_train": X, "y_train": Y, "X_test": X[::-1].copy(), "y_test": Y}


def _npy() -> list[bytes]:
    arrays = (X, np.asfortranarray(X), X.astype(">f8"), X.astype("f2"), Y, np.array(["a", "bc"]))
    return [saved(partial(np.save, arr=array)) for array in (*arrays, X[None], np.float32(3))]


def saved(save: Callable[..., Any]) -> bytes:
    stream = io.BytesIO()
    save(stream)
    return stream.getvalue()


def _safetensors() -> list[bytes]:
    from safetensors.torch import save

    held = {name: torch.tensor(array) for name, array in ARRAYS.items()}
    return [
        save(held),
        save({"X_train": torch.tensor(X).bfloat16(), "y_train": torch.tensor(Y)}),
        save({"X_train": torch.zeros(0, 4), "a": torch.tensor(1.0)}, {"note": "x"}),
    ]


def _npz() -> list[bytes]:
    return [
        saved(lambda stream: np.savez(stream, **ARRAYS)),
        saved(lambda stream: np.savez_compressed(stream, X_train=X, y_train=Y)),
        saved(lambda stream: np.savez(stream, X_train=np.asfortranarray(X), y_train=np.array(1))),
    ]


def _torch_files() -> list[bytes]:
    held = {name: torch.tensor(array) for name, array in ARRAYS.items()}
    old = partial(torch.save, held, _use_new_zipfile_serialization=False)
    return [
        saved(partial(torch.save, held)),
        saved(old),
        saved(partial(torch.save, held["X_test"])),
    ]


def _parquet() -> list[bytes]:
    import pandas as pd

    frames = (
        pd.DataFrame({"X_train": list(X), "y_train": Y}),
        pd.DataFrame({"X_train": list(X), "y_train": pd.Categorical(np.array(["a", "b"])[Y])}),
    )
    return [saved(partial(frame.to_parquet, index=False)) for frame in frames]


def _hdf5() -> list[bytes]:
    import h5py

    def save(stream: Any, **how: Any) -> None:
        with h5py.File(stream, "w") as file:
            for name, array in ARRAYS.items():
                file.create_dataset(name, data=array, **how)

    return [saved(save), saved(partial(save, compression="gzip"))]


def read(suffix: str, data: bytes) -> None:
    """What the command ``measure`` reads of a file, whole and in slices."""
    path = written(data, f"given{suffix}")
    place = place_of(path)
    contents(place)
    # the whole file is read in slices by others, and must be what is read whole
    given, _ = read_arrays(place, None, None)
    sliced = read_features(path, ("X_train",), whole_below=0).get("X_train")
    whole = given.X_train
    if sliced is not None and len(getattr(sliced, "shape", ())) == 2 and sliced.nbytes < 2**20:
        one, other = (
            part.double().numpy() if isinstance(part, torch.Tensor) else np.asarray(part)
            for part in (sliced[0 : len(sliced)], whole)
        )
        if one.dtype == other.dtype and one.tobytes() != other.tobytes():
            raise Wrong("rows read in slices are not those of the whole")


FORMATS = {
    ".npy": (_npy, 0.07),
    ".safetensors": (_safetensors, 0.07),
    ".npz": (_npz, 0.02),
    ".pt": (_torch_files, 0.01),
    ".parquet": (_parquet, 0.006),
    ".h5": (_hdf5, 0.006),
}
for suffix, (made, share) in FORMATS.items():
    target(f"features in {suffix}", made, share)(partial(read, suffix))


def _weights() -> list[bytes]:
    state = {"fc.weight": torch.ones(2, 3), "fc.bias": torch.ones(2)}
    return [
        b".pth" + saved(partial(torch.save, {"state_dict": state, "epoch": 3})),
        b".pth" + saved(partial(torch.save, state)),
        *(b".npz" + one for one in _npz()),
        *(b".saf" + one for one in _safetensors()),
    ]


@target("weight files", _weights, 0.02)
def weights(data: bytes) -> None:
    """Weights of a network."""
    suffix = {b".npz": ".npz", b".saf": ".safetensors"}.get(data[:4], ".pth")
    path = written(data[4:], f"weights{suffix}")
    weightfiles.read(path)
    weightfiles.entry(path)


# Cache entries, shards, manifests


def _entries() -> list[bytes]:
    arrays = {"x": X, "y": Y}
    path = scratch() / "entry"
    key = {"kind": "fuzz", "n": 1}
    tensors.write(path, arrays, {"key": canonical(key), "checksum": checksum(arrays)})
    return [path.read_bytes()]


@target("cache entries", _entries, 0.04)
def entry(data: bytes) -> None:
    """An entry that was changed is none."""
    cache_ = Cache(scratch())
    path = cache_.path({"kind": "fuzz", "n": 1})
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    arrays = cache_.get({"kind": "fuzz", "n": 1})
    if arrays is not None and not np.array_equal(arrays["x"], X):
        raise Wrong("a changed entry was taken")


def _shards() -> list[bytes]:
    folder = scratch() / "seed"
    asked = {"place": "/a", "features": None, "labels": None, "pool": None, "probe": True}
    key = {"of": 1, "asked": asked, "input": {}, "code": "", "versions": {}}
    about = {"asked": asked, "notes": []}
    shard = Shard(1, 1)
    write_shard(shard, folder, X, Y, key, about, device="cpu", bytes_read=lambda: 0)
    whole = shard.path(folder).read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    return [json.loads(whole[8 : 8 + length])["__metadata__"]["manifest"].encode(), whole]


def _resigned(data: bytes) -> bytes:
    """The file of a shard whose manifest was changed by someone who signs it anew."""
    whole = _shards_cached()[1]
    (length,) = struct.unpack("<Q", whole[:8])
    header = json.loads(whole[8 : 8 + length])
    text = data.decode("utf-8", "replace")
    header["__metadata__"] = {"manifest": text, "digest": sha256_of(text)}
    made = json.dumps(header).encode()
    made += b" " * (-len(made) % 8)
    return struct.pack("<Q", len(made)) + made + whole[8 + length :]


_shards_cached = cache(_shards)


@target("manifests of shards", _shards_cached, 0.04)
def shard(data: bytes) -> None:
    """Shards of a folder, damaged or signed anew."""
    path = Shard(1, 1).path(scratch() / "merged")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_resigned(data) if data[:1] in (b"{", b"[", b'"') else data)
    from diffused_redundancy.commands.shards import command_of

    merged(scratch() / "merged", lambda manifest, one: command_of(manifest, one, scratch()))


TOML = b"""[weights.a]
file = 'a.pth'
urls = ["https://example.org/a.pth"]
sha256 = "f37072fd"
bytes = 5
source = 's'
license = 'MIT'
[datasets.b]
folder = "b"
files = [{ file = "b.tar", md5 = "aa" }]
source = "s"
license = "l"
"""


@target("assets.toml", lambda: [TOML], 0.03)
def manifest(data: bytes) -> None:
    """A manifest of assets: no file of it lies outside of its folder."""
    for asset in assets.read_manifest(written(data, "assets.toml")).values():
        _ = asset.size, asset.least_bytes
        for file in asset.files:
            inside = paths.assets().resolve()
            if not Path(
                os.path.normpath(paths.assets().resolve() / asset.folder / file.name)
            ).is_relative_to(inside):
                raise Wrong(f"{file.name!r} of {asset.folder!r} lies outside")


def _paper() -> list[bytes]:
    lines = (paths.data() / "paper_values.csv").read_bytes().splitlines(keepends=True)
    return [b"".join(lines[:3]), b"".join([lines[0], *lines[-2:]])]


@target("paper_values.csv", _paper, 0.03)
def paper(data: bytes) -> None:
    """Values of the paper."""
    printed.read_values(written(data, "paper_values.csv"))


# Images


def _images() -> list[bytes]:
    from PIL import Image

    pixels = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    made = [
        saved(partial(Image.fromarray(pixels).save, format=kind))
        for kind in ("PNG", "GIF", "BMP", "JPEG", "TIFF", "WEBP", "PPM", "TGA", "ICO")
    ]
    grey = Image.fromarray(pixels[..., 0].astype(np.uint16))
    return [*made, saved(partial(grey.save, format="PNG"))]


@target("images", _images, 0.05)
def image(data: bytes) -> None:
    """One image of a folder."""
    path = written(data, "image.png")
    (pixels,) = FileImages((path,)).batch(0, 1)
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3


def _npz_tasks() -> list[bytes]:
    pixels = np.arange(6 * 4 * 4 * 3, dtype=np.uint8).reshape(6, 4, 4, 3)
    words = np.array(["a", "b"])
    return [
        saved(lambda stream: np.savez(stream, X_train=pixels, y_train=Y, classes=words)),
        saved(lambda stream: np.savez_compressed(stream, X_train=pixels[..., 0], y_train=words[Y])),
    ]


@target("images in .npz", _npz_tasks, 0.01)
def images(data: bytes) -> None:
    """A task of an .npz file."""
    npz_images(str(written(data, "task.npz")))


FOLDERS = (b"train/a/1.png\ntrain/b/2.png\ntest/a/3.png\ntest/b/4.png", b"=a/1.png\n<b>/2.png\n")


@target("image folders", lambda: list(FOLDERS), 0.004)
def folder(data: bytes) -> None:
    """Folders and files of all sorts of names."""
    root = scratch() / "images"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for line in text_of(data).split("\n")[:12]:
        path = Path(os.path.normpath(root / line.replace("\0", "").lstrip("/")))
        if not path.is_relative_to(root) or path == root:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_images_cached()[0])
        except OSError:  # the name is too long, or there already
            continue
    train, _ = image_folder(str(root)).load()
    train.images.batch(0, 2)


_images_cached = cache(_images)


# Measures


def drawn(data: bytes) -> tuple[np.random.Generator, np.ndarray, np.ndarray, str]:
    """Small features of an awkward kind, labels, and what they are."""
    rng = np.random.default_rng(list(data[:16]) or [0])
    n, d = int(rng.integers(2, 16)), int(rng.integers(1, 9))
    kind = str(rng.choice(KINDS))
    values = rng.standard_normal((n, d))
    if kind == "rank-deficient":
        values = values[:, :1] @ rng.standard_normal((1, d))
    elif kind == "ill-conditioned":
        values = values * 10.0 ** -np.arange(d)
    elif kind == "duplicate neurons":
        values[:, :] = values[:, :1]
    elif kind == "duplicate images":
        values = values[rng.integers(0, max(n // 2, 1), n)]
    elif kind == "constant neurons":
        values[:, rng.integers(d)] = 3
    elif kind == "large mean":
        values += 1e4
    elif kind == "few values":
        values = np.round(values)
    elif kind == "far apart":
        values *= 10.0 ** rng.integers(-15, 16, d)
    elif kind == "not finite":
        values[rng.integers(n), rng.integers(d)] = rng.choice([np.nan, np.inf, -np.inf])
    dtype = str(rng.choice(["float64", "float64", "float32", "float16"]))
    if dtype != "float16":
        values = values * 10.0 ** rng.integers(-30, 31) if rng.random() < 0.4 else values
    with np.errstate(all="ignore"):
        values = values.astype(dtype)
    y = rng.integers(0, rng.integers(1, 5), n)
    return rng, values, y, f"{kind} {dtype} {n} x {d}"


KINDS = (
    *("usual", "rank-deficient", "ill-conditioned", "duplicate neurons", "duplicate images"),
    *("constant neurons", "large mean", "few values", "far apart", "not finite"),
)


def _draws() -> list[bytes]:
    return [bytes([i]) * 16 for i in range(8)]


def exact(values: np.ndarray) -> np.ndarray:
    """In float64, of a size whose squares and fourth powers float64 holds."""
    values = values.astype(np.float64)
    return np.ldexp(values, -int(np.frexp(np.abs(values).max())[1])) if values.any() else values


def rounding(X: np.ndarray) -> float:
    """How far a number computed of features in this precision may be off."""
    return {"float64": 1e-7, "float32": 2e-3, "float16": 2e-3}[X.dtype.name]


def compare(ours: Any, theirs: Any, atol: float, what: str) -> None:
    if not np.allclose(ours, theirs, rtol=0, atol=atol, equal_nan=True):
        raise Wrong(f"{what}: {ours} instead of {theirs}")


def plain_cka(X: np.ndarray, order: np.ndarray) -> np.ndarray:
    X = exact(X)
    with np.errstate(all="ignore"):
        return np.array(
            [np.nan_to_num(plain.cka(X[:, order[:k]], X)) for k in range(1, len(order) + 1)]
        )


def spread(X: np.ndarray) -> float:
    """The smallest deviation of a neuron over the largest number: below a type's digits rounding
    decides.
    """
    centred = plain.centred(exact(X))
    return float(np.abs(centred).max(0).min() / max(np.abs(exact(X)).max(), 1e-300))


@target("SufficientStatistics", _draws, 0.008)
def statistics(data: bytes) -> None:
    """Gram matrix, mean and class sums, joined of two parts."""
    rng, X, y, _ = drawn(data)
    cut = int(rng.integers(1, len(X)))
    made = dr.SufficientStatistics(X.shape[1], 5, device="cpu")
    made.update(X[:cut], y[:cut])
    made = made + dr.SufficientStatistics(X.shape[1], 5, device="cpu").update(X[cut:], y[cut:])
    centre = plain.centred(X)
    with np.errstate(all="ignore"):
        gram = centre.T @ centre
        size = np.sqrt(np.outer(gram.diagonal(), gram.diagonal()))
        # of what the numbers themselves are rounded to in their type
        floor = (np.abs(X.astype(float)).max(0) * np.finfo(X.dtype).eps) ** 2 * len(X)
        off = np.abs(made.gram.numpy() - gram)
        bound = rounding(X) * size + 64 * np.sqrt(np.outer(floor, floor))
        bound = bound + 64 * np.sqrt(np.outer(floor, gram.diagonal() + floor))
        bound = bound + 64 * np.sqrt(np.outer(gram.diagonal() + floor, floor))
    # what varies less than this by the side of others counts as constant: dr.measure says so
    some = np.setdiff1d(np.arange(X.shape[1]), made.constant.numpy())
    some = np.ix_(some, some)
    if (off > bound + 1e-290)[some].any() or not np.isfinite(made.gram.numpy()).all():
        raise Wrong(f"Gram matrix: {made.gram.numpy()} instead of {gram}")
    compare(
        made.mean.numpy() / max(np.abs(X).max(), 1e-300),
        X.astype(float).mean(0) / max(np.abs(X).max(), 1e-300),
        1e-3,
        "mean",
    )


@target("cka_curve", _draws, 0.008)
def cka(data: bytes) -> None:
    """CKA of random neurons and of principal components at every size."""
    _, X, _, _ = drawn(data)
    made = dr.SufficientStatistics.from_features(X, device="cpu")
    orders = dr.orderings("random", made, [1])
    curve = dr.cka_curve(made, orders)
    order = orders[0].order.numpy()
    # subsets of neurons that count as constant: dr.measure says so
    vary = np.cumsum(~np.isin(order, made.constant.numpy())) > 0
    compare(curve.values[0][vary], plain_cka(X, order)[vary], rounding(X), "CKA")
    axes = dr.orderings("pca", made, [0])
    if axes[0].size:
        top = np.linalg.svd(plain.centred(exact(X)), full_matrices=False)[1] ** 2
        squares = np.cumsum(top**2)[: axes[0].size] / (top**2).sum()
        compare(dr.cka_curve(made, axes).values[0], np.sqrt(squares), rounding(X), "CKA of pca")


@target("RidgeProbe", _draws, 0.006)
def ridge(data: bytes) -> None:
    """Which test images the probe guesses right, at every size."""
    rng, X, y, _ = drawn(data)
    X_test, y_test = X[: 1 + rng.integers(len(X))], y[: 1 + rng.integers(len(X))]
    X_test, y_test = X_test[: len(y_test)], y_test[: len(X_test)]
    penalty = float(10.0 ** rng.integers(-3, 3))
    probe = dr.RidgeProbe(dr.Features(X, y, X_test, y_test), penalty=penalty, device="cpu")
    orders = dr.orderings("random", probe.statistics, [1])
    hits = np.unpackbits(probe.evaluate(orders, hits=True)["hits"][0], axis=1)[:, : len(y_test)]
    scale = np.ldexp(1.0, -int(np.frexp(np.abs(X.astype(float)).max())[1])) if X.any() else 1.0
    A, B = X.astype(float) * scale, X_test.astype(float) * scale
    order = orders[0].order.numpy()
    centre = plain.centred(A)
    alpha = penalty * (centre**2).mean() * len(A)
    if not alpha > 0:
        raise Wrong("constant features were probed")
    for k in range(1, len(order) + 1):
        some = order[:k]
        scores = plain.ridge_scores(A[:, some], y, B[:, some], alpha, int(y.max()) + 1)
        own = scores[np.arange(len(y_test)), y_test]
        others = scores.copy()
        others[np.arange(len(y_test)), y_test] = -np.inf
        margin = own - others.max(1)
        clear = np.abs(margin) > rounding(X)
        if (hits[k - 1][clear] != (margin[clear] > 0)).any():
            raise Wrong(f"guesses at {k}: {hits[k - 1]}, margins {margin}")
    compare(
        float(probe.full_right.double().mean()),
        hits[-1].mean(),
        0.5 if rounding(X) > 1e-5 else 1e-9 + float(not clear.all()),
        "whole layer",
    )


@target("LogisticProbe", _draws, 0.0012)
def logistic(data: bytes) -> None:
    """The minimum that is reached on the whole layer, against Newton's method in float64."""
    rng, X, y, _ = drawn(data)
    penalty = float(10.0 ** rng.integers(-2, 3))
    probe = dr.LogisticProbe(dr.Features(X, y, X, y), penalty=penalty, device="cpu")
    orders = dr.orderings("first", probe.statistics, [0])
    d = X.shape[1]
    curve = probe.curve(orders, sizes=[d])
    A = plain.centred(exact(X))
    A = A / np.sqrt((A**2).mean())
    least = newton(A, y, penalty)
    ours = float(curve.objective[0, 0])
    tolerance = 2e-3 * least + 1e-5 + (0.02 if X.dtype != np.float64 and spread(X) < 1e-3 else 0)
    if bool(curve.converged.all()) and abs(ours - least) > tolerance:
        raise Wrong(f"objective {ours} instead of {least}")


def newton(A: np.ndarray, y: np.ndarray, penalty: float) -> float:
    """The least cross-entropy of a linear probe with an intercept and a penalty on its weights."""
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    C, (n, d) = int(y.max()) + 1, A.shape
    Y = np.eye(C)[y]

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        W, b = w[: d * C].reshape(d, C), w[d * C :]
        scores = A @ W + b
        log = scores - logsumexp(scores, 1, keepdims=True)
        off = (np.exp(log) - Y) / n
        value = -(log * Y).sum() / n + penalty / 2 * (W**2).sum()
        return value, np.concatenate([(A.T @ off + penalty * W).ravel(), off.sum(0)])

    done = minimize(
        loss,
        np.zeros(d * C + C),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-9},
    )
    return float(done.fun)


@target("diffused_redundancy", _draws, 0.012)
def redundancy(data: bytes) -> None:
    """DR of a curve of any values."""
    rng = np.random.default_rng(list(data[:16]) or [0])
    rows, s = int(rng.integers(1, 5)), int(rng.integers(1, 9))
    values = rng.choice(
        [rng.random((rows, s)), rng.integers(0, 3, (rows, s)) / 2, -rng.random((rows, s))]
    )
    if rng.random() < 0.1:
        values.flat[rng.integers(values.size)] = rng.choice([np.nan, np.inf, -np.inf])
    d = int(s + rng.integers(0, 5))
    sizes = np.sort(rng.choice(np.arange(1, d + 1), s, replace=False))
    full = float(rng.choice([0, 1, values.flat[-1], rng.random(), np.nan, np.inf, 1e-300]))
    delta = float(rng.choice([0.9, 1, rng.random(), 0, 1.5, np.nan]))
    curve = Curve("ridge_accuracy", "random", range(rows), sizes, values, d, full)
    found = dr.diffused_redundancy(curve, delta, resamples=int(rng.choice([10, 50])))
    mean = values.mean(0)
    bar = delta * full
    reached = [k for k, value in zip(sizes, mean, strict=True) if value >= bar - 1e-12 * abs(bar)]
    near = (np.abs(mean - bar) <= 1e-9 * abs(bar)).any()
    if not near and found.k != (reached[0] if reached else None):
        raise Wrong(f"k {found.k} instead of {reached[:1]} for {mean} and {bar}")
    if found.k is not None and found.value != 1 - found.k / d:
        raise Wrong(f"DR {found.value}")


OPTIONS: dict[str, list[Any]] = {
    "probe": ["ridge", "none", "none", "ridge", "both", "svm", None, 3, "__import__('os')"],
    "selections": ["random", ["pca", "first"], [], "x", None, [None], 4],
    "seeds": [1, 2, 0, -1, 1.5, "2", [1, 1], [3, 4], None, True, 10**30],
    "standardize": [False, True],
    "constant": ["error", "keep", "drop", "leave", None],
    "penalty": [None, 1e-3, 1.0, 0, -1, np.nan, np.inf, "1", 1e300],
    "pool": [None, "mean", "cls", "x"],
    "device": ["cpu", "tpu", None],
}


@target("dr.measure", _draws, 0.003)
def measure(data: bytes) -> None:
    """Everything at once, of right and of wrong options."""
    rng, X, y, _ = drawn(data)
    options = {
        name: values[0] if rng.random() < 0.85 else values[rng.integers(len(values))]
        for name, values in OPTIONS.items()
    }
    labels: Any = [y, None, y[:-1], y.astype(float), y.astype(str), y - 1, y.tolist(), "abc"]
    given: Any = [X, X, X, torch.tensor(X), X.tolist(), X[0], X[:, :0], X.astype(int), "x", None]
    with np.errstate(all="ignore"):
        X_given = given[rng.integers(len(given))] if rng.random() < 0.3 else X
    y_given = labels[rng.integers(len(labels))] if rng.random() < 0.3 else y
    test = (X[:3], y[:3]) if rng.random() < 0.6 else (None, None)
    result = dr.measure(X_given, y_given, *test, **options)
    repr(result)
    result.to_frame()
    for (name, selection), curve in result.curves.items():
        if (name, selection) == ("cka", "random") and test[0] is not None and X_given is X:
            made = dr.SufficientStatistics.from_features(X, device="cpu")
            if len(curve.sizes) == X.shape[1]:
                order = dr.orderings("random", made, [curve.seeds[0]])[0].order.numpy()
                compare(curve.values[0], plain_cka(X, order), rounding(X), "CKA")


# Running


def _one_line(error: dr.InputError) -> None:
    if "\n" in str(error) or not str(error):
        raise Wrong(f"an error of several lines: {str(error)!r}") from error


@contextmanager
def limited() -> Iterator[None]:
    """TimeoutError after :data:`SECONDS`, where there are signals."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def offline() -> Iterator[None]:
    """Nothing leaves this machine."""

    def refused(*_: object, **__: object) -> None:
        raise OSError("no network here")

    kept = socket.socket.connect, socket.getaddrinfo
    socket.socket.connect, socket.getaddrinfo = refused, refused  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        socket.socket.connect, socket.getaddrinfo = kept  # type: ignore[method-assign]


def give(name: str, data: bytes) -> str:
    """Give an input to a target; returns ``taken``, ``refused`` or ``warned``.

    Raises whatever is a finding.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            TARGETS[name].run(data)
        except dr.InputError as error:
            _one_line(error)
            return "refused"
        except Wrong:
            if any(issubclass(one.category, UserWarning | RuntimeWarning) for one in said):
                return "warned"
            raise
    return "taken"


def inputs(name: str, count: int, seed: int) -> Iterator[bytes]:
    """Mutations of a target's valid inputs."""
    rng = random.Random(f"{name} {seed}")
    seeds = TARGETS[name].seeds()
    measures = TARGETS[name].seeds() == _draws()
    for i in range(count):
        if measures:
            yield rng.randbytes(16)
        elif i < len(seeds):
            yield seeds[i]
        else:
            yield mutated(rng.choice(seeds), rng.choice(seeds), rng)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="inputs of all targets together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="targets whose name holds this")
    parser.add_argument("--out", type=Path, help="a folder for inputs that are findings")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable()
    faulthandler.enable()
    os.environ["DIFFUSED_REDUNDANCY_CACHE"] = str(scratch() / "cache")
    chosen = {name: one for name, one in TARGETS.items() if options.only in name}
    whole = sum(one.share for one in chosen.values())
    total, found = 0, 0
    with offline():
        for name, one in chosen.items():
            count = -(-int(options.count * one.share * 1000 / whole) // 1000)
            outcomes: Counter[str] = Counter()
            errors: dict[str, tuple[int, bytes, str]] = {}
            started, longest = time.perf_counter(), 0.0
            for data in inputs(name, count, options.seed):
                faulthandler.dump_traceback_later(6 * SECONDS, exit=True)
                begun = time.perf_counter()
                try:
                    with limited():
                        outcomes[give(name, data)] += 1
                except (Exception, TimeoutError) as error:
                    outcomes["findings"] += 1
                    last = traceback.extract_tb(error.__traceback__)[-1]
                    where = [
                        f"{Path(f.filename).name}:{f.lineno}"
                        for f in traceback.extract_tb(error.__traceback__)
                        if "diffused_redundancy" in f.filename
                    ]
                    said = f"{type(error).__name__} at {where[-1:] or last.name}"
                    times = errors[said][0] if said in errors else 0
                    errors[said] = (times + 1, data, str(error)[:200])
                longest = max(longest, time.perf_counter() - begun)
            faulthandler.cancel_dump_traceback_later()
            took = time.perf_counter() - started
            total, found = total + count, found + outcomes["findings"]
            kinds = [outcomes[kind] for kind in ("taken", "refused", "warned", "findings")]
            cells = [name, f"{count:,}", *(f"{one:,}" for one in kinds)]
            print("|", " | ".join(cells), f"| {took:.0f} s | {longest:.2f} s |", flush=True)
            for said, (times, data, words) in errors.items():
                print(f"    {times} x {said}: {words}\n        {data[:120]!r}", flush=True)
                if options.out:
                    options.out.mkdir(parents=True, exist_ok=True)
                    (options.out / sha256_of(data)[:16]).write_bytes(name.encode() + b"\n" + data)
    print(f"| together | {total:,} | | | | {found:,} | |")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
