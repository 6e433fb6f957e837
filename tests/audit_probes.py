"""The audit of notebook 02; see ``audit.py``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from audit_tools import (
    RESAMPLES,
    TENTHS,
    UNDECIDED,
    Audit,
    Run,
    Spread,
    accuracies,
    cases_of,
    check_delta,
    check_every_subset,
    check_interval,
    check_means,
    check_precision,
    check_verdicts_read,
    mean_interval,
    near_interval,
    rights_of,
    seeds_of,
    stated,
    ties_of,
    verdicts_of,
)
from diffused_redundancy.nets.names import expanded
from plain_layer import (
    SEEDED,
    PlainLayer,
    band_of,
    eighths,
    first_reaching,
    half_decades,
    size_of,
    sizes_of,
)


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
    spreads = {}
    for case, (net, one) in cases_of(run, name, list(penalties["case"].unique())).items():
        layer = run.layer(parameters, net, one)
        chosen = penalties.query("case == @case").set_index("probe")["penalty"].astype(float)
        _audit_penalties(run, audit, penalties.query("case == @case"), layer, case)
        spreads[case] = _audit_ridge(run, audit, layer, case, float(chosen["ridge"]))
        _audit_logistic(run, audit, layer, case, float(chosen["logistic"]))
        _audit_agreement(run, audit, layer, case, chosen)
        _audit_effects(run, audit, layer, case, chosen)
        _audit_band(run, audit, layer, case, penalties)
        audit_verdicts(run, audit, layer, case, chosen)
    if len(spreads) == len(parameters["TASKS"]):  # one network, all tasks
        check_difference_of_tasks(run, audit, spreads)
    audit_paper(run, audit, "02_probes")
    check_verdicts_read(run, audit, name)


PRINTED = {
    "ViT S-16": [384, 0.6482, 0.70, 0.50, 0.50, 0.80],
    "ViT S-32": [384, 0.5573, 0.70, 0.50, 0.50, 0.70],
    "ResNet18": [512, 0.6923, 0.80, 0.50, 0.50, 0.90],
}
"""Table 1 of the paper's first version: d, ImageNet top-1, DR(0.9) on four tasks."""


def audit_paper(run: Run, audit: Audit, notebook: str) -> None:
    """What the paper prints, and that nothing is compared where network or task differ."""
    name, parameters = f"{notebook}-paper", run.told(notebook)["parameters"]
    table = run.table(name)
    for network, printed in PRINTED.items():
        rows = table[(table["network"] == network) & (table["delta"] == 0.9)]
        mine = [rows["d"].iloc[0], rows["top1"].iloc[0], *rows["paper"]]
        audit.numbers(name, "as the paper prints them", mine, printed, where=network)
        above = [{0.5: 0.7, 0.7: 0.8, 0.8: 0.9, 0.9: 0.95}[value] for value in printed[2:]]
        audit.numbers(name, "next on the grid", rows["paper_below"], above, where=network)
    kept = table[table["quantity"] == "share of accuracy kept"]
    mine = kept[["fraction", "paper"]].to_numpy().ravel()
    audit.numbers(name, "the abstract's", mine, [0.2, 0.95])
    nets = [net.partition("@")[0] for net in expanded(parameters["NETS"])]
    for _, row in table.iterrows():
        here = row["net"] in nets and row["task"] in parameters["TASKS"]
        if here:
            audit.left_out[f"{name}, ours, {row['network']}"] = "not recomputed for real networks"
        else:
            where = f"{row['network']}, {row['task']}"
            audit.words(name, "not comparable", row["outcome"], "not comparable", where)
            ours = row[["ours", "low", "high", "ours_all_sizes", "low_all_sizes", "high_all_sizes"]]
            audit.numbers(name, "ours", ours, [np.nan] * 6, where=where)


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
            # folds are solved as far as the choice needs it; the rest depends on the processor
            slack = 0.01 * row["validation loss"]
        audit.numbers(name, "penalty", chosen, choice.penalty, where=where, digits=3)
        at = int(np.abs(choice.grid / chosen - 1).argmin())
        kind = f"validation loss, {row['probe']}"
        audit.numbers(name, kind, row["validation loss"], choice.loss[at], where=where, slack=slack)
        ties = 0.0 if row["probe"] == "ridge" else 0.005
        kind = f"validation accuracy, {row['probe']}"
        audit.numbers(
            name, kind, row["validation accuracy"], choice.accuracy[at], where=where, slack=ties
        )
        audit.numbers(name, "parts", row["folds"], folds, where=where)
        edge = chosen in (float(f"{least:g}"), float(f"{most:g}"))
        audit.words(name, "at the edge", "edge" in row["grid"], edge, where)


def _audit_ridge(run: Run, audit: Audit, layer: PlainLayer, case: str, penalty: float) -> Spread:
    """The ridge probe's tables; the spread of the curve of random neurons."""
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
        right = rights_of(run, layer, penalty, selection, seeds, sizes)
        values, ties = accuracies(right), ties_of(layer, penalty, selection, seeds, sizes)
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
        rights_of(run, layer, penalty, selection, some, fitted)
        audit.numbers(
            f"{name}-ridge",
            "value, by scikit-learn's ridge",
            [[shown[seed, k] for k in fitted] for seed in some],
            [
                [layer.sklearn_right(penalty, selection, seed, k).mean() for k in fitted]
                for seed in some
            ],
            where=where,
            slack=ties_of(layer, penalty, selection, some, fitted),
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
            check_tasks_differ(audit, run, case, rows, delta)
            of_random = spread
    return of_random


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
    right = rights_of(run, layer, penalty, selection, seeds, sizes)
    full = float(whole.mean())
    return Spread(
        accuracies(right), right.mean(0).T.astype(float), full, whole.astype(float), sizes, layer.d
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
        values = accuracies(right)
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
    ridge = rights_of(run, layer, chosen["ridge"], "random", seeds, sizes)
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


def audit_verdicts(run: Run, audit: Audit, layer: PlainLayer, case: str, chosen: pd.Series) -> None:
    """Numbers in the verdicts of notebook 02 on one case."""
    name, parameters = "02_probes.json", run.told("02_probes")["parameters"]
    seeds, d, m = parameters["SEEDS"], layer.d, layer.m
    full = float(layer.whole_right(chosen["ridge"]).mean())

    def ridge_at(sizes: Sequence[int]) -> np.ndarray:
        every = seeds_of("random", parameters)
        return accuracies(rights_of(run, layer, chosen["ridge"], "random", every, sizes))

    check_every_subset(audit, run, "02_probes", case, ridge_at, 0.9 * full, d)
    sizes, fifth, tenth = sizes_of(parameters["FRACTIONS"], d), size_of(0.2, d), size_of(0.1, d)

    def right_of(selection: str, some: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        mine = seeds if selection in SEEDED else [0]
        return _logistic(run, layer, chosen["logistic"], selection, mine, some)

    whole, open_ = _logistic(run, layer, chosen["logistic"], "random", [1], [d])
    rng = np.random.default_rng(13)
    for because in verdicts_of(run, "02_probes", 1):
        if not (said := stated(because, f"\n- {case}: ")):
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
        if not (said := stated(because, f"{case}, {words}: least ")):
            continue
        few = [k for k in sizes if int(0.01 * d) <= k <= min(tenth, layer.most("pca"))]
        (ours, ties), (theirs, more) = right_of(above, few), right_of(below, few)
        gaps, off = ours.mean((0, 2)) - theirs.mean((0, 2)), (ties.mean(0) + more.mean(0)) / m
        at, where = few.index(int(said[-1])), f"claim 5, {case}, {words}"
        how = {"where": where, "digits": 9, "slack": TENTHS + 100 * off[at]}
        audit.numbers(name, "verdict 5", said[0], 100 * gaps[at], **how)
        ends = np.array(
            [mean_interval(100.0 * ours[:, i], rng, 100.0 * theirs[:, i]) for i in range(len(few))]
        )
        allowed = 0.25 * (said[2] - said[1]) + 0.1 + 100 * off[at]
        audit.resampled(name, "verdict 5, ends", said[1:3], ends[at], allowed, where)
        least = ends[:, 0].min() >= said[1] - allowed
        audit.words(name, "verdict 5, where it begins lowest", bool(least), True, where)
    for because in verdicts_of(run, "02_probes", 6):
        if not (said := stated(because, f"\n- {case}: ")):
            continue
        few = "Sizes up to" in because
        some = [k for k in sizes if (k <= tenth) == few and k <= size_of(0.5, d)]
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


def check_tasks_differ(audit: Audit, run: Run, case: str, rows: pd.DataFrame, delta: float) -> None:
    """Claim 3: DR of the tasks that differ most."""
    if len(expanded(run.told("02_probes")["parameters"]["NETS"])) > 1:
        return  # a case has another title there
    mine = rows[rows["delta"] == delta]["DR"].iloc[0]
    for because in verdicts_of(run, "02_probes", 3):
        found = re.search(rf"(?:from|to) (\S+) on {re.escape(case)}(?:,| to) ", because)
        if found is not None:
            where, name = f"claim 3, {case}", "02_probes.json"
            audit.numbers(
                name, "verdict 3", float(found[1]), mine, digits=9, slack=6e-4, where=where
            )


def check_difference_of_tasks(run: Run, audit: Audit, spreads: dict[str, Spread]) -> None:
    """Claim 3: the difference of DR of two tasks, with its interval, which allows for all pairs.
    Images of two tasks are other images, and so are the subsets of their layers.
    """
    pairs = len(spreads) * (len(spreads) - 1) // 2
    rng = np.random.default_rng(17)
    for because in verdicts_of(run, "02_probes", 3):
        found = re.search(
            r"DR\(([\d.]+)\)[^:]*: from \S+ on (.+?) to \S+ on (.+?), (\S+) \((\S+) to (\S+)\)",
            because,
        )
        if found is None or not {found[2], found[3]} <= set(spreads):
            continue
        delta, said = float(found[1]), [float(found[i]) for i in (4, 5, 6)]
        confidence = 1 - 0.05 / pairs
        less, more = (
            1 - one.first(*one.draws(rng, RESAMPLES, confidence=confidence), delta) / one.d
            for one in (spreads[found[2]], spreads[found[3]])
        )
        tail = (1 - confidence) / 2
        ends = np.quantile(more - less, [tail, 1 - tail])
        allowed = 0.25 * (said[2] - said[1]) + 0.002
        audit.resampled(
            "02_probes.json", "verdict 3, ends", said[1:], ends, allowed, "claim 3, difference"
        )


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
                seeds = parameters["SEEDS"]
                right = rights_of(run, layer, penalty, "random", seeds, [fifth])
                full = layer.whole_right(penalty).mean()
                ties = ties_of(layer, penalty, "random", seeds, [fifth])
                slack = 100 * (ties.mean() + layer.whole_ties(penalty)) / full
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
            mean = accuracies(rights_of(run, layer, penalty, "random", seeds, sizes)).mean(0)
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
