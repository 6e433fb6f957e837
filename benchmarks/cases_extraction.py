"""Feature extraction, loading and preprocessing included, against the forward pass alone and a
matrix product.
"""

from __future__ import annotations

import os
from pathlib import Path

import diffused_redundancy as dr
import torch
from diffused_redundancy.nets import Net, extraction
from diffused_redundancy.nets.preprocess import prepare
from diffused_redundancy.tasks import Split
from table import Row
from timing import interleaved
from torch.utils.flop_counter import FlopCounterMode

VARIABLE = "DIFFUSED_REDUNDANCY_REAL"
"""See :mod:`cases_real`."""

NAME = "extraction"


def passes(quick: bool) -> list[Row]:
    """A pass over the train images of a task by a miniature network, and by a ResNet18 at 224
    pixels if there is one.
    """
    rounds = 2 if quick else 9
    images = 400 if quick else 2000
    rows = _compare(
        dr.net("miniature_resnet.standard_s1"),
        dr.task("georgian", images=images).splits["train"],
        rounds,
        not quick,
    )
    folder = os.environ.get(VARIABLE)
    if folder:
        network = dr.net(f"resnet18.tv_in1k@{Path(folder) / 'resnet18_imagenet1k.safetensors'}")
        rows += _compare(
            network,
            dr.task(f"folder:{Path(folder) / 'cifar10_subset'}", images=images // 10).splits[
                "train"
            ],
            rounds,
            not quick,
        )
    else:
        print(f"{NAME} of a ResNet18 skipped: {VARIABLE} names no folder")
    return rows


def _compare(network: Net, split: Split, rounds: int, judged: bool) -> list[Row]:
    size, count = network.preprocessing.size, len(split)
    batch = extraction.cpu_batch(size)
    module = network.module.to(memory_format=torch.channels_last)
    starts = range(0, count, batch)
    ready = [
        prepare(
            split.images.batch(i, min(i + batch, count)), network.preprocessing, torch.device("cpu")
        )
        for i in starts
    ]
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        for images in ready:
            extraction.forward(module, images)
    square = torch.randn(1024, 1024)

    def alone() -> None:
        with torch.inference_mode():
            for images in ready:
                extraction.forward(module, images)

    timed = interleaved(
        {
            "extract": lambda: extraction.extract(network, split, device="cpu"),
            "forward": alone,
            "product": lambda: square @ square,
        },
        rounds,
    )
    what = f"{network.name.partition('@')[0]}, {count:,} images of {size} pixels"
    flops = counter.get_total_flops()
    share = flops / (2 * 1024**3) / timed.ratio("forward", "product")
    rests_on = (
        f"{flops / count / 1e9:.3g} GFLOP an image, batches of {batch}, against a "
        "product of 1024 x 1024 in "
        "float32"
    )
    return [
        Row(
            NAME,
            f"{what}: speed over the forward pass's alone",
            timed.ratio("forward", "extract"),
            "times",
            0.9,
            True,
            judged,
            timed.summary("forward", "extract"),
        ),
        Row(
            NAME,
            f"{what}: operations a second of the forward pass over a matrix product's",
            share,
            "times",
            detail=rests_on,
        ),
    ]
