"""The answer of each notebook to its question, in a sentence or two: what its page begins with.

Words follow from the numbers: each function says yes, no, or that it is open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ..experiment.subsamples import FIFTH
from ..measures.curves import Curve, size_of
from ..measures.redundancy import Redundancy
from ..uncertainty.trend import Trend
from .claims import NOT_ASKED, Outcome, Verdict, yes_or_no
from .comparisons import OPPOSITE, Difference
from .depth import FALLS, GROWS, KINDS, Depths, counted, equal_widths
from .lost_classes import FEWEST_CLASSES, Chosen, left_out, on_tasks
from .phrases import first_listed, listed, spoken, with_interval


def similar(told: Verdict, curves: Mapping[str, Curve], share: float, unit: str = "tasks") -> str:
    """Whether the random parts that were tried are similar to the whole from half of the layer on,
    and what share of the neurons is so on average: where that is least and where it is largest.

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
    tried = min(len(curve.seeds) for curve in curves.values())
    text = (
        f"{yes_or_no(told.outcomes, unit)}, if similar means that each random part that was tried, "
        f"{tried} of every size from half of the layer on, has a CKA of at least {share:g} with "
        "the whole."
    )
    found = {case: curve.redundancy(share) for case, curve in curves.items()}
    needed = {case: (one.k or 0) / one.d for case, one in found.items() if one.k is not None}
    if not needed:
        return text
    few, many = (choose(needed, key=needed.__getitem__) for choose in (min, max))
    text += f" On average it takes {_needed(found[few], lead=True)} on {spoken(few)}"
    if few != many:
        text += f" to {_needed(found[many])} on {spoken(many)}"
    return f"{text}."


def _needed(one: Redundancy, *, lead: bool = False) -> str:
    """The share of the neurons needed, with its interval, and their number; ``lead`` says what
    these are.
    """
    what, says = (" of the neurons", "95% interval ") if lead else ("", "")
    ends = f"{says}{1 - one.high:.0%} to {1 - one.low:.0%}; " if one.has_interval else ""
    return f"{(one.k or 0) / one.d:.0%}{what} ({ends}{one.k} of {one.d})"


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
        f"layer's accuracy is kept. A random fifth keeps {1 - loss:.0%} of it, by its whole "
        f"interval, on {held or 'none'} of {len(found)} {told.unit}: it keeps {kept}{where}."
    )


def _least(outcomes: Sequence[Outcome], curves: Mapping[str, Curve]) -> tuple[str, str] | None:
    """What a fifth keeps in the case of which it keeps least, and where that is."""
    kept = {one.case: curves[one.case].kept(size_of(FIFTH, curves[one.case].d)) for one in outcomes}
    if not kept:
        return None
    case = min(kept, key=lambda one: kept[one][0])
    where = "with" if ", " in case else "on"  # the name of a network, or of a task alone
    least = ", the least of these" if len(kept) > 1 else ""
    return with_interval(*kept[case], ".1%"), f" {where} {spoken(case)}{least}"


ASKED = {"accuracy": "accuracy", "cka": "CKA"}
"""The measures that answers tell of, and their names."""


def governed(
    widths: Mapping[str, Mapping[str, Trend]],
    losses: Sequence[Difference],
    larger: Sequence[Difference],
) -> str:
    """On how many tasks DR clearly depends on the width, on the loss and on the data set.

    Parameters
    ----------
    widths : mapping from a measure to trends by task
        See :func:`.width_trends`.
    losses : sequence of Difference
        Every loss against the reference.
    larger : sequence of Difference
        Larger data sets of pre-training against smaller ones.
    """
    sentences = [_of_width(widths), _of_loss(losses), _of_data(larger)]
    return " ".join(filter(None, sentences)) or (
        "This run cannot say: it compares no networks that differ in width only, in loss only, or "
        "in data set only."
    )


def _of_width(widths: Mapping[str, Mapping[str, Trend]]) -> str:
    """On how many tasks wider layers are clearly more redundant; empty without two widths."""
    parts: dict[str, list[str]] = {}
    for measure, name in ASKED.items():
        found = [one.outcome for one in widths.get(measure, {}).values() if one.pairs]
        if not found:
            continue
        if "no power" in found:
            return "Whether the width matters cannot be tested with so few networks."
        less = found.count("lower")
        words = f"on {found.count('higher')} of {len(found)} tasks"
        parts.setdefault(words + (f" (clearly less on {less})" if less else ""), []).append(name)
    told = [f"{words} by {listed(names)}" for words, names in parts.items()]
    return f"Wider layers are clearly more redundant {listed(told)}." if told else ""


def _of_loss(losses: Sequence[Difference]) -> str:
    """Which losses clearly differ from the reference, and on how many tasks; empty without any."""
    parts, tasks = [], len({one.task for one in losses})
    for measure, name in ASKED.items():
        these = [one for one in losses if one.measure == measure]
        clear = Counter((one.outcome, one.group) for one in these if one.outcome in OPPOSITE)
        groups: dict[tuple[str, int], list[str]] = {}
        for (outcome, group), count in clear.items():
            groups.setdefault((outcome, count), []).append(group)
        told = [
            f"{outcome} with {first_listed(some)} (on {count} of {tasks})"
            for (outcome, count), some in sorted(groups.items())
        ]
        if these:
            clearly = f"redundancy is clearly {' and '.join(told)}"
            parts.append(f"by {name} {clearly if told else 'no loss clearly differs'}")
    return f"Compared with {losses[0].against} training, {'; '.join(parts)}." if parts else ""


def _of_data(larger: Sequence[Difference]) -> str:
    """In how many comparisons DR is clearly higher after more data; empty without any."""
    parts = []
    for measure, name in ASKED.items():
        found = [one.outcome for one in larger if one.measure == measure]
        if found:
            lower = found.count("lower")
            parts.append(
                f"by {name} in {found.count('higher')} of {len(found)} comparisons"
                + (f" (clearly lower in {lower})" if lower else "")
            )
    if not parts:
        return ""
    return f"With a larger data set of pre-training, redundancy is clearly higher {listed(parts)}."


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


def who_pays(chosen: Sequence[Chosen], delta: float, few: Sequence[str] = ()) -> str:
    """Whether the classes that lose most lose more than all do, with the task where they lose
    most. ``few``: the tasks that have too few classes for it.
    """
    if not chosen:
        return (
            f"This run cannot say: it takes a task of {FEWEST_CLASSES} classes or more, each with "
            f"several test images, on which fewer neurons keep {delta:.0%} of the accuracy."
        )
    more = sum(one.low > one.mean for one in chosen)
    worst = max(chosen, key=lambda one: one.loss - one.mean)
    lead = (
        f"Some classes pay more than others, clearly so on {on_tasks(more, len(chosen), few)}"
        if more
        else "It is open whether some classes pay more than others"
    )
    return (
        f"{lead}. Where {delta:.0%} of the mean accuracy is kept, the {worst.most} classes that "
        f"lose most lose {100 * worst.loss:.0f} points ({100 * worst.low:.0f} to "
        f"{100 * worst.high:.0f}) on {worst.task}; all classes lose {100 * worst.mean:.0f} in the "
        f"mean.{''.join(f' ({line}.)' for line in left_out(few))}"
    )


def in_depth(depths: Depths, delta: float) -> str:
    """In how many cases DR of CKA grows, and falls, from the first layer to the last: as layers
    are, at equal width, and with standardized neurons.
    """
    counts = [counted(depths, delta, kind) for kind in KINDS]
    cases = counts[0][-1]
    if not cases:
        return "This run cannot say: it has one layer."
    own, equal, standardized = (
        f"{GROWS} in {_of_all(up, cases)} and {FALLS} in {_of_all(down, cases)}"
        for up, down, _ in counts
    )
    return (
        f"Of {cases} cases (each network on each task), redundancy clearly {own} from the first "
        f"layer to the last. At equal width, with {equal_widths(depths)} random neurons of each "
        f"layer, it {equal}; with these neurons standardized, it {standardized}. Redundancy "
        f"here is DR({delta:g}) of CKA: the share of the neurons that can be dropped while a "
        f"random rest has a CKA of {delta:g} with the whole."
    )


def _of_all(count: int, cases: int) -> str:
    """A number of cases: ``none``, ``all 4``, or the number."""
    return f"all {cases}" if count == cases > 1 else str(count or "none")
