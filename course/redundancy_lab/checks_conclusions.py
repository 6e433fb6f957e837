"""Checks of the exercises in 03_conclusions."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from .asking import Blank, Wrong, agree, answer, array, as_number, number
from .examples import Check, Function, Random

WORDS = ("no power", "alike", "higher", "lower", "undecided")
"""What a comparison may come to."""

_POWERS = {
    (0.0, 5): 0.05,
    (0.0, 2): 0.05,
    (1.0, 5): 0.286,
    (2.0, 5): 0.791,
    (1.0, 17): 0.807,
    (0.5, 17): 0.293,
}
"""Power of the two-sided t test at 5%, by the effect (in standard deviations) and the seeds per
group.
"""

_FALSE_FINDINGS = {
    "You count the experiments that find nothing: count those that do.": (0.95, 0.95),
    "You look at one sign only: test both signs (np.abs).": (0.025, 0.025),
    "With few networks 1.96 is too small: use lab.student(2 * seeds - 2).": (0.189, 0.0857),
    "Variances want ddof=1.": (0.0933, 0.0731),
    "A factor sqrt(2) is missing in the standard error of a difference: s sqrt(2/n).": (
        0.0933,
        0.1416,
    ),
    "The 2 and the n in the standard error s sqrt(2/n) are needed: divide by n.": (0.026, 0.0009),
    "The degrees of freedom are those of both groups: 2 * seeds - 2.": (0.1093, 0.0563),
    "The degrees of freedom are 2 * seeds - 2: each group's mean costs one.": (0.0864, 0.0530),
    "Your degrees of freedom are those of one group: 2 * seeds - 2 are those of both.": (
        0.0061,
        0.0240,
    ),
    "You use the true sd: an experimenter only has the one that the networks show, s.": (
        0.0,
        0.0211,
    ),
    "Both groups have the same values, or nothing is ever found: draw both from one generator, "
    "not from two of the same seed.": (0.0, 0.0),
    "That is Welch's test: take one variance for both groups, the mean of theirs.": (
        0.0232,
        0.0442,
    ),
}
"""What each mistake makes of a test at 5%, with two networks in each group and with five."""

_SEEDS = {(1.0, 1): 17, (0.5, 1): 64, (2.0, 1): 6, (1.0, 10): 29, (3.0, 10): 6}
"""Seeds per group for a power of 80%, by the effect in standard deviations and the comparisons."""


def accuracy_by_class(function: Function, rng: Random) -> None:
    """The share of right guesses among the images of each class."""
    y = np.repeat(np.arange(4), [20, 10, 5, 15])
    rng.shuffle(y)
    guesses = np.where(rng.random(50) < 0.6, y, rng.integers(4, size=50))
    values = array(function, (4,), guesses, y, 4)
    table = np.zeros((4, 4))
    for guess, label in zip(guesses, y, strict=True):
        table[label, guess] += 1
    right = table.diagonal()
    if agree(values, right):
        raise Wrong("you count right guesses: divide by the images of the class.")
    if agree(values, right / 50):
        raise Wrong("you divide by all images: divide by those of the class.")
    with np.errstate(all="ignore"):
        if agree(values, right / table.sum(0)):
            raise Wrong(
                "you divide by how often the class was guessed: divide by the images that are of "
                "it."
            )
    if agree(1 - values, right / table.sum(1)):
        raise Wrong("these are errors: return accuracies.")
    if not agree(values, right / table.sum(1)):
        raise Wrong(f"accuracy of class 0 is {right[0] / table[0].sum():.3f}, not {values[0]:.3f}.")
    y = np.array([0, 0, 1, 1, 2, 2])
    try:
        values = array(function, (3,), np.array([0, 1, 1, 1, 0, 1]), y, 3)
    except Blank:
        raise
    except Wrong as wrong:
        raise Wrong(
            "your function fails where no image of the last class is guessed right, or none is "
            "guessed to be of it: np.bincount needs minlength=classes, each time."
        ) from wrong.__cause__
    if not agree(values, [0.5, 1, 0]):
        raise Wrong("where no image of a class is guessed right, its accuracy is 0.")


def gini(function: Function, rng: Random) -> None:
    """The Gini index of some numbers."""
    equal = number(function, np.full(5, 0.7))
    if not agree(equal, 0):
        raise Wrong(f"where all classes are equal the Gini index is 0, and yours is {equal:.3f}.")
    values = rng.uniform(0.2, 1, 9)
    value = number(function, values)
    if not agree(number(function, values / 3), value):
        raise Wrong("your index changes when all values are divided by 3: divide by the mean.")
    if not agree(number(function, rng.permutation(values)), value):
        raise Wrong("your index changes with the order of the classes.")
    # A share p of classes at one value and the rest at another: p (1 - p) |a - b| / mean.
    many = int(rng.integers(2, 8))
    two = np.repeat([0.9, 0.4], [many, 10 - many])
    expected = many / 10 * (1 - many / 10) * 0.5 / two.mean()
    found = number(function, two)
    if agree(found, 2 * expected):
        raise Wrong("your index is twice what it must be: take half the mean difference.")
    if agree(found, expected * 10 / 9):
        raise Wrong("take the mean over all C^2 pairs, those of a class with itself among them.")
    if agree(found, expected / 2):
        raise Wrong("your index is half of what it must be: count each pair in both orders.")
    if agree(found, two.std() / two.mean()):
        raise Wrong(
            "that is the coefficient of variation: take the mean difference of two classes."
        )
    if not agree(found, expected):
        raise Wrong(
            f"of {many} classes at 0.9 and {10 - many} at 0.4 the index is {expected:.3f}, "
            f"not {found:.3f}."
        )
    one = number(function, np.array([0.0, 0.0, 0.0, 1.0]))
    if not agree(one, 0.75):
        raise Wrong(f"where one of 4 classes has everything the index is 0.75, not {one:.3f}.")
    # A line of values: (C^2 - 1) / (6 C) steps over the mean.
    line = np.linspace(0.3, 0.9, 7)
    if not agree(number(function, line), 0.1 * 48 / 42 / line.mean()):
        raise Wrong("of values on a line your index is wrong.")


def fair_null(function: Function, rng: Random) -> None:
    """Accuracy by class were the logits of all classes to fall alike."""
    counts = np.array([40, 10, 25, 25, 60])
    right = np.array([40, 9, 20, 15, 30])
    target = float(rng.uniform(0.35, 0.6))
    values = array(function, (5,), right, counts, target)
    if values.min() < 0 or values.max() > 1:
        raise Wrong("accuracies lie between 0 and 1, and some of yours do not.")
    known = (2 * right + 1) / (2 * counts + 2)

    def logits(share: np.ndarray) -> np.ndarray:
        share = np.clip(share, 1e-9, 1 - 1e-9)
        return np.log(share / (1 - share))

    shifts = logits(known) - logits(values)
    weighted = float((values * counts).sum() / counts.sum())
    for before in (known, right / counts):
        if np.ptp(values / before) < 1e-6:
            raise Wrong(
                "every class keeps the same share of its accuracy: subtract one number from the "
                "logits instead."
            )
        if np.ptp(values - before) < 1e-6:
            raise Wrong("every class loses the same number of points: shift the logits instead.")
    raw = (logits(right / counts) - logits(values))[1:]
    if np.ptp(shifts) > 1e-3 and np.ptp(raw) < 1e-3:
        raise Wrong(
            "a class without a mistake has an infinite logit: use (right + 0.5) / (counts + 1) as "
            "its accuracy."
        )
    if not 1e-3 < weighted < 1 - 1e-3:
        raise Wrong(
            f"the mean over images is to be {target:.4f}, and yours is {weighted:.4f}: does your "
            "search turn the wrong way? Where the mean is too high, the shift must grow."
        )
    if np.ptp(shifts) > 1e-3:
        raise Wrong(
            f"your classes lose between {shifts.min():.2f} and {shifts.max():.2f} of their logit, "
            "log(p / (1 - p)): all must lose the same."
        )
    if abs(float(values.mean()) - target) < 1e-4 < abs(weighted - target):
        raise Wrong(
            "you match the mean over classes: match the mean over images, in which a class weighs "
            "by its images."
        )
    if abs(weighted - target) > 1e-4:
        raise Wrong(
            f"the mean over images is to be {target:.4f}, and yours is {weighted:.4f}: search the "
            "shift more closely, and over a wide enough range."
        )
    low = array(function, (5,), right, counts, 0.05)
    if abs(float((low * counts).sum() / counts.sum()) - 0.05) > 1e-4:
        raise Wrong("for a mean of 0.05 your search ends too early: let the shift be larger.")


def expected_gini(function: Function, rng: Random) -> None:
    """The Gini index that chance alone makes."""
    seed = int(rng.integers(1000))
    few = np.full(20, 15)
    rates = np.full(20, 0.8)
    value = number(function, rates, few, 400, seed)
    if value != number(function, rates, few, 400, seed):
        raise Wrong("two calls with the same seed give different numbers: use the seed.")
    if value < 0.005:
        raise Wrong(
            "classes that are equally hard still differ by chance, and yours do not: take the Gini "
            "index of every draw, then its mean (not of the mean draw)."
        )
    if value > 0.12:
        raise Wrong(
            f"for 20 classes of accuracy 0.8 with 15 images each your index is {value:.2f}: divide "
            "right guesses by the images, and simulate all images of a class."
        )
    # For normal values: (C - 1) / C sd / (sqrt(pi) mean).
    normal = 19 / 20 * math.sqrt(0.8 * 0.2 / 15 / math.pi) / 0.8
    if abs(value / normal - 1) > 0.12 and agree(value, number(function, rates, few, 1, seed)):
        raise Wrong(
            "400 draws give you what one draw gives: make the generator once, before the loop, and "
            "take the mean of all draws."
        )
    if abs(value / normal - 1) > 0.12:
        raise Wrong(f"your index is {value:.4f} where theory says about {normal:.4f}.")
    sure = np.array([0.0, 1.0, 1.0, 1.0])
    if not agree(number(function, sure, np.full(4, 30), 20, seed), 0.25):
        raise Wrong("where nothing is left to chance (rates 0, 1, 1, 1) the index is 0.25.")
    many = number(function, rates, np.array([500] * 10 + [1500] * 10), 20, seed)
    if many > 0.1:
        raise Wrong(
            f"for classes that are equally hard, half of them with 500 images and half with 1500, "
            f"your index is {many:.2f}: it is of accuracies, so divide right guesses by `counts`."
        )
    uneven = number(function, rates, np.array([2] * 10 + [2000] * 10), 400, seed)
    if uneven < 1.1 * value:
        raise Wrong("classes have different numbers of images: use the count of each.")
    hard = number(function, np.linspace(0.1, 0.9, 9), np.full(9, 100_000), 20, seed)
    if abs(hard - 0.1 * 80 / 54 / 0.5) > 0.003:
        raise Wrong("classes have different rates: use the rate of each.")
    single = [number(function, rates, few, 1, seed + one) for one in range(12)]
    if np.std(single) < 0.004:
        raise Wrong("with draws=1 your index hardly varies: simulate `draws` times.")
    # Half the difference of two normal values has a mean that is 1.18 times its median.
    two = number(function, np.full(2, 0.5), np.full(2, 2000), 2000, seed)
    ratio = two / (math.sqrt(0.25 / 2000 / math.pi) / 2 / 0.5)
    if abs(ratio - 0.845) < 0.06:
        raise Wrong("that looks like the median over draws: take their mean.")
    if abs(ratio - 1) > 0.08:
        raise Wrong(f"for two classes your index is {ratio:.2f} times what theory says.")


def smallest_p(function: Function, rng: Random) -> None:
    """The smallest p of a permutation test."""
    for seeds in rng.permutation([2, 3, 4, 5]):
        value = number(function, int(seeds))
        sums = [sum(some) for some in combinations(range(2 * seeds), int(seeds))]
        extreme = (sums.count(min(sums)) + sums.count(max(sums))) / len(sums)
        if value > 1:
            raise Wrong("a p value is a share: divide by the number of labellings.")
        if agree(value, extreme / 2):
            raise Wrong(
                "you count one labelling: with the two groups swapped the difference is as large, "
                "and a two-sided test counts both."
            )
        if agree(value, 1 / math.factorial(seeds)) or agree(value, 2 / math.factorial(2 * seeds)):
            raise Wrong(
                "you count orders: it matters only which networks are in a group, not in what "
                "order (math.comb)."
            )
        if not agree(value, extreme):
            raise Wrong(
                f"with {seeds} networks in each group there are {len(sums)} labellings, and "
                f"{value:.4f} is no share of these that makes sense here: count those whose "
                "difference is the largest."
            )
    if not agree(number(function, 1), 1):
        raise Wrong("one network against one: swapped, the difference is as large, so p is 1.")


def _group(mean: float, sd: float, size: int, rng: Random) -> np.ndarray:
    """Values of exactly that mean and standard deviation."""
    drawn = rng.standard_normal(size)
    return mean + sd * (drawn - drawn.mean()) / drawn.std(ddof=1)


def _verdict(function: Function, *given: object) -> tuple[str, int]:
    returned = answer(function, *given)
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise Wrong("read_verdict must return two things: a word and a number of networks.")
    word, seeds = returned
    if word not in WORDS:
        raise Wrong(f"{word!r} is none of the words {', '.join(WORDS)}.")
    needed = as_number(seeds, "the number of networks is")
    if needed != int(needed):
        raise Wrong("a number of networks is a whole number: round up.")
    return word, int(needed)


def read_verdict(function: Function, rng: Random) -> None:
    """What two groups of networks allow to be said, and how many seeds that takes."""
    margin = 0.02

    def word(gap: float, sd: float, size: int) -> str:
        groups = _group(0.8 + gap, sd, size, rng), _group(0.8, sd, size, rng)
        return _verdict(function, *groups, margin)[0]

    got = word(0.3, 0.01, 3)
    if got != "no power":
        raise Wrong(
            f"three networks against three, and you say {got!r}: no permutation test of so few can "
            "reach 5%, however far apart they are."
        )
    if word(0.3, 0.01, 4) == "no power":
        raise Wrong("four against four can reach 5% (2 of 70): that has power.")
    if word(0.3, 0.01, 6) == "lower" or word(-0.3, 0.01, 6) == "higher":
        raise Wrong("'higher' and 'lower' are swapped: they say what the first group is.")
    if word(0.3, 0.01, 6) != "higher" or word(-0.3, 0.01, 6) != "lower":
        raise Wrong("groups that are far apart, with six networks each, are 'higher' or 'lower'.")
    got = word(0.0, 0.08, 6)
    if got == "alike":
        raise Wrong(
            "not clear does not mean alike: say 'alike' only if the whole interval lies within the "
            "margin."
        )
    if got != "undecided":
        raise Wrong(f"an interval that holds both 0 and the margin is 'undecided', not {got!r}.")
    if word(0.001, 0.004, 6) != "alike":
        raise Wrong("an interval that lies within the margin, on both sides, is 'alike'.")
    if word(0.01, 0.002, 6) != "alike":
        raise Wrong(
            "a difference that is clear but surely smaller than the margin does not matter: ask "
            "for 'alike' before 'higher' and 'lower'."
        )
    if word(0.025, 0.008, 6) != "higher":
        raise Wrong("an interval that leaves out 0 and reaches beyond the margin is 'higher'.")
    for sd, expected in ((0.2, 1568), (0.01, 4), (0.02, 16), (0.04, 63), (0.001, 4)):
        groups = _group(0.8, sd, 5, rng), _group(0.81, sd, 5, rng)
        _, seeds = _verdict(function, *groups, margin)
        if abs(seeds / expected - (1.96 / 2.8) ** 2) < 0.004:
            raise Wrong(
                "with 1.96 in the place of 2.8 a difference as large as the margin is found every "
                "second time only: use 2.8 = 1.96 + 0.84."
            )
        if seeds < 4 and expected == 4:
            raise Wrong(
                "below four networks in each group no permutation test decides: 4 at least."
            )
        if abs(2 * seeds - expected) <= 2 and expected > 4:
            raise Wrong("you need twice as many: both means are uncertain, not only one.")
        if abs(seeds - expected) > 0.05 * expected:
            raise Wrong(
                f"for a standard deviation of {sd:g} within both groups and a margin of {margin:g} "
                f"it takes {expected} networks in each, and you say {seeds}: they grow with the "
                "square of 2.8 sd / margin. (Standard deviations with ddof=1.)"
            )
    groups = _group(0.8, 0.016208, 5, rng), _group(0.81, 0.016208, 5, rng)
    _, seeds = _verdict(function, *groups, margin)
    if seeds != 11:
        raise Wrong(f"where 10.3 networks are needed it takes 11, not {seeds}: round up.")
    groups = _group(0.8, 0.01, 5, rng), _group(0.81, 0.03, 5, rng)
    _, seeds = _verdict(function, *groups, margin)
    if seeds != 20:
        raise Wrong("pool the two groups: the mean of their variances, then the square root.")


def _suspected(found: list[float], draws: int) -> str:
    """What false findings with two and with five networks in each group hint at."""
    distances = {}
    for told, rates in _FALSE_FINDINGS.items():
        errors = [math.sqrt(rate * (1 - rate) / draws) + 1e-3 for rate in rates]
        distances[told] = max(abs(f - r) / e for f, r, e in zip(found, rates, errors, strict=True))
    told = min(distances, key=lambda one: distances[one])
    if distances[told] > 4.5:
        return "Look at the standard error, the degrees of freedom and the absolute value."
    return told


def power(function: Function, rng: Random) -> None:
    """How often a t test finds an effect."""
    seed, draws = int(rng.integers(1000)), 4000
    few = [number(function, 1.0, 1.0, 5, 20, seed + one) for one in range(12)]
    if np.std(few) < 0.03 and 0.1 < np.mean(few) < 0.6:
        raise Wrong("with draws=20 your power hardly varies: simulate `draws` experiments.")
    for (effect, seeds), expected in _POWERS.items():
        unit = float(rng.uniform(0.5, 2))
        value = number(function, effect * unit, unit, seeds, draws, seed)
        if not 0 <= value <= 1:
            raise Wrong("power is a share of experiments, between 0 and 1.")
        error = 4.5 * math.sqrt(expected * (1 - expected) / draws)
        if abs(value - expected) < error:
            continue
        if effect == 0:
            with_two = value if seeds == 2 else number(function, 0.0, unit, 2, draws, seed)
            with_five = value if seeds == 5 else number(function, 0.0, unit, 5, draws, seed)
            found = [with_two, with_five]
            raise Wrong(
                f"without an effect your test finds one in {found[0]:.1%} of experiments with two "
                f"networks in each group, and in {found[1]:.1%} with five; it must be 5%. "
                f"{_suspected(found, draws)}"
            )
        raise Wrong(
            f"for an effect of {effect:g} standard deviations and {seeds} networks in each group "
            f"the power is {expected:.2f}, and yours is {value:.2f}: "
            + (
                f"where sd is 1 it is right, and here sd is {unit:.2f}. Draw values of standard "
                "deviation `sd`, not its square, whose means differ by `effect`."
                if abs(number(function, effect, 1.0, seeds, draws, seed) - expected) < error
                else "the standard error of the difference is that of two means."
            )
        )
    if number(function, 1.0, 1.0, 5, 200, seed) != number(function, 1.0, 1.0, 5, 200, seed):
        raise Wrong("two calls with the same seed give different numbers: use the seed.")


def plan(function: Function, rng: Random) -> None:
    """Seeds per group that an ablation needs."""
    unit = float(rng.uniform(0.01, 0.1))
    got = {}
    for effect, comparisons in _SEEDS:
        seeds = number(function, effect * unit, unit, comparisons)
        if seeds != int(seeds):
            raise Wrong("a number of networks is a whole number: round up.")
        got[effect, comparisons] = seeds
    for told, mistaken in (  # about 64 are right
        (
            "your test is one-sided: a difference may have either sign, so take the quantile at "
            "1 - alpha / 2.",
            50.5,
        ),
        ("you count both groups: return the networks of one.", 128),
        ("that finds the effect one time in five: both quantiles are added.", 10.5),
    ):
        if abs(got[0.5, 1] - mistaken) <= 0.02 * mistaken + 0.5:
            raise Wrong(told)
    if got[1.0, 10] > 8 * got[1.0, 1]:
        raise Wrong("comparisons divide the level, 0.05; they do not multiply the networks.")
    if got[0.5, 1] < 3 * got[1.0, 1]:
        raise Wrong("half the effect needs about four times the networks.")
    if got[1.0, 10] == got[1.0, 1]:
        raise Wrong("with ten comparisons each is tested at 0.05 / 10, which needs more networks.")
    if abs(2 * got[0.5, 1] - 64) <= 3:
        if number(function, 0.5 * unit, unit, 10) > 1.9 * got[0.5, 1]:  # it is 1.7 times as many
            raise Wrong(
                "that finds the effect every second time: a power of 80% needs the quantile at "
                "0.8, too."
            )
        raise Wrong("you need twice as many: both means are uncertain, not only one.")
    if number(function, 20 * unit, unit, 1) < 4:
        raise Wrong("below four networks in each group no permutation test decides: 4 at least.")
    for (effect, comparisons), expected in _SEEDS.items():
        seeds = got[effect, comparisons]
        if abs(seeds - expected) > max(1, 0.04 * expected):
            raise Wrong(
                f"an effect of {effect:g} standard deviations, as one of {comparisons} "
                f"comparisons, takes about {expected} networks in each group, and you say "
                f"{seeds:g}."
            )


CHECKS: dict[str, Check] = {
    "accuracy_by_class": accuracy_by_class,
    "gini": gini,
    "expected_gini": expected_gini,
    "fair_null": fair_null,
    "smallest_p": smallest_p,
    "read_verdict": read_verdict,
    "power": power,
    "plan": plan,
}
