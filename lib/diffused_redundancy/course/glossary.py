"""The glossary as a page that students can read without the repository."""

from __future__ import annotations

import re
from pathlib import Path

from ..report.html import markdown, page

TITLE = "Glossary"
_LINK = r"\[[^]]*\]\([^()]*\)"


def glossary_page(root: Path) -> str:
    """``docs/glossary.md`` as a page.

    Parameters
    ----------
    root : path
        Of the repository.
    """
    return page(
        TITLE,
        markdown(without_links((root / "docs" / "glossary.md").read_text("utf-8")), html=True),
    )


def without_links(text: str) -> str:
    """Markdown without what points into the repository, which students do not have.

    >>> without_links("- **Layer**: a step. ([06](../06.ipynb), [07](../07.ipynb))")
    '- **Layer**: a step.'
    >>> without_links("Behind it is a [link](x.md). [Up](#top)")
    'Behind it is a link. [Up](#top)'
    """
    text = re.sub(rf"\s+\({_LINK}(?:,\s+{_LINK})*\)", "", text)
    text = re.sub(r"\s*Where a term is used is linked behind it\.", "", text)
    return re.sub(r"\[([^]]*)\]\((?!#)[^()]*\)", r"\1", text)
