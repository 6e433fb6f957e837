"""Solutions score full marks, blanks none, wrong solutions what they should: by nbgrader and by
otter-grader.
"""

from __future__ import annotations

import pytest
import tiny_course
from course_grading import by_nbgrader, by_otter
from course_leaks import leaks
from diffused_redundancy.course.graders import write_nbgrader, write_otter
from diffused_redundancy.course.source import read_sources

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


def test_otter_assigns_and_grades_offline(course, tmp_path):
    pytest.importorskip("otter")
    sources = read_sources(course)
    write_otter(sources, tmp_path, course / "redundancy_lab")
    folder = tmp_path / "01_tiny"
    students = {name: STUDENTS[name] for name in ("blank", "wrong")}  # assigning graded the other
    assert by_otter(folder, students) == {name: EXPECTED[name] for name in students}
    assert leaks(sources[1], folder / "dist" / "student") == []
    assert "hidden=True" not in (folder / "dist" / "student" / "01_tiny.ipynb").read_text("utf-8")
