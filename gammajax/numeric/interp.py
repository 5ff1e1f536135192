"""Interpolation on regular grids, as pure functions of arrays with finite gradients.

A grid has, per axis, `points` where the values stand and `edges` where its range ends: for a histogram the
points are bin centres, for a tabulated function they are nodes and the edges lie half a step further out.
"""

import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from gammajax._typing import Scalar

TINY = 1e-300


def floored_log(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """ln(x), and a very negative number with zero slope where x <= 0.

    >>> float(floored_log(jnp.array(0.0))) < -600
    True
    """
    tiny = max(TINY, float(jnp.finfo(jnp.result_type(float)).tiny))
    # Second derivatives of a logarithm at its floor overflow, and infinity times zero is no number.
    return jnp.where(x > tiny, jnp.log(jnp.where(x > tiny, x, 1.0)), math.log(tiny))


def bracket(points: Float[Array, "node"], x: Float[Array, "..."]) -> tuple[Int[Array, "..."], Float[Array, "..."]]:
    """The cell of each `x` and the fraction of the way through it: x = (1 - f) points[i] + f points[i+1].

    The fraction is below 0 or above 1 outside the points (linear extrapolation); one single point is a flat
    axis.

    >>> i, f = bracket(jnp.array([0.0, 1.0, 3.0]), jnp.array(2.0))
    >>> int(i), float(f)
    (1, 0.5)
    """
    if points.shape[0] == 1:
        return jnp.zeros(x.shape, int), jnp.zeros_like(x)
    index = jnp.clip(jnp.searchsorted(points, x, side="right") - 1, 0, points.shape[0] - 2)
    left, right = points[index], points[index + 1]
    return index, (x - left) / (right - left)


def shares(points: Float[Array, "node"], x: Scalar, *, extend: bool = False) -> Float[Array, "node"]:
    """Share of each point in the value at a place, by linear interpolation: without a search, with few operations.

    Beyond the ends the value is constant, or (`extend`) goes on as a straight line.

    >>> shares(jnp.array([0.0, 1.0, 3.0]), jnp.array(2.0)).tolist()
    [0.0, 0.5, 0.5]
    """
    passed = passages(points, x, extend=extend)
    return jnp.append(1.0, passed) - jnp.append(passed, 0.0)


def passages(points: Float[Array, "node"], x: Scalar, *, extend: bool = False) -> Float[Array, "cell"]:
    """How much of each cell lies below `x`, from 0 to 1; their sum is the place of `x` in steps from point to point."""
    low, high = np.zeros(len(points) - 1), np.ones(len(points) - 1)
    if extend:
        low[:1], high[-1:] = -np.inf, np.inf
    return jnp.clip((x - points[:-1]) / (points[1:] - points[:-1]), low, high)


def inside(edges: Float[Array, "edge"], x: Float[Array, "..."]) -> Bool[Array, "..."]:
    """True where `x` lies between the outer edges, both included; False for NaN."""
    return (x >= edges[0]) & (x <= edges[-1])


def multilinear(
    points: Sequence[Float[Array, "node"]], values: Array, coords: Sequence[Float[Array, "..."]]
) -> Float[Array, "..."]:
    """Multilinear interpolation of `values` over its leading axes, linearly extrapolated outside.

    sum over the 2^k corners of prod_k w_k values[corner], with w = 1 - f or f of `bracket`.
    `values` has the shape (len(points[0]), ..., len(points[k-1]), *rest); the coordinates are broadcast
    together and the result has their shape followed by `rest`. The points must be finite and increase.

    >>> axis = jnp.array([0.0, 1.0])
    >>> table, half = jnp.array([[0.0, 1.0], [2.0, 3.0]]), jnp.array(0.5)
    >>> float(multilinear([axis, axis], table, [half, half]))
    1.5
    """
    coords = jnp.broadcast_arrays(*[jnp.asarray(x) for x in coords])
    cells = [bracket(axis, x) for axis, x in zip(points, coords, strict=True)]
    rest = values.ndim - len(points)
    sides = [(0,) if axis.shape[0] == 1 else (0, 1) for axis in points]
    total = jnp.zeros(coords[0].shape + values.shape[len(points) :], values.dtype)
    for corner in itertools.product(*sides):
        index = tuple(i + side for (i, _), side in zip(cells, corner, strict=True))
        weight = jnp.ones_like(cells[0][1])
        for (_, fraction), side in zip(cells, corner, strict=True):
            weight = weight * (fraction if side else 1.0 - fraction)
        total = total + weight[(...,) + (None,) * rest] * values[index]
    return total


def regular_grid(
    points: Sequence[Float[Array, "node"]],
    edges: Sequence[Float[Array, "edge"]],
    values: Array,
    coords: Sequence[Float[Array, "..."]],
) -> Float[Array, "..."]:
    """`multilinear` inside the outer edges of all axes, zero (with zero gradient) beyond them and at NaN.

    This is the evaluation rule of GADF responses: linear between centres, linearly extrapolated in the outer
    half bins, zero beyond.
    """
    coords = jnp.broadcast_arrays(*[jnp.asarray(x) for x in coords])
    ok = jnp.ones(coords[0].shape, bool)
    for axis, x in zip(edges, coords, strict=True):
        ok = ok & inside(axis, x)
    # a coordinate far outside or NaN would leak into the gradient through the unused branch of `where`
    kept = [jnp.where(ok, x, axis[0]) for axis, x in zip(points, coords, strict=True)]
    found = multilinear(points, values, kept)
    return jnp.where(ok[(...,) + (None,) * (found.ndim - ok.ndim)], found, 0.0)


def nearest(points: Float[Array, "node"], x: Float[Array, "..."]) -> Int[Array, "..."]:
    """Index of the point nearest to each `x`; the outermost one beyond the ends."""
    middle = 0.5 * (points[1:] + points[:-1])
    return jnp.searchsorted(middle, x, side="right")


def interp_rows(
    x: Float[Array, "*batch point"], points: Float[Array, "node"], rows: Float[Array, "*batch node"]
) -> Float[Array, "*batch point"]:
    """Linear interpolation of each row at its own `x`, constant beyond the ends.

    >>> interp_rows(jnp.array([[0.5, 9.0]]), jnp.array([0.0, 1.0]), jnp.array([[0.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """
    flat = jax.vmap(jnp.interp, in_axes=(0, None, 0))
    found = flat(x.reshape(-1, x.shape[-1]), points, rows.reshape(-1, rows.shape[-1]))
    return found.reshape(x.shape)
