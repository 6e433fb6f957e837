"""Recompute the numbers that notebooks 01, 02 and 05 print, from the features, independently.

``python tests/audit.py FOLDER`` reads the tables and results in the reports of a run
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
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # also where Python leaves it out

import plain_fairness as plain
from audit_cka import audit_cka
from audit_fairness import audit_fairness
from audit_probes import audit_probes
from audit_tools import Audit, Run
from threadpoolctl import threadpool_limits

NOTEBOOKS = ("01_cka", "02_probes", "05_fairness")

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
PAPER = [
    *("source", "network", "net", "d", "top1", "task", "quantity", "delta", "fraction"),
    *("paper", "paper_below", "ours", "low", "high", "ours_all_sizes", "low_all_sizes"),
    *("high_all_sizes", "outcome", "reason", "differs"),
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
    "01_cka-standardized-means": MEANS,
    "01_cka-standardized-redundancy": REDUNDANCY,
    "01_cka-scales": [
        *("case", "DR(0.9) of CKA", "standardized", "difference", "low", "high"),
    ],
    "01_cka-debiased": [
        *("case", "plain at 10%", "debiased at 10%", "largest difference", "at k"),
    ],
    "01_cka-precision": PRECISION,
    "02_probes-penalties": [
        *("case", "probe", "penalty", "validation loss", "validation accuracy"),
        *("folds", "grid"),
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
    "02_probes-paper": PAPER,
    "05_fairness-paper": PAPER,
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

PICTURES = ("02_probes-one-image", "05_fairness-mistakes")
"""Tables beside pictures: how they are made is tested in ``test_pictures.py``, on other data."""

RESULTS = {
    "01_cka": ("cka at 20%, ", "DR("),
    "02_probes": ("share at 20%, ", "full layer, ", "DR("),
    "05_fairness": ("Gini, ", "agreement between seeds, ", "agreement beyond a shift, ", "cells"),
}
"""How the names of results begin that are recomputed here."""


def check_known(run: Run, audit: Audit, notebook: str) -> None:
    """Name what a notebook wrote and nothing here recomputes."""
    for path in sorted((run.folder / "tables").glob(f"{notebook}-*.csv")):
        if path.stem in PICTURES:
            audit.left_out[path.stem] = "beside a picture; see test_pictures.py"
            continue
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
    parser.add_argument(
        "--part",
        nargs="?",
        const="digits",
        default="",
        metavar="TASK",
        help="one task and some sizes only (default: digits, or the first)",
    )
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
