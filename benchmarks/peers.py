"""Released packages and usual recipes that the library is compared with, each as a function of
features.

Packages beyond those of the tests come with ``pip install -e '.[benchmarks]'``; one that is not
installed is left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import metadata, util
from typing import Any

import numpy as np
import torch
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from torch import Tensor, nn

# CKA of a subset of neurons with the whole layer, as a number


def _ckatorch(subset: Tensor, whole: Tensor) -> float:
    from ckatorch.core import cka_base

    return float(cka_base(subset, whole, kernel="linear", method="fro_norm"))


def _repsim(subset: Tensor, whole: Tensor) -> float:
    import repsim

    return float(
        repsim.cka([subset.numpy(), whole.numpy()], kernel_type="linear", estimator="gretton")[0, 1]
    )


def _simtorch(subset: Tensor, whole: Tensor) -> float:
    from simtorch.similarity.cka import CKA

    measure = CKA.__new__(
        CKA
    )  # the class wants two models; its arithmetic wants Gram matrices of images
    measure.device = "cpu"
    return float(measure.linear_CKA(subset @ subset.T, whole @ whole.T))


def pytorch_cka(subset: Tensor, whole: Tensor) -> float:
    """Linear, unbiased CKA, on the features' device."""
    import cka

    return float(cka.cka_from_features(subset, whole))


CKA_PACKAGES: dict[str, Callable[[Tensor, Tensor], float]] = {
    "ckatorch": _ckatorch,
    "repsim": _repsim,
    "simtorch": _simtorch,
}
"""Linear, biased CKA of features (n, k) and (n, d), by package."""


def installed(package: str, module: str | None = None) -> str | None:
    """The version of a package, or None; ``module`` where its module has another name."""
    return metadata.version(package) if util.find_spec(module or package) is not None else None


# Logistic probes on features (n, k): weights (k + 1, C), the last row the intercepts, and whether
# they converged


def scikit_learn(
    X: np.ndarray, y: np.ndarray, penalty: float, *, kind: Any = LogisticRegression
) -> tuple[np.ndarray, bool]:
    """LogisticRegression with its default solver, tolerance and limit of iterations."""
    model = kind(C=1 / (penalty * len(X)))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(X, y)
    return np.vstack([model.coef_.T, model.intercept_]), not warned


def intelex(X: np.ndarray, y: np.ndarray, penalty: float) -> tuple[np.ndarray, bool]:
    """The same class of scikit-learn's extension for Intel processors."""
    from sklearnex.linear_model import LogisticRegression

    return scikit_learn(X, y, penalty, kind=LogisticRegression)


def torch_lbfgs(X: np.ndarray, y: np.ndarray, penalty: float) -> tuple[np.ndarray, bool]:
    """torch's L-BFGS with strong Wolfe line search, at most 100 iterations, on features as they
    are.
    """
    features, labels = torch.from_numpy(X), torch.from_numpy(y)
    head = nn.Linear(features.shape[1], int(y.max()) + 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimiser = torch.optim.LBFGS(
        head.parameters(),
        max_iter=100,
        history_size=20,
        tolerance_grad=1e-5,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = (
            nn.functional.cross_entropy(head(features), labels)
            + penalty / 2 * (head.weight**2).sum()
        )
        loss.backward()
        return loss

    optimiser.step(closure)
    done = int(optimiser.state[next(iter(optimiser.state))]["n_iter"]) < 100
    return np.vstack([head.weight.detach().numpy().T, head.bias.detach().numpy()]), done


def authors_sgd(
    X: np.ndarray, y: np.ndarray, penalty: float, *, epochs: int = 50, step: int = 10
) -> tuple[np.ndarray, bool]:
    """The authors' recipe on cached features: SGD, learning rate 0.1, momentum 0.9, a tenth of it
    every ``step`` epochs, batches of 256.
    """
    features, labels = torch.from_numpy(X), torch.from_numpy(y)
    torch.manual_seed(0)
    head = nn.Linear(features.shape[1], int(y.max()) + 1)
    optimiser = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9, weight_decay=penalty)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, step, 0.1)
    for _ in range(epochs):
        for rows in torch.randperm(len(features)).split(256):
            optimiser.zero_grad()
            nn.functional.cross_entropy(head(features[rows]), labels[rows]).backward()
            optimiser.step()
        schedule.step()
    return np.vstack([head.weight.detach().numpy().T, head.bias.detach().numpy()]), True


LOGISTIC: dict[str, Callable[..., tuple[np.ndarray, bool]]] = {
    "scikit-learn": scikit_learn,
    "scikit-learn-intelex": intelex,
    "torch L-BFGS": torch_lbfgs,
    "the authors' SGD": authors_sgd,
}


def objective(weights: np.ndarray, X: np.ndarray, y: np.ndarray, penalty: float) -> float:
    """Mean cross-entropy plus penalty of a logistic probe, in float64."""
    w: Any = weights.astype(np.float64)
    scores = X.astype(np.float64) @ w[:-1] + w[-1]
    scores -= scores.max(1, keepdims=True)
    loss = np.log(np.exp(scores).sum(1)) - scores[np.arange(len(y)), y]
    return float(loss.mean() + penalty / 2 * (w[:-1] ** 2).sum())


# Probes by scikit-learn on a device, through its array API: right guesses on test features


def ridge_on_device(X: Tensor, y: Tensor, test: Tensor, truth: Tensor, alpha: float) -> int:
    """One fit of the ridge classifier, by its singular values: the array API knows no other way."""
    with config_context(array_api_dispatch=True):
        guesses = RidgeClassifier(alpha=alpha, solver="svd").fit(X, y).predict(test)
    return int((guesses == truth).sum())


def logistic_on_device(X: Tensor, y: Tensor, test: Tensor, truth: Tensor, penalty: float) -> int:
    """One fit of LogisticRegression with its defaults."""
    with config_context(array_api_dispatch=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        guesses = LogisticRegression(C=1 / (penalty * len(X))).fit(X, y).predict(test)
    return int((guesses == truth).sum())
