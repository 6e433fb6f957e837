"""What the library is compared with: the measures written down as one would without it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifier
from torch import Tensor


def order(d: int, seed: int) -> Tensor:
    """The neurons in the order in which a seed of the authors takes them, (d,)."""
    return torch.randperm(d, generator=torch.Generator().manual_seed(seed))


def centred(X: np.ndarray, dtype: torch.dtype) -> Tensor:
    """Features less the mean of each neuron, (n, d)."""
    features = torch.from_numpy(X).to(dtype)
    return features - features.mean(0)


def cka(Xc: Tensor, chosen: Iterable[Tensor], *, slice_block: bool = False) -> np.ndarray:
    """Linear CKA of some subsets of neurons with the whole layer, in feature space.

    ||Xs'X||_F^2 / (||Xs'Xs||_F ||X'X||_F) for each subset;
    ||X'X||_F is computed once for all of them.

    Parameters
    ----------
    Xc : Tensor (n, d)
        Centred features; everything is computed in their precision.
    chosen : iterable of Tensor (k,)
        The neurons of each subset.
    slice_block : bool
        Take Xs'Xs out of Xs'X instead of multiplying again.

    Returns
    -------
    ndarray (subsets,), float64
    """
    whole = torch.linalg.norm(Xc.T @ Xc)
    values = []
    for neurons in chosen:
        Xs = Xc[:, neurons]
        cross = Xs.T @ Xc
        block = cross[:, neurons] if slice_block else Xs.T @ Xs
        values.append(float(torch.linalg.norm(cross) ** 2 / (torch.linalg.norm(block) * whole)))
    return np.array(values)


def ridge_hits(
    X: np.ndarray,
    y: np.ndarray,
    X_test: np.ndarray,
    y_test: np.ndarray,
    *,
    alpha: float,
    classes: int,
) -> np.ndarray:
    """Test images of each class that scikit-learn's ridge classifier gets right, in float64: (C,),
    int64.
    """
    guesses = (
        RidgeClassifier(alpha=alpha).fit(X.astype(np.float64), y).predict(X_test.astype(np.float64))
    )
    return np.bincount(y_test[guesses == y_test], minlength=classes)
