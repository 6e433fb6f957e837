"""Maps and tokens reduced to a row per image: against NumPy on the same arrays."""

from __future__ import annotations

import diffused_redundancy as dr
import numpy as np
import pytest
import torch
from diffused_redundancy.measures.pooling import pooled

MAPS, LAST, TOKENS = (6, 5, 3, 3), (6, 3, 3, 5), (6, 4, 5)


class Rows:
    """Features that are read in slices of rows."""

    def __init__(self, held: np.ndarray) -> None:
        self.held, self.shape, self.dtype = held, held.shape, held.dtype

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.held[rows]


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("shape", "pool", "axes", "note"),
    [
        (MAPS, "mean", (2, 3), "the mean over axes 2 and 3 was taken, 5 neurons."),
        (LAST, "max", (1, 2), "the max over axes 1 and 2 was taken, 5 neurons."),
        ((6, 3, 3, 3), "mean", (2, 3), "the mean over axes 2 and 3 was taken, 3 neurons."),
        ((6, 5, 2, 3), "max", (2, 3), "the max over axes 2 and 3 was taken, 5 neurons."),
        (TOKENS, "mean", (1,), "the mean over axis 1 was taken, 5 neurons."),
        (TOKENS, "cls", None, "the first of 4 tokens was taken, 5 neurons."),
    ],
)
def test_what_is_pooled_and_said(shape, pool, axes, note, lazy):
    X = np.random.default_rng(0).standard_normal(shape)
    rows, said = pooled(Rows(X) if lazy else X, pool, "Z")
    assert said == f"Z has shape {shape}: {note}"
    expected = X[:, 0] if axes is None else getattr(X, pool)(axes)
    assert tuple(rows.shape) == expected.shape and len(rows) == 6
    assert isinstance(rows, torch.Tensor) != lazy
    for some in (slice(0, 6), slice(2, 4)):
        assert np.allclose(rows[some], expected[some], atol=1e-14)
    assert rows.dtype == torch.float64


def test_half_precision_is_summed_in_single():
    X = np.full((2, 4096, 1), 0.1, dtype="float16")
    rows, _ = pooled(X, "mean")
    assert rows.dtype == torch.float32 and np.allclose(rows, float(np.float16(0.1)), rtol=1e-5)
    assert pooled(X, "max")[0].dtype == torch.float16


def test_rows_without_positions_stay_as_they_are():
    X = np.ones((4, 3))
    assert pooled(X, None)[0] is X and pooled(X, None)[1] == ""


@pytest.mark.parametrize(
    ("shape", "pool", "words"),
    [
        (MAPS, None, r"^X has shape \(6, 5, 3, 3\): features must be two-dimensional"),
        (TOKENS, None, "features must be two-dimensional"),
        ((6, 5), "max", r"^X has shape \(6, 5\): pool 'max' is for maps .* leave it out$"),
        ((6, 0, 5), "cls", r"\(6, 0, 5\): pool 'cls' is for maps"),
        (MAPS, "cls", r"pool 'cls' is for tokens \(n, tokens, d\); reduce maps with 'mean'"),
        (MAPS, "sum", "unknown pool 'sum'"),
    ],
)
def test_what_cannot_be_pooled(shape, pool, words):
    with pytest.raises(dr.InputError, match=words):
        pooled(np.zeros(shape), pool)
    with pytest.raises(dr.InputError, match=r"^Z holds"):
        pooled(np.full(TOKENS, "a"), "mean", "Z")
