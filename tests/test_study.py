"""Verdicts, sentences, tables and pages follow from numbers, whatever the numbers."""

from __future__ import annotations

import dataclasses
import subprocess

import diffused_redundancy as dr
import numpy as np
import pandas as pd
import pytest
from conftest import make_layer
from diffused_redundancy import session
from diffused_redundancy.__main__ import main
from diffused_redundancy.experiment.probed_layer import Layer
from diffused_redundancy.findings import penalties, tables, verdicts
from diffused_redundancy.findings import probing as analysis
from diffused_redundancy.findings.claims import interval_of_mean
from diffused_redundancy.report import figures, html

RISING = np.linspace(0.01, 1, 100)[None].repeat(3, 0)
LATE = np.concatenate([np.zeros((3, 80)), np.ones((3, 20))], 1)


@pytest.mark.parametrize(
    "curves, word",
    [
        ({"a": RISING**0.1}, "holds"),
        ({"a": RISING**0.1, "b": LATE}, "holds in part"),
        ({"b": LATE}, "does not hold"),
    ],
)
def test_claim_2(curves, word):
    found = verdicts.every_subset_keeps(curves, dict.fromkeys(curves, 1.0), 0.9, "accuracy")
    assert found.word == word and "3 subsets" in found.because
    if "b" in curves:
        assert "from k = 81 of 100 (81%)" in found.because


def test_claim_2_is_judged_by_the_worst_subset_and_by_every_size_above():
    curves = np.ones((3, 100))
    curves[1, 69] = 0.5  # one subset falls back at k = 70
    assert verdicts.every_subset_keeps({"a": curves}, {"a": 1.0}, 0.9, "x").word == "does not hold"


@pytest.mark.parametrize(
    "ratios, word",
    [
        ({"a": [0.98, 0.99, 0.97]}, "holds"),
        ({"a": [0.90, 0.91, 0.92]}, "does not hold"),
        ({"a": [0.90, 0.99, 1.0]}, "undecided"),
        ({"a": [0.98, 0.99, 0.97], "b": [0.5, 0.5, 0.5]}, "holds in part"),
        ({"a": [0.5, 0.5, 0.5], "b": [0.90, 0.99, 1.0]}, "does not hold"),
        ({"a": [0.98, 0.99, 0.97], "b": [0.90, 0.99, 1.0]}, "holds in part"),
        ({"a": [0.98]}, "undecided"),
        ({}, "undecided"),
    ],
)
def test_claim_1(ratios, word):
    assert (
        verdicts.a_fifth_within(
            {case: np.array(values) for case, values in ratios.items()}, 0.05
        ).word
        == word
    )


def redundancy(value, low, high):
    return dr.Redundancy(0.9, value, round(100 * (1 - value)), 100, low, high, 0.95, 5, 1.0)


def test_claim_3():
    apart = {"net": {"a": redundancy(0.5, 0.45, 0.55), "b": redundancy(0.8, 0.75, 0.85)}}
    near = {"net": {"a": redundancy(0.5, 0.45, 0.55), "b": redundancy(0.56, 0.5, 0.6)}}
    assert verdicts.tasks_differ(apart, "accuracy").word == "holds"
    assert verdicts.tasks_differ(near, "accuracy").word == "does not hold"
    assert (
        verdicts.tasks_differ({"net": {"a": redundancy(0.5, 0.45, 0.55)}}, "accuracy").word
        == "undecided"
    )
    one_seed = redundancy(0.5, float("nan"), float("nan"))
    assert (
        verdicts.tasks_differ({"net": {"a": one_seed, "b": one_seed}}, "accuracy").word
        == "undecided"
    )


def test_claim_5():
    sizes, d = {"a": [1, 5, 10, 100]}, {"a": 100}
    rising, flat = np.array([0.2, 0.5, 0.7, 0.9]), np.array([0.1, 0.1, 0.1, 0.9])
    assert (
        verdicts.components_first(sizes, d, {"a": rising + 0.05}, {"a": flat}, {"a": rising}).word
        == "holds"
    )
    assert (
        verdicts.components_first(sizes, d, {"a": rising - 0.05}, {"a": flat}, {"a": rising}).word
        == "does not hold"
    )
    assert (
        verdicts.components_first(
            {"a": [100]}, d, {"a": rising[-1:]}, {"a": flat[-1:]}, {"a": rising[-1:]}
        ).word
        == "undecided"
    )


def test_claim_6():
    sizes = {"a": [5, 10]}
    ours = np.array([[0.50, 0.80], [0.501, 0.801], [0.499, 0.799]])
    assert (
        verdicts.as_good_as_projections(sizes, {"a": ours}, {"a": ours + 0.005}, "p").word
        == "holds"
    )
    worse = verdicts.as_good_as_projections(
        sizes, {"a": ours}, {"a": ours + np.array([0.2, 0.0])}, "p"
    )
    assert (
        worse.word == "does not hold"
        and "worse at k = 5 (largest gap -20.0 at k = 5)" in worse.because
    )
    better = verdicts.as_good_as_projections(sizes, {"a": ours}, {"a": ours - 0.1}, "p")
    assert better.word == "holds" and "better at k = 5, 10 (largest gap +10.0" in better.because
    unsure = ours + np.array([[0.02], [0.0], [-0.02]])
    assert (
        verdicts.as_good_as_projections(sizes, {"a": unsure}, {"a": ours + 0.005}, "p").word
        == "undecided"
    )
    assert (
        verdicts.as_good_as_projections(sizes, {"a": ours[:1]}, {"a": ours[:1]}, "p").word
        == "undecided"
    )


def test_tasks_of_one_name_stay_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_REPORT", str(tmp_path / "report"))
    names = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        np.savez(
            tmp_path / folder / "mine.npz",
            X_train=np.zeros((8, 4, 4), np.uint8),
            y_train=[0, 1] * 4,
        )
        names.append(f"npz:{tmp_path / folder / 'mine.npz'}")
    values = {"NETS": ["miniature_resnet.standard_s1"], "TASKS": [*names, "digits"]}
    study = session.Session("01_cka", values)
    assert [study.title(study.nets[0], job) for job in study.tasks] == [
        "mine (1)",
        "mine (2)",
        "Handwritten digits",
    ]


def test_sizes_that_lack_a_fifth_or_exist_not(measured):
    curves = {"a case": {"random": np.full((2, 1), 0.5)}}
    assert analysis.shares_of_a_fifth(curves, measured, {"a case": 0.9}, {"a case": [6]}) == {}
    assert "not among the sizes" in analysis.describe_probes(
        curves, measured, {"a case": 0.9}, {"a case": [6]}
    )
    assert verdicts.a_fifth_within({}, 0.05).word == "undecided"
    X, y = make_layer(n=30)
    few = Layer(lambda: (X[:20], y[:20], X[20:], y[20:]))
    empty = few.logistic("pca", [1], [40, 60], penalty=0.1)
    assert empty["accuracy"].shape == (1, 0)
    table = analysis.redundancy_table(
        {"c": {"pca": empty["accuracy"]}},
        {"c": few},
        [0.9],
        measure="m",
        full={"c": 1.0},
        sizes={"c": [40, 60]},
    )
    assert table.rows == []


def test_interval_of_a_mean_against_the_normal_one():
    values = np.random.default_rng(0).normal(0.5, 0.1, 200)
    low, high = interval_of_mean(values)
    half = 1.96 * values.std() / np.sqrt(200)
    assert low == pytest.approx(values.mean() - half, abs=0.003) and high == pytest.approx(
        values.mean() + half, abs=0.003
    )
    assert np.isnan(interval_of_mean(values[:1])).all()


@pytest.fixture
def measured():
    X, y = make_layer(n=500)
    return {"a case": Layer(lambda: (X[:300], y[:300], X[300:], y[300:]))}


def test_sentences_state_the_numbers(measured):
    layer = measured["a case"]
    curves = {"a case": {"random": layer.cka("random", [1, 2])}}
    k = layer.at(0.1)
    assert k == 5
    assert f"{curves['a case']['random'][:, k].mean():.2f} on a case" in analysis.describe_cka(
        curves, measured
    )
    assert "No random" in analysis.describe_cka({"a case": {}}, measured)
    assert analysis.listed(["a"]) == "a" and analysis.listed(["a", "b", "c"]) == "a, b and c"
    biased = pd.DataFrame({"largest difference": [0.2]})
    assert "visibly biased" in analysis.describe_debiased(
        biased
    ) and "large enough" in analysis.describe_debiased(biased / 100)


def test_layer_curves_are_those_of_the_measures(measured):
    layer = measured["a case"]
    X, y, X_test, y_test = layer.arrays
    statistics = dr.SufficientStatistics.from_features(X, y)
    order = dr.ordering("random", statistics, 2)
    assert np.array_equal(layer.cka("random", [2])[0], dr.cka_curve(statistics, order))
    expected = dr.ridge_curve(statistics, order, X_test, y_test, penalty=0.1).accuracy
    assert np.array_equal(layer.ridge("random", [2], penalty=0.1)["accuracy"][0], expected)
    assert layer.seeds("pca", [1, 2, 3]) == [0] and layer.cka("pca", [1, 2, 3]).shape[0] == 1
    with pytest.raises(dr.InputError, match="needs labels"):
        _ = Layer(lambda: (X, None, None, None)).ridge_penalty


def test_effects_of_penalties_are_those_of_the_probes(measured):
    layer = measured["a case"]
    table = penalties.penalty_effects(measured, [1, 2], {"a case": [12, 60]}).set_index("probe")
    X, y, X_test, y_test = layer.arrays
    k, orders = 12, dr.orderings("random", layer.statistics, [1, 2])
    for words, times in ((penalties.WEAKER, 0.1), (penalties.CHOSEN, 1), (penalties.STRONGER, 10)):
        curves = [
            dr.ridge_curve(
                layer.statistics, one, X_test, y_test, penalty=times * layer.ridge_penalty.penalty
            ).accuracy
            for one in orders
        ]
        assert table.loc["ridge", words] == pytest.approx(
            100 * np.mean([c[k - 1] for c in curves]) / curves[0][-1]
        )
        probes = dr.LogisticProbes(X, y, X_test, y_test, layer.statistics)
        found = probes.curves(orders, [k, 60], penalty=times * layer.logistic_penalty.penalty)
        assert table.loc["logistic", words] == pytest.approx(
            100 * np.mean([c.accuracy[0] / c.accuracy[1] for c in found]), abs=0.6
        )
    text = penalties.describe_penalty_effects(table.reset_index())
    moved = (
        (table[[penalties.WEAKER, penalties.STRONGER]].sub(table[penalties.CHOSEN], axis=0))
        .abs()
        .max(axis=1)
    )
    assert (
        f"ridge probe by at most {moved['ridge']:.1f} points" in text
        and f"logistic probe by at most {moved['logistic']:.1f} points" in text
    )


def test_penalties_at_the_edge_of_the_grid_are_marked(measured, monkeypatch):
    layer = measured["a case"]
    choice = layer.ridge_penalty
    monkeypatch.setitem(
        layer.__dict__, "ridge_penalty", dataclasses.replace(choice, penalty=choice.grid[0])
    )
    row = penalties.penalty_table(measured).iloc[0]
    assert (
        row["grid"].endswith("(at its edge)")
        and row["validation loss"] == choice.loss[0]
        and row["validation accuracy"] == choice.accuracy[0]
    )


def test_layer_is_cached_by_what_determines_it(tmp_path):
    X, y = make_layer(n=200)
    calls = []

    def arrays():
        calls.append(1)
        return X, y, X, y

    for _ in range(2):
        layer = Layer(arrays, key={"name": "x"}, cache=dr.Cache(tmp_path))
        layer.cka("random", [1, 2])
        layer.cka("random", [1, 2], debiased=True)
        layer.about()
    assert len(calls) == 1
    Layer(arrays, key={"name": "y"}, cache=dr.Cache(tmp_path)).cka("random", [1, 2])
    assert len(calls) == 2


def test_tables_on_disk_keep_no_rounding_errors(tmp_path, monkeypatch, capsys):
    """The order of a sum is not the same in each run: its last bits must not make tables of equal
    results differ.
    """
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_REPORT", str(tmp_path / "report"))
    study = session.Session(
        "01_cka", {"NETS": ["miniature_resnet.standard_s1"], "TASKS": ["digits"]}
    )
    written = []
    for wrong in (0.0, 1.1e-16, -9.7e-17):
        study.table(
            pd.DataFrame(
                {
                    "name": ["a"],
                    "spread": [wrong],
                    "mean": [1 / 3 + wrong],
                    "small": [1.25e-9],
                    "none": [float("nan")],
                }
            ),
            "t",
        )
        written.append(next(tmp_path.rglob("*-t.csv")).read_text().partition("\n")[2])
    assert set(written) == {"name,spread,mean,small,none\na,0,0.333333,1.25e-09,\n"}
    capsys.readouterr()


def test_tidy_tables_have_one_observation_a_row():
    frame = tables.tidy(np.arange(6).reshape(2, 3), [1, 2, 5], [7, 8], measure="m")
    assert frame.to_dict("list") == {
        "measure": ["m"] * 6,
        "seed": [7, 7, 7, 8, 8, 8],
        "k": [1, 2, 5] * 2,
        "value": [0.0, 1, 2, 3, 4, 5],
    }


def test_markdown_tables():
    text = session.markdown_table(
        pd.DataFrame({"name": ["a|b"], "x": [0.12345], "n": [3], "none": [float("nan")]})
    )
    assert text.splitlines() == [
        "| name | x | n | none |",
        "|:---|---:|---:|---:|",
        r"| a\|b | 0.123 | 3 | – |",
    ]
    columns = {
        "share": [0.5, 12.34],
        "size": [12.0, 60000.0],
        "penalty": [0.01, 100.0],
        "gap": [-1e-9, 2.0],
    }
    rows = [
        line.split(" | ") for line in session.markdown_table(pd.DataFrame(columns)).splitlines()[2:]
    ]
    assert rows == [["| 0.5", "12", "0.01", "0.000 |"], ["| 12.3", "60000", "100", "2.000 |"]]


def test_figures_tell_lines_apart_by_more_than_colour():
    curves = [figures.Curve(name, np.arange(1, 101), RISING) for name in dr.SELECTIONS]
    figure = figures.curves_figure(
        [figures.Panel("t", 100, curves, full=1.0, predicted=RISING[0], threshold=0.9)] * 3, "y"
    )
    lines = [line for line in figure.axes[0].get_lines() if line.get_marker() not in ("None", "")]
    assert len(lines) == len(dr.SELECTIONS)
    for style in (
        lambda line: line.get_marker(),
        lambda line: line.get_color(),
        lambda line: str(line._unscaled_dash_pattern),
    ):
        assert len({style(line) for line in lines}) == len(lines)
    assert len(session.with_palette(session.png(figure))) < 100_000


def test_pages():
    body = html.markdown(
        "# One\n\n## Two $x^2$\n\n$$\\frac{a}{b}$$\n\n|a|b|\n|---|---:|\n|1|2|\n\n## Two $x^2$\n"
    )
    page = html.page("T", body, home="../index.html")
    assert page.count("<math") == 3 and '<div class="table"><table>' in page
    assert 'id="one"' in page and page.count('href="#two') == 2 and 'id="two-x2-2"' in page
    assert "<code>\\nonsense{</code>" in html.mathml(
        "\\nonsense{", block=False
    ) or "<math" in html.mathml("\\nonsense{", block=False)


def test_a_disk_that_is_full(tmp_path, capsys):
    """On a real file system with no room left: one line, status 2, and no file half-written."""
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True
    ).returncode:
        pytest.skip("no permission to mount a small file system")
    try:
        X, _ = make_layer(n=300, d=200)
        np.savez(tmp_path / "x.npz", X_train=X)
        assert main(["measure", str(tmp_path / "x.npz"), "--out", str(small), "--seeds", "20"]) == 2
        said = capsys.readouterr().err
        assert "the disk is full" in said and said.count("\n") == 1
        assert not list(small.glob(".*")) and not (small / "curves.csv").exists()
    finally:
        subprocess.run(["umount", str(small)], check=True)
