"""Import of assets from a folder, for work without a network."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from ..errors import InputError
from . import paths
from .assets import Asset, File, manifest, missing, problem, record
from .files import atomic_path, explained, sha256_of

Candidate = tuple[Asset, File]


def import_folder(
    folder: Path, among: Iterable[Asset] | None = None
) -> tuple[list[Candidate], list[str]]:
    """Copy the files of a folder that belong to assets, and are missing, to where they belong.

    A file belongs to an asset if its SHA-256 is a published one, or if its path ends like one of
    the asset's links, like its place here, or in ``ASSET.SUFFIX``, and like no other asset's.

    Parameters
    ----------
    folder : path
    among : assets, optional
        All of the manifest by default.

    Returns
    -------
    (list of (asset, file), list of str)
        What was imported, and what is wrong with files that belong by their names and were not.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    folder = paths.of_user(folder).resolve()
    if not folder.is_dir():
        raise InputError(f"no folder {folder}")
    assets = manifest().values() if among is None else among
    candidates = [(asset, file) for asset in assets for file in asset.files]
    owners = _owners(candidates)
    matches: list[tuple[int, Path]] = []
    imported: list[Candidate] = []
    errors: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            index = _by_name(path, owners)
            index = _by_hash(path, candidates) if index is None else index
        except InputError as error:
            errors.append(str(error))
            continue
        if index is not None:
            matches.append((index, path))
    for index, path in sorted(matches):  # in the order of the manifest: preferred files first
        asset, file = candidates[index]
        if file not in missing(asset):
            continue
        try:
            _copy(asset, file, path)
            imported.append((asset, file))
        except InputError as error:
            errors.append(str(error))
    return imported, errors


def _copy(asset: Asset, file: File, path: Path) -> None:
    with explained("read", path):
        difference = problem(asset, file, path)
    if difference:
        raise InputError(f"{path} is not {file.name} of {asset.name}: {difference}")
    with atomic_path(asset.path(file)) as temporary:
        shutil.copyfile(path, temporary)
    record(asset.path(file), str(path))


def _ends(asset: Asset, file: File) -> set[tuple[str, ...]]:
    """Ends of paths that the file may lie under, as components."""
    name = PurePosixPath(file.name)
    paths = [
        (asset.name, name.name),
        (asset.name + name.suffix,),
        PurePosixPath(asset.folder, name).parts,
        *(tuple(url.partition("://")[2].split("/")) for url in file.urls),
    ]
    return {parts[i:] for parts in paths for i in range(len(parts))}


def _owners(candidates: Sequence[Candidate]) -> dict[tuple[str, ...], int]:
    """The index of the only candidate whose path may end so, by the end."""
    indices: dict[tuple[str, ...], list[int]] = {}
    for i, (asset, file) in enumerate(candidates):
        for end in _ends(asset, file):
            indices.setdefault(end, []).append(i)
    return {end: owners[0] for end, owners in indices.items() if len(owners) == 1}


def _by_name(path: Path, owners: dict[tuple[str, ...], int]) -> int | None:
    """The index of the candidate at a path, by the longest end with an owner."""
    ends = (path.parts[i:] for i in range(len(path.parts)))
    return next((owners[end] for end in ends if end in owners), None)


def _by_hash(path: Path, candidates: Sequence[Candidate]) -> int | None:
    """The index of the missing candidate at a path, by its published SHA-256."""
    with explained("read", path):
        size = path.stat().st_size
        similar = [
            i
            for i, (asset, file) in enumerate(candidates)
            if file.expected.sha256
            and PurePosixPath(file.name).suffix == path.suffix
            and file.expected.size in (None, size)
            and file in missing(asset)
        ]
        sha256 = sha256_of(path) if similar else ""
    return next((i for i in similar if sha256.startswith(candidates[i][1].expected.sha256)), None)
