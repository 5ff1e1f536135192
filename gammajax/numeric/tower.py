"""Derivatives in a few numbers, computed once for all directions."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gammajax._typing import Array, Scalar

Function = Callable[[tuple[Scalar, ...], Array, Any], Array]


def tower(function: Function, once: bool = False) -> Function:
    """`function(x, y, data)`, linear in y, whose derivatives in the scalars x come from its partial ones.

    Under `vmap` over tangents, as in `jax.jacfwd`, a plain function is differentiated anew for each of them; this one
    computes its partial derivatives once, and a tangent costs a product with them. Derivatives of any order work in
    the same way. First derivatives are formed one by one, each without what it does not touch; those of them (`once`)
    together, which is less to compile. `data` is never differentiated.

    >>> square = tower(lambda x, y, scale: scale * x[0] ** 2 * x[1] * y)
    >>> jax.grad(lambda x: square((x, 5.0), 1.0, 2.0))(3.0).item()
    60.0
    """

    @jax.custom_jvp
    def value(x: tuple[Scalar, ...], y: Array, data: Any) -> Array:
        return function(x, y, data)

    @value.defjvp
    def rule(primals: tuple[Any, Any, Any], tangents: tuple[Sequence[Scalar], Any, Any]) -> tuple[Array, Array]:
        (x, y, data), (dx, dy, _) = primals, tangents
        if once:
            slopes = tower(_gradient(function), once)(x, y, data)
        else:
            slopes = [tower(_partial(function, i), True)(x, y, data) for i in range(len(x))]
        moves = [slope * step for slope, step in zip(slopes, dx, strict=True)]
        return value(x, y, data), functools.reduce(jnp.add, moves, value(x, dy, data))

    return value


def _gradient(function: Function) -> Function:
    """All partial derivatives of a function, stacked."""

    def slopes(x: tuple[Scalar, ...], y: Array, data: Any) -> Array:
        def along(tangent: Array) -> Array:
            return jax.jvp(lambda *t: function(t, y, data), x, tuple(tangent))[1]

        return jax.vmap(along)(jnp.eye(len(x)))

    return slopes


def _partial(function: Function, i: int) -> Function:
    """The derivative of a function in its i-th scalar."""

    def slope(x: tuple[Scalar, ...], y: Array, data: Any) -> Array:
        def along(t: Scalar) -> Array:
            return function((*x[:i], t, *x[i + 1 :]), y, data)

        return jax.jvp(along, (x[i],), (jnp.ones_like(x[i]),))[1]

    return slope
