"""Drawings of a page: small, with ids of their own, and right on a dark screen."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from diffused_redundancy.findings.figure_data import Line, Panel, Point
from diffused_redundancy.report import figures, vector

WIDEST = 767
"""Pixels that a figure has on a page 1,100 pixels wide."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with one figure, saved as a session saves it, and its SVG."""
    rising = np.linspace(0.1, 1, 512)[None] * np.array([[0.9], [1.0]])
    lines = [Line(name, np.arange(1, 513), rising) for name in ("random", "pca")]
    figure = figures.curves_figure([Panel("a < b & $c$", 512, lines, full=1.0)] * 3, "y")
    folder = tmp_path_factory.mktemp("figures")
    figure.savefig(folder / "one.svg", format="svg", metadata={"Date": None})
    return folder, (folder / "one.svg").read_text(encoding="utf-8")


def test_text_is_text_and_large_enough(saved):
    root = ET.fromstring(vector.vector(saved[1], "one", "alt"))
    texts = ["".join(text.itertext()).strip() for text in root.iter("text")]
    assert texts.count("a < b & $c$") == 3 and "random neurons" in texts
    width = float(root.attrib["viewBox"].split()[2])
    sizes = [float(one) for one in re.findall(r"font-size:([\d.]+)px", saved[1].replace(": ", ":"))]
    assert min(sizes) * WIDEST / width >= 11


def test_a_drawing_has_an_alternative_text_and_a_role(saved):
    root = ET.fromstring(vector.vector(saved[1], "one", 'a "b" <c> & d'))
    assert root.attrib["role"] == "img" and root.attrib["aria-label"] == 'a "b" <c> & d'


def test_a_drawing_is_less_than_half_of_what_matplotlib_writes(saved):
    assert len(vector.vector(saved[1], "one", "alt")) < len(saved[1]) / 2


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """The SVG of a figure of many marks with intervals, as 03_pretraining has."""
    points = [Point(x, x - 0.1, x + 0.1) for x in (0.3, 0.5, 0.9)] + [Point(0.4), Point(np.nan)]
    groups = [(f"group {i}", points[i % 2 :]) for i in range(12)]
    figure = figures.groups_figure([(f"t{i}", groups) for i in range(3)], "x", reference="group 1")
    path = tmp_path_factory.mktemp("marks") / "marks.svg"
    figure.savefig(path, format="svg", metadata={"Date": None})
    return path.read_text(encoding="utf-8")


def test_marks_share_their_style(marked):
    assert len(vector.vector(marked, "marks", "alt")) < len(marked) / 3


def looks(svg):
    """Of each mark of a drawing: its shape, place, style, and where it is cut off."""
    root = ET.fromstring(svg)
    sheet = "".join(part.text or "" for part in root.iter() if part.tag.endswith("style"))
    rules = dict(re.findall(r"\.([\w-]+)\{([^}]*)\}", sheet))
    named = {part.get("id"): part for part in root.iter() if part.get("id")}

    def own(part):
        text = f"{rules.get(part.get('class'), '')};{part.get('style') or ''}"
        pairs = (one.partition(":") for one in text.replace(" ", "").split(";") if ":" in one)
        told = {key: re.sub(r"var\(.*,(#\w+)\)", r"\1", value) for key, _, value in pairs}
        return told | ({"clip-path": part.get("clip-path")} if part.get("clip-path") else {})

    def walk(part, style):
        style = style | own(part)
        if part.tag.endswith("use"):
            link = part.get("href") or part.get("{http://www.w3.org/1999/xlink}href")
            shape = own(named[link[1:]])
            clip = named[style["clip-path"][5:-1]][0] if "clip-path" in style else None
            cut = (
                tuple(round(float(clip.get(key))) for key in ("x", "y")) if clip is not None else ()
            )
            style = {key: (style | shape).get(key) for key in ("fill", "stroke")}
            place = tuple(round(float(part.get(key)), 1) for key in "xy")
            yield place, tuple(style.items()), cut
        for one in part:
            yield from walk(one, style)

    return sorted(walk(root, {}), key=str)


def test_every_mark_keeps_its_place_its_colours_and_its_edge(marked):
    before, after = looks(marked), looks(vector.vector(marked, "marks", "alt"))
    assert len(before) == len(after) > 150
    for (place, style, cut), (new_place, new_style, new_cut) in zip(before, after, strict=True):
        assert place == pytest.approx(new_place, abs=0.11)
        assert style == new_style and cut == pytest.approx(new_cut, abs=1)


def test_two_figures_of_a_page_share_no_id_and_refer_to_their_own(saved):
    ids = []
    for name in ("one", "two/x"):
        drawing = vector.vector(saved[1], name, "alt")
        root = ET.fromstring(drawing)
        own = {element.attrib["id"] for element in root.iter() if "id" in element.attrib}
        referred = {a or b for a, b in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', drawing)}
        assert own == referred and own
        ids.append(own)
    assert not ids[0] & ids[1]


def test_greys_turn_with_the_page_and_colours_stay(saved):
    drawing = vector.vector(saved[1], "one", "alt")
    greys = re.findall(r"(?<!,)#(?:([0-9a-f]{2})\1\1)\b", drawing)
    assert not greys and "var(--figure-ink,#262626)" in drawing
    assert figures.PALETTE[0] in drawing


def test_every_variable_is_in_the_style_of_the_page_in_light_and_dark():
    style = (vector.Path(vector.__file__).parent / "templates" / "style.css").read_text("utf-8")
    for name in vector._GREYS.values():
        assert style.count(f"--{name}:") == 2, name


def points(path):
    """The points of a path of steps, computed one by one."""
    here, made = (0.0, 0.0), []
    for letter, rest in re.findall(r"([MLlhvzCQ])([^MLlhvzCQ]*)", path):
        numbers = [float(one) for one in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", rest)]
        step = {"h": [*numbers, 0], "v": [0, *numbers], "l": numbers}.get(letter)
        if step:
            here = here[0] + step[0], here[1] + step[1]
        elif numbers:
            here = numbers[-2], numbers[-1]
        made.append(here)
    return np.array(made)


def test_a_path_keeps_its_points_to_a_tenth():
    given = np.random.default_rng(0).uniform(-50, 700, (400, 2))
    path = "M " + " \nL ".join(f"{x:.6f} {y:.6f}" for x, y in given)
    assert np.abs(points(vector.path_of(path)) - given).max() <= 0.05 + 1e-9


def test_a_straight_line_needs_two_points_and_one_that_turns_back_keeps_its_end():
    line = "M 0 0 \n" + "".join(f"L {x} {x} \n" for x in range(1, 90))
    assert vector.path_of(line) == "M0 0l89 89"
    assert vector.path_of("M 0 0 \nL 5 0 \nL 2 0 \n") == "M0 0h5h-3"


def test_a_line_passes_its_points_by_less_than_is_to_be_seen_and_leaves_out_most():
    rng = np.random.default_rng(0)
    given = np.stack([np.linspace(0, 200, 300), 50 * np.sqrt(np.linspace(0, 1, 300))], 1)
    given += rng.uniform(-0.05, 0.05, given.shape)
    drawn = points(vector.path_of("M " + " \nL ".join(f"{x:.6f} {y:.6f}" for x, y in given)))
    assert len(drawn) < len(given) / 4
    between = np.concatenate([np.linspace(a, b, 400) for a, b in itertools.pairwise(drawn)])
    nearest = np.linalg.norm(given[:, None] - between, axis=-1).min(1)
    assert nearest.max() < 0.2  # a tenth, and what rounding adds


def test_lines_without_length_go_but_dots_stay():
    line = '<path d="M 5 5 L 5 5" style="fill:none;stroke:#000000{}"/>'
    ends = ("", ";stroke-linecap:round")
    lines = "".join(map(line.format, ends))
    svg = f'<svg xmlns="{vector._SVG[1:-1]}" viewBox="0 0 9 9">{lines}</svg>'
    assert vector.vector(svg, "one", "alt").count("<path") == 1


def page(name, alt="An &quot;alt&quot;."):
    image = f'<img alt="{alt}" data-figure="{name}" src="data:image/png;base64,AA">'
    return f"<p>x</p><figure>{image}</figure>"


def test_lines_of_no_points_draw_nothing():
    """As curves of which no value is known: matplotlib writes a path without points for each."""
    line = '<path {}style="fill:none;stroke:#ff0000;stroke-linecap:square"/>'
    lines = "".join(map(line.format, ("", "", 'd="" ', 'd="M 5 5 L 8 8" ')))
    svg = f'<svg xmlns="{vector._SVG[1:-1]}" viewBox="0 0 9 9"><g>{lines}</g></svg>'
    assert vector.vector(svg, "one", "alt").count("<path") == 1


def test_a_page_shows_the_drawing_in_place_of_the_image(saved):
    body = vector.with_vectors(page("one"), saved[0])
    assert "<img" not in body and body.startswith("<p>x</p><figure><svg ")
    assert 'aria-label="An &quot;alt&quot;."' in body


def test_the_image_stays_without_a_drawing_or_if_it_is_too_large(saved, monkeypatch):
    assert vector.with_vectors(page("other"), saved[0]) == page("other")
    assert vector.with_vectors(page(""), saved[0]) == page("")
    monkeypatch.setattr(vector, "LARGEST", 1000)
    assert vector.with_vectors(page("one"), saved[0]) == page("one")


def test_a_page_that_grows_too_large_keeps_images(saved, monkeypatch):
    image = page("one")
    drawn = len(vector.with_vectors(image, saved[0]))
    two = image + "<p>between</p>" + image
    monkeypatch.setattr(vector, "LARGEST_PAGE", len(two) + drawn)
    body = vector.with_vectors(two, saved[0])
    assert body.count("<svg") == body.count("<img") == 1 and "<p>between</p>" in body
    assert len(body) <= len(two) + drawn


def test_the_first_figure_of_a_page_is_drawn_though_it_is_the_largest(saved, marked):
    folder, _ = saved
    (folder / "marks.svg").write_text(marked, encoding="utf-8")
    large, small = (len(vector.with_vectors(page(name), folder)) for name in ("one", "marks"))
    names = ("one", "marks") if large > small else ("marks", "one")
    two = page(names[0]) + page(names[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector, "LARGEST_PAGE", max(large, small) + len(page("one")) + 9)
        body = vector.with_vectors(two, folder)
    assert "<svg" in body and body.index("<svg") < body.index("<img")


def test_an_image_on_a_narrow_screen_is_no_larger_than_it_is():
    style = (vector.Path(vector.__file__).parent / "templates" / "style.css").read_text("utf-8")
    rules = re.findall(r"figure img \{([^}]*)\}", style)
    assert rules and not any(re.search(r"(?<!-)width: [\d.]+", rule) for rule in rules)
