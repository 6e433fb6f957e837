"""Run the benchmarks and print a Markdown table: ``python benchmarks/run.py [--quick] [--only NAME]
[--json FILE]``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cases_cifar
import cases_cka
import cases_cluster
import cases_cost
import cases_extraction
import cases_gpu
import cases_growth
import cases_logistic
import cases_memory
import cases_packages
import cases_peaks
import cases_real
import cases_ridge
import cases_run
import cases_seeds
from table import Row, as_json, machine, markdown

BENCHMARKS: dict[str, Callable[[bool], list[Row]]] = {
    "cka_all_sizes": cases_cka.all_sizes,
    "cka_75_subsets": cases_cka.subsets,
    "cka_packages": cases_packages.packages,
    "ridge_all_sizes": cases_ridge.all_sizes,
    "logistic_71_probes": cases_logistic.first_shape,
    "logistic_other_shapes": cases_logistic.other_shapes,
    "logistic_share": cases_logistic.share,
    "seeds": cases_seeds.seeds,
    "cost": cases_cost.curves,
    "growth": cases_growth.growth,
    "stream_memory": cases_memory.stream,
    "peak_memory": cases_peaks.peaks,
    "real_features": cases_real.real,
    "extraction": cases_extraction.passes,
    "gpu": cases_gpu.accelerator,
    "cifar_preset": cases_cifar.path,
    "whole_run": cases_run.whole,
    "cluster_workers": cases_cluster.workers,
    "cluster_scheduler": cases_cluster.scheduler,
}
"""What can be measured, by name: each takes whether to be quick, and gives rows of the table."""

ASKED_FOR = (
    "cifar_preset",
    "cka_packages",
    "cluster_workers",
    "cost",
    "growth",
    "logistic_71_probes",
    "logistic_other_shapes",
    "logistic_share",
    "peak_memory",
    "seeds",
    "whole_run",
)
"""Left out unless named: many minutes long."""


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/run.py",
        description="Measure speed as ratios, side by side in one run, and memory.",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small sizes: checks are judged, targets for speed and memory are not",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=list(BENCHMARKS),
        metavar="NAME",
        help=f"one of {', '.join(BENCHMARKS)}; may be repeated",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the rows and the machine to a file"
    )
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print and write; exit status 1 if a target that applies is missed."""
    options = _options(words)
    names = options.only or [name for name in BENCHMARKS if name not in ASKED_FOR]
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    about = {
        **machine(),
        "load before the run (1, 5, 15 min)": load,
    }  # now: the checkout may change while this runs
    rows: list[Row] = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += BENCHMARKS[name](options.quick)
    print(markdown(rows) + "\n")
    print("\n".join(f"- {name}: {value}" for name, value in about.items()))
    if options.json:
        options.json.write_text(
            json.dumps({"quick": options.quick, "machine": about, "rows": as_json(rows)}, indent=1)
            + "\n",
            encoding="utf-8",
        )
    return 1 if any(row.met is False for row in rows) else 0


KEPT_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 25)}
"""What run_all.sh sets; glibc reads it when a process starts."""

SETTINGS = {**KEPT_MEMORY, "SCIPY_ARRAY_API": "1"}
"""The last is what scikit-learn's fits on a GPU ask for; SciPy reads it when it is imported."""


if __name__ == "__main__":
    if not SETTINGS.items() <= os.environ.items():  # for all, peers as well
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **SETTINGS})
    sys.exit(main())
