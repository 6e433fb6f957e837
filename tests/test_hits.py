"""Right guesses by image: what fits together, and accuracy and halves by plain loops."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.measures.hits import Hits, accuracy_by_class
from diffused_redundancy.measures.image_groups import halves_of

RNG = np.random.default_rng(0)
LABELS = RNG.permutation(np.arange(21) % 4)  # 21 images: the last byte is not full
RIGHT = RNG.random((2, 3, 21)) < 0.6


def made(**given: object) -> Hits:
    how = {"bits": np.packbits(RIGHT, axis=2), "margins": RNG.normal(size=21), "labels": LABELS}
    return Hits(**{**how, "num_classes": 6, **given})


def test_accuracy_by_class_is_that_of_a_loop():
    hits, nan = made(), float("nan")
    for k in (1, 3):
        assert np.array_equal(hits.at(k), RIGHT[:, k - 1])
    of = [RIGHT[..., c == LABELS].mean(-1) for c in range(4)] + [np.full((2, 3), nan)] * 2
    assert np.allclose(hits.by_class, np.stack(of, -1), equal_nan=True)
    whole = [(hits.margins[c == LABELS] > 0).mean() for c in range(4)]
    assert hits.full_by_class == pytest.approx([*whole, nan, nan], nan_ok=True)
    assert hits.counts.tolist() == [6, 5, 5, 5, 0, 0] and hits.sizes == 3
    assert accuracy_by_class(np.array([0.0, 1.0]), np.array([0, 0]), 2)[0] == 0.5


def test_halves_take_turns_within_a_class():
    one, other = halves_of(LABELS)
    assert (one != other).all()
    for c in range(4):
        assert (
            one[c == LABELS].tolist()
            == [True, False, True, False, True, False][: (c == LABELS).sum()]
        )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"margins": np.zeros(20)}, r"\(2, 3, 3\), margins \(20,\) and labels \(21,\) do not fit"),
        ({"bits": np.zeros((2, 3, 2), "uint8")}, r"must be \(seeds, sizes, 3\), \(21,\) and"),
        ({"bits": np.zeros((3, 3), "uint8")}, r"bits \(3, 3\)"),
        ({"bits": np.zeros((2, 3, 3, 1), "uint8")}, r"bits \(2, 3, 3, 1\)"),
        ({"labels": LABELS - 1}, "labels must be from 0 to 5, one or more"),
        ({"num_classes": 3}, "labels must be from 0 to 2, one or more"),
        (
            {"bits": np.zeros((1, 1, 0), "uint8"), "margins": np.zeros(0), "labels": LABELS[:0]},
            "one or more",
        ),
    ],
)
def test_what_does_not_fit(given, words):
    with pytest.raises(dr.InputError, match=words):
        made(**given)


@pytest.mark.parametrize(("k", "nearest"), [(0, 1), (4, 3)])
def test_sizes_that_were_not_measured(k, nearest):
    with pytest.raises(dr.InputError, match=rf"k is {k}: it must be .*nearest: {nearest}"):
        made().at(k)
