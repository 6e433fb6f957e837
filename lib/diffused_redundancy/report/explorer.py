"""The explorer: a page with one script of its own, which needs neither a kernel nor a network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from .html import TEMPLATES, page, policy, rendered

TITLE = "Explore: how many neurons does it take?"


def explorer_page(
    data: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *, home: str = "../index.html"
) -> str:
    """The page of what :func:`.explorer_data` and :func:`.explorer_rows` give."""
    # "</script>" within a name would end the script, "<!--<script>" would hide its end
    embedded = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    script = (TEMPLATES / "explorer.js").read_text(encoding="utf-8")
    body = rendered(
        "explorer.html.j2",
        title=TITLE,
        home=home,
        data=Markup(embedded),
        script=Markup(script),
        style=Markup((TEMPLATES / "explorer.css").read_text(encoding="utf-8")),
        rows=rows,
    )
    return page(TITLE, body, contents=False, allowed=policy(script), footer="Made by run_all.sh.")
