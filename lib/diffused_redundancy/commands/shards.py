"""Summing up one of several parts of the train images: ``measure --shard I/N``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..cluster.summed_shards import Shard, key_of, made_alike, write_shard
from ..devices import resolve_device
from ..errors import InputError
from ..measures.pooling import pooled
from ..measures.validation import check_features
from ..store.cache import canonical
from ..store.featurefile import IN_RANGES, contents
from ..store.files import sha256_of
from ..store.places import LocalPlace, Place, files_in, place_of
from .arrays import NAMES, read_arrays


@dataclass(frozen=True)
class Asked:
    """What shall be summed up.

    Attributes
    ----------
    place : Place
        Of the features.
    features, labels, pool : str, optional
        As for the command ``measure``.
    probe : bool
        Whether labels count.
    """

    place: Place
    features: str | None = None
    labels: str | None = None
    pool: str | None = None
    probe: bool = True

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Asked:
        """What a shard was made with."""
        asked = manifest["asked"]
        return cls(**{**asked, "place": place_of(asked["place"])})

    @property
    def settings(self) -> dict[str, Any]:
        """As JSON; a path that counts from this folder is made one from anywhere."""
        return {
            "place": _anywhere(self.place),
            "features": self.features,
            "labels": self.labels if self._apart is None else _anywhere(self._apart),
            "pool": self.pool,
            "probe": self.probe,
        }

    @cached_property
    def _apart(self) -> Place | None:
        """The file or folder of the labels, if they have one."""
        if self.labels is None:
            return None
        place = place_of(self.labels, self.place.meter)
        return place if place.kind and self.labels not in contents(self.place) else None

    def words(self) -> list[str]:
        """The same as words of a command."""
        said = self.settings
        words = [said["place"]]
        for name in ("features", "labels", "pool"):
            words += [f"--{name}", said[name]] if said[name] is not None else []
        return words + ([] if self.probe else ["--probe", "none"])

    def read(self) -> tuple[Any, Any, Any, Any, list[str]]:
        """X_train, y_train, X_test and y_test as rows that are read in slices, or None; and
        sentences on them. Without a probe there are only the first.

        Raises
        ------
        InputError
            If the file is not read in ranges, or there are labels without a test part.
        """
        if self.place.kind == "file" and self.place.suffix not in IN_RANGES:
            raise InputError(
                f"{self.place}: shards are read from {', '.join(IN_RANGES)} files, from any row "
                "on; save it as one of these"
            )
        given, notes = read_arrays(self.place, self.features, self.labels, whole_below=0)
        X, note = pooled(given.X_train, self.pool, NAMES[0])
        X = check_features(X, NAMES[0])
        notes += [note] if note else []
        if len(X) < 2:
            raise InputError("X_train holds one image: at least two are needed")
        if not self.probe:
            return X, None, None, None, notes
        if given.y_train is None:
            return X, None, None, None, [*notes, "There are no labels, so only CKA is measured."]
        if given.X_test is None or given.y_test is None:
            missing = " and ".join(
                name
                for name, values in (("X_test", given.X_test), ("y_test", given.y_test))
                if values is None
            )
            raise InputError(
                f"there are labels, but no {missing}: nothing is held out of shards; give a test "
                "part, or --probe none to measure CKA only"
            )
        if len(given.y_train) != len(X):
            raise InputError(f"there are {len(given.y_train)} labels for {len(X)} train images")
        X_test, _ = pooled(given.X_test, self.pool, "X_test")
        X_test = check_features(X_test, "X_test")
        if X_test.shape[1] != X.shape[1]:
            raise InputError(f"X_test has {X_test.shape[1]} neurons: X_train has {X.shape[1]}")
        if len(given.y_test) != len(X_test):
            raise InputError(f"there are {len(given.y_test)} labels for {len(X_test)} test images")
        return X, given.y_train, X_test, given.y_test, notes

    def fingerprint(self) -> dict[str, str]:
        """Of the input: names, sizes and last changes of its files."""
        places = [self.place, *([self._apart] if self._apart is not None else [])]
        told = [[one.name, one.size, one.stamp] for place in places for one in files_in(place)]
        return {"files": sha256_of(canonical({"files": told}))}


def _anywhere(place: Place) -> str:
    return str(place.path.absolute()) if isinstance(place, LocalPlace) else str(place)


def command_of(manifest: Mapping[str, Any], shard: str, out: Path) -> str:
    """The command that makes a shard like another one."""
    words = [*Asked.of(manifest).words(), "--shard", shard, "--out", str(out)]
    return f"python -m diffused_redundancy measure {shlex.join(words)}"


def summed_shard(shard: Shard, asked: Asked, out: Path, device: str) -> str:
    """Sum up a shard, write its file into ``out``, and say what was done."""
    place = asked.place
    if isinstance(place, LocalPlace) and out.resolve().is_relative_to(place.path.resolve()):
        raise InputError(
            f"--out {out} is in the folder of the features, {place}: choose one beside it"
        )
    if not place.kind:
        raise InputError(f"no file {place}")
    settings = asked.settings
    key = key_of(shard, settings, asked.fingerprint(), code=("commands.arrays", "commands.shards"))
    ready = made = made_alike(shard, out, key)
    if made is None:
        X, y, _, _, notes = asked.read()
        made = write_shard(
            shard,
            out,
            X,
            y,
            key,
            {"asked": settings, "notes": notes},
            device=resolve_device(device).type,
            bytes_read=lambda: place.meter.bytes,
        )
    start, stop = made["rows"]
    rows = f"images {start} to {stop - 1} of {made['n']}" if stop > start else "no images"
    said = "it was there already" if ready else f"{made['seconds']:.1f} s"
    return (
        f"Shard {shard.number} of {shard.of}: {rows}; {made['bytes_read'] / 1e6:.1f} MB read; "
        f"{said}. When all are there: python -m diffused_redundancy merge {shlex.quote(str(out))}"
    )
