"""The option ``--shard`` of ``run`` and of ``measure``. Light, as their help is."""

from __future__ import annotations

import os
import re

from ..errors import InputError


def check_shard(text: str) -> tuple[int, int]:
    """Which of how many shards ``I/N`` says, from 1, or ``slurm``: the task of a job array that
    this is. InputError says what is allowed.

    >>> check_shard("3/8")
    (3, 8)
    """
    if text.strip() == "slurm":
        return _task_of_slurm()
    found = re.fullmatch(r"(-?[0-9]+)/(-?[0-9]+)", text.strip())
    if not found:
        raise InputError(f"--shard is {text!r}: write I/N, whole numbers, such as 1/8, or slurm")
    i, n = int(found[1]), int(found[2])
    if n < 1 or not 1 <= i <= n:
        most = max(n, 1)
        raise InputError(
            f"--shard {text}: there is at least one shard, and shards are numbered 1 to N "
            f"(nearest: {min(max(i, 1), most)}/{most})"
        )
    return i, n


def _task_of_slurm() -> tuple[int, int]:
    """Which of how many tasks of a job array of Slurm this process is, from 1."""
    names = [f"SLURM_ARRAY_TASK_{name}" for name in ("ID", "MIN", "MAX", "STEP", "COUNT")]
    given = {name: os.environ.get(name, "") for name in names}
    if not all(value.isdecimal() for value in given.values()) or given[names[3]] == "0":
        missing = next((name for name, value in given.items() if not value), None)
        why = f"{missing} is not set" if missing else f"its variables read {given}"
        raise InputError(
            f"--shard slurm: this is no task of a job array ({why}); write I/N, such as 1/8"
        )
    task, first, last, step, count = map(int, given.values())
    if (last - first) // step + 1 != count:
        raise InputError(
            f"--shard slurm: the array leaves out tasks between {first} and {last}, so this one "
            f"has no place among its {count}; write I/N, such as $SLURM_ARRAY_TASK_ID/{last}"
        )
    return (task - first) // step + 1, count
