"""Make the data of the course, features.npz and networks.json, with the library.

python course/make_data.py
"""

from __future__ import annotations

import json
from pathlib import Path

import diffused_redundancy as dr
import numpy as np

LAB = Path(__file__).parent / "redundancy_lab"
FILE, NETWORKS = LAB / "features.npz", LAB / "networks.json"

PARTS = {
    "digits": ("miniature_resnet.standard_s1", "digits", 600, 100),
    "digits_mrl": ("miniature_resnet.mrl_s1", "digits", 600, 0),
    "georgian": ("miniature_resnet.standard_s1", "georgian", 495, 40),
    "font_style": ("miniature_resnet.standard_s1", "font_style", 600, 40),
}
"""Network, task, most images in each part (classes balanced), and test images to be shown."""

ORDERS = 20
"""Random orders of the neurons: seeds 1, 2, 3, ... of the selection ``random``."""

PENALTY = 0.01
LOSSES = {
    "standard": "standard",
    "mrl": "mrl",
    "dropout": "dropout_0.5",
    "decov": "decov_1e-2",
    "adversarial": "adversarial_l2_0.5",
    "tenth": "tenth",
    "extended": "extended",
}
"""Networks of which DR is given for five seeds, and their names in the library."""


def arrays(name: str) -> dict[str, np.ndarray]:
    """What the file holds of one part: features in half precision, labels, names and images."""
    network, task_name, images, shown = PARTS[name]
    task = dr.task(task_name, images=images)
    features = dr.features(network, task)
    first = np.stack(list(task.splits["test"].images.batch(0, max(shown, 1))))[:shown]
    if (first == first[..., :1]).all():
        first = first[..., 0]
    return {
        f"{name}/X_train": features.X_train.astype(np.float16),
        f"{name}/y_train": features.y_train.astype(np.uint8),
        f"{name}/X_test": features.X_test.astype(np.float16),
        f"{name}/y_test": features.y_test.astype(np.uint8),
        f"{name}/classes": np.array(task.classes),
        f"{name}/images": first,
        f"{name}/title": np.array(task.title),
        f"{name}/network": np.array(network),
    }


def orders(d: int = 512) -> np.ndarray:
    """Random orders of d neurons, the authors' subsets: int16 (orders, d)."""
    statistics = dr.SufficientStatistics.from_features(np.eye(d), device="cpu")
    drawn = dr.orderings("random", statistics, range(1, ORDERS + 1))
    return np.stack([np.asarray(one.order) for one in drawn]).astype(np.int16)


def redundancy(loss: str, task: str, seed: int) -> dict[str, float]:
    """DR(0.9) of one network by each measure, over the same 20 orders."""
    features = dr.features(f"miniature_resnet.{LOSSES[loss]}_s{seed}", task)
    probe = dr.RidgeProbe(features, penalty=PENALTY)
    orders = dr.orderings("random", probe.statistics, range(1, ORDERS + 1))
    curves = {
        "cka": dr.cka_curve(probe.statistics, orders),
        "standardised cka": dr.cka_curve(probe.statistics, orders, standardize=True),
        "accuracy": probe.curve(orders),
    }
    return {name: round(curve.redundancy(0.9).value, 4) for name, curve in curves.items()}


def main() -> None:
    """Write both files."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for task in ("digits", "armenian"):
        for loss in LOSSES:
            for seed in range(1, 6):
                for measure, value in redundancy(loss, task, seed).items():
                    by_loss = found.setdefault(task, {}).setdefault(measure, {})
                    by_loss.setdefault(loss, []).append(value)
    NETWORKS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8", newline="\n")
    parts = {key: value for name in PARTS for key, value in arrays(name).items()}
    np.savez_compressed(FILE, orders=orders(), **parts)
    print(f"{FILE}: {FILE.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
