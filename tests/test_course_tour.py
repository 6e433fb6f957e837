"""The tour of the course: its numbers against scikit-learn and the library, its figures, and what a
student may change.
"""

from __future__ import annotations

import ast
import re
import sys
from itertools import combinations, product
from types import SimpleNamespace

import diffused_redundancy as dr
import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pytest
from conftest import ROOT
from matplotlib.backends.backend_agg import FigureCanvasAgg
from nbclient import NotebookClient
from sklearn.linear_model import Ridge

COURSE = ROOT / "course"
SOURCE = COURSE / "00_tour.py"
CHANGED = re.compile(r"^(\w+) = (.+?)  # change me", re.M)


@pytest.fixture(scope="module", autouse=True)
def students_package():
    """The course's folder on the path, as it is beside a student's notebook."""
    sys.path.insert(0, str(COURSE))
    yield
    sys.path.remove(str(COURSE))


@pytest.fixture(scope="module")
def toured(students_package):
    """Run the tour with some lines changed: its names afterwards, and the texts of its figures."""
    from redundancy_lab import tour

    runs = {}

    def run(**changes):
        key = str(sorted(changes.items()))
        if key not in runs:
            runs[key] = anew(**changes)
        return runs[key]

    def anew(**changes):
        source = SOURCE.read_text(encoding="utf-8")
        for name, value in changes.items():
            pattern = rf"^{name} = .+?(?=  # change me)"
            source, found = re.subn(pattern, f"{name} = {value!r}", source, flags=re.M)
            assert found, name
        plt.close("all")
        alts, show = [], tour.show
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tour, "show", lambda figure, alt: (alts.append(alt), show(figure, alt)))
            names = {}
            exec(compile(source, "00_tour", "exec"), names)
        assert not plt.get_fignums()
        return SimpleNamespace(**names, alts=alts)

    return run


@pytest.fixture(scope="module")
def digits(toured):
    return toured()


def test_the_probe_by_hand_is_that_of_scikit_learn(digits):
    data = digits.data
    Y = np.eye(10)[data.y_train]
    for order, curve in zip(digits.orders, digits.curves, strict=True):
        for k, reached in zip(digits.sizes, curve, strict=True):
            kept = order[:k]
            probe = Ridge(alpha=digits.PENALTY).fit(data.X_train[:, kept], Y)
            answers = probe.predict(data.X_test[:, kept]).argmax(1)
            assert abs(np.mean(answers == data.y_test) - reached) <= 1 / len(data.y_test)


def test_its_penalty_is_among_the_best_by_cross_validation(digits):
    X, y = digits.data.X_train, digits.data.y_train
    folds = np.arange(len(y)) % 5

    def right(penalty):
        answers = np.zeros_like(y)
        for fold in range(5):
            probe = Ridge(alpha=penalty).fit(X[folds != fold], np.eye(10)[y[folds != fold]])
            answers[folds == fold] = probe.predict(X[folds == fold]).argmax(1)
        return np.mean(answers == y)

    grid = {penalty: right(penalty) for penalty in (0.03, 0.3, digits.PENALTY, 30, 300)}
    assert grid[digits.PENALTY] >= max(grid.values()) - 0.005 > grid[300]


def test_similarity_is_that_of_the_library(digits):
    statistics = dr.SufficientStatistics.from_features(digits.data.X_train, device="cpu")
    orderings = dr.orderings("random", statistics, range(1, digits.ORDERS + 1))
    for ordering, order in zip(orderings, digits.orders, strict=True):
        assert np.array_equal(np.asarray(ordering.order), order)
    curve = dr.cka_curve(statistics, orderings)
    assert np.allclose(curve.values[:, digits.sizes - 1], digits.similar, atol=1e-6)


def test_what_the_last_cell_says_follows_from_the_curves(digits):
    assert digits.full > 0.95 and 0.09 < digits.chance < 0.11
    assert 0.95 < digits.fifth < 1  # of which the text says "a fifth"
    assert digits.k_useful <= 102 and digits.k_similar <= 102
    for k, of in ((digits.k_useful, digits.useful), (digits.k_similar, digits.similar)):
        means = dict(zip(digits.sizes.tolist(), of.mean(0), strict=True))
        assert means[k] >= 0.9 > max(mean for size, mean in means.items() if size < k)
    assert f"CKA reaches 0.9 at {digits.k_similar} neurons" in digits.alts[-1]


@pytest.mark.parametrize("name", ["digits_mrl", "georgian", "font_style"])
def test_it_runs_on_all_data(toured, name):
    other = toured(DATA=name, TASK=name.removesuffix("_mrl"), IMAGE=39, FIRST=20)
    assert len(other.images) >= 40
    assert other.chance < 0.12 and other.full > 1.5 * other.chance
    assert all(len(alt) > 30 for alt in other.alts)


def test_the_mrl_network_is_as_useful_and_less_similar(digits, toured):
    """What its last question is to show: of a random fifth, on these images."""
    other = toured(DATA="digits_mrl", TASK="digits")
    fifth = digits.sizes.tolist().index(102)
    assert other.similar[:, fifth].max() < digits.similar[:, fifth].min() - 0.03
    assert abs(other.useful[:, fifth].mean() - digits.useful[:, fifth].mean()) < 0.03


LIMITS = [
    {"FIRST": 20, "IMAGE": 39, "OTHER": 0, "KEPT": 1, "PENALTY": 1e4, "GUESS": 1, "ORDERS": 1}
    | {"SCALE": "linear"}
    | {"NEURONS": 1, "ORDER": 1, "SCALED": range(512), "FACTOR": 100, "DELTA": 1},
    {"TASK": "font_style", "KEPT": 512, "PENALTY": 1e-3, "GUESS": 512, "ORDERS": 5}
    | {"SCALE": "log"}
    | {"NEURONS": 512, "ORDER": 20, "SCALED": [0], "FACTOR": 0, "DELTA": 0.01},
]


@pytest.mark.parametrize("changes", LIMITS, ids=["least", "most"])
def test_every_line_that_may_be_changed_can_be(toured, changes):
    assert toured(**changes).alts


@pytest.mark.parametrize("name", ["digits", "font_style"])
def test_texts_of_a_figure_do_not_lie_on_each_other(toured, name, monkeypatch):
    """Titles of pictures and the names of classes."""
    from redundancy_lab import tour

    figures = []
    monkeypatch.setattr(tour, "show", lambda figure, alt: figures.append(figure))
    data = tour_data(name)
    titles = [f"{one} read {one}" for one in data.classes] * 3
    tour.show(tour.pictures(data.images[:24], titles[:24], 8), "")
    source = SOURCE.read_text(encoding="utf-8").replace('DATA = "digits"', f'DATA = "{name}"')
    exec(compile(source, "00_tour", "exec"), {})
    for figure in (figures[0], figures[4]):
        FigureCanvasAgg(figure).draw()
        boxes = [ax.title.get_window_extent() for ax in figure.axes if ax.get_title()]
        boxes += [
            one.get_window_extent()
            for ax in figure.axes
            for one in ax.get_xticklabels()
            if one.get_text() and ax.axison
        ]
        images = [ax.get_window_extent() for ax in figure.axes if ax.images]
        assert len(boxes) > 9 and all(box.y1 <= figure.bbox.y1 for box in boxes)
        for one, other in combinations(boxes, 2):
            assert one.shrunk(0.9, 0.9).overlaps(other.shrunk(0.9, 0.9)) == 0
        for box, image in product(boxes, images):
            assert not box.shrunk(0.9, 0.9).overlaps(image)
    plt.close("all")


def tour_data(name):
    import redundancy_lab as lab

    return lab.load(name)


def test_the_classes_of_squares_can_be_read_off(digits):
    figures = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits.tour, "show", lambda figure, alt: figures.append(figure))
        digits.draw(51, 1)
    left = figures[0].axes[0]
    assert [one.get_text() for one in left.get_yticklabels()] == list(digits.data.classes)
    labels = np.sort(digits.data.y_train)[::5]
    assert [labels[round(place)] for place in left.get_yticks()] == list(range(10))
    plt.close("all")


def test_these_are_all_lines_that_may_be_changed():
    tried = {name for changes in LIMITS for name in changes} | {"DATA"}
    assert {name for name, _ in CHANGED.findall(SOURCE.read_text(encoding="utf-8"))} == tried


def test_scale_of_all_neurons_does_not_matter_of_one_it_does(digits, toured):
    assert digits.cka(digits.whole, digits.gram(digits.scaled)) < 0.5
    all_of_them = toured(**LIMITS[0])
    assert all_of_them.cka(digits.whole, digits.gram(all_of_them.scaled)) == pytest.approx(1)


def test_the_drawing_of_the_network_shows_what_is_kept(digits):
    from redundancy_lab import tour

    def pixels(kept):
        drawn = tour.network(digits.images[0], digits.data.X_test[0], np.arange(kept), "?")
        plt.close(drawn)
        canvas = FigureCanvasAgg(drawn)
        canvas.draw()
        shown = np.asarray(canvas.buffer_rgba())[80:190, 760:960, :3]  # the second grid
        return np.mean((shown == 238).all(2))

    assert pixels(1) > 0.98 and 0.4 < pixels(256) < 0.6 and pixels(512) < 0.01


def test_every_figure_has_a_line_to_change():
    cells = jupytext.read(SOURCE).cells
    called = re.compile(r"^ {0,4}tour\.(show|play)\(", re.M)
    drawing = [cell.source for cell in cells if called.search(cell.source)]
    drawing = [source for source in drawing if not source.startswith("def ")]  # drawn by the next
    assert len(drawing) == 8 and all(CHANGED.search(source) for source in drawing)


def test_it_needs_numpy_and_matplotlib_alone():
    """IPython shows figures and ipywidgets moves sliders where they are; neither is needed."""
    allowed = {"numpy", "matplotlib", "redundancy_lab", *sys.stdlib_module_names}
    for path in (SOURCE, COURSE / "redundancy_lab" / "tour.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.Import):
                assert {one.name.partition(".")[0] for one in node.names} <= allowed
            elif isinstance(node, ast.ImportFrom) and not node.level:
                assert node.module.partition(".")[0] in allowed


@pytest.mark.slow
def test_as_a_notebook_it_shows_pictures_with_a_text_and_no_widget():
    notebook = jupytext.read(SOURCE)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(COURSE)}}).execute()
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", [])]
    shown = [one for one in outputs if "data" in one]
    assert len(shown) == 8
    for one in shown:
        assert {*one.data} == {"image/png", "text/plain"}
        assert len(one.metadata["image/png"]["alt"]) > 30
        assert len(one.data["image/png"]) < 400_000
    assert not [one for one in outputs if one.output_type == "stream" and one.name == "stderr"]


def shell(monkeypatch, metadata):
    """A notebook's shell whose last request had that metadata."""
    from redundancy_lab import tour

    kernel = SimpleNamespace(get_parent=lambda: {"metadata": metadata})
    monkeypatch.setattr(tour, "_shell", lambda: SimpleNamespace(kernel=kernel))
    return tour


def test_without_a_front_end_it_draws_once(monkeypatch):
    tour = shell(monkeypatch, {})
    drawn = []
    tour.play(lambda k, order: drawn.append((k, order)), k=(51, 1, 512), order=(2, 1, 20))
    assert drawn == [(51, 2)] and not tour.live()
    monkeypatch.setattr(tour, "_shell", lambda: None)
    assert not tour.live()


def test_with_one_it_has_sliders(monkeypatch):
    made = {}
    widgets = SimpleNamespace(
        IntSlider=lambda **given: given,
        interact=lambda draw, **sliders: made.update(sliders),
    )
    monkeypatch.setitem(sys.modules, "ipywidgets", widgets)
    tour = shell(monkeypatch, {"cellId": "abc"})
    tour.play(lambda k: pytest.fail("drawn by the slider alone"), k=(51, 1, 512))
    assert made["k"]["value"] == 51 and (made["k"]["min"], made["k"]["max"]) == (1, 512)


def test_without_widgets_it_says_so_and_draws(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    drawn = []
    shell(monkeypatch, {"cellId": "abc"}).play(lambda k: drawn.append(k), k=(51, 1, 512))
    assert drawn == [51]
    assert "ipywidgets is not installed" in capsys.readouterr().out
