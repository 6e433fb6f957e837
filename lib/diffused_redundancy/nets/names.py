"""Names of networks: which there are, what a pattern stands for, and which one was meant. Light:
torch is not imported.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import InputError, unknown
from ..store import assets
from ..store.assets import Asset
from .zoo import ZOO

BEYOND_TIMM = ("resnet50_blurpool", "wide_resnet50_4")
"""Architectures of published networks that timm does not have; see :mod:`published`."""


def published() -> dict[str, Asset]:
    """The networks of ``data/assets.toml``, by name."""
    return {name: one for name, one in assets.manifest().items() if one.kind == "weights"}


def names() -> list[str]:
    """Every network with a name of its own here; timm's tags come on top."""
    return [*ZOO, *published()]


def expanded(given: Iterable[str]) -> list[str]:
    """Names with patterns (``*``, ``?``, ``[...]``) put in place by the networks they match, without
    repeats.

    A pattern stands for networks of the miniature zoo; where it matches none, for published ones.

    Raises
    ------
    InputError
        If a pattern matches none.
    """
    found: list[str] = []
    for name in given:
        if "@" in name or not any(sign in name for sign in "*?["):
            found.append(name)
            continue
        matched = [one for one in ZOO if fnmatchcase(one, name)] or [
            one for one in published() if fnmatchcase(one, name)
        ]
        if not matched:
            raise InputError(
                f"no network matches {name!r}: names are such as "
                f"{', '.join([*list(ZOO)[:3], *list(published())[:2]])}"
            )
        found += matched
    return list(dict.fromkeys(found))


def title(name: str) -> str:
    """A name for reading: of a network from a file without the folders, ``TAG@FILE``."""
    tag, at, path = name.partition("@")
    return tag + at + Path(path).name


def titles(given: Sequence[str]) -> list[str]:
    """Names for reading, no two alike: a file's folders stay where another has the same name."""
    made = [title(name) for name in given]
    return [
        short if made.count(short) == 1 else name for short, name in zip(made, given, strict=True)
    ]


def labels(given: Sequence[str]) -> list[str]:
    """Short names for figures, no two alike: tags; with the file's name where a tag comes from
    several, and its place if that is the same too.
    """
    made = [name.partition("@")[0] for name in given]
    files = [Path(name.partition("@")[2]).stem for name in given]
    apart = [
        f"{tag} ({file})" if file and made.count(tag) > 1 else tag
        for tag, file in zip(made, files, strict=True)
    ]
    return [
        one if apart.count(one) == 1 else f"{made[i]} ({files[i]}, network {i + 1})"
        for i, one in enumerate(apart)
    ]


def check_architecture(tag: str) -> None:
    """Raise InputError, with the nearest name, if there is no architecture of this timm name or
    tag.
    """
    if tag in BEYOND_TIMM:
        return
    import timm

    if not timm.is_model(tag.split(".")[0]):
        raise unknown("timm model", tag, [*BEYOND_TIMM, *timm.list_models(pretrained=True)])


def is_tag(name: str) -> bool:
    """Whether timm has weights of this tag, or of this architecture."""
    import timm

    base, dot, _ = name.partition(".")
    return timm.is_model(base) and timm.is_model_pretrained(name if dot else base)


def check(name: str) -> None:
    """Raise InputError if there is no network of this name, or no such weight file; nothing is
    loaded.
    """
    tag, at, path = name.partition("@")
    if at:
        check_architecture(tag)
        if not Path(path).expanduser().is_file():
            raise InputError(f"there is no {path!r}")
        return
    if name in ZOO or name in published():
        return
    if is_tag(name):
        return
    import timm

    near = difflib.get_close_matches(name, timm.list_models(pretrained=True), n=3, cutoff=0.7)
    if "/" in name or Path(name).suffix in (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".npz"):
        raise InputError(
            f"{name!r} is a file: write TAG@{name}, with timm's tag of its architecture, such "
            f"as resnet18.tv_in1k@{name}"
        )
    raise unknown("net", name, [*near, "TIMM_TAG", "TIMM_TAG@PATH", *published(), *ZOO])
