"""Pre-training losses: interchangeable modules that the training loop calls.

A loss sees the network and one batch and returns the scalar to minimise. What it learns itself
(heads of its own) are its parameters: trained with the network, and dropped afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout, linear

from ..errors import InputError, check_number, check_whole, unknown
from .robustness import Threat, perturb
from .zoo import NESTING

Heads = Mapping[int, tuple[Tensor, Tensor]]
"""Weight (classes, k) and bias (classes,) of the head on the first k features, by k."""


def penultimate(net: nn.Module, images: Tensor) -> Tensor:
    """What the head of a timm network sees, (n, d), in float32."""
    timm: Any = net
    features: Tensor = timm.forward_head(timm.forward_features(images), pre_logits=True).float()
    return features


def head_of(net: nn.Module) -> nn.Linear:
    """The linear head of a timm network."""
    timm: Any = net
    head: nn.Linear = timm.get_classifier()
    return head


def _slice(head: nn.Linear, k: int) -> tuple[Tensor, Tensor]:
    return head.weight[:, :k], head.bias


class CrossEntropy(nn.Module):
    """The standard loss: mean cross-entropy of the head's logits.

    Other losses override one of its steps.
    """

    def prepare(self, net: nn.Module) -> None:
        """Change a fresh network before training, and make the loss's own parameters."""

    def input(self, net: nn.Module, images: Tensor, labels: Tensor, done: float) -> Tensor:
        """The images to train on, from normalised ones (n, 3, height, width).

        ``done`` is the finished share of the training.
        """
        return images

    def of_features(
        self, net: nn.Module, features: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The scalar and the logits (n, classes) of features (n, d) and labels, int64 (n,)."""
        logits = head_of(net)(features).float()
        return cross_entropy(logits, labels), logits

    def forward(
        self, net: nn.Module, images: Tensor, labels: Tensor, done: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """The scalar to minimise and the logits (n, classes) of one batch."""
        features = penultimate(net, self.input(net, images, labels, done))
        return self.of_features(net, features, labels)

    def heads(self, net: nn.Module) -> Heads:
        """The heads on leading features that this loss trained; none by default."""
        return {}


class Dropout(CrossEntropy):
    """Cross-entropy with dropout of penultimate features before the head.

    Parameters
    ----------
    rate : float
        The chance that a feature is zeroed, in [0, 1).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = check_number(rate, "rate of dropout", 0, 1, open_high=True)

    def of_features(
        self, net: nn.Module, features: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As of :class:`CrossEntropy`, after dropout."""
        return super().of_features(net, dropout(features, self.rate, training=net.training), labels)


def decov(features: Tensor) -> Tensor:
    """Half the summed squared covariances between different features of a batch: the DeCov penalty.

    With C the covariance (divided by n) of features (n, d) this is 0.5 (||C||_F^2 - ||diag C||^2),
    equation 1 of Cogswell et al., "Reducing overfitting in deep networks by decorrelating
    representations" (ICLR 2016).
    """
    centred = features - features.mean(0)
    covariance = centred.T @ centred / len(features)
    return 0.5 * (covariance.square().sum() - covariance.diagonal().square().sum())


class DeCov(CrossEntropy):
    """Cross-entropy plus ``weight`` times the :func:`decov` penalty of the penultimate features."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = check_number(weight, "weight of DeCov", 0)

    def of_features(
        self, net: nn.Module, features: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As of :class:`CrossEntropy`, with the penalty added in float32."""
        loss, logits = super().of_features(net, features, labels)
        with torch.autocast(features.device.type, enabled=False):
            return loss + self.weight * decov(features), logits


class Matryoshka(CrossEntropy):
    """The mean cross-entropy of heads on the first k features, for each k of the nesting.

    Kusupati et al., "Matryoshka representation learning" (NeurIPS 2022), with equal weights; the
    mean in place of their sum leaves the minimiser as it is, and the training loop's bound on the
    gradient means the same for every loss. The head of the whole layer is the network's own.

    Parameters
    ----------
    shared : bool
        Whether all heads are slices of one (MRL-E) instead of heads of their own (MRL).
    nesting : sequence of int
        Sizes, ascending; those below the layer's width are used, and the layer's width always.
    """

    def __init__(self, shared: bool = False, nesting: Sequence[int] = NESTING) -> None:
        super().__init__()
        self.shared = shared
        self.nesting = tuple(check_whole(k, "size of the nesting", 1) for k in nesting)
        if list(self.nesting) != sorted(set(self.nesting)):
            raise InputError(
                f"the nesting is {list(nesting)}: its sizes must ascend (nearest: "
                f"{sorted(set(nesting))})"
            )
        self.own = nn.ModuleDict()

    def prepare(self, net: nn.Module) -> None:
        """Make a head for each size below the layer's width."""
        head = head_of(net)
        self.nesting = tuple(k for k in self.nesting if k < head.in_features)
        if not self.shared:
            self.own = nn.ModuleDict(
                {str(k): nn.Linear(k, head.out_features) for k in self.nesting}
            )

    def heads(self, net: nn.Module) -> Heads:
        """The heads below the layer's width, and the network's own."""
        head = head_of(net)
        if self.shared:
            return {k: _slice(head, k) for k in (*self.nesting, head.in_features)}
        own: dict[str, Any] = dict(self.own.items())
        return {int(k): (layer.weight, layer.bias) for k, layer in own.items()} | {
            head.in_features: _slice(head, head.in_features)
        }

    def of_features(
        self, net: nn.Module, features: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The mean over the nesting, and the logits of the whole layer."""
        logits = {k: linear(features[:, :k], *head).float() for k, head in self.heads(net).items()}
        losses = torch.stack([cross_entropy(of_k, labels) for of_k in logits.values()])
        return losses.mean(), logits[max(logits)]


class FixedFeatures(CrossEntropy):
    """Cross-entropy of a head on the first k features: the fixed-feature (FF) baseline of MRL.

    The other weights of the network's head are zero and get no gradient.
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = check_whole(k, "k of fixed features", 1)

    def prepare(self, net: nn.Module) -> None:
        """Zero the head's weights on all features but the first k."""
        head = head_of(net)
        check_whole(self.k, "k of fixed features", 1, head.in_features)
        with torch.no_grad():
            head.weight[:, self.k :] = 0

    def heads(self, net: nn.Module) -> Heads:
        """The one head."""
        return {self.k: _slice(head_of(net), self.k)}

    def of_features(
        self, net: nn.Module, features: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The cross-entropy and logits of the first k features."""
        logits = linear(features[:, : self.k], *_slice(head_of(net), self.k)).float()
        return cross_entropy(logits, labels), logits


class Adversarial(CrossEntropy):
    """Cross-entropy of images perturbed by projected gradient descent (Madry et al., ICLR 2018).

    From scratch such training may never start, so the first steps are clean and the radius then
    grows linearly.

    Parameters
    ----------
    norm : str
        ``l2`` or ``linf``.
    radius : float
        Of the perturbation, for pixels in [0, 1].
    steps : int
        Of the descent.
    clean, ramp : float
        Shares of the training without perturbation, and with a growing radius, each in [0, 1].
    """

    def __init__(
        self, norm: str, radius: float, steps: int = 2, clean: float = 0.25, ramp: float = 0.375
    ) -> None:
        super().__init__()
        self.threat = Threat(norm, radius)
        self.steps = check_whole(steps, "steps of the descent", 1)
        self.clean = check_number(clean, "clean share", 0, 1)
        self.ramp = check_number(ramp, "ramp", 0, 1)

    def radius(self, done: float) -> float:
        """The radius after a share ``done`` of the training."""
        if self.ramp == 0:
            return self.threat.radius * (done >= self.clean)
        return self.threat.radius * min(max((done - self.clean) / self.ramp, 0.0), 1.0)

    def input(self, net: nn.Module, images: Tensor, labels: Tensor, done: float) -> Tensor:
        """The images, perturbed."""
        radius = self.radius(done)
        if radius == 0:
            return images
        return perturb(net, images, labels, Threat(self.threat.norm, radius), self.steps)


LOSSES: dict[str, Callable[..., CrossEntropy]] = {
    "standard": CrossEntropy,
    "adversarial": Adversarial,
    "dropout": Dropout,
    "decov": DeCov,
    "mrl": Matryoshka,
    "ff": FixedFeatures,
}
"""Losses by the name a recipe gives them; each takes the recipe's ``loss_options``."""


def make_loss(name: str, options: Mapping[str, Any] | None = None) -> CrossEntropy:
    """The loss of a name, made with its options.

    Raises
    ------
    InputError
        If the name or an option is unknown (with the nearest one), an option is missing, or its
        value is out of range.
    """
    if name not in LOSSES:
        raise unknown("loss", name, LOSSES)
    given, known = options or {}, {} if name == "standard" else signature(LOSSES[name]).parameters
    for option in given:
        if not known:
            raise InputError(f"the loss {name} has no options: {option!r} was given")
        if option not in known:
            raise unknown(f"option of the loss {name}", option, known)
    for option, parameter in known.items():
        if parameter.default is parameter.empty and option not in given:
            raise InputError(
                f"the loss {name} needs its option {option!r}; given: {', '.join(given) or 'none'}"
            )
    return LOSSES[name](**given)
