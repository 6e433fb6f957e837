"""Downstream tasks: images and labels with a fixed split."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from ..errors import InputError

HELD_OUT = 0.2
"""Share held out where the user's files have no test part (stratified, split seed 0)."""


class Images(Protocol):
    """A sequence of images that may live on disk."""

    def __len__(self) -> int: ...

    def batch(self, start: int, stop: int) -> list[np.ndarray]:
        """Images start to stop, each uint8 (height, width, 3)."""
        ...

    def take(self, chosen: Sequence[int]) -> Images:
        """Some of the images, by index."""
        ...


@dataclass(frozen=True)
class ArrayImages:
    """Images of one size in memory: uint8 (n, height, width, 3)."""

    array: np.ndarray

    def __len__(self) -> int:
        return len(self.array)

    def batch(self, start: int, stop: int) -> list[np.ndarray]:
        """Images start to stop."""
        return list(self.array[start:stop])

    def take(self, chosen: Sequence[int]) -> ArrayImages:
        """Some of the images."""
        return ArrayImages(self.array[np.asarray(chosen, dtype=int)])


@dataclass(frozen=True)
class Split:
    """One part of a task.

    Attributes
    ----------
    images : Images
        n images.
    labels : ndarray (n,), int64
        Class indices from 0.
    """

    images: Images
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Task:
    """A downstream task, its images loaded when first used.

    Made by name with :func:`task`; make one directly to use images of your own.

    Attributes
    ----------
    name : str
        How parameters name it.
    title : str
        How figures name it.
    classes : tuple of str
        Names of the classes, in the order of the labels.
    fingerprint : str
        Changes whenever an image or a label would; part of every cache key.
    source, license : str
        Where the images come from, and on what terms.
    load : callable
        Makes the train and the test split.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pixels, labels = rng.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8), np.arange(30) % 2
    >>> noise = Task(
    ...     "noise", "Noise", ("even", "odd"), "noise:0", "drawn here", "none",
    ...     load=lambda: split_at(pixels, labels, stratified(labels, 0.2)),
    ... )
    >>> {part: len(split) for part, split in noise.splits.items()}
    {'train': 24, 'test': 6}
    """

    name: str
    title: str
    classes: tuple[str, ...]
    fingerprint: str
    source: str
    license: str
    load: Callable[[], tuple[Split, Split]]

    @cached_property
    def splits(self) -> dict[str, Split]:
        """The parts by name: ``train`` and ``test``."""
        train, test = self.load()
        return {"train": train, "test": test}


def balanced(labels: np.ndarray, n: int, seed: int = 0) -> np.ndarray:
    """Indices, ascending, of ``n`` images (or all) with classes as balanced as they can be.

    Fixed by a seed, and nested: smaller choices are part of larger ones.
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    sorted_labels = labels[by_class]
    starts = np.searchsorted(sorted_labels, sorted_labels)  # where each class begins
    rank = np.arange(len(labels)) - starts
    return np.sort(by_class[np.argsort(rank, kind="stable")[:n]])


def limited(task: Task, n: int) -> Task:
    """A task with at most ``n`` images in each part, classes :func:`balanced`; 0 means all.

    Raises
    ------
    InputError
        If some class would be left without an image.
    """
    if n == 0:
        return task
    if n < len(task.classes):
        raise InputError(
            f"{n} images of {task.name} leave some of its {len(task.classes)} classes without "
            f"one (nearest: {len(task.classes)})"
        )

    def part(split: Split) -> Split:
        chosen = balanced(split.labels, n)
        return Split(split.images.take(chosen.tolist()), split.labels[chosen])

    def load() -> tuple[Split, Split]:
        train, test = task.load()
        return part(train), part(test)

    return replace(
        task,
        fingerprint=f"{task.fingerprint}:at most {n}",
        source=f"{task.source}, at most {n:,} images a part",
        load=load,
    )


def stratified(
    labels: np.ndarray, held_out: float | int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of a train and a test part with the classes in proportion, fixed by a seed.

    ``held_out`` is a share of the images (at least one of each class), or a number of images.
    """
    from sklearn.model_selection import train_test_split

    size = held_out
    if isinstance(held_out, float):
        size = max(math.ceil(held_out * len(labels)), len(np.unique(labels)))
    train, test = train_test_split(
        np.arange(len(labels)), test_size=size, stratify=labels, random_state=seed
    )
    return np.sort(train), np.sort(test)


def split_at(
    images: np.ndarray, labels: np.ndarray, parts: Sequence[np.ndarray]
) -> tuple[Split, Split]:
    """The splits of images in memory at two index arrays."""
    train, test = (
        Split(ArrayImages(images[part]), labels[part].astype(np.int64)) for part in parts
    )
    return train, test
