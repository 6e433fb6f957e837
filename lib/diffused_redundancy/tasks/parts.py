"""Parts and labels of a user's own data: which part is for training and which for testing, and
labels as indices of the classes that occur.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from .splits import HELD_OUT, stratified

TRAIN_WORDS = ("train", "training")
TEST_WORDS = ("test", "testing", "val", "valid", "validation", "eval", "evaluation", "dev")
"""What parts are called, whatever their capitals; the first that is there is the test part."""

_PART = re.compile(
    rf"(?:seg[ _-]?)?({'|'.join((*TRAIN_WORDS, *TEST_WORDS))})"
    r"(?:[ _-]?(?:set|data|dataset|images|split|part))?(?:[ _-]?\d+)?",
    re.IGNORECASE,
)

HELD_OUT_NOTE = (
    f"no test part: {HELD_OUT:.0%} of the images are held out (stratified, split seed 0)"
)


def part_names(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those of some names that mean a train part, and those that mean a test part, in the order in
    which they are taken.

    >>> part_names(["docs", "val", "Testing", "seg_train", "training_set"])
    (['seg_train', 'training_set'], ['Testing', 'val'])
    """
    found = [(match[1].lower(), name) for name in names if (match := _PART.fullmatch(name))]

    def called(words: Sequence[str]) -> list[str]:
        mine = [(words.index(word), len(name), name) for word, name in found if word in words]
        return [name for *_, name in sorted(mine)]

    return called(TRAIN_WORDS), called(TEST_WORDS)


def parts_note(train: str, test: str | None, left: Sequence[str]) -> str:
    """Which parts are used, in words."""
    used = f"parts {train} and {test}" if test else f"part {train}, {HELD_OUT_NOTE}"
    return f"{used}; left out: {', '.join(left)}" if left else used


def with_notes(source: str, *notes: str) -> str:
    """Where images come from, with what else a report has to say of them."""
    said = "; ".join(note for note in notes if note)
    return f"{source} ({said})" if said else source


def hold_out(
    labels: np.ndarray, classes: Sequence[str], where: object
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of a train and a test part of images without parts.

    Raises
    ------
    InputError
        If a class has one image only.
    """
    counts = np.bincount(labels, minlength=len(classes))
    if counts.min() < 2:
        rare = classes[int(counts.argmin())]
        raise InputError(
            f"{where}: each class needs at least two images to hold one out, and {rare} has "
            f"{counts.min()}"
        )
    return stratified(labels, HELD_OUT)


def read_labels(values: Any, n: int, name: str) -> tuple[np.ndarray, str]:
    """Labels as whole numbers, truth values or words, (n,), and what was done to them, in words;
    see :func:`..measures.labels.label_values`.
    """
    from ..measures.labels import label_values  # brings torch

    return label_values(values, n, name)


def numbered(
    train: np.ndarray,
    test: np.ndarray | None,
    called: tuple[str, str],
    names: Sequence[str] = (),
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Labels as indices of the classes that occur in the train part, and these classes by name.

    Parameters
    ----------
    train, test : ndarray
        Whole numbers, or words.
    called : tuple of two str
        What errors call the labels of the two parts.
    names : sequence of str
        Of the classes 0, 1, ...; without them, classes are called as their labels.

    Raises
    ------
    InputError
        If fewer than two classes occur, test images have a class that train images lack, or there
        are too few names.
    """
    occurring, index = np.unique(train, return_inverse=True)
    words = occurring.dtype.kind == "U"
    if len(occurring) < 2:
        count = "one class" if len(occurring) else "no labels"
        raise InputError(f"{called[0]} holds {count}: a task needs at least two classes")
    if test is not None and (test.dtype.kind == "U") != words:
        kinds = ("words", "whole numbers") if words else ("whole numbers", "words")
        raise InputError(f"{called[0]} holds {kinds[0]} and {called[1]} {kinds[1]}")
    numbers = [] if words else [part for part in (train, test) if part is not None and len(part)]
    highest = max((int(part.max()) for part in numbers), default=-1)
    if len(names) and (words or highest >= len(names)):
        given = "words" if words else f"whole numbers up to {highest}"
        raise InputError(
            f"{len(names)} classes are named, and {called[0]} holds {given}: labels are 0 to "
            f"{len(names) - 1}"
        )

    def name(label: Any) -> str:
        return str(names[int(label)]) if len(names) else str(label)

    if test is None:
        return index.astype(np.int64), None, tuple(map(name, occurring))
    strange = np.setdiff1d(test, occurring)
    if len(strange):
        raise InputError(
            f"{called[1]} holds {name(strange[0])}, which is not among the {len(occurring)} "
            f"classes of {called[0]}"
        )
    return (
        index.astype(np.int64),
        np.searchsorted(occurring, test).astype(np.int64),
        tuple(map(name, occurring)),
    )
