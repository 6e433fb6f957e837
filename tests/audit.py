"""Recompute the numbers that notebooks 01, 02 and 05 print, from the features, independently.

``python tests/audit.py FOLDER`` reads ``tables/*.csv`` and ``results/*.json`` in the reports of a run
(such as ``reports/miniature``), takes each layer's features from the library (the cache of the run
has them), and from there on uses NumPy, SciPy and scikit-learn only: ``plain_layer.py`` and
``plain_fairness.py``. Of every table and kind of number it prints how many were recomputed and the
largest difference. The exit status is 1 if a number differs by more than its printed digits allow.

What comes from random resampling is computed with other random numbers, images drawn one by one
where the library draws groups; it may differ by a tolerance, which is printed.

Taken from the library, as definitions: names of networks and tasks, images, features, labels.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import plain_fairness as plain
from diffused_redundancy.nets.extraction import features
from diffused_redundancy.nets.names import expanded
from diffused_redundancy.tasks import Task, task
from plain_layer import (
    SEEDED,
    PlainLayer,
    band_of,
    common,
    eighths,
    first_reaching,
    half_decades,
    orders,
    size_of,
    sizes_of,
)
from scipy.stats import norm
from threadpoolctl import threadpool_limits

NOTEBOOKS = ("01_cka", "02_probes", "05_fairness")

CKA_ERROR = 2e-7
"""What CKA may differ by beyond printed digits: products of float32 features, as the library takes
them.
"""

UNDECIDED = 0.01
"""An image whose two largest logits are as close, in standard deviations of all logits, counts as
undecided in a logistic probe, which a solver reaches to a tolerance.
"""

RESAMPLES = 1000

GRID = half_decades(1e-6, 100)
"""Ridge penalties that are tried at first; notebook 05 does not print how far they went."""

REDUNDANCY = [
    "case",
    "selection",
    "measure",
    "delta",
    "DR",
    "low",
    "high",
    "k",
    "d",
    "full",
    "seeds",
]
ABOVE_CHANCE = ["DR_above_chance", "low_above_chance", "high_above_chance", "chance"]
CURVE = ["measure", "case", "selection", "seed", "k", "value"]
MEANS = ["measure", "case", "selection", "k", "mean", "sd", "least", "largest", "seeds"]
PRECISION = [
    "case",
    "DR",
    "low",
    "high",
    "seeds",
    "sd_subsets",
    "sd_paper_subsets",
    "sd_images",
    "coverage",
    "coverage_paper_seeds",
    "seeds_for_0.01",
]

COLUMNS = {
    "01_cka-layers": ["case", "n_train", "n_test", "d", "classes", "constant neurons", "r"],
    "01_cka-curves": CURVE,
    "01_cka-means": MEANS,
    "01_cka-redundancy": REDUNDANCY,
    "01_cka-closed-form-curves": ["case", "k", "closed_form", "mean", "standard_error"],
    "01_cka-closed-form": [
        *("case", "r", "largest error, all k", "at k", "largest error, k ≥ 10%"),
        "within 0.02 from k",
    ],
    "01_cka-debiased": [
        *("case", "plain at 10%", "debiased at 10%", "largest difference", "at k"),
    ],
    "01_cka-precision": PRECISION,
    "02_probes-penalties": [
        *("case", "probe", "penalty", "validation loss", "validation accuracy"),
        *("parts left out in turn", "grid"),
    ],
    "02_probes-ridge": CURVE,
    "02_probes-ridge-means": MEANS,
    "02_probes-logistic": CURVE,
    "02_probes-redundancy-ridge": [*REDUNDANCY, *ABOVE_CHANCE],
    "02_probes-redundancy-logistic": [*REDUNDANCY, *ABOVE_CHANCE],
    "02_probes-agreement": [
        *("case", "ridge, full layer", "logistic, full layer", "largest gap", "at k"),
        *("gap at a fifth", "low", "high"),
    ],
    "02_probes-penalty-effects": [
        *("case", "probe", "ten times weaker", "as chosen", "ten times stronger"),
    ],
    "02_probes-penalty-bands": [
        *("case", "penalty", "penalties of the band", "δ", "DR(δ)", "least", "most", "width"),
        "orders",
    ],
    "02_probes-precision": PRECISION,
    "02_probes-paper": [
        *("net", "d", "ImageNet top-1", "DR, CIFAR10", "DR, CIFAR100", "DR, Flowers", "DR, Pets"),
    ],
    "05_fairness-spread": [
        *("task", "net", "neurons", "k", "mean", "worst class", "Gini", *plain.NULLS),
        *("by chance", "variation"),
    ],
    "05_fairness-nulls": [
        *("task", "net", "k", "index", "null", "observed", "expected", "excess", "low", "high"),
        *("p", "p, corrected"),
    ],
    "05_fairness-loss-by-margin": [
        *("task", "class", "k", "images", "margin", "full layer", "left", "loss, points"),
        *("predicted loss, points", "beyond, points", "low", "high", "p"),
    ],
    "05_fairness-lost-most": [
        *("task", "k", "class", "chosen on", "loss on the other, points", "low", "high"),
        *("predicted loss, points", "margin"),
    ],
    "05_fairness-choices": [
        *("task", "rule", "k", "share dropped", "mean kept on test", "worst tenth kept on test"),
        "worst class on test",
    ],
}
"""The columns that are recomputed here; others are told to be missing."""

UNKNOWN = "nothing here recomputes it"

RESULTS = {
    "01_cka": ("cka at 20%, ", "DR("),
    "02_probes": ("share at 20%, ", "full layer, ", "DR("),
    "05_fairness": ("Gini, ", "agreement between seeds, ", "agreement beyond a shift, ", "cells"),
}
"""How the names of results begin that are recomputed here."""


def rounding(printed: np.ndarray, digits: int = 6) -> np.ndarray:
    """Half a unit of the last digit of numbers printed with so many."""
    size = np.floor(np.log10(np.where(printed == 0, 1e-12, np.abs(printed))))
    return 0.5001 * 10.0 ** (size - digits + 1) + 1e-12


@dataclass
class Line:
    """What became of one kind of number of one table."""

    count: int = 0
    failed: int = 0
    largest: float = 0.0
    allowed: float = 0.0
    share: float = 0.0
    where: str = ""


@dataclass
class Audit:
    """All comparisons, by section, table and kind of number."""

    lines: dict[tuple[str, str, str], Line] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def numbers(
        self,
        table: str,
        kind: str,
        printed: object,
        mine: object,
        *,
        where: object = "",
        slack: object = 0.0,
        digits: int = 6,
    ) -> None:
        """Numbers that follow from the features: equal to printed digits, and a slack."""
        shown = np.atleast_1d(np.asarray(printed, dtype=float))
        self._compare(
            "computed", table, kind, shown, mine, rounding(shown, digits) + np.asarray(slack), where
        )

    def resampled(
        self, table: str, kind: str, printed: object, mine: object, tolerance: object, where: object
    ) -> None:
        """Numbers that rest on random draws: equal to a tolerance."""
        shown = np.atleast_1d(np.asarray(printed, dtype=float))
        allowed = np.broadcast_to(np.asarray(tolerance, dtype=float), shown.shape)
        self._compare("resampled", table, kind, shown, mine, allowed, where)

    def words(self, table: str, kind: str, printed: object, mine: object, where: object) -> None:
        """Texts and yes-or-no answers."""
        line = self.lines.setdefault(("computed", table, kind), Line())
        line.count += 1
        if printed != mine:
            line.failed += 1
            line.largest = np.inf
            line.where = f"{where}: printed {printed}, recomputed {mine}"

    def _compare(
        self,
        section: str,
        table: str,
        kind: str,
        shown: np.ndarray,
        mine: object,
        allowed: np.ndarray,
        where: object,
    ) -> None:
        ours = np.broadcast_to(np.asarray(mine, dtype=float), shown.shape)
        gap = np.where(np.isnan(shown) & np.isnan(ours), 0, np.abs(shown - ours))
        gap, allowed = np.where(np.isnan(gap), np.inf, gap), np.nan_to_num(allowed)
        line = self.lines.setdefault((section, table, kind), Line())
        line.count += gap.size
        failed = gap > allowed
        line.failed += int(failed.sum())
        over = np.where(failed, gap, 0)
        line.share = max(line.share, float((gap / np.maximum(allowed, 1e-300)).max()))
        at = np.unravel_index(over.argmax(), gap.shape)
        if failed.any() and not line.where:
            line.where = f"{where}: printed {shown[at]:g}, recomputed {ours[at]:g}"
        if gap.max() >= line.largest:
            line.largest, line.allowed = float(gap.max()), float(allowed.flat[gap.argmax()])

    def report(self) -> int:
        """Print everything; the exit status."""
        titles = {
            "computed": "Recomputed from the features (allowed: printed digits)",
            "resampled": "Resampled with other random numbers (allowed: the tolerance given)",
        }
        failed = 0
        for section, title in titles.items():
            print(f"\n{title}")
            for (one, table, kind), line in self.lines.items():
                if one != section:
                    continue
                end = f" of {line.allowed:.1e} allowed" if section == "resampled" else ""
                print(
                    f"{table:<28} {kind:<34} {line.count:>8,} numbers  largest difference "
                    f"{line.largest:.1e}{end}"
                )
                if line.failed:
                    failed += line.failed
                    print(f"    WRONG: {line.failed} of them, such as {line.where}")
        print("\nNot audited")
        for what, why in self.left_out.items():
            print(f"{what}: {why}")
        total = sum(line.count for line in self.lines.values())
        computed = {key: line for key, line in self.lines.items() if key[0] == "computed"}
        worst = max(computed, key=lambda key: computed[key].share, default=None)
        print(f"\n{total:,} numbers audited, {failed} wrong.", end="")
        if worst is not None:
            line = computed[worst]
            print(
                f" Of those recomputed, {worst[1]}, {worst[2]} comes closest to what its digits "
                f"allow: {line.share:.2f} of that."
            )
        return int(failed > 0)


class Run:
    """The reports of a run, and the layers they are about."""

    def __init__(self, folder: Path, part: bool, jobs: int) -> None:
        self.folder, self.part, self.jobs = folder, part, jobs

    def has(self, notebook: str) -> bool:
        return (self.folder / "results" / f"{notebook}.json").is_file()

    @cache  # noqa: B019 - there is one
    def told(self, notebook: str) -> dict:
        return json.loads((self.folder / "results" / f"{notebook}.json").read_text())

    def table(self, name: str) -> pd.DataFrame:
        """A table, whose parameters must be those of its notebook's results."""
        path = self.folder / "tables" / f"{name}.csv"
        head = path.read_text(encoding="utf-8").partition("\n")[0]
        notebook, _, given = head.removeprefix("# ").partition(", parameters: ")
        if json.loads(given) != self.told(notebook)["parameters"]:
            raise SystemExit(f"{path}: its first line has other parameters than {notebook}.json")
        try:
            return pd.read_csv(path, comment="#", dtype={"class": str})
        except pd.errors.EmptyDataError:
            return pd.DataFrame()

    @cache  # noqa: B019
    def task(self, name: str, images: int) -> Task:
        return task(name, images=images)

    def layer(self, parameters: dict, net: str, name: str) -> PlainLayer:
        """The layer of a network on a task, as the parameters of a notebook have it."""
        how = tuple(parameters[key] for key in ("IMAGES", "LAYER", "PROTOCOL", "DEVICE", "COMPUTE"))
        return self._layer(net, name, *how)

    @cache  # noqa: B019
    def _layer(
        self, net: str, name: str, images: int, layer: str, protocol: str, device: str, compute: str
    ) -> PlainLayer:
        found = features(
            net,
            self.task(name, images),
            layer=layer,
            protocol_name=protocol,
            device=device,
            compute=compute,
        )
        return PlainLayer(
            np.asarray(found.X_train),
            np.asarray(found.y_train),
            np.asarray(found.X_test),
            np.asarray(found.y_test),
            views=found.views,
        )

    def map(self, function: Callable, items: Sequence) -> list:
        """A function of each item, some at a time."""
        with ThreadPoolExecutor(self.jobs) as pool:
            return list(pool.map(function, items))

    def sizes(self, most: int, *near: int) -> list[int]:
        """Sizes that are looked at: all, or of a part some, those ``near`` among them."""
        if not self.part:
            return list(range(1, most + 1))
        some = {1, 2, 10, most // 10, most // 5, most // 2, most, *near, *(k - 1 for k in near)}
        return sorted(k for k in some if 1 <= k <= most)

    def seeds(self, seeds: Sequence[int]) -> list[int]:
        """Seeds whose curves are looked at one by one."""
        return list(seeds)[:2] if self.part else list(seeds)


def first_is(audit: Audit, name: str, where: str, printed: int, first: int | None) -> None:
    audit.numbers(name, "k", printed, np.nan if first is None else first, where=where)


@dataclass
class Spread:
    """A mean curve that can be resampled: values (orders, s), deviations by image (m, s)."""

    values: np.ndarray
    by_image: np.ndarray
    full: float
    full_by_image: np.ndarray | None
    sizes: np.ndarray
    d: int
    chance: float = 0.0

    def bar(self, full: np.ndarray | float, delta: float) -> np.ndarray:
        return self.chance + delta * (np.asarray(full) - self.chance)

    def first(self, curves: np.ndarray, full: np.ndarray | float, delta: float) -> np.ndarray:
        """k* of each curve, d where none is enough."""
        bar = np.broadcast_to(self.bar(full, delta), len(curves))[:, None]
        enough = curves >= bar - 1e-12 * np.abs(bar)
        return np.where(enough.any(1), self.sizes[enough.argmax(1)], self.d)

    def draws(
        self,
        rng: np.random.Generator,
        resamples: int,
        *,
        rows: bool = True,
        images: bool = True,
        confidence: float = 0.95,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean curves and the whole layer's values with orders and images drawn with replacement;
        deviations over few orders are widened.
        """
        n, m = len(self.values), len(self.by_image)
        mean = self.values.mean(0)
        curves, full = np.tile(mean, (resamples, 1)), np.full(resamples, self.full)
        if rows and n > 1:
            weight = rng.multinomial(n, [1 / n] * n, size=resamples) / n
            curves += plain.widened(n, confidence) * (weight @ self.values - mean)
        if images:
            weight = rng.multinomial(m, [1 / m] * m, size=resamples) / m
            curves += weight @ (self.by_image - self.by_image.mean(0))
            if self.full_by_image is not None:
                full += weight @ self.full_by_image - self.full_by_image.mean()
        return curves, full

    def interval(
        self,
        delta: float,
        rng: np.random.Generator,
        resamples: int = RESAMPLES,
        confidence: float = 0.95,
    ) -> tuple[float, float]:
        """The ends of the interval of DR."""
        first = self.first(*self.draws(rng, resamples, confidence=confidence), delta)
        tail = (1 - confidence) / 2
        low, high = np.quantile(first, [tail, 1 - tail], method="inverted_cdf")
        return 1 - high / self.d, 1 - low / self.d

    def deviation(self, delta: float, rng: np.random.Generator, **which: bool) -> float:
        return float(self.first(*self.draws(rng, RESAMPLES, **which), delta).std(ddof=1) / self.d)

    def coverage(
        self, delta: float, seeds: int, rng: np.random.Generator, experiments: int
    ) -> float:
        """How often the interval of an experiment drawn from these orders and images holds DR."""
        truth = 1 - self.first(self.values.mean(0)[None], self.full, delta)[0] / self.d
        m, held = len(self.by_image), 0
        centred = self.by_image - self.by_image.mean(0)
        for _ in range(experiments):
            rows = self.values[rng.integers(len(self.values), size=seeds)]
            some = rng.integers(m, size=m)
            of_full = None if self.full_by_image is None else self.full_by_image[some]
            full = self.full if of_full is None else float(of_full.mean())
            one = Spread(
                rows + centred[some].mean(0),
                centred[some],
                full,
                of_full,
                self.sizes,
                self.d,
                self.chance,
            )
            low, high = one.interval(delta, rng, 300)
            held += bool(low - 1e-9 <= truth <= high + 1e-9)
        return held / experiments

    @cached_property
    def step(self) -> float:
        """The widest gap between the sizes looked at, as a share of the layer."""
        return float(np.diff(self.sizes, append=self.sizes[-1]).max()) / self.d


def check_interval(
    audit: Audit, name: str, row, ends, spread: Spread, where: str, names=("low", "high")
):
    """Ends of an interval of DR, to a quarter of its width and two neurons."""
    low, high = (float(row[one]) for one in names)
    allowed = 0.25 * abs(high - low) + 2 / spread.d + spread.step
    audit.resampled(name, "ends of intervals", [low, high], ends, allowed, where)


def near_interval(run: Run, d: int, rows: pd.DataFrame) -> np.ndarray:
    """Sizes at which a curve is resampled: all, or of a part those about the interval."""
    if not run.part:
        return np.arange(1, d + 1)
    ends = [d * (1 - value) for name in ("low", "high") for value in rows[name].dropna()]
    k = [float(value) for value in rows["k"].dropna()]
    if not k:
        return np.arange(1, 3)
    least, most = max(1, 0.7 * min(ends + k)), min(d, 1.3 * max(ends + k) + 3)
    return np.unique(np.linspace(least, most, 40).round().astype(int))


def check_precision(
    audit: Audit, name: str, row: pd.Series, spread: Spread, delta: float, run: Run
) -> None:
    """A row of the table of precision."""
    rng, where = np.random.default_rng(7), str(row["case"])
    seeds = len(spread.values)
    audit.numbers(name, "seeds", row["seeds"], seeds, where=where)
    check_interval(audit, name, row, spread.interval(delta, rng), spread, where)
    quantum = 0.3 / spread.d + spread.step / 2 * run.part
    for column, which in (("sd_subsets", {"images": False}), ("sd_images", {"rows": False})):
        mine = spread.deviation(delta, rng, **which)
        allowed = 0.35 * max(row[column], mine) + quantum
        audit.resampled(name, "standard deviations", row[column], mine, allowed, where)
    audit.numbers(
        name,
        "sd_paper_subsets, from sd_subsets",
        row["sd_paper_subsets"],
        row["sd_subsets"] * np.sqrt(seeds / 5),
        where=where,
        slack=1e-5 * row["sd_paper_subsets"],
    )
    left = (0.01 / norm.ppf(0.975)) ** 2 - row["sd_images"] ** 2
    needed = np.ceil(row["sd_subsets"] ** 2 * seeds / left) if left > 0 else np.nan
    audit.numbers(name, "seeds_for_0.01, from SDs", row["seeds_for_0.01"], needed, where=where)
    experiments = 100 if run.part else 200
    for column, drawn in (("coverage", seeds), ("coverage_paper_seeds", 5)):
        mine = spread.coverage(delta, drawn, rng, experiments)
        p = np.clip((mine + row[column]) / 2, 0.02, 0.98)
        allowed = 0.03 + 3 * np.sqrt(p * (1 - p) * (1 / 200 + 1 / experiments))
        audit.resampled(name, "coverage", row[column], mine, allowed, where)


def cases_of(run: Run, notebook: str, names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The network and the task of each case, by the order in which notebooks take them."""
    parameters = run.told(notebook)["parameters"]
    pairs = list(itertools.product(expanded(parameters["NETS"]), parameters["TASKS"]))
    if len(pairs) != len(names):
        raise SystemExit(f"{notebook}: {len(names)} cases in tables, {len(pairs)} by parameters")
    cases = dict(zip(names, pairs, strict=True))
    if run.part:
        wanted = next((case for case, (_, one) in cases.items() if one == "digits"), names[0])
        return {wanted: cases[wanted]}
    return cases


def seeds_of(selection: str, parameters: dict) -> list[int]:
    if selection not in SEEDED:
        return [0]
    if selection == "random":
        return orders(parameters["SEEDS"], parameters.get("ORDERS", 0))
    return parameters["SEEDS"]


def sd(values: np.ndarray) -> np.ndarray:
    return values.std(0, ddof=1) if len(values) > 1 else np.full(values.shape[1], np.nan)


def check_means(
    audit: Audit,
    name: str,
    rows: pd.DataFrame,
    sizes: Sequence[int],
    values: np.ndarray,
    *,
    where: str,
    slack: float = 0.0,
    ties: np.ndarray | None = None,
) -> None:
    """Mean, deviation and extremes over orders of values (orders, sizes), each of which may be off
    by ``ties``.
    """
    shown = rows.set_index("k").loc[list(sizes)]
    off = np.zeros(values.shape) if ties is None else ties
    for column, mine, more in (
        ("mean", values.mean(0), off.mean(0)),
        ("sd", sd(values), 3 * off.sum(0) / max(1, len(values) - 1)),
        ("least", values.min(0), off.max(0)),
        ("largest", values.max(0), off.max(0)),
        ("seeds", len(values), 0.0),
    ):
        audit.numbers(name, column, shown[column], mine, where=where, slack=slack + more)


def check_delta(audit: Audit, name: str, row: pd.Series, d: int, where: str) -> None:
    audit.numbers(name, "DR", row["DR"], 1 - row["k"] / d, where=where)
    audit.numbers(name, "d", row["d"], d, where=where)


# Notebook 01


def audit_cka(run: Run, audit: Audit) -> None:
    """Tables and results of notebook 01."""
    name, told = "01_cka", run.told("01_cka")
    parameters, results = told["parameters"], told["results"]
    about = run.table(f"{name}-layers").set_index("case")
    tables = {
        one: run.table(f"{name}-{one}")
        for one in (
            "curves",
            "means",
            "redundancy",
            "closed-form-curves",
            "closed-form",
            "debiased",
        )
        if (run.folder / "tables" / f"{name}-{one}.csv").is_file()
    }
    precise = run.table(f"{name}-precision")
    delta = 0.9 if 0.9 in parameters["DELTAS"] else parameters["DELTAS"][0]
    for case, (net, one) in cases_of(run, name, list(about.index)).items():
        layer = run.layer(parameters, net, one)
        row, d = about.loc[case], layer.d
        for column, mine in (
            ("n_train", layer.n),
            ("n_test", layer.m),
            ("d", d),
            ("classes", len(np.unique(layer.y))),
            ("constant neurons", layer.constant),
            ("r", layer.r),
        ):
            audit.numbers(f"{name}-layers", column, row[column], mine, where=case, slack=1e-8)
        for selection in parameters["SELECTIONS"]:
            where, most = f"{case}, {selection}", layer.most(selection)
            rows = tables["redundancy"].query("case == @case and selection == @selection")
            sizes = run.sizes(most, *rows["k"].dropna().astype(int))
            seeds = seeds_of(selection, parameters)
            values = np.stack(
                run.map(lambda seed, s=selection, k=sizes, of=layer: of.cka(s, seed, k), seeds)
            )
            curves = tables["curves"].query("case == @case and selection == @selection")
            shown = curves.set_index(["seed", "k"])["value"]
            listed = [seed for seed in seeds if seed in (0, *parameters["SEEDS"])]
            audit.numbers(
                f"{name}-curves",
                "value",
                [[shown[seed, k] for k in sizes] for seed in listed],
                values[[seeds.index(seed) for seed in listed]],
                where=where,
                slack=CKA_ERROR,
            )
            means = tables["means"].query("case == @case and selection == @selection")
            how = {"where": where, "slack": CKA_ERROR}
            check_means(audit, f"{name}-means", means, sizes, values, **how)
            for _, row in rows.iterrows():
                at = f"{where}, delta {row['delta']}"
                check_delta(audit, f"{name}-redundancy", row, d, at)
                first = first_reaching(values.mean(0), row["delta"], sizes)
                first_is(audit, f"{name}-redundancy", at, row["k"], first)
                audit.numbers(f"{name}-redundancy", "full", row["full"], 1, where=at)
                audit.numbers(f"{name}-redundancy", "seeds", row["seeds"], len(seeds), where=at)
                key = f"DR({row['delta']:g}) of cka, {case}"
                if selection == "random":
                    mine = np.nan if first is None else 1 - first / d
                    audit.numbers(f"{name}.json", "DR", results[key], mine, where=key)
            if len(rows) and (selection == "random" or not run.part):
                near = near_interval(run, most, rows)
                spread = _cka_spread(run, layer, selection, seeds, near)
                for _, row in rows.dropna(subset=["low"]).iterrows():
                    ends = spread.interval(row["delta"], np.random.default_rng(3))
                    at = f"{where}, delta {row['delta']}"
                    check_interval(audit, f"{name}-redundancy", row, ends, spread, at)
            if selection == "random":
                _audit_closed_form(run, audit, tables, case, layer, sizes, values)
                _audit_debiased(run, audit, tables["debiased"], case, layer, parameters)
                check_every_subset(
                    audit,
                    run,
                    name,
                    case,
                    lambda sizes, s=seeds, of=layer: np.stack(
                        [of.cka("random", one, sizes) for one in s]
                    ),
                    0.9,
                    d,
                )
                key, fifth = f"cka at 20%, {case}", size_of(0.2, d)
                mine = values[:, sizes.index(fifth)].mean()
                audit.numbers(
                    f"{name}.json", "cka at 20%", results[key], mine, where=key, slack=2e-7
                )
                for _, row in precise[precise.get("case", pd.Series()) == case].iterrows():
                    check_precision(audit, f"{name}-precision", row, spread, delta, run)
                    kept = rows[rows["delta"] == delta].iloc[0]
                    audit.numbers(f"{name}-precision", "DR", row["DR"], kept["DR"], where=case)


def _cka_spread(
    run: Run, layer: PlainLayer, selection: str, seeds: Sequence[int], sizes: np.ndarray
) -> Spread:
    """Curves of CKA, and how they change when a hundredth of the images is left out (jackknife)."""
    images = layer.n // layer.views
    some = seeds[: 8 if run.part else 20]
    values = np.stack(run.map(lambda seed: layer.cka(selection, seed, sizes), seeds))
    group = np.random.default_rng(11).permutation(images) % min(40 if run.part else 100, images)
    first_view = layer.X[:images]

    def without(g: int) -> np.ndarray:
        left = PlainLayer(
            first_view[group != g], layer.y[:images][group != g], layer.T[:2], layer.z[:2]
        )
        curves = []
        for seed in some:
            if selection == "random":
                curves.append(left.cka(selection, seed, sizes))
            else:  # directions are held
                A = left.X @ layer.directions(selection, seed)
                rows, block = ((A.T @ left.X) ** 2).sum(1), (A.T @ A) ** 2
                whole = np.sqrt((left.gram**2).sum())
                curves.append(
                    [rows[:k].sum() / np.sqrt(block[:k, :k].sum()) / whole for k in sizes]
                )
        return np.mean(curves, 0)

    left_out = np.stack(run.map(without, range(group.max() + 1)))
    groups = len(left_out)
    deviations = (groups - 1) * (left_out.mean(0) - left_out)
    return Spread(values, deviations, 1.0, None, np.asarray(sizes), layer.d)


def _audit_closed_form(
    run: Run,
    audit: Audit,
    tables: dict[str, pd.DataFrame],
    case: str,
    layer: PlainLayer,
    sizes: list[int],
    values: np.ndarray,
) -> None:
    name, form = "01_cka-closed-form", layer.closed_form()
    rows = tables["closed-form-curves"].query("case == @case").set_index("k")
    shown = rows.loc[sizes]
    at = np.array(sizes) - 1
    for column, mine in (
        ("closed_form", form[at]),
        ("mean", values.mean(0)),
        ("standard_error", sd(values) / np.sqrt(len(values))),
    ):
        audit.numbers(f"{name}-curves", column, shown[column], mine, where=case, slack=CKA_ERROR)
    # the mean at sizes that a part leaves out is the printed one
    mean = rows["mean"].to_numpy().copy()
    mean[at] = values.mean(0)
    error = np.abs(form - mean)
    row = tables["closed-form"].query("case == @case").iloc[0]
    far = np.flatnonzero(error > 0.02)
    slack = 1e-6 if run.part else CKA_ERROR
    for column, mine in (
        ("r", layer.r),
        ("largest error, all k", error.max()),
        ("at k", error.argmax() + 1),
        ("largest error, k ≥ 10%", error[size_of(0.1, layer.d) - 1 :].max()),
        ("within 0.02 from k", far[-1] + 2 if len(far) else 1),
    ):
        audit.numbers(name, column, row[column], mine, where=case, slack=slack)


def _audit_debiased(
    run: Run, audit: Audit, table: pd.DataFrame, case: str, layer: PlainLayer, parameters: dict
) -> None:
    name, row = "01_cka-debiased", table.query("case == @case").iloc[0]
    tenth = size_of(0.1, layer.d)
    sizes = sorted({tenth, int(row["at k"])}) if run.part else list(range(1, layer.d + 1))
    seeds = parameters["SEEDS"]
    biased = np.stack([layer.cka("random", seed, sizes) for seed in seeds])
    unbiased = np.stack(run.map(lambda seed: layer.debiased(seed, sizes), seeds))
    gap = np.abs((biased - unbiased).mean(0))
    for column, mine in (
        ("plain at 10%", biased[:, sizes.index(tenth)].mean()),
        ("debiased at 10%", unbiased[:, sizes.index(tenth)].mean()),
        ("largest difference", np.nanmax(gap)),
        ("at k", sizes[int(np.nanargmax(gap))]),
    ):
        audit.numbers(name, column, row[column], mine, where=case, slack=2 * CKA_ERROR)


# Notebook 02


def near_ties(scores: np.ndarray) -> int:
    """How many images of (m, C) a solver's tolerance may decide either way."""
    two = np.partition(scores, -2, axis=1)[:, -2:]
    return int((two[:, 1] - two[:, 0] < UNDECIDED * scores[np.isfinite(scores)].std()).sum())


def printed_grid(text: str) -> tuple[float, float]:
    least, most = re.match(r"(\S+) to (\S+)", text).groups()
    return float(least), float(most)


def decades(least: float, most: float) -> np.ndarray:
    first, last = (round(np.log10(end)) for end in (least, most))
    return np.array([float(f"{10.0**e:.3g}") for e in range(first, last + 1)])


def audit_probes(run: Run, audit: Audit) -> None:
    """Tables and results of notebook 02."""
    name, told = "02_probes", run.told("02_probes")
    parameters = told["parameters"]
    penalties = run.table(f"{name}-penalties")
    for case, (net, one) in cases_of(run, name, list(penalties["case"].unique())).items():
        layer = run.layer(parameters, net, one)
        chosen = penalties.query("case == @case").set_index("probe")["penalty"].astype(float)
        _audit_penalties(run, audit, penalties.query("case == @case"), layer, case)
        _audit_ridge(run, audit, layer, case, float(chosen["ridge"]))
        _audit_logistic(run, audit, layer, case, float(chosen["logistic"]))
        _audit_agreement(run, audit, layer, case, chosen)
        _audit_effects(run, audit, layer, case, chosen)
        _audit_band(run, audit, layer, case, penalties)
        audit_verdicts(run, audit, layer, case, chosen)
    paper = run.table(f"{name}-paper")
    printed = [
        [384, 0.6482, 0.70, 0.50, 0.50, 0.80],
        [384, 0.5573, 0.70, 0.50, 0.50, 0.70],
        [512, 0.6923, 0.80, 0.50, 0.50, 0.90],
    ]
    audit.numbers(f"{name}-paper", "as the paper prints them", paper.iloc[:, 1:], printed)


def _audit_penalties(
    run: Run, audit: Audit, rows: pd.DataFrame, layer: PlainLayer, case: str
) -> None:
    name = "02_probes-penalties"
    for _, row in rows.iterrows():
        least, most = printed_grid(row["grid"])
        chosen, where = float(row["penalty"]), f"{case}, {row['probe']}"
        images = layer.n // layer.views
        if row["probe"] == "ridge":
            grid = half_decades(least, most)
            choice, slack, folds = layer.ridge_choice(grid), 1e-6, images
        else:
            grid = decades(least, most)
            if run.part:  # weak penalties take long, and cannot be chosen unless they are best
                grid = grid[(grid >= chosen / 11) & (grid <= 11 * chosen)]
            choice, folds = layer.logistic_choice(grid), min(3, images)
            slack = 0.005 * row["validation loss"]
        audit.numbers(name, "penalty", chosen, choice.penalty, where=where, digits=3)
        at = int(np.abs(choice.grid / chosen - 1).argmin())
        kind = f"validation loss, {row['probe']}"
        audit.numbers(name, kind, row["validation loss"], choice.loss[at], where=where, slack=slack)
        ties = 0.0 if row["probe"] == "ridge" else 0.005
        kind = f"validation accuracy, {row['probe']}"
        audit.numbers(
            name, kind, row["validation accuracy"], choice.accuracy[at], where=where, slack=ties
        )
        audit.numbers(name, "parts", row["parts left out in turn"], folds, where=where)
        edge = chosen in (float(f"{least:g}"), float(f"{most:g}"))
        audit.words(name, "at the edge", "edge" in row["grid"], edge, where)


def _accuracies(right: np.ndarray) -> np.ndarray:
    return right.mean(-1)


def _ties(
    layer: PlainLayer, penalty: float, selection: str, seeds: Sequence[int], sizes: Sequence[int]
) -> np.ndarray:
    """How many guesses rest on less than float32 features can tell, as a share, (seeds, sizes)."""
    ties = [[layer.ties[penalty, selection, seed, k] for k in sizes] for seed in seeds]
    return np.array(ties) / layer.m


def _rights(
    run: Run,
    layer: PlainLayer,
    penalty: float,
    selection: str,
    seeds: Sequence[int],
    sizes: Sequence[int],
) -> np.ndarray:
    """Right guesses of ridge probes, (seeds, sizes, m)."""
    return np.stack(run.map(lambda seed: layer.right(penalty, selection, seed, sizes), seeds))


def _audit_ridge(run: Run, audit: Audit, layer: PlainLayer, case: str, penalty: float) -> None:
    name, told = "02_probes", run.told("02_probes")
    parameters = told["parameters"]
    curves, means = run.table(f"{name}-ridge"), run.table(f"{name}-ridge-means")
    table, precise = run.table(f"{name}-redundancy-ridge"), run.table(f"{name}-precision")
    whole = layer.whole_right(penalty)
    full, delta = (
        float(whole.mean()),
        0.9 if 0.9 in parameters["DELTAS"] else parameters["DELTAS"][0],
    )
    key = f"full layer, ridge, {case}"
    audit.numbers(f"{name}.json", "full layer, ridge", told["results"][key], full, where=key)
    for selection in parameters["SELECTIONS"]:
        where, most = f"{case}, {selection}", layer.most(selection)
        rows = table.query("case == @case and selection == @selection")
        chance = _chance_sizes(rows, layer.d)
        sizes = run.sizes(most, *rows["k"].dropna().astype(int), *chance)
        seeds = seeds_of(selection, parameters)
        right = _rights(run, layer, penalty, selection, seeds, sizes)
        values, ties = _accuracies(right), _ties(layer, penalty, selection, seeds, sizes)
        shown = curves.query("case == @case and selection == @selection")
        shown = shown.set_index(["seed", "k"])["value"]
        listed = [seed for seed in seeds if seed in (0, *parameters["SEEDS"])]
        places = [seeds.index(seed) for seed in listed]
        audit.numbers(
            f"{name}-ridge",
            "value",
            [[shown[seed, k] for k in sizes] for seed in listed],
            values[places],
            where=where,
            slack=ties[places],
        )
        some = run.seeds(listed)[:3]
        fitted = [k for k in sizes_of(parameters["FRACTIONS"], layer.d) if k <= most]
        _rights(run, layer, penalty, selection, some, fitted)
        audit.numbers(
            f"{name}-ridge",
            "value, by scikit-learn's ridge",
            [[shown[seed, k] for k in fitted] for seed in some],
            [
                [layer.sklearn_right(penalty, selection, seed, k).mean() for k in fitted]
                for seed in some
            ],
            where=where,
            slack=_ties(layer, penalty, selection, some, fitted),
        )
        of_means = means.query("case == @case and selection == @selection")
        check_means(audit, f"{name}-ridge-means", of_means, sizes, values, where=where, ties=ties)
        spread = _spread(run, layer, penalty, selection, seeds, rows, whole)
        _audit_redundancy(
            audit,
            f"{name}-redundancy-ridge",
            rows,
            layer,
            full,
            values,
            sizes,
            len(seeds),
            spread,
            ties.mean(0),
        )
        if selection == "random":
            for _, row in rows.iterrows():
                key = f"DR({row['delta']:g}) of ridge accuracy, {case}"
                k = first_reaching(values.mean(0), row["delta"] * full, sizes)
                mine = np.nan if k is None else 1 - k / layer.d
                audit.numbers(f"{name}.json", "DR", told["results"][key], mine, where=key)
            for _, row in precise[precise.get("case", pd.Series()) == case].iterrows():
                check_precision(audit, f"{name}-precision", row, spread, delta, run)
                kept = rows[rows["delta"] == delta].iloc[0]
                audit.numbers(f"{name}-precision", "DR", row["DR"], kept["DR"], where=case)
            check_tasks_differ(audit, run, case, spread, rows, delta)


def _chance_sizes(rows: pd.DataFrame, d: int) -> list[int]:
    """k of chance-corrected DR."""
    if "DR_above_chance" not in rows:
        return []
    return [round(d * (1 - value)) for value in rows["DR_above_chance"].dropna()]


def _spread(
    run: Run,
    layer: PlainLayer,
    penalty: float,
    selection: str,
    seeds: Sequence[int],
    rows: pd.DataFrame,
    whole: np.ndarray,
) -> Spread:
    """What intervals of ridge accuracy are resampled from."""
    ends = rows.copy()
    if "DR_above_chance" in rows:
        columns = ["low_above_chance", "high_above_chance"]
        more = rows[columns].set_axis(["low", "high"], axis=1)
        ends = pd.concat([rows[["low", "high", "k"]], more])
    sizes = near_interval(run, layer.most(selection), ends)
    right = _rights(run, layer, penalty, selection, seeds, sizes)
    full = float(whole.mean())
    return Spread(
        _accuracies(right), right.mean(0).T.astype(float), full, whole.astype(float), sizes, layer.d
    )


def _audit_redundancy(
    audit: Audit,
    name: str,
    rows: pd.DataFrame,
    layer: PlainLayer,
    full: float,
    values: np.ndarray,
    sizes: Sequence[int],
    seeds: int,
    spread: Spread,
    slack: np.ndarray | float = 0.0,
    slack_full: float = 0.0,
) -> None:
    """DR of an accuracy, as the paper has it and above chance; where a solver leaves accuracies
    open by a slack, k is right if it is for some accuracies within it.
    """
    mean, d = values.mean(0), layer.d
    for _, row in rows.iterrows():
        where = f"{row['case']}, {row['selection']}, delta {row['delta']}"
        check_delta(audit, name, row, d, where)
        audit.numbers(name, "full", row["full"], full, where=where, slack=slack_full)
        audit.numbers(name, "seeds", row["seeds"], seeds, where=where)
        above = layer.above_guessing(full)
        kinds = [("", 0.0)]
        if "DR_above_chance" in rows:
            audit.words(name, "above guessing", row["chance"] == row["chance"], above, where)
            if above:
                audit.numbers(name, "chance", row["chance"], layer.guessing, where=where)
                kinds.append(("_above_chance", layer.guessing))
        for suffix, chance in kinds:
            bar = chance + row["delta"] * (full - chance)
            ends = [
                first_reaching(mean + sign * slack, bar - sign * slack_full, sizes)
                for sign in (1, 0, -1)
            ]
            k = d * (1 - row[f"DR{suffix}"])
            least, first, last = (np.nan if one is None else one for one in ends)
            open_ = k == k and least <= round(k) <= (last if last == last else d)
            allowed = round(k) in sizes if k == k else False
            mine = round(k) if open_ and allowed and np.any(slack) else first
            kind = f"k{suffix}".replace("_", " ")
            audit.numbers(name, kind, k, mine, where=where, slack=1e-3)
            if row[f"low{suffix}"] == row[f"low{suffix}"]:
                one = Spread(
                    spread.values,
                    spread.by_image,
                    full,
                    spread.full_by_image,
                    spread.sizes,
                    d,
                    chance,
                )
                found = one.interval(row["delta"], np.random.default_rng(5))
                names = (f"low{suffix}", f"high{suffix}")
                check_interval(audit, name, row, found, one, where, names)


def _logistic(
    run: Run,
    layer: PlainLayer,
    penalty: float,
    selection: str,
    seeds: Sequence[int],
    sizes: Sequence[int],
) -> tuple[np.ndarray, np.ndarray]:
    """Right guesses of logistic probes, (seeds, sizes, m), and how many are undecided."""
    pairs = [(seed, k) for seed in seeds for k in sizes]
    scores = run.map(lambda one: layer.logistic_scores(penalty, selection, *one), pairs)
    right = np.stack([one.argmax(1) == layer.z for one in scores])
    ties = np.array([near_ties(one) for one in scores])
    shape = len(seeds), len(sizes)
    return right.reshape(*shape, -1), ties.reshape(shape)


def _audit_logistic(run: Run, audit: Audit, layer: PlainLayer, case: str, penalty: float) -> None:
    name, told = "02_probes", run.told("02_probes")
    parameters = told["parameters"]
    curves, table = run.table(f"{name}-logistic"), run.table(f"{name}-redundancy-logistic")
    right, ties = _logistic(run, layer, penalty, "random", [1], [layer.d])
    whole, full, open_full = right[0, 0], float(right.mean()), ties[0, 0] / layer.m
    key = f"full layer, logistic, {case}"
    how = {"where": key, "slack": open_full}
    audit.numbers(f"{name}.json", "full layer, logistic", told["results"][key], full, **how)
    for selection in parameters["SELECTIONS"]:
        if run.part and selection not in ("random", "pca"):
            continue
        where, most = f"{case}, {selection}", layer.most(selection)
        sizes = [k for k in sizes_of(parameters["FRACTIONS"], layer.d) if k <= most]
        rows = table.query("case == @case and selection == @selection")
        seeds = parameters["SEEDS"] if selection in SEEDED else [0]
        right, ties = _logistic(run, layer, penalty, selection, seeds, sizes)
        values = _accuracies(right)
        shown = curves.query("case == @case and selection == @selection")
        shown = shown.set_index(["seed", "k"])["value"]
        audit.numbers(
            f"{name}-logistic",
            "value",
            [[shown[seed, k] for k in sizes] for seed in seeds],
            values,
            where=where,
            slack=ties / layer.m,
        )
        spread = Spread(
            values,
            right.mean(0).T.astype(float),
            full,
            whole.astype(float),
            np.array(sizes),
            layer.d,
        )
        _audit_redundancy(
            audit,
            f"{name}-redundancy-logistic",
            rows,
            layer,
            full,
            values,
            sizes,
            len(seeds),
            spread,
            ties.mean(0) / layer.m,
            open_full,
        )
        if selection == "random":
            fifth = size_of(0.2, layer.d)
            key = f"share at 20%, {case}"
            if key in told["results"]:
                at = sizes.index(fifth)
                audit.numbers(
                    f"{name}.json",
                    "share at 20%",
                    told["results"][key],
                    values[:, at].mean() / full,
                    where=key,
                    slack=(ties[:, at].mean() / layer.m + open_full) / full,
                )
            for _, row in rows.iterrows():
                key = f"DR({row['delta']:g}) of logistic accuracy, {case}"
                printed = told["results"][key]
                audit.numbers(f"{name}.json", "DR", printed, row["DR"], where=key, slack=1e-6)


def _audit_agreement(
    run: Run, audit: Audit, layer: PlainLayer, case: str, chosen: pd.Series
) -> None:
    name, parameters = "02_probes-agreement", run.told("02_probes")["parameters"]
    row = run.table(name).query("case == @case").iloc[0]
    sizes, seeds = sizes_of(parameters["FRACTIONS"], layer.d), parameters["SEEDS"]
    ridge = _rights(run, layer, chosen["ridge"], "random", seeds, sizes)
    logistic, ties = _logistic(run, layer, chosen["logistic"], "random", seeds, sizes)
    gap = 100 * (ridge.mean((0, 2)) - logistic.mean((0, 2)))
    slack = 100 * ties.mean(0) / layer.m
    widest, fifth = sizes.index(int(row["at k"])), size_of(0.2, layer.d)
    largest = bool(np.abs(gap[widest]) + 2 * slack.max() >= np.abs(gap).max() - 1e-9)
    audit.words(name, "at k is where it is largest", largest, True, case)
    full, open_ = _logistic(run, layer, chosen["logistic"], "random", [1], [layer.d])
    for column, mine, allowed in (
        ("ridge, full layer", layer.whole_right(chosen["ridge"]).mean(), 0.0),
        ("logistic, full layer", full.mean(), open_.mean() / layer.m),
        ("largest gap", gap[widest], slack[widest]),
    ):
        audit.numbers(name, column, row[column], mine, where=case, slack=allowed)
    if fifth not in sizes:
        audit.numbers(name, "gap at a fifth", row["gap at a fifth"], np.nan, where=case)
        return
    at = sizes.index(fifth)
    audit.numbers(
        name, "gap at a fifth", row["gap at a fifth"], gap[at], where=case, slack=slack[at]
    )
    apart = 100.0 * (ridge[:, at].astype(float) - logistic[:, at])
    ends = mean_interval(apart, np.random.default_rng(9))
    printed = [row["low"], row["high"]]
    allowed = 0.2 * (row["high"] - row["low"]) + slack[at] + 0.05
    audit.resampled(name, "ends of intervals", printed, ends, allowed, case)


def mean_interval(
    values: np.ndarray, rng: np.random.Generator, others: np.ndarray | None = None
) -> tuple[float, float]:
    """The interval of the mean of values (orders, m), less that of others with orders of their own,
    with orders and images drawn with replacement.
    """
    m = values.shape[1]
    apart = values.mean(0) - (0 if others is None else others.mean(0))
    means = np.full(RESAMPLES, apart.mean())
    for sign, some in ((1, values), (-1, others)):
        if some is not None and (n := len(some)) > 1:
            weight = rng.multinomial(n, [1 / n] * n, size=RESAMPLES) / n
            means += sign * plain.widened(n) * (weight @ some.mean(1) - some.mean())
    weight = rng.multinomial(m, [1 / m] * m, size=RESAMPLES) / m
    means += weight @ apart - apart.mean()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


# Numbers in verdicts


def stated(because: str, start: str) -> list[float]:
    """The numbers after some words of a verdict, up to the next case."""
    text = because.partition(start)[2]
    end = re.search(r"; |\. ", text)
    return [float(one) for one in re.findall(r"[+-]?\d+(?:\.\d+)?", text[: end and end.start()])]


def verdicts_of(run: Run, notebook: str, claim: int) -> list[str]:
    return [one["because"] for one in run.told(notebook)["verdicts"] if one["claim"] == claim]


TENTHS = 0.0501
"""Half of the last digit of numbers with one decimal."""


def check_every_subset(
    audit: Audit, run: Run, notebook: str, case: str, values_at: Callable, bar: float, d: int
) -> None:
    """Claim 2: the size from which each order keeps a share."""
    for because in verdicts_of(run, notebook, 2):
        said = stated(because, f"{case}: from k = ")
        if not said:
            continue
        k = int(said[0])
        sizes = run.sizes(d, k)
        enough = (values_at(sizes) >= bar - 1e-12).all(0)
        below = np.flatnonzero(~enough)
        later = [*sizes, d + 1]
        mine = later[below[-1] + 1] if len(below) else later[0]
        name, where = f"{notebook}.json", f"claim 2, {case}"
        audit.numbers(name, "verdict 2", said[:2], [mine, d], where=where)
        audit.numbers(
            name, "verdict 2", said[2], 100 * mine / d, digits=9, slack=0.501, where=where
        )


def audit_verdicts(run: Run, audit: Audit, layer: PlainLayer, case: str, chosen: pd.Series) -> None:
    """Numbers in the verdicts of notebook 02 on one case."""
    name, parameters = "02_probes.json", run.told("02_probes")["parameters"]
    seeds, d, m = parameters["SEEDS"], layer.d, layer.m
    full = float(layer.whole_right(chosen["ridge"]).mean())

    def ridge_at(sizes: Sequence[int]) -> np.ndarray:
        every = seeds_of("random", parameters)
        return _accuracies(_rights(run, layer, chosen["ridge"], "random", every, sizes))

    check_every_subset(audit, run, "02_probes", case, ridge_at, 0.9 * full, d)
    sizes, fifth, tenth = sizes_of(parameters["FRACTIONS"], d), size_of(0.2, d), size_of(0.1, d)

    def right_of(selection: str, some: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        mine = seeds if selection in SEEDED else [0]
        return _logistic(run, layer, chosen["logistic"], selection, mine, some)

    whole, open_ = _logistic(run, layer, chosen["logistic"], "random", [1], [d])
    rng = np.random.default_rng(13)
    for because in verdicts_of(run, "02_probes", 1):
        if not (said := stated(because, f"{case}: ")):
            continue
        right, ties = right_of("random", [fifth])
        right, top = right[:, 0], whole[0, 0]
        share, slack = right.mean() / top.mean(), (ties.mean() + open_.mean()) / m / top.mean()
        where = f"claim 1, {case}"
        mine = [100 * share, 100 * (1 - share) * top.mean()]
        how = {"where": where, "digits": 9, "slack": TENTHS + 100 * slack}
        audit.numbers(name, "verdict 1", [said[0], said[3]], mine, **how)
        spread = Spread(right.mean(1)[:, None], right.mean(0)[:, None], top.mean(), top, sizes, d)
        curves, tops = spread.draws(rng, RESAMPLES)
        ends = 100 * np.quantile(curves[:, 0] / tops, [0.025, 0.975])
        allowed = 0.25 * (said[2] - said[1]) + 0.1 + 100 * slack
        audit.resampled(name, "verdict 1, ends", said[1:3], ends, allowed, where)
    pairs = (
        ("top principal components less random neurons", "pca", "random"),
        ("random neurons less bottom principal components", "random", "pca_least"),
    )
    for because, (words, above, below) in itertools.product(
        verdicts_of(run, "02_probes", 5), pairs
    ):
        if not (said := stated(because, f"{case}, {words}: up to ")):
            continue
        few = [k for k in sizes if int(0.01 * d) <= k <= tenth]
        (ours, ties), (theirs, more) = right_of(above, few), right_of(below, few)
        gaps, off = ours.mean((0, 2)) - theirs.mean((0, 2)), (ties.mean(0) + more.mean(0)) / m
        at, where = few.index(int(said[-1])), f"claim 5, {case}, {words}"
        widest = bool(abs(gaps[at]) + 2 * off.max() >= np.abs(gaps).max() - 1e-9)
        audit.words(name, "verdict 5, where it is widest", widest, True, where)
        how = {"where": where, "digits": 9, "slack": TENTHS + 100 * off[at]}
        audit.numbers(name, "verdict 5", said[0], 100 * gaps[at], **how)
        ends = mean_interval(100.0 * ours[:, at], rng, 100.0 * theirs[:, at])
        allowed = 0.25 * (said[2] - said[1]) + 0.1 + 100 * off[at]
        audit.resampled(name, "verdict 5, ends", said[1:3], ends, allowed, where)
    for because in verdicts_of(run, "02_probes", 6):
        if not (said := stated(because, f"{case}: ")):
            continue
        some = [k for k in sizes if (k <= tenth) == ("Sizes up to" in because)]
        (ours, ties), (theirs, more) = (
            right_of("random", some),
            right_of("gaussian_projection", some),
        )
        off, where = (ties.mean() + more.mean()) / m, f"claim 6, {case}"
        how = {"where": where, "digits": 9, "slack": TENTHS + 100 * off}
        audit.numbers(name, "verdict 6", said[0], 100 * (ours.mean() - theirs.mean()), **how)
        ends = mean_interval(100 * ours.mean(1), rng, 100 * theirs.mean(1))
        allowed = 0.25 * (said[2] - said[1]) + 0.1 + 100 * off
        audit.resampled(name, "verdict 6, ends", said[1:3], ends, allowed, where)


def check_tasks_differ(
    audit: Audit, run: Run, case: str, spread: Spread, rows: pd.DataFrame, delta: float
) -> None:
    """Claim 3: DR of the tasks that differ most, with intervals that allow for all pairs."""
    parameters = run.told("02_probes")["parameters"]
    if len(expanded(parameters["NETS"])) > 1:
        return  # a case has another title there
    for because in verdicts_of(run, "02_probes", 3):
        found = re.search(
            r"(\S+) \((\S+) to (\S+)\) on " + re.escape(case) + r"(?: to |\.)", because
        )
        if found is None:
            continue
        said, where = [float(one) for one in found.groups()], f"claim 3, {case}"
        mine = rows[rows["delta"] == delta]["DR"].iloc[0]
        audit.numbers(
            "02_probes.json", "verdict 3", said[0], mine, digits=9, slack=6e-4, where=where
        )
        pairs = len(parameters["TASKS"]) * (len(parameters["TASKS"]) - 1) // 2
        confidence = 2 * norm.cdf(norm.isf(0.025 / max(1, pairs)) / np.sqrt(2)) - 1
        ends = spread.interval(delta, np.random.default_rng(17), confidence=confidence)
        allowed = 0.25 * (said[2] - said[1]) + 2 / spread.d + spread.step
        audit.resampled("02_probes.json", "verdict 3, ends", said[1:], ends, allowed, where)


def _audit_effects(run: Run, audit: Audit, layer: PlainLayer, case: str, chosen: pd.Series) -> None:
    name, parameters = "02_probes-penalty-effects", run.told("02_probes")["parameters"]
    fifth = size_of(0.2, layer.d)
    for _, row in run.table(name).query("case == @case").iterrows():
        probe = row["probe"]
        for column, factor in (
            ("ten times weaker", 0.1),
            ("as chosen", 1.0),
            ("ten times stronger", 10.0),
        ):
            penalty = chosen[probe] / 10 if factor == 0.1 else chosen[probe] * factor
            if probe == "ridge":
                seeds = seeds_of("random", parameters)
                right = _rights(run, layer, penalty, "random", seeds, [fifth])
                full = layer.whole_right(penalty).mean()
                ties = _ties(layer, penalty, "random", seeds, [fifth])
                slack = 100 * ties.mean() / full
            else:
                right, ties = _logistic(run, layer, penalty, "random", parameters["SEEDS"], [fifth])
                whole, open_ = _logistic(run, layer, penalty, "random", [1], [layer.d])
                full = whole.mean()
                slack = 100 * (ties.mean() + open_.mean()) / layer.m / full
            mine = 100 * right.mean() / full
            where = f"{case}, {column}"
            audit.numbers(name, f"share kept, {probe}", row[column], mine, where=where, slack=slack)


def _audit_band(
    run: Run, audit: Audit, layer: PlainLayer, case: str, penalties: pd.DataFrame
) -> None:
    name, parameters = "02_probes-penalty-bands", run.told("02_probes")["parameters"]
    row = run.table(name).query("case == @case").iloc[0]
    grid = penalties.query("case == @case and probe == 'ridge'")["grid"].iloc[0]
    coarse = layer.ridge_choice(half_decades(*printed_grid(grid)))
    fine = layer.ridge_choice(eighths(coarse.alike))
    tried = band_of(fine.alike, coarse.penalty)
    span = f"{tried[0]:g}" if len(tried) == 1 else f"{tried[0]:g} to {tried[-1]:g}"
    audit.words(name, "penalties of the band", row["penalties of the band"], span, case)
    audit.numbers(name, "penalty", row["penalty"], coarse.penalty, where=case, digits=3)
    seeds, delta = parameters["SEEDS"][:5], float(row["δ"])
    values = []
    for penalty in tried:
        full = layer.whole_right(penalty).mean()
        k = None
        for last in range(32, layer.d + 32, 32):
            sizes = range(last - 31, min(last, layer.d) + 1)
            mean = _accuracies(_rights(run, layer, penalty, "random", seeds, sizes)).mean(0)
            if (k := first_reaching(mean, delta * full, sizes)) is not None:
                break
        known = layer.above_guessing(full) and k is not None
        values.append(1 - k / layer.d if known else np.nan)
    for column, mine in (
        ("DR(δ)", values[tried.index(coarse.penalty)]),
        ("least", np.min(values)),
        ("most", np.max(values)),
        ("width", np.max(values) - np.min(values)),
        ("orders", len(seeds)),
    ):
        audit.numbers(name, column, row[column], mine, where=case)


# Notebook 05


def audit_fairness(run: Run, audit: Audit) -> None:
    """Tables and results of notebook 05."""
    name, told = "05_fairness", run.told("05_fairness")
    parameters = told["parameters"]
    nets, tasks = expanded(parameters["NETS"]), parameters["TASKS"]
    spread = run.table(f"{name}-spread")
    labels = dict(zip(nets, spread["net"].unique(), strict=True))
    titles = dict(zip(tasks, spread["task"].unique(), strict=True))
    looked_at = (["digits"] if "digits" in tasks else tasks[:1]) if run.part else tasks
    agreements: dict[str, list[tuple[float, float]]] = {one: [] for one in tasks}
    for one in looked_at:
        layers = {net: run.layer(parameters, net, one) for net in nets}
        penalty = common(run.map(lambda net, every=layers: every[net].ridge_choice(GRID), nets))
        for net in nets[:2] if run.part else nets:
            cell = _FairCell(run, audit, layers[net], penalty, parameters, titles[one], labels[net])
            agreements[one].append(cell.audit_net(spread))
            if net == nets[0]:
                cell.audit_first(run.task(one, parameters["IMAGES"]))
        if not run.part:
            for place, kind in enumerate(("agreement between seeds", "agreement beyond a shift")):
                key = f"{kind}, {titles[one]}"
                values = [pair[place] for pair in agreements[one] if pair]
                if key in told["results"]:
                    mine = np.mean(values) if values else np.nan
                    _audit_agreement_told(run, audit, titles[one], place, float(mine))
                    audit.numbers(
                        f"{name}.json", kind, told["results"][key], mine, where=key, slack=1e-6
                    )
    _audit_counts(run, audit)


def _audit_agreement_told(run: Run, audit: Audit, title: str, place: int, mine: float) -> None:
    """The rank correlations that the verdict on claim 10 tells."""
    for because in verdicts_of(run, "05_fairness", 10)[:1]:
        said = re.search(re.escape(title) + r" (\S+) \(beyond a shift of margins (\S+)\)", because)
        if said:
            shown = float(said[place + 1])
            how = {"digits": 9, "slack": 0.00501, "where": title}
            audit.numbers("05_fairness.json", "verdict 10", shown, mine, **how)


def _audit_counts(run: Run, audit: Audit) -> None:
    """Counts and corrections that follow from the table of nulls."""
    told, table = run.told("05_fairness"), run.table("05_fairness-nulls")
    for (index, null), rows in table.groupby(["index", "null"]) if len(table) else ():
        mine = plain.holm(rows["p"].to_numpy())
        shown = rows["p, corrected"]
        audit.numbers(
            "05_fairness-nulls",
            "p, corrected, from p",
            shown,
            mine,
            where=f"{index}, {null}",
            slack=2e-5 * shown.to_numpy(),
        )
        if index == "Gini":
            key = f"cells above, {null}"
            audit.numbers("05_fairness.json", "cells", told["results"][key], (mine < 0.05).sum())
    if len(table):
        spread_ = (table["high"] - table["excess"]) / 1.96
        worse = np.where(table["index"] == "Gini", 1, -1) * table["excess"] / spread_
        audit.numbers(
            "05_fairness-nulls",
            "p, from excess and interval",
            norm.isf(table["p"].to_numpy()),
            worse,
            slack=1e-3 * (1 + np.abs(worse)) + 2e-6 / spread_,
        )
        for because in verdicts_of(run, "05_fairness", 10)[:1]:
            one = table[(table["index"] == "Gini") & (table["null"] == plain.NULLS[0])]
            said = re.search(r"in (\d+) of (\d+) networks", because)
            if said:
                mine = [(plain.holm(one["p"].to_numpy()) < 0.05).sum(), len(one)]
                shown = [float(number) for number in said.groups()]
                audit.numbers("05_fairness.json", "verdict 10", shown, mine, where=because)
        count = len(table[(table["index"] == "Gini") & (table["null"] == plain.NULLS[0])])
        audit.numbers("05_fairness.json", "cells", told["results"]["cells"], count)


class _FairCell:
    """One network on one task of notebook 05."""

    def __init__(
        self,
        run: Run,
        audit: Audit,
        layer: PlainLayer,
        penalty: float,
        parameters: dict,
        title: str,
        label: str,
    ) -> None:
        self.run, self.audit, self.layer, self.penalty = run, audit, layer, penalty
        self.seeds, self.delta = parameters["SEEDS"], parameters["DELTAS"][0]
        self.results = run.told("05_fairness")["results"]
        self.title, self.label = title, label
        self.where = f"{title}, {label}"
        self.full = layer.whole_right(penalty)

    def right(self, sizes: Sequence[int]) -> np.ndarray:
        return _rights(self.run, self.layer, self.penalty, "random", self.seeds, sizes)

    def cell(self, k: int) -> plain.Cell:
        margins = self.layer.margins(self.penalty)
        return plain.Cell(margins > 0, margins, self.right([k])[:, 0], self.layer.z)

    def first(self, bar: float, *near: int) -> int | None:
        sizes = self.run.sizes(self.layer.d, *near)
        return first_reaching(_accuracies(self.right(sizes)).mean(0), bar, sizes)

    def audit_net(self, spread: pd.DataFrame) -> tuple[float, float] | tuple[()]:
        """Rows of the tables of spread and of nulls; the agreement of seeds."""
        name, layer, z = "05_fairness-spread", self.layer, self.layer.z
        rows = spread.query("task == @self.title and net == @self.label")
        full = float(self.full.mean())
        kept = f"{self.delta:.0%} of the mean"
        k_kept = None
        for _, row in rows.iterrows():
            where = f"{self.where}, {row['neurons']}"
            k = int(row["k"])
            if row["neurons"] == "all":
                first = layer.d
            elif row["neurons"] == kept:
                first = k_kept = self.first(self.delta * full, k)
            else:
                first = self.first(full - 0.01, k)
            first_is(self.audit, name, where, k, first)
            cell = self.cell(k)
            each = plain.by_class(cell.right, z)
            for column, mine in (
                ("mean", cell.right.mean()),
                ("worst class", plain.worst(each).mean()),
                ("Gini", plain.gini(each).mean()),
                ("variation", (each.std(-1) / each.mean(-1)).mean()),
            ):
                self.audit.numbers(name, column, row[column], mine, where=where)
            key = f"Gini, {self.title}, {self.label}, {row['neurons']}"
            self.audit.numbers(
                "05_fairness.json", "Gini", self.results[key], plain.gini(each).mean(), where=key
            )
            expected = cell.expected()
            for null in plain.NULLS:
                mine = expected[null, "Gini"]
                allowed = 0.002 + 0.06 * mine
                self.audit.resampled(name, f"expected, {null}", row[null], mine, allowed, where)
            mine = plain.equally_hard(cell.right.mean(), cell.counts)
            allowed = 0.001 + 0.05 * mine
            self.audit.resampled(name, "by chance", row["by chance"], mine, allowed, where)
        if k_kept is None or not layer.above_guessing(full):
            return ()
        self._audit_nulls(k_kept)
        return self._agreement(k_kept)

    def _audit_nulls(self, k: int) -> None:
        name, table = "05_fairness-nulls", self.run.table("05_fairness-nulls")
        cell = self.cell(k)
        expected, deviation = cell.expected(), cell.deviation()
        each = plain.by_class(cell.right, self.layer.z)
        observed = {"Gini": plain.gini(each).mean(), "worst class": plain.worst(each).mean()}
        for _, row in table.query("task == @self.title and net == @self.label").iterrows():
            index, null = row["index"], row["null"]
            where, audit = f"{self.where}, {index}, {null}", self.audit
            audit.numbers(name, "k", row["k"], k, where=where)
            audit.numbers(name, "observed", row["observed"], observed[index], where=where)
            mine = expected[null, index]
            allowed = 0.002 + 0.06 * mine if index == "Gini" else 0.025
            audit.resampled(name, f"expected, {index}", row["expected"], mine, allowed, where)
            audit.numbers(
                name,
                "excess, from the two",
                row["excess"],
                row["observed"] - row["expected"],
                where=where,
                slack=2e-6,
            )
            half = (row["high"] - row["low"]) / 2
            mine = 1.96 * deviation[null, index]
            allowed = 0.3 * max(half, mine) + 0.002 if half == half else 0.0
            audit.resampled(name, f"half-width, {index}", half, mine, allowed, where)

    def _losses(self, cell: plain.Cell) -> tuple[np.ndarray, np.ndarray]:
        """What is lost of each image, (seeds, m), and beyond a common shift of margins."""
        chances = plain.margin_chances(cell.margins, cell.right)
        return cell.full.astype(float) - cell.right, chances - cell.right

    def _agreement(self, k: int) -> tuple[float, float] | tuple[()]:
        if len(self.seeds) < 2:
            return ()
        cell, z = self.cell(k), self.layer.z
        found = []
        for lost in self._losses(cell):
            halves = []
            for half in plain.halves(z):
                by_class = [
                    lost[:, half & (z == c)].mean(1)
                    if (half & (z == c)).any()
                    else np.full(len(lost), np.nan)
                    for c in np.unique(z)
                ]
                halves.append(np.stack(by_class, 1).round(12))
            there = ~np.isnan(halves[0][0]) & ~np.isnan(halves[1][0])
            found.append(plain.agreement(halves[0][:, there], halves[1][:, there]))
        return found[0], found[1]

    def audit_first(self, one: Task) -> None:
        """What notebook 05 tells of the first network only."""
        full = float(self.full.mean())
        rows = self.run.table("05_fairness-loss-by-margin")
        if len(rows) and (rows["task"] == self.title).any():
            rows = rows.query("task == @self.title")
            k = self.first(self.delta * full, int(rows["k"].iloc[0]))
            first_is(self.audit, "05_fairness-loss-by-margin", self.where, rows["k"].iloc[0], k)
            self._audit_losses(rows.set_index("class"), self.cell(k), one)
            lost = self.run.table("05_fairness-lost-most")
            if len(lost):
                self._audit_lost(lost.query("task == @self.title"), self.cell(k), one)
        choices = self.run.table("05_fairness-choices")
        self._audit_choices(choices.query("task == @self.title"))

    def _audit_losses(self, rows: pd.DataFrame, cell: plain.Cell, one: Task) -> None:
        name, z = "05_fairness-loss-by-margin", self.layer.z
        lost, beyond = self._losses(cell)
        unit, tests = cell.margins.std() or 1.0, []
        for c in np.unique(z):
            own, row = z == c, rows.loc[one.classes[c]]
            deviation = plain.crossed_deviation([beyond[:, own]])
            mean = beyond[:, own].mean()
            tests.append(2 * norm.sf(abs(mean) / deviation) if deviation > 0 else np.nan)
            left = cell.right[:, own].mean()
            for column, mine in (
                ("images", own.sum()),
                ("margin", cell.margins[own].mean() / unit),
                ("full layer", cell.full[own].mean()),
                ("left", left),
                ("loss, points", 100 * (cell.full[own].mean() - left)),
                ("predicted loss, points", 100 * (lost - beyond)[:, own].mean()),
                ("beyond, points", 100 * mean),
                ("low", 100 * (mean - 1.96 * deviation)),
                ("high", 100 * (mean + 1.96 * deviation)),
            ):
                where = f"{self.where}, class {one.classes[c]}"
                self.audit.numbers(name, column, row[column], mine, where=where, slack=2e-4)
        shown = rows.loc[[one.classes[c] for c in np.unique(z)], "p"].to_numpy()
        slack = 1e-4 * shown + 1e-9
        self.audit.numbers(
            name, "p", shown, plain.holm(np.array(tests)), where=self.where, slack=slack
        )

    def _audit_lost(self, rows: pd.DataFrame, cell: plain.Cell, one: Task) -> None:
        name, z = "05_fairness-lost-most", self.layer.z
        lost, beyond = self._losses(cell)
        halves = plain.halves(z)
        present = np.unique(z)
        blocks: dict[int, list[tuple[np.ndarray, float]]] = {}
        for ours, other in (halves, halves[::-1]):
            mean = np.array([lost[:, ours & (z == c)].mean() for c in present])
            for c in present[np.argsort(-mean.round(9), kind="stable")][:5]:
                own = other & (z == c)
                predicted = float((lost - beyond)[:, own].mean())
                blocks.setdefault(int(c), []).append((lost[:, own], predicted))
        self.audit.words(
            name,
            "classes",
            sorted(rows["class"]),
            sorted(one.classes[c] for c in blocks),
            self.where,
        )
        shown = rows.set_index("class")
        for c, some in blocks.items():
            if one.classes[c] not in shown.index:
                continue
            row, where = shown.loc[one.classes[c]], f"{self.where}, class {one.classes[c]}"
            mean = np.mean([block.mean() for block, _ in some])
            deviation = plain.crossed_deviation([block for block, _ in some])
            on = "both halves" if len(some) == 2 else "one half"
            self.audit.words(name, "chosen on", row["chosen on"], on, where)
            for column, mine in (
                ("loss on the other, points", 100 * mean),
                ("low", 100 * (mean - 1.96 * deviation)),
                ("high", 100 * (mean + 1.96 * deviation)),
                ("predicted loss, points", 100 * np.mean([value for _, value in some])),
                ("margin", cell.margins[z == c].mean()),
            ):
                self.audit.numbers(name, column, row[column], mine, where=where, slack=2e-4)

    def _audit_choices(self, rows: pd.DataFrame) -> None:
        name, layer = "05_fairness-choices", self.layer
        train, test = (np.bincount(labels) for labels in (layer.y, layer.z))
        train, test = train[train > 0], test[test > 0]

        def rule(each: np.ndarray, counts: np.ndarray, words: str) -> np.ndarray:
            if words.startswith("worst"):
                return plain.worst(each, 0.1)
            return each.mean(-1) if "classes" in words else each @ counts / counts.sum()

        full = plain.by_class(self.full.astype(float), layer.z)
        seeds = self.seeds[:10]
        sizes = self.run.sizes(layer.d, *rows["k"].astype(int))
        held = np.stack(
            self.run.map(lambda seed: layer.validated(self.penalty, seed, sizes), seeds)
        )
        for _, row in rows.iterrows():
            where = f"{self.where}, {row['rule']}"
            values = rule(held, train, row["rule"]).mean(0)
            k = first_reaching(values, self.delta * values[-1], sizes)
            first_is(self.audit, name, where, row["k"], k)
            audit = self.audit
            audit.numbers(name, "share dropped", row["share dropped"], 1 - k / layer.d, where=where)
            each = plain.by_class(self.right([k])[:, 0], layer.z)
            for column, words in (
                ("mean kept on test", "mean over images"),
                ("worst tenth kept on test", "worst tenth of classes"),
            ):
                mine = 100 * rule(each, test, words).mean() / max(rule(full, test, words), 1e-12)
                shown = float(row[column].rstrip("%"))
                audit.numbers(name, column, shown, mine, where=where, digits=9, slack=0.0501)
            shown = [float(one) for one in re.findall(r"([\d.]+)%", row["worst class on test"])]
            mine = [100 * plain.worst(each).mean(), 100 * plain.worst(full)]
            column = "worst class on test"
            audit.numbers(name, column, shown, mine, where=where, digits=9, slack=0.0501)


def check_known(run: Run, audit: Audit, notebook: str) -> None:
    """Name what a notebook wrote and nothing here recomputes."""
    for path in sorted((run.folder / "tables").glob(f"{notebook}-*.csv")):
        known = COLUMNS.get(path.stem, [])
        for column in run.table(path.stem).columns:
            if column not in known:
                audit.left_out[f"{path.stem}, {column}"] = UNKNOWN
    for key in run.told(notebook)["results"]:
        if not key.startswith(RESULTS[notebook]):
            audit.left_out[f"{notebook}.json, {key}"] = UNKNOWN


AUDITS = {"01_cka": audit_cka, "02_probes": audit_probes, "05_fairness": audit_fairness}


def main(words: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="reports of a run, such as reports/miniature")
    parser.add_argument("--part", action="store_true", help="one task, and some sizes")
    parser.add_argument("--only", action="append", choices=NOTEBOOKS, help="may be repeated")
    parser.add_argument("--jobs", type=int, default=1, help="sizes or seeds at a time")
    given = parser.parse_args(words)
    run, audit = Run(given.folder, given.part, given.jobs), Audit()
    for notebook in given.only or NOTEBOOKS:
        if not run.has(notebook):
            print(f"{given.folder} holds no results of {notebook}", file=sys.stderr)
            return 2
        check_known(run, audit, notebook)
        with threadpool_limits(1):  # layers are small, and --jobs is for more cores
            AUDITS[notebook](run, audit)
    audit.left_out["features and labels"] = "they are the input"
    audit.left_out["sentences under figures"] = "pages state numbers of these tables in words"
    if given.part:
        audit.left_out["other tasks, sizes, seeds"] = "a part was asked for"
    audit.left_out["times, versions, machine"] = "they are of the run"
    return audit.report()


if __name__ == "__main__":
    sys.exit(main())
