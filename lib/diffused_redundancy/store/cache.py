"""A content-addressed cache: a key says everything that determines a result, and the result is a
few arrays.

An entry is one safetensors file named after the sha256 of its key, holding the key itself and a
checksum of its arrays. A corrupt entry is reported and rebuilt; two processes that want the same
entry compute it once.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from safetensors import SafetensorError

from . import paths, tensors
from .files import atomic_path, make_folder

log = logging.getLogger(__name__)
REFRESH_VARIABLE = "DIFFUSED_REDUNDANCY_REFRESH_BEFORE"
Arrays = dict[str, np.ndarray]


def canonical(key: Mapping[str, Any]) -> str:
    """A key as text: the same text for the same key, whatever the order of its entries."""
    return json.dumps(key, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(key: Mapping[str, Any]) -> str:
    """The name of a key: 32 hexadecimal digits of the sha256 of its canonical text."""
    return hashlib.sha256(canonical(key).encode()).hexdigest()[:32]


def checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """A digest of names, types, shapes and bytes of some arrays."""
    total = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        total.update(array.data.cast("B") if array.size else b"")
    return total.hexdigest()


@functools.cache
def code_digest(*modules: str) -> str:
    """A digest of the source of modules or packages of this library, by name relative to it
    (``measure``, ``nets.extraction``).

    As part of a key it makes sure that a change of the code is never answered from before the
    change.
    """
    root = Path(__file__).resolve().parents[1]
    total = hashlib.sha256()
    for name in modules:
        place = root.joinpath(*name.split("."))
        for file in sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
            total.update(file.name.encode() + b"|" + file.read_bytes())
    return total.hexdigest()[:16]


@functools.cache
def versions(*packages: str) -> dict[str, str]:
    """The installed versions of packages that a result depends on, as part of a key."""
    return {name: metadata.version(name) for name in packages}


class Cache:
    """Arrays on disk, found by what determines them.

    Parameters
    ----------
    folder : path, optional
        Where entries live; by default the folder of :func:`diffused_redundancy.store.paths.cache`.
    refresh_before : float, optional
        Entries written before this time (seconds since 1970) are computed anew. The command line's
        ``--force`` sets it to the start of the run, so that the notebooks of one run still share
        what they make. By default ``$DIFFUSED_REDUNDANCY_REFRESH_BEFORE``, else nothing is
        refreshed.
    """

    def __init__(self, folder: Path | None = None, *, refresh_before: float | None = None) -> None:
        self.folder = make_folder(Path(folder) if folder is not None else paths.cache())
        self.refresh_before = (
            float(os.environ.get(REFRESH_VARIABLE, 0)) if refresh_before is None else refresh_before
        )
        self.hits = 0
        self.misses = 0

    def path(self, key: Mapping[str, Any]) -> Path:
        """The file of a key's entry, whether or not it exists."""
        return self.folder / str(key.get("kind", "entry")) / f"{digest(key)}.safetensors"

    def get(self, key: Mapping[str, Any]) -> Arrays | None:
        """The arrays of a key, or None if there is no entry or it is corrupt (which is
        reported).
        """
        path = self.path(key)
        if not path.exists():
            return None
        try:
            arrays, notes = tensors.read(path)
        except (SafetensorError, OSError, ValueError) as error:
            log.warning("cache entry %s cannot be read (%s): it is rebuilt", path, error)
            return None
        if notes.get("key") != canonical(key) or notes.get("checksum") != checksum(arrays):
            log.warning(
                "cache entry %s is corrupt (its checksum does not match): it is rebuilt", path
            )
            return None
        return arrays

    def put(self, key: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Store arrays under a key, whole or not at all."""
        stored = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        with atomic_path(self.path(key)) as temporary:
            tensors.write(temporary, stored, {"key": canonical(key), "checksum": checksum(stored)})

    def get_or_compute(
        self, key: Mapping[str, Any], compute: Callable[[], Mapping[str, np.ndarray]]
    ) -> Arrays:
        """The arrays of a key, computed and stored if they are not there yet.

        Parameters
        ----------
        key : mapping of JSON values
            Everything that determines the result; ``kind`` names the subfolder.
        compute : callable
            Makes the arrays; called at most once, under a lock that other processes wait for.
        """
        return self.get_or_compute_all({"": key}, lambda _missing: {"": compute()}, lock=key)[""]

    def get_or_compute_all(
        self,
        keys: Mapping[str, Mapping[str, Any]],
        compute: Callable[[list[str]], Mapping[str, Mapping[str, np.ndarray]]],
        *,
        lock: Mapping[str, Any],
    ) -> dict[str, Arrays]:
        """The arrays of several keys that are computed together; those that are not there yet are
        computed and stored.

        Parameters
        ----------
        keys : mapping from a name to a key
        compute : callable
            Makes the arrays of the names it is given, by name; called at most once.
        lock : mapping
            Whoever computes under an equal one waits; processes with different keys may share it.
        """
        place = self.path(lock)
        make_folder(place.parent)
        with FileLock(str(place.with_suffix(".lock"))):
            held = {name: self._fresh(key) for name, key in keys.items()}
            found = {name: arrays for name, arrays in held.items() if arrays is not None}
            missing = [name for name in keys if name not in found]
            self.hits += len(found)
            self.misses += len(missing)
            if missing:
                made = compute(missing)
                if set(made) != set(missing):
                    raise ValueError(
                        f"asked for {', '.join(missing)}, compute gave "
                        f"{', '.join(made) or 'nothing'}"
                    )
                for name, arrays in made.items():
                    found[name] = dict(arrays)
                    self.put(keys[name], arrays)
            return found

    def peek(self, key: Mapping[str, Any]) -> Arrays | None:
        """The arrays of a key if they are there and need no refreshing; nothing is computed or
        waited for.
        """
        found = self._fresh(key)
        self.hits += found is not None
        return found

    def _fresh(self, key: Mapping[str, Any]) -> Arrays | None:
        path = self.path(key)
        return (
            None if path.exists() and path.stat().st_mtime < self.refresh_before else self.get(key)
        )
