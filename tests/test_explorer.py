"""The explorer: its numbers against the curves they are from, and its script in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from diffused_redundancy.experiment.measurements import Measurements
from diffused_redundancy.findings.explorer import explorer_data, explorer_rows, sizes_shown
from diffused_redundancy.measures.hits import Hits
from diffused_redundancy.report.explorer import explorer_page
from made_up import D, measurement, net, task


@pytest.fixture(scope="module")
def found():
    where = task(labels=["zero", "</script>"])
    one, other = measurement(net("a"), where, 30), measurement(net("b"), where, 60)
    right = np.random.default_rng(0).random((2, D, 8)) < 0.8
    hits = Hits(np.packbits(right, axis=2), np.ones(8), np.arange(8) % 2, 2)
    data = explorer_data(Measurements([one, other]), {("a", where.name, "random"): hits}, seed=1)
    return one, right, data


def test_numbers_are_those_of_the_curves(found):
    one, right, data = found
    first, second = data["cases"]
    curve = one.accuracy["random"]
    assert first["sizes"] == sizes_shown(D) and first["d"] == D
    for k, accuracy, cka in zip(first["sizes"], first["accuracy"], first["cka"], strict=True):
        assert accuracy == pytest.approx(curve.values[:, k - 1].mean(), abs=1e-4)
        assert cka == pytest.approx(one.cka["random"].values[:, k - 1].mean(), abs=1e-4)
    labels = np.arange(8) % 2
    for place, k in enumerate(first["sizes"]):
        by_class = [right[:, k - 1, labels == c].mean() for c in (0, 1)]
        assert first["worst"][place] == pytest.approx(min(by_class), abs=1e-4)
        assert first["worst_class"][place] == ["zero", "</script>"][int(np.argmin(by_class))]
    assert second["worst"] == [] and second["net"] == "b"
    assert sorted(data["orders"][str(D)]) == list(range(D))
    row = explorer_rows(data)[2]
    assert row["k"] == D // 5 and row["accuracy"] == f"{curve.values[:, D // 5 - 1].mean():.1%}"
    assert explorer_rows(data)[-1]["worst class"] == "–"


def test_the_page_stands_alone(found):
    html = explorer_page(found[2], explorer_rows(found[2]))
    assert not re.search(r"src=\"(https?:)?//|<link", html) and html.count("</script>") == 2
    embedded = re.search(r'id="data">(.*?)</script>', html, flags=re.DOTALL)[1]
    assert json.loads(embedded) == found[2]
    assert "<noscript>" in html and html.count("<tr>") == 1 + len(explorer_rows(found[2]))


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium to look with")
def test_the_script_shows_the_chosen_numbers(found, tmp_path):
    page = tmp_path / "explorer.html"
    page.write_text(explorer_page(found[2], explorer_rows(found[2])), encoding="utf-8")
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=300,
    )
    first = found[2]["cases"][0]
    at = first["sizes"].index(D // 5)
    assert f"{D // 5} of {D} neurons" in done.stdout
    assert done.stdout.count('<i class="lit">') == D // 5
    assert f"{100 * first['accuracy'][at]:.1f}%" in done.stdout
    assert f'id="cka">{first["cka"][at]:.3f}<' in done.stdout
