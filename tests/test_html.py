"""Pages: contents, tables and formulas."""

from __future__ import annotations

import base64
import re
import struct

from diffused_redundancy.report import html


def test_pages():
    body = html.markdown(
        "# One\n\n## Two $x^2$\n\n$$\\frac{a}{b}$$\n\n|a|b|\n|---|---:|\n|1|2|\n\n## Two $x^2$\n"
    )
    page = html.page("T", body, home="../index.html")
    assert page.count("<math") == 3 and '<div class="table" tabindex="0"' in page
    assert 'id="one"' in page and page.count('href="#two') == 2 and 'id="two-x2-2"' in page
    norm = html.mathml(r"\lVert X \rVert_F", block=False)
    assert norm.count('<mo stretchy="false">&#x02016;</mo>') == 2  # both bars alike
    assert html.mathml("\\nonsense{", block=False) == "<code>$\\nonsense{$</code>"
    assert "run_<code>$A_$</code>B" in html.markdown("run_$A_$B")


def test_intervals_in_tables_stay_whole():
    page = html.markdown(
        "|a|\n|---|\n|+0.5 (+0.4 to +0.6), less than before (from here to there)|\n"
    )
    assert '+0.5 <span class="interval">(+0.4 to +0.6)</span>, less' in page
    assert page.count('class="interval"') == 1


def test_tall_figures_print_in_one_column():
    figures = []
    for width in (1200, 700):
        start = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, 600)
        figures.append(
            f'<img alt="" src="data:image/png;base64,{base64.b64encode(start).decode()}">'
        )
    figures += ['<svg class="v" viewBox="0 0 9.5 9">', '<svg viewBox="0 0 20 9">']
    page = html.page("T", "".join(f"<figure>{one}</figure>" for one in figures))
    tags = re.findall(r"<figure([^>]*)>", page)
    assert ["tall" in one for one in tags] == [False, True, True, False]
    assert all('tabindex="0"' in one for one in tags)
