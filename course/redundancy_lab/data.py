"""The data of the course: features of small networks, with labels and a few images."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("features.npz")
NETWORKS = Path(__file__).with_name("networks.json")


@dataclass(frozen=True)
class Data:
    """The penultimate features of one network on one task.

    The arrays cannot be changed; take a copy to try something (``X = data.X_train.copy()``).

    Attributes
    ----------
    name, title, network : str
    X_train, X_test : ndarray (images, 512)
        One row per image, one column per neuron.
    y_train, y_test : ndarray of int (images,)
        The class of each image, from 0.
    classes : tuple of str
        The names of the classes.
    images : ndarray of uint8 (shown, 32, 32) or (shown, 32, 32, 3)
        The first of the test images; there may be none.
    """

    name: str
    title: str
    network: str
    X_train: np.ndarray = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    X_test: np.ndarray = field(repr=False)
    y_test: np.ndarray = field(repr=False)
    classes: tuple[str, ...] = field(repr=False)
    images: np.ndarray = field(repr=False)

    @property
    def d(self) -> int:
        """How many neurons there are."""
        return self.X_train.shape[1]


def _fixed(array: np.ndarray, kind: type | np.dtype) -> np.ndarray:
    array = array.astype(kind)
    array.flags.writeable = False
    return array


@cache
def load(name: str = "digits") -> Data:
    """The features of a network on a task.

    Parameters
    ----------
    name : str
        ``digits`` (handwritten digits), ``georgian`` (letters of a script the network never saw) or
        ``font_style`` (which font a letter is set in), all of a network with the standard loss; or
        ``digits_mrl``, the same digits seen by a network with the Matryoshka loss.

    Returns
    -------
    Data
    """
    with np.load(FILE) as file:
        names = sorted({key.partition("/")[0] for key in file.files if "/" in key})
        if name not in names:
            raise ValueError(f"there is no data {name!r}: choose one of {', '.join(names)}")
        parts = {key: file[f"{name}/{key}"] for key in _PARTS}
    features = {key: _fixed(parts[key], np.float64) for key in ("X_train", "X_test")}
    labels = {key: _fixed(parts[key], np.int64) for key in ("y_train", "y_test")}
    return Data(
        name=name,
        title=str(parts["title"]),
        network=str(parts["network"]),
        classes=tuple(map(str, parts["classes"])),
        images=_fixed(parts["images"], np.uint8),
        **features,
        **labels,
    )


_PARTS = ("X_train", "y_train", "X_test", "y_test", "classes", "images", "title", "network")


@cache
def orders(count: int = 5) -> np.ndarray:
    """Random orders of the 512 neurons, those of seeds 1, 2, 3, ... in the paper's code.

    Parameters
    ----------
    count : int
        At most 20.

    Returns
    -------
    ndarray of int (count, 512)
        The first k of a row are k random neurons.
    """
    with np.load(FILE) as file:
        drawn = file["orders"]
    if not 1 <= count <= len(drawn):
        raise ValueError(f"{count} orders: there are 1 to {len(drawn)}")
    return _fixed(drawn[:count], np.int64)


def networks(loss: str, measure: str = "cka", task: str = "digits") -> np.ndarray:
    """DR(0.9), diffused redundancy, of five networks that differ in their pre-training seed.

    Parameters
    ----------
    loss : str
        ``standard``, ``mrl``, ``dropout``, ``decov`` or ``adversarial``; ``tenth`` and ``extended``
        have the standard loss and other training images (a tenth of them; more kinds of letters).
    measure : str
        ``cka``, ``standardised cka`` or ``accuracy`` (of ridge probes).
    task : str
        ``digits`` or ``armenian``.

    Returns
    -------
    ndarray (5,)
        The share of the neurons that can be dropped, of seeds 1 to 5.
    """
    found = json.loads(NETWORKS.read_text(encoding="utf-8"))
    for name, kind in ((task, "task"), (measure, "measure"), (loss, "loss")):
        if name not in found:
            raise ValueError(f"there is no {kind} {name!r}: choose one of {', '.join(found)}")
        found = found[name]
    return np.array(found)
