"""Weight files and data sets of others: named in ``data/assets.toml``, fetched when asked for,
checked by hash.

An asset is a few files with their urls, hashes, sizes and terms. They live in the folder of
:func:`paths.assets`, ``weights/NAME/FILE`` or ``datasets/FOLDER/FILE``. Where no sha256 was
published, that of the first download is recorded there, and later downloads must agree with it.
Files that were put there by other ways are checked when they are first used.
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
from .download import DeadLink, Expected, digest, download
from .files import explained, make_folder, write_json

KINDS = {"weights": "weights", "datasets": "data set"}
"""Tables of the manifest, and what messages call their entries."""


def _command() -> str:
    """How this command is called here: with the interpreter that runs, which need not be the one
    that ``python`` finds.
    """
    python = Path(sys.executable)
    here = Path.cwd()
    return (
        f"{python.relative_to(here) if python.is_relative_to(here) else python} -m "
        "diffused_redundancy "
        "assets"
    ).replace(str(Path.home()), "~")


COMMAND = _command()

BY_HAND = "put there by hand"
"""Origin of a file that was found in its place. Where nothing is published it is the user's own,
who may change it.
"""


@dataclass(frozen=True)
class File:
    """One file of an asset.

    Attributes
    ----------
    name : str
        Relative to the asset's folder.
    urls : tuple of str
        The first and its mirrors; ``hf://OWNER/REPOSITORY/FILE`` goes through the Hugging Face
        hub's client. None where the file has to be got by hand.
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
        return (
            None if None in self._sizes else sum(size for size in self._sizes if size is not None)
        )

    @property
    def _sizes(self) -> list[int | None]:
        return [file.expected.size for file in (self.files[:1] if self.any_one else self.files)]

    @property
    def least_bytes(self) -> float:
        """Of all files needed, as far as known: exact, else estimated from the entry's megabytes,
        else of the files whose size is known.
        """
        known = sum(size for size in self._sizes if size is not None)
        return (
            known
            if self.bytes is not None
            else float(self.about.get("megabytes", 0)) * 1e6 or known
        )

    @property
    def size(self) -> str:
        """Of all files needed, for reading."""
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
    files = [dict(file) for file in values.pop("files", ())] or [values]
    made = []
    for one in files:
        expected = Expected(
            *(
                one.pop(key, default)
                for key, default in (("sha256", ""), ("md5", ""), ("bytes", None))
            )
        )
        made.append(File(one.pop("file"), tuple(one.pop("urls", ())), expected))
    folder = values.pop("folder", name)
    if (
        Path(folder).is_absolute()
        or ".." in Path(folder).parts
        or any(Path(file.name).is_absolute() or ".." in Path(file.name).parts for file in made)
    ):
        raise InputError(f"{name} of the assets names a path outside of the folder of assets")
    return Asset(
        name,
        kind,
        f"{kind}/{folder}",
        tuple(made),
        values.pop("source"),
        values.pop("license"),
        values.pop("by_hand", ""),
        values,
    )


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


def readable(size: float) -> str:
    """Bytes for reading."""
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
    place = str(one.place).replace(str(Path.home()), "~")
    gone = missing(one)
    if one.by_hand:
        names = (" or " if one.any_one else ", ").join(file.name for file in gone)
        return f"{one.by_hand} Then put {names} in {place}, or run '{COMMAND} import FOLDER'"
    linked = [
        f"{file.name} from {' or '.join(hub.page(url) for url in file.urls)}"
        if file.urls
        else file.name
        for file in gone
    ]
    return (
        f"run '{COMMAND} fetch {one.name}' ({one.size}); or put into {place} "
        f"{('; or ' if one.any_one else '; ').join(linked)}"
    )


def _records() -> Path:
    return paths.assets() / "recorded.json"


def recorded() -> dict[str, dict[str, Any]]:
    """What is known of files here, by their path relative to the folder of assets: sha256, bytes,
    time of change, origin.

    Entries that cannot be read are as none.
    """
    path = _records()
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _say_once(f"{path} cannot be read and counts as empty: {error}")
        return {}
    entries = held if isinstance(held, dict) else {}
    found = {
        key: one
        for key, one in entries.items()
        if isinstance(one, dict) and {"sha256", "bytes", "changed"} <= one.keys()
    }
    if found != held:
        _say_once(f"{path} is broken: entries that cannot be read count as none")
    return found


@functools.cache
def _say_once(text: str) -> None:
    print(text, file=sys.stderr)


def _key(path: Path) -> str:
    return path.relative_to(paths.assets()).as_posix()


def _unchanged(path: Path) -> dict[str, Any] | None:
    """What is recorded of a file that has the size and the time of change it had then."""
    known, about = recorded().get(_key(path)), path.stat()
    return (
        known
        if known and (known["bytes"], known["changed"]) == (about.st_size, about.st_mtime_ns)
        else None
    )


def record(path: Path, origin: str) -> None:
    """Note a file of an asset that was found to be what it should be, and where it is from."""
    with FileLock(str(_records()) + ".lock"):
        about = path.stat()
        entry = {
            "sha256": digest(path),
            "bytes": about.st_size,
            "changed": about.st_mtime_ns,
            "from": origin,
        }
        entry["date"] = datetime.now(UTC).strftime("%Y-%m-%d")
        write_json(_records(), {**recorded(), _key(path): entry})


def sha256(path: Path) -> str:
    """The sha256 of a file of an asset: the recorded one where the file has not changed since."""
    known = _unchanged(path)
    return str(known["sha256"]) if known else digest(path)


def problem(one: Asset, file: File, path: Path | None = None) -> str:
    """What is wrong with a file, in its place or at another path; empty if nothing is.

    It must be what was published, and what was recorded when it was fetched or imported.
    """
    path = path or one.path(file)
    if not path.is_file():
        return "it is not here"
    if found := file.expected.problem(path):
        return found
    known = recorded().get(_key(one.path(file)))
    if not known or known.get("from") == BY_HAND:
        return ""
    return Expected(sha256=known["sha256"]).problem(path).replace(" instead of", ", recorded was")


def _take(one: Asset, file: File, origin: str) -> None:
    """Accept a file that has come: it must be what was published and what was recorded, if anything
    was.
    """
    path = one.path(file)
    if found := problem(one, file):
        path.unlink()
        raise DeadLink(f"{origin}: what came is another file: {found}")
    if not _unchanged(path):
        record(path, origin)


def _check(one: Asset, file: File) -> None:
    """Check a file when it is first used, and when it has changed since.

    Raises
    ------
    InputError
        If it is not what was published or recorded. The file is kept: it may be the user's only
        one.
    """
    path = one.path(file)
    known = _unchanged(path)
    if known and str(known["sha256"]).startswith(file.expected.sha256):
        return
    with explained("read", path):
        found = problem(one, file)
    if found:
        again = (
            f"Then run '{COMMAND} fetch {one.name}'."
            if any(each.urls for each in one.files)
            else one.by_hand
        )
        meant = (
            f" If you changed it on purpose, take its entry out of {_records()}."
            if "recorded was" in found
            else ""
        )
        raise InputError(
            f"{path} is not {file.name} of {one.name}: {found}. It is left as it is: move it "
            f"away. {again}{meant}"
        )
    with contextlib.suppress(
        OSError, InputError
    ):  # in a folder shared for reading only, it is checked at every use
        record(path, recorded().get(_key(path), {}).get("from", BY_HAND))


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
                raise InputError(
                    f"{names} of {one.name} could not be fetched: {failed}. By hand: "
                    f"{by_hand}, or run '{COMMAND} import FOLDER'"
                )
    return [one.path(file) for file in present(one)]


def _fetch(one: Asset, file: File) -> list[str]:
    """Fetch one file from the first of its links that gives it; returns what went wrong with
    others.
    """
    told: list[str] = []
    for url in file.urls:
        try:
            if url.startswith("hf://"):
                hub.download(url, one.path(file), file.expected, title=one.name)
            else:
                download(url, one.path(file), file.expected, title=f"{one.name}: {file.name}")
            _take(one, file, url)
            return told
        except DeadLink as error:
            told.append(str(error))
    return told


def require(one: Asset, *, fetching: bool) -> list[Path]:
    """The files of an asset, checked; of weights the first is the one to use.

    Parameters
    ----------
    one : Asset
    fetching : bool
        Whether to fetch what is missing.

    Raises
    ------
    InputError
        If a file is missing and not to be fetched, with how to get it; or is not what was published
        or recorded.
    """
    if missing(one):
        if not fetching or not any(file.urls for file in one.files):
            raise InputError(f"{KINDS[one.kind]} {one.name} is not here: {how_to_get(one)}")
        fetch(one)
    here = present(one)
    for file in here[:1] if one.any_one else here:
        _check(one, file)
    return [one.path(file) for file in here]


def verify(one: Asset) -> dict[str, str]:
    """What is wrong with each file of an asset that is here, by name; empty words if nothing is."""
    return {file.name: problem(one, file) for file in present(one)}
