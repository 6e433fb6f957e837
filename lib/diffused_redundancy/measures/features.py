"""One container for features and labels, from extraction to measures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from .validation import as_features, as_labels, count_classes


@dataclass(frozen=True)
class Features:
    """The features of a layer on train and test images, with labels.

    Attributes
    ----------
    X_train, X_test : arrays (n, d) and (m, d) of floating-point numbers
        In memory, or read in slices of rows (see ``Rows``). In the augmented protocol the train
        images come once for each view, all images of a view together.
    y_train, y_test : arrays of int (n,) and (m,)
        Classes, from 0. Without them, and without a test part, only CKA can be measured.
    classes : tuple of str
        Names of the classes; may be empty.
    views : int
        How often each train image comes.

    Examples
    --------
    >>> import numpy as np
    >>> features = Features(np.ones((4, 8)), [0, 1, 0, 1], np.ones((2, 8)), [0, 2])
    >>> features.d, features.labelled, features.num_classes
    (8, True, 3)
    """

    X_train: Any = field(repr=False)
    y_train: Any = field(default=None, repr=False)
    X_test: Any = field(default=None, repr=False)
    y_test: Any = field(default=None, repr=False)
    classes: tuple[str, ...] = ()
    views: int = 1

    @property
    def d(self) -> int:
        """Neurons."""
        return int(self.X_train.shape[1])

    @property
    def labelled(self) -> bool:
        """Whether a probe can be fitted and tested."""
        return all(part is not None for part in (self.y_train, self.X_test, self.y_test))

    @property
    def num_classes(self) -> int | None:
        """One more than the largest label of either part; None without labels."""
        parts = {"y_train": self.y_train, "y_test": self.y_test}
        labels = [as_labels(y, len(y), name) for name, y in parts.items() if y is not None]
        return count_classes(torch.cat(labels)) if labels else None

    @property
    def groups(self) -> np.ndarray | None:
        """Which image each train row is a view of, (n,); None where each comes once."""
        if self.views == 1:
            return None
        return np.tile(np.arange(len(self.y_train) // self.views), self.views)

    def check_labelled(self) -> Features:
        """Itself, or InputError if a probe cannot be fitted and tested."""
        if not self.labelled:
            raise InputError(
                "a probe needs labels and a test part: give y_train, X_test and y_test"
            )
        return self

    def columns(self, kept: np.ndarray) -> Features:
        """The same images with some neurons only, in memory."""
        parts: dict[str, Any] = {
            name: None if X is None else np.ascontiguousarray(X[:, kept])
            for name, X in (("X_train", self.X_train), ("X_test", self.X_test))
        }
        return replace(self, **parts)

    def images(self, kept: np.ndarray) -> Features:
        """Some of the train images, by their places, with all views of each, in memory; the test
        part stays.

        Raises
        ------
        InputError
            If there is no image at a place, or an image is named twice.

        Examples
        --------
        >>> import numpy as np
        >>> two_views = Features(np.arange(6.0)[:, None], [0, 1, 2, 0, 1, 2], views=2)
        >>> two_views.images(np.array([2, 0])).X_train[:, 0].tolist()
        [2.0, 0.0, 5.0, 3.0]
        """
        images = len(self.X_train) // self.views
        places = np.asarray(kept, dtype=np.int64)
        if len(np.unique(places)) != len(places) or not np.isin(places, np.arange(images)).all():
            raise InputError(
                f"{len(places)} places of train images: they must be distinct, 0 to {images - 1}"
            )
        rows = (np.arange(self.views)[:, None] * images + places).ravel()
        labels = None if self.y_train is None else np.asarray(self.y_train)[rows]
        some = as_features(self.X_train)[torch.from_numpy(rows)]
        return replace(self, X_train=some, y_train=labels)
