"""Checks of the exercises in 01_similarity: properties, and other ways to the same numbers."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from .asking import Wrong, agree, array, number, numbers
from .data import load
from .examples import Check, Function, Note, Random, cka_by_images, made_up, similarities, slowness


def centre(function: Function, rng: Random) -> None:
    """Each neuron less its mean over the images."""
    X = made_up(rng)
    centred = array(function, X.shape, X)
    if agree(centred + X.mean(1, keepdims=True), X):
        raise Wrong(
            "you centred the rows, which are images: subtract from each neuron (a column) its mean "
            "over the images."
        )
    if agree(centred + X.mean(), X):
        raise Wrong("you subtracted one mean of the whole matrix: each neuron has its own.")
    if not agree(centred.mean(0), 0):
        raise Wrong("the mean of a neuron over the images is not 0 afterwards.")
    if not agree(centred - centred[0], X - X[0]):
        raise Wrong("differences between images have changed: only subtract, do not scale neurons.")


def random_part(function: Function, rng: Random) -> None:
    """The first k neurons of a random order."""
    seed, d, k = int(rng.integers(1000)), 50, 12
    before = np.random.get_state()  # noqa: NPY002
    np.random.random()  # noqa: NPY002  # so that the same seed again is no excuse
    keys, place = np.random.get_state()[1:3]  # noqa: NPY002
    try:
        part = array(function, (k,), d, k, seed)
        after = np.random.get_state()  # noqa: NPY002
    finally:
        np.random.set_state(before)  # noqa: NPY002
    if part.dtype.kind not in "iu":
        raise Wrong(f"random_part returns {part.dtype}: numbers of neurons are whole numbers.")
    if place != after[2] or not np.array_equal(keys, after[1]):
        raise Wrong(
            "you use NumPy's global generator, which all code shares: make one of your own, "
            "rng = np.random.default_rng(seed)."
        )
    if len(np.unique(part)) < k:
        raise Wrong("you drew a neuron twice: draw without replacement.")
    if not np.array_equal(part, array(function, (k,), d, k, seed)):
        raise Wrong("two calls with the same seed draw different neurons: use the seed.")
    others = np.stack([array(function, (k,), d, k, seed + 1 + one) for one in range(300)])
    if min(part.min(), others.min()) < 0 or max(part.max(), others.max()) >= d:
        raise Wrong(f"of {d} neurons, the first is number 0 and the last is number {d - 1}.")
    if (others == part).all(1).sum() > 3:
        raise Wrong("every seed draws the same neurons: use the seed.")
    if (np.diff(part) > 0).all() and (np.diff(others, axis=1) > 0).all():
        raise Wrong("your neurons are sorted: leave them in their random order.")
    if not np.array_equal(part, array(function, (k + 8,), d, k + 8, seed)[:k]):
        raise Wrong(
            f"your {k} neurons are not the first {k} of the {k + 8} of the same seed: draw one "
            "order of all d neurons, and keep its first k."
        )
    often = np.bincount(others.ravel(), minlength=d)
    if abs(often - often.mean()).max() > 6 * often.mean() ** 0.5:
        raise Wrong(
            f"over 300 seeds, neuron {often.argmin()} is drawn {often.min()} times and neuron "
            f"{often.argmax()} {often.max()} times: each must be as likely."
        )


def cka(function: Function, rng: Random) -> None:
    """CKA of two layers."""
    X, Y = made_up(rng), made_up(rng, d=7)
    value = number(function, X, Y)
    scaled = number(function, X, 3 * Y)
    for times, told in (
        (3, "the norm above the line is squared"),
        (9, "the norms below the line are not squared"),
    ):
        if scaled and agree(value / scaled, times):
            raise Wrong(f"your CKA is divided by {times} when Y is multiplied by 3: {told}.")
    for layer, other in (("Y", (X, 3 * Y)), ("X", (3 * X, Y))):
        if not agree(number(function, *other), value):
            raise Wrong(f"your CKA changes when {layer} is scaled: did you divide by both norms?")
    for layer, other in (("Y", (X, Y - 5)), ("X", (X + 5, Y))):
        if not agree(number(function, *other), value):
            raise Wrong(
                f"your CKA changes when 5 is added to every feature of {layer}: centre each neuron "
                "(subtract its mean over the images) first."
            )
    expected = cka_by_images(X, Y)
    if agree(value, np.sqrt(expected)):
        raise Wrong("you return the square root of CKA: the numerator is a squared norm.")
    if agree(value, expected**2):
        raise Wrong("you return the square of CKA: the norms below the line are not squared.")
    K, L = similarities(X), similarities(Y)
    of_layers = (K * L).sum() / np.trace(K) / np.trace(L)
    if agree(value, of_layers) or agree(value, np.sqrt(of_layers)):
        raise Wrong("the norms below the line are of X^T X and of Y^T Y, not of X and of Y.")
    if agree(value, cka_by_images(X / X.std(0), Y / Y.std(0))):
        raise Wrong("you gave all neurons the same scale, which changes CKA: only centre them.")
    constants = rng.uniform(-3, 3, 12)
    if not agree(number(function, X + constants, Y), value):
        raise Wrong(
            "your CKA changes when each neuron of X gets a constant of its own: subtract from each "
            "neuron (a column) its mean over the images. Perhaps you centred the rows."
        )
    own = number(function, X, X)
    if not agree(own, 1):
        raise Wrong(f"the CKA of a layer with itself must be 1, and yours is {own:.4g}.")
    if not agree(number(function, X, Y[:, ::-1]), value):
        raise Wrong("your CKA changes with the order of Y's neurons: compare all with all.")
    if not agree(value, expected):
        raise Wrong(
            f"your CKA is {value:.4f} where another way to compute it (from similarities of "
            f"images) gives {expected:.4f}."
        )


def cka_curve(function: Function, rng: Random) -> None:
    """CKA of the first k neurons of an order with the layer, at every k."""
    X, order = made_up(rng), rng.permutation(12)
    values = array(function, (12,), X, order)
    expected = np.array([cka_by_images(X[:, order[:k]], X) for k in range(1, 13)])
    if agree(values, [cka_by_images(X[:, :k], X) for k in range(1, 13)]):
        raise Wrong("you take the neurons as they stand: take them in the given order.")
    if agree(values[1:], expected[:-1]):
        raise Wrong("your curve begins at k = 0: its first value is that of one neuron.")
    if not agree(array(function, (12,), X + 5, order), values):
        raise Wrong("your curve changes when 5 is added to every feature: centre each neuron.")
    scaled = array(function, (12,), 3 * X, order)
    if (values > 0).all() and (scaled > 0).all():
        for times, told in (
            (81, "both norms below the line are roots of sums (np.sqrt)"),
            (9, "the norm above the line is squared, and each norm below it is the root of a sum"),
        ):
            if np.allclose(values / scaled, times):
                raise Wrong(f"your curve is divided by {times} when X is multiplied by 3: {told}.")
    if not agree(array(function, (12,), 3 * X, order), values):
        raise Wrong("your curve changes when X is scaled: did you divide by both norms?")
    if agree(values**2, expected):
        raise Wrong("you return the square root of CKA: the numerator is a squared norm.")
    as_they_stand = [cka_by_images(X[:, :k], X) for k in range(1, 13)]
    if not agree(values, expected) and agree(
        array(function, (12,), X, np.arange(12)), as_they_stand
    ):
        raise Wrong(
            "your curve is right for the order 0, 1, 2, ... and wrong for others: put rows and "
            "columns of G into the order, G[np.ix_(order, order)]. (G[order][order] takes rows "
            "twice.)"
        )
    ordered = np.cov(X[:, order], rowvar=False)  # the Gram matrix, but for a factor
    squares, twice, sizes = ordered**2, ordered @ ordered, range(1, 13)
    with np.errstate(invalid="ignore"):
        mistakes = {
            "the corner where the new row and column meet is counted twice below the line.": [
                squares[:k].sum()
                / np.sqrt((squares[:k, :k].sum() + np.trace(squares[:k, :k])) * squares.sum())
                for k in sizes
            ],
            "you sum entries of G: square each of them first.": [
                ordered[:k].sum() / np.sqrt(ordered[:k, :k].sum() * ordered.sum()) for k in sizes
            ],
            "above the line stand whole rows of G, not only its leading square.": [
                np.sqrt(squares[:k, :k].sum() / squares.sum()) for k in sizes
            ],
            "you sum entries of G @ G: square those of G, one by one.": [
                twice[:k].sum() / np.sqrt(twice[:k, :k].sum() * twice.sum()) for k in sizes
            ],
        }
    for told, mistaken in mistakes.items():
        if agree(values, mistaken):
            raise Wrong(told)
    if agree(values[0], expected[0]) and not agree(values[1], expected[1]):
        raise Wrong(
            "k = 1 is right and k = 2 is not: with each new neuron, the square G[S, S] grows by a "
            "row and by a column."
        )
    if not agree(values, expected):
        wrong = int(np.abs(values - expected).argmax())
        raise Wrong(
            f"at k = {wrong + 1} of 12 you have {values[wrong]:.4f} where the slow way has "
            f"{expected[wrong]:.4f}."
        )
    some = rng.permutation(512)[:200]
    digits, order = load("digits").X_train[:, some], rng.permutation(200)
    values = array(function, (200,), digits, order)
    for k in (1, 20, 120, 200):
        slow = cka_by_images(digits[:, order[:k]], digits)
        if not agree(values[k - 1], slow):
            raise Wrong(f"on the digits you have {values[k - 1]:.4f} at k = {k}, not {slow:.4f}.")


def slow_cka_curve(function: Function) -> str:
    """A note on a curve that begins anew at every size."""
    digits, order = load("digits").X_train[:, :200], np.arange(200)
    return slowness(lambda: function(digits.copy(), order.copy()), lambda: (digits.T @ digits) ** 2)


def _crossing(
    rng: Random, needed: int, d: int = 20, bar: float = 0.9
) -> tuple[np.ndarray, np.ndarray]:
    """Curves of three subsets whose mean reaches a bar first with ``needed`` neurons, dips below it
    later and ends at 1; and the same mean as a single curve.
    """
    mean = np.full(d, bar + 0.05)
    mean[: needed - 1] = np.linspace(0.2, bar - 0.05, needed - 1)
    mean[[needed + 2, needed + 3]] = bar - 0.02
    mean[-1] = 1
    apart = np.linspace(1, 0, d) * rng.uniform(0.1, 0.2)
    return np.stack([mean + apart, mean - apart, mean]), mean[None]


def redundancy(function: Function, rng: Random) -> None:
    """DR of curves."""
    needed, d = int(rng.integers(6, 12)), 20
    curves, single = _crossing(rng, needed)
    expected = 1 - needed / d
    value, alone = number(function, curves, 1.0, 0.9), number(function, single, 1.0, 0.9)
    if agree(alone, number(function, _crossing(rng, needed - 4)[1], 1.0, 0.9)):
        raise Wrong(
            "curves that rise earlier give you the same DR: it does not depend on them. (Their "
            "mean over subsets has a value for each k.)"
        )
    if agree(alone, 1 - needed):
        raise Wrong("you divide by the number of subsets: d is the number of sizes, a column each.")
    if agree(alone, expected + 1 / d):
        raise Wrong(
            f"you return 1/d more than is right: the first place that reaches the bar is number "
            f"{needed - 1} from 0, and that is k = {needed}."
        )
    if agree(alone, needed / d) and needed * 2 != d:
        raise Wrong("you return the share that is needed: DR is the share that can be dropped.")
    if agree(alone, needed):
        raise Wrong("you return k*: DR is the share of the neurons that can be dropped, 1 - k*/d.")
    if agree(alone, 100 * expected):
        raise Wrong("you return percent: a share lies between 0 and 1.")
    if agree(alone, 1 - (needed + 1) / d) or agree(alone, 1 - (needed + 2) / d):
        raise Wrong(
            "do you count the values below the bar, or above it? A curve may dip later: k* is "
            "where it first gets there."
        )
    if agree(alone, 1 - (needed + 5) / d) or agree(alone, 1 - (needed + 4) / d):
        raise Wrong(
            "your k* is where the curve stays above the bar: it is where it first gets there."
        )
    if not agree(number(function, single / 2, 0.5, 0.9), alone):
        raise Wrong(
            "your DR changes when the curve and the full value are halved: the bar is delta times "
            "the full value."
        )
    if agree(value, np.mean([number(function, row[None], 1.0, 0.9) for row in curves])) and (
        not agree(value, expected)
    ):
        raise Wrong(
            "you took DR of each subset and averaged: take the mean of the curves first, then k*."
        )
    other, _ = _crossing(rng, needed, bar=0.6)
    if not agree(number(function, other, 1.0, 0.6), expected):
        raise Wrong("with another delta your DR is wrong: use delta, not 0.9.")
    below = np.array([[0.5, 0.87, 0.91, 0.95]])
    if not agree(number(function, below, 1.0, 0.9), 0.25):
        raise Wrong("the bar is delta times `full`, which need not be the last or largest value.")
    early = np.array([[0.1, 0.95, 0.5, 0.6, 0.7, 0.8, 0.92, 1.0]])
    if not agree(number(function, early, 1.0, 0.9), 0.75):
        raise Wrong(
            "a curve may reach the bar early and dip afterwards: look from the left for the first "
            "k. (np.searchsorted is for curves that only rise.)"
        )
    tie = np.array([[0.25, 0.5, 0.75, 1.0]])
    if not agree(number(function, tie, 1.0, 0.75), 0.25):
        raise Wrong("a value that is equal to the bar reaches it: use >=.")
    rounding = np.array([[0.3, 0.9 - 1e-16, 1.0], [0.3, 0.9 - 1e-16, 1.0], [0.3, 0.9 - 1e-16, 1.0]])
    if not agree(number(function, rounding, 1.0, 0.9), 1 / 3):
        raise Wrong(
            "a mean that misses the bar by rounding alone (1e-16) must count: let the bar be lower "
            "by 1e-12."
        )
    if not agree(value, expected) or not agree(alone, expected):
        raise Wrong(
            f"for curves whose mean first reaches the bar with {needed} of {d} neurons, your DR is "
            f"{value:.3f}, not {expected:.3f}."
        )


def redundancy_interval(function: Function, rng: Random) -> None:
    """The interval of DR over subsets."""
    d, count = 1000, 40
    shifts = rng.uniform(0, 100, count)
    # Mean curves are (k + mean shift) / d, so DR(0.5) is 0.5 + the mean shift / d.
    curves = np.minimum((np.arange(1, d + 1) + shifts[:, None]) / d, 1)
    low, high = numbers(function, 2, curves, 1.0, 0.5, 1000, 1)
    if low > high:
        raise Wrong("your lower end is above your upper end: return (low, high).")
    value, standard = 0.5 + shifts.mean() / d, shifts.std() / np.sqrt(count) / d
    if high - low < 0.2 * standard:
        raise Wrong("your resamples do not differ: draw rows with replacement.")
    if high < value and high - low < 2 * standard:
        raise Wrong(
            "both ends lie below DR: np.quantile takes shares (0.025), np.percentile takes "
            "percents (2.5)."
        )
    if not low <= value <= high and low <= 1 - value <= high:
        raise Wrong("these are ends for the share that is needed: DR is the share to be dropped.")
    same = np.repeat(curves[:1], count, 0)
    ends = numbers(function, 2, same, 1.0, 0.5, 200, 1)
    if ends[1] - ends[0] > 2 / d:
        raise Wrong(
            "where all subsets have the same curve, your interval is not a point: resample the "
            "subsets (rows), not the sizes (columns)."
        )
    exact = 1 - (int(np.argmax(curves[0] >= 0.5 - 1e-12)) + 1) / d
    if not agree(ends, exact):
        raise Wrong(
            f"where all subsets have the same curve, both ends are its DR, {exact:.3f}, and yours "
            f"are {ends[0]:.3f} and {ends[1]:.3f}: does k begin at 1?"
        )
    for place in (0, -1):
        odd = np.repeat(curves[:1], 3, 0)
        odd[place] = np.maximum(curves[0] - 0.3, 0)
        ends = numbers(function, 2, odd, 1.0, 0.5, 200, 1)
        if ends[1] - ends[0] < 2 / d:
            raise Wrong(
                f"your interval does not see the {'last' if place else 'first'} subset: draw from "
                "all rows (rng.integers(n) leaves out n itself)."
            )
    few = [numbers(function, 2, curves, 1.0, 0.5, 9, 3) for _ in range(5)]
    if any(ends != few[0] for ends in few):
        raise Wrong("two calls with the same seed give different ends: use the seed.")
    half = (high - low) / 2
    if half > 0.6 * shifts.std() / d:
        raise Wrong(
            "your interval is that of single subsets: draw as many rows as there are, with "
            "replacement, take the DR of their mean, and see how that spreads."
        )
    if len({tuple(numbers(function, 2, curves, 1.0, 0.5, 9, one)) for one in range(5)}) == 1:
        raise Wrong(
            "your interval is the same for every seed, so that nothing is drawn: a formula trusts "
            "the normal distribution, and the bootstrap need not. Draw rows, by a generator of "
            "`seed`."
        )
    ratio = half / standard
    if abs(ratio - 1.645) < 0.12:
        raise Wrong("that looks like a 90% interval: leave out 2.5% at each end, not 5%.")
    if not 1.75 < ratio < 2.2:
        raise Wrong(
            f"your interval reaches {ratio:.2f} standard errors to each side, and 95% intervals "
            "about 1.96."
        )
    if abs((low + high) / 2 - value) > standard:
        raise Wrong(f"DR is {value:.3f}, and your interval is {low:.3f} to {high:.3f}.")


def spectrum(function: Function, rng: Random) -> None:
    """r, the participation ratio, and the squared variation of the neurons' variances."""
    X = made_up(rng)
    r, pr, cv2 = numbers(function, 3, X)
    K, variances = similarities(X), X.var(0)
    dimensions = np.trace(K) ** 2 / (K * K).sum()
    scatter = (variances.std() / variances.mean()) ** 2
    if not agree(numbers(function, 3, X + 5), [r, pr, cv2]):
        raise Wrong("your numbers change when 5 is added to every feature: centre each neuron.")
    if not agree(numbers(function, 3, 3 * X), [r, pr, cv2]):
        raise Wrong("your numbers change when X is scaled: all three are ratios.")
    if agree(pr, dimensions / X.shape[1]):
        raise Wrong("your second number is PR / d: return PR itself, which counts dimensions.")
    if agree(pr, 1 / dimensions):
        raise Wrong("your PR is upside down: the squared trace stands above the line.")
    turn = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    if not agree(numbers(function, 3, X @ turn)[1], pr):
        raise Wrong(
            "your PR changes when the layer is rotated: it is (tr G)^2 / ||G||_F^2, with all "
            "entries of G in the norm."
        )
    of_images = K.diagonal()
    if agree(cv2, (of_images.std() / of_images.mean()) ** 2):
        raise Wrong("your CV is of images: G = X^T X is of neurons by neurons.")
    if agree(cv2**2, scatter):
        raise Wrong("your third number is CV: return its square.")
    n = X.shape[1]
    if agree(cv2, scatter * n / (n - 1)):
        raise Wrong("take the variance over all d neurons, divided by d, not by d - 1.")
    spread = X.std(0)
    if agree(cv2, (spread.std() / spread.mean()) ** 2):
        raise Wrong("your CV is of the standard deviations of neurons: take their variances.")
    if not agree(pr, dimensions):
        raise Wrong(f"your PR is {pr:.4f}, not {dimensions:.4f}.")
    if not agree(cv2, scatter):
        raise Wrong(f"your CV^2 is {cv2:.4f}, not {scatter:.4f}.")
    if not agree(r, pr / n * (1 + cv2)):
        raise Wrong(
            f"your r is {r:.4f} and (PR / d)(1 + CV^2) is {pr / n * (1 + cv2):.4f}: r is the share "
            "of the squared entries of G that stands on its diagonal."
        )


def closed_form(function: Function, rng: Random) -> None:
    """The curve that r alone predicts."""
    d = 7
    centred = made_up(rng, d=d)
    centred = centred - centred.mean(0)
    squares = (centred.T @ centred) ** 2
    r = float(np.trace(squares) / squares.sum())
    values = array(function, (d,), r, d)
    if agree(values[-1], 1) and agree(values, array(function, (d,), 1.0, d)):
        raise Wrong("your curve does not depend on r.")
    if not agree(values[-1], 1):
        raise Wrong(f"with all d neurons CKA is 1, and your curve ends at {values[-1]:.4f}.")
    for first, place in (
        (np.sqrt(1 / d) / r, "below the line"),
        (1 / d / np.sqrt(r), "above the line"),
        (1 / d / r, "above and below the line"),
    ):
        if agree(values[0], first):
            raise Wrong(f"a square root is missing {place}.")
    k = np.arange(1, d + 1)
    if agree(values, np.sqrt(k / d) / np.sqrt(r + (1 - r) * k / d)):
        raise Wrong("1 - r is multiplied by (k - 1)/(d - 1), and yours by k/d.")
    if not agree(values[0], np.sqrt(1 / (d * r))):
        raise Wrong(
            f"with one neuron the formula gives sqrt(1 / (d r)) = {np.sqrt(1 / (d * r)):.4f}, and "
            f"your curve begins at {values[0]:.4f}: k runs from 1 to d."
        )
    if not agree(array(function, (d,), 1 / d, d), 1):
        raise Wrong("where all neurons are copies of one (r = 1/d), CKA is 1 at every k.")
    # The formula is exact for the means of both squared norms over all subsets of a size.
    expected = []
    for k in range(1, d + 1):
        subsets = [list(some) for some in combinations(range(d), k)]
        above = np.mean([squares[some].sum() for some in subsets])
        below = np.mean([squares[np.ix_(some, some)].sum() for some in subsets])
        expected.append(above / np.sqrt(below * squares.sum()))
    if not agree(values, expected):
        wrong = int(np.abs(values - expected).argmax())
        raise Wrong(
            f"at k = {wrong + 1} of {d} you have {values[wrong]:.4f}, and the mean norms of all "
            f"subsets of that size give {expected[wrong]:.4f}."
        )


def standardise(function: Function, rng: Random) -> None:
    """Neurons of mean 0 and standard deviation 1."""
    X = made_up(rng)
    scaled = array(function, X.shape, X)
    if agree(scaled.std(1), 1) and agree(scaled.mean(1), 0):
        raise Wrong("you standardised the images (rows): each neuron (column) must be.")
    if agree(scaled * X.var(0), X - X.mean(0)):
        raise Wrong("you divided by the variance: divide by the standard deviation.")
    if agree(scaled * X.std(), X - X.mean(0)) or agree(scaled * X.std(), X - X.mean()):
        raise Wrong("you divided by one number for the whole layer: each neuron has its own.")
    if not agree(scaled.mean(0), 0):
        raise Wrong("the mean of each neuron over the images must be 0 afterwards.")
    if agree(scaled.std(0, ddof=1), 1):
        raise Wrong("divide by n, not by n - 1, in the standard deviation (NumPy's default).")
    if not agree(scaled.std(0), 1):
        raise Wrong("the standard deviation of each neuron over the images must be 1 afterwards.")
    if not agree(scaled @ np.diag(X.std(0)), X - X.mean(0)):
        raise Wrong("neurons may only be shifted and scaled, each by numbers of its own.")
    X[:, 3] = 2.5
    with np.errstate(all="ignore"):
        dead = np.asarray(function(X.copy()), dtype=float)
    if dead.shape != X.shape:
        raise Wrong("a neuron that never changes is to stay, as a column of 0.")
    if not np.isfinite(dead).all() or not agree(dead[:, 3], 0):
        raise Wrong(
            "a neuron that never changes has standard deviation 0: it must become 0, not NaN or "
            "infinity."
        )
    X = np.resize(X, (600, 12))
    X[:, :6] = 0.1, 0.2, 0.3, 0.7, 1.1, 2.3
    if not agree(array(function, X.shape, X)[:, :6], 0, 1e-4):
        raise Wrong(
            "a neuron that is 0.1 for every image has, by rounding, a standard deviation of about "
            "1e-16, not 0, and yours does not become 0: divide it by 1, wherever its deviation is "
            "below 1e-12."
        )


def explain(function: Function, rng: Random) -> None:
    """How many times larger r is, by dimensions and by scale."""
    X, Y = made_up(rng), made_up(rng, d=20) * np.geomspace(1, 8, 20)
    dimensions, scale = numbers(function, 2, X, Y)

    def parts(layer: np.ndarray) -> tuple[float, float]:
        K, variances = similarities(layer), layer.var(0)
        counted = np.trace(K) ** 2 / (K * K).sum()
        return counted / layer.shape[1], 1 + (variances.std() / variances.mean()) ** 2

    expected = [after / before for before, after in zip(parts(X), parts(Y), strict=True)]
    if not agree(numbers(function, 2, X, X), 1):
        raise Wrong("of a layer and itself both factors must be 1.")
    if agree([dimensions, scale], [1 / one for one in expected]):
        raise Wrong(
            "your factors are upside down: they say how many times X's the values of Y are."
        )
    if agree([dimensions, scale], expected[::-1]):
        raise Wrong("your factors are swapped: dimensions first, then scale.")
    if agree(dimensions, expected[0] * Y.shape[1] / X.shape[1]):
        raise Wrong("your first factor compares PR: the layers differ in width, so compare PR / d.")
    if agree(scale, (parts(Y)[1] - 1) / (parts(X)[1] - 1)):
        raise Wrong("your second factor compares CV^2: r holds 1 + CV^2.")
    if not agree(numbers(function, 2, X, 7 * Y), [dimensions, scale]):
        raise Wrong("your factors change when all of Y is scaled by one number: they must not.")
    if not agree([dimensions, scale], expected):
        raise Wrong(
            f"your factors are {dimensions:.4f} and {scale:.4f}: here they must multiply to the "
            f"ratio of the r's, {expected[0] * expected[1]:.4f}, and the first is the ratio of "
            "PR / d."
        )


CHECKS: dict[str, Check] = {
    "centre": centre,
    "random_part": random_part,
    "cka": cka,
    "cka_curve": cka_curve,
    "redundancy": redundancy,
    "redundancy_interval": redundancy_interval,
    "spectrum": spectrum,
    "closed_form": closed_form,
    "standardise": standardise,
    "explain": explain,
}

NOTES: dict[str, Note] = {"cka_curve": slow_cka_curve}
