"""Which arrays of a file or folder are the features and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from ..errors import MOST, InputError
from ..measures.features import Features
from ..store.featurefile import ALONE, Stored, contents, read_features
from ..store.places import Place, place_of

USUAL_FEATURES = ("x_train", "features", "embeddings", "x", "feats", "embedding", "arr_0")
USUAL_LABELS = ("y_train", "labels", "y", "targets", "label", "target", "arr_1")
NAMES = ("X_train", "y_train", "X_test", "y_test")


def read_arrays(
    place: Place, features: str | None, labels: str | None, **how: Any
) -> tuple[Features, list[str]]:
    """The arrays of a file or folder, unchecked, and sentences on which were taken.

    Parameters
    ----------
    place : Place
    features, labels : str, optional
        Names of the train part's arrays; ``labels`` may be a file or folder.
    **how
        As for :func:`.read_features`.
    """
    stored = contents(place)
    shards = place.kind == "folder" and ALONE in stored
    if ALONE in stored:
        if features is not None:
            raise InputError(f"{place} holds one array, without a name: leave out --features")
        stored = {NAMES[0]: stored[ALONE]}
    X = features or NAMES[0]
    if X not in stored:
        raise InputError(f"{place} has no array {X!r}{_proposal(X, stored, labels)}")
    n = stored[X].shape[0] if stored[X].shape else 0
    y = labels or NAMES[1]
    elsewhere = labels is not None and y not in stored
    apart = place_of(y, place.meter) if elsewhere else place
    if not apart.kind:
        known = [name for name in stored if stored[name].labels(n)] or stored
        near = min(known, key=lambda name: _likeness(name, y, USUAL_LABELS))
        raise InputError(
            f"{place} has no array {y!r} for --labels, and there is no such file: it holds "
            f"{', '.join(stored)} (nearest: {near})"
        )
    wanted = (X, y, _of_test(X), _of_test(y))
    names = tuple(name for name in wanted if name in stored)
    arrays = read_features(place, names, **how)
    parts = [arrays.get(name) for name in wanted]
    notes = []
    if shards:
        notes.append(f"{place.name} was read as shards of one array, in the order of their names.")
    if names and any(name not in NAMES for name in names):
        notes.append(
            "Arrays: "
            + ", ".join(
                f"{name} as {known}"
                for name, known in zip(wanted, NAMES, strict=True)
                if name in stored
            )
            + "."
        )
    if elsewhere:
        parts[1], of_test = _labels_of(apart, **how)
        parts[3] = of_test if parts[3] is None else parts[3]
        notes.append(f"Labels are of {apart.name}.")
    if parts[1] is None:
        others = [name for name in stored if stored[name].labels(n)]
        if others:
            notes.append(f"{place.name} also holds {', '.join(others)}: --labels NAME takes them.")
    return Features(parts[0], parts[1], parts[2], parts[3]), notes


def _of_test(name: str) -> str:
    """What the array of the test part is called; empty where none can be."""
    for train, test in (("train", "test"), ("Train", "Test"), ("TRAIN", "TEST")):
        if train in name:
            return name.replace(train, test)
    return ""


def _labels_of(place: Place, **how: Any) -> tuple[Any, Any]:
    """The labels of a file or folder of their own: of the train part, and of the test part."""
    stored = contents(place)
    name = NAMES[1] if NAMES[1] in stored else next(iter(stored), "")
    if len(stored) > 1 and name != NAMES[1]:
        raise InputError(
            f"{place} holds {', '.join(stored)}: a file of labels holds y_train, or one array"
        )
    found = read_features(place, (name or NAMES[1], NAMES[3]), **how)
    return next(iter(found.values()), None), found.get(NAMES[3])


def _proposal(wanted: str, stored: Mapping[str, Stored], labels: str | None) -> str:
    """What a file holds, and what to say to have it measured."""
    if not stored:
        return ": it holds none"
    listed = [f"{name} {about}" for name, about in stored.items()]
    more = f", and {len(listed) - MOST} more" if len(listed) > MOST else ""
    held = f": it holds {', '.join(listed[:MOST])}{more}"
    features = [name for name, about in stored.items() if about.floating]
    if not features:
        return f"{held}; none of them can be features"
    X = min(features, key=lambda name: _likeness(name, wanted, USUAL_FEATURES))
    fitting = [name for name in stored if stored[name].labels(stored[X].shape[0])]
    y = min(fitting, key=lambda name: _likeness(name, "", USUAL_LABELS), default=None)
    said = f" --labels {labels or y}" if labels or y else ""
    return f"{held}; say --features {X}{said}"


def _likeness(name: str, wanted: str, usual: Sequence[str]) -> tuple[float, int]:
    """A key that sorts the name that was meant to the front."""
    plain = name.rpartition("/")[2].lower()
    near = SequenceMatcher(None, name.lower(), wanted.lower()).ratio()
    return (-near if near > 0.6 else 0.0), usual.index(plain) if plain in usual else len(usual)
