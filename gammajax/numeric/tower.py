"""Derivatives in a few numbers, computed once for all directions."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gammajax._typing import Array, Scalar

Function = Callable[[tuple[Scalar, ...], Any, Any], Array]


def tower(function: Function) -> Function:
    """`function(x, y, data)`, linear in y, whose derivatives in the scalars x come from its partial ones.

    Under `vmap` over tangents, as in `jax.jacfwd`, a plain function is differentiated anew for each of them; this one
    computes its partial derivatives once, and a tangent costs a product with them. Derivatives of any order work in
    the same way, each mixed one being computed once. `y` may be None; `data` is never differentiated.

    >>> square = tower(lambda x, y, scale: scale * x[0] ** 2 * x[1] * y)
    >>> jax.grad(lambda x: square((x, 5.0), 1.0, 2.0))(3.0).item()
    60.0
    """
    return lambda x, y, data: _level(function, len(x), 0)(x, y, data)[0]


def _level(function: Function, n: int, order: int) -> Function:
    """All partial derivatives of one order, stacked; their own derivatives are those of the next order."""
    rows = _indices(n, order)

    @jax.custom_jvp
    def value(x: tuple[Scalar, ...], y: Any, data: Any) -> Array:
        return _partials(function, rows, x, y, data)

    @value.defjvp
    def rule(primals: tuple[Any, Any, Any], tangents: tuple[Sequence[Scalar], Any, Any]) -> tuple[Array, Array]:
        (x, y, data), (dx, dy, _) = primals, tangents
        slopes = _level(function, n, order + 1)(x, y, data)
        above = {row: k for k, row in enumerate(_indices(n, order + 1))}
        moves = [slopes[np.array([above[tuple(sorted((*row, i)))] for row in rows])] * dx[i] for i in range(n)]
        own = [] if y is None else [value(x, dy, data)]
        return value(x, y, data), functools.reduce(jnp.add, [*own, *moves])

    return value


def _indices(n: int, order: int) -> list[tuple[int, ...]]:
    """Which scalars each partial derivative of an order is taken in."""
    return list(itertools.combinations_with_replacement(range(n), order))


def _partials(function: Function, rows: list[tuple[int, ...]], x: tuple[Scalar, ...], y: Any, data: Any) -> Array:
    if not rows[0]:
        return jnp.asarray(function(x, y, data))[None]

    def nested(x: Sequence[Scalar], tangents: Sequence[Array]) -> Array:
        if not len(tangents):
            return function(tuple(x), y, data)
        return jax.jvp(lambda *t: nested(t, tangents[1:]), tuple(x), tuple(tangents[0]))[1]

    return jax.vmap(lambda tangents: nested(x, tangents))(jnp.eye(len(x))[np.array(rows)])
