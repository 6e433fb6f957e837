"""CKA of parts, corrected and of disjoint ones: against plain sums over pairs of neurons, over all
subsets there are, and the influence of images by finite differences.
"""

from __future__ import annotations

from itertools import combinations

import diffused_redundancy as dr
import numpy as np
import plain
import pytest
from conftest import make_layer
from diffused_redundancy.measures.cka_images import ORDERINGS
from diffused_redundancy.measures.image_groups import image_groups
from diffused_redundancy.measures.neuron_sampling import (
    closed_form_disjoint,
    corrected_cka_curve,
    disjoint_cka_curve,
)

D = 7


def small(n: int = 200, d: int = D) -> np.ndarray:
    return make_layer(n=n, d=d)[0] * np.geomspace(1, 3, d)


def statistics_of(X: np.ndarray) -> dr.SufficientStatistics:
    return dr.SufficientStatistics.from_features(X, device="cpu")


def squares(X: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """The entries of the Gram matrix, squared."""
    weight = np.ones(len(X)) if weight is None else weight
    centred = X - weight @ X / weight.sum()
    return ((centred * weight[:, None]).T @ centred) ** 2


def norm(P: np.ndarray, part: tuple[int, ...], *, corrected: bool) -> float:
    """The squared norm of a part's kernel; corrected, with weights for sampling from all of P."""
    d, k = len(P), len(part)
    inside = P[np.ix_(part, part)]
    if not corrected:
        return float(inside.sum())
    alone = np.trace(inside)
    return float(d / k * alone + d * (d - 1) / (k * (k - 1)) * (inside.sum() - alone))


def pairs(P: np.ndarray, part: tuple[int, ...]) -> float:
    """Pairs of two neurons of a part, as many as if each met itself (Chun and others)."""
    inside, k = P[np.ix_(part, part)], len(part)
    return float((inside.sum() - np.trace(inside)) * k / (k - 1))


def test_corrected_terms_have_the_mean_of_the_whole():
    """Over all subsets of a size, numerator and squared norm are right in the mean."""
    P = squares(small())
    for k in range(2, D + 1):
        parts = list(combinations(range(D), k))
        own = np.mean([norm(P, part, corrected=True) for part in parts])
        cross = np.mean([P[list(part)].sum() * D / k for part in parts])
        assert [own, cross] == pytest.approx([P.sum(), P.sum()])


def test_the_closed_form_is_the_noise_of_the_kernel():
    """1 / CKA^2 - 1 by the closed form is the mean squared error of the kernel of a part."""
    X = small()
    centred = plain.centred(X)
    K = centred @ centred.T
    form = dr.closed_form(dr.diagonal_share(statistics_of(X)), D)
    for k in range(1, D + 1):
        errors = []
        for part in combinations(range(D), k):
            some = centred[:, list(part)]
            errors.append(np.linalg.norm(D / k * some @ some.T - K) ** 2)
        assert np.mean(errors) / np.linalg.norm(K) ** 2 == pytest.approx(1 / form[k - 1] ** 2 - 1)


def test_corrected_cka_against_plain_sums():
    X = small()
    s, P = statistics_of(X), squares(X)
    some = dr.orderings("random", s, [1, 2, 3])
    curve = corrected_cka_curve(s, some)
    assert curve.measure == "corrected_cka" and curve.sizes.tolist() == list(range(2, D + 1))
    for one, values in zip(some, curve.values, strict=True):
        for k, value in zip(curve.sizes, values, strict=True):
            part = tuple(one.order[:k].tolist())
            own = norm(P, part, corrected=True)
            expected = P[list(part)].sum() * D / k / np.sqrt(own * P.sum())
            assert value == pytest.approx(expected, rel=1e-12)
    assert curve.values[:, -1] == pytest.approx(1)
    assert (curve.selection, curve.seeds, curve.d, curve.full) == ("random", (1, 2, 3), D, 1)
    two = statistics_of(X[:, :2])
    assert corrected_cka_curve(two, dr.ordering("random", two, 1)).sizes.tolist() == [2]


def test_corrected_cka_of_alike_neurons_is_one_where_plain_cka_is_not():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 5)) @ rng.standard_normal((5, 400))
    s = statistics_of(X)
    s = s.standardized()
    some = dr.orderings("random", s, range(30))
    tenth = corrected_cka_curve(s, some).at(40)
    assert abs(tenth.mean() - 1) < 4 * tenth.std() / np.sqrt(30) + 1e-3
    assert dr.cka_curve(s, some).at(40).mean() < 0.97


@pytest.mark.parametrize("d", [6, 9])
def test_disjoint_parts_against_feature_space(d):
    X = small(d=d)
    s, P = statistics_of(X), squares(X)
    some = dr.orderings("random", s, [1, 2])
    curve, corrected = (disjoint_cka_curve(s, some, corrected=c) for c in (False, True))
    sizes = list(range(1, d // 2 + 1))
    assert curve.sizes.tolist() == sizes and corrected.sizes.tolist() == sizes[1:]
    assert (curve.measure, corrected.measure) == ("disjoint_cka", "corrected_disjoint_cka")
    for i, one in enumerate(some):
        order = one.order.tolist()
        for k in sizes:
            first, last = tuple(order[:k]), tuple(order[-k:])
            cross = P[np.ix_(first, last)].sum()
            assert curve.values[i, k - 1] == pytest.approx(plain.cka(X[:, first], X[:, last]))
            if k > 1:
                expected = cross / np.sqrt(pairs(P, first) * pairs(P, last))
                assert corrected.values[i, k - 2] == pytest.approx(expected, rel=1e-12)


def test_leaving_out_self_pairs_is_the_published_estimator():
    """HSIC of a part with itself over pairs of different columns, times k / (k - 1), as Chun and
    others sum it.
    """
    X = plain.centred(small())
    part = (0, 3, 4)
    A = X[:, part]
    products = np.einsum("ia,ja,ib,jb->ab", A, A, A, A)
    expected = 3 / 2 * (products.sum() - np.trace(products))
    assert pairs(squares(X), part) == pytest.approx(expected)


def test_closed_form_of_disjoint_parts():
    X = small(d=6)
    s, P = statistics_of(X), squares(X)
    r = dr.diagonal_share(s)
    form, whole = closed_form_disjoint(r, 6), dr.closed_form(r, 6)
    assert form == pytest.approx(whole[:3] ** 2 * (1 - r) * 6 / 5)
    for k in (1, 2, 3):
        cross, own = [], []
        for part in combinations(range(6), k):
            own.append(norm(P, part, corrected=False))
            rest = [i for i in range(6) if i not in part]
            cross += [P[np.ix_(part, other)].sum() for other in combinations(rest, k)]
        assert form[k - 1] == pytest.approx(np.mean(cross) / np.mean(own))
    assert closed_form_disjoint(1.0, 8) == pytest.approx(0)
    assert len(closed_form_disjoint(0.5, 7)) == 3


def test_constant_neurons_share_nothing():
    X = small(d=6)
    X[:, [1, 4]] = 3.0
    s = statistics_of(X)
    assert disjoint_cka_curve(s, dr.orderings("random", s, range(9))).values.min() == 0
    assert np.isfinite(corrected_cka_curve(s, dr.orderings("random", s, range(9))).values).all()


CURVES = {
    "corrected": corrected_cka_curve,
    "disjoint": disjoint_cka_curve,
    "corrected disjoint": lambda *given: disjoint_cka_curve(*given, corrected=True),
}


@pytest.mark.parametrize("name", CURVES)
def test_influence_of_images_is_the_derivative(name):
    X = small(250)
    s = statistics_of(X)
    some = dr.orderings("random", s, range(3))
    found = CURVES[name](s, some, X)
    assert found.by_images.mean(0) == pytest.approx(found.mean, abs=1e-6)
    groups, step = image_groups(250), 1e-5

    def plain_mean(weight: np.ndarray) -> np.ndarray:
        P, rows = squares(X, weight), []
        for one in some:
            order, row = one.order.tolist(), []
            for k in found.sizes:
                first, last = tuple(order[:k]), tuple(order[-k:])
                if name == "corrected":
                    own = norm(P, first, corrected=True)
                    row.append(P[list(first)].sum() * D / k / np.sqrt(own * P.sum()))
                    continue
                both = [
                    pairs(P, part) if "corrected" in name else norm(P, part, corrected=False)
                    for part in (first, last)
                ]
                row.append(P[np.ix_(first, last)].sum() / np.sqrt(both[0] * both[1]))
            rows.append(row)
        return np.mean(rows, 0)

    middle = plain_mean(np.ones(250))
    for group in (0, 41, 99):
        raised = np.where(groups == group, 1 + step, 1.0)
        derivative = (plain_mean(raised) - middle) / step * 100  # a group is a hundredth
        assert found.by_images[group] - found.mean == pytest.approx(derivative, rel=0.02, abs=2e-3)


def test_what_cannot_be_parts_is_refused():
    s = statistics_of(small())
    for some in (dr.ordering("pca", s), dr.ordering("random", s, 1).first(3)):
        with pytest.raises(dr.InputError, match="orders of all neurons"):
            corrected_cka_curve(s, some)
        with pytest.raises(dr.InputError, match="orders of all neurons"):
            disjoint_cka_curve(s, some)
    few = statistics_of(small(d=3))
    assert disjoint_cka_curve(few, dr.ordering("random", few, 1)).sizes.tolist() == [1]
    with pytest.raises(dr.InputError, match="3 neurons make no two parts of 2: at least 4"):
        disjoint_cka_curve(few, dr.ordering("random", few, 1), corrected=True)


def test_only_some_orders_are_asked_for_images():
    assert ORDERINGS == 20
    X = small()
    s = statistics_of(X)
    curve = corrected_cka_curve(s, dr.orderings("random", s, range(40)), X)
    assert curve.values.shape == (40, D - 1) and curve.by_images.shape == (100, D - 1)
    assert curve.kept(3)[1] < curve.kept(3)[0] < curve.kept(3)[2]
