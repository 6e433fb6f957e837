"""The command ``run``: ``./run_all.sh``.

Light: its help is shown by a bare Python, before there is an environment.
"""

from __future__ import annotations

import argparse
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

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
        "missing (then the exit status is 1)",
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

    out = (options.out or runner.default_out()).expanduser().resolve()
    folder = options.assets.expanduser().resolve() if options.assets else None
    jobs = plan.plan(options.preset, options.only, options.overrides, out, folder)
    for line in requirements.take_from(folder, jobs) if folder else ():
        runner.say(line)
    if options.dry_run:
        return _dry_run(jobs, out)
    plan.check_layers(jobs)
    jobs, unavailable = requirements.fetch_missing(
        jobs, datasets=options.fetch, skip=options.skip_missing
    )
    for name, why in unavailable.items():
        runner.say(f"Left out: {name}: {why}")
    workers = min(options.jobs or runner.default_workers(len(jobs)), len(jobs))
    outcomes = runner.run(jobs, out=out, workers=workers, force=options.force)
    if options.save:
        from ..pipeline.execute import save_pair

        for job, outcome in zip(jobs, outcomes, strict=True):
            if outcome.ok:
                runner.say(f"Kept {save_pair(job.notebook, job.folder, folder)}")
    runner.say(f"Reports: {out / 'index.html'}")
    return 0 if all(outcome.ok for outcome in outcomes) else 1


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


def _dry_run(jobs: Sequence[Job], out: Path) -> int:
    from ..pipeline.estimate import estimate
    from ..store import write_text

    estimated = estimate(jobs)
    print("\n".join(estimated.lines()))
    path = out / "plan.csv"
    write_text(path, estimated.table().to_csv(index=False, float_format="%.3g"))
    print(f"every ordering: {path}")
    return 1 if estimated.missing else 0
