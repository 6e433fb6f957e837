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
    assert text == (
        "Trained from scratch, their own heads reach 100.0% on Handwritten digits and 13.0% on "
        "Font style."
    )
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
    assert text.startswith(
        "**What to see:** DR(0.9) of the network that was trained on the task is clearly above the "
        "3 pre-trained ones on T. There is one"
    )
    assert text.endswith("so nothing is known of other seeds.") and " U" not in text
    turned = said(*both(60, (20, 20, 20)))
    assert "task is clearly below the 3 pre-trained ones on T." in turned
    inside = said(*both(40))
    assert "task is not clearly apart from the 3 pre-trained ones on T." in inside
    ours = both(37)[1].all[0].redundancy("accuracy", 0.9)  # above all, not so its interval
    assert ours.value > 0.62 > ours.low and "not clearly apart" in said(*both(37))
    band = GroupBands(
        0.9, (0.1, 1.0), {PRETRAINED: ((0.6, 0.6),), FROM_SCRATCH: ((0.7, 0.5),)}, 0.1, 3
    )
    assert "the penalty moves the difference by up to 0.20." in said(*both(), {"t": band})
    still = replace(band, values={PRETRAINED: ((0.6, 0.6),), FROM_SCRATCH: ((0.7, 0.704),)})
    assert "the penalty moves the difference by less than 0.01." in said(*both(), {"t": still})
    assert "the penalty" not in text
    pre, own = both()
    one = from_scratch.describe_from_scratch(pre, own, PRE[:1], 0.9, {})
    assert "clearly above the pre-trained one on T" in one


def with_chance(top: float, guessing: float) -> tuple[Measurements, Measurements]:
    """Pre-trained networks of an accuracy of 80%, one of ``top`` that was trained on the task."""

    def of(one):
        about = {"guessing": guessing, "images": 1000}
        return replace(one, accuracy={"random": replace(one.accuracy["random"], **about)})

    pre, _ = both()
    own = Measurements([of(measurement(OWN, task("t"), 30, top=top))])
    return Measurements([of(one) for one in pre.all]), own


@pytest.mark.parametrize(
    ("top", "guessing", "learned"),
    [
        (0.6, 0.3, True),
        (0.56, 0.3, True),  # half of the 0.5 above chance
        (0.54, 0.3, False),
        (0.41, 0.0, True),
        (0.39, 0.0, False),
        (0.31, 0.3, False),  # as good as guessing
    ],
)
def test_a_network_that_did_not_learn_its_task_is_not_comparable(top, guessing, learned):
    pre, own = with_chance(top, guessing)
    assert from_scratch.comparable(own.all[0], pre.all[:3]) is learned
    text = said(pre, own)
    assert ("did not learn it: it is not comparable" in text) is not learned
    assert ("is clearly above" in text) is learned
    row = from_scratch.shown_beside(pre, own, PRE, 0.9).iloc[0]
    column = "DR above chance: trained on the task"
    assert (row[column] == "not comparable") is not learned
    assert (row["DR(0.9): trained on the task"] == "not comparable") is not learned
    assert row["kept by a fifth: pre-trained"] == "43% to 47%"
    (panel,) = from_scratch.kept_panels(pre, own, PRE, 0.9)
    assert panel.title == ("T" if learned else "T: not comparable")
    table = from_scratch.beside_pretrained(pre, own, PRE, 0.9, {})
    assert bool(table["comparable"].iloc[0]) is learned


def test_the_table_for_reading_has_both():
    pre, own = with_chance(0.6, 0.3)
    row = from_scratch.shown_beside(pre, own, PRE, 0.9).iloc[0]
    assert (row["accuracy: trained on the task"], row["pre-trained"]) == ("60.0%", "80.0%")
    assert row["chance"] == "30.0%"
    ours = own.all[0].redundancy("accuracy", 0.9)
    mine = f"{ours.value:.2f} ({ours.low:.2f} to {ours.high:.2f})"
    assert row["DR(0.9): trained on the task"] == mine
    assert row["DR(0.9): pre-trained"] == "0.58 to 0.62"
    above = own.all[0].curve("accuracy").above_chance(0.9)
    assert row["DR above chance: trained on the task"].startswith(f"{above.value:.2f} (")


def test_several_tasks_are_sorted_by_what_came_of_them():
    where = [task(name) for name in "tuv"]
    pre = Measurements([measurement(n, w, 40) for w in where for n in PRE])
    own = Measurements(
        [
            measurement(OWN, w, k, top=top)
            for w, k, top in zip(where, (20, 60, 9), (0.8, 0.8, 0.1), strict=True)
        ]
    )
    text = said(pre, own)
    assert "on V the network that was trained on the task did not learn it" in text
    assert (
        "did not learn it: it is not comparable. Where it learned its task, its DR(0.9) is clearly "
        "above the 3 pre-trained ones on T and clearly below on U." in text
    )


def test_without_such_networks_there_is_nothing_to_say():
    pre, _ = both()
    nothing = Measurements([])
    assert said(pre, nothing) == from_scratch.NONE
    table = from_scratch.beside_pretrained(pre, nothing, PRE, 0.9, {})
    assert list(table.columns) == ["note"]
    assert list(from_scratch.shown_beside(pre, nothing, PRE, 0.9).columns) == ["note"]
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
    assert "not clearly apart" in said(pre, short)
    row = from_scratch.shown_beside(pre, short, PRE, 0.9).iloc[0]
    assert row["DR(0.9): trained on the task"] == row["kept by a fifth: trained on the task"] == "–"
