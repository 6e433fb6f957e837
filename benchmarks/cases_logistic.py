"""The 71 logistic probes of one network and task (14 fractions x 5 seeds, and the whole layer),
against loops over subsets.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import diffused_redundancy as dr
import numpy as np
import peers
import plain
import synthetic
import torch
from diffused_redundancy.probes import logistic_problems as problems
from table import Row
from timing import interleaved

SEEDS = range(1, 6)
PENALTY = 1e-3
SHAPES = ((10_000, 2_048, 10), (10_000, 512, 100), (1_000, 2_048, 102), (50_000, 384, 100))
"""Images, neurons, classes."""

NAME = "logistic_71_probes"


def first_shape(quick: bool) -> list[Row]:
    """The first shape; with ``quick`` a small one."""
    return _compare(1_000, 128, 10, judged=False) if quick else _compare(*SHAPES[0], judged=True)


def other_shapes(quick: bool) -> list[Row]:
    """The other shapes; with ``quick`` one small one with many classes."""
    return (
        _compare(500, 128, 60, judged=False)
        if quick
        else [row for shape in SHAPES[1:] for row in _compare(*shape, judged=False, every=5)]
    )


def share(quick: bool) -> list[Row]:
    """The time of all probes of every shape over that of the operations they cannot avoid, at the
    speed of a product of the features.
    """
    return [
        _share(*shape, judged=not quick) for shape in (((1_000, 128, 10),) if quick else SHAPES)
    ]


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _loop(
    fit: Callable[..., tuple[np.ndarray, bool]],
    X: np.ndarray,
    y: np.ndarray,
    chosen: list[np.ndarray],
) -> tuple[list[float], int, list[float]]:
    """Objectives of the probes of some subsets, how many of them did not converge, and the seconds
    of each.
    """
    seconds, objectives, stopped = [], [], 0
    for neurons in chosen:
        part = np.ascontiguousarray(X[:, neurons])
        started = time.perf_counter()
        weights, converged = fit(part, y, PENALTY)
        seconds.append(time.perf_counter() - started)
        objectives.append(peers.objective(weights, part, y, PENALTY))
        stopped += not converged
    return objectives, stopped, seconds


def _of_all(seconds: list[float], every: int) -> float:
    """The seconds of all probes from those of some: the last, of the whole layer, is one probe."""
    return every * sum(seconds[:-1]) + seconds[-1]


def _layer(
    n: int, d: int, classes: int
) -> tuple[np.ndarray, np.ndarray, Callable[[], dict[str, np.ndarray]]]:
    """Train features and labels of a made-up layer, and all its probes, statistics included."""
    X, y = synthetic.layer(n + 1_000, d, classes=classes)
    train, target, test, truth = X[:n], y[:n], X[n:], y[n:]

    def probes() -> dict[str, np.ndarray]:
        features = dr.Features(train, target, test, truth)
        probe = dr.LogisticProbe(features, penalty=PENALTY, device="cpu")
        return probe.evaluate(dr.orderings("random", probe.statistics, SEEDS))

    return train, target, probes


def _share(n: int, d: int, classes: int, *, judged: bool) -> Row:
    train, _, probes = _layer(n, d, classes)
    evaluations: list[tuple[int, int]] = []
    plain_fit = problems.Problems.fit

    def counted(self: problems.Problems, start: torch.Tensor) -> object:
        minima = plain_fit(self, start)
        evaluations.extend(
            (k, int(count)) for (_, k), count in zip(self.problems, minima.evaluations, strict=True)
        )
        return minima

    problems.Problems.fit = counted  # type: ignore[assignment, method-assign]
    try:
        probes()
    finally:
        problems.Problems.fit = plain_fit  # type: ignore[method-assign]
    features = torch.from_numpy(train)
    timed = interleaved({"probes": probes, "product": lambda: features.T @ features}, rounds=5)
    # What it cannot avoid: of each evaluation two products with the features and two with the
    # inverse factor; of the whole the Gram matrix (half of it), and for each seed a Cholesky factor
    # and its inverse.
    products = sum(4.0 * n * k * classes * count for k, count in evaluations)
    others = (
        sum(2.0 * k * k * classes * count for k, count in evaluations)
        + n * d * (d + 1)
        + len(SEEDS) * 2 * d**3 / 3
    )
    product = median(timed.seconds["product"])
    speed = 2.0 * n * d * d / product
    needed = (
        f"{sum(count for _, count in evaluations)} evaluations: {products / speed:.3g} s, the Gram "
        f"matrix, factors and preconditioning {others / speed:.3g} s, at {speed / 1e9:.0f} GFLOP/s"
    )
    return Row(
        "logistic_share",
        f"probes / their own operations at the speed of X'X (n = {n:,}, d = {d:,}, {classes} "
        "classes)",
        timed.ratio("probes", "product") * product / ((products + others) / speed),
        "times",
        2.0,
        judged=judged,
        detail=f"{timed.summary('probes', 'product')}; {needed}",
    )


def _compare(n: int, d: int, classes: int, *, judged: bool, every: int = 1) -> list[Row]:
    """Each loop is run once, our probes twice before and twice after. ``every`` 5 runs the loops on
    one seed, as SGD always is.
    """
    train, target, probes = _layer(n, d, classes)
    sizes = dr.sizes_of(dr.PAPER_FRACTIONS, d)
    curves = probes()
    taken_by_ours = [_timed(probes) for _ in range(2)]
    # The loops' features: raw, and centred and scaled as the probes' penalty is defined. Both have
    # the same minimum.
    statistics = dr.SufficientStatistics.from_features(
        train, target, num_classes=classes, device="cpu"
    )
    scale = np.float32(statistics.mean_variance**0.5)
    centred = (train - statistics.mean.float().numpy()) / scale
    chosen = [plain.order(d, seed)[:k].numpy() for k in sizes for seed in (SEEDS if k < d else [1])]
    features = {"centred features": centred, "raw features": train / scale}
    loops = [
        ("scikit-learn", "raw features", 5.0),
        ("scikit-learn", "centred features", 2.5),
        ("torch L-BFGS", "centred features", None),
        ("scikit-learn-intelex", "raw features", None),
        ("scikit-learn-intelex", "centred features", None),
    ]
    if peers.installed("scikit-learn-intelex", "sklearnex") is None:
        print(f"{NAME} of scikit-learn-intelex skipped: pip install -e '.[benchmarks]'")
        loops = [loop for loop in loops if loop[0] != "scikit-learn-intelex"]
    loops_done = {
        (package, kind): _loop(peers.LOGISTIC[package], features[kind], target, chosen[::every])
        for package, kind, _ in loops
    }
    some = chosen[::5]
    sgd = _loop(peers.authors_sgd, centred, target, some)
    taken_by_ours += [_timed(probes) for _ in range(2)]
    seconds = median(taken_by_ours)
    at = f"n = {n:,}, d = {d:,}, {classes} classes"
    reached = [
        float(curves["objective"][i % 5, sizes.index(len(neurons))])
        for i, neurons in enumerate(chosen)
    ]
    rows = []
    for package, kind, least in loops:
        theirs, stopped, taken = loops_done[package, kind]
        run = len(chosen[::every])
        ours = ", ".join(f"{one:.3g}" for one in taken_by_ours)
        detail = (
            f"{sum(taken):.3g} s for {run} of {len(chosen)} probes against {seconds:.3g} s for "
            f"all ({ours}); {stopped} of them stopped by their limit"
        )
        rows.append(
            Row(
                NAME,
                f"{package} on {kind} ({at})",
                _of_all(taken, every) / seconds,
                "times our time",
                least,
                True,
                judged,
                detail,
                f"{package}, {kind}",
            )
        )
        worst = max(
            (own - other) / other for own, other in zip(reached[::every], theirs, strict=True)
        )
        excess = f"largest excess of our objective over theirs: {package}, {kind} ({at})"
        rows.append(
            Row(NAME, excess, worst, limit=1e-3, detail=f"share of the objective, {run} probes")
        )
    rows.append(
        Row(
            NAME,
            f"the authors' SGD on cached, centred features ({at})",
            _of_all(sgd[2], 5) / seconds,
            "times our time",
            detail=f"{len(some)} of {len(chosen)} probes run, {sum(sgd[2]):.3g} s, all "
            "but that of the whole layer taken five times; its objectives are "
            f"{np.median([a / b for a, b in zip(sgd[0], reached[::5], strict=True)]):.3g} "
            "times ours (median)",
            bar="the authors' SGD, cached features",
        )
    )
    return rows
