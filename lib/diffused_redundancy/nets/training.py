"""The one training loop of the miniature zoo: deterministic from its seed, resumable, with a log."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
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
from ..store import atomic_path, make_folder, write_text
from . import checkpoints
from .architectures import build
from .losses import LOSSES
from .upstream import MEAN, STD, num_classes, upstream
from .zoo import Recipe, recipe


def to_batch(images: np.ndarray, device: torch.device) -> torch.Tensor:
    """Pictures, uint8 (n, height, width, 3), as a normalised float32 batch (n, 3, height, width) on a device."""
    batch = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div_(255)
    mean = torch.tensor(MEAN, device=device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=device).view(1, 3, 1, 1)
    return batch.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def top1(net: nn.Module, images: np.ndarray, labels: np.ndarray, device: torch.device, batch: int = 500) -> float:
    """The share of pictures whose highest logit is that of their class, in [0, 1]."""
    net.eval()
    right = 0
    for start in range(0, len(images), batch):
        guesses = net(to_batch(images[start : start + batch], device)).argmax(1).cpu().numpy()
        right += int((guesses == labels[start : start + batch]).sum())
    return right / len(images)


def pretrain(name: str, where: Path | None = None, *, device: str = "auto", epochs: int | None = None, images: int | None = None) -> Path:
    """Pre-train one net of the zoo and write its checkpoint, manifest and log.

    Training stops and goes on between epochs: what is needed to resume is kept in ``name.resume.pt`` beside the
    checkpoint until the checkpoint is written. A resumed run gives the same net as an uninterrupted one.

    Parameters
    ----------
    name : str
        A net of the zoo.
    where : path, optional
        The folder to write to; the shipped one by default.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    epochs, images : int, optional
        In place of the recipe's, for a quick trial; the manifest says so.

    Returns
    -------
    path
        The checkpoint.
    """
    plan = recipe(name)
    plan = replace(plan, epochs=plan.epochs if epochs is None else epochs, images=plan.images if images is None else images)
    if plan.epochs < 1 or plan.images < plan.batch:
        raise InputError(f"pretrain takes at least 1 epoch and {plan.batch} images, not {plan.epochs} and {plan.images}")
    if plan != recipe(name) and where is None:
        raise InputError("a trial with other epochs or images would replace the shipped checkpoint: give another folder with --out")
    where = make_folder(where or checkpoints.folder())
    chip = resolve_device(device)
    trainer = _Trainer(name, plan, where, chip)
    return trainer.run()


class _Trainer:
    """The state of one training run and what happens to it in an epoch."""

    def __init__(self, name: str, plan: Recipe, where: Path, device: torch.device) -> None:
        self.name, self.plan, self.where, self.device = name, plan, where, device
        self.train = upstream(plan.images)
        self.held_out = upstream(plan.held_out, held_out=True)
        net = build(plan.architecture, num_classes(), plan.features, seed=plan.seed)
        self.net = net.to(device).to(memory_format=torch.channels_last)
        self.loss = LOSSES[plan.loss]()
        self.steps = plan.images // plan.batch
        decayed = [p for p in net.parameters() if p.ndim > 1]
        others = [p for p in net.parameters() if p.ndim <= 1]  # biases and batch norm are not decayed
        groups = [{"params": decayed, "weight_decay": plan.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=plan.learning_rate)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=plan.learning_rate, total_steps=self.steps * plan.epochs, pct_start=0.2
        )
        self.rows: list[dict[str, Any]] = []
        self.seconds = 0.0

    @property
    def resume_file(self) -> Path:
        return self.where / f"{self.name}.resume.pt"

    def run(self) -> Path:
        self._restore()
        for epoch in range(len(self.rows), self.plan.epochs):
            started = time.perf_counter()
            loss, accuracy = self._epoch(epoch)
            held_out = top1(self.net, *self.held_out, self.device)
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
            self._keep()
        # What ships is float16, so what is measured is the net read back from float16.
        rounded = {key: value.float() if value.is_floating_point() else value for key, value in checkpoints.half(self.net.state_dict()).items()}
        self.net.load_state_dict({key: value.to(self.device) for key, value in rounded.items()})
        path = checkpoints.save(self.net, self.name, self._manifest(), self.where)
        self.resume_file.unlink(missing_ok=True)
        return path

    def _batches(self, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        images, labels = self.train
        order = np.random.default_rng([self.plan.seed, epoch]).permutation(len(images))
        for step in range(self.steps):
            chosen = order[step * self.plan.batch : (step + 1) * self.plan.batch]
            yield to_batch(images[chosen], self.device), torch.from_numpy(labels[chosen]).to(self.device)

    def _epoch(self, epoch: int) -> tuple[float, float]:
        self.net.train()
        total = torch.zeros((), device=self.device)
        right = torch.zeros((), device=self.device)
        title = f"{self.name} epoch {epoch + 1}/{self.plan.epochs}"
        for images, labels in progress(self._batches(epoch), total=self.steps, title=title):
            loss, logits = self.loss(self.net, images, labels)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            self.optimizer.step()
            self.schedule.step()
            total += loss.detach()
            right += (logits.detach().argmax(1) == labels).sum()
        return float(total) / self.steps, float(right) / (self.steps * self.plan.batch)

    def _keep(self) -> None:
        state = {
            "recipe": self.plan.as_dict(),
            "net": self.net.state_dict(),
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
            raise InputError(f"{self.resume_file} belongs to another recipe of {self.name}: delete it to start afresh")
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.rows, self.seconds = state["rows"], state["seconds"]

    def _log(self) -> None:
        lines = [",".join(self.rows[0])] + [",".join(str(value) for value in row.values()) for row in self.rows]
        write_text(self.where / f"{self.name}.csv", "\n".join(lines) + "\n")

    def _manifest(self) -> dict[str, Any]:
        return {
            "top1": round(top1(self.net, *self.held_out, self.device), 4),
            "top1_of": f"{self.plan.held_out} held-out renderings, {num_classes()} classes, look-alikes merged",
            "classes": num_classes(),
            "recipe": self.plan.as_dict(),
            "is_the_zoo_recipe": self.plan == recipe(self.name),
            "command": f"python -m diffused_redundancy pretrain {self.name}",
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "minutes": round(self.seconds / 60, 1),
            "device": str(self.device),
            "torch": torch.__version__,
            "license": "MIT",
        }


def read_log(path: Path) -> list[dict[str, float]]:
    """The rows of a training log."""
    with open(path, encoding="utf-8", newline="") as stream:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]
