"""A disk that is full."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from conftest import make_layer
from diffused_redundancy.__main__ import main


def test_a_disk_that_is_full(tmp_path, capsys):
    """On a real file system with no room left: one line, status 2, and no file half-written."""
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True
    ).returncode:
        pytest.skip("no permission to mount a small file system")
    try:
        X, _ = make_layer(n=300, d=200)
        np.savez(tmp_path / "x.npz", X_train=X)
        assert main(["measure", str(tmp_path / "x.npz"), "--out", str(small), "--seeds", "20"]) == 2
        said = capsys.readouterr().err
        assert "the disk is full" in said and said.count("\n") == 1
        assert not list(small.glob(".*")) and not (small / "curves.csv").exists()
    finally:
        subprocess.run(["umount", str(small)], check=True)
