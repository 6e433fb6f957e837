"""The notebooks: run as small as they go, their numbers read back and checked, their pages looked
at.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import diffused_redundancy as dr
import nbformat
import numpy as np
import pandas as pd
import pytest
from browser import chromium, needs_axe, needs_chromium, sheets, violations
from conftest import ROOT
from diffused_redundancy import presets
from diffused_redundancy.experiment.subsamples import stratified_order
from diffused_redundancy.measures.selections import random_order
from diffused_redundancy.pipeline.plan import folder_name
from diffused_redundancy.probes.cross_validation import common_penalty
from diffused_redundancy.probes.ridge import ridge_alpha
from diffused_redundancy.report.html import page
from diffused_redundancy.report.notebook_page import notebook_page

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "diffused_redundancy", "run"]

NOTEBOOKS = presets.preset("smoke").notebooks
SEEDS = [1, 2, 3]
"""The fewest that give a verdict: one more than the preset ``smoke`` has."""
FOLDER = folder_name("smoke", {"SEEDS": SEEDS})


def run(out: Path, cache: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command people use, with the preset ``smoke``."""
    done = subprocess.run(
        [*COMMAND, "--preset", "smoke", "--out", str(out), *words],
        env={**os.environ, "DIFFUSED_REDUNDANCY_CACHE": str(cache)},
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> Path:
    """The reports of all notebooks, made once, from an empty cache."""
    out = tmp_path_factory.mktemp("reports")
    done = run(out, out / "cache", "-p", "SEEDS", str(SEEDS))
    assert all(f"{name}: done" in done.stderr for name in NOTEBOOKS)
    return out


def small_digits() -> dr.Task:
    """The task as the preset has it, with fewer images."""
    return dr.task("digits", images=presets.preset("smoke").everywhere["IMAGES"])


def table(reports: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(reports / FOLDER / "tables" / f"{name}.csv", comment="#")


def results(reports: Path, notebook: str) -> dict:
    return json.loads((reports / FOLDER / "results" / f"{notebook}.json").read_text())


@pytest.fixture(scope="module")
def digits(reports) -> tuple[dr.SufficientStatistics, dr.Features]:
    found = dr.features(
        dr.net("miniature_resnet.standard_s1"), small_digits(), cache=dr.Cache(reports / "cache")
    )
    return dr.SufficientStatistics.from_features(found.X_train, found.y_train), found


def test_cka_read_back(reports, digits):
    import plain

    _, found = digits
    curves = table(reports, "01_cka-curves").set_index(["case", "selection", "seed", "k"])["value"]
    for seed in SEEDS:
        order = random_order(512, seed).numpy()
        for k in (5, 102, 512):
            expected = plain.cka(found.X_train[:, order[:k]], found.X_train)
            assert curves["Handwritten digits", "random", seed, k] == pytest.approx(
                expected, abs=2e-6
            )


def test_redundancy_follows_from_the_curves(reports):
    for notebook, name, column in (
        ("01_cka", "means", None),
        ("02_probes", "ridge-means", "full"),
    ):
        curves = table(reports, f"{notebook}-{name}")
        listed = table(reports, f"{notebook}-redundancy" + ("" if column is None else "-ridge"))
        for row in listed[listed["selection"] == "random"].itertuples():
            mine = curves[
                (curves["case"] == row.case) & (curves["selection"] == "random")
            ].set_index("k")["mean"]
            assert row.k == (mine >= row.delta * row.full - 1e-6).idxmax()
            assert pytest.approx(1 - row.k / row.d, abs=1e-5) == row.DR


def test_probes_read_back(reports, digits):
    from sklearn.linear_model import RidgeClassifier

    statistics, found = digits
    curves = table(reports, "02_probes-ridge").set_index(["case", "selection", "seed", "k"])[
        "value"
    ]
    penalties = table(reports, "02_probes-penalties").set_index(["case", "probe"])["penalty"]
    alpha = ridge_alpha(statistics, float(penalties["Handwritten digits", "ridge"]))
    order = random_order(512, 2).numpy()
    for k in (10, 102):
        theirs = RidgeClassifier(alpha=alpha).fit(
            found.X_train[:, order[:k]].astype(float), found.y_train
        )
        expected = theirs.score(found.X_test[:, order[:k]].astype(float), found.y_test)
        assert curves["Handwritten digits", "random", 2, k] == pytest.approx(expected, abs=1e-5)


def test_the_phenomenon_is_there(reports):
    """A random fifth of the layer does nearly as well as all of it on real digits, and font style
    needs more.
    """
    numbers = results(reports, "02_probes")["results"]
    assert numbers["share at 20%, Handwritten digits"] > 0.95
    assert numbers["full layer, logistic, Handwritten digits"] > 0.95
    assert numbers["share at 20%, Font style"] < 0.9
    assert results(reports, "01_cka")["results"]["cka at 20%, Handwritten digits"] > 0.85


def test_structure_read_back(reports, digits):
    import plain

    _, found = digits
    centred = plain.centred(found.X_train)
    gram = centred.T @ centred
    variances = gram.diagonal()
    rows = table(reports, "07_structure-spectra").set_index(["net", "layer"])
    mine = rows.loc[("standard_s1", "as it is")]
    participation = variances.sum() ** 2 / (gram**2).sum()
    assert mine["PR"] == pytest.approx(participation, rel=1e-4)
    assert mine["CV2"] == pytest.approx(variances.var() / variances.mean() ** 2, rel=1e-4)
    parts = table(reports, "07_structure-parts").set_index(["net", "measure", "k"])["mean"]
    orders = [random_order(512, seed).numpy() for seed in range(1, 11)]
    expected = [
        plain.cka(found.X_train[:, order[:51]], found.X_train[:, order[-51:]]) for order in orders
    ]
    assert parts["standard_s1", "disjoint_cka", 51] == pytest.approx(np.mean(expected), abs=2e-6)
    scale = rows.loc[("mrl_s1", "as it is"), "CV2"] / mine["CV2"]
    assert scale > 2  # a few neurons of a nested layer are large


def test_fewer_train_images_read_back(reports, digits):
    from sklearn.linear_model import RidgeClassifier

    _, found = digits
    rows = table(reports, "09_data-by-images")
    rows = rows[(rows["probe"] == "ridge probes") & (rows["quantity"] == "share")]
    labels = np.asarray(found.y_train)
    assert rows["train_images"].max() == len(labels)
    one = rows[rows["train_images"] < len(labels)].iloc[0]
    scores = []
    for seed in SEEDS:
        some = stratified_order(labels, seed)[: one["train_images"]]
        X, y = found.X_train[some].astype(float), labels[some]
        alpha = one["penalty"] * len(X) * X.var(0).mean()
        for columns in (random_order(512, seed).numpy()[:102], np.arange(512)):
            theirs = RidgeClassifier(alpha=alpha).fit(X[:, columns], y)
            scores.append(theirs.score(found.X_test[:, columns].astype(float), found.y_test))
    kept, full = np.mean(scores[::2]), np.mean(scores[1::2])
    assert one["value"] == pytest.approx(kept / full, abs=2e-3)
    assert one["full_accuracy"] == pytest.approx(full, abs=2e-3)


def common_penalty_of(reports, notebook: str) -> float:
    """Of the ridge probes of all networks of a notebook on digits."""
    choices = [
        dr.RidgeProbe(
            dr.features(dr.net(name), small_digits(), cache=dr.Cache(reports / "cache"))
        ).choice
        for name in results(reports, notebook)["parameters"]["NETS"]
    ]
    return common_penalty(choices)


def test_nets_compared_read_back(reports, digits):
    """06 measures the standard net's last layer as 01 and 02 did, and so does 03, but for the
    penalty, which its networks have in common; their DR follows from those curves.
    """
    by_net, by_layer = (
        table(reports, "03_pretraining-redundancy"),
        table(reports, "06_layers-redundancy"),
    )
    compared = by_net[by_net["net"] == "miniature_resnet.standard_s1"].set_index(
        ["measure", "delta"]
    )
    last = by_layer[(by_layer["layer"] == "layer4") & (by_layer["width"] == "own")].set_index(
        ["measure", "delta"]
    )
    statistics, found = digits
    probe = dr.RidgeProbe(found, penalty=common_penalty_of(reports, "03_pretraining"))
    in_common = probe.curve(dr.orderings("random", statistics, SEEDS)).mean
    for measure, source in (("cka", "01_cka-curves"), ("accuracy", "02_probes-ridge")):
        curves = table(reports, source)
        own = (
            curves[(curves["case"] == "Handwritten digits") & (curves["selection"] == "random")]
            .groupby("k")["value"]
            .mean()
        )
        other = pd.Series(in_common, own.index) if measure == "accuracy" else own
        for delta in (0.8, 0.9, 0.95):
            for rows, mean in ((compared, other), (last, own)):
                row = rows.loc[measure, delta]
                assert row["k"] == (mean >= delta * mean.iloc[-1] - 1e-6).idxmax()
                assert row["DR"] == pytest.approx(1 - row["k"] / 512, abs=1e-5)
                assert row["low"] - 1e-6 <= row["DR"] <= row["high"] + 1e-6


def plain_ridge_by_class(statistics, found, columns: np.ndarray, penalty: float) -> np.ndarray:
    """Accuracy by class (C,) of scikit-learn's ridge classifier on some neurons."""
    from sklearn.linear_model import RidgeClassifier

    probe = RidgeClassifier(alpha=ridge_alpha(statistics, penalty)).fit(
        found.X_train[:, columns].astype(float), found.y_train
    )
    right = probe.predict(found.X_test[:, columns].astype(float)) == found.y_test
    return np.array([right[found.y_test == c].mean() for c in range(10)])


def test_fairness_reads_back(reports, digits):
    """05: the Gini index of the table, from scikit-learn's predictions and the definition."""
    statistics, found = digits
    spread = table(reports, "05_fairness-spread")
    penalty = common_penalty_of(reports, "05_fairness")
    row = spread[(spread["net"] == "standard_s1") & (spread["neurons"] == "90% of the mean")].iloc[
        0
    ]
    ginis, worst = [], []
    for seed in SEEDS:
        a = plain_ridge_by_class(
            statistics,
            found,
            random_order(512, seed).numpy()[: row["k"]],
            penalty,
        )
        ginis.append(sum(abs(x - y) for x in a for y in a) / (2 * len(a) ** 2 * a.mean()))
        worst.append(a.min())
    assert row["Gini"] == pytest.approx(np.mean(ginis), abs=1e-5) and row[
        "worst class"
    ] == pytest.approx(np.mean(worst), abs=1e-5)


def test_nested_prefixes_read_back(reports):
    found = dr.features(
        dr.net("miniature_resnet.mrl_s1"), small_digits(), cache=dr.Cache(reports / "cache")
    )
    statistics = dr.SufficientStatistics.from_features(found.X_train, found.y_train)
    penalty = common_penalty_of(reports, "04_mrl")
    curves = table(reports, "04_mrl-curves")
    prefix = curves[
        (curves["line"] == "MRL, nested prefix") & (curves["measure"] == "accuracy")
    ].set_index("k")["mean"]
    counts = np.bincount(found.y_test)
    for k in (8, 64):
        by_class = plain_ridge_by_class(statistics, found, np.arange(k), penalty)
        expected = (by_class * counts).sum() / counts.sum()
        assert prefix[k] == pytest.approx(expected, abs=1e-5)
    assert (
        results(reports, "04_mrl")["results"]["DR(0.9) of cka, miniature_resnet.mrl_s1, digits"]
        < 0.85
    )


def audited(reports: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The independent audit of a part of what notebooks wrote."""
    return subprocess.run(
        [sys.executable, str(ROOT / "tests" / "audit.py"), str(folder), "--part", *words],
        env={**os.environ, "DIFFUSED_REDUNDANCY_CACHE": str(reports / "cache")},
        capture_output=True,
        text=True,
    )


def test_an_independent_audit_agrees(reports):
    done = audited(reports, reports / FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr
    said = re.search(r"([\d,]+) numbers audited, 0 wrong", done.stdout)
    assert said and int(said[1].replace(",", "")) > 1000
    assert "nothing here recomputes it" not in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("01_cka-redundancy", "DR"),
        ("02_probes-redundancy-ridge", "k"),
        ("02_probes-penalties", "validation loss"),
        ("05_fairness-spread", "Gini"),
        ("05_fairness-spread", "same shift of margins"),
    ],
)
def test_the_audit_finds_a_wrong_number(reports, tmp_path, name, column):
    copy = tmp_path / "reports"
    shutil.copytree(reports / FOLDER, copy, ignore=shutil.ignore_patterns("*.html", "figures"))
    path = copy / "tables" / f"{name}.csv"
    head, _, body = path.read_text().partition("\n")
    wrong = pd.read_csv(path, comment="#")
    wrong.loc[0, column] += 1 if column == "k" else 0.01
    path.write_text(f"{head}\n{wrong.to_csv(index=False, float_format='%.6g')}")
    assert body != wrong.to_csv(index=False, float_format="%.6g")
    done = audited(reports, copy, "--only", name.partition("-")[0])
    assert done.returncode == 1, done.stdout + done.stderr
    places = [line for line, after in pairwise(done.stdout.splitlines()) if "WRONG" in after]
    assert places and all(place.startswith(name) for place in places), done.stdout


def test_no_images_pass_a_net_twice(reports):
    """Every layer of one net on one task was computed in one pass: its entries were written at one
    moment.
    """
    import safetensors

    passes: dict[str, list[float]] = {}
    for path in (reports / "cache" / "features").glob("*.safetensors"):
        with safetensors.safe_open(path, framework="numpy") as stored:
            key = json.loads(stored.metadata()["key"])
        passes.setdefault(json.dumps([key["net"], key["task"]]), []).append(path.stat().st_mtime)
    assert (
        max(len(times) for times in passes.values()) == 5
    )  # four stages, and the penultimate layer
    assert all(max(times) - min(times) < 2 for times in passes.values())


WORDS = re.compile(
    r"holds|does not hold|undecided|no power|"
    r"(holds|does not hold) on \d+ of \d+ (tasks|networks)(, does not on \d+)?"
)


def said(notebook: Path) -> set[str]:
    """What an executed notebook computed and said, tables left out."""
    texts = set()
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            text = "".join(output.get("data", {}).get("text/markdown", ""))
            if text and not text.startswith(("|", "Numbers saved", "X is")):
                texts.add(text)
    return texts


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_sentences_that_state_a_result_differ_where_the_answer_does(reports, notebook):
    """The executed notebooks of the checkout and this small run have other networks and images, so
    no sentence that states a number may be the same in both.
    """
    here = said(reports / FOLDER / f"{notebook}.ipynb")
    there = said(ROOT / "notebooks" / f"{notebook}.ipynb")
    stated = {text for text in here & there if re.search(r"\d", re.sub(r"\*\*.*?\*\*", "", text))}
    assert not stated
    if notebook != "00_getting_started":
        assert len(here - there) >= 3


CLEAR = {
    ("01_cka", 2): "holds",  # from a tenth or a fifth of the layer on
    ("02_probes", 1): "holds",  # of digits, by far; font style is no more than a control
    ("02_probes", 2): "holds",  # digits from 7% of the layer on
    ("02_probes", 3): "holds",
    ("03_pretraining", 9): "no power",  # two widths
}
"""What must come out, by notebook and claim: what holds, or does not, by far."""


def test_verdicts_follow_from_the_numbers(reports):
    words_of = {}
    for notebook in NOTEBOOKS:
        of_run = results(reports, notebook)
        assert of_run["parameters"]["SEEDS"] == SEEDS and of_run["provenance"]["torch"]
        # the paper has no such claims
        without = ("00_getting_started", "06_layers", "07_structure", "08_neurons", "09_data")
        assert bool(of_run["verdicts"]) == (notebook not in without)
        for one in of_run["verdicts"]:
            words_of.setdefault((notebook, one["claim"]), []).append(one["verdict"])
            assert WORDS.fullmatch(one["verdict"]), one
            assert one["kind"] == "undecided" or re.search(r"\d", one["because"]), one
            assert "A verdict needs" not in one["because"], one
    found = {key: set(words_of[key]) for key in CLEAR}
    assert found == {key: {word} for key, word in CLEAR.items()}
    words = [word for of_claim in words_of.values() for word in of_claim]
    assert any(word not in ("undecided", "no power") for word in words), words_of


def test_too_few_seeds_and_images_give_no_verdict(reports, tmp_path):
    for name, value, because in (
        ("SEEDS", "[1, 2]", "A verdict needs at least 3 seeds of the selection"),
        ("IMAGES", "60", "A verdict needs at least 100 test images"),
    ):
        seeds = [] if name == "SEEDS" else ["-p", "SEEDS", str(SEEDS)]
        words = ["--only", "01_cka", "-p", name, value, *seeds]
        run(tmp_path / name, reports / "cache", *words)
        (path,) = (tmp_path / name).glob("*/results/01_cka.json")
        verdicts = json.loads(path.read_text())["verdicts"]
        assert len(verdicts) == 2  # of neurons as they are, and standardized
        for verdict in verdicts:
            assert verdict["verdict"] == "undecided" and verdict["because"].startswith(because)
            assert "The numbers so far say: " in verdict["because"]


def test_figures_and_tables_are_kept(reports):
    names = {path.name for path in (reports / FOLDER / "figures").iterdir()}
    assert names and {Path(name).suffix for name in names} == {".png", ".svg"}
    for path in (reports / FOLDER / "tables").glob("*.csv"):
        assert (
            path.read_text().startswith("# 0")
            and f'"SEEDS": {SEEDS}' in path.read_text().partition("\n")[0]
        )


def test_the_same_run_gives_the_same_tables(reports, tmp_path):
    words = ["-p", "SEEDS", str(SEEDS), "--only", "01_cka", "--force"]
    run(tmp_path, reports / "cache", *words)
    for path in (tmp_path / FOLDER / "tables").glob("*.csv"):
        assert path.read_text() == (reports / FOLDER / "tables" / path.name).read_text(), path.name


def pages(reports: Path) -> list[Path]:
    return [reports / "index.html", *sorted((reports / FOLDER).glob("*.html"))]


def test_pages_load_nothing_from_elsewhere(reports):
    for path in pages(reports):
        text = path.read_text()
        assert not re.search(r"""src=["'](?:https?:)?//|<link""", text), path.name
        assert ("<script" in text) == (path.name == "explorer.html") and "@import" not in text
        assert not re.search(r"url\((?!#)", text)  # parts of a drawing refer to one another
        assert path.stat().st_size < 10**6


def test_pages_begin_with_an_answer_and_link_to_files_that_exist(reports):
    for notebook in NOTEBOOKS:
        page = (reports / FOLDER / f"{notebook}.html").read_text()
        main = page[page.index("<main") :]
        assert main.count('class="answer"') == main.count('class="hero"') == 1
        assert main.index('class="answer"') < main.index('class="hero"') < main.index("<h2")
        files = re.findall(r'href="((?:figures|tables)/[^"]+)"', page)
        assert len(files) > 3 and all((reports / FOLDER / name).is_file() for name in files)
        assert f'href="{notebook}.ipynb"' in page
        kept = json.loads((reports / FOLDER / "results" / f"{notebook}.json").read_text())
        assert kept["answer"] and kept["hero"]


def test_pages_have_contents_formulas_and_alternative_text(reports):
    for notebook in NOTEBOOKS:
        text = (reports / FOLDER / f"{notebook}.html").read_text()
        assert text.count("<math") >= 2 and "$" not in re.sub(
            r"<(pre|code).*?</\1>", "", text, flags=re.DOTALL
        )
        anchors = re.findall(r'<a href="#([^"]+)">', text)
        assert len(anchors) >= 7 and all(f'id="{anchor}"' in text for anchor in anchors)
        alternatives = re.findall(r'<img alt="([^"]*)"|<svg [^>]*aria-label="([^"]*)"', text)
        alternatives = ["".join(either) for either in alternatives]
        assert alternatives and all(len(words) > 40 for words in alternatives)
        assert "prefers-color-scheme: dark" in text and "@media print" in text
    index = (reports / "index.html").read_text()
    assert all(f'href="{FOLDER}/{name}.html"' in index for name in NOTEBOOKS)
    assert "What the numbers say" in index


@needs_chromium
def test_pages_in_a_browser(reports, tmp_path):
    """Without network: no console message, and the image is not blank."""
    from PIL import Image

    for number, path in enumerate(pages(reports)):
        image = tmp_path / f"{number}.png"
        flags = ["--enable-logging=stderr", "--window-size=1200,2000", f"--screenshot={image}"]
        done = chromium(path, tmp_path / str(number), *flags)
        assert ":CONSOLE" not in done.stderr, done.stderr
        pixels = np.asarray(Image.open(image).convert("L"))
        assert pixels.std() > 10


@needs_chromium
@needs_axe
def test_pages_are_accessible(reports, tmp_path):
    """On a wide screen in light colours, and on a phone in dark ones."""
    looks = [(path, *look) for path in pages(reports) for look in ((1400, False), (390, True))]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(
            lambda one: violations(
                one[0], tmp_path / f"{one[0].stem}-{one[1]}", one[1], dark=one[2]
            ),
            looks,
        )
        wrong = {look: rules for look, rules in zip(looks, found, strict=True) if rules}
    assert not wrong


@needs_chromium
@needs_axe
def test_what_is_not_accessible_is_found(tmp_path):
    text = page("A page", '<h1>A</h1><img src="data:,"><p style="color: #aaa">faint</p>')
    path = tmp_path / "wrong.html"
    path.write_text(text.replace(' lang="en"', ""))
    wrong = violations(path, tmp_path / "looked", 390)
    assert {"image-alt", "color-contrast", "html-has-lang"} <= wrong.keys()


@needs_chromium
def test_the_longest_report_prints_on_ten_sheets(tmp_path):
    """As kept executed, with every network; code is not printed."""
    kept = nbformat.read(ROOT / "notebooks" / "03_pretraining.ipynb", as_version=4)
    path = tmp_path / "03_pretraining.html"
    path.write_text(notebook_page(kept, "03_pretraining"), encoding="utf-8")
    assert path.stat().st_size < 10**6
    assert 4 <= sheets(path, tmp_path / "printed") <= 10


def test_results_hold_what_the_notebooks_said(reports):
    """``results.json`` fits its schema, and every verdict is also in the index."""
    from test_results import check

    found = json.loads((reports / "results.json").read_text())
    check(found)
    (preset,) = found["presets"]
    assert [one["notebook"] for one in preset["notebooks"]] == list(NOTEBOOKS)
    estimates = {
        one["notebook"]: {each["name"]: each for each in one["estimates"]}
        for one in preset["notebooks"]
    }
    share = estimates["02_probes"]["share at 20%, Handwritten digits"]
    assert share["low"] < share["value"] < share["high"]
    rows = table(reports, "01_cka-redundancy").query("selection == 'random' and delta == 0.9")
    for row in rows.itertuples():
        mine = estimates["01_cka"][f"DR(0.9) of cka, {row.case}"]
        ends = (mine["value"], mine["low"], mine["high"])
        assert ends == pytest.approx((row.DR, row.low, row.high), abs=1e-5)
    for one in preset["notebooks"]:
        kept = results(reports, one["notebook"])
        assert [each["because"] for each in one["verdicts"]] == [
            each["because"] for each in kept["verdicts"]
        ]
        assert one["parameters"] == kept["parameters"] and one["seconds"] > 0
