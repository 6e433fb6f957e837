"""Sums of the train images of a layer in shards, each one file that is written whole or not at all,
and the layer that they make together.
"""

from __future__ import annotations

import json
import re
import shlex
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from ..errors import InputError
from ..measures.accumulation import BLOCK_ROWS
from ..measures.cka_images import spread_rows
from ..measures.statistics import SufficientStatistics
from ..measures.tree import (
    LEAF_ROWS,
    Node,
    Part,
    check_marks,
    root,
    shard_leaves,
    sum_leaf,
    sum_leaves,
)
from ..measures.validation import rows_of
from ..progress import progress
from ..store import atomic_path, code_digest, make_folder, tensors, versions
from ..store.cache import canonical, checksum
from ..store.files import sha256_of

FOLDER = "shards"
MOST_KEPT = 20_000
"""Train images that all shards together keep, about: those that are left out, one at a time, to
choose the ridge probe's penalty.
"""

KEY = {
    "of": "number of shards",
    "asked": "settings",
    "input": "input",
    "code": "code",
    "versions": "versions of packages",
}
"""What shards must have alike to be merged, and how errors call it."""


@dataclass(frozen=True)
class Shard:
    """The shard ``number`` (from 1) of ``of``."""

    number: int
    of: int

    def path(self, folder: Path) -> Path:
        """Its file."""
        return folder / FOLDER / f"{self.number:05d}-of-{self.of:05d}.safetensors"


def key_of(
    shard: Shard, asked: Mapping[str, Any], files: Mapping[str, Any], code: Sequence[str] = ()
) -> dict[str, Any]:
    """All that the sums are determined by; see :data:`KEY`.

    Parameters
    ----------
    shard : Shard
    asked : mapping
        Settings.
    files : mapping
        The input: its address, and a fingerprint of its files.
    code : sequence of str
        Modules of this library that the arrays were read by.
    """
    return {
        "of": shard.of,
        "asked": {**asked, "rows of a leaf": LEAF_ROWS, "images kept": MOST_KEPT},
        "input": dict(files),
        "code": code_digest(
            "measures",
            "cluster.summed_shards",
            "store.featurefile",
            "store.rows",
            "store.places",
            *code,
        ),
        "versions": versions("torch", "numpy"),
    }


def made_alike(shard: Shard, folder: Path, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """The manifest of a shard that is there, whole, and determined by the same; else None."""
    try:
        there = ShardFile.opened(shard.path(folder))
        if canonical(there.key) != canonical(key) or there.manifest["shard"] != shard.number:
            return None
        there.check()
    except InputError:  # it is missing or damaged
        return None
    return there.manifest


def write_shard(
    shard: Shard,
    folder: Path,
    X: Any,
    y: Any,
    key: Mapping[str, Any],
    about: Mapping[str, Any],
    *,
    device: str,
    bytes_read: Callable[[], int],
) -> dict[str, Any]:
    """Sum up a shard and write its file.

    Parameters
    ----------
    shard : Shard
    folder : path
    X : Rows (n, d)
    y : Rows (n,), optional
    key : mapping
        As of :func:`key_of`.
    about : mapping
        What else the manifest shall hold.
    device : str
    bytes_read : callable
        How many bytes of the input have been read.

    Returns
    -------
    dict
        The manifest.
    """
    path = shard.path(folder)
    make_folder(path.parent)
    started = time.perf_counter()
    n, d = (int(size) for size in X.shape)
    leaves = shard_leaves(n, shard.number, shard.of)
    kept = _Kept(n, labelled=y is not None)
    arrays: dict[str, dict[str, np.ndarray]] = {}
    labels: dict[str, np.ndarray] = {}
    if leaves:
        first = rows_of(X, slice(0, min(BLOCK_ROWS, n)))
        # of all shards the same, so that products round as those of one pass
        centre = SufficientStatistics(d, device=device).centre_of(first)

        def sum_of(leaf: int) -> Part:
            return sum_leaf(X, y, leaf, centre=centre, device=device, keep=kept.add)

        shown = progress(leaves, title=f"shard {shard.number} of {shard.of}")
        for node, part in sum_leaves(shown, sum_of):
            arrays[_name(node)] = part.statistics.arrays()
            if part.classes is not None:
                labels[_name(node)] = part.classes
    arrays["kept"], kept_labels = kept.arrays()
    if kept_labels is not None:
        labels["kept"] = kept_labels
    manifest = {
        **about,
        "shard": shard.number,
        "key": dict(key),
        "n": n,
        "d": d,
        "rows": [min(leaves.start * LEAF_ROWS, n), min(leaves.stop * LEAF_ROWS, n)],
        "labels": {name: values.tolist() for name, values in labels.items()},
        "checksums": {name: checksum(some) for name, some in arrays.items()},
        "device": device,
        "seconds": round(time.perf_counter() - started, 3),
        "bytes_read": bytes_read(),
    }
    text = canonical(manifest)
    with atomic_path(path) as temporary:
        tensors.write(
            temporary,
            {
                f"{name}/{one}": array
                for name, some in arrays.items()
                for one, array in some.items()
            },
            {"manifest": text, "digest": sha256_of(text)},
        )
    return manifest


def _name(node: Node) -> str:
    return f"{node[0]}.{node[1]}"


class _Kept:
    """Some images, as they pass: every so many, and those that the spread of CKA is told from."""

    def __init__(self, n: int, *, labelled: bool) -> None:
        runs = [np.arange(rows.start, rows.stop) for rows in spread_rows(n)]
        spaced = [np.arange(0, n, stride_of(n))] if labelled else []
        self.places = np.unique(np.concatenate([*runs, *spaced]))
        self.rows: list[np.ndarray] = []
        self.X: list[np.ndarray] = []
        self.y: list[np.ndarray] = []

    def add(self, first: int, block: torch.Tensor, labels: np.ndarray | None) -> None:
        """See those of a block."""
        ends = np.searchsorted(self.places, [first, first + len(block)])
        some = self.places[slice(*ends)]
        here = block[torch.from_numpy(some - first)]
        self.rows.append(some)
        self.X.append((here.float() if here.dtype == torch.bfloat16 else here).cpu().numpy())
        if labels is not None:
            self.y.append(labels[some - first])

    def arrays(self) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Their numbers and features, and their labels."""
        if not self.rows:
            return {"rows": np.empty(0, np.int64)}, None
        arrays = {"rows": np.concatenate(self.rows), "X": np.concatenate(self.X)}
        return arrays, np.concatenate(self.y) if self.y else None


def stride_of(n: int) -> int:
    """How far apart the images are that the penalty is chosen on."""
    return -(-n // MOST_KEPT)


@dataclass(frozen=True)
class ShardFile:
    """The file of a shard, and what it says of itself."""

    path: Path
    manifest: dict[str, Any] = field(repr=False)

    @classmethod
    def opened(cls, path: Path) -> ShardFile:
        """A file; InputError if it is not whole."""
        try:
            with safe_open(path, framework="numpy") as stored:
                notes = stored.metadata() or {}
            if sha256_of(notes.get("manifest", "")) != notes.get("digest"):
                raise ValueError("its manifest is not what was written")
            return cls(path, _checked(json.loads(notes["manifest"])))
        except (SafetensorError, OSError, ValueError, LookupError, RecursionError) as error:
            raise InputError(f"{path} is damaged, or no shard: {error}") from error

    @property
    def key(self) -> dict[str, Any]:
        """What determined it."""
        key: dict[str, Any] = self.manifest["key"]
        return key

    @property
    def nodes(self) -> list[Node]:
        """The nodes of the tree that it holds."""
        names = [name.split(".") for name in self.manifest["checksums"] if name != "kept"]
        return [(int(level), int(index)) for level, index in names]

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Those of a node, or of the images that were kept; InputError if they are damaged."""
        try:
            with safe_open(self.path, framework="numpy") as stored:
                names = [one for one in stored.keys() if one.startswith(f"{name}/")]  # noqa: SIM118
                found = {one.removeprefix(f"{name}/"): stored.get_tensor(one) for one in names}
        except (SafetensorError, OSError) as error:
            raise InputError(f"{self.path} is damaged: {error}") from error
        if checksum(found) != self.manifest["checksums"][name]:
            raise InputError(f"{self.path} is damaged: {name} has another checksum")
        return found

    def labels(self, name: str) -> np.ndarray | None:
        """Those of a node's classes, or of the images that were kept."""
        found = self.manifest["labels"].get(name)
        return None if found is None else np.array(found)

    def check(self) -> None:
        """InputError if a byte is not what was written."""
        for name in self.manifest["checksums"]:
            self.arrays(name)


_HELD: dict[str, Any] = {
    "shard": int,
    "key": dict,
    "asked": dict,
    "notes": list,
    "n": int,
    "d": int,
    "rows": list,
    "labels": dict,
    "checksums": dict,
    "seconds": (int, float),
    "bytes_read": int,
}
"""What a manifest holds, and of which type."""


def _checked(manifest: Any) -> dict[str, Any]:
    """A manifest of the right form; ValueError if it has another, whoever wrote it."""
    if not isinstance(manifest, dict):
        raise ValueError("its manifest is no mapping")
    wrong = [name for name, kind in _HELD.items() if not isinstance(manifest.get(name), kind)]
    key, asked = manifest.get("key"), manifest.get("asked")
    if not wrong and isinstance(key, dict) and isinstance(asked, dict):
        wrong += [name for name in KEY if name not in key]
        wrong += [name for name, kind in _ASKED.items() if not isinstance(asked.get(name), kind)]
        wrong += [name for name in asked if name not in _ASKED]
        wrong += [name for name in manifest["checksums"] if not _NODE.fullmatch(name)]
    if wrong:
        raise ValueError(f"its manifest lacks, or has of another kind: {', '.join(wrong)}")
    return manifest


_ASKED: dict[str, Any] = {
    "place": str,
    "features": (str, type(None)),
    "labels": (str, type(None)),
    "pool": (str, type(None)),
    "probe": bool,
}
_NODE = re.compile(r"kept|\d{1,4}\.\d{1,12}")


@dataclass(frozen=True)
class Summed:
    """All shards together.

    Attributes
    ----------
    part : Part
        The sums of all train images.
    rows : ndarray (m,)
        The numbers of the images that were kept.
    X : Tensor (m, d)
    y : ndarray (m,), optional
        Their labels, as they are.
    manifests : list
        Of all shards, in order.
    """

    part: Part
    rows: np.ndarray = field(repr=False)
    X: torch.Tensor = field(repr=False)
    y: np.ndarray | None = field(repr=False)
    manifests: list[dict[str, Any]] = field(repr=False)


def merged(folder: Path, command: Callable[[Mapping[str, Any], str], str]) -> Summed:
    """Sum up the shards of a folder, in the fixed tree.

    Parameters
    ----------
    folder : path
    command : callable
        From a manifest and ``I/N`` to the command that makes that shard.

    Raises
    ------
    InputError
        If shards are missing, damaged, or not made alike: which, and the command that makes them.
    """
    files = _alike(folder, command)
    manifest = files[0].manifest
    where = {node: file for file in files for node in file.nodes}

    def again(file: ShardFile, error: InputError) -> InputError:
        shard = f"{file.manifest['shard']}/{len(files)}"
        return InputError(f"{error}; {_again(file.path, command(manifest, shard))}")

    def sum_of(node: Node) -> Part:
        file, name = where[node], _name(node)
        try:
            statistics = SufficientStatistics.from_arrays(file.arrays(name), "cpu")
        except InputError as error:
            raise again(file, error) from error
        return Part(statistics, file.labels(name))

    try:
        part = root(manifest["n"], where, sum_of)
    except (RecursionError, LookupError, ValueError) as error:  # whatever wrote the manifests
        if isinstance(error, InputError):
            raise
        raise InputError(f"the shards in {folder} do not make up a whole: {error}") from error
    if part.classes is not None:
        check_marks(part.classes)
    kept, labels = [], []
    for file in files:
        try:
            some = file.arrays("kept")
        except InputError as error:
            raise again(file, error) from error
        if "X" in some:
            kept.append(some)
            labels.append(file.labels("kept"))
    known = [values for values in labels if values is not None]
    return Summed(
        part,
        np.concatenate([some["rows"] for some in kept]),
        torch.from_numpy(np.concatenate([some["X"] for some in kept])),
        np.concatenate(known) if known else None,
        [file.manifest for file in files],
    )


def _alike(folder: Path, command: Callable[[Mapping[str, Any], str], str]) -> list[ShardFile]:
    """The files of all shards, in order, once they are known to be of one run."""
    names = {path: re.fullmatch(r"(\d{5,})-of-(\d{5,})", path.stem) for path in _paths(folder)}
    numbers = {path: (int(found[1]), int(found[2])) for path, found in names.items() if found}
    if not numbers:
        raise InputError(
            f"{folder} holds no shards: make them with measure FEATURES --shard I/N --out "
            f"{shlex.quote(str(folder))}"
        )
    counts = sorted({of for _, of in numbers.values()})
    if len(counts) > 1:
        raise InputError(
            f"{folder / FOLDER} holds shards of several runs, of {_listed(counts)} shards: delete "
            "those that are not wanted, or merge in a folder of its own"
        )
    (of,) = counts
    files, damaged = [], []
    for path, (number, _) in sorted(numbers.items(), key=lambda item: item[1]):
        try:
            files.append(ShardFile.opened(path))
        except InputError as error:
            damaged.append((path, number, error))
    if not files:
        raise InputError(f"{damaged[0][2]}; delete it, and make it again as it was made")
    usual = Counter(canonical(file.key) for file in files).most_common(1)[0][0]
    manifest = next(file.manifest for file in files if canonical(file.key) == usual)
    if damaged:
        path, number, why = damaged[0]
        raise InputError(f"{why}; {_again(path, command(manifest, f'{number}/{of}'))}")
    for file in files:
        other = [KEY[name] for name in KEY if file.key[name] != manifest["key"][name]]
        if other:
            shard = f"{file.manifest['shard']}/{of}"
            raise InputError(
                f"{file.path} was made with other {' and '.join(other)} than "
                f"{_most(files, usual)}: make it again: {command(manifest, shard)}"
            )
    for file in files:
        number, _ = numbers[file.path]
        if file.manifest["shard"] != number:
            raise InputError(
                f"{file.path} holds shard {file.manifest['shard']}: it was copied or renamed; make "
                f"it again: {command(manifest, f'{number}/{of}')}"
            )
    missing = sorted(set(range(1, of + 1)) - {number for number, _ in numbers.values()})
    if missing:
        raise InputError(
            f"{len(missing)} of {of} shards {'is' if len(missing) == 1 else 'are'} missing in "
            f"{folder}: {_listed(missing)}; make {'it' if len(missing) == 1 else 'the first'}: "
            f"{command(manifest, f'{missing[0]}/{of}')}"
        )
    return files


def _paths(folder: Path) -> list[Path]:
    """What stands in the folder of shards; parts of files that were not finished are hidden."""
    return sorted((folder / FOLDER).glob("[!.]*.safetensors"))


def _again(path: Path, command: str) -> str:
    return f"make it again: rm {shlex.quote(str(path))}; {command}"


def _most(files: Sequence[ShardFile], usual: str) -> str:
    same = [file.manifest["shard"] for file in files if canonical(file.key) == usual]
    return f"{len(same)} of {len(files)} shards, such as {same[0]}"


def _listed(numbers: Sequence[int]) -> str:
    """Numbers as a Slurm array takes them.

    >>> _listed([1, 2, 3, 7])
    '1-3,7'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
