"""The exercises of the course: their checks find what is wrong, their solutions equal the library,
and their notebooks run, with solutions and without.
"""

from __future__ import annotations

import ast
import math
import re
import statistics
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from conftest import ROOT
from course_wrong import SLOW, WRONG
from diffused_redundancy.measures import fairness, shifts
from diffused_redundancy.measures.chosen_selections import pivoted_qr
from diffused_redundancy.measures.cka import closed_form, diagonal_share
from diffused_redundancy.measures.spectrum import spectrum
from diffused_redundancy.uncertainty.bootstrap import widening
from diffused_redundancy.uncertainty.comparison import (
    compare,
    least_seeds,
    seeds_needed,
    smallest_permutation_p,
)
from scipy import stats

sys.path.insert(0, str(ROOT / "course"))

import redundancy_lab as lab
from redundancy_lab import checks_conclusions, examples

SOURCES = ("01_similarity", "02_probes", "03_conclusions")
REGION = re.compile(r"^( *)### BEGIN SOLUTION\n.*?### END SOLUTION$", re.S | re.M)


def made(source: str, name: str) -> Callable[..., Any]:
    """The function of a source, with what a notebook has imported."""
    space = {"np": np, "lab": lab, "math": math, "statistics": statistics}
    exec(source, space)
    return space[name]


@cache
def written() -> dict[str, str]:
    """The source of each exercise's function, as it stands in the notebooks."""
    found = {}
    for source in SOURCES:
        text = (ROOT / "course" / f"{source}.py").read_text(encoding="utf-8")
        cells = re.split(r"^# %%", text, flags=re.M)
        for cell in cells:
            head, _, body = cell.partition("\n")
            name = re.search(r'exercise="(\w+)" part="write"', head)
            if name:
                found[name[1]] = body
    return found


def solution(name: str) -> Callable[..., Any]:
    return made(written()[name], name)


def blanked(text: str) -> str:
    return REGION.sub(r'\1raise NotImplementedError("Write it here.")', text)


@cache
def layer(name: str = "digits") -> tuple[lab.Data, dr.SufficientStatistics, list[dr.Ordering]]:
    """What is shipped, as the library takes it: data, statistics and five random orders."""
    data = lab.load(name)
    known = {"num_classes": len(data.classes), "device": "cpu"}
    statistics = dr.SufficientStatistics.from_features(data.X_train, data.y_train, **known)
    orders = [
        dr.Ordering("random", i, 512, torch.tensor(one)) for i, one in enumerate(lab.orders())
    ]
    return data, statistics, orders


def probe(name: str = "digits") -> dr.RidgeProbe:
    data, statistics, _ = layer(name)
    parts = dr.Features(data.X_train, data.y_train, data.X_test, data.y_test)
    return dr.RidgeProbe(parts, penalty=0.01, statistics=statistics, device="cpu")


# Checks


def test_every_exercise_is_written_and_checked() -> None:
    assert lab.names() == list(written()) and len(lab.names()) >= 12
    assert set(WRONG) == set(lab.names()) and all(len(some) >= 2 for some in WRONG.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", written())
def test_the_solution_is_right(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    function = solution(name)
    start = time.thread_time()
    lab.check(name, function)
    assert time.thread_time() - start < 5
    assert capsys.readouterr().out.startswith(f"{name}: right.\n") and lab.ready(function)
    lab.check(name, function, hidden=True)


@pytest.mark.parametrize("name", written())
def test_a_blank_is_told_and_fails_for_graders(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    blank = made(blanked(written()[name]), name)
    lab.check(name, blank)
    assert "still blank" in capsys.readouterr().out
    assert not lab.ready(blank) and name in capsys.readouterr().out
    with pytest.raises(lab.Blank, match="still blank"):
        lab.check(name, blank, hidden=True)


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [(name, *wrong) for name, some in WRONG.items() for wrong in some],
    ids=[f"{name}-{i}" for name, some in WRONG.items() for i in range(len(some))],
)
def test_what_is_wrong_is_said(name: str, source: str, message: str) -> None:
    function = made(source, name)
    start = time.thread_time()
    with pytest.raises(lab.Wrong) as caught:
        lab.check(name, function)
    assert time.thread_time() - start < 5
    assert message in str(caught.value) and str(caught.value).startswith(f"{name}: ")
    assert not lab.ready(function)


class Clock:
    """A clock by which the n-th call of a timed function takes ``seconds[n]``."""

    def __init__(self, *seconds: float) -> None:
        self.now, self.seconds, self.asked = 0.0, [1.0] * 20 + list(seconds), 0

    def __call__(self) -> float:
        started, self.asked = self.asked % 2 == 0, self.asked + 1
        if not started:
            self.now += self.seconds[self.asked // 2 - 1]
        return self.now


@pytest.mark.parametrize(
    ("seconds", "noted"), [([15], 0), ([21, 30, 25], 1), ([900, 3, 1], 1), ([0.9, 0.9, 0.9], 0)]
)
def test_a_slow_call_is_noted(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float], noted: bool
) -> None:
    monkeypatch.setattr(examples.time, "perf_counter", Clock(*seconds))
    assert bool(examples.slowness(lambda: None, lambda: None)) == noted


@pytest.mark.parametrize("name", SLOW)
@pytest.mark.parametrize("times", [1.0, 1e6], ids=["quiet", "busy"])
def test_time_decides_nothing(
    name: str, times: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slow solution is right, and so is a fast one on a machine that is busy at that moment."""
    function = solution(name) if times > 1 else made(SLOW[name], name)
    seconds = examples._seconds
    calls = iter(range(100))
    monkeypatch.setattr(
        examples, "_seconds", lambda call: seconds(call) * (times if next(calls) > 19 else 1)
    )
    lab.check(name, function)
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"{name}: right." and lab.ready(function)
    assert len(told) == 2 and "as long as one size alone" in told[1]
    lab.check(name, function, hidden=True)
    assert capsys.readouterr().out == f"{name}: right.\n"  # graders ask for no time


@pytest.mark.parametrize("name", written())
@pytest.mark.parametrize("returned", [None, float("nan"), 0.0, 1.0, "right", np.ones(3), (1, 2, 3)])
def test_nothing_constant_is_right(name: str, returned: object) -> None:
    with pytest.raises(lab.Wrong):
        lab.check(name, lambda *_, **__: returned)


@pytest.mark.parametrize("name", written())
def test_inputs_must_stay_as_they_are(name: str) -> None:
    right = solution(name)

    def spoils(*given: Any, **named: Any) -> Any:
        answer = right(*given, **named)
        for one in given:
            if isinstance(one, np.ndarray):
                one[...] = 0
        return answer

    if name in ("random_part", "closed_form", "smallest_p", "power", "plan"):
        lab.check(name, spoils)  # numbers cannot be spoilt
    else:
        with pytest.raises(lab.Wrong, match="in place"):
            lab.check(name, spoils)


def test_a_global_seed_is_found_each_time() -> None:
    (source,) = [one for one, says in WRONG["random_part"] if says == "global generator"]
    function = made(source, "random_part")
    for _ in range(3):
        with pytest.raises(lab.Wrong, match="global generator"):
            lab.check("random_part", function)
    lab.check("random_part", solution("random_part"))
    lab.check("random_part", solution("random_part"), hidden=True)


def test_a_mistake_of_python_is_told() -> None:
    def cka(X, Y):
        return X.dot(Y)

    with pytest.raises(lab.Wrong, match=r"cka stopped with ValueError.*shape \(40, 12\)"):
        lab.check("cka", cka)
    with pytest.raises(lab.Wrong, match=r"at the line `return X.dot\(Y\)`"):
        lab.check("cka", cka)
    with pytest.raises(lab.Wrong, match="give the function itself"):
        lab.check("cka", 0.5)
    with pytest.raises(ValueError, match="choose one of centre"):
        lab.check("cca", cka)


def test_a_notebook_shows_the_message_alone() -> None:
    assert lab.Wrong("cka: no")._render_traceback_() == ["Not right yet. cka: no"]


# Solutions and the library


def test_cka() -> None:
    data, statistics, orders = layer()
    curve = dr.cka_curve(statistics, orders)
    ours = np.array([solution("cka_curve")(data.X_train, one) for one in lab.orders()])
    np.testing.assert_allclose(ours, curve.values, atol=1e-9)
    part = data.X_train[:, lab.orders()[0][:51]]
    np.testing.assert_allclose(solution("cka")(part, data.X_train), curve.values[0, 50], atol=1e-9)
    scaled = solution("standardise")(data.X_train)
    ours = [solution("cka_curve")(scaled, one) for one in lab.orders()]
    expected = dr.cka_curve(statistics, orders, standardize=True)
    np.testing.assert_allclose(ours, expected.values, atol=1e-9)


def test_redundancy_and_its_interval() -> None:
    _, statistics, orders = layer()
    for curve in (dr.cka_curve(statistics, orders), probe().curve(orders)):
        for delta in (0.8, 0.9, 0.95):
            found = curve.redundancy(delta)
            ours = solution("redundancy")(curve.values, curve.full, delta)
            assert ours == pytest.approx(found.value, abs=1e-12)
        low, high = solution("redundancy_interval")(curve.values, curve.full, 0.9)
        # The library widens deviations of few rows: undo that, and compare widths.
        wide = dr.Curve("cka", "random", curve.seeds, curve.sizes, curve.values, 512, curve.full)
        draws = wide.redundancy(0.9)
        assert low <= solution("redundancy")(curve.values, curve.full) <= high
        assert high - low == pytest.approx((draws.high - draws.low) / widening(5), abs=0.012)


@pytest.mark.parametrize("name", ["digits", "digits_mrl", "font_style"])
def test_spectrum_and_closed_form(name: str) -> None:
    data, statistics, _ = layer(name)
    known = spectrum(statistics)
    r, pr, cv2 = solution("spectrum")(data.X_train)
    np.testing.assert_allclose([pr, cv2], [known.participation, known.variation], rtol=1e-9)
    assert r == pytest.approx(diagonal_share(statistics)) == pytest.approx(pr / 512 * (1 + cv2))
    np.testing.assert_allclose(solution("closed_form")(r, 512), closed_form(r, 512), rtol=1e-12)


def test_explanation() -> None:
    (standard, _, _), (mrl, _, _) = layer(), layer("digits_mrl")
    known = spectrum(layer("digits_mrl")[1]).factors(spectrum(layer()[1]))
    ours = solution("explain")(standard.X_train, mrl.X_train)
    np.testing.assert_allclose(ours, [known[1][0], known[2][0]], rtol=1e-9)


@pytest.mark.parametrize("name", ["digits", "georgian"])
def test_ridge(name: str) -> None:
    data, _, orders = layer(name)
    library = probe(name)
    parts = data.X_train, data.y_train, data.X_test
    added = lab.strength(data.X_train)
    guesses = solution("ridge")(*parts, added)
    np.testing.assert_array_equal(guesses == data.y_test, library.full_right.numpy())
    np.testing.assert_array_equal(lab.guesses(data, np.arange(512)), guesses)
    curve = solution("ridge_curve")(*parts, data.y_test, lab.orders()[0], added)
    np.testing.assert_array_equal(curve, library.curve(orders[0]).values[0])
    known = library.curve(orders[0]).kept(102)[0]
    assert solution("share_kept")(curve, 0.2) == pytest.approx(known)
    by_class = solution("accuracy_by_class")(guesses, data.y_test, len(data.classes))
    known = library.evaluate(orders[0], [512])["per_class"][0, 0]
    np.testing.assert_allclose(by_class, known, rtol=1e-7)


def test_the_penalty_is_the_one_that_the_library_chooses() -> None:
    features = dr.features("miniature_resnet.standard_s1", "digits")
    assert dr.RidgeProbe(features).penalty == lab.given.PENALTY


def test_selection() -> None:
    data, statistics, _ = layer()
    ours = solution("selection")(data.X_train, data.y_train)
    np.testing.assert_array_equal(ours[:100], pivoted_qr(statistics)[:100])


def test_fairness() -> None:
    data, _, _ = layer("georgian")
    counts = np.bincount(data.y_test)
    right = np.bincount(data.y_test[probe("georgian").full_right.numpy()], minlength=33)
    assert solution("gini")(right / counts) == pytest.approx(float(fairness.gini(right / counts)))
    smooth = (right + 0.5) / (counts + 1)
    known = shifts.logit_shifted(np.log(smooth / (1 - smooth))[None], counts, 0.6)[0]
    null = solution("fair_null")(right, counts, 0.6)
    np.testing.assert_allclose(null, known, atol=1e-6)
    known = fairness.expected_gini(null, counts, draws=50, seed=3)
    assert solution("expected_gini")(null, counts, 50, 3) == pytest.approx(known)


def test_student_and_welch() -> None:
    for df in (1, 2.5, 8, 100):
        assert lab.student(df) == pytest.approx(stats.t.ppf(0.975, df), rel=1e-6)
    one, other = lab.networks("mrl"), lab.networks("standard")
    known = compare(one, other)
    np.testing.assert_allclose(lab.welch(one, other), [known.low, known.high], rtol=1e-6)


def test_verdicts() -> None:
    for seeds in range(1, 7):
        known = smallest_permutation_p(seeds, seeds)
        assert solution("smallest_p")(seeds) == pytest.approx(known)
    assert least_seeds() == 4
    words = set()
    for measure in ("cka", "standardised cka", "accuracy"):
        for task in ("digits", "armenian"):
            other = lab.networks("standard", measure, task)
            for loss in ("mrl", "dropout", "decov", "adversarial", "tenth", "extended"):
                for seeds in (3, 5):
                    one = lab.networks(loss, measure, task)[:seeds]
                    known = compare(one, other[:seeds], margin=0.01)
                    word, needed = solution("read_verdict")(one, other[:seeds], 0.01)
                    if known.exact_p <= 0.05 or word not in ("higher", "lower"):
                        assert word == known.outcome
                    words.add(word)
                    of_margin = seeds_needed(0.01, known.sd)
                    assert abs(needed - of_margin) <= max(2, 0.05 * of_margin)
    assert words == set(checks_conclusions.WORDS)


def test_power_and_plan() -> None:
    for (effect, seeds), known in checks_conclusions._POWERS.items():
        df, shift = 2 * seeds - 2, effect * math.sqrt(seeds / 2)
        bar = stats.t.ppf(0.975, df)
        exact = stats.nct.sf(bar, df, shift) + stats.nct.cdf(-bar, df, shift) if effect else 0.05
        assert known == pytest.approx(exact, abs=0.001)
    mistakes = [  # of a t test with n networks in each group: its bar, and by what t is too large
        lambda n, bar: 0.95,
        lambda n, bar: 0.025,
        lambda n, bar: 2 * stats.t.sf(1.96, 2 * n - 2),
        lambda n, bar: 2 * stats.t.sf(bar * math.sqrt((n - 1) / n), 2 * n - 2),
        lambda n, bar: 2 * stats.t.sf(bar / math.sqrt(2), 2 * n - 2),
        lambda n, bar: 2 * stats.t.sf(bar * math.sqrt(n), 2 * n - 2),
        lambda n, bar: 2 * stats.t.sf(stats.t.ppf(0.975, 2 * n), 2 * n - 2),
        lambda n, bar: 2 * stats.t.sf(stats.t.ppf(0.975, 2 * n - 1), 2 * n - 2),
        lambda n, bar: 2 * stats.t.sf(stats.t.ppf(0.975, n - 1), 2 * n - 2),
        lambda n, bar: 2 * stats.norm.sf(bar),
        lambda n, bar: 0,
        lambda n, bar: welch[n],
    ]
    values = np.random.default_rng(0).standard_normal((2, 400_000, 5))
    welch = {
        n: (stats.ttest_ind(*values[..., :n], axis=1, equal_var=False).pvalue < 0.05).mean()
        for n in (2, 5)
    }
    for rate, known in zip(mistakes, checks_conclusions._FALSE_FINDINGS.values(), strict=True):
        exact = [rate(n, stats.t.ppf(0.975, 2 * n - 2)) for n in (2, 5)]
        assert known == pytest.approx(exact, abs=0.0006)
    for (effect, comparisons), known in checks_conclusions._SEEDS.items():
        assert known == seeds_needed(effect, 1.0, level=0.05 / comparisons)
        assert abs(solution("plan")(effect, 1.0, comparisons) - known) <= 1


def test_networks_are_those_of_the_library() -> None:
    import make_data

    for loss, seed, task in (("mrl", 2, "digits"),):
        known = make_data.redundancy(loss, task, seed)
        for measure, value in known.items():
            shipped = lab.networks(loss, measure, task)[seed - 1]
            assert shipped == pytest.approx(value, abs=0.003)  # float32 rounds elsewhere, too
    with pytest.raises(ValueError, match="no loss 'mlr'"):
        lab.networks("mlr")


# Notebooks


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("blank", [False, True], ids=["solved", "blank"])
def test_a_notebook_runs(source: str, blank: bool, capsys: pytest.CaptureFixture[str]) -> None:
    import matplotlib

    matplotlib.use("agg")
    text = (ROOT / "course" / f"{source}.py").read_text(encoding="utf-8")
    start = time.thread_time()
    exec(compile(blanked(text) if blank else text, source, "exec"), {"__name__": "notebook"})
    assert time.thread_time() - start < 25
    told = capsys.readouterr().out
    names = re.findall(r'lab\.check\("(\w+)"', text)
    for name in names:
        assert f"{name}: {'still blank' if blank else 'right.'}" in told
    assert ("waits until" in told) == blank
    for low, null in re.findall(r" 10 neurons: measured .* \(([\d.]+) to .* null ([\d.]+)", told):
        assert float(low) > float(null)  # "the interval leaves the null out"
    for needed in re.findall(r"undecided +(\d+) needed", told):
        assert int(needed) in (4, 7)  # "with five networks", one line that says 4


def test_the_contest_needs_its_own_exercise_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """In a lab that leaves out the curve of exercise 13."""
    import matplotlib

    matplotlib.use("agg")
    text = (ROOT / "course" / "02_probes.py").read_text(encoding="utf-8")
    cells = re.split(r"^(?=# %%)", text, flags=re.M)
    kept = ('exercise="selection"', 'exercise="gain_kept"')
    text = "".join(cell if any(one in cell for one in kept) else blanked(cell) for cell in cells)
    exec(compile(text, "02_probes", "exec"), {"__name__": "notebook"})
    told = capsys.readouterr().out
    assert "ridge_curve: still blank" in told
    assert "points with 10 neurons" in told and "of the gain is kept" in told


def test_what_the_texts_say() -> None:
    # "Sorting by variance gains more than half as much" as pivoted QR.
    for name in ("digits", "georgian"):
        _, statistics, orders = layer(name)
        means = [
            np.mean([probe(name).curve(some).at(k).mean() for k in (10, 15, 25)])
            for some in (
                orders,
                dr.orderings("variance", statistics, [0]),
                dr.orderings("pivoted_qr", statistics, [0]),
            )
        ]
        assert means[1] - means[0] > (means[2] - means[0]) / 2 > 0
    text = (ROOT / "course" / "01_similarity.py").read_text(encoding="utf-8")
    assert f"by {widening(5):.2f} for five rows" in text
    gap = lab.networks("mrl", "standardised cka") - lab.networks("standard", "standardised cka")
    assert (gap > 0).all() and gap.max() < 0.02  # "no such gap, in any of the five pairs"
    low, high = lab.welch(
        lab.networks("mrl", "standardised cka"), lab.networks("standard", "standardised cka")
    )
    assert low > 0 and 0.01 < high < 0.02  # "clearly, and by very little"; alike within 0.02


def test_students_need_numpy_and_matplotlib_only() -> None:
    allowed = {"numpy", "matplotlib", "redundancy_lab", "IPython", "ipywidgets"}
    for path in [
        *(ROOT / "course" / "redundancy_lab").glob("*.py"),
        *(ROOT / "course").glob("0*.py"),
    ]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names:
                assert name.split(".")[0] in allowed | sys.stdlib_module_names, f"{path}: {name}"
