"""Data that checks ask functions about: made up, or a part of what is shipped."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .data import load

Function = Callable[..., Any]
Random = np.random.Generator
Check = Callable[[Function, Random], None]
Note = Callable[[Function], str]


def made_up(rng: Random, n: int = 40, d: int = 12) -> np.ndarray:
    """Features of a few dimensions plus noise, with means and scales that differ."""
    mixed = rng.standard_normal((n, 4)) @ rng.standard_normal((4, d))
    noisy = mixed + 0.5 * rng.standard_normal((n, d))
    return noisy * rng.uniform(0.5, 2, d) + rng.uniform(1, 3, d)


def task(rng: Random, n: int = 80, m: int = 60, d: int = 15) -> tuple[np.ndarray, ...]:
    """Train features and labels, test features and labels, of three classes of unequal size."""
    y = np.concatenate([np.arange(3), rng.choice(3, n + m - 3, p=[0.5, 0.3, 0.2])])
    X = made_up(rng, n + m, d) + 1.2 * rng.standard_normal((3, d))[y]
    return X[:n], y[:n], X[n:], y[n:]


def part_of(name: str, rng: Random, train: int, test: int) -> tuple[np.ndarray, ...]:
    """Some train and test images of what is shipped, with labels."""
    data = load(name)
    rows = rng.permutation(len(data.X_train))[:train]
    others = rng.permutation(len(data.X_test))[:test]
    return data.X_train[rows], data.y_train[rows], data.X_test[others], data.y_test[others]


def similarities(X: np.ndarray) -> np.ndarray:
    """Inner products of images, (n, n), after each neuron was centred."""
    centred = X - X.mean(0)
    return centred @ centred.T


def cka_by_images(X: np.ndarray, Y: np.ndarray) -> float:
    """CKA the long way, by similarities of images."""
    K, L = similarities(X), similarities(Y)
    return float((K * L).sum() / np.sqrt((K * K).sum() * (L * L).sum()))


def ridge_by_images(
    X_train: np.ndarray,
    y_train: np.ndarray,
    X_test: np.ndarray,
    strength: float,
    *,
    constant: bool = True,
) -> np.ndarray:
    """Guesses of a ridge probe by its other form, which solves for a weight of each image; without
    its constant term, if a check asks what that makes of them.
    """
    mean, targets = X_train.mean(0), np.eye(y_train.max() + 1)[y_train]
    kernel = similarities(X_train) + strength * np.eye(len(X_train))
    weights = np.linalg.solve(kernel, targets - targets.mean(0))
    scores = (X_test - mean) @ (X_train - mean).T @ weights
    return (scores + targets.mean(0) * constant).argmax(1)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def slowness(call: Callable[[], object], one_size: Callable[[], object], most: float = 20) -> str:
    """A note if a curve of all sizes takes far longer than about one size; empty if not.

    It is a note and never a mark: on a busy machine, time is no property of the function.
    """
    one = min(_seconds(one_size) for _ in range(20))
    times = [_seconds(call)]
    while times[-1] > most * one and len(times) < 3 and sum(times) < 1:  # perhaps it was disturbed
        times.append(_seconds(call))
    if min(times) <= most * one:
        return ""
    return (
        f"a curve took {min(times) / one:.0f} times as long as one size alone, so that figures "
        "below may take minutes. Let sums carry on from k to k + 1 instead of beginning anew, and "
        "let NumPy do the loops within one size."
    )
