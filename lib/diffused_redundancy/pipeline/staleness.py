"""Whether a report is up to date: made by the same code and packages, from the same parameters,
weights and images, and untouched since.

Light: nothing of torch is imported, so that a run that has nothing to do takes a second or two.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import parameters
from ..nets.names import expanded
from ..nets.zoo import ZOO
from ..store import assets, paths, sha256_of, write_json
from ..tasks.datasets import DATASETS
from ..tasks.files import stamp
from .plan import Job, Outcome


def inputs(job: Job) -> str:
    """A digest of everything that a report depends on."""
    values = job.parameters
    told = {
        **installed(),
        "notebook": sha256_of(parameters.source(job.notebook)),
        "parameters": values,
        "preset": job.preset,
        "machine": [platform.platform(), platform.python_version(), os.cpu_count()],
        "gpu": [Path("/dev/nvidiactl").exists(), os.environ.get("CUDA_VISIBLE_DEVICES")],
        "nets": {name: net_stamp(name) for name in expanded(values.get("NETS", []))},
        "tasks": {name: task_stamp(name) for name in values.get("TASKS", [])},
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@functools.cache
def installed() -> dict[str, Any]:
    """The code and the packages, as a run finds them when it begins: what changes meanwhile makes
    its reports stale.
    """
    root = Path(__file__).resolve().parents[1]
    code = hashlib.sha256()
    for path in sorted(
        one for one in root.rglob("*") if one.is_file() and "__pycache__" not in one.parts
    ):
        code.update(path.relative_to(root).as_posix().encode() + b"|" + path.read_bytes())
    return {
        "code": code.hexdigest(),
        "packages": sorted(f"{one.name} {one.version}" for one in metadata.distributions()),
    }


def net_stamp(name: str) -> Any:
    """A stamp of the files of a net's weights."""
    if "@" in name:
        return _stamps(Path(name.partition("@")[2]).expanduser())
    if name in ZOO:
        return _stamps(paths.data() / "checkpoints" / f"{name}.json")
    known = assets.manifest().get(name)
    return _stamps(
        known.place if known is not None else paths.assets() / "weights" / name
    )  # the latter of a tag of timm


def task_stamp(name: str) -> Any:
    """A stamp of the files of a task's images."""
    if name in DATASETS:
        return _stamps(assets.asset(name).place)
    _, colon, path = name.partition(":")
    return _stamps(Path(path).expanduser()) if colon else None  # the others are made by the code


def _stamps(path: Path) -> str:
    """A stamp of a file, or of all files of a folder but hidden ones, such as locks, which change
    when a folder is only looked at.
    """
    files = path.rglob("*") if path.is_dir() else [path]
    return stamp(sorted(one for one in files if one.is_file() and not one.name.startswith(".")))


def _made(job: Job) -> Path:
    return job.folder / "results" / f"{job.notebook}.made.json"


def _files(job: Job) -> Iterator[Path]:
    yield job.folder / f"{job.notebook}.html"
    yield job.folder / f"{job.notebook}.ipynb"
    yield job.folder / "results" / f"{job.notebook}.json"
    yield job.folder / "results" / f"{job.notebook}.outcome.json"
    for kind in ("figures", "tables"):
        yield from sorted((job.folder / kind).glob(f"{job.notebook}-*"))


def record(job: Job, digest: str) -> None:
    """Remember that the report of a job was made from inputs with a digest, taken before it
    began.
    """
    files = {path.relative_to(job.folder).as_posix(): sha256_of(path) for path in _files(job)}
    write_json(_made(job), {"inputs": digest, "files": files})


def current(job: Job, digest: str) -> Outcome | None:
    """How the report of a job went, if it is up to date: made from the same inputs, complete, and
    as it was written.
    """
    try:
        made = json.loads(_made(job).read_text(encoding="utf-8"))
        same = made["inputs"] == digest and all(
            sha256_of(job.folder / name) == value for name, value in made["files"].items()
        )
        if not same:
            return None
        return Outcome(
            **json.loads(
                (job.folder / "results" / f"{job.notebook}.outcome.json").read_text(
                    encoding="utf-8"
                )
            )
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
