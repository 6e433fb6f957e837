"""A real ImageNet ResNet18 on real CIFAR10 images reproduces the figures measured beforehand with
plain code.
"""

from __future__ import annotations

import json

import diffused_redundancy as dr
import pytest
from diffused_redundancy.__main__ import main

pytestmark = pytest.mark.slow


def names(real) -> tuple[str, str]:
    return (
        f"resnet18.tv_in1k@{real / 'resnet18_imagenet1k.safetensors'}",
        f"folder:{real / 'cifar10_subset'}",
    )


@pytest.fixture(scope="module")
def features(real, tmp_path_factory):
    net, task = names(real)
    images = dr.task(task)
    assert images.classes[:2] == ("airplane", "automobile")
    # the cache is that of the run below
    return dr.features(
        dr.net(net), images, cache=dr.Cache(tmp_path_factory.getbasetemp() / "cache")
    )


def check(curve: dr.Curve, values: dict[float, float], tolerance: float) -> None:
    for fraction, value in values.items():
        assert curve.at_fraction(fraction).mean() == pytest.approx(value, abs=tolerance)


def test_cka(features):
    statistics = dr.SufficientStatistics.from_features(features.X_train)
    curve = dr.cka_curve(statistics, dr.orderings("random", statistics, range(1, 6)))
    check(curve, {0.2: 0.828, 0.1: 0.688, 0.05: 0.584, 0.01: 0.266}, 0.002)
    assert curve.redundancy(0.9).value == pytest.approx(0.645, abs=0.005)


def test_ridge_on_standardised_features(features):
    probe = dr.RidgeProbe(features, penalty=0.5, standardize=True)
    curve = probe.curve(dr.orderings("random", probe.statistics, range(1, 6)))
    check(curve, {1.0: 0.836, 0.2: 0.751, 0.1: 0.661, 0.05: 0.542}, 0.005)
    assert curve.redundancy(0.9).value == pytest.approx(0.80, abs=0.01)


def test_logistic_probes_give_the_printed_redundancy(features):
    """The paper's table 1 prints DR(0.9) = 0.80 for ResNet18 on CIFAR10, read off the grid of
    fractions.
    """
    probe = dr.LogisticProbe(features)
    curve = probe.curve(dr.orderings("random", probe.statistics, range(1, 6)))
    assert curve.redundancy(0.9).value == pytest.approx(0.80, abs=0.11)


def test_the_path_of_the_cifar_preset(real, features, tmp_path):
    """The preset itself, with an image folder and local weights in place of what it would download:
    DR(0.9) beside the paper's 0.80.
    """
    net, task = names(real)
    words = [
        "run",
        "--preset",
        "cifar",
        "--only",
        "02_probes",
        "--out",
        str(tmp_path),
        "-p",
        "IMAGES",
        "0",
    ]
    words += [
        "-p",
        "NETS",
        json.dumps([net]),
        "-p",
        "TASKS",
        json.dumps([task]),
        "-p",
        "SELECTIONS",
        "[random]",
    ]
    assert main(words) == 0
    (results,) = tmp_path.glob("cifar-custom-*/results/02_probes.json")
    values = json.loads(results.read_text())["results"]
    ridge, logistic = (
        [value for name, value in values.items() if name.startswith(f"DR(0.9) of {probe}")]
        for probe in ("ridge", "logistic")
    )
    assert logistic == [pytest.approx(0.80, abs=0.11)] and ridge == [pytest.approx(0.80, abs=0.11)]


def test_the_preset_real_names_networks_and_images_by_what_they_are(real, tmp_path, monkeypatch):
    """One notebook on a few images: weights are taken from the folder and checked by their hash."""
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_ASSETS", str(tmp_path / "assets"))
    words = ["run", "--preset", "real", "--assets", str(real), "--only", "01_cka"]
    words += ["--out", str(tmp_path), "-p", "NETS", "[resnet18.kill_the_bits_small]"]
    words += ["-p", "IMAGES", "40", "-p", "ORDERS", "5", "-p", "SELECTIONS", "[random]"]
    assert main(words) == 0
    (results,) = tmp_path.glob("real-custom-*/results/01_cka.json")
    values = json.loads(results.read_text())["results"]
    assert {name.rpartition(", ")[2] for name in values} <= {"CIFAR10 (part)", "flower photos"}
    assert not any(str(real) in name for name in values)
    page = (results.parents[1] / "01_cka.html").read_text(encoding="utf-8")
    assert "compressed by product quantisation and fine-tuned, restored here (65.81%)" in page
    assert "resnet18_imagenet1k" not in page
