"""A run on 1, 2 and 4 workers of Dask side by side, bytes by step, and what a unit costs a
scheduler, on which the simulation of 10,000 workers (scale_plan.py) rests.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median

import synthetic
from cluster_simulation import Costs
from diffused_redundancy.cluster import executors, units
from diffused_redundancy.cluster.dask import specification
from diffused_redundancy.pipeline import plan
from diffused_redundancy.store.paths import CACHE_VARIABLE
from table import Row

NAME = "cluster"
COUNTS = (1, 2, 4)
SIDE_BY_SIDE = 3
"""Rounds, of which a median is taken."""


def workers(quick: bool) -> list[Row]:
    """Seconds of each step of a run, given workers that have been started; bytes that it writes,
    and that pass the scheduler.
    """
    typed = [("TASKS", '["digits"]' if quick else '["digits", "font_style"]'), ("IMAGES", "600")]
    nets = [f"miniature_resnet.standard_s{i}" for i in range(1, 3 if quick else 5)]
    typed.append(("NETS", str(nets).replace("'", '"')))
    jobs = plan.plan("smoke", ["01_cka", "02_probes"], typed, Path(tempfile.gettempdir()))
    every = units.units(jobs)
    taken: dict[int, list[float]] = {count: [] for count in COUNTS}
    steps: dict[str, list[float]] = {}
    written: Counter[str] = Counter()
    for _ in range(1 if quick else SIDE_BY_SIDE):
        for count in COUNTS:
            seconds, written = _run(every, count)
            taken[count].append(sum(seconds.values()))
            if count == 1:
                for step, one in seconds.items():
                    steps.setdefault(step, []).append(one)
    load = f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores"
    rows = [
        Row(
            NAME,
            f"{len(every)} units of a run: {count} workers over one",
            median(taken[count]) / median(taken[1]),
            "times",
            detail=f"{median(taken[count]):.3g} s against {median(taken[1]):.3g} s, median of "
            f"{len(taken[1])}; {load}",
        )
        for count in COUNTS[1:]
    ]
    for step, all_seconds in steps.items():
        count = len(units.of_step(every, step))
        rows += [
            Row(NAME, f"{step}, a unit on one worker", median(all_seconds) / count, "s"),
            Row(NAME, f"{step}, bytes a unit writes", written[step] / count / 1e6, "MB"),
        ]
    sent = [len(pickle.dumps(executors.message(unit))) for unit in every]
    return [*rows, Row(NAME, "bytes of a unit that pass the scheduler", mean(sent) / 1e6, "MB")]


def _run(every: Sequence[units.Unit], count: int) -> tuple[dict[str, float], Counter[str]]:
    """Seconds and bytes of each step, with an empty cache."""
    from distributed import Client, SpecCluster

    seconds, written = {}, Counter[str]()
    with tempfile.TemporaryDirectory(prefix="diffused-redundancy-") as folder:
        os.environ[CACHE_VARIABLE] = folder
        with SpecCluster(**specification(count, [])) as cluster, Client(cluster) as client:
            client.wait_for_workers(count)
            client.run(_begin)
            before = 0
            for step in units.STEPS:
                started = time.perf_counter()
                some = units.of_step(every, step)
                errors = executors.attempt(some, client.get_executor(pure=False))
                if errors:
                    raise RuntimeError(errors[0])
                seconds[step] = time.perf_counter() - started
                whole = sum(path.stat().st_size for path in Path(folder).rglob("*.safetensors"))
                written[step], before = whole - before, whole
    return seconds, written


def _begin() -> None:
    """What a worker does for its first unit only: imports, and threads that are started."""
    import diffused_redundancy as dr
    import diffused_redundancy.session
    import timm  # noqa: F401

    X, y = synthetic.layer(300, 32)
    dr.measure(X[:200], y[:200], X[200:], y[200:], probe="both", seeds=1)


def scheduler(quick: bool) -> list[Row]:
    """What a unit costs who hands it out, whatever it computes."""
    few = 200 if quick else 2_000
    with tempfile.TemporaryDirectory(prefix="diffused-redundancy-") as folder:
        os.environ[CACHE_VARIABLE] = folder
        costs = _costs(few)
    return [
        Row(NAME, "handing out a unit: look whether it is done, and its message", costs.hand, "s"),
        Row(NAME, "handing out a unit: Dask's client, scheduler and worker", costs.scheduler, "s"),
    ]


def _costs(count: int) -> Costs:
    """Seconds of one unit, of many that take no time: of the process that hands them out, and on
    Dask's way to a worker and back.
    """
    from distributed import Client, SpecCluster

    net = "miniature_resnet.standard_s1"
    every = [units.Unit("extract", net, "digits", {"block": i}, str(i)) for i in range(count)]
    started = time.perf_counter()
    for unit in every:
        if not unit.done:
            executors.message(unit)
    hand = (time.perf_counter() - started) / count
    with SpecCluster(**specification(1, [])) as cluster, Client(cluster) as client:
        client.wait_for_workers(1)
        executor = client.get_executor(pure=False)
        executor.submit(len, {}).result()
        message = executors.message(every[0])
        started = time.perf_counter()
        for future in [executor.submit(len, message) for _ in range(count)]:
            future.result()
        return Costs(hand, (time.perf_counter() - started) / count)
