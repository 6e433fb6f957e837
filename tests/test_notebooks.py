"""The notebooks: run in the smoke preset, their numbers read back and checked, their pages looked
at.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import diffused_redundancy as dr
import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from diffused_redundancy import parameters
from diffused_redundancy.measure.selections import random_order
from diffused_redundancy.pipeline.execute import execute
from diffused_redundancy.probes.ridge import strength

NOTEBOOKS = parameters.available()


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> Path:
    """The reports of the smoke preset, made once by the command people use, with an empty cache."""
    out = tmp_path_factory.mktemp("reports")
    environment = {**os.environ, "DIFFUSED_REDUNDANCY_CACHE": str(out / "cache")}
    command = [
        sys.executable,
        "-m",
        "diffused_redundancy",
        "run",
        "--preset",
        "smoke",
        "--out",
        str(out),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    assert all(f"{name}: done" in done.stderr for name in NOTEBOOKS)
    return out


def smoke_digits() -> dr.Task:
    """The task as the smoke preset has it, with fewer images."""
    return dr.task("digits", images=parameters.preset("smoke").everywhere["IMAGES"])


def table(reports: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(reports / "smoke" / "tables" / f"{name}.csv", comment="#")


def results(reports: Path, notebook: str) -> dict:
    return json.loads((reports / "smoke" / "results" / f"{notebook}.json").read_text())


@pytest.fixture(scope="module")
def digits(reports) -> tuple[dr.SufficientStatistics, dr.Features]:
    found = dr.features(
        dr.net("miniature_resnet.standard_s1"), smoke_digits(), cache=dr.Cache(reports / "cache")
    )
    return dr.SufficientStatistics.from_features(found.X_train, found.y_train), found


def test_cka_read_back(reports, digits):
    import plain

    _, found = digits
    curves = table(reports, "01_cka-curves").set_index(["case", "selection", "seed", "k"])["value"]
    for seed in (1, 2):
        order = random_order(512, seed).numpy()
        for k in (5, 102, 512):
            expected = plain.cka(found.X_train[:, order[:k]], found.X_train)
            assert curves["Handwritten digits", "random", seed, k] == pytest.approx(
                expected, abs=2e-6
            )


def test_redundancy_follows_from_the_curves(reports):
    for notebook, name, column in (("01_cka", "curves", None), ("02_probes", "ridge", "full")):
        curves = table(reports, f"{notebook}-{name}")
        listed = table(reports, f"{notebook}-redundancy" + ("" if column is None else "-ridge"))
        for row in listed[listed["selection"] == "random"].itertuples():
            mine = (
                curves[(curves["case"] == row.case) & (curves["selection"] == "random")]
                .groupby("k")["value"]
                .mean()
            )
            assert row.k == (mine >= row.delta * row.full - 1e-6).idxmax()
            assert pytest.approx(1 - row.k / row.d, abs=1e-5) == row.DR


def test_probes_read_back(reports, digits):
    from sklearn.linear_model import RidgeClassifier

    statistics, found = digits
    curves = table(reports, "02_probes-ridge").set_index(["case", "selection", "seed", "k"])[
        "value"
    ]
    penalties = table(reports, "02_probes-penalties").set_index(["case", "probe"])["penalty"]
    alpha = strength(statistics, float(penalties["Handwritten digits", "ridge"]))
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


def test_nets_compared_read_back(reports):
    """03 and 06 measure the standard net's last layer as 01 and 02 did; their DR follows from those
    curves.
    """
    by_net, by_layer = (
        table(reports, "03_pretraining-redundancy"),
        table(reports, "06_layers-redundancy"),
    )
    digits = by_net[by_net["net"] == "miniature_resnet.standard_s1"].set_index(["measure", "delta"])
    last = by_layer[(by_layer["layer"] == "layer4") & (by_layer["width"] == "own")].set_index(
        ["measure", "delta"]
    )
    for measure, source in (("cka", "01_cka-curves"), ("accuracy", "02_probes-ridge")):
        curves = table(reports, source)
        mean = (
            curves[(curves["case"] == "Handwritten digits") & (curves["selection"] == "random")]
            .groupby("k")["value"]
            .mean()
        )
        for delta in (0.8, 0.9, 0.95):
            row = digits.loc[measure, delta]
            assert (
                row["k"]
                == (mean >= delta * mean.iloc[-1] - 1e-6).idxmax()
                == last.loc[measure, delta]["k"]
            )
            assert row["DR"] == pytest.approx(1 - row["k"] / 512, abs=1e-5)
            assert row["low"] - 1e-6 <= row["DR"] <= row["high"] + 1e-6


def plain_ridge_by_class(statistics, found, columns: np.ndarray, penalty: float) -> np.ndarray:
    """Accuracy by class (C,) of scikit-learn's ridge classifier on some neurons."""
    from sklearn.linear_model import RidgeClassifier

    probe = RidgeClassifier(alpha=strength(statistics, penalty)).fit(
        found.X_train[:, columns].astype(float), found.y_train
    )
    right = probe.predict(found.X_test[:, columns].astype(float)) == found.y_test
    return np.array([right[found.y_test == c].mean() for c in range(10)])


def test_fairness_reads_back(reports, digits):
    """05: the Gini index of the table, from scikit-learn's predictions and the definition."""
    statistics, found = digits
    spread = table(reports, "05_fairness-spread")
    penalties = table(reports, "02_probes-penalties").set_index(["case", "probe"])["penalty"]
    row = spread[(spread["net"] == "standard_s1") & (spread["neurons"] == "90% of the mean")].iloc[
        0
    ]
    ginis, worst = [], []
    for seed in (1, 2):
        a = plain_ridge_by_class(
            statistics,
            found,
            random_order(512, seed).numpy()[: row["k"]],
            float(penalties["Handwritten digits", "ridge"]),
        )
        ginis.append(sum(abs(x - y) for x in a for y in a) / (2 * len(a) ** 2 * a.mean()))
        worst.append(a.min())
    assert row["Gini"] == pytest.approx(np.mean(ginis), abs=1e-5) and row[
        "worst class"
    ] == pytest.approx(np.mean(worst), abs=1e-5)


def test_nested_prefixes_read_back(reports):
    found = dr.features(
        dr.net("miniature_resnet.mrl_s1"), smoke_digits(), cache=dr.Cache(reports / "cache")
    )
    statistics = dr.SufficientStatistics.from_features(found.X_train, found.y_train)
    penalty = dr.choose_ridge_penalty(found.X_train, found.y_train).penalty
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


def test_no_pictures_pass_a_net_twice(reports):
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


def test_verdicts_are_of_known_claims(reports):
    words = {"holds", "holds in part", "does not hold", "undecided"}
    for notebook in NOTEBOOKS:
        found = results(reports, notebook)
        assert bool(found["verdicts"]) == (
            notebook != "06_layers"
        )  # the paper says nothing of depth
        for one in found["verdicts"]:
            assert one["verdict"] in words and (
                one["verdict"] == "undecided" or re.search(r"\d", one["because"])
            )
        assert found["parameters"]["SEEDS"] == [1, 2]
        assert found["provenance"]["torch"]


def test_figures_and_tables_are_kept(reports):
    names = {path.name for path in (reports / "smoke" / "figures").iterdir()}
    assert names and {Path(name).suffix for name in names} == {".png", ".svg"}
    for path in (reports / "smoke" / "tables").glob("*.csv"):
        assert (
            path.read_text().startswith("# 0")
            and '"SEEDS": [1, 2]' in path.read_text().partition("\n")[0]
        )


def test_the_same_run_gives_the_same_tables(reports, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "diffused_redundancy",
            "run",
            "--preset",
            "smoke",
            "--only",
            "01_cka",
            "--out",
            str(tmp_path),
            "--force",
        ],
        env={**os.environ, "DIFFUSED_REDUNDANCY_CACHE": str(reports / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for path in (tmp_path / "smoke" / "tables").glob("*.csv"):
        assert path.read_text() == (reports / "smoke" / "tables" / path.name).read_text(), path.name


def pages(reports: Path) -> list[Path]:
    return [reports / "index.html", *sorted((reports / "smoke").glob("*.html"))]


def test_pages_load_nothing_from_elsewhere(reports):
    for path in pages(reports):
        text = path.read_text()
        assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", text), path.name
        assert "<script" not in text and "@import" not in text and "url(" not in text
        assert path.stat().st_size < 3 * 2**20


def test_pages_have_contents_formulas_and_alternative_text(reports):
    for notebook in NOTEBOOKS:
        text = (reports / "smoke" / f"{notebook}.html").read_text()
        assert text.count("<math") >= 2 and "$" not in re.sub(
            r"<(pre|code).*?</\1>", "", text, flags=re.DOTALL
        )
        anchors = re.findall(r'<a href="#([^"]+)">', text)
        assert len(anchors) >= 7 and all(f'id="{anchor}"' in text for anchor in anchors)
        alternatives = re.findall(r'<img alt="([^"]*)"', text)
        assert alternatives and all(len(words) > 40 for words in alternatives)
        assert "prefers-color-scheme: dark" in text and "@media print" in text
    index = (reports / "index.html").read_text()
    assert all(f'href="smoke/{name}.html"' in index for name in NOTEBOOKS)
    assert "What the numbers say" in index


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium to look with")
def test_pages_in_a_browser(reports, tmp_path):
    """Without network: no console message, and the image is not blank."""
    from PIL import Image

    for number, path in enumerate(pages(reports)):
        image = tmp_path / f"{number}.png"
        flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
        flags += "--disable-background-networking --disable-component-update --disable-sync"
        command = [
            "chromium",
            *flags.split(),
            "--enable-logging=stderr",
            "--window-size=1200,2000",
            f"--user-data-dir={tmp_path / str(number)}",
        ]
        command += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--screenshot={image}", path.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert ":CONSOLE" not in done.stderr, done.stderr
        pixels = np.asarray(Image.open(image).convert("L"))
        assert pixels.std() > 10


def write_notebook(folder: Path, code: str) -> None:
    folder.mkdir()
    head = (
        '# %% [markdown]\n# # A failing notebook\n\n# %% tags=["parameters"]\nSEEDS: '
        "list[int] = [1]  # Seeds\n\n# "
        "%%\n"
    )
    (folder / "09_fails.py").write_text(head + code)


@pytest.mark.parametrize(
    "code, words",
    [
        ("1 / 0\n", ["code cell 2", "ZeroDivisionError: division by zero"]),
        (
            "import os\nos.kill(os.getpid(), 9)\n",
            ["The process died without a word", "memory ran out"],
        ),
        (
            'import diffused_redundancy as dr\ndr.task("digit")\n',
            ["did you mean &#x27;digits&#x27;"],
        ),
    ],
)
def test_a_failure_leaves_a_readable_page(tmp_path, monkeypatch, code, words):
    write_notebook(tmp_path / "notebooks", code)
    monkeypatch.setattr(parameters.paths, "notebooks", lambda: tmp_path / "notebooks")
    outcome = execute("09_fails", {}, tmp_path / "out", preset="miniature")
    assert not outcome.ok and "\n" not in outcome.error
    page = (tmp_path / "out" / "09_fails.html").read_text()
    assert (
        "This notebook did not finish" in page
        and "--preset smoke --only 09_fails" in page
        and "GiB" in page
    )
    assert all(word in page for word in words)
    assert not list((tmp_path / "out").glob(".*"))


def test_a_failed_run_exits_with_one(tmp_path, monkeypatch):
    from diffused_redundancy.pipeline import plan as jobs
    from diffused_redundancy.pipeline import runner

    job = jobs.Job("01_cka", {"TASKS": ["npz:/nowhere.npz"]}, tmp_path / "smoke", "smoke")
    outcomes = runner.run([job], out=tmp_path)
    assert not outcomes[0].ok and "there is no" in outcomes[0].error
    assert "failed" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_pairs_agree_and_outputs_are_of_this_source(notebook):
    import jupytext

    script = ROOT / "notebooks" / f"{notebook}.py"
    pair = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    ours = jupytext.read(script)
    assert [(cell.cell_type, cell.source) for cell in pair.cells] == [
        (cell.cell_type, cell.source) for cell in ours.cells
    ]
    assert (
        pair.metadata["diffused_redundancy"]["source_sha256"]
        == hashlib.sha256(script.read_bytes()).hexdigest()
    ), "run ./run_all.sh --save"
    assert "papermill" not in pair.metadata and pair.metadata["kernelspec"]["name"] == "python3"
    assert script.with_suffix(".ipynb").stat().st_size < 2**20
    for cell in pair.cells:
        if cell.cell_type != "code":
            continue
        assert cell.execution_count is not None
        for output in cell.outputs:
            assert output.output_type == "display_data", output
            assert set(output.data) <= {"image/png", "text/plain", "text/markdown"}
            assert len(output.data.get("image/png", "")) * 3 / 4 <= 100_000
            assert str(ROOT) not in json.dumps(output) and str(Path.home()) + "/" not in json.dumps(
                output
            )
