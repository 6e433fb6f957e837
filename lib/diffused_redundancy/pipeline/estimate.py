"""What a run will do, before it does anything: every ordering that will be measured with its time,
memory and disk, and what is missing.

Times are estimates from counts of floating-point operations and the speed of this machine's matrix
product, measured when asked. They are meant to tell minutes from days.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import pandas as pd

from .. import parameters
from ..devices import resolve_device
from ..experiment.subsamples import subsample_sizes
from ..measures.selections import SELECTIONS, orders
from ..nets.cost import shape_of
from ..nets.protocols import protocol
from ..probes.logistic import GATHERED_AT_ONCE
from ..store import assets
from ..store.assets import Asset
from ..tasks import task
from ..tasks.datasets import DATASETS, is_unpacked
from .plan import Job, probes_logistic
from .requirements import missing_assets, nets_with_tasks

FORWARD = {"cpu": 0.8, "cuda": 0.35, "mps": 0.35}
"""Share of the matrix product's speed at which a network runs. Measured on two CPU cores at 224
pixels: ResNet50 0.74, ViT-S/16 0.85, VGG16-bn 0.87, ResNet18 0.94; the miniature networks run at
about 0.6. On GPUs it is assumed.
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

LOGISTIC_STEPS = 29
"""Passes over the features that one logistic probe takes, typically."""

GPU = 50e12
"""Operations per second, in float32, of the GPU that long runs are also estimated for: about those
of a data centre's.
"""

PROCESS = 0.9e9
"""Bytes that a notebook's process holds before any feature. Measured on Linux."""

START = 7.0
"""Seconds that a notebook takes for its process, imports, figures and page. Measured on two CPU
cores, everything in the cache.
"""


CKA_ALONE = ("01_cka",)
"""Notebooks that fit no ridge probes."""


@dataclass(frozen=True)
class Work:
    """One ordering to measure: one network, task, selection and seed in one notebook.

    Attributes
    ----------
    seconds : float
        Of the measures; features are counted once for a network and a task, see
        :class:`ExtractionPass`.
    probes : float
        Of these, those of logistic probes.
    """

    notebook: str
    net: str
    task: str
    selection: str
    seed: int
    seconds: float
    probes: float


@dataclass(frozen=True)
class ExtractionPass:
    """The features of one task at the layers of one network: one pass over its images.

    Attributes
    ----------
    images, layers, width : int
        Images, layers, and neurons of the widest.
    seconds : float
    disk, memory : float
        Bytes in the cache, and of the largest arrays at work.
    """

    net: str
    task: str
    images: int
    layers: int
    width: int
    seconds: float
    disk: float
    memory: float


@dataclass(frozen=True)
class Estimate:
    """What a run takes: its work and passes, what is missing, and the speed that times were
    estimated with.
    """

    work: tuple[Work, ...]
    passes: tuple[ExtractionPass, ...]
    missing: tuple[Asset, ...]
    speed: float
    device: str

    @property
    def _starting(self) -> float:
        return START * len({one.notebook for one in self.work})

    @property
    def _measuring(self) -> float:
        return sum(one.seconds for one in self.work)

    @property
    def _extracting(self) -> float:
        return sum(one.seconds for one in self.passes)

    @property
    def seconds(self) -> float:
        """All of it, one notebook at a time."""
        return self._starting + self._measuring + self._extracting

    def _seconds_on_gpu(self) -> float:
        extracting = self._extracting * FORWARD["cpu"] / FORWARD["cuda"]
        return self._starting + (extracting + self._measuring) * self.speed / GPU

    @property
    def disk(self) -> float:
        """Bytes that the cache will take."""
        return sum(one.disk for one in self.passes)

    @property
    def memory(self) -> float:
        """Bytes of the largest pass."""
        return max((one.memory for one in self.passes), default=0.0)

    def table(self) -> pd.DataFrame:
        """Every ordering that will be measured, one a row."""
        return pd.DataFrame([asdict(one) for one in self.work])

    def lines(self) -> list[str]:
        """For reading: a line for each notebook, network and task, then the sums and what is
        missing.
        """
        return [*self._work_lines(), *self._sum_lines(), *self._missing_lines()]

    def _work_lines(self) -> list[str]:
        if not self.work:
            return []
        images = {(one.net, one.task): one.images for one in self.passes}
        lines = []
        for (notebook, net, name), rows in self.table().groupby(
            ["notebook", "net", "task"], sort=False
        ):
            seeds = rows.groupby("selection", sort=False)["seed"].nunique()
            chosen = ", ".join(
                f"{selection} ({n} seed{'s' if n > 1 else ''})" for selection, n in seeds.items()
            )
            lines.append(
                f"{notebook}: {net} on {name}: {chosen}; {images[net, name]:,} images; "
                f"{_duration(rows['seconds'].sum())}"
            )
        return lines

    def _sum_lines(self) -> list[str]:
        lines = [
            f"{len(self.work)} orderings; features {_duration(self._extracting)} in "
            f"{len(self.passes)} passes, measures {_duration(self._measuring)}: about "
            f"{_duration(self.seconds)} in all on {self.device}, one notebook at a time",
            f"estimated in float32 from a matrix product of {self.speed / 1e9:,.0f} GFLOP/s, "
            "measured now (less while something else runs here); "
            "results that are already in the cache are not subtracted",
        ]
        if self.device == "cpu" and self.seconds > 12 * 3_600:
            lines.append(
                f"on a GPU with {GPU / 1e12:.0f} TFLOP/s in float32 about "
                f"{_duration(self._seconds_on_gpu())} by the same count (not measured)"
            )
        lines.append(
            f"memory about {assets.readable(self.memory + PROCESS)} per notebook, cache about "
            f"{assets.readable(self.disk)}"
        )
        return lines

    def _missing_lines(self) -> list[str]:
        if not self.missing:
            return []
        least = assets.readable(sum(one.least_bytes for one in self.missing))
        lines = [f"missing: {len(self.missing)} assets, at least {least}"]
        linked = [one for one in self.missing if any(file.urls for file in one.files)]
        if linked:
            lines += [f"  {one.name}: {one.size}, {one.license}" for one in linked]
            lines.append(
                f"  all of these: {assets.COMMAND} fetch {' '.join(one.name for one in linked)}"
            )
        by_hand = [one for one in self.missing if one not in linked]
        return lines + [f"  {one.name}: by hand. {assets.how_to_get(one)}" for one in by_hand]


def _duration(seconds: float) -> str:
    for unit, least in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 1.5 * least:
            return f"{seconds / least:.1f} {unit}"
    return f"{seconds:.1f} s"


def matrix_speed(device: str = "auto") -> float:
    """Floating-point operations per second of a float32 matrix product on a device: the best of a
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
    here = task(name, images=images)
    return len(here.splits["train"]), len(here.splits["test"]), len(here.classes)


def _seeds(selection: str, values: dict[str, Any]) -> Sequence[int]:
    if selection == "random":
        return orders(values["SEEDS"], values.get("ORDERS", 0))
    return values["SEEDS"] if SELECTIONS[selection].seeded else [0]


def _seconds(
    notebook: str, n: int, m: int, d: int, classes: int, selections: int, speed: float
) -> float:
    """One selection with one seed: CKA and a probe, with its share of what a layer costs once."""
    once, each = 2.0 * n * d * d, 4.0 * d**3 / 3  # the Gram matrix, CKA along an order
    if notebook not in CKA_ALONE:  # the eigendecomposition of leave-one-out, Cholesky, scores
        once += 9.0 * d**3 + 2.0 * n * d * d
        each += d**3 / 3 + 2.0 * m * d * (d + classes)
    return (each + once / max(1, selections)) / (speed * SOLVERS)


def _logistic_seconds(values: dict[str, Any], n: int, d: int, classes: int, speed: float) -> float:
    """The logistic probes of one selection with one seed."""
    if not probes_logistic(values):
        return 0.0
    sizes = [max(1, fraction * d) for fraction in values["FRACTIONS"]] or range(1, d + 1)
    steps = LOGISTIC_STEPS * sum(sizes)
    return 4.0 * steps * n * classes / (speed * LOGISTIC)


def _extraction_pass(
    values: dict[str, Any], net: str, name: str, speed: float, device: str
) -> tuple[ExtractionPass, list[int]]:
    """The pass of one network over one task's images, and the widths of its layers."""
    n, m, _ = images_of(name, values.get("IMAGES", 0))
    shapes = [shape_of(net, layer) for layer in parameters.layers(values)]
    widths = list({layer: d for shape in shapes for layer, d in shape.widths.items()}.values())
    views = protocol(values.get("PROTOCOL", "clean")).views
    rows, widest = views * n + m, max(widths)
    memory = 4.0 * rows * widest + 8.0 * 6 * widest**2
    if probes_logistic(values):  # centred and scaled features, and those of some subsets
        memory += 4.0 * views * n * widest + GATHERED_AT_ONCE
    seconds = rows * shapes[-1].flops / (speed * FORWARD[device])
    disk = 4.0 * rows * sum(widths)
    return ExtractionPass(net, name, rows, len(widths), widest, seconds, disk, memory), widths


def penalty_seconds(one: ExtractionPass, speed: float) -> float:
    """Leave-one-out cross-validation of the layers of a pass: Gram matrices, their eigenvectors."""
    operations = 2.0 * one.images * one.width**2 + 9.0 * one.width**3
    return one.layers * operations / (speed * SOLVERS)


def estimate(jobs: Sequence[Job]) -> Estimate:
    """What jobs will do and take.

    Raises
    ------
    InputError
        If a layer, a task's folder, or an architecture does not exist.
    """
    device = resolve_device(jobs[0].parameters["DEVICE"] if jobs else "auto")
    speed = matrix_speed(device.type)
    work: list[Work] = []
    passes: dict[tuple[str, str], ExtractionPass] = {}
    for job in jobs:
        values = job.parameters
        chosen = [
            (selection, seed)
            for selection in values.get("SELECTIONS", ["random"])
            for seed in _seeds(selection, values)
        ]
        for net, name in nets_with_tasks(values):
            one, widths = _extraction_pass(values, net, name, speed, device.type)
            before = passes.get((net, name))
            if before is None or one.disk > before.disk:
                passes[net, name] = one
            n, m, classes = images_of(name, values.get("IMAGES", 0))
            rows = n * protocol(values.get("PROTOCOL", "clean")).views
            each = sum(
                _seconds(job.notebook, rows, m, d, classes, len(chosen), speed) for d in widths
            )
            logistic = sum(_logistic_seconds(values, rows, d, classes, speed) for d in widths)
            for selection, seed in chosen:
                # as often as there are numbers of train images
                times = len(subsample_sizes(n, classes)) if "TARGET" in values else 1
                probes = times * logistic * (seed in (0, *values["SEEDS"]))
                seconds = times * each + probes
                work.append(Work(job.notebook, net, name, selection, seed, seconds, probes))
    missing = {asset.name: asset for asset in missing_assets(jobs).values()}
    return Estimate(
        tuple(work), tuple(passes.values()), tuple(missing.values()), speed, str(device)
    )
