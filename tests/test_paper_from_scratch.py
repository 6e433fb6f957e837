"""Networks trained on a task itself beside pre-trained ones, on curves whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.experiment.measurements import Measurements
from diffused_redundancy.experiment.penalty_bands import GroupBands, bands_beside
from diffused_redundancy.paper import from_scratch
from diffused_redundancy.paper.from_scratch import FROM_SCRATCH, PRETRAINED
from made_up import D, measurement, net, task

PRE = [net(f"s{i}", seed=i, top1=0.9) for i in range(1, 4)]
OWN = net("own", upstream="10 digits", top1=1.0)


def both(own: int = 30, others=(38, 40, 42), **about) -> tuple[Measurements, Measurements]:
    """Pre-trained networks on two tasks, and one that was trained on the first of them."""
    where = [task("t"), task("u")]
    pre = [measurement(n, w, k) for w in where for n, k in zip(PRE, others, strict=True)]
    mine = measurement(OWN, where[0], own, top=0.6)
    if about:
        curve = replace(mine.accuracy["random"], **about)
        mine = replace(mine, accuracy={"random": curve})
    return Measurements(pre), Measurements([mine])


def said(pre: Measurements, own: Measurements, bands=None) -> str:
    return from_scratch.describe_from_scratch(pre, own, PRE, 0.9, bands or {})


def test_the_network_of_a_task_is_like_the_first_in_all_but_what_it_saw():
    first = dr.net("miniature_resnet.standard_s1")
    tasks = [dr.task("digits", images=100), dr.task("font_style"), task("t")]
    found = from_scratch.networks([first], tasks)
    assert {name: one.name for name, one in found.items()} == {
        "digits": "miniature_resnet.from_scratch_digits_s1",
        "font_style": "miniature_resnet.from_scratch_font_style_s1",
    }
    for other in ("miniature_resnet.mrl_s1", "miniature_resnet_128.standard_s1"):
        assert from_scratch.networks([dr.net(other), first], tasks) == {}
    text = from_scratch.describe_tasks(found, tasks)
    assert "Handwritten digits (1,297 handwritten digits, top-1 100.0%) and Font style" in text
    assert from_scratch.describe_tasks({}, tasks) == from_scratch.NONE


def test_one_row_a_network_and_task():
    pre, own = both()
    bands = {
        "t": GroupBands(
            0.9, (0.1, 1.0), {PRETRAINED: ((0.6, 0.6),), FROM_SCRATCH: ((0.7, 0.75),)}, 0.1, 3
        )
    }
    table = from_scratch.beside_pretrained(pre, own, PRE, 0.9, bands)
    assert list(table["net"]) == ["own", "s1", "s2", "s3"] and set(table["task"]) == {"T"}
    assert list(table["network"]) == [FROM_SCRATCH, *[PRETRAINED] * 3]
    assert list(table["DR"]) == pytest.approx([0.7, 0.62, 0.6, 0.58])
    row = table.iloc[0]
    assert row["kept by a fifth"] == pytest.approx(
        np.mean([0.9 * 20 / k for k in (28, 29, 30, 31, 32)])
    )
    assert row["kept by a fifth, low"] < row["kept by a fifth"] < row["kept by a fifth, high"]
    assert (row["accuracy"], row["own top-1"], row["trained on"]) == (0.6, 1.0, "10 digits")
    assert row["penalty_band"] == pytest.approx(0.05) and table["penalty_band"].isna().sum() == 3


def test_panels_show_shares_of_a_networks_own_accuracy():
    (panel,) = from_scratch.kept_panels(*both(), PRE, 0.9)
    mine, theirs = panel.curves
    assert (mine.label, theirs.label, panel.title) == (FROM_SCRATCH, PRETRAINED, "T")
    assert mine.values.shape == (5, D) and theirs.values.shape == (15, D)
    assert mine.values[:, -1] == pytest.approx(
        np.full(5, 0.9 * 100 / np.arange(28, 33)).clip(max=1)
    )
    assert panel.threshold == 0.9 and panel.percent


def test_the_sentence_follows_from_the_numbers():
    text = said(*both())
    ours = both()[1].all[0].redundancy("accuracy", 0.9)
    assert "On T its whole layer reaches 60.0%, theirs 80.0%; a fifth of it keeps 60% (" in text
    assert f"DR(0.9) is 0.70 ({ours.low:.2f} to {ours.high:.2f}), theirs 0.58 to 0.62" in text
    assert "beside 3 pre-trained ones" in text and text.endswith("no power.")
    assert "On U " not in text
    turned = said(*both(60, (20, 20, 20)))
    assert "DR(0.9) is 0.40 (" in turned and "theirs 0.80." in turned
    band = GroupBands(
        0.9, (0.1, 1.0), {PRETRAINED: ((0.6, 0.6),), FROM_SCRATCH: ((0.7, 0.5),)}, 0.1, 3
    )
    assert "moves the difference of DR by up to 0.20" in said(*both(), {"t": band})
    assert "The choice of the penalty" not in text
    pre, own = both()
    assert "beside one pre-trained one" in from_scratch.describe_from_scratch(
        pre, own, PRE[:1], 0.9, {}
    )


def test_chance_is_said_and_a_layer_that_guesses_is_not_described_further():
    guesses = said(*both(guessing=0.6, images=100))
    assert "60.0% by chance: not clearly better than guessing" in guesses
    assert "a fifth of it" not in guesses
    pre, own = both(guessing=0.3, images=1000)
    pre = Measurements(
        [
            replace(
                one, accuracy={"random": replace(one.accuracy["random"], guessing=0.3, images=1000)}
            )
            for one in pre.all
        ]
    )
    above = own.all[0].curve("accuracy").above_chance(0.9)
    text = said(pre, own)
    assert "30.0% by chance; a fifth" in text and f"above chance {above.value:.2f}, theirs" in text


def test_without_such_networks_there_is_nothing_to_say():
    pre, _ = both()
    nothing = Measurements([])
    assert said(pre, nothing) == from_scratch.NONE
    table = from_scratch.beside_pretrained(pre, nothing, PRE, 0.9, {})
    assert list(table.columns) == ["note"]
    assert from_scratch.kept_panels(pre, nothing, PRE, 0.9) == []


def test_bands_of_a_network_of_one_task_beside_a_group():
    """Its DR at each penalty is that of its layer, and where nothing is measured again, of its
    curve.
    """
    from conftest import make_layer
    from diffused_redundancy.experiment.measurements import measured_all, measured_beside
    from diffused_redundancy.experiment.probed_layer import ProbedLayer
    from diffused_redundancy.measures.features import Features

    def made(seed: int) -> ProbedLayer:
        X, y = make_layer(300, 12, seed=seed)
        return ProbedLayer(lambda: Features(X[:200], y[:200], X[200:], y[200:]))

    nets, where = [net("a"), net("b"), net("own")], task("t")
    layers = {one.name: made(i) for i, one in enumerate(nets)}
    how = {"probe": "ridge", "selections": ["random"], "seeds": [1, 2, 3], "fractions": [1.0]}
    pre = measured_all([(one, where, layers[one.name]) for one in nets[:2]], **how)
    own = measured_beside(pre, [(nets[2], where, layers["own"])], **how)
    bands = bands_beside(
        pre, {"mine": own}, ("theirs", nets[:2]), lambda one, _: layers[one.name], 0.9, [1, 2]
    )["t"]
    assert {label: len(rows) for label, rows in bands.values.items()} == {"theirs": 2, "mine": 1}
    assert bands.penalty == pre.all[0].penalty == own.all[0].penalty
    for penalty, value in zip(bands.penalties, bands.values["mine"][0], strict=True):
        expected = layers["own"].ridge("random", [1, 2], penalty=penalty).redundancy(0.9).value
        assert value == pytest.approx(expected)


def test_an_unreached_delta_is_said():
    pre, own = both()
    few = own.all[0].accuracy["random"].only([5, 10])
    short = Measurements([replace(own.all[0], net=OWN, accuracy={"random": few})])
    assert "DR(0.9) is not reached, theirs 0.58 to 0.62" in said(pre, short)
    assert "a fifth of it" not in said(pre, short)
