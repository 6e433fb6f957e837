"""Features that look like a layer's: few strong directions, many weak ones, not negative, and far
from zero mean.
"""

from __future__ import annotations

import numpy as np

RANK = 64
"""Strong directions."""


def layer(n: int, d: int, *, classes: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of a made-up layer, with labels.

    Latent vectors around a class mean are spread over the neurons with a decaying spectrum; noise,
    a bias and a ReLU follow. The mean is shifted at last, so that a measure that forgets to centre
    is found out.

    Parameters
    ----------
    n : int
        Images.
    d : int
        Neurons.
    classes : int
        Classes, drawn evenly at random.
    seed : int
        Of the generator everything is drawn from.

    Returns
    -------
    X : ndarray (n, d), float32
    y : ndarray (n,), int64
    """
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    means = rng.standard_normal((classes, RANK), dtype=np.float32)
    latent = 0.4 * means[y] + rng.standard_normal((n, RANK), dtype=np.float32)
    strength = np.arange(1, RANK + 1, dtype=np.float32) ** -0.5
    X = (latent * strength) @ rng.standard_normal((RANK, d), dtype=np.float32)
    X += rng.standard_normal((n, d), dtype=np.float32)
    X += rng.normal(-0.5, 0.5, d).astype(np.float32)
    np.maximum(X, 0, out=X)
    X += rng.uniform(0, 2, d).astype(np.float32)
    return X, y
