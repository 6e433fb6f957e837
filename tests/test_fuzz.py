"""A few hundred inputs to every target of fuzz.py, found and made small by hypothesis."""

from __future__ import annotations

import random

import fuzz
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SLOW = {"names of networks": 20, "presets": 60, "dr.measure": 60, "LogisticProbe": 10, "URLs": 60}
"""Of targets that take long for one input, how many they get; others get 200."""


def inputs(name: str) -> st.SearchStrategy[bytes]:
    """Mutations of valid inputs, and any bytes."""
    seeds = fuzz.TARGETS[name].seeds()
    if seeds == fuzz._draws():
        return st.binary(min_size=16, max_size=16)
    mutated = st.builds(
        lambda one, other, seed: fuzz.mutated(one, other, random.Random(seed)),
        st.sampled_from(seeds),
        st.sampled_from(seeds),
        st.integers(0, 2**32),
    )
    return st.one_of(mutated, mutated, st.sampled_from(seeds), st.binary(max_size=200))


@pytest.mark.skipif(not hasattr(fuzz.signal, "SIGALRM"), reason="no signals to stop what hangs")
@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_no_traceback_no_hang_and_no_other_number(name):
    @settings(
        max_examples=SLOW.get(name, 200),
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs(name))
    def run(data: bytes) -> None:
        with fuzz.offline(), fuzz.limited():
            fuzz.give(name, data)

    run()


def test_what_is_wrong_is_found(monkeypatch):
    """The comparison with plain computation can fail, and so can the check for one line."""
    monkeypatch.setattr(fuzz.plain, "cka", lambda A, B: 0.5)
    with pytest.raises(fuzz.Wrong, match="CKA"):
        for data in fuzz.inputs("cka_curve", 50, 0):
            fuzz.give("cka_curve", data)
    with pytest.raises(fuzz.Wrong, match="several lines"):
        fuzz._one_line(type("Two", (fuzz.dr.InputError,), {"__str__": lambda self: "a\nb"})("a"))
    with pytest.raises(TimeoutError), fuzz.limited():
        monkeypatch.setattr(fuzz, "SECONDS", 0.01)
        fuzz.signal.setitimer(fuzz.signal.ITIMER_REAL, 0.01)
        while True:
            pass


def test_every_parser_and_measure_has_a_share_of_a_million():
    assert sum(one.share for one in fuzz.TARGETS.values()) == pytest.approx(1, abs=0.05)
    assert {"cka_curve", "RidgeProbe", "LogisticProbe", "dr.measure"} <= set(fuzz.TARGETS)
