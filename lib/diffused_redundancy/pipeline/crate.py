"""``reports/ro-crate-metadata.json``: the folder of reports as an RO-Crate, which archives
understand: every file, and the run that made it.

It follows RO-Crate 1.1 (https://w3id.org/ro/crate/1.1) and the profile Process Run Crate 0.5
(https://w3id.org/ro/wfrun/process/0.5). It is plain JSON-LD: one flat list of entities that refer
to each other by their ``@id``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..store import sha256_of, write_json
from ..store.provenance import PACKAGES
from .results import load

NAME = "ro-crate-metadata.json"

SPECIFICATION = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
LICENSE = "https://creativecommons.org/licenses/by/4.0/"
PAPER = "https://arxiv.org/abs/2306.00183"
AGENT = "#whoever-ran-it"

FORMATS = {
    ".html": "text/html",
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".csv": "text/csv",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}

Entity = dict[str, Any]


def write_crate(out: Path) -> Path:
    """Describe all reports under a folder that has its ``results.json``."""
    actions: list[Entity] = []
    files = dict(_file(out, out / name, about) for name, about in _OF_ALL.items())
    others: dict[str, Entity] = {}
    for preset in load(out / "results.json")["presets"]:
        for one in preset["notebooks"]:
            made = dict(_files(out, out / preset["folder"], one))
            software = {entity["@id"]: entity for entity in _software(one["provenance"])}
            inputs = {entity["@id"]: entity for entity in _inputs(one["parameters"])}
            actions.append(
                _action(preset["folder"], one, list(made), next(iter(software)), list(inputs))
            )
            files |= made
            others |= software | inputs
        explorer = out / preset["folder"] / "explorer.html"
        if explorer.is_file():
            files |= [_file(out, explorer, "Curves by network, task and number of neurons (page)")]
    path = out / NAME
    write_json(
        path,
        {
            "@context": f"{SPECIFICATION}/context",
            "@graph": [
                *_of_crate(list(files), [one["@id"] for one in actions]),
                *files.values(),
                *actions,
                *others.values(),
            ],
        },
    )
    return path


_OF_ALL = {
    "index.html": "What the numbers say of the paper's claims, and all reports",
    "results.json": "Every verdict, estimate, interval and command of all reports",
}


def _refer(*ids: str) -> list[dict[str, str]]:
    return [{"@id": one} for one in ids]


def _of_crate(files: list[str], actions: list[str]) -> list[Entity]:
    """The entities that every crate has."""
    return [
        {
            "@id": NAME,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": SPECIFICATION},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": "Diffused redundancy: reports of a run",
            "description": "Executed notebooks that reproduce and extend the paper Diffused "
            "Redundancy in Pre-trained Representations (NeurIPS 2023), with their pages, figures, "
            "tables and verdicts.",
            "datePublished": datetime.now(UTC).isoformat(timespec="seconds"),
            "license": {"@id": LICENSE},
            "conformsTo": {"@id": PROFILE},
            "author": {"@id": AGENT},
            "citation": {"@id": PAPER},
            "hasPart": _refer(*files),
            "mentions": _refer(*actions),
        },
        {
            "@id": PROFILE,
            "@type": "CreativeWork",
            "name": "Process Run Crate",
            "version": "0.5",
        },
        {
            "@id": LICENSE,
            "@type": "CreativeWork",
            "name": "Creative Commons Attribution 4.0 International",
            "description": "May be shared and adapted if credit is given.",
        },
        {
            "@id": PAPER,
            "@type": "ScholarlyArticle",
            "name": "Diffused Redundancy in Pre-trained Representations",
        },
        {
            "@id": AGENT,
            "@type": "Person",
            "name": "Whoever ran run_all.sh",
            "description": "Reports do not record who: put your name and ORCID here to publish.",
        },
    ]


def _file(out: Path, path: Path, about: str) -> tuple[str, Entity]:
    """A file of the crate, by its identifier."""
    place = quote(path.relative_to(out).as_posix())
    entity = {
        "@id": place,
        "@type": "File",
        "name": about,
        "encodingFormat": FORMATS[path.suffix],
        "contentSize": str(path.stat().st_size),
    }
    return place, entity


def _files(out: Path, folder: Path, one: dict[str, Any]) -> Iterator[tuple[str, Entity]]:
    """The files that a notebook leaves."""
    name = one["notebook"]
    whole = {
        out / one["page"]: f"{one['title']} (page)",
        out / one["executed"]: f"{one['title']} (executed notebook)",
        folder / "results" / f"{name}.json": f"Key numbers and verdicts of {name}",
    }
    for path, about in whole.items():
        if path.is_file():
            yield _file(out, path, about)
    for kind in ("figures", "tables"):
        for path in sorted((folder / kind).glob(f"{name}-*")):
            yield _file(out, path, f"{kind[:-1].capitalize()} {path.stem} of {name}")


def _software(provenance: dict[str, str]) -> Iterator[Entity]:
    """What ran, its versions of packages, and its machine; first of all the artifact itself."""
    if not provenance:  # of a notebook that failed it is not known
        yield {
            "@id": "#diffused-redundancy",
            "@type": "SoftwareApplication",
            "name": "diffused-redundancy",
        }
        return
    packages = [
        {
            "@id": f"pkg:pypi/{name}@{quote(provenance[name])}",
            "@type": "SoftwareApplication",
            "name": name,
            "version": provenance[name],
        }
        for name in PACKAGES
        if name in provenance
    ]
    machine = ", ".join(provenance[key] for key in ("system", "processor") if key in provenance)
    version, commit = provenance.get("package", ""), provenance.get("commit", "unknown")
    yield {
        "@id": f"#diffused-redundancy-{quote(version)}-{quote(commit)}",
        "@type": "SoftwareApplication",
        "name": "diffused-redundancy",
        "version": version,
        "description": f"Commit {commit}, Python {provenance.get('python', 'unknown')}.",
        "operatingSystem": machine,
        "softwareRequirements": _refer(*(one["@id"] for one in packages)),
    }
    yield from packages


def _inputs(parameters: dict[str, Any]) -> list[Entity]:
    """Parameters as entities; notebooks share those that are alike."""
    values = {name: json.dumps(one, ensure_ascii=False) for name, one in parameters.items()}
    return [
        {
            "@id": f"#{name}-{sha256_of(value)[:8]}",
            "@type": "PropertyValue",
            "name": name,
            "value": value,
        }
        for name, value in values.items()
    ]


def _action(
    folder: str, one: dict[str, Any], made: list[str], software: str, inputs: list[str]
) -> Entity:
    """The run of one notebook."""
    entity = {
        "@id": f"#{quote(folder)}/{one['notebook']}",
        "@type": "CreateAction",
        "name": f"Run of {one['notebook']}, preset {folder}",
        "description": f"Command: {one['command']} ({one['seconds']:.1f} s, peak memory "
        f"{one['peak_memory_gib']:.1f} GiB)",
        "instrument": {"@id": software},
        "agent": {"@id": AGENT},
        "object": _refer(*inputs),
        "result": _refer(*made),
    }
    if one["ended"]:
        ended = datetime.fromisoformat(one["ended"])
        started = ended - timedelta(seconds=one["seconds"])
        entity |= {"startTime": started.isoformat(timespec="seconds"), "endTime": one["ended"]}
    if one["ok"]:
        return {**entity, "actionStatus": "http://schema.org/CompletedActionStatus"}
    failed = {"actionStatus": "http://schema.org/FailedActionStatus", "error": one["error"]}
    return {**entity, **failed}
