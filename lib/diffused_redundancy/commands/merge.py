"""The command ``merge``: sums of shards in, what ``measure`` writes out."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..api import measure_layer
from ..cluster.summed_shards import Summed, merged, stride_of
from ..errors import InputError
from ..experiment.merged_layer import MergedLayer
from ..measures.accumulation import blocks
from ..measures.features import Features
from ..measures.labels import class_indices
from ..measures.statistics import SufficientStatistics
from ..measures.validation import check_finite, rows_of
from ..store.places import place_of
from .measure import MEASURING, Request, add_measuring, results_folder, written
from .shards import Asked, command_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.add_argument(
        "out",
        type=Path,
        metavar="DIR",
        help="folder of the shards, for summary.json, curves.csv and report.html too",
    )
    add_measuring(parser)


def run(options: argparse.Namespace) -> int:
    """Merge, measure, write the files and print what they say."""
    names = [one.name for one in fields(Request) if one.name in (*MEASURING, "probe", "device")]
    print(merge(options.out, {name: getattr(options, name) for name in names}))
    return 0


def merge(out: Path, measuring: dict[str, Any]) -> str:
    """Measure what the shards in a folder are of.

    Parameters
    ----------
    out : path
    measuring : dict
        Options of the command ``measure`` that say how to measure.

    Returns
    -------
    str
        What to print.

    Raises
    ------
    InputError
        Before any work, if options are wrong, or shards are missing, damaged or not made alike.
    """
    request = Request(place_of(out), out, **measuring)
    if request.probe not in ("ridge", "none"):
        raise InputError(
            f"--probe {request.probe} needs all train images, and shards are sums of them; "
            "allowed: ridge, none"
        )
    if not out.is_dir():
        raise InputError(f"no folder {out}")
    summed = merged(out, lambda manifest, shard: command_of(manifest, shard, out))
    manifest = summed.manifests[0]
    asked = Asked.of(manifest)
    request = Request(asked.place, out, pool=asked.pool, **measuring)
    with results_folder(out):
        layer, classes, notes = _layer(summed, asked, request)
        result = measure_layer(layer, request.options, classes, notes, narrowed=layer.with_neurons)
        costs = {
            name: [one[name] for one in summed.manifests] for name in ("seconds", "bytes_read")
        }
        cost = {
            "shards": len(summed.manifests),
            "seconds_of_shards": round(sum(costs["seconds"]), 3),
            "seconds_of_longest_shard": max(costs["seconds"]),
            "bytes_read": sum(costs["bytes_read"]) + asked.place.meter.bytes,
        }
        return written(request, result, cost)


def _layer(
    summed: Summed, asked: Asked, request: Request
) -> tuple[MergedLayer, tuple[str, ...], list[str]]:
    """The layer, the names of its classes, and sentences on it."""
    part, n = summed.part, summed.part.statistics.n
    notes: list[str] = list(summed.manifests[0]["notes"])
    features, classes = Features(summed.X), tuple[str, ...]()
    if part.classes is not None:
        if len(part.classes) < 2:
            raise InputError(
                f"y_train holds one class ({part.classes[0]}): make the shards with --probe none "
                "to measure CKA only"
            )
        y, _ = class_indices(summed.y, len(summed.X), "y_train", part.classes)
        X_test, y_test = _test_part(summed, asked, part.classes, notes)
        classes = tuple(str(label) for label in part.classes)
        features = Features(summed.X, y, X_test, y_test, classes)
    stride = stride_of(n)
    if features.labelled and request.probe == "ridge" and request.penalty is None and stride > 1:
        notes.append(
            f"The penalty was chosen by leaving {-(-n // stride)} of {n} train images, one in "
            f"{stride}, out of all, one at a time."
        )
    layer = MergedLayer(
        features,
        summed.rows,
        np.flatnonzero(summed.rows % stride == 0),
        SufficientStatistics.from_arrays(part.statistics.arrays(), request.device),
        standardize=request.standardize,
    )
    return layer, classes, notes


def _test_part(
    summed: Summed, asked: Asked, classes: np.ndarray, notes: list[str]
) -> tuple[torch.Tensor, np.ndarray]:
    """The test part, read a block at a time, which is not in the shards."""
    if asked.fingerprint() != summed.manifests[0]["key"]["input"]:
        raise InputError(
            f"the files in {asked.place} are not those that the shards were made of: make the "
            "shards again"
        )
    _, _, X, y, _ = asked.read()
    test = torch.empty(0)
    for rows in blocks(len(X)):
        block = rows_of(X, rows, "X_test")
        check_finite(block, "X_test", rows.start)
        if not len(test):
            test = torch.empty(len(X), X.shape[1], dtype=block.dtype)
        test[rows] = block
    labels, _ = class_indices(y, len(X), "y_test", classes, notes=notes)
    return test, labels
