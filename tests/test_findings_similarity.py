"""What notebook 01 says follows from its curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import make_layer
from curves import made_curve
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.findings import similarity
from diffused_redundancy.measures.features import Features


@pytest.fixture(scope="module")
def layers():
    return {"a case": ProbedLayer(lambda: Features(make_layer(n=300)[0]))}


def test_layers(layers):
    (row,) = similarity.layers_table(layers).to_dict("records")
    assert row["case"] == "a case" and (row["n_train"], row["d"], row["constant neurons"]) == (
        300,
        60,
        0,
    )
    assert row["r"] == layers["a case"].about["diagonal_share"]


def test_sentences_state_the_numbers(layers):
    curves = similarity.cka_curves(layers, ["random", "pca"], [1, 2])
    assert list(curves["a case"]) == ["random", "pca"]
    values = layers["a case"].cka("random", [1, 2]).at(6)
    sentence = similarity.describe_cka(curves)
    assert f"{values.mean():.3f} (0.000 to 1.000) on a case" in sentence  # of two seeds
    assert "No random" in similarity.describe_cka({"a case": {}})
    fifth = layers["a case"].cka("random", [1, 2]).at(12).mean()
    assert similarity.results_of(curves) == {"cka at 20%, a case": fifth}


def test_errors_of_the_closed_form(layers):
    k = np.arange(1, 61)
    form = 1 - 1 / (k + 1)
    off = np.zeros(60)
    off[[1, 7]] = 0.1, -0.05  # k = 2 and k = 8, of which the latter is beyond a tenth
    spread = np.array([[0.01], [-0.01]])
    curve = made_curve(form - off + spread, measure="cka")
    beside = similarity.closed_form_curves({"a case": curve}, {"a case": form})
    assert list(beside) == ["case", "k", "closed_form", "mean", "standard_error"]
    assert beside["standard_error"].to_numpy() == pytest.approx(0.01)
    (band,) = similarity.closed_form_bands(beside)
    assert band.center == pytest.approx(off) and band.half == pytest.approx(0.02)
    table = similarity.closed_form_errors(beside, layers)
    assert table.iloc[0].drop(["case", "r"]).to_dict() == pytest.approx(
        {
            "largest error, all k": 0.1,
            "at k": 2,
            "largest error, k ≥ 10%": 0.05,
            "within 0.02 from k": 9,
        }
    )
    sentence = similarity.describe_closed_form(table)
    assert "within 0.050 of the measured mean" in sentence
    assert sentence.endswith("the largest error is 0.100 (at k = 2).")


def test_one_random_curve_has_no_standard_error():
    curve = made_curve([0.5, 1.0], measure="cka")
    beside = similarity.closed_form_curves({"a": curve}, {"a": np.array([0.4, 1.0])})
    assert beside["standard_error"].isna().all()
    assert (similarity.closed_form_bands(beside)[0].half == 0).all()


def test_closed_forms_are_those_of_the_layers(layers):
    form = similarity.closed_forms(layers)["a case"]
    assert np.array_equal(form, layers["a case"].closed_form())


def test_plain_and_debiased():
    plain = made_curve([[0.3, 0.6, 1.0]], measure="cka")
    other = made_curve([[0.1, 0.55, 1.0]], measure="debiased_cka")
    table = similarity.debiased_table({"a": plain}, {"a": other})
    assert table.to_dict("list") == {
        "case": ["a"],
        "plain at 10%": [0.3],
        "debiased at 10%": [0.1],
        "largest difference": [pytest.approx(0.2)],
        "at k": [1],
    }
    said = similarity.describe_debiased(table, {"a": plain}, {"a": other})
    assert said.endswith("is large enough to see here.")
    table["largest difference"] /= 100
    assert "is small here" in similarity.describe_debiased(table, {"a": plain}, {"a": other})


def test_debiased_cka_of_fewer_orders_says_that_other_numbers_are_over_more():
    tenth = np.array([0.9, 0.92, 0.8, 0.84])[:, None]
    plain = made_curve(np.repeat(tenth, 10, 1), measure="cka")
    few = made_curve(np.repeat(tenth[:2], 10, 1) - 0.001, measure="debiased_cka")
    assert plain.seeds[:2] == few.seeds
    curves = {"Photos, a": plain}, {"Photos, a": few}
    table = similarity.debiased_table(*curves)
    assert similarity.describe_debiased(table, *curves).endswith(
        "over the same 2 orders of the neurons. Elsewhere CKA of random neurons is over 4, with "
        "other means: of a tenth of the neurons 0.865 instead of 0.910 on Photos with a."
    )


def test_what_standardizing_does(layers):
    layer = layers["a case"]
    random, scaled = (
        layer.cka("random", [1, 2, 3]),
        layer.cka("random", [1, 2, 3], standardize=True),
    )
    table = similarity.scale_table({"a": random}, {"a": scaled}, 0.9)
    row = table.iloc[0]
    expected = scaled.redundancy(0.9).value - random.redundancy(0.9).value
    assert row["difference"] == pytest.approx(expected)
    draws = scaled.redundancy_draws(0.9) - random.redundancy_draws(0.9)
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])))
    one = made_curve([0.5, 1.0], measure="cka")
    assert np.isnan(similarity.scale_table({"a": one}, {"a": one}, 0.9)["low"].item())


def test_the_sentence_on_scale_has_signs():
    rows = [("a", 0.02, 0.01, 0.03), ("b", -0.05, -0.06, -0.04), ("c", 0.0, -0.01, 0.01)]
    table = pd.DataFrame(rows, columns=["case", "difference", "low", "high"])
    text = similarity.describe_scale(table)
    assert "is -0.050 (b, -0.060 to -0.040) to +0.020 (a, +0.010 to +0.030)." in text
    assert "clearly higher in 1 of 3 cases and clearly lower in 1." in text
    assert text.endswith("of one network on one task: another seed of the pre-training may differ.")
    alone = similarity.describe_scale(table[:1].assign(low=np.nan, high=np.nan))
    assert "is +0.020 (a). It is clearly higher in 0 of 1" in alone


def test_what_is_said_of_dimensions_is_of_each_kind():
    table = pd.DataFrame(
        {"case": ["a", "b", "c"], "d": [384, 384, 512], "PR": [87.7, 92.0, 8.0]}
        | {"r": [0.238, 0.249, 0.033], "k*": [193, 197, 53]}
    )
    assert similarity.describe_dimensions(table, ["texts", "a", "b"], ["others", "c"], 0.9) == (
        "**What to see:** texts fill 88 to 92 of 384 dimensions (r is 0.238 to 0.249): a CKA of "
        "0.9 takes 193 to 197 neurons. Others fill 8 of 512 dimensions (r is 0.033): a CKA of 0.9 "
        "takes 53 neurons."
    )
