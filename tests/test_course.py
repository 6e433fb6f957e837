"""The course is built from its sources: nothing leaks, nothing needs a network, faults are told."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import zipfile

import nbformat
import pytest
import tiny_course
from browser import chromium, needs_axe, needs_chromium, violations
from conftest import ROOT
from course_leaks import leaks
from diffused_redundancy.__main__ import main
from diffused_redundancy.course.build import build
from diffused_redundancy.course.editions import blank
from diffused_redundancy.course.source import read_source, read_sources
from diffused_redundancy.course.student import address, colab_cell, write_student
from diffused_redundancy.errors import InputError

pytest.importorskip("sphinx_revealjs", reason="it carries reveal.js")


END = ("ipynb", "html")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return tiny_course.write(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def built(sources, tmp_path_factory):
    """The tiny course, built once."""
    folder = tmp_path_factory.mktemp("course") / "out"
    build(folder, sources)
    return folder


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The course itself, built by the command, once."""
    folder = tmp_path_factory.mktemp("course") / "real"
    assert main(["course", "--out", str(folder)]) == 0
    return folder


def notebook(path):
    return nbformat.read(path, as_version=4)


def text_of(path):
    return "\n".join(cell.source for cell in notebook(path).cells)


@pytest.mark.slow
def test_students_get_blanks_that_say_what_to_write(built):
    text = text_of(built / "student" / "01_tiny.ipynb")
    assert text.count("raise NotImplementedError") == 2
    asked = 'raise NotImplementedError("Write centred here.")'
    assert f'    """X with columns of mean 0."""\n    {asked}' in text
    assert "*Level 1 of 3 (first steps), about 5 minutes, 2 points.*\n\n*Goal:*" in text
    assert "The mean over `axis=0`." in text
    for hidden in ("column_means", "Many subtract", "after the solution", "Ask who", "SOLUTION"):
        assert hidden not in text


@pytest.mark.parametrize("name", ["00_tour", "01_tiny"])
def test_student_notebooks_hold_nothing_of_the_builder(built, name):
    made = notebook(built / "student" / f"{name}.ipynb")
    nbformat.validate(made)
    assert (made.nbformat, made.nbformat_minor) == (4, 5)
    assert made.metadata.kernelspec.name == "python3"
    assert len({cell.id for cell in made.cells}) == len(made.cells)
    for cell in made.cells:
        assert {*cell.metadata} <= {"nbgrader"}
        assert "hidden" not in cell.source.lower()
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None


def test_what_students_get_is_the_same_bytes_each_time(built, sources, tmp_path):
    (sources / "redundancy_lab" / "__pycache__").mkdir(exist_ok=True)
    write_student(read_sources(sources), tmp_path, sources / "redundancy_lab", ROOT)
    first, again = (
        {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*"))}
        for folder in (built / "student", tmp_path)
    )
    assert first == again and "redundancy_lab.zip" in first
    with zipfile.ZipFile(tmp_path / "redundancy_lab.zip") as packed:
        assert packed.namelist() == ["redundancy_lab/__init__.py"]


def test_students_run_their_notebook_beside_the_package_alone(built):
    """As in a plain Python, without this library."""
    code = [
        cell.source
        for cell in notebook(built / "student" / "01_tiny.ipynb").cells
        if cell.cell_type == "code" and "matplotlib" not in cell.source
    ]
    done = subprocess.run(
        [sys.executable, "-E", "-c", "\n".join(code)],
        cwd=built / "student",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["centred: still blank.", "unit-norm: still blank."]


def test_solutions_are_executed_and_notes_are_the_instructors_alone(built):
    solutions, instructor = (
        built / folder / "01_tiny.ipynb" for folder in ("solutions", "instructor")
    )
    for path in (solutions, instructor):
        outputs = [output for cell in notebook(path).cells for output in cell.get("outputs", [])]
        shown = "".join(output.get("text", "") for output in outputs)
        assert "centred: right." in shown and "after the solution: [[-2. -2.]" in shown
        assert "column_means" in text_of(path)
        assert "column_means" in path.with_suffix(".html").read_text("utf-8")
        assert all(cell.metadata == {} for cell in notebook(path).cells)
    assert "Many subtract" not in text_of(solutions) and "Ask who" not in text_of(solutions)
    assert "> **For the instructor.** Many subtract" in text_of(instructor)
    assert "> **To say**\n>\n> Ask who" in text_of(instructor)


def test_nothing_of_a_solution_is_in_what_students_see(built, sources):
    source = read_source(sources / "01_tiny.py")
    assert leaks(source, built / "student") == []
    assert leaks(source, built / "slides", notes=False) == []
    for folder in ("solutions", "instructor", "nbgrader", "otter"):  # the search does find them
        assert any("column_means" in line for line, _ in leaks(source, built / folder))


def test_slides_show_the_marked_cells_with_blanks(built):
    text = (built / "slides" / "01_tiny.html").read_text("utf-8")
    assert text.count("<section>") == 2 * 2 + 1  # two slides, of which one has two parts
    assert "Write centred here." in re.sub(r"<[^>]+>", "", text)
    assert re.search(r'<aside class="notes">\s*<p>Ask who has seen this before', text)
    assert "Divide by the Frobenius" not in text and "Many subtract" not in text
    assert not (built / "slides" / "00_tour.html").exists()


LOADED = r"""(?:src|href)=["']?(?:https?:)?//|url\(["']?(?:https?:)?//|@import|\bimport\("""


def test_slides_load_nothing(built):
    text = (built / "slides" / "01_tiny.html").read_text("utf-8")
    assert "reveal.js 5" in text or "reveal.js 4" in text
    page = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(LOADED, page)
    assert not re.search(r"<script[^>]+src|<link", text)


STEP_THROUGH = """<script>
Reveal.on("ready", async () => {
  const found = [];
  for (const slide of Reveal.getSlides()) {
    const {h, v} = Reveal.getIndices(slide);
    Reveal.slide(h, v, Infinity);
    await new Promise(done => setTimeout(done, 50));
    const right = Math.max(0, ...[...slide.querySelectorAll("img, table, pre")].map(
      one => one.offsetLeft + one.offsetWidth - slide.offsetWidth));
    const scale = Number(slide.style.getPropertyValue("--scale") || 1);
    found.push({text: slide.innerText.slice(0, 40), high: slide.scrollHeight, right, scale});
  }
  const place = document.createElement("pre");
  place.id = "found";
  place.textContent = JSON.stringify(found);
  document.body.append(place);
});
</script>
"""


def stepped_through(page, scratch):
    """Every slide as a browser without network shows it, and what the browser said."""
    scratch.mkdir(parents=True, exist_ok=True)
    copy = scratch / page.name
    text = page.read_text("utf-8")
    at = text.rindex("<script>")
    copy.write_text(text[:at] + STEP_THROUGH + text[at:], "utf-8")
    size, time = "--window-size=1280,720", "--virtual-time-budget=30000"
    done = chromium(copy, scratch / "browser", size, time, "--dump-dom", "--enable-logging=stderr")
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert found, done.stderr
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(found[1])), console


@pytest.mark.slow
@needs_chromium
def test_every_slide_fits_and_the_browser_has_nothing_to_say(built, tmp_path):
    slides, console = stepped_through(built / "slides" / "01_tiny.html", tmp_path)
    assert console == []
    assert [slide["text"].splitlines()[0] for slide in slides][:2] == [
        "Means and scales",
        "Exercise 1: Centre the columns",
    ]
    for slide in slides:
        assert slide["high"] <= 720 and slide["right"] <= 0, slide


def test_the_index_tells_a_lecturer_what_is_where(built):
    text = (built / "index.html").read_text("utf-8")
    plain = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    assert "2 exercises in 1 notebook, 15 minutes and 5 points together" in plain
    assert "1. Centre the columns 1 5 2 Take the mean of each neuron away." in plain
    for link in re.findall(r'href="([^"#:]+)"', text):
        assert (built / link).is_file(), link


@pytest.mark.slow
@needs_chromium
@needs_axe
@pytest.mark.parametrize("width, dark", [(1280, False), (390, True)])
def test_the_pages_are_accessible(built, tmp_path, width, dark):
    for page in ("index.html", "instructor/01_tiny.html"):
        assert violations(built / page, tmp_path / page, width, dark=dark) == {}


def broken(tmp_path, old, new):
    assert tiny_course.SOURCE.count(old) >= 1
    return tiny_course.write(tmp_path / "broken", tiny_course.SOURCE.replace(old, new, 1))


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("    ### END SOLUTION\n", "", "'centred': a region is not closed by '### END SOLUTION'"),
        (
            "    ### BEGIN SOLUTION\n",
            "",
            "exercise 'centred': '### END SOLUTION' without '### BEGIN SOLUTION'",
        ),
        ("### BEGIN SOLUTION", "# BEGIN SOLUTION", "is no mark: write '### BEGIN SOLUTION'"),
        (
            'lab.check("centred", centred)\n',
            'print("right")\n',
            """exercise 'centred': its check cell must be lab.check("centred", FUNCTION) alone""",
        ),
        (
            'lab.check("centred", centred)\n',
            'lab.check("centred", centred)\ncentred(np.eye(3))\n',
            """exercise 'centred': its check cell must be lab.check("centred", FUNCTION) alone""",
        ),
        (
            'lab.check("centred", centred)',
            'lab.check("centred", mean)',
            "exercise 'centred': its check is of mean, which it does not write",
        ),
        (
            '# %% exercise="centred" part="check"\nlab.check("centred", centred)\n',
            "",
            "exercise 'centred': 0 checks, where one is needed",
        ),
        (' part="write" slide="fragment"', "", "a region outside a cell with part="),
        ("# *Goal:* take", "# Take", "needs a heading and a line that begins with *Goal:*"),
        ('audience="instructor"', 'audience="instructors"', "did you mean 'instructor'?"),
        ('audience="instructor"', 'audience="instructor" slide="slide"', "cannot stand on a slide"),
        ('slide="subslide"', 'slide="sub"', "unknown slide 'sub'"),
        ('part="write"', 'part="wriet"', "did you mean 'write'?"),
        ("level=2", "level=4", "exercise 'unit-norm': level is 4: it must be 1 to 3"),
        ("minutes=10", 'minutes="ten"', "exercise 'unit-norm': minutes is 'ten'"),
        ("points=3", "point=3", "did you mean 'points'?"),
        ("import numpy as np", "import pandas", "imports pandas, which students do not have"),
        ("def unit_norm(X):", "def unit_norm(X:", "exercise 'unit-norm': line 1 of the cell"),
        (
            "return X - column_means\n    ### END SOLUTION",
            "return X\n    ### END SOLUTION\n\n### BEGIN SOLUTION\nMEAN = 0\n### END SOLUTION",
            "a region stands outside a function",
        ),
    ],
)
def test_faults_of_a_source_are_told_before_any_work(tmp_path, old, new, says):
    out = tmp_path / "out"
    with pytest.raises(InputError) as raised:
        build(out, broken(tmp_path, old, new))
    assert says in str(raised.value) and "01_tiny.py" in str(raised.value)
    assert not out.exists()


def test_two_exercises_of_one_name_are_told(tmp_path):
    folder = tiny_course.write(tmp_path / "twice")
    (folder / "02_more.py").write_text((folder / "01_tiny.py").read_text("utf-8"), "utf-8")
    with pytest.raises(InputError, match=r"two exercises 'centred': in 01_tiny.py and 02_more.py"):
        read_sources(folder)
    doubled = tiny_course.SOURCE.replace("unit-norm", "centred")
    with pytest.raises(InputError, match=r"01_tiny.py, exercise 'centred': 2 cells with level="):
        read_sources(tiny_course.write(tmp_path / "doubled", doubled))


@pytest.mark.slow
def test_a_solution_that_fails_is_told_with_its_exercise(tmp_path):
    folder = broken(tmp_path, "return X - column_means", "return X - column_mean")
    says = r"01_tiny.py, exercise 'centred' does not run: NameError: name 'column_mean' is not"
    with pytest.raises(InputError, match=says):
        build(tmp_path / "out", folder)


def test_other_folders_are_left_alone(tmp_path, sources):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match=r"holds thesis.tex, no part of a course"):
        build(tmp_path, sources)
    with pytest.raises(InputError, match="no sources of the course"):
        build(tmp_path / "out", tmp_path)


def test_blanks_keep_what_stands_around_a_region():
    text = """def helper(x):
    ### BEGIN SOLUTION
    return x
    ### END SOLUTION

def both(x):
    if x:
        ### BEGIN SOLUTION
        x = helper(x)
        ### END SOLUTION
    return x"""
    assert (
        blank(text)
        == """def helper(x):
    raise NotImplementedError("Write helper here.")

def both(x):
    if x:
        raise NotImplementedError("Write both here.")
    return x"""
    )


def test_colab_alone_fetches(tmp_path, monkeypatch):
    """With an address from the repository, without one from the student; elsewhere neither."""
    (tmp_path / "CITATION.cff").write_text("title: x\n")
    assert address(tmp_path) is None
    (tmp_path / "CITATION.cff").write_text("repository-code: https://example.org/x\n")
    fetch = colab_cell("lab_x", address(tmp_path), "course/lab_x")
    upload = colab_cell("lab_x", None, "course/lab_x")
    assert '"https://example.org/x"' in fetch and "Choose lab_x.zip" in upload
    monkeypatch.chdir(tmp_path)
    for cell in (fetch, upload):
        exec(compile(cell, "cell", "exec"), {})
    assert list(tmp_path.iterdir()) == [tmp_path / "CITATION.cff"]

    class Colab:
        """Colab's module for files, which gives the name of what was chosen."""

        class files:
            @staticmethod
            def upload():
                with zipfile.ZipFile("lab_x (1).zip", "w") as packed:
                    packed.writestr("lab_x/__init__.py", "")
                return {"lab_x (1).zip": b""}

    monkeypatch.setitem(sys.modules, "google", Colab)
    monkeypatch.setitem(sys.modules, "google.colab", Colab)
    exec(compile(upload, "cell", "exec"), {})
    assert (tmp_path / "lab_x" / "__init__.py").is_file()


@pytest.mark.slow
def test_the_course_is_built_by_one_command(real):
    """Everything is there, each link leads somewhere, and nothing of a solution leaks."""
    sources = read_sources(ROOT / "course")
    assert len({name for source in sources for name in source.exercises}) >= 12
    assert {exercise.level for one in sources for exercise in one.exercises.values()} == {1, 2, 3}
    for source in sources:
        for path in (
            *(f"{part}/{source.name}.{end}" for part in ("solutions", "instructor") for end in END),
            f"student/{source.name}.ipynb",
            f"slides/{source.name}.html",
        ):
            assert (real / path).is_file(), path
        assert leaks(source, real / "student") == []
        assert leaks(source, real / "slides", notes=False) == []
        deck = (real / "slides" / f"{source.name}.html").read_text("utf-8")
        assert deck.count('<aside class="notes">') >= 4, source.name  # S shows them
        for part in ("nbgrader/source", "otter"):
            assert (real / part / source.name).is_dir() == bool(source.exercises)
    links = re.findall(r'href="([^"#:]+)"', (real / "index.html").read_text("utf-8"))
    assert links and all((real / link).is_file() for link in links)


@pytest.mark.slow
def test_the_first_two_cells_show_that_all_is_well(real):
    """As README.txt and the notes on teaching ask students to."""
    student = real / "student"
    assert "first two cells of code of 00_tour" in (student / "README.txt").read_text("utf-8")
    cells = notebook(student / "00_tour.ipynb").cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(code[:2])], cwd=student, capture_output=True, text=True
    )
    assert "600 train images, 500 test images, 512 neurons" in done.stdout, done.stderr


@pytest.mark.slow
@needs_chromium
def test_every_slide_of_the_course_fits(real, tmp_path):
    for page in sorted((real / "slides").iterdir()):
        slides, console = stepped_through(page, tmp_path / page.stem)
        assert console == [] and len(slides) > 5, page.name
        for slide in slides:
            # letters that were shrunk to fit can still be read
            assert slide["high"] <= 720 and slide["right"] <= 0 and slide["scale"] >= 0.75, slide


@pytest.mark.slow
@needs_chromium
@needs_axe
def test_pages_of_the_course_are_accessible(real, tmp_path):
    for page in ("index.html", "instructor/01_similarity.html"):
        assert violations(real / page, tmp_path / page, 1280) == {}
