"""The measures on a GPU, in batches of selections: seconds, the share of the device's speed,
memory, and how far digits differ from a CPU's.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import diffused_redundancy as dr
import numpy as np
import synthetic
import torch
from diffused_redundancy.measures.prefix_sums import _block
from table import Row
from timing import interleaved

NAME = "gpu"
SAME = 1e-7
"""How far CKA may be from that of a CPU."""


def accelerator(quick: bool) -> list[Row]:
    """CKA at every size of 1,000 selections, the pass, a ridge curve and 71 logistic probes on a
    GPU and on the CPU.

    Without a GPU there is nothing to measure; ``quick`` then goes through the same code on the CPU.
    """
    if torch.cuda.is_available():
        device = "cuda"
    elif quick:
        device = "cpu"
    else:
        print(f"{NAME} skipped: there is no GPU")
        return []
    n, m, d, selections = (1_000, 500, 256, 20) if quick else (10_000, 4_000, 2_048, 1_000)
    X, y = synthetic.layer(n + m, d)
    parts = X[:n], y[:n], X[n:], y[n:]
    return [
        *_similarity(parts[0], d, selections, device, judged=not quick),
        *_probes(parts, device),
    ]


def _waited(call: Callable[[], object]) -> Callable[[], object]:
    """A call that ends when the device has done what it asks for."""

    def whole() -> object:
        result = call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return result

    return whole


def _similarity(X: np.ndarray, d: int, selections: int, device: str, *, judged: bool) -> list[Row]:
    features = torch.from_numpy(X).to(device)
    double = torch.randn(d, d, dtype=torch.float64, device=device)
    statistics = dr.SufficientStatistics.from_features(features, device=device)
    orders = dr.orderings("random", statistics, range(1, selections + 1))
    calls = {
        "curves": lambda: dr.cka_curve(statistics, orders).values,
        "pass": lambda: dr.SufficientStatistics.from_features(features, device=device).gram,
        "product": lambda: features.T @ features,
        "double": lambda: double @ double,
    }
    timed = interleaved({name: _waited(call) for name, call in calls.items()}, rounds=5)
    taken = median(timed.seconds["curves"])
    speed = 2.0 * d**3 / median(timed.seconds["double"])
    # one product of the squared Gram matrix for all orders
    needed = 2.0 * d * d * selections * -(-d // _block(d))
    on_cpu = dr.SufficientStatistics.from_features(X, device="cpu")
    exact = dr.cka_curve(on_cpu, dr.orderings("random", on_cpu, range(1, 6))).values
    error = float(np.abs(timed.results["curves"][:5] - exact).max())
    at = f"d = {d:,}"
    name = torch.cuda.get_device_name() if device == "cuda" else "on the CPU: there is no GPU"
    rows = [
        Row(
            NAME,
            f"CKA at every k of {selections:,} selections, given the Gram matrix ({at})",
            taken,
            "s",
            10.0,
            judged=judged,
            detail=name,
        ),
        Row(
            NAME,
            "its share of the speed of a float64 product",
            needed / speed / taken,
            detail=f"{needed / 1e9:,.0f} of {speed / 1e9:,.0f} GFLOP/s",
        ),
        Row(
            NAME, "largest difference to CKA on the CPU (5 selections, every k)", error, limit=SAME
        ),
        Row(
            NAME,
            f"the pass / half of one float32 X'X (n = {len(X):,}, {at})",
            2 * timed.ratio("pass", "product"),
            "times",
            detail=timed.summary("pass", "product"),
        ),
    ]
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        calls["curves"]()
        used = (torch.cuda.max_memory_allocated() - before) / 1e6
        rows.append(
            Row(
                NAME,
                f"memory of the GPU that {selections:,} selections take beside the Gram matrix",
                used,
                "MB",
                1_000,
                judged=judged,
            )
        )
    return rows


def _probes(parts: tuple[np.ndarray, ...], device: str) -> list[Row]:
    features = dr.Features(*parts)

    def ridge(where: str) -> Callable[[], object]:
        def call() -> np.ndarray:
            probe = dr.RidgeProbe(features, penalty=0.01, device=where)
            return probe.evaluate(dr.ordering("random", probe.statistics, 1))["values"]

        return _waited(call)

    def logistic(where: str) -> Callable[[], object]:
        def call() -> np.ndarray:
            probe = dr.LogisticProbe(features, penalty=1e-3, device=where)
            return probe.evaluate(dr.orderings("random", probe.statistics, range(1, 6)))["values"]

        return _waited(call)

    rows = []
    for what, of in (
        ("a ridge probe at every k, pass included", ridge),
        ("71 logistic probes, pass included", logistic),
    ):
        timed = interleaved({"here": of(device), "cpu": of("cpu")}, rounds=3)
        apart = float(np.abs(timed.results["here"] - timed.results["cpu"]).max())
        rows.append(
            Row(
                NAME,
                f"{what}: the CPU's time over the GPU's",
                timed.ratio("cpu", "here"),
                "times",
                detail=timed.summary("cpu", "here"),
            )
        )
        rows.append(Row(NAME, f"{what}: largest difference in accuracy", apart, limit=0.005))
    return rows
