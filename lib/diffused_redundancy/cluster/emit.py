"""A run written for what a cluster has: job arrays of Slurm, Snakemake, or GNU parallel.

Each is text; nothing of theirs is needed to write it. Shards of one step run side by side, the next
step begins when all have ended, and the report is made at last. To go on after a failure, start the
same again: units that are done are left alone.
"""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..pipeline.runner import THREADS
from ..pipeline.staleness import code_and_packages
from ..store import sha256_of
from .units import STEPS, Cost, Unit

MOST_SHARDS = 100
"""Shards of a step, unless another number is asked for."""

LEAST_MINUTES = 15
"""Time asked for a shard, at least."""

ONE_BY_ONE = "--jobs 1"
"""Notebooks of the report, one at a time: a job's memory and cores are not all of its node's."""

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
    counts, minutes = {}, {}
    for step in STEPS:
        seconds = [cost.seconds.get(unit.name, 0.0) for unit in every if unit.step == step]
        if seconds:
            counts[step] = shards or min(len(seconds), MOST_SHARDS)
            longest = max(sum(seconds[i :: counts[step]]) for i in range(counts[step]))
            minutes[step] = max(LEAST_MINUTES, math.ceil(SAFETY * longest / 60))
    gigabytes = math.ceil(1.5 * cost.memory / 1e9)
    # paths that were typed count from here, wherever the jobs begin
    words = f"cd {shlex.quote(os.getcwd())} && {shlex.join(command)}"
    return STYLES[style](words, counts, minutes, gigabytes, out)


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
        "# ends here, and says why, where weights or images are missing",
        'found=$(eval "$run --dry-run") || {',
        '  sed -n "/^missing/,/^  all/p" <<< "$found" >&2; exit 1',
        "}",
        "",
        "submit() {  # NAME, the job it waits for, and options",
        "  local name=$1 after=$2; shift 2",
        '  [ -z "$after" ] || set -- --dependency "afterok:$after" --kill-on-invalid-dep yes "$@"',
        '  sbatch --parsable --job-name "redundancy-$name" --cpus-per-task 2 '
        '${options[@]+"${options[@]}"} "$@"',
        "}",
        "",
        'last=""',
    ]
    for step, count in counts.items():
        lines.append(
            f'last=$(submit {step} "$last" --mem {gigabytes}G --time {minutes[step]} '
            f"--array 1-{count} "
            f'--wrap "$run --step {step} --shard \\$SLURM_ARRAY_TASK_ID/{count}")'
        )
    lines.append(
        f'submit report "$last" --mem {2 * gigabytes}G --time 120 --wrap "$run {ONE_BY_ONE}"'
    )
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
        '    input: MARKS + "/report"',
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
            f'    params: command=lambda wildcards: RUN + " --step {step}"',
            f'    shell: "{{params.command}} --shard {{wildcards.i}}/{count}"',
        ]
        before = [f'    input: expand(MARKS + "/{step}-{{i}}", i=range(1, {count + 1}))']
    lines += [
        "",
        "rule report:",
        *before,
        '    output: touch(MARKS + "/report")',
        "    threads: 2",
        f"    resources: mem_mb={2000 * gigabytes}, runtime=120",
        f'    params: command=lambda wildcards: RUN + " {ONE_BY_ONE}"',
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
        f"export run {' '.join(f'{name}=1' for name in THREADS)}",
    ]
    for step, count in counts.items():  # $run as a variable, as {} in it would be replaced
        lines.append(
            f'seq 1 {count} | parallel --env run --jobs "${{JOBS:-2}}" "$@" '
            f"'eval \"$run --step {step} --shard {{}}/{count}\"'"
        )
    lines += [f"unset {' '.join(THREADS)}", 'eval "$run"']
    return "\n".join(lines) + "\n"


STYLES = {"sbatch": _sbatch, "snakemake": _snakemake, "parallel": _parallel}
"""What a run can be written for."""
