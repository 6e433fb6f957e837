"""Peak memory of one streaming pass over a file that is larger than what the pass may hold."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import diffused_redundancy as dr
import numpy as np
import synthetic
import torch
from safetensors.torch import load_file
from table import Row

SAME = 1e-6
"""How far the streamed Gram matrix may be from that of the repeated rows, relative to its norm."""


def stream(quick: bool) -> list[Row]:
    """Memory of a pass over a .npz and a .safetensors file, each read in a fresh process.

    A file repeats the same rows, so that its mean and Gram matrix are known without reading it
    again. It is written in blocks to a temporary folder, and deleted before the next one.
    """
    base, d, repeats = 10_000, 2_048, 10 if quick else 100
    X, _ = synthetic.layer(base, d)
    exact = dr.SufficientStatistics.from_features(X.astype(np.float64), device="cpu")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="diffused-redundancy-") as folder:
        for suffix, write in ((".npz", _write_npz), (".safetensors", _write_safetensors)):
            file, result = Path(folder) / f"features{suffix}", Path(folder) / "result.safetensors"
            write(file, X, repeats)
            size = file.stat().st_size
            taken = _measured(file, result)
            file.unlink()
            rows += _rows(
                taken,
                load_file(result),
                exact,
                repeats,
                f"{suffix}, n = {base * repeats:,}, d = {d:,}, {size / 1e9:.1f} GB",
                quick,
            )
    return rows


def _measured(file: Path, result: Path) -> dict[str, int]:
    worker = Path(__file__).with_name("stream_worker.py")
    answer = subprocess.run(
        [sys.executable, str(worker), str(file), str(result)], capture_output=True, text=True
    )
    if answer.returncode:
        raise RuntimeError(f"the streaming pass failed: {answer.stderr.strip()}")
    return json.loads(answer.stdout)


def _rows(
    taken: dict[str, int],
    streamed: dict[str, torch.Tensor],
    exact: dr.SufficientStatistics,
    repeats: int,
    what: str,
    quick: bool,
) -> list[Row]:
    matrices = taken["matrices"] * exact.d**2 * 8
    extra = taken["peak"] - taken["before"] - matrices
    held = f"{matrices / 1e6:,.0f} MB in {taken['matrices']} matrix of float64"
    detail = (
        f"peak {taken['peak'] / 1e6:,.0f} MB, {taken['before'] / 1e6:,.0f} MB after imports, {held}"
    )
    wanted = repeats * exact.gram
    error = float(torch.linalg.norm(streamed["gram"] - wanted) / torch.linalg.norm(wanted))
    name = "stream_memory"
    return [
        Row(
            name,
            f"memory beyond imports and matrices ({what})",
            extra / 1e6,
            "MB",
            limit=1_000,
            judged=not quick,
            detail=detail,
        ),
        Row(
            name,
            "relative error of the Gram matrix",
            error,
            limit=SAME,
            detail=f"float64, {taken['slices']} slices",
        ),
    ]


def _write_npz(file: Path, X: np.ndarray, repeats: int) -> None:
    """What ``np.savez(file, X_train=...)`` would write, without the whole array in memory."""
    header = {
        "descr": np.lib.format.dtype_to_descr(X.dtype),
        "fortran_order": False,
        "shape": (len(X) * repeats, X.shape[1]),
    }
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
        archive.open("X_train.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array_header_2_0(member, header)
        for _ in range(repeats):
            member.write(X.data)


def _write_safetensors(file: Path, X: np.ndarray, repeats: int) -> None:
    """A file of one tensor: the length of the header, the header as JSON, the numbers."""
    about = {
        "X_train": {
            "dtype": "F32",
            "shape": [len(X) * repeats, X.shape[1]],
            "data_offsets": [0, X.nbytes * repeats],
        }
    }
    header = json.dumps(about).encode()
    header += b" " * (-len(header) % 8)  # the numbers start at a multiple of 8 bytes
    with open(file, "wb") as out:
        out.write(struct.pack("<Q", len(header)) + header)
        for _ in range(repeats):
            out.write(X.data)
