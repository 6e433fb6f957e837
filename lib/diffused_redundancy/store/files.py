"""Files written whole or not at all, their SHA-256, and errors of the file system in one line."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ..errors import InputError

try:
    import fcntl
except ModuleNotFoundError:  # on Windows
    fcntl = None  # type: ignore[assignment]

_SCRATCH, _PART, _HELD = ".running-", ".part", "held"
_LEFT = re.compile(rf"\..+\.\w{{8}}{re.escape(_PART)}|{re.escape(_SCRATCH)}\w{{8}}")
"""Names of temporary files and folders, the eight letters of which are tempfile's."""

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EACCES: "no write permission; choose a folder you may write to",
    errno.EPERM: "no write permission; choose a folder you may write to",
    errno.EROFS: "the file system is read-only; choose a folder you may write to",
    errno.ENOTDIR: "part of the path is a file, not a folder; choose another path",
    errno.EEXIST: "a file of that name is in the way; choose another path",
    errno.EISDIR: "a folder of that name is in the way; choose another path",
}


@contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turn the operating system's errors about ``path`` into an InputError that says what to do."""
    try:
        yield
    except SafetensorError as error:
        full = any(words in str(error) for words in ("No space left", "os error 28"))
        reason = _REASONS[errno.ENOSPC] if full else str(error)
        raise InputError(f"cannot {action} {path}: {reason}") from error
    except OSError as error:
        otherwise = f"{error.strerror or error}; choose another folder"
        reason = _REASONS.get(error.errno or 0, otherwise)
        raise InputError(f"cannot {action} {path}: {reason}") from error


def make_folder(path: Path) -> Path:
    """Create a folder and its parents, and check that it can be written to."""
    path = Path(path)
    with explained("write to", path):
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    return path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path that replaces ``path`` when the block succeeds, and is deleted otherwise."""
    path = Path(path)
    with explained("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _held_file(path)
        try:
            yield temporary
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)  # mkstemp makes files only their owner can read
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
            if fcntl is not None:
                os.close(handle)


def _held_file(path: Path) -> tuple[int, Path]:
    """A new temporary file beside ``path``, locked while it is open: :func:`sweep` leaves it."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_PART, dir=path.parent)
        if fcntl is None:  # there a file that is open cannot be moved
            os.close(handle)
            return handle, Path(name)
        _lock(handle)
        if os.path.exists(name):  # else it was swept before it was locked
            return handle, Path(name)
        os.close(handle)


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A temporary folder in ``parent``, which is gone after the block, or after a :func:`sweep` if
    this process is killed.
    """
    while True:
        place = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=parent))
        try:
            held = os.open(place / _HELD, os.O_WRONLY | os.O_CREAT, 0o600)
        except FileNotFoundError:  # it was swept while it was empty
            continue
        except OSError:
            place.rmdir()
            raise
        _lock(held)
        if (place / _HELD).exists():  # else it was swept before it was locked
            break
        os.close(held)
    try:
        yield place
    finally:
        os.close(held)
        _remove(place)


def _remove(place: Path) -> None:
    """Remove a scratch folder as far as its files let themselves be removed: last of all what
    :func:`sweep` finds it by, so that a kill on the way leaves nothing for ever.
    """
    with suppress(OSError):  # it was swept meanwhile
        for path in place.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != _HELD:
                with suppress(OSError):
                    path.unlink()
        if [path.name for path in place.iterdir()] == [_HELD]:
            (place / _HELD).unlink()
        place.rmdir()


def _lock(handle: int) -> None:
    """Lock an open file, if its file system has locks."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)


def sweep(folder: Path) -> None:
    """Remove what processes that were killed have left half-written in a folder and its folders.

    What a living process writes is locked, and left alone, as is everything where the file system
    has no locks.
    """
    if fcntl is None:
        return
    for path in [*folder.glob(".*"), *folder.glob("*/.*")]:
        if not _LEFT.fullmatch(path.name) or path.is_symlink():
            continue
        folder_left = path.is_dir()
        if folder_left:
            with suppress(OSError):  # it is not empty
                path.rmdir()
        with suppress(OSError), open(path / _HELD if folder_left else path, "rb+") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if folder_left:
                _remove(path)
            else:
                path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write an indented JSON file, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def sha256_of(*parts: Path | bytes | str) -> str:
    """The SHA-256 of files, bytes and texts, one after another, in hexadecimal.

    >>> sha256_of("a", b"b") == sha256_of("ab")
    True
    """
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            with open(part, "rb") as stream:
                hashlib.file_digest(stream, lambda: total)
        else:
            total.update(part.encode() if isinstance(part, str) else part)
    return total.hexdigest()
