"""Wrong solutions of the exercises of the course: for each, what a student may write, and a part of
what its check must say then.

They may use ``np``, ``math``, ``statistics`` and ``lab``, as the notebooks do. The first of each is
a mistake in the idea; others are in how it is written, or in the kind of thing that is returned.
"""

from __future__ import annotations

WRONG: dict[str, list[tuple[str, str]]] = {
    "centre": [
        ("def centre(X):\n    return X - X.mean(axis=1, keepdims=True)", "you centred the rows"),
        ("def centre(X):\n    return X - X.mean()", "one mean of the whole matrix"),
        ("def centre(X):\n    return (X - X.mean(0)) / X.std(0)", "only subtract"),
        ("def centre(X):\n    X -= X.mean(0)\n    return X", "in place"),
        ("def centre(X):\n    return (X - X.mean(0)).tolist()", "must be a NumPy array"),
        ("def centre(X):\n    X - X.mean(0)", "did you forget `return`"),
        ("def centre(X):\n    return np.zeros_like(X)", "differences between images"),
    ],
    "random_part": [
        (
            "def random_part(d, k, seed):\n"
            "    return np.random.default_rng(seed).choice(d, size=k, replace=True)",
            "drew a neuron twice",
        ),
        (
            "def random_part(d, k, seed):\n"
            "    return np.sort(np.random.default_rng(seed).permutation(d)[:k])",
            "your neurons are sorted",
        ),
        (
            "def random_part(d, k, seed):\n    return np.random.default_rng().permutation(d)[:k]",
            "same seed draw different neurons",
        ),
        ("def random_part(d, k, seed):\n    return np.arange(k)", "every seed draws the same"),
        (
            "def random_part(d, k, seed):\n"
            "    np.random.seed(seed)\n"
            "    return np.random.permutation(d)[:k]",
            "global generator",
        ),
        (
            "def random_part(d, k, seed):\n"
            "    return 1 + np.random.default_rng(seed).permutation(d)[:k]",
            "the first is number 0",
        ),
        (
            "def random_part(d, k, seed):\n"
            "    return 1 + np.random.default_rng(seed).permutation(d - 1)[:k]",
            "neuron 0 is drawn 0 times",
        ),
        (
            "def random_part(d, k, seed):\n"
            "    return np.random.default_rng(1000 * seed + k).permutation(d)[:k]",
            "not the first 12 of the 20",
        ),
    ],
    "cka": [
        (
            "def cka(X, Y):\n"
            "    X, Y = X - X.mean(0), Y - Y.mean(0)\n"
            "    return np.linalg.norm(Y.T @ X) ** 2 / np.linalg.norm(X.T @ X) ** 2",
            "changes when Y is scaled: did you divide by both norms?",
        ),
        (
            "def cka(X, Y):\n"
            "    return np.linalg.norm(Y.T @ X) ** 2 / np.linalg.norm(X.T @ X) "
            "/ np.linalg.norm(Y.T @ Y)",
            "when 5 is added to every feature of Y",
        ),
        (
            "def cka(X, Y):\n"
            "    X, Y = X - X.mean(0), Y - Y.mean(0)\n"
            "    G = np.linalg.norm(X.T @ X) * np.linalg.norm(Y.T @ Y)\n"
            "    return np.linalg.norm(Y.T @ X) / np.sqrt(G)",
            "square root of CKA",
        ),
        (
            "def cka(X, Y):\n"
            "    X, Y = X - X.mean(0), Y - Y.mean(0)\n"
            "    G = np.linalg.norm(X.T @ X) * np.linalg.norm(Y.T @ Y)\n"
            "    return (np.linalg.norm(Y.T @ X) ** 2 / G) ** 2",
            "you return the square of CKA",
        ),
        (
            "def cka(X, Y):\n"
            "    X = X - X.mean(1, keepdims=True)\n"
            "    Y = Y - Y.mean(1, keepdims=True)\n"
            "    G = np.linalg.norm(X.T @ X) * np.linalg.norm(Y.T @ Y)\n"
            "    return np.linalg.norm(Y.T @ X) ** 2 / G",
            "Perhaps you centred the rows",
        ),
        ("def cka(X, Y):\n    return 1.0", "another way to compute it"),
        ("def cka(X, Y):\n    return float('nan')", "NaN"),
        ("def cka(X, Y):\n    return X.T @ Y", "it must be one number"),
        ("def cka(X, Y):\n    return (X.T @ X * (Y.T @ Y)).sum()", "stopped with ValueError"),
        (
            "def cka(X, Y):\n"
            "    X, Y = X - X.mean(0), Y - Y.mean(0)\n"
            "    below = np.linalg.norm(X.T @ X) * np.linalg.norm(Y.T @ Y)\n"
            "    return np.linalg.norm(Y.T @ X) / below",
            "the norm above the line is squared",
        ),
        (
            "def cka(X, Y):\n"
            "    X, Y, norm = X - X.mean(0), Y - Y.mean(0), np.linalg.norm\n"
            "    return norm(Y.T @ X) ** 2 / (norm(X.T @ X) ** 2 * norm(Y.T @ Y) ** 2)",
            "the norms below the line are not squared",
        ),
        (
            "def cka(X, Y):\n"
            "    X, Y, norm = X - X.mean(0), Y - Y.mean(0), np.linalg.norm\n"
            "    return norm(Y.T @ X) ** 2 / (norm(X) ** 2 * norm(Y) ** 2)",
            "not of X and of Y",
        ),
        (
            "def cka(X, Y):\n"
            "    X, Y, norm = X - X.mean(0), Y - Y.mean(0), np.linalg.norm\n"
            "    return norm(Y.T @ X) / (norm(X) * norm(Y))",
            "not of X and of Y",
        ),
        (
            "def cka(X, Y):\n"
            "    X, Y, norm = (X - X.mean(0)) / X.std(0), (Y - Y.mean(0)) / Y.std(0), "
            "np.linalg.norm\n"
            "    return norm(Y.T @ X) ** 2 / (norm(X.T @ X) * norm(Y.T @ Y))",
            "gave all neurons the same scale",
        ),
    ],
    "cka_curve": [
        (
            "def cka_curve(X, order):\n"
            "    X = (X - X.mean(0))[:, order]\n"
            "    P = (X.T @ X) ** 2\n"
            "    squares = np.cumsum(np.tril(P).sum(1))\n"
            "    return np.cumsum(P.sum(1)) / np.sqrt(squares * P.sum())",
            "k = 1 is right and k = 2 is not",
        ),
        (
            "def cka_curve(X, order):\n"
            "    X = X - X.mean(0)\n"
            "    P = (X.T @ X) ** 2\n"
            "    squares = np.cumsum(2 * np.tril(P, -1).sum(1) + P.diagonal())\n"
            "    return np.cumsum(P.sum(1)) / np.sqrt(squares * P.sum())",
            "in the given order",
        ),
        (
            "def cka_curve(X, order):\n"
            "    X = X[:, order]\n"
            "    P = (X.T @ X) ** 2\n"
            "    squares = np.cumsum(2 * np.tril(P, -1).sum(1) + P.diagonal())\n"
            "    return np.cumsum(P.sum(1)) / np.sqrt(squares * P.sum())",
            "centre each neuron",
        ),
        (
            "def cka_curve(X, order):\n"
            "    X = (X - X.mean(0))[:, order]\n"
            "    P = (X.T @ X) ** 2\n"
            "    return np.cumsum(P.sum(1)) / P.sum()",
            "slow way",
        ),
        ("def cka_curve(X, order):\n    return np.ones(len(order) + 1)", "it must be (12,)"),
        (
            "def cka_curve(X, order):\n"
            "    X = X - X.mean(0)\n"
            "    P = ((X.T @ X) ** 2)[order][order]\n"
            "    squares = np.cumsum(2 * np.tril(P, -1).sum(1) + P.diagonal())\n"
            "    return np.cumsum(P.sum(1)) / np.sqrt(squares * P.sum())",
            "np.ix_(order, order)",
        ),
        (
            "def cka_curve(X, order):\n"
            "    X = X - X.mean(0)\n"
            "    P = ((X.T @ X) ** 2)[:, order]\n"
            "    squares = np.cumsum(2 * np.tril(P, -1).sum(1) + P.diagonal())\n"
            "    return np.cumsum(P.sum(1)) / np.sqrt(squares * P.sum())",
            "np.ix_(order, order)",
        ),
        (
            "def cka_curve(X, order):\n"
            "    X = X - X.mean(0)\n"
            "    G = X.T @ X\n"
            "    P = (G ** 2)[np.ix_(order, order)]\n"
            "    squares = np.cumsum(2 * np.tril(P, -1).sum(1) + P.diagonal())\n"
            "    return np.sqrt(np.cumsum(P.sum(1))) / np.sqrt(squares * P.sum())",
            "the norm above the line is squared",
        ),
        (
            "def cka_curve(X, order):\n"
            "    X = (X - X.mean(0))[:, order]\n"
            "    G = X.T @ X\n"
            "    P = G**2\n"
            "    below = np.cumsum(2 * np.tril(P).sum(1))\n"
            "    return np.cumsum(P.sum(1)) / np.sqrt(below * P.sum())",
            "counted twice below the line",
        ),
        (
            "def cka_curve(X, order):\n"
            "    X = (X - X.mean(0))[:, order]\n"
            "    G = X.T @ X\n"
            "    P = G\n"
            "    below = np.cumsum(2 * np.tril(P, -1).sum(1) + P.diagonal())\n"
            "    return np.cumsum(P.sum(1)) / np.sqrt(below * P.sum())",
            "square each of them first",
        ),
        (
            "def cka_curve(X, order):\n"
            "    X = (X - X.mean(0))[:, order]\n"
            "    G = X.T @ X\n"
            "    P = G @ G\n"
            "    below = np.cumsum(2 * np.tril(P, -1).sum(1) + P.diagonal())\n"
            "    return np.cumsum(P.sum(1)) / np.sqrt(below * P.sum())",
            "square those of G, one by one",
        ),
        (
            "def cka_curve(X, order):\n"
            "    X = (X - X.mean(0))[:, order]\n"
            "    G = X.T @ X\n"
            "    P = G**2\n"
            "    below = np.cumsum(2 * np.tril(P, -1).sum(1) + P.diagonal())\n"
            "    return below / np.sqrt(below * P.sum())",
            "not only its leading square",
        ),
        (
            "def cka_curve(X, order):\n"
            "    X = (X - X.mean(0))[:, order]\n"
            "    P = (X.T @ X) ** 2\n"
            "    squares = np.cumsum(2 * np.tril(P, -1).sum(1) + P.diagonal())\n"
            "    return np.cumsum(P.sum(1)) / (squares * P.sum())",
            "divided by 81 when X is multiplied by 3: both norms below the line are roots",
        ),
        (
            "def cka_curve(X, order):\n"
            "    X = (X - X.mean(0))[:, order]\n"
            "    P = (X.T @ X) ** 2\n"
            "    squares = np.cumsum(2 * np.tril(P, -1).sum(1) + P.diagonal())\n"
            "    return np.cumsum(P.sum(1)) / (np.sqrt(squares) * P.sum())",
            "divided by 9 when X is multiplied by 3",
        ),
    ],
    "redundancy": [
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    enough = curves.mean(0) >= delta * full - 1e-12\n"
            "    return 1 - np.argmax(enough) / curves.shape[1]",
            "1/d more than is right",
        ),
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    enough = curves >= delta * full - 1e-12\n"
            "    return np.mean(1 - (enough.argmax(1) + 1) / curves.shape[1])",
            "take the mean of the curves first",
        ),
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    enough = curves.mean(0) >= delta - 1e-12\n"
            "    return 1 - (np.argmax(enough) + 1) / curves.shape[1]",
            "delta times the full value",
        ),
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    enough = curves.mean(0) >= delta * full - 1e-12\n"
            "    return (np.argmax(enough) + 1) / curves.shape[1]",
            "the share that is needed",
        ),
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    below = curves.mean(0) < delta * full - 1e-12\n"
            "    return 1 - (np.flatnonzero(below).max(initial=-1) + 2) / curves.shape[1]",
            "where it first gets there",
        ),
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    enough = curves.mean(0) > delta * full + 1e-12\n"
            "    return 1 - (np.argmax(enough) + 1) / curves.shape[1]",
            "use >=",
        ),
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    enough = curves.mean(0) >= 0.9 * full - 1e-12\n"
            "    return 1 - (np.argmax(enough) + 1) / curves.shape[1]",
            "use delta, not 0.9",
        ),
        ("def redundancy(curves, full, delta=0.9):\n    return 0.5", "does not depend on them"),
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    return 1 - (curves.mean(0) < delta * full - 1e-12).sum() / curves.shape[1]",
            "do you count the values below the bar",
        ),
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    return (curves.mean(0) >= delta * full - 1e-12).mean()",
            "do you count the values below the bar",
        ),
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    mean = curves.mean(0)\n"
            "    return 1 - (np.argmax(mean >= delta * full - 1e-12) + 1) / len(curves)",
            "divide by the number of subsets",
        ),
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    mean = curves.mean(1)\n"
            "    return 1 - (np.argmax(mean >= delta * full - 1e-12) + 1) / curves.shape[1]",
            "has a value for each k",
        ),
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    m = curves.mean(0)\n"
            "    return 1 - (np.searchsorted(m, delta * full - 1e-12) + 1) / len(m)",
            "np.searchsorted is for curves that only rise",
        ),
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    m = curves.mean(0)\n"
            "    return 1 - (np.argmax(m >= delta * m[-1] - 1e-12) + 1) / len(m)",
            "the bar is delta times `full`",
        ),
        (
            "def redundancy(curves, full, delta=0.9):\n"
            "    m = curves.mean(0)\n"
            "    return 100 * (1 - (np.argmax(m >= delta * full - 1e-12) + 1) / len(m))",
            "you return percent",
        ),
    ],
    "redundancy_interval": [
        (
            "def redundancy_interval(curves, full, delta=0.9, resamples=1000, seed=0):\n"
            "    enough = curves >= delta * full - 1e-12\n"
            "    each = 1 - (enough.argmax(1) + 1) / curves.shape[1]\n"
            "    low, high = np.quantile(each, [0.025, 0.975])\n"
            "    return low, high",
            "that of single subsets",
        ),
        (
            "def redundancy_interval(curves, full, delta=0.9, resamples=1000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    found = []\n"
            "    for _ in range(resamples):\n"
            "        rows = rng.integers(len(curves), size=len(curves))\n"
            "        enough = curves[rows].mean(0) >= delta * full - 1e-12\n"
            "        found.append(1 - (enough.argmax() + 1) / curves.shape[1])\n"
            "    return tuple(np.quantile(found, [0.05, 0.95]))",
            "90% interval",
        ),
        (
            "def redundancy_interval(curves, full, delta=0.9, resamples=1000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    found, d = [], curves.shape[1]\n"
            "    for _ in range(resamples):\n"
            "        columns = np.sort(rng.integers(d, size=d))\n"
            "        enough = curves[:, columns].mean(0) >= delta * full - 1e-12\n"
            "        found.append(1 - (enough.argmax() + 1) / d)\n"
            "    return tuple(np.quantile(found, [0.025, 0.975]))",
            "resample the subsets (rows)",
        ),
        (
            "def redundancy_interval(curves, full, delta=0.9, resamples=1000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    found = []\n"
            "    for _ in range(resamples):\n"
            "        rows = rng.permutation(len(curves))\n"
            "        enough = curves[rows].mean(0) >= delta * full - 1e-12\n"
            "        found.append(1 - (enough.argmax() + 1) / curves.shape[1])\n"
            "    return tuple(np.quantile(found, [0.025, 0.975]))",
            "draw rows with replacement",
        ),
        (
            "def redundancy_interval(curves, full, delta=0.9, resamples=1000, seed=0):\n"
            "    rng = np.random.default_rng()\n"
            "    found = []\n"
            "    for _ in range(resamples):\n"
            "        rows = rng.integers(len(curves), size=len(curves))\n"
            "        enough = curves[rows].mean(0) >= delta * full - 1e-12\n"
            "        found.append(1 - (enough.argmax() + 1) / curves.shape[1])\n"
            "    return tuple(np.quantile(found, [0.025, 0.975]))",
            "use the seed",
        ),
        (
            "def redundancy_interval(curves, full, delta=0.9, resamples=1000, seed=0):\n"
            "    return 0.5",
            "a tuple of 2 numbers",
        ),
        (
            "def redundancy_interval(curves, full, delta=0.9, resamples=1000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    n, d = curves.shape\n"
            "    f = []\n"
            "    for _ in range(resamples):\n"
            "        m = curves[rng.integers(n - 1, size=n)].mean(0)\n"
            "        f.append(1 - (np.argmax(m >= delta * full - 1e-12) + 1) / d)\n"
            "    return tuple(np.quantile(f, [0.025, 0.975]))",
            "does not see the last subset",
        ),
        (
            "def redundancy_interval(curves, full, delta=0.9, resamples=1000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    n, d = curves.shape\n"
            "    e = 1 - ((curves >= delta * full - 1e-12).argmax(1) + 1) / d\n"
            "    m = 1 - ((curves.mean(0) >= delta * full - 1e-12).argmax() + 1) / d\n"
            "    h = 1.96 * e.std(ddof=1) / n**0.5\n"
            "    return m - h, m + h",
            "the same for every seed",
        ),
        (
            "def redundancy_interval(curves, full, delta=0.9, resamples=1000, seed=0):\n"
            "    rng, (n, d), found = np.random.default_rng(seed), curves.shape, []\n"
            "    for _ in range(resamples):\n"
            "        mean = curves[rng.integers(n, size=n)].mean(0)\n"
            "        found.append(1 - (np.argmax(mean >= delta * full - 1e-12) + 1) / d)\n"
            "    return np.percentile(found, [0.025, 0.975])",
            "np.percentile takes percents",
        ),
        (
            "def redundancy_interval(curves, full, delta=0.9, resamples=1000, seed=0):\n"
            "    rng, found = np.random.default_rng(seed), []\n"
            "    for _ in range(resamples):\n"
            "        m = curves[rng.integers(len(curves), size=len(curves))].mean(0)\n"
            "        found.append(1 - np.argmax(m >= delta * full - 1e-12) / len(m))\n"
            "    return tuple(np.quantile(found, [0.025, 0.975]))",
            "does k begin at 1?",
        ),
        (
            "def redundancy(curves, full, delta):\n"
            "    raise NotImplementedError('Write it here.')\n"
            "def redundancy_interval(curves, full, delta=0.9, resamples=1000, seed=0):\n"
            "    return redundancy(curves, full, delta)",
            "redundancy_interval calls redundancy, which is still blank",
        ),
    ],
    "spectrum": [
        (
            "def spectrum(X):\n"
            "    X = X - X.mean(0)\n"
            "    G = X.T @ X\n"
            "    v = G.diagonal()\n"
            "    r, pr = (v**2).sum() / (G**2).sum(), v.sum() ** 2 / (G**2).sum()\n"
            "    return r, pr, v.std() / v.mean()",
            "your third number is CV",
        ),
        (
            "def spectrum(X):\n"
            "    G = X.T @ X\n"
            "    v = G.diagonal()\n"
            "    r, pr = (v**2).sum() / (G**2).sum(), v.sum() ** 2 / (G**2).sum()\n"
            "    return r, pr, v.var() / v.mean() ** 2",
            "centre each neuron",
        ),
        (
            "def spectrum(X):\n"
            "    X = X - X.mean(0)\n"
            "    G = X.T @ X\n"
            "    v = G.diagonal()\n"
            "    r, pr = (v**2).sum() / (G**2).sum(), v.sum() ** 2 / (G**2).sum()\n"
            "    return r, pr / len(G), v.var() / v.mean() ** 2",
            "PR / d",
        ),
        (
            "def spectrum(X):\n"
            "    X = X - X.mean(0)\n"
            "    G = X.T @ X\n"
            "    v = G.diagonal()\n"
            "    r, pr = (v**2).sum() / (G**2).sum(), v.sum() ** 2 / (v**2).sum()\n"
            "    return r, pr, v.var() / v.mean() ** 2",
            "when the layer is rotated",
        ),
        (
            "def spectrum(X):\n"
            "    X = X - X.mean(0)\n"
            "    G = X.T @ X\n"
            "    v = G.diagonal()\n"
            "    r, pr = v.sum() / G.sum(), v.sum() ** 2 / (G**2).sum()\n"
            "    return r, pr, v.var() / v.mean() ** 2",
            "share of the squared entries",
        ),
        (
            "def spectrum(X):\n"
            "    X = X - X.mean(0)\n"
            "    G = X.T @ X\n"
            "    v, s = G.diagonal(), X.std(0)\n"
            "    r, pr = (v**2).sum() / (G**2).sum(), v.sum() ** 2 / (G**2).sum()\n"
            "    return r, pr, s.var() / s.mean() ** 2",
            "take their variances",
        ),
        (
            "def spectrum(X):\n"
            "    X = X - X.mean(0)\n"
            "    G = X @ X.T\n"
            "    v, norm = G.diagonal(), (G**2).sum()\n"
            "    return (v**2).sum() / norm, v.sum() ** 2 / norm, v.var() / v.mean() ** 2",
            "your CV is of images",
        ),
    ],
    "closed_form": [
        (
            "def closed_form(r, d):\n"
            "    k = np.arange(d)\n"
            "    return np.sqrt(k / d) / np.sqrt(r + (1 - r) * (k - 1) / (d - 1))",
            "your curve ends at",
        ),
        (
            "def closed_form(r, d):\n"
            "    k = np.arange(1, d + 1)\n"
            "    return np.sqrt(k / d) / np.sqrt(r + (1 - r) * k / d)",
            "(k - 1)/(d - 1), and yours by k/d",
        ),
        ("def closed_form(r, d):\n    return np.sqrt(np.arange(1, d + 1) / d)", "not depend on r"),
        (
            "def closed_form(r, d):\n"
            "    k = np.arange(1, d + 1)\n"
            "    return (k / d) / (r + (1 - r) * (k - 1) / (d - 1))",
            "a square root is missing above and below",
        ),
        (
            "def closed_form(r, d):\n"
            "    k = np.arange(1, d + 1)\n"
            "    return np.sqrt(k / d) / (np.sqrt(r) + (1 - np.sqrt(r)) * (k - 1) / (d - 1))",
            "copies of one",
        ),
        (
            "def closed_form(r, d):\n"
            "    k = np.arange(1, d + 1)\n"
            "    return np.sqrt(k / d) / (r + (1 - r) * (k - 1) / (d - 1))",
            "missing below the line",
        ),
        (
            "def closed_form(r, d):\n"
            "    k = np.arange(1, d + 1)\n"
            "    return k / d / np.sqrt(r + (1 - r) * (k - 1) / (d - 1))",
            "missing above the line",
        ),
        (
            "def closed_form(r, d):\n"
            "    k = np.arange(1, d + 1)\n"
            "    return np.sqrt(k / d) / np.sqrt(r + (1 - r) * (k / d) ** 2)",
            "your curve begins at",
        ),
    ],
    "standardise": [
        (
            "def standardise(X):\n    return (X - X.mean(0)) / X.std(0)",
            "it must become 0, not NaN",
        ),
        (
            "def standardise(X):\n    return (X - X.mean(0)) / X.var(0)",
            "you divided by the variance",
        ),
        ("def standardise(X):\n    return (X - X.mean(0)) / X.std()", "each neuron has its own"),
        (
            "def standardise(X):\n"
            "    return (X - X.mean(1, keepdims=True)) / X.std(1, keepdims=True)",
            "standardised the images",
        ),
        ("def standardise(X):\n    return X / X.std(0)", "mean of each neuron"),
        (
            "def standardise(X):\n    return (X - X.mean(0)) / X.std(0, ddof=1)",
            "divide by n, not by n - 1",
        ),
        ("def standardise(X):\n    X -= X.mean(0)\n    return X / X.std(0)", "in place"),
        (
            "def standardise(X):\n"
            "    s = X.std(0)\n"
            "    return (X - X.mean(0)) / np.where(s == 0, 1, s)",
            "wherever its deviation is below 1e-12",
        ),
        (
            "def standardise(X):\n"
            "    spread = X.std(0)\n"
            "    return (X - X.mean(0))[:, spread > 1e-12] / spread[spread > 1e-12]",
            "is to stay, as a column of 0",
        ),
    ],
    "explain": [
        (
            "def explain(X, Y):\n"
            "    found = []\n"
            "    for layer in (X, Y):\n"
            "        A = layer - layer.mean(0)\n"
            "        G = A.T @ A\n"
            "        v = G.diagonal()\n"
            "        pr = v.sum() ** 2 / (G**2).sum()\n"
            "        found.append((pr, 1 + v.var() / v.mean() ** 2))\n"
            "    return found[1][0] / found[0][0], found[1][1] / found[0][1]",
            "compare PR / d",
        ),
        (
            "def explain(X, Y):\n"
            "    found = []\n"
            "    for layer in (X, Y):\n"
            "        A = layer - layer.mean(0)\n"
            "        G = A.T @ A\n"
            "        v = G.diagonal()\n"
            "        pr = v.sum() ** 2 / (G**2).sum() / len(G)\n"
            "        found.append((pr, 1 + v.var() / v.mean() ** 2))\n"
            "    return found[0][0] / found[1][0], found[0][1] / found[1][1]",
            "upside down",
        ),
        (
            "def explain(X, Y):\n"
            "    found = []\n"
            "    for layer in (X, Y):\n"
            "        A = layer - layer.mean(0)\n"
            "        G = A.T @ A\n"
            "        v = G.diagonal()\n"
            "        pr = v.sum() ** 2 / (G**2).sum() / len(G)\n"
            "        found.append((pr, v.var() / v.mean() ** 2))\n"
            "    return found[1][0] / found[0][0], found[1][1] / found[0][1]",
            "r holds 1 + CV^2",
        ),
        ("def explain(X, Y):\n    return 1.0, 1.0", "must multiply to the ratio"),
    ],
    "share_kept": [
        (
            "def share_kept(curve, fraction):\n"
            "    return curve[int(fraction * len(curve))] / curve[-1]",
            "place in the curve is number 9",
        ),
        (
            "def share_kept(curve, fraction):\n"
            "    return curve[max(1, int(fraction * len(curve))) - 1]",
            "divide it by that of the full layer",
        ),
        (
            "def share_kept(curve, fraction):\n"
            "    return curve[max(1, round(fraction * len(curve))) - 1] / curve[-1]",
            "round down",
        ),
        (
            "def share_kept(curve, fraction):\n"
            "    return curve[int(fraction * len(curve)) - 1] / curve[-1]",
            "one neuron at least",
        ),
        (
            "def share_kept(curve, fraction):\n"
            "    return 1 - curve[max(1, int(fraction * len(curve))) - 1] / curve[-1]",
            "not the one that is kept",
        ),
        (
            "def share_kept(curve, fraction):\n"
            "    return curve[max(1, int(fraction * len(curve))) - 1] / max(curve)",
            "you divide by the largest value",
        ),
        (
            "def share_kept(curve, fraction):\n"
            "    return 100 * curve[max(int(fraction * len(curve)), 1) - 1] / curve[-1]",
            "you return percent",
        ),
    ],
    "ridge": [
        (
            "def ridge(X_train, y_train, X_test, strength):\n"
            "    Y = np.eye(y_train.max() + 1)[y_train]\n"
            "    X = X_train - X_train.mean(0)\n"
            "    A = X.T @ X + strength * np.eye(X.shape[1])\n"
            "    W = np.linalg.solve(A, X.T @ (Y - Y.mean(0)))\n"
            "    return ((X_test - X_test.mean(0)) @ W + Y.mean(0)).argmax(1)",
            "centre test images by the means of the train images",
        ),
        (
            "def ridge(X_train, y_train, X_test, strength):\n"
            "    Y = np.eye(y_train.max() + 1)[y_train]\n"
            "    X = X_train - X_train.mean(0)\n"
            "    A = X.T @ X + strength * np.eye(X.shape[1])\n"
            "    W = np.linalg.solve(A, X.T @ (Y - Y.mean(0)))\n"
            "    return ((X_test - X_train.mean(0)) @ W).argmax(1)",
            "the mean of the one-hot labels is missing",
        ),
        (
            "def ridge(X_train, y_train, X_test, strength):\n"
            "    Y = np.eye(y_train.max() + 1)[y_train]\n"
            "    A = X_train.T @ X_train + strength * np.eye(X_train.shape[1])\n"
            "    W = np.linalg.solve(A, X_train.T @ (Y - Y.mean(0)))\n"
            "    return (X_test @ W + Y.mean(0)).argmax(1)",
            "when 9 is added to every feature",
        ),
        (
            "def ridge(X_train, y_train, X_test, strength):\n"
            "    Y = np.eye(y_train.max() + 1)[y_train]\n"
            "    X = X_train - X_train.mean(0)\n"
            "    A = X.T @ X + strength * np.eye(X.shape[1])\n"
            "    W = np.linalg.solve(A, X.T @ (Y - Y.mean(0)))\n"
            "    return (X_test - X_train.mean(0)) @ W + Y.mean(0)",
            "it must be (60,)",
        ),
        (
            "def ridge(X_train, y_train, X_test, strength):\n"
            "    Y = np.eye(y_train.max() + 1)[y_train]\n"
            "    X = X_train - X_train.mean(0)\n"
            "    A = X.T @ X + strength**2 * np.eye(X.shape[1])\n"
            "    W = np.linalg.solve(A, X.T @ (Y - Y.mean(0)))\n"
            "    return ((X_test - X_train.mean(0)) @ W + Y.mean(0)).argmax(1)",
            "added to the diagonal, once",
        ),
        (
            "def ridge(X_train, y_train, X_test, strength):\n"
            "    return np.full(len(X_test), np.bincount(y_train).argmax())",
            "differ from those of the same probe",
        ),
        (
            "def ridge(X_train, y_train, X_test, strength):\n"
            "    Y = np.eye(10)[y_train]\n"
            "    m = X_train.mean(0)\n"
            "    X = X_train - m\n"
            "    A = X.T @ X + strength * np.eye(X.shape[1])\n"
            "    W = np.linalg.solve(A, X.T @ (Y - Y.mean(0)))\n"
            "    return ((X_test - m) @ W + Y.mean(0)).argmax(1)",
            "with 12 classes instead of 3",
        ),
        (
            "def ridge(X_train, y_train, X_test, strength):\n"
            "    Y = np.eye(y_train.max() + 1)[y_train]\n"
            "    m = X_train.mean(0)\n"
            "    X = X_train - m\n"
            "    A = X.T @ X + strength * np.eye(X.shape[1])\n"
            "    W = np.linalg.solve(A, X.T @ (Y - Y.mean(0)))\n"
            "    return (X_test @ W + Y.mean(0)).argmax(1)",
            "not the test images: subtract",
        ),
        (
            "def ridge(X_train, y_train, X_test, strength):\n"
            "    m, Y = X_train.mean(0), np.eye(y_train.max() + 1)[y_train]\n"
            "    X = X_train - m\n"
            "    G = X.T @ X + 0.01 * np.trace(X.T @ X) / len(X.T) * np.eye(len(X.T))\n"
            "    W = np.linalg.solve(G, X.T @ (Y - Y.mean(0)))\n"
            "    return ((X_test - m) @ W + Y.mean(0)).argmax(1)",
            "do not change with `strength`",
        ),
        (
            "def ridge(X_train, y_train, X_test, strength):\n"
            "    m, Y = X_train.mean(0), np.eye(y_train.max() + 1)[y_train]\n"
            "    X = X_train - m\n"
            "    W = np.linalg.solve(X.T @ X + strength, X.T @ (Y - Y.mean(0)))\n"
            "    return ((X_test - m) @ W + Y.mean(0)).argmax(1)",
            "do not change with `strength`",
        ),
        (
            "def ridge(X_train, y_train, X_test, strength):\n"
            "    m = X_train.mean(0)\n"
            "    X, Y = X_train - m, y_train - y_train.mean()\n"
            "    W = np.linalg.solve(X.T @ X + strength * np.eye(len(X.T)), X.T @ Y)\n"
            "    return np.rint((X_test - m) @ W + y_train.mean()).clip(0, 2).astype(int)",
            "a column of labels for each class (one-hot)",
        ),
    ],
    "ridge_curve": [
        (
            "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
            "    mean, Y = X_train.mean(0), np.eye(y_train.max() + 1)[y_train]\n"
            "    X, Z = (X_train - mean)[:, order], (X_test - mean)[:, order]\n"
            "    A = X.T @ X + strength * np.eye(len(order))\n"
            "    W = np.linalg.solve(A, X.T @ (Y - Y.mean(0)))\n"
            "    scores = Y.mean(0) + np.cumsum(Z.T[:, :, None] * W[:, None], axis=0)\n"
            "    return (scores.argmax(2) == y_test).mean(1)",
            "neurons that come later in the order",
        ),
        (
            "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
            "    mean, Y = X_train.mean(0), np.eye(y_train.max() + 1)[y_train]\n"
            "    X, Z = X_train - mean, X_test - mean\n"
            "    L = np.linalg.cholesky(X.T @ X + strength * np.eye(len(order)))\n"
            "    A = np.linalg.solve(L, X.T @ (Y - Y.mean(0)))\n"
            "    V = np.linalg.solve(L, Z.T)\n"
            "    scores = Y.mean(0) + np.cumsum(V[:, :, None] * A[:, None], axis=0)\n"
            "    return (scores.argmax(2) == y_test).mean(1)",
            "in the given order",
        ),
        (
            "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
            "    return np.full(len(order), 0.5)",
            "the same at every k",
        ),
        (
            "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
            "    return np.linspace(10, 99, len(order))",
            "shares between 0 and 1",
        ),
        (
            "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
            "    mean, Y = X_train.mean(0), np.eye(y_train.max() + 1)[y_train]\n"
            "    X, Z = (X_train - mean)[:, order], (X_test - mean)[:, order]\n"
            "    L = np.linalg.cholesky(X.T @ X + strength * np.eye(len(order)))\n"
            "    b = 0\n"
            "    A = np.linalg.solve(L, X.T @ (Y))\n"
            "    V = np.linalg.solve(L, Z.T)\n"
            "    scores = b + np.cumsum(V[:, :, None] * A[:, None], axis=0)\n"
            "    return (scores.argmax(2) == y_test).mean(1)",
            "the mean of the one-hot labels is missing",
        ),
        (
            "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
            "    mean, Y = X_train.mean(0), np.eye(y_train.max() + 1)[y_train]\n"
            "    X, Z = (X_train - mean)[:, order], X_test[:, order]\n"
            "    L = np.linalg.cholesky(X.T @ X + strength * np.eye(len(order)))\n"
            "    b = Y.mean(0)\n"
            "    A = np.linalg.solve(L, X.T @ (Y - Y.mean(0)))\n"
            "    V = np.linalg.solve(L, Z.T)\n"
            "    scores = b + np.cumsum(V[:, :, None] * A[:, None], axis=0)\n"
            "    return (scores.argmax(2) == y_test).mean(1)",
            "when 4 is added to every feature",
        ),
        (
            "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
            "    mean, Y = X_train.mean(0), np.eye(y_train.max() + 1)[y_train]\n"
            "    X, Z = (X_train - mean)[:, order], (X_test - X_test.mean(0))[:, order]\n"
            "    L = np.linalg.cholesky(X.T @ X + strength * np.eye(len(order)))\n"
            "    b = Y.mean(0)\n"
            "    A = np.linalg.solve(L, X.T @ (Y - Y.mean(0)))\n"
            "    V = np.linalg.solve(L, Z.T)\n"
            "    scores = b + np.cumsum(V[:, :, None] * A[:, None], axis=0)\n"
            "    return (scores.argmax(2) == y_test).mean(1)",
            "you centre test images by their own means",
        ),
        (
            "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
            "    mean, Y = X_train.mean(0), np.eye(y_train.max() + 1)[y_train]\n"
            "    X, Z = (X_train - mean)[:, order], (X_test - mean)\n"
            "    L = np.linalg.cholesky(X.T @ X + strength * np.eye(len(order)))\n"
            "    b = Y.mean(0)\n"
            "    A = np.linalg.solve(L, X.T @ (Y - Y.mean(0)))\n"
            "    V = np.linalg.solve(L, Z.T)\n"
            "    scores = b + np.cumsum(V[:, :, None] * A[:, None], axis=0)\n"
            "    return (scores.argmax(2) == y_test).mean(1)",
            "the test images have their neurons as they stand",
        ),
        (
            "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
            "    mean, Y = X_train.mean(0), np.eye(y_train.max() + 1)[y_train]\n"
            "    X, Z = (X_train - mean), (X_test - mean)[:, order]\n"
            "    L = np.linalg.cholesky(X.T @ X + strength * np.eye(len(order)))\n"
            "    b = Y.mean(0)\n"
            "    A = np.linalg.solve(L, X.T @ (Y - Y.mean(0)))\n"
            "    V = np.linalg.solve(L, Z.T)\n"
            "    scores = b + np.cumsum(V[:, :, None] * A[:, None], axis=0)\n"
            "    return (scores.argmax(2) == y_test).mean(1)",
            "the train images have their neurons as they stand",
        ),
        (
            "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
            "    mean, Y = X_train.mean(0), np.eye(y_train.max() + 1)[y_train]\n"
            "    X, Z = X_train[:, order], (X_test - mean)[:, order]\n"
            "    L = np.linalg.cholesky(X.T @ X + strength * np.eye(len(order)))\n"
            "    b = Y.mean(0)\n"
            "    A = np.linalg.solve(L, X.T @ (Y - Y.mean(0)))\n"
            "    V = np.linalg.solve(L, Z.T)\n"
            "    scores = b + np.cumsum(V[:, :, None] * A[:, None], axis=0)\n"
            "    return (scores.argmax(2) == y_test).mean(1)",
            "when 4 is added to every feature",
        ),
        (
            "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
            "    mean, Y = X_train.mean(0), np.eye(y_train.max() + 1)[y_train]\n"
            "    X, Z = (X_train - mean)[:, order], (X_test - mean)[:, order]\n"
            "    L = np.linalg.cholesky(X.T @ X + strength * np.eye(len(order)))\n"
            "    b = Y.mean(0)\n"
            "    A = np.linalg.solve(L.T, X.T @ (Y - Y.mean(0)))\n"
            "    V = np.linalg.solve(L.T, Z.T)\n"
            "    scores = b + np.cumsum(V[:, :, None] * A[:, None], axis=0)\n"
            "    return (scores.argmax(2) == y_test).mean(1)",
            "lower triangular factor L",
        ),
        (
            "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
            "    X, means, Y = X_train[:, order], X_train[:, order].mean(0), "
            "np.eye(y_train.max() + 1)[y_train]\n"
            "    L = np.linalg.cholesky((X - means).T @ (X - means) + strength * "
            "np.eye(len(order)))\n"
            "    Z = np.linalg.solve(L, (X - means).T @ (Y - Y.mean(0)))\n"
            "    V = np.linalg.solve(L, (X_test - means).T)\n"
            "    terms = V[:, :, None] * Z[:, None]\n"
            "    scores = Y.mean(0) + terms.cumsum(0)\n"
            "    return (scores.argmax(2) == y_test).mean(1)",
            "the means are in the order",
        ),
        (
            "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
            "    X, means, Y = X_train[:, order], X_train[:, order].mean(0), "
            "np.eye(y_train.max() + 1)[y_train]\n"
            "    L = np.linalg.cholesky((X - means).T @ (X - means) + strength * "
            "np.eye(len(order)))\n"
            "    Z = np.linalg.solve(L, (X - means).T @ (Y - Y.mean(0)))\n"
            "    V = np.linalg.solve(L, (X_test[:, order] - means).T)\n"
            "    terms = V[:, :, None] * Z[:, None]\n"
            "    scores = Y.mean(0) + terms\n"
            "    return (scores.argmax(2) == y_test).mean(1)",
            "is each term added to those before it",
        ),
    ],
    "selection": [
        (
            "def selection(X_train, y_train):\n"
            "    return np.random.default_rng(0).permutation(X_train.shape[1])",
            "when the neurons are shuffled",
        ),
        (
            "def selection(X_train, y_train):\n    return X_train.var(0).argsort()",
            "the wrong way round",
        ),
        (
            "def selection(X_train, y_train):\n    return X_train.var(0).argsort()[::-1][:25]",
            "it must be (512,)",
        ),
        (
            "def selection(X_train, y_train):\n    return np.zeros(X_train.shape[1], dtype=int)",
            "each neuron once",
        ),
        (
            "def selection(X_train, y_train):\n"
            "    middle = np.median(X_train.mean(0))\n"
            "    return abs(X_train.mean(0) - middle).argsort()",
            "it must be better by 2",
        ),
        (
            "def selection(X_train, y_train):\n    return X_train.var(0).argsort()[::-1]",
            "a copy adds nothing",
        ),
        (
            "def selection(X_train, y_train):\n"
            "    means = np.array([X_train[y_train == one].mean(0) for one in "
            "np.unique(y_train)])\n"
            "    return means.var(0).argsort()[::-1]",
            "a copy adds nothing",
        ),
        (
            "def selection(X_train, y_train):\n"
            "    means = np.array([X_train[y_train == one].mean(0) for one in "
            "np.unique(y_train)])\n"
            "    return (means.var(0) / (X_train.var(0) + 1e-9)).argsort()[::-1]",
            "need not be good together",
        ),
        (
            "def selection(X_train, y_train):\n"
            "    X = (X_train - X_train.mean(0)) / (X_train.std(0) + 1e-9)\n"
            "    C, order, later = np.abs(X.T @ X) / len(X), [], []\n"
            "    for j in np.argsort(-X_train.var(0)):\n"
            "        copy = order and C[j, order].max() > 0.99\n"
            "        (later if copy else order).append(j)\n"
            "    return np.array(order + later)",
            "are copies of others among them",
        ),
    ],
    "gain_kept": [
        (
            "def gain_kept(own, other, random):\n"
            "    own, other = own - random.mean(0), other - random.mean(0)\n"
            "    return own.mean(), other.mean(), np.mean(other / np.maximum(own, 1e-6))",
            "you averaged the shares over sizes",
        ),
        (
            "def gain_kept(own, other, random):\n"
            "    return own.mean(), other.mean(), other.mean() / own.mean()",
            "your gains are accuracies",
        ),
        (
            "def gain_kept(own, other, random):\n"
            "    own, other = own - random.max(0), other - random.max(0)\n"
            "    return own.mean(), other.mean(), other.mean() / own.mean()",
            "compare with their mean",
        ),
        (
            "def gain_kept(own, other, random):\n"
            "    own, other = own - random.mean(0), other - random.mean(0)\n"
            "    return own.mean(), other.mean(), own.mean() / max(other.mean(), 1e-9)",
            "upside down",
        ),
        (
            "def gain_kept(own, other, random):\n"
            "    own, other = own - random.mean(0), other - random.mean(0)\n"
            "    return own.mean(), other.mean(), 1 - other.mean() / own.mean()",
            "the one that is lost",
        ),
        (
            "def gain_kept(own, other, random):\n"
            "    share = other.mean() / own.mean()\n"
            "    return (own - random.mean(0)).mean(), (other - random.mean(0)).mean(), share",
            "your share is of accuracies",
        ),
        (
            "def gain_kept(own, other, random):\n"
            "    own, other = (own - random.mean(0)).mean(), (other - random.mean(0)).mean()\n"
            "    return 100 * own, 100 * other, other / own",
            "your gains are in percent",
        ),
    ],
    "accuracy_by_class": [
        (
            "def accuracy_by_class(guesses, y, classes):\n"
            "    right = np.bincount(y[guesses == y], minlength=classes)\n"
            "    return right / np.bincount(guesses, minlength=classes)",
            "how often the class was guessed",
        ),
        (
            "def accuracy_by_class(guesses, y, classes):\n"
            "    return np.bincount(y[guesses == y], minlength=classes) / len(y)",
            "divide by those of the class",
        ),
        (
            "def accuracy_by_class(guesses, y, classes):\n"
            "    return np.bincount(y[guesses == y], minlength=classes)",
            "you count right guesses",
        ),
        (
            "def accuracy_by_class(guesses, y, classes):\n"
            "    return np.bincount(y[guesses == y]) / np.bincount(y)",
            "needs minlength=classes",
        ),
    ],
    "gini": [
        (
            "def gini(values):\n    return np.abs(values[:, None] - values).mean() / 2",
            "divide by the mean",
        ),
        (
            "def gini(values):\n    return np.abs(values[:, None] - values).mean() / values.mean()",
            "twice what it must be",
        ),
        ("def gini(values):\n    return values.std() / values.mean()", "coefficient of variation"),
        (
            "def gini(values):\n"
            "    n = len(values)\n"
            "    return np.abs(values[:, None] - values).sum() / n / (n - 1) / 2 / values.mean()",
            "over all C^2 pairs",
        ),
        ("def gini(values):\n    return 0.0", "the index is"),
    ],
    "expected_gini": [
        (
            "def expected_gini(rates, counts, draws=200, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    values = (rng.binomial(counts, rates, (draws, len(counts))) / counts).mean(0)\n"
            "    return np.abs(values[:, None] - values).mean() / 2 / values.mean()",
            "not of the mean draw",
        ),
        (
            "def expected_gini(rates, counts, draws=200, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    found = []\n"
            "    for _ in range(draws):\n"
            "        values = 1.0 * (rng.random(len(rates)) < rates)\n"
            "        found.append(np.abs(values[:, None] - values).mean() / 2 / values.mean())\n"
            "    return np.mean(found)",
            "simulate all images of a class",
        ),
        (
            "def expected_gini(rates, counts, draws=200, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    found = []\n"
            "    for _ in range(draws):\n"
            "        values = rng.binomial(15, rates) / 15\n"
            "        found.append(np.abs(values[:, None] - values).mean() / 2 / values.mean())\n"
            "    return np.mean(found)",
            "use the count of each",
        ),
        (
            "def expected_gini(rates, counts, draws=200, seed=0):\n"
            "    return np.abs(rates[:, None] - rates).mean() / 2 / rates.mean()",
            "still differ by chance",
        ),
        (
            "def expected_gini(rates, counts, draws=200, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    found = []\n"
            "    for _ in range(draws):\n"
            "        v = rng.binomial(counts, rates)\n"
            "        found.append(np.abs(v[:, None] - v).mean() / 2 / v.mean())\n"
            "    return np.mean(found)",
            "divide right guesses by `counts`",
        ),
        (
            "def expected_gini(rates, counts, draws=200, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    found = []\n"
            "    for _ in range(draws):\n"
            "        v = rng.binomial(counts, rates) / counts\n"
            "        found.append(np.abs(v[:, None] - v).mean() / 2 / v.mean())\n"
            "    return np.median(found)",
            "the median over draws",
        ),
        (
            "def expected_gini(rates, counts, draws=200, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    found = []\n"
            "    for _ in range(200):\n"
            "        v = rng.binomial(counts, rates) / counts\n"
            "        found.append(np.abs(v[:, None] - v).mean() / 2 / v.mean())\n"
            "    return np.mean(found)",
            "simulate `draws` times",
        ),
        (
            "def expected_gini(rates, counts, draws=200, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    found = []\n"
            "    for _ in range(1000):\n"
            "        v = rng.binomial(counts, rates) / counts\n"
            "        found.append(np.abs(v[:, None] - v).mean() / 2 / v.mean())\n"
            "    return np.mean(found)",
            "simulate `draws` times",
        ),
        (
            "def expected_gini(rates, counts, draws=200, seed=0):\n"
            "    found = []\n"
            "    for _ in range(draws):\n"
            "        values = np.random.default_rng(seed).binomial(counts, rates) / counts\n"
            "        found.append(abs(values[:, None] - values).mean() / 2 / values.mean())\n"
            "    return np.mean(found)",
            "make the generator once, before the loop",
        ),
    ],
    "fair_null": [
        (
            "def fair_null(right, counts, mean):\n"
            "    p = (right + 0.5) / (counts + 1)\n"
            "    return p * mean / ((p * counts).sum() / counts.sum())",
            "keeps the same share",
        ),
        (
            "def fair_null(right, counts, mean):\n"
            "    p = (right + 0.5) / (counts + 1)\n"
            "    return np.clip(p - (p * counts).sum() / counts.sum() + mean, 0, 1)",
            "shift the logits instead",
        ),
        (
            "def fair_null(right, counts, mean):\n"
            "    p = (right + 0.5) / (counts + 1)\n"
            "    logits = np.log(p / (1 - p))\n"
            "    low, high = -30, 30\n"
            "    for _ in range(60):\n"
            "        middle = (low + high) / 2\n"
            "        if np.mean(1 / (1 + np.exp(middle - logits))) > mean:\n"
            "            low = middle\n"
            "        else:\n"
            "            high = middle\n"
            "    return 1 / (1 + np.exp(middle - logits))",
            "a class weighs by its images",
        ),
        (
            "def fair_null(right, counts, mean):\n"
            "    p = np.clip(right / counts, 1e-6, 1 - 1e-6)\n"
            "    logits = np.log(p / (1 - p))\n"
            "    low, high = -30, 30\n"
            "    for _ in range(60):\n"
            "        middle = (low + high) / 2\n"
            "        q = 1 / (1 + np.exp(middle - logits))\n"
            "        if (q * counts).sum() / counts.sum() > mean:\n"
            "            low = middle\n"
            "        else:\n"
            "            high = middle\n"
            "    return 1 / (1 + np.exp(middle - logits))",
            "infinite logit",
        ),
        (
            "def fair_null(right, counts, mean):\n"
            "    p = (right + 0.5) / (counts + 1)\n"
            "    logits = np.log(p / (1 - p))\n"
            "    shifts = np.linspace(0, 10, 21)\n"
            "    q = 1 / (1 + np.exp(shifts[:, None] - logits))\n"
            "    means = (q * counts).sum(1) / counts.sum()\n"
            "    return q[abs(means - mean).argmin()]",
            "search the shift more closely",
        ),
        (
            "def fair_null(right, counts, mean):\n"
            "    p, low, high = (right + 0.5) / (counts + 1), -30, 30\n"
            "    for _ in range(60):\n"
            "        shift = (low + high) / 2\n"
            "        shifted = 1 / (1 + (1 - p) / p * np.exp(shift))\n"
            "        low, high = (low, shift) if np.average(shifted, weights=counts) > mean "
            "else (shift, high)\n"
            "    return shifted",
            "does your search turn the wrong way",
        ),
    ],
    "smallest_p": [
        ("def smallest_p(seeds):\n    return 1 / math.comb(2 * seeds, seeds)", "counts both"),
        ("def smallest_p(seeds):\n    return 2 / math.factorial(2 * seeds)", "you count orders"),
        ("def smallest_p(seeds):\n    return math.comb(2 * seeds, seeds)", "divide by the number"),
        ("def smallest_p(seeds):\n    return 0.05", "labellings"),
    ],
    "read_verdict": [
        (
            "def read_verdict(one, other, margin):\n"
            "    low, high = lab.welch(one, other)\n"
            "    s = np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2)\n"
            "    seeds = max(4, math.ceil(2 * (2.8 * s / margin) ** 2))\n"
            "    if -margin <= low and high <= margin:\n"
            "        return 'alike', seeds\n"
            "    return ('higher' if low > 0 else 'lower' if high < 0 else 'undecided'), seeds",
            "however far apart they are",
        ),
        (
            "def read_verdict(one, other, margin):\n"
            "    low, high = lab.welch(one, other)\n"
            "    s = np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2)\n"
            "    seeds = max(4, math.ceil(2 * (2.8 * s / margin) ** 2))\n"
            "    if 2 / math.comb(2 * len(one), len(one)) > 0.05:\n"
            "        return 'no power', seeds\n"
            "    return ('higher' if low > 0 else 'lower' if high < 0 else 'alike'), seeds",
            "not clear does not mean alike",
        ),
        (
            "def read_verdict(one, other, margin):\n"
            "    low, high = lab.welch(one, other)\n"
            "    s = np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2)\n"
            "    seeds = max(4, math.ceil((2.8 * s / margin) ** 2))\n"
            "    if 2 / math.comb(2 * len(one), len(one)) > 0.05:\n"
            "        return 'no power', seeds\n"
            "    if -margin <= low and high <= margin:\n"
            "        return 'alike', seeds\n"
            "    return ('higher' if low > 0 else 'lower' if high < 0 else 'undecided'), seeds",
            "both means are uncertain",
        ),
        (
            "def read_verdict(one, other, margin):\n"
            "    low, high = lab.welch(one, other)\n"
            "    s = np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2)\n"
            "    seeds = max(4, math.ceil(2 * (2.8 * s / margin) ** 2))\n"
            "    if len(one) < 4:\n"
            "        return 'no power', seeds\n"
            "    if low > 0 or high < 0:\n"
            "        return ('higher' if low > 0 else 'lower'), seeds\n"
            "    return ('alike' if -margin <= low and high <= margin else 'undecided'), seeds",
            "ask for 'alike' before",
        ),
        ("def read_verdict(one, other, margin):\n    return 'supported', 4", "none of the words"),
        ("def read_verdict(one, other, margin):\n    return 'no power'", "must return two things"),
        (
            "def read_verdict(one, other, margin):\n"
            "    low, high = lab.welch(one, other)\n"
            "    s = np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2)\n"
            "    seeds = max(4, round(2 * (2.8 * s / margin) ** 2))\n"
            "    if 2 / math.comb(2 * len(one), len(one)) > 0.05:\n"
            "        return 'no power', seeds\n"
            "    if -margin <= low and high <= margin:\n"
            "        return 'alike', seeds\n"
            "    return ('higher' if low > 0 else 'lower' if high < 0 else 'undecided'), seeds",
            "round up",
        ),
        (
            "def read_verdict(one, other, margin):\n"
            "    low, high = lab.welch(one, other)\n"
            "    s = np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2)\n"
            "    seeds = max(4, math.ceil(2 * (1.96 * s / margin) ** 2))\n"
            "    if 2 / math.comb(2 * len(one), len(one)) > 0.05:\n"
            "        return 'no power', seeds\n"
            "    if -margin <= low and high <= margin:\n"
            "        return 'alike', seeds\n"
            "    return ('higher' if low > 0 else 'lower' if high < 0 else 'undecided'), seeds",
            "2.8 = 1.96 + 0.84",
        ),
    ],
    "power": [
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    one = rng.normal(effect, sd, (draws, seeds))\n"
            "    other = rng.normal(0, sd, (draws, seeds))\n"
            "    s = np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 2)\n"
            "    t = (one.mean(1) - other.mean(1)) / (s * np.sqrt(2 / seeds))\n"
            "    return np.mean(abs(t) > 1.96)",
            "1.96 is too small",
        ),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    one = rng.normal(effect, sd, (draws, seeds))\n"
            "    other = rng.normal(0, sd, (draws, seeds))\n"
            "    s = np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 2)\n"
            "    t = (one.mean(1) - other.mean(1)) / (s * np.sqrt(2 / seeds))\n"
            "    return np.mean(abs(t) < lab.student(2 * seeds - 2))",
            "count those that do",
        ),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    one = rng.normal(effect, sd, (draws, seeds))\n"
            "    other = rng.normal(0, sd, (draws, seeds))\n"
            "    s = np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 2)\n"
            "    t = (one.mean(1) - other.mean(1)) / (s * np.sqrt(2 / seeds))\n"
            "    return np.mean(t > lab.student(2 * seeds - 2))",
            "test both signs",
        ),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    one = rng.normal(effect, sd, (draws, 2 * seeds))\n"
            "    other = rng.normal(0, sd, (draws, 2 * seeds))\n"
            "    s = np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 2)\n"
            "    t = (one.mean(1) - other.mean(1)) / (s * np.sqrt(1 / seeds))\n"
            "    return np.mean(abs(t) > lab.student(4 * seeds - 2))",
            "that of two means",
        ),
        ("def power(effect, sd, seeds, draws=2000, seed=0):\n    return 80", "between 0 and 1"),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    one = rng.normal(effect, sd, (draws, seeds))\n"
            "    other = rng.normal(0, sd, (draws, seeds))\n"
            "    s = np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 2)\n"
            "    t = (one.mean(1) - other.mean(1)) / (s * np.sqrt(2 / seeds))\n"
            "    return np.mean(abs(t) > lab.student(2 * seeds))",
            "those of both groups",
        ),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    one = rng.normal(effect, sd, (draws, seeds))\n"
            "    other = rng.normal(0, sd, (draws, seeds))\n"
            "    s = np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 2)\n"
            "    t = (one.mean(1) - other.mean(1)) / (s * np.sqrt(2 / seeds))\n"
            "    return np.mean(abs(t) > lab.student(2 * seeds - 1))",
            "each group's mean costs one",
        ),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    one = rng.normal(effect, sd, (draws, seeds))\n"
            "    other = rng.normal(0, sd, (draws, seeds))\n"
            "    s = np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 2)\n"
            "    t = (one.mean(1) - other.mean(1)) / (s * np.sqrt(2 / seeds))\n"
            "    return np.mean(abs(t) > lab.student(seeds - 1))",
            "those of one group",
        ),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    one = rng.normal(effect, sd, (draws, seeds))\n"
            "    other = rng.normal(0, sd, (draws, seeds))\n"
            "    s = sd\n"
            "    t = (one.mean(1) - other.mean(1)) / (s * np.sqrt(2 / seeds))\n"
            "    return np.mean(abs(t) > lab.student(2 * seeds - 2))",
            "the true sd",
        ),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    one = rng.normal(effect, sd, (draws, seeds))\n"
            "    other = rng.normal(0, sd, (draws, seeds))\n"
            "    s = np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 2)\n"
            "    t = (one.mean(1) - other.mean(1)) / (s * np.sqrt(1 / seeds))\n"
            "    return np.mean(abs(t) > lab.student(2 * seeds - 2))",
            "A factor sqrt(2) is missing",
        ),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    one = rng.normal(effect, sd, (draws, seeds))\n"
            "    other = rng.normal(0, sd, (draws, seeds))\n"
            "    s = np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 2)\n"
            "    t = (one.mean(1) - other.mean(1)) / (s * np.sqrt(2))\n"
            "    return np.mean(abs(t) > lab.student(2 * seeds - 2))",
            "divide by n",
        ),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    one = rng.normal(effect, sd, (draws, seeds))\n"
            "    other = rng.normal(0, sd, (draws, seeds))\n"
            "    s = np.sqrt((one.var(1) + other.var(1)) / 2)\n"
            "    t = (one.mean(1) - other.mean(1)) / (s * np.sqrt(2 / seeds))\n"
            "    return np.mean(abs(t) > lab.student(2 * seeds - 2))",
            "Variances want ddof=1",
        ),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    one = np.random.default_rng(seed).normal(effect, sd, (draws, seeds))\n"
            "    other = np.random.default_rng(seed).normal(0, sd, (draws, seeds))\n"
            "    s = np.sqrt((one.var(1, ddof=1) + other.var(1, ddof=1)) / 2)\n"
            "    t = (one.mean(1) - other.mean(1)) / (s * np.sqrt(2 / seeds))\n"
            "    return np.mean(abs(t) > lab.student(2 * seeds - 2))",
            "not from two of the same seed",
        ),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    a = rng.normal(effect, sd**2, (draws, seeds))\n"
            "    b = rng.normal(0, sd**2, (draws, seeds))\n"
            "    s2 = (a.var(1, ddof=1) + b.var(1, ddof=1)) / 2\n"
            "    t = np.abs(a.mean(1) - b.mean(1)) / np.sqrt(2 * s2 / seeds)\n"
            "    return np.mean(t > lab.student(2 * seeds - 2))",
            "of standard deviation `sd`, not its square",
        ),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng = np.random.default_rng(seed)\n"
            "    a = rng.normal(effect, sd, (4000, seeds))\n"
            "    b = rng.normal(0, sd, (4000, seeds))\n"
            "    s2 = (a.var(1, ddof=1) + b.var(1, ddof=1)) / 2\n"
            "    t = np.abs(a.mean(1) - b.mean(1)) / np.sqrt(2 * s2 / seeds)\n"
            "    return np.mean(t > lab.student(2 * seeds - 2))",
            "simulate `draws` experiments",
        ),
        (
            "def power(effect, sd, seeds, draws=2000, seed=0):\n"
            "    rng, found = np.random.default_rng(seed), 0\n"
            "    a = rng.normal(effect, sd, (draws, seeds))\n"
            "    b = rng.normal(0, sd, (draws, seeds))\n"
            "    for one, other in zip(a, b):\n"
            "        u, v = one.var(ddof=1) / seeds, other.var(ddof=1) / seeds\n"
            "        df = (u + v) ** 2 / (u**2 + v**2) * (seeds - 1)\n"
            "        bar = lab.student(round(df, 1)) * (u + v) ** 0.5\n"
            "        found += abs(one.mean() - other.mean()) > bar\n"
            "    return found / draws",
            "That is Welch's test",
        ),
    ],
    "plan": [
        (
            "def plan(effect, sd, comparisons=1):\n"
            "    z = statistics.NormalDist().inv_cdf\n"
            "    bar = z(1 - 0.025 / comparisons)\n"
            "    return max(4, math.ceil((bar + z(0.8)) ** 2 * (sd / effect) ** 2 + bar**2 / 4))",
            "both means are uncertain",
        ),
        (
            "def plan(effect, sd, comparisons=1):\n"
            "    z = statistics.NormalDist().inv_cdf\n"
            "    n = 2 * (z(0.975) + z(0.8)) ** 2 * (sd / effect) ** 2 + z(0.975) ** 2 / 4\n"
            "    return max(4, math.ceil(n))",
            "tested at 0.05 / 10",
        ),
        (
            "def plan(effect, sd, comparisons=1):\n"
            "    z = statistics.NormalDist().inv_cdf\n"
            "    bar = z(1 - 0.025 / comparisons)\n"
            "    n = 2 * (bar + z(0.8)) ** 2 * (sd / effect) ** 2 + bar**2 / 4\n"
            "    return math.ceil(n)",
            "below four networks",
        ),
        (
            "def plan(effect, sd, comparisons=1):\n"
            "    z = statistics.NormalDist().inv_cdf\n"
            "    bar = z(1 - 0.025 / comparisons)\n"
            "    return max(4, math.ceil(2 * (bar + z(0.8)) ** 2 * sd / effect + bar**2 / 4))",
            "four times the networks",
        ),
        (
            "def plan(effect, sd, comparisons=1):\n"
            "    z = statistics.NormalDist().inv_cdf\n"
            "    bar = z(1 - 0.025 / comparisons)\n"
            "    return max(4.0, 2 * (bar + z(0.8)) ** 2 * (sd / effect) ** 2 + bar**2 / 4)",
            "round up",
        ),
        (
            "def plan(effect, sd, comparisons=1):\n"
            "    quantile = statistics.NormalDist().inv_cdf\n"
            "    z = quantile(1 - 0.05 / comparisons)\n"
            "    needed = 2 * (z + quantile(0.8)) ** 2 * (sd / effect) ** 2 + z**2 / 4\n"
            "    return max(4, math.ceil(needed))",
            "your test is one-sided",
        ),
        (
            "def plan(effect, sd, comparisons=1):\n"
            "    quantile = statistics.NormalDist().inv_cdf\n"
            "    z = quantile(1 - 0.025 / comparisons)\n"
            "    needed = 2 * (z + quantile(0.2)) ** 2 * (sd / effect) ** 2 + z**2 / 4\n"
            "    return max(4, math.ceil(needed))",
            "both quantiles are added",
        ),
        (
            "def plan(effect, sd, comparisons=1):\n"
            "    quantile = statistics.NormalDist().inv_cdf\n"
            "    z = quantile(1 - 0.025 / comparisons)\n"
            "    needed = 2 * (z + quantile(0.5)) ** 2 * (sd / effect) ** 2 + z**2 / 4\n"
            "    return max(4, math.ceil(needed))",
            "the quantile at 0.8, too",
        ),
        (
            "def plan(effect, sd, comparisons=1):\n"
            "    quantile = statistics.NormalDist().inv_cdf\n"
            "    z = quantile(1 - 0.025 / comparisons)\n"
            "    needed = 4 * (z + quantile(0.8)) ** 2 * (sd / effect) ** 2 + z**2 / 4\n"
            "    return max(4, math.ceil(needed))",
            "you count both groups",
        ),
        (
            "def plan(effect, sd, comparisons=1):\n"
            "    quantile = statistics.NormalDist().inv_cdf\n"
            "    z = quantile(1 - 0.025)\n"
            "    needed = comparisons * 2 * (z + quantile(0.8)) ** 2 * (sd / effect) ** 2 + "
            "z**2 / 4\n"
            "    return max(4, math.ceil(needed))",
            "they do not multiply the networks",
        ),
    ],
}

SLOW: dict[str, str] = {
    "cka_curve": (
        "def cka_curve(X, order):\n"
        "    X = X - X.mean(0)\n"
        "    found = []\n"
        "    for k in range(1, X.shape[1] + 1):\n"
        "        A = X[:, order[:k]]\n"
        "        below = np.linalg.norm(A.T @ A) * np.linalg.norm(X.T @ X)\n"
        "        found.append(np.linalg.norm(A.T @ X) ** 2 / below)\n"
        "    return np.array(found)"
    ),
    "ridge_curve": (
        "def ridge_curve(X_train, y_train, X_test, y_test, order, strength):\n"
        "    mean, Y = X_train.mean(0), np.eye(y_train.max() + 1)[y_train]\n"
        "    found = []\n"
        "    for k in range(1, len(order) + 1):\n"
        "        X = (X_train - mean)[:, order[:k]]\n"
        "        A = X.T @ X + strength * np.eye(k)\n"
        "        W = np.linalg.solve(A, X.T @ (Y - Y.mean(0)))\n"
        "        scores = (X_test - mean)[:, order[:k]] @ W + Y.mean(0)\n"
        "        found.append(np.mean(scores.argmax(1) == y_test))\n"
        "    return np.array(found)"
    ),
}
"""Right solutions that begin anew at every size: a check says so, and takes no points."""
