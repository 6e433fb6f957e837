"""Make course/redundancy_lab/features.npz, the data of the course, with the library.

python course/make_data.py
"""

from __future__ import annotations

from pathlib import Path

import diffused_redundancy as dr
import numpy as np

FILE = Path(__file__).parent / "redundancy_lab" / "features.npz"

PARTS = {
    "digits": ("miniature_resnet.standard_s1", "digits", 600, 100),
    "digits_mrl": ("miniature_resnet.mrl_s1", "digits", 600, 0),
    "georgian": ("miniature_resnet.standard_s1", "georgian", 495, 40),
    "font_style": ("miniature_resnet.standard_s1", "font_style", 600, 40),
}
"""Network, task, most images in each part (classes balanced), and test images to be shown."""

ORDERS = 20
"""Random orders of the neurons: seeds 1, 2, 3, ... of the selection ``random``."""


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


def main() -> None:
    """Write the file."""
    parts = {key: value for name in PARTS for key, value in arrays(name).items()}
    np.savez_compressed(FILE, orders=orders(), **parts)
    print(f"{FILE}: {FILE.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
