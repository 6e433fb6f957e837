"""The recipes of the miniature zoo: everything that determines a checkpoint, by name.

Examples
--------
>>> len(ZOO), [name for name in ZOO if "mrl_e" in name]
(67, ['miniature_resnet.mrl_e_s1'])
>>> ZOO["miniature_resnet.mrl_s1"].loss_label
'MRL'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import unknown

NESTING = (8, 16, 32, 64, 128, 256, 512)
"""Sizes of the nested representations of the zoo's MRL networks, and of its fixed-feature ones."""

SEEDS = 5
"""Pre-training seeds of the losses and upstream sets that are compared: two groups of five can
differ at the level of 1%, by an exact test; of two, never at 5%.
"""

STEPS = 1_872
"""Of the optimiser, for every network but the transformer (nearly, where epochs do not divide)."""

OF_TASKS = {
    "digits": (1_297, 500),
    "armenian": (3_000, 3_000),
    "georgian": (2_640, 2_640),
    "font_style": (2_400, 2_400),
}
"""Train and test images of the downstream tasks that networks are trained on from scratch."""

_KINDS = {
    "letters": "letters",
    "extended": "letters of more kinds",
    "digits": "handwritten digits",
    "armenian": "Armenian letters",
    "georgian": "Georgian letters",
    "font_style": "letters, by font",
}


@dataclass(frozen=True)
class Recipe:
    """How one network of the miniature zoo is pre-trained.

    Attributes
    ----------
    architecture : str
        A name in ``architectures.ARCHITECTURES``.
    features : int
        Width of the penultimate layer.
    loss : str
        A name in ``losses.LOSSES``.
    loss_options : mapping
        What the loss is made with.
    upstream : str
        A name in ``upstream.WORLDS``; or in ``upstream.TASKS``, for a network that is trained on a
        downstream task from scratch.
    images, held_out : int
        Upstream images to train on and to report top-1 on.
    epochs, batch : int
        Passes over the training images, and images a step. All networks of the zoo take the same
        number of steps but the transformer, which needs more.
    learning_rate, weight_decay : float
        Peak of the one-cycle schedule, and decoupled weight decay, of AdamW.
    precision : str
        ``bf16``: mixed precision, as torch.autocast does it; ``float32``: none.
    seed : int
        Of the initial weights and of the order of the data. Networks of one upstream set see the
        same images.
    """

    architecture: str = "miniature_resnet"
    features: int = 512
    loss: str = "standard"
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    upstream: str = "letters"
    images: int = 40_000
    held_out: int = 10_000
    epochs: int = 6
    batch: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.05
    precision: str = "bf16"
    seed: int = 1

    def as_dict(self) -> dict[str, Any]:
        """The recipe as JSON values."""
        return asdict(self)

    @property
    def loss_label(self) -> str:
        """The loss in words, with its strength."""
        options = self.loss_options
        if self.loss == "adversarial":
            norm = "L2" if options["norm"] == "l2" else "Linf"
            return f"adversarial {norm} {options['radius']:g}"
        if self.loss == "mrl":
            return "MRL-E" if options.get("shared") else "MRL"
        names = {"dropout": "dropout {rate:g}", "decov": "DeCov {weight:g}", "ff": "FF {k}"}
        return names.get(self.loss, self.loss).format(**options)

    @property
    def upstream_label(self) -> str:
        """The upstream set in words."""
        return f"{self.images:,} {_KINDS.get(self.upstream, self.upstream)}"


def _zoo() -> dict[str, Recipe]:
    zoo: dict[str, Recipe] = {}

    def add(name: str, seeds: int, **how: Any) -> None:
        for seed in range(1, seeds + 1):
            zoo[f"{name}_s{seed}"] = Recipe(seed=seed, **how)

    resnet = "miniature_resnet"
    add(f"{resnet}.standard", SEEDS)
    for norm, radius in (("l2", 0.25), ("l2", 0.5), ("linf", 0.0157)):  # 0.0157 is 4/255
        options = {"norm": norm, "radius": radius}
        name = f"{resnet}.adversarial_{norm}_{radius:g}"
        add(name, SEEDS, loss="adversarial", loss_options=options)
    for rate in (0.2, 0.5, 0.8):
        seeds = SEEDS if rate == 0.5 else 1
        add(f"{resnet}.dropout_{rate:g}", seeds, loss="dropout", loss_options={"rate": rate})
    for weight in ("1e-4", "1e-3", "1e-2"):
        seeds = SEEDS if weight == "1e-2" else 1
        options = {"weight": float(weight)}
        add(f"{resnet}.decov_{weight}", seeds, loss="decov", loss_options=options)
    add(f"{resnet}.mrl", SEEDS, loss="mrl")
    add(f"{resnet}.mrl_e", 1, loss="mrl", loss_options={"shared": True})
    for k in NESTING[:-1]:  # the standard network is the baseline of all features
        add(f"{resnet}.ff_{k}", 1, loss="ff", loss_options={"k": k})
    add(f"{resnet}.tenth", SEEDS, images=4_000, epochs=60)
    add(f"{resnet}.extended", SEEDS, images=120_000, epochs=2, upstream="extended")
    for task, (images, held_out) in OF_TASKS.items():
        epochs = round(STEPS / (images // Recipe.batch))
        how = {"images": images, "held_out": held_out, "epochs": epochs, "upstream": task}
        add(f"{resnet}.from_scratch_{task}", 1, **how)
    for features in (128, 256, 1024, 2048):
        add(f"{resnet}_{features}.standard", 1, features=features)
    for other in ("miniature_plain_resnet", "miniature_vgg"):
        add(f"{other}.standard", 1, architecture=other, features=256)
    longer = {"epochs": 12, "batch": 64, "learning_rate": 1e-3}
    add("miniature_vit.standard", 1, architecture="miniature_vit", features=128, **longer)
    return zoo


ZOO: dict[str, Recipe] = _zoo()
"""Recipes by name: architecture (with its width, where others are usual), what is special in
pre-training, seed.
"""


def recipe(name: str) -> Recipe:
    """The recipe of a name of :data:`ZOO`; an unknown one raises InputError with the nearest."""
    if name not in ZOO:
        raise unknown("network of the miniature zoo", name, ZOO)
    return ZOO[name]


def trained_on(task: str) -> list[str]:
    """The networks that were trained on a downstream task itself, from scratch.

    >>> trained_on("digits"), trained_on("cifar10")
    (['miniature_resnet.from_scratch_digits_s1'], [])
    """
    return [name for name, one in ZOO.items() if one.upstream == task]


def is_from_scratch(name: str) -> bool:
    """Whether a network was trained on a downstream task itself.

    >>> is_from_scratch("miniature_resnet.from_scratch_digits_s1"), is_from_scratch("resnet18.a1")
    (True, False)
    """
    return name in ZOO and ZOO[name].upstream in OF_TASKS
