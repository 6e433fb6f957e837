"""Loaded by the workers of Dask that tests/test_faults.py starts: what they write is noted, and
what the test asks for goes wrong, each once.

A fault is a file of its name in the folder $FAULTS; the worker that removes it has it.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
from diffused_redundancy.cluster import perform
from diffused_redundancy.nets import extraction
from diffused_redundancy.store import Cache, cache, tensors

FOLDER = Path(os.environ["FAULTS"])
extraction.BLOCK = int(os.environ["FAULTS_BLOCK"])


def taken(name: str) -> bool:
    """Whether this fault is wanted, and this process is the one that has it."""
    try:
        (FOLDER / name).unlink()
    except FileNotFoundError:
        return False
    return True


def die() -> None:
    """End at once, as by the system."""
    os.kill(os.getpid(), signal.SIGKILL)


def note(kind: str, what: str) -> None:
    """A line in a file of what was done; lines of several processes do not mix."""
    with open(FOLDER / f"{kind}.log", "a", encoding="utf-8") as log:
        log.write(f"{what}\n")


called = 0


def run(self, images, own=extraction._Runner.__call__):
    """A batch through a network; the second of a block may be the last."""
    global called
    called += 1
    if called % 2 == 0 and taken("in-a-block"):
        die()
    return own(self, images)


def write(path, arrays, notes, own=tensors.write):
    """An entry's temporary file, after which the process may end."""
    own(path, arrays, notes)
    if taken("in-a-file"):
        die()


def put(self, key, arrays, own=Cache.put):
    """An entry of the cache; after one of a curve the process may end."""
    own(self, key, arrays)
    note("put", self.path(key).name)
    if key["kind"] == "curves" and taken("in-a-measure"):
        die()


def measure(unit, own=perform._DO["measure"]):
    """A unit of the last step, for which there may be too little memory."""
    note("measure", unit.name)
    if taken("memory"):
        ballast = []
        while True:  # until the nanny ends this process
            ballast.append(np.ones(1 << 23))
            time.sleep(0.01)
    if taken("limit"):
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 28), before[1]))
        try:
            np.ones(1 << 27)  # a gigabyte
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
    while (FOLDER / "wait").exists():
        time.sleep(0.05)
    own(unit)


extraction._Runner.__call__ = run
cache.tensors.write = write
Cache.put = put
perform._DO["measure"] = measure
