"""The training loop of the miniature zoo: deterministic from its seed, resumable, logged."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..devices import resolve_device
from ..errors import InputError
from ..progress import progress
from ..store import atomic_path, make_folder, write_json, write_text
from . import checkpoints
from .architectures import build
from .losses import Heads, make_loss, penultimate
from .registry import net as network
from .robustness import Threat, batches, robust_top1
from .upstream import TASKS, classes, to_batch, upstream
from .zoo import Recipe, recipe


@torch.inference_mode()
def top1(net: nn.Module, images: np.ndarray, labels: np.ndarray, device: torch.device) -> float:
    """Top-1 accuracy on images, uint8 (n, 32, 32, 3), in [0, 1]."""
    net.eval()
    right = 0
    for some in batches(len(images)):
        guesses = net(to_batch(images[some], device)).argmax(1).cpu().numpy()
        right += int((guesses == labels[some]).sum())
    return right / len(images)


@torch.inference_mode()
def top1_by_prefix(
    net: nn.Module,
    heads: Heads,
    images: np.ndarray,
    labels: np.ndarray,
    device: torch.device,
) -> dict[int, float]:
    """Top-1 accuracy of each head on the first k penultimate features, by k, in [0, 1]."""
    net.eval()
    right = dict.fromkeys(heads, 0)
    for some in batches(len(images)):
        features = penultimate(net, to_batch(images[some], device))
        for k, head in heads.items():
            guesses = nn.functional.linear(features[:, :k], *head).argmax(1).cpu().numpy()
            right[k] += int((guesses == labels[some]).sum())
    return {k: count / len(images) for k, count in right.items()}


@torch.inference_mode()
def features_per_second(net: nn.Module, images: np.ndarray, device: torch.device) -> float:
    """Throughput of penultimate features in images/s: the best of three passes."""
    net.eval()
    on_device = [to_batch(images[some], device) for some in batches(len(images))]
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        for batch in on_device:
            features = penultimate(net, batch)
        float(features.sum())  # waits for a GPU
        best = min(best, time.perf_counter() - started)
    return len(images) / best


CHECKED = 2_000
"""Held-out images for the top-1 after each epoch and under attack; the manifest's clean top-1 is of
all of them.
"""

THREATS = (Threat("l2", 0.25), Threat("l2", 0.5), Threat("linf", 0.0157))
"""Attacks that robust accuracy is reported under: those the zoo's adversarial networks train on."""


def pretrain(
    name: str,
    where: Path | None = None,
    *,
    device: str = "auto",
    epochs: int | None = None,
    images: int | None = None,
    compiled: str | None = None,
) -> Path:
    """Pre-train one network of the zoo and write its checkpoint, manifest and log.

    Training is resumable: after each epoch its state is written to ``name.resume.pt`` beside the
    checkpoint, which replaces it in the end. A resumed run gives the same network as an
    uninterrupted one.

    Parameters
    ----------
    name : str
        A name in :data:`ZOO`.
    where : path, optional
        The folder to write to; the shipped one by default.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    epochs, images : int, optional
        In place of the recipe's, for a quick trial; the manifest says so.
    compiled : str, optional
        A backend of torch.compile (``inductor`` is the usual one) for the network's forward pass,
        for GPUs. On two CPU cores it was slower (890 images/s per core instead of 1,130) after half
        a minute of compiling.

    Returns
    -------
    path
        The checkpoint.

    Raises
    ------
    InputError
        If the name is unknown (with the nearest one), there is less than an epoch or a batch to
        train on, or a trial would replace the shipped checkpoint.
    """
    changes: dict[str, Any] = {"epochs": epochs, "images": images}
    plan = replace(recipe(name), **{key: n for key, n in changes.items() if n is not None})
    if plan.epochs < 1 or plan.images < plan.batch:
        raise InputError(
            f"pretrain takes at least 1 epoch and {plan.batch} images, not {plan.epochs} and "
            f"{plan.images}"
        )
    if plan != recipe(name) and where is None:
        raise InputError(
            "a trial with other epochs or images would replace the shipped checkpoint: give "
            "another folder with --out"
        )
    where = make_folder(where or checkpoints.folder())
    return _Trainer(name, plan, where, resolve_device(device), compiled).run()


class _Trainer:
    """The state of one training run."""

    def __init__(
        self,
        name: str,
        plan: Recipe,
        where: Path,
        device: torch.device,
        compiled: str | None = None,
    ) -> None:
        self.name, self.plan, self.where, self.device = name, plan, where, device
        self.train = upstream(plan.images, world=plan.upstream)
        self.held_out = upstream(plan.held_out, world=plan.upstream, held_out=True)
        self.classes = len(classes(plan.upstream))
        net = build(plan.architecture, self.classes, plan.features, seed=plan.seed)
        self.loss = make_loss(plan.loss, plan.loss_options)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            self.loss.prepare(net)
        self.net = net.to(device).to(memory_format=torch.channels_last)
        self.loss.to(device)
        if compiled is not None:
            timm: Any = self.net
            timm.forward_features = torch.compile(timm.forward_features, backend=compiled)
        self.steps = plan.images // plan.batch
        learned = [*net.parameters(), *self.loss.parameters()]
        decayed = [p for p in learned if p.ndim > 1]
        others = [p for p in learned if p.ndim <= 1]  # biases and batch norm are not decayed
        groups = [
            {"params": decayed, "weight_decay": plan.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=plan.learning_rate)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            max_lr=plan.learning_rate,
            total_steps=self.steps * plan.epochs,
            pct_start=0.2,
        )
        self.rows: list[dict[str, Any]] = []
        self.seconds = 0.0
        self._of_task = plan.upstream in TASKS
        self._held_out_are = "test images of the task" if self._of_task else "held-out renderings"

    @property
    def resume_file(self) -> Path:
        return self.where / f"{self.name}.resume.pt"

    def run(self) -> Path:
        self._restore()
        for epoch in range(len(self.rows), self.plan.epochs):
            started = time.perf_counter()
            loss, accuracy = self._epoch(epoch)
            images, labels = (part[:CHECKED] for part in self.held_out)
            held_out = top1(self.net, images, labels, self.device)
            self.seconds += time.perf_counter() - started
            self.rows.append(
                {
                    "epoch": epoch + 1,
                    "train_loss": round(loss, 5),
                    "train_top1": round(accuracy, 5),
                    "held_out_top1": round(held_out, 5),
                    "seconds": round(self.seconds, 1),
                }
            )
            self._log()
            self._save_state()
        # What ships is float16, so that is measured; loading converts back to float32.
        self.net.load_state_dict(checkpoints.half(self.net.state_dict()))
        path = checkpoints.save(self.net, self.name, self._manifest(), self.where)
        self.resume_file.unlink(missing_ok=True)
        return path

    def _batches(self, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        images, labels = self.train
        order = np.random.default_rng([self.plan.seed, epoch]).permutation(len(images))
        for step in range(self.steps):
            chosen = order[step * self.plan.batch : (step + 1) * self.plan.batch]
            yield (
                to_batch(images[chosen], self.device),
                torch.from_numpy(labels[chosen]).to(self.device),
            )

    def _epoch(self, epoch: int) -> tuple[float, float]:
        self.net.train()
        total = torch.zeros((), device=self.device)
        right = torch.zeros((), device=self.device)
        title = f"{self.name} epoch {epoch + 1}/{self.plan.epochs}"
        mixed = torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.plan.precision == "bf16"
        )
        with torch.random.fork_rng():
            # dropout and attacks draw from the global generator: the same in a resumed run
            torch.manual_seed(self.plan.seed * 1_000_003 + epoch)
            for step, (images, labels) in enumerate(
                progress(self._batches(epoch), total=self.steps, title=title)
            ):
                with mixed:
                    loss, logits = self.loss(
                        self.net, images, labels, (epoch + step / self.steps) / self.plan.epochs
                    )
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_([*self.net.parameters(), *self.loss.parameters()], 1.0)
                self.optimizer.step()
                self.schedule.step()
                total += loss.detach()
                right += (logits.detach().argmax(1) == labels).sum()
        return float(total) / self.steps, float(right) / (self.steps * self.plan.batch)

    def _save_state(self) -> None:
        state = {
            "recipe": self.plan.as_dict(),
            "net": self.net.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rows": self.rows,
            "seconds": self.seconds,
        }
        with atomic_path(self.resume_file) as temporary:
            torch.save(state, temporary)

    def _restore(self) -> None:
        if not self.resume_file.is_file():
            return
        state = torch.load(self.resume_file, map_location=self.device, weights_only=True)
        if state["recipe"] != self.plan.as_dict():
            raise InputError(
                f"{self.resume_file} belongs to another recipe of {self.name}: delete it to "
                "start again"
            )
        self.net.load_state_dict(state["net"])
        self.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.rows, self.seconds = state["rows"], state["seconds"]

    def _log(self) -> None:
        lines = [",".join(self.rows[0])] + [
            ",".join(str(value) for value in row.values()) for row in self.rows
        ]
        write_text(self.where / f"{self.name}.csv", "\n".join(lines) + "\n")

    def _manifest(self) -> dict[str, Any]:
        images, labels = self.held_out
        about: dict[str, Any] = {
            "top1": round(top1(self.net, images, labels, self.device), 4),
            "top1_of": f"{self.plan.held_out} {self._held_out_are}, {self.classes} classes"
            + ("" if self._of_task else ", look-alikes merged"),
        }
        if heads := self.loss.heads(self.net):
            by_prefix = top1_by_prefix(self.net, heads, images, labels, self.device)
            about["top1_by_prefix"] = {str(k): round(value, 4) for k, value in by_prefix.items()}
        if self.plan.loss in ("standard", "adversarial"):
            images, labels = images[:CHECKED], labels[:CHECKED]
            robust = {
                str(threat): round(robust_top1(self.net, images, labels, threat, self.device), 4)
                for threat in THREATS
            }
            about |= {
                "robust_top1": robust,
                "robust_top1_of": f"{len(images)} {self._held_out_are}, PGD of 10 steps, pixels "
                "in [0, 1]",
            }
        return about | {
            "classes": self.classes,
            "features_per_second": round(
                features_per_second(self.net, images[:CHECKED], self.device)
            ),
            "recipe": self.plan.as_dict(),
            "is_the_zoo_recipe": self.plan == recipe(self.name),
            "command": f"python -m diffused_redundancy pretrain {self.name}",
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "minutes": round(self.seconds / 60, 1),
            "device": str(self.device),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "license": "MIT",
        }


def measure_speeds(names: Sequence[str], *, device: str) -> dict[str, int]:
    """Throughputs of shipped networks in images/s, measured in turn and noted in their manifests:
    the best of three rounds.

    Speeds taken while networks were trained, each at another hour, cannot be compared; these can.
    On a CPU one thread is used.

    Parameters
    ----------
    names : sequence of str
    device : str
    """
    chip = resolve_device(device)
    nets = {
        name: network(name).module.to(chip).to(memory_format=torch.channels_last) for name in names
    }
    images, _ = upstream(CHECKED, held_out=True)
    threads = torch.get_num_threads()
    best = dict.fromkeys(nets, 0.0)
    try:
        torch.set_num_threads(1)
        for _ in range(3):
            for name, net in nets.items():
                best[name] = max(best[name], features_per_second(net, images, chip))
    finally:
        torch.set_num_threads(threads)
    for name, speed in best.items():
        about = checkpoints.manifest(name)
        of = f"{CHECKED} images on {chip.type}" + (", one thread" if chip.type == "cpu" else "")
        write_json(
            checkpoints.folder() / f"{name}.json",
            {**about, "features_per_second": round(speed), "features_per_second_of": of},
        )
    return {name: round(speed) for name, speed in best.items()}
