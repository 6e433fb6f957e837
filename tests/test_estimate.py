"""The estimate of a run lists every ordering that will be measured, and grows with it."""

from __future__ import annotations

import csv
import json

import pytest
from diffused_redundancy.__main__ import main
from diffused_redundancy.errors import InputError
from diffused_redundancy.nets.cost import shape_of
from diffused_redundancy.pipeline.estimate import estimate
from diffused_redundancy.pipeline.plan import plan

NETS = ["miniature_resnet_128.standard_s1", "miniature_resnet.mrl_s1"]


def planned(tmp_path, only=("01_cka",), **values):
    typed = [(name, json.dumps(value)) for name, value in values.items()]
    return plan("miniature", list(only), typed, tmp_path)


def test_a_wrong_value_typed_after_a_right_one_is_told(tmp_path):
    with pytest.raises(InputError, match="SEEDS holds 'a': each entry must be a whole number"):
        plan("smoke", [], [("SEEDS", "1"), ("SEEDS", "a")], tmp_path)


def test_every_ordering_of_a_run_is_listed(tmp_path, capsys):
    words = ["run", "--dry-run", "--only", "01_cka", "--only", "06_layers", "--out", str(tmp_path)]
    words += [
        "-p",
        "NETS",
        str(NETS).replace("'", '"'),
        "-p",
        "TASKS",
        '["digits"]',
        "-p",
        "SELECTIONS",
        '["random", "pca"]',
        "-p",
        "SEEDS",
        "[1, 2, 3]",
        "-p",
        "ORDERS",
        "20",
    ]
    assert main(words) == 0
    said = capsys.readouterr().out
    with open(tmp_path / "plan.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    # random with the orders of the first notebook and the seeds of the second, principal components
    # once in each
    assert len(rows) == len(NETS) * (20 + 3 + 2)
    assert {(row["net"], row["selection"], row["seed"]) for row in rows} >= {
        (NETS[0], "random", "2"),
        (NETS[1], "pca", "0"),
    }
    assert (
        f"01_cka: {NETS[0]} on digits: random (20 seeds), pca (1 seed); 1,797 images" in said
        and "50 orderings" in said
    )
    assert not list(tmp_path.glob("miniature-custom*"))  # nothing was run


def test_an_estimate_grows_with_what_it_is_of(tmp_path):
    small, large = (
        estimate(planned(tmp_path, NETS=NETS[:1], TASKS=["digits"], IMAGES=n)) for n in (100, 400)
    )
    assert large.passes[0].images == 4 * small.passes[0].images == 800
    assert (
        large.disk == 4 * small.disk == 800 * 128 * 4
        and large.memory > small.memory
        and small.seconds > 0
    )
    deep = estimate(planned(tmp_path, only=("06_layers",), NETS=NETS[:1], TASKS=["digits"]))
    assert deep.passes[0].layers == 4 and deep.passes[0].disk == 1797 * 4 * (64 + 128 + 256 + 128)


def test_operations_of_a_net_are_those_known():
    assert shape_of("resnet18.tv_in1k", "penultimate").flops == pytest.approx(2 * 1.82e9, rel=0.02)
    assert shape_of("resnet18.tv_in1k", "stages").widths == {
        "layer1": 64,
        "layer2": 128,
        "layer3": 256,
        "layer4": 512,
    }
