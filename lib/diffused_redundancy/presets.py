"""Presets: values of parameters by name, in ``notebooks/presets`` or a custom YAML file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from . import parameters
from .errors import InputError, unknown
from .store import paths

ASSETS = "{assets}"
"""In a value of a preset: the folder that ``--assets`` names."""

WITH_AN_EXTRA = frozenset({"10_text"})
"""Notebooks that need the extra ``text``: presets run them only if they name them."""

KEPT = {
    "miniature": "",
    "text": "",
    "real": "real",
    "real-augmented": "real/augmented",
    "wide": "wide",
}
"""Folders of ``notebooks`` in which executed notebooks of a preset are kept, and read."""


@dataclass(frozen=True)
class Preset:
    """Values of parameters by name: for every notebook that declares them, and for single ones.

    Attributes
    ----------
    name, description : str
    cost : str
        Time, memory and download, in words: where they were measured, or that they were not.
    notebooks : tuple of str
        Those it runs.
    everywhere, single : dict
        Values for all notebooks, and by notebook.
    """

    name: str
    description: str
    cost: str
    notebooks: tuple[str, ...]
    everywhere: dict[str, Any]
    single: dict[str, dict[str, Any]]

    def of(self, notebook: str) -> dict[str, Any]:
        """The values this preset gives the parameters of one notebook."""
        known = parameters.declared(notebook)
        return {
            name: value for name, value in self.everywhere.items() if name in known
        } | self.single.get(notebook, {})


def presets() -> list[str]:
    """The names of all presets."""
    return sorted(path.stem for path in (paths.notebooks() / "presets").glob("*.yaml"))


def preset(name: str) -> Preset:
    """A preset by name or by the path of a YAML file, every value of it checked."""
    if name.endswith((".yaml", ".yml")):
        path = paths.of_user(name)
        if not os.path.isfile(path):
            raise InputError(f"there is no preset file {name!r}")
        name = path.stem
        if name.startswith("."):  # of "...yaml" it is "..", and reports go to a folder of the name
            raise InputError(f"preset file {path.name!r}: its name must not begin with a dot")
    elif name not in presets():
        raise unknown("preset", name, [*presets(), "PATH.yaml"])
    else:
        path = paths.notebooks() / "presets" / f"{name}.yaml"
    try:
        content = parameters.as_written(path.read_text(encoding="utf-8")) or {}
    except InputError as error:
        raise InputError(f"preset {name}: {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise InputError(
            f"{path} is not a preset: it needs sections such as everywhere, or the name of a "
            "notebook"
        )
    sections = {"description", "cost", "notebooks", "everywhere", *parameters.available()}
    for section in content:
        if section in parameters.PARAMETERS:
            raise InputError(
                f"preset {name} gives {section} by itself: put it under 'everywhere:', or "
                "under the name of a notebook"
            )
        if section not in sections:
            raise unknown(f"section of preset {name}", section, sorted(sections))
    of_values = {
        section: _values(f"section {section} of preset {name}", content[section])
        for section in content
        if section not in ("description", "cost", "notebooks")
    }
    everywhere = of_values.get("everywhere", {})
    for key in everywhere:
        if key not in parameters.PARAMETERS:
            raise unknown(f"parameter in preset {name}", key, parameters.PARAMETERS)
    notebooks = content.get("notebooks") or [
        name for name in parameters.available() if name not in WITH_AN_EXTRA
    ]
    for notebook in notebooks:
        parameters.source(notebook)
    return Preset(
        name,
        content.get("description", ""),
        content.get("cost", ""),
        tuple(notebooks),
        {
            key: value if needs_folder(value) else parameters.checked(key, value)
            for key, value in everywhere.items()
        },
        {
            notebook: values
            | parameters.checked_all(
                notebook, {key: value for key, value in values.items() if not needs_folder(value)}
            )
            for notebook, values in of_values.items()
            if notebook != "everywhere"
        },
    )


def needs_folder(value: Any) -> bool:
    """Whether a value names files in the folder of ``--assets``: checked once that is known."""
    return any(ASSETS in str(entry) for entry in (value if isinstance(value, list) else [value]))


def in_folder(values: dict[str, Any], folder: Path | None, preset: str) -> dict[str, Any]:
    """Values with the folder of ``--assets`` in place of :data:`ASSETS`.

    Raises
    ------
    InputError
        If no folder is given and one is needed, or it lacks what the values name: all of it.
    """
    wanted = {key: value for key, value in values.items() if needs_folder(value)}
    entries = [str(entry) for value in wanted.values() for entry in value]
    inside = [entry.partition(f"{ASSETS}/")[2] for entry in entries if ASSETS in entry]
    names = " and ".join(dict.fromkeys(inside))
    if inside and folder is None:
        raise InputError(
            f"preset {preset} reads {names} in a folder of yours: name it with --assets FOLDER "
            "(data/README.md says what it holds)"
        )
    if folder is not None and not folder.is_dir():
        raise InputError(f"there is no folder {folder}, which --assets names")
    lacking = [name for name in dict.fromkeys(inside) if folder and not (folder / name).exists()]
    if lacking:
        raise InputError(
            f"{folder} lacks {' and '.join(lacking)}: preset {preset} reads {names} there "
            "(data/README.md says what the folder holds)"
        )
    return values | {
        key: [str(entry).replace(ASSETS, str(folder)) for entry in value]
        for key, value in wanted.items()
    }


def _values(section: str, content: Any) -> dict[str, Any]:
    """The values of one section of a preset."""
    if content is not None and not isinstance(content, dict):
        raise InputError(f"{section} is {content!r}: it needs values by name, such as IMAGES: 600")
    return {key: parameters.meant(key, value) for key, value in (content or {}).items()}
