"""Pages: contents, tables and formulas."""

from __future__ import annotations

from diffused_redundancy.report import html


def test_pages():
    body = html.markdown(
        "# One\n\n## Two $x^2$\n\n$$\\frac{a}{b}$$\n\n|a|b|\n|---|---:|\n|1|2|\n\n## Two $x^2$\n"
    )
    page = html.page("T", body, home="../index.html")
    assert page.count("<math") == 3 and '<div class="table"><table>' in page
    assert 'id="one"' in page and page.count('href="#two') == 2 and 'id="two-x2-2"' in page
    assert html.mathml("\\nonsense{", block=False) == "<code>$\\nonsense{$</code>"
    assert "run_<code>$A_$</code>B" in html.markdown("run_$A_$B")


def test_intervals_in_tables_stay_whole():
    page = html.markdown(
        "|a|\n|---|\n|+0.5 (+0.4 to +0.6), less than before (from here to there)|\n"
    )
    assert '+0.5 <span class="interval">(+0.4 to +0.6)</span>, less' in page
    assert page.count('class="interval"') == 1
