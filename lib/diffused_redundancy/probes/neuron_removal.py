"""What the ridge probe on a whole layer does without one of its neurons, for every neuron at once,
and without some of them.

With H = G + lambda I, W = H^-1 R the weights and x a centred image, the probe that is fitted
without neuron i has the weights W - H^-1 e_i w_i / (H^-1)_ii (the formula of linear regression
without one regressor; Cook and Weisberg 1982, appendix A.2). So the scores of x change by a product
of two vectors,

    s(x) - z_i(x) w_i,  z_i(x) = (H^-1 x)_i / (H^-1)_ii,

its squared error by -2 z_i w_i'(s - y) + z_i^2 ||w_i||^2, and the objective on the train images
grows by ||w_i||^2 / (H^-1)_ii. One inverse gives all of it, exactly.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..measures.accumulation import blocks, on_device
from ..measures.statistics import cholesky
from .probe import Arrays
from .ridge import TIE, RidgeProbe, ridge_alpha

_NUMBERS_AT_ONCE = 1 << 22
"""Scores held at a time: images times classes."""


def without_each(probe: RidgeProbe) -> Arrays:
    """The probe refitted without each neuron in turn, against the one on the whole layer.

    Parameters
    ----------
    probe : RidgeProbe
        With a test part.

    Returns
    -------
    dict of ndarray
        ``loss`` (m, d): the squared error to the one-hot label of each test image without a neuron,
        less that with all of them. ``right`` (m, d), int8: whether its guess is right, likewise:
        -1, 0 or 1. ``objective`` (d,): the objective on the train images without a neuron, over
        that with all, less 1. ``full_loss`` and ``full_right`` (m,): with all.

    Examples
    --------
    >>> from diffused_redundancy.measures import Features
    >>> X, y = np.random.default_rng(0).standard_normal((90, 4)), np.arange(90) % 3
    >>> X[:, 0] += y
    >>> probe = RidgeProbe(Features(X[:60], y[:60], X[60:], y[60:]), penalty=0.01, device="cpu")
    >>> without = without_each(probe)
    >>> int(without["loss"].mean(0).argmax()), without["loss"].shape
    (0, (30, 4))
    """
    statistics, (features, y) = probe.statistics, probe.ready_test_set
    cross, prior = statistics.right_hand_side()
    gram = statistics.gram.clone()
    gram.diagonal().add_(ridge_alpha(statistics, probe.penalty))
    inverse = torch.cholesky_inverse(cholesky(gram))
    diagonal = inverse.diagonal()
    weights = inverse @ cross
    squares = weights.square().sum(1)
    counts = prior * statistics.n
    spread = statistics.n - counts.square().sum() / statistics.n
    objective = squares / diagonal / (spread - (cross * weights).sum())
    found: dict[str, list[np.ndarray]] = {
        name: [] for name in ("loss", "right", "full_loss", "full_right")
    }
    for rows in blocks(len(features), max(1, _NUMBERS_AT_ONCE // len(prior))):
        centred = on_device(features[rows], gram.device).double() - statistics.mean
        own = y[rows]
        scores = centred @ weights + prior
        errors = scores - torch.nn.functional.one_hot(own, len(prior))
        leverage = centred @ inverse / diagonal
        loss = leverage * (leverage * squares - 2 * errors @ weights.T)
        hits = _hits(scores, own)
        changed = _hits_without(scores, own, leverage, weights) - hits.to(torch.int8)[:, None]
        for name, part in (
            ("loss", loss),
            ("right", changed),
            ("full_loss", errors.square().sum(1)),
            ("full_right", hits),
        ):
            found[name].append(part.cpu().numpy())
    arrays = {name: np.concatenate(parts) for name, parts in found.items()}
    return {**arrays, "objective": objective.cpu().numpy()}


def _hits(scores: Tensor, own: Tensor) -> Tensor:
    """Whether the class of the largest score (m, C) is that of each image: bool (m,)."""
    return scores.argmax(1) == own


def _hits_without(scores: Tensor, own: Tensor, leverage: Tensor, weights: Tensor) -> Tensor:
    """The same without each neuron: int8 (m, d)."""
    # (C, m): the maximum runs along rows, and of equal scores the first class counts, as in ridge
    offsets = TIE * torch.arange(scores.shape[1], device=scores.device)
    given = (scores - offsets).T.contiguous()
    hits = torch.empty(leverage.shape[::-1], dtype=torch.int8, device=scores.device)
    changed, best = torch.empty_like(given), torch.empty_like(given[0])
    mine = torch.empty_like(given[:1])
    for neuron, (hit, z) in enumerate(zip(hits, leverage.T.contiguous(), strict=True)):
        torch.addr(given, weights[neuron], z, alpha=-1, out=changed)
        torch.amax(changed, 0, out=best)
        torch.gather(changed, 0, own[None], out=mine)
        hit.copy_(mine[0] == best)
    return hits.T


def without_some(probe: RidgeProbe, dropped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The probe refitted without some neurons: the squared error to the one-hot label of each test
    image, (m,), and whether its guess is right, bool (m,).

    Parameters
    ----------
    probe : RidgeProbe
        With a test part.
    dropped : ndarray of bool (d,)
        At least one neuron must stay; InputError otherwise.

    Examples
    --------
    >>> from diffused_redundancy.measures import Features
    >>> X, y = np.random.default_rng(0).standard_normal((90, 4)), np.arange(90) % 3
    >>> probe = RidgeProbe(Features(X[:60], y[:60], X[60:], y[60:]), penalty=0.01, device="cpu")
    >>> loss, right = without_some(probe, np.array([False, True, True, False]))
    >>> loss.shape, right.shape
    ((30,), (30,))
    """
    statistics, (features, y) = probe.statistics, probe.ready_test_set
    mask = np.asarray(dropped)
    if mask.shape != (statistics.d,) or mask.dtype != bool or mask.all():
        raise InputError(
            f"dropped must be truth values ({statistics.d},), one at least False: it has shape "
            f"{mask.shape} and holds {int(mask.sum())} that are true"
        )
    kept = torch.from_numpy(np.flatnonzero(~mask)).to(statistics.gram.device)
    cross, prior = statistics.right_hand_side()
    gram = statistics.gram[kept][:, kept]
    gram.diagonal().add_(ridge_alpha(statistics, probe.penalty))
    weights = torch.zeros_like(cross)
    weights[kept] = torch.cholesky_solve(cross[kept], cholesky(gram))
    losses, rights = [], []
    for rows in blocks(len(features)):
        centred = on_device(features[rows], gram.device).double() - statistics.mean
        scores = centred @ weights + prior
        one_hot = torch.nn.functional.one_hot(y[rows], len(prior))
        losses.append((scores - one_hot).square().sum(1).cpu().numpy())
        rights.append(_hits(scores, y[rows]).cpu().numpy())
    return np.concatenate(losses), np.concatenate(rights)
