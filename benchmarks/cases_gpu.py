"""The measures on a GPU, in batches of selections: seconds, the share of the device's speed,
memory, and how far digits differ from a CPU's.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import diffused_redundancy as dr
import numpy as np
import peers
import synthetic
import torch
from diffused_redundancy.measures.prefix_sums import _block
from diffused_redundancy.probes.ridge import ridge_alpha
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
        *_packages(parts, device),
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


def _packages(parts: tuple[np.ndarray, ...], device: str) -> list[Row]:
    """Fits and values of other packages on the same device, features already there, pass included
    in ours.
    """
    features = dr.Features(*parts)
    X, y, test, truth = (torch.from_numpy(part).to(device) for part in parts)
    ridge, logistic = 0.01, 1e-3
    seeds = range(1, 6)
    given = dr.SufficientStatistics.from_features(parts[0], parts[1], device="cpu", debiased=True)
    alpha = ridge_alpha(given, ridge)
    orders = dr.orderings("random", given, seeds)
    sizes = dr.sizes_of(dr.PAPER_FRACTIONS, X.shape[1])
    fifth = orders[0].order[: sizes[-1] // 5].to(device)
    scaled = [(part - X.mean(0)) / given.mean_variance**0.5 for part in (X, test)]

    def debiased() -> np.ndarray:
        statistics = dr.SufficientStatistics.from_features(X, device=device, debiased=True)
        return dr.cka_curve(statistics, orders, debiased=True).values

    def probes() -> np.ndarray:
        probe = dr.LogisticProbe(features, penalty=logistic, device=device)
        return probe.evaluate(dr.orderings("random", probe.statistics, seeds))["values"]

    def fits() -> list[int]:
        return [
            peers.logistic_on_device(scaled[0][:, chosen], y, scaled[1][:, chosen], truth, logistic)
            for chosen in (orders[0].order[:k].to(device) for k in sizes)
        ]

    def curve() -> np.ndarray:
        probe = dr.RidgeProbe(features, penalty=ridge, device=device)
        return probe.evaluate(orders[0])["values"]

    timed = interleaved(
        {
            "debiased": _waited(debiased),
            "pytorch-cka": _waited(lambda: peers.pytorch_cka(scaled[0][:, fifth], scaled[0])),
            "curve": _waited(curve),
            "ridge": _waited(lambda: peers.ridge_on_device(X, y, test, truth, alpha)),
            "probes": _waited(probes),
            "fits": _waited(fits),
        },
        rounds=3,
    )
    results = timed.results
    apart = abs(float(results["debiased"][0, len(fifth) - 1]) - results["pytorch-cka"])
    images = len(parts[3])
    whole = abs(float(results["curve"][0, -1]) - results["ridge"] / images)
    probed = float(np.abs(results["probes"][0] - np.array(results["fits"]) / images).max())
    of_75 = 75 * timed.ratio("pytorch-cka", "debiased")
    of_71 = 71 / len(sizes) * timed.ratio("fits", "probes")
    return [
        Row(
            NAME,
            "pytorch-cka, unbiased CKA of 75 subsets / every k of 5 orders, pass included",
            of_75,
            "times our time",
            detail=f"one subset taken times 75; {timed.summary('pytorch-cka', 'debiased')}",
        ),
        Row(NAME, "its difference from ours", apart, detail="of a fifth of the neurons"),
        Row(
            NAME,
            "scikit-learn's RidgeClassifier by its array API, one fit / every k of one order",
            timed.ratio("ridge", "curve"),
            "times our time",
            detail=timed.summary("ridge", "curve"),
        ),
        Row(NAME, "its accuracy, difference from ours on the whole layer", whole, limit=0.005),
        Row(
            NAME,
            "scikit-learn's LogisticRegression by its array API, 71 probes",
            of_71,
            "times our time",
            detail=f"{len(sizes)} probes run; {timed.summary('fits', 'probes')}",
        ),
        Row(
            NAME,
            "its accuracy, largest difference from ours",
            probed,
            detail=f"{len(sizes)} probes",
        ),
    ]
