"""Assignments for nbgrader and otter-grader, which cut out solutions and grade.

Every source with exercises is one assignment. An exercise gives all of its points or none: for a
function that passes the check that students see, and the one with other data that they do not.
"""

from __future__ import annotations

from pathlib import Path

from ..pipeline.notebook_format import nbformat
from ..store import write_text
from .editions import copy_package, edition, finished, replaced, write_notebook
from .source import Exercise, Source

NBGRADER_CONFIG = '''"""Settings of nbgrader for this folder; run its commands here."""

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "redundancy"
c.ClearSolutions.code_stub = {"python": 'raise NotImplementedError("Write this function.")'}
c.ExecutePreprocessor.timeout = 120  # seconds for one cell of a submission
'''


def write_nbgrader(sources: list[Source], folder: Path, package: Path) -> None:
    """A course folder for nbgrader: ``source/ASSIGNMENT/``, with the students' package, and its
    configuration.
    """
    write_text(folder / "nbgrader_config.py", NBGRADER_CONFIG)
    for source in graded(sources):
        place = folder / "source" / source.name
        write_notebook(for_nbgrader(source), place / f"{source.name}.ipynb")
        copy_package(package, place / package.name)


def write_otter(sources: list[Source], folder: Path, package: Path) -> None:
    """Masters for ``otter assign``, each in a folder of its own with the students' package."""
    for source in graded(sources):
        place = folder / source.name
        write_notebook(for_otter(source, package.name), place / f"{source.name}.ipynb")
        copy_package(package, place / package.name)


def graded(sources: list[Source]) -> list[Source]:
    """The sources with exercises."""
    return [source for source in sources if source.exercises]


def for_nbgrader(source: Source) -> nbformat.NotebookNode:
    """The source as nbgrader takes it, with solutions and hidden tests in their marks."""
    made = with_grades(source, edition(source, "grader"))
    checks = [cell for cell in made.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    for cell, exercise in zip(checks, source.exercises.values(), strict=True):
        cell.source += f"\n### BEGIN HIDDEN TESTS\n{_hidden(exercise)}\n### END HIDDEN TESTS"
    return made


def with_grades(source: Source, notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """An edition of a source, finished, whose cells say to graders which exercise they are.

    So work in the students' notebooks can be graded as that in what the graders hand out.
    """
    made = finished(notebook)
    made.metadata["otter"] = {"assignment_name": source.name}
    for cell, described in zip(made.cells, notebook.cells, strict=True):
        part = described.metadata.get("part")
        if part is None:
            continue
        exercise = source.exercises[described.metadata["exercise"]]
        test = part == "check"
        about = {
            "schema_version": 3,
            "cell_type": "code",
            # without its place, so that work is graded after cells were added elsewhere
            "grade_id": f"{exercise.name}-{part}",
            "grade": test,
            "locked": test,
            "solution": not test,
            "task": False,
        }
        cell.metadata["nbgrader"] = about | ({"points": exercise.points} if test else {})
    return made


def _hidden(exercise: Exercise) -> str:
    """The check with other data, which students do not see."""
    return f'lab.check("{exercise.name}", {exercise.function}, hidden=True)'


def for_otter(source: Source, package: str) -> nbformat.NotebookNode:
    """The source as ``otter assign`` takes it: each exercise is a question."""
    whole = edition(source, "grader")
    made = finished(whole)
    cells = [
        _raw(
            f"# ASSIGNMENT CONFIG\nname: {source.name}\nfiles:\n  - {package}\n"
            "export_cell: false\ntests:\n  ok_format: false\ngenerate:\n  show_stdout: true",
            "otter",
        )
    ]
    for cell, described in zip(made.cells, whole.cells, strict=True):
        name, part = described.metadata.get("exercise"), described.metadata.get("part")
        if name is None:
            cells.append(cell)
        elif part == "write":
            cell.source = _with_otter_marks(cell.source)
            cells += [
                _raw("# BEGIN SOLUTION", f"{cell['id']}-begin"),
                cell,
                _raw("# END SOLUTION", f"{cell['id']}-end"),
            ]
        elif part == "check":
            exercise = source.exercises[name]
            function = exercise.function
            cells.append(_raw("# BEGIN TESTS", f"{cell['id']}-begin"))
            seen = (
                f'lab.check("{name}", {function})\n'
                # a blank is only told by the check; a test has to fail
                f'    assert lab.ready({function}), "{function} is not right yet."'
            )
            for place, lines in enumerate((seen, _hidden(exercise))):
                head = f"def test_{place}(lab, {function}):\n    "
                test = ("# HIDDEN\n" if place else "") + head + lines
                cells.append(nbformat.v4.new_code_cell(test, id=f"{cell['id']}-{place}"))
            cells.append(_raw("# END TESTS\n", f"{cell['id']}-end"))
            cells.append(_raw("# END QUESTION", f"{cell['id']}-question"))
        elif "level" in described.metadata:
            points = source.exercises[name].points
            head = f"# BEGIN QUESTION\nname: {name}\npoints: {points}\nall_or_nothing: true"
            cells += [_raw(head, f"{cell['id']}-begin"), cell]
        else:
            cells.append(cell)
    made.cells = cells
    return made


def _raw(text: str, name: str) -> nbformat.NotebookNode:
    """A cell with a setting for otter-grader."""
    cell: nbformat.NotebookNode = nbformat.v4.new_raw_cell(text, id=name)
    return cell


def _with_otter_marks(text: str) -> str:
    """A cell with otter's marks around each region, and a student's error as its prompt."""

    def marked(indent: str, error: str, lines: list[str]) -> list[str]:
        prompt = ['""" # BEGIN PROMPT', error, '""" # END PROMPT']
        before = [*prompt, "# BEGIN SOLUTION NO PROMPT"]
        return [*(indent + line for line in before), *lines, f"{indent}# END SOLUTION"]

    return replaced(text, marked)
