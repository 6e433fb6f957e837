"""CKA at every size of many selections, and on the authors' grid, against products of the
features.
"""

from __future__ import annotations

from collections.abc import Iterable

import diffused_redundancy as dr
import numpy as np
import plain
import synthetic
import torch
from table import Row
from timing import interleaved

SEEDS = range(1, 6)
SAME = 1e-7
"""How far CKA from float32 products may be from plain float64."""


def curves(statistics: dr.SufficientStatistics, seeds: Iterable[int]) -> np.ndarray:
    """CKA at every size of random selections, (seeds, d)."""
    return dr.cka_curve(statistics, dr.orderings("random", statistics, seeds)).values


def all_sizes(quick: bool) -> list[Row]:
    """CKA at every size of 100 random selections, given the statistics, against one float32 product
    X'X.
    """
    n, d, selections = (2_000, 512, 20) if quick else (10_000, 2_048, 100)
    X, _ = synthetic.layer(n, d)
    features = torch.from_numpy(X)
    statistics = dr.SufficientStatistics.from_features(X, device="cpu")
    seeds = range(1, selections + 1)
    timed = interleaved(
        {
            "curves": lambda: curves(statistics, seeds),
            "product": lambda: features.T @ features,
            "pass": lambda: dr.SufficientStatistics.from_features(X, device="cpu").gram,
        },
        rounds=7,
    )
    ends = [plain.order(d, seed) for seed in (1, selections)]
    sizes = [1, 3, d // 100, d // 10, d // 2, d]
    exact = plain.cka(plain.centred(X, torch.float64), [order[:k] for order in ends for k in sizes])
    ours = timed.results["curves"][[0, -1]][:, np.array(sizes) - 1].ravel()
    twice = dr.SufficientStatistics.from_features(X.astype(np.float64), device="cpu")
    everywhere = _error(timed.results["curves"], curves(twice, seeds))
    name, at = "cka_all_sizes", f"n = {n:,}, d = {d:,}"
    return [
        Row(
            name,
            f"CKA at every k of {selections} selections / one float32 X'X ({at})",
            timed.ratio("curves", "product"),
            "times",
            limit=20,
            judged=not quick,
            detail=timed.summary("curves", "product"),
        ),
        Row(
            name,
            f"the pass / half of one float32 X'X, which is symmetric ({at})",
            2 * timed.ratio("pass", "product"),
            "times",
            limit=1.2,
            judged=not quick,
            detail=timed.summary("pass", "product"),
        ),
        Row(
            name,
            "largest error of CKA",
            _error(ours, exact),
            limit=SAME,
            detail=f"float64, seeds 1 and {selections}, k = {_listed(sizes)}",
        ),
        Row(
            name,
            f"the same at every size of all {selections} selections",
            everywhere,
            limit=SAME,
            detail="features in float64",
        ),
    ]


def subsets(quick: bool) -> list[Row]:
    """The authors' 75 subsets of a made-up layer."""
    n, d = (2_000, 512) if quick else (10_000, 2_048)
    return compare_subsets(
        "cka_75_subsets", synthetic.layer(n, d)[0], rounds=5, limit=25, judged=not quick
    )


def compare_subsets(
    name: str, X: np.ndarray, *, rounds: int, limit: float | None = None, judged: bool = True
) -> list[Row]:
    """CKA of 15 fractions x 5 seeds from one Gram matrix, against float32 products of each subset.

    Parameters
    ----------
    name : str
        Of the benchmark.
    X : ndarray (n, d), float32
    rounds : int
        Timed rounds.
    limit : float, optional
        How many times faster it should be, the pass over the features included.
    judged : bool
        Whether the target applies to features of this size.
    """
    n, d = X.shape
    columns = [max(1, int(fraction * d)) - 1 for fraction in dr.PAPER_FRACTIONS]
    chosen = [plain.order(d, seed)[: column + 1] for seed in SEEDS for column in columns]
    statistics = dr.SufficientStatistics.from_features(X, device="cpu")

    def subset_values(of: dr.SufficientStatistics) -> np.ndarray:
        return curves(of, SEEDS)[:, columns].ravel()

    timed = interleaved(
        {
            "plain": lambda: plain.cka(plain.centred(X, torch.float32), chosen),
            "sliced": lambda: plain.cka(plain.centred(X, torch.float32), chosen, slice_block=True),
            "with pass": lambda: subset_values(
                dr.SufficientStatistics.from_features(X, device="cpu")
            ),
            "curves": lambda: subset_values(statistics),
        },
        rounds,
    )
    some = range(0, len(chosen), 4)
    exact = plain.cka(plain.centred(X, torch.float64), [chosen[i] for i in some])
    at = f"n = {n:,}, d = {d:,}"

    def faster(what: str, slow: str, fast: str, least: float | None, bar: str = "") -> Row:
        quantity = f"{len(chosen)} subsets, {what} ({at})"
        return Row(
            name,
            quantity,
            timed.ratio(slow, fast),
            "times faster",
            least,
            at_least=True,
            judged=judged,
            detail=timed.summary(slow, fast),
            bar=bar,
        )

    return [
        faster(
            "pass over the features included",
            "plain",
            "with pass",
            limit,
            "feature space, subset by subset (float32)",
        ),
        faster("given the statistics", "plain", "curves", limit),
        faster(
            "pass included, if the plain loop slices Xs'Xs out of Xs'X", "sliced", "with pass", None
        ),
        Row(
            name,
            "largest error of CKA",
            _error(timed.results["with pass"][some], exact),
            limit=SAME,
            detail=f"float64, {len(some)} subsets",
        ),
        Row(
            name,
            "largest error of the plain float32 loop",
            _error(timed.results["plain"][some], exact),
            detail="the same subsets",
        ),
    ]


def _error(ours: np.ndarray, exact: np.ndarray) -> float:
    return float(np.abs(ours - exact).max())


def _listed(sizes: list[int]) -> str:
    return ", ".join(str(k) for k in sizes)
