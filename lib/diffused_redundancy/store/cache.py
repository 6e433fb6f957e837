"""A content-addressed cache of arrays, by keys that hold everything that determines them.

An entry is one safetensors file named after the SHA-256 of its key, with the key and a checksum of
its arrays. A corrupt entry is reported and rebuilt; processes that want the same entry compute it
once.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from safetensors import SafetensorError

from ..errors import InputError
from . import paths, tensors
from .files import atomic_path, explained, make_folder, sha256_of

log = logging.getLogger(__name__)
REFRESH_VARIABLE = "DIFFUSED_REDUNDANCY_REFRESH_BEFORE"
_CLOCKS_DIFFER = 60.0
"""Seconds by which the clock of a file server may be ahead of this machine's."""

Arrays = dict[str, np.ndarray]


def canonical(key: Mapping[str, Any]) -> str:
    """A key as text, whatever the order of its entries."""
    return json.dumps(key, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """A digest of names, types, shapes and bytes of arrays."""
    total = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        total.update(array.data.cast("B") if array.size else b"")
    return total.hexdigest()


@functools.cache
def code_digest(*modules: str) -> str:
    """A digest of the source of modules or packages of this library.

    Names are relative to it (``measure``, ``nets.extraction``). As part of a key it keeps entries
    from before a change of the code from being used.
    """
    root = Path(__file__).resolve().parents[1]
    places = [root.joinpath(*name.split(".")) for name in modules]
    files = [
        file
        for place in places
        for file in (sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")])
    ]
    return sha256_of(*(part for file in files for part in (f"{file.name}|", file)))[:16]


@functools.cache
def versions(*packages: str) -> dict[str, str]:
    """The installed versions of packages that a result depends on, as part of a key."""
    return {name: metadata.version(name) for name in packages}


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time do what concerns an entry."""
    lock = FileLock(str(path.with_suffix(".lock")))
    with explained("write", Path(lock.lock_file)):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


class Cache:
    """Arrays on disk, found by what determines them.

    Parameters
    ----------
    folder : path, optional
        Where entries live; by default the user's cache folder, or ``$DIFFUSED_REDUNDANCY_CACHE``.
    refresh_before : float, optional
        Entries written before this time (seconds since 1970) are computed anew. The command line's
        ``--force`` sets it to the start of the run, so that the notebooks of one run still share
        entries. By default ``$DIFFUSED_REDUNDANCY_REFRESH_BEFORE``, else nothing is refreshed.

    Attributes
    ----------
    hits, misses : int
        How many results were found, and how many computed.

    Examples
    --------
    >>> import tempfile
    >>> cache = Cache(tempfile.mkdtemp())
    >>> key = {"kind": "squares", "n": 3}
    >>> for _ in range(2):
    ...     arrays = cache.get_or_compute(key, lambda: {"x": np.arange(3) ** 2})
    >>> arrays["x"], cache.hits, cache.misses
    (array([0, 1, 4]), 1, 1)
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
        name = f"{sha256_of(canonical(key))[:32]}.safetensors"
        return self.folder / str(key.get("kind", "entry")) / name

    def get(self, key: Mapping[str, Any]) -> Arrays | None:
        """The arrays of a key, or None if there is no entry or a corrupt one, which is logged."""
        path = self.path(key)
        if not path.exists():
            return None
        if path.is_dir():
            raise InputError(f"cannot write {path}: a folder of that name is in the way; remove it")
        if not path.is_file():  # one would wait for a pipe
            log.warning("cache entry %s is no file: it is rebuilt", path)
            return None
        try:
            arrays, notes = tensors.read(path)
            # a type that NumPy has from elsewhere (ml_dtypes) has no bytes to look at
            sound = notes.get("key") == canonical(key) and notes.get("checksum") == checksum(arrays)
        except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
            log.warning("cache entry %s cannot be read (%s): it is rebuilt", path, error)
            return None
        if not sound:
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
            Makes the arrays by name; called at most once, under a lock that other processes wait
            for.
        """
        return self.get_or_compute_all({"": key}, lambda _missing: {"": compute()}, lock=key)[""]

    def get_or_compute_all(
        self,
        keys: Mapping[str, Mapping[str, Any]],
        compute: Callable[[list[str]], Mapping[str, Mapping[str, np.ndarray]]],
        *,
        lock: Mapping[str, Any],
    ) -> dict[str, Arrays]:
        """The arrays of several keys that are computed together, where they are not there yet.

        Parameters
        ----------
        keys : mapping from a name to a key
        compute : callable
            From the names that are missing to their arrays; called at most once.
        lock : mapping
            Processes with an equal one wait for each other, whatever their keys.

        Raises
        ------
        ValueError
            If ``compute`` gives other names than it was asked for.
        """
        path = self.path(lock)
        make_folder(path.parent)
        with _alone(path):
            fresh = {name: self._fresh(key) for name, key in keys.items()}
            results = {name: arrays for name, arrays in fresh.items() if arrays is not None}
            missing = [name for name in keys if name not in results]
            self.hits += len(results)
            self.misses += len(missing)
            if missing:
                computed = compute(missing)
                if set(computed) != set(missing):
                    given = ", ".join(computed) or "nothing"
                    raise ValueError(f"asked for {', '.join(missing)}, compute gave {given}")
                for name, arrays in computed.items():
                    results[name] = dict(arrays)
                    self.put(keys[name], arrays)
            return results

    def discard(self, key: Mapping[str, Any]) -> None:
        """Remove the entry of a key, if there is one."""
        self.path(key).unlink(missing_ok=True)

    def peek(self, key: Mapping[str, Any]) -> Arrays | None:
        """The arrays of a key if they are there; nothing is computed or waited for."""
        arrays = self._fresh(key)
        self.hits += arrays is not None
        return arrays

    def _fresh(self, key: Mapping[str, Any]) -> Arrays | None:
        path = self.path(key)
        if self.refresh_before and path.exists():
            # of a time to come is what was written before the clock was set back
            latest = time.time() + _CLOCKS_DIFFER
            if not self.refresh_before <= path.stat().st_mtime <= latest:
                return None
        return self.get(key)
