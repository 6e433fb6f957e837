"""Names of networks: which there are, and what a pattern stands for. torch is not imported."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import InputError, unknown
from ..store import assets, paths
from ..store.assets import Asset
from .zoo import ZOO

BEYOND_TIMM = ("resnet50_blurpool", "wide_resnet50_4")
"""Architectures of published networks that timm does not have; see :mod:`published`."""


def published() -> dict[str, Asset]:
    """The networks of ``data/assets.toml``, by name."""
    return {name: asset for name, asset in assets.manifest().items() if asset.kind == "weights"}


def expanded(given: Iterable[str]) -> list[str]:
    """Names, with each pattern (``*``, ``?``, ``[...]``) replaced by the networks that match.

    A pattern stands for networks of the miniature zoo; where it matches none, for published ones.
    Each name comes once.

    Raises
    ------
    InputError
        If a pattern matches none.
    """
    names: list[str] = []
    for name in given:
        if "@" in name or not any(sign in name for sign in "*?["):
            names.append(name)
            continue
        matched = [known for known in ZOO if fnmatchcase(known, name)] or [
            known for known in published() if fnmatchcase(known, name)
        ]
        if not matched:
            raise InputError(
                f"no network matches {name!r}: names are such as "
                f"{', '.join([*list(ZOO)[:3], *list(published())[:2]])}"
            )
        names += matched
    return list(dict.fromkeys(names))


def title(name: str) -> str:
    """A name for display: of a network from a file without the folders, ``TAG@FILE``."""
    tag, at, path = name.partition("@")
    return tag + at + Path(path).name


def titles(given: Sequence[str]) -> list[str]:
    """Names for display, all different: a file's folders stay where another has the same name."""
    short = [title(name) for name in given]
    return [
        name if short.count(its_title) > 1 else its_title
        for name, its_title in zip(given, short, strict=True)
    ]


def labels(given: Sequence[str]) -> list[str]:
    """Short names for figures, all different: architectures, if no two networks share one; else
    tags, with the file's name where a tag comes from several, and its place in the list if that is
    the same too.

    >>> labels(["resnet50.pqf_large", "resnet18.kill_the_bits_small"])
    ['resnet50', 'resnet18']
    >>> labels(["resnet50.tv_in1k", "resnet50.a1_in1k"])
    ['resnet50.tv_in1k', 'resnet50.a1_in1k']
    """
    tags = [name.partition("@")[0] for name in given]
    architectures = [tag.partition(".")[0] for tag in tags]
    if len(set(architectures)) == len(given) > 1:
        return architectures
    files = [Path(name.partition("@")[2]).stem for name in given]
    with_files = [
        f"{tag} ({file})" if file and tags.count(tag) > 1 else tag
        for tag, file in zip(tags, files, strict=True)
    ]
    return [
        label if with_files.count(label) == 1 else f"{tags[i]} ({files[i]}, net {i + 1})"
        for i, label in enumerate(with_files)
    ]


def short_labels(given: Sequence[str]) -> list[str]:
    """Names without the architecture where all have the same and these differ, else :func:`labels`.

    >>> short_labels(["miniature_resnet.standard_s1", "miniature_resnet.mrl_s1"])
    ['standard_s1', 'mrl_s1']
    >>> short_labels(["resnet50.pqf_large", "resnet18.pqf_small"])
    ['resnet50', 'resnet18']
    """
    tags = [name.partition("@")[0] for name in given]
    short = [tag.partition(".")[2] or tag for tag in tags]
    of_one_kind = len({tag.partition(".")[0] for tag in tags}) == 1
    return short if of_one_kind and len(set(short)) == len(short) else labels(given)


def check_architecture(tag: str) -> None:
    """Raise InputError, with the nearest name, if timm has no architecture of this name or tag."""
    if tag in BEYOND_TIMM:
        return
    import timm

    _check_hub(tag)
    if not timm.is_model(tag.split(".")[0]):
        raise unknown("timm model", tag, [*BEYOND_TIMM, *timm.list_models(pretrained=True)])


def is_tag(name: str) -> bool:
    """Whether timm has weights of this tag, or of this architecture."""
    import timm

    base, dot, _ = name.partition(".")
    return timm.is_model(base) and timm.is_model_pretrained(name if dot else base)


def _check_hub(name: str) -> None:
    """Raise InputError, with the tag, if a name is that of a repository on the Hugging Face hub."""
    match = re.fullmatch(
        r"(hf[-_]hub:|hf://|https?://(?:huggingface\.co|hf\.co)/)?([\w.-]+)/([\w.-]+)/?", name
    )
    if match is None or not (match[1] or match[2] == "timm"):
        return
    if match[2] == "timm" and is_tag(match[3]):
        raise InputError(
            f"{name!r} is not a file but a repository on the Hugging Face hub: write timm's tag, "
            f"{match[3]}"
        )
    if match[1]:
        raise InputError(
            f"{name!r} is a repository on the Hugging Face hub: networks there are named by "
            "timm's tag, such as resnet18.a1_in1k; for others download the weights and write "
            "TAG@PATH, with the tag of their architecture"
        )


def check(name: str) -> None:
    """Raise InputError if there is no network of this name, or no such weight file."""
    tag, at, path = name.partition("@")
    if at:
        check_architecture(tag)
        if not os.path.isfile(paths.of_user(path)):
            raise InputError(f"there is no {path!r}")
        return
    if name in ZOO or name in published() or is_tag(name):
        return
    import timm

    _check_hub(name)
    near = difflib.get_close_matches(name, timm.list_models(pretrained=True), n=3, cutoff=0.7)
    if "/" in name or Path(name).suffix in (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".npz"):
        raise InputError(
            f"{name!r} is a file: write TAG@{name}, with timm's tag of its architecture, such "
            f"as resnet18.tv_in1k@{name}"
        )
    raise unknown("network", name, [*near, "TIMM_TAG", "TIMM_TAG@PATH", *published(), *ZOO])
