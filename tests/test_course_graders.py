"""Solutions score full marks, blanks none, wrong solutions what they should: by nbgrader and by
otter-grader.
"""

from __future__ import annotations

import html
import re

import pytest
import tiny_course
from conftest import ROOT
from course_grading import by_nbgrader, by_otter
from course_leaks import leaks
from course_wrong import WRONG
from diffused_redundancy.course.graders import write_nbgrader, write_otter
from diffused_redundancy.course.source import read_sources
from diffused_redundancy.course.student import write_student

pytestmark = pytest.mark.slow

FULL = {"centred": 2, "unit-norm": 3}
STUDENTS = {
    "solved": tiny_course.SOLUTIONS,
    "blank": {},
    # passes the check that students see, not the one with other data
    "wrong": {**tiny_course.SOLUTIONS, "centred": tiny_course.WRONG["centred"][0]},
}
EXPECTED = {"solved": FULL, "blank": dict.fromkeys(FULL, 0), "wrong": {**FULL, "centred": 0}}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return tiny_course.write(tmp_path_factory.mktemp("sources"))


def test_nbgrader_releases_grades_and_gives_feedback(course, tmp_path):
    pytest.importorskip("nbgrader")
    sources = read_sources(course)
    write_nbgrader(sources, tmp_path, course / "redundancy_lab")
    assert not (tmp_path / "source" / "00_tour").exists()  # nothing to grade
    assert by_nbgrader(tmp_path, "01_tiny", STUDENTS) == EXPECTED
    assert leaks(sources[1], tmp_path / "release") == []
    released = (tmp_path / "release" / "01_tiny" / "01_tiny.ipynb").read_text("utf-8")
    assert "hidden" not in released.lower()
    feedback = tmp_path / "feedback" / "wrong" / "01_tiny" / "01_tiny.html"
    assert tiny_course.WRONG["centred"][1] in feedback.read_text("utf-8")


COURSE = ROOT / "course"
GRADED = {source.name: source for source in read_sources(COURSE) if source.exercises}


def answers(source, choose):
    """What a student writes, by function: ``choose`` gives "right", "wrong" or "" for an exercise
    and its number.
    """
    written = {}
    for number, exercise in enumerate(source.exercises.values()):
        kind = choose(number)
        if kind == "right":
            (written[exercise.function],) = exercise.solutions
        elif kind == "wrong":
            written[exercise.function] = WRONG[exercise.name][0][0]
    return written


def points(source, choose):
    return {
        exercise.name: exercise.points * (choose(number) == "right")
        for number, exercise in enumerate(source.exercises.values())
    }


def students_notebook(source, folder):
    """What students get who get neither grader's files."""
    write_student([source], folder / "student", COURSE / "redundancy_lab", ROOT)
    return folder / "student" / f"{source.name}.ipynb"


def mixed(start):
    """Right, wrong and blank in turn."""
    return lambda number: ("right", "wrong", "")[(number + start) % 3]


@pytest.mark.parametrize("name", GRADED)
def test_nbgrader_grades_the_course(tmp_path, name):
    pytest.importorskip("nbgrader")
    source = GRADED[name]
    write_nbgrader([source], tmp_path, COURSE / "redundancy_lab")
    handed = students_notebook(source, tmp_path)
    scores = by_nbgrader(tmp_path, name, {"mixed": answers(source, mixed(0))}, handed)
    assert scores == {"mixed": points(source, mixed(0))}
    assert leaks(source, tmp_path / "release") == []
    feedback = (tmp_path / "feedback" / "mixed" / name / f"{name}.html").read_text("utf-8")
    feedback = " ".join(html.unescape(re.sub(r"<[^>]+>", "", feedback)).split())
    for exercise in list(source.exercises)[1::3]:
        assert WRONG[exercise][0][1] in feedback, exercise


@pytest.mark.parametrize("name", GRADED)
def test_otter_grades_the_course(tmp_path, name):
    """The solutions too: assigning fails unless they have full marks."""
    pytest.importorskip("otter")
    source = GRADED[name]
    write_otter([source], tmp_path, COURSE / "redundancy_lab")
    handed = students_notebook(source, tmp_path)
    scores = by_otter(tmp_path / name, {"mixed": answers(source, mixed(1))}, handed)
    assert scores == {"mixed": points(source, mixed(1))}
    assert leaks(source, tmp_path / name / "dist" / "student") == []
