"""The command ``assets``: what there is, what is here, fetching, checking, and taking in files from
a folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import InputError
from ..nets import names
from ..store import assets, imports, paths
from ..store.assets import Asset
from ..tasks import datasets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what may be typed."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    says = {
        "ls": "list all files, whether they are here, and their terms",
        "fetch": "download, resuming an earlier download, and check",
        "verify": "check what is here against published and recorded hashes",
    }
    for name, help in says.items():
        actions.add_parser(name, help=help).add_argument(
            "names",
            nargs="+" if name == "fetch" else "*",
            metavar="NAME",
            help="assets, or patterns such as 'resnet50.*'; tags of timm",
        )
    actions.add_parser(
        "import",
        help="take files from a folder, for work without a network (of a tag of timm, as TAG/FILE)",
    ).add_argument("folder", type=Path, metavar="FOLDER")


def run(options: argparse.Namespace) -> int:
    """List, fetch, verify or import; the exit status is 1 if anything is wrong."""
    if options.action == "import":
        lines, errors = take(options.folder)
        print("".join(f"{line}\n" for line in lines), end="")
    elif options.action == "fetch":
        errors = fetch(chosen(options.names))
    elif options.action == "verify":
        lines, good = verify(chosen(options.names))
        print("\n".join(lines))
        return 0 if good else 1
    else:
        print(listing(chosen(options.names)))
        return 0
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    return 1 if errors else 0


def chosen(names: Sequence[str]) -> list[Asset]:
    """The assets of some names and patterns, timm's tags among them; all of the manifest without
    any.

    Raises
    ------
    InputError
        If a name is unknown (with the nearest one), or a pattern matches nothing.
    """
    known = assets.manifest()
    if not names:
        return list(known.values())
    assets_by_name: dict[str, Asset] = {}
    for name in names:
        if any(sign in name for sign in "*?["):
            matched = [one for one in known.values() if fnmatchcase(one.name, name)]
            if not matched:
                raise InputError(
                    f"no asset matches {name!r}: names are such as {', '.join(list(known)[:3])}"
                )
            assets_by_name |= {one.name: one for one in matched}
        else:
            assets_by_name[name] = known[name] if name in known else _tag(name)
    return list(assets_by_name.values())


def _tag(name: str) -> Asset:
    from ..nets import registry

    try:
        names.check(name)
    except InputError:
        return assets.asset(name)  # raises, with the nearest asset
    one = registry.weights_of(name)
    if one is None:
        raise InputError(f"{name} needs no download")
    return one


def state(one: Asset) -> str:
    """``here``, ``missing``, or how many of its files are here."""
    missing = assets.missing(one)
    if not missing or (one.kind == "datasets" and datasets.is_unpacked(one.name)):
        return "here"
    here, files = len(one.files) - len(missing), len(one.files)
    return f"{here} of {files} files" if here else "missing"


def listing(some: Sequence[Asset]) -> str:
    """A table: one line an asset."""
    rows = [("name", "what", "state", "size", "licence")]
    for one in some:
        terms = one.license + (" (by hand)" if one.by_hand else "")
        rows.append((one.name, assets.KINDS[one.kind], state(one), one.size, terms))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])
        for row in rows
    ]
    return "\n".join([*lines, f"Folder: {paths.assets()}"])


def fetch(some: Sequence[Asset]) -> list[str]:
    """Fetch assets, unpack data sets, and print where each is; what went wrong is returned, and
    does not keep the others from coming.
    """
    failed = []
    for one in some:
        try:
            print(_fetch(one), flush=True)
        except InputError as error:
            failed.append(str(error))
    return failed


def _fetch(one: Asset) -> str:
    if one.kind == "datasets" and datasets.is_unpacked(one.name):
        return f"{one.name}: here already, {one.place}"
    files = assets.fetch(one)
    if one.kind == "datasets":
        datasets.opened(one.name)
    return f"{one.name}: {', '.join(str(path) for path in files)}"


def verify(some: Sequence[Asset]) -> tuple[list[str], bool]:
    """A line for each file that is here, and whether all are as they should be."""
    lines, good = [], True
    for one in some:
        for name, problem in assets.verify(one).items():
            good = good and not problem
            lines.append(f"{one.name}: {name}: {problem or 'as it should be'}")
    return lines or ["nothing is here: there is nothing to check"], good


def take(folder: Path) -> tuple[list[str], list[str]]:
    """Take in the files of a folder: those of the manifest, and those in folders named by a tag of
    timm.

    Returns
    -------
    (list of str, list of str)
        A line for each file taken in, and what is wrong with others.
    """
    taken, bad = imports.import_folder(folder)
    for path, one in _tagged(paths.of_user(folder).resolve()):
        more, wrong = imports.import_folder(path, [one])
        taken += more
        bad += wrong
    lines = [f"{one.name}: {one.path(file)}" for one, file in taken]
    none = (
        f"{folder}: no file here is missing, by its name or by its hash; '{assets.COMMAND} ls' "
        "lists the names, and a tag of timm goes by TAG/FILE"
    )
    return lines or ([] if bad else [none]), bad


def _tagged(folder: Path) -> Iterator[tuple[Path, Asset]]:
    """Folders named by tags of timm that are not in the manifest, with the assets of the tags."""
    for path in [folder, *sorted(folder.rglob("*"))]:
        if (
            path.is_dir()
            and "." in path.name.strip(".")
            and path.name not in assets.manifest()
            and names.is_tag(path.name)
        ):
            from ..nets import registry  # brings torch

            one = registry.weights_of(path.name)
            if one is not None:
                yield path, one
