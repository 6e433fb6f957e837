"""Weight files and data sets of others: named in ``data/assets.toml``, downloaded on demand,
checked by hash.

An asset is a few files with their urls, hashes, sizes and terms. They live in the folder of
:func:`paths.assets`, as ``weights/NAME/FILE`` or ``datasets/FOLDER/FILE``. Where no SHA-256 was
published, that of the first download is recorded there, and later downloads must agree with it.
Files that were put there in other ways are checked when they are first used.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..errors import InputError, unknown
from . import hub, paths
from .download import DeadLink, Expected, download
from .files import explained, make_folder, sha256_of, write_json

KINDS = {"weights": "weights", "datasets": "data set"}
"""Tables of the manifest, and what messages call their entries."""


def _command() -> str:
    """The command ``assets`` with the running interpreter, which ``python`` need not be."""
    python, here = Path(sys.executable), Path.cwd()
    shown = python.relative_to(here) if python.is_relative_to(here) else python
    return paths.without_home(f"{shown} -m diffused_redundancy assets")


COMMAND = _command()

BY_HAND = "put there by hand"
"""Origin of a file that was found in its place; it may change where nothing is published of it."""


@dataclass(frozen=True)
class File:
    """One file of an asset.

    Attributes
    ----------
    name : str
        Relative to the asset's folder.
    urls : tuple of str
        The first and its mirrors; ``hf://OWNER/REPOSITORY/FILE`` goes through the Hugging Face
        hub's client. Empty where the file cannot be downloaded.
    expected : Expected
        Published hashes and size.
    """

    name: str
    urls: tuple[str, ...]
    expected: Expected


@dataclass(frozen=True)
class Asset:
    """An entry of the manifest.

    Attributes
    ----------
    name : str
    kind : str
        A key of :data:`KINDS`.
    folder : str
        Of its files, relative to the folder of assets.
    files : tuple of File
        A data set needs all of them, weights any one; the first is preferred.
    source, license : str
        Where it comes from, and on what terms.
    by_hand : str
        How to get what has no url; empty otherwise.
    about : mapping
        The entry's other values, such as architecture, loss and expected top-1.
    """

    name: str
    kind: str
    folder: str
    files: tuple[File, ...]
    source: str
    license: str
    by_hand: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def any_one(self) -> bool:
        """Whether one of the files is enough."""
        return self.kind == "weights"

    @property
    def bytes(self) -> int | None:
        """Size of all files needed, or None if that of one is unknown."""
        sizes = [size for size in self._sizes if size is not None]
        return sum(sizes) if len(sizes) == len(self._sizes) else None

    @property
    def _sizes(self) -> list[int | None]:
        return [file.expected.size for file in (self.files[:1] if self.any_one else self.files)]

    @property
    def least_bytes(self) -> float:
        """Size of all files needed: exact, else from the entry's megabytes, else of those known."""
        known = sum(size for size in self._sizes if size is not None)
        if self.bytes is not None:
            return known
        return float(self.about.get("megabytes", 0)) * 1e6 or known

    @property
    def size(self) -> str:
        """Size of all files needed, for display."""
        if self.bytes is not None:
            return readable(self.bytes)
        if "megabytes" in self.about:
            return f"about {readable(self.least_bytes)}"
        return f"at least {readable(self.least_bytes)}" if self.least_bytes else "size not known"

    @property
    def place(self) -> Path:
        """The folder its files belong in."""
        return paths.assets() / self.folder

    def path(self, file: File) -> Path:
        """Where a file belongs."""
        return self.place / file.name


def _asset(kind: str, name: str, entry: Mapping[str, Any]) -> Asset:
    values = dict(entry)
    files = []
    for table in [dict(file) for file in values.pop("files", ())] or [values]:
        expected = Expected(
            _text(table.pop("sha256", "")), _text(table.pop("md5", "")), table.pop("bytes", None)
        )
        if not isinstance(expected.size, (int, type(None))):
            raise ValueError(f"bytes is {expected.size!r}, which is no whole number")
        urls = [_text(url) for url in table.pop("urls", ())]
        files.append(File(_text(table.pop("file")), tuple(urls), expected))
    folder = _text(values.pop("folder", name))
    float(values.get("megabytes", 0))
    for path in map(Path, [folder, *(file.name for file in files)]):
        if path.is_absolute() or ".." in path.parts or "\0" in str(path):
            raise InputError(f"{name} of the assets names a path outside of the folder of assets")
    return Asset(
        name,
        kind,
        f"{kind}/{folder}",
        tuple(files),
        _text(values.pop("source")),
        _text(values.pop("license")),
        _text(values.pop("by_hand", "")),
        values,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} must be a text")
    return value


def read_manifest(path: Path) -> dict[str, Asset]:
    """The assets of a manifest, by name.

    Raises
    ------
    InputError
        If it is not TOML, or an entry lacks a value.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # no TOML, or not in UTF-8
        raise InputError(f"{path} cannot be read: {error}") from error
    by_name: dict[str, Asset] = {}
    for kind, entries in tables.items():
        if kind not in KINDS:
            raise unknown(f"table of {path.name}", kind, KINDS)
        if not isinstance(entries, dict):
            raise InputError(f"{kind} in {path.name} is {entries!r}: it must be a table")
        for name, entry in entries.items():
            try:
                by_name[name] = _asset(kind, name, entry)
            except KeyError as error:
                raise InputError(f"{name} in {path.name} has no {error.args[0]!r}") from error
            except (TypeError, ValueError, AttributeError) as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"{name} in {path.name} cannot be read: {error}") from error
    return by_name


@functools.cache
def manifest() -> dict[str, Asset]:
    """The assets of ``data/assets.toml``, by name."""
    return read_manifest(paths.data() / "assets.toml")


def asset(name: str) -> Asset:
    """The asset of a name; an unknown one raises InputError with the nearest."""
    if name not in manifest():
        raise unknown("asset", name, manifest())
    return manifest()[name]


def readable(size: float) -> str:
    """A number of bytes for display."""
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= least:
            return f"{size / least:.3g} {unit}"
    return f"{size:.0f} bytes"


def present(asset: Asset) -> list[File]:
    """The files of an asset that are here."""
    return [file for file in asset.files if asset.path(file).is_file()]


def missing(asset: Asset) -> list[File]:
    """The files of an asset that are needed and not here."""
    here = present(asset)
    return [] if asset.any_one and here else [file for file in asset.files if file not in here]


def how_to_get(asset: Asset) -> str:
    """How to get what is missing, in words: a command, or what to put where."""
    place = paths.without_home(str(asset.place))
    files = missing(asset)
    if asset.by_hand:
        names = (" or " if asset.any_one else ", ").join(file.name for file in files)
        return f"{asset.by_hand} Then put {names} in {place}, or run '{COMMAND} import FOLDER'"
    linked = [
        f"{file.name} from {' or '.join(hub.page(url) for url in file.urls)}"
        if file.urls
        else file.name
        for file in files
    ]
    return (
        f"run '{COMMAND} fetch {asset.name}' ({asset.size}); or put into {place} "
        f"{('; or ' if asset.any_one else '; ').join(linked)}"
    )


def _records() -> Path:
    return paths.assets() / "recorded.json"


def recorded() -> dict[str, dict[str, Any]]:
    """What is recorded of files here, by their path relative to the folder of assets: sha256,
    bytes, time of change, origin.

    Entries that cannot be read are left out, with a warning.
    """
    path = _records()
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _warn_once(f"{path} cannot be read and counts as empty: {error}")
        return {}
    entries = {
        key: entry
        for key, entry in (stored.items() if isinstance(stored, dict) else ())
        if isinstance(entry, dict) and {"sha256", "bytes", "changed"} <= entry.keys()
    }
    if entries != stored:
        _warn_once(f"{path} is broken: entries that cannot be read are left out")
    return entries


@functools.cache
def _warn_once(text: str) -> None:
    print(text, file=sys.stderr)


def _key(path: Path) -> str:
    return path.relative_to(paths.assets()).as_posix()


def _unchanged(path: Path) -> dict[str, Any] | None:
    """What is recorded of a file that has the recorded size and time of change."""
    entry, about = recorded().get(_key(path)), path.stat()
    if entry and (entry["bytes"], entry["changed"]) == (about.st_size, about.st_mtime_ns):
        return entry
    return None


def record(path: Path, origin: str) -> None:
    """Record a checked file of an asset, and where it is from."""
    with FileLock(str(_records()) + ".lock"):
        about = path.stat()
        entry = {
            "sha256": sha256_of(path),
            "bytes": about.st_size,
            "changed": about.st_mtime_ns,
            "from": origin,
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        }
        write_json(_records(), {**recorded(), _key(path): entry})


def sha256(path: Path) -> str:
    """The SHA-256 of a file of an asset: the recorded one where the file has not changed since."""
    entry = _unchanged(path)
    return str(entry["sha256"]) if entry else sha256_of(path)


def problem(asset: Asset, file: File, path: Path | None = None) -> str:
    """What is wrong with a file, in its place or at another path; empty if nothing is.

    It must be what was published, and what was recorded when it was fetched or imported.
    """
    path = path or asset.path(file)
    if not path.is_file():
        return "it is not here"
    if difference := file.expected.problem(path):
        return difference
    entry = recorded().get(_key(asset.path(file)))
    if not entry or entry.get("from") == BY_HAND:
        return ""
    return Expected(sha256=entry["sha256"]).problem(path).replace(" instead of", ", recorded was")


def _accept(asset: Asset, file: File, origin: str) -> None:
    """Check and record a downloaded file."""
    path = asset.path(file)
    if difference := problem(asset, file):
        path.unlink()
        raise DeadLink(f"{origin}: another file was sent: {difference}")
    if not _unchanged(path):
        record(path, origin)


def _check(asset: Asset, file: File) -> None:
    """Check a file when it is first used, and when it has changed since.

    Raises
    ------
    InputError
        If it is not what was published or recorded. The file is kept: it may be the user's only
        copy.
    """
    path = asset.path(file)
    entry = _unchanged(path)
    if entry and str(entry["sha256"]).startswith(file.expected.sha256):
        return
    with explained("read", path):
        difference = problem(asset, file)
    if difference:
        again = asset.by_hand
        if any(each.urls for each in asset.files):
            again = f"Then run '{COMMAND} fetch {asset.name}'."
        if "recorded was" in difference:
            again += f" If you changed it on purpose, take its entry out of {_records()}."
        raise InputError(
            f"{path} is not {file.name} of {asset.name}: {difference}. It is left as it is: move "
            f"it away. {again}"
        )
    # in a read-only folder nothing is recorded, and files are checked at every use
    with contextlib.suppress(OSError, InputError):
        record(path, recorded().get(_key(path), {}).get("from", BY_HAND))


def fetch(asset: Asset) -> list[Path]:
    """Download what is missing of an asset, and check it.

    Returns
    -------
    list of path
        Of its files.

    Raises
    ------
    InputError
        If a file cannot be downloaded: with every link tried, and how to get it by hand.
    """
    make_folder(asset.place)
    with FileLock(str(asset.place / ".lock")):
        wanted = missing(asset)
        errors: list[str] = []
        for i, file in enumerate(wanted):
            errors += _fetch(asset, file)
            if file in present(asset):
                if asset.any_one:
                    break
                continue
            if not asset.any_one or i == len(wanted) - 1:
                names = " or ".join(each.name for each in wanted) if asset.any_one else file.name
                why = (
                    f"no link gave it: {'; '.join(errors)}" if errors else "there is no link to it"
                )
                by_hand = asset.by_hand or f"get it in some other way, put it in {asset.place}"
                raise InputError(
                    f"{names} of {asset.name} could not be downloaded: {why}. By hand: {by_hand}, "
                    f"or run '{COMMAND} import FOLDER'"
                )
    return [asset.path(file) for file in present(asset)]


def _fetch(asset: Asset, file: File) -> list[str]:
    """Download a file from the first of its links that gives it; returns the others' errors."""
    errors: list[str] = []
    for url in file.urls:
        try:
            if url.startswith("hf://"):
                hub.download(url, asset.path(file), file.expected, title=asset.name)
            else:
                title = f"{asset.name}: {file.name}"
                download(url, asset.path(file), file.expected, title=title)
            _accept(asset, file, url)
            return errors
        except DeadLink as error:
            errors.append(str(error))
    return errors


def require(asset: Asset, *, fetching: bool) -> list[Path]:
    """The files of an asset, checked; of weights the first is the one to use.

    Parameters
    ----------
    asset : Asset
    fetching : bool
        Whether to download what is missing.

    Raises
    ------
    InputError
        If a file is missing and not to be downloaded, with how to get it; or is not what was
        published or recorded.
    """
    if missing(asset):
        if not fetching or not any(file.urls for file in asset.files):
            raise InputError(f"{KINDS[asset.kind]} {asset.name} is not here: {how_to_get(asset)}")
        fetch(asset)
    here = present(asset)
    for file in here[:1] if asset.any_one else here:
        _check(asset, file)
    return [asset.path(file) for file in here]


def verify(asset: Asset) -> dict[str, str]:
    """What is wrong with each file of an asset that is here, by name; empty if nothing is."""
    return {file.name: problem(asset, file) for file in present(asset)}
