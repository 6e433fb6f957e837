"""``dr.measure`` and its result, and the names at the top of the package."""

from __future__ import annotations

import ast
import doctest
import json
import os
import subprocess
import sys

import diffused_redundancy as dr
import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT, make_layer
from diffused_redundancy import api
from scipy.sparse import csr_array

PACKAGE = ROOT / "lib" / "diffused_redundancy"
WORDS = np.array(["ant", "bee", "cat", "dog", "eel"])


@pytest.fixture(scope="module")
def parts():
    X, y = make_layer(n=600, dtype="float32")
    return X[:400], y[:400], X[400:], y[400:]


@pytest.fixture(scope="module")
def result(parts):
    return dr.measure(*parts, probe="both", selections=("random", "pca"), seeds=3)


def test_numbers_are_those_of_the_measures(parts, result):
    X, y, _, _ = parts
    statistics = dr.SufficientStatistics.from_features(X, y)
    for seed, values in zip((1, 2, 3), result.cka.values, strict=True):
        k = 17
        chosen = X[:, dr.ordering("random", statistics, seed).order[:k]].astype(float)
        gram = (chosen - chosen.mean(0)).T @ (X - X.mean(0, dtype=float))
        own = np.cov(chosen.T, bias=True) * len(X)
        whole = np.cov(X.T.astype(float), bias=True) * len(X)
        expected = (gram**2).sum() / (np.linalg.norm(own) * np.linalg.norm(whole))
        assert values[k - 1] == pytest.approx(expected, abs=1e-6)
    assert result.accuracy.measure == "ridge_accuracy"
    assert result.per_class.shape == (3, 60, 5) and len(result.classes) == 5
    assert np.allclose(result.per_class.mean(-1), result.accuracy.values, atol=0.1)
    assert set(result.curves) == {
        (measure, selection)
        for measure in ("cka", "standardized_cka", "ridge_accuracy", "logistic_accuracy")
        for selection in ("random", "pca")
    }
    assert set(result.penalties) == {"ridge", "logistic"}


def test_redundancy_is_that_of_a_curve(result):
    for measure in result.measures:
        curve = result.curve(measure, "random")
        assert result.redundancy(0.8, measure) == curve.redundancy(0.8)
    assert result.redundancy(0.9) == result.accuracy.redundancy(0.9)
    assert result.redundancy().has_interval
    with pytest.raises(dr.InputError, match="unknown measure 'ridge': did you mean 'ridge_acc"):
        result.redundancy(0.9, "ridge")
    with pytest.raises(dr.InputError, match="unknown selection of cka 'first'"):
        result.redundancy(0.9, "cka", "first")


def test_table_holds_every_value(result):
    table = result.to_frame()
    assert list(table.columns) == ["measure", "selection", "seed", "k", "value"]
    rows = table.query("measure == 'cka' and selection == 'random' and seed == 2")
    assert np.array_equal(rows["value"], result.cka.values[1]) and rows["k"].iloc[-1] == 60


def test_result_says_one_sentence(parts, result):
    sentence = repr(result)
    redundancy = result.redundancy(0.9)
    assert sentence.startswith(f"{redundancy.k} of 60 neurons, chosen at random, keep 90% of")
    assert "95% interval over 3 seeds and images: " in sentence and sentence.count(". ") == 0
    assert result.describe(0.9, "cka", "pca").startswith(
        f"{result.redundancy(0.9, 'cka', 'pca').k} of 60 dimensions (top principal components)"
    )
    held_out = dr.measure(parts[0], parts[1], seeds=1)
    page = held_out._repr_html_()
    assert page.startswith("<p><strong>") and "were held out" in page and "&#39;" in page
    assert "(95% interval over images: " in repr(held_out)
    never = dr.measure(parts[0], selections="random_projection", seeds=1)
    assert repr(never).startswith("No number of random projection")


@pytest.mark.parametrize(
    "measure", ["cka", "standardized_cka", "ridge_accuracy", "logistic_accuracy", None]
)
def test_plot_has_a_line_for_each_selection(result, measure):
    (axes,) = result.plot(measure).axes
    labels = axes.get_legend_handles_labels()[1]
    assert {"random neurons", "top principal components"} <= set(labels)
    assert ("closed form, from one number" in labels) == (measure == "cka")
    assert ("full layer" in labels) == (measure is None or "accuracy" in measure)


class ReadInSlices:
    """Rows as of a file larger than memory."""

    def __init__(self, X):
        self.X, self.shape, self.dtype = X, X.shape, X.dtype

    def __len__(self):
        return len(self.X)

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        return self.X[rows]


KINDS = {
    "tensors": lambda X, y, Z, z: (torch.tensor(X, requires_grad=True), torch.tensor(y), Z, z),
    "frames": lambda X, y, Z, z: (pd.DataFrame(X), pd.Series(y, index=y + 7), pd.DataFrame(Z), z),
    "words": lambda X, y, Z, z: (X, pd.Series(WORDS[y]), Z, pd.Categorical(WORDS[z])),
    "lists": lambda X, y, Z, z: (X.tolist(), y.tolist(), Z, z.tolist()),
    "Features": lambda X, y, Z, z: (dr.Features(X, y, Z, z, classes=tuple(WORDS)),),
    "doubles": lambda X, y, Z, z: (X.astype(float), y.astype("uint8"), torch.tensor(Z), z),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_array_gives_the_same(parts, kind):
    same = dr.measure(*KINDS[kind](*parts), seeds=2)
    expected = dr.measure(*parts, seeds=2)
    for key, curve in expected.curves.items():
        assert np.allclose(same.curves[key].values, curve.values, atol=1e-12)
    words = tuple(WORDS) if kind in ("words", "Features") else ("0", "1", "2", "3", "4")
    assert same.classes == words


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision(parts, kind):
    X, y, X_test, y_test = parts
    half = (torch.tensor(X).to(kind), torch.tensor(y), torch.tensor(X_test).to(kind), y_test)
    single = (half[0].float(), y, half[2].float(), y_test)
    ours, expected = (dr.measure(*given, probe="both", seeds=1) for given in (half, single))
    for key, curve in expected.curves.items():
        assert np.allclose(ours.curves[key].values, curve.values)


def test_bfloat16_arrays_of_numpy(parts):
    """As JAX gives them, in any order of memory."""
    X, y, X_test, y_test = parts
    same, expected = (
        dr.measure(one(X), y, one(X_test), y_test, probe="both", seeds=1)
        for one in (
            lambda values: np.asfortranarray(values.astype(ml_dtypes.bfloat16))[:, ::-1],
            lambda values: torch.tensor(values).bfloat16().flip(1),
        )
    )
    for key, curve in expected.curves.items():
        assert np.array_equal(same.curves[key].values, curve.values)


@pytest.mark.parametrize("given", ["one-hot", "floats", "bfloat16", "a column", "objects"])
def test_labels_of_any_form(parts, given):
    X, y, X_test, y_test = parts
    form = {
        "one-hot": lambda y: np.eye(5)[y],
        "floats": lambda y: y.astype("float32"),
        "bfloat16": lambda y: torch.tensor(y).bfloat16(),
        "a column": lambda y: y[:, None],
        "objects": lambda y: WORDS[y].astype(object),
    }[given]
    same, expected = (
        dr.measure(X, form(y), X_test, form(y_test), seeds=1),
        dr.measure(*parts, seeds=1),
    )
    assert np.array_equal(same.accuracy.values, expected.accuracy.values)
    said = {"one-hot": "is one-hot", "floats": "as float32", "bfloat16": "as bfloat16"}.get(given)
    assert len(same.notes) == (2 if said else 0) and all(said in note for note in same.notes)


@pytest.mark.parametrize("kind", ["array", "tensor", "rows"])
@pytest.mark.parametrize("pool", ["mean", "max", "cls"])
@pytest.mark.parametrize("shape", [(4, 60), (60, 3, 3), (3, 3, 60), (60, 2, 3)])
def test_maps_and_tokens_are_pooled(kind, pool, shape):
    X = np.random.default_rng(0).standard_normal((50, *shape)).astype("float32")
    axes = (1,) if len(shape) == 2 else (1, 2) if shape[0] == shape[1] else (2, 3)
    given = {"array": X, "tensor": torch.tensor(X), "rows": ReadInSlices(X)}[kind]
    if pool == "cls" and len(shape) == 3:
        with pytest.raises(dr.InputError, match="pool 'cls' is for tokens"):
            dr.measure(given, pool=pool)
        return
    plain = {"mean": X.mean(axes), "max": X.max(axes), "cls": X[:, 0]}[pool]
    result, expected = dr.measure(given, pool=pool, seeds=1), dr.measure(plain, seeds=1)
    assert np.allclose(result.cka.values, expected.cka.values, atol=1e-6)
    assert result.about["d"] == 60 and "60 neurons." in result.notes[0]
    if pool != "cls":
        assert f"the {pool} over " in result.notes[0] and str(axes[0]) in result.notes[0]


def test_pooling_of_both_parts_in_half_precision(parts):
    X, y, X_test, y_test = (torch.tensor(part) for part in parts)
    tokens = (torch.stack([part - 1, part + 1], 1).half() for part in (X, X_test))
    X2, Z2 = tokens
    expected = dr.measure(X2.float().mean(1), y, Z2.float().mean(1), y_test, seeds=1)
    result = dr.measure(X2, y, Z2, y_test, pool="mean", seeds=1)
    assert np.array_equal(result.accuracy.values, expected.accuracy.values)


def test_big_endian_rows_are_taken(parts):
    big = parts[0].astype(">f4")
    assert np.array_equal(
        dr.measure(ReadInSlices(big), seeds=1).cka.values, dr.measure(parts[0], seeds=1).cka.values
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_features_on_a_gpu(parts):
    X, y, X_test, y_test = (torch.as_tensor(part).cuda() for part in parts)
    here = dr.measure(*parts, probe="both", seeds=2, device="cpu")
    there = dr.measure(X, y, X_test, y_test, probe="both", seeds=2)
    for key, curve in here.curves.items():
        assert np.allclose(there.curves[key].values, curve.values, atol=0.011)


def test_seeds_are_a_number_or_the_seeds_themselves(parts):
    X = parts[0]
    some = dr.measure(X, seeds=(7, 2))
    assert some.cka.seeds == (7, 2)
    assert np.array_equal(some.cka.values[1], dr.measure(X, seeds=2).cka.values[1])
    assert dr.measure(X, seeds=3, selections=["first"]).cka.seeds == (0,)


def test_without_labels_only_cka(parts):
    result = dr.measure(parts[0], seeds=2)
    assert (
        result.measures == ("cka", "standardized_cka") and "only CKA is measured" in result.notes[0]
    )
    assert "neurons, chosen at random, keep a CKA of 0.9 with the whole layer" in repr(result)
    with pytest.raises(dr.InputError, match="there is no accuracy: give labels"):
        _ = result.accuracy
    assert dr.measure(*parts, probe="none", seeds=1).measures == result.measures


def test_names_of_classes_follow_the_labels_that_occur(parts):
    X, y, X_test, y_test = parts
    names = ("none", *WORDS)
    features = dr.Features(X, y + 1, X_test, y_test + 1, classes=names)
    assert dr.measure(features, seeds=1).classes == tuple(WORDS)
    with pytest.raises(dr.InputError, match="with 5 named classes they are 0 to 4"):
        dr.measure(dr.Features(X, y + 1, X_test, y_test + 1, classes=tuple(WORDS)))


def test_constant_neurons_of_rows_read_in_slices(parts):
    X, y, X_test, y_test = parts
    X, X_test = (np.insert(part, 3, 0.5, axis=1) for part in (X, X_test))
    lazy = dr.measure(ReadInSlices(X), y, X_test, y_test, constant="drop", seeds=2)
    plain = dr.measure(*parts, seeds=2)
    assert lazy.about["d"] == 60 and "1 of 61 neurons is constant (index 3); they" in lazy.notes[0]
    for key, curve in plain.curves.items():
        assert np.array_equal(lazy.curves[key].values, curve.values)


def changed(**values):
    return lambda X, y, Z, z: {"X": X, "y": y, "X_test": Z, "y_test": z, **values}


@pytest.mark.parametrize(
    "given, words",
    [
        (changed(X=[[1.0, 2.0], [3.0]]), "X is a list whose rows differ in length"),
        (changed(X=np.ones((400, 60), int)), "X holds int64: features must be float16"),
        (changed(X=pd.DataFrame({"a": ["x", "y"]})), "features must be float16"),
        (changed(X=torch.eye(400).to_sparse()), r"X is a sparse tensor: give X.to_dense\(\)"),
        (changed(X=csr_array(np.eye(400))), r"X is a sparse matrix: give X.toarray\(\)"),
        (changed(X_test=csr_array(np.eye(60))), r"X_test is a sparse matrix: give X_test.toarr"),
        (changed(X=np.zeros((400, 60), "V2")), r"X holds \|V2, .* JAX's bfloat16: save it as"),
        (changed(X=np.zeros((400, 3, 60))), r"\(400, 3, 60\).* pool 'mean' or 'max' reduces maps"),
        (changed(pool="mean"), r"X has shape \(400, 60\): pool 'mean' is for maps .* leave it out"),
        (changed(pool="men"), "unknown pool 'men': did you mean 'mean'"),
        (lambda X, y, Z, z: {"X": X[:1]}, "X holds one image: at least two are needed"),
        (changed(y=np.arange(400) % 3 - 1), "y holds -1 for 134 of 400 images"),
        (changed(y_test=np.array(["1"] * 200)), r"y_test holds words, y whole numbers: give both"),
        (changed(X=np.full((400, 60), np.inf)), "is inf: features must be finite"),
        (changed(X_test=np.full((200, 60), np.nan)), r"X_test\[0, 0\] is nan"),
        (changed(X_test=np.ones((200, 9))), "X_test has 9 neurons: X has 60"),
        (changed(X_test=None), "there is y_test alone: X_test and y_test go together"),
        (changed(y=None), "there is X_test but no y"),
        (changed(y=np.zeros(400, int)), r"y holds one class \(0\)"),
        (changed(y=torch.zeros(400, dtype=torch.bfloat16)), r"y holds one class \(0\)"),
        (
            changed(y=pd.Series(["ant", None] * 200)),
            "y has no label for 200 of 400 images .first: row 1 holds (nan|None)",
        ),
        (changed(y=range(9)), "one label for each of the 400 images"),
        (changed(y_test=np.full(200, 9)), "y_test holds 9, which is not among the 5 classes of y"),
        (changed(selections="pcaa"), "did you mean 'pca'"),
        (changed(selections=()), "selections is empty"),
        (changed(probe="rigde"), "did you mean 'ridge'"),
        (changed(probe="none", standardize=True), "standardize applies to the ridge probe only"),
        (changed(seeds=0), r"seeds is 0: it must be 1 to 100000 \(nearest: 1\)"),
        (changed(seeds=[1, 1]), "none twice"),
        (changed(seeds=[-1]), "a seed is -1: it must be at least 0"),
        (changed(constant="kep"), "did you mean 'keep'"),
        (changed(penalty=-1), "penalty is -1"),
        (changed(device="cpuu"), "did you mean 'cpu'"),
        (
            lambda X, y, Z, z: {"X": X, "probe": "both"},
            "probe 'both' needs labels: give them, or use the probe 'none'",
        ),
        (lambda X, y, Z, z: {"X": dr.Features(X), "y": y}, "give nothing else"),
        (
            lambda X, y, Z, z: {"X": dr.Features(np.tile(X, (2, 1)), np.tile(y, 2), views=2)},
            "X_train holds 2 views of each image",
        ),
        (lambda X, y, Z, z: {"X": X, "y": np.arange(400)}, "class 0 has one image"),
        (lambda X, y, Z, z: {"X": np.insert(X, 0, 1, axis=1)}, "1 of 61 neurons is constant"),
        (lambda X, y, Z, z: {"X": X * 0}, "all 60 neurons are constant"),
    ],
)
def test_what_cannot_be_measured_is_one_line(parts, given, words):
    with np.errstate(invalid="ignore"), pytest.raises(dr.InputError, match=words) as error:
        dr.measure(**given(*parts))
    assert "\n" not in str(error.value)


def test_examples():
    assert doctest.testmod(api).failed == 0


@pytest.mark.slow
def test_notebooks_show_results_and_figures():
    code = """
import numpy as np, diffused_redundancy as dr
from IPython.core.interactiveshell import InteractiveShell
show = InteractiveShell.instance().display_formatter.format
result = dr.measure(np.random.default_rng(0).standard_normal((50, 9)), seeds=1)
assert show(result)[0]["text/html"].startswith("<p>"), show(result)
assert show(result.plot())[0]["image/png"][:4] == b"\\x89PNG"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def stub_names(path):
    """The names that a stub imports, as others see them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        name.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if name.asname == name.name
    ]


@pytest.mark.parametrize("name", stub_names(PACKAGE / "__init__.pyi"))
def test_every_public_name_can_be_imported(name):
    assert getattr(dr, name) is not None


def test_the_package_lists_the_names_of_its_stub():
    names = stub_names(PACKAGE / "__init__.pyi")
    assert dir(dr) == sorted(names) == dr.__all__ and len(set(names)) == len(names)
    assert (PACKAGE / "py.typed").exists()
    with pytest.raises(AttributeError, match="nonsense"):
        dr.nonsense  # noqa: B018
    assert dr.fairness.gini([0.5, 0.5]) == 0
    assert callable(dr.zoo.build) and callable(dr.zoo.pretrain) and dr.zoo.ZOO


def test_measure_stays_the_function_when_the_room_is_imported():
    code = """
import diffused_redundancy.measures.cka, diffused_redundancy as dr
from diffused_redundancy.measures import selections
assert dr.measure.__module__ == "diffused_redundancy.api", dr.measure
from diffused_redundancy import measure
assert measure is dr.measure and callable(selections.ordering)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_is_light():
    code = (
        "import sys, json, diffused_redundancy; "
        "print(json.dumps([name for name in ('torch', 'numpy', 'pandas') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.slow
def test_type_checkers_see_the_names(tmp_path):
    snippet = tmp_path / "snippet.py"
    snippet.write_text(
        "import diffused_redundancy as dr\n"
        "import diffused_redundancy.measures.cka\n"
        "result = dr.measure([[1.0, 2.0]])\n"
        "reveal_type(result)\n"
        "reveal_type(result.cka)\n"
        "reveal_type(result.redundancy(0.9))\n"
        "reveal_type(dr.zoo.recipe('name'))\n"
        "reveal_type(dr.task('digits'))\n"
    )
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", str(snippet)]
    environment = {**os.environ, "MYPYPATH": str(PACKAGE.parent)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    seen = [line.split('"')[1] for line in done.stdout.splitlines() if "Revealed" in line]
    rooms = (
        "api.Result",
        "measures.curves.Curve",
        "measures.redundancy.Redundancy",
        "nets.zoo.Recipe",
        "tasks.splits.Task",
    )
    assert seen == [f"diffused_redundancy.{name}" for name in rooms], done.stdout
