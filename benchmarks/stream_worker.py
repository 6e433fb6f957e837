"""One streaming pass over a file of features in a process of its own; prints what it took as JSON.

Run by ``cases_memory``: ``python stream_worker.py FILE RESULT``.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
from pathlib import Path
from typing import Any

import safetensors  # noqa: F401  (read_features imports it when needed: it belongs to the imports, not to the pass)
import torch
from diffused_redundancy.measures.statistics import SufficientStatistics
from diffused_redundancy.store.featurefile import read_features
from safetensors.torch import save_file

STATUS = Path("/proc/self/status")


def resident(peak: bool) -> int:
    """Bytes of this process in memory, now or at most so far.

    Where Linux's own account is there, it is used: its ``ru_maxrss`` starts at what the process
    that started this one held, which is more than this one may ever hold. Elsewhere only the peak
    is to be had, for both.
    """
    if STATUS.exists():
        fields = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
        return int(fields["VmHWM" if peak else "VmRSS"].split()[0]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def matrices(d: int) -> int:
    """How many (d, d) float64 tensors are alive and hold more than zeros (untouched zeros take no
    memory).
    """
    held = {
        thing.data_ptr()
        for thing in gc.get_objects()
        if isinstance(thing, torch.Tensor)
        and thing.shape == (d, d)
        and thing.dtype == torch.float64
        and bool(thing.diagonal().any())
    }
    return len(held)


class Watched:
    """Rows that count the matrices alive whenever a slice is asked for."""

    def __init__(self, rows: Any) -> None:
        self.rows, self.shape, self.dtype = rows, rows.shape, rows.dtype
        self.most = self.slices = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> Any:
        if self.slices in (1, 2):  # the same at every later slice, and looking costs time
            self.most = max(self.most, matrices(self.shape[1]))
        self.slices += 1
        return self.rows[rows]


def main(file: Path, result: Path) -> None:
    """Make the statistics of ``X_train`` of a file, and keep their mean and Gram matrix in
    another.
    """
    before = resident(peak=False)
    rows = Watched(read_features(file, ("X_train",))["X_train"])
    statistics = SufficientStatistics.from_features(rows, device="cpu")
    mean, gram = statistics.mean, statistics.gram
    print(
        json.dumps(
            {
                "before": before,
                "peak": resident(peak=True),
                "matrices": rows.most,
                "slices": rows.slices,
            }
        )
    )
    save_file({"mean": mean, "gram": gram}, result)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
