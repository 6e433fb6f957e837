"""Files of assets taken in from a folder, for work without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from ..errors import InputError
from .assets import Asset, File, manifest, missing, problem, record
from .download import digest
from .files import atomic_path, explained

Wanted = tuple[Asset, File]


def import_folder(
    folder: Path, among: Iterable[Asset] | None = None
) -> tuple[list[Wanted], list[str]]:
    """Copy the files of a folder that belong to assets, and are missing, to where they belong.

    A file belongs to an asset if its path ends as one of the asset's links does, or as its place
    here, or if it is called ``ASSET.SUFFIX``; so much of the end counts as no other asset shares.
    Or if its sha256 is a published one.

    Parameters
    ----------
    folder : path
    among : assets, optional
        All of the manifest by default.

    Returns
    -------
    (list of (asset, file), list of str)
        What was taken in, and what is wrong with files that belong by their names and were not.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    folder = Path(folder).expanduser().resolve()
    if not folder.is_dir():
        raise InputError(f"no folder {folder}")
    every = [
        (one, file)
        for one in (manifest().values() if among is None else among)
        for file in one.files
    ]
    owners = _owners(every)
    matches: list[tuple[int, Path]] = []
    taken: list[Wanted] = []
    bad: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            which = _by_name(path, owners)
            which = _by_hash(path, every) if which is None else which
        except InputError as error:
            bad.append(str(error))
            continue
        if which is not None:
            matches.append((which, path))
    for which, path in sorted(
        matches
    ):  # in the order of the manifest: of weights, the best file first
        one, file = every[which]
        if file not in missing(one):
            continue
        try:
            _copy(one, file, path)
            taken.append((one, file))
        except InputError as error:
            bad.append(str(error))
    return taken, bad


def _copy(one: Asset, file: File, path: Path) -> None:
    with explained("read", path):
        found = problem(one, file, path)
    if found:
        raise InputError(f"{path} is not {file.name} of {one.name}: {found}")
    with atomic_path(one.path(file)) as temporary:
        shutil.copyfile(path, temporary)
    record(one.path(file), str(path))


def _ends(one: Asset, file: File) -> set[tuple[str, ...]]:
    """Ends of paths that the file may lie under, as components."""
    name = PurePosixPath(file.name)
    whole = [
        (one.name, name.name),
        (one.name + name.suffix,),
        PurePosixPath(one.folder, name).parts,
    ]
    whole += [tuple(url.partition("://")[2].split("/")) for url in file.urls]
    return {parts[i:] for parts in whole for i in range(len(parts))}


def _owners(every: Sequence[Wanted]) -> dict[tuple[str, ...], int]:
    """The only one of the files whose path may end so, by the end."""
    held: dict[tuple[str, ...], list[int]] = {}
    for i, (one, file) in enumerate(every):
        for end in _ends(one, file):
            held.setdefault(end, []).append(i)
    return {end: found[0] for end, found in held.items() if len(found) == 1}


def _by_name(path: Path, owners: dict[tuple[str, ...], int]) -> int | None:
    """Which file a path is, by the longest end that tells."""
    ends = (path.parts[i:] for i in range(len(path.parts)))
    return next((owners[end] for end in ends if end in owners), None)


def _by_hash(path: Path, every: Sequence[Wanted]) -> int | None:
    """Which missing file a path is, by its published sha256."""
    with explained("read", path):
        size = path.stat().st_size
        like = [
            i
            for i, (one, file) in enumerate(every)
            if file.expected.sha256
            and PurePosixPath(file.name).suffix == path.suffix
            and file.expected.size in (None, size)
            and file in missing(one)
        ]
        found = digest(path) if like else ""
    return next((i for i in like if found.startswith(every[i][1].expected.sha256)), None)
