"""Drawings of a page: small, with ids of their own, and right on a dark screen."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from diffused_redundancy.findings.figure_data import Line, Panel
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


def page(name, alt="An &quot;alt&quot;."):
    image = f'<img alt="{alt}" data-figure="{name}" src="data:image/png;base64,AA">'
    return f"<p>x</p><figure>{image}</figure>"


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
