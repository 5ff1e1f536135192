"""Energy ranges cut into short pieces, for integrals that hold for any spectrum."""

from typing import Any, NamedTuple

import numpy as np

from gammajax.errors import ModelError
from gammajax.numeric.quadrature import log_nodes

_PER_DECADE = 10
_NODES = 8


class Pieces(NamedTuple):
    """Quadrature of ranges that are cut into pieces: nodes and weights of shape (piece, node).

    Padded to a power of two pieces, so that few distinct shapes are compiled.
    """

    nodes: np.ndarray
    weights: np.ndarray
    count: np.ndarray
    """Number of pieces of each range."""
    sign: np.ndarray
    """-1 where a range runs downwards."""

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sum of the pieces' integrals for each range."""
        start = np.concatenate([[0], np.cumsum(self.count.ravel())[:-1]]).astype(int)
        return (np.add.reduceat(values, start).reshape(self.count.shape) if values.size else self.count) * self.sign


def pieces(low: Any, high: Any, kinks: Any = ()) -> Pieces:
    """Ranges from `low` to `high` [TeV], broadcast against each other, cut at kinks and ten times a decade.

    Raises `ModelError` for energies that are not positive and finite.
    """
    low, high = np.broadcast_arrays(np.asarray(low, dtype=float), np.asarray(high, dtype=float))
    if not np.all(np.isfinite(low) & np.isfinite(high) & (low > 0) & (high > 0)):
        raise ModelError("the limits of an integral must be positive, finite energies")
    kinks = np.asarray(sorted(kinks), dtype=float)
    edges = [_edges(min(a, b), max(a, b), kinks) for a, b in zip(low.ravel(), high.ravel(), strict=True)]
    quadrature = [log_nodes(x, _NODES) for x in edges]
    nodes, weights = (np.concatenate([q[i] for q in quadrature]) for i in (0, 1))
    more = 2 ** int(np.ceil(np.log2(max(len(nodes), 1)))) - len(nodes)
    nodes = np.concatenate([nodes, np.repeat(nodes[-1:], more, axis=0)])
    weights = np.concatenate([weights, np.zeros((more, _NODES))])
    count = np.array([len(x) - 1 for x in edges]).reshape(low.shape)
    return Pieces(nodes, weights, count, np.where(high < low, -1.0, 1.0))


def _edges(low: float, high: float, kinks: np.ndarray) -> np.ndarray:
    if low == high:
        return np.array([low, high])
    number = max(1, int(np.ceil(_PER_DECADE * np.log10(high / low))))
    inside = kinks[(kinks > low) & (kinks < high)]
    return np.unique(np.concatenate([[low], np.geomspace(low, high, number + 1)[1:-1], inside, [high]]))
