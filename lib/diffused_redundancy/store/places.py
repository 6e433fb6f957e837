"""Files and folders, on this machine or behind a URL, that are listed and read in ranges of bytes.

A URL (``s3://``, ``gs://``, ``https://``, ``memory://``) is read through fsspec.
"""

from __future__ import annotations

import io
import os
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ..errors import InputError
from .paths import of_user

_STAMPS = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created")
"""What file systems say of a file's content or last change, the most telling first."""


class Meter:
    """Counts bytes that were read, in several threads too."""

    def __init__(self) -> None:
        self.bytes, self._lock = 0, threading.Lock()

    def add(self, count: int) -> None:
        """Count some more."""
        with self._lock:
            self.bytes += count


class Place(ABC):
    """A file or a folder.

    Attributes
    ----------
    address : str
        The path or URL, as it was given.
    meter : Meter
        Counts what is read of it and of what is in it.
    """

    def __init__(self, address: str, meter: Meter | None = None) -> None:
        self.address, self.meter = address, meter or Meter()

    def __str__(self) -> str:
        return self.address

    @property
    @abstractmethod
    def name(self) -> str:
        """The last part of the path."""

    @property
    def suffix(self) -> str:
        """Of the name, in small letters."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @property
    @abstractmethod
    def kind(self) -> str:
        """``file``, ``folder``, or nothing where there is none."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes of a file."""

    @property
    @abstractmethod
    def stamp(self) -> str:
        """What changes when a file does: what its file system says of its last change."""

    @property
    @abstractmethod
    def path(self) -> Path:
        """The path; InputError if it is a URL."""

    @cached_property
    def children(self) -> list[Place]:
        """What is in a folder, in the order of the names; listed once."""
        return self._listed()

    @abstractmethod
    def _listed(self) -> list[Place]: ...

    @abstractmethod
    def _fetch(self, start: int, stop: int) -> np.ndarray: ...

    def read(self, start: int, stop: int) -> np.ndarray:
        """Some bytes, uint8 and writable.

        Raises
        ------
        InputError
            If there are other bytes than were asked for.
        """
        raw = self._fetch(start, stop)
        self.meter.add(len(raw))
        if len(raw) != stop - start:
            raise InputError(
                f"{self} cannot be read (truncated, or not served in ranges): bytes {start} to "
                f"{stop} were asked for, {len(raw)} came"
            )
        return raw


class LocalPlace(Place):
    """A file or folder of this machine."""

    def __init__(self, path: Path, meter: Meter | None = None) -> None:
        super().__init__(str(path), meter)
        self._path = path

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self._path.name or self._path.resolve().name

    @property
    def kind(self) -> str:
        """``file``, ``folder``, or nothing where there is none."""
        folder, file = os.path.isdir(self._path), os.path.isfile(self._path)  # too long: neither
        return "folder" if folder else "file" if file else ""

    @property
    def size(self) -> int:
        """Bytes of a file."""
        return self._path.stat().st_size

    @property
    def stamp(self) -> str:
        """What changes when a file does."""
        return str(self._path.stat().st_mtime_ns)

    @property
    def path(self) -> Path:
        """The path; InputError if it is a URL."""
        return self._path

    def _listed(self) -> list[Place]:
        return [LocalPlace(path, self.meter) for path in sorted(self._path.iterdir())]

    def _fetch(self, start: int, stop: int) -> np.ndarray:
        return np.fromfile(self._path, np.uint8, stop - start, offset=start)


class RemotePlace(Place):
    """A file or folder behind a URL."""

    def __init__(
        self,
        address: str,
        meter: Meter | None = None,
        system: Any = None,
        about: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(address, meter)
        try:
            user = urlsplit(address).username
        except ValueError as error:  # such as brackets that hold no address
            raise InputError(f"{address} is no URL: {error}") from error
        if user:
            raise InputError(
                "the URL holds a user's name: give credentials as the file system takes them, "
                "such as in its environment variables, since the URL is written down"
            )
        self._system, self._known = system, about

    @property
    def name(self) -> str:
        """The last part of the path."""
        parts = urlsplit(self.address)
        return PurePosixPath(parts.path).name or parts.netloc

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        """The file system, and what it calls the place."""
        with _explained(self.address):
            from fsspec.core import url_to_fs

            if self._system is not None:
                return self._system, self._known["name"]  # type: ignore[index]
            opened: tuple[Any, str] = url_to_fs(self.address)
            return opened

    @cached_property
    def _about(self) -> dict[str, Any]:
        if self._known is not None:
            return self._known
        system, path = self._opened
        with _explained(self.address):
            try:
                about: dict[str, Any] = system.info(path)
                return about
            except FileNotFoundError:
                return {}

    @property
    def kind(self) -> str:
        """``file``, ``folder``, or nothing where there is none."""
        return {"file": "file", "directory": "folder"}.get(self._about.get("type", ""), "")

    @property
    def size(self) -> int:
        """Bytes of a file."""
        if self._about.get("size") is None:
            raise InputError(f"{self}: the server does not say how large it is; copy it first")
        return int(self._about["size"])

    @property
    def stamp(self) -> str:
        """What changes when a file does."""
        return next((str(self._about[key]) for key in _STAMPS if self._about.get(key)), "")

    @property
    def path(self) -> Path:
        """The path; InputError if it is a URL."""
        raise InputError(f"{self}: {self.suffix or 'such'} files are not read through a URL")

    def _listed(self) -> list[Place]:
        system, path = self._opened
        with _explained(self.address):
            listed = sorted(system.ls(path, detail=True), key=lambda about: about["name"])
        start = self.address.rstrip("/")
        return [
            RemotePlace(f"{start}/{name}", self.meter, system, about)
            for about in listed
            if (name := about["name"].rstrip("/").rpartition("/")[2])
            and about["name"].rstrip("/") != path.rstrip("/")  # object stores list the folder, too
        ]

    def _fetch(self, start: int, stop: int) -> np.ndarray:
        system, path = self._opened
        if stop <= start:  # which object stores refuse
            return np.empty(0, np.uint8)
        with _explained(self.address):
            return np.frombuffer(system.cat_file(path, start=start, end=stop), np.uint8).copy()


def files_in(place: Place) -> Iterator[Place]:
    """The file itself, or all files of a folder and its folders, but for hidden ones."""
    if place.kind != "folder":
        yield place
        return
    for one in place.children:
        if not one.name.startswith("."):
            yield from files_in(one)


class RangeFile(io.RawIOBase):
    """A place as a file that is read from any byte on."""

    def __init__(self, place: Place) -> None:
        self.place, self._at, self._size = place, 0, place.size

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The byte that is read next."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        self._at = offset + {0: 0, 1: self._at, 2: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, as far as there is something left."""
        view = memoryview(buffer).cast("B")
        raw = self.place.read(self._at, max(self._at, min(self._at + len(view), self._size)))
        view[: len(raw)] = raw.data
        self._at += len(raw)
        return len(raw)


def place_of(given: Place | Path | str, meter: Meter | None = None) -> Place:
    """What a path or URL leads to; a place is itself.

    >>> place_of("s3://bucket/features/").name, place_of("a/b.npy").stem
    ('features', 'b')
    """
    if isinstance(given, Place):
        return given
    if "\0" in str(given):
        raise InputError(f"{str(given)!r} holds a zero byte: no path or URL does")
    if isinstance(given, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", given):
        return RemotePlace(given, meter)
    return LocalPlace(of_user(given), meter)


@contextmanager
def _explained(address: str) -> Iterator[None]:
    """What goes wrong on the way as an InputError."""
    try:
        yield
    except (InputError, FileNotFoundError):
        raise
    except ImportError as error:
        raise InputError(
            f"{address} needs a package that is not here ({error}): pip install "
            "'diffused-redundancy[cloud]' for s3:// and https://, and gcsfs for gs://"
        ) from error
    except Exception as error:  # each file system and its network raise errors of their own
        raise InputError(f"{address} cannot be read: {error or type(error).__name__}") from error
