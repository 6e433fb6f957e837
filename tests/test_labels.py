"""Labels of any form: those that can mean one thing only are taken, the others are one line."""

from __future__ import annotations

import doctest

import diffused_redundancy as dr
import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from diffused_redundancy.measures import labels
from diffused_redundancy.measures.labels import class_indices

Y = np.arange(6) % 3
WORDS = np.array(["ant", "bee", "cat"])


class Rows:
    """Labels of a file, read in slices of rows."""

    def __init__(self, held: np.ndarray | torch.Tensor) -> None:
        self.held, self.shape = held, tuple(held.shape)

    def __getitem__(self, rows: slice) -> np.ndarray | torch.Tensor:
        return self.held[rows.start : rows.stop]


PLAIN = {
    "integers": Y,
    "a column": Y[:, None],
    "any values": Y * 500,
    "negative ones": Y - 7,
    "unsigned": Y.astype("uint64"),
    "words": WORDS[Y],
    "a column of words": WORDS[Y][:, None],
    "words as objects": WORDS[Y].astype(object),
    "words of a file": WORDS[Y].astype("S3"),
    "bytes as objects": WORDS[Y].astype("S3").astype(object),
    "a list of words": WORDS[Y].tolist(),
    "words of pandas": pd.Series(WORDS[Y], dtype="string"),
    "categories": pd.Categorical(WORDS[Y]),
    "nullable integers": pd.Series(Y, dtype="Int64"),
    "a frame": pd.DataFrame({"y": Y}),
    "integers as objects": Y.astype(object),
    "a tensor": torch.tensor(Y),
    "rows": Rows(Y),
    "a column of rows": Rows(torch.tensor(Y[:, None])),
    "a series by its own index": pd.Series(Y, index=np.linspace(9, 8, 6)),
}
SAID = {
    "floats": (Y.astype("f4"), "y holds whole numbers as float32"),
    "big-endian floats": (Y.astype(">f8"), "y holds whole numbers as float64"),
    "floats of a list": ([0.0, 1.0, 2.0] * 2, "y holds whole numbers as float64"),
    "bfloat16": (torch.tensor(Y).bfloat16(), "y holds whole numbers as bfloat16"),
    "bfloat16 of NumPy": (Y.astype(ml_dtypes.bfloat16), "y holds whole numbers as bfloat16"),
    "a gradient": (torch.tensor(Y * 1.0, requires_grad=True), "whole numbers as float64"),
    "one-hot": (np.eye(3)[Y], "y is one-hot"),
    "one-hot integers": (torch.eye(3, dtype=torch.long)[Y], "y is one-hot"),
}


@pytest.mark.parametrize("kind", [*PLAIN, *SAID])
def test_labels_that_mean_one_thing_are_taken_and_said(kind):
    given, said = SAID.get(kind, (PLAIN.get(kind), None))
    notes = []
    indices, classes = class_indices(given, 6, notes=notes)
    assert indices.dtype == np.int64 and np.array_equal(indices, Y) and len(classes) == 3
    assert len(notes) == (said is not None) and all(said in note for note in notes)
    if "words" in kind or kind in ("categories", "bytes as objects"):
        assert classes.tolist() == WORDS.tolist()
    again, same = class_indices(given, 6, "y_test", classes)
    assert np.array_equal(again, Y) and same is classes


def test_values_are_classes_and_truth_values_are_two():
    assert class_indices(Y * 250, 6)[1].tolist() == [0, 250, 500]
    indices, classes = class_indices(Y == 1, 6)
    assert classes.tolist() == [False, True] and indices.tolist() == [0, 1, 0] * 2


@pytest.mark.parametrize(
    "given, words",
    [
        (Y - 1, r"^y holds -1 for 2 of 6 images, .* leave these rows out .* labels.astype\(str\)"),
        (Y - 1.0, "holds -1 for 2 of 6 images"),
        (np.where(Y, Y, -100), "holds -100 for 2 of 6"),
        (pd.Series([1, None] * 3), r"^y has no label for 3 of 6 images \(first: row 1 holds nan\)"),
        (["a", None] * 3, "^y has no label for 3 of 6 images"),
        (["a", float("nan")] * 3, "no label for 3 of 6 images"),
        (pd.Series(["a", pd.NA] * 3, dtype="string"), "no label for 3 of 6 images"),
        (Y + 0.5, "holds float64 such as 0.5: labels must be whole numbers or words"),
        (np.where(Y, Y, np.inf), "such as inf: labels must be whole numbers"),
        (torch.tensor(Y + 300).bfloat16(), "bfloat16, which keeps whole numbers exactly below 256"),
        ((Y + 255).astype(ml_dtypes.bfloat16), "holds 256 as bfloat16, .* below 256 only"),
        (np.array([np.nan, 0, 1] * 2).astype(ml_dtypes.bfloat16), "no label for 2 of 6 .* row 0"),
        ([1, "a"] * 3, "objects of type int, str"),
        (np.array([1, "a"] * 3, dtype=object), "objects of type int, str"),
        (pd.Series([[1], [1, 2]] * 3), "y holds objects of type list: labels must be whole"),
        (pd.Series([0.5, 1] * 3, dtype=object), "y holds float64 such as 0.5"),
        ((Y[:, None] == Y) * 1, r"has shape \(6, 6\): there must be one label"),
        (np.where(np.eye(6), 1, 0.5), r"has shape \(6, 6\): there must be one label"),
        (np.array(["a", None, np.nan] * 2, dtype=object), "first: row 1 holds None"),
        (np.eye(3)[Y] / 2, "has shape .6, 3.: there must be one label for each of the 6 images"),
        (Y[:5], "one label for each of the 6 images"),
        (3, "one label for each of the 6 images"),
        (Y.astype(complex), "y holds complex128"),
        ([[1], [2, 3]], "rows differ in length"),
        (scipy.sparse.csr_array(np.eye(3)), r"is a sparse matrix: give y.toarray\(\)"),
        (scipy.sparse.coo_matrix(np.eye(3)), r"is a sparse matrix: give y.toarray\(\)"),
        (torch.eye(3).to_sparse(), r"is a sparse tensor: give y.to_dense\(\)"),
    ],
)
def test_other_labels_are_one_line(given, words):
    with np.errstate(invalid="ignore"), pytest.raises(dr.InputError, match=words):
        class_indices(given, 6)


@pytest.mark.parametrize(
    "given, classes, words",
    [
        (Y + 5, np.arange(3), r"y_test holds 5, .* of y_train \(nearest: 2\)"),
        (["dog", "ent"], WORDS, "holds dog, which is not among the 3 classes of y_train .nearest"),
        (["ents"] * 2, WORDS, "nearest: ant"),
        (Y.astype(str), np.arange(3), r"y_test holds words, y_train whole .* y_test.astype\(int\)"),
        (Y, WORDS, r"y_test holds whole numbers, y_train words: .* y_test.astype\(str\)"),
    ],
)
def test_a_test_part_has_the_classes_of_the_train_part(given, classes, words):
    with pytest.raises(dr.InputError, match=words):
        class_indices(given, len(given), "y_test", classes, of="y_train")


@pytest.mark.parametrize(
    "kind, bound", [("float16", 2**11), ("float32", 2**24), ("float64", 2**53)]
)
def test_floats_are_classes_below_the_first_that_is_not_exact(kind, bound):
    given = np.array([bound - 1, 0, bound - 1], dtype=kind)
    assert class_indices(given, 3)[1].tolist() == [0, bound - 1]
    with pytest.raises(dr.InputError, match=f"as {kind}, which keeps whole numbers exactly below"):
        class_indices(given + np.array([1, 0, 0], dtype=kind), 3)


def test_words_that_are_not_utf_8_stay_apart():
    for kind in ("S3", object):
        given = np.array([b"a\xff", b"\xc3\xa9", b"a\xfe"]).astype(kind)
        indices, classes = class_indices(given, 3)
        assert classes.tolist() == ["a\\xfe", "a\\xff", "\u00e9"] and indices.tolist() == [1, 2, 0]


def test_numbers_held_as_objects_are_what_they_are():
    for given, classes in (
        ([2.0, 0.0, 2.0], [0, 2]),
        ([True, False, True], [False, True]),
    ):
        assert class_indices(np.array(given, dtype=object), 3)[1].tolist() == classes
    assert class_indices(np.zeros(0), 0)[1].tolist() == []


def test_class_indices_of_probes_need_integers():
    X = np.random.default_rng(0).standard_normal((6, 2))
    same = dr.SufficientStatistics.from_features(X, torch.tensor(Y)).class_sums
    assert torch.equal(dr.SufficientStatistics.from_features(X, Y).class_sums, same)
    for given in (torch.tensor(Y).bfloat16(), torch.tensor(Y * 1.0, requires_grad=True)):
        with pytest.raises(dr.InputError, match="held as integers"):
            dr.SufficientStatistics.from_features(X, given)


def test_examples():
    assert doctest.testmod(labels).failed == 0


def test_minus_one_beside_one_alone_is_a_class():
    assert class_indices([-1, 1, 1], 3)[0].tolist() == [0, 1, 1]
    assert class_indices([-1, -1], 2, "y_test", np.array([-1, 1]))[0].tolist() == [0, 0]
    with pytest.raises(dr.InputError, match="holds -1 for 1 of 3 images, the mark of images"):
        class_indices([-1, 0, 1], 3)
