"""HTML pages that need nothing but themselves: no script, no request, one file each.

Formulas become MathML when the page is made. Every page, from a notebook or not, shares one layout.
"""

from __future__ import annotations

import base64
import html
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

if TYPE_CHECKING:
    import nbformat

TEMPLATES = Path(__file__).resolve().parent / "templates"

PAPER = "https://arxiv.org/abs/2306.00183"


def mathml(formula: str, *, block: bool) -> str:
    """A TeX formula as MathML; one that cannot be converted is shown as it is written."""
    from latex2mathml.converter import convert

    try:
        made = convert(formula.strip(), display="block" if block else "inline")
        # bars of a norm that stretch are not alike: the closing one has an index
        return str(made).replace("<mo>&#x02016;</mo>", '<mo stretchy="false">&#x02016;</mo>')
    except Exception:  # the converter raises many kinds; a page with one raw formula beats no page
        sign = "$$" if block else "$"  # it may be part of a name
        return f"<code>{sign}{html.escape(formula)}{sign}</code>"


def markdown(text: str, *, html: bool = False) -> str:
    """Markdown with tables and formulas as HTML.

    Parameters
    ----------
    text : str
    html : bool
        Whether HTML in it stays HTML: for texts of this repository alone, since reports hold names
        that a user's files have.
    """
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def block_math(self, body: str) -> str:
            return mathml(body, block=True)

        def inline_math(self, body: str) -> str:
            return mathml(body, block=False)

        def table(self, text: str) -> str:  # scrolls within itself instead of widening the page
            return f'<div class="table"><table>\n{with_whole_intervals(text)}</table></div>\n'

    renderer = Renderer(escape=not html, allow_harmful_protocols=html, exclude_anchor_links=True)
    return MarkdownWithMath(renderer=renderer).render(text)


def with_whole_intervals(cells: str) -> str:
    """Table cells whose intervals, ``0.5 (0.4 to 0.6)``, and pairs, ``0.5 / 0.4``, are not broken
    across lines.
    """
    whole = r"\([^()<>\s]+ to [^()<>\s]+\)|(?<=>)[\d.–]+ / [\d.–]+(?=<)"
    return re.sub(whole, r'<span class="interval">\g<0></span>', cells)


def with_anchors(body: str) -> tuple[str, list[dict[str, Any]]]:
    """Give every heading an anchor; returns the body and the entries of its table of contents."""
    contents: list[dict[str, Any]] = []

    def heading(match: re.Match[str]) -> str:
        level, inner = int(match.group(1)), match.group(3)
        text = html.unescape(re.sub(r"<[^>]+>", "", inner)).strip()
        slug = re.sub(r"[^\w]+", "-", text.lower()).strip("-") or "section"
        anchor = (
            slug
            if all(entry["anchor"] != slug for entry in contents)
            else f"{slug}-{len(contents)}"
        )
        contents.append({"level": level, "text": text, "anchor": anchor})
        return f'<h{level} id="{anchor}">{inner}</h{level}>'

    return re.sub(r"<h([123])(\s[^>]*)?>(.*?)</h\1>", heading, body, flags=re.DOTALL), contents


def with_focus(body: str) -> str:
    """Let the keyboard reach what may scroll sideways: tables, figures and code.

    >>> with_focus('<pre>1</pre><div class="table">')
    '<pre tabindex="0">1</pre><div class="table" tabindex="0" role="region" aria-label="Table">'
    """
    body = re.sub(r"<(?:pre|figure)(?=[ >])", r'\g<0> tabindex="0"', body)
    region = r'\g<0> tabindex="0" role="region" aria-label="Table"'
    return re.sub(r'<div class="table[^"]*"', region, body)


TALL = 1.5
"""Figures that are narrower than this times their height print in one column of two."""


def with_tall_figures(body: str) -> str:
    """Mark the figures that print in a single column, by the size of their PNG or SVG.

    >>> with_tall_figures('<figure><svg viewBox="0 0 200 180">')
    '<figure class="tall"><svg viewBox="0 0 200 180">'
    """

    def mark(match: re.Match[str]) -> str:
        png, box = match.groups()
        if png:
            header = base64.b64decode(png)
            size = [int.from_bytes(header[start : start + 4]) for start in (16, 20)]
        width, height = size if png else map(float, box.split()[2:])
        tall = ' class="tall"' if width < TALL * height else ""
        return match[0].replace("<figure", f"<figure{tall}", 1)

    image = r"(?:<img [^>]*?data:image/png;base64,([\w+/]{32})|<svg [^>]*?viewBox=\"([-\d. ]+)\")"
    return re.sub(rf"<figure>\s*{image}", mark, body)


def rendered(template: str, **values: Any) -> str:
    """A template of ``report/templates`` with its values, which are escaped unless they are
    Markup.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(template).render(**values)


def embedded(value: Any) -> Markup:
    """JSON for a script element, in no text of which ``</script>`` would end the element, or
    ``<!--<script>`` hide its end.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def policy(*scripts: str) -> str:
    """What a browser may run and fetch for a page: these scripts alone, and nothing.

    Reports hold names of a user's files, networks and classes. They are escaped; if one ever is
    not, what it holds does not run.
    """
    digests = [base64.b64encode(sha256(one.encode()).digest()).decode() for one in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def page(
    title: str,
    body: str,
    *,
    allowed: str | None = None,
    footer: str = "",
    home: str = "",
    notebook: str = "",
    previous: tuple[str, str] | None = None,
    next: tuple[str, str] | None = None,
    contents: bool = True,
) -> str:
    """A whole page around a body of HTML.

    Parameters
    ----------
    title, body, footer : str
    allowed : str, optional
        What a browser may run and fetch, as :func:`policy` says it: by default nothing. Empty: all.
    home, notebook : str
        Links to the list of all reports, and to the notebook of this one.
    previous, next : (str, str), optional
        Name and title of the reports beside this one.
    contents : bool
        Whether it has a table of contents.
    """
    body, entries = with_anchors(body)
    return rendered(
        "page.html.j2",
        title=title,
        policy=policy() if allowed is None else allowed,
        body=Markup(with_focus(with_tall_figures(body))),
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        contents=entries if contents else [],
        footer=footer,
        home=home,
        notebook=notebook,
        previous=previous,
        next=next,
        paper=PAPER,
    )


def title_of(notebook: nbformat.NotebookNode, otherwise: str) -> str:
    """The first heading of a notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = re.search(r"^# (.+)$", cell.source, flags=re.MULTILINE)
            if heading:
                return heading.group(1).strip()
    return otherwise
