"""The command line: ``python -m diffused_redundancy COMMAND``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    from .pipeline.plan import Job


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m diffused_redundancy",
        description="Diffused redundancy in pre-trained representations.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run",
        prog="run_all.sh",
        help="run notebooks and write their reports",
        description="Run notebooks and write reports/index.html.",
    )
    run.add_argument(
        "--preset",
        default="miniature",
        metavar="NAME",
        help="values of the parameters, from notebooks/presets (default: miniature)",
    )
    run.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NOTEBOOK",
        help="run this notebook only, such as 01_cka; may be repeated",
    )
    run.add_argument(
        "-p",
        nargs=2,
        action="append",
        default=[],
        dest="overrides",
        metavar=("NAME", "VALUE"),
        help="set a parameter of every notebook that has it, such as -p SEEDS '[1, 2, 3]'",
    )
    run.add_argument(
        "--force", action="store_true", help="compute everything anew instead of using the cache"
    )
    run.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="notebooks to run at a time, sharing the cores (default: one a core, at most 4)",
    )
    run.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where reports go (default: reports in the checkout)",
    )
    run.add_argument(
        "--save",
        action="store_true",
        help="keep the executed notebooks in notebooks/, for committing (default preset only)",
    )
    run.add_argument(
        "--dry-run",
        action="store_true",
        help="write plan.csv and say what would be computed, at which cost, and what is "
        "missing (exit status 1 then)",
    )
    run.add_argument(
        "--fetch",
        action="store_true",
        help="download the data sets that are missing (missing weights are downloaded anyway)",
    )
    run.add_argument(
        "--skip-missing",
        action="store_true",
        help="leave out networks and data sets that are not here and cannot be had",
    )
    run.add_argument(
        "--list",
        action="store_true",
        help="list notebooks with their parameters, and presets, and do nothing else",
    )

    measure = commands.add_parser("measure", help="measure the redundancy of your own embeddings")
    measure.add_argument(
        "features",
        type=Path,
        metavar="FEATURES",
        help=".npz or .safetensors file with X_train, y_train and optionally X_test, y_test",
    )
    measure.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for summary.json, curves.csv and report.html",
    )
    measure.add_argument(
        "--seeds",
        type=int,
        default=5,
        metavar="N",
        help="random selections, seeds 1 to N (default: 5)",
    )
    measure.add_argument(
        "--delta",
        type=float,
        action="append",
        default=[],
        metavar="D",
        help="share of the full layer's value to keep; may be repeated (default: 0.8, 0.9, 0.95)",
    )
    measure.add_argument(
        "--selection",
        action="append",
        default=[],
        metavar="NAME",
        help="way of choosing neurons or directions; may be repeated (default: random)",
    )
    measure.add_argument(
        "--probe",
        default="ridge",
        metavar="NAME",
        help="ridge, logistic, both or none (default: ridge)",
    )
    measure.add_argument(
        "--penalty",
        type=float,
        metavar="A",
        help="of the ridge probe (default: chosen by cross-validation on the train set)",
    )
    measure.add_argument(
        "--standardize",
        action="store_true",
        help="scale neurons to unit variance before the ridge probe",
    )
    measure.add_argument(
        "--constant",
        default="error",
        metavar="RULE",
        help="constant neurons: error, keep (count them as neurons) or drop (default: error)",
    )
    measure.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)"
    )

    pretrain = commands.add_parser("pretrain", help="pre-train nets of the miniature zoo")
    pretrain.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="nets, or patterns such as '*.dropout_*'; without any, list them",
    )
    pretrain.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of checkpoints (default: data/checkpoints)"
    )
    pretrain.add_argument("--device", default="auto", metavar="NAME")
    pretrain.add_argument(
        "--epochs", type=int, metavar="N", help="in place of the recipe's, for a trial"
    )
    pretrain.add_argument(
        "--compile",
        dest="compiled",
        metavar="BACKEND",
        help="compile the forward pass, such as inductor (for GPUs)",
    )
    pretrain.add_argument(
        "--speed",
        action="store_true",
        help="train nothing; measure the speed of shipped nets in turn, for their manifests",
    )
    pretrain.add_argument(
        "--images", type=int, metavar="N", help="in place of the recipe's, for a trial"
    )

    assets = commands.add_parser(
        "assets", help="weights and data sets of others: list, fetch, verify, import"
    )
    actions = assets.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("ls", help="list what there is, what is here, and on what terms")
    fetch = actions.add_parser(
        "fetch", help="download, going on where an earlier download stopped, and check"
    )
    verify = actions.add_parser(
        "verify", help="check what is here against published and recorded hashes"
    )
    for one in (listing, fetch, verify):
        one.add_argument(
            "names",
            nargs="+" if one is fetch else "*",
            metavar="NAME",
            help="assets, or patterns such as 'resnet50.*'; tags of timm",
        )
    take = actions.add_parser(
        "import",
        help="take files from a folder, for work without a network (of a tag of timm, as TAG/FILE)",
    )
    take.add_argument("folder", type=Path, metavar="FOLDER")

    execute = commands.add_parser("execute")  # what the runner starts for each notebook
    execute.add_argument("task")
    commands.add_parser("features")  # and before them, for what they need
    return parser


def _run(options: argparse.Namespace) -> int:
    from . import parameters, presets
    from .pipeline import plan as planning
    from .pipeline import runner
    from .pipeline.requirements import prepared

    if options.list:
        for name in parameters.available():
            print(name)
            for one in parameters.declared(name).values():
                print(
                    f"  {one.name} = {json.dumps(one.default, ensure_ascii=False)}\n      "
                    f"{one.help}"
                )
        for name in presets.presets():
            found = presets.preset(name)
            print(f"preset {name}: {found.description}\n    {found.cost}")
        return 0
    if options.jobs is not None and options.jobs < 1:
        raise InputError(f"--jobs is {options.jobs}: it must be at least 1 (nearest: 1)")
    out = (options.out or runner.default_out()).expanduser().resolve()
    if options.save and (options.preset != "miniature" or options.overrides):
        raise InputError(
            "--save keeps notebooks as they read by default: use it with neither --preset nor -p"
        )
    for number in (
        signal.SIGTERM,
        signal.SIGHUP,
    ):  # a stop by a scheduler or a closed terminal is a stop like Ctrl-C
        signal.signal(number, signal.default_int_handler)
    jobs = planning.plan(options.preset, options.only, options.overrides, out)
    if options.dry_run:
        return _dry_run(jobs, out)
    planning.check_layers(jobs)
    jobs, gone = prepared(jobs, data=options.fetch, skip=options.skip_missing)
    for name, why in gone.items():
        runner.say(f"Left out: {name}: {why}")
    outcomes = runner.run(
        jobs,
        out=out,
        workers=min(options.jobs or runner.default_workers(len(jobs)), len(jobs)),
        force=options.force,
    )
    if options.save:
        from .pipeline.execute import save_pair

        for job, outcome in zip(jobs, outcomes, strict=True):
            if outcome.ok:
                runner.say(f"Kept {save_pair(job.notebook, job.folder)}")
    runner.say(f"Reports: {out / 'index.html'}")
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _dry_run(jobs: Sequence[Job], out: Path) -> int:
    from .pipeline.estimate import forecast
    from .store import write_text

    found = forecast(jobs)
    print("\n".join(found.lines()))
    path = out / "plan.csv"
    write_text(path, found.table().to_csv(index=False, float_format="%.3g"))
    print(f"every cell: {path}")
    return 1 if found.missing else 0


def _measure(options: argparse.Namespace) -> int:
    from .commands.measure import Request, measure

    print(
        measure(
            Request(**{name: value for name, value in vars(options).items() if name != "command"})
        )
    )
    return 0


def _pretrain(options: argparse.Namespace) -> int:
    from .nets import pretrain
    from .nets.catalogue import table
    from .nets.names import expanded
    from .nets.zoo import recipe

    if not options.names:
        print(table())
        return 0
    names = expanded(options.names)
    for name in names:
        recipe(name)
    if options.speed:
        from .nets.training import measure_speeds

        for name, speed in measure_speeds(names, device=options.device).items():
            print(f"{name}: {speed:,} images/s")
        return 0
    for name in names:
        print(
            pretrain(
                name,
                options.out,
                device=options.device,
                epochs=options.epochs,
                images=options.images,
                compiled=options.compiled,
            )
        )
    return 0


def _assets(options: argparse.Namespace) -> int:
    from .commands import assets as inventory

    if options.action == "import":
        lines, bad = inventory.take(options.folder)
        print("".join(f"{line}\n" for line in lines), end="")
        return _failures(bad)
    chosen = inventory.chosen(options.names)
    if options.action == "ls":
        print(inventory.listing(chosen))
        return 0
    if options.action == "fetch":
        return _failures(inventory.fetch(chosen))
    lines, good = inventory.verify(chosen)
    print("\n".join(lines))
    return 0 if good else 1


def _failures(told: Sequence[str]) -> int:
    """Say what went wrong, and the exit status."""
    for line in told:
        print(f"error: {line}", file=sys.stderr)
    return 1 if told else 0


def _execute(options: argparse.Namespace) -> int:
    from .pipeline.execute import execute

    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # so that the kernel is shut down and nothing is left lying about
    task = json.loads(options.task)
    outcome = execute(
        task["notebook"], task["parameters"], Path(task["folder"]), preset=task["preset"]
    )
    print(json.dumps(outcome.__dict__))
    return 0 if outcome.ok else 1


def _features(options: argparse.Namespace) -> int:
    from .pipeline.prefetch import serve

    serve(sys.stdin)
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; errors of the user are one line and exit status 2."""
    options = _parser().parse_args(words)
    commands = {
        "run": _run,
        "measure": _measure,
        "pretrain": _pretrain,
        "assets": _assets,
        "execute": _execute,
        "features": _features,
    }
    try:
        return commands[options.command](options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "stopped: what was computed is in the cache, and the same command goes on from there",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
