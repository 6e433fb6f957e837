"""Checks of the exercises in 02_probes."""

from __future__ import annotations

import numpy as np

from .asking import Blank, Wrong, agree, array, number, numbers
from .data import load
from .examples import Check, Function, Note, Random, part_of, ridge_by_images, slowness, task
from .given import strength


def share_kept(function: Function, rng: Random) -> None:
    """The share of the full layer's accuracy that a part keeps."""
    curve = np.sort(rng.uniform(0.1, 0.9, 50))
    value = number(function, curve, 0.2)
    if agree(value, curve[9]):
        raise Wrong("you return the accuracy: divide it by that of the full layer.")
    if agree(value, curve[10] / curve[-1]):
        raise Wrong("a fifth of 50 is k = 10, whose place in the curve is number 9, from 0.")
    if agree(value, 1 - curve[9] / curve[-1]):
        raise Wrong("you return the share that is lost, not the one that is kept.")
    if agree(value, curve[-1] - curve[9]):
        raise Wrong("you return the difference: the share is a ratio.")
    if agree(value, 100 * curve[9] / curve[-1]):
        raise Wrong("you return percent: a share lies between 0 and 1.")
    if not agree(value, curve[9] / curve[-1]):
        raise Wrong(
            f"a fifth of 50 neurons keeps {curve[9] / curve[-1]:.4f} here, and you return "
            f"{value:.4f}."
        )
    early = np.append(curve, curve[-1] / 2)  # more neurons may be worse
    if agree(number(function, early, 0.2), curve[9] / curve[-1]):
        raise Wrong("you divide by the largest value: divide by that of all neurons, the last.")
    if not agree(number(function, curve, 1.0), 1):
        raise Wrong("all of the neurons keep all of the accuracy: 1.")
    if not agree(number(function, curve[:9], 0.3), curve[1] / curve[8]):
        raise Wrong("0.3 of 9 neurons is 2.7: round down, as the authors do, to k = 2.")
    if not agree(number(function, curve, 0.001), curve[0] / curve[-1]):
        raise Wrong("0.001 of 50 neurons is less than one: take one neuron at least.")


def ridge(function: Function, rng: Random) -> None:
    """Guesses of a ridge probe."""
    X, y, Z, z = task(rng)
    added = strength(X)
    guesses = array(function, (len(Z),), X, y, Z, added)
    if not np.isin(guesses, [0, 1, 2]).all():
        raise Wrong("your guesses are not classes: take the number of the largest score (argmax).")
    alone = [int(array(function, (1,), X, y, Z[i : i + 1], added)[0]) for i in range(20)]
    if alone != guesses[:20].tolist():
        raise Wrong(
            "the guess for an image changes with the other test images: centre test images by the "
            "means of the train images."
        )
    two = X[:, :2], y, Z[:, :2]
    shifted = array(function, (len(Z),), two[0] + 9, y, two[2] + 9, added)
    if not np.array_equal(shifted, array(function, (len(Z),), *two, added)):
        raise Wrong(
            "your guesses change when 9 is added to every feature, train and test: centre the "
            "neurons first."
        )
    strong = array(function, (len(Z),), X, y, Z, 1e9)
    expected = ridge_by_images(X, y, Z, added)
    if not (strong == np.bincount(y).argmax()).all():
        if np.array_equal(strong, guesses):
            raise Wrong(
                "your guesses do not change with `strength`: add it to the diagonal of X^T X "
                "(np.eye), and there alone."
            )
        if np.array_equal(strong, ridge_by_images(X, y, Z, 1e9, constant=False)):
            raise Wrong(
                "the mean of the one-hot labels is missing: add it to the scores. (Under a very "
                "strong penalty nothing else is left of them.)"
            )
        raise Wrong(
            "under a very strong penalty the probe must guess the most frequent class every time, "
            "and yours does not: is the penalty added to the diagonal alone (np.eye), and is there "
            "a column of labels for each class (one-hot), not one of their numbers?"
        )
    if np.array_equal(guesses, ridge_by_images(X, y, Z + X.mean(0), added)) and not (
        np.array_equal(guesses, expected)
    ):
        raise Wrong(
            "you centre the train images and not the test images: subtract the means of the train "
            "images from both."
        )
    for factor, told in ((len(X), "divide nothing by n"), (1 / len(X), "do not divide it by n")):
        if np.array_equal(guesses, ridge_by_images(X, y, Z, added * factor)) and not (
            np.array_equal(guesses, expected)
        ):
            raise Wrong(f"your penalty has another unit: add `strength` as it is, and {told}.")
    try:
        array(function, (len(Z),), X, np.arange(len(X)) % 12, Z, added)
    except Blank:
        raise
    except Wrong as wrong:
        raise Wrong(
            f"with 12 classes instead of 3: {wrong} The number of classes is the largest label and "
            "one more."
        ) from wrong.__cause__
    wide = rng.standard_normal((30, 60))
    few_labels = np.arange(30) % 3
    for weak in (1e-3, 1e3, 30.0):
        for some, labels, others in ((X, y, Z), (wide, few_labels, wide[::-1] + 0.1)):
            got = array(function, (len(others),), some, labels, others, weak)
            share = float((got == ridge_by_images(some, labels, others, weak)).mean())
            if share < 0.99:
                raise Wrong(
                    f"with a strength of {weak:g} and features of shape {some.shape}, "
                    f"{1 - share:.0%} of your guesses differ from those of the same probe solved "
                    "another way: is the penalty added to the diagonal, once, and is X^T X not "
                    "divided by n?"
                )
    if (guesses == expected).mean() < 0.99:
        right, best = (guesses == z).mean(), (expected == z).mean()
        raise Wrong(f"your probe is right on {right:.0%} of some images, not on {best:.0%}.")


def ridge_curve(function: Function, rng: Random) -> None:
    """Accuracy of the ridge probes on the first k neurons of an order, at every k."""
    X, y, Z, z = task(rng)
    order, added, d = rng.permutation(X.shape[1]), strength(X), X.shape[1]
    values = array(function, (d,), X, y, Z, z, order, added)
    if values.max() > 1 or values.min() < 0:
        raise Wrong("accuracies are shares between 0 and 1.")

    def slow(
        some: np.ndarray,
        k: int,
        penalty: float,
        centred: np.ndarray | None = None,
        of_test: np.ndarray | None = None,
        constant: bool = True,
    ) -> float:
        """As a check of other ways: test images that are centred otherwise, or whose neurons stand
        in another order; no constant term.
        """
        kept, means = some[:k], X.mean(0)
        seen = Z - means if centred is None else centred
        seen = seen[:, kept if of_test is None else of_test[:k]] + means[kept]
        guesses = ridge_by_images(X[:, kept], y, seen, penalty, constant=constant)
        return float((guesses == z).mean())

    expected = np.array([slow(order, k, added) for k in range(1, d + 1)])
    near = 1.5 / len(z)  # a tie may be decided by rounding
    if not agree(expected, values, near):
        if agree(values, [slow(np.arange(d), k, added) for k in range(1, d + 1)], near):
            raise Wrong("you take the neurons as they stand: take them in the given order.")
        if agree(values[1:], expected[:-1], near):
            raise Wrong("your curve begins at k = 0: its first value is that of one neuron.")
        if agree(1 - values, expected, near):
            raise Wrong("these are errors: accuracy is the share of right guesses.")
        if not agree(array(function, (d,), X + 4, y, Z + 4, z, order, added), values, near):
            raise Wrong(
                "your curve changes when 4 is added to every feature, train and test: subtract the "
                "means of the train images from both."
            )
        sizes, stand = range(1, d + 1), np.arange(d)
        for told, mistaken in (
            (
                "you centre test images by their own means: use those of the train images.",
                [slow(order, k, added, Z - Z.mean(0)) for k in sizes],
            ),
            (
                "the mean of the one-hot labels is missing: add it to the scores, for every k.",
                [slow(order, k, added, constant=False) for k in sizes],
            ),
            (
                "the test images have their neurons as they stand: put them into the order, too.",
                [slow(order, k, added, of_test=stand) for k in sizes],
            ),
            (
                "the means are in the order and the test images are not: put them into it, too.",
                [slow(order, k, added, Z - X.mean(0)[order], of_test=stand) for k in sizes],
            ),
            (
                "the train images have their neurons as they stand: put them into the order, too.",
                [slow(stand, k, added, of_test=order) for k in sizes],
            ),
        ):
            if agree(values, mistaken, near):
                raise Wrong(told)
        later, other = X.copy(), Z.copy()
        later[:, order[5:]] = rng.permutation(later[:, order[5:]])
        other[:, order[5:]] = rng.permutation(other[:, order[5:]])
        if not agree(array(function, (d,), later, y, other, z, order, added)[:5], values[:5], near):
            raise Wrong(
                "your first five values change when neurons that come later in the order are "
                "changed: row i of both solved systems must depend on the first i neurons only. "
                "Do you solve with the lower triangular factor L, as np.linalg.cholesky gives it? "
                "(The first k rows of W, trained on all neurons, are no probe on k of them.)"
            )
        if (np.diff(values) == 0).all():
            raise Wrong("your curve is the same at every k.")
        wrong = int(np.abs(values - expected).argmax())
        raise Wrong(
            f"at k = {wrong + 1} of {d} your accuracy is {values[wrong]:.3f}, and a probe trained "
            f"on these neurons alone has {expected[wrong]:.3f}."
            + " k = 1 is right: is each term added to those before it?"
            * agree(values[0], expected[0], near)
        )
    for name in ("X", "both"):
        shifted = (X + 4, y, Z + 4) if name == "both" else (2 * X, y, 2 * Z)
        other = added if name == "both" else 4 * added
        if not agree(array(function, (d,), *shifted, z, order, other), values, near):
            raise Wrong("your curve changes when all features are shifted or scaled alike.")
    if agree(array(function, (d,), X, y, Z, z, order, 1e9), values):
        raise Wrong("your curve does not depend on the penalty.")
    X, y, Z, z = part_of("digits", rng, 600, 500)
    some, order = rng.permutation(512)[:300], rng.permutation(300)
    X, Z, added = X[:, some], Z[:, some], strength(X[:, some])
    values = array(function, (300,), X, y, Z, z, order, added)
    for k in (5, 60, 300):
        right = slow(order, k, added)
        if abs(values[k - 1] - right) > 1.5 / len(z):
            raise Wrong(f"on the digits you have {values[k - 1]:.3f} at k = {k}, not {right:.3f}.")


def slow_ridge_curve(function: Function) -> str:
    """A note on a curve that begins anew at every size."""
    digits = load("digits")
    X, Z = digits.X_train[:, :300], digits.X_test[:, :300]
    given = X, digits.y_train, Z, digits.y_test, np.arange(300)
    return slowness(
        lambda: function(*(one.copy() for one in given), 1.0),
        lambda: Z @ np.linalg.inv(X.T @ X + np.eye(300)),
    )


_FEW = (10, 15, 25)
"""Sizes at which a selection is to be better than random ones."""

_COPIES = 10
"""Of the first 25 neurons of a layer that has each twice; a score for each by itself takes 12."""


def _accuracy(parts: tuple[np.ndarray, ...], order: np.ndarray) -> float:
    """Mean accuracy over a few small sizes."""
    X, y, Z, z = parts
    added = strength(X)
    guesses = (ridge_by_images(X[:, order[:k]], y, Z[:, order[:k]], added) for k in _FEW)
    return float(np.mean([(guess == z).mean() for guess in guesses]))


def selection(function: Function, rng: Random) -> None:
    """An order of the neurons that beats random ones where few are kept."""
    for name in ("digits", "georgian"):
        parts = part_of(name, rng, 450, 400)
        X, y, d = *parts[:2], parts[0].shape[1]
        order = array(function, (d,), X, y)
        if order.dtype.kind not in "iu":
            raise Wrong(f"an order holds whole numbers, and yours holds {order.dtype}.")
        if not np.array_equal(np.sort(order), np.arange(d)):
            raise Wrong("an order holds each neuron once: np.sort(order) must be 0, 1, ..., d - 1.")
        mixed = rng.permutation(d)
        again = mixed[array(function, (d,), X[:, mixed], y)]
        common = len(np.intersect1d(order[:25], again[:25]))
        random = [_accuracy(parts, rng.permutation(d)) for _ in range(6)]
        gain = _accuracy(parts, order) - np.mean(random)
        if common < 20:
            raise Wrong(
                f"when the neurons are shuffled, you choose others ({common} of your first 25 are "
                "the same): choose by what a neuron does, not by its place or by chance. (Where "
                "neurons tie, it is their place that decides.)"
            )
        if gain < -0.02:
            turned = _accuracy(parts, order[::-1]) - np.mean(random)
            raise Wrong(
                f"on {name}, with {_FEW[0]} to {_FEW[-1]} neurons, random ones are better by "
                f"{-100 * gain:.0f} points of accuracy: "
                + (
                    "is your order the wrong way round?"
                    if turned > 0
                    else "neurons that are good one by one need not be good together."
                )
            )
        if gain < 0.02:
            raise Wrong(
                f"on {name}, with {_FEW[0]} to {_FEW[-1]} neurons, yours is "
                f"{'better' if gain > 0 else 'worse'} than random ones by {100 * abs(gain):.1f} "
                "points of accuracy: it must be better by 2. A neuron that does what those "
                "before it do already adds little."
            )
    _no_copies(function, rng)


def _no_copies(function: Function, rng: Random) -> None:
    """Of a layer that has every neuron twice, each with noise of its own, hardly any is among the
    first in both copies.
    """
    X, y = part_of("digits", rng, 450, 400)[:2]
    some = rng.permutation(X.shape[1])[:150]
    twins = rng.permutation(np.repeat(some, 2))
    noise = 0.15 * X.std(0)[twins] * rng.standard_normal((len(X), 300))
    order = array(function, (300,), X[:, twins] + noise, y)
    copies = _FEW[-1] - len(np.unique(twins[order[: _FEW[-1]]]))
    if copies > _COPIES:
        raise Wrong(
            f"your order beats random ones. But in a layer where each neuron stands twice, "
            f"{copies} of your first {_FEW[-1]} are copies of others among them, and a copy adds "
            "nothing. A score for each neuron by itself, such as its variance, cannot see that: "
            "look at what a neuron adds to those that are chosen."
        )


def gain_kept(function: Function, rng: Random) -> None:
    """The share of a selection's gain that is kept when it was made on another task."""
    random = rng.uniform(0.4, 0.5, (6, 3))
    mean = random.mean(0)
    # Shares of 0%, 100% and 40%; of the mean gains, 0.12 / 0.35.
    three, some = mean + np.array([0.2, 0.1, 0.05]), mean + np.array([0.0, 0.1, 0.02])
    *_, share = numbers(function, 3, three, some, random)
    if agree(share, 1.4 / 3):
        raise Wrong(
            "you averaged the shares over sizes: where there is hardly a gain, a share is "
            "anything. Divide the mean gains."
        )
    if agree(share, 1 - 0.12 / 0.35):
        raise Wrong("your share is the one that is lost, not the one that is kept.")
    of_accuracies = agree(share, some.mean() / three.mean())
    gains = np.array([0.2, 0.1, 0.0])
    own, other = mean + gains, mean + 0.5 * gains
    own_gain, other_gain, share = numbers(function, 3, own, other, random)
    if agree([own_gain, other_gain], [own.mean(), other.mean()]):
        raise Wrong("your gains are accuracies: subtract the mean of the random orders.")
    if agree(
        [own_gain, other_gain], [(own - random.max(0)).mean(), (other - random.max(0)).mean()]
    ):
        raise Wrong("you compare with the best random order: compare with their mean.")
    if agree([own_gain, other_gain], [0.05, 0.1]):
        raise Wrong("your gains are swapped: first that of the selection made on the task itself.")
    if agree([own_gain, other_gain], [10, 5]):
        raise Wrong("your gains are in percent: leave them as shares, between 0 and 1.")
    if not agree([own_gain, other_gain], [0.1, 0.05]):
        raise Wrong(
            f"for gains of 20, 10 and 0 points, your mean gain is {100 * own_gain:.1f} points, "
            "not 10."
        )
    if of_accuracies:
        raise Wrong("your share is of accuracies: divide the gain by the gain.")
    if agree(share, 2):
        raise Wrong("your share is upside down: the gain on the other task stands above the line.")
    uneven = mean + np.array([0.0, 0.1, 0.02])
    *_, share_of_uneven = numbers(function, 3, own, uneven, random)
    if not agree(share_of_uneven, 0.4):
        raise Wrong(
            f"gains of 0, 10 and 2 points are 40% of gains of 20, 10 and 0, and your share is "
            f"{share_of_uneven:.3f}. Divide the mean gains."
        )
    if not agree(share, 0.5):
        raise Wrong(f"half of the gain is kept here, and your share is {share:.3f}.")
    *_, none = numbers(function, 3, own, mean, random)
    if not agree(none, 0):
        raise Wrong("a selection that is as good as random ones keeps nothing of the gain.")


CHECKS: dict[str, Check] = {
    "ridge": ridge,
    "share_kept": share_kept,
    "ridge_curve": ridge_curve,
    "selection": selection,
    "gain_kept": gain_kept,
}

NOTES: dict[str, Note] = {"ridge_curve": slow_ridge_curve}
