"""Gauss quadrature: in the logarithm of energy, and for sums over many points."""

import functools

import numpy as np


@functools.cache
def _legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(n)


def log_nodes(edges: np.ndarray, n: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights with `int f dE ~ sum_k weight_k f(node_k)` in each bin of `edges`, both of shape (bin, n).

    With `t = ln E`, `int f dE = int f E dt`; the rule is exact where `f E` is a polynomial of degree 2 n - 1 in
    `ln E`. Four nodes at ten or more bins per decade integrate the spectra of this field to 1e-10
    (`tests/numeric/test_quadrature.py` shows the order).

    >>> energy, weight = log_nodes(np.array([1.0, 10.0]), 8)
    >>> bool(abs((weight / energy**2).sum() - 0.9) < 1e-9)
    True
    """
    x, w = _legendre(n)
    low, high = np.log(edges[:-1, None]), np.log(edges[1:, None])
    energy = np.exp(0.5 * (low + high) + 0.5 * (high - low) * x)
    return energy, 0.5 * (high - low) * w * energy


def gauss_of_sum(points: np.ndarray, weights: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights, both (n,), with `sum_i weight_i f(point_i) ~ sum_k w_k f(node_k)`, for weights >= 0.

    Exact for polynomials of degree 2 n - 1; of n distinct points or fewer it is the sum itself, the other nodes having
    no weight. From the recurrence of the orthogonal polynomials. Reference: W. Gautschi, Orthogonal Polynomials (2004).

    >>> nodes, w = gauss_of_sum(np.array([0.0, 1.0, 2.0, 5.0]), np.array([1.0, 2.0, 0.0, 1.0]), 4)
    >>> (nodes[w > 0].round(9) + 0.0).tolist(), w.round(9).tolist()
    ([0.0, 1.0, 5.0], [1.0, 2.0, 1.0, 0.0])
    """
    nodes, out = np.zeros(n), np.zeros(n)
    points, weights = points[weights > 0], weights[weights > 0]
    if not len(points):
        return nodes, out
    middle, half = 0.5 * (points.max() + points.min()), 0.5 * (points.max() - points.min())
    x = (points - middle) / (half or 1.0)
    before, p, off_diagonal, diagonal = np.zeros_like(x), np.full_like(x, weights.sum() ** -0.5), [], []
    while True:
        diagonal.append(weights @ (x * p * p))
        rest = (x - diagonal[-1]) * p - (off_diagonal[-1] * before if off_diagonal else 0.0)
        size = np.sqrt(weights @ rest**2)
        if len(diagonal) == n or size < 1e-9:
            break
        off_diagonal.append(size)
        before, p = p, rest / size
    at, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(off_diagonal, 1) + np.diag(off_diagonal, -1))
    nodes[: len(at)], out[: len(at)] = middle + half * at, weights.sum() * vectors[0] ** 2
    return nodes, out
