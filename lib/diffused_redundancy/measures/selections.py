"""Selections: every way of keeping k of d neurons or directions is an ordering and its prefix.

"k neurons" always means the first k columns of a matrix Q, so the subsets of one seed are nested,
and what is computed once for the whole ordering can be read off at every k.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError, check_number, check_whole, unknown
from . import chosen_selections as chosen
from .curves import size_of
from .statistics import SufficientStatistics, check_statistics

_ROWS = 256
"""Rows of a Gram matrix that are permuted at a time."""


@dataclass(frozen=True)
class Ordering:
    """A permutation of the neurons, or a sequence of directions in the space of neurons.

    Attributes
    ----------
    selection : str
        The name of the selection it came from.
    seed : int
        Its seed; 0 for a deterministic selection.
    d : int
        Neurons of the layer.
    order : Tensor (r,), int64, or None
        The permutation, for selections of neurons; r is d, or fewer after :meth:`first`.
    directions : Tensor (d, r), float64, or None
        The columns of Q otherwise; r may be below d (there are no more principal components than
        images).

    Examples
    --------
    >>> reverse = Ordering("reverse", seed=0, d=3, order=torch.tensor([2, 1, 0]))
    >>> reverse.size
    3
    >>> reverse.columns(torch.tensor([[1.0, 2.0, 3.0]]), 2)
    tensor([[3., 2.]])
    """

    selection: str
    seed: int
    d: int
    order: Tensor | None = field(default=None, repr=False)
    directions: Tensor | None = field(default=None, repr=False)

    @property
    def size(self) -> int:
        """The largest k there is."""
        return len(self.order) if self.order is not None else self.directions.shape[1]  # type: ignore[union-attr]

    def first(self, k: int) -> Ordering:
        """The same ordering, ended after k neurons or directions."""
        k = check_whole(k, "k", 1, self.size)
        if self.order is not None:
            return replace(self, order=self.order[:k])
        return replace(self, directions=self.directions[:, :k])  # type: ignore[index]

    def rows(self, matrix: Tensor) -> Tensor:
        """Q' M for a matrix (d, m): (r, m). A permutation indexes; it does not multiply."""
        if self.order is not None:
            return matrix.index_select(0, self.order.to(matrix.device))
        return self.directions.to(matrix.device, matrix.dtype).T @ matrix  # type: ignore[union-attr]

    def columns(self, features: Tensor, k: int | None = None) -> Tensor:
        """X Q[:, :k] for features (n, d): (n, k)."""
        k = self.size if k is None else check_whole(k, "k", 1, self.size)
        if self.order is not None:
            # ten times as fast as features[:, order]
            return features.index_select(1, self.order[:k].to(features.device))
        return features @ self.directions[:, :k].to(features.device, features.dtype)  # type: ignore[index]

    def gram(self, gram: Tensor) -> Tensor:
        """H = Q' G Q: (r, r)."""
        if self.order is not None:
            order = self.order.to(gram.device)
            permuted = gram.new_empty(self.size, self.size)
            # a whole matrix of rows in between would leave the caches
            for start in range(0, self.size, _ROWS):
                some = slice(start, start + _ROWS)
                torch.index_select(gram.index_select(0, order[some]), 1, order, out=permuted[some])
            return permuted
        return self.rows(self.rows(gram).T)


def random_order(d: int, seed: int) -> Tensor:
    """The authors' subsets, ``torch.manual_seed(seed); torch.randperm(d)``, on any device."""
    return torch.randperm(d, generator=torch.Generator().manual_seed(seed))


def _random(statistics: SufficientStatistics, seed: int) -> dict[str, Tensor]:
    return {"order": random_order(statistics.d, seed)}


def _first(statistics: SufficientStatistics, seed: int) -> dict[str, Tensor]:
    return {"order": torch.arange(statistics.d)}


def principal_components(statistics: SufficientStatistics) -> Tensor:
    """Eigenvectors of the train covariance by descending eigenvalue, (d, r); the largest entry of
    each is positive.

    r is the numerical rank, at most n - 1 and at most the neurons that vary. The directions beyond
    have no variance and no order among them.

    Raises
    ------
    InputError
        If every neuron is constant.
    """
    values, vectors = torch.linalg.eigh(statistics.gram)
    noise = statistics.d * torch.finfo(torch.float32).eps / 100 * values[-1]
    rank = min(
        statistics.n - 1, statistics.d - len(statistics.constant), int((values > noise).sum())
    )
    if rank < 1:
        raise InputError("there are no principal components: every neuron is constant")
    vectors = vectors.flip(1)[:, :rank]
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    signed: Tensor = vectors * largest.sign()
    return signed


def _pca(statistics: SufficientStatistics, seed: int) -> dict[str, Tensor]:
    return {"directions": principal_components(statistics)}


def _pca_least(statistics: SufficientStatistics, seed: int) -> dict[str, Tensor]:
    return {"directions": principal_components(statistics).flip(1)}


def _unit_columns(matrix: Tensor) -> dict[str, Tensor]:
    return {"directions": torch.nn.functional.normalize(matrix, dim=0)}


def _random_projection(statistics: SufficientStatistics, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return _unit_columns(torch.rand(statistics.d, statistics.d, generator=generator).double())


def _orthonormal(d: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(d, d, generator=generator).double()
    # Orthonormal, so that nothing is lost with all d of them; the first k span what was drawn.
    orthonormal: Tensor = torch.linalg.qr(drawn).Q
    return orthonormal


_kept_orthonormal = lru_cache(maxsize=16)(_orthonormal)


def _gaussian_projection(statistics: SufficientStatistics, seed: int) -> dict[str, Tensor]:
    # All layers of a width share them, which are kept unless they take much memory.
    make = _kept_orthonormal if statistics.d <= 1024 else _orthonormal
    return {"directions": make(statistics.d, seed)}


def _norm_least(statistics: SufficientStatistics) -> Tensor:
    return chosen.by_norm(statistics, largest=False)


def _lda(statistics: SufficientStatistics, seed: int) -> dict[str, Tensor]:
    return {"directions": chosen.discriminant_directions(statistics)}


@dataclass(frozen=True)
class Selection:
    """A way of ordering neurons or directions.

    Attributes
    ----------
    make : callable
        From statistics and a seed to ``{"order": ...}`` or ``{"directions": ...}``.
    seeded : bool
        Whether the seed matters.
    label : str
        How figures and tables name it.
    looks : bool
        Whether it orders neurons by looking at the train images.
    directions : bool
        Whether it gives directions, not neurons.
    """

    make: Callable[[SufficientStatistics, int], dict[str, Tensor]]
    seeded: bool
    label: str
    looks: bool = False
    directions: bool = False


def _looking(choose: Callable[[SufficientStatistics], Tensor], label: str) -> Selection:
    """A selection that orders neurons by looking at the train images."""
    return Selection(lambda statistics, _: {"order": choose(statistics)}, False, label, looks=True)


SELECTIONS: dict[str, Selection] = {
    "random": Selection(_random, True, "random neurons"),
    "first": Selection(_first, False, "first neurons (nested prefix)"),
    "pca": Selection(_pca, False, "top principal components", directions=True),
    "pca_least": Selection(_pca_least, False, "bottom principal components", directions=True),
    "random_projection": Selection(
        _random_projection,
        True,
        "random projection (uniform in [0, 1), as the authors draw it)",
        directions=True,
    ),
    "gaussian_projection": Selection(
        _gaussian_projection, True, "random projection (Gaussian, orthonormal)", directions=True
    ),
    "variance": _looking(chosen.by_variance, "neurons of largest variance"),
    "norm": _looking(chosen.by_norm, "neurons of largest norm"),
    "norm_least": _looking(_norm_least, "neurons of smallest norm"),
    "pivoted_qr": _looking(chosen.pivoted_qr, "neurons by pivoted QR"),
    "greedy_cka": _looking(chosen.greedy_cka, "neurons by greedy CKA"),
    "lda": Selection(_lda, False, "discriminant directions (chosen with labels)", directions=True),
}
"""Selections by name."""


def ordering(selection: str, statistics: SufficientStatistics, seed: int = 0) -> Ordering:
    """The ordering of one selection and seed.

    Parameters
    ----------
    selection : str
        A name in :data:`SELECTIONS`.
    statistics : SufficientStatistics
        Of the train set: it gives d, and what selections that look at the data choose by; ``lda``
        needs labels.
    seed : int
        Of the draw; ignored by deterministic selections.

    Raises
    ------
    InputError
        If the selection is unknown, the seed is not a whole number from 0, or labels are missing
        that the selection is chosen with.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((20, 5))
    >>> statistics = SufficientStatistics.from_features(X, device="cpu")
    >>> ordering("random", statistics, seed=1).order
    tensor([0, 4, 2, 3, 1])
    >>> ordering("pca", statistics).directions.shape
    torch.Size([5, 5])
    """
    check_statistics(statistics)
    if selection not in SELECTIONS:
        raise unknown("selection", selection, SELECTIONS)
    kind = SELECTIONS[selection]
    seed = check_whole(seed, "seed", 0) if kind.seeded else 0
    return Ordering(selection, seed, statistics.d, **kind.make(statistics, seed))


def orderings(
    selection: str, statistics: SufficientStatistics, seeds: Iterable[int]
) -> list[Ordering]:
    """The orderings of a selection for some seeds; a single one if it is deterministic.

    Parameters
    ----------
    selection, statistics
        As for :func:`ordering`.
    seeds : iterable of int

    Examples
    --------
    >>> statistics = SufficientStatistics.from_features(torch.rand(20, 5), device="cpu")
    >>> [one.seed for one in orderings("random", statistics, [1, 2, 3])]
    [1, 2, 3]
    >>> len(orderings("first", statistics, [1, 2, 3]))
    1
    """
    if selection in SELECTIONS and not SELECTIONS[selection].seeded:
        return [ordering(selection, statistics)]
    return [ordering(selection, statistics, seed) for seed in seeds]


def check_orderings(given: Any, d: int) -> list[Ordering]:
    """Orderings of one selection and size, of d neurons, as a list; InputError for anything else.

    A single one makes a list of one.
    """
    listed = [given] if isinstance(given, Ordering) else given
    if not isinstance(listed, Sequence) or not all(isinstance(one, Ordering) for one in listed):
        raise InputError(
            f"orderings is {type(given).__name__}: make them with "
            "orderings(selection, statistics, seeds)"
        )
    if not listed:
        raise InputError("no orderings were given: at least one is needed")
    if any(one.d != d for one in listed):
        raise InputError(
            f"orderings of {next(one.d for one in listed if one.d != d)} neurons cannot be used "
            f"on a layer of {d}"
        )
    if len({(one.selection, one.size) for one in listed}) > 1:
        raise InputError(
            "orderings of several selections or sizes make no curve: give those of one at a time"
        )
    return list(listed)


_SMALL_FRACTIONS = (0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.01, 0.05)
PAPER_FRACTIONS = (*_SMALL_FRACTIONS, 0.1, 0.2, 0.3, 0.5, 0.8, 0.9, 1.0)
"""The authors' grid of fractions of the layer."""


def orders(seeds: Sequence[int], count: int) -> list[int]:
    """Seeds of at least ``count`` random orders: those given, then 1, 2, 3, ... as needed.

    >>> orders([7, 2], 4), orders([1, 2, 3], 2)
    ([7, 2, 1, 3], [1, 2, 3])
    """
    more = dict.fromkeys([*seeds, *range(1, count + 1)])
    return list(more)[: max(count, len(seeds))]


def sizes_of(fractions: Iterable[float], d: int, most: int | None = None) -> list[int]:
    """The authors' subset sizes: k = int(fraction * d), at least 1, without repeats, ascending.

    Parameters
    ----------
    fractions : iterable of float in (0, 1]
    d : int
        Neurons of the layer.
    most : int, optional
        Leave out larger sizes (an ordering may have fewer directions than neurons).

    Raises
    ------
    InputError
        If a fraction is out of range.

    Examples
    --------
    >>> sizes_of([0.001, 0.2, 1], 512)
    [1, 102, 512]
    """
    checked = (check_number(fraction, "fraction", 0, 1, open_low=True) for fraction in fractions)
    sizes = {size_of(fraction, d) for fraction in checked}
    return sorted(k for k in sizes if most is None or k <= most)
