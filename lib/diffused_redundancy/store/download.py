"""One file from the web: resumed, retried, checked, and moved into place whole."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from ..progress import progress
from .files import explained, sha256_of, write_json

CHUNK = 1 << 20
TIMEOUT = 30.0
TRIES = 5
"""Tries in a row that bring no further byte, after which a server that fails or a connection that
breaks is given up. A file that is not there is asked for once.
"""

SILENT: set[str] = set()
"""Hosts that did not answer :data:`TRIES` times: for another of their files they are asked once."""


class DeadLink(Exception):
    """A server does not have or give the file."""


class Interrupted(Exception):
    """A connection broke during a transfer. Not an OSError, to tell it from those of the disk."""


@dataclass(frozen=True)
class Expected:
    """What a file is known to be.

    Attributes
    ----------
    sha256 : str
        All of its hexadecimal digits, or the first ones as in many file names; empty if unknown.
    md5 : str
        Empty if unknown.
    size : int or None
        Bytes.
    """

    sha256: str = ""
    md5: str = ""
    size: int | None = None

    def problem(self, path: Path) -> str:
        """What is wrong with a file, in words; empty if nothing is."""
        if self.size is not None and path.stat().st_size != self.size:
            return f"it has {path.stat().st_size:,} bytes instead of {self.size:,}"
        for kind, wanted, digest in (("sha256", self.sha256, sha256_of), ("md5", self.md5, _md5)):
            if wanted and not (actual := digest(path)).startswith(wanted):
                return f"its {kind} is {actual[: len(wanted)]} instead of {wanted}"
        return ""


def _md5(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@dataclass(frozen=True)
class Place:
    """An address that a file can be downloaded from.

    Attributes
    ----------
    address : str
    expected : Expected
    version : str
        Identifies the content: a transfer is resumed from any address of the same version. Empty
        if unknown; then the server must confirm that the file is the same.
    headers : mapping
        Of the request, such as an authorization.
    """

    address: str
    expected: Expected = Expected()
    version: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def download(url: str, path: Path, expected: Expected | None = None, *, title: str = "") -> None:
    """Download a url to a path; see :func:`transfer`.

    If its hash is known, a transfer from another url with that hash is resumed.
    """
    known = expected or Expected()
    transfer(url, lambda: Place(url, known, known.sha256 or known.md5), path, title=title)


def transfer(name: str, locate: Callable[[], Place], path: Path, *, title: str = "") -> None:
    """Download a file to a path.

    Incomplete transfers are kept beside the path as ``NAME.part``; the next try or call resumes
    from there if the file is still the same, and restarts if not.

    Parameters
    ----------
    name : str
        Of the file, in messages and to recognise its part: its url, or another lasting name.
    locate : callable
        Where the file is; called before every try, since addresses may expire.
    path : path
        Its folder is made.
    title : str
        Of the progress bar.

    Raises
    ------
    DeadLink
        If the server does not have the file, what came is not what was expected, or :data:`TRIES`
        tries in a row brought nothing.
    InputError
        If the file cannot be written.
    """
    part, about = path.with_name(path.name + ".part"), path.with_name(path.name + ".part.json")
    with explained("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
    tries, most = 0, _size(part)
    while True:
        place = locate()
        host = urllib.parse.urlsplit(place.address).netloc
        silent = False
        try:
            resumed = _complete(name, place, part, about, title or path.name)
        except (Interrupted, OSError, HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and not _may_pass(
                error.code, signed=place.address != name
            ):
                raise DeadLink(f"{name}: {error.code} {error.reason}") from error
            problem = str(getattr(error, "reason", error)) or type(error).__name__
            silent = not isinstance(error, (Interrupted, urllib.error.HTTPError))
        else:
            difference = place.expected.problem(part)
            if not difference:
                with explained("write", path):
                    part.replace(path)
                about.unlink(missing_ok=True)
                return
            part.unlink()
            about.unlink(missing_ok=True)
            problem = f"another file was sent: {difference}"
            if not resumed:  # otherwise its earlier beginning may be what is wrong
                raise DeadLink(f"{name}: {problem}")
        tries = 1 if _size(part) > most else tries + 1
        most = max(most, _size(part))
        if tries >= TRIES or (silent and host in SILENT):
            if silent:
                SILENT.add(host)
            raise DeadLink(f"{name}: {problem} (tried {tries} time{'s' if tries > 1 else ''})")
        if not silent:
            SILENT.discard(host)
        time.sleep(min(2.0**tries, 30.0))


def _may_pass(code: int, *, signed: bool) -> bool:
    """Whether another try may succeed after an HTTP status; a signed address that is refused may
    have expired.
    """
    return code >= 500 or code in (408, 416, 425, 429) or (signed and code == 403)


def _complete(name: str, place: Place, part: Path, about: Path, title: str) -> int:
    """Download what is missing of a file; returns how many bytes were there already and are kept.

    Raises
    ------
    Interrupted, OSError, HTTPException
        If the server cannot be reached, refuses, or sends less than it promised.
    InputError
        If the part cannot be written.
    """
    known = _known(about)
    if place.version:
        same = known.get("version") == place.version
    else:
        same = known.get("url") == name and bool(known.get("validator"))
    held = _size(part) if same else 0
    if held and held == place.expected.size:
        return held
    headers = {"User-Agent": "diffused-redundancy", "Accept-Encoding": "identity"}
    request = urllib.request.Request(place.address, headers={**headers, **place.headers})
    if held:
        request.add_header("Range", f"bytes={held}-")
        if not place.version:
            request.add_header("If-Range", known["validator"])
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        if held and error.headers.get("Content-Range", "").rpartition("/")[2] == str(held):
            return held  # the part is complete
        part.unlink(missing_ok=True)  # the part is longer than the file: another file
        raise
    with answer:
        resumed = answer.status == 206
        length = answer.headers.get("Content-Length")
        validator = answer.headers.get("ETag", "")
        if not validator or validator.startswith("W/"):
            validator = answer.headers.get("Last-Modified", "")
        blocks = None if length is None else -(-int(length) // CHUNK)
        with explained("write", part), open(part, "ab" if resumed else "wb") as stream:
            write_json(about, {"url": name, "version": place.version, "validator": validator})
            for block in progress(_blocks(answer), total=blocks, title=f"{title} (MB)"):
                stream.write(block)
    total = None if length is None else int(length) + (held if resumed else 0)
    if total is not None and _size(part) < total:
        raise Interrupted(f"the connection broke after {_size(part):,} of {total:,} bytes")
    return held if resumed else 0


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _known(about: Path) -> dict[str, Any]:
    """What was noted of a part; nothing if the note is missing or broken."""
    try:
        note = json.loads(about.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _blocks(answer: Any) -> Iterator[bytes]:
    """The bytes that a server sends, in blocks; Interrupted if the connection breaks or is silent
    for :data:`TIMEOUT` seconds.
    """
    while True:
        try:
            block = answer.read(CHUNK)
        except (OSError, HTTPException) as error:
            raise Interrupted(str(error) or type(error).__name__) from error
        if not block:
            return
        yield block
