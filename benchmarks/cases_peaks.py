"""Peak memory of the measures and of those they are compared with, each in a fresh process, beyond
the features.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import peers
import synthetic
from table import Row

NAME = "peak_memory"
AGAINST = {
    "our_cka": (
        "CKA at every size, 5 orders",
        {
            "plain_cka": "feature space, one subset",
            **{name: f"{name}, one subset" for name in peers.CKA_PACKAGES},
        },
    ),
    "our_ridge": (
        "ridge accuracy at every size, one order",
        {"their_ridge": "scikit-learn, one fit"},
    ),
    "our_logistic": (
        "71 logistic probes",
        {name: f"{name}, one fit of the whole layer" for name in peers.LOGISTIC},
    ),
}
"""Ours, and what to compare it with."""


def peaks(quick: bool) -> list[Row]:
    """Bytes that each method takes beyond the features, the pass included, and those of others over
    them.
    """
    d = 256 if quick else 2_048
    rows = []
    for own, (what, others) in AGAINST.items():
        # the packages multiply kernels of n x n images
        n = 1_000 if quick else 3_000 if own == "our_cka" else 10_000
        X, y = synthetic.layer(n, d)
        with tempfile.TemporaryDirectory(prefix="diffused-redundancy-") as folder:
            np.save(Path(folder) / "X.npy", X)
            np.save(Path(folder) / "y.npy", y)
            ours = _taken(own, folder)
            at = f"n = {n:,}, d = {d:,}"
            rows.append(
                Row(
                    NAME,
                    f"{what}: memory beyond the features ({at})",
                    ours / 1e6,
                    "MB",
                    detail=f"features {X.nbytes / 1e6:,.0f} MB",
                )
            )
            for method, what_it_does in others.items():
                if method in peers.CKA_PACKAGES and peers.installed(method) is None:
                    print(
                        f"{NAME} of {method} skipped: it is not installed (pip install -e "
                        "'.[benchmarks]')"
                    )
                    continue
                theirs = _taken(method, folder)
                rows.append(
                    Row(
                        NAME,
                        f"{what_it_does}, over {what}",
                        theirs / ours,
                        "times our memory",
                        detail=f"{theirs / 1e6:,.0f} MB",
                    )
                )
    return rows


def _taken(method: str, folder: str) -> int:
    worker = Path(__file__).with_name("peak_worker.py")
    answer = subprocess.run(
        [sys.executable, str(worker), method, folder], capture_output=True, text=True
    )
    if answer.returncode:
        raise RuntimeError(f"{method} failed: {answer.stderr.strip()}")
    return int(json.loads(answer.stdout.splitlines()[-1])["taken"])
