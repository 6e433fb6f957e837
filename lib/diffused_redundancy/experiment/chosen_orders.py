"""Orders of neurons that are chosen by looking at the train images, against random ones and the
luckiest of many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from ..measures.cka import cka_curve
from ..measures.curves import Curve, size_of
from ..measures.gains import Gain, gain_at, outside
from ..measures.image_groups import halves_of
from ..measures.selections import SELECTIONS, orderings, orders
from ..probes.probe import Arrays
from ..uncertainty.bootstrap import interval_of_mean
from ..uncertainty.comparison import LEVEL, holm, mean_with_interval
from .probed_layer import ProbedLayer

FRACTIONS = (0.05, 0.1, 0.2)
"""Sizes at which gains are stated: these shares of the layer, rounded as the authors do."""

LUCKY = 1000
"""Random orders whose CKA tells how lucky one can be."""

FEW = 20
"""Random orders of each further network."""


@dataclass(frozen=True)
class OrderGain:
    """The gain of one order over random ones at one size.

    Attributes
    ----------
    measure : str
        ``ridge_accuracy``, or ``cka`` on held-out images.
    selection : str
    task : str
        On whose train images it was chosen.
    fraction : float
        Of the layer; NaN for all directions of a selection that has fewer.
    gain : Gain
    """

    measure: str
    selection: str
    task: str
    fraction: float
    gain: Gain


def _gains(chosen: Curve, random: Curve, task: str) -> Iterator[OrderGain]:
    sizes = {size_of(fraction, random.d): fraction for fraction in FRACTIONS}
    last = int(chosen.sizes[-1])
    if last < max(sizes):  # there are fewer directions
        sizes.setdefault(last, float("nan"))
    for k, fraction in sizes.items():
        if chosen.column(k) is None or random.column(k) is None or k == random.d:
            continue
        gain = gain_at(chosen, random, k)
        yield OrderGain(random.measure, chosen.selection, task, fraction, gain)


def own_gains(curves: Mapping[str, Mapping[str, Curve]]) -> list[OrderGain]:
    """The gains of every selection but random neurons, on the task it was chosen on.

    Parameters
    ----------
    curves : mapping from a task to a mapping from a selection to Curve
        Of one measure, ``random`` among them.
    """
    return [
        one
        for task, kinds in curves.items()
        for name, curve in kinds.items()
        if name != "random"
        for one in _gains(curve, kinds["random"], task)
    ]


def less_random(kinds: Mapping[str, Curve]) -> dict[str, np.ndarray]:
    """The values of every selection less the mean of random orders, at its sizes."""
    random = kinds["random"]
    return {
        name: curve.values - random.mean[np.searchsorted(random.sizes, curve.sizes)]
        for name, curve in kinds.items()
    }


def looking() -> list[str]:
    """The selections of neurons that look at the train images.

    >>> "pivoted_qr" in looking(), "random" in looking(), "first" in looking()
    (True, False, False)
    """
    return [name for name, kind in SELECTIONS.items() if kind.looks]


def _sizes(layer: ProbedLayer) -> list[int]:
    return sorted({size_of(fraction, layer.d) for fraction in FRACTIONS})


def gains_of_layer(
    task: str,
    layer: ProbedLayer,
    selections: Sequence[str],
    seeds: Sequence[int],
    *,
    times: float = 1.0,
) -> list[OrderGain]:
    """The gains of every selection on one layer, against few random orders, for a part of the time;
    with the penalty that was chosen ``times`` a number. Those in CKA are without intervals over
    images.
    """
    names = dict.fromkeys(["random", *selections])
    seeds_of = {name: orders(seeds, FEW) if name == "random" else seeds for name in names}
    cka = _held_out_cka(layer, seeds_of)
    ends = {int(curve.sizes[-1]) for curve in cka.values()}
    sizes = _sizes(layer)
    sizes = sorted({*sizes, *(k for k in ends if k < max(sizes))})
    how: dict[str, Any] = {"sizes": sizes, "penalty": times * layer.ridge_penalty.penalty}
    accuracy = {name: layer.ridge(name, seeds_of[name], **how) for name in names}
    layer.release()
    return own_gains({task: cka}) + own_gains({task: accuracy})


def _held_out_cka(layer: ProbedLayer, seeds_of: Mapping[str, Sequence[int]]) -> dict[str, Curve]:
    """CKA on held-out images, by selection, without what images do to it."""

    def compute() -> Arrays:
        chosen = {name: orderings(name, layer.statistics, s) for name, s in seeds_of.items()}
        return {name: cka_curve(layer.test_statistics, of).values for name, of in chosen.items()}

    what = {"measure": "held-out CKA", "seeds": {name: list(s) for name, s in seeds_of.items()}}
    found = layer.measured_once(what, compute, module="chosen_orders")
    return {
        name: Curve(
            "cka",
            name,
            tuple(range(len(values))),
            np.arange(1, values.shape[1] + 1),
            values,
            layer.d,
            1.0,
        )
        for name, values in found.items()
    }


@dataclass(frozen=True)
class Luck:
    """How lucky one can be with random orders at one size.

    Attributes
    ----------
    measure, task : str
    k, orders : int
    mean, worst, low, high, best : float
        Over the orders; ``low`` and ``high`` are the 1st and the 99th percentile. Of CKA, on the
        train images.
    seen : float
        What the best order gains over the mean, on the images by which it was found the best: for
        CKA the train images, for accuracy one half of the test images.
    left, left_low, left_high : float
        What is left of it on others, with the 95% interval over images: for CKA on the test images,
        for accuracy on the other half.
    """

    measure: str
    task: str
    k: int
    orders: int
    mean: float
    worst: float
    low: float
    high: float
    best: float
    seen: float
    left: float
    left_low: float
    left_high: float


def _luck(
    measure: str,
    task: str,
    k: int,
    values: np.ndarray,
    seen: float,
    left: tuple[float, float, float],
) -> Luck:
    low, high = np.quantile(values, [0.01, 0.99])
    return Luck(
        measure,
        task,
        k,
        len(values),
        mean=float(values.mean()),
        worst=float(values.min()),
        low=float(low),
        high=float(high),
        best=float(values.max()),
        seen=float(seen),
        left=left[0],
        left_low=left[1],
        left_high=left[2],
    )


def luck_of_cka(task: str, layer: ProbedLayer, on_train: Curve, held_out: Curve) -> list[Luck]:
    """The luck of CKA, from the same random orders on train images and on held-out ones. The best
    order is another one at each size.
    """
    found = []
    for k in _sizes(layer):
        values = on_train.at(k)
        best = on_train.seeds[int(values.argmax())]
        left = gain_at(layer.cka("random", [best], held_out=True), held_out, k)
        seen = float(values.max() - values.mean())
        found.append(_luck("cka", task, k, values, seen, (left.gain, left.low, left.high)))
    return found


def luck_of_accuracy(task: str, layer: ProbedLayer, seeds: Sequence[int]) -> list[Luck]:
    """The luck of ridge accuracy: the best order on one half of the test images is judged on the
    other half, and the other way round.
    """
    sizes, alpha = _sizes(layer), layer.ridge_penalty.penalty

    def compute() -> Arrays:
        one = layer.features.check_labelled()
        probe = layer.ridge_probe_on(one, alpha)
        chosen = orderings("random", probe.statistics, seeds)
        bits = probe.evaluate(chosen, sizes, by_class=False, hits=True)["hits"]
        labels = np.asarray(one.y_test)
        right = np.unpackbits(bits, axis=2, count=len(labels)).astype(bool)
        halves = halves_of(labels)
        seen, left = [], []
        for of_size in right.swapaxes(0, 1):
            gained = of_size - of_size.mean(0)
            on = [gained[of_size[:, half].mean(1).argmax()] for half in halves]
            seen.append(np.mean([on[0][halves[0]].mean(), on[1][halves[1]].mean()]))
            others = np.concatenate([on[0][halves[1]], on[1][halves[0]]])
            left.append((others.mean(), *interval_of_mean(others)))
        return {"values": right.mean(2), "seen": np.array(seen), "left": np.array(left)}

    what = {
        "measure": "luck",
        "seeds": list(seeds),
        "sizes": sizes,
        "penalty": alpha,
        "standardize": layer.standardize,
    }
    found = layer.measured_once(what, compute, module="chosen_orders")
    rows = zip(sizes, found["values"].T, found["seen"], found["left"].tolist(), strict=True)
    return [_luck("ridge_accuracy", task, k, *row) for k, *row in rows]


def gains_table(gains: Sequence[OrderGain]) -> pd.DataFrame:
    """One row per gain; p values are corrected by Holm's procedure for all gains of a measure."""
    kept = [field.name for field in fields(OrderGain) if field.name != "gain"]
    columns = [*kept, *(field.name for field in fields(Gain))]
    rows = [{**{name: getattr(one, name) for name in kept}, **asdict(one.gain)} for one in gains]
    return _with_holm(pd.DataFrame(rows, columns=columns))


def _with_holm(table: pd.DataFrame) -> pd.DataFrame:
    corrected = table.groupby("measure", sort=False)["p"].transform(
        lambda p: pd.Series(holm(p), index=p.index)
    )
    return table.assign(p_holm=corrected)


def outside_table(curves: Mapping[str, Mapping[str, Curve]]) -> pd.DataFrame:
    """At how many sizes below d, and from which to which, each selection lies above, and below, all
    random orders.
    """
    rows = []
    for task, kinds in curves.items():
        for name, curve in kinds.items():
            if name == "random":
                continue
            kept = curve.sizes < curve.d
            sizes, where = curve.sizes[kept], outside(curve, kinds["random"])[kept]
            row = {"measure": curve.measure, "task": task, "selection": name, "sizes": len(sizes)}
            for side, sign in (("above", 1), ("below", -1)):
                at = sizes[where == sign]
                ends = (at[0], at[-1]) if len(at) else (None, None)
                row |= {side: len(at), f"{side}_from": ends[0], f"{side}_to": ends[1]}
            rows.append(row)
    sides = [f"{side}{end}" for side in ("above", "below") for end in ("", "_from", "_to")]
    return pd.DataFrame(rows, columns=["measure", "task", "selection", "sizes", *sides])


def networks_table(gains: Mapping[str, Sequence[OrderGain]]) -> pd.DataFrame:
    """Gains over networks: their mean with Student's t interval, one row per measure, task,
    selection and size; p values are corrected for all of a measure. ``gains`` are by network.
    """
    every = pd.concat([gains_table(some).assign(net=net) for net, some in gains.items()])
    keys = ["measure", "task", "selection", "fraction"]
    rows = []
    for key, some in every.groupby(keys, sort=False, dropna=False):
        mean, low, high = mean_with_interval(some["gain"])
        p = np.nan
        if len(some) > 1:
            half, df = high - mean, len(some) - 1
            apart = abs(mean) * t.isf(LEVEL / 2, df) / half if half > 0 else np.inf
            p = float(2 * t.sf(apart, df)) if mean else 1.0
        rows.append(
            {
                **dict(zip(keys, key, strict=True)),
                **{"gain": mean, "low": low, "high": high, "p": p},
                **{"networks": len(some), "above_0": int((some["gain"] > 0).sum())},
            }
        )
    columns = [*keys, "gain", "low", "high", "p", "networks", "above_0"]
    return _with_holm(pd.DataFrame(rows, columns=columns))


def luck_table(luck: Iterable[Luck]) -> pd.DataFrame:
    """One row per measure, task and size."""
    return pd.DataFrame(map(asdict, luck))


def penalties_table(
    layers: Mapping[str, ProbedLayer], selections: Sequence[str], seeds: Sequence[int]
) -> pd.DataFrame:
    """The gains in accuracy of neurons that were chosen, with the penalty and with one ten times
    weaker and stronger, all against the same few random orders, and how far each has ``moved``;
    ``layers`` are by task.
    """
    chosen = [name for name in selections if name in looking()]
    frames = [
        gains_table(
            [
                one
                for task, layer in layers.items()
                for one in gains_of_layer(task, layer, chosen, seeds, times=times)
                if one.measure != "cka"
            ]
        ).assign(times=times)
        for times in (1.0, 0.1, 10.0)
    ]
    chosen_penalty = frames[0]["gain"]
    return pd.concat(
        [frame.assign(moved=frame["gain"] - chosen_penalty) for frame in frames], ignore_index=True
    )
