"""From images to a network's input, on the device: resize, crop, normalise; and augmented views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .networks import Preprocessing

TOGETHER = 1 << 22
"""Pixels that are resized together at most, where an image alone does not have more: 16 images of
512 pixels a side.
"""


def prepare(images: Iterable[np.ndarray], how: Preprocessing, device: torch.device) -> Tensor:
    """Images, each uint8 (height, width, 3), as a float32 batch (n, 3, size, size) on a device.

    They are made small a few at a time (:data:`TOGETHER`), so that an iterator that decodes them
    keeps few large ones in memory.
    """
    batch = torch.cat(
        [
            resized(torch.from_numpy(group).to(device, non_blocking=True), how)
            for group in _stacked(images)
        ]
    )
    return normalised(batch, how)


def _stacked(images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Neighbours of the same shape as arrays uint8 (k, height, width, 3)."""
    group: list[np.ndarray] = []
    for image in images:
        if group and (
            image.shape != group[0].shape or (len(group) + 1) * image[..., 0].size > TOGETHER
        ):
            yield np.stack(group)
            group = []
        group.append(image)
        del image  # or it would stay while the next one is decoded
        if 2 * group[0][..., 0].size > TOGETHER:
            yield np.stack(group)
            group = []
    if group:
        yield np.stack(group)


def normalised(batch: Tensor, how: Preprocessing) -> Tensor:
    """float32 images (n, 3, size, size) with values 0 to 255, normalised in place."""
    mean = torch.tensor(how.mean, device=batch.device).view(1, 3, 1, 1)
    std = torch.tensor(how.std, device=batch.device).view(1, 3, 1, 1)
    return batch.div_(255).sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)


def resized(images: Tensor, how: Preprocessing) -> Tensor:
    """uint8 (n, height, width, 3) to float32 (n, 3, size, size): resized, centre crop.

    Sizes are rounded as torchvision rounds them.
    """
    batch = images.permute(0, 3, 1, 2).float()
    height, width = batch.shape[-2:]
    size, side = how.size, how.resize or how.size
    if how.squash:
        shape = (side, side)
    elif height <= width:
        shape = (side, int(side * width / height))
    else:
        shape = (int(side * height / width), side)
    if shape != (height, width):
        # Rounded after each direction, as image libraries do: the authors resized 8-bit images, and
        # exact ones give other results (up to a point of accuracy).
        resize = partial(interpolate, mode=how.interpolation, antialias=True, align_corners=False)
        for target in ((height, shape[1]), shape):
            batch = resize(batch, target).round_().clamp_(0, 255)
        height, width = shape
    top, left = round((height - size) / 2), round((width - size) / 2)
    return batch[..., top : top + size, left : left + size].clone()


def augmented(
    images: Iterable[np.ndarray], how: Preprocessing, device: torch.device, *, view: int, start: int
) -> Tensor:
    """One random view of each image, as a batch (n, 3, size, size) on the device.

    The view of an image depends on its index in the data set and on the number of the view only,
    not on the batch.

    Parameters
    ----------
    images : iterable of uint8 (height, width, 3)
    how : Preprocessing
    device : torch.device
    view : int
        From 0.
    start : int
        Index of the first image in the data set.
    """
    from torchvision.transforms import InterpolationMode, v2

    recipe = v2.Compose(
        [
            v2.RandomResizedCrop(
                how.size, interpolation=InterpolationMode(how.interpolation), antialias=True
            ),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(0.25, 0.25, 0.25),
            v2.RandomRotation(2),
        ]
    )
    views = []
    with torch.random.fork_rng(devices=[]):  # the parameters are drawn on the CPU
        for index, image in enumerate(images, start):
            # manual_seed uses 32 bits
            torch.manual_seed(int(np.random.SeedSequence([view, index]).generate_state(1)[0]))
            views.append(recipe(torch.from_numpy(np.array(image)).to(device).permute(2, 0, 1)))
    return normalised(torch.stack(views).float(), how)
