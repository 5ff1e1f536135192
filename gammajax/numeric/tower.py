"""Derivatives in a few numbers, computed once for all directions."""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from gammajax._typing import Array, Float, Scalar

Function = Callable[[tuple[Scalar, ...], Any, Any], Array]
Near = Callable[[int, tuple[Scalar, ...], Any, Any], Callable[..., Array]]


def tower(function: Function) -> Function:
    """`function(x, y, data)`, linear in y, whose derivatives in the scalars x come from its partial ones.

    Under `vmap` over tangents, as in `jax.jacfwd`, a plain function is differentiated anew for each of them; this one
    computes its value and its partial derivatives in one pass, and a tangent costs a product with them. Derivatives of
    any order work in the same way, each mixed one being computed once. `y` may be None; in `data` nothing is gained.

    >>> square = tower(lambda x, y, scale: scale * x[0] ** 2 * x[1] * y)
    >>> jax.grad(lambda x: square((x, 5.0), 1.0, 2.0))(3.0).item()
    60.0
    """
    return tower_near(lambda order, x, y, data: lambda *x: function(x, y, data))


def tower_near(near: Near) -> Function:
    """The tower of a function of which `near(order, x, y, data)`, a function of x alone, is an expansion.

    Its value and derivatives up to an order are right at the given x, and cheaper to find than those of the function.
    """
    return lambda x, y, data: _level(near, len(x), 0)(x, y, data)[0]


def _level(near: Near, n: int, order: int) -> Function:
    """All partial derivatives up to an order, stacked; their own derivatives are among those up to the next order."""
    rows = indices(n, order)

    @jax.custom_jvp
    def value(x: tuple[Scalar, ...], y: Any, data: Any) -> Array:
        return partials(near(order, x, y, data), x, order)

    def rule(primals: tuple[Any, Any, Any], tangents: tuple[Sequence[Any], Any, Any]) -> tuple[Array, Array]:
        (x, y, data), (dx, dy, ddata) = primals, tangents
        moving = [i for i in range(n) if not isinstance(dx[i], SymbolicZero)]
        known = _level(near, n, order + 1)(x, y, data) if moving else value(x, y, data)
        place = {row: k for k, row in enumerate(indices(n, order + 1))}
        moves = [known[np.array([place[tuple(sorted((*row, i)))] for row in rows])] * dx[i] for i in moving]
        own = [] if y is None or isinstance(dy, SymbolicZero) else [value(x, dy, data)]
        ddata = jax.tree.map(lambda t: None if isinstance(t, SymbolicZero) else t, ddata)
        if jax.tree.leaves(ddata):
            plain = lambda data: partials(near(order, x, y, data), x, order)  # noqa: E731
            slope = eqx.filter_jvp(plain, (data,), (ddata,))[1]
            own += [] if slope is None else [slope]
        here = known[: len(rows)]
        return here, functools.reduce(jnp.add, [*own, *moves], jnp.zeros_like(here))

    value.defjvp(rule, symbolic_zeros=True)
    return value


def indices(n: int, order: int) -> list[tuple[int, ...]]:
    """Which of n arguments each partial derivative up to an order is taken in, the lowest orders first."""
    every = (itertools.combinations_with_replacement(range(n), k) for k in range(order + 1))
    return list(itertools.chain.from_iterable(every))


def partials(function: Callable[..., Array], x: Sequence[Array], order: int) -> Float[Array, "index *out"]:
    """All partial derivatives up to an order, stacked as `indices` has them; arrays are moved as a whole.

    >>> partials(lambda x, y: x**2 * y, (jnp.array(3.0), jnp.array(1.0)), 2).tolist()
    [9.0, 6.0, 9.0, 2.0, 6.0, 0.0]
    """
    rows = indices(len(x), order)
    highest = [row for row in rows if len(row) == order]

    def chain(x: tuple[Array, ...], along: Sequence[Array]) -> list[Array]:
        """The function and its derivatives along the first direction, the first two, ..."""
        if not len(along):
            return [jnp.asarray(function(*x))]
        tangents = tuple(jnp.full_like(one, t) for one, t in zip(x, along[-1], strict=True))
        lower, slopes = jax.jvp(lambda *x: chain(x, along[:-1]), x, tangents)
        return [*lower, slopes[-1]]

    if not order:
        return chain(tuple(x), [])[0][None]
    steps = jnp.eye(len(x))[np.array(highest)]
    value, *found = jax.vmap(lambda along: chain(tuple(x), along), out_axes=[None, *[0] * order])(steps)
    # A lower derivative is met on the way to the one that goes on along its last direction.
    first = {row: highest.index((*row, *row[-1:] * (order - len(row)))) for row in rows if row}
    levels = [found[k - 1][np.array([first[row] for row in rows if len(row) == k])] for k in range(1, order + 1)]
    return jnp.concatenate([value[None], *levels])
