"""What lies in a user's folder: image files and folders of them, and what is left out, counted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError

HIDDEN = ("__macosx", "@eadir", "$recycle.bin", "thumbs.db", "desktop.ini")
"""Names that file managers give to what they add (thumbnails, copies), beside those with a dot."""

NO_IMAGES = ("EPS", "MPEG", "PCD")
"""Formats that Pillow knows but does not read by itself, or whose suffix mostly means another."""

NEEDED = {"AVIF": "avif", "JPEG2000": "jpg_2000"}
"""Formats that some builds of Pillow lack, and the feature that they need."""

MOST = 10
"""Most names that a line lists."""


def suffixes() -> frozenset[str]:
    """Suffixes, in small letters, of the images that this Pillow reads.

    >>> {".png", ".jfif", ".pgm"} <= suffixes(), ".h5" in suffixes()
    (True, False)
    """
    from PIL import Image, ImageFile, features

    def is_read(kind: str) -> bool:
        if kind == "MPO":  # read as JPEG
            return True
        opened = Image.OPEN.get(kind, (None,))[0]
        stub = isinstance(opened, type) and issubclass(opened, ImageFile.StubImageFile)
        lacking = kind in NEEDED and not features.check(NEEDED[kind])
        return opened is not None and not stub and not lacking and kind not in NO_IMAGES

    known = Image.registered_extensions()
    return frozenset(suffix.lower() for suffix, kind in known.items() if is_read(kind))


def listed(names: Iterable[object]) -> str:
    """Names in a line, at most :data:`MOST`.

    >>> listed(range(12))
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 2 more'
    """
    words = [str(name) for name in names]
    more = [f"and {len(words) - MOST} more"] if len(words) > MOST else []
    return ", ".join(words[:MOST] + more)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden, or a file manager's own."""
    return name.startswith(".") or name.lower() in HIDDEN


def located(where: str) -> Path:
    """The absolute path that a user gave, without links and ``~``."""
    try:
        path = Path(where).expanduser().resolve()
        path.exists()
        return path
    except (RuntimeError, OSError, ValueError) as error:  # no such user, a circle, too long
        raise InputError(f"{where!r} cannot be found: {error}") from error


@dataclass
class Found:
    """Image files, and how many others there are, by suffix; hidden ones are passed over."""

    images: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    broken: list[Path] = field(default_factory=list)

    @classmethod
    def of(cls, parts: Iterable[Found]) -> Found:
        """What was found in several places."""
        whole = cls()
        for part in parts:
            whole.images += part.images
            whole.others.update(part.others)
            whole.broken += part.broken
        return whole

    @property
    def left_out(self) -> str:
        """What is left out, in words, such as ``left out: 3 .heic, 1 .txt``; empty if nothing."""
        counts = sorted(self.others.items(), key=lambda each: (-each[1], each[0]))
        return f"left out: {listed(f'{n} {kind}' for kind, n in counts)}" if counts else ""


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_hidden(entry.name)]
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle
        return False


def _is_gone(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and not os.path.exists(entry.path)


def sub_folders(folder: Path) -> list[Path]:
    """The folders directly in a folder, in order.

    Raises
    ------
    InputError
        If it cannot be read, or what may be a folder is a link to nothing.
    """
    entries = _entries(folder)
    check_links([Path(e.path) for e in entries if "." not in e.name and _is_gone(e)])
    return sorted(Path(entry.path) for entry in entries if _is_folder(entry))


def files_in(folder: Path, readable: frozenset[str], *, deep: bool = True) -> Found:
    """The files of a folder, at any depth or directly in it, images in order. Links to folders are
    not followed below it.
    """
    found, folders = Found(), [folder]
    while folders:
        for entry in _entries(folders.pop()):
            path = Path(entry.path)
            if _is_folder(entry):
                if deep and entry.is_symlink():
                    found.others["linked folders"] += 1
                elif deep:
                    folders.append(path)
            elif path.suffix.lower() not in readable:
                found.others[path.suffix.lower() or "without a suffix"] += 1
            elif _is_gone(entry):
                found.broken.append(path)
            else:
                found.images.append(path)
    found.images.sort()
    return found


def layers_in(folder: Path, readable: frozenset[str]) -> tuple[str, ...]:
    """The names of the folders in a folder that directly holds no image; else none."""
    folders = sub_folders(folder)
    if not folders or files_in(folder, readable, deep=False).images:
        return ()
    return tuple(path.name for path in folders)


def check_links(broken: Sequence[Path]) -> None:
    """InputError if there are links to files that are not there."""
    if broken:
        more = f" ({len(broken):,} such links)" if len(broken) > 1 else ""
        raise InputError(f"{min(broken)} is a link to a file that is not there{more}")
