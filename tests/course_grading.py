"""Submissions, graded by nbgrader and by otter-grader as a lecturer would."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from unittest import mock

import nbformat

Answers = Mapping[str, str]
"""The code of functions, by their names."""
Scores = dict[str, dict[str, float]]
"""Points of each exercise, by submission."""


def submission(released: Path, answers: Answers, target: Path) -> Path:
    """A student's notebook in which some functions are written."""
    notebook = nbformat.read(released, as_version=4)
    for function, code in answers.items():
        (cell,) = (
            cell
            for cell in notebook.cells
            if cell.cell_type == "code" and f"def {function}(" in cell.source
        )
        cell.source = code
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    return target


def by_nbgrader(
    course: Path, assignment: str, students: Mapping[str, Answers], handed: Path | None = None
) -> Scores:
    """Release, autograde and give feedback in a course folder; students get the release, or the
    notebook ``handed``.
    """
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGrader, NbGraderAPI

    tools = str(Path(sys.executable).parent)  # nbgrader starts alembic by its name
    path = os.pathsep.join([tools, os.environ.get("PATH", "")])
    with warnings.catch_warnings(), chdir(course), mock.patch.dict(os.environ, PATH=path):
        warnings.simplefilter("ignore")
        app = NbGrader()
        app.load_config_file()
        api = NbGraderAPI(config=app.config)
        done(api.generate_assignment(assignment, create=True))
        released = course / "release" / assignment
        scores: Scores = {}
        for student, answers in students.items():
            folder = course / "submitted" / student / assignment
            shutil.copytree(released, folder)
            name = f"{assignment}.ipynb"
            submission(handed or released / name, answers, folder / name)
            done(api.autograde(assignment, student))
            done(api.generate_feedback(assignment, student))
            with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
                graded = book.find_submission_notebook(assignment, assignment, student)
                scores[student] = {
                    grade.name.rpartition("-")[0]: grade.auto_score for grade in graded.grades
                }
    return scores


def done(result: dict) -> None:
    """Fail with what nbgrader said."""
    assert result["success"], result.get("error") or result.get("log")


def by_otter(folder: Path, students: Mapping[str, Answers], handed: Path | None = None) -> Scores:
    """Assign (which grades the solutions, and fails unless all are right), and grade offline what
    otter hands out, or the notebook ``handed``.
    """
    from otter.api import grade_submission
    from otter.assign import main

    master = folder / f"{folder.name}.ipynb"
    with warnings.catch_warnings(), chdir(folder):
        warnings.simplefilter("ignore")
        main(str(master), str(folder / "dist"), no_pdfs=True)
        (autograder,) = (folder / "dist" / "autograder").glob("*.zip")
        scores: Scores = {}
        for student, answers in students.items():
            released = handed or folder / "dist" / "student" / master.name
            place = folder / "work" / student / master.name
            result = grade_submission(
                str(submission(released, answers, place)), str(autograder), quiet=True
            )
            scores[student] = {name: file.score for name, file in result.results.items()}
    return scores
