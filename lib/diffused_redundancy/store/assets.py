"""Weight files and data sets of others: named in ``data/assets.toml``, fetched when asked for, checked by hash.

An asset is a few files with their urls, hashes, sizes and terms. They live in the folder of
:func:`paths.assets`, ``weights/NAME/FILE`` or ``datasets/FOLDER/FILE``. Where no sha256 was published, that of
the first download is recorded there, and later downloads must agree with it.
"""

from __future__ import annotations

import functools
import json
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..errors import InputError, unknown
from . import hub, paths
from .download import DeadLink, Expected, digest, download
from .files import atomic_path, explained, make_folder, write_json

KINDS = {"weights": "weights", "datasets": "data set"}
"""Tables of the manifest, and what messages call their entries."""

COMMAND = "python -m diffused_redundancy assets"


@dataclass(frozen=True)
class File:
    """One file of an asset.

    Attributes
    ----------
    name : str
        Relative to the asset's folder.
    urls : tuple of str
        The first and its mirrors; ``hf://OWNER/REPOSITORY/FILE`` goes through the Hugging Face hub's client. None where
        the file has to be got by hand.
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
        All are needed of a data set; of weights any one will do, the first being the best.
    source, license : str
        Where it comes from, and on what terms.
    by_hand : str
        How to get what no url gives; empty otherwise.
    about : mapping
        The entry's other values, for whoever uses it: architecture, loss, expected top-1.
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
        """Of all files needed, or None where one is not known."""
        sizes = [file.expected.size for file in (self.files[:1] if self.any_one else self.files)]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @property
    def size(self) -> str:
        """Of all files needed, for reading."""
        if self.bytes is None and "megabytes" in self.about:
            return f"about {readable(self.about['megabytes'] * 1e6)}"
        return readable(self.bytes)

    @property
    def place(self) -> Path:
        """The folder its files belong in."""
        return paths.assets() / self.folder

    def path(self, file: File) -> Path:
        """Where a file belongs."""
        return self.place / file.name


def _asset(kind: str, name: str, entry: Mapping[str, Any]) -> Asset:
    values = dict(entry)
    files = [dict(file) for file in values.pop("files", ())] or [values]
    made = []
    for one in files:
        expected = Expected(*(one.pop(key, default) for key, default in (("sha256", ""), ("md5", ""), ("bytes", None))))
        made.append(File(one.pop("file"), tuple(one.pop("urls", ())), expected))
    folder = values.pop("folder", name)
    if (
        Path(folder).is_absolute()
        or ".." in Path(folder).parts
        or any(Path(file.name).is_absolute() or ".." in Path(file.name).parts for file in made)
    ):
        raise InputError(f"{name} of the assets names a path outside of the folder of assets")
    return Asset(name, kind, f"{kind}/{folder}", tuple(made), values.pop("source"), values.pop("license"), values.pop("by_hand", ""), values)


def read_manifest(path: Path) -> dict[str, Asset]:
    """The assets of a manifest, by name.

    Raises
    ------
    InputError
        If it is not TOML, or an entry lacks a value.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    found: dict[str, Asset] = {}
    for kind, entries in tables.items():
        if kind not in KINDS:
            raise unknown(f"table of {path.name}", kind, KINDS)
        for name, entry in entries.items():
            try:
                found[name] = _asset(kind, name, entry)
            except KeyError as error:
                raise InputError(f"{name} in {path.name} has no {error.args[0]!r}") from error
    return found


@functools.cache
def manifest() -> dict[str, Asset]:
    """The assets of ``data/assets.toml``, by name."""
    return read_manifest(paths.data() / "assets.toml")


def asset(name: str) -> Asset:
    """The asset of a name; an unknown one raises InputError with the nearest."""
    if name not in manifest():
        raise unknown("asset", name, manifest())
    return manifest()[name]


def readable(size: float | None) -> str:
    """Bytes for reading."""
    if size is None:
        return "size not known"
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= least:
            return f"{size / least:.3g} {unit}"
    return f"{size:.0f} bytes"


def present(one: Asset) -> list[File]:
    """The files of an asset that are here."""
    return [file for file in one.files if one.path(file).is_file()]


def missing(one: Asset) -> list[File]:
    """The files of an asset that are needed and not here."""
    here = present(one)
    return [] if one.any_one and here else [file for file in one.files if file not in here]


def how_to_get(one: Asset) -> str:
    """In words: the command, or what to put where."""
    links = " or ".join(hub.page(url) for file in (missing(one) if one.any_one else missing(one)[:1]) for url in file.urls)
    names = (" or " if one.any_one else ", ").join(file.name for file in missing(one))
    place = str(one.place).replace(str(Path.home()), "~")
    if one.by_hand:
        return f"{one.by_hand} Then put {names} in {place}, or run '{COMMAND} import FOLDER'"
    return f"run '{COMMAND} fetch {one.name}' ({one.size}); or get {names} from {links} and put it in {place}"


def _records() -> Path:
    return paths.assets() / "recorded.json"


def recorded() -> dict[str, dict[str, Any]]:
    """What is known of files here, by their path relative to the folder of assets: sha256, bytes, time of change, origin."""
    return json.loads(_records().read_text(encoding="utf-8")) if _records().is_file() else {}


def _record(path: Path, origin: str) -> None:
    with FileLock(str(_records()) + ".lock"):
        about = path.stat()
        entry = {"sha256": digest(path), "bytes": about.st_size, "changed": about.st_mtime_ns, "from": origin}
        entry["date"] = datetime.now(UTC).strftime("%Y-%m-%d")
        write_json(_records(), {**recorded(), path.relative_to(paths.assets()).as_posix(): entry})


def sha256(path: Path) -> str:
    """The sha256 of a file of an asset: the recorded one where the file has not changed since."""
    known = recorded().get(path.relative_to(paths.assets()).as_posix())
    about = path.stat()
    if known and (known["bytes"], known["changed"]) == (about.st_size, about.st_mtime_ns):
        return str(known["sha256"])
    return digest(path)


def problem(one: Asset, file: File) -> str:
    """What is wrong with a file, against what was published and what was recorded; empty if nothing is."""
    path = one.path(file)
    if not path.is_file():
        return "it is not here"
    if found := file.expected.problem(path):
        return found
    known = recorded().get(path.relative_to(paths.assets()).as_posix())
    return Expected(sha256=known["sha256"]).problem(path).replace("instead of", "recorded was") if known else ""


def _take(one: Asset, file: File, place: Path, origin: str) -> None:
    """Accept a file that is in place: it must be what was published and what was recorded, if anything was."""
    if found := problem(one, file):
        place.unlink()
        raise DeadLink(f"{origin}: what came is another file: {found}")
    if place.relative_to(paths.assets()).as_posix() not in recorded():
        _record(place, origin)


def fetch(one: Asset) -> list[Path]:
    """Fetch what is missing of an asset, and check it.

    Returns
    -------
    list of path
        Of its files.

    Raises
    ------
    InputError
        If a file cannot be had: with every link tried and how to go on by hand.
    """
    make_folder(one.place)
    with FileLock(str(one.place / ".lock")):
        wanted = missing(one)
        told: list[str] = []
        for i, file in enumerate(wanted):
            told += _fetch(one, file)
            if file in present(one):
                if one.any_one:
                    break
                continue
            if not one.any_one or i == len(wanted) - 1:
                failed = f"no link gave it: {'; '.join(told)}" if told else "there is no link to it"
                by_hand = one.by_hand or f"get it in some other way, put it in {one.place}"
                names = " or ".join(each.name for each in wanted) if one.any_one else file.name
                raise InputError(f"{names} of {one.name} could not be fetched: {failed}. By hand: {by_hand}, or run '{COMMAND} import FOLDER'")
    return [one.path(file) for file in present(one)]


def _fetch(one: Asset, file: File) -> list[str]:
    """Fetch one file from the first of its links that gives it; returns what went wrong with others."""
    told: list[str] = []
    for url in file.urls:
        try:
            if url.startswith("hf://"):
                hub.download(url, one.path(file), file.expected, title=one.name)
            else:
                download(url, one.path(file), file.expected, title=f"{one.name}: {file.name}")
            _take(one, file, one.path(file), url)
            return told
        except DeadLink as error:
            told.append(str(error))
    return told


def require(one: Asset, *, fetching: bool) -> list[Path]:
    """The files of an asset.

    Parameters
    ----------
    one : Asset
    fetching : bool
        Whether to fetch what is missing.

    Raises
    ------
    InputError
        If a file is missing and not to be fetched, with how to get it.
    """
    if missing(one):
        if not fetching or not any(file.urls for file in one.files):
            raise InputError(f"{KINDS[one.kind]} {one.name} is not here: {how_to_get(one)}")
        return fetch(one)
    return [one.path(file) for file in present(one)]


def import_folder(folder: Path, among: Iterable[Asset] | None = None) -> list[tuple[Asset, File]]:
    """Copy the files of a folder that belong to assets to where they belong, for work without a network.

    A file belongs if its sha256 is a published one, or if it has the name (as in the manifest, or ``NAME.SUFFIX``
    of the asset) and nothing known speaks against it.

    Returns
    -------
    list of (asset, file)
        What was taken in.
    """
    folder = Path(folder).expanduser().resolve()
    if not folder.is_dir():
        raise InputError(f"no folder {folder}")
    here = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    taken = []
    for one in manifest().values() if among is None else among:
        for file in missing(one):
            path = _match(one, file, here)
            if path is None or not missing(one):
                continue
            with explained("read", path), atomic_path(one.path(file)) as temporary:
                shutil.copyfile(path, temporary)
            try:
                _take(one, file, one.path(file), str(path))
            except DeadLink as error:
                raise InputError(f"{path} is not {file.name} of {one.name}: {error}") from error
            taken.append((one, file))
    return taken


def _match(one: Asset, file: File, here: list[Path]) -> Path | None:
    plain = Path(file.name).name
    own = one.name + Path(file.name).suffix
    for path in here:
        if path.name == own or (path.name == plain and (path.parent.name == one.name or _telling(one, file))):
            return path
    return next((path for path in here if _published(file, path)), None)


def _published(file: File, path: Path) -> bool:
    """Whether a file is, by its hash, the published one, whatever its name."""
    wanted = file.expected
    if not wanted.sha256 or path.suffix != Path(file.name).suffix or (wanted.size is not None and wanted.size != path.stat().st_size):
        return False
    return digest(path).startswith(wanted.sha256)


def _telling(one: Asset, file: File) -> bool:
    """Whether the name of a file says which asset it belongs to."""
    plain = Path(file.name).name
    return sum(Path(other.name).name == plain for each in manifest().values() for other in each.files) <= 1


def verify(one: Asset) -> dict[str, str]:
    """What is wrong with each file of an asset that is here, by name; empty words if nothing is."""
    return {file.name: problem(one, file) for file in present(one)}
