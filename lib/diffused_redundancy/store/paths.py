"""Where things live. Every path is absolute, whatever the working directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import platformdirs

from ..errors import InputError

ASSETS_VARIABLE = "DIFFUSED_REDUNDANCY_ASSETS"
CACHE_VARIABLE = "DIFFUSED_REDUNDANCY_CACHE"
REPORT_VARIABLE = "DIFFUSED_REDUNDANCY_REPORT"


def of_user(given: Path | str) -> Path:
    """A path that a user gave, ``~`` filled in; InputError if there is no such user."""
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise InputError(f"{str(given)!r} cannot be found: {error}") from error


def repository() -> Path:
    """The root of the checkout this package was imported from.

    Raises
    ------
    InputError
        If the package was imported from elsewhere than a checkout's ``lib/`` (checkpoints and
        notebooks live in the checkout, not in the package).
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / "notebooks").is_dir() or not (root / "pyproject.toml").is_file():
        raise InputError(
            f"{root} is not a checkout of the artifact: clone it and install with 'pip install "
            "-e .'"
        )
    return root


def data() -> Path:
    """The folder of shipped checkpoints, their manifests, and the manifest of assets."""
    return repository() / "data"


def notebooks() -> Path:
    """The folder of notebooks and their percent-script pairs."""
    return repository() / "notebooks"


def cache() -> Path:
    """The folder of cached arrays: ``$DIFFUSED_REDUNDANCY_CACHE``, else the user's cache folder."""
    return _given(CACHE_VARIABLE) or _of_user(platformdirs.user_cache_dir, CACHE_VARIABLE)


def assets() -> Path:
    """The folder of downloads: ``$DIFFUSED_REDUNDANCY_ASSETS``, else the user's data folder."""
    return _given(ASSETS_VARIABLE) or _of_user(platformdirs.user_data_dir, ASSETS_VARIABLE)


def _of_user(place: Callable[[str], str], variable: str) -> Path:
    """A folder of the user's, who may have no home, as in a container."""
    try:
        path = Path(place("diffused-redundancy"))
    except RuntimeError:
        path = Path("~")
    if not path.is_absolute():
        raise InputError(f"this user has no home folder: set {variable} to a folder")
    return path


def home() -> Path | None:
    """The user's home, if there is one."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def without_home(text: str) -> str:
    """Text in which paths of the user's home begin with ``~``."""
    place = home()
    return text if place in (None, Path("/")) else text.replace(str(place), "~")


def _given(variable: str) -> Path | None:
    """The folder that an environment variable names."""
    value = os.environ.get(variable)
    return of_user(value).resolve() if value else None


def report() -> Path:
    """The folder of the running report: set by the runner, else ``reports/interactive``."""
    given = os.environ.get(REPORT_VARIABLE)
    return Path(given) if given else repository() / "reports" / "interactive"
