"""The miniature zoo as a table: what each network is, and what its manifest says it can do."""

from __future__ import annotations

from collections.abc import Iterable

from . import checkpoints
from .zoo import ZOO

HEAD = (
    "| network | d | loss | upstream | top-1 | under attack: L2 0.25, L2 0.5, Linf 0.0157 | "
    "images/s | size | trained in |"
)
RULE = "|:---|---:|:---|:---|---:|:---|---:|---:|---:|"


def row(name: str) -> str:
    """One line of the table, in Markdown; a network without a checkpoint says so."""
    plan = ZOO[name]
    what = f"| `{name}` | {plan.features} | {plan.loss_label} | {plan.upstream_label} |"
    if not (checkpoints.folder() / f"{name}.json").is_file():
        return f"{what} not trained yet | | | | |"
    about = checkpoints.manifest(name)
    robust = ", ".join(f"{value:.1%}" for value in about.get("robust_top1", {}).values()) or "–"
    size, minutes = about["bytes"] / 1e6, about["minutes"]
    return (
        f"{what} {about['top1']:.1%} | {robust} | {about['features_per_second']:,} | "
        f"{size:.1f} MB | {minutes:.0f} min |"
    )


def table(names: Iterable[str] | None = None) -> str:
    """The table of some networks, by default all, in Markdown."""
    return "\n".join([HEAD, RULE, *(row(name) for name in (ZOO if names is None else names))])
