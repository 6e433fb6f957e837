"""The teaching notes: what they promise is in the course, and their commands and numbers hold."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shlex
import sys

import jupytext
import matplotlib.pyplot as plt
import pytest
from conftest import ROOT
from diffused_redundancy.commands import course
from diffused_redundancy.pipeline import plan
from PIL import Image

PAGE = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
SOURCES = sorted((ROOT / "course").glob("0*.py"))


@pytest.fixture(scope="module")
def exercises():
    """Number, name, level, notebook and minutes of each exercise, as the sources have them."""
    found = []
    for path in SOURCES:
        for cell in jupytext.read(path).cells:
            if "level" in cell.metadata:
                (number,) = re.findall(r"^### Exercise (\d+):", cell.source, re.M)
                about = cell.metadata
                found.append(
                    (
                        int(number),
                        about["exercise"],
                        int(about["level"]),
                        path.stem,
                        int(about["minutes"]),
                    )
                )
    return found


@pytest.fixture(scope="module")
def printed():
    """What each solved notebook prints."""
    told = {}
    sys.path.insert(0, str(ROOT / "course"))
    try:
        for path in SOURCES:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(path.read_text(encoding="utf-8"), path.stem, "exec"), {})
            told[path.stem] = " ".join(out.getvalue().split())
    finally:
        sys.path.remove(str(ROOT / "course"))
        plt.close("all")
    return told


def expected():
    block = re.search(r"<!-- expected:.*?-->\n```text\n(.*?)```", PAGE, re.S)[1]
    return [line.split(maxsplit=1) for line in block.splitlines()]


@pytest.mark.slow
def test_the_solved_notebooks_print_the_expected_numbers(printed):
    assert {name for name, _ in expected()} == {path.stem for path in SOURCES}
    for name, line in expected():
        assert " ".join(line.split()) in printed[name], line


def test_all_checks_are_right_in_the_solved_notebooks(printed, exercises):
    for _, name, _, notebook, _ in exercises:
        assert f"{name}: right." in printed[notebook]


def test_exercises_stand_where_the_notes_say(exercises):
    numbers = [number for number, *_ in exercises]
    assert numbers == [*range(1, len(numbers) + 1)]
    rows = re.findall(r"^\| `(\d\d_\w+)` \|.*\| (\d+) \| (\d+) to (\d+) \|$", PAGE, re.M)
    assert len(rows) == 3
    for notebook, minutes, first, last in rows:
        here = [(number, took) for number, _, _, stem, took in exercises if stem == notebook]
        assert [here[0][0], here[-1][0]] == [int(first), int(last)]
        assert sum(took for _, took in here) == int(minutes)
    weeks = re.findall(r"exercises (\d+) to (\d+)(?:\b.*)\|", PAGE)
    assert [int(number) for pair in weeks for number in pair] == [1, 8, 9, 15, 16, numbers[-1]]


def test_exercises_of_the_lab_are_what_their_numbers_say(exercises):
    names = {number: name for number, name, *_ in exercises}
    lab = re.findall(r"\*\*Exercise (\d+)\*\*, `(\w+)`", PAGE)
    assert len(lab) == 3 and all(names[int(number)] == name for number, name in lab)
    mentioned = {4: "cka_curve", 5: "redundancy", 9: "standardise", 13: "ridge_curve"}
    mentioned |= {14: "selection", 19: "fair_null", 21: "read_verdict", 23: "plan"}
    assert mentioned.items() <= names.items()


def test_the_open_exercises_are_those_of_level_three(exercises):
    named = re.search(r"open exercises \(([\d, ]+)\)", PAGE)[1]
    assert [int(n) for n in named.split(",")] == [n for n, _, level, *_ in exercises if level == 3]


def test_the_lab_takes_ninety_minutes_and_has_time_for_its_exercises(exercises):
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", PAGE, re.M)
    minutes = [int(minute) for minute, _ in rows]
    assert minutes[0] == 0 and minutes[-1] == 90 and minutes == sorted(set(minutes))
    expected = {number: took for number, *_, took in exercises}
    for (_, what), start, end in zip(rows, minutes, minutes[1:], strict=False):
        for number in re.findall(r"\*\*Exercise (\d+)", what):
            assert end - start >= expected[int(number)]


def projects():
    text = PAGE.split("## Ten projects")[1].split("\n## ")[0]
    return re.findall(r"^\*\*(\d+)\. .*?(?=^\*\*\d+\.|\Z)", text, re.M | re.S), text


def test_each_project_has_a_command_and_says_what_a_good_answer_holds():
    numbers, text = projects()
    assert numbers == [str(number) for number in range(1, 11)]
    for part in re.split(r"^\*\*\d+\. ", text, flags=re.M)[1:]:
        assert part.count("```bash") == 1 and "A good answer" in part


def test_commands_of_projects_can_be_planned(tmp_path):
    """Names and values of parameters are those of the notebooks; nothing is computed."""
    for label in ("a", "b"):
        for number in range(10):
            target = tmp_path / "images" / label / f"{number}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (25 * number, 0, 100 * (label == "a"))).save(target)
    typed = re.findall(r"^\./run_all\.sh (.+)$", PAGE, re.M)
    assert len(typed) == 9
    for line in typed:
        words = shlex.split(line.replace("/my/images", str(tmp_path / "images")))
        parser = argparse.ArgumentParser()
        parser.add_argument("--only", action="append")
        parser.add_argument("-p", nargs=2, action="append")
        options = parser.parse_args(words)
        (job,) = plan.plan("miniature", options.only, options.p, tmp_path / "out")
        assert job.notebook == options.only[0]


def test_the_command_is_understood():
    parser = argparse.ArgumentParser(exit_on_error=False)
    course.add_arguments(parser)
    typed = re.findall(r"diffused_redundancy course (.+?)(?=`|\s+#|$)", PAGE, re.M)
    assert typed
    for line in typed:
        parser.parse_args(shlex.split(line))
