"""The preset ``cifar`` through its own path, on a real ResNet18 and real CIFAR10 images:
redundancy, time and memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from diffused_redundancy.store.paths import CACHE_VARIABLE
from table import Row

VARIABLE = "DIFFUSED_REDUNDANCY_REAL"
"""See :mod:`cases_real`."""

NAME = "cifar_preset"

PRINTED = 0.80
"""DR(0.9) of ResNet18 on CIFAR10 in the paper's table 1, read off its grid of fractions."""


def path(quick: bool) -> list[Row]:
    """The notebooks of the preset (with ``quick`` the probes only, on 600 images of each part),
    with an image folder and weights of a file.
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        print(f"{NAME} skipped: {VARIABLE} names no folder")
        return []
    with tempfile.TemporaryDirectory(prefix="diffused-redundancy-") as scratch:
        words = [
            sys.executable,
            "-m",
            "diffused_redundancy",
            "run",
            "--preset",
            "cifar",
            "--out",
            scratch,
        ]
        words += [
            "-p",
            "NETS",
            json.dumps([f"resnet18.tv_in1k@{Path(folder) / 'resnet18_imagenet1k.safetensors'}"]),
        ]
        words += ["-p", "TASKS", json.dumps([f"folder:{Path(folder) / 'cifar10_subset'}"])]
        words += ["--only", "02_probes", "-p", "IMAGES", "600"] if quick else []
        started = time.perf_counter()
        answer = subprocess.run(
            words,
            env={**os.environ, CACHE_VARIABLE: str(Path(scratch) / "cache")},
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - started
        if answer.returncode:
            raise RuntimeError(f"the run failed: {answer.stderr.strip()}")
        results = next(Path(scratch).glob("cifar-custom-*/results"))
        values = json.loads((results / "02_probes.json").read_text(encoding="utf-8"))["results"]
        outcomes = [
            json.loads(one.read_text(encoding="utf-8"))
            for one in sorted(results.glob("*.outcome.json"))
        ]
    rows = [
        Row(
            NAME,
            f"{name} (the paper prints {PRINTED:.2f} for logistic probes)",
            value,
            detail="all of CIFAR10 there",
        )
        for name, value in values.items()
        if name.startswith("DR(0.9) of")
    ]
    each = ", ".join(f"{one['notebook']} {one['seconds']:.0f} s" for one in outcomes)
    peak = max(outcomes, key=lambda one: one["memory"])
    return [
        *rows,
        Row(
            NAME,
            f"run of {len(outcomes)} notebooks with an empty cache",
            seconds,
            "s",
            detail=each,
        ),
        Row(
            NAME,
            "largest peak memory of a notebook",
            1e3 * 1.0737 * peak["memory"],
            "MB",
            detail=peak["notebook"],
        ),
    ]
