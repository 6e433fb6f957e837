"""A real ImageNet ResNet18 on real CIFAR10 images reproduces the figures measured beforehand with
plain code.
"""

from __future__ import annotations

import json

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.__main__ import main


def names(real) -> tuple[str, str]:
    return (
        f"resnet18.tv_in1k@{real / 'resnet18_imagenet1k.safetensors'}",
        f"folder:{real / 'cifar10_subset'}",
    )


@pytest.fixture(scope="module")
def found(real, tmp_path_factory):
    net, task = names(real)
    network, job = dr.net(net), dr.task(task)
    assert job.classes[:2] == ("airplane", "automobile")
    return dr.features(
        network, job, cache=dr.Cache(tmp_path_factory.getbasetemp() / "cache")
    )  # which the run below shares


def at(curves: np.ndarray, fraction: float) -> float:
    return float(curves[:, int(fraction * 512) - 1].mean())


def test_cka(found):
    s = dr.SufficientStatistics.from_features(found.X_train)
    curves = dr.cka_curves(s, dr.orderings("random", s, range(1, 6)))
    for fraction, value in ((0.2, 0.828), (0.1, 0.688), (0.05, 0.584), (0.01, 0.266)):
        assert at(curves, fraction) == pytest.approx(value, abs=0.002)
    assert dr.diffused_redundancy(curves, 0.9).value == pytest.approx(0.645, abs=0.005)


def test_ridge_on_standardised_features(found):
    s = dr.SufficientStatistics.from_features(found.X_train, found.y_train)
    scale = s.unit_scale()
    s, X_test = s.scaled(scale), found.X_test * scale.numpy()
    fits = [
        dr.ridge_curve(s, order, X_test, found.y_test, penalty=0.5)
        for order in dr.orderings("random", s, range(1, 6))
    ]
    curves = np.stack([fit.accuracy for fit in fits])
    for fraction, value in ((1, 0.836), (0.2, 0.751), (0.1, 0.661), (0.05, 0.542)):
        assert at(curves, fraction) == pytest.approx(value, abs=0.005)
    assert dr.diffused_redundancy(curves, 0.9).value == pytest.approx(0.80, abs=0.01)


def test_logistic_probes_give_the_printed_redundancy(found):
    """The paper's table 1 prints DR(0.9) = 0.80 for ResNet18 on CIFAR10, read off the grid of
    fractions.
    """
    s = dr.SufficientStatistics.from_features(found.X_train, found.y_train)
    probes = dr.LogisticProbes(found.X_train, found.y_train, found.X_test, found.y_test, s)
    penalty = dr.choose_logistic_penalty(found.X_train, found.y_train).penalty
    sizes = dr.sizes_of(dr.PAPER_FRACTIONS, 512)
    curves = np.stack(
        [
            probes.curve(order, sizes, penalty=penalty).accuracy
            for order in dr.orderings("random", s, range(1, 6))
        ]
    )
    assert dr.diffused_redundancy(curves, 0.9, sizes=sizes).value == pytest.approx(0.80, abs=0.11)


def test_the_path_of_the_cifar_preset(real, found, tmp_path):
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
    (found,) = tmp_path.glob("cifar-custom-*/results/02_probes.json")
    told = json.loads(found.read_text())["results"]
    ridge, logistic = (
        [value for name, value in told.items() if name.startswith(f"DR(0.9) of {probe}")]
        for probe in ("ridge", "logistic")
    )
    assert logistic == [pytest.approx(0.80, abs=0.11)] and ridge == [pytest.approx(0.80, abs=0.11)]
