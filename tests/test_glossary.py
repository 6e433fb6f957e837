"""The glossary: its terms are those of the notebooks and the course, and what it computes is so."""

from __future__ import annotations

import re
from itertools import combinations

import diffused_redundancy as dr
import numpy as np
import pytest
from conftest import ROOT
from diffused_redundancy.course.glossary import glossary_page
from diffused_redundancy.measures.spectrum import spectrum
from diffused_redundancy.uncertainty.comparison import holm, permutation_p, smallest_permutation_p
from scipy.stats import entropy

PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ENTRIES = re.findall(r"^- (\*\*.*?)(?=^- |^#|\Z)", PAGE, re.M | re.S)
TERMS = [term for entry in ENTRIES for term in re.findall(r"\*\*((?:\\.|[^*])+)\*\*", entry)]
SOURCES = [*(ROOT / "notebooks").glob("*.py"), *(ROOT / "course").rglob("*.py")]
SEEN = " ".join(re.sub(r"\n# ?|\s+", " ", path.read_text(encoding="utf-8")) for path in SOURCES)
ELSEWHERE = {
    "Accuracy by class": r"accurac\w+ (of|by) (each )?class|per class|by_class",
    "Centring": r"\bcentr(e|ed|ing)\b",
    "Chance": r"\bchance\b|guess",
    "DR($\\delta$)": r"\bDR\(",
    "Diagonal share": r"diagonal",
    "Downstream task": r"downstream",
    "Effective rank": r"effective.rank",
    "Multiple comparisons": r"Holm|comparisons",
    "Pareto frontier": r"Pareto|frontier",
    "Participation ratio": r"participation",
    "Random projection": r"random projection|gaussian_projection",
    "Standardised neurons": r"standardi[sz]ed",
    "Train images": r"train images",
    "Upstream task": r"upstream",
    "k\\*": r"k\^\*|k\*",
}
"""Terms that are worded otherwise where they are used."""


@pytest.fixture(scope="module")
def layer():
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((300, 6)) @ rng.standard_normal((6, 40))
    return (mixed + rng.standard_normal((300, 40))) * rng.uniform(0.5, 3, 40)


@pytest.mark.parametrize("term", TERMS)
def test_each_term_is_used(term):
    assert re.search(ELSEWHERE.get(term, re.escape(term)), SEEN, re.I)


def test_the_terms_of_the_field_are_there():
    asked = """Representation, Layer, Neuron, Penultimate layer, Feature, Upstream task, Downstream
    task, Pre-training, Transfer, Linear probe, Ridge probe, Logistic probe, Penalty,
    Cross-validation, CKA, Gram matrix, Kernel, Centring, Participation ratio, Effective rank,
    Subset, Selection, Ordering, Interval, Bootstrap, Null, Permutation test, Power, Multiple
    comparisons, Matryoshka, DeCov, Dropout, Adversarial training, Worst class, Chance, Above
    chance, Logit, Width, Stage, Rank correlation, Standard error, Clear, Alike, Not
    resolvable, Ceilings, Pivoted QR, Ablation"""
    assert {re.sub(r"\s+", " ", term.strip()) for term in asked.split(",")} <= {*TERMS}
    assert len({*TERMS}) == len(TERMS) > 45


def test_every_entry_says_where_it_is_used():
    for entry in ENTRIES:
        assert re.search(r"\]\((\.\./notebooks/|\.\./data/|reference\.md)", entry), entry


def test_cka_is_the_cosine_of_two_gram_matrices(layer):
    X, Z = (one - one.mean(0) for one in (layer, layer[:, :7]))
    K, L = X @ X.T, Z @ Z.T
    cosine = (K * L).sum() / np.linalg.norm(K) / np.linalg.norm(L)
    norm = np.linalg.norm
    assert cosine == pytest.approx(norm(X.T @ Z) ** 2 / norm(X.T @ X) / norm(Z.T @ Z))
    statistics = dr.SufficientStatistics.from_features(layer, device="cpu")
    curve = dr.cka_curve(statistics, [dr.ordering("first", statistics)])
    assert curve.values[0, 6] == pytest.approx(cosine)


def test_dimensions_and_the_diagonal_share(layer):
    statistics = dr.SufficientStatistics.from_features(layer, device="cpu")
    Xc = layer - layer.mean(0)
    G = Xc.T @ Xc
    eigenvalues = np.linalg.eigvalsh(G)
    ratio = eigenvalues.sum() ** 2 / (eigenvalues**2).sum()
    rank = np.exp(entropy(eigenvalues))
    kept = spectrum(statistics)
    assert (kept.participation, kept.effective_rank) == pytest.approx((ratio, rank))
    assert rank > ratio
    r = (np.diag(G) ** 2).sum() / (G**2).sum()
    variation = np.diag(G).std() / np.diag(G).mean()
    assert r == pytest.approx(ratio / 40 * (1 + variation**2))
    assert dr.diagonal_share(statistics) == pytest.approx(r)
    k = np.arange(1, 41)
    formula = np.sqrt(k / 40) / np.sqrt(r + (1 - r) * (k - 1) / 39)
    assert np.allclose(np.ravel(dr.closed_form(r, 40)), formula)


def test_ten_equal_eigenvalues_are_ten_dimensions():
    assert "Ten\n  equal eigenvalues and zeros else give 10" in PAGE
    equal = np.repeat([3.0, 0.0], [10, 5])
    assert equal.sum() ** 2 / (equal**2).sum() == pytest.approx(10)


def test_a_redundancy_of_08_is_about_100_of_512():
    assert "DR(0.9) of 0.8 with $d = 512$ means that about 100 neurons" in PAGE
    assert round((1 - 0.8) * 512) == 102


def test_two_against_two_have_no_power():
    assert "of their 6 arrangements, 2\n  are as extreme as any can be" in PAGE
    values = np.array([1.0, 2.0, 3.0, 4.0])
    differences = [abs(values[[*some]].mean() * 2 - 5) for some in combinations(range(4), 2)]
    assert len(differences) == 6 and np.isclose(differences, max(differences)).sum() == 2
    assert smallest_permutation_p(2, 2) == permutation_p([1, 2], [3, 4]) == pytest.approx(1 / 3)


def test_holm_multiplies_the_smallest_by_their_number():
    assert holm([0.01, 0.3, 0.02]) == pytest.approx([0.03, 0.3, 0.04])


def test_gini_is_half_the_mean_difference_over_the_mean():
    values = np.array([1.0, 0.8, 0.6])
    difference = abs(values[:, None] - values).mean()
    assert dr.fairness.gini(values) == pytest.approx(difference / (2 * values.mean()))


def test_students_get_it_as_a_page_that_needs_nothing_else():
    shown = glossary_page(ROOT)
    for term in TERMS:
        assert f"<strong>{term.replace(chr(92), '')}" in shown or "$" in term, term
    assert "<math" in shown and "$" not in re.sub(
        r"<(style|script|annotation).*?</", "", shown, flags=re.S
    )
    targets = re.findall(r'(?:href|src)="([^"]*)"', shown)
    paper = "https://arxiv.org/"  # named at the foot of every page
    assert targets and all(target.startswith(("#", "data:", paper)) for target in targets)
    assert "linked behind" not in shown and ".ipynb" not in shown
