"""Adversarial perturbations by projected gradient descent (PGD), and accuracy under them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..errors import check_number, check_whole, unknown
from .upstream import MEAN, STD, to_batch

NORMS = ("l2", "linf")


@dataclass(frozen=True)
class Threat:
    """The perturbations an adversary may add: of at most ``radius`` in a norm, pixels in [0, 1]."""

    norm: str
    radius: float

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise unknown("norm", self.norm, NORMS)
        check_number(self.radius, "radius of the perturbation", 0, open_low=True)

    def __str__(self) -> str:
        return f"{self.norm}_{self.radius:.4g}"

    def project(self, delta: Tensor) -> Tensor:
        """The nearest perturbation within the radius, for each of a batch (n, ...)."""
        if self.norm == "linf":
            return delta.clamp(-self.radius, self.radius)
        norms = _norms(delta)
        return delta * (self.radius / norms.clamp(min=self.radius))

    def steepest(self, gradient: Tensor) -> Tensor:
        """The direction of steepest ascent, of unit size in the norm."""
        if self.norm == "linf":
            return gradient.sign()
        return gradient / _norms(gradient).clamp(min=1e-12)

    def start(self, like: Tensor) -> Tensor:
        """A random perturbation within the radius."""
        if self.norm == "linf":
            return (2 * torch.rand_like(like) - 1) * self.radius
        direction = torch.randn_like(like)
        scale = torch.rand(len(like), *[1] * (like.ndim - 1), device=like.device, dtype=like.dtype)
        return direction / _norms(direction) * scale * self.radius


def _norms(batch: Tensor) -> Tensor:
    norms: Tensor = batch.flatten(1).norm(dim=1)
    return norms.view(-1, *[1] * (batch.ndim - 1))


def perturb(net: nn.Module, images: Tensor, labels: Tensor, threat: Threat, steps: int) -> Tensor:
    """Images perturbed within a threat to raise the network's cross-entropy.

    Projected gradient descent from a random start, each step 2.5 radii over ``steps`` long. The
    network runs in evaluation mode; the modes of its modules are restored. Draws from torch's
    global generator.

    Parameters
    ----------
    images : (n, 3, height, width)
        Normalised as by ``upstream.to_batch``.
    labels : int64 (n,)
    threat : Threat
    steps : int
        At least 1.

    Returns
    -------
    Tensor (n, 3, height, width)
        Normalised alike; pixels stay in [0, 1] and perturbations within the radius.
    """
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1)
    pixels = images * std + mean
    length = 2.5 * threat.radius / check_whole(steps, "steps of the descent", 1)
    modes = {module: module.training for module in net.modules()}
    net.eval()

    def inside(delta: Tensor) -> Tensor:
        # clamping pixels to [0, 1] only shortens a perturbation
        return (pixels + threat.project(delta)).clamp(0, 1) - pixels

    delta = inside(threat.start(pixels))
    try:
        for _ in range(steps):
            delta = delta.detach().requires_grad_(True)
            with torch.enable_grad():
                logits = net((pixels + delta - mean) / std).float()
                loss = cross_entropy(logits, labels, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, delta)
            delta = inside(delta.detach() + length * threat.steepest(gradient))
    finally:
        for module, mode in modes.items():
            module.training = mode
    return ((pixels + delta.detach() - mean) / std).contiguous(memory_format=torch.channels_last)


def batches(images: int) -> list[slice]:
    """Which images a trained network sees at once."""
    return [slice(start, start + 500) for start in range(0, images, 500)]


def robust_top1(
    net: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    threat: Threat,
    device: torch.device,
    *,
    steps: int = 10,
    seed: int = 0,
) -> float:
    """Accuracy under attack on images, uint8 (n, 32, 32, 3), in [0, 1]."""
    net.eval()
    right = 0
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for some in batches(len(images)):
            clean = to_batch(images[some], device)
            truth = torch.from_numpy(labels[some]).to(device)
            with torch.inference_mode(False):
                attacked = perturb(net, clean, truth, threat, steps)
            with torch.inference_mode():
                right += int((net(attacked).argmax(1) == truth).sum())
    return right / len(images)
