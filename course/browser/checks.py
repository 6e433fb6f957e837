"""Checks of the exercises: what is wrong with an answer, in words. They hold no solution."""

import random
from math import isclose

from measures import cka_curve, gram_matrix


class Wrong(AssertionError):
    """An answer is wrong; the message says how."""


def _number(value, name):
    if value is None:
        raise Wrong(f"{name} returns nothing: is there a return, and is it reached?")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong(f"{name} returns {type(value).__name__}, and should return one number.")
    return value


def _made_gram(d, seed):
    """The Gram matrix of made features that correlate."""
    draw = random.Random(seed)
    hidden = [[draw.gauss(0, 1) for _ in range(3)] for _ in range(40)]
    mix = [[draw.gauss(0, 1) for _ in range(d)] for _ in range(3)]
    return gram_matrix(
        [
            [
                sum(h * m[j] for h, m in zip(row, mix, strict=True)) + draw.gauss(0, 1)
                for j in range(d)
            ]
            for row in hidden
        ]
    )


def _cka(answer, layer):
    def given(G, kept):
        return _number(answer(G, kept), "cka")

    simple = [[2.0, 0.0], [0.0, 1.0]]
    if isclose(given(simple, [0]), 4 / (4 * 5)):
        raise Wrong("You divide by sums of squares. A norm is the root of such a sum.")
    if isclose(given(simple, [0]), 2 / (2 * 3)):
        raise Wrong("You add up entries of G. The norms add up their squares.")
    if isclose(given([[1.0, 1.0], [1.0, 1.0]], [0]), 0.5):
        raise Wrong(
            "Above the line, rows are the kept neurons, but columns are all neurons; yours are the "
            "kept ones only."
        )
    if isclose(given(simple, [0]), 2 / (2 * 5**0.5)):
        raise Wrong("The norm above the line is squared: no root is taken of that sum.")
    G = _made_gram(8, seed=1)
    larger = [[9 * value for value in row] for row in G]
    if not isclose(given(larger, [0, 3]), given(G, [0, 3])):
        raise Wrong(
            "Your CKA changes when all activations are three times as large: do you divide by both "
            "norms?"
        )
    whole = given(G, list(range(8)))
    if not isclose(whole, 1, abs_tol=1e-9):
        raise Wrong(f"With every neuron kept CKA is 1, and yours is {whole:.3f}.")
    for seed in range(2, 5):
        G, order = _made_gram(8, seed), random.Random(seed).sample(range(8), 8)
        for k, expected in enumerate(cka_curve(G, order), start=1):
            value = given(G, order[:k])
            if not isclose(value, expected, abs_tol=1e-9):
                raise Wrong(
                    f"For {k} of 8 neurons CKA is {expected:.3f}, and yours is {value:.3f}."
                )


def _k_star(answer, layer):
    def given(curve, share):
        return _number(answer(curve, share), "least_neurons")

    rising, bar = [0.1, 0.3, 0.4, 0.45, 0.6, 0.8], 0.5  # 0.5 x 0.8 is 0.4, to the last bit
    found = given(rising, bar)
    if found == 2:
        raise Wrong("Entry 0 of the curve belongs to one neuron: your answer is one too few.")
    if found == 5:
        raise Wrong(
            "The bar is a share of the last value, 0.5 times 0.8, and not the share itself."
        )
    if found == 4:
        raise Wrong("A value that is exactly at the bar reaches it.")
    if found != 3:
        raise Wrong(f"In {rising} three neurons reach 0.5 of the last value, and you say {found}.")
    if given([0.2, 0.9, 0.7, 0.95, 1.0], 0.85) != 2:
        raise Wrong("A curve may fall again. Take the first k at which it reaches the bar.")
    if given([0.3, 0.2, 0.9], 1.0) != 3:
        raise Wrong("The whole layer always reaches its own value: with a share of 1 it is needed.")


def _choose(answer, layer):
    G, d = gram_matrix(layer.X_train), layer.d
    order = answer([list(row) for row in G])
    if order is None:
        raise Wrong("choose returns nothing: is there a return, and is it reached?")
    order = list(order)
    if sorted(order) != list(range(d)):
        raise Wrong(f"Return each of the {d} neurons once, as places 0 to {d - 1}.")
    k = round(d / 10)
    yours = cka_curve(G, order)[k - 1]
    drawn = [cka_curve(G, one)[k - 1] for one in layer.orders]
    mean = sum(drawn) / len(drawn)
    said = f"Your {k} neurons have a CKA of {yours:.3f}, and random ones {mean:.3f} in the mean"
    if yours < mean:
        raise Wrong(f"{said}. That is worse: are the best ones at the end?")
    if yours <= max(drawn):
        raise Wrong(f"{said}, at most {max(drawn):.3f}: that may be luck.")
    mixed = random.Random(1).sample(range(d), d)
    again = [mixed[i] for i in answer([[G[a][b] for b in mixed] for a in mixed])]
    common = len({*order[:k]} & {*again[:k]})
    if common < k - 2:
        raise Wrong(
            f"{said}. But when the neurons are shuffled you choose others ({common} of {k} are the "
            "same): choose by what G says of a neuron, not by its place or by chance."
        )


CHECKS = {"cka": _cka, "k_star": _k_star, "choose": _choose}


def check(name, answer, layer):
    """Raise :class:`Wrong` if an answer is wrong, and say so if it is right."""
    CHECKS[name](answer, layer)
    print(f"{name}: right.")
