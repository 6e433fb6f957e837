"""Images in disjoint groups: how a mean over images would differ, had others been taken.

A mean over groups is one over images, so resampling groups resamples images, and a curve needs to
keep a hundred rows only, however many images there are.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

GROUPS = 100
"""Groups of images, at most."""


@lru_cache(maxsize=8)
def image_groups(images: int) -> np.ndarray:
    """The group of each image, (images,): random, as equal in size as can be, and always the same
    for one number of images, so that networks on one task share them.

    >>> len(set(image_groups(250).tolist())), image_groups(3).tolist()
    (100, [2, 0, 1])
    """
    groups = np.random.default_rng(0).permutation(images) % GROUPS
    groups.flags.writeable = False
    return groups


def group_means(right: Tensor) -> Tensor:
    """Values of images, (..., m), by group, (..., groups): sums over a group, over the mean size of
    a group, so that their mean over groups is the mean over images.

    >>> group_means(torch.tensor([False, True, True])).sort().values.tolist()
    [0.0, 1.0, 1.0]
    """
    groups = image_groups(right.shape[-1])
    order = torch.from_numpy(np.argsort(groups, kind="stable")).to(right.device)
    sizes = np.bincount(groups)
    ends = torch.from_numpy(sizes.cumsum() - 1).to(right.device)
    kind = torch.int32 if right.dtype == torch.bool else torch.float64
    sums = right.index_select(-1, order).cumsum(-1, dtype=kind).index_select(-1, ends).double()
    return sums.diff(dim=-1, prepend=torch.zeros_like(sums[..., :1])) * (len(sizes) / len(groups))


def group_matrix(images: int, like: Tensor) -> Tensor:
    """What :func:`group_means` multiplies values (images, ...) by: (groups, images), of the type
    and at the place of ``like``.

    >>> group_matrix(2, torch.zeros(1)).sum(1).tolist()
    [1.0, 1.0]
    """
    groups = torch.from_numpy(image_groups(images).copy()).to(like.device)
    count = int(groups.max()) + 1
    return torch.nn.functional.one_hot(groups, count).T.to(like.dtype) * (count / images)


def halves_of(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two disjoint halves of images with labels (m,), every second one of a class: (m,) each, bool.

    >>> halves_of(np.array([3, 3, 5, 3]))
    (array([ True, False,  True,  True]), array([False,  True, False, False]))
    """
    turn = np.empty(len(labels), dtype=int)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        turn[of_class] = np.arange(len(of_class)) % 2
    return turn == 0, turn == 1
