"""On a CUDA device everything is as on the CPU, to within what float32 products leave open."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from conftest import features_of, make_layer
from diffused_redundancy.experiment.probed_layer import ProbedLayer
from diffused_redundancy.nets import extraction
from diffused_redundancy.tasks.splits import Split

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]

DEVICES = ("cuda", "cpu")
GRAM = 2e-6
"""Relative to the largest entry."""
CKA = 1e-6
ACCURACY = 0.01
"""Share of the test images."""
SELECTIONS = ("random", "pca", "random_projection")
KINDS = {"ridge": dr.RidgeProbe, "logistic": dr.LogisticProbe}


@pytest.fixture(scope="module")
def parts():
    X, y = make_layer(n=6000, d=300, dtype="float32")
    return X[:5000], y[:5000], X[5000:], y[5000:]


def both(X, y=None, **kind):
    return [dr.SufficientStatistics.from_features(X, y, device=one, **kind) for one in DEVICES]


def apart(a, b):
    """The largest difference, relative to the largest entry of the second."""
    a, b = (torch.as_tensor(one).cpu().double() for one in (a, b))
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_statistics(parts, dtype):
    X = torch.from_numpy(parts[0]).to(getattr(torch, dtype))
    there, here = both(X, parts[1], debiased=True)
    assert there.gram.device.type == "cuda" and there.n == here.n == 5000
    assert torch.equal(there.class_counts.cpu(), here.class_counts)
    for name in ("mean", "gram", "class_sums", "fourth"):
        assert apart(getattr(there, name), getattr(here, name)) < GRAM


def test_shards_and_features_that_are_there_already(parts):
    X, y, *_ = parts
    whole, here = both(X, y)
    shards = [
        dr.SufficientStatistics.from_features(
            torch.from_numpy(X[rows]).cuda(), y[rows], num_classes=5, device="cuda"
        )
        for rows in (slice(0, 1700), slice(1700, 5000))
    ]
    assert apart((shards[0] + shards[1]).gram, whole.gram) < GRAM
    assert apart(here.merge(shards[0]).gram, here.merge(both(X[:1700], y[:1700])[1]).gram) < GRAM


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("debiased", [False, True])
def test_cka(parts, selection, debiased):
    X = parts[0]
    there, here = (
        dr.cka_curve(s, dr.orderings(selection, s, [1, 2]), debiased=debiased, features=X).values
        for s in both(X, debiased=debiased)
    )
    assert np.abs(there - here).max() < CKA


def test_cka_of_a_wide_layer_of_many_images():
    """As many images and neurons as the benchmark has, where errors of long sums would show."""
    X, _ = make_layer(n=10_000, d=2048, dtype="float32")
    there, here = (dr.cka_curve(s, dr.orderings("random", s, range(1, 6))).values for s in both(X))
    assert np.abs(there - here).max() < CKA


def test_cka_in_half_precision(parts):
    X = parts[0].astype("float16")
    there, here = (dr.cka_curve(s, dr.ordering("random", s, 1)).values for s in both(X))
    assert np.abs(there - here).max() < CKA


def test_principal_components(parts):
    there, here = (dr.ordering("pca", s).directions.cpu() for s in both(parts[0]))
    assert there.shape == here.shape
    overlap = (there[:, :12] * here[:, :12]).sum(0)  # the layer has rank 12 and noise
    assert torch.allclose(overlap, torch.ones_like(overlap), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("selection", SELECTIONS)
def test_curves_of_probes(parts, kind, selection):
    sizes = [1, 10, 100, 250] if kind == "logistic" else None
    curves = []
    for device in DEVICES:
        probe = KINDS[kind](features_of(parts), penalty=0.01, device=device)
        orders = dr.orderings(selection, probe.statistics, [1, 2])
        curves.append(probe.curve(orders, sizes))
    there, here = curves
    assert np.abs(there.values - here.values).max() < ACCURACY
    assert abs(there.full - here.full) < ACCURACY
    if kind == "logistic":
        assert there.converged.all() and np.allclose(there.objective, here.objective, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_penalties(parts, kind):
    X, y, *_ = parts
    there, here = (KINDS[kind](dr.Features(X, y), device=one).choice for one in DEVICES)
    assert there.penalty == here.penalty and there.folds == here.folds
    assert np.allclose(there.loss, here.loss, rtol=0.01)
    assert np.allclose(there.accuracy, here.accuracy, atol=ACCURACY)


@pytest.mark.parametrize("kind", KINDS)
def test_penalties_of_views(parts, kind):
    X, y = np.tile(parts[0][:600], (2, 1)), np.tile(parts[1][:600], 2)
    there, here = (KINDS[kind](dr.Features(X, y, views=2), device=one).choice for one in DEVICES)
    assert np.allclose(there.loss, here.loss, rtol=0.01)


def test_standardised_ridge_probes(parts):
    curves = []
    for device in DEVICES:
        probe = dr.RidgeProbe(features_of(parts), standardize=True, device=device)
        curves.append(probe.curve(dr.ordering("random", probe.statistics, 1)))
    assert np.abs(curves[0].values - curves[1].values).max() < ACCURACY
    assert abs(curves[0].full - curves[1].full) < ACCURACY


def test_redundancy_and_cross_validation_of_ridge_probes(parts):
    probes = [dr.RidgeProbe(features_of(parts), penalty=0.01, device=one) for one in DEVICES]
    there, here = (
        one.redundancy(dr.orderings("random", one.statistics, range(1, 6))) for one in probes
    )
    assert abs(there.value - here.value) < 0.03
    (there, counts), (here, others) = (one.cross_validated("random", [1]) for one in probes)
    assert np.array_equal(counts, others)
    assert np.abs((there - here) @ counts / counts.sum()).max() < ACCURACY


@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_test_images_wherever_they_are(parts, where):
    X, y, X_test, y_test = parts
    features = dr.Features(X, y, torch.from_numpy(X_test).to(where), y_test)
    for kind in KINDS.values():
        probe = kind(features, penalty=0.01, device="cuda")
        expected = kind(features_of(parts), penalty=0.01, device="cpu").full
        assert abs(probe.full - expected) < ACCURACY


@pytest.mark.parametrize("standardize", [False, True])
def test_a_layer(parts, standardize):
    there, here = (
        ProbedLayer(lambda: features_of(parts), device=one, standardize=standardize)
        for one in DEVICES
    )
    for one, other in (
        (there.cka("random", [1, 2]), here.cka("random", [1, 2])),
        (there.cka("pca", [1], debiased=True), here.cka("pca", [1], debiased=True)),
    ):
        assert np.abs(one.values - other.values).max() < CKA
    for one, other in (
        (there.ridge("random", [1, 2]), here.ridge("random", [1, 2])),
        (there.logistic("random", [1], [10, 300]), here.logistic("random", [1], [10, 300])),
    ):
        assert np.abs(one.values - other.values).max() < ACCURACY
        assert abs(one.full - other.full) < ACCURACY
    assert there.about["diagonal_share"] == pytest.approx(here.about["diagonal_share"], rel=1e-5)


def test_the_default_device_is_the_gpu():
    assert dr.SufficientStatistics(3).device.type == "cuda"


def test_extraction():
    network, part = dr.net("miniature_resnet_128.standard_s1"), dr.task("digits").splits["test"]
    split = Split(part.images.take(range(90)), part.labels[:90])
    layers = ["penultimate", "layer2"]
    there, here = (extraction.extract(network, split, layers=layers, device=one) for one in DEVICES)
    for layer in layers:
        assert np.allclose(there[layer], here[layer], rtol=1e-4, atol=1e-4)
