"""Whether a report is up to date: made by the same code and packages, from the same parameters,
weights and images, and untouched since.

Light: nothing of torch is imported, so that a run that has nothing to do takes a second or two.
"""

from __future__ import annotations

import functools
import json
import os
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import parameters
from ..nets.names import expanded
from ..nets.zoo import ZOO, trained_on
from ..store import assets, paths, sha256_of, write_json
from ..tasks.datasets import DATASETS
from ..tasks.files import stamp
from .plan import Job, Outcome


def digest_of_inputs(job: Job) -> str:
    """A digest of everything that the report of a job depends on."""
    values = job.parameters
    tasks = values.get("TASKS", [])
    of_tasks = [
        net for task in tasks for net in trained_on(task)
    ]  # compared with by 03_pretraining
    nets = dict.fromkeys([*expanded(values.get("NETS", [])), *of_tasks])
    inputs = {
        **code_and_packages(),
        "notebook": sha256_of(parameters.source(job.notebook)),
        "parameters": values,
        "preset": job.preset,
        "machine": [platform.platform(), platform.python_version(), os.cpu_count()],
        "gpu": [Path("/dev/nvidiactl").exists(), os.environ.get("CUDA_VISIBLE_DEVICES")],
        "nets": {name: weights_stamp(name) for name in nets},
        "tasks": {name: images_stamp(name) for name in tasks},
    }
    return sha256_of(json.dumps(inputs, sort_keys=True))


@functools.cache
def code_and_packages() -> dict[str, Any]:
    """The code and the packages, as a run finds them when it begins: what changes meanwhile makes
    its reports stale.
    """
    root = Path(__file__).resolve().parents[1]
    files = sorted(
        path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    parts = [part for path in files for part in (f"{path.relative_to(root).as_posix()}|", path)]
    return {
        "code": sha256_of(*parts),
        "packages": sorted(f"{one.name} {one.version}" for one in metadata.distributions()),
    }


def weights_stamp(net: str) -> str:
    """A stamp of the files of a network's weights."""
    if "@" in net:
        return _stamp_of_files(Path(net.partition("@")[2]).expanduser())
    if net in ZOO:
        return _stamp_of_files(paths.data() / "checkpoints" / f"{net}.json")
    known = assets.manifest().get(net)
    return _stamp_of_files(
        known.place if known is not None else paths.assets() / "weights" / net
    )  # the latter of a tag of timm


def images_stamp(task: str) -> str | None:
    """A stamp of the files of a task's images; None of a task that the code makes."""
    if task in DATASETS:
        return _stamp_of_files(assets.asset(task).place)
    _, colon, path = task.partition(":")
    return _stamp_of_files(Path(path).expanduser()) if colon else None


def _stamp_of_files(path: Path) -> str:
    """A stamp of a file, or of all files of a folder but hidden ones, such as locks, which change
    when a folder is only looked at.
    """
    files = path.rglob("*") if path.is_dir() else [path]
    return stamp(sorted(one for one in files if one.is_file() and not one.name.startswith(".")))


def _record_path(job: Job) -> Path:
    return job.folder / "results" / f"{job.notebook}.made.json"


def _outcome_path(job: Job) -> Path:
    return job.folder / "results" / f"{job.notebook}.outcome.json"


def _report_files(job: Job) -> Iterator[Path]:
    yield job.folder / f"{job.notebook}.html"
    yield job.folder / f"{job.notebook}.ipynb"
    yield job.folder / "results" / f"{job.notebook}.json"
    yield _outcome_path(job)
    for kind in ("figures", "tables"):
        yield from sorted((job.folder / kind).glob(f"{job.notebook}-*"))


def record_report(job: Job, digest: str) -> None:
    """Remember that the report of a job was made from inputs with a digest, taken before it
    began.
    """
    files = {
        path.relative_to(job.folder).as_posix(): sha256_of(path) for path in _report_files(job)
    }
    write_json(_record_path(job), {"inputs": digest, "files": files})


def up_to_date_outcome(job: Job, digest: str) -> Outcome | None:
    """How the report of a job went, if it is up to date: made from inputs with this digest,
    complete, and as it was written.
    """
    try:
        made = json.loads(_record_path(job).read_text(encoding="utf-8"))
        untouched = all(
            sha256_of(job.folder / name) == value for name, value in made["files"].items()
        )
        if made["inputs"] != digest or not untouched:
            return None
        return Outcome(**json.loads(_outcome_path(job).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
