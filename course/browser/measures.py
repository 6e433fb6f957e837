"""CKA and the accuracy of ridge probes at every number of neurons, in plain Python.

No NumPy, so that a browser can run it without any package. A matrix is a list of rows. ``X`` has a
row of features for each image, ``order`` lists all neurons, and entry ``k - 1`` of a curve belongs
to the first k of them.
"""

from math import sqrt
from operator import mul

try:
    from math import sumprod
except ImportError:  # before Python 3.12

    def sumprod(p, q):
        """The sum of the products of two lists."""
        return sum(map(mul, p, q))


def means(X):
    """The mean of each neuron."""
    return [sum(column) / len(X) for column in zip(*X, strict=True)]


def centred_columns(X, means_of_train):
    """One list for each neuron, with its mean over the train images taken away."""
    columns = zip(*X, strict=True)
    return [
        [value - mean for value in column]
        for column, mean in zip(columns, means_of_train, strict=True)
    ]


def gram_matrix(X):
    """The Gram matrix of the centred neurons, d x d; divided by n it is their covariance."""
    columns = centred_columns(X, means(X))
    half = [[sumprod(p, q) for q in columns[: i + 1]] for i, p in enumerate(columns)]
    d = len(columns)
    return [[half[max(i, j)][min(i, j)] for j in range(d)] for i in range(d)]


def cka_curve(G, order):
    """CKA of the first k neurons with the whole layer, for every k.

    With G the Gram matrix, S the kept neurons and squares of entries summed,
    CKA = |G[S, all]|^2 / (|G[S, S]| |G|). A further neuron adds a row to the first sum, and a row
    and a column to the second: all sizes cost as much as one.
    """
    squares = [[value * value for value in row] for row in G]
    whole = sqrt(sum(map(sum, squares)))
    with_all = among_kept = 0.0
    curve = []
    for k, neuron in enumerate(order):
        row = squares[neuron]
        with_all += sum(row)
        among_kept += 2 * sum(row[kept] for kept in order[:k]) + row[neuron]
        curve.append(with_all / (sqrt(among_kept) * whole) if among_kept > 0 else 0.0)
    return curve


def cholesky(A):
    """The lower triangular L with A = L L'; its first k rows are those of the first k neurons."""
    L = []
    for i, row in enumerate(A):
        new = []
        for j in range(i):
            new.append((row[j] - sumprod(new, L[j][:j])) / L[j][j])
        new.append(sqrt(row[i] - sumprod(new, new)))
        L.append(new)
    return L


def solved(L, b):
    """The solution x of L x = b, from the top down: x[i] needs the first i rows only."""
    x = []
    for row, value in zip(L, b, strict=True):
        x.append((value - sumprod(row[:-1], x)) / row[-1])
    return x


def ridge_curve(layer, G, order):
    """Test accuracy of the ridge probe on the first k neurons, for every k.

    The scores of a probe with k neurons are sums over i < k of V[i] Z[i], where V and Z are solved
    with the Cholesky factor of the whole layer: every k from one factor.
    """
    d, n = len(order), len(layer.X_train)
    alpha = layer.penalty * sum(G[i][i] for i in range(d)) / d
    A = [[G[i][j] + (alpha if i == j else 0.0) for j in order] for i in order]
    L = cholesky(A)
    centre = means(layer.X_train)
    columns = centred_columns(layer.X_train, centre)
    classes = sorted(set(layer.y_train))
    share = [layer.y_train.count(one) / n for one in classes]
    Z = []
    for one, mean in zip(classes, share, strict=True):
        target = [(label == one) - mean for label in layer.y_train]
        Z.append(solved(L, [sumprod(columns[i], target) for i in order]))
    V = [solved(L, [row[i] - centre[i] for i in order]) for row in layer.X_test]

    right = [0] * d
    places = range(len(classes))
    for v, label in zip(V, layer.y_test, strict=True):
        scores = list(share)
        for k, value in enumerate(v):
            scores = [score + value * z[k] for score, z in zip(scores, Z, strict=True)]
            right[k] += classes[max(places, key=scores.__getitem__)] == label
    return [count / len(V) for count in right]


def mean_curve(curves):
    """The mean of several curves at each k."""
    return [sum(values) / len(values) for values in zip(*curves, strict=True)]


def k_star(curve, share=0.9):
    """The least k at which a curve reaches a share of its last value, the whole layer's."""
    bar = share * curve[-1] * (1 - 1e-12)  # a tie to within rounding counts
    return next(k for k, value in enumerate(curve, start=1) if value >= bar)


def redundancy(curve, share=0.9):
    """DR, diffused redundancy: the share of the neurons that can be dropped."""
    return 1 - k_star(curve, share) / len(curve)
