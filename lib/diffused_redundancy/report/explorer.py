"""The explorer: a page with one script of its own, which needs neither a kernel nor a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from .html import TEMPLATES, embedded, page, policy, rendered

TITLE = "Explore: how many neurons does it take?"


def explorer_page(
    data: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *, home: str = "../index.html"
) -> str:
    """The page of what :func:`.explorer_data` and :func:`.explorer_rows` give."""
    script = (TEMPLATES / "explorer.js").read_text(encoding="utf-8")
    body = rendered(
        "explorer.html.j2",
        title=TITLE,
        home=home,
        data=embedded(data),
        script=Markup(script),
        style=Markup((TEMPLATES / "explorer.css").read_text(encoding="utf-8")),
        rows=rows,
    )
    return page(TITLE, body, contents=False, allowed=policy(script), footer="Made by run_all.sh.")
