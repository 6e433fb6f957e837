"""Plain float64 computations to hold the library against: slow, short, and independent of it."""

from __future__ import annotations

import numpy as np


def centred(X: np.ndarray) -> np.ndarray:
    X = np.asarray(X, dtype=np.float64)
    return X - X.mean(0)


def cka(A: np.ndarray, B: np.ndarray) -> float:
    """Linear CKA in feature space (Kornblith et al. 2019, equation 3)."""
    A, B = centred(A), centred(B)
    return float(np.linalg.norm(A.T @ B) ** 2 / (np.linalg.norm(A.T @ A) * np.linalg.norm(B.T @ B)))


def hsic1(K: np.ndarray, L: np.ndarray) -> float:
    """The unbiased estimator of HSIC (Song et al. 2012, equation 5), from n x n kernels."""
    n = len(K)
    K, L = K - np.diag(np.diag(K)), L - np.diag(np.diag(L))
    one = np.ones(n)
    total = (
        np.trace(K @ L)
        + (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (one @ K @ L @ one)
    )
    return float(total / (n * (n - 3)))


def debiased_cka(A: np.ndarray, B: np.ndarray) -> float:
    K, L = A @ A.T, B @ B.T
    return hsic1(K, L) / np.sqrt(hsic1(K, K) * hsic1(L, L))


def ridge_scores(
    X: np.ndarray, y: np.ndarray, X_test: np.ndarray, alpha: float, classes: int
) -> np.ndarray:
    """Scores of the ridge classifier from the normal equations."""
    Y = np.eye(classes)[y]
    Xc, Yc = centred(X), Y - Y.mean(0)
    W = np.linalg.solve(Xc.T @ Xc + alpha * np.eye(X.shape[1]), Xc.T @ Yc)
    return (X_test - X.mean(0)) @ W + Y.mean(0)
