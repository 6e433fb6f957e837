"""One file from the web: resumed where it stopped, tried again after a hiccup, checked, and moved into place whole."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from ..progress import progress
from .files import explained, write_json

CHUNK = 1 << 20
TIMEOUT = 30.0
TRIES = 5
"""How often a server that fails, or a connection that breaks, is tried again; a file that is not there is not."""


class DeadLink(Exception):
    """A server answered that it does not have or give the file."""


@dataclass(frozen=True)
class Expected:
    """What a file is known to be.

    Attributes
    ----------
    sha256 : str
        All of its hexadecimal digits or the first ones, as file names often carry; empty if unknown.
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
        for kind, wanted in (("sha256", self.sha256), ("md5", self.md5)):
            if wanted and not (found := digest(path, kind)).startswith(wanted):
                return f"its {kind} is {found[: len(wanted)]} instead of {wanted}"
        return ""


def digest(path: Path, kind: str = "sha256") -> str:
    """The ``sha256`` or ``md5`` of a file's bytes, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()


def download(url: str, path: Path, expected: Expected | None = None, *, title: str = "", headers: Mapping[str, str] | None = None) -> None:
    """Fetch a url to a path.

    What has come is kept beside the path in ``NAME.part``; the next call goes on from there if the server still has the
    same file, and begins anew if not.

    Parameters
    ----------
    url : str
    path : path
        Its folder is made.
    expected : Expected, optional
    title : str
        What the progress is of.
    headers : mapping, optional
        To send along, such as an authorization.

    Raises
    ------
    DeadLink
        If the server does not have the file, what came is not what was expected, or every try failed.
    InputError
        If the file cannot be written.
    """
    expected = expected or Expected()
    part, about = path.with_name(path.name + ".part"), path.with_name(path.name + ".part.json")
    with explained("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(TRIES):
        if attempt:
            time.sleep(min(2.0**attempt, 30.0))
        try:
            _transfer(url, part, about, title or path.name, headers or {})
        except (ConnectionError, TimeoutError, HTTPException, urllib.error.URLError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code not in (408, 416, 425, 429) and error.code < 500:
                raise DeadLink(f"{url}: {error.code} {error.reason}") from error
            if isinstance(error, urllib.error.HTTPError) and error.code == 416:
                part.unlink(missing_ok=True)  # more has come than there is: another file
            problem = f"{url}: {getattr(error, 'reason', error)}"
            continue
        if problem := expected.problem(part):
            part.unlink()
            about.unlink(missing_ok=True)
            raise DeadLink(f"{url}: what came is another file: {problem}")
        with explained("write", path):
            part.replace(path)
        about.unlink(missing_ok=True)
        return
    raise DeadLink(f"{problem} (tried {TRIES} times)")


def _transfer(url: str, part: Path, about: Path, title: str, headers: Mapping[str, str]) -> None:
    """Fetch what is missing of a file; raises ConnectionError if less comes than was promised."""
    held = part.stat().st_size if part.is_file() else 0
    known = json.loads(about.read_text()) if held and about.is_file() else {}
    validator = known.get("validator", "")
    resumable = held > 0 and known.get("url") == url and validator
    request = urllib.request.Request(url, headers={"User-Agent": "diffused-redundancy", "Accept-Encoding": "identity", **headers})
    if resumable:
        request.add_header("Range", f"bytes={held}-")
        request.add_header("If-Range", validator)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        goes_on = answer.status == 206
        length = answer.headers.get("Content-Length")
        total = (held if goes_on else 0) + int(length) if length is not None else None
        tag = answer.headers.get("ETag", "")
        found = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")
        write_json(about, {"url": url, "validator": found})
        with explained("write", part), open(part, "ab" if goes_on else "wb") as stream:
            for block in progress(_blocks(answer), total=None if length is None else -(-int(length) // CHUNK), title=f"{title} (MB)"):
                stream.write(block)
    if total is not None and part.stat().st_size < total:
        raise ConnectionError(f"the connection broke after {part.stat().st_size:,} of {total:,} bytes")


def _blocks(answer: Any) -> Iterator[bytes]:
    while block := answer.read(CHUNK):
        yield block
