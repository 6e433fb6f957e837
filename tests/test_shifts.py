"""What to expect if all classes lose alike: against plain loops and SciPy, and by simulation where
the answer is known.
"""

from __future__ import annotations

from itertools import product

import diffused_redundancy as dr
import numpy as np
import pytest
from diffused_redundancy.measures.fairness import expected_gini, gini, worst
from diffused_redundancy.measures.hits import Hits
from diffused_redundancy.measures.shifts import (
    FAIR,
    INDICES,
    NULLS,
    _Images,
    compared,
    deviation_of_mean,
    holm,
    logit_shifted,
    margin_association,
    margin_chances,
    margin_shifted,
    posterior_logits,
    scatter_of,
)
from scipy.optimize import brentq
from scipy.special import expit, ndtr
from scipy.stats import binom, norm, spearmanr


def hits_of(right: np.ndarray, margins: np.ndarray, labels: np.ndarray, classes: int) -> Hits:
    """Of right guesses (seeds, m) at one size."""
    return Hits(np.packbits(right[:, None], axis=2), margins, labels, classes)


def by_margins(
    rng: np.random.Generator,
    *,
    classes: int = 10,
    images: int = 50,
    seeds: int = 10,
    scatter: float = 0.5,
    further: float = 0.0,
) -> Hits:
    """A common shift of margins that keeps 90% of the accuracy; class 0, one of average difficulty,
    loses ``further`` for real.
    """
    centres = rng.normal(2, 0.6, classes)
    centres[0] = 2
    labels = np.repeat(np.arange(classes), images)
    margins = centres[labels] + rng.standard_normal(len(labels))

    def left(shift: float) -> float:
        return ndtr((margins - shift) / scatter).mean() - 0.9 * (margins > 0).mean()

    shift = brentq(left, -20, 20) + further * (labels == 0)
    right = margins - shift + scatter * rng.standard_normal((seeds, len(labels))) > 0
    return hits_of(right, margins, labels, classes)


def by_logits(
    rng: np.random.Generator, *, classes: int = 33, images: int = 80, seeds: int = 8
) -> Hits:
    """A common shift of the logits of classes; the whole layer and subsets share easy images."""
    logits = rng.normal(3.5, 1.5, classes)
    labels = np.repeat(np.arange(classes), images)
    full = expit(logits)
    shift = brentq(lambda t: expit(logits - t).mean() - 0.9 * full.mean(), -1, 30)
    hard = rng.standard_normal(len(labels))

    def drawn(rates: np.ndarray) -> np.ndarray:
        mixed = np.sqrt(0.6) * hard + np.sqrt(0.4) * rng.standard_normal(len(labels))
        return rates[labels] - ndtr(mixed)

    margins = drawn(full)
    right = np.stack([drawn(expit(logits - shift)) > 0 for _ in range(seeds)])
    return hits_of(right, margins, labels, classes)


def test_posterior_logits_are_those_of_a_plain_integration():
    right, counts = np.array([38, 20]), np.array([40, 25])
    drawn = expit(posterior_logits(right, counts, 20_000, np.random.default_rng(0)))
    theta = np.linspace(-7, 13, 301)
    total, sums = 0.0, np.zeros(2)
    for centre in np.linspace(-3, 8, 45):
        for spread in np.linspace(0.05, 4, 60):
            each = []
            for x, n in zip(right, counts, strict=True):
                weight = binom.pmf(x, n, expit(theta)) * norm.pdf(theta, centre, spread)
                each.append((weight.sum(), (weight * expit(theta)).sum() / weight.sum()))
            weight = each[0][0] * each[1][0] / (1 + spread**2)
            total += weight
            sums += weight * np.array([mean for _, mean in each])
    assert drawn.mean(0) == pytest.approx(sums / total, abs=0.006)


def test_a_class_without_a_miss_is_not_certain():
    drawn = expit(
        posterior_logits(np.array([40, 40, 30]), np.full(3, 40), 4000, np.random.default_rng(0))
    )
    assert 0.95 < drawn[:, 0].mean() < 1 and np.quantile(drawn[:, 0], 0.05) < 0.97
    assert drawn[:, 2].mean() == pytest.approx(0.76, abs=0.03)


def test_the_posterior_of_many_images_is_as_narrow_as_the_grid_is_fine():
    """Their own deviation is 0.02; draws are spread evenly over a step of 0.2. A class of few
    images beside them keeps its own.
    """
    right, counts = np.array([5000, 3]), np.array([10_000, 4])
    drawn = posterior_logits(right, counts, 4000, np.random.default_rng(0))
    assert np.abs(drawn[:, 0]).max() <= 0.1 + 1e-12
    assert drawn[:, 0].std() == pytest.approx(0.2 / np.sqrt(12), rel=0.05)
    assert 0.5 < expit(drawn[:, 1]).mean() < 0.75 and drawn[:, 1].std() > 0.3


def test_the_posterior_without_images_is_the_prior():
    """Two classes differ by the root of 2 times a spread that is half-Cauchy from 0.05 to 4."""
    none = np.zeros(2, dtype=int)
    drawn = posterior_logits(none, none, 20_000, np.random.default_rng(0))
    spread = np.linspace(0.05, 4, 2000)
    mean = np.average(spread, weights=1 / (1 + spread**2))
    assert np.abs(np.diff(drawn)).mean() == pytest.approx(2 / np.sqrt(np.pi) * mean, rel=0.06)


@pytest.mark.parametrize("mean", [0.2, 0.7, 0.95])
def test_shifted_logits_are_those_of_a_plain_root(mean):
    rng = np.random.default_rng(1)
    logits, counts = rng.normal(2, 1.5, (4, 7)), rng.integers(1, 50, 7)
    found = logit_shifted(logits, counts, mean)
    assert found @ counts / counts.sum() == pytest.approx(mean, abs=1e-6)
    for row, ours in zip(logits, found, strict=True):
        t = brentq(lambda t, row=row: expit(row - t) @ counts / counts.sum() - mean, -40, 40)
        assert ours == pytest.approx(expit(row - t), abs=1e-6)


def test_shifted_margins_are_those_of_a_plain_root():
    rng = np.random.default_rng(2)
    margins, weights = rng.normal(1, 1, 60), rng.integers(0, 3, (2, 60)).astype(float)
    found = margin_shifted(margins, np.array([0.6, 0.8]), 0.3, weights)
    for row, mean, ours in zip(weights, (0.6, 0.8), found, strict=True):

        def left(s, row=row, mean=mean):
            return (norm.cdf(margins - s, scale=0.3) * row).sum() / row.sum() - mean

        assert ours == pytest.approx(norm.cdf(margins - brentq(left, -9, 9), scale=0.3), abs=1e-6)


def test_without_scatter_the_images_with_the_largest_margins_are_right():
    margins = np.random.default_rng(3).normal(0, 1, 50)
    (found,) = margin_shifted(margins, np.array([0.6]), 1e-7, np.ones((1, 50)))
    assert np.array_equal(found > 0.5, margins > np.sort(margins)[19])


def test_scatter_is_found_from_how_often_subsets_disagree():
    found = [
        scatter_of(one.margins, one.at(1))
        for seed in range(20)
        for one in [by_margins(np.random.default_rng(seed), scatter=0.7)]
    ]
    assert np.mean(found) == pytest.approx(0.7, rel=0.05)
    two = [by_margins(np.random.default_rng(seed), seeds=2, scatter=0.7) for seed in range(20)]
    found = [scatter_of(one.margins, one.at(1)) for one in two]
    assert np.mean(found) == pytest.approx(0.7, rel=0.1)
    one = by_margins(np.random.default_rng(0))
    assert scatter_of(one.margins, one.at(1)[:1]) == pytest.approx(one.margins.std() / 1000)
    same = np.repeat(one.at(1)[:1], 3, 0)  # subsets that agree
    assert scatter_of(one.margins, same) == pytest.approx(one.margins.std() / 1000, rel=0.01)


def test_what_is_compared_is_what_plain_simulations_give():
    hits = by_margins(np.random.default_rng(4), classes=8, images=30)
    found = compared(hits, 1, draws=4000, resamples=0)
    assert set(found) == {(null, index) for null in NULLS for index in INDICES}
    by_class = np.array([[row[hits.labels == c].mean() for c in range(8)] for row in hits.at(1)])
    for null in NULLS:
        assert found[null, "Gini"].observed == pytest.approx(gini(by_class).mean())
        assert found[null, "worst class"].observed == pytest.approx(worst(by_class).mean())
        assert np.isnan([found[null, "Gini"].low, found[null, "Gini"].p]).all()
    share = by_class.mean() / hits.full.mean()
    plain = expected_gini(hits.full_by_class * share, hits.counts, draws=4000)
    assert found["proportional", "Gini"].expected == pytest.approx(plain, rel=0.02)
    chances, rng = margin_chances(hits, 1), np.random.default_rng(5)
    assert chances.mean() == pytest.approx(hits.at(1).mean(), abs=1e-5)
    drawn = rng.random((2000, len(chances))) < chances
    rates = np.stack([drawn[:, hits.labels == c].mean(1) for c in range(8)], 1)
    for index, measure in INDICES.items():
        assert found["margin shift", index].expected == pytest.approx(
            measure(rates).mean(), rel=0.02
        )
    rates = expit(posterior_logits(hits.full_by_class * 30, hits.counts, 4000, rng))
    logits = np.log(rates / (1 - rates))
    drawn = rng.binomial(30, logit_shifted(logits, hits.counts, by_class.mean())) / 30
    assert found["logit shift", "Gini"].expected == pytest.approx(gini(drawn).mean(), rel=0.03)


def test_hard_classes_lose_more_under_a_shift_than_by_a_share():
    found = compared(by_margins(np.random.default_rng(6), images=200), 1)
    for null in FAIR:
        assert found[null, "Gini"].expected > 1.3 * found["proportional", "Gini"].expected
    assert found["proportional", "Gini"].p < 1e-3 < found["margin shift", "Gini"].p
    for (_, index), one in found.items():  # unfavourable: uneven, or a lower worst class
        assert (one.p < 0.5) == (one.excess > 0 if index == "Gini" else one.excess < 0)
    assert found["proportional", "worst class"].p < 0.1


def test_classes_without_images_are_left_out():
    hits = by_margins(np.random.default_rng(7))
    more = Hits(hits.bits, hits.margins, hits.labels + 1, 13)
    ours, theirs = compared(hits, 1, resamples=20), compared(more, 1, resamples=20)
    assert ours == theirs


def test_a_single_subset_has_no_interval():
    hits = by_margins(np.random.default_rng(8), seeds=1)
    one = compared(hits, 1)["margin shift", "Gini"]
    assert np.isnan([one.low, one.high, one.p]).all() and one.excess == one.observed - one.expected


def all_or_none(shares: list[float], classes: int, images: int) -> Hits:
    """Subsets that guess all images of a share of the classes, and none of the others: so images do
    not vary.
    """
    right = [np.random.default_rng(i).random(classes) < share for i, share in enumerate(shares)]
    labels = np.repeat(np.arange(classes), images)
    return hits_of(np.stack(right)[:, labels], 1.0 + labels, labels, classes)


def test_where_images_do_not_vary_the_interval_is_that_of_a_mean_over_subsets():
    hits = all_or_none([0.5, 0.7, 0.9], 30, 5)
    one = compared(hits, 1, resamples=300)["proportional", "Gini"]
    alone = [
        compared(hits_of(row[None], hits.margins, hits.labels, 30), 1)["proportional", "Gini"]
        for row in hits.at(1)
    ]
    deviation = np.std([each.excess for each in alone], ddof=1) / np.sqrt(3)
    assert one.high - one.excess == pytest.approx(1.96 * deviation, rel=0.12)
    assert one.excess - one.low == pytest.approx(one.high - one.excess)


@pytest.mark.slow
def test_where_subsets_are_alike_the_interval_is_that_of_other_images():
    excesses, found = [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        labels = np.repeat(np.arange(6), [30, 40, 50, 60, 70, 80])
        margins = np.linspace(0.3, 1.8, 6)[labels] + rng.standard_normal(330)
        right = margins + 0.5 * rng.standard_normal(330) > 0.8
        hits = hits_of(np.stack([right, right]), margins, labels, 6)
        some = compared(hits, 1, resamples=60 if seed < 8 else 0, draws=64)
        ones = [some[null, "Gini"] for null in NULLS]
        excesses.append([one.excess for one in ones])
        if seed < 8:
            found.append([(one.high - one.low) / 3.92 for one in ones])
    assert np.mean(found, 0) == pytest.approx(np.std(excesses, axis=0), rel=0.25)


def test_the_interval_of_one_class_is_that_of_a_two_way_layout():
    """One class is far worse, the other always right: the excess is nearly the mean of a table of
    subsets by images, whose variance mean squares tell.
    """
    rng = np.random.default_rng(0)
    full = rng.random(60) < 0.6
    ease = 2 * full - 1.5 + 0.25 * rng.standard_normal((6, 1)) + 0.6 * rng.standard_normal((6, 60))
    right = np.concatenate([ease > 0, np.ones((6, 600), dtype=bool)], 1)
    margins = np.concatenate([np.where(full, 1.0, -1.0), np.ones(600)])
    hits = hits_of(right, margins, np.repeat([0, 1], [60, 600]), 2)
    one = compared(hits, 1, resamples=400)["proportional", "worst class"]
    share = right.sum() / 6 / (600 + full.sum())
    table = (right[:, :60] - share * full) * (1 - full.sum() / (600 + full.sum()))
    deviation = deviation_of_mean([table])
    alone = [table.mean(axis).std(ddof=1) / np.sqrt(n) for axis, n in ((0, 60), (1, 6))]
    assert max(alone) < 0.88 * deviation  # images and subsets both count
    assert one.high - one.excess == pytest.approx(1.96 * deviation, rel=0.08)


def test_rates_to_be_expected_and_their_noise():
    """Against loops over classes and images."""
    hits = by_margins(np.random.default_rng(12), classes=3, images=40, seeds=4)
    images, rng = _Images.of(hits, 1), np.random.default_rng(0)
    weights = rng.integers(0, 3, (2, 120)).astype(float)
    subsets = np.array([[1.0, 2, 0, 1], [1, 1, 1, 1]])
    logits = rng.normal(1, 1, (1, 5, 3))
    found = images.rates(weights, subsets, logits)
    assert list(found) == list(NULLS)
    for row, (weight, subset) in enumerate(zip(weights, subsets, strict=True)):
        mean = (weight * (subset @ images.right / subset.sum())).sum() / 120
        full = [(weight * images.full)[c * 40 : c * 40 + 40].sum() / 40 for c in range(3)]
        share = min(1, mean / np.mean(full))
        shifted = logit_shifted(logits[0], np.full(3, 40), mean)
        chance = margin_shifted(images.margins, np.array([mean]), images.scatter, weight[None])[0]
        for c in range(3):
            own = slice(40 * c, 40 * c + 40)
            kept = share * full[c]
            by_margin = (weight * chance)[own].sum() / 40
            noise = sum(w**2 * p * (1 - p) for w, p in zip(weight[own], chance[own], strict=True))
            for null, rate, variance in (
                ("proportional", [kept], [kept * (1 - kept) / 40]),
                ("logit shift", shifted[:, c], [p * (1 - p) / 40 for p in shifted[:, c]]),
                ("margin shift", [by_margin], [noise / 40**2]),
            ):
                assert found[null][0][row, :, c] == pytest.approx(rate)
                assert found[null][1][row, :, c] == pytest.approx(variance)


def test_few_subsets_resamples_and_draws():
    hits = by_margins(np.random.default_rng(8), seeds=2)
    for resamples, known in ((1, False), (2, True)):
        one = compared(hits, 1, resamples=resamples, draws=1)["margin shift", "Gini"]
        assert np.isfinite([one.observed, one.expected]).all() and np.isfinite(one.low) == known
    margins = np.repeat([1.0, -1.0], [30, 10])
    better = hits_of(np.ones((2, 40), dtype=bool), margins, np.arange(40) % 4, 4)
    one = compared(better, 1, resamples=5)["proportional", "worst class"]
    assert one.observed == 1 and one.expected <= 1 and np.isfinite(one.low)
    alike = hits_of(np.ones((1, 9), dtype=bool), np.ones(9), np.arange(9) % 2, 2)  # two classes
    assert compared(alike, 1)["proportional", "Gini"].excess == 0
    twice = hits_of(np.ones((2, 9), dtype=bool), np.ones(9), np.arange(9) % 2, 2)
    assert np.isnan(compared(twice, 1, resamples=5)["proportional", "Gini"].p)  # nothing varies


def test_what_cannot_be_compared():
    hits = by_margins(np.random.default_rng(9))
    with pytest.raises(dr.InputError, match=r"k is 2: it must be 1 to 1"):
        compared(hits, 2)
    with pytest.raises(dr.InputError, match="fewer than two classes"):
        compared(Hits(hits.bits, hits.margins, np.zeros_like(hits.labels), 3), 1)
    with pytest.raises(dr.InputError, match="do not fit"):
        Hits(hits.bits, hits.margins[1:], hits.labels, 10)
    with pytest.raises(dr.InputError, match="labels must be from 0 to 4"):
        Hits(hits.bits, hits.margins, hits.labels, 5)


def rejections(draw, null: str, times: int, **how) -> tuple[float, float, float]:
    """How often the Gini index is found above a null at 5%, and mean and deviation of the excess in
    standard deviations that were estimated.
    """
    p, scaled = [], []
    for seed in range(times):
        one = compared(draw(np.random.default_rng(seed), **how), 1, resamples=80, draws=128)
        found = one[null, "Gini"]
        p.append(found.p)
        scaled.append(found.excess / ((found.high - found.low) / 3.92))
    return float(np.mean(np.array(p) < 0.05)), float(np.mean(scaled)), float(np.std(scaled))


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw, null",
    [(by_margins, "margin shift"), (by_logits, "logit shift")],
)
def test_a_true_null_is_rejected_as_often_as_it_should_be(draw, null):
    rate, mean, deviation = rejections(draw, null, 100)
    assert rate <= 0.1  # 5% in truth: above 10% once in a hundred times
    assert abs(mean) < 0.4 and 0.6 < deviation < 1.3


@pytest.mark.slow
def test_a_class_that_loses_for_real_is_found():
    rate, _, _ = rejections(by_margins, "margin shift", 30, further=2.0)
    assert rate > 0.8


def test_deviation_of_a_mean_over_subsets_and_images():
    """Effects of images, of subsets, and noise of each on each: the variance is that of many
    draws.
    """
    rng, means, found = np.random.default_rng(10), [], []
    for _ in range(1500):
        subsets = 0.3 * rng.standard_normal((5, 1))
        groups = [
            0.5 * rng.standard_normal((1, n)) + subsets + rng.standard_normal((5, n))
            for n in (6, 9)
        ]
        means.append(np.mean([one.mean() for one in groups]))
        found.append(deviation_of_mean(groups) ** 2)
    assert np.mean(found) == pytest.approx(np.var(means), rel=0.1)
    for shape in ((2, 2), (5, 6)):  # mean squares of the textbook
        one = 3 + sum(rng.standard_normal(side) for side in ((shape[0], 1), (1, shape[1])))
        one = one + 0.5 * rng.standard_normal(shape)
        squares = [one.mean(axis).var(ddof=1) * shape[axis] for axis in (0, 1)]
        total = ((one - one.mean()) ** 2).sum()
        rest = total - squares[0] * (shape[1] - 1) - squares[1] * (shape[0] - 1)
        noise = rest / (shape[0] - 1) / (shape[1] - 1)
        assert noise < min(squares)
        assert deviation_of_mean([one]) == pytest.approx(np.sqrt((sum(squares) - noise) / one.size))
    assert np.isnan(deviation_of_mean([np.zeros((1, 4))]))
    assert np.isnan(deviation_of_mean([np.zeros((4, 1))]))


def test_association_of_losses_with_margins():
    hits = by_margins(np.random.default_rng(11), classes=12, images=41)
    kept = np.flatnonzero(np.arange(12 * 41) % 41 < 41 - 2 * hits.labels)  # fewer of later classes
    np.random.default_rng(0).shuffle(kept)
    hits = hits_of(hits.at(1)[:, kept], hits.margins[kept], hits.labels[kept], 12)
    one, across = margin_association(hits, 1, resamples=100)
    assert margin_association(hits, 1, resamples=100)[0] == one

    def of(images):
        margins, lost = np.empty(12), np.empty(12)
        for c in range(12):
            own = images & (hits.labels == c)
            margins[c] = hits.margins[own].mean()
            lost[c] = hits.full[own].mean() - hits.at(1)[:, own].mean()
        return margins, lost.round(12)

    assert one.value == pytest.approx(spearmanr(*of(np.ones_like(hits.full))).statistic)
    assert one.low < one.value < one.high < 0 and one.low > -1
    (ours, lost), (theirs, gone) = (of(half) for half in hits.halves)
    plain = (spearmanr(ours, gone).statistic + spearmanr(theirs, lost).statistic) / 2
    assert across == pytest.approx(plain)


def test_where_images_do_not_vary_the_interval_of_an_association_is_of_subsets():
    """Of three subsets two are drawn: all nine ways."""
    hits = all_or_none([0.5, 0.6, 0.7], 60, 2)
    margins = np.where(hits.labels % 3, 1.0, -1.0) * hits.margins  # of a third, none are right
    hits = hits_of(hits.at(1), margins, hits.labels, 60)
    lost = hits.full_by_class - hits.by_class[:, 0]
    ways = [
        np.arctanh(spearmanr(margins[::2], lost[list(pair)].mean(0)).statistic)
        for pair in product(range(3), repeat=2)
    ]
    one, _ = margin_association(hits, 1, resamples=300)
    reach = (np.arctanh(one.high) - np.arctanh(one.low)) / 2
    assert reach == pytest.approx(1.96 * np.std(ways), rel=0.1)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_perfect_association_has_an_interval(sign):
    labels = np.repeat([0, 1, 2], 12)
    right = np.where(labels == 1, np.arange(36) % 4 < 2, labels == 0)
    hits = hits_of(np.stack([right, right]), 4.0 + sign * labels, labels, 3)
    one, across = margin_association(hits, 1, resamples=20)
    assert one.value == pytest.approx(sign) and across == pytest.approx(sign)
    assert [one.low, one.high] == pytest.approx([sign, sign], abs=1e-6)


def test_association_of_a_single_subset_or_image():
    hits = by_margins(np.random.default_rng(14), seeds=1)
    one, across = margin_association(hits, 1)
    assert np.isfinite([one.value, across]).all() and np.isnan([one.low, one.high]).all()
    kept = np.arange(500) >= 49  # a single image of class 0
    few = hits_of(hits.at(1)[:, kept], hits.margins[kept], hits.labels[kept], 10)
    assert np.isnan(margin_association(few, 1)[1])


def test_holm_is_the_plain_procedure():
    p = np.random.default_rng(12).random(9) ** 3
    for level in (0.01, 0.05, 0.2):
        rejected = np.zeros(9, dtype=bool)
        for step, place in enumerate(np.argsort(p)):
            if p[place] > level / (9 - step):
                break
            rejected[place] = True
        assert np.array_equal(holm(p) <= level, rejected)
    assert holm(np.array([0.7, 0.6])).tolist() == [1, 1]
    assert np.isnan(holm(np.array([np.nan, 0.02]))[0])
    assert holm(np.array([np.nan, 0.02]))[1] == 0.02


def test_halves_of_the_images_make_up_the_whole():
    hits = by_margins(np.random.default_rng(13), images=7)
    one, other = hits.halves
    assert np.array_equal(one, ~other)
    assert (np.bincount(hits.labels[one]) == 4).all()
    assert np.bincount(hits.labels[other]).tolist() == [3] * 10
    plain = [[hits.at(1)[s, hits.labels == c].mean() for c in range(10)] for s in range(10)]
    assert hits.by_class[:, 0] == pytest.approx(np.array(plain))
