"""The answers of the notebooks: right whatever the numbers say, and no stronger than they are."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from diffused_redundancy.experiment.stages import Stage
from diffused_redundancy.explanations import answers as explained
from diffused_redundancy.findings import answers
from diffused_redundancy.findings.claims import NOT_ASKED, Outcome, Verdict, judge, yes_or_no
from diffused_redundancy.findings.lost_classes import Chosen
from diffused_redundancy.measures.curves import Curve
from made_up import D, measurement, net, task


def curve(measure, share, full=0.8):
    """A layer of 10 neurons of which two keep a share, and five all, the same for three seeds."""
    values = np.interp([1, 2, 5, 10], [1, 2, 5, 10], [0.1, share * full, full, full])
    return Curve(measure, "random", (1, 2, 3), [1, 2, 5, 10], [values] * 3, d=10, full=full)


@pytest.mark.parametrize(
    "passed, text",
    [
        ({"a": True, "b": True}, "Yes, for all 2 tasks"),
        ({"a": False, "b": False}, "No, for none of 2 tasks"),
        ({"a": None}, "Open for a"),
        ({"a": True, "b, net": False, "c": None}, "Yes for a; no for net on b; open for c"),
        (dict.fromkeys("abcd", True) | {"e": False}, "Yes for 4 of 5 tasks; no for 1 of 5 tasks"),
    ],
)
def test_yes_or_no(passed, text):
    assert yes_or_no([Outcome(case, one) for case, one in passed.items()]) == text


def test_controls_are_named_as_such():
    told = [Outcome("a", True), Outcome("b", False, counted=False)]
    assert yes_or_no(told) == "Yes for a; no for b (which these networks were trained to ignore)"


def test_useful():
    curves = {
        name: curve("logistic_accuracy", share)
        for name, share in zip("abc", (1, 0.97, 0.6), strict=True)
    }
    told = judge([Outcome("a", True), Outcome("b", True), Outcome("c", False)], "")
    text = answers.useful([told], curves)
    assert text.startswith(
        "Yes for a and b; no for c. With logistic probes, a random fifth of the neurons (2 of 10) "
    )
    assert "keeps 97.0% (97.0% to 97.0%) of the whole layer's accuracy on b, the least of" in text
    assert text.endswith("and 60.0% (60.0% to 60.0%) on c.")
    named = answers.useful([judge([Outcome("c, net", None)], "")], {"c, net": curves["c"]})
    assert named.startswith("Open for net on c.") and "accuracy with net on c." in named
    none = answers.useful([judge([Outcome("c", None)], "")], curves)
    assert none.startswith("Open for c.") and "60.0%" in none and "least" not in none
    assert answers.useful([Verdict("undecided", "")], {}).startswith("This run cannot say")


def test_carried_over():
    curves = {
        name: curve("ridge_accuracy", share) for name, share in zip("ab", (1, 0.6), strict=True)
    }
    told = judge([Outcome("a", True), Outcome("b", False)], "")
    text = answers.carried_over(told, curves, 0.9, 0.05)
    assert text.startswith(
        "In part. With ridge probes, 50% to 80% of the neurons, by task, can be "
    )
    assert " be dropped at random while 90% of the whole layer's accuracy is kept." in text
    assert "keeps 95% of it, by its whole interval, on 1 of 2 tasks: it keeps 60.0%" in text
    assert "(95% interval 60.0% to 60.0%) on b" in text
    held = judge([Outcome("a", True)], "")
    text = answers.carried_over(held, curves, 0.9, 0.05)
    assert text.startswith(
        "Yes. With ridge probes, 80% of the neurons can be dropped at random while"
    )
    none = answers.carried_over(judge([Outcome("b", False)], ""), curves, 0.99, 0.05)
    assert none.startswith("In part. ") and "on none of 1 tasks" in none
    assert answers.carried_over(Verdict("undecided", ""), {}, 0.9, 0.05).startswith(
        "This run cannot"
    )


def test_similar():
    curves = {"a": curve("cka", 0.95, 1.0), "b": curve("cka", 0.5, 1.0)}
    told = judge([Outcome("a", True), Outcome("b", False)], "")
    text = answers.similar(told, curves, 0.9)
    assert text.startswith(
        "Yes for a; no for b, if similar means that each random part that was tried, 3 of every "
        "size from half of the layer on, has a CKA of at least 0.9 with the whole. On average it "
    )
    assert text.endswith(
        "takes 20% of the neurons (95% interval 20% to 20%; 2 of 10) on a to 50% "
        "(50% to 50%; 5 of 10) on b."
    )
    assert answers.similar(Verdict("undecided", ""), {}, 0.9).startswith("This run cannot say")


def test_layers_of_other_widths_are_compared_by_the_share_of_their_neurons():
    wide = Curve("cka", "random", (1, 2), [4, 20, 40], [[0.5, 0.95, 1.0]] * 2, d=40, full=1.0)
    curves = {"a, wide": wide, "a, narrow": curve("cka", 0.95, 1.0), "b, wide": wide}
    text = answers.similar(judge([Outcome(case, True) for case in curves], ""), curves, 0.9)
    assert "tried, 2 of every size" in text  # no more than the least of them
    assert (
        "it takes 20% of the neurons (95% interval 20% to 20%; 2 of 10) on narrow on a to" in text
    )
    assert text.endswith("to 50% (50% to 50%; 20 of 40) on wide on a.")
    same = {case: wide for case in ("a", "b")}
    assert answers.similar(judge([Outcome("a", True)], ""), same, 0.9).endswith("20 of 40) on a.")


def test_what_governs_redundancy_among_widths_and_losses():
    def trends(*outcomes):
        return {str(i): SimpleNamespace(outcome=one, pairs=1) for i, one in enumerate(outcomes)}

    def difference(group, outcome, task="a", measure="accuracy"):
        how = {"group": group, "against": "standard", "task": task, "measure": measure}
        return SimpleNamespace(outcome=outcome, **how)

    losses = [
        difference("x", "lower"),
        difference("x", "lower", "b"),
        difference("y", "higher"),
        difference("y", "alike", "b"),
        difference("x", "undecided", measure="cka"),
        difference("y", "higher", measure="standardized_cka"),
    ]
    widths = {"accuracy": trends("higher", "undecided"), "cka": trends("lower", "higher")}
    larger = [
        difference("more", "higher"),
        difference("more", "lower", "b"),
        difference("more", "alike", measure="cka"),
    ]
    assert answers.governed(widths, losses, larger) == (
        "Wider layers are clearly more redundant on 1 of 2 tasks by accuracy and on 1 of 2 tasks "
        "(clearly less on 1) by CKA. Compared with standard training, by accuracy redundancy is "
        "clearly higher with y (on 1 of 2) and lower with x (on 2 of 2); by CKA no loss clearly "
        "differs. With a larger data set of pre-training, redundancy is clearly higher by "
        "accuracy in 1 of 2 comparisons (clearly lower in 1) and by CKA in 0 of 1 comparisons."
    )
    both = answers.governed(dict.fromkeys(("accuracy", "cka"), trends("higher")), [], [])
    assert both == "Wider layers are clearly more redundant on 1 of 1 tasks by accuracy and CKA."
    few = answers.governed({"accuracy": trends("no power")}, [], [])
    assert few.startswith("Whether the width matters cannot be tested")
    unknown = {"accuracy": {"a": SimpleNamespace(outcome="unknown", pairs=0)}}
    assert answers.governed(unknown, [], []).startswith("This run cannot say")


def test_nested():
    holds, fails = Verdict("holds", "", "holds"), Verdict("does not hold", "", "not")
    open_, absent = Verdict("undecided", ""), Verdict(NOT_ASKED, "", NOT_ASKED)
    text = answers.nested({"CKA": holds, "x": holds}, {"accuracy": open_, "CKA": fails})
    assert "Still diffusely redundant: yes by CKA and by x." in text
    assert text.endswith("Less so than layers of other losses: open by accuracy; no by CKA.")
    some = judge([Outcome("a", False), Outcome("b", None), Outcome("c", None)], "")
    text = answers.nested({"accuracy": some, "CKA": holds}, {})
    assert text.endswith("yes by CKA; by accuracy, no on 1 and open on 2 of 3 tasks.")
    assert answers.nested({"CKA": absent}, {}).startswith("This run cannot say")


def test_who_pays():
    def chosen(task, loss, low):
        return Chosen(task, 20, 5, loss, low, loss + 0.05, loss, loss, 0.1)

    text = answers.who_pays([chosen("a", 0.3, 0.2), chosen("b", 0.12, 0.05)], 0.9)
    assert text.startswith("Some classes pay more than others, clearly so on 1 of 2 tasks.")
    assert (
        "the 5 classes that lose most lose 30 points (20 to 35) on a; all classes lose 10" in text
    )
    assert answers.who_pays([chosen("b", 0.12, 0.05)], 0.9).startswith("It is open whether")
    assert answers.who_pays([], 0.9).startswith("This run cannot say")


def deep(name, needed, narrow, narrow_standardized, d=D):
    """The stages of a network, by the neurons needed of each layer and at equal width."""
    one = net(name, d=d)
    return [
        Stage(
            f"layer{place}",
            place,
            measurement(one, task(), of_whole),
            [measurement(one, task(), equal, standardized=standardized)],
        )
        for place, (of_whole, equal, standardized) in enumerate(
            zip(needed, narrow, narrow_standardized, strict=True), 1
        )
    ]


def test_in_depth():
    grows = deep("a.x", (60, 50, 20), (20, 20, 40), (20, 40, 60))
    flat = deep("b.x", (30, 30, 30), (15, 15, 15), (10, 20, 20), d=50)
    assert answers.in_depth([grows, flat], 0.9) == (
        "Of 2 cases (each network on each task), redundancy clearly grows in 1 and falls in none "
        "from the first layer to the last. At equal width, with 50 or 100 random neurons of each "
        "layer, it grows in none and falls in 1; with these neurons standardized, it grows in none "
        "and falls in all 2. Redundancy here is DR(0.9) of CKA: the share of the neurons that can "
        "be dropped while a random rest has a CKA of 0.9 with the whole."
    )
    same = answers.in_depth([grows, deep("b.x", (20, 30, 60), *[(20, 20, 20)] * 2)], 0.9)
    assert "grows in 1 and falls in 1 from" in same and "with 100 random neurons" in same
    assert answers.in_depth([grows[:1]], 0.9).startswith("This run cannot say")


def test_made_of():
    errors = pd.DataFrame(
        {
            "net": ["one", "one", "two"],
            "task": ["a", "b", "a"],
            "layer": ["as it is", "as it is", "variances alone"],
            "mean_error": [0.01, -0.02, 0.5],
            "low": [0, -0.03, 0.4],
            "high": [0.02, -0.01, 0.6],
            "largest_error": [-0.1, 0.05, 0.9],
            "largest_error_low": [-0.2, np.nan, 0.8],
            "largest_error_high": [-0.05, np.nan, 1.0],
            "at_k": [7, 9, 3],
        }
    )
    text = explained.made_of(errors)
    assert text.endswith(
        "with errors. On average over sizes the largest is -0.020 (95% interval -0.030 to -0.010) "
        "for one on b, and at a single size -0.100 (-0.200 to -0.050) for one on a (k = 7)."
    )
    errors.loc[2, "layer"] = "as it is"
    text = explained.made_of(errors)
    assert text.endswith(
        " Over all networks these are +0.500 (+0.400 to +0.600) for two on a, and +0.900 (+0.800 "
        "to +1.000) for two on a (k = 3)."
    )
    errors.loc[2, "mean_error"] = 0.001  # at a single size alone another network is worst
    assert "Over all networks these are -0.020" in explained.made_of(errors)


@pytest.mark.parametrize(
    "few, many, lead",
    [
        ((0.03, 0.02, 0.04), (0.004, 0.001, 0.007), "Yes, above all where few are kept."),
        ((0.03, 0.02, 0.04), (0.025, 0.02, 0.03), "Yes."),
        ((0.03, -0.02, 0.08), (0, -0.01, 0.01), "That is open."),
        ((-0.03, -0.04, -0.02), (0, -0.01, 0.01), "No."),
    ],
)
def test_choosing(few, many, lead):
    rows = [
        {"measure": "ridge_accuracy", "fraction": size, "gain": gain, "low": low, "high": high}
        | {"networks": 5}
        for size, (gain, low, high) in {0.2: many, 0.05: few}.items()
    ]
    text = explained.choosing(pd.DataFrame(rows))
    gain, low, high = (100 * one for one in few)
    assert text.startswith(f"{lead} The accuracy of chosen neurons, less that of random ones, is ")
    size = f"{gain:+.1f} points (95% interval {low:+.1f} to {high:+.1f}) with 5% of the layer, and"
    assert size in text and " with 20%. These are means over 5 networks" in text
    unknown = pd.DataFrame(rows).assign(low=np.nan, high=np.nan)
    assert explained.choosing(unknown).startswith("This run cannot say")


def test_few_images():
    def change(size, outcome):
        return SimpleNamespace(size=size, low=size - 0.01, high=size + 0.01, outcome=outcome)

    changes = {
        ("a", "ridge probes", "share"): change(0.001, "not clear"),
        ("b", explained.CHOSEN, "share"): change(0.03, "higher"),
        ("b", explained.PENALTY, "share"): change(0.5, "higher"),
        ("b", "ridge probes", "DR"): change(0.4, "lower"),
    }
    text = explained.few_images(changes)
    assert text.startswith("Clearly so in 1 of 2 cases (tasks, with ridge and logistic probes).")
    assert text.endswith("on b, with logistic probes: by +3.0 points (95% interval +2.0 to +4.0).")
    changes["b", explained.CHOSEN, "share"] = change(-0.03, "lower")
    text = explained.few_images(changes)
    assert text.startswith("Not clearly in any of 2 cases (tasks, with ridge")
    assert "logistic probes); the contrary in 1." in text
    changes["b", explained.FIXED, "share"] = change(0.002, "not clear")
    text = explained.few_images(changes)
    assert text.endswith(
        "-4.0 to -2.0). With one penalty for both it changes by +0.2 points (-0.8 to +1.2)."
    )
    assert explained.few_images({}).startswith("This run cannot say")
