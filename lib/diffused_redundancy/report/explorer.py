"""The explorer: a page with one script of its own, which needs neither a kernel nor a network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from .html import TEMPLATES, page, rendered

TITLE = "Explore: how many neurons does it take?"


def explorer_page(
    data: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], *, home: str = "../index.html"
) -> str:
    """The page of what :func:`.explorer_data` and :func:`.explorer_rows` give."""
    # "</script>" within a name would end the script
    embedded = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    body = rendered(
        "explorer.html.j2",
        title=TITLE,
        home=home,
        data=Markup(embedded),
        script=Markup((TEMPLATES / "explorer.js").read_text(encoding="utf-8")),
        style=Markup((TEMPLATES / "explorer.css").read_text(encoding="utf-8")),
        rows=rows,
    )
    return page(TITLE, body, contents=False, footer="Made by run_all.sh.")
