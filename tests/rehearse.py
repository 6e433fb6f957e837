"""Run a preset of published networks without their weights: random ones, written in the publishers'
formats, take their place.

    python tests/rehearse.py PRESET FOLDER --task folder:/some/images [--images 40]

It shows that every network is built, read and measured by every notebook, and what that takes; its
results mean nothing. A copy of the repository whose manifest has no hashes (random weights have
others), the weights (7 GB for ``paper``), the cache and the reports go to FOLDER. Not part of the
tests: it takes as long as the networks take.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import timm
import torch
import yaml
from diffused_redundancy.nets import names, registry
from diffused_redundancy.store import assets, paths
from quantising import BITS, PQF, quantised
from safetensors.torch import save_file
from test_weights import augreg_arrays, blurred, robust
from torch import Tensor, nn

HASHES = re.compile(r', (sha256 = "[0-9a-f]+"|bytes = \d+)|^(sha256|bytes) = .*$', re.MULTILINE)
"""What a manifest says of a file's content."""


def networks(preset: str) -> list[str]:
    """Every published network that some notebook of a preset measures."""
    parts = yaml.safe_load(
        (paths.notebooks() / "presets" / f"{preset}.yaml").read_text(encoding="utf-8")
    ).values()
    wanted = {
        name
        for part in parts
        if isinstance(part, dict)
        for name in names.expanded(part.get("NETS", []))
    }
    return sorted(wanted & set(names.published()))


def random_net(tag: str) -> dict[str, Tensor]:
    """The state of a network with random weights, and batch statistics that are not
    those of a fresh one.
    """
    net = registry.skeleton(tag, 1000).to_empty(device="cpu")
    for module in net.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return {key: value.contiguous() for key, value in net.state_dict().items()}


def matryoshka(kind: str) -> dict[str, Tensor]:
    """A checkpoint of a blurred ResNet50: nested heads, one shared head, or a head on the first
    features.
    """
    net = blurred()
    state = {
        f"module.{key}": value
        for key, value in net.state_dict().items()
        if not key.startswith("fc.")
    }
    weight, bias = net.fc.weight.detach(), net.fc.bias.detach()  # type: ignore[union-attr, operator]
    if kind == "mrl":
        for i in range(9):
            state[f"module.fc.nesting_classifier_{i}.weight"] = torch.randn(1000, 2 ** (3 + i))
            state[f"module.fc.nesting_classifier_{i}.bias"] = torch.randn(1000)
        return state
    head = "module.fc.nesting_classifier_0" if kind == "mrl_e" else "module.fc"
    size = 2048 if kind == "mrl_e" else int(kind.removeprefix("ff_"))
    return state | {f"{head}.weight": weight[:, :size].clone(), f"{head}.bias": bias}  # type: ignore[index]


def write(name: str) -> None:
    """Random weights of a published network, where its first file belongs."""
    one = assets.asset(name)
    path, architecture = one.path(one.files[0]), one.about["architecture"]
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    if path.suffix == ".npz":
        np.savez(
            path,
            **augreg_arrays(
                timm.create_model(architecture, num_classes=21843 if "in21k" in name else 1000)
            ),
        )
    elif "copy_of" in one.about:
        layout = PQF if ".pqf_" in name else BITS
        torch.save(quantised(registry.skeleton(architecture), layout)[0], path)
    elif "blurpool" in architecture:
        torch.save(matryoshka(name.partition(".")[2]), path)
    elif path.suffix == ".safetensors":
        save_file(random_net(architecture), path)
    elif "robust" in name:
        torch.save(robust(random_net(architecture)), path)
    else:
        torch.save(
            {
                "epoch": 79,
                "state_dict": {
                    f"model.{key}": value for key, value in random_net(architecture).items()
                },
            },
            path,
        )


def main() -> int:
    """Write what is missing, run the preset in the copy, and say what it took."""
    parser = argparse.ArgumentParser(
        prog="tests/rehearse.py",
        description="Run a preset of published networks with random weights.",
    )
    parser.add_argument("preset")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--task",
        required=True,
        help="what takes the place of the preset's tasks, such as folder:/some/images",
    )
    parser.add_argument("--images", type=int, default=40, help="of each part")
    options = parser.parse_args()
    folder = options.folder.resolve()
    os.environ["DIFFUSED_REDUNDANCY_ASSETS"] = str(folder / "assets")
    copy = folder / "repository"
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(paths.repository()), str(copy)], check=True)
    manifest = copy / "data" / "assets.toml"
    manifest.write_text(HASHES.sub("", manifest.read_text(encoding="utf-8")), encoding="utf-8")
    for name in networks(options.preset):
        print(f"weights of {name}", flush=True)
        write(name)
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy / "lib"),
        "DIFFUSED_REDUNDANCY_CACHE": str(folder / "cache"),
    }
    words = [
        "-p",
        "TASKS",
        json.dumps([options.task]),
        "-p",
        "IMAGES",
        str(options.images),
        "--out",
        str(folder / "reports"),
    ]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "diffused_redundancy", "run", "--preset", options.preset, *words],
        env=environment,
        cwd=copy,
    )
    print(f"{len(networks(options.preset))} networks in {time.perf_counter() - started:.0f} s")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
