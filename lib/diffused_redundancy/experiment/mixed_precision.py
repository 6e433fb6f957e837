"""What mixed precision does to features, CKA and accuracy: measured on some images of the task at
hand, and said in the report.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..measures.features import Features
from ..measures.selections import ordering
from ..nets.extraction import extract
from ..nets.networks import Net
from ..probes.ridge import RidgeProbe
from ..tasks import Task
from ..tasks.splits import balanced

IMAGES = 1000
"""Of each part, at most."""


@dataclass(frozen=True)
class Effect:
    """A way to compute features against float32.

    Attributes
    ----------
    images : int
        Train and test images looked at.
    error : float
        The norm of the difference of centred features as a share of the norm of the centred
        features.
    cka : float
        Linear CKA between the two.
    accuracy, redundancy : tuple of float
        Of the ridge probe on the whole layer, and DR(0.9) of its accuracy for one random order: in
        float32, and computed the other way.
    """

    images: int
    error: float
    cka: float
    accuracy: tuple[float, float]
    redundancy: tuple[float, float]

    def sentence(self, compute: str) -> str:
        """In words."""
        return (
            f"{compute} against float32, on one clean view of {self.images:,} images at the "
            "penultimate layer: features differ by "
            f"{self.error:.2%} of their spread, CKA between the two is {self.cka:.6f}, ridge "
            f"accuracy is {self.accuracy[1]:.1%} instead of "
            f"{self.accuracy[0]:.1%}, and its DR(0.9) {self.redundancy[1]:.3f} instead of "
            f"{self.redundancy[0]:.3f} (one random order)"
        )


def effect(network: Net, task: Task, compute: str, *, device: str = "auto") -> Effect:
    """Measure what a way to compute features does, at the penultimate layer.

    Parameters
    ----------
    network : Net
    task : Task
    compute : str
        One of ``protocols.COMPUTE``.
    device : str
    """
    parts = {}
    for name, split in task.splits.items():
        chosen = balanced(split.labels, IMAGES)
        parts[name] = type(split)(split.images.take(chosen.tolist()), split.labels[chosen])
    features = [
        [
            extract(network, part, device=device, compute=how)["penultimate"].astype(np.float64)
            for part in parts.values()
        ]
        for how in ("float32", compute)
    ]
    exact, other = (train - train.mean(0) for train, _ in features)
    cross, own, theirs = (
        np.linalg.norm(a.T @ b) for a, b in ((exact, other), (exact, exact), (other, other))
    )
    accuracy, redundancy = [], []
    y_train, y_test = (part.labels for part in parts.values())
    for train, test in features:
        probe = RidgeProbe(Features(train, y_train, test, y_test), device="cpu")
        curve = probe.curve(ordering("random", probe.statistics, seed=1))
        accuracy.append(curve.full)
        redundancy.append(curve.redundancy(0.9).value)
    return Effect(
        images=sum(len(part) for part in parts.values()),
        error=float(np.linalg.norm(other - exact) / np.linalg.norm(exact)),
        cka=float(cross**2 / (own * theirs)),
        accuracy=(accuracy[0], accuracy[1]),
        redundancy=(redundancy[0], redundancy[1]),
    )
