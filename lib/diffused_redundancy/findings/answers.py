"""The answer of each notebook to its question, in a sentence or two: what its page begins with.

Words follow from the numbers: each function says yes, no, or that it is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ..experiment.subsamples import FIFTH
from ..measures.curves import Curve, size_of
from ..measures.redundancy import Redundancy
from .claims import NOT_ASKED, Outcome, Verdict
from .depth import Depths, trends_of_first_net
from .lost_classes import Chosen
from .phrases import listed, spoken, yes_or_no


def similar(told: Verdict, curves: Mapping[str, Curve], share: float, unit: str = "tasks") -> str:
    """Whether random halves are similar to the whole, and from how many neurons on they are on
    average, where it takes fewest and where it takes most.

    Parameters
    ----------
    told : Verdict
        On claim 2, of similarity.
    curves : mapping from a case to Curve
        CKA of random neurons.
    share : float
        The CKA that is called similar.
    unit : str
        What the cases are.
    """
    if not told.outcomes:
        return "This run cannot say: random neurons were not measured."
    found = {case: curve.redundancy(share) for case, curve in curves.items()}
    reached = {case: one for case, one in found.items() if one.k is not None}
    text = (
        f"{yes_or_no(told.outcomes, unit)}, if similar means that every random part from half of "
        f"the layer on has a CKA of at least {share:g} with the whole."
    )
    if not reached:
        return text
    few, many = (
        choose(reached, key=lambda case: (reached[case].k or 0) / reached[case].d)
        for choose in (min, max)
    )
    text += f" On average it takes {_needed(reached[few], '95% interval ')} on {spoken(few)}"
    if few != many:
        text += f", and {_needed(reached[many])} on {spoken(many)}, where it takes most"
    return f"{text}."


def _needed(one: Redundancy, says: str = "") -> str:
    """The neurons needed, of all of them, with their interval, and what the brackets say it is."""
    ends = [round(one.d * (1 - end)) for end in (one.high, one.low)] if one.has_interval else []
    interval = f" ({says}{ends[0]} to {ends[1]})" if ends else ""
    return f"{one.k} of {one.d} neurons{interval}"


def useful(told: Sequence[Verdict], curves: Mapping[str, Curve], unit: str = "tasks") -> str:
    """For which cases a random fifth is about as useful as the whole layer, with what it keeps
    where that is least: among those for which it is, and among the rest.

    Parameters
    ----------
    told : sequence of Verdict
        On claim 1, of all cases together.
    curves : mapping from a case to Curve
        Accuracy of random neurons.
    unit : str
        What the cases are.
    """
    outcomes = [one for verdict in told for one in verdict.outcomes]
    if not outcomes:
        return "This run cannot say: in no case was a fifth of the layer measured."
    sizes = {(size_of(FIFTH, curves[one.case].d), curves[one.case].d) for one in outcomes}
    of = f" ({' of '.join(map(str, *sizes))})" if len(sizes) == 1 else ""
    parts = [
        _least([one for one in outcomes if bool(one.passed) is passed], curves)
        for passed in (True, False)
    ]
    (first, where), *rest = [part for part in parts if part]
    probe = next(iter(curves.values())).measure.partition("_")[0]
    more = "".join(f", and {share}{on}" for share, on in rest)
    return (
        f"{yes_or_no(outcomes, unit)}. With {probe} probes, a random fifth of the neurons{of} "
        f"keeps {first} of the whole layer's accuracy{where}{more}."
    )


def carried_over(told: Verdict, curves: Mapping[str, Curve], share: float, loss: float) -> str:
    """Whether what the paper says of networks of images holds elsewhere: how many neurons can be
    dropped while a share of the accuracy is kept, and what a random fifth keeps at least.

    Parameters
    ----------
    told : Verdict
        On claim 1.
    curves : mapping from a case to Curve
        Accuracy of random neurons.
    share : float
        Of the accuracy.
    loss : float
        What the verdict allows a fifth to lose.
    """
    part = _least(told.outcomes, curves)
    if part is None:
        return "This run cannot say: in no case was a fifth of the layer measured."
    found = [curves[one.case].redundancy(share) for one in told.outcomes]
    held = sum(bool(one.passed) for one in told.outcomes)
    some = all(one.low > 0 for one in found)
    lead = "Yes" if held == len(found) else "In part" if some else "That is open"
    values = [one.value for one in found]
    ends = list(dict.fromkeys(f"{end:.0%}" for end in (min(values), max(values))))
    probe = next(iter(curves.values())).measure.partition("_")[0]
    kept, where = part[0].replace("(", "(95% interval "), part[1]
    return (
        f"{lead}. With {probe} probes, {' to '.join(ends)} of the neurons"
        f"{', by task,' * (len(ends) > 1)} can be dropped at random while {share:.0%} of the whole "
        f"layer's accuracy is kept. A random fifth surely keeps {1 - loss:.0%} of it on "
        f"{held or 'none'} of {len(found)} {told.unit}: it keeps {kept}{where}."
    )


def _least(outcomes: Sequence[Outcome], curves: Mapping[str, Curve]) -> tuple[str, str] | None:
    """What a fifth keeps in the case of which it keeps least, and where that is."""
    kept = {one.case: curves[one.case].kept(size_of(FIFTH, curves[one.case].d)) for one in outcomes}
    if not kept:
        return None
    case = min(kept, key=lambda one: kept[one][0])
    share, low, high = kept[case]
    ends = f" ({low:.1%} to {high:.1%})" if low == low else ""
    return f"{share:.1%}{ends}", f" on {spoken(case)}{', the least of these' * (len(kept) > 1)}"


def governed(shares: pd.DataFrame, delta: float) -> str:
    """Whether networks or tasks explain more of the variance of DR, of accuracy and of CKA, from
    the table of :func:`.variance_shares`.
    """
    rows = shares[shares["DR of"].isin(["accuracy", "CKA"])] if "task" in shares else shares[:0]
    rows = rows[rows["tasks"] == "all"] if len(rows) else rows
    if rows.empty:
        return "This run cannot say: it takes two networks of one kind, and two tasks."
    parts, more = [], set()
    for row in rows.to_dict("records"):
        without = (
            f" ({row['least']:.1%} to {row['most']:.1%} with any one left out)"
            if row["least"] == row["least"]
            else ""
        )
        parts.append(
            f"for {row['DR of']} the tasks explain {row['task']:.1%} and the networks "
            f"{row['network']:.1%}{without}"
        )
        ends = [row[name] for name in ("network", "least", "most") if row[name] == row[name]]
        more.add(
            "task" if row["task"] > max(ends) else "network" if row["task"] < min(ends) else "open"
        )
    lead = {
        ("task",): "The task more than the network.",
        ("network",): "The network more than the task.",
        ("network", "task"): "The network or the task: that depends on the measure.",
    }.get(tuple(sorted(more)), "Whether the network or the task matters more is open.")
    return (
        f"{lead} Of the variance of DR({delta:g}) among {rows['networks'].iloc[0]} networks of one "
        f"width that differ in loss and seed, {'; '.join(parts)}."
    )


def nested(left: Mapping[str, Verdict], less: Mapping[str, Verdict]) -> str:
    """Whether nested layers are still redundant, and less so than others, by measure."""
    sentences = [
        f"{what}: {found}."
        for what, verdicts in (
            ("Still diffusely redundant", left),
            ("Less so than layers of other losses", less),
        )
        if (found := _by_word(verdicts))
    ]
    return " ".join(sentences) or "This run cannot say: it has no nested networks to compare."


def _by_word(verdicts: Mapping[str, Verdict]) -> str:
    """Yes and no by measure: ``yes by CKA; by accuracy, no on 1 and open on 2 of 3 tasks``."""
    short = {"holds": "yes", "does not hold": "no", "undecided": "open", "no power": "open"}
    by_word: dict[str, list[str]] = {}
    mixed = []
    for measure, one in verdicts.items():
        if one.word in short:
            by_word.setdefault(short[one.word], []).append(f"by {measure}")
        elif one.kind != NOT_ASKED:
            answers = [each.passed for each in one.outcomes]
            counts = {"yes": answers.count(True), "no": answers.count(False)}
            counts["open"] = answers.count(None)
            told = listed([f"{word} on {count}" for word, count in counts.items() if count])
            mixed.append(f"by {measure}, {told} of {len(answers)} {one.unit}")
    return "; ".join([*(f"{word} {listed(by)}" for word, by in by_word.items()), *mixed])


def who_pays(chosen: Sequence[Chosen], delta: float) -> str:
    """Whether the classes that lose most lose more than all do, with the task where they lose
    most.
    """
    if not chosen:
        return (
            f"This run cannot say: nowhere is {delta:.0%} of the accuracy kept with fewer neurons."
        )
    more = sum(one.low > one.mean for one in chosen)
    worst = max(chosen, key=lambda one: one.loss - one.mean)
    lead = (
        f"Some classes pay more than others, clearly so on {more} of {len(chosen)} tasks"
        if more
        else "It is open whether some classes pay more than others"
    )
    return (
        f"{lead}. Where {delta:.0%} of the mean accuracy is kept, the {worst.most} classes that "
        f"lose most lose {100 * worst.loss:.0f} points ({100 * worst.low:.0f} to "
        f"{100 * worst.high:.0f}) on {worst.task}; all classes lose {100 * worst.mean:.0f} in the "
        "mean."
    )


def in_depth(depths: Depths, delta: float) -> str:
    """On how many tasks DR of CKA grows, and falls, from the first layer to the last: as they are,
    and at equal width, for the first network.
    """
    trends = trends_of_first_net(depths, delta)
    if not trends:
        return "This run cannot say: it has one layer."
    width = depths[0][0].equal[0].d
    own, equal = ([by_kind[kind] for by_kind in trends] for kind in ("own", "equal"))
    return (
        f"From the first layer to the last, DR({delta:g}) of CKA {_directions(own)} "
        f"({depths[0][0].whole.net.title}). With {width} random neurons of each layer, it "
        f"{_directions(equal)}."
    )


def _directions(trends: Sequence[str]) -> str:
    """On how many tasks something grows and falls, from words such as :func:`.depth.trend` says."""
    counts = {word: sum(one.startswith(word) for one in trends) for word in ("grows", "falls")}
    told = [f"clearly {word} on {count}" for word, count in counts.items() if count]
    tasks = "one task" if len(trends) == 1 else f"{len(trends)} tasks"
    if not told:
        return f"does not clearly grow or fall on any of {tasks}"
    return f"{' and '.join(told)} of {tasks}"
