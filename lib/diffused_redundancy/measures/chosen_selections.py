"""Orders and directions that are chosen by looking at the train images, through their statistics.

Random neurons need no data to choose. These ask whether looking pays: by the neurons' own size
(variance, norm), by what each adds to those before it (pivoted QR, greedy CKA), and by the labels
(discriminant directions).
"""

from __future__ import annotations

import torch
from scipy.linalg.lapack import dpstrf
from torch import Tensor

from ..errors import InputError
from .statistics import SufficientStatistics, cholesky

SHRINKAGE = 0.01
"""What is added to the diagonal for discriminant directions, times the total mean variance: about
the penalty that cross-validation chooses for the ridge probe on the default tasks. It is fixed, so
that no choice is made here.
"""


def by_variance(statistics: SufficientStatistics) -> Tensor:
    """Neurons by their variance over the train images, the largest first: int64 (d,)."""
    return statistics.gram.diagonal().argsort(descending=True, stable=True)


def squared_norms(statistics: SufficientStatistics) -> Tensor:
    """The squared Euclidean norm of each neuron's activations over the train images, not centred:
    float64 (d,).

    >>> X = torch.tensor([[1.0, 3.0], [1.0, 0.0]])
    >>> squared_norms(SufficientStatistics.from_features(X, device="cpu"))
    tensor([2., 9.], dtype=torch.float64)
    """
    return statistics.gram.diagonal() + statistics.n * statistics.mean**2


def by_norm(statistics: SufficientStatistics, *, largest: bool = True) -> Tensor:
    """Neurons by the norm of their activations, the largest or the smallest first: int64 (d,).

    The authors' ``partial_inversion.py`` takes neurons so.
    """
    return squared_norms(statistics).argsort(descending=largest, stable=True)


def pivoted_qr(statistics: SufficientStatistics) -> Tensor:
    """Each time the neuron that the ones before explain least, in squared error: int64 (d,).

    It is the order of the pivots of a QR factorisation of the centred features (Businger and Golub
    1965), found from their Gram matrix by the Cholesky factorisation with the same pivots. Once
    those before explain all but rounding of every neuron left, these come by their variance.

    >>> X = torch.tensor([[2.0, 2.1, 0.0], [-2.0, -2.1, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    >>> pivoted_qr(SufficientStatistics.from_features(X, device="cpu"))
    tensor([1, 2, 0])
    """
    gram = statistics.gram.cpu().numpy()
    rounding = len(gram) * torch.finfo(torch.float32).eps / 100 * float(gram.diagonal().max())
    _, pivots, rank, _ = dpstrf(gram, tol=rounding, lower=1)
    order = torch.from_numpy(pivots.astype("int64") - 1).to(statistics.gram.device)
    first = order[: min(int(rank), statistics.n - 1)]
    ranked = by_variance(statistics)
    return torch.cat([first, ranked[~torch.isin(ranked, first)]])


def greedy_cka(statistics: SufficientStatistics) -> Tensor:
    """Each time the neuron that makes CKA with the whole layer largest, given those before: int64
    (d,).

    Notes
    -----
    With P the Gram matrix squared entry by entry, a its row sums and s the sums of its rows over
    the chosen ones, neuron i would make the two squared norms of CKA grow by a_i and by
    2 s_i + P_ii. So one step costs d, all of them d^2. Each step is the best one; no order need be
    best at every size (one may even lower CKA).

    >>> X = torch.tensor([[1.0, 2.0, 0.1], [-1.0, 0.5, 0.3], [0.5, -1.0, -0.1]])
    >>> greedy_cka(SufficientStatistics.from_features(X, device="cpu"))
    tensor([1, 0, 2])
    """
    squares = statistics.gram * statistics.gram
    gain, own = squares.sum(1), squares.diagonal()
    left = torch.ones_like(own, dtype=torch.bool)
    left[statistics.constant] = False
    numerator, within = torch.zeros_like(gain[0]), torch.zeros_like(gain[0])
    with_chosen = torch.zeros_like(gain)
    order = []
    for _ in range(int(left.sum())):
        grown = within + 2 * with_chosen + own
        cka = (numerator + gain) / grown.clamp_min(torch.finfo(grown.dtype).tiny).sqrt()
        best = torch.where(left, cka, -torch.inf).argmax()
        numerator, within = numerator + gain[best], grown[best]
        with_chosen += squares[best]
        left[best] = False
        order.append(best)
    return torch.cat([torch.stack(order), statistics.constant]) if order else statistics.constant


def discriminant_directions(
    statistics: SufficientStatistics, shrinkage: float = SHRINKAGE
) -> Tensor:
    """Fisher's discriminant directions, orthonormal in their order: float64 (d, r).

    They maximise the scatter between classes, B = sum_c n_c mu_c mu_c', relative to the total one
    with a penalty, G + lambda I. **They are chosen with the labels of the train images.** r is at
    most the number of classes with images less one.

    Parameters
    ----------
    statistics : SufficientStatistics
        With labels.
    shrinkage : float
        lambda over the trace of G divided by d: what is the penalty of the ridge probe.

    Raises
    ------
    InputError
        Without labels, if they are all of one class, or if every neuron is constant.

    Notes
    -----
    B has rank C - 1, so with H = G + lambda I = L L' the directions are L^-T times the left
    singular vectors of L^-1 R D^-1/2, R the class sums (d, C) and D the counts: no d x d
    eigenproblem. Relative to the scatter within classes they are the same for lambda = 0 (Fukunaga
    1990, section 10.2). Orthonormal by QR, each prefix spans what the first directions span, and
    the penalty of a probe means what it means for other bases. **All of them together span what
    the ridge probe of the same penalty uses of the whole layer**, H^-1 R: its accuracy there is
    the whole layer's by construction, and only fewer of them tell something new.
    """
    sums, counts = statistics.class_sums, statistics.class_counts
    if sums is None or counts is None:
        raise InputError(
            "the selection 'lda' is chosen with labels: give y, or take 'pca', which needs none"
        )
    present = counts > 0
    if int(present.sum()) < 2:
        raise InputError("the selection 'lda' needs images of at least two classes")
    if not statistics.mean_variance > 0:
        raise InputError("there are no discriminant directions: every neuron is constant")
    penalised = statistics.gram.clone()
    penalised.diagonal().add_(shrinkage * statistics.n * statistics.mean_variance)
    factor = cholesky(penalised)
    between = sums[:, present] / counts[present].sqrt()
    left, values, _ = torch.linalg.svd(
        torch.linalg.solve_triangular(factor, between, upper=False), full_matrices=False
    )
    noise = torch.finfo(torch.float32).eps * values[0]
    rank = min(int(present.sum()) - 1, max(1, int((values > noise).sum())))
    directions = torch.linalg.solve_triangular(factor.T, left[:, :rank], upper=True)
    orthonormal: Tensor = torch.linalg.qr(directions).Q
    largest = orthonormal.gather(0, orthonormal.abs().argmax(0, keepdim=True))
    return orthonormal * largest.sign()
