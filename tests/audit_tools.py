"""What the parts of ``audit.py`` share: comparisons, the reports of a run, resampling."""

from __future__ import annotations

import itertools
import json
import re
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
from plain_layer import SEEDED, PlainLayer, half_decades, orders
from scipy.stats import norm

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
    """The reports of a run, and the layers they are about; ``part`` names the task of a part."""

    def __init__(self, folder: Path, part: str, jobs: int) -> None:
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
    quantum = 0.3 / spread.d + spread.step / 2 * bool(run.part)
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
        wanted = next((case for case, (_, one) in cases.items() if one == run.part), names[0])
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


def accuracies(right: np.ndarray) -> np.ndarray:
    return right.mean(-1)


def ties_of(
    layer: PlainLayer, penalty: float, selection: str, seeds: Sequence[int], sizes: Sequence[int]
) -> np.ndarray:
    """How many guesses rest on less than float32 features can tell, as a share, (seeds, sizes)."""
    ties = [[layer.ties[penalty, selection, seed, k] for k in sizes] for seed in seeds]
    return np.array(ties) / layer.m


def rights_of(
    run: Run,
    layer: PlainLayer,
    penalty: float,
    selection: str,
    seeds: Sequence[int],
    sizes: Sequence[int],
) -> np.ndarray:
    """Right guesses of ridge probes, (seeds, sizes, m)."""
    return np.stack(run.map(lambda seed: layer.right(penalty, selection, seed, sizes), seeds))


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


def stated(because: str, start: str) -> list[float]:
    """The numbers after some words of a verdict, up to the next case."""
    text = because.partition(start)[2]
    end = re.search(r"; |\. |\.?\n", text)
    return [float(one) for one in re.findall(r"[+-]?\d+(?:\.\d+)?", text[: end and end.start()])]


def verdicts_of(run: Run, notebook: str, claim: int, part: str | None = None) -> list[str]:
    return [
        one["because"]
        for one in run.told(notebook)["verdicts"]
        if one["claim"] == claim and part in (None, one["part"])
    ]


def check_verdicts_read(run: Run, audit: Audit, notebook: str) -> None:
    """That numbers of every verdict with numbers were found: its words may have changed."""
    if len(run.told(notebook)["parameters"]["NETS"]) > 1:
        return  # cases have other titles there
    for one in run.told(notebook)["verdicts"]:
        kind = f"verdict {one['claim']}"
        read = any(said.startswith(kind) for _, _, said in audit.lines)
        if re.search(r"\(\S+ to \S+\)", one["because"]):
            audit.words(f"{notebook}.json", "verdicts whose numbers were read", read, True, kind)


TENTHS = 0.0501
"""Half of the last digit of numbers with one decimal."""


def check_every_subset(
    audit: Audit,
    run: Run,
    notebook: str,
    case: str,
    values_at: Callable,
    bar: float,
    d: int,
    part: str | None = None,
) -> None:
    """Claim 2: the size from which each order keeps a share."""
    for because in verdicts_of(run, notebook, 2, part):
        said = stated(because, f"\n- {case}: from ")
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
        share = {"digits": 9, "slack": 0.501, "where": where}
        audit.numbers(name, "verdict 2", said[-1], 100 * mine / d, **share)
