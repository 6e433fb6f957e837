"""How sure DR is: sources of variance, coverage, seeds needed."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import make_layer
from curves import made_curve
from diffused_redundancy.experiment.measurements import COMPARED, measured_all
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.findings import precision
from diffused_redundancy.measures.cka_images import cka_by_images, spread, spread_rows
from diffused_redundancy.measures.coverage import simulated_coverage
from diffused_redundancy.measures.features import Features
from diffused_redundancy.measures.image_groups import (
    GROUPS,
    group_matrix,
    group_means,
    image_groups,
)
from diffused_redundancy.measures.selections import orders
from made_up import net, task
from scipy import stats

SIZES = np.arange(1, 201)


def rising(seeds=40, spread=0.1, images=0.1, seed=0):
    """A curve whose draws differ in speed, and whose images in level."""
    rng = np.random.default_rng(seed)
    values = 1 - np.exp(-SIZES / (30 * np.exp(spread * rng.normal(size=(seeds, 1)))))
    ease = images * rng.normal(size=(100, 1)) * (1 - SIZES / 200)
    by_images = values.mean(0) * (1 + ease - ease.mean(0))
    return made_curve(
        values, by_images=by_images, full_by_images=np.ones(100), guessing=0.1, images=1000
    )


def test_groups_are_random_equal_and_always_the_same():
    groups = image_groups(1234)
    assert np.array_equal(groups, image_groups(1234))
    sizes = np.bincount(groups)
    assert len(sizes) == GROUPS and sizes.max() - sizes.min() <= 1
    assert np.abs(np.corrcoef(groups, np.arange(1234))[0, 1]) < 0.1


@pytest.mark.parametrize("images", [1, 7, 100, 250])
def test_means_of_groups_are_those_of_a_loop(images):
    values = torch.rand(3, images) > 0.4
    groups = image_groups(images)
    plain = [
        values[:, groups == group].sum(1) * (groups.max() + 1) / images
        for group in range(groups.max() + 1)
    ]
    found = group_means(values)
    assert np.allclose(found, np.stack(plain, 1))
    assert np.allclose(found.mean(1), values.double().mean(1))
    numbers = torch.rand(3, images, dtype=torch.float64)
    matrix = group_matrix(images, numbers)
    assert np.allclose(matrix @ numbers.T, group_means(numbers).T)
    assert np.allclose(group_means(numbers).mean(1), numbers.mean(1))
    assert np.allclose(matrix @ values.double().T, found.T)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("selection", ["random", "pca", "gaussian_projection", "first"])
def test_influence_of_images_on_cka_is_the_derivative(selection, standardize):
    """Of a weight on the images of a group, by finite differences on the plain formula."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 12)) @ rng.standard_normal((12, 12)) * np.arange(1, 13) + 3
    X[:, 3] = 5.0  # constant
    statistics = dr.SufficientStatistics.from_features(X, device="cpu")
    some = dr.orderings(selection, statistics, [1, 2, 3])
    curve = dr.cka_curve(statistics, some, standardize=standardize)
    how = {"standardize": True} if standardize else {}
    found = cka_by_images(statistics, some, X, curve.mean, **how)
    assert found.shape == (100, curve.values.shape[1])
    groups = image_groups(300)

    def plain(weight):
        centred = X - weight @ X / weight.sum()
        gram = (centred * weight[:, None]).T @ centred
        if standardize:
            deviation = np.sqrt(gram.diagonal())
            deviation[3] = 1
            gram = gram / np.outer(deviation, deviation)
        values = []
        for one in some:
            Q = np.eye(12)[:, one.order] if one.order is not None else one.directions.numpy()
            rotated = Q.T @ gram
            values.append(
                [
                    (rotated[:k] ** 2).sum()
                    / np.linalg.norm(rotated[:k] @ Q[:, :k])
                    / np.linalg.norm(gram)
                    for k in range(1, Q.shape[1] + 1)
                ]
            )
        return np.mean(values, 0)

    step = 1e-4
    for group in (0, 17, 99):
        raised = np.ones(300) + step * (groups == group)
        derivative = (plain(raised) - plain(np.ones(300))) / (step * (groups == group).mean())
        assert found[group] - curve.mean == pytest.approx(derivative, rel=0.02, abs=2e-3)


def test_influence_of_many_images_is_scaled_to_their_number():
    rng = np.random.default_rng(1)
    mixing = rng.standard_normal((20, 20))
    deviations = {}
    for n in (500, 8000):
        X = rng.standard_normal((n, 20)) @ mixing
        statistics = dr.SufficientStatistics.from_features(X, device="cpu")
        some = dr.orderings("random", statistics, [1, 2, 3])
        mean = dr.cka_curve(statistics, some).mean
        by_images = cka_by_images(statistics, some, X, mean)
        assert by_images.mean(0) == pytest.approx(mean)
        deviations[n] = by_images[:, 9].std() / 10
    assert deviations[500] / deviations[8000] == pytest.approx(4, rel=0.25)


@pytest.mark.parametrize("n", [512, 513, 5000])
def test_images_are_from_all_over_the_features(n):
    """Also of features that are read in slices, of rows that follow one another."""

    class Read:
        shape, dtype = (n, 1), np.dtype("float64")

        def __len__(self):
            return n

        def __getitem__(self, rows):
            return np.arange(n)[rows, None].astype(float)

    rows = [np.arange(n)[some] for some in spread_rows(n)]
    assert all((np.diff(some) == 1).all() and len(some) in (16, n) for some in rows)
    assert len(rows) == 1 or np.ptp(np.diff([some[0] for some in rows])) <= 1
    for found in (spread(Read()), spread(torch.arange(n)[:, None])):
        assert len(found) == 512 and found[0] == 0 and found[-1] == n - 1
    assert spread(Read()).flatten().tolist() == np.concatenate(rows).tolist()


def test_sources_of_variance_are_those_put_in():
    both, draws = rising(), rising(images=0.0)
    images = rising(spread=0.0)
    of_draws = [precision.deviation(one, 0.9, over_images=False) for one in (both, draws, images)]
    of_images = [precision.deviation(one, 0.9, over_images=True) for one in (both, draws, images)]
    assert of_draws[0] == pytest.approx(of_draws[1], rel=0.2) and of_draws[2] < 1e-12
    assert of_images[0] == pytest.approx(of_images[2], rel=0.2) and of_images[1] == 0
    # ln 10 times 30 neurons, of 200, and a tenth of that over the root of 40 draws
    assert of_draws[0] == pytest.approx(np.log(10) * 30 * 0.1 / np.sqrt(40) / 200, rel=0.3)


def test_seeds_needed_are_those_of_the_normal_interval():
    assert precision.seeds_for(0.02, 0.05, 0.0) == np.ceil((1.959964 * 0.05 / 0.02) ** 2)
    assert np.isnan(precision.seeds_for(0.01, 0.05, 0.006))


def test_coverage_is_near_what_is_said_and_falls_where_images_are_ignored():
    curve = rising(seeds=60, images=0.15)
    assert 0.9 <= simulated_coverage(curve, experiments=200) <= 1
    assert 0.9 <= simulated_coverage(curve, 5, experiments=200) <= 1
    assert simulated_coverage(curve, confidence=0.5, experiments=200) < 0.7
    assert 0.85 <= simulated_coverage(curve, 5, 0.5, experiments=100, seed=1) <= 1
    some = {"confidence": 0.5, "experiments": 20}
    found = [simulated_coverage(curve, 5, seed=seed, **some) for seed in (1, 2, 3, 1)]
    assert found[3] == found[0] and len(set(found)) > 1
    images = {"by_images": [[0.5, 1.0]] * 3}
    for values, given in (([[0.5, 1.0]], images), ([[0.5, 1.0], [0.6, 1.0]], {})):
        with pytest.raises(dr.InputError, match="several draws"):
            simulated_coverage(made_curve(values, **given))
    two = made_curve([[0.5, 1.0], [0.5, 1.0]], by_images=np.array(images["by_images"]))
    assert simulated_coverage(two, experiments=3) == 1


def test_images_that_move_the_whole_layer_as_well_do_not_move_dr():
    """All values of a group of images are larger by one factor: only the draws are uncertain."""
    curve = rising(seeds=60)
    factor = 1 + 0.3 * np.random.default_rng(0).normal(size=100)
    factor /= factor.mean()
    moved = {"by_images": np.outer(factor, curve.mean), "full_by_images": factor}
    for values, least, most in ((curve.values, 0.35, 0.65), (curve.mean[None].repeat(9, 0), 1, 1)):
        some = made_curve(values, **moved)
        assert least <= simulated_coverage(some, 5, confidence=0.5, experiments=150) <= most


def test_a_table_and_a_sentence_on_precision():
    table = precision.precision_table({"a": rising(images=0.02), "b": rising(images=0.5)}, 0.9)
    assert table["case"].tolist() == ["a", "b"] and (table["coverage"] > 0.85).all()
    assert np.allclose(table["sd_paper_subsets"], table["sd_subsets"] * np.sqrt(8))
    shown = precision.shown_precision(table)
    assert shown.iloc[1]["seeds for ±0.01"] == "images alone vary more"
    text = precision.describe_precision(table)
    half = (table["high"] - table["low"]) / 2
    assert f"known to ±{half[0]:.3f} on a, and to ±{half[1]:.3f} on b (half of" in text
    assert "With 40 subsets, other images move it more than other subsets do in 1 of 2" in text
    table["coverage"], table["coverage_paper_seeds"] = [0.9551, 0.9649], [0.9549, 0.9649]
    table["case"] = ["Photos, a", "Photos, b"]
    told = precision.describe_precision(table)  # 96% twice is no range
    assert " on Photos with a, and to ±" in told and " on Photos with b (half of" in told
    assert "of that data in 96% of the experiments, those of 5 subsets in 95% to 96% (±3%)" in told
    alone = precision.describe_precision(table[:1])
    assert f"±{half[0]:.3f} on Photos with a (half" in alone and "in 0 of 1 cases" in alone
    guessing = made_curve([[0.1, 0.1], [0.1, 0.1]], full=0.1, guessing=0.1, images=50)
    empty = precision.precision_table({"a": guessing}, 0.9)
    assert empty.empty and "It takes" in precision.describe_precision(empty)


def layer_of(seed, n=240):
    X, y = make_layer(n=n, d=30, seed=seed)
    half = n // 2
    one = Features(X[:half], y[:half], X[half:], y[half:])
    return ProbedLayer(lambda: one, device="cpu")


def test_train_images_drawn_anew_against_scikit_learn():
    from sklearn.linear_model import RidgeClassifier

    layer = layer_of(0)
    curves, full = layer.ridge_refits([1, 2], 2, penalty=0.1)
    one = layer.features
    rng = np.random.default_rng(0)
    for row in range(2):
        drawn = rng.integers(120, size=120)
        X, y = one.X_train[drawn], np.asarray(one.y_train)[drawn]
        alpha = 0.1 * len(X) * X.var(0).mean()
        theirs = []
        for seed in (1, 2):
            chosen = dr.ordering("random", layer.statistics, seed).order.numpy()[:7]
            fitted = RidgeClassifier(alpha=alpha).fit(X[:, chosen], y)
            theirs.append(fitted.score(one.X_test[:, chosen], one.y_test))
        assert curves[row, 6] == pytest.approx(np.mean(theirs))
        fitted = RidgeClassifier(alpha=alpha).fit(X, y)
        assert full[row] == pytest.approx(fitted.score(one.X_test, one.y_test))
    assert precision.train_deviation(layer, 0.9, 0.1) >= 0


def test_components_add_up():
    nets = [net(name, seed=seed) for seed, name in enumerate("abc")]
    of = task("t")
    measurements = measured_all(
        [(one, of, layer_of(seed)) for seed, one in enumerate(nets)],
        probe="ridge",
        selections=["random"],
        seeds=range(1, 9),
        fractions=[1.0],
    )
    table = precision.components(measurements, nets, {"t": 0.05}, 0.9)
    accuracy = table[table["measure"] == "accuracy"].set_index("source")
    assert accuracy.loc[precision.TRAIN, "sd"] == 0.05
    assert accuracy["share"].sum() == pytest.approx(1)
    values = [measurements.of(one, of).redundancy("accuracy", 0.9).value for one in nets]
    own = accuracy.loc[precision.SUBSETS, "sd"] ** 2 + precision.own_variance_over_images(
        [measurements.of(one, of).curve("accuracy") for one in nets], 0.9
    )
    row, spread = accuracy.loc[precision.PRETRAINING], np.var(values, ddof=1)
    assert row["sd"] == pytest.approx(np.sqrt(max(spread - own, 0)))
    most = 2 * spread / stats.chi2.ppf(0.025, 2) - own
    assert row["low"] <= row["sd"] <= row["high"] == pytest.approx(np.sqrt(most))
    assert precision.TRAIN not in table[table["measure"] == "CKA"]["source"].tolist()
    groups, series = precision.component_series(table)
    assert groups == [f"{name}, {of.title}" for name in COMPARED.values()] and len(series) == 4
    assert np.isnan(series[2].points[1].value)  # CKA knows no probe
    assert "rests on 3 networks" in precision.describe_components(table, 0.9)


def test_the_deviation_of_pre_training_is_told_wherever_it_may_be_the_largest():
    def said(*ends):
        rows = [
            {"measure": "accuracy", "task": name, "source": source, "sd": sd, "low": low}
            | {"high": high, "networks": 5, "seeds": 10}
            for name, of_task in zip("stu", ends, strict=False)
            for source, sd, low, high in (
                (precision.SUBSETS, 0.01, np.nan, np.nan),
                (precision.IMAGES, 0.04, np.nan, np.nan),
                (precision.PRETRAINING, *of_task),
            )
        ]
        return precision.describe_components(pd.DataFrame(rows), 0.9)

    text = said((0, 0, 0.1), (0.06, 0.05, 0.2), (0.02, 0.01, 0.03))
    assert (
        "- accuracy: 0.0400 from the images on s (pre-training: 0.0000 to 0.1000), 0.0400 from the "
        "images on t (pre-training: 0.0500 to 0.2000) and" in text
    )
    assert "but for that of the pre-training seed (subsets: of the mean over 10)" in text
    assert text.endswith(
        "lies above the other in 1 of 3 cases and below it in 1; in 1 it is open which is larger."
    )
    alone = said((np.nan, np.nan, np.nan))
    assert "0.0400 from the images on s.\n\nOne network cannot" in alone and "but for" not in alone


def test_what_images_do_to_one_network_alone_is_not_of_its_pre_training():
    one, other = rising(spread=0.0, seed=1), rising(spread=0.0, seed=2)
    assert precision.own_variance_over_images([one, one], 0.9) == 0
    apart = precision.own_variance_over_images([one, other], 0.9)
    whole = [precision.deviation(curve, 0.9, over_images=True) ** 2 for curve in (one, other)]
    assert apart == pytest.approx(np.mean(whole), rel=0.4)  # images easy to one only
    assert np.isnan(precision.own_variance_over_images([one], 0.9))


def test_deviations_of_few_draws_are_not_widened_as_intervals_are():
    found = [
        precision.deviation(rising(seeds=5, seed=seed), 0.9, over_images=False)
        for seed in range(40)
    ]
    true = np.log(10) * 30 * 0.1 / np.sqrt(5) / 200
    assert np.sqrt(np.mean(np.square(found))) == pytest.approx(true, rel=0.25)


def test_orders_are_the_seeds_given_and_more():
    assert orders([1, 2, 3], 5) == [1, 2, 3, 4, 5] and orders([9], 3) == [9, 1, 2]
    assert orders([4, 5, 6], 2) == [4, 5, 6]
