"""A stand-in for Slurm's ``sbatch`` that takes what emitted scripts use: a job runs at once, the
tasks of an array one after the other, with Slurm's variables; a job whose dependency failed is not
run. What happened is written to ``$SBATCH_LOG``, a line a task.

    sbatch --parsable --job-name NAME [--array 1-N] [--dependency afterok:ID] --wrap COMMAND
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--parsable", action="store_true", required=True)
    parser.add_argument("--array")
    parser.add_argument("--dependency", default="")
    parser.add_argument("--kill-on-invalid-dep", choices=["yes", "no"])
    parser.add_argument("--time", type=int, required=True)
    for name in ("--job-name", "--cpus-per-task", "--mem", "--wrap"):
        parser.add_argument(name, required=True)
    parser.add_argument("--partition")
    options = parser.parse_args()
    log = Path(os.environ["SBATCH_LOG"])
    before = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    number = max((one["job"] for one in before), default=0) + 1
    kind, _, after = options.dependency.partition(":")
    assert kind in ("", "afterok"), options.dependency
    waited = [one for one in before if after and one["job"] == int(after)]
    assert not after or waited, f"no job {after}"
    held = any(one["status"] != 0 for one in waited)
    first, _, last = (options.array or "0-0").partition("-")
    tasks = range(int(first), int(last) + 1)
    for task in tasks:
        array = {
            "SLURM_ARRAY_TASK_ID": str(task),
            "SLURM_ARRAY_TASK_MIN": first,
            "SLURM_ARRAY_TASK_MAX": last,
            "SLURM_ARRAY_TASK_STEP": "1",
            "SLURM_ARRAY_TASK_COUNT": str(len(tasks)),
        }
        command = ["/bin/sh", "-c", options.wrap]
        environment = {**os.environ, **(array if options.array else {})}
        # what a job prints goes to a file of its own, never to who submits it
        status = (
            None if held else subprocess.run(command, env=environment, stdout=sys.stderr).returncode
        )
        line = {"job": number, "name": options.job_name, "task": task, "status": status}
        with log.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
    print(number)
    return 0


if __name__ == "__main__":
    sys.exit(main())
