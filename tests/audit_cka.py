"""The audit of notebook 01; see ``audit.py``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from audit_tools import (
    CKA_ERROR,
    RESAMPLES,
    Audit,
    Run,
    Spread,
    cases_of,
    check_delta,
    check_every_subset,
    check_interval,
    check_means,
    check_precision,
    check_verdicts_read,
    first_is,
    near_interval,
    sd,
    seeds_of,
)
from plain_layer import PlainLayer, first_reaching, size_of


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
            spread = _audit_redundancy(
                run,
                audit,
                f"{name}-redundancy",
                rows,
                layer,
                selection,
                seeds,
                values,
                sizes,
                where,
            )
            if selection == "random":
                _audit_told(audit, results, "cka", case, rows, values, sizes, d)
                _audit_closed_form(run, audit, tables, case, layer, sizes, values)
                _audit_debiased(run, audit, tables["debiased"], case, layer, parameters)
                _audit_every_subset(run, audit, case, layer, seeds, "similarity")
                scaled = _audit_standardized(run, audit, case, layer.standardized(), parameters)
                _audit_scales(run, audit, case, spread, scaled)
                key, fifth = f"cka at 20%, {case}", size_of(0.2, d)
                mine = values[:, sizes.index(fifth)].mean()
                audit.numbers(
                    f"{name}.json", "cka at 20%", results[key], mine, where=key, slack=2e-7
                )
                for _, row in precise[precise.get("case", pd.Series()) == case].iterrows():
                    check_precision(audit, f"{name}-precision", row, spread, delta, run)
                    kept = rows[rows["delta"] == delta].iloc[0]
                    audit.numbers(f"{name}-precision", "DR", row["DR"], kept["DR"], where=case)
    check_verdicts_read(run, audit, name)


def _audit_redundancy(
    run: Run,
    audit: Audit,
    name: str,
    rows: pd.DataFrame,
    layer: PlainLayer,
    selection: str,
    seeds: Sequence[int],
    values: np.ndarray,
    sizes: Sequence[int],
    where: str,
    standardize: bool = False,
) -> Spread | None:
    """DR of one selection, with its intervals; what these are resampled from."""
    for _, row in rows.iterrows():
        at = f"{where}, delta {row['delta']}"
        check_delta(audit, name, row, layer.d, at)
        first = first_reaching(values.mean(0), row["delta"], sizes)
        first_is(audit, name, at, row["k"], first)
        audit.numbers(name, "full", row["full"], 1, where=at)
        audit.numbers(name, "seeds", row["seeds"], len(seeds), where=at)
    if not len(rows) or (selection != "random" and run.part):
        return None
    near = near_interval(run, layer.most(selection), rows)
    spread = _cka_spread(run, layer, selection, seeds, near, standardize)
    for _, row in rows.dropna(subset=["low"]).iterrows():
        ends = spread.interval(row["delta"], np.random.default_rng(3))
        check_interval(audit, name, row, ends, spread, f"{where}, delta {row['delta']}")
    return spread


def _audit_told(
    audit: Audit,
    results: dict,
    measure: str,
    case: str,
    rows: pd.DataFrame,
    values: np.ndarray,
    sizes: Sequence[int],
    d: int,
) -> None:
    """DR among the results."""
    for delta in rows["delta"]:
        key = f"DR({delta:g}) of {measure}, {case}"
        first = first_reaching(values.mean(0), delta, sizes)
        mine = np.nan if first is None else 1 - first / d
        audit.numbers("01_cka.json", "DR", results[key], mine, where=key)


def _audit_every_subset(
    run: Run, audit: Audit, case: str, layer: PlainLayer, seeds: Sequence[int], part: str
) -> None:
    def values(sizes: Sequence[int]) -> np.ndarray:
        return np.stack([layer.cka("random", one, sizes) for one in seeds])

    check_every_subset(audit, run, "01_cka", case, values, 0.9, layer.d, part)


def _audit_scales(
    run: Run, audit: Audit, case: str, spread: Spread | None, scaled: Spread | None
) -> None:
    """What standardizing does to DR(0.9), over the same orders and groups of images."""
    name, delta = "01_cka-scales", 0.9
    row = run.table(name).set_index("case").loc[case]
    if spread is None or scaled is None:
        return
    both = (spread, scaled)
    firsts = [one.first(one.values.mean(0)[None], 1.0, delta)[0] for one in both]
    mine = [1 - first / one.d for first, one in zip(firsts, both, strict=True)]
    allowed = max(one.step for one in both)
    columns = ["DR(0.9) of CKA", "standardized"]
    audit.numbers(name, "DR", row[columns], mine, where=case, slack=allowed)
    gap = row[columns[1]] - row[columns[0]]
    audit.numbers(name, "difference", row["difference"], gap, where=case, slack=2e-6)
    draws = [
        one.first(*one.draws(np.random.default_rng(3), RESAMPLES), delta) / one.d for one in both
    ]
    if row["low"] == row["low"]:
        ends = np.quantile(draws[0] - draws[1], [0.025, 0.975])
        check_interval(audit, name, row, ends, scaled, case)


def _audit_standardized(
    run: Run, audit: Audit, case: str, layer: PlainLayer, parameters: dict
) -> Spread | None:
    """The curves and DR of standardized neurons; what the latter are resampled from."""
    name, seeds = "01_cka-standardized", seeds_of("random", parameters)
    rows = run.table(f"{name}-redundancy").query("case == @case")
    sizes = run.sizes(layer.d, *rows["k"].dropna().astype(int))
    values = np.stack(run.map(lambda seed: layer.cka("random", seed, sizes), seeds))
    means = run.table(f"{name}-means").query("case == @case")
    check_means(audit, f"{name}-means", means, sizes, values, where=case, slack=CKA_ERROR)
    spread = _audit_redundancy(
        run, audit, f"{name}-redundancy", rows, layer, "random", seeds, values, sizes, case, True
    )
    results = run.told("01_cka")["results"]
    _audit_told(audit, results, "standardized cka", case, rows, values, sizes, layer.d)
    _audit_every_subset(run, audit, case, layer, seeds, "similarity, standardized neurons")
    return spread


def _cka_spread(
    run: Run,
    layer: PlainLayer,
    selection: str,
    seeds: Sequence[int],
    sizes: np.ndarray,
    standardize: bool,
) -> Spread:
    """Curves of CKA, and how they change when a hundredth of the images is left out (jackknife)."""
    images = layer.n // layer.views
    some = seeds[: 8 if run.part else 20]
    values = np.stack(run.map(lambda seed: layer.cka(selection, seed, sizes), seeds))
    # With a seed that an image set was shuffled by, groups would be classes (Armenian: 11).
    shuffled = np.random.default_rng([3141, 5926]).permutation(images)
    group = shuffled % min(40 if run.part else 100, images)
    first_view = layer.X[:images]

    def without(g: int) -> np.ndarray:
        left = PlainLayer(
            first_view[group != g], layer.y[:images][group != g], layer.T[:2], layer.z[:2]
        )
        left = left.standardized() if standardize else left
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
