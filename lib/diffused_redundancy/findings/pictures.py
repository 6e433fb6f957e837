"""Pictures of the thing itself: which images are shown, and what is to be seen on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..experiment.correlations import Correlations
from ..experiment.guesses import Guesses, OneImage
from ..nets import Net
from ..nets.names import short_labels
from ..tasks import Split, Task
from .phrases import listed

SAMPLES = 8
"""Images of a task that are shown."""

LOST, BESIDE = 2, 4
"""Classes of a task that are shown as lost, and images of each."""


KINDS = ("standard", "decov", "mrl")
"""Beginnings of the losses whose layers are shown side by side."""


@dataclass(frozen=True)
class Picture:
    """An image, uint8 (height, width, 3), and what stands under it."""

    image: np.ndarray = field(repr=False)
    caption: str = ""


@dataclass(frozen=True)
class Mistaken:
    """A class that is lost beside the class it is mistaken for."""

    title: str
    lost: Sequence[Picture]
    taken_for: Sequence[Picture]


def sample_places(labels: np.ndarray, count: int = SAMPLES) -> np.ndarray:
    """Places of images that show as many classes as they can: the first image of classes evenly
    spaced over all, or of every class the first ones in turn; in the order of classes.

    >>> sample_places(np.array([2, 0, 0, 1, 2, 0]), 4).tolist()
    [1, 2, 3, 0]
    """
    classes = np.unique(labels)
    if len(classes) > count:
        classes = classes[np.linspace(0, len(classes) - 1, count).round().astype(int)]
    groups = [np.flatnonzero(labels == one)[:count] for one in classes]
    turns = sorted(
        (turn, place) for place, group in enumerate(groups) for turn in range(len(group))
    )
    return np.array(
        [
            groups[place][turn]
            for place, turn in sorted((place, turn) for turn, place in turns[:count])
        ]
    )


def samples(task: Task) -> list[Picture]:
    """Test images of a task with the names of their classes."""
    split = task.splits["test"]
    return [
        Picture(split.images.batch(place, place + 1)[0], task.classes[split.labels[place]])
        for place in sample_places(split.labels).tolist()
    ]


def describe_samples(tasks: Mapping[str, Task]) -> str:
    """How many images and classes each task has, and how large its images are."""
    counts, sizes = [], {}
    for title, task in tasks.items():
        height, width = task.splits["test"].images.batch(0, 1)[0].shape[:2]
        images = sum(len(split) for split in task.splits.values())
        counts.append(f"{title} has {images:,} images of {len(task.classes)} classes")
        sizes[title] = f"{width} by {height} pixels"
    if len(set(sizes.values())) == 1:
        large = next(iter(sizes.values()))
    else:
        large = listed([f"{size} ({title})" for title, size in sizes.items()])
    return (
        f"Test images of each task, with the names of their classes. {listed(counts)}. The first "
        f"test image{' of each' * (len(tasks) > 1)} has {large}."
    )


def describe_one_image(one: OneImage, classes: Sequence[str], title: str) -> str:
    """What the probes say of an image."""
    order = np.argsort(-one.part, kind="stable")
    best, second = (int(place) for place in order[:2])
    whole = int(one.whole.argmax())
    right = "right" if best == one.label else f"wrong: it is {classes[one.label]}"
    return (
        f"The first test image of the task *{title}* shows {classes[one.label]}. From "
        f"{len(one.chosen)} of its {len(one.features)} features, chosen at random, the probe "
        f"guesses {classes[best]} (score {one.part[best]:.2f}; next {classes[second]}, "
        f"{one.part[second]:.2f}), which is {right}. From all of them it guesses "
        + (f"{'the same' if whole == best else classes[whole]} (score {one.whole[whole]:.2f}). ")
        + "Scores aim at 1 for the class of the image and at 0 for the others. This is one image: "
        "how often a part does as well is what the rest of this page measures."
    )


def one_image_table(one: OneImage, classes: Sequence[str]) -> pd.DataFrame:
    """Scores of the classes."""
    return pd.DataFrame(
        {
            "class": list(classes[: len(one.part)]),
            "score, random fifth": one.part,
            "score, whole layer": one.whole,
        }
    )


def mistakes_table(guesses: Mapping[str, tuple[Guesses, Sequence[str]]]) -> pd.DataFrame:
    """Each class of each task, those that lose most first: its accuracy in the whole layer and in
    the mean over random parts, and the class that new mistakes are for.

    A new mistake is an image that the whole layer's probe guesses right and that of a part does
    not; each part counts.
    """
    rows = []
    for title, (one, classes) in guesses.items():
        for label in np.unique(one.labels).tolist():
            own = one.labels == label
            kept = one.whole[own] == label
            wrong = one.parts[:, own][:, kept]
            wrong = wrong[wrong != label]
            counts = np.bincount(wrong, minlength=len(classes))
            full, part = kept.mean(), (one.parts[:, own] == label).mean()
            rows.append(
                {
                    "task": title,
                    "class": classes[label],
                    "test images": int(own.sum()),
                    "accuracy, whole layer": full,
                    "accuracy, random fifths": part,
                    "loss": full - part,
                    "new mistakes": len(wrong),
                    "most often taken for": classes[int(counts.argmax())] if len(wrong) else None,
                    "share of new mistakes": counts.max() / len(wrong) if len(wrong) else np.nan,
                }
            )
    table = pd.DataFrame(rows)
    order = table["task"].map({title: place for place, title in enumerate(guesses)})
    return (
        table.assign(order=order)
        .sort_values(["order", "loss"], ascending=[True, False], kind="stable")
        .drop(columns="order")
        .reset_index(drop=True)
    )


def shown_mistakes(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the classes that are shown: those of each task that lose most, if they lose
    anything that is taken for another class.
    """
    some = table[(table["loss"] > 0) & (table["new mistakes"] > 0)]
    return some.groupby("task", sort=False).head(LOST)


def mistaken_pictures(
    table: pd.DataFrame,
    guesses: Mapping[str, tuple[Guesses, Sequence[str]]],
    tasks: Mapping[str, Task],
) -> list[Mistaken]:
    """Pictures for the rows of :func:`shown_mistakes`: the images of the class that most parts
    lose, and the first images of the other class that the whole layer guesses right.
    """
    pictures = []
    for row in table.to_dict("records"):
        one, classes = guesses[row["task"]]
        split = tasks[row["task"]].splits["test"]
        own, other = classes.index(row["class"]), classes.index(row["most often taken for"])
        kept = (one.labels == own) & (one.whole == own)
        times = np.where(kept, (one.parts == other).sum(0), -1)
        lost = np.argsort(-times, kind="stable")[:BESIDE]
        beside = np.flatnonzero((one.labels == other) & (one.whole == other))[:BESIDE]
        pictures.append(
            Mistaken(
                f"{row['class']}, {row['task']}: {100 * row['accuracy, whole layer']:.1f}% → "
                f"{100 * row['accuracy, random fifths']:.1f}%",
                _pictures(split, lost[times[lost] > 0]),
                _pictures(split, beside, row["most often taken for"]),
            )
        )
    return pictures


def _pictures(split: Split, places: np.ndarray, caption: str = "") -> list[Picture]:
    return [Picture(split.images.batch(i, i + 1)[0], caption) for i in places.tolist()]


def describe_mistakes(
    table: pd.DataFrame, guesses: Mapping[str, tuple[Guesses, Sequence[str]]]
) -> str:
    """Which class loses most on each task, and what it is taken for."""
    lines = []
    for title, (one, _) in guesses.items():
        rows = table[table["task"] == title]
        if rows.empty:
            lines.append(f"- {title}: no class loses.")
            continue
        row = rows.iloc[0]
        points, full = 100 * row["loss"], 100 * row["accuracy, whole layer"]
        lines.append(
            f"- {title}: *{row['class']}* loses most, {points:.1f} points of {full:.1f}, in the "
            f"mean over {len(one.parts)} random fifths ({one.k} of {one.d} neurons). Of its new "
            f"mistakes {100 * row['share of new mistakes']:.0f}% are for "
            f"*{row['most often taken for']}*."
        )
    return (
        "\n".join(lines) + "\n\nA *new mistake* is an image that the whole layer gets right and "
        "the fifth does not. The classes were picked for their loss on these very images, which "
        "overstates it: what stands above picks on one half of the images and measures on the "
        "other, where there are enough."
    )


def side_by_side(nets: Sequence[Net]) -> dict[str, Net]:
    """The networks whose correlations are shown: the first one trained in the standard way, with
    DeCov and as a Matryoshka, of those that are there; without two of them, the first of each loss,
    three at most. By what the run's other figures call them: among all of its networks.
    """
    first: dict[str, Net] = {}
    for net in nets:
        first.setdefault(net.origin.loss, net)
    kinds = [
        next((first[loss] for loss in first if loss.lower().startswith(kind)), None)
        for kind in KINDS
    ]
    known = [net for net in kinds if net is not None]
    shown = known if len(known) > 1 else list(first.values())[:3]
    every = [net.name for net in nets]
    names = dict(zip(every, short_labels(every), strict=True))
    return {names[net.name]: net for net in shown}


def correlation_table(found: Mapping[str, Correlations]) -> pd.DataFrame:
    """How strongly neurons go together, by network."""
    return pd.DataFrame(
        [
            {
                "network": name,
                "neurons that vary": one.neurons,
                "mean absolute correlation": one.mean_size,
                "share of pairs above 0.5": one.strong,
            }
            for name, one in found.items()
        ]
    )


def describe_correlations(found: Mapping[str, Correlations], title: str) -> str:
    """How strongly the neurons of each network go together."""
    parts = [f"{one.mean_size:.2f} ({name})" for name, one in found.items()]
    strong = [f"{100 * one.strong:.1f}%" for one in found.values()]
    return (
        f"On *{title}* the correlation of two neurons has an average size of {listed(parts)}. It "
        f"is larger than one half, up to sign, for {listed(strong)} of the pairs. Red and blue "
        "blocks are groups of neurons that repeat one another, up to sign; a pale picture with a "
        "red diagonal is a layer whose neurons hardly do."
    )
