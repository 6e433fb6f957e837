"""A run written for what a cluster has: job arrays of Slurm, Snakemake, or GNU parallel.

Each is text; nothing of theirs is needed to write it. Shards of one step run side by side, the next
step begins when all have ended, and the report is made at last. To go on after a failure, start the
same again: units that are done are left alone.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError, unknown
from ..pipeline.staleness import code_and_packages
from ..store import sha256_of
from .units import STEPS, Cost, Unit

MOST_SHARDS = 100
"""Shards of a step, unless another number is asked for."""

LEAST_MINUTES = 15
"""Time asked for a shard, at least."""

SAFETY = 4
"""So many times the estimate is asked for."""


def emitted(
    style: str,
    command: Sequence[str],
    every: Sequence[Unit],
    cost: Cost,
    out: Path,
    shards: int | None = None,
) -> str:
    """The text for one of :data:`STYLES`.

    Parameters
    ----------
    style : str
    command : sequence of str
        The words of the run: a step, or nothing, is added.
    every : sequence of Unit
    cost : Cost
    out : path
        The folder of reports.
    shards : int, optional
        Of each step; by default as many as units, at most :data:`MOST_SHARDS`.
    """
    if style not in STYLES:
        raise unknown("form of --emit", style, STYLES)
    counts, minutes = {}, {}
    for step in STEPS:
        seconds = [cost.seconds.get(unit.name, 0.0) for unit in every if unit.step == step]
        if seconds:
            counts[step] = shards or min(len(seconds), MOST_SHARDS)
            longest = max(sum(seconds[i :: counts[step]]) for i in range(counts[step]))
            minutes[step] = max(LEAST_MINUTES, math.ceil(SAFETY * longest / 60))
    gigabytes = math.ceil(1.5 * cost.memory / 1e9)
    return STYLES[style](shlex.join(command), counts, minutes, gigabytes, out)


def _sbatch(
    command: str, counts: dict[str, int], minutes: dict[str, int], gigabytes: int, out: Path
) -> str:
    lines = [
        "#!/bin/bash",
        "# Submits a run to Slurm: an array of jobs for each step, then the report.",
        "# After a failure start it again: what is done is left alone.",
        "set -euo pipefail",
        "options=()  # of every job, such as --partition NAME --account NAME --gres gpu:1",
        f"run={shlex.quote(command)}",
        'eval "$run --dry-run" > /dev/null  # ends here where weights or images are missing',
        "",
        "submit() {  # NAME, the job it waits for, and options",
        "  local name=$1 after=$2; shift 2",
        '  [ -z "$after" ] || set -- --dependency "afterok:$after" --kill-on-invalid-dep yes "$@"',
        '  sbatch --parsable --job-name "redundancy-$name" --cpus-per-task 2 '
        f'--mem {gigabytes}G ${{options[@]+"${{options[@]}}"}} "$@"',
        "}",
        "",
        'last=""',
    ]
    for step, count in counts.items():
        lines.append(
            f'last=$(submit {step} "$last" --time {minutes[step]} --array 1-{count} '
            f'--wrap "$run --step {step} --shard slurm")'
        )
    lines.append('submit report "$last" --time 120 --wrap "$run"')
    return "\n".join(lines) + "\n"


def _snakemake(
    command: str, counts: dict[str, int], minutes: dict[str, int], gigabytes: int, out: Path
) -> str:
    if {"{", "}"} & set(str(out)):
        raise InputError(f"a Snakefile cannot name {out}: choose an --out without {{ and }}")
    known = json.dumps([command, counts, code_and_packages()], sort_keys=True)
    marks = out / "units" / sha256_of(known)[:12]
    lines = [
        "# A run for Snakemake: snakemake --cores 4, or with a profile of your cluster.",
        "# After a failure start it again: what is done is left alone.",
        f"RUN = {command!r}",
        f"MARKS = {marks.as_posix()!r}",
        "",
        "localrules: all",
        "",
        "rule all:",
        f"    input: {(out / 'index.html').as_posix()!r}",
    ]
    before: list[str] = []
    for step, count in counts.items():
        lines += [
            "",
            f"rule {step}:",
            *before,
            f'    output: touch(MARKS + "/{step}-{{i}}")',
            "    threads: 2",
            f"    resources: mem_mb={1000 * gigabytes}, runtime={minutes[step]}",
            f'    params: command=RUN + " --step {step}"',
            f'    shell: "{{params.command}} --shard {{wildcards.i}}/{count}"',
        ]
        before = [f'    input: expand(MARKS + "/{step}-{{i}}", i=range(1, {count + 1}))']
    lines += [
        "",
        "rule report:",
        *before,
        f"    output: {(out / 'index.html').as_posix()!r}",
        "    threads: 2",
        f"    resources: mem_mb={2000 * gigabytes}, runtime=120",
        "    params: command=RUN",
        '    shell: "{params.command}"',
    ]
    return "\n".join(lines) + "\n"


def _parallel(
    command: str, counts: dict[str, int], minutes: dict[str, int], gigabytes: int, out: Path
) -> str:
    lines = [
        "#!/bin/bash",
        "# A run for GNU parallel: JOBS at a time, 2 unless said otherwise.",
        "# Options of parallel may follow, such as --sshloginfile HOSTS.",
        "# After a failure start it again: what is done is left alone.",
        "set -euo pipefail",
        f"run={shlex.quote(command)}",
        "export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1",
    ]
    for step, count in counts.items():
        lines.append(
            f'seq 1 {count} | parallel --jobs "${{JOBS:-2}}" "$@" '
            f'"$run --step {step} --shard {{}}/{count}"'
        )
    lines += ["unset OMP_NUM_THREADS MKL_NUM_THREADS OPENBLAS_NUM_THREADS", 'eval "$run"']
    return "\n".join(lines) + "\n"


STYLES = {"sbatch": _sbatch, "snakemake": _snakemake, "parallel": _parallel}
"""What a run can be written for."""
