"""Draw results of ``run.py --json``: ``python benchmarks/plot.py RESULTS.json ... [--times
FILE.png] [--cost FILE.png] [--growth FILE.png]``.

Times are what others take, as multiples of ours; cost is how exact a curve over all sizes is
against what it takes; growth is our time against the number of neurons.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

GROUPS = {
    "CKA of the authors' 75 subsets": ("cka_75_subsets", "cka_packages"),
    "ridge probe at every size": ("ridge_all_sizes",),
    "the authors' 71 logistic probes": ("logistic_71_probes",),
}
"""What is measured, and the benchmarks that measure it."""

START = 0.5
"""Where the axis begins, in multiples of our time."""


def draw(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """A bar for each method, as a multiple of the library's time on a logarithmic axis."""
    drawn = [
        (
            title,
            sorted(
                (r for r in rows if r["bar"] and r["benchmark"] in names), key=lambda r: r["value"]
            ),
        )
        for title, names in GROUPS.items()
    ]
    drawn = [(title, some) for title, some in drawn if some]
    heights = [len(some) + 1 for _, some in drawn]
    figure, axes = plt.subplots(
        len(drawn),
        1,
        figsize=(8, 0.6 + 0.34 * sum(heights)),
        sharex=True,
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for axis, (title, some) in zip(axes[:, 0], drawn, strict=True):
        labels = ["this library", *(row["bar"] for row in some)]
        values = [1.0, *(row["value"] for row in some)]
        bars = axis.barh(
            labels,
            [value - START for value in values],
            color=["#0173b2", *["#bbbbbb"] * len(some)],
            left=START,
            log=True,
        )
        axis.bar_label(
            bars,
            [f"{value:,.0f}" if value >= 10 else f"{value:.2g}" for value in values],
            padding=3,
            fontsize=9,
        )
        axis.set_xlim(START, max(row["value"] for _, part in drawn for row in part) * 4)
        axis.invert_yaxis()
        axis.set_title(title, loc="left", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1, 0].set_xlabel("time, as a multiple of this library's in the same run (logarithmic)")
    figure.savefig(out, dpi=100)


def draw_cost(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """The largest error of a curve over all sizes against the seconds it took, a panel for each
    measure.
    """
    panels: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["benchmark"] == "cost":
            panels.setdefault(row["quantity"].partition(":")[0], []).append(row)
    figure, axes = plt.subplots(1, len(panels), figsize=(9, 4), squeeze=False, layout="constrained")
    for axis, (what, (ours, *theirs)) in zip(axes[0], panels.items(), strict=True):
        peer = theirs[0]["quantity"].partition(": ")[2].partition(",")[0]
        label = f"{peer} at some sizes, interpolated"
        axis.plot(
            [row["at"] for row in theirs],
            [row["value"] for row in theirs],
            color="#888888",
            marker="o",
            ms=4,
            label=label,
        )
        for row in theirs:
            axis.annotate(
                row["quantity"].split(", ")[1].split()[0],
                (row["at"], row["value"]),
                (3, 3),
                textcoords="offset points",
                fontsize=8,
            )
        least = ours["value"] or min(row["value"] for row in theirs) / 10
        error = f"error {ours['value']:.0e}" if ours["value"] else "no error"
        axis.plot(
            ours["at"],
            least,
            color="#0173b2",
            marker="*",
            ms=14,
            ls="",
            clip_on=False,
            label=f"this library at all sizes: {error}",
        )
        axis.set(
            xscale="log",
            yscale="log",
            title=what,
            xlabel="seconds (two CPU cores)",
            ylabel="largest error over all sizes",
        )
        seconds = [row["at"] for row in (ours, *theirs)]
        ticks = [
            tick
            for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
            if min(seconds) / 2 <= tick <= 2 * max(seconds)
        ]
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
        axis.set_xlim(min(seconds) / 1.5, 1.5 * max(seconds))
        axis.set_ylim(least, 1)
        axis.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.2))
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(out, dpi=100)


def draw_growth(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """Seconds against neurons, both logarithmic, a line for each measure, beside lines of d^2 and
    d^3.
    """
    figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row["at"] and row["benchmark"] == "growth":
            lines.setdefault(row["quantity"].partition(":")[0], []).append(
                (row["at"], row["value"])
            )
    for (what, points), colour, marker in zip(
        lines.items(), ("#0173b2", "#de8f05", "#029e73"), "osD", strict=False
    ):
        (least, _), (most, seconds), (before, earlier) = points[0], points[-1], points[-2]
        power = np.log(seconds / earlier) / np.log(most / before)
        axis.plot(
            *zip(*points, strict=True),
            color=colour,
            marker=marker,
            label=f"{what} (at the end as d to the {power:.1f})",
        )
    first = max(line[0][1] for line in lines.values())
    neurons = np.array([least, most])
    for power, style in ((2, "--"), (3, ":")):
        axis.plot(
            neurons,
            0.3 * first * (neurons / least) ** power,
            color="#888888",
            ls=style,
            lw=1,
            label=f"d to the {power}",
        )
    axis.set(xscale="log", yscale="log", xlabel="neurons d", ylabel="seconds (two CPU cores)")
    axis.set_xticks([d for d, _ in points], [f"{d:,.0f}" for d, _ in points], minor=False)
    axis.minorticks_off()
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9)
    figure.savefig(out, dpi=100)


def main(words: Sequence[str] | None = None) -> None:
    """Read results and draw them."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/plot.py", description="Draw results of run.py --json."
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS.json")
    parser.add_argument(
        "--times", type=Path, metavar="FILE.png", help="what others take, as multiples of our time"
    )
    parser.add_argument(
        "--cost",
        type=Path,
        metavar="FILE.png",
        help="the error of curves over all sizes against their time",
    )
    parser.add_argument(
        "--growth", type=Path, metavar="FILE.png", help="our time against the number of neurons"
    )
    options = parser.parse_args(words)
    rows = [
        row
        for path in options.results
        for row in json.loads(path.read_text(encoding="utf-8"))["rows"]
    ]
    for path, draws in (
        (options.times, draw),
        (options.cost, draw_cost),
        (options.growth, draw_growth),
    ):
        if path is not None:
            draws(rows, path)


if __name__ == "__main__":
    main()
