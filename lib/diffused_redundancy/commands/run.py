"""The command ``run``: ``./run_all.sh``.

Light: its help is shown by a bare Python, before there is an environment.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, unknown
from .shard_option import check_shard

if TYPE_CHECKING:
    from ..pipeline.plan import Job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    parser.prog = "run_all.sh"
    parser.description = "Run notebooks and write reports/index.html."
    parser.add_argument(
        "--preset",
        default="miniature",
        metavar="NAME",
        help="values of the parameters, from notebooks/presets (default: miniature)",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NOTEBOOK",
        help="run this notebook only, such as 01_cka; may be repeated",
    )
    parser.add_argument(
        "-p",
        nargs=2,
        action="append",
        default=[],
        dest="overrides",
        metavar=("NAME", "VALUE"),
        help="set a parameter of every notebook that has it, such as -p SEEDS '[1, 2, 3]'",
    )
    parser.add_argument(
        "--force", action="store_true", help="compute everything again instead of using the cache"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="notebooks to run at a time, sharing the cores (default: one per core, at most 4)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where reports go (default: reports in the checkout)",
    )
    parser.add_argument(
        "--save",
        action="store_true",
        help="keep the executed notebooks in notebooks/, for committing",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="write plan.csv and say what would be computed, at what cost, and what is "
        "missing (then the exit status is 1, but for --skip-missing)",
    )
    parser.add_argument(
        "--fetch",
        action="store_true",
        help="download the data sets that are missing (missing weights are downloaded anyway)",
    )
    parser.add_argument(
        "--assets",
        type=Path,
        metavar="FOLDER",
        help="your folder of weights and images: missing weights are taken from it, and the "
        "preset real reads its images there",
    )
    parser.add_argument(
        "--skip-missing",
        action="store_true",
        help="leave out networks and data sets that are missing and cannot be downloaded",
    )
    cluster = parser.add_argument_group("beyond one machine (docs/scale.md)")
    cluster.add_argument(
        "--plan", action="store_true", help="list the run's units of work, with what they take"
    )
    cluster.add_argument(
        "--step",
        metavar="STEP",
        help="do the units of one step: extract, penalties, probes or measure",
    )
    cluster.add_argument(
        "--shard",
        metavar="I/N",
        help="with --step: every N-th of its units, from the I-th; slurm: the task of a job array "
        "that this is",
    )
    cluster.add_argument("--unit", metavar="NAME", help="do one unit that --plan lists")
    cluster.add_argument(
        "--emit",
        metavar="FORM",
        help="print the run for sbatch, snakemake or parallel (--jobs: shards of each step)",
    )
    cluster.add_argument(
        "--executor", metavar="NAME", help="dask: do the units on processes of this machine first"
    )
    cluster.add_argument(
        "--scheduler", metavar="ADDRESS", help="the same on a running Dask, such as tcp://host:8786"
    )
    parser.add_argument(
        "--list",
        action="store_true",
        help="list notebooks with their parameters, and presets, and do nothing else",
    )


def run(options: argparse.Namespace) -> int:
    """Check what was typed, fetch what is missing, and run the notebooks."""
    if options.list:
        print("\n".join(_list()))
        return 0
    if options.jobs is not None and options.jobs < 1:
        raise InputError(f"--jobs is {options.jobs}: it must be at least 1 (nearest: 1)")
    _check_cluster(options)
    from ..presets import KEPT

    if options.save and (options.preset not in KEPT or options.overrides):
        raise InputError(
            "--save keeps notebooks as they read by default, or with --preset "
            f"{', '.join(list(KEPT)[1:])}: use it with no other preset, nor with -p"
        )
    for name in ("SIGTERM", "SIGHUP"):  # a scheduler's stop is a stop like Ctrl-C
        if hasattr(signal, name):  # Windows has no hang-up
            signal.signal(getattr(signal, name), signal.default_int_handler)
    from ..pipeline import plan, requirements, runner
    from ..store import paths

    out = paths.of_user(options.out or runner.default_out()).resolve()
    folder = paths.of_user(options.assets).resolve() if options.assets else None
    jobs = plan.plan(options.preset, options.only, options.overrides, out, folder)
    for line in requirements.take_from(folder, jobs) if folder else ():
        runner.say(line)
    if options.dry_run:
        return _dry_run(jobs, out, options.skip_missing)
    plan.check_layers(jobs)
    if options.plan or options.emit:
        return _tell(options, jobs, out)
    jobs, unavailable = requirements.fetch_missing(
        jobs, datasets=options.fetch, skip=options.skip_missing
    )
    for name, why in unavailable.items():
        runner.say(f"Left out: {name}: {why}")
    if options.step or options.unit:
        return _do_units(options, jobs)
    if options.executor or options.scheduler:
        from ..cluster.dask import run_on_dask
        from ..cluster.units import units

        for error in run_on_dask(units(jobs), scheduler=options.scheduler, workers=options.jobs):
            runner.say(error)
    workers = min(options.jobs or runner.default_workers(len(jobs)), len(jobs))
    outcomes = runner.run(jobs, out=out, workers=workers, force=options.force)
    if options.save:
        from ..pipeline.execute import save_pair

        for job, outcome in zip(jobs, outcomes, strict=True):
            if outcome.ok:
                runner.say(f"Kept {save_pair(job.notebook, job.folder, folder)}")
    runner.say(f"Reports: {out / 'index.html'}")
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _check_cluster(options: argparse.Namespace) -> None:
    """Raise InputError where options of a cluster are wrong, or do not go together."""
    for name in ("step", "shard", "unit", "emit", "executor", "scheduler"):
        if getattr(options, name) == "":  # a variable of a script that is not set
            raise InputError(f"--{name} is empty: leave it out, or say which")
    if options.shard and not options.step:
        raise InputError("--shard is a part of a step: say which, such as --step extract")
    if options.shard:
        check_shard(options.shard)
    chosen = [
        f"--{name}"
        for name in ("plan", "step", "unit", "emit", "executor", "scheduler")
        if getattr(options, name)
    ]
    if len(chosen) > 1 and set(chosen) != {"--executor", "--scheduler"}:
        raise InputError(f"{' and '.join(chosen)} do not go together: use one of them")
    _check_named(options)
    if options.save and {"--plan", "--step", "--unit", "--emit"} & set(chosen):
        raise InputError(
            f"--save keeps the notebooks of a whole run: leave it out with {chosen[0]}"
        )
    if chosen and options.force:
        raise InputError(
            f"--force does not go with {chosen[0]}: each process would compute again what others "
            "just did; give DIFFUSED_REDUNDANCY_CACHE another folder instead"
        )


def _check_named(options: argparse.Namespace) -> None:
    """Raise InputError with the nearest step, form or executor where there is none of that name."""
    if options.step:
        from ..cluster.units import STEPS

        if options.step not in STEPS:
            raise unknown("step", options.step, STEPS)
    if options.emit:
        from ..cluster.emit import STYLES

        if options.emit not in STYLES:
            raise unknown("form of --emit", options.emit, STYLES)
    if options.executor not in (None, "dask"):
        raise unknown("executor", options.executor, ["dask"])


def _tell(options: argparse.Namespace, jobs: Sequence[Job], out: Path) -> int:
    """Print the units, or the run as text for a cluster."""
    from ..cluster import emit, units

    every = units.units(jobs)
    cost = units.cost(every, jobs)
    if options.emit:
        words = _words(options, out)
        print(emit.emitted(options.emit, words, every, cost, out, options.jobs), end="")
        return 0
    for unit in every:
        seconds = cost.seconds[unit.name]
        print(f"{unit.name}: {'done' if unit.done else f'about {seconds:.1f} s'}")
    left = [unit for unit in every if not unit.done]
    print(
        f"{len(every)} units, {len(left)} of them to do: about "
        f"{sum(cost.seconds[unit.name] for unit in left) / 3600:.2f} hours of this machine, "
        f"{cost.memory / 1e9:.1f} GB each; then the report. One of them: --unit NAME"
    )
    return 0


def _words(options: argparse.Namespace, out: Path) -> list[str]:
    """The words of this run."""
    from ..store import paths

    words = [
        *("env", f"{paths.CACHE_VARIABLE}={paths.cache()}"),
        *(f"{name}={os.environ[name]}" for name in (paths.ASSETS_VARIABLE,) if name in os.environ),
        *(sys.executable, "-m", "diffused_redundancy", "run", "--preset", options.preset),
        *("--out", str(out)),
    ]
    for notebook in options.only:
        words += ["--only", notebook]
    for name, value in options.overrides:
        words += ["-p", name, value]
    if options.assets:
        words += ["--assets", str(paths.of_user(options.assets).resolve())]
    return words + ["--fetch"] * options.fetch + ["--skip-missing"] * options.skip_missing


def _do_units(options: argparse.Namespace, jobs: Sequence[Job]) -> int:
    """Do one unit, or those of a shard of a step."""
    from ..cluster import executors, units
    from ..pipeline.runner import say

    every = units.units(jobs)
    if options.unit:
        some = [units.named(every, options.unit)]
    else:
        i, n = check_shard(options.shard or "1/1")
        some = units.of_shard(units.of_step(every, options.step), i, n)
        say(f"{options.step}, shard {i} of {n}: {len(some)} units")
    workers = min(options.jobs or 1, max(1, len(some)))
    executor = executors.processes(workers) if workers > 1 else executors.Alone()
    errors = executors.run_units(some, executor)
    for error in errors:
        say(error)
    return 1 if errors else 0


def _list() -> list[str]:
    from .. import parameters, presets

    lines = []
    for notebook in parameters.available():
        lines.append(notebook)
        for one in parameters.declared(notebook).values():
            default = json.dumps(one.default, ensure_ascii=False)
            lines += [f"  {one.name} = {default}", f"      {one.help}"]
    for name in presets.presets():
        preset = presets.preset(name)
        lines += [f"preset {name}: {preset.description}", f"    {preset.cost}"]
    return lines


def _dry_run(jobs: Sequence[Job], out: Path, skip: bool) -> int:
    from ..pipeline.estimate import estimate
    from ..store import write_text
    from ..store.csvfile import csv_text

    estimated = estimate(jobs)
    print("\n".join(estimated.lines()))
    path = out / "plan.csv"
    write_text(path, csv_text(estimated.table(), "%.3g"))
    print(f"every ordering: {path}")
    return 1 if estimated.missing and not skip else 0
