"""Smooth interpolation of scattered values in the plane: cubic Clough-Tocher elements on Delaunay triangles.

What depends on the nodes alone is made once on the host; the interpolant is linear in the values at the nodes, and
differentiable in them and in the place. References: P. Alfeld, Comput. Aided Geom. Des. 1, 169 (1984), the element;
R. J. Renka & A. K. Cline, Rocky Mt. J. Math. 14, 223 (1984), slopes that minimise the curvature along the edges.
"""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy

from gammajax._typing import Array, Float, Scalar

_NET = [m for m in itertools.product(range(4), repeat=4) if sum(m) == 3 and not (m[3] == 0 and m[:3] == (1, 1, 1))]
"""Exponents (of the three corners and the middle) of the control points of an element: 19."""
_FACTORIAL = np.array([1.0, 1.0, 2.0, 6.0])


class Elements(NamedTuple):
    """Triangles between the nodes, and the linear maps from values at the nodes to their cubics."""

    corners: Float[Array | np.ndarray, "triangle 3"]
    """Nodes at the corners, as floats."""
    barycentric: Float[Array | np.ndarray, "triangle 3 3"]
    """(x, y, 1) to barycentric coordinates."""
    slopes: Float[Array | np.ndarray, "node 2 node"]
    """Values to slopes at each node."""
    net: Float[Array | np.ndarray, "triangle 19 9"]
    """Values (3) and slopes (3 x 2) at the corners to the control points."""


def elements_of(points: Float[np.ndarray, "node 2"]) -> Elements:
    """The elements between nodes. Raises `scipy.spatial.QhullError` for nodes that span no triangle."""
    triangles = scipy.spatial.Delaunay(points)
    corners = triangles.simplices
    place = np.concatenate([points[corners], np.ones((len(corners), 3, 1))], axis=-1)
    barycentric = np.linalg.inv(np.swapaxes(place, 1, 2))
    net = np.stack([_net(points, triangles, barycentric[i], i) for i in range(len(corners))])
    return Elements(corners.astype(float), barycentric, _slopes(points, corners), net)


def _slopes(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """The slopes for which the sum over all edges of the squared second derivative along the edge is least.

    On an edge E of length L between values f and g with slopes p = E.F and q = E.G the cubic has
    `L^3 int |w''|^2 = 4 (p^2 + p q + q^2) + 12 (f - g) (p + q) + ...`: linear equations for the slopes.
    """
    n = len(points)
    edges = {tuple(sorted((int(a), int(b)))) for c in corners for a, b in itertools.combinations(c, 2)}
    left, right = np.zeros((n, 2, n, 2)), np.zeros((n, 2, n))
    for a, b in edges:
        along = points[b] - points[a]
        step = along / np.linalg.norm(along) ** 3
        for here, there in ((a, b), (b, a)):
            left[here, :, here] += 4 * np.outer(along, step)
            left[here, :, there] += 2 * np.outer(along, step)
            right[here, :, b] += 6 * step
            right[here, :, a] -= 6 * step
    return np.linalg.solve(left.reshape(2 * n, 2 * n), right.reshape(2 * n, n)).reshape(n, 2, n)


def _net(points: np.ndarray, triangles: scipy.spatial.Delaunay, barycentric: np.ndarray, which: int) -> np.ndarray:
    """Control points of one element as rows of a matrix on (f_1, f_2, f_3, F_1x, F_1y, F_2x, ...)."""
    corner, neighbours = triangles.simplices[which], triangles.neighbors[which]
    unit, c = np.eye(9), {}

    def key(*where: int) -> tuple[int, ...]:
        return tuple(where.count(i) for i in range(4))

    for a in range(3):
        c[key(a, a, a)] = unit[a]
        for b in {0, 1, 2} - {a}:
            along = points[corner[b]] - points[corner[a]]
            c[key(a, a, b)] = unit[a] + (along[0] * unit[3 + 2 * a] + along[1] * unit[4 + 2 * a]) / 3
        other = [c[key(a, a, b)] for b in {0, 1, 2} - {a}]
        c[key(a, a, 3)] = (c[key(a, a, a)] + sum(other)) / 3
    for k in range(3):
        a, b = sorted({0, 1, 2} - {k})
        alpha, beta, gamma = _across(points, triangles.simplices, neighbours[k], barycentric, (a, b, k))
        bend = alpha * (c[key(a, a, a)] - 2 * c[key(a, a, b)] + c[key(a, b, b)])
        bend = bend + beta * (c[key(a, a, b)] - 2 * c[key(a, b, b)] + c[key(b, b, b)])
        c[key(a, b, 3)] = (c[key(a, a, 3)] + c[key(b, b, 3)] + bend / gamma) / 2
    for a in range(3):
        c[key(a, 3, 3)] = (c[key(a, a, 3)] + sum(c[key(a, b, 3)] for b in {0, 1, 2} - {a})) / 3
    c[key(3, 3, 3)] = sum(c[key(a, 3, 3)] for a in range(3)) / 3
    return np.stack([c[m] for m in _NET])


def _across(points, simplices, neighbour, barycentric, abc) -> tuple[float, float, float]:
    """The direction, in barycentric coordinates of (a, b, middle), in which the slope is linear along the edge ab.

    From the middle of the triangle to that of its neighbour, which both triangles agree on and which an affine map of
    the plane leaves as it is; at the rim, from the middle of the edge.
    """
    if neighbour < 0:
        return -0.5, -0.5, 1.0
    there = barycentric @ np.append(points[simplices[neighbour]].mean(axis=0), 1.0) - 1 / 3
    a, b, c = there[list(abc)]
    return a - c, b - c, 3 * c


def interpolate(elements: Elements, values: Float[Array, "node"], x: Scalar, y: Scalar) -> Scalar:
    """The interpolant at one place; outside the triangles, at a place of their rim that is near.

    >>> corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> found = interpolate(elements_of(corners), jnp.array([0.0, 1.0, 2.0, 3.0]), jnp.array(0.25), jnp.array(0.5))
    >>> round(float(found), 9)
    1.25
    """
    barycentric = jnp.asarray(elements.barycentric) @ jnp.stack([x, y, jnp.ones_like(x)])
    which = jnp.argmax(jnp.min(barycentric, axis=1))
    b = jnp.maximum(barycentric[which], 0.0)
    b = b / jnp.sum(b)
    least = jnp.min(b)
    powers = jnp.stack([jnp.stack([jnp.ones_like(t), t, t**2, t**3]) for t in (*(b - least), 3.0 * least)])
    exponents = np.array(_NET)
    bernstein = 6.0 / np.prod(_FACTORIAL[exponents], axis=1) * jnp.prod(powers[np.arange(4), exponents], axis=1)
    corners = jnp.asarray(elements.corners)[which].astype(int)
    slopes = jnp.einsum("nxm,m->nx", jnp.asarray(elements.slopes), values)
    given = jnp.concatenate([values[corners], slopes[corners].reshape(-1)])
    return bernstein @ (jnp.asarray(elements.net)[which] @ given)
