"""What a notebook talks to: names of cases, and what it keeps on disk."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from diffused_redundancy.session import Session


@pytest.fixture(autouse=True)
def own_report(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFUSED_REDUNDANCY_REPORT", str(tmp_path / "report"))


def test_tasks_of_one_name_stay_apart(tmp_path):
    names = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        np.savez(
            tmp_path / folder / "mine.npz",
            X_train=np.zeros((8, 4, 4), np.uint8),
            y_train=[0, 1] * 4,
        )
        names.append(f"npz:{tmp_path / folder / 'mine.npz'}")
    values = {"NETS": ["miniature_resnet.standard_s1"], "TASKS": [*names, "digits"]}
    session = Session("01_cka", values)
    assert [session.title(session.nets[0], task) for task in session.tasks] == [
        "mine (1)",
        "mine (2)",
        "Handwritten digits",
    ]


def test_tables_on_disk_keep_no_rounding_errors(tmp_path, capsys):
    """The order of a sum is not the same in each run: its last bits must not make tables of equal
    results differ.
    """
    values = {"NETS": ["miniature_resnet.standard_s1"], "TASKS": ["digits"]}
    session = Session("01_cka", values)
    written = []
    for wrong in (0.0, 1.1e-16, -9.7e-17):
        columns = {
            "name": ["a"],
            "spread": [wrong],
            "mean": [1 / 3 + wrong],
            "small": [1.25e-9],
            "none": [float("nan")],
        }
        session.table(pd.DataFrame(columns), "t")
        written.append(next(tmp_path.rglob("*-t.csv")).read_text().partition("\n")[2])
    assert set(written) == {"name,spread,mean,small,none\na,0,0.333333,1.25e-09,\n"}
    capsys.readouterr()
