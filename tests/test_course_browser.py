"""The browser lab: its plain Python against the library, its checks against wrong answers, and the
page in a browser, where exercises are solved wrongly and rightly.
"""

from __future__ import annotations

import functools
import http.server
import importlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import jupytext
import numpy as np
import pytest
from browser import chromium, needs_axe, needs_chromium, opened, violations
from conftest import ROOT
from diffused_redundancy.course.browser import (
    LAYERS,
    PYODIDE,
    lab_cells,
    measured,
    shipped_layer,
    source,
    write_lab,
)
from diffused_redundancy.errors import InputError

PYODIDE_VERSION = "314.0.7"


@pytest.fixture(scope="module")
def plain():
    """The page's own modules, as the page's Python has them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(source())
        patch.setattr(sys, "dont_write_bytecode", True)
        console = importlib.import_module("console")
        yield console
        for name in ("console", "checks", "measures"):
            del sys.modules[name]


@pytest.fixture(scope="module")
def layers():
    return {name: shipped_layer(*one) for name, one in LAYERS.items()}


@pytest.fixture(scope="module")
def console(plain, layers):
    return plain.Console(json.dumps(layers))


@pytest.fixture(scope="module")
def pyodide():
    """Pyodide's files, from npm."""
    if shutil.which("npm") is None:
        pytest.skip("no npm to get Pyodide with")
    folder = Path(tempfile.gettempdir()) / f"pyodide-{PYODIDE_VERSION}"
    if not (folder / "package" / PYODIDE[-1]).is_file():
        folder.mkdir(exist_ok=True)
        command = ["npm", "pack", "--silent", f"pyodide@{PYODIDE_VERSION}"]
        if subprocess.run(command, cwd=folder, capture_output=True, timeout=300).returncode:
            pytest.skip("npm cannot get Pyodide")
        (archive,) = folder.glob("*.tgz")
        shutil.unpack_archive(archive, folder, filter="data")
    return folder / "package"


@pytest.fixture(scope="module")
def lab(pyodide, tmp_path_factory):
    """The page with Python beside it: its file, and its address at a server of this machine."""
    folder = tmp_path_factory.mktemp("lab")
    page = write_lab(folder, pyodide=pyodide)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield page, f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """The page without Python."""
    folder = tmp_path_factory.mktemp("bare")
    explorer = folder / "made.html"
    explorer.write_text("<p>explorer</p>", encoding="utf-8")
    return write_lab(folder / "lab", explorer=explorer)


@pytest.mark.parametrize("name", LAYERS)
def test_plain_python_is_the_library(plain, console, layers, name):
    layer, theirs = console.load(name), measured(layers[name])
    G = plain.measures.gram_matrix(layer.X_train)
    cka = [plain.measures.cka_curve(G, order) for order in layer.orders]
    accuracy = [plain.measures.ridge_curve(layer, G, order) for order in layer.orders[:2]]
    mine = plain.summary(cka, cka)["cka"]
    for key in ("mean", "low", "high"):
        assert mine[key] == pytest.approx(theirs["cka"][key], abs=6e-6)
    assert mine["k_star"] == theirs["cka"]["k_star"]
    low, high = np.array(theirs["accuracy"]["low"]), np.array(theirs["accuracy"]["high"])
    assert np.all((np.array(accuracy) >= low - 6e-6) & (np.array(accuracy) <= high + 6e-6))
    assert accuracy[0][-1] == pytest.approx(theirs["accuracy"]["mean"][-1], abs=6e-6)
    dr = 1 - theirs["cka"]["k_star"] / layer.d
    assert plain.measures.redundancy(mine["mean"]) == pytest.approx(dr)


def test_ridge_at_a_few_sizes_is_scikit_learns(plain, console):
    from sklearn.linear_model import RidgeClassifier

    layer = console.load("ResNet, Georgian letters")
    X, X_test = np.array(layer.X_train), np.array(layer.X_test)
    G, order = plain.measures.gram_matrix(layer.X_train), layer.orders[2]
    curve = plain.measures.ridge_curve(layer, G, order)
    alpha = layer.penalty * ((X - X.mean(0)) ** 2).sum() / layer.d
    for k in (1, 13, 64, 128):
        kept = order[:k]
        fit = RidgeClassifier(alpha=alpha).fit(X[:, kept], layer.y_train)
        assert curve[k - 1] == pytest.approx(fit.score(X_test[:, kept], layer.y_test))


def test_the_cells_run_and_the_solutions_are_right(console):
    for cell in jupytext.read(source() / "lab.py").cells:
        if cell.cell_type == "code":
            done = json.loads(console.run(cell.source, "cell", next(iter(LAYERS))))
            assert not done["error"], done
    assert done["printed"] == "choose: right.\n"


WRONG = {
    "cka": {
        "return None": "returns nothing",
        "return sum(G[i][j]**2 for i in kept for j in range(len(G)))": "sums|three times|every",
        "n = range(len(G))\nq = lambda a, b: sum(G[i][j]**2 for i in a for j in b)\n"
        "return q(kept, n) / (q(kept, kept) * q(n, n))": "divide by sums of squares",
        "n = range(len(G))\nq = lambda a, b: sum(abs(G[i][j]) for i in a for j in b)\n"
        "return q(kept, n) / (q(kept, kept) * q(n, n))": "add up entries",
        "n = range(len(G))\nq = lambda a, b: sum(G[i][j]**2 for i in a for j in b)\n"
        "return q(kept, kept) / (q(kept, kept) * q(n, n))**.5": "columns are all neurons",
        "n = range(len(G))\nq = lambda a, b: sum(G[i][j]**2 for i in a for j in b)**.5\n"
        "return q(kept, n) / (q(kept, kept) * q(n, n))": "norm above the line is squared",
        "n = range(len(G))\nq = lambda a, b: sum(G[i][j]**2 for i in a for j in b)\n"
        "return q(kept, n) / q(kept, kept)**.5": "divide by both norms",
    },
    "k_star": {
        "return curve": "returns list",
        "return [v >= share * curve[-1] for v in curve].index(True)": "one too few",
        "return [v >= share for v in curve].index(True) + 1": "share of the last value",
        "return [v > share * curve[-1] for v in curve].index(True) + 1": "exactly at the bar",
        "return len(curve) - [v < share * curve[-1] for v in curve][::-1].index(True) + 1"
        " if curve[0] < share * curve[-1] else 1": "may fall again",
    },
    "choose": {
        "return list(range(5))": "each of the 128 neurons once",
        "return sorted(range(len(G)), key=lambda i: G[i][i])": "at the end",
        "pass": "returns nothing",
        "return layer.orders[0]": "luck|worse",
        # better than random ones, in the places where these neurons stand
        "largest = sorted(range(len(G)), key=lambda i: -G[i][i])\n"
        "return globals().setdefault('first', largest)": "when the neurons are shuffled",
    },
}


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [(name, body, says) for name, wrong in WRONG.items() for body, says in wrong.items()],
)
def test_a_check_says_what_is_wrong(console, name, body, says):
    cells = lab_cells((source() / "lab.py").read_text(encoding="utf-8"))
    check, code = next(
        (cell["check"], cell["code"]) for cell in cells if f'"{name}"' in cell.get("check", "")
    )
    indented = body.replace("\n", "\n    ")
    code = re.sub(r"raise NotImplementedError.*", lambda _: indented, code)
    console.names["layer"] = console.load(next(iter(LAYERS)))
    done = json.loads(console.run(f"{code}\n{check}", "cell", next(iter(LAYERS))))
    assert re.search(says, done["error"]) and done["error"].startswith("Not yet: "), done


def test_blanks_hold_no_solution():
    cells = lab_cells((source() / "lab.py").read_text(encoding="utf-8"))
    exercises = [cell for cell in cells if cell["kind"] == "exercise"]
    assert len(exercises) == len(WRONG)
    for cell in exercises:
        assert cell["check"] and "SOLUTION" not in cell["code"]
        assert cell["code"].splitlines()[-1].startswith('    raise NotImplementedError("Write ')


def test_errors_name_the_line_of_the_cell(console):
    def error(code):
        return json.loads(console.run(code, "cell 1", next(iter(LAYERS))))["error"]

    assert error("a = 1\nb = a + c").splitlines()[0] == "Line 2: b = a + c"
    assert "NameError" in error("a = 1\nb = a + c") and "console.py" not in error("1 / 0")
    assert error("def f(:\n  pass").startswith("Line 1: def f(:\nSyntaxError")
    assert "no layer 'digits': there are ResNet, handwritten digits" in error("load('digits')")
    assert "SystemExit" in error("raise SystemExit(1)")
    assert "Python's own library and no other" in error("import no_such_module")


def test_a_folder_that_is_not_pyodides_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"has no pyodide\.mjs, .* npm pack pyodide"):
        write_lab(tmp_path / "lab", pyodide=tmp_path)
    assert not (tmp_path / "lab").exists()


def test_the_page_needs_no_network(bare):
    html = bare.read_text(encoding="utf-8")
    assert not re.search(r"src=\"(https?:)?//|<link|@import", html)
    assert len(html) < 1.2e6 and "<noscript>" in html


@needs_chromium
def test_without_python_the_page_says_so_and_still_shows(bare, tmp_path):
    done = chromium(bare, tmp_path, "--virtual-time-budget=3000", "--dump-dom")
    assert "This page was made without Python" in done.stdout and "npm pack pyodide" in done.stdout
    assert '<a href="explorer.html">' in done.stdout
    assert (bare.parent / "explorer.html").read_text(encoding="utf-8") == "<p>explorer</p>"
    assert "Python runs in this page" not in done.stdout and "Ctrl+Enter" not in done.stdout
    buttons = re.findall(r"<button[^>]*needs-python[^>]*>", done.stdout)
    assert len(buttons) > 5  # what cannot work is not shown
    assert all("hidden" in one for one in buttons if "needs-script" in one)
    assert re.search(r'<div class="buttons[^>]*hidden', done.stdout)
    assert "25 of 128 neurons" in done.stdout and done.stdout.count('class="cka"') == 1


@needs_chromium
@needs_axe
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_page_is_accessible(bare, tmp_path, width, dark):
    assert violations(bare, tmp_path, width, dark=dark) == {}


STATUS = "document.getElementById('status').textContent"


def answer(tab, place, body):
    """Write an exercise's body into the page, run its check, and give what is said."""
    found = f"document.querySelector('[data-place=\"{place}\"]')"
    area = f"{found}.querySelector('textarea')"
    code = re.sub(r"    (raise|return) .*", lambda _: f"    {body}", tab.value(f"{area}.value"))
    tab.value(f"{area}.value = {json.dumps(code)}")
    tab.value(f"{found}.dataset.state = ''; {found}.querySelector('button').click()")
    tab.wait(f"{found}.dataset.state !== ''")
    return tab.value(f"{found}.querySelector('.printed').textContent"), tab.value(
        f"{found}.querySelector('.said').textContent"
    )


@pytest.mark.slow
@needs_chromium
def test_the_lab_in_a_browser(lab, layers, tmp_path):
    assert "Python runs in this page" in lab[0].read_text(encoding="utf-8")
    with opened(lab[1], tmp_path) as tab:
        tab.value("document.getElementById('run-all').click()")
        tab.wait(f"{STATUS}.startsWith('All cells done')")
        printed = tab.value("document.querySelectorAll('.printed')[1].textContent")
        theirs = measured(layers[next(iter(LAYERS))])
        fifth = theirs["cka"]["mean"][128 // 5 - 1]
        assert printed == f"CKA of a random fifth: {round(fifth, 3)}\n"
        assert "Computed here" in tab.value("document.getElementById('made').textContent")

        tab.value("document.getElementById('size').value = 13")
        tab.value("document.getElementById('size').dispatchEvent(new Event('input'))")
        assert tab.value("document.getElementById('k').textContent") == "13 of 128 neurons (10.2%)"
        cka = tab.value("document.getElementById('cka').textContent")
        assert cka.startswith(f"{theirs['cka']['mean'][12]:.3f} (")

        wrong = "return [v >= share for v in curve].index(True) + 1"
        assert "share of the last value" in answer(tab, "exercise 2", wrong)[1]
        right = "return [v >= share * curve[-1] for v in curve].index(True) + 1"
        assert answer(tab, "exercise 2", right) == ("k_star: right.\n", "")

        typed = "document.querySelector('[data-place=\"exercise 3\"] textarea')"
        tab.value(f"{typed}.value = 'mine'; {typed}.dispatchEvent(new Event('input'))")
        tab("Page.reload")
        tab.wait(f"document.readyState === 'complete' && {typed}.value === 'mine'")
        tab.value("document.getElementById('start-over').click()")
        assert "NotImplementedError" in tab.value(f"{typed}.value")

        endless = "document.querySelector('[data-place=\"cell 1\"]')"
        tab.value(f"{endless}.querySelector('textarea').value = 'while True: pass'")
        tab.value(f"{endless}.querySelector('button').click()")
        tab.wait(f"{STATUS} === 'Running cell 1 ...'")
        tab.value("document.getElementById('stop').click()")
        tab.wait(f"{endless}.querySelector('.said').textContent.startsWith('Stopped')")
        assert answer(tab, "exercise 2", right) == ("k_star: right.\n", "")
        assert [error for error in tab.errors if "favicon" not in error] == []


@pytest.mark.slow
@needs_chromium
def test_the_lab_from_a_file(lab, tmp_path):
    with opened(lab[0].as_uri(), tmp_path) as tab:
        tab.value("document.querySelector('[data-place=\"cell 1\"] button').click()")
        tab.wait(f"{STATUS}.startsWith('cell 1: done')")
        assert tab.errors == []
    size = sum(path.stat().st_size for path in lab[0].parent.iterdir()) / 1e6
    text = (ROOT / "docs" / "environments.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"browser lab: .*\| ([\d.]+) MB", text)
    assert float(told) == pytest.approx(size, abs=0.1)


def test_no_file_of_pyodide_is_kept():
    assert not [path for path in ROOT.rglob("pyodide*") if ".venv" not in path.parts]
