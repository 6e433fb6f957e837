"""``measure``: anyone's command in, summary, curves and a page out; every wrong file is one
line.
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import make_layer
from diffused_redundancy.__main__ import main
from hostile import NAME, hostile
from sklearn.linear_model import RidgeClassifier


@pytest.fixture
def arrays():
    X, y = make_layer(n=600, dtype="float32")
    return {"X_train": X[:400], "y_train": y[:400], "X_test": X[400:], "y_test": y[400:]}


def save(folder, arrays, suffix=".npz"):
    path = folder / f"features{suffix}"
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        from safetensors.torch import save_file

        save_file({name: torch.as_tensor(array) for name, array in arrays.items()}, path)
    return str(path)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_files_say_what_was_asked(tmp_path, capsys, arrays, suffix):
    out = tmp_path / "out"
    words = [
        "--seeds",
        "3",
        "--delta",
        "0.9",
        "--delta",
        "0.5",
        "--selection",
        "random",
        "--selection",
        "pca",
        "--probe",
        "both",
    ]
    assert main(["measure", save(tmp_path, arrays, suffix), "--out", str(out), *words]) == 0
    said = capsys.readouterr().out
    summary = json.loads((out / "summary.json").read_text())
    curves = pd.read_csv(out / "curves.csv")
    assert (
        summary["n_train"],
        summary["n_test"],
        summary["d"],
        summary["classes"],
        summary["seeds"],
    ) == (400, 200, 60, 5, [1, 2, 3])
    assert list(curves.columns) == ["measure", "selection", "seed", "k", "value"]
    assert set(curves["measure"]) == {
        *("cka", "standardized_cka", "ridge_accuracy", "logistic_accuracy")
    }
    every = curves[(curves["measure"] != "logistic_accuracy") & (curves["selection"] == "random")]
    assert (
        every.groupby(["measure", "seed"])["k"].agg(list).map(lambda k: k == list(range(1, 61)))
    ).all()
    assert len(summary["DR"]) == 4 * 2 * 2
    assert "of 60 neurons, chosen at random, keep" in said and "can be dropped" in said
    page = (out / "report.html").read_text()
    assert page.count("<figure") == 4 and 'src="http' not in page.replace("http://www.w3.org", "")


def test_numbers_are_those_of_plain_computation(tmp_path, arrays):
    out = tmp_path / "out"
    assert (
        main(
            [
                "measure",
                save(tmp_path, arrays),
                "--out",
                str(out),
                "--seeds",
                "2",
                "--penalty",
                "0.01",
            ]
        )
        == 0
    )
    curves = pd.read_csv(out / "curves.csv").set_index(["measure", "seed", "k"])["value"]
    torch.manual_seed(2)
    order = torch.randperm(60).numpy()
    strength = 0.01 * len(arrays["X_train"]) * arrays["X_train"].var(0, dtype=float).mean()
    for k in (1, 20, 60):
        chosen = order[:k]
        theirs = RidgeClassifier(alpha=strength).fit(
            arrays["X_train"][:, chosen].astype(float), arrays["y_train"]
        )
        expected = theirs.score(arrays["X_test"][:, chosen].astype(float), arrays["y_test"])
        assert curves["ridge_accuracy", 2, k] == pytest.approx(expected, abs=1e-6)
    summary = json.loads((out / "summary.json").read_text())
    for row in summary["DR"]:
        mean = curves[row["measure"]].groupby("k").mean()
        assert row["k"] == int((mean >= row["delta"] * row["full"] - 1e-9).idxmax())
        assert row["DR"] == pytest.approx(1 - row["k"] / 60)
        assert row["low"] <= row["DR"] <= row["high"]


def test_features_alone_give_cka(tmp_path, capsys, arrays):
    out = tmp_path / "out"
    assert main(["measure", save(tmp_path, {"X_train": arrays["X_train"]}), "--out", str(out)]) == 0
    assert set(pd.read_csv(out / "curves.csv")["measure"]) == {"cka", "standardized_cka"}
    assert json.loads((out / "summary.json").read_text())["classes"] == 0
    assert "only CKA is measured" in capsys.readouterr().out


def test_without_a_test_part_a_fifth_is_held_out(tmp_path, capsys, arrays):
    out = tmp_path / "out"
    words = np.array(["ant", "bee", "cat", "dog", "eel"])[arrays["y_train"]]
    assert (
        main(
            [
                "measure",
                save(tmp_path, {"X_train": arrays["X_train"], "y_train": words}),
                "--out",
                str(out),
            ]
        )
        == 0
    )
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["n_train"], summary["n_test"], summary["classes"]) == (320, 80, 5)
    assert "were held out" in capsys.readouterr().out


def test_standardising_makes_scale_irrelevant(tmp_path, arrays):
    scale = np.geomspace(1e-3, 1e3, 60).astype("float32")
    accuracies = []
    for i, factor in enumerate((1, scale)):
        folder = tmp_path / str(i)
        folder.mkdir()
        path = save(
            folder,
            {**arrays, "X_train": arrays["X_train"] * factor, "X_test": arrays["X_test"] * factor},
        )
        assert (
            main(["measure", path, "--out", str(folder / "out"), "--standardize", "--seeds", "2"])
            == 0
        )
        curves = pd.read_csv(folder / "out" / "curves.csv")
        accuracies.append(curves[curves["measure"] == "ridge_accuracy"]["value"].to_numpy())
    assert np.array_equal(*accuracies)


def test_larger_than_memory_files_give_the_same(tmp_path, arrays, monkeypatch):
    from diffused_redundancy.commands import arrays as command

    path = save(tmp_path, arrays)
    assert main(["measure", path, "--out", str(tmp_path / "a"), "--seeds", "2"]) == 0
    original = command.read_features
    monkeypatch.setattr(
        command, "read_features", lambda path, names: original(path, names, whole_below=0)
    )
    assert main(["measure", path, "--out", str(tmp_path / "b"), "--seeds", "2"]) == 0
    assert (tmp_path / "a" / "curves.csv").read_text() == (
        tmp_path / "b" / "curves.csv"
    ).read_text()


def test_constant_neurons_need_a_decision(tmp_path, capsys, arrays):
    for name in ("X_train", "X_test"):
        arrays[name] = np.concatenate(
            [arrays[name], np.full((len(arrays[name]), 2), 0.1, "float32")], 1
        )
    path = save(tmp_path, arrays)
    assert main(["measure", path, "--out", str(tmp_path / "a")]) == 2
    assert (
        "2 of 62 neurons are constant (index 60, 61): choose constant 'keep'"
        in capsys.readouterr().err
    )
    assert main(["measure", path, "--out", str(tmp_path / "b"), "--constant", "keep"]) == 0
    assert main(["measure", path, "--out", str(tmp_path / "c"), "--constant", "drop"]) == 0
    widths = [json.loads((tmp_path / name / "summary.json").read_text())["d"] for name in "bc"]
    assert widths == [62, 60]


def broken(name, value):
    return lambda arrays: {**arrays, name: value}


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda arrays: {"y_train": arrays["y_train"]}, "has no array 'X_train'"),
        (
            lambda arrays: {**arrays, "X_train": arrays["X_train"].astype(int)},
            "X_train holds int64: features must be float16",
        ),
        (lambda arrays: {**arrays, "X_train": arrays["X_train"][0]}, "two-dimensional"),
        (
            lambda arrays: {
                **arrays,
                "X_train": np.where(arrays["X_train"] > 3, np.nan, arrays["X_train"]),
            },
            "is nan: features must be finite",
        ),
        (lambda arrays: {**arrays, "X_test": arrays["X_test"] * np.inf}, "features must be finite"),
        (
            lambda arrays: {**arrays, "X_test": arrays["X_test"][:, :9]},
            "X_test has 9 neurons: X_train has 60",
        ),
        (
            lambda arrays: {**arrays, "y_train": arrays["y_train"][:9]},
            "one label for each of the 400 images",
        ),
        (lambda arrays: {**arrays, "y_train": arrays["y_train"] * 0}, "y_train holds one class"),
        (
            lambda arrays: {**arrays, "y_train": arrays["y_train"] + 0.5},
            "labels must be whole numbers or words",
        ),
        (
            lambda arrays: {**arrays, "y_test": arrays["y_test"] + 100},
            "which is not among the 5 classes",
        ),
        (
            lambda arrays: {**arrays, "X_train": np.ones_like(arrays["X_train"])},
            "all 60 neurons are constant",
        ),
        (lambda arrays: {name: arrays[name] for name in ("X_train", "X_test")}, "but no y_train"),
        (
            lambda arrays: {name: arrays[name] for name in ("X_train", "y_train", "X_test")},
            "there is X_test alone",
        ),
    ],
)
def test_bad_files(tmp_path, capsys, arrays, change, words):
    out = tmp_path / "out"
    with np.errstate(invalid="ignore"):
        path = save(tmp_path, change(arrays))
    assert main(["measure", path, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and words in said and said.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    "options, words",
    [
        (["--seeds", "0"], "seeds is 0: it must be 1 to 100000 (nearest: 1)"),
        (["--delta", "1.5"], "--delta is 1.5"),
        (["--selection", "pcaa"], "did you mean 'pca'"),
        (["--probe", "rigde"], "did you mean 'ridge'"),
        (["--penalty", "-1"], "penalty is -1"),
        (["--constant", "kep"], "did you mean 'keep'"),
        (["--device", "cpuu"], "did you mean 'cpu'"),
    ],
)
def test_bad_options(tmp_path, capsys, arrays, options, words):
    assert main(["measure", save(tmp_path, arrays), "--out", str(tmp_path / "out"), *options]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_truncated_file_and_a_file_in_the_way(tmp_path, capsys, arrays):
    path = save(tmp_path, arrays)
    content = (tmp_path / "features.npz").read_bytes()
    (tmp_path / "features.npz").write_bytes(content[: len(content) // 2])
    assert main(["measure", path, "--out", str(tmp_path / "out")]) == 2
    assert "cannot be read (truncated, or not a .npz file)" in capsys.readouterr().err
    (tmp_path / "blocked").write_text("")
    assert main(["measure", save(tmp_path, arrays), "--out", str(tmp_path / "blocked")]) == 2
    assert "a file of that name is in the way" in capsys.readouterr().err


def test_no_mixture_of_two_runs(tmp_path, capsys, arrays):
    out = tmp_path / "out"
    (out / "report.html").mkdir(parents=True)
    (out / "curves.csv").write_text("old")
    assert main(["measure", save(tmp_path, arrays), "--out", str(out), "--seeds", "1"]) == 2
    assert "a folder of that name is in the way" in capsys.readouterr().err
    assert (out / "curves.csv").read_text() == "old" and not (out / "summary.json").exists()


@pytest.mark.slow
def test_it_works_in_any_surroundings(tmp_path, arrays):
    """A folder with modules of other names, a matplotlibrc, no UTF-8, and a name with $."""
    environment = hostile(tmp_path)
    path = tmp_path / "run_$SLURM_JOB_ID_$SEED.npz"
    np.savez(path, X_train=arrays["X_train"])
    words = ["measure", path.name, "--out", NAME]
    done = subprocess.run(
        [sys.executable, "-m", "diffused_redundancy", *words],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert f"Report: {NAME}/report.html" in done.stdout
    page = (tmp_path / NAME / "report.html").read_text(encoding="utf-8")
    assert "run_$SLURM_JOB_ID_$SEED.npz" in page
