"""What is said of a layer whose probe is no better than guessing the largest class."""

from __future__ import annotations

import json

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import make_layer
from diffused_redundancy.__main__ import main
from diffused_redundancy.experiment.measurements import Measurement
from diffused_redundancy.measures.guessing import beats_guessing
from scipy.stats import binomtest

SAID = "is not clearly better than guessing the largest class of the test part each time"


@pytest.mark.parametrize("images", [20, 200, 5000])
@pytest.mark.parametrize("guessing", [0.1, 0.5, 0.98])
def test_the_test_is_the_exact_binomial_one(images, guessing):
    for right in range(0, images + 1, max(1, images // 40)):
        exact = binomtest(right, images, guessing, alternative="greater").pvalue
        assert beats_guessing(right / images, guessing, images) == (exact < 0.05)


def lopsided():
    """98% of the images in one class, features of pure noise."""
    X = np.random.default_rng(0).standard_normal((600, 20))
    return X[:400], (np.arange(400) >= 392) * 1, X[400:], (np.arange(200) >= 196) * 1


def noise():
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((600, 20)), np.arange(600) % 5
    return X[:400], y[:400], X[400:], y[400:]


@pytest.mark.parametrize("parts", [lopsided, noise])
def test_nothing_can_be_dropped_of_what_is_no_better_than_guessing(parts):
    X, y, X_test, y_test = parts()
    share = np.bincount(y_test).max() / len(y_test)
    result = dr.measure(X, y, X_test, y_test, probe="both", seeds=2)
    assert result.accuracy.guessing == share and result.accuracy.images == 200
    for measure in ("ridge_accuracy", "logistic_accuracy"):
        sentence, full = result.describe(measure=measure), result.curve(measure).full
        assert SAID in sentence and f"{full:.1%}" in sentence and f"{share:.1%}" in sentence
        assert "can be dropped:" not in sentence and "instead of" not in sentence
        name = measure.replace("_", " ")
        assert sum(f"DR of {name} means nothing" in note for note in result.notes) == 1
        assert result.redundancy(measure=measure).k  # the number itself stays
    assert repr(result) == result.describe(measure="ridge_accuracy")
    assert "keep a CKA of 0.9" in result.describe(measure="cka")


def test_the_command_and_its_report_say_so(tmp_path, capsys):
    names = ("X_train", "y_train", "X_test", "y_test")
    np.savez(tmp_path / "f.npz", **dict(zip(names, lopsided(), strict=True)))
    assert main(["measure", str(tmp_path / "f.npz"), "--out", str(tmp_path / "o")]) == 0
    printed = capsys.readouterr().out
    assert SAID in printed and "98.0% instead of" not in printed
    summary = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert any("means nothing" in note for note in summary["notes"])
    assert any(row["measure"] == "ridge_accuracy" for row in summary["DR"])
    report = (tmp_path / "o" / "report.html").read_text()
    assert "is not clearly better than guessing the largest class" in report


def test_a_lopsided_task_that_is_learned_is_told_as_before():
    X, y = make_layer(n=900)
    y = (y == 0).astype(int)
    result = dr.measure(X[:500], y[:500], X[500:], y[500:], seeds=2)
    assert "can be dropped" in repr(result) and result.notes == ()


def test_a_comparison_states_nothing_where_a_layer_is_as_good_as_guessing():
    values = np.tile(np.linspace(0.4, 0.5, 8), (3, 1))
    how = {"d": 8, "full": 0.5, "images": 200}
    arguments = ("ridge_accuracy", "random", (1, 2, 3), range(1, 9), values)
    guessing = dr.Curve(*arguments, guessing=0.5, **how)
    better = dr.Curve(*arguments, guessing=0.1, **how)
    cka = dr.Curve("cka", "random", (1, 2, 3), range(1, 9), values, d=8, full=0.5)
    for curve, stated in ((guessing, False), (better, True)):
        curves = ({"random": one} for one in (curve, cka, cka))
        measurement = Measurement(None, None, *curves, {"d": 8})
        redundancy = measurement.redundancy("accuracy", 0.9)
        assert (redundancy.k is not None) == stated == (redundancy.value == redundancy.value)
        assert measurement.redundancy("cka", 0.9).k is not None
        assert measurement.curve("accuracy").redundancy(0.9).k is not None
