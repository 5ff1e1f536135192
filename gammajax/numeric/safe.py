"""Functions whose value and derivatives stay finite at the edge of their domain.

`jnp.where(ok, f(x), 0)` alone is not enough: the derivative of the branch not taken is computed too, and
`0 * inf = nan`. The argument is made harmless first.
"""

import jax.numpy as jnp

from gammajax._typing import Array, Float


def safe_divide(x: Float[Array, "*s"], y: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """`x / y`, and 0 where y = 0."""
    ok = y != 0
    return jnp.where(ok, x / jnp.where(ok, y, 1.0), 0.0)


def safe_log(x: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """`ln x`, and 0 where x <= 0: for sums of `n ln x` in which n = 0 there."""
    ok = x > 0
    return jnp.where(ok, jnp.log(jnp.where(ok, x, 1.0)), 0.0)
