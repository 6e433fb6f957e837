"""Which test images the probes on the first k neurons guess right: what accuracy by class, on any
part of the images, is made from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..errors import InputError, check_whole
from .image_groups import halves_of


@dataclass(frozen=True)
class Hits:
    """Right guesses on m test images, at every size and for each seed of a selection.

    Attributes
    ----------
    bits : ndarray (seeds, r, ceil(m / 8)), uint8
        Whether each image is guessed right, as ``numpy.packbits`` packs it, at k = 1 ... r.
    margins : ndarray (m,)
        The whole layer's score of an image's own class less the best other one; positive where its
        guess is right.
    labels : ndarray of int (m,)
    num_classes : int

    Raises
    ------
    InputError
        If shapes do not match, or a label is not one of the classes.

    Examples
    --------
    >>> right = np.array([[[1, 0, 0, 0], [1, 0, 1, 1]]], dtype=bool)
    >>> hits = Hits(np.packbits(right, axis=2), np.array([1, -1, 2, 1]), np.array([0, 0, 1, 1]), 2)
    >>> hits.at(1)
    array([[ True, False, False, False]])
    >>> hits.by_class
    array([[[0.5, 0. ],
            [0.5, 1. ]]])
    """

    bits: np.ndarray = field(repr=False)
    margins: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    num_classes: int

    def __post_init__(self) -> None:
        m = len(self.labels)
        if self.margins.shape != (m,) or self.bits.ndim != 3 or self.bits.shape[2] != -(-m // 8):
            raise InputError(
                f"bits {self.bits.shape}, margins {self.margins.shape} and labels "
                f"{self.labels.shape} do not fit: they must be (seeds, sizes, {-(-m // 8)}), "
                f"({m},) and ({m},)"
            )
        if not m or self.labels.min() < 0 or self.labels.max() >= self.num_classes:
            raise InputError(f"labels must be from 0 to {self.num_classes - 1}, one or more")

    @property
    def sizes(self) -> int:
        """The largest k, r."""
        return int(self.bits.shape[1])

    @cached_property
    def counts(self) -> np.ndarray:
        """Images of each class, (C,)."""
        return np.bincount(self.labels, minlength=self.num_classes)

    def at(self, k: int) -> np.ndarray:
        """Right guesses at a size, (seeds, m), bool."""
        k = check_whole(k, "k", 1, self.sizes)
        return np.unpackbits(self.bits[:, k - 1], axis=1, count=len(self.labels)).astype(bool)

    @cached_property
    def full(self) -> np.ndarray:
        """Right guesses of the whole layer, (m,), bool."""
        return self.margins > 0

    @cached_property
    def by_class(self) -> np.ndarray:
        """Accuracy by class, (seeds, r, C); NaN for classes without images."""
        each = [
            accuracy_by_class(
                np.unpackbits(row, axis=1, count=len(self.labels)), self.labels, self.num_classes
            )
            for row in self.bits
        ]
        return np.stack(each)

    @cached_property
    def full_by_class(self) -> np.ndarray:
        """The whole layer's accuracy by class, (C,); NaN for classes without images."""
        return accuracy_by_class(self.full, self.labels, self.num_classes)

    @cached_property
    def halves(self) -> tuple[np.ndarray, np.ndarray]:
        """Two disjoint halves of the images, every second one of a class: (m,) each, bool."""
        return halves_of(self.labels)


def accuracy_by_class(right: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """The share of right guesses (..., m), 0 or 1, by class: (..., C); NaN for classes without
    images.

    >>> accuracy_by_class(np.array([1, 0, 1]), np.array([0, 0, 2]), 3)
    array([0.5, nan, 1. ])
    """
    one_hot = np.equal.outer(labels, np.arange(num_classes)).astype(np.float32)
    counts = np.bincount(labels, minlength=num_classes)
    sums = (np.asarray(right, dtype=np.float32) @ one_hot).astype(float)
    accuracy: np.ndarray = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return accuracy
