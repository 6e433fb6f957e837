"""CKA of the authors' 75 subsets against released CKA packages, which are given one subset at a
time.
"""

from __future__ import annotations

import time

import diffused_redundancy as dr
import numpy as np
import peers
import plain
import synthetic
import torch
from cases_cka import curves as cka_curves
from table import Row

NAME = "cka_packages"
SEEDS = range(1, 6)


def packages(quick: bool) -> list[Row]:
    """Each package on one of the subsets, a fifth of the neurons, its time taken times 75; ours is
    all 75, with the pass.

    The packages multiply kernels of n x n images: the size of a subset hardly matters to them, and
    10,000 images would take half an hour.
    """
    n, d = (1_000, 256) if quick else (3_000, 2_048)
    X, _ = synthetic.layer(n, d)
    features = torch.from_numpy(X)

    def ours() -> np.ndarray:
        statistics = dr.SufficientStatistics.from_features(X, device="cpu")
        return cka_curves(statistics, SEEDS)

    curves = ours()
    started = time.perf_counter()
    for _ in range(3):
        ours()
    seconds = (time.perf_counter() - started) / 3
    some = [max(1, int(0.2 * d))]
    chosen = [plain.order(d, 1)[:k] for k in some]
    exact = plain.cka(plain.centred(X, torch.float64), chosen)
    at = f"n = {n:,}, d = {d:,}"
    rows = [
        Row(
            NAME,
            f"largest error of ours ({at})",
            float(np.abs(curves[0, np.array(some) - 1] - exact).max()),
            limit=1e-7,
            detail="against float64",
        )
    ]
    fastest = np.inf
    for package, cka in peers.CKA_PACKAGES.items():
        version = peers.installed(package)
        if version is None:
            print(
                f"{NAME} of {package} skipped: it is not installed (pip install -e '.[benchmarks]')"
            )
            continue
        started = time.perf_counter()
        values = [cka(features[:, neurons], features) for neurons in chosen]
        taken = (time.perf_counter() - started) * 75
        fastest = min(fastest, taken / seconds)
        error = float(np.abs(np.array(values) - exact).max())
        detail = (
            f"{taken / 75:.3g} s a subset against {seconds:.3g} s for all; its largest "
            f"error {error:.1g}"
        )
        rows.append(
            Row(
                NAME,
                f"{package} {version}, 75 subsets ({at})",
                taken / seconds,
                "times our time",
                detail=detail,
                bar=f"{package} {version}, {n:,} images",
            )
        )
    if np.isfinite(fastest):
        rows.append(
            Row(NAME, f"the fastest of them ({at})", fastest, "times our time", 60, True, not quick)
        )
    return rows
