"""What labels may look like: one rule for every way in."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..errors import InputError

UNLABELLED = (-1, -100)
"""Marks of images without a label: usual ones, of data sets and of losses."""


def class_indices(
    labels: Any,
    n: int,
    name: str = "y",
    classes: np.ndarray | None = None,
    *,
    of: str = "the train labels",
    notes: list[str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels as indices into the sorted classes that occur, and these classes.

    Parameters
    ----------
    labels : array (n,) or (n, 1), or one-hot (n, C)
        Whole numbers of any values, also in floating point; truth values; or words.
    n : int
        How many images there are.
    name : str
        What to call the labels in an error.
    classes : array (C,), optional
        For a test part: the classes of the train part. No other label may occur.
    of : str
        What to call the labels that gave ``classes``.
    notes : list of str, optional
        Gets a sentence for each reading that is not plain.

    Returns
    -------
    (int64 (n,), array (C,))

    Raises
    ------
    InputError
        If the labels are of another length or kind, are missing for an image (null, NaN, -1), or
        are not among the classes, with the nearest that is.

    Examples
    --------
    >>> class_indices([500, 0, 500], 3)
    (array([1, 0, 1]), array([  0, 500]))
    >>> class_indices(["bee", "ant"], 2, "y_test", np.array(["ant", "bee", "cat"]))
    (array([1, 0]), array(['ant', 'bee', 'cat'], dtype='<U3'))
    """
    array, note = label_values(labels, n, name, () if classes is None else classes)
    if note and notes is not None:
        notes.append(note)
    if classes is None:
        classes, index = np.unique(array, return_inverse=True)
        return index.astype(np.int64), classes
    if (array.dtype.kind == "U") != (classes.dtype.kind == "U"):
        kinds = ["words" if a.dtype.kind == "U" else "whole numbers" for a in (array, classes)]
        raise InputError(
            f"{name} holds {kinds[0]}, {of} {kinds[1]}: give both alike, such as "
            f"{name}.astype({'int' if kinds[1] == 'whole numbers' else 'str'})"
        )
    strange = np.setdiff1d(array, classes)
    if len(strange):
        raise InputError(
            f"{name} holds {strange[0]}, which is not among the {len(classes)} classes of {of} "
            f"(nearest: {_nearest(strange[0], classes)})"
        )
    return np.searchsorted(classes, array).astype(np.int64), classes


def _nearest(label: Any, classes: np.ndarray) -> Any:
    if classes.dtype.kind == "U":
        near = difflib.get_close_matches(label, classes.tolist(), n=1, cutoff=0)
        return near[0]
    return min(classes.tolist(), key=lambda known: abs(int(known) - int(label)))


def label_values(
    labels: Any, n: int, name: str, known: Iterable[Any] = ()
) -> tuple[np.ndarray, str]:
    """One label per image as integers, truth values or words (n,), and a sentence if they came in
    another form that can mean nothing else. ``known`` classes are no marks of a missing label.
    """
    array, kind = _array(labels, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    note = ""
    if array.ndim == 2 and len(array) == n and array.dtype.kind in "iufb" and _one_hot(array):
        array = array.argmax(1)
        note = f"{name} is one-hot: the column that holds the 1 was taken as the class."
    if array.ndim != 1 or len(array) != n:
        raise InputError(
            f"{name} has shape {array.shape}: there must be one label for each of the {n} images"
        )
    if array.dtype.kind in "OTS":
        array = _words(array, name)
    if array.dtype.kind == "f":
        array = _whole(array, name, kind)
        note = note or f"{name} holds whole numbers as {kind}: they were taken as classes."
    if array.dtype.kind not in "iubU":
        raise InputError(f"{name} holds {kind}: labels must be whole numbers or words")
    if array.dtype.kind == "i":
        _check_marks(array, name, set(known))
    return array, note


def _check_marks(array: np.ndarray, name: str, known: set[Any]) -> None:
    """InputError if images are marked as unlabelled; -1 beside 1 alone is one of two classes."""
    occurring = set(np.unique(array).tolist())
    for mark in UNLABELLED:
        if mark in occurring and mark not in known and occurring != {-1, 1}:
            raise InputError(
                f"{name} holds {mark} for {int((array == mark).sum())} of {len(array)} images, "
                "the mark of images without a label: leave these rows out of features and labels "
                f"(keep = labels != {mark}), or give words: labels.astype(str)"
            )


def _array(labels: Any, name: str) -> tuple[np.ndarray, str]:
    """Labels of any container as an array, and their type as it was."""
    labels = dense(labels, name)
    if isinstance(labels, Tensor):
        kind = str(labels.dtype).removeprefix("torch.")
        labels = labels.detach().cpu()
        return (labels.float() if kind == "bfloat16" else labels).numpy(), kind
    if hasattr(labels, "to_numpy"):
        labels = labels.to_numpy()
    elif not isinstance(labels, np.ndarray) and hasattr(labels, "shape") and len(labels.shape):
        labels = labels[0 : labels.shape[0]]  # rows of a file
        if isinstance(labels, Tensor):
            return _array(labels, name)
    try:
        array = np.asarray(labels)
    except ValueError as error:
        raise InputError(f"{name} is a list whose rows differ in length") from error
    if isinstance(labels, (list, tuple)) and array.dtype.kind in "US":
        objects = np.array(labels, dtype=object)
        if not all(isinstance(one, (str, bytes)) for one in objects.ravel()):
            array = objects  # NumPy has made words of numbers, and of NaN
    kind = array.dtype.name
    return (array.astype(np.float32) if kind == "bfloat16" else array), kind


def dense(values: Any, name: str) -> Any:
    """The values themselves, or InputError if they are a sparse matrix."""
    if isinstance(values, Tensor) and values.layout != torch.strided:
        raise InputError(f"{name} is a sparse tensor: give {name}.to_dense()")
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        raise InputError(f"{name} is a sparse matrix: give {name}.toarray()")
    return values


def _one_hot(array: np.ndarray) -> bool:
    ones = array == 1
    return bool((ones.sum(1) == 1).all() and (ones | (array == 0)).all())


def _words(array: np.ndarray, name: str) -> np.ndarray:
    """Objects as what they all are: words, whole numbers or truth values."""
    missing = np.flatnonzero(pd.isna(array.astype(object)))
    if len(missing):
        raise InputError(
            f"{name} has no label for {len(missing)} of {len(array)} images (first: row "
            f"{missing[0]} holds {array[missing[0]]}): leave these rows out of features and labels"
        )
    values = array.tolist()
    if all(isinstance(value, bytes) for value in values):
        values = [value.decode("utf-8", "backslashreplace") for value in values]
    if all(isinstance(value, str) for value in values):
        return np.array(values, dtype=str)
    try:
        plain = np.array(values)
    except ValueError:  # of lists that differ in length
        plain = array
    if plain.dtype.kind in "iub" and plain.ndim == 1:
        return plain
    if plain.dtype.kind == "f" and plain.ndim == 1:
        return _whole(plain, name, "float64")
    kinds = sorted({type(value).__name__ for value in values})
    raise InputError(
        f"{name} holds objects of type {', '.join(kinds)}: labels must be whole numbers or words, "
        f"all alike, such as {name}.astype(str)"
    )


def _whole(array: np.ndarray, name: str, kind: str) -> np.ndarray:
    """Whole numbers in floating point as integers."""
    missing = np.flatnonzero(np.isnan(array))
    if len(missing):
        raise InputError(
            f"{name} has no label for {len(missing)} of {len(array)} images (first: row "
            f"{missing[0]} holds nan): leave these rows out of features and labels"
        )
    odd = np.flatnonzero(array != np.round(array))
    if len(odd) or not np.isfinite(array).all():
        example = array[odd[0]] if len(odd) else np.inf
        raise InputError(
            f"{name} holds {kind} such as {example:g}: labels must be whole numbers or words"
        )
    eps = 2.0**-7 if kind == "bfloat16" else np.finfo(array.dtype).eps
    largest = np.abs(array).max(initial=0)
    if largest >= 2 / eps:
        raise InputError(
            f"{name} holds {largest:g} as {kind}, which keeps whole numbers exactly below "
            f"{2 / eps:g} only: give integers or words"
        )
    return array.astype(np.int64)
