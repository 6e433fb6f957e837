"""The audit of notebook 05; see ``audit.py``."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plain_fairness as plain
from audit_probes import audit_paper
from audit_tools import GRID, Audit, Run, accuracies, first_is, rights_of, ties_of, verdicts_of
from diffused_redundancy.nets.names import expanded
from diffused_redundancy.tasks import Task
from plain_layer import PlainLayer, common, first_reaching
from scipy.stats import norm

SHIFT_ERROR = 5e-4
"""What a shift of margins, solved to 1e-8, may move a loss by, in points."""


def audit_fairness(run: Run, audit: Audit) -> None:
    """Tables and results of notebook 05."""
    name, told = "05_fairness", run.told("05_fairness")
    parameters = told["parameters"]
    nets, tasks = expanded(parameters["NETS"]), parameters["TASKS"]
    spread = run.table(f"{name}-spread")
    labels = dict(zip(nets, spread["net"].unique(), strict=True))
    titles = dict(zip(tasks, spread["task"].unique(), strict=True))
    looked_at = ([run.part] if run.part in tasks else tasks[:1]) if run.part else tasks
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
                    shown = told["results"][key]  # one guess of equal scores moves it by 1e-4
                    audit.numbers(f"{name}.json", kind, shown, mine, where=key, slack=2e-4)
    _audit_counts(run, audit)
    audit_paper(run, audit, name)


def _audit_agreement_told(run: Run, audit: Audit, title: str, place: int, mine: float) -> None:
    """The rank correlations that the verdict on claim 10 tells."""
    for because in verdicts_of(run, "05_fairness", 10)[:1]:
        words = r": rank correlation (\S+); (\S+) beyond a shift of margins"
        said = re.search(re.escape(title) + words, because)
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
            slack=2e-5 * shown.to_numpy() + 1e-12 * len(rows),  # tables have twelve decimals
        )
        if index == "Gini":
            key = f"cells above, {null}"
            audit.numbers("05_fairness.json", "cells", told["results"][key], (mine < 0.05).sum())
    if len(table):
        spread_ = (table["high"] - table["excess"]) / 1.96
        worse = np.where(table["index"] == "Gini", 1, -1) * table["excess"] / spread_
        beyond = norm.isf(1e-9)  # a smaller p has too few of the twelve decimals of tables
        audit.numbers(
            "05_fairness-nulls",
            "p, from excess and interval",
            norm.isf(table["p"].to_numpy()).clip(max=beyond),
            np.minimum(worse, beyond),
            slack=1e-3 * (1 + np.abs(worse)) + 2e-6 / spread_,
        )
        for because in verdicts_of(run, "05_fairness", 10)[:1]:
            one = table[(table["index"] == "Gini") & (table["null"] == plain.NULLS[0])]
            said = re.search(r"in (\d+) of (\d+) cells", because)
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
        return rights_of(self.run, self.layer, self.penalty, "random", self.seeds, sizes)

    def cell(self, k: int) -> plain.Cell:
        margins = self.layer.margins(self.penalty)
        return plain.Cell(margins > 0, margins, self.right([k])[:, 0], self.layer.z)

    def ties(self, sizes: Sequence[int]) -> np.ndarray:
        """The share of guesses that rest on less than float32 features can tell, (sizes,)."""
        return ties_of(self.layer, self.penalty, "random", self.seeds, sizes).mean(0)

    def first(self, bar: float, printed: int) -> int | None:
        """The first size to reach a bar: the printed one, if some guesses of equal scores decide
        between it and another.
        """
        sizes = self.run.sizes(self.layer.d, printed)
        values = accuracies(self.right(sizes)).mean(0)
        off = self.ties(sizes)
        ends = [first_reaching(values + sign * off, bar, sizes) for sign in (1, -1)]
        if None not in ends and ends[0] <= printed <= ends[1]:
            return printed
        return first_reaching(values, bar, sizes)

    def slack(self, k: int) -> tuple[float, float]:
        """How far guesses of equal scores may move the mean accuracy, and that of a class."""
        off = float(self.ties([k])[0])
        return off, off * self.layer.m / np.bincount(self.layer.z).clip(min=1).min()

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
            off, of_class = self.slack(k)
            for column, mine, slack in (
                ("mean", cell.right.mean(), off),
                ("worst class", plain.worst(each).mean(), of_class),
                ("Gini", plain.gini(each).mean(), of_class),
                ("variation", (each.std(-1) / each.mean(-1)).mean(), 2 * of_class),
            ):
                self.audit.numbers(name, column, row[column], mine, where=where, slack=slack)
            key, gini = f"Gini, {self.title}, {self.label}, {row['neurons']}", "Gini"
            mine, shown = plain.gini(each).mean(), self.results[key]
            self.audit.numbers("05_fairness.json", gini, shown, mine, where=key, slack=of_class)
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
            of_class = self.slack(k)[1]
            audit.numbers(
                name, "observed", row["observed"], observed[index], where=where, slack=of_class
            )
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
                self.audit.numbers(name, column, row[column], mine, where=where, slack=SHIFT_ERROR)
        shown = rows.loc[[one.classes[c] for c in np.unique(z)], "p"].to_numpy()
        slack = 5e-4 * shown + 1e-9
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
            most = min(5, len(present) // 3)
            for c in present[np.argsort(-mean.round(9), kind="stable")][:most]:
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
                self.audit.numbers(name, column, row[column], mine, where=where, slack=SHIFT_ERROR)

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
