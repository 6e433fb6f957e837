"""Figures of a page as drawings with real text: the SVG that a notebook kept, made small and put in
place of its PNG.

matplotlib's SVG is many times larger than a page needs. What goes: names of parts that nothing
refers to, decimals that no screen shows, points that lie on a line, lines without length. What
changes: names become the figure's own, as several figures share a page, styles that several parts
have become classes, and greys become variables of the page's style, which turns them for a dark
screen. Colours stay.
"""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
import zlib
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .display import smallest
from .panels import View, views_in

LARGEST = 250_000
"""Bytes of a drawing beyond which the PNG stays."""

LARGEST_PAGE = 980_000
"""Bytes of a page beyond which more PNGs stay: those whose drawings are larger by most, but not the
first, which is what a page shows on its first screen.
"""

_CLOSE = 1.0
"""Tenths of a point that a line may pass its points by: an eighth of a pixel."""

_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"

_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"

_GREYS = {
    "#ffffff": "figure-paper",
    "#e5e5e5": "figure-band",
    "#cccccc": "figure-line",
    "#bfbfbf": "figure-line",
    "#b8b8b8": "figure-line",
    "#666666": "figure-soft",
    "#595959": "figure-soft",
    "#262626": "figure-ink",
    "#1a1a1a": "figure-ink",
}
"""Greys that :mod:`report.figures` draws with, and the variables that take their place."""

_PNG = "data:image/png;base64,"
_IMAGE = re.compile(r'<img alt="([^"]*)" data-figure="([^"]+)"[^>]*>')
_NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
_DROPPED = ("font-family", "stroke-dashoffset: 0", "stroke-linejoin: round", "stroke-linecap: butt")
"""Parts of a style that the page sets, or that say nothing."""


def with_vectors(body: str, folder: Path) -> str:
    """The body of a page with drawings in place of images.

    Parameters
    ----------
    body : str
        HTML. An image of a figure names it: ``<img alt="..." data-figure="NAME" src="...">``.
    folder : path
        Holds ``NAME.svg``. Where it does not, or the drawing or the page is too large, the image
        stays.
    """

    def drawn(match: re.Match[str]) -> str:
        alt, name = match.groups()
        path = folder / f"{name}.svg"
        if not path.is_file():
            return match[0]
        drawing = vector(path.read_text(encoding="utf-8"), name, html.unescape(alt))
        return drawing if len(drawing) <= LARGEST else match[0]

    drawings = [(match[0], drawn(match)) for match in _IMAGE.finditer(body)]
    saved = {i: len(one) - len(image) for i, (image, one) in enumerate(drawings)}
    size = len(body.encode()) + sum(saved.values())
    for most in sorted([*saved][1:], key=lambda i: -saved[i]):
        if size > LARGEST_PAGE and saved[most] > 0:
            size -= saved[most]
            drawings[most] = (drawings[most][0], drawings[most][0])
    left = iter(drawing for _, drawing in drawings)
    return _IMAGE.sub(lambda match: next(left), body)


def vector(svg: str, name: str, alt: str) -> str:
    """An SVG of matplotlib as one element for a page.

    Parameters
    ----------
    svg : str
        A whole document.
    name : str
        Of the figure: its ids and classes begin with a key that is made of it.
    alt : str
        What is to be seen, for those who cannot see it.
    """
    ET.register_namespace("", _SVG[1:-1])
    root = ET.fromstring(svg)
    views = views_in("".join(part.text or "" for part in root.iter(_DESCRIPTION)))
    for part in [one for one in root if one.tag.endswith("metadata")]:
        root.remove(part)
    for parent in [*root.iter()]:
        for part in [one for one in parent if one.tag == f"{_SVG}style"]:
            parent.remove(part)
    key = f"f{zlib.crc32(name.encode()) % 16**6:x}"
    _rename(root, key)
    for element in root.iter():
        _shorten(element)
    _unwrap(root)
    _join(root)
    shared = _classed(root, key)
    width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
    root.attrib.clear()
    root.attrib.update(
        {
            "class": "vector",
            "role": "img",
            "aria-label": alt,
            "viewBox": f"0 0 {width:g} {height:g}",
            "style": f"--width:{width:g}",
        }
    )
    if shared:
        ET.SubElement(root, f"{_SVG}style").text = shared
    if views:
        whole = ET.Element(f"{_SVG}g", {"id": f"{_slug(name)}-whole"})
        whole[:], root[:] = root[:], [whole]
    drawing = ET.tostring(root, encoding="unicode")
    drawing = drawing.replace(' xmlns="http://www.w3.org/2000/svg"', "").replace(" />", "/>")
    return drawing + _narrow(views, f"{_slug(name)}-whole") if views else drawing


def _narrow(views: Sequence[View], drawn: str) -> str:
    """Views of a drawing with an id, one below the other, for a narrow screen."""
    made = ""
    for view in views:
        made += (
            f'<svg class="{view.kind}" viewBox="0 0 {view.width:.0f} {view.height:.0f}" '
            f'style="--width:{view.width:.0f}">'
        )
        for strip in view.strips:
            left, top, width, height = (_short(number) for number in strip.box)
            made += (
                f'<svg x="{_short(strip.x)}" y="{_short(strip.y)}" width="{width}" '
                f'height="{height}" viewBox="{left} {top} {width} {height}">'
                f'<use href="#{drawn}"/></svg>'
            )
        made += "</svg>"
    return f'<div class="views" aria-hidden="true">{made}</div>'


def _slug(name: str) -> str:
    return re.sub(r"[^\w-]+", "-", name)


def _rename(root: ET.Element, name: str) -> None:
    """Give ids that something refers to the figure's name; the others go."""
    used: dict[str, str] = {}
    for element in root.iter():
        for value in element.attrib.values():
            for old in re.findall(r"^#(.+)$|url\(#([^)]+)\)", value):
                used.setdefault(old[0] or old[1], f"{name}-{len(used)}")
    for element in root.iter():
        for key, value in [*element.attrib.items()]:
            if key == "id":
                if value in used:
                    element.set(key, used[value])
                else:
                    del element.attrib[key]
            elif "#" in value:
                element.set(
                    key,
                    re.sub(
                        r"^#(.+)$|url\(#([^)]+)\)",
                        lambda m: f"#{used[m[1]]}" if m[1] else f"url(#{used[m[2]]})",
                        value,
                    ),
                )


def _shorten(element: ET.Element) -> None:
    """Leave out of an element what no screen shows."""
    if _LINK in element.attrib:
        element.set("href", element.attrib.pop(_LINK))
    if element.text and not element.text.strip():
        element.text = None
    if element.tail and not element.tail.strip():
        element.tail = None
    if element.attrib.get("href", "").startswith(_PNG):
        image = b64decode(element.attrib["href"].removeprefix(_PNG))
        element.set("href", _PNG + b64encode(smallest(image)).decode())
    if "d" in element.attrib:
        element.set("d", path_of(element.attrib["d"]))
    if element.attrib.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    for key in ("x", "y", "width", "height", "transform", "points"):
        if key in element.attrib:
            element.set(
                key, _NUMBER.sub(lambda number: _short(float(number[0])), element.attrib[key])
            )
    if "style" in element.attrib:
        style = _style(element.attrib["style"])
        if style:
            element.set("style", style)
        else:
            del element.attrib["style"]


def _style(style: str) -> str:
    parts = [part.strip() for part in style.split(";")]
    kept = [part for part in parts if part and not part.startswith(_DROPPED)]
    text = ";".join(part.replace(": ", ":") for part in kept)
    text = re.sub(
        r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), text
    )
    return re.sub(
        r"#[0-9a-f]{6}",
        lambda colour: (
            f"var(--{_GREYS[colour[0]]},{colour[0]})" if colour[0] in _GREYS else colour[0]
        ),
        text,
    )


def _unwrap(element: ET.Element) -> None:
    """Put the parts of groups that say nothing in place of the groups; parts that show nothing
    go.
    """
    parts: list[ET.Element] = []
    for part in element:
        _unwrap(part)
        if part.tag == f"{_SVG}g" and not part.attrib:
            parts.extend(part)
        elif not _says_nothing(part):
            parts.append(part)
    element[:] = parts


def _says_nothing(part: ET.Element) -> bool:
    """Whether a part is an empty list of definitions, a line of no points, as of values that are
    all NaN, or one without length and without round or square ends.
    """
    if part.tag == f"{_SVG}defs":
        return not part.attrib and not len(part)
    if part.tag != f"{_SVG}path" or "id" in part.attrib:
        return False
    if not part.attrib.get("d"):
        return True
    point = re.fullmatch(r"M-?[\d.]+[ -][\d.]+[hv]0", part.attrib["d"])
    return point is not None and "linecap" not in part.attrib.get("style", "")


def _join(element: ET.Element) -> None:
    """Make one part of neighbours that look alike: of groups, and of opaque lines. Markers take
    their style from their group.
    """
    parts: list[ET.Element] = []
    for part in element:
        before = parts[-1] if parts else None
        if before is None or before.tag != part.tag or not _alike(before, part):
            parts.append(part)
        elif part.tag == f"{_SVG}path":
            before.set("d", before.attrib["d"] + part.attrib["d"])
        else:
            before.extend(part)
    for part in parts:
        _join(part)
    element[:] = parts
    uses = [part for part in parts if part.tag == f"{_SVG}use"]
    styles = {part.attrib.get("style") for part in uses}
    if len(uses) == len(parts) > 1 and len(styles) == 1 and "style" not in element.attrib:
        element.set("style", styles.pop() or "")
        for part in uses:
            part.attrib.pop("style", None)


def _alike(one: ET.Element, other: ET.Element) -> bool:
    """Whether two parts may be drawn as one."""
    ours, theirs = ({**part.attrib, "d": ""} for part in (one, other))
    if ours != theirs or "opacity" in ours.get("style", ""):
        return False
    lines = one.tag == f"{_SVG}path" and "fill:none" in ours.get("style", "")
    return lines or one.tag == f"{_SVG}g"


def _classed(root: ET.Element, key: str) -> str:
    """Give parts that share their style, and where it is cut off, a class; the rules of all."""

    def look(part: ET.Element) -> str:
        cut, style = part.attrib.get("clip-path"), part.attrib.get("style", "")
        return ";".join([*([f"clip-path:{cut}"] if cut else []), *([style] if style else [])])

    counts = Counter(look(part) for part in root.iter())
    names = {one: f"{key}-c{i}" for i, one in enumerate(counts) if one and counts[one] > 1}
    for part in root.iter():
        if (name := names.get(look(part))) is not None:
            for attribute in ("clip-path", "style"):
                part.attrib.pop(attribute, None)
            part.set("class", name)
    return "".join(f".{name}{{{one}}}" for one, name in names.items())


def _short(number: float) -> str:
    """A number with one decimal, as short as it can be written.

    >>> _short(0.04), _short(12.0), _short(-0.55)
    ('0', '12', '-.6')
    """
    text = f"{number:.1f}".removesuffix(".0").replace("0.", ".", 1 if abs(number) < 1 else 0)
    return "0" if text in ("-0", "", "-") else text


def path_of(path: str) -> str:
    """A path with one decimal, in steps from point to point; points that others hide are left out.

    >>> path_of("M 10 20 \\nL 11 20 \\nL 12 20 \\nL 12 25.123 \\nz")
    'M10 20h2v5.1z'
    """
    commands = re.findall(r"([MLCQz])([^MLCQz]*)", path)
    made: list[str] = []
    here = (0, 0)
    run: list[tuple[int, int]] = []

    def flush() -> None:
        nonlocal here
        for x, y in _corners([here, *run])[1:]:
            made.append(_step(x - here[0], y - here[1]))
            here = x, y
        run.clear()

    for letter, numbers in commands:
        tenths = [round(10 * float(number)) for number in _NUMBER.findall(numbers)]
        if letter == "L":
            run.append((tenths[0], tenths[1]))
            continue
        flush()
        if letter == "z":
            made.append("z")
            continue
        made.append(letter + " ".join(_short(number / 10) for number in tenths))
        here = tenths[-2], tenths[-1]
    flush()
    return "".join(made).replace(" -", "-")


def _step(across: int, down: int) -> str:
    """A line by so many tenths."""
    if not down:
        return f"h{_short(across / 10)}"
    if not across:
        return f"v{_short(down / 10)}"
    return f"l{_short(across / 10)} {_short(down / 10)}"


def _corners(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The points of a line without which it would pass one of them by more than is to be seen
    (Douglas and Peucker, 1973).
    """
    places = np.array(points, dtype=float)
    kept, spans = {0, len(points) - 1}, [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        off = _distances(places[first + 1 : last], places[first], places[last])
        worst = int(off.argmax())
        if off[worst] > _CLOSE:
            middle = first + 1 + worst
            kept.add(middle)
            spans += [(first, middle), (middle, last)]
    return [points[place] for place in sorted(kept)]


def _distances(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """How far points (n, 2) are from a line between two others, which ends there: (n,)."""
    way = end - start
    along = (points - start) @ way / max(way @ way, 1e-9)
    nearest = start + np.clip(along, 0, 1)[:, None] * way
    return np.asarray(np.hypot(*(points - nearest).T))
