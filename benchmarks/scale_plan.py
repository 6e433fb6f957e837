"""The worked plan of docs/scale.md, computed: python benchmarks/scale_plan.py prints its tables."""

from __future__ import annotations

from cluster_simulation import Costs, makespan, merge_seconds, nodes

D = 2_048
"""Neurons of a ResNet50."""

DECODE = 373.0
"""Images a second that a core decodes and resizes. Measured, 500 x 375 pixels."""

FORWARD = 1 / (1 / 20 + 1 / DECODE)
"""Images of 224 pixels a second, a ResNet50 on one core. Measured: 20, and decoding."""

GPU = 2_500.0
"""The same on a GPU of a data centre, in float32. Assumed."""

SUM = 16_000 / 0.67
"""Images a second that a core adds to a d x d sum. Measured."""

CELL = 2 * 17 * 60.0
"""Core seconds of five notebooks for a ResNet18 on 35,000 images, features included. Measured:
docs/paper_scale.md.
"""

UNITS = 7
"""Of a cell: features, penalties, and the measures of five notebooks."""

READ = 1e9
"""Bytes a second that a node reads from shared storage. Assumed."""

JPEG = 110e3
"""Bytes of an image. Assumed."""

CORE_HOUR, GPU_HOUR, GIGABYTE_MONTH = 0.04, 3.0, 0.02
"""US dollars, of a cloud. Assumed."""

HANDED = Costs(hand=1e-3, scheduler=3e-3)
"""Seconds of a unit, of the process that hands it out and of Dask's scheduler. Measured, rounded
up.
"""


def size(number: float) -> str:
    """Bytes, to two digits."""
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= unit:
            return f"{_two(number / unit)} {name}"
    return f"{number:.0f} bytes"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, to two digits."""
    for unit, name in ((3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 1.5 * unit:
            return f"{_two(seconds / unit)} {name}"
    return f"{_two(seconds)} s"


def _two(number: float) -> str:
    return f"{float(f'{number:.2g}'):,.10g}"


def images(n: int, cores: int, gpus: int, shards: int) -> dict[str, str]:
    """The plan for a ResNet50 on so many images, extracted on so many cores, or GPUs."""
    on_cores, on_gpus, features = n / FORWARD, n / GPU, 4.0 * D * n
    held = nodes(n, shards)
    read = max(features / READ, n / SUM) / shards
    return {
        "images, 110 kB each": size(JPEG * n),
        "features on CPUs": f"{_hours(on_cores, CORE_HOUR, 'core')}; {duration(on_cores / cores)} "
        f"on {cores:,} cores",
        "or on GPUs": f"{_hours(on_gpus, GPU_HOUR, 'GPU')}; {duration(on_gpus / gpus)} on {gpus}",
        "storage must give": f"{size(FORWARD * cores * JPEG)} a second to these cores, "
        f"{size(GPU * gpus * JPEG)} to these GPUs, and "
        f"{GPU * gpus / DECODE:.0f} cores that decode",
        "features, float32": _kept(features),
        "their sums": f"{_hours(n / SUM, CORE_HOUR, 'core')}; {shards} shards of "
        f"{size(features / shards)}, {duration(read)} each",
        "files of sums": f"{held:,} of {size(D * D * 8.0)}: {size(held * D * D * 8.0)}",
        "`merge` reads and adds these": duration(merge_seconds(held, D, READ)),
        "a million test images, which `merge` holds": size(4.0 * D * 10**6),
    }


def networks(nets: int, tasks: int, workers: int) -> dict[str, str]:
    """The plan for so many networks of ResNet18's size, on so many tasks of 35,000 images."""
    units = UNITS * nets * tasks
    work = nets * tasks * CELL
    whole = makespan(HANDED, workers=workers, units=units, seconds=CELL / UNITS)
    return {
        "units": f"{units:,}",
        "work": _hours(work, CORE_HOUR, "core"),
        "wall clock, simulated": f"{duration(whole)} on {workers:,} workers of a core, which work "
        f"{work / whole / workers:.0%} of it",
        "handing out all units": duration(units * max(HANDED.hand, HANDED.scheduler)),
        "features in the cache": _kept(4.0 * 512 * 35_000 * nets * tasks),
    }


def _hours(seconds: float, price: float, what: str) -> str:
    return f"{_two(seconds / 3600)} {what} hours, ${_two(seconds / 3600 * price)}"


def _kept(volume: float) -> str:
    return f"{size(volume)}, ${_two(volume / 1e9 * GIGABYTE_MONTH)} a month"


def table(head: str, plans: dict[str, dict[str, str]]) -> str:
    """Plans side by side, in Markdown."""
    lines = [[head, *plans], [":---"] * (len(plans) + 1)]
    for name in next(iter(plans.values())):
        lines.append([name, *(one[name] for one in plans.values())])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def merging() -> str:
    """What merging takes by the number of shards."""
    lines = ["| shards | sums held, 10 million images | 1 billion images |", "|---:|:---|:---|"]
    for shards in (8, 100, 1_000, 10_000):
        cells = []
        for n in (10**7, 10**9):
            held = nodes(n, shards)
            cells.append(f"{size(held * D * D * 8)}: {duration(merge_seconds(held, D, READ))}")
        lines.append(f"| {shards:,} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def load() -> str:
    """The share of the time that workers work, by their number and the length of units."""
    workers = (100, 1_000, 10_000)
    head = "| a unit takes | " + " | ".join(f"{count:,} workers" for count in workers) + " |"
    lines = [head, "|:---" + "|---:" * len(workers) + "|"]
    for seconds in (1, 10, 60, 600):
        shares = [
            10 * seconds / makespan(HANDED, workers=count, units=10 * count, seconds=seconds)
            for count in workers
        ]
        lines.append(f"| {seconds} s | " + " | ".join(f"{share:.0%}" for share in shares) + " |")
    return "\n".join(lines)


def tables() -> list[str]:
    """All tables of the plan."""
    return [
        table(
            "a ResNet50, 2,048 neurons",
            {
                "10 million images": images(10**7, 64, 1, 8),
                "1 billion images": images(10**9, 2_000, 32, 100),
            },
        ),
        table(
            "ResNet18s, tasks of 35,000 images",
            {
                "1,000 networks on one task": networks(1_000, 1, 200),
                "1,000 networks on ten tasks": networks(1_000, 10, 1_000),
            },
        ),
        merging(),
        load(),
    ]


if __name__ == "__main__":
    print("\n\n".join(tables()))
