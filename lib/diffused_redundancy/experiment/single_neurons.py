"""What removing each neuron of a layer does to CKA and to the ridge probe, and whether removing all
that seem to harm helps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from ..measures.chosen_selections import squared_norms
from ..measures.cka_removal import cka_without_each, removal_by_images
from ..measures.image_groups import group_means, halves_of
from ..measures.statistics import SufficientStatistics
from ..probes.neuron_removal import without_each, without_some
from ..probes.probe import Arrays
from ..store.files import sha256_of
from ..uncertainty.bootstrap import interval_of_mean
from ..uncertainty.effects import (
    ByChance,
    Effects,
    below_at_once,
    by_chance,
    effects_of,
    rank_correlation,
    wrong_signs,
)
from .probed_layer import ProbedLayer

DRAWS = 10
"""Random sets of as many neurons that a removed set is held against."""

OTHER_PENALTIES = (0.1, 10.0)
"""Times the penalty that was chosen, to see what depends on it."""

SEEM = "seem to harm the loss"
RULES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "clearly harm the loss": (lambda lost: effects_of(lost).below, "loss"),
    SEEM: (lambda lost: lost.mean(0) < 0, "loss"),
    "seem to harm accuracy": (lambda lost: lost.mean(0) < 0, "right"),
}
"""Rules by which neurons may seem to harm: from what is lost without each, on each image."""

Interval = tuple[float, float, float]
"""A value and the ends of its 95% interval."""


@dataclass(frozen=True)
class Removal:
    """A set of neurons removed at once: chosen on one half of the test images by a rule, judged on
    the other half, and the other way round.

    Attributes
    ----------
    rule : str
        In words.
    neurons : tuple of int
        How many each half chose.
    loss, accuracy : Interval
        What is lost: the growth of the squared loss, as a share of the whole layer's, and the fall
        of accuracy. Negative where removing helps. Intervals are over test images, with the sets
        held fixed.
    random_loss, random_accuracy : float
        The same for as many neurons at random, the mean of ten draws.
    saved_loss, saved_accuracy : Interval
        What is lost less that of random neurons.
    """

    rule: str
    neurons: tuple[int, int]
    loss: Interval
    accuracy: Interval
    random_loss: float
    random_accuracy: float
    saved_loss: Interval
    saved_accuracy: Interval


@dataclass(frozen=True)
class SingleNeurons:
    """What is lost without each neuron of a layer.

    Attributes
    ----------
    loss, accuracy : Effects
        The growth of the ridge probe's squared loss on the test images, as a share of the whole
        layer's, and the fall of its accuracy: positive where a neuron helps.
    loss_by_chance, accuracy_by_chance : ByChance
    wrong_signs : float
        The share of neurons named by their loss that have the wrong sign, simulated.
    full_loss, full_accuracy : float
        The whole layer's.
    objective : ndarray (d,)
        The growth of the objective on the train images, as a share.
    cka : Effects
        1 - CKA with the whole layer, over groups of train images. (It cannot be below 0.)
    variance, norm : ndarray (d,)
        Of each neuron over the train images; the norm is divided by the root of their number.
    most_loss, most_accuracy : Interval
        Of the neuron whose loss matters most: found on one half of the test images and measured on
        the other, and the other way round.
    ranks : mapping
        Spearman's correlation of what is lost in loss with the ``variance``, the ``norm`` and
        ``cka``, with its interval over test images.
    again, again_trained : float
        Spearman's correlation of what is lost in loss on the two halves of the test images, by one
        probe, and by two probes trained on one half of the train images each.
    removals : tuple of Removal
    """

    loss: Effects = field(repr=False)
    accuracy: Effects = field(repr=False)
    loss_by_chance: ByChance = field(repr=False)
    accuracy_by_chance: ByChance = field(repr=False)
    wrong_signs: float
    full_loss: float
    full_accuracy: float
    objective: np.ndarray = field(repr=False)
    cka: Effects = field(repr=False)
    variance: np.ndarray = field(repr=False)
    norm: np.ndarray = field(repr=False)
    most_loss: Interval
    most_accuracy: Interval
    ranks: Mapping[str, Interval]
    again: float
    again_trained: float
    removals: tuple[Removal, ...] = field(repr=False)

    @property
    def d(self) -> int:
        """Neurons."""
        return len(self.variance)


def without_each_neuron(
    layer: ProbedLayer, *, times: float = 1.0, of_train: int | None = None
) -> Arrays:
    """What the ridge probe and CKA lose without each neuron, on each test image; kept in the cache.

    Parameters
    ----------
    layer : ProbedLayer
    times : float
        What the penalty that was chosen is multiplied by.
    of_train : int, optional
        0 or 1: of a probe on one half of the train images, every second one of a class.

    Returns
    -------
    dict of ndarray
        That of :func:`.without_each`; ``cka`` (d,) and ``cka_by_images`` (groups, d); ``variance``
        and ``norm`` of each neuron, (d,); ``labels`` of the test images, (m,).
    """
    alpha = times * layer.ridge_penalty.penalty

    def compute() -> Arrays:
        one = layer.features.check_labelled()
        images = len(one.X_train) // one.views
        if of_train is not None:
            half = halves_of(np.asarray(one.y_train)[:images])[of_train]
            rows = np.flatnonzero(np.tile(half, one.views))
            X, y = (np.asarray(part)[rows] for part in (one.X_train, one.y_train))
            one = replace(one, X_train=X, y_train=y)
        arrays, s = without_each(layer.ridge_probe_on(one, alpha)), layer.statistics
        return {
            **arrays,
            "loss": arrays["loss"].astype(np.float32),
            **_sizes_and_cka(s, layer.features.X_train[:images]),
            "labels": np.asarray(one.y_test, dtype=np.int64),
        }

    what = {
        "measure": "without each neuron",
        "penalty": alpha,
        "standardize": layer.standardize,
        "of train": of_train,
    }
    return layer.measured_once(what, compute, module="single_neurons")


def _sizes_and_cka(statistics: SufficientStatistics, X: np.ndarray) -> Arrays:
    norms = (squared_norms(statistics) / statistics.n).sqrt()
    return {
        "cka": cka_without_each(statistics),
        "cka_by_images": removal_by_images(statistics, X),
        "variance": (statistics.gram.diagonal() / statistics.n).cpu().numpy(),
        "norm": norms.cpu().numpy(),
    }


def without_neurons(
    layer: ProbedLayer, dropped: np.ndarray, *, times: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors of the test images and whether they are guessed right, (g, m) each, by ridge
    probes refitted without some neurons; ``dropped``, bool (g, d), says which.
    """
    alpha = times * layer.ridge_penalty.penalty

    def compute() -> Arrays:
        probe = layer.ridge_probe_on(layer.features.check_labelled(), alpha)
        sets, which = np.unique(dropped, axis=0, return_inverse=True)
        losses, rights = zip(*(without_some(probe, one) for one in sets), strict=True)
        return {"loss": np.stack(losses)[which.ravel()], "right": np.stack(rights)[which.ravel()]}

    what = {
        "measure": "without neurons",
        "penalty": alpha,
        "standardize": layer.standardize,
        "dropped": sha256_of(np.packbits(dropped).tobytes()),
    }
    found = layer.measured_once(what, compute, module="single_neurons")
    return found["loss"], found["right"]


def single_neurons(layer: ProbedLayer) -> SingleNeurons:
    """Remove each neuron of a layer in turn.

    Notes
    -----
    Everything is over test images, which are the unit of intervals and p values, with the trained
    probe held fixed. What is chosen by its effect, such as the neuron that matters most, is chosen
    on one half of them and measured on the other.
    """
    found = without_each_neuron(layer)
    full_loss, full_right = found["full_loss"], found["full_right"].astype(float)
    loss = found["loss"] / np.float32(full_loss.mean())
    accuracy = -found["right"].astype(np.float32)
    halves = halves_of(found["labels"])
    most = [int(loss[half].mean(0).argmax()) for half in halves]
    by_group = group_means(torch.from_numpy(loss.T.copy())).numpy().T
    effects = effects_of(loss)
    of_half = [loss[half].mean(0) for half in halves]
    trained = [
        without_each_neuron(layer, of_train=side)["loss"][half].mean(0)
        for side, half in enumerate(halves)
    ]
    return SingleNeurons(
        effects,
        effects_of(accuracy),
        by_chance(loss),
        by_chance(accuracy),
        wrong_signs(loss),
        float(full_loss.mean()),
        float(full_right.mean()),
        found["objective"],
        effects_of(found["cka_by_images"]),
        found["variance"],
        found["norm"],
        _judged(loss[:, most].T, halves),
        _judged(accuracy[:, most].T, halves),
        {name: rank_correlation(by_group, found[name]) for name in ("variance", "norm", "cka")},
        float(spearmanr(*of_half).statistic),
        float(spearmanr(*trained).statistic),
        tuple(removal(layer, found, rule) for rule in RULES),
    )


def _judged(by_choice: np.ndarray, halves: tuple[np.ndarray, np.ndarray]) -> Interval:
    """The mean over all images, with its interval, of what the other half has chosen: ``by_choice``
    holds the values of all images by the choice of the first half, and of the second, (2, m).
    """
    each = np.concatenate([by_choice[0, halves[1]], by_choice[1, halves[0]]]).astype(float)
    return float(each.mean()), *interval_of_mean(each)


def removal(layer: ProbedLayer, found: Arrays, rule: str, *, times: float = 1.0) -> Removal:
    """What is lost without all neurons that seem to harm, by a rule.

    Parameters
    ----------
    layer : ProbedLayer
    found : dict of ndarray
        Of :func:`without_each_neuron`, with the penalty as here.
    rule : str
        A name in :data:`RULES`.
    times : float
        What the penalty that was chosen is multiplied by.
    """
    full_loss, full_right = found["full_loss"], found["full_right"].astype(float)
    halves = halves_of(found["labels"])
    judge, of = RULES[rule]
    sign = 1 if of == "loss" else -1
    harmful = np.stack([judge(sign * found[of][half].astype(np.float32)) for half in halves])
    # one neuron stays in any case
    best = np.stack([found["loss"][half].mean(0).argmax() for half in halves])
    harmful[[0, 1], best] = False
    rng = np.random.default_rng(0)
    at_random = [rng.permutation(one) for one in harmful for _ in range(DRAWS)]
    losses, rights = without_neurons(layer, np.stack([*harmful, *at_random]), times=times)
    lost = (losses - full_loss) / full_loss.mean(), full_right - rights
    own = [each[:2] for each in lost]
    others = [each[2:].reshape(2, DRAWS, -1).mean(1) for each in lost]
    return Removal(
        rule,
        (int(harmful[0].sum()), int(harmful[1].sum())),
        loss=_judged(own[0], halves),
        accuracy=_judged(own[1], halves),
        random_loss=_judged(others[0], halves)[0],
        random_accuracy=_judged(others[1], halves)[0],
        saved_loss=_judged(own[0] - others[0], halves),
        saved_accuracy=_judged(own[1] - others[1], halves),
    )


def penalties_table(layers: Mapping[str, ProbedLayer]) -> pd.DataFrame:
    """How many neurons help and harm, and what is lost without all that seem to harm the loss, at
    other penalties than the one chosen: one row per case and penalty.
    """
    rows = []
    for case, layer in layers.items():
        for times in OTHER_PENALTIES:
            found = without_each_neuron(layer, times=times)
            effects = effects_of(found["loss"])
            one = removal(layer, found, SEEM, times=times)
            row = {"case": case, "times": times, "full_accuracy": found["full_right"].mean()}
            row |= {"help": effects.above.sum(), "harm": effects.below.sum()}
            rows.append({**row, **_columns(one)})
    return pd.DataFrame(rows)


def _columns(one: Removal) -> dict[str, Any]:
    """A removal as columns of a table."""
    row: dict[str, Any] = dict(zip(("first_half", "second_half"), one.neurons, strict=True))
    for name in ("loss", "accuracy", "saved_loss", "saved_accuracy"):
        value, low, high = getattr(one, name)
        row |= {name: value, f"{name}_low": low, f"{name}_high": high}
    return row | {name: getattr(one, name) for name in ("random_loss", "random_accuracy")}


def counts_table(layers: Mapping[str, Mapping[str, ProbedLayer]]) -> pd.DataFrame:
    """How many neurons clearly help, and clearly harm, by their loss: one row per network and case,
    from layers by these.

    ``help`` and ``harm`` are at a false discovery rate over the neurons of one row, ``at_once``
    those that harm at one over all rows; ``excluded`` is the least harm that no neuron of the row
    does, at 95% for all neurons of all rows, and ``largest`` the largest help, as shares of the
    loss.
    """
    found: dict[tuple[str, str], Effects] = {}
    for net, cases in layers.items():
        for case, layer in cases.items():
            arrays = without_each_neuron(layer)
            found[net, case] = effects_of(arrays["loss"] / np.float32(arrays["full_loss"].mean()))
            layer.release()
    family = sum(len(one.mean) for one in found.values())
    harmful = below_at_once(list(found.values()))
    return pd.DataFrame(
        {
            "net": net,
            "case": case,
            "neurons": len(one.mean),
            "help": one.above.sum(),
            "harm": one.below.sum(),
            "at_once": named.sum(),
            "excluded": max(0.0, -one.bound(family).min()),
            "largest": one.mean.max(),
        }
        for ((net, case), one), named in zip(found.items(), harmful, strict=True)
    )


def neurons_table(found: Mapping[str, SingleNeurons]) -> pd.DataFrame:
    """One row per neuron: what is lost without it, positive where it helps."""
    frames = []
    for case, one in found.items():
        columns = {
            f"{name}_{what}": getattr(effects, what)
            for name, effects in (("loss", one.loss), ("accuracy", one.accuracy), ("cka", one.cka))
            for what in ("mean", "low", "high", "p", "q")
        }
        sizes = {"variance": one.variance, "norm": one.norm}
        table = pd.DataFrame(
            {"neuron": range(one.d), **sizes, **columns, "objective": one.objective}
        )
        table.insert(0, "case", case)
        frames.append(table)
    return pd.concat(frames, ignore_index=True)


def removal_table(found: Mapping[str, SingleNeurons]) -> pd.DataFrame:
    """One row per case and rule: what is lost without all neurons that seem to harm it."""
    return pd.DataFrame(
        {"case": case, "rule": each.rule, **_columns(each)}
        for case, one in found.items()
        for each in one.removals
    )


def summary_table(found: Mapping[str, SingleNeurons]) -> pd.DataFrame:
    """One row per case: how many neurons help and harm, how much one matters, and what tells."""
    rows = []
    for case, one in found.items():
        row: dict[str, Any] = {"case": case, "neurons": one.d, "wrong_signs": one.wrong_signs}
        row |= {"full_loss": one.full_loss, "full_accuracy": one.full_accuracy}
        for name, effects, chance in (
            ("loss", one.loss, one.loss_by_chance),
            ("accuracy", one.accuracy, one.accuracy_by_chance),
        ):
            row |= {f"{name}_help": effects.above.sum(), f"{name}_harm": effects.below.sum()}
            row |= {f"{name}_help_by_chance": chance.above.mean()}
            row |= {f"{name}_harm_by_chance": chance.below.mean()}
            row |= {f"{name}_below_0": (effects.mean < 0).mean()}
            row |= {f"{name}_below_0_by_chance": chance.raised}
        row |= {"cka_help": one.cka.above.sum()}
        intervals = {"most_loss": one.most_loss, "most_accuracy": one.most_accuracy}
        intervals |= {f"rank_correlation_{name}": rho for name, rho in one.ranks.items()}
        for name, (value, low, high) in intervals.items():
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        rows.append({**row, "again": one.again, "again_trained": one.again_trained})
    return pd.DataFrame(rows)
