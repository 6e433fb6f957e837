"""What a run will do, before it does anything: every cell with its time, memory and disk, and what
is missing.

Times are estimates from counts of floating-point operations and the speed of this machine's matrix
product, measured when asked. They are meant to tell minutes from days.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd

from .. import parameters
from ..devices import resolve_device
from ..measure.selections import SELECTIONS
from ..nets.cost import shape_of
from ..nets.protocols import protocol
from ..probes.logistic import GATHERED_AT_ONCE
from ..store import assets
from ..store.assets import Asset
from ..tasks import task
from ..tasks.datasets import DATASETS, is_unpacked
from .plan import Job
from .requirements import absent, pairs

FORWARD = {"cpu": 0.8, "cuda": 0.35, "mps": 0.35}
"""Share of the matrix product's speed at which a net runs. Measured on two CPU cores at 224 pixels:
ResNet50 0.74, ViT-S/16 0.85, VGG16-bn 0.87, ResNet18 0.94; the miniature nets run at about 0.6. On
GPUs it is assumed.
"""

SOLVERS = 0.25
"""The same for factorisations and probes, in float64. Measured: ridge curves 0.24 and their
penalties 0.25 at 2,048 neurons, 0.13 at 512.
"""

LOGISTIC = 0.2
"""The same for logistic probes, counted as so many steps. Measured: 0.15 at 512 neurons and 1,400
images, 0.23 to 0.58 at the shapes of ``benchmarks/``, on a processor with instructions for
bfloat16; without them they take about half as long again.
"""

LOGISTIC_STEPS = 20
"""Passes over the features that one logistic probe takes, typically."""

GPU = 50e12
"""Operations a second, in float32, of the GPU that long runs are also forecast for: about those of
a data centre's.
"""

PROCESS = 0.9e9
"""Bytes that a notebook's process holds before any feature. Measured on Linux."""

START = 7.0
"""Seconds that a notebook takes for its process, imports, figures and page. Measured on two CPU
cores, everything in the cache.
"""


@dataclass(frozen=True)
class Cell:
    """One net on one task in one notebook, with a selection and a seed.

    Attributes
    ----------
    seconds : float
        Of the measures; features are counted once for a net and a task, see :class:`Pass`.
    """

    notebook: str
    net: str
    task: str
    selection: str
    seed: int
    seconds: float


@dataclass(frozen=True)
class Pass:
    """The features of one task at the layers of one net: one pass over its images.

    Attributes
    ----------
    seconds : float
    disk, memory : float
        Bytes in the cache, and of the largest arrays at work.
    """

    net: str
    task: str
    images: int
    layers: int
    seconds: float
    disk: float
    memory: float


@dataclass(frozen=True)
class Forecast:
    """Cells and passes of a run, what is missing, and the speed that times were estimated with."""

    cells: tuple[Cell, ...]
    passes: tuple[Pass, ...]
    missing: tuple[Asset, ...]
    speed: float
    device: str

    @property
    def seconds(self) -> float:
        """All of it, one notebook at a time."""
        notebooks = len({cell.notebook for cell in self.cells})
        return (
            START * notebooks
            + sum(cell.seconds for cell in self.cells)
            + sum(one.seconds for one in self.passes)
        )

    def _on_gpu(self) -> float:
        features = sum(one.seconds for one in self.passes) * FORWARD["cpu"] / FORWARD["cuda"]
        notebooks = len({cell.notebook for cell in self.cells})
        return (
            START * notebooks
            + (features + sum(cell.seconds for cell in self.cells)) * self.speed / GPU
        )

    @property
    def disk(self) -> float:
        """Bytes that the cache will take."""
        return sum(one.disk for one in self.passes)

    @property
    def memory(self) -> float:
        """Bytes of the largest pass."""
        return max((one.memory for one in self.passes), default=0.0)

    def table(self) -> pd.DataFrame:
        """Every cell, one a row."""
        return pd.DataFrame([vars(cell) for cell in self.cells])

    def lines(self) -> list[str]:
        """For reading: a line for each notebook, net and task, then the sums and what is
        missing.
        """
        told = []
        cells = self.table()
        if len(cells):
            for (notebook, net, job), rows in cells.groupby(
                ["notebook", "net", "task"], sort=False
            ):
                found = next(one for one in self.passes if (one.net, one.task) == (net, job))
                counts = rows.groupby("selection", sort=False)["seed"].nunique()
                chosen = ", ".join(
                    f"{name} ({n} seed{'s' if n > 1 else ''})" for name, n in counts.items()
                )
                told.append(
                    f"{notebook}: {net} on {job}: {chosen}; {found.images:,} images; "
                    f"{_duration(rows['seconds'].sum())}"
                )
        taken = (
            _duration(sum(one.seconds for one in self.passes)),
            _duration(sum(cell.seconds for cell in self.cells)),
        )
        told.append(
            f"{len(self.cells)} cells; features {taken[0]} in {len(self.passes)} passes, "
            f"measures {taken[1]}: about {_duration(self.seconds)} in all "
            f"on {self.device}, one notebook at a time"
        )
        told.append(
            f"estimated in float32 from a matrix product of {self.speed / 1e9:,.0f} GFLOP/s, "
            "measured now (less while something else runs here); "
            "what the cache holds already is not taken off"
        )
        if self.device == "cpu" and self.seconds > 12 * 3_600:
            told.append(
                f"on a GPU with {GPU / 1e12:.0f} TFLOP/s in float32 about "
                f"{_duration(self._on_gpu())} by the same count (not measured)"
            )
        told.append(
            f"memory about {assets.readable(self.memory + PROCESS)} a notebook, cache about "
            f"{assets.readable(self.disk)}"
        )
        if self.missing:
            told.append(
                f"missing: {len(self.missing)} assets, at least "
                f"{assets.readable(sum(one.least_bytes for one in self.missing))}"
            )
            linked = [one for one in self.missing if any(file.urls for file in one.files)]
            if linked:
                told += [f"  {one.name}: {one.size}, {one.license}" for one in linked]
                told.append(
                    f"  all of these: {assets.COMMAND} fetch {' '.join(one.name for one in linked)}"
                )
            told += [
                f"  {one.name}: by hand. {assets.how_to_get(one)}"
                for one in self.missing
                if one not in linked
            ]
        return told


def _duration(seconds: float) -> str:
    for unit, least in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 1.5 * least:
            return f"{seconds / least:.1f} {unit}"
    return f"{seconds:.1f} s"


def matrix_speed(device: str = "auto") -> float:
    """Floating-point operations a second of a float32 matrix product on a device: the best of a
    few.
    """
    import torch

    chip = resolve_device(device)
    n = 1024 if chip.type == "cpu" else 8192
    a = torch.randn(n, n, device=chip)
    float((a @ a)[0, 0])  # the first one starts threads, and may wait for them for long
    taken: list[float] = []
    until = time.perf_counter() + 0.5
    while len(taken) < 3 or time.perf_counter() < until:
        started = time.perf_counter()
        float((a @ a)[0, 0])
        taken.append(time.perf_counter() - started)
    return 2 * n**3 / min(taken)


@cache
def images_of(name: str, images: int) -> tuple[int, int, int]:
    """Train and test images and classes of a task; of a data set that is not here, those of the
    real one.
    """
    if name in DATASETS and not is_unpacked(name):
        known = DATASETS[name]
        train, test = (min(n, images) if images else n for n in known.images)
        return train, test, known.classes
    job = task(name, images=images)
    return len(job.splits["train"]), len(job.splits["test"]), len(job.classes)


def _seeds(selection: str, seeds: Sequence[int]) -> Sequence[int]:
    return seeds if SELECTIONS[selection].seeded else [0]


def _probes_logistic(values: dict[str, Any]) -> bool:
    return "FRACTIONS" in values and values.get("PROBE", "logistic") == "logistic"


def _seconds(
    values: dict[str, Any], n: int, m: int, d: int, classes: int, selections: int, speed: float
) -> float:
    """One selection with one seed: CKA and a probe, with its share of what a layer costs once."""
    once, each = 2.0 * n * d * d, 4.0 * d**3 / 3  # the Gram matrix, CKA along an order
    if (
        "REPEATS" not in values
    ):  # all but 01_cka fit ridge probes: the eigendecomposition of leave-one-out, Cholesky, scores
        once += 9.0 * d**3 + 2.0 * n * d * d
        each += d**3 / 3 + 2.0 * m * d * (d + classes)
    seconds = (each + once / max(1, selections)) / (speed * SOLVERS)
    if _probes_logistic(values):
        steps = LOGISTIC_STEPS * sum(max(1, fraction * d) for fraction in values["FRACTIONS"])
        seconds += 4.0 * steps * n * classes / (speed * LOGISTIC)
    return seconds


def forecast(jobs: Sequence[Job]) -> Forecast:
    """What jobs will do.

    Raises
    ------
    InputError
        If a layer, a task's folder, or an architecture does not exist.
    """
    every = [(job, job.parameters) for job in jobs]
    device = resolve_device(every[0][1]["DEVICE"] if every else "auto")
    speed = matrix_speed(device.type)
    cells: list[Cell] = []
    passes: dict[tuple[str, str], Pass] = {}
    lacking: dict[str, Asset] = {}
    for job, values in every:
        for net, name in pairs(values):
            n, m, classes = images_of(name, values.get("IMAGES", 0))
            lacking |= {one.name: one for one in absent(net, name)}
            widths: dict[str, int] = {}
            flops = 0.0
            for layer in parameters.layers(values):
                shape = shape_of(net, layer)
                widths |= shape.widths
                flops = shape.flops
            views = protocol(values.get("PROTOCOL", "clean")).views
            rows = views * n + m
            width = max(widths.values())
            memory = 4.0 * rows * width + 8.0 * 6 * width**2
            if _probes_logistic(values):  # centred and scaled features, and those of some subsets
                memory += 4.0 * views * n * width + GATHERED_AT_ONCE
            found = Pass(
                net,
                name,
                rows,
                len(widths),
                rows * flops / (speed * FORWARD[device.type]),
                4.0 * rows * sum(widths.values()),
                memory,
            )
            before = passes.get((net, name))
            if before is None or found.disk > before.disk:
                passes[net, name] = found
            chosen = [
                (selection, seed)
                for selection in values["SELECTIONS"]
                for seed in _seeds(selection, values["SEEDS"])
            ]
            for selection, seed in chosen:
                seconds = sum(
                    _seconds(values, views * n, m, d, classes, len(chosen), speed)
                    for d in widths.values()
                )
                cells.append(Cell(job.notebook, net, name, selection, seed, seconds))
    return Forecast(
        tuple(cells), tuple(passes.values()), tuple(lacking.values()), speed, str(device)
    )
