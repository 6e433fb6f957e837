"""How many dimensions a layer has, and how unequal its neurons are in scale: the two things that
CKA between random neurons and the layer depends on.

With G the Gram matrix of the centred neurons, and r the share of its squared entries that lies on
its diagonal, which the closed form of CKA is made from,

    r = (PR / d) (1 + CV^2)

exactly: PR = (tr G)^2 / ||G||_F^2 is the participation ratio of G's eigenvalues, and CV the
coefficient of variation of its diagonal, the neurons' variances. PR is the same in every basis (of
the same space); CV^2 is what the basis of the neurons adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..uncertainty.bootstrap import percentile_interval, resampled
from .cka_images import SomeImages
from .statistics import SufficientStatistics, check_statistics


@dataclass(frozen=True)
class Spectrum:
    """Dimensions and scale of a layer on some images.

    Attributes
    ----------
    d : int
        Neurons.
    participation : float
        PR, the participation ratio of the eigenvalues, from 1 to d: how many dimensions there
        would be, were their variances equal.
    variation : float
        CV^2, the squared coefficient of variation of the neurons' variances, from 0 to d - 1.
    effective_rank : float
        The exponential of the entropy of the eigenvalues over their sum, from 1 to d (Roy and
        Vetterli, "The effective rank", EUSIPCO 2007). It counts small eigenvalues for more than PR.
    by_images : ndarray (groups, 3), optional
        The three on groups of images, to first order; see :mod:`.image_groups`.

    Examples
    --------
    >>> one = Spectrum(d=100, participation=10.0, variation=4.0, effective_rank=20.0)
    >>> one.diagonal_share, round(one.rotated_share, 3)
    (0.5, 0.118)
    """

    d: int
    participation: float
    variation: float
    effective_rank: float
    by_images: np.ndarray | None = field(default=None, repr=False)

    @property
    def values(self) -> np.ndarray:
        """Participation ratio, squared variation and effective rank, (3,)."""
        return np.array([self.participation, self.variation, self.effective_rank])

    @property
    def dimensions(self) -> float:
        """PR / d."""
        return self.participation / self.d

    @property
    def scale(self) -> float:
        """1 + CV^2."""
        return 1 + self.variation

    @property
    def diagonal_share(self) -> float:
        """r; see :func:`.diagonal_share`."""
        return self.dimensions * self.scale

    @property
    def rotated_share(self) -> float:
        """The expected r after a random rotation, (PR + 2) / (d + 2): there CV^2 is about 2 / PR.

        It follows from the fourth moments of a uniform unit vector u of d entries: the mean of
        (u' G u)^2 is (2 ||G||^2 + (tr G)^2) / (d (d + 2)).
        """
        return (self.participation + 2) / (self.d + 2)

    def resampled(self) -> np.ndarray | None:
        """PR / d and 1 + CV^2 of resamples of the images, (2, resamples): the same images for all
        spectra of one task. None where it is not known by images.
        """
        drawn = resampled(self.values[None], 1.0, self.by_images)
        if drawn is None:
            return None
        return np.stack([drawn.values[:, 0] / self.d, 1 + drawn.values[:, 1]])

    def intervals(self) -> list[tuple[float, float, float]]:
        """PR / d and 1 + CV^2, each with the ends of its 95% interval over images."""
        return _with_ends([self.dimensions, self.scale], self.resampled())

    def factors(self, other: Spectrum) -> list[tuple[float, float, float]]:
        """How many times the other's r this one's is, and what of it is dimensions (PR / d) and
        what is scale (1 + CV^2): the first is their product. Each has the ends of its 95% interval
        over the images that both share.
        """
        ratios = [self.dimensions / other.dimensions, self.scale / other.scale]
        ours, theirs = self.resampled(), other.resampled()
        drawn = None
        if ours is not None and theirs is not None:
            drawn = np.concatenate([(ours / theirs).prod(0, keepdims=True), ours / theirs])
        return _with_ends([ratios[0] * ratios[1], *ratios], drawn)


def _with_ends(
    values: Sequence[float], draws: np.ndarray | None
) -> list[tuple[float, float, float]]:
    """Values, each with the ends of its 95% interval; NaN without draws (values, resamples)."""
    if draws is None:
        return [(value, np.nan, np.nan) for value in values]
    return [(value, *percentile_interval(some)) for value, some in zip(values, draws, strict=True)]


def spectrum(
    statistics: SufficientStatistics, X: Any = None, *, standardize: bool = False
) -> Spectrum:
    """The spectrum of a layer.

    Parameters
    ----------
    statistics : SufficientStatistics
    X : array (n, d), or ``Rows`` read in slices; optional
        The features the statistics are of: with them it is known by images.
    standardize : bool
        Scale each neuron to unit variance first. Constant neurons stay constant.

    Raises
    ------
    InputError
        If every neuron is constant.

    Notes
    -----
    Of n images the participation ratio is too small by a share of about PR / n.

    Examples
    --------
    >>> copies = np.arange(6.0)[:, None] * np.array([1.0, 1.0, 1.0, 3.0])
    >>> one = spectrum(SufficientStatistics.from_features(copies, device="cpu"))
    >>> round(one.participation, 9), round(one.variation, 9), round(one.effective_rank, 9)
    (1.0, 1.333333333, 1.0)
    """
    plain = check_statistics(statistics)
    if len(plain.constant) == plain.d:
        raise InputError("a layer whose neurons are all constant has no spectrum")
    scale = plain.unit_scale() if standardize else torch.ones_like(plain.mean)
    gram = plain.scaled(scale).gram / plain.n
    if X is None:  # eigenvalues alone take a third of the time
        eigenvalues, vectors = torch.linalg.eigvalsh(gram), gram.new_empty(0)
    else:
        eigenvalues, vectors = torch.linalg.eigh(gram)
    shares = eigenvalues.clamp_min(0) / eigenvalues.clamp_min(0).sum()
    logs = shares.clamp_min(torch.finfo(torch.float64).tiny).log()
    entropy = -(shares * logs).sum()
    variances, squares = gram.diagonal(), (gram * gram).sum()
    total, fourth = variances.sum(), (variances**2).sum()
    participation = total**2 / squares
    variation = fourth * plain.d / total**2 - 1
    found = Spectrum(
        plain.d, float(participation), float(variation.clamp_min(0)), float(entropy.exp())
    )
    if X is None:
        return found
    images = SomeImages.of(plain, X)
    rows = images.centred.double() * plain.mean_variance**0.5 * scale
    own = rows**2 - variances  # what an image adds to each variance
    crossed, norms = (rows * (rows @ gram)).sum(1), (rows**2).sum(1)
    if standardize:  # variances stay as they are: a neuron that varies more is scaled down
        of_total, of_fourth = torch.zeros_like(norms), torch.zeros_like(norms)
        of_squares = 2 * (crossed - squares - own @ (gram * gram).sum(1))
        turned = _turned(rows, vectors, eigenvalues, own)
    else:
        of_total, of_fourth = norms - total, 2 * (own @ variances)
        of_squares = 2 * (crossed - squares)
        turned = (rows @ vectors) ** 2 - eigenvalues
    of_shares = (turned - shares * of_total[:, None]) / total
    influences = torch.stack(
        [
            participation * (2 * of_total / total - of_squares / squares),
            (variation + 1) * (of_fourth / fourth - 2 * of_total / total),
            -entropy.exp() * (of_shares @ logs),
        ],
        1,
    )
    by_groups = images.groups.double() @ influences
    return replace(found, by_images=images.around(found.values, by_groups))


def _turned(rows: Tensor, vectors: Tensor, eigenvalues: Tensor, own: Tensor) -> Tensor:
    """What images (m, d) add to the eigenvalues, (m, d), where every neuron is scaled anew."""
    # With D, on a diagonal, the changes of the variances, all 1: the Gram matrix G changes by
    # x x' - G - (D G + G D) / 2, and the eigenvalue of u by (x' u)^2 - lambda - lambda u' D u.
    return (rows @ vectors) ** 2 - eigenvalues - (own @ vectors**2) * eigenvalues
